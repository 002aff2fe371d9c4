/*
 * Reads a capture as tcpdump writes it (pcap, either byte order, micro- or nanoseconds) and finds the ESP packets in
 * it: protocol 50 and UDP port 4500, by IPv4 or IPv6. Nothing is copied; a capture that ends in mid-packet ends there,
 * which is how one looks whose tcpdump was killed.
 */
#ifndef TESTS_RIG_PCAP_H
#define TESTS_RIG_PCAP_H

#include "core/addr.h"

struct pcap {
	struct reader at;
	bool little, nanoseconds, cut; /* cut: the last packet is not whole */
	uint32_t link;
};

struct pcap_packet {
	int64_t us; /* of the wall clock */
	struct bytes frame;
	bool whole; /* not shortened by the capture */
};

/* `file` is borrowed as long as packets are read. */
MUST_USE enum gw_err pcap_open(struct pcap *p, struct bytes file, struct err *e);
/* False at the end. */
bool pcap_next(struct pcap *p, struct pcap_packet *out);

enum pcap_kind {
	PCAP_OTHER,
	PCAP_ESP,
	PCAP_IKE,      /* ports 500, and 4500 with the non-ESP marker */
	PCAP_FRAGMENT, /* of an IP datagram, but the first */
};

struct pcap_esp {
	struct addr from, to;
	bool udp;
	struct bytes esp; /* from the SPI on */
};

/* What the frame carries; `out` is filled for PCAP_ESP alone. Link types: Ethernet, raw IP, Linux cooked (1 and 2). */
enum pcap_kind pcap_look(const struct pcap *p, struct bytes frame, struct pcap_esp *out);

#endif
