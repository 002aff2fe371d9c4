/*
 * Witnesses: addresses that answer pings (routers, for one). A standby that hears nobody asks them whose fault that is:
 * when none answers either, it is the one that is cut off. ICMP echo (RFC 792, RFC 4443) over raw sockets; an answer
 * counts when it comes from the witness and repeats a random number that only our requests carry.
 */
#ifndef DAEMON_WITNESS_H
#define DAEMON_WITNESS_H

#include "core/addr.h"
#include "core/env.h"
#include "core/loop.h"

struct witness;

enum { WITNESS_MAX = 8 };

/*
 * Opens its sockets (CAP_NET_RAW) and asks nobody yet. Borrows env and loop, copies the addresses. Each is asked every
 * `interval_us`; one that did not answer for three times as long is silent. `changed`: whether any answers has changed.
 * NULL: `e` says why.
 */
struct witness *witness_create(const struct env *env, struct loop *loop, const struct addr *addrs, size_t count,
			       int64_t interval_us, void (*changed)(void *arg), void *arg, struct err *e);
void witness_destroy(struct witness *w); /* NULL is fine */
/* Asks from now on, or no more. */
void witness_ask(struct witness *w, bool ask);
/* Any of them has answered lately. */
bool witness_heard(const struct witness *w);

struct witness_state {
	struct addr addr;
	mtime heard; /* us 0: never */
	bool answers;
	uint64_t asked, answered;
};
/* The i-th; false: there are not so many. */
bool witness_at(const struct witness *w, size_t i, struct witness_state *out);
/* Packets that looked like answers and were none of ours. */
uint64_t witness_refused(const struct witness *w);

/* The answer of an ICMP(v6) packet without IP header: its number, false: no echo reply with `cookie`. Pure. */
bool witness_parse(struct bytes icmp, bool v6, uint64_t cookie, uint16_t *number);
/* Writes an echo request, ICMP checksum included (IPv6: the kernel's). Returns its length. */
enum { WITNESS_PACKET = 16 };
size_t witness_write(uint8_t out[WITNESS_PACKET], bool v6, uint64_t cookie, uint16_t number);

#endif
