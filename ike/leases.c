#include "ike/leases.h"

#include <stdlib.h>
#include <utlist.h>

#define NOT_KEPT UINT32_MAX

/* ---- kept records: a heap, and parts ---- */

static void heap_set(struct leases *l, uint32_t at, struct lease_record *r)
{
	l->kept[at] = r;
	r->heap_at = at;
}

/* Up or down from where it is. A lease that ends last, as a new one does, stays: O(1). */
static void heap_sift(struct leases *l, struct lease_record *r)
{
	uint32_t at = r->heap_at;

	while (at > 0 && r->until.us < l->kept[(at - 1) / 2]->until.us) {
		heap_set(l, at, l->kept[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < l->kept_count && l->kept[child + 1]->until.us < l->kept[child]->until.us)
			child++;
		if (child >= l->kept_count || r->until.us <= l->kept[child]->until.us)
			break;
		heap_set(l, at, l->kept[child]);
		at = child;
	}
	heap_set(l, at, r);
}

unsigned pool_part(const struct addr *a)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a */

	for (size_t i = 0; i < sizeof(a->b); i++)
		h = (h ^ a->b[i]) * UINT32_C(16777619);
	return h % POOL_PARTS;
}

static struct lease_part *part_of(struct leases *l, const struct lease_record *r)
{
	return &l->parts[pool_part(&r->addr)];
}

/* For one more than the `owned` there are. */
static enum gw_err make_room(struct lease_record ***list, uint32_t *cap, uint32_t owned)
{
	uint32_t more = *cap ? *cap * 2 : 4;
	struct lease_record **grown;

	if (owned < *cap)
		return GW_OK;
	if (more < *cap)
		return GW_ELIMIT;
	grown = reallocarray(*list, more, sizeof(struct lease_record *));
	if (!grown)
		return GW_ENOMEM;
	*list = grown;
	*cap = more;
	return GW_OK;
}

static void part_remove(struct lease_part *part, const struct lease_record *r)
{
	struct lease_record *last = part->kept[--part->count];

	part->kept[r->part_at] = last;
	last->part_at = r->part_at;
}

static void kept_add(struct leases *l, struct lease_record *r)
{
	struct lease_part *part = part_of(l, r);

	heap_set(l, l->kept_count++, r);
	heap_sift(l, r);
	r->part_at = part->count;
	part->kept[part->count++] = r;
}

static void kept_remove(struct leases *l, struct lease_record *r)
{
	struct lease_record *last;

	if (r->heap_at == NOT_KEPT)
		return;
	part_remove(part_of(l, r), r);
	last = l->kept[--l->kept_count];
	if (last != r) {
		heap_set(l, r->heap_at, last);
		heap_sift(l, last);
	}
	r->heap_at = NOT_KEPT;
}

enum gw_err leases_reserve(struct leases *l)
{
	return make_room(&l->kept, &l->kept_cap, l->owned);
}

/* ---- records and owners ---- */

void leases_init(struct leases *l, const struct table_seed *seed)
{
	*l = (struct leases){ .seed = seed };
}

void leases_clear(struct leases *l)
{
	struct lease_record *r, *next;

	HASH_ITER (hh, l->by_addr, r, next) {
		if (r->owner)
			leases_free(l, r);
		leases_forget(l, r);
	}
	chain_clear(&l->owners);
	free(l->kept);
	for (size_t i = 0; i < ARRAY_LEN(l->parts); i++)
		free(l->parts[i].kept);
	*l = (struct leases){ 0 };
}

struct lease_record *leases_find(const struct leases *l, const struct addr *a)
{
	struct lease_record *r = NULL;

	HASH_FIND_BYHASHVALUE(hh, l->by_addr, a, sizeof(*a), table_hash(l->seed, a, sizeof(*a)), r);
	return r;
}

static struct lease_owner *owner_of(struct link *l)
{
	return (struct lease_owner *)(void *)((char *)l - offsetof(struct lease_owner, link));
}

struct lease_owner *leases_owner(const struct leases *l, struct bytes key)
{
	for (struct link *at = chain_first(&l->owners, table_hash(l->seed, key.p, key.n)); at; at = chain_next(at)) {
		struct lease_owner *o = owner_of(at);

		if (bytes_equal(bytes_of(o->key, o->key_len), key))
			return o;
	}
	return NULL;
}

static struct lease_owner *owner_create(struct leases *l, struct bytes key)
{
	struct lease_owner *o;

	if (key.n > UINT16_MAX)
		return NULL;
	o = calloc(1, sizeof(*o) + key.n);
	if (!o)
		return NULL;
	o->key_len = (uint16_t)key.n;
	memcpy(o->key, key.p, key.n);
	if (!chain_add(&l->owners, &o->link, table_hash(l->seed, key.p, key.n))) {
		free(o);
		return NULL;
	}
	return o;
}

static void freed_push(struct leases *l, struct lease_record *r)
{
	DL_APPEND(l->freed, r);
	l->freed_count++;
}

static void freed_take(struct leases *l, struct lease_record *r)
{
	DL_DELETE(l->freed, r);
	l->freed_count--;
}

struct lease_record *leases_touch(struct leases *l, const struct addr *a)
{
	struct lease_record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->addr = *a;
	r->heap_at = NOT_KEPT;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, l->by_addr, &r->addr, sizeof(r->addr), table_hash(l->seed, a, sizeof(*a)), r);
	if (!r->hh.tbl) {
		free(r);
		return NULL;
	}
	freed_push(l, r);
	return r;
}

enum gw_err leases_give(struct leases *l, struct lease_record *r, struct bytes key, uint32_t holders)
{
	struct lease_part *part = part_of(l, r);
	struct lease_owner *o = leases_owner(l, key);

	TRY(make_room(&part->kept, &part->cap, part->owned));
	if (!o)
		o = owner_create(l, key);
	if (!o)
		return GW_ENOMEM;
	freed_take(l, r);
	DL_APPEND(o->records, r);
	r->owner = o;
	r->holders = holders;
	l->owned++;
	part->owned++;
	return GW_OK;
}

void leases_hold(struct leases *l, struct lease_record *r, uint32_t holders)
{
	kept_remove(l, r);
	DL_DELETE(r->owner->records, r);
	DL_APPEND(r->owner->records, r);
	r->holders = holders;
}

void leases_keep(struct leases *l, struct lease_record *r, mtime until)
{
	kept_remove(l, r);
	DL_DELETE(r->owner->records, r);
	DL_PREPEND(r->owner->records, r);
	r->holders = 0;
	r->until = until;
	kept_add(l, r);
}

void leases_free(struct leases *l, struct lease_record *r)
{
	struct lease_owner *o = r->owner;

	kept_remove(l, r);
	DL_DELETE(o->records, r);
	r->owner = NULL;
	r->holders = 0;
	l->owned--;
	part_of(l, r)->owned--;
	if (!o->records) {
		chain_remove(&l->owners, &o->link);
		free(o);
	}
	freed_push(l, r);
}

void leases_forget(struct leases *l, struct lease_record *r)
{
	freed_take(l, r);
	HASH_DEL(l->by_addr, r);
	free(r);
}
