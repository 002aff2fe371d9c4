/*
 * Authorities and chains (RFC 5280 6.1, RFC 4945 5): from a peer's leaf over intermediates to an anchor, with bounded
 * work whatever was sent.
 */
#ifndef CORE_CRYPTO_TRUST_H
#define CORE_CRYPTO_TRUST_H

#include "core/crypto/cert.h"

struct anchor {
	struct cert cert; /* borrows from der */
	uint8_t *der;	  /* owned */
	struct verify_key *key;
	uint8_t key_hash[20]; /* SHA-1 of the key: what CERTREQ names (RFC 7296 3.7) */
};

/* Certificates of one file; immutable. */
struct trust {
	struct anchor *anchors;
	size_t count;
};

/* From PEM or DER. The keys live in the ring. GW_EMALFORMED, GW_EUNSUPPORTED, GW_ENOTFOUND with text. */
MUST_USE enum gw_err trust_create(struct keyring *r, struct bytes file, struct trust **out, struct err *e);
void trust_destroy(struct trust *t); /* NULL is fine */

struct cert_chain {
	const struct cert
		*certs[CERT_CHAIN_MAX]; /* the leaf, intermediates; issued by the next one, the last by `anchor` */
	size_t count;
	const struct anchor *anchor;
	size_t trust; /* which of those that were given */
};

/*
 * `pool`: other certificates that may help (CERT payloads), in any order. `now` in seconds since 1970. `trusts` with
 * NULLs in it are skipped. GW_EAUTH with the most telling reason: expired, unknown authority, bad signature, not meant
 * for it.
 */
MUST_USE enum gw_err chain_build(struct crypto *c, const struct trust *const *trusts, size_t trust_count,
				 const struct cert *leaf, const struct cert *pool, size_t pool_count, int64_t now,
				 struct cert_chain *out, struct err *e);

/* Whether a leaf may authenticate an IKE peer (RFC 4945 5.1.3.2, 5.1.3.12); text says why not. */
MUST_USE enum gw_err leaf_check(const struct cert *leaf, int64_t now, struct err *e);

#endif
