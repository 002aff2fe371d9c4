/* Deadlines of IKE SAs: a binary heap with the index kept in the SA, so that one can be moved in O(log n). */
#ifndef IKE_DUE_H
#define IKE_DUE_H

#include "core/clock.h"
#include "core/err.h"

struct ike_sa;

struct due_heap {
	struct ike_sa **at; /* owned array of borrowed SAs */
	size_t n, cap;
};

/* Makes room for one SA more, so that due_set cannot fail later. */
MUST_USE enum gw_err due_reserve(struct due_heap *h, size_t total);
/* Sets sa->due and puts the SA where it belongs; MTIME_NEVER takes it out. */
void due_set(struct due_heap *h, struct ike_sa *sa, mtime when);
mtime due_first(const struct due_heap *h);
/* The SA whose time has come; NULL: none. It stays in the heap. */
struct ike_sa *due_reached(const struct due_heap *h, mtime now);
void due_clear(struct due_heap *h);

#endif
