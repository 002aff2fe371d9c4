/*
 * Two nodes of a pair in one process, on loopback, with the fake data plane: they find each other over the real sync
 * link and heartbeats, one becomes active, orders are carried out, and one that dies is taken over from.
 */
#include "daemon/gateway.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/ha_node.h"
#include "daemon_check.h"

struct node {
	const char *name;
	char *dir;
	char config[64];
	struct gateway *g;
};

struct pair {
	struct node a, b;
	unsigned port;
};

static void config_write(const struct pair *p, const struct node *n, const char *more)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
		       "node: %s\nstate_dir: %s/state\ncontrol: {socket: %s/control.sock}\ndataplane: fake\n"
		       "log: {level: error}\n"
		       "ha:\n  cluster: test\n  secret: 0123456789abcdef0123456789abcdef\n  port: %u\n"
		       "  nodes:\n    a: {sync: 127.0.9.1}\n    b: {sync: 127.0.9.2}\n"
		       "  heartbeat: {interval: 20ms, misses: 5}\n  start_hold: 200ms\n  election: builtin\n"
		       "pools:\n  clients: {addresses: 10.9.0.0/24}\n"
		       "connections:\n  road:\n    local: {id: gw.example.org}\n    psk: a secret of sixteen octets\n"
		       "    pools: [clients]\n    children:\n      net: {local: 10.0.0.0/8}\n%s",
		       n->name, n->dir, n->dir, p->port, more);
	file_put(n->config, text);
}

static struct settings *config_read(const char *file)
{
	struct config_report report = { 0 };
	struct settings *s;
	char text[512];

	(void)setenv("GATEWAY_ALLOW_FAKE", "1", 1);
	s = config_load_file(file, NULL, &report);
	ck_assert_msg(s != NULL, "%s", report.count > 0 ? config_problem_text(&report, 0, text, sizeof(text)) : "?");
	config_report_clear(&report);
	s->listen = calloc(1, sizeof(*s->listen));
	s->listen_count = 1;
	ck_assert(addr_parse("127.0.0.1", &s->listen[0]));
	s->port = s->port_natt = 0;
	return s;
}

static void node_start(struct node *n)
{
	const struct gateway_options opt = { .config_file = n->config };
	struct err e = { 0 };

	n->g = gateway_create(config_read(n->config), &opt, &e);
	ck_assert_msg(n->g != NULL, "%s", e.text);
}

static void node_init(struct pair *p, struct node *n, const char *name)
{
	n->name = name;
	n->dir = scratch_make();
	(void)snprintf(n->config, sizeof(n->config), "%s/gateway.yaml", n->dir);
	config_write(p, n, "");
}

/* One that is free on both addresses now. */
static unsigned free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_ANY) } };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	(void)close(fd);
	return ntohs(at.sin_port);
}

static void pair_begin(struct pair *p)
{
	*p = (struct pair){ .port = free_port() };
	node_init(p, &p->a, "a");
	node_init(p, &p->b, "b");
	node_start(&p->a);
	node_start(&p->b);
}

static void pair_end(struct pair *p)
{
	gateway_destroy(p->a.g);
	gateway_destroy(p->b.g);
	scratch_remove(p->a.dir);
	scratch_remove(p->b.dir);
}

static struct ha_status look(const struct node *n)
{
	struct ha_status st = { 0 };

	if (n->g)
		ha_look(n->g->ha->ha, &st);
	return st;
}

static bool is_active(const struct node *n)
{
	return n->g && look(n).role == HA_ACTIVE;
}

static void turn(struct pair *p)
{
	if (p->a.g)
		loop_turn(p->a.g->loop, false);
	if (p->b.g)
		loop_turn(p->b.g->loop, false);
	(void)poll(NULL, 0, 1);
}

typedef bool condition(const struct pair *p);

static void wait_for(struct pair *p, condition *is, const char *what)
{
	mtime end = mtime_add(clock_now(clock_system()), SECONDS(20));

	while (!is(p)) {
		ck_assert_msg(!mtime_reached(end, clock_now(clock_system())), "in vain for: %s", what);
		turn(p);
	}
}

static bool synced(const struct pair *p)
{
	const struct node *owner = is_active(&p->a) ? &p->a : &p->b;
	struct ha_status st = look(owner), other = look(owner == &p->a ? &p->b : &p->a);

	return st.role == HA_ACTIVE && other.role == HA_STANDBY && st.protected_ && other.sync == HA_SYNC_DONE &&
	       st.acked >= st.turn;
}

static bool both_survive(const struct pair *p)
{
	return look(&p->a).would_survive && look(&p->b).would_survive;
}

static bool b_is_active(const struct pair *p)
{
	return is_active(&p->b);
}

static bool a_is_active(const struct pair *p)
{
	return is_active(&p->a);
}

START_TEST(they_find_each_other)
{
	struct pair p;

	if (geteuid() != 0)
		return; /* packet sockets */
	pair_begin(&p);
	ck_assert(ike_is_passive(p.a.g->ike) && ike_is_passive(p.b.g->ike));
	wait_for(&p, synced, "a pair in sync");
	ck_assert_int_ne(is_active(&p.a), is_active(&p.b));
	ck_assert_int_ne(ike_is_passive(p.a.g->ike), ike_is_passive(p.b.g->ike));
	wait_for(&p, both_survive, "terms in reserve");
	/* A start without history: the same priority, so the lower index. */
	ck_assert(is_active(&p.a));
	pair_end(&p);
}
END_TEST

START_TEST(one_that_leaves_hands_over)
{
	struct pair p;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	gateway_stop(p.a.g);
	wait_for(&p, b_is_active, "b to take over");
	ck_assert(!is_active(&p.a));
	while (!ha_node_left(p.a.g->ha))
		turn(&p);
	gateway_destroy(p.a.g);
	p.a.g = NULL;
	/* And comes back as a standby. */
	node_start(&p.a);
	wait_for(&p, synced, "a pair in sync again");
	ck_assert(is_active(&p.b));
	ck_assert_uint_gt(look(&p.b).term, look(&p.a).reserve == 0 ? 0 : 16);
	pair_end(&p);
}
END_TEST

/* Its loop stands still, and its heartbeats go on: as hung it is found out, and as woken it steps down. */
START_TEST(one_that_hangs_is_taken_over_from)
{
	struct pair p;
	mtime end;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	end = mtime_add(clock_now(clock_system()), SECONDS(10));
	while (!is_active(&p.b)) {
		ck_assert(!mtime_reached(end, clock_now(clock_system())));
		loop_turn(p.b.g->loop, false);
		(void)poll(NULL, 0, 1);
	}
	ck_assert(is_active(&p.a)); /* it knows nothing of it yet */
	wait_for(&p, synced, "the one that woke up to follow");
	ck_assert(is_active(&p.b));
	ck_assert_uint_ge(p.a.g->ha->counters.sleeps, 1);
	pair_end(&p);
}
END_TEST

START_TEST(orders)
{
	struct pair p;
	struct err e = { 0 };

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	ck_assert_int_eq(ha_node_drain(p.b.g->ha, "test", &e), GW_ESTATE);
	ck_assert_int_eq(ha_switchover(p.b.g->ha->ha, "test", &e), GW_ESTATE);
	ck_assert_int_eq(ha_switchover(p.a.g->ha->ha, "test", &e), GW_OK);
	wait_for(&p, b_is_active, "b after a switchover");
	wait_for(&p, synced, "a pair in sync");
	ck_assert_int_eq(ha_node_drain(p.b.g->ha, "test", &e), GW_OK);
	ck_assert(p.b.g->ha->draining);
	wait_for(&p, a_is_active, "a after draining b");
	ck_assert(!p.b.g->ha->draining);
	wait_for(&p, synced, "a pair in sync");
	pair_end(&p);
}
END_TEST

static bool differ(const struct pair *p)
{
	return p->a.g->ha->peer_fingerprint != 0 && p->a.g->ha->peer_fingerprint != p->a.g->ha->fingerprint;
}

static bool alike(const struct pair *p)
{
	return p->a.g->ha->peer_fingerprint == p->a.g->ha->fingerprint;
}

START_TEST(configurations_that_differ_are_noticed)
{
	struct pair p = { .port = free_port() };
	struct settings *s;

	if (geteuid() != 0)
		return;
	node_init(&p, &p.a, "a");
	node_init(&p, &p.b, "b");
	config_write(&p, &p.b, "ike: {cookie_threshold: 77}\n");
	node_start(&p.a);
	node_start(&p.b);
	wait_for(&p, differ, "a difference");
	config_write(&p, &p.b, "");
	s = config_read(p.b.config);
	ha_node_reload(p.b.g->ha, s);
	wait_for(&p, alike, "no difference any more");
	settings_unref(s);
	pair_end(&p);
}
END_TEST

static bool linked(const struct pair *p)
{
	return look(&p->a).peer_linked && look(&p->b).peer_linked;
}

/* The secret on one node after the other: the link stands, and comes back when it is cut in between. */
START_TEST(the_secret_changes_live)
{
	struct pair p;
	struct settings *s;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	for (struct node *n = &p.a;; n = &p.b) {
		s = config_read(n->config);
		secret_clear(&s->ha.secret);
		ck_assert_int_eq(secret_copy(&s->ha.secret, bytes_str("another secret of thirty octets")), GW_OK);
		ha_node_reload(n->g->ha, s);
		settings_unref(s);
		synclink_close(n->g->ha->link, "test");
		wait_for(&p, linked, "the link");
		wait_for(&p, synced, "a pair in sync");
		if (n == &p.b)
			break;
	}
	ck_assert(is_active(&p.a));
	pair_end(&p);
}
END_TEST

static void reload(const struct pair *p, struct node *n, const char *from, const char *to)
{
	char text[4096];
	struct settings *s;
	char *at;

	config_write(p, n, "");
	(void)file_read(n->config, text, sizeof(text));
	at = strstr(text, from);
	ck_assert_ptr_nonnull(at);
	memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
	memcpy(at, to, strlen(to));
	file_put(n->config, text);
	s = config_read(n->config);
	ha_node_reload(n->g->ha, s);
	settings_unref(s);
}

static bool a_is_active_again(const struct pair *p)
{
	return a_is_active(p) && synced(p);
}

/* b gets the greater priority and preempts, then it gets the lower one and hands back: nobody is started again. */
START_TEST(priorities_change_live)
{
	struct pair p;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	ck_assert(is_active(&p.a));
	reload(&p, &p.b, "b: {sync: 127.0.9.2}", "b: {sync: 127.0.9.2, priority: 300}\n  preempt: {delay: 1s}");
	wait_for(&p, b_is_active, "b to preempt");
	wait_for(&p, synced, "a pair in sync");
	ck_assert_uint_eq(p.b.g->ha->live->ha.self->priority, 300);
	reload(&p, &p.a, "a: {sync: 127.0.9.1}\n    b: {sync: 127.0.9.2}",
	       "a: {sync: 127.0.9.1, priority: 400}\n    b: {sync: 127.0.9.2}\n  preempt: {delay: 1s}");
	wait_for(&p, a_is_active_again, "a to preempt");
	ck_assert_uint_eq(p.a.g->ha->counters.promotions, 2);
	/* What is to be set at the start is not taken, and does not keep the rest from it. */
	reload(&p, &p.a, "  heartbeat: {interval: 20ms, misses: 5}", "  heartbeat: {interval: 30ms}\n  flap_hold: 9s");
	ck_assert_int_eq(ha_node_config(p.a.g->ha).calm_us, SECONDS(9));
	/* (Heartbeats go a tenth sooner than they have to, so that `interval` times `misses` is kept.) */
	ck_assert_int_eq(ha_node_config(p.a.g->ha).watch.interval_us, MILLISECONDS(18));
	ck_assert_int_eq(p.a.g->ha->detection_us, MILLISECONDS(90));
	ck_assert_int_eq(ha_node_config(p.a.g->ha).preempt_us, 0);
	/* A file of the other node, or of none, is for the next start. */
	reload(&p, &p.a, "node: a\n", "node: b\n");
	ck_assert_int_eq(ha_node_config(p.a.g->ha).calm_us, SECONDS(9));
	wait_for(&p, a_is_active_again, "a to be active still");
	pair_end(&p);
}
END_TEST

static bool witness_answers(const struct pair *p)
{
	return p->a.g->ha->witness && witness_heard(p->a.g->ha->witness);
}

START_TEST(a_witness_comes_and_goes_live)
{
	struct pair p;
	struct witness *w;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	ck_assert_ptr_null(p.a.g->ha->witness);
	reload(&p, &p.a, "  election: builtin\n", "  witness: [127.0.9.9]\n");
	wait_for(&p, witness_answers, "the witness");
	ck_assert(ha_node_config(p.a.g->ha).watch.witness);
	w = p.a.g->ha->witness;
	reload(&p, &p.a, "  election: builtin\n", "  witness: [127.0.9.9]\n  replay: strict\n");
	ck_assert_ptr_eq(p.a.g->ha->witness, w); /* the same one: it goes on */
	reload(&p, &p.a, "  election: builtin\n", "  witness: [127.0.9.9, 127.0.9.8]\n");
	wait_for(&p, witness_answers, "the witnesses");
	reload(&p, &p.a, "  election: builtin\n", "");
	ck_assert_ptr_null(p.a.g->ha->witness);
	ck_assert(!ha_node_config(p.a.g->ha).watch.witness);
	wait_for(&p, synced, "a pair in sync");
	pair_end(&p);
}
END_TEST

static bool a_has_failed(const struct pair *p)
{
	return p->a.g->failed;
}

/* A node that has lost its state directory starts with a number that its peer has met: it begins anew, above that. */
START_TEST(a_lost_incarnation_is_remembered_by_the_peer)
{
	struct pair p;
	uint32_t before;

	if (geteuid() != 0)
		return;
	pair_begin(&p);
	wait_for(&p, synced, "a pair in sync");
	for (int i = 0; i < 3; i++) { /* ahead of the clock */
		gateway_destroy(p.a.g);
		node_start(&p.a);
		wait_for(&p, linked, "the link");
	}
	before = p.a.g->env.node.incarnation;
	gateway_destroy(p.a.g);
	p.a.g = NULL;
	ck_assert_int_eq(unlink(path_in(p.a.dir, "state/incarnation")), 0);
	node_start(&p.a);
	ck_assert_uint_le(p.a.g->env.node.incarnation, before);
	wait_for(&p, a_has_failed, "a to find out");
	gateway_destroy(p.a.g);
	node_start(&p.a);
	ck_assert_uint_gt(p.a.g->env.node.incarnation, before);
	wait_for(&p, synced, "a pair in sync");
	pair_end(&p);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ha_node");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, they_find_each_other);
	tcase_add_test(tc, one_that_leaves_hands_over);
	tcase_add_test(tc, one_that_hangs_is_taken_over_from);
	tcase_add_test(tc, orders);
	tcase_add_test(tc, configurations_that_differ_are_noticed);
	tcase_add_test(tc, the_secret_changes_live);
	tcase_add_test(tc, priorities_change_live);
	tcase_add_test(tc, a_witness_comes_and_goes_live);
	tcase_add_test(tc, a_lost_incarnation_is_remembered_by_the_peer);
	return check_main("ha_node", tc);
}
