#include "ha/model/model.h"

#include <assert.h>
#include <string.h>

/* Widths of the fields; their sum is at most 32. */
uint32_t msg_pack(struct msg in)
{
	assert(in.term < 32 && in.incarnation < 8 && in.key < 8 && in.number < 16 && in.owned < 32 && in.reserve < 32);
	uint32_t common = in.type | in.key << 3 | in.number << 6 | in.flag << 10 | in.query << 11 | in.kind << 12;

	if (in.type == MSG_REPORT)
		return common | in.owned << 14 | in.reserve << 19;
	return common | in.term << 14 | in.incarnation << 19;
}

struct msg msg_unpack(uint32_t in)
{
	struct msg out = {
		.type = in & 7,
		.key = in >> 3 & 7,
		.number = in >> 6 & 15,
		.flag = in >> 10 & 1,
		.query = in >> 11 & 1,
		.kind = in >> 12 & 3,
	};

	if (out.type == MSG_REPORT) {
		out.owned = in >> 14 & 31;
		out.reserve = in >> 19 & 31;
	} else {
		out.term = in >> 14 & 31;
		out.incarnation = in >> 19 & 7;
	}
	return out;
}

bool link_room(const struct step *s, unsigned from)
{
	return s->m->count[1 - from] < s->b->queue;
}

void link_send(struct step *s, unsigned from, struct msg in)
{
	struct model *m = s->m;
	unsigned to = 1 - from;

	if (!m->n[from].connected || !m->n[to].connected)
		return;
	assert(link_room(s, from));
	m->to[to][m->count[to]++] = msg_pack(in);
}

uint32_t link_take(struct model *m, unsigned n)
{
	uint32_t first = m->to[n][0];

	memmove(m->to[n], m->to[n] + 1, sizeof(m->to[n]) - sizeof(m->to[n][0]));
	m->to[n][QUEUE_MAX - 1] = 0;
	m->count[n]--;
	return first;
}

static void queue_clear(struct model *m, unsigned n)
{
	memset(m->to[n], 0, sizeof(m->to[n]));
	m->count[n] = 0;
}

static void link_drop(struct model *m, unsigned n)
{
	m->n[n].connected = 0;
	m->n[n].heard = m->n[n].query = 0;
	queue_clear(m, n);
}

/* A new stream begins only when both have given the old one up. */
bool link_connect(struct step *s)
{
	struct model *m = s->m;

	if (!m->link || m->n[0].up != NODE_RUN || m->n[1].up != NODE_RUN || m->n[0].connected || m->n[1].connected ||
	    m->count[0] || m->count[1])
		return false;
	for (unsigned i = 0; i < NODES; i++)
		m->n[i].connected = 1;
	for (unsigned i = 0; i < NODES; i++)
		if (m->n[i].role == ROLE_ACTIVE)
			hello_send(s, i);
	return true;
}

/* Notices that the stream is broken, or gives it up because the peer does not answer. */
bool link_notice(struct step *s, unsigned n)
{
	struct model *m = s->m;
	const struct node *peer = &m->n[1 - n];

	/* A stream on which neither gets a word through is closed by its owners' write time-outs. */
	bool stuck = m->count[0] >= s->b->queue && m->count[1] >= s->b->queue;

	if (m->n[n].up != NODE_RUN || !m->n[n].connected ||
	    (m->link && peer->connected && peer->up == NODE_RUN && !stuck))
		return false;
	link_drop(m, n);
	/* What the peer was sent may still reach it, as long as it listens. */
	if (broken(s->b, RULE_ALONE_BOUND) && m->n[n].role == ROLE_ACTIVE)
		m->n[n].asked = 0;
	return true;
}

/* The process is gone; what is durable stays. What it had sent may still arrive. */
void node_forget(struct model *m, unsigned n)
{
	struct node *me = &m->n[n], keep = *me;

	link_drop(m, n);
	*me = (struct node){ .reserve = keep.reserve, .owned = keep.owned, .slot = keep.slot };
}
