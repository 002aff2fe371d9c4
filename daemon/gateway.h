/*
 * A gateway: owner of everything, and wiring. Only daemon/ knows this struct; nothing is global, so two gateways can
 * live in one process (without signals and privileges, which are the process's: see main.c).
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "config/load.h"
#include "core/env.h"
#include "core/loop.h"
#include "core/net/udp.h"
#include "daemon/arrears.h"
#include "daemon/control.h"
#include "daemon/incarnation.h"
#include "daemon/journal.h"
#include "daemon/keyexport.h"
#include "daemon/leases.h"
#include "daemon/reload.h"
#include "daemon/sdnotify.h"
#include "ike/ike.h"

struct gateway_socket {
	struct gateway *gateway; /* back-pointer */
	struct udp_socket udp;
	bool natt;
	struct loop_fd *watch; /* NULL: the data plane reads it */
};

/* What the daemon counts by itself; `gatewayctl stats` shows them beside the engine's. */
struct gateway_counters {
	uint64_t keepalives_in, junk_in, esp_without_plane, send_busy, send_failed, send_no_socket;
};

struct gateway {
	struct env env;
	struct log log;
	struct rng *rng;	   /* owned */
	struct crypto *crypto;	   /* owned */
	struct settings *settings; /* owned reference: the newest */
	char *config_file;	   /* owned */
	struct loop *loop;	   /* owned */
	struct incarnation incarnation;
	struct sdnotify notify;

	struct gateway_socket *sockets; /* owned array, made once */
	size_t socket_count;
	struct udp_burst *burst; /* owned */

	struct pools *pools;	 /* owned */
	struct ike *ike;	 /* owned */
	struct leases *leases;	 /* owned */
	struct lists *lists;	 /* owned */
	struct reload *reload;	 /* owned */
	struct traffic *traffic; /* owned */
	struct journal *journal; /* owned */
	struct keyexport *keyexport; /* owned */
	struct dataplane *dp;	 /* owned */
	const char *plane_why;	 /* why this plane */
	char plane_text[256];
	struct loop_fd *plane_watch;
	struct arrears arrears;
	bool plane_is_user, plane_is_fake, plane_is_kernel;
	bool anchored; /* kernel plane: the device is ours by anchor_fd */
	int anchor_fd;
	char device[16];	 /* TUN; "": none */
	struct network *network; /* owned; NULL: the fake plane */

	struct ha_node *ha;	 /* owned; NULL: a lone node */
	struct control *control; /* owned */
	struct loop_timer *ike_timer, *watchdog, *patience;
	struct loop_timer *log_timer; /* the end of another log level */
	struct gateway_counters counters;
	mtime started;
	bool stopping;
	bool failed; /* gateway_run() has ended by an error */
};

/* Everything but privileges, in the order in which failures are cheapest; `e` is the one line for the user. */
struct gateway_options {
	const char *config_file;
	/* Called between what needs full rights and the making of threads, and when all is open. NULL: nothing. */
	enum gw_err (*drop)(struct log *log, struct err *e);
	enum gw_err (*confine)(struct log *log, struct err *e);
	bool signals;		    /* take SIGTERM, SIGINT, SIGHUP */
	struct parent_link *parent; /* to the parent process; NULL: none */
	bool runs_programs;
	int programs_fd; /* with it: of programs_fork() */
};

/* Takes the reference to `settings`, also on failure. */
struct gateway *gateway_create(struct settings *settings, const struct gateway_options *opt, struct err *e);
/* Turns until the end of an orderly shutdown. False: it ended by an error, which was logged. */
bool gateway_run(struct gateway *g);
/*
 * Begins it, with at most two seconds of patience: a lone node sends DELETEs to all; one of a pair never does, it hands
 * over when it is active, and leaves. A second call ends at once.
 */
void gateway_stop(struct gateway *g);
/* Level and format of log lines, as the settings say. */
void gateway_apply_log(struct gateway *g);
void gateway_destroy(struct gateway *g);

#endif
