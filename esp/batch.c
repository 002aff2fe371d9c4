#include "esp/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/secret.h"

/* ---- copy ---- */

static size_t payload_size(const struct dp_op *op)
{
	switch (op->kind) {
	case DP_SA_ADD:
		return op->sa.encr_key.n + op->sa.integ_key.n;
	case DP_POLICY_SET:
		return (op->policy.ours_count + op->policy.theirs_count) * sizeof(struct selector);
	default:
		return 0;
	}
}

static const void *keep(uint8_t **at, const void *from, size_t n)
{
	uint8_t *to = *at;

	if (n > 0)
		memcpy(to, from, n);
	*at += n;
	return to;
}

static void keep_payload(struct dp_op *op, uint8_t **at)
{
	switch (op->kind) {
	case DP_SA_ADD:
		op->sa.encr_key.p = keep(at, op->sa.encr_key.p, op->sa.encr_key.n);
		op->sa.integ_key.p = keep(at, op->sa.integ_key.p, op->sa.integ_key.n);
		break;
	case DP_POLICY_SET:
		op->policy.ours = keep(at, op->policy.ours, op->policy.ours_count * sizeof(struct selector));
		op->policy.theirs = keep(at, op->policy.theirs, op->policy.theirs_count * sizeof(struct selector));
		break;
	default:
		break;
	}
}

struct batch *batch_copy(uint64_t token, const struct dp_op *ops, size_t n)
{
	size_t selectors = 0, keys = 0, size;
	uint8_t *selector_at, *key_at;
	struct batch *b;

	for (size_t i = 0; i < n; i++)
		*(ops[i].kind == DP_POLICY_SET ? &selectors : &keys) += payload_size(&ops[i]);
	size = sizeof(*b) + n * sizeof(*ops) + selectors + keys;
	b = calloc(1, size);
	if (!b)
		return NULL;
	b->token = token;
	b->size = size;
	b->keys = keys;
	b->n = n;
	if (n > 0)
		memcpy(b->ops, ops, n * sizeof(*ops));
	/* Selectors first: they are aligned, keys need not be. */
	selector_at = (uint8_t *)(b->ops + n);
	key_at = selector_at + selectors;
	for (size_t i = 0; i < n; i++)
		keep_payload(&b->ops[i], b->ops[i].kind == DP_POLICY_SET ? &selector_at : &key_at);
	return b;
}

void batch_destroy(struct batch *b)
{
	if (!b)
		return;
	if (b->keys > 0)
		secret_wipe((uint8_t *)b + b->size - b->keys, b->keys);
	free(b);
}

const char *batch_op_name(enum dp_op_kind kind)
{
	static const char *const names[] = {
		[DP_SA_ADD] = "add SA",	       [DP_SA_REMOVE] = "remove SA",   [DP_SA_MOVE] = "move SA",
		[DP_SA_REWIND] = "rewind",     [DP_SA_FENCE] = "set fence",    [DP_SA_POSITION] = "set position",
		[DP_SA_WINDOW] = "set window", [DP_POLICY_SET] = "set policy", [DP_POLICY_REMOVE] = "remove policy",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown operation";
}

/* ---- apply ---- */

/* What undoes one op; after success also what is left to free. */
struct undo {
	struct sad_sa *sa;
	bool gone;		   /* of a move: it could only be removed */
	struct spd_policy *policy; /* replaced or removed */
	struct endpoint local, remote;
	bool udp_encap;
	bool near_told, at_told;
	uint32_t ahead;
	uint64_t a, b;
	struct replay replay;
	uint64_t *bits; /* owned: the bitmap before */
};

static enum gw_err do_add(const struct batch_tables *t, const struct dp_op *op, struct undo *u, const char **why)
{
	const struct dp_sa *sa = &op->sa;
	enum gw_err code;

	if (sa->mode == DP_TRANSPORT && !t->caps->transport)
		*why = "no transport mode";
	else if (sa->esn && !t->caps->esn)
		*why = "no ESN";
	else if (!sa->udp_encap && !t->caps->raw_esp)
		*why = "no ESP without UDP encapsulation";
	if (*why)
		return GW_EUNSUPPORTED;
	TRY(sad_sa_create_bare(t->sad, sa, &u->sa, why));
	code = sad_link(t->sad, u->sa);
	if (code != GW_OK) {
		sad_sa_destroy(t->sad, u->sa);
		u->sa = NULL;
	}
	return code;
}

static enum gw_err do_move(const struct batch_tables *t, const struct dp_op *op, struct undo *u, const char **why)
{
	enum gw_err code;

	if (op->owner != 0 && u->sa->reqid != op->owner) {
		u->sa = NULL; /* somebody else's, who came first: ours is not there */
		return GW_OK;
	}
	if (!op->new_udp_encap && !t->caps->raw_esp) {
		*why = "no ESP without UDP encapsulation";
		return GW_EUNSUPPORTED;
	}
	u->local = u->sa->local;
	u->remote = u->sa->remote;
	u->udp_encap = u->sa->udp_encap;
	code = sad_move(t->sad, u->sa, &op->new_local, &op->new_remote, op->new_udp_encap);
	if (code != GW_EEXIST)
		return code;
	sad_unlink(t->sad, u->sa);
	u->gone = true;
	return GW_OK;
}

static enum gw_err do_fence(const struct dp_op *op, struct undo *u)
{
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	u->a = u->sa->fence;
	u->b = u->sa->near_at;
	u->near_told = u->sa->near_told;
	u->at_told = u->sa->at_told;
	sad_set_fence(u->sa, op->position);
	return GW_OK;
}

static enum gw_err do_position(const struct dp_op *op, struct undo *u, const char **why)
{
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	if (op->position < u->sa->position) {
		*why = "backwards";
		return GW_EINVAL;
	}
	u->a = u->sa->position;
	u->ahead = u->sa->ahead;
	sad_set_position(u->sa, op->position);
	return GW_OK;
}

static enum gw_err do_rewind(enum dp_gate gate, const struct dp_op *op, struct undo *u, const char **why)
{
	TRY(sad_rewind_check(u->sa, gate, op->position, why));
	u->a = u->sa->position;
	u->ahead = u->sa->ahead;
	u->sa->ahead -= (uint32_t)(u->a - op->position);
	u->sa->position = op->position;
	return GW_OK;
}

static enum gw_err do_window(const struct dp_op *op, struct undo *u)
{
	struct replay *r;

	if (op->id.dir != DP_IN)
		return GW_EINVAL;
	r = &u->sa->replay;
	if (r->words > 0) {
		u->bits = malloc(r->words * sizeof(*u->bits));
		if (!u->bits)
			return GW_ENOMEM;
		memcpy(u->bits, r->bits, r->words * sizeof(*u->bits));
	}
	u->replay = *r;
	replay_advance(r, op->position);
	return GW_OK;
}

static enum gw_err do_policy_set(const struct batch_tables *t, const struct dp_op *op, struct undo *u)
{
	struct spd_policy *fresh;
	enum gw_err code;

	TRY(spd_policy_create(&op->policy, &fresh));
	u->policy = spd_find(t->spd, op->policy.reqid);
	if (u->policy)
		spd_unlink(t->spd, u->policy);
	code = spd_link(t->spd, fresh);
	if (code == GW_OK)
		return code;
	spd_policy_destroy(fresh);
	if (u->policy && spd_link(t->spd, u->policy) != GW_OK)
		spd_policy_destroy(u->policy); /* out of memory twice over: fail closed, without the policy */
	u->policy = NULL;
	return code;
}

static enum gw_err do_op(const struct batch_tables *t, const struct dp_op *op, struct undo *u, const char **why)
{
	switch (op->kind) {
	case DP_SA_ADD:
		return do_add(t, op, u, why);
	case DP_POLICY_SET:
		return do_policy_set(t, op, u);
	case DP_POLICY_REMOVE:
		u->policy = spd_find(t->spd, op->reqid);
		if (u->policy)
			spd_unlink(t->spd, u->policy);
		return GW_OK;
	case DP_SA_REMOVE:
		u->sa = sad_find(t->sad, &op->id);
		if (u->sa && op->owner != 0 && u->sa->reqid != op->owner)
			u->sa = NULL; /* somebody else's, who came first */
		if (u->sa)
			sad_unlink(t->sad, u->sa);
		return GW_OK; /* not there: nothing to do, and no reason to fail */
	default:
		break;
	}
	u->sa = sad_find(t->sad, &op->id);
	if (!u->sa)
		return GW_ENOTFOUND;
	switch (op->kind) {
	case DP_SA_MOVE:
		return do_move(t, op, u, why);
	case DP_SA_FENCE:
		return do_fence(op, u);
	case DP_SA_POSITION:
		return do_position(op, u, why);
	case DP_SA_REWIND:
		return do_rewind(t->gate, op, u, why);
	case DP_SA_WINDOW:
		return do_window(op, u);
	default:
		return GW_EINVAL;
	}
}

static bool undo_remove(const struct batch_tables *t, struct undo *u)
{
	if (!u->sa || sad_link(t->sad, u->sa) == GW_OK)
		return true;
	sad_sa_destroy(t->sad, u->sa);
	return false;
}

/* Re-adding what was there a moment ago fails only when memory has run out since; then the entry is gone for good. */
static bool undo_op(const struct batch_tables *t, const struct dp_op *op, struct undo *u)
{
	struct spd_policy *fresh;

	switch (op->kind) {
	case DP_SA_ADD:
		sad_unlink(t->sad, u->sa);
		sad_sa_destroy(t->sad, u->sa);
		return true;
	case DP_SA_REMOVE:
		return undo_remove(t, u);
	case DP_SA_MOVE:
		if (!u->sa || u->gone)
			return undo_remove(t, u);
		return sad_move(t->sad, u->sa, &u->local, &u->remote, u->udp_encap) == GW_OK;
	case DP_SA_FENCE:
		u->sa->fence = u->a;
		u->sa->near_at = u->b;
		u->sa->near_told = u->near_told;
		u->sa->at_told = u->at_told;
		return true;
	case DP_SA_POSITION:
	case DP_SA_REWIND:
		u->sa->position = u->a;
		u->sa->ahead = u->ahead;
		return true;
	case DP_SA_WINDOW:
		u->sa->replay = u->replay;
		if (u->bits)
			memcpy(u->sa->replay.bits, u->bits, u->replay.words * sizeof(*u->bits));
		return true;
	case DP_POLICY_SET:
		fresh = spd_find(t->spd, op->policy.reqid);
		spd_unlink(t->spd, fresh);
		spd_policy_destroy(fresh);
		break;
	case DP_POLICY_REMOVE:
		break;
	}
	if (!u->policy || spd_link(t->spd, u->policy) == GW_OK)
		return true;
	spd_policy_destroy(u->policy);
	return false;
}

static void commit_op(const struct batch_tables *t, const struct dp_op *op, struct undo *u)
{
	if (op->kind == DP_SA_REMOVE || u->gone)
		sad_sa_destroy(t->sad, u->sa);
	spd_policy_destroy(u->policy);
}

void batch_apply(struct batch *b, const struct batch_tables *t)
{
	struct undo *undo = calloc(b->n > 0 ? b->n : 1, sizeof(*undo));
	bool whole = true;
	size_t done;

	b->result = undo ? GW_OK : GW_ENOMEM;
	b->text[0] = 0;
	for (done = 0; undo && done < b->n; done++) {
		const struct dp_op *op = &b->ops[done];
		const char *why = NULL;

		b->result = do_op(t, op, &undo[done], &why);
		if (b->result == GW_OK)
			continue;
		(void)snprintf(b->text, sizeof(b->text), "operation %zu of %zu, %s: %s", done + 1, b->n,
			       batch_op_name(op->kind), why ? why : gw_err_text(b->result));
		break;
	}
	if (b->result == GW_OK) {
		for (size_t i = 0; i < b->n; i++)
			commit_op(t, &b->ops[i], &undo[i]);
	} else {
		for (size_t i = done; i-- > 0;)
			whole = undo_op(t, &b->ops[i], &undo[i]) && whole;
		if (!whole)
			b->result = GW_EINTERNAL;
	}
	for (size_t i = 0; undo && i < b->n; i++)
		free(undo[i].bits);
	free(undo);
}
