/*
 * Sockets of many clients in one process: for each source address one towards the responder's IKE port and one towards
 * its NAT-T port. Clients share them and are told apart by SPI.
 */
#ifndef TESTS_LOAD_LOAD_NET_H
#define TESTS_LOAD_LOAD_NET_H

#include "core/addr.h"
#include "ike/events.h"

enum { NET_SOURCES_MAX = 1024, NET_DATAGRAM = 16384 };

struct load_source {
	struct endpoint ike, natt; /* ours, as bound */
	int fd_ike, fd_natt;
};

struct load_net {
	struct load_source *sources; /* owned */
	size_t count;
	int epoll;
};

/* `first` and the addresses after it; port 0: any. */
MUST_USE enum gw_err net_open(struct load_net *n, const struct addr *first, size_t count, uint16_t port,
			      uint16_t natt_port, struct err *e);
void net_close(struct load_net *n);
/* False: the kernel had no room. */
bool net_send(struct load_net *n, const struct load_source *s, const struct datagram *d);
/* Calls `each` for what has come, waiting at most timeout_ms for the first; returns how many. */
size_t net_receive(struct load_net *n, int timeout_ms,
		   void (*each)(void *arg, const struct datagram *d, uint8_t *bytes), void *arg);

#endif
