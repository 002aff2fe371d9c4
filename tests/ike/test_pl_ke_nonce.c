#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse_ke(struct reader r, void *out)
{
	return ke_parse(r, out);
}

static enum gw_err parse_nonce(struct reader r, void *out)
{
	return nonce_parse(r, out);
}

START_TEST(ke_good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },	  { "head cut", "001f00", GW_EMALFORMED },
		{ "no data", "001f0000", GW_EMALFORMED }, { "one octet", "001f0000 aa", GW_OK },
		{ "reserved set", "001fffff aa", GW_OK },
	};
	struct ke_payload ke;

	check_cases(parse_ke, &ke, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(ke_round_trip)
{
	struct msg_writer m;
	struct ke_payload ke;
	struct bytes body;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	ke_write(&m, DH_CURVE25519, bytes_str("public value"));
	body = written_body(&m, PL_KE);
	ck_assert_int_eq(ke_parse(rd_of(body), &ke), GW_OK);
	ck_assert_uint_eq(ke.group, DH_CURVE25519);
	ck_assert_bytes(ke.data, "public value");
	check_cuts(parse_ke, &ke, body, 5);
	check_flips(parse_ke, &ke, body);
}
END_TEST

START_TEST(nonces_of_16_to_256_octets)
{
	uint8_t data[300], buf[400];

	memset(data, 0x5a, sizeof(data));
	for (size_t n = 0; n <= sizeof(data); n++) {
		struct msg_writer m;
		struct bytes body, nonce;
		bool legal = n >= 16 && n <= 256;

		chain_begin(&m, buf, sizeof(buf));
		nonce_write(&m, bytes_of(data, n));
		body = written_body(&m, PL_NONCE);
		ck_assert_int_eq(nonce_parse(rd_of(body), &nonce), legal ? GW_OK : GW_EMALFORMED);
		if (legal)
			ck_assert(bytes_equal(nonce, bytes_of(data, n)));
	}
}
END_TEST

START_TEST(nonce_cut)
{
	static const uint8_t data[IKE_NONCE_MAX];
	struct bytes nonce;

	check_cuts(parse_nonce, &nonce, bytes_of(data, sizeof(data)), IKE_NONCE_MIN);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { ke_good_and_bad, ke_round_trip, nonces_of_16_to_256_octets, nonce_cut };

	return run_tests("pl_ke_nonce", tests, ARRAY_LEN(tests));
}
