/* The UDP sockets of a gateway: opened as configured, read into the engine, written from what it leaves. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "ike/events.h"

struct gateway;

/* Ports 500 and 4500 (as configured), both families or the listed addresses. `e` is the line for the user. */
MUST_USE enum gw_err listen_open(struct gateway *g, struct err *e);
/* The loop reads the NAT-T sockets, too: for planes that do not do it themselves. */
MUST_USE enum gw_err listen_watch_natt(struct gateway *g, struct err *e);
/* From the address that the datagram names, with the non-ESP marker on the NAT-T port. What cannot be sent is counted.
 */
void listen_send(struct gateway *g, const struct datagram *d);
void listen_close(struct gateway *g);

#endif
