/*
 * Netlink by libmnl: batches of requests built into a caller's buffer by pure functions, a non-blocking socket, and
 * answers matched to requests by sequence number.
 *
 * The kernel works a request off inside the send call and has queued its answer when that returns, so an exchange never
 * waits for anybody. Only errors are answered: the last message of a batch alone asks for an acknowledgement, and its
 * arrival says that the ones without an error were done. So 1,000 requests cost one system call to send and one answer.
 */
#ifndef CORE_NET_NETLINK_H
#define CORE_NET_NETLINK_H

#include <libmnl/libmnl.h>

#include "core/err.h"

/* ---- building ---- */

struct nl_batch {
	uint8_t *buf; /* borrowed, aligned for struct nlmsghdr */
	size_t cap, n;
	size_t at, last;    /* the message under construction; the last whole one */
	uint32_t first_seq; /* of the first message; each next one has the next number */
	uint32_t count;
	bool full; /* sticky until nl_end() */
};

/* Empty. Sequence numbers count from `first_seq`. */
void nl_reset(struct nl_batch *b, void *buf, size_t cap, uint32_t first_seq);
/* A message: NLM_F_REQUEST is added to the flags; `head` (n octets) is what follows the netlink header. */
void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n);
void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t n);
void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v); /* host order */
/* An attribute of n octets for the caller to fill: zeros; NULL when full. */
void *nl_room(struct nl_batch *b, uint16_t type, size_t n);
/* Attributes inside an attribute; give nl_nest_end what nl_nest gave. */
size_t nl_nest(struct nl_batch *b, uint16_t type);
void nl_nest_end(struct nl_batch *b, size_t nest);
/* False: the buffer was too small, and the batch is as it was before nl_begin(). */
MUST_USE bool nl_end(struct nl_batch *b);
/* The same for what closes a batch and is never answered (nfnetlink): the message before asks for the acknowledgement.
 */
MUST_USE bool nl_end_unanswered(struct nl_batch *b);

/* ---- reading ---- */

/* The next attribute of *rest, which is moved on. False: none, or broken ones. */
bool nl_attr_next(struct bytes *rest, uint16_t *type, struct bytes *value);
/* What follows a header of `head` octets; empty when the message is too short for one. */
struct bytes nl_attrs(const struct nlmsghdr *nlh, size_t head);

/* ---- socket ---- */

struct nl_socket {
	struct mnl_socket *mnl; /* owned; NULL: none */
	int fd;			/* of it, to be watched; -1: none */
	uint32_t seq;
	uint64_t overruns; /* how often the kernel had no room for what it had to tell us */
	uint8_t *rx;	   /* owned */
};

/*
 * `protocol`: NETLINK_XFRM, ... Non-blocking, close-on-exec, with large buffers and extended acknowledgements.
 * GW_EUNSUPPORTED: the kernel has no such protocol.
 */
MUST_USE enum gw_err nl_open(int protocol, struct nl_socket *out, struct err *e);
void nl_close(struct nl_socket *s);
MUST_USE enum gw_err nl_join(struct nl_socket *s, unsigned group, struct err *e);
void nl_leave(struct nl_socket *s, unsigned group);

struct nl_handler {
	/* Request number `index` of the batch failed. `text`: the kernel's words; "" when it has none. */
	void (*error)(void *arg, uint32_t index, int number, const char *text);
	/* An answer with content (get, dump). Borrowed for the call. */
	void (*data)(void *arg, uint32_t index, const struct nlmsghdr *nlh);
	void *arg;
};

/*
 * Sends the batch and reads all its answers; either function of the handler may be NULL. An empty batch is fine.
 * GW_EBUSY: answers were lost (overrun): nobody knows which requests failed. GW_ENOMEM, GW_EPERM, GW_EIO: not sent.
 */
MUST_USE enum gw_err nl_exchange(struct nl_socket *s, struct nl_batch *b, const struct nl_handler *h);
/* What failed first; number 0: nothing. */
struct nl_answer {
	int number;    /* errno */
	char text[96]; /* the kernel's words, else strerror's */
};

/* nl_exchange() for requests whose answers are errors only. *a is set whatever is returned. */
MUST_USE enum gw_err nl_ask(struct nl_socket *s, struct nl_batch *b, struct nl_answer *a);
/* On a socket that lives as long as it. `e` for what is returned, not for what was answered. */
MUST_USE enum gw_err nl_ask_once(int protocol, struct nl_batch *b, struct nl_answer *a, struct err *e);

/*
 * Multicast messages that are there; at most `max` datagrams. Returns how many. *overrun is set when some were lost.
 */
size_t nl_receive(struct nl_socket *s, size_t max, void (*each)(void *arg, const struct nlmsghdr *nlh), void *arg,
		  bool *overrun);

#endif
