#include "tests/check_main.h"
#include "tests/rig/flow.h"

#include <stdlib.h>

enum { MS = 1000 };

/* A packet each millisecond from 1 s on, each underway for 200 us; those from..to are lost. */
static void run(struct flow_way *f, unsigned n, unsigned from, unsigned to)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t now = 1000 * MS + (int64_t)i * MS;

		ck_assert_int_eq(flow_sent(f, now), GW_OK);
		if (i < from || i >= to)
			ck_assert_int_eq(flow_arrived(f, i, now + 200), GW_OK);
	}
}

START_TEST(nothing_amiss)
{
	struct flow_way f = { 0 };
	struct flow_figures g;

	run(&f, 10000, 0, 0);
	g = flow_figures(&f, 0, INT64_MAX, true);
	ck_assert_uint_eq(g.sent, 10000);
	ck_assert_uint_eq(g.arrived, 10000);
	ck_assert_uint_eq(g.lost + g.duplicates + g.late + g.latest, 0);
	ck_assert_int_eq(g.gap_us, MS);
	ck_assert_int_eq(g.pause_us, MS);
	ck_assert_int_eq(g.latency_us, 200);
	flow_clear(&f);
}
END_TEST

START_TEST(a_gap_belongs_to_the_window_in_which_it_ends)
{
	struct flow_way f = { 0 };
	struct flow_figures before, in, after;

	run(&f, 3000, 1000, 1150);
	before = flow_figures(&f, 0, 2000 * MS, false);
	in = flow_figures(&f, 2000 * MS, 3000 * MS, false);
	after = flow_figures(&f, 3000 * MS, INT64_MAX, true);
	ck_assert_uint_eq(before.lost, 0);
	ck_assert_int_eq(before.gap_us, MS);
	ck_assert_uint_eq(in.lost, 150);
	ck_assert_int_eq(in.gap_us, 151 * MS);
	ck_assert_int_eq(in.gap_at_us, 1999 * MS + 200);
	ck_assert_uint_eq(after.lost, 0);
	ck_assert_int_eq(after.gap_us, MS);
	flow_clear(&f);
}
END_TEST

/* Arrivals come in order, whatever two clocks that were read one after the other make of it. */
START_TEST(no_arrival_before_the_last_one)
{
	struct flow_way f = { 0 };
	struct flow_figures g;

	run(&f, 2, 1, 2);
	ck_assert_int_eq(flow_arrived(&f, 1, 1000 * MS + 150), GW_OK);
	ck_assert_int_eq(f.packets[1].arrived_us, 1000 * MS + 200);
	g = flow_figures(&f, 0, INT64_MAX, false);
	ck_assert_uint_eq(g.arrived, 2);
	ck_assert_uint_eq(g.late, 0);
	flow_clear(&f);
}
END_TEST

START_TEST(silence_at_the_end_and_from_the_start_is_a_gap)
{
	struct flow_way f = { 0 };
	struct flow_figures g;

	run(&f, 3000, 2000, 3000);
	g = flow_figures(&f, 0, INT64_MAX, true);
	ck_assert_uint_eq(g.lost, 1000);
	ck_assert_int_eq(g.gap_us, 999800);
	ck_assert_int_eq(flow_figures(&f, 0, INT64_MAX, false).gap_us, MS);
	flow_clear(&f);
	run(&f, 3000, 0, 500);
	ck_assert_int_eq(flow_figures(&f, 0, INT64_MAX, true).gap_us, 500 * MS + 200);
	flow_clear(&f);
	run(&f, 100, 0, 100);
	g = flow_figures(&f, 0, INT64_MAX, true);
	ck_assert_uint_eq(g.arrived, 0);
	ck_assert_int_eq(g.gap_us, 99 * MS);
	flow_clear(&f);
	g = flow_figures(&f, 0, INT64_MAX, true);
	ck_assert_uint_eq(g.sent, 0);
	ck_assert_int_eq(g.gap_us, 0);
}
END_TEST

START_TEST(doubled_and_overtaken)
{
	struct flow_way f = { 0 };
	struct flow_figures g;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(flow_sent(&f, 1000 + i), GW_OK);
	for (unsigned i = 1; i < 10; i++)
		ck_assert_int_eq(flow_arrived(&f, i, 2000 + i), GW_OK);
	ck_assert_int_eq(flow_arrived(&f, 5, 3000), GW_OK);
	ck_assert_int_eq(flow_arrived(&f, 0, 3001), GW_OK);
	ck_assert_int_eq(flow_arrived(&f, 0, 3002), GW_OK);
	ck_assert_int_eq(flow_arrived(&f, 10, 3003), GW_EINVAL);
	ck_assert_int_eq(flow_arrived(&f, UINT64_MAX, 3003), GW_EINVAL);
	g = flow_figures(&f, 0, INT64_MAX, true);
	ck_assert_uint_eq(g.arrived, 10);
	ck_assert_uint_eq(g.duplicates, 2);
	ck_assert_uint_eq(g.late, 1);
	ck_assert_uint_eq(g.latest, 9);
	/* The late one ended the gap, the duplicate before it did not. */
	ck_assert_int_eq(g.gap_us, 1001);
	flow_clear(&f);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("flow");

	tcase_add_test(t, nothing_amiss);
	tcase_add_test(t, no_arrival_before_the_last_one);
	tcase_add_test(t, a_gap_belongs_to_the_window_in_which_it_ends);
	tcase_add_test(t, silence_at_the_end_and_from_the_start_is_a_gap);
	tcase_add_test(t, doubled_and_overtaken);
	return check_main("flow", t);
}
