/*
 * What of the network's links the kernel plane needs: the sockets of IKE, and XFRM interfaces, one for each connection
 * that wants one: packets routed into it use the SAs and policies of its if_id, and nothing else does.
 */
#ifndef ESP_XFRM_LINK_H
#define ESP_XFRM_LINK_H

#include "core/addr.h"

/* No policy applies to packets of this socket, in either direction. Needs CAP_NET_ADMIN. */
MUST_USE enum gw_err xfrm_socket_bypass(int fd, uint8_t family, struct err *e);
/* The kernel takes ESP (RFC 3948) out of what arrives, or leaves it in. */
MUST_USE enum gw_err xfrm_socket_encap(int fd, bool on, struct err *e);

struct xfrm_link_config {
	const char *name;  /* up to 15 octets */
	uint32_t if_id;	   /* not 0 */
	const char *under; /* device that it belongs to; NULL: lo, which is always there */
	uint32_t mtu;	   /* 0: the kernel's choice */
	const struct prefix *routes;
	size_t route_count;
};

/*
 * Makes the interface, sets it up, adds the routes. One of that name and if_id that is there already is taken over.
 * GW_EUNSUPPORTED: this kernel has no XFRM interfaces (CONFIG_XFRM_INTERFACE). On failure nothing is left.
 */
MUST_USE enum gw_err xfrm_link_create(const struct xfrm_link_config *cfg, struct err *e);
/* Routes go with it. One that is not there is fine. */
MUST_USE enum gw_err xfrm_link_remove(const char *name, struct err *e);

/* A route into a device with path MTU and the MSS that our own TCP offers; 0: none of it. Replaces one that is there.
 */
MUST_USE enum gw_err xfrm_route_set(const char *device, const struct prefix *p, uint32_t mtu, bool clamp_mss,
				    struct err *e);

#endif
