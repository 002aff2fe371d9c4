/*
 * What a gateway has in the kernel's network besides SAs and policies: XFRM interfaces of connections, routes to
 * clients, guards for where they are, and the MSS clamp. All of it goes at the end; what a crashed predecessor left
 * goes at the start.
 */
#ifndef DAEMON_NETWORK_H
#define DAEMON_NETWORK_H

#include "config/model.h"
#include "core/env.h"

struct dataplane;
struct network;

struct network_config {
	const struct env *env;	  /* borrowed */
	struct dataplane *kernel; /* borrowed; NULL: the plane is another one */
	const char *device;	  /* TUN, where routes lead; copied */
};

struct network *network_create(const struct network_config *cfg); /* NULL: out of memory */
/*
 * Can these settings be put in force here? Makes the XFRM interfaces that are missing. On failure nothing has changed;
 * `e` names connection and key.
 */
MUST_USE enum gw_err network_prepare(struct network *n, const struct settings *s, struct err *e);
/*
 * As the settings say, for which network_prepare() has succeeded: what is missing comes, what is not in them any more
 * goes. Failures are logged.
 */
void network_update(struct network *n, const struct settings *s);
void network_destroy(struct network *n); /* NULL is fine */

#endif
