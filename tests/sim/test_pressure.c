/* Half-open SAs by source, and when newcomers must return a cookie. */
#include "ike/engine.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(text, &a));
	return a;
}

START_TEST(an_ipv6_host_is_its_64_bits)
{
	const struct sim_settings few = { .ike = "  half_open_per_source: 3\n" };
	struct addr one = addr_of("2001:db8::1"), same = addr_of("2001:db8::ffff:0:0:9"),
		    other = addr_of("2001:db8:0:1::1"), v4 = addr_of("192.0.2.7"), beside = addr_of("192.0.2.8");
	struct sim s;
	struct ike *ike;

	sim_init(&s, 1, &few, false);
	ike = s.gate.active.ike;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(source_take(ike, i % 2 ? &one : &same), GW_OK);
	ck_assert_int_eq(source_take(ike, &one), GW_ELIMIT);
	ck_assert_int_eq(source_take(ike, &same), GW_ELIMIT);
	ck_assert_int_eq(source_take(ike, &other), GW_OK);
	source_release(ike, &same);
	ck_assert_int_eq(source_take(ike, &one), GW_OK);
	/* IPv4 addresses are each their own. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(source_take(ike, &v4), GW_OK);
	ck_assert_int_eq(source_take(ike, &v4), GW_ELIMIT);
	ck_assert_int_eq(source_take(ike, &beside), GW_OK);
	for (int i = 0; i < 3; i++) {
		source_release(ike, &one);
		source_release(ike, &v4);
	}
	source_release(ike, &other);
	source_release(ike, &beside);
	ck_assert_uint_eq(HASH_CNT(hh, ike->sources), 0);
	sim_clear(&s);
}
END_TEST

START_TEST(cookies_stay_until_it_is_quiet)
{
	const struct sim_settings some = { .ike = "  cookie_threshold: 10\n" };
	struct addr from = addr_of("192.0.2.7");
	struct sim s;
	struct ike *ike;

	sim_init(&s, 1, &some, false);
	ike = s.gate.active.ike;
	ike->half_open = 9;
	ck_assert(!pressure_wants_cookies(ike, &from));
	ike->half_open = 10;
	ck_assert(pressure_wants_cookies(ike, &from));
	ike->half_open = 6; /* not at once off: it would go on and off */
	ck_assert(pressure_wants_cookies(ike, &from));
	ike->half_open = 5;
	ck_assert(!pressure_wants_cookies(ike, &from));
	ike->half_open = 6;
	ck_assert(!pressure_wants_cookies(ike, &from));
	ike->half_open = 0;
	sim_clear(&s);
}
END_TEST

/* A flood that is slow enough never to have many open at a time. */
START_TEST(what_comes_to_nothing_counts)
{
	const struct sim_settings some = { .ike = "  cookie_threshold: 10\n" };
	struct addr from = addr_of("192.0.2.7");
	struct sim s;
	struct ike *ike;

	sim_init(&s, 1, &some, false);
	ike = s.gate.active.ike;
	for (int i = 0; i < 10; i++) {
		ck_assert(!pressure_wants_cookies(ike, &from));
		pressure_expired(ike);
		s.clock.now = mtime_add(s.clock.now, SECONDS(1));
	}
	ck_assert(pressure_wants_cookies(ike, &from));
	s.clock.now = mtime_add(s.clock.now, SECONDS(21));
	ck_assert(!pressure_wants_cookies(ike, &from));
	sim_clear(&s);
}
END_TEST

START_TEST(one_source_alone_is_asked)
{
	const struct sim_settings some = { .ike = "  half_open_per_source: 8\n  cookie_threshold: 1000\n" };
	struct addr from = addr_of("192.0.2.7"), other = addr_of("192.0.2.8");
	struct sim s;
	struct ike *ike;

	sim_init(&s, 1, &some, false);
	ike = s.gate.active.ike;
	ck_assert_int_eq(source_take(ike, &from), GW_OK);
	ck_assert(!pressure_wants_cookies(ike, &from));
	ck_assert_int_eq(source_take(ike, &from), GW_OK);
	ck_assert(pressure_wants_cookies(ike, &from));
	ck_assert(!pressure_wants_cookies(ike, &other));
	source_release(ike, &from);
	source_release(ike, &from);
	sim_clear(&s);
}
END_TEST

/* Parts of messages that strangers send are held within a bound for all of them together. */
START_TEST(fragments_of_strangers)
{
	const struct sim_settings none = { 0 };
	struct sim_client *c;
	struct sim s;

	sim_init(&s, 1, &none, false);
	c = sim_client_add(&s, false);
	c->cfg.max_datagram = 500;
	c->cfg.ballast = 3000;
	s.gate.active.ike->strangers_held = IKE_FRAG_STRANGERS - 1000;
	sim_connect(&s, c);
	sim_run(&s, SECONDS(5));
	ck_assert(!ini_up(c->ini));
	ck_assert_uint_gt(gate_stat(&s.gate, "drop_fragment"), 0);
	ck_assert_uint_gt(s.gate.active.ike->strangers_held, IKE_FRAG_STRANGERS - 1000);
	ck_assert_uint_le(s.gate.active.ike->strangers_held, IKE_FRAG_STRANGERS);
	sim_run(&s, SECONDS(120)); /* it has given up, and is forgotten */
	ck_assert_uint_eq(s.gate.active.ike->strangers_held, IKE_FRAG_STRANGERS - 1000);
	s.gate.active.ike->strangers_held = 0;
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert(ini_up(c->ini));
	ck_assert_uint_eq(s.gate.active.ike->strangers_held, 0);
	ck_assert(sim_agree(&s) && sim_leaves_nothing(&s));
	sim_clear(&s);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ an_ipv6_host_is_its_64_bits, 0 },  { cookies_stay_until_it_is_quiet, 0 },
		{ what_comes_to_nothing_counts, 0 }, { one_source_alone_is_asked, 0 },
		{ fragments_of_strangers, 0 },
	};

	return suite_run("pressure", tests, ARRAY_LEN(tests));
}
