#include "daemon/heartbeat_spare.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STACK = 128 << 10 };

struct beat_spare {
	struct beat_shared *shared;
	const struct clock *clock;
	struct beat_voice voice;
	cpu_set_t allowed;
	int avoided; /* a processor; -1: none */
	pthread_t thread;
	pthread_mutex_t lock; /* of quit: the thread's sleep ends with it */
	pthread_cond_t wake;
	bool quit;
};

/* Where the first one sends from is where it may stand still. */
static void keep_apart(struct beat_spare *s)
{
	int theirs = atomic_load(&s->shared->cpu);
	cpu_set_t others = s->allowed;

	if (theirs < 0 || theirs == s->avoided || theirs >= CPU_SETSIZE)
		return;
	CPU_CLR((size_t)theirs, &others);
	if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof(others), &others) == 0)
		s->avoided = theirs;
}

/* Whether to go on, at the latest at `until`. */
static bool sleep_until(struct beat_spare *s, mtime until, mtime now)
{
	int64_t us = until.us > now.us ? until.us - now.us : 0;
	struct timespec t;
	bool on;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	us += t.tv_nsec / 1000;
	t.tv_sec += us / 1000000;
	t.tv_nsec = us % 1000000 * 1000 + t.tv_nsec % 1000;
	(void)pthread_mutex_lock(&s->lock);
	while (!s->quit && pthread_cond_timedwait(&s->wake, &s->lock, &t) == 0)
		;
	on = !s->quit;
	(void)pthread_mutex_unlock(&s->lock);
	return on;
}

static void *run(void *arg)
{
	struct beat_spare *s = arg;
	struct beat_shared *sh = s->shared;
	const int64_t patience = sh->cfg.interval_us * 3 / 2;
	mtime now = clock_now(s->clock), due;

	do {
		keep_apart(s);
		now = clock_now(s->clock);
		due = mtime_add((mtime){ atomic_load(&sh->sent_us) }, patience);
		if (!mtime_reached(due, now))
			continue;
		beat_send_all(sh, &s->voice, now);
		(void)atomic_fetch_add(&sh->spared, 1);
		/* As often as the first one would have. */
		due = mtime_add(now, sh->cfg.interval_us);
	} while (sleep_until(s, due, now));
	return NULL;
}

static enum gw_err start(struct beat_spare *s, int priority)
{
	const struct sched_param param = { .sched_priority = priority };
	pthread_condattr_t ca;
	pthread_attr_t attr;
	sigset_t all, before;
	int r;

	if (pthread_condattr_init(&ca) != 0 || pthread_condattr_setclock(&ca, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&s->wake, &ca) != 0 || pthread_mutex_init(&s->lock, NULL) != 0 ||
	    pthread_attr_init(&attr) != 0)
		return GW_ENOMEM;
	(void)pthread_condattr_destroy(&ca);
	(void)pthread_attr_setstacksize(&attr, STACK);
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, &attr, run, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return GW_EIO;
	(void)pthread_setschedparam(s->thread, SCHED_FIFO, &param);
	return GW_OK;
}

static void clear(struct beat_spare *s)
{
	crypto_destroy(s->voice.crypto);
	secret_wipe(s, sizeof(*s));
	free(s);
}

struct beat_spare *beat_spare_start(struct beat_shared *sh, const struct clock *clock, int priority, struct err *e)
{
	struct beat_spare *s;
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < 2)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s) {
		err_set(e, GW_ENOMEM, "heartbeats: out of memory");
		return NULL;
	}
	s->shared = sh;
	s->clock = clock;
	s->allowed = allowed;
	s->avoided = -1;
	s->voice.crypto = crypto_create(e);
	if (s->voice.crypto && start(s, priority) == GW_OK)
		return s;
	if (e->code == GW_OK)
		err_set(e, GW_EIO, "heartbeats: no spare thread");
	clear(s);
	return NULL;
}

void beat_spare_stop(struct beat_spare *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->quit = true;
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_mutex_destroy(&s->lock);
	clear(s);
}
