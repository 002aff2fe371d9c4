/* Nodes of two versions: both speak the former format, and neither minds what it does not know. */
#include "tests/ha/pair.h"

static struct pair p;

static void begin(bool first, bool second)
{
	const struct ha_config all[2] = { { .cluster = "test", .node = "a", .software = "t", .former = first },
					  { .cluster = "test", .node = "b", .software = "t", .former = second } };

	pair_init_as(&p, all);
	pair_promote(&p.n[0]);
	for (uint64_t i = 1; i <= 200; i++)
		pair_set(&p.n[0], i, "before");
	(void)ha_end_turn(p.n[0].ha);
	pair_link(&p);
	pair_talk(&p);
}

START_TEST(the_lower_one_is_spoken)
{
	static const struct {
		bool first, second;
		uint8_t format;
	} all[] = { { false, false, HA_FORMAT_MINOR },
		    { true, false, HA_FORMAT_MINOR - 1 },
		    { false, true, HA_FORMAT_MINOR - 1 },
		    { true, true, HA_FORMAT_MINOR - 1 } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		begin(all[i].first, all[i].second);
		ck_assert_uint_eq(ha_format(p.n[0].ha), all[i].format);
		ck_assert_uint_eq(ha_format(p.n[1].ha), all[i].format);
		/* Without the other one it speaks its own again. */
		pair_cut(&p);
		ck_assert_uint_eq(ha_format(p.n[0].ha), all[i].first ? HA_FORMAT_MINOR - 1 : HA_FORMAT_MINOR);
		pair_clear(&p);
	}
}
END_TEST

START_TEST(all_that_is_said_is_understood)
{
	for (int i = 0; i < 4; i++) {
		begin(i & 1, i & 2);
		ck_assert(pair_same(&p));
		for (uint64_t k = 150; k <= 300; k++)
			pair_set(&p.n[0], k, k % 3 ? "after" : "");
		(void)ha_end_turn(p.n[0].ha);
		pair_talk(&p);
		ck_assert(pair_same(&p));
		/* Digests, windows. */
		p.time.now.us += SECONDS(6);
		ha_tick(p.n[0].ha);
		pair_talk(&p);
		pair_cut(&p);
		pair_promote(&p.n[1]);
		pair_set(&p.n[1], 7, "of b");
		(void)ha_end_turn(p.n[1].ha);
		pair_link(&p);
		pair_talk(&p);
		ck_assert_int_ne(ha_role_of(p.n[0].ha), ha_role_of(p.n[1].ha));
		ck_assert(pair_same(&p));
		ck_assert_uint_eq(p.n[0].closed + p.n[1].closed, 0);
		pair_clear(&p);
	}
}
END_TEST

START_TEST(a_ceiling_may_have_more)
{
	uint8_t b[64];
	struct writer w = wr_of(b, sizeof(b));
	struct ha_ceiling *c;

	begin(false, true);
	wr_u64(&w, 1 << 20);
	wr_u64(&w, 1 << 20);
	wr_u64(&w, 5);
	wr_u8(&w, 1);
	wr_bytes(&w, bytes_str("more"));
	ck_assert_int_eq(ha_ceiling_apply(p.n[1].ha, 77, false, wr_done(&w)), GW_OK);
	c = ha_ceiling_find(p.n[1].ha, 77);
	ck_assert(c && c->base == 1 << 20 && c->known == 5 && c->esn);
	for (size_t n = 0; n < 25; n++)
		ck_assert_int_eq(ha_ceiling_apply(p.n[1].ha, 78, false, bytes_of(b, n)), GW_EMALFORMED);
	ck_assert_ptr_null(ha_ceiling_find(p.n[1].ha, 78));
	pair_clear(&p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("format");

	tcase_add_test(t, the_lower_one_is_spoken);
	tcase_add_test(t, all_that_is_said_is_understood);
	tcase_add_test(t, a_ceiling_may_have_more);
	return check_main("format", t);
}
