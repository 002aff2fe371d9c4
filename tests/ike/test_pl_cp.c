#include "ike/payload.h"

#include "payload_check.h"

static struct cp_payload cp;

static enum gw_err parse(struct reader r, void *out)
{
	return cp_parse(r, out);
}

START_TEST(good_and_bad)
{
	static const struct parse_case cases[] = {
		{ "nothing", "", GW_EMALFORMED },
		{ "head cut", "010000", GW_EMALFORMED },
		{ "no attributes", "01000000", GW_OK },
		{ "reserved set", "01ffffff", GW_OK },
		{ "empty attribute", "01000000 00010000", GW_OK },
		{ "reserved bit of the attribute", "01000000 80010000", GW_OK },
		{ "with value", "02000000 00010004 0a000001", GW_OK },
		{ "attribute head cut", "01000000 000100", GW_EMALFORMED },
		{ "value leaves the payload", "01000000 00010004 0a0000", GW_EMALFORMED },
		{ "octet left", "01000000 00010003 0a000001", GW_EMALFORMED },
	};

	check_cases(parse, &cp, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(round_trip)
{
	struct msg_writer m;
	struct bytes body;
	uint8_t buf[256];
	size_t mark;

	chain_begin(&m, buf, sizeof(buf));
	mark = cp_begin(&m, CFG_REPLY);
	cp_attr(&m, CFG_IP4_ADDRESS, bytes_str("addr"));
	cp_attr(&m, CFG_IP4_DNS, (struct bytes){ 0 });
	cp_attr(&m, 0x8000 | CFG_DNS_DOMAIN, bytes_str("example.org"));
	cp_end(&m, mark);
	body = written_body(&m, PL_CP);
	ck_assert_int_eq(cp_parse(rd_of(body), &cp), GW_OK);
	ck_assert_uint_eq(cp.type, CFG_REPLY);
	ck_assert_uint_eq(cp.count, 3);
	ck_assert_uint_eq(cp.a[0].type, CFG_IP4_ADDRESS);
	ck_assert_bytes(cp.a[0].value, "addr");
	ck_assert_uint_eq(cp.a[1].type, CFG_IP4_DNS);
	ck_assert_uint_eq(cp.a[1].value.n, 0);
	ck_assert_uint_eq(cp.a[2].type, CFG_DNS_DOMAIN);
	ck_assert_bytes(cp.a[2].value, "example.org");
	check_flips(parse, &cp, body);
	for (size_t n = 0; n < body.n; n++) {
		uint8_t *p = exact(body.p, n);
		/* Between attributes a shorter payload is one with fewer of them. */
		bool whole = n == 4 || n == 12 || n == 16;

		ck_assert_int_eq(cp_parse(rd_of(bytes_of(p, n)), &cp), whole ? GW_OK : GW_EMALFORMED);
		free(p);
	}
}
END_TEST

START_TEST(reserved_bit_is_not_part_of_the_type)
{
	size_t n;
	uint8_t *p = unhex("01000000 80010000", &n);

	ck_assert_int_eq(cp_parse(rd_of(bytes_of(p, n)), &cp), GW_OK);
	ck_assert_uint_eq(cp.a[0].type, CFG_IP4_ADDRESS);
	free(p);
}
END_TEST

START_TEST(attributes_past_the_bound_are_dropped)
{
	static uint8_t buf[4096];
	struct msg_writer m;
	size_t mark;

	for (uint16_t n = IKE_MAX_CFG_ATTRS; n <= IKE_MAX_CFG_ATTRS + 1; n++) {
		chain_begin(&m, buf, sizeof(buf));
		mark = cp_begin(&m, CFG_REQUEST);
		for (uint16_t i = 0; i < n; i++)
			cp_attr(&m, i, (struct bytes){ 0 });
		cp_end(&m, mark);
		ck_assert_int_eq(cp_parse(rd_of(written_body(&m, PL_CP)), &cp), GW_OK);
		ck_assert_uint_eq(cp.count, IKE_MAX_CFG_ATTRS);
		ck_assert_uint_eq(cp.a[IKE_MAX_CFG_ATTRS - 1].type, IKE_MAX_CFG_ATTRS - 1);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { good_and_bad, round_trip, reserved_bit_is_not_part_of_the_type,
				       attributes_past_the_bound_are_dropped };

	return run_tests("pl_cp", tests, ARRAY_LEN(tests));
}
