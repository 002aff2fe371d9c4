/*
 * The engine of high availability (DESIGN.md §3-§5): one node of a pair. Same shape as ike/ike.h: no I/O, no clock of
 * its own, nothing global. Bytes of the sync link, what the heartbeats saw and time come in; bytes, datagrams that may
 * leave and events come out. What is replicated is made and applied by the node through struct ha_ops; only ceilings,
 * which belong to no engine, live here.
 *
 * A turn of the caller's loop:
 *	... ike_receive(), ike_tick(), ike_resume(); ha_link_receive(), ha_plane_event(), ha_observe()
 *	ha_tick() when due
 *	while (ike_take_event(...))      of IKE_EV_DATAPLANE: copy the ops, token = ha_prepare(ha, ...), submit
 *	while (ha_take_event(...))       what ha wants done, in order
 *	while (ike_take_dirty(...))      ha_dirty(ha, ...)
 *	ike_end_turn(); ha_end_turn()
 *	while (ike_take_datagram(...))   ha_send(ha, ...)
 *	while (ha_take_datagram(...))    send
 *	ha_link_bytes() -> write what fits, ha_link_written(); where all did, ha_link_more(), and again
 *	timer at ha_due()
 *
 * Not thread-safe; several may live in one process.
 */
#ifndef HA_HA_H
#define HA_HA_H

#include "core/env.h"
#include "esp/dataplane.h"
#include "ha/record.h"
#include "ha/watch.h"
#include "ike/events.h"

struct ha;

/* Zeros are the defaults. Texts are borrowed for the life of struct ha. */
struct ha_config {
	const char *cluster, *node, *software;
	uint64_t config_hash;	/* of what must be the same on both nodes */
	uint32_t priority;	/* of two standbys without history the higher becomes active */
	bool external;		/* elections are somebody else's: only ha_promote() and ha_demote() */
	int64_t ack_timeout_us; /* default: max(30 ms, 4 x smoothed round trip) */
	int64_t report_us;	/* inbound windows; default 50 ms */
	int64_t digest_us;	/* default 5 s */
	int64_t start_hold_us;	/* a starting node listens that long before it becomes active; default 1 s */
	int64_t calm_us;	/* between two promotions of one node by itself (flaps); default 0 */
	int64_t preempt_us;	/* a standby of higher priority asks to be handed over to after so long; 0: never */
	bool preempt_synced;	/* counted from when it holds everything; else from when it met the active one */
	bool fence;		/* there is a program that switches the other node off: HA_EV_FENCE */
	bool strict;		/* replay: strict. A standby's inbound windows stand above what was reported */
	int64_t linger_us;	/* who has handed over takes what still arrives for so long; default 50 ms */
	uint64_t block_min;	/* sequence numbers granted at a time; default 2^20 */
	bool former;		/* tests: a node of the former format, which adds fields that we do not know */
	struct watch_config watch;
};

/* An object of a turn, for the node to apply. */
struct ha_change {
	enum ha_kind kind;
	bool deleted;
	uint64_t key;
	struct bytes state;
	enum gw_err result; /* set by apply(); GW_OK before */
	char text[100];
};

struct ha_ops {
	/* The whole state of an object as it is now. GW_ENOTFOUND: it is gone. */
	enum gw_err (*encode)(void *arg, enum ha_kind kind, uint64_t key, struct writer *out);
	/*
	 * Standby: one turn's objects, all at once. What it does to the data plane is passed through ha_prepare() and
	 * submitted before this returns. A refused object leaves nothing of itself. An active node gets IKE SAs that a
	 * partition has left with the other one in the same way, one call for each.
	 */
	void (*apply)(void *arg, struct ha_change *changes, size_t n);
	/* As dataplane_ops.dump. */
	size_t (*dump)(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max);
	/* As dataplane_ops.take_used. NULL: all are dumped each time. */
	size_t (*take_used)(void *arg, struct dp_sa_state *out, size_t max);
	/* As dataplane_ops.query. NULL: a switchover goes on at ceilings. */
	enum gw_err (*query)(void *arg, const struct dp_sa_id *id, struct dp_sa_state *out);
	/*
	 * How long ago, in us, the client of the IKE SA `key` has spoken to this very node: ike_heard_us(). INT64_MAX:
	 * never, or no such SA. NULL: never.
	 */
	int64_t (*heard)(void *arg, uint64_t key);
};

/* What survives the process, in two slots (ha/term.h). */
struct ha_durable {
	uint32_t reserve;     /* a term that no other start of ours has; 0: none */
	uint32_t owned;	      /* the last term in which we were owner */
	uint32_t incarnation; /* of our process: the greatest that our peer told us of */
};

/* Borrows env, ops and arg; copies cfg. Starts as a standby. NULL: out of memory. */
struct ha *ha_create(const struct env *env, const struct ha_config *cfg, const struct ha_ops *ops, void *arg,
		     const struct ha_durable *durable);
void ha_destroy(struct ha *ha); /* NULL is fine */
/*
 * What may change while it runs, of `cfg`: priority, external, ack_timeout_us, report_us, start_hold_us, calm_us,
 * preempt_us, preempt_synced, fence, strict, watch.witness; the rest of it is ignored. The other node need not have the
 * same at that moment. Another delay to preempt is counted anew; where the other node could not be switched off, it is
 * tried again.
 */
void ha_configure(struct ha *ha, const struct ha_config *cfg);

/* ---- the sync link: authenticated, encrypted, ordered; one at a time ---- */

void ha_link_up(struct ha *ha);
void ha_link_down(struct ha *ha, const char *why);
void ha_link_receive(struct ha *ha, struct bytes in);
/* What waits to be sent, until the next call of anything else; then how much of it was. */
struct bytes ha_link_bytes(struct ha *ha);
void ha_link_written(struct ha *ha, size_t n);
/*
 * Adds a piece (16 objects at most) of what nobody waits for: a resync, or what a loser alone has. To be called as long
 * as the link takes all there is and there is time, so that nothing that somebody does wait for stands behind it.
 * False: nothing more for now.
 */
bool ha_link_more(struct ha *ha);

/* The minor format that both nodes speak: objects are encoded in it. Without a link: that of this node. */
uint8_t ha_format(const struct ha *ha);

/* ---- state ---- */

/* An object has changed. Only an active node's count. */
void ha_dirty(struct ha *ha, enum ha_kind kind, uint64_t key, bool deleted);
/* Closes the turn: changed objects are encoded, once. Returns what datagrams made up to now depend on. */
uint64_t ha_end_turn(struct ha *ha);
/* Whether what depends on that turn may leave now. */
bool ha_may_send(const struct ha *ha, uint64_t turn);
/* Takes a copy of what the IKE engine wants to send, after ha_end_turn(). What a standby says is dropped. */
void ha_send(struct ha *ha, const struct ike_output *out);
/* The next that may leave; `turn` is the one that it waited for. Borrowed until the next call. */
bool ha_take_datagram(struct ha *ha, struct ike_output *out);

/* ---- data plane ---- */

/*
 * What the IKE engine wants of the data plane goes through here: `ops` get their starts and fences, and the token to
 * submit them with is returned. `key`: ike_event.key. When submit() refuses, tell ha_plane_event() by a DP_DONE.
 */
uint64_t ha_prepare(struct ha *ha, uint64_t token, uint64_t key, struct dp_op *ops, size_t n);
/* Every event of the plane. True: it was ha's; else it is for ike_resume() or ike_dataplane_event(). */
bool ha_plane_event(struct ha *ha, const struct dp_event *ev);

/* ---- roles ---- */

/* What the heartbeats know, whenever they know something new, and after each of ha_due() that asks for it. */
void ha_observe(struct ha *ha, const struct watch_view *view);
/* The loop stood still for so long (CLOCK_BOOTTIME): the node is silent until it has heard its peer, or found it
 * absent. */
void ha_slept(struct ha *ha, int64_t us);
/* A term that HA_EV_PERSIST asked for is on disk. */
void ha_persisted(struct ha *ha, uint32_t reserve);
/* By order (an operator, keepalived). GW_ESTATE with the reason. */
MUST_USE enum gw_err ha_promote(struct ha *ha, const char *why, struct err *e);
MUST_USE enum gw_err ha_demote(struct ha *ha, const char *why, struct err *e);
/*
 * Hands over to a synced standby: barrier, lowered fences, HANDOVER (ha/handover.c). Sequence numbers go on 16 further
 * where there are few SAs or they have traffic, else above what the standby was granted. The data plane stays open until
 * the other node is heard to be active; then what neighbours still send here is taken for a while (HA_EV_INBOUND), then
 * come HA_EV_RELEASE and HA_EV_SHUT.
 */
MUST_USE enum gw_err ha_switchover(struct ha *ha, const char *why, struct err *e);
/*
 * An active node: the operator says that the peer is off and speaks no more. SAs that it has numbers of are rekeyed, so
 * that nothing goes wrong should it not be so.
 */
void ha_peer_fenced(struct ha *ha);
/* The answer to HA_EV_FENCE: the other node is off, or it could not be done (or took too long): `text` says why. */
void ha_fenced(struct ha *ha, bool off, const char *text);
/*
 * No change of role by this node itself until resumed: orders, a handover by the other node and the end of a split
 * brain (of two active nodes one steps down) are all that is left.
 */
void ha_pause(struct ha *ha, bool paused);
/*
 * Compares what both nodes hold, and what each has in its data plane; HA_EV_VERIFIED comes once, within seconds. With
 * `repair` the standby gets again what differs. GW_ESTATE: no synced standby, or one is under way.
 */
MUST_USE enum gw_err ha_verify(struct ha *ha, bool repair, struct err *e);
/* A standby that ends in order: numbers are the active's alone. Write what ha_link_bytes() gives, then close. */
void ha_leave(struct ha *ha);

/* ---- events ---- */

enum ha_event_kind {
	HA_EV_DATAPLANE, /* submit ops under token; no ha_prepare() */
	HA_EV_PERSIST,	 /* make `durable` so, then ha_persisted(durable.reserve) */
	HA_EV_CLAIM,	 /* add and announce the virtual addresses; again, when another node had announced them */
	HA_EV_HUSH,	 /* announce them no more, until HA_EV_CLAIM */
	HA_EV_RELEASE,	 /* take them away */
	HA_EV_OPEN,	 /* open the data plane */
	HA_EV_SHUT,
	HA_EV_INBOUND, /* nothing leaves any more, what comes in still passes: DP_INBOUND_ONLY. At once, as the two
			  above */
	HA_EV_FENCE,   /* switch the other node off, then ha_fenced(); `text`: why */
	HA_EV_ACTIVE,  /* the IKE engine speaks: ike_set_passive(false) */
	HA_EV_PASSIVE, /* it is silent */
	HA_EV_SYNCED,  /* the standby holds everything (told to both) */
	HA_EV_UNPROTECTED,
	HA_EV_REFUSED,	  /* the standby cannot hold object `kind` `key`: `text` */
	HA_EV_DOUBT,	  /* another node has owned meanwhile, and remembers nothing: ike_doubt_anew() */
	HA_EV_REKEY,	  /* rekey the CHILD SA whose outbound SA is `sa`: its numbers end, or are not known */
	HA_EV_CLOSE_LINK, /* the stream makes no sense, or the peer is refused: `text` */
	HA_EV_VERIFIED,	  /* `verify` */
	HA_EV_CHANGED,	  /* role, term or fencing changed: `text`; hooks. After what it takes was reported */
};

enum ha_difference_kind {
	HA_DIFFERS = 1, /* two versions of it */
	HA_ONLY_ACTIVE, /* the standby lacks it */
	HA_ONLY_STANDBY,
	HA_PLANE_LACKS, /* of an SA that is known nothing is in this node's data plane; key: reqid << 32 | SPI */
	HA_PLANE_EXTRA, /* in this node's data plane, and nobody knows it; key: SPI */
};

struct ha_difference {
	uint8_t what; /* enum ha_difference_kind */
	uint8_t kind; /* enum ha_kind; 0: of a data plane */
	uint64_t key;
	uint64_t active, standby; /* versions; 0: not there */
	char why[100];		  /* the standby's refusal; "": a record was lost or is to come */
};

enum { HA_DIFFERENCES = 32, HA_TRANSITIONS = 16, HA_REFUSALS = 32 };

struct ha_verified {
	bool complete; /* else the link broke, or the other node did not answer: `text` of the event */
	bool repair;
	size_t objects;				     /* compared */
	size_t differing, only_active, only_standby; /* all of them */
	size_t plane_sas, plane_lacks, plane_extra;  /* of this node */
	size_t count;				     /* of what follows: the first ones */
	struct ha_difference items[HA_DIFFERENCES];
};

struct ha_event {
	enum ha_event_kind kind;
	uint64_t token;
	const struct dp_op *ops; /* borrowed until the next ha_take_event() */
	size_t op_count;
	struct ha_durable durable;
	uint8_t object_kind;
	uint64_t key;
	struct dp_sa_id sa;
	const struct ha_verified *verify; /* borrowed until the next ha_take_event() */
	bool behind; /* HA_EV_ACTIVE: the one before us may have told clients what we do not know */
	mtime until; /* HA_EV_DOUBT: when another node had all that we have */
	char text[120];
};

bool ha_take_event(struct ha *ha, struct ha_event *out);

/* ---- time ---- */

mtime ha_due(const struct ha *ha);
void ha_tick(struct ha *ha);

/* ---- looking ---- */

enum ha_sync { HA_SYNC_NONE, HA_SYNC_CATCHING, HA_SYNC_DONE };
enum ha_fence { HA_FENCE_NONE, HA_FENCE_RUNNING, HA_FENCE_OFF, HA_FENCE_FAILED };

struct ha_status {
	enum ha_role role;
	enum ha_sync sync; /* of the standby, whichever we are */
	uint32_t term, reserve;
	bool peer_linked, asleep, handing;
	bool protected_; /* active: what a client sees, the standby has */
	bool would_survive;
	const char *why_not;
	struct ha_position at;
	uint64_t turn, acked, exposed;
	size_t objects, refused, held, ceilings, repairs;
	int64_t srtt_us;
	bool config_differs;
	uint64_t ceilings_raised; /* asked of a standby, since the start */
	uint64_t releases;	  /* datagrams that left unacknowledged while there was a standby */
	const char *last_change;  /* why the role is what it is */
	mtime changed_at;
	enum ha_fence fence; /* of the other node, since it fell silent */
	bool paused;
	mtime preempt_at; /* when it will ask to be handed over to; MTIME_NEVER: it does not mean to */
	/* Active, towards the standby: what a failure now would leave behind. */
	uint64_t lag_turns;
	int64_t lag_us; /* age of the oldest turn that is not acknowledged; 0: none */
	size_t unacked; /* records */
	/* Inbound packets, all SAs together, that came between the last two reports, which are so far apart: so many
	 * could be replayed once after a takeover (with `strict`: so many fresh ones may be lost). */
	uint64_t replay_packets;
	int64_t replay_us;
	uint8_t peer_role, peer_minor; /* as the link said; 0: none */
	char peer_node[HA_NAME_MAX + 1], peer_software[HA_NAME_MAX + 1];
	uint64_t adopted,
		given_up; /* SAs of the other node after a partition: taken; closed, as an address was given twice */
};
void ha_look(const struct ha *ha, struct ha_status *out);

/* What the role was and became: the last HA_TRANSITIONS, the oldest first. Returns how many. */
struct ha_transition {
	mtime at;
	uint32_t term;
	uint8_t role; /* enum ha_role: since then */
	char why[120];
};
size_t ha_transitions(const struct ha *ha, struct ha_transition out[HA_TRANSITIONS]);
/* What the standby has refused and lacks still (either node knows): the last HA_REFUSALS. Returns how many. */
size_t ha_refusals(const struct ha *ha, struct ha_refusal out[HA_REFUSALS]);
enum ha_role ha_role_of(const struct ha *ha);

/* What our heartbeats say. */
struct watch_beat ha_beat(const struct ha *ha);

#endif
