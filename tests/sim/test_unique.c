/* How many IKE SAs one identity may have: `unique`, INITIAL_CONTACT, and what becomes of inner addresses. */
#include <stdio.h>

#include "ike/iana.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

/* `count` clients of one identity, each from an address of its own; none says INITIAL_CONTACT. */
static void begin(struct sim *s, const char *unique, size_t count)
{
	char conn[80];

	snprintf(conn, sizeof(conn), "    unique: %s\n", unique);
	sim_init(s, 1, &(struct sim_settings){ .conn = conn }, true);
	for (size_t i = 0; i < count; i++) {
		struct sim_client *c = sim_client_add(s, i % 2);

		c->cfg.initial_contact = false;
		c->ini->self.id = bytes_str("one@example.org");
	}
}

static void come(struct sim *s, size_t i)
{
	sim_connect(s, &s->clients[i]);
	(void)sim_settle(s, SECONDS(30));
}

static bool up(const struct sim *s, size_t i)
{
	return ini_up(s->clients[i].ini) && sim_sa(s, &s->clients[i]) != NULL;
}

static uint64_t stat_of(const struct sim *s, const char *name)
{
	return gate_stat(&s->gate, name);
}

static void end(struct sim *s)
{
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
	sim_check(s);
	sim_clear(s);
}

START_TEST(the_newest_replaces)
{
	struct sim s;

	begin(&s, "replace", 3);
	for (size_t i = 0; i < 3; i++) {
		come(&s, i);
		sim_want(&s, up(&s, i) && ike_count(s.gate.active.ike) == 1);
		/* The address goes along. */
		sim_want(&s, addr_equal(&s.clients[i].ini->inner[0], &s.clients[0].ini->inner[0]));
		sim_want(&s, pool_usage(s.gate.active.pools, "four").used == 1);
	}
	/* They were told. */
	sim_want(&s, s.clients[0].ini->peer_deletes == 1 && s.clients[1].ini->peer_deletes == 1);
	sim_want(&s, stat_of(&s, "replaced_unique") == 2);
	end(&s);
}
END_TEST

/* What is sent to the inner address leaves by the newest SA all the time, though the old one answers its DELETE late.
 */
START_TEST(a_replacement_has_no_gap)
{
	struct dp_sa_id out;
	uint32_t reqid;
	struct sim s;

	begin(&s, "replace", 2);
	come(&s, 0);
	reqid = sim_sa(&s, &s.clients[0])->children->reqid;
	ini_forget(s.clients[0].ini); /* it will never answer */
	sim_connect(&s, &s.clients[1]);
	sim_run(&s, SECONDS(1));
	sim_want(&s, up(&s, 1) && ike_count(s.gate.active.ike) == 2);
	sim_want(&s, fake_plane_newest_out(s.gate.active.plane, reqid, &out) &&
			     out.spi == sim_sa(&s, &s.clients[1])->children->spi_out);
	gate_takeover(&s.gate); /* the other node has it so, too */
	sim_run(&s, SECONDS(600));
	sim_want(&s, ike_count(s.gate.active.ike) == 1);
	sim_want(&s, fake_plane_newest_out(s.gate.active.plane, reqid, &out) &&
			     out.spi == sim_sa(&s, &s.clients[1])->children->spi_out);
	end(&s);
}
END_TEST

START_TEST(the_first_is_kept)
{
	struct sim s;

	begin(&s, "keep", 2);
	come(&s, 0);
	come(&s, 1);
	sim_want(&s, up(&s, 0) && s.clients[1].ini->failed && s.clients[1].ini->error == N_AUTHENTICATION_FAILED);
	sim_want(&s, stat_of(&s, "refused_unique") == 1 && s.gate.refused == 1 && s.clients[0].ini->peer_probes == 1);
	/* A dead one does not stand in the way for long: it is asked at once whether it lives. */
	ini_forget(s.clients[0].ini);
	sim_connect(&s, &s.clients[1]);
	sim_run(&s, SECONDS(300));
	sim_want(&s, s.clients[1].ini->failed);
	come(&s, 1);
	sim_want(&s, up(&s, 1));
	/* INITIAL_CONTACT says that the kept one is forgotten. */
	s.clients[0].cfg.initial_contact = true;
	come(&s, 0);
	sim_want(&s, up(&s, 0) && ike_count(s.gate.active.ike) == 1);
	ini_forget(s.clients[1].ini);
	end(&s);
}
END_TEST

START_TEST(nobody_is_counted)
{
	struct sim s;

	begin(&s, "never", 4);
	for (size_t i = 0; i < 4; i++) {
		s.clients[i].cfg.initial_contact = i % 2;
		come(&s, i);
	}
	for (size_t i = 0; i < 4; i++)
		sim_want(&s, up(&s, i));
	sim_want(&s, pool_usage(s.gate.active.pools, "four").used == 4); /* each has an address of its own */
	end(&s);
}
END_TEST

START_TEST(the_newest_few_stay)
{
	struct sim s;

	begin(&s, "{limit: 2}", 4);
	for (size_t i = 0; i < 4; i++) {
		s.clients[i].cfg.initial_contact = i % 2;
		come(&s, i);
		sim_run(&s, SECONDS(1));
	}
	sim_want(&s, !up(&s, 0) && !up(&s, 1) && up(&s, 2) && up(&s, 3));
	sim_want(&s, stat_of(&s, "replaced_unique") == 2);
	end(&s);
}
END_TEST

/* Rekeyed SAs are no newcomers, and another identity from the same address is somebody else. */
START_TEST(identity_counts_and_nothing_else)
{
	struct ike_select all = { 0 };
	struct sim s;

	begin(&s, "keep", 2);
	s.clients[1].ini->self.id = bytes_str("two@example.org");
	s.clients[1].cfg.initial_contact = true;
	come(&s, 0);
	come(&s, 1);
	for (size_t i = 0; i < 3; i++) {
		(void)ike_rekey(s.gate.active.ike, &all, false);
		(void)ini_rekey_ike(s.clients[1].ini);
		sim_flush(&s);
		(void)sim_settle(&s, SECONDS(60));
	}
	sim_want(&s, up(&s, 0) && up(&s, 1) && stat_of(&s, "sas_closed") == 0);
	end(&s);
}
END_TEST

/* However it writes itself, it is one; but two users of which each has a name of its own are two. */
START_TEST(one_identity_is_one_in_any_case)
{
	struct sim s;

	begin(&s, "replace", 3);
	s.clients[1].ini->self.id = bytes_str("One@Example.ORG");
	s.clients[2].ini->self.id = bytes_str("ONE@EXAMPLE.ORG");
	for (size_t i = 0; i < 3; i++) {
		come(&s, i);
		sim_want(&s, up(&s, i) && ike_count(s.gate.active.ike) == 1);
		sim_want(&s, pool_usage(s.gate.active.pools, "four").used == 1);
		if (i == 1)
			gate_takeover(&s.gate);
	}
	end(&s);

	sim_init(&s, 1, &(struct sim_settings){ .users = "One@example.org: {}, one@example.org: {}" }, false);
	for (size_t i = 0; i < 2; i++)
		sim_client_add(&s, false)->ini->self.id = bytes_str(i ? "One@example.org" : "one@example.org");
	come(&s, 0);
	come(&s, 1);
	sim_want(&s, up(&s, 0) && up(&s, 1));
	end(&s);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { the_newest_replaces, 0 },
					  { a_replacement_has_no_gap, 0 },
					  { the_first_is_kept, 0 },
					  { nobody_is_counted, 0 },
					  { the_newest_few_stay, 0 },
					  { one_identity_is_one_in_any_case, 0 },
					  { identity_counts_and_nothing_else, 0 } };

	return suite_run("unique", all, ARRAY_LEN(all));
}
