/*
 * Memory for many small objects that come and go by the ten thousand and live side by side: taken from large pieces, in
 * the order of asking, so that what is made together lies together; given back to lists by size, without a look at its
 * neighbours. Pieces go back to the system only with slab_clear(): a slab is as large as it once was at most.
 *
 * One thread at a time. Under AddressSanitizer each object is malloc's, so that it is watched.
 */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum {
	SLAB_STEP = 32,	     /* octets between two sizes */
	SLAB_LARGEST = 1024, /* larger objects are malloc's */
};

struct slab_free;
struct slab_piece;

/* All zero: empty. */
struct slab {
	struct slab_free *free[SLAB_LARGEST / SLAB_STEP];
	struct slab_piece *pieces; /* owned */
	uint8_t *at;		   /* in the newest piece: not given out yet */
	size_t left;
};

/* `n` octets, zero, aligned for any type. NULL: no memory. */
void *slab_get(struct slab *s, size_t n);
/* Back, with the same n. NULL is fine. Secrets are the caller's to wipe. */
void slab_put(struct slab *s, void *object, size_t n);
/* All of it at once: objects that are still out, too (but not large ones). */
void slab_clear(struct slab *s);

#endif
