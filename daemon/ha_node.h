/*
 * This node of a pair: the engine of ha/ with its sync link, heartbeats, virtual addresses and durable terms, wired
 * into the gateway's turn (daemon/glue). A gateway without a section `ha:` has none of it.
 */
#ifndef DAEMON_HA_NODE_H
#define DAEMON_HA_NODE_H

#include "config/model.h"
#include "core/net/ifwatch.h"
#include "daemon/ha_objects.h"
#include "daemon/heartbeat.h"
#include "daemon/parent.h"
#include "daemon/programs.h"
#include "daemon/synclink.h"
#include "daemon/terms.h"
#include "daemon/vips.h"
#include "daemon/witness.h"
#include "ha/ha.h"
#include "ike/pool.h"

struct gateway;

struct ha_node {
	struct gateway *g; /* back-pointer */
	struct ha *ha;
	struct settings *settings; /* owned reference: those it was started with */
	struct settings *live;	   /* owned reference: what they say now that may change while it runs */
	struct synclink *link;
	struct heartbeat *beat;
	struct vips *vips;
	struct terms *terms;
	struct witness *witness;    /* NULL: none is configured */
	struct parent_link *parent; /* borrowed; NULL: no parent process */
	struct ha_durable durable;  /* as found at the start, then as written last */
	struct programs *programs;  /* NULL: none can be run */
	uint64_t fingerprint;	    /* of the newest settings */
	uint64_t peer_fingerprint;  /* as heard last; 0: not yet */
	uint8_t hooked_role;	    /* that hooks.role was told last, or would have been; 0: none */
	struct ifwatch *path_links; /* of the interfaces that paths leave by; NULL: none is known */
	char path_interface[HA_PATHS_MAX][IFWATCH_NAME];
	size_t path_count;
	int64_t detection_us;
	int64_t sleep_us; /* a standstill of the loop that is a sleep */
	mtime link_heard; /* when the sync link last brought bytes; us 0: never */

	bool applied;	   /* something of the other node's, in this turn */
	bool look;	   /* heartbeats know something new */
	bool claimed;	   /* the addresses are, or should be, here */
	enum dp_gate gate; /* of the data plane */
	bool leaving, left;
	mtime drain_by;
	char drain_why[120];
	bool draining; /* new clients are left to the other node, which is handed to when handshakes are through */
	_Atomic int64_t turning_us; /* when the loop last finished a turn: the plane's thread reads it */
	struct dp_op *ops;	    /* owned: room for what is prepared */
	size_t op_cap;
	struct {		/* outbound SAs to be rekeyed, gathered over a turn */
		uint32_t *spis; /* owned */
		size_t n, cap;
	} rekeys;
	uint64_t lease_dirty[POOL_PARTS / 64]; /* bits: parts to be told */
	mtime lease_at;

	struct ha_verified verified; /* of the last ha_verify() that has ended */
	char verified_text[120];
	uint64_t verifications;
	struct {
		mtime asked, claimed, opened; /* of the last takeover: verdict, addresses there, plane open */
	} takeover;
	struct {
		uint64_t promotions, demotions, sleeps, refused, rekeys, links_closed;
		int64_t longest_sleep_us;
	} counters;
};

/*
 * `programs_fd`: of programs_fork(), -1: none. g->ha: sockets, virtual addresses (what was left behind goes) and terms,
 * before rights are dropped. g has its loop, state and engine.
 */
MUST_USE enum gw_err ha_node_open(struct gateway *g, struct parent_link *parent, int programs_fd, struct err *e);
/* When the data plane is there: shuts it, makes the engine silent, starts the threads, tells the parent process. */
MUST_USE enum gw_err ha_node_start(struct gateway *g, struct err *e);
/* The other node is told that this one is gone. NULL is fine. */
void ha_node_close(struct ha_node *h);

/* Heartbeats as the engine of ha wants them, and what ours say. */
void ha_node_observe(struct ha_node *h);
void ha_node_say(struct ha_node *h);
/* Our end of path i. */
bool ha_node_path_up(const struct ha_node *h, size_t i);
/* The loop stood still. Its argument is the node. */
void ha_node_slept(void *arg, int64_t us);

/* ---- a turn, in this order ---- */

/* Time and heartbeats. */
void ha_node_begin(struct ha_node *h);
/* What the engine wants of the data plane, with starts and fences: what to submit; *token is changed. NULL: no memory.
 */
const struct dp_op *ha_node_prepare(struct ha_node *h, const struct ike_event *ev, uint64_t *token);
/* Does what ha wants; false: nothing. */
bool ha_node_take_events(struct ha_node *h);
/* Looks at what the IKE engine reports. */
void ha_node_heed(struct ha_node *h, const struct ike_event *ev);
/* After the IKE engine's dirty objects: asks for what was gathered. */
void ha_node_gathered(struct ha_node *h);
/* Closes the turn and lets the link have its bytes. */
void ha_node_end(struct ha_node *h);
/* Before datagrams leave: a node that slept says nothing until it has heard the other. */
void ha_node_wake(struct ha_node *h);
mtime ha_node_due(const struct ha_node *h);

/*
 * The gateway has new settings (daemon/ha_reload): the pair's secret is taken over live, the old one stays good for ten
 * minutes; so is what the schema says to be in force at once. The rest is set at the start. A part that fails is logged
 * and stays what it was.
 */
void ha_node_reload(struct ha_node *h, struct settings *is);

/* ---- for it ---- */

/* Of what is in force now. Borrows from h. */
struct ha_config ha_node_config(const struct ha_node *h);
/* For c->witness; *out NULL: it names none. */
MUST_USE enum gw_err ha_node_open_witness(struct ha_node *h, const struct ha_cfg *c, struct witness **out,
					  struct err *e);
/* What it needs to know to withdraw us, with this secret. */
MUST_USE enum gw_err ha_node_brief_parent(struct ha_node *h, const struct secret *secret, struct err *e);

/* ---- the end ---- */

/* An active node hands over when it can; then it leaves. */
void ha_node_stop(struct ha_node *h, const char *why);
/*
 * New clients are refused, so that they come to the other node, to which this one hands over as soon as no handshake is
 * under way, at most some seconds later. GW_ESTATE: it cannot be handed over.
 */
MUST_USE enum gw_err ha_node_drain(struct ha_node *h, const char *why, struct err *e);
void ha_node_undrain(struct ha_node *h);
/* After ha_node_stop(): all is said. */
bool ha_node_left(const struct ha_node *h);

#endif
