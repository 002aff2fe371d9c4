/*
 * Ceilings and the other node: what it is granted, what we are; what either may have used, after a partition or without
 * its memory (docs/sequence-numbers.md has the rules and their stories).
 */
#include <stdlib.h>

#include "ha/inside.h"

#define JUMP_MAX (UINT64_C(1) << 30)

enum { FLAG_ESN = 1, FLAG_BURNT = 2 };

/* ---- what is not known any more ---- */

void ha_ceilings_blind(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	if (!ha->ceil.any_blind)
		return;
	ha->ceil.any_blind = false;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (ha_ceiling_mine(ha, c)->blind)
			ha_ceiling_tighten(ha, c);
}

void ha_ceilings_stale(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	/* Another owner goes on above what we report; our own range is over. */
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		c->offer = c->installed && !c->blind && !c->burnt && c->shared == 0 && c->gap == 0;
		c->blind = ha->ceil.any_blind = true;
	}
}

/* The plane is shut: this is behind the cut. */
void ha_ceilings_lower(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		struct dp_op op = { .kind = DP_SA_FENCE };

		if (!c->installed || !c->blind)
			continue;
		op.id = c->id;
		if (ha_operate(ha, HA_TOKEN | HA_TOKEN_OWNER | ++ha->token, &op, 1) != GW_OK)
			log_error(ha->env->log, "out of memory: a fence is not lowered");
	}
}

/*
 * A standby makes its ownership durable after its promotion, and raises no fence before: without that mark it has used
 * its first block at most, the one above what we have granted.
 */
void ha_ceilings_skip(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		if (ha_ceiling_mine(ha, c)->shared == 0)
			continue;
		if (c->shared_fence > c->gap)
			c->gap = c->shared_fence;
		c->shared = c->shared_fence = 0;
	}
}

void ha_ceilings_lift(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		(void)ha_ceiling_mine(ha, c);
		c->shared = c->shared_fence = c->range = 0;
		if (c->wants)
			ha_ceiling_more(ha, c, c->fence);
	}
}

void ha_ceilings_doubt(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (ha_ceiling_mine(ha, c)->shared > 0) {
			c->burnt = true;
			ha_ceiling_tighten(ha, c);
		}
}

/* ---- to and from the other node ---- */

enum gw_err ha_ceiling_encode(struct ha *ha, uint64_t key, struct writer *w)
{
	struct ha_ceiling *c = ha_ceiling_mine(ha, ha_ceiling_find(ha, key));
	uint64_t ceiling;

	if (!c)
		return GW_ENOTFOUND;
	ceiling = c->asked > c->fence ? c->asked : c->fence;
	ceiling = c->gap > ceiling ? c->gap : ceiling;
	if (ceiling > c->shared)
		c->shared = ceiling;
	if (ha_ceiling_limit(c, ceiling + c->block) > c->shared_fence)
		c->shared_fence = ha_ceiling_limit(c, ceiling + c->block);
	/* A receiver with ESN loses the count beyond 2^32: what never sends must not jump for ever. */
	if (ceiling - c->known >= JUMP_MAX)
		ha_ceiling_tighten(ha, c);
	wr_u64(w, ceiling);
	wr_u64(w, c->block);
	wr_u64(w, c->known);
	wr_u8(w, (uint8_t)((c->esn ? FLAG_ESN : 0) | (c->burnt || c->blind ? FLAG_BURNT : 0)));
	if (ha->cfg.former)
		wr_u32(w, HA_TAG_ODD); /* what follows is for later versions */
	return w->bad ? GW_ELIMIT : GW_OK;
}

static void stand_at(struct ha *ha, struct ha_ceiling *c)
{
	struct dp_op ops[2] = { { .kind = DP_SA_POSITION }, { .kind = DP_SA_FENCE } };

	ops[0].id = ops[1].id = c->id;
	ops[0].position = c->base;
	ops[1].position = c->fence;
	if (ha_operate(ha, ha_inbox_token(ha, 0), ops, ARRAY_LEN(ops)) != GW_OK)
		ha_link_break(ha, "out of memory");
}

enum gw_err ha_ceiling_apply(struct ha *ha, uint64_t key, bool deleted, struct bytes state)
{
	struct reader r = rd_of(state);
	struct ha_ceiling *c = ha_ceiling_find(ha, key);
	uint64_t base = rd_u64(&r), block = rd_u64(&r), known = rd_u64(&r);
	uint8_t flags = rd_u8(&r);

	if (deleted) {
		if (c)
			ha_ceiling_drop(ha, c);
		return GW_OK;
	}
	if (r.bad || known > base)
		return GW_EMALFORMED;
	if (!c)
		c = ha_ceiling_get(ha, key);
	if (!c)
		return GW_ENOMEM;
	c->esn = flags & FLAG_ESN;
	c->block = block > ha_block_min(ha) ? block : ha_block_min(ha);
	if (c->block > HA_BLOCK_MAX)
		c->block = HA_BLOCK_MAX;
	c->known = known;
	c->base = base;
	c->shared = c->shared_fence = c->gap = c->lead = c->range = 0;
	c->burnt = c->gone = false;
	/* Of what nobody knows where it stands we may not use a number either. */
	c->blind = (flags & FLAG_BURNT) != 0;
	ha->ceil.any_blind |= c->blind;
	c->fence = c->blind ? base : ha_ceiling_limit(c, base > DP_NO_FENCE - c->block ? base : base + c->block);
	if (c->installed)
		stand_at(ha, c);
	return GW_OK;
}

/* The greatest number that may have been used, per SA: our fence. */
void ha_ceilings_positions(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;
	struct ha_frame_writer f;
	uint8_t *list = malloc(16 * ((size_t)HASH_CNT(by_key, ha->ceil.by_key) + 1));
	size_t n = 0, each = HA_TURN_MAX / 16;

	if (!list) {
		ha_link_break(ha, "out of memory");
		return;
	}
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		put_u64(list + 16 * n, c->key);
		put_u64(list + 16 * n + 8, c->fence);
		n++;
	}
	for (size_t at = 0; at < n; at += each) {
		ha_frame_begin(&f, &ha->tx, HA_POSITIONS);
		ha_field(&f, HA_TAG_NUMBER_LIST, bytes_of(list + 16 * at, 16 * (n - at < each ? n - at : each)));
		if (ha_frame_end(&f) != GW_OK) {
			ha_link_break(ha, "out of memory");
			break;
		}
	}
	free(list);
}

static void heal(struct ha *ha, struct ha_ceiling *c, uint64_t number)
{
	struct dp_op ops[2] = { { .kind = DP_SA_FENCE }, { .kind = DP_SA_POSITION } };
	uint64_t fence = ha_ceiling_limit(c, number + (c->block ? c->block : ha_block_min(ha)));

	c->reported = ha->ceil.any_gone = true;
	if (!c->installed || c->blind) {
		c->fence = number > c->fence ? number : c->fence; /* nothing of it leaves */
		return;
	}
	if (number <= c->base)
		return; /* ours began above all of that */
	ops[0].id = ops[1].id = c->id;
	ops[0].position = fence > c->fence ? fence : c->fence;
	ops[1].position = number;
	c->base = number;
	c->token = HA_TOKEN | HA_TOKEN_OWNER | ++ha->token;
	c->fence = ops[0].position;
	/* Apart: where we are further already, only the second one fails, and may. */
	if (ha_operate(ha, c->token, &ops[0], 1) != GW_OK ||
	    ha_operate(ha, HA_TOKEN | HA_TOKEN_OWNER | ++ha->token, &ops[1], 1) != GW_OK)
		ha_ceiling_tighten(ha, c);
}

/* We do not have it. Should we take it, it goes on above; and is rekeyed, unless ha_ceiling_own() says more. */
static void found(struct ha *ha, uint64_t key, uint64_t number)
{
	struct ha_ceiling *c = ha_ceiling_get(ha, key);

	if (!c)
		return; /* out of memory: it will have no numbers at all */
	if (c->gone && c->fence > number)
		number = c->fence;
	c->found = c->blind = true;
	c->base = c->fence = c->known = number;
	/* What we may have used of it in an earlier life is in another range. */
	c->range = number > 0 ? (number + HA_RANGE - 1) / HA_RANGE * HA_RANGE : HA_RANGE;
}

void ha_ceiling_own(struct ha *ha, uint64_t key)
{
	struct ha_ceiling *c = ha_ceiling_find(ha, key);

	if (c && c->found && !c->gone)
		c->blind = false;
}

void ha_ceilings_unwanted(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (c->found && !c->installed)
			ha_ceiling_drop(ha, c);
}

enum gw_err ha_ceilings_heal(struct ha *ha, struct bytes fields)
{
	struct reader r = rd_of(fields), v;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag != HA_TAG_NUMBER_LIST) {
			TRY(ha_field_unknown(tag));
			continue;
		}
		while (v.left > 0) {
			uint64_t key = rd_u64(&v), number = rd_u64(&v);
			struct ha_ceiling *c = ha_ceiling_mine(ha, ha_ceiling_find(ha, key));

			if (v.bad)
				return GW_EMALFORMED;
			if (c && !c->found && !c->gone)
				heal(ha, c, number);
			else
				found(ha, key, number);
		}
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}
