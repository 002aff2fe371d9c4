/*
 * A turn of the gateway: what the engine wants goes to the data plane, what the plane says goes to the engine,
 * datagrams leave (ike/ike.h describes the order). Runs after each batch of the loop's callbacks.
 */
#ifndef DAEMON_GLUE_H
#define DAEMON_GLUE_H

#include "core/bytes.h"

struct gateway;

void glue_turn(struct gateway *g);
/* What the engine wants of the data plane, now; of a standby, while a turn of the other node is applied. */
void glue_take_engine_events(struct gateway *g);

/* Exchange type of an IKE message (RFC 7296 3.1); 0: too short for one. */
static inline uint8_t glue_exchange(struct bytes message)
{
	return message.n > 18 ? message.p[18] : 0;
}

#endif
