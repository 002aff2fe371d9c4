#include "core/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check_main.h"

struct scene {
	struct loop *loop;
	struct loop_fd *watched;
	struct loop_timer *timer;
	int reads, turns, dues, signal;
	int stop_after_turns;
	mtime due_at;
};

static void on_turn(void *arg)
{
	struct scene *s = arg;

	s->turns++;
	if (s->stop_after_turns > 0 && s->turns >= s->stop_after_turns)
		loop_stop(s->loop);
}

static void on_due(void *arg)
{
	struct scene *s = arg;

	s->dues++;
	s->due_at = clock_now(clock_system());
	loop_stop(s->loop);
}

static void on_read_one(void *arg, unsigned what)
{
	struct scene *s = arg;

	ck_assert_uint_eq(what, LOOP_READ);
	s->reads++;
	loop_stop(s->loop);
}

static void on_signal(void *arg, int signal)
{
	struct scene *s = arg;

	s->signal = signal;
	loop_stop(s->loop);
}

static struct scene scene_make(void)
{
	struct scene s = { 0 };
	struct err e = { 0 };

	s.loop = loop_create(clock_system(), &e);
	ck_assert_ptr_nonnull(s.loop);
	return s;
}

START_TEST(timer_is_never_early)
{
	struct scene s = scene_make();
	mtime when = mtime_add(clock_now(clock_system()), MILLISECONDS(15));

	s.timer = loop_timer_create(s.loop, on_due, &s);
	loop_timer_at(s.timer, mtime_add(when, SECONDS(100)));
	loop_timer_at(s.timer, when);
	loop_run(s.loop);
	ck_assert_int_eq(s.dues, 1);
	ck_assert_int_ge(s.due_at.us, when.us);
	ck_assert_int_lt(s.due_at.us - when.us, SECONDS(5));
	loop_timer_destroy(s.timer);
	loop_destroy(s.loop);
}
END_TEST

START_TEST(stopped_timer_stays_silent)
{
	struct scene s = scene_make();
	struct scene other = { .loop = s.loop };

	s.timer = loop_timer_create(s.loop, on_due, &s);
	other.timer = loop_timer_create(s.loop, on_due, &other);
	loop_timer_at(s.timer, mtime_add(clock_now(clock_system()), MILLISECONDS(1)));
	loop_timer_at(s.timer, MTIME_NEVER);
	loop_timer_at(other.timer, mtime_add(clock_now(clock_system()), MILLISECONDS(10)));
	loop_run(s.loop);
	ck_assert_int_eq(s.dues, 0);
	ck_assert_int_eq(other.dues, 1);
	loop_timer_destroy(s.timer);
	loop_timer_destroy(other.timer);
	loop_destroy(s.loop);
}
END_TEST

START_TEST(readiness_is_level_triggered_and_can_pause)
{
	struct scene s = scene_make();
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	s.watched = loop_fd_create(s.loop, p[0], LOOP_READ, on_read_one, &s);
	ck_assert_ptr_nonnull(s.watched);
	loop_turn(s.loop, true);
	loop_turn(s.loop, true);
	ck_assert_int_eq(s.reads, 2);
	loop_fd_want(s.watched, 0);
	loop_turn(s.loop, false);
	ck_assert_int_eq(s.reads, 2);
	loop_fd_want(s.watched, LOOP_READ);
	loop_turn(s.loop, false);
	ck_assert_int_eq(s.reads, 3);
	loop_fd_destroy(s.watched);
	loop_destroy(s.loop);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(hook_follows_each_batch_and_again_does_not_wait)
{
	struct scene s = scene_make();

	s.stop_after_turns = 3;
	s.timer = loop_timer_create(s.loop, on_due, &s);
	loop_timer_at(s.timer, mtime_add(clock_now(clock_system()), SECONDS(1000)));
	loop_on_turn(s.loop, on_turn, &s);
	loop_again(s.loop);
	loop_turn(s.loop, true); /* would wait for a thousand seconds */
	ck_assert_int_eq(s.turns, 1);
	loop_turn(s.loop, false);
	ck_assert_int_eq(s.turns, 2);
	ck_assert(!loop_turn_over(s.loop));
	usleep(LOOP_TURN_BUDGET_US + 1000);
	ck_assert(loop_turn_over(s.loop));
	loop_timer_destroy(s.timer);
	loop_destroy(s.loop);
}
END_TEST

/* A clock that only work moves. */
static mtime work_time;

static mtime work_now(const struct clock *c)
{
	(void)c;
	return work_time;
}

struct work {
	int64_t each_us;
	int left, done;
	struct loop *loop;
	unsigned turns;
	int most; /* steps in a turn */
};

static bool work_step(void *arg)
{
	struct work *w = arg;

	if (w->left == 0)
		return false;
	work_time.us += w->each_us;
	w->left--;
	w->done++;
	return true;
}

static void work_turn(void *arg)
{
	struct work *w = arg;
	int before = w->done;

	w->turns++;
	loop_spend(w->loop, 500, work_step, w);
	w->most = w->done - before > w->most ? w->done - before : w->most;
	if (w->left == 0)
		loop_stop(w->loop);
}

START_TEST(work_has_a_slice_of_each_turn)
{
	static const struct clock clock = { .now = work_now };
	static const struct {
		int64_t each_us;
		int steps, most;
		unsigned turns;
	} rows[] = {
		{ 120, 4, 4, 1 },    /* it ends before its time does */
		{ 120, 100, 5, 20 }, /* begun before the end, and no other one after it */
		{ 500, 7, 1, 7 },
		{ 30000, 3, 1, 3 }, /* more than the whole slice: one at a time all the same */
	};
	struct scene s = { 0 };
	struct loop_timer *timer;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work w = { .each_us = rows[i].each_us, .left = rows[i].steps };

		w.loop = loop_create(&clock, &e);
		ck_assert_ptr_nonnull(w.loop);
		timer = loop_timer_create(w.loop, on_due, &s);
		loop_timer_at(timer, mtime_add(work_time, SECONDS(1000)));
		loop_on_turn(w.loop, work_turn, &w);
		loop_again(w.loop);
		loop_run(w.loop); /* nothing is ready: it turns because there is more to do */
		ck_assert_int_eq(w.done, rows[i].steps);
		ck_assert_int_eq(w.most, rows[i].most);
		ck_assert_uint_eq(w.turns, rows[i].turns);
		ck_assert_int_eq(s.dues, 0);
		loop_timer_destroy(timer);
		loop_destroy(w.loop);
	}
}
END_TEST

/* When there is nothing more the loop waits as ever. */
START_TEST(work_that_is_done_does_not_turn_the_loop)
{
	struct work w = { .each_us = 1, .left = 3 };
	struct scene s = scene_make();

	s.timer = loop_timer_create(s.loop, on_due, &s);
	loop_timer_at(s.timer, mtime_add(clock_now(clock_system()), MILLISECONDS(20)));
	loop_spend(s.loop, SECONDS(10), work_step, &w);
	ck_assert_int_eq(w.done, 3);
	loop_turn(s.loop, true);
	ck_assert_int_eq(s.dues, 1);
	loop_timer_destroy(s.timer);
	loop_destroy(s.loop);
}
END_TEST

START_TEST(signals_arrive_in_the_loop)
{
	struct scene s = scene_make();
	const int wanted[] = { SIGUSR1, SIGUSR2, 0 };
	struct err e = { 0 };
	sigset_t set;

	ck_assert_int_eq(loop_signals(s.loop, wanted, on_signal, &s, &e), GW_OK);
	ck_assert_int_eq(raise(SIGUSR2), 0);
	ck_assert_int_eq(s.signal, 0);
	loop_run(s.loop);
	ck_assert_int_eq(s.signal, SIGUSR2);
	ck_assert_int_eq(loop_signals(s.loop, wanted, on_signal, &s, &e), GW_EEXIST);
	loop_destroy(s.loop);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("loop");

	tcase_add_test(tc, timer_is_never_early);
	tcase_add_test(tc, stopped_timer_stays_silent);
	tcase_add_test(tc, readiness_is_level_triggered_and_can_pause);
	tcase_add_test(tc, hook_follows_each_batch_and_again_does_not_wait);
	tcase_add_test(tc, work_has_a_slice_of_each_turn);
	tcase_add_test(tc, work_that_is_done_does_not_turn_the_loop);
	tcase_add_test(tc, signals_arrive_in_the_loop);
	return check_main("loop", tc);
}
