/* What every engine is given: time, randomness, log, crypto, and who this node is. All borrowed; outlives the engine. */
#ifndef CORE_ENV_H
#define CORE_ENV_H

#include "core/clock.h"
#include "core/log.h"
#include "core/rng.h"

struct crypto;

/*
 * Nonces are unique by construction (DESIGN.md §4): node index (4 bits) | incarnation (24) | counter (36).
 * `incarnation` never repeats for a node index, over all starts of its process.
 */
struct node_id {
	uint8_t index;        /* 0..15 */
	uint32_t incarnation; /* 24 bits */
};

struct env {
	const struct clock *clock;
	struct rng *rng;
	struct log *log;
	struct crypto *crypto; /* of the thread that the engine runs on */
	struct node_id node;
};

#define NONCE_COUNTER_BITS 36
#define NONCE_COUNTER_MAX ((UINT64_C(1) << NONCE_COUNTER_BITS) - 1)

/* The 8 octets of an explicit IV, as a number; counter is at most NONCE_COUNTER_MAX. */
static inline uint64_t node_nonce(struct node_id n, uint64_t counter)
{
	return (uint64_t)(n.index & 15) << 60 | (uint64_t)(n.incarnation & 0xffffff) << NONCE_COUNTER_BITS | counter;
}

#endif
