/*
 * The kernel plane: SAs and policies in the kernel's XFRM, by netlink. The kernel moves the packets, with or without
 * us; this side keeps the books (keys, fences, whose policy a selector is) and puts all numbers where they belong.
 *
 * It has no thread. A submitted batch is worked off by ops->take_event, which the loop calls when the wake-up
 * descriptor is readable; the kernel does a request within the system call that brings it, so nothing ever waits.
 *
 * What it leaves to the kernel's ways, beside dp_caps:
 * - An outbound SA that comes to its fence is deleted by the kernel; the plane re-adds it, at the fence, when that is
 *   raised. With device offload and segmentation the kernel counts one packet for many numbers: no exact fence then.
 * - While shut, ESP in UDP goes to the owner of the sockets, which drops it. ESP without UDP is still decrypted, and
 *   moves its window, before the inner packet is dropped.
 * - Shutting works by guards (below): what is in none of their prefixes is not shut.
 *
 * Details, measurements and reasons: docs/dataplane-kernel.md.
 */
#ifndef ESP_XFRM_H
#define ESP_XFRM_H

#include "core/env.h"
#include "esp/dataplane.h"

struct xfrm_plane_config {
	bool keep_leftovers;  /* tests: do not remove what a predecessor left */
	bool keep_thresholds; /* tests: leave the policy hash alone; namespaces that go at once do not survive it */
	size_t batch_size;    /* octets of a send; 0: 64 kB */
	int64_t dump_age_us;  /* a dump younger than this is not repeated; 0: 100 ms */
	/*
	 * States tell (by aevents, about so often) when packets use them, so that take_used() need not look at all of
	 * them. 0: they do not. Worth it where most are idle; with many busy ones the plane goes back to looking.
	 */
	int64_t report_us;
	/* Prefix lengths of their side from which a policy is found by hash; 0: 32 and 128 (single addresses) */
	uint8_t hash_from4, hash_from6;
};

/*
 * Borrows env. Probes the kernel, removes what a predecessor of this node index left behind. NULL: `e` names what is
 * missing, and the remedy. ops->destroy removes every state and policy of this node.
 */
struct dataplane *xfrm_plane_create(const struct env *env, const struct xfrm_plane_config *cfg, struct err *e);

/* Can this kernel do it? Tries with throw-away states. `e`: what is missing and how to get it. Part of create. */
MUST_USE enum gw_err xfrm_probe(const struct env *env, struct dp_caps *caps, struct err *e);

/* Readable while ops->take_event may have something to do or to tell; it may turn out to be nothing. */
int xfrm_plane_wake_fd(const struct dataplane *dp);

/*
 * A bound UDP socket of the IKE daemon, borrowed until destroy. Both kinds are exempted from all policies; on those for
 * ESP-in-UDP the kernel takes ESP out from now on, and leaves IKE to us. At most 32; GW_ELIMIT.
 */
MUST_USE enum gw_err xfrm_plane_add_socket(struct dataplane *dp, int fd, uint8_t family, bool natt, struct err *e);

struct xfrm_guard {
	struct prefix clients;
	uint32_t if_id; /* of the XFRM interface that leads there; 0: none */
};

/*
 * Prefixes in which only clients live: what goes there or comes from there without an SA is dropped, always; all of it
 * while shut. Replaces the ones before. Prefixes of length 0 are left out: they would swallow everything. What is to go
 * into an XFRM interface is guarded there, since a policy for all devices would block the way to it: a route of less
 * weight into some other device keeps it in when that interface is gone.
 */
MUST_USE enum gw_err xfrm_plane_set_guards(struct dataplane *dp, const struct xfrm_guard *guards, size_t n,
					   struct err *e);

/* Traffic of our own that no site policy may swallow, both directions. Ports 0: any. */
struct xfrm_bypass {
	struct prefix local, remote;
	uint8_t proto;
	uint16_t local_port, remote_port;
};

MUST_USE enum gw_err xfrm_plane_set_bypass(struct dataplane *dp, const struct xfrm_bypass *list, size_t n,
					   struct err *e);

#endif
