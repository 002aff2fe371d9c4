/* What two nodes may make of one exchange: each has numbers of its own, until the standby holds the SA. */
#include "tests/ha/pair.h"

enum { RANGE = 1 << 24, BLOCK = 1 << 23 };

static const struct addr client = { .family = 4, .b = { 192, 0, 2, 1 } };
static struct pair p;

static void begin(int owner)
{
	const struct ha_config cfg = { .cluster = "test", .node = "n", .software = "t", .block_min = BLOCK };

	pair_init_as(&p, (const struct ha_config[]){ cfg, cfg });
	pair_promote(&p.n[owner]);
	pair_link(&p);
	pair_talk(&p);
}

static struct ha_ceiling *install_of(struct pair_node *n, uint32_t spi, bool inherited, mtime begun)
{
	struct dp_op op = { .kind = DP_SA_ADD, .sa = { .dir = DP_OUT, .spi = spi, .reqid = 1, .inherited = inherited } };
	struct ha_ceiling *c;

	op.sa.begun = begun;

	op.sa.remote.addr = client;
	(void)ha_prepare(n->ha, 1, 1, &op, 1);
	c = ha_ceiling_find(n->ha, UINT64_C(1) << 32 | spi);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(op.sa.start, c->base);
	ck_assert_uint_eq(op.sa.fence, c->fence);
	(void)ha_end_turn(n->ha);
	return c;
}

static struct ha_ceiling *install(struct pair_node *n, uint32_t spi, bool inherited)
{
	return install_of(n, spi, inherited, p.time.now);
}

static void removed(struct pair_node *n, const struct ha_ceiling *c)
{
	struct dp_op op = { .kind = DP_SA_REMOVE };

	op.id = c->id;
	(void)ha_prepare(n->ha, 1, 1, &op, 1);
	(void)ha_end_turn(n->ha);
}

static void half_used(struct pair_node *n, const struct ha_ceiling *c)
{
	const struct dp_event near = { .kind = DP_NEAR_FENCE, .id = c->id, .position = c->fence - 1 };

	ck_assert(ha_plane_event(n->ha, &near));
	(void)ha_end_turn(n->ha);
	pair_talk(&p);
	p.time.now.us += MILLISECONDS(200);
	ha_tick(n->ha);
	pair_talk(&p);
}

START_TEST(until_the_standby_holds_it)
{
	struct ha_ceiling *c;

	begin(0);
	c = install(&p.n[0], 1000, false);
	ck_assert_uint_eq(c->base, 0);
	ck_assert_uint_eq(c->range, RANGE);
	pair_talk(&p);
	ck_assert_uint_eq(c->range, RANGE); /* the IKE SA may come a little later */
	p.time.now.us += SECONDS(3);
	(void)install(&p.n[0], 1001, false);
	pair_talk(&p);
	ck_assert_uint_eq(c->range, 0);
	for (int i = 0; i < 8; i++)
		half_used(&p.n[0], c);
	ck_assert_uint_ge(c->fence, 4 * (uint64_t)BLOCK);
	ck_assert_uint_eq(p.n[0].last[HA_EV_REKEY], 0);
	pair_clear(&p);
}
END_TEST

START_TEST(for_ever_when_the_link_breaks)
{
	struct ha_ceiling *c;

	begin(0);
	c = install(&p.n[0], 1000, false);
	pair_cut(&p);
	p.time.now.us += SECONDS(3);
	pair_link(&p);
	pair_talk(&p);
	p.time.now.us += SECONDS(3);
	(void)install(&p.n[0], 1001, false);
	pair_talk(&p);
	ck_assert_uint_eq(c->range, RANGE);
	pair_clear(&p);
}
END_TEST

/* By reign: whoever had it before used others. At the end of them there are new keys. */
START_TEST(inherited)
{
	uint64_t bases[2];

	for (int i = 0; i < 2; i++) {
		struct ha_ceiling *c;

		begin(i);
		c = install(&p.n[i], 1000, true);
		bases[i] = c->base;
		ck_assert_uint_gt(c->base, 0);
		ck_assert_uint_eq(c->base % RANGE, 0);
		ck_assert_uint_eq(c->range, c->base + RANGE);
		pair_talk(&p);
		p.time.now.us += SECONDS(3);
		for (int k = 0; k < 4; k++)
			half_used(&p.n[i], c);
		ck_assert_uint_eq(c->fence, c->range);
		ck_assert_uint_eq(p.n[i].last[HA_EV_REKEY], 1);
		pair_clear(&p);
	}
	ck_assert_uint_ne(bases[0], bases[1]);
}
END_TEST

/* Alone nobody else has what begins and ends here; what began before may be with the other node. */
START_TEST(alone)
{
	mtime before;

	pair_init(&p);
	pair_promote(&p.n[0]);
	ck_assert_uint_eq(install(&p.n[0], 1000, false)->range, 0);
	pair_clear(&p);
	begin(0);
	before = p.time.now;
	p.time.now.us += SECONDS(1);
	pair_cut(&p);
	p.time.now.us += SECONDS(1);
	ck_assert_uint_eq(install(&p.n[0], 1000, false)->range, 0);
	ck_assert_uint_eq(install_of(&p.n[0], 1001, false, before)->range, RANGE);
	pair_clear(&p);
}
END_TEST

/* Dropped and made anew, of the same keys: it goes on where that ended. */
START_TEST(anew)
{
	for (int k = 0; k < 2; k++) {
		struct ha_ceiling *c;
		uint64_t fence;

		begin(0);
		c = install(&p.n[0], 1000, k);
		fence = c->fence;
		removed(&p.n[0], c);
		c = install(&p.n[0], 1001, k);
		ck_assert_uint_lt(c->base, fence);
		c = install(&p.n[0], 1000, k);
		ck_assert_uint_eq(c->base, fence);
		ck_assert_uint_le(c->fence, c->range);
		pair_clear(&p);
	}
}
END_TEST

/* Faster than anybody, before the standby is known to hold it: what it wanted it gets then, by time alone. */
START_TEST(wanted_while_fresh)
{
	struct ha_ceiling *c;

	begin(0);
	c = install(&p.n[0], 1000, false);
	pair_talk(&p);
	half_used(&p.n[0], c);
	ck_assert_uint_eq(c->fence, RANGE);
	half_used(&p.n[0], c);
	ck_assert(c->fresh && c->wants);
	p.time.now.us += SECONDS(3);
	ck_assert_int_le(ha_due(p.n[0].ha).us, p.time.now.us);
	ha_tick(p.n[0].ha);
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert_uint_eq(c->range, 0);
	ck_assert_uint_gt(c->fence, RANGE);
	ck_assert_uint_eq(p.n[0].last[HA_EV_REKEY], 0);
	pair_clear(&p);
}
END_TEST

/* Parted, and closed with one of the two that had it: the other one, owner again, goes on above what that one has used. */
START_TEST(closed_by_one_of_two)
{
	struct dp_op op = { .kind = DP_SA_ADD, .sa = { .dir = DP_OUT, .spi = 1000, .reqid = 1 } };
	struct ha_ceiling *c[2];
	struct err e;
	uint64_t used;

	begin(0);
	c[0] = install(&p.n[0], 1000, false);
	pair_talk(&p);
	c[1] = install(&p.n[1], 1000, false);
	ck_assert_uint_ge(c[1]->base, c[0]->fence);
	pair_cut(&p);
	pair_promote(&p.n[1]);
	used = c[1]->fence;
	ck_assert_uint_gt(used, c[0]->fence);
	removed(&p.n[1], c[1]);
	ck_assert_int_eq(ha_demote(p.n[1].ha, "test", &e), GW_OK);
	/* Nothing may leave by it before the owner has said where. */
	op.sa.remote.addr = client;
	(void)ha_prepare(p.n[1].ha, 1, 1, &op, 1);
	ck_assert_uint_eq(op.sa.start, op.sa.fence);
	pair_link(&p);
	pair_talk(&p);
	ck_assert_uint_ge(c[0]->base, used);
	ck_assert_uint_gt(c[0]->fence, used);
	c[1] = ha_ceiling_find(p.n[1].ha, UINT64_C(1) << 32 | 1000);
	ck_assert_uint_ge(c[1]->base, c[0]->fence);
	ck_assert(!c[1]->gone);
	ck_assert(p.n[1].ha->sync.whole && !p.n[1].ha->ceil.any_gone);
	pair_clear(&p);
}
END_TEST

/* What is not with the other node either is forgotten; so is what nobody else was ever given. */
START_TEST(closed_by_both)
{
	struct ha_ceiling *c;
	struct err e;

	begin(0);
	c = install(&p.n[0], 1000, false);
	pair_talk(&p);
	(void)install(&p.n[1], 1000, false);
	pair_cut(&p);
	pair_promote(&p.n[1]);
	removed(&p.n[0], c);
	ck_assert_ptr_null(ha_ceiling_find(p.n[0].ha, UINT64_C(1) << 32 | 1000));
	removed(&p.n[1], ha_ceiling_find(p.n[1].ha, UINT64_C(1) << 32 | 1000));
	ck_assert_ptr_nonnull(ha_ceiling_find(p.n[1].ha, UINT64_C(1) << 32 | 1000));
	p.time.now.us += SECONDS(1);
	c = install(&p.n[1], 1001, false);
	removed(&p.n[1], c);
	ck_assert_ptr_null(ha_ceiling_find(p.n[1].ha, UINT64_C(1) << 32 | 1001));
	ck_assert_int_eq(ha_demote(p.n[0].ha, "test", &e), GW_OK);
	pair_link(&p);
	pair_talk(&p);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_null(ha_ceiling_find(p.n[i].ha, UINT64_C(1) << 32 | 1000));
	pair_clear(&p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("range");

	tcase_add_test(t, until_the_standby_holds_it);
	tcase_add_test(t, for_ever_when_the_link_breaks);
	tcase_add_test(t, inherited);
	tcase_add_test(t, alone);
	tcase_add_test(t, anew);
	tcase_add_test(t, wanted_while_fresh);
	tcase_add_test(t, closed_by_one_of_two);
	tcase_add_test(t, closed_by_both);
	return check_main("range", t);
}
