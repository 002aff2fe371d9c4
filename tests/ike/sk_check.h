/* The encrypted payload: suites, keys, an IV that is known, and what was sealed. */
#ifndef TESTS_IKE_SK_CHECK_H
#define TESTS_IKE_SK_CHECK_H

#include "ike/sk.h"

#include "payload_check.h"
#include "tests/vectors/vectors.h"

/* One of each kind of suite, and each size of key, salt, IV and ICV. */
static const struct {
	uint16_t encr, bits, integ;
} suites[] = {
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA1_96 },
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 192, INTEG_HMAC_SHA2_384_192 },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_512_256 },
	{ ENCR_AES_CTR, 128, INTEG_HMAC_SHA2_256_128 },
	{ ENCR_AES_CTR, 256, INTEG_HMAC_SHA1_96 },
	{ ENCR_AES_GCM_8, 128, 0 },
	{ ENCR_AES_GCM_12, 256, 0 },
	{ ENCR_AES_GCM_16, 128, 0 },
	{ ENCR_AES_GCM_16, 256, 0 },
	{ ENCR_AES_CCM_16, 128, 0 },
	{ ENCR_AES_CCM_16, 256, 0 },
	{ ENCR_CHACHA20_POLY1305, 0, 0 },
};

struct fixture {
	struct crypto *c;
	struct sk_key k;
	struct sk_iv iv;
	uint8_t next_iv;
	bool iv_fails;
	uint16_t sk_less; /* raw() says that SK is so much shorter than it is */
	uint8_t keys[128];
	uint8_t chain[65536];
	uint8_t packed[3 * 65536];
	struct writer w;
};

static struct fixture f;

static inline enum gw_err make_iv(void *arg, uint8_t *out, size_t n)
{
	struct fixture *x = arg;

	if (x->iv_fails)
		return GW_EIO;
	memset(out, x->next_iv++, n);
	return GW_OK;
}

static inline void setup(void)
{
	struct err e;

	f.c = crypto_create(&e);
	ck_assert_ptr_nonnull(f.c);
	f.iv = (struct sk_iv){ make_iv, &f };
	f.iv_fails = false;
	f.sk_less = 0;
	for (size_t i = 0; i < sizeof(f.keys); i++)
		f.keys[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(f.chain); i++)
		f.chain[i] = (uint8_t)(i * 13 + 5 + i / 251);
	f.w = wr_of(f.packed, sizeof(f.packed));
}

static inline void teardown(void)
{
	crypto_destroy(f.c);
	f.c = NULL;
}

static inline void use_suite(size_t i)
{
	struct cipher_suite *s = &f.k.suite;

	*s = (struct cipher_suite){ encr_find(suites[i].encr), suites[i].bits, NULL };
	ck_assert_ptr_nonnull(s->encr);
	if (suites[i].integ)
		s->integ = integ_find(suites[i].integ);
	if (s->encr->fixed_key)
		s->key_bits = s->encr->key_bits[0];
	f.k.encr = bytes_of(f.keys, suite_encr_key_len(s));
	f.k.integ = bytes_of(f.keys + 48, suite_integ_key_len(s));
	ck_assert_uint_le(f.k.encr.n, 48);
}

static const struct ike_header header = {
	.spi_i = UINT64_C(0x0102030405060708),
	.spi_r = UINT64_C(0x1112131415161718),
	.version = 0x20,
	.exchange = INFORMATIONAL,
	.flags = IKE_FLAG_RESPONSE,
	.id = 5,
};

static inline enum gw_err seal(size_t n, size_t max, bool fragment)
{
	f.w = wr_of(f.packed, sizeof(f.packed));
	return sk_seal(f.c, &f.k, &f.iv, &header, PL_NOTIFY, bytes_of(f.chain, n), max, fragment, &f.w);
}

/* The i-th of what was sealed, as a heap copy of its size; NULL: none. */
static inline uint8_t *sealed(size_t index, size_t *n)
{
	struct reader r = rd_of(wr_done(&f.w));
	struct bytes d;

	*n = 0;
	for (size_t i = 0; packed_next(&r, &d); i++) {
		if (i == index) {
			*n = d.n;
			return exact(d.p, d.n);
		}
	}
	return NULL;
}

static inline size_t sealed_count(void)
{
	struct reader r = rd_of(wr_done(&f.w));
	struct bytes d;
	size_t count = 0;

	while (packed_next(&r, &d))
		count++;
	ck_assert(!r.bad);
	ck_assert_uint_eq(r.left, 0);
	return count;
}

#endif
