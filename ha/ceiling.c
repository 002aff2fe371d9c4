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
#define BLOCK_MAX_ESN (UINT64_C(1) << 28)
#define BLOCK_MAX_32 (UINT64_C(1) << 26)
#define REKEY_AT_32 (UINT64_C(1) << 31)
#define REKEY_AT_ESN (UINT64_C(1) << 34)
#define JUMP_MAX (UINT64_C(1) << 30)

enum { FLAG_ESN = 1, FLAG_BURNT = 2 };
enum { BLOCK_SECONDS = 60, ALONE_BLOCKS = 4, TIGHT_EACH = 16, TIGHT_MS = 100, PLANE_KEY = sizeof(struct ha_plane_id) };

static uint64_t key_of(uint32_t reqid, uint32_t spi)
{
	return (uint64_t)reqid << 32 | spi;
}

static void plane_id(struct ha_plane_id *out, const struct dp_sa_id *id)
{
	memset(out, 0, sizeof(*out));
	out->spi = id->spi;
	out->remote.family = id->remote.family;
	memcpy(out->remote.b, id->remote.b, addr_len(&id->remote));
}

static struct ha_ceiling *find(const struct ha *ha, uint64_t key)
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

static struct ha_ceiling *get(struct ha *ha, uint64_t key)
{
	struct ha_ceiling *c = find(ha, key);

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

static void plane_leave(struct ha *ha, struct ha_ceiling *c)
{
	if (c->installed)
		HASH_DELETE(by_plane, ha->ceil.by_plane, c);
	c->installed = false;
}

static void plane_join(struct ha *ha, struct ha_ceiling *c, const struct dp_sa_id *id)
{
	plane_leave(ha, c);
	c->id = *id;
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
	for (at = &ha->ceil.tight; c->tight && *at; at = &(*at)->next_tight)
		if (*at == c) {
			*at = c->next_tight;
			break;
		}
	c->asking = c->tight = false;
}

static void drop(struct ha *ha, struct ha_ceiling *c)
{
	if (c->asking || c->tight)
		lists_leave(ha, c);
	plane_leave(ha, c);
	HASH_DELETE(by_key, ha->ceil.by_key, c);
	free(c);
}

void ha_ceilings_clear(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		drop(ha, c);
	ha_windows_clear(ha);
}

/* What was asked for under another owner is not under us; but what another node was told holds until it is unsaid. */
static struct ha_ceiling *mine(struct ha *ha, struct ha_ceiling *c)
{
	if (c && c->reign != ha->ceil.reign) {
		c->reign = ha->ceil.reign;
		c->asked = 0;
		c->wants = c->rekey_asked = false;
		c->from = c->base;
		c->since = ha_now(ha);
	}
	return c;
}

static uint64_t limit(const struct ha_ceiling *c, uint64_t number)
{
	uint64_t most = c->esn ? DP_NO_FENCE - 1 : UINT32_MAX;

	return number < most ? number : most;
}

static uint64_t block_min(const struct ha *ha)
{
	return ha->cfg.block_min ? ha->cfg.block_min : BLOCK_MIN;
}

/* ---- what can no longer be granted is rekeyed, a few at a time ---- */

static void tighten(struct ha *ha, struct ha_ceiling *c)
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
	return ha_is_owner(ha) && ha->ceil.tight ? ha->ceil.tight_at : MTIME_NEVER;
}

void ha_ceilings_tick(struct ha *ha)
{
	struct ha_ceiling *c;

	if (!mtime_reached(ha_ceilings_due(ha), ha_now(ha)))
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
	c->gap = 0;
}

static uint64_t next_block(struct ha *ha, struct ha_ceiling *c, uint64_t position)
{
	mtime now = ha_now(ha);
	int64_t us = mtime_since(c->since, now);
	uint64_t used = position > c->from ? position - c->from : 0, block = block_min(ha),
		 most = c->esn ? BLOCK_MAX_ESN : BLOCK_MAX_32;

	if (us > 0 && used < UINT64_MAX / SECONDS(BLOCK_SECONDS)) {
		uint64_t rate = used * (uint64_t)SECONDS(BLOCK_SECONDS) / (uint64_t)us;

		block = rate > block ? rate : block;
	}
	c->since = now;
	c->from = position;
	c->block = block < most ? block : most;
	return c->block;
}

static void want_more(struct ha *ha, struct ha_ceiling *c, uint64_t position)
{
	uint64_t next;

	if (!c->installed)
		return;
	if (c->blind || c->burnt) {
		tighten(ha, c);
		return;
	}
	/* Should we crash now, we could not say that we ever owned: then one block is all that we may have used. */
	if (!ha->roles.marked) {
		c->wants = ha->ceil.any_wants = true;
		return;
	}
	if (c->fence >= (c->esn ? REKEY_AT_ESN : REKEY_AT_32))
		tighten(ha, c);
	next = limit(c, (c->gap > c->fence ? c->gap : c->fence) + next_block(ha, c, position));
	if (next <= c->fence || next <= c->gap)
		return;
	c->wants = false;
	if (ha_streams(ha)) {
		if (c->asking)
			return;
		c->asked = next;
		c->asking = true;
		c->next_asking = NULL;
		*ha->ceil.asking_tail = c;
		ha->ceil.asking_tail = &c->next_asking;
		ha_dirty(ha, HA_OBJ_CEILING, c->key, false);
	} else if (c->shared == 0) {
		arm(ha, c, next);
	} else {
		/* DESIGN.md §4, alone: a standby that is only cut off may begin right above our fence. */
		c->wants = ha->ceil.any_wants = true;
		tighten(ha, c);
	}
}

void ha_ceilings_acked(struct ha *ha)
{
	struct ha_ceiling *c;

	/* Before the end of a resync older turns than those acknowledged may still be on their way. */
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
			tighten(ha, c);
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
		ha_dirty(ha, HA_OBJ_CEILING, c->key, false);
}

void ha_ceilings_followed(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	if (!ha->ceil.any_wants)
		return;
	ha->ceil.any_wants = false;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (mine(ha, c)->wants)
			want_more(ha, c, c->fence);
}

bool ha_ceilings_used(const struct ha *ha)
{
	return ha->ceil.by_key != NULL;
}

void ha_ceilings_blind(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	if (!ha->ceil.any_blind)
		return;
	ha->ceil.any_blind = false;
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (mine(ha, c)->blind)
			tighten(ha, c);
}

void ha_ceilings_stale(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	/* Another owner goes on above what we report; our own range is over. The plane is shut: this is behind the cut.
	 */
	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		struct dp_op op = { .kind = DP_SA_FENCE };

		c->blind = ha->ceil.any_blind = true;
		if (!c->installed)
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
		if (mine(ha, c)->shared == 0)
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
		(void)mine(ha, c);
		c->shared = c->shared_fence = 0;
		if (c->wants)
			want_more(ha, c, c->fence);
	}
}

void ha_ceilings_doubt(struct ha *ha)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp)
		if (mine(ha, c)->shared > 0) {
			c->burnt = true;
			tighten(ha, c);
		}
}

/* ---- to and from the other node ---- */

enum gw_err ha_ceiling_encode(struct ha *ha, uint64_t key, struct writer *w)
{
	struct ha_ceiling *c = mine(ha, find(ha, key));
	uint64_t ceiling;

	if (!c)
		return GW_ENOTFOUND;
	ceiling = c->asked > c->fence ? c->asked : c->fence;
	ceiling = c->gap > ceiling ? c->gap : ceiling;
	if (ceiling > c->shared)
		c->shared = ceiling;
	if (limit(c, ceiling + c->block) > c->shared_fence)
		c->shared_fence = limit(c, ceiling + c->block);
	/* A receiver with ESN loses the count beyond 2^32: what never sends must not jump for ever. */
	if (ceiling - c->known >= JUMP_MAX)
		tighten(ha, c);
	wr_u64(w, ceiling);
	wr_u64(w, c->block);
	wr_u64(w, c->known);
	wr_u8(w, (uint8_t)((c->esn ? FLAG_ESN : 0) | (c->burnt || c->blind ? FLAG_BURNT : 0)));
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
	struct ha_ceiling *c = find(ha, key);
	uint64_t base = rd_u64(&r), block = rd_u64(&r), known = rd_u64(&r);
	uint8_t flags = rd_u8(&r);

	if (deleted) {
		if (c)
			drop(ha, c);
		return GW_OK;
	}
	if (r.bad || known > base)
		return GW_EMALFORMED;
	if (!c)
		c = get(ha, key);
	if (!c)
		return GW_ENOMEM;
	c->esn = flags & FLAG_ESN;
	c->block = block > block_min(ha) ? block : block_min(ha);
	if (c->block > BLOCK_MAX_ESN)
		c->block = BLOCK_MAX_ESN;
	c->known = known;
	c->base = base;
	c->shared = c->shared_fence = c->gap = 0;
	c->burnt = false;
	/* Of what nobody knows where it stands we may not use a number either. */
	c->blind = (flags & FLAG_BURNT) != 0;
	ha->ceil.any_blind |= c->blind;
	c->fence = c->blind ? base : limit(c, base > DP_NO_FENCE - c->block ? base : base + c->block);
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
	uint64_t fence = limit(c, number + (c->block ? c->block : block_min(ha)));

	if (number <= c->base || !c->installed || c->blind)
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
		tighten(ha, c);
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
			struct ha_ceiling *c = mine(ha, find(ha, key));

			if (v.bad)
				return GW_EMALFORMED;
			if (c)
				heal(ha, c, number);
		}
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

/* ---- the data plane ---- */

static void add_as_owner(struct ha *ha, uint64_t token, struct dp_sa *sa, const struct dp_sa_id *id)
{
	uint64_t key = key_of(sa->reqid, sa->spi), lead = block_min(ha);
	struct ha_ceiling *c = find(ha, key);

	if (c) { /* added again: above all that it may have used, once that is granted */
		(void)mine(ha, c);
		sa->start = sa->fence = c->base = c->fence;
		plane_join(ha, c, id);
		c->token = token;
		want_more(ha, c, c->fence);
		return;
	}
	c = get(ha, key);
	if (!c) {
		sa->fence = sa->start; /* no bound can be kept: no packets */
		return;
	}
	c->esn = sa->esn;
	c->block = lead;
	c->base = c->known = c->from = sa->start;
	c->since = ha_now(ha);
	c->token = token;
	/* Nobody is there to be asked: a longer way, so that a hanging daemon does not end the SA. */
	c->fence = limit(c, sa->start + lead * (ha_streams(ha) ? 1 : ALONE_BLOCKS));
	sa->fence = c->fence;
	plane_join(ha, c, id);
	ha_dirty(ha, HA_OBJ_CEILING, key, false);
}

static void add_as_standby(struct ha *ha, struct dp_sa *sa, const struct dp_sa_id *id)
{
	struct ha_ceiling *c = get(ha, key_of(sa->reqid, sa->spi));

	if (c && c->fence > 0) {
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
		plane_join(ha, c, id);
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
		c = ha_ceiling_by_plane(ha, &op->id);
		if (c && ha_is_owner(ha)) {
			ha_dirty(ha, HA_OBJ_CEILING, c->key, true);
			drop(ha, c);
		} else if (c) {
			plane_leave(ha, c);
		}
		break;
	case DP_SA_MOVE:
		c = ha_ceiling_by_plane(ha, &op->id);
		if (c) {
			struct dp_sa_id id = { DP_OUT, op->id.spi, op->new_remote.addr };

			plane_join(ha, c, &id);
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
			tighten(ha, c);
		} else { /* it was never added */
			ha_dirty(ha, HA_OBJ_CEILING, c->key, true);
			drop(ha, c);
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
	c = mine(ha, ha_ceiling_by_plane(ha, &ev->id));
	if (!c)
		return;
	if (ev->position > c->known)
		c->known = ev->position;
	want_more(ha, c, ev->position);
}
