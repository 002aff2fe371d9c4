#include "load_net.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, SOCKET_BUFFER = 8 << 20 };

static enum gw_err open_one(struct load_net *n, size_t tag, struct endpoint *e, int *fd, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = tag };
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(e, &ss);
	int size = SOCKET_BUFFER;
	char text[ENDPOINT_TEXT];

	*fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_set(err, GW_EIO, "socket: %s", strerror(errno));
	(void)setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(*fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (bind(*fd, (struct sockaddr *)&ss, len) < 0)
		return err_set(err, GW_EIO, "%s: %s", endpoint_text(e, text), strerror(errno));
	len = sizeof(ss);
	if (getsockname(*fd, (struct sockaddr *)&ss, &len) < 0 || !endpoint_from_sockaddr(e, (struct sockaddr *)&ss))
		return err_set(err, GW_EIO, "getsockname: %s", strerror(errno));
	if (epoll_ctl(n->epoll, EPOLL_CTL_ADD, *fd, &ev) < 0)
		return err_set(err, GW_EIO, "epoll_ctl: %s", strerror(errno));
	return GW_OK;
}

enum gw_err net_open(struct load_net *n, const struct addr *first, size_t count, uint16_t port, uint16_t natt_port,
		     struct err *e)
{
	*n = (struct load_net){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	if (n->epoll < 0)
		return err_set(e, GW_EIO, "epoll_create1: %s", strerror(errno));
	n->sources = calloc(count, sizeof(*n->sources));
	if (!n->sources)
		return err_set(e, GW_ENOMEM, "sockets");
	for (size_t i = 0; i < count; i++) {
		struct load_source *s = &n->sources[i];

		s->fd_ike = s->fd_natt = -1;
		n->count = i + 1;
		if (!addr_add(first, i, &s->ike.addr))
			return err_set(e, GW_EINVAL, "not so many source addresses");
		s->natt.addr = s->ike.addr;
		s->ike.port = port;
		s->natt.port = natt_port;
		TRY(open_one(n, 2 * i, &s->ike, &s->fd_ike, e));
		TRY(open_one(n, 2 * i + 1, &s->natt, &s->fd_natt, e));
	}
	return GW_OK;
}

void net_close(struct load_net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		if (n->sources[i].fd_ike >= 0)
			close(n->sources[i].fd_ike);
		if (n->sources[i].fd_natt >= 0)
			close(n->sources[i].fd_natt);
	}
	free(n->sources);
	if (n->epoll >= 0)
		close(n->epoll);
}

bool net_send(struct load_net *n, const struct load_source *s, const struct datagram *d)
{
	static const uint8_t marker[4]; /* RFC 3948 2.2 */
	struct sockaddr_storage to;
	struct iovec iov[2] = { { (void *)(uintptr_t)marker, sizeof(marker) },
				{ (void *)(uintptr_t)d->data.p, d->data.n } };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = (socklen_t)endpoint_to_sockaddr(&d->to, &to),
			    .msg_iov = d->natt ? iov : iov + 1,
			    .msg_iovlen = d->natt ? 2 : 1 };

	(void)n;
	return sendmsg(d->natt ? s->fd_natt : s->fd_ike, &m, 0) >= 0;
}

struct batch {
	uint8_t data[BATCH][NET_DATAGRAM];
	struct sockaddr_storage from[BATCH];
};

static size_t read_one(const struct load_source *s, bool natt, struct batch *b,
		       void (*each)(void *arg, const struct datagram *d, uint8_t *bytes), void *arg)
{
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ b->data[i], NET_DATAGRAM };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i], .msg_namelen = sizeof(b->from[i]), .msg_iov = &iov[i], .msg_iovlen = 1
		};
	}
	n = recvmmsg(natt ? s->fd_natt : s->fd_ike, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct datagram d = { .to = natt ? s->natt : s->ike, .natt = natt };
		size_t skip = natt ? 4 : 0;

		/* ESP and keepalives are not ours to judge. */
		if (m[i].msg_len <= skip || (natt && get_u32(b->data[i]) != 0) ||
		    !endpoint_from_sockaddr(&d.from, (struct sockaddr *)&b->from[i]))
			continue;
		d.data = bytes_of(b->data[i] + skip, m[i].msg_len - skip);
		each(arg, &d, b->data[i] + skip);
	}
	return n > 0 ? (size_t)n : 0;
}

size_t net_receive(struct load_net *n, int timeout_ms,
		   void (*each)(void *arg, const struct datagram *d, uint8_t *bytes), void *arg)
{
	struct epoll_event ev[64];
	struct batch *b;
	size_t got = 0;
	int ready = epoll_wait(n->epoll, ev, (int)ARRAY_LEN(ev), timeout_ms);

	if (ready <= 0)
		return 0;
	b = malloc(sizeof(*b));
	if (!b)
		return 0;
	for (int i = 0; i < ready; i++)
		got += read_one(&n->sources[ev[i].data.u64 / 2], ev[i].data.u64 % 2, b, each, arg);
	free(b);
	return got;
}
