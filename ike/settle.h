/*
 * SAs of which the node before us may have told its peer more than we know (ike_doubt_all()). Each is settled: it is
 * found out how far its message IDs have come, then its CHILD SAs and itself are rekeyed.
 *
 * Message IDs: requests of ours that the other node sent and nobody replicated have used IDs that we would use next. A
 * peer takes a request with an old ID for a retransmission and answers as it did before (RFC 7296 2.1), whatever the
 * request says; an answer to another rekey than ours would give both sides different keys. So the first request is an
 * empty one, a sounding, to which any answer is good: authentic as it is, it says that the peer is done with that ID.
 * - It is empty: nothing that matters went on in that ID, and the next one is free.
 * - It is of another exchange, or answers a DELETE: the peer has followed the other node to where we cannot. Then the
 *   next ID is free as well, and is used for the IKE SA's own DELETE, so that nobody believes in it any longer.
 * - There is none: the peer has gone on by more than one request and drops what is older (its window is one). The next
 *   ID is tried, up to SETTLE_SOUNDINGS: with all patience for the first one, unless the peer is heard otherwise.
 */
#ifndef IKE_SETTLE_H
#define IKE_SETTLE_H

#include "ike/engine.h"

enum { SPREAD_SECONDS = 60, TRIES_SECONDS = 180, SETTLE_SOUNDINGS = 8, SETTLE_TRIES = 2, CHECKED_AT_ONCE = 64 };

/* A random part of it. */
int64_t settle_spread(struct ike *ike, int64_t us);
/* When an uncertain one is rekeyed: CHILD SAs within SPREAD_SECONDS, itself within as long again. */
void settle_plan(struct ike_sa *sa, mtime now);

/* All that are uncertain are due now: each is planned at its own turn. */
void settle_begin(struct ike *ike);
/* Is there still one? Looks at some; when it has seen that there is none, the doubt is over. */
void settle_check(struct ike *ike);
bool settle_may_be_over(const struct ike *ike);

/* Whether the next request has to be a sounding. */
bool settle_is_due(const struct ike_sa *sa);
MUST_USE enum gw_err settle_sound(struct ike_sa *sa);
/* An empty request of the owner before us that is still out is as good as one of ours. */
void settle_inherit(struct ike_sa *sa, mtime now);
/* No more patience with this ID. */
bool settle_hurries(const struct ike_sa *sa);
/* No answer at all. True: the next ID is being tried; else the peer is lost. */
MUST_USE bool settle_goes_on(struct ike_sa *sa);
/* An answer to an empty request of ours, which is no longer outstanding. */
void settle_answered(struct ike_sa *sa);
/* It answers something else than what we have asked: the SA ends. */
void settle_lost(struct ike_sa *sa);

#endif
