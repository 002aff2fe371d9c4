/* Ceilings and our own data plane: what the IKE engine wants of it gets its numbers here, and what it says is heard. */
#include "ha/inside.h"

enum { ALONE_BLOCKS = 4 };

static uint64_t key_of(uint32_t reqid, uint32_t spi)
{
	return (uint64_t)reqid << 32 | spi;
}

static void add_as_owner(struct ha *ha, uint64_t token, struct dp_sa *sa, const struct dp_sa_id *id)
{
	uint64_t key = key_of(sa->reqid, sa->spi), lead = ha_block_min(ha);
	struct ha_ceiling *c = ha_ceiling_find(ha, key);

	if (c) { /* added again: above all that it may have used, once that is granted */
		(void)ha_ceiling_mine(ha, c);
		if (c->found || c->gone) {
			c->found = c->gone = false;
			c->esn = sa->esn;
			ha_dirty(ha, HA_OBJ_CEILING, key, false);
		}
		sa->start = sa->fence = c->base = c->fence;
		c->lead = 0;
		ha_ceiling_join(ha, c, id);
		c->token = token;
		ha_ceiling_more(ha, c, c->fence);
		return;
	}
	c = ha_ceiling_get(ha, key);
	if (!c) {
		sa->fence = sa->start; /* no bound can be kept: no packets */
		return;
	}
	c->esn = sa->esn;
	c->block = lead;
	c->base = c->known = c->from = sa->start;
	c->since = c->made = ha_now(ha);
	c->token = token;
	c->id = *id;
	ha_ceiling_range(ha, c, sa->inherited, sa->begun);
	sa->start = c->base;
	/* Nobody is there to be asked: a longer way, so that a hanging daemon does not end the SA. */
	c->fence = ha_ceiling_limit(c, sa->start + lead * (ha_streams(ha) ? 1 : ALONE_BLOCKS));
	if (c->range > 0 && c->fence > c->range)
		c->fence = c->range;
	if (c->burnt)
		c->fence = c->base;
	sa->fence = c->fence;
	ha_ceiling_join(ha, c, id);
	ha_dirty(ha, HA_OBJ_CEILING, key, false);
}

static void add_as_standby(struct ha *ha, struct dp_sa *sa, const struct dp_sa_id *id)
{
	struct ha_ceiling *c = ha_ceiling_get(ha, key_of(sa->reqid, sa->spi));

	if (c && c->fence > 0 && !c->gone) {
		sa->start = c->base;
		sa->fence = c->fence;
	} else {
		sa->fence = sa->start;
		if (c) {
			c->blind = ha->ceil.any_blind = true;
			c->esn = sa->esn;
		}
	}
	if (c)
		ha_ceiling_join(ha, c, id);
}

/* Of the SA that an operation means: peers choose SPIs, and may choose that of another at its address. */
static struct ha_ceiling *meant(struct ha *ha, const struct dp_op *op)
{
	return op->owner ? ha_ceiling_find(ha, key_of(op->owner, op->id.spi)) : ha_ceiling_by_plane(ha, &op->id);
}

static void prepare_out(struct ha *ha, uint64_t token, struct dp_op *op)
{
	struct ha_ceiling *c;

	switch (op->kind) {
	case DP_SA_ADD: {
		struct dp_sa_id id = { DP_OUT, op->sa.spi, op->sa.remote.addr };

		if (ha_is_owner(ha))
			add_as_owner(ha, token, &op->sa, &id);
		else
			add_as_standby(ha, &op->sa, &id);
		break;
	}
	case DP_SA_REMOVE:
		c = meant(ha, op);
		if (c && ha_is_owner(ha)) {
			ha_dirty(ha, HA_OBJ_CEILING, c->key, true);
			ha_ceiling_close(ha, c);
		} else if (c) {
			ha_ceiling_leave(ha, c);
		}
		break;
	case DP_SA_MOVE:
		c = meant(ha, op);
		if (c) {
			struct dp_sa_id id = { DP_OUT, op->id.spi, op->new_remote.addr };

			ha_ceiling_join(ha, c, &id);
		}
		break;
	default:
		break;
	}
}

void ha_ceilings_prepare(struct ha *ha, uint64_t token, struct dp_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct dp_op *op = &ops[i];
		bool add = op->kind == DP_SA_ADD;

		if (op->kind == DP_POLICY_SET || op->kind == DP_POLICY_REMOVE)
			continue;
		if ((add ? op->sa.dir : op->id.dir) == DP_OUT)
			prepare_out(ha, token, op);
		else if (add || op->kind == DP_SA_REMOVE)
			ha_windows_note(ha, add ? op->sa.spi : op->id.spi, add);
	}
}

/* A batch of ours failed: seldom, so the search may be long. */
static void failed(struct ha *ha, uint64_t token)
{
	struct ha_ceiling *c, *tmp;

	if (!token)
		return;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		if (c->token != token)
			continue;
		c->token = 0;
		if (token & HA_TOKEN) { /* its fence stands where it stood */
			ha_ceiling_tighten(ha, c);
		} else { /* it was never added */
			ha_dirty(ha, HA_OBJ_CEILING, c->key, true);
			ha_ceiling_drop(ha, c);
		}
	}
}

void ha_ceilings_event(struct ha *ha, const struct dp_event *ev)
{
	struct ha_ceiling *c;

	if (!ha_is_owner(ha))
		return;
	if (ev->kind == DP_DONE) {
		if (ev->result != GW_OK)
			failed(ha, ev->token);
		return;
	}
	c = ha_ceiling_mine(ha, ha_ceiling_by_plane(ha, &ev->id));
	if (!c)
		return;
	if (ev->position > c->known)
		c->known = ev->position;
	ha_ceiling_more(ha, c, ev->position);
}
