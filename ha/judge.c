/*
 * When a node changes its role by itself (DESIGN.md §5): from what the heartbeats say, after a sleep, to preempt. What
 * the change consists of is role.c's.
 */
#include <stdio.h>

#include "ha/inside.h"

#define START_HOLD SECONDS(1)
#define NEXT_VIEW MILLISECONDS(2) /* where this one is older than what it is judged for */

/* ---- sleep ---- */

void ha_slept(struct ha *ha, int64_t us)
{
	struct ha_roles *r = &ha->roles;

	/* A standby's view is as old as its sleep: it listens anew before it judges. */
	if (us < watch_detection_us(&ha->cfg.watch) / 2)
		return;
	r->listening = ha_now(ha);
	r->again = ha_now(ha); /* where nobody is heard, nothing else would have us look again */
	if (!ha_is_owner(ha) || r->asleep)
		return;
	r->asleep = true;
	r->traffic = false; /* what counts is who is spoken to now */
	r->slept_at = ha_now(ha);
	log_warn(ha->env->log, "the loop stood still for %lld ms: silent until the other node is heard",
		 (long long)(us / 1000));
	(void)ha_report(ha, HA_EV_SHUT, "this node slept");
	(void)ha_report(ha, HA_EV_HUSH, "this node slept");
}

static bool heard_since(const struct watch_view *v, mtime since)
{
	for (size_t i = 0; i < WATCH_PATHS; i++)
		if (v->paths[i].used && v->paths[i].heard.us > since.us)
			return true;
	return false;
}

/*
 * Where another one is active, too, the neighbours believe whoever was announced last. Until it is settled which of them
 * goes, that one says nothing more, and the one that stays says so again; it does once more when the other is gone. But
 * for one that was active before: the other may not hear it, and learns that it is not the one when clients, which
 * believe it now, speak to it.
 */
static void met_in_public(struct ha *ha, bool we_stay)
{
	struct ha_roles *r = &ha->roles;
	bool first = !r->rival_heard, changed = r->hushed == we_stay;

	r->rival = r->rival_heard = true;
	r->hushed = !we_stay;
	if (!we_stay && (first || changed))
		(void)ha_report(ha, HA_EV_HUSH, "the other node is active as well, and stays");
	else if (we_stay && (first ? r->term > r->view.beat.term : changed))
		(void)ha_report(ha, HA_EV_CLAIM, "the other node is active as well, and goes");
}

static void alone_again(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;

	if (r->rival)
		(void)ha_report(ha, HA_EV_CLAIM, "the other node is active no more");
	r->rival = r->rival_heard = false;
}

static mtime wake_up(struct ha *ha, mtime now)
{
	struct ha_roles *r = &ha->roles;
	mtime end = mtime_add(r->slept_at, watch_detection_us(&ha->cfg.watch));

	if (!r->asleep)
		return MTIME_NEVER;
	if (!heard_since(&r->view, r->slept_at) && !mtime_reached(end, watch_now(&r->view, now)))
		return mtime_reached(end, now) ? mtime_add(now, NEXT_VIEW) : end;
	/* Heard: whether it is active now was looked at before this. */
	r->asleep = false;
	(void)ha_report(ha, HA_EV_OPEN, "nobody else is active");
	r->rival = true; /* somebody may have been, meanwhile */
	alone_again(ha);
	ha_outbox_release(ha);
	return MTIME_NEVER;
}

/* ---- judging ---- */

static mtime last_heard(const struct watch_view *v)
{
	mtime heard = { 0 };

	for (size_t i = 0; i < WATCH_PATHS; i++)
		if (v->paths[i].used && v->paths[i].heard.us > heard.us)
			heard = v->paths[i].heard;
	return heard;
}

void ha_observe(struct ha *ha, const struct watch_view *view)
{
	const struct watch_beat *b = &view->beat;

	ha->roles.view = *view;
	if (b->role == HA_ACTIVE && b->term >= ha->roles.told.term) {
		ha->roles.told.term = b->term;
		ha->roles.told.exposed = b->exposed;
		ha->roles.told.waits = b->synced;
		ha->roles.told.heard = last_heard(view);
	}
	ha->roles.seen_view = true;
	ha->roles.again = ha_now(ha);
}

/* What it said before our promotion may have been its last word. */
static bool fresh(const struct ha *ha, const struct watch_result *w)
{
	return (w->verdict == PEER_ALIVE || w->verdict == PEER_STALLED) &&
	       heard_since(&ha->roles.view, ha->roles.changed) &&
	       (!ha->roles.asleep || heard_since(&ha->roles.view, ha->roles.slept_at));
}

static mtime judge_active(struct ha *ha, const struct watch_result *w, mtime now)
{
	struct ha_roles *r = &ha->roles;
	const struct watch_beat *b = &r->view.beat;
	bool rival = fresh(ha, w) && b->role == HA_ACTIVE, we_stay;
	bool heard = w->verdict == PEER_ALIVE || w->verdict == PEER_STALLED;
	struct err e;

	/* While it was not heard it may have been active, and announced last; and have gone since. */
	if (heard && r->unheard)
		r->rival = true;
	r->unheard = !heard;
	if (rival)
		ha_note_traffic(ha);
	/* One whose loop hangs owns no more: it finds out when it wakes up. Flags only rise, so one of the two stays.
	 */
	we_stay = !rival || (!r->asleep && w->verdict != PEER_ALIVE) ||
		  ha_we_stay(r->term, r->traffic, ha->env->node.index, b->term, b->traffic, b->index);
	if (!we_stay && (r->asleep || !(ha->link && ha->peer.hello))) {
		ha_demote_now(ha,
			      r->asleep ? "this node slept, and the other one is active"
					: "two were active: the other one has the higher term",
			      false);
		return MTIME_NEVER;
	}
	if (!r->asleep && rival)
		met_in_public(ha, we_stay);
	else if (!r->asleep)
		alone_again(ha);
	if (!r->view.service_up && w->verdict == PEER_ALIVE && b->service_up && r->step == STEP_NONE && !r->asleep &&
	    !r->paused)
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

/* ---- fencing ---- */

/* Whether it may be taken over from. A silent peer is switched off first, where there is a way to do that. */
static bool fence_allows(struct ha *ha, const struct watch_result *w)
{
	struct ha_roles *r = &ha->roles;

	if (!ha->cfg.fence || r->fence == HA_FENCE_OFF)
		return true;
	if (w->verdict != PEER_DEAD && w->verdict != PEER_STALLED)
		return true; /* it has left, or its parent process has withdrawn it: nobody is silent */
	if (r->fence == HA_FENCE_FAILED)
		return false;
	r->fence = HA_FENCE_RUNNING;
	r->step = STEP_FENCING;
	log_notice(ha->env->log, "switching the other node off: %s", w->why);
	(void)ha_report(ha, HA_EV_FENCE, "%s", w->why);
	return false;
}

void ha_fenced(struct ha *ha, bool off, const char *text)
{
	struct ha_roles *r = &ha->roles;

	if (r->fence != HA_FENCE_RUNNING)
		return; /* asked for and no longer wanted */
	r->fence = off ? HA_FENCE_OFF : HA_FENCE_FAILED;
	r->fenced_at = r->again = ha_now(ha);
	if (r->step == STEP_FENCING)
		r->step = STEP_NONE;
	if (off)
		log_notice(ha->env->log, "the other node is off");
	else
		ha_note_change(ha, "no takeover: the other node is silent and could not be switched off: %s",
			       text && *text ? text : "?");
}

/* It was heard after the answer: it is on (again). */
static void fence_outdated(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;

	if (r->fence == HA_FENCE_OFF || r->fence == HA_FENCE_FAILED)
		if (heard_since(&r->view, r->fenced_at))
			r->fence = HA_FENCE_NONE;
}

/* ---- preemption ---- */

/* Whether a standby of higher priority should have the role, all else being well. */
static bool ought_to_own(const struct ha *ha, const struct watch_result *w)
{
	const struct ha_roles *r = &ha->roles;

	return ha->cfg.preempt_us > 0 && !ha->cfg.external && !r->paused && r->step == STEP_NONE &&
	       r->view.service_up && w->verdict == PEER_ALIVE && r->view.beat.role == HA_ACTIVE &&
	       ha->cfg.priority > r->view.beat.priority && ha->link && ha->peer.hello &&
	       (ha->sync.state == HA_SYNC_DONE || !ha->cfg.preempt_synced);
}

static mtime judge_preemption(struct ha *ha, const struct watch_result *w, mtime now)
{
	struct ha_roles *r = &ha->roles;

	if (!ought_to_own(ha, w)) {
		r->preempt_at = MTIME_NEVER;
		return MTIME_NEVER;
	}
	if (r->preempt_at.us == MTIME_NEVER.us)
		r->preempt_at = mtime_add(now, ha->cfg.preempt_us);
	/* Handed over is only what is held: until then it waits. */
	if (ha->sync.state != HA_SYNC_DONE || !mtime_reached(r->preempt_at, now))
		return mtime_reached(r->preempt_at, now) ? mtime_add(now, MILLISECONDS(100)) : r->preempt_at;
	ha_say_role(ha, HA_ASK_ROLE);
	r->preempt_at = mtime_add(now, ha->cfg.preempt_us);
	return r->preempt_at;
}

/*
 * What the loop of the active node has sent within one detection time: then it is there and does not hang, and who does
 * not hear its heartbeats is deaf, or too busy.
 */
static mtime link_speaks_until(const struct ha *ha)
{
	if (!ha->link || !ha->peer.hello || ha->peer.role != HA_ACTIVE)
		return (mtime){ 0 };
	return mtime_add(ha->received, watch_detection_us(&ha->cfg.watch));
}

/*
 * Whose own cables were out, or whose witness was silent, has heard nobody meanwhile, which says nothing of the other
 * node: it listens anew, as one that starts, unless it hears somebody.
 */
static struct watch_result judge_peer(struct ha *ha, mtime now)
{
	struct ha_roles *r = &ha->roles;
	struct watch_result w = watch_judge(&ha->cfg.watch, &r->view, r->listening, now);

	if (r->cut && w.verdict == PEER_DEAD) {
		r->listening = r->rejoined = now;
		w = watch_judge(&ha->cfg.watch, &r->view, r->listening, now);
	}
	r->cut = w.verdict == PEER_CUT;
	return w;
}

static mtime judge_standby(struct ha *ha, const struct watch_result *w, mtime now)
{
	struct ha_roles *r = &ha->roles;
	int64_t hold = ha->cfg.start_hold_us > 0 ? ha->cfg.start_hold_us : START_HOLD;
	mtime begin = mtime_add(r->started, hold);
	bool was_active = r->view.beat.role == HA_ACTIVE || ha->peer.role == HA_ACTIVE;

	if (!r->view.service_up)
		return w->again;
	if ((w->verdict == PEER_DEAD || w->verdict == PEER_STALLED) && link_speaks_until(ha).us > now.us)
		return mtime_min(w->again, link_speaks_until(ha));
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
		if (r->rejoined.us > 0 && !heard_since(&r->view, r->rejoined) &&
		    mtime_add(r->rejoined, hold).us > begin.us)
			begin = mtime_add(r->rejoined, hold);
		break;
	default:
		return w->again;
	}
	if (!mtime_reached(begin, now))
		return mtime_min(w->again, begin);
	if (fence_allows(ha, w))
		ha_promote_now(ha, w->why);
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
	ha_handover_tick(ha);
	if (!r->seen_view)
		return;
	w = judge_peer(ha, now);
	if (w.verdict == PEER_ALIVE)
		ha_learn_term(ha, r->view.beat.term);
	fence_outdated(ha);
	if (ha_is_owner(ha)) {
		w.again = judge_active(ha, &w, now);
	} else if (!ha->cfg.external && !r->paused && r->step == STEP_NONE) {
		w.again = judge_standby(ha, &w, now);
		if (!ha_is_owner(ha))
			w.again = mtime_min(w.again, judge_preemption(ha, &w, now));
	}
	r->again = mtime_min(r->again, w.again);
}

mtime ha_roles_due(const struct ha *ha)
{
	return ha->roles.again;
}
