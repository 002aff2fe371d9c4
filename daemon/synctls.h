/*
 * TLS 1.3 of the sync link on a connected, non-blocking socket: OpenSSL behind a few calls, and the keys that a
 * connection may be made with. See daemon/synclink.h for what it is used for.
 */
#ifndef DAEMON_SYNCTLS_H
#define DAEMON_SYNCTLS_H

#include "core/env.h"
#include "daemon/pairkeys.h"
#include "daemon/synclink.h"

struct synctls;
struct ssl_ctx_st;

enum { SYNCTLS_TEXT = 160 };

enum synctls_result {
	SYNCTLS_OK,
	SYNCTLS_WAIT, /* until the descriptor is ready */
	SYNCTLS_FAILED,
};

/* The newest secret's key first, then the one before it while it is still good. */
struct synctls_keys {
	struct ssl_ctx_st *tls; /* owned */
	void *lib;		/* owned OSSL_LIB_CTX */
	const struct env *env;	/* borrowed */
	const char *cluster, *client, *server;
	struct synctls_key {
		struct secret key;
		uint8_t id[PAIR_KEY_ID];
		mtime until;
	} keys[2];
	unsigned use; /* of keys: what the client tries next */
};

/* `k` stays where it is; borrows env and the names. */
MUST_USE enum gw_err synctls_keys_init(struct synctls_keys *k, const struct env *env, const char *cluster,
				       const char *client, const char *server, struct err *e);
/* The key that was in use stays good until then. The same secret again changes nothing. */
MUST_USE enum gw_err synctls_keys_set(struct synctls_keys *k, struct bytes secret, mtime until, struct err *e);
/* The client failed with one secret: the next attempt is with the other, if there is one. */
void synctls_keys_next(struct synctls_keys *k, mtime now);
void synctls_keys_clear(struct synctls_keys *k);

/* The fd stays the caller's. NULL: out of memory. */
struct synctls *synctls_create(struct synctls_keys *k, int fd, bool client);
void synctls_destroy(struct synctls *t);
/* SYNCTLS_FAILED: *why and text. */
enum synctls_result synctls_handshake(struct synctls *t, enum synclink_refusal *why, char text[SYNCTLS_TEXT]);
bool synctls_wants_write(const struct synctls *t);
enum synctls_result synctls_read(struct synctls *t, void *buf, size_t cap, size_t *n, char text[SYNCTLS_TEXT]);
enum synctls_result synctls_write(struct synctls *t, struct bytes out, size_t *n, char text[SYNCTLS_TEXT]);
/* There are octets that need no reading from the socket. */
bool synctls_pending(const struct synctls *t);
/* Says that nothing follows; does not wait for an answer. */
void synctls_goodbye(struct synctls *t);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
const char *synctls_text(const struct synctls *t);

#endif
