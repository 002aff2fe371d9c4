#include <stdlib.h>

#include "esp/xfrm_ops.h"

/* ---- who touched what ---- */

/* By a flight that is not finished yet, other than ours. */
static bool contested(const struct xfrm_plane *x, uint64_t flight)
{
	return flight > x->finished && (!x->current || flight != x->current->number);
}

struct sad_sa *xfrm_find_sa(struct xfrm_plane *x, const struct dp_sa_id *id)
{
	struct sad_sa *sa = sad_find(x->sad, id);

	if (sa && contested(x, sa->kernel.flight)) {
		xfrm_flush(x);
		sa = sad_find(x->sad, id);
	}
	if (sa)
		sa->kernel.flight = x->current->number;
	return sa;
}

/* The policy of a reqid is nobody else's for now. NULL: there is none. */
static struct xfrm_pol *find_pol(struct xfrm_plane *x, uint32_t reqid)
{
	struct xfrm_pol *p = xfrm_pol_find(x, reqid);

	if (p && contested(x, xfrm_pol_flight(p))) {
		xfrm_flush(x);
		p = xfrm_pol_find(x, reqid);
	}
	return p;
}

/* Nor is the SA that a policy is going to lead to. */
static void settle_newest(struct xfrm_plane *x, uint32_t reqid)
{
	const struct sad_sa *out = sad_newest_out(x->sad, reqid);

	if (out && contested(x, out->kernel.flight))
		xfrm_flush(x);
}

/* What was appended so far is in the kernel. False: something of the current batch has failed. */
bool xfrm_sent_well(struct xfrm_plane *x)
{
	xfrm_send(x);
	return !x->current || x->current->b->result == GW_OK;
}

bool xfrm_keep_numbers(struct xfrm_undo *u, const struct xfrm_numbers *n)
{
	if (!u->numbers)
		u->numbers = malloc(sizeof(*u->numbers));
	if (u->numbers)
		*u->numbers = *n;
	return u->numbers != NULL;
}

/* ---- add and remove ---- */

struct sad_sa *xfrm_removed(const struct dp_op *op, const struct xfrm_undo *u)
{
	return op->kind == DP_SA_REMOVE || u->gone ? u->sa : NULL;
}

/* The same state was removed earlier in this batch, and still stands: it goes now, but could come back as it was. */
static enum gw_err make_room(struct xfrm_plane *x, const struct sad_sa *sa)
{
	struct xfrm_flight *f = x->current;

	for (size_t i = 0; i < f->done; i++) {
		struct sad_sa *gone = xfrm_removed(&f->b->ops[i], &f->undo[i]);
		struct xfrm_state_id id;
		struct xfrm_numbers n;
		enum gw_err r;

		if (!gone || gone->key.dir != sa->key.dir || gone->key.spi != sa->key.spi)
			continue;
		if (!xfrm_sent_well(x))
			return GW_OK; /* the batch has failed already */
		if (gone->kernel.life != SAD_LIVE)
			continue;
		id = xfrm_sa_id(gone);
		r = xfrm_sa_take_out(x, gone, &id, &n);
		if (r == GW_ENOTFOUND)
			gone->kernel.life = SAD_ABSENT;
		else if (r != GW_OK)
			return r;
		else if (!xfrm_keep_numbers(&f->undo[i], &n))
			return GW_ENOMEM;
	}
	return GW_OK;
}

enum gw_err xfrm_do_add(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	struct dp_sa_id id = { op->sa.dir, op->sa.spi, op->sa.remote.addr };
	const struct xfrm_pol *p;
	struct xfrm_numbers n;
	enum gw_err code;

	TRY(sad_sa_create(x->sad, &op->sa, &u->sa, why));
	code = xfrm_suite_check(&op->sa.suite);
	if (code != GW_OK)
		*why = "the kernel has no such algorithm";
	if (code == GW_OK && op->sa.extra.offload != DP_OFFLOAD_NONE)
		code = xfrm_offload(x, u->sa, why);
	if (code == GW_OK)
		code = sad_link(x->sad, u->sa);
	if (code == GW_EEXIST && contested(x, sad_find(x->sad, &id)->kernel.flight)) {
		xfrm_flush(x); /* it may be about to fail */
		code = sad_link(x->sad, u->sa);
	}
	if (code != GW_OK) {
		sad_sa_destroy(x->sad, u->sa);
		u->sa = NULL;
		return code;
	}
	u->sa->kernel.flight = x->current->number;
	code = make_room(x, u->sa);
	if (code != GW_OK) {
		sad_unlink(x->sad, u->sa);
		sad_sa_destroy(x->sad, u->sa);
		u->sa = NULL;
		return code;
	}
	xfrm_sa_numbers(x, u->sa, &n);
	u->sa->kernel.epoch = x->epoch;
	xfrm_sa_add(x, u->sa, &n);
	p = op->sa.dir == DP_OUT ? find_pol(x, op->sa.reqid) : NULL;
	if (p)
		xfrm_pol_emit(x, p);
	return GW_OK;
}

void xfrm_undo_add(struct xfrm_plane *x, struct xfrm_undo *u)
{
	sad_unlink(x->sad, u->sa);
	if (u->sa->key.dir == DP_OUT)
		xfrm_pol_refresh(x, u->sa->reqid);
	if (u->sa->kernel.life == SAD_LIVE)
		xfrm_sa_delete(x, u->sa);
	xfrm_send(x);
	sad_sa_destroy(x->sad, u->sa);
}

bool xfrm_only_removes(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].kind != DP_SA_REMOVE && b->ops[i].kind != DP_POLICY_REMOVE)
			return false;
	return true;
}

static void take_away(struct xfrm_plane *x, struct sad_sa *sa)
{
	const struct xfrm_pol *p = NULL;

	if (sa->key.dir == DP_OUT && sad_newest_out(x->sad, sa->reqid) == sa)
		p = find_pol(x, sa->reqid);
	sad_unlink(x->sad, sa);
	if (p)
		xfrm_pol_emit(x, p);
	/* With other operations beside it, which may fail, the state stays until they have not. */
	if (xfrm_only_removes(x->current->b) && sa->kernel.life != SAD_EXPIRED)
		xfrm_sa_delete(x, sa);
}

enum gw_err xfrm_do_remove(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	u->sa = xfrm_find_sa(x, &op->id);
	if (u->sa && op->owner != 0 && u->sa->reqid != op->owner)
		u->sa = NULL; /* somebody else's, who came first */
	if (u->sa)	      /* else there is nothing to do, and no reason to fail */
		take_away(x, u->sa);
	return GW_OK;
}

bool xfrm_undo_remove(struct xfrm_plane *x, struct xfrm_undo *u)
{
	if (!u->sa)
		return true;
	if (sad_link(x->sad, u->sa) != GW_OK) {
		if (u->sa->kernel.life == SAD_LIVE)
			xfrm_sa_delete(x, u->sa);
		xfrm_send(x);
		sad_sa_destroy(x->sad, u->sa);
		return false;
	}
	if (u->numbers && u->sa->kernel.life == SAD_ABSENT)
		xfrm_sa_add(x, u->sa, u->numbers);
	if (u->sa->key.dir == DP_OUT)
		xfrm_pol_refresh(x, u->sa->reqid);
	return true;
}

/* ---- move ---- */

static enum gw_err replace_state(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_state_id *was,
				 struct xfrm_undo *u)
{
	struct xfrm_numbers n;
	enum gw_err r = xfrm_sa_take_out(x, sa, was, &n);

	if (r == GW_ENOTFOUND && sa->key.dir == DP_OUT && sa->kernel.hard != XFRM_NO_LIMIT) {
		/* It came to its fence before we came: it will be made where it is now, when the fence is raised. */
		xfrm_take_events(x);
		if (sa->kernel.life == SAD_LIVE)
			xfrm_sa_expired(x, sa);
		return GW_OK;
	}
	TRY(r);
	if (!xfrm_keep_numbers(u, &n)) {
		xfrm_sa_add(x, sa, &n);
		return GW_ENOMEM;
	}
	xfrm_sa_add(x, sa, &n);
	return GW_OK;
}

enum gw_err xfrm_do_move(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = xfrm_find_sa(x, &op->id);
	struct xfrm_state_id was;
	bool here;
	enum gw_err r;

	if (!sa)
		return GW_ENOTFOUND;
	if (op->owner != 0 && sa->reqid != op->owner)
		return GW_OK; /* somebody else's, who came first: ours is not there */
	if (op->id.dir == DP_OUT)
		(void)find_pol(x, sa->reqid);
	u->sa = sa;
	u->local = sa->local;
	u->remote = sa->remote;
	u->udp_encap = sa->udp_encap;
	if (!xfrm_sent_well(x))
		return GW_OK;
	was = xfrm_sa_id(sa);
	here = addr_equal(&sa->local.addr, &op->new_local.addr) && addr_equal(&sa->remote.addr, &op->new_remote.addr) &&
	       sa->udp_encap == op->new_udp_encap;
	r = sad_move(x->sad, sa, &op->new_local, &op->new_remote, op->new_udp_encap);
	if (r == GW_EEXIST) {
		u->gone = true;
		take_away(x, sa);
		return GW_OK;
	}
	TRY(r);
	if (sa->kernel.life != SAD_LIVE)
		return GW_OK;
	if (here) {
		/* Only ports: they are changed in place, and no packet is lost. */
		if (sa->udp_encap)
			xfrm_sa_update(x, sa);
		return GW_OK;
	}
	r = replace_state(x, sa, &was, u);
	if (r != GW_OK && sad_move(x->sad, sa, &u->local, &u->remote, u->udp_encap) != GW_OK)
		return GW_EINTERNAL;
	if (op->id.dir == DP_OUT)
		xfrm_pol_refresh(x, sa->reqid);
	return r;
}

bool xfrm_undo_move(struct xfrm_plane *x, struct xfrm_undo *u)
{
	struct xfrm_state_id is;
	struct xfrm_numbers n;
	bool was_live;

	if (!u->sa || u->gone)
		return xfrm_undo_remove(x, u);
	is = xfrm_sa_id(u->sa);
	was_live = u->sa->kernel.life == SAD_LIVE;
	if (u->numbers && was_live && xfrm_sa_take_out(x, u->sa, &is, &n) == GW_OK)
		*u->numbers = n;
	if (sad_move(x->sad, u->sa, &u->local, &u->remote, u->udp_encap) != GW_OK)
		return false;
	if (u->numbers && u->sa->kernel.life == SAD_ABSENT)
		xfrm_sa_add(x, u->sa, u->numbers);
	else if (!u->numbers && was_live && u->sa->udp_encap)
		xfrm_sa_update(x, u->sa);
	if (u->sa->key.dir == DP_OUT)
		xfrm_pol_refresh(x, u->sa->reqid);
	return true;
}

/* ---- policies ---- */

enum gw_err xfrm_do_policy(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	bool set = op->kind == DP_POLICY_SET;
	uint32_t reqid = set ? op->policy.reqid : op->reqid;
	enum gw_err r;

	if (set)
		TRY(xfrm_pol_create(x, &op->policy, &u->pol_in, why));
	if (set)
		settle_newest(x, reqid);
	u->pol_out = find_pol(x, reqid);
	r = xfrm_pol_exchange(x, u->pol_out, u->pol_in);
	if (r != GW_OK) {
		xfrm_pol_destroy(x, u->pol_in);
		u->pol_in = u->pol_out = NULL;
	}
	return r;
}

bool xfrm_undo_policy(struct xfrm_plane *x, struct xfrm_undo *u)
{
	enum gw_err r;

	/* In two steps, so that a lack of memory leaves the old one out, and not the new one in. */
	(void)!xfrm_pol_exchange(x, u->pol_in, NULL);
	xfrm_pol_destroy(x, u->pol_in);
	r = u->pol_out ? xfrm_pol_exchange(x, NULL, u->pol_out) : GW_OK;
	if (r != GW_OK)
		xfrm_pol_destroy(x, u->pol_out);
	return r == GW_OK;
}
