#include "tests/ha/pair.h"

enum { SAS = 2560, SLICES = SAS / 256 };

static struct pair p;
static struct dp_sa_state states[SAS];
static bool used[SAS];

static void setup(void)
{
	pair_init(&p);
	for (uint32_t i = 0; i < SAS; i++) {
		states[i] = (struct dp_sa_state){ .id = { .dir = DP_IN, .spi = i + 1 }, .position = 10 };
		states[i].count.packets = 1;
		used[i] = false;
	}
	p.n[0].states = states;
	p.n[0].used = used;
	p.n[0].state_count = SAS;
	pair_promote(&p.n[0]);
	pair_link(&p);
	pair_talk(&p);
	p.time.now.us += MILLISECONDS(50);
}

static void teardown(void)
{
	pair_clear(&p);
}

static size_t told(void)
{
	size_t n;

	ha_tick(p.n[0].ha);
	n = ha_buffer_len(&p.n[0].ha->tx);
	pair_talk(&p);
	return n;
}

START_TEST(idle_ones_are_told_once)
{
	ck_assert_uint_gt(told(), (size_t)SAS * 12);
	ck_assert_uint_eq(p.n[0].dumps, SLICES);
	for (int i = 0; i < 3; i++) {
		p.time.now.us += MILLISECONDS(50);
		ck_assert_uint_lt(told(), 20);
	}
	ck_assert_uint_eq(p.n[0].dumps, SLICES);
	states[7].position = 11;
	used[7] = true;
	p.time.now.us += MILLISECONDS(50);
	ck_assert_uint_gt(told(), 20);
	ck_assert_uint_eq(ha_window_find(p.n[0].ha, 8)->top, 11);
	p.time.now.us += MILLISECONDS(50);
	ck_assert_uint_lt(told(), 20);
}
END_TEST

START_TEST(a_new_follower_is_told_of_all)
{
	(void)told();
	pair_cut(&p);
	pair_link(&p);
	pair_talk(&p);
	ck_assert_uint_gt(told(), (size_t)SAS * 12);
}
END_TEST

/* A fiftieth of the time, but one slice in each report, and a pass each second, however long that takes. */
START_TEST(costs_little)
{
	int64_t end = p.time.now.us + SECONDS(10);
	size_t passes = 0, looks;

	p.n[0].look_us = MILLISECONDS(2);
	while (p.time.now.us < end) {
		struct ha_ceilings *c = &p.n[0].ha->ceil;
		bool under_way = c->in_pass;
		size_t before = p.n[0].dumps + p.n[0].takes;

		(void)told();
		memset(used, !c->in_pass, sizeof(used));
		ck_assert_uint_le(p.n[0].dumps + p.n[0].takes - before, 1);
		passes += under_way && !c->in_pass;
		p.time.now.us += MILLISECONDS(10);
	}
	looks = p.n[0].dumps + p.n[0].takes;
	ck_assert_uint_ge(passes, 9);
	ck_assert_uint_ge(looks, 9 * SLICES);
	ck_assert_uint_le(looks, 11 * (SLICES + 1));
}
END_TEST

/* Where nothing is to be told, it is said all the same that the loop runs. */
START_TEST(says_that_it_lives)
{
	p.n[0].state_count = 0;
	for (int i = 0; i < 20; i++) {
		p.time.now.us += MILLISECONDS(50);
		ck_assert_uint_gt(told(), 0);
		ck_assert_int_eq(p.n[1].ha->received.us, p.time.now.us);
	}
}
END_TEST

/* From then on, also what was reported before: an SA without traffic is not reported again. */
START_TEST(strict_while_it_runs)
{
	struct ha_config cfg = { .strict = true };
	struct ha_event ev;
	size_t moved = 0;

	for (uint32_t i = 0; i < SAS; i++)
		pair_install(&p.n[1], DP_IN, i + 1, 7);
	(void)told();
	ck_assert_uint_eq(ha_window_find(p.n[1].ha, 8)->top, 10);
	p.n[1].keep_events = true;
	ha_configure(p.n[1].ha, &cfg);
	while (ha_take_event(p.n[1].ha, &ev)) {
		for (size_t i = 0; ev.kind == HA_EV_DATAPLANE && i < ev.op_count; i++, moved++) {
			ck_assert_int_eq(ev.ops[i].kind, DP_SA_WINDOW);
			ck_assert_uint_gt(ev.ops[i].position, 10);
		}
	}
	ck_assert_uint_eq(moved, SAS);
	/* Once. */
	ha_configure(p.n[1].ha, &cfg);
	ck_assert(!ha_take_event(p.n[1].ha, &ev));
	/* An owner has its own windows. */
	p.n[0].keep_events = true;
	ha_configure(p.n[0].ha, &cfg);
	ck_assert(!ha_take_event(p.n[0].ha, &ev));
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, idle_ones_are_told_once);
	tcase_add_test(c, a_new_follower_is_told_of_all);
	tcase_add_test(c, costs_little);
	tcase_add_test(c, says_that_it_lives);
	tcase_add_test(c, strict_while_it_runs);
	return check_main("window", c);
}
