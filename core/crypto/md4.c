#include "core/crypto/md4.h"

#include "core/secret.h"

enum { BLOCK = 64, WORDS = 16, LENGTH_AT = 56 };

static uint32_t rotate(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_word(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* RFC 1320 3.4: three rounds of 16 steps, which differ in function, constant, order of the words, and shifts. */
static uint32_t mix(unsigned round, uint32_t x, uint32_t y, uint32_t z)
{
	switch (round) {
	case 0:
		return (x & y) | (~x & z);
	case 1:
		return (x & y) | (x & z) | (y & z);
	default:
		return x ^ y ^ z;
	}
}

static void digest_block(uint32_t state[4], const uint8_t *block)
{
	static const uint32_t add[3] = { 0, 0x5a827999, 0x6ed9eba1 };
	static const uint8_t order[3][WORDS] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
		{ 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 },
		{ 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 },
	};
	static const uint8_t shift[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < WORDS; i++) {
			uint32_t word = word_at(block + 4 * (size_t)order[round][i]);
			uint32_t next = rotate(a + mix(round, b, c, d) + word + add[round], shift[round][i % 4]);

			a = d;
			d = c;
			c = b;
			b = next;
		}
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void md4(struct bytes message, uint8_t out[MD4_LEN])
{
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint8_t last[2 * BLOCK] = { 0x80 };
	size_t whole = message.n / BLOCK, rest = message.n % BLOCK, n = rest < LENGTH_AT ? BLOCK : 2 * BLOCK;
	uint64_t bits = (uint64_t)message.n * 8;

	for (size_t i = 0; i < whole; i++)
		digest_block(state, message.p + i * BLOCK);
	if (rest > 0)
		memcpy(last, message.p + whole * BLOCK, rest);
	last[rest] = 0x80;
	put_word(last + n - 8, (uint32_t)bits);
	put_word(last + n - 4, (uint32_t)(bits >> 32));
	for (size_t i = 0; i < n; i += BLOCK)
		digest_block(state, last + i);
	for (size_t i = 0; i < 4; i++)
		put_word(out + 4 * i, state[i]);
	secret_wipe(last, sizeof(last));
	secret_wipe(state, sizeof(state));
}
