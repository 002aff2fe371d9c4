/*
 * Path MTU (RFC 4301 8.2): what fits through an SA, and the ICMP message that says so to the sender inside.
 */
#ifndef ESP_PMTU_H
#define ESP_PMTU_H

#include "core/crypto/crypto.h"
#include "esp/inner.h"

enum {
	PMTU_DEFAULT = 1500,   /* an outer path nobody knows anything of */
	PMTU_REPLY_MAX = 1280, /* octets of the largest message pmtu_reply builds (RFC 4443 2.4 (c)) */
};

/* The kernel's view of the path, its learnt exceptions included; 0: no route, or no answer. A few system calls. */
uint16_t pmtu_path(const struct endpoint *local, const struct endpoint *remote);

/* The largest inner packet that an outer packet of `path` octets can carry. */
size_t pmtu_inner(const struct cipher_suite *s, uint8_t outer_family, bool udp_encap, size_t path);

/*
 * "Fragmentation needed" or "packet too big" for a packet that was parsed as `in`, from its destination to its sender
 * (so that it passes a reverse path filter on the TUN), into out (PMTU_REPLY_MAX octets). 0: none may be sent (errors
 * about errors, later fragments, multicast: RFC 1122 3.2.2, RFC 4443 2.4 (e)).
 */
size_t pmtu_reply(struct bytes packet, const struct inner *in, size_t mtu, uint8_t *out);

#endif
