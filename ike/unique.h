/*
 * How many IKE SAs one authenticated identity may have under one connection (`unique`), and INITIAL_CONTACT
 * (RFC 7296 2.4). Who somebody is counts, never where he comes from: many live behind one address. An SA that a rekey
 * made is no newcomer, and nothing is guessed about reauthentication: the newcomer is a session of its own.
 *
 *	replace	the newest stays. The others get a DELETE as soon as it is up, and share its inner addresses till then.
 *	keep	the oldest stays. Newcomers are refused while it lives, and it is asked at once whether it does.
 *	limit	as replace, with the `limit` newest.
 *	never	nobody is counted.
 *
 * INITIAL_CONTACT is believed under replace and keep only: under the others several devices use one identity, and each
 * says it of itself.
 */
#ifndef IKE_UNIQUE_H
#define IKE_UNIQUE_H

#include "ike/sa.h"

/*
 * Once the identity of `sa` is authenticated and joined (peer.h), before it is given anything. `initial_contact`: the
 * peer has said so; what it forgot goes without a word. GW_EEXIST: there is one that is kept; logged and counted.
 */
MUST_USE enum gw_err unique_admit(struct ike_sa *sa, bool initial_contact);
/* How many sessions of its group end by that: what they leave is the newcomer's. */
uint32_t unique_leaves(const struct ike_sa *sa, bool initial_contact);
/* Whether inner addresses of older SAs of the identity are given to the newcomer, too: it is about to replace them. */
bool unique_shares(const struct ike_sa *sa);
/* Once `sa` is up: those that it replaces get their DELETE. */
void unique_settle(struct ike_sa *sa);

#endif
