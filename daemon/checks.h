/*
 * What of the system around us would make a gateway that starts and does not work: each finding is one line that says
 * what to do. Nothing is changed here.
 */
#ifndef DAEMON_CHECKS_H
#define DAEMON_CHECKS_H

#include "config/model.h"

/* Where to look; tests have their own tree. */
struct checks_root {
	const char *proc_sys; /* "/proc/sys" */
	const char *dev;      /* "/dev" */
	const char *net;      /* "/sys/class/net" */
};

/*
 * Warnings for what clients would feel: forwarding off, strict reverse path filters on the TUN device. The device need
 * not exist yet. Returns how many.
 */
unsigned checks_warn(const struct settings *s, const struct checks_root *root, struct log *log);

/* What makes a start impossible: rights, no TUN driver, a data plane that is not there. `e` has the remedy. */
MUST_USE enum gw_err checks_require(const struct settings *s, const struct checks_root *root, struct err *e);

#endif
