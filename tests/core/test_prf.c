#include "core/crypto/crypto.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
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

/*
 * RFC 4868 2.7.1 and 2.7.2, the prf of all the cases; RFC 2202 3 for SHA-1. The key that AUTH512-4 prints is 80 octets
 * long and not the one of its result: that is the 64 octets 01..40, after the pattern of the other cases.
 */
static const struct vector {
	const char *name;
	uint16_t prf;
	const char *key, *data, *out;
} vectors[] = {
	{ "PRF-1", PRF_HMAC_SHA2_256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "PRF-1", PRF_HMAC_SHA2_384, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
	  "faea9ea9076ede7f4af152e8b2fa9cb6" },
	{ "PRF-1", PRF_HMAC_SHA2_512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	  "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
	{ "PRF-2", PRF_HMAC_SHA2_256, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "PRF-2", PRF_HMAC_SHA2_384, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
	  "8e2240ca5e69e2c78b3239ecfab21649" },
	{ "PRF-2", PRF_HMAC_SHA2_512, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	  "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
	{ "PRF-3", PRF_HMAC_SHA2_256, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	{ "PRF-3", PRF_HMAC_SHA2_384, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
	  "2a5ab39dc13814b94e3ab6e101a34f27" },
	{ "PRF-3", PRF_HMAC_SHA2_512, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
	  "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb" },
	{ "PRF-4", PRF_HMAC_SHA2_256, "0102030405060708090a0b0c0d0e0f10111213141516171819",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
	{ "PRF-4", PRF_HMAC_SHA2_384, "0102030405060708090a0b0c0d0e0f10111213141516171819",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e"
	  "6801dd23c4a7d679ccf8a386c674cffb" },
	{ "PRF-4", PRF_HMAC_SHA2_512, "0102030405060708090a0b0c0d0e0f10111213141516171819",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
	  "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd" },
	{ "PRF-5", PRF_HMAC_SHA2_256,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	  "65204b6579202d2048617368204b6579204669727374",
	  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	{ "PRF-5", PRF_HMAC_SHA2_384,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	  "65204b6579202d2048617368204b6579204669727374",
	  "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
	  "0c2ef6ab4030fe8296248df163f44952" },
	{ "PRF-5", PRF_HMAC_SHA2_512,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	  "65204b6579202d2048617368204b6579204669727374",
	  "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
	  "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
	{ "PRF-6", PRF_HMAC_SHA2_256,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "5468697320697320612074657374207573696e672061206c6172676572207468"
	  "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
	  "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
	  "647320746f20626520686173686564206265666f7265206265696e6720757365"
	  "642062792074686520484d414320616c676f726974686d2e",
	  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	{ "PRF-6", PRF_HMAC_SHA2_384,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "5468697320697320612074657374207573696e672061206c6172676572207468"
	  "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
	  "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
	  "647320746f20626520686173686564206265666f7265206265696e6720757365"
	  "642062792074686520484d414320616c676f726974686d2e",
	  "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
	  "a678cc31e799176d3860e6110c46523e" },
	{ "PRF-6", PRF_HMAC_SHA2_512,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaa",
	  "5468697320697320612074657374207573696e672061206c6172676572207468"
	  "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
	  "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
	  "647320746f20626520686173686564206265666f7265206265696e6720757365"
	  "642062792074686520484d414320616c676f726974686d2e",
	  "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
	  "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58" },
	{ "AUTH256-1", PRF_HMAC_SHA2_256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	  "4869205468657265", "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7" },
	{ "AUTH256-2", PRF_HMAC_SHA2_256, "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
	  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "167f928588c5cc2eef8e3093caa0e87c9ff566a14794aa61648d81621a2a40c6" },
	{ "AUTH256-3", PRF_HMAC_SHA2_256, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "cdcb1220d1ecccea91e53aba3092f962e549fe6ce9ed7fdc43191fbde45c30b0" },
	{ "AUTH256-4", PRF_HMAC_SHA2_256, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "372efcf9b40b35c2115b1346903d2ef42fced46f0846e7257bb156d3d7b30d3f" },
	{ "AUTH384-1", PRF_HMAC_SHA2_384,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	  "4869205468657265",
	  "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee9737a959796489bddbc"
	  "4c5df61d5b3297b4fb68dab9f1b582c2" },
	{ "AUTH384-2", PRF_HMAC_SHA2_384,
	  "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665"
	  "4a6566654a6566654a6566654a656665",
	  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184da86a368e9b8e16f5"
	  "349524ca4e82400cbde0686d403371c9" },
	{ "AUTH384-3", PRF_HMAC_SHA2_384,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "809f439be00274321d4a538652164b53554a508184a0c3160353e3428597003d"
	  "35914a18770f9443987054944b7c4b4a" },
	{ "AUTH384-4", PRF_HMAC_SHA2_384,
	  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	  "0a0b0c0d0e0f10111213141516171819",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "5b540085c6e6358096532b2493609ed1cb298f774f87bb5c2ebf182c83cc7428"
	  "707fb92eab2536a5812258228bc96687" },
	{ "AUTH512-1", PRF_HMAC_SHA2_512,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	  "4869205468657265",
	  "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"
	  "ac2878ebd5803f6f0b61dbce5e251ff8789a4722c1be65aea45fd464e89f8f5b" },
	{ "AUTH512-2", PRF_HMAC_SHA2_512,
	  "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665"
	  "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
	  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454"
	  "6aa334ae9fb9afc2184932d8695e397bfa0ffb93466cfcceaae38c833b7dba38" },
	{ "AUTH512-3", PRF_HMAC_SHA2_512,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	  "dddddddddddddddddddddddddddddddddddd",
	  "2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8"
	  "623c7b55cebefccf02d5581acc1c9d5fb1ff68a1de45509fbe4da9a433922655" },
	{ "AUTH512-4", PRF_HMAC_SHA2_512,
	  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	  "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "5e6688e5a3daec826ca32eaea224eff5e700628947470e13ad01302561bab108"
	  "b8c48cbc6b807dcfbd850521a685babc7eae4a2a2e660dc0e86b931d65503fd2" },
	{ "SHA1-1", PRF_HMAC_SHA1, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "b617318655057264e28bc0b6fb378c8ef146be00" },
	{ "SHA1-2", PRF_HMAC_SHA1, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "SHA1-4", PRF_HMAC_SHA1, "0102030405060708090a0b0c0d0e0f10111213141516171819",
	  "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	  "4c9007f4026250c6bc8414f9bf50c86c2d7235da" },
};

static void check_vector(const struct vector *v)
{
	const struct prf_alg *alg = prf_find(v->prf);
	struct hex key = hex(v->key), data = hex(v->data);
	struct bytes part = hex_bytes(&data);
	uint8_t out[64];

	ck_assert_int_eq(crypto_prf(c, alg, hex_bytes(&key), &part, 1, out), GW_OK);
	assert_bytes(bytes_of(out, alg->len), v->out);
}

START_TEST(published)
{
	check_vector(&vectors[_i]);
}
END_TEST

/* However the data is cut, the result is the same. */
START_TEST(parts_are_concatenated)
{
	const struct vector *v = &vectors[_i];
	const struct prf_alg *alg = prf_find(v->prf);
	struct hex key = hex(v->key), data = hex(v->data);
	size_t cut;

	for (cut = 0; cut <= data.n; cut++) {
		struct bytes parts[] = { bytes_of(data.p, cut), { NULL, 0 }, bytes_of(data.p + cut, data.n - cut) };
		uint8_t out[64];

		ck_assert_int_eq(crypto_prf(c, alg, hex_bytes(&key), parts, 3, out), GW_OK);
		assert_bytes(bytes_of(out, alg->len), v->out);
	}
}
END_TEST

static const struct {
	uint16_t prf;
	const char *md;
} prfs[] = {
	{ PRF_HMAC_SHA1, "SHA1" },
	{ PRF_HMAC_SHA2_256, "SHA256" },
	{ PRF_HMAC_SHA2_384, "SHA384" },
	{ PRF_HMAC_SHA2_512, "SHA512" },
};

/* OpenSSL's own HMAC, one shot. */
static void other_hmac(const char *md, struct bytes key, struct bytes data, uint8_t *out, size_t n)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)md, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t got;

	ck_assert_int_eq(EVP_MAC_init(ctx, key.n > 0 ? key.p : (const uint8_t *)"", key.n, params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, data.p, data.n), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &got, n), 1);
	ck_assert_uint_eq(got, n);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* Key lengths around the block size, where hashing of the key begins. */
START_TEST(any_key_length)
{
	const struct prf_alg *alg = prf_find(prfs[_i].prf);
	uint8_t key[300], data[130], out[64], want[64];
	size_t n;

	for (n = 0; n < sizeof(key); n++)
		key[n] = (uint8_t)(n * 7 + 1);
	for (n = 0; n < sizeof(data); n++)
		data[n] = (uint8_t)n;
	for (n = 0; n <= sizeof(key); n++) {
		struct bytes part = bytes_of(data, n % sizeof(data));

		ck_assert_int_eq(crypto_prf(c, alg, bytes_of(key, n), &part, 1, out), GW_OK);
		other_hmac(prfs[_i].md, bytes_of(key, n), part, want, alg->len);
		ck_assert_mem_eq(out, want, alg->len);
	}
}
END_TEST

/* RFC 7296 2.13, written down a second time: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), ... */
static void other_prf_plus(const char *md, size_t len, struct bytes key, struct bytes seed, uint8_t *out, size_t n)
{
	uint8_t in[64 + 200 + 1], t[64];
	size_t have = 0, done = 0;
	unsigned i;

	for (i = 1; done < n; i++) {
		size_t take = n - done < len ? n - done : len;

		memcpy(in, t, have);
		memcpy(in + have, seed.p, seed.n);
		in[have + seed.n] = (uint8_t)i;
		other_hmac(md, key, bytes_of(in, have + seed.n + 1), t, len);
		have = len;
		memcpy(out + done, t, take);
		done += take;
	}
}

START_TEST(plus_against_composition)
{
	const struct prf_alg *alg = prf_find(prfs[_i].prf);
	size_t max = (size_t)255 * alg->len;
	size_t lengths[] = { 0,	      1,  alg->len - 1u, alg->len, alg->len + 1u, 2u * alg->len, 3u * alg->len + 72,
			     max - 1, max };
	uint8_t key[40], seed[100];
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 100);
	for (i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		struct bytes parts[] = { bytes_of(seed, 32), bytes_of(seed + 32, 60), bytes_of(seed + 92, 8) };
		uint8_t out[255 * 64 + 1], want[255 * 64];
		size_t n = lengths[i];

		out[n] = 0xa5;
		ck_assert_int_eq(crypto_prf_plus(c, alg, bytes_of(key, sizeof(key)), parts, 3, out, n), GW_OK);
		ck_assert_uint_eq(out[n], 0xa5);
		other_prf_plus(prfs[_i].md, alg->len, bytes_of(key, sizeof(key)), bytes_of(seed, sizeof(seed)), want,
			       n);
		if (n > 0)
			ck_assert_mem_eq(out, want, n);
	}
}
END_TEST

START_TEST(plus_is_bounded)
{
	const struct prf_alg *alg = prf_find(PRF_HMAC_SHA1);
	struct bytes part = bytes_str("seed");
	uint8_t out[255 * 20 + 1];

	ck_assert_int_eq(crypto_prf_plus(c, alg, bytes_str("key"), &part, 1, out, 255 * 20), GW_OK);
	ck_assert_int_eq(crypto_prf_plus(c, alg, bytes_str("key"), &part, 1, out, 255 * 20 + 1), GW_EINVAL);
}
END_TEST

/* The scratch states of one call must not show in the next, of any kind. */
START_TEST(calls_do_not_disturb_each_other)
{
	size_t round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_LEN(vectors); i++) {
			struct bytes seed = bytes_str("something else");
			uint8_t out[64];
			const struct prf_alg *alg = prf_find(vectors[i].prf);

			ck_assert_int_eq(crypto_prf_plus(c, alg, seed, &seed, 1, out, 33), GW_OK);
			ck_assert_int_eq(crypto_sha256(c, &seed, 1, out), GW_OK);
			check_vector(&vectors[i]);
		}
	}
}
END_TEST

/* FIPS 180-2 examples. */
START_TEST(digests)
{
	struct bytes abc[] = { bytes_str("a"), { NULL, 0 }, bytes_str("bc") };
	struct bytes two = bytes_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
	uint8_t out[32];

	ck_assert_int_eq(crypto_sha1(c, abc, 3, out), GW_OK);
	assert_bytes(bytes_of(out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
	ck_assert_int_eq(crypto_sha1(c, &two, 1, out), GW_OK);
	assert_bytes(bytes_of(out, 20), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	ck_assert_int_eq(crypto_sha256(c, abc, 3, out), GW_OK);
	assert_bytes(bytes_of(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(crypto_sha256(c, &two, 1, out), GW_OK);
	assert_bytes(bytes_of(out, 32), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	ck_assert_int_eq(crypto_sha256(c, NULL, 0, out), GW_OK);
	assert_bytes(bytes_of(out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(destroy_null)
{
	crypto_destroy(NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("prf");

	tcase_add_unchecked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, published, 0, ARRAY_LEN(vectors));
	tcase_add_loop_test(t, parts_are_concatenated, 0, ARRAY_LEN(vectors));
	tcase_add_loop_test(t, any_key_length, 0, ARRAY_LEN(prfs));
	tcase_add_loop_test(t, plus_against_composition, 0, ARRAY_LEN(prfs));
	tcase_add_test(t, plus_is_bounded);
	tcase_add_test(t, calls_do_not_disturb_each_other);
	tcase_add_test(t, digests);
	tcase_add_test(t, destroy_null);
	return check_main("prf", t);
}
