/*
 * Addresses of interfaces that come and go: put there as leases with a short valid lifetime, which the kernel ends by
 * itself when nobody renews them. IPv6 addresses are usable at once (no duplicate address detection) and deprecated, so
 * that the node's own connections do not take them as their source. Ours carry a mark (IFA_PROTO, Linux 5.18), so that
 * a process finds what one before it left behind.
 */
#ifndef CORE_NET_IFADDR_H
#define CORE_NET_IFADDR_H

#include "core/addr.h"
#include "core/net/netlink.h"

struct ifaddr_entry {
	unsigned index; /* of the interface */
	struct addr addr;
	uint8_t len; /* of the prefix */
	/* as listed: */
	uint32_t valid_s; /* seconds left; UINT32_MAX: for ever */
	bool ours;
	bool tentative; /* not usable yet */
};

/* 0: there is no such interface. */
unsigned ifaddr_index(const char *interface);

/* `nl` is a socket of NETLINK_ROUTE. Adds, or renews, for `valid_s` seconds (1..). GW_ENOTFOUND: no such interface. */
MUST_USE enum gw_err ifaddr_put(struct nl_socket *nl, const struct ifaddr_entry *a, uint32_t valid_s, struct err *e);
/* GW_ENOTFOUND: it was not there. */
MUST_USE enum gw_err ifaddr_drop(struct nl_socket *nl, const struct ifaddr_entry *a, struct err *e);
/* All addresses of all interfaces. */
MUST_USE enum gw_err ifaddr_list(struct nl_socket *nl, void (*each)(void *arg, const struct ifaddr_entry *a), void *arg,
				 struct err *e);
/* Takes away what has our mark. Returns how many there were. */
size_t ifaddr_drop_ours(struct nl_socket *nl, struct err *e);

#endif
