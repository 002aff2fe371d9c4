/* Engines replaced by what their encoded state says, at any moment; the peers notice nothing. */
#include <stdio.h>

#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static const struct net_faults fair = { 1000, 30000, 30, 30, 0 };
static const struct net_faults none = { 1000, 1000, 0, 0, 0 };

/* After every turn: the data plane stays, the engine is another one. */
static void every_turn(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, false);
	s->gate.reincarnate = seed % 2 ? 1000 : 400;
	s->gate.plane_delay_us = seed % 3 ? MILLISECONDS(10) : 0;
	s->net.faults = fair;
	for (size_t i = 0; i < 2; i++)
		sim_connect(s, sim_client_add(s, i));
	sim_run(s, SECONDS(20));
	chaos_run(s, ACT_ALL, 12, SECONDS(5));
	sim_want(s, s->gate.lives > 3);
	(void)chaos_recover(s);
}

/* Without faults and collisions nobody has to try twice. */
static void unnoticed(struct sim *s, uint64_t seed)
{
	struct ini *ini;

	sim_init(s, seed, NULL, false);
	s->gate.reincarnate = 1000;
	s->net.faults = none;
	sim_connect(s, sim_client_add(s, seed % 2));
	ini = s->clients[0].ini;
	for (int i = 0; i < 12 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };

		(void)sim_settle(s, SECONDS(1));
		switch (i % 6) {
		case 0:
			(void)ini_rekey_child(ini, 0);
			break;
		case 1:
			(void)ike_rekey(s->gate.active.ike, &all, true);
			break;
		case 2:
			(void)ini_rekey_ike(ini);
			break;
		case 3:
			(void)ike_rekey(s->gate.active.ike, &all, false);
			break;
		case 4:
			(void)ini_probe(ini);
			break;
		default:
			(void)ike_probe(s->gate.active.ike, &all);
		}
		sim_flush(s);
		(void)sim_settle(s, SECONDS(1));
		(void)sim_agree(s);
	}
	sim_want(s, ini->done[INI_AUTH] == 1 && ini->done[INI_CHILD_REKEY] == 2 && ini->done[INI_IKE_REKEY] == 2);
	sim_want(s, ini->peer_rekeys == 2 && ini->peer_ike_rekeys == 2 && ini->peer_probes == 2 && ini->resent == 0);
	(void)sim_leaves_nothing(s);
}

/* The active dies at random, sometimes within a turn; the standby goes on with a data plane of its own. */
static void takeovers(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, true);
	s->gate.takeover = 30;
	s->gate.plane_delay_us = MILLISECONDS(10);
	s->net.faults = fair;
	for (size_t i = 0; i < 3; i++)
		sim_connect(s, sim_client_add(s, i % 2));
	sim_run(s, SECONDS(20));
	chaos_run(s, ACT_ALL, 25, SECONDS(5));
	s->gate.takeover = 0;
	(void)chaos_recover(s);
}

/* A whole life, and a death in each of its turns. */
static uint64_t life(struct sim *s, uint64_t turn, bool early)
{
	struct ini *ini;

	sim_init(s, 7, NULL, true);
	s->gate.kill_turn = turn;
	s->gate.kill_early = early;
	s->net.faults = none;
	sim_connect(s, sim_client_add(s, true));
	ini = s->clients[0].ini;
	for (int i = 0; i < 5 && !s->failure[0]; i++) {
		struct ike_select all = { 0 };

		sim_run(s, SECONDS(10));
		(void)sim_settle(s, SECONDS(300));
		if (i == 0)
			(void)ini_rekey_child(ini, 0);
		else if (i == 1)
			(void)ike_rekey(s->gate.active.ike, &all, true);
		else if (i == 2)
			(void)ini_rekey_ike(ini);
		else if (i == 3)
			(void)ike_rekey(s->gate.active.ike, &all, false);
		sim_flush(s);
	}
	(void)sim_agree(s);
	/* Whatever the client asked for it got, without connecting again. */
	sim_want(s, ini->done[INI_AUTH] == 1 && ini->done[INI_CHILD_REKEY] == 1 && ini->done[INI_IKE_REKEY] == 1);
	(void)sim_leaves_nothing(s);
	return s->gate.turns;
}

START_TEST(after_every_turn)
{
	sim_seeds("every turn", 100, 60, every_turn);
}
END_TEST

START_TEST(nobody_notices)
{
	sim_seeds("unnoticed", 200, 4, unnoticed);
}
END_TEST

START_TEST(random_takeovers)
{
	sim_seeds("takeovers", 300, 100, takeovers);
}
END_TEST

START_TEST(a_death_in_each_turn)
{
	static struct sim s;
	uint64_t turns = life(&s, 0, false);

	sim_check(&s);
	sim_clear(&s);
	for (uint64_t turn = 1; turn <= turns; turn++)
		for (int early = 0; early < 2; early++) {
			(void)life(&s, turn, early);
			if (s.failure[0])
				fprintf(stderr, "killed %s in turn %llu\n", early ? "early" : "late",
					(unsigned long long)turn);
			sim_check(&s);
			sim_clear(&s);
		}
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ after_every_turn, 0 }, { nobody_notices, 0 }, { random_takeovers, 0 }, { a_death_in_each_turn, 0 }
	};

	return suite_run("state", all, ARRAY_LEN(all));
}
