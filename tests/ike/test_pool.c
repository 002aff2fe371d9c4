/* Who gets which address, and for how long. */
#include "pool_check.h"

START_TEST(from_the_beginning_until_exhausted)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	ck_assert_str_eq(lease("d"), "10.0.0.4");
	check_usage("small", 4, 0);
	ck_assert_uint_eq(pool_usage(pools, "small").size, 4);
	ck_assert_str_eq(lease("e"), "none");
	check_usage("small", 4, 0);
	release("10.0.0.3");
	check_usage("small", 3, 1);
	ck_assert_str_eq(lease("e"), "10.0.0.3");
	ck_assert_str_eq(lease("c"), "none");
}
END_TEST

START_TEST(same_identity_same_address)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	release("10.0.0.1");
	release("10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	check_usage("small", 3, 0);
}
END_TEST

START_TEST(kind_is_part_of_the_identity)
{
	struct addr a, b;

	ck_assert_int_eq(pool_lease(pools, SMALL, ID_FQDN, bytes_str("x"), NULL, true, &a), GW_OK);
	ck_assert_int_eq(pool_lease(pools, SMALL, ID_KEY_ID, bytes_str("x"), NULL, true, &b), GW_OK);
	ck_assert(!addr_equal(&a, &b));
	/* Neither does a kind pass for data. */
	ck_assert_int_eq(pool_lease(pools, SMALL, ID_FQDN, bytes_str(""), NULL, true, &a), GW_OK);
	check_usage("small", 3, 0);
}
END_TEST

START_TEST(absent_for_longest_loses_first)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	ck_assert_str_eq(lease("d"), "10.0.0.4");
	release("10.0.0.2");
	fake_sleep(&env, SECONDS(1));
	release("10.0.0.1");
	fake_sleep(&env, SECONDS(1));
	release("10.0.0.4");
	ck_assert_str_eq(lease("e"), "10.0.0.2");
	ck_assert_str_eq(lease("f"), "10.0.0.1");
	ck_assert_str_eq(lease("a"), "10.0.0.4");
	ck_assert_str_eq(lease("d"), "none");
}
END_TEST

START_TEST(free_for_longest_is_taken_first)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	release("10.0.0.3");
	fake_sleep(&env, SECONDS(5));
	release("10.0.0.1");
	fake_sleep(&env, SECONDS(100));
	(void)pools_tick(pools);
	check_usage("small", 1, 0);
	ck_assert_str_eq(lease("d"), "10.0.0.4"); /* never used at all */
	ck_assert_str_eq(lease("e"), "10.0.0.3");
	ck_assert_str_eq(lease("f"), "10.0.0.1");
	ck_assert_str_eq(lease("g"), "none");
}
END_TEST

START_TEST(time_out)
{
	mtime start = env.now;

	ck_assert_int_eq(pools_tick(pools).us, MTIME_NEVER.us);
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_int_eq(pools_tick(pools).us, MTIME_NEVER.us);
	release("10.0.0.1");
	fake_sleep(&env, SECONDS(10));
	release("10.0.0.2");
	ck_assert_int_eq(pools_tick(pools).us, start.us + SECONDS(100));
	env.now = (mtime){ start.us + SECONDS(100) - 1 };
	ck_assert_int_eq(pools_tick(pools).us, start.us + SECONDS(100));
	check_usage("small", 0, 2);
	fake_sleep(&env, 1);
	ck_assert_int_eq(pools_tick(pools).us, start.us + SECONDS(110));
	check_usage("small", 0, 1);
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_int_eq(pools_tick(pools).us, MTIME_NEVER.us);
	fake_sleep(&env, SECONDS(1000));
	ck_assert_int_eq(pools_tick(pools).us, MTIME_NEVER.us);
	check_usage("small", 1, 0);
}
END_TEST

START_TEST(nothing_is_kept_without_a_lease_time)
{
	cfgs[0].lease_time_us = 0;
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	release("10.0.0.1");
	check_usage("small", 0, 0);
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("a"), "10.0.0.3");
}
END_TEST

START_TEST(wanted_address)
{
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.3", false), "10.0.0.3");
	ck_assert_str_eq(lease_as(SMALL, "b", "10.0.0.3", false), "10.0.0.1"); /* taken */
	ck_assert_str_eq(lease_as(SMALL, "c", "10.0.9.9", false), "10.0.0.2"); /* not of the pool */
	ck_assert_str_eq(lease_as(SMALL, "d", "fd00::1", false), "10.0.0.4");  /* nor this; 10.0.0.3 is passed */
	release("10.0.0.3");
	ck_assert_str_eq(lease_as(SMALL, "e", "10.0.0.3", false), "10.0.0.3"); /* nothing else is left */
	release("10.0.0.1");
	release("10.0.0.2");
	ck_assert_str_eq(lease_as(SMALL, "b", "10.0.0.2", false), "10.0.0.1"); /* its own goes before */
	fake_sleep(&env, SECONDS(100));
	(void)pools_tick(pools);
	ck_assert_str_eq(lease_as(SMALL, "f", "10.0.0.2", false), "10.0.0.2"); /* free again */
	check_usage("small", 4, 0);
}
END_TEST

START_TEST(kept_for_another_is_not_given_to_who_wants_it)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	release("10.0.0.1");
	ck_assert_str_eq(lease_as(SMALL, "b", "10.0.0.1", false), "10.0.0.2");
	ck_assert_str_eq(lease("a"), "10.0.0.1");
}
END_TEST

START_TEST(two_devices_of_one_identity)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("a"), "10.0.0.2");
	check_usage("small", 2, 0);
	release("10.0.0.1");
	release("10.0.0.2");
	/* Each gets its own again when it asks for it; the one that says nothing gets the other. */
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.2", false), "10.0.0.2");
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("a"), "10.0.0.3");
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.1", false), "10.0.0.4"); /* held by a device */
	ck_assert_str_eq(lease("a"), "none");
}
END_TEST

START_TEST(reconnect_shares)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("a"), "10.0.0.2");
	release("10.0.0.1"); /* kept */
	/* What is about to be replaced is what is held. */
	ck_assert_str_eq(lease_as(SMALL, "a", NULL, true), "10.0.0.2");
	check_usage("small", 1, 1);
	release("10.0.0.2");
	check_usage("small", 1, 1);
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.1", true), "10.0.0.1");
	check_usage("small", 2, 0);
	release("10.0.0.2");
	check_usage("small", 1, 1);
	release("10.0.0.2"); /* nobody holds it: nothing happens */
	check_usage("small", 1, 1);
	ck_assert_str_eq(lease_as(SMALL, "b", NULL, true), "10.0.0.3");
}
END_TEST

START_TEST(big_range_of_ipv6)
{
	char want[ADDR_TEXT];

	ck_assert_uint_eq(pool_usage(pools, "six").size, UINT64_MAX);
	for (unsigned i = 0; i < 300; i++) {
		char who[16];

		(void)snprintf(who, sizeof(who), "u%u", i);
		(void)snprintf(want, sizeof(want), i ? "fd00::%x" : "fd00::", i);
		ck_assert_str_eq(lease_as(SIX, who, NULL, false), want);
	}
	ck_assert_str_eq(lease_as(SIX, "x", "fd00::ffff:ffff:ffff:ffff", false), "fd00::ffff:ffff:ffff:ffff");
	ck_assert_str_eq(lease_as(SIX, "y", "fd00::12d", false), "fd00::12d");
	ck_assert_str_eq(lease_as(SIX, "z", NULL, false), "fd00::12c");
	ck_assert_str_eq(lease_as(SIX, "w", NULL, false), "fd00::12e");
}
END_TEST

/* In a range without end, who comes and goes may not leave records behind for ever: old addresses are used again. */
START_TEST(freed_addresses_are_bounded)
{
	struct addr a, highest = { 0 };

	cfgs[1].lease_time_us = 0;
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	for (unsigned i = 0; i < 20000; i++) {
		ck_assert_int_eq(pool_lease(pools, SIX, ID_KEY_ID, bytes_of(&i, sizeof(i)), NULL, false, &a), GW_OK);
		if (highest.family == 0 || addr_cmp(&a, &highest) > 0)
			highest = a;
		pool_release(pools, "six", &a);
	}
	ck_assert_uint_lt(addr_diff(&cfgs[1].addresses.lo, &highest), 5000);
	check_usage("six", 0, 0);
}
END_TEST

START_TEST(identities_of_any_length)
{
	static uint8_t id[513];
	struct addr a, b;

	ck_assert_int_eq(pool_lease(pools, SMALL, ID_KEY_ID, bytes_of(id, 0), NULL, false, &a), GW_OK);
	ck_assert_int_eq(pool_lease(pools, SMALL, ID_KEY_ID, bytes_of(id, 512), NULL, false, &b), GW_OK);
	ck_assert(!addr_equal(&a, &b));
	ck_assert_int_eq(pool_lease(pools, SMALL, ID_KEY_ID, bytes_of(id, 513), NULL, false, &b), GW_ELIMIT);
	check_usage("small", 2, 0);
}
END_TEST

/* Assertions of Check are slow: of many like ones the failed are counted. */
static unsigned lease_many(uint8_t kind, unsigned n, bool one_identity, struct addr *out)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++)
		failed += pool_lease(pools, BIG, kind, bytes_of(&i, one_identity ? 0 : sizeof(i)), NULL, false,
				     &out[i]) != GW_OK;
	return failed;
}

START_TEST(a_hundred_thousand)
{
	enum { N = 100000 };
	struct addr *a = calloc(N, sizeof(*a)), again;
	unsigned wrong = 0;

	ck_assert_ptr_nonnull(a);
	ck_assert_uint_le(sizeof(struct lease_record), 128);
	ck_assert_uint_eq(lease_many(ID_KEY_ID, N, false, a), 0);
	check_usage("big", N, 0);
	for (unsigned i = 1; i < N; i++)
		wrong += addr_cmp(&a[i - 1], &a[i]) >= 0;
	/* They leave in another order than they came, and their time is up in that order. */
	for (unsigned i = 0; i < N; i++) {
		pool_release(pools, "big", &a[(uint64_t)i * 77777 % N]);
		fake_sleep(&env, 100);
	}
	check_usage("big", 0, N);
	for (unsigned i = 0; i < N; i += 2) {
		wrong += pool_lease(pools, BIG, ID_KEY_ID, bytes_of(&i, sizeof(i)), NULL, false, &again) != GW_OK;
		wrong += !addr_equal(&again, &a[i]);
	}
	ck_assert_uint_eq(wrong, 0);
	check_usage("big", N / 2, N / 2);
	fake_sleep(&env, SECONDS(95));
	(void)pools_tick(pools);
	ck_assert_uint_lt(pool_usage(pools, "big").kept, N / 2);
	ck_assert_uint_gt(pool_usage(pools, "big").kept, 0);
	fake_sleep(&env, SECONDS(10));
	(void)pools_tick(pools);
	check_usage("big", N / 2, 0);
	/* One identity with all of them: its addresses are not searched either. */
	ck_assert_uint_eq(lease_many(ID_FQDN, N, true, a), 0);
	for (unsigned i = 0; i < N; i++)
		pool_release(pools, "big", &a[i]);
	check_usage("big", N / 2, N);
	free(a);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		from_the_beginning_until_exhausted,
		same_identity_same_address,
		kind_is_part_of_the_identity,
		absent_for_longest_loses_first,
		free_for_longest_is_taken_first,
		time_out,
		nothing_is_kept_without_a_lease_time,
		wanted_address,
		kept_for_another_is_not_given_to_who_wants_it,
		two_devices_of_one_identity,
		reconnect_shares,
		big_range_of_ipv6,
		freed_addresses_are_bounded,
		identities_of_any_length,
		a_hundred_thousand,
	};

	return run_tests_with("pool", setup, teardown, tests, ARRAY_LEN(tests));
}
