#include "ike/payload.h"

#include "payload_check.h"

static enum gw_err parse(struct reader r, void *out)
{
	return delete_parse(r, out);
}

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "010000", GW_EMALFORMED },
		{ "IKE", "01000000", GW_OK },
		{ "IKE, a count of nothing", "01000001", GW_OK },
		{ "IKE, octets left", "01000000 00", GW_EMALFORMED },
		{ "IKE with SPI", "01080001 1122334455667788", GW_EMALFORMED },
		{ "ESP", "03040001 11223344", GW_OK },
		{ "ESP, two", "03040002 11223344 55667788", GW_OK },
		{ "ESP, none", "03040000", GW_OK },
		{ "ESP, one told, two there", "03040001 11223344 55667788", GW_EMALFORMED },
		{ "ESP, two told, one there", "03040002 11223344", GW_EMALFORMED },
		{ "ESP, SPI of 0", "03000001", GW_EMALFORMED },
		{ "ESP, SPI of 3", "03030001 112233", GW_EMALFORMED },
		{ "ESP, SPI of 5", "03050001 1122334455", GW_EMALFORMED },
		{ "ESP, SPI of 8", "03080001 1122334455667788", GW_EMALFORMED },
		{ "AH", "02040001 11223344", GW_OK },
		{ "no protocol", "00040001 11223344", GW_EMALFORMED },
		{ "a stranger's protocol", "04040001 11223344", GW_EMALFORMED },
	};
	struct delete_payload d;

	check_cases(parse, &d, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(count_is_what_is_there)
{
	struct delete_payload d;
	size_t n;
	uint8_t *p = unhex("01000005", &n);

	ck_assert_int_eq(delete_parse(rd_of(bytes_of(p, n)), &d), GW_OK);
	ck_assert_uint_eq(d.count, 0);
	ck_assert_uint_eq(d.spis.n, 0);
	free(p);
}
END_TEST

START_TEST(round_trip)
{
	static const uint32_t spis[] = { 0x11223344, 0xdeadbeef, 1 };
	struct msg_writer m;
	struct delete_payload d;
	struct bytes body;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	delete_write(&m, PROTO_ESP, spis, 3);
	body = written_body(&m, PL_DELETE);
	ck_assert_int_eq(delete_parse(rd_of(body), &d), GW_OK);
	ck_assert_uint_eq(d.protocol, PROTO_ESP);
	ck_assert_uint_eq(d.spi_len, 4);
	ck_assert_uint_eq(d.count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(get_u32(d.spis.p + 4 * i), spis[i]);
	check_cuts(parse, &d, body, body.n);
	check_flips(parse, &d, body);

	chain_begin(&m, buf, sizeof(buf));
	delete_write(&m, PROTO_IKE, NULL, 0);
	body = written_body(&m, PL_DELETE);
	ck_assert_int_eq(delete_parse(rd_of(body), &d), GW_OK);
	ck_assert_uint_eq(d.protocol, PROTO_IKE);
	check_cuts(parse, &d, body, body.n);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, count_is_what_is_there, round_trip };

	return run_tests("pl_delete", tests, ARRAY_LEN(tests));
}
