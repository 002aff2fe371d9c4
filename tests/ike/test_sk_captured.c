/* Captured conversations of strongSwan with itself: opened, and sealed again. */
#include "sk_check.h"

static struct ike_msg msg;

/* Opens message `name` with the keys of that IKE SA; `out` has the buffer, which the caller frees. */
static uint8_t *open_captured(const struct vectors *v, const char *name, int sa, struct sk_inside *in)
{
	struct bytes d = vectors_need(v, name);
	uint8_t *copy = exact(d.p, d.n);
	char key[16];
	char side;

	ck_assert_int_eq(msg_parse_header(d, &msg.h), GW_OK);
	side = msg.h.flags & IKE_FLAG_INITIATOR ? 'i' : 'r';
	snprintf(key, sizeof(key), "ike%d.sk_e%c", sa, side);
	f.k.encr = vectors_need(v, key);
	snprintf(key, sizeof(key), "ike%d.sk_a%c", sa, side);
	f.k.integ = vectors_bytes(v, key);
	ck_assert_msg(sk_open(f.c, &f.k, copy, d.n, in) == GW_OK, "%s does not open", name);
	return copy;
}

static uint8_t *parse_captured(const struct vectors *v, const char *name, int sa)
{
	struct sk_inside in;
	struct err e;
	uint8_t *copy = open_captured(v, name, sa, &in);

	ck_assert_uint_eq(in.total, 0);
	ck_assert_msg(msg_parse(&msg, in.first, in.chain, &e) == GW_OK, "%s: %s", name, e.text);
	ck_assert_uint_eq(msg.unknown_critical, 0);
	ck_assert(!msg.encrypted);
	return copy;
}

/* PSK, rekeying of both kinds, deletion: the same course with two very different suites. */
static void check_course(const char *file, uint16_t dh, size_t ke_len)
{
	struct vectors v;
	uint8_t *d;

	vectors_load(&v, file);
	d = parse_captured(&v, "msg03_i", 1);
	ck_assert_uint_eq(msg.h.exchange, IKE_AUTH);
	ck_assert_uint_eq(msg.idi.kind, 3);
	ck_assert_bytes(msg.idi.data, "alice@example.org");
	ck_assert_bytes(msg.idr.data, "gw.example.org");
	ck_assert_uint_eq(msg.auth.method, AUTH_PSK);
	ck_assert_uint_eq(msg.cp.type, CFG_REQUEST);
	ck_assert_uint_eq(msg.cp.a[0].type, CFG_IP4_ADDRESS);
	ck_assert_uint_eq(msg.sa.p[0].protocol, PROTO_ESP);
	ck_assert_uint_eq(msg.sa.p[0].spi.n, 4);
	ck_assert_uint_eq(msg.tsi.count, 2);
	ck_assert_uint_eq(msg.tsr.count, 2);
	ck_assert_uint_eq(get_u32(msg.tsr.s[0].range.lo.b), 0x0a010000);
	ck_assert_uint_eq(get_u32(msg.tsr.s[0].range.hi.b), 0x0a0100ff);
	ck_assert_uint_eq(msg.tsr.s[1].range.lo.family, 6);
	ck_assert_ptr_nonnull(msg_notify(&msg, N_INITIAL_CONTACT));
	ck_assert_ptr_nonnull(msg_notify(&msg, N_MOBIKE_SUPPORTED));
	free(d);

	d = parse_captured(&v, "msg04_r", 1);
	ck_assert_ptr_null(msg_error(&msg));
	ck_assert_bytes(msg.idr.data, "gw.example.org");
	ck_assert_uint_eq(msg.cp.type, CFG_REPLY);
	ck_assert_uint_eq(msg.cp.a[0].type, CFG_IP4_ADDRESS);
	ck_assert_uint_eq(get_u32(msg.cp.a[0].value.p), 0x0a090001);
	ck_assert_uint_eq(msg.cp.a[1].type, CFG_IP6_ADDRESS);
	ck_assert_uint_eq(msg.cp.a[1].value.n, 17);
	ck_assert_uint_eq(msg.tsi.count, 2);
	ck_assert_uint_eq(get_u32(msg.tsi.s[0].range.lo.b), 0x0a090001);
	free(d);

	d = parse_captured(&v, "msg05_i", 1);
	ck_assert_uint_eq(msg.h.exchange, CREATE_CHILD_SA);
	ck_assert_uint_eq(msg_notify(&msg, N_REKEY_SA)->protocol, PROTO_ESP);
	ck_assert_uint_eq(msg_notify(&msg, N_REKEY_SA)->spi.n, 4);
	ck_assert_uint_eq(msg.ke.group, dh);
	ck_assert_uint_eq(msg.ke.data.n, ke_len);
	ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "child2.ni")));
	free(d);
	d = parse_captured(&v, "msg06_r", 1);
	ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "child2.nr")));
	free(d);

	d = parse_captured(&v, "msg07_i", 1);
	ck_assert_uint_eq(msg.h.exchange, INFORMATIONAL);
	ck_assert_uint_eq(msg.delete_count, 1);
	ck_assert_uint_eq(msg.deletes[0].protocol, PROTO_ESP);
	ck_assert_uint_eq(msg.deletes[0].count, 1);
	free(d);

	d = parse_captured(&v, "msg09_i", 1);
	ck_assert_uint_eq(msg.sa.p[0].protocol, PROTO_IKE);
	ck_assert(bytes_equal(msg.sa.p[0].spi, vectors_need(&v, "ike2.spi_i")));
	ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "ike2.ni")));
	free(d);
	d = parse_captured(&v, "msg10_r", 1);
	ck_assert(bytes_equal(msg.sa.p[0].spi, vectors_need(&v, "ike2.spi_r")));
	ck_assert(bytes_equal(msg.nonce, vectors_need(&v, "ike2.nr")));
	free(d);

	d = parse_captured(&v, "msg11_i", 1);
	ck_assert_uint_eq(msg.deletes[0].protocol, PROTO_IKE);
	ck_assert_uint_eq(msg.deletes[0].count, 0);
	free(d);
	d = parse_captured(&v, "msg12_r", 1);
	ck_assert_uint_eq(msg.present, 0);
	free(d);

	/* From here on under the new IKE SA. */
	d = parse_captured(&v, "msg13_i", 2);
	ck_assert_uint_eq(msg.h.id, 0);
	ck_assert_uint_eq(msg.deletes[0].protocol, PROTO_ESP);
	free(d);
	d = parse_captured(&v, "msg14_r", 2);
	free(d);
	d = parse_captured(&v, "msg15_r", 2);
	ck_assert_uint_eq(msg.h.flags, 0);
	ck_assert_uint_eq(msg.deletes[0].protocol, PROTO_IKE);
	free(d);
	d = parse_captured(&v, "msg16_i", 2);
	ck_assert_uint_eq(msg.present, 0);
	free(d);
	vectors_free(&v);
}

START_TEST(captured_gcm)
{
	use_suite(9);
	check_course(TEST_DATA "/vectors/aes256gcm16-prfsha384-x25519.txt", DH_CURVE25519, 32);
}
END_TEST

START_TEST(captured_cbc)
{
	use_suite(1);
	check_course(TEST_DATA "/vectors/aes128-sha256-modp2048.txt", DH_MODP_2048, 256);
}
END_TEST

START_TEST(captured_fragments_and_eap)
{
	static const char *const parts[] = { "msg04_r", "msg05_r", "msg06_r" };
	static uint8_t whole[4096];
	struct vectors v;
	struct sk_inside in;
	struct err e;
	uint8_t first = 0, *d;
	size_t n = 0;

	use_suite(12);
	vectors_load(&v, TEST_DATA "/vectors/chacha20poly1305-prfsha512-ecp384.txt");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		d = open_captured(&v, parts[i], 1, &in);
		ck_assert_uint_eq(in.fragment, i + 1);
		ck_assert_uint_eq(in.total, 3);
		if (i == 0)
			first = in.first;
		memcpy(whole + n, in.chain.p, in.chain.n);
		n += in.chain.n;
		free(d);
	}
	ck_assert_int_eq(msg_parse(&msg, first, bytes_of(whole, n), &e), GW_OK);
	ck_assert_bytes(msg.idr.data, "gw.example.org");
	ck_assert_uint_eq(msg.cert_count, 1);
	ck_assert_uint_eq(msg.certs[0].encoding, 4);
	ck_assert_uint_eq(msg.certs[0].data.p[0], 0x30);
	ck_assert_uint_eq(msg.auth.method, AUTH_SIGNATURE);
	ck_assert_uint_eq(msg.eap.p[0], 1);
	ck_assert_uint_eq(msg.eap.p[4], 1);

	/* What a client says back: its name, then MSCHAPv2 (26), until success. */
	d = parse_captured(&v, "msg07_i", 1);
	ck_assert_uint_eq(msg.eap.p[0], 2);
	ck_assert_bytes(bytes_of(msg.eap.p + 5, msg.eap.n - 5), "alice");
	free(d);
	d = parse_captured(&v, "msg08_r", 1);
	ck_assert_uint_eq(msg.eap.p[4], 26);
	free(d);
	d = parse_captured(&v, "msg12_r", 1);
	ck_assert_uint_eq(msg.eap.n, 4);
	ck_assert_uint_eq(msg.eap.p[0], 3);
	free(d);
	d = parse_captured(&v, "msg13_i", 1);
	ck_assert_uint_eq(msg.auth.data.n, 64);
	free(d);
	d = parse_captured(&v, "msg14_r", 1);
	ck_assert_uint_eq(msg.cp.type, CFG_REPLY);
	ck_assert_uint_eq(msg.tsr.count, 2);
	free(d);
	vectors_free(&v);
}
END_TEST

/* Sealing what was captured, with its IV, gives what was captured: octet for octet what strongSwan sent. */
static enum gw_err captured_iv(void *arg, uint8_t *out, size_t n)
{
	memcpy(out, ((const struct bytes *)arg)->p + 32, n);
	return GW_OK;
}

START_TEST(sealing_gives_the_captured_datagram)
{
	static const char *const names[] = { "msg03_i", "msg04_r", "msg05_i", "msg12_r" };
	struct vectors v;

	use_suite(9);
	vectors_load(&v, TEST_DATA "/vectors/aes256gcm16-prfsha384-x25519.txt");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct bytes want = vectors_need(&v, names[i]);
		struct sk_iv iv = { captured_iv, &want };
		struct sk_inside in;
		uint8_t *d = open_captured(&v, names[i], 1, &in);

		f.w = wr_of(f.packed, sizeof(f.packed));
		ck_assert_int_eq(sk_seal(f.c, &f.k, &iv, &msg.h, in.first, in.chain, 1500, true, &f.w), GW_OK);
		ck_assert_uint_eq(f.w.n, 2 + want.n);
		ck_assert(bytes_equal(bytes_of(f.packed + 2, want.n), want));
		free(d);
	}
	vectors_free(&v);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		captured_gcm,
		captured_cbc,
		captured_fragments_and_eap,
		sealing_gives_the_captured_datagram,
	};

	return run_tests_with("sk_captured", setup, teardown, tests, ARRAY_LEN(tests));
}
