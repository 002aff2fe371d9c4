/*
 * Exact numbers at a planned switchover: where they are told and taken there is no jump, and what is late on its way to
 * the peer is within its window still. All SAs where these are few, else those that had traffic between the last two
 * reports; the others have nothing on its way, and go on at ceilings.
 */
#include "ha/inside.h"

#define READ_TIME MILLISECONDS(1)

enum { ENTRY = 16 };

void ha_exact_note(struct ha *ha, const struct ha_ceiling *c)
{
	struct ha_hot *hot = &ha->ceil.hot;

	if (hot->n < HA_EXACT_MAX)
		hot->keys[hot->n++] = c->key;
}

/* ---- the one that hands over ---- */

struct telling {
	uint8_t list[ENTRY * HA_EXACT_MAX];
	size_t n;
	mtime until;
};

/* From here on no number above is used: it is what we report as the greatest that we used. */
static void tell(struct ha *ha, struct telling *t, struct ha_ceiling *c)
{
	struct dp_sa_state state;

	if (!c || !c->installed || c->blind || c->burnt || c->shared == 0 || t->n == HA_EXACT_MAX ||
	    mtime_reached(t->until, ha_now(ha)) || ha->ops->query(ha->arg, &c->id, &state) != GW_OK ||
	    state.position > c->fence)
		return;
	c->known = c->fence = state.position;
	put_u64(t->list + ENTRY * t->n, c->key);
	put_u64(t->list + ENTRY * t->n + 8, state.position);
	t->n++;
}

static void tell_hot(struct ha *ha, struct telling *t, const struct ha_hot *hot)
{
	for (size_t i = 0; i < hot->n; i++) {
		struct ha_ceiling *c = ha_ceiling_find(ha, hot->keys[i]);

		if (c && c->known < c->fence) /* else it was told already */
			tell(ha, t, c);
	}
}

void ha_exact_write(struct ha *ha, struct ha_frame_writer *f)
{
	struct telling t = { .until = mtime_add(ha_now(ha), READ_TIME) };
	struct ha_ceiling *c, *tmp;

	if (!ha->ops->query)
		return;
	if (HASH_CNT(by_key, ha->ceil.by_key) <= HA_EXACT_MAX) {
		HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
			tell(ha, &t, c);
	} else {
		tell_hot(ha, &t, &ha->ceil.hot);
		tell_hot(ha, &t, &ha->ceil.was_hot);
	}
	ha_field(f, HA_TAG_NUMBER_LIST, bytes_of(t.list, ENTRY * t.n));
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
