#include "daemon/synclink.h"

#include "daemon/pairkeys.h"
#include "daemon/synctls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HANDSHAKES_MAX = 4,
	BACKLOG = 16,
	SEND_DEFAULT = 4 << 20,
	READ_CHUNK = 16384, /* a TLS record */
	WRITE_CHUNK = 64 << 10,
	RETRY_FIRST_MS = 50,
	RETRY_MAX_MS = 2000,
	UNSENT = 64 << 10, /* what the system takes beyond what is under way: the rest waits here */
	DEAD_MS = 3000,	   /* TCP gives up on octets that nobody acknowledges */
};

#define HANDSHAKE_US SECONDS(3)
#define LISTEN_AGAIN_US MILLISECONDS(200)

/* One connection: under way, or the one that is up. */
struct conn {
	struct synclink *link;
	struct synctls *tls; /* owned */
	int fd;
	struct loop_fd *watch;
	struct loop_timer *deadline;
	bool connecting; /* TCP's own handshake */
};

struct synclink {
	struct env env;
	struct loop *loop;
	struct synclink_ops ops;
	void *arg;
	struct synclink_config cfg;
	char cluster[64], node[64], peer[64];
	struct synctls_keys keys;

	int listen_fd;
	struct loop_fd *listening;
	struct loop_timer *again; /* connect, or listen, again */
	int64_t wait_ms;

	struct conn *conns[HANDSHAKES_MAX]; /* under way */
	struct conn *live;

	uint8_t *out; /* owned ring of cfg.send_max */
	size_t out_at, out_n;
	bool wants_room;
	struct synclink_stats stats;
	struct ratelimit lines;
};

const char *synclink_refusal_text(enum synclink_refusal r)
{
	static const char *const texts[SYNCLINK_REFUSALS] = {
		[SYNCLINK_ADDRESS] = "not the peer's address",
		[SYNCLINK_CLUSTER] = "another cluster or node",
		[SYNCLINK_SECRET] = "another secret",
		[SYNCLINK_PROTOCOL] = "not the protocol",
		[SYNCLINK_TIMEOUT] = "timeout",
		[SYNCLINK_CROWD] = "too many at once",
	};

	return r < SYNCLINK_REFUSALS ? texts[r] : "unknown";
}

static void refuse(struct synclink *l, enum synclink_refusal why, const struct endpoint *from, const char *text)
{
	uint64_t more = 0;
	char where[ENDPOINT_TEXT];

	l->stats.refused[why]++;
	(void)snprintf(l->stats.last_error, sizeof(l->stats.last_error), "%s%s%s", synclink_refusal_text(why),
		       text[0] ? ": " : "", text);
	if (ratelimit_allow(&l->lines, loop_now(l->loop), &more))
		log_warn(l->env.log, "sync link: %s refused: %s (%llu more like it)", endpoint_text(from, where),
			 l->stats.last_error, (unsigned long long)more);
}

/* ---- a connection's life ---- */

static void conn_free(struct conn *c)
{
	if (!c)
		return;
	loop_fd_destroy(c->watch);
	loop_timer_destroy(c->deadline);
	synctls_destroy(c->tls);
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

static void try_later(struct synclink *l)
{
	int64_t jitter;

	if (!l->cfg.connects)
		return;
	l->wait_ms = l->wait_ms == 0 ? RETRY_FIRST_MS : l->wait_ms * 2;
	if (l->wait_ms > RETRY_MAX_MS)
		l->wait_ms = RETRY_MAX_MS;
	jitter = (int64_t)rng_below(l->env.rng, (uint64_t)MILLISECONDS(l->wait_ms) / 4 + 1);
	loop_timer_at(l->again, mtime_add(clock_now(l->env.clock), MILLISECONDS(l->wait_ms) - jitter));
}

/* Takes c out of those under way. */
static void forget(struct synclink *l, const struct conn *c)
{
	for (size_t i = 0; i < HANDSHAKES_MAX; i++)
		if (l->conns[i] == c)
			l->conns[i] = NULL;
}

static void conn_failed(struct conn *c, enum synclink_refusal why, const char *text)
{
	struct synclink *l = c->link;

	refuse(l, why, &l->cfg.remote, text);
	forget(l, c);
	conn_free(c);
	try_later(l);
}

static void live_down(struct synclink *l, const char *reason)
{
	struct conn *c = l->live;
	char text[160];

	if (!c)
		return;
	(void)snprintf(text, sizeof(text), "%s", reason);
	(void)snprintf(l->stats.last_error, sizeof(l->stats.last_error), "%s", text);
	l->live = NULL;
	l->out_at = l->out_n = 0;
	l->wants_room = false;
	conn_free(c);
	log_notice(l->env.log, "sync link to %s down: %s", l->peer, text);
	if (l->ops.down)
		l->ops.down(l->arg, text);
}

/* ---- the stream ---- */

static void want(struct synclink *l)
{
	if (l->live)
		loop_fd_want(l->live->watch, LOOP_READ | (l->out_n > 0 ? (unsigned)LOOP_WRITE : 0u));
}

/* False: the link went down. */
static bool flush(struct synclink *l)
{
	while (l->live && l->out_n > 0) {
		size_t run = l->cfg.send_max - l->out_at, n = 0;
		char why[160];

		if (run > l->out_n)
			run = l->out_n;
		if (run > WRITE_CHUNK)
			run = WRITE_CHUNK;
		switch (synctls_write(l->live->tls, bytes_of(l->out + l->out_at, run), &n, why)) {
		case SYNCTLS_OK:
			l->out_at = (l->out_at + n) % l->cfg.send_max;
			l->out_n -= n;
			l->stats.bytes_out += n;
			break;
		case SYNCTLS_WAIT:
			want(l);
			return true;
		default:
			live_down(l, why);
			try_later(l);
			return false;
		}
	}
	want(l);
	return l->live != NULL;
}

static void read_live(struct synclink *l)
{
	uint8_t buf[READ_CHUNK];
	struct conn *c = l->live;
	bool more = true;

	/* TLS may hold records that the descriptor shows no more: those are taken in any case. Where it holds none,
	 * only a full one makes it likely that more is there already. */
	while (more && l->live == c) {
		char why[160];
		size_t n = 0;

		switch (synctls_read(c->tls, buf, sizeof(buf), &n, why)) {
		case SYNCTLS_OK:
			l->stats.bytes_in += n;
			more = synctls_pending(c->tls) || (n == sizeof(buf) && !loop_turn_over(l->loop));
			l->ops.bytes(l->arg, bytes_of(buf, n));
			break;
		case SYNCTLS_WAIT:
			more = false;
			break;
		default:
			live_down(l, why);
			try_later(l);
			more = false;
			break;
		}
	}
	secret_wipe(buf, sizeof(buf));
}

static void live_ready(struct synclink *l, unsigned what)
{
	if ((what & LOOP_WRITE) && !flush(l))
		return;
	if (what & LOOP_READ)
		read_live(l);
	if (l->live && l->wants_room && l->out_n <= l->cfg.send_max / 2) {
		l->wants_room = false;
		if (l->ops.room)
			l->ops.room(l->arg);
	}
}

/* ---- handshakes ---- */

static void conn_up(struct conn *c)
{
	struct synclink *l = c->link;

	forget(l, c);
	loop_timer_at(c->deadline, MTIME_NEVER);
	live_down(l, "replaced by a new connection of the peer");
	l->live = c;
	l->wait_ms = 0;
	l->stats.ups++;
	want(l);
	log_notice(l->env.log, "sync link to %s up (%s)", l->peer, synctls_text(c->tls));
	l->ops.up(l->arg, l->peer);
	/* What came with the end of the handshake is in TLS already. */
	if (l->live == c && synctls_pending(c->tls))
		read_live(l);
}

static void shake(struct conn *c)
{
	struct synclink *l = c->link;
	enum synclink_refusal why = SYNCLINK_PROTOCOL;
	char text[160];

	switch (synctls_handshake(c->tls, &why, text)) {
	case SYNCTLS_OK:
		conn_up(c);
		break;
	case SYNCTLS_WAIT:
		loop_fd_want(c->watch, LOOP_READ | (synctls_wants_write(c->tls) ? (unsigned)LOOP_WRITE : 0u));
		break;
	default:
		if (l->cfg.connects)
			synctls_keys_next(&l->keys, clock_now(l->env.clock));
		conn_failed(c, why, text);
		break;
	}
}

static void on_ready(void *arg, unsigned what)
{
	struct conn *c = arg;
	int error = 0;
	socklen_t n = sizeof(error);

	if (c == c->link->live) {
		live_ready(c->link, what);
		return;
	}
	if (c->connecting) {
		c->connecting = false;
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0) {
			struct synclink *l = c->link;

			(void)snprintf(l->stats.last_error, sizeof(l->stats.last_error), "connect: %s",
				       strerror(error ? error : errno));
			forget(l, c);
			conn_free(c);
			try_later(l);
			return;
		}
	}
	shake(c);
}

static void on_deadline(void *arg)
{
	struct conn *c = arg;

	conn_failed(c, SYNCLINK_TIMEOUT, c->connecting ? "no answer to the connection" : "in the handshake");
}

static void tune(int fd)
{
	const int on = 1, dead = DEAD_MS, idle = 1, interval = 1, count = 3, unsent = UNSENT;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* Takes the fd, also when it fails. */
static struct conn *conn_make(struct synclink *l, int fd, bool client)
{
	struct conn *c = calloc(1, sizeof(*c)), **slot = NULL;

	for (size_t i = 0; i < HANDSHAKES_MAX && !slot; i++)
		if (!l->conns[i])
			slot = &l->conns[i];
	if (!c || !slot) {
		free(c);
		(void)close(fd);
		return NULL;
	}
	c->link = l;
	c->fd = fd;
	c->connecting = client;
	tune(fd);
	c->tls = synctls_create(&l->keys, fd, client);
	c->deadline = loop_timer_create(l->loop, on_deadline, c);
	c->watch = loop_fd_create(l->loop, fd, client ? LOOP_WRITE : LOOP_READ, on_ready, c);
	if (!c->tls || !c->deadline || !c->watch) {
		conn_free(c);
		return NULL;
	}
	loop_timer_at(c->deadline, mtime_add(clock_now(l->env.clock), HANDSHAKE_US));
	*slot = c;
	return c;
}

/* ---- listening ---- */

static void on_listen(void *arg, unsigned what)
{
	struct synclink *l = arg;
	struct sockaddr_storage ss;
	struct endpoint from = { 0 };
	socklen_t n = sizeof(ss);
	int fd = accept4(l->listen_fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool room = false;

	(void)what;
	if (fd < 0) {
		/* Out of descriptors: it would call us again at once, for nothing. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			loop_fd_want(l->listening, 0);
			loop_timer_at(l->again, mtime_add(clock_now(l->env.clock), LISTEN_AGAIN_US));
		}
		return;
	}
	for (size_t i = 0; i < HANDSHAKES_MAX; i++)
		room = room || !l->conns[i];
	if (!endpoint_from_sockaddr(&from, (struct sockaddr *)&ss) || !addr_equal(&from.addr, &l->cfg.remote.addr)) {
		refuse(l, SYNCLINK_ADDRESS, &from, "");
		(void)close(fd);
	} else if (!room) {
		refuse(l, SYNCLINK_CROWD, &from, "");
		(void)close(fd);
	} else {
		(void)conn_make(l, fd, false);
	}
}

static enum gw_err start_listening(struct synclink *l, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&l->cfg.local, &ss);
	const int on = 1;
	char text[ENDPOINT_TEXT];

	l->listen_fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->listen_fd < 0)
		return err_set(e, GW_EIO, "sync link: socket: %s", strerror(errno));
	(void)setsockopt(l->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* The link's address may come later than we do. */
	if (l->cfg.local.addr.family == 6)
		(void)setsockopt(l->listen_fd, SOL_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	else
		(void)setsockopt(l->listen_fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	if (bind(l->listen_fd, (struct sockaddr *)&ss, n) != 0 || listen(l->listen_fd, BACKLOG) != 0)
		return err_set(e, errno == EADDRINUSE ? GW_EEXIST : GW_EIO, "sync link: cannot listen on %s: %s",
			       endpoint_text(&l->cfg.local, text), strerror(errno));
	n = sizeof(ss);
	if (getsockname(l->listen_fd, (struct sockaddr *)&ss, &n) == 0)
		(void)!endpoint_from_sockaddr(&l->cfg.local, (struct sockaddr *)&ss);
	l->listening = loop_fd_create(l->loop, l->listen_fd, LOOP_READ, on_listen, l);
	return l->listening ? GW_OK : err_set(e, GW_ENOMEM, "sync link: out of memory");
}

/* ---- connecting ---- */

static void dial(struct synclink *l)
{
	struct endpoint from = { l->cfg.local.addr, 0 };
	struct sockaddr_storage ss;
	socklen_t n;
	int fd;

	if (l->live || l->conns[0])
		return;
	n = (socklen_t)endpoint_to_sockaddr(&from, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&ss, n) == 0) {
		n = (socklen_t)endpoint_to_sockaddr(&l->cfg.remote, &ss);
		if (connect(fd, (struct sockaddr *)&ss, n) == 0 || errno == EINPROGRESS) {
			if (!conn_make(l, fd, true))
				try_later(l);
			return;
		}
	}
	(void)snprintf(l->stats.last_error, sizeof(l->stats.last_error), "connect: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	try_later(l);
}

static void on_again(void *arg)
{
	struct synclink *l = arg;

	if (l->cfg.connects)
		dial(l);
	else if (l->listening)
		loop_fd_want(l->listening, LOOP_READ);
}

/* ---- the whole ---- */

static enum gw_err start(struct synclink *l, struct bytes secret, struct err *e)
{
	l->again = loop_timer_create(l->loop, on_again, l);
	l->out = malloc(l->cfg.send_max);
	if (!l->again || !l->out)
		return err_set(e, GW_ENOMEM, "sync link: out of memory");
	TRY(synctls_keys_init(&l->keys, &l->env, l->cluster, l->cfg.connects ? l->node : l->peer,
			      l->cfg.connects ? l->peer : l->node, e));
	TRY(synctls_keys_set(&l->keys, secret, (mtime){ 0 }, e));
	if (!l->cfg.connects)
		return start_listening(l, e);
	loop_timer_at(l->again, clock_now(l->env.clock));
	return GW_OK;
}

struct synclink *synclink_create(const struct env *env, struct loop *loop, const struct synclink_config *cfg,
				 struct bytes secret, const struct synclink_ops *ops, void *arg, struct err *e)
{
	struct synclink *l = calloc(1, sizeof(*l));

	if (!l) {
		err_set(e, GW_ENOMEM, "sync link: out of memory");
		return NULL;
	}
	l->env = *env;
	l->loop = loop;
	l->ops = *ops;
	l->arg = arg;
	l->cfg = *cfg;
	l->listen_fd = -1;
	l->lines = (struct ratelimit){ .per_second = 1, .burst = 5 };
	if (l->cfg.send_max == 0)
		l->cfg.send_max = SEND_DEFAULT;
	(void)snprintf(l->cluster, sizeof(l->cluster), "%s", cfg->cluster);
	(void)snprintf(l->node, sizeof(l->node), "%s", cfg->node);
	(void)snprintf(l->peer, sizeof(l->peer), "%s", cfg->peer);
	l->cfg.cluster = l->cluster;
	l->cfg.node = l->node;
	l->cfg.peer = l->peer;
	if (start(l, secret, e) == GW_OK)
		return l;
	synclink_destroy(l);
	return NULL;
}

void synclink_destroy(struct synclink *l)
{
	if (!l)
		return;
	l->ops.down = NULL;
	(void)flush(l);
	if (l->live)
		synctls_goodbye(l->live->tls);
	conn_free(l->live);
	for (size_t i = 0; i < HANDSHAKES_MAX; i++)
		conn_free(l->conns[i]);
	loop_fd_destroy(l->listening);
	if (l->listen_fd >= 0)
		(void)close(l->listen_fd);
	loop_timer_destroy(l->again);
	synctls_keys_clear(&l->keys);
	if (l->out)
		secret_wipe(l->out, l->cfg.send_max);
	free(l->out);
	free(l);
}

size_t synclink_send(struct synclink *l, struct bytes out)
{
	size_t room, n, first, end;

	if (!l->live)
		return 0;
	room = l->cfg.send_max - l->out_n;
	n = out.n < room ? out.n : room;
	end = (l->out_at + l->out_n) % l->cfg.send_max;
	first = l->cfg.send_max - end < n ? l->cfg.send_max - end : n;
	if (first > 0)
		memcpy(l->out + end, out.p, first);
	if (n > first)
		memcpy(l->out, out.p + first, n - first);
	l->out_n += n;
	l->wants_room = l->wants_room || n < out.n;
	while (l->out_n > 0) {
		size_t run = l->cfg.send_max - l->out_at, sent = 0;
		char why[160];

		if (run > l->out_n)
			run = l->out_n;
		if (run > WRITE_CHUNK)
			run = WRITE_CHUNK;
		/* Full, or broken: that is told of by the loop, not from within the caller's own send. */
		if (synctls_write(l->live->tls, bytes_of(l->out + l->out_at, run), &sent, why) != SYNCTLS_OK) {
			loop_fd_want(l->live->watch, LOOP_READ | LOOP_WRITE);
			return n;
		}
		l->out_at = (l->out_at + sent) % l->cfg.send_max;
		l->out_n -= sent;
		l->stats.bytes_out += sent;
	}
	if (l->wants_room)
		loop_fd_want(l->live->watch, LOOP_READ | LOOP_WRITE);
	return n;
}

void synclink_close(struct synclink *l, const char *reason)
{
	if (!l->live)
		return;
	(void)flush(l);
	if (!l->live)
		return;
	synctls_goodbye(l->live->tls);
	live_down(l, reason);
	try_later(l);
}

void synclink_hurry(struct synclink *l)
{
	if (!l->cfg.connects || l->live || l->conns[0])
		return;
	l->wait_ms = 0;
	loop_timer_at(l->again, clock_now(l->env.clock));
}

enum gw_err synclink_set_secret(struct synclink *l, struct bytes secret, int64_t grace_us, struct err *e)
{
	return synctls_keys_set(&l->keys, secret, mtime_add(clock_now(l->env.clock), grace_us), e);
}

size_t synclink_waiting(const struct synclink *l)
{
	return l->out_n;
}

void synclink_look(const struct synclink *l, struct synclink_stats *out)
{
	*out = l->stats;
	out->up = l->live != NULL;
	out->waiting = l->out_n;
}

uint16_t synclink_port(const struct synclink *l)
{
	return l->cfg.connects ? 0 : l->cfg.local.port;
}
