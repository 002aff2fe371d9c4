/*
 * The whole state of an IKE SA as bytes, and back (DESIGN.md §3). A record is a sequence of fields: 2 octets of tag,
 * 4 of length, the value; all in network order. Unknown fields are skipped, unless their tag has FIELD_CRITICAL;
 * missing ones have defaults. So it is with bits of flags and wishes: unknown ones are skipped, missing ones are 0.
 * Times travel as remaining or elapsed microseconds. What a request under way has made, but nobody outside has seen, is
 * not encoded: the peer sends the request again.
 */
#ifndef IKE_STATE_H
#define IKE_STATE_H

#include "ike/ike.h"

#define FIELD_CRITICAL 0x8000

enum state_field {
	/* of an SA */
	ST_CORE = 1, /* spi_i 8, spi_r 8, state 1, flags 1, wishes 1, peer_flags 4 */
	ST_ADDRESSES,
	ST_SUITE, /* 4 transforms of 5 octets: encr, prf, integ, dh */
	ST_KEYS,
	ST_CONN, /* name */
	ST_PEER, /* kind 1, data */
	ST_LEASE, /* family addr, pool name */
	ST_WINDOW, /* recv_next 4, send_next 4, request kind 1, tries 1, retransmission in 8 */
	ST_RESPONSE,
	ST_REQUEST,
	ST_TIMES, /* created, established, last_in ago; rekey, life, not_before, linger in: 8 each */
	ST_SUCCESSOR, /* spi 8, crossing nonce */
	ST_HALF,  /* nested */
	ST_OUR_X, /* nested */
	ST_CHILD, /* nested, repeated */
	ST_PEER_AUTH = 24, /* enum conn_auth 4 */
	ST_TOLD_ID, /* kind 1, data */
	ST_ALSO,    /* the peer's other addresses, each as in ST_ADDRESSES without a port */
	ST_CERT_PATH, /* ike_sa.cert_path */
	ST_GROUP = 28, /* name; missing: in none */
	ST_REAUTH, /* in 8 */
	ST_CAME_FROM, /* as in ST_ALSO; missing: the address in ST_ADDRESSES */
	ST_SESSION = 31, /* began ago 8, packets in 8, out 8, bytes in 8, out 8, failovers 4; missing: since established */
	ST_DOUBT = 21, /* ike_sa.settled 4, .certain 4 */
	/* of a half-open SA */
	ST_HALF_NI = 32,
	ST_HALF_NR,
	ST_HALF_REQUEST,
	ST_HALF_RESPONSE,
	ST_HALF_PEER_KE,
	ST_HALF_DH, /* group 2, length of private key 4, private key, public value */
	ST_HALF_TIMES, /* expires in 8 */
	ST_HALF_KEY,   /* address, spi_i 8 */
	ST_HALF_AUTH,  /* first payload 1, chain: of the first IKE_AUTH */
	ST_HALF_CONN,  /* name */
	ST_HALF_OUR_ID,
	ST_HALF_MSK,
	ST_HALF_EAP, /* EAP alone 1, then as eap_encode() has it */
	ST_HALF_HASHES, /* 1 */
	/* of our outstanding exchange */
	ST_X_CORE = 48, /* kind 1, group 2, new_spi 8, old_spi 4, waiting spi 4 */
	ST_X_NI,
	ST_X_NR, /* with `waiting`: the peer's nonce of the answer */
	ST_X_DH,
	ST_X_GONE, /* spi 4 */
	/* of a CHILD SA */
	ST_CHILD_CORE = 64, /* spi_in 4, spi_out 4, reqid 4, state 1, flags 1, wishes 1, successor 4 */
	ST_CHILD_CFG, /* name */
	ST_CHILD_SUITE, /* encr, integ, esn, dh */
	ST_CHILD_IN_KEYS,
	ST_CHILD_OUT_KEYS,
	ST_CHILD_OURS, /* selectors of 38 octets: family 1, proto 1, ports 2+2, lo 16, hi 16 */
	ST_CHILD_THEIRS,
	ST_CHILD_TIMES, /* created ago, rekey in, life in */
	ST_CHILD_CROSSING,
	ST_CHILD_TOLD, /* addresses of our and of their end, as the peer calls them */
};

#endif
