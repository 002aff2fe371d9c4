/*
 * The packet inside: what a policy decides on, read from untrusted bytes (RFC 4301 4.4.1.1). Headers only, no state.
 */
#ifndef ESP_INNER_H
#define ESP_INNER_H

#include "core/addr.h"

struct inner {
	struct addr src, dst;
	uint8_t proto;	       /* next layer; of IPv6 the one after the extension headers */
	uint8_t tos;	       /* DSCP and ECN: TOS octet or traffic class */
	bool df;	       /* IPv4: DF; IPv6: always */
	bool later_fragment;   /* not the first fragment: has no ports */
	bool has_ports;	       /* the two below are there */
	uint16_t sport, dport; /* TCP, UDP, UDP-Lite, SCTP, DCCP; ICMP: both type << 8 | code; MH: both type << 8 */
	size_t n;	       /* octets by the packet's own length field; what follows is TFC padding */
	size_t header;	       /* octets before the next layer's header */
};

/* False: not an IP packet that could be delivered (version, lengths, header chain). */
MUST_USE bool inner_parse(struct bytes packet, struct inner *out);

/* Does the selector's side match? A packet without ports matches only "any" and OPAQUE (RFC 4301 4.4.1.2). */
bool inner_matches(const struct selector *s, const struct inner *in, const struct addr *a, uint16_t port);

/* The packet's new TOS octet or traffic class, with the IPv4 checksum kept right. `p` is a packet that was parsed. */
void inner_set_tos(uint8_t *p, uint8_t tos);

#endif
