#include "ike/message.h"

#include "payload_check.h"
#include "tests/vectors/vectors.h"

static struct ike_msg msg;

static enum gw_err parse(uint8_t first, const char *hex, struct err *e)
{
	size_t n;
	uint8_t *p = unhex(hex, &n);
	enum gw_err rc;

	e->text[0] = '\0';
	rc = msg_parse(&msg, first, bytes_of(p, n), e);
	free(p);
	return rc;
}

START_TEST(header)
{
	size_t n;
	uint8_t *p = unhex("0102030405060708 1112131415161718 21 20 22 08 31323334 0000001c", &n);
	struct ike_header h;

	ck_assert_int_eq(msg_parse_header(bytes_of(p, n), &h), GW_OK);
	ck_assert_uint_eq(h.spi_i, UINT64_C(0x0102030405060708));
	ck_assert_uint_eq(h.spi_r, UINT64_C(0x1112131415161718));
	ck_assert_uint_eq(h.next, PL_SA);
	ck_assert_uint_eq(h.version, 0x20);
	ck_assert_uint_eq(h.exchange, IKE_SA_INIT);
	ck_assert_uint_eq(h.flags, IKE_FLAG_INITIATOR);
	ck_assert_uint_eq(h.id, 0x31323334);
	ck_assert_uint_eq(h.length, 28);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *less = exact(p, cut);

		ck_assert_int_eq(msg_parse_header(bytes_of(less, cut), &h), GW_EMALFORMED);
		free(less);
	}
	p[27] = 27;
	ck_assert_int_eq(msg_parse_header(bytes_of(p, n), &h), GW_EMALFORMED);
	p[27] = 29;
	ck_assert_int_eq(msg_parse_header(bytes_of(p, n), &h), GW_EMALFORMED);
	p[27] = 28;
	p[24] = 1;
	ck_assert_int_eq(msg_parse_header(bytes_of(p, n), &h), GW_EMALFORMED);
	p[24] = 0;
	/* Another version may be due an answer, so it is not judged here. */
	p[17] = 0x30;
	ck_assert_int_eq(msg_parse_header(bytes_of(p, n), &h), GW_OK);
	ck_assert_uint_eq(h.version, 0x30);
	free(p);
}
END_TEST

START_TEST(chains)
{
	static const struct {
		const char *what;
		uint8_t first;
		const char *hex;
		enum gw_err want;
	} t[] = {
		{ "nothing", PL_NONE, "", GW_OK },
		{ "octets after nothing", PL_NONE, "00", GW_EMALFORMED },
		{ "a payload that is not there", PL_NOTIFY, "", GW_EMALFORMED },
		{ "a generic header cut", PL_NOTIFY, "000000", GW_EMALFORMED },
		{ "a notify", PL_NOTIFY, "00000008 00004000", GW_OK },
		{ "reserved bits", PL_NOTIFY, "007f0008 00004000", GW_OK },
		{ "critical, but known", PL_NOTIFY, "00800008 00004000", GW_OK },
		{ "length 3", PL_VENDOR, "00000003", GW_EMALFORMED },
		{ "length 4", PL_VENDOR, "00000004", GW_OK },
		{ "length 0", PL_VENDOR, "00000000", GW_EMALFORMED },
		{ "length beyond", PL_VENDOR, "00000006 00", GW_EMALFORMED },
		{ "octet left", PL_VENDOR, "00000004 00", GW_EMALFORMED },
		{ "next promises more", PL_VENDOR, "29000004", GW_EMALFORMED },
		{ "bad inside", PL_NOTIFY, "00000007 000040", GW_EMALFORMED },
		{ "two notifies", PL_NOTIFY, "29000008 00004000 00000008 00004001", GW_OK },
		{ "two nonces", PL_NONCE,
		  "28000014 00000000000000000000000000000000 00000014 00000000000000000000000000000000",
		  GW_EMALFORMED },
		{ "two KE", PL_KE, "22000009 001f0000aa 00000009 001f0000aa", GW_EMALFORMED },
		{ "two IDi", PL_IDI, "23000009 02000000aa 00000009 02000000aa", GW_EMALFORMED },
		{ "two IDr", PL_IDR, "24000009 02000000aa 00000009 02000000aa", GW_EMALFORMED },
		{ "IDi and IDr", PL_IDI, "24000009 02000000aa 00000009 02000000aa", GW_OK },
		{ "two AUTH", PL_AUTH, "27000009 02000000aa 00000009 02000000aa", GW_EMALFORMED },
		{ "two CP", PL_CP, "2f000008 01000000 00000008 01000000", GW_EMALFORMED },
		{ "two EAP", PL_EAP, "30000008 03010004 00000008 03010004", GW_EMALFORMED },
		{ "two TSi", PL_TSI, "2c00000c 01000000 09000004 0000000c 01000000 09000004", GW_EMALFORMED },
		{ "two TSr", PL_TSR, "2d00000c 01000000 09000004 0000000c 01000000 09000004", GW_EMALFORMED },
		{ "TSi and TSr", PL_TSI, "2d00000c 01000000 09000004 0000000c 01000000 09000004", GW_OK },
		{ "two SA", PL_SA,
		  "21000014 00000010 01010001 00000008 0100001c 00000014 00000010 01010001 00000008 0100001c",
		  GW_EMALFORMED },
		{ "two CERT", PL_CERT, "25000006 04aa 00000006 04aa", GW_OK },
		{ "two CERTREQ", PL_CERTREQ, "26000006 04aa 00000006 04aa", GW_OK },
		{ "two Delete", PL_DELETE, "2a000008 01000000 00000008 01000000", GW_OK },
		{ "SK", PL_SK, "29000008 11223344", GW_OK },
		{ "SKF", PL_SKF, "29000008 11223344", GW_OK },
		{ "SK that is not last", PL_SK, "29000008 11223344 00000008 00004000", GW_EMALFORMED },
		{ "notify, then SK", PL_NOTIFY, "2e000008 00004000 29000008 11223344", GW_OK },
		{ "unknown", 49, "00000008 11223344", GW_OK },
		{ "IKEv1's", 1, "00000008 11223344", GW_OK },
		{ "unknown leaves the message", 49, "00000009 11223344", GW_EMALFORMED },
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		enum gw_err got = parse(t[i].first, t[i].hex, &e);

		ck_assert_msg(got == t[i].want, "%s: %d (%s)", t[i].what, got, e.text);
		ck_assert_msg(got == GW_OK || strlen(e.text) > 0, "%s: no text", t[i].what);
	}
}
END_TEST

START_TEST(unknown_critical_is_noted)
{
	struct err e;

	ck_assert_int_eq(parse(49, "00000004", &e), GW_OK);
	ck_assert_uint_eq(msg.unknown_critical, 0);
	ck_assert_uint_eq(msg.present, 0);
	/* The first of them, and what stands around is parsed all the same. */
	ck_assert_int_eq(parse(49, "32000004 33800004 29800004 00000008 00004000", &e), GW_OK);
	ck_assert_uint_eq(msg.unknown_critical, 50);
	ck_assert_uint_eq(msg.notify_count, 1);
}
END_TEST

START_TEST(kinds_are_told_apart)
{
	struct err e;

	ck_assert_int_eq(parse(PL_NOTIFY,
			       "29000008 00004000 29000008 0000000e 2900000a 00004006 aabb 2b000008 00000026"
			       "2e000005 aa 00000004",
			       &e),
			 GW_OK);
	ck_assert(msg_has(&msg, PL_NOTIFY));
	ck_assert(msg_has(&msg, PL_VENDOR));
	ck_assert(msg_has(&msg, PL_SK));
	ck_assert(!msg_has(&msg, PL_SKF));
	ck_assert(!msg_has(&msg, PL_SA));
	ck_assert(msg.encrypted);
	ck_assert_uint_eq(msg.notify_count, 4);
	ck_assert_uint_eq(msg.vendor_count, 1);
	ck_assert_ptr_eq(msg_notify(&msg, N_COOKIE), &msg.notifies[2]);
	ck_assert_ptr_null(msg_notify(&msg, N_COOKIE2));
	ck_assert_ptr_eq(msg_error(&msg), &msg.notifies[1]);
	ck_assert_int_eq(parse(PL_NOTIFY, "00000008 00004000", &e), GW_OK);
	ck_assert_ptr_null(msg_error(&msg));
	ck_assert(!msg.encrypted);
}
END_TEST

START_TEST(header_survives_parsing)
{
	struct err e;

	msg.h.id = 77;
	ck_assert_int_eq(parse(PL_VENDOR, "00000004", &e), GW_OK);
	ck_assert_uint_eq(msg.h.id, 77);
}
END_TEST

/* n payloads of one kind, with bodies that are good. What is refused has a reason that names the payload. */
static enum gw_err parse_many(uint8_t type, const char *body, size_t n)
{
	size_t len, at = 0;
	uint8_t *one = unhex(body, &len), *all = malloc(n * (len + 4));
	struct err e = { 0 };
	enum gw_err rc;

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < n; i++) {
		all[at] = i + 1 < n ? type : PL_NONE;
		all[at + 1] = 0;
		put_u16(all + at + 2, (uint16_t)(len + 4));
		if (len > 0)
			memcpy(all + at + 4, one, len);
		at += len + 4;
	}
	rc = msg_parse(&msg, type, bytes_of(all, at), &e);
	free(one);
	free(all);
	ck_assert_msg(rc == GW_OK || strstr(e.text, " payloads"), "%s", e.text);
	return rc;
}

START_TEST(bounds)
{
	ck_assert_int_eq(parse_many(PL_NOTIFY, "00004000", IKE_MAX_NOTIFIES), GW_OK);
	ck_assert_uint_eq(msg.notify_count, IKE_MAX_NOTIFIES);
	ck_assert_int_eq(parse_many(PL_NOTIFY, "00004000", IKE_MAX_NOTIFIES + 1), GW_EMALFORMED);
	ck_assert_int_eq(parse_many(PL_DELETE, "01000000", IKE_MAX_DELETES), GW_OK);
	ck_assert_int_eq(parse_many(PL_DELETE, "01000000", IKE_MAX_DELETES + 1), GW_EMALFORMED);
	ck_assert_int_eq(parse_many(PL_CERT, "04aa", IKE_MAX_CERTS), GW_OK);
	ck_assert_int_eq(parse_many(PL_CERT, "04aa", IKE_MAX_CERTS + 1), GW_EMALFORMED);
	ck_assert_int_eq(parse_many(PL_CERTREQ, "04aa", IKE_MAX_CERTS), GW_OK);
	ck_assert_int_eq(parse_many(PL_CERTREQ, "04aa", IKE_MAX_CERTS + 1), GW_EMALFORMED);
	ck_assert_int_eq(parse_many(PL_VENDOR, "", IKE_MAX_VENDORS + 1), GW_OK);
	ck_assert_uint_eq(msg.vendor_count, IKE_MAX_VENDORS);
	ck_assert_int_eq(parse_many(49, "", IKE_MAX_PAYLOADS), GW_OK);
	ck_assert_int_eq(parse_many(49, "", IKE_MAX_PAYLOADS + 1), GW_EMALFORMED);
}
END_TEST

/* Nothing of a message is left in the next one. */
START_TEST(parsed_anew)
{
	static const char *const all[] = {
		"22000014 00000010 01010001 00000008 0100001c", /* SA */
		"28000009 001f0000aa",				/* KE */
		"23000014 00000000000000000000000000000000",	/* nonce */
		"24000009 02000000aa",				/* IDi */
		"25000009 02000000aa",				/* IDr */
		"26000006 04aa",				/* CERT */
		"27000006 04aa",				/* CERTREQ */
		"29000009 02000000aa",				/* AUTH */
		"2a000008 00004000",				/* Notify */
		"2b000008 01000000",				/* Delete */
		"2c000004",					/* vendor */
		"2d000018 01000000 07000010 0000ffff 01020304 01020305",
		"2f000018 01000000 07000010 0000ffff 01020304 01020305", /* TSi, TSr */
		"30000008 01000000",					 /* CP */
		"31000008 03010004",					 /* EAP */
		"00800008 11223344",					 /* an unknown, critical one */
	};
	char hex[1024] = "";
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		strcat(hex, all[i]);
	ck_assert_msg(parse(PL_SA, hex, &e) == GW_OK, "%s", e.text);
	ck_assert(msg.sa.count == 1 && msg.ke.data.n == 1 && msg.nonce.n == 16 && msg.idi.data.n == 1 &&
		  msg.idr.data.n == 1 && msg.cert_count == 1 && msg.certreq_count == 1 && msg.auth.data.n == 1 &&
		  msg.notify_count == 1 && msg.delete_count == 1 && msg.vendor_count == 1 && msg.tsi.count == 1 &&
		  msg.tsr.count == 1 && msg.cp.type == 1 && msg.eap.n == 4 && msg.unknown_critical == 49);
	ck_assert_int_eq(parse(PL_SK, "29000008 11223344", &e), GW_OK);
	ck_assert(msg.encrypted);
	ck_assert_int_eq(parse(PL_NONE, "", &e), GW_OK);
	ck_assert(msg.present == 0 && !msg.encrypted && msg.first == PL_NONE && msg.chain.n == 0);
	ck_assert(msg.sa.count == 0 && msg.sa.transforms == 0 && msg.ke.group == 0 && msg.ke.data.n == 0 &&
		  msg.nonce.n == 0 && msg.idi.kind == 0 && msg.idi.data.n == 0 && msg.idr.kind == 0 &&
		  msg.idr.data.n == 0 && msg.auth.method == 0 && msg.auth.data.n == 0 && msg.cp.type == 0 &&
		  msg.cp.count == 0 && msg.tsi.count == 0 && msg.tsi.ignored == 0 && msg.tsr.count == 0 &&
		  msg.tsr.ignored == 0 && msg.eap.n == 0 && msg.cert_count == 0 && msg.certreq_count == 0 &&
		  msg.notify_count == 0 && msg.delete_count == 0 && msg.vendor_count == 0 && msg.unknown_critical == 0);
}
END_TEST

static const char *const files[] = {
	TEST_DATA "/vectors/aes256gcm16-prfsha384-x25519.txt",
	TEST_DATA "/vectors/aes128-sha256-modp2048.txt",
	TEST_DATA "/vectors/chacha20poly1305-prfsha512-ecp384.txt",
};

START_TEST(captured_requests_parse_and_no_cut_one_does)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct vectors v;
		struct bytes d;
		struct err e;

		vectors_load(&v, files[i]);
		d = vectors_need(&v, "msg01_i");
		ck_assert_int_eq(msg_parse_header(d, &msg.h), GW_OK);
		ck_assert_uint_eq(msg.h.exchange, IKE_SA_INIT);
		ck_assert_uint_eq(msg.h.flags, IKE_FLAG_INITIATOR);
		ck_assert_uint_eq(msg.h.spi_r, 0);
		ck_assert(bytes_equal(bytes_of(d.p, 8), vectors_need(&v, "ike1.spi_i")));
		ck_assert_int_eq(msg_parse(&msg, msg.h.next, bytes_of(d.p + 28, d.n - 28), &e), GW_OK);
		ck_assert(msg_has(&msg, PL_SA) && msg_has(&msg, PL_KE) && msg_has(&msg, PL_NONCE));
		ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "ike1.ni")));
		ck_assert_uint_eq(msg.sa.count, 1);
		ck_assert_uint_eq(msg.sa.p[0].protocol, PROTO_IKE);
		ck_assert_uint_eq(msg.sa.p[0].spi.n, 0);
		ck_assert_ptr_nonnull(msg_notify(&msg, N_NAT_DETECTION_SOURCE_IP));
		ck_assert_uint_eq(msg_notify(&msg, N_NAT_DETECTION_DESTINATION_IP)->data.n, 20);
		ck_assert_ptr_nonnull(msg_notify(&msg, N_IKEV2_FRAGMENTATION_SUPPORTED));
		ck_assert_ptr_null(msg_error(&msg));
		for (size_t n = 28; n < d.n; n++) {
			uint8_t *p = exact(d.p + 28, n - 28);

			ck_assert_int_eq(msg_parse(&msg, d.p[16], bytes_of(p, n - 28), &e), GW_EMALFORMED);
			free(p);
		}
		vectors_free(&v);
	}
}
END_TEST

START_TEST(captured_proposal_is_understood)
{
	struct vectors v;
	struct bytes d;
	struct err e;

	vectors_load(&v, files[1]);
	d = vectors_need(&v, "msg02_r");
	ck_assert_int_eq(msg_parse(&msg, d.p[16], bytes_of(d.p + 28, d.n - 28), &e), GW_OK);
	ck_assert_uint_eq(msg.sa.transforms, 4);
	ck_assert_uint_eq(msg.sa.t[0].type, TR_ENCR);
	ck_assert_uint_eq(msg.sa.t[0].id, ENCR_AES_CBC);
	ck_assert_uint_eq(msg.sa.t[0].key_bits, 128);
	ck_assert_uint_eq(msg.sa.t[1].type, TR_INTEG);
	ck_assert_uint_eq(msg.sa.t[1].id, INTEG_HMAC_SHA2_256_128);
	ck_assert_uint_eq(msg.sa.t[2].id, PRF_HMAC_SHA2_256);
	ck_assert_uint_eq(msg.sa.t[3].id, DH_MODP_2048);
	ck_assert_uint_eq(msg.ke.group, DH_MODP_2048);
	ck_assert_uint_eq(msg.ke.data.n, 256);
	ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "ike1.nr")));
	ck_assert_ptr_nonnull(msg_notify(&msg, N_SIGNATURE_HASH_ALGORITHMS));
	vectors_free(&v);
}
END_TEST

START_TEST(captured_octets_may_be_anything)
{
	struct vectors v;
	struct bytes d;
	struct err e;
	uint8_t *p;

	vectors_load(&v, files[0]);
	d = vectors_need(&v, "msg01_i");
	p = exact(d.p + 28, d.n - 28);
	for (size_t i = 0; i < d.n - 28; i++) {
		uint8_t was = p[i];

		for (unsigned x = 0; x < 256; x++) {
			enum gw_err rc;

			p[i] = (uint8_t)x;
			rc = msg_parse(&msg, d.p[16], bytes_of(p, d.n - 28), &e);
			ck_assert(rc == GW_OK || rc == GW_EMALFORMED);
		}
		p[i] = was;
	}
	free(p);
	vectors_free(&v);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		header,
		chains,
		unknown_critical_is_noted,
		kinds_are_told_apart,
		header_survives_parsing,
		bounds,
		parsed_anew,
		captured_requests_parse_and_no_cut_one_does,
		captured_proposal_is_understood,
		captured_octets_may_be_anything,
	};

	return run_tests("message", tests, ARRAY_LEN(tests));
}
