/*
 * The engine is told every few seconds what every SA of the data plane has carried: for liveness, inactivity and rekeys
 * by volume (ike_traffic). In slices, so that a turn stays short; only while this node speaks.
 */
#ifndef DAEMON_TRAFFIC_H
#define DAEMON_TRAFFIC_H

#include "core/err.h"

struct gateway;
struct traffic;

/* NULL: out of memory. Borrows `g`, whose engine and plane stand by the first turn of the loop. */
struct traffic *traffic_create(struct gateway *g);
void traffic_destroy(struct traffic *t);

#endif
