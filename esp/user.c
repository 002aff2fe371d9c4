#include "esp/user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/tun.h"
#include "esp/user_state.h"

enum {
	KICK = 0xffff,	   /* epoll's mark of the loop's eventfd */
	EVENTS_MAX = 4096, /* other than completions */
	BUSY_MAX = 8192,
	SOCKET_BUFFER = 4 << 20,
	MTU = 1400,
	IDLE_S = 60, /* a cipher that was not used for so long is dropped */
};

void user_lock(struct user_plane *u)
{
	(void)pthread_mutex_lock(&u->gate);
	(void)pthread_mutex_lock(&u->lock);
	(void)pthread_mutex_unlock(&u->gate);
}

void user_unlock(struct user_plane *u)
{
	(void)pthread_mutex_unlock(&u->lock);
}

/* ---- the thread ---- */

/* Once a second: idle ciphers go, failed sources are tried again. */
static void sweep(struct user_plane *u)
{
	if (u->now.us - u->swept.us < SECONDS(1))
		return;
	u->swept = u->now;
	sad_sweep(u->sad, mtime_add(u->now, -SECONDS(IDLE_S)));
	for (size_t i = 0; i < USER_SOURCES; i++) {
		struct user_source *s = &u->sources[i];
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		if (s->kind == SOURCE_NONE || !s->resting)
			continue;
		s->resting = epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) != 0;
	}
}

/* How long the next wait may be, ms: not at all while a source may have more. */
static int patience(const struct user_plane *u)
{
	bool due = sad_busy(u->sad) > 0;

	for (size_t i = 0; i < USER_SOURCES; i++) {
		if (u->sources[i].hot)
			return 0;
		due = due || u->sources[i].resting;
	}
	return due ? 1000 : -1;
}

/* One burst of every source that has something; returns the patience for the next wait. */
static int turn(struct user_plane *u, const struct epoll_event *events, int n)
{
	bool kicked = false;
	int wait;

	user_lock(u);
	u->now = clock_now(u->clock);
	for (int i = 0; i < n; i++)
		if (events[i].data.u32 == KICK)
			kicked = true;
		else
			u->sources[events[i].data.u32].hot = true;
	if (kicked) {
		user_eventfd_clear(u->kick_fd);
		user_apply(u);
	}
	for (size_t i = 0; i < USER_SOURCES; i++) {
		struct user_source *s = &u->sources[i];

		if (s->hot && s->kind != SOURCE_NONE)
			user_drain(u, s);
		else
			s->hot = false;
	}
	sweep(u);
	wait = patience(u);
	user_unlock(u);
	return wait;
}

static void *thread_main(void *arg)
{
	struct user_plane *u = arg;
	struct epoll_event events[USER_SOURCES + 1];
	int wait = 0;

	while (!atomic_load(&u->stop)) {
		int n = epoll_wait(u->epoll_fd, events, (int)ARRAY_LEN(events), wait);

		wait = turn(u, events, n < 0 ? 0 : n);
	}
	return NULL;
}

/*
 * Signals are the loop's: the thread is born with all of them blocked. And it is not urgent, whatever its maker is: in
 * real time it would push heartbeats aside.
 */
static int start_thread(struct user_plane *u)
{
	const struct sched_param normal = { 0 };
	sigset_t all, before;
	pthread_attr_t attr;
	int number;

	number = pthread_attr_init(&attr);
	if (number != 0)
		return number;
	(void)pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	(void)pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
	(void)pthread_attr_setschedparam(&attr, &normal);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	number = pthread_create(&u->thread, &attr, thread_main, u);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	u->running = number == 0;
	if (u->running)
		(void)pthread_setname_np(u->thread, "esp");
	return number;
}

/* ---- ops ---- */

static enum gw_err user_query(struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct user_plane *u = user_self(dp);
	const struct sad_sa *sa;

	user_lock(u);
	sa = sad_find(u->sad, id);
	if (sa)
		sad_state(sa, out);
	user_unlock(u);
	return sa ? GW_OK : GW_ENOTFOUND;
}

static size_t user_dump(struct dataplane *dp, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct user_plane *u = user_self(dp);
	size_t n;

	user_lock(u);
	n = sad_dump(u->sad, cookie, out, max);
	user_unlock(u);
	return n;
}

static size_t user_take_used(struct dataplane *dp, struct dp_sa_state *out, size_t max)
{
	struct user_plane *u = user_self(dp);
	size_t n;

	user_lock(u);
	n = sad_take_used(u->sad, out, max);
	user_unlock(u);
	return n;
}

static void user_set_open(struct dataplane *dp, enum dp_gate gate)
{
	struct user_plane *u = user_self(dp);

	user_lock(u);
	u->passes = gate;
	user_unlock(u);
}

void user_plane_set_pulse(struct dataplane *dp, const _Atomic int64_t *turning, int64_t max_us)
{
	struct user_plane *u = user_self(dp);

	user_lock(u);
	u->turning = turning;
	u->turning_max_us = max_us;
	user_unlock(u);
}

static size_t user_stats(struct dataplane *dp, struct dp_stat *out, size_t max)
{
	static const char *const names[ST_COUNT] = {
		[ST_IN_PACKETS] = "in_packets",
		[ST_IN_BYTES] = "in_bytes",
		[ST_OUT_PACKETS] = "out_packets",
		[ST_OUT_BYTES] = "out_bytes",
		[ST_IN_DUMMY] = "in_dummy",
		[ST_IN_NO_SA] = "in_no_sa",
		[ST_IN_REPLAY] = "in_replay",
		[ST_IN_BAD_ICV] = "in_bad_icv",
		[ST_IN_MALFORMED] = "in_malformed",
		[ST_IN_BAD_POLICY] = "in_bad_policy",
		[ST_IN_ECN] = "in_ecn",
		[ST_IN_SHUT] = "in_shut",
		[ST_IN_ERROR] = "in_errors",
		[ST_TUN_ERROR] = "tun_errors",
		[ST_OUT_MALFORMED] = "out_malformed",
		[ST_OUT_NO_POLICY] = "out_no_policy",
		[ST_OUT_NO_SA] = "out_no_sa",
		[ST_OUT_FENCE] = "out_fence",
		[ST_OUT_TOO_BIG] = "out_too_big",
		[ST_OUT_SHUT] = "out_shut",
		[ST_OUT_ERROR] = "out_errors",
		[ST_SEND_ERROR] = "send_errors",
		[ST_KEEPALIVE] = "keepalives",
		[ST_IKE] = "ike_datagrams",
		[ST_IKE_LOST] = "ike_lost",
	};
	struct user_plane *u = user_self(dp);

	user_lock(u);
	for (size_t i = 0; i < ST_COUNT && i < max; i++)
		out[i] = (struct dp_stat){ names[i], u->stats[i] };
	user_unlock(u);
	return ST_COUNT;
}

static void user_input_udp(struct dataplane *dp, const struct endpoint *from, const struct endpoint *to, uint8_t tos,
			   uint8_t *esp, size_t n)
{
	struct user_plane *u = user_self(dp);
	struct packet p = { esp, n, 0, n };

	(void)to;
	user_lock(u);
	u->now = clock_now(u->clock);
	user_inbound(u, from, true, tos, &p);
	user_unlock(u);
}

static const struct dp_caps *user_caps(const struct dataplane *dp)
{
	return &user_self(dp)->caps;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void user_destroy(struct dataplane *dp)
{
	struct user_plane *u = user_self(dp);

	if (!dp)
		return;
	if (u->running) {
		atomic_store(&u->stop, true);
		user_eventfd_set(u->kick_fd);
		(void)pthread_join(u->thread, NULL);
	}
	for (size_t i = 0; i < USER_SOURCES; i++)
		if (u->sources[i].kind == SOURCE_TUN || u->sources[i].kind == SOURCE_RAW)
			close_fd(u->sources[i].fd);
	close_fd(u->epoll_fd);
	close_fd(u->kick_fd);
	close_fd(u->wake_fd);
	user_clear_mail(u);
	sad_destroy(u->sad);
	spd_destroy(u->spd);
	crypto_destroy(u->crypto);
	rng_system_destroy(u->rng);
	if (u->buf)
		secret_wipe(u->buf, PACKET_HEADROOM + USER_PACKET_MAX + PACKET_TAILROOM);
	free(u->buf);
	free(u->train.buf);
	(void)pthread_mutex_destroy(&u->gate);
	(void)pthread_mutex_destroy(&u->lock);
	(void)pthread_mutex_destroy(&u->mail);
	free(u);
}

static const struct dataplane_ops user_ops = {
	.destroy = user_destroy,
	.caps = user_caps,
	.submit = user_submit,
	.take_event = user_take_event,
	.query = user_query,
	.dump = user_dump,
	.take_used = user_take_used,
	.set_open = user_set_open,
	.stats = user_stats,
	.input_udp = user_input_udp,
};

/* ---- creation ---- */

static enum gw_err make_parts(struct user_plane *u, struct err *e)
{
	struct epoll_event kick = { .events = EPOLLIN, .data.u32 = KICK };

	u->rng = rng_system_create();
	if (!u->rng)
		return err_set(e, GW_EIO, "no randomness");
	u->crypto = crypto_create(e);
	if (!u->crypto)
		return GW_EUNSUPPORTED;
	u->sad = sad_create(u->rng);
	u->spd = spd_create(u->rng);
	u->buf = malloc(PACKET_HEADROOM + USER_PACKET_MAX + PACKET_TAILROOM);
	u->train.buf = malloc(USER_PACKET_MAX);
	if (!u->sad || !u->spd || !u->buf || !u->train.buf || outbox_init(&u->outbox, EVENTS_MAX) != GW_OK)
		return err_set(e, GW_ENOMEM, "%s", gw_err_text(GW_ENOMEM));
	u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	u->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	u->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (u->epoll_fd < 0 || u->kick_fd < 0 || u->wake_fd < 0 ||
	    epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, u->kick_fd, &kick) != 0)
		return err_set(e, GW_EIO, "epoll: %s", strerror(errno));
	return GW_OK;
}

static enum gw_err make_tun(struct user_plane *u, const struct user_plane_config *cfg, struct err *e)
{
	struct user_source tun = { .kind = SOURCE_TUN, .fd = cfg->tun_fd };
	enum gw_err code = GW_OK;

	if (cfg->tun_fd < 0) {
		TRY(tun_open(cfg->tun_name ? cfg->tun_name : "gw%d", &tun.fd, u->tun_name, e));
		code = tun_set_mtu(u->tun_name, cfg->mtu > 0 ? cfg->mtu : MTU, e);
		if (code == GW_OK)
			code = tun_set_queue(u->tun_name, e);
		if (code == GW_OK)
			code = tun_set_up(u->tun_name, true, e);
	}
	if (code == GW_OK)
		code = user_source_add(u, &tun, e); /* the first: slot 0 */
	if (code != GW_OK && cfg->tun_fd < 0)
		(void)close(tun.fd);
	return code;
}

/* On failure a tun_fd that was given stays the caller's. */
static void give_back_tun(struct user_plane *u, const struct user_plane_config *cfg)
{
	if (cfg->tun_fd >= 0 && u->sources[0].kind == SOURCE_TUN)
		user_source_drop(u, &u->sources[0]);
}

struct dataplane *user_plane_create(const struct env *env, const struct user_plane_config *cfg, struct err *e)
{
	struct user_plane *u = calloc(1, sizeof(*u));
	enum gw_err code;
	int number;

	if (!u) {
		(void)err_set(e, GW_ENOMEM, "userspace data plane: %s", gw_err_text(GW_ENOMEM));
		return NULL;
	}
	u->dp.ops = &user_ops;
	u->caps.name = "userspace";
	u->caps.esn = true;
	u->caps.raw_esp = cfg->raw_esp;
	u->caps.replay_window_max = REPLAY_WINDOW_MAX;
	u->caps.tells_no_sa = u->caps.tells_bad_policy = u->caps.moves_by_newest = true;
	u->clock = env->clock;
	u->node = env->node;
	u->busy_max = cfg->busy_max > 0 ? cfg->busy_max : BUSY_MAX;
	u->socket_buffer = cfg->socket_buffer > 0 ? cfg->socket_buffer : SOCKET_BUFFER;
	u->no_sa_limit = (struct ratelimit){ .per_second = 10, .burst = 20 };
	u->icmp_limit = (struct ratelimit){ .per_second = 1000, .burst = 100 };
	u->passes = DP_OPEN;
	u->epoll_fd = u->kick_fd = u->wake_fd = -1;
	for (size_t i = 0; i < USER_SOURCES; i++)
		u->sources[i].fd = -1;
	(void)pthread_mutex_init(&u->gate, NULL);
	(void)pthread_mutex_init(&u->lock, NULL);
	(void)pthread_mutex_init(&u->mail, NULL);
	code = make_parts(u, e);
	if (code == GW_OK)
		code = make_tun(u, cfg, e);
	if (code == GW_OK && cfg->raw_esp)
		code = user_open_raw(u, e);
	number = code == GW_OK ? start_thread(u) : 0;
	if (number != 0)
		code = err_set(e, GW_EIO, "thread: %s", strerror(number));
	if (code == GW_OK)
		return &u->dp;
	(void)err_add(e, "userspace data plane");
	give_back_tun(u, cfg);
	user_destroy(&u->dp);
	return NULL;
}

int user_plane_wake_fd(const struct dataplane *dp)
{
	return user_self(dp)->wake_fd;
}

const char *user_plane_tun_name(const struct dataplane *dp)
{
	return user_self(dp)->tun_name;
}

enum gw_err user_plane_add_udp(struct dataplane *dp, int fd, struct err *e)
{
	struct user_plane *u = user_self(dp);
	struct user_source s = { .kind = SOURCE_UDP, .fd = fd };
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	enum gw_err code;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0 ||
	    !endpoint_from_sockaddr(&s.local, (struct sockaddr *)&ss))
		return err_set(e, GW_EINVAL, "not a bound UDP socket");
	s.family = ss.ss_family == AF_INET6 ? 6 : 4;
	user_lock(u);
	code = user_source_add(u, &s, e);
	user_unlock(u);
	return code;
}

void user_plane_remove_udp(struct dataplane *dp, int fd)
{
	struct user_plane *u = user_self(dp);

	user_lock(u);
	for (size_t i = 1; i < USER_SOURCES; i++)
		if (u->sources[i].kind == SOURCE_UDP && u->sources[i].fd == fd)
			user_source_drop(u, &u->sources[i]);
	user_unlock(u);
}
