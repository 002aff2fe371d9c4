/*
 * How long a processor of this machine stood still: for each of them a thread of the highest priority, which nothing
 * may keep waiting but the kernel and whoever runs this machine as a guest, wants to run each millisecond and writes
 * down when it did not. What of a gap is the machine's can so be told from what is the gateway's. Times in microseconds
 * of CLOCK_MONOTONIC.
 */
#ifndef TESTS_RIG_STALL_H
#define TESTS_RIG_STALL_H

#include "core/err.h"

enum { STALL_CPUS = 64, STALL_KEPT = 16384, STALL_TICK_US = 1000 };

struct stall {
	int64_t from_us, to_us; /* it ran last, and again */
};

struct stall_cpu {
	int cpu;
	size_t count; /* ever; the newest STALL_KEPT are kept */
	struct stall kept[STALL_KEPT];
};

/* Those longer than two ticks; the oldest go when there are too many. */
struct stall_watch {
	struct stall_cpu *cpus[STALL_CPUS]; /* owned, till the process ends: the threads write to them */
	size_t count;
};

/* Of the processors that this process may use. GW_EPERM: no real time; GW_ENOMEM. Then there are no figures. */
MUST_USE enum gw_err stall_watch_start(struct stall_watch *w);
void stall_note(struct stall_cpu *c, int64_t from_us, int64_t to_us);
/* The longest that overlaps from..to, of any processor; 0: none longer than two ticks. */
int64_t stall_longest(const struct stall_watch *w, int64_t from_us, int64_t to_us);

#endif
