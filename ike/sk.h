/* Protection of messages: SK (RFC 7296 3.14, RFC 5282) and SKF (RFC 7383 2.5). */
#ifndef IKE_SK_H
#define IKE_SK_H

#include "core/crypto/crypto.h"
#include "ike/message.h"

/* Keys of one direction; all borrowed. */
struct sk_key {
	struct cipher_suite suite;
	struct bytes encr, integ;
};

/* Makes an IV of n octets: unique for AEAD and CTR (8 octets), unpredictable for CBC (16). */
struct sk_iv {
	enum gw_err (*make)(void *arg, uint8_t *out, size_t n);
	void *arg;
};

struct sk_inside {
	uint8_t first;      /* type of the first payload inside; in fragments > 1 it is 0 */
	struct bytes chain; /* decrypted in place, inside the datagram's buffer */
	uint16_t fragment, total; /* SKF: from 1; SK: 0, 0 */
};

/*
 * Verifies and decrypts in place a whole datagram whose last payload is SK or SKF. What came before the SK payload is
 * authenticated too, but not parsed here. GW_EAUTH: ICV; GW_EMALFORMED: no room for IV, ICV, padding.
 */
MUST_USE enum gw_err sk_open(struct crypto *c, const struct sk_key *k, uint8_t *datagram, size_t n, struct sk_inside *out);

/*
 * Seals `chain` (its first payload's type in `first`) as one SK message, or, when that would exceed `max_datagram` octets
 * and `fragment` is set, as SKF messages none of which does. Each datagram is appended to `out` as a 2-octet length and
 * its octets: the form in which messages are kept for retransmission and replicated. `h->next` and `h->length` are
 * set here. GW_ELIMIT: does not fit, more than IKE_FRAG_MAX fragments.
 */
MUST_USE enum gw_err sk_seal(struct crypto *c, const struct sk_key *k, const struct sk_iv *iv, const struct ike_header *h,
			     uint8_t first, struct bytes chain, size_t max_datagram, bool fragment, struct writer *out);

/* Walks what sk_seal wrote: the next datagram of `packed`; false at the end. */
bool packed_next(struct reader *packed, struct bytes *datagram);

#endif
