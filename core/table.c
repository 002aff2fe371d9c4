#include "core/table.h"

enum gw_err table_seed_init(struct table_seed *s, struct rng *rng)
{
	return rng_fill(rng, s, sizeof(*s));
}

static inline uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* Little endian on every machine: the reference's vectors hold. Written out, compilers make one load of it. */
static inline uint64_t load_le8(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* SipHash-1-3 (Aumasson, Bernstein: SipHash with one compression and three finalisation rounds). */
unsigned table_hash(const struct table_seed *s, const void *key, size_t n)
{
	uint64_t v[4] = {
		s->k0 ^ UINT64_C(0x736f6d6570736575),
		s->k1 ^ UINT64_C(0x646f72616e646f6d),
		s->k0 ^ UINT64_C(0x6c7967656e657261),
		s->k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = key;
	uint64_t last = (uint64_t)n << 56;
	uint64_t h;
	size_t left;

	for (left = n; left >= 8; left -= 8, p += 8) {
		uint64_t m = load_le8(p);

		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	last |= load_le(p, left);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	h = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (unsigned)(h ^ h >> 32);
}
