/* Coming up, and being refused, over a network without faults. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

static struct sim s;

static void done(void)
{
	sim_check(&s);
	sim_clear(&s);
}

static struct sim_client *connected(uint64_t seed, const struct sim_settings *settings, bool nat)
{
	struct sim_client *c;

	sim_init(&s, seed, settings, false);
	c = sim_client_add(&s, nat);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	return c;
}

static void both_ends(struct sim_client *c)
{
	sim_want(&s, ini_up(c->ini) && ini_child_count(c->ini) == 1);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	done();
}

START_TEST(plain)
{
	struct sim_client *c = connected(1, NULL, false);
	const struct ike_sa *sa = sim_sa(&s, c);

	sim_want(&s, sa && !sa->natt && !sa->peer_nat);
	sim_want(&s, c->ini->inner_count == 1 && c->ini->dns.family == 4);
	sim_want(&s, s.gate.up == 1 && s.gate.children_up == 1);
	both_ends(c);
}
END_TEST

START_TEST(behind_nat)
{
	struct sim_client *c = connected(2, NULL, true);
	const struct ike_sa *sa = sim_sa(&s, c);

	sim_want(&s, c->ini->natt);
	sim_want(&s, sa && sa->natt && sa->peer_nat && sa->remote.port == 4500 + c->nat->shift);
	both_ends(c);
}
END_TEST

START_TEST(dual_stack)
{
	struct sim_client *c;

	sim_init(&s, 3, NULL, false);
	c = sim_client_add(&s, false);
	c->cfg.want_v6 = true;
	c->cfg.tsi = c->cfg.tsr = s.all_v6;
	c->cfg.tsi_count = c->cfg.tsr_count = 2;
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->inner_count == 2);
	sim_want(&s,
		 ini_up(c->ini) && ini_current(c->ini)->children && ini_current(c->ini)->children->theirs_count == 2);
	both_ends(c);
}
END_TEST

START_TEST(slow_data_plane)
{
	struct sim_client *c;

	sim_init(&s, 4, NULL, false);
	s.gate.plane_delay_us = SECONDS(3);
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(20)));
	sim_want(&s, c->ini->done[INI_AUTH] == 1);
	both_ends(c);
}
END_TEST

START_TEST(cookies)
{
	static const struct sim_settings always = { .ike = "  cookie_threshold: 0\n" };
	struct sim_client *c = connected(5, &always, false);

	sim_want(&s, gate_stat(&s.gate, "cookies_sent") == 1);
	both_ends(c);
}
END_TEST

START_TEST(another_group)
{
	static const struct sim_settings only = { .conn = "    proposals: [aes128gcm16-prfsha256-ecp256]\n" };
	struct sim_client *c;

	sim_init(&s, 6, &only, false);
	c = sim_client_add(&s, false);
	sim_offer(&s, "aes128gcm16-prfsha256-x25519-ecp256", "aes128gcm16");
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->error == N_INVALID_KE_PAYLOAD && gate_stat(&s.gate, "invalid_ke_sent") == 1);
	sim_want(&s, ini_up(c->ini) && ini_current(c->ini)->dh.id == DH_ECP_256);
	both_ends(c);
}
END_TEST

/* Every kind of protection there is, for IKE and ESP. */
static const struct algorithms {
	const char *ike, *esp;
} algorithms[] = {
	{ "aes256-sha1-modp2048", "aes256-sha1" },
	{ "aes128-sha256-ecp256", "aes128-sha256" },
	{ "aes192-sha384-ecp384", "aes192-sha384" },
	{ "aes256-sha512-ecp521", "aes256-sha512" },
	{ "aes256gcm16-prfsha384-x25519", "aes256gcm16-esn" },
	{ "chacha20poly1305-prfsha256-x25519", "chacha20poly1305" },
	{ "aes128ccm16-prfsha256-x448", "aes128ccm16" },
	{ "aes128ctr-sha256-x25519", "aes256gcm16-noesn" },
};

START_TEST(each_algorithm)
{
	const struct algorithms *a = &algorithms[_i];
	char conn[160], child[160];
	struct sim_settings settings = { .conn = conn, .child = child };
	struct sim_client *c;

	snprintf(conn, sizeof(conn), "    proposals: [%s]\n", a->ike);
	snprintf(child, sizeof(child), "        proposals: [%s]\n", a->esp);
	sim_init(&s, 10 + (uint64_t)_i, &settings, false);
	c = sim_client_add(&s, false);
	sim_offer(&s, a->ike, a->esp);
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	(void)sim_agree(&s);
	/* And once more under keys of each kind. */
	sim_want(&s, ini_rekey_child(c->ini, 0));
	sim_want(&s, ini_rekey_ike(c->ini));
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->done[INI_CHILD_REKEY] == 1 && c->ini->done[INI_IKE_REKEY] == 1);
	both_ends(c);
}
END_TEST

START_TEST(large_messages)
{
	struct sim_client *c;

	sim_init(&s, 30, NULL, false);
	c = sim_client_add(&s, true);
	c->cfg.ballast = 6000;
	c->cfg.max_datagram = 576;
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->peer_fragments);
	both_ends(c);
}
END_TEST

/* ---- being refused ---- */

static void refused_at_auth(struct sim_client *c, uint16_t notify)
{
	sim_want(&s, c->ini->failed && c->ini->error == notify);
	sim_run(&s, SECONDS(60));
	(void)sim_leaves_nothing(&s);
	sim_want(&s, s.gate.up == 0);
	done();
}

START_TEST(wrong_psk)
{
	struct sim_client *c;

	sim_init(&s, 40, NULL, false);
	c = sim_client_add(&s, false);
	c->cfg.psk = bytes_str("another key");
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	sim_want(&s, gate_stat(&s.gate, "auth_failed_psk") == 1);
	refused_at_auth(c, N_AUTHENTICATION_FAILED);
}
END_TEST

START_TEST(unknown_identity)
{
	static const struct sim_settings others = { .conn = "    remote: {ids: ['*@example.com']}\n" };
	struct sim_client *c;

	sim_init(&s, 41, &others, false);
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	refused_at_auth(c, N_AUTHENTICATION_FAILED);
}
END_TEST

START_TEST(no_common_ike_proposal)
{
	static const struct sim_settings other = { .conn = "    proposals: [aes256-sha512-modp4096]\n" };
	struct sim_client *c;

	sim_init(&s, 42, &other, false);
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	sim_want(&s, ike_half_open_count(s.gate.active.ike) == 0);
	refused_at_auth(c, N_NO_PROPOSAL_CHOSEN);
}
END_TEST

/* The IKE SA is up, without a CHILD SA (RFC 7296 1.2); the lease it holds is the IKE SA's. */
static void childless(struct sim_client *c, uint16_t notify)
{
	sim_want(&s, ini_up(c->ini) && c->ini->child_error == notify && ini_child_count(c->ini) == 0);
	sim_want(&s,
		 fake_plane_sa_count(s.gate.active.plane) == 0 && fake_plane_policy_count(s.gate.active.plane) == 0);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	done();
}

START_TEST(no_common_esp_proposal)
{
	static const struct sim_settings other = { .child = "        proposals: [aes256-sha512]\n" };

	childless(connected(43, &other, false), N_NO_PROPOSAL_CHOSEN);
}
END_TEST

START_TEST(selectors_unacceptable)
{
	struct sim_client *c;
	struct selector elsewhere;

	sim_init(&s, 44, NULL, false);
	c = sim_client_add(&s, false);
	sim_want(&s, selector_parse("172.16.0.0/12", &elsewhere));
	c->cfg.tsr = &elsewhere;
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	childless(c, N_TS_UNACCEPTABLE);
}
END_TEST

START_TEST(pool_exhausted)
{
	struct sim_client *c = NULL;
	struct addr a;

	sim_init(&s, 45, NULL, false);
	/* Somebody holds all of it. */
	for (unsigned i = 1; i < 255; i++) {
		char text[32], id[16];

		snprintf(text, sizeof(text), "10.99.0.%u", i);
		snprintf(id, sizeof(id), "x%u", i);
		sim_want(&s, addr_parse(text, &a));
		sim_want(&s, pool_restore(s.gate.active.pools, "four", ID_FQDN, bytes_str(id), &a, 1, 0) == GW_OK);
	}
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	sim_want(&s, c->ini->child_error == N_INTERNAL_ADDRESS_FAILURE && c->ini->inner_count == 0);
	sim_want(&s,
		 fake_plane_sa_count(s.gate.active.plane) == 0 && fake_plane_policy_count(s.gate.active.plane) == 0);
	done();
}
END_TEST

/* What the client hears says whether it is worth another try: a plane that cannot do it, or not now. */
static const struct {
	enum dp_op_kind kind;
	enum gw_err result;
	uint16_t notify;
} failures[] = {
	{ DP_SA_ADD, GW_EIO, N_TEMPORARY_FAILURE },	      { DP_POLICY_SET, GW_EIO, N_TEMPORARY_FAILURE },
	{ DP_SA_ADD, GW_EEXIST, N_TEMPORARY_FAILURE },	      { DP_SA_ADD, GW_EINVAL, N_TEMPORARY_FAILURE },
	{ DP_SA_ADD, GW_EBUSY, N_TEMPORARY_FAILURE },	      { DP_SA_ADD, GW_ENOMEM, N_TEMPORARY_FAILURE },
	{ DP_SA_ADD, GW_EUNSUPPORTED, N_NO_PROPOSAL_CHOSEN }, { DP_POLICY_SET, GW_EUNSUPPORTED, N_NO_PROPOSAL_CHOSEN },
	{ DP_POLICY_SET, GW_OK, N_TEMPORARY_FAILURE }, /* refused as a whole */
};

START_TEST(install_fails)
{
	struct sim_client *c;

	sim_init(&s, 46, NULL, false);
	c = sim_client_add(&s, false);
	if (failures[_i].result != GW_OK)
		fake_plane_fail(s.gate.active.plane, failures[_i].kind, 0, failures[_i].result, 1);
	else
		fake_plane_refuse(s.gate.active.plane, GW_ENOMEM, 1);
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	sim_want(&s, ini_up(c->ini) && c->ini->child_error != 0 && ini_child_count(c->ini) == 0);
	sim_want(&s, gate_stat(&s.gate, "install_failed") == 1);
	childless(c, failures[_i].notify);
}
END_TEST

START_TEST(half_open_expires)
{
	struct sim_client *c;

	sim_init(&s, 47, NULL, false);
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	sim_run(&s, MILLISECONDS(1)); /* the request arrives, the answer does not */
	sim_want(&s, ike_half_open_count(s.gate.active.ike) == 1);
	s.net.cut = true;
	sim_run(&s, SECONDS(40));
	sim_want(&s, ike_half_open_count(s.gate.active.ike) == 0 && gate_stat(&s.gate, "half_open_expired") == 1);
	ini_forget(c->ini);
	s.net.cut = false;
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

START_TEST(half_open_bounds)
{
	static const struct sim_settings small = { .ike = "  half_open_per_source: 4\n  cookie_threshold: 1000\n" };
	struct sim_client *c;

	sim_init(&s, 48, &small, false);
	c = sim_client_add(&s, false);
	s.net.faults.delay_min_us = s.net.faults.delay_max_us = 0;
	for (int i = 0; i < 10; i++) {
		sim_connect(&s, c);
		sim_run(&s, 0);
		ini_forget(c->ini);
	}
	sim_want(&s, ike_half_open_count(s.gate.active.ike) <= 4);
	sim_want(&s, gate_stat(&s.gate, "drop_half_open_limit") >= 6 || ike_count(s.gate.active.ike) > 0);
	done();
}
END_TEST

/* ---- again ---- */

START_TEST(reconnects_to_the_same_address)
{
	struct sim_client *c = connected(50, NULL, false);
	struct addr before = c->ini->inner[0];
	struct datagram d;

	/* The client crashed and says so: INITIAL_CONTACT ends the SA from before. */
	ini_forget(c->ini);
	while (ini_take(c->ini, &d))
		;
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(30)));
	sim_want(&s, ini_up(c->ini) && addr_equal(&before, &c->ini->inner[0]));
	sim_want(&s, s.gate.up == 2 && s.gate.down == 1);
	both_ends(c);
}
END_TEST

START_TEST(dead_client_is_found_out)
{
	struct sim_client *c = connected(51, NULL, false);

	s.net.cut = true;
	ini_forget(c->ini);
	sim_run(&s, SECONDS(600));
	s.net.cut = false;
	sim_want(&s, gate_stat(&s.gate, "peers_lost") == 1);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

START_TEST(liveness_both_ways)
{
	struct sim_client *c = connected(52, NULL, true);
	struct ike_select all = { 0 };

	sim_want(&s, ini_probe(c->ini));
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->done[INI_PROBE] == 1);
	sim_want(&s, ike_probe(s.gate.active.ike, &all) == 1);
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, c->ini->peer_probes == 1);
	/* And by itself, after the silence that the settings name. */
	sim_run(&s, SECONDS(35));
	sim_want(&s, c->ini->peer_probes >= 2);
	both_ends(c);
}
END_TEST

START_TEST(shutdown_tells_everybody)
{
	struct sim_client *c[3];

	sim_init(&s, 53, NULL, false);
	for (size_t i = 0; i < 3; i++) {
		c[i] = sim_client_add(&s, i == 1);
		sim_connect(&s, c[i]);
	}
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	(void)sim_agree(&s);
	ike_shutdown(s.gate.active.ike, true);
	sim_flush(&s);
	sim_run(&s, SECONDS(20));
	for (size_t i = 0; i < 3; i++)
		sim_want(&s, !ini_up(c[i]->ini) && c[i]->ini->peer_deletes == 1);
	sim_want(&s, ike_count(s.gate.active.ike) == 0);
	sim_want(&s, fake_plane_sa_count(s.gate.active.plane) == 0);
	done();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connect");
	TCase *up = tcase_create("up"), *refused = tcase_create("refused"), *again = tcase_create("again");
	SRunner *r;
	int failed;

	tcase_add_test(up, plain);
	tcase_add_test(up, behind_nat);
	tcase_add_test(up, dual_stack);
	tcase_add_test(up, slow_data_plane);
	tcase_add_test(up, cookies);
	tcase_add_test(up, another_group);
	tcase_add_loop_test(up, each_algorithm, 0, (int)ARRAY_LEN(algorithms));
	tcase_add_test(up, large_messages);
	tcase_add_test(refused, wrong_psk);
	tcase_add_test(refused, unknown_identity);
	tcase_add_test(refused, no_common_ike_proposal);
	tcase_add_test(refused, no_common_esp_proposal);
	tcase_add_test(refused, selectors_unacceptable);
	tcase_add_test(refused, pool_exhausted);
	tcase_add_loop_test(refused, install_fails, 0, (int)ARRAY_LEN(failures));
	tcase_add_test(refused, half_open_expires);
	tcase_add_test(refused, half_open_bounds);
	tcase_add_test(again, reconnects_to_the_same_address);
	tcase_add_test(again, dead_client_is_found_out);
	tcase_add_test(again, liveness_both_ways);
	tcase_add_test(again, shutdown_tells_everybody);
	suite_add_tcase(suite, up);
	suite_add_tcase(suite, refused);
	suite_add_tcase(suite, again);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
