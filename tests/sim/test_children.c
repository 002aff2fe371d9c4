/* CHILD SAs of all kinds: none at first, several, in transport mode, one pair of selectors, with CP in their exchange.
 */
#include <stdio.h>

#include "ike/iana.h"
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static struct sim s;

static struct sim_client *begin(const struct sim_settings *settings, bool behind_nat)
{
	sim_init(&s, 1, settings, true);
	return sim_client_add(&s, behind_nat);
}

static void settle(void)
{
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(100));
	(void)sim_agree(&s);
}

static void up(struct sim_client *c)
{
	sim_connect(&s, c);
	settle();
	sim_want(&s, ini_up(c->ini) && sim_sa(&s, c));
}

static void done(void)
{
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	sim_check(&s);
	sim_clear(&s);
}

/* Each side rekeys all, and another node goes on with it. */
static void lives_on(struct sim_client *c)
{
	struct ike_select all = { 0 };
	size_t children = ini_child_count(c->ini);

	(void)ini_rekey_child(c->ini, 0);
	settle();
	(void)ike_rekey(s.gate.active.ike, &all, true);
	settle();
	gate_takeover(&s.gate);
	(void)ike_rekey(s.gate.active.ike, &all, true);
	settle();
	(void)ini_rekey_ike(c->ini);
	settle();
	(void)ike_rekey(s.gate.active.ike, &all, false);
	settle();
	sim_want(&s, ini_child_count(c->ini) == children && gate_stat(&s.gate, "rekeys_failed") == 0);
}

START_TEST(childless)
{
	struct sim_client *c = begin(NULL, false);

	c->cfg.childless = true;
	up(c);
	sim_want(&s, c->ini->peer_childless && c->ini->child_error == 0 && ini_child_count(c->ini) == 0);
	sim_want(&s, c->ini->inner_count == 1); /* CP goes without */
	gate_takeover(&s.gate);
	(void)ini_new_child(c->ini);
	settle();
	sim_want(&s, ini_child_count(c->ini) == 1);
	lives_on(c);
	(void)ini_delete_child(c->ini, 0);
	settle();
	sim_want(&s, ini_up(c->ini) && ini_child_count(c->ini) == 0);
	done();
}
END_TEST

/* In CREATE_CHILD_SA, a new one and a rekey: nothing of it stays, what stood stands, and the answer says why. */
START_TEST(the_plane_refuses)
{
	static const struct {
		enum gw_err result;
		uint16_t notify;
	} rows[] = { { GW_EUNSUPPORTED, N_NO_PROPOSAL_CHOSEN },
		     { GW_EEXIST, N_TEMPORARY_FAILURE },
		     { GW_ENOMEM, N_TEMPORARY_FAILURE } };
	struct sim_client *c = begin(NULL, false);
	size_t sas;

	up(c);
	sas = fake_plane_sa_count(s.gate.active.plane);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		enum ini_kind kind = i % 2 ? INI_CHILD_REKEY : INI_CHILD_NEW;

		fake_plane_fail(s.gate.active.plane, DP_SA_ADD, 0, rows[i / 2].result, 1);
		sim_want(&s, i % 2 ? ini_rekey_child(c->ini, 0) : ini_new_child(c->ini));
		sim_flush(&s);
		sim_run(&s, SECONDS(1));
		sim_want(&s, c->ini->heard[kind].error == rows[i / 2].notify);
		sim_want(&s, fake_plane_sa_count(s.gate.active.plane) == sas && ini_child_count(c->ini) == 1);
		settle();
	}
	lives_on(c);
	done();
}
END_TEST

START_TEST(childless_where_it_is_not_wanted)
{
	static const struct sim_settings settings = { .conn = "    childless: false\n" };
	struct sim_client *c = begin(&settings, false);

	c->cfg.childless = true;
	sim_connect(&s, c);
	settle();
	sim_want(&s, !c->ini->peer_childless && ini_child_count(c->ini) == 1); /* not announced: it does not try */
	(void)ini_delete(c->ini);
	settle();
	s.clients[0].ini->peer_childless = true;
	sim_check(&s);
	sim_clear(&s);
}
END_TEST

START_TEST(several)
{
	struct sim_client *c = begin(NULL, true);

	up(c);
	for (size_t i = 2; i <= 4; i++) {
		(void)ini_new_child(c->ini);
		settle();
		sim_want(&s, ini_child_count(c->ini) == i);
	}
	lives_on(c);
	done();
}
END_TEST

/* RouterOS asks for its address in CREATE_CHILD_SA again: it gets the same. */
START_TEST(an_address_in_any_exchange)
{
	struct sim_client *c = begin(NULL, false);
	struct addr inner;

	c->cfg.cp_in_child = true;
	up(c);
	inner = c->ini->inner[0];
	(void)ini_rekey_child(c->ini, 0);
	settle();
	sim_want(&s, c->ini->done[INI_CHILD_REKEY] == 1 && addr_equal(&c->ini->inner[0], &inner));
	c->ini->inner_count = 0; /* told anew */
	(void)ini_new_child(c->ini);
	settle();
	sim_want(&s, c->ini->inner_count == 1 && addr_equal(&c->ini->inner[0], &inner));
	sim_want(&s, pool_usage(s.gate.active.pools, "four").used == 1);
	done();
	/* For the first time, after a beginning without a CHILD SA and without an address. */
	c = begin(NULL, false);
	c->cfg.childless = true;
	c->cfg.want_v4 = false;
	up(c);
	sim_want(&s, c->ini->inner_count == 0);
	c->cfg.want_v4 = c->cfg.cp_in_child = true;
	(void)ini_new_child(c->ini);
	settle();
	sim_want(&s, c->ini->inner_count == 1 && ini_child_count(c->ini) == 1);
	lives_on(c);
	done();
}
END_TEST

START_TEST(one_pair_of_selectors)
{
	static const struct sim_settings settings = { .child = "        single_pair: true\n" };
	struct sim_client *c = begin(&settings, false);

	c->cfg.want_v6 = true;
	c->cfg.tsi = c->cfg.tsr = s.all_v6;
	c->cfg.tsi_count = c->cfg.tsr_count = 2;
	up(c);
	sim_want(&s, c->ini->more_ts); /* IPv6 could have one of its own */
	sim_want(&s,
		 ini_current(c->ini)->children->ours_count == 1 && ini_current(c->ini)->children->theirs_count == 1);
	lives_on(c);
	c->cfg.tsi = c->cfg.tsr = s.all_v6 + 1;
	c->cfg.tsi_count = c->cfg.tsr_count = 1;
	(void)ini_new_child(c->ini);
	settle();
	sim_want(&s, !c->ini->more_ts && ini_child_count(c->ini) == 2);
	sim_want(&s, ini_current(c->ini)->children->ours->range.lo.family == 6);
	done();
}
END_TEST

/* ---- transport mode ---- */

static struct selector host_of(const struct addr *a)
{
	return selector_of(&(struct range){ *a, *a });
}

static struct selector ends[2];

static struct sim_client *between_hosts(const char *mode, bool behind_nat)
{
	static char child[160];
	struct sim_client *c;
	struct addr gateway;

	snprintf(child, sizeof(child),
		 "        mode: %s\n      host:\n        local: [192.0.2.1/32]\n        mode: %s\n", mode, mode);
	c = begin(&(struct sim_settings){ .child = child, .no_pools = true }, behind_nat);
	sim_want(&s, addr_parse("192.0.2.1", &gateway));
	ends[0] = host_of(&c->addr);
	ends[1] = host_of(&gateway);
	c->cfg.want_v4 = false;
	c->cfg.transport = true;
	c->cfg.tsi = &ends[0];
	c->cfg.tsr = &ends[1];
	return c;
}

static bool transport(const struct sim_client *c)
{
	const struct ike_sa *sa = sim_sa(&s, c);

	return sa && sa->children && sa->children->transport && ini_current(c->ini)->children->transport;
}

static bool fragments(struct sim_client *c)
{
	return ini_current(c->ini)->children->fragments && sim_sa(&s, c)->children->fragments;
}

/* NON_FIRST_FRAGMENTS_ALSO (RFC 7296 1.3.1): where both say so, in all rekeys and on the other node; with ports never.
 */
START_TEST(fragments_that_are_not_the_first)
{
	struct sim_client *c = begin(NULL, false);
	struct selector web;

	c->cfg.fragments = true;
	up(c);
	sim_want(&s, fragments(c));
	lives_on(c);
	sim_want(&s, fragments(c));
	done();
	c = begin(NULL, false); /* not asked for */
	up(c);
	sim_want(&s, !sim_sa(&s, c)->children->fragments);
	lives_on(c);
	sim_want(&s, !sim_sa(&s, c)->children->fragments);
	done();
	c = begin(NULL, false);
	c->cfg.fragments = true;
	sim_want(&s, selector_parse("10.1.0.0/16[tcp/443]", &web));
	c->cfg.tsr = &web;
	c->cfg.tsr_count = 1;
	up(c);
	sim_want(&s, ini_child_count(c->ini) == 1 && !ini_current(c->ini)->children->fragments);
	sim_want(&s, !sim_sa(&s, c)->children->fragments);
	done();
}
END_TEST

/* A client that has agreed to more than one pair of selectors; `any` lives as long as it does. */
static struct sim_client *begin_two_networks(struct selector *any)
{
	static const struct sim_settings two = { .child = "        remote: [10.2.0.0/16, 10.9.0.0/16]\n" };
	struct sim_client *c = begin(&two, false);

	sim_want(&s, selector_parse("0.0.0.0/0", any));
	c->cfg.tsi = any;
	c->cfg.tsi_count = 1;
	up(c);
	return c;
}

/* A peer that wants one pair of selectors when it is asked for more, though it has agreed to more: it gets one. */
START_TEST(single_pair_required)
{
	struct selector any;
	struct sim_client *c = begin_two_networks(&any);
	struct ike_select all = { 0 };

	sim_want(&s, sim_sa(&s, c)->children->theirs_count > 1 || sim_sa(&s, c)->children->ours_count > 1);
	c->cfg.one_pair = true;
	sim_want(&s, ike_rekey(s.gate.active.ike, &all, true) == 1);
	settle();
	sim_want(&s, ini_child_count(c->ini) == 1 && gate_stat(&s.gate, "rekeys_child_by_us") == 1);
	sim_want(&s, sim_sa(&s, c)->children->theirs_count == 1 && sim_sa(&s, c)->children->ours_count == 1);
	lives_on(c);
	done();
}
END_TEST

/* The node that goes on after that answer knows of it: it does not ask for more again. */
START_TEST(single_pair_required_before_a_takeover)
{
	struct selector any;
	struct sim_client *c = begin_two_networks(&any);
	struct ike_select all = { 0 };

	sim_want(&s, sim_sa(&s, c)->children->theirs_count > 1);
	c->cfg.one_pair = true;
	/* The IKE SA's rekey comes first when the answer is there: the mark alone says what is to be asked for then. */
	sim_want(&s, ike_rekey(s.gate.active.ike, &all, true) == 1 && ike_rekey(s.gate.active.ike, &all, false) == 1);
	sim_flush(&s);
	for (int i = 0; i < 1000 && !s.failure[0] && !sim_sa(&s, c)->children->one_pair; i++)
		sim_run(&s, MILLISECONDS(1));
	sim_want(&s, sim_sa(&s, c)->children->one_pair && sim_sa(&s, c)->children->want_rekey);
	sim_want(&s, gate_stat(&s.gate, "rekeys_failed") == 1);
	gate_takeover(&s.gate);
	sim_want(&s, sim_sa(&s, c)->children->one_pair);
	settle();
	sim_want(&s, gate_stat(&s.gate, "rekeys_child_by_us") == 1 && gate_stat(&s.gate, "rekeys_failed") == 0);
	sim_want(&s, ini_child_count(c->ini) == 1 && ini_up(c->ini) && c->ini->done[INI_AUTH] == 1);
	sim_want(&s, sim_sa(&s, c)->children->theirs_count == 1 && !sim_sa(&s, c)->children->one_pair);
	lives_on(c);
	done();
}
END_TEST

/* A client that calls the inner address that it does not know yet 0.0.0.0 gets that one, and nobody else's. */
START_TEST(an_inner_address_without_a_name)
{
	struct sim_client *c = begin(NULL, true);
	struct selector unknown;

	sim_want(&s, selector_parse("0.0.0.0/32", &unknown));
	c->cfg.tsi = &unknown;
	c->cfg.tsi_count = 1;
	up(c);
	sim_want(&s, ini_child_count(c->ini) == 1 && sim_sa(&s, c)->children->theirs_count == 1);
	sim_want(&s, addr_equal(&sim_sa(&s, c)->children->theirs->range.lo, &c->ini->inner[0]));
	sim_want(&s, addr_equal(&sim_sa(&s, c)->children->theirs->range.hi, &c->ini->inner[0]));
	lives_on(c);
	done();
	c = begin(NULL, true); /* none was asked for */
	c->cfg.want_v4 = false;
	c->cfg.tsi = &unknown;
	c->cfg.tsi_count = 1;
	sim_connect(&s, c);
	settle();
	sim_want(&s, ini_child_count(c->ini) == 0 && c->ini->child_error == N_TS_UNACCEPTABLE);
	done();
}
END_TEST

START_TEST(transport_mode)
{
	for (int i = 0; i < 4; i++) {
		bool behind_nat = i % 2;
		struct sim_client *c = between_hosts(i / 2 ? "any" : "transport", behind_nat);

		up(c);
		sim_want(&s, transport(c));
		/* The data plane has the address that is seen, the client is told its own (2.23.1). */
		sim_want(&s, addr_equal(&sim_sa(&s, c)->children->theirs->range.lo, &sim_sa(&s, c)->remote.addr));
		sim_want(&s, addr_equal(&ini_current(c->ini)->children->ours->range.lo, &c->addr));
		lives_on(c);
		sim_want(&s, transport(c));
		done();
	}
}
END_TEST

START_TEST(transport_mode_is_not_for_everybody)
{
	struct sim_client *c = between_hosts("tunnel", false);

	up(c); /* it asked: it gets a tunnel */
	sim_want(&s, !transport(c) && ini_child_count(c->ini) == 1);
	done();
	c = between_hosts("transport", false);
	c->cfg.transport = false; /* wants a tunnel */
	up(c);
	sim_want(&s, ini_child_count(c->ini) == 0 && c->ini->child_error == N_TS_UNACCEPTABLE);
	done();
	c = between_hosts("any", false);
	c->cfg.transport = false;
	up(c);
	sim_want(&s, !transport(c) && ini_child_count(c->ini) == 1);
	done();
	c = between_hosts("any", false);
	ike_set_transport(s.gate.active.ike, false); /* a data plane without */
	up(c);
	sim_want(&s, !transport(c) && ini_child_count(c->ini) == 1);
	done();
}
END_TEST

/* What is between two addresses does not move to others. */
START_TEST(transport_mode_does_not_roam)
{
	struct sim_client *c = between_hosts("transport", false);

	c->cfg.mobike = true;
	up(c);
	sim_roam(&s, c, false);
	settle();
	sim_want(&s, ini_up(c->ini) && ini_child_count(c->ini) == 0);
	ends[0] = host_of(&c->addr);
	(void)ini_new_child(c->ini);
	settle();
	sim_want(&s, transport(c));
	done();
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { childless, 0 },
					  { childless_where_it_is_not_wanted, 0 },
					  { the_plane_refuses, 0 },
					  { several, 0 },
					  { an_address_in_any_exchange, 0 },
					  { one_pair_of_selectors, 0 },
					  { fragments_that_are_not_the_first, 0 },
					  { single_pair_required, 0 },
					  { single_pair_required_before_a_takeover, 0 },
					  { an_inner_address_without_a_name, 0 },
					  { transport_mode, 0 },
					  { transport_mode_is_not_for_everybody, 0 },
					  { transport_mode_does_not_roam, 0 } };

	return suite_run("children", all, ARRAY_LEN(all));
}
