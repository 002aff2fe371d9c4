#include "esp/xfrm_state.h"

/*
 * What a batch touches has lain cold, maybe for hours: each look-up would wait for memory two or three times. So the
 * look-ups of some batches are begun together, step by step.
 */

enum { HINTS_MAX = 64 };

enum what { NOTHING, AN_SA, A_POLICY };

struct hints {
	struct chain_hint list[HINTS_MAX];
	uint8_t what[HINTS_MAX]; /* enum what: stands at that place */
	size_t n;
};

static void hint(struct hints *h, enum what what, struct chain_hint at)
{
	if (h->n == HINTS_MAX)
		return;
	h->what[h->n] = (uint8_t)what;
	h->list[h->n++] = at;
}

static void expect_op(const struct xfrm_plane *x, const struct dp_op *op, struct hints *h)
{
	struct dp_sa_id id;

	switch (op->kind) {
	case DP_SA_ADD:
		id = (struct dp_sa_id){ op->sa.dir, op->sa.spi, op->sa.remote.addr };
		hint(h, NOTHING, sad_expect(x->sad, &id));
		if (op->sa.dir != DP_OUT)
			break;
		hint(h, NOTHING, sad_expect_newest(x->sad, op->sa.reqid));
		hint(h, A_POLICY, xfrm_pol_expect(x, op->sa.reqid));
		break;
	case DP_POLICY_SET:
		hint(h, A_POLICY, xfrm_pol_expect(x, op->policy.reqid));
		break;
	case DP_POLICY_REMOVE:
		hint(h, A_POLICY, xfrm_pol_expect(x, op->reqid));
		hint(h, NOTHING, sad_expect_newest(x->sad, op->reqid));
		break;
	default:
		hint(h, AN_SA, sad_expect(x->sad, &op->id));
		break;
	}
}

void xfrm_expect(const struct xfrm_plane *x, const struct batch *first)
{
	struct hints h;
	size_t n = 0;

	h.n = 0;
	for (const struct batch *b = first; b && n < XFRM_EXPECT; b = b->next, n++)
		for (size_t i = 0; i < b->n; i++)
			expect_op(x, &b->ops[i], &h);
	for (size_t i = 0; i < h.n; i++)
		if (h.what[i] == AN_SA)
			sad_expect_entry(&h.list[i]);
		else if (h.what[i] == A_POLICY)
			xfrm_pol_expect_entry(&h.list[i]);
	for (size_t i = 0; i < h.n; i++)
		if (h.what[i] == A_POLICY)
			xfrm_pol_expect_slots(&h.list[i]);
}
