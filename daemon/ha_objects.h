/*
 * What is replicated, as the daemon has it (struct ha_ops of ha/ha.h): IKE SAs and cookie secrets come from the engine,
 * leases that are kept for absent identities from the pools.
 *
 * Leases go in POOL_PARTS objects by their address. A part is
 *	format 1 = 2 | (length of what follows 2 | pool name length 1 | pool name | family 1 | address 16
 *	| microseconds left 8 | ID kind 1 | ID length 2 | ID | what a later version has to say)*
 * in network order. Nodes whose common format (ha_format()) is older than HA_LEASES_GROW say format 1, which is the
 * same without the lengths. What a client holds travels with its IKE SA.
 */
#ifndef DAEMON_HA_OBJECTS_H
#define DAEMON_HA_OBJECTS_H

#include "ha/ha.h"

enum { HA_LEASES_GROW = 2 };

/* Their argument is the gateway. */
extern const struct ha_ops ha_objects_ops;

struct pools;
/* One part as of `now`, for nodes that speak `minor`. What is too much for an object is left out. A number that another
 * node gave, and that is none of ours, has nothing. */
void ha_objects_write_leases(const struct pools *pools, uint64_t part, uint8_t minor, mtime now, struct writer *out);
/* Gives them to the pools. GW_EMALFORMED: nothing of the rest was taken; single ones that do not fit (no such pool, out
 * of range, in use) are left out. GW_EUNSUPPORTED: not a format of `minor` or before. */
MUST_USE enum gw_err ha_objects_read_leases(struct pools *pools, uint8_t minor, struct bytes state);

#endif
