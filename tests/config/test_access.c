/* Groups, addresses of users, and what pools tell. */
#include "tests/config/scene.h"

#define POOLS "pools:\n  v4: {addresses: 10.9.0.0/24}\n  v6: {addresses: 'fd00::/64'}\n"
#define CONN "connections:\n  a: {psk: 'correct horse', pools: [v4, v6], children: {x: {local: 10.0.0.0/8}}}\n"

START_TEST(everything_set)
{
	struct settings *s = scene_good(
		"pools:\n  v4: {addresses: 10.9.0.0/24, dns: 10.9.0.1, domains: [Example.org., "
		"xn--bcher-kva.example],\n"
		"       nbns: 10.9.0.2, subnets: [10.0.0.0/8, 'fd00::/8'], netmask: host}\n"
		"  v6: {addresses: 'fd00::/64'}\n"
		"groups:\n  staff: {members: ['*@example.org'], pools: [v6], local: 10.1.0.0/16, sessions: 7}\n  g: "
		"{}\n"
		"users:\n  alice: {address: [10.9.0.77, 'fd00::77'], group: staff}\n  bob: {address: 10.9.0.5}\n"
		"  carol: {}\n"
		"connections:\n  a: {psk: 'correct horse', pools: v4, groups: [staff, g], children: {x: {local: "
		"10.0.0.0/8}}}\n");
	const struct pool_cfg *p = &s->pools[0];
	char text[ADDR_TEXT + 4], sel[SELECTOR_TEXT];

	ck_assert_uint_eq(p->domain_count, 2);
	ck_assert_str_eq(p->domains[0], "Example.org"); /* without the dot at the end */
	ck_assert_str_eq(p->domains[1], "xn--bcher-kva.example");
	ck_assert_uint_eq(p->nbns_count, 1);
	ck_assert_uint_eq(p->subnet_count, 2);
	ck_assert_str_eq(prefix_text(&p->subnets[1], text), "fd00::/8");
	ck_assert_int_eq(p->netmask, NETMASK_HOST);
	ck_assert_int_eq(s->pools[1].netmask, NETMASK_POOL);
	/* In order, whoever's they are. */
	ck_assert_uint_eq(p->reserved_count, 2);
	ck_assert_str_eq(addr_text(&p->reserved[0], text), "10.9.0.5");
	ck_assert_str_eq(addr_text(&p->reserved[1], text), "10.9.0.77");
	ck_assert_uint_eq(s->pools[1].reserved_count, 1);
	ck_assert_uint_eq(s->group_count, 2);
	ck_assert_ptr_eq(s->groups[0].pools[0], &s->pools[1]);
	ck_assert_str_eq(selector_text(&s->groups[0].local[0], sel), "10.1.0.0/16");
	ck_assert_uint_eq(s->groups[0].sessions, 7);
	ck_assert_uint_eq(s->groups[1].sessions + s->groups[1].member_count + s->groups[1].pool_count, 0);
	ck_assert_ptr_eq(s->users[0].group, &s->groups[0]);
	ck_assert_ptr_null(s->users[1].group);
	ck_assert_uint_eq(s->users[2].address_count, 0);
	ck_assert_uint_eq(s->conns[0].group_count, 2);
	ck_assert_ptr_eq(s->conns[0].groups[1], &s->groups[1]);
	settings_unref(s);
}
END_TEST

START_TEST(addresses_of_users)
{
	expect_problems(POOLS "users:\n  a: {address: 10.8.0.1}\n" CONN, "f:5:16: error: 10.8.0.1 is in no pool\n");
	/* What no host may have is in no pool either. */
	expect_problems(POOLS "users:\n  a: {address: 10.9.0.255}\n" CONN, "f:5:16: error: 10.9.0.255 is in no pool\n");
	expect_problems(POOLS "users:\n  a: {address: [10.9.0.1, 10.9.0.2]}\n" CONN,
			"f:5:16: error: at most one `address` of each family\n");
	expect_problems(POOLS "users:\n  a: {address: 10.9.0.1}\n  b: {address: 10.9.0.1}\n" CONN,
			"f:4:1: error: two users have the address 10.9.0.1\n");
	expect_problems(POOLS "users:\n  a: {address: here}\n" CONN,
			"f:5:16: error: `address` wants an IPv4 or IPv6 address, not `here`\n");
}
END_TEST

START_TEST(names_of_groups)
{
	expect_problems(POOLS "groups: {staff: {}}\nusers:\n  a: {group: stuff}\n" CONN,
			"f:6:14: error: `group`: there is no group `stuff`; did you mean `staff`?\n");
	expect_problems(POOLS "groups:\n  staff: {pools: [v4, v4]}\n" CONN,
			"f:5:23: error: pool `v4` is there twice\n");
	/* A pool that only a group uses is used. */
	expect_problems("pools:\n  v4: {addresses: 10.9.0.0/24}\ngroups: {staff: {pools: v4}}\n" ROAD, "");
}
END_TEST

START_TEST(what_pools_tell)
{
	expect_problems("pools:\n  v4: {addresses: 10.9.0.0/24, domains: example.org}\n"
			"connections:\n  a: {psk: 'correct horse', pools: v4, children: {x: {local: 10.0.0.0/8}}}\n",
			"f:2:41: error: `domains` wants `dns`: name servers that know them (RFC 8598)\n");
	expect_problems(POOLS "groups: {}\n" CONN, "");
	for (size_t i = 0; i < 5; i++) {
		static const char *const wrong[] = { "a..b", ".", "a b", "'*.example.org'", "-.\xc3\xbc" };
		char yaml[512], wanted[256];

		(void)snprintf(
			yaml, sizeof(yaml),
			"pools:\n  v4: {addresses: 10.9.0.0/24, dns: 10.9.0.1, domains: [%s]}\n"
			"connections:\n  a: {psk: 'correct horse', pools: v4, children: {x: {local: 10.0.0.0/8}}}\n",
			wrong[i]);
		(void)snprintf(wanted, sizeof(wanted),
			       "f:2:57: error: `domains` wants a domain name (example.org; other "
			       "letters as xn--...), not `%.*s`\n",
			       (int)strcspn(wrong[i] + (wrong[i][0] == '\''), "'"), wrong[i] + (wrong[i][0] == '\''));
		expect_problems(yaml, wanted);
	}
	expect_problems("pools:\n  v4: {addresses: 10.9.0.0/24, nbns: ['fd00::1'], subnets: 10.0.0.1/8}\n"
			"connections:\n  a: {psk: 'correct horse', pools: v4, children: {x: {local: 10.0.0.0/8}}}\n",
			"f:2:39: error: `nbns` knows IPv4 addresses only\n"
			"f:2:60: error: `subnets`: `10.0.0.1/8` has host bits set; the network is 10.0.0.0/8\n");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("access");

	tcase_add_test(t, everything_set);
	tcase_add_test(t, addresses_of_users);
	tcase_add_test(t, names_of_groups);
	tcase_add_test(t, what_pools_tell);
	return check_main("access", t);
}
