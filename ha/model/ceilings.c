/* What a data plane and its ceilings do: DESIGN.md §4. */
#include "ha/model/model.h"

static bool speaks(const struct node *me)
{
	return me->state == KEY_OWNED || me->leads || (me->late && me->state == KEY_STALE);
}

/* One packet. The plane asks nobody: not the daemon, not the role. */
bool plane_send(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];
	uint16_t bit;

	if (me->up == NODE_OFF || !speaks(me) || me->position >= me->fence)
		return false;
	bit = (uint16_t)(1U << ++me->position);
	if (s->b->nonces_only) {
		/* Two nodes, or two starts of one, never meet: their names are in the IV. */
		if (s->m->mine[n][me->key - 1] & bit)
			s->fault = FAULT_NONCE;
		s->m->mine[n][me->key - 1] |= bit;
	} else {
		if (s->m->used[me->key - 1] & bit)
			s->fault = FAULT_NUMBER;
		s->m->used[me->key - 1] |= bit;
	}
	return true;
}

static bool owns(const struct node *me)
{
	return me->up == NODE_RUN && me->role == ROLE_ACTIVE && me->state == KEY_OWNED && !me->burnt;
}

/* A fence may go beyond what stood before the promotion only when the disk says that we spoke. */
static bool may_raise(const struct step *s, const struct node *me)
{
	return owns(me) &&
	       (me->owned == me->term || broken(s->b, RULE_OWNED_THEN_RAISE) || broken(s->b, RULE_OWNED_DURABLE));
}

static bool synced(const struct step *s, const struct node *me)
{
	return me->connected && (me->heard || broken(s->b, RULE_REPORT_THEN_RAISE));
}

static void record_send(struct step *s, unsigned n)
{
	const struct node *me = &s->m->n[n];

	link_send(s, n,
		  (struct msg){ .type = MSG_RECORD,
				.term = me->term,
				.key = me->key,
				.number = me->asked,
				.incarnation = me->incarnation });
}

/* The peer holds no copy: it gets one, at the ceiling that binds us from now on. */
bool ceiling_impose(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!may_raise(s, me) || !synced(s, me) || me->asked || me->late ||
	    me->position + s->b->block > s->b->numbers || !link_room(s, n))
		return false;
	me->asked = u8(me->position + s->b->block);
	if (broken(s->b, RULE_ARM_THEN_SEND))
		me->late = 1;
	else
		me->fence = me->asked; /* armed and read back, then sent */
	record_send(s, n);
	return true;
}

bool ceiling_ask(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!may_raise(s, me) || !synced(s, me) || !me->asked || me->late || me->asked != me->fence ||
	    me->fence + s->b->block > s->b->numbers || !link_room(s, n))
		return false;
	me->asked = u8(me->fence + s->b->block);
	if (broken(s->b, RULE_ACK_THEN_ARM))
		me->fence = me->asked;
	record_send(s, n);
	return true;
}

/* Nobody else can be above us: the fence moves as far as we like. A block at a time, when the last number is near. */
bool ceiling_raise_self(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!may_raise(s, me) || me->asked || me->fence > me->position + 1 || me->fence + s->b->block > s->b->numbers)
		return false;
	me->fence = u8(me->fence + s->b->block);
	return true;
}

/* The promotion wrote nothing; now the disk says that its term was used. */
bool ceiling_mark(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || me->role != ROLE_ACTIVE || me->owned == me->term || broken(s->b, RULE_OWNED_DURABLE))
		return false;
	me->owned = me->term;
	if (me->reserve <= me->term)
		me->reserve = 0;
	return true;
}

/* A new key with the client, on the SA's own account or because it had to be. Its numbers are all ours. */
bool key_make(struct step *s, unsigned n, bool by_order)
{
	struct node *me = &s->m->n[n];
	bool needed = !me->key || me->burnt;

	if (me->up != NODE_RUN || me->role != ROLE_ACTIVE || s->m->keys >= s->b->keys || needed == by_order)
		return false;
	me->key = ++s->m->keys;
	me->state = KEY_OWNED;
	me->position = me->asked = me->burnt = me->late = 0;
	me->fence = s->b->block;
	return true;
}

/* MOBIKE: the kernel can only delete and add. The deleted state's fence is used up; more needs another grant. */
bool key_recreate(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!owns(me) || me->late || me->position == me->fence)
		return false;
	if (broken(s->b, RULE_RECREATE_AT_FENCE)) {
		me->late = 1;
		me->read = me->position;
	} else {
		me->position = me->fence;
	}
	return true;
}

/*
 * The operator says, and it is true: the peer is off. But it may have been promoted and have spoken before, so a
 * ceiling that it was given stays; the SA is rekeyed.
 */
bool peer_fenced(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!owns(me) || me->connected || s->m->n[1 - n].up != NODE_OFF || !me->asked)
		return false;
	if (broken(s->b, RULE_FENCED_REKEYS))
		me->asked = 0;
	else
		me->burnt = 1;
	return true;
}

static void record_apply(struct step *s, struct node *me, unsigned key, unsigned number)
{
	me->key = u8(key);
	me->state = KEY_CONFIRMED;
	me->position = u8(number);
	me->fence = u8(number + s->b->block);
	if (me->fence > NUMBER_MAX)
		me->fence = NUMBER_MAX;
	me->offer = me->read = 0;
}

static void ack_send(struct step *s, unsigned n, unsigned key, unsigned number)
{
	link_send(s, n, (struct msg){ .type = MSG_ACK, .key = key, .number = number });
}

/* Standby: a position. It never goes below what this process has used itself. */
void on_record(struct step *s, unsigned n, uint32_t packed)
{
	struct node *me = &s->m->n[n];
	struct msg in = msg_unpack(packed);

	if (me->role == ROLE_ACTIVE) {
		if (broken(s->b, RULE_OWNER_REFUSES))
			ack_send(s, n, in.key, in.number);
		return;
	}
	role_stop(s, n);
	if ((in.term < me->term && !broken(s->b, RULE_OLD_TERM_REFUSED)) ||
	    (in.key == me->key && in.number < me->position))
		return;
	me->term = u8(max_of(me->term, in.term));
	me->grantor = u8(in.incarnation);
	me->fresh = 0;
	if (me->reserve <= me->term)
		me->reserve =
			u8(broken(s->b, RULE_TERM_OF_NODE) ? me->term + 1U : me->term + ((me->term ^ n) & 1 ? 1U : 2U));
	if (broken(s->b, RULE_APPLY_THEN_ACK) && in.key == me->key && me->state == KEY_CONFIRMED) {
		me->late = 1;
		me->read = u8(in.number);
	} else {
		record_apply(s, me, in.key, in.number);
	}
	ack_send(s, n, in.key, in.number);
}

/* Owner: the standby has it; now our own plane. */
void on_ack(struct step *s, unsigned n, uint32_t packed)
{
	struct node *me = &s->m->n[n];
	struct msg in = msg_unpack(packed);

	if (owns(me) && in.key == me->key && in.number <= me->asked && in.number > me->fence)
		me->fence = u8(in.number);
}

/* The second half of what a broken rule has put off. */
bool late_step(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || !me->late)
		return false;
	me->late = 0;
	if (me->state == KEY_OWNED && broken(s->b, RULE_ARM_THEN_SEND))
		me->fence = u8(max_of(me->asked, me->position));
	else if (me->state == KEY_OWNED && broken(s->b, RULE_RECREATE_AT_FENCE))
		me->position = me->read;
	else if (me->state == KEY_CONFIRMED && broken(s->b, RULE_APPLY_THEN_ACK))
		record_apply(s, me, me->key, me->read);
	else if (me->state == KEY_STALE && broken(s->b, RULE_HANDOVER_FINAL) && me->role == ROLE_STANDBY) {
		me->role = ROLE_ACTIVE;
		me->state = KEY_OWNED;
		me->asked = me->fence = me->read;
	}
	me->read = 0;
	return true;
}
