/*
 * Least privilege, in the order in which it is taken away:
 *	1. privileges_protect()   memory locked, no core dumps, nobody may attach      (before keys are made)
 *	2. privileges_drop()      three capabilities are left, and no way to get more   (before any thread is made)
 *	3. sandbox_enter()        only the system calls that are needed                  (daemon/sandbox.h; when all is
 * open) Each is for the whole process and cannot be undone.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "core/log.h"

/* What cannot be had (a container that forbids mlock) is a warning; service is worth more. */
void privileges_protect(struct log *log);

/* Keeps CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, those of them that are there. */
MUST_USE enum gw_err privileges_drop(struct log *log, struct err *e);

/*
 * For the daemon's parent process: of the process's capabilities stay those that a start of the daemon needs, laid
 * down; in effect is CAP_NET_ADMIN alone, to take addresses away. No program can be run any more that has others.
 */
MUST_USE enum gw_err privileges_rest(struct err *e);
/* In its child, which is to become the daemon: takes them up again, to drop them for good when it has started. */
MUST_USE enum gw_err privileges_take_up(struct err *e);

/* Whether the calling thread has what the data plane and low ports need; `e` names what is missing. */
MUST_USE enum gw_err privileges_check(struct err *e);

#endif
