/* PEM (RFC 7468): blocks of base64 between lines of BEGIN and END, anything else around them. */
#ifndef CORE_CRYPTO_PEM_H
#define CORE_CRYPTO_PEM_H

#include "core/err.h"

/*
 * The next block of that label in *text, which moves on behind it. *out has `cap` octets. GW_ENOTFOUND: no more;
 * GW_EMALFORMED: not base64, or no END; GW_ELIMIT: too large.
 */
MUST_USE enum gw_err pem_next(struct bytes *text, const char *label, uint8_t *out, size_t cap, size_t *n);

#endif
