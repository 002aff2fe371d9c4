/* Write-ahead: what leaves when (DESIGN.md §3), and what is sent of what changes. */
#include "tests/ha/pair.h"

static struct pair p;

static void synced_pair(void)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_link(&p);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[0].synced, 1);
	ck_assert_uint_eq(p.n[1].synced, 1);
}

START_TEST(a_reply_waits_for_its_turn)
{
	synced_pair();
	pair_set(&p.n[0], 7, "seven");
	(void)ha_end_turn(p.n[0].ha);
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	pair_send(&p.n[0], "liveness", IKE_EFFECT_NONE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	(void)pair_carry(&p.n[0], &p.n[1]);
	ck_assert_str_eq(p.n[1].text[7], "seven");
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	/* A retransmission does not release it either. */
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	(void)pair_carry(&p.n[1], &p.n[0]);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 2);
	pair_clear(&p);
}
END_TEST

START_TEST(changes_of_a_turn_are_sent_once)
{
	synced_pair();
	for (int i = 0; i < 100; i++)
		pair_set(&p.n[0], 1 + (uint64_t)i % 4, i % 2 ? "odd" : "even");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[1].applied, 4);
	ck_assert_uint_eq(p.n[1].turns, 1);
	ck_assert(pair_same(&p));
	/* Came and went in one turn: nobody hears of it. */
	pair_set(&p.n[0], 9, "nine");
	pair_set(&p.n[0], 9, "");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[1].applied, 4);
	pair_set(&p.n[0], 1, "");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[1].applied, 5);
	ck_assert(pair_same(&p));
	pair_clear(&p);
}
END_TEST

static void wait_us(int64_t us)
{
	p.time.now.us += us;
	ha_tick(p.n[0].ha);
	ha_tick(p.n[1].ha);
	pair_events(&p.n[0]);
	pair_events(&p.n[1]);
}

START_TEST(a_slow_standby_does_not_hold_clients)
{
	synced_pair();
	pair_set(&p.n[0], 7, "seven");
	(void)ha_end_turn(p.n[0].ha);
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	wait_us(MILLISECONDS(29));
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	wait_us(MILLISECONDS(2));
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	ck_assert_uint_eq(p.n[0].unprotected, 1);
	ck_assert(!ha_protected(p.n[0].ha));
	/* What left is told by the heartbeats: a standby below that knows that it is behind. */
	ck_assert_uint_eq(ha_beat(p.n[0].ha).exposed, ha_beat(p.n[0].ha).turn);
	ck_assert_uint_lt(ha_beat(p.n[1].ha).turn, ha_beat(p.n[0].ha).exposed);
	/* Back when acknowledgements were quick for a second. */
	pair_talk(&p);
	for (int i = 0; i < 12; i++) {
		pair_set(&p.n[0], 7, i % 2 ? "a" : "b");
		(void)ha_end_turn(p.n[0].ha);
		pair_talk(&p);
		ck_assert(!ha_protected(p.n[0].ha));
		wait_us(MILLISECONDS(90));
	}
	wait_us(MILLISECONDS(90));
	ck_assert(ha_protected(p.n[0].ha));
	pair_clear(&p);
}
END_TEST

/* Its last acknowledgement was late, and nothing has changed since: there is nothing that would be measured. */
START_TEST(a_standby_that_has_caught_up_is_in_sync_without_a_change)
{
	synced_pair();
	for (int i = 0; i < 3; i++) {
		pair_set(&p.n[0], 7, i % 2 ? "a" : "b");
		(void)ha_end_turn(p.n[0].ha);
		wait_us(MILLISECONDS(500));
		ck_assert(!ha_protected(p.n[0].ha));
		pair_talk(&p);
		wait_us(MILLISECONDS(600));
		ck_assert(!ha_protected(p.n[0].ha));
	}
	wait_us(MILLISECONDS(500));
	ck_assert(ha_protected(p.n[0].ha));
	pair_clear(&p);
}
END_TEST

START_TEST(a_long_link_is_not_a_slow_standby)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_link(&p);
	for (int i = 0; i < 40; i++) { /* 60 ms each way */
		wait_us(MILLISECONDS(60));
		(void)pair_carry(&p.n[i % 2], &p.n[1 - i % 2]);
	}
	for (int i = 0; i < 20; i++) {
		pair_set(&p.n[0], 7, i % 2 ? "a" : "b");
		(void)ha_end_turn(p.n[0].ha);
		wait_us(MILLISECONDS(60));
		(void)pair_carry(&p.n[0], &p.n[1]);
		wait_us(MILLISECONDS(60));
		(void)pair_carry(&p.n[1], &p.n[0]);
	}
	ck_assert_uint_eq(p.n[0].unprotected, 0);
	ck_assert(ha_protected(p.n[0].ha));
	pair_clear(&p);
}
END_TEST

START_TEST(without_a_standby_nothing_waits)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_set(&p.n[0], 7, "seven");
	(void)ha_end_turn(p.n[0].ha);
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	/* And what a standby wants to say is dropped. */
	pair_send(&p.n[1], "reply", IKE_EFFECT_NONE);
	ck_assert_uint_eq(pair_sent(&p.n[1]), 0);
	pair_clear(&p);
	/* The link goes while a reply waits. */
	synced_pair();
	pair_set(&p.n[0], 7, "seven");
	(void)ha_end_turn(p.n[0].ha);
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	pair_cut(&p);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	pair_clear(&p);
}
END_TEST

START_TEST(memory_is_bounded_by_the_state)
{
	size_t most = 0;

	synced_pair();
	/* A link that takes nothing: objects gather, each once. */
	for (int i = 0; i < 20000; i++) {
		for (uint64_t k = 1; k < 64; k++)
			pair_set(&p.n[0], k, i % 2 ? "abcdefghijklmnopq" : "bcdefghijklmnopqr");
		(void)ha_end_turn(p.n[0].ha);
		most = ha_buffer_len(&p.n[0].ha->tx) > most ? ha_buffer_len(&p.n[0].ha->tx) : most;
	}
	ck_assert_uint_gt(most, HA_SEND_HIGH / 2);
	ck_assert_uint_lt(most, HA_SEND_HIGH + HA_TURN_MAX);
	pair_talk(&p);
	ck_assert(pair_same(&p));
	ck_assert_uint_eq(p.n[0].closed + p.n[1].closed, 0);
	pair_clear(&p);
}
END_TEST

START_TEST(a_refusal_is_of_one_object)
{
	synced_pair();
	p.n[1].refuse = 5;
	for (uint64_t k = 1; k < 10; k++)
		pair_set(&p.n[0], k, "x");
	(void)ha_end_turn(p.n[0].ha);
	pair_send(&p.n[0], "reply", IKE_EFFECT_STATE);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[0].refused, 1);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	ck_assert_str_eq(p.n[1].text[4], "x");
	ck_assert_str_eq(p.n[1].text[5], "");
	ck_assert_str_eq(p.n[1].text[6], "x");
	/* It is tried again when it changes. */
	p.n[1].refuse = 0;
	pair_set(&p.n[0], 5, "y");
	(void)ha_end_turn(p.n[0].ha);
	pair_talk(&p);
	ck_assert(pair_same(&p));
	pair_clear(&p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("outbox");

	tcase_add_test(t, a_reply_waits_for_its_turn);
	tcase_add_test(t, changes_of_a_turn_are_sent_once);
	tcase_add_test(t, a_slow_standby_does_not_hold_clients);
	tcase_add_test(t, a_standby_that_has_caught_up_is_in_sync_without_a_change);
	tcase_add_test(t, a_long_link_is_not_a_slow_standby);
	tcase_add_test(t, without_a_standby_nothing_waits);
	tcase_add_test(t, memory_is_bounded_by_the_state);
	tcase_add_test(t, a_refusal_is_of_one_object);
	return check_main("outbox", t);
}
