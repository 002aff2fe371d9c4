/*
 * Heartbeats: datagrams between the nodes on every configured path, sent and heard by a small thread of their own,
 * which runs in real time where it may. So a busy loop is no dead node; a hung one is found out by its age, which each
 * heartbeat carries. The loop reads what is known and is woken when it should look.
 *
 * A heartbeat counts when it was made with the pair's key, by the peer, on this path, for this process of ours (it
 * echoes the random number that we sent), and was not seen before. What else arrives is counted by reason.
 */
#ifndef DAEMON_HEARTBEAT_H
#define DAEMON_HEARTBEAT_H

#include <stdatomic.h>

#include "core/addr.h"
#include "core/env.h"
#include "core/loop.h"
#include "daemon/heartbeat_msg.h"
#include "daemon/listening.h"

struct heartbeat;

enum { HEARTBEAT_PATHS = 8 };

/* What the parent process sees of the daemon: in memory that both share. All zero before. */
struct heartbeat_page {
	_Atomic int64_t alive_us; /* when the loop was last seen turning (CLOCK_BOOTTIME) */
	_Atomic uint64_t boot, peer_boot, sequence;
	_Atomic uint32_t incarnation;
};

struct heartbeat_config {
	const char *cluster;
	uint8_t node, peer;   /* indexes */
	uint32_t incarnation; /* of our process */
	int64_t interval_us;
	uint32_t misses;
	int64_t stall_us; /* 0: 10 intervals, at least 500 ms */
	size_t path_count;
	struct {
		struct endpoint local, remote;
	} paths[HEARTBEAT_PATHS];
	struct heartbeat_page *page; /* borrowed; NULL: none */
};

enum heartbeat_refusal {
	HEARTBEAT_MALFORMED,
	HEARTBEAT_ADDRESS,  /* not from the peer's address; the port may be its parent's */
	HEARTBEAT_STRANGER, /* another cluster, node or path */
	HEARTBEAT_SECRET,
	HEARTBEAT_REPLAY,
	HEARTBEAT_STALE, /* not for this process of ours; a peer that has just started sends some */
	HEARTBEAT_REFUSALS,
};

struct heartbeat_view {
	struct {
		mtime heard; /* us 0: never */
		bool silent; /* nothing for the detection time, or never */
		uint32_t send_errors;
	} paths[HEARTBEAT_PATHS];
	struct listening ear; /* until when a path on which nothing was heard was silent */
	mtime wakes;	      /* the thread, by itself */
	bool known;	      /* the rest was heard */
	struct heartbeat_says says;
	uint32_t incarnation; /* the peer's */
	int64_t loop_age_us;  /* of the peer, when it said so */
	mtime at;	      /* of the newest heartbeat */
	uint32_t
		elder; /* of us: the peer knows this incarnation of ours, and it is no less than that of this process */
	bool withdrawn; /* the peer's parent process: the daemon is dead, its addresses are gone */
	uint64_t in, out, refused[HEARTBEAT_REFUSALS];
	uint64_t spared; /* times that the spare thread sent, since the first one was late */
};

struct heartbeat_ops {
	/* Something to look at: a path heard again or silent, another role, leaving, stalled, withdrawn. */
	void (*changed)(void *arg);
	/* The loop stood still for so long; called before anything else happens that the loop's timers do. */
	void (*slept)(void *arg, int64_t us);
};

const char *heartbeat_refusal_text(enum heartbeat_refusal r);

/* Opens the sockets. Borrows env, loop, page, ops, arg. Before capabilities are dropped. NULL: `e` says why. */
struct heartbeat *heartbeat_create(const struct env *env, struct loop *loop, const struct heartbeat_config *cfg,
				   struct bytes secret, const struct heartbeat_ops *ops, void *arg, struct err *e);
/*
 * Lets the thread made later run in real time, by a capability that the daemon does not keep. Where the limit on that
 * cannot be raised the caller itself runs so until heartbeat_start(): threads that it makes before say what they want.
 * False: the thread will run like all others.
 */
bool heartbeat_allow_realtime(void);
/* The thread, which has the capabilities of its maker: after they were dropped. Says what is said from the start. */
MUST_USE enum gw_err heartbeat_start(struct heartbeat *h, const struct heartbeat_says *says, struct err *e);
void heartbeat_destroy(struct heartbeat *h); /* NULL is fine */

/* What is said from now on; at once when more than turn and exposed differs. */
void heartbeat_say(struct heartbeat *h, const struct heartbeat_says *says);
/* As it is now: view->ear.until also when the thread had nothing to do since. */
void heartbeat_look(const struct heartbeat *h, struct heartbeat_view *out);
/*
 * "The loop turns", from the loop; the heartbeat's own timer does it once an interval. Returns for how long it did not.
 * Whoever is about to send asks first.
 */
int64_t heartbeat_alive(struct heartbeat *h);
/* As synclink_set_secret(): for `grace_us` every heartbeat is sent and heard with both. */
MUST_USE enum gw_err heartbeat_set_secret(struct heartbeat *h, struct bytes secret, int64_t grace_us, struct err *e);
/* The port of path i, as bound. */
uint16_t heartbeat_port(const struct heartbeat *h, size_t i);
/* For tests, before heartbeat_start(): where path i sends to. */
void heartbeat_set_remote(struct heartbeat *h, size_t i, const struct endpoint *to);
bool heartbeat_is_realtime(const struct heartbeat *h);

#endif
