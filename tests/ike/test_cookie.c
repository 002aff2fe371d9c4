#include "ike/cookie.h"

#include "fake_env.h"
#include "payload_check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct crypto *crypto;
static struct fake_env env;
static struct cookie_jar jar;
static struct addr client;
static const uint8_t nonce_octets[32] = { 1, 2, 3 };
static const struct bytes nonce = { nonce_octets, 32 };
static const uint64_t spi = 0x0102030405060708;

static void setup(void)
{
	struct err e;

	crypto = crypto_create(&e);
	ck_assert_msg(crypto != NULL, "%s", e.text);
	fake_env_init(&env);
	ck_assert_int_eq(cookie_init(&jar, &env.env), GW_OK);
	ck_assert(addr_parse("192.0.2.7", &client));
}

static void teardown(void)
{
	cookie_clear(&jar);
	crypto_destroy(crypto);
}

static bool valid(const uint8_t *cookie)
{
	return cookie_valid(&jar, crypto, &client, spi, nonce, bytes_of(cookie, COOKIE_LEN));
}

START_TEST(good_only_for_what_it_was_made_for)
{
	uint8_t cookie[COOKIE_LEN], changed[32];
	struct addr other;

	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, cookie), GW_OK);
	ck_assert(valid(cookie));
	ck_assert(addr_parse("192.0.2.8", &other));
	ck_assert(!cookie_valid(&jar, crypto, &other, spi, nonce, bytes_of(cookie, COOKIE_LEN)));
	ck_assert(!cookie_valid(&jar, crypto, &client, spi ^ 1, nonce, bytes_of(cookie, COOKIE_LEN)));
	memcpy(changed, nonce_octets, 32);
	changed[31] ^= 1;
	ck_assert(!cookie_valid(&jar, crypto, &client, spi, bytes_of(changed, 32), bytes_of(cookie, COOKIE_LEN)));
	ck_assert(!cookie_valid(&jar, crypto, &client, spi, bytes_of(nonce_octets, 31), bytes_of(cookie, COOKIE_LEN)));
	for (size_t i = 0; i < COOKIE_LEN; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			cookie[i] ^= (uint8_t)(1U << bit);
			ck_assert(!valid(cookie));
			cookie[i] ^= (uint8_t)(1U << bit);
		}
	}
	ck_assert(valid(cookie));
}
END_TEST

START_TEST(length_counts)
{
	uint8_t cookie[COOKIE_LEN + 1] = { 0 };

	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, cookie), GW_OK);
	for (size_t n = 0; n <= sizeof(cookie); n++) {
		uint8_t *p = exact(cookie, n);

		ck_assert(cookie_valid(&jar, crypto, &client, spi, nonce, bytes_of(p, n)) == (n == COOKIE_LEN));
		free(p);
	}
}
END_TEST

/* An IPv4 host that puts octets of its choice before its address into the nonce must not get the cookie of an IPv6 one.
 */
START_TEST(nonce_cannot_pass_for_an_address)
{
	uint8_t cookie[COOKIE_LEN], octets[48];
	struct addr six = { .family = 6 };

	for (size_t cut = 0; cut <= 16; cut++) {
		memset(octets, 0x20, sizeof(octets));
		memcpy(octets + 32, client.b, 4);
		ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, bytes_of(octets, 32 + cut), cookie), GW_OK);
		memcpy(six.b, client.b, 4);
		memcpy(six.b + 4, octets, 12);
		for (size_t n = 16; n <= 44; n++) {
			ck_assert(!cookie_valid(&jar, crypto, &six, spi, bytes_of(octets, n),
						bytes_of(cookie, COOKIE_LEN)));
			ck_assert(!cookie_valid(&jar, crypto, &six, spi, bytes_of(octets + 4, n),
						bytes_of(cookie, COOKIE_LEN)));
		}
	}
}
END_TEST

START_TEST(lives_for_one_to_two_intervals)
{
	uint8_t first[COOKIE_LEN], second[COOKIE_LEN], third[COOKIE_LEN];

	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, first), GW_OK);
	fake_sleep(&env, SECONDS(59));
	ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, second), GW_OK);
	ck_assert_mem_eq(first, second, COOKIE_LEN);

	fake_sleep(&env, SECONDS(1));
	ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, second), GW_OK);
	ck_assert_int_ne(memcmp(first + 1, second + 1, COOKIE_LEN - 1), 0);
	ck_assert(valid(first) && valid(second));

	fake_sleep(&env, SECONDS(60));
	ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, third), GW_OK);
	ck_assert(!valid(first) && valid(second) && valid(third));

	/* Nobody asked for a long time: what is old is old. */
	fake_sleep(&env, SECONDS(1000));
	ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
	ck_assert(!valid(first) && !valid(second) && !valid(third));
}
END_TEST

/* There is no cookie before the first one: its version is not valid by chance, with a secret of zeros. */
START_TEST(nothing_before_the_first)
{
	uint8_t cookie[COOKIE_LEN], mac[32], data[8 + 1 + 4 + 32];
	static const uint8_t zeros[COOKIE_SECRET];
	struct writer w = wr_of(data, sizeof(data));
	unsigned n = 0;

	wr_u64(&w, spi);
	wr_u8(&w, 4);
	wr_bytes(&w, addr_bytes(&client));
	wr_bytes(&w, nonce);
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), zeros, sizeof(zeros), data, w.n, mac, &n));
	cookie[0] = (uint8_t)(jar.version - 1);
	memcpy(cookie + 1, mac, COOKIE_LEN - 1);
	ck_assert(!valid(cookie));
	/* The composition is the real one. */
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), jar.secret[0], COOKIE_SECRET, data, w.n, mac, &n));
	cookie[0] = jar.version;
	memcpy(cookie + 1, mac, COOKIE_LEN - 1);
	ck_assert(valid(cookie));
}
END_TEST

/* Over all numbers of versions, each cookie lives through exactly one change. */
START_TEST(versions_wrap)
{
	uint8_t before[COOKIE_LEN], now[COOKIE_LEN];

	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, before), GW_OK);
	for (int i = 0; i < 300; i++) {
		fake_sleep(&env, SECONDS(60));
		ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
		ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, now), GW_OK);
		ck_assert(valid(now) && valid(before));
		fake_sleep(&env, SECONDS(60));
		ck_assert_int_eq(cookie_rotate(&jar, &env.env), GW_OK);
		ck_assert(valid(now) && !valid(before));
		ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, before), GW_OK);
	}
}
END_TEST

/* The other node of a pair has the same jar. */
START_TEST(copied_jar_agrees)
{
	struct cookie_jar other = jar;
	uint8_t cookie[COOKIE_LEN];

	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, cookie), GW_OK);
	ck_assert(cookie_valid(&other, crypto, &client, spi, nonce, bytes_of(cookie, COOKIE_LEN)));
	ck_assert_int_eq(cookie_init(&other, &env.env), GW_OK);
	ck_assert(!cookie_valid(&other, crypto, &client, spi, nonce, bytes_of(cookie, COOKIE_LEN)));
	cookie_clear(&other);
	for (size_t i = 0; i < sizeof(other.secret); i++)
		ck_assert_uint_eq(((const uint8_t *)other.secret)[i], 0);
}
END_TEST

static enum gw_err no_randomness(struct rng *g, void *out, size_t n)
{
	(void)g;
	(void)out;
	(void)n;
	return GW_EIO;
}

START_TEST(without_randomness_the_old_secret_stays)
{
	struct rng broken = { no_randomness };
	uint8_t cookie[COOKIE_LEN];
	struct env e = env.env;

	e.rng = &broken;
	ck_assert_int_eq(cookie_make(&jar, crypto, &client, spi, nonce, cookie), GW_OK);
	fake_sleep(&env, SECONDS(60));
	ck_assert_int_eq(cookie_rotate(&jar, &e), GW_EIO);
	ck_assert(valid(cookie));
	ck_assert_uint_eq(jar.version, cookie[0]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		good_only_for_what_it_was_made_for,
		length_counts,
		nonce_cannot_pass_for_an_address,
		lives_for_one_to_two_intervals,
		nothing_before_the_first,
		versions_wrap,
		copied_jar_agrees,
		without_randomness_the_old_secret_stays,
	};

	return run_tests_with("cookie", setup, teardown, tests, ARRAY_LEN(tests));
}
