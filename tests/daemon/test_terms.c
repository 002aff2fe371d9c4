#include "daemon/terms.h"

#include "daemon_check.h"

static struct env env;
static struct kept_log kept;
static struct loop *loop;
static struct ha_durable written;
static unsigned writes;

static void on_done(void *arg, const struct ha_durable *d)
{
	(void)arg;
	written = *d;
	writes++;
}

static void setup(void)
{
	struct err e = { 0 };

	kept_log_init(&kept);
	env = (struct env){ .clock = clock_system(), .log = &kept.log };
	loop = loop_create(env.clock, &e);
	ck_assert_ptr_nonnull(loop);
	written = (struct ha_durable){ 0 };
	writes = 0;
}

static void teardown(void)
{
	loop_destroy(loop);
}

static struct terms *open_in(const char *dir, struct ha_durable *found)
{
	struct err e = { 0 };
	struct terms *t = terms_open(&env, loop, dir, on_done, NULL, found, &e);

	ck_assert_msg(t != NULL, "%s", e.text);
	return t;
}

static void write_and_wait(struct terms *t, struct ha_durable d)
{
	unsigned before = writes;

	terms_write(t, &d);
	while (writes == before)
		loop_turn(loop, true);
}

START_TEST(what_is_written_is_found_again)
{
	char *dir = scratch_make();
	struct ha_durable found;
	struct terms *t = open_in(dir, &found);

	ck_assert_uint_eq(found.reserve + found.owned + found.incarnation, 0);
	for (uint32_t n = 1; n <= 5; n++) {
		write_and_wait(t, (struct ha_durable){ n * 16, n, n * 100 });
		ck_assert_uint_eq(written.reserve, n * 16);
		terms_close(t);
		t = open_in(dir, &found);
		ck_assert_uint_eq(found.reserve, n * 16);
		ck_assert_uint_eq(found.owned, n);
		ck_assert_uint_eq(found.incarnation, n * 100);
	}
	terms_close(t);
	scratch_remove(dir);
}
END_TEST

/* Whichever slot a torn write spoils, the other one is whole. */
START_TEST(a_torn_write_leaves_the_one_before)
{
	char *dir = scratch_make();
	struct ha_durable found;
	struct terms *t = open_in(dir, &found);

	for (uint32_t n = 1; n <= 8; n++) {
		int fd = open(path_in(dir, "terms"), O_RDWR);
		uint8_t slots[2][HA_SLOT_LEN];
		struct ha_durable d;
		uint32_t serial[2];
		off_t newer;

		write_and_wait(t, (struct ha_durable){ n, n, n });
		for (int i = 0; i < 2; i++) {
			ck_assert_int_eq(pread(fd, slots[i], HA_SLOT_LEN, i * 4096), HA_SLOT_LEN);
			ck_assert(ha_slot_read(bytes_of(slots[i], HA_SLOT_LEN), &d, &serial[i]));
		}
		newer = serial[0] > serial[1] ? 0 : 1;
		slots[newer][n % HA_SLOT_LEN] ^= 0x20;
		ck_assert_int_eq(pwrite(fd, slots[newer], HA_SLOT_LEN, newer * 4096), HA_SLOT_LEN);
		terms_close(t);
		t = open_in(dir, &found);
		ck_assert_uint_eq(found.reserve, n - 1);
		write_and_wait(t, (struct ha_durable){ n, n, n });
		ck_assert_int_eq(close(fd), 0);
	}
	terms_close(t);
	scratch_remove(dir);
}
END_TEST

START_TEST(of_several_the_last_one_counts)
{
	char *dir = scratch_make();
	struct ha_durable found;
	struct terms *t = open_in(dir, &found);

	for (uint32_t n = 1; n <= 50; n++)
		terms_write(t, &(struct ha_durable){ n, 0, 0 });
	while (written.reserve != 50)
		loop_turn(loop, true);
	ck_assert_uint_le(writes, 3);
	terms_close(t);
	t = open_in(dir, &found);
	ck_assert_uint_eq(found.reserve, 50);
	terms_close(t);
	scratch_remove(dir);
}
END_TEST

START_TEST(garbage_is_reported)
{
	char *dir = scratch_make(), junk[8192];
	struct ha_durable found;

	memset(junk, 0x5a, sizeof(junk));
	file_write(path_in(dir, "terms"), junk, sizeof(junk));
	terms_close(open_in(dir, &found));
	ck_assert_uint_eq(found.reserve, 0);
	ck_assert_ptr_nonnull(strstr(kept.text, "terms is damaged"));
	scratch_remove(dir);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
	struct ha_durable found;
	struct err e = { 0 };

	ck_assert_ptr_null(terms_open(&env, loop, "/nonexistent/state", on_done, NULL, &found, &e));
	ck_assert_int_eq(e.code, GW_EIO);
	ck_assert_ptr_nonnull(strstr(e.text, "/nonexistent/state/terms"));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("terms");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_written_is_found_again);
	tcase_add_test(tc, a_torn_write_leaves_the_one_before);
	tcase_add_test(tc, of_several_the_last_one_counts);
	tcase_add_test(tc, garbage_is_reported);
	tcase_add_test(tc, a_folder_that_is_not_there);
	return check_main("terms", tc);
}
