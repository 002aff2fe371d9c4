/*
 * The system calls that are left once everything is open (seccomp). What is not on the list ends the process: it means
 * that somebody else runs in it. The list is in sandbox.c, with what each group is for.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "core/log.h"

/*
 * For all threads of the process, there and to come; sets no_new_privs. A kernel without seccomp is a warning. Does
 * nothing in a build with a sanitizer whose leak checker attaches to its own process, and says so.
 */
MUST_USE enum gw_err sandbox_enter(struct log *log, struct err *e);

#endif
