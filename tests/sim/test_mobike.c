/* Clients that change their addresses and say so (RFC 4555). */
#include "ike/iana.h"
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static struct sim s;

static struct sim_client *begin(uint64_t seed, const struct sim_settings *settings, bool behind_nat)
{
	struct sim_client *c;

	sim_init(&s, seed, settings, true);
	c = sim_client_add(&s, behind_nat);
	c->cfg.mobike = true;
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_up(c->ini));
	return c;
}

static void done(void)
{
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	sim_check(&s);
	sim_clear(&s);
}

/* After whatever was said: what the gateway asks by itself reaches the client, from a node that has just taken over,
 * too. */
static void reaches(const struct sim_client *c)
{
	struct ike_select all = { 0 };
	uint32_t probes = c->ini->peer_probes;

	(void)ike_probe(s.gate.active.ike, &all);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	(void)sim_agree(&s);
	gate_takeover(&s.gate);
	(void)ike_probe(s.gate.active.ike, &all);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(120));
	(void)sim_agree(&s);
	sim_want(&s, c->ini->peer_probes >= probes + 2);
}

static void roam(struct sim_client *c, bool behind_nat)
{
	sim_roam(&s, c, behind_nat);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
}

START_TEST(from_one_address_to_another)
{
	struct sim_client *c = begin(1, NULL, false);

	sim_want(&s, c->ini->peer_mobike);
	for (unsigned i = 1; i <= 3; i++) {
		roam(c, false);
		sim_want(&s, c->ini->done[INI_UPDATE] == i && sim_sa(&s, c) && !sim_sa(&s, c)->peer_nat);
		sim_want(&s, addr_equal(&sim_sa(&s, c)->remote.addr, &c->addr));
		reaches(c);
	}
	sim_want(&s, s.gate.down == 0);
	done();
}
END_TEST

START_TEST(behind_a_nat_and_out_again)
{
	struct sim_client *c = begin(2, NULL, false);

	for (unsigned i = 0; i < 4; i++) {
		roam(c, i % 2 == 0);
		sim_want(&s, sim_sa(&s, c) && sim_sa(&s, c)->peer_nat == (i % 2 == 0)); /* with UDP around ESP or not */
		reaches(c);
	}
	done();
}
END_TEST

/* 3.8: what does not say so moves nobody; it may try a path. It is answered there all the same. */
START_TEST(trying_a_path_moves_nobody)
{
	struct sim_client *c = begin(3, NULL, true);
	struct endpoint was = sim_sa(&s, c)->remote;

	c->nat->shift = 7000;
	(void)ini_probe(c->ini);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, c->ini->done[INI_PROBE] == 1);
	sim_want(&s, sim_sa(&s, c) && endpoint_equal(&sim_sa(&s, c)->remote, &was));
	roam(c, true);
	reaches(c);
	done();
}
END_TEST

START_TEST(not_where_the_connection_is_not_for)
{
	static const struct sim_settings settings = {
		.conn = "    remote_addresses: [203.0.113.0/24, 198.19.0.0/16]\n"
	};
	struct sim_client *c = begin(4, &settings, false);
	struct addr was = c->addr;

	roam(c, false); /* to 198.18 */
	sim_want(&s, c->ini->refused[INI_UPDATE] == 1 && c->ini->error == N_UNACCEPTABLE_ADDRESSES);
	sim_want(&s, sim_sa(&s, c) && addr_equal(&sim_sa(&s, c)->remote.addr, &was));
	sim_want(&s, gate_stat(&s.gate, "mobike_refused") == 1 && gate_stat(&s.gate, "mobike_updates") == 0);
	roam(c, true); /* to 198.19, by its NAT */
	sim_want(&s, c->ini->done[INI_UPDATE] == 1);
	reaches(c);
	done();
}
END_TEST

/* Nor without MOBIKE, by a NAT that has become another one. */
START_TEST(no_nat_elsewhere)
{
	static const struct sim_settings settings = { .conn = "    remote_addresses: [203.0.113.0/24]\n" };
	struct sim_client *c;
	struct endpoint was;
	struct dp_event moved = { .kind = DP_MOVED };

	sim_init(&s, 11, &settings, false);
	c = sim_client_add(&s, true);
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_up(c->ini) && sim_sa(&s, c)->peer_nat);
	c->nat->shift = 7000; /* another port of the same */
	(void)ini_probe(c->ini);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	was = sim_sa(&s, c)->remote;
	sim_want(&s, c->ini->done[INI_PROBE] == 1 && was.port == c->ini->local.port + 7000);
	ck_assert(addr_parse("198.18.0.1", &c->nat->outside));
	(void)ini_probe(c->ini);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, c->ini->done[INI_PROBE] == 2 && endpoint_equal(&sim_sa(&s, c)->remote, &was));
	moved.id = (struct dp_sa_id){ DP_IN, sim_sa(&s, c)->children->spi_in, was.addr };
	moved.remote = (struct endpoint){ c->nat->outside, was.port };
	ike_dataplane_event(s.gate.active.ike, &moved);
	sim_want(&s, endpoint_equal(&sim_sa(&s, c)->remote, &was) && gate_stat(&s.gate, "drop_address") == 2);
	ck_assert(addr_parse("203.0.113.1", &c->nat->outside));
	done();
}
END_TEST

/* Addresses and ports as NO_NATS_ALLOWED has them (4.2.6). */
static void say_no_nats(struct sim_client *c, const struct endpoint *from)
{
	struct msg_writer w;
	uint8_t buf[128], told[12];
	struct bytes chain;

	memcpy(told, from->addr.b, 4);
	memcpy(told + 4, c->ini->remote.addr.b, 4);
	put_u16(told + 8, from->port);
	put_u16(told + 10, c->ini->remote.port);
	chain_begin(&w, buf, sizeof(buf));
	notify_simple(&w, N_UPDATE_SA_ADDRESSES);
	notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_NO_NATS_ALLOWED, bytes_of(told, sizeof(told)));
	sim_want(&s, chain_finish(&w, &chain) == GW_OK);
	c->ini->error = 0;
	sim_want(&s, ini_say(c->ini, INFORMATIONAL, w.first, chain));
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
}

START_TEST(no_nats_allowed)
{
	struct sim_client *c = begin(5, NULL, true);
	struct endpoint as_seen = sim_sa(&s, c)->remote;

	say_no_nats(c, &c->ini->local);
	sim_want(&s, c->ini->error == N_UNEXPECTED_NAT_DETECTED);
	say_no_nats(c, &as_seen); /* nobody could: but then the addresses are right */
	sim_want(&s, c->ini->error == 0);
	done();
}
END_TEST

static void say_addresses(struct sim_client *c, const char *v4, const char *v6)
{
	struct msg_writer w;
	uint8_t buf[128];
	struct bytes chain;
	struct addr a;

	chain_begin(&w, buf, sizeof(buf));
	if (v4 && addr_parse(v4, &a))
		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_ADDITIONAL_IP4_ADDRESS, addr_bytes(&a));
	if (v6 && addr_parse(v6, &a))
		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_ADDITIONAL_IP6_ADDRESS, addr_bytes(&a));
	if (!v4 && !v6)
		notify_simple(&w, N_NO_ADDITIONAL_ADDRESSES);
	sim_want(&s, chain_finish(&w, &chain) == GW_OK);
	sim_want(&s, ini_say(c->ini, INFORMATIONAL, w.first, chain));
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
}

static bool also(const struct sim_client *c, size_t i, const char *text)
{
	const struct ike_sa *sa = sim_sa(&s, c);
	struct addr a;

	return sa && addr_parse(text, &a) && i < sa->also_count && addr_equal(&sa->also[i], &a);
}

START_TEST(other_addresses_of_the_peer)
{
	struct sim_client *c = begin(6, NULL, false);
	struct ike_select all = { 0 };

	say_addresses(c, "198.51.100.7", "2001:db8::7");
	sim_want(&s, also(c, 0, "198.51.100.7") && also(c, 1, "2001:db8::7"));
	gate_takeover(&s.gate);
	sim_want(&s, also(c, 0, "198.51.100.7") && also(c, 1, "2001:db8::7"));
	(void)ike_rekey(s.gate.active.ike, &all, false);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(120));
	sim_want(&s, also(c, 1, "2001:db8::7"));
	say_addresses(c, NULL, "2001:db8::8");
	sim_want(&s, also(c, 0, "2001:db8::8") && sim_sa(&s, c)->also_count == 1);
	say_addresses(c, NULL, NULL);
	sim_want(&s, sim_sa(&s, c)->also_count == 0);
	sim_want(&s, addr_equal(&sim_sa(&s, c)->remote.addr, &c->addr));
	done();
}
END_TEST

/* Ours: those that are named in the configuration, but for the one in use. */
START_TEST(other_addresses_of_ours)
{
	static const struct sim_settings named = {
		.ike = "listen: {addresses: [192.0.2.1, 192.0.2.9, '2001:db8::9']}\n"
	};
	struct sim_client *c = begin(7, &named, false);
	char text[ADDR_TEXT];

	sim_want(&s, c->ini->also_count == 2);
	ck_assert_str_eq(addr_text(&c->ini->also[0], text), "192.0.2.9");
	ck_assert_str_eq(addr_text(&c->ini->also[1], text), "2001:db8::9");
	/* The client may come to one of them. */
	c->ini->remote.addr = c->ini->also[0];
	roam(c, false);
	sim_want(&s, sim_sa(&s, c) && addr_equal(&sim_sa(&s, c)->local.addr, &c->ini->also[0]));
	reaches(c);
	done();

	c = begin(8, NULL, false); /* on all addresses: none is told */
	sim_want(&s, c->ini->peer_mobike && c->ini->also_count == 0);
	done();
}
END_TEST

START_TEST(not_where_it_is_switched_off)
{
	static const struct sim_settings off = { .conn = "    mobike: false\n" };
	struct sim_client *c = begin(9, &off, false);
	struct addr was = c->addr;

	sim_want(&s, !c->ini->peer_mobike);
	c->ini->peer_mobike = true; /* it does not care */
	sim_roam(&s, c, false);
	sim_flush(&s);
	sim_run(&s, SECONDS(5));
	sim_want(&s, sim_sa(&s, c) == NULL || addr_equal(&sim_sa(&s, c)->remote.addr, &was));
	sim_want(&s, gate_stat(&s.gate, "mobike_updates") == 0);
	sim_check(&s);
	sim_clear(&s);
}
END_TEST

/* What the client is between, by its newest CHILD SA. */
static bool reaches_as(const struct sim_client *c, const struct addr *a)
{
	const struct ike_sa *sa = sim_sa(&s, c);
	const struct child_sa *child = sa ? sa->children : NULL;

	return child && child->theirs_count == 1 && addr_equal(&child->theirs[0].range.lo, a) &&
	       addr_equal(&child->theirs[0].range.hi, a);
}

/*
 * A client without an inner address has the one it came from. Where it says that it is now it may never have been:
 * what is for others there is not for it. A rekey is for what was agreed on (RFC 4555 3.5).
 */
START_TEST(a_move_gives_nobody_elses_address)
{
	struct sim_client *c;
	struct addr first;

	sim_init(&s, 10, NULL, true);
	c = sim_client_add(&s, false);
	c->cfg.mobike = true;
	c->cfg.want_v4 = false;
	first = c->addr;
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_up(c->ini) && reaches_as(c, &first));
	roam(c, false);
	sim_want(&s, addr_equal(&sim_sa(&s, c)->remote.addr, &c->addr) && !addr_equal(&c->addr, &first));
	gate_takeover(&s.gate);
	(void)ini_new_child(c->ini);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_child_count(c->ini) == 2 && reaches_as(c, &first));
	(void)ini_rekey_ike(c->ini);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	(void)ini_rekey_child(c->ini, 0);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_child_count(c->ini) == 2 && reaches_as(c, &first));
	done();
}
END_TEST

/* While either side rekeys: the update may come on the SA that has just been replaced. */
static void on_the_way(struct sim *w, uint64_t seed)
{
	struct ike_select all = { 0 };
	struct sim_client *c;

	sim_init(w, seed, NULL, seed % 2);
	w->net.faults = (struct net_faults){ 1000, 40000, seed % 3 ? 0 : 100, seed % 5 ? 0 : 100, 0 };
	w->gate.plane_delay_us = MILLISECONDS(3);
	w->gate.takeover = seed % 2 ? 20 : 0;
	c = sim_client_add(w, seed % 4 == 0);
	c->cfg.mobike = true;
	sim_connect(w, c);
	sim_run(w, SECONDS(60));
	for (int i = 0; i < 6 && !w->failure[0]; i++) {
		bool child = rng_below(&w->rng.rng, 2);

		if (rng_below(&w->rng.rng, 2))
			(void)(child ? ini_rekey_child(c->ini, 0) : ini_rekey_ike(c->ini));
		else
			(void)ike_rekey(w->gate.active.ike, &all, child);
		sim_flush(w);
		sim_run(w, (int64_t)rng_below(&w->rng.rng, 60000));
		sim_roam(w, c, rng_below(&w->rng.rng, 2));
		sim_flush(w);
		sim_run(w, SECONDS(30));
	}
	(void)chaos_recover(w);
}

START_TEST(amid_rekeys)
{
	sim_seeds("roaming amid rekeys", 1000, 60, on_the_way);
	sim_seeds("over, and dead before it has said so", 335026635, 1, on_the_way);
	/* Taken over so late that the last tries to say that it is over were still to come. */
	sim_seeds("over, and said once more", 40968841, 1, on_the_way);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { from_one_address_to_another, 0 },
					  { behind_a_nat_and_out_again, 0 },
					  { trying_a_path_moves_nobody, 0 },
					  { not_where_the_connection_is_not_for, 0 },
					  { no_nat_elsewhere, 0 },
					  { no_nats_allowed, 0 },
					  { other_addresses_of_the_peer, 0 },
					  { other_addresses_of_ours, 0 },
					  { not_where_it_is_switched_off, 0 },
					  { a_move_gives_nobody_elses_address, 0 },
					  { amid_rekeys, 0 } };

	return suite_run("mobike", all, ARRAY_LEN(all));
}
