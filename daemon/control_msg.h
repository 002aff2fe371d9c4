/*
 * One request of the control socket: a JSON object on one line, {"cmd":"list-sas","conn":"office"}. Keys that are not
 * known, come twice or have the wrong type are refused, so that a filter with a typing error never matches everything.
 * docs/control-api.md describes both directions.
 */
#ifndef DAEMON_CONTROL_MSG_H
#define DAEMON_CONTROL_MSG_H

#include "core/err.h"

enum {
	CONTROL_LINE_MAX = 4096, /* of a request, newline included */
	CONTROL_NAME_MAX = 64,
	CONTROL_PEER_MAX = 512,
	CONTROL_REASON_MAX = 128,
};

struct control_request {
	char cmd[CONTROL_NAME_MAX];
	uint32_t id, child_id;							      /* 0: not given */
	char conn[CONTROL_NAME_MAX], pool[CONTROL_NAME_MAX], level[CONTROL_NAME_MAX]; /* "": not given */
	char peer[CONTROL_PEER_MAX];
	char reason[CONTROL_REASON_MAX];
	char time[CONTROL_NAME_MAX]; /* `for`: a duration */
	bool all, child, dry_run, repair, yes;
};

/* `line` without its newline. GW_EMALFORMED: no JSON object; GW_EINVAL: `e` names the key. `out` is then undefined. */
MUST_USE enum gw_err control_request_parse(struct bytes line, struct control_request *out, struct err *e);

/* The request selects nothing by itself: neither a number, connection, peer nor `all`. */
bool control_request_unselective(const struct control_request *r);

/*
 * The stable word for a result in {"end":true,"error":{"code":...}}: "not-found", "not-permitted", "bad-request",
 * "busy", "config-invalid", "failed".
 */
const char *control_error_code(enum gw_err code);

#endif
