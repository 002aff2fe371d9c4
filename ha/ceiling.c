/*
 * Sequence numbers (DESIGN.md §4). The owner uses outbound numbers of an SA up to its fence only, which the data plane
 * enforces by itself. The standby has the SA installed at a position that is nowhere below that fence, with a fence of
 * its own one block further; so whoever takes over goes on above whatever was used, without knowing it.
 *
 * Raising: the new fence is sent as the standby's position; when it is acknowledged, that is installed there, ours is
 * armed. A new SA is installed with its first block as fence before anybody hears of it. What we own and nobody follows
 * is ours alone above our fence, until a follower has been told of it ("shared"): then only it can grant more.
 */
#include <stdlib.h>

#include "ha/inside.h"

#define BLOCK_MIN (UINT64_C(1) << 20)
#define BLOCK_MAX_32 (UINT64_C(1) << 26)
#define REKEY_AT_32 (UINT64_C(1) << 31)
#define REKEY_AT_ESN (UINT64_C(1) << 34)

enum { BLOCK_SECONDS = 60, TIGHT_EACH = 16, TIGHT_MS = 100, PLANE_KEY = sizeof(struct ha_plane_id) };

static void plane_id(struct ha_plane_id *out, const struct dp_sa_id *id)
{
	memset(out, 0, sizeof(*out));
	out->spi = id->spi;
	out->remote.family = id->remote.family;
	memcpy(out->remote.b, id->remote.b, addr_len(&id->remote));
}

struct ha_ceiling *ha_ceiling_find(const struct ha *ha, uint64_t key)
{
	struct ha_ceiling *c;

	HASH_FIND_BYHASHVALUE(by_key, ha->ceil.by_key, &key, sizeof(key),
			      table_hash(&ha->objects.seed, &key, sizeof(key)), c);
	return c;
}

struct ha_ceiling *ha_ceiling_by_plane(const struct ha *ha, const struct dp_sa_id *id)
{
	struct ha_plane_id key;
	struct ha_ceiling *c;

	plane_id(&key, id);
	HASH_FIND_BYHASHVALUE(by_plane, ha->ceil.by_plane, &key, PLANE_KEY,
			      table_hash(&ha->objects.seed, &key, PLANE_KEY), c);
	return c;
}

struct ha_ceiling *ha_ceiling_get(struct ha *ha, uint64_t key)
{
	struct ha_ceiling *c = ha_ceiling_find(ha, key);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = key;
	c->reign = ha->ceil.reign;
	HASH_ADD_KEYPTR_BYHASHVALUE(by_key, ha->ceil.by_key, &c->key, sizeof(c->key),
				    table_hash(&ha->objects.seed, &c->key, sizeof(c->key)), c);
	if (!c->by_key.tbl) {
		free(c);
		return NULL;
	}
	return c;
}

void ha_ceiling_leave(struct ha *ha, struct ha_ceiling *c)
{
	if (c->installed)
		HASH_DELETE(by_plane, ha->ceil.by_plane, c);
	c->installed = false;
}

void ha_ceiling_join(struct ha *ha, struct ha_ceiling *c, const struct dp_sa_id *id)
{
	ha_ceiling_leave(ha, c);
	c->id = *id;
	if (ha_ceiling_by_plane(ha, id))
		return; /* who came first has it, in the data plane as well */
	plane_id(&c->plane, id);
	HASH_ADD_KEYPTR_BYHASHVALUE(by_plane, ha->ceil.by_plane, &c->plane, PLANE_KEY,
				    table_hash(&ha->objects.seed, &c->plane, PLANE_KEY), c);
	c->installed = c->by_plane.tbl != NULL;
}

static void lists_leave(struct ha *ha, struct ha_ceiling *c)
{
	struct ha_ceiling **at;

	for (at = &ha->ceil.asking; c->asking && *at; at = &(*at)->next_asking)
		if (*at == c) {
			*at = c->next_asking;
			break;
		}
	for (at = &ha->ceil.asking; *at; at = &(*at)->next_asking)
		;
	ha->ceil.asking_tail = at;
	for (at = &ha->ceil.fresh; c->fresh && *at; at = &(*at)->next_fresh)
		if (*at == c) {
			*at = c->next_fresh;
			break;
		}
	for (at = &ha->ceil.fresh; *at; at = &(*at)->next_fresh)
		;
	ha->ceil.fresh_tail = at;
	for (at = &ha->ceil.tight; c->tight && *at; at = &(*at)->next_tight)
		if (*at == c) {
			*at = c->next_tight;
			break;
		}
	c->asking = c->tight = c->fresh = false;
}

void ha_ceiling_drop(struct ha *ha, struct ha_ceiling *c)
{
	if (c->asking || c->tight || c->fresh)
		lists_leave(ha, c);
	ha_ceiling_leave(ha, c);
	HASH_DELETE(by_key, ha->ceil.by_key, c);
	free(c);
}

/*
 * Our client has closed it, or rekeyed it, with us. A node from which we were parted may hold it still, and own again
 * without having been told of any numbers above its own: it is to hear of ours (ha_ceilings_positions()). And what it
 * has said of its own is not forgotten while an SA of the same SPI may come from it.
 */
void ha_ceiling_close(struct ha *ha, struct ha_ceiling *c)
{
	ha_ceiling_spend(ha, c);
	if (!c->reported && (c->shared > 0 || c->made.us > ha->ceil.parted.us)) {
		ha_ceiling_drop(ha, c);
		return;
	}
	lists_leave(ha, c);
	ha_ceiling_leave(ha, c);
	c->asked = 0;
	c->wants = c->rekey_asked = false;
	c->gone = ha->ceil.any_gone = true;
}

/* Both nodes hold the same now. */
void ha_ceilings_bury(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	if (!ha->ceil.any_gone)
		return;
	ha->ceil.any_gone = false;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		c->reported = false;
		if (c->gone)
			ha_ceiling_drop(ha, c);
	}
}

void ha_ceilings_clear(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		ha_ceiling_drop(ha, c);
	ha_ranges_end(ha);
	ha_windows_clear(ha);
}

/* What was asked for under another owner is not under us; but what another node was told holds until it is unsaid. */
struct ha_ceiling *ha_ceiling_mine(struct ha *ha, struct ha_ceiling *c)
{
	if (c && c->reign != ha->ceil.reign) {
		c->reign = ha->ceil.reign;
		c->asked = c->lead = c->range = 0;
		c->wants = c->rekey_asked = false;
		c->from = c->base;
		c->since = ha_now(ha);
	}
	return c;
}

uint64_t ha_ceiling_limit(const struct ha_ceiling *c, uint64_t number)
{
	uint64_t most = c->esn ? DP_NO_FENCE - 1 : UINT32_MAX;

	return number < most ? number : most;
}

uint64_t ha_block_min(const struct ha *ha)
{
	return ha->cfg.block_min ? ha->cfg.block_min : BLOCK_MIN;
}

/* ---- what can no longer be granted is rekeyed, a few at a time ---- */

void ha_ceiling_tighten(struct ha *ha, struct ha_ceiling *c)
{
	if (c->tight || c->rekey_asked || !c->installed)
		return;
	c->tight = true;
	c->next_tight = ha->ceil.tight;
	ha->ceil.tight = c;
	if (!c->next_tight && ha->ceil.tight_at.us == MTIME_NEVER.us)
		ha->ceil.tight_at = ha_now(ha);
}

mtime ha_ceilings_due(const struct ha *ha)
{
	mtime due = ha_is_owner(ha) && ha->ceil.tight ? ha->ceil.tight_at : MTIME_NEVER;

	return mtime_min(due, ha_ceilings_held_due(ha));
}

void ha_ceilings_tick(struct ha *ha)
{
	struct ha_ceiling *c;

	if (mtime_reached(ha_ceilings_held_due(ha), ha_now(ha)))
		ha_ceilings_held(ha);
	if (!ha->ceil.tight || !mtime_reached(ha->ceil.tight_at, ha_now(ha)) || !ha_is_owner(ha))
		return;
	for (int i = 0; i < TIGHT_EACH && (c = ha->ceil.tight) != NULL; i++) {
		struct ha_event *ev = ha_report(ha, HA_EV_REKEY, "%s",
						c->blind ? "its numbers are not known" : "its sequence numbers end");

		if (!ev)
			break;
		ev->sa = c->id;
		ha->ceil.tight = c->next_tight;
		c->tight = false;
		c->rekey_asked = true;
	}
	ha->ceil.tight_at = ha->ceil.tight ? mtime_add(ha_now(ha), MILLISECONDS(TIGHT_MS)) : MTIME_NEVER;
}

/* ---- the owner asks for more, or takes it ---- */

static void arm(struct ha *ha, struct ha_ceiling *c, uint64_t fence)
{
	struct dp_op ops[2] = { { .kind = DP_SA_POSITION }, { .kind = DP_SA_FENCE } };
	size_t n = c->gap ? 2 : 1;

	ops[0].id = ops[1].id = c->id;
	ops[0].position = c->gap;
	ops[1].position = fence;
	c->token = HA_TOKEN | HA_TOKEN_OWNER | ++ha->token;
	if (ha_operate(ha, c->token, ops + ARRAY_LEN(ops) - n, n) != GW_OK) {
		c->wants = ha->ceil.any_wants = true;
		return;
	}
	c->fence = fence;
	c->gap = c->lead = 0;
}

static uint64_t next_block(struct ha *ha, struct ha_ceiling *c, uint64_t position)
{
	mtime now = ha_now(ha);
	int64_t us = mtime_since(c->since, now);
	uint64_t used = position > c->from ? position - c->from : 0, block = ha_block_min(ha),
		 most = c->esn ? HA_BLOCK_MAX : BLOCK_MAX_32;

	if (us > 0 && used < UINT64_MAX / SECONDS(BLOCK_SECONDS)) {
		uint64_t rate = used * (uint64_t)SECONDS(BLOCK_SECONDS) / (uint64_t)us;

		block = rate > block ? rate : block;
	}
	c->since = now;
	c->from = position;
	c->block = block < most ? block : most;
	return c->block;
}

void ha_ceiling_more(struct ha *ha, struct ha_ceiling *c, uint64_t position)
{
	uint64_t next;

	if (!c->installed)
		return;
	if (c->blind || c->burnt) {
		ha_ceiling_tighten(ha, c);
		return;
	}
	/* It is about to be another one's; should it not, its fence goes back to where it was, and this comes again. */
	if (c->lead)
		return;
	/* Should we crash now, we could not say that we ever owned: then one block is all that we may have used. Nor does
	 * a fence go up once others are lowered to be handed over. */
	if (!ha->roles.marked || (ha->roles.step == STEP_HANDING && ha->roles.lowered)) {
		c->wants = ha->ceil.any_wants = true;
		return;
	}
	if (c->fence >= (c->esn ? REKEY_AT_ESN : REKEY_AT_32))
		ha_ceiling_tighten(ha, c);
	next = ha_ceiling_limit(c, (c->gap > c->fence ? c->gap : c->fence) + next_block(ha, c, position));
	if (c->range > 0 && next > c->range)
		next = ha_ceiling_in_range(ha, c);
	if (next <= c->fence || next <= c->gap)
		return;
	c->wants = false;
	if (ha_streams(ha)) {
		if (c->asking)
			return;
		c->asked = next;
		c->asking = true;
		ha->ceil.raised++;
		c->next_asking = NULL;
		*ha->ceil.asking_tail = c;
		ha->ceil.asking_tail = &c->next_asking;
		ha_dirty(ha, HA_OBJ_CEILING, c->key, false);
	} else if (c->shared == 0) {
		arm(ha, c, next);
	} else {
		/* DESIGN.md §4, alone: a standby that is only cut off may begin right above our fence. */
		c->wants = ha->ceil.any_wants = true;
		ha_ceiling_tighten(ha, c);
	}
}

void ha_ceilings_acked(struct ha *ha)
{
	struct ha_ceiling *c;

	/* Before the end of a resync older turns than those acknowledged may still be on their way. */
	if (ha->sync.state == HA_SYNC_DONE)
		ha_ceilings_held(ha);
	while (ha->sync.state == HA_SYNC_DONE && (c = ha->ceil.asking) != NULL) {
		const struct ha_entry *e = ha_objects_find(&ha->objects, HA_OBJ_CEILING, c->key);

		if (e && (e->dirty || e->version > ha->out.acked))
			break;
		ha->ceil.asking = c->next_asking;
		if (!ha->ceil.asking)
			ha->ceil.asking_tail = &ha->ceil.asking;
		c->asking = false;
		/* Refused: nobody holds the SA there, but what it says it does not have it may have had. */
		if ((e && e->refused) || c->burnt)
			ha_ceiling_tighten(ha, c);
		else if (c->asked > c->fence && c->shared >= c->asked)
			arm(ha, c, c->asked);
		c->asked = 0;
	}
}

static void forget_lists(struct ha *ha)
{
	while (ha->ceil.tight) {
		ha->ceil.tight->tight = false;
		ha->ceil.tight = ha->ceil.tight->next_tight;
	}
	while (ha->ceil.asking) {
		ha->ceil.asking->asking = false;
		ha->ceil.asking = ha->ceil.asking->next_asking;
	}
	ha->ceil.asking_tail = &ha->ceil.asking;
	ha_ranges_end(ha);
	ha->ceil.tight_at = MTIME_NEVER;
}

void ha_ceilings_reign(struct ha *ha)
{
	forget_lists(ha);
	ha->ceil.reign++;
	ha->ceil.dump_cookie = 0;
	ha_windows_restart(ha);
}

void ha_ceilings_tell(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (!c->found && !c->gone)
			ha_dirty(ha, HA_OBJ_CEILING, c->key, false);
}

void ha_ceilings_followed(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	if (!ha->ceil.any_wants)
		return;
	ha->ceil.any_wants = false;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (ha_ceiling_mine(ha, c)->wants)
			ha_ceiling_more(ha, c, c->fence);
}

bool ha_ceilings_used(const struct ha *ha)
{
	return ha->ceil.by_key != NULL;
}
