/*
 * The process that runs programs. Single-threaded, waits in poll(), holds nothing but the socket and what runs. The
 * configuration file is read by a child, which has secrets in memory for that long; paths and times come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/load.h"
#include "core/clock.h"
#include "daemon/programs_wire.h"

enum { QUEUE_MAX = 16, ENVIRONMENT_MAX = 8 };

#define READING_US SECONDS(10)

_Static_assert(sizeof(struct program_settings) <= PIPE_BUF, "settings come through a pipe in several pieces");

struct kind {
	struct program_request queue[QUEUE_MAX];
	unsigned first, count;
	/* what runs */
	pid_t pid; /* 0: nothing; its process group, too */
	int pidfd;
	uint64_t id;
	mtime until;
	bool killed;
};

/* A child that reads the configuration. */
struct reading {
	pid_t pid; /* 0: none */
	int pipe;
	mtime until;
	uint64_t id; /* who asked for it */
	bool again;  /* asked for since */
};

struct runner {
	int fd;
	const char *file;
	struct program_settings is, said; /* read; by the daemon */
	struct reading reading;
	bool open; /* somebody can ask still */
	struct kind kinds[PROGRAM_KINDS];
};

static mtime now(void)
{
	return clock_now(clock_system());
}

static void reply(struct runner *r, const struct program_reply *what)
{
	(void)send(r->fd, what, sizeof(*what), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Our environment may hold secrets of the configuration ({env: NAME}): what a program needs of it by name, no more. */
static void environment(char *out[ENVIRONMENT_MAX + 1])
{
	static const char *const passed[] = { "PATH=", "HOME=", "TZ=", "LANG=", "LC_ALL=" };
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t n = 0;

	if (!getenv("PATH"))
		out[n++] = path;
	for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++) {
		for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
			if (strncmp(*e, passed[i], strlen(passed[i])) == 0) {
				out[n++] = *e;
				break;
			}
		}
	}
	out[n] = NULL;
}

/* A session of its own, so that all that it starts can be ended with it. Returns errno. */
static int spawn(const char *path, int input, pid_t *pid)
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	char *envp[ENVIRONMENT_MAX + 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	environment(envp);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (posix_spawnattr_init(&attr) != 0)
		return ENOMEM;
	if (posix_spawn_file_actions_init(&files) != 0) {
		(void)posix_spawnattr_destroy(&attr);
		return ENOMEM;
	}
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn(pid, path, &files, &attr, argv, envp);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return r;
}

/* Returns errno. */
static int start(const char *path, struct kind *k, const struct program_request *q)
{
	int in[2], error = 0;

	if (!path[0])
		return ENOENT;
	if (pipe2(in, O_CLOEXEC) != 0)
		return errno;
	/* It fits into the pipe: nobody waits. */
	if (write(in[1], q->input, q->n) != (ssize_t)q->n)
		error = EIO;
	else
		error = spawn(path, in[0], &k->pid);
	(void)close(in[0]);
	(void)close(in[1]);
	if (!error) {
		k->pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
		if (k->pidfd < 0) {
			error = errno;
			(void)kill(-k->pid, SIGKILL);
			(void)waitpid(k->pid, NULL, 0);
		}
	}
	if (error)
		k->pid = 0;
	return error;
}

static void start_next(struct runner *r, struct kind *k)
{
	while (k->pid == 0 && k->count > 0 && r->reading.pid == 0) {
		const struct program_request *q = &k->queue[k->first];
		int error = start(r->is.paths[k - r->kinds], k, q);

		k->id = q->id;
		k->until = mtime_add(now(), r->is.timeout_us);
		k->killed = false;
		if (error)
			reply(r, &(struct program_reply){ .id = q->id, .status = error });
		k->first = (k->first + 1) % QUEUE_MAX;
		k->count--;
	}
}

/* ---- reading the configuration ---- */

static void read_settings(const char *file, int to)
{
	struct program_settings out;
	struct config_report report = { 0 };
	struct settings *s;

	(void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	s = config_load_file(file, NULL, &report);
	if (!s)
		return; /* the daemon has said what is wrong with it, or will */
	programs_settings(&s->ha, &out);
	settings_unref(s);
	(void)!write(to, &out, sizeof(out));
}

/* Returns errno. */
static int start_reading(struct runner *r)
{
	int out[2], error;
	pid_t pid;

	if (!r->file)
		return ENOENT;
	if (pipe2(out, O_CLOEXEC) != 0)
		return errno;
	pid = fork();
	if (pid == 0) {
		read_settings(r->file, out[1]);
		_exit(EXIT_SUCCESS);
	}
	error = errno;
	(void)close(out[1]);
	if (pid < 0) {
		(void)close(out[0]);
		return error;
	}
	r->reading.pid = pid;
	r->reading.pipe = out[0];
	r->reading.until = mtime_add(now(), READING_US);
	return 0;
}

static bool as_said(const struct runner *r)
{
	return memcmp(&r->is, &r->said, sizeof(r->is)) == 0;
}

static void answer_reading(struct runner *r, int error)
{
	reply(r, &(struct program_reply){ .id = r->reading.id, .status = error, .started = error == 0 });
}

static void on_settings(struct runner *r, const struct program_request *q)
{
	int error;

	memcpy(&r->said, q->input, sizeof(r->said));
	if (r->reading.pid) {
		answer_reading(r, 0); /* whoever asked before is content with what comes now */
		r->reading.id = q->id;
		r->reading.again = true;
		return;
	}
	r->reading.id = q->id;
	error = as_said(r) ? 0 : start_reading(r);
	if (error || as_said(r))
		answer_reading(r, error);
}

static void on_read(struct runner *r)
{
	struct program_settings got;
	bool whole = read(r->reading.pipe, &got, sizeof(got)) == (ssize_t)sizeof(got);
	int error = whole ? 0 : EIO;

	(void)close(r->reading.pipe);
	(void)waitpid(r->reading.pid, NULL, 0);
	r->reading.pid = 0;
	if (whole)
		r->is = got;
	if (r->reading.again && !as_said(r))
		error = start_reading(r);
	r->reading.again = false;
	if (r->reading.pid)
		return;
	answer_reading(r, error ? error : as_said(r) ? 0 : ESTALE);
	for (size_t i = 0; i < PROGRAM_KINDS; i++)
		start_next(r, &r->kinds[i]);
}

/* ---- asked and done ---- */

bool program_request_check(const struct program_request *q, size_t n)
{
	const size_t head = offsetof(struct program_request, input);

	if (n < head || q->n > sizeof(q->input) || n != head + q->n)
		return false;
	return q->kind < PROGRAM_SETTINGS || (q->kind == PROGRAM_SETTINGS && q->n == sizeof(struct program_settings));
}

static void on_request(struct runner *r)
{
	struct program_request q;
	ssize_t n = recv(r->fd, &q, sizeof(q), MSG_DONTWAIT);
	struct kind *k;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		r->open = false;
		return;
	}
	if (n < 0 || !program_request_check(&q, (size_t)n))
		return;
	if (q.kind == PROGRAM_SETTINGS) {
		on_settings(r, &q);
		return;
	}
	k = &r->kinds[q.kind];
	if (k->count == QUEUE_MAX) {
		reply(r, &(struct program_reply){ .id = q.id, .status = EAGAIN });
		return;
	}
	k->queue[(k->first + k->count++) % QUEUE_MAX] = q;
	start_next(r, k);
}

static void on_end(struct runner *r, struct kind *k)
{
	int status = 0;

	(void)waitpid(k->pid, &status, 0);
	/* What it has left behind in its session goes, too, when its time was over. */
	if (k->killed)
		(void)kill(-k->pid, SIGKILL);
	(void)close(k->pidfd);
	k->pid = 0;
	reply(r, &(struct program_reply){ .id = k->id,
					  .status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
					  .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
					  .started = true,
					  .timed_out = k->killed });
	start_next(r, k);
}

static bool busy(const struct runner *r)
{
	for (size_t i = 0; i < PROGRAM_KINDS; i++)
		if (r->kinds[i].pid != 0)
			return true;
	return false;
}

/* Ends those whose time is over; milliseconds until the next one's is, -1: none runs. */
static int watch_time(struct runner *r)
{
	int64_t least = -1;

	if (r->reading.pid) {
		least = mtime_since(now(), r->reading.until);
		if (least <= 0) {
			(void)kill(r->reading.pid, SIGKILL); /* its end of the pipe is closed then */
			least = READING_US;
		}
	}

	for (size_t i = 0; i < PROGRAM_KINDS; i++) {
		struct kind *k = &r->kinds[i];
		int64_t left = mtime_since(now(), k->until);

		if (k->pid == 0 || k->killed)
			continue;
		if (left <= 0) {
			k->killed = true;
			(void)kill(-k->pid, SIGKILL);
		} else if (least < 0 || left < least) {
			least = left;
		}
	}
	return least < 0 ? -1 : (int)(least / 1000) + 1;
}

static void run(struct runner *r)
{
	while (r->open || busy(r)) {
		struct pollfd f[2 + PROGRAM_KINDS] = { { .fd = r->open ? r->fd : -1, .events = POLLIN } };
		int wait = watch_time(r);

		for (size_t i = 0; i < PROGRAM_KINDS; i++)
			f[1 + i] = (struct pollfd){ .fd = r->kinds[i].pid ? r->kinds[i].pidfd : -1, .events = POLLIN };
		f[1 + PROGRAM_KINDS] = (struct pollfd){ .fd = r->reading.pid ? r->reading.pipe : -1, .events = POLLIN };
		(void)poll(f, ARRAY_LEN(f), wait);
		for (size_t i = 0; i < PROGRAM_KINDS; i++)
			if (f[1 + i].revents)
				on_end(r, &r->kinds[i]);
		if (f[1 + PROGRAM_KINDS].revents)
			on_read(r);
		if (f[0].revents)
			on_request(r);
	}
}

static void runner_main(const struct program_settings *first, const char *file, int fd)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	/* The end of gatewayd is the end of the socket; until then what runs is to come to its own end. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_NAME, "gatewayd-hooks", 0L, 0L, 0L);
	r->fd = fd;
	r->file = file;
	r->is = *first;
	r->open = true;
	run(r);
	free(r);
}

enum gw_err programs_fork(const struct program_settings *first, const char *file, int *fd, struct err *e)
{
	int pair[2], status = 0;
	pid_t pid;

	*fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(e, GW_EIO, "hooks: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		pid = fork();
		if (pid == 0)
			runner_main(first, file, pair[1]);
		_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	(void)close(pair[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		(void)close(pair[0]);
		return err_set(e, GW_EIO, "hooks: no process for them");
	}
	*fd = pair[0];
	return GW_OK;
}
