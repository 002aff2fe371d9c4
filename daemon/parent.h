/*
 * The parent of the daemon's process: holds no keys but that of heartbeats, reads no configuration, and does three
 * things when the daemon dies or its loop stands still: tells the other node so, takes the virtual addresses away, and
 * starts the daemon again. A dead daemon is not a dead kernel, which would keep answering for its addresses.
 *
 * What the parent has to know the daemon tells it when it runs. Until then it only passes its end on.
 */
#ifndef DAEMON_PARENT_H
#define DAEMON_PARENT_H

#include "core/log.h"
#include "core/net/ifaddr.h"
#include "daemon/heartbeat.h"
#include "daemon/pairkeys.h"

enum { PARENT_ADDRESSES = 64 };

/* One message of a process to its own parent: host order, no versions. */
struct parent_brief {
	int64_t stall_us; /* standstill after which the daemon is killed; 0: never */
	char cluster[HEARTBEAT_CLUSTER + 1];
	uint8_t node;
	uint8_t beat_key[PAIR_BEAT_KEY];
	uint32_t path_count;
	struct {
		struct endpoint local, remote;
	} paths[HEARTBEAT_PATHS];
	uint32_t address_count;
	struct ifaddr_entry addresses[PARENT_ADDRESSES]; /* that the daemon may have put there */
};

/* The daemon's end. */
struct parent_link {
	int fd;
	struct heartbeat_page *page; /* stamp page->alive_us, best by a heartbeat with it */
};

struct parent_options {
	struct log *log;
	/* The daemon: its exit status. Runs in a process of its own, each time anew. */
	int (*daemon)(void *arg, struct parent_link *link);
	void *arg;
	/*
	 * Least privilege of the parent, before the first start, so that every start is like it: privileges_rest().
	 * What a daemon needs `daemon` takes up. NULL: nothing.
	 */
	enum gw_err (*rest)(struct log *log, struct err *e);
};

/*
 * Runs the daemon until it ends in order, and returns its exit status. SIGTERM, SIGINT, SIGHUP and SIGUSR1 are passed
 * on. A daemon that ends before it told its brief is not started again. A daemon whose parent dies gets SIGTERM.
 */
int parent_run(const struct parent_options *opt);

/* From the daemon: may be called again when something changes. */
MUST_USE enum gw_err parent_tell(const struct parent_link *link, const struct parent_brief *brief, struct err *e);

#endif
