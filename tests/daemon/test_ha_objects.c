/* Leases of absent identities as one node writes and the other reads them. */
#include "daemon/ha_objects.h"

#include "config/load.h"
#include "daemon_check.h"
#include "ike/pool.h"

static struct hand_clock hand;
static struct kept_log kept;
static struct env env;
static struct settings *settings;
static struct pools *ours, *theirs;

static void setup(void)
{
	static const char text[] = "pools:\n  clients: {addresses: 10.9.0.0/16}\n  six: {addresses: \"fd09::/64\"}\n";
	struct config_report report = { 0 };

	hand = hand_clock_at(1000);
	kept_log_init(&kept);
	env = (struct env){ .clock = &hand.clock, .rng = rng_system_create(), .log = &kept.log };
	settings = config_load_text("test", bytes_str(text), NULL, &report);
	ck_assert_ptr_nonnull(settings);
	config_report_clear(&report);
	ours = pools_create(&env, settings);
	theirs = pools_create(&env, settings);
	ck_assert(ours && theirs);
}

static void teardown(void)
{
	pools_destroy(ours);
	pools_destroy(theirs);
	settings_unref(settings);
	rng_system_destroy(env.rng);
}

static void keep(const char *pool, const char *address, const char *who, uint32_t holders, int64_t us)
{
	struct addr a;

	ck_assert(addr_parse(address, &a));
	ck_assert_int_eq(pool_restore(ours, pool, ID_RFC822, bytes_str(who), &a, holders, us), GW_OK);
}

static void carry_over(void)
{
	static uint8_t buf[HA_OBJECT_MAX];

	for (uint64_t b = 0; b < POOL_PARTS; b++) {
		struct writer w = wr_of(buf, sizeof(buf));

		ha_objects_write_leases(ours, b, HA_FORMAT_MINOR, hand.now, &w);
		ck_assert(!w.bad);
		ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, wr_done(&w)), GW_OK);
	}
}

struct found {
	size_t n;
	int64_t left;
	char who[64];
};

static bool find(void *arg, const struct lease *l)
{
	struct found *f = arg;

	f->n++;
	f->left = mtime_since(hand.now, l->until);
	(void)snprintf(f->who, sizeof(f->who), "%.*s", (int)l->id.n, (const char *)l->id.p);
	return true;
}

START_TEST(kept_ones_are_carried_over_with_their_time)
{
	struct found f = { 0 };

	keep("clients", "10.9.1.2", "alice@example.org", 0, SECONDS(77));
	carry_over();
	pools_each(theirs, find, &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_int_eq(f.left, SECONDS(77));
	ck_assert_str_eq(f.who, "alice@example.org");
}
END_TEST

START_TEST(what_is_held_goes_with_its_sa)
{
	struct found f = { 0 };

	keep("six", "fd09::5", "bob@example.org", 1, 0);
	carry_over();
	pools_each(theirs, find, &f);
	ck_assert_uint_eq(f.n, 0);
}
END_TEST

/* A standby that knows the identity as connected is not told otherwise by an older word. */
START_TEST(who_holds_it_keeps_it)
{
	struct addr a;

	ck_assert(addr_parse("10.9.1.2", &a));
	keep("clients", "10.9.1.2", "alice@example.org", 0, SECONDS(5));
	ck_assert_int_eq(pool_restore(theirs, "clients", ID_RFC822, bytes_str("alice@example.org"), &a, 1, 0), GW_OK);
	carry_over();
	ck_assert_uint_eq(pool_usage(theirs, "clients").used, 1);
	ck_assert_uint_eq(pool_usage(theirs, "clients").kept, 0);
}
END_TEST

START_TEST(thousands_and_twice)
{
	enum { N = 20000 };
	struct addr first, a;

	ck_assert(addr_parse("10.9.0.1", &first));
	for (unsigned i = 0; i < N; i++) {
		char who[32];

		(void)snprintf(who, sizeof(who), "u%u@example.org", i);
		ck_assert(addr_add(&first, i, &a));
		ck_assert_int_eq(pool_restore(ours, "clients", ID_RFC822, bytes_str(who), &a, 0, SECONDS(60)), GW_OK);
	}
	carry_over();
	ck_assert_uint_eq(pool_usage(theirs, "clients").kept, N);
	carry_over();
	ck_assert_uint_eq(pool_usage(theirs, "clients").kept, N);
}
END_TEST

/* An object has a bound: what is too much is left out, and what is there is whole. */
START_TEST(what_does_not_fit_is_left_out)
{
	uint8_t small[100];
	struct addr first, a;
	uint64_t bucket;
	struct writer w = wr_of(small, sizeof(small));

	ck_assert(addr_parse("10.9.0.1", &first));
	bucket = pool_part(&first);
	for (unsigned i = 0; i < 5000; i++) {
		char who[32];

		(void)snprintf(who, sizeof(who), "u%u", i);
		ck_assert(addr_add(&first, i, &a));
		ck_assert_int_eq(pool_restore(ours, "clients", ID_RFC822, bytes_str(who), &a, 0, SECONDS(60)), GW_OK);
	}
	ha_objects_write_leases(ours, bucket, HA_FORMAT_MINOR, hand.now, &w);
	ck_assert(!w.bad);
	ck_assert_uint_gt(w.n, 50);
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, wr_done(&w)), GW_OK);
	ck_assert_uint_ge(pool_usage(theirs, "clients").kept, 1);
}
END_TEST

/* Every cut and every changed octet: refused or taken, never read past. */
START_TEST(damaged_objects)
{
	static uint8_t buf[4096];
	struct writer w = wr_of(buf, sizeof(buf));
	struct addr a;

	ck_assert(addr_parse("10.9.1.2", &a));
	keep("clients", "10.9.1.2", "alice@example.org", 0, SECONDS(77));
	ha_objects_write_leases(ours, pool_part(&a), HA_FORMAT_MINOR, hand.now, &w);
	for (size_t n = 2; n < w.n; n++) {
		uint8_t *cut = malloc(n);

		memcpy(cut, buf, n);
		ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, bytes_of(cut, n)), GW_EMALFORMED);
		free(cut);
	}
	for (size_t i = 0; i < w.n; i++) {
		buf[i] ^= 0xff;
		(void)!ha_objects_read_leases(theirs, HA_FORMAT_MINOR, wr_done(&w));
		buf[i] ^= 0xff;
	}
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, bytes_of("\x03", 1)), GW_EUNSUPPORTED);
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, bytes_of("", 0)), GW_EMALFORMED);
}
END_TEST

/* A node of the former format gets what it can read, and refuses what it cannot. */
START_TEST(the_former_format)
{
	static uint8_t buf[4096];
	struct writer w = wr_of(buf, sizeof(buf));
	struct addr a;
	uint64_t bucket;

	ck_assert(addr_parse("10.9.1.2", &a));
	bucket = pool_part(&a);
	keep("clients", "10.9.1.2", "alice@example.org", 0, SECONDS(77));
	ha_objects_write_leases(ours, bucket, HA_FORMAT_MINOR, hand.now, &w);
	ck_assert_uint_eq(buf[0], 2);
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_LEASES_GROW - 1, wr_done(&w)), GW_EUNSUPPORTED);
	ck_assert_uint_eq(pool_usage(theirs, "clients").kept, 0);
	w = wr_of(buf, sizeof(buf));
	ha_objects_write_leases(ours, bucket, HA_LEASES_GROW - 1, hand.now, &w);
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_LEASES_GROW - 1, wr_done(&w)), GW_OK);
	ck_assert_uint_eq(pool_usage(theirs, "clients").kept, 1);
	/* What the former one said a newer one understands as well. */
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, wr_done(&w)), GW_OK);
}
END_TEST

/* A later version says more of each. */
START_TEST(more_of_a_lease_is_skipped)
{
	static uint8_t buf[4096], longer[4096];
	struct writer w = wr_of(buf, sizeof(buf)), l = wr_of(longer, sizeof(longer));
	struct addr a;
	struct found f = { 0 };

	ck_assert(addr_parse("10.9.1.2", &a));
	keep("clients", "10.9.1.2", "alice@example.org", 0, SECONDS(77));
	ha_objects_write_leases(ours, pool_part(&a), HA_FORMAT_MINOR, hand.now, &w);
	wr_u8(&l, buf[0]);
	for (int i = 0; i < 2; i++) {
		wr_u16(&l, (uint16_t)(w.n - 3 + 4));
		wr_bytes(&l, bytes_of(buf + 3, w.n - 3));
		wr_u32(&l, 0xffffffff);
	}
	ck_assert_int_eq(ha_objects_read_leases(theirs, HA_FORMAT_MINOR, wr_done(&l)), GW_OK);
	pools_each(theirs, find, &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.who, "alice@example.org");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ha_objects");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, kept_ones_are_carried_over_with_their_time);
	tcase_add_test(tc, what_is_held_goes_with_its_sa);
	tcase_add_test(tc, who_holds_it_keeps_it);
	tcase_add_test(tc, thousands_and_twice);
	tcase_add_test(tc, what_does_not_fit_is_left_out);
	tcase_add_test(tc, damaged_objects);
	tcase_add_test(tc, the_former_format);
	tcase_add_test(tc, more_of_a_lease_is_skipped);
	return check_main("ha_objects", tc);
}
