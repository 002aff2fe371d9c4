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
	Suite *s = suite_create("diff");
	TCase *tc = tcase_create("diff");
	SRunner *r;
	int failed;

	tcase_add_test(tc, equal_files_do_not_differ);
	tcase_add_test(tc, a_renewed_certificate);
	tcase_add_test(tc, order_and_spelling_are_nothing);
	tcase_add_test(tc, connections_come_change_and_go);
	tcase_add_test(tc, lists_are_compared_item_by_item);
	tcase_add_test(tc, pools_grow_and_shrink);
	tcase_add_test(tc, what_is_not_of_sas);
	tcase_add_test(tc, finding);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
