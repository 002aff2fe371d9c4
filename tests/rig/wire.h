/*
 * What no capture of a gateway's road may show: one (SPI, sequence number) or one (SPI, IV) on two different ESP
 * packets. With AEADs the IV is the nonce's explicit part (RFC 4106 3.1, RFC 7634 2), 8 octets behind the sequence
 * number; of a CBC packet these are the first half of its random IV, which does not repeat by chance either.
 *
 * A packet that is octet by octet like an earlier one is the same packet seen twice (a network that doubles, a capture
 * of two interfaces): counted, no fault. Memory: some 50 octets a packet.
 */
#ifndef TESTS_RIG_WIRE_H
#define TESTS_RIG_WIRE_H

#include "core/addr.h"

enum wire_finding {
	WIRE_FINE,
	WIRE_SAME,     /* the same packet once more */
	WIRE_SEQUENCE, /* a sequence number that another packet of this SPI had */
	WIRE_IV,       /* an IV that another packet of this SPI had, by another sequence number */
};

struct wire_sa { /* of one SPI */
	uint32_t spi, first, last, lowest, highest;
	uint64_t packets;
	uint32_t jumps; /* forward by 2^16 or more, as after a takeover */
	uint32_t back;	/* sequence numbers below an earlier one: reordered, or two senders */
};

struct wire_repeat {
	uint32_t spi, sequence;
	uint64_t iv;
	int64_t us, earlier_us;
};

struct wire;

struct wire *wire_create(void); /* NULL: out of memory */
void wire_destroy(struct wire *w);

/* `esp` from the SPI on, 16 octets or more: GW_EMALFORMED when shorter. `repeat` (may be NULL) tells of the last two.
 */
MUST_USE enum gw_err wire_add(struct wire *w, struct bytes esp, int64_t us, enum wire_finding *finding,
			      struct wire_repeat *repeat);

uint64_t wire_count(const struct wire *w, enum wire_finding f);
/* SAs in the order of their first packets; borrowed until the next wire_add(). */
const struct wire_sa *wire_sas(const struct wire *w, size_t *count);

#endif
