#include "daemon/arrears.h"

#include "tests/esp/plane_check.h"

START_TEST(kept_until_the_plane_takes_them)
{
	struct selector ours = selector_for("192.168.1.0/24", 0, 0, 65535);
	struct selector theirs = selector_for("10.1.0.0/16", 0, 0, 65535);
	struct dp_sa in = sa_of(DP_IN, 0xa001, 7), out = sa_of(DP_OUT, 0xb001, 7);
	struct dp_op ops[] = { op_policy(7, &ours, &theirs), op_add(&in), op_add(&out) };
	struct dp_op gone[] = { op_on(DP_SA_REMOVE, &in, 0),
				op_on(DP_SA_FENCE, &out, 5), /* no removal: not kept */
				op_on(DP_SA_REMOVE, &out, 0),
				{ .kind = DP_POLICY_REMOVE, .reqid = 7 } };
	struct arrears a = { 0 };
	struct plane p;

	plane_open(&p, true, 1);
	ck_assert_int_eq(plane_do_all(&p, ops, 3), GW_OK);
	ck_assert_int_eq(arrears_keep(&a, gone, 2), GW_OK);
	ck_assert_int_eq(arrears_keep(&a, gone + 2, 2), GW_OK);
	fake_plane_refuse(p.dp, GW_ENOMEM, 2);
	for (int i = 0; i < 2; i++) {
		arrears_settle(&a, p.dp);
		ck_assert_uint_eq(a.n, 3);
	}
	arrears_settle(&a, p.dp);
	ck_assert_uint_eq(a.n, 0);
	fake_plane_run(p.dp, SIZE_MAX);
	ck_assert_uint_eq(fake_plane_sa_count(p.dp), 0);
	ck_assert_uint_eq(fake_plane_policy_count(p.dp), 0);
	arrears_settle(&a, p.dp);
	arrears_clear(&a);
	plane_close(&p);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, kept_until_the_plane_takes_them);
}

int main(void)
{
	return run_cases("arrears", add);
}
