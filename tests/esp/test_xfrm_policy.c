/* Policies in the kernel, ours and others', and ESP without UDP. */
#include "esp/xfrm_link.h"
#include "tests/esp/xfrm_check.h"

START_TEST(the_newest_of_equals)
{
	struct dp_sa a = sa_here(DP_OUT, 0xa001), b = sa_here(DP_OUT, 0xb001);
	struct dp_op first[] = { op_add(&a), op_policy(1, &ours, &theirs) };
	struct dp_op second[] = { op_add(&b), op_policy(2, &ours, &theirs) };
	struct dp_op gone[] = { { .kind = DP_POLICY_REMOVE, .reqid = 2 }, op_on(DP_SA_REMOVE, &b, 0) };
	struct selector wide = selector_for("10.0.0.0/8", 0, 0, 65535);
	int fd_a, fd_b;

	a.reqid = 1;
	a.remote.port = 5001;
	b.reqid = 2;
	b.remote.port = 5002;
	first[0] = op_add(&a);
	second[0] = op_add(&b);
	fd_a = socket_at("127.0.0.1", 5001);
	fd_b = socket_at("127.0.0.1", 5002);
	ck_assert_int_eq(plane_do_all(&plane, first, 2), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd_a), 1);
	ck_assert_int_eq(plane_do_all(&plane, second, 2), GW_OK);
	send_inside(1);
	ck_assert(next_seq(fd_b) == 1 && next_seq(fd_a) == 0);
	/* The older one steps aside: no matter. And the newer one goes: the older one is back. */
	ck_assert_int_eq(plane_do_all(&plane, gone, 2), GW_OK);
	send_inside(1);
	ck_assert(next_seq(fd_a) == 2 && next_seq(fd_b) == 0);
	/* A wider one, set later, is weaker. */
	second[1] = op_policy(2, &ours, &wide);
	ck_assert_int_eq(plane_do_all(&plane, second, 2), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd_a), 3);
	(void)close(fd_a);
	(void)close(fd_b);
}
END_TEST

START_TEST(ports_and_protocols)
{
	struct dp_sa a = sa_here(DP_OUT, 0xa001);
	struct selector narrow = selector_for("10.1.1.1", 17, 1990, 2010),
			other = selector_for("10.1.1.1", 6, 0, 65535);
	struct dp_op ops[] = { op_add(&a), op_policy(REQID, &ours, &narrow) };
	int fd = socket_at("127.0.0.1", 4501);

	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	send_inside(1); /* to port 2000 */
	ck_assert_uint_eq(next_seq(fd), 1);
	narrow.port_lo = 2001;
	ck_assert_int_eq(plane_do(&plane, op_policy(REQID, &ours, &narrow)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 0);
	ck_assert_int_eq(plane_do(&plane, op_policy(REQID, &ours, &other)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 0);
	ck_assert_int_eq(plane_do(&plane, op_policy(REQID, &ours, &theirs)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 2);
	(void)close(fd);
}
END_TEST

START_TEST(a_site_policy_swallows_no_ike)
{
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct selector all = selector_for("0.0.0.0/0", 0, 0, 65535);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, &all, &all) };
	struct xfrm_bypass by = { .local = { addr_of("192.168.1.1"), 32 },
				  .remote = { addr_of("10.0.0.0"), 8 },
				  .proto = 17,
				  .remote_port = 2000 };
	struct endpoint to = endpoint_of("10.1.1.1", 2000);
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&to, &ss);
	int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ike = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = socket_at("127.0.0.1", 4501);
	uint8_t buf[512];
	struct err e = { 0 };

	/* The peer's socket is in the same namespace, and all of it is behind this policy. */
	ck_assert_msg(xfrm_socket_bypass(fd, 4, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert_msg(xfrm_plane_add_socket(plane.dp, ike, 4, false, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(sendto(plain, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
	ck_assert_uint_eq(next_seq(fd), 1);
	/* IKE's goes where the route leads, in clear. */
	ck_assert_int_eq(sendto(ike, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
	ck_assert_uint_eq(next_seq(fd), 0);
	ck_assert(readable(plane.pool, 0) && read(plane.pool, buf, sizeof(buf)) == 29);
	/* And so does what is exempted by name. */
	ck_assert_msg(xfrm_plane_set_bypass(plane.dp, &by, 1, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(sendto(plain, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
	ck_assert_uint_eq(next_seq(fd), 0);
	ck_assert(readable(plane.pool, 0) && read(plane.pool, buf, sizeof(buf)) == 29);
	ck_assert_msg(xfrm_plane_set_bypass(plane.dp, NULL, 0, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(sendto(plain, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
	ck_assert_uint_eq(next_seq(fd), 2);
	(void)close(plain);
	(void)close(ike);
	(void)close(fd);
}
END_TEST

START_TEST(guards_change)
{
	struct xfrm_guard two[2] = { 0 };
	struct err e = { 0 };
	size_t blocks = 0;

	ck_assert(prefix_parse("10.0.0.0/8", &two[0].clients) && prefix_parse("2001:db8::/32", &two[1].clients));
	ck_assert_msg(xfrm_plane_set_guards(plane.dp, two, 2, &e) == GW_OK, "%s", e.text);
	look(0);
	ck_assert_uint_eq(found.policies, 6);
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	look(0);
	for (size_t i = 0; i < found.policies; i++)
		blocks += found.policy[i].block && found.policy[i].priority == XFRM_PRIO_SHUT;
	ck_assert(found.policies == 6 && blocks == 6);
	ck_assert_msg(xfrm_plane_set_guards(plane.dp, &two[1], 1, &e) == GW_OK, "%s", e.text);
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	look(0);
	ck_assert_uint_eq(found.policies, 3);
	ck_assert(found.policy[0].priority == XFRM_PRIO_GUARD && found.policy[0].row.theirs.len == 32);
}
END_TEST

/* ---- other ways of ESP ---- */

static void raw_case(const char *local, const char *remote, enum dp_mode mode, const struct selector *mine,
		     const struct selector *other)
{
	struct addr at = addr_of(local);
	bool six = at.family == 6;
	int raw = socket(six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, 50);
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, mine, other) };
	size_t skip = six ? 0 : 20;
	uint8_t buf[2048];
	uint32_t spi, seq;
	ssize_t n;

	ck_assert_int_ge(raw, 0);
	out.mode = mode;
	out.udp_encap = false;
	out.local = endpoint_of(local, 0);
	out.remote = endpoint_of(remote, 0);
	ops[0] = op_add(&out);
	ops[1].policy.mode = mode;
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	if (mode == DP_TUNNEL) {
		send_inside(1);
	} else {
		struct endpoint to = endpoint_of(remote, 2000);
		struct sockaddr_storage ss;
		socklen_t len = (socklen_t)endpoint_to_sockaddr(&to, &ss);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
		(void)close(fd);
	}
	ck_assert_msg(readable(raw, QUIET_MS), "%s to %s", local, remote);
	n = recv(raw, buf, sizeof(buf), 0);
	ck_assert_int_gt(n, (ssize_t)skip);
	ck_assert(packet_peek(bytes_of(buf + skip, (size_t)n - skip), &spi, &seq));
	ck_assert(spi == out.spi && seq == 1);
	(void)close(raw);
	{
		struct dp_op gone[] = { { .kind = DP_POLICY_REMOVE, .reqid = REQID }, op_on(DP_SA_REMOVE, &out, 0) };

		ck_assert_int_eq(plane_do_all(&plane, gone, 2), GW_OK);
	}
}

START_TEST(without_udp)
{
	struct selector here = selector_for("127.0.0.1", 0, 0, 65535), there = selector_for("127.0.0.2", 17, 0, 65535);

	setting("ipv6/conf/all/disable_ipv6", "0");
	setting("ipv6/conf/lo/disable_ipv6", "0");
	raw_case("127.0.0.1", "127.0.0.2", DP_TUNNEL, &ours, &theirs);
	raw_case("::1", "::1", DP_TUNNEL, &ours, &theirs);
	raw_case("127.0.0.1", "127.0.0.2", DP_TRANSPORT, &here, &there);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, the_newest_of_equals);
	tcase_add_test(t, ports_and_protocols);
	tcase_add_test(t, a_site_policy_swallows_no_ike);
	tcase_add_test(t, guards_change);
	tcase_add_test(t, without_udp);
}

int main(void)
{
	return xfrm_run_cases("xfrm_policy", add);
}
