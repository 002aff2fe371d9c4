/* Failover: a client goes on, whoever dies and when. */
#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

#include <stdio.h>

static struct duo duo;

static void begin(struct sim *s, uint64_t seed, size_t clients)
{
	sim_init(s, seed, NULL, false);
	duo_init(&duo, s);
	for (size_t i = 0; i < clients; i++)
		(void)sim_client_add(s, i % 2 == 1);
}

static void connect_all(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++)
		sim_connect(d->sim, &d->sim->clients[i]);
	(void)duo_settle(d, SECONDS(60));
}

/* Nobody has lost anything: the first IKE SA of each client, or its rekeyed successor, is up. */
static void nobody_noticed(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++) {
		struct ini *ini = d->sim->clients[i].ini;

		(void)ini_probe(ini);
		if (ini->failed || !ini_up(ini))
			sim_fail(d->sim, "client %zu has lost its IKE SA: %s", i, ini->reason ? ini->reason : "?");
	}
	if (duo_settle(d, SECONDS(60)) && duo_wait_synced(d, SECONDS(20)))
		(void)duo_agree(d);
}

static void one_failover(struct sim *s, uint64_t seed)
{
	begin(s, seed, 3);
	connect_all(&duo);
	if (duo_wait_synced(&duo, SECONDS(5)) && duo_agree(&duo)) {
		duo_traffic(&duo, 1000);
		duo_kill(&duo, duo_owner(&duo));
		duo_run(&duo, MILLISECONDS(400));
		sim_want(s, duo_owner(&duo) != NULL);
		duo_traffic(&duo, 1000);
		nobody_noticed(&duo);
		duo_traffic(&duo, 1000);
	}
	sim_want(s, duo.rekeys_asked == 0 && duo.refused == 0);
	duo_clear(&duo);
}

START_TEST(a_dead_node)
{
	sim_seeds("one failover", 1, 3, one_failover);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { a_dead_node, 0 } };

	return suite_run("failover", all, ARRAY_LEN(all));
}
