/* Two gateways and what can happen to them: many failovers, random seeds, partitions, sleep, hangs, switchovers. */
#include <stdio.h>

#include "tests/sim/duo_acts.h"
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
	for (size_t i = 0; i < clients; i++)
		(void)sim_client_add(s, i % 2 == 1);
	for (size_t i = 0; i < clients; i++)
		sim_connect(s, &s->clients[i]);
	(void)duo_settle(&duo, SECONDS(60));
	(void)duo_wait_synced(&duo, SECONDS(10));
}

static void nobody_lost(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++) {
		struct ini *ini = d->sim->clients[i].ini;

		if (ini->failed || !ini_up(ini) || ini->done[INI_AUTH] != 1)
			sim_fail(d->sim, "client %zu has lost its IKE SA: %s", i, ini->reason ? ini->reason : "?");
	}
}

/* ---- a plane that refuses ---- */

static const struct child_sa *child_without_outbound(struct duo_node *n)
{
	const struct ike_sa *sa;
	uint32_t after = 0;

	while ((sa = ike_next(n->g.ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c; c = c->next)
			if (!c->out_installed)
				return c;
	return NULL;
}

/* The owner's plane refuses the outbound SA of a rekey, which its standby has been told of and has: there it goes, too.
 */
static void outbound_refused(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 1);
	n = duo_owner(&duo);
	sim_want(s, n != NULL && fake_plane_sa_count(n->g.plane) == 2);
	if (s->failure[0])
		return;
	duo.plane_delay_us = MILLISECONDS(20); /* longer than it takes to tell the standby */
	sim_want(s, ini_rekey_child(s->clients[0].ini, 0));
	for (int ms = 0; ms < 1000 && !child_without_outbound(n); ms++)
		duo_run(&duo, MILLISECONDS(1));
	sim_want(s, child_without_outbound(n) != NULL);
	fake_plane_fail(n->g.plane, DP_SA_ADD, 0, GW_EEXIST, 1);
	(void)duo_settle(&duo, SECONDS(60));
	duo_run(&duo, SECONDS(30));
	sim_want(s, fake_plane_sa_count(duo_other(&duo, n)->g.plane) == fake_plane_sa_count(n->g.plane));
	duo_clear(&duo);
}

START_TEST(an_outbound_sa_is_refused)
{
	sim_seeds("an outbound SA is refused", 1, 4, outbound_refused);
}
END_TEST

/* ---- twenty in a row ---- */

static void twenty(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 4);
	duo.rebirth_us = MILLISECONDS(500);
	for (int i = 0; i < 20 && !s->failure[0]; i++) {
		/* One of them speaks only afterwards. */
		if (i < 19)
			duo_traffic(&duo, 100000);
		duo_client_acts(&duo);
		duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(3)));
		n = duo_owner(&duo);
		if (n)
			duo_kill(&duo, n);
		duo_run(&duo, SECONDS(2));
		sim_want(s, duo_owner(&duo) != NULL);
		(void)duo_wait_synced(&duo, SECONDS(20));
	}
	duo_traffic(&duo, 1000);
	duo_all_well(&duo);
	nobody_lost(&duo);
	sim_want(s, duo.deaths == 20 && duo.refused == 0 && duo.sent_packets > 1000000);
	duo_clear(&duo);
}

START_TEST(twenty_in_a_row)
{
	sim_seeds("twenty in a row", 1, 4, twenty);
}
END_TEST

/* ---- whatever is killed while the pair is protected: no client loses anything ---- */

static void kills(struct sim *s, uint64_t seed)
{
	struct ha_status st;

	begin(s, seed, 3);
	duo.plane_delay_us = (int64_t)draw(&duo, 2) * 3000;
	duo.link_jitter_us = 1 + (int64_t)draw(&duo, 4000);
	duo.rebirth_us = 1 + (int64_t)draw(&duo, SECONDS(2));
	s->net.faults = (struct net_faults){ 500, 8000, 30, 30, 0 };
	for (int i = 0; i < 12 && !s->failure[0]; i++) {
		struct duo_node *n;

		for (int k = 0; k < 4; k++) {
			duo_client_acts(&duo);
			duo_traffic(&duo, 5000);
			duo_run(&duo, (int64_t)draw(&duo, MILLISECONDS(30)));
		}
		n = duo_owner(&duo);
		if (!n || !duo_other(&duo, n)->alive)
			continue;
		ha_look(n->ha, &st);
		if (draw(&duo, 3) == 0)
			duo_kill(&duo, duo_other(&duo, n));
		else if (st.protected_)
			duo_kill(&duo, n);
		duo_run(&duo, (int64_t)draw(&duo, SECONDS(2)));
		(void)duo_wait_synced(&duo, SECONDS(40));
	}
	s->net.faults = (struct net_faults){ 1000, 2000, 0, 0, 0 };
	duo_all_well(&duo);
	nobody_lost(&duo);
	sim_want(s, duo.refused == 0 && duo.deaths > 0);
	duo_clear(&duo);
}

START_TEST(kills_while_protected)
{
	sim_seeds("kills", 100, 40, kills);
	/* In these a node died that had ended an exchange and sent on the new SA, and its successor ended that, too. */
	sim_seeds("ended twice", 1544426651, 1, kills);
	sim_seeds("ended twice", 173077845, 1, kills);
	sim_seeds("ended twice", 1819276395, 1, kills);
}
END_TEST

/* ---- anything at all: no number twice, and in the end all is well again ---- */

static void wild_act(struct duo *d)
{
	struct duo_node *n = &d->nodes[draw(d, DUO_NODES)];
	struct err e;

	switch (draw(d, 12)) {
	case 0:
		duo_kill(d, n);
		break;
	case 1:
		if (n->alive && !n->stopped && !n->hung)
			duo_stop(d, n);
		break;
	case 2:
		if (n->alive && !n->stopped && !n->hung) {
			n->hung = true;
			n->hung_since = sim_now(d->sim);
		}
		break;
	case 3:
		duo_continue(d, &d->nodes[0]);
		duo_continue(d, &d->nodes[1]);
		break;
	case 4:
		duo_cut_link(d, !d->link_cut);
		break;
	case 5:
		d->nodes[0].beats_cut = !d->nodes[0].beats_cut;
		break;
	case 6:
		n->service_down = !n->service_down;
		break;
	case 7:
		if (n->alive && !n->stopped && !n->hung && ha_role_of(n->ha) == HA_ACTIVE)
			(void)!ha_switchover(n->ha, "the test", &e);
		break;
	case 8:
		d->link_jitter_us = 1 + (int64_t)draw(d, MILLISECONDS(200));
		break;
	case 9:
		d->power = draw(d, 2);
		break;
	default:
		duo_client_acts(d);
		break;
	}
	duo_flush(d);
}

static void wild(struct sim *s, uint64_t seed)
{
	begin(s, seed, 3);
	duo.split = true;
	duo.block = 1 << (8 + draw(&duo, 6));
	s->net.faults = (struct net_faults){ 500, 8000, 50, 50, 0 };
	for (int i = 0; i < 60 && !s->failure[0]; i++) {
		wild_act(&duo);
		duo_traffic(&duo, 1 + draw(&duo, 300));
		duo_run(&duo, (int64_t)draw(&duo, draw(&duo, 4) ? MILLISECONDS(60) : SECONDS(1)));
		duo_traffic(&duo, 1 + draw(&duo, 300));
	}
	duo_heal(&duo);
	duo_all_well(&duo);
	duo_clear(&duo);
}

START_TEST(anything)
{
	sim_seeds("anything", 1000, 20, wild);
	/* One took over unheard, was announced, and died: neighbours believed it still. */
	sim_seeds("announced by the dead", 1682607886, 1, wild);
	/* One woke up, was announced, and heard then that the other one had taken over. */
	sim_seeds("announced too late", 729079891, 1, wild);
	/* One spoke to clients before it knew that its standby held all, and was not heard any more. */
	sim_seeds("told unheard", 1316269444, 1, wild);
	/* One spoke to clients when its standby could not hear it, and died. */
	sim_seeds("told unheard", 1003139, 1, wild);
	/* One did, died, came back empty and was active once more. */
	sim_seeds("told, and forgotten", 1004122, 1, wild);
	/* One rekeyed an SA while they were parted, and got it back from the other one. */
	sim_seeds("closed by one", 1001497, 1, wild);
	/* Both answered one CREATE_CHILD_SA while they were parted: two SAs of one SPI. */
	sim_seeds("answered by two", 1001879, 1, wild);
	/* One slept, was replaced and went on when its successor had died. */
	sim_seeds("replaced asleep", 1003544, 1, wild);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ an_outbound_sa_is_refused, 0 }, { twenty_in_a_row, 0 }, { kills_while_protected, 0 }, { anything, 0 }
	};

	return suite_run("failover_faults", all, ARRAY_LEN(all));
}
