/* Two nodes were parted, and both had clients: what becomes of them when they meet. */
#include <stdio.h>

#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

static struct duo duo;

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

/* The neighbours send to this one now. */
static void route(struct duo *d, struct duo_node *n)
{
	n->address = true;
	duo_other(d, n)->address = false;
}

static void part(struct duo *d)
{
	d->split = true;
	d->nodes[0].beats_cut = true;
	duo_cut_link(d, true);
	duo_run(d, SECONDS(1));
	sim_want(d->sim, ha_role_of(d->nodes[0].ha) == HA_ACTIVE && ha_role_of(d->nodes[1].ha) == HA_ACTIVE);
}

static struct duo_node *meet(struct duo *d)
{
	d->nodes[0].beats_cut = false;
	duo_cut_link(d, false);
	duo_run(d, SECONDS(2));
	sim_want(d->sim, ha_role_of(d->nodes[0].ha) != ha_role_of(d->nodes[1].ha));
	for (size_t i = 0; i < DUO_NODES; i++)
		if (ha_role_of(d->nodes[i].ha) == HA_ACTIVE)
			route(d, &d->nodes[i]);
	return duo_owner(d);
}

static void at_node(struct duo *d, struct duo_node *n, void (*what)(struct duo *d, struct ini *ini), size_t client)
{
	route(d, n);
	what(d, d->sim->clients[client].ini);
	duo_flush(d);
	duo_run(d, SECONDS(3));
}

static void rekeys_ike(struct duo *d, struct ini *ini)
{
	(void)d;
	(void)ini_rekey_ike(ini);
}

static void rekeys_child(struct duo *d, struct ini *ini)
{
	(void)d;
	(void)ini_rekey_child(ini, 0);
}

static void probes(struct duo *d, struct ini *ini)
{
	(void)d;
	(void)ini_probe(ini);
}

static void leaves(struct duo *d, struct ini *ini)
{
	(void)d;
	(void)ini_delete(ini);
}

static void newcomer(struct duo *d, struct duo_node *n)
{
	route(d, n);
	(void)sim_client_add(d->sim, false);
	sim_connect(d->sim, &d->sim->clients[d->sim->client_count - 1]);
	duo_flush(d);
	duo_run(d, SECONDS(3));
}

static bool still_up(struct duo *d, size_t client)
{
	struct ini *ini = d->sim->clients[client].ini;

	return !ini->failed && ini_up(ini) && ini->done[INI_AUTH] == 1;
}

static void all_well(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++)
		if (ini_up(d->sim->clients[i].ini))
			(void)ini_probe(d->sim->clients[i].ini);
	if (duo_settle(d, SECONDS(300)) && duo_wait_synced(d, SECONDS(30)))
		(void)duo_agree(d);
	duo_traffic(d, 1000);
	sim_want(d->sim, d->closed_links == 0 && d->refused == 0);
}

/* One side each: clients come, rekey, leave; and all of it stands afterwards. */
static void both_sides(struct sim *s, uint64_t seed)
{
	struct duo_node *a, *b, *winner;
	struct ha_status st;

	begin(s, seed, 6);
	a = duo_owner(&duo);
	b = duo_other(&duo, a);
	part(&duo);
	duo_traffic(&duo, 1000);
	at_node(&duo, a, rekeys_child, 0);
	at_node(&duo, a, rekeys_ike, 1);
	at_node(&duo, b, rekeys_child, 2);
	at_node(&duo, b, rekeys_ike, 3);
	at_node(&duo, b, leaves, 4);
	duo_traffic(&duo, 1000);
	/* To one side and then to the other: it knows that one from before. */
	at_node(&duo, a, probes, 5);
	at_node(&duo, b, probes, 5);
	winner = meet(&duo);
	sim_want(s, winner != NULL);
	if (!winner)
		return;
	ha_look(winner->ha, &st);
	/* What only the other one had done, and no more. */
	sim_want(s, st.adopted >= 2 && st.adopted <= 3 && st.given_up == 0);
	s->clients[4].gone = true;
	for (size_t i = 0; i < 6; i++)
		sim_want(s, i == 4 || still_up(&duo, i));
	all_well(&duo);
	for (size_t i = 0; i < 6; i++)
		sim_want(s, i == 4 || still_up(&duo, i));
	/* And they outlive the next failover. */
	duo_kill(&duo, winner);
	duo_run(&duo, SECONDS(2));
	all_well(&duo);
	for (size_t i = 0; i < 6; i++)
		sim_want(s, i == 4 || still_up(&duo, i));
	duo_clear(&duo);
}

START_TEST(clients_of_both_sides_go_on)
{
	sim_seeds("both sides", 1, 8, both_sides);
}
END_TEST

/* A newcomer at each side: they may have been given one address. One keeps it, the other one is told. */
static void newcomers(struct sim *s, uint64_t seed)
{
	struct duo_node *a, *b, *winner;
	struct ha_status st;
	size_t up = 0;

	begin(s, seed, 2);
	a = duo_owner(&duo);
	b = duo_other(&duo, a);
	part(&duo);
	newcomer(&duo, a);
	newcomer(&duo, b);
	sim_want(s, still_up(&duo, 2) && still_up(&duo, 3));
	winner = meet(&duo);
	sim_want(s, winner != NULL);
	if (!winner)
		return;
	duo_run(&duo, SECONDS(30));
	ha_look(winner->ha, &st);
	for (size_t i = 0; i < 4; i++) {
		up += still_up(&duo, i);
		s->clients[i].gone = !ini_up(s->clients[i].ini);
	}
	sim_want(s, st.adopted + st.given_up == 1);
	sim_want(s, up == 4 - st.given_up);
	/* It knows: it was told, and may come again. */
	for (size_t i = 2; i < 4; i++)
		sim_want(s, ini_up(s->clients[i].ini) || !s->clients[i].ini->failed);
	all_well(&duo);
	duo_clear(&duo);
}

START_TEST(an_address_is_given_once)
{
	sim_seeds("newcomers", 1, 8, newcomers);
}
END_TEST

/* One that came to the loser alone: taken as it is, numbers and all. */
static void a_guest(struct sim *s, uint64_t seed)
{
	struct duo_node *a, *winner;
	struct ha_status st;

	begin(s, seed, 1);
	a = duo_owner(&duo);
	part(&duo);
	newcomer(&duo, a);
	duo_traffic(&duo, 5000);
	at_node(&duo, duo_other(&duo, a), rekeys_child, 0); /* it has clients, too: its term stays */
	winner = meet(&duo);
	sim_want(s, winner && winner != a);
	if (!winner)
		return;
	ha_look(winner->ha, &st);
	sim_want(s, st.adopted == 1 && st.given_up == 0 && duo.rekeys_asked == 0);
	duo_traffic(&duo, 5000);
	all_well(&duo);
	sim_want(s, still_up(&duo, 0) && still_up(&duo, 1) && duo.rekeys_asked == 0);
	duo_kill(&duo, winner);
	duo_run(&duo, SECONDS(2));
	all_well(&duo);
	sim_want(s, still_up(&duo, 0) && still_up(&duo, 1));
	duo_clear(&duo);
}

START_TEST(a_guest_of_the_loser_goes_on)
{
	sim_seeds("a guest", 1, 4, a_guest);
}
END_TEST

static uint64_t stat_of(const struct duo_node *n, const char *name)
{
	struct ike_stat all[128];
	size_t count = ike_stats(n->g.ike, all, ARRAY_LEN(all));

	for (size_t i = 0; i < count && i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value;
	ck_abort_msg("no such counter: %s", name);
	return 0;
}

/* The owner tells the first client of new keys, and no standby. */
static void rekeyed_unseen(struct sim *s)
{
	duo_cut_link(&duo, true);
	duo_run(&duo, SECONDS(1));
	(void)ini_rekey_child(s->clients[0].ini, 0);
	duo_flush(&duo);
	duo_run(&duo, SECONDS(2));
}

/* The standby takes over behind what its predecessor had said: it is careful until each SA is settled. */
static void uncertain(struct sim *s, uint64_t seed)
{
	struct duo_node *n;
	struct ini *ini;
	uint64_t refused;

	begin(s, seed, 2);
	n = duo_owner(&duo);
	rekeyed_unseen(s);
	duo.rebirth_us = 0;
	duo_kill(&duo, n);
	duo_run(&duo, SECONDS(1));
	n = duo_owner(&duo);
	sim_want(s, n && n->behind == 1);
	if (!n)
		return;
	ini = s->clients[1].ini;
	(void)ini_probe(ini);
	duo_flush(&duo);
	duo_run(&duo, SECONDS(1));
	sim_want(s, ini->done[INI_PROBE] == 1 && stat_of(n, "liveness_answered") == 1);
	(void)ini_rekey_child(ini, 0);
	duo_flush(&duo);
	duo_run(&duo, MILLISECONDS(200));
	sim_want(s, stat_of(n, "refused_temporarily") >= 1);
	/* Settled within two minutes: by rekeys, or by an end that the client knows of. */
	duo_run(&duo, SECONDS(130));
	refused = stat_of(n, "refused_temporarily");
	duo_run(&duo, SECONDS(70));
	sim_want(s, stat_of(n, "refused_temporarily") == refused);
	for (size_t i = 0; i < 2; i++) {
		const struct ini *c = s->clients[i].ini;
		bool up = ini_up(c);

		s->clients[i].gone = !up;
		sim_want(s, i == 0 || up);
	}
	(void)ini_rekey_child(ini, 0);
	if (duo_settle(&duo, SECONDS(60)))
		(void)duo_agree(&duo);
	sim_want(s, still_up(&duo, 1));
	duo_clear(&duo);
}

START_TEST(uncertain_until_settled)
{
	sim_seeds("uncertain", 1, 4, uncertain);
}
END_TEST

/*
 * Who took over in doubt dies, or hands over, before it is settled: the next one goes on with it. It was told all, but for
 * what the first one had told its clients.
 */
static void doubt_goes_on(struct sim *s, uint64_t seed)
{
	struct duo_node *first, *second;
	struct ini *ini;
	uint64_t refused;

	begin(s, seed, 2);
	first = duo_owner(&duo);
	rekeyed_unseen(s);
	duo.rebirth_us = SECONDS(1);
	duo_kill(&duo, first);
	duo_cut_link(&duo, false);
	duo_run(&duo, SECONDS(2));
	second = duo_owner(&duo);
	sim_want(s, second && second != first && second->behind == 1);
	sim_want(s, duo_wait_synced(&duo, SECONDS(5)));
	if (s->failure[0])
		return;
	if (seed % 2) {
		duo.rebirth_us = 0;
		duo_kill(&duo, second);
	} else {
		struct err e = { 0 };

		sim_want(s, ha_switchover(second->ha, "asked for", &e) == GW_OK);
	}
	duo_run(&duo, SECONDS(1));
	sim_want(s, duo_owner(&duo) == first && first->behind == 0);
	ini = s->clients[1].ini;
	(void)ini_rekey_child(ini, 0);
	duo_flush(&duo);
	duo_run(&duo, MILLISECONDS(200));
	sim_want(s, stat_of(first, "refused_temporarily") >= 1);
	duo_run(&duo, SECONDS(200));
	refused = stat_of(first, "refused_temporarily");
	for (size_t i = 0; i < 2; i++)
		s->clients[i].gone = !ini_up(s->clients[i].ini);
	sim_want(s, still_up(&duo, 1));
	/* Over. */
	(void)ini_rekey_child(ini, 0);
	duo_flush(&duo);
	duo_run(&duo, SECONDS(3));
	sim_want(s, stat_of(first, "refused_temporarily") == refused);
	if (duo_settle(&duo, SECONDS(60)))
		(void)duo_agree(&duo);
	duo_clear(&duo);
}

START_TEST(doubt_outlives_its_node)
{
	sim_seeds("doubt goes on", 1, 8, doubt_goes_on);
}
END_TEST

/*
 * The owner has asked its client for something that nobody replicated: the client has answered message IDs that the
 * successor would use next. What is asked there next must not be taken for answered.
 */
static void ids_of_those_before(struct sim *s, uint64_t seed, bool twice)
{
	struct duo_node *n;
	const struct ike_sa *sa;
	const struct ini *ini;
	uint32_t after = 0;
	bool up;

	begin(s, seed, 1);
	ini = s->clients[0].ini;
	n = duo_owner(&duo);
	duo_cut_link(&duo, true);
	duo_run(&duo, SECONDS(1));
	sa = n ? ike_next(n->g.ike, &after) : NULL;
	sim_want(s, sa != NULL);
	if (s->failure[0])
		return;
	/* Once or twice; the last one may be cut off anywhere. */
	for (uint64_t i = 0; i <= seed % 3; i++) {
		bool child = seed % 4 != 3;

		after = 0;
		sa = ike_next(n->g.ike, &after);
		sim_want(s,
			 sa && ike_rekey(n->g.ike,
					 &(struct ike_select){ .id = sa->id, .child_id = child ? sa->children->id : 0 },
					 child) > 0);
		duo_flush(&duo);
		duo_run(&duo,
			i < seed % 3 ? SECONDS(2) : MILLISECONDS(1) + (int64_t)(seed * 577 % 9) * MILLISECONDS(7));
	}
	duo.rebirth_us = twice ? SECONDS(1) : 0;
	duo_kill(&duo, n);
	duo_cut_link(&duo, !twice);
	duo_run(&duo, SECONDS(1));
	n = duo_owner(&duo);
	sim_want(s, n && n->behind == 1);
	if (twice) {
		/* Amid the search for how far the IDs have come. */
		sim_want(s, duo_wait_synced(&duo, SECONDS(5)));
		duo_run(&duo, (int64_t)(seed * 7 % 60) * SECONDS(1));
		duo.rebirth_us = 0;
		duo_kill(&duo, n);
		duo_run(&duo, SECONDS(1));
		n = duo_owner(&duo);
		sim_want(s, n && n->behind == 0);
		if (!n)
			return;
	}
	/* It asks now and then whether we live. */
	for (int i = 0; i < 40 && ini_up(ini); i++) {
		(void)ini_probe(s->clients[0].ini);
		duo_flush(&duo);
		duo_run(&duo, SECONDS(20));
	}
	up = ini_up(ini);
	if (!up) {
		s->clients[0].gone = true;
		duo_run(&duo, SECONDS(900));
		sim_want(s, ike_count(n->g.ike) == 0);
	} else if (seed % 4 == 3) {
		/* Its IKE SA is another one than ours: it finds that out by its own liveness, as it would of any dead
		 * peer. */
		(void)ini_probe(s->clients[0].ini);
		duo_flush(&duo);
		duo_run(&duo, SECONDS(300));
		up = ini_up(ini);
		s->clients[0].gone = !up;
	}
	if (up) {
		duo_traffic(&duo, 10);
		if (duo_settle(&duo, SECONDS(60)))
			(void)duo_agree(&duo);
	}
	duo_clear(&duo);
}

static void ids_of_the_one_before(struct sim *s, uint64_t seed)
{
	ids_of_those_before(s, seed, false);
}

static void ids_of_the_first_of_two(struct sim *s, uint64_t seed)
{
	ids_of_those_before(s, seed, true);
}

START_TEST(no_answer_to_another_question)
{
	sim_seeds("ids of the one before", 1, 12, ids_of_the_one_before);
	sim_seeds("ids of the first of two", 1, 24, ids_of_the_first_of_two);
}
END_TEST

/* The heartbeats are lost and the sync link is not: nobody takes over; when it is silent, too, the standby does. */
static void deaf(struct sim *s, uint64_t seed)
{
	struct duo_node *n;

	begin(s, seed, 2);
	n = duo_owner(&duo);
	duo.deaf = true;
	duo_run(&duo, SECONDS(20));
	sim_want(s, n && duo_owner(&duo) == n && n->promotions == 1 && duo_other(&duo, n)->promotions == 0);
	duo_kill(&duo, n);
	duo_run(&duo, MILLISECONDS(400));
	sim_want(s, duo_owner(&duo) == duo_other(&duo, n));
	duo.deaf = false;
	all_well(&duo);
	sim_want(s, still_up(&duo, 0) && still_up(&duo, 1));
	duo_clear(&duo);
}

START_TEST(who_is_deaf_does_not_take_over)
{
	sim_seeds("deaf", 1, 3, deaf);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { clients_of_both_sides_go_on, 0 },  { an_address_is_given_once, 0 },
					  { a_guest_of_the_loser_goes_on, 0 }, { uncertain_until_settled, 0 },
					  { doubt_outlives_its_node, 0 },      { no_answer_to_another_question, 0 },
					  { who_is_deaf_does_not_take_over, 0 } };

	return suite_run("failover_heal", all, ARRAY_LEN(all));
}
