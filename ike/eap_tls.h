/*
 * EAP-TLS as server (RFC 5216; RFC 9190 for TLS 1.3): TLS records in fragments, both ways, one a round. The handshake
 * is core/crypto/tls_server.h's. The method is `eap_tls` of eap_method.h. A handshake under way cannot go to another
 * node.
 */
#ifndef IKE_EAP_TLS_H
#define IKE_EAP_TLS_H

#include "core/err.h"

enum eap_tls_limits {
	EAP_TLS_MESSAGE_MAX = 32768, /* octets of one message of the peer's, all fragments */
};

enum eap_tls_flags { EAP_TLS_LENGTH = 0x80, EAP_TLS_MORE = 0x40, EAP_TLS_START = 0x20 };

/* Type data of one packet (RFC 5216 3.1, 3.2). */
struct eap_tls_packet {
	uint8_t flags;
	uint32_t length; /* of the whole message; with EAP_TLS_LENGTH */
	struct bytes data;
};

MUST_USE enum gw_err eap_tls_parse(struct bytes type_data, struct eap_tls_packet *out);
void eap_tls_write(struct writer *w, const struct eap_tls_packet *p);

#endif
