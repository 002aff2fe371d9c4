/*
 * What a datagram on the NAT-T port is (RFC 3948 2): IKE behind four zero octets, a keepalive of one octet 0xff, or
 * ESP, whose SPI is never zero.
 */
#ifndef CORE_NET_NATT_H
#define CORE_NET_NATT_H

#include "core/bytes.h"

enum { NATT_MARKER_LEN = 4 };

enum natt_kind {
	NATT_IKE,
	NATT_ESP,
	NATT_KEEPALIVE,
	NATT_JUNK, /* shorter than an SPI: neither */
};

enum natt_kind natt_classify(struct bytes datagram);

#endif
