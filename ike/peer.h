/* An authenticated identity under a connection, and the IKE SAs that it has: INITIAL_CONTACT, uniqueness, listing. */
#ifndef IKE_PEER_H
#define IKE_PEER_H

#include "core/chain.h"
#include "core/table.h"
#include "ike/sa.h"

struct peer {
	struct ike_sa *sas; /* linked by next_of_peer */
	struct link link;
	uint16_t key_len, id_len;
	uint8_t key[]; /* kind | identity as it is compared | 0 | connection name, and then the identity as it was told
			*/
};

/*
 * Ties the SA, whose peer_auth is set, to its identity (sa->peer, peer_id, peer_id_kind); made when it is the first.
 * Who may write his identity in several ways (case, order of a name's parts) is the same by each: else he would count
 * as many.
 */
MUST_USE enum gw_err peer_join(struct ike *ike, struct ike_sa *sa, const char *conn, uint8_t kind, struct bytes id);
void peer_leave(struct ike *ike, struct ike_sa *sa); /* freed with its last SA; leaves its group, too */

#endif
