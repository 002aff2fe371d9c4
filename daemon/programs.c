#include "daemon/programs.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/programs_wire.h"

enum { WAITING_MAX = 32 };

struct waiting {
	uint64_t id; /* 0: free */
	uint8_t kind;
	void (*done)(void *arg, bool ok, const char *text);
	void *arg;
};

struct programs {
	struct env env;
	int fd;
	struct loop_fd *watch;
	uint64_t id;
	struct waiting waiting[WAITING_MAX];
};

static const char *program_name(uint8_t kind)
{
	return kind == PROGRAM_SETTINGS ? "hooks" : kind == PROGRAM_FENCE ? "hooks.fence" : "hooks.role";
}

void programs_settings(const struct ha_cfg *cfg, struct program_settings *out)
{
	const char *const paths[PROGRAM_KINDS] = { [PROGRAM_ROLE] = cfg->hook, [PROGRAM_FENCE] = cfg->fence };

	memset(out, 0, sizeof(*out));
	out->timeout_us = cfg->hook_timeout_us;
	for (size_t i = 0; i < PROGRAM_KINDS; i++)
		(void)snprintf(out->paths[i], sizeof(out->paths[i]), "%s", paths[i] ? paths[i] : "");
}

static void tell(struct programs *p, struct waiting *w, bool ok, const char *text)
{
	const struct waiting is = *w;

	w->id = 0;
	if (!ok)
		log_warn(p->env.log, "%s: %s", program_name(is.kind), text);
	if (is.done)
		is.done(is.arg, ok, text);
}

static const char *outcome(uint8_t kind, const struct program_reply *r, char *buf, size_t n)
{
	if (!r->started && kind == PROGRAM_SETTINGS && r->status == ESTALE)
		(void)snprintf(buf, n, "the configuration file says something else already");
	else if (!r->started && kind == PROGRAM_SETTINGS)
		(void)snprintf(buf, n, "the configuration file could not be read again: %s", strerror(r->status));
	else if (!r->started)
		(void)snprintf(buf, n, "cannot be started: %s", strerror(r->status));
	else if (r->timed_out)
		(void)snprintf(buf, n, "took too long and was killed");
	else if (r->signal)
		(void)snprintf(buf, n, "was ended by signal %d", r->signal);
	else if (r->status != 0)
		(void)snprintf(buf, n, "exit status %d", r->status);
	else
		(void)snprintf(buf, n, "done");
	return buf;
}

static void on_reply(struct programs *p, const struct program_reply *r)
{
	char buf[120];

	for (size_t i = 0; i < WAITING_MAX; i++) {
		struct waiting *w = &p->waiting[i];

		if (w->id == r->id && r->id != 0) {
			tell(p, w, r->started && !r->timed_out && !r->signal && r->status == 0,
			     outcome(w->kind, r, buf, sizeof(buf)));
			return;
		}
	}
}

static void on_ready(void *arg, unsigned what)
{
	struct programs *p = arg;
	struct program_reply r;
	ssize_t n;

	(void)what;
	while ((n = recv(p->fd, &r, sizeof(r), MSG_DONTWAIT)) == (ssize_t)sizeof(r))
		on_reply(p, &r);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	log_error(p->env.log, "the process that runs hooks is gone");
	loop_fd_want(p->watch, 0);
	p->fd = -1;
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (p->waiting[i].id)
			tell(p, &p->waiting[i], false, "the process that runs hooks is gone");
}

struct programs *programs_create(const struct env *env, struct loop *loop, int fd, uint32_t id)
{
	struct programs *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->env = *env;
	p->fd = fd;
	p->id = (uint64_t)id << 32;
	p->watch = loop_fd_create(loop, fd, LOOP_READ, on_ready, p);
	if (p->watch)
		return p;
	free(p);
	return NULL;
}

void programs_destroy(struct programs *p)
{
	if (!p)
		return;
	loop_fd_destroy(p->watch);
	free(p);
}

static enum gw_err ask(struct programs *p, uint8_t kind, struct bytes input,
		       void (*done)(void *arg, bool ok, const char *text), void *arg, struct err *e)
{
	struct program_request r = { .id = ++p->id, .kind = kind, .n = (uint32_t)input.n };
	struct waiting *w = NULL;
	size_t whole = offsetof(struct program_request, input) + r.n;

	for (size_t i = 0; i < WAITING_MAX && !w; i++)
		if (p->waiting[i].id == 0)
			w = &p->waiting[i];
	if (r.n > sizeof(r.input))
		return err_set(e, GW_ELIMIT, "%s: too much to tell it", program_name(kind));
	if (!w)
		return err_set(e, GW_EBUSY, "%s: too many wait already", program_name(kind));
	memcpy(r.input, input.p, input.n);
	if (p->fd < 0 || send(p->fd, &r, whole, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)whole)
		return err_set(e, GW_EIO, "%s cannot be run: %s", program_name(kind),
			       p->fd < 0 ? "the process for it is gone" : strerror(errno));
	*w = (struct waiting){ r.id, kind, done, arg };
	return GW_OK;
}

enum gw_err programs_run(struct programs *p, enum program kind, const char *input,
			 void (*done)(void *arg, bool ok, const char *text), void *arg, struct err *e)
{
	return ask(p, (uint8_t)kind, bytes_str(input), done, arg, e);
}

void programs_configure(struct programs *p, const struct program_settings *now)
{
	struct err e = { 0 };

	if (ask(p, PROGRAM_SETTINGS, bytes_of(now, sizeof(*now)), NULL, NULL, &e) != GW_OK)
		log_warn(p->env.log, "%s", e.text);
}
