/*
 * Time: what is due, retransmissions, rekeys, liveness, hard ends. Facts set wishes (want_*); sa_pump() is the one
 * place that turns a wish into a request, one at a time (window of one), the most urgent first.
 */
#include "ike/revoke.h"
#include "ike/settle.h"

enum { TICK_MAX = 512, AGAIN_MS = 100 };

static bool child_wants(const struct child_sa *c, bool rekey)
{
	const struct exchange *x = c->sa->peer_x;

	if (c->state == CHILD_INSTALLING || c->state == CHILD_DELETING || c->token)
		return false;
	if (x && x->old_spi == c->spi_in)
		return false; /* the peer is rekeying it, and the data plane has the successor in hand */
	return rekey ? c->want_rekey && c->state == CHILD_UP : c->want_delete;
}

static bool child_installing(const struct ike_sa *sa)
{
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (c->state == CHILD_INSTALLING)
			return true;
	}
	return false;
}

static bool wants_any(const struct ike_sa *sa, bool may_rekey)
{
	if (sa->want_delete || (may_rekey && sa->want_rekey && !child_installing(sa)) ||
	    (sa->want_dpd && sa->state == IKE_UP))
		return true;
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (child_wants(c, false) || (may_rekey && child_wants(c, true)))
			return true;
	}
	return false;
}

static enum gw_err next_request(struct ike_sa *sa)
{
	struct child_sa *c;
	bool may_rekey = sa->state == IKE_UP && mtime_reached(sa->not_before, ike_now(sa->ike));

	if (settle_is_due(sa) && wants_any(sa, may_rekey))
		return settle_sound(sa);
	for (c = sa->children; c; c = c->next) {
		if (!sa->want_delete && child_wants(c, false))
			return x_delete_child_start(sa, c);
	}
	if (sa->want_delete)
		return x_delete_ike_start(sa);
	for (c = may_rekey ? sa->children : NULL; c && !child_wants(c, true); c = c->next)
		;
	/* What only one side has shows in the rekey of a CHILD SA, so that goes first while it may be so. */
	if (c && sa_is_uncertain(sa))
		return x_rekey_child_start(sa, c);
	if (may_rekey && sa->want_rekey && !child_installing(sa))
		return x_rekey_ike_start(sa);
	if (c)
		return x_rekey_child_start(sa, c);
	if (sa->want_dpd && sa->state == IKE_UP)
		return x_probe_start(sa);
	return GW_OK;
}

void sa_pump(struct ike_sa *sa)
{
	if (sa->ike->passive)
		return;
	if ((sa->state != IKE_UP && sa->state != IKE_REKEYED) || window_busy(&sa->window) || sa->our_x)
		return;
	if (next_request(sa) != GW_OK)
		sa_close(sa, "internal trouble", false);
}

static void retransmit(struct ike_sa *sa, mtime now)
{
	const struct ike_cfg *cfg = &sa->settings->ike;
	const char *reason =
		sa->state == IKE_DELETING && sa->down_reason ? sa->down_reason : "the peer does not answer";

	if (!settle_hurries(sa) && window_retransmit(&sa->window, now, cfg->retransmit_us, cfg->retransmit_tries)) {
		count_up(sa->ike, retransmits_out);
		send_packed(sa, secret_bytes(&sa->window.request), NULL, IKE_EFFECT_STATE);
		return;
	}
	if (settle_goes_on(sa))
		return;
	count_up(sa->ike, peers_lost);
	sa_close(sa, reason, false);
}

static void child_due(struct child_sa *c, mtime now)
{
	if (mtime_reached(c->rekey_at, now) && c->state == CHILD_UP) {
		c->want_rekey = true;
		c->rekey_at = MTIME_NEVER;
	}
	if (mtime_reached(c->life_at, now)) {
		c->want_delete = true;
		c->life_at = MTIME_NEVER;
	}
}

static bool has_use(const struct ike_sa *sa)
{
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (!c->want_delete && c->state != CHILD_DELETING)
			return true;
	}
	return false;
}

/* The last one takes its IKE SA along: a client without a tunnel has left without a word. */
static void close_silent(struct ike_sa *sa, mtime now)
{
	bool any = false;

	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (!mtime_reached(child_silent_at(c), now))
			continue;
		sa_log(sa, LOG_LVL_INFO, "CHILD SA #%u (%s) is closed: no packet for too long", c->id, c->cfg->name);
		c->want_delete = any = true;
	}
	if (any && !has_use(sa)) {
		sa->want_delete = true;
		sa_set_reason(sa, "inactivity");
	}
}

static void sa_due(struct ike_sa *sa, mtime now)
{
	struct ike *ike = sa->ike;

	if (sa->era != ike->era) {
		sa_resume_timers(sa, now);
		return;
	}

	if (sa->state == IKE_LINGERING) {
		sa_bury(sa);
		return;
	}
	if (sa->half && mtime_reached(sa->half->expires, now)) {
		count_up(ike, half_open_expired);
		pressure_expired(ike);
		sa_close(sa, "IKE_AUTH never came", false);
		return;
	}
	if (window_busy(&sa->window) && mtime_reached(sa->window.retransmit_at, now)) {
		retransmit(sa, now);
		if (sa->state == IKE_DEAD)
			return;
	}
	if (mtime_reached(sa->life_at, now) && sa->our_x && sa->our_x->kind == X_REKEY_IKE) {
		/* The new SA is on its way: want_delete would end the session and not just this SA. */
		sa->life_at = mtime_add(now, SECONDS(LINGER_SECONDS));
	} else if (mtime_reached(sa->life_at, now)) {
		sa->life_at = MTIME_NEVER;
		sa->want_delete = true;
		if (!sa->down_reason)
			sa->down_reason = sa->state == IKE_REKEYED ? "replaced" : "end of its lifetime";
	}
	if (mtime_reached(sa->reauth_at, now)) {
		sa->reauth_at = MTIME_NEVER;
		if (sa->state == IKE_UP) {
			sa->want_delete = true;
			sa_set_reason(sa, "the peer has not authenticated anew");
		}
	}
	close_silent(sa, now);
	if (mtime_reached(sa->rekey_at, now) && sa->state == IKE_UP) {
		sa->rekey_at = MTIME_NEVER;
		sa->want_rekey = true;
	}
	for (struct child_sa *c = sa->children; c; c = c->next)
		child_due(c, now);
	if (sa->conn && sa->conn->dpd_us > 0 && sa->state == IKE_UP && !window_busy(&sa->window) &&
	    mtime_since(sa->last_in, now) >= sa->conn->dpd_us)
		sa->want_dpd = true;
	sa_pump(sa);
	sa_reschedule(sa);
}

mtime ike_due(const struct ike *ike)
{
	if (ike->passive)
		return MTIME_NEVER;
	if (settle_may_be_over(ike))
		return ike_now(ike);
	return mtime_min(due_first(&ike->due), revoke_due(ike->revoke));
}

void ike_tick(struct ike *ike)
{
	mtime now = ike_now(ike);
	struct ike_sa *sa;

	for (int i = 0; !ike->passive && i < TICK_MAX && (sa = due_reached(&ike->due, now)); i++) {
		sa_due(sa, now);
		/* What could not be done now (a wish that must wait) is looked at again soon, never in a circle. */
		if (sa->state != IKE_DEAD && mtime_reached(sa->due, now))
			due_set(&ike->due, sa, mtime_add(now, MILLISECONDS(AGAIN_MS)));
	}
	if (ike->passive)
		return;
	settle_check(ike);
	revoke_tick(ike);
}

void ike_dataplane_event(struct ike *ike, const struct dp_event *ev)
{
	struct child_sa *c;

	if (ev->kind != DP_MOVED || ike->passive)
		return;
	c = ike_find_child(ike, ev->id.spi);
	if (!c || c->state == CHILD_INSTALLING)
		return;
	/* 2.23: an authenticated packet tells where the peer is, when there is a NAT that may have moved it. */
	if (c->sa->peer_nat && c->sa->state != IKE_DEAD)
		sa_follow_nat(c->sa, &c->sa->local, &ev->remote, true);
}
