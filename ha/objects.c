#include "ha/objects.h"

#include <stdlib.h>

enum gw_err ha_objects_init(struct ha_objects *o, struct rng *rng)
{
	*o = (struct ha_objects){ 0 };
	return table_seed_init(&o->seed, rng);
}

void ha_objects_clear(struct ha_objects *o)
{
	struct ha_entry *e, *tmp;

	HASH_ITER (hh, o->table, e, tmp) {
		HASH_DEL(o->table, e);
		free(e);
	}
	*o = (struct ha_objects){ .seed = o->seed };
}

static struct ha_id id_of(uint8_t kind, uint64_t key)
{
	return (struct ha_id){ .key = key, .kind = kind };
}

/* The finalizer of SplitMix64: both nodes must agree, and nobody gains by collisions of what an authenticated peer
 * says. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

unsigned ha_bucket(uint8_t kind, uint64_t key)
{
	return (unsigned)(mix(key + kind * UINT64_C(0x9e3779b97f4a7c15)) % HA_BUCKETS);
}

static void digest_toggle(struct ha_objects *o, const struct ha_entry *e)
{
	uint8_t kind = (uint8_t)e->id.kind;

	if (e->version > 0 && !e->deleted)
		o->digest[ha_bucket(kind, e->id.key)] ^= mix(mix(e->id.key + kind) + e->version);
}

struct ha_entry *ha_objects_find(const struct ha_objects *o, uint8_t kind, uint64_t key)
{
	struct ha_id id = id_of(kind, key);
	struct ha_entry *e;

	HASH_FIND_BYHASHVALUE(hh, o->table, &id, sizeof(id), table_hash(&o->seed, &id, sizeof(id)), e);
	return e;
}

static void list_remove(struct ha_objects *o, struct ha_entry *e)
{
	struct ha_list *l = &o->lists[e->deleted];

	if (o->cursor == e)
		(void)ha_objects_next(o);
	if (l->hint == e)
		l->hint = e->prev;
	*(e->prev ? &e->prev->next : &l->first) = e->next;
	*(e->next ? &e->next->prev : &l->last) = e->prev;
	e->prev = e->next = NULL;
}

/* At the very end; but a resync brings older ones, in order, after younger ones. */
static void list_insert(struct ha_objects *o, struct ha_entry *e)
{
	struct ha_list *l = &o->lists[e->deleted];
	struct ha_entry *after = e->version > 0 ? l->last : NULL; /* never sent: before all others */

	if (after && after->version > e->version && l->hint)
		after = l->hint;
	while (after && after->version > e->version)
		after = after->prev;
	while (after && after->next && after->next->version <= e->version)
		after = after->next;
	e->prev = after;
	e->next = after ? after->next : l->first;
	*(e->next ? &e->next->prev : &l->last) = e;
	*(after ? &after->next : &l->first) = e;
	if (after || !l->hint)
		l->hint = e;
}

struct ha_entry *ha_objects_get(struct ha_objects *o, uint8_t kind, uint64_t key)
{
	struct ha_entry *e = ha_objects_find(o, kind, key);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->id = id_of(kind, key);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, o->table, &e->id, sizeof(e->id), table_hash(&o->seed, &e->id, sizeof(e->id)),
				    e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	list_insert(o, e);
	o->live++;
	return e;
}

void ha_objects_set(struct ha_objects *o, struct ha_entry *e, uint64_t version, bool deleted)
{
	digest_toggle(o, e);
	list_remove(o, e);
	o->live -= !e->deleted;
	o->tombstones -= e->deleted;
	e->version = version;
	e->deleted = deleted;
	o->live += !deleted;
	o->tombstones += deleted;
	list_insert(o, e);
	digest_toggle(o, e);
	if (o->tombstones > HA_TOMBSTONES_MAX && !o->lists[1].first->dirty) {
		o->forgotten = o->lists[1].first->version;
		ha_objects_drop(o, o->lists[1].first);
	}
}

void ha_objects_refuse(struct ha_objects *o, struct ha_entry *e, bool refused)
{
	o->refused -= e->refused;
	e->refused = refused;
	o->refused += refused;
}

void ha_objects_drop(struct ha_objects *o, struct ha_entry *e)
{
	digest_toggle(o, e);
	list_remove(o, e);
	o->live -= !e->deleted;
	o->tombstones -= e->deleted;
	o->refused -= e->refused;
	HASH_DEL(o->table, e);
	free(e);
}

void ha_objects_bury(struct ha_objects *o, uint64_t turn)
{
	struct ha_entry *e;

	while ((e = o->lists[1].first) != NULL && !e->dirty && e->version <= turn) {
		o->forgotten = e->version;
		ha_objects_drop(o, e);
	}
}

static struct ha_entry *first_after(const struct ha_list *l, uint64_t after)
{
	struct ha_entry *e = l->last;

	if (after == 0)
		return l->first;
	while (e && e->version > after)
		e = e->prev;
	return e ? e->next : l->first;
}

void ha_objects_walk(struct ha_objects *o, uint64_t after)
{
	o->walk_after = after;
	o->cursor = first_after(&o->lists[1], after);
	if (!o->cursor)
		o->cursor = first_after(&o->lists[0], after);
}

struct ha_entry *ha_objects_next(struct ha_objects *o)
{
	struct ha_entry *e = o->cursor;

	if (!e)
		return NULL;
	o->cursor = e->next;
	if (!o->cursor && e->deleted)
		o->cursor = first_after(&o->lists[0], o->walk_after);
	return e;
}
