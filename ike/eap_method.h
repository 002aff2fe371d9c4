/* A method of EAP, and what methods see of a conversation. For eap.c and the methods only. */
#ifndef IKE_EAP_METHOD_H
#define IKE_EAP_METHOD_H

#include "core/secret.h"
#include "ike/eap.h"

struct eap_method {
	uint8_t type;
	uint32_t auth; /* its bit of enum conn_auth */
	const char *name;
	bool alone; /* proves the server, too, and withstands guessing: enough without a certificate of ours (RFC 5998
		       4) */
	/* Makes e->state and writes the type data of the first request. */
	enum gw_err (*begin)(struct eap *e, const struct eap_server *s, struct writer *out);
	/*
	 * Type data of a response. Writes that of the next request unless it is over: e->user and e->msk are set with
	 * EAP_SUCCEEDED, e->reason with EAP_FAILED.
	 */
	enum eap_verdict (*receive)(struct eap *e, const struct eap_server *s, struct bytes data, struct writer *out);
	void (*end)(void *state); /* wipes and frees */
	/* The state as bytes, and back; NULL: it cannot be written. */
	void (*encode)(const void *state, struct writer *w);
	enum gw_err (*decode)(struct reader r, void **state);
};

extern const struct eap_method eap_mschapv2, eap_tls;

enum eap_phase { EAP_PHASE_IDENTITY, EAP_PHASE_METHOD, EAP_PHASE_OVER };

struct eap {
	enum eap_phase phase;
	uint8_t id; /* of our last request */
	uint8_t rounds, odd;
	bool talking; /* the peer has answered within the method: no Nak any more */
	bool lost;    /* the method's state stayed on another node */
	bool guessed;
	bool news;	 /* the reason has not been taken */
	uint32_t tried; /* enum conn_auth: methods that were offered */
	const struct eap_method *method;
	void *state;		/* of the method; owned */
	struct secret request;	/* our last one */
	struct secret identity; /* as told */
	struct secret user;
	struct secret msk;
	char reason[EAP_REASON];
};

/* Sets the reason; returns EAP_FAILED. */
enum eap_verdict eap_fail(struct eap *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
