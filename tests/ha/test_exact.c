/*
 * Numbers at a planned switchover: of all SAs up to HA_EXACT_MAX, else only of those with traffic, and never more. Who
 * hands over keeps 16.
 */
#include "tests/ha/pair.h"

enum { MANY = 300 };

static struct pair p;
static struct dp_sa_state states[MANY];
static bool used[MANY];

static void begin(size_t count)
{
	const struct addr client = { .family = 4, .b = { 192, 0, 2, 1 } };

	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_link(&p);
	pair_talk(&p);
	for (uint32_t i = 0; i < count; i++) {
		states[i] = (struct dp_sa_state){ .id = { DP_OUT, 1000 + i, client }, .position = 5 + i };
		used[i] = false;
		pair_install(&p.n[0], DP_OUT, 1000 + i, i + 1);
		pair_install(&p.n[1], DP_OUT, 1000 + i, i + 1);
	}
	p.n[0].states = states;
	p.n[0].used = used;
	p.n[0].state_count = count;
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
}

static void traffic(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		states[i].count.packets = 10;
		states[i].position += 10;
		used[i] = true;
	}
	p.time.now.us += SECONDS(1);
	ha_tick(p.n[0].ha);
	pair_talk(&p);
}

static void lower(void)
{
	struct ha *ha = p.n[0].ha;

	ck_assert_uint_eq(p.n[0].fences, 0);
	(void)ha_exact_lower(ha);
	for (struct ha_event ev; ha_take_event(ha, &ev);) {
		struct dp_event done = { .kind = DP_DONE, .token = ev.token, .result = p.n[0].fenced };

		ck_assert_int_eq(ev.kind, HA_EV_DATAPLANE);
		ck_assert_int_eq(ev.ops[0].kind, DP_SA_FENCE);
		p.n[0].fences++;
		p.n[0].fence = ev.ops[0].position;
		ck_assert(ha_exact_lowered(ha, &done) == (p.n[0].fences == ha->ceil.leads.n));
	}
	ck_assert_uint_eq(ha->ceil.exact_left, 0);
}

/* What the owner tells, and how many of it the standby goes back to. */
static size_t told(struct ha_buffer *b)
{
	struct ha_frame_writer f;
	struct ha_frame frame;
	struct reader r, v;
	uint16_t tag;
	size_t taken, n = 0;

	ha_frame_begin(&f, b, HA_HANDOVER);
	ha_exact_write(p.n[0].ha, &f);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	ck_assert_int_eq(ha_frame_next(ha_buffer_bytes(b), &frame, &taken), GW_OK);
	r = rd_of(frame.fields);
	while (ha_field_next(&r, &tag, &v))
		if (tag == HA_TAG_NUMBER_LIST) {
			n = v.left / 16;
			(void)ha_exact_take(p.n[1].ha, rd_rest(&v));
		}
	ha_buffer_clear(b);
	pair_events(&p.n[1]);
	ck_assert_uint_eq(p.n[1].rewound, n);
	return n;
}

START_TEST(all_of_few)
{
	struct ha_buffer b = { 0 };

	begin(HA_EXACT_MAX);
	lower();
	ck_assert_uint_eq(told(&b), HA_EXACT_MAX);
	for (uint32_t i = 0; i < HA_EXACT_MAX; i++) {
		const struct ha_ceiling *c = ha_ceiling_find(p.n[1].ha, (uint64_t)(i + 1) << 32 | (1000 + i));

		ck_assert(c && c->base == 5 + i + 16);
	}
	pair_clear(&p);
}
END_TEST

/* A packet may have overtaken the lowering of its fence: then that is the last one. */
START_TEST(what_was_used_meanwhile)
{
	struct ha_buffer b = { 0 };

	begin(2);
	lower();
	states[0].position = 5 + 10;
	states[1].position = 6 + 40;
	ck_assert_uint_eq(told(&b), 2);
	ck_assert_uint_eq(ha_ceiling_find(p.n[1].ha, UINT64_C(1) << 32 | 1000)->base, 5 + 16);
	ck_assert_uint_eq(ha_ceiling_find(p.n[1].ha, UINT64_C(2) << 32 | 1001)->base, 6 + 40);
	pair_clear(&p);
}
END_TEST

START_TEST(what_could_not_be_lowered)
{
	struct ha_buffer b = { 0 };

	begin(3);
	p.n[0].fenced = GW_ENOTFOUND;
	lower();
	ck_assert_uint_eq(told(&b), 0);
	pair_clear(&p);
}
END_TEST

/* A busy one may be noted more than once: the fence that it has is the one that is told. */
START_TEST(noted_twice)
{
	struct ha_buffer b = { 0 };
	struct ha *ha;

	begin(MANY);
	traffic(0, 2);
	ha = p.n[0].ha;
	ck_assert_uint_ge(ha->ceil.hot.n + ha->ceil.was_hot.n, 2);
	for (int i = 0; i < 3; i++)
		ha_exact_note(ha, ha_ceiling_find(ha, UINT64_C(1) << 32 | 1000));
	lower();
	ck_assert_uint_eq(p.n[0].fences, 2);
	ck_assert_uint_eq(told(&b), 2);
	pair_clear(&p);
}
END_TEST

/* What is about to be told is not raised any more, whatever asks for it. */
START_TEST(no_fence_goes_up_meanwhile)
{
	struct ha_buffer b = { 0 };
	struct ha *ha;

	begin(2);
	ha = p.n[0].ha;
	lower();
	ha->roles.step = STEP_HANDING;
	ha->roles.lowered = true;
	states[0].position = 5 + 10;
	for (int i = 0; i < 2; i++) {
		const struct dp_event near = { .kind = DP_NEAR_FENCE, .id = states[i].id, .position = states[i].position };
		struct ha_ceiling *c = ha_ceiling_find(ha, (uint64_t)(i + 1) << 32 | (1000 + (uint32_t)i));

		if (i == 1)
			c->lead = 0; /* it could not be lowered */
		ck_assert(ha_plane_event(ha, &near));
		ck_assert(!c->asking && c->asked == 0);
		ck_assert(c->wants == (i == 1));
	}
	ha_persisted(ha, ha->roles.reserve + 16);
	ha_ceilings_followed(ha);
	ck_assert(!ha_ceiling_find(ha, UINT64_C(2) << 32 | 1001)->asking);
	ha->roles.step = STEP_NONE;
	ck_assert_uint_eq(told(&b), 1);
	pair_clear(&p);
}
END_TEST

/* No handover after all: fences are where they were, and what came to its end meanwhile gets more. */
START_TEST(raised_again)
{
	struct ha *ha;
	uint64_t fence;

	begin(1);
	ha = p.n[0].ha;
	fence = ha_ceiling_find(ha, UINT64_C(1) << 32 | 1000)->fence;
	lower();
	ck_assert_uint_eq(p.n[0].fence, 5 + 16);
	ha_exact_raise(ha);
	pair_events(&p.n[0]);
	ck_assert_uint_eq(p.n[0].fence, fence);
	ck_assert_uint_eq(ha_ceiling_find(ha, UINT64_C(1) << 32 | 1000)->fence, fence);
	pair_clear(&p);
}
END_TEST

START_TEST(of_many_those_with_traffic)
{
	struct ha_buffer b = { 0 };

	begin(MANY);
	traffic(10, 50);
	lower();
	ck_assert_uint_eq(told(&b), 40);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct ha_ceiling *c = ha_ceiling_find(p.n[1].ha, (uint64_t)(i + 1) << 32 | (1000 + i));

		/* The others stand where nothing can have been used, on neither side. */
		ck_assert(c && (i >= 10 && i < 50 ? c->base == 15 + i + 16 : c->base >= UINT64_C(1) << 20));
	}
	pair_clear(&p);
}
END_TEST

START_TEST(never_more_than_the_bound)
{
	struct ha_buffer b = { 0 };

	begin(MANY);
	traffic(0, MANY);
	lower();
	ck_assert_uint_eq(told(&b), HA_EXACT_MAX);
	pair_clear(&p);
	begin(HA_EXACT_MAX + 1);
	lower();
	ck_assert_uint_eq(told(&b), 0);
	pair_clear(&p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("exact");

	tcase_add_test(t, all_of_few);
	tcase_add_test(t, what_was_used_meanwhile);
	tcase_add_test(t, what_could_not_be_lowered);
	tcase_add_test(t, noted_twice);
	tcase_add_test(t, no_fence_goes_up_meanwhile);
	tcase_add_test(t, raised_again);
	tcase_add_test(t, of_many_those_with_traffic);
	tcase_add_test(t, never_more_than_the_bound);
	return check_main("exact", t);
}
