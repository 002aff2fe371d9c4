/* In a network namespace of its own, by way of a user namespace if need be; where neither is allowed it says so. */
#include "esp/route.h"

#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "esp/pmtu.h"
#include "esp/tun.h"
#include "tests/esp/esp_check.h"

static const struct route_traits plain = { 0 };
static int first, second;

static void begin(void)
{
	char name[TUN_NAME];
	struct err e = { 0 };

	ck_assert_msg(tun_open("first", &first, name, &e) == GW_OK, "%s", e.text);
	ck_assert_msg(tun_open("second", &second, name, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(tun_set_up("first", true, &e), GW_OK);
	ck_assert_int_eq(tun_set_up("second", true, &e), GW_OK);
	ck_assert_int_eq(tun_set_mtu("first", 1380, &e), GW_OK);
	ck_assert_int_eq(tun_set_mtu("second", 1390, &e), GW_OK);
}

static void end(void)
{
	(void)close(first);
	(void)close(second);
}

/* 0: the kernel has no route there. */
static uint32_t mtu_to(const char *address)
{
	struct endpoint to = endpoint_of(address, 1), from = { 0 };

	from.addr.family = to.addr.family;
	return pmtu_path(&from, &to);
}

/* An IPv6 source address is of use a moment after the device came up only (duplicate address detection). */
static bool routed_soon(const char *address)
{
	for (int i = 0; i < 200; i++) {
		if (mtu_to(address) != 0)
			return true;
		(void)usleep(10000);
	}
	return false;
}

START_TEST(routes)
{
	static const char *const prefixes[] = { "10.9.0.0/16", "10.8.7.6", "fd09::/64", "fd08::7" };
	static const char *const inside[] = { "10.9.1.2", "10.8.7.6", "fd09::5", "fd08::7" };
	struct err e = { 0 };
	struct prefix p;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		ck_assert(prefix_parse(prefixes[i], &p));
		if (p.addr.family == 6 && access("/proc/net/if_inet6", F_OK) != 0)
			continue;
		ck_assert_msg(mtu_to(inside[i]) == 0, "%s", inside[i]);
		ck_assert_int_eq(route_remove("first", &p, &plain, &e), GW_OK);
		ck_assert_msg(route_add("first", &p, &plain, &e) == GW_OK, "%s", e.text);
		ck_assert_msg(route_add("first", &p, &plain, &e) == GW_OK, "%s", e.text);
		ck_assert_msg(routed_soon(inside[i]), "%s", inside[i]);
		ck_assert_msg(route_remove("first", &p, &plain, &e) == GW_OK, "%s", e.text);
		ck_assert(mtu_to(inside[i]) == 0);
	}
	ck_assert(prefix_parse("10.9.0.0/16", &p));
	ck_assert_int_eq(route_add("nosuch", &p, &plain, &e), GW_EIO);
	ck_assert_ptr_nonnull(strstr(e.text, "nosuch"));
}
END_TEST

/* The second best takes over when the best one's device goes down. */
START_TEST(a_route_behind_another)
{
	const struct route_traits behind = { .priority = 9000 };
	struct err e = { 0 };
	struct prefix p;

	ck_assert(prefix_parse("10.9.0.0/16", &p));
	ck_assert_msg(route_add("second", &p, &behind, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(mtu_to("10.9.1.2"), 1390);
	ck_assert_msg(route_add("first", &p, &plain, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(mtu_to("10.9.1.2"), 1380);
	ck_assert_msg(tun_set_up("first", false, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(mtu_to("10.9.1.2"), 1390);
	ck_assert_msg(route_remove("second", &p, &behind, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(mtu_to("10.9.1.2"), 0);
}
END_TEST

START_TEST(with_an_mss)
{
	const struct route_traits small = { .advmss = 1200 };
	struct err e = { 0 };
	struct prefix p;
	char line[256];
	bool seen = false;
	FILE *f;

	ck_assert(prefix_parse("10.77.0.0/16", &p));
	ck_assert_msg(route_add("first", &p, &small, &e) == GW_OK, "%s", e.text);
	/* The column behind the mask is the MSS plus TCP's and IP's headers, there. */
	f = fopen("/proc/self/net/route", "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		seen = seen || (strstr(line, "00004D0A") && strstr(line, "\t1240\t"));
	(void)fclose(f);
	ck_assert(seen);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, routes);
	tcase_add_test(t, a_route_behind_another);
	tcase_add_test(t, with_an_mss);
}

int main(void)
{
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		puts("skipped: no network namespace may be made here");
		return 77;
	}
	return run_cases("route", add);
}
