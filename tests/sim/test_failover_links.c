/* Two gateways and the roads between them: cut, flapping, one way only; power lost, and resyncs that are interrupted.
 */
#include <stdio.h>

#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

static struct duo duo;

static uint64_t draw(struct duo *d, uint64_t below)
{
	return rng_below(&d->sim->rng.rng, below);
}

static void begin(struct sim *s, uint64_t seed, size_t clients)
{
	sim_init(s, seed, NULL, false);
	duo_init(&duo, s);
	duo.rebirth_us = 0;
	for (size_t i = 0; i < clients; i++)
		(void)sim_client_add(s, i % 2 == 1);
	for (size_t i = 0; i < clients; i++)
		sim_connect(s, &s->clients[i]);
	(void)duo_settle(&duo, SECONDS(60));
	(void)duo_wait_synced(&duo, SECONDS(10));
}

static bool still_up(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++) {
		struct ini *ini = d->sim->clients[i].ini;

		if (ini->failed || !ini_up(ini) || ini->done[INI_AUTH] != 1)
			return false;
	}
	return true;
}

static void finish(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++)
		if (ini_up(d->sim->clients[i].ini))
			(void)ini_probe(d->sim->clients[i].ini);
	if (duo_settle(d, SECONDS(600)) && duo_wait_synced(d, SECONDS(30)))
		(void)duo_agree(d);
	duo_traffic(d, 1000);
	sim_want(d->sim, d->closed_links == 0 && d->refused == 0);
	duo_clear(d);
}

/* ---- the link ---- */

static void flapping(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 3);
	n = duo_owner(&duo);
	for (int i = 0; i < 20 && !s->failure[0]; i++) {
		duo_cut_link(&duo, true);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(600)));
		(void)ini_rekey_child(s->clients[draw(&duo, 3)].ini, 0);
		duo_flush(&duo);
		duo_traffic(&duo, 5000);
		duo_cut_link(&duo, false);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(400)));
		duo_traffic(&duo, 5000);
	}
	/* It is no reason to change anything. */
	sim_want(s, duo_owner(&duo) == n && n->promotions == 1 && duo.rekeys_asked == 0);
	sim_want(s, still_up(&duo));
	finish(&duo);
}

START_TEST(a_flapping_link)
{
	sim_seeds("flapping link", 1, 4, flapping);
}
END_TEST

/* What one says, the other does not hear; the link, which needs both ways, is down. */
static void one_way(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 2);
	n = duo_owner(&duo);
	duo.split = true; /* for a moment both believe that they are it */
	duo_cut_link(&duo, true);
	(seed % 2 ? n : duo_other(&duo, n))->mute = true;
	duo_run(&duo, SECONDS(1));
	/* Clients speak to the one that had announced the address last. */
	(void)ini_probe(s->clients[0].ini);
	duo_flush(&duo);
	duo_run(&duo, SECONDS(4));
	/* The standby is not heard: nothing follows from it. The active one is not: one of the two is left. */
	sim_want(s, ha_role_of(duo.nodes[0].ha) != ha_role_of(duo.nodes[1].ha));
	sim_want(s, seed % 2 || ha_role_of(n->ha) == HA_ACTIVE);
	duo.nodes[0].mute = duo.nodes[1].mute = false;
	duo_cut_link(&duo, false);
	duo_run(&duo, SECONDS(2));
	for (size_t i = 0; i < DUO_NODES; i++)
		duo.nodes[i].address = ha_role_of(duo.nodes[i].ha) == HA_ACTIVE;
	sim_want(s, still_up(&duo));
	finish(&duo);
}

START_TEST(one_way_is_lost)
{
	sim_seeds("one way", 1, 6, one_way);
}
END_TEST

/* No link, no service network: it is the standby that is cut off, and it knows. */
static void isolated(struct sim *s, uint64_t seed)
{
	struct duo_node *n, *o;

	begin(s, seed, 2);
	n = duo_owner(&duo);
	o = duo_other(&duo, n);
	o->service_down = true;
	duo_cut_link(&duo, true);
	duo_run(&duo, SECONDS(30));
	sim_want(s, duo_owner(&duo) == n && o->promotions == 0);
	o->service_down = false;
	duo_cut_link(&duo, false);
	duo_run(&duo, SECONDS(2));
	sim_want(s, duo_owner(&duo) == n && still_up(&duo));
	finish(&duo);
}

START_TEST(an_isolated_standby)
{
	sim_seeds("isolated standby", 1, 3, isolated);
}
END_TEST

/* The active one loses its service network: it hands over. */
static void service_cut(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 2);
	n = duo_owner(&duo);
	n->service_down = true;
	duo_run(&duo, SECONDS(1));
	sim_want(s, duo_owner(&duo) == duo_other(&duo, n));
	sim_want(s, still_up(&duo) && duo.rekeys_asked == 0);
	n->service_down = false;
	duo_run(&duo, SECONDS(1));
	sim_want(s, duo_owner(&duo) == duo_other(&duo, n));
	finish(&duo);
}

START_TEST(the_active_one_loses_its_network)
{
	sim_seeds("service cut", 1, 3, service_cut);
}
END_TEST

/* ---- power ---- */

static void power(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 3);
	duo.power = true;
	for (int i = 0; i < 6 && !s->failure[0]; i++) {
		n = i % 2 ? duo_owner(&duo) : duo_other(&duo, duo_owner(&duo));
		duo_traffic(&duo, 10000);
		duo_kill(&duo, n);
		duo_run(&duo, SECONDS(1));
		sim_want(s, duo_owner(&duo) != NULL);
		duo_traffic(&duo, 10000);
		duo_start(&duo, n);
		(void)duo_wait_synced(&duo, SECONDS(20));
	}
	sim_want(s, still_up(&duo));
	finish(&duo);
}

START_TEST(power_of_each_in_turn)
{
	sim_seeds("power", 1, 4, power);
}
END_TEST

/* Nothing is left of the tunnels; but there is one active node soon, and clients come again. */
static void power_of_both(struct sim *s, uint64_t seed)
{
	begin(s, seed, 3);
	duo.power = true;
	duo_traffic(&duo, 10000);
	duo_kill(&duo, &duo.nodes[seed % 2]);
	duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(300)));
	duo_kill(&duo, &duo.nodes[1 - seed % 2]);
	duo_run(&duo, SECONDS(1));
	for (size_t i = 0; i < DUO_NODES; i++) {
		duo_start(&duo, &duo.nodes[i]);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(300)));
	}
	duo_run(&duo, SECONDS(2));
	sim_want(s, duo_owner(&duo) != NULL && ike_count(duo_owner(&duo)->g.ike) == 0);
	for (size_t i = 0; i < s->client_count; i++) {
		struct datagram d;

		ini_forget(s->clients[i].ini);
		while (ini_take(s->clients[i].ini, &d))
			;
		sim_connect(s, &s->clients[i]);
	}
	finish(&duo);
}

START_TEST(power_of_both_nodes)
{
	sim_seeds("power of both", 1, 4, power_of_both);
}
END_TEST

/* ---- resyncs that are interrupted ---- */

static void mid_resync(struct sim *s, uint64_t seed)
{
	struct duo_node *n, *o;

	begin(s, seed, 8);
	duo.link_delay_us = 2000;
	duo.link_jitter_us = 1000;
	for (int i = 0; i < 8 && !s->failure[0]; i++) {
		n = duo_owner(&duo);
		o = duo_other(&duo, n);
		duo_kill(&duo, o);
		duo_run(&duo, MILLISECONDS(100));
		duo_start(&duo, o);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(60)));
		duo_traffic(&duo, 1000);
	}
	(void)duo_wait_synced(&duo, SECONDS(20));
	sim_want(s, duo_owner(&duo) && still_up(&duo) && duo.rekeys_asked == 0);
	finish(&duo);
}

START_TEST(a_standby_killed_in_mid_resync)
{
	sim_seeds("mid resync", 1, 4, mid_resync);
}
END_TEST

/* What the standby did not have yet is lost; what it has goes on, and no client is left believing in a dead SA. */
static void takeover_mid_resync(struct sim *s, uint64_t seed)
{
	struct duo_node *n, *o;

	begin(s, seed, 8);
	n = duo_owner(&duo);
	o = duo_other(&duo, n);
	duo.link_delay_us = 2000;
	duo.link_jitter_us = 1000;
	duo_kill(&duo, o);
	duo_run(&duo, MILLISECONDS(100));
	duo_start(&duo, o);
	duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(60)));
	duo_kill(&duo, n);
	duo_run(&duo, SECONDS(2));
	sim_want(s, duo_owner(&duo) == o);
	duo_traffic(&duo, 1000);
	duo_start(&duo, n);
	(void)duo_wait_synced(&duo, SECONDS(20));
	for (size_t i = 0; i < s->client_count; i++)
		(void)ini_probe(s->clients[i].ini);
	duo_flush(&duo);
	duo_run(&duo, SECONDS(400));
	for (size_t i = 0; i < s->client_count; i++) {
		if (!ini_up(s->clients[i].ini))
			sim_connect(s, &s->clients[i]);
	}
	finish(&duo);
}

START_TEST(a_takeover_in_mid_resync)
{
	sim_seeds("takeover in mid resync", 1, 8, takeover_mid_resync);
}
END_TEST

/* ---- twenty in a row, and one tunnel with ESN that speaks only afterwards ---- */

static void idle_esn(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	sim_init(s, seed, NULL, false);
	duo_init(&duo, s);
	duo.rebirth_us = MILLISECONDS(500);
	sim_offer(s, "aes128gcm16-prfsha256-x25519", "aes128gcm16-esn");
	for (size_t i = 0; i < 3; i++) {
		(void)sim_client_add(s, false);
		sim_connect(s, &s->clients[i]);
	}
	(void)duo_settle(&duo, SECONDS(60));
	duo.quiet = s->clients[0].addr;
	for (int i = 0; i < 20 && !s->failure[0]; i++) {
		(void)duo_wait_synced(&duo, SECONDS(20));
		duo_traffic(&duo, 100000);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(3)));
		n = duo_owner(&duo);
		if (n)
			duo_kill(&duo, n);
		duo_run(&duo, SECONDS(2));
		sim_want(s, duo_owner(&duo) != NULL);
	}
	duo.quiet = (struct addr){ 0 };
	duo_traffic(&duo, 1000);
	/* Its client has seen nothing yet: with ESN it finds the number as long as it is below 2^32. */
	sim_want(s, duo.highest < UINT64_C(1) << 32);
	sim_want(s, duo.deaths == 20 && still_up(&duo) && duo.sent_packets > 1000000);
	finish(&duo);
}

START_TEST(twenty_and_an_idle_esn_tunnel)
{
	sim_seeds("twenty, idle ESN", 1, 3, idle_esn);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ a_flapping_link, 0 },
		{ one_way_is_lost, 0 },
		{ an_isolated_standby, 0 },
		{ the_active_one_loses_its_network, 0 },
		{ power_of_each_in_turn, 0 },
		{ power_of_both_nodes, 0 },
		{ a_standby_killed_in_mid_resync, 0 },
		{ a_takeover_in_mid_resync, 0 },
		{ twenty_and_an_idle_esn_tunnel, 0 },
	};

	return suite_run("failover_links", all, ARRAY_LEN(all));
}
