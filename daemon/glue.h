/*
 * A turn of the gateway: what the engine wants goes to the data plane, what the plane says goes to the engine,
 * datagrams leave (ike/ike.h describes the order). Runs after each batch of the loop's callbacks.
 */
#ifndef DAEMON_GLUE_H
#define DAEMON_GLUE_H

#include "ike/events.h"

struct gateway;

void glue_turn(struct gateway *g);
/* What the engine wants of the data plane, now; of a standby, while a turn of the other node is applied. */
void glue_take_engine_events(struct gateway *g);

/* What daemon/fault.h calls `about`: exchange type of a message (RFC 7296 3.1) and enum ike_about; 0: too short for
 * one. */
static inline uint16_t glue_about(const struct ike_output *out)
{
	struct bytes message = out->datagram.data;

	return (uint16_t)(out->about << 8 | (message.n > 18 ? message.p[18] : 0));
}

#endif
