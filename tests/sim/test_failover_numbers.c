/* Sequence numbers: the ways in which one could be used twice, one by one (DESIGN.md §4). */
#include <stdio.h>

#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

enum { BLOCK = 64 };

static struct duo duo;

static void begin(struct sim *s, uint64_t seed)
{
	sim_init(s, seed, NULL, false);
	duo_init(&duo, s);
	/* Blocks that a burst of packets uses up, and a link that is slow to grant more. */
	duo_clear(&duo);
	duo = (struct duo){ 0 };
	duo_init(&duo, s);
	for (size_t i = 0; i < DUO_NODES; i++)
		duo_kill(&duo, &duo.nodes[i]);
	duo.block = BLOCK;
	for (size_t i = 0; i < DUO_NODES; i++)
		duo_start(&duo, &duo.nodes[i]);
	duo.link_delay_us = MILLISECONDS(20);
	duo.rebirth_us = 0;
	for (size_t i = 0; i < 2; i++)
		(void)sim_client_add(s, i == 1);
	for (size_t i = 0; i < 2; i++)
		sim_connect(s, &s->clients[i]);
	(void)duo_settle(&duo, SECONDS(60));
	(void)duo_wait_synced(&duo, SECONDS(10));
}

static void end(struct duo *d)
{
	duo_clear(d);
}

/* The fence holds while more is asked for, and what was asked for is no one's before it is granted. */
static void while_asking(struct sim *s, uint64_t seed)
{
	begin(s, seed);
	for (int i = 0; i < 12 && !s->failure[0]; i++) {
		struct duo_node *n = duo_owner(&duo);

		for (uint64_t k = 0; k < 1 + seed % 4; k++) {
			duo_traffic(&duo, BLOCK);
			duo_run(&duo, (int64_t)rng_below(&s->rng.rng, MILLISECONDS(25)));
		}
		duo_traffic(&duo, 2 * BLOCK);
		sim_want(s, n != NULL);
		if (n)
			duo_kill(&duo, n);
		duo_run(&duo, SECONDS(1));
		for (int k = 0; k < 4; k++)
			duo_traffic(&duo, BLOCK);
		if (n)
			duo_start(&duo, n);
		(void)duo_wait_synced(&duo, SECONDS(10));
	}
	(void)duo_agree(&duo);
	sim_want(s, duo.sent_packets > 12 * BLOCK);
	end(&duo);
}

START_TEST(a_fence_until_more_is_granted)
{
	sim_seeds("while asking", 1, 12, while_asking);
}
END_TEST

/* Packets go on for as long as there is a standby that grants. */
static void on_and_on(struct sim *s, uint64_t seed)
{
	begin(s, seed);
	for (int i = 0; i < 200 && !s->failure[0]; i++) {
		duo_traffic(&duo, BLOCK / 4);
		duo_run(&duo, MILLISECONDS(60));
	}
	sim_want(s, duo.sent_packets > 2000 && duo.rekeys_asked == 0);
	(void)duo_agree(&duo);
	end(&duo);
}

START_TEST(blocks_are_granted)
{
	sim_seeds("on and on", 1, 2, on_and_on);
}
END_TEST

/* Alone: a standby that is only cut off has the keys. SAs are rekeyed before their numbers end, not stretched. */
static void alone(struct sim *s, uint64_t seed)
{
	begin(s, seed);
	duo_cut_link(&duo, true);
	duo_run(&duo, SECONDS(1));
	for (int i = 0; i < 60 && !s->failure[0]; i++) {
		duo_traffic(&duo, BLOCK / 2);
		duo_run(&duo, MILLISECONDS(50));
	}
	(void)duo_settle(&duo, SECONDS(100));
	sim_want(s, duo.rekeys_asked == s->client_count && duo_owner(&duo));
	/* With the old keys the standby speaks now, as if cut off from everything else too. */
	duo.nodes[0].beats_cut = duo.split = true;
	duo_stop(&duo, duo_owner(&duo));
	duo_run(&duo, SECONDS(1));
	for (int i = 0; i < 10; i++)
		duo_traffic(&duo, BLOCK);
	end(&duo);
}

START_TEST(alone_they_are_rekeyed)
{
	sim_seeds("alone", 1, 3, alone);
}
END_TEST

/*
 * The active hangs, its kernel does not; the standby takes over, speaks, and dies with all that it knew; the first one
 * wakes up, nobody else is active, and the second comes back, empty.
 */
static void lost_owner(struct sim *s, uint64_t seed, bool unmarked)
{
	struct duo_node *a, *b;

	begin(s, seed);
	duo.split = true;
	a = duo_owner(&duo);
	b = duo_other(&duo, a);
	duo.forgetful = unmarked;
	s->net.cut = true; /* nothing can be rekeyed: the old keys have to last */
	duo_stop(&duo, a);
	for (int i = 0; i < 20; i++) {
		duo_traffic(&duo, BLOCK);
		duo_run(&duo, MILLISECONDS(50));
	}
	sim_want(s, duo_owner(&duo) == b);
	duo_kill(&duo, b);
	duo.forgetful = false;
	duo_continue(&duo, a);
	duo_run(&duo, MILLISECONDS(500));
	sim_want(s, duo_owner(&duo) == a);
	duo_traffic(&duo, BLOCK);
	duo_start(&duo, b);
	(void)duo_wait_synced(&duo, SECONDS(5));
	duo_traffic(&duo, 2 * BLOCK);
	for (int i = 0; i < 10; i++) {
		duo_run(&duo, MILLISECONDS(100));
		duo_traffic(&duo, BLOCK);
	}
	duo_kill(&duo, a);
	duo_run(&duo, SECONDS(1));
	for (int i = 0; i < 10; i++) {
		duo_traffic(&duo, BLOCK);
		duo_run(&duo, MILLISECONDS(10));
	}
	/* What nobody can name is rekeyed; what is at most one block is skipped. */
	sim_want(s, unmarked || duo.rekeys_asked > 0);
	/* So are SAs of which the dead one may have told clients more. */
	sim_want(s, unmarked || duo.doubted == 1);
	end(&duo);
}

static void lost_marked(struct sim *s, uint64_t seed)
{
	lost_owner(s, seed, false);
}

static void lost_unmarked(struct sim *s, uint64_t seed)
{
	lost_owner(s, seed, true);
}

START_TEST(an_owner_that_lost_its_memory)
{
	sim_seeds("lost memory", 1, 4, lost_marked);
	sim_seeds("lost memory, no mark", 1, 4, lost_unmarked);
}
END_TEST

static unsigned winners;

/* Two are active; the loser has said how far it came, and the winner dies before the loser has anything of it. */
static void winner_dies(struct sim *s, uint64_t seed)
{
	struct duo_node *n, *o;

	begin(s, seed);
	duo.split = true;
	duo.nodes[0].beats_cut = s->net.cut = true;
	duo_cut_link(&duo, true);
	for (int i = 0; i < 30; i++) {
		duo_traffic(&duo, BLOCK / 2);
		duo_run(&duo, MILLISECONDS(40));
	}
	sim_want(s, ha_role_of(duo.nodes[0].ha) == HA_ACTIVE && ha_role_of(duo.nodes[1].ha) == HA_ACTIVE);
	/* The clients have come to the second one: then its term counts. */
	s->net.cut = false;
	if (seed % 2)
		(void)ini_probe(s->clients[0].ini);
	duo_flush(&duo);
	duo_run(&duo, MILLISECONDS(100));
	s->net.cut = true;
	duo_cut_link(&duo, false);
	for (int i = 0; i < 2000 && ha_role_of(duo.nodes[0].ha) == ha_role_of(duo.nodes[1].ha); i++)
		duo_run(&duo, MILLISECONDS(1));
	n = ha_role_of(duo.nodes[0].ha) == HA_ACTIVE ? &duo.nodes[0] : &duo.nodes[1];
	o = duo_other(&duo, n);
	sim_want(s, ha_role_of(o->ha) == HA_STANDBY);
	winners |= 1u << (n - duo.nodes);
	for (int i = 0; i < 2000 && !duo.linked; i++)
		duo_run(&duo, MILLISECONDS(1));
	duo_run(&duo, (int64_t)(seed % 16) * MILLISECONDS(6));
	for (int i = 0; i < 4; i++)
		duo_traffic(&duo, 4 * BLOCK);
	duo_kill(&duo, n);
	duo_run(&duo, SECONDS(2));
	sim_want(s, ha_role_of(o->ha) == HA_ACTIVE);
	/* Enough to come to the end of any block. */
	for (int i = 0; i < 20; i++) {
		duo_traffic(&duo, 50000);
		duo_run(&duo, MILLISECONDS(10));
	}
	end(&duo);
}

START_TEST(two_owners_and_one_dies)
{
	winners = 0;
	sim_seeds("the winner dies", 1, 32, winner_dies);
	ck_assert(getenv("SIM_SEED") || winners == 3);
}
END_TEST

/* Packets all the time; how long nobody sends any. */
static int64_t longest_gap(struct duo *d, int64_t us)
{
	uint64_t sent = d->sent_packets;
	mtime end = mtime_add(sim_now(d->sim), us), last = sim_now(d->sim);
	int64_t gap = 0;

	while (sim_now(d->sim).us < end.us && !d->sim->failure[0]) {
		duo_run(d, 100);
		duo_traffic(d, 1);
		if (d->sent_packets == sent)
			continue;
		sent = d->sent_packets;
		gap = mtime_since(last, sim_now(d->sim)) > gap ? mtime_since(last, sim_now(d->sim)) : gap;
		last = sim_now(d->sim);
	}
	return gap;
}

static void there_and_back(struct sim *s, uint64_t seed)
{
	begin(s, seed);
	duo.plane_delay_us = seed % 2 ? 0 : 300;
	duo.link_delay_us = 200;
	for (int i = 0; i < 6 && !s->failure[0]; i++) {
		struct duo_node *n = duo_owner(&duo);
		struct err e;

		duo_traffic(&duo, BLOCK);
		sim_want(s, n && ha_switchover(n->ha, "the test", &e) == GW_OK);
		/* One or the other sends, all the time; but where a slow plane takes longer than the numbers last. */
		sim_want(s, longest_gap(&duo, MILLISECONDS(200)) <= (duo.plane_delay_us ? MILLISECONDS(2) : 300));
		sim_want(s, !fake_plane_is_open(n->g.plane));
		sim_want(s, duo_owner(&duo) && duo_owner(&duo) != n);
		duo_traffic(&duo, BLOCK);
		(void)duo_wait_synced(&duo, SECONDS(5));
		(void)duo_agree(&duo);
	}
	sim_want(s, duo.rekeys_asked == 0);
	/* Whoever took over went on right above what the other one had left to itself. */
	sim_want(s, duo.jump <= 16);
	end(&duo);
}

START_TEST(switchovers)
{
	sim_seeds("there and back", 1, 6, there_and_back);
}
END_TEST

/* What came in before the last report is not taken again after a takeover; what is new is. */
static void inbound(struct sim *s, uint64_t seed)
{
	const struct ike_sa *sa;
	struct duo_node *n;
	uint32_t after = 0, spi;

	begin(s, seed);
	n = duo_owner(&duo);
	sa = n ? ike_next(n->g.ike, &after) : NULL;
	sim_want(s, sa != NULL);
	if (s->failure[0])
		return;
	spi = sa->children->spi_in;
	for (uint64_t i = 1; i <= 1000; i++)
		sim_want(s, fake_plane_receive(n->g.plane, spi, i, NULL, 100));
	duo_run(&duo, MILLISECONDS(150));
	duo_kill(&duo, n);
	duo_run(&duo, SECONDS(1));
	n = duo_owner(&duo);
	sim_want(s, n && !fake_plane_receive(n->g.plane, spi, 1000, NULL, 100));
	sim_want(s, n && !fake_plane_receive(n->g.plane, spi, 1, NULL, 100));
	sim_want(s, n && fake_plane_receive(n->g.plane, spi, 1001, NULL, 100));
	end(&duo);
}

/* Both nodes start anew, one after the other: the pair lives on. */
static struct duo_node *restart_strict(struct duo *d)
{
	d->strict = true;
	for (size_t i = 0; i < DUO_NODES && duo_owner(d); i++) {
		struct duo_node *n = duo_owner(d);

		duo_kill(d, n);
		duo_run(d, SECONDS(1));
		duo_start(d, n);
		(void)duo_wait_synced(d, SECONDS(5));
		duo_run(d, MILLISECONDS(100)); /* the other one hears so; else it would doubt what it takes over */
	}
	return duo_owner(d);
}

/* Nothing that came since the last report is taken again; as much that is fresh is lost, and no more. */
static void inbound_strict(struct sim *s, uint64_t seed)
{
	const struct ike_sa *sa;
	struct duo_node *n;
	uint32_t after = 0, spi;
	uint64_t at = 0;

	begin(s, seed);
	n = restart_strict(&duo);
	sa = n ? ike_next(n->g.ike, &after) : NULL;
	sim_want(s, sa != NULL);
	if (s->failure[0])
		return;
	spi = sa->children->spi_in;
	for (int i = 0; i < 20; i++) {
		for (uint64_t k = 0; k < 100; k++)
			sim_want(s, fake_plane_receive(n->g.plane, spi, ++at, NULL, 100));
		duo_run(&duo, MILLISECONDS(50));
	}
	duo_run(&duo, MILLISECONDS(100));
	for (uint64_t k = 0; k < 150; k++)
		sim_want(s, fake_plane_receive(n->g.plane, spi, ++at, NULL, 100));
	duo_kill(&duo, n);
	duo_run(&duo, SECONDS(1));
	n = duo_owner(&duo);
	sim_want(s, n != NULL);
	for (uint64_t k = 1; n && k <= at; k++)
		sim_want(s, !fake_plane_receive(n->g.plane, spi, k, NULL, 100));
	for (after = 0; n && !fake_plane_receive(n->g.plane, spi, ++at, NULL, 100);)
		after++;
	sim_want(s, after <= 400);
	end(&duo);
}

START_TEST(strict_takes_nothing_twice)
{
	sim_seeds("inbound, strict", 1, 3, inbound_strict);
}
END_TEST

START_TEST(inbound_windows_follow)
{
	sim_seeds("inbound", 1, 2, inbound);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { inbound_windows_follow, 0 },	{ strict_takes_nothing_twice, 0 },
					  { a_fence_until_more_is_granted, 0 }, { blocks_are_granted, 0 },
					  { alone_they_are_rekeyed, 0 },	{ an_owner_that_lost_its_memory, 0 },
					  { two_owners_and_one_dies, 0 },	{ switchovers, 0 } };

	return suite_run("failover_numbers", all, ARRAY_LEN(all));
}
