/* Every plane: fences, positions and windows; events; what it tells of its SAs. */
#include "tests/esp/conformance_check.h"

/* ---- cases: numbers ---- */

START_TEST(fence)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001);
	uint32_t spi;

	out.start = 100;
	out.fence = 110;
	set_policy();
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert_uint_eq(send_inside(5, &spi), 5);
	expect_no_event();
	ck_assert_uint_eq(send_inside(1, &spi), 1);
	expect_event(DP_NEAR_FENCE, &out);
	ck_assert_uint_eq(send_inside(10, &spi), 4);
	expect_event(DP_AT_FENCE, &out);
	ck_assert_uint_eq(send_inside(2, &spi), 0);
	expect_no_event(); /* once per fence */
	ck_assert_uint_eq(state_of(&out).position, 110);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 112)), GW_OK);
	ck_assert_uint_eq(state_of(&out).fence, 112);
	ck_assert_uint_eq(send_inside(4, &spi), 2);
	expect_event(DP_NEAR_FENCE, &out);
	expect_event(DP_AT_FENCE, &out);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, DP_NO_FENCE)), GW_OK);
	ck_assert_uint_eq(send_inside(20, &spi), 20);
	/* Lowered to what has been used: shut. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 132)), GW_OK);
	ck_assert_uint_eq(send_inside(2, &spi), 0);
}
END_TEST

START_TEST(position)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	uint32_t spi;

	set_policy();
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_uint_eq(send_inside(3, &spi), 3);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 1000)), GW_OK);
	ck_assert_uint_eq(state_of(&out).position, 1000);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 1000)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 999)), GW_EINVAL);
	ck_assert_uint_eq(send_inside(1, &spi), 1);
	ck_assert_uint_eq(state_of(&out).position, 1001);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &in, 5)), GW_EINVAL);
}
END_TEST

START_TEST(rewind_unused)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	uint32_t spi;

	out.start = 1000;
	out.fence = 2000;
	set_policy();
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &in, 0)), GW_EINVAL);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &out, 1001)), GW_EINVAL);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &out, 17)), GW_OK);
	ck_assert_uint_eq(state_of(&out).position, 17);
	ck_assert_uint_eq(state_of(&out).fence, 2000);
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	ck_assert_uint_eq(send_inside(3, &spi), 3);
	ck_assert_uint_eq(state_of(&out).position, 20);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 100)), GW_OK);
	/* Not while it is open; and never over what was used here. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &out, 50)), GW_EINVAL);
	plane.dp->ops->set_open(plane.dp, DP_INBOUND_ONLY);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &out, 19)), GW_EINVAL);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REWIND, &out, 20)), GW_OK);
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	ck_assert_uint_eq(send_inside(1, &spi), 1);
	ck_assert_uint_eq(state_of(&out).position, 21);
	/* The fence is where it was. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 23)), GW_OK);
	ck_assert_uint_eq(send_inside(5, &spi), 2);
}
END_TEST

START_TEST(window)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);

	set_policy();
	in.start = 40;
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert(!send_peer(&in, 40, peer, &peer_at));
	ck_assert(send_peer(&in, 42, peer, &peer_at));
	ck_assert(send_peer(&in, 41, peer, &peer_at));
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &in, 100)), GW_OK);
	ck_assert_uint_eq(state_of(&in).position, 100);
	ck_assert(!send_peer(&in, 100, peer, &peer_at));
	ck_assert(!send_peer(&in, 99, peer, &peer_at));
	ck_assert(send_peer(&in, 101, peer, &peer_at));
	/* Never backwards. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &in, 50)), GW_OK);
	ck_assert_uint_eq(state_of(&in).position, 101);
	ck_assert(!send_peer(&in, 101, peer, &peer_at));
	ck_assert(!send_peer(&in, 45, peer, &peer_at));
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &out, 5)), GW_EINVAL);
}
END_TEST

START_TEST(esn_over_the_border)
{
	const uint64_t border = UINT64_C(0x100000000);
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	uint32_t spi;

	if (!plane.dp->ops->caps(plane.dp)->esn)
		return;
	set_policy();
	in.esn = out.esn = true;
	in.start = out.start = border - 3;
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_uint_eq(send_inside(6, &spi), 6);
	ck_assert_uint_eq(state_of(&out).position, border + 3);
	ck_assert(send_peer(&in, border - 2, peer, &peer_at));
	ck_assert(send_peer(&in, border + 1, peer, &peer_at));
	ck_assert(send_peer(&in, border - 1, peer, &peer_at)); /* late, from below */
	ck_assert(send_peer(&in, border, peer, &peer_at));
	ck_assert(!send_peer(&in, border + 1, peer, &peer_at));
	ck_assert_uint_eq(state_of(&in).position, border + 1);
}
END_TEST

START_TEST(dumps_all)
{
	enum { N = 300 };
	static bool told[N];
	struct dp_sa_state out[64];
	uint64_t cookie = 0;
	size_t total = 0;

	memset(told, 0, sizeof(told));
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa sa = make_sa(i % 2 ? DP_IN : DP_OUT, 0x5000 + i);

		sa.start = i;
		ck_assert_int_eq(plane_do(&plane, op_add(&sa)), GW_OK);
	}
	do {
		size_t n = plane.dp->ops->dump(plane.dp, &cookie, out, ARRAY_LEN(out));

		ck_assert_uint_le(n, ARRAY_LEN(out));
		for (size_t i = 0; i < n; i++) {
			uint32_t k = out[i].id.spi - 0x5000;

			ck_assert(k < N && !told[k] && out[i].position == k);
			told[k] = true;
		}
		total += n;
	} while (cookie != 0);
	ck_assert_uint_eq(total, N);
}
END_TEST

static unsigned times_used(const struct dp_sa *sa)
{
	struct dp_sa_state out[64];
	unsigned found = 0;
	size_t n;

	do {
		n = plane.dp->ops->take_used(plane.dp, out, ARRAY_LEN(out));
		for (size_t i = 0; i < n; i++)
			found += out[i].id.dir == sa->dir && out[i].id.spi == sa->spi;
	} while (n == ARRAY_LEN(out));
	return found;
}

START_TEST(tells_of_the_used_once)
{
	struct dp_sa in = make_sa(DP_IN, 0xa001), idle = make_sa(DP_IN, 0xa002), out = make_sa(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&in), op_add(&idle), op_add(&out) };

	ck_assert_int_eq(plane_do_all(&plane, ops, 4), GW_OK);
	ck_assert_uint_eq(times_used(&in), 0);
	ck_assert(send_peer(&in, 10, peer, &peer_at));
	(void)state_of(&in);
	ck_assert_uint_eq(times_used(&in), 1);
	ck_assert_uint_eq(times_used(&in), 0);
	ck_assert(send_peer(&idle, 10, peer, &peer_at));
	ck_assert(send_peer(&in, 11, peer, &peer_at));
	ck_assert_int_eq(
		plane_do(&plane, (struct dp_op){ .kind = DP_SA_REMOVE, .id = { DP_IN, in.spi, in.remote.addr } }),
		GW_OK);
	(void)state_of(&idle);
	ck_assert_uint_eq(times_used(&idle), 1);
	ck_assert_uint_eq(times_used(&in), 0);
}
END_TEST

/* ---- cases: events ---- */

START_TEST(moved_peer)
{
	struct dp_sa in = make_sa(DP_IN, 0xa001), out = make_sa(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&in), op_add(&out) };
	struct endpoint there = endpoint_of("127.0.0.1", 4599);
	struct dp_event event;
	uint8_t buf[2048];
	int moved = plane.fake ? -1 : loopback_socket(&there);

	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	ck_assert(send_peer(&in, 10, peer, &peer_at));
	expect_no_event();
	/* An old packet that came another way says nothing. */
	if (caps_of()->moves_by_newest) {
		ck_assert(send_peer(&in, 9, moved, &there));
		expect_no_event();
	}
	ck_assert(send_peer(&in, 11, moved, &there));
	ck_assert(plane_event(&plane, &event, PATIENCE_MS));
	ck_assert_int_eq(event.kind, DP_MOVED);
	ck_assert_int_eq(event.id.dir, DP_IN);
	ck_assert_uint_eq(event.id.spi, in.spi);
	ck_assert(endpoint_equal(&event.remote, &there));
	ck_assert_uint_eq(event.position, 11);
	/* Once per change. */
	ck_assert(send_peer(&in, 12, moved, &there));
	expect_no_event();
	{
		struct dp_op move[] = { op_move(&in, plane.at, there), op_move(&out, plane.at, there) };

		ck_assert_int_eq(plane_do_all(&plane, move, 2), GW_OK);
	}
	out.remote = there;
	ck_assert_uint_eq(state_of(&out).position, 0);
	ck_assert_uint_eq(state_of(&in).position, 12);
	ck_assert(!send_peer(&in, 12, moved, &there)); /* the window stays */
	ck_assert(send_peer(&in, 13, moved, &there));
	expect_no_event();
	if (!plane.fake) { /* and packets go there */
		struct flow f = { "192.168.1.5", "10.1.1.1", 17, 1000, 2000, 0, false, 0, 72 };
		size_t len = flow_write(&f, buf, sizeof(buf));

		ck_assert_int_eq(write(plane.inside, buf, len), (ssize_t)len);
		ck_assert(readable(moved, PATIENCE_MS));
		(void)close(moved);
	}
}
END_TEST

START_TEST(unknown_spi)
{
	struct dp_sa in = make_sa(DP_IN, 0xa001);
	struct dp_event event;

	ck_assert(!send_peer(&in, 7, peer, &peer_at));
	if (!caps_of()->tells_no_sa)
		return;
	ck_assert(plane_event(&plane, &event, PATIENCE_MS));
	ck_assert_int_eq(event.kind, DP_NO_SA);
	ck_assert_uint_eq(event.id.spi, in.spi);
	ck_assert(endpoint_equal(&event.remote, &peer_at));
}
END_TEST

static void add_cases(TCase *t)
{
	tcase_add_test(t, fence);
	tcase_add_test(t, position);
	tcase_add_test(t, rewind_unused);
	tcase_add_test(t, window);
	tcase_add_test(t, esn_over_the_border);
	tcase_add_test(t, dumps_all);
	tcase_add_test(t, tells_of_the_used_once);
	tcase_add_test(t, moved_peer);
	tcase_add_test(t, unknown_spi);
}

int main(void)
{
	return conformance_main();
}
