/*
 * What is remembered of a peer's certificates while its SA lives, for revocation: the authority by name, and of each
 * certificate of the chain its issuer and serial. In a record: name | 0, then 16 octets of the SHA-256 of the issuer's
 * name, length of the serial 1, serial; the leaf first.
 */
#ifndef IKE_CERT_PATH_H
#define IKE_CERT_PATH_H

#include "core/crypto/trust.h"
#include "core/secret.h"

enum { CERT_PATH_ISSUER = 16 };

MUST_USE enum gw_err cert_path_make(struct crypto *c, const struct cert_chain *chain, const char *authority,
				    struct secret *out);
/* Whether a record's bytes are one. */
bool cert_path_is_sound(struct bytes path);
const char *cert_path_authority(struct bytes path); /* of a sound one */

/* One certificate after the other, from the leaf: begin with cert_path_first(). False: no more. */
struct reader cert_path_first(struct bytes path);
bool cert_path_next(struct reader *r, struct bytes *issuer, struct bytes *serial);

#endif
