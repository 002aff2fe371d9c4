/* For core/http.c only: what a loop is made of. */
#ifndef CORE_LOOP_BASE_H
#define CORE_LOOP_BASE_H

#include "core/loop.h"

struct event_base *loop_base(struct loop *loop);
/* A callback of libevent's own begins: as those of loop_fd and timers do. */
void loop_enter(struct loop *loop);

#endif
