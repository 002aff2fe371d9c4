#include "daemon/incarnation.h"

#include "daemon_check.h"

#define EPOCH_2026 INT64_C(1767225600)

static uint32_t take(const char *dir, int64_t wall)
{
	struct hand_clock clock = hand_clock_at(wall);
	struct incarnation i;
	struct err e = { 0 };

	ck_assert_msg(incarnation_take(dir, &clock.clock, &i, &e) == GW_OK, "%s", e.text);
	incarnation_release(&i);
	incarnation_release(&i);
	return i.number;
}

START_TEST(rises_with_every_start)
{
	char *dir = scratch_make();

	ck_assert_uint_eq(take(dir, 0), 1);
	ck_assert_uint_eq(take(dir, 0), 2);
	ck_assert_uint_eq(take(dir, EPOCH_2026), 3);
	for (uint32_t n = 4; n < 40; n++)
		ck_assert_uint_eq(take(dir, 0), n);
	scratch_remove(dir);
}
END_TEST

START_TEST(follows_the_clock_where_that_is_ahead)
{
	char *dir = scratch_make();

	ck_assert_uint_eq(take(dir, EPOCH_2026 + 60 * 1000), 1001);
	ck_assert_uint_eq(take(dir, EPOCH_2026 + 60 * 1000), 1002);
	ck_assert_uint_eq(take(dir, EPOCH_2026 - 5), 1003); /* a clock set back changes nothing */
	ck_assert_uint_eq(take(dir, EPOCH_2026 + 60 * 5000 + 59), 5001);
	scratch_remove(dir);
}
END_TEST

START_TEST(lost_file_leaves_the_clock)
{
	char *dir = scratch_make();

	ck_assert_uint_eq(take(dir, EPOCH_2026 + 60 * 1000), 1001);
	ck_assert_int_eq(unlink(path_in(dir, "incarnation")), 0);
	ck_assert_uint_eq(take(dir, EPOCH_2026 + 60 * 1001), 1002);
	scratch_remove(dir);
}
END_TEST

/* Whatever octet of the newer slot a torn write spoils, the older one is used: the number still rises above that. */
START_TEST(torn_write_costs_one_slot)
{
	char *dir = scratch_make();
	struct incarnation i;
	struct hand_clock clock = hand_clock_at(0);

	for (uint32_t n = 1; n <= 6; n++)
		ck_assert_uint_eq(take(dir, 0), n);
	for (off_t at = 0; at < 24; at++) {
		uint8_t whole[8192] = { 0 };
		int fd = open(path_in(dir, "incarnation"), O_RDWR);
		ssize_t len = pread(fd, whole, sizeof(whole), 0);
		off_t newer = get_u32(whole + 12) > get_u32(whole + 4096 + 12) ? 0 : 4096;
		uint32_t newest = get_u32(whole + newer + 12), older = get_u32(whole + (4096 - newer) + 12);
		uint8_t spoiled = (uint8_t)(whole[newer + at] ^ 0x40);

		ck_assert_int_gt(len, 4096);
		ck_assert_uint_eq(newest, older + 1);
		ck_assert_int_eq(pwrite(fd, &spoiled, 1, newer + at), 1);
		ck_assert_int_eq(incarnation_take(dir, &clock.clock, &i, NULL), GW_OK);
		ck_assert_uint_eq(i.number, older + 1);
		ck_assert(!i.damaged);
		incarnation_release(&i);
		/* and the spoiled slot was the one that was written over */
		ck_assert_uint_eq(take(dir, 0), older + 2);
		close(fd);
	}
	scratch_remove(dir);
}
END_TEST

START_TEST(garbage_is_reported)
{
	char *dir = scratch_make();
	struct hand_clock clock = hand_clock_at(EPOCH_2026 + 600);
	struct incarnation i;

	file_put(path_in(dir, "incarnation"), "not an incarnation file, but long enough to hold a slot");
	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &i, NULL), GW_OK);
	ck_assert(i.damaged);
	ck_assert_uint_eq(i.number, 11);
	incarnation_release(&i);
	ck_assert_uint_eq(take(dir, 0), 12);
	scratch_remove(dir);
}
END_TEST

START_TEST(one_owner_per_folder)
{
	char *dir = scratch_make();
	struct hand_clock clock = hand_clock_at(0);
	struct incarnation first, second;
	struct err e = { 0 };

	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &first, &e), GW_OK);
	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &second, &e), GW_EBUSY);
	ck_assert_int_eq(second.fd, -1);
	ck_assert_ptr_nonnull(strstr(e.text, "another gatewayd"));
	incarnation_release(&first);
	ck_assert_uint_eq(take(dir, 0), 2);
	ck_assert_int_eq(incarnation_take("/nonexistent/folder", &clock.clock, &second, &e), GW_EIO);
	scratch_remove(dir);
}
END_TEST

START_TEST(twenty_four_bits_are_the_end)
{
	char *dir = scratch_make();
	struct hand_clock clock = hand_clock_at(EPOCH_2026 + 60 * ((INT64_C(1) << INCARNATION_BITS) - 2));
	struct incarnation i;
	struct err e = { 0 };

	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &i, &e), GW_OK);
	ck_assert_uint_eq(i.number, (UINT32_C(1) << INCARNATION_BITS) - 1);
	incarnation_release(&i);
	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &i, &e), GW_ELIMIT);
	ck_assert_int_eq(i.fd, -1);
	scratch_remove(dir);
}
END_TEST

START_TEST(raised_by_who_remembers)
{
	char *dir = scratch_make();
	struct hand_clock clock = hand_clock_at(0);
	struct incarnation i;
	struct err e = { 0 };

	ck_assert_int_eq(incarnation_take(dir, &clock.clock, &i, &e), GW_OK);
	ck_assert_int_eq(incarnation_raise(&i, 41, &e), GW_OK);
	ck_assert_int_eq(incarnation_raise(&i, 7, &e), GW_OK); /* never down */
	ck_assert_int_eq(incarnation_raise(&i, 1 << 24, &e), GW_EINVAL);
	incarnation_release(&i);
	ck_assert_uint_eq(take(dir, 0), 42);
	scratch_remove(dir);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("incarnation");

	tcase_add_test(tc, rises_with_every_start);
	tcase_add_test(tc, follows_the_clock_where_that_is_ahead);
	tcase_add_test(tc, lost_file_leaves_the_clock);
	tcase_add_test(tc, torn_write_costs_one_slot);
	tcase_add_test(tc, garbage_is_reported);
	tcase_add_test(tc, one_owner_per_folder);
	tcase_add_test(tc, twenty_four_bits_are_the_end);
	tcase_add_test(tc, raised_by_who_remembers);
	return check_main("incarnation", tc);
}
