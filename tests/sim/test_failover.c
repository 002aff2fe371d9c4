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

/* ---- every boundary of every exchange ---- */

static void ask_gateway(struct duo *d, void (*what)(struct ike *ike))
{
	struct duo_node *n = duo_owner(d);

	if (n)
		what(n->g.ike);
}

static void gateway_rekeys_children(struct ike *ike)
{
	(void)ike_rekey(ike, &(struct ike_select){ 0 }, true);
}

static void gateway_rekeys(struct ike *ike)
{
	(void)ike_rekey(ike, &(struct ike_select){ 0 }, false);
}

static void gateway_probes(struct ike *ike)
{
	(void)ike_probe(ike, &(struct ike_select){ 0 });
}

static void gateway_deletes_a_child(struct ike *ike)
{
	const struct ike_sa *sa;
	uint32_t after = 0;

	while ((sa = ike_next(ike, &after)) != NULL)
		if (sa->children && sa->children->next)
			(void)ike_terminate(ike, &(struct ike_select){ .child_id = sa->children->id }, "by the test");
}

static void both_rekey(struct duo *d, struct ini *ini)
{
	(void)ini_rekey_child(ini, 0);
	ask_gateway(d, gateway_rekeys_children);
}

static void client_deletes_a_child(struct ini *ini)
{
	if (ini_child_count(ini) > 1)
		(void)ini_delete_child(ini, ini_current(ini)->children->spi_in);
}

enum { STEPS = 12 };

static void step(struct duo *d, int number)
{
	struct ini *ini = d->sim->clients[0].ini;

	switch (number) {
	case 0: /* IKE_SA_INIT, IKE_AUTH */
		sim_connect(d->sim, &d->sim->clients[0]);
		break;
	case 1:
		(void)ini_rekey_child(ini, 0);
		break;
	case 2:
		ask_gateway(d, gateway_rekeys_children);
		break;
	case 3:
		(void)ini_new_child(ini);
		break;
	case 4:
		ask_gateway(d, gateway_deletes_a_child);
		break;
	case 5:
		(void)ini_rekey_ike(ini);
		break;
	case 6:
		ask_gateway(d, gateway_rekeys);
		break;
	case 7:
		(void)ini_new_child(ini);
		break;
	case 8:
		client_deletes_a_child(ini);
		break;
	case 9:
		(void)ini_probe(ini);
		break;
	case 10:
		ask_gateway(d, gateway_probes);
		break;
	default:
		both_rekey(d, ini);
		break;
	}
	duo_flush(d);
}

static unsigned boundary_lives;

/* Dies at the `countdown`th passing of `point`; false: it never came there. */
static bool die_at(struct sim *s, enum duo_point point, unsigned countdown, int64_t plane_us)
{
	bool died;

	begin(s, 1000 + countdown, 1);
	duo.plane_delay_us = plane_us;
	(void)duo_settle(&duo, SECONDS(5));
	(void)duo_wait_synced(&duo, SECONDS(5));
	duo.point = point;
	duo.countdown = countdown;
	for (int i = 0; i < STEPS && !s->failure[0]; i++) {
		step(&duo, i);
		(void)duo_settle(&duo, SECONDS(100));
		duo_traffic(&duo, 100);
		/* One failure at a time: the dead one comes back, empty, and catches up. */
		if (duo.deaths > 0)
			(void)duo_wait_synced(&duo, SECONDS(20));
	}
	died = duo.deaths > 0;
	duo.countdown = 0;
	nobody_noticed(&duo);
	sim_want(s, s->clients[0].ini->done[INI_AUTH] == 1);
	sim_want(s, duo_owner(&duo) && ike_count(duo_owner(&duo)->g.ike) == 1);
	sim_want(s, duo.deaths == (died ? 1 : 0) && duo.closed_links == 0 && duo.refused == 0);
	boundary_lives++;
	if (s->failure[0])
		fprintf(stderr, "point %d, countdown %u: %s\n", (int)point, countdown, s->failure);
	sim_check(s);
	duo_clear(&duo);
	sim_clear(s);
	return died;
}

static void walk_boundary(enum duo_point point, int64_t plane_us)
{
	unsigned n = 0;
	struct sim s;

	while (die_at(&s, point, n + 1, plane_us))
		n++;
	printf("point %d: died at %u places\n", (int)point, n);
	ck_assert_uint_gt(n, 15);
}

START_TEST(at_every_boundary)
{
	boundary_lives = 0;
	for (enum duo_point p = POINT_BEFORE_REPLICATE; p < POINT_KINDS; p++)
		walk_boundary(p, 0);
}
END_TEST

START_TEST(at_every_boundary_of_a_slow_plane)
{
	for (enum duo_point p = POINT_BEFORE_REPLICATE; p < POINT_KINDS; p++)
		walk_boundary(p, MILLISECONDS(5));
}
END_TEST

START_TEST(a_dead_node)
{
	sim_seeds("one failover", 1, 3, one_failover);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { a_dead_node, 0 },
					  { at_every_boundary, 0 },
					  { at_every_boundary_of_a_slow_plane, 0 } };

	return suite_run("failover", all, ARRAY_LEN(all));
}
