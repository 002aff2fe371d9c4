#include "core/loop.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, timer_is_never_early);
	tcase_add_test(tc, stopped_timer_stays_silent);
	tcase_add_test(tc, readiness_is_level_triggered_and_can_pause);
	tcase_add_test(tc, hook_follows_each_batch_and_again_does_not_wait);
	tcase_add_test(tc, signals_arrive_in_the_loop);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
