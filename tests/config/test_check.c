#include "tests/config/scene.h"

START_TEST(pools_do_not_overlap)
{
	expect_problems("pools:\n"
			"  a: {addresses: 10.0.0.0/24}\n"
			"  b: {addresses: 10.0.1.0/24}\n"
			"  c: {addresses: 10.0.0.254-10.0.1.1}\n" ROAD "    pools: [a, b, c]\n",
			"f:4:18: error: overlaps with pool `a`\nf:4:18: error: overlaps with pool `b`\n");
	/* The broadcast address of a network is in no pool. */
	expect_problems("pools:\n"
			"  a: {addresses: 10.0.0.0/24}\n"
			"  b: {addresses: 10.0.0.255-10.0.1.1}\n"
			"  c: {addresses: 'fd00::/64'}\n" ROAD "    pools: [a, b, c]\n",
			"");
}
END_TEST

START_TEST(pools_are_named)
{
	expect_problems("pools:\n  clients: {addresses: 10.0.0.0/24}\n" ROAD "    pools: [client, other]\n",
			"f:2:3: warning: no connection uses pool `clients`\n"
			"f:9:13: error: `pools`: there is no pool `client`; did you mean `clients`?\n"
			"f:9:21: error: `pools`: there is no pool `other`\n");
	expect_problems("pools:\n  a: {addresses: 10.0.0.0/24}\n" ROAD "    pools: [a, a]\n",
			"f:9:16: error: pool `a` is there twice\n");
	expect_problems(ROAD "    pools: none\n", "");
	expect_problems(ROAD "    pools: []\n", "");
}
END_TEST

START_TEST(life_outlasts_rekey)
{
	expect_problems(ROAD "        rekey: 1h\n        life: 1h\n",
			"f:8:15: error: `life` (1h) must be longer than `rekey` (1h)\n");
	expect_problems(ROAD "        rekey: 1h\n        life: 3600001ms\n", "");
	/* The default of rekey is what counts, then. */
	expect_problems(ROAD "        life: 50m\n", "f:7:15: error: `life` (50m) must be longer than `rekey` (1h)\n");
	expect_problems(ROAD "    life: 3h\n", "f:7:11: error: `life` (3h) must be longer than `rekey` (4h)\n");
	expect_problems(ROAD "    rekey: 0\n    life: 10s\n", "");
	expect_problems(ROAD "    rekey: 10s\n    life: 0\n", "");
}
END_TEST

START_TEST(pfs_wants_groups)
{
	expect_problems(ROAD "        pfs: required\n        proposals: aes128gcm16\n",
			"f:7:14: error: `pfs: required`, but no proposal has a key exchange group\n");
	expect_problems(ROAD "        pfs: required\n        proposals: [aes128gcm16, aes128gcm16-x25519-none]\n", "");
	expect_problems(ROAD "        pfs: required\n", "");
	expect_problems(
		ROAD "    reauth: 8h\n    unique: keep\n",
		"f:7:13: warning: with `unique: keep` a client that authenticates anew before it leaves is refused\n");
}
END_TEST

START_TEST(life_follows_rekey)
{
	struct settings *s = scene_good(ROAD "        rekey: 100s\n    rekey: 10s\n");

	ck_assert_int_eq(s->conns[0].life_us, SECONDS(11));
	ck_assert_int_eq(s->conns[0].children[0].life_us, SECONDS(110));
	settings_unref(s);
	s = scene_good(ROAD "        rekey: 0\n    rekey: off\n");
	ck_assert_int_eq(s->conns[0].life_us, 0);
	ck_assert_int_eq(s->conns[0].children[0].life_us, 0);
	settings_unref(s);
}
END_TEST

START_TEST(weak_groups_want_a_word)
{
	expect_problems(
		ROAD "    proposals: aes256-sha256-modp1024\n",
		"f:7:16: error: modp1024 is weak; where a client knows nothing better, write `compat: [weak-dh]` in "
		"the connection\n");
	expect_problems(
		ROAD "    proposals: [aes256-sha256-x25519, aes256-sha256-modp2048-modp1536]\n",
		"f:7:39: error: modp1536 is weak; where a client knows nothing better, write `compat: [weak-dh]` in "
		"the connection\n");
	expect_problems(
		ROAD "        proposals: aes256-sha256-modp1024\n",
		"f:7:20: error: modp1024 is weak; where a client knows nothing better, write `compat: [weak-dh]` in "
		"the connection\n");
	expect_problems(ROAD "        proposals: aes256-sha256-modp1536\n"
			     "    proposals: aes256-sha256-modp1024\n    compat: [weak-dh]\n",
			"f:7:20: warning: modp1536 is weak: recorded traffic can be decrypted later\n"
			"f:8:16: warning: modp1024 is weak: recorded traffic can be decrypted later\n");
}
END_TEST

START_TEST(compat_reaches_the_model)
{
	struct config_report r;
	struct settings *s = scene_load("f", ROAD "    proposals: aes256-sha256-modp1024\n    compat: weak-dh\n", &r);

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->conns[0].compat, COMPAT_WEAK_DH);
	settings_unref(s);
	config_report_clear(&r);
}
END_TEST

START_TEST(the_fake_plane_wants_permission)
{
	static const struct row {
		const char *allow;
		bool allowed;
	} rows[] = { { NULL, false }, { "0", false }, { "", false }, { "yes", false }, { "1", true } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_sources src = scene_sources(rows[i].allow);
		struct config_report r;
		struct settings *s = config_load_text("f", bytes_str("dataplane: fake\n" ROAD), &src, &r);

		ck_assert_int_eq(s != NULL, rows[i].allowed);
		if (s) {
			ck_assert(s->allow_fake_plane);
			ck_assert_int_eq(s->dataplane, DATAPLANE_FAKE);
		} else {
			ck_assert_str_eq(r.items[0].text, "`fake` encrypts nothing and is for tests: set "
							  "GATEWAY_ALLOW_FAKE=1 in the environment");
			ck_assert_uint_eq(r.items[0].line, 1);
			ck_assert_uint_eq(r.items[0].column, 12);
		}
		settings_unref(s);
		config_report_clear(&r);
	}
}
END_TEST

START_TEST(listening)
{
	expect_problems("listen: {port: 4500}\n" ROAD, "f:1:1: error: `port` and `port_natt` are the same\n");
	expect_problems("listen: {port: 700, port_natt: 700}\n" ROAD,
			"f:1:32: error: `port` and `port_natt` are the same\n");
	expect_problems("listen: {addresses: [192.0.2.1, '::1', 192.0.2.1]}\n" ROAD,
			"f:1:40: error: this address is there twice\n");
	expect_problems("listen: {addresses: [192.0.2.1]}\n" ROAD "    local_addresses: [192.0.2.0/24, 198.51.100.1]\n",
			"f:8:37: warning: none of `listen.addresses` is in 198.51.100.1\n");
	expect_problems("listen: {addresses: [0.0.0.0]}\n" ROAD "    local_addresses: [198.51.100.1]\n", "");
	expect_problems(ROAD "    local_addresses: [198.51.100.1]\n", "");
}
END_TEST

START_TEST(connections_that_are_never_chosen)
{
	/* clang-format off */
#define CONN(name, more) "  " name ": {psk: correct horse, children: {x: {local: 10.0.0.0/8}}" more "}\n"
	/* clang-format on */
	expect_problems("connections:\n" CONN("a", "") CONN("b", ""),
			"f:3:3: warning: never chosen: connection `a` before it is for the same peers\n");
	expect_problems("connections:\n" CONN("a", "") CONN("b", ", local: {id: x}"), "");
	expect_problems("connections:\n" CONN("a", "") CONN("b", ", local_addresses: 1.2.3.4"), "");
	expect_problems("connections:\n" CONN("a", "") CONN("b", ", remote_addresses: 1.2.3.4"), "");
	expect_problems("connections:\n" CONN("a", ", remote: {ids: x}") CONN("b", ", remote: {ids: y}"), "");
	expect_problems("connections:\n" CONN("a", ", remote: {ids: x}") CONN("b", ", remote: {ids: '@x'}"),
			"f:3:3: warning: never chosen: connection `a` before it is for the same peers\n");
	expect_problems("connections:\n" CONN("a", "") CONN("b", ", proposals: aes256-sha256-modp2048"), "");
	expect_problems(
		"connections:\n" CONN("a", "") "  b: {psk: another horse, children: {x: {local: 10.0.0.0/8}}}\n", "");
#undef CONN
}
END_TEST

START_TEST(connections_without_children)
{
	expect_problems("connections:\n  a: {psk: correct horse}\n",
			"f:2:3: warning: connection `a` has no children: clients get no tunnel\n");
	expect_problems("connections:\n  a: {psk: correct horse, children: }\n",
			"f:2:37: warning: connection `a` has no children: clients get no tunnel\n");
	expect_problems("connections:\n  a: {psk: correct horse, children: {x: }}\n",
			"f:2:38: error: `local` is missing in `x`\n");
	expect_problems("connections:\n  a:\n", "f:2:3: error: `psk` is missing in `a`\n"
						"f:2:3: warning: connection `a` has no children: clients get no "
						"tunnel\n");
}
END_TEST

START_TEST(addresses_of_others)
{
#define POOL "pools:\n  a: {addresses: 10.0.0.0/24}\n"
#define CONN "connections:\n  a:\n    psk: correct horse\n    pools: [a]\n    children:\n"

	expect_problems(POOL CONN "      x: {local: 10.1.0.0/16, remote: 10.0.0.0/16}\n",
			"f:8:39: warning: clients may ask for each other's addresses of pool `a`; `dynamic` is a "
			"client's own\n");
	expect_problems(POOL CONN "      x: {local: 10.1.0.0/16, remote: [10.2.0.0/16, 'fd00::/8']}\n", "");
	expect_problems(POOL CONN "      x: {local: 10.1.0.0/16, remote: dynamic}\n", "");
}
END_TEST

START_TEST(cookies_that_are_never_asked_for)
{
	expect_problems("ike: {cookie_threshold: 100, half_open_max: 100}\n" ROAD,
			"f:1:25: warning: not below `half_open_max`: cookies are never asked for\n");
	expect_problems("ike: {cookie_threshold: 99, half_open_max: 100}\n" ROAD, "");
}
END_TEST

START_TEST(log_format_by_itself)
{
	static const struct row {
		const char *yaml;
		bool by_itself;
		enum log_format format;
	} rows[] = {
		{ ROAD, true, LOG_TEXT },
		{ "log: {format: auto}\n" ROAD, true, LOG_TEXT },
		{ "log: {format: text}\n" ROAD, false, LOG_TEXT },
		{ "log: {format: journal}\n" ROAD, false, LOG_JOURNAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct settings *s = scene_good(rows[i].yaml);

		ck_assert_int_eq(s->log_auto, rows[i].by_itself);
		ck_assert_int_eq(s->log_format, rows[i].format);
		settings_unref(s);
	}
}
END_TEST

START_TEST(a_node_has_a_name)
{
	struct settings *s = scene_good("node_index: 7\n" ROAD);

	ck_assert_str_eq(s->node, "node7");
	settings_unref(s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("check");

	tcase_add_test(t, pools_do_not_overlap);
	tcase_add_test(t, pools_are_named);
	tcase_add_test(t, life_outlasts_rekey);
	tcase_add_test(t, life_follows_rekey);
	tcase_add_test(t, pfs_wants_groups);
	tcase_add_test(t, weak_groups_want_a_word);
	tcase_add_test(t, compat_reaches_the_model);
	tcase_add_test(t, the_fake_plane_wants_permission);
	tcase_add_test(t, listening);
	tcase_add_test(t, connections_that_are_never_chosen);
	tcase_add_test(t, connections_without_children);
	tcase_add_test(t, addresses_of_others);
	tcase_add_test(t, cookies_that_are_never_asked_for);
	tcase_add_test(t, log_format_by_itself);
	tcase_add_test(t, a_node_has_a_name);
	return check_main("check", t);
}
