/*
 * Inner addresses: leases by pool and identity. The same identity gets the same address again while it is free for it;
 * others get the address that has been free longest. Pools are known by name, so leases survive a reload and, saved by
 * the daemon, a restart. O(1) per lease for pools of any size (nothing is allocated per address of the range).
 */
#ifndef IKE_POOL_H
#define IKE_POOL_H

#include "config/model.h"
#include "core/env.h"
#include "core/table.h"

struct pools;

struct pools *pools_create(const struct env *env, const struct settings *settings); /* borrows both */
void pools_destroy(struct pools *p);

/* A lease, as users and files see it. */
struct lease {
	const char *pool; /* name; borrowed */
	struct addr addr;
	uint8_t id_kind;
	struct bytes id;  /* identity data; borrowed */
	uint32_t holders; /* IKE SAs that use it now; 0: kept for the identity */
	mtime until;	  /* when holders is 0: kept until then */
};

/*
 * An address of `pool` for the identity. The one it has or had; else `wanted` (family 0: none) when free; else any free
 * one; else the one kept longest for an absent identity. A second IKE SA of one identity gets a further address unless
 * `share` (reconnect: the old SA is still there and about to be replaced).
 * GW_EADDRESS: the pool is exhausted.
 */
MUST_USE enum gw_err pool_lease(struct pools *p, const struct pool_cfg *pool, uint8_t id_kind, struct bytes id,
				const struct addr *wanted, bool share, struct addr *out);
/*
 * The address of `pool` that is reserved for the identity (pool_cfg.reserved): nobody else is ever given it, and it is
 * not kept after its use. GW_EEXIST: another identity has it, or, unless `share`, another SA of this one.
 */
MUST_USE enum gw_err pool_lease_own(struct pools *p, const struct pool_cfg *pool, uint8_t id_kind, struct bytes id,
				    const struct addr *own, bool share);
/* One holder less. */
void pool_release(struct pools *p, const char *pool, const struct addr *a);
/*
 * Takes exactly this address (restored or replicated state); GW_EEXIST: another identity holds it. Without holders it
 * is kept for `keep_us`, unless SAs of the identity hold it here.
 */
MUST_USE enum gw_err pool_restore(struct pools *p, const char *pool, uint8_t id_kind, struct bytes id,
				  const struct addr *a, uint32_t holders, int64_t keep_us);
/* The same for one holder more: an IKE SA that was made from a record. */
MUST_USE enum gw_err pool_hold(struct pools *p, const char *pool, uint8_t id_kind, struct bytes id,
			       const struct addr *a);
/* Forgets leases whose time is up; returns when to call again. */
mtime pools_tick(struct pools *p);

/* Calls `each` for every lease; false from it stops. */
void pools_each(const struct pools *p, bool (*each)(void *arg, const struct lease *l), void *arg);
/* Those without holders are in as many parts, by address, for who tells others of them part by part. */
enum { POOL_PARTS = 256 };
unsigned pool_part(const struct addr *a);
/* Those of one part. What it costs is what it finds. */
void pools_each_kept(const struct pools *p, unsigned part, bool (*each)(void *arg, const struct lease *l), void *arg);
struct pool_usage {
	uint64_t size, used, kept;
};
struct pool_usage pool_usage(const struct pools *p, const char *pool);
/* Counts every change, so that the daemon knows when to save. */
uint64_t pools_version(const struct pools *p);
/* After a reload: further leases come from the new settings' pools. */
MUST_USE enum gw_err pools_configure(struct pools *p, const struct settings *settings);

#endif
