/*
 * The security policy database of a plane: which policy an inner packet belongs to (RFC 4301 4.4.1, 5.1, 5.2).
 *
 * Policies are indexed by the peer's side: one hash over all prefixes of one length (so 100,000 policies for a /32 or
 * /128 each cost one look-up), and a list for ranges that are no prefix. The narrower remote range wins; among equal
 * ones a protocol wins over any, fewer ports over more, the narrower own side, and last the policy that was set last.
 * Belongs to one thread at a time; the owner locks.
 */
#ifndef ESP_SPD_H
#define ESP_SPD_H

#include "core/chain.h"
#include "core/table.h"
#include "esp/dataplane.h"
#include "esp/inner.h"

struct spd;

/* One remote selector of a policy, in the index. */
struct spd_entry {
	struct link by_prefix;	/* of the best one of its prefix; key: the selector's range */
	struct spd_entry *next; /* others of the same prefix, or ranges; best first */
	uint16_t index;		/* here and of the selector */
	uint8_t len;		/* of the prefix; SPD_NO_PREFIX: among the ranges */
};

enum { SPD_NO_PREFIX = 255 };

/* Outer addresses and mode are not kept: packets leave by what their SA has. */
struct spd_policy {
	struct link by_reqid;
	uint64_t age;
	uint32_t reqid;
	uint16_t ours_count, theirs_count;
	struct spd_entry entries[]; /* theirs_count; then the selectors: theirs, ours */
};

static inline const struct selector *spd_theirs(const struct spd_policy *p)
{
	return (const struct selector *)(const void *)(p->entries + p->theirs_count);
}

static inline const struct selector *spd_ours(const struct spd_policy *p)
{
	return spd_theirs(p) + p->theirs_count;
}

/* NULL when out of memory or randomness. destroy takes NULL. */
struct spd *spd_create(struct rng *rng);
void spd_destroy(struct spd *s);

/* A copy that is not in the database yet. GW_EINVAL: reqid 0, no or more than 65,535 selectors of a side, a range
 * with mixed families. */
MUST_USE enum gw_err spd_policy_create(const struct dp_policy *in, struct spd_policy **out);
void spd_policy_destroy(struct spd_policy *p); /* not linked; NULL is fine */

/* GW_EEXIST: its reqid has one. A policy that was linked before gets its place back. */
MUST_USE enum gw_err spd_link(struct spd *s, struct spd_policy *p);
void spd_unlink(struct spd *s, struct spd_policy *p);

struct spd_policy *spd_find(const struct spd *s, uint32_t reqid);
size_t spd_count(const struct spd *s);

/* The policy that a packet from inside leaves by; NULL: none, drop. */
const struct spd_policy *spd_out(const struct spd *s, const struct inner *in);

/* May this packet have come in by this policy (RFC 4301 5.2 step 4)? */
bool spd_in_ok(const struct spd_policy *p, const struct inner *in);

#endif
