#include "core/crypto/crypto.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <openssl/bn.h>
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

static const struct {
	uint16_t id;
	size_t private_len, shared_len;
} groups[] = {
	{ DH_CURVE25519, 32, 32 }, { DH_CURVE448, 56, 56 },   { DH_ECP_256, 32, 32 },	 { DH_ECP_384, 48, 48 },
	{ DH_ECP_521, 66, 66 },	   { DH_MODP_1024, 32, 128 }, { DH_MODP_1536, 32, 192 }, { DH_MODP_2048, 40, 256 },
	{ DH_MODP_3072, 53, 384 }, { DH_MODP_4096, 60, 512 }, { DH_MODP_6144, 68, 768 }, { DH_MODP_8192, 78, 1024 },
};

static struct dh_key *import(uint16_t id, struct bytes priv, struct bytes pub)
{
	struct dh_key *k;

	ck_assert_int_eq(dh_import(c, dh_find(id), priv, pub, &k), GW_OK);
	return k;
}

static void assert_refused(struct dh_key *k, struct bytes peer)
{
	struct secret s = { 0 };

	ck_assert_int_eq(dh_shared(c, k, peer, &s), GW_EMALFORMED);
	ck_assert_ptr_null(s.p);
}

/* Two keys agree; the value is not something trivial; our own memory is released whatever happens. */
START_TEST(both_sides_agree)
{
	const struct dh_alg *alg = dh_find(groups[_i].id);
	struct dh_key *a, *b;
	WIPED struct secret sa = { 0 };
	WIPED struct secret sb = { 0 };

	ck_assert_int_eq(dh_generate(c, alg, &a), GW_OK);
	ck_assert_int_eq(dh_generate(c, alg, &b), GW_OK);
	ck_assert_ptr_eq(dh_alg_of(a), alg);
	ck_assert_uint_eq(dh_public(a).n, alg->public_len);
	ck_assert(!bytes_equal(dh_public(a), dh_public(b)));
	ck_assert_int_eq(dh_shared(c, a, dh_public(b), &sa), GW_OK);
	ck_assert_int_eq(dh_shared(c, b, dh_public(a), &sb), GW_OK);
	ck_assert_uint_eq(sa.n, groups[_i].shared_len);
	ck_assert(secret_equal(secret_bytes(&sa), secret_bytes(&sb)));
	dh_destroy(a);
	dh_destroy(b);
}
END_TEST

/* A key that went over to another node, with another struct crypto, does what the first would have done. */
START_TEST(export_and_import)
{
	const struct dh_alg *alg = dh_find(groups[_i].id);
	struct crypto *other = crypto_create(NULL);
	struct dh_key *a, *peer, *copy;
	WIPED struct secret priv = { 0 };
	WIPED struct secret again = { 0 };
	WIPED struct secret sa = { 0 };
	WIPED struct secret sb = { 0 };

	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(dh_generate(c, alg, &a), GW_OK);
	ck_assert_int_eq(dh_generate(c, alg, &peer), GW_OK);
	ck_assert_int_eq(dh_export(a, &priv), GW_OK);
	ck_assert_uint_eq(priv.n, groups[_i].private_len);
	ck_assert_int_eq(dh_import(other, alg, secret_bytes(&priv), dh_public(a), &copy), GW_OK);
	ck_assert(bytes_equal(dh_public(copy), dh_public(a)));
	ck_assert_int_eq(dh_export(copy, &again), GW_OK);
	ck_assert(secret_equal(secret_bytes(&priv), secret_bytes(&again)));
	ck_assert_int_eq(dh_shared(c, a, dh_public(peer), &sa), GW_OK);
	ck_assert_int_eq(dh_shared(other, copy, dh_public(peer), &sb), GW_OK);
	ck_assert(secret_equal(secret_bytes(&sa), secret_bytes(&sb)));
	dh_destroy(a);
	dh_destroy(copy);
	dh_destroy(peer);
	crypto_destroy(other);
}
END_TEST

START_TEST(import_wants_exact_lengths)
{
	const struct dh_alg *alg = dh_find(groups[_i].id);
	size_t n = groups[_i].private_len, pub = alg->public_len;
	uint8_t buf[1100];
	struct dh_key *k = NULL;

	memset(buf, 1, sizeof(buf));
	ck_assert_int_eq(dh_import(c, alg, bytes_of(buf, n - 1), bytes_of(buf, pub), &k), GW_EINVAL);
	ck_assert_int_eq(dh_import(c, alg, bytes_of(buf, n + 1), bytes_of(buf, pub), &k), GW_EINVAL);
	ck_assert_int_eq(dh_import(c, alg, bytes_of(buf, n), bytes_of(buf, pub - 1), &k), GW_EINVAL);
	ck_assert_int_eq(dh_import(c, alg, bytes_of(buf, n), bytes_of(buf, pub + 1), &k), GW_EINVAL);
	ck_assert_int_eq(dh_import(c, alg, (struct bytes){ 0 }, (struct bytes){ 0 }, &k), GW_EINVAL);
	ck_assert_ptr_null(k);
}
END_TEST

START_TEST(peer_of_wrong_length)
{
	const struct dh_alg *alg = dh_find(groups[_i].id);
	struct dh_key *a, *b;
	uint8_t buf[1100] = { 0 };

	ck_assert_int_eq(dh_generate(c, alg, &a), GW_OK);
	ck_assert_int_eq(dh_generate(c, alg, &b), GW_OK);
	memcpy(buf, dh_public(b).p, alg->public_len);
	assert_refused(a, bytes_of(buf, 0));
	assert_refused(a, bytes_of(buf, 1));
	assert_refused(a, bytes_of(buf, alg->public_len - 1u));
	assert_refused(a, bytes_of(buf, alg->public_len + 1u));
	dh_destroy(a);
	dh_destroy(b);
}
END_TEST

START_TEST(unknown_group)
{
	const struct dh_alg alien = { 99, "alien", 32, false };
	struct dh_key *k = NULL;

	ck_assert_int_eq(dh_generate(c, &alien, &k), GW_EUNSUPPORTED);
	ck_assert_ptr_null(k);
	dh_destroy(NULL);
}
END_TEST

/* ---- X25519, X448: RFC 7748 5.2 ---- */

static const struct {
	uint16_t id;
	const char *scalar, *u, *out;
} montgomery[] = {
	{ DH_CURVE25519, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
	/* the top bit of u is set, and has to be ignored */
	{ DH_CURVE25519, "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
	{ DH_CURVE25519, "0900000000000000000000000000000000000000000000000000000000000000",
	  "0900000000000000000000000000000000000000000000000000000000000000",
	  "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079" },
	{ DH_CURVE448,
	  "3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c984c24f8cdd78fbff44943eba368f54b29259a4f1c60"
	  "0ad3",
	  "06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8"
	  "a086",
	  "ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaadeb445fc66a01b0779d98223961111e21766282f73dd9"
	  "6b6f" },
};

START_TEST(montgomery_published)
{
	struct hex scalar = hex(montgomery[_i].scalar), u = hex(montgomery[_i].u);
	/* The public value is given and not used here. */
	struct dh_key *k = import(montgomery[_i].id, hex_bytes(&scalar), hex_bytes(&u));
	WIPED struct secret s = { 0 };

	ck_assert_int_eq(dh_shared(c, k, hex_bytes(&u), &s), GW_OK);
	assert_bytes(secret_bytes(&s), montgomery[_i].out);
	dh_destroy(k);
}
END_TEST

/* What we send is our scalar times the base point. */
START_TEST(montgomery_public_is_of_the_base_point)
{
	static const uint16_t ids[] = { DH_CURVE25519, DH_CURVE448 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(ids); i++) {
		const struct dh_alg *alg = dh_find(ids[i]);
		uint8_t base[56] = { i == 0 ? 9 : 5 };
		struct dh_key *k;
		WIPED struct secret s = { 0 };

		ck_assert_int_eq(dh_generate(c, alg, &k), GW_OK);
		ck_assert_int_eq(dh_shared(c, k, bytes_of(base, alg->public_len), &s), GW_OK);
		ck_assert(bytes_equal(secret_bytes(&s), dh_public(k)));
		dh_destroy(k);
	}
}
END_TEST

/* Points of small order give the all-zero secret whatever the scalar (RFC 8031 5); and the next exchange works. */
START_TEST(montgomery_small_order)
{
	static const struct {
		uint16_t id;
		const char *u;
	} bad[] = {
		{ DH_CURVE25519, "0000000000000000000000000000000000000000000000000000000000000000" },
		{ DH_CURVE25519, "0100000000000000000000000000000000000000000000000000000000000000" },
		{ DH_CURVE25519, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800" },
		{ DH_CURVE25519, "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157" },
		{ DH_CURVE25519, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
		{ DH_CURVE25519, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
		{ DH_CURVE25519, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
		{ DH_CURVE448, "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
			       "0000000000000000000000000" },
		{ DH_CURVE448, "010000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
			       "0000000000000000000000000" },
		{ DH_CURVE448, "fefffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffffffffffffffffffffffffff"
			       "fffffffffffffffffffffffff" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct hex u = hex(bad[i].u);
		struct dh_key *k, *peer;
		WIPED struct secret s = { 0 };

		ck_assert_int_eq(dh_generate(c, dh_find(bad[i].id), &k), GW_OK);
		ck_assert_int_eq(dh_generate(c, dh_find(bad[i].id), &peer), GW_OK);
		assert_refused(k, hex_bytes(&u));
		ck_assert_int_eq(dh_shared(c, k, dh_public(peer), &s), GW_OK);
		dh_destroy(k);
		dh_destroy(peer);
	}
}
END_TEST

/* ---- ECP: RFC 5903 8 ---- */

static const struct {
	uint16_t id;
	const char *i, *gi, *r, *gr, *secret;
} ecp[] = {
	{ DH_ECP_256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
	  "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
	  "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
	  "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
	  "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
	  "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
	  "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de" },
	{ DH_ECP_384,
	  "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
	  "e35b538041e649ee3faef896783ab194",
	  "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6"
	  "de3ac808acb4bdb4c88732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f"
	  "65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
	  "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942"
	  "e0308312916b8ed2960e4bd55a7448fc",
	  "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
	  "0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3196472169e838430367f"
	  "66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
	  "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
	  "d603135569b9e9d09cf5d4a270f59746" },
	{ DH_ECP_521,
	  "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a0"
	  "95aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d"
	  "4a52",
	  "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbe"
	  "e1e3bf42e00b8e380aeae57c2d107564941885942af5a7f4601723c4195d176c"
	  "ed3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4"
	  "a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3"
	  "926f9582",
	  "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e"
	  "9c677d600b343757a3bdbf2a3163e4c2f869cca7458aa4a4effc311f5cb15168"
	  "5eb9",
	  "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a21"
	  "9b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9"
	  "460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d985207"
	  "7b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd1"
	  "7f0fc56a",
	  "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04"
	  "d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3"
	  "ddea" },
};

START_TEST(ecp_published)
{
	struct hex i = hex(ecp[_i].i), gi = hex(ecp[_i].gi), r = hex(ecp[_i].r), gr = hex(ecp[_i].gr);
	struct dh_key *a = import(ecp[_i].id, hex_bytes(&i), hex_bytes(&gi));
	struct dh_key *b = import(ecp[_i].id, hex_bytes(&r), hex_bytes(&gr));
	WIPED struct secret sa = { 0 };
	WIPED struct secret sb = { 0 };

	ck_assert_int_eq(dh_shared(c, a, dh_public(b), &sa), GW_OK);
	ck_assert_int_eq(dh_shared(c, b, dh_public(a), &sb), GW_OK);
	assert_bytes(secret_bytes(&sa), ecp[_i].secret);
	assert_bytes(secret_bytes(&sb), ecp[_i].secret);
	dh_destroy(a);
	dh_destroy(b);
}
END_TEST

/* One bit anywhere in X or Y takes a point off the curve (or beyond p). */
START_TEST(ecp_off_the_curve)
{
	struct hex i = hex(ecp[_i].i), gi = hex(ecp[_i].gi), gr = hex(ecp[_i].gr);
	struct dh_key *k = import(ecp[_i].id, hex_bytes(&i), hex_bytes(&gi));
	uint8_t x[132];
	size_t at, half = gr.n / 2;

	for (at = 0; at < gr.n; at++) {
		gr.p[at] ^= 0x10;
		assert_refused(k, hex_bytes(&gr));
		gr.p[at] ^= 0x10;
	}
	/* X and Y exchanged, all zero, all ones */
	memcpy(x, gr.p + half, half);
	memcpy(x + half, gr.p, half);
	assert_refused(k, bytes_of(x, gr.n));
	memset(x, 0, sizeof(x));
	assert_refused(k, bytes_of(x, gr.n));
	memset(x, 0xff, sizeof(x));
	assert_refused(k, bytes_of(x, gr.n));
	dh_destroy(k);
}
END_TEST

/*
 * (0, sqrt(b)) is on P-256; with p instead of 0 for X it is the same point written wrongly, and refused.
 */
START_TEST(ecp_coordinates_below_p)
{
	const char *y = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
	struct hex i = hex(ecp[0].i), gi = hex(ecp[0].gi), sqrt_b = hex(y);
	struct hex p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
	struct dh_key *k = import(DH_ECP_256, hex_bytes(&i), hex_bytes(&gi));
	WIPED struct secret s = { 0 };
	uint8_t point[64] = { 0 };

	memcpy(point + 32, sqrt_b.p, 32);
	ck_assert_int_eq(dh_shared(c, k, bytes_of(point, 64), &s), GW_OK);
	memcpy(point, p.p, 32);
	assert_refused(k, bytes_of(point, 64));
	dh_destroy(k);
}
END_TEST

START_TEST(ecp_import_range)
{
	/* The order of P-256, less one, and itself. */
	struct hex n = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
	struct hex gi = hex(ecp[0].gi);
	uint8_t zero[32] = { 0 };
	struct dh_key *k;

	ck_assert_int_eq(dh_import(c, dh_find(DH_ECP_256), bytes_of(zero, 32), hex_bytes(&gi), &k), GW_EINVAL);
	ck_assert_int_eq(dh_import(c, dh_find(DH_ECP_256), hex_bytes(&n), hex_bytes(&gi), &k), GW_EINVAL);
	ck_assert_ptr_null(k);
	n.p[31]--;
	ck_assert_int_eq(dh_import(c, dh_find(DH_ECP_256), hex_bytes(&n), hex_bytes(&gi), &k), GW_OK);
	dh_destroy(k);
}
END_TEST

/* ---- MODP ---- */

/*
 * SHA-256 of 5^x mod p, left-padded, computed from the primes as printed in RFC 3526 and RFC 7296 B.2 by other means
 * (Python's integers); x = 91 98 9f .. (steps of 7) in as many octets as our exponents have.
 */
static const struct {
	uint16_t id;
	size_t private_len;
	const char *sha256;
} modp[] = {
	{ DH_MODP_1024, 32, "6daa777bfb9651e082941d6f273016ebba17cf610dd99effd8da73efbfbf1bb6" },
	{ DH_MODP_1536, 32, "53210ad5d949366516485ff0fe8c4c126df37f92b25bf1bea49b8419ae5dda0e" },
	{ DH_MODP_2048, 40, "e5725e711eb16842bc1a4708cd82d8bff8de237383b6dc080c12035b554a72b6" },
	{ DH_MODP_3072, 53, "b958eaa528997d6ec350dac46281e31d9d4b69471856fe9297eb9ba762917ac8" },
	{ DH_MODP_4096, 60, "70d1f701738d5c8c3f4fce38f9c888a663b4a6134fe6293bd39a480e6a46c90f" },
	{ DH_MODP_6144, 68, "417e39bef6cb4f92d3fd7149b5058356c2b6f645039274a947900807e2516402" },
	{ DH_MODP_8192, 78, "cd86a8ed093265be24e558c4a479e29bff1f26ea01b72fbf515f22216b915f57" },
};

static struct dh_key *modp_key(size_t i)
{
	uint8_t x[80], pub[1024] = { 0 };
	size_t n;

	for (n = 0; n < sizeof(x); n++)
		x[n] = (uint8_t)(0x91 + 7 * n);
	return import(modp[i].id, bytes_of(x, modp[i].private_len), bytes_of(pub, dh_find(modp[i].id)->public_len));
}

START_TEST(modp_known)
{
	size_t n = dh_find(modp[_i].id)->public_len;
	struct dh_key *k = modp_key((size_t)_i);
	uint8_t five[1024] = { 0 };
	WIPED struct secret s = { 0 };
	struct bytes whole;
	uint8_t sum[32];

	five[n - 1] = 5;
	ck_assert_int_eq(dh_shared(c, k, bytes_of(five, n), &s), GW_OK);
	whole = secret_bytes(&s);
	ck_assert_int_eq(crypto_sha256(c, &whole, 1, sum), GW_OK);
	assert_bytes(bytes_of(sum, 32), modp[_i].sha256);
	dh_destroy(k);
}
END_TEST

static void modp_prime(uint16_t id, uint8_t *out, size_t n)
{
	static BIGNUM *(*const primes[])(BIGNUM *) = {
		[DH_MODP_1024] = BN_get_rfc2409_prime_1024, [DH_MODP_1536] = BN_get_rfc3526_prime_1536,
		[DH_MODP_2048] = BN_get_rfc3526_prime_2048, [DH_MODP_3072] = BN_get_rfc3526_prime_3072,
		[DH_MODP_4096] = BN_get_rfc3526_prime_4096, [DH_MODP_6144] = BN_get_rfc3526_prime_6144,
		[DH_MODP_8192] = BN_get_rfc3526_prime_8192,
	};
	BIGNUM *p = primes[id](NULL);

	ck_assert_int_eq(BN_bn2binpad(p, out, (int)n), (int)n);
	BN_free(p);
}

/* RFC 6989 2.1: 1 < y < p - 1, and p ends in ff. */
START_TEST(modp_range)
{
	const struct dh_alg *alg = dh_find(modp[_i].id);
	size_t n = alg->public_len;
	struct dh_key *k = modp_key((size_t)_i);
	uint8_t p[1024];
	WIPED struct secret s = { 0 };
	uint8_t y[1024] = { 0 };

	assert_refused(k, bytes_of(y, n)); /* 0 */
	y[n - 1] = 1;
	assert_refused(k, bytes_of(y, n));
	y[n - 1] = 2;
	ck_assert_int_eq(dh_shared(c, k, bytes_of(y, n), &s), GW_OK);
	ck_assert_uint_eq(s.n, n);
	secret_clear(&s);
	memset(y, 0xff, n); /* beyond p */
	assert_refused(k, bytes_of(y, n));
	modp_prime(modp[_i].id, p, n);
	assert_refused(k, bytes_of(p, n));
	p[n - 1]--; /* p - 1 */
	assert_refused(k, bytes_of(p, n));
	p[n - 1]--; /* p - 2 */
	ck_assert_int_eq(dh_shared(c, k, bytes_of(p, n), &s), GW_OK);
	dh_destroy(k);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("dh");

	tcase_add_unchecked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, both_sides_agree, 0, ARRAY_LEN(groups));
	tcase_add_loop_test(t, export_and_import, 0, ARRAY_LEN(groups));
	tcase_add_loop_test(t, import_wants_exact_lengths, 0, ARRAY_LEN(groups));
	tcase_add_loop_test(t, peer_of_wrong_length, 0, ARRAY_LEN(groups));
	tcase_add_test(t, unknown_group);
	tcase_add_loop_test(t, montgomery_published, 0, ARRAY_LEN(montgomery));
	tcase_add_test(t, montgomery_public_is_of_the_base_point);
	tcase_add_test(t, montgomery_small_order);
	tcase_add_loop_test(t, ecp_published, 0, ARRAY_LEN(ecp));
	tcase_add_loop_test(t, ecp_off_the_curve, 0, ARRAY_LEN(ecp));
	tcase_add_test(t, ecp_coordinates_below_p);
	tcase_add_test(t, ecp_import_range);
	tcase_add_loop_test(t, modp_known, 0, ARRAY_LEN(modp));
	tcase_add_loop_test(t, modp_range, 0, ARRAY_LEN(modp));
	return check_main("dh", t);
}
