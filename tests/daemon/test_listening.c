/* What a silence is. */
#include "daemon/listening.h"
#include "tests/check_main.h"

#include <stdlib.h>

#define T(ms) ((mtime){ SECONDS(100) + MILLISECONDS(ms) })

START_TEST(who_wakes_in_time_misses_nothing)
{
	struct listening l = { 0 };

	listening_woke(&l, T(10), (mtime){ T(10).us + 999 });
	listening_woke(&l, T(20), T(15)); /* something came */
	ck_assert_int_eq(l.missed_us, 0);
	listening_read(&l, T(20));
	ck_assert_int_eq(l.until.us, T(20).us);
	ck_assert_int_eq(listening_due(&l, T(0), MILLISECONDS(30)).us, T(30).us);
	/* No wait at all has no end. */
	listening_woke(&l, MTIME_NEVER, T(500));
	ck_assert_int_eq(l.missed_us, 0);
}
END_TEST

START_TEST(what_was_slept_through_is_no_silence)
{
	struct listening l = { 0 };

	/* Heard at 0, every 10 ms awaited; from 9 to 32 there was no processor. */
	listening_woke(&l, T(10), T(32));
	listening_read(&l, T(32));
	ck_assert_int_eq(mtime_since(T(0), l.until), MILLISECONDS(10));
	ck_assert_int_eq(listening_due(&l, T(0), MILLISECONDS(30)).us, T(52).us);
	/* Again: both count. */
	listening_woke(&l, T(42), T(45));
	listening_read(&l, T(45));
	ck_assert_int_eq(mtime_since(T(0), l.until), MILLISECONDS(20));
	ck_assert_int_eq(listening_due(&l, T(0), MILLISECONDS(30)).us, T(55).us);
	/* Whoever was heard begins a new one. */
	listening_heard(&l);
	ck_assert_int_eq(listening_due(&l, T(46), MILLISECONDS(30)).us, T(76).us);
}
END_TEST

START_TEST(who_sleeps_listens)
{
	struct listening l = { 0 };

	listening_read(&l, T(10));
	ck_assert_int_eq(listening_now(&l, T(60), T(59)).us, T(59).us);
	/* It ought to have looked by itself: what it would have found nobody knows. */
	ck_assert_int_eq(listening_now(&l, T(60), T(62)).us, T(10).us);
	listening_woke(&l, T(60), T(75));
	listening_read(&l, T(75));
	ck_assert_int_eq(listening_now(&l, T(90), T(80)).us, T(65).us);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("listening");

	tcase_add_test(t, who_wakes_in_time_misses_nothing);
	tcase_add_test(t, what_was_slept_through_is_no_silence);
	tcase_add_test(t, who_sleeps_listens);
	return check_main("listening", t);
}
