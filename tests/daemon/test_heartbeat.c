#include "daemon/heartbeat.h"

#include "core/crypto/crypto.h"
#include "daemon/pairkeys.h"
#include "tests/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECRET "a secret of many octets"

struct node {
	struct heartbeat *beat;
	unsigned changes;
	int64_t slept;
};

struct scene {
	struct env env;
	struct log log;
	struct loop *loop;
	struct loop_timer *timer;
	bool ticked;
	struct node a, b;
	struct heartbeat_page page;
	struct secret key;
	int raw; /* the peer, played by the test */
	struct endpoint to;
};

static void silent(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	(void)level;
	(void)line;
	(void)n;
}

static void on_changed(void *arg)
{
	struct node *n = arg;

	n->changes++;
}

static void on_slept(void *arg, int64_t us)
{
	struct node *n = arg;

	n->slept = us;
}

static const struct heartbeat_ops ops = { on_changed, on_slept };

static void on_tick(void *arg)
{
	struct scene *s = arg;

	s->ticked = true;
}

static void turns(struct scene *s, int64_t ms)
{
	s->ticked = false;
	loop_timer_at(s->timer, mtime_add(clock_now(s->env.clock), MILLISECONDS(ms)));
	while (!s->ticked)
		loop_turn(s->loop, true);
}

static void scene_open(struct scene *s)
{
	struct err e = { 0 };

	*s = (struct scene){ .raw = -1 };
	s->log = (struct log){ .level = LOG_LVL_DEBUG, .clock = clock_system(), .sink = silent };
	s->env = (struct env){
		.clock = clock_system(), .rng = rng_system_create(), .log = &s->log, .crypto = crypto_create(&e)
	};
	s->loop = loop_create(s->env.clock, &e);
	s->timer = loop_timer_create(s->loop, on_tick, s);
	ck_assert_int_eq(pairkeys_beat(s->env.crypto, bytes_str(SECRET), "c", &s->key), GW_OK);
}

static void scene_close(struct scene *s)
{
	heartbeat_destroy(s->a.beat);
	heartbeat_destroy(s->b.beat);
	if (s->raw >= 0)
		(void)close(s->raw);
	secret_clear(&s->key);
	loop_timer_destroy(s->timer);
	loop_destroy(s->loop);
	crypto_destroy(s->env.crypto);
	rng_system_destroy(s->env.rng);
}

static void make(struct scene *s, struct node *n, uint8_t me, uint8_t peer, uint32_t incarnation, const char *secret)
{
	struct heartbeat_config cfg = { .cluster = "c",
					.node = me,
					.peer = peer,
					.incarnation = incarnation,
					.interval_us = MILLISECONDS(20),
					.misses = 5,
					.stall_us = MILLISECONDS(150),
					.path_count = 1,
					.page = n == &s->a ? &s->page : NULL };
	struct err e = { 0 };

	ck_assert(addr_parse("127.0.0.1", &cfg.paths[0].local.addr));
	cfg.paths[0].remote = cfg.paths[0].local;
	n->beat = heartbeat_create(&s->env, s->loop, &cfg, bytes_str(secret), &ops, n, &e);
	ck_assert_msg(n->beat != NULL, "%s", e.text);
}

static void join(struct scene *s)
{
	struct heartbeat_says a = { .role = 1, .term = 7, .priority = 100, .service_up = true };
	struct heartbeat_says b = { .role = 2, .term = 7, .priority = 90, .synced = true };
	struct endpoint to = { 0 };
	struct err e = { 0 };

	ck_assert(addr_parse("127.0.0.1", &to.addr));
	to.port = heartbeat_port(s->b.beat, 0);
	heartbeat_set_remote(s->a.beat, 0, &to);
	to.port = heartbeat_port(s->a.beat, 0);
	heartbeat_set_remote(s->b.beat, 0, &to);
	ck_assert_int_eq(heartbeat_start(s->a.beat, &a, &e), GW_OK);
	ck_assert_int_eq(heartbeat_start(s->b.beat, &b, &e), GW_OK);
}

static struct heartbeat_view view(const struct node *n)
{
	struct heartbeat_view v;

	heartbeat_look(n->beat, &v);
	return v;
}

START_TEST(two_nodes_hear_each_other)
{
	struct heartbeat_says more = { .role = 1, .term = 8, .priority = 100, .turn = 5, .leaving = true };
	struct scene s;
	unsigned before;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 150);
	ck_assert(view(&s.a).known && view(&s.b).known);
	ck_assert_uint_eq(view(&s.a).incarnation, 20);
	ck_assert_uint_eq(view(&s.a).says.role, 2);
	ck_assert(view(&s.a).says.synced && !view(&s.a).says.service_up);
	ck_assert_uint_eq(view(&s.b).says.priority, 100);
	ck_assert(view(&s.b).says.service_up);
	ck_assert(!view(&s.a).paths[0].silent && view(&s.a).paths[1].silent);
	ck_assert_uint_ge(s.a.changes, 1);
	ck_assert_uint_eq(atomic_load(&s.page.incarnation), 10);
	ck_assert_uint_gt(atomic_load(&s.page.sequence), 2);
	ck_assert_uint_ne(atomic_load(&s.page.peer_boot), 0);
	/* What changed is said at once, and looked at at once. */
	before = s.b.changes;
	heartbeat_say(s.a.beat, &more);
	turns(&s, 15);
	ck_assert_uint_eq(view(&s.b).says.term, 8);
	ck_assert(view(&s.b).says.leaving);
	ck_assert_uint_gt(s.b.changes, before);
	scene_close(&s);
}
END_TEST

START_TEST(a_dead_node_is_silent)
{
	struct scene s;
	unsigned before;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 100);
	ck_assert(!view(&s.a).paths[0].silent);
	heartbeat_destroy(s.b.beat);
	s.b.beat = NULL;
	before = s.a.changes;
	turns(&s, 250);
	ck_assert(view(&s.a).paths[0].silent);
	ck_assert_uint_gt(s.a.changes, before);
	scene_close(&s);
}
END_TEST

/* A clock that jumps: so it looks to threads whose machine stood still. */
static _Atomic int64_t jumped_us;

static mtime jumping_now(const struct clock *c)
{
	(void)c;
	return mtime_add(clock_now(clock_system()), atomic_load(&jumped_us));
}

START_TEST(who_stood_still_has_not_heard_a_silence)
{
	static const struct clock jumping = { .now = jumping_now };
	mtime heard, until;
	struct scene s;

	scene_open(&s);
	s.env.clock = &jumping;
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 100);
	ck_assert(!view(&s.a).paths[0].silent && !view(&s.b).paths[0].silent);
	ck_assert_int_gt(view(&s.a).ear.until.us, 0);
	/* The sender is gone for good, and the one that listens stands still for long. */
	heartbeat_destroy(s.b.beat);
	s.b.beat = NULL;
	heard = view(&s.a).paths[0].heard;
	atomic_fetch_add(&jumped_us, SECONDS(1));
	until = mtime_add(clock_now(clock_system()), MILLISECONDS(50));
	while (clock_now(clock_system()).us < until.us) {
		struct heartbeat_view v = view(&s.a);

		ck_assert(!v.paths[0].silent);
		ck_assert_int_eq(v.paths[0].heard.us, heard.us);
		ck_assert_int_lt(mtime_since(heard, v.ear.until), MILLISECONDS(100));
		turns(&s, 1);
	}
	/* It is found dead when it was listened for as long as ever. */
	turns(&s, 150);
	ck_assert(view(&s.a).paths[0].silent);
	ck_assert_int_ge(mtime_since(heard, view(&s.a).ear.until), MILLISECONDS(100));
	scene_close(&s);
}
END_TEST

/* A silence is known of at any time, not only when the thread has something to do. */
START_TEST(while_it_sleeps_it_listens)
{
	mtime before = { 0 };
	unsigned changes = 0;
	struct scene s;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 60);
	heartbeat_destroy(s.b.beat);
	s.b.beat = NULL;
	for (int i = 0; i < 40; i++) {
		changes += view(&s.a).ear.until.us > before.us;
		before = view(&s.a).ear.until;
		turns(&s, 1);
	}
	ck_assert_uint_ge(changes, 15);
	scene_close(&s);
}
END_TEST

START_TEST(a_loop_that_hangs_is_found_out)
{
	const struct timespec long_time = { .tv_nsec = 300 * 1000 * 1000 };
	struct scene s;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 100);
	ck_assert_int_lt(view(&s.a).loop_age_us, MILLISECONDS(150));
	(void)nanosleep(&long_time, NULL);
	/* Both loops are one here: heartbeats went on, and carried its age. */
	ck_assert(!view(&s.a).paths[0].silent);
	ck_assert_int_ge(view(&s.a).loop_age_us, MILLISECONDS(150));
	turns(&s, 40);
	ck_assert_int_ge(s.a.slept, MILLISECONDS(280));
	ck_assert_int_lt(view(&s.a).loop_age_us, MILLISECONDS(150));
	scene_close(&s);
}
END_TEST

START_TEST(another_secret_is_not_heard)
{
	struct scene s;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, "another secret of octets");
	join(&s);
	turns(&s, 100);
	ck_assert(!view(&s.a).known && !view(&s.b).known);
	ck_assert_uint_gt(view(&s.a).refused[HEARTBEAT_SECRET], 0);
	ck_assert(view(&s.a).paths[0].silent);
	scene_close(&s);
}
END_TEST

START_TEST(the_secret_is_changed_live)
{
	struct err e = { 0 };
	struct scene s;

	scene_open(&s);
	make(&s, &s.a, 0, 1, 10, SECRET);
	make(&s, &s.b, 1, 0, 20, SECRET);
	join(&s);
	turns(&s, 100);
	ck_assert_int_eq(heartbeat_set_secret(s.a.beat, bytes_str("the new secret, longer"), SECONDS(1), &e), GW_OK);
	turns(&s, 200);
	ck_assert(!view(&s.a).paths[0].silent && !view(&s.b).paths[0].silent);
	ck_assert_int_eq(heartbeat_set_secret(s.b.beat, bytes_str("the new secret, longer"), 0, &e), GW_OK);
	turns(&s, 200);
	ck_assert(!view(&s.a).paths[0].silent && !view(&s.b).paths[0].silent);
	scene_close(&s);
}
END_TEST

/* ---- the peer played by the test ---- */

static void scene_raw(struct scene *s)
{
	struct sockaddr_in me = { .sin_family = AF_INET };
	struct heartbeat_says says = { .role = 1 };
	struct endpoint to = { 0 };
	socklen_t n = sizeof(me);
	struct err e = { 0 };

	scene_open(s);
	make(s, &s->a, 0, 1, 10, SECRET);
	me.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->raw = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(s->raw, (struct sockaddr *)&me, n), 0);
	ck_assert_int_eq(getsockname(s->raw, (struct sockaddr *)&me, &n), 0);
	ck_assert(endpoint_from_sockaddr(&to, (struct sockaddr *)&me));
	heartbeat_set_remote(s->a.beat, 0, &to);
	ck_assert_int_eq(heartbeat_start(s->a.beat, &says, &e), GW_OK);
	s->to = to;
	s->to.port = heartbeat_port(s->a.beat, 0);
}

static void throw(struct scene * s, int fd, const void *p, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&s->to, &ss);

	ck_assert_int_eq(sendto(fd, p, n, 0, (struct sockaddr *)&ss, len), (ssize_t)n);
	turns(s, 10);
}

static size_t say(struct scene *s, const struct heartbeat_msg *m, uint8_t buf[HEARTBEAT_MAX])
{
	size_t n = heartbeat_msg_write(s->env.crypto, secret_bytes(&s->key), m, buf);

	ck_assert_uint_gt(n, 0);
	throw(s, s->raw, buf, n);
	return n;
}

static struct heartbeat_msg hear(const struct scene *s)
{
	struct heartbeat_msg m = { 0 };
	uint8_t buf[HEARTBEAT_MAX];
	ssize_t n = recv(s->raw, buf, sizeof(buf), 0);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(heartbeat_msg_verify(s->env.crypto, secret_bytes(&s->key), bytes_of(buf, (size_t)n)), GW_OK);
	ck_assert_int_eq(heartbeat_msg_parse(bytes_of(buf, (size_t)n), &m), GW_OK);
	return m;
}

#define REFUSED(s, reason, call) \
	do { \
		uint64_t before_ = view(&(s)->a).refused[reason]; \
		mtime heard_ = view(&(s)->a).paths[0].heard; \
		call; \
		ck_assert_uint_eq(view(&(s)->a).refused[reason], before_ + 1); \
		ck_assert_int_eq(view(&(s)->a).paths[0].heard.us, heard_.us); \
	} while (0)

START_TEST(what_does_not_count)
{
	struct heartbeat_msg m = { .node = 1, .incarnation = 5, .boot = 77, .sequence = 1, .cluster = "c" }, bad;
	struct sockaddr_in elsewhere = { .sin_family = AF_INET };
	uint8_t buf[HEARTBEAT_MAX], old[HEARTBEAT_MAX];
	struct scene s;
	size_t n;
	int other;

	scene_raw(&s);
	/* Not an echo of ours yet: it is learnt, and answered, but does not count. */
	REFUSED(&s, HEARTBEAT_STALE, (void)say(&s, &m, buf));
	do
		m.echo = hear(&s).boot;
	while (hear(&s).echo != 77);
	n = say(&s, &m, old);
	ck_assert(view(&s.a).known);
	ck_assert(!view(&s.a).paths[0].silent);
	REFUSED(&s, HEARTBEAT_REPLAY, throw(&s, s.raw, old, n));
	m.sequence++;
	bad = m;
	bad.node = 2;
	REFUSED(&s, HEARTBEAT_STRANGER, (void)say(&s, &bad, buf));
	bad = m;
	bad.path = 1;
	REFUSED(&s, HEARTBEAT_STRANGER, (void)say(&s, &bad, buf));
	bad = m;
	bad.cluster[0] = 'd';
	REFUSED(&s, HEARTBEAT_STRANGER, (void)say(&s, &bad, buf));
	bad = m;
	bad.incarnation = 4;
	REFUSED(&s, HEARTBEAT_REPLAY, (void)say(&s, &bad, buf));
	bad = m;
	bad.boot = 78;
	REFUSED(&s, HEARTBEAT_REPLAY, (void)say(&s, &bad, buf));
	bad = m;
	bad.echo = 1;
	REFUSED(&s, HEARTBEAT_STALE, (void)say(&s, &bad, buf));
	n = heartbeat_msg_write(s.env.crypto, secret_bytes(&s.key), &m, buf);
	for (size_t i = 12; i < n; i += 7) {
		if (i >= 88 && i < 90)
			continue; /* the cluster's name */
		buf[i] ^= 1;
		REFUSED(&s, HEARTBEAT_SECRET, throw(&s, s.raw, buf, n));
		buf[i] ^= 1;
	}
	REFUSED(&s, HEARTBEAT_MALFORMED, throw(&s, s.raw, buf, n - 1));
	REFUSED(&s, HEARTBEAT_MALFORMED, throw(&s, s.raw, "", 0));
	other = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.7", &elsewhere.sin_addr), 1);
	ck_assert_int_eq(bind(other, (struct sockaddr *)&elsewhere, sizeof(elsewhere)), 0);
	REFUSED(&s, HEARTBEAT_ADDRESS, throw(&s, other, buf, n));
	(void)close(other);
	/* None of it spoilt the real one. */
	throw(&s, s.raw, buf, n);
	ck_assert_uint_eq(view(&s.a).in, 2);
	/* The peer's next process: its numbers begin anew, the old one's do not count any more. */
	m = (struct heartbeat_msg){
		.node = 1, .incarnation = 6, .boot = 99, .sequence = 1, .cluster = "c", .echo = m.echo
	};
	(void)say(&s, &m, buf);
	ck_assert_uint_eq(view(&s.a).in, 3);
	ck_assert_uint_eq(view(&s.a).incarnation, 6);
	REFUSED(&s, HEARTBEAT_REPLAY, throw(&s, s.raw, old, n));
	scene_close(&s);
}
END_TEST

/* Two threads send: what one of them was kept from sending in time comes behind what the other one sent meanwhile. */
START_TEST(one_that_was_overtaken_counts_once_and_its_news_are_old)
{
	struct heartbeat_msg m = { .node = 1, .incarnation = 5, .boot = 77, .sequence = 1, .cluster = "c" }, late;
	uint8_t buf[HEARTBEAT_MAX], old[HEARTBEAT_MAX];
	struct scene s;
	size_t n;

	scene_raw(&s);
	(void)say(&s, &m, buf);
	do
		m.echo = hear(&s).boot;
	while (hear(&s).echo != 77);
	m.says.term = 1;
	late = m;
	late.sequence = 10;
	m.sequence = 12;
	m.says.term = 2;
	(void)say(&s, &m, buf);
	ck_assert_uint_eq(view(&s.a).says.term, 2);
	n = say(&s, &late, old);
	ck_assert_uint_eq(view(&s.a).in, 2);
	ck_assert_uint_eq(view(&s.a).says.term, 2);
	REFUSED(&s, HEARTBEAT_REPLAY, throw(&s, s.raw, old, n));
	m.sequence = 200;
	(void)say(&s, &m, buf);
	late.sequence = 100; /* too old to be told from one that was there */
	REFUSED(&s, HEARTBEAT_REPLAY, (void)say(&s, &late, buf));
	ck_assert_uint_eq(view(&s.a).in, 3);
	scene_close(&s);
}
END_TEST

START_TEST(the_parent_says_that_its_child_is_dead)
{
	struct heartbeat_msg m = { .node = 1, .incarnation = 5, .boot = 77, .sequence = 4, .cluster = "c" }, dead;
	uint8_t buf[HEARTBEAT_MAX];
	struct scene s;
	unsigned before;

	scene_raw(&s);
	m.echo = hear(&s).boot;
	dead = m;
	dead.kind = HEARTBEAT_WITHDRAWN;
	dead.sequence = 1;
	dead.after = 6;
	/* Of a process that we never heard. */
	REFUSED(&s, HEARTBEAT_STALE, (void)say(&s, &dead, buf));
	(void)say(&s, &m, buf);
	ck_assert(!view(&s.a).withdrawn);
	before = s.a.changes;
	(void)say(&s, &dead, buf);
	ck_assert(view(&s.a).withdrawn);
	ck_assert_uint_gt(s.a.changes, before);
	/* Sent before it died. */
	m.sequence = 6;
	(void)say(&s, &m, buf);
	ck_assert(view(&s.a).withdrawn);
	m.sequence = 7;
	(void)say(&s, &m, buf);
	ck_assert(!view(&s.a).withdrawn);
	/* A stalled loop, as the peer says. */
	before = s.a.changes;
	m.sequence = 8;
	m.loop_age_ms = 200;
	(void)say(&s, &m, buf);
	ck_assert_int_eq(view(&s.a).loop_age_us, MILLISECONDS(200));
	ck_assert_uint_gt(s.a.changes, before);
	scene_close(&s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("heartbeat");

	tcase_add_test(t, two_nodes_hear_each_other);
	tcase_add_test(t, a_dead_node_is_silent);
	tcase_add_test(t, who_stood_still_has_not_heard_a_silence);
	tcase_add_test(t, while_it_sleeps_it_listens);
	tcase_add_test(t, a_loop_that_hangs_is_found_out);
	tcase_add_test(t, another_secret_is_not_heard);
	tcase_add_test(t, the_secret_is_changed_live);
	tcase_add_test(t, what_does_not_count);
	tcase_add_test(t, one_that_was_overtaken_counts_once_and_its_news_are_old);
	tcase_add_test(t, the_parent_says_that_its_child_is_dead);
	return check_main("heartbeat", t);
}
