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
	enum program kind;
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

const char *program_name(enum program kind)
{
	return kind == PROGRAM_FENCE ? "hooks.fence" : "hooks.role";
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

static void on_reply(struct programs *p, const struct program_reply *r)
{
	char text[80] = "done";

	if (!r->started)
		(void)snprintf(text, sizeof(text), "cannot be started: %s", strerror(r->status));
	else if (r->timed_out)
		(void)snprintf(text, sizeof(text), "took too long and was killed");
	else if (r->signal)
		(void)snprintf(text, sizeof(text), "was ended by signal %d", r->signal);
	else if (r->status != 0)
		(void)snprintf(text, sizeof(text), "exit status %d", r->status);
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (p->waiting[i].id == r->id && r->id != 0) {
			tell(p, &p->waiting[i], r->started && !r->timed_out && !r->signal && r->status == 0, text);
			return;
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

enum gw_err programs_run(struct programs *p, enum program kind, const char *input,
			 void (*done)(void *arg, bool ok, const char *text), void *arg, struct err *e)
{
	struct program_request r = { .id = ++p->id, .kind = (uint8_t)kind, .n = (uint32_t)strlen(input) };
	struct waiting *w = NULL;
	size_t whole = offsetof(struct program_request, input) + r.n;

	for (size_t i = 0; i < WAITING_MAX && !w; i++)
		if (p->waiting[i].id == 0)
			w = &p->waiting[i];
	if (r.n > sizeof(r.input))
		return err_set(e, GW_ELIMIT, "%s: too much to tell it", program_name(kind));
	if (!w)
		return err_set(e, GW_EBUSY, "%s: too many wait already", program_name(kind));
	memcpy(r.input, input, r.n);
	if (p->fd < 0 || send(p->fd, &r, whole, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)whole)
		return err_set(e, GW_EIO, "%s cannot be run: %s", program_name(kind),
			       p->fd < 0 ? "the process for it is gone" : strerror(errno));
	*w = (struct waiting){ r.id, kind, done, arg };
	return GW_OK;
}
