/*
 * Stateless cookies (RFC 7296 2.6): version octet | HMAC-SHA-256(secret, SPIi | family | IPi | Ni), cut to 16 octets.
 * The secret of version v is secret[v & 1]. Two secrets are valid at a time; the newer makes cookies. Shared between
 * the nodes of a pair (DESIGN.md §3), hence exportable.
 */
#ifndef IKE_COOKIE_H
#define IKE_COOKIE_H

#include "core/addr.h"
#include "core/crypto/crypto.h"
#include "core/env.h"

enum { COOKIE_LEN = 17, COOKIE_SECRET = 32 };

struct cookie_jar {
	uint8_t secret[2][COOKIE_SECRET];
	uint8_t version; /* of the current secret; the one before is valid as well */
	bool have_previous;
	mtime rotate; /* when the next one is due */
};

MUST_USE enum gw_err cookie_init(struct cookie_jar *j, const struct env *env);
void cookie_clear(struct cookie_jar *j);
/* Changes the secret when it is due. */
MUST_USE enum gw_err cookie_rotate(struct cookie_jar *j, const struct env *env);
MUST_USE enum gw_err cookie_make(const struct cookie_jar *j, struct crypto *c, const struct addr *from, uint64_t spi_i,
				 struct bytes nonce, uint8_t out[COOKIE_LEN]);
bool cookie_valid(const struct cookie_jar *j, struct crypto *c, const struct addr *from, uint64_t spi_i,
		  struct bytes nonce, struct bytes cookie);

#endif
