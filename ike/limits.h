/* Every bound of the engine in one place. What an operator may change is in config/model.h (struct ike_cfg) instead. */
#ifndef IKE_LIMITS_H
#define IKE_LIMITS_H

enum ike_limits {
	IKE_HEADER_LEN = 28,
	IKE_MAX_MESSAGE = 65535,     /* after reassembly */
	IKE_MAX_PAYLOADS = 64,       /* in one message */
	IKE_MAX_PROPOSALS = 40,      /* in one SA payload */
	IKE_MAX_TRANSFORMS = 400,    /* in one SA payload, all proposals */
	IKE_MAX_NOTIFIES = 32,       /* kept of one message; more: malformed */
	IKE_MAX_DELETES = 8,
	IKE_MAX_DELETE_SPIS = 64,    /* acted on of one message */
	IKE_MAX_CERTS = 16,
	IKE_MAX_VENDORS = 24,
	IKE_MAX_CFG_ATTRS = 48,
	IKE_MAX_SELECTORS = 32,      /* in one TS payload: more are ignored, they only widen the offer */
	IKE_CHILD_SELECTORS = 16,    /* kept per side of a CHILD SA */
	IKE_NONCE_MIN = 16,          /* RFC 7296 2.10 */
	IKE_NONCE_MAX = 256,
	IKE_NONCE_OURS = 32,
	IKE_COOKIE_MAX = 64,
	IKE_MAX_ID = 512,            /* octets of identification data */
	IKE_FRAG_MAX = 64,           /* fragments of one message */
	IKE_FRAG_MAX_BYTES = 65535,  /* of one message, all fragments */
	IKE_FRAG_STRANGERS = 64 * 1024 * 1024, /* octets of fragments of all that are not authenticated */
	IKE_TLS_MAX = 1000,          /* EAP-TLS handshakes at a time: some 30 kB each */
	IKE_TLS_PER_SOURCE = 16,
	IKE_CHILD_MAX = 16,          /* CHILD SAs of one IKE SA, rekeys under way included */
	IKE_PRF_MAX = 64,
};

#endif
