/* Networks that lose, double, delay and corrupt: hundreds of seeds, and both sides agree in the end. */
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static const struct net_faults bad = { 1000, 60000, 120, 80, 0 };
static const struct net_faults awful = { 1000, 1500000, 250, 200, 30 };

static void world(struct sim *s, uint64_t seed, size_t clients, const struct net_faults *faults)
{
	sim_init(s, seed, NULL, false);
	s->net.faults = *faults;
	s->gate.plane_delay_us = MILLISECONDS(20);
	for (size_t i = 0; i < clients; i++)
		sim_connect(s, sim_client_add(s, i % 2));
}

/* Coming up through loss alone: no client may give up under a loss that eight tries survive. */
static void connects(struct sim *s, uint64_t seed)
{
	world(s, seed, 2, &bad);
	sim_run(s, SECONDS(400));
	for (size_t i = 0; i < s->client_count; i++)
		sim_want(s, ini_up(s->clients[i].ini) && ini_child_count(s->clients[i].ini) == 1);
	(void)sim_settle(s, SECONDS(60));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

static void lives(struct sim *s, uint64_t seed)
{
	world(s, seed, 2, &bad);
	chaos_run(s, ACT_ALL, 25, SECONDS(8));
	(void)chaos_recover(s);
}

static void lives_badly(struct sim *s, uint64_t seed)
{
	world(s, seed, 3, &awful);
	chaos_run(s, ACT_ALL, 30, SECONDS(12));
	(void)chaos_recover(s);
}

/* Everything in fragments, so that parts of a message get lost. */
static void fragments(struct sim *s, uint64_t seed)
{
	world(s, seed, 0, &bad);
	for (size_t i = 0; i < 2; i++) {
		struct sim_client *c = sim_client_add(s, i);

		c->cfg.ballast = 3000;
		c->cfg.max_datagram = 576;
		sim_connect(s, c);
	}
	sim_run(s, SECONDS(400));
	for (size_t i = 0; i < s->client_count; i++)
		sim_want(s, ini_up(s->clients[i].ini));
	(void)chaos_recover(s);
}

START_TEST(connects_under_loss)
{
	sim_seeds("connects", 10000, 80, connects);
}
END_TEST

START_TEST(lives_under_loss)
{
	sim_seeds("lives", 20000, 120, lives);
}
END_TEST

START_TEST(lives_under_everything)
{
	sim_seeds("lives badly", 30000, 100, lives_badly);
}
END_TEST

START_TEST(fragments_under_loss)
{
	sim_seeds("fragments", 40000, 40, fragments);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { connects_under_loss, 0 },
					  { lives_under_loss, 0 },
					  { lives_under_everything, 0 },
					  { fragments_under_loss, 0 } };

	return suite_run("loss", all, ARRAY_LEN(all));
}
