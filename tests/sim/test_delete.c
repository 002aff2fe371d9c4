/* Endings that cross: both sides delete, or one deletes what the other rekeys (RFC 7296 2.25). */
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

enum what { END_CHILD, END_IKE, REKEY_CHILD, REKEY_IKE, PROBE, NEW_CHILD, WHATS };

static void by_client(struct sim *s, enum what w)
{
	struct ini *ini = s->clients[0].ini;

	switch (w) {
	case END_CHILD:
		(void)ini_delete_child(ini, 0);
		break;
	case END_IKE:
		(void)ini_delete(ini);
		break;
	case REKEY_CHILD:
		(void)ini_rekey_child(ini, 0);
		break;
	case REKEY_IKE:
		(void)ini_rekey_ike(ini);
		break;
	case NEW_CHILD:
		(void)ini_new_child(ini);
		break;
	default:
		(void)ini_probe(ini);
	}
}

static void by_gateway(struct sim *s, enum what w)
{
	const struct ike_sa *sa = sim_sa(s, &s->clients[0]);
	struct ike_select which = { 0 };
	struct ike *ike = s->gate.active.ike;

	switch (w) {
	case END_CHILD:
		which.child_id = sa && sa->children ? sa->children->id : UINT32_MAX;
		(void)ike_terminate(ike, &which, "by the operator");
		break;
	case END_IKE:
		(void)ike_terminate(ike, &which, "by the operator");
		break;
	case REKEY_CHILD:
		(void)ike_rekey(ike, &which, true);
		break;
	case REKEY_IKE:
		(void)ike_rekey(ike, &which, false);
		break;
	default:
		(void)ike_probe(ike, &which);
	}
}

/* Every pair of acts, at once or a moment apart, over networks that order the messages in all ways. */
static void pair(struct sim *s, uint64_t seed)
{
	enum what client = (enum what)(seed % WHATS), gateway = (enum what)(seed / WHATS % (WHATS - 1));
	bool either;

	sim_init(s, seed, NULL, false);
	either = rng_below(&s->rng.rng, 2);
	s->gate.plane_delay_us = (int64_t)rng_below(&s->rng.rng, 3) * MILLISECONDS(5);
	sim_connect(s, sim_client_add(s, rng_below(&s->rng.rng, 2)));
	(void)sim_settle(s, SECONDS(10));
	s->net.faults = (struct net_faults){ 500, 20000, seed % 3 ? 0 : 150, seed % 4 ? 0 : 150, 0 };
	if (either)
		by_client(s, client);
	else
		by_gateway(s, gateway);
	if (rng_below(&s->rng.rng, 2)) {
		sim_flush(s);
		sim_run(s, (int64_t)rng_below(&s->rng.rng, 30000));
	}
	if (either)
		by_gateway(s, gateway);
	else
		by_client(s, client);
	sim_flush(s);
	sim_run(s, SECONDS(400));
	/* Liveness goes on, and may be lost, for ever: what is left has its tries on a network that loses nothing. */
	s->net.faults = (struct net_faults){ 500, 20000, 0, 0, 0 };
	(void)sim_settle(s, SECONDS(200));
	(void)sim_agree(s);
	if (client == END_IKE || gateway == END_IKE)
		sim_want(s, !ini_up(s->clients[0].ini));
	else
		sim_want(s, ini_up(s->clients[0].ini));
	(void)sim_leaves_nothing(s);
}

START_TEST(pairs)
{
	sim_seeds("pairs", 0, 360, pair);
}
END_TEST

/* The data plane answers for what was closed meanwhile: nothing comes back, nothing stays. */
static void slow_plane(struct sim *s, uint64_t seed)
{
	enum what client = (enum what)(seed % WHATS);

	sim_init(s, seed, NULL, false);
	s->gate.plane_delay_us = SECONDS(2);
	sim_connect(s, sim_client_add(s, false));
	sim_run(s, (int64_t)rng_below(&s->rng.rng, SECONDS(4)));
	by_client(s, client);
	sim_flush(s);
	sim_run(s, (int64_t)rng_below(&s->rng.rng, SECONDS(2)));
	by_gateway(s, seed / WHATS % 2 ? END_IKE : REKEY_CHILD);
	sim_flush(s);
	sim_run(s, SECONDS(400));
	(void)sim_settle(s, SECONDS(60));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

START_TEST(slow_data_plane)
{
	sim_seeds("slow plane", 1000, 60, slow_plane);
}
END_TEST

/* Installation fails at any time of a life: the right answer, no leftovers, and the session goes on where it can. */
static void failing_plane(struct sim *s, uint64_t seed)
{
	static const enum dp_op_kind kinds[] = { DP_SA_ADD, DP_POLICY_SET };

	sim_init(s, seed, NULL, false);
	s->gate.plane_delay_us = MILLISECONDS(10);
	for (size_t i = 0; i < 2; i++)
		sim_connect(s, sim_client_add(s, i));
	sim_run(s, SECONDS(10));
	for (int i = 0; i < 12 && !s->failure[0]; i++) {
		if (rng_below(&s->rng.rng, 2))
			fake_plane_fail(s->gate.active.plane, kinds[rng_below(&s->rng.rng, 2)], 0, GW_EIO, 1);
		else if (rng_below(&s->rng.rng, 3) == 0)
			fake_plane_refuse(s->gate.active.plane, GW_ENOMEM, 1);
		chaos_act(s, ACT_REKEY_CHILD | ACT_REKEY_IKE | ACT_NEW_CHILD | ACT_RECONNECT);
		sim_run(s, SECONDS(5));
	}
	fake_plane_fail(s->gate.active.plane, DP_SA_ADD, 0, GW_OK, 0);
	fake_plane_fail(s->gate.active.plane, DP_POLICY_SET, 0, GW_OK, 0);
	fake_plane_refuse(s->gate.active.plane, GW_OK, 0);
	(void)chaos_recover(s);
}

START_TEST(failing_data_plane)
{
	sim_seeds("failing plane", 2000, 120, failing_plane);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { pairs, 0 }, { slow_data_plane, 0 }, { failing_data_plane, 0 } };

	return suite_run("delete", all, ARRAY_LEN(all));
}
