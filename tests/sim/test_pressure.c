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

/* ---- EAP-TLS ---- */

/* An IKE_SA_INIT of a stranger at `from`, with the SPI `spi`; its half-open SA. */
static struct ike_sa *stranger(struct sim *s, struct bytes init, const struct datagram *like, const struct addr *from,
			       uint64_t spi)
{
	struct datagram d = *like;
	struct half_open *h, *next;
	uint8_t buf[2048];

	ck_assert_uint_le(init.n, sizeof(buf));
	memcpy(buf, init.p, init.n);
	put_u64(buf, spi);
	d.from.addr = *from;
	d.data = bytes_of(buf, init.n);
	gate_receive(&s->gate, &d, buf);
	HASH_ITER (by_init, s->gate.active.ike->by_init, h, next) {
		if (h->key.spi_i == spi)
			return h->sa;
	}
	ck_abort_msg("no half-open SA %llu", (unsigned long long)spi);
	return NULL;
}

static bool stands(struct ike *ike, uint64_t spi_i)
{
	struct half_open *h, *next;

	HASH_ITER (by_init, ike->by_init, h, next) {
		if (h->key.spi_i == spi_i)
			return true;
	}
	return false;
}

/*
 * TLS handshakes are large. One source has some of them at a time, and a new one only in place of one that has stood
 * for long; many sources together push out the oldest of all, and never keep others out.
 */
START_TEST(handshakes_of_tls_are_bounded)
{
	const struct sim_settings wide = {
		.ike = "  half_open_per_source: 100\n  half_open_max: 5000\n  cookie_threshold: 5000\n"
	};
	struct addr one = addr_of("2001:db8::1"), same = addr_of("2001:db8::2"), from = addr_of("192.0.2.0");
	struct datagram like;
	struct ike_sa *sa;
	uint8_t init[2048];
	uint64_t spi = 1;
	struct ike *ike;
	struct sim s;

	sim_init(&s, 1, &wide, false);
	ike = s.gate.active.ike;
	ck_assert_int_eq(ini_start(sim_client_add(&s, false)->ini), GW_OK);
	ck_assert(ini_take(s.clients[0].ini, &like));
	memcpy(init, like.data.p, like.data.n);
	for (; spi <= IKE_TLS_PER_SOURCE; spi++) {
		sa = stranger(&s, bytes_of(init, like.data.n), &like, spi % 2 ? &one : &same, spi);
		ck_assert(tls_admit(sa) && tls_admit(sa));
	}
	sa = stranger(&s, bytes_of(init, like.data.n), &like, &one, spi);
	ck_assert(!tls_admit(sa)); /* all of them are young */
	ck_assert_uint_eq(ike->tls_count, IKE_TLS_PER_SOURCE);
	s.clock.now = mtime_add(s.clock.now, SECONDS(2));
	ck_assert(tls_admit(sa) && !stands(ike, 1) && stands(ike, 2));
	ck_assert_uint_eq(gate_stat(&s.gate, "tls_shed"), 1);
	ck_assert_uint_eq(gate_stat(&s.gate, "tls_refused"), 1);
	/* Others, each with one: all the room that there is. */
	while (ike->tls_count < IKE_TLS_MAX) {
		put_u32(from.b, 0xc0000200u + (uint32_t)++spi);
		ck_assert(tls_admit(stranger(&s, bytes_of(init, like.data.n), &like, &from, spi)));
	}
	put_u32(from.b, 0xc0000200u + (uint32_t)++spi);
	ck_assert(tls_admit(stranger(&s, bytes_of(init, like.data.n), &like, &from, spi)));
	ck_assert(ike->tls_count == IKE_TLS_MAX && !stands(ike, 2) && stands(ike, 3) && stands(ike, spi));
	ck_assert_uint_eq(gate_stat(&s.gate, "tls_shed"), 2);
	sim_run(&s, SECONDS(100));
	ck_assert(ike->tls_count == 0 && !ike->tls);
	sim_clear(&s);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ an_ipv6_host_is_its_64_bits, 0 },  { cookies_stay_until_it_is_quiet, 0 },
		{ what_comes_to_nothing_counts, 0 }, { one_source_alone_is_asked, 0 },
		{ fragments_of_strangers, 0 },	     { handshakes_of_tls_are_bounded, 0 },
	};

	return suite_run("pressure", tests, ARRAY_LEN(tests));
}
