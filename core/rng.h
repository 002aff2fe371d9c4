/* The only source of randomness. Tests pass a seeded one. */
#ifndef CORE_RNG_H
#define CORE_RNG_H

#include "core/err.h"

struct rng {
	/* Fills `out` with n bytes. Cryptographically strong in production. Fails only when the system does. */
	enum gw_err (*fill)(struct rng *g, void *out, size_t n);
};

/*
 * The system's: getrandom(2), buffered so that small draws cost no system call; used bytes are wiped.
 * Not thread-safe: one per thread. destroy takes NULL.
 */
struct rng *rng_system_create(void);
void rng_system_destroy(struct rng *g);

/* Deterministic xoshiro256** for tests and simulation; embed it and pass &s->rng. */
struct rng_seeded {
	struct rng rng;
	uint64_t s[4];
};
void rng_seeded_init(struct rng_seeded *s, uint64_t seed);

static inline MUST_USE enum gw_err rng_fill(struct rng *g, void *out, size_t n)
{
	return g->fill(g, out, n);
}

/* Uniform in 0..below-1 (below > 0); 0 when the source fails. For jitter and shuffles, not for keys. */
uint64_t rng_below(struct rng *g, uint64_t below);

#endif
