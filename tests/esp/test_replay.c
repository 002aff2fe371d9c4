#include "esp/replay.h"

#include "tests/esp/esp_check.h"

#define K UINT64_C(0x100000000)

static uint64_t bits[REPLAY_WINDOW_MAX / 64 + 1];

/* One numbered story: the same SA throughout, a window of 64. */
START_TEST(numbered_table)
{
	static const struct {
		uint64_t seq;
		bool taken;
	} rows[] = {
		/*  1 */ { 0, false },
		/*  2 */ { 1, true },
		/*  3 */ { 1, false },
		/*  4 */ { 9, true },
		/*  5 */ { 8, true },
		/*  6 */ { 7, true },
		/*  7 */ { 7, false },
		/*  8 */ { 64, true },
		/*  9 */ { 63, true },
		/* 10 */ { 65, true },
		/* 11 */ { 2, true },  /* the oldest inside: 65 - 63 */
		/* 12 */ { 1, false }, /* outside */
		/* 13 */ { 66, true },
		/* 14 */ { 2, false },
		/* 15 */ { 3, true },
		/* 16 */ { 129, true },
		/* 17 */ { 66, false }, /* seen, and still inside */
		/* 18 */ { 67, true },
		/* 19 */ { 65, false },
		/* 20 */ { 1000, true },
		/* 21 */ { 129, false },
		/* 22 */ { 937, true },
		/* 23 */ { 936, false },
		/* 24 */ { 999, true },
		/* 25 */ { 1064, true }, /* exactly a window further */
		/* 26 */ { 1000, false },
		/* 27 */ { 1001, true },
		/* 28 */ { 1063, true },
		/* 29 */ { 1063, false },
		/* 30 */ { K - 1, true },
		/* 31 */ { K, true },
		/* 32 */ { K - 1, false },
		/* 33 */ { K - 63, true },
		/* 34 */ { K - 64, false },
		/* 35 */ { UINT64_MAX, true },
		/* 36 */ { UINT64_MAX, false },
		/* 37 */ { UINT64_MAX - 63, true },
		/* 38 */ { UINT64_MAX - 64, false },
	};
	struct replay r;

	replay_init(&r, 64, 0, bits);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(replay_check(&r, rows[i].seq) == rows[i].taken, "check in row %zu", i + 1);
		ck_assert_msg(replay_accept(&r, rows[i].seq) == rows[i].taken, "accept in row %zu", i + 1);
	}
}
END_TEST

/* Against a plain set, over random walks of every size of window. */
START_TEST(like_a_set)
{
	static const uint32_t windows[] = { 1, 32, 63, 64, 65, 128, 1000, 1024, 4096 };
	enum { TOP = 40000 };
	bool *seen = calloc(TOP, 1);
	struct rng_seeded rng;

	ck_assert_ptr_nonnull(seen);
	rng_seeded_init(&rng, 7);
	for (size_t w = 0; w < ARRAY_LEN(windows); w++) {
		uint64_t top = 0;
		struct replay r;

		memset(seen, 0, TOP);
		seen[0] = true;
		replay_init(&r, windows[w], 0, bits);
		for (int i = 0; i < 20000; i++) {
			uint64_t back = rng_below(&rng.rng, windows[w] * 2u + 3),
				 seq = top + 3 > back ? top + 3 - back : 0;
			bool fresh = !seen[seq] && top < seq + windows[w];

			ck_assert_msg(replay_accept(&r, seq) == fresh, "window %u top %lu seq %lu", windows[w], top,
				      seq);
			if (!fresh)
				continue;
			seen[seq] = true;
			top = seq > top ? seq : top;
			ck_assert_uint_eq(r.top, top);
			if (top > TOP - 10)
				break;
		}
	}
	free(seen);
}
END_TEST

START_TEST(starts_anywhere)
{
	struct replay r;

	replay_init(&r, 64, 1000, bits);
	for (uint64_t seq = 900; seq <= 1000; seq++)
		ck_assert(!replay_accept(&r, seq));
	ck_assert(replay_accept(&r, 1001));
	ck_assert(!replay_accept(&r, 1000));
	ck_assert(replay_accept(&r, 1003));
	ck_assert(replay_accept(&r, 1002));
}
END_TEST

START_TEST(advances)
{
	struct replay r;

	replay_init(&r, 64, 0, bits);
	ck_assert(replay_accept(&r, 100));
	/* Behind the top: the numbers up to it are gone, those above are not. */
	replay_advance(&r, 90);
	ck_assert_uint_eq(r.top, 100);
	ck_assert(!replay_accept(&r, 90));
	ck_assert(!replay_accept(&r, 37));
	ck_assert(replay_accept(&r, 91));
	ck_assert(replay_accept(&r, 99));
	replay_advance(&r, 10);
	ck_assert(replay_accept(&r, 92));
	/* At the top, and ahead. */
	replay_advance(&r, 100);
	ck_assert(!replay_accept(&r, 98));
	replay_advance(&r, K + 5);
	ck_assert_uint_eq(r.top, K + 5);
	ck_assert(!replay_accept(&r, K + 5));
	ck_assert(!replay_accept(&r, 101));
	ck_assert(replay_accept(&r, K + 6));
	/* Below one window from 0. */
	replay_init(&r, 64, 0, bits);
	ck_assert(replay_accept(&r, 10));
	replay_advance(&r, 5);
	ck_assert(!replay_accept(&r, 5));
	ck_assert(replay_accept(&r, 6));
}
END_TEST

START_TEST(without_a_window)
{
	struct replay r;

	ck_assert_uint_eq(replay_words(0), 0);
	replay_init(&r, 0, 5, NULL);
	ck_assert(replay_accept(&r, 9));
	ck_assert(replay_accept(&r, 9));
	ck_assert(replay_accept(&r, 1));
	ck_assert(!replay_accept(&r, 0));
	ck_assert_uint_eq(r.top, 9);
	replay_advance(&r, 20);
	replay_advance(&r, 3);
	ck_assert_uint_eq(r.top, 20);
}
END_TEST

/* RFC 4303 A2.2: cases A and B, at the borders of the subspaces. */
START_TEST(guesses_the_upper_half)
{
	static const struct {
		uint64_t top;
		uint32_t window;
		uint32_t wire;
		uint64_t expected;
	} rows[] = {
		{ 0, 64, 1, 1 },
		{ 10, 64, 5, 5 },
		{ 10, 64, 0xffffffff, 0xffffffff }, /* below the first subspace there is none */
		{ 100, 64, 37, 37 },
		{ 100, 64, 36, K + 36 }, /* too old here means new there: the ICV decides */
		{ K - 1, 64, 0xffffffff, K - 1 },
		{ K - 1, 64, 0, K },
		{ K - 1, 64, 5, K + 5 },
		{ K - 1, 64, 0xffffffc0, K - 64 },
		{ K - 1, 64, 0xffffffbf, K + 0xffffffbf },
		{ K, 64, 0xffffffff, K - 1 },
		{ K, 64, 0xffffffc1, K - 63 },
		{ K, 64, 0xffffffc0, K + 0xffffffc0 },
		{ K + 62, 64, 0xffffffff, K - 1 },
		{ K + 63, 64, 0, K },
		{ K + 63, 64, 0xffffffff, K + 0xffffffff },
		{ 5 * K + 10, 4096, 0xfffffff0, 5 * K - 16 },
		{ 5 * K + 0x80000000, 4096, 0x7ffffff0, 5 * K + 0x7ffffff0 },
		{ 5 * K + 0x80000000, 4096, 0x7fff0000, 6 * K + 0x7fff0000 },
		/* Without a window: the nearest. */
		{ K + 10, 0, 0xfffffff0, K - 16 },
		{ K + 10, 0, 0x10000000, K + 0x10000000 },
		{ K - 10, 0, 5, K + 5 },
	};
	struct replay r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		replay_init(&r, rows[i].window, rows[i].top, bits);
		ck_assert_msg(replay_guess(&r, true, rows[i].wire) == rows[i].expected, "row %zu: %lx", i,
			      replay_guess(&r, true, rows[i].wire));
		ck_assert_uint_eq(replay_guess(&r, false, rows[i].wire), rows[i].wire);
		ck_assert_uint_eq(r.top, rows[i].top);
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, numbered_table);
	tcase_add_test(t, like_a_set);
	tcase_add_test(t, starts_anywhere);
	tcase_add_test(t, advances);
	tcase_add_test(t, without_a_window);
	tcase_add_test(t, guesses_the_upper_half);
}

int main(void)
{
	return run_cases("replay", add);
}
