#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse(struct reader r, void *out)
{
	return cert_parse(r, out);
}

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "no authority named", "04", GW_OK },
		{ "certificate", "04 3003020101", GW_OK },
		{ "a stranger's encoding", "c8 00", GW_OK },
	};
	struct cert_payload cert;

	check_cases(parse, &cert, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(round_trip)
{
	static const uint8_t types[] = { PL_CERT, PL_CERTREQ };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct msg_writer m;
		struct cert_payload cert;
		struct bytes body;
		uint8_t buf[64];

		chain_begin(&m, buf, sizeof(buf));
		cert_write(&m, types[i], 4, bytes_str("DER"));
		body = written_body(&m, types[i]);
		ck_assert_int_eq(cert_parse(rd_of(body), &cert), GW_OK);
		ck_assert_uint_eq(cert.encoding, 4);
		ck_assert_bytes(cert.data, "DER");
		check_cuts(parse, &cert, body, 1);
		check_flips(parse, &cert, body);
	}
}
END_TEST

START_TEST(vendor_is_written_as_it_is)
{
	struct msg_writer m;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	vendor_write(&m, bytes_str("gateway"));
	ck_assert_bytes(written_body(&m, PL_VENDOR), "gateway");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, round_trip, vendor_is_written_as_it_is };

	return run_tests("pl_cert", tests, ARRAY_LEN(tests));
}
