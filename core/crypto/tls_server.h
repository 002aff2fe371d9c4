/*
 * TLS 1.2 and 1.3 as a server over memory, for EAP-TLS: handshakes, always with a client certificate, which the caller
 * judges; no sessions, no tickets, no renegotiation. What is not a handshake is nobody's business here, but for the one
 * octet that ends TLS 1.3 (RFC 9190 2.5).
 */
#ifndef CORE_CRYPTO_TLS_SERVER_H
#define CORE_CRYPTO_TLS_SERVER_H

#include "core/crypto/cert.h"

struct tls_server; /* certificate and key; of one thread */
struct tls_talk;   /* one handshake; some 30 kB */

enum tls_limits {
	TLS_KEY_LEN = 64,
	TLS_PEER_CERTS = CERT_CHAIN_MAX,
	TLS_TALKS_MAX = 2000, /* handshakes at a time of one server: they are large, and strangers begin them */
};

/* `chain`: ours and intermediates, copied. `key` lives as long as the server. */
MUST_USE enum gw_err tls_server_create(const struct cert *chain, size_t count, const struct sign_key *key,
				       struct tls_server **out, struct err *e);
void tls_server_destroy(struct tls_server *s); /* NULL is fine; its handshakes must be over */

/* The peer's certificates in DER, its own first. GW_OK: it may come in. */
typedef enum gw_err tls_judge(void *arg, const struct bytes *certs, size_t count, struct err *why);

/* GW_ELIMIT: too many are under way. */
MUST_USE enum gw_err tls_talk_create(struct tls_server *s, struct tls_talk **out);
void tls_talk_destroy(struct tls_talk *t); /* NULL is fine */

enum tls_verdict { TLS_GOES_ON, TLS_DONE, TLS_FAILED };
/* Takes what the peer sent; `judge` is asked at most once, within. After TLS_FAILED `why` has the reason. */
enum tls_verdict tls_talk_step(struct tls_talk *t, struct bytes in, tls_judge *judge, void *arg, struct err *why);
/* What is to be sent: after any step, an alert after a failed one. Takes it out. */
MUST_USE enum gw_err tls_talk_output(struct tls_talk *t, struct secret *out);
/* After TLS_DONE: the first 64 octets of the key material of EAP-TLS (RFC 5216 2.3, RFC 9190 2.3). */
MUST_USE enum gw_err tls_talk_key(struct tls_talk *t, uint8_t out[TLS_KEY_LEN]);
/* "TLSv1.3"; static. */
const char *tls_talk_version(const struct tls_talk *t);

#endif
