#include "daemon/lifeline.h"

#include <linux/futex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK = 128 << 10 };

struct lifeline_watch {
	int *word; /* borrowed */
	int fd;
	pthread_t thread;
};

enum gw_err lifeline_init(struct lifeline *l)
{
	pthread_mutexattr_t attr;
	bool made;

	memset(l, 0, sizeof(*l));
	if (pthread_mutexattr_init(&attr) != 0)
		return GW_ENOMEM;
	made = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
	       pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
	       pthread_mutex_init(&l->held, &attr) == 0;
	(void)pthread_mutexattr_destroy(&attr);
	return made ? GW_OK : GW_EUNSUPPORTED;
}

void lifeline_hold(struct lifeline *l)
{
	(void)pthread_mutex_lock(&l->held);
}

/* The holder's thread and two flags, as the kernel knows it. */
static unsigned load(const int *word)
{
	return (unsigned)__atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool lives(unsigned v)
{
	return !(v & FUTEX_OWNER_DIED) && (v & FUTEX_TID_MASK) != 0;
}

/* Not by pthread_mutex_lock(): that follows pointers, which the daemon could have written. */
static void *wait_for_death(void *arg)
{
	const struct lifeline_watch *w = arg;
	const uint64_t one = 1;
	unsigned v;

	while (lives(v = load(w->word))) {
		int before = (int)v;

		/* Else the kernel wakes nobody. */
		if (!(v & FUTEX_WAITERS) && !__atomic_compare_exchange_n(w->word, &before, (int)(v | FUTEX_WAITERS),
									 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		(void)syscall(SYS_futex, w->word, FUTEX_WAIT, v | FUTEX_WAITERS, NULL, NULL, 0);
	}
	(void)!write(w->fd, &one, sizeof(one));
	return NULL;
}

struct lifeline_watch *lifeline_watch(struct lifeline *l)
{
	struct lifeline_watch *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	bool runs = false;

	if (!w)
		return NULL;
	w->word = &l->held.__data.__lock;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd >= 0 && lives(load(w->word)) && pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK);
		runs = pthread_create(&w->thread, &attr, wait_for_death, w) == 0;
		(void)pthread_attr_destroy(&attr);
	}
	if (runs)
		return w;
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w);
	return NULL;
}

int lifeline_fd(const struct lifeline_watch *w)
{
	return w ? w->fd : -1;
}

void lifeline_unwatch(struct lifeline_watch *w)
{
	if (!w)
		return;
	/* Nobody else writes there any more; but who did could have left a word that nobody ever takes back. */
	__atomic_store_n(w->word, (int)FUTEX_OWNER_DIED, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	(void)pthread_join(w->thread, NULL);
	(void)close(w->fd);
	free(w);
}
