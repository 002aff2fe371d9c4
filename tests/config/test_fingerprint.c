#include "config/fingerprint.h"

#include <stdio.h>
#include <stdlib.h>

#include "scene.h"
#include "tests/check_main.h"

#define BASE \
	"node: %s\nstate_dir: /tmp/%s\n" \
	"pools:\n  clients: {addresses: 10.9.0.0/24, dns: [10.9.0.1]}\n  more: {addresses: 10.8.0.0/24}\n" \
	"connections:\n  road:\n    local: {id: vpn.example.org}\n    psk: \"%s\"\n    pools: [clients]\n" \
	"    children:\n      lan: {local: [192.168.1.0/24], rekey: %s}\n" \
	"ike: {cookie_threshold: 100}\n"

static uint64_t print_of(const char *text)
{
	struct config_report report = { 0 };
	struct settings *s = config_load_text("test", bytes_str(text), NULL, &report);
	char why[512];
	uint64_t f;

	ck_assert_msg(s != NULL, "%s", report.count ? config_problem_text(&report, 0, why, sizeof(why)) : "?");
	f = settings_fingerprint(s);
	config_report_clear(&report);
	settings_unref(s);
	return f;
}

static uint64_t print_with(const char *node, const char *psk, const char *rekey)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), BASE, node, node, psk, rekey);
	return print_of(text);
}

START_TEST(what_is_one_nodes_own_does_not_count)
{
	ck_assert_uint_eq(print_with("a", "a secret of one connection", "1h"),
			  print_with("b", "a secret of one connection", "1h"));
}
END_TEST

START_TEST(the_part_that_differs_is_named)
{
	char text[FINGERPRINT_TEXT];
	uint64_t a = print_with("a", "a secret of one connection", "1h");

	ck_assert_str_eq(fingerprint_differs(a, a, text), "");
	ck_assert_str_eq(fingerprint_differs(a, print_with("a", "a secret of two connections", "1h"), text),
			 "connections");
	ck_assert_str_eq(fingerprint_differs(a, print_with("a", "a secret of one connection", "2h"), text),
			 "connections");
	ck_assert_str_eq(fingerprint_differs(0, UINT64_MAX, text),
			 "connections, pools, ike, ha, users and certificates");
}
END_TEST

START_TEST(each_part_for_itself)
{
	static const char *const texts[][2] = {
		{ "pools:\n  clients: {addresses: 10.9.0.0/25}\n", "pools" },
		{ "pools:\n  clients: {addresses: 10.9.0.0/24, lease_time: 1h}\n", "pools" },
		{ "pools:\n  clients: {addresses: 10.9.0.0/24}\nike: {cookie_threshold: 7}\n", "ike" },
	};
	uint64_t a = print_of("pools:\n  clients: {addresses: 10.9.0.0/24}\n");
	char text[FINGERPRINT_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_str_eq(fingerprint_differs(a, print_of(texts[i][0]), text), texts[i][1]);
}
END_TEST

/* Named things stand in a file in any order. */
START_TEST(order_of_names_does_not_count)
{
	ck_assert_uint_eq(print_of("pools:\n  a: {addresses: 10.9.0.0/24}\n  b: {addresses: 10.8.0.0/24}\n"),
			  print_of("pools:\n  b: {addresses: 10.8.0.0/24}\n  a: {addresses: 10.9.0.0/24}\n"));
	ck_assert_uint_ne(print_of("pools:\n  a: {addresses: 10.9.0.0/24}\n  b: {addresses: 10.8.0.0/24}\n"),
			  print_of("pools:\n  b: {addresses: 10.9.0.0/24}\n  a: {addresses: 10.8.0.0/24}\n"));
}
END_TEST

/* Twice the same file is twice the same number: no pointer and no padding is in it. */
START_TEST(the_example_twice)
{
	struct config_sources src = scene_sources(NULL);
	struct config_report report;
	uint64_t prints[2];

	for (int i = 0; i < 2; i++) {
		char *junk = malloc(100000); /* another arrangement of the heap */
		struct settings *s = config_load_file(TEST_DATA "/../gateway.yaml.example", &src, &report);

		ck_assert_ptr_nonnull(s);
		config_report_clear(&report);
		prints[i] = settings_fingerprint(s);
		settings_unref(s);
		free(junk);
	}
	ck_assert_uint_eq(prints[0], prints[1]);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fingerprint");

	tcase_add_test(tc, what_is_one_nodes_own_does_not_count);
	tcase_add_test(tc, the_part_that_differs_is_named);
	tcase_add_test(tc, each_part_for_itself);
	tcase_add_test(tc, order_of_names_does_not_count);
	tcase_add_test(tc, the_example_twice);
	return check_main("fingerprint", tc);
}
