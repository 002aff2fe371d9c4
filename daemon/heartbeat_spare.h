/*
 * A second thread that sends heartbeats: when the first one has not for one and a half intervals. It runs on another
 * processor than the first one did, for what keeps a thread of real-time priority from running is mostly that its
 * processor stands still: its host gives it to others, firmware has it, the kernel is busy with something long. With
 * 10 ms x 3 a fiftieth of a second of that would be a dead node, although all others go on. What a heartbeat says
 * of the loop's age holds for both, so a loop that hangs is found out as before.
 */
#ifndef DAEMON_HEARTBEAT_SPARE_H
#define DAEMON_HEARTBEAT_SPARE_H

#include "daemon/heartbeat_send.h"

struct beat_spare;

/*
 * Starts the thread, with the real-time priority `priority` where that is allowed. Borrows `sh` and its sockets.
 * NULL, with `e` clear, where there is but one processor: a spare would stand still along with the first.
 */
struct beat_spare *beat_spare_start(struct beat_shared *sh, const struct clock *clock, int priority, struct err *e);
void beat_spare_stop(struct beat_spare *s); /* when this returns nothing more is sent; NULL is fine */

#endif
