#include "daemon/synclink.h"

#include "core/crypto/crypto.h"
#include "tests/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET "a secret of many octets"

/* One end of a link and what it was told. */
struct end {
	struct synclink *link;
	unsigned ups, downs, rooms;
	size_t in;
	uint32_t sum;
	bool stop_reading;
	char peer[64], reason[160];
};

struct scene {
	struct env env;
	struct log log;
	struct loop *loop;
	struct end a, b;
	struct endpoint at;
	bool ticked;
	struct loop_timer *timer;
};

static void silent(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	(void)level;
	(void)line;
	(void)n;
}

static void on_up(void *arg, const char *peer)
{
	struct end *e = arg;

	e->ups++;
	(void)snprintf(e->peer, sizeof(e->peer), "%s", peer);
}

static void on_bytes(void *arg, struct bytes in)
{
	struct end *e = arg;

	e->in += in.n;
	for (size_t i = 0; i < in.n; i++)
		e->sum = e->sum * 31 + in.p[i];
}

static void on_down(void *arg, const char *reason)
{
	struct end *e = arg;

	e->downs++;
	(void)snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

static void on_room(void *arg)
{
	struct end *e = arg;

	e->rooms++;
}

static const struct synclink_ops ops = { on_up, on_bytes, on_down, on_room };

static void on_tick(void *arg)
{
	struct scene *s = arg;

	s->ticked = true;
}

static void scene_open(struct scene *s)
{
	struct err e = { 0 };

	*s = (struct scene){ 0 };
	s->log = (struct log){ .level = LOG_LVL_DEBUG, .clock = clock_system(), .sink = silent };
	s->env = (struct env){
		.clock = clock_system(), .rng = rng_system_create(), .log = &s->log, .crypto = crypto_create(&e)
	};
	s->loop = loop_create(s->env.clock, &e);
	ck_assert_ptr_nonnull(s->loop);
	s->timer = loop_timer_create(s->loop, on_tick, s);
	ck_assert(addr_parse("127.0.0.1", &s->at.addr));
}

static void scene_close(struct scene *s)
{
	synclink_destroy(s->a.link);
	synclink_destroy(s->b.link);
	loop_timer_destroy(s->timer);
	loop_destroy(s->loop);
	crypto_destroy(s->env.crypto);
	rng_system_destroy(s->env.rng);
}

/* Turns until `done` or for `ms`. */
static void turns(struct scene *s, int64_t ms, bool (*done)(const struct scene *s))
{
	mtime end = mtime_add(clock_now(s->env.clock), MILLISECONDS(ms));

	s->ticked = false;
	loop_timer_at(s->timer, end);
	while (!s->ticked && !(done && done(s)))
		loop_turn(s->loop, true);
}

static bool both_up(const struct scene *s)
{
	return s->a.ups > 0 && s->b.ups > 0;
}

static bool again_up(const struct scene *s)
{
	return s->a.ups > 1 && s->b.ups > 1;
}

static bool replaced(const struct scene *s)
{
	return s->b.ups > 1;
}

static bool refused(const struct scene *s)
{
	struct synclink_stats b;

	synclink_look(s->b.link, &b);
	for (int i = 0; i < SYNCLINK_REFUSALS; i++)
		if (b.refused[i] > 0)
			return true;
	return false;
}

static void open_b(struct scene *s, const char *cluster, const char *secret)
{
	struct synclink_config cfg = {
		.cluster = cluster, .node = "b", .peer = "a", .local = s->at, .remote = s->at, .send_max = 256 << 10
	};
	struct err e = { 0 };

	s->b.link = synclink_create(&s->env, s->loop, &cfg, bytes_str(secret), &ops, &s->b, &e);
	ck_assert_msg(s->b.link != NULL, "%s", e.text);
}

static void open_a(struct scene *s, const char *cluster, const char *node, const char *secret)
{
	struct synclink_config cfg = { .cluster = cluster,
				       .node = node,
				       .peer = "b",
				       .connects = true,
				       .local = s->at,
				       .remote = s->at,
				       .send_max = 256 << 10 };
	struct err e = { 0 };

	cfg.remote.port = synclink_port(s->b.link);
	s->a.link = synclink_create(&s->env, s->loop, &cfg, bytes_str(secret), &ops, &s->a, &e);
	ck_assert_msg(s->a.link != NULL, "%s", e.text);
}

static void open_both(struct scene *s)
{
	scene_open(s);
	open_b(s, "c", SECRET);
	open_a(s, "c", "a", SECRET);
	turns(s, 5000, both_up);
	ck_assert(both_up(s));
}

START_TEST(two_nodes_talk)
{
	struct scene s;

	open_both(&s);
	ck_assert_str_eq(s.a.peer, "b");
	ck_assert_str_eq(s.b.peer, "a");
	ck_assert_uint_eq(synclink_send(s.a.link, bytes_str("hello")), 5);
	ck_assert_uint_eq(synclink_send(s.b.link, bytes_str("you too")), 7);
	turns(&s, 100, NULL);
	ck_assert_uint_eq(s.b.in, 5);
	ck_assert_uint_eq(s.a.in, 7);
	ck_assert_uint_eq(s.a.ups, 1);
	scene_close(&s);
}
END_TEST

static size_t wanted;

static bool all_there(const struct scene *s)
{
	return s->b.in >= wanted;
}

START_TEST(much_goes_through_a_bounded_buffer)
{
	enum { TOTAL = 5 << 20 };
	uint8_t *all = malloc(TOTAL);
	uint32_t sum = 0;
	size_t at = 0, most = 0;
	struct scene s;

	open_both(&s);
	for (size_t i = 0; i < TOTAL; i++) {
		all[i] = (uint8_t)(i * 2654435761u >> 13);
		sum = sum * 31 + all[i];
	}
	while (at < TOTAL) {
		struct synclink_stats look;
		unsigned rooms = s.a.rooms;
		size_t n = synclink_send(s.a.link, bytes_of(all + at, TOTAL - at));

		at += n;
		synclink_look(s.a.link, &look);
		most = look.waiting > most ? look.waiting : most;
		while (at < TOTAL && s.a.rooms == rooms)
			loop_turn(s.loop, true);
	}
	wanted = TOTAL;
	turns(&s, 5000, all_there);
	ck_assert_uint_eq(s.b.in, TOTAL);
	ck_assert_uint_eq(s.b.sum, sum);
	ck_assert_uint_le(most, 256 << 10);
	ck_assert_uint_gt(s.a.rooms, 0);
	free(all);
	scene_close(&s);
}
END_TEST

static void expect_refusal(const char *cluster, const char *node, const char *secret, enum synclink_refusal why)
{
	struct synclink_stats a, b;
	struct scene s;

	scene_open(&s);
	open_b(&s, "c", SECRET);
	open_a(&s, cluster, node, secret);
	turns(&s, 3000, refused);
	turns(&s, 30, NULL);
	synclink_look(s.b.link, &b);
	synclink_look(s.a.link, &a);
	ck_assert_uint_ge(b.refused[why], 1);
	ck_assert_uint_eq(s.a.ups + s.b.ups, 0);
	ck_assert(!a.up && !b.up);
	ck_assert_str_ne(b.last_error, "");
	ck_assert_str_ne(a.last_error, "");
	scene_close(&s);
}

START_TEST(strangers_are_refused_with_a_reason)
{
	expect_refusal("c", "a", "another secret, as long", SYNCLINK_SECRET);
	expect_refusal("d", "a", SECRET, SYNCLINK_CLUSTER);
	expect_refusal("c", "x", SECRET, SYNCLINK_CLUSTER);
}
END_TEST

static int raw_connect(struct scene *s, const char *from)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(synclink_port(s->b.link)) };
	struct sockaddr_in me = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(inet_pton(AF_INET, from, &me.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&me, sizeof(me)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

START_TEST(garbage_changes_nothing)
{
	struct synclink_stats look;
	struct scene s;
	int fd, other, idle[6];

	open_both(&s);
	fd = raw_connect(&s, "127.0.0.1");
	ck_assert_int_eq(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	other = raw_connect(&s, "127.0.0.7");
	turns(&s, 100, NULL);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		idle[i] = raw_connect(&s, "127.0.0.1");
		turns(&s, 10, NULL);
	}
	turns(&s, 100, NULL);
	synclink_look(s.b.link, &look);
	ck_assert_uint_eq(look.refused[SYNCLINK_PROTOCOL], 1);
	ck_assert_uint_eq(look.refused[SYNCLINK_ADDRESS], 1);
	ck_assert_uint_eq(look.refused[SYNCLINK_CROWD], 2);
	ck_assert(look.up);
	ck_assert_uint_eq(s.a.downs + s.b.downs, 0);
	(void)synclink_send(s.a.link, bytes_str("still here"));
	turns(&s, 50, NULL);
	ck_assert_uint_eq(s.b.in, 10);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		(void)close(idle[i]);
	(void)close(fd);
	(void)close(other);
	scene_close(&s);
}
END_TEST

START_TEST(a_link_that_broke_comes_back)
{
	struct scene s;

	open_both(&s);
	synclink_close(s.b.link, "tested");
	ck_assert_uint_eq(s.b.downs, 1);
	ck_assert_str_eq(s.b.reason, "tested");
	turns(&s, 3000, again_up);
	ck_assert(again_up(&s));
	ck_assert_uint_eq(s.a.downs, 1);
	ck_assert_str_ne(s.a.reason, "");
	(void)synclink_send(s.b.link, bytes_str("again"));
	turns(&s, 50, NULL);
	ck_assert_uint_eq(s.a.in, 5);
	scene_close(&s);
}
END_TEST

/* The peer's process died and came again before we noticed that its connection is dead. */
START_TEST(a_newcomer_that_proves_itself_replaces)
{
	struct end old;
	struct scene s;

	open_both(&s);
	old = s.a;
	s.a = (struct end){ 0 };
	open_a(&s, "c", "a", SECRET);
	turns(&s, 3000, replaced);
	ck_assert_uint_eq(s.a.ups, 1);
	ck_assert_uint_eq(s.b.ups, 2);
	ck_assert_uint_eq(s.b.downs, 1);
	ck_assert_str_eq(s.b.reason, "replaced by a new connection of the peer");
	synclink_destroy(old.link);
	turns(&s, 50, NULL);
	ck_assert_uint_eq(s.b.downs, 1);
	scene_close(&s);
}
END_TEST

START_TEST(the_secret_is_changed_live)
{
	struct synclink_stats look;
	struct err e = { 0 };
	struct scene s;

	open_both(&s);
	/* b has the new one, a does not yet: the link stands, and a new one comes up by the old one. */
	ck_assert_int_eq(synclink_set_secret(s.b.link, bytes_str("the new secret, longer"), SECONDS(30), &e), GW_OK);
	ck_assert_uint_eq(s.a.downs, 0);
	synclink_close(s.a.link, "tested");
	turns(&s, 3000, again_up);
	ck_assert(again_up(&s));
	/* a has another new one, which b does not know: its old one does it at the second attempt. */
	ck_assert_int_eq(synclink_set_secret(s.a.link, bytes_str("yet another new secret"), SECONDS(30), &e), GW_OK);
	s.a.ups = s.b.ups = 1;
	synclink_close(s.a.link, "tested");
	turns(&s, 3000, again_up);
	ck_assert(again_up(&s));
	/* Without grace the old one is gone. */
	ck_assert_int_eq(synclink_set_secret(s.b.link, bytes_str("the third secret here"), 0, &e), GW_OK);
	synclink_look(s.b.link, &look);
	s.a.ups = s.b.ups = 1;
	synclink_close(s.a.link, "tested");
	turns(&s, 400, again_up);
	ck_assert(!again_up(&s));
	scene_close(&s);
}
END_TEST

START_TEST(an_absent_peer_is_tried_again)
{
	struct synclink_stats look;
	struct scene s;
	uint16_t port;

	open_both(&s);
	port = synclink_port(s.b.link);
	synclink_destroy(s.b.link);
	s.b = (struct end){ 0 };
	turns(&s, 300, NULL);
	ck_assert_uint_eq(s.a.downs, 1);
	synclink_look(s.a.link, &look);
	ck_assert(!look.up);
	ck_assert_str_ne(look.last_error, "");
	ck_assert_uint_eq(synclink_send(s.a.link, bytes_str("x")), 0);
	s.at.port = port;
	open_b(&s, "c", SECRET);
	synclink_hurry(s.a.link);
	turns(&s, 3000, both_up);
	ck_assert_uint_eq(s.b.ups, 1);
	scene_close(&s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("synclink");

	(void)signal(SIGPIPE, SIG_IGN);
	tcase_add_test(t, two_nodes_talk);
	tcase_add_test(t, much_goes_through_a_bounded_buffer);
	tcase_add_test(t, strangers_are_refused_with_a_reason);
	tcase_add_test(t, garbage_changes_nothing);
	tcase_add_test(t, a_link_that_broke_comes_back);
	tcase_add_test(t, a_newcomer_that_proves_itself_replaces);
	tcase_add_test(t, the_secret_is_changed_live);
	tcase_add_test(t, an_absent_peer_is_tried_again);
	return check_main("synclink", t);
}
