/* What tests/sim/duo*.c share: a node's life (duo.c), its face to its ha (duo_node.c), its turns (duo_turn.c). */
#ifndef TESTS_SIM_DUO_INSIDE_H
#define TESTS_SIM_DUO_INSIDE_H

#include <check.h>
#include <stdlib.h>

#include "tests/sim/duo.h"

enum { DUO_LEASE_BUCKETS = 8 };

mtime duo_now(const struct duo *d);
unsigned duo_number(const struct duo *d, const struct duo_node *n);

/* ---- of a life ---- */

/* What is on its way there is lost. */
void duo_segments_clear(struct duo_node *n);
void duo_link_lost(struct duo *d, const char *why);

/* ---- of a node ---- */

extern const struct ha_ops duo_node_ops;
/* Submits what the IKE engine wants of the data plane. */
void duo_take_ike_events(struct duo_node *n);

/* ---- of turns ---- */

/* Until nothing is left to do; datagrams leave. It may die in it. */
void duo_turn(struct duo *d, struct duo_node *n);
void duo_beat(struct duo *d);

/* ---- of numbers ---- */

void duo_used_clear(struct duo *d);

#endif
