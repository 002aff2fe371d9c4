#include "core/err.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(every_code_has_words_of_its_own)
{
	for (int a = GW_OK; a <= GW_EINTERNAL; a++) {
		ck_assert_str_ne(gw_err_text((enum gw_err)a), "unknown error");
		ck_assert_str_ne(gw_err_text((enum gw_err)a), "");
		for (int b = GW_OK; b < a; b++)
			ck_assert_str_ne(gw_err_text((enum gw_err)a), gw_err_text((enum gw_err)b));
	}
	ck_assert_str_eq(gw_err_text((enum gw_err)(GW_EINTERNAL + 1)), "unknown error");
	ck_assert_str_eq(gw_err_text((enum gw_err) - 1), "unknown error");
}
END_TEST

START_TEST(sets_code_and_text)
{
	struct err e = { 0 };

	ck_assert_int_eq(err_set(&e, GW_EPROPOSAL, "no suite among %d", 3), GW_EPROPOSAL);
	ck_assert_int_eq(e.code, GW_EPROPOSAL);
	ck_assert_str_eq(e.text, "no suite among 3");
}
END_TEST

START_TEST(nobody_wants_to_know)
{
	ck_assert_int_eq(err_set(NULL, GW_EIO, "x %d", 1), GW_EIO);
	ck_assert_int_eq(err_add(NULL, "x"), GW_OK);
}
END_TEST

START_TEST(context_goes_before)
{
	struct err e = { 0 };

	err_set(&e, GW_EIO, "No such file");
	ck_assert_int_eq(err_add(&e, "open %s", "/x"), GW_EIO);
	ck_assert_int_eq(err_add(&e, "config"), GW_EIO);
	ck_assert_str_eq(e.text, "config: open /x: No such file");
}
END_TEST

START_TEST(without_text_the_code_speaks)
{
	struct err e = { .code = GW_ENOMEM };

	err_add(&e, "pool");
	ck_assert_str_eq(e.text, "pool: out of memory");
}
END_TEST

START_TEST(long_text_is_cut_and_ended)
{
	char text[sizeof(((struct err *)0)->text) + 1];
	struct err e = { 0 };

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	err_set(&e, GW_EIO, "%s", text);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	err_add(&e, "%.100s", text);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	ck_assert_mem_eq(e.text + 98, "aa: aa", 6);
	err_add(&e, "%s", text);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

static enum gw_err fails_at(int step, int *reached)
{
	for (*reached = 0; *reached < 3; ++*reached)
		TRY(*reached == step ? GW_EBUSY : GW_OK);
	return GW_OK;
}

START_TEST(try_returns_the_first_failure)
{
	int reached;

	ck_assert_int_eq(fails_at(1, &reached), GW_EBUSY);
	ck_assert_int_eq(reached, 1);
	ck_assert_int_eq(fails_at(9, &reached), GW_OK);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("err");

	tcase_add_test(t, every_code_has_words_of_its_own);
	tcase_add_test(t, sets_code_and_text);
	tcase_add_test(t, nobody_wants_to_know);
	tcase_add_test(t, context_goes_before);
	tcase_add_test(t, without_text_the_code_speaks);
	tcase_add_test(t, long_text_is_cut_and_ended);
	tcase_add_test(t, try_returns_the_first_failure);
	return check_main("err", t);
}
