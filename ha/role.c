/*
 * Who owns (DESIGN.md §5). Every change of role is made here: what leads to it, then its steps in their order, as
 * events for the node to do. A promotion writes nothing, for its term was made durable beforehand; it costs nothing per
 * tunnel.
 */
#include <stdarg.h>
#include <stdio.h>

#include "ha/inside.h"

#define LONG_UNHEARD SECONDS(5)

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

enum { TERM_NODES = 16, TERM_LEAP = 1 << 16 };

static const uint32_t TERM_FAR = UINT32_MAX / 2, TERM_LAST = UINT32_MAX - 2 * TERM_NODES;

/* One that is above all that we have heard of. The lower four bits are the node: no term has two owners. */
static void keep_reserve(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	uint32_t most = r->above > r->term ? r->above : r->term;

	if (most > TERM_LAST) {
		if (!r->spent)
			log_error(ha->env->log,
				  "term %u is the last one but few: this node is never active again with "
				  "this state_dir",
				  most);
		r->spent = true;
		return;
	}
	if (r->reserve <= most)
		persist(ha, (most / TERM_NODES + 1) * TERM_NODES + (ha->env->node.index & (TERM_NODES - 1)));
}

void ha_roles_init(struct ha *ha, const struct ha_durable *d)
{
	struct ha_roles *r = &ha->roles;

	*r = (struct ha_roles){ .role = HA_STANDBY, .again = MTIME_NEVER, .preempt_at = MTIME_NEVER };
	r->started = r->listening = r->changed = ha_now(ha);
	/* The reserve of our last start may have been used by it: never again. */
	r->term = d->reserve > d->owned ? d->reserve : d->owned;
	r->owned = r->heard = d->owned;
	r->peer_incarnation = d->incarnation;
	(void)snprintf(r->reason, sizeof(r->reason), "started");
	keep_reserve(ha);
}

void ha_note_change(struct ha *ha, const char *fmt, ...)
{
	char text[sizeof(ha->roles.reason)]; /* may be made of the old one */
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ha->roles.changed = ha_now(ha);
	memcpy(ha->roles.reason, text, sizeof(text));
}

/* After the role has changed: into the log, and to the hooks. */
static void told(struct ha *ha, const char *why)
{
	struct ha_roles *r = &ha->roles;
	struct ha_transition *t = &r->log[(r->log_first + r->log_count) % HA_TRANSITIONS];

	if (r->log_count < HA_TRANSITIONS)
		r->log_count++;
	else
		r->log_first = (r->log_first + 1) % HA_TRANSITIONS;
	*t = (struct ha_transition){ .at = ha_now(ha), .term = r->term, .role = (uint8_t)r->role };
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
	(void)ha_report(ha, HA_EV_CHANGED, "%s", why);
}

size_t ha_transitions(const struct ha *ha, struct ha_transition out[HA_TRANSITIONS])
{
	const struct ha_roles *r = &ha->roles;

	for (unsigned i = 0; i < r->log_count; i++)
		out[i] = r->log[(r->log_first + i) % HA_TRANSITIONS];
	return r->log_count;
}

/* ---- becoming the owner ---- */

/*
 * What it has told its clients since, it could not say: it was cut off from us, or we from it, and it may have gone on.
 * Its node, back without memory, is somebody else.
 */
static bool long_unheard(const struct ha *ha)
{
	const struct ha_peer *p = &ha->peer;
	mtime heard = ha->roles.told.heard;

	if (ha->roles.told.term < ha->epoch.term)
		return false;
	if (ha->link && p->hello && (p->role == HA_ACTIVE || p->incarnation == ha->epoch.incarnation))
		return false;
	if (p->role == HA_ACTIVE && ha->received.us > heard.us)
		heard = ha->received;
	return mtime_since(heard, ha_now(ha)) > LONG_UNHEARD + watch_detection_us(&ha->cfg.watch);
}

/*
 * It may have told its clients what we do not hold: it said so, or it waited for nobody, so that its heartbeat that
 * would have said so may be the first one that we did not get. Turns of two reigns cannot be compared: of an owner whom
 * we have not followed we know nothing.
 */
static bool was_told_more(const struct ha *ha)
{
	const struct ha_roles *r = &ha->roles;

	if (r->told.term != ha->epoch.term)
		return r->told.term > ha->epoch.term;
	return !r->told.waits || r->told.exposed > ha->in.applied;
}

static void take_over_state(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	const struct ha_entry *newest = ha->objects.lists[0].last;

	r->behind = ha->objects.live > 0 &&
		    (!ha->sync.whole || (!r->handed && (long_unheard(ha) || was_told_more(ha))));
	r->handed = false;
	ha->parent = (struct ha_position){ 0 };
	if (ha->sync.whole && ha->epoch.term > 0)
		ha->parent = (struct ha_position){ ha->epoch, ha->in.applied };
	ha->turn = ha->in.applied;
	if (newest && newest->version > ha->turn)
		ha->turn = newest->version;
	/* A standby keeps no tombstones: who is behind this gets everything. */
	ha->objects.forgotten = ha->turn;
	ha_heal_clear(ha);
	ha->heal.reign_turn = ha->turn;
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

void ha_promote_now(struct ha *ha, const char *why)
{
	struct ha_roles *r = &ha->roles;
	struct ha_event *ev;

	if (r->role == HA_ACTIVE)
		return;
	ha_note_change(ha, "%s", why);
	if (r->reserve <= r->term) {
		r->step = STEP_PERSISTING; /* no term to go on with: on disk first */
		keep_reserve(ha);
		return;
	}
	r->step = STEP_NONE;
	ha_windows_strict(ha);
	r->term = r->owned = r->heard = r->reserve;
	r->above = 0;
	r->marked = false;
	r->role = HA_ACTIVE;
	r->traffic = r->traffic_said = r->fenced = r->rival = r->rival_heard = r->obeyed = false;
	r->reigned = true;
	ha_handover_end(ha);
	take_over_state(ha);
	log_notice(ha->env->log, "active, term %u: %s%s", r->term, why,
		   r->behind ? " (behind what the other node had told its clients)" : "");
	/* Who hands over still passes packets: none may come here before they pass here. */
	(void)ha_report(ha, HA_EV_OPEN, "%s", why);
	(void)ha_report(ha, HA_EV_CLAIM, "%s", why);
	ev = ha_report(ha, HA_EV_ACTIVE, "%s", why);
	if (ev)
		ev->behind = r->behind;
	keep_reserve(ha);
	ha_ceilings_blind(ha);
	/* It is off, but what it had used before nobody says: of what it was given, nothing is lifted. */
	if (r->fence == HA_FENCE_OFF)
		ha_peer_fenced(ha);
	ha_say_role(ha, HA_ROLE);
	ha_settle_roles(ha);
	told(ha, why);
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
		ha_promote_now(ha, r->reason);
	else
		keep_reserve(ha);
}

/* ---- being it no more ---- */

void ha_demote_now(struct ha *ha, const char *why, bool clean)
{
	struct ha_roles *r = &ha->roles;

	if (r->role != HA_ACTIVE) {
		r->step = STEP_NONE;
		return;
	}
	ha_note_change(ha, "%s", why);
	ha_outbox_stop(ha);
	r->role = HA_STANDBY;
	r->step = STEP_NONE;
	r->asleep = false;
	r->listening = ha_now(ha); /* for the one that we step down for: nobody is silent before it was listened to */
	ha->in.applied = ha->in.installed = ha->turn;
	/* What the engine did since its last turn is in no record: then all that we hold is in doubt. */
	ha->sync.whole = clean;
	ha->sync.state = HA_SYNC_NONE;
	ha->sync.walking = false;
	ha->peer.following = false;
	ha_ceilings_reign(ha);
	ha_ceilings_stale(ha);
	ha->ceil.drain = true;
	log_notice(ha->env->log, "standby: %s", why);
	/* After a handover that is for later: ha/handover.c. */
	if (!clean) {
		ha_ceilings_lower(ha);
		(void)ha_report(ha, HA_EV_RELEASE, "%s", why);
		(void)ha_report(ha, HA_EV_SHUT, "%s", why);
	}
	(void)ha_report(ha, HA_EV_PASSIVE, "%s", why);
	ha_say_role(ha, HA_ROLE);
	ha_settle_roles(ha);
	told(ha, why);
}

enum gw_err ha_promote(struct ha *ha, const char *why, struct err *e)
{
	if (ha_is_owner(ha))
		return err_set(e, GW_ESTATE, "this node is active already");
	ha_promote_now(ha, why);
	return GW_OK;
}

enum gw_err ha_demote(struct ha *ha, const char *why, struct err *e)
{
	if (!ha_is_owner(ha))
		return err_set(e, GW_ESTATE, "this node is not active");
	ha_demote_now(ha, why, false);
	return GW_OK;
}

/* ---- the peer ---- */

bool ha_we_stay(uint32_t our_term, bool our_traffic, uint8_t our_index, uint32_t term, bool traffic, uint8_t index)
{
	if (our_traffic != traffic)
		return our_traffic;
	if (our_term != term)
		return our_term > term;
	return our_index < index;
}

unsigned ha_reign(const struct ha *ha)
{
	return ha->roles.term / TERM_NODES * 2 + (ha->roles.term & 1);
}

uint32_t ha_term_said(const struct ha *ha)
{
	return ha_is_owner(ha) ? ha->roles.term : ha->roles.heard;
}

/*
 * What the peer says, if that can be: no pair comes to half of all terms by changing ownership. From there on only
 * small steps are followed; else one wrong number from the end of them would leave no term to be promoted with, to both
 * nodes and for ever. What is not believed is no order to step up: who is active is settled by what was said
 * (met_rival).
 */
static uint32_t believed(const struct ha *ha, uint32_t term)
{
	const struct ha_roles *r = &ha->roles;
	uint32_t known = r->heard > r->term ? r->heard : r->term;

	return term <= TERM_FAR || term <= known || term - known <= TERM_LEAP ? term : known;
}

void ha_learn_term(struct ha *ha, uint32_t term)
{
	term = believed(ha, term);
	if (term > ha->roles.heard)
		ha->roles.heard = term;
	if (!ha_is_owner(ha) && term > ha->roles.term)
		ha->roles.term = term;
	keep_reserve(ha);
}

void ha_note_traffic(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;

	if (!r->traffic && !r->asleep)
		r->traffic = ha_windows_used(ha);
}

/*
 * Two are active: both decide, by what they have said to each other, and so alike. Whoever stays says so again, since
 * the other one may not know all; and what was not said yet is said before anything is decided.
 */
static void met_rival(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	const struct ha_peer *p = &ha->peer;

	ha_note_traffic(ha);
	if (r->traffic == r->traffic_said &&
	    !ha_we_stay(r->term, r->traffic, ha->env->node.index, p->term, p->flags & HA_HELLO_TRAFFIC, p->index)) {
		ha_demote_now(ha, "two were active: the other one stays", false);
		return;
	}
	r->rival = true;
	ha_say_role(ha, HA_ROLE);
}

/* What clients have been told by it, or how far their message IDs have come, nobody knows. */
static void doubt(struct ha *ha)
{
	struct ha_event *ev;

	if (ha->ceil.parted.us == 0)
		return; /* it had nothing of what we hold */
	ev = ha_report(ha, HA_EV_DOUBT, "the other node was active and remembers nothing");
	if (ev)
		ev->until = ha->ceil.parted;
}

void ha_roles_met(struct ha *ha)
{
	struct ha_roles *r = &ha->roles;
	const struct ha_peer *p = &ha->peer;

	if (p->incarnation > r->peer_incarnation)
		r->peer_incarnation = p->incarnation;
	if (p->role == HA_ACTIVE)
		ha_handover_seen(ha);
	if (ha_is_owner(ha) && p->role == HA_ACTIVE)
		met_rival(ha);
	if (ha_is_owner(ha) && p->role == HA_STANDBY) {
		bool empty = p->at.turn == 0;
		uint32_t said = believed(ha, p->term > p->owned ? p->term : p->owned);

		/* It knows of us by now; until then it may have announced itself. */
		r->rival |= !r->obeyed;
		r->obeyed = true;
		/* It owned after us and remembers nothing: what it has used, and told clients, nobody can say. */
		if (empty && p->owned >= r->owned) {
			ha_ceilings_doubt(ha);
			doubt(ha);
		} else if (empty) {
			ha_ceilings_skip(ha);
		}

		if (said > r->term) {
			r->above = said;
			rise(ha);
		}
	}
	ha_learn_term(ha, p->term);
}

/* ---- orders of the peer ---- */

/* A standby of higher priority would like to be active. */
void ha_roles_asked(struct ha *ha)
{
	struct err e = { 0 };

	if (!ha_is_owner(ha) || ha->roles.paused)
		return;
	if (ha_switchover(ha, "the other node has the higher priority", &e) != GW_OK)
		log_info(ha->env->log, "not handed over to the node of higher priority: %s", e.text);
}

void ha_pause(struct ha *ha, bool paused)
{
	ha->roles.paused = paused;
	ha->roles.again = ha_now(ha);
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
