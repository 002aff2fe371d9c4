#include "daemon/glue.h"

#include "daemon/fault.h"
#include "daemon/gateway.h"
#include "daemon/ha_node.h"
#include "daemon/listen.h"
#include "daemon/lists.h"
#include "esp/fake.h"

enum { LEAST = 64 }; /* of each kind, however busy the turn is */

static void take_plane_events(struct gateway *g)
{
	struct dp_event ev;
	int n = 0;

	while (g->dp->ops->take_event(g->dp, &ev)) {
		if (g->ha && ha_plane_event(g->ha->ha, &ev))
			; /* was its own */
		else if (ev.kind == DP_DONE)
			ike_resume(g->ike, ev.token, ev.result, ev.result == GW_OK ? NULL : ev.text);
		else
			ike_dataplane_event(g->ike, &ev);
		if (++n >= LEAST && loop_turn_over(g->loop)) {
			loop_again(g->loop);
			return;
		}
	}
}

/* The plane has not accepted it: then no completion follows, and we are the ones to say so. */
static void refused(struct gateway *g, const struct ike_event *ev, uint64_t token, enum gw_err r)
{
	struct dp_event done = { .kind = DP_DONE, .token = token, .result = r };

	if (token == 0) {
		log_error(&g->log, "the data plane takes no requests: %s", gw_err_text(r));
		if (arrears_keep(&g->arrears, ev->ops, ev->op_count) != GW_OK)
			log_error(&g->log, "removals of SAs are lost: out of memory");
		return;
	}
	if (!g->ha || !ha_plane_event(g->ha->ha, &done))
		ike_resume(g->ike, token, r, NULL);
}

static void submit(struct gateway *g, const struct ike_event *ev)
{
	const struct dp_op *ops = g->ha ? NULL : ev->ops;
	uint64_t token = ev->token;
	enum gw_err r;

	if (ev->key == 0) /* else it follows the other node, which keeps account */
		journal_removing(g->journal, ev->ops, ev->op_count);
	if (g->ha)
		ops = ha_node_prepare(g->ha, ev, &token);
	r = ops ? dp_submit(g->dp, token, ops, ev->op_count) : GW_ENOMEM;
	if (r != GW_OK)
		refused(g, ev, token, r);
}

void glue_take_engine_events(struct gateway *g)
{
	struct ike_event ev;

	arrears_settle(&g->arrears, g->dp);
	/* Ups, downs and rekeys were logged by the engine. */
	while (ike_take_event(g->ike, &ev)) {
		if (ev.kind == IKE_EV_DATAPLANE) {
			submit(g, &ev);
			continue;
		}
		journal_heed(g->journal, &ev);
		keyexport_heed(g->keyexport, &ev);
		if (g->ha)
			ha_node_heed(g->ha, &ev);
	}
}

static void settle(struct gateway *g)
{
	bool more;

	do {
		take_plane_events(g);
		glue_take_engine_events(g);
		more = g->ha && ha_node_take_events(g->ha);
		more |= g->plane_is_fake && fake_plane_run(g->dp, SIZE_MAX) > 0;
	} while (more);
}

/* A lone node's leave at once, a pair's when the other node has what they depend on. */
static bool take_datagram(struct gateway *g, struct ike_output *out)
{
	return g->ha ? ha_take_datagram(g->ha->ha, out) : ike_take_datagram(g->ike, out);
}

static void send_datagram(struct gateway *g, const struct ike_output *out)
{
	bool state = g->ha && out->effect == IKE_EFFECT_STATE;
	uint16_t about = glue_about(out);

	if (state && fault_at(FAULT_ACKNOWLEDGED, about))
		return;
	listen_send(g, &out->datagram);
	if (state)
		(void)fault_at(FAULT_SENT, about);
}

/* DELETEs to everybody are more than fits into a turn, and into a socket's buffer. */
static void send_datagrams(struct gateway *g)
{
	struct ike_output out;
	int n = 0;

	while (take_datagram(g, &out)) {
		send_datagram(g, &out);
		if (++n >= LEAST && loop_turn_over(g->loop)) {
			loop_again(g->loop);
			return;
		}
	}
}

static void close_turn(struct gateway *g)
{
	struct ike_dirty d;

	if (g->ha)
		ha_node_gathered(g->ha);
	while (ike_take_dirty(g->ike, &d))
		if (g->ha) /* else there is nobody to tell */
			ha_dirty(g->ha->ha, d.kind == IKE_OBJ_SA ? HA_OBJ_IKE : HA_OBJ_COOKIE, d.key, d.deleted);
	(void)ike_end_turn(g->ike);
	if (g->ha)
		ha_node_end(g->ha);
}

static bool may_end(const struct gateway *g)
{
	return g->ha ? ha_node_left(g->ha) : ike_count(g->ike) == 0;
}

void glue_turn(struct gateway *g)
{
	if (g->ha)
		ha_node_wake(g->ha); /* before anything is said */
	if (mtime_reached(ike_due(g->ike), clock_now(g->env.clock)))
		ike_tick(g->ike);
	if (g->ha)
		ha_node_begin(g->ha);
	settle(g);
	close_turn(g);
	send_datagrams(g);
	lists_serve(g->lists);
	leases_watch(g->leases);
	loop_timer_at(g->ike_timer, g->ha ? mtime_min(ike_due(g->ike), ha_node_due(g->ha)) : ike_due(g->ike));
	if (g->stopping && may_end(g))
		loop_stop(g->loop);
}
