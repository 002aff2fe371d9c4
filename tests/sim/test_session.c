/* What a session was: its totals go on over rekeys of both kinds and over takeovers, and are known at its end. */
#include "ike/engine.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

static const struct ike_traffic some = { 3, 5, 300, 5000 };

static const struct ike_session *session(struct sim *s)
{
	return &sim_sa(s, &s->clients[0])->session;
}

/* What ha does with an engine that has followed. */
static void take_over(struct sim *s)
{
	ike_set_passive(s->gate.active.ike, true);
	ike_set_passive(s->gate.active.ike, false);
}

static void account(struct sim *s)
{
	ike_account(sim_sa(s, &s->clients[0])->children, &some);
	sim_flush(s);
}

START_TEST(totals_go_on)
{
	struct sim s;
	mtime began;

	sim_init(&s, 1, NULL, true);
	sim_connect(&s, sim_client_add(&s, false));
	ck_assert(sim_settle(&s, SECONDS(10)));
	began = session(&s)->began;
	ck_assert_int_eq(began.us, sim_sa(&s, &s.clients[0])->established.us);
	account(&s);
	ck_assert(ini_rekey_ike(s.clients[0].ini));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	account(&s);
	ck_assert_uint_eq(session(&s)->packets_in, 6);
	ck_assert_int_eq(session(&s)->began.us, began.us); /* not the time of the rekey */
	ck_assert_uint_eq(session(&s)->failovers, 0);
	for (unsigned i = 1; i <= 2; i++) {
		gate_takeover(&s.gate);
		take_over(&s);
		sim_run(&s, SECONDS(300));
		ck_assert(sim_settle(&s, SECONDS(10)));
		ck_assert_uint_eq(session(&s)->failovers, i);
		ck_assert_int_eq(session(&s)->began.us, began.us);
		ck_assert_uint_eq(session(&s)->packets_in, 6);
		ck_assert_uint_eq(session(&s)->packets_out, 10);
		ck_assert_uint_eq(session(&s)->bytes_in, 600);
		ck_assert_uint_eq(session(&s)->bytes_out, 10000);
		/* Something changes, so that the node after this one knows, too. */
		ck_assert(ini_rekey_child(s.clients[0].ini, 0));
		sim_flush(&s);
		ck_assert(sim_settle(&s, SECONDS(10)));
	}
	sim_clear(&s);
}
END_TEST

/* It ends before its timers came to know of the takeover. */
START_TEST(a_takeover_just_before_the_end_counts)
{
	struct ike_event ev;
	struct sim s;
	bool seen = false;

	sim_init(&s, 1, NULL, false);
	sim_connect(&s, sim_client_add(&s, false));
	ck_assert(sim_settle(&s, SECONDS(10)));
	take_over(&s);
	ck_assert_uint_eq(session(&s)->failovers, 0);
	ck_assert_uint_eq(ike_terminate(s.gate.active.ike, &(struct ike_select){ 0 }, "test"), 1);
	for (int i = 0; i < 100 && !seen; i++) { /* nobody answers the DELETE */
		s.clock.now = mtime_add(s.clock.now, SECONDS(30));
		ike_tick(s.gate.active.ike);
		while (ike_take_event(s.gate.active.ike, &ev)) {
			if (ev.kind != IKE_EV_SA_DOWN)
				continue;
			seen = true;
			ck_assert_uint_eq(ev.sa->session.failovers, 1);
		}
	}
	ck_assert(seen);
	sim_clear(&s);
}
END_TEST

START_TEST(a_refusal_is_reported)
{
	const struct sim_settings others = { .conn = "    remote: {ids: ['*@example.com']}\n" };
	struct sim s;

	sim_init(&s, 1, &others, false);
	sim_connect(&s, sim_client_add(&s, false));
	(void)sim_settle(&s, SECONDS(10));
	ck_assert_uint_eq(s.gate.refused, 1);
	/* Of a flood some are. */
	for (int i = 0; i < 300; i++)
		ike_log_stranger(s.gate.active.ike, &s.clients[0].ini->local, "refused: whatever");
	gate_turn(&s.gate);
	ck_assert_uint_ge(s.gate.refused, 50);
	ck_assert_uint_le(s.gate.refused, 150);
	sim_clear(&s);
}
END_TEST

START_TEST(a_move_is_reported)
{
	struct sim s;

	sim_init(&s, 1, NULL, false);
	sim_connect(&s, sim_client_add(&s, true));
	ck_assert(sim_settle(&s, SECONDS(10)));
	s.clients[0].nat->shift = 31000;
	ck_assert(ini_probe(s.clients[0].ini));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(s.gate.moved, 1);
	sim_clear(&s);
}
END_TEST

static unsigned lines;

static void count_line(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	(void)line;
	(void)n;
	lines += level == LOG_LVL_DEBUG;
}

START_TEST(one_connection_is_louder)
{
	struct sim s;

	sim_init(&s, 1, NULL, false);
	s.log = (struct log){ .level = LOG_LVL_ERROR, .format = LOG_JOURNAL, .sink = count_line };
	s.gate.active.env->log = &s.log;
	sim_connect(&s, sim_client_add(&s, false));
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(lines, 0);
	ike_log_conn(s.gate.active.ike, "other", LOG_LVL_DEBUG, MTIME_NEVER);
	ck_assert(ini_rekey_child(s.clients[0].ini, 0));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(lines, 0);
	ike_log_conn(s.gate.active.ike, "main", LOG_LVL_DEBUG, mtime_add(s.clock.now, SECONDS(60)));
	ck_assert(ini_rekey_child(s.clients[0].ini, 0));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_gt(lines, 0);
	lines = 0;
	s.clock.now = mtime_add(s.clock.now, SECONDS(61));
	ck_assert(ini_rekey_child(s.clients[0].ini, 0));
	sim_flush(&s);
	ck_assert(sim_settle(&s, SECONDS(10)));
	ck_assert_uint_eq(lines, 0);
	sim_clear(&s);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ totals_go_on, 0 },
		{ a_takeover_just_before_the_end_counts, 0 },
		{ a_refusal_is_reported, 0 },
		{ a_move_is_reported, 0 },
		{ one_connection_is_louder, 0 },
	};

	return suite_run("session", tests, ARRAY_LEN(tests));
}
