#include "ike/unique.h"

#include "ike/engine.h"

/* A session of its own that is neither on its way out nor a rekey's by-product. */
static bool counts(const struct ike_sa *o)
{
	return o->state == IKE_UP && !o->want_delete && o->successor == 0;
}

static void forget_older(struct ike_sa *sa)
{
	struct ike_sa *o, *next;

	for (o = sa->peer->sas; o; o = next) {
		next = o->next_of_peer;
		if (o != sa)
			sa_close(o, "the peer started anew", false);
	}
}

enum gw_err unique_admit(struct ike_sa *sa, bool initial_contact)
{
	enum unique_policy policy = sa->conn->unique.policy;
	uint32_t kept = 0;

	if (initial_contact && (policy == UNIQUE_REPLACE || policy == UNIQUE_KEEP))
		forget_older(sa);
	if (policy != UNIQUE_KEEP)
		return GW_OK;
	for (struct ike_sa *o = sa->peer->sas; o; o = o->next_of_peer) {
		if (o == sa || !counts(o))
			continue;
		kept = o->id;
		o->want_dpd = true;
		sa_pump(o);
		sa_reschedule(o);
	}
	if (!kept)
		return GW_OK;
	count_up(sa->ike, refused_unique);
	sa_log_refused(sa, "connection %s keeps the IKE SA #%u that this identity has (unique: keep)", sa->conn->name,
		       kept);
	return GW_EEXIST;
}

uint32_t unique_leaves(const struct ike_sa *sa, bool initial_contact)
{
	const struct unique_cfg *cfg = &sa->conn->unique;
	uint32_t others = 0;

	for (const struct ike_sa *o = sa->peer->sas; o; o = o->next_of_peer)
		others += o != sa && o->tally && o->tally == sa->tally;
	switch (cfg->policy) {
	case UNIQUE_REPLACE:
		return others;
	case UNIQUE_KEEP:
		return initial_contact ? others : 0;
	case UNIQUE_LIMIT:
		return others >= cfg->limit ? others - cfg->limit + 1 : 0;
	default:
		return 0;
	}
}

bool unique_shares(const struct ike_sa *sa)
{
	return sa->conn->unique.policy == UNIQUE_REPLACE;
}

static struct ike_sa *oldest_of(const struct ike_sa *sa, uint32_t *count)
{
	struct ike_sa *oldest = NULL;

	*count = 0;
	for (struct ike_sa *o = sa->peer->sas; o; o = o->next_of_peer) {
		if (o != sa && !counts(o))
			continue;
		++*count;
		if (o != sa && (!oldest || o->established.us < oldest->established.us))
			oldest = o;
	}
	return oldest;
}

void unique_settle(struct ike_sa *sa)
{
	const struct unique_cfg *cfg = &sa->conn->unique;
	uint32_t limit = cfg->policy == UNIQUE_LIMIT ? cfg->limit : 1, count;
	struct ike_sa *old;

	if (cfg->policy != UNIQUE_REPLACE && cfg->policy != UNIQUE_LIMIT)
		return;
	while ((old = oldest_of(sa, &count)) != NULL && count > limit) {
		sa_log(old, LOG_LVL_INFO, "replaced by IKE SA #%u of the same identity", sa->id);
		count_up(sa->ike, replaced_unique);
		old->want_delete = true;
		sa_set_reason(old, "replaced by a newer session of the same identity");
		sa_pump(old);
		sa_reschedule(old);
	}
}
