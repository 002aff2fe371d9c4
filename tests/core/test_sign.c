#include "core/crypto/sign.h"

#include "core/crypto/cert.h"
#include "tests/check_main.h"
#include "tests/pki/pki.h"

static struct crypto *crypto;
static struct keyring *ring;

static void setup(void)
{
	struct err e;

	crypto = crypto_create(&e);
	ring = keyring_create();
	ck_assert(crypto && ring);
}

static void teardown(void)
{
	keyring_destroy(ring);
	crypto_destroy(crypto);
}

static const struct {
	const char *key;
	enum key_kind kind;
	enum sign_family family;
	enum sign_hash hash;
} ways[] = {
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA1 },	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA2_256 },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA2_512 }, { "RSA:2048", KEY_RSA, SIGN_RSA_PSS, SIGN_SHA2_256 },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PSS, SIGN_SHA2_384 },	{ "RSA:2048", KEY_RSA, SIGN_RSA_PSS, SIGN_SHA2_512 },
	{ "P-256", KEY_P256, SIGN_ECDSA, SIGN_SHA2_256 },	{ "P-384", KEY_P384, SIGN_ECDSA, SIGN_SHA2_384 },
	{ "P-521", KEY_P521, SIGN_ECDSA, SIGN_SHA2_512 },	{ "P-256", KEY_P256, SIGN_ECDSA, SIGN_SHA2_512 },
	{ "ED25519", KEY_ED25519, SIGN_EDDSA, SIGN_IDENTITY },	{ "ED448", KEY_ED448, SIGN_EDDSA, SIGN_IDENTITY },
};

/* Signed by us, verified by us, and by nobody else's key, over nothing else. */
START_TEST(there_and_back)
{
	struct bytes parts[] = { bytes_str("what is "), bytes_str(""), bytes_str("signed") };
	struct bytes other[] = { bytes_str("what is Signed") };
	struct pki *p = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=a", .key = ways[_i].key });
	struct pki *q = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=b", .key = ways[_i].key });
	const struct sign_scheme *s = sign_scheme_of(ways[_i].family, ways[_i].hash, ways[_i].kind), *read;
	uint8_t sig[SIGNATURE_MAX];
	struct sign_key *key = NULL;
	struct verify_key *v;
	struct cert cert, wrong;
	struct err e = { 0 };
	size_t n, salt;

	ck_assert_ptr_nonnull(s);
	read = sign_scheme_parse(s->id, &salt);
	ck_assert_ptr_eq(read, s);
	ck_assert(s->family != SIGN_RSA_PSS || salt == sign_hash_len(s->hash));
	ck_assert_int_eq(sign_key_decode(ring, bytes_str(pki_key_pem(p)), &key, &e), GW_OK);
	ck_assert_int_eq(sign_key_kind(key), ways[_i].kind);
	ck_assert_int_eq(cert_read(pki_der(p), &cert, &e), GW_OK);
	ck_assert_int_eq(cert_read(pki_der(q), &wrong, &e), GW_OK);
	ck_assert(sign_key_fits(key, cert.spki));
	ck_assert(!sign_key_fits(key, wrong.spki));
	ck_assert_int_eq(sign_make(crypto, key, s, parts, 3, sig, &n), GW_OK);
	ck_assert_int_eq(verify_key_scratch(crypto, cert.spki, &v), GW_OK);
	ck_assert_int_eq(verify_key_kind(v), ways[_i].kind);
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, parts, 3, bytes_of(sig, n)), GW_OK);
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, other, 1, bytes_of(sig, n)), GW_EAUTH);
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, parts, 3, bytes_of(sig, n - 1)), GW_EAUTH);
	sig[n / 2] ^= 1;
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, parts, 3, bytes_of(sig, n)), GW_EAUTH);
	sig[n / 2] ^= 1;
	/* The scratch key takes another point, and then the first one again. */
	ck_assert_int_eq(verify_key_scratch(crypto, wrong.spki, &v), GW_OK);
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, parts, 3, bytes_of(sig, n)), GW_EAUTH);
	ck_assert_int_eq(verify_key_scratch(crypto, cert.spki, &v), GW_OK);
	ck_assert_int_eq(verify_signature(crypto, v, s, salt, parts, 3, bytes_of(sig, n)), GW_OK);
	sign_key_destroy(key);
	pki_free(p);
	pki_free(q);
}
END_TEST

/* A scheme of another kind of key is wrong, whatever the signature. */
START_TEST(schemes_and_keys)
{
	struct pki *p = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=a" });
	const struct sign_scheme *s = sign_scheme_of(SIGN_RSA_PKCS1, SIGN_SHA2_256, KEY_RSA);
	struct bytes data = bytes_str("x");
	struct verify_key *v;
	struct cert cert;
	struct err e;

	ck_assert_int_eq(cert_read(pki_der(p), &cert, &e), GW_OK);
	ck_assert_int_eq(verify_key_scratch(crypto, cert.spki, &v), GW_OK);
	ck_assert_int_eq(verify_signature(crypto, v, s, 0, &data, 1, data), GW_EAUTH);
	ck_assert_ptr_null(sign_scheme_of(SIGN_RSA_PSS, SIGN_SHA1, KEY_RSA));
	ck_assert(!sign_scheme_fits(sign_scheme_of(SIGN_EDDSA, SIGN_IDENTITY, KEY_ED25519), KEY_ED448));
	pki_free(p);
}
END_TEST

/* PSS with the trailer spelt out (FortiGate does), with two hashes, with the defaults of SHA-1. */
START_TEST(pss_identifiers)
{
	const struct sign_scheme *s = sign_scheme_of(SIGN_RSA_PSS, SIGN_SHA2_256, KEY_RSA);
	static const uint8_t trailer[] = { 0xa3, 0x03, 0x02, 0x01, 0x01 };
	uint8_t id[128], mixed[128];
	size_t salt, n = s->id.n;

	memcpy(id, s->id.p, n);
	memcpy(id + n, trailer, sizeof(trailer));
	id[1] = (uint8_t)(id[1] + sizeof(trailer));
	id[14] = (uint8_t)(id[14] + sizeof(trailer));
	ck_assert_ptr_eq(sign_scheme_parse(bytes_of(id, n + sizeof(trailer)), &salt), s);
	ck_assert_uint_eq(salt, 32);
	id[n + sizeof(trailer) - 1] = 2;
	ck_assert_ptr_null(sign_scheme_parse(bytes_of(id, n + sizeof(trailer)), &salt));
	memcpy(mixed, s->id.p, n);
	mixed[n - 8] = 2; /* the hash of MGF1 */
	ck_assert_ptr_null(sign_scheme_parse(bytes_of(mixed, n), &salt));
	ck_assert_ptr_null(sign_scheme_parse(bytes_of(s->id.p, n - 1), &salt));
	ck_assert_ptr_null(sign_scheme_parse((struct bytes){ 0 }, &salt));
}
END_TEST

START_TEST(raw_and_der)
{
	static const enum key_kind kinds[] = { KEY_P256, KEY_P384, KEY_P521 };
	static const size_t lens[] = { 64, 96, 132 };
	uint8_t raw[132], der[SIGNATURE_MAX], again[SIGNATURE_MAX];
	size_t n, m;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (int fill = 0; fill < 256; fill += 5) {
			memset(raw, fill, sizeof(raw));
			memset(raw, 0, 3);
			ck_assert_int_eq(ecdsa_to_der(kinds[k], bytes_of(raw, lens[k]), der, &n), GW_OK);
			ck_assert_int_eq(ecdsa_to_raw(kinds[k], bytes_of(der, n), again, &m), GW_OK);
			ck_assert_uint_eq(m, lens[k]);
			ck_assert_mem_eq(again, raw, m);
		}
	ck_assert_int_eq(ecdsa_to_der(KEY_P256, bytes_of(raw, 63), der, &n), GW_EMALFORMED);
	ck_assert_int_eq(ecdsa_to_der(KEY_RSA, bytes_of(raw, 64), der, &n), GW_EMALFORMED);
}
END_TEST

START_TEST(keys_that_are_none)
{
	struct sign_key *k = NULL;
	struct err e = { 0 };

	ck_assert_int_eq(sign_key_decode(ring, bytes_str("no key"), &k, &e), GW_EMALFORMED);
	ck_assert_str_ne(e.text, "");
	ck_assert_int_ne(sign_key_open(ring, "pkcs99:token=x", &k, &e), GW_OK);
	ck_assert_int_ne(sign_key_open(ring, "file:/nowhere/at/all", &k, &e), GW_OK);
	ck_assert_ptr_null(k);
}
END_TEST

/* RSA below 2048 bits is not taken from anybody. */
START_TEST(short_rsa)
{
	struct pki *p = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=a", .key = "RSA:1024" });
	struct verify_key *v;
	struct cert cert;
	struct err e;
	size_t bits;

	ck_assert_int_eq(cert_read(pki_der(p), &cert, &e), GW_OK);
	ck_assert_int_eq(spki_kind(cert.spki, &bits), KEY_RSA);
	ck_assert_uint_eq(bits, 1024);
	ck_assert_int_eq(verify_key_scratch(crypto, cert.spki, &v), GW_EUNSUPPORTED);
	pki_free(p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("sign");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, there_and_back, 0, ARRAY_LEN(ways));
	tcase_add_test(t, schemes_and_keys);
	tcase_add_test(t, pss_identifiers);
	tcase_add_test(t, raw_and_der);
	tcase_add_test(t, keys_that_are_none);
	tcase_add_test(t, short_rsa);
	return check_main("sign", t);
}
