/* Certificates both ways: methods, refusals, and other engines between any two messages. */
#include "tests/sim/cert_check.h"

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

/* Windows names every authority that it trusts, some 60; ours is the last. */
START_TEST(many_authorities)
{
	struct person p;

	world(21, NULL, "", false);
	plain(&p, root);
	p.c->cfg.ask_cert = true;
	p.c->cfg.ask_others = 60;
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini));
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* Each in a payload of its own: as many as we keep; one more is refused, and the reason is told. */
START_TEST(many_requests)
{
	struct person p;
	bool fits = _i == 0;

	world(22, NULL, "", false);
	plain(&p, root);
	p.c->cfg.ask_cert = p.c->cfg.ask_each = true;
	p.c->cfg.ask_others = IKE_MAX_CERTS - (fits ? 1 : 0);
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini) == fits);
	sim_want(&s, fits || p.c->ini->error == N_INVALID_SYNTAX);
	sim_want(&s, gate_stat(&s.gate, "drop_malformed") == (fits ? 0 : 1));
	p.c->gone = !fits;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
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
		{ between_any_two_messages, 0 },
		{ many_authorities, 0 },
		{ many_requests, 2 },
	};

	return suite_run("cert", tests, ARRAY_LEN(tests));
}
