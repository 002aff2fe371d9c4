/* Whether named interfaces are there and up, as the kernel tells it (RTNLGRP_LINK), and their hardware addresses. */
#ifndef CORE_NET_IFWATCH_H
#define CORE_NET_IFWATCH_H

#include "core/loop.h"
#include "core/net/announce.h"
#include "core/net/netlink.h"

enum { IFWATCH_NAME = 16 };

struct ifwatch_link {
	char name[IFWATCH_NAME];
	unsigned index; /* 0: there is no such interface */
	bool up;	/* switched on, and its link works */
	bool arp;	/* an Ethernet whose neighbours can be told */
	uint8_t mac[MAC_LEN];
};

struct ifwatch;

/* Knows the state when it returns. `changed` (may be NULL) is called for each link that did. NULL: `e` says why. */
struct ifwatch *ifwatch_create(struct loop *loop, const char *const *names, size_t count,
			       void (*changed)(void *arg, const struct ifwatch_link *link), void *arg, struct err *e);
void ifwatch_destroy(struct ifwatch *w); /* NULL is fine */
size_t ifwatch_count(const struct ifwatch *w);
const struct ifwatch_link *ifwatch_at(const struct ifwatch *w, size_t i);
/* NULL: it is not watched. */
const struct ifwatch_link *ifwatch_find(const struct ifwatch *w, const char *name);
bool ifwatch_all_up(const struct ifwatch *w);

#endif
