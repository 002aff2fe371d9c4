/*
 * EAP as authenticator (RFC 3748), without I/O: the peer's packet comes in, ours comes out. IKEv2 carries one packet
 * each way in a round of IKE_AUTH and repeats by itself what is lost (RFC 7296 2.16), so nothing here waits or repeats
 * by time. An odd packet (wrong identifier, a type that was not asked for) gets our request once more, a few times.
 *
 * Order: Identity is always asked for (Windows wants it); then the first method that the server allows, and after a Nak
 * the one that the peer likes best of the others. All is bounded: rounds, odd packets, sizes.
 */
#ifndef IKE_EAP_H
#define IKE_EAP_H

#include "config/model.h"
#include "core/crypto/crypto.h"

enum eap_code { EAP_CODE_REQUEST = 1, EAP_CODE_RESPONSE, EAP_CODE_SUCCESS, EAP_CODE_FAILURE };

enum eap_type {
	EAP_IDENTITY = 1,
	EAP_NOTIFICATION = 2,
	EAP_NAK = 3,
	EAP_MD5 = 4,
	EAP_GTC = 6,
	EAP_TLS = 13,
	EAP_MSCHAPV2 = 26,
	EAP_EXPANDED = 254,
};

enum eap_limits {
	EAP_HEAD_LEN = 5, /* of requests and responses, with the type */
	EAP_ROUNDS_MAX = 80,
	EAP_ODD_MAX = 3,
	EAP_NAME_MAX = 253,	  /* octets of an identity or user name (RFC 7542 2.2) */
	EAP_PACKET_MAX = 4096,	  /* of the peer's */
	EAP_FRAGMENT_OURS = 1024, /* of EAP-TLS; with what IKE adds it fits any path in one piece */
	EAP_REASON = 200,
};

/*
 * What an authenticator has at hand, for one call; all borrowed. Nothing of it is remembered, so a conversation may go
 * on under another engine.
 */
struct tls_server;
struct eap_server {
	struct crypto *crypto;
	struct rng *rng;
	const struct settings *settings; /* its users */
	uint32_t methods;		 /* enum conn_auth: which are allowed */
	struct bytes name;		 /* that MSCHAPv2 tells the peer */
	struct bytes fallback;		 /* identity of a peer that tells none: its IDi */
	const struct eap_cfg *cfg;
	struct tls_server *tls;		  /* NULL: no EAP-TLS */
	bool (*may_begin_tls)(void *arg); /* asked when a handshake is about to begin: is there room? NULL: always */
	/*
	 * Asked before a password of `user` (without a domain) is looked at: false when it was guessed at too often.
	 * The answer is that of a wrong password then. And told of each wrong one. NULL: nobody counts.
	 */
	bool (*may_try)(void *arg, struct bytes user);
	void (*wrong)(void *arg, struct bytes user);
	/*
	 * EAP-TLS: the peer's certificates in DER, its own first, and what it called itself. GW_OK: it may come in, as
	 * *user. NULL: nobody may.
	 */
	enum gw_err (*judge)(void *arg, const struct bytes *certs, size_t count, struct bytes identity,
			     struct secret *user, struct err *why);
	void *arg;
};

enum eap_verdict {
	EAP_GOES_ON,   /* a request was written */
	EAP_SUCCEEDED, /* EAP-Success was written; key and user are there */
	EAP_FAILED,    /* EAP-Failure was written; eap_reason() */
};

struct eap; /* one conversation */

/* NULL: out of memory. */
struct eap *eap_create(void);
void eap_destroy(struct eap *e); /* wipes; NULL is fine */

/* The first request. */
MUST_USE enum gw_err eap_start(struct eap *e, const struct eap_server *s, struct writer *out);
/* One packet of the peer. Something is written in any case, and never more than EAP_PACKET_MAX octets. */
enum eap_verdict eap_receive(struct eap *e, const struct eap_server *s, struct bytes packet, struct writer *out);

/* As the peer told it, or the fallback; before that: empty. Not authenticated. */
struct bytes eap_identity(const struct eap *e);
/* Who was authenticated: the user that a password is of, or the subject of a certificate. After success. */
struct bytes eap_user(const struct eap *e);
/* 64 octets, after success. */
struct bytes eap_msk(const struct eap *e);
/* Why it failed, in the operator's words. */
const char *eap_reason(const struct eap *e);
/* enum conn_auth of the method in use; 0: none yet. */
uint32_t eap_method_in_use(const struct eap *e);
/* True once for each reason: something has failed since it was asked last, be it that EAP goes on. */
bool eap_take_failure(struct eap *e);
/* Failed by what the peer does not know (password, key), not by what it cannot do. */
bool eap_guessed(const struct eap *e);
/* "eap-md5", "eap-99" */
enum { EAP_TYPE_TEXT = 24 };
const char *eap_type_text(uint8_t type, char buf[EAP_TYPE_TEXT]);
/*
 * True when all methods in `wanted` (enum conn_auth) prove the server as well and withstand guessing: then a peer that
 * wants to may do without our certificate (RFC 5998 4).
 */
bool eap_stands_alone(uint32_t wanted);

/*
 * The whole conversation as bytes, and back, for the other node of a pair. What cannot be written (a TLS handshake
 * under way) is remembered as lost: it fails with the peer's next packet.
 */
void eap_encode(const struct eap *e, struct writer *w);
/* GW_EMALFORMED, GW_ENOMEM; *out is NULL then. */
MUST_USE enum gw_err eap_decode(struct bytes record, struct eap **out);

#endif
