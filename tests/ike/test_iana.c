#include "ike/iana.h"

#include "payload_check.h"

START_TEST(names_are_those_of_the_registry)
{
	ck_assert_str_eq(exchange_name(IKE_SA_INIT), "IKE_SA_INIT");
	ck_assert_str_eq(exchange_name(IKE_INTERMEDIATE), "IKE_INTERMEDIATE");
	ck_assert_str_eq(payload_name(PL_NONE), "none");
	ck_assert_str_eq(payload_name(PL_SA), "SA");
	ck_assert_str_eq(payload_name(PL_SKF), "SKF");
	ck_assert_str_eq(notify_name(1), "UNSUPPORTED_CRITICAL_PAYLOAD");
	ck_assert_str_eq(notify_name(14), "NO_PROPOSAL_CHOSEN");
	ck_assert_str_eq(notify_name(16384), "INITIAL_CONTACT");
	ck_assert_str_eq(notify_name(16438), "INTERMEDIATE_EXCHANGE_SUPPORTED");
	ck_assert_str_eq(auth_method_name(2), "PSK");
	ck_assert_str_eq(auth_method_name(14), "digital signature");
}
END_TEST

START_TEST(strangers_have_a_text_too)
{
	ck_assert_str_eq(exchange_name(33), "unknown");
	ck_assert_str_eq(exchange_name(255), "unknown");
	ck_assert_str_eq(payload_name(32), "unknown");
	ck_assert_str_eq(payload_name(49), "unknown");
	ck_assert_str_eq(notify_name(0), "unknown");
	ck_assert_str_eq(notify_name(65535), "unknown");
	ck_assert_str_eq(auth_method_name(0), "unknown");
}
END_TEST

START_TEST(payload_bits_are_distinct_and_bounded)
{
	uint32_t seen = 0;

	for (unsigned type = 0; type < 256; type++) {
		uint32_t bit = PL_BIT(type);

		if (type < 33 || type > 64) {
			ck_assert_uint_eq(bit, 0);
			continue;
		}
		ck_assert_uint_ne(bit, 0);
		ck_assert_uint_eq(seen & bit, 0);
		seen |= bit;
	}
	ck_assert_uint_eq(seen, UINT32_MAX);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		names_are_those_of_the_registry,
		strangers_have_a_text_too,
		payload_bits_are_distinct_and_bounded,
	};

	return run_tests("iana", tests, ARRAY_LEN(tests));
}
