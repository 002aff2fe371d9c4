/* Devices: marks and interfaces of SAs, offload, XFRM interfaces. */
#include "esp/xfrm_link.h"
#include "tests/esp/xfrm_check.h"

/* What an interface, marks and offload make of an SA, as the kernel shows it. */
START_TEST(extras_reach_the_kernel)
{
	struct dp_sa in = sa_here(DP_IN, 0xa001), out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[3], gone[] = { { .kind = DP_POLICY_REMOVE, .reqid = REQID },
					op_on(DP_SA_REMOVE, &in, 0),
					op_on(DP_SA_REMOVE, &out, 0) };
	const struct xfrm_view *v;
	size_t tunnels = 0;

	in.extra = (struct dp_extra){ .if_id = 7, .output_mark = 0x10, .output_mask = 0xf0 };
	out.extra =
		(struct dp_extra){ .if_id = 7, .mark = 0x10, .mark_mask = 0xf0, .output_mark = 5, .output_mask = 0xf };
	ops[0] = op_add(&in);
	ops[1] = op_add(&out);
	ops[2] = op_policy(REQID, &ours, &theirs);
	ops[2].policy.extra = (struct dp_extra){ .if_id = 7, .mark = 0x10, .mark_mask = 0xf0 };
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	v = view_of(in.spi);
	ck_assert(v->if_id == 7 && v->id.mark_mask == 0 && v->output_mark == 0x10 && v->output_mask == 0xf0);
	v = view_of(out.spi);
	ck_assert(v->if_id == 7 && v->id.mark == 0x10 && v->id.mark_mask == 0xf0 && v->output_mark == 5 &&
		  v->output_mask == 0xf);
	for (size_t i = 0; i < found.policies; i++)
		tunnels +=
			found.policy[i].if_id == 7 && found.policy[i].mark == 0x10 && found.policy[i].mark_mask == 0xf0;
	ck_assert_uint_eq(tunnels, 3);
	/* Moved, fenced and removed by the same names. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 1000)), GW_OK);
	ck_assert_uint_eq(view_of(out.spi)->hard, 1000);
	ck_assert_int_eq(plane_do(&plane, op_move(&out, plane.at, endpoint_of("127.0.0.3", 4502))), GW_OK);
	out.remote = endpoint_of("127.0.0.3", 4502);
	v = view_of(out.spi);
	ck_assert(v->if_id == 7 && v->id.mark == 0x10 && v->output_mark == 5);
	gone[2] = op_on(DP_SA_REMOVE, &out, 0);
	ck_assert_int_eq(plane_do_all(&plane, gone, 3), GW_OK);
	look(0);
	ck_assert_uint_eq(found.states, 0);
	ck_assert_uint_eq(found.policies, 3); /* the guard */
}
END_TEST

/* lo encrypts nothing: the kernel would do it by itself for `crypto`, and that is not what was asked for. */
START_TEST(offload_is_refused)
{
	static const enum dp_offload kinds[] = { DP_OFFLOAD_CRYPTO, DP_OFFLOAD_PACKET };
	struct dp_sa out = sa_here(DP_OUT, 0xb001), elsewhere = out;
	struct dp_op op;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (unsigned dir = DP_IN; dir <= DP_OUT; dir++) {
			out.dir = (enum dp_dir)dir;
			out.extra.offload = kinds[i];
			op = op_add(&out);
			ck_assert_int_eq(plane_do(&plane, op), GW_EUNSUPPORTED);
			look(0);
			ck_assert_uint_eq(found.states, 0);
		}
	elsewhere.local = endpoint_of("203.0.113.1", 500);
	elsewhere.extra.offload = DP_OFFLOAD_CRYPTO;
	ck_assert_int_eq(plane_do(&plane, op_add(&elsewhere)), GW_EUNSUPPORTED);
	out.extra.offload = DP_OFFLOAD_NONE;
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
}
END_TEST

static bool guarded(uint8_t dir, uint32_t if_id)
{
	for (size_t i = 0; i < found.policies; i++)
		if (found.policy[i].block && found.policy[i].dir == dir && found.policy[i].if_id == if_id)
			return true;
	return false;
}

/* The way into an interface is not blocked before it: outbound the guard is in there only. */
START_TEST(guards_of_interfaces)
{
	struct xfrm_guard guard = { .if_id = 7 };
	struct err e = { 0 };

	ck_assert(prefix_parse("10.0.0.0/8", &guard.clients));
	ck_assert_msg(xfrm_plane_set_guards(plane.dp, &guard, 1, &e) == GW_OK, "%s", e.text);
	look(0);
	ck_assert_uint_eq(found.policies, 5);
	ck_assert(guarded(XFRM_POLICY_OUT, 7) && guarded(XFRM_POLICY_IN, 7) && guarded(XFRM_POLICY_FWD, 7));
	ck_assert(!guarded(XFRM_POLICY_OUT, 0) && guarded(XFRM_POLICY_IN, 0) && guarded(XFRM_POLICY_FWD, 0));
	guard.if_id = 0;
	ck_assert_msg(xfrm_plane_set_guards(plane.dp, &guard, 1, &e) == GW_OK, "%s", e.text);
	look(0);
	/* The kernel has one policy for both, and it is there. */
	ck_assert(guarded(XFRM_POLICY_OUT, 0) && guarded(XFRM_POLICY_IN, 0) && guarded(XFRM_POLICY_FWD, 0));
	ck_assert(!guarded(XFRM_POLICY_OUT, 7) && !guarded(XFRM_POLICY_IN, 7) && !guarded(XFRM_POLICY_FWD, 7));
}
END_TEST

static size_t sweep(uint8_t node)
{
	struct err e = { 0 };
	size_t n;

	ck_assert_msg(xfrm_link_sweep(node, &n, &e) == GW_OK, "%s", e.text);
	return n;
}

START_TEST(interfaces)
{
	struct xfrm_link_config cfg = { .name = "gwx7", .if_id = 7, .mtu = 1300, .node = 3 }, other = cfg;
	struct err e = { 0 };
	enum gw_err r = xfrm_link_create(&cfg, &e);

	if (r == GW_EUNSUPPORTED) {
		ck_assert_msg(strstr(e.text, "xfrm_interface") != NULL, "%s", e.text);
		ck_assert_uint_eq(if_nametoindex("gwx7"), 0);
		ck_assert_uint_eq(sweep(3), 0);
		return;
	}
	ck_assert_msg(r == GW_OK, "%s", e.text);
	ck_assert_uint_ne(if_nametoindex("gwx7"), 0);
	ck_assert_msg(xfrm_link_create(&cfg, &e) == GW_OK, "%s", e.text);
	ck_assert_msg(xfrm_link_remove("gwx7", &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(if_nametoindex("gwx7"), 0);
	ck_assert_msg(xfrm_link_remove("gwx7", &e) == GW_OK, "%s", e.text);
	/* Another node's, and what is no XFRM interface, stays. */
	ck_assert_msg(xfrm_link_create(&cfg, &e) == GW_OK, "%s", e.text);
	other.node = 4;
	ck_assert_int_eq(xfrm_link_create(&other, &e), GW_EEXIST);
	(void)snprintf(e.text, sizeof(e.text), "-");
	other.name = "inside";
	ck_assert_int_eq(xfrm_link_create(&other, &e), GW_EEXIST);
	ck_assert_ptr_nonnull(strstr(e.text, "inside"));
	ck_assert_uint_ne(if_nametoindex("inside"), 0);
	ck_assert_uint_eq(sweep(4), 0);
	ck_assert_uint_ne(if_nametoindex("gwx7"), 0);
	ck_assert_uint_eq(sweep(3), 1);
	ck_assert_uint_eq(if_nametoindex("gwx7"), 0);
}
END_TEST

START_TEST(many_interfaces)
{
	struct err e = { 0 };

	for (uint32_t i = 0; i < 70; i++) {
		char name[16];
		const struct xfrm_link_config cfg = { .name = name, .if_id = 100 + i, .node = 3 };
		enum gw_err r;

		(void)snprintf(name, sizeof(name), "many%u", i);
		r = xfrm_link_create(&cfg, &e);
		if (r == GW_EUNSUPPORTED)
			return;
		ck_assert_msg(r == GW_OK, "%s", e.text);
	}
	ck_assert_uint_eq(sweep(3), 70);
	ck_assert_uint_eq(if_nametoindex("many66"), 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, extras_reach_the_kernel);
	tcase_add_test(t, offload_is_refused);
	tcase_add_test(t, guards_of_interfaces);
	tcase_add_test(t, interfaces);
	tcase_add_test(t, many_interfaces);
}

int main(void)
{
	return xfrm_run_cases("xfrm_link", add);
}
