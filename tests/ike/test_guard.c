#include "ike/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/check_main.h"

static const struct table_seed seed = { 1, 2 };
static struct guard *g;

static void teardown(void)
{
	guard_destroy(g);
	g = NULL;
}

static bool allows(const char *who, int64_t at)
{
	return guard_allows(g, &seed, GUARD_USER, bytes_str(who), 6, (mtime){ at });
}

static void fails(const char *who, int64_t at)
{
	guard_failed(&g, &seed, GUARD_USER, bytes_str(who), 6, (mtime){ at });
}

/* Six a minute: six at once, then one each ten seconds. */
START_TEST(rate)
{
	int64_t t = SECONDS(1000);

	ck_assert(allows("alice", t));
	for (int i = 0; i < 6; i++) {
		ck_assert_msg(allows("alice", t), "failure %d", i);
		fails("alice", t);
	}
	ck_assert(!allows("alice", t));
	ck_assert(!allows("alice", t + SECONDS(10) - 1));
	ck_assert(allows("alice", t + SECONDS(10)));
	fails("alice", t + SECONDS(10));
	ck_assert(!allows("alice", t + SECONDS(10)));
	ck_assert(allows("bob", t));
	/* All of it is back after a minute. */
	t += SECONDS(70);
	for (int i = 0; i < 6; i++) {
		ck_assert(allows("alice", t));
		fails("alice", t);
	}
	ck_assert(!allows("alice", t));
}
END_TEST

/* However many failures: a minute after the last there is room again. */
START_TEST(forgets)
{
	int64_t t = SECONDS(1000);

	for (int i = 0; i < 1000; i++)
		fails("alice", t);
	ck_assert(!allows("alice", t));
	ck_assert(!allows("alice", t + SECONDS(9)));
	ck_assert(allows("alice", t + SECONDS(20)));
}
END_TEST

START_TEST(kinds_and_rates)
{
	mtime now = { SECONDS(5) };
	struct bytes key = bytes_str("10.1");

	guard_failed(&g, &seed, GUARD_SOURCE, key, 1, now);
	ck_assert(!guard_allows(g, &seed, GUARD_SOURCE, key, 1, now));
	ck_assert(guard_allows(g, &seed, GUARD_USER, key, 1, now));
	ck_assert(guard_allows(g, &seed, GUARD_SOURCE, key, 0, now)); /* unlimited */
	teardown();
	guard_failed(&g, &seed, GUARD_SOURCE, key, 0, now);
	ck_assert_ptr_null(g);
}
END_TEST

/* Very many others do not grow it, and one that goes on failing is not pushed out by those that fail once. */
START_TEST(crowd)
{
	char name[24];
	int64_t t = SECONDS(1000);
	unsigned kept = 0;

	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "user%u", i);
		fails(name, t + (int64_t)i);
		if (i % 500 == 0)
			for (int k = 0; k < 6; k++)
				fails("alice", t + (int64_t)i);
		kept += !allows("alice", t + (int64_t)i);
	}
	ck_assert_uint_eq(kept, 100000);
}
END_TEST

START_TEST(sources)
{
	struct addr a, b;

	ck_assert(addr_parse("2001:db8::1", &a) && addr_parse("2001:db8::ffff:2", &b));
	ck_assert(bytes_equal(guard_source(&a), guard_source(&b)));
	ck_assert(addr_parse("2001:db8:0:1::1", &b));
	ck_assert(!bytes_equal(guard_source(&a), guard_source(&b)));
	ck_assert(addr_parse("192.0.2.1", &a) && addr_parse("192.0.2.2", &b));
	ck_assert(!bytes_equal(guard_source(&a), guard_source(&b)));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("guard");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, rate);
	tcase_add_test(t, forgets);
	tcase_add_test(t, kinds_and_rates);
	tcase_add_test(t, crowd);
	tcase_add_test(t, sources);
	return check_main("guard", t);
}
