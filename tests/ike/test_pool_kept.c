/* What is known of addresses over restarts and reloads; and random steps beside a model. */
#include "pool_check.h"

START_TEST(leases_survive_a_restart)
{
	static struct saved s;

	memset(&s, 0, sizeof(s));
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("a"), "10.0.0.3");
	ck_assert_str_eq(lease_as(SIX, "a", NULL, false), "fd00::");
	release("10.0.0.2");
	pools_each(pools, save, &s);
	ck_assert_uint_eq(s.n, 4);
	ck_assert_uint_eq(s.l[1].holders, 0);
	ck_assert_int_eq(s.l[1].until.us, env.now.us + SECONDS(100));
	pools_destroy(pools);
	fake_sleep(&env, SECONDS(30));
	pools = pools_create(&env.env, &settings);
	for (size_t i = 0; i < s.n; i++) {
		int64_t keep = s.l[i].holders ? SECONDS(100) : s.l[i].until.us - env.now.us;

		ck_assert_int_eq(pool_restore(pools, s.l[i].pool, s.l[i].id_kind, bytes_of(s.l[i].id, s.l[i].id_len),
					      &s.l[i].addr, 0, keep),
				 GW_OK);
	}
	check_usage("small", 0, 3);
	check_usage("six", 0, 1);
	ck_assert_str_eq(lease("c"), "10.0.0.4");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.3", false), "10.0.0.3");
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease_as(SIX, "a", NULL, false), "fd00::");
	ck_assert_str_eq(lease_as(SIX, "b", NULL, false), "fd00::1");
}
END_TEST

START_TEST(each_can_be_stopped)
{
	static struct saved s;

	memset(&s, 0, sizeof(s));
	(void)lease("a");
	(void)lease("b");
	(void)lease("c");
	s.stop_after = 2;
	pools_each(pools, save, &s);
	ck_assert_uint_eq(s.n, 2);
}
END_TEST

START_TEST(restoring_twice_is_restoring_once)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(restore("a", "10.0.0.2", 2, 0), GW_OK);
		ck_assert_int_eq(restore("b", "10.0.0.3", 0, SECONDS(5)), GW_OK);
		check_usage("small", 1, 1);
	}
	release("10.0.0.2");
	check_usage("small", 1, 1);
	release("10.0.0.2");
	check_usage("small", 0, 2);
	ck_assert_int_eq(pools_tick(pools).us, env.now.us + SECONDS(5));
	ck_assert_int_eq(restore("b", "10.0.0.3", 0, 0), GW_OK); /* ended elsewhere */
	check_usage("small", 0, 1);
	ck_assert_int_eq(restore("b", "10.0.0.3", 0, -1), GW_OK);
	check_usage("small", 0, 1);
}
END_TEST

START_TEST(restoring_conflicts)
{
	ck_assert_int_eq(restore("a", "10.0.0.1", 1, 0), GW_OK);
	ck_assert_int_eq(restore("b", "10.0.0.1", 1, 0), GW_EEXIST);
	ck_assert_int_eq(restore("b", "10.0.0.1", 0, SECONDS(1)), GW_EEXIST);
	check_usage("small", 1, 0);
	release("10.0.0.1"); /* kept for a, but b is said to have it now */
	ck_assert_int_eq(restore("b", "10.0.0.1", 1, 0), GW_OK);
	check_usage("small", 1, 0);
	ck_assert_str_eq(lease("a"), "10.0.0.2");
	ck_assert_int_eq(restore("c", "10.0.0.9", 0, SECONDS(1)), GW_EADDRESS);
	{
		struct addr a = addr_of("10.0.0.4"), none = { 0 };

		ck_assert_int_eq(pool_restore(pools, "gone", ID_FQDN, bytes_str("x"), &a, 1, 0), GW_ENOTFOUND);
		ck_assert_int_eq(pool_restore(pools, "small", ID_FQDN, bytes_str("x"), &none, 1, 0), GW_EADDRESS);
	}
	check_usage("small", 2, 0);
}
END_TEST

/* ---- reload ---- */

START_TEST(reload_with_the_same_pool)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	release("10.0.0.1");
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	check_usage("small", 1, 1);
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	ck_assert_str_eq(lease("a"), "10.0.0.1");
}
END_TEST

START_TEST(reload_with_another_range)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	ck_assert_str_eq(lease("d"), "10.0.0.4");
	release("10.0.0.1");
	release("10.0.0.4");
	cfgs[0].addresses = range_of("10.0.0.3-10.0.0.6");
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	check_usage("small", 2, 1); /* b's lives on; a's is forgotten */
	ck_assert_str_eq(lease("a"), "10.0.0.5");
	ck_assert_str_eq(lease_as(SMALL, "b", "10.0.0.2", true), "10.0.0.6"); /* never one outside */
	ck_assert_str_eq(lease("d"), "10.0.0.4");
	release("10.0.0.2");
	check_usage("small", 4, 0);
	ck_assert_str_eq(lease("e"), "none");
}
END_TEST

/* Two addresses of the small pool are somebody's own. */
static struct addr own[2];

static void reserve(size_t n)
{
	own[0] = addr_of("10.0.0.1");
	own[1] = addr_of("10.0.0.3");
	cfgs[0].reserved = own;
	cfgs[0].reserved_count = n;
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
}

static enum gw_err lease_own(const char *who, const char *addr, bool share)
{
	struct addr a = addr_of(addr);

	return pool_lease_own(pools, SMALL, ID_RFC822, bytes_str(who), &a, share);
}

START_TEST(a_reserved_address_is_for_nobody_else)
{
	reserve(2);
	ck_assert_str_eq(lease_as(SMALL, "a", "10.0.0.3", false), "10.0.0.2"); /* nor by asking for it */
	ck_assert_str_eq(lease("b"), "10.0.0.4");
	ck_assert_str_eq(lease("c"), "none");
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", false), GW_OK);
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", false), GW_EEXIST); /* a second device */
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", true), GW_OK);	    /* one that replaces the first */
	ck_assert_int_eq(lease_own("other", "10.0.0.3", true), GW_EEXIST);
	release("10.0.0.3");
	release("10.0.0.3");
	/* It is not kept, and nobody gets it from what was freed either. */
	ck_assert_uint_eq(pool_usage(pools, "small").kept, 0);
	ck_assert_str_eq(lease("c"), "none");
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", false), GW_OK);
	ck_assert_uint_eq(pool_usage(pools, "small").used, 3);
}
END_TEST

START_TEST(what_becomes_reserved_ends_what_was_kept)
{
	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_str_eq(lease("c"), "10.0.0.3");
	release("10.0.0.1");
	reserve(2);
	/* The absent one has lost it; the one who holds it keeps it until he goes. */
	ck_assert_str_eq(lease("a"), "10.0.0.4");
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", false), GW_EEXIST);
	release("10.0.0.3");
	ck_assert_int_eq(lease_own("owner", "10.0.0.3", false), GW_OK);
	ck_assert_int_eq(lease_own("first", "10.0.0.1", false), GW_OK);
	release("10.0.0.1");
	release("10.0.0.3");
	/* Not reserved any more, both are for anybody again. */
	reserve(0);
	ck_assert_str_eq(lease("d"), "10.0.0.1");
	ck_assert_str_eq(lease("e"), "10.0.0.3");
	ck_assert_str_eq(lease("f"), "none");
}
END_TEST

START_TEST(reload_with_another_family)
{
	struct addr old = addr_of("10.0.0.1");

	ck_assert_str_eq(lease("a"), "10.0.0.1");
	cfgs[0].addresses = range_of("a00:1::/64");
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	ck_assert_str_eq(lease("b"), "a00:1::");
	check_usage("small", 2, 0);
	pool_release(pools, "small", &old);
	check_usage("small", 1, 0);
}
END_TEST

START_TEST(reload_without_the_pool)
{
	struct settings less = { .pools = cfgs + 1, .pool_count = 2 };

	ck_assert_str_eq(lease("a"), "10.0.0.1");
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	release("10.0.0.2");
	ck_assert_int_eq(pools_configure(pools, &less), GW_OK);
	ck_assert_str_eq(lease("c"), "none");
	check_usage("small", 1, 1);
	ck_assert_uint_eq(pool_usage(pools, "small").size, 0);
	/* Back before its time was up: nothing is lost. */
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	ck_assert_str_eq(lease("b"), "10.0.0.2");
	ck_assert_int_eq(pools_configure(pools, &less), GW_OK);
	release("10.0.0.1");
	release("10.0.0.2");
	check_usage("small", 0, 0);
	ck_assert_int_eq(pools_configure(pools, &settings), GW_OK);
	ck_assert_str_eq(lease("z"), "10.0.0.1");
}
END_TEST

START_TEST(version_counts_changes)
{
	uint64_t v = pools_version(pools);

	(void)lease("a");
	ck_assert_uint_gt(pools_version(pools), v);
	v = pools_version(pools);
	release("10.0.0.1");
	ck_assert_uint_gt(pools_version(pools), v);
	v = pools_version(pools);
	release("10.0.0.1");
	(void)pools_tick(pools);
	ck_assert_uint_eq(pools_version(pools), v);
	fake_sleep(&env, SECONDS(100));
	(void)pools_tick(pools);
	ck_assert_uint_gt(pools_version(pools), v);
	v = pools_version(pools);
	ck_assert_int_eq(restore("b", "10.0.0.4", 1, 0), GW_OK);
	ck_assert_uint_gt(pools_version(pools), v);
}
END_TEST

/* Restored in the worst order, 100,000 leases that end at different times still end in the order of their times. */
START_TEST(restored_in_any_order)
{
	enum { N = 100000 };
	mtime start = env.now;
	unsigned failed = 0;
	struct addr a;

	for (unsigned i = 0; i < N; i++) {
		failed += !addr_add(&cfgs[2].addresses.lo, i, &a);
		failed += pool_restore(pools, "big", ID_KEY_ID, bytes_of(&i, sizeof(i)), &a, 0, SECONDS(1) * (N - i)) !=
			  GW_OK;
	}
	ck_assert_uint_eq(failed, 0);
	for (unsigned i = 1; i <= 100; i++) {
		env.now = (mtime){ start.us + SECONDS(i) };
		ck_assert_int_eq(pools_tick(pools).us, start.us + SECONDS(i + 1));
		check_usage("big", 0, N - i);
	}
}
END_TEST

/* ---- against a model that is too simple to be wrong ---- */

enum { MODEL_ADDRS = 4, MODEL_IDS = 6 };

struct model {
	int owner[MODEL_ADDRS]; /* -1: free */
	unsigned holders[MODEL_ADDRS];
	int64_t until[MODEL_ADDRS];
};

static void check_model(const struct model *m)
{
	static struct saved s;
	size_t owned = 0;

	memset(&s, 0, sizeof(s));
	pools_each(pools, save, &s);
	for (int i = 0; i < MODEL_ADDRS; i++)
		owned += m->owner[i] >= 0;
	ck_assert_uint_eq(s.n, owned);
	for (size_t i = 0; i < s.n; i++) {
		uint64_t at = addr_diff(&cfgs[0].addresses.lo, &s.l[i].addr);

		ck_assert_uint_lt(at, MODEL_ADDRS);
		ck_assert_int_eq(m->owner[at], s.l[i].id[0]);
		ck_assert_uint_eq(m->holders[at], s.l[i].holders);
		if (m->holders[at] == 0)
			ck_assert_int_eq(m->until[at], s.l[i].until.us);
	}
	/* Part by part, each kept one once. */
	memset(&s, 0, sizeof(s));
	for (unsigned part = 0; part < POOL_PARTS; part++) {
		size_t before = s.n;

		pools_each_kept(pools, part, save, &s);
		for (size_t i = before; i < s.n; i++) {
			ck_assert_uint_eq(pool_part(&s.l[i].addr), part);
			ck_assert_uint_eq(s.l[i].holders, 0);
		}
	}
	ck_assert_uint_eq(s.n, pool_usage(pools, "small").kept);
}

START_TEST(random_steps)
{
	struct model m = { .owner = { -1, -1, -1, -1 } };
	struct rng_seeded g;

	rng_seeded_init(&g, 5);
	for (int step = 0; step < 10000; step++) {
		uint8_t who = (uint8_t)rng_below(&g.rng, MODEL_IDS);
		unsigned at = (unsigned)rng_below(&g.rng, MODEL_ADDRS);
		bool share = rng_below(&g.rng, 2);
		struct addr a, got;

		ck_assert(addr_add(&cfgs[0].addresses.lo, at, &a));
		switch (rng_below(&g.rng, 4)) {
		case 0: {
			bool mine_kept = false, mine_held = false, any = false;
			enum gw_err rc;

			for (int i = 0; i < MODEL_ADDRS; i++) {
				bool mine = m.owner[i] == who;

				mine_kept |= mine && m.holders[i] == 0;
				mine_held |= mine && m.holders[i] > 0;
				any |= m.holders[i] == 0;
			}
			rc = pool_lease(pools, SMALL, ID_KEY_ID, bytes_of(&who, 1), at % 2 ? &a : NULL, share, &got);
			ck_assert_int_eq(rc, any || (share && mine_held) ? GW_OK : GW_EADDRESS);
			if (rc != GW_OK)
				break;
			at = (unsigned)addr_diff(&cfgs[0].addresses.lo, &got);
			ck_assert_uint_lt(at, MODEL_ADDRS);
			if (m.holders[at] > 0)
				ck_assert(share && m.owner[at] == who);
			else if (mine_kept || (share && mine_held))
				ck_assert_int_eq(m.owner[at], who);
			m.owner[at] = who;
			m.holders[at]++;
			break;
		}
		case 1:
			pool_release(pools, "small", &a);
			if (m.holders[at] > 0 && --m.holders[at] == 0)
				m.until[at] = env.now.us + SECONDS(100);
			break;
		case 2:
			fake_sleep(&env, (int64_t)rng_below(&g.rng, SECONDS(30)));
			(void)pools_tick(pools);
			for (int i = 0; i < MODEL_ADDRS; i++) {
				if (m.owner[i] >= 0 && m.holders[i] == 0 && m.until[i] <= env.now.us)
					m.owner[i] = -1;
			}
			break;
		default: {
			uint32_t holders = (uint32_t)rng_below(&g.rng, 3);
			int64_t keep = (int64_t)rng_below(&g.rng, 2) * SECONDS(7);
			bool taken = m.owner[at] >= 0 && m.owner[at] != who && m.holders[at] > 0;
			enum gw_err rc = pool_restore(pools, "small", ID_KEY_ID, bytes_of(&who, 1), &a, holders, keep);

			ck_assert_int_eq(rc, taken ? GW_EEXIST : GW_OK);
			if (taken || (holders == 0 && m.owner[at] == who && m.holders[at] > 0))
				break; /* who holds it has it */
			m.owner[at] = holders > 0 || keep > 0 ? who : -1;
			m.holders[at] = holders;
			m.until[at] = env.now.us + keep;
			break;
		}
		}
		check_model(&m);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		leases_survive_a_restart,
		each_can_be_stopped,
		restoring_twice_is_restoring_once,
		restoring_conflicts,
		reload_with_the_same_pool,
		reload_with_another_range,
		a_reserved_address_is_for_nobody_else,
		what_becomes_reserved_ends_what_was_kept,
		reload_with_another_family,
		reload_without_the_pool,
		version_counts_changes,
		restored_in_any_order,
		random_steps,
	};

	return run_tests_with("pool_kept", setup, teardown, tests, ARRAY_LEN(tests));
}
