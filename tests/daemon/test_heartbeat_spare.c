#include "daemon/heartbeat_spare.h"
#include "tests/check_main.h"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERVAL MILLISECONDS(20)

struct scene {
	struct beat_shared *shared;
	struct heartbeat_page page;
	struct crypto *crypto;
	struct beat_keys keys;
	int ear; /* where the heartbeats go to */
};

static void open_scene(struct scene *s)
{
	struct heartbeat_says says = { .role = 1, .term = 7 };
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct endpoint any = { 0 };
	struct err e = { 0 };

	*s = (struct scene){ .shared = calloc(1, sizeof(*s->shared)), .crypto = crypto_create(&e) };
	ck_assert(s->shared && s->crypto && addr_parse("127.0.0.1", &any.addr));
	s->ear = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	n = (socklen_t)endpoint_to_sockaddr(&any, &ss);
	ck_assert_int_eq(bind(s->ear, (struct sockaddr *)&ss, n), 0);
	n = sizeof(ss);
	ck_assert_int_eq(getsockname(s->ear, (struct sockaddr *)&ss, &n), 0);
	s->shared->paths[0].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert(endpoint_from_sockaddr(&s->shared->paths[0].remote, (struct sockaddr *)&ss));
	s->shared->cfg = (struct heartbeat_config){
		.node = 1, .peer = 0, .incarnation = 3, .interval_us = INTERVAL, .path_count = 1, .page = &s->page
	};
	s->shared->cluster[0] = 'c';
	s->shared->boot = 99;
	memset(s->keys.key[0], 5, PAIR_BEAT_KEY);
	cell_put(&s->shared->say, &says, sizeof(says));
	cell_put(&s->shared->key, &s->keys, sizeof(s->keys));
	atomic_store(&s->shared->peer_boot, 44);
	atomic_store(&s->shared->sequence, 1000);
	atomic_store(&s->shared->cpu, sched_getcpu());
	atomic_store(&s->shared->sent_us, clock_now(clock_system()).us);
	atomic_store(&s->shared->alive_us, clock_now(clock_system()).us);
}

static void close_scene(struct scene *s)
{
	(void)close(s->ear);
	(void)close(s->shared->paths[0].fd);
	crypto_destroy(s->crypto);
	free(s->shared);
}

static bool comes(struct scene *s, struct heartbeat_msg *m, int ms)
{
	struct pollfd f = { .fd = s->ear, .events = POLLIN };
	uint8_t buf[HEARTBEAT_MAX];
	ssize_t n;

	if (poll(&f, 1, ms) != 1)
		return false;
	n = recv(s->ear, buf, sizeof(buf), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(heartbeat_msg_parse(bytes_of(buf, (size_t)n), m), GW_OK);
	ck_assert_int_eq(
		heartbeat_msg_verify(s->crypto, bytes_of(s->keys.key[0], PAIR_BEAT_KEY), bytes_of(buf, (size_t)n)),
		GW_OK);
	return true;
}

static bool one_processor(void)
{
	cpu_set_t set;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set) < 2;
}

START_TEST(it_sends_when_nobody_else_does)
{
	struct scene s;
	struct heartbeat_msg m;
	struct err e = { 0 };
	struct beat_spare *spare;

	open_scene(&s);
	spare = beat_spare_start(s.shared, clock_system(), 10, &e);
	if (one_processor()) {
		ck_assert(!spare && e.code == GW_OK);
	} else {
		ck_assert_msg(spare != NULL, "%s", e.text);
		for (uint64_t i = 1; i <= 5; i++) {
			ck_assert(comes(&s, &m, 1000));
			ck_assert_uint_eq(m.sequence, 1000 + i);
			ck_assert(m.boot == 99 && m.echo == 44 && m.incarnation == 3 && m.node == 1);
			ck_assert(m.says.role == 1 && m.says.term == 7);
			ck_assert_str_eq(m.cluster, "c");
		}
		/* The loop has not been seen since. */
		ck_assert_uint_ge(m.loop_age_ms, 100);
		ck_assert_uint_ge(atomic_load(&s.page.sequence), 1005);
		ck_assert_uint_eq(atomic_load(&s.page.peer_boot), 44);
		beat_spare_stop(spare);
		ck_assert_uint_ge(atomic_load(&s.shared->spared), 5);
		while (comes(&s, &m, 0))
			;
		ck_assert(!comes(&s, &m, 100)); /* nothing after the stop */
	}
	close_scene(&s);
}
END_TEST

START_TEST(it_is_silent_while_the_other_one_sends)
{
	struct scene s;
	struct err e = { 0 };
	struct beat_spare *spare;
	int64_t end;
	uint64_t late = 0;

	open_scene(&s);
	spare = beat_spare_start(s.shared, clock_system(), 10, &e);
	end = clock_now(clock_system()).us + SECONDS(1);
	for (int64_t last = end - SECONDS(1), now; (now = clock_now(clock_system()).us) < end; last = now) {
		/* A busy machine may keep this test from it. */
		late += now - last > INTERVAL ? (uint64_t)((now - last) / INTERVAL) + 1 : 0;
		atomic_store(&s.shared->sent_us, now);
		(void)poll(NULL, 0, 5);
	}
	beat_spare_stop(spare);
	ck_assert_uint_le(atomic_load(&s.shared->spared), late);
	close_scene(&s);
}
END_TEST

START_TEST(what_changes_meanwhile_is_said)
{
	struct scene s;
	struct heartbeat_says says = { .role = 2, .term = 8, .leaving = true };
	struct heartbeat_msg m = { 0 };
	struct err e = { 0 };
	struct beat_spare *spare;

	open_scene(&s);
	spare = beat_spare_start(s.shared, clock_system(), 10, &e);
	cell_put(&s.shared->say, &says, sizeof(says));
	memset(s.keys.key[1], 6, PAIR_BEAT_KEY);
	s.keys.until_us = INT64_MAX; /* a secret that changes: with both */
	cell_put(&s.shared->key, &s.keys, sizeof(s.keys));
	if (spare) {
		struct pollfd f = { .fd = s.ear, .events = POLLIN };
		uint8_t buf[HEARTBEAT_MAX];
		ssize_t n;

		ck_assert(comes(&s, &m, 1000));
		ck_assert(m.says.role == 2 && m.says.term == 8 && m.says.leaving);
		ck_assert_int_eq(poll(&f, 1, 1000), 1);
		n = recv(s.ear, buf, sizeof(buf), 0);
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(heartbeat_msg_verify(s.crypto, bytes_of(s.keys.key[1], PAIR_BEAT_KEY),
						      bytes_of(buf, (size_t)n)),
				 GW_OK);
	}
	beat_spare_stop(spare);
	close_scene(&s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("spare");

	tcase_add_test(t, it_sends_when_nobody_else_does);
	tcase_add_test(t, it_is_silent_while_the_other_one_sends);
	tcase_add_test(t, what_changes_meanwhile_is_said);
	return check_main("heartbeat_spare", t);
}
