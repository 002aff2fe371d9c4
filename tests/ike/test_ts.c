#include "ike/ts.h"

#include "core/rng.h"
#include "payload_check.h"

/* "10.0.0.0/8", "10.0.0.1-10.0.0.9[6/80]", "::/0[17/1000-2000]"; several with blanks between. */
static size_t parse(const char *text, struct selector *out)
{
	char buf[512], *save;
	size_t n = 0;

	strcpy(buf, text);
	for (char *p = strtok_r(buf, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		unsigned proto = 0, lo = 0, hi = 65535;
		char *open = strchr(p, '[');
		struct range r;

		if (open) {
			int got = sscanf(open, "[%u/%u-%u", &proto, &lo, &hi);

			*open = '\0';
			ck_assert_int_ge(got, 1);
			if (got == 1)
				lo = 0;
			if (got == 2)
				hi = lo;
		}
		ck_assert_msg(range_parse(p, &r), "not a range: %s", p);
		out[n++] = (struct selector){ (uint8_t)proto, (uint16_t)lo, (uint16_t)hi, r };
	}
	return n;
}

START_TEST(narrowing)
{
	static const struct {
		const char *what, *offer, *ours;
		size_t max;
		const char *want;
	} cases[] = {
		{ "all into a net", "0.0.0.0/0", "10.0.0.0/24", 16, "10.0.0.0/24" },
		{ "all into nets", "0.0.0.0/0", "10.0.0.0/24 10.0.2.0/24", 16, "10.0.0.0/24, 10.0.2.0/24" },
		{ "a net into all", "10.0.0.0/24", "0.0.0.0/0", 16, "10.0.0.0/24" },
		{ "equal", "10.0.0.0/24", "10.0.0.0/24", 16, "10.0.0.0/24" },
		{ "overlap", "10.0.0.0-10.0.0.200", "10.0.0.100-10.0.1.0", 16, "10.0.0.100-10.0.0.200" },
		{ "nothing in common", "10.0.0.0/24", "10.0.1.0/24", 16, "" },
		{ "nothing offered", "", "10.0.1.0/24", 16, "" },
		{ "nothing here", "10.0.1.0/24", "", 16, "" },
		{ "families", "0.0.0.0/0 ::/0", "10.0.0.0/8 fd00::/16", 16, "10.0.0.0/8, fd00::/16" },
		{ "other family", "::/0", "10.0.0.0/8", 16, "" },
		{ "protocol here", "0.0.0.0/0", "10.0.0.0/8[6/443]", 16, "10.0.0.0/8[tcp/443]" },
		{ "protocol there", "10.0.0.0/8[17]", "0.0.0.0/0", 16, "10.0.0.0/8[udp]" },
		{ "protocols differ", "10.0.0.0/8[17]", "0.0.0.0/0[6]", 16, "" },
		{ "ports overlap", "10.0.0.0/8[6/80-90]", "0.0.0.0/0[6/85-443]", 16, "10.0.0.0/8[tcp/85-90]" },
		{ "twice the same", "10.0.0.0/8 10.0.0.0/8", "0.0.0.0/0 0.0.0.0/0", 16, "10.0.0.0/8" },
		{ "contained, small one first", "10.0.0.0/16 10.0.0.0/8", "0.0.0.0/0", 16, "10.0.0.0/8" },
		{ "contained, big one first", "10.0.0.0/8 10.0.0.0/16", "0.0.0.0/0", 16, "10.0.0.0/8" },
		{ "a packet first (RFC 7296 2.9)", "10.9.0.5[17/53] 0.0.0.0/0", "10.0.0.0/24 10.9.0.0/16", 16,
		  "10.9.0.0/16, 10.0.0.0/24" },
		{ "a packet first, room for one", "10.9.0.5[17/53] 0.0.0.0/0", "10.0.0.0/24 10.9.0.0/16", 1,
		  "10.9.0.0/16" },
		{ "a packet first that is not ours", "192.0.2.5[17/53] 0.0.0.0/0", "10.0.0.0/24 10.9.0.0/16", 16,
		  "10.0.0.0/24, 10.9.0.0/16" },
		{ "a packet's host only is ours", "10.9.0.5[17/53] 10.9.0.0/24", "10.9.0.5", 16, "10.9.0.5" },
		{ "more than there is room for", "0.0.0.0/0", "10.0.0.0/24 10.0.1.0/24 10.0.2.0/24", 2,
		  "10.0.0.0/24, 10.0.1.0/24" },
		{ "no room, but a bigger one swallows two", "10.0.0.0/24 10.0.1.0/24 10.0.0.0/8", "0.0.0.0/0", 2,
		  "10.0.0.0/8" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct selector offer[IKE_MAX_SELECTORS], ours[IKE_MAX_SELECTORS], out[IKE_CHILD_SELECTORS];
		size_t no = parse(cases[i].offer, offer), nu = parse(cases[i].ours, ours), n;
		char text[512];

		n = ts_narrow(offer, no, ours, nu, out, cases[i].max);
		ts_text(out, n, text, sizeof(text));
		ck_assert_msg(strcmp(text, cases[i].want) == 0, "%s: %s", cases[i].what, text);
	}
}
END_TEST

static struct selector random_selector(struct rng *g)
{
	struct selector s = { .port_lo = 0, .port_hi = 65535 };
	uint8_t a = (uint8_t)rng_below(g, 8), b = (uint8_t)(a + rng_below(g, 8U - a));

	s.range.lo = (struct addr){ 4, { 10, 0, 0, a } };
	s.range.hi = (struct addr){ 4, { 10, 0, 0, b } };
	if (rng_below(g, 2)) {
		s.proto = (uint8_t)(6 + rng_below(g, 2));
		s.port_lo = (uint16_t)rng_below(g, 4);
		s.port_hi = (uint16_t)(s.port_lo + rng_below(g, 4U - s.port_lo));
	}
	return s;
}

static bool covered(const struct selector *s, size_t n, uint8_t host, uint8_t proto, uint16_t port)
{
	struct selector packet = { proto, port, port, { { 4, { 10, 0, 0, host } }, { 4, { 10, 0, 0, host } } } };

	for (size_t i = 0; i < n; i++) {
		if (selector_contains(&s[i], &packet))
			return true;
	}
	return false;
}

/* In a small world: a packet is in the outcome exactly when it is in both sides; with too little room never otherwise.
 */
START_TEST(outcome_is_the_intersection)
{
	struct rng_seeded g;

	rng_seeded_init(&g, 11);
	for (int round = 0; round < 500; round++) {
		struct selector offer[4], ours[4], out[16];
		size_t no = 1 + rng_below(&g.rng, 4), nu = 1 + rng_below(&g.rng, 4), n;
		size_t max = round % 4 ? 16 : 2;
		unsigned wrong = 0;

		for (size_t i = 0; i < no; i++)
			offer[i] = random_selector(&g.rng);
		for (size_t i = 0; i < nu; i++)
			ours[i] = random_selector(&g.rng);
		n = ts_narrow(offer, no, ours, nu, out, max);
		ck_assert_uint_le(n, max);
		for (unsigned i = 0; i < 8U * 3 * 5; i++) {
			uint8_t host = (uint8_t)(i % 8), proto = (uint8_t)(6 + i / 8 % 3);
			uint16_t port = (uint16_t)(i / 24);
			bool both = covered(offer, no, host, proto, port) && covered(ours, nu, host, proto, port);
			bool got = covered(out, n, host, proto, port);

			wrong += max == 2 ? got && !both : got != both;
		}
		ck_assert_uint_eq(wrong, 0);
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < n; k++)
				ck_assert(i == k || !selector_contains(&out[i], &out[k]));
		}
	}
}
END_TEST

/* What is kept of one side for what the other side is. */
START_TEST(matched)
{
	static const struct {
		const char *side, *other, *want;
	} cases[] = {
		{ "10.0.0.0/8 ::/0", "10.1.0.0/16", "10.0.0.0/8" },
		{ "10.0.0.0/8 ::/0", "fd00::/64", "::/0" },
		{ "10.0.0.0/8 ::/0", "fd00::/64 10.1.0.0/16", "10.0.0.0/8, ::/0" },
		{ "10.0.0.0/8[6]", "10.1.0.0/16[17]", "" },
		{ "10.0.0.0/8[6] 10.0.0.0/9[17]", "10.1.0.0/16[17/53]", "10.0.0.0/9[udp]" },
		{ "10.0.0.0/8[6]", "10.1.0.0/16", "10.0.0.0/8[tcp]" },
		{ "10.0.0.0/8", "10.1.0.0/16[6]", "10.0.0.0/8" },
		{ "10.0.0.0/8[6] ::/0[17]", "10.1.0.0/16[17] fd00::/64[6]", "" }, /* crosswise */
		{ "10.0.0.0/8", "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct selector side[4], other[4];
		size_t n = parse(cases[i].side, side), others = parse(cases[i].other, other);
		char got[128];

		n = ts_keep_matched(side, n, other, others);
		ck_assert_str_eq(ts_text(side, n, got, sizeof(got)), cases[i].want);
	}
}
END_TEST

START_TEST(same_sets)
{
	struct selector a[4], b[4];
	size_t na = parse("10.0.0.0/8 ::/0", a), nb = parse("::/0 10.0.0.0/8", b);

	ck_assert(ts_same(a, na, b, nb));
	ck_assert(!ts_same(a, na, b, 1));
	ck_assert(!ts_same(a, 1, b, nb));
	ck_assert(ts_same(a, 0, b, 0));
	nb = parse("::/0 10.0.0.0/8[6]", b);
	ck_assert(!ts_same(a, na, b, nb));
}
END_TEST

START_TEST(text)
{
	struct selector s[3];
	size_t n = parse("10.0.0.0/24 fd00::/64[6/80] 10.0.0.1-10.0.0.9", s);
	static const char want[] = "10.0.0.0/24, fd00::/64[tcp/80], 10.0.0.1-10.0.0.9";
	char full[128];

	ck_assert_str_eq(ts_text(s, n, full, sizeof(full)), want);
	ck_assert_str_eq(ts_text(s, 0, full, sizeof(full)), "");
	for (size_t len = 1; len < sizeof(want); len++) {
		char *buf = malloc(len);

		ck_assert_ptr_nonnull(buf);
		ts_text(s, n, buf, len);
		ck_assert_uint_lt(strlen(buf), len);
		if (len >= 4)
			ck_assert_str_eq(buf + strlen(buf) - 3, "...");
		free(buf);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { narrowing, outcome_is_the_intersection, matched, same_sets, text };

	return run_tests("ts", tests, ARRAY_LEN(tests));
}
