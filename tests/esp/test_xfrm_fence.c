/* Fences of outbound SAs in the kernel, lost events, and states that tell of themselves. */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "tests/esp/xfrm_check.h"

static struct selector client_number(uint32_t i)
{
	struct selector client = selector_for("10.3.0.0", 0, 0, 65535);

	put_u32(client.range.lo.b, 0x0a030000 + i);
	client.range.hi = client.range.lo;
	return client;
}

START_TEST(lost_events_are_made_good)
{
	enum { N = 60 };
	struct xfrm_plane *x = xfrm_self(plane.dp);
	struct dp_event event;
	const int tiny = 1;
	unsigned at = 0, near = 0;

	ck_assert_int_eq(setsockopt(x->events.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa out = sa_here(DP_OUT, 0xb000 + i);
		struct selector client = client_number(i);
		struct dp_op ops[2];

		out.reqid = i + 1;
		out.fence = i % 2 ? 4 : 10;
		ops[0] = op_add(&out);
		ops[1] = op_policy(i + 1, &ours, &client);
		ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct selector client = client_number(i);
		struct flow f = { "192.168.1.5", NULL, 17, 1000, 2000, 0, false, 0, 72 };
		char text[ADDR_TEXT];
		uint8_t buf[256];
		size_t n;

		f.dst = addr_text(&client.range.lo, text);
		n = flow_write(&f, buf, sizeof(buf));
		for (int k = 0; k < 6; k++)
			ck_assert_int_eq(write(plane.inside, buf, n), (ssize_t)n);
	}
	while ((at < N / 2 || near < N / 2) && plane_event(&plane, &event, 500)) {
		at += event.kind == DP_AT_FENCE;
		near += event.kind == DP_NEAR_FENCE;
		ck_assert_uint_eq(event.position, event.kind == DP_AT_FENCE ? 4 : event.position);
	}
	ck_assert_uint_eq(at, N / 2);
	ck_assert_uint_ge(near, N / 2); /* of those at their fence it may have been lost: nobody needs it then */
	ck_assert_uint_ge(plane_stat(&plane, "overruns"), 1);
}
END_TEST

START_TEST(revived_at_the_fence)
{
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, &ours, &theirs) };
	struct dp_event event;
	int fd = socket_at("127.0.0.1", 4501);

	out.start = 10;
	out.fence = 12;
	ops[0] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	send_inside(4);
	ck_assert(next_seq(fd) == 11 && next_seq(fd) == 12 && next_seq(fd) == 0);
	look(out.spi);
	ck_assert_uint_eq(found.states, 0);
	/* Raised before we heard of it: the update finds no state, and makes it again. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 14)), GW_OK);
	send_inside(4);
	ck_assert(next_seq(fd) == 13 && next_seq(fd) == 14 && next_seq(fd) == 0);
	while (plane_event(&plane, &event, QUIET_MS))
		;
	/* While it is gone: moving, positioning and removing work on the books. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 20)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 19)), GW_EINVAL);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 22)), GW_OK);
	send_inside(4);
	ck_assert(next_seq(fd) == 21 && next_seq(fd) == 22 && next_seq(fd) == 0);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &out, 0)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 30)), GW_ENOTFOUND);
	(void)close(fd);
}
END_TEST

/*
 * Somebody in this namespace listens to acquires (`ip xfrm monitor`, another daemon): a packet that finds no state then
 * leaves a larval one, which takes our SPI. It is in nobody's way.
 */
START_TEST(somebody_listens_to_acquires)
{
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, &ours, &theirs) };
	struct dp_sa_id id = id_of(&out);
	int fd = socket_at("127.0.0.1", 4501);
	struct nl_socket listener;
	struct dp_sa_state s;
	struct dp_event event;
	struct err e = { 0 };

	ck_assert_int_eq(nl_open(NETLINK_XFRM, &listener, &e), GW_OK);
	ck_assert_int_eq(nl_join(&listener, XFRMNLGRP_ACQUIRE, &e), GW_OK);
	/* Without an SA our policies block, and ask nobody. */
	ck_assert_int_eq(plane_do(&plane, ops[1]), GW_OK);
	send_inside(1);
	ck_assert(!readable(listener.fd, QUIET_MS));
	out.fence = 2;
	ops[0] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	send_inside(4);
	ck_assert(next_seq(fd) == 1 && next_seq(fd) == 2 && next_seq(fd) == 0);
	ck_assert(readable(listener.fd, PATIENCE_MS));
	look(out.spi);
	ck_assert(found.states == 1 && found.view[0].user == 0 && found.view[0].algorithm == NULL);
	/* Raised before we heard of it: the number goes on, though the state that is there begins at 0. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 4)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 3);
	send_inside(3);
	ck_assert(next_seq(fd) == 4 && next_seq(fd) == 0);
	/* Looked at, heard of, then raised. */
	ck_assert_int_eq(plane.dp->ops->query(plane.dp, &id, &s), GW_OK);
	ck_assert_uint_eq(s.position, 4);
	ck_assert(plane_event(&plane, &event, PATIENCE_MS));
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 6)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 5);
	send_inside(3);
	ck_assert(next_seq(fd) == 6 && next_seq(fd) == 0);
	/* Positioned, and removed. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 10)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 12)), GW_OK);
	send_inside(1);
	ck_assert_uint_eq(next_seq(fd), 11);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &out, 0)), GW_OK);
	look(0);
	ck_assert_uint_eq(found.states, 0);
	nl_close(&listener);
	(void)close(fd);
}
END_TEST

/* A TUN that takes packets to be segmented by the system. */
static int segmenting_device(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct err e = { 0 };

	memcpy(ifr.ifr_name, name, strlen(name));
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	ck_assert_msg(tun_set_mtu(name, 9000, &e) == GW_OK, "%s", e.text);
	ck_assert_msg(tun_set_up(name, true, &e) == GW_OK, "%s", e.text);
	return fd;
}

/* One TCP packet of ten segments comes from inside: each has a number of its own, and the fence stops among them. */
START_TEST(segmentation_stops_at_the_fence)
{
	enum { MSS = 100, SEGMENTS = 10, LEN = 40 + MSS * SEGMENTS };
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, &ours, &theirs) };
	struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				       .hdr_len = 40,
				       .gso_size = MSS,
				       .csum_start = 20,
				       .csum_offset = 16 };
	int fd = socket_at("127.0.0.1", 4501), big = segmenting_device("big");
	struct dp_sa_id id = id_of(&out);
	uint8_t buf[sizeof(vnet) + LEN] = { 0 }, *ip = buf + sizeof(vnet), *tcp = ip + 20;
	struct dp_sa_state state;
	uint16_t pseudo;

	out.fence = 4;
	ops[0] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	setting("ipv4/conf/big/rp_filter", "0");
	setting("ipv4/conf/all/rp_filter", "0");
	memcpy(buf, &vnet, sizeof(vnet));
	ip[0] = 0x45;
	put_u16(ip + 2, LEN);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, addr_of("192.168.1.5").b, 4);
	memcpy(ip + 16, addr_of("10.1.1.1").b, 4);
	put_u16(ip + 10, sum_of(ip, 20));
	put_u16(tcp, 1000);
	put_u16(tcp + 2, 2000);
	tcp[12] = 0x50;
	tcp[13] = 0x10; /* ACK */
	/* The sum of the pseudo header, as a device that leaves the rest to us gets it. */
	pseudo = (uint16_t)~sum_of(
		(const uint8_t[]){ 192, 168, 1, 5, 10, 1, 1, 1, 0, 6, (LEN - 20) >> 8, (LEN - 20) & 0xff }, 12);
	put_u16(tcp + 16, pseudo);
	ck_assert_int_eq(write(big, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	for (uint32_t seq = 1; seq <= 4; seq++)
		ck_assert_uint_eq(next_seq(fd), seq);
	ck_assert_uint_eq(next_seq(fd), 0);
	ck_assert_int_eq(plane.dp->ops->query(plane.dp, &id, &state), GW_OK);
	ck_assert_uint_eq(state.position, 4);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 100)), GW_OK);
	ck_assert_int_eq(write(big, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	for (uint32_t seq = 5; seq <= 14; seq++)
		ck_assert_uint_eq(next_seq(fd), seq);
	(void)close(big);
	(void)close(fd);
}
END_TEST

START_TEST(no_number_beyond_32_bits)
{
	struct dp_sa out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&out), op_policy(REQID, &ours, &theirs) };
	int fd = socket_at("127.0.0.1", 4501);

	out.start = UINT32_MAX - 2;
	ops[0] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	send_inside(5);
	ck_assert(next_seq(fd) == UINT32_MAX - 1 && next_seq(fd) == UINT32_MAX && next_seq(fd) == 0);
	(void)close(fd);
}
END_TEST

/* ---- states that tell of themselves ---- */

/* The plane anew, with reports. */
static void reopen_with_reports(int64_t report_us)
{
	const struct xfrm_plane_config cfg = { .keep_thresholds = true, .report_us = report_us, .dump_age_us = 1 };
	struct err e = { 0 };

	plane.dp->ops->destroy(plane.dp);
	plane.dp = xfrm_plane_create(&plane.env, &cfg, &e);
	ck_assert_msg(plane.dp != NULL, "%s", e.text);
	ck_assert_msg(xfrm_plane_add_socket(plane.dp, plane.udp, 4, true, &e) == GW_OK, "%s", e.text);
}

/* Whether the plane says that packets have used this one; what it says of it. */
static bool told_of(const struct dp_sa *sa, struct dp_sa_state *out)
{
	struct dp_sa_state states[16];
	size_t n = plane.dp->ops->take_used(plane.dp, states, ARRAY_LEN(states));
	bool told = false;

	for (size_t i = 0; i < n; i++) {
		if (states[i].id.spi != sa->spi || states[i].id.dir != sa->dir)
			continue;
		*out = states[i];
		told = true;
	}
	return told;
}

static void turn(void)
{
	struct dp_event event;

	while (plane_event(&plane, &event, 0))
		;
}

/* What is used is told by the kernel, at once, then once in a while; nobody looks at the SAs. */
START_TEST(reports)
{
	struct dp_sa in = sa_here(DP_IN, 0xa001), out = sa_here(DP_OUT, 0xb001), idle = sa_here(DP_IN, 0xa002);
	struct dp_op ops[] = { op_add(&in), op_add(&out), op_policy(REQID, &ours, &theirs), op_add(&idle) };
	struct xfrm_plane *x;
	struct dp_sa_state s;
	struct dp_op ahead;
	uint64_t sends, aevents;

	in.esn = (_i & 1) != 0;
	out.esn = in.esn;
	ops[0] = op_add(&in);
	ops[1] = op_add(&out);
	reopen_with_reports(MILLISECONDS(100));
	x = xfrm_self(plane.dp);
	ck_assert_uint_gt(x->teller.ticks, 0);
	ck_assert_int_eq(plane_do_all(&plane, ops, 4), GW_OK);
	ck_assert(!told_of(&in, &s)); /* from here on they tell */
	ck_assert(x->teller.joined);
	sends = plane_stat(&plane, "sends");
	ck_assert(arrives(&in, 5, "127.0.0.1", 4501, &plane.at));
	ck_assert(told_of(&in, &s));
	ck_assert_uint_eq(s.position, 5);
	ck_assert(arrives(&in, 6, "127.0.0.1", 4501, &plane.at));
	ck_assert(told_of(&in, &s));
	ck_assert(s.position == 6 && s.count.packets == 1 && s.count.bytes > 0); /* one behind */
	ck_assert(!told_of(&in, &s));
	send_inside(3);
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert(told_of(&out, &s));
	ck_assert(s.position == 3 && s.count.packets == 3);
	ck_assert_uint_eq(plane_stat(&plane, "sends"), sends);
	/* From their first report on they tell of a hundred packets once, not a hundred times. */
	turn();
	aevents = plane_stat(&plane, "aevents");
	send_inside(100);
	(void)poll(NULL, 0, 300);
	ck_assert(told_of(&out, &s));
	ck_assert(s.position == 103 && s.count.packets == 103);
	ck_assert_uint_le(plane_stat(&plane, "aevents"), aevents + 5);
	/* After a pause, of the first packet at once. */
	(void)poll(NULL, 0, 300);
	(void)told_of(&out, &s);
	send_inside(1);
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert(told_of(&out, &s) && s.position == 104);
	/* What we write ourselves is no use of an SA. */
	ahead = op_on(DP_SA_WINDOW, &idle, 50);
	ck_assert_int_eq(plane_do(&plane, ahead), GW_OK);
	ck_assert(!told_of(&idle, &s));
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_FENCE, &out, 1000)), GW_OK);
	ck_assert(!told_of(&out, &s));
	/* Moved: a new state, and it tells. */
	ck_assert_int_eq(plane_do(&plane, op_move(&in, plane.at, endpoint_of("127.0.0.9", 7000))), GW_OK);
	(void)told_of(&in, &s);
	ck_assert(arrives(&in, 9, "127.0.0.9", 7000, &plane.at));
	ck_assert(told_of(&in, &s) && s.position == 9);
	ck_assert_uint_eq(plane_stat(&plane, "overruns"), 0);
}
END_TEST

/* Too many of them, or lost ones: then the SAs are looked at, and nothing is missed. */
START_TEST(reports_fall_back)
{
	struct dp_sa in = sa_here(DP_IN, 0xa001), out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&in), op_add(&out), op_policy(REQID, &ours, &theirs) };
	const int tiny = 1;
	struct xfrm_plane *x;
	struct dp_sa_state s;

	reopen_with_reports(MILLISECONDS(10));
	x = xfrm_self(plane.dp);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	(void)told_of(&out, &s);
	ck_assert(x->teller.joined);
	/* Not tamed, since no turn comes: each packet is told of, and most of it is lost. */
	ck_assert_int_eq(setsockopt(x->events.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	send_inside(200);
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert(told_of(&out, &s));
	ck_assert(s.position == 200 && s.count.packets == 200);
	ck_assert_uint_ge(plane_stat(&plane, "overruns"), 1);
	/* Too many in a second: nobody listens for a while. */
	turn();
	x->teller.in_second = 1000000;
	x->teller.second = clock_now(plane.env.clock);
	(void)poll(NULL, 0, 50);
	send_inside(1);
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert(told_of(&out, &s) || told_of(&out, &s));
	ck_assert(s.position == 201 && !x->teller.joined);
	send_inside(1);
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert(told_of(&out, &s) && s.position == 202);
	/* What is used in the moment of listening again is not missed. */
	send_inside(1);
	(void)poll(NULL, 0, QUIET_MS);
	x->teller.rests_until = clock_now(plane.env.clock);
	ck_assert(told_of(&out, &s) && s.position == 203 && x->teller.joined);
	/* While shut, nobody listens; opened, again. */
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	ck_assert(!told_of(&out, &s) && !x->teller.joined);
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	(void)told_of(&in, &s);
	ck_assert(x->teller.joined && arrives(&in, 7, "127.0.0.1", 4501, &plane.at));
	ck_assert(told_of(&in, &s) && s.position == 7);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, lost_events_are_made_good);
	tcase_add_test(t, revived_at_the_fence);
	tcase_add_test(t, somebody_listens_to_acquires);
	tcase_add_test(t, segmentation_stops_at_the_fence);
	tcase_add_test(t, no_number_beyond_32_bits);
	tcase_add_loop_test(t, reports, 0, 2);
	tcase_add_test(t, reports_fall_back);
}

int main(void)
{
	return xfrm_run_cases("xfrm_fence", add);
}
