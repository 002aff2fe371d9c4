/* What only the kernel's data plane knows: XFRM interfaces, marks, offload. */
#include "tests/config/scene.h"

#define POOLS "pools:\n  a: {addresses: 10.0.0.0/24}\n  b: {addresses: 10.0.1.0/24}\n"
#define CONN(name, more) \
	"  " name ":\n    psk: 'correct horse of " name "'\n    children: {lan: {local: 192.168.1.0/24}}\n" more

START_TEST(values)
{
	struct settings *s = scene_good("pools: {a: {addresses: 10.0.0.0/24}}\n" ROAD
					"    pools: [a]\n    interface: vpn-0.1\n    mark: 0x10/0xf0\n"
					"    output_mark: 4294967295\n    offload: crypto\n"),
			*plain = scene_good(ROAD);
	const struct conn_cfg *c = &s->conns[0], *d = &plain->conns[0];

	ck_assert_str_eq(c->interface, "vpn-0.1");
	ck_assert_uint_eq(c->if_id, interface_id("vpn-0.1"));
	ck_assert_uint_eq(c->if_id >> 24, 0x67);
	ck_assert(c->mark.value == 0x10 && c->mark.mask == 0xf0);
	ck_assert(c->output_mark.value == UINT32_MAX && c->output_mark.mask == UINT32_MAX);
	ck_assert_int_eq(c->offload, CONN_OFFLOAD_CRYPTO);
	ck_assert_str_eq(conn_kernel_key(c), "interface");
	ck_assert(d->interface == NULL && d->if_id == 0 && d->mark.mask == 0 && d->output_mark.mask == 0);
	ck_assert_int_eq(d->offload, CONN_OFFLOAD_NONE);
	ck_assert_ptr_null(conn_kernel_key(d));
	ck_assert(conn_kernel_equal(c, c) && !conn_kernel_equal(c, d));
	settings_unref(s);
	settings_unref(plain);
}
END_TEST

START_TEST(marks_that_are_none)
{
	static const char *const bad[] = { "x", "-1", "4294967296", "0x1ffffffff", "010", "0x", "1/", "1/2/3", "1 " };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char yaml[256], wanted[256];

		(void)snprintf(yaml, sizeof(yaml), ROAD "    mark: '%s'\n", bad[i]);
		(void)snprintf(wanted, sizeof(wanted),
			       "f:7:11: error: `mark` wants a mark such as 7, 0x10 or 0x10/0xf0, not `%s`\n", bad[i]);
		expect_problems(yaml, wanted);
	}
	expect_problems(ROAD "    mark: 0x10/0x0f\n",
			"f:7:11: error: `mark`: `0x10/0x0f` has bits outside its mask, or none in it\n");
	expect_problems(ROAD "    mark: 0/0\n",
			"f:7:11: error: `mark`: `0/0` has bits outside its mask, or none in it\n");
	expect_problems(ROAD "    mark: 0/0xff\n", ""); /* packets without one */
	expect_problems(ROAD "    interface: abcdefghijklmnop\n",
			"f:7:16: error: `interface` has 1 to 15 characters, not 16\n");
	expect_problems(ROAD "    offload: some\n",
			"f:7:14: error: `offload` is one of: none, crypto, packet; not `some`\n");
}
END_TEST

START_TEST(not_with_the_userspace_plane)
{
	static const char *const keys[] = { "mark: 7", "output_mark: 7/0xf", "offload: crypto" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char yaml[256], wanted[256];
		int n = (int)strcspn(keys[i], ":");

		(void)snprintf(yaml, sizeof(yaml), "dataplane: userspace\n" ROAD "    %s\n", keys[i]);
		(void)snprintf(
			wanted, sizeof(wanted),
			"f:8:%d: error: `%.*s` is for the kernel's data plane: not with `dataplane: userspace`\n",
			n + 7, n, keys[i]);
		expect_problems(yaml, wanted);
	}
	expect_problems("dataplane: userspace\nconnections:\n"
			"  a:\n    psk: 'correct horse of a'\n    children:\n"
			"      lan: {local: 192.168.1.0/24}\n      host: {local: 192.0.2.1, mode: transport}\n",
			"f:7:38: error: `mode` is for the kernel's data plane: not with `dataplane: userspace`\n");
	expect_problems("dataplane: userspace\n" ROAD "    offload: none\n", "");
	expect_problems("dataplane: kernel\n" ROAD "    mark: 7\n", "");
}
END_TEST

START_TEST(where_interfaces_lead)
{
	expect_problems(ROAD "    interface: vpn0\n",
			"f:7:16: error: nothing leads into `vpn0`: the connection has no `pools`, and its children no "
			"`remote`\n");
	expect_problems(ROAD "        remote: 10.0.0.0/8\n    interface: vpn0\n", "");
	expect_problems(ROAD "        remote: 10.0.0.0/8\n    interface: gw0\n",
			"f:8:16: error: `gw0` is the TUN device (`userspace.device`)\n");
	/* One for several connections, each pool behind one. */
	expect_problems(POOLS "connections:\n" CONN("one", "    pools: [a]\n    interface: vpn0\n")
				CONN("two", "    pools: [a, b]\n    interface: vpn0\n"),
			"");
	expect_problems(POOLS "connections:\n" CONN("one", "    pools: [a]\n    interface: vpn0\n")
				CONN("two", "    pools: [a, b]\n    interface: vpn1\n"),
			"f:14:16: error: pool `a` is used by connection `one` too, which has another interface\n");
	expect_problems(POOLS "connections:\n" CONN("one", "    pools: [a, b]\n")
				CONN("two", "    pools: [b]\n    interface: vpn1\n"),
			"f:13:16: error: pool `b` is used by connection `one` too, which has none\n");
}
END_TEST

START_TEST(pools_of_groups)
{
	struct settings *s = scene_good(POOLS "groups:\n  staff: {pools: [b]}\nconnections:\n" CONN(
		"one", "    pools: [a]\n    interface: vpn0\n"));

	ck_assert(conn_uses_pool(s, &s->conns[0], &s->pools[0]) && conn_uses_pool(s, &s->conns[0], &s->pools[1]));
	settings_unref(s);
	/* Anybody may come by a connection that names no groups. */
	expect_problems(POOLS "groups:\n  staff: {pools: [b]}\nconnections:\n" CONN(
				"one", "    pools: [a]\n    interface: vpn0\n") CONN("two", ""),
			"f:12:3: error: pool `b` is used by connection `one` too, which has another interface\n");
}
END_TEST

/* Names whose hashes are the same in the 24 bits that count, found by trying. */
START_TEST(one_number_for_two_names)
{
	char a[32], b[32], yaml[512], wanted[256];
	uint32_t *ids = calloc(20000, sizeof(*ids));
	size_t first = 0, second = 0;

	ck_assert_ptr_nonnull(ids);
	for (size_t i = 0; i < 20000 && second == 0; i++) {
		(void)snprintf(a, sizeof(a), "vpn%zu", i);
		ids[i] = interface_id(a);
		for (size_t k = 0; k < i && second == 0; k++)
			if (ids[k] == ids[i]) {
				first = k;
				second = i;
			}
	}
	free(ids);
	ck_assert_uint_gt(second, 0);
	(void)snprintf(a, sizeof(a), "vpn%zu", first);
	(void)snprintf(b, sizeof(b), "vpn%zu", second);
	(void)snprintf(yaml, sizeof(yaml),
		       POOLS "connections:\n" CONN("one", "    pools: [a]\n    interface: %s\n")
			       CONN("two", "    pools: [b]\n    interface: %s\n"),
		       a, b);
	(void)snprintf(wanted, sizeof(wanted),
		       "f:14:16: error: `%s` and `%s` have the same number (if_id): give it another name\n", b, a);
	expect_problems(yaml, wanted);
}
END_TEST

START_TEST(no_offload_for_a_pair)
{
	expect_problems("node: a\nha:\n  secret: {file: /etc/gateway/ha}\n  nodes: {a: {sync: 10.255.0.1}, b: {sync: "
			"10.255.0.2}}\n" ROAD "    offload: crypto\n",
			"f:2:1: warning: no `virtual_addresses`: nothing brings clients to the node that takes over\n"
			"f:4:34: warning: heartbeats on the sync link only: when it is cut, both nodes become active; "
			"give `heartbeat` a path over the service network\n"
			"f:11:14: error: `offload` is not for a pair of nodes: sequence numbers could be used twice\n");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("check_kernel");

	tcase_add_test(t, values);
	tcase_add_test(t, marks_that_are_none);
	tcase_add_test(t, not_with_the_userspace_plane);
	tcase_add_test(t, where_interfaces_lead);
	tcase_add_test(t, pools_of_groups);
	tcase_add_test(t, one_number_for_two_names);
	tcase_add_test(t, no_offload_for_a_pair);
	return check_main("check_kernel", t);
}
