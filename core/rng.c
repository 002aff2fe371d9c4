#include "core/rng.h"

#include "core/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

/*
 * The pool has pages of its own so that the kernel can zero them in a child after fork(2): `left` is then 0 and the
 * child draws its own, parent and child never share a random byte.
 */
struct pool {
	size_t left;
	uint8_t buf[1024]; /* the last `left` bytes are unused; used ones are zero */
};

struct rng_system {
	struct rng rng;
	struct pool *pool;
};

static enum gw_err draw(uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return GW_EIO;
		out += got;
		n -= (size_t)got;
	}
	return GW_OK;
}

static enum gw_err system_fill(struct rng *g, void *out, size_t n)
{
	struct pool *pool = ((struct rng_system *)(void *)g)->pool;
	uint8_t *from;

	if (n > sizeof(pool->buf) / 2)
		return draw(out, n);
	if (n > pool->left) {
		TRY(draw(pool->buf, sizeof(pool->buf)));
		pool->left = sizeof(pool->buf);
	}
	if (n == 0)
		return GW_OK;
	from = pool->buf + sizeof(pool->buf) - pool->left;
	memcpy(out, from, n);
	secret_wipe(from, n);
	pool->left -= n;
	return GW_OK;
}

struct rng *rng_system_create(void)
{
	struct rng_system *s = calloc(1, sizeof(*s));
	void *p;

	if (!s)
		return NULL;
	p = mmap(NULL, sizeof(struct pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(s);
		return NULL;
	}
	if (madvise(p, sizeof(struct pool), MADV_WIPEONFORK) < 0) {
		(void)munmap(p, sizeof(struct pool));
		free(s);
		return NULL;
	}
	s->rng.fill = system_fill;
	s->pool = p;
	return &s->rng;
}

void rng_system_destroy(struct rng *g)
{
	struct rng_system *s = (struct rng_system *)(void *)g;

	if (!s)
		return;
	secret_wipe(s->pool, sizeof(*s->pool));
	(void)munmap(s->pool, sizeof(*s->pool));
	free(s);
}

static uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

/* xoshiro256** 1.0 (Blackman, Vigna; public domain). */
static uint64_t seeded_next(uint64_t s[4])
{
	uint64_t out = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

static enum gw_err seeded_fill(struct rng *g, void *out, size_t n)
{
	struct rng_seeded *s = (struct rng_seeded *)(void *)g;
	uint8_t *at = out;

	while (n > 0) {
		uint64_t v = seeded_next(s->s);
		size_t take = n < sizeof(v) ? n : sizeof(v);
		size_t i;

		/* Byte by byte, so that a seed gives the same bytes on any machine. */
		for (i = 0; i < take; i++)
			at[i] = (uint8_t)(v >> (8 * i));
		at += take;
		n -= take;
	}
	return GW_OK;
}

void rng_seeded_init(struct rng_seeded *s, uint64_t seed)
{
	size_t i;

	s->rng.fill = seeded_fill;
	/* splitmix64, as the authors of xoshiro say: its output is never all zero for four words. */
	for (i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		s->s[i] = z ^ z >> 31;
	}
}

uint64_t rng_below(struct rng *g, uint64_t below)
{
	uint64_t reject = (0 - below) % below; /* 2^64 mod below: what would make the low values likelier */
	uint64_t v;

	do {
		if (rng_fill(g, &v, sizeof(v)) != GW_OK)
			return 0;
	} while (v < reject);
	return v % below;
}
