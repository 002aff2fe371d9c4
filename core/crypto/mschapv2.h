/*
 * The functions of MS-CHAP-V2 (RFC 2759 8) and the keys that come of it (RFC 3079 3). Both sides: a server compares
 * what a client makes. Nothing here is constant in its time for different user names; for all passwords it is.
 */
#ifndef CORE_CRYPTO_MSCHAPV2_H
#define CORE_CRYPTO_MSCHAPV2_H

#include "core/crypto/crypto.h"

enum mschapv2_sizes {
	MSCHAPV2_HASH = 16,
	MSCHAPV2_CHALLENGE = 16,
	MSCHAPV2_RESPONSE = 24,
	MSCHAPV2_PROOF = 20, /* the digest within "S=..." of a Success packet */
	MSCHAPV2_MSK = 64,
	MSCHAPV2_PASSWORD_MAX = 256, /* characters of UTF-16 */
};

/*
 * NtPasswordHash: MD4 of the password in UTF-16LE. `password` is UTF-8; GW_EMALFORMED when it is not, GW_ELIMIT when it
 * is too long.
 */
MUST_USE enum gw_err nt_hash(struct bytes password, uint8_t out[MSCHAPV2_HASH]);

/* What both sides say and know in one exchange. */
struct mschapv2 {
	const uint8_t *server_challenge, *peer_challenge; /* MSCHAPV2_CHALLENGE octets each */
	struct bytes user;				  /* without a domain before it (RFC 2759 4) */
	const uint8_t *nt_hash;				  /* of the password */
};

/* GenerateNTResponse (8.1). */
MUST_USE enum gw_err mschapv2_response(struct crypto *c, const struct mschapv2 *x, uint8_t out[MSCHAPV2_RESPONSE]);
/* GenerateAuthenticatorResponse (8.7) for that response, as octets; on the wire it is "S=" and upper-case hexadecimal.
 */
MUST_USE enum gw_err mschapv2_proof(struct crypto *c, const struct mschapv2 *x,
				    const uint8_t response[MSCHAPV2_RESPONSE], uint8_t out[MSCHAPV2_PROOF]);
/*
 * MSK of EAP-MSCHAPv2: the server's MasterReceiveKey and MasterSendKey (RFC 3079 3.3), 16 octets each, then zeros. The
 * same on both sides.
 */
MUST_USE enum gw_err mschapv2_msk(struct crypto *c, const uint8_t hash[MSCHAPV2_HASH],
				  const uint8_t response[MSCHAPV2_RESPONSE], uint8_t out[MSCHAPV2_MSK]);

#endif
