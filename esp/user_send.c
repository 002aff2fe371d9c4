/*
 * Sinks of the userspace plane. ESP-in-UDP of one burst goes out in trains: packets of one SA, all of one size but for
 * the last, are one send (UDP_SEGMENT), which passes most of the kernel once. The train ends with the burst, so nothing
 * waits.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/user_state.h"

enum {
	CONTROL_MAX = 128,
	TRAIN_MAX = 64,		  /* the kernel's UDP_MAX_SEGMENTS, of old */
	TRAIN_OCTETS_MAX = 65000, /* one UDP datagram, headers included, has at most 65535 */
};

union control {
	struct cmsghdr align;
	uint8_t b[CONTROL_MAX];
};

/* The socket of the SA's local port; with raw ESP the one of its family. */
static const struct user_source *sink_of(const struct user_plane *u, const struct sad_sa *sa)
{
	const struct user_source *any = NULL;

	for (size_t i = 1; i < USER_SOURCES; i++) {
		const struct user_source *s = &u->sources[i];

		if (s->family != sa->local.addr.family || s->kind != (sa->udp_encap ? SOURCE_UDP : SOURCE_RAW))
			continue;
		if (s->kind == SOURCE_RAW)
			return s;
		if (s->local.port != sa->local.port)
			continue;
		if (addr_equal(&s->local.addr, &sa->local.addr))
			return s;
		if (addr_is_any(&s->local.addr))
			any = s;
	}
	return any;
}

static void add_control(struct msghdr *msg, union control *control, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(control->b + msg->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	msg->msg_controllen += CMSG_SPACE(n);
}

static void write_control(struct msghdr *msg, union control *control, const struct addr *from, int tos,
			  uint16_t segment)
{
	struct in_pktinfo info4 = { 0 };
	struct in6_pktinfo info6 = { 0 };

	msg->msg_control = control;
	if (from->family == 4) {
		memcpy(&info4.ipi_spec_dst, from->b, 4);
		if (!addr_is_any(from))
			add_control(msg, control, IPPROTO_IP, IP_PKTINFO, &info4, sizeof(info4));
		add_control(msg, control, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	} else {
		memcpy(&info6.ipi6_addr, from->b, 16);
		if (!addr_is_any(from))
			add_control(msg, control, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
		add_control(msg, control, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	}
	if (segment > 0)
		add_control(msg, control, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
}

/* One datagram, or with a segment size several. Returns errno, 0 for success. */
static int send_out(const struct user_source *sink, const struct sad_sa *sa, uint8_t tos, uint16_t segment,
		    struct bytes data)
{
	struct endpoint to = sa->remote;
	struct sockaddr_storage ss;
	union control control = { .b = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)data.p, data.n };
	struct msghdr msg = { .msg_name = &ss, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (!sa->udp_encap)
		to.port = 0; /* a raw IPv6 socket takes it for a protocol */
	msg.msg_namelen = (socklen_t)endpoint_to_sockaddr(&to, &ss);
	write_control(&msg, &control, &sa->local.addr, tos, segment);
	do {
		n = sendmsg(sink->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? errno : 0;
}

static void send_one(struct user_plane *u, const struct sad_sa *sa, uint8_t tos, struct bytes esp)
{
	const struct user_source *sink = sink_of(u, sa);

	if (!sink || send_out(sink, sa, tos, 0, esp) != 0)
		u->stats[ST_SEND_ERROR]++;
}

/* A train that the path or the kernel does not take goes packet by packet; true: it has gone, or is lost. */
static bool send_train(struct user_plane *u, const struct user_train *t)
{
	const struct user_source *sink = sink_of(u, t->sa);
	int number = sink ? send_out(sink, t->sa, t->tos, (uint16_t)t->segment, bytes_of(t->buf, t->n)) : ENOTCONN;

	/* EMSGSIZE, EINVAL: a segment does not fit the path; EIO: the device cannot; the others would fail again. */
	if (number == EMSGSIZE || number == EINVAL || number == EIO || number == EOPNOTSUPP)
		return false;
	if (number != 0)
		u->stats[ST_SEND_ERROR] += t->count;
	return true;
}

void user_flush(struct user_plane *u)
{
	struct user_train *t = &u->train;

	if (t->count > 0 && user_asleep(u))
		u->stats[ST_OUT_SHUT] += t->count; /* sealed before it was stopped, and late now */
	else if (t->count == 1)
		send_one(u, t->sa, t->tos, bytes_of(t->buf, t->n));
	else if (t->count > 1 && !send_train(u, t))
		for (size_t at = 0; at < t->n; at += t->segment)
			send_one(u, t->sa, t->tos,
				 bytes_of(t->buf + at, t->n - at < t->segment ? t->n - at : t->segment));
	t->count = 0;
	t->n = 0;
}

void user_send(struct user_plane *u, const struct sad_sa *sa, uint8_t tos, struct bytes esp)
{
	struct user_train *t = &u->train;

	if (!sa->udp_encap || esp.n > TRAIN_OCTETS_MAX / 2) {
		user_flush(u); /* order */
		send_one(u, sa, tos, esp);
		return;
	}
	if (t->count > 0 && (t->sa != sa || t->tos != tos || esp.n > t->segment || t->count == TRAIN_MAX ||
			     t->n + esp.n > TRAIN_OCTETS_MAX))
		user_flush(u);
	if (t->count == 0) {
		t->sa = sa;
		t->tos = tos;
		t->segment = esp.n;
	}
	memcpy(t->buf + t->n, esp.p, esp.n);
	t->n += esp.n;
	t->count++;
	if (esp.n < t->segment) /* only the last may be shorter */
		user_flush(u);
}
