/*
 * UDP sockets for IKE and ESP-in-UDP: bound to the wildcard or to an address, with packet info both ways, so that
 * addresses may come and go, and an answer always leaves from the address that was asked.
 */
#ifndef CORE_NET_UDP_H
#define CORE_NET_UDP_H

#include "core/addr.h"

struct udp_socket {
	int fd;		       /* -1: none; non-blocking, close-on-exec */
	struct endpoint local; /* as bound: the address may be the wildcard; the port is the real one */
};

/*
 * `bind_to->addr` 0.0.0.0, :: or an address; an IPv6 socket takes IPv6 only. Port 0: any.
 * GW_EUNSUPPORTED: this system has no such address family. GW_EPERM, GW_EEXIST (port taken), GW_EIO: with text and
 * remedy.
 */
MUST_USE enum gw_err udp_open(const struct endpoint *bind_to, struct udp_socket *out, struct err *e);
void udp_close(struct udp_socket *s);

/* A received datagram; `p` is good until the next udp_receive() into the same burst, and may be written to. */
struct udp_in {
	struct endpoint from, to; /* `to` is the address that the peer used */
	uint8_t tos;		  /* DSCP and ECN of the outer header */
	uint8_t *p;
	size_t n;
};

enum { UDP_BURST = 16 };
struct udp_burst; /* buffers for UDP_BURST datagrams of any size; pages are touched only by what arrives */

struct udp_burst *udp_burst_create(void);
void udp_burst_destroy(struct udp_burst *b);
/* Never blocks. How many arrived, at most UDP_BURST; 0: none for now. Truncated or source-less ones are left out. */
size_t udp_receive(const struct udp_socket *s, struct udp_burst *b, struct udp_in out[UDP_BURST]);

/*
 * Sends head | body from `from`'s address (family 0 or wildcard: the system's choice) out of the socket's own port.
 * Never blocks: a full socket buffer is GW_EBUSY, and the datagram is lost, as datagrams may be. GW_EIO: no route, ...
 */
MUST_USE enum gw_err udp_send(const struct udp_socket *s, const struct addr *from, const struct endpoint *to,
			      struct bytes head, struct bytes body);

#endif
