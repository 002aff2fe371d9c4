#include "tests/sim/chaos.h"

static uint64_t draw(struct sim *s, uint64_t below)
{
	return rng_below(&s->rng.rng, below);
}

static void rekey(struct sim *s, struct sim_client *c, bool child)
{
	const struct ike_sa *sa = sim_sa(s, c);
	uint64_t who = draw(s, 4); /* client, gateway, both, both with a moment between */
	struct ike_select which = { .id = sa ? sa->id : UINT32_MAX };

	if (who != 1)
		(void)(child ? ini_rekey_child(c->ini, 0) : ini_rekey_ike(c->ini));
	if (who == 3) {
		sim_flush(s);
		sim_run(s, (int64_t)draw(s, 40000));
	}
	if (who != 0)
		(void)ike_rekey(s->gate.active.ike, &which, child);
}

static void reconnect(struct sim *s, struct sim_client *c)
{
	struct datagram d;

	if (draw(s, 2)) {
		ini_forget(c->ini);
		while (ini_take(c->ini, &d))
			;
		sim_connect(s, c);
	} else if (!ini_delete(c->ini)) {
		sim_connect(s, c);
	}
}

/* The newest, whether or not the gateway knows yet that it is there. */
static void delete_child(struct sim_client *c)
{
	const struct ini_child *first = ini_current(c->ini)->children;

	if (first && ini_child_count(c->ini) > 1)
		(void)ini_delete_child(c->ini, first->spi_in);
}

void chaos_act(struct sim *s, unsigned acts)
{
	struct sim_client *c = &s->clients[draw(s, s->client_count)];
	unsigned act;

	do
		act = 1u << draw(s, 8);
	while (!(act & acts));
	if (!ini_up(c->ini)) {
		if (c->ini->failed || !c->ini->sas)
			sim_connect(s, c);
		return;
	}
	switch (act) {
	case ACT_REKEY_CHILD:
		rekey(s, c, true);
		break;
	case ACT_REKEY_IKE:
		rekey(s, c, false);
		break;
	case ACT_PROBE: {
		struct ike_select all = { 0 };

		if (draw(s, 2))
			(void)ini_probe(c->ini);
		else
			(void)ike_probe(s->gate.active.ike, &all);
		break;
	}
	case ACT_DELETE_CHILD:
		delete_child(c);
		break;
	case ACT_NEW_CHILD:
		if (ini_child_count(c->ini) < 3)
			(void)ini_new_child(c->ini);
		break;
	case ACT_RECONNECT:
		reconnect(s, c);
		break;
	case ACT_REBIND:
		if (c->nat)
			c->nat->shift = (uint16_t)(c->nat->shift + 1 + draw(s, 300));
		break;
	case ACT_ROAM:
		if (c->cfg.mobike)
			sim_roam(s, c, draw(s, 2));
		break;
	default:
		break;
	}
	sim_flush(s);
}

void chaos_run(struct sim *s, unsigned acts, unsigned count, int64_t pause_us)
{
	for (unsigned i = 0; i < count && !s->failure[0]; i++) {
		chaos_act(s, acts);
		sim_run(s, (int64_t)draw(s, (uint64_t)pause_us));
	}
}

static bool all_up(const struct sim *s)
{
	for (size_t i = 0; i < s->client_count; i++)
		if (!ini_up(s->clients[i].ini))
			return false;
	return true;
}

bool chaos_recover(struct sim *s)
{
	struct net_faults none = { 1000, 2000, 0, 0, 0 };
	struct ike_select all = { 0 };
	unsigned takeover = s->gate.takeover;

	s->net.faults = none;
	s->net.cut = false;
	/* Long enough for every retransmission to end, and for each side to find out that the other has given up. */
	for (int i = 0; i < 4; i++) {
		sim_run(s, SECONDS(400));
		for (size_t k = 0; k < s->client_count; k++) {
			struct ini *ini = s->clients[k].ini;

			if (ini->failed || !ini->sas)
				sim_connect(s, &s->clients[k]);
			else
				(void)ini_probe(ini);
		}
		sim_flush(s);
	}
	/* A successor gives every request all of its tries again: nobody takes over until they have come to an end. */
	s->gate.takeover = 0;
	sim_run(s, SECONDS(400));
	s->gate.takeover = takeover;
	if (!sim_settle(s, SECONDS(60)) || !sim_agree(s))
		return false;
	if (!all_up(s)) {
		sim_fail(s, "a client cannot get up again");
		return false;
	}
	for (size_t k = 0; k < s->client_count; k++) {
		(void)ini_rekey_child(s->clients[k].ini, 0);
		sim_flush(s);
		if (!sim_settle(s, SECONDS(60)))
			return false;
		(void)ini_rekey_ike(s->clients[k].ini);
		sim_flush(s);
	}
	if (!sim_settle(s, SECONDS(60)))
		return false;
	(void)ike_rekey(s->gate.active.ike, &all, true);
	sim_flush(s);
	if (!sim_settle(s, SECONDS(60)))
		return false;
	(void)ike_rekey(s->gate.active.ike, &all, false);
	sim_flush(s);
	return sim_settle(s, SECONDS(60)) && sim_agree(s) && sim_leaves_nothing(s);
}
