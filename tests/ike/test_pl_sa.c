#include "ike/payload.h"

#include "payload_check.h"

static struct sa_payload sa;

static enum gw_err parse(struct reader r, void *out)
{
	return sa_parse(r, out);
}

static const struct parse_case cases[] = {
	{ "nothing", "", GW_EMALFORMED },
	{ "ESP, one transform", "00000018 01030401 11223344 0000000c 0100000c 800e0080", GW_OK },
	{ "reserved octets are set", "00ff0018 01030401 11223344 00ff000c 01ff000c 800e0080", GW_OK },
	{ "number 0", "00000018 00030401 11223344 0000000c 0100000c 800e0080", GW_OK },
	{ "IKE without SPI", "00000014 01010001 0000000c 0100000c 800e0080", GW_OK },
	{ "IKE with SPI", "0000001c 01010801 1122334455667788 0000000c 0100000c 800e0080", GW_OK },
	{ "IKE, SPI of 4", "00000018 01010401 11223344 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "IKE, SPI of 7", "0000001b 01010701 11223344556677 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "IKE, SPI of 9", "0000001d 01010901 112233445566778899 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "ESP without SPI", "00000014 01030001 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "ESP, SPI of 3", "00000017 01030301 112233 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "ESP, SPI of 5", "00000019 01030501 1122334455 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "AH", "00000014 01020401 11223344 00000008 0300000c", GW_OK },
	{ "AH, SPI of 8", "00000018 01020801 1122334455667788 00000008 0300000c", GW_EMALFORMED },
	{ "a stranger's protocol, SPI of 8", "00000018 01c80801 1122334455667788 00000008 0300000c", GW_OK },
	{ "a stranger's protocol, SPI of 5", "00000015 01c80501 1122334455 00000008 0300000c", GW_EMALFORMED },
	{ "no transforms", "0000000c 01030400 11223344", GW_EMALFORMED },
	{ "two told, one there", "00000018 01030402 11223344 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "one told, two there", "00000020 01030401 11223344 0300000c 0100000c 800e0080 00000008 05000000",
	  GW_EMALFORMED },
	{ "two", "00000020 01030402 11223344 0300000c 0100000c 800e0080 00000008 05000000", GW_OK },
	{ "first of two says last", "00000020 01030402 11223344 0000000c 0100000c 800e0080 00000008 05000000",
	  GW_EMALFORMED },
	{ "last of two says more", "00000020 01030402 11223344 0300000c 0100000c 800e0080 03000008 05000000",
	  GW_EMALFORMED },
	{ "transform shorter than its head", "00000013 01030401 11223344 00000007 01000c", GW_EMALFORMED },
	{ "transform leaves the proposal", "00000018 01030401 11223344 0000000d 0100000c 800e0080", GW_EMALFORMED },
	{ "attribute cut", "00000016 01030401 11223344 0000000a 0100000c 800e", GW_EMALFORMED },
	{ "long attribute leaves the transform", "00000019 01030401 11223344 0000000d 0100000c 00010002 00",
	  GW_EMALFORMED },
	{ "long attribute", "0000001a 01030401 11223344 0000000e 0100000c 00010002 0000", GW_OK },
	{ "proposal shorter than its head", "00000007 010304", GW_EMALFORMED },
	{ "proposal leaves the payload", "00000019 01030401 11223344 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "last proposal, octets left", "00000018 01030401 11223344 0000000c 0100000c 800e0080 00", GW_EMALFORMED },
	{ "more proposals promised", "02000018 01030401 11223344 0000000c 0100000c 800e0080", GW_EMALFORMED },
	{ "two proposals",
	  "02000018 01030401 11223344 0000000c 0100000c 800e0080"
	  "00000018 02030401 11223344 0000000c 0100000c 800e0100",
	  GW_OK },
	{ "numbers as the peer likes",
	  "02000018 07030401 11223344 0000000c 0100000c 800e0080"
	  "00000018 07030401 11223344 0000000c 0100000c 800e0100",
	  GW_OK },
	{ "first of two says last",
	  "00000018 01030401 11223344 0000000c 0100000c 800e0080"
	  "00000018 02030401 11223344 0000000c 0100000c 800e0100",
	  GW_EMALFORMED },
	{ "IKEv1's mark of a further proposal",
	  "01000018 01030401 11223344 0000000c 0100000c 800e0080"
	  "00000018 02030401 11223344 0000000c 0100000c 800e0100",
	  GW_EMALFORMED },
};

START_TEST(good_and_bad_ones)
{
	check_cases(parse, &sa, cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(what_is_said_is_kept)
{
	size_t n;
	uint8_t *p = unhex("02000020 09030402 a1a2a3a4 0300000c 01000014 800e0100 00000008 05000001"
			   "00000014 03020401 b1b2b3b4 00000008 0300000e",
			   &n);

	ck_assert_int_eq(sa_parse(rd_of(bytes_of(p, n)), &sa), GW_OK);
	ck_assert_uint_eq(sa.count, 2);
	ck_assert_uint_eq(sa.transforms, 3);
	ck_assert_uint_eq(sa.p[0].number, 9);
	ck_assert_uint_eq(sa.p[0].protocol, PROTO_ESP);
	ck_assert_uint_eq(sa.p[0].spi.n, 4);
	ck_assert_uint_eq(get_u32(sa.p[0].spi.p), 0xa1a2a3a4);
	ck_assert_uint_eq(sa.p[0].first, 0);
	ck_assert_uint_eq(sa.p[0].count, 2);
	ck_assert_uint_eq(sa.p[1].number, 3);
	ck_assert_uint_eq(sa.p[1].protocol, PROTO_AH);
	ck_assert_uint_eq(sa.p[1].first, 2);
	ck_assert_uint_eq(sa.p[1].count, 1);
	ck_assert_uint_eq(sa.t[0].type, TR_ENCR);
	ck_assert_uint_eq(sa.t[0].id, ENCR_AES_GCM_16);
	ck_assert_uint_eq(sa.t[0].key_bits, 256);
	ck_assert_uint_eq(sa.t[1].type, TR_ESN);
	ck_assert_uint_eq(sa.t[1].id, ESN_YES);
	ck_assert_uint_eq(sa.t[1].key_bits, 0);
	ck_assert_uint_eq(sa.t[2].type, TR_INTEG);
	free(p);
}
END_TEST

START_TEST(unknown_attributes_make_a_transform_unacceptable)
{
	static const struct {
		const char *attrs;
		uint16_t bits;
	} t[] = {
		{ "", 0 },
		{ "800e0080", 128 },
		{ "800e0001", 1 },
		{ "800effff", KEY_BITS_UNKNOWN },
		{ "800e0000", KEY_BITS_UNKNOWN },      /* 0 is "none" in our value, but the peer says something */
		{ "800f0080", KEY_BITS_UNKNOWN },      /* another attribute */
		{ "000e0002 0080", KEY_BITS_UNKNOWN }, /* key length in the long form */
		{ "000e0000", KEY_BITS_UNKNOWN },
		{ "800e0080 800e0080", KEY_BITS_UNKNOWN },
		{ "800e0080 00630000", KEY_BITS_UNKNOWN },
		{ "00630001 aa 800e0080", KEY_BITS_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char hex[128];
		size_t n, attr;
		uint8_t *p;

		free(unhex(t[i].attrs, &attr));
		snprintf(hex, sizeof(hex), "000000%02zx 01010001 000000%02zx 0100000c %s", 16 + attr, 8 + attr,
			 t[i].attrs);
		p = unhex(hex, &n);
		ck_assert_int_eq(sa_parse(rd_of(bytes_of(p, n)), &sa), GW_OK);
		ck_assert_msg(sa.t[0].key_bits == t[i].bits, "%s: %u", t[i].attrs, sa.t[0].key_bits);
		free(p);
	}
}
END_TEST

static const struct transform suite[] = {
	{ TR_ENCR, ENCR_AES_GCM_16, 256 },
	{ TR_ENCR, ENCR_CHACHA20_POLY1305, 0 },
	{ TR_PRF, PRF_HMAC_SHA2_384, 0 },
	{ TR_DH, DH_CURVE25519, 0 },
};

/* An SA payload of n proposals with `each` transforms, in a buffer of its own. */
static struct bytes build(struct msg_writer *m, uint8_t *buf, size_t cap, size_t n, size_t each)
{
	size_t mark;

	chain_begin(m, buf, cap);
	mark = sa_begin(m);
	for (size_t i = 0; i < n; i++) {
		struct transform t[255];

		for (size_t k = 0; k < each; k++)
			t[k] = suite[k % ARRAY_LEN(suite)];
		proposal_write(m, (uint8_t)(i + 1), PROTO_ESP, bytes_str("spi!"), t, each, i + 1 < n);
	}
	sa_end(m, mark);
	return written_body(m, PL_SA);
}

START_TEST(written_and_read_again)
{
	struct msg_writer m;
	uint8_t buf[4096];
	struct bytes body = build(&m, buf, sizeof(buf), 3, 4);

	ck_assert_int_eq(sa_parse(rd_of(body), &sa), GW_OK);
	ck_assert_uint_eq(sa.count, 3);
	ck_assert_uint_eq(sa.transforms, 12);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(sa.p[i].number, i + 1);
		ck_assert_bytes(sa.p[i].spi, "spi!");
		ck_assert_uint_eq(sa.p[i].first, 4 * i);
	}
	for (size_t i = 0; i < 12; i++) {
		ck_assert_uint_eq(sa.t[i].type, suite[i % 4].type);
		ck_assert_uint_eq(sa.t[i].id, suite[i % 4].id);
		ck_assert_uint_eq(sa.t[i].key_bits, suite[i % 4].key_bits);
	}
	check_cuts(parse, &sa, body, body.n);
	check_flips(parse, &sa, body);
}
END_TEST

START_TEST(bounds_of_proposals_and_transforms)
{
	static uint8_t buf[65536];
	struct msg_writer m;

	ck_assert_int_eq(sa_parse(rd_of(build(&m, buf, sizeof(buf), IKE_MAX_PROPOSALS, 10)), &sa), GW_OK);
	ck_assert_uint_eq(sa.count, IKE_MAX_PROPOSALS);
	ck_assert_uint_eq(sa.transforms, IKE_MAX_TRANSFORMS);
	ck_assert_int_eq(sa_parse(rd_of(build(&m, buf, sizeof(buf), IKE_MAX_PROPOSALS + 1, 1)), &sa), GW_EMALFORMED);
	ck_assert_int_eq(sa_parse(rd_of(build(&m, buf, sizeof(buf), 2, 200)), &sa), GW_OK);
	ck_assert_int_eq(sa_parse(rd_of(build(&m, buf, sizeof(buf), 2, 201)), &sa), GW_EMALFORMED);
}
END_TEST

START_TEST(writer_knows_its_limits)
{
	struct transform many[256] = { { TR_DH, 14, 0 } };
	struct msg_writer m;
	struct bytes out;
	static uint8_t buf[8192];

	chain_begin(&m, buf, sizeof(buf));
	proposal_write(&m, 1, PROTO_ESP, bytes_str("spi!"), many, 256, false);
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
	chain_begin(&m, buf, sizeof(buf));
	proposal_write(&m, 1, PROTO_IKE, bytes_str("123456789"), many, 1, false);
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		good_and_bad_ones,
		what_is_said_is_kept,
		unknown_attributes_make_a_transform_unacceptable,
		written_and_read_again,
		bounds_of_proposals_and_transforms,
		writer_knows_its_limits,
	};

	return run_tests("pl_sa", tests, ARRAY_LEN(tests));
}
