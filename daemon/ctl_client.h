/* gatewayctl's end of the control socket. */
#ifndef DAEMON_CTL_CLIENT_H
#define DAEMON_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

/* Exit codes of gatewayctl, the same for all commands. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_NO_MATCH = 4,
	CTL_NOT_PERMITTED = 5,
	CTL_CONFIG_INVALID = 6,
	CTL_TIMEOUT = 124,
};

/* Called for each item, borrowed. False: stop, CTL_FAILED. */
typedef bool ctl_each(void *arg, json_t *item);

/*
 * Sends `request`, calls `each` for the items, waits at most `timeout_s` for each line (-1: for ever). What went wrong is said on
 * stderr, together with what to do.
 */
enum ctl_exit ctl_ask(const char *socket_path, const json_t *request, int timeout_s, ctl_each *each, void *arg);

#endif
