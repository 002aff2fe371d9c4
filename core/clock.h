/* The only time source. Monotonic, suspended time included (CLOCK_BOOTTIME); the wall clock is for people and files. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Monotonic microseconds; a struct so that units cannot mix. */
typedef struct {
	int64_t us;
} mtime;

#define MTIME_NEVER ((mtime){ INT64_MAX })

struct clock {
	mtime (*now)(const struct clock *c);
	int64_t (*wall)(const struct clock *c);	   /* seconds since 1970 */
	int64_t (*wall_us)(const struct clock *c); /* the same in microseconds, for logs; NULL: not that exactly */
};

/* The system's clock: static, stateless. */
const struct clock *clock_system(void);

static inline mtime clock_now(const struct clock *c)
{
	return c->now(c);
}

static inline mtime mtime_add(mtime t, int64_t us)
{
	if (us > 0 && t.us > INT64_MAX - us)
		return MTIME_NEVER;
	return (mtime){ t.us + us };
}

static inline bool mtime_reached(mtime due, mtime now)
{
	return due.us <= now.us;
}

static inline mtime mtime_min(mtime a, mtime b)
{
	return a.us < b.us ? a : b;
}

static inline int64_t mtime_since(mtime then, mtime now)
{
	return now.us - then.us;
}

#define SECONDS(n) ((int64_t)(n)*1000000)
#define MILLISECONDS(n) ((int64_t)(n)*1000)

#endif
