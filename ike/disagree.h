/* Why nothing could be agreed on, in an operator's words: which kind of algorithm an offer and the configuration share
 * none of. Pure. */
#ifndef IKE_DISAGREE_H
#define IKE_DISAGREE_H

#include "ike/proposal.h"

enum { DISAGREEMENT_TEXT = 320 };
/*
 * "no common group: offered modp1024; configured x25519, ecp256": all that both sides say of that kind, in whatever
 * proposal. When each kind has something in common: that no one proposal has all of it. Of either side what does not
 * fit is cut with "...". `ours`: the configured proposals; `dh`: as the choice was made (proposal_choose). Returns buf.
 */
const char *disagreement(const struct sa_payload *offer, uint8_t protocol, const struct proposal_cfg *const *ours,
			 size_t count, enum proposal_dh dh, char buf[DISAGREEMENT_TEXT]);

#endif
