/* Sources of the userspace plane: TUN, UDP and raw sockets, read in bursts. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/user_state.h"

enum { CONTROL_MAX = 128 };

/* Kernel structures come by bytes: alignment is the buffer's. */
union control {
	struct cmsghdr align;
	uint8_t b[CONTROL_MAX];
};

static void set_int(int fd, int level, int name, int value)
{
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

/* What a socket must report for us, and room for bursts. Large buffers need CAP_NET_ADMIN; else as large as allowed. */
static enum gw_err prepare(const struct user_plane *u, const struct user_source *s, struct err *e)
{
	int size = (int)u->socket_buffer, one = 1, flags = fcntl(s->fd, F_GETFL);
	bool v6 = s->family == 6;

	if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_set(e, GW_EIO, "non-blocking: %s", strerror(errno));
	if (s->kind == SOURCE_TUN)
		return GW_OK;
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		set_int(s->fd, SOL_SOCKET, SO_RCVBUF, size);
	if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		set_int(s->fd, SOL_SOCKET, SO_SNDBUF, size);
	set_int(s->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
	if (s->kind == SOURCE_RAW && v6) /* else the kernel learns no path MTU by it, as it does by the other sockets */
		set_int(s->fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (s->kind == SOURCE_UDP) /* several datagrams of a flow in one read, where the kernel has them together */
		set_int(s->fd, IPPROTO_UDP, UDP_GRO, 1);
	if (setsockopt(s->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &one, sizeof(one)) !=
	    0)
		return err_set(e, GW_EIO, "packet information: %s", strerror(errno));
	return GW_OK;
}

static bool epoll_add(const struct user_plane *u, const struct user_source *s)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(s - u->sources) };

	return epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) == 0;
}

enum gw_err user_source_add(struct user_plane *u, const struct user_source *s, struct err *e)
{
	struct user_source *slot = NULL;

	for (size_t i = 0; i < USER_SOURCES && !slot; i++)
		if (u->sources[i].kind == SOURCE_NONE)
			slot = &u->sources[i];
	if (!slot)
		return err_set(e, GW_ELIMIT, "the data plane has too many sockets");
	TRY(prepare(u, s, e));
	*slot = *s;
	if (!epoll_add(u, slot)) {
		slot->kind = SOURCE_NONE;
		return err_set(e, GW_EIO, "epoll: %s", strerror(errno));
	}
	return GW_OK;
}

void user_source_drop(struct user_plane *u, struct user_source *s)
{
	if (!s->resting)
		(void)epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->kind == SOURCE_UDP) /* its next reader may not know how to take them apart */
		set_int(s->fd, IPPROTO_UDP, UDP_GRO, 0);
	*s = (struct user_source){ .fd = -1 };
}

static enum gw_err open_raw_family(struct user_plane *u, uint8_t family, struct err *e)
{
	struct user_source s = { .kind = SOURCE_RAW, .family = family };
	enum gw_err code;

	s.fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ESP);
	if (s.fd < 0 && errno == EAFNOSUPPORT && family == 6)
		return GW_OK; /* a machine without IPv6 */
	if (s.fd < 0)
		return err_set(e, errno == EPERM ? GW_EPERM : GW_EIO, "raw ESP socket: %s", strerror(errno));
	code = user_source_add(u, &s, e);
	if (code != GW_OK)
		(void)close(s.fd);
	return code;
}

enum gw_err user_open_raw(struct user_plane *u, struct err *e)
{
	TRY(open_raw_family(u, 4, e));
	return open_raw_family(u, 6, e);
}

/* ---- in ---- */

struct arrival {
	struct endpoint from, to;
	uint8_t tos;
	size_t segment; /* octets of each datagram but perhaps the last; 0: there is one */
};

static int read_int(const uint8_t *p)
{
	int value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void read_control(struct msghdr *msg, struct arrival *a)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		const uint8_t *data = CMSG_DATA(c);

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			a->to.addr = (struct addr){ .family = 4 };
			memcpy(a->to.addr.b, data + offsetof(struct in_pktinfo, ipi_addr), 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			a->to.addr = (struct addr){ .family = 6 };
			memcpy(a->to.addr.b, data + offsetof(struct in6_pktinfo, ipi6_addr), 16);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			a->tos = *data;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			a->tos = (uint8_t)read_int(data);
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int segment = read_int(data);

			a->segment = segment > 0 ? (size_t)segment : 0;
		}
	}
}

/* One datagram into the buffer. False: none. Truncated and source-less ones come back with n = 0. */
static bool receive(struct user_plane *u, struct user_source *s, struct packet *p, struct arrival *a)
{
	struct sockaddr_storage ss;
	union control control;
	struct iovec iov = { u->buf + PACKET_HEADROOM, USER_PACKET_MAX };
	struct msghdr msg = { .msg_name = &ss,
			      .msg_namelen = sizeof(ss),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT);

	*p = (struct packet){ u->buf, PACKET_HEADROOM + USER_PACKET_MAX + PACKET_TAILROOM, PACKET_HEADROOM, 0 };
	if (n < 0) /* ICMP errors of datagrams sent before come here, too: they are nobody's business */
		return errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH;
	*a = (struct arrival){ .to = s->local };
	p->n = (size_t)n;
	if ((msg.msg_flags & MSG_TRUNC) || !endpoint_from_sockaddr(&a->from, (struct sockaddr *)&ss))
		p->n = 0;
	read_control(&msg, a);
	return true;
}

/* RFC 3948 2: IKE behind four zero octets, a keepalive of one octet, else ESP. */
static void take_datagram(struct user_plane *u, struct user_source *s, struct packet *p, const struct arrival *a)
{
	static const uint8_t marker[4] = { 0 };

	if (p->n >= 4 && memcmp(packet_data(p), marker, 4) == 0) {
		const struct user_ike ike = { a->from, a->to, a->tos, s->fd, packet_data(p) + 4, p->n - 4 };

		user_put_ike(u, &ike);
	} else if (p->n == 1 && *packet_data(p) == 0xff) {
		u->stats[ST_KEEPALIVE]++;
	} else {
		user_inbound(u, &a->from, true, a->tos, p);
	}
}

static void take_udp(struct user_plane *u, struct user_source *s, struct packet *p, const struct arrival *a)
{
	size_t step = a->segment > 0 ? a->segment : p->n, end = p->at + p->n;

	for (size_t at = p->at; at < end; at += step) {
		struct packet one = { p->buf, p->cap, at, end - at < step ? end - at : step };

		take_datagram(u, s, &one, a);
	}
}

static void take_raw(struct user_plane *u, struct user_source *s, struct packet *p, struct arrival *a)
{
	size_t header = 0;

	if (s->family == 4) {
		/* The kernel gives IPv4's header along, reassembled and checked. */
		header = p->n > 0 ? (size_t)(*packet_data(p) & 15) * 4 : 0;
		if (header < 20 || header > p->n) {
			u->stats[ST_IN_MALFORMED]++;
			return;
		}
		a->tos = packet_data(p)[1];
	}
	p->at += header;
	p->n -= header;
	a->from.port = 0;
	user_inbound(u, &a->from, false, a->tos, p);
}

/* ICMP errors that IPV6_RECVERR queues: the kernel has taken its part, but epoll reports them until they are read. */
static void drain_errors(struct user_plane *u, const struct user_source *s)
{
	for (int i = 0; i < USER_BUDGET; i++)
		if (recv(s->fd, u->buf, USER_PACKET_MAX, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
}

static void drain_socket(struct user_plane *u, struct user_source *s)
{
	struct arrival a;
	struct packet p;

	for (int i = 0; i < USER_BUDGET; i++) {
		if (!receive(u, s, &p, &a)) {
			if (s->kind == SOURCE_RAW && s->family == 6)
				drain_errors(u, s);
			s->hot = false;
			return;
		}
		if (p.n == 0)
			continue;
		if (s->kind == SOURCE_UDP)
			take_udp(u, s, &p, &a);
		else
			take_raw(u, s, &p, &a);
	}
}

static void drain_tun(struct user_plane *u, struct user_source *s)
{
	for (int i = 0; i < USER_BUDGET; i++) {
		ssize_t n = read(s->fd, u->buf + PACKET_HEADROOM, USER_PACKET_MAX);
		struct packet p = { u->buf, PACKET_HEADROOM + USER_PACKET_MAX + PACKET_TAILROOM, PACKET_HEADROOM, 0 };

		if (n > 0) {
			p.n = (size_t)n;
			user_outbound(u, &p);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		s->hot = false;
		if (n == 0 || errno != EAGAIN) {
			/* Down, or gone: epoll would report that without end. */
			s->resting = true;
			(void)epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
		}
		return;
	}
}

void user_drain(struct user_plane *u, struct user_source *s)
{
	if (s->kind == SOURCE_TUN) {
		drain_tun(u, s);
		user_flush(u);
	} else {
		drain_socket(u, s);
	}
}

void user_tun_write(struct user_plane *u, struct bytes packet)
{
	if (write(u->sources[0].fd, packet.p, packet.n) != (ssize_t)packet.n)
		u->stats[ST_TUN_ERROR]++;
}
