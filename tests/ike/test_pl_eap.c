#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse(struct reader r, void *out)
{
	return eap_parse(r, out);
}

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "030100", GW_EMALFORMED },
		{ "success", "03010004", GW_OK },
		{ "length 3", "03010003", GW_EMALFORMED },
		{ "length 5, 4 there", "03010005", GW_EMALFORMED },
		{ "identity request", "01000005 01", GW_OK },
		{ "length 4, 5 there", "01000004 01", GW_EMALFORMED },
		{ "a stranger's code", "c8000005 01", GW_OK },
	};
	struct bytes eap;

	check_cases(parse, &eap, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(round_trip)
{
	static const uint8_t packet[] = { 2, 7, 0, 10, 1, 'a', 'l', 'i', 'c', 'e' };
	struct msg_writer m;
	struct bytes body, eap;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	eap_write(&m, bytes_of(packet, sizeof(packet)));
	body = written_body(&m, PL_EAP);
	ck_assert_int_eq(eap_parse(rd_of(body), &eap), GW_OK);
	ck_assert(bytes_equal(eap, bytes_of(packet, sizeof(packet))));
	check_cuts(parse, &eap, body, body.n);
	check_flips(parse, &eap, body);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, round_trip };

	return run_tests("pl_eap", tests, ARRAY_LEN(tests));
}
