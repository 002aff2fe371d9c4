/*
 * The number of this start of the process (DESIGN.md §4): one above the greatest of the durable file and the wall clock
 * in minutes since 2026, so it repeats neither after a crash nor after the file was lost. Nonces are unique because of
 * it.
 *
 * The file has two checksummed slots in blocks of their own, overwritten in turn: whatever instant the power fails in,
 * one of them is whole. It is locked for the life of the process, so that one state directory has one owner.
 */
#ifndef DAEMON_INCARNATION_H
#define DAEMON_INCARNATION_H

#include "core/clock.h"
#include "core/err.h"

enum { INCARNATION_BITS = 24 };

struct incarnation {
	int fd; /* of the locked file; -1: not taken */
	uint32_t number;
	bool damaged; /* the file was there, but neither slot was whole: the clock alone decided */
};

/*
 * Makes the next number durable in `state_dir`/incarnation, then returns it. GW_EBUSY: another process has the
 * directory. GW_ELIMIT: the 24 bits are used up. `e` says what to do.
 */
MUST_USE enum gw_err incarnation_take(const char *state_dir, const struct clock *clock, struct incarnation *out,
				      struct err *e);
/* Somebody knows this number of ours: makes it durable, so that the next start is above it. */
MUST_USE enum gw_err incarnation_raise(struct incarnation *i, uint32_t number, struct err *e);
void incarnation_release(struct incarnation *i);

#endif
