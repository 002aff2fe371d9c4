#include "core/net/netlink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	RX_SIZE = 64 << 10,	  /* dumps come in datagrams of up to 32 kB */
	SOCKET_BUFFER = 16 << 20, /* events of a burst, errors of a batch */
	SEND_TRIES = 4,
	ANSWER_MS = 2000, /* an answer that is not there when send returns: a kernel that is out of memory */
};

/* ---- building ---- */

void nl_reset(struct nl_batch *b, void *buf, size_t cap, uint32_t first_seq)
{
	*b = (struct nl_batch){ .buf = buf, .cap = cap, .first_seq = first_seq };
}

/* libmnl's macros for these are of type int. */
enum { HEADER = sizeof(struct nlmsghdr), ATTR = sizeof(struct nlattr) };

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* libmnl trusts its caller to have the room: whether there is some is asked here, before each of its calls. */
static bool fits(struct nl_batch *b, size_t n)
{
	size_t padded = align4(n);

	if (b->full || padded > b->cap - b->n) {
		b->full = true;
		return false;
	}
	b->n += padded;
	return true;
}

static struct nlmsghdr *present(const struct nl_batch *b)
{
	return (struct nlmsghdr *)(void *)(b->buf + b->at);
}

void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n)
{
	struct nlmsghdr *nlh;

	b->at = b->n;
	if (!fits(b, HEADER + n))
		return;
	nlh = mnl_nlmsg_put_header(b->buf + b->at);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST);
	nlh->nlmsg_seq = b->first_seq + b->count;
	if (n > 0)
		memcpy(mnl_nlmsg_put_extra_header(nlh, n), head, n);
}

void *nl_room(struct nl_batch *b, uint16_t type, size_t n)
{
	struct nlattr *a;

	if (!fits(b, ATTR + n))
		return NULL;
	a = mnl_nlmsg_get_payload_tail(present(b));
	memset(a, 0, align4(ATTR + n));
	a->nla_type = type;
	a->nla_len = (uint16_t)(ATTR + n);
	present(b)->nlmsg_len += (uint32_t)align4(a->nla_len);
	return mnl_attr_get_payload(a);
}

void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t n)
{
	if (fits(b, ATTR + n))
		mnl_attr_put(present(b), type, n, data);
}

void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

size_t nl_nest(struct nl_batch *b, uint16_t type)
{
	size_t at = b->n;

	/* Not mnl_attr_nest_start(): XFRM and rtnetlink know no NLA_F_NESTED where they take nests from us. */
	(void)nl_room(b, type, 0);
	return at;
}

void nl_nest_end(struct nl_batch *b, size_t nest)
{
	if (!b->full)
		mnl_attr_nest_end(present(b), (struct nlattr *)(void *)(b->buf + nest));
}

bool nl_end_unanswered(struct nl_batch *b)
{
	if (!b->full)
		return true;
	b->n = b->at;
	b->full = false;
	return false;
}

bool nl_end(struct nl_batch *b)
{
	if (!nl_end_unanswered(b))
		return false;
	b->last = b->at;
	b->count++;
	return true;
}

/* ---- reading ---- */

bool nl_attr_next(struct bytes *rest, uint16_t *type, struct bytes *value)
{
	const struct nlattr *a = (const void *)rest->p;
	size_t step;

	if (rest->n > INT32_MAX || !mnl_attr_ok(a, (int)rest->n))
		return false;
	*type = mnl_attr_get_type(a);
	*value = bytes_of(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	step = align4(mnl_attr_get_len(a));
	*rest = step < rest->n ? bytes_of(rest->p + step, rest->n - step) : (struct bytes){ 0 };
	return true;
}

struct bytes nl_attrs(const struct nlmsghdr *nlh, size_t head)
{
	size_t skip = HEADER + align4(head);

	if (nlh->nlmsg_len < skip)
		return (struct bytes){ 0 };
	return bytes_of((const uint8_t *)nlh + skip, nlh->nlmsg_len - skip);
}

/* ---- socket ---- */

static void set_buffer(int fd, int force, int plain)
{
	const int want = SOCKET_BUFFER;

	/* FORCE needs CAP_NET_ADMIN and passes net.core.*mem_max. */
	if (setsockopt(fd, SOL_SOCKET, force, &want, sizeof(want)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &want, sizeof(want));
}

enum gw_err nl_open(int protocol, struct nl_socket *out, struct err *e)
{
	int on = 1;

	*out = (struct nl_socket){ .fd = -1, .mnl = mnl_socket_open2(protocol, SOCK_NONBLOCK | SOCK_CLOEXEC) };
	if (!out->mnl)
		return err_set(e, errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? GW_EUNSUPPORTED : GW_EIO,
			       "netlink socket: %s", strerror(errno));
	out->fd = mnl_socket_get_fd(out->mnl);
	set_buffer(out->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(out->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	(void)mnl_socket_setsockopt(out->mnl, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(out->mnl, NETLINK_CAP_ACK, &on, sizeof(on));
	out->rx = malloc(RX_SIZE);
	if (!out->rx || mnl_socket_bind(out->mnl, 0, MNL_SOCKET_AUTOPID) != 0) {
		enum gw_err code = err_set(e, out->rx ? GW_EIO : GW_ENOMEM, "netlink socket: %s",
					   strerror(out->rx ? errno : ENOMEM));

		nl_close(out);
		return code;
	}
	return GW_OK;
}

void nl_close(struct nl_socket *s)
{
	if (s->mnl)
		(void)mnl_socket_close(s->mnl);
	free(s->rx);
	*s = (struct nl_socket){ .fd = -1 };
}

enum gw_err nl_join(struct nl_socket *s, unsigned group, struct err *e)
{
	if (mnl_socket_setsockopt(s->mnl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
		return GW_OK;
	return err_set(e, errno == EPERM ? GW_EPERM : GW_EIO, "netlink group %u: %s", group, strerror(errno));
}

void nl_leave(struct nl_socket *s, unsigned group)
{
	(void)mnl_socket_setsockopt(s->mnl, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
}

static enum gw_err send_all(struct nl_socket *s, const struct nl_batch *b)
{
	ssize_t n = -1;

	for (int i = 0; i < SEND_TRIES; i++) {
		n = mnl_socket_sendto(s->mnl, b->buf, b->n);
		if (n >= 0 || (errno != EINTR && errno != ENOBUFS && errno != EAGAIN))
			break;
	}
	if (n >= 0)
		return GW_OK;
	return errno == EPERM ? GW_EPERM : errno == ENOBUFS || errno == ENOMEM || errno == EAGAIN ? GW_ENOMEM : GW_EIO;
}

/* One datagram. 0: none there. -1: some were lost. */
static ssize_t receive(struct nl_socket *s)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(s->mnl, s->rx, RX_SIZE);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != ENOBUFS)
		return 0;
	s->overruns++;
	return -1;
}

/* The next whole message of *rest. */
static const struct nlmsghdr *next_message(struct bytes *rest)
{
	const struct nlmsghdr *nlh = (const void *)rest->p;
	int left = (int)rest->n; /* at most RX_SIZE */

	if (!mnl_nlmsg_ok(nlh, left))
		return NULL;
	(void)mnl_nlmsg_next(nlh, &left);
	*rest = left > 0 ? bytes_of(rest->p + (rest->n - (size_t)left), (size_t)left) : (struct bytes){ 0 };
	return nlh;
}

/* The extended acknowledgement's text; the request is echoed before it unless capped. */
static void error_text(const struct nlmsghdr *nlh, const struct nlmsgerr *err, char *text, size_t cap)
{
	struct bytes rest, value;
	uint16_t type;

	text[0] = 0;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	rest = nl_attrs(nlh,
			sizeof(*err) + (nlh->nlmsg_flags & NLM_F_CAPPED ? 0 : err->msg.nlmsg_len - sizeof(err->msg)));
	while (nl_attr_next(&rest, &type, &value))
		if (type == NLMSGERR_ATTR_MSG && value.n > 0) {
			size_t n = value.n < cap ? value.n : cap;

			memcpy(text, value.p, n);
			text[n - 1] = 0;
		}
}

/* True: this was the end of the whole batch. */
static bool take_message(const struct nl_batch *b, const struct nl_handler *h, const struct nlmsghdr *nlh)
{
	uint32_t index = nlh->nlmsg_seq - b->first_seq;
	const struct nlmsgerr *err = (const void *)(nlh + 1);
	char text[96];

	if (index >= b->count)
		return false; /* of an earlier exchange that was given up */
	if (nlh->nlmsg_type == NLMSG_DONE)
		return index == b->count - 1;
	if (nlh->nlmsg_type != NLMSG_ERROR) {
		if (h && h->data)
			h->data(h->arg, index, nlh);
		return false;
	}
	if (nlh->nlmsg_len < sizeof(*nlh) + sizeof(*err))
		return false;
	if (err->error != 0 && h && h->error) {
		error_text(nlh, err, text, sizeof(text));
		h->error(h->arg, index, -err->error, text);
	}
	return index == b->count - 1;
}

enum gw_err nl_exchange(struct nl_socket *s, struct nl_batch *b, const struct nl_handler *h)
{
	bool done = false, lost = false;

	if (b->count == 0)
		return GW_OK;
	((struct nlmsghdr *)(void *)(b->buf + b->last))->nlmsg_flags |= NLM_F_ACK;
	s->seq = b->first_seq + b->count;
	TRY(send_all(s, b));
	while (!done) {
		ssize_t n = receive(s);
		struct pollfd f = { .fd = s->fd, .events = POLLIN };
		const struct nlmsghdr *nlh;
		struct bytes rest;

		if (n < 0) {
			lost = true;
			continue;
		}
		/* Nothing there: the answer itself was lost, or comes late. After a loss nobody waits for it. */
		if (n == 0 && (lost || poll(&f, 1, ANSWER_MS) != 1))
			return GW_EBUSY;
		rest = bytes_of(s->rx, (size_t)n);
		while ((nlh = next_message(&rest)) != NULL)
			done = take_message(b, h, nlh) || done;
	}
	return lost ? GW_EBUSY : GW_OK;
}

static void first_error(void *arg, uint32_t index, int number, const char *text)
{
	struct nl_answer *a = arg;

	(void)index;
	if (a->number != 0)
		return;
	a->number = number;
	(void)snprintf(a->text, sizeof(a->text), "%s", text[0] ? text : strerror(number));
}

enum gw_err nl_ask(struct nl_socket *s, struct nl_batch *b, struct nl_answer *a)
{
	const struct nl_handler h = { .error = first_error, .arg = a };

	*a = (struct nl_answer){ 0 };
	return nl_exchange(s, b, &h);
}

enum gw_err nl_ask_once(int protocol, struct nl_batch *b, struct nl_answer *a, struct err *e)
{
	struct nl_socket s;
	enum gw_err r;

	TRY(nl_open(protocol, &s, e));
	r = nl_ask(&s, b, a);
	nl_close(&s);
	return r == GW_OK ? GW_OK : err_set(e, r, "netlink: %s", gw_err_text(r));
}

size_t nl_receive(struct nl_socket *s, size_t max, void (*each)(void *arg, const struct nlmsghdr *nlh), void *arg,
		  bool *overrun)
{
	size_t taken = 0;

	while (taken < max) {
		ssize_t n = receive(s);
		const struct nlmsghdr *nlh;
		struct bytes rest;

		if (n == 0)
			break;
		taken++;
		if (n < 0) {
			*overrun = true;
			continue;
		}
		rest = bytes_of(s->rx, (size_t)n);
		while ((nlh = next_message(&rest)) != NULL)
			each(arg, nlh);
	}
	return taken;
}
