/* The data plane of a gateway: chosen, opened, tied to the loop; its device and the routes into it. */
#ifndef DAEMON_PLANE_H
#define DAEMON_PLANE_H

#include "core/err.h"

struct gateway;
struct settings;

/* After the sockets are open and rights are dropped (it makes threads). `e` is the line for the user. */
MUST_USE enum gw_err plane_open(struct gateway *g, struct err *e);
/* Can these settings be put in force with this plane? Makes what may fail; see daemon/network.h. */
MUST_USE enum gw_err plane_prepare(struct gateway *g, const struct settings *s, struct err *e);
/* Adds the routes of the settings that are missing, removes those of ours that are not in them. Failures are logged. */
void plane_route(struct gateway *g, const struct settings *s);
/* Routes and device go. Fine when it was never opened. */
void plane_close(struct gateway *g);

#endif
