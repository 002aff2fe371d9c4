/*
 * The kernel plane against a real kernel, beyond what all planes promise: bytes, leftovers, moving, undoing, lost
 * events. Skipped where the kernel has no ESP; in User Mode Linux, and with KERNEL_PLANE=1 in the environment, it must.
 */
#include "esp/xfrm.h"

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "esp/packet.h"
#include "esp/xfrm_link.h"
#include "esp/xfrm_state.h"
#include "tests/esp/plane_check.h"

enum { REQID = 77, NODE = 3, FOUND_MAX = 4096 };

static struct plane plane;
static struct crypto *crypto;
static struct selector ours, theirs;
static struct nl_socket nl;

static void begin(void)
{
	struct err e = { 0 };

	plane_open_kernel(&plane, NODE);
	crypto = crypto_create(&e);
	ck_assert_ptr_nonnull(crypto);
	ck_assert_msg(nl_open(NETLINK_XFRM, &nl, &e) == GW_OK, "%s", e.text);
	ours = selector_for("192.168.1.0/24", 0, 0, 65535);
	theirs = selector_for("10.1.1.1", 0, 0, 65535);
}

static void end(void)
{
	nl_close(&nl);
	crypto_destroy(crypto);
	plane_close(&plane);
}

/* ---- the kernel's own word ---- */

static struct found {
	size_t states, policies;
	_Alignas(8) uint8_t last_state[2048]; /* as a message, of the SPI looked for */
	struct xfrm_policy policy[FOUND_MAX];
	struct xfrm_view view[FOUND_MAX];
	uint32_t spi;
} found;

static void on_found(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct xfrm_view v;
	struct xfrm_policy p;

	(void)arg;
	(void)index;
	if (xfrm_get_state(nlh, &v)) {
		if (v.id.spi == found.spi)
			memcpy(found.last_state, nlh, nlh->nlmsg_len);
		if (found.states < FOUND_MAX)
			found.view[found.states] = v;
		found.states++;
	} else if (xfrm_get_policy(nlh, &p) && p.dir <= XFRM_POLICY_FWD) { /* sockets have some of their own */
		if (found.policies < FOUND_MAX)
			found.policy[found.policies] = p;
		found.policies++;
	}
}

static void look(uint32_t spi)
{
	const struct nl_handler h = { .data = on_found };
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nl_batch b;

	found.states = found.policies = 0;
	found.spi = spi;
	memset(found.last_state, 0, sizeof(found.last_state));
	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_dump_sa(&b));
	ck_assert_int_eq(nl_exchange(&nl, &b, &h), GW_OK);
	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_dump_policy(&b));
	ck_assert_int_eq(nl_exchange(&nl, &b, &h), GW_OK);
}

static const struct xfrm_view *view_of(uint32_t spi)
{
	look(spi);
	for (size_t i = 0; i < found.states; i++)
		if (found.view[i].id.spi == spi)
			return &found.view[i];
	ck_abort_msg("no state %08x", spi);
}

static void on_refused(void *arg, uint32_t index, int number, const char *text)
{
	(void)arg;
	ck_abort_msg("request %u: %d %s", index, number, text);
}

static void put(struct nl_batch *b)
{
	const struct nl_handler h = { .error = on_refused };

	ck_assert_int_eq(nl_exchange(&nl, b, &h), GW_OK);
}

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

static struct dp_sa sa_here(enum dp_dir dir, uint32_t spi)
{
	struct dp_sa sa = sa_of(dir, spi, REQID);

	sa.local = plane.at;
	sa.remote = endpoint_of("127.0.0.1", 4501);
	return sa;
}

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

/* An authentic packet from `from` to `to`; true: it came inside. */
static bool arrives(const struct dp_sa *in, uint64_t seq, const char *from, uint16_t port, const struct endpoint *to)
{
	struct flow f = { "10.1.1.1", "192.168.1.5", 17, 1000, 2000, 0, false, 0, 72 };
	struct packet_sa keys = { &in->suite, NULL, in->spi, in->esn };
	struct endpoint at = endpoint_of(from, port);
	struct sockaddr_storage ss;
	struct packet p;
	uint8_t buf[2048], iv[8], got[2048];
	size_t n = flow_write(&f, buf + PACKET_HEADROOM, 1024);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&at, &ss);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	p = (struct packet){ buf, sizeof(buf), PACKET_HEADROOM, n };
	put_u64(iv, seq);
	ck_assert_int_eq(cipher_create(crypto, &in->suite, CIPHER_SEAL, in->encr_key, in->integ_key, &keys.cipher),
			 GW_OK);
	ck_assert_int_eq(packet_seal(&keys, seq, iv, ESP_NEXT_IPV4, &p), GW_OK);
	cipher_destroy(keys.cipher);
	len = (socklen_t)endpoint_to_sockaddr(to, &ss);
	ck_assert_int_eq(sendto(fd, packet_data(&p), p.n, 0, (struct sockaddr *)&ss, len), (ssize_t)p.n);
	(void)close(fd);
	if (!readable(plane.inside, QUIET_MS))
		return false;
	ck_assert_int_eq(read(plane.inside, got, sizeof(got)), (ssize_t)n);
	return true;
}

static void send_inside(unsigned n)
{
	struct flow f = { "192.168.1.5", "10.1.1.1", 17, 1000, 2000, 0, false, 0, 72 };
	uint8_t buf[2048];
	size_t len = flow_write(&f, buf, sizeof(buf));

	while (n-- > 0)
		ck_assert_int_eq(write(plane.inside, buf, len), (ssize_t)len);
}

/* The sequence number of the next ESP packet at a socket; 0: none came. */
static uint32_t next_seq(int fd)
{
	uint8_t buf[2048];
	uint32_t spi, seq = 0;
	ssize_t n;

	if (!readable(fd, QUIET_MS))
		return 0;
	n = recv(fd, buf, sizeof(buf), 0);
	ck_assert(n > 0 && packet_peek(bytes_of(buf, (size_t)n), &spi, &seq));
	return seq;
}

static int socket_at(const char *address, uint16_t port)
{
	struct endpoint at = endpoint_of(address, port);
	struct sockaddr_storage ss;
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&at, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

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

/* ---- fences ---- */

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

/* ---- policies ---- */

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

/* ---- links ---- */

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
	tcase_add_test(t, lost_events_are_made_good);
	tcase_add_test(t, revived_at_the_fence);
	tcase_add_test(t, somebody_listens_to_acquires);
	tcase_add_test(t, segmentation_stops_at_the_fence);
	tcase_add_test(t, no_number_beyond_32_bits);
	tcase_add_loop_test(t, reports, 0, 2);
	tcase_add_test(t, reports_fall_back);
	tcase_add_test(t, the_newest_of_equals);
	tcase_add_test(t, ports_and_protocols);
	tcase_add_test(t, a_site_policy_swallows_no_ike);
	tcase_add_test(t, guards_change);
	tcase_add_test(t, without_udp);
	tcase_add_test(t, extras_reach_the_kernel);
	tcase_add_test(t, offload_is_refused);
	tcase_add_test(t, guards_of_interfaces);
	tcase_add_test(t, interfaces);
	tcase_add_test(t, many_interfaces);
}

int main(void)
{
	struct err e = { 0 };

	if (kernel_available(&e))
		return run_cases("xfrm", add);
	fprintf(stderr, "kernel plane: not here: %s\n", e.text);
	return kernel_required() ? EXIT_FAILURE : EXIT_SUCCESS;
}
