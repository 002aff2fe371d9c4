#include "esp/xfrm_ops.h"

/* While shut no packet passes: what was read since is true still. */
static bool numbers_known(const struct xfrm_plane *x, const struct sad_sa *sa)
{
	return sa->kernel.life == SAD_EXPIRED || (!xfrm_passes(x, sa->key.dir) && sa->kernel.epoch == x->epoch);
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

/* ---- fence ---- */

static void revive(struct xfrm_plane *x, struct sad_sa *sa)
{
	struct xfrm_numbers n;

	if (xfrm_sa_limit(sa) <= sa->position)
		return;
	xfrm_sa_numbers(x, sa, &n);
	xfrm_sa_revive(x, sa, &n);
	x->stats[XS_REVIVED]++;
}

static void arm(struct xfrm_plane *x, struct sad_sa *sa)
{
	if (sa->kernel.life == SAD_EXPIRED)
		revive(x, sa);
	else
		xfrm_sa_update(x, sa);
}

/* Armed, then read back: from here on the position is at most this, or the fence. */
static void look_back(struct xfrm_plane *x, struct sad_sa *sa, uint64_t former)
{
	if (xfrm_sa_read(x, sa, NULL) != GW_ENOTFOUND)
		return;
	xfrm_take_events(x);
	if (sa->kernel.life == SAD_LIVE)
		xfrm_sa_overtaken(x, sa, former);
}

enum gw_err xfrm_do_fence(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = xfrm_find_sa(x, &op->id);
	uint64_t former;
	bool lower;

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	lower = op->position < sa->fence;
	if (lower) {
		if (!xfrm_sent_well(x))
			return GW_OK;
		if (sa->kernel.life == SAD_LIVE)
			TRY(look(x, sa, NULL));
	}
	u->sa = sa;
	u->fence = sa->fence;
	u->near_at = sa->near_at;
	u->near_told = sa->near_told;
	u->at_told = sa->at_told;
	former = sa->kernel.hard;
	sad_set_fence(sa, op->position);
	arm(x, sa);
	if (lower && xfrm_sent_well(x) && sa->kernel.life == SAD_LIVE)
		look_back(x, sa, former);
	return GW_OK;
}

void xfrm_undo_fence(struct xfrm_plane *x, struct xfrm_undo *u)
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
	well = xfrm_sent_well(x);
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

	sad_set_position(sa, position);
	xfrm_sa_numbers(x, sa, &n);
	if (sa->kernel.life == SAD_EXPIRED) {
		sa->kernel.packets = position;
		revive(x, sa);
		return;
	}
	xfrm_sa_set_numbers(x, sa, &n);
	if (xfrm_passes(x, DP_OUT)) {
		/* Up to here it was stopped. */
		if (xfrm_sent_well(x))
			arm(x, sa);
	}
}

enum gw_err xfrm_do_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	struct sad_sa *sa = xfrm_find_sa(x, &op->id);

	if (!sa)
		return GW_ENOTFOUND;
	if (op->id.dir != DP_OUT)
		return GW_EINVAL;
	if (!numbers_known(x, sa)) {
		if (!xfrm_sent_well(x))
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
	if (xfrm_passes(x, DP_OUT) && sa->kernel.life == SAD_LIVE)
		TRY(stop_at(x, sa, op->position, why));
	if (x->current->b->result == GW_OK)
		write_position(x, sa, op->position);
	return GW_OK;
}

enum gw_err xfrm_do_rewind(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u, const char **why)
{
	struct sad_sa *sa = xfrm_find_sa(x, &op->id);
	struct xfrm_numbers n;

	if (!sa)
		return GW_ENOTFOUND;
	if (sa->kernel.life != SAD_LIVE)
		return GW_EINVAL;
	if (!numbers_known(x, sa)) {
		if (!xfrm_sent_well(x))
			return GW_OK;
		TRY(look(x, sa, NULL));
	}
	TRY(sad_rewind_check(sa, x->gate, op->position, why));
	u->sa = sa;
	u->position = sa->position;
	u->ahead = sa->ahead;
	sa->ahead -= (uint32_t)(sa->position - op->position);
	sa->position = op->position;
	xfrm_sa_numbers(x, sa, &n);
	n.packets = op->position;
	xfrm_sa_set_numbers(x, sa, &n);
	return GW_OK;
}

/* Nothing has left since. */
void xfrm_undo_rewind(struct xfrm_plane *x, struct xfrm_undo *u)
{
	struct xfrm_numbers n;

	if (!u->sa)
		return;
	u->sa->position = u->position;
	u->sa->ahead = u->ahead;
	xfrm_sa_numbers(x, u->sa, &n);
	n.packets = u->position;
	xfrm_sa_set_numbers(x, u->sa, &n);
}

/* Back only when no packet has used a number above. */
void xfrm_undo_position(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct xfrm_state_id id;
	struct xfrm_numbers n;

	if (!u->sa)
		return;
	id = xfrm_sa_id(u->sa);
	if (u->sa->kernel.life != SAD_LIVE) {
		if (u->sa->position == op->position)
			u->sa->position = u->position;
		u->sa->ahead = 0;
		return;
	}
	if (u->position == op->position || xfrm_sa_take_out(x, u->sa, &id, &n) != GW_OK)
		return;
	u->sa->ahead = 0;
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

enum gw_err xfrm_do_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
{
	struct sad_sa *sa = xfrm_find_sa(x, &op->id);
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
		if (!xfrm_sent_well(x))
			return GW_OK;
		TRY(xfrm_sa_read(x, sa, &n));
	}
	if (op->position == 0 || (op->position <= n.position && n.position - op->position >= n.window))
		return GW_OK;
	/* With traffic on it the state is taken out for the moment: a window written back would forget what came since.
	 */
	if (xfrm_passes(x, DP_IN))
		TRY(xfrm_sa_take_out(x, sa, &id, &n));
	if (!xfrm_keep_numbers(u, &n)) {
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

void xfrm_undo_window(struct xfrm_plane *x, const struct dp_op *op, struct xfrm_undo *u)
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
