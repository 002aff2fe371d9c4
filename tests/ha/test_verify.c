/* Comparing what both nodes hold, with and without mending it. */
#include "tests/ha/pair.h"
#include "tests/sim/suite.h"

static struct pair p;

static void begin(void)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_link(&p);
	pair_talk(&p);
	for (uint64_t k = 1; k < 200; k++)
		pair_set(&p.n[0], k, "x");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert(pair_same(&p));
}

/* By node i; both go on until nothing is to be done. */
static void verify(int i, bool repair)
{
	unsigned before = p.n[i].last[HA_EV_VERIFIED];
	struct err e;

	ck_assert_int_eq(ha_verify(p.n[i].ha, repair, &e), GW_OK);
	ck_assert_int_eq(ha_verify(p.n[i].ha, repair, &e), GW_ESTATE);
	for (int k = 0; k < 10 && p.n[i].last[HA_EV_VERIFIED] == before; k++) {
		pair_talk(&p);
		for (int n = 0; n < 2; n++) {
			ha_tick(p.n[n].ha);
			pair_events(&p.n[n]);
		}
	}
	ck_assert_uint_eq(p.n[i].last[HA_EV_VERIFIED], before + 1);
	ck_assert(p.n[i].verified.complete);
	pair_talk(&p);
}

/* The standby has lost one, kept one too long, missed a change. */
static void diverge(void)
{
	struct ha_objects *o = &p.n[1].ha->objects;

	ha_objects_drop(o, ha_objects_find(o, HA_OBJ_IKE, 10));
	p.n[1].text[10][0] = 0;
	ha_objects_set(o, ha_objects_get(o, HA_OBJ_IKE, 777), 1, false);
	(void)snprintf(p.n[1].text[777], sizeof(p.n[1].text[0]), "old");
	ha_objects_set(o, ha_objects_find(o, HA_OBJ_IKE, 20), 99, false);
	(void)snprintf(p.n[1].text[20], sizeof(p.n[1].text[0]), "stale");
}

static const struct ha_difference *item(const struct ha_verified *v, uint64_t key)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->items[i].key == key)
			return &v->items[i];
	ck_abort_msg("nothing of %llu", (unsigned long long)key);
	return NULL;
}

START_TEST(all_is_well)
{
	begin();
	for (int i = 0; i < 2; i++) {
		verify(i, false);
		ck_assert_uint_eq(p.n[i].verified.objects, 199);
		ck_assert_uint_eq(p.n[i].verified.count, 0);
	}
	pair_clear(&p);
}
END_TEST

START_TEST(what_differs_is_named)
{
	for (int i = 0; i < 2; i++) {
		const struct ha_verified *v = &p.n[i].verified;

		begin();
		diverge();
		verify(i, false);
		ck_assert_uint_eq(v->differing, 1);
		ck_assert_uint_eq(v->only_active, 1);
		ck_assert_uint_eq(v->only_standby, 1);
		ck_assert_uint_eq(v->count, 3);
		ck_assert_int_eq(item(v, 10)->what, HA_ONLY_ACTIVE);
		ck_assert_int_eq(item(v, 20)->what, HA_DIFFERS);
		ck_assert_uint_eq(item(v, 20)->standby, 99);
		ck_assert_int_eq(item(v, 777)->what, HA_ONLY_STANDBY);
		ck_assert(!pair_same(&p)); /* nothing was done about it */
		verify(i, true);
		ck_assert_uint_eq(v->count, 3);
		ck_assert(pair_same(&p));
		verify(i, false);
		ck_assert_uint_eq(v->count, 0);
		pair_clear(&p);
	}
}
END_TEST

/* Its version is there, it is not. */
START_TEST(a_refused_one_is_named_with_its_reason)
{
	struct ha_refusal list[HA_REFUSALS];
	struct ha_status st;

	begin();
	p.n[1].refuse = 50;
	pair_set(&p.n[0], 50, "y");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	for (int i = 0; i < 2; i++) {
		verify(i, false);
		ck_assert_uint_eq(p.n[i].verified.only_active, 1);
		ck_assert_ptr_nonnull(strstr(item(&p.n[i].verified, 50)->why, "not configured here"));
		ck_assert_uint_eq(ha_refusals(p.n[i].ha, list), 1);
		ck_assert_uint_eq(list[0].key, 50);
		ha_look(p.n[i].ha, &st);
		ck_assert_uint_eq(st.refused, 1);
	}
	p.n[1].refuse = 0;
	pair_set(&p.n[0], 50, "z");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert_uint_eq(ha_refusals(p.n[1].ha, list), 0);
	pair_clear(&p);
}
END_TEST

START_TEST(what_is_under_way_is_no_difference)
{
	struct err e;

	begin();
	ck_assert_int_eq(ha_verify(p.n[0].ha, false, &e), GW_OK);
	pair_set(&p.n[0], 5, "later");
	pair_set(&p.n[0], 900, "new");
	pair_set(&p.n[0], 6, "");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ha_tick(p.n[0].ha);
	pair_events(&p.n[0]);
	ck_assert_uint_eq(p.n[0].last[HA_EV_VERIFIED], 1);
	ck_assert(p.n[0].verified.complete && p.n[0].verified.count == 0);
	pair_clear(&p);
}
END_TEST

/* An SA that is gone from the data plane is named; one that nobody knows is, too, and goes where that is wanted. */
START_TEST(a_data_plane_is_compared)
{
	const struct addr client = { .family = 4, .b = { 192, 0, 2, 1 } };

	for (int i = 0; i < 2; i++) {
		struct dp_sa_state states[] = { { .id = { .dir = DP_IN, .spi = 1 } },
						{ .id = { DP_OUT, 2, client } },
						{ .id = { .dir = DP_IN, .spi = 77 } },
						{ .id = { DP_OUT, 88, client } } };
		struct pair_node *n = &p.n[i];

		begin();
		for (int k = 0; k < 2; k++) {
			pair_install(&p.n[k], DP_IN, 1, 9);
			pair_install(&p.n[k], DP_OUT, 2, 9);
		}
		(void)ha_end_turn(p.n[0].ha);
		pair_set(&p.n[0], 1, "y"); /* what is younger than the comparison does not count */
		(void)ha_end_turn(p.n[0].ha);
		pair_talk(&p);
		n->states = states;
		n->state_count = 2;
		verify(i, true);
		ck_assert_uint_eq(n->verified.plane_sas, 2);
		ck_assert_uint_eq(n->verified.count, 0);
		n->state_count = 4;
		verify(i, false);
		ck_assert_uint_eq(n->verified.plane_extra, 2);
		ck_assert_uint_eq(item(&n->verified, 77)->what, HA_PLANE_EXTRA);
		ck_assert_uint_eq(n->removed, 0);
		verify(i, true);
		ck_assert_uint_eq(n->verified.plane_extra, 2);
		ck_assert_uint_eq(n->removed, 2);
		n->state_count = 0;
		verify(i, false);
		ck_assert_uint_eq(n->verified.plane_lacks, 2);
		ck_assert_uint_eq(item(&n->verified, 1)->what, HA_PLANE_LACKS);
		ck_assert_uint_eq(item(&n->verified, UINT64_C(9) << 32 | 2)->what, HA_PLANE_LACKS);
		pair_clear(&p);
	}
}
END_TEST

START_TEST(an_answer_may_never_come)
{
	struct err e;

	begin();
	ck_assert_int_eq(ha_verify(p.n[1].ha, false, &e), GW_OK);
	p.time.now.us += SECONDS(5);
	ha_tick(p.n[1].ha);
	pair_events(&p.n[1]);
	ck_assert_uint_eq(p.n[1].last[HA_EV_VERIFIED], 1);
	ck_assert(!p.n[1].verified.complete);
	ck_assert_int_eq(ha_verify(p.n[0].ha, false, &e), GW_OK);
	pair_cut(&p);
	ck_assert_uint_eq(p.n[0].last[HA_EV_VERIFIED], 1);
	ck_assert(!p.n[0].verified.complete);
	ck_assert_int_eq(ha_verify(p.n[0].ha, false, &e), GW_ESTATE);
	pair_clear(&p);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ all_is_well, 0 },
		{ what_differs_is_named, 0 },
		{ a_refused_one_is_named_with_its_reason, 0 },
		{ what_is_under_way_is_no_difference, 0 },
		{ a_data_plane_is_compared, 0 },
		{ an_answer_may_never_come, 0 },
	};

	return suite_run("verify", all, ARRAY_LEN(all));
}
