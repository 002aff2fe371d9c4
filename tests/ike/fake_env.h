/* An env whose clock stands still until a test moves it, and whose randomness is seeded. */
#ifndef TESTS_IKE_FAKE_ENV_H
#define TESTS_IKE_FAKE_ENV_H

#include "core/env.h"

struct fake_env {
	struct clock clock; /* first: the clock is cast back */
	mtime now;
	struct rng_seeded rng;
	struct env env;
};

static inline mtime fake_now(const struct clock *c)
{
	return ((const struct fake_env *)(const void *)c)->now;
}

static inline int64_t fake_wall(const struct clock *c)
{
	return fake_now(c).us / 1000000;
}

static inline void fake_env_init(struct fake_env *f)
{
	*f = (struct fake_env){ .clock = { .now = fake_now, .wall = fake_wall }, .now = { SECONDS(1000) } };
	rng_seeded_init(&f->rng, 7);
	f->env.clock = &f->clock;
	f->env.rng = &f->rng.rng;
}

static inline void fake_sleep(struct fake_env *f, int64_t us)
{
	f->now = mtime_add(f->now, us);
}

#endif
