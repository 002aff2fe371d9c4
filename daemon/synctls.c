#include "daemon/synctls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define CIPHER "TLS_AES_256_GCM_SHA384"
#define GROUPS "X25519:P-384:P-256"

enum { IDENTITY_MAX = 256, READ_AHEAD = 32768 };

struct synctls {
	SSL *ssl;		   /* owned */
	struct synctls_keys *keys; /* borrowed */
	char identity[IDENTITY_MAX];
	bool refused;
	enum synclink_refusal why;
	char text[SYNCTLS_TEXT]; /* why it was refused; else what was agreed on */
};

static const uint8_t alpn[] = "\x0egateway-sync/1";

/* "gateway sync 1|<cluster>|<client>|<server>|0a0b0c0d": names have no '|'. */
static size_t identity_of(const struct synctls_keys *k, const uint8_t id[PAIR_KEY_ID], char buf[IDENTITY_MAX])
{
	int n = snprintf(buf, IDENTITY_MAX, "gateway sync 1|%s|%s|%s|%02x%02x%02x%02x", k->cluster, k->client,
			 k->server, id[0], id[1], id[2], id[3]);

	return (size_t)n;
}

static enum synctls_result refuse(struct synctls *t, enum synclink_refusal why, const char *text)
{
	if (!t->refused) {
		t->refused = true;
		t->why = why;
		(void)snprintf(t->text, sizeof(t->text), "%s", text);
	}
	return SYNCTLS_FAILED;
}

/* ---- keys ---- */

static SSL_SESSION *session_of(SSL *ssl, const struct synctls_key *key)
{
	static const unsigned char aes256[] = { 0x13, 0x02 };
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes256);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && cipher && SSL_SESSION_set1_master_key(s, key->key.p, key->key.n) == 1 &&
	    SSL_SESSION_set_cipher(s, cipher) == 1 && SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *idlen, SSL_SESSION **sess)
{
	struct synctls *t = SSL_get_app_data(ssl);
	const struct synctls_key *key = &t->keys->keys[t->keys->use];

	*id = NULL;
	*idlen = 0;
	*sess = NULL;
	/* After a HelloRetryRequest of another hash there is nothing that we could offer. */
	if (md && EVP_MD_get_size(md) != PAIR_SYNC_KEY)
		return 0;
	*idlen = identity_of(t->keys, key->id, t->identity);
	*id = (const unsigned char *)t->identity;
	*sess = session_of(ssl, key);
	return *sess != NULL;
}

static int find_session(SSL *ssl, const unsigned char *id, size_t idlen, SSL_SESSION **sess)
{
	struct synctls *t = SSL_get_app_data(ssl);
	char identity[IDENTITY_MAX], shown[SYNCTLS_TEXT];
	size_t n = 0;

	*sess = NULL;
	for (size_t i = 0; i < ARRAY_LEN(t->keys->keys); i++) {
		const struct synctls_key *key = &t->keys->keys[i];

		/* The old secret's time may be over: its slot is cleared by whoever sets or tries keys. */
		if (key->key.n == 0 || mtime_reached(key->until, clock_now(t->keys->env->clock)))
			continue;
		n = identity_of(t->keys, key->id, identity);
		if (bytes_equal(bytes_of(id, idlen), bytes_of(identity, n))) {
			*sess = session_of(ssl, key);
			return *sess != NULL;
		}
	}
	n = n > 0 ? n : identity_of(t->keys, t->keys->keys[0].id, identity);
	(void)snprintf(shown, sizeof(shown), "it says `%.*s`", (int)(idlen < 120 ? idlen : 120), (const char *)id);
	/* All but the ID of the secret, at the end, fits: only the secret differs. */
	if (idlen == n && memcmp(id, identity, n - (size_t)PAIR_KEY_ID * 2) == 0)
		(void)refuse(t, SYNCLINK_SECRET, "the secrets of the two nodes differ");
	else
		(void)refuse(t, SYNCLINK_CLUSTER, shown);
	return 0;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
		       unsigned int inlen, void *arg)
{
	struct synctls *t = SSL_get_app_data(ssl);

	(void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, outlen, alpn, sizeof(alpn) - 1, in, inlen) ==
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	(void)refuse(t, SYNCLINK_PROTOCOL, "another version of the sync protocol");
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

enum gw_err synctls_keys_init(struct synctls_keys *k, const struct env *env, const char *cluster, const char *client,
			      const char *server, struct err *e)
{
	*k = (struct synctls_keys){ .env = env, .cluster = cluster, .client = client, .server = server };
	k->lib = OSSL_LIB_CTX_new();
	k->tls = k->lib ? SSL_CTX_new_ex(k->lib, NULL, TLS_method()) : NULL;
	if (!k->tls || SSL_CTX_set_min_proto_version(k->tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(k->tls, CIPHER) != 1 || SSL_CTX_set1_groups_list(k->tls, GROUPS) != 1 ||
	    SSL_CTX_set_num_tickets(k->tls, 0) != 1 || SSL_CTX_set_alpn_protos(k->tls, alpn, sizeof(alpn) - 1) != 0) {
		synctls_keys_clear(k);
		return err_set(e, GW_EUNSUPPORTED, "sync link: OpenSSL has no TLS 1.3 with %s", CIPHER);
	}
	/* No certificate and none accepted: the PSK is the only way in, and it is always joined by a fresh ECDHE. */
	SSL_CTX_set_verify(k->tls, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(k->tls, SSL_SESS_CACHE_OFF);
	/* Buffers stay, so what they held is wiped. */
	(void)SSL_CTX_set_options(k->tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
						  SSL_OP_CLEANSE_PLAINTEXT);
	(void)SSL_CTX_set_mode(k->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_max_early_data(k->tls, 0);
	/* One system call for a record, its header included, and for those behind it. */
	SSL_CTX_set_read_ahead(k->tls, 1);
	SSL_CTX_set_default_read_buffer_len(k->tls, READ_AHEAD);
	SSL_CTX_set_psk_use_session_callback(k->tls, use_session);
	SSL_CTX_set_psk_find_session_callback(k->tls, find_session);
	SSL_CTX_set_alpn_select_cb(k->tls, choose_alpn, NULL);
	return GW_OK;
}

enum gw_err synctls_keys_set(struct synctls_keys *k, struct bytes secret, mtime until, struct err *e)
{
	struct synctls_key fresh = { .until = MTIME_NEVER };
	enum gw_err r = pairkeys_sync(k->env->crypto, secret, k->cluster, k->client, k->server, &fresh.key);

	if (r == GW_OK)
		r = pairkeys_id(k->env->crypto, secret, k->cluster, fresh.id);
	if (r != GW_OK) {
		secret_clear(&fresh.key);
		return err_set(e, r, "sync link: cannot derive keys from the secret");
	}
	if (secret_equal(secret_bytes(&fresh.key), secret_bytes(&k->keys[0].key))) {
		secret_clear(&fresh.key);
		return GW_OK;
	}
	secret_clear(&k->keys[1].key);
	k->keys[1] = k->keys[0];
	k->keys[1].until = until;
	k->keys[0] = fresh;
	k->use = 0;
	return GW_OK;
}

void synctls_keys_next(struct synctls_keys *k, mtime now)
{
	if (k->keys[1].key.n > 0 && mtime_reached(k->keys[1].until, now))
		secret_clear(&k->keys[1].key);
	k->use = k->use == 0 && k->keys[1].key.n > 0 ? 1 : 0;
}

void synctls_keys_clear(struct synctls_keys *k)
{
	SSL_CTX_free(k->tls);
	OSSL_LIB_CTX_free(k->lib);
	for (size_t i = 0; i < ARRAY_LEN(k->keys); i++)
		secret_clear(&k->keys[i].key);
	*k = (struct synctls_keys){ 0 };
}

/* ---- one connection ---- */

struct synctls *synctls_create(struct synctls_keys *k, int fd, bool client)
{
	struct synctls *t = calloc(1, sizeof(*t));

	ERR_clear_error();
	if (t)
		t->ssl = SSL_new(k->tls);
	if (!t || !t->ssl || SSL_set_fd(t->ssl, fd) != 1 || SSL_set_app_data(t->ssl, t) != 1) {
		if (t)
			SSL_free(t->ssl);
		free(t);
		return NULL;
	}
	t->keys = k;
	if (client)
		SSL_set_connect_state(t->ssl);
	else
		SSL_set_accept_state(t->ssl);
	return t;
}

void synctls_destroy(struct synctls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

/* What OpenSSL has against it, in words for people. */
static void describe(int result, char text[SYNCTLS_TEXT])
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	if (reason)
		(void)snprintf(text, SYNCTLS_TEXT, "%s", reason);
	else if (result == SSL_ERROR_ZERO_RETURN)
		(void)snprintf(text, SYNCTLS_TEXT, "closed by the peer");
	else if (result == SSL_ERROR_SYSCALL && errno != 0)
		(void)snprintf(text, SYNCTLS_TEXT, "%s", strerror(errno));
	else
		(void)snprintf(text, SYNCTLS_TEXT, "cut off");
	ERR_clear_error();
}

static enum synctls_result result_of(struct synctls *t, int returned, char text[SYNCTLS_TEXT])
{
	int result = SSL_get_error(t->ssl, returned);

	if (result == SSL_ERROR_WANT_READ || result == SSL_ERROR_WANT_WRITE)
		return SYNCTLS_WAIT;
	describe(result, text);
	return SYNCTLS_FAILED;
}

/* A peer's alert says why it refused us; OpenSSL's own reason why we refused it. */
static enum synclink_refusal refusal_of(unsigned long error)
{
	switch (ERR_GET_REASON(error)) {
	case SSL_R_BINDER_DOES_NOT_VERIFY:
	case SSL_R_TLSV1_ALERT_INTERNAL_ERROR: /* what OpenSSL answers to an identity that nobody knows */
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
	case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
	case SSL_R_DIGEST_CHECK_FAILED:
		return SYNCLINK_SECRET;
	case SSL_R_BAD_PSK:
		return SYNCLINK_SECRET;
	default:
		return SYNCLINK_PROTOCOL;
	}
}

enum synctls_result synctls_handshake(struct synctls *t, enum synclink_refusal *why, char text[SYNCTLS_TEXT])
{
	enum synctls_result r;
	unsigned long error;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(t->ssl);
	if (n == 1) {
		/* Only a PSK gets here; held fast, since everything hangs on it. */
		if (SSL_session_reused(t->ssl) != 1) {
			*why = SYNCLINK_PROTOCOL;
			(void)snprintf(text, SYNCTLS_TEXT, "not by the shared secret");
			return SYNCTLS_FAILED;
		}
		(void)snprintf(t->text, sizeof(t->text), "%s %s", SSL_get_version(t->ssl), SSL_get_cipher(t->ssl));
		return SYNCTLS_OK;
	}
	error = ERR_peek_last_error();
	r = result_of(t, n, text);
	if (r == SYNCTLS_FAILED) {
		*why = refusal_of(error);
		if (t->refused) {
			*why = t->why;
			(void)snprintf(text, SYNCTLS_TEXT, "%s", t->text);
		} else if (ERR_GET_REASON(error) == SSL_R_TLSV1_ALERT_INTERNAL_ERROR) {
			(void)snprintf(text, SYNCTLS_TEXT,
				       "the peer refuses our cluster, node or secret; its log says which");
		}
	}
	return r;
}

bool synctls_wants_write(const struct synctls *t)
{
	return SSL_want_write(t->ssl);
}

enum synctls_result synctls_read(struct synctls *t, void *buf, size_t cap, size_t *n, char text[SYNCTLS_TEXT])
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(t->ssl, buf, cap, n);
	return r == 1 ? SYNCTLS_OK : result_of(t, r, text);
}

enum synctls_result synctls_write(struct synctls *t, struct bytes out, size_t *n, char text[SYNCTLS_TEXT])
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(t->ssl, out.p, out.n, n);
	return r == 1 ? SYNCTLS_OK : result_of(t, r, text);
}

bool synctls_pending(const struct synctls *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

void synctls_goodbye(struct synctls *t)
{
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

const char *synctls_text(const struct synctls *t)
{
	return t->text;
}
