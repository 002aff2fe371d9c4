/*
 * Inside the kernel plane: one operation of a batch, done and undone. Those of GW_OK are to be undone if the batch
 * fails. An operation that finds that the batch has failed already, because an earlier message was refused, does
 * nothing more and is GW_OK. `why`: static text, when there is more to say than the code does.
 */
#ifndef ESP_XFRM_OPS_H
#define ESP_XFRM_OPS_H

#include "esp/xfrm_state.h"

/* What undoes one operation; after success also what is left to free. */
struct xfrm_undo {
	struct sad_sa *sa;
	bool gone; /* of a move: it could only be removed */
	struct xfrm_pol *pol_out, *pol_in;
	struct endpoint local, remote;
	bool udp_encap, near_told, at_told;
	uint64_t fence, near_at, position;
	uint32_t ahead;
	struct xfrm_numbers *numbers; /* owned: what a state had that was taken out */
};

/* ---- xfrm_ops.c ---- */

MUST_USE enum gw_err xfrm_do_add(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why);
void xfrm_undo_add(struct xfrm_plane *x, struct xfrm_undo *u);
MUST_USE enum gw_err xfrm_do_remove(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);
MUST_USE bool xfrm_undo_remove(struct xfrm_plane *x, struct xfrm_undo *u); /* false: not as it was before */
MUST_USE enum gw_err xfrm_do_move(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);
MUST_USE bool xfrm_undo_move(struct xfrm_plane *x, struct xfrm_undo *u);
MUST_USE enum gw_err xfrm_do_policy(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u,
				    const char **why);
MUST_USE bool xfrm_undo_policy(struct xfrm_plane *x, struct xfrm_undo *u);
/* The SA that the operation has removed, or NULL. */
struct sad_sa *xfrm_removed(const struct dp_op *op, const struct xfrm_undo *u);
/* Nothing in it can fail. */
bool xfrm_only_removes(const struct batch *b);

/* The SA of an operation; what another unfinished flight did to it is settled first. */
struct sad_sa *xfrm_find_sa(struct xfrm_plane *x, const struct dp_sa_id *id);
/* What was appended so far is in the kernel. False: something of the current batch has failed. */
bool xfrm_sent_well(struct xfrm_plane *x);
/* Into u->numbers. False: out of memory. */
MUST_USE bool xfrm_keep_numbers(struct xfrm_undo *u, const struct xfrm_numbers *n);

/* ---- xfrm_ops_numbers.c ---- */

MUST_USE enum gw_err xfrm_do_fence(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);
void xfrm_undo_fence(struct xfrm_plane *x, struct xfrm_undo *u);
MUST_USE enum gw_err xfrm_do_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u,
				      const char **why);
void xfrm_undo_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);
MUST_USE enum gw_err xfrm_do_rewind(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u,
				    const char **why);
void xfrm_undo_rewind(struct xfrm_plane *x, struct xfrm_undo *u);
MUST_USE enum gw_err xfrm_do_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);
void xfrm_undo_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u);

#endif
