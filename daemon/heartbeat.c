#include "daemon/heartbeat.h"

#include "daemon/heartbeat_send.h"
#include "daemon/heartbeat_spare.h"
#include "esp/replay.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BURST = 32, PRIORITY = 10, STACK = 128 << 10, SEEN = 64, SEEN_WORDS = 2 };

#define STALL_MIN_US MILLISECONDS(500)

struct heartbeat {
	struct env env;
	struct loop *loop;
	struct heartbeat_ops ops;
	void *arg;
	struct beat_shared shared;
	int64_t detection_us;
	_Atomic bool quit;
	int kick_fd, tell_fd; /* loop -> thread, thread -> loop */

	/* the loop's */
	struct heartbeat_says saying;
	struct beat_keys keys;
	struct cell view;
	struct loop_fd *told;
	struct loop_timer *tick;
	uint64_t refused_known;
	struct ratelimit lines;
	pthread_t thread;
	struct beat_spare *spare;
	bool running, realtime;
	_Atomic bool awake; /* the thread: what it has read is not in the view yet */

	/* the thread's */
	struct beat_voice voice;
	struct heartbeat_view v;
	/* Two threads of the peer send, so that one heartbeat may overtake another: by path and kind. */
	struct {
		struct replay window;
		uint64_t bits[SEEN_WORDS];
	} seen[HEARTBEAT_PATHS][2];
	uint64_t said_sequence, after;
	bool stalled, notable, answer;
};

_Static_assert(sizeof(struct heartbeat_view) <= sizeof(uint64_t) * CELL_WORDS, "a cell is too small");
_Static_assert(sizeof(struct beat_keys) <= sizeof(uint64_t) * CELL_WORDS, "a cell is too small");

const char *heartbeat_refusal_text(enum heartbeat_refusal r)
{
	static const char *const texts[HEARTBEAT_REFUSALS] = {
		[HEARTBEAT_MALFORMED] = "malformed",
		[HEARTBEAT_ADDRESS] = "not the peer's address",
		[HEARTBEAT_STRANGER] = "another cluster, node or path",
		[HEARTBEAT_SECRET] = "another secret",
		[HEARTBEAT_REPLAY] = "seen before",
		[HEARTBEAT_STALE] = "not for this process",
	};

	return r < HEARTBEAT_REFUSALS ? texts[r] : "unknown";
}

/* ---- thread: sending ---- */

static void send_all(struct heartbeat *h, mtime now)
{
	struct beat_shared *sh = &h->shared;

	atomic_store(&sh->cpu, sched_getcpu());
	beat_send_all(sh, &h->voice, now);
	h->v.out = h->voice.out + atomic_load(&sh->spared) * sh->cfg.path_count;
	h->v.spared = atomic_load(&sh->spared);
	for (size_t i = 0; i < sh->cfg.path_count; i++)
		h->v.paths[i].send_errors = h->voice.send_errors[i];
	h->answer = false;
}

/* ---- thread: hearing ---- */

/* What makes the loop look at once; turn and exposed are read when it looks for something else. */
static bool says_differ(const struct heartbeat_says *a, const struct heartbeat_says *b)
{
	return a->role != b->role || a->term != b->term || a->priority != b->priority || a->synced != b->synced ||
	       a->config != b->config || a->leaving != b->leaving || a->service_up != b->service_up ||
	       a->asleep != b->asleep || a->exposes != b->exposes;
}

static bool verify(struct heartbeat *h, struct bytes in, mtime now)
{
	if (heartbeat_msg_verify(h->voice.crypto, bytes_of(h->voice.keys.key[0], PAIR_BEAT_KEY), in) == GW_OK)
		return true;
	return h->voice.keys.until_us > now.us &&
	       heartbeat_msg_verify(h->voice.crypto, bytes_of(h->voice.keys.key[1], PAIR_BEAT_KEY), in) == GW_OK;
}

/* A process of the peer that we did not know: incarnations only grow, so an old one's datagrams never get here. */
static void meet(struct heartbeat *h, const struct heartbeat_msg *m)
{
	h->v.incarnation = m->incarnation;
	atomic_store(&h->shared.known, m->incarnation);
	atomic_store(&h->shared.peer_boot, m->boot);
	h->said_sequence = 0;
	h->after = 0;
	h->answer = true;
	for (size_t i = 0; i < HEARTBEAT_PATHS; i++)
		for (size_t kind = 0; kind < 2; kind++)
			replay_init(&h->seen[i][kind].window, SEEN, 0, h->seen[i][kind].bits);
}

static void heed(struct heartbeat *h, const struct heartbeat_msg *m, size_t path, mtime now)
{
	bool stalled = (int64_t)m->loop_age_ms * 1000 >= h->shared.cfg.stall_us;

	if (m->kind == HEARTBEAT_WITHDRAWN) {
		h->notable = h->notable || !h->v.withdrawn;
		h->v.withdrawn = true;
		h->after = m->after;
		return;
	}
	h->notable = h->notable || h->v.paths[path].silent || h->v.paths[path].heard.us == 0;
	listening_heard(&h->v.ear);
	h->v.paths[path].heard = now;
	h->v.paths[path].silent = false;
	if (m->sequence < h->said_sequence)
		return; /* the slower path */
	/* What the daemon sent before it died may arrive behind its parent's word. */
	if (h->v.withdrawn && m->sequence > h->after) {
		h->v.withdrawn = false;
		h->notable = true;
	}
	h->notable = h->notable || !h->v.known || says_differ(&h->v.says, &m->says) || stalled != h->stalled;
	h->said_sequence = m->sequence;
	h->stalled = stalled;
	h->v.known = true;
	h->v.says = m->says;
	h->v.loop_age_us = (int64_t)m->loop_age_ms * 1000;
	h->v.at = now;
}

/* HEARTBEAT_REFUSALS: it counts. */
static enum heartbeat_refusal judge(struct heartbeat *h, struct bytes in, size_t path, mtime now)
{
	struct replay *seen;
	struct heartbeat_msg m;

	if (heartbeat_msg_parse(in, &m) != GW_OK)
		return HEARTBEAT_MALFORMED;
	if (strcmp(m.cluster, h->shared.cluster) != 0 || m.node != h->shared.cfg.peer || m.path != path)
		return HEARTBEAT_STRANGER;
	if (!verify(h, in, now))
		return HEARTBEAT_SECRET;
	/*
	 * It has met a process of ours that was not less than this one: the number of the last start is lost. Nobody
	 * can make us believe so by what was said to processes before, for their numbers were less.
	 */
	if (m.known >= h->shared.cfg.incarnation && m.echo != h->shared.boot && m.known > h->v.elder) {
		h->v.elder = m.known;
		h->notable = true;
	}
	if (m.incarnation < h->v.incarnation)
		return HEARTBEAT_REPLAY;
	if (atomic_load(&h->shared.peer_boot) == 0 || m.incarnation > h->v.incarnation) {
		if (m.kind != HEARTBEAT_NODE)
			return HEARTBEAT_STALE;
		meet(h, &m);
	}
	if (m.boot != atomic_load(&h->shared.peer_boot))
		return HEARTBEAT_REPLAY;
	if (m.echo != h->shared.boot)
		return HEARTBEAT_STALE;
	seen = &h->seen[path][m.kind].window;
	/* While a secret changes each is sent with both. */
	if (m.sequence == seen->top && h->voice.keys.until_us > now.us)
		return HEARTBEAT_REFUSALS;
	if (!replay_check(seen, m.sequence) || !replay_accept(seen, m.sequence))
		return HEARTBEAT_REPLAY;
	heed(h, &m, path, now);
	return HEARTBEAT_REFUSALS;
}

/* False: it is to go on at once. */
static bool hear(struct heartbeat *h, size_t i)
{
	struct beat_path *p = &h->shared.paths[i];

	for (int n = 0; n < BURST; n++) {
		uint8_t buf[HEARTBEAT_MAX + 1];
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct endpoint from = { 0 };
		ssize_t got = recvfrom(p->fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&ss, &len);
		enum heartbeat_refusal r;

		if (got < 0)
			return true;
		if (!endpoint_from_sockaddr(&from, (struct sockaddr *)&ss) || !addr_equal(&from.addr, &p->remote.addr))
			r = HEARTBEAT_ADDRESS;
		else if (got > HEARTBEAT_MAX)
			r = HEARTBEAT_MALFORMED;
		else
			r = judge(h, bytes_of(buf, (size_t)got), i, clock_now(h->env.clock));
		if (r == HEARTBEAT_REFUSALS)
			h->v.in++;
		else
			h->v.refused[r]++;
		if (h->notable)
			return false; /* the loop is told first; the rest is still there */
	}
	return true; /* a flood does not keep us from judging */
}

/* Paths that have become silent; when the next one will. */
static mtime silence(struct heartbeat *h, mtime now)
{
	mtime next = MTIME_NEVER;

	for (size_t i = 0; i < h->shared.cfg.path_count; i++) {
		mtime due = listening_due(&h->v.ear, h->v.paths[i].heard, h->detection_us);

		if (h->v.paths[i].silent || h->v.paths[i].heard.us == 0)
			continue;
		if (mtime_reached(due, now)) {
			h->v.paths[i].silent = true;
			h->notable = true;
		} else {
			next = mtime_min(next, due);
		}
	}
	return next;
}

static void drain(int fd)
{
	uint64_t v;

	(void)!read(fd, &v, sizeof(v));
}

static void poke(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void hear_all(struct heartbeat *h, mtime now)
{
	bool empty = true;

	for (size_t i = 0; i < h->shared.cfg.path_count; i++)
		empty = hear(h, i) && empty;
	if (empty)
		listening_read(&h->v.ear, now);
}

/* Until `due`, or there is something; returns the time. What has come is read in any case: who is late finds both. */
static mtime wait_until(struct heartbeat *h, mtime due, mtime now)
{
	struct pollfd f[HEARTBEAT_PATHS + 1] = { { .fd = h->kick_fd, .events = POLLIN } };
	int64_t us = due.us > now.us ? due.us - now.us : 0;
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	int n;

	for (size_t i = 0; i < h->shared.cfg.path_count; i++)
		f[i + 1] = (struct pollfd){ .fd = h->shared.paths[i].fd, .events = POLLIN };
	atomic_store(&h->awake, false);
	n = ppoll(f, h->shared.cfg.path_count + 1, &t, NULL);
	atomic_store(&h->awake, true);
	if (n > 0 && f[0].revents) {
		drain(h->kick_fd);
		h->answer = true;
	}
	now = clock_now(h->env.clock);
	listening_woke(&h->v.ear, due, now);
	hear_all(h, now);
	return now;
}

static void *run(void *arg)
{
	struct heartbeat *h = arg;
	mtime now = clock_now(h->env.clock), next = now;

	while (!atomic_load(&h->quit)) {
		mtime quiet;

		(void)cell_get(&h->shared.key, &h->voice.keys, sizeof(h->voice.keys));
		if (h->answer || mtime_reached(next, now)) {
			send_all(h, now);
			next = mtime_add(now, h->shared.cfg.interval_us);
		}
		quiet = silence(h, now);
		h->v.wakes = mtime_min(next, quiet);
		cell_put(&h->view, &h->v, sizeof(h->v));
		if (h->notable)
			poke(h->tell_fd);
		h->notable = false;
		now = wait_until(h, h->v.wakes, now);
	}
	/* The last word. */
	send_all(h, now);
	return NULL;
}

/* ---- loop ---- */

int64_t heartbeat_alive(struct heartbeat *h)
{
	int64_t now = clock_now(h->env.clock).us, before = atomic_exchange(&h->shared.alive_us, now);

	if (h->shared.cfg.page)
		atomic_store(&h->shared.cfg.page->alive_us, now);
	return before > 0 ? now - before : 0;
}

/* The thread writes for a microsecond at a time, and is never the one that waits. */
static void look(const struct heartbeat *h, struct heartbeat_view *out)
{
	while (!cell_get(&h->view, out, sizeof(*out)))
		(void)sched_yield();
}

static void log_refusals(struct heartbeat *h)
{
	struct heartbeat_view v;
	uint64_t sum = 0, more = 0;
	enum heartbeat_refusal most = 0;

	look(h, &v);
	/* A peer that starts sends stale ones: no news. */
	for (int i = 0; i < HEARTBEAT_STALE; i++) {
		sum += v.refused[i];
		most = v.refused[i] > v.refused[most] ? (enum heartbeat_refusal)i : most;
	}
	if (sum > h->refused_known && ratelimit_allow(&h->lines, loop_now(h->loop), &more)) {
		log_warn(h->env.log, "heartbeats refused: %llu, most of them: %s",
			 (unsigned long long)(sum - h->refused_known), heartbeat_refusal_text(most));
		h->refused_known = sum;
	}
}

static void on_tick(void *arg)
{
	struct heartbeat *h = arg;
	int64_t gap = heartbeat_alive(h);

	loop_timer_at(h->tick, mtime_add(clock_now(h->env.clock), h->shared.cfg.interval_us));
	if (gap > h->shared.cfg.interval_us + h->detection_us / 2 && h->ops.slept)
		h->ops.slept(h->arg, gap);
	log_refusals(h);
}

static void on_told(void *arg, unsigned what)
{
	struct heartbeat *h = arg;

	(void)what;
	drain(h->tell_fd);
	if (h->ops.changed)
		h->ops.changed(h->arg);
}

void heartbeat_say(struct heartbeat *h, const struct heartbeat_says *says)
{
	bool now = says_differ(&h->saying, says);

	h->saying = *says;
	cell_put(&h->shared.say, says, sizeof(*says));
	if (now)
		poke(h->kick_fd);
}

/* Neither waits in a socket nor is on its way from there into the view. In this order: read is what was seen. */
static bool all_is_read(const struct heartbeat *h)
{
	struct pollfd f[HEARTBEAT_PATHS];

	for (size_t i = 0; i < h->shared.cfg.path_count; i++)
		f[i] = (struct pollfd){ .fd = h->shared.paths[i].fd, .events = POLLIN };
	return poll(f, h->shared.cfg.path_count, 0) == 0 && !atomic_load(&h->awake);
}

void heartbeat_look(const struct heartbeat *h, struct heartbeat_view *out)
{
	mtime now = clock_now(h->env.clock);
	bool all = all_is_read(h);

	look(h, out);
	if (all && out->ear.until.us > 0)
		out->ear.until = listening_now(&out->ear, out->wakes, now);
}

enum gw_err heartbeat_set_secret(struct heartbeat *h, struct bytes secret, int64_t grace_us, struct err *e)
{
	WIPED struct secret key = { 0 };

	if (pairkeys_beat(h->env.crypto, secret, h->shared.cluster, &key) != GW_OK)
		return err_set(e, GW_EINTERNAL, "heartbeats: cannot derive a key from the secret");
	if (secret_equal(secret_bytes(&key), bytes_of(h->keys.key[0], PAIR_BEAT_KEY)))
		return GW_OK;
	memcpy(h->keys.key[1], h->keys.key[0], PAIR_BEAT_KEY);
	memcpy(h->keys.key[0], key.p, PAIR_BEAT_KEY);
	h->keys.until_us = grace_us > 0 ? clock_now(h->env.clock).us + grace_us : 0;
	cell_put(&h->shared.key, &h->keys, sizeof(h->keys));
	return GW_OK;
}

static enum gw_err open_path(struct beat_path *p, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&p->local, &ss);
	const int on = 1, urgent = 0xc0; /* CS6: network control */
	bool v6 = p->local.addr.family == 6;
	char text[ENDPOINT_TEXT];

	p->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return err_set(e, GW_EIO, "heartbeats: socket: %s", strerror(errno));
	/* The path's address may come later than we do. */
	(void)setsockopt(p->fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on));
	(void)setsockopt(p->fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS, &urgent, sizeof(urgent));
	if (bind(p->fd, (struct sockaddr *)&ss, n) != 0)
		return err_set(e, errno == EADDRINUSE ? GW_EEXIST : GW_EIO, "heartbeats: cannot bind %s: %s",
			       endpoint_text(&p->local, text), strerror(errno));
	n = sizeof(ss);
	if (getsockname(p->fd, (struct sockaddr *)&ss, &n) == 0)
		(void)!endpoint_from_sockaddr(&p->local, (struct sockaddr *)&ss);
	return GW_OK;
}

static enum gw_err open_all(struct heartbeat *h, struct bytes secret, struct err *e)
{
	for (size_t i = 0; i < h->shared.cfg.path_count; i++)
		TRY(open_path(&h->shared.paths[i], e));
	h->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->tell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->voice.crypto = crypto_create(e);
	h->tick = loop_timer_create(h->loop, on_tick, h);
	if (h->tell_fd >= 0)
		h->told = loop_fd_create(h->loop, h->tell_fd, LOOP_READ, on_told, h);
	if (h->kick_fd < 0 || !h->told || !h->tick || !h->voice.crypto)
		return err_set(e, GW_EIO, "heartbeats: out of memory or descriptors");
	while (h->shared.boot == 0)
		TRY(rng_fill(h->env.rng, &h->shared.boot, sizeof(h->shared.boot)));
	return heartbeat_set_secret(h, secret, 0, e);
}

struct heartbeat *heartbeat_create(const struct env *env, struct loop *loop, const struct heartbeat_config *cfg,
				   struct bytes secret, const struct heartbeat_ops *ops, void *arg, struct err *e)
{
	struct heartbeat *h = calloc(1, sizeof(*h));

	if (!h) {
		err_set(e, GW_ENOMEM, "heartbeats: out of memory");
		return NULL;
	}
	h->env = *env;
	h->loop = loop;
	h->ops = *ops;
	h->arg = arg;
	h->shared.cfg = *cfg;
	h->kick_fd = h->tell_fd = -1;
	atomic_store(&h->shared.cpu, -1);
	h->lines = (struct ratelimit){ .per_second = 1, .burst = 3 };
	h->detection_us = cfg->interval_us * cfg->misses;
	if (h->shared.cfg.path_count > HEARTBEAT_PATHS)
		h->shared.cfg.path_count = HEARTBEAT_PATHS;
	if (h->shared.cfg.stall_us == 0)
		h->shared.cfg.stall_us = cfg->interval_us * 10 > STALL_MIN_US ? cfg->interval_us * 10 : STALL_MIN_US;
	(void)snprintf(h->shared.cluster, sizeof(h->shared.cluster), "%s", cfg->cluster);
	for (size_t i = 0; i < HEARTBEAT_PATHS; i++) {
		h->shared.paths[i] =
			(struct beat_path){ .fd = -1, .local = cfg->paths[i].local, .remote = cfg->paths[i].remote };
		h->v.paths[i].silent = true;
	}
	if (open_all(h, secret, e) == GW_OK)
		return h;
	heartbeat_destroy(h);
	return NULL;
}

bool heartbeat_allow_realtime(void)
{
	const struct sched_param param = { .sched_priority = PRIORITY };
	const struct rlimit limit = { PRIORITY, PRIORITY };

	if (setrlimit(RLIMIT_RTPRIO, &limit) == 0)
		return true;
	/* Without CAP_SYS_RESOURCE, as in many containers: the caller does, until heartbeat_start() has made its heir.
	 */
	return sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

enum gw_err heartbeat_start(struct heartbeat *h, const struct heartbeat_says *says, struct err *e)
{
	const struct sched_param param = { .sched_priority = PRIORITY }, normal = { 0 };
	sigset_t all, before;
	pthread_attr_t attr;
	struct err no_spare = { 0 };
	int r;

	h->saying = *says;
	cell_put(&h->shared.say, says, sizeof(*says));
	cell_put(&h->view, &h->v, sizeof(h->v));
	(void)heartbeat_alive(h);
	atomic_store(&h->shared.sent_us, clock_now(h->env.clock).us);
	if (h->shared.cfg.page) {
		atomic_store(&h->shared.cfg.page->boot, h->shared.boot);
		atomic_store(&h->shared.cfg.page->incarnation, h->shared.cfg.incarnation);
	}
	if (pthread_attr_init(&attr) != 0)
		return err_set(e, GW_ENOMEM, "heartbeats: out of memory");
	(void)pthread_attr_setstacksize(&attr, STACK);
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&h->thread, &attr, run, h);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return err_set(e, GW_EIO, "heartbeats: no thread: %s", strerror(r));
	h->running = true;
	h->realtime = pthread_setschedparam(h->thread, SCHED_FIFO, &param) == 0;
	h->spare = beat_spare_start(&h->shared, h->env.clock, PRIORITY, &no_spare);
	(void)sched_setscheduler(0, SCHED_OTHER, &normal);
	if (no_spare.code != GW_OK)
		log_notice(h->env.log, "%s: a processor that stands still may look like a dead node", no_spare.text);
	if (!h->realtime)
		log_notice(h->env.log, "heartbeats run without real-time priority: a busy machine may look dead");
	loop_timer_at(h->tick, mtime_add(clock_now(h->env.clock), h->shared.cfg.interval_us));
	return GW_OK;
}

void heartbeat_destroy(struct heartbeat *h)
{
	if (!h)
		return;
	/* First, so that the last word is the last. */
	beat_spare_stop(h->spare);
	if (h->running) {
		atomic_store(&h->quit, true);
		poke(h->kick_fd);
		(void)pthread_join(h->thread, NULL);
	}
	loop_fd_destroy(h->told);
	loop_timer_destroy(h->tick);
	crypto_destroy(h->voice.crypto);
	for (size_t i = 0; i < HEARTBEAT_PATHS; i++)
		if (h->shared.paths[i].fd >= 0)
			(void)close(h->shared.paths[i].fd);
	if (h->kick_fd >= 0)
		(void)close(h->kick_fd);
	if (h->tell_fd >= 0)
		(void)close(h->tell_fd);
	secret_wipe(h, sizeof(*h));
	free(h);
}

uint16_t heartbeat_port(const struct heartbeat *h, size_t i)
{
	return h->shared.paths[i].local.port;
}

void heartbeat_set_remote(struct heartbeat *h, size_t i, const struct endpoint *to)
{
	h->shared.paths[i].remote = *to;
}

bool heartbeat_is_realtime(const struct heartbeat *h)
{
	return h->realtime;
}
