#include "core/loop_base.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * libevent's clock stands still while the machine is suspended, ours does not. So no wait is longer than this: after a
 * suspension every timer is at most so late.
 */
#define WAIT_MAX_US SECONDS(60)

struct loop {
	const struct clock *clock; /* borrowed */
	struct event_base *base;   /* owned */
	void (*hook)(void *arg);
	void *hook_arg;
	bool stop, again;
	mtime turn_began;
	bool turn_open; /* turn_began is of this turn */
	int signal_fd;
	struct loop_fd *signals;
	void (*on_signal)(void *arg, int signal);
	void *signal_arg;
};

struct loop_fd {
	struct loop *loop;
	struct event *read, *write; /* owned */
	void (*ready)(void *arg, unsigned what);
	void *arg;
	unsigned want;
};

struct loop_timer {
	struct loop *loop;
	struct event *event; /* owned */
	void (*due)(void *arg);
	void *arg;
	mtime when;
};

/* The first callback of a batch opens the turn. */
static void turn_begin(struct loop *loop)
{
	if (loop->turn_open)
		return;
	loop->turn_open = true;
	loop->turn_began = clock_now(loop->clock);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_enter(struct loop *loop)
{
	turn_begin(loop);
}

struct loop *loop_create(const struct clock *clock, struct err *e)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	if (!loop || !config)
		goto fail;
	loop->clock = clock;
	loop->signal_fd = -1;
	/* One thread: no locks. Precise: the default timer is as coarse as the kernel's tick, which retransmissions
	 * feel. */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER) != 0 ||
	    event_config_require_features(config, EV_FEATURE_O1) != 0)
		goto fail;
	loop->base = event_base_new_with_config(config);
	if (!loop->base)
		goto fail;
	event_config_free(config);
	loop->turn_began = clock_now(clock);
	return loop;
fail:
	err_set(e, GW_EIO, "cannot make an event loop: %s", strerror(errno));
	if (config)
		event_config_free(config);
	free(loop);
	return NULL;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	loop_fd_destroy(loop->signals);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	event_base_free(loop->base);
	free(loop);
}

void loop_turn(struct loop *loop, bool wait)
{
	int flags = EVLOOP_ONCE;

	if (!wait || loop->again)
		flags |= EVLOOP_NONBLOCK;
	loop->again = false;
	loop->turn_open = false;
	/* 1: nothing is registered; then there is nothing to wait for either, and the hook still has its turn. */
	(void)event_base_loop(loop->base, flags);
	turn_begin(loop);
	if (loop->hook)
		loop->hook(loop->hook_arg);
}

void loop_run(struct loop *loop)
{
	loop->stop = false;
	while (!loop->stop)
		loop_turn(loop, true);
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
	loop->again = true;
}

void loop_again(struct loop *loop)
{
	loop->again = true;
}

void loop_on_turn(struct loop *loop, void (*hook)(void *arg), void *arg)
{
	loop->hook = hook;
	loop->hook_arg = arg;
}

mtime loop_now(const struct loop *loop)
{
	return loop->turn_open ? loop->turn_began : clock_now(loop->clock);
}

bool loop_turn_over(const struct loop *loop)
{
	return loop->turn_open && mtime_since(loop->turn_began, clock_now(loop->clock)) >= LOOP_TURN_BUDGET_US;
}

void loop_spend(struct loop *loop, int64_t us, bool (*step)(void *arg), void *arg)
{
	mtime until = mtime_add(clock_now(loop->clock), us);

	while (step(arg))
		if (mtime_reached(until, clock_now(loop->clock))) {
			loop_again(loop);
			return;
		}
}

/* ---- descriptors ---- */

static void fd_readable(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *f = arg;

	(void)fd;
	(void)what;
	turn_begin(f->loop);
	f->ready(f->arg, LOOP_READ);
}

static void fd_writable(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *f = arg;

	(void)fd;
	(void)what;
	turn_begin(f->loop);
	f->ready(f->arg, LOOP_WRITE);
}

struct loop_fd *loop_fd_create(struct loop *loop, int fd, unsigned want, void (*ready)(void *arg, unsigned what),
			       void *arg)
{
	struct loop_fd *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->loop = loop;
	f->ready = ready;
	f->arg = arg;
	f->read = event_new(loop->base, fd, EV_READ | EV_PERSIST, fd_readable, f);
	f->write = event_new(loop->base, fd, EV_WRITE | EV_PERSIST, fd_writable, f);
	if (!f->read || !f->write) {
		loop_fd_destroy(f);
		return NULL;
	}
	loop_fd_want(f, want);
	if (f->want != want) {
		loop_fd_destroy(f);
		return NULL;
	}
	return f;
}

static bool direction_set(struct event *e, bool was, bool is)
{
	if (was == is)
		return true;
	return (is ? event_add(e, NULL) : event_del(e)) == 0;
}

void loop_fd_want(struct loop_fd *f, unsigned want)
{
	if (direction_set(f->read, f->want & LOOP_READ, want & LOOP_READ))
		f->want = (f->want & ~(unsigned)LOOP_READ) | (want & LOOP_READ);
	if (direction_set(f->write, f->want & LOOP_WRITE, want & LOOP_WRITE))
		f->want = (f->want & ~(unsigned)LOOP_WRITE) | (want & LOOP_WRITE);
}

void loop_fd_destroy(struct loop_fd *f)
{
	if (!f)
		return;
	if (f->read)
		event_free(f->read);
	if (f->write)
		event_free(f->write);
	free(f);
}

/* ---- timers ---- */

static void timer_arm(struct loop_timer *t)
{
	int64_t wait = mtime_since(clock_now(t->loop->clock), t->when);
	struct timeval tv;

	if (wait < 0)
		wait = 0;
	if (wait > WAIT_MAX_US)
		wait = WAIT_MAX_US;
	tv.tv_sec = (time_t)(wait / 1000000);
	tv.tv_usec = (suseconds_t)(wait % 1000000);
	(void)event_add(t->event, &tv);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	if (t->when.us == INT64_MAX)
		return;
	if (!mtime_reached(t->when, clock_now(t->loop->clock))) {
		timer_arm(t);
		return;
	}
	turn_begin(t->loop);
	t->when = MTIME_NEVER;
	t->due(t->arg);
}

struct loop_timer *loop_timer_create(struct loop *loop, void (*due)(void *arg), void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->due = due;
	t->arg = arg;
	t->when = MTIME_NEVER;
	t->event = event_new(loop->base, -1, EV_TIMEOUT, timer_fired, t);
	if (!t->event) {
		free(t);
		return NULL;
	}
	return t;
}

void loop_timer_at(struct loop_timer *t, mtime when)
{
	if (when.us == t->when.us)
		return;
	t->when = when;
	if (when.us == INT64_MAX)
		(void)event_del(t->event);
	else
		timer_arm(t);
}

void loop_timer_destroy(struct loop_timer *t)
{
	if (!t)
		return;
	event_free(t->event);
	free(t);
}

/* ---- signals ---- */

static void signals_ready(void *arg, unsigned what)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)what;
	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->on_signal(loop->signal_arg, (int)info.ssi_signo);
}

enum gw_err loop_signals(struct loop *loop, const int *signals, void (*on)(void *arg, int signal), void *arg,
			 struct err *e)
{
	sigset_t set;

	if (loop->signal_fd >= 0)
		return err_set(e, GW_EEXIST, "signals are already taken");
	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(e, GW_EIO, "cannot block signals");
	/* signalfd rather than libevent's handlers: those keep their state in globals, one loop a process. */
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0)
		return err_set(e, GW_EIO, "signalfd: %s", strerror(errno));
	loop->on_signal = on;
	loop->signal_arg = arg;
	loop->signals = loop_fd_create(loop, loop->signal_fd, LOOP_READ, signals_ready, loop);
	if (!loop->signals)
		return err_set(e, GW_ENOMEM, "cannot watch signals");
	return GW_OK;
}
