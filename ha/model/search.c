/* Breadth first over all states: a table of whole states, so nothing is taken for known that is not. */
#include "ha/model/model.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX };

struct visit {
	struct model m;
	uint32_t from; /* index; NONE: the start */
	struct move by;
};

struct search {
	const struct bounds *b;
	FILE *trace;
	struct visit *all; /* in the order they were found: the queue as well */
	size_t n, cap, max;
	uint32_t *table; /* indices + 1; open addressing */
	size_t slots;	 /* a power of two */
	uint64_t *calm;	 /* hashes of states from where the pair is known to settle; 0: free */
	size_t calm_n, calm_slots;
	struct search_result r;
};

static uint64_t hash_of(const struct model *m)
{
	const uint8_t *p = (const uint8_t *)m;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15), w;
	size_t n = sizeof(*m);

	for (; n > 0; p += sizeof(w)) {
		size_t k = n < sizeof(w) ? n : sizeof(w);

		w = 0;
		memcpy(&w, p, k);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
		n -= k;
	}
	return h ? h : 1;
}

static bool table_grow(struct search *s)
{
	size_t slots = s->slots ? s->slots * 2 : 1 << 16;
	uint32_t *table = calloc(slots, sizeof(*table));

	if (!table)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		size_t at = hash_of(&s->all[i].m) & (slots - 1);

		while (table[at])
			at = (at + 1) & (slots - 1);
		table[at] = (uint32_t)i + 1;
	}
	free(s->table);
	s->table = table;
	s->slots = slots;
	return true;
}

static bool room(struct search *s)
{
	if (s->n >= s->max)
		return false;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1 << 14;
		struct visit *all = realloc(s->all, cap * sizeof(*all));

		if (!all)
			return false;
		s->all = all;
		s->cap = cap;
	}
	return s->n * 2 < s->slots || table_grow(s);
}

/* False: no room. *is_new: it was not known. */
static bool add(struct search *s, const struct model *m, uint32_t from, struct move by, bool *is_new)
{
	size_t at;

	if (!room(s))
		return false;
	at = hash_of(m) & (s->slots - 1);
	while (s->table[at]) {
		if (memcmp(&s->all[s->table[at] - 1].m, m, sizeof(*m)) == 0) {
			*is_new = false;
			return true;
		}
		at = (at + 1) & (s->slots - 1);
	}
	s->all[s->n] = (struct visit){ *m, from, by };
	s->table[at] = (uint32_t)++s->n;
	*is_new = true;
	return true;
}

static void print_node(FILE *f, const struct node *n, char name)
{
	static const char *const ups[] = { "off", "", "hung", "kernel only" };
	static const char *const states[] = { "no SA", "confirmed", "owned", "stale" };

	fprintf(f, "  %c %s%s term %u", name, n->role == ROLE_ACTIVE ? "ACTIVE " : "standby ", ups[n->up], n->term);
	fprintf(f, "%s", n->connected ? n->heard ? " linked, reported" : " linked" : "");
	if (n->key)
		fprintf(f, ", key %u %s%s at %u up to %u", n->key, states[n->state], n->burnt ? " (to be rekeyed)" : "",
			n->position, n->fence);
	if (n->asked)
		fprintf(f, ", peer may hold %u", n->asked);
	fprintf(f, "; disk: owned %u reserve %u\n", n->owned, n->reserve);
}

static void print_step(FILE *f, size_t number, const struct model *m, struct move by)
{
	fprintf(f, "%3zu. ", number);
	if (move_of_node(by.kind))
		fprintf(f, "%c ", 'A' + by.node);
	fprintf(f, "%s\n", move_name(by.kind));
	for (unsigned i = 0; i < NODES; i++)
		print_node(f, &m->n[i], (char)('A' + i));
}

static size_t depth_of(const struct search *s, uint32_t at)
{
	size_t depth = 0;

	for (; s->all[at].from != NONE; at = s->all[at].from)
		depth++;
	return depth;
}

/* The way from the start to `at`; returns its length. */
static size_t print_way(const struct search *s, uint32_t at)
{
	size_t depth;

	if (s->all[at].from == NONE) {
		fprintf(s->trace, "  0. start\n");
		for (unsigned i = 0; i < NODES; i++)
			print_node(s->trace, &s->all[at].m.n[i], (char)('A' + i));
		return 0;
	}
	depth = print_way(s, s->all[at].from) + 1;
	print_step(s->trace, depth, &s->all[at].m, s->all[at].by);
	return depth;
}

static void failed(struct search *s, uint32_t at, enum fault fault)
{
	s->r.fault = fault;
	s->r.depth = depth_of(s, at);
	if (s->trace)
		(void)print_way(s, at);
}

static bool calm_known(struct search *s, uint64_t h)
{
	size_t at = h & (s->calm_slots - 1);

	while (s->calm[at]) {
		if (s->calm[at] == h)
			return true;
		at = (at + 1) & (s->calm_slots - 1);
	}
	return false;
}

static bool calm_add(struct search *s, uint64_t h)
{
	size_t at;

	if (s->calm_n * 2 >= s->calm_slots) {
		size_t slots = s->calm_slots ? s->calm_slots * 2 : 1 << 16;
		uint64_t *table = calloc(slots, sizeof(*table));

		if (!table)
			return false;
		for (size_t i = 0; i < s->calm_slots; i++) {
			if (!s->calm[i])
				continue;
			at = s->calm[i] & (slots - 1);
			while (table[at])
				at = (at + 1) & (slots - 1);
			table[at] = s->calm[i];
		}
		free(s->calm);
		s->calm = table;
		s->calm_slots = slots;
	}
	at = h & (s->calm_slots - 1);
	while (s->calm[at])
		at = (at + 1) & (s->calm_slots - 1);
	s->calm[at] = h;
	s->calm_n++;
	return true;
}

/*
 * Lets the faults end here. The way is the same for all that meet it, so it is walked only up to where somebody has
 * been; a loop would be taken for such a place, hence the bound on its length is looked at first: each path is put in
 * the table only when its end was good.
 */
static enum fault settle(struct search *s, const struct model *from, bool print)
{
	enum { STEPS_MAX = 400 };
	struct model m = *from;
	uint64_t path[STEPS_MAX];
	size_t n = 0;
	enum fault fault = FAULT_NONE;
	struct move by;

	m.faults = m.orders = 0;
	while (true) {
		uint64_t h = hash_of(&m);

		if (!print && s->calm_slots && calm_known(s, h))
			break;
		if (n == STEPS_MAX)
			return FAULT_SETTLE;
		path[n++] = h;
		if (!model_settle_step(&m, s->b, &by, &fault)) {
			if (!model_settled(&m, s->b))
				return FAULT_SETTLE;
			break;
		}
		if (print)
			print_step(s->trace, n, &m, by);
		if (fault != FAULT_NONE)
			return fault;
	}
	while (n > 0)
		if (!calm_add(s, path[--n]))
			s->r.complete = false;
	return FAULT_NONE;
}

static bool expand_move(struct search *s, uint32_t at, struct move by)
{
	struct model next = s->all[at].m;
	enum fault fault;
	bool is_new;

	if (!model_move(&next, s->b, by, &fault))
		return true;
	s->r.moves++;
	model_fold(&next);
	if (!add(s, &next, at, by, &is_new)) {
		s->r.complete = false;
		return false;
	}
	if (fault != FAULT_NONE) {
		if (is_new)
			failed(s, (uint32_t)s->n - 1, fault);
		else
			failed(s, at, fault);
		return false;
	}
	if (!is_new || !s->b->settle)
		return true;
	fault = settle(s, &next, false);
	if (fault == FAULT_NONE)
		return true;
	failed(s, (uint32_t)s->n - 1, fault);
	if (s->trace) {
		fprintf(s->trace, "     Here the faults end.\n");
		(void)settle(s, &next, true);
	}
	return false;
}

static bool expand(struct search *s, uint32_t at)
{
	for (unsigned kind = 0; kind < MOVE_COUNT; kind++)
		for (unsigned n = 0; n < (move_of_node(kind) ? NODES : 1U); n++)
			if (!expand_move(s, at, (struct move){ u8(kind), u8(n) }))
				return false;
	return true;
}

struct search_result search_run(const struct bounds *b, size_t states_max, FILE *trace)
{
	struct search s = { .b = b, .trace = trace, .max = states_max < NONE - 1 ? states_max : NONE - 1 };
	struct model start;
	bool is_new;

	s.r.complete = true;
	memset(&start, 0, sizeof(start));
	model_start(&start, b);
	if (!add(&s, &start, NONE, (struct move){ 0 }, &is_new))
		s.r.complete = false;
	for (uint32_t at = 0; at < s.n && s.r.complete; at++)
		if (!expand(&s, at))
			break;
	s.r.states = s.n;
	if (s.r.fault == FAULT_NONE && s.n > 0)
		s.r.depth = depth_of(&s, (uint32_t)s.n - 1);
	free(s.all);
	free(s.table);
	free(s.calm);
	return s.r;
}
