/* A turn of a node of a pair: what the engine of ha wants done, and what it is told (ha/ha.h describes the order). */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/fault.h"
#include "daemon/gateway.h"
#include "daemon/glue.h"
#include "daemon/ha_hooks.h"
#include "daemon/ha_node.h"
#include "daemon/ha_show.h"
#include "daemon/show.h"

#define LEASE_PAUSE_US MILLISECONDS(20)
#define RESYNC_SLICE_US 500 /* of a turn */
#define DRAIN_PATIENCE_US SECONDS(5)

static mtime now_of(const struct ha_node *h)
{
	return clock_now(h->g->env.clock);
}

static void slept(struct ha_node *h, int64_t us)
{
	h->counters.sleeps++;
	if (us > h->counters.longest_sleep_us)
		h->counters.longest_sleep_us = us;
	ha_slept(h->ha, us);
}

void ha_node_slept(void *arg, int64_t us)
{
	slept(arg, us);
}

/* ---- events ---- */

static void submit(struct ha_node *h, const struct ha_event *ev)
{
	struct dp_event done = { .kind = DP_DONE, .token = ev->token };

	done.result = dp_submit(h->g->dp, ev->token, ev->ops, ev->op_count);
	if (done.result == GW_OK)
		return;
	(void)snprintf(done.text, sizeof(done.text), "%s", gw_err_text(done.result));
	(void)ha_plane_event(h->ha, &done);
}

static void claim(struct ha_node *h)
{
	if (!h->claimed)
		(void)fault_at(FAULT_PROMOTED, 0);
	vips_claim(h->vips);
	if (h->takeover.claimed.us < h->takeover.asked.us) /* else it has them, and they are announced again */
		h->takeover.claimed = now_of(h);
	if (!h->claimed)
		(void)fault_at(FAULT_CLAIMED, 0);
	h->claimed = true;
}

static void release(struct ha_node *h)
{
	(void)fault_at(FAULT_RELEASE, 0);
	vips_release(h->vips);
	h->claimed = false;
}

static void set_gate(struct ha_node *h, enum dp_gate gate)
{
	struct gateway *g = h->g;

	if (gate == DP_OPEN)
		h->takeover.asked = now_of(h);
	g->dp->ops->set_open(g->dp, gate);
	if (gate == DP_OPEN)
		h->takeover.opened = now_of(h);
	h->gate = gate;
}

static void become_active(struct ha_node *h, const struct ha_event *ev)
{
	struct gateway *g = h->g;

	ike_set_passive(g->ike, false);
	if (ev->behind)
		ike_doubt_all(g->ike);
	reload_review(g->reload); /* what it could not say while it was silent */
	memset(h->lease_dirty, 0xff, sizeof(h->lease_dirty));
	h->lease_at = now_of(h);
	h->counters.promotions++;
	log_notice(&g->log, "taken over: data plane open after %lld us, addresses after %lld us",
		   (long long)mtime_since(h->takeover.asked, h->takeover.opened),
		   (long long)mtime_since(h->takeover.asked, h->takeover.claimed));
}

static void become_passive(struct ha_node *h)
{
	ike_set_passive(h->g->ike, true);
	h->counters.demotions++;
	if (h->claimed && ha_role_of(h->ha) == HA_STANDBY)
		(void)fault_at(FAULT_HANDING, 0);
}

static void gather_rekey(struct ha_node *h, uint32_t spi)
{
	h->counters.rekeys++;
	if (h->rekeys.n == h->rekeys.cap) {
		size_t cap = h->rekeys.cap ? h->rekeys.cap * 2 : 64;
		uint32_t *bigger = realloc(h->rekeys.spis, cap * sizeof(*bigger));

		if (!bigger)
			return; /* ha asks again */
		h->rekeys.spis = bigger;
		h->rekeys.cap = cap;
	}
	h->rekeys.spis[h->rekeys.n++] = spi;
}

static void say_refused(struct ha_node *h, const struct ha_event *ev)
{
	h->counters.refused++;
	log_warn(&h->g->log, "the standby does not hold object %u/%016llx: %s", ev->object_kind,
		 (unsigned long long)ev->key, ev->text);
}

static void do_event(struct ha_node *h, const struct ha_event *ev)
{
	struct gateway *g = h->g;

	switch (ev->kind) {
	case HA_EV_DATAPLANE:
		submit(h, ev);
		break;
	case HA_EV_PERSIST:
		(void)fault_at(FAULT_PERSIST, 0);
		terms_write(h->terms, &ev->durable);
		break;
	case HA_EV_CLAIM:
		claim(h);
		break;
	case HA_EV_HUSH:
		vips_hush(h->vips);
		break;
	case HA_EV_RELEASE:
		release(h);
		break;
	case HA_EV_OPEN:
		set_gate(h, DP_OPEN);
		break;
	case HA_EV_SHUT:
		set_gate(h, DP_SHUT);
		break;
	case HA_EV_INBOUND:
		set_gate(h, DP_INBOUND_ONLY);
		break;
	case HA_EV_FENCE:
		ha_hooks_fence(h, ev->text);
		break;
	case HA_EV_ACTIVE:
		become_active(h, ev);
		break;
	case HA_EV_PASSIVE:
		become_passive(h);
		break;
	case HA_EV_SYNCED:
		log_notice(&g->log, "protected: %s", ev->text[0] ? ev->text : "the standby holds everything");
		break;
	case HA_EV_UNPROTECTED:
		log_warn(&g->log, "unprotected: %s", ev->text);
		break;
	case HA_EV_REFUSED:
		say_refused(h, ev);
		break;
	case HA_EV_DOUBT:
		log_warn(&g->log, "SAs that both nodes had are settled: %s", ev->text);
		ike_doubt_anew(g->ike, ev->until);
		break;
	case HA_EV_REKEY:
		gather_rekey(h, ev->sa.spi);
		break;
	case HA_EV_CLOSE_LINK:
		h->counters.links_closed++;
		synclink_close(h->link, ev->text);
		break;
	case HA_EV_VERIFIED:
		h->verified = *ev->verify;
		(void)snprintf(h->verified_text, sizeof(h->verified_text), "%s", ev->text);
		h->verifications++;
		break;
	case HA_EV_CHANGED:
		ha_hooks_role(h, ev->text);
		journal_event(g->journal, "role",
			      json_pack("{s:s, s:o}", "role", ha_show_role((uint8_t)ha_role_of(h->ha)), "reason",
					show_text(ev->text)));
		break;
	}
}

bool ha_node_take_events(struct ha_node *h)
{
	struct ha_event ev;
	bool any = false, notable = false;

	while (ha_take_event(h->ha, &ev)) {
		any = true;
		notable |= ev.kind != HA_EV_DATAPLANE;
		do_event(h, &ev);
	}
	/* Operators wait for the end of what they have asked for. */
	if (notable)
		control_wake(h->g->control);
	return any;
}

/* ---- a turn ---- */

static void work_on_drain(struct ha_node *h)
{
	struct err e = { 0 };

	if (!h->draining || (ike_half_open_count(h->g->ike) > 0 && !mtime_reached(h->drain_by, now_of(h))))
		return;
	ha_node_undrain(h);
	if (ha_switchover(h->ha, h->drain_why, &e) != GW_OK)
		log_warn(&h->g->log, "not handed over after all: %s", e.text);
	control_wake(h->g->control);
}

void ha_node_begin(struct ha_node *h)
{
	work_on_drain(h);
	if (!h->look && !mtime_reached(ha_due(h->ha), now_of(h)))
		return;
	h->look = false;
	ha_node_observe(h);
	ha_tick(h->ha);
}

const struct dp_op *ha_node_prepare(struct ha_node *h, const struct ike_event *ev, uint64_t *token)
{
	if (ev->op_count > h->op_cap) {
		size_t cap = ev->op_count > 64 ? ev->op_count * 2 : 64;
		struct dp_op *bigger = realloc(h->ops, cap * sizeof(*bigger));

		if (!bigger)
			return NULL;
		h->ops = bigger;
		h->op_cap = cap;
	}
	memcpy(h->ops, ev->ops, ev->op_count * sizeof(*h->ops));
	*token = ha_prepare(h->ha, ev->token, ev->key, h->ops, ev->op_count);
	return h->ops;
}

void ha_node_heed(struct ha_node *h, const struct ike_event *ev)
{
	if (ev->kind != IKE_EV_SA_DOWN || !ev->sa || ha_role_of(h->ha) != HA_ACTIVE)
		return;
	for (size_t i = 0; i < SA_LEASES; i++)
		if (ev->sa->leases[i].pool) {
			unsigned b = pool_part(&ev->sa->leases[i].addr);

			h->lease_dirty[b / 64] |= UINT64_C(1) << b % 64;
		}
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One walk, however many there are. */
static void ask_rekeys(struct ha_node *h)
{
	struct ike *ike = h->g->ike;
	const struct ike_sa *sa;
	uint32_t after = 0;

	if (h->rekeys.n == 0)
		return;
	qsort(h->rekeys.spis, h->rekeys.n, sizeof(*h->rekeys.spis), by_value);
	while ((sa = ike_next(ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c; c = c->next)
			if (bsearch(&c->spi_out, h->rekeys.spis, h->rekeys.n, sizeof(*h->rekeys.spis), by_value)) {
				(void)ike_rekey(ike, &(struct ike_select){ .id = sa->id, .child_id = c->id }, true);
				break; /* the list may have changed; ha asks for others of this SA again */
			}
	h->rekeys.n = 0;
}

/* What a part says is all of it: one now and then. */
static void tell_leases(struct ha_node *h)
{
	mtime now = now_of(h);

	if (!mtime_reached(h->lease_at, now) || ha_role_of(h->ha) != HA_ACTIVE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(h->lease_dirty); i++)
		if (h->lease_dirty[i]) {
			unsigned bit = (unsigned)__builtin_ctzll(h->lease_dirty[i]);

			h->lease_dirty[i] &= h->lease_dirty[i] - 1;
			ha_dirty(h->ha, HA_OBJ_LEASES, i * 64 + bit, false);
			h->lease_at = mtime_add(now, LEASE_PAUSE_US);
			return;
		}
}

void ha_node_gathered(struct ha_node *h)
{
	ask_rekeys(h);
	tell_leases(h);
}

void ha_node_wake(struct ha_node *h)
{
	int64_t gap = heartbeat_alive(h->beat);

	if (gap > h->sleep_us)
		slept(h, gap);
}

static void write_link(struct ha_node *h)
{
	struct bytes b;

	while ((b = ha_link_bytes(h->ha)).n > 0) {
		size_t n = synclink_send(h->link, b);

		if (n == 0)
			return; /* down, or full: there will be room */
		ha_link_written(h->ha, n);
	}
}

/* A piece of a resync, only while the kernel takes all that is said, so that what clients wait for overtakes it. */
static bool write_piece(void *arg)
{
	struct ha_node *h = arg;

	if (synclink_waiting(h->link) > 0 || !ha_link_more(h->ha))
		return false;
	write_link(h);
	return true;
}

static void leave(struct ha_node *h)
{
	ha_leave(h->ha);
	write_link(h);
	h->left = true;
	ha_node_say(h);
}

/* What the messages of a turn are that wait for its record (glue_about()); more than so many are not told apart. */
struct waiting {
	uint16_t about[8];
	size_t n;
};

static void wait_for(struct waiting *w, uint16_t about)
{
	if (w->n < ARRAY_LEN(w->about))
		w->about[w->n++] = about;
}

/* Points of test builds about a record. */
static void link_faults(struct ha_node *h, const struct waiting *w, bool written)
{
	struct ha_status st = { 0 };

	for (size_t i = 0; i < w->n; i++)
		(void)fault_at(written ? FAULT_REPLICATED : FAULT_BEFORE_REPLICATE, w->about[i]);
	if (!written && h->applied)
		(void)fault_at(FAULT_APPLIED, 0);
	if (!fault_wanted(FAULT_RESYNC_SENDING) && !fault_wanted(FAULT_RESYNC_TAKING))
		return;
	ha_look(h->ha, &st);
	if (st.sync != HA_SYNC_CATCHING)
		return;
	if (written && st.role == HA_ACTIVE)
		(void)fault_at(FAULT_RESYNC_SENDING, 0);
	else if (!written && st.role == HA_STANDBY && h->applied)
		(void)fault_at(FAULT_RESYNC_TAKING, 0);
}

void ha_node_end(struct ha_node *h)
{
	struct waiting waiting = { .n = 0 };
	struct ike_output out;

	(void)ha_end_turn(h->ha);
	while (ike_take_datagram(h->g->ike, &out)) {
		if (out.effect == IKE_EFFECT_STATE)
			wait_for(&waiting, glue_about(&out));
		ha_send(h->ha, &out);
	}
	link_faults(h, &waiting, false);
	write_link(h);
	loop_spend(h->g->loop, RESYNC_SLICE_US, write_piece, h);
	link_faults(h, &waiting, true);
	h->applied = false;
	/* Not before this turn's events were carried out: a node that slept is shut by them. */
	atomic_store(&h->turning_us, now_of(h).us);
	ha_node_say(h);
	/* Who has handed over stays until the neighbours have moved. */
	if (h->leaving && !h->left && ha_role_of(h->ha) == HA_STANDBY && !h->claimed)
		leave(h);
}

static bool leases_wait(const struct ha_node *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->lease_dirty); i++)
		if (h->lease_dirty[i])
			return ha_role_of(h->ha) == HA_ACTIVE;
	return false;
}

mtime ha_node_due(const struct ha_node *h)
{
	mtime due = mtime_min(ha_due(h->ha), leases_wait(h) ? h->lease_at : MTIME_NEVER);

	return h->draining ? mtime_min(due, h->drain_by) : due;
}

/* ---- the end ---- */

void ha_node_stop(struct ha_node *h, const char *why)
{
	struct err e = { 0 };

	h->leaving = true;
	if (ha_role_of(h->ha) != HA_ACTIVE || ha_switchover(h->ha, why, &e) == GW_OK)
		return;
	log_warn(&h->g->log, "nobody takes over: %s", e.text);
	if (ha_demote(h->ha, why, &e) != GW_OK)
		h->left = true;
}

enum gw_err ha_node_drain(struct ha_node *h, const char *why, struct err *e)
{
	struct ha_status st;

	ha_look(h->ha, &st);
	if (st.role != HA_ACTIVE)
		return err_set(e, GW_ESTATE, "this node is not active");
	if (st.sync != HA_SYNC_DONE)
		return err_set(e, GW_ESTATE, "the standby is not synced");
	log_notice(&h->g->log, "draining: new clients are refused, then the other node takes over");
	h->draining = true;
	h->drain_by = mtime_add(now_of(h), DRAIN_PATIENCE_US);
	(void)snprintf(h->drain_why, sizeof(h->drain_why), "%s", why);
	ike_set_draining(h->g->ike, true);
	return GW_OK;
}

void ha_node_undrain(struct ha_node *h)
{
	h->draining = false;
	ike_set_draining(h->g->ike, false);
}

bool ha_node_left(const struct ha_node *h)
{
	return h->left;
}
