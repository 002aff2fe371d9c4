#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse(struct reader r, void *out)
{
	return notify_parse(r, out);
}

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "000040", GW_EMALFORMED },
		{ "no protocol, no SPI", "00004000", GW_OK },
		{ "with data", "00004006 0102", GW_OK },
		{ "IKE without SPI", "01004000", GW_OK },
		{ "IKE with SPI", "01080004 1122334455667788", GW_OK },
		{ "IKE, SPI of 4", "01044000 11223344", GW_EMALFORMED },
		{ "ESP with SPI", "03044009 11223344", GW_OK },
		{ "ESP without SPI", "0300000e", GW_OK },
		{ "ESP, SPI of 8", "03084009 1122334455667788", GW_EMALFORMED },
		{ "ESP, SPI of 3", "03034009 112233", GW_EMALFORMED },
		{ "ESP, SPI of 5", "03054009 1122334455", GW_EMALFORMED },
		{ "AH with SPI", "02044009 11223344", GW_OK },
		{ "SPI leaves the payload", "03044009 112233", GW_EMALFORMED },
		{ "no protocol, SPI of 4", "0004000b 11223344", GW_OK },
		{ "no protocol, SPI of 8", "00080004 1122334455667788", GW_OK },
		{ "no protocol, SPI of 16", "00100004 11223344556677881122334455667788", GW_EMALFORMED },
		{ "no protocol, SPI of 255, none there", "00ff0004", GW_EMALFORMED },
	};
	struct notify_payload n;

	check_cases(parse, &n, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(round_trip)
{
	struct msg_writer m;
	struct notify_payload n;
	struct bytes body;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	notify_write(&m, PROTO_ESP, bytes_str("spi!"), N_REKEY_SA, bytes_str("data"));
	body = written_body(&m, PL_NOTIFY);
	ck_assert_int_eq(notify_parse(rd_of(body), &n), GW_OK);
	ck_assert_uint_eq(n.protocol, PROTO_ESP);
	ck_assert_uint_eq(n.type, N_REKEY_SA);
	ck_assert_bytes(n.spi, "spi!");
	ck_assert_bytes(n.data, "data");
	check_cuts(parse, &n, body, 8);
	check_flips(parse, &n, body);

	chain_begin(&m, buf, sizeof(buf));
	notify_simple(&m, N_TEMPORARY_FAILURE);
	body = written_body(&m, PL_NOTIFY);
	ck_assert_uint_eq(body.n, 4);
	ck_assert_int_eq(notify_parse(rd_of(body), &n), GW_OK);
	ck_assert_uint_eq(n.protocol, PROTO_NONE);
	ck_assert_uint_eq(n.type, N_TEMPORARY_FAILURE);
	ck_assert_uint_eq(n.spi.n + n.data.n, 0);
}
END_TEST

START_TEST(long_spi_is_not_written)
{
	struct msg_writer m;
	struct bytes out;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	notify_write(&m, PROTO_IKE, bytes_str("123456789"), N_COOKIE, (struct bytes){ 0 });
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, round_trip, long_spi_is_not_written };

	return run_tests("pl_notify", tests, ARRAY_LEN(tests));
}
