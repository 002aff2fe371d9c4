/*
 * Programs that the daemon wants run (hooks.role, hooks.fence): a small process of its own starts them, forked before
 * anything is confined and with no secret in memory, so it has the rights of who started gatewayd, and no key. It knows
 * the programs' paths from the beginning and takes no others: what has got hold of the daemon cannot have anything else
 * run.
 *
 * A program gets one JSON document on its standard input, and of the environment PATH, HOME, TZ, LANG and LC_ALL only
 * (there may be secrets in it). Its output goes where the daemon's goes, and it has a limited time; then it and what it
 * has started are killed. Programs of one kind run one after the other, in the order of asking; a daemon that is started
 * again meanwhile does not hear of those that it did not ask for.
 */
#ifndef DAEMON_PROGRAMS_H
#define DAEMON_PROGRAMS_H

#include "core/env.h"
#include "core/loop.h"

enum program { PROGRAM_ROLE, PROGRAM_FENCE, PROGRAM_KINDS };

enum { PROGRAM_INPUT_MAX = 4096 };

/* ---- the process ---- */

/*
 * Forks it, unless there is no program at all (NULL paths): the fd to give to programs_create(), -1 for none. It ends
 * by itself when all copies of the fd are closed and the last program is done. Its parent is not the caller, so that
 * nobody has to wait for it. GW_EIO.
 */
MUST_USE enum gw_err programs_fork(const char *const paths[PROGRAM_KINDS], int64_t timeout_us, int *fd, struct err *e);

/* ---- the daemon's side ---- */

struct programs;

/* Borrows all; the fd stays the caller's. `id` begins the numbers of requests: other than those of an earlier process.
 * NULL: out of memory. */
struct programs *programs_create(const struct env *env, struct loop *loop, int fd, uint32_t id);
void programs_destroy(struct programs *p); /* NULL is fine */

/*
 * Never waits. `done` (may be NULL) is called from the loop, once: `ok` when the exit status was 0, else `text` says
 * what was wrong (it took too long, exit status 3, ...). GW_EIO: it cannot be asked for; `done` is not called then.
 */
MUST_USE enum gw_err programs_run(struct programs *p, enum program kind, const char *input,
				  void (*done)(void *arg, bool ok, const char *text), void *arg, struct err *e);

#endif
