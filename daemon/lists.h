/*
 * Lists of revoked certificates: what the engine wants fetched (ike_take_fetch) is read from files, or asked of web
 * servers on the loop, a few at a time, each within a bound of time and size.
 */
#ifndef DAEMON_LISTS_H
#define DAEMON_LISTS_H

#include "core/loop.h"
#include "ike/ike.h"

struct lists;

/* Borrows both. NULL: out of memory. */
struct lists *lists_create(struct loop *loop, struct ike *ike);
void lists_destroy(struct lists *l); /* NULL is fine */
/* Begins what the engine wants; once a turn. */
void lists_serve(struct lists *l);

#endif
