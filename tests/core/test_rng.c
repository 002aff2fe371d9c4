#include "core/rng.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check_main.h"

/* No two draws alike, over sizes below, at and above the buffer, and none of them zero. */
START_TEST(system_draws_differ)
{
	static const size_t sizes[] = { 16, 17, 100, 511, 512, 513, 1023, 1024, 1025, 5000 };
	struct rng *g = rng_system_create();
	uint8_t seen[200][16];
	size_t count = 0, i, j;

	ck_assert_ptr_nonnull(g);
	for (i = 0; i < 200; i++) {
		uint8_t buf[5001];
		size_t n = sizes[i % ARRAY_LEN(sizes)];
		uint8_t *tail = buf + n - 16;

		memset(buf, 0, sizeof(buf));
		ck_assert_int_eq(rng_fill(g, buf, n), GW_OK);
		ck_assert_uint_eq(buf[n], 0);
		for (j = 0; j < count; j++)
			ck_assert(memcmp(seen[j], tail, 16) != 0);
		memcpy(seen[count++], tail, 16);
		ck_assert(memcmp(tail, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) != 0);
	}
	rng_system_destroy(g);
}
END_TEST

START_TEST(system_nothing_and_null)
{
	struct rng *g = rng_system_create();

	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(rng_fill(g, NULL, 0), GW_OK);
	rng_system_destroy(g);
	rng_system_destroy(NULL);
}
END_TEST

/* Every bit is set about half of the time: 8 deviations would be needed to fail. */
START_TEST(system_is_balanced)
{
	struct rng *g = rng_system_create();
	unsigned ones[64] = { 0 };
	unsigned i, bit;

	ck_assert_ptr_nonnull(g);
	for (i = 0; i < 4096; i++) {
		uint64_t v;

		ck_assert_int_eq(rng_fill(g, &v, sizeof(v)), GW_OK);
		for (bit = 0; bit < 64; bit++)
			ones[bit] += (unsigned)(v >> bit & 1);
	}
	for (bit = 0; bit < 64; bit++) {
		ck_assert_uint_gt(ones[bit], 2048 - 256);
		ck_assert_uint_lt(ones[bit], 2048 + 256);
	}
	rng_system_destroy(g);
}
END_TEST

/* A child must not repeat what the parent draws from the buffer that both had. */
START_TEST(system_differs_after_fork)
{
	struct rng *g = rng_system_create();
	uint8_t warm[8], mine[32], theirs[32];
	int fd[2], status;
	pid_t child;

	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(rng_fill(g, warm, sizeof(warm)), GW_OK);
	ck_assert_int_eq(pipe(fd), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (rng_fill(g, mine, sizeof(mine)) != GW_OK || write(fd[1], mine, sizeof(mine)) != sizeof(mine))
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(rng_fill(g, mine, sizeof(mine)), GW_OK);
	ck_assert_int_eq(read(fd[0], theirs, sizeof(theirs)), sizeof(theirs));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(memcmp(mine, theirs, sizeof(mine)) != 0);
	close(fd[0]);
	close(fd[1]);
	rng_system_destroy(g);
}
END_TEST

/* The published first outputs of xoshiro256** seeded through splitmix64(0). */
START_TEST(seeded_is_xoshiro)
{
	static const uint64_t want[] = { 0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0,
					 0x6aa594f1262d2d2c };
	struct rng_seeded s;
	size_t i;

	rng_seeded_init(&s, 0);
	ck_assert(s.s[0] == 0xe220a8397b1dcdaf && s.s[1] == 0x6e789e6aa1b965f4);
	for (i = 0; i < ARRAY_LEN(want); i++) {
		uint8_t b[8];
		uint64_t v = 0;
		size_t j;

		ck_assert_int_eq(rng_fill(&s.rng, b, sizeof(b)), GW_OK);
		for (j = 8; j > 0; j--)
			v = v << 8 | b[j - 1];
		ck_assert(v == want[i]);
	}
}
END_TEST

START_TEST(seeded_repeats_and_seeds_differ)
{
	struct rng_seeded a, b, c;
	uint8_t x[100], y[100], z[100];

	rng_seeded_init(&a, 7);
	rng_seeded_init(&b, 7);
	rng_seeded_init(&c, 8);
	ck_assert_int_eq(rng_fill(&a.rng, x, sizeof(x)), GW_OK);
	ck_assert_int_eq(rng_fill(&b.rng, y, sizeof(y)), GW_OK);
	ck_assert_int_eq(rng_fill(&c.rng, z, sizeof(z)), GW_OK);
	ck_assert_mem_eq(x, y, sizeof(x));
	ck_assert(memcmp(x, z, sizeof(x)) != 0);
}
END_TEST

START_TEST(below_is_uniform_and_in_range)
{
	struct rng_seeded s;
	unsigned hits[7] = { 0 };
	unsigned i;

	rng_seeded_init(&s, 1);
	for (i = 0; i < 7000; i++) {
		uint64_t v = rng_below(&s.rng, 7);

		ck_assert(v < 7);
		hits[v]++;
	}
	for (i = 0; i < 7; i++) {
		ck_assert_uint_gt(hits[i], 800);
		ck_assert_uint_lt(hits[i], 1200);
	}
	ck_assert(rng_below(&s.rng, 1) == 0);
}
END_TEST

struct scripted {
	struct rng rng;
	uint64_t values[2];
	unsigned next;
};

static enum gw_err scripted_fill(struct rng *g, void *out, size_t n)
{
	struct scripted *s = (struct scripted *)(void *)g;

	ck_assert_uint_eq(n, 8);
	if (s->next == ARRAY_LEN(s->values))
		return GW_EIO;
	memcpy(out, &s->values[s->next++], n);
	return GW_OK;
}

/* 2^64 = 1 mod 3: the one value that would make 0 likelier is drawn again. */
START_TEST(below_rejects_the_biased_value)
{
	struct scripted s = { { scripted_fill }, { 0, 5 }, 0 };

	ck_assert(rng_below(&s.rng, 3) == 2);
	ck_assert_uint_eq(s.next, 2);
	/* the source has failed */
	ck_assert(rng_below(&s.rng, 3) == 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rng");

	tcase_add_test(t, system_draws_differ);
	tcase_add_test(t, system_nothing_and_null);
	tcase_add_test(t, system_is_balanced);
	tcase_add_test(t, system_differs_after_fork);
	tcase_add_test(t, seeded_is_xoshiro);
	tcase_add_test(t, seeded_repeats_and_seeds_differ);
	tcase_add_test(t, below_is_uniform_and_in_range);
	tcase_add_test(t, below_rejects_the_biased_value);
	return check_main("rng", t);
}
