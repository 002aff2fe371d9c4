#include "ike/settle.h"

int64_t settle_spread(struct ike *ike, int64_t us)
{
	return us > 0 ? (int64_t)rng_below(ike->env->rng, (uint64_t)us) : 0;
}

bool sa_is_uncertain(const struct ike_sa *sa)
{
	const struct ike *ike = sa->ike;

	return ike->doubt != 0 && sa->adopted && sa->certain != ike->doubt && sa->state == IKE_UP;
}

void settle_begin(struct ike *ike)
{
	mtime now = ike_now(ike);

	ike->doubt_checked = 0;
	for (size_t i = 0; i < ike->list_len; i++) {
		struct ike_sa *sa = ike->list[i];

		if (sa && sa_is_uncertain(sa) && sa->era != ike->era)
			due_set(&ike->due, sa, now);
	}
}

/* Numbers of two nodes that doubt without each other must not be the same; none is 0. */
void ike_doubt_all(struct ike *ike)
{
	ike->doubt = 1 + (uint32_t)rng_below(ike->env->rng, UINT32_MAX);
	ike->cookies_dirty = true;
	settle_begin(ike);
}

bool settle_may_be_over(const struct ike *ike)
{
	size_t at = ike->doubt_checked;

	return ike->doubt != 0 && (at >= ike->list_len || !ike->list[at] || !sa_is_uncertain(ike->list[at]));
}

void settle_check(struct ike *ike)
{
	if (ike->doubt == 0)
		return;
	for (int i = 0; i < CHECKED_AT_ONCE && ike->doubt_checked < ike->list_len; i++) {
		const struct ike_sa *sa = ike->list[ike->doubt_checked];

		if (sa && sa_is_uncertain(sa))
			return;
		ike->doubt_checked++;
	}
	if (ike->doubt_checked < ike->list_len)
		return;
	ike->doubt = 0;
	ike->cookies_dirty = true;
}

/* A request that both had may have made it, within the time that requests are repeated. */
void ike_doubt_anew(struct ike *ike, mtime until)
{
	if (ike->passive)
		return;
	ike->era++;
	for (size_t i = 0; i < ike->list_len; i++) {
		struct ike_sa *sa = ike->list[i];

		if (!sa)
			continue;
		if (sa->heard_era == ike->era - 1)
			sa->heard_era = ike->era;
		if (mtime_reached(sa->created, mtime_add(until, SECONDS(TRIES_SECONDS))))
			sa->adopted = true;
		if (!sa->adopted)
			sa->era = ike->era;
	}
	ike_doubt_all(ike);
}

void settle_plan(struct ike_sa *sa, mtime now)
{
	struct ike *ike = sa->ike;

	for (struct child_sa *c = sa->children; c; c = c->next)
		c->rekey_at = mtime_min(c->rekey_at, mtime_add(now, settle_spread(ike, SECONDS(SPREAD_SECONDS))));
	sa->rekey_at = mtime_min(sa->rekey_at,
				 mtime_add(now, SECONDS(SPREAD_SECONDS) + settle_spread(ike, SECONDS(SPREAD_SECONDS))));
}

bool settle_is_due(const struct ike_sa *sa)
{
	return sa_is_uncertain(sa) && sa->settled != sa->ike->doubt;
}

enum gw_err settle_sound(struct ike_sa *sa)
{
	if (sa->sounding_era != sa->ike->era)
		sa->soundings = 0;
	sa->sounding_era = sa->ike->era;
	sa->soundings++;
	sa->sounded = ike_now(sa->ike);
	return x_probe_start(sa);
}

void settle_inherit(struct ike_sa *sa, mtime now)
{
	if (!settle_is_due(sa) || sa->window.request_kind != REQ_PROBE)
		return;
	sa->sounding_era = sa->ike->era;
	sa->soundings = 1;
	sa->sounded = now;
}

static bool sounding(const struct ike_sa *sa)
{
	return settle_is_due(sa) && sa->sounding_era == sa->ike->era && sa->window.request_kind == REQ_PROBE;
}

bool settle_hurries(const struct ike_sa *sa)
{
	return sounding(sa) && sa->window.tries >= SETTLE_TRIES &&
	       (sa->soundings > 1 || sa->last_in.us > sa->sounded.us);
}

bool settle_goes_on(struct ike_sa *sa)
{
	if (!sounding(sa) || sa->soundings >= SETTLE_SOUNDINGS)
		return false;
	sa_log(sa, LOG_LVL_INFO, "no answer to message ID %u: it may have been the other node's; on to the next",
	       sa->window.send_next - 1);
	window_answered(&sa->window);
	return settle_sound(sa) == GW_OK;
}

void settle_answered(struct ike_sa *sa)
{
	if (sa->sounding_era == sa->ike->era)
		sa->settled = sa->ike->doubt;
}

void settle_lost(struct ike_sa *sa)
{
	sa_log(sa, LOG_LVL_INFO, "the peer has answered a request of the other node that was lost with it");
	settle_answered(sa);
	sa->want_delete = true;
	sa_set_reason(sa, "the peer has gone on with the other node");
}
