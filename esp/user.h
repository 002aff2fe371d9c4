/*
 * The userspace plane: a thread that moves packets between a TUN device, the shared UDP sockets (RFC 3948) and raw ESP
 * sockets. It owns SAs and policies; the loop talks to it by queues and never waits for longer than one burst.
 *
 * It reads the NAT-T sockets itself, for speed: ESP it takes, keepalives it drops, and what has the non-ESP marker is
 * queued for the loop (user_plane_take_ike). Sending on those sockets is open to both.
 *
 * All functions are for the thread of the loop. Outer DF is the socket's affair (core/net/udp sets none, so that
 * routers may fragment; raw ESP leaves with the kernel's path MTU discovery). With copy_df an inner packet with DF that
 * does not fit what the kernel knows of the outer path is answered by ICMP; without, the outer packet is fragmented.
 */
#ifndef ESP_USER_H
#define ESP_USER_H

#include "core/env.h"
#include "esp/dataplane.h"

struct user_plane_config {
	int tun_fd;	      /* >= 0: a packet device (TUN without packet information, or a datagram socket pair);
				 owned by the plane from success on. -1: open tun_name */
	const char *tun_name; /* "gw%d"; NULL: "gw%d" */
	uint32_t mtu;	      /* of a device that is opened here; 0: 1400. It is also set up */
	bool raw_esp;	      /* ESP without UDP, IPv4 and IPv6; needs CAP_NET_RAW */
	size_t busy_max;      /* keyed ciphers kept (1.3 kB each); 0: 8192 */
	size_t socket_buffer; /* octets, each socket and direction; 0: 4 MB */
};

/*
 * Borrows env's clock; randomness and crypto are the plane's own. NULL: `e` says why. ops->destroy stops the thread,
 * and closes what the plane opened or was given, but for UDP sockets, which stay the caller's.
 */
struct dataplane *user_plane_create(const struct env *env, const struct user_plane_config *cfg, struct err *e);

/* Readable exactly while ops->take_event or user_plane_take_ike has something. Not to be read by the caller. */
int user_plane_wake_fd(const struct dataplane *dp);

/* The name of the device that was opened; "" with a tun_fd. */
const char *user_plane_tun_name(const struct dataplane *dp);

/*
 * A bound UDP socket for ESP-in-UDP, IPv4 or IPv6 (IPv6-only), borrowed until user_plane_remove_udp or destroy. It is
 * made non-blocking, reports packet information and TOS, and has its buffers enlarged. SAs leave by the socket of their
 * local port. At most 8; GW_ELIMIT.
 */
MUST_USE enum gw_err user_plane_add_udp(struct dataplane *dp, int fd, struct err *e);
void user_plane_remove_udp(struct dataplane *dp, int fd);

/* An IKE datagram that came in on a NAT-T socket, without its non-ESP marker. */
struct user_ike {
	struct endpoint from, to; /* `to` is the address that the peer used */
	uint8_t tos;
	int fd;	       /* the socket it came in on */
	uint8_t *data; /* borrowed until the next call; may be written to */
	size_t n;
};

/*
 * The loop writes the time of the plane's clock (microseconds) to *turning while it turns. When that is older than
 * `max_us` nothing passes: of what a process that was stopped finds when it goes on, nothing is sent. Borrowed; NULL:
 * never asked.
 */
void user_plane_set_pulse(struct dataplane *dp, const _Atomic int64_t *turning, int64_t max_us);

bool user_plane_take_ike(struct dataplane *dp, struct user_ike *out);

#endif
