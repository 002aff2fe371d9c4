/*
 * What of the network's links the kernel plane needs: the sockets of IKE, and XFRM interfaces, for connections that
 * want one: packets routed into it use the SAs and policies of its if_id, and nothing else does.
 */
#ifndef ESP_XFRM_LINK_H
#define ESP_XFRM_LINK_H

#include "core/addr.h"

/* No policy applies to packets of this socket, in either direction. Needs CAP_NET_ADMIN. */
MUST_USE enum gw_err xfrm_socket_bypass(int fd, uint8_t family, struct err *e);
/* The kernel takes ESP (RFC 3948) out of what arrives, or leaves it in. */
MUST_USE enum gw_err xfrm_socket_encap(int fd, bool on, struct err *e);

/* The device that has this address now; 0: none. */
uint32_t xfrm_link_with(const struct addr *a);

struct xfrm_link_config {
	const char *name; /* up to 15 octets */
	uint32_t if_id;	  /* not 0 */
	uint32_t mtu;	  /* 0: the kernel's choice */
	uint8_t node;	  /* index of the node: its alias, `gatewayd node 1`, is how it is recognised as ours */
};

/*
 * Makes the interface and sets it up. One of that name which a predecessor of this node left is replaced; one of
 * anybody else is left alone: GW_EEXIST. GW_EUNSUPPORTED: this kernel has no XFRM interfaces (CONFIG_XFRM_INTERFACE).
 * On failure nothing is left.
 */
MUST_USE enum gw_err xfrm_link_create(const struct xfrm_link_config *cfg, struct err *e);
/* Routes go with it. One that is not there is fine. */
MUST_USE enum gw_err xfrm_link_remove(const char *name, struct err *e);
/* Removes all XFRM interfaces that this node's predecessors left; how many there were. */
MUST_USE enum gw_err xfrm_link_sweep(uint8_t node, size_t *removed, struct err *e);

#endif
