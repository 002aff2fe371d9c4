/*
 * Transport mode (RFC 7296 1.3.1): the CHILD SA is between the outer addresses themselves. Behind a NAT each side knows
 * other ones (2.23.1): what the peer calls itself, or us, is replaced by what we see before anything is matched, and
 * put back in what we tell it. The data plane works with the real ones.
 */
#ifndef IKE_TRANSPORT_H
#define IKE_TRANSPORT_H

#include "ike/sa.h"

/* What the peer calls the two ends; family 0: as we do. */
struct told_ends {
	struct addr ours, theirs;
};

/* For a request of the peer with the selectors `tsi` (its side) and `tsr`: what it calls the ends. */
struct told_ends transport_told(const struct ike_sa *sa, const struct selector *tsi, size_t n_tsi,
				const struct selector *tsr, size_t n_tsr);
/* Replaces `from` by `to` where a selector is that address alone; family 0 of either: nothing. */
void transport_rename(struct selector *s, size_t n, const struct addr *from, const struct addr *to);
/* Whether selectors are just the two ends. */
bool transport_fits(const struct ike_sa *sa, const struct selector *ours, size_t n_ours, const struct selector *theirs,
		    size_t n_theirs);

#endif
