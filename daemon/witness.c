#include "daemon/witness.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MISSES = 3, BURST = 32, IP4_HEADER_MIN = 20, READ_MAX = 256 };

struct asked {
	struct addr addr;
	mtime heard;
	bool answers;
	uint64_t asked, answered;
};

struct witness {
	struct env env;
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
	int fds[2]; /* IPv4, IPv6; -1: not needed */
	struct loop_fd *watches[2];
	struct loop_timer *timer;
	int64_t interval_us;
	uint64_t cookie;
	uint16_t number;
	bool on;
	struct asked list[WITNESS_MAX];
	size_t count;
	uint64_t refused;
};

/* ---- packets ---- */

static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t witness_write(uint8_t out[WITNESS_PACKET], bool v6, uint64_t cookie, uint16_t number)
{
	struct writer w = wr_of(out, WITNESS_PACKET);

	wr_u8(&w, v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u16(&w, (uint16_t)(cookie >> 48));
	wr_u16(&w, number);
	wr_u64(&w, cookie);
	if (!v6)
		put_u16(out + 2, checksum(out, w.n));
	return w.n;
}

bool witness_parse(struct bytes icmp, bool v6, uint64_t cookie, uint16_t *number)
{
	struct reader r = rd_of(icmp);
	uint8_t type = rd_u8(&r), code = rd_u8(&r);
	uint16_t id;

	rd_skip(&r, 2);
	id = rd_u16(&r);
	*number = rd_u16(&r);
	return type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && code == 0 && rd_u64(&r) == cookie && !r.bad &&
	       id == (uint16_t)(cookie >> 48);
}

/* ---- asking ---- */

static void judge(struct witness *w, mtime now)
{
	bool before = witness_heard(w);

	for (size_t i = 0; i < w->count; i++)
		w->list[i].answers =
			w->list[i].heard.us > 0 && mtime_since(w->list[i].heard, now) < w->interval_us * MISSES;
	if (before != witness_heard(w) && w->changed)
		w->changed(w->arg);
}

static void ask_all(struct witness *w)
{
	w->number++;
	for (size_t i = 0; i < w->count; i++) {
		struct asked *a = &w->list[i];
		const struct endpoint to = { a->addr, 0 };
		bool v6 = a->addr.family == 6;
		uint8_t packet[WITNESS_PACKET];
		struct sockaddr_storage ss;
		socklen_t len = (socklen_t)endpoint_to_sockaddr(&to, &ss);

		a->asked++;
		(void)sendto(w->fds[v6], packet, witness_write(packet, v6, w->cookie, w->number),
			     MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len);
	}
}

static void on_timer(void *arg)
{
	struct witness *w = arg;
	mtime now = clock_now(w->env.clock);

	judge(w, now);
	if (!w->on)
		return;
	ask_all(w);
	loop_timer_at(w->timer, mtime_add(now, w->interval_us));
}

static void on_packet(struct witness *w, bool v6, struct bytes in, const struct addr *from)
{
	uint16_t number;

	if (!v6) { /* with its IP header */
		size_t header = in.n > 0 ? (size_t)(in.p[0] & 15) * 4 : 0;

		if (header < IP4_HEADER_MIN || header > in.n)
			return;
		in = bytes_of(in.p + header, in.n - header);
	}
	/* Not older than what counts as silence. */
	if (!witness_parse(in, v6, w->cookie, &number) || (uint16_t)(w->number - number) >= MISSES) {
		w->refused++;
		return;
	}
	for (size_t i = 0; i < w->count; i++)
		if (addr_equal(&w->list[i].addr, from)) {
			w->list[i].answered++;
			w->list[i].heard = clock_now(w->env.clock);
			judge(w, w->list[i].heard);
			return;
		}
	w->refused++;
}

static void receive(struct witness *w, bool v6)
{
	for (int n = 0; n < BURST; n++) {
		uint8_t buf[READ_MAX];
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct endpoint from = { 0 };
		ssize_t got = recvfrom(w->fds[v6], buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&ss, &len);

		if (got < 0)
			return;
		if (endpoint_from_sockaddr(&from, (struct sockaddr *)&ss))
			on_packet(w, v6, bytes_of(buf, (size_t)got), &from.addr);
	}
}

static void on_ready4(void *arg, unsigned what)
{
	(void)what;
	receive(arg, false);
}

static void on_ready6(void *arg, unsigned what)
{
	(void)what;
	receive(arg, true);
}

/* ---- making ---- */

/* The kernel shows a raw socket every ICMP packet: only answers are wanted. */
static bool filter(int fd, bool v6)
{
	struct icmp6_filter six;
	struct icmp_filter four = { .data = ~(1u << ICMP_ECHOREPLY) };

	if (!v6)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &four, sizeof(four)) == 0;
	ICMP6_FILTER_SETBLOCKALL(&six);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &six);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof(six)) == 0;
}

static enum gw_err open_family(struct witness *w, bool v6, struct err *e)
{
	int fd;

	if (w->fds[v6] >= 0)
		return GW_OK;
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	w->fds[v6] = fd;
	if (fd < 0 || !filter(fd, v6))
		return err_set(e, GW_EIO, "witness: a socket for pings: %s", strerror(errno));
	w->watches[v6] = loop_fd_create(w->loop, fd, LOOP_READ, v6 ? on_ready6 : on_ready4, w);
	return w->watches[v6] ? GW_OK : err_set(e, GW_ENOMEM, "witness: out of memory");
}

static enum gw_err open_all(struct witness *w, struct err *e)
{
	w->timer = loop_timer_create(w->loop, on_timer, w);
	if (!w->timer)
		return err_set(e, GW_ENOMEM, "witness: out of memory");
	TRY(rng_fill(w->env.rng, &w->cookie, sizeof(w->cookie)));
	for (size_t i = 0; i < w->count; i++)
		TRY(open_family(w, w->list[i].addr.family == 6, e));
	return GW_OK;
}

struct witness *witness_create(const struct env *env, struct loop *loop, const struct addr *addrs, size_t count,
			       int64_t interval_us, void (*changed)(void *arg), void *arg, struct err *e)
{
	struct witness *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, GW_ENOMEM, "witness: out of memory");
		return NULL;
	}
	w->env = *env;
	w->loop = loop;
	w->changed = changed;
	w->arg = arg;
	w->interval_us = interval_us;
	w->fds[0] = w->fds[1] = -1;
	for (w->count = 0; w->count < count && w->count < WITNESS_MAX; w->count++)
		w->list[w->count].addr = addrs[w->count];
	if (open_all(w, e) == GW_OK)
		return w;
	witness_destroy(w);
	return NULL;
}

void witness_destroy(struct witness *w)
{
	if (!w)
		return;
	loop_timer_destroy(w->timer);
	for (size_t i = 0; i < ARRAY_LEN(w->fds); i++) {
		loop_fd_destroy(w->watches[i]);
		if (w->fds[i] >= 0)
			(void)close(w->fds[i]);
	}
	free(w);
}

void witness_ask(struct witness *w, bool ask)
{
	if (w->on == ask)
		return;
	w->on = ask;
	if (ask)
		on_timer(w);
}

bool witness_heard(const struct witness *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->list[i].answers)
			return true;
	return false;
}

bool witness_at(const struct witness *w, size_t i, struct witness_state *out)
{
	if (i >= w->count)
		return false;
	*out = (struct witness_state){ w->list[i].addr, w->list[i].heard, w->list[i].answers, w->list[i].asked,
				       w->list[i].answered };
	return true;
}

uint64_t witness_refused(const struct witness *w)
{
	return w->refused;
}
