/* A rolling upgrade: one node speaks the former format of the sync stream, with fields that the other does not know. */
#include "tests/sim/duo_acts.h"
#include "tests/sim/suite.h"

static struct duo duo;

static void nobody_lost(struct sim *s)
{
	for (size_t i = 0; i < s->client_count; i++) {
		const struct ini *ini = s->clients[i].ini;

		if (ini->failed || !ini_up(ini) || ini->done[INI_AUTH] != 1)
			sim_fail(s, "client %zu has lost its IKE SA", i);
	}
}

/* Both from the old one to the new one and back, in order and by death, with something new in each reign. */
static void upgrade(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, false);
	duo_init(&duo, s);
	duo.rebirth_us = 0;
	for (size_t i = 0; i < DUO_NODES; i++) {
		duo.former[i] = true;
		duo_kill(&duo, &duo.nodes[i]);
		duo_start(&duo, &duo.nodes[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		(void)sim_client_add(s, i % 2 == 1);
		sim_connect(s, &s->clients[i]);
	}
	(void)duo_settle(&duo, SECONDS(60));
	(void)duo_wait_synced(&duo, SECONDS(10));
	for (int i = 0; i < 4 && !s->failure[0]; i++) {
		struct duo_node *old = duo_owner(&duo), *next = old ? duo_other(&duo, old) : NULL;
		struct err e;

		sim_want(s, next != NULL);
		if (s->failure[0])
			break;
		/* The standby is stopped, and comes back as the other version. */
		duo_kill(&duo, next);
		duo.former[next - duo.nodes] = i % 2 == 1;
		duo_run(&duo, MILLISECONDS(500));
		duo_start(&duo, next);
		(void)duo_wait_synced(&duo, SECONDS(10));
		sim_want(s, ha_format(old->ha) == HA_FORMAT_MINOR - 1 && ha_format(next->ha) == HA_FORMAT_MINOR - 1);
		duo_client_acts(&duo);
		duo_traffic(&duo, 1000);
		duo_run(&duo, SECONDS(2));
		if (seed % 2)
			duo_kill(&duo, old);
		else
			sim_want(s, ha_switchover(old->ha, "the upgrade", &e) == GW_OK);
		duo_run(&duo, SECONDS(1));
		sim_want(s, duo_owner(&duo) == next);
		if (seed % 2)
			duo_start(&duo, old);
		(void)duo_wait_synced(&duo, SECONDS(10));
		duo_traffic(&duo, 1000);
		duo_client_acts(&duo);
		duo_run(&duo, SECONDS(2));
		/* The other one comes to the same version. */
		duo_kill(&duo, old);
		duo.former[old - duo.nodes] = duo.former[next - duo.nodes];
		duo_run(&duo, MILLISECONDS(500));
		duo_start(&duo, old);
		(void)duo_wait_synced(&duo, SECONDS(10));
	}
	duo_all_well(&duo);
	nobody_lost(s);
	sim_want(s, duo.refused == 0 && duo.closed_links == 0);
	duo_clear(&duo);
}

START_TEST(two_versions)
{
	sim_seeds("two versions", 1, 8, upgrade);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { two_versions, 0 } };

	return suite_run("failover-format", all, ARRAY_LEN(all));
}
