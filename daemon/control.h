/*
 * The control socket: AF_UNIX stream, one request a line, replies as JSON lines, the last of them with "end":true. What
 * the commands do is a table given by the owner. Root (and our own user) may everything; whom the socket's group lets
 * in may look. Clients, requests and what waits to be read are bounded, and no client can make the loop wait: a long
 * listing is made in slices, as fast as its reader takes it.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <jansson.h>

#include "core/env.h"
#include "core/loop.h"
#include "daemon/control_msg.h"

struct control;
struct control_call;

struct control_command {
	const char *name;
	bool root; /* changes something: root only */
	/*
	 * GW_OK: done. GW_PENDING: call again (control_room() was false, or there is more). Else the call has failed,
	 * with call's err as text.
	 */
	enum gw_err (*step)(void *ctx, struct control_call *call);
};

struct control_call {
	const struct control_request *request;
	struct err err;	     /* why it failed */
	uint64_t cursor[2];  /* 0 at first; the command's own */
	uint64_t items;	     /* sent so far */
	uint64_t step_began; /* `items` at the beginning of this step */
	bool idle;	     /* set by a step that returns GW_PENDING: not called again before control_wake() */
	struct control_client *client;
};

struct control_config {
	const char *path;
	const char *group;			/* may look; NULL: nobody but root */
	const struct control_command *commands; /* ends with name NULL */
	void *ctx;
};

enum {
	CONTROL_CLIENTS_MAX = 24,
	CONTROL_CLIENTS_RESERVED = 8, /* of them for root */
};

/* Takes the place of a socket that a dead daemon left behind. Copies nothing of cfg but the path. */
struct control *control_create(const struct env *env, struct loop *loop, const struct control_config *cfg,
			       struct err *e);
/* Ends all clients, removes the socket. NULL is fine. */
void control_destroy(struct control *c);

/* For tests and for inherited sockets: serves a connected stream socket, which it owns then. False: too many clients.
 */
bool control_adopt(struct control *c, int fd, bool root);
size_t control_client_count(const struct control *c);

/* How many clients have this step under way. */
size_t control_running(const struct control *c, enum gw_err (*step)(void *ctx, struct control_call *call));
/* Something has happened: commands that are idle are called again. */
void control_wake(struct control *c);

/* ---- for commands ---- */

/* A reply line {"item":...}; takes the reference. NULL (out of memory while making it) is remembered as a failure. */
void control_item(struct control_call *call, json_t *item);
/* False: enough waits to be read, or the turn is over; return GW_PENDING. */
bool control_room(const struct control_call *call);

#endif
