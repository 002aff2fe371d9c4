#include "core/crypto/crypto.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <openssl/evp.h>
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

#define P99 \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525" \
	"b16aedf5aa0de657ba637b39"
#define A99 "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define ICMP \
	"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f1011121314151617" \
	"18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204"
#define RFC7634_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3"

static const struct vector {
	const char *name;
	uint16_t id, bits;
	const char *key, *iv, *aad, *plain, *cipher, *icv;
} vectors[] = {
	/* McGrew, Viega: the GCM specification, cases 4, 10, 16; their nonce is salt | IV as in RFC 4106 4 */
	{ "GCM 4", ENCR_AES_GCM_16, 128, "feffe9928665731c6d6a8f9467308308 cafebabe", "facedbaddecaf888", A99, P99,
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
	  "1ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "GCM 4, 12", ENCR_AES_GCM_12, 128, "feffe9928665731c6d6a8f9467308308 cafebabe", "facedbaddecaf888", A99, P99,
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
	  "1ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95a" },
	{ "GCM 4, 8", ENCR_AES_GCM_8, 128, "feffe9928665731c6d6a8f9467308308 cafebabe", "facedbaddecaf888", A99, P99,
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
	  "1ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db" },
	{ "GCM 10", ENCR_AES_GCM_16, 192, "feffe9928665731c6d6a8f9467308308feffe9928665731c cafebabe",
	  "facedbaddecaf888", A99, P99,
	  "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f47"
	  "18e2448b2fe324d9ccda2710",
	  "2519498e80f1478f37ba55bd6d27618c" },
	{ "GCM 16", ENCR_AES_GCM_16, 256, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308 cafebabe",
	  "facedbaddecaf888", A99, P99,
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
	  "c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
	/* GCM 1: no text, no additional data */
	{ "GCM 1", ENCR_AES_GCM_16, 128, "00000000000000000000000000000000 00000000", "0000000000000000", "", "", "",
	  "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "RFC 8439 2.8.2", ENCR_CHACHA20_POLY1305, 0,
	  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f 07000000", "4041424344454647",
	  "50515253c0c1c2c3c4c5c6c7",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64"
	  "206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f"
	  "756c642062652069742e",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a"
	  "9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9d"
	  "e576d26586cec64b6116",
	  "1ae10b594f09e26a7e902ecbd0600691" },
	{ "RFC 7634 A", ENCR_CHACHA20_POLY1305, 0, RFC7634_KEY, "1011121314151617", "0102030400000005", ICMP,
	  "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f7"
	  "2aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0",
	  "76aaa8266b7fb0f7b11b369907e1ad43" },
	{ "RFC 7634 B", ENCR_CHACHA20_POLY1305, 0, RFC7634_KEY, "1011121314151617",
	  "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029", "0000000c000040010000000a00",
	  "610394701f8d017f7c12924889", "6b71bfe25236efd7cdc67066906315b2" },
};

static const struct bytes none = { NULL, 0 };

START_TEST(published)
{
	const struct vector *v = &vectors[_i];
	struct cipher_suite s = { encr_find(v->id), v->bits, NULL };
	struct hex key = hex(v->key), iv = hex(v->iv), aad = hex(v->aad), text = hex(v->plain);
	struct cipher *seal, *open;
	uint8_t icv[16];

	ck_assert_uint_eq(suite_encr_key_len(&s), key.n);
	ck_assert_uint_eq(suite_iv_len(&s), iv.n);
	ck_assert_uint_eq(suite_icv_len(&s), strlen(v->icv) / 2);
	ck_assert_uint_eq(suite_integ_key_len(&s), 0);
	ck_assert_uint_eq(suite_block(&s), 1);

	ck_assert_int_eq(
		crypto_seal(c, &s, hex_bytes(&key), none, hex_bytes(&iv), hex_bytes(&aad), text.p, text.n, icv), GW_OK);
	assert_bytes(hex_bytes(&text), v->cipher);
	assert_bytes(bytes_of(icv, suite_icv_len(&s)), v->icv);
	ck_assert_int_eq(
		crypto_open(c, &s, hex_bytes(&key), none, hex_bytes(&iv), hex_bytes(&aad), text.p, text.n, icv), GW_OK);
	assert_bytes(hex_bytes(&text), v->plain);

	ck_assert_int_eq(cipher_create(c, &s, CIPHER_SEAL, hex_bytes(&key), none, &seal), GW_OK);
	ck_assert_int_eq(cipher_create(c, &s, CIPHER_OPEN, hex_bytes(&key), none, &open), GW_OK);
	ck_assert_int_eq(cipher_seal(seal, hex_bytes(&iv), hex_bytes(&aad), none, text.p, text.n, icv), GW_OK);
	assert_bytes(hex_bytes(&text), v->cipher);
	assert_bytes(bytes_of(icv, suite_icv_len(&s)), v->icv);
	ck_assert_int_eq(cipher_open(open, hex_bytes(&iv), hex_bytes(&aad), none, text.p, text.n, icv), GW_OK);
	assert_bytes(hex_bytes(&text), v->plain);
	cipher_destroy(seal);
	cipher_destroy(open);
}
END_TEST

static const struct {
	uint16_t id, bits;
	const char *text;
} suites[] = {
	{ ENCR_AES_GCM_16, 128, "aes128gcm16" }, { ENCR_AES_GCM_16, 192, "aes192gcm16" },
	{ ENCR_AES_GCM_16, 256, "aes256gcm16" }, { ENCR_AES_GCM_12, 128, "aes128gcm12" },
	{ ENCR_AES_GCM_8, 256, "aes256gcm8" },	 { ENCR_CHACHA20_POLY1305, 0, "chacha20poly1305" },
	{ ENCR_AES_CCM_16, 128, "aes128ccm16" }, { ENCR_AES_CCM_16, 192, "aes192ccm16" },
	{ ENCR_AES_CCM_16, 256, "aes256ccm16" },
};

struct side {
	struct cipher_suite s;
	uint8_t key_bytes[40];
	struct bytes key;
	struct cipher *seal, *open;
};

static void side_init(struct side *x, int i, uint8_t seed)
{
	size_t n;

	x->s = (struct cipher_suite){ encr_find(suites[i].id), suites[i].bits, NULL };
	for (n = 0; n < sizeof(x->key_bytes); n++)
		x->key_bytes[n] = (uint8_t)(n * 5 + seed);
	x->key = bytes_of(x->key_bytes, suite_encr_key_len(&x->s));
	ck_assert_int_eq(cipher_create(c, &x->s, CIPHER_SEAL, x->key, none, &x->seal), GW_OK);
	ck_assert_int_eq(cipher_create(c, &x->s, CIPHER_OPEN, x->key, none, &x->open), GW_OK);
}

static void side_clear(struct side *x)
{
	cipher_destroy(x->seal);
	cipher_destroy(x->open);
}

/* Every length over some blocks, with and without additional data, between kept and scratch contexts. */
START_TEST(round_trip)
{
	struct side x;
	uint8_t plain[300], aad[40];
	char name[SUITE_TEXT];
	size_t n;

	side_init(&x, _i, 1);
	ck_assert_str_eq(suite_text(&x.s, name), suites[_i].text);
	memset(plain, 0x5a, sizeof(plain));
	memset(aad, 0xc3, sizeof(aad));
	for (n = 0; n <= 260; n++) {
		uint8_t iv_bytes[8], a[300], b[300], icv_a[16], icv_b[16];
		struct bytes iv = bytes_of(iv_bytes, 8), extra = bytes_of(aad, n % 41);

		put_u64(iv_bytes, n);
		memcpy(a, plain, sizeof(a));
		memcpy(b, plain, sizeof(b));
		ck_assert_int_eq(cipher_seal(x.seal, iv, extra, none, a, n, icv_a), GW_OK);
		ck_assert_int_eq(crypto_seal(c, &x.s, x.key, none, iv, extra, b, n, icv_b), GW_OK);
		ck_assert_mem_eq(a, b, sizeof(a));
		ck_assert_mem_eq(icv_a, icv_b, suite_icv_len(&x.s));
		ck_assert_mem_eq(a + n, plain + n, sizeof(a) - n);
		ck_assert(n < 16 || memcmp(a, plain, n) != 0);
		ck_assert_int_eq(crypto_open(c, &x.s, x.key, none, iv, extra, a, n, icv_a), GW_OK);
		ck_assert_int_eq(cipher_open(x.open, iv, extra, none, b, n, icv_b), GW_OK);
		ck_assert_mem_eq(a, plain, sizeof(a));
		ck_assert_mem_eq(b, plain, sizeof(b));
	}
	side_clear(&x);
}
END_TEST

/* Each bit position counts, in each byte of everything; afterwards the context still works. */
START_TEST(tampering_is_refused)
{
	struct side x;
	uint8_t whole[8 + 13 + 45 + 16]; /* iv, aad, text, icv */
	uint8_t *aad = whole + 8, *text = aad + 13, *icv = text + 45;
	size_t n, at;

	side_init(&x, _i, 2);
	n = 8 + 13 + 45 + suite_icv_len(&x.s);
	memset(whole, 0x77, sizeof(whole));
	ck_assert_int_eq(cipher_seal(x.seal, bytes_of(whole, 8), bytes_of(aad, 13), none, text, 45, icv), GW_OK);
	for (at = 0; at < n; at++) {
		uint8_t bad[sizeof(whole)], good[sizeof(whole)];

		memcpy(bad, whole, sizeof(bad));
		memcpy(good, whole, sizeof(good));
		bad[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_int_eq(
			cipher_open(x.open, bytes_of(bad, 8), bytes_of(bad + 8, 13), none, bad + 21, 45, bad + 66),
			GW_EAUTH);
		memcpy(bad, whole, sizeof(bad));
		bad[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_int_eq(crypto_open(c, &x.s, x.key, none, bytes_of(bad, 8), bytes_of(bad + 8, 13), bad + 21,
					     45, bad + 66),
				 GW_EAUTH);
		ck_assert_int_eq(
			cipher_open(x.open, bytes_of(good, 8), bytes_of(good + 8, 13), none, good + 21, 45, good + 66),
			GW_OK);
		ck_assert_uint_eq(good[21], 0x77);
	}
	/* moved borders */
	ck_assert_int_eq(cipher_open(x.open, bytes_of(whole, 8), bytes_of(aad, 12), none, text, 45, icv), GW_EAUTH);
	side_clear(&x);
}
END_TEST

/* Another key, another salt: not ours. */
START_TEST(key_and_salt_count)
{
	struct side x;
	uint8_t iv[8] = { 1 }, text[20] = { 0 }, icv[16];
	size_t at;

	side_init(&x, _i, 3);
	ck_assert_int_eq(cipher_seal(x.seal, bytes_of(iv, 8), none, none, text, 20, icv), GW_OK);
	for (at = 0; at < x.key.n; at++) {
		uint8_t key[40], copy[20];

		memcpy(key, x.key_bytes, sizeof(key));
		memcpy(copy, text, sizeof(copy));
		key[at] ^= 0x40;
		ck_assert_int_eq(
			crypto_open(c, &x.s, bytes_of(key, x.key.n), none, bytes_of(iv, 8), none, copy, 20, icv),
			GW_EAUTH);
	}
	side_clear(&x);
}
END_TEST

START_TEST(wrong_lengths)
{
	struct side x;
	uint8_t key[80] = { 0 }, iv[32] = { 0 }, text[32] = { 0 }, icv[32];
	struct bytes some = bytes_of(iv, 4);
	struct cipher *k = NULL;
	size_t n;

	side_init(&x, _i, 4);
	for (n = 0; n < sizeof(key); n++) {
		if (n == x.key.n)
			continue;
		ck_assert_int_eq(cipher_create(c, &x.s, CIPHER_SEAL, bytes_of(key, n), none, &k), GW_EINVAL);
		ck_assert_int_eq(crypto_seal(c, &x.s, bytes_of(key, n), none, bytes_of(iv, 8), none, text, 32, icv),
				 GW_EINVAL);
		ck_assert_ptr_null(k);
	}
	for (n = 0; n <= 17; n++) {
		if (n == 8)
			continue;
		ck_assert_int_eq(cipher_seal(x.seal, bytes_of(iv, n), none, none, text, 32, icv), GW_EINVAL);
		ck_assert_int_eq(cipher_open(x.open, bytes_of(iv, n), none, none, text, 32, icv), GW_EINVAL);
		ck_assert_int_eq(crypto_seal(c, &x.s, x.key, none, bytes_of(iv, n), none, text, 32, icv), GW_EINVAL);
		ck_assert_int_eq(crypto_open(c, &x.s, x.key, none, bytes_of(iv, n), none, text, 32, icv), GW_EINVAL);
	}
	/* an AEAD has no second key and no tail */
	ck_assert_int_eq(cipher_create(c, &x.s, CIPHER_SEAL, x.key, bytes_of(key, 32), &k), GW_EINVAL);
	ck_assert_int_eq(cipher_seal(x.seal, bytes_of(iv, 8), none, some, text, 32, icv), GW_EINVAL);
	ck_assert_int_eq(cipher_open(x.open, bytes_of(iv, 8), none, some, text, 32, icv), GW_EINVAL);
	/* and what seals does not open */
	ck_assert_int_eq(cipher_seal(x.open, bytes_of(iv, 8), none, none, text, 32, icv), GW_EINVAL);
	ck_assert_int_eq(cipher_open(x.seal, bytes_of(iv, 8), none, none, text, 32, icv), GW_EINVAL);
	ck_assert_mem_eq(text, key, 32);
	side_clear(&x);
}
END_TEST

START_TEST(wrong_suites)
{
	uint8_t key[80] = { 0 };
	const struct cipher_suite bad[] = {
		{ NULL, 128, NULL },
		{ encr_find(ENCR_AES_GCM_16), 0, NULL },
		{ encr_find(ENCR_AES_GCM_16), 129, NULL },
		{ encr_find(ENCR_AES_GCM_16), 512, NULL },
		{ encr_find(ENCR_AES_GCM_16), 128, integ_find(INTEG_HMAC_SHA2_256_128) },
		{ encr_find(ENCR_AES_CBC), 128, NULL },
		{ encr_find(ENCR_AES_CTR), 128, NULL },
	};
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		for (n = 0; n < sizeof(key); n++) {
			struct cipher *k = NULL;

			ck_assert_int_eq(cipher_create(c, &bad[i], CIPHER_OPEN, bytes_of(key, n), none, &k), GW_EINVAL);
			ck_assert_ptr_null(k);
		}
	}
	cipher_destroy(NULL);
}
END_TEST

/* Suites, directions and failures interleaved on the scratch contexts give what fresh contexts give. */
START_TEST(scratch_keeps_nothing)
{
	struct side x[ARRAY_LEN(suites)];
	size_t i, round;

	for (i = 0; i < ARRAY_LEN(suites); i++)
		side_init(&x[i], (int)i, (uint8_t)(10 + i));
	for (round = 0; round < 8; round++) {
		for (i = 0; i < ARRAY_LEN(suites); i++) {
			uint8_t iv[8] = { (uint8_t)round }, a[64] = { 0 }, b[64] = { 0 }, icv_a[16], icv_b[16],
				junk[64] = { 0 };

			ck_assert_int_eq(cipher_seal(x[i].seal, bytes_of(iv, 8), none, none, a, 64, icv_a), GW_OK);
			ck_assert_int_eq(
				crypto_open(c, &x[i].s, x[i].key, none, bytes_of(iv, 8), none, junk, 64, icv_a),
				GW_EAUTH);
			ck_assert_int_eq(crypto_seal(c, &x[i].s, x[i].key, none, bytes_of(iv, 8), none, b, 64, icv_b),
					 GW_OK);
			ck_assert_mem_eq(a, b, 64);
			ck_assert_mem_eq(icv_a, icv_b, suite_icv_len(&x[i].s));
			ck_assert_int_eq(crypto_open(c, &x[i].s, x[i].key, none, bytes_of(iv, 8), none, b, 64, icv_b),
					 GW_OK);
		}
	}
	for (i = 0; i < ARRAY_LEN(suites); i++)
		side_clear(&x[i]);
}
END_TEST

/* ---- CCM a second time, from RFC 3610 2 and single AES blocks ---- */

static void aes_block(const uint8_t *key, size_t key_len, const uint8_t in[16], uint8_t out[16])
{
	const EVP_CIPHER *ecb = key_len == 16	? EVP_aes_128_ecb()
				: key_len == 24 ? EVP_aes_192_ecb()
						: EVP_aes_256_ecb();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	ck_assert_int_eq(EVP_EncryptInit_ex(ctx, ecb, NULL, key, NULL), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, in, 16), 1);
	ck_assert_int_eq(n, 16);
	EVP_CIPHER_CTX_free(ctx);
}

struct cbc_mac {
	const uint8_t *key;
	size_t key_len;
	uint8_t x[16];
	size_t fill;
};

static void cbc_mac_add(struct cbc_mac *m, const uint8_t *p, size_t n)
{
	for (; n > 0; n--, p++) {
		m->x[m->fill++] ^= *p;
		if (m->fill == 16) {
			aes_block(m->key, m->key_len, m->x, m->x);
			m->fill = 0;
		}
	}
}

static void cbc_mac_pad(struct cbc_mac *m)
{
	if (m->fill > 0)
		aes_block(m->key, m->key_len, m->x, m->x);
	m->fill = 0;
}

/* M = 16, L = 4. nonce has 11 octets. */
static void other_ccm(const uint8_t *key, size_t key_len, const uint8_t *nonce, struct bytes aad, uint8_t *text,
		      size_t n, uint8_t tag[16])
{
	struct cbc_mac m = { key, key_len, { 0 }, 0 };
	uint8_t b[16], s[16], l[2];
	size_t i;

	b[0] = (uint8_t)((aad.n > 0 ? 64 : 0) + 8 * ((16 - 2) / 2) + (4 - 1));
	memcpy(b + 1, nonce, 11);
	put_u32(b + 12, (uint32_t)n);
	cbc_mac_add(&m, b, 16);
	if (aad.n > 0) {
		put_u16(l, (uint16_t)aad.n);
		cbc_mac_add(&m, l, 2);
		cbc_mac_add(&m, aad.p, aad.n);
		cbc_mac_pad(&m);
	}
	cbc_mac_add(&m, text, n);
	cbc_mac_pad(&m);
	b[0] = 4 - 1;
	for (i = 0; i < n; i++) {
		put_u32(b + 12, (uint32_t)(i / 16 + 1));
		aes_block(key, key_len, b, s);
		text[i] ^= s[i % 16];
	}
	put_u32(b + 12, 0);
	aes_block(key, key_len, b, s);
	for (i = 0; i < 16; i++)
		tag[i] = m.x[i] ^ s[i];
}

START_TEST(ccm_against_composition)
{
	static const uint16_t bits[] = { 128, 192, 256 };
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 31, 32, 33, 100 };
	static const size_t aads[] = { 0, 8, 12, 13, 14, 15, 32, 40 };
	size_t i, j, l;

	for (i = 0; i < ARRAY_LEN(bits) * ARRAY_LEN(aads); i++) {
		struct cipher_suite s = { encr_find(ENCR_AES_CCM_16), bits[i % 3], NULL };
		struct bytes aad;
		uint8_t key[35], aad_bytes[40];

		for (j = 0; j < sizeof(key); j++)
			key[j] = (uint8_t)(j * 11 + i);
		memset(aad_bytes, 0x31, sizeof(aad_bytes));
		aad = bytes_of(aad_bytes, aads[i / 3]);
		for (l = 0; l < ARRAY_LEN(lengths); l++) {
			uint8_t nonce[11], a[100], b[100], icv[16], want[16];
			size_t key_len = bits[i % 3] / 8u;

			/* RFC 4309 4: salt (3), IV (8) */
			memcpy(nonce, key + key_len, 3);
			memset(nonce + 3, 0x42, 8);
			memset(a, 0x99, sizeof(a));
			memset(b, 0x99, sizeof(b));
			other_ccm(key, key_len, nonce, aad, b, lengths[l], want);
			ck_assert_int_eq(crypto_seal(c, &s, bytes_of(key, key_len + 3), none, bytes_of(nonce + 3, 8),
						     aad, a, lengths[l], icv),
					 GW_OK);
			ck_assert_mem_eq(a, b, sizeof(a));
			ck_assert_mem_eq(icv, want, 16);
		}
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("aead");

	tcase_add_unchecked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, published, 0, ARRAY_LEN(vectors));
	tcase_add_loop_test(t, round_trip, 0, ARRAY_LEN(suites));
	tcase_add_loop_test(t, tampering_is_refused, 0, ARRAY_LEN(suites));
	tcase_add_loop_test(t, key_and_salt_count, 0, ARRAY_LEN(suites));
	tcase_add_loop_test(t, wrong_lengths, 0, ARRAY_LEN(suites));
	tcase_add_test(t, wrong_suites);
	tcase_add_test(t, scratch_keeps_nothing);
	tcase_add_test(t, ccm_against_composition);
	return check_main("aead", t);
}
