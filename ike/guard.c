#include "ike/guard.h"

#include <stdlib.h>

/* A bucket as a point in time: it is empty at `full_at`, and each failure moves that on by one's worth. */
struct entry {
	uint64_t name; /* hash of kind and key; 0: free */
	mtime full_at;
};

enum { SETS = 1024, WAYS = 4 };

struct guard {
	struct entry e[SETS][WAYS];
};

void guard_destroy(struct guard *g)
{
	free(g);
}

static uint64_t name_of(const struct table_seed *seed, enum guard_kind kind, struct bytes key)
{
	/* Two hashes, since table_hash folds to 32 bits: strangers choose user names, and must not meet by birthday. */
	struct table_seed other = { seed->k1 ^ (uint64_t)kind, seed->k0 + 1 + (uint64_t)kind };
	uint64_t name = (uint64_t)table_hash(seed, key.p, key.n) << 32 | table_hash(&other, key.p, key.n);

	return name ? name : 1;
}

static int64_t worth(uint32_t per_minute)
{
	return SECONDS(60) / per_minute;
}

static const struct entry *find(const struct guard *g, uint64_t name)
{
	const struct entry *set = g->e[name % SETS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].name == name)
			return &set[i];
	return NULL;
}

bool guard_allows(const struct guard *g, const struct table_seed *seed, enum guard_kind kind, struct bytes key,
		  uint32_t per_minute, mtime now)
{
	const struct entry *e;

	if (!g || per_minute == 0)
		return true;
	e = find(g, name_of(seed, kind, key));
	return !e || e->full_at.us - now.us <= SECONDS(60) - worth(per_minute);
}

void guard_failed(struct guard **g, const struct table_seed *seed, enum guard_kind kind, struct bytes key,
		  uint32_t per_minute, mtime now)
{
	uint64_t name = name_of(seed, kind, key);
	struct entry *set, *e;

	if (per_minute == 0)
		return;
	if (!*g)
		*g = calloc(1, sizeof(**g));
	if (!*g)
		return;
	set = (*g)->e[name % SETS];
	e = &set[0];
	for (size_t i = 0; i < WAYS && e->name != name; i++)
		if (set[i].name == name || set[i].full_at.us < e->full_at.us)
			e = &set[i];
	if (e->name != name || e->full_at.us < now.us)
		*e = (struct entry){ name, now };
	/* A flood of failures is forgotten a minute after its end. */
	if (e->full_at.us - now.us < SECONDS(60))
		e->full_at = mtime_add(e->full_at, worth(per_minute));
}

struct bytes guard_source(const struct addr *a)
{
	return a->family == 6 ? bytes_of(a->b, 8) : addr_bytes(a);
}
