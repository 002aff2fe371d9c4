#include "ike/keymat.h"

#include "config/load.h"
#include "payload_check.h"
#include "tests/vectors/vectors.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct crypto *crypto;

static void setup(void)
{
	struct err e;

	crypto = crypto_create(&e);
	ck_assert_msg(crypto != NULL, "%s", e.text);
}

static void teardown(void)
{
	crypto_destroy(crypto);
}

static void algorithms(const char *text, enum proposal_use use, const struct prf_alg **prf, struct cipher_suite *suite)
{
	struct proposal_cfg p = { 0 };

	ck_assert_int_eq(proposal_parse(text, use, &p, NULL), GW_OK);
	*suite = (struct cipher_suite){ 0 };
	for (size_t i = 0; i < p.n; i++) {
		if (p.t[i].type == TR_ENCR) {
			suite->encr = encr_find(p.t[i].id);
			suite->key_bits = p.t[i].key_bits;
		} else if (p.t[i].type == TR_INTEG) {
			suite->integ = integ_find(p.t[i].id);
		} else if (p.t[i].type == TR_PRF && prf) {
			*prf = prf_find(p.t[i].id);
		}
	}
}

/* ---- conversations of strongSwan ---- */

static struct bytes line(const struct vectors *v, const char *object, const char *name)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "%s.%s", object, name);
	return vectors_bytes(v, full);
}

static uint64_t number(const struct vectors *v, const char *object, const char *name)
{
	struct bytes b = line(v, object, name);

	ck_assert_uint_eq(b.n, 8);
	return get_u64(b.p);
}

static void same(struct bytes got, struct bytes want, const char *what)
{
	ck_assert_msg(bytes_equal(got, want), "%s differs", what);
}

static void check_ike(const struct vectors *v, const char *object, const struct ike_keys *k)
{
	ck_assert_uint_gt(line(v, object, "sk_d").n, 0);
	same(ike_keys_d(k), line(v, object, "sk_d"), "SK_d");
	same(ike_keys_ai(k), line(v, object, "sk_ai"), "SK_ai");
	same(ike_keys_ar(k), line(v, object, "sk_ar"), "SK_ar");
	same(ike_keys_ei(k), line(v, object, "sk_ei"), "SK_ei");
	same(ike_keys_er(k), line(v, object, "sk_er"), "SK_er");
	same(ike_keys_pi(k), line(v, object, "sk_pi"), "SK_pi");
	same(ike_keys_pr(k), line(v, object, "sk_pr"), "SK_pr");
	ck_assert_uint_eq(k->block.n, ike_keys_len(k->prf, &k->suite));
}

static void check_half(const struct vectors *v, const char *object, const char *way, const struct secret *got)
{
	char encr[32], integ[32];
	size_t n;

	(void)snprintf(encr, sizeof(encr), "%s_encr", way);
	(void)snprintf(integ, sizeof(integ), "%s_integ", way);
	n = line(v, object, encr).n;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_ge(got->n, n);
	same(bytes_of(got->p, n), line(v, object, encr), "encryption key");
	same(bytes_of(got->p + n, got->n - n), line(v, object, integ), "integrity key");
}

static size_t check_children(const struct vectors *v, const struct ike_keys *k, const struct cipher_suite *esp)
{
	size_t n = 0;

	for (int i = 1; i < 10; i++) {
		struct secret i2r = { 0 }, r2i = { 0 };
		char object[24];

		(void)snprintf(object, sizeof(object), "child%d", i);
		if (line(v, object, "ni").n == 0)
			continue;
		ck_assert_int_eq(child_keymat(crypto, k, esp, line(v, object, "shared"), line(v, object, "ni"),
					      line(v, object, "nr"), &i2r, &r2i),
				 GW_OK);
		check_half(v, object, "i2r", &i2r);
		check_half(v, object, "r2i", &r2i);
		secret_clear(&i2r);
		secret_clear(&r2i);
		n++;
	}
	return n;
}

START_TEST(conversations_of_strongswan)
{
	static const struct {
		const char *name;
		size_t children;
		bool rekeyed;
	} files[] = {
		{ "aes256gcm16-prfsha384-x25519", 2, true },
		{ "aes128-sha256-modp2048", 2, true },
		{ "chacha20poly1305-prfsha512-ecp384", 1, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct ike_keys k = { 0 }, next = { 0 };
		struct cipher_suite esp;
		struct vectors v;
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/vectors/%s.txt", TEST_DATA, files[i].name);
		vectors_load(&v, path);
		algorithms(vectors_find(&v, "proposal")->text, PROPOSAL_IKE, &k.prf, &k.suite);
		algorithms(vectors_find(&v, "esp")->text, PROPOSAL_ESP, NULL, &esp);
		ck_assert_int_eq(ike_keys_derive(crypto, &k, line(&v, "ike1", "ni"), line(&v, "ike1", "nr"),
						 line(&v, "ike1", "shared"), number(&v, "ike1", "spi_i"),
						 number(&v, "ike1", "spi_r")),
				 GW_OK);
		check_ike(&v, "ike1", &k);
		ck_assert_uint_eq(check_children(&v, &k, &esp), files[i].children);
		ck_assert(files[i].rekeyed == (line(&v, "ike2", "ni").n > 0));
		if (files[i].rekeyed) {
			next.prf = k.prf;
			next.suite = k.suite;
			ck_assert_int_eq(ike_keys_rekey(crypto, &next, &k, line(&v, "ike2", "ni"),
							line(&v, "ike2", "nr"), line(&v, "ike2", "shared"),
							number(&v, "ike2", "spi_i"), number(&v, "ike2", "spi_r")),
					 GW_OK);
			check_ike(&v, "ike2", &next);
		}
		ike_keys_clear(&k);
		ike_keys_clear(&next);
		ck_assert_ptr_null(k.block.p);
		vectors_free(&v);
	}
}
END_TEST

/* ---- composed with HMAC itself ---- */

static const EVP_MD *md_of(const struct prf_alg *prf)
{
	switch (prf->id) {
	case PRF_HMAC_SHA1:
		return EVP_sha1();
	case PRF_HMAC_SHA2_256:
		return EVP_sha256();
	case PRF_HMAC_SHA2_384:
		return EVP_sha384();
	default:
		return EVP_sha512();
	}
}

static void hmac(const struct prf_alg *prf, struct bytes key, struct bytes data, uint8_t *out)
{
	unsigned n = 0;

	ck_assert_ptr_nonnull(HMAC(md_of(prf), key.p, (int)key.n, data.p, data.n, out, &n));
	ck_assert_uint_eq(n, prf->len);
}

/* T1 = prf(K, S | 0x01), T2 = prf(K, T1 | S | 0x02), ... (RFC 7296 2.13) */
static void hmac_plus(const struct prf_alg *prf, struct bytes key, struct bytes seed, uint8_t *out, size_t n)
{
	uint8_t data[64 + 1024 + 1], t[64];
	uint8_t count = 1;

	for (size_t at = 0; at < n; count++) {
		struct writer w = wr_of(data, sizeof(data));
		size_t take = n - at < prf->len ? n - at : prf->len;

		if (count > 1)
			wr_bytes(&w, bytes_of(t, prf->len));
		wr_bytes(&w, seed);
		wr_u8(&w, count);
		ck_assert(!w.bad);
		hmac(prf, key, wr_done(&w), t);
		memcpy(out + at, t, take);
		at += take;
	}
}

static const uint16_t prfs[] = { PRF_HMAC_SHA1, PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512 };

START_TEST(rekey_with_another_prf)
{
	static uint8_t ni_data[256], nr_data[16], shared_data[521];
	struct bytes ni = bytes_of(ni_data, sizeof(ni_data)), nr = bytes_of(nr_data, sizeof(nr_data));
	struct bytes shared = bytes_of(shared_data, sizeof(shared_data));
	struct cipher_suite suite;

	algorithms("aes192-sha512", PROPOSAL_ESP, NULL, &suite);
	memset(ni_data, 0x11, sizeof(ni_data));
	memset(nr_data, 0x22, sizeof(nr_data));
	memset(shared_data, 0x33, sizeof(shared_data));
	for (size_t i = 0; i < ARRAY_LEN(prfs); i++) {
		for (size_t j = 0; j < ARRAY_LEN(prfs); j++) {
			struct ike_keys old = { .prf = prf_find(prfs[i]), .suite = suite };
			struct ike_keys k = { .prf = prf_find(prfs[j]), .suite = suite };
			uint8_t data[1024], skeyseed[64], want[1024];
			struct writer w = wr_of(data, sizeof(data));

			/* RFC 7296 2.18: the old PRF for SKEYSEED, the new one for what comes of it. */
			ck_assert_int_eq(ike_keys_derive(crypto, &old, nr, ni, shared, 1, 2), GW_OK);
			ck_assert_int_eq(ike_keys_rekey(crypto, &k, &old, ni, nr, shared, 3, 4), GW_OK);
			wr_bytes(&w, shared);
			wr_bytes(&w, ni);
			wr_bytes(&w, nr);
			hmac(old.prf, ike_keys_d(&old), wr_done(&w), skeyseed);
			w = wr_of(data, sizeof(data));
			wr_bytes(&w, ni);
			wr_bytes(&w, nr);
			wr_u64(&w, 3);
			wr_u64(&w, 4);
			ck_assert_uint_eq(k.block.n, 3U * k.prf->len + 2U * 64 + 2U * 24);
			hmac_plus(k.prf, bytes_of(skeyseed, old.prf->len), wr_done(&w), want, k.block.n);
			same(secret_bytes(&k.block), bytes_of(want, k.block.n), "block");
			ike_keys_clear(&old);
			ike_keys_clear(&k);
		}
	}
}
END_TEST

START_TEST(parts_tile_the_block)
{
	static const char *const suites[] = { "aes256gcm16", "aes128ccm16", "aes256ctr-sha1", "aes128-sha384",
					      "chacha20poly1305" };
	uint8_t nonce[32] = { 1 };
	struct bytes n = bytes_of(nonce, sizeof(nonce));

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		for (size_t j = 0; j < ARRAY_LEN(prfs); j++) {
			struct ike_keys k = { .prf = prf_find(prfs[j]) };
			const uint8_t *at;

			algorithms(suites[i], PROPOSAL_ESP, NULL, &k.suite);
			ck_assert_int_eq(ike_keys_derive(crypto, &k, n, n, n, 1, 2), GW_OK);
			struct bytes parts[] = { ike_keys_d(&k),  ike_keys_ai(&k), ike_keys_ar(&k), ike_keys_ei(&k),
						 ike_keys_er(&k), ike_keys_pi(&k), ike_keys_pr(&k) };
			at = k.block.p;
			for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
				ck_assert_ptr_eq(parts[p].p, at);
				at += parts[p].n;
			}
			ck_assert_ptr_eq(at, k.block.p + k.block.n);
			ck_assert_uint_eq(parts[1].n, k.suite.integ ? k.suite.integ->key_len : 0);
			ck_assert_uint_eq(parts[3].n, suite_encr_key_len(&k.suite));
			/* Up: the keys of AUTH are gone, the others are what they were. */
			{
				uint8_t before[512];
				size_t up = ike_keys_len_up(k.prf, &k.suite);

				ck_assert_uint_eq(up, k.block.n - parts[5].n - parts[6].n);
				memcpy(before, k.block.p, up);
				for (int again = 0; again < 2; again++) {
					ike_keys_drop_auth(&k);
					ck_assert_uint_eq(k.block.n, up);
					ck_assert_mem_eq(k.block.p, before, up);
					ck_assert_uint_eq(ike_keys_er(&k).n, parts[4].n);
					ck_assert(ike_keys_er(&k).p + parts[4].n == k.block.p + up);
					ck_assert_uint_eq(ike_keys_pi(&k).n + ike_keys_pr(&k).n, 0);
				}
			}
			ike_keys_clear(&k);
			ike_keys_drop_auth(&k);
			ck_assert_uint_eq(ike_keys_d(&k).n, 0);
		}
	}
}
END_TEST

START_TEST(children_with_and_without_pfs)
{
	struct ike_keys k = { .prf = prf_find(PRF_HMAC_SHA2_512) };
	struct secret i2r = { 0 }, r2i = { 0 };
	uint8_t nonces[64], shared[32], seed[96], want[256];
	struct cipher_suite esp;

	memset(nonces, 0x44, sizeof(nonces));
	memset(shared, 0x55, sizeof(shared));
	memcpy(seed, shared, 32);
	memcpy(seed + 32, nonces, 64);
	algorithms("aes256gcm16", PROPOSAL_ESP, NULL, &k.suite);
	algorithms("aes256-sha384", PROPOSAL_ESP, NULL, &esp);
	ck_assert_int_eq(ike_keys_derive(crypto, &k, bytes_of(nonces, 32), bytes_of(nonces + 32, 32),
					 bytes_of(shared, 32), 1, 2),
			 GW_OK);
	for (int pfs = 0; pfs < 2; pfs++) {
		struct bytes s = pfs ? bytes_of(seed, 96) : bytes_of(seed + 32, 64);

		ck_assert_int_eq(child_keymat(crypto, &k, &esp, bytes_of(shared, pfs ? 32 : 0), bytes_of(nonces, 32),
					      bytes_of(nonces + 32, 32), &i2r, &r2i),
				 GW_OK);
		hmac_plus(k.prf, ike_keys_d(&k), s, want, 160);
		same(secret_bytes(&i2r), bytes_of(want, 80), "initiator's keys");
		same(secret_bytes(&r2i), bytes_of(want + 80, 80), "responder's keys");
		secret_clear(&i2r);
		secret_clear(&r2i);
	}
	ike_keys_clear(&k);
}
END_TEST

START_TEST(too_long_a_nonce_is_refused)
{
	static uint8_t nonce[514];
	struct ike_keys k = { .prf = prf_find(PRF_HMAC_SHA2_256) };

	algorithms("aes256gcm16", PROPOSAL_ESP, NULL, &k.suite);
	ck_assert_int_eq(
		ike_keys_derive(crypto, &k, bytes_of(nonce, 257), bytes_of(nonce, 256), bytes_of(nonce, 32), 1, 2),
		GW_EINVAL);
	ck_assert_ptr_null(k.block.p);
	ck_assert_int_eq(
		ike_keys_derive(crypto, &k, bytes_of(nonce, 256), bytes_of(nonce, 256), bytes_of(nonce, 32), 1, 2),
		GW_OK);
	ike_keys_clear(&k);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		conversations_of_strongswan,   rekey_with_another_prf,	    parts_tile_the_block,
		children_with_and_without_pfs, too_long_a_nonce_is_refused,
	};

	return run_tests_with("keymat", setup, teardown, tests, ARRAY_LEN(tests));
}
