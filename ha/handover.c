/*
 * A planned switchover (DESIGN.md §5). The active node: barrier (all that changed is acknowledged), its data plane keeps
 * a few numbers of each SA (ha/exact.c), HANDOVER says where they end; then it is a standby, of which neighbours have not
 * heard yet. The other one sets its SAs back from their ceilings to there, opens its data plane, and claims the
 * addresses. So packets go through the one or the other all the time. When the first one hears of that it lets nothing
 * out any more, and for a moment still takes what comes in.
 *
 * That is told of all SAs only where these are few, else of those that had traffic lately; the rest goes on at ceilings.
 * So the cost is bounded, whatever the number of tunnels.
 */
#include <stdio.h>

#include "ha/inside.h"

#define HAND_PATIENCE SECONDS(1)
#define TAKE_PATIENCE MILLISECONDS(3)
#define LINGER MILLISECONDS(50)
#define LINGER_MOST MILLISECONDS(500)

/* ---- the one that hands over ---- */

enum gw_err ha_switchover(struct ha *ha, const char *why, struct err *e)
{
	struct ha_roles *r = &ha->roles;

	if (!ha_is_owner(ha))
		return err_set(e, GW_ESTATE, "this node is not active");
	if (r->step == STEP_HANDING)
		return err_set(e, GW_ESTATE, "a switchover is under way");
	if (!ha_streams(ha) || ha->sync.state != HA_SYNC_DONE)
		return err_set(e, GW_ESTATE, "the standby is not synced");
	(void)snprintf(r->handing_why, sizeof(r->handing_why), "%s", why);
	r->step = STEP_HANDING;
	r->lowered = false;
	r->hand_by = mtime_add(ha_now(ha), HAND_PATIENCE);
	r->again = ha_now(ha);
	/* From here on nothing new happens; what has happened is closed at the end of this turn and acknowledged. */
	(void)ha_report(ha, HA_EV_PASSIVE, "%s", why);
	return GW_OK;
}

static void hand_back(struct ha *ha)
{
	ha->roles.step = STEP_NONE;
	log_warn(ha->env->log, "no switchover: the standby did not acknowledge in time");
	if (ha->roles.lowered)
		ha_exact_raise(ha);
	(void)ha_report(ha, HA_EV_ACTIVE, "no switchover after all");
	ha_ceilings_followed(ha);
}

static void say_handover(struct ha *ha)
{
	struct ha_frame_writer f;

	ha_frame_begin(&f, &ha->tx, HA_HANDOVER);
	ha_odd_field(ha, &f);
	ha_role_fields(ha, &f);
	ha_exact_write(ha, &f);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

/*
 * The barrier: nothing changed, nothing waits, all of it is there. Only then there are no more numbers, so that what is
 * left lasts for the handing over.
 */
static void try_handing(struct ha *ha)
{
	struct ha_outbox *o = &ha->out;

	if (!ha_streams(ha) || mtime_reached(ha->roles.hand_by, ha_now(ha))) {
		hand_back(ha);
		return;
	}
	/* The events of the switchover itself must have been done: else the engine may still change, the plane send. */
	if (ha->ev_head || o->dirty[0].head || o->dirty[1].head || o->held.n || o->ready.n || o->acked < ha->turn)
		return;
	if (!ha->roles.lowered) {
		ha->roles.lowered = true;
		if (ha_exact_lower(ha))
			return; /* ha_handover_event() */
	}
	if (ha->ceil.exact_left > 0)
		return;
	say_handover(ha);
	(void)ha_report(ha, HA_EV_HUSH, "%s", ha->roles.handing_why);
	ha_demote_now(ha, ha->roles.handing_why, true);
	ha->roles.lingers = true;
	ha->roles.stopped = false;
	ha->roles.linger_by = mtime_add(ha_now(ha), LINGER_MOST);
}

void ha_roles_acked(struct ha *ha)
{
	if (ha->roles.step == STEP_HANDING)
		ha->roles.again = ha_now(ha); /* after the turn: what it changed is closed then */
}

/* ---- the one that takes ---- */

static void take_over(struct ha *ha)
{
	ha->roles.step = STEP_NONE;
	ha->roles.handed = true;
	ha_promote_now(ha, "the other node has handed over");
}

void ha_roles_handed(struct ha *ha, struct bytes positions)
{
	if (ha_is_owner(ha) || ha->sync.state != HA_SYNC_DONE)
		return;
	if (!ha_exact_take(ha, positions)) {
		take_over(ha);
		return;
	}
	ha->roles.step = STEP_TAKING;
	ha->roles.again = ha->roles.take_by = mtime_add(ha_now(ha), TAKE_PATIENCE);
}

void ha_handover_event(struct ha *ha, const struct dp_event *ev)
{
	if (ha->roles.step == STEP_TAKING && ha_exact_done(ha, ev))
		take_over(ha);
	if (ha->roles.step == STEP_HANDING && ha->roles.lowered && ha_exact_lowered(ha, ev))
		ha->roles.again = ha_now(ha);
}

/* ---- lingering ---- */

/* Before anything of the other one's numbers comes to our data plane. */
static void stop(struct ha *ha)
{
	if (ha->roles.stopped)
		return;
	ha->roles.stopped = true;
	(void)ha_report(ha, HA_EV_INBOUND, "%s", ha->roles.reason);
	ha_ceilings_lower(ha);
}

static void leave(struct ha *ha)
{
	stop(ha);
	ha->roles.lingers = false;
	(void)ha_report(ha, HA_EV_RELEASE, "%s", ha->roles.reason);
	(void)ha_report(ha, HA_EV_SHUT, "%s", ha->roles.reason);
}

/* The other one did not take it. */
void ha_handover_end(struct ha *ha)
{
	if (ha->roles.lingers)
		stop(ha);
	ha->roles.lingers = false;
}

/* The other one has claimed the addresses: neighbours move now. */
void ha_handover_seen(struct ha *ha)
{
	mtime by = mtime_add(ha_now(ha), ha->cfg.linger_us > 0 ? ha->cfg.linger_us : LINGER);

	if (!ha->roles.lingers)
		return;
	stop(ha);
	if (by.us > ha->roles.linger_by.us)
		return;
	ha->roles.linger_by = by;
	ha->roles.again = ha_now(ha);
}

void ha_handover_tick(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;

	if (r->step == STEP_HANDING)
		try_handing(ha);
	if (r->step == STEP_TAKING && mtime_reached(r->take_by, ha_now(ha)))
		take_over(ha);
	if (r->lingers && mtime_reached(r->linger_by, ha_now(ha)))
		leave(ha);
	if (r->step == STEP_HANDING)
		r->again = mtime_min(r->again, mtime_min(r->hand_by, mtime_add(ha_now(ha), MILLISECONDS(1))));
	if (r->step == STEP_TAKING)
		r->again = mtime_min(r->again, r->take_by);
	if (r->lingers)
		r->again = mtime_min(r->again, r->linger_by);
}
