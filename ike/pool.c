#include "ike/pool.h"

#include "ike/leases.h"
#include "ike/limits.h"

#include <stdlib.h>
#include <utlist.h>

/*
 * Fresh addresses have been free for longest, and are given in the order of the range; then comes what was freed first.
 * In a big range freed records would pile up, since there is always something fresh: from FREED_MAX on the oldest of
 * them is used first. So records are bounded by the most leases there ever were at a time plus FREED_MAX, however big
 * the range.
 */
enum { FREED_MAX = 4096 };

struct pool {
	struct pool *prev, *next;
	char *name;
	bool configured; /* false: gone from the settings, here while it has leases */
	struct range range;
	const struct addr *reserved; /* of the settings: sorted; each has a record only while it is held */
	size_t reserved_count;
	int64_t lease_time_us;
	struct leases leases;
	struct addr next_fresh; /* all below have records, some above may */
	bool fresh;		/* next_fresh is valid */
};

struct pools {
	const struct env *env;
	struct table_seed seed;
	struct pool *all;
	uint64_t version;
};

/* ---- pools ---- */

static struct pool *pool_find(const struct pools *ps, const char *name)
{
	struct pool *p;

	DL_FOREACH(ps->all, p)
	{
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static struct pool *pool_create(struct pools *ps, const char *name)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->name = strdup(name);
	if (!p->name) {
		free(p);
		return NULL;
	}
	leases_init(&p->leases, &ps->seed);
	DL_APPEND(ps->all, p);
	return p;
}

static void pool_destroy(struct pools *ps, struct pool *p)
{
	DL_DELETE(ps->all, p);
	leases_clear(&p->leases);
	free(p->name);
	free(p);
}

static int order(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static bool is_reserved(const struct pool *p, const struct addr *a)
{
	return p->reserved_count > 0 && bsearch(a, p->reserved, p->reserved_count, sizeof(*a), order) != NULL;
}

/* Who asks by chance, or has nothing better, may get it. */
static bool for_anybody(const struct pool *p, const struct addr *a)
{
	return range_contains(&p->range, a) && !is_reserved(p, a);
}

/* Ends a lease. Of an address that is not for anybody no record may stay: it would be given out again. */
static void end(struct pools *ps, struct pool *p, struct lease_record *r)
{
	leases_free(&p->leases, r);
	if (!for_anybody(p, &r->addr))
		leases_forget(&p->leases, r);
	ps->version++;
}

static bool same_reserved(const struct pool *p, const struct pool_cfg *cfg)
{
	if (p->reserved_count != cfg->reserved_count)
		return false;
	for (size_t i = 0; i < cfg->reserved_count; i++)
		if (!addr_equal(&p->reserved[i], &cfg->reserved[i]))
			return false;
	return true;
}

/* Under a new range the addresses outside are given up as soon as nobody holds them; next_fresh starts again. */
static void pool_set_range(struct pools *ps, struct pool *p, const struct pool_cfg *cfg)
{
	const struct range *range = &cfg->addresses;
	struct lease_record *r, *next;
	bool same = p->configured && addr_equal(&p->range.lo, &range->lo) && addr_equal(&p->range.hi, &range->hi) &&
		    same_reserved(p, cfg);

	p->reserved = cfg->reserved;
	p->reserved_count = cfg->reserved_count;
	if (same)
		return;
	p->configured = true;
	p->range = *range;
	p->next_fresh = range->lo;
	p->fresh = true;
	HASH_ITER (hh, p->leases.by_addr, r, next) {
		if (for_anybody(p, &r->addr) || r->holders > 0)
			continue;
		if (r->owner)
			end(ps, p, r);
		else
			leases_forget(&p->leases, r);
	}
}

static void drop_empty(struct pools *ps)
{
	struct pool *p, *next;

	DL_FOREACH_SAFE(ps->all, p, next)
	{
		if (!p->configured && p->leases.owned == 0)
			pool_destroy(ps, p);
	}
}

static const struct pool_cfg *cfg_find(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->pool_count; i++) {
		if (strcmp(settings->pools[i].name, name) == 0)
			return &settings->pools[i];
	}
	return NULL;
}

enum gw_err pools_configure(struct pools *ps, const struct settings *settings)
{
	struct pool *p;

	for (size_t i = 0; i < settings->pool_count; i++) {
		if (!pool_find(ps, settings->pools[i].name) && !pool_create(ps, settings->pools[i].name)) {
			drop_empty(ps);
			return GW_ENOMEM;
		}
	}
	DL_FOREACH(ps->all, p)
	{
		const struct pool_cfg *cfg = cfg_find(settings, p->name);

		if (cfg) {
			p->lease_time_us = cfg->lease_time_us;
			pool_set_range(ps, p, cfg);
		} else {
			p->configured = false;
			p->reserved = NULL;
			p->reserved_count = 0;
		}
	}
	drop_empty(ps);
	return GW_OK;
}

struct pools *pools_create(const struct env *env, const struct settings *settings)
{
	struct pools *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	ps->env = env;
	if (table_seed_init(&ps->seed, env->rng) != GW_OK || pools_configure(ps, settings) != GW_OK) {
		pools_destroy(ps);
		return NULL;
	}
	return ps;
}

void pools_destroy(struct pools *ps)
{
	struct pool *p, *next;

	if (!ps)
		return;
	DL_FOREACH_SAFE(ps->all, p, next)
	pool_destroy(ps, p);
	free(ps);
}

/* ---- leases ---- */

/* The address that the identity gets again; NULL: none. */
static struct lease_record *again(const struct pool *p, struct bytes key, const struct addr *wanted, bool share)
{
	const struct lease_owner *o = leases_owner(&p->leases, key);
	struct lease_record *r, *held;

	if (!o)
		return NULL;
	r = wanted ? leases_find(&p->leases, wanted) : NULL;
	if (r && r->owner == o && (share || r->holders == 0) && range_contains(&p->range, &r->addr))
		return r;
	held = o->records->prev; /* utlist: the last one */
	/* A device that comes back wants what the SA has that it is about to replace, not what another one left. */
	if (share && held->holders > 0 && range_contains(&p->range, &held->addr))
		return held;
	return o->records->holders == 0 ? o->records : NULL;
}

/* The next address without a record. Those asked for or restored out of order are passed, each once. */
static struct lease_record *take_fresh(struct pool *p, enum gw_err *rc)
{
	struct lease_record *r = NULL;

	while (p->fresh && !r) {
		struct addr a = p->next_fresh;

		if (!leases_find(&p->leases, &a) && !is_reserved(p, &a)) {
			r = leases_touch(&p->leases, &a);
			if (!r) {
				*rc = GW_ENOMEM;
				return NULL;
			}
		}
		p->fresh = !addr_equal(&a, &p->range.hi) && addr_add(&a, 1, &p->next_fresh);
	}
	return r;
}

/* A freed record for the address that somebody without a lease gets. */
static enum gw_err find_free(struct pools *ps, struct pool *p, const struct addr *wanted, struct lease_record **out)
{
	struct leases *l = &p->leases;
	enum gw_err rc = GW_EADDRESS;
	struct lease_record *r;

	if (wanted && for_anybody(p, wanted)) {
		r = leases_find(l, wanted);
		if (!r) {
			*out = leases_touch(l, wanted);
			return *out ? GW_OK : GW_ENOMEM;
		}
		if (!r->owner) {
			*out = r;
			return GW_OK;
		}
	}
	r = l->freed_count < FREED_MAX ? take_fresh(p, &rc) : NULL;
	if (!r && l->freed_count > 0)
		r = l->freed;
	if (!r && l->kept_count > 0) {
		r = l->kept[0];
		end(ps, p, r);
	}
	*out = r;
	return r ? GW_OK : rc;
}

/* ID kind and data as one key. */
static enum gw_err make_key(struct writer *w, uint8_t id_kind, struct bytes id)
{
	wr_u8(w, id_kind);
	wr_bytes(w, id);
	return w->bad ? GW_ELIMIT : GW_OK;
}

enum gw_err pool_lease(struct pools *ps, const struct pool_cfg *cfg, uint8_t id_kind, struct bytes id,
		       const struct addr *wanted, bool share, struct addr *out)
{
	struct pool *p = pool_find(ps, cfg->name);
	uint8_t buf[1 + IKE_MAX_ID];
	struct writer key = wr_of(buf, sizeof(buf));
	struct lease_record *r;

	if (!p || !p->configured)
		return GW_EADDRESS;
	if (wanted && wanted->family == 0)
		wanted = NULL;
	TRY(make_key(&key, id_kind, id));
	r = again(p, wr_done(&key), wanted, share);
	if (r) {
		leases_hold(&p->leases, r, r->holders + 1);
	} else {
		TRY(leases_reserve(&p->leases));
		TRY(find_free(ps, p, wanted, &r));
		TRY(leases_give(&p->leases, r, wr_done(&key), 1));
	}
	*out = r->addr;
	ps->version++;
	return GW_OK;
}

enum gw_err pool_lease_own(struct pools *ps, const struct pool_cfg *cfg, uint8_t id_kind, struct bytes id,
			   const struct addr *own, bool share)
{
	const struct pool *p = pool_find(ps, cfg->name);
	const struct lease_record *r = p ? leases_find(&p->leases, own) : NULL;

	if (r && r->holders > 0 && !share)
		return GW_EEXIST;
	return pool_hold(ps, cfg->name, id_kind, id, own);
}

void pool_release(struct pools *ps, const char *pool, const struct addr *a)
{
	struct pool *p = pool_find(ps, pool);
	struct lease_record *r = p ? leases_find(&p->leases, a) : NULL;

	if (!r || r->holders == 0)
		return;
	ps->version++;
	if (--r->holders > 0)
		return;
	if (p->configured && p->lease_time_us > 0 && for_anybody(p, &r->addr)) {
		leases_keep(&p->leases, r, mtime_add(clock_now(ps->env->clock), p->lease_time_us));
		return;
	}
	end(ps, p, r);
	drop_empty(ps);
}

/* A freed record of exactly this address; NULL: out of memory. */
static struct lease_record *take_exactly(struct pool *p, const struct addr *a)
{
	struct lease_record *r = leases_find(&p->leases, a);

	return r ? r : leases_touch(&p->leases, a);
}

enum gw_err pool_restore(struct pools *ps, const char *pool, uint8_t id_kind, struct bytes id, const struct addr *a,
			 uint32_t holders, int64_t keep_us)
{
	struct pool *p = pool_find(ps, pool);
	uint8_t buf[1 + IKE_MAX_ID];
	struct writer key = wr_of(buf, sizeof(buf));
	struct lease_record *r;
	enum gw_err rc;

	if (!p || !p->configured)
		return GW_ENOTFOUND;
	/* What is in use stays in use even if the range has changed; what is only kept is not worth that. */
	if (a->family == 0 || (holders == 0 && !for_anybody(p, a)))
		return GW_EADDRESS;
	TRY(make_key(&key, id_kind, id));
	r = leases_find(&p->leases, a);
	if (r && r->owner && !bytes_equal(bytes_of(r->owner->key, r->owner->key_len), wr_done(&key))) {
		if (r->holders > 0)
			return GW_EEXIST;
		end(ps, p, r);
		r = leases_find(&p->leases, a); /* still a record, unless it is reserved */
	}
	if (holders == 0 && r && r->holders > 0)
		return GW_OK; /* who holds it has it */
	if (!r || !r->owner) {
		if (holders == 0 && keep_us <= 0)
			return GW_OK;
		TRY(leases_reserve(&p->leases));
		r = take_exactly(p, a);
		if (!r)
			return GW_ENOMEM;
		rc = leases_give(&p->leases, r, wr_done(&key), holders);
		if (rc != GW_OK) {
			if (!for_anybody(p, a))
				leases_forget(&p->leases, r);
			return rc;
		}
	}
	if (holders > 0)
		leases_hold(&p->leases, r, holders);
	else if (keep_us > 0)
		leases_keep(&p->leases, r, mtime_add(clock_now(ps->env->clock), keep_us));
	else
		end(ps, p, r);
	ps->version++;
	return GW_OK;
}

enum gw_err pool_hold(struct pools *ps, const char *pool, uint8_t id_kind, struct bytes id, const struct addr *a)
{
	struct pool *p = pool_find(ps, pool);
	const struct lease_record *r = p ? leases_find(&p->leases, a) : NULL;

	/* Of another owner's record pool_restore() says what it thinks. */
	return pool_restore(ps, pool, id_kind, id, a, (r && r->owner ? r->holders : 0) + 1, 0);
}

mtime pools_tick(struct pools *ps)
{
	mtime now = clock_now(ps->env->clock), due = MTIME_NEVER;
	struct pool *p;

	DL_FOREACH(ps->all, p)
	{
		const struct leases *l = &p->leases;

		while (l->kept_count > 0 && mtime_reached(l->kept[0]->until, now))
			end(ps, p, l->kept[0]);
		if (l->kept_count > 0)
			due = mtime_min(due, l->kept[0]->until);
	}
	drop_empty(ps);
	return due;
}

/* ---- looking ---- */

static struct lease lease_of(const struct pool *p, const struct lease_record *r)
{
	return (struct lease){ .pool = p->name,
			       .addr = r->addr,
			       .id_kind = r->owner->key[0],
			       .id = bytes_of(r->owner->key + 1, r->owner->key_len - 1U),
			       .holders = r->holders,
			       .until = r->holders == 0 ? r->until : MTIME_NEVER };
}

void pools_each(const struct pools *ps, bool (*each)(void *arg, const struct lease *l), void *arg)
{
	const struct pool *p;

	DL_FOREACH(ps->all, p)
	{
		for (const struct lease_record *r = p->leases.by_addr; r; r = r->hh.next) {
			struct lease l;

			if (!r->owner)
				continue;
			l = lease_of(p, r);
			if (!each(arg, &l))
				return;
		}
	}
}

void pools_each_kept(const struct pools *ps, unsigned part, bool (*each)(void *arg, const struct lease *l), void *arg)
{
	const struct pool *p;

	DL_FOREACH(ps->all, p)
	{
		const struct lease_part *at = &p->leases.parts[part];

		for (uint32_t i = 0; i < at->count; i++) {
			struct lease l = lease_of(p, at->kept[i]);

			if (!each(arg, &l))
				return;
		}
	}
}

struct pool_usage pool_usage(const struct pools *ps, const char *pool)
{
	const struct pool *p = pool_find(ps, pool);

	if (!p)
		return (struct pool_usage){ 0 };
	return (struct pool_usage){
		.size = p->configured ? range_size(&p->range) : 0,
		.used = p->leases.owned - p->leases.kept_count,
		.kept = p->leases.kept_count,
	};
}

uint64_t pools_version(const struct pools *ps)
{
	return ps->version;
}
