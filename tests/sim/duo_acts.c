#include "tests/sim/duo_acts.h"

static uint64_t draw(struct duo *d, uint64_t below)
{
	return rng_below(&d->sim->rng.rng, below);
}

/* As in chaos.c: of a CHILD SA whose making both sides know to be over. */
static bool at_rest(struct duo *d, const struct ini *ini)
{
	struct duo_node *n = duo_owner(d);
	const struct ini_sa *mine = ini_current(ini);
	const struct ike_sa *sa;
	uint32_t after = 0;

	while (n && (sa = ike_next(n->g.ike, &after)) != NULL)
		if (sa->spi_i == mine->spi_i && sa->spi_r == mine->spi_r)
			return !sa->our_x && !sa->peer_x;
	return false;
}

static bool same_children(struct duo *d, const struct ini *ini)
{
	struct duo_node *n = duo_owner(d);
	const struct ini_sa *mine = ini_current(ini);
	const struct ike_sa *sa;
	uint32_t after = 0;
	size_t count = 0;

	while (n && (sa = ike_next(n->g.ike, &after)) != NULL) {
		if (sa->spi_i != mine->spi_i || sa->spi_r != mine->spi_r)
			continue;
		for (const struct child_sa *c = sa->children; c; c = c->next)
			count++;
		return count == ini_child_count(ini);
	}
	return false;
}

void duo_client_acts(struct duo *d)
{
	struct ini *ini = d->sim->clients[draw(d, d->sim->client_count)].ini;
	struct duo_node *n = duo_owner(d);
	uint64_t act = draw(d, 8);

	if (!ini_up(ini))
		return;
	switch (act) {
	case 0:
		(void)ini_rekey_child(ini, 0);
		break;
	case 1:
		(void)ini_rekey_ike(ini);
		break;
	case 2:
		if (ini_child_count(ini) < 3)
			(void)ini_new_child(ini);
		break;
	case 3:
		if (ini_child_count(ini) > 1 && at_rest(d, ini))
			(void)ini_delete_child(ini, ini_current(ini)->children->spi_in);
		break;
	case 4:
		if (n)
			(void)ike_rekey(n->g.ike, &(struct ike_select){ 0 }, draw(d, 2));
		break;
	default:
		(void)ini_probe(ini);
		break;
	}
	duo_flush(d);
}

void duo_heal(struct duo *d)
{
	struct sim *s = d->sim;

	duo_cut_link(d, false);
	d->nodes[0].beats_cut = d->nodes[0].service_down = d->nodes[1].service_down = d->power = false;
	d->link_jitter_us = 100;
	s->net.faults = (struct net_faults){ 1000, 2000, 0, 0, 0 };
	duo_continue(d, &d->nodes[0]);
	duo_continue(d, &d->nodes[1]);
	/*
	 * Who was talked to by a node that lost its memory finds out, and comes again. What only the client has, made
	 * with a node that was unprotected then, no message between the two ever names: it comes again by itself.
	 */
	for (int i = 0; i < 4 && !s->failure[0]; i++) {
		duo_run(d, SECONDS(130));
		for (size_t k = 0; k < s->client_count; k++) {
			struct ini *ini = s->clients[k].ini;

			if (i == 2 && ini_up(ini) && !same_children(d, ini))
				ini_forget(ini);
			if (ini->failed || !ini->sas)
				sim_connect(s, &s->clients[k]);
			else
				(void)ini_probe(ini);
		}
		duo_flush(d);
	}
}

void duo_all_well(struct duo *d)
{
	for (size_t i = 0; i < d->sim->client_count; i++)
		(void)ini_probe(d->sim->clients[i].ini);
	if (duo_settle(d, SECONDS(600)) && duo_wait_synced(d, SECONDS(30)))
		(void)duo_agree(d);
	sim_want(d->sim, d->closed_links == 0);
}
