/* What a node does about its role by itself: preemption, fencing, a pause; and how a planned switchover goes. */
#include "tests/ha/pair.h"
#include "tests/sim/suite.h"

static struct pair p;

static void begin(const struct ha_config *first, const struct ha_config *second)
{
	struct ha_config cfg[2] = { *first, *second };

	for (int i = 0; i < 2; i++)
		cfg[i].cluster = "test";
	pair_init_as(&p, cfg);
	pair_promote(&p.n[0]);
	pair_beats(&p, 40);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	pair_link(&p);
	pair_talk(&p);
}

static void pass(int64_t us)
{
	for (int64_t end = p.time.now.us + us; p.time.now.us < end;) {
		pair_beats(&p, 1);
		pair_talk(&p);
	}
}

/* The first one is silent from now on. */
static void silence(int64_t us)
{
	p.time.now.us += us;
	pair_look(&p, 1, &p.n[1].ha->roles.view);
}

START_TEST(a_higher_priority_preempts_after_its_delay)
{
	struct ha_status st;

	begin(&(struct ha_config){ .priority = 1 },
	      &(struct ha_config){ .priority = 2, .preempt_us = SECONDS(10), .preempt_synced = true });
	pass(SECONDS(1));
	ha_look(p.n[1].ha, &st);
	ck_assert_int_ge(st.preempt_at.us, p.time.now.us + SECONDS(8));
	pass(SECONDS(8));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pass(SECONDS(2));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	/* In order: nothing was torn away before the other one had it. */
	ck_assert_uint_eq(p.n[0].last[HA_EV_INBOUND], 1);
	ck_assert_uint_eq(p.n[0].last[HA_EV_RELEASE], 1);
	ck_assert_uint_eq(p.n[1].last[HA_EV_CLAIM], 2); /* once more when that one has said that it is the standby */
	pass(SECONDS(30));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(nobody_preempts_who_should_not)
{
	static const struct ha_config seconds[] = {
		{ .priority = 2 },					       /* not asked for */
		{ .priority = 1, .preempt_us = SECONDS(2) },		       /* no higher */
		{ .priority = 2, .preempt_us = SECONDS(2), .external = true }, /* not its business */
	};

	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		begin(&(struct ha_config){ .priority = 1 }, &seconds[i]);
		pass(SECONDS(10));
		ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
		pair_clear(&p);
	}
	/* Paused: by either. */
	for (int i = 0; i < 2; i++) {
		begin(&(struct ha_config){ .priority = 1 },
		      &(struct ha_config){ .priority = 2, .preempt_us = SECONDS(2) });
		ha_pause(p.n[i].ha, true);
		pass(SECONDS(10));
		ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
		ha_pause(p.n[i].ha, false);
		pass(SECONDS(5));
		ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
		pair_clear(&p);
	}
	/* The link is down: there is nothing to hand over by. */
	begin(&(struct ha_config){ .priority = 1 }, &(struct ha_config){ .priority = 2, .preempt_us = SECONDS(2) });
	pair_cut(&p);
	pass(SECONDS(10));
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(a_silent_one_is_switched_off_first)
{
	struct ha_status st;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .fence = true });
	silence(MILLISECONDS(150));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 1);
	silence(SECONDS(1));
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 1);
	ha_look(p.n[1].ha, &st);
	ck_assert_int_eq(st.fence, HA_FENCE_RUNNING);
	ha_fenced(p.n[1].ha, true, NULL);
	silence(0);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_eq(p.n[1].last[HA_EV_REKEY], 0);
	pair_clear(&p);
}
END_TEST

START_TEST(without_fencing_no_takeover)
{
	struct watch_view v;
	struct ha_status st;
	struct err e;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .fence = true });
	silence(MILLISECONDS(150));
	ha_fenced(p.n[1].ha, false, "exit status 1");
	silence(SECONDS(5));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ha_look(p.n[1].ha, &st);
	ck_assert_int_eq(st.fence, HA_FENCE_FAILED);
	ck_assert_ptr_nonnull(strstr(st.last_change, "exit status 1"));
	/* An operator may do it all the same. */
	ck_assert_int_eq(ha_promote(p.n[1].ha, "by order", &e), GW_OK);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);

	/* It was heard again: the next silence is another one. */
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .fence = true });
	silence(MILLISECONDS(150));
	ha_fenced(p.n[1].ha, false, "timed out");
	pass(MILLISECONDS(100));
	silence(MILLISECONDS(150));
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 2);
	pair_clear(&p);

	/* Who has left need not be switched off. */
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .fence = true });
	v = pair_view(&p.n[0], true);
	v.peer_withdrawn = true;
	p.time.now.us += SECONDS(2);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 0);
	pair_clear(&p);
}
END_TEST

/* As a reload has it: first all that it was, then what differs. */
static void configure(int node, const struct ha_config *cfg)
{
	struct ha_config now = *cfg;

	now.cluster = "ignored";
	ha_configure(p.n[node].ha, &now);
	pair_look(&p, node, &p.n[node].ha->roles.view);
}

START_TEST(priorities_change_while_it_runs)
{
	struct ha_status st;

	begin(&(struct ha_config){ .priority = 5 }, &(struct ha_config){ .priority = 2 });
	configure(1, &(struct ha_config){ .priority = 9, .preempt_us = SECONDS(10), .preempt_synced = true });
	pass(SECONDS(8));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	/* Another delay is counted anew; the same one goes on. */
	configure(1, &(struct ha_config){ .priority = 9, .preempt_us = SECONDS(11), .preempt_synced = true });
	pass(SECONDS(8));
	configure(1, &(struct ha_config){ .priority = 9, .preempt_us = SECONDS(11), .preempt_synced = true });
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pass(SECONDS(4));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	/* The other one hears of it by the heartbeats: it does not want back. */
	configure(0, &(struct ha_config){ .priority = 5, .preempt_us = SECONDS(2) });
	pass(SECONDS(10));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	configure(1, &(struct ha_config){ .priority = 1 });
	pass(SECONDS(4));
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	/* And nobody preempts any more. */
	configure(0, &(struct ha_config){ .priority = 5 });
	configure(1, &(struct ha_config){ .priority = 7 });
	pass(SECONDS(10));
	ha_look(p.n[1].ha, &st);
	ck_assert_int_eq(st.preempt_at.us, MTIME_NEVER.us);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	ck_assert_str_eq(p.n[0].ha->cfg.cluster, "test");
	pair_clear(&p);
}
END_TEST

START_TEST(elections_change_hands_while_it_runs)
{
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	configure(1, &(struct ha_config){ .external = true });
	silence(SECONDS(5));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	configure(1, &(struct ha_config){ 0 });
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(holds_change_while_it_runs)
{
	struct err e;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .calm_us = SECONDS(600) });
	for (int i = 0; i < 2; i++) { /* there and back: its hold begins */
		pass(SECONDS(2));
		ck_assert_int_eq(ha_switchover(p.n[i].ha, "the test", &e), GW_OK);
		pass(SECONDS(2));
		ck_assert_int_eq(ha_role_of(p.n[1 - i].ha), HA_ACTIVE);
	}
	pair_cut(&p);
	silence(SECONDS(5));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	configure(1, &(struct ha_config){ .calm_us = SECONDS(1) });
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

/* Never shorter than what finds a dead node, whatever new heartbeats the file has for the next start. */
START_TEST(a_start_is_no_shorter_than_finding_out)
{
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	configure(1, &(struct ha_config){ .start_hold_us = MILLISECONDS(30) });
	ck_assert_int_eq(p.n[1].ha->cfg.start_hold_us, MILLISECONDS(150));
	configure(1, &(struct ha_config){ .start_hold_us = SECONDS(3) });
	ck_assert_int_eq(p.n[1].ha->cfg.start_hold_us, SECONDS(3));
	pair_clear(&p);
}
END_TEST

START_TEST(a_witness_comes_and_goes)
{
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	configure(1, &(struct ha_config){ .watch.witness = true });
	silence(SECONDS(5)); /* it answers as little */
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	configure(1, &(struct ha_config){ 0 });
	silence(SECONDS(2)); /* it listens anew, as it was cut off */
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

/* A program that could not do it is corrected, or a way without is chosen. */
START_TEST(fencing_changes_while_it_runs)
{
	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	configure(1, &(struct ha_config){ .fence = true });
	silence(MILLISECONDS(150));
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 1);
	ha_fenced(p.n[1].ha, false, "exit status 1");
	silence(SECONDS(5));
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 1);
	configure(1, &(struct ha_config){ .fence = true });
	ck_assert_uint_eq(p.n[1].last[HA_EV_FENCE], 2);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ha_fenced(p.n[1].ha, true, NULL);
	silence(0);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .fence = true });
	silence(MILLISECONDS(150));
	ha_fenced(p.n[1].ha, false, "exit status 1");
	configure(1, &(struct ha_config){ 0 });
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(paused_nobody_moves)
{
	struct ha_status st;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	ha_pause(p.n[1].ha, true);
	silence(SECONDS(5));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ha_look(p.n[1].ha, &st);
	ck_assert(st.paused);
	ha_pause(p.n[1].ha, false);
	silence(0);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(transitions_are_kept)
{
	struct ha_transition log[HA_TRANSITIONS];
	struct err e;
	size_t n;

	pair_init(&p);
	for (int i = 0; i < 12; i++) {
		p.time.now.us += SECONDS(1);
		pair_promote(&p.n[0]);
		p.time.now.us += SECONDS(1);
		ck_assert_int_eq(ha_demote(p.n[0].ha, i == 11 ? "the last" : "test", &e), GW_OK);
		pair_events(&p.n[0]);
	}
	n = ha_transitions(p.n[0].ha, log);
	ck_assert_uint_eq(n, HA_TRANSITIONS);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(log[i].role, i % 2 ? HA_STANDBY : HA_ACTIVE);
		ck_assert_int_eq(log[i].at.us, p.time.now.us - SECONDS((int64_t)(n - 1 - i)));
	}
	ck_assert_str_eq(log[n - 1].why, "the last");
	ck_assert_uint_eq(p.n[0].last[HA_EV_CHANGED], 24);
	pair_clear(&p);
}
END_TEST

/* Somebody knows sooner than the heartbeats that the active one is dead: what it said last does not count. */
START_TEST(by_order_before_the_silence)
{
	struct err e;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ .external = true });
	p.n[0].ha->roles.traffic = true;
	pass(MILLISECONDS(100));
	pair_cut(&p);
	ck_assert_int_eq(ha_promote(p.n[1].ha, "by order", &e), GW_OK);
	for (int i = 0; i < 10; i++)
		silence(MILLISECONDS(20));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

/*
 * One was cut off and is heard again, while the link still waits for its next try: both are active. Neighbours would
 * follow whoever was announced last, so only the one that stays is, at once.
 */
START_TEST(of_two_actives_one_is_announced)
{
	unsigned claims;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	pass(MILLISECONDS(100));
	for (int i = 0; i < 20; i++)
		silence(MILLISECONDS(20));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	claims = p.n[1].last[HA_EV_CLAIM];
	for (int i = 0; i < 4; i++) {
		pair_beats(&p, 1);
		ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
		ck_assert_uint_eq(p.n[0].last[HA_EV_HUSH], 1);
		ck_assert_uint_eq(p.n[1].last[HA_EV_CLAIM], claims + 1);
	}
	ck_assert_uint_eq(p.n[1].last[HA_EV_HUSH], 0);
	pair_talk(&p);
	pair_beats(&p, 2);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_eq(p.n[1].last[HA_EV_CLAIM], claims + 2);
	pair_clear(&p);
}
END_TEST

/*
 * It did not hear the other one, which may have taken over, been announced to the neighbours, and gone: they believe that
 * one still. So whoever is heard again is a reason to say who has the addresses.
 */
START_TEST(announced_when_the_other_one_is_heard_again)
{
	unsigned claims;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	pass(MILLISECONDS(500));
	claims = p.n[0].last[HA_EV_CLAIM];
	for (int i = 0; i < 10; i++) {
		p.time.now.us += MILLISECONDS(50);
		pair_look(&p, 0, &p.n[0].ha->roles.view);
	}
	ck_assert_uint_eq(p.n[0].last[HA_EV_CLAIM], claims);
	pair_beats(&p, 4);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	ck_assert_uint_eq(p.n[0].last[HA_EV_CLAIM], claims + 1);
	ck_assert_uint_eq(p.n[0].last[HA_EV_HUSH], 0);
	pair_clear(&p);
}
END_TEST

/* It has more to say for itself than we have, and hangs: no reason to be silent. */
START_TEST(who_hangs_is_not_yielded_to)
{
	struct watch_view v;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	pass(MILLISECONDS(100));
	for (int i = 0; i < 20; i++)
		silence(MILLISECONDS(20));
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	v = pair_view(&p.n[0], true);
	v.beat.traffic = true;
	v.peer_loop_age_us = SECONDS(1);
	p.time.now.us += MILLISECONDS(1);
	v.paths[0].heard = p.time.now;
	pair_look(&p, 1, &v);
	ck_assert_uint_eq(p.n[1].last[HA_EV_HUSH], 0);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	v.peer_loop_age_us = 0;
	p.time.now.us += MILLISECONDS(1);
	v.paths[0].heard = p.time.now;
	pair_look(&p, 1, &v);
	ck_assert_uint_eq(p.n[1].last[HA_EV_HUSH], 1);
	pair_clear(&p);
}
END_TEST

/* The addresses go when the other one has them, and a while after. */
START_TEST(who_handed_over_lingers)
{
	struct err e;

	begin(&(struct ha_config){ .linger_us = MILLISECONDS(120) }, &(struct ha_config){ 0 });
	ck_assert_int_eq(ha_switchover(p.n[0].ha, "test", &e), GW_OK);
	ck_assert_int_eq(ha_switchover(p.n[0].ha, "test", &e), GW_ESTATE);
	for (int i = 0; i < 20 && ha_role_of(p.n[1].ha) != HA_ACTIVE; i++) {
		pair_talk(&p);
		for (int k = 0; k < 2; k++) {
			ha_tick(p.n[k].ha);
			pair_events(&p.n[k]);
		}
		pair_talk(&p);
	}
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_uint_eq(p.n[0].last[HA_EV_RELEASE], 0);
	pass(MILLISECONDS(100));
	ck_assert_uint_eq(p.n[0].last[HA_EV_SHUT], 0);
	pass(MILLISECONDS(50));
	ck_assert_uint_eq(p.n[0].last[HA_EV_RELEASE], 1);
	ck_assert_uint_eq(p.n[0].last[HA_EV_SHUT], 1);
	pass(SECONDS(1));
	ck_assert_uint_eq(p.n[0].last[HA_EV_SHUT], 1);
	pair_clear(&p);
}
END_TEST

/* A loop that has to wait for a processor between looking and judging: the other node spoke all the time. */
START_TEST(who_is_late_takes_nothing_over)
{
	struct watch_view v;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	v = pair_view(&p.n[0], true);
	v.looked = p.time.now;
	p.time.now.us += MILLISECONDS(400);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ck_assert_int_gt(ha_due(p.n[1].ha).us, p.time.now.us);
	/* The next view tells. */
	v.looked = p.time.now;
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

/* An active node that slept opens when it has heard nobody for long enough: of listening, too. */
START_TEST(who_slept_listens_before_it_speaks)
{
	struct watch_view v;
	unsigned claims;

	begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
	claims = p.n[0].last[HA_EV_CLAIM];
	v = pair_view(&p.n[1], true);
	p.time.now.us += MILLISECONDS(200);
	ha_slept(p.n[0].ha, MILLISECONDS(200));
	v.looked = p.time.now;
	pair_look(&p, 0, &v);
	ck_assert(p.n[0].ha->roles.asleep);
	ck_assert_uint_eq(p.n[0].last[HA_EV_HUSH], 1);
	p.time.now.us += MILLISECONDS(400);
	pair_look(&p, 0, &v);
	ck_assert(p.n[0].ha->roles.asleep);
	ck_assert_int_gt(ha_due(p.n[0].ha).us, p.time.now.us);
	v.looked = p.time.now;
	pair_look(&p, 0, &v);
	ck_assert(!p.n[0].ha->roles.asleep);
	ck_assert_uint_eq(p.n[0].last[HA_EV_CLAIM], claims + 1);
	pair_clear(&p);
}
END_TEST

/*
 * Who takes over doubts when the owner had waited for nobody when heard last: not when it hands over, as then all is
 * here.
 */
START_TEST(doubts_who_was_told_more)
{
	for (int i = 0; i < 4; i++) {
		bool waits = i & 1, hands = i & 2;
		struct watch_view v;
		struct err e;

		begin(&(struct ha_config){ 0 }, &(struct ha_config){ 0 });
		pair_set(&p.n[0], 1, "one");
		pass(SECONDS(1));
		v = pair_view(&p.n[0], true);
		ck_assert(v.beat.synced);
		v.beat.synced = waits;
		pair_look(&p, 1, &v);
		if (hands) {
			ck_assert_int_eq(ha_switchover(p.n[0].ha, "test", &e), GW_OK);
			for (int k = 0; k < 10; k++) {
				p.time.now.us += MILLISECONDS(2);
				ha_tick(p.n[0].ha);
				pair_events(&p.n[0]);
				pair_talk(&p);
			}
		} else {
			pair_cut(&p);
			silence(MILLISECONDS(200));
			silence(SECONDS(1));
		}
		ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
		ck_assert(p.n[1].ha->roles.behind == (!waits && !hands));
		pair_clear(&p);
	}
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ a_higher_priority_preempts_after_its_delay, 0 },
		{ nobody_preempts_who_should_not, 0 },
		{ a_silent_one_is_switched_off_first, 0 },
		{ without_fencing_no_takeover, 0 },
		{ priorities_change_while_it_runs, 0 },
		{ elections_change_hands_while_it_runs, 0 },
		{ holds_change_while_it_runs, 0 },
		{ a_start_is_no_shorter_than_finding_out, 0 },
		{ a_witness_comes_and_goes, 0 },
		{ fencing_changes_while_it_runs, 0 },
		{ paused_nobody_moves, 0 },
		{ transitions_are_kept, 0 },
		{ by_order_before_the_silence, 0 },
		{ of_two_actives_one_is_announced, 0 },
		{ announced_when_the_other_one_is_heard_again, 0 },
		{ who_hangs_is_not_yielded_to, 0 },
		{ who_handed_over_lingers, 0 },
		{ who_is_late_takes_nothing_over, 0 },
		{ who_slept_listens_before_it_speaks, 0 },
		{ doubts_who_was_told_more, 0 },
	};

	return suite_run("judge", all, ARRAY_LEN(all));
}
