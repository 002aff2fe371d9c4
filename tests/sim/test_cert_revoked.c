/* Lists of revoked certificates: waited for, outdated, forged, not to be had. */
#include "tests/sim/cert_check.h"

/* The engine's question; 0: it has none. */
static uint64_t question(void)
{
	struct ike_fetch f;

	ike_tick(s.gate.active.ike);
	if (!ike_take_fetch(s.gate.active.ike, &f))
		return 0;
	sim_want(&s, strcmp(f.location, "http://crl.example.org/ca.crl") == 0);
	return f.token;
}

static void answer(uint64_t token, const struct pki *by, const uint64_t *serials, size_t count, int64_t made)
{
	size_t n;
	uint8_t *der = pki_crl(by, serials, count, made, made + 7200, &n);

	ike_fetched(s.gate.active.ike, token, GW_OK, bytes_of(der, n), NULL);
	OPENSSL_free(der);
	sim_flush(&s);
}

#define LIST ", crl: 'http://crl.example.org/ca.crl', revocation: "

/* strict: IKE_AUTH waits for the list. Who comes onto a later one goes; an older one takes nothing back. */
START_TEST(revoked_later)
{
	struct person p;
	uint64_t serial, token;

	world(11, NULL, LIST "strict", false);
	plain(&p, root);
	serial = pki_serial(p.cert);
	token = question();
	sim_want(&s, token != 0);
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(3));
	sim_want(&s, !ini_up(p.c->ini) && p.c->ini->error == 0);
	answer(token, root, &(uint64_t){ 1 }, 1, WALL);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini));
	(void)sim_agree(&s);
	sim_want(&s, question() == 0); /* not before it is time */
	sim_run(&s, SECONDS(3700));
	sim_want(&s, ini_up(p.c->ini) && gate_reincarnate(&s.gate));
	/* Another engine asks anew. */
	token = question();
	sim_want(&s, token != 0);
	answer(token, root, &serial, 1, WALL + 3600);
	sim_run(&s, SECONDS(5));
	sim_want(&s, !ini_up(p.c->ini) && gate_stat(&s.gate, "sas_revoked") == 1);
	sim_run(&s, SECONDS(3700));
	token = question();
	answer(token, root, NULL, 0, WALL);
	sim_want(&s, gate_stat(&s.gate, "lists_failed") == 1);
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(10)));
	sim_want(&s, !ini_up(p.c->ini) && gate_stat(&s.gate, "auth_failed_revoked") == 1);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/*
 * One client again and again while the list is out: all of its attempts wait, and when the list comes each that gets in
 * ends those before it.
 */
START_TEST(several_attempts_wait)
{
	struct person p;
	uint64_t token;

	world(15, NULL, LIST "strict", false);
	s.gate.plane_delay_us = SECONDS(1);
	plain(&p, root);
	token = question();
	for (int i = 0; i < 5; i++) {
		sim_connect(&s, p.c);
		sim_run(&s, MILLISECONDS(300));
		if (i < 4)
			ini_forget(p.c->ini);
	}
	sim_want(&s, ike_half_open_count(s.gate.active.ike) == 5);
	answer(token, root, NULL, 0, WALL);
	sim_run(&s, SECONDS(20));
	sim_want(&s,
		 ini_up(p.c->ini) && ike_half_open_count(s.gate.active.ike) == 0 && ike_count(s.gate.active.ike) == 1);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* A server that gives junk, somebody else's list, or nothing: strict lets nobody in, and others are not held up. */
START_TEST(no_list)
{
	static const char *const lies[] = { "junk", "30", "" };
	struct person p;
	struct sim_client *c;
	uint64_t token;

	world(12, NULL, LIST "strict", false);
	plain(&p, root);
	token = question();
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(2));
	c = sim_client_add(&s, false);
	c->cfg.trust = trust;
	c->cfg.hashes = HASHES;
	sim_connect(&s, c);
	sim_run(&s, SECONDS(2));
	sim_want(&s, ini_up(c->ini) && !ini_up(p.c->ini));
	if (_i < 3)
		ike_fetched(s.gate.active.ike, token, GW_OK, bytes_str(lies[_i]), NULL);
	else if (_i == 3)
		answer(token, other, NULL, 0, WALL);
	else
		ike_fetched(s.gate.active.ike, token, GW_EBUSY, (struct bytes){ 0 }, "no answer");
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, !ini_up(p.c->ini) && p.c->ini->error == N_AUTHENTICATION_FAILED && ini_up(c->ini));
	sim_want(&s, gate_stat(&s.gate, "lists_failed") == 1);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* An answer never comes: whoever waits is given up, and what it held is free. */
START_TEST(no_answer)
{
	struct person p;

	world(13, NULL, LIST "strict", false);
	plain(&p, root);
	sim_want(&s, question() != 0);
	sim_connect(&s, p.c);
	sim_run(&s, SECONDS(400));
	sim_want(&s, !ini_up(p.c->ini) && ike_half_open_count(s.gate.active.ike) == 0);
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

/* soft: in without a list, and out when one names it. */
START_TEST(soft)
{
	struct person p;
	uint64_t token, serial;

	world(14, NULL, LIST "soft", false);
	plain(&p, root);
	serial = pki_serial(p.cert);
	token = question();
	sim_connect(&s, p.c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(p.c->ini));
	answer(token, root, &serial, 1, WALL);
	sim_run(&s, SECONDS(5));
	sim_want(&s, !ini_up(p.c->ini));
	p.c->gone = true;
	(void)sim_leaves_nothing(&s);
	leave(&p);
	done();
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ several_attempts_wait, 0 }, { revoked_later, 0 }, { no_list, 5 }, { no_answer, 0 }, { soft, 0 },
	};

	return suite_run("cert_revoked", tests, ARRAY_LEN(tests));
}
