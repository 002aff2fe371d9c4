/* AUTH by shared key (RFC 7296 2.15): prf(prf(PSK, "Key Pad for IKEv2"), <signed octets>). */
#ifndef IKE_AUTH_PSK_H
#define IKE_AUTH_PSK_H

#include "ike/keymat.h"

/*
 * `message`: the sender's whole IKE_SA_INIT as sent; `nonce`: the other side's; `sk_p`: SK_pi or SK_pr of the sender;
 * `id_body`: its ID payload without the generic header. out: prf->len octets.
 */
MUST_USE enum gw_err auth_psk(struct crypto *c, const struct prf_alg *prf, struct bytes psk, struct bytes message,
			      struct bytes nonce, struct bytes sk_p, struct bytes id_body, uint8_t *out);

#endif
