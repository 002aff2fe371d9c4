#include "core/clock.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/check_main.h"

START_TEST(system_advances)
{
	const struct clock *c = clock_system();
	mtime a = clock_now(c), b;

	usleep(2000);
	b = clock_now(c);
	ck_assert_int_ge(mtime_since(a, b), 2000);
	ck_assert_int_lt(mtime_since(a, b), SECONDS(30));
}
END_TEST

START_TEST(system_is_boottime_and_wall)
{
	const struct clock *c = clock_system();
	struct timespec t;
	int64_t us;

	ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &t), 0);
	us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
	ck_assert_int_lt(clock_now(c).us - us, SECONDS(30));
	ck_assert_int_ge(clock_now(c).us, us);
	ck_assert_int_ge(c->wall(c), 1700000000);
}
END_TEST

START_TEST(arithmetic)
{
	mtime a = { 5 }, b = { 9 };

	ck_assert_int_eq(mtime_add(a, 7).us, 12);
	ck_assert_int_eq(mtime_add(a, -7).us, -2);
	ck_assert_int_eq(mtime_add(MTIME_NEVER, 1).us, INT64_MAX);
	ck_assert_int_eq(mtime_add((mtime){ INT64_MAX - 3 }, 4).us, INT64_MAX);
	ck_assert(mtime_reached(a, b) && mtime_reached(b, b) && !mtime_reached(b, a));
	ck_assert_int_eq(mtime_min(a, b).us, 5);
	ck_assert_int_eq(mtime_min(b, a).us, 5);
	ck_assert_int_eq(mtime_since(a, b), 4);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("clock");

	tcase_add_test(t, system_advances);
	tcase_add_test(t, system_is_boottime_and_wall);
	tcase_add_test(t, arithmetic);
	return check_main("clock", t);
}
