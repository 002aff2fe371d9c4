#include "ike/ms_status.h"

#include "payload_check.h"

static struct ike_msg message(struct bytes data)
{
	struct ike_msg m = { .notify_count = 1 };

	m.notifies[0] = (struct notify_payload){ .type = N_MS_STATUS, .data = data };
	return m;
}

START_TEST(in_network_order)
{
	static const uint8_t policy[] = { 0, 0, 0x36, 0x2c, 0 };
	struct ike_msg m = message(bytes_of(policy, 4));

	ck_assert_uint_eq(ms_status_of(&m), 13868);
	m = message(bytes_of(policy, 5));
	ck_assert_uint_eq(ms_status_of(&m), 0);
	m = message(bytes_of(policy, 3));
	ck_assert_uint_eq(ms_status_of(&m), 0);
	m.notify_count = 0;
	ck_assert_uint_eq(ms_status_of(&m), 0);
	m = message(bytes_of(policy, 4));
	m.notifies[0].type = N_MS_STATUS + 1;
	ck_assert_uint_eq(ms_status_of(&m), 0);
}
END_TEST

START_TEST(what_to_do)
{
	ck_assert_ptr_nonnull(strstr(ms_status_text(13868), "windows-legacy"));
	ck_assert_ptr_nonnull(strstr(ms_status_text(13801), "subjectAltName"));
	ck_assert_ptr_nonnull(strstr(ms_status_text(13863), "rekey_by"));
	ck_assert_ptr_nonnull(strstr(ms_status_text(1), "net helpmsg"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { in_network_order, what_to_do };

	return run_tests("ms_status", tests, ARRAY_LEN(tests));
}
