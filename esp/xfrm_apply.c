#include <stdio.h>
#include <stdlib.h>

#include "esp/xfrm_state.h"

/* What undoes one operation; after success also what is left to free. */
struct xfrm_undo {
	struct sad_sa *sa;
	struct xfrm_pol *pol_out, *pol_in;
	struct endpoint local, remote;
	bool udp_encap, near_told, at_told;
	uint64_t fence, near_at, position;
	struct xfrm_numbers *numbers; /* owned: what a state had that was taken out */
};

/* ---- who touched what ---- */

/* By a flight that is not finished yet, other than ours. */
static bool contested(const struct xfrm_plane *x, uint64_t flight)
{
	return flight > x->finished && (!x->current || flight != x->current->number);
}

static struct sad_sa *find_sa(struct xfrm_plane *x, const struct dp_sa_id *id)
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
static bool sent_well(struct xfrm_plane *x)
{
	xfrm_send(x);
	return !x->current || x->current->b->result == GW_OK;
}

static bool keep_numbers(struct xfrm_undo *u, const struct xfrm_numbers *n)
{
	if (!u->numbers)
		u->numbers = malloc(sizeof(*u->numbers));
	if (u->numbers)
		*u->numbers = *n;
	return u->numbers != NULL;
}

/* While shut no packet passes: what was read since is true still. */
static bool numbers_known(const struct xfrm_plane *x, const struct sad_sa *sa)
{
	return sa->kernel.life == SAD_EXPIRED || (!xfrm_is_open(x) && sa->kernel.epoch == x->epoch);
}

/* Looks, unless what we know is exact. A state that went meanwhile is found out about. */
static enum gw_err look(struct xfrm_plane *x, struct sad_sa *sa, struct xfrm_numbers *out)
{
	enum gw_err r = xfrm_sa_read(x, sa, out);

	if (r != GW_ENOTFOUND)
		return r;
	xfrm_take_events(x);
	if (sa->kernel.life == SAD_LIVE && sa->key.dir == DP_OUT && sa->kernel.hard != XFRM_NO_LIMIT)
		xfrm_sa_expired(x, sa);
	return sa->kernel.life == SAD_EXPIRED ? GW_OK : GW_ENOTFOUND;
}

/* ---- add and remove ---- */

/* The same state was removed earlier in this batch, and still stands: it goes now, but could come back as it was. */
static enum gw_err make_room(struct xfrm_plane *x, const struct sad_sa *sa)
{
	struct xfrm_flight *f = x->current;

	for (size_t i = 0; i < f->done; i++) {
		struct sad_sa *gone = f->b->ops[i].kind == DP_SA_REMOVE ? f->undo[i].sa : NULL;
		struct xfrm_state_id id;
		struct xfrm_numbers n;
		enum gw_err r;

		if (!gone || gone->key.dir != sa->key.dir || gone->key.spi != sa->key.spi)
			continue;
		if (!sent_well(x))
			return GW_OK; /* the batch has failed already */
		if (gone->kernel.life != SAD_LIVE)
			continue;
		id = xfrm_sa_id(gone);
		r = xfrm_sa_take_out(x, gone, &id, &n);
		if (r == GW_ENOTFOUND)
			gone->kernel.life = SAD_ABSENT;
		else if (r != GW_OK)
			return r;
		else if (!keep_numbers(&f->undo[i], &n))
			return GW_ENOMEM;
	}
	return GW_OK;
}

static enum gw_err do_add(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	struct dp_sa_id id = { op->sa.dir, op->sa.spi, op->sa.remote.addr };
	struct xfrm_numbers n;
	enum gw_err code;

	TRY(sad_sa_create(&op->sa, &u->sa, why));
	code = xfrm_suite_check(&op->sa.suite);
	if (code != GW_OK)
		*why = "the kernel has no such algorithm";
	if (code == GW_OK && op->sa.extra.offload != DP_OFFLOAD_NONE && op->sa.extra.offload_ifindex == 0) {
		*why = "offload without a device";
		code = GW_EINVAL;
	}
	if (code == GW_OK)
		code = sad_link(x->sad, u->sa);
	if (code == GW_EEXIST && contested(x, sad_find(x->sad, &id)->kernel.flight)) {
		xfrm_flush(x); /* it may be about to fail */
		code = sad_link(x->sad, u->sa);
	}
	if (code != GW_OK) {
		sad_sa_destroy(u->sa);
		u->sa = NULL;
		return code;
	}
	u->sa->kernel.flight = x->current->number;
	code = make_room(x, u->sa);
	if (code != GW_OK) {
		sad_unlink(x->sad, u->sa);
		sad_sa_destroy(u->sa);
		u->sa = NULL;
		return code;
	}
	xfrm_sa_numbers(x, u->sa, &n);
	u->sa->kernel.epoch = x->epoch;
	xfrm_sa_add(x, u->sa, &n);
	if (op->sa.dir == DP_OUT && find_pol(x, op->sa.reqid))
		xfrm_pol_refresh(x, op->sa.reqid);
	return GW_OK;
}

static void undo_add(struct xfrm_plane *x, struct xfrm_undo *u)
{
	sad_unlink(x->sad, u->sa);
	if (u->sa->key.dir == DP_OUT)
		xfrm_pol_refresh(x, u->sa->reqid);
	if (u->sa->kernel.life == SAD_LIVE)
		xfrm_sa_delete(x, u->sa);
	xfrm_send(x);
	sad_sa_destroy(u->sa);
}

static bool only_removes(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].kind != DP_SA_REMOVE && b->ops[i].kind != DP_POLICY_REMOVE)
			return false;
	return true;
}

static enum gw_err do_remove(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	bool newest;

	u->sa = find_sa(x, &op->id);
	if (!u->sa)
		return GW_OK; /* not there: nothing to do, and no reason to fail */
	newest = op->id.dir == DP_OUT && find_pol(x, u->sa->reqid) && sad_newest_out(x->sad, u->sa->reqid) == u->sa;
	sad_unlink(x->sad, u->sa);
	if (newest)
		xfrm_pol_refresh(x, u->sa->reqid);
	/* With other operations beside it, which may fail, the state stays until they have not. */
	if (only_removes(x->current->b) && u->sa->kernel.life != SAD_EXPIRED)
		xfrm_sa_delete(x, u->sa);
	return GW_OK;
}

static bool undo_remove(struct xfrm_plane *x, struct xfrm_undo *u)
{
	if (!u->sa)
		return true;
	if (sad_link(x->sad, u->sa) != GW_OK) {
		if (u->sa->kernel.life == SAD_LIVE)
			xfrm_sa_delete(x, u->sa);
		xfrm_send(x);
		sad_sa_destroy(u->sa);
		return false;
	}
	if (u->numbers && u->sa->kernel.life == SAD_ABSENT)
		xfrm_sa_add(x, u->sa, u->numbers);
	if (u->sa->key.dir == DP_OUT)
		xfrm_pol_refresh(x, u->sa->reqid);
	return true;
}

/* The batch is well: what it removed goes. */
static void delete_removed(struct xfrm_plane *x, struct xfrm_flight *f)
{
	if (only_removes(f->b))
		return;
	for (size_t i = 0; i < f->done; i++)
		if (f->b->ops[i].kind == DP_SA_REMOVE && f->undo[i].sa) {
			if (!sent_well(x))
				return;
			if (f->undo[i].sa->kernel.life == SAD_LIVE)
				xfrm_sa_delete(x, f->undo[i].sa);
		}
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
	if (!keep_numbers(u, &n)) {
		xfrm_sa_add(x, sa, &n);
		return GW_ENOMEM;
	}
	xfrm_sa_add(x, sa, &n);
	return GW_OK;
}

static enum gw_err do_move(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = find_sa(x, &op->id);
	struct xfrm_state_id was;
	bool here;
	enum gw_err r;

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir == DP_OUT)
		(void)find_pol(x, sa->reqid);
	u->sa = sa;
	u->local = sa->local;
	u->remote = sa->remote;
	u->udp_encap = sa->udp_encap;
	if (!sent_well(x))
		return GW_OK;
	was = xfrm_sa_id(sa);
	here = addr_equal(&sa->local.addr, &op->new_local.addr) && addr_equal(&sa->remote.addr, &op->new_remote.addr) &&
	       sa->udp_encap == op->new_udp_encap;
	TRY(sad_move(x->sad, sa, &op->new_local, &op->new_remote, op->new_udp_encap));
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

static bool undo_move(struct xfrm_plane *x, struct xfrm_undo *u)
{
	struct xfrm_state_id is = xfrm_sa_id(u->sa);
	struct xfrm_numbers n;
	bool was_live = u->sa->kernel.life == SAD_LIVE;

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

/* ---- fence ---- */

static void revive(struct xfrm_plane *x, struct sad_sa *sa)
{
	struct xfrm_numbers n;

	if (xfrm_sa_limit(sa) <= sa->position)
		return;
	xfrm_sa_numbers(x, sa, &n);
	xfrm_sa_add(x, sa, &n);
	x->stats[XS_REVIVED]++;
}

static void arm(struct xfrm_plane *x, struct sad_sa *sa)
{
	if (sa->kernel.life == SAD_EXPIRED)
		revive(x, sa);
	else
		xfrm_sa_update(x, sa);
}

static enum gw_err do_fence(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = find_sa(x, &op->id);
	bool lower;

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	lower = op->position < sa->fence;
	if (lower) {
		if (!sent_well(x))
			return GW_OK;
		if (sa->kernel.life == SAD_LIVE)
			TRY(look(x, sa, NULL));
	}
	u->sa = sa;
	u->fence = sa->fence;
	u->near_at = sa->near_at;
	u->near_told = sa->near_told;
	u->at_told = sa->at_told;
	sad_set_fence(sa, op->position);
	arm(x, sa);
	/* Armed, then read back: from here on the position is at most this, or the fence. */
	if (lower && sent_well(x) && sa->kernel.life == SAD_LIVE)
		(void)!look(x, sa, NULL);
	return GW_OK;
}

static void undo_fence(struct xfrm_plane *x, struct xfrm_undo *u)
{
	if (!u->sa)
		return;
	u->sa->fence = u->fence;
	u->sa->near_at = u->near_at;
	u->sa->near_told = u->near_told;
	u->sa->at_told = u->at_told;
	arm(x, u->sa);
}

/* ---- position ---- */

/*
 * Writing numbers is not atomic against traffic: a packet between looking and writing would have its number used again.
 * So the state is first stopped at the number that we want to write; if it gets there, the kernel deletes it, and it is
 * made again there.
 */
static enum gw_err stop_at(struct xfrm_plane *x, struct sad_sa *sa, uint64_t position, const char **why)
{
	const struct xfrm_undo was = {
		.fence = sa->fence, .near_at = sa->near_at, .near_told = sa->near_told, .at_told = sa->at_told
	};
	bool well;
	enum gw_err r = GW_OK;

	sa->at_told = true; /* not a fence that anybody granted */
	if (position < sa->fence)
		sa->fence = sa->near_at = position;
	xfrm_sa_update(x, sa);
	well = sent_well(x);
	if (well && sa->kernel.life == SAD_LIVE)
		r = look(x, sa, NULL);
	sa->fence = was.fence;
	sa->near_at = was.near_at;
	sa->near_told = was.near_told;
	sa->at_told = was.at_told;
	if (r == GW_OK && sa->position > position) {
		*why = "backwards";
		r = GW_EINVAL;
	}
	if (well && r != GW_OK)
		arm(x, sa);
	return r;
}

static void write_position(struct xfrm_plane *x, struct sad_sa *sa, uint64_t position)
{
	struct xfrm_numbers n;

	sa->position = position;
	xfrm_sa_numbers(x, sa, &n);
	if (sa->kernel.life == SAD_EXPIRED) {
		sa->kernel.packets = position;
		revive(x, sa);
		return;
	}
	xfrm_sa_set_numbers(x, sa, &n);
	if (xfrm_is_open(x)) {
		/* Up to here it was stopped. */
		if (sent_well(x))
			arm(x, sa);
	}
}

static enum gw_err do_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	struct sad_sa *sa = find_sa(x, &op->id);

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	if (!numbers_known(x, sa)) {
		if (!sent_well(x))
			return GW_OK;
		TRY(look(x, sa, NULL));
	}
	if (op->position < sa->position) {
		*why = "backwards";
		return GW_EINVAL;
	}
	u->sa = sa;
	u->position = sa->position;
	if (op->position == sa->position)
		return GW_OK;
	if (xfrm_is_open(x) && sa->kernel.life == SAD_LIVE)
		TRY(stop_at(x, sa, op->position, why));
	if (x->current->b->result == GW_OK)
		write_position(x, sa, op->position);
	return GW_OK;
}

/* Back only when no packet has used a number above. */
static void undo_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct xfrm_state_id id;
	struct xfrm_numbers n;

	if (!u->sa)
		return;
	id = xfrm_sa_id(u->sa);
	if (u->sa->kernel.life != SAD_LIVE) {
		if (u->sa->position == op->position)
			u->sa->position = u->position;
		return;
	}
	if (u->position == op->position || xfrm_sa_take_out(x, u->sa, &id, &n) != GW_OK)
		return;
	if (n.position == op->position)
		n.position = n.packets = u->sa->position = u->position;
	xfrm_sa_add(x, u->sa, &n);
}

/* ---- window ---- */

/* Everything up to `seq` counts as seen; what is seen stays so. */
static void advance(struct xfrm_numbers *n, uint64_t seq)
{
	if (seq >= n->position || n->window == 0) {
		n->position = seq > n->position ? seq : n->position;
		n->known_bits = n->known_bits && n->window == 0;
		return;
	}
	if (!n->known_bits)
		return;
	for (uint64_t at = n->position >= n->window ? n->position - n->window + 1 : 1; at <= seq; at++) {
		uint32_t bit = (uint32_t)((at - 1) % n->window);

		n->bits[bit / 32] |= UINT32_C(1) << bit % 32;
	}
}

static enum gw_err do_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = find_sa(x, &op->id);
	struct xfrm_state_id id;
	struct xfrm_numbers n;

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir != DP_IN)
		return GW_EINVAL;
	id = xfrm_sa_id(sa);
	if (numbers_known(x, sa) && op->position >= sa->replay.top) {
		xfrm_sa_numbers(x, sa, &n);
	} else {
		if (!sent_well(x))
			return GW_OK;
		TRY(xfrm_sa_read(x, sa, &n));
	}
	if (op->position == 0 || (op->position <= n.position && n.position - op->position >= n.window))
		return GW_OK;
	/* With traffic on it the state is taken out for the moment: a window written back would forget what came since.
	 */
	if (xfrm_is_open(x))
		TRY(xfrm_sa_take_out(x, sa, &id, &n));
	if (!keep_numbers(u, &n)) {
		if (sa->kernel.life == SAD_ABSENT)
			xfrm_sa_add(x, sa, &n);
		return GW_ENOMEM;
	}
	u->sa = sa;
	u->position = n.position;
	advance(&n, op->position);
	sa->replay.top = n.position;
	if (sa->kernel.life == SAD_ABSENT)
		xfrm_sa_add(x, sa, &n);
	else
		xfrm_sa_set_numbers(x, sa, &n);
	return GW_OK;
}

static void undo_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct xfrm_state_id id;
	struct xfrm_numbers n;

	if (!u->sa || !u->numbers)
		return;
	id = xfrm_sa_id(u->sa);
	if (u->sa->kernel.life == SAD_LIVE && xfrm_sa_take_out(x, u->sa, &id, &n) != GW_OK)
		return;
	/* Something came since: its window stays. */
	if (u->sa->kernel.life == SAD_ABSENT && (op->position < u->position || n.position == op->position))
		n = *u->numbers;
	u->sa->replay.top = n.position;
	xfrm_sa_add(x, u->sa, &n);
}

/* ---- policies ---- */

static enum gw_err do_policy(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	bool set = op->kind == DP_POLICY_SET;
	uint32_t reqid = set ? op->policy.reqid : op->reqid;
	enum gw_err r;

	if (set)
		TRY(xfrm_pol_create(&op->policy, &u->pol_in, why));
	if (set)
		settle_newest(x, reqid);
	u->pol_out = find_pol(x, reqid);
	r = xfrm_pol_exchange(x, u->pol_out, u->pol_in);
	if (r != GW_OK) {
		xfrm_pol_destroy(u->pol_in);
		u->pol_in = u->pol_out = NULL;
	}
	return r;
}

static bool undo_policy(struct xfrm_plane *x, struct xfrm_undo *u)
{
	enum gw_err r;

	/* In two steps, so that a lack of memory leaves the old one out, and not the new one in. */
	(void)!xfrm_pol_exchange(x, u->pol_in, NULL);
	xfrm_pol_destroy(u->pol_in);
	r = u->pol_out ? xfrm_pol_exchange(x, NULL, u->pol_out) : GW_OK;
	if (r != GW_OK)
		xfrm_pol_destroy(u->pol_out);
	return r == GW_OK;
}

/* ---- batches ---- */

static enum gw_err do_op(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	switch (op->kind) {
	case DP_SA_ADD:
		return do_add(x, op, u, why);
	case DP_SA_REMOVE:
		return do_remove(x, op, u);
	case DP_SA_MOVE:
		return do_move(x, op, u);
	case DP_SA_FENCE:
		return do_fence(x, op, u);
	case DP_SA_POSITION:
		return do_position(x, op, u, why);
	case DP_SA_WINDOW:
		return do_window(x, op, u);
	case DP_POLICY_SET:
	case DP_POLICY_REMOVE:
		return do_policy(x, op, u, why);
	}
	return GW_EINVAL;
}

static bool undo_op(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	switch (op->kind) {
	case DP_SA_ADD:
		undo_add(x, u);
		return true;
	case DP_SA_REMOVE:
		return undo_remove(x, u);
	case DP_SA_MOVE:
		return undo_move(x, u);
	case DP_SA_FENCE:
		undo_fence(x, u);
		return true;
	case DP_SA_POSITION:
		undo_position(x, op, u);
		return true;
	case DP_SA_WINDOW:
		undo_window(x, op, u);
		return true;
	case DP_POLICY_SET:
	case DP_POLICY_REMOVE:
		return undo_policy(x, u);
	}
	return true;
}

static void commit_op(const struct dp_op *op, struct xfrm_undo *u)
{
	if (op->kind == DP_SA_REMOVE)
		sad_sa_destroy(u->sa);
	xfrm_pol_destroy(u->pol_out);
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

void xfrm_finish(struct xfrm_plane *x, struct xfrm_flight *f)
{
	struct xfrm_flight *building = x->current;

	x->current = NULL;
	x->finished = f->number;
	if (f->b->result == GW_OK)
		for (size_t i = 0; i < f->done; i++)
			commit_op(&f->b->ops[i], &f->undo[i]);
	else
		undo_flight(x, f);
	x->current = building;
	for (size_t i = 0; i < f->b->n; i++)
		free(f->undo[i].numbers);
	outbox_adopt_done(&x->outbox, f->b);
	free(f->undo);
	free(f);
}

static struct xfrm_flight *flight_create(struct xfrm_plane *x, struct batch *b)
{
	struct xfrm_flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->b = b;
	f->undo = calloc(b->n > 0 ? b->n : 1, sizeof(*f->undo));
	if (!f->undo) {
		free(f);
		return NULL;
	}
	f->number = ++x->numbered;
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

void xfrm_run(struct xfrm_plane *x, struct batch *b)
{
	struct xfrm_flight *f = flight_create(x, b);

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
