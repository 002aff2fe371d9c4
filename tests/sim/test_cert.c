/* Certificates both ways: methods, refusals, lists of revoked certificates, and other engines between any two messages.
 */
#include <check.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "ike/auth_sig.h"
#include "tests/pki/pki.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

enum { WALL = 1800000000 + 1000 }; /* of the simulation's beginning */

static struct sim s;
static char dir[64];
static struct pki *root, *other;
static struct keyring *ring;
static struct trust *trust;
static char conn[300], more[700];

static void put(const char *name, const char *text, const char *text2)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "%s%s", text, text2 ? text2 : "");
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/* A gateway whose certificate has a key of that kind; `authority`: more lines of it. */
static void world(uint64_t seed, const char *key, const char *authority, bool paired)
{
	struct sim_settings settings = { .local = "{id: gw.example.org, auth: cert, certificates: [gw]}",
					 .conn = conn,
					 .root = more };
	struct pki *mid, *gw;
	struct err e = { 0 };

	(void)snprintf(dir, sizeof(dir), "/tmp/gateway-certs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	root = pki_authority(NULL, "CN=root", NULL);
	other = pki_authority(NULL, "CN=other", NULL);
	mid = pki_authority(root, "CN=mid", NULL);
	gw = pki_issue(mid,
		       &(struct pki_spec){
			       .subject = "CN=gw", .key = key, .san = "DNS:gw.example.org", .purpose = "serverAuth" });
	put("gw.pem", pki_pem(gw), pki_pem(mid));
	put("gw.key", pki_key_pem(gw), NULL);
	put("ca.pem", pki_pem(root), NULL);
	ring = keyring_create();
	ck_assert_int_eq(trust_create(ring, bytes_str(pki_pem(root)), &trust, &e), GW_OK);
	(void)snprintf(conn, sizeof(conn), "    remote: {auth: [psk, cert], authorities: [ca]}\n");
	(void)snprintf(more, sizeof(more),
		       "certificates:\n  gw: {cert: %s/gw.pem, key: %s/gw.key}\n"
		       "authorities:\n  ca: {file: %s/ca.pem%s}\n",
		       dir, dir, dir, authority);
	sim_init(&s, seed, &settings, paired);
	pki_free(mid);
	pki_free(gw);
}

static void done(void)
{
	static const char *const names[] = { "gw.pem", "gw.key", "ca.pem" };
	char path[200];

	sim_check(&s);
	sim_clear(&s);
	trust_destroy(trust);
	keyring_destroy(ring);
	pki_free(root);
	pki_free(other);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

/* A client with its certificate and how it signs. */
struct person {
	struct sim_client *c;
	struct pki *cert;
	struct sign_key *key;
	struct ini_cert ini;
};

static void person(struct person *p, const struct pki *issuer, const char *key, const char *san,
		   const struct sign_scheme *scheme, uint8_t method, uint8_t hashes)
{
	struct err e = { 0 };
	char names[80];

	p->c = sim_client_add(&s, false);
	(void)snprintf(names, sizeof(names), "email:%s", san ? san : p->c->id);
	p->cert = pki_issue(issuer, &(struct pki_spec){ .subject = "CN=person", .key = key, .san = names });
	p->key = NULL;
	ck_assert_int_eq(sign_key_decode(ring, bytes_str(pki_key_pem(p->cert)), &p->key, &e), GW_OK);
	p->ini = (struct ini_cert){ { pki_der(p->cert) }, 1, p->key, scheme, method };
	p->c->ini->self.cert = &p->ini;
	p->c->cfg.trust = trust;
	p->c->cfg.hashes = hashes;
}

static void plain(struct person *p, const struct pki *issuer)
{
	person(p, issuer, NULL, NULL, sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256), AUTH_SIGNATURE, 0x3c);
}

static void leave(struct person *p)
{
	sign_key_destroy(p->key);
	pki_free(p->cert);
}

#define HASHES (1 << SIGN_SHA2_256 | 1 << SIGN_SHA2_384 | 1 << SIGN_SHA2_512 | 1 << SIGN_IDENTITY)

static const struct {
	const char *key;
	enum key_kind kind;
	enum sign_family family;
	enum sign_hash hash;
	uint8_t method, hashes;
} ways[] = {
	{ "P-256", KEY_P256, SIGN_ECDSA, SIGN_SHA2_256, AUTH_SIGNATURE, HASHES },
	{ "P-384", KEY_P384, SIGN_ECDSA, SIGN_SHA2_256, AUTH_SIGNATURE, 1 << SIGN_SHA2_256 },
	{ "P-521", KEY_P521, SIGN_ECDSA, SIGN_SHA2_512, AUTH_SIGNATURE, HASHES },
	{ "P-256", KEY_P256, SIGN_ECDSA, SIGN_SHA2_256, AUTH_ECDSA_256, 0 },
	{ "P-384", KEY_P384, SIGN_ECDSA, SIGN_SHA2_384, AUTH_ECDSA_384, 0 },
	{ "P-521", KEY_P521, SIGN_ECDSA, SIGN_SHA2_512, AUTH_ECDSA_521, 0 },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA1, AUTH_RSA, 0 },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA2_512, AUTH_RSA, 0 },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PKCS1, SIGN_SHA2_384, AUTH_SIGNATURE, HASHES },
	{ "RSA:2048", KEY_RSA, SIGN_RSA_PSS, SIGN_SHA2_256, AUTH_SIGNATURE, HASHES },
	{ "ED25519", KEY_ED25519, SIGN_EDDSA, SIGN_IDENTITY, AUTH_SIGNATURE, HASHES },
	{ "ED448", KEY_ED448, SIGN_EDDSA, SIGN_IDENTITY, AUTH_SIGNATURE, 1 << SIGN_IDENTITY },
};

/* Each way to sign, both sides with such keys; a rekey and a record keep what is known of the certificate. */
START_TEST(every_way)
{
	struct person p;
	const struct ike_sa *sa;

	world(1, ways[_i].key, "", false);
	person(&p, root, ways[_i].key, NULL, sign_scheme_of(ways[_i].family, ways[_i].hash, ways[_i].kind),
	       ways[_i].method, ways[_i].hashes);
	p.c->cfg.ask_cert = _i & 1;
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sa = sim_sa(&s, p.c);
	sim_want(&s, ini_up(p.c->ini) && ini_child_count(p.c->ini) == 1 && sa && sa->peer_auth == CONN_AUTH_CERT);
	sim_want(&s, sa && sa->cert_path.n > 3 && strcmp((const char *)sa->cert_path.p, "ca") == 0);
	sim_want(&s, ini_rekey_ike(p.c->ini));
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && gate_reincarnate(&s.gate));
	sa = sim_sa(&s, p.c);
	sim_want(&s, sa && sa->cert_path.n > 3);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

static void refused(struct person *p, const char *counter)
{
	sim_connect(&s, p->c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, !ini_up(p->c->ini) && p->c->ini->error == N_AUTHENTICATION_FAILED);
	if (gate_stat(&s.gate, counter) == 0)
		sim_fail(&s, "%s is not counted", counter);
	p->c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(p);
	done();
}

START_TEST(stranger)
{
	struct person p;

	world(2, NULL, "", false);
	plain(&p, other);
	refused(&p, "auth_failed_cert");
}
END_TEST

START_TEST(somebody_else)
{
	struct person p;

	world(3, NULL, "", false);
	person(&p, root, NULL, "eve@example.org", sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256), AUTH_SIGNATURE,
	       HASHES);
	refused(&p, "auth_failed_identity");
}
END_TEST

/* Somebody's certificate without the key of it. */
START_TEST(stolen)
{
	struct person p;
	struct pki *mine;
	struct err e;

	world(4, NULL, "", false);
	plain(&p, root);
	mine = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=thief" });
	sign_key_destroy(p.key);
	p.key = NULL;
	ck_assert_int_eq(sign_key_decode(ring, bytes_str(pki_key_pem(mine)), &p.key, &e), GW_OK);
	p.ini.key = p.key;
	pki_free(mine);
	refused(&p, "auth_failed_signature");
}
END_TEST

START_TEST(without_certificate)
{
	struct person p;

	world(5, NULL, "", false);
	plain(&p, root);
	p.ini.count = 0;
	refused(&p, "auth_failed_cert");
}
END_TEST

START_TEST(garbage_for_a_certificate)
{
	static const uint8_t junk[] = { 0x30, 0x82, 0x10, 0x00, 0x30, 0x03, 0x02, 0x01, 0x02 };
	struct person p;

	world(6, NULL, "", false);
	plain(&p, root);
	p.ini.chain[0] = bytes_of(junk, sizeof(junk));
	refused(&p, "auth_failed_cert");
}
END_TEST

/* The method says one curve, the key is of another; and a hash that we never announced. */
START_TEST(wrong_method)
{
	struct person p;

	world(7, NULL, "", false);
	person(&p, root, "P-384", NULL, sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P384), AUTH_ECDSA_256, HASHES);
	refused(&p, "auth_failed_signature");
	world(8, NULL, "", false);
	person(&p, root, NULL, NULL, sign_scheme_of(SIGN_ECDSA, SIGN_SHA1, KEY_P256), AUTH_SIGNATURE, HASHES);
	refused(&p, "auth_failed_signature");
}
END_TEST

/* Our only key is Ed25519, and the client has not said that it can do that. */
START_TEST(nothing_it_can_check)
{
	struct person p;

	world(9, "ED25519", "", false);
	person(&p, root, NULL, NULL, sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256), AUTH_SIGNATURE,
	       1 << SIGN_SHA2_256);
	refused(&p, "auth_failed_method");
}
END_TEST

START_TEST(psk_beside)
{
	struct person p;
	struct sim_client *c;

	world(10, NULL, "", false);
	plain(&p, root);
	c = sim_client_add(&s, true);
	c->cfg.trust = trust;
	c->cfg.hashes = HASHES;
	sim_connect(&s, p.c);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, ini_up(p.c->ini) && ini_up(c->ini));
	sim_want(&s, sim_sa(&s, c) && sim_sa(&s, c)->peer_auth == CONN_AUTH_PSK && sim_sa(&s, c)->cert_path.n == 0);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* A client with a key of its own beside others: its own is right for it, and the one that all have is not. */
/*
 * Within EAP-TLS a name that the client tells counts where the connection that it leads to finds it in the certificate,
 * not where any other connection would.
 */
START_TEST(told_within_eap)
{
	static const char *const names[] = { "CN=boss", "CN=clerk" };
	struct sim_settings settings = { .local = "{id: gw.example.org, auth: cert, certificates: [gw]}",
					 .conn = conn,
					 .root = more,
					 .more = "  strict:\n"
						 "    local: {id: gw.example.org, auth: cert, certificates: [gw]}\n"
						 "    remote: {auth: eap-tls, authorities: [ca], eap_ids: [boss]}\n"
						 "    children: {lan: {local: 10.1.0.0/16}}\n" };

	world(70, NULL, "", false);
	sim_clear(&s);
	(void)snprintf(conn, sizeof(conn), "    remote: {auth: eap-tls, authorities: [ca], id_match: cn}\n");
	sim_init(&s, 70, &settings, false);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct pki *cert =
			pki_issue(root, &(struct pki_spec){ .subject = names[i], .san = "email:mallory@example.org" });
		struct bytes der = pki_der(cert);
		struct ike_msg first = { .idi = { .kind = ID_KEY_ID, .data = bytes_str("anybody") } };
		struct secret user = { 0 };
		struct err why = { 0 };
		struct sim_client *c = sim_client_add(&s, false);
		struct ike_sa *sa;

		sim_connect(&s, c);
		while (ike_half_open_count(s.gate.active.ike) == 0 && sim_step(&s, mtime_add(sim_now(&s), SECONDS(5))))
			;
		ck_assert_ptr_nonnull(s.gate.active.ike->by_init);
		sa = s.gate.active.ike->by_init->sa;
		sa->conn = &sa->settings->conns[0];
		ck_assert_msg(auth_sig_tls(sa, &first, &der, 1, bytes_str(i ? "clerk" : "boss"), &user, &why) == GW_OK,
			      "%s", why.text);
		ck_assert(bytes_equal(secret_bytes(&user), bytes_str(i ? "clerk" : "mallory@example.org")));
		sa->conn = NULL;
		secret_clear(&user);
		ini_forget(c->ini);
		c->gone = true;
		sim_run(&s, SECONDS(60));
		pki_free(cert);
	}
	done();
}
END_TEST

START_TEST(own_key)
{
	static const struct sim_settings settings = {
		.conn = "    psks:\n"
			"      one: {ids: ['user1@example.org', 'user2@*'], psk: 'the key of one of them'}\n",
	};
	struct sim_client *a, *b, *c;

	sim_init(&s, 16, &settings, false);
	a = sim_client_add(&s, false);
	b = sim_client_add(&s, false);
	c = sim_client_add(&s, false);
	a->cfg.psk = bytes_str("the key of one of them");
	sim_connect(&s, a);
	sim_connect(&s, b);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, ini_up(a->ini) && ini_up(c->ini));
	sim_want(&s, !ini_up(b->ini) && b->ini->error == N_AUTHENTICATION_FAILED);
	b->gone = true;
	(void)sim_leaves_nothing(&s);
	sim_check(&s);
	sim_clear(&s);
}
END_TEST

/* An authority that is not configured any more: who came by it goes, others stay. */
START_TEST(authority_gone)
{
	struct person p;
	struct sim_client *c;
	struct config_report report;
	struct settings *settings;
	uint32_t after = 0;

	world(17, NULL, "", false);
	plain(&p, root);
	c = sim_client_add(&s, false);
	c->cfg.trust = trust;
	c->cfg.hashes = HASHES;
	sim_connect(&s, p.c);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini) && ini_up(c->ini));
	settings = config_load_text(
		"f",
		bytes_str("pools:\n  four: {addresses: 10.99.0.0/24}\nconnections:\n  main: {psk: 'a key "
			  "that both of them know', pools: [four], children: {lan: {local: 10.1.0.0/16}}}\n"),
		NULL, &report);
	ck_assert_ptr_nonnull(settings);
	ck_assert_int_eq(ike_configure(s.gate.active.ike, settings), GW_OK);
	while (ike_review(s.gate.active.ike, settings, true, &after, 100, NULL, NULL))
		;
	settings_unref(settings);
	config_report_clear(&report);
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, !ini_up(p.c->ini) && ini_up(c->ini));
	p.c->gone = true;
	leave(&p);
	done();
}
END_TEST

/* ---- lists of revoked certificates ---- */

/* The engine's question; 0: it has none. */
static uint64_t question(void)
{
	struct ike_fetch f;

	ike_tick(s.gate.active.ike);
	if (!ike_take_fetch(s.gate.active.ike, &f))
		return 0;
	sim_want(&s, strcmp(f.location, "http://crl.example.org/ca.crl") == 0);
	return f.token;
}

static void answer(uint64_t token, const struct pki *by, const uint64_t *serials, size_t count, int64_t made)
{
	size_t n;
	uint8_t *der = pki_crl(by, serials, count, made, made + 7200, &n);

	ike_fetched(s.gate.active.ike, token, GW_OK, bytes_of(der, n), NULL);
	OPENSSL_free(der);
	sim_flush(&s);
}

#define LIST ", crl: 'http://crl.example.org/ca.crl', revocation: "

/* strict: IKE_AUTH waits for the list. Who comes onto a later one goes; an older one takes nothing back. */
START_TEST(revoked_later)
{
	struct person p;
	uint64_t serial, token;

	world(11, NULL, LIST "strict", false);
	plain(&p, root);
	serial = pki_serial(p.cert);
	token = question();
	sim_want(&s, token != 0);
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(3));
	sim_want(&s, !ini_up(p.c->ini) && p.c->ini->error == 0);
	answer(token, root, &(uint64_t){ 1 }, 1, WALL);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini));
	(void)sim_agree(&s);
	sim_want(&s, question() == 0); /* not before it is time */
	sim_run(&s, SECONDS(3700));
	sim_want(&s, ini_up(p.c->ini) && gate_reincarnate(&s.gate));
	/* Another engine asks anew. */
	token = question();
	sim_want(&s, token != 0);
	answer(token, root, &serial, 1, WALL + 3600);
	sim_run(&s, SECONDS(5));
	sim_want(&s, !ini_up(p.c->ini) && gate_stat(&s.gate, "sas_revoked") == 1);
	sim_run(&s, SECONDS(3700));
	token = question();
	answer(token, root, NULL, 0, WALL);
	sim_want(&s, gate_stat(&s.gate, "lists_failed") == 1);
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(10)));
	sim_want(&s, !ini_up(p.c->ini) && gate_stat(&s.gate, "auth_failed_revoked") == 1);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/*
 * One client again and again while the list is out: all of its attempts wait, and when the list comes each that gets in
 * ends those before it.
 */
START_TEST(several_attempts_wait)
{
	struct person p;
	uint64_t token;

	world(15, NULL, LIST "strict", false);
	s.gate.plane_delay_us = SECONDS(1);
	plain(&p, root);
	token = question();
	for (int i = 0; i < 5; i++) {
		sim_connect(&s, p.c);
		sim_run(&s, MILLISECONDS(300));
		if (i < 4)
			ini_forget(p.c->ini);
	}
	sim_want(&s, ike_half_open_count(s.gate.active.ike) == 5);
	answer(token, root, NULL, 0, WALL);
	sim_run(&s, SECONDS(20));
	sim_want(&s,
		 ini_up(p.c->ini) && ike_half_open_count(s.gate.active.ike) == 0 && ike_count(s.gate.active.ike) == 1);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* A server that gives junk, somebody else's list, or nothing: strict lets nobody in, and others are not held up. */
START_TEST(no_list)
{
	static const char *const lies[] = { "junk", "30", "" };
	struct person p;
	struct sim_client *c;
	uint64_t token;

	world(12, NULL, LIST "strict", false);
	plain(&p, root);
	token = question();
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(2));
	c = sim_client_add(&s, false);
	c->cfg.trust = trust;
	c->cfg.hashes = HASHES;
	sim_connect(&s, c);
	sim_run(&s, SECONDS(2));
	sim_want(&s, ini_up(c->ini) && !ini_up(p.c->ini));
	if (_i < 3)
		ike_fetched(s.gate.active.ike, token, GW_OK, bytes_str(lies[_i]), NULL);
	else if (_i == 3)
		answer(token, other, NULL, 0, WALL);
	else
		ike_fetched(s.gate.active.ike, token, GW_EBUSY, (struct bytes){ 0 }, "no answer");
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, !ini_up(p.c->ini) && p.c->ini->error == N_AUTHENTICATION_FAILED && ini_up(c->ini));
	sim_want(&s, gate_stat(&s.gate, "lists_failed") == 1);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* An answer never comes: whoever waits is given up, and what it held is free. */
START_TEST(no_answer)
{
	struct person p;

	world(13, NULL, LIST "strict", false);
	plain(&p, root);
	sim_want(&s, question() != 0);
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(400));
	sim_want(&s, !ini_up(p.c->ini) && ike_half_open_count(s.gate.active.ike) == 0);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* soft: in without a list, and out when one names it. */
START_TEST(soft)
{
	struct person p;
	uint64_t token, serial;

	world(14, NULL, LIST "soft", false);
	plain(&p, root);
	serial = pki_serial(p.cert);
	token = question();
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini));
	answer(token, root, &serial, 1, WALL);
	sim_run(&s, SECONDS(5));
	sim_want(&s, !ini_up(p.c->ini));
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* ---- other engines ---- */

static void moved(struct sim *unused, uint64_t seed)
{
	struct person p;

	(void)unused;
	world(seed, NULL, "", seed & 1);
	plain(&p, root);
	s.net.faults.loss = 100;
	if (seed & 1)
		s.gate.takeover = 300;
	else
		s.gate.reincarnate = 500;
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(120)) && ini_up(p.c->ini));
	(void)sim_agree(&s);
	s.gate.takeover = s.gate.reincarnate = 0;
	s.net.faults.loss = 0;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}

START_TEST(between_any_two_messages)
{
	for (uint64_t seed = 700; seed < 720; seed++)
		moved(&s, seed);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ every_way, ARRAY_LEN(ways) },
		{ stranger, 0 },
		{ somebody_else, 0 },
		{ stolen, 0 },
		{ without_certificate, 0 },
		{ garbage_for_a_certificate, 0 },
		{ wrong_method, 0 },
		{ nothing_it_can_check, 0 },
		{ psk_beside, 0 },
		{ told_within_eap, 0 },
		{ own_key, 0 },
		{ authority_gone, 0 },
		{ several_attempts_wait, 0 },
		{ revoked_later, 0 },
		{ no_list, 5 },
		{ no_answer, 0 },
		{ soft, 0 },
		{ between_any_two_messages, 0 },
	};

	return suite_run("cert", tests, ARRAY_LEN(tests));
}
