#include "daemon/ctl_print.h"

#include "daemon_check.h"

static const struct {
	uint64_t n;
	const char *text;
} bytes[] = {
	{ 0, "0 B" },
	{ 999, "999 B" },
	{ 1000, "1.0 kB" },
	{ 1999, "1.9 kB" },
	{ 99999, "99.9 kB" },
	{ 100000, "100 kB" },
	{ 999999, "999 kB" },
	{ 1000000, "1.0 MB" },
	{ 12345678, "12.3 MB" },
	{ UINT64_C(5000000000), "5.0 GB" },
	{ UINT64_MAX, "18.4 EB" },
};

START_TEST(bytes_for_people)
{
	char buf[UNIT_TEXT];

	ck_assert_str_eq(unit_bytes(bytes[_i].n, buf), bytes[_i].text);
}
END_TEST

static const struct {
	int64_t s;
	const char *text;
} ages[] = {
	{ -1, "-" },	   { 0, "0s" },		 { 59, "59s" },	     { 60, "1m 0s" },	 { 3599, "59m 59s" },
	{ 3600, "1h 0m" }, { 86399, "23h 59m" }, { 86400, "1d 0h" }, { 90061, "1d 1h" }, { 31536000, "365d 0h" },
};

START_TEST(ages_for_people)
{
	char buf[UNIT_TEXT];

	ck_assert_str_eq(unit_age(ages[_i].s, buf), ages[_i].text);
}
END_TEST

static char *printed(const struct table *t, bool headers)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert(table_print(t, f, headers));
	fclose(f);
	return text;
}

START_TEST(columns_are_aligned)
{
	static const char *const heads[] = { ">ID", "PEER", ">BYTES", "NOTE" };
	static const char *const sub[] = { "", ">" };
	const struct table_kind kinds[] = { { heads, 4, 0 }, { sub, 2, 4 } };
	struct table *t = table_create(kinds, 2);
	char *text;

	table_row(t, 0);
	table_cellf(t, "%d", 7);
	table_cell(t, "zo\xc3\xab");
	table_cell(t, "1 B");
	table_cell(t, "first");
	table_row(t, 1);
	table_cell(t, "net");
	table_cell(t, "5");
	table_row(t, 0);
	table_cell(t, "1234");
	table_cell(t, "somebody");
	table_cell(t, "12.3 MB");
	table_cell(t, "evil\x1b[2J\n");
	table_row(t, 1);
	table_cell(t, "a longer one");
	table_cell(t, "12345");
	table_row(t, 0);
	table_cell(t, NULL);
	table_cell(t, "");
	ck_assert(!table_empty(t));
	text = printed(t, true);
	ck_assert_str_eq(text, "  ID  PEER        BYTES  NOTE\n"
			       "   7  zo\xc3\xab           1 B  first\n"
			       "    net               5\n"
			       "1234  somebody  12.3 MB  evil?[2J?\n"
			       "    a longer one  12345\n"
			       "   -  -\n");
	free(text);
	text = printed(t, false);
	ck_assert_int_eq(strncmp(text, "   7  zo\xc3\xab", 10), 0);
	free(text);
	table_destroy(t);
	table_destroy(NULL);
}
END_TEST

START_TEST(more_cells_than_columns_are_dropped)
{
	static const char *const heads[] = { "A" };
	const struct table_kind kind = { heads, 1, 0 };
	struct table *t = table_create(&kind, 1);
	char *text;

	table_cell(t, "before any row");
	ck_assert(table_empty(t));
	table_row(t, 0);
	for (int i = 0; i < TABLE_COLUMNS + 5; i++)
		table_cell(t, "x");
	text = printed(t, false);
	ck_assert_uint_eq(strlen(text), TABLE_COLUMNS * 3 - 1);
	free(text);
	table_destroy(t);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ctl_print");

	tcase_add_loop_test(tc, bytes_for_people, 0, (int)ARRAY_LEN(bytes));
	tcase_add_loop_test(tc, ages_for_people, 0, (int)ARRAY_LEN(ages));
	tcase_add_test(tc, columns_are_aligned);
	tcase_add_test(tc, more_cells_than_columns_are_dropped);
	return check_main("ctl_print", tc);
}
