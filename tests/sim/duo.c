#include "tests/sim/duo_inside.h"

enum { BEAT_MS = 50 };

mtime duo_now(const struct duo *d)
{
	return sim_now(d->sim);
}

unsigned duo_number(const struct duo *d, const struct duo_node *n)
{
	return (unsigned)(n - d->nodes);
}

struct duo_node *duo_other(struct duo *d, const struct duo_node *n)
{
	return &d->nodes[1 - duo_number(d, n)];
}

struct duo_node *duo_owner(struct duo *d)
{
	for (size_t i = 0; i < DUO_NODES; i++)
		if (d->nodes[i].alive && d->nodes[i].address && ha_role_of(d->nodes[i].ha) == HA_ACTIVE)
			return &d->nodes[i];
	return NULL;
}

bool duo_synced(struct duo *d)
{
	struct duo_node *n = duo_owner(d);
	struct ha_status st;

	if (!n)
		return false;
	ha_look(n->ha, &st);
	return st.sync == HA_SYNC_DONE && st.protected_ && st.acked >= st.turn;
}

/* ---- life and death ---- */

void duo_segments_clear(struct duo_node *n)
{
	while (n->in) {
		struct duo_segment *s = n->in;

		n->in = s->next;
		free(s);
	}
	n->in_tail = &n->in;
}

void duo_link_lost(struct duo *d, const char *why)
{
	if (!d->linked)
		return;
	d->linked = false;
	d->link_at = mtime_add(duo_now(d), MILLISECONDS(20));
	for (size_t i = 0; i < DUO_NODES; i++) {
		duo_segments_clear(&d->nodes[i]);
		if (d->nodes[i].alive)
			ha_link_down(d->nodes[i].ha, why);
	}
}

void duo_start(struct duo *d, struct duo_node *n)
{
	struct ha_config cfg = { .cluster = "sim",
				 .node = duo_number(d, n) ? "b" : "a",
				 .software = "test",
				 .priority = 100 - duo_number(d, n),
				 .start_hold_us = d->pace_us * 6,
				 .digest_us = d->pace_us * 40,
				 .report_us = d->pace_us,
				 .watch = { .interval_us = d->pace_us },
				 .block_min = d->block,
				 .strict = d->strict,
				 .former = d->former[duo_number(d, n)] };

	n->former = cfg.former;
	n->env = d->sim->env;
	n->env.node = (struct node_id){ (uint8_t)duo_number(d, n), (uint32_t)++d->lives };
	n->g.env = &n->env;
	n->g.pools = pools_create(&n->env, d->sim->gate.settings);
	n->g.ike = ike_create(&n->env, d->sim->gate.settings, n->g.pools);
	n->g.plane = fake_plane_create(&n->env, NULL);
	n->ha = ha_create(&n->env, &cfg, &duo_node_ops, n, &n->durable);
	ck_assert(n->g.pools && n->g.ike && n->g.plane && n->ha);
	ike_set_transport(n->g.ike, true);
	ike_set_passive(n->g.ike, true);
	n->g.plane->ops->set_open(n->g.plane, DP_SHUT);
	n->alive = true;
	n->stopped = n->hung = n->address = false;
	n->plane_at = n->reborn = MTIME_NEVER;
	n->view = (struct watch_view){ .service_up = !n->service_down };
	n->view.paths[0] = n->view.paths[1] = (struct watch_path){ .used = true, .link_up = true };
	ha_observe(n->ha, &n->view);
}

static void node_clear(struct duo_node *n)
{
	ha_destroy(n->ha);
	ike_destroy(n->g.ike);
	pools_destroy(n->g.pools);
	if (n->g.plane)
		n->g.plane->ops->destroy(n->g.plane);
	n->ha = NULL;
	n->g = (struct gate_node){ 0 };
}

void duo_kill(struct duo *d, struct duo_node *n)
{
	if (!n->alive)
		return;
	n->alive = n->address = n->stopped = n->hung = false;
	node_clear(n);
	duo_segments_clear(n);
	d->deaths++;
	n->reborn = d->rebirth_us ? mtime_add(duo_now(d), d->rebirth_us) : MTIME_NEVER;
	if (!d->power)
		duo_link_lost(d, "reset by the other node");
}

void duo_init(struct duo *d, struct sim *s)
{
	duo_init_paced(d, s, MILLISECONDS(BEAT_MS));
}

void duo_init_paced(struct duo *d, struct sim *s, int64_t pace_us)
{
	*d = (struct duo){ .sim = s,
			   .pace_us = pace_us,
			   .link_delay_us = 200,
			   .link_jitter_us = 100,
			   .rebirth_us = SECONDS(3),
			   .link_at = duo_now(&(struct duo){ .sim = s }) };
	d->beat_at = d->link_at;
	for (size_t i = 0; i < DUO_NODES; i++) {
		d->nodes[i].in_tail = &d->nodes[i].in;
		duo_start(d, &d->nodes[i]);
	}
}

void duo_clear(struct duo *d)
{
	for (size_t i = 0; i < DUO_NODES; i++) {
		node_clear(&d->nodes[i]);
		duo_segments_clear(&d->nodes[i]);
	}
	duo_used_clear(d);
	witness_clear(&d->witness);
}

void duo_stop(struct duo *d, struct duo_node *n)
{
	n->stopped = true;
	n->hung_since = duo_now(d);
}

void duo_flush(struct duo *d)
{
	struct datagram out;

	for (size_t i = 0; i < d->sim->client_count; i++)
		while (ini_take(d->sim->clients[i].ini, &out))
			net_send(&d->sim->net, duo_now(d), &out);
	for (size_t i = 0; i < DUO_NODES; i++)
		duo_turn(d, &d->nodes[i]);
}

void duo_continue(struct duo *d, struct duo_node *n)
{
	if (!n->alive || !(n->stopped || n->hung))
		return;
	n->stopped = n->hung = false;
	ha_slept(n->ha, mtime_since(n->hung_since, duo_now(d)));
	duo_turn(d, n);
}

/* ---- time ---- */

static void link_work(struct duo *d)
{
	struct duo_node *a = &d->nodes[0], *b = &d->nodes[1];
	bool can = a->alive && b->alive && !a->stopped && !b->stopped && !d->link_cut;

	if (d->linked && d->link_cut && mtime_reached(d->link_at, duo_now(d)))
		duo_link_lost(d, "no answer");
	if (d->linked && (!a->alive || !b->alive) && mtime_reached(d->link_at, duo_now(d)))
		duo_link_lost(d, "no answer");
	if (d->linked || !can || !mtime_reached(d->link_at, duo_now(d)))
		return;
	d->linked = true;
	ha_link_up(a->ha);
	ha_link_up(b->ha);
}

void duo_cut_link(struct duo *d, bool cut)
{
	d->link_cut = cut;
	if (cut) /* what is on its way is lost; TCP notices later */
		for (size_t i = 0; i < DUO_NODES; i++)
			duo_segments_clear(&d->nodes[i]);
	d->link_at = mtime_add(duo_now(d), MILLISECONDS(300));
	if (!cut && d->linked)
		duo_link_lost(d, "no answer");
}

static void link_arrive(struct duo *d, struct duo_node *n)
{
	while (n->alive && !n->stopped && !n->hung && n->in && mtime_reached(n->in->at, duo_now(d))) {
		struct duo_segment *s = n->in;
		size_t cut = s->n > 1 ? 1 + (size_t)rng_below(&d->sim->rng.rng, s->n) : s->n;

		n->in = s->next;
		if (!n->in)
			n->in_tail = &n->in;
		/* In two pieces: frames may be cut anywhere. */
		ha_link_receive(n->ha, bytes_of(s->data, cut));
		ha_link_receive(n->ha, bytes_of(s->data + cut, s->n - cut));
		free(s);
		duo_turn(d, n);
	}
}

static mtime node_due(const struct duo_node *n)
{
	mtime due;

	if (!n->alive)
		return n->reborn;
	if (n->stopped || n->hung)
		return MTIME_NEVER;
	due = mtime_min(ha_due(n->ha), ike_due(n->g.ike));
	due = mtime_min(due, n->plane_at);
	return n->in ? mtime_min(due, n->in->at) : due;
}

static void node_work(struct duo *d, struct duo_node *n)
{
	if (!n->alive) {
		if (mtime_reached(n->reborn, duo_now(d)))
			duo_start(d, n);
		return;
	}
	if (n->stopped || n->hung)
		return;
	link_arrive(d, n);
	if (!n->alive || !mtime_reached(node_due(n), duo_now(d)))
		return;
	if (mtime_reached(ha_due(n->ha), duo_now(d)))
		ha_tick(n->ha);
	ike_tick(n->g.ike);
	duo_turn(d, n);
}

static void arrive(struct duo *d, struct datagram *dg, uint8_t *bytes)
{
	struct duo_node *n;

	for (size_t i = 0; i < d->sim->client_count; i++)
		if (addr_equal(&dg->to.addr, &d->sim->clients[i].addr)) {
			ini_receive(d->sim->clients[i].ini, dg, bytes);
			return;
		}
	for (size_t i = 0; i < DUO_NODES; i++) {
		n = &d->nodes[i];
		/* To a stopped one it is lost here, as in a buffer that runs over. */
		if (!n->alive || !n->address || n->stopped || n->hung || n->service_down)
			continue;
		dg->natt = dg->to.port == 4500;
		ike_receive(n->g.ike, dg, bytes);
		duo_turn(d, n);
		return;
	}
}

bool duo_step(struct duo *d, mtime until)
{
	struct sim *s = d->sim;
	mtime next = mtime_min(net_due(&s->net), d->beat_at);
	struct datagram dg;
	uint8_t *bytes = NULL;

	for (size_t i = 0; i < s->client_count; i++)
		next = mtime_min(next, ini_due(s->clients[i].ini));
	for (size_t i = 0; i < DUO_NODES; i++)
		next = mtime_min(next, node_due(&d->nodes[i]));
	if (!d->linked || d->link_cut)
		next = mtime_min(next, mtime_add(duo_now(d), MILLISECONDS(10)));
	if (next.us > until.us) {
		s->clock.now = until;
		return false;
	}
	if (next.us > s->clock.now.us)
		s->clock.now = next;
	link_work(d);
	while (net_arrive(&s->net, s->clock.now, &dg, &bytes))
		arrive(d, &dg, bytes);
	if (mtime_reached(d->beat_at, s->clock.now))
		duo_beat(d);
	for (size_t i = 0; i < DUO_NODES; i++)
		node_work(d, &d->nodes[i]);
	for (size_t i = 0; i < s->client_count; i++)
		if (mtime_reached(ini_due(s->clients[i].ini), s->clock.now))
			ini_tick(s->clients[i].ini);
	duo_flush(d);
	return true;
}

void duo_run(struct duo *d, int64_t us)
{
	mtime end = mtime_add(duo_now(d), us);

	while (!d->sim->failure[0] && duo_step(d, end))
		;
}

static const char *node_restless(const struct duo_node *n)
{
	const struct ike_sa *sa;
	uint32_t after = 0;

	if (fake_plane_waiting(n->g.plane) > 0)
		return "the data plane is at work";
	while ((sa = ike_next(n->g.ike, &after)) != NULL) {
		if (sa->state != IKE_UP || window_busy(&sa->window) || sa->want_rekey || sa->want_delete ||
		    sa->want_dpd || sa->peer_x || sa->our_x)
			return "the active node is not done with an IKE SA";
		for (const struct child_sa *c = sa->children; c; c = c->next)
			if (c->state != CHILD_UP || !c->out_installed || c->want_rekey || c->want_delete)
				return "the active node is not done with a CHILD SA";
	}
	return NULL;
}

static const char *restless(struct duo *d)
{
	struct duo_node *n = duo_owner(d);

	if (!n || n->stopped || n->hung)
		return "nobody is active";
	if (net_in_flight(&d->sim->net) > 0)
		return "datagrams are in flight";
	for (size_t i = 0; i < d->sim->client_count; i++)
		if (!d->sim->clients[i].ini->failed && !ini_idle(d->sim->clients[i].ini))
			return "a client waits or wants something";
	return node_restless(n);
}

bool duo_settle(struct duo *d, int64_t at_most_us)
{
	mtime end = mtime_add(duo_now(d), at_most_us);

	duo_flush(d);
	while (!d->sim->failure[0] && restless(d))
		if (!duo_step(d, end))
			break;
	if (!d->sim->failure[0] && restless(d))
		sim_fail(d->sim, "no rest: %s", restless(d));
	return !d->sim->failure[0];
}

bool duo_wait_synced(struct duo *d, int64_t at_most_us)
{
	mtime end = mtime_add(duo_now(d), at_most_us);

	duo_flush(d);
	while (!d->sim->failure[0] && !duo_synced(d))
		if (!duo_step(d, end))
			break;
	if (!d->sim->failure[0] && !duo_synced(d)) {
		struct ha_status st = { 0 };

		if (duo_owner(d))
			ha_look(duo_owner(d)->ha, &st);
		sim_fail(d->sim, "no standby is synced: %s", st.why_not ? st.why_not : "?");
	}
	return !d->sim->failure[0];
}
