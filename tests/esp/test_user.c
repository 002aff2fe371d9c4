/* What only the userspace plane has: sockets, the IKE queue, real packets between two planes in one process. */
#include "esp/user.h"

#include <stdatomic.h>

#include "esp/inner.h"
#include "esp/packet.h"
#include "tests/esp/plane_check.h"

enum { REQID = 5 };

static struct plane left, right;
static struct selector left_net, right_host, left_net6, right_host6;

static void begin(void)
{
	plane_open(&left, false, 1);
	plane_open(&right, false, 2);
	left_net = selector_for("192.168.1.0/24", 0, 0, 65535);
	right_host = selector_for("10.1.1.1", 0, 0, 65535);
	left_net6 = selector_for("fd01::/64", 0, 0, 65535);
	right_host6 = selector_for("fd02::1", 0, 0, 65535);
}

static void end(void)
{
	plane_close(&left);
	plane_close(&right);
}

/* Both ends of a CHILD SA; changes to the two arguments apply to all four SAs. */
static void connect_planes(const struct dp_sa *like)
{
	struct plane *planes[] = { &left, &right };

	for (int i = 0; i < 2; i++) {
		const struct selector mine[] = { i ? right_host : left_net, i ? right_host6 : left_net6 };
		const struct selector other[] = { i ? left_net : right_host, i ? left_net6 : right_host6 };
		struct dp_sa in = *like, out = *like;
		struct dp_op ops[3];

		in.dir = DP_IN;
		out.dir = DP_OUT;
		in.spi = 0x1000 + (uint32_t)i;
		out.spi = 0x1001 - (uint32_t)i;
		in.reqid = out.reqid = REQID;
		in.local = out.local = planes[i]->at;
		in.remote = out.remote = planes[1 - i]->at;
		ops[0] = op_policy(REQID, mine, other);
		ops[0].policy.ours_count = ops[0].policy.theirs_count = 2;
		ops[1] = op_add(&in);
		ops[2] = op_add(&out);
		ck_assert_int_eq(plane_do_all(planes[i], ops, 3), GW_OK);
	}
}

static void connect_default(void)
{
	struct dp_sa sa = sa_of(DP_IN, 0, 1);

	connect_planes(&sa);
}

static size_t push(struct plane *p, const struct flow *f, uint8_t *buf)
{
	size_t n = flow_write(f, buf, 65536);

	ck_assert_int_eq(write(p->inside, buf, n), (ssize_t)n);
	return n;
}

/* The next packet that came inside; 0: none. */
static size_t pull(struct plane *p, uint8_t *buf, int ms)
{
	ssize_t n;

	if (!readable(p->inside, ms))
		return 0;
	n = read(p->inside, buf, 65536);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static uint8_t sent[65536], got[65536];

static void passes(struct plane *from, struct plane *to, const struct flow *f)
{
	size_t n = push(from, f, sent);

	ck_assert_uint_eq(pull(to, got, PATIENCE_MS), n);
	ck_assert_mem_eq(sent, got, n);
}

static const struct flow request = { "192.168.1.9", "10.1.1.1", 17, 40000, 53, 0, false, 0, 100 };
static const struct flow answer = { "10.1.1.1", "192.168.1.9", 17, 53, 40000, 0, false, 0, 200 };
static const struct flow request6 = { "fd01::9", "fd02::1", 6, 40000, 80, 0, true, 0, 1200 };
static const struct flow answer6 = { "fd02::1", "fd01::9", 6, 80, 40000, 0, true, 0, 0 };

/* Every suite, with and without ESN, both families inside, both ways. */
START_TEST(all_suites)
{
	for (size_t i = 0; i < ARRAY_LEN(suite_rows); i++)
		for (int esn = 0; esn < 2; esn++) {
			struct dp_sa sa = sa_of(DP_IN, 0, 1);

			sa.suite = suite_of(&suite_rows[i]);
			sa.encr_key.n = suite_encr_key_len(&sa.suite);
			sa.integ_key.n = suite_integ_key_len(&sa.suite);
			sa.esn = esn;
			sa.start = esn ? UINT64_C(0xffffffff) : 0;
			begin();
			connect_planes(&sa);
			passes(&left, &right, &request);
			passes(&right, &left, &answer);
			passes(&left, &right, &request6);
			passes(&right, &left, &answer6);
			ck_assert_uint_eq(plane_stat(&left, "out_packets"), 2);
			ck_assert_uint_eq(plane_stat(&right, "in_packets"), 2);
			end();
		}
}
END_TEST

/* DESIGN.md §4: the IV on the wire says who made it. */
START_TEST(nonces)
{
	struct endpoint at;
	int peer = loopback_socket(&at);
	struct dp_sa out = sa_of(DP_OUT, 0x1000, REQID);
	struct dp_op ops[] = { op_policy(REQID, &left_net, &right_host), op_add(&out) };

	ops[1].sa.local = left.at;
	ops[1].sa.remote = at;
	ops[1].sa.start = 41;
	ck_assert_int_eq(plane_do_all(&left, ops, 2), GW_OK);
	push(&left, &request, sent);
	ck_assert(readable(peer, PATIENCE_MS));
	ck_assert_int_gt(recv(peer, got, sizeof(got), 0), 16);
	ck_assert_uint_eq(get_u32(got), 0x1000);
	ck_assert_uint_eq(get_u32(got + 4), 42);
	ck_assert_uint_eq(get_u64(got + 8), UINT64_C(1) << 60 | UINT64_C(7) << 36 | 42);
	(void)close(peer);
}
END_TEST

static void peer_sends(int sock, const struct plane *to, const void *data, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&to->at, &ss);

	ck_assert_int_eq(sendto(sock, data, n, 0, (struct sockaddr *)&ss, len), (ssize_t)n);
}

START_TEST(ike_goes_to_the_loop)
{
	static const uint8_t ike[] = { 0, 0, 0, 0, 'i', 'k', 'e', '!' };
	struct endpoint at;
	struct user_ike in;
	int peer = loopback_socket(&at), fd = user_plane_wake_fd(left.dp), tos = 0x2c;

	ck_assert_int_eq(setsockopt(peer, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	ck_assert(!user_plane_take_ike(left.dp, &in));
	ck_assert(!readable(fd, 0));
	peer_sends(peer, &left, "\xff", 1); /* keepalive */
	peer_sends(peer, &left, ike, sizeof(ike));
	peer_sends(peer, &left, ike, 5);
	peer_sends(peer, &left, ike, 4); /* a marker and nothing behind it */
	plane_await(&left, "ike_datagrams", 3);
	ck_assert(readable(fd, 0));
	ck_assert(user_plane_take_ike(left.dp, &in));
	ck_assert(bytes_equal(bytes_of(in.data, in.n), bytes_str("ike!")));
	ck_assert(endpoint_equal(&in.from, &at));
	ck_assert(endpoint_equal(&in.to, &left.at));
	ck_assert_uint_eq(in.tos, 0x2c);
	ck_assert_int_eq(in.fd, left.udp);
	ck_assert(user_plane_take_ike(left.dp, &in) && in.n == 1);
	ck_assert(readable(fd, 0));
	ck_assert(user_plane_take_ike(left.dp, &in) && in.n == 0);
	/* Nothing left: not readable any more. */
	ck_assert(!readable(fd, 0));
	ck_assert(!user_plane_take_ike(left.dp, &in));
	ck_assert_uint_eq(plane_stat(&left, "keepalives"), 1);
	/* And again. */
	peer_sends(peer, &left, ike, sizeof(ike));
	ck_assert(readable(fd, PATIENCE_MS));
	ck_assert(user_plane_take_ike(left.dp, &in) && in.n == 4);
	(void)close(peer);
}
END_TEST

/* The queue is bounded; what is in it is not lost by the flood. */
START_TEST(ike_flood)
{
	static const uint8_t ike[1000] = { 0, 0, 0, 0, 1 };
	struct endpoint at;
	struct user_ike in;
	int peer = loopback_socket(&at);
	uint64_t kept, seen = 0;

	for (int i = 0; i < 6000; i++) {
		peer_sends(peer, &left, ike, sizeof(ike));
		if (i % 50 == 0) /* not more than the socket's buffer holds */
			for (int k = 0; k < 1000 && plane_stat(&left, "ike_datagrams") + plane_stat(&left, "ike_lost") <
							    (uint64_t)i;
			     k++)
				(void)poll(NULL, 0, 1);
	}
	(void)poll(NULL, 0, QUIET_MS);
	kept = plane_stat(&left, "ike_datagrams");
	ck_assert_uint_eq(kept, 4096);
	ck_assert_uint_gt(plane_stat(&left, "ike_lost"), 0);
	while (user_plane_take_ike(left.dp, &in))
		seen++;
	ck_assert_uint_eq(seen, kept);
	(void)close(peer);
}
END_TEST

/* A right-hand peer made by hand: any octets under the SA's key. */
static void forge(int sock, uint64_t seq, uint8_t next, const uint8_t *data, size_t n, size_t break_at)
{
	struct dp_sa sa = sa_of(DP_IN, 0x1000, REQID);
	struct packet_sa keys = { &sa.suite, NULL, 0x1000, false };
	struct err e = { 0 };
	struct crypto *crypto = crypto_create(&e);
	uint8_t buf[4096], iv[8];
	struct packet p = { buf, sizeof(buf), PACKET_HEADROOM, n };

	ck_assert_ptr_nonnull(crypto);
	ck_assert_uint_lt(n, 3000);
	if (n > 0)
		memcpy(packet_data(&p), data, n);
	put_u64(iv, seq);
	ck_assert_int_eq(cipher_create(crypto, &sa.suite, CIPHER_SEAL, sa.encr_key, sa.integ_key, &keys.cipher), GW_OK);
	ck_assert_int_eq(packet_seal(&keys, seq, iv, next, &p), GW_OK);
	cipher_destroy(keys.cipher);
	crypto_destroy(crypto);
	if (break_at > 0)
		packet_data(&p)[break_at] ^= 1;
	peer_sends(sock, &left, packet_data(&p), p.n);
}

START_TEST(drops_by_reason)
{
	struct flow f = answer;
	struct endpoint at;
	int peer = loopback_socket(&at);
	size_t n = flow_write(&f, sent, sizeof(sent));

	connect_default();
	/* Good, with 50 octets of TFC padding (RFC 4303 2.7): they go no further. */
	memset(sent + n, 0x55, 50);
	forge(peer, 1, ESP_NEXT_IPV4, sent, n + 50, 0);
	ck_assert_uint_eq(pull(&left, got, PATIENCE_MS), n);
	forge(peer, 1, ESP_NEXT_IPV4, sent, n, 0);
	plane_await(&left, "in_replay", 1);
	forge(peer, 2, ESP_NEXT_IPV4, sent, n, 40);
	plane_await(&left, "in_bad_icv", 1);
	forge(peer, 3, ESP_NEXT_NONE, sent, n, 0);
	plane_await(&left, "in_dummy", 1);
	forge(peer, 4, ESP_NEXT_NONE, NULL, 0, 0);
	plane_await(&left, "in_dummy", 2);
	forge(peer, 5, ESP_NEXT_IPV6, sent, n, 0); /* the next header lies */
	plane_await(&left, "in_malformed", 1);
	forge(peer, 6, 17, sent, n, 0); /* transport mode is not ours */
	plane_await(&left, "in_malformed", 2);
	forge(peer, 7, ESP_NEXT_IPV4, sent, 19, 0);
	plane_await(&left, "in_malformed", 3);
	peer_sends(peer, &left, "\1\0\x10\0\0\0", 6);
	plane_await(&left, "in_malformed", 4);
	f.src = "10.1.1.2";
	forge(peer, 8, ESP_NEXT_IPV4, sent, flow_write(&f, sent, sizeof(sent)), 0);
	plane_await(&left, "in_bad_policy", 1);
	/* A bad packet moved no window: number 2 is still good. */
	forge(peer, 2, ESP_NEXT_IPV4, sent, flow_write(&answer, sent, sizeof(sent)), 0);
	ck_assert_uint_eq(pull(&left, got, PATIENCE_MS), n);
	ck_assert_uint_eq(pull(&left, got, 0), 0);
	/* Outbound. */
	f = request;
	f.dst = "10.1.1.2";
	push(&left, &f, sent);
	plane_await(&left, "out_no_policy", 1);
	ck_assert_int_eq(write(left.inside, "x", 1), 1);
	plane_await(&left, "out_malformed", 1);
	(void)close(peer);
}
END_TEST

/* RFC 6040 and RFC 4301 5.1.2 over real outer headers. */
START_TEST(tos_in_and_out)
{
	struct dp_sa sa = sa_of(DP_IN, 0, 1);
	struct endpoint at;
	struct flow f = answer;
	int peer = loopback_socket(&at), tos = 0x03; /* congestion experienced */
	size_t n;

	connect_default();
	f.tos = 0xba; /* EF, ECT(0) */
	ck_assert_int_eq(setsockopt(peer, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	n = flow_write(&f, sent, sizeof(sent));
	forge(peer, 1, ESP_NEXT_IPV4, sent, n, 0);
	ck_assert_uint_eq(pull(&left, got, PATIENCE_MS), n);
	ck_assert_uint_eq(got[1], 0xbb);
	ck_assert_uint_eq(sum_of(got, 20), 0);
	f.tos = 0xb8;
	forge(peer, 2, ESP_NEXT_IPV4, sent, flow_write(&f, sent, sizeof(sent)), 0);
	plane_await(&left, "in_ecn", 1);
	/* Outer: DSCP as configured, ECN always. */
	for (int copy = 0; copy < 2; copy++) {
		const int one = 1;
		uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 }, data[2048];
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
		};
		struct dp_op ops[2];

		sa.dir = DP_OUT;
		sa.spi = 0x2000 + (uint32_t)copy;
		sa.reqid = REQID;
		sa.local = left.at;
		sa.remote = at;
		sa.copy_dscp = copy;
		ops[0] = op_add(&sa);
		ck_assert_int_eq(plane_do_all(&left, ops, 1), GW_OK);
		ck_assert_int_eq(setsockopt(peer, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)), 0);
		f = request;
		f.tos = 0xba;
		push(&left, &f, sent);
		ck_assert(readable(peer, PATIENCE_MS));
		ck_assert_int_gt(recvmsg(peer, &msg, 0), 0);
		ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
		ck_assert_uint_eq(*CMSG_DATA(CMSG_FIRSTHDR(&msg)), copy ? 0xba : 0x02);
	}
	(void)close(peer);
}
END_TEST

/* Loopback's path is 65,536: what does not fit is answered by ICMP if it has DF, and the SA copies DF. */
START_TEST(too_big)
{
	struct dp_sa sa = sa_of(DP_IN, 0, 1);
	struct flow f = request;
	struct inner in;
	size_t n;

	sa.copy_df = true;
	connect_planes(&sa);
	f.payload = 65471;
	f.df = true;
	push(&left, &f, sent);
	plane_await(&left, "out_too_big", 1);
	n = pull(&left, got, PATIENCE_MS);
	ck_assert(inner_parse(bytes_of(got, n), &in));
	ck_assert(in.proto == 1 && in.sport == 0x0304);
	ck_assert_uint_eq(get_u16(got + 26), 65470);
	f.payload = 65470 - 24;
	passes(&left, &right, &f);
	ck_assert_uint_eq(plane_stat(&left, "out_too_big"), 1);
}
END_TEST

START_TEST(input_from_the_loop)
{
	struct endpoint at;
	int peer = loopback_socket(&at);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t n;

	connect_default();
	/* The left plane loses its socket; the loop reads it and passes ESP on. */
	user_plane_remove_udp(left.dp, left.udp);
	forge(peer, 1, ESP_NEXT_IPV4, sent, flow_write(&answer, sent, sizeof(sent)), 0);
	ck_assert(readable(left.udp, PATIENCE_MS));
	n = recvfrom(left.udp, got, sizeof(got), 0, (struct sockaddr *)&ss, &len);
	ck_assert_int_gt(n, 0);
	left.dp->ops->input_udp(left.dp, &at, &left.at, 0, got, (size_t)n);
	ck_assert_uint_gt(pull(&left, got, PATIENCE_MS), 0);
	/* And cannot send any more. */
	push(&left, &request, sent);
	plane_await(&left, "send_errors", 1);
	(void)close(peer);
}
END_TEST

/* The device goes away under the plane: no spinning, no end. */
START_TEST(device_dies)
{
	connect_default();
	(void)shutdown(left.inside, SHUT_RDWR);
	(void)close(left.inside);
	left.inside = -1;
	(void)poll(NULL, 0, QUIET_MS);
	push(&right, &answer, sent);
	plane_await(&left, "tun_errors", 1);
	ck_assert_int_eq(plane_do_all(&left, NULL, 0), GW_OK);
}
END_TEST

/*
 * Many at once, so that packets of one SA leave together: all come, in order, whatever their sizes, and marks are
 * not mixed up.
 */
START_TEST(trains)
{
	static const size_t sizes[] = { 1200, 1200, 1200, 300, 1200, 1300, 1300, 0, 0, 8, 1400, 1400 };
	enum { ROUNDS = 20, WORK = 5000 };
	static struct dp_op work[WORK];
	struct dp_sa nobody = sa_of(DP_IN, 0x7777, 1);
	struct dp_event event;

	for (size_t i = 0; i < WORK; i++)
		work[i] = op_on(DP_SA_REMOVE, &nobody, 0);
	connect_default();
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* Something to do, so that the packets are all there when it looks. */
		ck_assert_int_eq(dp_submit(left.dp, round, work, WORK), GW_OK);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct flow f = request;

			f.payload = sizes[i];
			f.tos = i == 5 ? 2 : 0;
			f.sport = (uint16_t)(round * 100 + i);
			push(&left, &f, sent);
		}
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			ck_assert_uint_eq(pull(&right, got, PATIENCE_MS), 24 + sizes[i]);
			ck_assert_uint_eq(get_u16(got + 20), round * 100 + i);
			ck_assert_uint_eq(got[1], i == 5 ? 2 : 0);
		}
		ck_assert(plane_event(&left, &event, PATIENCE_MS) && event.result == GW_OK);
	}
	ck_assert_uint_eq(plane_stat(&right, "in_packets"), ROUNDS * ARRAY_LEN(sizes));
	ck_assert_uint_eq(plane_stat(&left, "send_errors"), 0);
}
END_TEST

/* Time as it is for a process that is stopped after so many looks at the clock, and goes on ten minutes later. */
static atomic_int looks;
static mtime stopped_now(const struct clock *c)
{
	static atomic_bool stopped;
	int before = atomic_load(&looks);

	(void)c;
	if (before > 0 && atomic_fetch_sub(&looks, 1) == 1)
		atomic_store(&stopped, true);
	return mtime_add(clock_now(clock_system()), atomic_load(&stopped) ? SECONDS(600) : 0);
}

/*
 * A process that was stopped in the middle of a burst sends nothing of it when it goes on, not even what is sealed
 * already: another node may speak for it, and its numbers would be replays to the peer.
 */
START_TEST(stopped_in_a_burst)
{
	enum { PACKETS = 50, LOOKS = 20 };
	static const struct clock clock = { .now = stopped_now };
	_Atomic int64_t turning = clock_now(clock_system()).us;
	struct flow f = request;
	size_t came = 0;

	plane_close(&left);
	plane_open_by(&left, false, 1, &clock);
	user_plane_set_pulse(left.dp, &turning, SECONDS(60));
	connect_default();
	passes(&left, &right, &request);
	atomic_store(&looks, LOOKS);
	for (uint16_t i = 0; i < PACKETS; i++) {
		f.sport = i;
		push(&left, &f, sent);
	}
	for (int ms = 0; plane_stat(&left, "out_shut") < PACKETS - LOOKS; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "it goes on sending");
		(void)poll(NULL, 0, 1);
	}
	while (pull(&right, got, QUIET_MS) > 0)
		came++;
	ck_assert_uint_le(came, LOOKS);
	user_plane_set_pulse(left.dp, NULL, 0);
}
END_TEST

/* Dumps, submits and packets at once; for the thread sanitizer above all. */
START_TEST(busy_from_both_sides)
{
	struct dp_sa_state out[16];
	struct dp_sa extra = sa_of(DP_IN, 0x9000, 9);
	unsigned received = 0;

	connect_default();
	for (int i = 0; i < 300; i++) {
		uint64_t cookie = 0;

		push(&left, &request, sent);
		push(&right, &answer, sent);
		(void)left.dp->ops->dump(left.dp, &cookie, out, ARRAY_LEN(out));
		ck_assert_int_eq(plane_do(&left, i % 2 ? op_on(DP_SA_REMOVE, &extra, 0) : op_add(&extra)), GW_OK);
		received += pull(&left, got, PATIENCE_MS) > 0;
		received += pull(&right, got, PATIENCE_MS) > 0;
	}
	ck_assert_uint_eq(received, 600);
}
END_TEST

START_TEST(refuses_to_start)
{
	struct user_plane_config cfg = { .tun_fd = -1, .tun_name = "a-name-that-is-too-long-%d" };
	struct err e = { 0 };
	int pipe_fd[2];

	ck_assert_int_eq(pipe(pipe_fd), 0);
	ck_assert_int_eq(user_plane_add_udp(left.dp, pipe_fd[0], &e), GW_EINVAL);
	ck_assert_int_ne(e.text[0], 0);
	(void)close(pipe_fd[0]);
	(void)close(pipe_fd[1]);
	cfg.tun_fd = pipe_fd[0]; /* closed: no descriptor */
	e.text[0] = 0;
	ck_assert_ptr_null(user_plane_create(&left.env, &cfg, &e));
	ck_assert_int_ne(e.text[0], 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, nonces);
	tcase_add_test(t, ike_goes_to_the_loop);
	tcase_add_test(t, ike_flood);
	tcase_add_test(t, drops_by_reason);
	tcase_add_test(t, tos_in_and_out);
	tcase_add_test(t, too_big);
	tcase_add_test(t, input_from_the_loop);
	tcase_add_test(t, device_dies);
	tcase_add_test(t, trains);
	tcase_add_test(t, stopped_in_a_burst);
	tcase_add_test(t, busy_from_both_sides);
	tcase_add_test(t, refuses_to_start);
}

static void add_suites(TCase *t)
{
	tcase_add_test(t, all_suites);
}

int main(void)
{
	int each = run_cases("user", add), suites = run_cases("user, all suites", add_suites);

	return each == EXIT_SUCCESS && suites == EXIT_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
