/* What struct crypto is made of. Only for the files of this folder. */
#ifndef CORE_CRYPTO_OSSL_H
#define CORE_CRYPTO_OSSL_H

#include "core/crypto/crypto.h"
#include "core/crypto/sign.h"

#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

/* ---- hashes and HMAC (prf.c) ---- */

enum hash_id { HASH_SHA1, HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_COUNT };
enum { HASH_LEN_MAX = 64, HASH_BLOCK_MAX = 128 };

struct hash {
	EVP_MD *md;
	size_t len, block;
};

/* HMAC (RFC 2104) over plain digests: key states are made once and copied, which beats EVP_MAC at every size. */
struct hmac {
	const struct hash *hash;
	EVP_MD_CTX *inner, *outer, *work;
};

MUST_USE enum gw_err hash_start(struct crypto *c, struct err *e);
void hash_stop(struct crypto *c);

/* hash->len octets. */
MUST_USE enum gw_err hash_parts(struct crypto *c, const struct hash *h, const struct bytes *parts, size_t count,
				uint8_t *out);

MUST_USE enum gw_err hmac_init(struct hmac *m, const struct hash *h);
void hmac_clear(struct hmac *m);
MUST_USE enum gw_err hmac_key(struct hmac *m, struct bytes key);
/* The whole MAC of hash->len octets. */
MUST_USE enum gw_err hmac_parts(const struct hmac *m, const struct bytes *parts, size_t count, uint8_t *out);

/* The HMAC behind an integrity algorithm, a prf. Never fails for descriptors of alg.h. */
enum hash_id hash_of_integ(const struct integ_alg *a);

/* ---- ciphers (cipher.c, aead.c, cipher_mac.c) ---- */

enum encr_kind { KIND_GCM, KIND_CHACHA, KIND_CCM, KIND_CBC, KIND_CTR, KIND_COUNT };
enum { KEY_SIZES = 3 };

struct message {
	const uint8_t *iv; /* explicit IV, of the suite's length */
	struct bytes aad, tail;
	uint8_t *text; /* in place; never NULL, even when n is 0 */
	int n;
};

struct cipher {
	const struct cipher_ops *ops;
	const struct encr_alg *encr;
	const struct integ_alg *integ; /* NULL: AEAD */
	EVP_CIPHER_CTX *ctx;	       /* owned */
	struct hmac *mac;	       /* AEAD: NULL. Owned, or the scratch one of struct crypto */
	enum cipher_dir dir;
	uint8_t salt[4];
};

/* `key` is NULL when the context has been keyed before. */
struct cipher_ops {
	bool (*setup)(EVP_CIPHER_CTX *ctx); /* once a context; NULL: nothing to do */
	enum gw_err (*seal)(struct cipher *k, const uint8_t *key, const struct message *m, uint8_t *icv);
	enum gw_err (*open)(struct cipher *k, const uint8_t *key, const struct message *m, const uint8_t *icv);
};

extern const struct cipher_ops aead_gcm, aead_ccm; /* ChaCha20-Poly1305 is driven as GCM is */
extern const struct cipher_ops cipher_mac_cbc, cipher_mac_ctr;

MUST_USE enum gw_err cipher_start(struct crypto *c, struct err *e);
void cipher_stop(struct crypto *c);

/* ---- key exchange (dh.c) ---- */

enum { DH_GROUPS = 12 };

/* X25519 or X448 as functions of a provider (ecx.c), which they are borrowed from. */
struct ecx {
	void *provider;
	OSSL_FUNC_keymgmt_new_fn *key_new;
	OSSL_FUNC_keymgmt_free_fn *key_free;
	OSSL_FUNC_keymgmt_import_fn *key_import;
	OSSL_FUNC_keyexch_newctx_fn *ctx_new;
	OSSL_FUNC_keyexch_freectx_fn *ctx_free;
	OSSL_FUNC_keyexch_init_fn *init;
	OSSL_FUNC_keyexch_set_peer_fn *set_peer;
	OSSL_FUNC_keyexch_derive_fn *derive;
};

/* False: the provider has none of that name. */
bool ecx_find(OSSL_PROVIDER *p, const char *name, struct ecx *out);
/* out = scalar * point with coordinate u, all of n octets, as many as the curve's. GW_EMALFORMED: the product is zero.
 */
MUST_USE enum gw_err ecx_multiply(const struct ecx *x, const uint8_t *scalar, const uint8_t *u, uint8_t *out, size_t n);

/* What is made once for a group; which of it is set depends on the kind. */
struct dh_group {
	struct ecx ecx;
	EC_GROUP *ec;
	BIGNUM *order;
	BIGNUM *g, *p, *p_less_1;
	BN_MONT_CTX *mont;
};

MUST_USE enum gw_err dh_start(struct crypto *c, struct err *e);
void dh_stop(struct crypto *c);

/* ---- signatures (verify.c, keyring.c) ---- */

struct verify_key {
	OSSL_LIB_CTX *lib; /* borrowed */
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *ctx; /* for verifying; EdDSA: NULL */
	enum key_kind kind;
};

MUST_USE enum gw_err verify_key_make(OSSL_LIB_CTX *lib, struct bytes spki, struct verify_key **out);
void verify_stop(struct crypto *c);
const struct hash *sign_hash_of(const struct crypto *c, enum sign_hash h);
/* Padding and hashes of an RSA signature. */
bool sign_pad(EVP_PKEY_CTX *ctx, const struct sign_scheme *s, const EVP_MD *md, size_t salt);
/* For TLS, which signs by itself (tls_server.c). Borrowed. */
EVP_PKEY *sign_key_pkey(const struct sign_key *k);
OSSL_LIB_CTX *sign_key_lib(const struct sign_key *k);
uint8_t *sign_join(const struct bytes *parts, size_t count, size_t *n);

struct crypto {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *provider;
	struct rng *rng;
	struct hash hash[HASH_COUNT];
	struct hmac mac[HASH_COUNT]; /* scratch */
	EVP_CIPHER *encr[KIND_COUNT][KEY_SIZES];
	EVP_CIPHER_CTX *scratch[KIND_COUNT][KEY_SIZES]; /* made at first use */
	struct dh_group group[DH_GROUPS];
	struct verify_key leaf[KEY_KINDS]; /* scratch */
};

/*
 * Drops what OpenSSL queued for this thread about a failure and returns `code`. Strangers make calls fail: their errors
 * must not be read by a later, unrelated call (TLS looks at the queue).
 */
enum gw_err ossl_fail(enum gw_err code);

#endif
