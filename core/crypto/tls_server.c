#include "core/crypto/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "core/crypto/ossl.h"

struct tls_server {
	SSL_CTX *ctx;
	size_t talks;
};

struct tls_talk {
	struct tls_server *server; /* back-pointer */
	SSL *ssl;
	BIO *in, *out; /* borrowed from ssl */
	bool done;
	/* during a step */
	tls_judge *judge;
	void *arg;
	struct err *why;
};

/* ---- the peer's certificate ---- */

/* Copies of the peer's chain in DER, its own first; to be freed one by one. */
static size_t copy_chain(X509_STORE_CTX *store, struct bytes *out)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
	X509 *own = X509_STORE_CTX_get0_cert(store);
	size_t n = 0;

	for (int i = -1; n < TLS_PEER_CERTS && i < sk_X509_num(sent); i++) {
		X509 *x = i < 0 ? own : sk_X509_value(sent, i);
		unsigned char *der = NULL;
		int len;

		if (!x || (i >= 0 && x == own))
			continue;
		len = i2d_X509(x, &der);
		if (len > 0)
			out[n++] = bytes_of(der, (size_t)len);
	}
	return n;
}

/* Stands in for OpenSSL's own verification, which knows neither our clock nor our rules. */
static int judge_peer(X509_STORE_CTX *store, void *nothing)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_talk *t = SSL_get_app_data(ssl);
	struct bytes certs[TLS_PEER_CERTS] = { 0 };
	size_t n = copy_chain(store, certs);
	bool fine = n > 0 && t->judge && t->judge(t->arg, certs, n, t->why) == GW_OK;

	(void)nothing;
	for (size_t i = 0; i < n; i++)
		OPENSSL_free((void *)(uintptr_t)certs[i].p);
	X509_STORE_CTX_set_error(store, fine ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
	return fine;
}

/* ---- the server ---- */

static bool use_chain(SSL_CTX *ctx, const struct cert *chain, size_t count)
{
	if (count == 0 || SSL_CTX_use_certificate_ASN1(ctx, (int)chain[0].der.n, chain[0].der.p) != 1)
		return false;
	for (size_t i = 1; i < count; i++) {
		const unsigned char *at = chain[i].der.p;
		X509 *x = d2i_X509(NULL, &at, (long)chain[i].der.n);

		if (!x || SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			return false;
		}
	}
	return true;
}

static void set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_security_level(ctx, 2);
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	(void)SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES");
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					       SSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, (long)CERT_MAX * CERT_CHAIN_MAX);
	(void)SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, judge_peer, NULL);
}

enum gw_err tls_server_create(const struct cert *chain, size_t count, const struct sign_key *key,
			      struct tls_server **out, struct err *e)
{
	struct tls_server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, GW_ENOMEM, "out of memory");
	/* As in crypto_create: no file decides what we run on. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1)
		s->ctx = SSL_CTX_new_ex(sign_key_lib(key), NULL, TLS_server_method());
	if (!s->ctx) {
		tls_server_destroy(s);
		return err_set(e, ossl_fail(GW_EUNSUPPORTED), "OpenSSL makes no TLS server");
	}
	set_rules(s->ctx);
	if (!use_chain(s->ctx, chain, count) || SSL_CTX_use_PrivateKey(s->ctx, sign_key_pkey(key)) != 1) {
		tls_server_destroy(s);
		return err_set(e, ossl_fail(GW_EUNSUPPORTED), "TLS does not take this certificate and its key");
	}
	*out = s;
	return GW_OK;
}

void tls_server_destroy(struct tls_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

/* ---- handshakes ---- */

enum gw_err tls_talk_create(struct tls_server *s, struct tls_talk **out)
{
	struct tls_talk *t;
	BIO *in, *to;

	if (s->talks >= TLS_TALKS_MAX)
		return GW_ELIMIT;
	t = calloc(1, sizeof(*t));
	in = BIO_new(BIO_s_mem());
	to = BIO_new(BIO_s_mem());
	if (t) {
		t->ssl = SSL_new(s->ctx);
		t->server = s;
		s->talks++;
	}
	if (!t || !t->ssl || !in || !to) {
		BIO_free(in);
		BIO_free(to);
		tls_talk_destroy(t);
		return ossl_fail(GW_ENOMEM);
	}
	(void)BIO_set_mem_eof_return(in, -1);
	(void)BIO_set_mem_eof_return(to, -1);
	SSL_set_bio(t->ssl, in, to); /* owns both from now on */
	t->in = in;
	t->out = to;
	(void)SSL_set_app_data(t->ssl, t);
	SSL_set_accept_state(t->ssl);
	*out = t;
	return GW_OK;
}

void tls_talk_destroy(struct tls_talk *t)
{
	if (!t)
		return;
	t->server->talks--;
	SSL_free(t->ssl);
	free(t);
}

static enum tls_verdict fail(struct tls_talk *t, struct err *why)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	if (!why->text[0])
		(void)err_set(why, GW_EAUTH, "TLS: %.150s", text ? text : "the handshake breaks off");
	(void)ossl_fail(GW_EAUTH);
	t->done = false;
	return TLS_FAILED;
}

/* The handshake is over on both sides; TLS 1.3 says so, encrypted. */
static enum tls_verdict finish(struct tls_talk *t, struct err *why)
{
	static const uint8_t over = 0;

	t->done = true;
	if (SSL_version(t->ssl) >= TLS1_3_VERSION && SSL_write(t->ssl, &over, 1) != 1)
		return fail(t, why);
	return TLS_DONE;
}

/* After the end only an alert may come. */
static enum tls_verdict step_after(struct tls_talk *t, struct err *why)
{
	uint8_t octet;
	int n = SSL_read(t->ssl, &octet, 1);

	if (n <= 0 && SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_READ)
		return TLS_DONE;
	return fail(t, why);
}

enum tls_verdict tls_talk_step(struct tls_talk *t, struct bytes in, tls_judge *judge, void *arg, struct err *why)
{
	int n;

	*why = (struct err){ 0 };
	ERR_clear_error();
	if (in.n > INT32_MAX || (in.n > 0 && BIO_write(t->in, in.p, (int)in.n) != (int)in.n))
		return fail(t, why);
	if (t->done)
		return step_after(t, why);
	t->judge = judge;
	t->arg = arg;
	t->why = why;
	n = SSL_accept(t->ssl);
	t->judge = NULL;
	t->why = NULL;
	if (n == 1)
		return finish(t, why);
	return SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_READ ? TLS_GOES_ON : fail(t, why);
}

enum gw_err tls_talk_output(struct tls_talk *t, struct secret *out)
{
	size_t n = BIO_ctrl_pending(t->out);

	if (n == 0)
		return GW_OK;
	TRY(secret_alloc(out, n));
	if (BIO_read(t->out, out->p, (int)n) == (int)n)
		return GW_OK;
	secret_clear(out);
	return ossl_fail(GW_EINTERNAL);
}

enum gw_err tls_talk_key(struct tls_talk *t, uint8_t out[TLS_KEY_LEN])
{
	static const char label12[] = "client EAP encryption", label13[] = "EXPORTER_EAP_TLS_Key_Material";
	static const uint8_t type = 13; /* of EAP-TLS: the context of TLS 1.3 */
	uint8_t material[2 * TLS_KEY_LEN];
	bool v13 = SSL_version(t->ssl) >= TLS1_3_VERSION;
	const char *label = v13 ? label13 : label12;
	int ok = !t->done ? 0
			  : SSL_export_keying_material(t->ssl, material, sizeof(material), label, strlen(label), &type,
						       v13 ? 1 : 0, v13);

	if (ok == 1)
		memcpy(out, material, TLS_KEY_LEN);
	secret_wipe(material, sizeof(material));
	return ok == 1 ? GW_OK : ossl_fail(GW_EINTERNAL);
}

const char *tls_talk_version(const struct tls_talk *t)
{
	return SSL_get_version(t->ssl);
}
