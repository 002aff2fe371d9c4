#include "ike/due.h"

#include <stdlib.h>

#include "ike/sa.h"

enum gw_err due_reserve(struct due_heap *h, size_t total)
{
	size_t cap = h->cap ? h->cap : 16;
	struct ike_sa **at;

	if (total <= h->cap)
		return GW_OK;
	while (cap < total)
		cap *= 2;
	at = realloc(h->at, cap * sizeof(struct ike_sa *));
	if (!at)
		return GW_ENOMEM;
	h->at = at;
	h->cap = cap;
	return GW_OK;
}

static void place(struct due_heap *h, size_t i, struct ike_sa *sa)
{
	h->at[i] = sa;
	sa->due_at = i;
}

static void sift_up(struct due_heap *h, size_t i)
{
	struct ike_sa *sa = h->at[i];

	while (i > 0 && sa->due.us < h->at[(i - 1) / 2]->due.us) {
		place(h, i, h->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, sa);
}

static void sift_down(struct due_heap *h, size_t i)
{
	struct ike_sa *sa = h->at[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->at[child + 1]->due.us < h->at[child]->due.us)
			child++;
		if (sa->due.us <= h->at[child]->due.us)
			break;
		place(h, i, h->at[child]);
		i = child;
	}
	place(h, i, sa);
}

static void take_out(struct due_heap *h, struct ike_sa *sa)
{
	size_t i = sa->due_at;
	struct ike_sa *last = h->at[--h->n];

	sa->due_at = SIZE_MAX;
	if (last == sa)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->due_at);
}

void due_set(struct due_heap *h, struct ike_sa *sa, mtime when)
{
	bool in = sa->due_at != SIZE_MAX;

	if (when.us == MTIME_NEVER.us) {
		if (in)
			take_out(h, sa);
		sa->due = when;
		return;
	}
	sa->due = when;
	if (!in)
		place(h, h->n++, sa); /* room was made by due_reserve */
	sift_up(h, sa->due_at);
	sift_down(h, sa->due_at);
}

mtime due_first(const struct due_heap *h)
{
	return h->n > 0 ? h->at[0]->due : MTIME_NEVER;
}

struct ike_sa *due_reached(const struct due_heap *h, mtime now)
{
	return h->n > 0 && mtime_reached(h->at[0]->due, now) ? h->at[0] : NULL;
}

void due_clear(struct due_heap *h)
{
	free(h->at);
	*h = (struct due_heap){ 0 };
}
