/*
 * The event loop: fd readiness, timers, signals. libevent stands behind it and nowhere else. One loop per thread;
 * nothing is global, so several may live in one process (signals excepted: a signal is taken by one loop).
 *
 * A turn is one batch of callbacks, followed by the turn hook. A turn has a budget: a callback that has more work than
 * that (a burst of datagrams, a long listing) asks loop_turn_over() and returns; readiness is level-triggered, so it is
 * called again in the next turn, after everybody else had theirs.
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "core/clock.h"
#include "core/err.h"

struct loop;
struct loop_fd;
struct loop_timer;

enum { LOOP_TURN_BUDGET_US = 5000 };

enum loop_want {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
};

/* NULL: out of descriptors or memory. Borrows the clock. */
struct loop *loop_create(const struct clock *clock, struct err *e);
/* After everything that was made on it. NULL is fine. */
void loop_destroy(struct loop *loop);

/* Turns until loop_stop(). */
void loop_run(struct loop *loop);
/* One turn. `wait`: until there is something to do; else only what is ready now. */
void loop_turn(struct loop *loop, bool wait);
/* From a callback or the hook: loop_run() returns after this turn. */
void loop_stop(struct loop *loop);
/* From a callback or the hook: the next turn follows at once, whether or not something is ready. */
void loop_again(struct loop *loop);
/* After each batch of callbacks. NULL: none. */
void loop_on_turn(struct loop *loop, void (*hook)(void *arg), void *arg);
/* The time at which this turn's callbacks began; cheaper than the clock. */
mtime loop_now(const struct loop *loop);
/* True when this turn has used up its budget. Whoever asks does a little all the same, or others could starve it. */
bool loop_turn_over(const struct loop *loop);
/*
 * Work that has what others leave: steps until one says that there is nothing more (false), or `us` have passed; then
 * the next turn follows at once, with what has come meanwhile first.
 */
void loop_spend(struct loop *loop, int64_t us, bool (*step)(void *arg), void *arg);

/* Calls `ready` while `fd` is ready for what is wanted (flags of enum loop_want, 0: paused). The fd stays the caller's.
 */
struct loop_fd *loop_fd_create(struct loop *loop, int fd, unsigned want, void (*ready)(void *arg, unsigned what),
			       void *arg);
void loop_fd_want(struct loop_fd *f, unsigned want);
/* Before the fd is closed; from its own callback, too. NULL is fine. */
void loop_fd_destroy(struct loop_fd *f);

/* A timer calls `due` once per loop_timer_at(); never early by the loop's clock. */
struct loop_timer *loop_timer_create(struct loop *loop, void (*due)(void *arg), void *arg);
void loop_timer_at(struct loop_timer *t, mtime when); /* MTIME_NEVER: stop; moves one that is set */
void loop_timer_destroy(struct loop_timer *t);

/*
 * Blocks the signals (0-terminated list) for the calling thread, so call it before any thread is made, and calls `on`
 * from the loop for each. At most one such set per loop.
 */
MUST_USE enum gw_err loop_signals(struct loop *loop, const int *signals, void (*on)(void *arg, int signal), void *arg,
				  struct err *e);

#endif
