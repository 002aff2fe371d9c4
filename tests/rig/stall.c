#include "tests/rig/stall.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void stall_note(struct stall_cpu *c, int64_t from_us, int64_t to_us)
{
	if (to_us - from_us <= 2 * STALL_TICK_US)
		return;
	c->kept[c->count % STALL_KEPT] = (struct stall){ .from_us = from_us, .to_us = to_us };
	/* Read by another thread, which may see one less but none that is half written. */
	__atomic_store_n(&c->count, c->count + 1, __ATOMIC_RELEASE);
}

int64_t stall_longest(const struct stall_watch *w, int64_t from_us, int64_t to_us)
{
	int64_t longest = 0;

	for (size_t cpu = 0; cpu < w->count; cpu++) {
		const struct stall_cpu *c = w->cpus[cpu];
		size_t count = __atomic_load_n(&c->count, __ATOMIC_ACQUIRE);

		for (size_t i = 0; i < count && i < STALL_KEPT; i++) {
			const struct stall *s = &c->kept[i];

			if (s->from_us < to_us && s->to_us > from_us && s->to_us - s->from_us > longest)
				longest = s->to_us - s->from_us;
		}
	}
	return longest;
}

static void *watch(void *arg)
{
	struct stall_cpu *c = arg;
	int64_t last = now_us();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)c->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		return NULL;
	for (;;) {
		const struct timespec tick = { .tv_nsec = STALL_TICK_US * 1000 };
		int64_t now;

		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
		now = now_us();
		stall_note(c, last, now);
		last = now;
	}
}

enum gw_err stall_watch_start(struct stall_watch *w)
{
	pthread_attr_t attr;
	struct sched_param priority = { .sched_priority = sched_get_priority_max(SCHED_FIFO) };
	cpu_set_t mine;
	pthread_t thread;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		return GW_EPERM;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	(void)pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	(void)pthread_attr_setschedparam(&attr, &priority);
	for (int cpu = 0; cpu < CPU_SETSIZE && w->count < STALL_CPUS; cpu++) {
		if (!CPU_ISSET((size_t)cpu, &mine))
			continue;
		w->cpus[w->count] = calloc(1, sizeof(struct stall_cpu));
		if (!w->cpus[w->count])
			return GW_ENOMEM;
		w->cpus[w->count]->cpu = cpu;
		if (pthread_create(&thread, &attr, watch, w->cpus[w->count]) != 0) {
			free(w->cpus[w->count]);
			w->cpus[w->count] = NULL;
			return GW_EPERM;
		}
		w->count++;
	}
	(void)pthread_attr_destroy(&attr);
	return GW_OK;
}
