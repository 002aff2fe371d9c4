#include "tests/check_main.h"
#include "tests/rig/stall.h"

#include <stdlib.h>

enum { MS = 1000 };

START_TEST(a_processor_that_runs_each_tick_has_not_stood_still)
{
	struct stall_cpu *c = calloc(1, sizeof(*c));
	struct stall_watch w = { .cpus = { c }, .count = 1 };

	ck_assert_ptr_nonnull(c);
	for (int i = 0; i < 100; i++)
		stall_note(c, i * MS, i * MS + 2 * STALL_TICK_US);
	ck_assert_int_eq(stall_longest(&w, 0, INT64_MAX), 0);
	free(c);
}
END_TEST

START_TEST(the_longest_of_any_processor_that_overlaps_counts)
{
	struct stall_cpu *one = calloc(1, sizeof(*one)), *two = calloc(1, sizeof(*two));
	struct stall_watch w = { .cpus = { one, two }, .count = 2 };

	ck_assert(one && two);
	stall_note(one, 10 * MS, 15 * MS);
	stall_note(two, 14 * MS, 44 * MS);
	stall_note(one, 90 * MS, 97 * MS);
	ck_assert_int_eq(stall_longest(&w, 0, 100 * MS), 30 * MS);
	ck_assert_int_eq(stall_longest(&w, 0, 14 * MS), 5 * MS);
	ck_assert_int_eq(stall_longest(&w, 43 * MS, 90 * MS), 30 * MS);
	ck_assert_int_eq(stall_longest(&w, 44 * MS, 90 * MS), 0);
	ck_assert_int_eq(stall_longest(&w, 50 * MS, 92 * MS), 7 * MS);
	free(one);
	free(two);
}
END_TEST

START_TEST(the_oldest_go)
{
	struct stall_cpu *c = calloc(1, sizeof(*c));
	struct stall_watch w = { .cpus = { c }, .count = 1 };

	ck_assert_ptr_nonnull(c);
	stall_note(c, 0, 50 * MS);
	for (int i = 1; i < STALL_KEPT; i++)
		stall_note(c, i * 10 * MS + 50 * MS, i * 10 * MS + 53 * MS);
	ck_assert_int_eq(stall_longest(&w, 0, INT64_MAX), 50 * MS);
	stall_note(c, INT64_C(1000000) * MS, INT64_C(1000004) * MS);
	ck_assert_int_eq(stall_longest(&w, 0, INT64_MAX), 4 * MS);
	free(c);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("stall");

	tcase_add_test(t, a_processor_that_runs_each_tick_has_not_stood_still);
	tcase_add_test(t, the_longest_of_any_processor_that_overlaps_counts);
	tcase_add_test(t, the_oldest_go);
	return check_main("stall", t);
}
