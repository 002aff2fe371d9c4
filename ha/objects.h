/*
 * What both nodes know of every replicated object: its version. An owner's objects stand in the order of their last
 * change, so that "what changed since turn T" is the end of a list, deletions included (tombstones). A version is the
 * turn that the object was last sent in.
 */
#ifndef HA_OBJECTS_H
#define HA_OBJECTS_H

#include "core/table.h"
#include "ha/record.h"

struct ha_entry {
	struct ha_id {
		uint64_t key;
		uint32_t kind, zero;
	} id;
	uint64_t version;	      /* 0: never sent */
	uint32_t seen;		      /* follower: number of the full resync that named it last */
	bool deleted;		      /* a tombstone */
	bool dirty;		      /* owner: changed since `version` */
	bool going;		      /* owner: the next version is a tombstone */
	bool refused;		      /* by the follower (owner), by us (follower) */
	struct ha_entry *prev, *next; /* of its list */
	struct ha_entry *next_dirty;
	UT_hash_handle hh;
};

/* By version, the oldest first. */
struct ha_list {
	struct ha_entry *first, *last;
	struct ha_entry *hint; /* where the last one went in */
};

struct ha_objects {
	struct table_seed seed;
	struct ha_entry *table;
	struct ha_list lists[2]; /* those that live; tombstones */
	struct ha_entry *cursor; /* of ha_objects_walk(): the next one */
	uint64_t walk_after;
	uint64_t digest[HA_BUCKETS]; /* of those that are not deleted */
	size_t live, tombstones, refused;
	uint64_t forgotten; /* a deletion as young as this turn may be missing */
};

enum { HA_TOMBSTONES_MAX = 65536 };

MUST_USE enum gw_err ha_objects_init(struct ha_objects *o, struct rng *rng);
void ha_objects_clear(struct ha_objects *o);
struct ha_entry *ha_objects_find(const struct ha_objects *o, uint8_t kind, uint64_t key);
/* Finds or makes. NULL: out of memory. */
struct ha_entry *ha_objects_get(struct ha_objects *o, uint8_t kind, uint64_t key);
/* A new version, which is not below any other: the entry goes to the end of the list. */
void ha_objects_set(struct ha_objects *o, struct ha_entry *e, uint64_t version, bool deleted);
void ha_objects_refuse(struct ha_objects *o, struct ha_entry *e, bool refused);
void ha_objects_drop(struct ha_objects *o, struct ha_entry *e);
/* Tombstones up to this turn are needed no more. */
void ha_objects_bury(struct ha_objects *o, uint64_t turn);
/* Walks those with version above `after`: tombstones, then the others, both in order; changes meanwhile are fine (what
 * changes goes to the end). */
void ha_objects_walk(struct ha_objects *o, uint64_t after);
struct ha_entry *ha_objects_next(struct ha_objects *o);

/* Which digest an object belongs to. The same on both nodes. */
unsigned ha_bucket(uint8_t kind, uint64_t key);

#endif
