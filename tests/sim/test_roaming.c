/* NATs that forget: the gateway follows a client to where its authenticated messages come from. */
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static struct sim s;

static struct sim_client *connected(uint64_t seed)
{
	struct sim_client *c;

	sim_init(&s, seed, NULL, false);
	c = sim_client_add(&s, true);
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	return c;
}

static void done(void)
{
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	sim_check(&s);
	sim_clear(&s);
}

START_TEST(by_a_message_of_the_client)
{
	struct sim_client *c = connected(1);
	const struct ike_sa *sa;

	c->nat->shift = 31000;
	(void)ini_probe(c->ini);
	sim_flush(&s);
	sim_run(&s, SECONDS(2));
	sa = sim_sa(&s, c);
	sim_want(&s, sa && sa->remote.port == 4500 + 31000);
	sim_want(&s, c->ini->done[INI_PROBE] == 1);
	sim_want(&s, gate_stat(&s.gate, "nat_rebindings") == 1);
	done();
}
END_TEST

START_TEST(to_another_address)
{
	struct sim_client *c = connected(2);
	struct addr elsewhere;

	sim_want(&s, addr_parse("203.0.113.200", &elsewhere));
	c->nat->outside = elsewhere;
	(void)ini_probe(c->ini);
	sim_flush(&s);
	sim_run(&s, SECONDS(2));
	sim_want(&s, sim_sa(&s, c) && addr_equal(&sim_sa(&s, c)->remote.addr, &elsewhere));
	done();
}
END_TEST

/* The data plane has seen authentic ESP from the new place. */
START_TEST(by_traffic)
{
	struct sim_client *c = connected(3);
	const struct ike_sa *sa = sim_sa(&s, c);
	struct endpoint from = sa->remote;
	struct ike_select all = { 0 };

	c->nat->shift = 22000;
	from.port = 4500 + 22000;
	sim_want(&s, fake_plane_receive(s.gate.active.plane, sa->children->spi_in, 1, &from, 100));
	sim_flush(&s);
	sa = sim_sa(&s, c);
	sim_want(&s, sa && endpoint_equal(&sa->remote, &from));
	/* And the gateway reaches it there. */
	(void)ike_probe(s.gate.active.ike, &all);
	sim_flush(&s);
	sim_run(&s, SECONDS(2));
	sim_want(&s, c->ini->peer_probes == 1);
	done();
}
END_TEST

/* What is replayed or forged from elsewhere moves nobody. */
static struct datagram kept;
static uint8_t kept_bytes[4096];

static bool keep(struct sim *w, const struct datagram *d, uint8_t *bytes)
{
	(void)w;
	if (d->to.port == 4500 && d->data.n <= sizeof(kept_bytes)) {
		kept = *d;
		memcpy(kept_bytes, bytes, d->data.n);
	}
	return true;
}

START_TEST(not_by_a_replay)
{
	struct sim_client *c = connected(4);
	struct endpoint at = sim_sa(&s, c)->remote;
	uint8_t copy[4096];

	for (int round = 0; round < 2; round++) {
		s.on_arrival = keep;
		kept.data.n = 0;
		(void)ini_probe(c->ini);
		sim_flush(&s);
		sim_run(&s, MILLISECONDS(1) + 1);
		s.on_arrival = NULL;
		(void)sim_settle(&s, SECONDS(5));
		sim_want(&s, kept.data.n > 0);
		memcpy(copy, kept_bytes, kept.data.n);
		kept.data.p = copy;
		kept.natt = true;
		kept.from.port = (uint16_t)(9000 + round);
		if (round == 1)
			copy[kept.data.n - 1] ^= 1; /* and forged */
		gate_receive(&s.gate, &kept, copy);
		sim_want(&s, endpoint_equal(&sim_sa(&s, c)->remote, &at));
	}
	sim_want(&s, gate_stat(&s.gate, "nat_rebindings") == 0);
	(void)sim_settle(&s, SECONDS(5));
	done();
}
END_TEST

/* A client without a NAT does not move by itself (that is what MOBIKE is for). */
START_TEST(not_without_a_nat)
{
	struct sim_client *c;
	struct endpoint at;

	sim_init(&s, 5, NULL, false);
	c = sim_client_add(&s, false);
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	at = sim_sa(&s, c)->remote;
	s.on_arrival = keep;
	kept.data.n = 0;
	(void)ini_probe(c->ini);
	{
		struct datagram d;
		uint8_t copy[4096];

		sim_want(&s, ini_take(c->ini, &d));
		memcpy(copy, d.data.p, d.data.n);
		d.data.p = copy;
		d.from.addr.b[3] = 99;
		gate_receive(&s.gate, &d, copy);
	}
	sim_want(&s, endpoint_equal(&sim_sa(&s, c)->remote, &at));
	sim_run(&s, SECONDS(20)); /* the client asks again, from where it is */
	sim_want(&s, c->ini->done[INI_PROBE] == 1);
	done();
}
END_TEST

static void roams(struct sim *w, uint64_t seed)
{
	sim_init(w, seed, NULL, false);
	w->net.faults = (struct net_faults){ 1000, 40000, 50, 50, 0 };
	w->gate.plane_delay_us = MILLISECONDS(10);
	for (size_t i = 0; i < 3; i++)
		sim_connect(w, sim_client_add(w, true));
	sim_run(w, SECONDS(60));
	chaos_run(w, ACT_REBIND | ACT_REKEY_CHILD | ACT_REKEY_IKE | ACT_PROBE, 40, SECONDS(10));
	(void)chaos_recover(w);
}

START_TEST(all_the_time)
{
	sim_seeds("roaming", 100, 60, roams);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ by_a_message_of_the_client, 0 }, { to_another_address, 0 }, { by_traffic, 0 }, { not_by_a_replay, 0 },
		{ not_without_a_nat, 0 },	   { all_the_time, 0 }
	};

	return suite_run("roaming", all, ARRAY_LEN(all));
}
