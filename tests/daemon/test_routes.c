#include "daemon/routes.h"

#include "daemon_check.h"

static const struct {
	const char *range;
	uint8_t prefix_len;
	const char *routes; /* separated by blanks */
} pools[] = {
	{ "10.10.0.1-10.10.0.254", 24, "10.10.0.0/24" },
	{ "10.10.0.0/24", 24, "10.10.0.0/24" },
	{ "10.10.0.1-10.10.255.254", 16, "10.10.0.0/16" },
	{ "fd10::1-fd10::ffff:ffff:ffff:ffff", 64, "fd10::/64" },
	{ "10.10.0.10-10.10.0.20", 24, "10.10.0.10/31 10.10.0.12/30 10.10.0.16/30 10.10.0.20/32" },
	{ "10.10.0.7", 32, "10.10.0.7/32" },
	{ "10.10.0.128-10.10.1.3", 23, "10.10.0.128/25 10.10.1.0/30" },
	{ "fd10::8-fd10::b", 126, "fd10::8/126" },
	{ "255.255.255.254-255.255.255.255", 24, "255.255.255.254/31" },
	{ "0.0.0.0/0", 0, "" },
	{ "0.0.0.0-127.255.255.255", 0, "0.0.0.0/1" },
	{ "fffe::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 8, "fffe::/15" },
};

static const char *routes_text(const struct settings *s)
{
	static char text[4096];
	struct route *list;
	size_t n, used = 0;
	char one[ADDR_TEXT + 4];

	ck_assert_int_eq(routes_collect(s, &list, &n), GW_OK);
	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s", i > 0 ? " " : "",
					 prefix_text(&list[i].to, one), list[i].if_id ? "@" : "", list[i].interface);
	free(list);
	return text;
}

START_TEST(pool_ranges)
{
	struct pool_cfg pool = { .prefix_len = pools[_i].prefix_len };
	struct settings s = { .pools = &pool, .pool_count = 1 };

	ck_assert(range_parse(pools[_i].range, &pool.addresses));
	ck_assert_str_eq(routes_text(&s), pools[_i].routes);
}
END_TEST

START_TEST(networks_behind_clients_and_no_doubles)
{
	struct pool_cfg pool = { .prefix_len = 24 };
	struct selector remote[4];
	struct child_cfg child[2] = { { .remote = remote, .remote_count = 4 },
				      { .remote = remote, .remote_count = 1 } };
	struct conn_cfg conn = { .children = child, .child_count = 2 };
	struct settings s = { .pools = &pool, .pool_count = 1, .conns = &conn, .conn_count = 1 };

	ck_assert(range_parse("10.10.0.1-10.10.0.254", &pool.addresses));
	ck_assert(selector_parse("192.168.7.0/24[tcp/80]", &remote[0]));
	ck_assert(selector_parse("10.10.0.0/24", &remote[1]));
	ck_assert(selector_parse("0.0.0.0/0", &remote[2]));
	ck_assert(selector_parse("fd07::/48", &remote[3]));
	ck_assert_str_eq(routes_text(&s), "10.10.0.0/24 192.168.7.0/24 fd07::/48");
}
END_TEST

START_TEST(into_interfaces)
{
	struct pool_cfg pool[2] = { { .prefix_len = 24 }, { .prefix_len = 24 } };
	const struct pool_cfg *first = &pool[0], *second = &pool[1];
	struct selector remote[2];
	struct child_cfg child = { .remote = remote, .remote_count = 2 };
	char name[] = "vpn0";
	struct conn_cfg conn[2] = { { .pools = &first, .pool_count = 1 },
				    { .pools = &second, .pool_count = 1, .children = &child, .child_count = 1 } };
	struct settings s = { .pools = pool, .pool_count = 2, .conns = conn, .conn_count = 2 };

	conn[1].interface = name;
	conn[1].if_id = 7;
	ck_assert(range_parse("10.10.0.1-10.10.0.254", &pool[0].addresses));
	ck_assert(range_parse("10.11.0.1-10.11.0.254", &pool[1].addresses));
	ck_assert(selector_parse("192.168.7.0/24", &remote[0]) && selector_parse("fd07::/48", &remote[1]));
	ck_assert_str_eq(routes_text(&s), "10.10.0.0/24 10.11.0.0/24@vpn0 192.168.7.0/24@vpn0 fd07::/48@vpn0");
}
END_TEST

START_TEST(nothing_configured)
{
	struct settings s = { 0 };

	ck_assert_str_eq(routes_text(&s), "");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("routes");

	tcase_add_loop_test(tc, pool_ranges, 0, (int)ARRAY_LEN(pools));
	tcase_add_test(tc, networks_behind_clients_and_no_doubles);
	tcase_add_test(tc, into_interfaces);
	tcase_add_test(tc, nothing_configured);
	return check_main("routes", tc);
}
