/* A turn of a node, at whose boundaries it may die, and what its heartbeats tell the other one. */
#include "tests/sim/duo_inside.h"

enum { TURNS_MAX = 64 };

/* True: it has died here. */
static bool reached(struct duo *d, struct duo_node *n, enum duo_point p)
{
	d->passed[p]++;
	if (d->point != p || d->countdown == 0 || --d->countdown > 0)
		return false;
	duo_kill(d, n);
	return true;
}

static void do_event(struct duo *d, struct duo_node *n, const struct ha_event *ev)
{
	switch (ev->kind) {
	case HA_EV_DATAPLANE:
		ck_assert_int_eq(dp_submit(n->g.plane, ev->token, ev->ops, ev->op_count), GW_OK);
		break;
	case HA_EV_PERSIST:
		if (d->forgetful && ha_role_of(n->ha) == HA_ACTIVE)
			break;
		n->durable = ev->durable;
		ha_persisted(n->ha, ev->durable.reserve);
		break;
	case HA_EV_CLAIM:
		n->promotions += !n->address;
		n->address = true;
		/* The neighbours believe the last announcement; a node that slept does not know. */
		duo_other(d, n)->address = false;
		break;
	case HA_EV_RELEASE:
		n->address = false;
		n->demotions++;
		break;
	case HA_EV_OPEN:
	case HA_EV_SHUT:
	case HA_EV_INBOUND:
		n->g.plane->ops->set_open(n->g.plane, ev->kind == HA_EV_OPEN   ? DP_OPEN
						      : ev->kind == HA_EV_SHUT ? DP_SHUT
									       : DP_INBOUND_ONLY);
		break;
	case HA_EV_ACTIVE:
		ike_set_passive(n->g.ike, false);
		n->behind += ev->behind;
		if (ev->behind)
			ike_doubt_all(n->g.ike);
		for (uint64_t b = 0; b < DUO_LEASE_BUCKETS; b++)
			ha_dirty(n->ha, HA_OBJ_LEASES, b, false);
		break;
	case HA_EV_PASSIVE:
		ike_set_passive(n->g.ike, true);
		break;
	case HA_EV_DOUBT:
		d->doubted++;
		ike_doubt_anew(n->g.ike, ev->until);
		break;
	case HA_EV_REKEY: {
		const struct ike_sa *sa;
		uint32_t after = 0;

		d->rekeys_asked++;
		while ((sa = ike_next(n->g.ike, &after)) != NULL)
			for (const struct child_sa *c = sa->children; c; c = c->next)
				if (c->spi_out == ev->sa.spi)
					(void)ike_rekey(n->g.ike, &(struct ike_select){ .child_id = c->id }, true);
		break;
	}
	case HA_EV_VERIFIED:
		d->verified += ev->verify && ev->verify->complete;
		d->differences += ev->verify ? ev->verify->count : 0;
		break;
	case HA_EV_REFUSED:
		d->refused++;
		break;
	case HA_EV_CLOSE_LINK:
		d->closed_links++;
		sim_fail(d->sim, "the link was closed: %s", ev->text);
		duo_link_lost(d, "closed by the other node");
		break;
	default:
		break;
	}
}

static void plane_work(struct duo *d, struct duo_node *n)
{
	struct dataplane *plane = n->g.plane;

	if (d->plane_delay_us == 0) {
		fake_plane_run(plane, SIZE_MAX);
		return;
	}
	if (mtime_reached(n->plane_at, duo_now(d))) {
		fake_plane_run(plane, 1 + (size_t)rng_below(&d->sim->rng.rng, fake_plane_waiting(plane) + 1));
		n->plane_at = MTIME_NEVER;
	}
	if (n->plane_at.us == MTIME_NEVER.us && fake_plane_waiting(plane) > 0)
		n->plane_at =
			mtime_add(duo_now(d), 1 + (int64_t)rng_below(&d->sim->rng.rng, (uint64_t)d->plane_delay_us));
}

static bool settle_once(struct duo *d, struct duo_node *n)
{
	struct dp_event dp;
	struct ha_event ev;
	bool any = false;

	duo_take_ike_events(n);
	while (n->alive && ha_take_event(n->ha, &ev)) {
		any = true;
		do_event(d, n, &ev);
	}
	plane_work(d, n);
	while (n->g.plane->ops->take_event(n->g.plane, &dp)) {
		any = true;
		if (ha_plane_event(n->ha, &dp))
			continue;
		if (dp.kind == DP_DONE)
			ike_resume(n->g.ike, dp.token, dp.result, dp.text);
		else
			ike_dataplane_event(n->g.ike, &dp);
	}
	return any;
}

static void link_send(struct duo *d, struct duo_node *from)
{
	struct duo_node *to = duo_other(d, from);
	struct duo_segment *s;
	struct bytes b;

	while (ha_link_more(from->ha))
		;
	b = ha_link_bytes(from->ha);
	if (b.n == 0 || !d->linked)
		return;
	if (d->link_cut) /* the kernel keeps it; the connection is given up later */
		return;
	s = malloc(sizeof(*s) + b.n);
	ck_assert_ptr_nonnull(s);
	s->next = NULL;
	s->n = b.n;
	memcpy(s->data, b.p, b.n);
	s->at = mtime_add(
		duo_now(d),
		d->link_delay_us +
			(d->link_jitter_us ? (int64_t)rng_below(&d->sim->rng.rng, (uint64_t)d->link_jitter_us) : 0));
	if (s->at.us < to->arrived.us)
		s->at = to->arrived; /* in order */
	to->arrived = s->at;
	*to->in_tail = s;
	to->in_tail = &s->next;
	ha_link_written(from->ha, b.n);
}

static void send_datagrams(struct duo *d, struct duo_node *n)
{
	struct ike_output out;
	struct ha_status st;
	bool any = false;

	while (ha_take_datagram(n->ha, &out)) {
		if (!any && reached(d, n, POINT_ACKNOWLEDGED))
			return;
		any = true;
		ha_look(n->ha, &st);
		witness_datagram(&d->witness, out.datagram.data, out.effect == IKE_EFFECT_STATE && st.protected_);
		net_send(&d->sim->net, duo_now(d), &out.datagram);
	}
	if (d->witness.failure[0])
		sim_fail(d->sim, "%s", d->witness.failure);
	if (any)
		(void)reached(d, n, POINT_SENT);
}

void duo_turn(struct duo *d, struct duo_node *n)
{
	struct ike_output out;
	struct ike_dirty dirty;
	bool changed = false, active;

	if (!n->alive || n->stopped || n->hung)
		return;
	for (int i = 0; i < TURNS_MAX && settle_once(d, n) && n->alive; i++)
		;
	if (!n->alive)
		return;
	active = ha_role_of(n->ha) == HA_ACTIVE;
	while (ike_take_dirty(n->g.ike, &dirty)) {
		changed = true;
		ha_dirty(n->ha, dirty.kind == IKE_OBJ_SA ? HA_OBJ_IKE : HA_OBJ_COOKIE, dirty.key, dirty.deleted);
	}
	if (active && changed && reached(d, n, POINT_BEFORE_REPLICATE))
		return;
	(void)ike_end_turn(n->g.ike);
	(void)ha_end_turn(n->ha);
	while (ike_take_datagram(n->g.ike, &out))
		ha_send(n->ha, &out);
	link_send(d, n);
	if (active && changed && reached(d, n, POINT_REPLICATED))
		return;
	if (ha_beat(n->ha).exposes && !n->exposes)
		d->beat_at = duo_now(d);
	n->exposes = ha_beat(n->ha).exposes;
	send_datagrams(d, n);
}

/* ---- heartbeats ---- */

void duo_beat(struct duo *d)
{
	d->beat_at = mtime_add(duo_now(d), d->pace_us);
	for (size_t i = 0; i < DUO_NODES; i++) {
		struct duo_node *n = &d->nodes[i], *peer = duo_other(d, n);
		struct watch_view *v = &n->view;

		if (!n->alive || n->stopped)
			continue;
		v->service_up = !n->service_down;
		v->paths[0].link_up = !n->service_down;
		if (peer->alive && !peer->stopped && !d->deaf && !peer->mute) {
			struct watch_beat b = ha_beat(peer->ha);

			if (!n->service_down && !peer->service_down && !d->nodes[0].beats_cut)
				v->paths[0].heard = duo_now(d);
			if (!d->link_cut)
				v->paths[1].heard = duo_now(d);
			if (v->paths[0].heard.us == duo_now(d).us || v->paths[1].heard.us == duo_now(d).us) {
				v->beat = b;
				v->peer_loop_age_us = peer->hung ? mtime_since(peer->hung_since, duo_now(d)) : 0;
			}
		}
		ha_observe(n->ha, v);
	}
}
