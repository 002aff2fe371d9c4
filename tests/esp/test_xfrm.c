/* The kernel plane beyond what all planes promise: bytes, leftovers, batches and their undoing, moving. */
#include "tests/esp/xfrm_check.h"

/* ---- bytes ---- */

static struct bytes attribute(const struct nlmsghdr *nlh, uint16_t wanted)
{
	struct bytes rest = nl_attrs(nlh, sizeof(struct xfrm_usersa_info)), v;
	uint16_t type;

	while (nl_attr_next(&rest, &type, &v))
		if (type == wanted)
			return v;
	return (struct bytes){ 0 };
}

/* What we asked for is what the kernel shows, octet by octet, but for what only one of the two has. */
static void compare_bytes(const struct nlmsghdr *asked, const struct nlmsghdr *shown)
{
	struct bytes rest = nl_attrs(asked, sizeof(struct xfrm_usersa_info)), v;
	struct xfrm_usersa_info a, b;
	struct xfrm_lifetime_cur cur;
	uint16_t type;
	size_t compared = 0;

	memcpy(&a, asked + 1, sizeof(a));
	memcpy(&b, shown + 1, sizeof(b));
	ck_assert_uint_eq(attribute(asked, XFRMA_LTIME_VAL).n, sizeof(cur));
	memcpy(&cur, attribute(asked, XFRMA_LTIME_VAL).p, sizeof(cur));
	ck_assert_mem_eq(&cur, &b.curlft, sizeof(cur));
	memset(&b.curlft, 0, sizeof(b.curlft));
	b.seq = a.seq;
	b.replay_window = a.replay_window; /* shown for old programs, though it is in the other struct */
	ck_assert_mem_eq(&a, &b, sizeof(a));
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == XFRMA_LTIME_VAL || type == XFRMA_REPLAY_THRESH || type == XFRMA_ETIMER_THRESH ||
		    type == XFRMA_MTIMER_THRESH)
			continue;
		ck_assert_msg(attribute(shown, type).n == v.n, "attribute %u: %zu, shown %zu", type, v.n,
			      attribute(shown, type).n);
		ck_assert_msg(memcmp(attribute(shown, type).p, v.p, v.n) == 0, "attribute %u", type);
		compared++;
	}
	ck_assert_uint_ge(compared, 2);
}

static struct xfrm_state state_for(const struct cipher_suite *suite, unsigned variant)
{
	bool six = variant & 1, in = variant & 2, udp = variant & 4, esn = variant & 8, transport = variant & 16;
	struct xfrm_state s = {
		.dir = in ? DP_IN : DP_OUT,
		.mode = transport ? DP_TRANSPORT : DP_TUNNEL,
		.spi = 0x1000 + variant,
		.reqid = 4711,
		.sign = xfrm_sign(NODE, in ? XFRM_KIND_IN : XFRM_KIND_OUT),
		.local = six ? endpoint_of("2001:db8::1", 4500) : endpoint_of("192.0.2.1", 4500),
		.remote = six ? endpoint_of("2001:db8::2", 1234) : endpoint_of("192.0.2.2", 1234),
		.udp_encap = udp,
		.esn = esn,
		.copy_dscp = (variant & 32) != 0,
		.copy_df = (variant & 64) != 0,
		.suite = *suite,
		.encr_key = bytes_of(test_keys, suite_encr_key_len(suite)),
		.integ_key = bytes_of(test_keys + 60, suite_integ_key_len(suite)),
		.soft = in ? XFRM_NO_LIMIT : 5000,
		.hard = in ? XFRM_NO_LIMIT : 6000,
	};

	if (variant & 64)
		s.extra = (struct dp_extra){
			.if_id = 9, .mark = 0x10, .mark_mask = 0xf0, .output_mark = 5, .output_mask = 7
		};
	return s;
}

START_TEST(bytes_come_back)
{
	static const uint32_t windows[] = { 32, 64, 1024, 4096 };
	_Alignas(struct nlmsghdr) uint8_t buf[4096], copy[4096];
	struct nl_batch b;

	setting("ipv6/conf/all/disable_ipv6", "0");
	for (size_t k = 0; k < ARRAY_LEN(suite_rows); k++)
		for (unsigned variant = 0; variant < 128; variant++) {
			struct cipher_suite suite = suite_of(&suite_rows[k]);
			struct xfrm_state s = state_for(&suite, variant);
			struct xfrm_state_id id = xfrm_state_id_of(&s);
			struct xfrm_numbers n = { .position = 1000 + variant,
						  .window = windows[variant % ARRAY_LEN(windows)],
						  .packets = 1000 + variant,
						  .bytes = 99,
						  .add_time = 1700000000,
						  .use_time = variant };

			if (s.esn)
				n.position += UINT64_C(5) << 32;
			if (s.dir == DP_OUT)
				n.window = XFRM_WINDOW_MIN;
			if (s.dir == DP_OUT && s.esn)
				s.soft = s.hard = n.position + 1000;
			nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
			ck_assert(xfrm_put_new_sa(&b, &s, &n));
			memcpy(copy, buf, b.n);
			put(&b);
			look(s.spi);
			ck_assert_uint_eq(found.states, 1);
			compare_bytes((const struct nlmsghdr *)(const void *)copy,
				      (const struct nlmsghdr *)(const void *)found.last_state);
			ck_assert_uint_eq(found.view[0].numbers.position, n.position);
			ck_assert_uint_eq(found.view[0].user, s.sign);
			nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
			ck_assert(xfrm_put_del_sa(&b, &id));
			put(&b);
		}
}
END_TEST

START_TEST(numbers_are_written)
{
	_Alignas(struct nlmsghdr) uint8_t buf[4096];
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_numbers n = { .position = 10, .window = 128, .packets = 10 };
	struct nl_batch b;

	for (unsigned variant = 0; variant < 16; variant += 2) {
		struct xfrm_state s = state_for(&suite, variant);
		struct xfrm_state_id id = xfrm_state_id_of(&s);
		struct xfrm_numbers m = { .position = (s.esn ? UINT64_C(7) << 32 : 0) + 4000, .window = 128 };
		const struct xfrm_view *v;

		s.soft = s.hard = XFRM_NO_LIMIT;
		m.packets = m.position;
		m.known_bits = true;
		m.bits[1] = 0xdeadbeef;
		nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
		ck_assert(xfrm_put_new_sa(&b, &s, &n) && xfrm_put_new_ae(&b, &id, s.esn, s.reqid, &m));
		s.soft = 100;
		s.hard = 200;
		ck_assert(xfrm_put_update_sa(&b, &s, &n));
		put(&b);
		v = view_of(s.spi);
		ck_assert_uint_eq(v->numbers.position, m.position);
		ck_assert_uint_eq(v->numbers.packets, m.packets);
		ck_assert(v->soft == 100 && v->hard == 200);
		if (s.dir == DP_IN)
			ck_assert(v->numbers.window == 128 && v->numbers.bits[1] == 0xdeadbeef);
	}
}
END_TEST

/* ---- whose is what ---- */

static void on_thresholds(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	(void)index;
	ck_assert(xfrm_get_thresholds(nlh, arg));
}

static struct xfrm_thresholds thresholds_now(void)
{
	struct xfrm_thresholds t = { 1, 1, 1, 1 };
	const struct nl_handler h = { .data = on_thresholds, .arg = &t };
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nl_batch b;

	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_get_thresholds(&b));
	ck_assert_int_eq(nl_exchange(&nl, &b, &h), GW_OK);
	return t;
}

START_TEST(leftovers_go_and_others_stay)
{
	const struct xfrm_plane_config cfg = { 0 };
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_numbers n = { .window = 32 };
	struct xfrm_state mine = state_for(&suite, 0), other = mine, foreign = mine;
	struct xfrm_policy p = { .dir = XFRM_POLICY_OUT, .priority = 100, .has_template = true, .reqid = 1 };
	struct xfrm_thresholds t = { 8, 16, 24, 40 };
	struct dp_stat stats[64];
	struct err e = { 0 };
	struct nl_batch b;

	plane.dp->ops->destroy(plane.dp);
	look(0);
	ck_assert(found.states == 0 && found.policies == 0); /* our guards are gone, too */
	other.spi = 0x2000;
	other.sign = xfrm_sign(NODE + 1, XFRM_KIND_OUT); /* another node in the same kernel */
	foreign.spi = 0x3000;
	foreign.sign = 0; /* an operator's, with a reqid of ours */
	p.remote = addr_of("192.0.2.9");
	p.local = addr_of("192.0.2.8");
	p.row.ours = (struct prefix){ addr_of("10.0.0.0"), 8 };
	p.row.theirs = (struct prefix){ addr_of("10.1.0.0"), 16 };
	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_new_sa(&b, &mine, &n) && xfrm_put_new_sa(&b, &other, &n) &&
		  xfrm_put_new_sa(&b, &foreign, &n) && xfrm_put_policy(&b, &p));
	p.sign = xfrm_sign(NODE, XFRM_KIND_GUARD);
	ck_assert(xfrm_put_policy(&b, &p) && xfrm_put_thresholds(&b, &t));
	put(&b);
	look(0);
	ck_assert(found.states == 3 && found.policies == 2);
	plane.dp = xfrm_plane_create(&plane.env, &cfg, &e);
	ck_assert_msg(plane.dp != NULL, "%s", e.text);
	look(0);
	ck_assert(found.states == 2 && found.policies == 1 && found.policy[0].sign == 0);
	/* Policies for single addresses on their side are found by hash, whatever was set before. */
	t = thresholds_now();
	ck_assert(t.ours4 == 0 && t.theirs4 == 32 && t.ours6 == 0 && t.theirs6 == 128);
	ck_assert_uint_gt(plane.dp->ops->stats(plane.dp, stats, ARRAY_LEN(stats)), 30);
	ck_assert_uint_eq(plane_stat(&plane, "leftovers"), 2);
	plane.dp->ops->destroy(plane.dp);
	look(0);
	ck_assert(found.states == 2 && found.policies == 1);
	plane.dp = xfrm_plane_create(&plane.env, &cfg, &e);
	ck_assert_ptr_nonnull(plane.dp);
}
END_TEST

/* ---- batches ---- */

START_TEST(refused_by_the_kernel)
{
	_Alignas(struct nlmsghdr) uint8_t buf[2048];
	struct dp_sa a = sa_here(DP_OUT, 0xa001), b = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_policy(REQID, &ours, &theirs), op_add(&a), op_add(&b) };
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_state s = state_for(&suite, 0);
	struct xfrm_numbers n = { 0 };
	struct nl_batch batch;

	/* An operator has a state where our second SA wants to be. */
	s.spi = b.spi;
	s.sign = 0;
	s.local = b.local;
	s.remote = b.remote;
	nl_reset(&batch, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_new_sa(&batch, &s, &n));
	put(&batch);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_EEXIST);
	look(b.spi);
	ck_assert_uint_eq(found.states, 1);
	ck_assert_uint_eq(found.view[0].user, 0);
	for (size_t i = 0; i < found.policies; i++)
		ck_assert_uint_ne(found.policy[i].reqid, REQID);
	/* Removing what is not ours is not done either. */
	ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &b, 0)), GW_OK);
	look(b.spi);
	ck_assert_uint_eq(found.states, 1);
	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
}
END_TEST

/* Many at once, each third with a mistake: told in order, and the kernel has what was told. */
START_TEST(many_at_once)
{
	enum { N = 600 };
	struct dp_event event;
	size_t good = 0;

	/* Few sends, each full. */
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa sa = sa_here(DP_IN, 0x40000 + i);
		struct dp_op op = op_add(&sa);

		ck_assert_int_eq(dp_submit(plane.dp, i, &op, 1), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++)
		ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == i && event.result == GW_OK);
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa sa = sa_here(DP_IN, 0x40000 + i);

		ck_assert_int_eq(plane_do(&plane, op_on(DP_SA_REMOVE, &sa, 0)), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa in = sa_here(DP_IN, 0x10000 + i), out = sa_here(DP_OUT, 0x20000 + i);
		struct selector client = selector_for("10.2.0.0", 0, 0, 65535);
		struct dp_op ops[3];

		in.reqid = out.reqid = i + 1;
		put_u32(client.range.lo.b, 0x0a020000 + i);
		client.range.hi = client.range.lo;
		if (i % 3 == 2)
			in.spi -= 2; /* taken by the one before the last */
		ops[0] = op_policy(i + 1, &ours, &client);
		ops[1] = op_add(&out);
		ops[2] = op_add(&in);
		ck_assert_int_eq(dp_submit(plane.dp, i, ops, 3), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++) {
		ck_assert(plane_event(&plane, &event, PATIENCE_MS));
		ck_assert_uint_eq(event.token, i);
		ck_assert_int_eq(event.result, i % 3 == 2 ? GW_EEXIST : GW_OK);
		good += i % 3 != 2;
	}
	look(0);
	ck_assert_uint_eq(found.states, 2 * good);
	ck_assert_uint_eq(found.policies, 3 * good + 3); /* and the guard */
	/* All gone by removing: every second as one batch with both kinds. */
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa in = sa_here(DP_IN, 0x10000 + i), out = sa_here(DP_OUT, 0x20000 + i);
		struct dp_op ops[] = { { .kind = DP_POLICY_REMOVE, .reqid = i + 1 },
				       op_on(DP_SA_REMOVE, &out, 0),
				       op_on(DP_SA_REMOVE, &in, 0) };

		ck_assert_int_eq(dp_submit(plane.dp, i, ops, 3), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++)
		ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == i && event.result == GW_OK);
	look(0);
	ck_assert(found.states == 0 && found.policies == 3);
}
END_TEST

/*
 * The kernel has no room for its answers: nobody knows what has failed, so all of it has, nothing of it stays, and each
 * is tried again by itself. So each hears what is true of it, in order, and what was to go is gone.
 */
START_TEST(lost_answers)
{
	enum { N = 200 };
	struct xfrm_plane *x = xfrm_self(plane.dp);
	struct dp_event event;
	const int tiny = 1, large = 1 << 20;

	for (uint32_t i = 0; i < N; i += 10) {
		struct dp_sa old = sa_here(DP_IN, 0x70000 + i);

		ck_assert_int_eq(plane_do(&plane, op_add(&old)), GW_OK);
	}
	ck_assert_int_eq(setsockopt(x->nl.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa fresh = sa_here(DP_IN, 0x50000 + i), same = fresh, old = sa_here(DP_IN, 0x70000 + i);
		struct dp_op ops[2], gone = op_on(DP_SA_REMOVE, &old, 0);

		/* Ours knows them as two, the kernel as one: by destination and SPI. */
		fresh.reqid = same.reqid = i + 1;
		same.dir = DP_OUT;
		same.remote = fresh.local;
		same.local = fresh.remote;
		same.fence = 1000;
		ops[0] = op_add(&fresh);
		ops[1] = op_add(&same);
		if (i % 10 == 0)
			ck_assert_int_eq(dp_submit(plane.dp, i, &gone, 1), GW_OK);
		else
			ck_assert_int_eq(dp_submit(plane.dp, i, ops, 2), GW_OK);
	}
	for (uint32_t i = 0; i < N; i++) {
		ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == i);
		ck_assert_msg(event.result == (i % 10 == 0 ? GW_OK : GW_EEXIST), "%u: %d %s", i, event.result,
			      event.text);
	}
	ck_assert_uint_ge(plane_stat(&plane, "overruns"), 1);
	ck_assert_uint_ge(plane_stat(&plane, "tried_again"), N / 2);
	look(0);
	ck_assert_uint_eq(found.states, 0);
	/* And on it goes. */
	ck_assert_int_eq(setsockopt(x->nl.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct dp_sa sa = sa_here(DP_IN, 0x50000 + i);

		ck_assert_int_eq(plane_do(&plane, op_add(&sa)), GW_OK);
	}
	look(0);
	ck_assert_uint_eq(found.states, N);
}
END_TEST

/* All SAs are counted by one request, however many there are. */
START_TEST(ten_thousand_by_one_dump)
{
	enum { N = 10000 };
	struct dp_sa_state states[256];
	struct dp_event event;
	uint64_t cookie = 0, sends;
	size_t n, told = 0, here = 0;

	for (uint32_t i = 0, done = 0; done < N;) {
		for (; i < N && i - done < 500; i++) {
			struct dp_sa sa = sa_here(DP_IN, 0x60000 + i);
			struct dp_op op = op_add(&sa);

			ck_assert_int_eq(dp_submit(plane.dp, i, &op, 1), GW_OK);
		}
		ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == done++);
		ck_assert_int_eq(event.result, GW_OK);
	}
	sends = plane_stat(&plane, "sends");
	ck_assert_uint_le(sends, N / 50); /* nor is each SA installed by itself */
	do {
		n = plane.dp->ops->dump(plane.dp, &cookie, states, ARRAY_LEN(states));
		for (size_t i = 0; i < n; i++)
			here += states[i].id.spi >= 0x60000 && states[i].id.spi < 0x60000 + N;
		told += n;
	} while (cookie != 0);
	ck_assert_uint_eq(told, N);
	ck_assert_uint_eq(here, N);
	ck_assert_uint_eq(plane_stat(&plane, "sends"), sends + 1);
}
END_TEST

/* A batch that fails at its end leaves nothing, though the next ones are in the same send. */
START_TEST(a_failure_among_others)
{
	_Alignas(struct nlmsghdr) uint8_t buf[2048];
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_state s = state_for(&suite, 0);
	struct dp_sa taken = sa_here(DP_OUT, 0xee01), first = sa_here(DP_OUT, 0x1), a = sa_here(DP_OUT, 0xc001),
		     again = sa_here(DP_OUT, 0xc001);
	struct dp_op bad[] = { op_policy(REQID, &ours, &theirs), op_add(&a), op_add(&taken) };
	struct dp_op good[] = { op_add(&again), op_on(DP_SA_FENCE, &again, 99), op_policy(REQID, &ours, &theirs) };
	struct dp_op before = op_add(&first);
	struct xfrm_numbers n = { 0 };
	struct dp_event event;
	struct nl_batch batch;

	s.spi = taken.spi;
	s.sign = 0;
	s.remote = taken.remote;
	s.local = taken.local;
	again.start = 42;
	good[0] = op_add(&again);
	nl_reset(&batch, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_new_sa(&batch, &s, &n));
	put(&batch);
	ck_assert_int_eq(dp_submit(plane.dp, 1, &before, 1), GW_OK);
	ck_assert_int_eq(dp_submit(plane.dp, 2, bad, 3), GW_OK);
	ck_assert_int_eq(dp_submit(plane.dp, 3, good, 3), GW_OK);
	ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == 1 && event.result == GW_OK);
	ck_assert(plane_event(&plane, &event, PATIENCE_MS) && event.token == 2 && event.result == GW_EEXIST);
	ck_assert_msg(plane_event(&plane, &event, PATIENCE_MS) && event.token == 3 && event.result == GW_OK, "%s",
		      event.text);
	ck_assert_uint_eq(view_of(0xc001)->numbers.position, 42);
	ck_assert_uint_eq(view_of(0xc001)->hard, 99);
	ck_assert_uint_eq(found.states, 3);
	ck_assert_uint_eq(plane_stat(&plane, "undone"), 1);
}
END_TEST

/* ---- moving ---- */

START_TEST(moves_to_another_address)
{
	struct dp_sa in = sa_here(DP_IN, 0xa001), out = sa_here(DP_OUT, 0xb001);
	struct dp_op ops[] = { op_add(&in), op_add(&out), op_policy(REQID, &ours, &theirs) };
	struct endpoint there = endpoint_of("127.0.0.9", 7000);
	int here_fd, there_fd;

	in.esn = out.esn = true;
	in.replay_window = 256;
	ops[0] = op_add(&in);
	ops[1] = op_add(&out);
	ck_assert_int_eq(plane_do_all(&plane, ops, 3), GW_OK);
	here_fd = socket_at("127.0.0.1", 4501);
	there_fd = socket_at("127.0.0.9", 7000);
	send_inside(3);
	ck_assert(next_seq(here_fd) == 1 && next_seq(here_fd) == 2 && next_seq(here_fd) == 3);
	(void)close(here_fd);
	ck_assert(arrives(&in, 100, "127.0.0.1", 4501, &plane.at));
	ck_assert(arrives(&in, 98, "127.0.0.1", 4501, &plane.at));
	{
		struct dp_op move[] = { op_move(&in, plane.at, there), op_move(&out, plane.at, there) };

		ck_assert_int_eq(plane_do_all(&plane, move, 2), GW_OK);
	}
	(void)close(there_fd);
	/* Of the window nothing is lost: seen stays seen, and what was not may still come. */
	ck_assert(!arrives(&in, 100, "127.0.0.9", 7000, &plane.at));
	ck_assert(!arrives(&in, 98, "127.0.0.9", 7000, &plane.at));
	ck_assert(arrives(&in, 99, "127.0.0.9", 7000, &plane.at));
	ck_assert(arrives(&in, 101, "127.0.0.9", 7000, &plane.at));
	there_fd = socket_at("127.0.0.9", 7000);
	send_inside(2);
	ck_assert(next_seq(there_fd) == 4 && next_seq(there_fd) == 5);
	out.remote = there;
	{
		struct dp_sa_id id = id_of(&out);
		struct dp_sa_state s;

		ck_assert_int_eq(plane.dp->ops->query(plane.dp, &id, &s), GW_OK);
		ck_assert(s.count.packets == 5 && s.position == 5);
	}
	(void)close(there_fd);
}
END_TEST

/* What the kernel counts by itself (/proc/net/xfrm_stat) is among the plane's counters. */
START_TEST(the_kernels_counters)
{
	struct dp_sa in = sa_here(DP_IN, 0xa001), stranger = sa_here(DP_IN, 0xa002);
	struct dp_op ops[] = { op_add(&in), op_policy(REQID, &ours, &theirs) };

	ck_assert_int_eq(plane_do_all(&plane, ops, 2), GW_OK);
	ck_assert_uint_eq(plane_stat(&plane, "kernel_in_no_states"), 0);
	ck_assert(!arrives(&stranger, 1, "127.0.0.1", 4501, &plane.at));
	ck_assert_uint_eq(plane_stat(&plane, "kernel_in_no_states"), 1);
	ck_assert(arrives(&in, 1, "127.0.0.1", 4501, &plane.at));
	ck_assert(!arrives(&in, 1, "127.0.0.1", 4501, &plane.at));
	ck_assert_uint_eq(plane_stat(&plane, "kernel_in_state_seq_error"), 1);
	send_inside(1); /* a policy, and no SA */
	(void)poll(NULL, 0, QUIET_MS);
	ck_assert_uint_eq(plane_stat(&plane, "kernel_out_policy_block"), 1);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, bytes_come_back);
	tcase_add_test(t, numbers_are_written);
	tcase_add_test(t, leftovers_go_and_others_stay);
	tcase_add_test(t, refused_by_the_kernel);
	tcase_add_test(t, many_at_once);
	tcase_add_test(t, lost_answers);
	tcase_add_test(t, ten_thousand_by_one_dump);
	tcase_add_test(t, a_failure_among_others);
	tcase_add_test(t, moves_to_another_address);
	tcase_add_test(t, the_kernels_counters);
}

int main(void)
{
	return xfrm_run_cases("xfrm", add);
}
