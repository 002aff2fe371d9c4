#include "config/suggest.h"

#include <stdlib.h>

#include "tests/check_main.h"

static const char *best(const char *word, const char *const *of, size_t n)
{
	struct suggest s = { .word = word };

	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, of[i]);
	return s.best ? s.best : "";
}

START_TEST(slips)
{
	static const char *const keys[] = { "proposals", "pools", "psk", "rekey", "life", "dpd", "port", "port_natt" };
	static const struct row {
		const char *word, *best;
	} rows[] = {
		{ "proposal", "proposals" },   /* lost */
		{ "prooposals", "proposals" }, /* doubled */
		{ "porposals", "proposals" },  /* swapped */
		{ "propozals", "proposals" },  /* changed */
		{ "rekye", "rekey" },
		{ "pks", "psk" },
		{ "prot", "port" },
		{ "pord", "port" },
		{ "port_nat", "port_natt" },
		{ "lfie", "life" },
		{ "xyzzy", "" },
		{ "", "" },
		{ "x", "" }, /* everything short is near */
		{ "a word that is far too long to be a slip of the finger", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(best(rows[i].word, keys, ARRAY_LEN(keys)), rows[i].best);
}
END_TEST

START_TEST(the_nearest_wins)
{
	static const char *const a[] = { "sha512", "sha384", "sha256" }, *const b[] = { "ab", "abcd" };

	ck_assert_str_eq(best("sha255", a, 3), "sha256");
	ck_assert_str_eq(best("abc", b, 2), "ab"); /* the first of equals */
}
END_TEST

START_TEST(hints)
{
	char buf[SUGGEST_TEXT];
	struct suggest s = { .word = "x" };

	ck_assert_str_eq(suggest_hint(&s, buf), "");
	s.best = "y";
	ck_assert_str_eq(suggest_hint(&s, buf), "; did you mean `y`?");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("suggest");

	tcase_add_test(t, slips);
	tcase_add_test(t, the_nearest_wins);
	tcase_add_test(t, hints);
	return check_main("suggest", t);
}
