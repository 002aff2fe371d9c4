#include "core/crypto/alg.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(encr_sizes)
{
	static const struct {
		uint16_t id;
		bool aead;
		uint8_t salt, iv, icv, block;
	} want[] = {
		{ 12, false, 0, 16, 0, 16 },							   /* RFC 3602 */
		{ 13, false, 4, 8, 0, 1 },							   /* RFC 3686 5.1 */
		{ 16, true, 3, 8, 16, 1 },							   /* RFC 4309 7.1 */
		{ 18, true, 4, 8, 8, 1 },							   /* RFC 4106 8.1 */
		{ 19, true, 4, 8, 12, 1 },   { 20, true, 4, 8, 16, 1 }, { 28, true, 4, 8, 16, 1 }, /* RFC 7634 2 */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		const struct encr_alg *a = encr_find(want[i].id);

		ck_assert_ptr_nonnull(a);
		ck_assert_uint_eq(a->id, want[i].id);
		ck_assert(a->aead == want[i].aead);
		ck_assert_uint_eq(a->salt_len, want[i].salt);
		ck_assert_uint_eq(a->iv_len, want[i].iv);
		ck_assert_uint_eq(a->icv_len, want[i].icv);
		ck_assert_uint_eq(a->block, want[i].block);
	}
	ck_assert_ptr_null(encr_find(0));
	ck_assert_ptr_null(encr_find(3)); /* 3DES */
	ck_assert_ptr_null(encr_find(21));
}
END_TEST

START_TEST(encr_key_sizes)
{
	static const uint16_t aes[] = { ENCR_AES_CBC,	ENCR_AES_CTR,	 ENCR_AES_CCM_16,
					ENCR_AES_GCM_8, ENCR_AES_GCM_12, ENCR_AES_GCM_16 };
	unsigned bits;
	size_t i;

	for (i = 0; i < ARRAY_LEN(aes); i++)
		for (bits = 0; bits < 600; bits++)
			ck_assert(encr_key_ok(encr_find(aes[i]), (uint16_t)bits) ==
				  (bits == 128 || bits == 192 || bits == 256));
	for (bits = 0; bits < 600; bits++)
		ck_assert(encr_key_ok(encr_find(ENCR_CHACHA20_POLY1305), (uint16_t)bits) == (bits == 0));
}
END_TEST

START_TEST(other_sizes)
{
	static const uint16_t dh[][2] = {
		{ 2, 128 },   { 5, 192 }, { 14, 256 }, { 15, 384 }, { 16, 512 }, { 17, 768 },
		{ 18, 1024 }, { 19, 64 }, { 20, 96 },  { 21, 132 }, { 31, 32 },	 { 32, 56 },
	};
	size_t i;

	ck_assert_uint_eq(integ_find(2)->key_len, 20);
	ck_assert_uint_eq(integ_find(2)->icv_len, 12);
	ck_assert_uint_eq(integ_find(12)->key_len, 32);
	ck_assert_uint_eq(integ_find(12)->icv_len, 16);
	ck_assert_uint_eq(integ_find(13)->key_len, 48);
	ck_assert_uint_eq(integ_find(13)->icv_len, 24);
	ck_assert_uint_eq(integ_find(14)->key_len, 64);
	ck_assert_uint_eq(integ_find(14)->icv_len, 32);
	ck_assert_ptr_null(integ_find(INTEG_NONE));
	ck_assert_uint_eq(prf_find(2)->len, 20);
	ck_assert_uint_eq(prf_find(5)->len, 32);
	ck_assert_uint_eq(prf_find(6)->len, 48);
	ck_assert_uint_eq(prf_find(7)->len, 64);
	ck_assert_ptr_null(prf_find(1)); /* MD5 */
	for (i = 0; i < ARRAY_LEN(dh); i++) {
		const struct dh_alg *a = dh_find(dh[i][0]);

		ck_assert_ptr_nonnull(a);
		ck_assert_uint_eq(a->public_len, dh[i][1]);
		ck_assert(a->weak == (a->id == DH_MODP_1024 || a->id == DH_MODP_1536));
	}
	ck_assert_ptr_null(dh_find(DH_NONE));
	ck_assert_ptr_null(dh_find(1));
	ck_assert_ptr_null(dh_find(22));
}
END_TEST

/* Whatever can be written can be read, and is printed as something that reads the same. */
START_TEST(tokens_round_trip)
{
	const char *const *token;
	size_t count = 0;

	for (token = transform_tokens(); *token; token++, count++) {
		struct transform t, again;
		char buf[TRANSFORM_TEXT];

		ck_assert_msg(transform_parse(*token, &t), "%s", *token);
		ck_assert_ptr_eq(transform_text(&t, buf), buf);
		ck_assert_msg(transform_parse(buf, &again), "%s: %s", *token, buf);
		ck_assert(t.type == again.type && t.id == again.id && t.key_bits == again.key_bits);
		if (t.type == TR_ENCR)
			ck_assert(encr_key_ok(encr_find(t.id), t.key_bits));
		if (t.type == TR_INTEG)
			ck_assert_ptr_nonnull(integ_find(t.id));
		if (t.type == TR_PRF)
			ck_assert_ptr_nonnull(prf_find(t.id));
		if (t.type == TR_DH && t.id != DH_NONE)
			ck_assert_ptr_nonnull(dh_find(t.id));
	}
	ck_assert_uint_gt(count, 50);
}
END_TEST

START_TEST(spelling)
{
	static const struct {
		const char *token, *text;
		struct transform t;
	} want[] = {
		{ "aes256", "aes256", { TR_ENCR, 12, 256 } },
		{ "aes", "aes128", { TR_ENCR, 12, 128 } },
		{ "aes256gcm16", "aes256gcm16", { TR_ENCR, 20, 256 } },
		{ "aes128gcm", "aes128gcm16", { TR_ENCR, 20, 128 } },
		{ "aes192gcm12", "aes192gcm12", { TR_ENCR, 19, 192 } },
		{ "aes256gcm8", "aes256gcm8", { TR_ENCR, 18, 256 } },
		{ "aes256ctr", "aes256ctr", { TR_ENCR, 13, 256 } },
		{ "chacha20poly1305", "chacha20poly1305", { TR_ENCR, 28, 0 } },
		{ "aes128ccm16", "aes128ccm16", { TR_ENCR, 16, 128 } },
		{ "sha1", "sha1", { TR_INTEG, 2, 0 } },
		{ "sha256", "sha256", { TR_INTEG, 12, 0 } },
		{ "sha384", "sha384", { TR_INTEG, 13, 0 } },
		{ "sha512", "sha512", { TR_INTEG, 14, 0 } },
		{ "prfsha256", "prfsha256", { TR_PRF, 5, 0 } },
		{ "curve25519", "x25519", { TR_DH, 31, 0 } },
		{ "x25519", "x25519", { TR_DH, 31, 0 } },
		{ "ecp256", "ecp256", { TR_DH, 19, 0 } },
		{ "modp2048", "modp2048", { TR_DH, 14, 0 } },
		{ "esn", "esn", { TR_ESN, 1, 0 } },
		{ "noesn", "noesn", { TR_ESN, 0, 0 } },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		char buf[TRANSFORM_TEXT];
		struct transform t;

		ck_assert_msg(transform_parse(want[i].token, &t), "%s", want[i].token);
		ck_assert_uint_eq(t.type, want[i].t.type);
		ck_assert_uint_eq(t.id, want[i].t.id);
		ck_assert_uint_eq(t.key_bits, want[i].t.key_bits);
		ck_assert_str_eq(transform_text(&t, buf), want[i].text);
	}
}
END_TEST

START_TEST(unknown)
{
	static const struct {
		struct transform t;
		const char *text;
	} want[] = {
		{ { TR_ENCR, 99, 0 }, "encr-99" },
		{ { TR_ENCR, 99, 128 }, "encr-99/128" },
		{ { TR_ENCR, 20, 512 }, "aes-gcm-16/512" },
		{ { TR_ENCR, 28, 256 }, "chacha20-poly1305/256" },
		{ { TR_PRF, 3, 0 }, "prf-3" },
		{ { TR_INTEG, 0, 0 }, "integ-0" },
		{ { TR_DH, 99, 0 }, "dh-99" },
		{ { TR_ENCR, 3, 0 }, "3des" }, /* known by name, though not ours */
		{ { TR_ENCR, 23, 256 }, "camellia256" },
		{ { TR_DH, 22, 0 }, "modp1024s160" },
		{ { TR_DH, 36, 0 }, "mlkem768" },
		{ { TR_ESN, 2, 0 }, "esn-2" },
		{ { 6, 36, 0 }, "type6-36" },
		{ { 0, 1, 0 }, "type0-1" },
		{ { 255, 65535, 65535 }, "type255-65535" },
		{ { TR_ENCR, 65535, 65535 }, "encr-65535/65535" },
	};
	static const char *const bad[] = { "",	   "aes512",  "AES256", "aes256 ",     "md5",
					   "modp", "x25519x", "3des",	"modp1024s160" };
	struct transform t = { 77, 77, 77 };
	char buf[TRANSFORM_TEXT];
	size_t i;

	for (i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_str_eq(transform_text(&want[i].t, buf), want[i].text);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!transform_parse(bad[i], &t), "%s", bad[i]);
	ck_assert_uint_eq(t.type, 77);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("alg");

	tcase_add_test(t, encr_sizes);
	tcase_add_test(t, encr_key_sizes);
	tcase_add_test(t, other_sizes);
	tcase_add_test(t, tokens_round_trip);
	tcase_add_test(t, spelling);
	tcase_add_test(t, unknown);
	return check_main("alg", t);
}
