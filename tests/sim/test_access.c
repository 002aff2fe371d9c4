/* What peers are given by their user's entry, their group and their pools, and what they are not. */
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

static const char *inner(const struct sim_client *c)
{
	static char text[2][ADDR_TEXT];
	static int turn;

	turn ^= 1;
	return c->ini->inner_count > 0 ? addr_text(&c->ini->inner[0], text[turn]) : "none";
}

/* One more client, connected as far as it gets. */
static struct sim_client *come(struct sim *s, bool all)
{
	struct sim_client *c = sim_client_add(s, false);

	c->cfg.want_all = all;
	sim_connect(s, c);
	(void)sim_settle(s, SECONDS(20));
	return c;
}

START_TEST(attributes)
{
	const struct sim_settings settings = {
		.pool = ", domains: [corp.example.org, example.net.], nbns: 10.1.0.54, subnets: [10.1.0.0/16, "
			"'fd01::/64']",
	};
	struct sim s;
	struct sim_client *c;

	sim_init(&s, 1, &settings, false);
	c = come(&s, true);
	ck_assert(ini_up(c->ini));
	ck_assert_str_eq(c->ini->attributes, "2=ffffff00 3=0a010035 4=0a010036 13=0a010000ffff0000 "
					     "15=fd01000000000000000000000000000040 25=corp.example.org "
					     "25=example.net 14=00010002000300040008000a000d000e000f0019 ");
	/* Who does not ask for domains does not get any (RFC 8598 3.1). */
	c = come(&s, false);
	ck_assert_str_eq(c->ini->attributes, "2=ffffff00 3=0a010035 4=0a010036 13=0a010000ffff0000 "
					     "15=fd01000000000000000000000000000040 ");
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	sim_clear(&s);
}
END_TEST

START_TEST(netmasks)
{
	static const char *const words[][2] = { { ", netmask: host", "2=ffffffff 3=0a010035 " },
						{ ", netmask: none", "3=0a010035 " } };
	const struct sim_settings settings = { .pool = words[_i][0] };
	struct sim s;

	sim_init(&s, 1, &settings, false);
	ck_assert_str_eq(come(&s, false)->ini->attributes, words[_i][1]);
	sim_clear(&s);
}
END_TEST

/* user2 has an address of its own; nobody else gets it, whoever comes first. */
START_TEST(an_address_of_its_own)
{
	const struct sim_settings settings = {
		.users = "user2@example.org: {address: [10.99.0.1, 'fd00:99::77']}",
	};
	struct sim s;
	struct sim_client *c;

	sim_init(&s, 1, &settings, true);
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.2");
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.1");
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.3");
	c = &s.clients[1];
	for (int i = 0; i < 3; i++) { /* gone or crashed, it comes back to it */
		if (i == 1)
			ini_forget(c->ini);
		else
			ck_assert(ini_delete(c->ini));
		sim_flush(&s);
		c->gone = true;
		(void)sim_settle(&s, SECONDS(20));
		c->gone = false;
		sim_connect(&s, c);
		(void)sim_settle(&s, SECONDS(20));
		ck_assert_str_eq(inner(c), "10.99.0.1");
	}
	gate_takeover(&s.gate);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.4");
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	ck_assert(sim_leaves_nothing(&s));
	sim_clear(&s);
}
END_TEST

/* A second device of the user, where both may stay: it gets another one. */
START_TEST(its_own_address_is_in_use)
{
	const struct sim_settings settings = {
		.users = "user1@example.org: {address: 10.99.0.9}",
		.conn = "    unique: never\n",
	};
	struct sim s;
	struct sim_client *second;

	sim_init(&s, 1, &settings, false);
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.9");
	second = sim_client_add(&s, false);
	second->ini->self.id = s.clients[0].ini->self.id;
	sim_connect(&s, second);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert_str_eq(inner(second), "10.99.0.1");
	ck_assert(ini_up(s.clients[0].ini) && ini_up(second->ini));
	sim_clear(&s);
}
END_TEST

#define STAFF \
	"groups:\n" \
	"  staff: {members: ['user1@*', user2@example.org], pools: [staff], local: 10.1.2.0/24, sessions: 2}\n" \
	"  lone: {members: user5@example.org}\n"

START_TEST(groups_have_pools_and_networks_of_their_own)
{
	const struct sim_settings settings = {
		.pool = "}\n  staff: {addresses: 10.98.0.0/24, dns: [10.1.0.55]",
		.root = STAFF,
		.users = "user3@example.org: {group: staff}",
	};
	struct sim s;
	const struct ike_sa *sa;
	char text[SELECTOR_TEXT];

	sim_init(&s, 1, &settings, true);
	ck_assert_str_eq(inner(come(&s, false)), "10.98.0.1");
	sa = sim_sa(&s, &s.clients[0]);
	ck_assert_str_eq(sa->group->name, "staff");
	ck_assert_uint_eq(sa->children->ours_count, 1);
	ck_assert_str_eq(selector_text(&sa->children->ours[0], text), "10.1.2.0/24");
	ck_assert_str_eq(addr_text(&s.clients[0].ini->dns, text), "10.1.0.55");
	ck_assert_str_eq(inner(come(&s, false)), "10.98.0.2");
	/* The third of two: by the user's own entry it is of them, too. */
	(void)come(&s, false);
	ck_assert(!ini_up(s.clients[2].ini));
	ck_assert_uint_eq(s.clients[2].ini->error, 24); /* AUTHENTICATION_FAILED */
	ck_assert_uint_eq(gate_stat(&s.gate, "refused_sessions"), 1);
	ck_assert_uint_eq(s.gate.refused, 1); /* an event tells of it */
	s.clients[2].gone = true;
	/* Others have the connection's. */
	ck_assert_str_eq(inner(come(&s, false)), "10.99.0.1");
	ck_assert_ptr_null(sim_sa(&s, &s.clients[3])->group);
	ck_assert_str_eq(selector_text(&sim_sa(&s, &s.clients[3])->children->ours[0], text), "10.1.0.0/16");
	/* A rekey keeps it, of both kinds, and so does another node. */
	ck_assert(ini_rekey_ike(s.clients[0].ini) && ini_rekey_child(s.clients[1].ini, 0));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(20)));
	gate_takeover(&s.gate);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	sa = sim_sa(&s, &s.clients[0]);
	ck_assert_str_eq(sa->group->name, "staff");
	ck_assert_str_eq(sim_sa(&s, &s.clients[1])->group->name, "staff");
	sim_connect(&s, &s.clients[2]);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert(!ini_up(s.clients[2].ini)); /* still two of two */
	ck_assert(ini_delete(s.clients[0].ini));
	sim_flush(&s);
	s.clients[0].gone = true;
	(void)sim_settle(&s, SECONDS(20));
	s.clients[2].gone = false;
	sim_connect(&s, &s.clients[2]);
	(void)sim_settle(&s, SECONDS(20));
	ck_assert(ini_up(s.clients[2].ini));
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	ck_assert(sim_leaves_nothing(&s));
	sim_clear(&s);
}
END_TEST

/* The places of a full group are those of its members: who comes back takes the one that his session had. */
START_TEST(back_into_a_full_group)
{
	const struct sim_settings settings = { .pool = "}\n  staff: {addresses: 10.98.0.0/24", .root = STAFF };
	struct sim s;

	sim_init(&s, 1, &settings, false);
	(void)come(&s, false);
	(void)come(&s, false);
	for (int i = 0; i < 2; i++) { /* it crashed, and says so or not */
		ini_forget(s.clients[i].ini);
		s.clients[i].cfg.initial_contact = i == 0;
		sim_connect(&s, &s.clients[i]);
		sim_run(&s, SECONDS(1));
		ck_assert(ini_up(s.clients[i].ini));
	}
	ck_assert_uint_eq(gate_stat(&s.gate, "refused_sessions"), 0);
	sim_run(&s, SECONDS(600));
	ck_assert_uint_eq(ike_count(s.gate.active.ike), 2);
	ck_assert_msg(sim_agree(&s), "%s", s.failure);
	ck_assert(sim_leaves_nothing(&s));
	sim_clear(&s);
}
END_TEST

START_TEST(a_connection_for_some_groups)
{
	const struct sim_settings settings = {
		.pool = "}\n  staff: {addresses: 10.98.0.0/24",
		.root = STAFF,
		.users = "user3@example.org: {group: staff}",
		.conn = "    groups: [staff]\n",
	};
	struct sim s;

	sim_init(&s, 1, &settings, false);
	(void)come(&s, false);
	(void)come(&s, false);
	(void)come(&s, false);
	(void)come(&s, false);
	(void)come(&s, false);
	ck_assert(ini_up(s.clients[0].ini) && ini_up(s.clients[1].ini));
	ck_assert(!ini_up(s.clients[3].ini) && !ini_up(s.clients[4].ini)); /* in none; in another */
	ck_assert_uint_eq(gate_stat(&s.gate, "auth_failed_group"), 2);
	ck_assert_uint_eq(s.gate.refused, 2 + gate_stat(&s.gate, "refused_sessions"));
	sim_clear(&s);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ attributes, 0 },
		{ netmasks, 2 },
		{ an_address_of_its_own, 0 },
		{ its_own_address_is_in_use, 0 },
		{ groups_have_pools_and_networks_of_their_own, 0 },
		{ back_into_a_full_group, 0 },
		{ a_connection_for_some_groups, 0 },
	};

	return suite_run("access", tests, ARRAY_LEN(tests));
}
