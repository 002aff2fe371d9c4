/*
 * What the data plane has still to remove: batches of removals that it would not take (out of memory, too many
 * waiting), kept until it does. Forgotten, they would leave SAs in the kernel that nobody has in his books.
 */
#ifndef DAEMON_ARREARS_H
#define DAEMON_ARREARS_H

#include "esp/dataplane.h"

struct arrears {
	struct dp_op *ops; /* owned */
	size_t n, cap;
};

/* Removals only, which point to nothing: any other operation is left out. GW_ENOMEM: nothing was kept. */
MUST_USE enum gw_err arrears_keep(struct arrears *a, const struct dp_op *ops, size_t n);
/* Submits what there is, under token 0; stays where it is when that is refused again. */
void arrears_settle(struct arrears *a, struct dataplane *dp);
void arrears_clear(struct arrears *a);

#endif
