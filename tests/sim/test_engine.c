/* What the engine must get right where a peer or a slow data plane misbehaves: one situation per test. */
#include "tests/sim/engine_check.h"

/* ---- commands ---- */

/* The words of whoever ends a session belong to them; the session outlives the command. */
START_TEST(the_reason_is_kept)
{
	struct sim_client *c = connected(1, NULL);
	char *reason = malloc(32);

	ck_assert_ptr_nonnull(reason);
	snprintf(reason, 32, "maintenance at noon");
	sim_want(&s, ike_terminate(engine(), &everything, reason) == 1);
	memset(reason, 'x', 31);
	free(reason);
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(10)));
	sim_want(&s, !ini_up(c->ini) && lines_with("down: maintenance at noon") == 1);
	done();
}
END_TEST

/* A session that is being rekeyed when it is to end ends under its new keys. */
START_TEST(terminated_within_a_rekey)
{
	struct sim_client *c = connected(2, NULL);

	sim_want(&s, ike_rekey(engine(), &everything, false) == 1);
	sim_flush(&s);
	sim_want(&s, ike_terminate(engine(), &everything, "enough") == 1);
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(30)));
	sim_want(&s, !ini_up(c->ini) && ike_count(engine()) == 0 && s.gate.down == 1);
	sim_want(&s, lines_with("down: enough") == 1);
	done();
}
END_TEST

/* ---- peers that misbehave ---- */

static bool wrong_answers(struct sim *w, const struct datagram *d, uint8_t *bytes)
{
	struct ini_sa *sa = ini_current(w->clients[0].ini);
	struct ike_header h;
	struct msg_writer m;
	uint8_t buf[64];

	(void)bytes;
	if (!sa || !addr_equal(&d->to.addr, &w->clients[0].addr) || msg_parse_header(d->data, &h) != GW_OK ||
	    (h.flags & IKE_FLAG_RESPONSE))
		return true;
	chain_begin(&m, buf, sizeof(buf));
	ck_assert(ini_respond(sa, h.exchange == INFORMATIONAL ? CREATE_CHILD_SA : INFORMATIONAL, h.id, &m) == GW_OK);
	sim_flush(w);
	return false;
}

/* An answer of another exchange is none (RFC 7296 2.2); the request goes on, and gives up in the end. */
START_TEST(answers_of_another_exchange)
{
	struct sim_client *c = connected(3, NULL);

	s.on_arrival = wrong_answers;
	if (_i == 0)
		sim_want(&s, ike_rekey(engine(), &everything, false) == 1);
	else if (_i == 1)
		sim_want(&s, ike_rekey(engine(), &everything, true) == 1);
	else
		sim_want(&s, ike_terminate(engine(), &everything, "enough") == 1);
	sim_flush(&s);
	sim_run(&s, SECONDS(900));
	sim_want(&s, gate_stat(&s.gate, "drop_exchange") >= 1);
	sim_want(&s, ike_count(engine()) == 0 && fake_plane_sa_count(s.gate.active.plane) == 0);
	s.on_arrival = NULL;
	(void)c;
	done();
}
END_TEST

/* Only a NAT at the peer's side moves a peer (RFC 7296 2.23); one at ours is no reason to believe a new address. */
START_TEST(who_may_move)
{
	struct sim_client *c = connected(9, NULL);
	struct endpoint before = first_sa()->remote, elsewhere = before;

	first_sa()->our_nat = true;
	first_sa()->peer_nat = _i == 1;
	elsewhere.addr.b[3] = 77;
	ini_move(c->ini, &elsewhere);
	sim_want(&s, ini_probe(c->ini));
	sim_flush(&s);
	sim_run(&s, SECONDS(1));
	sim_want(&s, gate_stat(&s.gate, "liveness_answered") == 1);
	sim_want(&s, endpoint_equal(&first_sa()->remote, _i == 1 ? &elsewhere : &before));
	done();
}
END_TEST

static size_t deletes_seen;

static bool useless_answers(struct sim *w, const struct datagram *d, uint8_t *bytes)
{
	struct ini_sa *sa = ini_current(w->clients[0].ini);
	uint8_t buf[64], nonce[32] = { 1 };
	struct ike_header h;
	struct msg_writer m;

	(void)bytes;
	if (!sa || !addr_equal(&d->to.addr, &w->clients[0].addr) || msg_parse_header(d->data, &h) != GW_OK ||
	    (h.flags & IKE_FLAG_RESPONSE))
		return true;
	deletes_seen += h.exchange == INFORMATIONAL;
	if (h.exchange != CREATE_CHILD_SA)
		return true;
	chain_begin(&m, buf, sizeof(buf));
	nonce_write(&m, bytes_of(nonce, sizeof(nonce)));
	ck_assert(ini_respond(sa, h.exchange, h.id, &m) == GW_OK);
	sim_flush(w);
	return false;
}

/* A peer whose answer to our rekey is of no use has made an SA all the same: it is told to drop it. */
START_TEST(useless_answer_to_a_rekey)
{
	struct sim_client *c = connected(8, NULL);

	deletes_seen = 0;
	s.on_arrival = useless_answers;
	sim_want(&s, ike_rekey(engine(), &everything, true) == 1);
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(10)) && deletes_seen == 1);
	sim_want(&s, gate_stat(&s.gate, "rekeys_failed") == 1 && ini_child_count(c->ini) == 1);
	(void)sim_agree(&s);
	s.on_arrival = NULL;
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

/* A CHILD SA that the data plane refuses takes nothing with it: here it names the outbound SPI of another one. */
START_TEST(refused_with_the_spi_of_another)
{
	struct sim_client *c = connected(4, NULL);
	struct ini_sa *sa = ini_current(c->ini);
	struct dp_sa_id out = { DP_OUT, sa->children->spi_in, first_sa()->remote.addr };
	struct proposal_cfg offer[1];
	struct msg_writer m;
	uint8_t buf[1024], nonce[32] = { 1 }, spi[4];
	struct dp_sa sa_there;

	chain_begin(&m, buf, sizeof(buf));
	put_u32(spi, sa->children->spi_in);
	(void)ini_offer_plain(&c->cfg, offer, 1);
	ini_offer_write(&m, offer, 1, PROTO_ESP, bytes_of(spi, 4));
	nonce_write(&m, bytes_of(nonce, sizeof(nonce)));
	ts_write(&m, PL_TSI, &s.all_v4, 1);
	ts_write(&m, PL_TSR, &s.all_v4, 1);
	ck_assert(ini_request(sa, INI_PROBE, CREATE_CHILD_SA, &m) == GW_OK);
	sim_flush(&s);
	sim_run(&s, SECONDS(1));
	sim_want(&s, gate_stat(&s.gate, "install_failed") == 1);
	sim_want(&s, fake_plane_sa(s.gate.active.plane, &out, &sa_there));
	sim_want(&s, fake_plane_sa_count(s.gate.active.plane) == 2);
	for (uint64_t i = 0; i < fake_plane_recorded(s.gate.active.plane); i++) {
		struct fake_record r;

		if (fake_plane_record(s.gate.active.plane, i, &r) && r.kind == DP_SA_REMOVE)
			sim_want(&s, r.spi != out.spi); /* not even tried */
	}
	done();
}
END_TEST

static bool no_deletes(struct sim *w, const struct datagram *d, uint8_t *bytes)
{
	struct ike_header h;

	(void)bytes;
	(void)w;
	return addr_equal(&d->to.addr, &w->clients[0].addr) || msg_parse_header(d->data, &h) != GW_OK ||
	       h.exchange != INFORMATIONAL || (h.flags & IKE_FLAG_RESPONSE);
}

/* Who rekeys on and on, and never deletes what was replaced, has a bound. */
START_TEST(rekeys_without_end)
{
	struct sim_client *c = connected(5, NULL);

	s.on_arrival = no_deletes;
	for (int i = 0; i < 10; i++) {
		sim_want(&s, ini_rekey_ike(c->ini));
		sim_flush(&s);
		sim_run(&s, MILLISECONDS(300));
	}
	sim_want(&s, c->ini->done[INI_IKE_REKEY] == 10);
	sim_want(&s, ike_count(engine()) <= 3);
	s.on_arrival = NULL;
	sim_run(&s, SECONDS(300));
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

/* Those that were refused are remembered for a moment, but not without bound. */
START_TEST(refused_without_end)
{
	static const struct sim_settings small = { .ike = "  half_open_max: 4\n  half_open_per_source: 4\n" };
	struct sim_client *c = world(6, &small);

	c->cfg.psk = bytes_str("another key");
	for (int i = 0; i < 30; i++) {
		sim_connect(&s, c);
		sim_run(&s, MILLISECONDS(200));
		sim_want(&s, c->ini->failed);
	}
	sim_want(&s, engine()->by_spi.count <= 5);
	done();
}
END_TEST

/* ---- what is logged ---- */

START_TEST(one_line_for_each_refusal)
{
	static const struct sim_settings others = { .conn = "    remote: {ids: ['*@example.com']}\n" };
	struct sim_client *c = world(7, _i ? &others : NULL);

	if (_i == 0)
		c->cfg.psk = bytes_str("another key");
	sim_connect(&s, c);
	sim_run(&s, SECONDS(30));
	sim_want(&s, c->ini->failed && c->ini->error == N_AUTHENTICATION_FAILED);
	sim_want(&s, line_count == 1 && lines_with("user1@example.org") == 1 && lines_with("203.0.113.1") == 1);
	sim_want(&s, lines_with(_i ? "no connection for this identity; configured: *@example.com"
				   : "wrong shared key") == 1);
	done();
}
END_TEST

/* Crossed rekeys are not worth a word about what was redundant. */
START_TEST(quiet_about_the_redundant)
{
	for (uint64_t seed = 20; seed < 40; seed++) {
		struct sim_client *c = connected(seed, NULL);

		(void)ini_rekey_child(c->ini, 0);
		(void)ike_rekey(engine(), &everything, true);
		sim_flush(&s);
		sim_want(&s, sim_settle(&s, SECONDS(60)));
		sim_want(&s, lines_with(" down: ") == 0 && lines_with(" up: ") <= 4);
		sim_want(&s, gate_stat(&s.gate, "rekeys_crossed") == 1);
		done();
	}
}
END_TEST

/* ---- a slow data plane ---- */

/* Both rekey at once, and the data plane takes longer than the peer. */
static void slow_crossing(struct sim *w, uint64_t seed)
{
	struct ike_select all = { 0 };

	sim_init(w, seed, NULL, false);
	sim_connect(w, sim_client_add(w, false));
	(void)sim_settle(w, SECONDS(10));
	w->net.faults = (struct net_faults){ 500, 5000, 0, 0, 0 };
	w->gate.plane_delay_us = MILLISECONDS(200);
	for (int i = 0; i < 4 && !w->failure[0]; i++) {
		(void)ini_rekey_child(w->clients[0].ini, 0);
		(void)ike_rekey(w->gate.active.ike, &all, true);
		sim_flush(w);
		(void)sim_settle(w, SECONDS(60));
		(void)sim_agree(w);
		sim_want(w, ini_child_count(w->clients[0].ini) == 1);
	}
}

START_TEST(crossings_with_a_slow_data_plane)
{
	sim_seeds("slow crossings", 1000, 200, slow_crossing);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ the_reason_is_kept, 0 },
		{ terminated_within_a_rekey, 0 },
		{ answers_of_another_exchange, 3 },
		{ who_may_move, 2 },
		{ useless_answer_to_a_rekey, 0 },
		{ refused_with_the_spi_of_another, 0 },
		{ rekeys_without_end, 0 },
		{ refused_without_end, 0 },
		{ one_line_for_each_refusal, 2 },
		{ quiet_about_the_redundant, 0 },
		{ crossings_with_a_slow_data_plane, 0 },
	};

	return suite_run("engine", all, ARRAY_LEN(all));
}
