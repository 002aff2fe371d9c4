#include "core/net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DATAGRAM_MAX = 65536,
	CONTROL_MAX = 128,		 /* packet info and traffic class, either family */
	SOCKET_BUFFER = 4 * 1024 * 1024, /* a storm of reconnecting clients fits in */
};

struct udp_burst {
	uint8_t *data; /* owned mapping: UDP_BURST * DATAGRAM_MAX */
	struct mmsghdr msgs[UDP_BURST];
	struct iovec iov[UDP_BURST];
	struct sockaddr_storage from[UDP_BURST];
	_Alignas(struct cmsghdr) uint8_t control[UDP_BURST][CONTROL_MAX];
};

static void set_int(int fd, int level, int name, int value)
{
	/* All of these are refinements; what cannot be done without is checked by the caller. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static bool want_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Path MTU discovery stays at the system's default: DF while it fits, IP fragments when it is known not to. */
static bool set_options(int fd, uint8_t family)
{
	/* FORCE needs CAP_NET_ADMIN and passes net.core.rmem_max; without it the plain one does what is allowed. */
	if (!want_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
		set_int(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	if (!want_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER))
		set_int(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	if (family == 4) {
		set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
		return want_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
	set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	return want_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && want_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static enum gw_err bind_failed(const struct endpoint *to, int error, struct err *e)
{
	char text[ENDPOINT_TEXT];

	endpoint_text(to, text);
	switch (error) {
	case EADDRINUSE:
		return err_set(e, GW_EEXIST,
			       "UDP %s is taken by another program (strongSwan or Libreswan?); `ss -ulpn sport = :%u` "
			       "shows which",
			       text, to->port);
	case EACCES:
	case EPERM:
		return err_set(e, GW_EPERM, "UDP %s: not permitted; run as root or with CAP_NET_BIND_SERVICE", text);
	case EADDRNOTAVAIL:
		return err_set(e, GW_EIO, "UDP %s: this machine has no such address; see `listen` in the configuration",
			       text);
	default:
		return err_set(e, GW_EIO, "UDP %s: %s", text, strerror(error));
	}
}

enum gw_err udp_open(const struct endpoint *bind_to, struct udp_socket *out, struct err *e)
{
	struct sockaddr_storage ss;
	size_t len = endpoint_to_sockaddr(bind_to, &ss);
	socklen_t got = sizeof(ss);
	int fd, error;

	out->fd = -1;
	if (len == 0)
		return err_set(e, GW_EINVAL, "no address to bind to");
	fd = socket(bind_to->addr.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		return err_set(e, GW_EUNSUPPORTED, "this system has no IPv%d", bind_to->addr.family);
	if (fd < 0)
		return err_set(e, GW_EIO, "cannot make a UDP socket: %s", strerror(errno));
	if (!set_options(fd, bind_to->addr.family)) {
		error = errno;
		close(fd);
		return err_set(e, GW_EIO, "cannot set options of a UDP socket: %s", strerror(error));
	}
	if (bind(fd, (const struct sockaddr *)&ss, (socklen_t)len) != 0) {
		error = errno;
		close(fd);
		/* ipv6.disable_ipv6=1 leaves the family but no address, not even the wildcard's. */
		if (error == EADDRNOTAVAIL && addr_is_any(&bind_to->addr))
			return err_set(e, GW_EUNSUPPORTED, "IPv%d is switched off here", bind_to->addr.family);
		return bind_failed(bind_to, error, e);
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &got) != 0 ||
	    !endpoint_from_sockaddr(&out->local, (struct sockaddr *)&ss)) {
		close(fd);
		return err_set(e, GW_EIO, "getsockname: %s", strerror(errno));
	}
	out->fd = fd;
	return GW_OK;
}

void udp_close(struct udp_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

struct udp_burst *udp_burst_create(void)
{
	struct udp_burst *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->data = mmap(NULL, (size_t)UDP_BURST * DATAGRAM_MAX, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->data == MAP_FAILED) {
		free(b);
		return NULL;
	}
	/* A huge page would make sixteen small datagrams cost two megabytes. */
	(void)madvise(b->data, (size_t)UDP_BURST * DATAGRAM_MAX, MADV_NOHUGEPAGE);
	return b;
}

void udp_burst_destroy(struct udp_burst *b)
{
	if (!b)
		return;
	(void)munmap(b->data, (size_t)UDP_BURST * DATAGRAM_MAX);
	free(b);
}

/* Destination address and traffic class from the control messages. */
static void read_control(struct msghdr *msg, struct udp_in *in)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			/* ipi_addr is the header's destination; a broadcast has no business here and matches nothing.
			 */
			(void)!addr_from_bytes(&in->to.addr, bytes_of(&info.ipi_addr, 4));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			(void)!addr_from_bytes(&in->to.addr, bytes_of(&info.ipi6_addr, 16));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			in->tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int class;

			memcpy(&class, CMSG_DATA(c), sizeof(class));
			in->tos = (uint8_t) class;
		}
	}
}

size_t udp_receive(const struct udp_socket *s, struct udp_burst *b, struct udp_in out[UDP_BURST])
{
	size_t kept = 0;
	int n;

	for (unsigned i = 0; i < UDP_BURST; i++) {
		b->iov[i] = (struct iovec){ b->data + (size_t)i * DATAGRAM_MAX, DATAGRAM_MAX };
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i],
						      .msg_namelen = sizeof(b->from[i]),
						      .msg_iov = &b->iov[i],
						      .msg_iovlen = 1,
						      .msg_control = b->control[i],
						      .msg_controllen = CONTROL_MAX };
	}
	do {
		n = recvmmsg(s->fd, b->msgs, UDP_BURST, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	for (int i = 0; i < n; i++) {
		struct msghdr *msg = &b->msgs[i].msg_hdr;
		struct udp_in *in = &out[kept];

		memset(in, 0, sizeof(*in));
		if ((msg->msg_flags & MSG_TRUNC) || !endpoint_from_sockaddr(&in->from, msg->msg_name))
			continue;
		in->to = s->local;
		read_control(msg, in);
		in->p = b->data + (size_t)i * DATAGRAM_MAX;
		in->n = b->msgs[i].msg_len;
		kept++;
	}
	return kept;
}

static void write_control(struct msghdr *msg, uint8_t *control, const struct addr *from)
{
	struct in_pktinfo info4 = { 0 };
	struct in6_pktinfo info6 = { 0 };
	struct bytes info;
	struct cmsghdr *c;

	if (from->family == 4) {
		memcpy(&info4.ipi_spec_dst, from->b, 4);
		info = bytes_of(&info4, sizeof(info4));
	} else {
		memcpy(&info6.ipi6_addr, from->b, 16);
		info = bytes_of(&info6, sizeof(info6));
	}
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(info.n);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = from->family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = from->family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(info.n);
	memcpy(CMSG_DATA(c), info.p, info.n);
}

enum gw_err udp_send(const struct udp_socket *s, const struct addr *from, const struct endpoint *to, struct bytes head,
		     struct bytes body)
{
	struct sockaddr_storage ss;
	_Alignas(struct cmsghdr) uint8_t control[CONTROL_MAX] = { 0 };
	struct iovec iov[2] = { { (void *)(uintptr_t)head.p, head.n }, { (void *)(uintptr_t)body.p, body.n } };
	struct msghdr msg = { .msg_name = &ss,
			      .msg_iov = head.n > 0 ? iov : iov + 1,
			      .msg_iovlen = head.n > 0 ? 2 : 1 };
	ssize_t n;

	msg.msg_namelen = (socklen_t)endpoint_to_sockaddr(to, &ss);
	if (msg.msg_namelen == 0 || (from->family != 0 && from->family != to->addr.family))
		return GW_EINVAL;
	if (from->family != 0 && !addr_is_any(from))
		write_control(&msg, control, from);
	do {
		n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return GW_OK;
	return errno == EAGAIN || errno == ENOBUFS ? GW_EBUSY : GW_EIO;
}
