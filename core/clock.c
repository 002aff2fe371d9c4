#include "core/clock.h"

#include <time.h>

static mtime system_now(const struct clock *c)
{
	struct timespec t;

	(void)c;
	/* Cannot fail: the clock id is constant and every kernel we run on has it (2.6.39). */
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (mtime){ (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 };
}

static int64_t system_wall(const struct clock *c)
{
	struct timespec t;

	(void)c;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

static int64_t system_wall_us(const struct clock *c)
{
	struct timespec t;

	(void)c;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const struct clock system_clock = { .now = system_now, .wall = system_wall, .wall_us = system_wall_us };

const struct clock *clock_system(void)
{
	return &system_clock;
}
