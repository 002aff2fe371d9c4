/*
 * Failures of authentication by source and by user, so that nobody guesses on and on. Bounded: a fixed table of sets,
 * in which the oldest gives way; it is made at the first failure. A rate of n a minute lets n come at once, and after
 * that one each 60 / n seconds.
 */
#ifndef IKE_GUARD_H
#define IKE_GUARD_H

#include "core/addr.h"
#include "core/clock.h"
#include "core/table.h"

struct guard; /* NULL: nobody has failed yet */

enum guard_kind { GUARD_SOURCE, GUARD_USER };

void guard_destroy(struct guard *g); /* NULL is fine */
/* Counts one failure. Out of memory: nothing is counted. */
void guard_failed(struct guard **g, const struct table_seed *seed, enum guard_kind kind, struct bytes key,
		  uint32_t per_minute, mtime now);
/* False: `key` has used up its failures. A rate of 0 is unlimited. */
bool guard_allows(const struct guard *g, const struct table_seed *seed, enum guard_kind kind, struct bytes key,
		  uint32_t per_minute, mtime now);

/* What a source is known by: its address, of IPv6 the /64. Borrows from `a`. */
struct bytes guard_source(const struct addr *a);

#endif
