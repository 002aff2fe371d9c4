#include "ike/payload.h"

#include "payload_check.h"

static struct ts_payload ts;

static enum gw_err parse(struct reader r, void *out)
{
	return ts_parse(r, out);
}

#define V6 "20010db8000000000000000000000001"
#define V6_BELOW "20010db8000000000000000000000000"

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "010000", GW_EMALFORMED },
		{ "none", "00000000", GW_EMALFORMED },
		{ "everything", "01000000 07000010 0000ffff 00000000 ffffffff", GW_OK },
		{ "reserved set", "01ffffff 07000010 0000ffff 00000000 ffffffff", GW_OK },
		{ "one address", "01000000 07000010 0000ffff 0a000001 0a000001", GW_OK },
		{ "lo above hi", "01000000 07000010 0000ffff 0a000002 0a000001", GW_EMALFORMED },
		{ "one port", "01000000 07110010 00350035 00000000 ffffffff", GW_OK },
		{ "ports turned round", "01000000 07110010 00360035 00000000 ffffffff", GW_EMALFORMED },
		{ "opaque ports", "01000000 07110010 ffff0000 00000000 ffffffff", GW_OK },
		{ "nearly opaque", "01000000 07110010 fffe0000 00000000 ffffffff", GW_EMALFORMED },
		{ "nearly opaque too", "01000000 07110010 ffff0001 00000000 ffffffff", GW_EMALFORMED },
		{ "length 15", "01000000 0700000f 0000ffff 00000000 ffffff", GW_EMALFORMED },
		{ "length 17", "01000000 07000011 0000ffff 00000000 ffffffff 00", GW_EMALFORMED },
		{ "length 3", "01000000 07000003", GW_EMALFORMED },
		{ "length 4", "01000000 07000004", GW_EMALFORMED },
		{ "length 0", "01000000 07000000", GW_EMALFORMED },
		{ "two told, one there", "02000000 07000010 0000ffff 00000000 ffffffff", GW_EMALFORMED },
		{ "one told, two there",
		  "01000000 07000010 0000ffff 00000000 ffffffff 07000010 0000ffff 00000000 ffffffff", GW_EMALFORMED },
		{ "two", "02000000 07000010 0000ffff 00000000 ffffffff 07000010 0000ffff 00000000 ffffffff", GW_OK },
		{ "IPv6", "01000000 08000028 0000ffff " V6 V6, GW_OK },
		{ "IPv6, lo above hi", "01000000 08000028 0000ffff " V6 V6_BELOW, GW_EMALFORMED },
		{ "IPv6, lo below hi", "01000000 08000028 0000ffff " V6_BELOW V6, GW_OK },
		{ "IPv6 of the size of IPv4", "01000000 08000010 0000ffff 00000000 ffffffff", GW_EMALFORMED },
		{ "IPv4 of the size of IPv6", "01000000 07000028 0000ffff " V6 V6, GW_EMALFORMED },
		{ "a stranger's type", "01000000 09000008 11223344", GW_OK },
		{ "a stranger's type, empty", "01000000 09000004", GW_OK },
		{ "a stranger's type, too short", "01000000 09000003", GW_EMALFORMED },
		{ "a stranger's type leaves the payload", "01000000 09000009 11223344", GW_EMALFORMED },
	};

	check_cases(parse, &ts, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(what_cannot_be_expressed_is_counted)
{
	size_t n;
	uint8_t *p = unhex("04000000 09000008 11223344 07110010 ffff0000 00000000 ffffffff"
			   "07060010 00500050 0a000000 0a0000ff 0900000501",
			   &n);

	ck_assert_int_eq(ts_parse(rd_of(bytes_of(p, n)), &ts), GW_OK);
	ck_assert_uint_eq(ts.count, 1);
	ck_assert_uint_eq(ts.ignored, 3);
	ck_assert_uint_eq(ts.s[0].proto, 6);
	ck_assert_uint_eq(ts.s[0].port_lo, 80);
	ck_assert_uint_eq(ts.s[0].port_hi, 80);
	ck_assert_uint_eq(ts.s[0].range.lo.family, 4);
	ck_assert_uint_eq(get_u32(ts.s[0].range.lo.b), 0x0a000000);
	ck_assert_uint_eq(get_u32(ts.s[0].range.hi.b), 0x0a0000ff);
	free(p);
}
END_TEST

static struct selector selector(uint8_t family, uint8_t last)
{
	struct selector s = { .proto = last, .port_lo = 1, .port_hi = (uint16_t)(1 + last) };

	s.range.lo.family = s.range.hi.family = family;
	s.range.lo.b[0] = s.range.hi.b[0] = 10;
	s.range.hi.b[family == 4 ? 3 : 15] = last;
	return s;
}

START_TEST(round_trip)
{
	struct selector s[] = { selector(4, 255), selector(6, 3), selector(4, 0) };
	struct msg_writer m;
	struct bytes body;
	uint8_t buf[256];

	chain_begin(&m, buf, sizeof(buf));
	ts_write(&m, PL_TSR, s, ARRAY_LEN(s));
	body = written_body(&m, PL_TSR);
	ck_assert_int_eq(ts_parse(rd_of(body), &ts), GW_OK);
	ck_assert_uint_eq(ts.count, 3);
	ck_assert_uint_eq(ts.ignored, 0);
	for (size_t i = 0; i < 3; i++)
		ck_assert(selector_equal(&ts.s[i], &s[i]));
	check_cuts(parse, &ts, body, body.n);
	check_flips(parse, &ts, body);
}
END_TEST

START_TEST(bound_of_selectors)
{
	static struct selector s[256];
	static uint8_t buf[8192];
	struct msg_writer m;
	struct bytes out;

	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		s[i] = selector(4, 1);
	chain_begin(&m, buf, sizeof(buf));
	ts_write(&m, PL_TSI, s, 255);
	ck_assert_int_eq(ts_parse(rd_of(written_body(&m, PL_TSI)), &ts), GW_OK);
	ck_assert_uint_eq(ts.count, IKE_MAX_SELECTORS);
	ck_assert_uint_eq(ts.ignored, 255 - IKE_MAX_SELECTORS);

	chain_begin(&m, buf, sizeof(buf));
	ts_write(&m, PL_TSI, s, 256);
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
	chain_begin(&m, buf, sizeof(buf));
	ts_write(&m, PL_TSI, s, 0);
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
	s[0].range.hi.family = 6;
	chain_begin(&m, buf, sizeof(buf));
	ts_write(&m, PL_TSI, s, 1);
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, what_cannot_be_expressed_is_counted, round_trip,
				       bound_of_selectors };

	return run_tests("pl_ts", tests, ARRAY_LEN(tests));
}
