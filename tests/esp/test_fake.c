#include "esp/fake.h"

#include "tests/esp/plane_check.h"

static struct plane plane;
static struct selector ours, theirs;

static void begin(void)
{
	plane_open(&plane, true, 0);
	ours = selector_for("0.0.0.0/0", 0, 0, 65535);
	theirs = selector_for("10.1.1.1", 0, 0, 65535);
}

static void end(void)
{
	plane_close(&plane);
}

static void wake(void *arg)
{
	++*(int *)arg;
}

START_TEST(waits_until_run)
{
	struct dp_sa sa = sa_of(DP_IN, 0x1001, 1);
	struct dp_op op = op_add(&sa);
	struct dp_event event;
	int woken = 0;

	fake_plane_on_wake(plane.dp, wake, &woken);
	for (uint64_t i = 1; i <= 3; i++, op.sa.spi++)
		ck_assert_int_eq(dp_submit(plane.dp, i, &op, 1), GW_OK);
	ck_assert(!plane.dp->ops->take_event(plane.dp, &event));
	ck_assert_uint_eq(fake_plane_waiting(plane.dp), 3);
	ck_assert_uint_eq(fake_plane_sa_count(plane.dp), 0);
	ck_assert_int_eq(woken, 0);
	ck_assert_uint_eq(fake_plane_run(plane.dp, 2), 2);
	ck_assert_uint_eq(fake_plane_sa_count(plane.dp), 2);
	ck_assert_int_eq(woken, 1);
	ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.token == 1);
	ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.token == 2);
	ck_assert(!plane.dp->ops->take_event(plane.dp, &event));
	/* At most one may wait from now on: the third stays until a fourth comes. */
	fake_plane_hold(plane.dp, 1);
	ck_assert_uint_eq(fake_plane_waiting(plane.dp), 1);
	ck_assert_int_eq(dp_submit(plane.dp, 4, &op, 1), GW_OK);
	ck_assert_int_eq(woken, 2);
	ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.token == 3);
	fake_plane_hold(plane.dp, 0);
	ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.token == 4);
	/* None may wait: applied within submit, told by take_event. */
	op.sa.spi++;
	ck_assert_int_eq(dp_submit(plane.dp, 5, &op, 1), GW_OK);
	ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.token == 5);
}
END_TEST

START_TEST(fails_on_request)
{
	struct dp_sa a = sa_of(DP_IN, 0x1001, 1), b = sa_of(DP_OUT, 0x1002, 1);
	struct dp_op ops[] = { op_policy(1, &ours, &theirs), op_add(&a), op_add(&b) };
	struct dp_event event;

	fake_plane_fail(plane.dp, DP_SA_ADD, 0x1002, GW_EIO, 1);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_EIO);
	ck_assert_uint_eq(fake_plane_sa_count(plane.dp), 0);
	ck_assert_uint_eq(fake_plane_policy_count(plane.dp), 0);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	fake_plane_fail(plane.dp, DP_POLICY_SET, 1, GW_ENOMEM, 2);
	fake_plane_fail(plane.dp, DP_SA_REMOVE, 0, GW_EIO, 1);
	ck_assert_int_eq(plane_do(&plane, ops[0]), GW_ENOMEM);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &a, 0)), GW_EIO);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &a, 0)), GW_OK);
	fake_plane_fail(plane.dp, DP_POLICY_SET, 1, GW_ENOMEM, 0);
	ck_assert_int_eq(plane_do(&plane, ops[0]), GW_OK);
	fake_plane_refuse(plane.dp, GW_ELIMIT, 1);
	ck_assert_int_eq(dp_submit(plane.dp, 99, ops, 1), GW_ELIMIT);
	ck_assert(!plane_event(&plane, &event, 0));
	ck_assert_int_eq(plane_do(&plane, ops[0]), GW_OK);
}
END_TEST

START_TEST(shows_what_it_has)
{
	struct dp_sa a = sa_of(DP_OUT, 0x1001, 1), got;
	struct dp_op ops[] = { op_policy(1, &ours, &theirs), op_add(&a) };
	struct dp_sa_id id = id_of(&a);
	struct dp_policy policy;

	ops[1].sa.start = 5;
	ck_assert(!fake_plane_sa(plane.dp, &id, &got));
	ck_assert(!fake_plane_policy(plane.dp, 1, &policy));
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert_uint_eq(fake_plane_send(plane.dp, 1, 2, 100), 2);
	ck_assert(fake_plane_sa(plane.dp, &id, &got));
	ck_assert(got.spi == a.spi && got.reqid == 1 && got.start == 7 && got.base.bytes == 200);
	ck_assert(bytes_equal(got.encr_key, a.encr_key) && endpoint_equal(&got.remote, &a.remote));
	ck_assert(fake_plane_policy(plane.dp, 1, &policy));
	ck_assert(policy.theirs_count == 1 && selector_equal(&policy.theirs[0], &theirs));
	ck_assert(fake_plane_is_open(plane.dp));
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	ck_assert(!fake_plane_is_open(plane.dp));
}
END_TEST

START_TEST(records)
{
	struct dp_sa a = sa_of(DP_IN, 0x1001, 6);
	struct fake_record r;

	a.start = 12;
	ck_assert_int_eq(plane_do(&plane, op_add(&a)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&a)), GW_EEXIST);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &a, 50)), GW_OK);
	ck_assert_uint_eq(fake_plane_recorded(plane.dp), 3);
	ck_assert(fake_plane_record(plane.dp, 0, &r));
	ck_assert(r.kind == DP_SA_ADD && r.spi == 0x1001 && r.reqid == 6 && r.position == 12 && r.result == GW_OK);
	ck_assert(fake_plane_record(plane.dp, 1, &r) && r.result == GW_EEXIST);
	ck_assert(fake_plane_record(plane.dp, 2, &r) && r.kind == DP_SA_WINDOW && r.position == 50);
	ck_assert(!fake_plane_record(plane.dp, 3, &r));
	ck_assert_uint_eq(fake_plane_applied(plane.dp, DP_SA_ADD), 1);
	for (int i = 0; i < FAKE_RECORDS_KEPT; i++)
		ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &a, 50)), GW_OK);
	ck_assert(!fake_plane_record(plane.dp, 2, &r));
	ck_assert(fake_plane_record(plane.dp, 3, &r) && r.token == 4);
}
END_TEST

START_TEST(raises)
{
	struct dp_event event = { .kind = DP_MOVED, .position = 3 };

	ck_assert(fake_plane_raise(plane.dp, &event));
	event.position = 0;
	ck_assert(plane.dp->ops->take_event(plane.dp, &event));
	ck_assert(event.kind == DP_MOVED && event.position == 3);
}
END_TEST

START_TEST(many)
{
	enum { N = 100000 };
	struct dp_sa a = sa_of(DP_IN, 0, 1), b = sa_of(DP_OUT, 0, 1);
	struct dp_sa_state out[512];
	uint64_t cookie = 0;
	size_t total = 0;

	fake_plane_hold(plane.dp, 0);
	for (uint32_t i = 0; i < N / 2; i++) {
		struct dp_op ops[2];
		struct dp_event event;

		a.spi = b.spi = 0x10000 + i;
		a.reqid = b.reqid = i + 1;
		ops[0] = op_add(&a);
		ops[1] = op_add(&b);
		ck_assert_int_eq(dp_submit(plane.dp, i, ops, 2), GW_OK);
		ck_assert(plane.dp->ops->take_event(plane.dp, &event) && event.result == GW_OK);
	}
	ck_assert_uint_eq(fake_plane_sa_count(plane.dp), N);
	do
		total += plane.dp->ops->dump(plane.dp, &cookie, out, ARRAY_LEN(out));
	while (cookie != 0);
	ck_assert_uint_eq(total, N);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, waits_until_run);
	tcase_add_test(t, fails_on_request);
	tcase_add_test(t, shows_what_it_has);
	tcase_add_test(t, records);
	tcase_add_test(t, raises);
	tcase_add_test(t, many);
}

int main(void)
{
	return run_cases("fake", add);
}
