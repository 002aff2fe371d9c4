#include "tests/sim/duo.h"

#include <check.h>
#include <stdlib.h>

#include "ike/message.h"

enum { BEAT_MS = 50, TURNS_MAX = 64, LEASE_BUCKETS = 8, OPS_MAX = 256 };

struct duo_used { /* numbers lo..hi of an SA were used */
	struct duo_used *next;
	uint32_t spi;
	uint64_t keys, lo, hi;
	unsigned node;
};

static mtime now_of(const struct duo *d)
{
	return sim_now(d->sim);
}

static unsigned number_of(const struct duo *d, const struct duo_node *n)
{
	return (unsigned)(n - d->nodes);
}

struct duo_node *duo_other(struct duo *d, const struct duo_node *n)
{
	return &d->nodes[1 - number_of(d, n)];
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

/* ---- the face of a node to its ha ---- */

struct lease_walk {
	struct writer *w;
	uint64_t bucket;
	mtime now;
};

static bool write_lease(void *arg, const struct lease *l)
{
	struct lease_walk *walk = arg;

	if (l->holders > 0 || l->addr.b[3] % LEASE_BUCKETS != walk->bucket)
		return true;
	wr_u8(walk->w, (uint8_t)strlen(l->pool));
	wr_bytes(walk->w, bytes_str(l->pool));
	wr_u8(walk->w, l->addr.family);
	wr_bytes(walk->w, bytes_of(l->addr.b, 16));
	wr_u64(walk->w, (uint64_t)mtime_since(walk->now, l->until));
	wr_u8(walk->w, l->id_kind);
	wr_u16(walk->w, (uint16_t)l->id.n);
	wr_bytes(walk->w, l->id);
	return true;
}

static void read_leases(struct duo_node *n, struct bytes state)
{
	struct reader r = rd_of(state);
	char pool[64];

	(void)rd_u8(&r);
	while (r.left > 0 && !r.bad) {
		uint8_t len = rd_u8(&r), kind;
		struct addr a = { 0 };
		int64_t left;
		struct bytes id;

		rd_copy(&r, pool, len);
		pool[len] = 0;
		a.family = rd_u8(&r);
		rd_copy(&r, a.b, 16);
		left = (int64_t)rd_u64(&r);
		kind = rd_u8(&r);
		id = rd_bytes(&r, rd_u16(&r));
		if (!r.bad)
			(void)!pool_restore(n->g.pools, pool, kind, id, &a, 0, left);
	}
}

static enum gw_err encode_known(struct duo_node *n, enum ha_kind kind, uint64_t key, struct writer *out)
{
	struct lease_walk walk = { out, key, clock_now(n->env.clock) };

	switch (kind) {
	case HA_OBJ_IKE:
		return ike_encode(n->g.ike, key, out);
	case HA_OBJ_COOKIE:
		return ike_encode_cookies(n->g.ike, out);
	case HA_OBJ_LEASES:
		wr_u8(out, 0);
		pools_each(n->g.pools, write_lease, &walk);
		return out->bad ? GW_ELIMIT : GW_OK;
	default:
		return GW_ENOTFOUND;
	}
}

static enum gw_err node_encode(void *arg, enum ha_kind kind, uint64_t key, struct writer *out)
{
	struct duo_node *n = arg;

	TRY(encode_known(n, kind, key, out));
	if (n->former && kind != HA_OBJ_LEASES) {
		wr_u16(out, HA_TAG_ODD);
		wr_u32(out, 4);
		wr_u32(out, 1);
	}
	return GW_OK;
}

static void submit(struct duo_node *n, const struct ike_event *ev)
{
	struct dp_op ops[OPS_MAX];
	uint64_t token;

	ck_assert(ev->op_count <= OPS_MAX);
	memcpy(ops, ev->ops, ev->op_count * sizeof(*ops));
	token = ha_prepare(n->ha, ev->token, ev->key, ops, ev->op_count);
	ck_assert_int_eq(dp_submit(n->g.plane, token, ops, ev->op_count), GW_OK);
}

static void take_ike_events(struct duo_node *n)
{
	struct ike_event ev;

	while (ike_take_event(n->g.ike, &ev))
		if (ev.kind == IKE_EV_DATAPLANE)
			submit(n, &ev);
}

static void node_apply(void *arg, struct ha_change *changes, size_t count)
{
	struct duo_node *n = arg;
	struct ike_change *ike = calloc(count, sizeof(*ike));
	size_t at = 0;

	ck_assert_ptr_nonnull(ike);
	for (size_t i = 0; i < count; i++)
		if (changes[i].kind == HA_OBJ_IKE)
			ike[at++] = (struct ike_change){ .key = changes[i].key, .record = changes[i].state };
		else if (changes[i].kind == HA_OBJ_COOKIE && !changes[i].deleted)
			changes[i].result = ike_decode_cookies(n->g.ike, changes[i].state);
		else if (changes[i].kind == HA_OBJ_LEASES && !changes[i].deleted)
			read_leases(n, changes[i].state);
	ike_apply(n->g.ike, ike, at);
	take_ike_events(n);
	at = 0;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].kind != HA_OBJ_IKE)
			continue;
		changes[i].result = ike[at].result;
		memcpy(changes[i].text, ike[at].text, sizeof(changes[i].text) - 1);
		at++;
	}
	free(ike);
}

static size_t node_dump(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->dump(n->g.plane, cookie, out, max);
}

static size_t node_take_used(void *arg, struct dp_sa_state *out, size_t max)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->take_used(n->g.plane, out, max);
}

static enum gw_err node_query(void *arg, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->query(n->g.plane, id, out);
}

static int64_t node_heard(void *arg, uint64_t key)
{
	struct duo_node *n = arg;

	return ike_heard_us(n->g.ike, key);
}

static const struct ha_ops node_ops = {
	.encode = node_encode,
	.apply = node_apply,
	.dump = node_dump,
	.take_used = node_take_used,
	.query = node_query,
	.heard = node_heard,
};

/* ---- life and death ---- */

static void segments_clear(struct duo_node *n)
{
	while (n->in) {
		struct duo_segment *s = n->in;

		n->in = s->next;
		free(s);
	}
	n->in_tail = &n->in;
}

static void link_lost(struct duo *d, const char *why)
{
	if (!d->linked)
		return;
	d->linked = false;
	d->link_at = mtime_add(now_of(d), MILLISECONDS(20));
	for (size_t i = 0; i < DUO_NODES; i++) {
		segments_clear(&d->nodes[i]);
		if (d->nodes[i].alive)
			ha_link_down(d->nodes[i].ha, why);
	}
}

void duo_start(struct duo *d, struct duo_node *n)
{
	struct ha_config cfg = { .cluster = "sim",
				 .node = number_of(d, n) ? "b" : "a",
				 .software = "test",
				 .priority = 100 - number_of(d, n),
				 .start_hold_us = d->pace_us * 6,
				 .digest_us = d->pace_us * 40,
				 .report_us = d->pace_us,
				 .watch = { .interval_us = d->pace_us },
				 .block_min = d->block,
				 .strict = d->strict,
				 .former = d->former[number_of(d, n)] };

	n->former = cfg.former;
	n->env = d->sim->env;
	n->env.node = (struct node_id){ (uint8_t)number_of(d, n), (uint32_t)++d->lives };
	n->g.env = &n->env;
	n->g.pools = pools_create(&n->env, d->sim->gate.settings);
	n->g.ike = ike_create(&n->env, d->sim->gate.settings, n->g.pools);
	n->g.plane = fake_plane_create(&n->env, NULL);
	n->ha = ha_create(&n->env, &cfg, &node_ops, n, &n->durable);
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
	segments_clear(n);
	d->deaths++;
	n->reborn = d->rebirth_us ? mtime_add(now_of(d), d->rebirth_us) : MTIME_NEVER;
	if (!d->power)
		link_lost(d, "reset by the other node");
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
			   .link_at = now_of(&(struct duo){ .sim = s }) };
	d->beat_at = d->link_at;
	for (size_t i = 0; i < DUO_NODES; i++) {
		d->nodes[i].in_tail = &d->nodes[i].in;
		duo_start(d, &d->nodes[i]);
	}
}

void duo_clear(struct duo *d)
{
	struct duo_used *u;

	for (size_t i = 0; i < DUO_NODES; i++) {
		node_clear(&d->nodes[i]);
		segments_clear(&d->nodes[i]);
	}
	while ((u = d->used) != NULL) {
		d->used = u->next;
		free(u);
	}
	witness_clear(&d->witness);
}

void duo_stop(struct duo *d, struct duo_node *n)
{
	n->stopped = true;
	n->hung_since = now_of(d);
}

/* ---- a turn of a node ---- */

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
		n->address = true;
		n->promotions++;
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
		for (uint64_t b = 0; b < LEASE_BUCKETS; b++)
			ha_dirty(n->ha, HA_OBJ_LEASES, b, false);
		break;
	case HA_EV_PASSIVE:
		ike_set_passive(n->g.ike, true);
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
		link_lost(d, "closed by the other node");
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
	if (mtime_reached(n->plane_at, now_of(d))) {
		fake_plane_run(plane, 1 + (size_t)rng_below(&d->sim->rng.rng, fake_plane_waiting(plane) + 1));
		n->plane_at = MTIME_NEVER;
	}
	if (n->plane_at.us == MTIME_NEVER.us && fake_plane_waiting(plane) > 0)
		n->plane_at =
			mtime_add(now_of(d), 1 + (int64_t)rng_below(&d->sim->rng.rng, (uint64_t)d->plane_delay_us));
}

static bool settle_once(struct duo *d, struct duo_node *n)
{
	struct dp_event dp;
	struct ha_event ev;
	bool any = false;

	take_ike_events(n);
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
		now_of(d),
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
		net_send(&d->sim->net, now_of(d), &out.datagram);
	}
	if (d->witness.failure[0])
		sim_fail(d->sim, "%s", d->witness.failure);
	if (any)
		(void)reached(d, n, POINT_SENT);
}

static void node_turn(struct duo *d, struct duo_node *n)
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
		d->beat_at = now_of(d);
	n->exposes = ha_beat(n->ha).exposes;
	send_datagrams(d, n);
}

void duo_flush(struct duo *d)
{
	struct datagram out;

	for (size_t i = 0; i < d->sim->client_count; i++)
		while (ini_take(d->sim->clients[i].ini, &out))
			net_send(&d->sim->net, now_of(d), &out);
	for (size_t i = 0; i < DUO_NODES; i++)
		node_turn(d, &d->nodes[i]);
}

void duo_continue(struct duo *d, struct duo_node *n)
{
	if (!n->alive || !(n->stopped || n->hung))
		return;
	n->stopped = n->hung = false;
	ha_slept(n->ha, mtime_since(n->hung_since, now_of(d)));
	node_turn(d, n);
}

/* ---- heartbeats ---- */

static void beat(struct duo *d)
{
	d->beat_at = mtime_add(now_of(d), d->pace_us);
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
				v->paths[0].heard = now_of(d);
			if (!d->link_cut)
				v->paths[1].heard = now_of(d);
			if (v->paths[0].heard.us == now_of(d).us || v->paths[1].heard.us == now_of(d).us) {
				v->beat = b;
				v->peer_loop_age_us = peer->hung ? mtime_since(peer->hung_since, now_of(d)) : 0;
			}
		}
		ha_observe(n->ha, v);
	}
}

/* ---- time ---- */

static void link_work(struct duo *d)
{
	struct duo_node *a = &d->nodes[0], *b = &d->nodes[1];
	bool can = a->alive && b->alive && !a->stopped && !b->stopped && !d->link_cut;

	if (d->linked && d->link_cut && mtime_reached(d->link_at, now_of(d)))
		link_lost(d, "no answer");
	if (d->linked && (!a->alive || !b->alive) && mtime_reached(d->link_at, now_of(d)))
		link_lost(d, "no answer");
	if (d->linked || !can || !mtime_reached(d->link_at, now_of(d)))
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
			segments_clear(&d->nodes[i]);
	d->link_at = mtime_add(now_of(d), MILLISECONDS(300));
	if (!cut && d->linked)
		link_lost(d, "no answer");
}

static void link_arrive(struct duo *d, struct duo_node *n)
{
	while (n->alive && !n->stopped && !n->hung && n->in && mtime_reached(n->in->at, now_of(d))) {
		struct duo_segment *s = n->in;
		size_t cut = s->n > 1 ? 1 + (size_t)rng_below(&d->sim->rng.rng, s->n) : s->n;

		n->in = s->next;
		if (!n->in)
			n->in_tail = &n->in;
		/* In two pieces: frames may be cut anywhere. */
		ha_link_receive(n->ha, bytes_of(s->data, cut));
		ha_link_receive(n->ha, bytes_of(s->data + cut, s->n - cut));
		free(s);
		node_turn(d, n);
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
		if (mtime_reached(n->reborn, now_of(d)))
			duo_start(d, n);
		return;
	}
	if (n->stopped || n->hung)
		return;
	link_arrive(d, n);
	if (!n->alive || !mtime_reached(node_due(n), now_of(d)))
		return;
	if (mtime_reached(ha_due(n->ha), now_of(d)))
		ha_tick(n->ha);
	ike_tick(n->g.ike);
	node_turn(d, n);
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
		node_turn(d, n);
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
		next = mtime_min(next, mtime_add(now_of(d), MILLISECONDS(10)));
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
		beat(d);
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
	mtime end = mtime_add(now_of(d), us);

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
	mtime end = mtime_add(now_of(d), at_most_us);

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
	mtime end = mtime_add(now_of(d), at_most_us);

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

/* ---- numbers ---- */

static uint64_t digest(struct bytes b)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < b.n; i++)
		h = (h ^ b.p[i]) * UINT64_C(1099511628211);
	return h;
}

static void use(struct duo *d, unsigned node, uint32_t spi, uint64_t keys, uint64_t lo, uint64_t hi)
{
	struct duo_used *u, *mine = NULL;
	uint64_t top = 0;

	for (u = d->used; u; u = u->next) {
		if (u->spi != spi || u->keys != keys)
			continue;
		top = u->hi > top ? u->hi : top;
		mine = u->node == node && u->hi + 1 == lo ? u : mine;
		if (lo <= u->hi && u->lo <= hi) {
			sim_fail(d->sim, "SA %08x: node %u uses %llu..%llu, node %u has used %llu..%llu", spi, node,
				 (unsigned long long)lo, (unsigned long long)hi, u->node, (unsigned long long)u->lo,
				 (unsigned long long)u->hi);
			return;
		}
		/* And a peer drops what is below: it must only rise, but where two speak at once. */
		if (lo < u->lo && !d->split) {
			sim_fail(d->sim, "SA %08x: node %u goes back to %llu, node %u was at %llu", spi, node,
				 (unsigned long long)lo, u->node, (unsigned long long)u->hi);
			return;
		}
	}
	d->jumps += lo != top + 1;
	d->highest = hi > d->highest ? hi : d->highest;
	if (mine) {
		mine->hi = hi;
		return;
	}
	u = calloc(1, sizeof(*u));
	ck_assert_ptr_nonnull(u);
	*u = (struct duo_used){ d->used, spi, keys, lo, hi, node };
	d->used = u;
}

void duo_traffic(struct duo *d, uint64_t packets)
{
	for (unsigned i = 0; i < DUO_NODES; i++) {
		struct duo_node *n = &d->nodes[i];
		const struct ike_sa *sa;
		uint32_t after = 0;

		/* A stopped process does not stop its kernel. */
		while (n->alive && (sa = ike_next(n->g.ike, &after)) != NULL)
			for (const struct child_sa *c = sa->children; c; c = c->next) {
				struct dp_sa_id id;
				struct dp_sa before;
				uint64_t sent;

				if (d->quiet.family != 0 && addr_equal(&sa->remote.addr, &d->quiet))
					continue;
				if (!fake_plane_newest_out(n->g.plane, c->reqid, &id) ||
				    !fake_plane_sa(n->g.plane, &id, &before))
					continue;
				sent = fake_plane_send(n->g.plane, c->reqid, 1 + rng_below(&d->sim->rng.rng, packets),
						       100);
				d->sent_packets += sent;
				if (sent > 0)
					use(d, i, id.spi, digest(before.encr_key), before.start + 1,
					    before.start + sent);
			}
		if (n->alive)
			node_turn(d, n);
	}
}

/* ---- agreement ---- */

static bool standby_agrees(struct duo *d, const struct duo_node *a, const struct duo_node *b)
{
	const struct ike_sa *sa;
	uint32_t after = 0;
	size_t n = 0;

	while ((sa = ike_next(a->g.ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c; c = c->next) {
			struct dp_sa_id out = { DP_OUT, c->spi_out, sa->remote.addr };
			struct dp_sa ours, theirs;

			n += 2;
			if (!fake_plane_sa(a->g.plane, &out, &ours) || !fake_plane_sa(b->g.plane, &out, &theirs)) {
				sim_fail(d->sim, "the standby's data plane lacks SA %08x", c->spi_out);
				return false;
			}
			if (theirs.start < ours.fence || theirs.fence <= theirs.start || theirs.fence == DP_NO_FENCE) {
				sim_fail(d->sim, "SA %08x: active at %llu up to %llu, standby at %llu up to %llu",
					 c->spi_out, (unsigned long long)ours.start, (unsigned long long)ours.fence,
					 (unsigned long long)theirs.start, (unsigned long long)theirs.fence);
				return false;
			}
		}
	if (fake_plane_sa_count(b->g.plane) != n || fake_plane_is_open(b->g.plane) || !ike_is_passive(b->g.ike) ||
	    ike_count(a->g.ike) != ike_count(b->g.ike) || ike_child_count(a->g.ike) != ike_child_count(b->g.ike) ||
	    fake_plane_policy_count(a->g.plane) != fake_plane_policy_count(b->g.plane))
		sim_fail(d->sim, "the standby has %zu IKE SAs, %zu CHILD SAs, %zu plane SAs; the active %zu, %zu, %zu",
			 ike_count(b->g.ike), ike_child_count(b->g.ike), fake_plane_sa_count(b->g.plane),
			 ike_count(a->g.ike), ike_child_count(a->g.ike), n);
	return !d->sim->failure[0];
}

bool duo_agree(struct duo *d)
{
	struct duo_node *n = duo_owner(d);
	struct gate_node idle = d->sim->gate.active;

	if (!n) {
		sim_fail(d->sim, "nobody is active");
		return false;
	}
	d->sim->gate.active = n->g;
	(void)sim_agree(d->sim);
	d->sim->gate.active = idle;
	if (!d->sim->failure[0] && duo_synced(d))
		(void)standby_agrees(d, n, duo_other(d, n));
	return !d->sim->failure[0];
}
