/*
 * Hash tables over strangers' keys: uthash with a seeded hash, so that nobody can choose SPIs that collide.
 * Use the BYHASHVALUE macros of uthash with table_hash():
 *
 *	unsigned h = table_hash(seed, &spi, sizeof(spi));
 *	HASH_FIND_BYHASHVALUE(hh, head, &spi, sizeof(spi), h, found);
 *	HASH_ADD_KEYPTR_BYHASHVALUE(hh, head, &item->spi, sizeof(item->spi), h, item);
 *
 * Out of memory inside uthash is reported as non-fatal (HASH_NONFATAL_OOM): after an add, test item->hh.tbl != NULL.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/rng.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct table_seed {
	uint64_t k0, k1;
};

MUST_USE enum gw_err table_seed_init(struct table_seed *s, struct rng *rng);

/* SipHash-1-3 folded to 32 bits. */
unsigned table_hash(const struct table_seed *s, const void *key, size_t n);

#endif
