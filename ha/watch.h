/*
 * Heartbeats judged: is the peer alive, is it the one that hangs, or are we the ones who are cut off? Pure functions of
 * what the heartbeat thread has seen; the thread, its sockets and keys are daemon/'s.
 */
#ifndef HA_WATCH_H
#define HA_WATCH_H

#include "core/clock.h"

#include <stddef.h>

enum { WATCH_PATHS = 8 };

struct watch_config {
	int64_t interval_us; /* between heartbeats; default 50 ms */
	uint32_t misses;     /* that make a peer dead; default 3 */
	int64_t stall_us;    /* age of the peer's loop that makes it hung; default 10 x interval, at least 500 ms */
	bool witness;	     /* without an answer of the witness we are the ones cut off */
};

/* What a heartbeat says. */
struct watch_beat {
	uint8_t role; /* enum ha_role; 0: none heard */
	uint8_t index;
	uint32_t term, priority;
	uint64_t turn;	  /* it holds */
	uint64_t exposed; /* active: what left without acknowledgement; a standby below it is behind */
	bool exposes;	  /* of our own: there is such; when that begins it is said before the next heartbeat is due */
	bool synced;	  /* standby: it holds all; active: all that leaves waits for its standby */
	bool leaving, service_up, asleep;
	bool traffic; /* active: clients have spoken to it since its promotion */
};

struct watch_path {
	bool used, link_up; /* our own end of it */
	mtime heard;	    /* the last heartbeat; us 0: never */
};

struct watch_view {
	struct watch_path paths[WATCH_PATHS];
	/*
	 * What was heard by then is in here, so a silence ends then: whoever judges may have been kept waiting since,
	 * and has heard nothing meanwhile because nobody listened. us 0: it is judged at once.
	 */
	mtime looked;
	struct watch_beat beat;	  /* the newest */
	int64_t peer_loop_age_us; /* as it said then */
	bool peer_withdrawn;	  /* its parent process: the daemon is dead, its addresses are gone */
	bool service_up;	  /* our service interfaces */
	bool witness_heard;
};

enum watch_verdict {
	PEER_UNKNOWN, /* never heard, and not long enough listened */
	PEER_ALIVE,
	PEER_STALLED, /* its kernel and heartbeats live, its loop does not */
	PEER_DEAD,
	PEER_GONE, /* said so itself, or by its parent */
	PEER_CUT,  /* we hear nobody, and it is our side that is to blame */
};

struct watch_result {
	enum watch_verdict verdict;
	const char *why;
	mtime again; /* when the verdict may change by time alone */
};

int64_t watch_detection_us(const struct watch_config *c);
/* The time by which this view is to be judged: no later than it was taken. */
mtime watch_now(const struct watch_view *v, mtime now);
/* `since`: when we began to listen. */
struct watch_result watch_judge(const struct watch_config *c, const struct watch_view *v, mtime since, mtime now);

#endif
