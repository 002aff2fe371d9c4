/*
 * Signatures: RSA (PKCS#1 v1.5 and PSS), ECDSA on P-256, P-384 and P-521, Ed25519, Ed448. Public keys come as
 * SubjectPublicKeyInfo (RFC 5280 4.1); private keys live in OpenSSL objects and never leave them.
 */
#ifndef CORE_CRYPTO_SIGN_H
#define CORE_CRYPTO_SIGN_H

#include "core/crypto/crypto.h"

enum key_kind { KEY_UNKNOWN, KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519, KEY_ED448, KEY_KINDS };
/* "RSA", "ECDSA P-256" */
const char *key_kind_name(enum key_kind k);

/* Numbers of SIGNATURE_HASH_ALGORITHMS (RFC 7427 7, RFC 8420). */
enum sign_hash { SIGN_SHA1 = 1, SIGN_SHA2_256 = 2, SIGN_SHA2_384 = 3, SIGN_SHA2_512 = 4, SIGN_IDENTITY = 5 };

enum sign_family { SIGN_RSA_PKCS1, SIGN_RSA_PSS, SIGN_ECDSA, SIGN_EDDSA };

struct sign_scheme {
	enum sign_family family;
	enum sign_hash hash;
	enum key_kind kind; /* Ed25519, Ed448; else KEY_UNKNOWN */
	const char *name;   /* "rsa-pss-sha256" */
	struct bytes id;    /* AlgorithmIdentifier in DER, as RFC 7427 A wants it written */
};

/* NULL: none such. For EdDSA the hash is SIGN_IDENTITY. */
const struct sign_scheme *sign_scheme_of(enum sign_family family, enum sign_hash hash, enum key_kind kind);
/*
 * What an AlgorithmIdentifier (DER, nothing behind it) says; *salt is PSS's salt length. NULL: unknown, or a
 * combination that we do not do (PSS with two different hashes).
 */
const struct sign_scheme *sign_scheme_parse(struct bytes id, size_t *salt);
bool sign_scheme_fits(const struct sign_scheme *s, enum key_kind kind);

/* ---- verifying ---- */

struct verify_key;

/* Kind of a SubjectPublicKeyInfo; KEY_UNKNOWN: not ours. RSA: *bits, else 0. */
enum key_kind spki_kind(struct bytes spki, size_t *bits);

/*
 * GW_EMALFORMED, GW_EUNSUPPORTED (kind; RSA below 2048 or above 8192 bits). *out is borrowed and good until the next
 * call: for the one or two signatures of a peer, without an allocation on curves. Of who is asked often:
 * keyring_verify_key().
 */
MUST_USE enum gw_err verify_key_scratch(struct crypto *c, struct bytes spki, struct verify_key **out);
enum key_kind verify_key_kind(const struct verify_key *k);

/*
 * A signature over parts[0] | parts[1] | ... GW_EAUTH: wrong, or not of that scheme. ECDSA in DER (RFC 3279 2.2.3).
 * `salt` is PSS's, else ignored.
 */
MUST_USE enum gw_err verify_signature(struct crypto *c, struct verify_key *k, const struct sign_scheme *s, size_t salt,
				      const struct bytes *parts, size_t count, struct bytes signature);

/* ECDSA signatures as r | s of a fixed length (RFC 4754 3), and in DER. The buffers have SIGNATURE_MAX octets. */
enum { SIGNATURE_MAX = 2048 };
MUST_USE enum gw_err ecdsa_to_der(enum key_kind kind, struct bytes raw, uint8_t *out, size_t *n);
MUST_USE enum gw_err ecdsa_to_raw(enum key_kind kind, struct bytes der, uint8_t *out, size_t *n);

/* ---- signing ---- */

struct keyring;	 /* an OpenSSL library context for private keys, which may bring providers of their own */
struct sign_key; /* belongs to a ring */

/* NULL: OpenSSL does not start, or out of memory. */
struct keyring *keyring_create(void);
void keyring_destroy(struct keyring *r); /* NULL is fine; its keys must be gone */

/* 20 octets. */
MUST_USE enum gw_err keyring_sha1(struct keyring *r, struct bytes data, uint8_t *out);
/* A public key that lives as long as its owner wants and the ring does. */
MUST_USE enum gw_err keyring_verify_key(struct keyring *r, struct bytes spki, struct verify_key **out);
void verify_key_destroy(struct verify_key *k); /* NULL is fine */

/* A private key from PEM or DER, or from an OSSL_STORE URI ("file:...", "pkcs11:..." with that provider installed). */
MUST_USE enum gw_err sign_key_decode(struct keyring *r, struct bytes text, struct sign_key **out, struct err *e);
MUST_USE enum gw_err sign_key_open(struct keyring *r, const char *uri, struct sign_key **out, struct err *e);
void sign_key_destroy(struct sign_key *k); /* NULL is fine */
enum key_kind sign_key_kind(const struct sign_key *k);
/* Whether this is the private key of that public one. */
bool sign_key_fits(const struct sign_key *k, struct bytes spki);

/* Signs parts[0] | parts[1] | ...; out has SIGNATURE_MAX octets. PSS: salt as long as the hash. ECDSA in DER. */
MUST_USE enum gw_err sign_make(struct crypto *c, const struct sign_key *k, const struct sign_scheme *s,
			       const struct bytes *parts, size_t count, uint8_t *out, size_t *n);

/* PSS's salt as we write it, which RFC 7427's identifiers say: as long as the hash. */
size_t sign_hash_len(enum sign_hash h);

#endif
