/*
 * Exchanges of both sides that cross (RFC 7296 2.8, 2.25), with the active node dying at each boundary of what it does
 * meanwhile: every pair of them, every boundary. The client goes on with the other node; in the end both sides have the
 * same SAs, and nothing was agreed on twice.
 */
#include <stdio.h>

#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

enum act { REKEY_CHILD, REKEY_IKE, CLOSE_CHILD, CLOSE_IKE, NEW_CHILD, CLIENT_ACTS, GATEWAY_ACTS = NEW_CHILD };

static const char *const names[] = { "rekeys the CHILD SA", "rekeys the IKE SA", "closes the CHILD SA",
				     "closes the IKE SA", "makes a CHILD SA" };

static struct duo duo;

static bool client_acts(struct ini *ini, enum act a)
{
	return a == REKEY_CHILD	  ? ini_rekey_child(ini, 0)
	       : a == REKEY_IKE	  ? ini_rekey_ike(ini)
	       : a == CLOSE_CHILD ? ini_delete_child(ini, 0)
	       : a == CLOSE_IKE	  ? ini_delete(ini)
				  : ini_new_child(ini);
}

static bool gateway_acts(enum act a)
{
	struct duo_node *n = duo_owner(&duo);
	struct ike_select which = { 0 };
	uint32_t after = 0;
	const struct ike_sa *sa = n ? ike_next(n->g.ike, &after) : NULL;

	if (!sa || !sa->children)
		return false;
	if (a == CLOSE_CHILD)
		which.child_id = sa->children->id;
	return (a == REKEY_CHILD || a == REKEY_IKE ? ike_rekey(n->g.ike, &which, a == REKEY_CHILD)
						   : ike_terminate(n->g.ike, &which, "by the operator")) == 1;
}

/* They may be closed, by whom this pair has close them; and else stand. */
static void all_is_well(struct sim *s, enum act client, enum act gateway)
{
	struct ini *ini = s->clients[0].ini;
	bool up = ini_up(ini);
	size_t children = up ? ini_child_count(ini) : 0;

	sim_want(s, ini->done[INI_AUTH] == 1 && duo.refused == 0);
	sim_want(s, up || client == CLOSE_IKE || gateway == CLOSE_IKE);
	sim_want(s, !up || client != CLOSE_IKE);
	sim_want(s, !up || children > 0 || client == CLOSE_CHILD || gateway == CLOSE_CHILD);
	sim_want(s, children <= 1 + ini->done[INI_CHILD_NEW]);
	sim_want(s, duo_owner(&duo) && ike_count(duo_owner(&duo)->g.ike) == (up ? 1 : 0));
	if (duo_wait_synced(&duo, SECONDS(20)))
		(void)duo_agree(&duo);
	duo_traffic(&duo, 100);
	if (!up)
		return;
	/* And life goes on: a rekey by each side. */
	sim_want(s, ini_rekey_ike(ini));
	duo_flush(&duo);
	(void)duo_settle(&duo, SECONDS(60));
	sim_want(s, ini_up(ini) && ini_child_count(ini) == children);
	(void)gateway_acts(REKEY_CHILD);
	duo_flush(&duo);
	(void)duo_settle(&duo, SECONDS(60));
	sim_want(s, ini_up(ini) && ini_child_count(ini) == children);
	if (duo_wait_synced(&duo, SECONDS(20)))
		(void)duo_agree(&duo);
}

/* Dies at the `countdown`th passing of `point`; false: it never came there. */
static bool die_at(enum duo_point point, unsigned countdown, enum act client, enum act gateway, int64_t plane_us)
{
	struct sim s;
	bool died;

	sim_init(&s, 2000 + countdown, NULL, false);
	duo_init(&duo, &s);
	duo.plane_delay_us = plane_us;
	sim_connect(&s, sim_client_add(&s, false));
	duo_flush(&duo);
	(void)duo_settle(&duo, SECONDS(60));
	(void)duo_wait_synced(&duo, SECONDS(5));
	/* Both requests are under way before either arrives. */
	s.net.faults = (struct net_faults){ 10000, 10000, 0, 0, 0 };
	duo.point = point;
	duo.countdown = countdown;
	sim_want(&s, gateway_acts(gateway));
	sim_want(&s, client_acts(s.clients[0].ini, client));
	duo_flush(&duo);
	(void)duo_settle(&duo, SECONDS(900));
	died = duo.deaths > 0;
	duo.countdown = 0;
	if (died)
		(void)duo_wait_synced(&duo, SECONDS(20));
	(void)duo_settle(&duo, SECONDS(900));
	all_is_well(&s, client, gateway);
	if (s.failure[0])
		fprintf(stderr, "client %s, gateway %s, point %d, countdown %u: %s\n", names[client], names[gateway],
			(int)point, countdown, s.failure);
	sim_check(&s);
	duo_clear(&duo);
	sim_clear(&s);
	return died;
}

/* One of what the client does in each. */
static void all_with(enum act client, int64_t plane_us)
{
	unsigned deaths = 0;

	for (enum act gateway = REKEY_CHILD; gateway < GATEWAY_ACTS; gateway++) {
		for (enum duo_point p = POINT_BEFORE_REPLICATE; p < POINT_KINDS; p++) {
			unsigned n = 0;

			while (die_at(p, n + 1, client, gateway, plane_us))
				n++;
			ck_assert_msg(n > 0, "client %s, gateway %s: nobody died at point %d", names[client],
				      names[gateway], (int)p);
			deaths += n;
		}
	}
	printf("client %s: %u deaths\n", names[client], deaths);
}

START_TEST(every_crossing_at_every_boundary)
{
	all_with((enum act)_i, 0);
}
END_TEST

START_TEST(every_crossing_at_every_boundary_of_a_slow_plane)
{
	all_with((enum act)_i, MILLISECONDS(4));
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ every_crossing_at_every_boundary, CLIENT_ACTS },
		{ every_crossing_at_every_boundary_of_a_slow_plane, CLIENT_ACTS },
	};

	return suite_run("failover crossings", tests, ARRAY_LEN(tests));
}
