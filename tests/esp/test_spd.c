#include "esp/spd.h"

#include "tests/esp/esp_check.h"

static struct rng_seeded rng;
static struct spd *spd;

static void begin(void)
{
	rng_seeded_init(&rng, 1);
	spd = spd_create(&rng.rng);
	ck_assert_ptr_nonnull(spd);
}

static void end(void)
{
	spd_destroy(spd);
}

static struct spd_policy *set(uint32_t reqid, struct selector ours, struct selector theirs)
{
	struct dp_op op = op_policy(reqid, &ours, &theirs);
	struct spd_policy *p;

	ck_assert_int_eq(spd_policy_create(&op.policy, &p), GW_OK);
	ck_assert_int_eq(spd_link(spd, p), GW_OK);
	return p;
}

static struct selector any(const char *range)
{
	return selector_for(range, 0, 0, 65535);
}

static struct inner packet(const struct flow *f)
{
	uint8_t buf[2048];
	struct inner in;

	ck_assert(inner_parse(bytes_of(buf, flow_write(f, buf, sizeof(buf))), &in));
	return in;
}

/* The reqid a packet leaves by; 0: none. */
static uint32_t out(const char *src, const char *dst, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct flow f = { src, dst, proto, sport, dport, 0, false, 0, 8 };
	struct inner in = packet(&f);
	const struct spd_policy *p = spd_out(spd, &in);

	return p ? p->reqid : 0;
}

START_TEST(narrower_first)
{
	(void)set(1, any("0.0.0.0/0"), any("10.0.0.0/8"));
	(void)set(2, any("0.0.0.0/0"), any("10.1.0.0/16"));
	(void)set(3, any("0.0.0.0/0"), any("10.1.1.1"));
	(void)set(4, any("0.0.0.0/0"), any("10.1.1.0-10.1.1.9"));	/* a range, narrower than the /16 */
	(void)set(5, any("0.0.0.0/0"), any("10.0.0.0-10.255.255.254")); /* a range, narrower than the /8 only */
	(void)set(6, any("::/0"), any("fd00::/64"));
	(void)set(7, any("::/0"), any("fd00::7"));
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 6, 1, 2), 3);
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.2", 6, 1, 2), 4);
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.10", 6, 1, 2), 2);
	ck_assert_uint_eq(out("1.1.1.1", "10.2.1.10", 6, 1, 2), 5);
	ck_assert_uint_eq(out("1.1.1.1", "10.255.255.255", 6, 1, 2), 1);
	ck_assert_uint_eq(out("1.1.1.1", "11.0.0.0", 6, 1, 2), 0);
	ck_assert_uint_eq(out("fd01::1", "fd00::7", 6, 1, 2), 7);
	ck_assert_uint_eq(out("fd01::1", "fd00::8", 6, 1, 2), 6);
	ck_assert_uint_eq(out("fd01::1", "fd00:0:0:1::8", 6, 1, 2), 0);
	/* Gone means the next wider one. */
	for (uint32_t reqid = 3; reqid <= 5; reqid++) {
		struct spd_policy *p = spd_find(spd, reqid);

		spd_unlink(spd, p);
		spd_policy_destroy(p);
	}
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 6, 1, 2), 2);
	ck_assert_uint_eq(out("1.1.1.1", "10.2.1.1", 6, 1, 2), 1);
	ck_assert_uint_eq(spd_count(spd), 4);
}
END_TEST

START_TEST(same_host)
{
	/* For one host: protocol, then ports, then own side, then age. */
	(void)set(1, any("0.0.0.0/0"), any("10.1.1.1"));
	(void)set(2, any("0.0.0.0/0"), selector_for("10.1.1.1", 6, 0, 65535));
	(void)set(3, any("0.0.0.0/0"), selector_for("10.1.1.1", 6, 80, 80));
	(void)set(4, any("192.168.0.0/16"), selector_for("10.1.1.1", 6, 0, 65535));
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 17, 1, 80), 1);
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 6, 1, 81), 2);
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 6, 1, 80), 3);
	ck_assert_uint_eq(out("192.168.3.1", "10.1.1.1", 6, 1, 81), 4);
	/* Make before break: the same selectors again, the later one wins. */
	(void)set(9, any("0.0.0.0/0"), any("10.1.1.1"));
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 17, 1, 80), 9);
}
END_TEST

START_TEST(put_back)
{
	struct spd_policy *first, *second;

	first = set(1, any("0.0.0.0/0"), any("10.1.1.1"));
	second = set(2, any("0.0.0.0/0"), any("10.1.1.1"));
	spd_unlink(spd, first);
	ck_assert_int_eq(spd_link(spd, first), GW_OK);
	ck_assert_uint_eq(out("1.1.1.1", "10.1.1.1", 6, 1, 2), 2);
	ck_assert_int_eq(spd_link(spd, second), GW_EEXIST);
}
END_TEST

START_TEST(several_selectors)
{
	const struct selector ours[] = { any("192.168.1.0/24"), selector_for("192.168.2.0/24", 17, 53, 53) };
	const struct selector theirs[] = { any("10.1.1.1"), any("10.2.0.0/16"), any("fd00::1"),
					   any("10.3.0.1-10.3.0.3") };
	struct dp_policy in = { .reqid = 8, .ours = ours, .ours_count = 2, .theirs = theirs, .theirs_count = 4 };
	struct spd_policy *p;

	ck_assert_int_eq(spd_policy_create(&in, &p), GW_OK);
	ck_assert_int_eq(spd_link(spd, p), GW_OK);
	ck_assert_uint_eq(out("192.168.1.5", "10.1.1.1", 6, 1, 2), 8);
	ck_assert_uint_eq(out("192.168.1.5", "10.2.9.1", 6, 1, 2), 8);
	ck_assert_uint_eq(out("192.168.1.5", "10.3.0.2", 6, 1, 2), 8);
	ck_assert_uint_eq(out("192.168.2.5", "10.2.9.1", 17, 53, 2), 8);
	ck_assert_uint_eq(out("192.168.2.5", "10.2.9.1", 17, 54, 2), 0);
	ck_assert_uint_eq(out("192.168.2.5", "10.2.9.1", 6, 53, 2), 0);
	ck_assert_uint_eq(out("192.168.3.5", "10.1.1.1", 6, 1, 2), 0);
	spd_unlink(spd, p);
	ck_assert_uint_eq(out("192.168.1.5", "10.1.1.1", 6, 1, 2), 0);
	ck_assert_uint_eq(out("192.168.1.5", "10.3.0.2", 6, 1, 2), 0);
	spd_policy_destroy(p);
}
END_TEST

/* RFC 4301 5.2 step 4: what comes in by an SA must be what its policy is for, in mirror image. */
START_TEST(inbound)
{
	static const struct {
		struct flow flow;
		bool ok;
	} rows[] = {
		{ { "10.1.1.1", "192.168.1.5", 6, 1000, 443, 0, 0, 0, 8 }, true },
		{ { "10.1.1.2", "192.168.1.5", 6, 1000, 443, 0, 0, 0, 8 }, false }, /* spoofed source */
		{ { "10.1.1.1", "192.168.2.5", 6, 1000, 443, 0, 0, 0, 8 }, false },
		{ { "10.1.1.1", "192.168.1.5", 6, 443, 1000, 0, 0, 0, 8 }, false },
		{ { "10.1.1.1", "192.168.1.5", 17, 1000, 443, 0, 0, 0, 8 }, false },
		{ { "192.168.1.5", "10.1.1.1", 6, 443, 1000, 0, 0, 0, 8 }, false },
		{ { "10.1.1.1", "192.168.1.5", 6, 1000, 443, 0, 0, 0x2000, 8 }, true },	 /* first fragment */
		{ { "10.1.1.1", "192.168.1.5", 6, 1000, 443, 0, 0, 0x2008, 8 }, false }, /* later: ports unknown */
	};
	struct spd_policy *p = set(1, selector_for("192.168.1.0/24", 6, 443, 443), any("10.1.1.1"));
	struct spd_policy *wide = set(2, any("192.168.1.0/24"), any("10.1.1.1"));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inner in = packet(&rows[i].flow);

		ck_assert_msg(spd_in_ok(p, &in) == rows[i].ok, "row %zu", i);
	}
	{
		struct inner in = packet(&rows[7].flow);

		ck_assert(spd_in_ok(wide, &in));
	}
}
END_TEST

/* Outbound, later fragments of a flow with a port policy take the portless one or none. */
START_TEST(fragments)
{
	struct flow f = { "192.168.1.5", "10.1.1.1", 17, 53, 1000, 0, 0, 0x2008, 8 };
	struct inner in;

	(void)set(1, selector_for("192.168.1.0/24", 17, 53, 53), any("10.1.1.1"));
	in = packet(&f);
	ck_assert_ptr_null(spd_out(spd, &in));
	(void)set(2, any("192.168.0.0/16"), any("10.1.1.1"));
	ck_assert_uint_eq(spd_out(spd, &in)->reqid, 2);
	f.fragment = 0x2000;
	in = packet(&f);
	ck_assert_uint_eq(spd_out(spd, &in)->reqid, 1);
}
END_TEST

START_TEST(refuses)
{
	struct selector ours = any("10.0.0.0/8"), theirs = any("10.1.1.1");
	struct dp_op op = op_policy(0, &ours, &theirs);
	struct spd_policy *p;

	ck_assert_int_eq(spd_policy_create(&op.policy, &p), GW_EINVAL);
	op = op_policy(1, &ours, &theirs);
	op.policy.ours_count = 0;
	ck_assert_int_eq(spd_policy_create(&op.policy, &p), GW_EINVAL);
	op = op_policy(1, &ours, &theirs);
	theirs.range.hi = addr_of("fd00::1");
	ck_assert_int_eq(spd_policy_create(&op.policy, &p), GW_EINVAL);
	theirs.range.hi = addr_of("10.0.0.1"); /* below lo */
	ck_assert_int_eq(spd_policy_create(&op.policy, &p), GW_EINVAL);
}
END_TEST

/* Policies of one prefix come and go in any order: the best one there answers, for every packet, and no other. */
START_TEST(neighbours)
{
	static const char *const theirs[] = { "10.1.1.1", "10.1.1.0/24", "0.0.0.0/0", "10.1.1.0-10.1.1.6" };
	enum { PORTS = 4, N = ARRAY_LEN(theirs) * PORTS };
	struct spd_policy *all[N] = { 0 };

	for (uint32_t step = 0; step < 600; step++) {
		uint32_t i = (step * 11 + step / 16) % N;

		if (all[i]) {
			spd_unlink(spd, all[i]);
			spd_policy_destroy(all[i]);
			all[i] = NULL;
		} else {
			struct selector s = selector_for(theirs[i / PORTS], 17, 50, (uint16_t)(50 + i % PORTS));

			s.range.lo.b[9] = (uint8_t)step; /* behind the address: means nothing */
			all[i] = set(i + 1, any("0.0.0.0/0"), s);
		}
		for (uint32_t dport = 50; dport < 50 + PORTS; dport++) {
			static const uint32_t order[] = { 0, 3, 1, 2 }; /* of theirs[]: narrower first */
			uint32_t want = 0;

			for (uint32_t k = 0; k < ARRAY_LEN(order) && want == 0; k++)
				for (uint32_t port = dport - 50; port < PORTS && want == 0; port++)
					if (all[order[k] * PORTS + port])
						want = order[k] * PORTS + port + 1;
			ck_assert_uint_eq(out("192.0.2.1", "10.1.1.1", 17, 1, (uint16_t)dport), want);
		}
	}
}
END_TEST

enum { LOOK_UPS = 20000 };

/* Quickest of three: what 20,000 look-ups among the first `hosts` hosts of 10.0.0.0 take. */
static int64_t look_ups(uint32_t hosts)
{
	struct addr base = addr_of("10.0.0.0");
	int64_t best = INT64_MAX;

	for (int round = 0; round < 3; round++) {
		mtime before = clock_now(clock_system());
		int64_t took;
		bool right = true;

		for (uint32_t i = 0; i < LOOK_UPS; i++) {
			struct inner in = { .proto = 17, .has_ports = true, .src = base };

			right &= addr_add(&base, i % hosts, &in.dst) && spd_out(spd, &in)->reqid == i % hosts + 1;
		}
		ck_assert(right);
		took = mtime_since(before, clock_now(clock_system()));
		best = took < best ? took : best;
	}
	return best;
}

static void add_hosts(uint32_t from, uint32_t to)
{
	struct addr base = addr_of("10.0.0.0");
	struct selector world = any("0.0.0.0/0");

	for (uint32_t i = from; i < to; i++) {
		struct range r;

		ck_assert(addr_add(&base, i, &r.lo));
		r.hi = r.lo;
		(void)set(i + 1, world, selector_of(&r));
	}
}

/* 20,000 hosts among a few wide policies: a look-up takes no time that grows with the number. */
START_TEST(many_hosts)
{
	enum { FEW = 500, N = 20000 };
	int64_t few, many;

	(void)set(N + 1, any("0.0.0.0/0"), any("10.0.0.0/8"));
	(void)set(N + 2, any("0.0.0.0/0"), any("0.0.0.0/0"));
	add_hosts(0, FEW);
	few = look_ups(FEW);
	add_hosts(FEW, N);
	many = look_ups(N);
	/* A linear search would take 40 times as long; what grows a little is the misses of caches. */
	ck_assert_int_lt(many, few * 15);
	ck_assert_uint_eq(out("1.1.1.1", "10.200.0.1", 6, 1, 2), N + 1);
	ck_assert_uint_eq(out("1.1.1.1", "11.200.0.1", 6, 1, 2), N + 2);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, narrower_first);
	tcase_add_test(t, same_host);
	tcase_add_test(t, put_back);
	tcase_add_test(t, several_selectors);
	tcase_add_test(t, inbound);
	tcase_add_test(t, fragments);
	tcase_add_test(t, refuses);
	tcase_add_test(t, neighbours);
	tcase_add_test(t, many_hosts);
}

int main(void)
{
	return run_cases("spd", add);
}
