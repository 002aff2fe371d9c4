#include <stdio.h>
#include <stdlib.h>

#include "esp/xfrm_ops.h"

/* The batch is well: what it removed goes. */
static void delete_removed(struct xfrm_plane *x, struct xfrm_flight *f)
{
	if (xfrm_only_removes(f->b))
		return;
	for (size_t i = 0; i < f->done; i++) {
		struct sad_sa *gone = xfrm_removed(&f->b->ops[i], &f->undo[i]);

		if (!gone)
			continue;
		if (!xfrm_sent_well(x))
			return;
		if (gone->kernel.life == SAD_LIVE)
			xfrm_sa_delete(x, gone);
	}
}

static enum gw_err do_op(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	switch (op->kind) {
	case DP_SA_ADD:
		return xfrm_do_add(x, op, u, why);
	case DP_SA_REMOVE:
		return xfrm_do_remove(x, op, u);
	case DP_SA_MOVE:
		return xfrm_do_move(x, op, u);
	case DP_SA_FENCE:
		return xfrm_do_fence(x, op, u);
	case DP_SA_POSITION:
		return xfrm_do_position(x, op, u, why);
	case DP_SA_REWIND:
		return xfrm_do_rewind(x, op, u, why);
	case DP_SA_WINDOW:
		return xfrm_do_window(x, op, u);
	case DP_POLICY_SET:
	case DP_POLICY_REMOVE:
		return xfrm_do_policy(x, op, u, why);
	}
	return GW_EINVAL;
}

static bool undo_op(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	switch (op->kind) {
	case DP_SA_ADD:
		xfrm_undo_add(x, u);
		return true;
	case DP_SA_REMOVE:
		return xfrm_undo_remove(x, u);
	case DP_SA_MOVE:
		return xfrm_undo_move(x, u);
	case DP_SA_FENCE:
		xfrm_undo_fence(x, u);
		return true;
	case DP_SA_POSITION:
		xfrm_undo_position(x, op, u);
		return true;
	case DP_SA_REWIND:
		xfrm_undo_rewind(x, u);
		return true;
	case DP_SA_WINDOW:
		xfrm_undo_window(x, op, u);
		return true;
	case DP_POLICY_SET:
	case DP_POLICY_REMOVE:
		return xfrm_undo_policy(x, u);
	}
	return true;
}

static void commit_op(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	sad_sa_destroy(x->sad, xfrm_removed(op, u));
	xfrm_pol_destroy(x, u->pol_out);
}

static void undo_flight(struct xfrm_plane *x, struct xfrm_flight *f)
{
	uint64_t errors = x->stats[XS_ERRORS];
	bool whole = true;

	for (size_t i = f->done; i-- > 0;) {
		whole = undo_op(x, &f->b->ops[i], &f->undo[i]) && whole;
		xfrm_send(x);
	}
	x->stats[XS_UNDONE]++;
	if (whole && x->stats[XS_ERRORS] == errors)
		return;
	log_error(x->env->log, "kernel data plane: a batch that failed (%s) could not be undone as a whole",
		  f->b->text);
	f->b->result = GW_EINTERNAL;
}

static size_t flight_size(const struct batch *b)
{
	return sizeof(struct xfrm_flight) + b->n * sizeof(struct xfrm_undo);
}

static void run(struct xfrm_plane *x, struct batch *b, uint64_t number, bool again);

void xfrm_finish(struct xfrm_plane *x, struct xfrm_flight *f)
{
	struct xfrm_flight *building = x->current;
	size_t building_op = x->current_op;
	uint64_t number;
	struct batch *b;
	bool again;

	x->current = NULL;
	x->finished = f->number;
	if (f->b->result == GW_OK)
		for (size_t i = 0; i < f->done; i++)
			commit_op(x, &f->b->ops[i], &f->undo[i]);
	else
		undo_flight(x, f);
	for (size_t i = 0; i < f->b->n; i++)
		free(f->undo[i].numbers);
	/* Now, so that batches stay in order; by itself, so that its answers have room. */
	b = f->b;
	again = f->lost && !f->again && (b->result == GW_EBUSY || b->result == GW_ENOMEM);
	number = f->number;
	slab_put(&x->slab, f, flight_size(b));
	if (again) {
		x->stats[XS_AGAIN]++;
		run(x, b, number, true);
		xfrm_flush(x);
	} else {
		outbox_adopt_done(&x->outbox, b);
	}
	x->current = building;
	x->current_op = building_op;
}

static struct xfrm_flight *flight_create(struct xfrm_plane *x, struct batch *b, uint64_t number, bool again)
{
	struct xfrm_flight *f = slab_get(&x->slab, flight_size(b));

	if (!f)
		return NULL;
	f->b = b;
	f->undo = (struct xfrm_undo *)(void *)(f + 1);
	f->number = number;
	f->again = again;
	return f;
}

static void fail(struct batch *b, size_t op, enum gw_err code, const char *why)
{
	if (b->result != GW_OK)
		return;
	b->result = code;
	(void)snprintf(b->text, sizeof(b->text), "operation %zu of %zu, %s: %s", op + 1, b->n,
		       batch_op_name(b->ops[op].kind), why ? why : gw_err_text(code));
}

static void run(struct xfrm_plane *x, struct batch *b, uint64_t number, bool again)
{
	struct xfrm_flight *f = flight_create(x, b, number, again);

	b->result = GW_OK;
	b->text[0] = 0;
	if (!f) {
		xfrm_flush(x); /* completions keep their order */
		b->result = GW_ENOMEM;
		(void)snprintf(b->text, sizeof(b->text), "out of memory");
		outbox_adopt_done(&x->outbox, b);
		return;
	}
	x->stats[XS_BATCHES]++;
	x->stats[XS_OPS] += b->n;
	x->current = f;
	while (f->done < b->n && b->result == GW_OK) {
		const char *why = NULL;
		enum gw_err r;

		x->current_op = f->done;
		r = do_op(x, &b->ops[f->done], &f->undo[f->done], &why);
		if (r == GW_OK)
			f->done++;
		else
			fail(b, f->done, r, why);
	}
	if (b->result == GW_OK)
		delete_removed(x, f);
	x->current = NULL;
	*(x->last_flight ? &x->last_flight->next : &x->flights) = f;
	x->last_flight = f;
	if (b->result != GW_OK)
		xfrm_flush(x);
}

void xfrm_run(struct xfrm_plane *x, struct batch *b)
{
	run(x, b, ++x->numbered, false);
}
