/*
 * A network in virtual time: it delays (and so reorders), loses, doubles and corrupts datagrams, and translates the
 * addresses of those behind a NAT. What it does is drawn from the world's seeded randomness.
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "core/clock.h"
#include "core/rng.h"
#include "ike/events.h"

struct net_faults {
	int64_t delay_min_us, delay_max_us;
	unsigned loss, dup, corrupt; /* of 1000 datagrams */
};

/* A NAT with one host behind it. Ports are shifted; a rebinding takes another shift, and what goes to the old one is
 * lost. */
struct net_nat {
	struct addr inside, outside;
	uint16_t shift;
};

enum { NET_NATS = 64 };

struct flight;
struct net {
	struct rng *rng; /* borrowed */
	struct net_faults faults;
	struct net_nat nats[NET_NATS];
	size_t nat_count;
	struct flight *flights; /* owned */
	uint64_t sent, lost, doubled, corrupted;
	uint64_t serial;
	bool cut; /* nothing passes */
};

void net_init(struct net *n, struct rng *rng);
void net_clear(struct net *n);
struct net_nat *net_nat_add(struct net *n, const struct addr *inside, const struct addr *outside, uint16_t shift);
/* Takes a copy of `d`, as sent by its author. */
void net_send(struct net *n, mtime now, const struct datagram *d);
mtime net_due(const struct net *n);
size_t net_in_flight(const struct net *n);
/* The next datagram that has arrived by `now`, as its receiver sees it; *bytes are the caller's until the next call. */
bool net_arrive(struct net *n, mtime now, struct datagram *out, uint8_t **bytes);

#endif
