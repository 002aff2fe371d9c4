/* Who owns: promotion, stepping down, what the two tell each other when they meet (DESIGN.md §4 Healing, §5). */
#include "ha/model/model.h"

/* Terms of the two nodes never meet: their lowest bit is the node's. */
static unsigned term_above(const struct step *s, unsigned n, unsigned term)
{
	if (broken(s->b, RULE_TERM_OF_NODE))
		return term + 1;
	return term + ((term ^ n) & 1 ? 1 : 2);
}

static void term_own(struct step *s, unsigned n, unsigned term)
{
	if ((term <= s->m->top[n] || term == s->m->top[1 - n]) && !s->b->nonces_only)
		s->fault = FAULT_TERM;
	s->m->top[n] = u8(term);
	s->m->n[n].term = u8(term);
}

void hello_send(struct step *s, unsigned n)
{
	const struct node *me = &s->m->n[n];

	link_send(s, n,
		  (struct msg){
			  .type = MSG_HELLO, .term = me->term, .incarnation = me->incarnation, .query = me->query });
}

/* The reserve was made durable beforehand by this very start, so nothing is written here; without one it is. */
bool role_promote(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || me->role == ROLE_ACTIVE || (me->connected && !link_room(s, n)))
		return false;
	if (me->reserve > me->term && (!me->fresh || broken(s->b, RULE_RESERVE_OF_START))) {
		term_own(s, n, me->reserve);
	} else {
		term_own(s, n, term_above(s, n, max_of(max_of(me->term, me->reserve), me->owned)));
		me->owned = me->term;
		me->reserve = 0;
	}
	me->role = ROLE_ACTIVE;
	me->heard = me->traffic = me->asked = me->leads = 0;
	if (me->state == KEY_STALE) {
		me->burnt = !broken(s->b, RULE_STALE_SILENT);
		me->fence = u8(me->burnt ? me->position : me->position + s->b->block);
	}
	if (me->key)
		me->state = KEY_OWNED;
	me->offer = 0;
	hello_send(s, n);
	return true;
}

/* The plane is shut; its position is exact from here on. */
void role_step_down(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	me->role = ROLE_STANDBY;
	if (me->state == KEY_OWNED) {
		me->state = KEY_STALE;
		/* A copy that the peer was given, and may have used and forgotten, is not ours to offer. */
		me->offer = !me->burnt && (!me->asked || broken(s->b, RULE_ADOPT_OWN_RANGE));
		me->late = broken(s->b, RULE_SHUT_THEN_REPORT);
		if (!me->late)
			me->fence = me->position;
	}
	me->heard = me->traffic = me->asked = me->burnt = 0;
}

/* Who has handed over hears of the successor: nothing leaves any more. */
void role_stop(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (!me->leads || broken(s->b, RULE_STOP_THEN_APPLY))
		return;
	me->leads = 0;
	me->fence = me->position;
}

/* The higher term stays, unless no client ever spoke to it and one did to the other. */
bool role_loses(const struct step *s, unsigned n, unsigned term, bool traffic)
{
	const struct node *me = &s->m->n[n];

	if (broken(s->b, RULE_HIGHER_TERM))
		return false;
	if (term > me->term)
		return traffic || !me->traffic;
	return term < me->term && traffic && !me->traffic;
}

static void report_send(struct step *s, unsigned n, unsigned query)
{
	struct node *me = &s->m->n[n];
	bool forgets = broken(s->b, RULE_REPORT_AGAIN) && me->state == KEY_STALE;
	unsigned kind = me->state == KEY_NONE	     ? REPORT_NONE
			: me->offer		     ? REPORT_EXACT
			: me->state == KEY_CONFIRMED ? REPORT_CONFIRMED
						     : REPORT_STALE;

	link_send(s, n,
		  (struct msg){ .type = MSG_REPORT,
				.kind = kind,
				.key = me->key,
				.number = forgets && me->read ? 0 : me->position,
				.flag = me->fresh,
				.owned = max_of(me->owned, me->term),
				.reserve = me->reserve,
				.query = query });
	if (forgets)
		me->read = 1;
	me->offer = 0; /* said once: from now on somebody else may have it */
}

/* An owner presents itself. */
void on_hello(struct step *s, unsigned n, uint32_t packed)
{
	struct node *me = &s->m->n[n];
	struct msg in = msg_unpack(packed);

	if (me->role == ROLE_ACTIVE) {
		/*
		 * Which of us stays is decided by what heartbeats say now, never by a message that may be older than
		 * its sender's role. What the other reported before it was owner is worth nothing any more.
		 */
		me->heard = 0;
		return;
	}
	role_stop(s, n);
	me->term = u8(max_of(me->term, in.term));
	if (me->state == KEY_CONFIRMED && me->grantor != in.incarnation) {
		if (!broken(s->b, RULE_CONFIRMED_BY_GRANTOR))
			me->state = KEY_STALE;
		me->offer = 1;
	}
	report_send(s, n, in.query);
}

/* The peer has no copy of our SA any more, though it was given one. What has become of that copy? */
static void copy_is_gone(struct step *s, struct node *me, const struct msg *in)
{
	unsigned skip = me->asked + (unsigned)s->b->block;

	if (!in->flag || (in->owned > me->term && !broken(s->b, RULE_LOST_REKEYS))) {
		me->burnt = 1; /* it was owner after us, and nobody remembers up to where */
		return;
	}
	if (in->reserve > me->term && !broken(s->b, RULE_EMPTY_SKIPS)) {
		/* It may have been promoted in the last instant: then its fence has stood where we know. */
		if (skip > s->b->numbers) {
			me->burnt = 1;
			return;
		}
		me->position = u8(max_of(me->position, skip));
		me->fence = u8(max_of(me->fence, me->position));
	}
	me->asked = 0;
}

static void same_key(struct step *s, struct node *me, const struct msg *in)
{
	if (me->burnt)
		return;
	if (in->kind != REPORT_CONFIRMED) {
		me->position = u8(max_of(me->position, in->number));
		me->fence = u8(max_of(me->fence, me->position));
		me->asked = 0;
	} else if (!me->asked) {
		if (!s->b->broken)
			s->fault = FAULT_ODD;
	} else {
		me->asked = u8(in->number); /* what was sent later is lost for good */
		me->fence = u8(max_of(me->fence, in->number));
	}
}

/* The answer to our HELLO: what the other has, what it used, what it has forgotten. */
void on_report(struct step *s, unsigned n, uint32_t packed, bool adopt)
{
	struct node *me = &s->m->n[n];
	struct msg in = msg_unpack(packed);
	unsigned highest = in.flag ? max_of(in.owned, in.reserve) : in.owned;

	if (me->role != ROLE_ACTIVE || me->heard || in.query != me->query)
		return;
	me->heard = 1;
	if (me->key && in.key == me->key)
		same_key(s, me, &in);
	else if (in.kind == REPORT_EXACT && (!me->key || adopt)) {
		me->key = u8(in.key);
		me->state = KEY_OWNED;
		me->position = me->fence = u8(in.number);
		me->asked = me->burnt = 0;
	} else if (me->asked)
		copy_is_gone(s, me, &in);
	/* What it told is settled in a term above all that it could have owned. */
	if (highest > me->term) {
		term_own(s, n, term_above(s, n, highest));
		me->owned = me->term;
		me->reserve = 0;
	}
}

/* The other has stepped down: ask it again, all that it has said up to here is void. Or it leaves in order. */
void on_role(struct step *s, unsigned n, uint32_t packed)
{
	struct node *me = &s->m->n[n];

	if (me->role != ROLE_ACTIVE)
		return;
	if (msg_unpack(packed).flag) {
		me->asked = 0;
		return;
	}
	me->query ^= 1;
	me->heard = 0;
	hello_send(s, n);
}

bool role_demote(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || me->role != ROLE_ACTIVE || (me->connected && !link_room(s, n)))
		return false;
	role_step_down(s, n);
	link_send(s, n, (struct msg){ .type = MSG_ROLE });
	return true;
}

/* The old owner's last word: it stops at that number and everything above is yours. */
void on_handover(struct step *s, unsigned n, uint32_t packed)
{
	struct node *me = &s->m->n[n];
	struct msg in = msg_unpack(packed);

	if (me->role != ROLE_STANDBY || me->state != KEY_CONFIRMED || me->key != in.key || me->term != in.term)
		return;
	me->position = u8(in.number);
	(void)role_promote(s, n);
}

/*
 * Planned: everything is acknowledged, the plane keeps one number more at most, that is said. Until it hears of the
 * successor it goes on.
 */
bool role_switch(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];
	unsigned fence = me->fence, last = me->position < fence ? me->position + 1U : fence;

	if (me->up != NODE_RUN || me->role != ROLE_ACTIVE || me->state != KEY_OWNED || me->burnt || !me->connected ||
	    !me->heard || !me->asked || me->asked != me->fence || s->m->count[0] || s->m->count[1])
		return false;
	link_send(s, n, (struct msg){ .type = MSG_HANDOVER, .term = me->term, .key = me->key, .number = last });
	role_step_down(s, n);
	me->offer = 0;
	me->leads = 1;
	me->fence = u8(broken(s->b, RULE_LOWER_THEN_HAND) ? fence : last);
	if (broken(s->b, RULE_HANDOVER_FINAL)) {
		me->late = 1;
		me->read = u8(fence);
	}
	return true;
}

/* A standby that ends in order: it will not speak, and its disk says so. */
bool role_leave(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || me->role != ROLE_STANDBY || me->state != KEY_CONFIRMED || !me->connected ||
	    !link_room(s, n))
		return false;
	me->reserve = 0;
	if (!broken(s->b, RULE_LEAVE_KEEPS_TERM)) /* the reserve may have been the only trace of a term that we owned */
		me->owned = u8(max_of(me->owned, me->term));
	link_send(s, n, (struct msg){ .type = MSG_ROLE, .flag = 1 });
	node_forget(s->m, n);
	return true;
}
