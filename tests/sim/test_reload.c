/* New settings under SAs that stand: what goes, what stays, and what a look beforehand says. */
#include <stdio.h>

#include "config/load.h"
#include "ike/engine.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

struct found {
	unsigned conn, child, pool;
	char reason[160], name[64];
};

static void each(void *arg, const struct ike_finding *f)
{
	struct found *found = arg;

	found->conn += f->what == IKE_GONE_CONN;
	found->child += f->what == IKE_GONE_CHILD;
	found->pool += f->what == IKE_GONE_POOL;
	(void)snprintf(found->reason, sizeof(found->reason), "%s", f->reason);
	(void)snprintf(found->name, sizeof(found->name), "%s", f->name);
}

static struct settings *load_more(const char *four, const char *conn, const char *child, const char *more)
{
	struct config_report r;
	struct settings *s;
	char yaml[1024], line[256];

	(void)snprintf(yaml, sizeof(yaml),
		       "pools:\n  four: {addresses: %s}\n  six: {addresses: 'fd00:99::/120'}\n"
		       "connections:\n  %s:\n    local: {id: gw.example.org}\n"
		       "    psk: 'a key that both of them know'\n    pools: [four, six]\n"
		       "    children: {%s: {local: 10.1.0.0/16}}\n%s",
		       four, conn, child, more);
	s = config_load_text("new.yaml", bytes_str(yaml), NULL, &r);
	ck_assert_msg(s != NULL, "%s", config_problem_text(&r, 0, line, sizeof(line)));
	config_report_clear(&r);
	return s;
}

static struct settings *load(const char *four, const char *conn, const char *child)
{
	return load_more(four, conn, child, "");
}

/* All SAs in slices of two. */
static struct found review(struct sim *s, const struct settings *settings, bool end)
{
	struct found found = { 0 };
	uint32_t after = 0;

	while (ike_review(s->gate.active.ike, settings, end, &after, 2, each, &found))
		;
	return found;
}

static void adopt(struct sim *s, struct settings *settings)
{
	ck_assert_int_eq(pools_configure(s->gate.active.pools, settings), GW_OK);
	ck_assert_int_eq(ike_configure(s->gate.active.ike, settings), GW_OK);
	settings_unref(s->gate.settings);
	s->gate.settings = settings_ref(settings);
}

static void connect(struct sim *s, size_t n)
{
	sim_init(s, 1, NULL, false);
	while (s->client_count < n)
		sim_connect(s, sim_client_add(s, false));
	ck_assert(sim_settle(s, SECONDS(10)));
	ck_assert_uint_eq(ike_count(s->gate.active.ike), n);
}

START_TEST(a_connection_that_stays_keeps_its_sas)
{
	struct settings *same = load("10.99.0.0/16", "main", "lan");
	struct sim s;

	connect(&s, 3);
	adopt(&s, same);
	ck_assert_uint_eq(review(&s, same, true).conn, 0);
	(void)sim_settle(&s, SECONDS(10));
	for (size_t i = 0; i < 3; i++)
		ck_assert(ini_up(s.clients[i].ini));
	/* They keep what they were made under, and go on with it. */
	ck_assert(ini_rekey_child(s.clients[0].ini, 0) && ini_rekey_ike(s.clients[1].ini));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert(sim_agree(&s));
	settings_unref(same);
	sim_clear(&s);
}
END_TEST

START_TEST(the_sas_of_a_removed_connection_go)
{
	struct settings *other = load("10.99.0.0/24", "other", "lan");
	struct found dry, wet;
	struct sim s;

	connect(&s, 5);
	dry = review(&s, other, false);
	ck_assert_uint_eq(dry.conn, 5);
	ck_assert_str_eq(dry.reason, "connection main is not configured any more");
	ck_assert_str_eq(dry.name, "main");
	(void)sim_settle(&s, SECONDS(10));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 5); /* a look is no touch */
	adopt(&s, other);
	wet = review(&s, other, true);
	ck_assert_uint_eq(wet.conn, dry.conn);
	sim_flush(&s);
	for (size_t i = 0; i < 5; i++)
		s.clients[i].gone = true;
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 0);
	for (size_t i = 0; i < 5; i++)
		ck_assert(!ini_up(s.clients[i].ini)); /* they were told */
	/* Who comes again is of the other one. */
	ck_assert_int_eq(ini_start(s.clients[0].ini), GW_OK);
	s.clients[0].gone = false;
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_str_eq(sim_sa(&s, &s.clients[0])->conn->name, "other");
	settings_unref(other);
	sim_clear(&s);
}
END_TEST

/* What the data plane is told of the one CHILD SA of a client. */
static void check_extras(struct sim *s, struct sim_client *client)
{
	const struct child_sa *c = sim_sa(s, client)->children;
	uint32_t if_id = interface_id("vpn0");
	struct dp_op ops[3];
	size_t n = 0;

	child_op_in(c, ops, &n);
	child_op_out(c, ops, &n);
	child_op_policy(c, ops, &n);
	ck_assert_uint_eq(n, 3);
	/* From the client: the mark is given; to it: the mark is wanted, and the outer packet gets the other one. */
	ck_assert(ops[0].sa.extra.if_id == if_id && ops[0].sa.extra.mark_mask == 0);
	ck_assert(ops[0].sa.extra.output_mark == 0x10 && ops[0].sa.extra.output_mask == 0xf0);
	ck_assert(ops[1].sa.extra.if_id == if_id && ops[1].sa.extra.mark == 0x10 && ops[1].sa.extra.mark_mask == 0xf0);
	ck_assert(ops[1].sa.extra.output_mark == 7 && ops[1].sa.extra.output_mask == UINT32_MAX);
	ck_assert(ops[2].policy.extra.if_id == if_id && ops[2].policy.extra.mark == 0x10 &&
		  ops[2].policy.extra.mark_mask == 0xf0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(ops[i].sa.extra.offload, DP_OFFLOAD_CRYPTO);
}

/* Another node finds them in its own settings, by the name of the connection. */
START_TEST(interfaces_and_marks)
{
	struct settings *other = load_more("10.99.0.0/16", "main", "lan",
					   "    interface: vpn0\n    mark: 0x10/0xf0\n    output_mark: 7\n"
					   "    offload: crypto\n");
	struct found found;
	struct sim s;

	connect(&s, 2);
	adopt(&s, other);
	found = review(&s, other, true);
	ck_assert_uint_eq(found.conn, 2);
	ck_assert_str_eq(found.reason, "connection main has another interface, mark or offload now");
	sim_flush(&s);
	s.clients[0].gone = s.clients[1].gone = true;
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 0);
	ck_assert_int_eq(ini_start(s.clients[0].ini), GW_OK);
	s.clients[0].gone = false;
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	check_extras(&s, &s.clients[0]);
	ck_assert(gate_reincarnate(&s.gate));
	check_extras(&s, &s.clients[0]);
	ck_assert_uint_eq(review(&s, other, true).conn, 0);
	settings_unref(other);
	sim_clear(&s);
}
END_TEST

START_TEST(a_pool_that_shrinks_loses_who_is_outside)
{
	struct settings *small = load("10.99.0.1-10.99.0.2", "main", "lan");
	struct found found;
	struct sim s;

	connect(&s, 5);
	adopt(&s, small);
	found = review(&s, small, true);
	ck_assert_uint_eq(found.pool, 3);
	ck_assert_str_eq(found.name, "four");
	ck_assert_ptr_nonnull(strstr(found.reason, "is not in pool four any more"));
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 2);
	ck_assert_uint_eq(pool_usage(s.gate.active.pools, "four").used, 2);
	settings_unref(small);
	sim_clear(&s);
}
END_TEST

START_TEST(a_child_that_went_goes_alone)
{
	struct settings *other = load("10.99.0.0/24", "main", "wan");
	struct found found;
	struct sim s;

	connect(&s, 2);
	adopt(&s, other);
	found = review(&s, other, true);
	ck_assert_uint_eq(found.child, 2);
	ck_assert_uint_eq(found.conn + found.pool, 0);
	ck_assert_str_eq(found.reason, "child lan of connection main is not configured any more");
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(10));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 2);
	ck_assert_uint_eq(ike_child_count(s.gate.active.ike), 0);
	settings_unref(other);
	sim_clear(&s);
}
END_TEST

/* IKE_SA_INIT under the old settings, IKE_AUTH under new ones: those decide. */
START_TEST(a_reload_between_two_messages)
{
	struct settings *other = load("10.99.0.0/24", "other", "lan");
	struct sim s;

	sim_init(&s, 1, NULL, false);
	sim_connect(&s, sim_client_add(&s, false));
	while (ike_half_open_count(s.gate.active.ike) == 0)
		ck_assert(sim_step(&s, mtime_add(sim_now(&s), SECONDS(1))));
	adopt(&s, other);
	ck_assert_uint_eq(review(&s, other, true).conn, 0); /* it is of no connection yet */
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_str_eq(sim_sa(&s, &s.clients[0])->conn->name, "other");
	ck_assert_ptr_eq(sim_sa(&s, &s.clients[0])->settings, other);
	settings_unref(other);
	sim_clear(&s);
}
END_TEST

START_TEST(a_standby_looks_but_does_not_speak)
{
	struct settings *other = load("10.99.0.0/24", "other", "lan");
	struct sim s;

	connect(&s, 1);
	ike_set_passive(s.gate.active.ike, true);
	ck_assert_uint_eq(review(&s, other, true).conn, 1);
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 1);
	ck_assert_int_eq(sim_sa(&s, &s.clients[0])->state, IKE_UP);
	ck_assert(!sim_sa(&s, &s.clients[0])->want_delete);
	settings_unref(other);
	sim_clear(&s);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ a_connection_that_stays_keeps_its_sas, 0 },
		{ the_sas_of_a_removed_connection_go, 0 },
		{ interfaces_and_marks, 0 },
		{ a_pool_that_shrinks_loses_who_is_outside, 0 },
		{ a_child_that_went_goes_alone, 0 },
		{ a_reload_between_two_messages, 0 },
		{ a_standby_looks_but_does_not_speak, 0 },
	};

	return suite_run("reload", tests, ARRAY_LEN(tests));
}
