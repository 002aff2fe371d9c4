/* Durable slots: whatever is torn, one is whole. */
#include "ha/term.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(round_trip)
{
	const struct ha_durable d = { 0x01020304, 0x05060708, 0x00a0b0c0 };
	struct ha_durable got;
	uint8_t slot[HA_SLOT_LEN];
	uint32_t serial;

	ha_slot_write(slot, &d, 77);
	ck_assert(ha_slot_read(bytes_of(slot, sizeof(slot)), &got, &serial));
	ck_assert_uint_eq(serial, 77);
	ck_assert(got.reserve == d.reserve && got.owned == d.owned && got.incarnation == d.incarnation);
	for (size_t n = 0; n < HA_SLOT_LEN; n++)
		ck_assert(!ha_slot_read(bytes_of(slot, n), &got, &serial));
	for (size_t i = 0; i < HA_SLOT_LEN * 8; i++) {
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert(!ha_slot_read(bytes_of(slot, sizeof(slot)), &got, &serial));
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
END_TEST

START_TEST(the_newer_whole_one)
{
	const struct ha_durable old = { 16, 0, 1 }, new = { 32, 16, 1 };
	uint8_t a[HA_SLOT_LEN], b[HA_SLOT_LEN];
	struct bytes slots[2] = { bytes_of(a, sizeof(a)), bytes_of(b, sizeof(b)) };
	struct ha_durable got;
	uint32_t serial;

	ha_slot_write(a, &old, 1);
	ha_slot_write(b, &new, 2);
	ck_assert_int_eq(ha_slots_choose(slots, &got, &serial), 1);
	ck_assert_uint_eq(got.reserve, 32);
	for (size_t n = 0; n < HA_SLOT_LEN; n++) { /* the power fails while the newer one is written */
		slots[1] = bytes_of(b, n);
		ck_assert_int_eq(ha_slots_choose(slots, &got, &serial), 0);
		ck_assert_uint_eq(got.reserve, 16);
	}
	slots[0] = slots[1] = (struct bytes){ 0 };
	ck_assert_int_eq(ha_slots_choose(slots, &got, &serial), -1);
	ck_assert_uint_eq(got.reserve, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("term");

	tcase_add_test(t, round_trip);
	tcase_add_test(t, the_newer_whole_one);
	return check_main("term", t);
}
