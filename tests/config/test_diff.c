#include "config/diff.h"

#include "tests/config/scene.h"

#include <errno.h>

/* All differences as people would read them, a line each. To be freed. */
static char *difference(const struct settings *a, const struct settings *b)
{
	struct diff d;
	char *all = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&all, &n);

	ck_assert_int_eq(settings_diff(a, b, &d), GW_OK);
	for (size_t i = 0; i < d.count; i++)
		(void)fprintf(f, "%s %s [%s]: %s\n", d.items[i].name, diff_change_name(d.items[i].change),
			      d.items[i].keys ? d.items[i].keys : "", diff_effect_name(d.items[i].effect));
	(void)fclose(f);
	diff_clear(&d);
	return all;
}

static struct settings *load(const char *yaml)
{
	struct config_report r;
	struct settings *s = scene_load("f", yaml, &r);
	char *problems = scene_problems(&r);

	ck_assert_msg(s != NULL, "%s", problems);
	free(problems);
	config_report_clear(&r);
	return s;
}

#define expect_difference(before, after, wanted) \
	do { \
		struct settings *a_ = load(before), *b_ = load(after); \
		char *got_ = difference(a_, b_); \
		ck_assert(scene_same(got_, (wanted))); \
		free(got_); \
		settings_unref(a_); \
		settings_unref(b_); \
	} while (0)

#define POOL "pools:\n  v4: {addresses: 10.9.0.0/24}\n"
#define CONN(psk, more) \
	"connections:\n  road: {psk: '" psk "', pools: [v4], children: {lan: {local: 10.0.0.0/8" more "}}}\n"

START_TEST(equal_files_do_not_differ)
{
	FILE *f = fopen(TEST_DATA "/../gateway.yaml.example", "r");
	char *text = calloc(1, 256 * 1024), *got;
	struct config_sources src = scene_sources(NULL);
	struct config_report r;
	struct settings *a, *b;

	ck_assert_ptr_nonnull(f);
	(void)!fread(text, 1, 256 * 1024 - 1, f);
	(void)fclose(f);
	a = config_load_text("f", bytes_str(text), &src, &r);
	config_report_clear(&r);
	b = config_load_text("f", bytes_str(text), &src, &r);
	config_report_clear(&r);
	ck_assert_ptr_nonnull(a);
	/* Every key stands in the example: a type that is compared by its pointers would show here. */
	got = difference(a, b);
	ck_assert(scene_same(got, ""));
	free(got);
	settings_unref(a);
	settings_unref(b);
	free(text);
}
END_TEST

/* The file has another certificate now, under the same name. */
START_TEST(a_renewed_certificate)
{
	FILE *f = fopen(TEST_DATA "/../gateway.yaml.example", "r");
	char *text = calloc(1, 256 * 1024), *got;
	struct config_sources src = scene_sources(NULL);
	struct config_report r;
	struct settings *a, *b;
	size_t n;

	ck_assert_ptr_nonnull(f);
	(void)!fread(text, 1, 256 * 1024 - 1, f);
	(void)fclose(f);
	a = config_load_text("f", bytes_str(text), &src, &r);
	config_report_clear(&r);
	b = config_load_text("f", bytes_str(text), &src, &r);
	config_report_clear(&r);
	ck_assert_uint_ge(b->certificate_count, 1);
	n = b->certificates[0].chain[0].der.n--;
	got = difference(a, b);
	b->certificates[0].chain[0].der.n = n;
	ck_assert(scene_same(got, "certificates.gw changed [content]: new-sas\n"));
	free(got);
	/* One that is gone takes no SA along: peers have seen it once, and never again. */
	n = b->certificate_count;
	b->certificate_count = 0;
	got = difference(a, b);
	b->certificate_count = n;
	ck_assert(strstr(got, "certificates.gw removed []: new-sas\n"));
	ck_assert(!strstr(got, "sas-go"));
	free(got);
	settings_unref(a);
	settings_unref(b);
	free(text);
}
END_TEST

START_TEST(order_and_spelling_are_nothing)
{
	expect_difference(POOL CONN("correct horse", ""), CONN("correct horse", ", rekey: 60m") POOL, "");
	expect_difference(ROAD "  b: {psk: 'another one', children: {x: {local: 10.0.0.0/8}}}\n",
			  "connections:\n  b: {psk: 'another one', children: {x: {local: 10.0.0.0/8}}}\n"
			  "  road: {psk: 'correct horse', children: {lan: {local: 192.168.1.0/24}}}\n",
			  "");
}
END_TEST

START_TEST(connections_come_change_and_go)
{
	expect_difference(ROAD, ROAD "  b: {psk: 'another one', children: {x: {local: 10.0.0.0/8}}}\n",
			  "connections.b added []: new-sas\n");
	expect_difference(ROAD "  b: {psk: 'another one', children: {x: {local: 10.0.0.0/8}}}\n", ROAD,
			  "connections.b removed []: sas-go\n");
	expect_difference(POOL CONN("correct horse", ""), POOL CONN("correct donkey", ", copy_df: false, rekey: 2h"),
			  "connections.road changed [psk, children.lan.rekey, children.lan.life, "
			  "children.lan.copy_df]: new-sas\n");
	/* A child that went takes its SAs along; one that came does nothing to anybody. */
	expect_difference(POOL CONN("correct horse", ""),
			  POOL "connections:\n  road: {psk: 'correct horse', pools: [v4], children: {x: {local: "
			       "10.0.0.0/8}}}\n",
			  "connections.road changed [children.lan, children.x]: sas-go\n");
}
END_TEST

START_TEST(lists_are_compared_item_by_item)
{
	expect_difference("connections:\n  a: {psk: 'correct horse', remote: {ids: [x, '*@y']}, children: {l: {local: "
			  "[10.0.0.0/8, '10.1.1.1[tcp/22]']}}}\n",
			  "connections:\n  a: {psk: 'correct horse', remote: {ids: [x, '*@z']}, children: {l: {local: "
			  "[10.0.0.0/8, '10.1.1.1[tcp/23]']}}}\n",
			  "connections.a changed [remote.ids, children.l.local]: new-sas\n");
	expect_difference("connections:\n  a: {psk: 'correct horse', children: {l: {local: 10.0.0.0/8, proposals: "
			  "[aes128gcm16]}}}\n",
			  "connections:\n  a: {psk: 'correct horse', children: {l: {local: 10.0.0.0/8, proposals: "
			  "[aes128gcm16, aes256gcm16]}}}\n",
			  "connections.a changed [children.l.proposals]: new-sas\n");
}
END_TEST

START_TEST(pools_grow_and_shrink)
{
	expect_difference(POOL CONN("correct horse", ""),
			  "pools:\n  v4: {addresses: 10.9.0.0/23, dns: 10.9.0.1}\n" CONN("correct horse", ""),
			  "pools.v4 changed [addresses, dns]: new-sas\n");
	expect_difference(POOL CONN("correct horse", ""),
			  "pools:\n  v4: {addresses: 10.9.0.0/25}\n" CONN("correct horse", ""),
			  "pools.v4 changed [addresses]: sas-go\n");
	/* The pool behind a name is the same while the name is. */
	expect_difference(POOL CONN("correct horse", ""),
			  POOL "  v6: {addresses: 'fd00::/64'}\n" CONN("correct horse", ""),
			  "pools.v6 added []: new-sas\n");
}
END_TEST

START_TEST(what_is_not_of_sas)
{
	expect_difference(ROAD, ROAD "log: {level: debug}\nike: {cookie_threshold: 7, retransmit: {tries: 9}}\n",
			  "log.level changed []: now\nike.cookie_threshold changed []: now\n"
			  "ike.retransmit.tries changed []: new-sas\n");
	expect_difference(ROAD,
			  ROAD "listen: {addresses: 192.0.2.1, port: 501}\nnode: b\nuserspace: {mtu: 1300}\n"
			       "control: {group: wheel}\n",
			  "node changed []: restart\nlisten.addresses changed []: restart\n"
			  "listen.port changed []: restart\nuserspace.mtu changed []: restart\n"
			  "control.group changed []: restart\n");
}
END_TEST

#define PAIR(me, of_a, more) \
	ROAD "node: " me "\nha:\n  secret: 0123456789abcdef\n  nodes:\n    a: {sync: 10.0.0.1" of_a \
	     "}\n    b: {sync: 10.0.0.2}\n" more

START_TEST(of_a_pair_at_once)
{
	expect_difference(PAIR("a", "", ""),
			  PAIR("a", ", priority: 200",
			       "  ack_timeout: 40ms\n  report_interval: 1s\n  replay: strict\n  election: external\n"
			       "  start_hold: 2s\n  flap_hold: 3s\n  preempt: {delay: 1m, require_synced: false}\n"
			       "  announce_interval: 5s\n  service_interfaces: [lan]\n  witness: [10.0.0.9]\n"
			       "  hooks: {role: /x, fence: /y, timeout: 3s}\n"),
			  "ha.nodes.a changed [priority]: now\nha.ack_timeout changed []: now\n"
			  "ha.report_interval changed []: now\nha.replay changed []: now\n"
			  "ha.election changed []: now\nha.start_hold changed []: now\nha.flap_hold changed []: now\n"
			  "ha.preempt.delay changed []: now\nha.preempt.require_synced changed []: now\n"
			  "ha.announce_interval changed []: now\nha.service_interfaces changed []: now\n"
			  "ha.witness changed []: now\nha.hooks.role changed []: now\n"
			  "ha.hooks.fence changed []: now\nha.hooks.timeout changed []: now\n");
}
END_TEST

/* How the nodes find and judge each other, and what clients talk to. The worst of a node's keys counts. */
START_TEST(of_a_pair_by_a_restart)
{
	expect_difference(PAIR("a", "", ""),
			  PAIR("a", ", priority: 7, index: 5",
			       "  cluster: other\n  port: 4511\n  heartbeat: {interval: 100ms, misses: 4, stall: 2s}\n"
			       "  start_hold: 1s\n"
			       "  virtual_addresses:\n    out: {address: 192.0.2.1/24, interface: eth0}\n"),
			  "node_index changed []: restart\n"
			  "ha.cluster changed []: restart\nha.nodes.a changed [index, priority]: restart\n"
			  "ha.port changed []: restart\nha.heartbeat.interval changed []: restart\n"
			  "ha.heartbeat.misses changed []: restart\nha.heartbeat.stall changed []: restart\n"
			  "ha.virtual_addresses.out added []: restart\n");
}
END_TEST

/* One that was no node, or was the other one, takes nothing of it over. */
START_TEST(another_node_takes_a_restart)
{
	expect_difference(
		PAIR("a", "", ""), PAIR("b", "", "  flap_hold: 3s\n"),
		"node changed []: restart\nnode_index changed []: restart\nha.flap_hold changed []: restart\n");
	expect_difference(ROAD, PAIR("a", "", "  flap_hold: 3s\n"),
			  "node changed []: restart\nha.secret changed []: restart\nha.nodes.a added []: restart\n"
			  "ha.nodes.b added []: restart\nha.flap_hold changed []: restart\n");
	expect_difference(PAIR("a", "", "  flap_hold: 3s\n"), ROAD,
			  "node changed []: restart\nha.secret changed []: restart\nha.nodes.a removed []: restart\n"
			  "ha.nodes.b removed []: restart\nha.flap_hold changed []: restart\n");
}
END_TEST

START_TEST(finding)
{
	struct settings *a = load(POOL CONN("correct horse", "")), *b = load(ROAD "log: {level: debug}\n");
	struct diff d;

	ck_assert_int_eq(settings_diff(a, b, &d), GW_OK);
	ck_assert_ptr_nonnull(diff_find(&d, "pools", "v4"));
	ck_assert_int_eq(diff_find(&d, "pools", "v4")->change, DIFF_REMOVED);
	ck_assert_ptr_nonnull(diff_find(&d, "connections", "road"));
	ck_assert_ptr_null(diff_find(&d, "connections", "roa"));
	ck_assert_ptr_null(diff_find(&d, "pool", "v4"));
	ck_assert(diff_has(&d, RELOAD_NOW) && diff_has(&d, RELOAD_SAS_GO));
	ck_assert(!diff_has(&d, RELOAD_RESTART));
	diff_clear(&d);
	ck_assert_ptr_null(diff_find(&d, "pools", "v4"));
	settings_unref(a);
	settings_unref(b);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("diff");

	tcase_add_test(tc, equal_files_do_not_differ);
	tcase_add_test(tc, a_renewed_certificate);
	tcase_add_test(tc, order_and_spelling_are_nothing);
	tcase_add_test(tc, connections_come_change_and_go);
	tcase_add_test(tc, lists_are_compared_item_by_item);
	tcase_add_test(tc, pools_grow_and_shrink);
	tcase_add_test(tc, what_is_not_of_sas);
	tcase_add_test(tc, of_a_pair_at_once);
	tcase_add_test(tc, of_a_pair_by_a_restart);
	tcase_add_test(tc, another_node_takes_a_restart);
	tcase_add_test(tc, finding);
	return check_main("diff", tc);
}
