/*
 * A submitted batch: its copy, and its all-or-nothing application to an SAD and an SPD. Shared by the planes that keep
 * their own databases.
 */
#ifndef ESP_BATCH_H
#define ESP_BATCH_H

#include "esp/sad.h"
#include "esp/spd.h"

struct batch {
	struct batch *next; /* for queues of the owner */
	uint64_t token;
	enum gw_err result; /* after batch_apply */
	char text[96];
	size_t size; /* of this allocation */
	size_t keys; /* octets at its end that are secret */
	size_t n;
	struct dp_op ops[]; /* what they point to is behind them */
};

struct batch_tables {
	struct sad *sad;	    /* borrowed */
	struct spd *spd;	    /* borrowed */
	const struct dp_caps *caps; /* borrowed; what SAs may ask for */
	enum dp_gate gate;	    /* as it is now */
};

/* A copy with everything that the ops point to. NULL when out of memory. */
struct batch *batch_copy(uint64_t token, const struct dp_op *ops, size_t n);
void batch_destroy(struct batch *b); /* wipes keys; NULL is fine */

/* Applies all ops or none; result and text tell. */
void batch_apply(struct batch *b, const struct batch_tables *t);

/* "add SA", ...; never NULL. */
const char *batch_op_name(enum dp_op_kind kind);

#endif
