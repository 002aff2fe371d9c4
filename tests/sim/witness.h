/*
 * What must hold of everything that a gateway ever says, whoever speaks for it: no two messages under one key with the
 * same IV, a message that is sent again is the same byte for byte, and no inbound ESP SPI stands for two keys.
 */
#ifndef TESTS_SIM_WITNESS_H
#define TESTS_SIM_WITNESS_H

#include "ike/events.h"

struct seen;
struct witness {
	struct seen *ivs, *messages, *spis; /* owned */
	uint64_t resent;
	char failure[200]; /* "": all is well */
};

void witness_clear(struct witness *w);
/* `state`: the message is part of the replicated state; others may be made anew by another owner. */
void witness_datagram(struct witness *w, struct bytes message, bool state);
void witness_spi(struct witness *w, uint32_t spi, struct bytes keys);

#endif
