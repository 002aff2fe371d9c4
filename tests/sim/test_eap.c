/* Logging in by EAP-MSCHAPv2: the rounds, refusals, failures counted, and other engines between any two messages. */
#include <stdio.h>
#include <stdlib.h>

#include "ike/eap.h"
#include "ike/message.h"
#include "tests/check_main.h"
#include "tests/sim/sim.h"

static const struct sim_settings eap = {
	.users = "user1@example.org: {password: clientPass}, user2@example.org: {password: otherPass}, "
		 "bob: {password: clientPass}",
	.conn = "    remote: {auth: [psk, eap-mschapv2]}\n",
};

static struct sim s;

static struct sim_client *client(const char *user, const char *password)
{
	struct sim_client *c = sim_client_add(&s, false);

	c->cfg.eap.user = bytes_str(user);
	c->cfg.eap.password = bytes_str(password);
	return c;
}

static void done(void)
{
	sim_check(&s);
	sim_clear(&s);
}

static void up_as(struct sim_client *c, const char *user)
{
	const struct ike_sa *sa = sim_sa(&s, c);

	sim_want(&s, ini_up(c->ini) && ini_child_count(c->ini) == 1 && c->ini->inner_count == 1);
	sim_want(&s, sa && bytes_equal(sa->peer_id, bytes_str(user)) && sa->peer_auth == CONN_AUTH_EAP_MSCHAPV2);
}

START_TEST(password)
{
	struct sim_client *c;

	sim_init(&s, 1, &eap, false);
	c = client("user1@example.org", "clientPass");
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(c, "user1@example.org");
	sim_want(&s, c->ini->eap_rounds == 4);
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

/* PSK and EAP side by side; the identity of one is what it proved, whatever its IDi says. */
START_TEST(side_by_side)
{
	struct sim_client *a, *b;
	const struct ike_sa *sa;

	sim_init(&s, 2, &eap, false);
	a = client("bob", "clientPass");
	b = sim_client_add(&s, true);
	sim_connect(&s, a);
	sim_connect(&s, b);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(a, "bob");
	sa = sim_sa(&s, a);
	sim_want(&s, sa && sa->told_id.n == 1 + strlen(a->id) && sa->told_id.p[0] == ID_RFC822 &&
			     memcmp(sa->told_id.p + 1, a->id, strlen(a->id)) == 0);
	sa = sim_sa(&s, b);
	sim_want(&s, sa && sa->peer_auth == CONN_AUTH_PSK && sa->told_id.n == 0);
	/* It outlives a rekey. */
	sim_want(&s, ini_rekey_ike(a->ini));
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(a, "bob");
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

/* The one user on two devices whose IDi differ: the newest stays. Two users whose IDi are the same: both stay. */
START_TEST(who_is_who)
{
	struct sim_client *a, *b, *c;

	sim_init(&s, 3, &eap, false);
	a = client("bob", "clientPass");
	b = client("bob", "clientPass");
	c = client("user2@example.org", "otherPass");
	c->cfg.initial_contact = true;
	sim_connect(&s, a);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sim_want(&s, ini_up(a->ini) && ini_up(c->ini));
	sim_connect(&s, b);
	a->gone = true;
	sim_want(&s, sim_settle(&s, SECONDS(60)));
	up_as(b, "bob");
	up_as(c, "user2@example.org");
	sim_want(&s, ike_count(s.gate.active.ike) == 2 || !sim_sa(&s, a));
	done();
}
END_TEST

static struct sim_client *refused(uint64_t seed, const char *user, const char *pass,
				  const struct sim_settings *settings)
{
	struct sim_client *c;

	sim_init(&s, seed, settings, false);
	c = client(user, pass);
	sim_connect(&s, c);
	sim_run(&s, SECONDS(20)); /* until the refused SA is forgotten, too */
	sim_want(&s, c->ini->failed && c->ini->error == N_AUTHENTICATION_FAILED);
	sim_want(&s, ike_count(s.gate.active.ike) == 0);
	return c;
}

START_TEST(wrong_password)
{
	(void)refused(4, "bob", "clientpass", &eap);
	sim_want(&s, gate_stat(&s.gate, "auth_failed_password") == 1);
	done();
}
END_TEST

START_TEST(unknown_user)
{
	struct sim_client *c = refused(5, "mallory", "clientPass", &eap);

	sim_want(&s, gate_stat(&s.gate, "auth_failed_password") == 1);
	/* as many rounds, as much said */
	sim_want(&s, c->ini->eap_rounds == 3);
	done();
}
END_TEST

START_TEST(nak_to_what_we_lack)
{
	struct sim_client *c;

	sim_init(&s, 6, &eap, false);
	c = client("bob", "clientPass");
	c->cfg.eap.nak = EAP_GTC;
	sim_connect(&s, c);
	sim_run(&s, SECONDS(20));
	sim_want(&s, c->ini->failed && gate_stat(&s.gate, "auth_failed_eap") == 1);
	done();
}
END_TEST

START_TEST(not_configured)
{
	struct sim_settings psk_only = eap;

	psk_only.conn = "    remote: {auth: psk}\n";
	(void)refused(7, "bob", "clientPass", &psk_only);
	sim_want(&s, gate_stat(&s.gate, "auth_failed_method") == 1);
	done();
}
END_TEST

/* A user's connection is found when the user is known. */
START_TEST(connection_of_user)
{
	struct sim_settings two = eap;
	struct sim_client *a, *b;

	two.conn = "    remote: {auth: eap-mschapv2, eap_ids: '*@example.org'}\n";
	two.more = "  other:\n"
		   "    local: {id: gw.example.org}\n"
		   "    psk: 'a key that both of them know'\n"
		   "    remote: {auth: eap-mschapv2, eap_ids: bob}\n"
		   "    pools: [four]\n"
		   "    children: {lan: {local: 10.1.0.0/16}}\n";
	sim_init(&s, 8, &two, false);
	a = client("user1@example.org", "clientPass");
	b = client("bob", "clientPass");
	sim_connect(&s, a);
	sim_connect(&s, b);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(a, "user1@example.org");
	up_as(b, "bob");
	sim_want(&s, strcmp(sim_sa(&s, a)->conn->name, "main") == 0);
	sim_want(&s, strcmp(sim_sa(&s, b)->conn->name, "other") == 0);
	done();
}
END_TEST

START_TEST(no_connection_of_user)
{
	struct sim_settings one = eap;

	one.conn = "    remote: {auth: eap-mschapv2, eap_ids: '*@example.org'}\n";
	(void)refused(9, "bob", "clientPass", &one);
	sim_want(&s, gate_stat(&s.gate, "auth_failed_identity") == 1);
	done();
}
END_TEST

/* Guessing: a user is out of reach after so many wrong passwords, then for a while even with the right one. */
START_TEST(guessing)
{
	struct sim_settings few = eap;
	struct sim_client *c;

	few.ike = "  failures_per_user: 3\n";
	sim_init(&s, 10, &few, false);
	c = client("bob", "wrong");
	for (int i = 0; i < 4; i++) {
		sim_connect(&s, c);
		sim_want(&s, sim_settle(&s, SECONDS(1)));
	}
	sim_want(&s, gate_stat(&s.gate, "auth_failed_password") == 4);
	sim_want(&s, gate_stat(&s.gate, "auth_refused_user") == 1);
	c->cfg.eap.password = bytes_str("clientPass");
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(1)));
	sim_want(&s, !ini_up(c->ini) && c->ini->error == N_AUTHENTICATION_FAILED);
	sim_run(&s, SECONDS(90));
	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(c, "bob");
	done();
}
END_TEST

START_TEST(failures_of_source)
{
	struct sim_settings few = eap;
	struct sim_client *bad, *good;

	few.ike = "  failures_per_source: 4\n";
	sim_init(&s, 11, &few, false);
	bad = client("bob", "wrong");
	good = client("bob", "clientPass");
	for (int i = 0; i < 6; i++) {
		sim_connect(&s, bad);
		sim_want(&s, sim_settle(&s, SECONDS(1)));
	}
	sim_want(&s, gate_stat(&s.gate, "auth_refused_source") >= 1);
	sim_connect(&s, good);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	up_as(good, "bob"); /* from elsewhere */
	done();
}
END_TEST

/* Who never goes on is forgotten. */
START_TEST(silence)
{
	struct sim_client *c;

	sim_init(&s, 12, &eap, false);
	c = client("bob", "clientPass");
	sim_connect(&s, c);
	for (int i = 0; i < 6; i++)
		(void)sim_step(&s, mtime_add(sim_now(&s), SECONDS(1)));
	ini_forget(c->ini);
	sim_run(&s, SECONDS(31));
	sim_want(&s, ike_count(s.gate.active.ike) == 0);
	sim_want(&s, gate_stat(&s.gate, "half_open_expired") == 1);
	done();
}
END_TEST

/* ---- other engines ---- */

/* The engine is replaced by what it has written down, after every turn. */
static void every_turn(struct sim *w, uint64_t seed)
{
	sim_init(w, seed, &eap, false);
	w->gate.reincarnate = 1000;
	w->net.faults = (struct net_faults){ 1000, 30000, 30, 30, 0 };
	for (size_t i = 0; i < 2; i++) {
		struct sim_client *c = sim_client_add(w, i);

		c->cfg.eap.user = bytes_str(c->id);
		c->cfg.eap.password = bytes_str(i ? "otherPass" : "clientPass");
		sim_connect(w, c);
	}
	sim_run(w, SECONDS(30));
	sim_want(w, sim_settle(w, SECONDS(60)));
	sim_want(w, ini_up(w->clients[0].ini) && ini_up(w->clients[1].ini) && w->gate.lives > 3);
	(void)sim_agree(w);
	(void)sim_leaves_nothing(w);
}

enum { TURNS = 10 }; /* IKE_SA_INIT and six rounds of IKE_AUTH take more than that */

/* The active dies in one turn after the other, before the standby has it, or after. The client notices nothing. */
static void killed(struct sim *w, uint64_t seed)
{
	struct sim_client *c;

	sim_init(w, seed, &eap, true);
	w->gate.kill_turn = 1 + seed / 2 % TURNS;
	w->gate.kill_early = seed % 2;
	w->net.faults = (struct net_faults){ 1000, 1000, 0, 0, 0 };
	c = sim_client_add(w, true);
	c->cfg.eap.user = bytes_str(c->id);
	c->cfg.eap.password = bytes_str("clientPass");
	sim_connect(w, c);
	sim_run(w, SECONDS(10));
	(void)sim_settle(w, SECONDS(60));
	sim_want(w, ini_up(c->ini) && c->ini->done[INI_INIT] == 1 && c->ini->eap_rounds == 4);
	sim_want(w, w->gate.takeovers == 1);
	(void)sim_agree(w);
	(void)sim_leaves_nothing(w);
}

static struct datagram last_auth;
static uint8_t last_bytes[2048];

static bool keep_auth(struct sim *w, const struct datagram *d, uint8_t *bytes)
{
	(void)w;
	if (d->data.n > 28 && d->data.n <= sizeof(last_bytes) && bytes[18] == IKE_AUTH &&
	    !(bytes[19] & IKE_FLAG_RESPONSE)) {
		last_auth = *d;
		memcpy(last_bytes, bytes, d->data.n);
		last_auth.data = bytes_of(last_bytes, d->data.n);
	}
	return true;
}

/*
 * Nobody is authenticated yet, and our answer, with certificates in it, is larger than what it answers: it is repeated
 * where the peer has shown that it gets what we send, and hardly elsewhere.
 */
START_TEST(answers_are_not_for_others)
{
	struct sim_client *c;
	uint64_t before;

	sim_init(&s, 30, &eap, false);
	s.on_arrival = keep_auth;
	c = client("user1@example.org", "clientPass");
	sim_connect(&s, c);
	while (s.gate.active.ike && c->ini->eap_rounds < 1 && sim_step(&s, mtime_add(sim_now(&s), SECONDS(5))))
		;
	sim_want(&s, !ini_up(c->ini) && ike_half_open_count(s.gate.active.ike) == 1 && last_auth.data.n > 0);
	before = gate_stat(&s.gate, "retransmits_answered");
	for (int i = 0; i < 100; i++) {
		uint8_t copy[sizeof(last_bytes)];
		struct datagram d = last_auth;

		if (i < 50)
			d.from.addr.b[3] ^= 0x40;
		memcpy(copy, last_bytes, d.data.n);
		d.data = bytes_of(copy, d.data.n);
		gate_receive(&s.gate, &d, copy);
		if (i == 49)
			sim_want(&s, gate_stat(&s.gate, "retransmits_answered") <= before + 10 &&
					     gate_stat(&s.gate, "drop_address") >= 40);
	}
	sim_want(&s, gate_stat(&s.gate, "retransmits_answered") >= before + 50);
	sim_want(&s, sim_settle(&s, SECONDS(20)));
	up_as(c, "user1@example.org");
	done();
}
END_TEST

START_TEST(replaced)
{
	sim_seeds("every turn", 400, 30, every_turn);
}
END_TEST

START_TEST(takeover_at_every_message)
{
	sim_seeds("killed", 0, 2 * TURNS, killed);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("eap");

	tcase_add_test(t, password);
	tcase_add_test(t, side_by_side);
	tcase_add_test(t, who_is_who);
	tcase_add_test(t, wrong_password);
	tcase_add_test(t, unknown_user);
	tcase_add_test(t, nak_to_what_we_lack);
	tcase_add_test(t, not_configured);
	tcase_add_test(t, connection_of_user);
	tcase_add_test(t, no_connection_of_user);
	tcase_add_test(t, guessing);
	tcase_add_test(t, failures_of_source);
	tcase_add_test(t, silence);
	tcase_add_test(t, answers_are_not_for_others);
	tcase_add_test(t, replaced);
	tcase_add_test(t, takeover_at_every_message);
	return check_main("eap", t);
}
