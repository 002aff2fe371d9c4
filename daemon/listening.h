/*
 * What a silence is: time in which somebody listened and nothing came. A thread that had no processor, or whose machine
 * stood still, has not listened meanwhile: what the peer said then may be on its way still, and one that stands on the
 * same machine has stood still as well. So that time is no silence.
 */
#ifndef DAEMON_LISTENING_H
#define DAEMON_LISTENING_H

#include "core/clock.h"

struct listening {	   /* all zero before */
	int64_t missed_us; /* slept through since somebody was heard last */
	mtime until;	   /* nothing that had come by then is unread, less what was slept through; us 0: not yet */
};

/* It was to wake up at `due`, and does so now. */
void listening_woke(struct listening *l, mtime due, mtime now);
/* All sockets were read until they were empty, beginning at `now`. */
void listening_read(struct listening *l, mtime now);
/*
 * As seen by another thread at `now`, when nothing is unread: who sleeps until `wakes` would have been woken by what
 * came, so it listens; who ought to be awake by then does not. In `until` and `missed_us` is what it said last.
 */
mtime listening_now(const struct listening *l, mtime wakes, mtime now);
/* Somebody was heard. */
void listening_heard(struct listening *l);
/* When who was heard last at `heard` has been silent for `patience_us`. */
mtime listening_due(const struct listening *l, mtime heard, int64_t patience_us);

#endif
