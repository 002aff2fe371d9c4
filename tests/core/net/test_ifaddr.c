#include "core/net/ifaddr.h"

#include "tests/core/net/links.h"

static struct nl_socket nl;
static struct ifaddr_entry found;
static unsigned times;
static struct addr wanted;

static void look(void *arg, const struct ifaddr_entry *a)
{
	(void)arg;
	if (!addr_equal(&a->addr, &wanted))
		return;
	found = *a;
	times++;
}

/* The address as the kernel has it. */
static bool there(const struct ifaddr_entry *a)
{
	struct err e = { 0 };

	wanted = a->addr;
	times = 0;
	ck_assert_msg(ifaddr_list(&nl, look, NULL, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_le(times, 1);
	return times == 1;
}

static struct ifaddr_entry entry(const char *text, uint8_t len)
{
	struct ifaddr_entry a = { .index = ifaddr_index("v0"), .len = len };

	ck_assert(addr_parse(text, &a.addr));
	ck_assert_uint_ne(a.index, 0);
	return a;
}

static void begin(void)
{
	struct err e = { 0 };

	ck_assert_int_eq(nl_open(NETLINK_ROUTE, &nl, &e), GW_OK);
}

static void end(void)
{
	nl_close(&nl);
}

static void lease(const char *text, uint8_t len)
{
	struct ifaddr_entry a = entry(text, len);
	struct err e = { 0 };

	ck_assert(!there(&a));
	ck_assert_msg(ifaddr_put(&nl, &a, 5, &e) == GW_OK, "%s", e.text);
	ck_assert(there(&a));
	ck_assert_uint_eq(found.index, a.index);
	ck_assert_uint_eq(found.len, len);
	ck_assert_uint_le(found.valid_s, 5);
	ck_assert(!found.tentative);
	ck_assert(found.ours);
	/* Renewed, not added again. */
	ck_assert_msg(ifaddr_put(&nl, &a, 60, &e) == GW_OK, "%s", e.text);
	ck_assert(there(&a));
	ck_assert_uint_gt(found.valid_s, 50);
	ck_assert_int_eq(ifaddr_drop(&nl, &a, &e), GW_OK);
	ck_assert(!there(&a));
	ck_assert_int_eq(ifaddr_drop(&nl, &a, &e), GW_ENOTFOUND);
}

START_TEST(addresses_are_leases)
{
	lease("192.0.2.1", 24);
	lease("192.0.2.1", 32);
	lease("2001:db8::1", 64);
	lease("2001:db8::1", 128);
}
END_TEST

START_TEST(what_was_left_behind_is_found)
{
	struct ifaddr_entry a = entry("192.0.2.9", 24), b = entry("2001:db8::9", 64), other = entry("192.0.2.77", 24);
	struct err e = { 0 };

	links_do("ip address add 192.0.2.77/24 dev v0");
	ck_assert_int_eq(ifaddr_put(&nl, &a, 60, &e), GW_OK);
	ck_assert_int_eq(ifaddr_put(&nl, &b, 60, &e), GW_OK);
	ck_assert(there(&other));
	ck_assert(!found.ours);
	ck_assert_uint_eq(found.valid_s, UINT32_MAX);
	ck_assert_uint_eq(ifaddr_drop_ours(&nl, &e), 2);
	ck_assert(!there(&a) && !there(&b) && there(&other));
	ck_assert_uint_eq(ifaddr_drop_ours(&nl, &e), 0);
}
END_TEST

START_TEST(an_end_of_the_lease)
{
	struct ifaddr_entry a = entry("192.0.2.5", 32);
	struct err e = { 0 };

	ck_assert_int_eq(ifaddr_put(&nl, &a, 1, &e), GW_OK);
	links_do("sleep 3");
	ck_assert(!there(&a));
}
END_TEST

START_TEST(what_cannot_be)
{
	struct ifaddr_entry a = entry("192.0.2.5", 32);
	struct err e = { 0 };

	a.index = 9999;
	ck_assert_int_eq(ifaddr_put(&nl, &a, 5, &e), GW_ENOTFOUND);
	ck_assert_str_ne(e.text, "");
	ck_assert_int_eq(ifaddr_put(&nl, &a, 0, &e), GW_EINVAL);
	a.len = 33;
	ck_assert_int_eq(ifaddr_put(&nl, &a, 5, &e), GW_EINVAL);
	ck_assert_uint_eq(ifaddr_index("nonsense"), 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, addresses_are_leases);
	tcase_add_test(t, what_was_left_behind_is_found);
	tcase_add_test(t, an_end_of_the_lease);
	tcase_add_test(t, what_cannot_be);
}

int main(void)
{
	return links_make() ? links_run("ifaddr", add) : EXIT_SUCCESS;
}
