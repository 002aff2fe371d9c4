#include "tests/sim/gate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ike/engine.h"

enum { RECORD_MAX = 65536 };

void gate_fail(struct gate *g, const char *fmt, ...)
{
	va_list ap;

	if (g->failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(g->failure, sizeof(g->failure), fmt, ap);
	va_end(ap);
}

static mtime now_of(const struct gate *g)
{
	return clock_now(g->base->clock);
}

static void node_clear(struct gate_node *n)
{
	ike_destroy(n->ike);
	pools_destroy(n->pools);
	free(n->env);
	n->env = NULL;
	if (n->plane)
		n->plane->ops->destroy(n->plane);
	n->ike = NULL;
	n->pools = NULL;
	n->plane = NULL;
}

/* Each life has an incarnation of its own, as each start of a process has (DESIGN.md §4). */
static bool node_make(struct gate *g, struct gate_node *n)
{
	n->env = malloc(sizeof(*n->env));
	if (!n->env)
		return false;
	*n->env = *g->base;
	n->env->node.incarnation = (uint32_t)++g->lives;
	n->pools = pools_create(n->env, g->settings);
	n->ike = n->pools ? ike_create(n->env, g->settings, n->pools) : NULL;
	if (n->ike)
		ike_set_transport(n->ike, true);
	return n->ike != NULL;
}

static bool plane_make(const struct gate *g, struct gate_node *n)
{
	n->plane = fake_plane_create(g->base, NULL); /* it may outlive the engine */
	return n->plane != NULL;
}

bool gate_init(struct gate *g, const struct env *base, struct net *net, struct settings *settings, bool paired)
{
	*g = (struct gate){ .base = base, .net = net, .settings = settings, .paired = paired, .plane_at = MTIME_NEVER };
	return node_make(g, &g->active) && plane_make(g, &g->active) && (!paired || node_make(g, &g->standby));
}

void gate_clear(struct gate *g)
{
	node_clear(&g->active);
	node_clear(&g->standby);
	settings_unref(g->settings);
	witness_clear(&g->witness);
}

/* ---- data plane ---- */

static void submit(struct gate *g, const struct ike_event *ev)
{
	struct gate_node *n = &g->active;
	enum gw_err err = dp_submit(n->plane, ev->token, ev->ops, ev->op_count);

	/* Nobody waits for these, so nobody but us can ask again. */
	for (int i = 0; i < 8 && err != GW_OK && !ev->token; i++)
		err = dp_submit(n->plane, 0, ev->ops, ev->op_count);
	if (err != GW_OK && ev->token)
		ike_resume(n->ike, ev->token, err, "refused");
	for (size_t i = 0; i < ev->op_count; i++)
		if (ev->ops[i].kind == DP_SA_ADD && ev->ops[i].sa.dir == DP_IN)
			witness_spi(&g->witness, ev->ops[i].sa.spi, ev->ops[i].sa.encr_key);
}

static void node_take_completions(struct gate_node *n)
{
	struct dp_event ev;

	while (n->plane->ops->take_event(n->plane, &ev))
		if (ev.kind == DP_DONE && ev.token)
			ike_resume(n->ike, ev.token, ev.result, ev.text);
		else if (ev.kind != DP_DONE)
			ike_dataplane_event(n->ike, &ev);
}

/* ---- the standby follows ---- */

static void standby_finish_turn(struct gate *g)
{
	struct ike_output out;
	struct ike_dirty dirty;
	struct ike_event ev;

	while (ike_take_event(g->standby.ike, &ev))
		if (ev.kind == IKE_EV_DATAPLANE)
			gate_fail(g, "decoding without installing asks the data plane for something");
	while (ike_take_dirty(g->standby.ike, &dirty))
		;
	(void)ike_end_turn(g->standby.ike);
	if (ike_take_datagram(g->standby.ike, &out))
		gate_fail(g, "the standby speaks");
}

/*
 * A turn's records, applied all or nothing (DESIGN.md §3): what they replace goes first, since a CHILD SA or a lease
 * may stand in the record of another IKE SA now.
 */
static void replicate(struct gate *g)
{
	struct record {
		struct record *next;
		uint64_t key;
		size_t n;
		uint8_t data[];
	} *records = NULL, **tail = &records, *r;
	uint8_t *buf = malloc(RECORD_MAX);
	struct ike_dirty d;
	struct err e = { 0 };

	while (ike_take_dirty(g->active.ike, &d)) {
		struct writer w = wr_of(buf, buf ? RECORD_MAX : 0);

		if (d.kind != IKE_OBJ_SA || !buf)
			continue;
		ike_forget(g->standby.ike, d.key, false);
		if (d.deleted)
			continue;
		if (ike_encode(g->active.ike, d.key, &w) != GW_OK) {
			gate_fail(g, "an object that was said to have changed cannot be encoded");
			continue;
		}
		r = malloc(sizeof(*r) + w.n);
		if (!r)
			continue;
		r->next = NULL;
		r->key = d.key;
		r->n = w.n;
		memcpy(r->data, w.p, w.n);
		*tail = r;
		tail = &r->next;
	}
	while ((r = records) != NULL) {
		records = r->next;
		if (ike_decode(g->standby.ike, bytes_of(r->data, r->n), false, &e) != GW_OK)
			gate_fail(g, "the standby refuses a record: %s", e.text);
		free(r);
	}
	free(buf);
}

/* ---- turns ---- */

static void take_events(struct gate *g)
{
	struct ike_event ev;

	while (ike_take_event(g->active.ike, &ev)) {
		switch (ev.kind) {
		case IKE_EV_DATAPLANE:
			submit(g, &ev);
			break;
		case IKE_EV_SA_UP:
			g->up++;
			break;
		case IKE_EV_SA_DOWN:
			g->down++;
			break;
		case IKE_EV_SA_REKEYED:
			g->rekeyed++;
			break;
		case IKE_EV_REFUSED:
			g->refused++;
			break;
		case IKE_EV_SA_MOVED:
			g->moved++;
			break;
		case IKE_EV_CHILD_UP:
			g->children_up++;
			break;
		case IKE_EV_CHILD_DOWN:
			g->children_down++;
			break;
		case IKE_EV_CHILD_REKEYED:
			g->child_rekeyed++;
			break;
		default:
			break;
		}
	}
}

static bool chance(const struct gate *g, unsigned of_1000)
{
	return of_1000 > 0 && rng_below(g->base->rng, 1000) < of_1000;
}

static void one_turn(struct gate *g)
{
	struct ike_output out;
	bool die = g->paired && chance(g, g->takeover), die_early = die && rng_below(g->base->rng, 2) == 0;

	if (++g->turns == g->kill_turn) {
		die = true;
		die_early = g->kill_early;
	}
	take_events(g);
	/* A crash before the standby has the turn: nothing of it may have been said. */
	if (die_early) {
		gate_takeover(g);
		return;
	}
	if (g->paired)
		replicate(g);
	(void)ike_end_turn(g->active.ike);
	if (g->paired)
		standby_finish_turn(g);
	if (die) {
		gate_takeover(g);
		return;
	}
	while (ike_take_datagram(g->active.ike, &out)) {
		witness_datagram(&g->witness, out.datagram.data, out.effect == IKE_EFFECT_STATE);
		net_send(g->net, now_of(g), &out.datagram);
	}
	if (g->witness.failure[0])
		gate_fail(g, "%s", g->witness.failure);
}

/* Some of what waits, when it is time; and when it will be time for the rest. */
static void plane_work(struct gate *g)
{
	struct dataplane *plane = g->active.plane;
	mtime now = now_of(g);

	if (mtime_reached(g->plane_at, now)) {
		fake_plane_run(plane, 1 + (size_t)rng_below(g->base->rng, fake_plane_waiting(plane) + 1));
		g->plane_at = MTIME_NEVER;
	}
	if (g->plane_at.us == MTIME_NEVER.us && fake_plane_waiting(plane) > 0)
		g->plane_at = mtime_add(
			now, g->plane_delay_us ? (int64_t)rng_below(g->base->rng, (uint64_t)g->plane_delay_us) : 0);
}

void gate_turn(struct gate *g)
{
	do {
		one_turn(g);
		plane_work(g);
		node_take_completions(&g->active);
		one_turn(g);
	} while (mtime_reached(g->plane_at, now_of(g)));
	if (chance(g, g->reincarnate))
		(void)gate_reincarnate(g);
}

void gate_receive(struct gate *g, const struct datagram *d, uint8_t *bytes)
{
	ike_receive(g->active.ike, d, bytes);
	gate_turn(g);
}

mtime gate_due(const struct gate *g)
{
	return mtime_min(ike_due(g->active.ike), g->plane_at);
}

void gate_tick(struct gate *g)
{
	ike_tick(g->active.ike);
	gate_turn(g);
}

void gate_report(struct gate *g)
{
	struct dp_sa_state states[16];
	uint64_t cookie = 0;

	do {
		size_t n = g->active.plane->ops->dump(g->active.plane, &cookie, states, ARRAY_LEN(states));

		ike_traffic(g->active.ike, states, n);
	} while (cookie != 0);
	gate_turn(g);
}

/* ---- lives ---- */

static bool encode_one(struct gate *g, uint64_t key, struct writer *w)
{
	if (ike_encode(g->active.ike, key, w) == GW_OK)
		return true;
	gate_fail(g, "an SA cannot be encoded");
	return false;
}

uint8_t *gate_encode(struct gate *g, size_t *n)
{
	size_t cap = (ike_count(g->active.ike) + ike_half_open_count(g->active.ike) + 64) * 8192;
	uint8_t *buf = malloc(cap);
	struct writer w = wr_of(buf, cap);
	const struct ike_sa *sa;
	uint32_t after = 0;

	*n = 0;
	while (buf && (sa = ike_next(g->active.ike, &after)) != NULL)
		if (!encode_one(g, ike_sa_local_spi(sa), &w))
			break;
	*n = w.n;
	return buf;
}

/* All SAs of `from` into `to`, also those that ike_next() passes over: their last answer may not have arrived yet. */
static void transfer(struct gate *g, const struct gate_node *from, struct gate_node *to, bool install)
{
	uint8_t *buf = malloc(RECORD_MAX);
	struct err e = { 0 };

	for (size_t i = 0; buf && i < from->ike->list_len; i++) {
		const struct ike_sa *sa = from->ike->list[i];
		struct writer w = wr_of(buf, RECORD_MAX);
		uint8_t *again;

		if (!sa || sa->state == IKE_DEAD)
			continue;
		if (ike_encode(from->ike, ike_sa_local_spi(sa), &w) != GW_OK) {
			gate_fail(g, "an SA cannot be encoded");
			break;
		}
		if (ike_decode(to->ike, wr_done(&w), install, &e) != GW_OK) {
			gate_fail(g, "a record is refused: %s", e.text);
			break;
		}
		/* What was understood is all there was; of one that is over, its last answer is enough. */
		again = sa->state == IKE_LINGERING ? NULL : malloc(RECORD_MAX);
		if (again) {
			struct writer w2 = wr_of(again, RECORD_MAX);

			if (ike_encode(to->ike, ike_sa_local_spi(sa), &w2) != GW_OK ||
			    !bytes_equal(wr_done(&w), wr_done(&w2)))
				gate_fail(g, "encode(decode(x)) is not x, for an SA that is %s",
					  ike_state_name(sa->state));
			free(again);
		}
	}
	free(buf);
}

bool gate_reincarnate(struct gate *g)
{
	struct gate_node next = { 0 };
	struct ike_event ev;
	struct ike_dirty dirty;

	if (fake_plane_waiting(g->active.plane) > 0)
		return false;
	if (!node_make(g, &next))
		return false;
	transfer(g, &g->active, &next, false);
	while (ike_take_event(next.ike, &ev))
		if (ev.kind == IKE_EV_DATAPLANE)
			gate_fail(g, "decoding without installing asks the data plane for something");
	while (ike_take_dirty(next.ike, &dirty))
		;
	(void)ike_end_turn(next.ike);
	next.plane = g->active.plane;
	g->active.plane = NULL;
	node_clear(&g->active);
	g->active = next;
	return true;
}

/* The active is gone, with its data plane; the standby installs what it knows, and a new standby joins at once. */
void gate_takeover(struct gate *g)
{
	struct gate_node next = { 0 };
	struct ike_event ev;

	node_clear(&g->active);
	g->plane_at = MTIME_NEVER;
	g->takeovers++;
	if (!node_make(g, &next) || !plane_make(g, &next)) {
		gate_fail(g, "out of memory");
		g->active = next;
		return;
	}
	transfer(g, &g->standby, &next, true);
	g->active = next;
	while (ike_take_event(next.ike, &ev))
		if (ev.kind == IKE_EV_DATAPLANE && dp_submit(next.plane, ev.token, ev.ops, ev.op_count) != GW_OK)
			gate_fail(g, "the data plane takes no SAs");
	fake_plane_run(next.plane, SIZE_MAX);
	node_take_completions(&g->active);
	replicate(g);
	(void)ike_end_turn(next.ike);
	standby_finish_turn(g);
}

uint64_t gate_stat(const struct gate *g, const char *name)
{
	struct ike_stat stats[128];
	size_t n = ike_stats(g->active.ike, stats, ARRAY_LEN(stats));

	for (size_t i = 0; i < n && i < ARRAY_LEN(stats); i++)
		if (strcmp(stats[i].name, name) == 0)
			return stats[i].value;
	return UINT64_MAX; /* no such counter: no test expects that many */
}
