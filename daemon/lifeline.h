/*
 * How a parent learns within microseconds that its daemon has died. A process's descriptors are closed, and its parent
 * is told, when the last of its threads has ended and its memory is gone: milliseconds, more the larger it is and the
 * busier the machine. The kernel's list of robust locks is gone through at the end of each thread by itself, first of
 * all. So the daemon's main thread holds one, in memory that both share, and its parent waits for that.
 *
 * The parent trusts nothing in that memory but one word, which says whether the holder has died.
 */
#ifndef DAEMON_LIFELINE_H
#define DAEMON_LIFELINE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/err.h"

/* In shared memory. */
struct lifeline {
	pthread_mutex_t held;
};

/* By the parent, before each start. */
MUST_USE enum gw_err lifeline_init(struct lifeline *l);
/* By the thread that lives as long as the daemon. */
void lifeline_hold(struct lifeline *l);

struct lifeline_watch;

/* By the parent. NULL: nobody holds it, or no thread was to be had. */
struct lifeline_watch *lifeline_watch(struct lifeline *l);
/* Readable when the holder has died. The watch's; -1 of NULL. */
int lifeline_fd(const struct lifeline_watch *w);
/* Only after the end of the holder's process, whatever it left in the memory. NULL is fine. */
void lifeline_unwatch(struct lifeline_watch *w);

#endif
