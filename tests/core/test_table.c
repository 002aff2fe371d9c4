#include "core/table.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "tests/check_main.h"

static unsigned fold(uint64_t h)
{
	return (unsigned)(h ^ h >> 32);
}

/* Published SipHash-1-3 values for the zero key. */
START_TEST(published)
{
	const struct table_seed zero = { 0, 0 };

	ck_assert_uint_eq(table_hash(&zero, "", 0), fold(0xd1fba762150c532c));
	ck_assert_uint_eq(table_hash(&zero, "\0", 1), fold(0x68a914128e01e473));
	ck_assert_uint_eq(table_hash(&zero, "siphash", 7), fold(0x8264ceeccb16bcbe));
}
END_TEST

static uint64_t openssl_siphash13(EVP_MAC *mac, const uint8_t key[16], const uint8_t *p, size_t n)
{
	unsigned c = 1, d = 3;
	size_t size = 8;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	uint8_t out[8];
	uint64_t v = 0;
	size_t i;

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(EVP_MAC_CTX_set_params(ctx, params), 1);
	ck_assert_int_eq(EVP_MAC_init(ctx, key, 16, NULL), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, p, n), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &i, sizeof(out)), 1);
	EVP_MAC_CTX_free(ctx);
	for (i = 8; i > 0; i--)
		v = v << 8 | out[i - 1];
	return v;
}

/* Every length up to eight words, keyed, against OpenSSL's implementation. */
START_TEST(same_as_openssl)
{
	const struct table_seed seed = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	uint8_t key[16], in[65];
	size_t n;

	ck_assert_ptr_nonnull(mac);
	for (n = 0; n < 16; n++)
		key[n] = (uint8_t)n;
	for (n = 0; n < sizeof(in); n++)
		in[n] = (uint8_t)(n * 3);
	for (n = 0; n <= sizeof(in); n++)
		ck_assert_uint_eq(table_hash(&seed, in, n), fold(openssl_siphash13(mac, key, in, n)));
	EVP_MAC_free(mac);
}
END_TEST

START_TEST(seed_is_drawn_and_matters)
{
	struct rng_seeded rng;
	struct table_seed a, b;
	unsigned same = 0;
	uint32_t i;

	rng_seeded_init(&rng, 3);
	ck_assert_int_eq(table_seed_init(&a, &rng.rng), GW_OK);
	ck_assert_int_eq(table_seed_init(&b, &rng.rng), GW_OK);
	ck_assert(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
	for (i = 0; i < 1000; i++)
		same += table_hash(&a, &i, sizeof(i)) == table_hash(&b, &i, sizeof(i));
	ck_assert_uint_lt(same, 2);
}
END_TEST

static enum gw_err broken(struct rng *g, void *out, size_t n)
{
	(void)g;
	(void)out;
	(void)n;
	return GW_EIO;
}

START_TEST(seed_needs_randomness)
{
	struct rng rng = { broken };
	struct table_seed s;

	ck_assert_int_eq(table_seed_init(&s, &rng), GW_EIO);
}
END_TEST

struct item {
	uint64_t spi;
	UT_hash_handle hh;
};

static struct item *find(struct item *head, const struct table_seed *seed, uint64_t spi)
{
	unsigned h = table_hash(seed, &spi, sizeof(spi));
	struct item *found;

	HASH_FIND_BYHASHVALUE(hh, head, &spi, sizeof(spi), h, found);
	return found;
}

START_TEST(with_uthash)
{
	const struct table_seed seed = { 1, 2 };
	static struct item items[5000];
	struct item *head = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(items); i++) {
		struct item *item = &items[i];
		unsigned h;

		item->spi = i << 32;
		h = table_hash(&seed, &item->spi, sizeof(item->spi));
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, head, &item->spi, sizeof(item->spi), h, item);
		ck_assert_ptr_nonnull(item->hh.tbl);
	}
	for (i = 0; i < ARRAY_LEN(items); i++)
		ck_assert_ptr_eq(find(head, &seed, i << 32), &items[i]);
	ck_assert_ptr_null(find(head, &seed, 1));
	HASH_DELETE(hh, head, &items[17]);
	ck_assert_ptr_null(find(head, &seed, UINT64_C(17) << 32));
	HASH_CLEAR(hh, head);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("table");

	tcase_add_test(t, published);
	tcase_add_test(t, same_as_openssl);
	tcase_add_test(t, seed_is_drawn_and_matters);
	tcase_add_test(t, seed_needs_randomness);
	tcase_add_test(t, with_uthash);
	return check_main("table", t);
}
