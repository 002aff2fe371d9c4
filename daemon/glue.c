#include "daemon/glue.h"

#include "daemon/gateway.h"
#include "daemon/listen.h"
#include "esp/fake.h"

enum { LEAST = 64 }; /* of each kind, however busy the turn is */

static void take_plane_events(struct gateway *g)
{
	struct dp_event ev;
	int n = 0;

	while (g->dp->ops->take_event(g->dp, &ev)) {
		if (ev.kind == DP_DONE)
			ike_resume(g->ike, ev.token, ev.result, ev.result == GW_OK ? NULL : ev.text);
		else
			ike_dataplane_event(g->ike, &ev);
		if (++n >= LEAST && loop_turn_over(g->loop)) {
			loop_again(g->loop);
			return;
		}
	}
}

static void take_engine_events(struct gateway *g)
{
	struct ike_event ev;

	while (ike_take_event(g->ike, &ev)) {
		enum gw_err r;

		if (ev.kind != IKE_EV_DATAPLANE)
			continue; /* ups, downs and rekeys were logged by the engine; hooks come with HA */
		r = dp_submit(g->dp, ev.token, ev.ops, ev.op_count);
		/* Not accepted: then no completion follows, and we are the ones to say so. */
		if (r != GW_OK && ev.token != 0)
			ike_resume(g->ike, ev.token, r, NULL);
		else if (r != GW_OK)
			log_error(&g->log, "the data plane takes no requests: %s", gw_err_text(r));
	}
}

static void settle(struct gateway *g)
{
	do {
		take_plane_events(g);
		take_engine_events(g);
	} while (g->plane_is_fake && fake_plane_run(g->dp, SIZE_MAX) > 0);
}

/* DELETEs to everybody are more than fits into a turn, and into a socket's buffer. */
static void send_datagrams(struct gateway *g)
{
	struct ike_output out;
	int n = 0;

	while (ike_take_datagram(g->ike, &out)) {
		listen_send(g, &out.datagram);
		if (++n >= LEAST && loop_turn_over(g->loop)) {
			loop_again(g->loop);
			return;
		}
	}
}

void glue_turn(struct gateway *g)
{
	struct ike_dirty dirty;

	if (mtime_reached(ike_due(g->ike), clock_now(g->env.clock)))
		ike_tick(g->ike);
	settle(g);
	while (ike_take_dirty(g->ike, &dirty))
		; /* nobody to tell: a lone node */
	(void)ike_end_turn(g->ike);
	send_datagrams(g);
	leases_watch(g->leases);
	loop_timer_at(g->ike_timer, ike_due(g->ike));
	if (g->stopping && ike_count(g->ike) == 0)
		loop_stop(g->loop);
}
