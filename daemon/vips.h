/*
 * The virtual addresses of a pair, on this node: put on their interfaces as leases that the loop renews every second,
 * announced to the neighbours in a burst and again from time to time, and taken away. When an interface comes back, or
 * a cable is put in, they are put there and announced anew. What a process before this one left behind goes at the
 * start.
 */
#ifndef DAEMON_VIPS_H
#define DAEMON_VIPS_H

#include "config/model.h"
#include "core/env.h"
#include "core/loop.h"
#include "core/net/ifaddr.h"

struct vips;

enum { VIPS_LEASE_S = 3 };

struct vips_stats {
	bool claimed, service_up;
	size_t count, present; /* addresses; on their interfaces */
	uint64_t announced, failed;
	char last_error[160];
};

/*
 * Opens its sockets (before the system calls are filtered) and removes leftovers. Borrows env and loop; copies what it
 * needs of cfg. `changed` (may be NULL): whether all service interfaces are up has changed. NULL: `e` says why.
 */
struct vips *vips_create(const struct env *env, struct loop *loop, const struct ha_cfg *cfg, void (*changed)(void *arg),
			 void *arg, struct err *e);
/* Takes them away, too. NULL is fine. */
void vips_destroy(struct vips *v);

/*
 * Of cfg: `service_interfaces` and `announce_interval`, the addresses stay what they were. GW_EIO, GW_ENOMEM: the
 * interfaces stay, too.
 */
MUST_USE enum gw_err vips_configure(struct vips *v, const struct ha_cfg *cfg, struct err *e);

/* At once; what fails now (no such interface) is tried again every second. Twice is fine: announced again. */
void vips_claim(struct vips *v);
void vips_release(struct vips *v);
/* They stay, and nobody is told any more: another node has them as well. Until vips_claim(). */
void vips_hush(struct vips *v);
/* Those of the virtual addresses, and `service_interfaces`. */
bool vips_service_up(const struct vips *v);
void vips_look(const struct vips *v, struct vips_stats *out);

struct vips_address {
	const char *interface;
	struct addr addr;
	uint8_t len;
	bool present; /* on its interface, by our doing */
};
/* The i-th; false: there are not so many. */
bool vips_at(const struct vips *v, size_t i, struct vips_address *out);
/* What the parent process is to take away when we cannot; how many. Interfaces that are not there are left out. */
size_t vips_entries(const struct vips *v, struct ifaddr_entry *out, size_t max);

#endif
