/*
 * What a plane has to tell the loop: completions of batches, which are never lost and need no memory of their own, and
 * other events in a ring of fixed size. Not thread-safe; the owner locks.
 */
#ifndef ESP_OUTBOX_H
#define ESP_OUTBOX_H

#include "esp/batch.h"

struct outbox {
	struct batch *first, *last; /* owned; applied, not yet told */
	struct dp_event *ring;	    /* owned */
	size_t cap, at, count;
};

MUST_USE enum gw_err outbox_init(struct outbox *o, size_t cap);
void outbox_clear(struct outbox *o);

void outbox_adopt_done(struct outbox *o, struct batch *done);
/* False: full, the event is not kept. */
bool outbox_put(struct outbox *o, const struct dp_event *event);
/* Completions first, in the order of submission. */
bool outbox_take(struct outbox *o, struct dp_event *out);
bool outbox_empty(const struct outbox *o);

/* A fence event of an outbound SA (enum sad_told); one that does not fit is due again at the next packet. */
void outbox_tell_fence(struct outbox *o, struct sad_sa *sa, unsigned tell);
/*
 * An authenticated packet with the highest number so far came from `from`: DP_MOVED if that is new. Encapsulation is
 * the SA's own; a port matters with UDP only.
 */
void outbox_tell_moved(struct outbox *o, struct sad_sa *sa, const struct endpoint *from);

#endif
