#include "esp/sad.h"

#include "tests/esp/esp_check.h"

static struct rng_seeded rng;
static struct sad *sad;

static void begin(void)
{
	rng_seeded_init(&rng, 1);
	sad = sad_create(&rng.rng);
	ck_assert_ptr_nonnull(sad);
}

static void end(void)
{
	sad_destroy(sad);
}

static struct sad_sa *add_sa(const struct dp_sa *in)
{
	const char *why;
	struct sad_sa *sa;

	ck_assert_int_eq(sad_sa_create(sad, in, &sa, &why), GW_OK);
	ck_assert_int_eq(sad_link(sad, sa), GW_OK);
	return sa;
}

static void remove_sa(struct sad_sa *sa)
{
	sad_unlink(sad, sa);
	sad_sa_destroy(sad, sa);
}

START_TEST(finds)
{
	struct dp_sa in = sa_of(DP_IN, 0x1000, 1), out = sa_of(DP_OUT, 0x1000, 1), twin = out;
	struct sad_sa *a = add_sa(&in), *b = add_sa(&out), *c;
	struct dp_sa_id id = id_of(&in);

	twin.remote.addr = addr_of("192.0.2.99"); /* another peer's SPI may be the same */
	c = add_sa(&twin);
	ck_assert_uint_eq(sad_count(sad), 3);
	id.remote = addr_of("203.0.113.1"); /* ignored for DP_IN */
	ck_assert_ptr_eq(sad_find(sad, &id), a);
	ck_assert_ptr_eq(sad_find_in(sad, 0x1000), a);
	ck_assert_ptr_null(sad_find_in(sad, 0x1001));
	id = id_of(&out);
	ck_assert_ptr_eq(sad_find(sad, &id), b);
	id = id_of(&twin);
	ck_assert_ptr_eq(sad_find(sad, &id), c);
	id.remote = addr_of("192.0.2.98");
	ck_assert_ptr_null(sad_find(sad, &id));
	/* Octets behind an IPv4 address do not matter. */
	id = id_of(&out);
	id.remote.b[9] = 1;
	ck_assert_ptr_eq(sad_find(sad, &id), b);
	remove_sa(b);
	id = id_of(&out);
	ck_assert_ptr_null(sad_find(sad, &id));
	ck_assert_ptr_eq(sad_find_in(sad, 0x1000), a);
}
END_TEST

START_TEST(refuses)
{
	struct dp_sa good = sa_of(DP_IN, 0x1000, 1), bad;
	struct sad_sa *sa;
	const char *why = NULL;

#define REFUSED(change) \
	do { \
		bad = good; \
		change; \
		ck_assert_int_eq(sad_sa_create(sad, &bad, &sa, &why), GW_EINVAL); \
		ck_assert_ptr_nonnull(why); \
	} while (0)
	REFUSED(bad.spi = 0);
	REFUSED(bad.reqid = 0);
	REFUSED(bad.suite.encr = NULL);
	REFUSED(bad.encr_key.n--);
	REFUSED(bad.integ_key.n++);
	REFUSED(bad.replay_window = REPLAY_WINDOW_MAX + 1);
	REFUSED(bad.remote.addr = addr_of("fd00::1"));
	REFUSED(bad.suite.encr = encr_find(ENCR_AES_CBC));
#undef REFUSED
	(void)add_sa(&good);
	ck_assert_int_eq(sad_sa_create(sad, &good, &sa, &why), GW_OK);
	ck_assert_int_eq(sad_link(sad, sa), GW_EEXIST);
	sad_sa_destroy(sad, sa);
}
END_TEST

START_TEST(newest_goes_out)
{
	struct dp_sa a = sa_of(DP_OUT, 0xa, 5), b = sa_of(DP_OUT, 0xb, 5), c = sa_of(DP_OUT, 0xc, 5),
		     other = sa_of(DP_OUT, 0xd, 6), in = sa_of(DP_IN, 0xe, 5);
	struct sad_sa *sa = add_sa(&a), *sb = add_sa(&b), *sc = add_sa(&c);

	(void)add_sa(&other);
	(void)add_sa(&in);
	ck_assert_ptr_eq(sad_newest_out(sad, 5), sc);
	/* Taken out and put back, as a batch that fails does: it keeps its place. */
	sad_unlink(sad, sb);
	ck_assert_int_eq(sad_link(sad, sb), GW_OK);
	ck_assert_ptr_eq(sad_newest_out(sad, 5), sc);
	remove_sa(sc);
	ck_assert_ptr_eq(sad_newest_out(sad, 5), sb);
	remove_sa(sa);
	ck_assert_ptr_eq(sad_newest_out(sad, 5), sb);
	remove_sa(sb);
	ck_assert_ptr_null(sad_newest_out(sad, 5));
	ck_assert_ptr_nonnull(sad_newest_out(sad, 6));
}
END_TEST

START_TEST(moves)
{
	struct dp_sa out = sa_of(DP_OUT, 0xa, 5), in = sa_of(DP_IN, 0xb, 5), blocker = sa_of(DP_OUT, 0xa, 6);
	struct endpoint there = endpoint_of("198.51.100.7", 1024), here = out.local;
	struct sad_sa *sa = add_sa(&out), *si = add_sa(&in);
	struct dp_sa_id id = id_of(&out);

	ck_assert_int_eq(sad_move(sad, sa, &here, &there, true), GW_OK);
	ck_assert_ptr_null(sad_find(sad, &id));
	id.remote = there.addr;
	ck_assert_ptr_eq(sad_find(sad, &id), sa);
	ck_assert(endpoint_equal(&sa->remote, &there));
	ck_assert_ptr_eq(sad_newest_out(sad, 5), sa);
	/* Only another port: same key. */
	there.port = 1025;
	ck_assert_int_eq(sad_move(sad, sa, &here, &there, true), GW_OK);
	ck_assert_uint_eq(sa->remote.port, 1025);
	ck_assert_int_eq(sad_move(sad, si, &here, &there, true), GW_OK);
	ck_assert_ptr_eq(sad_find_in(sad, 0xb), si);
	/* Where another SA of that SPI is already. */
	(void)add_sa(&blocker);
	ck_assert_int_eq(sad_move(sad, sa, &here, &blocker.remote, true), GW_EEXIST);
	ck_assert(endpoint_equal(&sa->remote, &there));
}
END_TEST

START_TEST(fences)
{
	struct dp_sa out = sa_of(DP_OUT, 0xa, 5);
	struct sad_sa *sa;
	uint64_t seq = 0;
	unsigned tell;

	out.start = 100;
	out.fence = 110;
	sa = add_sa(&out);
	for (uint64_t i = 101; i <= 105; i++)
		ck_assert(sad_next(sa, &seq, &tell) && seq == i && tell == 0);
	/* Less than half of the block of ten is left: four. */
	ck_assert(sad_next(sa, &seq, &tell) && seq == 106 && tell == SAD_TELL_NEAR);
	for (uint64_t i = 107; i <= 110; i++)
		ck_assert(sad_next(sa, &seq, &tell) && seq == i && tell == 0);
	ck_assert(!sad_next(sa, &seq, &tell) && tell == SAD_TELL_AT);
	ck_assert(!sad_next(sa, &seq, &tell) && tell == 0);
	ck_assert_uint_eq(sa->position, 110);
	/* The next block is between the two fences, wherever the position is. */
	sad_set_fence(sa, 130);
	for (uint64_t i = 111; i <= 130; i++)
		ck_assert(sad_next(sa, &seq, &tell) && seq == i && tell == (i == 121 ? SAD_TELL_NEAR : 0));
	ck_assert(!sad_next(sa, &seq, &tell) && tell == SAD_TELL_AT);
	/* Granted ahead: half of the new block is behind the old fence. */
	sad_set_fence(sa, 150);
	sad_set_fence(sa, 250);
	for (uint64_t i = 131; i <= 250; i++)
		ck_assert(sad_next(sa, &seq, &tell) && seq == i && tell == (i == 201 ? SAD_TELL_NEAR : 0));
	/* Lowered below the position: nothing goes. Lifted: all goes. */
	sad_set_fence(sa, 10);
	ck_assert(!sad_next(sa, &seq, &tell) && tell == SAD_TELL_AT);
	sad_set_fence(sa, DP_NO_FENCE);
	ck_assert(sad_next(sa, &seq, &tell) && seq == 251 && tell == 0);
}
END_TEST

/* RFC 4303 3.3.3 without ESN; DESIGN.md §4 with it. */
START_TEST(natural_ends)
{
	struct dp_sa out = sa_of(DP_OUT, 0xa, 5), esn = sa_of(DP_OUT, 0xb, 5);
	struct sad_sa *a, *b;
	uint64_t seq;
	unsigned tell;

	out.start = UINT64_C(0xfffffffe);
	a = add_sa(&out);
	ck_assert(sad_next(a, &seq, &tell) && seq == 0xffffffff && tell == 0);
	ck_assert(!sad_next(a, &seq, &tell) && tell == SAD_TELL_AT);
	esn.esn = true;
	esn.start = UINT64_C(0xfffffffe);
	b = add_sa(&esn);
	ck_assert(sad_next(b, &seq, &tell) && sad_next(b, &seq, &tell) && seq == UINT64_C(0x100000000));
	b->position = (UINT64_C(1) << 35) - 2;
	ck_assert(sad_next(b, &seq, &tell) && seq == (UINT64_C(1) << 35) - 1);
	ck_assert(!sad_next(b, &seq, &tell) && tell == SAD_TELL_AT);
}
END_TEST

START_TEST(dumps)
{
	enum { N = 100 };
	struct dp_sa_state out[7];
	struct sad_sa *all[N];
	bool told[N + 1] = { 0 };
	uint64_t cookie = 0;
	size_t n, turns = 0;

	n = sad_dump(sad, &cookie, out, 7);
	ck_assert(n == 0 && cookie == 0);
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa in = sa_of(DP_IN, 0x1000 + i, 1 + i);

		in.start = i;
		in.base = (struct dp_counters){ i, 10 * i };
		all[i] = add_sa(&in);
	}
	do {
		n = sad_dump(sad, &cookie, out, 7);
		for (size_t i = 0; i < n; i++) {
			uint32_t k = out[i].id.spi - 0x1000;

			ck_assert(k < N && !told[k]);
			told[k] = true;
			ck_assert_uint_eq(out[i].position, k);
			ck_assert_uint_eq(out[i].reqid, 1 + k);
			ck_assert_uint_eq(out[i].count.bytes, 10 * k);
		}
		/* Between two calls anything may go: what was told, what is next, what is last. */
		if (turns++ == 3)
			for (uint32_t i = 25; i < 32; i++) {
				remove_sa(all[i]);
				told[i] = i < 28 ? told[i] : true;
			}
	} while (cookie != 0);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_msg(told[i], "SA %u", i);
	/* Two dumps at once, cursors or not. */
	for (uint64_t a = 0, b = 0, i = 0; i < 10; i++) {
		ck_assert_uint_eq(sad_dump(sad, &a, out, 2), 2);
		ck_assert_uint_eq(out[0].id.spi, 0x1000 + 2 * i);
		ck_assert_uint_eq(sad_dump(sad, &b, out, 1), 1);
		ck_assert_uint_eq(out[0].id.spi, 0x1000 + i);
	}
}
END_TEST

/* Keyed ciphers: made when needed, at most so many, the one used longest ago goes, idle ones are swept. */
START_TEST(ciphers)
{
	struct err e = { 0 };
	struct crypto *crypto = crypto_create(&e);
	struct sad_sa *all[5];
	struct cipher *k, *again;

	ck_assert_ptr_nonnull(crypto);
	for (uint32_t i = 0; i < 5; i++) {
		struct dp_sa in = sa_of(DP_IN, 0x1000 + i, 1);

		all[i] = add_sa(&in);
		all[i]->last_use = (mtime){ SECONDS(i) };
	}
	ck_assert_uint_eq(sad_busy(sad), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sad_cipher(sad, crypto, all[i], 3, &k), GW_OK);
	ck_assert_uint_eq(sad_busy(sad), 3);
	ck_assert_int_eq(sad_cipher(sad, crypto, all[0], 3, &k), GW_OK);
	ck_assert_int_eq(sad_cipher(sad, crypto, all[0], 3, &again), GW_OK);
	ck_assert_ptr_eq(k, again);
	ck_assert_int_eq(sad_cipher(sad, crypto, all[3], 3, &k), GW_OK);
	ck_assert_uint_eq(sad_busy(sad), 3);
	ck_assert(all[0]->busy && !all[1]->busy && all[2]->busy && all[3]->busy);
	all[0]->last_use = (mtime){ SECONDS(9) };
	sad_sweep(sad, (mtime){ SECONDS(3) });
	ck_assert_ptr_null(all[2]->busy);
	ck_assert_uint_eq(sad_busy(sad), 2);
	remove_sa(all[3]);
	ck_assert_uint_eq(sad_busy(sad), 1);
	/* Those left must not point into a crypto that is gone. */
	sad_sweep(sad, MTIME_NEVER);
	ck_assert_uint_eq(sad_busy(sad), 0);
	crypto_destroy(crypto);
}
END_TEST

/* With and without the kernel plane's part: bitmap and keys lie behind what there is, and do not overlap. */
START_TEST(bare_ones)
{
	for (unsigned i = 0; i < 4; i++) {
		struct dp_sa in = sa_of(i & 1 ? DP_OUT : DP_IN, 0x1000 + i, 5);
		struct dp_sa_state state;
		struct sad_sa *sa;
		const char *why;

		in.replay_window = 1024;
		in.extra.if_id = 7;
		in.base = (struct dp_counters){ 3, 4 };
		ck_assert_int_eq((i & 2 ? sad_sa_create : sad_sa_create_bare)(sad, &in, &sa, &why), GW_OK);
		ck_assert_int_eq(sad_link(sad, sa), GW_OK);
		for (uint64_t seq = 1; in.dir == DP_IN && seq < 5000; seq++) {
			ck_assert(replay_accept(&sa->replay, seq));
			ck_assert(!replay_accept(&sa->replay, seq));
		}
		ck_assert(bytes_equal(sad_encr_key(sa), in.encr_key));
		ck_assert(bytes_equal(sad_integ_key(sa), in.integ_key));
		if (i & 2)
			ck_assert_uint_eq(sa->extra.if_id, 7);
		sad_state(sa, &state);
		ck_assert(state.fence == DP_NO_FENCE && state.count.bytes == 4 && state.last_use.us == 0);
		ck_assert(state.replays == 0 && state.bad_icv == 0 && state.bad_policy == 0);
		ck_assert_uint_eq(state.position, in.dir == DP_IN ? 4999 : in.start);
	}
}
END_TEST

/* The newest of a reqid hands over, and its place is found again, whatever goes in which order. */
START_TEST(generations)
{
	enum { N = 7, REQIDS = 3 };
	struct sad_sa *all[REQIDS][N] = { 0 };

	for (uint32_t n = 0; n < N; n++)
		for (uint32_t r = 0; r < REQIDS; r++) {
			struct dp_sa in = sa_of(DP_OUT, 0x1000 + 16 * n + r, 1 + r);

			all[r][n] = add_sa(&in);
			ck_assert_ptr_eq(sad_newest_out(sad, 1 + r), all[r][n]);
		}
	for (uint32_t step = 0; step < 400; step++) {
		uint32_t r = step % REQIDS, n = (step * 7 + step / 5) % N, newest = N;

		if (all[r][n] && step % 4 == 0) { /* out and back again */
			sad_unlink(sad, all[r][n]);
			ck_assert_int_eq(sad_link(sad, all[r][n]), GW_OK);
		} else if (all[r][n]) {
			remove_sa(all[r][n]);
			all[r][n] = NULL;
		} else {
			struct dp_sa in = sa_of(DP_OUT, 0x1000 + 16 * n + r, 1 + r);

			all[r][n] = add_sa(&in);
		}
		for (uint32_t i = 0; i < N; i++)
			if (all[r][i] && (newest == N || all[r][i]->age > all[r][newest]->age))
				newest = i;
		ck_assert_ptr_eq(sad_newest_out(sad, 1 + r), newest == N ? NULL : all[r][newest]);
	}
}
END_TEST

START_TEST(stays_small)
{
	ck_assert_uint_le(offsetof(struct sad_sa, extra), 328);
	ck_assert_uint_eq(replay_words(64), 2);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, finds);
	tcase_add_test(t, refuses);
	tcase_add_test(t, newest_goes_out);
	tcase_add_test(t, moves);
	tcase_add_test(t, fences);
	tcase_add_test(t, natural_ends);
	tcase_add_test(t, dumps);
	tcase_add_test(t, ciphers);
	tcase_add_test(t, bare_ones);
	tcase_add_test(t, generations);
	tcase_add_test(t, stays_small);
}

int main(void)
{
	return run_cases("sad", add);
}
