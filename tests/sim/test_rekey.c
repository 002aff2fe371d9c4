/* Hours and days of rekeys in virtual time, from both sides, and both sides at once. */
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static const struct net_faults fair = { 1000, 30000, 20, 20, 0 };

/* Nobody asks for anything: everything happens by its timer, on either side. */
static void day(struct sim *s, uint64_t seed)
{
	static const struct sim_settings settings = { .conn = "    rekey: 2h\n    jitter: 20%\n    dpd: 5m\n",
						      .child = "        rekey: 15m\n" };
	uint64_t rekeys = 0;

	sim_init(s, seed, &settings, false);
	s->net.faults = fair;
	s->gate.plane_delay_us = MILLISECONDS(10);
	for (size_t i = 0; i < 3; i++)
		sim_connect(s, sim_client_add(s, i % 2));
	for (int hour = 0; hour < 24 && !s->failure[0]; hour++) {
		/* Clients have timers of their own, which sometimes strike at the same time. */
		for (size_t i = 0; i < s->client_count; i++) {
			sim_run(s, SECONDS(60) + (int64_t)rng_below(&s->rng.rng, SECONDS(600)));
			if (rng_below(&s->rng.rng, 2))
				(void)ini_rekey_child(s->clients[i].ini, 0);
			else
				(void)ini_rekey_ike(s->clients[i].ini);
			sim_flush(s);
		}
		sim_run(s, SECONDS(1200));
	}
	for (size_t i = 0; i < s->client_count; i++) {
		struct ini *ini = s->clients[i].ini;

		rekeys += ini->peer_rekeys;
		sim_want(s, ini->done[INI_AUTH] == 1); /* nobody had to come again */
		sim_want(s, ini->peer_ike_rekeys + ini->done[INI_IKE_REKEY] >= 10);
	}
	sim_want(s, rekeys >= 150);
	sim_want(s, s->gate.up == 3 && s->gate.down == 0);
	(void)chaos_recover(s);
}

static uint64_t crossed[2];

/* Of whose tries every one was lost has given up, and comes again when the other side has found out, too. */
static void come_again(struct sim *s, struct sim_client *c)
{
	struct net_faults faults = s->net.faults;

	if (!c->ini->failed && sim_sa(s, c))
		return;
	s->net.faults = (struct net_faults){ 1000, 2000, 0, 0, 0 };
	(void)ini_probe(c->ini);
	sim_flush(s);
	sim_run(s, SECONDS(400));
	sim_want(s, c->ini->failed && ike_count(s->gate.active.ike) == 0);
	sim_connect(s, c);
	(void)sim_settle(s, SECONDS(60));
	s->net.faults = faults;
}

/* Both sides begin at the same instant, over networks that order the four messages in all ways. */
static void at_once(struct sim *s, uint64_t seed)
{
	bool child = seed % 2;

	sim_init(s, seed, NULL, false);
	s->gate.plane_delay_us = (int64_t)(seed / 2 % 3) * MILLISECONDS(4);
	sim_connect(s, sim_client_add(s, seed / 6 % 2));
	(void)sim_settle(s, SECONDS(10));
	s->net.faults = (struct net_faults){ 500, 20000, seed % 5 ? 0 : 150, seed % 7 ? 0 : 200, 0 };
	for (int i = 0; i < 4 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };

		(void)(child ? ini_rekey_child(s->clients[0].ini, 0) : ini_rekey_ike(s->clients[0].ini));
		(void)ike_rekey(s->gate.active.ike, &all, child);
		sim_flush(s);
		/* What one side lost track of waits for its end of life. */
		(void)sim_settle(s, SECONDS(900));
		come_again(s, &s->clients[0]);
		(void)sim_agree(s);
		sim_want(s, ini_child_count(s->clients[0].ini) == 1 && ini_up(s->clients[0].ini));
	}
	crossed[child] += s->clients[0].ini->collisions;
	(void)sim_leaves_nothing(s);
}

/* A CHILD SA and the IKE SA at once: TEMPORARY_FAILURE and another try (RFC 7296 2.25). */
static void child_and_ike(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, false);
	s->net.faults = fair;
	sim_connect(s, sim_client_add(s, false));
	sim_run(s, SECONDS(60));
	for (int i = 0; i < 4 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };

		(void)(i % 2 ? ini_rekey_child(s->clients[0].ini, 0) : ini_rekey_ike(s->clients[0].ini));
		sim_flush(s);
		sim_run(s, (int64_t)rng_below(&s->rng.rng, 30000));
		(void)ike_rekey(s->gate.active.ike, &all, i % 2 == 0);
		sim_flush(s);
		(void)sim_settle(s, SECONDS(200));
		(void)sim_agree(s);
	}
	(void)sim_leaves_nothing(s);
}

/* With Diffie-Hellman in the rekeys of CHILD SAs, in groups that one side has to learn. */
static void with_pfs(struct sim *s, uint64_t seed)
{
	static const struct sim_settings settings = { .child = "        proposals: [aes128gcm16-ecp256-x25519]\n" };

	sim_init(s, seed, &settings, false);
	s->net.faults = fair;
	sim_offer(s, "aes128gcm16-prfsha256-x25519",
		  seed % 2 ? "aes128gcm16-x25519-ecp256" : "aes128gcm16-x448-ecp256");
	sim_client_add(s, false)->cfg.pfs = true;
	sim_connect(s, &s->clients[0]);
	sim_run(s, SECONDS(60));
	for (int i = 0; i < 4 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };
		const struct ini_sa *mine;

		if (i % 2)
			(void)ini_rekey_child(s->clients[0].ini, 0);
		else
			(void)ike_rekey(s->gate.active.ike, &all, true);
		sim_flush(s);
		(void)sim_settle(s, SECONDS(300));
		(void)sim_agree(s);
		mine = ini_current(s->clients[0].ini);
		sim_want(s, mine && mine->children && mine->children->dh.id != DH_NONE);
	}
	sim_want(s, s->clients[0].ini->done[INI_CHILD_REKEY] == 2 && s->clients[0].ini->peer_rekeys == 2);
	(void)sim_leaves_nothing(s);
}

/* Each side rekeys alone, many times: the newest outbound SA is always that of the newest CHILD SA. */
static void in_turn(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, false);
	s->gate.plane_delay_us = MILLISECONDS(5);
	sim_connect(s, sim_client_add(s, true));
	(void)sim_settle(s, SECONDS(10));
	for (int i = 0; i < 20 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };
		const struct ike_sa *sa;
		struct dp_sa_id out;

		if (rng_below(&s->rng.rng, 2))
			(void)ini_rekey_child(s->clients[0].ini, 0);
		else
			(void)ike_rekey(s->gate.active.ike, &all, true);
		sim_flush(s);
		(void)sim_settle(s, SECONDS(60));
		(void)sim_agree(s);
		sa = sim_sa(s, &s->clients[0]);
		sim_want(s, sa && sa->children && !sa->children->next &&
				    fake_plane_newest_out(s->gate.active.plane, sa->children->reqid, &out) &&
				    out.spi == sa->children->spi_out);
	}
	(void)sim_leaves_nothing(s);
}

START_TEST(days)
{
	sim_seeds("a day", 1, 6, day);
}
END_TEST

START_TEST(both_at_once)
{
	crossed[0] = crossed[1] = 0;
	sim_seeds("at once", 100, 200, at_once);
	/* The network lost eight tries in a row: the client gave up. */
	sim_seeds("given up", 17098915, 1, at_once);
	/* 100 plays of four rounds each: most must have been the real thing. */
	ck_assert(getenv("SIM_SEED") || (crossed[0] > 100 && crossed[1] > 100));
}
END_TEST

START_TEST(a_child_and_its_parent)
{
	sim_seeds("child and parent", 400, 60, child_and_ike);
}
END_TEST

START_TEST(perfect_forward_secrecy)
{
	sim_seeds("PFS", 500, 8, with_pfs);
}
END_TEST

START_TEST(one_after_the_other)
{
	sim_seeds("in turn", 600, 10, in_turn);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { days, 0 },
					  { both_at_once, 0 },
					  { a_child_and_its_parent, 0 },
					  { perfect_forward_secrecy, 0 },
					  { one_after_the_other, 0 } };

	return suite_run("rekey", all, ARRAY_LEN(all));
}
