#include "daemon/control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_MAX_US SECONDS(60)
#define SWEEP_US SECONDS(10)
#define REST_US SECONDS(1)

enum {
	OUT_HIGH = 64 * 1024,	   /* commands pause above this */
	OUT_MAX = 4 * 1024 * 1024, /* one item is never so long; beyond is our mistake */
	STEP_LEAST = 16,	   /* items that a step may make however busy the turn is */
	OUT_KEEP = 4096,	   /* a larger buffer is given back when it is empty */
};

struct control_client {
	struct control *control; /* back-pointer */
	struct control_client *next;
	int fd;
	struct loop_fd *watch;
	bool root, hung_up, broken; /* broken: destroyed at the end of the callback */
	mtime active;		    /* last progress either way */
	char in[CONTROL_LINE_MAX];
	size_t in_n;
	bool skipping; /* the rest of a line that was too long */
	char *out;     /* owned */
	size_t out_n, out_at, out_cap;
	const struct control_command *command; /* under way; NULL: none */
	struct control_call call;
	struct control_request request;
};

struct control {
	const struct env *env;
	struct loop *loop;
	const struct control_command *commands;
	void *ctx;
	char *path; /* owned; NULL: not bound yet */
	int fd;
	struct loop_fd *watch;
	struct loop_timer *sweep, *rest;
	struct control_client *clients;
	size_t count;
	bool full_logged;
};

/* ---- out ---- */

static bool out_room(struct control_client *c, size_t n)
{
	size_t want = c->out_n + n, cap;
	char *bigger;

	if (want <= c->out_cap)
		return true;
	if (want > OUT_MAX)
		return false;
	cap = want < OUT_KEEP ? OUT_KEEP : want * 2;
	bigger = realloc(c->out, cap);
	if (!bigger)
		return false;
	c->out = bigger;
	c->out_cap = cap;
	return true;
}

static int out_add(const char *p, size_t n, void *arg)
{
	struct control_client *c = arg;

	if (!out_room(c, n))
		return -1;
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
	return 0;
}

/* Takes the reference. */
static void out_line(struct control_client *c, json_t *line)
{
	size_t mark = c->out_n;

	if (!line || json_dump_callback(line, out_add, c, JSON_COMPACT) != 0 || out_add("\n", 1, c) != 0) {
		c->out_n = mark;
		c->broken = true; /* half an answer would be taken for a whole one */
	}
	json_decref(line);
}

/* False: the peer is gone. */
static bool out_flush(struct control_client *c)
{
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n <= 0)
			return false;
		c->out_at += (size_t)n;
		c->active = loop_now(c->control->loop);
	}
	c->out_at = c->out_n = 0;
	if (c->out_cap > OUT_KEEP) {
		free(c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
	return true;
}

void control_item(struct control_call *call, json_t *item)
{
	out_line(call->client, item ? json_pack("{s:o}", "item", item) : NULL);
	call->items++;
}

bool control_room(const struct control_call *call)
{
	const struct control_client *c = call->client;

	return !c->broken && c->out_n - c->out_at < OUT_HIGH &&
	       (call->items - call->step_began < STEP_LEAST || !loop_turn_over(c->control->loop));
}

/* ---- requests ---- */

static void reply_end(struct control_client *c, enum gw_err r, const struct err *e)
{
	json_t *text;

	if (r == GW_OK) {
		out_line(c, json_pack("{s:b}", "end", 1));
		return;
	}
	/* Names in a message may be cut in the middle of a UTF-8 character, or be no UTF-8 at all. */
	text = json_string(e->text[0] ? e->text : gw_err_text(r));
	if (!text)
		text = json_string(gw_err_text(r));
	out_line(c, json_pack("{s:b, s:{s:s, s:o}}", "end", 1, "error", "code", control_error_code(r), "text", text));
}

static void call_step(struct control_client *c)
{
	enum gw_err r;

	c->call.step_began = c->call.items;
	c->call.idle = false;
	r = c->command->step(c->control->ctx, &c->call);

	if (r == GW_PENDING)
		return;
	c->command = NULL;
	reply_end(c, r, &c->call.err);
}

static const struct control_command *command_find(const struct control *c, const char *name)
{
	for (const struct control_command *cmd = c->commands; cmd->name; cmd++)
		if (strcmp(cmd->name, name) == 0)
			return cmd;
	return NULL;
}

static void call_begin(struct control_client *c, struct bytes line)
{
	const struct control_command *cmd;
	struct err e = { 0 };
	enum gw_err r = control_request_parse(line, &c->request, &e);

	if (r != GW_OK) {
		reply_end(c, r, &e);
		return;
	}
	cmd = command_find(c->control, c->request.cmd);
	if (!cmd) {
		reply_end(c, err_set(&e, GW_EUNSUPPORTED, "unknown command `%s`", c->request.cmd), &e);
		return;
	}
	if (cmd->root && !c->root) {
		reply_end(c, err_set(&e, GW_EPERM, "only root may `%s`; try sudo", cmd->name), &e);
		return;
	}
	c->command = cmd;
	c->call = (struct control_call){ .request = &c->request, .client = c };
	call_step(c);
}

static char *line_end(struct control_client *c)
{
	return memchr(c->in, '\n', c->in_n);
}

/* Answers whole lines in the buffer, until one takes longer. */
static void take_lines(struct control_client *c)
{
	char *end;

	while (!c->command && !c->broken && (end = line_end(c)) != NULL) {
		size_t n = (size_t)(end - c->in);
		bool skip = c->skipping;

		c->skipping = false;
		if (!skip && n > 0)
			call_begin(c, bytes_of(c->in, n));
		memmove(c->in, end + 1, c->in_n - n - 1);
		c->in_n -= n + 1;
		/* Many tiny requests may not fill the memory with answers either. */
		if (c->out_n - c->out_at >= OUT_HIGH)
			break;
	}
	if (c->in_n == sizeof(c->in) && !line_end(c)) {
		struct err e = { 0 };

		if (!c->skipping)
			reply_end(c,
				  err_set(&e, GW_EMALFORMED, "a request has at most %d octets", CONTROL_LINE_MAX - 1),
				  &e);
		c->skipping = true;
		c->in_n = 0;
	}
}

/* ---- clients ---- */

static void client_destroy(struct control_client *c)
{
	struct control *control = c->control;
	struct control_client **at = &control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	control->count--;
	if (control->count == 0)
		loop_timer_at(control->sweep, MTIME_NEVER);
	loop_fd_destroy(c->watch);
	close(c->fd);
	free(c->out);
	free(c);
}

/* Whether nobody reads any more, either; one that has only shut down its sending side waits for its answer. */
static bool is_gone(const struct control_client *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* A command that waits for something to happen, with nothing to say meanwhile. */
static bool is_idle(const struct control_client *c)
{
	return c->command && c->call.idle && c->out_at == c->out_n;
}

/* What to wait for now. No further requests before those are answered. */
static unsigned wanted(const struct control_client *c)
{
	if (is_idle(c))
		return c->hung_up || c->in_n == sizeof(c->in) ? 0 : LOOP_READ; /* of which only the end matters */
	return c->out_at < c->out_n || c->command || memchr(c->in, '\n', c->in_n) ? LOOP_WRITE : LOOP_READ;
}

/* After each callback: what to wait for now; or the end. */
static void client_settle(struct control_client *c)
{
	if (c->broken || (c->hung_up && (is_idle(c) ? is_gone(c) : wanted(c) == LOOP_READ)))
		client_destroy(c);
	else
		loop_fd_want(c->watch, wanted(c));
}

static void client_read(struct control_client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_n, sizeof(c->in) - c->in_n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		c->broken = true;
		return;
	}
	if (n == 0)
		c->hung_up = true; /* it may have shut down its sending side only, and wait for the answer */
	c->in_n += (size_t)n;
	c->active = loop_now(c->control->loop);
}

static void client_ready(void *arg, unsigned what)
{
	struct control_client *c = arg;

	if (what & LOOP_READ)
		client_read(c);
	if (c->command && !c->call.idle && c->out_n - c->out_at < OUT_HIGH)
		call_step(c);
	take_lines(c);
	if (!c->broken && !out_flush(c))
		c->broken = true;
	client_settle(c);
}

bool control_adopt(struct control *control, int fd, bool root)
{
	size_t most = root ? CONTROL_CLIENTS_MAX : CONTROL_CLIENTS_MAX - CONTROL_CLIENTS_RESERVED;
	struct control_client *c = control->count < most ? calloc(1, sizeof(*c)) : NULL;

	if (c)
		c->watch = loop_fd_create(control->loop, fd, LOOP_READ, client_ready, c);
	if (!c || !c->watch) {
		static const char busy[] =
			"{\"end\":true,\"error\":{\"code\":\"busy\",\"text\":\"too many clients\"}}\n";

		(void)!send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		free(c);
		return false;
	}
	c->control = control;
	c->fd = fd;
	c->root = root;
	c->active = loop_now(control->loop);
	c->next = control->clients;
	control->clients = c;
	if (control->count++ == 0)
		loop_timer_at(control->sweep, mtime_add(c->active, SWEEP_US));
	return true;
}

size_t control_client_count(const struct control *c)
{
	return c->count;
}

size_t control_running(const struct control *control, enum gw_err (*step)(void *ctx, struct control_call *call))
{
	size_t n = 0;

	for (const struct control_client *c = control->clients; c; c = c->next)
		n += c->command && c->command->step == step;
	return n;
}

void control_wake(struct control *control)
{
	for (struct control_client *c = control->clients; c; c = c->next) {
		if (!c->command || !c->call.idle)
			continue;
		c->call.idle = false;
		c->active = loop_now(control->loop);
		loop_fd_want(c->watch, LOOP_WRITE);
	}
}

static void sweep_due(void *arg)
{
	struct control *control = arg;
	mtime now = clock_now(control->env->clock);
	struct control_client *c = control->clients, *next;

	for (; c; c = next) {
		next = c->next;
		if (is_idle(c) ? is_gone(c) : mtime_since(c->active, now) >= IDLE_MAX_US)
			client_destroy(c);
	}
	if (control->count > 0)
		loop_timer_at(control->sweep, mtime_add(now, SWEEP_US));
}

static void rested(void *arg)
{
	loop_fd_want(((struct control *)arg)->watch, LOOP_READ);
}

static void listener_ready(void *arg, unsigned what)
{
	struct control *control = arg;
	struct ucred who;
	socklen_t len = sizeof(who);
	int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0) {
		/* Of what there is not enough there will not be more in the next turn: else this would be all we do. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_fd_want(control->watch, 0);
			loop_timer_at(control->rest, mtime_add(loop_now(control->loop), REST_US));
		}
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0) {
		close(fd);
		return;
	}
	/* Whoever else could connect was let in by the socket's mode: root's group member, to look. */
	if (!control_adopt(control, fd, who.uid == 0 || who.uid == geteuid()) && !control->full_logged) {
		control->full_logged = true;
		log_warn(control->env->log, "control socket: too many clients; further ones are turned away");
	}
}

/* ---- the socket ---- */

/* 0, or errno of connect(2): whether somebody listens there. */
static int probe(const struct sockaddr_un *at, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return errno;
	r = connect(fd, (const struct sockaddr *)at, len) == 0 || errno == EAGAIN ? 0 : errno;
	close(fd);
	return r;
}

static enum gw_err make_folder(const char *path, struct err *e)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(folder, path); /* the caller has checked the length */
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return GW_OK;
	*slash = 0;
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return err_set(e, GW_EIO, "control socket: cannot make %s: %s", folder, strerror(errno));
	return GW_OK;
}

static enum gw_err open_to_group(const char *path, const char *group, struct err *e)
{
	char buffer[4096];
	struct group entry, *found = NULL;

	if (!group)
		return GW_OK;
	if (getgrnam_r(group, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return err_set(e, GW_ECONFIG, "control socket: no group `%s`; do: groupadd --system %s", group, group);
	if (chown(path, (uid_t)-1, found->gr_gid) != 0 || chmod(path, 0660) != 0)
		return err_set(e, GW_EPERM, "control socket: cannot open %s to group `%s`: %s", path, group,
			       strerror(errno));
	return GW_OK;
}

static enum gw_err listen_at(struct control *c, const char *path, const char *group, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(at);
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(at.sun_path))
		return err_set(e, GW_ECONFIG, "control socket: %s is longer than %zu octets", path,
			       sizeof(at.sun_path) - 1);
	strcpy(at.sun_path, path);
	TRY(make_folder(path, e));
	if (probe(&at, len) == 0)
		return err_set(e, GW_EBUSY, "control socket: another gatewayd answers at %s", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set(e, GW_EIO, "control socket: cannot remove the old %s: %s", path, strerror(errno));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return err_set(e, GW_EIO, "control socket: %s", strerror(errno));
	mask = umask(0177); /* between bind and chmod nobody else gets in */
	r = bind(c->fd, (const struct sockaddr *)&at, len);
	(void)umask(mask);
	if (r != 0)
		return err_set(e, GW_EIO, "control socket: cannot bind to %s: %s", path, strerror(errno));
	c->path = strdup(path);
	if (!c->path)
		return err_set(e, GW_ENOMEM, "control socket: out of memory");
	TRY(open_to_group(path, group, e));
	if (listen(c->fd, 32) != 0)
		return err_set(e, GW_EIO, "control socket: listen: %s", strerror(errno));
	return GW_OK;
}

struct control *control_create(const struct env *env, struct loop *loop, const struct control_config *cfg,
			       struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c) {
		err_set(e, GW_ENOMEM, "control socket: out of memory");
		return NULL;
	}
	c->env = env;
	c->loop = loop;
	c->commands = cfg->commands;
	c->ctx = cfg->ctx;
	c->fd = -1;
	c->sweep = loop_timer_create(loop, sweep_due, c);
	c->rest = loop_timer_create(loop, rested, c);
	if (!c->sweep || !c->rest) {
		err_set(e, GW_ENOMEM, "control socket: out of memory");
		goto fail;
	}
	if (!cfg->path)
		return c; /* adopted clients only */
	if (listen_at(c, cfg->path, cfg->group, e) != GW_OK)
		goto fail;
	c->watch = loop_fd_create(loop, c->fd, LOOP_READ, listener_ready, c);
	if (!c->watch) {
		err_set(e, GW_ENOMEM, "control socket: out of memory");
		goto fail;
	}
	return c;
fail:
	control_destroy(c);
	return NULL;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	while (c->clients)
		client_destroy(c->clients);
	loop_fd_destroy(c->watch);
	loop_timer_destroy(c->sweep);
	loop_timer_destroy(c->rest);
	if (c->fd >= 0)
		close(c->fd);
	if (c->path)
		(void)unlink(c->path);
	free(c->path);
	free(c);
}
