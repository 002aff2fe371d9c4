/*
 * What of HA survives the process (ha/term.h): `state_dir`/terms, two checksummed slots in blocks of their own,
 * overwritten in turn. A write is brought to the disk by a thread of its own, for the loop must not stand still
 * meanwhile: a standby would take it for hung.
 */
#ifndef DAEMON_TERMS_H
#define DAEMON_TERMS_H

#include "core/env.h"
#include "core/loop.h"
#include "ha/term.h"

struct terms;

/*
 * Opens or makes the file and reads what stands in it into *found (all zero: nothing yet, or no slot is whole, which is
 * logged). `done` is called from the loop with each value that has reached the disk. Borrows env, loop, arg. NULL: `e`.
 */
struct terms *terms_open(const struct env *env, struct loop *loop, const char *state_dir,
			 void (*done)(void *arg, const struct ha_durable *d), void *arg, struct ha_durable *found,
			 struct err *e);
/* Waits for a write under way. NULL is fine. */
void terms_close(struct terms *t);
/* Of several in a row the last one counts. What fails (a full disk) is logged and tried again every second. */
void terms_write(struct terms *t, const struct ha_durable *d);
/* Whether what was last asked for is not on the disk since it failed: for `ha status`. NULL: all is well. */
const char *terms_trouble(const struct terms *t);

#endif
