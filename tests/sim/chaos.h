/* Random things that happen to a world, and how it gets well again. */
#ifndef TESTS_SIM_CHAOS_H
#define TESTS_SIM_CHAOS_H

#include "tests/sim/sim.h"

enum chaos_acts {
	ACT_REKEY_CHILD = 1 << 0, /* each by the client, by the gateway or by both at once */
	ACT_REKEY_IKE = 1 << 1,
	ACT_PROBE = 1 << 2,
	ACT_DELETE_CHILD = 1 << 3,
	ACT_NEW_CHILD = 1 << 4,
	ACT_RECONNECT = 1 << 5, /* leave or crash, and come again */
	ACT_REBIND = 1 << 6,	/* of the NAT */
	ACT_ROAM = 1 << 7,	/* of clients with MOBIKE: another address, behind a NAT or not */
	ACT_ALL = (1 << 8) - 1,
};

/* One of `acts`, to a random client. */
void chaos_act(struct sim *s, unsigned acts);
/* The same, `count` times, with random pauses of at most `pause_us`. */
void chaos_run(struct sim *s, unsigned acts, unsigned count, int64_t pause_us);
/*
 * The network heals; clients that gave up connect again, and what is half done is finished or found out. Then both
 * sides have to agree, and go on to work: everybody rekeys everything once more.
 */
bool chaos_recover(struct sim *s);

#endif
