/*
 * Inside the kernel plane: its state, and what its files call of each other. Not for anybody else.
 *
 * A batch becomes a *flight*: its operations change the tables and append messages to the current send. Messages of
 * many flights share one send. After it, flights without an error are told as done; the others are undone, tables first
 * to last and the kernel after them. A flight that touches what another one of the same unsent send has touched waits
 * for that send, so flights of one send are independent of each other.
 */
#ifndef ESP_XFRM_STATE_H
#define ESP_XFRM_STATE_H

#include "core/slab.h"
#include "esp/outbox.h"
#include "esp/xfrm.h"
#include "esp/xfrm_msg.h"

enum {
	XFRM_SENT_MAX = 1024, /* messages of a send */
	XFRM_BATCH_SIZE = 64 << 10,
	XFRM_BATCHES_MAX = 65536, /* submitted and not applied */
	XFRM_EVENTS_MAX = 4096,	  /* other than completions */
	XFRM_TURN_OPS = 1024,	  /* operations between two looks at what has happened */
	XFRM_SOCKETS_MAX = 32,
};

enum xfrm_stat {
	XS_BATCHES,
	XS_OPS,
	XS_MESSAGES,
	XS_SENDS,
	XS_ERRORS,    /* refused by the kernel */
	XS_UNDONE,    /* batches */
	XS_OVERRUNS,  /* events or answers lost, and made good by a dump */
	XS_AGAIN,     /* batches tried again for that */
	XS_SOFT,      /* EXPIRE, soft */
	XS_HARD,      /* EXPIRE, hard */
	XS_MAPPINGS,  /* a peer's address changed */
	XS_AEVENTS,   /* states that told of themselves */
	XS_REVIVED,   /* re-added after the fence was raised */
	XS_VANISHED,  /* states that somebody else deleted */
	XS_LEFTOVERS, /* states and policies of a predecessor */
	XS_COUNT,
};

struct xfrm_pol;
struct xfrm_slot;

/* What the policies know of each other: esp/xfrm_policy.c. */
struct xfrm_spd {
	struct table_seed seed;
	struct chain by_reqid, slots;
	uint64_t next_age;
};

struct xfrm_undo;

/* One allocation, with what undoes its operations behind it. */
struct xfrm_flight {
	struct xfrm_flight *next;
	uint64_t number;	/* from 1, in order */
	struct batch *b;	/* owned */
	struct xfrm_undo *undo; /* b->n of them */
	size_t done;		/* operations that have been begun and are to be undone on failure */
	bool lost;		/* it failed because nobody knows what became of it */
	bool again;		/* it is tried for the second time, by itself */
};

enum xfrm_tag {
	SENT_ADD,     /* of a state */
	SENT_UPDATE,  /* of a state: limits, ports */
	SENT_NUMBERS, /* of a state */
	SENT_DELETE,  /* of a state or policy: not there is fine */
	SENT_REPORTS, /* of a state: likewise */
	SENT_OTHER,
};

/* What the message with the same index in the send was for. */
struct xfrm_sent {
	struct xfrm_flight *flight; /* NULL: nobody's: undoing, tidying */
	struct sad_sa *sa;	    /* NULL: of a policy */
	size_t op;
	enum xfrm_tag tag;
	bool failed;
};

enum { XFRM_FRESH_MAX = 256 };

/* What the plane knows of its states' reports: esp/xfrm_report.c. */
struct xfrm_teller {
	int64_t every_us;  /* 0: nobody wants them */
	uint32_t ticks;	   /* that, in the kernel's */
	bool joined;	   /* whatever is used is told */
	mtime rests_until; /* they were too many: not before */
	mtime second;	   /* since when they are counted */
	size_t in_second;
	struct dp_sa_id fresh[XFRM_FRESH_MAX]; /* told of their first packet, and would of each one */
	size_t fresh_count;
};

struct xfrm_plane {
	struct dataplane dp;
	const struct env *env; /* borrowed */
	struct dp_caps caps;
	struct nl_socket nl, events, witness;
	int epoll_fd, kick_fd;
	bool kicked, looked; /* looked: at events, in this turn of the loop */

	struct nl_batch tx;
	uint8_t *tx_buf; /* owned */
	size_t tx_size;
	struct xfrm_sent *sent;	     /* owned, XFRM_SENT_MAX */
	uint64_t numbered, finished; /* flights */
	struct xfrm_flight *current;
	size_t current_op;
	struct xfrm_flight *flights, *last_flight; /* built, in the current send or the one before */

	struct sad *sad;
	struct slab slab; /* of flights, policies and slots */
	struct xfrm_spd spd;
	struct batch *first, *last; /* submitted; owned */
	size_t waiting;
	struct outbox outbox;

	/* Where packets of its direction do not pass, numbers of an SA that were read in this epoch are exact still. */
	uint32_t epoch;
	enum dp_gate gate;
	uint64_t dumps; /* number of the last whole dump */
	mtime dumped_at;
	int64_t dump_age_us;
	mtime now;    /* of this turn: a clock may cost a system call, and is wanted for each SA */
	int64_t wall; /* s, when `now` was wall_at: xfrm_wall() */
	mtime wall_at;
	bool resync; /* something was lost */

	struct xfrm_guard *guards; /* owned */
	size_t guard_count;
	struct xfrm_bypass *bypass; /* owned */
	size_t bypass_count;
	struct {
		int fd;
		uint8_t family;
		bool natt;
	} sockets[XFRM_SOCKETS_MAX];
	size_t socket_count;
	struct xfrm_thresholds thresholds; /* as they were before us */
	bool thresholds_known;
	struct ratelimit complain;
	/* What was last found out of a device: it is not asked again for each SA. */
	struct {
		uint32_t ifindex;
		enum dp_offload kind;
		bool works;
		mtime when;
	} offload;
	struct xfrm_teller teller;
	uint64_t stats[XS_COUNT];
};

static inline struct xfrm_plane *xfrm_self(const struct dataplane *dp)
{
	return (struct xfrm_plane *)(uintptr_t)dp; /* dp is the first member */
}

static inline bool xfrm_passes(const struct xfrm_plane *x, uint8_t dir)
{
	return x->gate == DP_OPEN || (dir == DP_IN && x->gate == DP_INBOUND_ONLY);
}

static inline void xfrm_look_at_clock(struct xfrm_plane *x)
{
	x->now = clock_now(x->env->clock);
}

/* Of this turn, s. */
static inline int64_t xfrm_wall(struct xfrm_plane *x)
{
	if (x->wall == 0 || x->wall_at.us != x->now.us)
		x->wall = x->env->clock->wall(x->env->clock);
	x->wall_at = x->now;
	return x->wall;
}

/* ---- xfrm_send.c ---- */

/*
 * Appends a message: `put` is an expression that appends it to x->tx and is false when that is full, and is then
 * evaluated again after a send.
 */
#define XFRM_EMIT(x, tag_, sa_, put) \
	do { \
		if (xfrm_send_is_full(x) || !(put)) { \
			xfrm_send(x); \
			if (!(put)) \
				break; \
		} \
		xfrm_note(x, tag_, sa_); \
	} while (0)

bool xfrm_send_is_full(const struct xfrm_plane *x);
void xfrm_note(struct xfrm_plane *x, enum xfrm_tag tag, struct sad_sa *sa);
/* What has been appended goes; flights, states and tables learn of failures. */
void xfrm_send(struct xfrm_plane *x);
/* That, and the flights of it are told or undone. */
void xfrm_flush(struct xfrm_plane *x);
/* One exchange apart from flights. x->tx must be empty before it is filled: xfrm_send() first. */
MUST_USE enum gw_err xfrm_ask(struct xfrm_plane *x, const struct nl_handler *h);

/* ---- xfrm_apply.c: batches ---- */

void xfrm_run(struct xfrm_plane *x, struct batch *b);
/* Told or undone; the flight is gone, its batch in the outbox. */
void xfrm_finish(struct xfrm_plane *x, struct xfrm_flight *f);

/* ---- xfrm_expect.c ---- */

enum { XFRM_EXPECT = 8 }; /* batches */

/* The first XFRM_EXPECT batches of a queue are about to run: what they will touch is fetched meanwhile. */
void xfrm_expect(const struct xfrm_plane *x, const struct batch *first);

/* ---- xfrm_sa.c: states in the kernel ---- */

struct xfrm_state_id xfrm_sa_id(const struct sad_sa *sa);
uint64_t xfrm_sa_limit(const struct sad_sa *sa); /* the packet limit that goes with its fence */
struct xfrm_state xfrm_sa_state(const struct xfrm_plane *x, const struct sad_sa *sa); /* as the kernel is to have it */
/* With the numbers that it begins with. */
void xfrm_sa_add(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n);
void xfrm_sa_update(struct xfrm_plane *x, struct sad_sa *sa);
void xfrm_sa_revive(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n);
void xfrm_sa_delete(struct xfrm_plane *x, struct sad_sa *sa);
/* As the table knows it: what a new SA begins with, or one that expired. */
void xfrm_sa_numbers(struct xfrm_plane *x, const struct sad_sa *sa, struct xfrm_numbers *out);
void xfrm_sa_set_numbers(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n);
/* Looks now. GW_ENOTFOUND: the kernel does not have it. */
MUST_USE enum gw_err xfrm_sa_read(struct xfrm_plane *x, struct sad_sa *sa, struct xfrm_numbers *out);
/*
 * Deletes the state that `id` names and tells its very last numbers. GW_ENOTFOUND: it was not there; then the table's
 * word is the last.
 */
MUST_USE enum gw_err xfrm_sa_take_out(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_state_id *id,
				      struct xfrm_numbers *out);
/* What the kernel shows of it goes into the table. */
void xfrm_sa_sample(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_view *v);
/* All states, at most as old as asked for. */
void xfrm_dump_all(struct xfrm_plane *x, int64_t max_age_us);
/* It is gone from the kernel, at its limit. */
void xfrm_sa_expired(struct xfrm_plane *x, struct sad_sa *sa);
/*
 * The same, without its last word, after its limit was lowered from `former`: a packet may have been past the new one
 * then, so a little more counts as used.
 */
void xfrm_sa_overtaken(struct xfrm_plane *x, struct sad_sa *sa, uint64_t former);
/* States and policies of this node, whoever made them; returns how many there were. */
size_t xfrm_sweep(struct xfrm_plane *x);

/* ---- xfrm_rows.c: selectors as the kernel has them ---- */

enum { XFRM_ROWS_MAX = 1024 }; /* of one policy */

/*
 * All pairs of the two sides as prefixes and port masks. GW_OK: *out is an array for free(), never empty.
 * GW_EUNSUPPORTED: nothing in common, or ICMP types that are no prefix; GW_ELIMIT: too many.
 */
MUST_USE enum gw_err xfrm_rows_make(const struct dp_policy *in, struct xfrm_row **out, size_t *n, const char **why);
/* XFRM_PRIO_TUNNEL and more: narrower first, in the order of esp/spd.h. */
uint32_t xfrm_row_priority(const struct xfrm_row *r);

/* ---- xfrm_policy.c ---- */

MUST_USE enum gw_err xfrm_pol_create(struct xfrm_plane *x, const struct dp_policy *in, struct xfrm_pol **out,
				     const char **why);
void xfrm_pol_destroy(struct xfrm_plane *x, struct xfrm_pol *p); /* not linked; NULL is fine */
struct xfrm_pol *xfrm_pol_find(const struct xfrm_plane *x, uint32_t reqid);
/* A policy takes the place of another one of its reqid; either may be NULL. GW_ENOMEM: nothing has changed. */
MUST_USE enum gw_err xfrm_pol_exchange(struct xfrm_plane *x, struct xfrm_pol *out, struct xfrm_pol *in);
/* Its outbound policies again: the newest outbound SA of the reqid has changed. None: fine. */
void xfrm_pol_refresh(struct xfrm_plane *x, uint32_t reqid);
void xfrm_pol_emit(struct xfrm_plane *x, const struct xfrm_pol *p); /* that, for who has it at hand */
/* As sad_expect(), in three steps. */
struct chain_hint xfrm_pol_expect(const struct xfrm_plane *x, uint32_t reqid);
void xfrm_pol_expect_entry(const struct chain_hint *h);
void xfrm_pol_expect_slots(const struct chain_hint *h);
uint64_t xfrm_pol_flight(const struct xfrm_pol *p);
void xfrm_spd_clear(struct xfrm_plane *x); /* the tables only */
/* Block policies for all guards at the priority of the epoch; bypass policies. */
void xfrm_put_guards(struct xfrm_plane *x, bool remove);
void xfrm_put_bypasses(struct xfrm_plane *x, bool remove);

/* ---- xfrm_report.c: states that tell when they are used ---- */

void xfrm_reports_begin(struct xfrm_plane *x, int64_t every_us); /* 0: never */
struct xfrm_reports xfrm_reports_of_new(const struct xfrm_plane *x);
/* The gate has changed. */
void xfrm_reports_gate(struct xfrm_plane *x);
/* True: all that has been used has been told, but for what is still to be read. */
bool xfrm_reports_tell(struct xfrm_plane *x);
void xfrm_on_aevent(struct xfrm_plane *x, const struct nlmsghdr *nlh);
/* Between batches: who has told of its first packet tells less from now on. */
void xfrm_reports_settle(struct xfrm_plane *x);

/* ---- xfrm_event.c ---- */

/* Multicast messages that have come; a resync when some were lost. */
void xfrm_take_events(struct xfrm_plane *x);

/* ---- xfrm_probe.c ---- */

/* The kernel's, for times that it wants in ticks. 0: it does not say. Nothing may be waiting in x->tx. */
uint32_t xfrm_ticks_per_second(struct xfrm_plane *x);

/* Finds the device of an SA with offload, and whether it can. GW_EUNSUPPORTED: `why`. */
MUST_USE enum gw_err xfrm_offload(struct xfrm_plane *x, struct sad_sa *sa, const char **why);

/* ---- xfrm_link.c ---- */

MUST_USE enum gw_err xfrm_socket_bypass(int fd, uint8_t family, struct err *e);
MUST_USE enum gw_err xfrm_socket_encap(int fd, bool on, struct err *e);

#endif
