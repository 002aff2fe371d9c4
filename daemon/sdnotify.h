/* What systemd wants to hear (sd_notify(3)), without its library: datagrams to $NOTIFY_SOCKET. Not under systemd:
 * nothing. */
#ifndef DAEMON_SDNOTIFY_H
#define DAEMON_SDNOTIFY_H

#include "core/err.h"

struct sdnotify {
	int fd;		     /* -1: nobody listens */
	int64_t watchdog_us; /* 0: no watchdog; send WATCHDOG=1 at least twice as often */
};

/* Looks at NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; connects once, so no path is needed later. */
void sdnotify_open(struct sdnotify *n);
/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=...", "WATCHDOG=1"; lines joined by \n. Never blocks. */
void sdnotify_send(const struct sdnotify *n, const char *state);
void sdnotify_close(struct sdnotify *n);

/* stderr is connected to journald ($JOURNAL_STREAM): then lines carry priorities instead of times. */
bool sdnotify_journal(void);

#endif
