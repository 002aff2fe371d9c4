/*
 * Numbers at a planned switchover. The one that hands over goes on until the neighbours have moved, with a few more
 * numbers of each SA: its fence is lowered to there, in its data plane, before it says so; the other one begins above.
 * So there is no moment in which neither sends, and no jump beyond what the peer's window takes: what is late on its way
 * is within it still. All SAs where these are few, else those that had traffic between the last two reports; the others
 * have nothing on its way, and go on at ceilings.
 */
#include "ha/inside.h"

#define READ_TIME MILLISECONDS(1)

enum { ENTRY = 16, LEAD = 16 /* half of the smallest window (RFC 4303 3.4.3) */ };

void ha_exact_note(struct ha *ha, const struct ha_ceiling *c)
{
	struct ha_hot *hot = &ha->ceil.hot;

	if (hot->n < HA_EXACT_MAX)
		hot->keys[hot->n++] = c->key;
}

/* ---- the one that hands over ---- */

static bool position_of(struct ha *ha, struct ha_ceiling *c, mtime until, uint64_t *out)
{
	struct dp_sa_state state;

	if (!c || !c->installed || c->blind || c->burnt || c->shared == 0 || c->gap > 0 || mtime_reached(until, ha_now(ha)) ||
	    ha->ops->query(ha->arg, &c->id, &state) != GW_OK || state.position > c->fence)
		return false;
	*out = state.position;
	return true;
}

static bool set_fence(struct ha *ha, const struct ha_ceiling *c, uint64_t fence)
{
	struct dp_op op = { .kind = DP_SA_FENCE };

	op.id = c->id;
	op.position = fence;
	if (ha_operate(ha, HA_TOKEN | HA_TOKEN_OWNER | (ha->token + 1), &op, 1) != GW_OK)
		return false;
	ha->token++;
	return true;
}

static void lower(struct ha *ha, struct ha_ceiling *c, mtime until)
{
	struct ha_hot *l = &ha->ceil.leads;
	uint64_t position;

	/* A busy one may be met twice among those with traffic. */
	if (l->n == HA_EXACT_MAX || !position_of(ha, c, until, &position) || c->lead)
		return;
	position = c->fence - position > LEAD ? position + LEAD : c->fence;
	if (position == 0 || !set_fence(ha, c, position))
		return;
	c->lead = position;
	l->keys[l->n++] = c->key;
}

static void forget_leads(struct ha *ha)
{
	for (size_t i = 0; i < ha->ceil.leads.n; i++) {
		struct ha_ceiling *c = ha_ceiling_find(ha, ha->ceil.leads.keys[i]);

		if (c)
			c->lead = 0;
	}
	ha->ceil.leads.n = 0;
}

bool ha_exact_lower(struct ha *ha)
{
	const struct ha_hot *hot = &ha->ceil.hot, *was = &ha->ceil.was_hot;
	mtime until = mtime_add(ha_now(ha), READ_TIME);
	struct ha_ceiling *c, *tmp;

	forget_leads(ha);
	ha->ceil.exact_left = 0;
	ha->ceil.exact_first = (HA_TOKEN | HA_TOKEN_OWNER) + ha->token + 1;
	if (!ha->ops->query)
		return false;
	if (HASH_CNT(by_key, ha->ceil.by_key) <= HA_EXACT_MAX) {
		HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
			lower(ha, c, until);
	} else {
		for (size_t i = 0; i < hot->n; i++)
			lower(ha, ha_ceiling_find(ha, hot->keys[i]), until);
		for (size_t i = 0; i < was->n; i++)
			lower(ha, ha_ceiling_find(ha, was->keys[i]), until);
	}
	ha->ceil.exact_left = ha->ceil.leads.n;
	return ha->ceil.exact_left > 0;
}

bool ha_exact_lowered(struct ha *ha, const struct dp_event *ev)
{
	struct ha_ceilings *ceil = &ha->ceil;
	uint64_t i = ev->token - ceil->exact_first;
	struct ha_ceiling *c;

	if (ev->token < ceil->exact_first || i >= ceil->leads.n || ceil->exact_left == 0)
		return false;
	c = ha_ceiling_find(ha, ceil->leads.keys[i]);
	if (c && ev->result != GW_OK)
		c->lead = 0; /* gone meanwhile, or it stays at its ceiling */
	return --ceil->exact_left == 0;
}

void ha_exact_raise(struct ha *ha)
{
	for (size_t i = 0; i < ha->ceil.leads.n; i++) {
		const struct ha_ceiling *c = ha_ceiling_find(ha, ha->ceil.leads.keys[i]);

		if (c && c->lead && c->installed && !set_fence(ha, c, c->fence))
			log_error(ha->env->log, "out of memory: a fence stays low");
	}
	forget_leads(ha);
}

/*
 * From here on no number above is used: the fence, or where a packet has overtaken its lowering. Now it is what we report
 * as the greatest that we used.
 */
void ha_exact_write(struct ha *ha, struct ha_frame_writer *f)
{
	uint8_t list[ENTRY * HA_EXACT_MAX];
	mtime until = mtime_add(ha_now(ha), READ_TIME);
	size_t n = 0;

	for (size_t i = 0; i < ha->ceil.leads.n; i++) {
		struct ha_ceiling *c = ha_ceiling_find(ha, ha->ceil.leads.keys[i]);
		uint64_t position;

		if (!c || !c->lead || !position_of(ha, c, until, &position))
			continue;
		c->known = c->fence = position > c->lead ? position : c->lead;
		put_u64(list + ENTRY * n, c->key);
		put_u64(list + ENTRY * n + 8, c->fence);
		n++;
	}
	forget_leads(ha);
	ha_field(f, HA_TAG_NUMBER_LIST, bytes_of(list, ENTRY * n));
}

/* ---- the one that takes ---- */

/* One batch for each, so that one that cannot go back leaves the others alone: then it stays at its ceiling. */
static void take(struct ha *ha, uint64_t key, uint64_t position)
{
	struct ha_ceiling *c = ha_ceiling_find(ha, key);
	struct dp_op op = { .kind = DP_SA_REWIND };
	uint64_t token = HA_TOKEN | HA_TOKEN_OWNER | (ha->token + 1);

	if (!c || !c->installed || c->blind || position >= c->base)
		return;
	op.id = c->id;
	op.position = position;
	if (ha_operate(ha, token, &op, 1) != GW_OK)
		return;
	ha->token++;
	if (ha->ceil.exact_left++ == 0)
		ha->ceil.exact_first = token;
	c->base = c->known = position;
}

bool ha_exact_take(struct ha *ha, struct bytes list)
{
	struct reader r = rd_of(list);

	ha->ceil.exact_left = 0;
	while (r.left >= ENTRY) {
		uint64_t key = rd_u64(&r);

		take(ha, key, rd_u64(&r));
	}
	return ha->ceil.exact_left > 0;
}

bool ha_exact_done(struct ha *ha, const struct dp_event *ev)
{
	struct ha_ceilings *c = &ha->ceil;

	if (ev->token < c->exact_first || ev->token > ha->token + (HA_TOKEN | HA_TOKEN_OWNER) || c->exact_left == 0)
		return false;
	return --c->exact_left == 0;
}
