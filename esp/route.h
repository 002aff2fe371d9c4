/* Routes into a device: added and removed one by one, in the main table. Linux only. */
#ifndef ESP_ROUTE_H
#define ESP_ROUTE_H

#include "core/addr.h"

/* All zero: the kernel's defaults. */
struct route_traits {
	uint32_t priority; /* `metric`: of several routes for a prefix the least one counts */
	uint16_t advmss;   /* the MSS that this host's own TCP says there */
};

/* One of that prefix and priority that is there is fine, and stays as it is. GW_EPERM, GW_EIO. */
MUST_USE enum gw_err route_add(const char *device, const struct prefix *p, const struct route_traits *t, struct err *e);
/* One that is not there is fine. */
MUST_USE enum gw_err route_remove(const char *device, const struct prefix *p, const struct route_traits *t,
				  struct err *e);

#endif
