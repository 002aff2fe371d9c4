/*
 * Programs that the daemon wants run (hooks.role, hooks.fence): a small process of its own starts them, forked before
 * anything is confined and with no secret in memory, so it has the rights of who started gatewayd, and no key. It knows
 * the programs' paths from the beginning. When the daemon says that they are others now, it has a child of its own read
 * them from the configuration file, and takes what stands there, whatever the daemon has said: what has got hold of the
 * daemon cannot have anything else run.
 *
 * A program gets one JSON document on its standard input, and of the environment PATH, HOME, TZ, LANG and LC_ALL only
 * (there may be secrets in it). Its output goes where the daemon's goes, and it has a limited time; then it and what it
 * has started are killed. Programs of one kind run one after the other, in the order of asking; a daemon that is
 * started again meanwhile does not hear of those that it did not ask for.
 */
#ifndef DAEMON_PROGRAMS_H
#define DAEMON_PROGRAMS_H

#include "config/model.h"
#include "core/env.h"
#include "core/loop.h"

enum program { PROGRAM_ROLE, PROGRAM_FENCE, PROGRAM_KINDS };

enum { PROGRAM_INPUT_MAX = 4096, PROGRAM_PATH_MAX = 1024 };

/* Without gaps or rests of others: compared octet by octet. */
struct program_settings {
	int64_t timeout_us;
	char paths[PROGRAM_KINDS][PROGRAM_PATH_MAX + 8]; /* "": none */
};

void programs_settings(const struct ha_cfg *cfg, struct program_settings *out);

/* ---- the process ---- */

/*
 * Forks it: *fd is to be given to programs_create(). `file`, borrowed by the process: where it reads the settings anew.
 * It ends by itself when all copies of the fd are closed and the last program is done. Its parent is not the caller, so
 * that nobody has to wait for it. GW_EIO: *fd is -1.
 */
MUST_USE enum gw_err programs_fork(const struct program_settings *first, const char *file, int *fd, struct err *e);

/* ---- the daemon's side ---- */

struct programs;

/* Borrows all; the fd stays the caller's. `id` begins the numbers of requests: other than those of an earlier process.
 * NULL: out of memory. */
struct programs *programs_create(const struct env *env, struct loop *loop, int fd, uint32_t id);
void programs_destroy(struct programs *p); /* NULL is fine */

/*
 * The daemon has read these settings: where the process has others, it reads its file. What is asked for from now on is
 * run by what was found there; what is asked for meanwhile waits, some seconds at most. A failure is logged: it goes on
 * with what it has.
 */
void programs_configure(struct programs *p, const struct program_settings *now);

/*
 * Never waits. `done` (may be NULL) is called from the loop, once: `ok` when the exit status was 0, else `text` says
 * what was wrong (it took too long, exit status 3, ...). GW_EIO: it cannot be asked for; `done` is not called then.
 */
MUST_USE enum gw_err programs_run(struct programs *p, enum program kind, const char *input,
				  void (*done)(void *arg, bool ok, const char *text), void *arg, struct err *e);

#endif
