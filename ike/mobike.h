/*
 * MOBIKE (RFC 4555) as responder: the client decides which addresses are used, we follow when it says so
 * (UPDATE_SA_ADDRESSES), and only then: its other messages do not move it (3.8). The original initiator is always the
 * peer, whoever rekeyed since.
 *
 * Of our own addresses only those that stay with the service are told: virtual addresses of a pair, or those that
 * `listen.addresses` names.
 */
#ifndef IKE_MOBIKE_H
#define IKE_MOBIKE_H

#include "ike/events.h"
#include "ike/message.h"
#include "ike/sa.h"

/* What an INFORMATIONAL request asks of MOBIKE, once it has been acted on; the answer is written by it. */
struct mobike {
	uint16_t error;	      /* UNACCEPTABLE_ADDRESSES, UNEXPECTED_NAT_DETECTED; 0: none */
	bool natd;	      /* NAT detection is answered by ours (3.8) */
	struct bytes cookie2; /* echoed (3.7); borrowed from the request */
	bool changed;	      /* something of the SA: the standby has to know before the answer leaves */
};

/*
 * The first IKE_AUTH request (3.1, 3.4, 3.9), `from` and `to` being those of its datagram: what the peer can do and
 * which other addresses it has. GW_EAUTH: NO_NATS_ALLOWED, and there is one: UNEXPECTED_NAT_DETECTED is due.
 */
MUST_USE enum gw_err mobike_greet(struct ike_sa *sa, const struct ike_msg *m, const struct endpoint *from,
				  const struct endpoint *to);
/* MOBIKE_SUPPORTED and our other addresses, for the last IKE_AUTH response; nothing to a peer that did not ask. */
void mobike_write_greeting(const struct ike_sa *sa, struct msg_writer *w);

/* Acts on an INFORMATIONAL request. Without MOBIKE: nothing of it. */
MUST_USE enum gw_err mobike_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg,
				    struct mobike *out);
MUST_USE enum gw_err mobike_write_answer(const struct ike_sa *sa, const struct mobike *a, const struct datagram *dg,
					 struct msg_writer *w);
/* A notify that belongs to MOBIKE and asks for no change. */
bool mobike_is_idle_notify(uint16_t type);

/* The peer's other addresses, as told last: at most MOBIKE_ADDRS. */
enum { MOBIKE_ADDRS = 8 };
MUST_USE enum gw_err mobike_set_addresses(struct ike_sa *sa, const struct addr *a, size_t n);

#endif
