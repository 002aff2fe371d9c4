#include "tests/config/scene.h"

/* Lines 1..6 are ROAD; 7 is `node: a`, 8 `ha:`. */
#define NODE_A ROAD "node: a\nha:\n"
#define SECRET "  secret: 0123456789abcdef\n"
#define NODES "  nodes:\n    a: {sync: 10.0.0.1, heartbeat: 10.1.0.1}\n    b: {sync: 10.0.0.2, heartbeat: 10.1.0.2}\n"
#define VIPS "  virtual_addresses:\n    out: {address: 192.0.2.1/24, interface: eth0}\n"

START_TEST(a_pair_loads)
{
	struct settings *s = scene_good(ROAD "node: b\nha:\n" SECRET NODES VIPS);

	ck_assert(s->ha.enabled);
	ck_assert_ptr_eq(s->ha.self, &s->ha.nodes[1]);
	ck_assert_ptr_eq(s->ha.peer, &s->ha.nodes[0]);
	ck_assert_uint_eq(s->node_index, 1);
	ck_assert_str_eq(s->ha.cluster, "gateway");
	ck_assert_int_eq(s->ha.heartbeat_interval_us, MILLISECONDS(50));
	ck_assert_uint_eq(s->ha.heartbeat_misses, 3);
	ck_assert_int_eq(s->ha.preempt_delay_us, 0);
	ck_assert_uint_eq(s->ha.addresses[0].prefix_len, 24);
	ck_assert_uint_eq(s->ha.addresses[0].address.b[3], 1);
	ck_assert_str_eq(s->ha.addresses[0].interface, "eth0");
	settings_unref(s);
	/* Only the name differs between the two files. */
	s = scene_good(ROAD "node: a\nha:\n" SECRET NODES VIPS);
	ck_assert_uint_eq(s->node_index, 0);
	settings_unref(s);
}
END_TEST

START_TEST(no_section_is_a_lone_node)
{
	struct settings *s = scene_good(ROAD);

	ck_assert(!s->ha.enabled);
	ck_assert_ptr_null(s->ha.self);
	ck_assert_uint_eq(s->node_index, 0);
	settings_unref(s);
}
END_TEST

START_TEST(a_pair_needs_a_secret)
{
	expect_problems(NODE_A NODES VIPS, "f:8:1: error: `secret` is missing in `ha`\n");
	expect_problems(NODE_A "  secret: 0123456789abcde\n" NODES VIPS,
			"f:9:11: error: `secret` has 15 octets; at least 16, best by `openssl rand -hex 32`\n");
	expect_problems(NODE_A "  secret: {file: /etc/gateway/ha}\n" NODES VIPS, "");
}
END_TEST

START_TEST(a_pair_is_two_nodes)
{
	expect_problems(NODE_A SECRET "  nodes: {a: {sync: 10.0.0.1}}\n",
			"f:10:10: error: `nodes` wants two nodes, not 1\n");
	expect_problems(ROAD "node: c\nha:\n" SECRET NODES VIPS, "f:7:7: error: `ha.nodes` has no node `c`\n");
	expect_problems(ROAD "ha:\n" SECRET NODES VIPS,
			"f:10:5: error: `node` must say which of the nodes this one is\n");
}
END_TEST

START_TEST(numbers_of_nodes_differ)
{
	struct settings *s;

	expect_problems(NODE_A SECRET "  nodes:\n    a: {sync: 10.0.0.1, heartbeat: 10.1.0.1, index: 1}\n"
				      "    b: {sync: 10.0.0.2, heartbeat: 10.1.0.2}\n" VIPS,
			"f:12:5: error: both nodes have the index 1\n");
	expect_problems(ROAD "node: b\nnode_index: 3\nha:\n" SECRET NODES VIPS,
			"f:8:13: error: `ha.nodes` says 1; leave `node_index` out\n");
	s = scene_good(NODE_A SECRET "  nodes:\n    a: {sync: 10.0.0.1, heartbeat: 10.1.0.1, index: 7}\n"
				     "    b: {sync: 10.0.0.2, heartbeat: 10.1.0.2}\n" VIPS);
	ck_assert_uint_eq(s->node_index, 7);
	settings_unref(s);
}
END_TEST

START_TEST(paths_fit_together)
{
	expect_problems(NODE_A SECRET "  nodes:\n    a: {sync: 10.0.0.1, heartbeat: [10.1.0.1, 10.2.0.1]}\n"
				      "    b: {sync: 10.0.0.2, heartbeat: 10.1.0.2}\n" VIPS,
			"f:12:36: error: 1 paths here, but 2 at the other node\n");
	expect_problems(NODE_A SECRET "  nodes:\n    a: {sync: 10.0.0.1, heartbeat: 10.1.0.1}\n"
				      "    b: {sync: 10.0.0.1, heartbeat: 'fd00::1'}\n" VIPS,
			"f:12:15: error: both nodes have this address\n"
			"f:12:36: error: the other node's address on this path is of the other family\n");
	expect_problems(
		NODE_A SECRET "  nodes:\n    a: {sync: 10.0.0.1}\n    b: {sync: 10.0.0.2}\n" VIPS,
		"f:12:5: warning: heartbeats on the sync link only: when it is cut, both nodes become active; give "
		"`heartbeat` a path over the service network\n");
}
END_TEST

START_TEST(virtual_addresses_are_nobodys)
{
	expect_problems(NODE_A SECRET NODES "  virtual_addresses:\n    a: {address: 10.1.0.2, interface: eth0}\n",
			"f:14:18: error: a node has this address for itself (`ha.nodes`)\n");
	expect_problems(NODE_A SECRET NODES VIPS "    b: {address: 192.0.2.1, interface: eth1}\n",
			"f:15:18: error: this address is there twice\n");
	expect_problems(
		"listen: {addresses: 192.0.2.9}\n" NODE_A SECRET NODES VIPS,
		"f:9:1: warning: `listen.addresses` has none of the virtual addresses: no client can come to them\n");
	expect_problems("listen: {addresses: 192.0.2.1}\n" NODE_A SECRET NODES VIPS
			"    lan: {address: 10.9.0.1/24, interface: eth1}\n",
			"");
	expect_problems(NODE_A SECRET NODES "  virtual_addresses:\n    a: {address: 10.1.0.9/33, interface: eth0}\n",
			"f:14:18: error: `address` wants an address, maybe with a prefix length (192.0.2.1/24), not "
			"`10.1.0.9/33`\n");
	expect_problems(NODE_A SECRET NODES,
			"f:8:1: warning: no `virtual_addresses`: nothing brings clients to the node that takes over\n");
}
END_TEST

START_TEST(times_fit_together)
{
	expect_problems(NODE_A SECRET NODES VIPS "  heartbeat: {interval: 1s, stall: 2s}\n  start_hold: 1s\n",
			"f:15:36: error: `stall` must not be shorter than `interval` times `misses` (3s)\n"
			"f:16:15: error: `start_hold` must not be shorter than `interval` times `misses` (3s)\n");
	expect_problems(NODE_A SECRET NODES VIPS "  heartbeat: {interval: 9ms}\n",
			"f:15:25: error: `interval` is 10ms..10s, not `9ms`\n");
	expect_problems(NODE_A SECRET NODES VIPS "  heartbeat: {interval: 5s}\n", "");
	expect_problems(NODE_A SECRET NODES VIPS "  election: external\n  preempt: {delay: 60s}\n",
			"f:16:20: warning: with `election: external` nobody preempts by itself\n");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("check_ha");

	tcase_add_test(t, a_pair_loads);
	tcase_add_test(t, no_section_is_a_lone_node);
	tcase_add_test(t, a_pair_needs_a_secret);
	tcase_add_test(t, a_pair_is_two_nodes);
	tcase_add_test(t, numbers_of_nodes_differ);
	tcase_add_test(t, paths_fit_together);
	tcase_add_test(t, virtual_addresses_are_nobodys);
	tcase_add_test(t, times_fit_together);
	return check_main("check_ha", t);
}
