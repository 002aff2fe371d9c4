#include "daemon/control_msg.h"

#include "daemon_check.h"

static enum gw_err parse(const char *line, struct control_request *r, struct err *e)
{
	memset(e, 0, sizeof(*e));
	return control_request_parse(bytes_str(line), r, e);
}

START_TEST(whole_request)
{
	struct control_request r;
	struct err e;

	ck_assert_int_eq(
		parse("{\"cmd\":\"rekey\",\"id\":12,\"child_id\":4294967295,\"conn\":\"office\",\"peer\":\"a@b\","
		      "\"child\":true,\"all\":false,\"reason\":\"why not\",\"level\":\"debug\",\"pool\":\"p\"}",
		      &r, &e),
		GW_OK);
	ck_assert_str_eq(r.cmd, "rekey");
	ck_assert_uint_eq(r.id, 12);
	ck_assert_uint_eq(r.child_id, UINT32_MAX);
	ck_assert_str_eq(r.conn, "office");
	ck_assert_str_eq(r.peer, "a@b");
	ck_assert_str_eq(r.reason, "why not");
	ck_assert_str_eq(r.level, "debug");
	ck_assert_str_eq(r.pool, "p");
	ck_assert(r.child);
	ck_assert(!r.all);
	ck_assert(!control_request_unselective(&r));
}
END_TEST

START_TEST(nothing_given_is_nothing_selected)
{
	struct control_request r;
	struct err e;

	ck_assert_int_eq(parse(" {\"cmd\":\"terminate\",\"reason\":\"x\",\"child\":true} ", &r, &e), GW_OK);
	ck_assert(control_request_unselective(&r));
	ck_assert_uint_eq(r.id, 0);
	ck_assert_str_eq(r.peer, "");
}
END_TEST

static const struct {
	const char *line;
	enum gw_err result;
	const char *says;
} bad[] = {
	{ "", GW_EMALFORMED, "JSON object" },
	{ "list-sas", GW_EMALFORMED, "JSON object" },
	{ "[]", GW_EMALFORMED, "JSON object" },
	{ "\"list-sas\"", GW_EMALFORMED, "JSON object" },
	{ "{\"cmd\":\"list-sas\"", GW_EMALFORMED, "JSON object" },
	{ "{\"cmd\":\"list-sas\"} {}", GW_EMALFORMED, "JSON object" },
	{ "{\"cmd\":\"a\",\"cmd\":\"b\"}", GW_EMALFORMED, "duplicate" },
	{ "{\"cmd\":\"a\\u0000b\"}", GW_EMALFORMED, "JSON object" },
	{ "{\"cmd\":\"\xff\"}", GW_EMALFORMED, "JSON object" },
	{ "{}", GW_EINVAL, "`cmd` is missing" },
	{ "{\"cmd\":\"\"}", GW_EINVAL, "`cmd` is empty" },
	{ "{\"cmd\":7}", GW_EINVAL, "`cmd` must be a string" },
	{ "{\"cmd\":\"terminate\",\"di\":3}", GW_EINVAL, "unknown key `di`" },
	/* what would otherwise select everything */
	{ "{\"cmd\":\"terminate\",\"id\":0}", GW_EINVAL, "`id`" },
	{ "{\"cmd\":\"terminate\",\"id\":-1}", GW_EINVAL, "`id`" },
	{ "{\"cmd\":\"terminate\",\"id\":4294967296}", GW_EINVAL, "`id`" },
	{ "{\"cmd\":\"terminate\",\"id\":\"3\"}", GW_EINVAL, "`id`" },
	{ "{\"cmd\":\"terminate\",\"id\":3.0}", GW_EINVAL, "`id`" },
	{ "{\"cmd\":\"terminate\",\"peer\":\"\"}", GW_EINVAL, "`peer` is empty" },
	{ "{\"cmd\":\"terminate\",\"peer\":null}", GW_EINVAL, "`peer`" },
	{ "{\"cmd\":\"terminate\",\"all\":1}", GW_EINVAL, "`all` must be true or false" },
	{ "{\"cmd\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", GW_EINVAL,
	  "longer than 63" },
};

START_TEST(bad_requests)
{
	struct control_request r;
	struct err e;

	ck_assert_int_eq(parse(bad[_i].line, &r, &e), bad[_i].result);
	ck_assert_msg(strstr(e.text, bad[_i].says) != NULL, "%s: %s", bad[_i].line, e.text);
}
END_TEST

START_TEST(size_and_depth_are_bounded)
{
	struct control_request r;
	char line[CONTROL_LINE_MAX + 1];

	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"cmd\":\"x\"}", 11);
	ck_assert_int_eq(control_request_parse(bytes_of(line, CONTROL_LINE_MAX - 1), &r, NULL), GW_OK);
	ck_assert_int_eq(control_request_parse(bytes_of(line, CONTROL_LINE_MAX), &r, NULL), GW_EMALFORMED);
	memset(line, '[', sizeof(line));
	ck_assert_int_eq(control_request_parse(bytes_of(line, CONTROL_LINE_MAX - 1), &r, NULL), GW_EMALFORMED);
}
END_TEST

START_TEST(codes_are_words)
{
	ck_assert_str_eq(control_error_code(GW_ENOTFOUND), "not-found");
	ck_assert_str_eq(control_error_code(GW_EPERM), "not-permitted");
	ck_assert_str_eq(control_error_code(GW_EINVAL), "bad-request");
	ck_assert_str_eq(control_error_code(GW_ECONFIG), "config-invalid");
	ck_assert_str_eq(control_error_code(GW_ELIMIT), "busy");
	ck_assert_str_eq(control_error_code(GW_EIO), "failed");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("control_msg");

	tcase_add_test(tc, whole_request);
	tcase_add_test(tc, nothing_given_is_nothing_selected);
	tcase_add_loop_test(tc, bad_requests, 0, (int)ARRAY_LEN(bad));
	tcase_add_test(tc, size_and_depth_are_bounded);
	tcase_add_test(tc, codes_are_words);
	return check_main("control_msg", tc);
}
