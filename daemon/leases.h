/*
 * Leases that survive a restart: `state_dir`/leases.json, replaced as a whole (written aside, synced, renamed). Saved a
 * moment after a change, in slices by the loop, and brought to the disk by a thread of its own: the loop never waits.
 *
 * The file is one JSON object with one lease a line, so that neither side needs it in memory as a tree:
 *	{"schema":"gateway-leases/1","saved":1767225600,"leases":[
 *	{"pool":"clients","addr":"10.9.0.5","id_kind":3,"id":"616c696365","until":0},
 *	...
 *	]}
 * id: octets of the identity in hex. until: seconds since 1970 up to which the address is kept for an identity that is
 * away; 0: in use when saved, so it is kept for the pool's lease time from the start on.
 */
#ifndef DAEMON_LEASES_H
#define DAEMON_LEASES_H

#include "config/model.h"
#include "core/env.h"
#include "core/loop.h"
#include "ike/pool.h"

struct leases;

/* Borrows all but state_dir. NULL: out of memory. */
struct leases *leases_create(const struct env *env, struct loop *loop, const char *state_dir, struct pools *pools);
/* Waits for a save under way. */
void leases_destroy(struct leases *l);

/*
 * Gives the pools what the file says; before the first client. Lines that do not fit any more (pool gone, address out
 * of range, time up) are left out. Returns how many were restored; no file is 0. A broken one is logged and set aside.
 */
size_t leases_load(struct leases *l, const struct settings *s);

/* To be called every turn: when the lease table has changed, a save follows within seconds. */
void leases_watch(struct leases *l);
/* Now, and waits for the disk: at shutdown. */
MUST_USE enum gw_err leases_save(struct leases *l, struct err *e);

#endif
