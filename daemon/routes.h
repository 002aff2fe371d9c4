/*
 * Which destinations belong into the TUN device: the networks of the pools and what is configured to be behind clients.
 * Pure; esp/route.h brings them into the kernel.
 */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H

#include "config/model.h"

struct route {
	struct prefix to;
	char interface[16]; /* XFRM interface; "": the TUN device */
	uint32_t if_id;
};

/*
 * *out: an array for free(), each prefix once, the first connection with an interface
 * decides. A pool that is a network but for its reserved addresses is one prefix;
 * other ranges are as many as it takes. "Everything" (a prefix of length 0) is left out: it would take the gateway's
 * own way to its clients; who means it sets it by hand.
 */
MUST_USE enum gw_err routes_collect(const struct settings *s, struct route **out, size_t *n);

#endif
