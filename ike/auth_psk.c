#include "ike/auth_psk.h"

#include "ike/limits.h"

enum gw_err auth_psk(struct crypto *c, const struct prf_alg *prf, struct bytes psk, struct bytes message,
		     struct bytes nonce, struct bytes sk_p, struct bytes id_body, uint8_t *out)
{
	uint8_t key[IKE_PRF_MAX], maced_id[IKE_PRF_MAX];
	struct bytes pad = bytes_str("Key Pad for IKEv2");
	struct bytes signed_octets[] = { message, nonce, bytes_of(maced_id, prf->len) };
	enum gw_err rc;

	rc = crypto_prf(c, prf, sk_p, &id_body, 1, maced_id);
	if (rc == GW_OK)
		rc = crypto_prf(c, prf, psk, &pad, 1, key);
	if (rc == GW_OK)
		rc = crypto_prf(c, prf, bytes_of(key, prf->len), signed_octets, ARRAY_LEN(signed_octets), out);
	secret_wipe(key, sizeof(key));
	secret_wipe(maced_id, sizeof(maced_id));
	return rc;
}
