/*
 * Telling neighbours that an address is here now: gratuitous ARP, as request and as reply since each kind of neighbour
 * believes only one of them (RFC 5944 4.6), and unsolicited neighbour advertisements (RFC 4861 7.2.6). Frames are built
 * by pure functions and leave through a packet socket, so nothing of it depends on the state of the address.
 */
#ifndef CORE_NET_ANNOUNCE_H
#define CORE_NET_ANNOUNCE_H

#include "core/addr.h"
#include "core/clock.h"

enum { ANNOUNCE_MAX = 86, MAC_LEN = 6 };

enum announce_arp { ANNOUNCE_ARP_REQUEST = 1, ANNOUNCE_ARP_REPLY = 2 };

/* Whole Ethernet frames; how many octets. */
size_t announce_arp(uint8_t out[ANNOUNCE_MAX], const uint8_t mac[MAC_LEN], const struct addr *a, enum announce_arp op);
/* To all nodes, overriding what they know. `router`: without it hosts would drop us as their router (7.2.5). */
size_t announce_na(uint8_t out[ANNOUNCE_MAX], const uint8_t mac[MAC_LEN], const struct addr *a, bool router);

/* A socket for announce_send(), or -1. Needs CAP_NET_RAW; -1: `e` says why. */
int announce_open(struct err *e);
/* What belongs to the address's family, out of the interface. GW_EIO: it is down, ... */
MUST_USE enum gw_err announce_send(int fd, unsigned interface, const uint8_t mac[MAC_LEN], const struct addr *a);

/*
 * When to announce: a burst that begins dense, since the first may be lost and switches learn late, and goes on for as
 * long as a dead node's kernel may answer for the address, too (3.5 s); then for ever once a `refresh_us` (0: not).
 */
struct announce_burst {
	unsigned step;
	mtime next; /* MTIME_NEVER: over */
	int64_t refresh_us;
};
void announce_burst_start(struct announce_burst *b, mtime now, int64_t refresh_us);
void announce_burst_stop(struct announce_burst *b);
/* True: announce now; b->next is the next time. */
bool announce_burst_due(struct announce_burst *b, mtime now);

#endif
