/* Traffic selector narrowing (RFC 7296 2.9). Pure. */
#ifndef IKE_TS_H
#define IKE_TS_H

#include "core/addr.h"
#include "ike/limits.h"

/*
 * All that `offer` and `ours` have in common, most specific first where the offer's first selector is the packet that
 * triggered the request (2.9), without duplicates and contained ones; at most `max`. 0: TS_UNACCEPTABLE.
 */
size_t ts_narrow(const struct selector *offer, size_t offers, const struct selector *ours, size_t count,
		 struct selector *out, size_t max);

/*
 * Keeps only selectors that can be one end of a packet whose other end is within `other`: of the same family, and of
 * the same protocol where both name one. Returns the new count.
 */
size_t ts_keep_matched(struct selector *s, size_t n, const struct selector *other, size_t others);

/* Same set, in any order. */
bool ts_same(const struct selector *a, size_t na, const struct selector *b, size_t nb);
/* "10.0.0.0/24, fd00::/64[tcp/80]", cut with "..." */
const char *ts_text(const struct selector *s, size_t n, char *buf, size_t len);

#endif
