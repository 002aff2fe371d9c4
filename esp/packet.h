/*
 * One ESP packet: built and opened in place, without allocation and without state (RFC 4303 2 and 3). The only code
 * that knows the wire format. Sequence numbers are 64-bit; without ESN the upper half is not sent and not
 * authenticated. Outer IP and UDP headers are the kernel's: the planes send through sockets.
 */
#ifndef ESP_PACKET_H
#define ESP_PACKET_H

#include "core/crypto/crypto.h"

enum {
	ESP_NEXT_IPV4 = 4,
	ESP_NEXT_IPV6 = 41,
	ESP_NEXT_NONE = 59, /* dummy packet (RFC 4303 2.6) */
	ESP_HEADER = 8,
	/* Room that packet_seal needs before and behind the inner packet, whatever the suite. */
	PACKET_HEADROOM = 64,
	PACKET_TAILROOM = 64,
};

/* n octets at buf + at, in a buffer of `cap`. */
struct packet {
	uint8_t *buf; /* borrowed */
	size_t cap, at, n;
};

struct packet_sa {
	const struct cipher_suite *suite;
	struct cipher *cipher; /* of the right direction */
	uint32_t spi;
	bool esn;
};

static inline uint8_t *packet_data(const struct packet *p)
{
	return p->buf + p->at;
}

static inline struct bytes packet_bytes(const struct packet *p)
{
	return (struct bytes){ p->buf + p->at, p->n };
}

/* SPI and number of what may be an ESP packet; false: too short for one. */
MUST_USE bool packet_peek(struct bytes esp, uint32_t *spi, uint32_t *wire_seq);

/* Inner packet in, ESP packet out. `iv` has suite_iv_len() octets, unique per key. GW_EINVAL: not enough room. */
MUST_USE enum gw_err packet_seal(const struct packet_sa *sa, uint64_t seq, const uint8_t *iv, uint8_t next,
				 struct packet *p);

/*
 * ESP packet in, payload without its ESP padding out (TFC padding is still there: the inner header tells), and the next
 * header. GW_EAUTH: the ICV is wrong; GW_EMALFORMED: lengths are, before or after it. On error the content is
 * undefined.
 */
MUST_USE enum gw_err packet_open(const struct packet_sa *sa, uint64_t seq, struct packet *p, uint8_t *next);

/* Octets of the ESP packet (from SPI to ICV) around an inner packet of n octets. */
size_t packet_size(const struct cipher_suite *s, size_t n);
/* The largest inner packet whose ESP packet has at most n octets; 0: none. */
size_t packet_inner_max(const struct cipher_suite *s, size_t n);

/* Outer TOS octet: ECN copied (RFC 6040 4.1, normal mode), DSCP copied or 0 (RFC 4301 5.1.2). */
uint8_t packet_outer_tos(uint8_t inner, bool copy_dscp);
/* The inner TOS octet after decapsulation (RFC 6040 4.2, figure 4). False: drop (congestion that cannot be told). */
MUST_USE bool packet_inner_tos(uint8_t outer, uint8_t inner, uint8_t *out);

#endif
