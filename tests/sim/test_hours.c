/*
 * Hours of everything at once: twenty clients of all kinds on a pair of gateways, a network that loses, doubles and
 * reorders, rekeys from both sides and at the same time, clients that roam, crash and come again, nodes that die or
 * hand over. Each hour the world gets well, and then all sides have to agree on every SA.
 *
 * SIM_HOURS=n: that many hours a seed (make soak SEEDS=100: 100); SIM_SEED, SIM_MORE as in sim.h.
 */
#include <stdio.h>

#include "tests/sim/chaos.h"
#include "tests/sim/duo_acts.h"
#include "tests/sim/suite.h"

enum { CLIENTS = 20, ACTS_PER_HOUR = 400 };

static struct duo duo;

static uint64_t draw(uint64_t below)
{
	return rng_below(&duo.sim->rng.rng, below);
}

/* A bit of everything; timers short enough that all of them strike within the hour. */
static void populate(struct sim *s)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		struct sim_client *c = sim_client_add(s, i % 3 == 1);

		c->cfg.mobike = i % 2;
		c->cfg.childless = i % 5 == 4;
		c->cfg.pfs = i % 4 == 3;
		c->cfg.initial_contact = i % 7 != 6;
		c->cfg.cp_in_child = i % 6 == 5;
		sim_connect(s, c);
	}
	duo_flush(&duo);
}

static void come_again(struct sim *s, struct sim_client *c)
{
	struct datagram d;

	if (ini_up(c->ini) && draw(2)) {
		(void)ini_delete(c->ini);
		return;
	}
	ini_forget(c->ini);
	while (ini_take(c->ini, &d))
		;
	sim_connect(s, c);
}

/* What a session of days sees: each time one of many small things. */
static void client_does(struct sim *s)
{
	struct sim_client *c = &s->clients[draw(s->client_count)];

	if (c->ini->failed || !c->ini->sas) {
		sim_connect(s, c);
		return;
	}
	switch (draw(12)) {
	case 0:
		come_again(s, c);
		break;
	case 1:
		if (c->cfg.mobike)
			sim_roam(s, c, draw(2));
		break;
	case 2:
		if (c->nat && !c->cfg.mobike)
			c->nat->shift = (uint16_t)(c->nat->shift + 1 + draw(300));
		break;
	case 3: {
		/* Both sides at once. */
		struct duo_node *n = duo_owner(&duo);
		bool child = draw(2);

		(void)(child ? ini_rekey_child(c->ini, 0) : ini_rekey_ike(c->ini));
		if (n)
			(void)ike_rekey(n->g.ike, &(struct ike_select){ .peer = c->id }, draw(4) ? child : !child);
		break;
	}
	default:
		duo_client_acts(&duo);
	}
}

/* What an active node told its peers while nobody followed is lost with it, which is known: it falls when it is
 * followed. */
static bool may_fall(const struct duo_node *n)
{
	struct ha_status st = { 0 };

	if (!n->alive || n->stopped || n->hung)
		return false;
	ha_look(n->ha, &st);
	return ha_role_of(n->ha) != HA_ACTIVE || st.protected_;
}

static void node_does(struct sim *s)
{
	struct duo_node *n = &duo.nodes[draw(DUO_NODES)], *owner = duo_owner(&duo);
	struct err e;

	switch (draw(6)) {
	case 0:
		if (may_fall(n))
			duo_kill(&duo, n);
		break;
	case 1:
		if (owner)
			(void)!ha_switchover(owner->ha, "the test", &e);
		break;
	case 2:
		duo_cut_link(&duo, true);
		duo_run(&duo, (int64_t)draw(SECONDS(60)));
		duo_cut_link(&duo, false);
		break;
	case 3:
		if (may_fall(n))
			duo_stop(&duo, n);
		break;
	default:
		duo_continue(&duo, &duo.nodes[0]);
		duo_continue(&duo, &duo.nodes[1]);
		break;
	}
	/* Good hours and bad minutes. */
	s->net.faults = draw(4) ? (struct net_faults){ 1000, 30000, 10, 10, 0 }
				: (struct net_faults){ 1000, 400000, 150, 80, 10 };
}

static void hour(struct sim *s)
{
	for (unsigned i = 0; i < ACTS_PER_HOUR && !s->failure[0]; i++) {
		client_does(s);
		if (draw(20) == 0)
			node_does(s);
		duo_flush(&duo);
		duo_run(&duo, (int64_t)draw(2 * SECONDS(3600) / ACTS_PER_HOUR));
	}
}

/* What has happened in all seeds. */
static struct tally {
	uint64_t sessions, child_rekeys, ike_rekeys, crossed, moves, deaths, takeovers;
} total;

static void tally(struct sim *s)
{
	struct tally t = { .deaths = duo.deaths };

	for (size_t i = 0; i < s->client_count; i++) {
		const struct ini *ini = s->clients[i].ini;

		t.sessions += ini->done[INI_AUTH];
		t.child_rekeys += ini->done[INI_CHILD_REKEY] + ini->peer_rekeys;
		t.ike_rekeys += ini->done[INI_IKE_REKEY] + ini->peer_ike_rekeys;
		t.crossed += ini->collisions;
		t.moves += ini->done[INI_UPDATE];
	}
	for (size_t i = 0; i < DUO_NODES; i++)
		t.takeovers += duo.nodes[i].promotions;
	total = (struct tally){ total.sessions + t.sessions,	 total.child_rekeys + t.child_rekeys,
				total.ike_rekeys + t.ike_rekeys, total.crossed + t.crossed,
				total.moves + t.moves,		 total.deaths + t.deaths,
				total.takeovers + t.takeovers };
}

static unsigned hours_of_a_seed(void)
{
	const char *want = getenv("SIM_HOURS");

	return want ? (unsigned)strtoul(want, NULL, 0) : 5;
}

static void hours(struct sim *s, uint64_t seed)
{
	static const struct sim_settings settings = {
		.ike = "  half_open_per_source: 100\n",
		.conn = "    rekey: 20m\n    jitter: 30%\n    dpd: 90s\n    reauth: 2h\n",
		.child = "        rekey: 7m\n",
	};
	unsigned n = hours_of_a_seed();

	sim_init(s, seed, &settings, false);
	sim_offer(s, "aes128gcm16-prfsha256-x25519", "aes128gcm16-x25519-none-noesn");
	duo_init_paced(&duo, s, SECONDS(2));
	duo.split = true;
	duo.rebirth_us = SECONDS(20);
	populate(s);
	for (unsigned i = 0; i < n && !s->failure[0]; i++) {
		hour(s);
		duo_heal(&duo);
		for (size_t k = 0; k < s->client_count; k++) /* whose time to authenticate anew came meanwhile */
			if (!ini_up(s->clients[k].ini))
				sim_connect(s, &s->clients[k]);
		duo_all_well(&duo);
	}
	tally(s);
	duo_clear(&duo);
}

START_TEST(hours_of_everything)
{
	total = (struct tally){ 0 };
	sim_seeds("hours", 1, 3, hours);
	printf("%llu sessions, %llu and %llu rekeys of CHILD and IKE SAs, %llu crossed, %llu moves, %llu deaths of "
	       "nodes, "
	       "%llu takeovers\n",
	       (unsigned long long)total.sessions, (unsigned long long)total.child_rekeys,
	       (unsigned long long)total.ike_rekeys, (unsigned long long)total.crossed, (unsigned long long)total.moves,
	       (unsigned long long)total.deaths, (unsigned long long)total.takeovers);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { hours_of_everything, 0 } };

	return suite_run("hours", all, ARRAY_LEN(all));
}
