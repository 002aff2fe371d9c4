#include "ike/eap_tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "config/load.h"
#include "core/crypto/tls_server.h"
#include "tests/check_main.h"
#include "tests/ike/eap_peer.h"
#include "tests/ike/fake_env.h"

/* ---- certificates: each signs itself; who is let in is the test's to say ---- */

struct self_made {
	EVP_PKEY *key;
	X509 *x;
	unsigned char *der;
	size_t der_n;
};

/* `padding` octets of a comment make it large. */
static struct self_made make_cert(const char *name, size_t padding)
{
	struct self_made m = { .key = EVP_EC_gen("P-256"), .x = X509_new() };
	X509_NAME *subject = X509_get_subject_name(m.x);
	char *text = calloc(1, padding + 16);
	X509_EXTENSION *comment;
	int n;

	ck_assert(m.key && m.x && text);
	ck_assert_int_eq(X509_set_version(m.x, X509_VERSION_3), 1);
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(m.x), 1), 1);
	X509_gmtime_adj(X509_getm_notBefore(m.x), 0);
	X509_gmtime_adj(X509_getm_notAfter(m.x), 86400);
	ck_assert_int_eq(
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
	ck_assert_int_eq(X509_set_issuer_name(m.x, subject), 1);
	ck_assert_int_eq(X509_set_pubkey(m.x, m.key), 1);
	memset(text, 'c', padding + 1);
	comment = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, text);
	ck_assert_ptr_nonnull(comment);
	ck_assert_int_eq(X509_add_ext(m.x, comment, -1), 1);
	X509_EXTENSION_free(comment);
	free(text);
	ck_assert_int_gt(X509_sign(m.x, m.key, EVP_sha256()), 0);
	n = i2d_X509(m.x, &m.der);
	ck_assert_int_gt(n, 0);
	m.der_n = (size_t)n;
	return m;
}

static void drop_cert(struct self_made *m)
{
	EVP_PKEY_free(m->key);
	X509_free(m->x);
	OPENSSL_free(m->der);
}

static struct sign_key *key_of(struct keyring *ring, const struct self_made *m)
{
	BIO *b = BIO_new(BIO_s_mem());
	struct sign_key *out = NULL;
	struct err e = { 0 };
	char *text;
	long n;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(b, m->key, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(b, &text);
	ck_assert_msg(sign_key_decode(ring, bytes_of(text, (size_t)n), &out, &e) == GW_OK, "%s", e.text);
	BIO_free(b);
	return out;
}

/* ---- the scene ---- */

static struct fake_env env;
static struct crypto *c;
static struct settings *settings;
static struct keyring *ring;
static struct sign_key *key;
static struct tls_server *tls;
static struct self_made ours, theirs;
static struct eap_cfg cfg;
static struct eap_server server;
static struct eap *eap;
static struct eap_packet last; /* what the authenticator said */
static enum eap_verdict verdict;
static bool let_in;
static unsigned judged, rounds;

/* the client */
static SSL_CTX *client_ctx;
static SSL *client;
static BIO *client_in, *client_out; /* owned by client */

static enum gw_err judge(void *arg, const struct bytes *certs, size_t count, struct bytes identity, struct secret *user,
			 struct err *why)
{
	(void)arg;
	judged++;
	ck_assert_uint_ge(count, 1);
	ck_assert(bytes_equal(certs[0], bytes_of(theirs.der, theirs.der_n)));
	ck_assert(bytes_equal(identity, bytes_str("carol")));
	return let_in ? secret_copy(user, bytes_str("carol@example.org"))
		      : err_set(why, GW_EAUTH, "its certificate is not liked");
}

static void setup_with(size_t padding_ours, size_t padding_theirs)
{
	static const char yaml[] = "connections: {}\n";
	struct config_report report;
	struct cert chain[1];
	struct err e = { 0 };

	fake_env_init(&env);
	c = crypto_create(&e);
	settings = config_load_text("f", bytes_str(yaml), NULL, &report);
	config_report_clear(&report);
	ring = keyring_create();
	ck_assert(c && settings && ring);
	ours = make_cert("gateway", padding_ours);
	theirs = make_cert("carol", padding_theirs);
	key = key_of(ring, &ours);
	ck_assert_int_eq(cert_read(bytes_of(ours.der, ours.der_n), &chain[0], &e), GW_OK);
	ck_assert_msg(tls_server_create(chain, 1, key, &tls, &e) == GW_OK, "%s", e.text);
	cfg = (struct eap_cfg){ 0 };
	server = (struct eap_server){
		.crypto = c,
		.rng = &env.rng.rng,
		.settings = settings,
		.methods = CONN_AUTH_EAP_TLS,
		.name = bytes_str("gw"),
		.cfg = &cfg,
		.tls = tls,
		.judge = judge,
	};
	eap = eap_create();
	let_in = true;
	judged = rounds = 0;
	client_ctx = SSL_CTX_new(TLS_client_method());
	ck_assert_ptr_nonnull(client_ctx);
}

static void setup(void)
{
	setup_with(10, 10);
}

static void teardown(void)
{
	SSL_free(client);
	client = NULL;
	SSL_CTX_free(client_ctx);
	eap_destroy(eap);
	tls_server_destroy(tls);
	tls = NULL;
	sign_key_destroy(key);
	key = NULL;
	keyring_destroy(ring);
	drop_cert(&ours);
	drop_cert(&theirs);
	settings_unref(settings);
	crypto_destroy(c);
}

static void make_client(int version, bool with_cert)
{
	client = SSL_new(client_ctx);
	client_in = BIO_new(BIO_s_mem());
	client_out = BIO_new(BIO_s_mem());
	ck_assert(client && client_in && client_out);
	SSL_set_bio(client, client_in, client_out);
	BIO_set_mem_eof_return(client_in, -1);
	ck_assert_int_eq(SSL_set_min_proto_version(client, version), 1);
	ck_assert_int_eq(SSL_set_max_proto_version(client, version), 1);
	SSL_set_connect_state(client);
	if (!with_cert)
		return;
	ck_assert_int_eq(SSL_use_certificate(client, theirs.x), 1);
	ck_assert_int_eq(SSL_use_PrivateKey(client, theirs.key), 1);
}

static void say(struct bytes packet)
{
	struct writer w = wr_of(last.p, sizeof(last.p));

	verdict = eap_receive(eap, &server, packet, &w);
	ck_assert(!w.bad && w.n >= 4 && w.n <= EAP_PACKET_MAX);
	last.n = w.n;
	rounds++;
}

static void answer(uint8_t type, struct bytes data)
{
	struct eap_packet p = eap_response(last.p[1], type, data);

	say(eap_bytes(&p));
}

static void say_tls(uint8_t flags, uint32_t length, struct bytes data)
{
	uint8_t buf[EAP_PACKET_MAX];
	struct writer w = wr_of(buf, sizeof(buf));

	eap_tls_write(&w, &(struct eap_tls_packet){ flags, length, data });
	ck_assert(!w.bad);
	answer(EAP_TLS, wr_done(&w));
}

static struct eap_tls_packet said(void)
{
	struct eap_tls_packet p;

	ck_assert_int_eq(eap_tls_parse(eap_request_data(&last, EAP_TLS), &p), GW_OK);
	return p;
}

static void begin(void)
{
	struct writer w = wr_of(last.p, sizeof(last.p));

	ck_assert_int_eq(eap_start(eap, &server, &w), GW_OK);
	last.n = w.n;
	answer(EAP_IDENTITY, bytes_str("carol"));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	ck_assert_uint_eq(said().flags, EAP_TLS_START);
	ck_assert_uint_eq(said().data.n, 0);
}

/* One message of the server's, in all its fragments, to the client. */
static void take_message(void)
{
	size_t got = 0, all = 0;

	for (bool first = true;; first = false) {
		struct eap_tls_packet p = said();
		bool more = p.flags & EAP_TLS_MORE;

		ck_assert_uint_eq(p.flags & EAP_TLS_START, 0);
		ck_assert_int_eq((p.flags & EAP_TLS_LENGTH) != 0, first && more);
		if (first)
			all = p.length;
		ck_assert_int_eq(BIO_write(client_in, p.data.p, (int)p.data.n), (int)p.data.n);
		got += p.data.n;
		if (!more)
			break;
		say_tls(0, 0, (struct bytes){ 0 });
		ck_assert_int_eq(verdict, EAP_GOES_ON);
	}
	ck_assert(all == 0 || all == got);
}

/* What the client has to say, in fragments of `size`; or an acknowledgement. */
static void give_message(size_t size)
{
	static uint8_t all[65536];
	size_t n = BIO_ctrl_pending(client_out), at = 0;

	ck_assert_uint_le(n, sizeof(all));
	if (n > 0)
		ck_assert_int_eq(BIO_read(client_out, all, (int)n), (int)n);
	do {
		size_t part = n - at < size ? n - at : size;
		bool more = at + part < n;

		say_tls((uint8_t)((more ? EAP_TLS_MORE : 0) | (at == 0 && more ? EAP_TLS_LENGTH : 0)), (uint32_t)n,
			bytes_of(all + at, part));
		at += part;
		if (more) {
			ck_assert_int_eq(verdict, EAP_GOES_ON);
			ck_assert_uint_eq(said().flags, 0);
			ck_assert_uint_eq(said().data.n, 0);
		}
	} while (at < n);
}

/* Until EAP is over. */
static void converse(size_t fragment)
{
	begin();
	(void)SSL_do_handshake(client);
	give_message(fragment);
	while (verdict == EAP_GOES_ON) {
		uint8_t octet;

		ck_assert_uint_lt(rounds, 200);
		take_message();
		if (SSL_do_handshake(client) == 1)
			(void)SSL_read(client, &octet, 1);
		give_message(fragment);
	}
}

static void expect_success(int version)
{
	uint8_t material[128];
	bool v13 = version == TLS1_3_VERSION;
	const char *label = v13 ? "EXPORTER_EAP_TLS_Key_Material" : "client EAP encryption";

	ck_assert_msg(verdict == EAP_SUCCEEDED, "%s", eap_reason(eap));
	ck_assert_uint_eq(last.p[0], EAP_CODE_SUCCESS);
	ck_assert_int_eq(SSL_export_keying_material(client, material, sizeof(material), label, strlen(label),
						    (const uint8_t *)"\x0d", v13, v13),
			 1);
	ck_assert(bytes_equal(eap_msk(eap), bytes_of(material, 64)));
	ck_assert(bytes_equal(eap_user(eap), bytes_str("carol@example.org")));
	ck_assert_uint_eq(judged, 1);
}

static void expect_failure(const char *reason)
{
	ck_assert_int_eq(verdict, EAP_FAILED);
	ck_assert_uint_eq(last.p[0], EAP_CODE_FAILURE);
	ck_assert_str_eq(eap_reason(eap), reason);
	ck_assert_uint_eq(eap_msk(eap).n, 0);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

START_TEST(success)
{
	make_client(versions[_i], true);
	converse(1400);
	expect_success(versions[_i]);
}
END_TEST

/* RFC 9190 2.5: TLS 1.3 ends with an encrypted octet of zero, and the client's acknowledgement. */
START_TEST(protected_end)
{
	uint8_t octet = 1;

	make_client(TLS1_3_VERSION, true);
	begin();
	(void)SSL_do_handshake(client);
	give_message(4000);
	take_message();
	ck_assert_int_eq(SSL_do_handshake(client), 1);
	give_message(4000);
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	take_message();
	ck_assert_int_eq(SSL_read(client, &octet, 1), 1);
	ck_assert_uint_eq(octet, 0);
	say_tls(0, 0, (struct bytes){ 0 });
	expect_success(TLS1_3_VERSION);
}
END_TEST

START_TEST(large_certificates)
{
	teardown();
	setup_with(9000, 9000);
	make_client(versions[_i], true);
	converse(500);
	expect_success(versions[_i]);
	ck_assert_uint_gt(rounds, 25);
}
END_TEST

START_TEST(certificate_refused)
{
	let_in = false;
	make_client(versions[_i], true);
	converse(1400);
	expect_failure("its certificate is not liked");
	ck_assert(eap_guessed(eap));
	/* The client has heard why: an alert. */
	ck_assert_int_ne(SSL_get_error(client, -1), SSL_ERROR_NONE);
}
END_TEST

START_TEST(no_certificate)
{
	make_client(versions[_i], false);
	converse(1400);
	expect_failure("TLS: peer did not return a certificate");
	ck_assert_uint_eq(judged, 0);
}
END_TEST

/* The client does not trust us and says so. */
static int distrust(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

START_TEST(client_distrusts_us)
{
	SSL_CTX_set_cert_verify_callback(client_ctx, distrust, NULL);
	SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
	make_client(versions[_i], true);
	converse(1400);
	ck_assert_int_eq(verdict, EAP_FAILED);
	ck_assert_msg(strstr(eap_reason(eap), "alert") != NULL, "%s", eap_reason(eap));
}
END_TEST

START_TEST(old_version)
{
	SSL_CTX_set_security_level(client_ctx, 0);
	make_client(TLS1_1_VERSION, true);
	converse(1400);
	expect_failure("TLS: unsupported protocol");
}
END_TEST

START_TEST(not_tls)
{
	begin();
	say_tls(0, 0, bytes_str("this is not TLS at all"));
	if (verdict == EAP_GOES_ON)
		say_tls(0, 0, (struct bytes){ 0 });
	ck_assert_int_eq(verdict, EAP_FAILED);
	ck_assert_uint_eq(eap_msk(eap).n, 0);
}
END_TEST

/* ---- fragments that lie ---- */

START_TEST(bad_fragments)
{
	static uint8_t data[1000];
	static const struct {
		uint8_t flags;
		uint32_t length;
		size_t n;
		const char *reason;
	} rows[] = {
		{ EAP_TLS_LENGTH | EAP_TLS_MORE, EAP_TLS_MESSAGE_MAX + 1, 100,
		  "a message of TLS is longer than is taken" },
		{ EAP_TLS_LENGTH | EAP_TLS_MORE, UINT32_MAX, 100, "a message of TLS is longer than is taken" },
		{ EAP_TLS_LENGTH, 99, 100, "a message of TLS is longer than announced" },
		{ EAP_TLS_LENGTH, 101, 100, "a message of TLS is shorter than announced" },
		{ EAP_TLS_MORE, 0, 0, "an empty fragment" },
		{ 0, 0, 0, "it acknowledges what was not sent" },
	};

	begin();
	say_tls(rows[_i].flags, rows[_i].length, bytes_of(data, rows[_i].n));
	expect_failure(rows[_i].reason);
}
END_TEST

START_TEST(cut_length)
{
	begin();
	answer(EAP_TLS, bytes_of("\x80\0\0", 3));
	expect_failure("malformed packet of EAP-TLS");
}
END_TEST

/* Without an announced length it ends at the same bound. */
START_TEST(endless)
{
	static uint8_t data[1000];
	int n = 0;

	begin();
	do {
		say_tls(EAP_TLS_MORE, 0, bytes_of(data, sizeof(data)));
		n++;
	} while (verdict == EAP_GOES_ON && n < 1000);
	expect_failure("a message of TLS is longer than is taken");
	ck_assert_int_eq(n, EAP_TLS_MESSAGE_MAX / 1000 + 1);
}
END_TEST

/* ---- another node ---- */

static void fail_over(void)
{
	static uint8_t buf[16384];
	struct writer w = wr_of(buf, sizeof(buf));

	eap_encode(eap, &w);
	ck_assert(!w.bad);
	eap_destroy(eap);
	ck_assert_int_eq(eap_decode(wr_done(&w), &eap), GW_OK);
}

/* One clean failure, and a new conversation succeeds. */
START_TEST(handshake_is_lost)
{
	make_client(TLS1_3_VERSION, true);
	begin();
	(void)SSL_do_handshake(client);
	give_message(1400);
	take_message();
	(void)SSL_do_handshake(client);
	fail_over();
	give_message(4000);
	expect_failure("its eap-tls began on another node, which is gone");
	ck_assert(!eap_guessed(eap));

	eap_destroy(eap);
	eap = eap_create();
	SSL_free(client);
	make_client(TLS1_3_VERSION, true);
	converse(1400);
	expect_success(TLS1_3_VERSION);
}
END_TEST

static bool no_room(void *arg)
{
	(void)arg;
	return false;
}

/* Where there is no room for a handshake none is begun: nothing is held for who tries. */
START_TEST(no_room_for_a_handshake)
{
	make_client(TLS1_3_VERSION, true);
	server.may_begin_tls = no_room;
	begin();
	(void)SSL_do_handshake(client);
	give_message(1400);
	expect_failure("TLS cannot begin: too many handshakes of its source are under way");
	ck_assert(!eap_guessed(eap));
}
END_TEST

/* After success everything there is to know is in the record. */
START_TEST(success_is_kept)
{
	make_client(TLS1_2_VERSION, true);
	converse(1400);
	fail_over();
	expect_success(TLS1_2_VERSION);
	ck_assert_uint_eq(eap_method_in_use(eap), CONN_AUTH_EAP_TLS);
}
END_TEST

/* A client that knows MSCHAPv2 is offered it first, and gets TLS by a Nak. */
START_TEST(by_nak)
{
	struct writer w = wr_of(last.p, sizeof(last.p));

	server.methods |= CONN_AUTH_EAP_MSCHAPV2;
	ck_assert_int_eq(eap_start(eap, &server, &w), GW_OK);
	last.n = w.n;
	answer(EAP_IDENTITY, bytes_str("carol"));
	answer(EAP_NAK, bytes_of("\x0d", 1));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	ck_assert_uint_eq(said().flags, EAP_TLS_START);
}
END_TEST

START_TEST(stands_alone)
{
	ck_assert(eap_stands_alone(CONN_AUTH_EAP_TLS));
	ck_assert(!eap_stands_alone(CONN_AUTH_EAP_MSCHAPV2));
	ck_assert(!eap_stands_alone(CONN_AUTH_EAP));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("eap_tls");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, success, 0, 2);
	tcase_add_test(t, protected_end);
	tcase_add_loop_test(t, large_certificates, 0, 2);
	tcase_add_loop_test(t, certificate_refused, 0, 2);
	tcase_add_loop_test(t, no_certificate, 0, 2);
	tcase_add_loop_test(t, client_distrusts_us, 0, 2);
	tcase_add_test(t, old_version);
	tcase_add_test(t, not_tls);
	tcase_add_loop_test(t, bad_fragments, 0, 6);
	tcase_add_test(t, cut_length);
	tcase_add_test(t, endless);
	tcase_add_test(t, handshake_is_lost);
	tcase_add_test(t, no_room_for_a_handshake);
	tcase_add_test(t, success_is_kept);
	tcase_add_test(t, by_nak);
	tcase_add_test(t, stands_alone);
	return check_main("eap_tls", t);
}
