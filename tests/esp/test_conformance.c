/* Every plane: batches, transport mode, SAs and policies. */
#include "tests/esp/conformance_check.h"

/* ---- cases: batches ---- */

START_TEST(capabilities)
{
	const struct dp_caps *caps = plane.dp->ops->caps(plane.dp);

	ck_assert_str_eq(caps->name, plane.kernel ? "kernel" : plane.fake ? "fake" : "userspace");
	ck_assert_uint_ge(caps->replay_window_max, 64);
}
END_TEST

START_TEST(completes_later_and_in_order)
{
	enum { N = 200 };
	struct dp_sa sa = make_sa(DP_IN, 0);
	struct dp_event event;

	for (uint64_t i = 0; i < N; i++) {
		struct dp_op op;
		uint8_t key[20];

		memset(key, (int)i, sizeof(key));
		sa.spi = (uint32_t)(0x1000 + i / 2); /* each twice: the second fails */
		sa.encr_key = bytes_of(key, sizeof(key));
		op = op_add(&sa);
		ck_assert_int_eq(dp_submit(plane.dp, 100 + i, &op, 1), GW_OK);
		/* What was pointed to may go at once. */
		memset(key, 0xee, sizeof(key));
		memset(&op, 0xee, sizeof(op));
	}
	for (uint64_t i = 0; i < N; i++) {
		ck_assert(plane_event(&plane, &event, PATIENCE_MS));
		ck_assert_int_eq(event.kind, DP_DONE);
		ck_assert_uint_eq(event.token, 100 + i);
		ck_assert_int_eq(event.result, i % 2 == 0 ? GW_OK : GW_EEXIST);
	}
	expect_no_event();
	/* An empty batch is a batch. */
	ck_assert_int_eq(plane_do_all(&plane, NULL, 0), GW_OK);
}
END_TEST

START_TEST(all_or_nothing)
{
	struct dp_sa a = make_sa(DP_IN, 0xa001), b = make_sa(DP_OUT, 0xb001), c = make_sa(DP_OUT, 0xc001);
	struct endpoint there = endpoint_of("127.0.0.1", 9999);
	struct selector other = selector_for("10.2.2.2", 0, 0, 65535);
	struct dp_sa_state before, after;
	uint32_t spi = 0;

	b.start = 1000;
	b.fence = 2000;
	set_policy();
	{
		struct dp_op ops[] = { op_add(&a), op_add(&b) };

		ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	}
	before = state_of(&b);
	{
		struct dp_op ops[] = {
			op_add(&c),
			op_on(DP_SA_POSITION, &b, 1500),
			op_on(DP_SA_FENCE, &b, 3000),
			op_on(DP_SA_WINDOW, &a, 500),
			op_move(&b, b.local, there),
			op_move(&a, a.local, there),
			op_policy(REQID, &ours, &other),
			{ .kind = DP_POLICY_REMOVE, .reqid = REQID },
			op_policy(REQID + 1, &ours, &theirs),
			op_on(DP_SA_REMOVE, &a, 0),
			op_add(&a),
			op_on(DP_SA_REMOVE, &c, 0),
			op_add(&c),
			op_on(DP_SA_FENCE, &(struct dp_sa){ .dir = DP_OUT, .spi = 0xdead, .remote = b.remote }, 1),
		};

		ck_assert_int_eq(plane_do_all(&plane, ops, ARRAY_LEN(ops)), GW_ENOTFOUND);
	}
	after = state_of(&b);
	ck_assert_uint_eq(after.position, before.position);
	ck_assert_uint_eq(after.fence, before.fence);
	ck_assert(!exists(&c));
	ck_assert_uint_eq(state_of(&a).position, 0);
	/* And it all still works: out to where it went before, in with the old window. */
	ck_assert_uint_eq(send_inside(3, &spi), 3);
	ck_assert_uint_eq(spi, b.spi);
	ck_assert(send_peer(&a, 1, peer, &peer_at));
	expect_no_event();
}
END_TEST

START_TEST(removing_nothing_is_fine)
{
	struct dp_sa a = make_sa(DP_IN, 0xa001), b = make_sa(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_on(DP_SA_REMOVE, &a, 0), op_add(&b), op_on(DP_SA_REMOVE, &a, 0) };

	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	ck_assert(exists(&b));
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_MOVE, &a, 0)), GW_ENOTFOUND);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_WINDOW, &a, 0)), GW_ENOTFOUND);
}
END_TEST

/* An SA whose install fails, since the peer's SPI is taken, and that is closed before it knew. */
START_TEST(the_spi_of_another)
{
	struct dp_sa first = make_sa(DP_OUT, 0xb000), second = first;
	struct dp_op add, gone;

	ck_assert_int_eq(plane_do(&plane, op_add(&first)), GW_OK);
	second.reqid = REQID + 1;
	add = op_add(&second);
	gone = op_on(DP_SA_REMOVE, &second, 0);
	gone.owner = second.reqid;
	ck_assert_int_eq(plane_do(&plane, add), GW_EEXIST);
	ck_assert_int_eq(plane_do(&plane, gone), GW_OK);
	ck_assert(exists(&first));
	gone.owner = first.reqid;
	ck_assert_int_eq(plane_do(&plane, gone), GW_OK);
	ck_assert(!exists(&first));
}
END_TEST

/* A peer that moves to where another has the SPI that it has chosen: the other's is neither moved nor hidden. */
START_TEST(moves_onto_another)
{
	struct dp_sa first = make_sa(DP_OUT, 0xb000), in = make_sa(DP_IN, 0xa001), second = first, there;
	struct endpoint further = first.remote, away = first.remote;
	struct dp_op ops[2];

	further.addr.b[3] ^= 0x40;
	away.addr.b[3] ^= 0x20;
	second.reqid = in.reqid = REQID + 1;
	second.remote = in.remote = further;
	ck_assert_int_eq(plane_do(&plane, op_add(&first)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&second)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &first, 77)), GW_OK);
	ops[0] = op_move(&in, in.local, first.remote);
	ops[1] = op_move(&second, second.local, first.remote);
	ops[0].owner = ops[1].owner = second.reqid;
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert(!exists(&second));
	ck_assert_uint_eq(state_of(&first).position, 77);
	/* And on from there, as if it were its own. */
	second.remote = in.remote = first.remote;
	ops[0] = op_move(&in, in.local, away);
	ops[1] = op_move(&second, second.local, away);
	ops[0].owner = ops[1].owner = second.reqid;
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert_uint_eq(state_of(&first).position, 77);
	there = second;
	there.remote = away;
	ck_assert(!exists(&there));
	/* What fails beside it leaves it where it was. */
	second.remote = further;
	ck_assert_int_eq(plane_do(&plane, op_add(&second)), GW_OK);
	ops[0] = op_move(&second, second.local, first.remote);
	ops[0].owner = second.reqid;
	ops[1] = op_on(DP_SA_FENCE, &(struct dp_sa){ .dir = DP_OUT, .spi = 0xdead, .remote = away }, 1);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_ENOTFOUND);
	ck_assert(exists(&second) && exists(&first));
}
END_TEST

START_TEST(refuses_what_it_cannot)
{
	const struct dp_caps *caps = plane.dp->ops->caps(plane.dp);
	struct dp_sa sa = make_sa(DP_IN, 0xa001);

	sa.mode = DP_TRANSPORT;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), caps->transport ? GW_OK : GW_EUNSUPPORTED);
	sa = make_sa(DP_IN, 0xa002);
	sa.udp_encap = false;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), caps->raw_esp ? GW_OK : GW_EUNSUPPORTED);
	sa = make_sa(DP_IN, 0xa003);
	sa.esn = true;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), caps->esn ? GW_OK : GW_EUNSUPPORTED);
	sa = make_sa(DP_IN, 0xa004);
	sa.replay_window = caps->replay_window_max;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), GW_OK);
	sa.spi++;
	sa.replay_window++;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), GW_EINVAL);
	sa = make_sa(DP_IN, 0xa006);
	sa.encr_key.n--;
	ck_assert_int_eq(plane_do(&plane, op_add(&sa)), GW_EINVAL);
}
END_TEST

/* ---- cases: transport mode ---- */

static int udp_at(const char *address, uint16_t port, struct endpoint *at)
{
	struct sockaddr_storage ss;
	socklen_t n;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at = endpoint_of(address, port);
	n = (socklen_t)endpoint_to_sockaddr(at, &ss);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	n = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	ck_assert(endpoint_from_sockaddr(at, (struct sockaddr *)&ss));
	return fd;
}

/* A UDP datagram of the peer in transport mode: its header, without a checksum, and one octet. */
static void send_transport(const struct dp_sa *in, uint64_t seq, int sock, uint16_t from_port, uint16_t to_port)
{
	struct packet_sa keys = { &in->suite, NULL, in->spi, in->esn };
	struct sockaddr_storage ss;
	uint8_t buf[512], iv[8], *udp = buf + PACKET_HEADROOM;
	struct packet p = { buf, sizeof(buf), PACKET_HEADROOM, 9 };
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&plane.at, &ss);

	put_u16(udp, from_port);
	put_u16(udp + 2, to_port);
	put_u16(udp + 4, 9);
	put_u16(udp + 6, 0);
	udp[8] = 'x';
	put_u64(iv, seq);
	ck_assert_int_eq(cipher_create(crypto, &in->suite, CIPHER_SEAL, in->encr_key, in->integ_key, &keys.cipher),
			 GW_OK);
	ck_assert_int_eq(packet_seal(&keys, seq, iv, IPPROTO_UDP, &p), GW_OK);
	cipher_destroy(keys.cipher);
	ck_assert_int_eq(sendto(sock, packet_data(&p), p.n, 0, (struct sockaddr *)&ss, len), (ssize_t)p.n);
}

/* Between the two hosts themselves, both ways; what the policy does not name stays in clear. */
START_TEST(transport)
{
	struct dp_sa in = make_sa(DP_IN, 0xa001), out = make_sa(DP_OUT, 0xb001);
	struct selector here = selector_for("127.0.0.1", 17, 0, 65535),
			there = selector_for("127.0.0.2", 17, 2000, 2000);
	struct dp_op ops[] = { op_policy(REQID, &here, &there), op_add(&in), op_add(&out) };
	struct endpoint esp_at, app_at, host_at;
	struct sockaddr_storage ss;
	int esp, app, host;
	uint32_t spi, seq;
	uint8_t buf[512];
	ssize_t n;

	if (!caps_of()->transport)
		return;
	esp = plane.fake ? -1 : udp_at("127.0.0.2", 0, &esp_at);
	if (plane.fake)
		esp_at = endpoint_of("127.0.0.2", 4501);
	in.mode = out.mode = ops[0].policy.mode = DP_TRANSPORT;
	in.remote = out.remote = ops[0].policy.remote = esp_at;
	ops[1] = op_add(&in);
	ops[2] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	if (plane.fake) {
		ck_assert_uint_eq(fake_plane_send(plane.dp, REQID, 2, 50), 2);
		ck_assert(fake_plane_receive(plane.dp, in.spi, 1, &esp_at, 50));
		return;
	}
	app = udp_at("127.0.0.2", 2000, &app_at);
	host = udp_at("127.0.0.1", 0, &host_at);
	n = (ssize_t)endpoint_to_sockaddr(&app_at, &ss);
	for (uint32_t i = 1; i <= 2; i++) {
		ck_assert_int_eq(sendto(host, "x", 1, 0, (struct sockaddr *)&ss, (socklen_t)n), 1);
		ck_assert(readable(esp, PATIENCE_MS));
		n = recv(esp, buf, sizeof(buf), 0);
		ck_assert(n > 0 && packet_peek(bytes_of(buf, (size_t)n), &spi, &seq));
		ck_assert(spi == out.spi && seq == i);
		n = (ssize_t)endpoint_to_sockaddr(&app_at, &ss);
	}
	ck_assert(!readable(app, QUIET_MS)); /* not in clear besides */
	send_transport(&in, 1, esp, 2000, host_at.port);
	ck_assert(readable(host, PATIENCE_MS));
	ck_assert(recv(host, buf, sizeof(buf), 0) == 1 && buf[0] == 'x');
	/* Again; in clear. */
	send_transport(&in, 1, esp, 2000, host_at.port);
	n = (ssize_t)endpoint_to_sockaddr(&host_at, &ss);
	ck_assert_int_eq(sendto(app, "x", 1, 0, (struct sockaddr *)&ss, (socklen_t)n), 1);
	ck_assert(!readable(host, QUIET_MS));
	ck_assert_uint_eq(state_of(&out).count.packets, 2);
	ck_assert_uint_eq(state_of(&in).replays, 1);
	(void)close(esp);
	(void)close(app);
	(void)close(host);
}
END_TEST

/* ---- cases: SAs and policies ---- */

START_TEST(rekey)
{
	struct dp_sa in1 = make_sa(DP_IN, 0xa001), out1 = make_sa(DP_OUT, 0xb001), in2 = make_sa(DP_IN, 0xa002),
		     out2 = make_sa(DP_OUT, 0xb002);
	struct dp_op first[] = { op_policy(REQID, &ours, &theirs), op_add(&in1), op_add(&out1) };
	struct dp_op gone[] = { op_on(DP_SA_REMOVE, &in1, 0), op_on(DP_SA_REMOVE, &out1, 0) };
	uint32_t spi = 0;

	ck_assert_int_eq(plane_do_all(&plane, first, 3), GW_OK);
	ck_assert(send_inside(2, &spi) == 2 && spi == out1.spi);
	/* The new inbound SA is good at once, the old one as well; outbound stays. */
	ck_assert_int_eq(plane_do(&plane, op_add(&in2)), GW_OK);
	ck_assert(send_peer(&in1, 1, peer, &peer_at));
	ck_assert(send_peer(&in2, 1, peer, &peer_at));
	ck_assert(send_inside(1, &spi) == 1 && spi == out1.spi);
	ck_assert_int_eq(plane_do(&plane, op_add(&out2)), GW_OK);
	ck_assert(send_inside(1, &spi) == 1 && spi == out2.spi);
	ck_assert(send_peer(&in1, 2, peer, &peer_at));
	ck_assert_int_eq(plane_do_all(&plane, gone, 2), GW_OK);
	ck_assert(send_inside(1, &spi) == 1 && spi == out2.spi);
	ck_assert(!send_peer(&in1, 3, peer, &peer_at));
	ck_assert(send_peer(&in2, 2, peer, &peer_at));
	if (caps_of()->tells_no_sa)
		expect_event(DP_NO_SA, &in1);
}
END_TEST

START_TEST(counts)
{
	struct dp_sa in = make_sa(DP_IN, 0xa001), out = make_sa(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&in), op_add(&out) };
	struct dp_sa_state s;
	uint32_t spi;

	ops[1].sa.base = (struct dp_counters){ 10, 1000 };
	ops[2].sa.base = (struct dp_counters){ 20, 2000 };
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	s = state_of(&in);
	ck_assert(s.count.packets == 10 && s.count.bytes == 1000 && s.last_use.us == 0 && s.reqid == REQID);
	ck_assert_uint_eq(send_inside(3, &spi), 3);
	ck_assert(send_peer(&in, 5, peer, &peer_at));
	ck_assert(!send_peer(&in, 5, peer, &peer_at));
	s = state_of(&in);
	ck_assert(s.count.packets == 11 && s.count.bytes == 1096 && s.replays == 1 && s.position == 5);
	ck_assert_int_gt(s.last_use.us, 0);
	s = state_of(&out);
	ck_assert(s.count.packets == 23 && s.count.bytes == 2288 && s.position == 3);
	ck_assert_int_gt(s.last_use.us, 0);
}
END_TEST

START_TEST(nothing_in_clear)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	uint32_t spi;

	ck_assert_uint_eq(send_inside(2, &spi), 0); /* no policy */
	set_policy();
	ck_assert_uint_eq(send_inside(2, &spi), 0); /* no SA */
	ck_assert_int_eq(plane_do(&plane, op_add(&out)), GW_OK);
	ck_assert_int_eq(plane_do(&plane, op_add(&in)), GW_OK);
	ck_assert_uint_eq(send_inside(2, &spi), 2);
	ck_assert_int_eq(plane_do(&plane, (struct dp_op){ .kind = DP_POLICY_REMOVE, .reqid = REQID }), GW_OK);
	ck_assert_uint_eq(send_inside(2, &spi), 0);
	ck_assert(!send_peer(&in, 1, peer, &peer_at));
	if (caps_of()->tells_bad_policy)
		ck_assert_uint_eq(state_of(&in).bad_policy, 1);
}
END_TEST

START_TEST(policy_is_replaced)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001);
	struct selector other = selector_for("10.9.9.9", 0, 0, 65535);
	struct dp_op ops[] = { op_policy(REQID, &ours, &other), op_add(&out) };
	uint32_t spi;

	if (plane.fake) /* it looks at no addresses */
		return;
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert_uint_eq(send_inside(1, &spi), 0);
	set_policy();
	ck_assert_uint_eq(send_inside(1, &spi), 1);
	ck_assert_int_eq(plane_do(&plane, ops[0]), GW_OK);
	ck_assert_uint_eq(send_inside(1, &spi), 0);
}
END_TEST

START_TEST(shut_and_open)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&in), op_add(&out) };
	uint32_t spi;

	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	ck_assert_uint_eq(send_inside(2, &spi), 0);
	ck_assert(!send_peer(&in, 1, peer, &peer_at));
	ck_assert_uint_eq(state_of(&out).position, 0);
	ck_assert_uint_eq(state_of(&in).position, 0);
	/* What is installed meanwhile is there afterwards. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_POSITION, &out, 50)), GW_OK);
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	ck_assert_uint_eq(send_inside(2, &spi), 2);
	ck_assert(send_peer(&in, 1, peer, &peer_at));
	ck_assert_uint_eq(state_of(&out).position, 52);
}
END_TEST

/* One that has handed over: positions are final, what still arrives passes. */
START_TEST(inbound_only)
{
	struct dp_sa out = make_sa(DP_OUT, 0xb001), in = make_sa(DP_IN, 0xa001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&in), op_add(&out) };
	uint32_t spi;

	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	ck_assert_uint_eq(send_inside(2, &spi), 2);
	plane.dp->ops->set_open(plane.dp, DP_INBOUND_ONLY);
	ck_assert_uint_eq(send_inside(2, &spi), 0);
	ck_assert(send_peer(&in, 1, peer, &peer_at));
	ck_assert_uint_eq(state_of(&out).position, 2);
	ck_assert_uint_eq(state_of(&in).position, 1);
	plane.dp->ops->set_open(plane.dp, DP_SHUT);
	ck_assert(!send_peer(&in, 2, peer, &peer_at));
	plane.dp->ops->set_open(plane.dp, DP_INBOUND_ONLY);
	ck_assert(send_peer(&in, 3, peer, &peer_at));
	plane.dp->ops->set_open(plane.dp, DP_OPEN);
	ck_assert_uint_eq(send_inside(2, &spi), 2);
	ck_assert_uint_eq(state_of(&out).position, 4);
}
END_TEST

static void add_cases(TCase *t)
{
	tcase_add_test(t, capabilities);
	tcase_add_test(t, completes_later_and_in_order);
	tcase_add_test(t, all_or_nothing);
	tcase_add_test(t, removing_nothing_is_fine);
	tcase_add_test(t, the_spi_of_another);
	tcase_add_test(t, moves_onto_another);
	tcase_add_test(t, refuses_what_it_cannot);
	tcase_add_test(t, transport);
	tcase_add_test(t, rekey);
	tcase_add_test(t, counts);
	tcase_add_test(t, nothing_in_clear);
	tcase_add_test(t, policy_is_replaced);
	tcase_add_test(t, shut_and_open);
	tcase_add_test(t, inbound_only);
}

int main(void)
{
	return conformance_main();
}
