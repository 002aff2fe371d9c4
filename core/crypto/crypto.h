/*
 * OpenSSL 3 behind a few calls. Every algorithm is fetched once, in crypto_create(); scratch contexts are reused, so
 * nothing below allocates per message unless it says so. A struct crypto belongs to one thread. No global state is
 * kept by us; a private OSSL_LIB_CTX is used.
 */
#ifndef CORE_CRYPTO_CRYPTO_H
#define CORE_CRYPTO_CRYPTO_H

#include "core/crypto/alg.h"
#include "core/err.h"
#include "core/rng.h"
#include "core/secret.h"

struct crypto;

/* NULL when OpenSSL lacks something we need; `e` names it. destroy takes NULL. */
struct crypto *crypto_create(struct err *e);
void crypto_destroy(struct crypto *c);

/* ---- prf (RFC 7296 2.13) ---- */

/* out = prf(key, parts[0] | parts[1] | ...), alg->len octets. Any key length. */
MUST_USE enum gw_err crypto_prf(struct crypto *c, const struct prf_alg *alg, struct bytes key, const struct bytes *parts,
				size_t count, uint8_t *out);

/* prf+(key, parts...) of `n` octets, at most 255 * alg->len (RFC 7296 2.13). */
MUST_USE enum gw_err crypto_prf_plus(struct crypto *c, const struct prf_alg *alg, struct bytes key,
				     const struct bytes *parts, size_t count, uint8_t *out, size_t n);

/* SHA-1 of the concatenation, 20 octets: NAT detection (RFC 7296 2.23). */
MUST_USE enum gw_err crypto_sha1(struct crypto *c, const struct bytes *parts, size_t count, uint8_t out[20]);
/* SHA-256, 32 octets: cookies, digests. */
MUST_USE enum gw_err crypto_sha256(struct crypto *c, const struct bytes *parts, size_t count, uint8_t out[32]);

/* ---- key exchange ---- */

struct dh_key; /* our private key of one exchange; owned by who made it */

MUST_USE enum gw_err dh_generate(struct crypto *c, const struct dh_alg *alg, struct dh_key **out);
void dh_destroy(struct dh_key *k); /* wipes; NULL is fine */
const struct dh_alg *dh_alg_of(const struct dh_key *k);
/* Our KE data as on the wire: left-padded MODP (RFC 7296 3.4), X|Y without 04 for ECP (RFC 5903 7), raw for X25519/448. */
struct bytes dh_public(const struct dh_key *k);
/*
 * g^ir as RFC 7296 2.14 / 5903 9 / 8031 want it. A peer's value that is out of range, off the curve, of the wrong length
 * or that gives the all-zero secret (RFC 8031 2.1... 3.2): GW_EMALFORMED. `out` must be empty.
 */
MUST_USE enum gw_err dh_shared(struct crypto *c, struct dh_key *k, struct bytes peer, struct secret *out);
/* The private key as octets, for replicated state, and back. Import recomputes nothing: the public value is given too. */
MUST_USE enum gw_err dh_export(const struct dh_key *k, struct secret *out);
MUST_USE enum gw_err dh_import(struct crypto *c, const struct dh_alg *alg, struct bytes priv, struct bytes pub,
			       struct dh_key **out);

/* ---- encryption with integrity: SK payloads and ESP alike ---- */

struct cipher_suite {
	const struct encr_alg *encr;
	uint16_t key_bits;
	const struct integ_alg *integ; /* NULL with an AEAD */
};

/* Octets of SK_e / encryption keying material, salt included. */
size_t suite_encr_key_len(const struct cipher_suite *s);
/* Octets of SK_a; 0 with an AEAD. */
size_t suite_integ_key_len(const struct cipher_suite *s);
size_t suite_iv_len(const struct cipher_suite *s);
size_t suite_icv_len(const struct cipher_suite *s);
/* Plaintext must be a multiple of this (1 or 16). */
size_t suite_block(const struct cipher_suite *s);
enum { SUITE_TEXT = 64 };
/* "aes256gcm16", "aes256-sha256" */
const char *suite_text(const struct cipher_suite *s, char buf[SUITE_TEXT]);

/* One direction of one suite, keyed. About 1.3 kB with its OpenSSL contexts: for busy ESP SAs only. */
struct cipher;
enum cipher_dir { CIPHER_SEAL, CIPHER_OPEN };

MUST_USE enum gw_err cipher_create(struct crypto *c, const struct cipher_suite *s, enum cipher_dir dir,
				   struct bytes encr_key, struct bytes integ_key, struct cipher **out);
void cipher_destroy(struct cipher *k); /* wipes; NULL is fine */

/*
 * Encrypts `text` in place and writes the ICV. AEAD: `aad` is authenticated; `tail` must be empty.
 * Otherwise the MAC is over aad | iv | ciphertext | tail (`tail`: ESN's upper half, RFC 4303 2.2.1).
 * n is a multiple of suite_block(). iv has suite_iv_len() octets; the caller keeps AEAD and CTR IVs unique per key.
 */
MUST_USE enum gw_err cipher_seal(struct cipher *k, struct bytes iv, struct bytes aad, struct bytes tail, uint8_t *text,
				 size_t n, uint8_t *icv);
/* Verifies first (constant time), then decrypts in place. GW_EAUTH leaves `text` undefined. */
MUST_USE enum gw_err cipher_open(struct cipher *k, struct bytes iv, struct bytes aad, struct bytes tail, uint8_t *text,
				 size_t n, const uint8_t *icv);

/*
 * The same with a scratch cipher that lives in `c`, keyed for this one call (IKE: no context is kept per SA).
 */
MUST_USE enum gw_err crypto_seal(struct crypto *c, const struct cipher_suite *s, struct bytes encr_key,
				 struct bytes integ_key, struct bytes iv, struct bytes aad, uint8_t *text, size_t n,
				 uint8_t *icv);
MUST_USE enum gw_err crypto_open(struct crypto *c, const struct cipher_suite *s, struct bytes encr_key,
				 struct bytes integ_key, struct bytes iv, struct bytes aad, uint8_t *text, size_t n,
				 const uint8_t *icv);

#endif
