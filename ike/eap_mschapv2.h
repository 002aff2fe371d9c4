/*
 * EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2-02 over RFC 2759): packets as values, for both sides; the server's
 * method is `eap_mschapv2` of eap_method.h. Nothing that the peer can measure tells an unknown user from a wrong
 * password: the same is computed and the same is said.
 */
#ifndef IKE_EAP_MSCHAPV2_H
#define IKE_EAP_MSCHAPV2_H

#include "core/crypto/mschapv2.h"

enum mschapv2_op {
	MSCHAPV2_OP_CHALLENGE = 1,
	MSCHAPV2_OP_RESPONSE = 2,
	MSCHAPV2_OP_SUCCESS = 3,
	MSCHAPV2_OP_FAILURE = 4,
	MSCHAPV2_OP_CHANGE_PASSWORD = 7,
};

/* RFC 2759 6. */
enum mschapv2_error { MSCHAPV2_E_AUTHENTICATION = 691, MSCHAPV2_E_CHANGING_PASSWORD = 709 };

enum { MSCHAPV2_NAME_MAX = 253 };

/* Views borrow from the packet. */
struct mschapv2_packet {
	uint8_t op, id;
	/* Challenge: 16 octets of challenge. Response: the peer's challenge and its NT-Response. Else NULL. */
	const uint8_t *challenge, *response;
	struct bytes name; /* Challenge, Response */
	struct bytes text; /* Success, Failure; empty in a response */
};

MUST_USE enum gw_err mschapv2_parse(struct bytes type_data, struct mschapv2_packet *out);

void mschapv2_write_challenge(struct writer *w, uint8_t id, const uint8_t challenge[MSCHAPV2_CHALLENGE],
			      struct bytes name);
void mschapv2_write_response(struct writer *w, uint8_t id, const uint8_t peer_challenge[MSCHAPV2_CHALLENGE],
			     const uint8_t response[MSCHAPV2_RESPONSE], struct bytes name);
void mschapv2_write_success(struct writer *w, uint8_t id, const uint8_t proof[MSCHAPV2_PROOF]);
/* `challenge`: for the retry, when one is allowed. */
void mschapv2_write_failure(struct writer *w, uint8_t id, enum mschapv2_error error, bool retry,
			    const uint8_t challenge[MSCHAPV2_CHALLENGE]);
/* "S=..." of a Success packet, as octets. */
MUST_USE enum gw_err mschapv2_read_proof(struct bytes text, uint8_t out[MSCHAPV2_PROOF]);

/* What comes after the last backslash: the name that is hashed (RFC 2759 4). */
struct bytes mschapv2_bare_name(struct bytes name);

#endif
