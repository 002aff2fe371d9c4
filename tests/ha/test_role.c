/* Who becomes active, and who does not. */
#include "tests/ha/pair.h"

static struct pair p;

START_TEST(one_of_two)
{
	pair_init(&p);
	pair_beats(&p, 10);
	/* Each listens first. */
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pair_beats(&p, 20);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	/* No preemption: it stays so. */
	pair_beats(&p, 100);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pair_clear(&p);
}
END_TEST

START_TEST(a_dead_peer_is_replaced_after_three_misses)
{
	struct watch_view v;

	pair_init(&p);
	pair_beats(&p, 40);
	v = pair_view(&p.n[0], true);
	p.time.now.us += MILLISECONDS(149);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ck_assert_int_eq(ha_due(p.n[1].ha).us, p.time.now.us + MILLISECONDS(1));
	p.time.now.us += MILLISECONDS(1);
	ha_tick(p.n[1].ha);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(an_isolated_one_stays)
{
	struct watch_view v;

	pair_init(&p);
	pair_beats(&p, 40);
	v = pair_view(&p.n[0], true);
	v.paths[0].link_up = false;
	p.time.now.us += SECONDS(10);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	v.paths[0].link_up = true;
	v.service_up = false;
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	/* Its cables are in again: what it has not heard meanwhile says nothing. It listens as one that starts. */
	v.service_up = true;
	pair_look(&p, 1, &v);
	p.time.now.us += MILLISECONDS(999);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	p.time.now.us += MILLISECONDS(1);
	ha_tick(p.n[1].ha);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
	/* Unless it hears the other one: then silence is what it always is. */
	pair_init(&p);
	pair_beats(&p, 40);
	v = pair_view(&p.n[0], true);
	v.service_up = false;
	p.time.now.us += SECONDS(10);
	pair_look(&p, 1, &v);
	v.service_up = true;
	pair_look(&p, 1, &v);
	pair_beats(&p, 1);
	v = pair_view(&p.n[0], true);
	p.time.now.us += MILLISECONDS(150);
	pair_look(&p, 1, &v);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

START_TEST(without_a_term_on_disk_nobody_is_promoted)
{
	struct ha_event ev;
	struct err e;
	uint32_t asked = 0;
	bool active = false;

	pair_init(&p);
	ha_destroy(p.n[1].ha);
	pair_node_start(&p, 1, &(struct ha_config){ .cluster = "test" }, &(struct ha_durable){ 33, 16, 0 });
	/* The reserve of the start before is not used again. */
	ck_assert_uint_eq(p.n[1].ha->roles.reserve, 49);
	ck_assert_uint_eq(p.n[1].ha->roles.owned, 16);
	p.n[1].ha->roles.reserve = 0;
	p.n[1].ha->roles.persisting = 0;
	p.n[1].keep_events = true;
	ck_assert_int_eq(ha_promote(p.n[1].ha, "test", &e), GW_OK);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	while (ha_take_event(p.n[1].ha, &ev)) {
		active |= ev.kind == HA_EV_ACTIVE || ev.kind == HA_EV_CLAIM;
		asked = ev.kind == HA_EV_PERSIST ? ev.durable.reserve : asked;
	}
	ck_assert(!active);
	ck_assert_uint_eq(asked, 49);
	ha_persisted(p.n[1].ha, asked);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	pair_clear(&p);
}
END_TEST

/* The steps of a takeover, and those of the way back, in their order. */
START_TEST(steps)
{
	static const enum ha_event_kind up[] = { HA_EV_OPEN, HA_EV_CLAIM, HA_EV_ACTIVE, HA_EV_PERSIST, HA_EV_CHANGED };
	static const enum ha_event_kind down[] = { HA_EV_RELEASE, HA_EV_SHUT, HA_EV_PASSIVE, HA_EV_CHANGED };
	struct ha_event ev;
	struct err e;

	pair_init(&p);
	p.n[0].keep_events = true;
	ck_assert_int_eq(ha_promote(p.n[0].ha, "test", &e), GW_OK);
	for (size_t i = 0; i < ARRAY_LEN(up); i++) {
		ck_assert(ha_take_event(p.n[0].ha, &ev));
		ck_assert_int_eq(ev.kind, up[i]);
		ck_assert(ev.kind != HA_EV_PERSIST || (ev.durable.owned == 16 && ev.durable.reserve == 32));
	}
	ck_assert(!ha_take_event(p.n[0].ha, &ev));
	ck_assert_int_eq(ha_promote(p.n[0].ha, "test", &e), GW_ESTATE);
	ck_assert_int_eq(ha_demote(p.n[0].ha, "test", &e), GW_OK);
	for (size_t i = 0; i < ARRAY_LEN(down); i++) {
		ck_assert(ha_take_event(p.n[0].ha, &ev));
		ck_assert_int_eq(ev.kind, down[i]);
	}
	ck_assert_int_eq(ha_switchover(p.n[0].ha, "test", &e), GW_ESTATE);
	pair_clear(&p);
}
END_TEST

START_TEST(a_node_that_slept_is_silent)
{
	struct watch_view v;

	pair_init(&p);
	pair_beats(&p, 40);
	ha_slept(p.n[0].ha, MILLISECONDS(70));
	pair_send(&p.n[0], "reply", IKE_EFFECT_NONE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1); /* not long enough to be replaced */
	ha_slept(p.n[0].ha, MILLISECONDS(80));
	pair_send(&p.n[0], "reply", IKE_EFFECT_NONE);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	/* It hears a standby: it may go on. */
	pair_beats(&p, 1);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	/* It hears a new owner: it is none any more, and what it had to say is dropped. */
	ha_slept(p.n[0].ha, SECONDS(10));
	pair_send(&p.n[0], "reply", IKE_EFFECT_NONE);
	pair_promote(&p.n[1]);
	pair_beats(&p, 1);
	ck_assert_uint_eq(pair_sent(&p.n[0]), 0);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	/* Nobody is there: after one detection time. */
	ha_slept(p.n[1].ha, SECONDS(10));
	v = pair_view(&p.n[0], false);
	pair_look(&p, 1, &v);
	pair_send(&p.n[1], "reply", IKE_EFFECT_NONE);
	p.time.now.us += MILLISECONDS(149);
	pair_look(&p, 1, &v);
	ck_assert_uint_eq(pair_sent(&p.n[1]), 0);
	p.time.now.us += MILLISECONDS(1);
	pair_look(&p, 1, &v);
	ck_assert_uint_eq(pair_sent(&p.n[1]), 1);
	pair_clear(&p);
}
END_TEST

/* Nothing but its own clock wakes it: the other node is gone, so no heartbeat has it look. */
START_TEST(one_that_slept_alone_goes_on)
{
	struct watch_view v;

	pair_init(&p);
	pair_beats(&p, 40);
	v = pair_view(&p.n[1], false);
	v.peer_withdrawn = true;
	pair_look(&p, 0, &v);
	p.time.now.us += SECONDS(1);
	ha_tick(p.n[0].ha);
	ha_slept(p.n[0].ha, MILLISECONDS(80));
	pair_send(&p.n[0], "reply", IKE_EFFECT_NONE);
	for (int i = 0; i < 3 && ha_due(p.n[0].ha).us <= p.time.now.us + MILLISECONDS(150); i++) {
		if (ha_due(p.n[0].ha).us > p.time.now.us)
			p.time.now = ha_due(p.n[0].ha);
		ha_tick(p.n[0].ha);
	}
	ck_assert_uint_eq(pair_sent(&p.n[0]), 1);
	pair_clear(&p);
}
END_TEST

START_TEST(of_two_owners_one_stays)
{
	for (int traffic = 0; traffic < 4; traffic++)
		for (int linked = 0; linked < 2; linked++) {
			int stays = traffic == 1 ? 0 : 1; /* the one with clients, else the higher term */

			pair_init(&p);
			pair_promote(&p.n[0]);
			pair_promote(&p.n[1]);
			p.n[0].ha->roles.traffic = (traffic & 1) != 0;
			p.n[1].ha->roles.traffic = (traffic & 2) != 0;
			if (linked) {
				pair_link(&p);
				pair_talk(&p);
			}
			pair_beats(&p, 2);
			ck_assert_int_eq(ha_role_of(p.n[stays].ha), HA_ACTIVE);
			ck_assert_int_eq(ha_role_of(p.n[1 - stays].ha), HA_STANDBY);
			if (linked) {
				pair_talk(&p);
				ck_assert_uint_eq(p.n[1 - stays].synced, 1);
				/* Whoever stays has a term above all that there were. */
				ck_assert_uint_gt(p.n[stays].ha->roles.term, p.n[1 - stays].ha->roles.owned);
			}
			pair_clear(&p);
		}
}
END_TEST

/* The link has lived on, so nobody greets anew: the one that stays tells the other why. */
START_TEST(one_that_was_found_dead_by_mistake_stays)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	p.n[0].ha->roles.traffic = true;
	pair_link(&p);
	pair_talk(&p);
	pair_promote(&p.n[1]);
	pair_talk(&p);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pair_talk(&p);
	ck_assert_uint_gt(p.n[0].ha->roles.term, p.n[1].ha->roles.owned);
	pair_clear(&p);
}
END_TEST

/* Each has heard of the other's term, says its own, and one of them is left: by link or by heartbeats. */
START_TEST(an_owner_says_its_own_term)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	pair_promote(&p.n[1]);
	p.n[0].ha->roles.traffic = p.n[1].ha->roles.traffic = true;
	ck_assert_uint_gt(p.n[1].ha->roles.term, p.n[0].ha->roles.term);
	p.n[0].ha->roles.heard = p.n[1].ha->roles.term;
	ck_assert_uint_eq(ha_beat(p.n[0].ha).term, p.n[0].ha->roles.term);
	for (int i = 0; i < 2; i++) {
		struct watch_view v;

		p.time.now.us += MILLISECONDS(1);
		v = pair_view(&p.n[i], true);
		pair_look(&p, 1 - i, &v);
	}
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_ge(ha_beat(p.n[0].ha).term, p.n[1].ha->roles.term);
	pair_clear(&p);
}
END_TEST

/* A number from the end of all terms, by a mistake or by malice, leaves terms to be promoted with. */
START_TEST(the_last_terms_are_not_believed)
{
	struct ha_roles *r;

	pair_init(&p);
	r = &p.n[1].ha->roles;
	for (uint32_t term = UINT32_MAX; term > UINT32_MAX - 64; term--)
		ha_learn_term(p.n[1].ha, term);
	ck_assert_uint_lt(r->heard, 1000);
	pair_promote(&p.n[1]);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_lt(r->term, 1000);
	pair_clear(&p);

	pair_init(&p);
	r = &p.n[1].ha->roles;
	/* As far as could ever be, and small steps from there. */
	ha_learn_term(p.n[1].ha, UINT32_MAX / 2);
	ha_learn_term(p.n[1].ha, UINT32_MAX / 2 + 16);
	ck_assert_uint_eq(r->heard, UINT32_MAX / 2 + 16);
	ha_learn_term(p.n[1].ha, UINT32_MAX - 1);
	ck_assert_uint_eq(r->heard, UINT32_MAX / 2 + 16);
	pair_promote(&p.n[1]);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_gt(r->term, UINT32_MAX / 2 + 16);
	pair_clear(&p);
}
END_TEST

/* A node whose disk holds the last of all terms says so, and is no owner; it does not wrap to the first ones. */
START_TEST(terms_do_not_wrap)
{
	pair_init(&p);
	ha_destroy(p.n[1].ha);
	pair_node_start(&p, 1, &(struct ha_config){ .cluster = "test" },
			&(struct ha_durable){ UINT32_MAX - 3, UINT32_MAX - 20, 0 });
	ck_assert(p.n[1].ha->roles.spent);
	ck_assert_uint_eq(p.n[1].ha->roles.reserve, 0);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	pair_clear(&p);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("role");

	tcase_add_test(t, one_of_two);
	tcase_add_test(t, a_dead_peer_is_replaced_after_three_misses);
	tcase_add_test(t, an_isolated_one_stays);
	tcase_add_test(t, without_a_term_on_disk_nobody_is_promoted);
	tcase_add_test(t, steps);
	tcase_add_test(t, a_node_that_slept_is_silent);
	tcase_add_test(t, one_that_slept_alone_goes_on);
	tcase_add_test(t, of_two_owners_one_stays);
	tcase_add_test(t, an_owner_says_its_own_term);
	tcase_add_test(t, the_last_terms_are_not_believed);
	tcase_add_test(t, terms_do_not_wrap);
	tcase_add_test(t, one_that_was_found_dead_by_mistake_stays);
	return check_main("role", t);
}
