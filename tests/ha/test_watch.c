/* Who is dead, who hangs, and whether it is us. */
#include "ha/watch.h"

#include <stdlib.h>

#include "core/bytes.h"
#include "tests/check_main.h"

#define NOW ((mtime){ SECONDS(100) })

static mtime ago(int64_t ms)
{
	return (mtime){ NOW.us - MILLISECONDS(ms) };
}

START_TEST(verdicts)
{
	const struct {
		const char *what;
		int64_t heard[2]; /* ms ago on each path; -1: never; -2: no such path */
		int64_t loop_ms, since_ms;
		bool down[2], service_down, leaving, withdrawn, witness_silent;
		enum watch_verdict want;
	} rows[] = {
		{ "just heard", { 0, 0 }, 0, 9000, .want = PEER_ALIVE },
		{ "one path is enough", { 5000, 149 }, 0, 9000, .want = PEER_ALIVE },
		{ "three are missing", { 5000, 150 }, 0, 9000, .want = PEER_DEAD },
		{ "never heard, not long here", { -1, -1 }, 0, 149, .want = PEER_UNKNOWN },
		{ "never heard", { -1, -1 }, 0, 150, .want = PEER_DEAD },
		{ "nowhere to hear it", { -2, -2 }, 0, 9000, .want = PEER_UNKNOWN },
		{ "its loop is busy", { 10, 10 }, 480, 9000, .want = PEER_ALIVE },
		{ "its loop hangs", { 10, 10 }, 490, 9000, .want = PEER_STALLED },
		{ "it leaves", { 10, 10 }, 0, 9000, .leaving = true, .want = PEER_GONE },
		{ "its parent says so", { 10, 10 }, 0, 9000, .withdrawn = true, .want = PEER_GONE },
		{ "both our links are down", { 900, 900 }, 0, 9000, .down = { true, true }, .want = PEER_CUT },
		{ "one of our links is down", { 900, 900 }, 0, 9000, .down = { true }, .want = PEER_DEAD },
		{ "we cannot serve", { 900, 900 }, 0, 9000, .service_down = true, .want = PEER_CUT },
		{ "the witness is silent too", { 900, 900 }, 0, 9000, .witness_silent = true, .want = PEER_CUT },
		{ "the witness does not matter", { 10, 10 }, 0, 9000, .witness_silent = true, .want = PEER_ALIVE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct watch_config c = { .witness = true };
		struct watch_view v = { .service_up = !rows[i].service_down,
					.peer_withdrawn = rows[i].withdrawn,
					.witness_heard = !rows[i].witness_silent,
					.peer_loop_age_us = MILLISECONDS(rows[i].loop_ms),
					.beat = { .role = 2, .leaving = rows[i].leaving } };
		struct watch_result r;

		for (int k = 0; k < 2; k++)
			v.paths[k] = (struct watch_path){ .used = rows[i].heard[k] != -2,
							  .link_up = !rows[i].down[k],
							  .heard = rows[i].heard[k] < 0 ? (mtime){ 0 }
											: ago(rows[i].heard[k]) };
		r = watch_judge(&c, &v, ago(rows[i].since_ms), NOW);
		ck_assert_msg(r.verdict == rows[i].want, "%s: %d (%s)", rows[i].what, (int)r.verdict, r.why);
	}
}
END_TEST

/* Judged again when it says so, the verdict changes by time alone, and not before. */
START_TEST(when_to_look_again)
{
	const struct watch_config c = { .interval_us = MILLISECONDS(10), .misses = 3 };
	struct watch_view v = { .service_up = true, .beat = { .role = 2 } };
	struct watch_result r;

	v.paths[0] = (struct watch_path){ true, true, ago(5) };
	r = watch_judge(&c, &v, ago(9000), NOW);
	ck_assert_int_eq(r.verdict, PEER_ALIVE);
	ck_assert_int_eq(r.again.us, NOW.us + MILLISECONDS(25));
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), (mtime){ r.again.us - 1 }).verdict, PEER_ALIVE);
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), r.again).verdict, PEER_DEAD);
	ck_assert_int_eq(watch_detection_us(&c), MILLISECONDS(30));
}
END_TEST

/* Whoever judges was kept waiting after it had looked: what came meanwhile is in the next view. */
START_TEST(a_silence_ends_where_it_was_looked_at)
{
	const struct watch_config c = { .interval_us = MILLISECONDS(10), .misses = 3 };
	struct watch_view v = { .service_up = true, .beat = { .role = 2 } };
	struct watch_result r;

	v.paths[0] = (struct watch_path){ true, true, ago(60) };
	v.looked = ago(45); /* 15 ms of silence, then 45 of nothing */
	r = watch_judge(&c, &v, ago(9000), NOW);
	ck_assert_int_eq(r.verdict, PEER_ALIVE);
	ck_assert_int_eq(r.again.us, NOW.us + MILLISECONDS(15));
	v.looked = ago(30);
	r = watch_judge(&c, &v, ago(9000), NOW);
	ck_assert_int_eq(r.verdict, PEER_DEAD);
	/* Just before: it is not asked again and again until the next view is there. */
	v.looked.us--;
	r = watch_judge(&c, &v, ago(9000), NOW);
	ck_assert_int_eq(r.verdict, PEER_ALIVE);
	ck_assert_int_ge(r.again.us, NOW.us + MILLISECONDS(2));
	/* As good as now: then it is the exact time. */
	v.looked.us = NOW.us - 20;
	v.paths[0].heard = ago(25);
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), NOW).again.us, NOW.us + MILLISECONDS(5) + 20);
	v.paths[0].heard = ago(60);
	/* Heard after all was last read. */
	v.looked = ago(70);
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), NOW).verdict, PEER_ALIVE);
	/* Nor has it listened for longer. */
	v.paths[0].heard = (mtime){ 0 };
	v.looked = ago(50);
	ck_assert_int_eq(watch_judge(&c, &v, ago(70), NOW).verdict, PEER_UNKNOWN);
	ck_assert_int_eq(watch_judge(&c, &v, ago(80), NOW).verdict, PEER_DEAD);
	/* Nor has the peer's loop hung for longer. */
	v.paths[0].heard = ago(60);
	v.peer_loop_age_us = MILLISECONDS(480);
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), NOW).verdict, PEER_ALIVE);
	v.looked = ago(40);
	ck_assert_int_eq(watch_judge(&c, &v, ago(9000), NOW).verdict, PEER_STALLED);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("watch");

	tcase_add_test(t, verdicts);
	tcase_add_test(t, when_to_look_again);
	tcase_add_test(t, a_silence_ends_where_it_was_looked_at);
	return check_main("watch", t);
}
