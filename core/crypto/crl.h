/*
 * Lists of revoked certificates (RFC 5280 5), whole ones of one authority. A list is taken only with a good signature
 * of a certificate that the operator trusts, so where it comes from need not be trusted.
 */
#ifndef CORE_CRYPTO_CRL_H
#define CORE_CRYPTO_CRL_H

#include "core/crypto/trust.h"

enum { CRL_MAX = 4 << 20, CRL_ISSUER = 16 }; /* octets of a file; of the hash that stands for an issuer */

struct crl;

/*
 * From PEM or DER, in one piece. GW_EMALFORMED, GW_ELIMIT, GW_EUNSUPPORTED (a delta, or a list of some certificates
 * only), GW_EAUTH (of nobody in `trust`, or a wrong signature), with text. Whether it is in force is asked later.
 */
MUST_USE enum gw_err crl_create(struct crypto *c, const struct trust *trust, struct bytes file, struct crl **out,
				struct err *e);
void crl_destroy(struct crl *l); /* NULL is fine */

bool crl_has(const struct crl *l, struct bytes serial);
size_t crl_count(const struct crl *l);
struct bytes crl_issuer(const struct crl *l); /* first octets of the SHA-256 of its name, as in ike/cert_path.h */
int64_t crl_made(const struct crl *l);	      /* when it was made, seconds since 1970: a later one replaces it */
int64_t crl_next(const struct crl *l);	      /* until when it is in force; INT64_MAX: it does not say */

#endif
