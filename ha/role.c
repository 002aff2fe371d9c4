/*
 * Who owns (DESIGN.md §5). Every change of role is made here: what leads to it, then its steps in their order, as
 * events for the node to do. A promotion writes nothing, for its term was made durable beforehand; it costs nothing per
 * tunnel.
 */
#include <stdio.h>

#include "ha/inside.h"

#define START_HOLD SECONDS(1)
#define HAND_PATIENCE SECONDS(1)

static void persist(struct ha *ha, uint32_t reserve)
{
	struct ha_roles *r = &ha->roles;
	struct ha_event *ev;

	if (reserve <= r->persisting)
		return; /* under way */
	ev = ha_report(ha, HA_EV_PERSIST, "term %u is kept in reserve", reserve);
	if (!ev)
		return;
	r->persisting = reserve;
	ev->durable = (struct ha_durable){ reserve, r->owned, r->peer_incarnation };
}

enum { TERM_NODES = 16 };

/* One that is above all that we have heard of. The lower four bits are the node: no term has two owners. */
static void keep_reserve(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	uint32_t most = r->above > r->term ? r->above : r->term;

	if (r->reserve <= most)
		persist(ha, (most / TERM_NODES + 1) * TERM_NODES + (ha->env->node.index & (TERM_NODES - 1)));
}

void ha_roles_init(struct ha *ha, const struct ha_durable *d)
{
	struct ha_roles *r = &ha->roles;

	*r = (struct ha_roles){ .role = HA_STANDBY, .again = MTIME_NEVER };
	r->started = r->listening = r->changed = ha_now(ha);
	/* The reserve of our last start may have been used by it: never again. */
	r->term = d->reserve > d->owned ? d->reserve : d->owned;
	r->owned = r->heard = d->owned;
	r->peer_incarnation = d->incarnation;
	(void)snprintf(r->reason, sizeof(r->reason), "started");
	keep_reserve(ha);
}

static void note_change(struct ha *ha, const char *why)
{
	ha->roles.changed = ha_now(ha);
	(void)snprintf(ha->roles.reason, sizeof(ha->roles.reason), "%s", why);
}

/* ---- becoming the owner ---- */

static void take_over_state(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	const struct ha_entry *newest = ha->objects.lists[0].last;

	r->behind = ha->objects.live > 0 &&
		    (!ha->sync.whole || (r->view.beat.role == HA_ACTIVE && r->view.beat.exposed > ha->in.applied));
	ha->parent = (struct ha_position){ 0 };
	if (ha->sync.whole && ha->epoch.term > 0)
		ha->parent = (struct ha_position){ ha->epoch, ha->in.applied };
	ha->turn = ha->in.applied;
	if (newest && newest->version > ha->turn)
		ha->turn = newest->version;
	/* A standby keeps no tombstones: who is behind this gets everything. */
	ha->objects.forgotten = ha->turn;
	ha->epoch = (struct ha_epoch){ r->term, ha->env->node.incarnation, ha->env->node.index };
	ha->sync.whole = true;
	ha->sync.full = false;
	ha->sync.state = HA_SYNC_NONE;
	ha->peer.following = false;
	ha->out.acked = ha->out.exposed = 0;
	ha->out.stamp_count = 0;
	ha->out.slow = false;
	ha_inbox_forget(&ha->in);
	ha_ceilings_reign(ha);
}

static void promote(struct ha *ha, const char *why)
{
	struct ha_roles *r = &ha->roles;
	struct ha_event *ev;

	if (r->role == HA_ACTIVE)
		return;
	note_change(ha, why);
	if (r->reserve <= r->term) {
		r->step = STEP_PERSISTING; /* no term to go on with: on disk first */
		keep_reserve(ha);
		return;
	}
	r->step = STEP_NONE;
	r->term = r->owned = r->heard = r->reserve;
	r->above = 0;
	r->marked = false;
	r->role = HA_ACTIVE;
	r->traffic = r->traffic_said = r->fenced = r->rival = false;
	r->reigned = true;
	take_over_state(ha);
	log_notice(ha->env->log, "active, term %u: %s%s", r->term, why,
		   r->behind ? " (behind what the other node had told its clients)" : "");
	(void)ha_report(ha, HA_EV_CLAIM, "%s", why);
	(void)ha_report(ha, HA_EV_OPEN, "%s", why);
	ev = ha_report(ha, HA_EV_ACTIVE, "%s", why);
	if (ev)
		ev->behind = r->behind;
	keep_reserve(ha);
	ha_ceilings_blind(ha);
	ha_say_role(ha, HA_ROLE);
	ha_settle_roles(ha);
}

/* Another one has had a higher term than ours, and we stay: we go on in one above that. */
static void rise(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;

	if (r->above <= r->term)
		return;
	if (r->reserve <= r->above) {
		keep_reserve(ha);
		return;
	}
	r->term = r->owned = r->heard = r->reserve;
	r->above = 0;
	r->marked = false;
	ha->epoch.term = r->term;
	ha->parent = (struct ha_position){ 0 };
	ha->objects.forgotten = ha->turn;
	keep_reserve(ha);
	ha_say_role(ha, HA_ROLE);
	ha_link_ready(ha);
}

void ha_persisted(struct ha *ha, uint32_t reserve)
{
	struct ha_roles *r = &ha->roles;

	if (reserve > r->reserve)
		r->reserve = reserve;
	if (ha_is_owner(ha) && r->above > r->term && r->reserve > r->above) {
		rise(ha);
	} else if (ha_is_owner(ha) && r->reserve > r->term && !r->marked) {
		r->marked = true; /* it was written with `owned` as it is now */
		ha_ceilings_followed(ha);
	}
	if (r->step != STEP_PERSISTING)
		return;
	if (r->reserve > r->term)
		promote(ha, r->reason);
	else
		keep_reserve(ha);
}

/* ---- being it no more ---- */

static void demote(struct ha *ha, const char *why, bool clean)
{
	struct ha_roles *r = &ha->roles;

	if (r->role != HA_ACTIVE) {
		r->step = STEP_NONE;
		return;
	}
	note_change(ha, why);
	ha_outbox_stop(ha);
	r->role = HA_STANDBY;
	r->step = STEP_NONE;
	r->asleep = false;
	ha->in.applied = ha->in.installed = ha->turn;
	/* What the engine did since its last turn is in no record: then all that we hold is in doubt. */
	ha->sync.whole = clean;
	ha->sync.state = HA_SYNC_NONE;
	ha->sync.walking = false;
	ha->peer.following = false;
	ha_ceilings_reign(ha);
	ha_ceilings_stale(ha);
	log_notice(ha->env->log, "standby: %s", why);
	(void)ha_report(ha, HA_EV_RELEASE, "%s", why);
	(void)ha_report(ha, HA_EV_SHUT, "%s", why);
	(void)ha_report(ha, HA_EV_PASSIVE, "%s", why);
	ha_say_role(ha, HA_ROLE);
	ha_settle_roles(ha);
}

enum gw_err ha_promote(struct ha *ha, const char *why, struct err *e)
{
	if (ha_is_owner(ha))
		return err_set(e, GW_ESTATE, "this node is active already");
	promote(ha, why);
	return GW_OK;
}

enum gw_err ha_demote(struct ha *ha, const char *why, struct err *e)
{
	if (!ha_is_owner(ha))
		return err_set(e, GW_ESTATE, "this node is not active");
	demote(ha, why, false);
	return GW_OK;
}

/* ---- switchover ---- */

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
	r->hand_by = mtime_add(ha_now(ha), HAND_PATIENCE);
	r->again = ha_now(ha);
	/* From here on nothing new happens; what has happened is closed at the end of this turn and acknowledged. */
	(void)ha_report(ha, HA_EV_PASSIVE, "%s", why);
	(void)ha_report(ha, HA_EV_SHUT, "%s", why);
	return GW_OK;
}

static void hand_back(struct ha *ha)
{
	ha->roles.step = STEP_NONE;
	log_warn(ha->env->log, "no switchover: the standby did not acknowledge in time");
	(void)ha_report(ha, HA_EV_OPEN, "no switchover after all");
	(void)ha_report(ha, HA_EV_ACTIVE, "no switchover after all");
}

/* The barrier: nothing changed, nothing waits, all of it is there. */
static void try_handing(struct ha *ha)
{
	struct ha_outbox *o = &ha->out;

	if (ha->roles.step != STEP_HANDING)
		return;
	if (!ha_streams(ha) || mtime_reached(ha->roles.hand_by, ha_now(ha))) {
		hand_back(ha);
		return;
	}
	/* The events of the switchover itself must have been done: else the engine may still change. */
	if (ha->ev_head || o->dirty[0].head || o->dirty[1].head || o->held.n || o->ready.n || o->acked < ha->turn)
		return;
	ha_say_role(ha, HA_HANDOVER);
	demote(ha, ha->roles.handing_why, true);
}

void ha_roles_acked(struct ha *ha)
{
	if (ha->roles.step == STEP_HANDING)
		ha->roles.again = ha_now(ha); /* after the turn: what it changed is closed then */
}

void ha_roles_handed(struct ha *ha)
{
	if (!ha_is_owner(ha) && ha->sync.state == HA_SYNC_DONE)
		promote(ha, "the other node has handed over");
}

/* ---- the peer ---- */

/* DESIGN.md §5: the higher term stays, unless only the other one has had clients. */
static bool we_stay(uint32_t our_term, bool our_traffic, uint8_t our_index, uint32_t term, bool traffic, uint8_t index)
{
	if (our_traffic != traffic)
		return our_traffic;
	if (our_term != term)
		return our_term > term;
	return our_index < index;
}

static void learn_term(struct ha *ha, uint32_t term)
{
	if (term > ha->roles.heard)
		ha->roles.heard = term;
	if (!ha_is_owner(ha) && term > ha->roles.term)
		ha->roles.term = term;
	keep_reserve(ha);
}

void ha_roles_met(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	const struct ha_peer *p = &ha->peer;

	if (p->incarnation > r->peer_incarnation)
		r->peer_incarnation = p->incarnation;
	if (ha_is_owner(ha) && p->role == HA_ACTIVE &&
	    !we_stay(r->term, r->traffic_said, ha->env->node.index, p->term, p->flags & HA_HELLO_TRAFFIC, p->index))
		demote(ha, "two were active: the other one stays", false);
	if (ha_is_owner(ha) && p->role == HA_ACTIVE)
		r->rival = true;
	if (ha_is_owner(ha) && p->role == HA_STANDBY) {
		bool empty = p->at.turn == 0;

		/* It owned after us and remembers nothing: what it has used nobody can say. */
		if (empty && p->owned >= r->owned)
			ha_ceilings_doubt(ha);
		else if (empty)
			ha_ceilings_skip(ha);
		if (p->term > r->term || p->owned > r->term) {
			r->above = p->term > p->owned ? p->term : p->owned;
			rise(ha);
		}
	}
	learn_term(ha, p->term);
}

bool ha_roles_ready(const struct ha *ha)
{
	return ha->roles.above <= ha->roles.term;
}

void ha_roles_peer_left(struct ha *ha)
{
	ha->peer.left = true;
	if (ha_is_owner(ha))
		ha_ceilings_lift(ha);
}

void ha_peer_fenced(struct ha *ha)
{
	if (!ha_is_owner(ha))
		return;
	ha->roles.fenced = true;
	/* Should it speak all the same, new keys are what it does not have. */
	ha_ceilings_doubt(ha);
}

/* ---- sleep ---- */

void ha_slept(struct ha *ha, int64_t us)
{
	struct ha_roles *r = &ha->roles;

	/* A standby's view is as old as its sleep: it listens anew before it judges. */
	if (us < watch_detection_us(&ha->cfg.watch) / 2)
		return;
	r->listening = ha_now(ha);
	if (!ha_is_owner(ha) || r->asleep)
		return;
	r->asleep = true;
	r->traffic = false; /* what counts is who is spoken to now */
	r->slept_at = ha_now(ha);
	log_warn(ha->env->log, "the loop stood still for %lld ms: silent until the other node is heard",
		 (long long)(us / 1000));
	(void)ha_report(ha, HA_EV_SHUT, "this node slept");
}

static bool heard_since(const struct watch_view *v, mtime since)
{
	for (size_t i = 0; i < WATCH_PATHS; i++)
		if (v->paths[i].used && v->paths[i].heard.us > since.us)
			return true;
	return false;
}

/* Where another one was active, the neighbours believe its announcement: ours goes out again when it is no more. */
static void announce_again(struct ha *ha, bool rival_now)
{
	struct ha_roles *r = &ha->roles;

	if (rival_now) {
		r->rival = true;
	} else if (r->rival) {
		r->rival = false;
		(void)ha_report(ha, HA_EV_CLAIM, "the other node is active no more");
	}
}

static mtime wake_up(struct ha *ha, mtime now)
{
	struct ha_roles *r = &ha->roles;
	mtime end = mtime_add(r->slept_at, watch_detection_us(&ha->cfg.watch));

	if (!r->asleep)
		return MTIME_NEVER;
	if (!heard_since(&r->view, r->slept_at) && !mtime_reached(end, now))
		return end;
	/* Heard: whether it is active now was looked at before this. */
	r->asleep = false;
	(void)ha_report(ha, HA_EV_OPEN, "nobody else is active");
	r->rival = true; /* somebody may have been, meanwhile */
	announce_again(ha, false);
	ha_outbox_release(ha);
	return MTIME_NEVER;
}

/* ---- judging ---- */

void ha_observe(struct ha *ha, const struct watch_view *view)
{
	ha->roles.view = *view;
	ha->roles.seen_view = true;
	ha->roles.again = ha_now(ha);
}

static bool fresh(const struct ha *ha, const struct watch_result *w)
{
	return (w->verdict == PEER_ALIVE || w->verdict == PEER_STALLED) &&
	       (!ha->roles.asleep || heard_since(&ha->roles.view, ha->roles.slept_at));
}

static mtime judge_active(struct ha *ha, const struct watch_result *w, mtime now)
{
	struct ha_roles *r = &ha->roles;
	const struct watch_beat *b = &r->view.beat;
	struct err e;

	/* One whose loop hangs owns no more: it finds out when it wakes up. Flags only rise, so one of the two stays.
	 */
	if (fresh(ha, w) && b->role == HA_ACTIVE && (r->asleep || w->verdict == PEER_ALIVE) &&
	    (r->asleep || !(ha->link && ha->peer.hello)) &&
	    !we_stay(r->term, r->traffic, ha->env->node.index, b->term, b->traffic, b->index)) {
		demote(ha,
		       r->asleep ? "this node slept, and the other one is active"
				 : "two were active: the other one has the higher term",
		       false);
		return MTIME_NEVER;
	}
	if (!r->asleep)
		announce_again(ha, fresh(ha, w) && b->role == HA_ACTIVE);
	if (!r->view.service_up && w->verdict == PEER_ALIVE && b->service_up && r->step == STEP_NONE && !r->asleep)
		(void)!ha_switchover(ha, "a service interface is down here", &e);
	return mtime_min(wake_up(ha, now), w->again);
}

/* Of two standbys: who holds more, then the greater priority, then the lower index. */
static bool we_are_first(const struct ha *ha)
{
	const struct watch_beat *b = &ha->roles.view.beat;

	if ((ha->in.applied > 0 && ha->sync.whole) != b->synced)
		return ha->in.applied > 0 && ha->sync.whole;
	if (b->synced && ha->in.applied != b->turn)
		return ha->in.applied > b->turn;
	if (ha->cfg.priority != b->priority)
		return ha->cfg.priority > b->priority;
	return ha->env->node.index < b->index;
}

static mtime judge_standby(struct ha *ha, const struct watch_result *w, mtime now)
{
	struct ha_roles *r = &ha->roles;
	int64_t hold = ha->cfg.start_hold_us > 0 ? ha->cfg.start_hold_us : START_HOLD;
	mtime begin = mtime_add(r->started, hold);
	bool was_active = r->view.beat.role == HA_ACTIVE || ha->peer.role == HA_ACTIVE;

	if (!r->view.service_up)
		return w->again;
	if (mtime_add(r->changed, ha->cfg.calm_us).us > begin.us)
		begin = mtime_add(r->changed, ha->cfg.calm_us);
	switch (w->verdict) {
	case PEER_ALIVE:
		if (r->view.beat.role == HA_ACTIVE)
			return w->again;
		begin = mtime_add(r->changed, hold);
		if (!we_are_first(ha))
			return w->again; /* the other one will, or will be found dead */
		break;
	case PEER_STALLED:
	case PEER_GONE:
		if (!was_active)
			begin = mtime_add(r->changed, hold);
		break;
	case PEER_DEAD:
		break;
	default:
		return w->again;
	}
	if (!mtime_reached(begin, now))
		return mtime_min(w->again, begin);
	promote(ha, w->why);
	return w->again;
}

void ha_roles_tick(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	mtime now = ha_now(ha);
	struct watch_result w;

	if (!mtime_reached(r->again, now))
		return;
	r->again = MTIME_NEVER;
	try_handing(ha);
	if (r->step == STEP_HANDING)
		r->again = mtime_min(r->hand_by, mtime_add(now, MILLISECONDS(1)));
	if (!r->seen_view)
		return;
	w = watch_judge(&ha->cfg.watch, &r->view, r->listening, now);
	if (w.verdict == PEER_ALIVE)
		learn_term(ha, r->view.beat.term);
	if (ha_is_owner(ha))
		w.again = judge_active(ha, &w, now);
	else if (!ha->cfg.external && r->step == STEP_NONE)
		w.again = judge_standby(ha, &w, now);
	r->again = mtime_min(r->again, w.again);
}

mtime ha_roles_due(const struct ha *ha)
{
	return ha->roles.again;
}
