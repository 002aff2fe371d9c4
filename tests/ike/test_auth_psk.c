#include "ike/auth_psk.h"

#include "config/load.h"
#include "ike/sk.h"
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

static const struct prf_alg *algorithms(const char *text, struct cipher_suite *suite)
{
	const struct prf_alg *prf = NULL;
	struct proposal_cfg p = { 0 };

	ck_assert_int_eq(proposal_parse(text, PROPOSAL_IKE, &p, NULL), GW_OK);
	*suite = (struct cipher_suite){ 0 };
	for (size_t i = 0; i < p.n; i++) {
		if (p.t[i].type == TR_ENCR) {
			suite->encr = encr_find(p.t[i].id);
			suite->key_bits = p.t[i].key_bits;
		} else if (p.t[i].type == TR_INTEG) {
			suite->integ = integ_find(p.t[i].id);
		} else if (p.t[i].type == TR_PRF) {
			prf = prf_find(p.t[i].id);
		}
	}
	ck_assert_ptr_nonnull(prf);
	return prf;
}

/* One side of a conversation: its IKE_AUTH message is decrypted, and the AUTH payload in it made again. */
static void check_side(const struct vectors *v, bool initiator)
{
	static struct ike_msg m;
	struct bytes sealed = vectors_need(v, initiator ? "msg03_i" : "msg04_r"), psk = vectors_need(v, "psk");
	struct bytes init = vectors_need(v, initiator ? "msg01_i" : "msg02_r");
	struct bytes nonce = vectors_need(v, initiator ? "ike1.nr" : "ike1.ni");
	struct bytes sk_p = vectors_need(v, initiator ? "ike1.sk_pi" : "ike1.sk_pr");
	uint8_t *datagram = exact(sealed.p, sealed.n), out[64];
	struct id_payload *id = initiator ? &m.idi : &m.idr;
	struct sk_inside inside;
	struct sk_key key;
	const struct prf_alg *prf = algorithms(vectors_find(v, "proposal")->text, &key.suite);
	struct err e = { 0 };

	key.encr = vectors_need(v, initiator ? "ike1.sk_ei" : "ike1.sk_er");
	key.integ = vectors_bytes(v, initiator ? "ike1.sk_ai" : "ike1.sk_ar");
	ck_assert_int_eq(sk_open(crypto, &key, datagram, sealed.n, &inside), GW_OK);
	ck_assert_msg(msg_parse(&m, inside.first, inside.chain, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(m.auth.method, AUTH_PSK);
	ck_assert_uint_eq(m.auth.data.n, prf->len);

	ck_assert_int_eq(auth_psk(crypto, prf, psk, init, nonce, sk_p, id->body, out), GW_OK);
	ck_assert(secret_equal(bytes_of(out, prf->len), m.auth.data));

	/* Everything that goes in matters. */
	ck_assert_int_eq(auth_psk(crypto, prf, bytes_of(psk.p, psk.n - 1), init, nonce, sk_p, id->body, out), GW_OK);
	ck_assert(!secret_equal(bytes_of(out, prf->len), m.auth.data));
	ck_assert_int_eq(auth_psk(crypto, prf, psk, bytes_of(init.p, init.n - 1), nonce, sk_p, id->body, out), GW_OK);
	ck_assert(!secret_equal(bytes_of(out, prf->len), m.auth.data));
	ck_assert_int_eq(auth_psk(crypto, prf, psk, init, bytes_of(nonce.p, nonce.n - 1), sk_p, id->body, out), GW_OK);
	ck_assert(!secret_equal(bytes_of(out, prf->len), m.auth.data));
	ck_assert_int_eq(auth_psk(crypto, prf, psk, init, nonce, bytes_of(sk_p.p, sk_p.n - 1), id->body, out), GW_OK);
	ck_assert(!secret_equal(bytes_of(out, prf->len), m.auth.data));
	ck_assert_int_eq(auth_psk(crypto, prf, psk, init, nonce, sk_p, id->data, out), GW_OK);
	ck_assert(!secret_equal(bytes_of(out, prf->len), m.auth.data));
	free(datagram);
}

START_TEST(conversations_of_strongswan)
{
	static const char *const files[] = { "aes256gcm16-prfsha384-x25519", "aes128-sha256-modp2048" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct vectors v;
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/vectors/%s.txt", TEST_DATA, files[i]);
		vectors_load(&v, path);
		check_side(&v, true);
		check_side(&v, false);
		vectors_free(&v);
	}
}
END_TEST

static void hmac(const EVP_MD *md, struct bytes key, struct bytes data, uint8_t out[64])
{
	unsigned n = 64;

	ck_assert_ptr_nonnull(HMAC(md, key.p, (int)key.n, data.p, data.n, out, &n));
}

/* The formula of RFC 7296 2.15 with HMAC itself, for every PRF and for keys shorter and longer than a block. */
START_TEST(formula)
{
	static uint8_t psk[300], message[500], nonce[256], id[20], sk_p[64];
	const struct {
		uint16_t prf;
		const EVP_MD *md;
	} cases[] = {
		{ PRF_HMAC_SHA1, EVP_sha1() },
		{ PRF_HMAC_SHA2_256, EVP_sha256() },
		{ PRF_HMAC_SHA2_384, EVP_sha384() },
		{ PRF_HMAC_SHA2_512, EVP_sha512() },
	};
	static const size_t lengths[] = { 1, 63, 64, 65, 128, 129, 300 };

	memset(psk, 'p', sizeof(psk));
	memset(message, 'm', sizeof(message));
	memset(nonce, 'n', sizeof(nonce));
	memset(id, 'i', sizeof(id));
	memset(sk_p, 's', sizeof(sk_p));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct prf_alg *prf = prf_find(cases[i].prf);

		for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
			struct bytes key = bytes_of(psk, lengths[k]);
			uint8_t octets[1024], pad[64], want[64], got[64];
			struct writer w = wr_of(octets, sizeof(octets));
			uint8_t maced[64];

			hmac(cases[i].md, bytes_of(sk_p, prf->len), bytes_of(id, sizeof(id)), maced);
			wr_bytes(&w, bytes_of(message, sizeof(message)));
			wr_bytes(&w, bytes_of(nonce, sizeof(nonce)));
			wr_bytes(&w, bytes_of(maced, prf->len));
			hmac(cases[i].md, key, bytes_str("Key Pad for IKEv2"), pad);
			hmac(cases[i].md, bytes_of(pad, prf->len), wr_done(&w), want);
			ck_assert_int_eq(auth_psk(crypto, prf, key, bytes_of(message, sizeof(message)),
						  bytes_of(nonce, sizeof(nonce)), bytes_of(sk_p, prf->len),
						  bytes_of(id, sizeof(id)), got),
					 GW_OK);
			ck_assert_mem_eq(got, want, prf->len);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { conversations_of_strongswan, formula };

	return run_tests_with("auth_psk", setup, teardown, tests, ARRAY_LEN(tests));
}
