/*
 * What is known of one pool's addresses: who has which, and which were freed when. The store below ike/pool, which
 * decides.
 *
 * An address is in one of four places:
 *   fresh    never touched: no record
 *   held     IKE SAs use it: record with an owner
 *   kept     for an absent identity: record with an owner, and in the heap of what ends when
 *   freed    nobody's: record without an owner, in the queue of what was freed when
 */
#ifndef IKE_LEASES_H
#define IKE_LEASES_H

#include "core/chain.h"
#include "ike/pool.h"

struct lease_record {
	UT_hash_handle hh;	   /* leases.by_addr, key addr */
	struct lease_owner *owner; /* NULL: freed */
	struct lease_record *prev,
		*next; /* of the owner's records (kept ones first, held ones last), or of the freed */
	mtime until;	  /* of a kept one */
	uint32_t heap_at; /* place in leases.kept; UINT32_MAX: not there */
	uint32_t part_at; /* of a kept one: place in its part */
	uint32_t holders;
	struct addr addr;
};

/* The kept ones again, by pool_part(). */
struct lease_part {
	struct lease_record **kept; /* room for every record of the part with an owner */
	uint32_t count, cap, owned;
};

/* An identity that has addresses. */
struct lease_owner {
	struct lease_record *records; /* never empty */
	struct link link;	      /* leases.owners */
	uint16_t key_len;
	uint8_t key[]; /* ID kind, then the data */
};

struct leases {
	const struct table_seed *seed; /* borrowed */
	struct lease_record *by_addr;
	struct chain owners;
	struct lease_record *freed; /* oldest first */
	size_t freed_count;
	struct lease_record **kept; /* binary heap, earliest end first; room for every record with an owner */
	uint32_t kept_count, kept_cap;
	uint32_t owned; /* records with an owner */
	struct lease_part parts[POOL_PARTS];
};

void leases_init(struct leases *l, const struct table_seed *seed);
void leases_clear(struct leases *l);

struct lease_record *leases_find(const struct leases *l, const struct addr *a);
struct lease_owner *leases_owner(const struct leases *l, struct bytes key);

/* Must be called before each leases_give, so that a release never needs memory (a part's is leases_give's). */
MUST_USE enum gw_err leases_reserve(struct leases *l);
/* fresh -> freed. There is no record of the address yet. NULL: out of memory. */
struct lease_record *leases_touch(struct leases *l, const struct addr *a);
/* freed -> held by the identity. */
MUST_USE enum gw_err leases_give(struct leases *l, struct lease_record *r, struct bytes key, uint32_t holders);
/* held, kept -> held */
void leases_hold(struct leases *l, struct lease_record *r, uint32_t holders);
/* held, kept -> kept */
void leases_keep(struct leases *l, struct lease_record *r, mtime until);
/* held, kept -> freed. The owner goes with its last address. */
void leases_free(struct leases *l, struct lease_record *r);
/* freed -> fresh; ends the record's life. */
void leases_forget(struct leases *l, struct lease_record *r);

#endif
