/* What can happen, one table; and what must come of it once nothing bad happens any more. */
#include "ha/model/model.h"

#include <string.h>

static bool spend(uint8_t *left)
{
	if (!*left)
		return false;
	--*left;
	return true;
}

/* A number that no copy can reach again counts as used: it does not matter by whom. */
static unsigned lowest_next(const struct model *m, unsigned key)
{
	unsigned low = NUMBER_MAX;

	for (unsigned i = 0; i < NODES; i++) {
		const struct node *n = &m->n[i];

		if (n->key == key && n->position < low)
			low = n->position;
		if (n->key == key && n->late && n->read < low)
			low = n->read;
		for (unsigned k = 0; k < m->count[i]; k++) {
			struct msg in = msg_unpack(m->to[i][k]);

			if (in.key == key && in.number < low)
				low = in.number;
		}
	}
	return low;
}

void model_fold(struct model *m)
{
	for (unsigned key = 1; key <= m->keys; key++)
		m->used[key - 1] |= (uint16_t)((2U << lowest_next(m, key)) - 1);
	for (unsigned i = 0; i < NODES; i++)
		if (m->n[i].state != KEY_CONFIRMED)
			m->n[i].grantor = 0;
	if (m->n[0].role != ROLE_ACTIVE || m->n[1].role != ROLE_ACTIVE)
		m->n[0].traffic = m->n[1].traffic = 0;
}

/* It matters only while there are two owners, so it is decided no earlier. */
static bool m_traffic(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];

	if (me->up != NODE_RUN || me->role != ROLE_ACTIVE || me->traffic || s->m->n[1 - n].role != ROLE_ACTIVE)
		return false;
	me->traffic = 1;
	return true;
}

static bool receive(struct step *s, unsigned n, bool adopt)
{
	struct model *m = s->m;
	uint32_t in;
	unsigned type;

	if (!m->link || m->n[n].up != NODE_RUN || !m->n[n].connected || !m->count[n])
		return false;
	in = m->to[n][0];
	type = msg_unpack(in).type;
	if (adopt && type != MSG_REPORT)
		return false;
	if (type != MSG_REPORT && type != MSG_ACK && !link_room(s, n)) /* for the answer */
		return false;
	(void)link_take(m, n);
	switch ((enum msg_type)type) {
	case MSG_HELLO:
		on_hello(s, n, in);
		break;
	case MSG_REPORT:
		on_report(s, n, in, adopt);
		break;
	case MSG_RECORD:
		on_record(s, n, in);
		break;
	case MSG_ACK:
		on_ack(s, n, in);
		break;
	case MSG_HANDOVER:
		on_handover(s, n, in);
		break;
	case MSG_ROLE:
		on_role(s, n, in);
		break;
	case MSG_NONE:
		break;
	}
	return true;
}

static bool m_receive(struct step *s, unsigned n)
{
	return receive(s, n, false);
}

static bool m_adopt(struct step *s, unsigned n)
{
	return receive(s, n, true);
}

static bool m_connect(struct step *s, unsigned n)
{
	(void)n;
	return link_connect(s);
}

/* Heartbeats: two owners see each other. */
static bool m_see(struct step *s, unsigned n)
{
	const struct node *me = &s->m->n[n], *peer = &s->m->n[1 - n];

	if (!s->m->link || me->up != NODE_RUN || peer->up != NODE_RUN || me->role != ROLE_ACTIVE ||
	    peer->role != ROLE_ACTIVE || !role_loses(s, n, peer->term, peer->traffic))
		return false;
	return role_demote(s, n);
}

/* Heartbeats: the peer is dead, hung, cut off, or a standby like us. */
static bool m_promote(struct step *s, unsigned n)
{
	const struct node *peer = &s->m->n[1 - n];

	if (s->m->link && peer->up == NODE_RUN && peer->role == ROLE_ACTIVE)
		return false;
	return role_promote(s, n);
}

static bool m_rekey_needed(struct step *s, unsigned n)
{
	return key_make(s, n, false);
}

static bool m_heal(struct step *s, unsigned n)
{
	(void)n;
	if (s->m->link)
		return false;
	s->m->link = 1;
	return true;
}

static bool m_wake(struct step *s, unsigned n)
{
	if (s->m->n[n].up != NODE_HUNG)
		return false;
	s->m->n[n].up = NODE_RUN;
	return true;
}

/* A new process: leftovers in the kernel are flushed, the next incarnation is durable before it is used. */
static bool m_start(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n];
	unsigned last = me->slot;

	if (me->up != NODE_OFF && me->up != NODE_KERNEL)
		return false;
	node_forget(s->m, n);
	me->up = NODE_RUN;
	me->fresh = 1;
	me->incarnation = u8(last + 1);
	me->slot = me->incarnation;
	if (broken(s->b, RULE_INCARNATION_DURABLE)) {
		/* `slot` stays the ghost of what was given out; the number that is read is one behind. */
		me->incarnation = u8(last > 1 ? last : last + 1);
		if (me->incarnation == last)
			s->fault = FAULT_INCARNATION;
	}
	memset(s->m->mine[n], 0, sizeof(s->m->mine[n]));
	return true;
}

static bool m_cut(struct step *s, unsigned n)
{
	(void)n;
	if (!s->m->link || !spend(&s->m->faults))
		return false;
	s->m->link = 0;
	return true;
}

/* Power, or memory, is lost. */
static bool m_crash(struct step *s, unsigned n)
{
	if (s->m->n[n].up == NODE_OFF || !spend(&s->m->faults))
		return false;
	node_forget(s->m, n);
	return true;
}

/* SIGKILL: what the daemon knew is lost, what its kernel does goes on. */
static bool m_kill(struct step *s, unsigned n)
{
	struct node *me = &s->m->n[n], keep = *me;

	if ((me->up != NODE_RUN && me->up != NODE_HUNG) || (me->state != KEY_OWNED && !me->leads) || !spend(&s->m->faults))
		return false;
	node_forget(s->m, n);
	me->up = NODE_KERNEL;
	me->key = keep.key;
	me->state = keep.state;
	me->leads = keep.leads;
	me->position = keep.position;
	me->fence = keep.fence;
	return true;
}

static bool m_hang(struct step *s, unsigned n)
{
	if (s->m->n[n].up != NODE_RUN || !spend(&s->m->faults))
		return false;
	s->m->n[n].up = NODE_HUNG;
	return true;
}

static bool m_force(struct step *s, unsigned n)
{
	return role_promote(s, n) && spend(&s->m->faults);
}

static bool m_switch(struct step *s, unsigned n)
{
	return role_switch(s, n) && spend(&s->m->orders);
}

static bool m_demote(struct step *s, unsigned n)
{
	return role_demote(s, n) && spend(&s->m->orders);
}

static bool m_leave(struct step *s, unsigned n)
{
	return role_leave(s, n) && spend(&s->m->orders);
}

static bool m_rekey(struct step *s, unsigned n)
{
	return key_make(s, n, true) && spend(&s->m->orders);
}

static bool m_recreate(struct step *s, unsigned n)
{
	return key_recreate(s, n) && spend(&s->m->orders);
}

static bool m_fenced(struct step *s, unsigned n)
{
	return peer_fenced(s, n) && spend(&s->m->orders);
}

/* The first ones, up to `settles`, are what a healthy pair does, in the order that model_settle_step() tries them. */
static const struct {
	const char *name;
	bool (*move)(struct step *s, unsigned n);
	bool of_node, settles;
} moves[] = {
	{ "the link heals", m_heal, false, true },
	{ "wakes up", m_wake, true, true },
	{ "starts, empty", m_start, true, true },
	{ "does what it had put off", late_step, true, true },
	{ "sees the other owner by heartbeat and steps down", m_see, true, true },
	{ "receives", m_receive, true, true },
	{ "notices that the stream is broken", link_notice, true, true },
	{ "makes its ownership durable", ceiling_mark, true, true },
	{ "is promoted: the other is gone, hung, cut off or a standby", m_promote, true, true },
	{ "the stream is made", m_connect, false, true },
	{ "makes a new key with the client, because it has to", m_rekey_needed, true, true },
	{ "arms its fence and sends the SA to its standby", ceiling_impose, true, true },
	{ "asks for the next block", ceiling_ask, true, true },
	{ "raises its own fence, nobody being above", ceiling_raise_self, true, true },
	{ "has had client traffic since its promotion", m_traffic, true, true },
	{ "sends a packet", plane_send, true, true },
	{ "receives, and adopts the SA of the other", m_adopt, true, false },
	{ "FAULT: the link is cut", m_cut, false, false },
	{ "FAULT: loses power or memory", m_crash, true, false },
	{ "FAULT: the daemon is killed, its kernel lives on", m_kill, true, false },
	{ "FAULT: hangs", m_hang, true, false },
	{ "FAULT: is promoted by force", m_force, true, false },
	{ "ORDER: hands over (switchover)", m_switch, true, false },
	{ "ORDER: is demoted", m_demote, true, false },
	{ "ORDER: leaves", m_leave, true, false },
	{ "ORDER: rekeys", m_rekey, true, false },
	{ "ORDER: re-creates the SA", m_recreate, true, false },
	{ "ORDER: hears that its peer is fenced", m_fenced, true, false },
};
_Static_assert(sizeof(moves) / sizeof(moves[0]) == MOVE_COUNT, "MOVE_COUNT");

const char *move_name(unsigned kind)
{
	return moves[kind].name;
}

bool move_of_node(unsigned kind)
{
	return moves[kind].of_node;
}

/* Node 0 is active and has the SA, its peer is up and empty: so the first join is part of what is searched. */
void model_start(struct model *m, const struct bounds *b)
{
	memset(m, 0, sizeof(*m));
	m->link = 1;
	m->keys = 1;
	m->faults = b->faults;
	m->orders = b->orders;
	m->top[0] = 2;
	for (unsigned i = 0; i < NODES; i++) {
		m->n[i].up = NODE_RUN;
		m->n[i].incarnation = m->n[i].slot = 1;
		m->n[i].fresh = 1;
	}
	m->n[0].role = ROLE_ACTIVE;
	m->n[0].term = m->n[0].owned = 2;
	m->n[0].key = 1;
	m->n[0].state = KEY_OWNED;
	m->n[0].fence = b->block;
}

bool model_move(struct model *m, const struct bounds *b, struct move mv, enum fault *fault)
{
	struct step s = { m, b, FAULT_NONE };
	bool done = moves[mv.kind].move(&s, mv.node);

	*fault = s.fault;
	return done;
}

bool model_settled(const struct model *m, const struct bounds *b)
{
	unsigned owner = m->n[0].role == ROLE_ACTIVE ? 0 : 1;
	const struct node *me = &m->n[owner], *peer = &m->n[1 - owner];

	if (me->role != ROLE_ACTIVE || peer->role == ROLE_ACTIVE || !me->connected || !peer->connected || !me->heard)
		return false;
	/* All numbers within the bounds were to be had. */
	if (me->state != KEY_OWNED || me->burnt || me->position != me->fence || me->fence + b->block <= b->numbers)
		return false;
	return !me->asked || (peer->state == KEY_CONFIRMED && peer->key == me->key && peer->position >= me->fence);
}

bool model_settle_step(struct model *m, const struct bounds *bounds, struct move *mv, enum fault *fault)
{
	struct bounds with_spare = *bounds;

	with_spare.keys = KEYS_MAX;
	for (unsigned kind = 0; kind < MOVE_COUNT && moves[kind].settles; kind++)
		for (unsigned n = 0; n < (moves[kind].of_node ? NODES : 1U); n++) {
			struct model next = *m;

			*mv = (struct move){ u8(kind), u8(n) };
			if (model_move(&next, &with_spare, *mv, fault)) {
				*m = next;
				return true;
			}
		}
	return false;
}
