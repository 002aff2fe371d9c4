#include "daemon/parent.h"

#include "daemon/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MAX_MS = 5000,
	STEADY_S = 10, /* a daemon that ran for so long starts again at once */
	TELLS = 3,
	LINK_FD = 1000, /* above all others of the daemon, or most */
	EXIT_KILLED = 1,
	PRIORITY = 10, /* as the thread of the heartbeats */
};

struct shared {
	struct heartbeat_page page;
	struct lifeline life;
};

struct parent {
	const struct parent_options *opt;
	struct log *log;
	struct shared *shared;
	struct heartbeat_page *page; /* in it */
	struct lifeline_watch *life; /* owned; NULL: the end of `link` has to do */
	struct parent_brief *brief;  /* owned */
	bool briefed;		     /* this daemon has told it */
	bool ever;		     /* or one before it */
	struct nl_socket nl;
	struct crypto *crypto;
	int signals;
	sigset_t mask_before;
	pid_t child;
	int pidfd, link;
	mtime started;
	int64_t backoff_ms;
	uint64_t sequence;
	bool stopping;
};

static mtime now(void)
{
	return clock_now(clock_system());
}

/* ---- taking away, and saying so ---- */

static void withdraw(struct parent *p)
{
	for (uint32_t i = 0; i < p->brief->address_count; i++) {
		struct err e = { 0 };
		enum gw_err r = ifaddr_drop(&p->nl, &p->brief->addresses[i], &e);

		if (r != GW_OK && r != GW_ENOTFOUND)
			log_error(p->log, "parent: %s", e.text);
	}
}

static void tell_path(struct parent *p, size_t i, struct heartbeat_msg *m)
{
	struct endpoint from = { p->brief->paths[i].local.addr, 0 };
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&from, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&ss, len) == 0) {
		len = (socklen_t)endpoint_to_sockaddr(&p->brief->paths[i].remote, &ss);
		for (int k = 0; k < TELLS; k++) {
			uint8_t buf[HEARTBEAT_MAX];
			size_t n;

			m->sequence = ++p->sequence;
			n = heartbeat_msg_write(p->crypto, bytes_of(p->brief->beat_key, PAIR_BEAT_KEY), m, buf);
			if (n > 0)
				(void)sendto(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len);
		}
	}
	(void)close(fd);
}

static void tell(struct parent *p)
{
	struct heartbeat_msg m = { .kind = HEARTBEAT_WITHDRAWN,
				   .node = p->brief->node,
				   .incarnation = atomic_load(&p->page->incarnation),
				   .boot = atomic_load(&p->page->boot),
				   .echo = atomic_load(&p->page->peer_boot),
				   .after = atomic_load(&p->page->sequence) };

	memcpy(m.cluster, p->brief->cluster, sizeof(m.cluster));
	for (size_t i = 0; i < p->brief->path_count; i++) {
		m.path = (uint8_t)i;
		tell_path(p, i, &m);
	}
}

/*
 * The other node first: it takes the addresses, announced, within a millisecond; while taking them away here may have
 * to wait for tens of them, as the kernel holds its lock on devices while it ends the TUN device of the dead. What dies
 * does not speak any more, so there is nothing to be fenced.
 */
static void step_in(struct parent *p, const char *why)
{
	if (!p->briefed)
		return;
	p->briefed = false;
	tell(p);
	withdraw(p);
	log_error(p->log, "%s: the other node knows, and its addresses are taken away", why);
}

/* ---- the daemon's process ---- */

/* It does next to nothing, but that at once, however busy the machine is. Where it is not allowed to, as others do. */
static void be_urgent(bool urgent)
{
	const struct sched_param param = { .sched_priority = urgent ? PRIORITY : 0 };

	(void)sched_setscheduler(0, urgent ? SCHED_FIFO : SCHED_OTHER, &param);
}

static int child_main(struct parent *p, int fd, pid_t parent)
{
	struct parent_link link = { .fd = fd, .page = p->page };

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGTERM, 0L, 0L, 0L);
	if (getppid() != parent)
		return EXIT_FAILURE; /* it died before we asked */
	be_urgent(false);
	lifeline_hold(&p->shared->life);
	(void)close(p->signals);
	nl_close(&p->nl);
	crypto_destroy(p->crypto);
	secret_wipe(p->brief, sizeof(*p->brief));
	(void)sigprocmask(SIG_SETMASK, &p->mask_before, NULL);
	return p->opt->daemon(p->opt->arg, &link);
}

/*
 * The kernel closes what a dying process had open from the highest number down, and waits for a TUN device or a packet
 * socket for tens of milliseconds. So the end of the link that tells of the death is the highest.
 */
static int highest(int fd)
{
	struct rlimit limit;
	int high;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, limit.rlim_cur > LINK_FD ? LINK_FD : (int)limit.rlim_cur - 1);
	if (high < 0)
		return fd;
	(void)close(fd);
	return high;
}

static bool start(struct parent *p)
{
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	atomic_store(&p->page->alive_us, 0);
	atomic_store(&p->page->boot, 0);
	atomic_store(&p->page->peer_boot, 0);
	atomic_store(&p->page->sequence, 0);
	if (lifeline_init(&p->shared->life) != GW_OK)
		log_warn(p->log, "parent: the death of the daemon is seen some milliseconds later than it could be");
	p->started = now();
	p->child = fork();
	if (p->child == 0) {
		(void)close(pair[0]);
		exit(child_main(p, highest(pair[1]), self));
	}
	(void)close(pair[1]);
	p->link = pair[0];
	p->pidfd = p->child > 0 ? (int)syscall(SYS_pidfd_open, p->child, 0) : -1;
	if (p->child > 0 && p->pidfd >= 0)
		return true;
	if (p->child > 0) {
		(void)kill(p->child, SIGKILL);
		(void)waitpid(p->child, NULL, 0);
	}
	(void)close(p->link);
	return false;
}

/* False: the daemon has closed its end. */
static bool on_link(struct parent *p)
{
	struct parent_brief *b = malloc(sizeof(*b));
	ssize_t n = b ? recv(p->link, b, sizeof(*b), MSG_DONTWAIT) : -1;

	if (n == (ssize_t)sizeof(*b) && b->path_count <= HEARTBEAT_PATHS && b->address_count <= PARENT_ADDRESSES &&
	    memchr(b->cluster, 0, sizeof(b->cluster))) {
		*p->brief = *b;
		p->briefed = p->ever = true;
		if (!p->life)
			p->life = lifeline_watch(&p->shared->life);
	}
	if (b)
		secret_wipe(b, sizeof(*b));
	free(b);
	return n != 0;
}

static void on_signal(struct parent *p)
{
	struct signalfd_siginfo s;

	if (read(p->signals, &s, sizeof(s)) != (ssize_t)sizeof(s))
		return;
	if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT)
		p->stopping = true;
	/* The terminal's own reached the daemon, too. */
	if (s.ssi_code != SI_KERNEL)
		(void)kill(p->child, (int)s.ssi_signo);
}

static bool stalled(const struct parent *p)
{
	int64_t alive = atomic_load(&p->page->alive_us);

	return p->briefed && p->brief->stall_us > 0 && alive > 0 && now().us - alive > p->brief->stall_us;
}

/* Its main thread, or all of it but the process, is gone. */
static void ends(struct parent *p)
{
	if (!p->stopping)
		step_in(p, "gatewayd is ending");
}

/* Until the daemon has ended; its status as of waitpid(). */
static int watch(struct parent *p)
{
	bool dying = false;
	int status = 0;

	for (;;) {
		struct pollfd f[] = { { .fd = p->pidfd, .events = POLLIN },
				      { .fd = p->signals, .events = POLLIN },
				      { .fd = p->link, .events = POLLIN },
				      { .fd = dying ? -1 : lifeline_fd(p->life), .events = POLLIN } };
		int64_t ms = p->briefed && p->brief->stall_us > 0 ? p->brief->stall_us / 4000 + 1 : -1;

		(void)poll(f, ARRAY_LEN(f), ms < 0 ? -1 : (int)ms);
		if (f[3].revents) {
			dying = true;
			ends(p);
		}
		if (f[2].revents && !on_link(p)) {
			/* Its descriptors go before the process does: what the network has to wait for takes long. */
			(void)close(p->link);
			p->link = -1;
			ends(p);
		}
		if (f[0].revents & POLLIN) {
			(void)waitpid(p->child, &status, 0);
			return status;
		}
		if (f[1].revents & POLLIN)
			on_signal(p);
		if (stalled(p)) {
			/* It could not speak for itself any more; what it would do if it woke up is nothing good. */
			(void)kill(p->child, SIGKILL);
			step_in(p, "gatewayd stands still");
		}
	}
}

/* Waits before the next start, unless told to stop. */
static void pause_before(struct parent *p)
{
	mtime until;

	if (mtime_since(p->started, now()) > SECONDS(STEADY_S))
		p->backoff_ms = 0;
	p->backoff_ms = p->backoff_ms == 0 ? BACKOFF_FIRST_MS : p->backoff_ms * 2;
	if (p->backoff_ms > BACKOFF_MAX_MS)
		p->backoff_ms = BACKOFF_MAX_MS;
	until = mtime_add(now(), MILLISECONDS(p->backoff_ms));
	while (!p->stopping && !mtime_reached(until, now())) {
		struct pollfd f = { .fd = p->signals, .events = POLLIN };
		struct signalfd_siginfo s;

		if (poll(&f, 1, (int)(mtime_since(now(), until) / 1000) + 1) == 1 &&
		    read(p->signals, &s, sizeof(s)) == (ssize_t)sizeof(s))
			p->stopping = s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT;
	}
}

static int run(struct parent *p)
{
	struct err e = { 0 };
	int status;

	p->page = &p->shared->page;
	be_urgent(true);
	if (p->opt->rest && p->opt->rest(p->log, &e) != GW_OK)
		log_warn(p->log, "parent: %s", e.text);
	for (;;) {
		if (!start(p)) {
			log_error(p->log, "parent: cannot start the daemon: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		status = watch(p);
		lifeline_unwatch(p->life);
		p->life = NULL;
		(void)close(p->pidfd);
		if (p->link >= 0)
			(void)close(p->link);
		p->link = p->pidfd = -1;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			step_in(p, "gatewayd is dead");
		if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || p->stopping || !p->ever))
			return WEXITSTATUS(status);
		if (p->stopping || !p->ever)
			return EXIT_KILLED;
		log_error(p->log, "gatewayd ended (%s %d): it is started again",
			  WIFSIGNALED(status) ? "signal" : "exit status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		p->briefed = false;
		pause_before(p);
		if (p->stopping)
			return EXIT_SUCCESS;
	}
}

int parent_run(const struct parent_options *opt)
{
	struct parent p = { .opt = opt, .log = opt->log, .signals = -1, .pidfd = -1, .link = -1, .nl = { .fd = -1 } };
	struct err e = { 0 };
	int status = EXIT_FAILURE;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, &p.mask_before);
	p.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p.brief = calloc(1, sizeof(*p.brief));
	p.shared = mmap(NULL, sizeof(*p.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p.crypto = crypto_create(&e);
	if (p.signals < 0 || !p.brief || p.shared == MAP_FAILED || !p.crypto ||
	    nl_open(NETLINK_ROUTE, &p.nl, &e) != GW_OK)
		log_error(p.log, "parent: cannot start: %s", e.text[0] ? e.text : strerror(errno));
	else
		status = run(&p);
	nl_close(&p.nl);
	crypto_destroy(p.crypto);
	if (p.brief)
		secret_wipe(p.brief, sizeof(*p.brief));
	free(p.brief);
	if (p.shared != MAP_FAILED)
		(void)munmap(p.shared, sizeof(*p.shared));
	if (p.signals >= 0)
		(void)close(p.signals);
	(void)sigprocmask(SIG_SETMASK, &p.mask_before, NULL);
	return status;
}

enum gw_err parent_tell(const struct parent_link *link, const struct parent_brief *brief, struct err *e)
{
	if (send(link->fd, brief, sizeof(*brief), MSG_NOSIGNAL) == (ssize_t)sizeof(*brief))
		return GW_OK;
	return err_set(e, GW_EIO, "telling the parent process: %s", strerror(errno));
}
