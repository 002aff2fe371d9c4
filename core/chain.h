/*
 * Hash tables of many entries that are looked up cold: the entry carries its link (16 octets), a chain is singly linked
 * and short, and nothing of other entries is touched but those before it in its chain. Else use core/table.h, which is
 * more comfortable. Hashes come from table_hash(), so that strangers cannot choose keys that meet.
 *
 *	for (struct link *l = chain_first(&c, h); l; l = chain_next(l))
 *		if (ENTRY_OF(l)->spi == spi) ...
 */
#ifndef CORE_CHAIN_H
#define CORE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct link {
	struct link *next;
	unsigned hash;
};

/* All zero: empty. */
struct chain {
	struct link **buckets; /* owned; a power of two of them */
	size_t size, count;
};

/* False: no memory, nothing has changed; only ever the first one fails, more entries without memory make it slower. */
MUST_USE bool chain_add(struct chain *c, struct link *l, unsigned hash);
/* It is there. */
void chain_remove(struct chain *c, struct link *l);
/* `fresh`, which is in no table, takes the place of `old`, which is there, under the same hash. */
void chain_replace(struct chain *c, struct link *old, struct link *fresh);
/* The first entry of that hash; NULL. The next one of the same hash. */
struct link *chain_first(const struct chain *c, unsigned hash);
struct link *chain_next(const struct link *l);
/*
 * That hash will be looked up soon: memory is fetched meanwhile. In two steps, each for many hashes before the next, so
 * that all of them are under way at once: chain_expect() asks for the bucket; chain_expect_entry() reads it, and asks
 * for the first `octets` of the first entry there. Nothing changes, and no entry is touched.
 */
struct chain_hint {
	const struct chain *chain; /* borrowed; NULL: none */
	unsigned hash;
};
struct chain_hint chain_expect(const struct chain *c, unsigned hash);
void chain_expect_entry(const struct chain_hint *h, size_t octets);
/* Takes any out; NULL: none is left. Once begun only more of it may follow, and chain_clear(). */
struct link *chain_pop(struct chain *c);
/* Gives the buckets back; what was in it is the caller's. */
void chain_clear(struct chain *c);

#endif
