#include "core/net/ifwatch.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS = 16 };

struct ifwatch {
	struct nl_socket events, query; /* two: an answer and news never mix */
	struct loop_fd *watch;
	void (*changed)(void *arg, const struct ifwatch_link *link);
	void *arg;
	struct ifwatch_link *links; /* owned */
	bool *seen;		    /* owned: in a listing */
	size_t count;
};

static void update(struct ifwatch *w, size_t i, const struct ifwatch_link *now)
{
	struct ifwatch_link *was = &w->links[i];
	bool differs = was->index != now->index || was->up != now->up || was->arp != now->arp ||
		       memcmp(was->mac, now->mac, MAC_LEN) != 0;

	*was = *now;
	if (differs && w->changed)
		w->changed(w->arg, was);
}

static void gone(struct ifwatch *w, size_t i)
{
	struct ifwatch_link none = { 0 };

	memcpy(none.name, w->links[i].name, sizeof(none.name));
	update(w, i, &none);
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	struct bytes rest = nl_attrs(nlh, sizeof(struct ifinfomsg)), v;
	struct ifwatch *w = arg;
	struct ifwatch_link now = { 0 };
	struct ifinfomsg head;
	uint16_t type;

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    nlh->nlmsg_len < sizeof(*nlh) + sizeof(head))
		return;
	memcpy(&head, nlh + 1, sizeof(head));
	/* A bridge tells of its ports in a family of its own. */
	if (head.ifi_family != AF_UNSPEC)
		return;
	now.index = (unsigned)head.ifi_index;
	now.up = (head.ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	now.arp = head.ifi_type == ARPHRD_ETHER && !(head.ifi_flags & IFF_NOARP);
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == IFLA_IFNAME && v.n > 0)
			(void)snprintf(now.name, sizeof(now.name), "%.*s", (int)v.n, (const char *)v.p);
		else if (type == IFLA_ADDRESS && v.n == MAC_LEN)
			memcpy(now.mac, v.p, MAC_LEN);
	}
	for (size_t i = 0; i < w->count; i++) {
		if (strcmp(w->links[i].name, now.name) == 0) {
			w->seen[i] = true;
			if (nlh->nlmsg_type == RTM_DELLINK)
				gone(w, i);
			else
				update(w, i, &now);
		} else if (w->links[i].index == now.index) {
			gone(w, i); /* renamed */
		}
	}
}

static void take_listed(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	(void)index;
	take(arg, nlh);
}

static enum gw_err list(struct ifwatch *w)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_handler h = { .data = take_listed, .arg = w };
	_Alignas(struct nlmsghdr) uint8_t buf[64];
	struct nl_batch b;

	memset(w->seen, 0, w->count * sizeof(*w->seen));
	nl_reset(&b, buf, sizeof(buf), w->query.seq);
	nl_begin(&b, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	if (!nl_end(&b))
		return GW_EINTERNAL;
	TRY(nl_exchange(&w->query, &b, &h));
	for (size_t i = 0; i < w->count; i++)
		if (!w->seen[i])
			gone(w, i);
	return GW_OK;
}

static void on_events(void *arg, unsigned what)
{
	struct ifwatch *w = arg;
	bool lost = false;

	(void)what;
	(void)nl_receive(&w->events, EVENTS, take, w, &lost);
	if (lost)
		(void)list(w);
}

static enum gw_err start(struct ifwatch *w, struct loop *loop, struct err *e)
{
	enum gw_err r;

	TRY(nl_open(NETLINK_ROUTE, &w->events, e));
	TRY(nl_join(&w->events, RTNLGRP_LINK, e));
	TRY(nl_open(NETLINK_ROUTE, &w->query, e));
	r = list(w);
	if (r != GW_OK)
		return err_set(e, r, "listing interfaces: %s", gw_err_text(r));
	w->watch = loop_fd_create(loop, w->events.fd, LOOP_READ, on_events, w);
	return w->watch ? GW_OK : err_set(e, GW_ENOMEM, "out of memory");
}

struct ifwatch *ifwatch_create(struct loop *loop, const char *const *names, size_t count,
			       void (*changed)(void *arg, const struct ifwatch_link *link), void *arg, struct err *e)
{
	struct ifwatch *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, GW_ENOMEM, "out of memory");
		return NULL;
	}
	w->events.fd = w->query.fd = -1;
	w->count = count;
	w->links = calloc(count + 1, sizeof(*w->links));
	w->seen = calloc(count + 1, sizeof(*w->seen));
	for (size_t i = 0; w->links && i < count; i++)
		(void)snprintf(w->links[i].name, sizeof(w->links[i].name), "%s", names[i]);
	if (!w->links || !w->seen)
		err_set(e, GW_ENOMEM, "out of memory");
	else if (start(w, loop, e) == GW_OK) {
		w->changed = changed;
		w->arg = arg;
		return w;
	}
	ifwatch_destroy(w);
	return NULL;
}

void ifwatch_destroy(struct ifwatch *w)
{
	if (!w)
		return;
	loop_fd_destroy(w->watch);
	nl_close(&w->events);
	nl_close(&w->query);
	free(w->links);
	free(w->seen);
	free(w);
}

size_t ifwatch_count(const struct ifwatch *w)
{
	return w->count;
}

const struct ifwatch_link *ifwatch_at(const struct ifwatch *w, size_t i)
{
	return &w->links[i];
}

const struct ifwatch_link *ifwatch_find(const struct ifwatch *w, const char *name)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->links[i].name, name) == 0)
			return &w->links[i];
	return NULL;
}

bool ifwatch_all_up(const struct ifwatch *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (!w->links[i].up)
			return false;
	return true;
}
