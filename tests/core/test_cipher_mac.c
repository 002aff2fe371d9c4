#include "core/crypto/crypto.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <stdio.h>
#include <stdlib.h>

static struct crypto *c;

static void setup(void)
{
	struct err e = { 0 };

	c = crypto_create(&e);
	ck_assert_msg(c != NULL, "%s", e.text);
}

static void teardown(void)
{
	crypto_destroy(c);
}

static const struct bytes none = { NULL, 0 };

static const struct {
	uint16_t integ, prf;
	const char *name;
} macs[] = {
	{ INTEG_HMAC_SHA1_96, PRF_HMAC_SHA1, "sha1" },
	{ INTEG_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256, "sha256" },
	{ INTEG_HMAC_SHA2_384_192, PRF_HMAC_SHA2_384, "sha384" },
	{ INTEG_HMAC_SHA2_512_256, PRF_HMAC_SHA2_512, "sha512" },
};

static const uint8_t mac_key[64] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };

/* aad | iv | ciphertext | tail, through the prf, which has vectors of its own. */
static void assert_icv(size_t mac, const struct bytes parts[4], const uint8_t *icv)
{
	const struct integ_alg *a = integ_find(macs[mac].integ);
	uint8_t full[64];

	ck_assert_int_eq(crypto_prf(c, prf_find(macs[mac].prf), bytes_of(mac_key, a->key_len), parts, 4, full), GW_OK);
	ck_assert_mem_eq(icv, full, a->icv_len);
}

/* One vector of a cipher, under each MAC, with kept and with scratch contexts. */
static void check_cipher(uint16_t id, uint16_t bits, struct bytes key, struct bytes iv, const char *plain,
			 const char *cipher)
{
	struct hex text = hex(plain);
	struct bytes aad = bytes_of("\1\2\3\4\0\0\0\5", 8), tail = bytes_of("\0\0\0\7", 4);
	size_t i;

	for (i = 0; i < ARRAY_LEN(macs); i++) {
		struct cipher_suite s = { encr_find(id), bits, integ_find(macs[i].integ) };
		struct bytes mk = bytes_of(mac_key, suite_integ_key_len(&s));
		struct cipher *seal, *open;
		uint8_t icv[32];

		ck_assert_int_eq(crypto_seal(c, &s, key, mk, iv, aad, text.p, text.n, icv), GW_OK);
		assert_bytes(hex_bytes(&text), cipher);
		assert_icv(i, (struct bytes[]){ aad, iv, hex_bytes(&text), none }, icv);
		ck_assert_int_eq(crypto_open(c, &s, key, mk, iv, aad, text.p, text.n, icv), GW_OK);
		assert_bytes(hex_bytes(&text), plain);

		ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, key, mk, &seal), GW_OK);
		ck_assert_int_eq(cipher_create(c, &s, CIPHER_OPEN, key, mk, &open), GW_OK);
		ck_assert_int_eq(cipher_seal(seal, iv, aad, tail, text.p, text.n, icv), GW_OK);
		assert_bytes(hex_bytes(&text), cipher);
		assert_icv(i, (struct bytes[]){ aad, iv, hex_bytes(&text), tail }, icv);
		ck_assert_int_eq(cipher_open(open, iv, aad, none, text.p, text.n, icv), GW_EAUTH);
		ck_assert_int_eq(cipher_open(open, iv, aad, tail, text.p, text.n, icv), GW_OK);
		assert_bytes(hex_bytes(&text), plain);
		cipher_destroy(seal);
		cipher_destroy(open);
	}
}

/* RFC 3602 4 */
static const struct {
	const char *key, *iv, *plain, *cipher;
} cbc[] = {
	{ "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", "53696e676c6520626c6f636b206d7367",
	  "e353779c1079aeb82708942dbe77181a" },
	{ "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1" },
	{ "6c3ea0477630ce21a2ce334aa746c2cd", "c782dc4c098c66cbd9cd27d825682c81",
	  "5468697320697320612034382d62797465206d65737361676520286578616374"
	  "6c7920332041455320626c6f636b7329",
	  "d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5"
	  "021c19216bad525c8579695d83ba2684" },
	{ "56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9",
	  "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
	  "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
	  "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e"
	  "35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55" },
	{ "90d382b410eeba7ad938c46cec1a82bf", "e96e8c08ab465763fd098d45dd3ff893",
	  "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
	  "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
	  "0102030405060708090a0b0c0d0e0e01",
	  "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
	  "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
	  "a269add047ad2d5913ac19b7cfbad4a6" },
	{ "90d382b410eeba7ad938c46cec1a82bf", "69d08df7d203329db093fc4924e5bd80",
	  "0800b5e8a80a0500a69c083d0b660e0077777777777777777777777701020201",
	  "f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75" },
	{ "0123456789abcdef0123456789abcdef", "f4e765244f6407adf13dc1380f673f37",
	  "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d"
	  "02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
	  "2425262728292a2b2c2d2e2f30313233343536370102030405060708090a0a04",
	  "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8"
	  "e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5"
	  "c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d" },
	{ "0123456789abcdef0123456789abcdef", "85d47224b5f3dd5d2101d4ea8dffab22",
	  "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083d"
	  "a3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	  "ffffffff0102030405060708090a0a04",
	  "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5"
	  "0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3"
	  "d2726d9b5ef6affc6d17a0decbb13892" },
};

START_TEST(cbc_published)
{
	struct hex key = hex(cbc[_i].key), iv = hex(cbc[_i].iv);

	check_cipher(ENCR_AES_CBC, 128, hex_bytes(&key), hex_bytes(&iv), cbc[_i].plain, cbc[_i].cipher);
}
END_TEST

/* NIST SP 800-38A F.2.5, first two blocks. */
START_TEST(cbc_256)
{
	struct hex key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
	struct hex iv = hex("000102030405060708090a0b0c0d0e0f");

	check_cipher(ENCR_AES_CBC, 256, hex_bytes(&key), hex_bytes(&iv),
		     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
}
END_TEST

/* RFC 3686 6 */
static const struct {
	uint16_t bits;
	const char *key, *nonce, *iv, *plain, *cipher;
} ctr[] = {
	{ 128, "ae6852f8121067cc4bf7a5765577f39e", "00000030", "0000000000000000", "53696e676c6520626c6f636b206d7367",
	  "e4095d4fb7a7b3792d6175a3261311b8" },
	{ 128, "7e24067817fae0d743d6ce1f32539163", "006cb6db", "c0543b59da48d90b",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28" },
	{ 128, "7691be035e5020a8ac6e618529f9a0dc", "00e0017b", "27777f3f4a1786f0",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "20212223",
	  "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef31053"
	  "25b2072f" },
	{ 192, "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515", "00000048", "36733c147d6d93cb",
	  "53696e676c6520626c6f636b206d7367", "4b55384fe259c9c84e7935a003cbe928" },
	{ 192, "7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a", "0096b03b", "020c6eadc2cb500d",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00" },
	{ 192, "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe", "0007bdfd", "5cbd60278dcc0912",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "20212223",
	  "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188"
	  "abee0935" },
	{ 256, "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104", "00000060", "db5672c97aa8f0b2",
	  "53696e676c6520626c6f636b206d7367", "145ad01dbf824ec7560863dc71e3e0c0" },
	{ 256, "f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a23884", "00faac24", "c1585ef15a43d875",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c" },
	{ 256, "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d", "001cc5b7", "51a51d70a1c11148",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "20212223",
	  "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f"
	  "1ec0e6b8" },
};

START_TEST(ctr_published)
{
	struct hex key = hex(ctr[_i].key), nonce = hex(ctr[_i].nonce), iv = hex(ctr[_i].iv);

	/* RFC 3686 5.1: the nonce comes after the key. */
	memcpy(key.p + key.n, nonce.p, nonce.n);
	key.n += nonce.n;
	check_cipher(ENCR_AES_CTR, ctr[_i].bits, hex_bytes(&key), hex_bytes(&iv), ctr[_i].plain, ctr[_i].cipher);
}
END_TEST

/*
 * RFC 4868 2.7.2 (cases 1) and RFC 2202 3 (case 1, truncated as RFC 2404 says) through a suite: without text the MAC is
 * over the IV, and "Hi There" has the length of one.
 */
START_TEST(icv_published)
{
	static const struct {
		uint16_t integ;
		const char *icv;
	} want[] = {
		{ INTEG_HMAC_SHA1_96, "b617318655057264e28bc0b6" },
		{ INTEG_HMAC_SHA2_256_128, "198a607eb44bfbc69903a0f1cf2bbdc5" },
		{ INTEG_HMAC_SHA2_384_192, "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973" },
		{ INTEG_HMAC_SHA2_512_256, "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8" },
	};
	uint8_t key[20] = { 0 }, mk[64], icv[32];
	size_t i;

	memset(mk, 0x0b, sizeof(mk));
	for (i = 0; i < ARRAY_LEN(want); i++) {
		struct cipher_suite s = { encr_find(ENCR_AES_CTR), 128, integ_find(want[i].integ) };

		ck_assert_int_eq(crypto_seal(c, &s, bytes_of(key, 20), bytes_of(mk, suite_integ_key_len(&s)),
					     bytes_str("Hi There"), none, NULL, 0, icv),
				 GW_OK);
		assert_bytes(bytes_of(icv, suite_icv_len(&s)), want[i].icv);
	}
}
END_TEST

static struct cipher_suite suite_of(int i)
{
	static const uint16_t bits[] = { 128, 192, 256 };

	return (struct cipher_suite){ encr_find(i % 2 ? ENCR_AES_CBC : ENCR_AES_CTR), bits[i / 2 % 3],
				      integ_find(macs[i / 6].integ) };
}

enum { SUITES = 2 * 3 * 4 };

START_TEST(sizes)
{
	struct cipher_suite s = suite_of(_i);
	char got[SUITE_TEXT], want[SUITE_TEXT];

	ck_assert_uint_eq(suite_encr_key_len(&s), s.key_bits / 8u + (s.encr->id == ENCR_AES_CTR ? 4 : 0));
	ck_assert_uint_eq(suite_integ_key_len(&s), s.integ->key_len);
	ck_assert_uint_eq(suite_icv_len(&s), s.integ->icv_len);
	ck_assert_uint_eq(suite_iv_len(&s), s.encr->id == ENCR_AES_CTR ? 8 : 16);
	ck_assert_uint_eq(suite_block(&s), s.encr->id == ENCR_AES_CTR ? 1 : 16);
	snprintf(want, sizeof(want), "aes%u%s-%s", s.key_bits, s.encr->id == ENCR_AES_CTR ? "ctr" : "",
		 macs[_i / 6].name);
	ck_assert_str_eq(suite_text(&s, got), want);
}
END_TEST

/* Every legal length; every illegal one is refused; nothing beyond the text is touched. */
START_TEST(round_trip)
{
	struct cipher_suite s = suite_of(_i);
	uint8_t key[36], iv_bytes[16], plain[200];
	struct bytes ek = bytes_of(key, suite_encr_key_len(&s)), mk = bytes_of(mac_key, s.integ->key_len);
	struct bytes iv = bytes_of(iv_bytes, suite_iv_len(&s)), aad = bytes_str("additional");
	struct cipher *seal, *open;
	size_t n;

	memset(key, 0x21, sizeof(key));
	memset(plain, 0x5a, sizeof(plain));
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, ek, mk, &seal), GW_OK);
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_OPEN, ek, mk, &open), GW_OK);
	for (n = 0; n <= 180; n++) {
		uint8_t a[200], b[200], icv_a[32], icv_b[32];

		memset(iv_bytes, (int)n, sizeof(iv_bytes));
		memcpy(a, plain, sizeof(a));
		memcpy(b, plain, sizeof(b));
		if (n % suite_block(&s) != 0) {
			ck_assert_int_eq(cipher_seal(seal, iv, aad, none, a, n, icv_a), GW_EINVAL);
			ck_assert_int_eq(cipher_open(open, iv, aad, none, a, n, icv_a), GW_EINVAL);
			ck_assert_int_eq(crypto_seal(c, &s, ek, mk, iv, aad, a, n, icv_a), GW_EINVAL);
			ck_assert_int_eq(crypto_open(c, &s, ek, mk, iv, aad, a, n, icv_a), GW_EINVAL);
			ck_assert_mem_eq(a, plain, sizeof(a));
			continue;
		}
		ck_assert_int_eq(cipher_seal(seal, iv, aad, none, a, n, icv_a), GW_OK);
		ck_assert_int_eq(crypto_seal(c, &s, ek, mk, iv, aad, b, n, icv_b), GW_OK);
		ck_assert_mem_eq(a, b, sizeof(a));
		ck_assert_mem_eq(icv_a, icv_b, s.integ->icv_len);
		ck_assert_mem_eq(a + n, plain + n, sizeof(a) - n);
		ck_assert_int_eq(crypto_open(c, &s, ek, mk, iv, aad, a, n, icv_a), GW_OK);
		ck_assert_int_eq(cipher_open(open, iv, aad, none, b, n, icv_b), GW_OK);
		ck_assert_mem_eq(a, plain, sizeof(a));
		ck_assert_mem_eq(b, plain, sizeof(b));
	}
	cipher_destroy(seal);
	cipher_destroy(open);
}
END_TEST

START_TEST(tampering_is_refused)
{
	struct cipher_suite s = suite_of(_i);
	uint8_t key[36] = { 9 };
	size_t iv_n = suite_iv_len(&s), icv_n = suite_icv_len(&s), at;
	struct bytes ek = bytes_of(key, suite_encr_key_len(&s)), mk = bytes_of(mac_key, s.integ->key_len);
	uint8_t whole[11 + 16 + 48 + 4 + 32]; /* aad, iv, text, tail, icv */
	size_t text = 11 + iv_n, tail = text + 48, icv = tail + 4, n = icv + icv_n;
	struct cipher *seal, *open;

	memset(whole, 0x66, sizeof(whole));
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, ek, mk, &seal), GW_OK);
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_OPEN, ek, mk, &open), GW_OK);
	ck_assert_int_eq(cipher_seal(seal, bytes_of(whole + 11, iv_n), bytes_of(whole, 11), bytes_of(whole + tail, 4),
				     whole + text, 48, whole + icv),
			 GW_OK);
	for (at = 0; at < n; at++) {
		uint8_t x[sizeof(whole)];

		memcpy(x, whole, sizeof(x));
		x[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_int_eq(cipher_open(open, bytes_of(x + 11, iv_n), bytes_of(x, 11), bytes_of(x + tail, 4),
					     x + text, 48, x + icv),
				 GW_EAUTH);
		/* Verified first: what does not verify is not decrypted. */
		x[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_mem_eq(x, whole, sizeof(x));
	}
	ck_assert_int_eq(cipher_open(open, bytes_of(whole + 11, iv_n), bytes_of(whole, 11), bytes_of(whole + tail, 4),
				     whole + text, 48, whole + icv),
			 GW_OK);
	ck_assert_uint_eq(whole[text], 0x66);
	cipher_destroy(seal);
	cipher_destroy(open);
}
END_TEST

START_TEST(wrong_lengths)
{
	struct cipher_suite s = suite_of(_i);
	uint8_t buf[100] = { 0 }, icv[32], text[16] = { 0 };
	size_t ek = suite_encr_key_len(&s), mk = suite_integ_key_len(&s), n;
	struct cipher *k = NULL;

	for (n = 0; n < sizeof(buf); n++) {
		if (n != ek) {
			ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, bytes_of(buf, n), bytes_of(buf, mk), &k),
					 GW_EINVAL);
			ck_assert_int_eq(crypto_open(c, &s, bytes_of(buf, n), bytes_of(buf, mk),
						     bytes_of(buf, suite_iv_len(&s)), none, text, 16, icv),
					 GW_EINVAL);
		}
		if (n != mk)
			ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, bytes_of(buf, ek), bytes_of(buf, n), &k),
					 GW_EINVAL);
		ck_assert_ptr_null(k);
	}
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, bytes_of(buf, ek), bytes_of(buf, mk), &k), GW_OK);
	for (n = 0; n <= 20; n++)
		if (n != suite_iv_len(&s))
			ck_assert_int_eq(cipher_seal(k, bytes_of(buf, n), none, none, text, 16, icv), GW_EINVAL);
	ck_assert_int_eq(cipher_open(k, bytes_of(buf, suite_iv_len(&s)), none, none, text, 16, icv), GW_EINVAL);
	cipher_destroy(k);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("cipher_mac");

	tcase_add_unchecked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, cbc_published, 0, ARRAY_LEN(cbc));
	tcase_add_test(t, cbc_256);
	tcase_add_loop_test(t, ctr_published, 0, ARRAY_LEN(ctr));
	tcase_add_test(t, icv_published);
	tcase_add_loop_test(t, sizes, 0, SUITES);
	tcase_add_loop_test(t, round_trip, 0, SUITES);
	tcase_add_loop_test(t, tampering_is_refused, 0, SUITES);
	tcase_add_loop_test(t, wrong_lengths, 0, SUITES);
	return check_main("cipher_mac", t);
}
