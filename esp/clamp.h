/*
 * MSS clamp: what TCP connections of clients say of the largest segment they take (RFC 9293 3.7.1) is lowered to what
 * fits through a tunnel, so that they work where the ICMP messages of path MTU discovery are dropped on the way.
 *
 * It is an nftables table of our own in the forward hook, so it concerns what the gateway forwards, in both directions,
 * whichever data plane encrypts. The table belongs to our netlink socket: with Linux 5.12 and later it goes with the
 * process, however that ends, and `nft flush ruleset` leaves it alone. What an older kernel kept is replaced.
 */
#ifndef ESP_CLAMP_H
#define ESP_CLAMP_H

#include "core/addr.h"

struct clamp;

/*
 * `table`: its name, 1..31 octets; nobody else's. Nothing is in the kernel yet, but one of that name that was left over
 * goes. GW_EUNSUPPORTED: no nftables of family inet in this kernel (User Mode Linux); GW_EPERM, GW_EBUSY: see `e`.
 */
MUST_USE enum gw_err clamp_create(const char *table, struct clamp **out, struct err *e);
/*
 * From now on, for TCP from and to these prefixes: at most `mss` octets with IPv4 and 20 less with IPv6; 0: as much as
 * the routes to both ends allow. In place of what was before, in one step; on failure that stays.
 */
MUST_USE enum gw_err clamp_set(struct clamp *c, const struct prefix *clients, size_t n, uint16_t mss, struct err *e);
void clamp_destroy(struct clamp *c); /* the table goes; NULL is fine */

#endif
