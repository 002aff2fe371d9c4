#include "config/model.h"
#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse_id(struct reader r, void *out)
{
	return id_parse(r, out);
}

static enum gw_err parse_auth(struct reader r, void *out)
{
	return auth_parse(r, out);
}

START_TEST(id_good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "020000", GW_EMALFORMED },
		{ "IPv4", "01000000 c0000201", GW_OK },
		{ "IPv4 of 3", "01000000 c00002", GW_EMALFORMED },
		{ "IPv4 of 5", "01000000 c000020101", GW_EMALFORMED },
		{ "IPv4 empty", "01000000", GW_EMALFORMED },
		{ "IPv6", "05000000 20010db8000000000000000000000001", GW_OK },
		{ "IPv6 of 4", "05000000 c0000201", GW_EMALFORMED },
		{ "IPv6 of 17", "05000000 20010db800000000000000000000000100", GW_EMALFORMED },
		{ "text", "02ffffff 6777", GW_OK },
		{ "empty key id", "0b000000", GW_OK },
		{ "a stranger's kind", "c8000000 00", GW_OK },
	};
	struct id_payload id;

	check_cases(parse_id, &id, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(id_round_trip)
{
	struct msg_writer m;
	struct id_payload id;
	struct bytes body;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	id_write(&m, PL_IDR, ID_RFC822, bytes_str("alice@example.org"));
	body = written_body(&m, PL_IDR);
	ck_assert_int_eq(id_parse(rd_of(body), &id), GW_OK);
	ck_assert_uint_eq(id.kind, ID_RFC822);
	ck_assert_bytes(id.data, "alice@example.org");
	/* What AUTH covers begins with the kind and the reserved octets, as the peer sent them. */
	ck_assert_ptr_eq(id.body.p, body.p);
	ck_assert_uint_eq(id.body.n, 4 + 17);
	check_cuts(parse_id, &id, body, 4);
	check_flips(parse_id, &id, body);
}
END_TEST

START_TEST(id_is_bounded)
{
	static uint8_t data[IKE_MAX_ID + 1], buf[1024];

	for (size_t n = IKE_MAX_ID; n <= IKE_MAX_ID + 1; n++) {
		struct msg_writer m;
		struct id_payload id;

		chain_begin(&m, buf, sizeof(buf));
		id_write(&m, PL_IDI, ID_KEY_ID, bytes_of(data, n));
		ck_assert_int_eq(id_parse(rd_of(written_body(&m, PL_IDI)), &id),
				 n <= IKE_MAX_ID ? GW_OK : GW_EMALFORMED);
	}
}
END_TEST

START_TEST(auth_good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },	  { "head cut", "020000", GW_EMALFORMED },
		{ "no data", "02000000", GW_EMALFORMED }, { "one octet", "02000000 aa", GW_OK },
		{ "reserved set", "02ffffff aa", GW_OK },
	};
	struct auth_payload auth;

	check_cases(parse_auth, &auth, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(auth_round_trip)
{
	struct msg_writer m;
	struct auth_payload auth;
	struct bytes body;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	auth_write(&m, AUTH_PSK, bytes_str("proof"));
	body = written_body(&m, PL_AUTH);
	ck_assert_int_eq(auth_parse(rd_of(body), &auth), GW_OK);
	ck_assert_uint_eq(auth.method, AUTH_PSK);
	ck_assert_bytes(auth.data, "proof");
	check_cuts(parse_auth, &auth, body, 5);
	check_flips(parse_auth, &auth, body);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		id_good_and_bad, id_round_trip, id_is_bounded, auth_good_and_bad, auth_round_trip,
	};

	return run_tests("pl_id_auth", tests, ARRAY_LEN(tests));
}
