/*
 * Inside of the engine: what the files of ha/ share and nobody else includes (tests of single files may).
 * outbox: an owner's changes, and what waits for them; inbox: a standby's side of that; resync: catching up and
 * comparing; ceiling: sequence numbers; role: who owns; link: frames to and fro.
 */
#ifndef HA_INSIDE_H
#define HA_INSIDE_H

#include "ha/ha.h"
#include "ha/objects.h"

#define HA_TOKEN (UINT64_C(1) << 63)	   /* of all tokens that are ours */
#define HA_TOKEN_OWNER (UINT64_C(1) << 62) /* with it: a ceiling of an owner; without: a standby's turn */

enum {
	HA_SEND_HIGH = 4 * 1024 * 1024, /* no more turns are encoded while so much waits */
	HA_CHUNK_OBJECTS = 16,		/* of a resync: what is encoded, and applied, at a time */
	HA_CHUNKS_LEAST = 2,		/* on their way while there are live turns: see struct ha_pace */
	HA_CHUNKS_CALM = 16,		/* while there are none: at least */
	HA_CHUNKS_MOST = 64,
	HA_HELD_MAX = 16384, /* datagrams; more than that are dropped, and their peers ask again */
	HA_STAMPS = 256,
};

/* ---- outbox ---- */

struct ha_held {
	struct ha_held *next;
	uint64_t need;
	struct ike_output out;
	uint8_t data[];
};
struct ha_queue {
	struct ha_held *head, **tail;
	size_t n;
};
struct ha_dirty_list {
	struct ha_entry *head, **tail;
};
struct ha_outbox {
	struct ha_dirty_list dirty[2]; /* ceilings go before what they belong to */
	struct ha_queue held, ready;
	struct ha_held *taken;
	uint64_t acked, exposed, releases;
	mtime closed_at; /* when the last turn was, that was heard or not; us 0: none */
	struct {
		uint64_t turn;
		mtime at;
	} stamps[HA_STAMPS]; /* ring: when unacknowledged turns were sent */
	unsigned stamp_first, stamp_count;
	int64_t srtt_us;
	int64_t least_us; /* quickest acknowledgement of this stream: the link itself; 0: none yet */
	bool slow;	  /* acknowledgements are: held datagrams leave */
	mtime fast_at;	  /* since when they are fast again; MTIME_NEVER: they are not */
};

/* ---- inbox ---- */

struct ha_pending {
	struct ha_pending *next;
	uint64_t turn, chunk; /* one of them; 0: not */
	bool end;	      /* of a resync */
	uint64_t first_token, tokens;
	size_t outstanding;
	uint64_t *keys; /* owned; of the tokens */
	bool keyless;	/* out of memory for them */
};
struct ha_inbox {
	struct ha_pending *head, **tail; /* applied; the data plane is at work */
	struct ha_pending *current;	 /* being applied: what it does to the data plane is counted */
	uint64_t applied;		 /* turn */
	uint64_t installed, chunk;	 /* that were completed: to be acknowledged */
	uint64_t refused_total;
	struct ha_refusal *refusals; /* owned; to be told */
	size_t refusal_count, refusal_cap;
	bool ack_due;
};

/* ---- pace ---- */

/*
 * Owner: how much of a resync may be on its way. What a follower has not got to yet is what a live turn stands behind,
 * so the pieces under way are as many as keep it at work and no more: they grow while an acknowledgement takes hardly
 * longer than the quickest one did, and shrink when it does (as RFC 6817 does with its delay).
 */
struct ha_pace {
	unsigned window;  /* chunks */
	uint64_t changed; /* the last chunk sent when it changed: those before tell nothing of it */
	int64_t least_us;
	mtime sent[HA_CHUNKS_MOST + 1]; /* by number: each of those under way, and END */
};

/* ---- resync ---- */

struct ha_resync {
	enum ha_sync state;
	bool walking; /* owner: chunks are to come */
	uint64_t target;
	uint64_t chunk, chunk_acked, end_chunk; /* owner */
	struct ha_pace pace;
	mtime end_at;	/* when END was written */
	bool full;	/* follower: until END */
	bool whole;	/* what we hold is all that there was at our position */
	uint32_t round; /* follower: number of the full resync */
	mtime digest_at;
	uint64_t repairs;
};

/* ---- heal ---- */

struct ha_heal {
	uint64_t reign_turn; /* our last reign began after this turn */
	bool offering;	     /* loser: not following yet */
	bool all_wanted;     /* the owner has said all that it wants */
	uint64_t *wanted;    /* owned */
	size_t at, n;
	mtime by;
};

/* ---- ceilings ---- */

struct ha_ceiling {
	uint64_t key;	     /* reqid << 32 | SPI */
	struct ha_plane_id { /* hashed as octets */
		uint32_t spi, zero;
		struct addr remote;
		uint8_t pad[3];
	} plane;
	struct dp_sa_id id;
	bool installed, esn;
	bool wants; /* owner: more numbers, which nobody can grant */
	bool asking, tight;
	bool rekey_asked;
	uint32_t looked; /* number of the comparison that found it in the plane */
	bool blind;	 /* nobody has confirmed where we stand: nothing may leave, it is rekeyed when we own */
	bool offer;	 /* stale, and nobody else was given numbers of it: another owner may go on above our fence */
	bool found;	 /* owner: of an SA that the other node alone has, and that is not taken yet */
	bool gone;	 /* closed here; but the other node may hold the SA, and does not know how far we came */
	bool reported;	 /* owner: the other one has said how far it came */
	bool burnt; /* owner: another node has used numbers that it cannot name: rekeyed, and nobody is granted more */
	uint32_t reign;	       /* in which the fields below were true */
	uint64_t base;	       /* standby: granted, our position. Owner: where our numbers began */
	uint64_t fence;	       /* in our plane, at most: nothing above was used */
	uint64_t asked;	       /* owner: the next one, being granted; 0: none */
	uint64_t token;	       /* owner: of the batch that added it or set its fence last */
	uint64_t shared;       /* owner: another node may begin above this; 0: nobody */
	uint64_t shared_fence; /* and go up to this, before it has said so anywhere */
	uint64_t gap;	       /* owner: numbers up to this are skipped before more are used */
	uint64_t range;	       /* owner, of an SA that another node may make as well: our numbers of it end here; 0: all are ours */
	uint64_t lead;	       /* handing over: its lowered fence; 0: it is not lowered */
	uint64_t known;	       /* the last number that is known to have been sent */
	uint64_t block;
	uint64_t from; /* position at `since`, when a block was asked for last: for the rate */
	mtime since, made;
	struct ha_ceiling *next_asking;
	struct ha_ceiling *next_tight;
	struct ha_ceiling *next_fresh;
	bool fresh; /* its range counts until the standby holds it */
	UT_hash_handle by_key, by_plane;
};
struct ha_window {
	uint32_t spi;
	uint64_t top;
	uint32_t looked; /* as in a ceiling */
	uint32_t stream; /* in which `top` and `known` were true */
	uint64_t since;	 /* turn in which it was installed */
	uint64_t burst;	 /* standby: packets between two reports, lately at most */
	bool known;	 /* owner: the standby has had it in this stream */
	UT_hash_handle hh;
};
#define HA_RANGE (UINT64_C(1) << 24) /* numbers of an SA that are one node's, whoever makes it as well: range.c */
enum { HA_EXACT_MAX = 256, HA_SPENT_MAX = 4096 };
struct ha_hot { /* some SAs: those that had traffic between two reports */
	uint64_t keys[HA_EXACT_MAX];
	size_t n;
};
struct ha_ceilings {
	struct ha_ceiling *by_key, *by_plane;
	struct ha_ceiling *asking, **asking_tail; /* sent, not granted */
	struct ha_ceiling *tight;		  /* need a rekey */
	struct ha_ceiling *fresh, **fresh_tail;	  /* just made, the oldest first */
	struct ha_spent {
		uint32_t spi;
		uint64_t number; /* the last that may have been used */
	} * spent;	  /* owned, a ring of HA_SPENT_MAX; NULL: none. Of this reign */
	size_t spent_next;
	mtime parted; /* when a link to a node that held what we did was down last; us 0: never */
	bool any_blind, any_wants, any_gone, fresh_wants;
	mtime tight_at;
	struct ha_window *windows; /* of the inbound SAs in our plane: as told last */
	uint64_t dump_cookie;
	bool pass_full; /* of all, not only of those that were used */
	bool in_pass;
	mtime pass_began;
	int64_t pass_us;		  /* spent in this pass */
	mtime pass_at;			  /* the next one not before */
	struct ha_hot hot, was_hot;	  /* in this pass of reports; in the one before */
	struct ha_hot leads;		  /* handing over: of these fences are lowered */
	uint64_t exact_first, exact_left; /* tokens that are waited for */
	uint32_t stream;		  /* counts those who reported, and those who were told */
	mtime report_at, reported;
	uint64_t pass_packets;
	uint64_t report_packets; /* inbound ones, from the report before to the last; owner */
	int64_t report_us;	 /* time between them */
	bool drain;		 /* standby: marks of used SAs from its own reign are there */
	uint64_t raised;	 /* how often a standby was asked for more */
	uint32_t reign;
};

/* ---- roles ---- */

enum ha_step {
	STEP_NONE,
	STEP_PERSISTING, /* a promotion waits for its term on disk */
	STEP_HANDING,	 /* a switchover waits for the last acknowledgement */
	STEP_FENCING,	 /* a promotion waits for the other node to be switched off */
	STEP_TAKING,	 /* handed over to: the data plane sets exact positions */
};

struct ha_roles {
	enum ha_role role;
	enum ha_step step;
	uint32_t heard; /* the highest term that anybody owned, as far as we know */
	uint32_t above; /* owner: a term that another one had; ours has to be higher */
	uint32_t term, reserve, owned, persisting;
	uint32_t peer_incarnation;
	struct watch_view view;
	bool seen_view;
	bool spent;    /* no term is left to be promoted with */
	bool lowered;  /* STEP_HANDING: the barrier is behind us; fences are being lowered, or are */
	mtime hand_by; /* STEP_HANDING: until then */
	mtime take_by; /* STEP_TAKING */
	mtime started, listening, changed, again;
	mtime slept_at;
	bool asleep;
	bool cut;	   /* we were the ones who hear nobody */
	mtime rejoined;	   /* when that ended; us 0: never was */
	bool rival;	   /* another one is, or was, active as well */
	bool rival_heard;  /* by its heartbeats */
	bool unheard;	   /* owner: the other one is not heard */
	bool obeyed;	   /* owner: it has said that it is the standby */
	bool hushed;	   /* then: it stays, so it is the one that is announced */
	bool traffic;	   /* a client has spoken since the promotion */
	bool traffic_said; /* as our peer knows it */
	bool marked;	   /* that we own is on disk: before that no fence is raised */
	bool reigned;	   /* what we hold was ours: our peer is told how far we may have come */
	bool behind;	   /* the owner before us had said what we do not know */
	bool handed;	   /* it hands over: all that it has said is here */
	struct {
		uint32_t term; /* 0: none was heard */
		uint64_t exposed;
		bool waits;  /* for our acknowledgements */
		mtime heard; /* as an owner */
	} told;		     /* by the newest owner other than we, whoever its node has become since */
	bool fenced;	   /* numbers beyond the ceilings were used, by order of the operator */
	bool paused;
	enum ha_fence fence;
	mtime fenced_at; /* when the answer came */
	mtime preempt_at;
	bool lingers; /* handed over: what still arrives is taken */
	bool stopped; /* then: the other one is active, nothing leaves here any more */
	mtime linger_by;
	struct ha_transition log[HA_TRANSITIONS]; /* ring */
	unsigned log_first, log_count;
	char reason[120];
	char handing_why[120];
};

struct ha_peer {
	bool hello; /* its HELLO was accepted */
	uint8_t role, index, flags, minor;
	char node[HA_NAME_MAX + 1], software[HA_NAME_MAX + 1];
	uint32_t incarnation, term, owned;
	struct ha_position at;
	bool config_differs, following, left;
	bool waits; /* has said FOLLOW, and we are not ready */
	struct ha_position wants;
};

/* ---- verify ---- */

enum ha_verify_step { VERIFY_NONE, VERIFY_ASKED, VERIFY_BUCKETS, VERIFY_PLANE };

struct ha_verify_run {
	enum ha_verify_step step;
	uint64_t id, turn; /* turn: when it began */
	bool ours;	   /* asked for here */
	mtime by;
	uint8_t waits[HA_BUCKETS]; /* buckets that were asked for */
	size_t waiting;
	uint64_t cookie;
	struct ha_verified out;
};

struct ha_pending_event {
	struct ha_pending_event *next;
	struct ha_event ev;
	void *kept; /* owned: what the event points to */
	struct dp_op ops[];
};

struct ha {
	const struct env *env;
	struct ha_config cfg;
	const struct ha_ops *ops;
	void *arg;
	struct ha_roles roles;
	struct ha_epoch epoch;	   /* of the state that we hold */
	struct ha_position parent; /* owner: where our reign began; epoch zero: from nothing that anybody has */
	uint64_t turn;		   /* owner: last closed */
	struct ha_objects objects;
	struct ha_outbox out;
	struct ha_inbox in;
	struct ha_resync sync;
	struct ha_ceilings ceil;
	bool link, hello_sent;
	mtime received; /* the last bytes of the link */
	struct ha_peer peer;
	struct ha_buffer tx, rx;
	struct ha_pending_event *ev_head, **ev_tail, *ev_taken;
	uint64_t token;
	struct ha_refusal refusals[HA_REFUSALS]; /* ring */
	size_t refusals_kept;			 /* ever */
	struct ha_verify_run verify;
	struct ha_heal heal;
	uint64_t adopted, given_up;
};

static inline mtime ha_now(const struct ha *ha)
{
	return clock_now(ha->env->clock);
}
static inline bool ha_is_owner(const struct ha *ha)
{
	return ha->roles.role == HA_ACTIVE;
}
/* An owner with somebody who listens. */
static inline bool ha_streams(const struct ha *ha)
{
	return ha_is_owner(ha) && ha->peer.following && ha->sync.state != HA_SYNC_NONE;
}

/* ---- ha.c ---- */
struct ha_event *ha_report(struct ha *ha, enum ha_event_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))); /* NULL: out of memory */
/* A copy of what the event points to, as ev->verify. False: out of memory. */
bool ha_event_keep(struct ha_event *ev, const void *what, size_t n);
MUST_USE enum gw_err ha_operate(struct ha *ha, uint64_t token, const struct dp_op *ops, size_t n);

/* ---- look.c ---- */
void ha_refusal_keep(struct ha *ha, const struct ha_refusal *r);

/* ---- heal.c ---- */
bool ha_heal_offer(struct ha *ha); /* loser: true: it follows when that is done */
MUST_USE enum gw_err ha_heal_wanted(struct ha *ha, struct bytes fields);
bool ha_heal_more(struct ha *ha); /* gives of what was wanted; false: nothing now */
MUST_USE enum gw_err ha_heal_offered(struct ha *ha, struct bytes fields);
MUST_USE enum gw_err ha_heal_given(struct ha *ha, struct bytes fields);
void ha_heal_clear(struct ha *ha);
mtime ha_heal_due(const struct ha *ha);
void ha_heal_tick(struct ha *ha);

/* ---- verify.c ---- */
void ha_verify_wanted(struct ha *ha, uint64_t id, bool repair);
/* Standby, on a DIGEST that is for comparing: buckets that differ (1) were asked for. */
void ha_verify_begin(struct ha *ha, uint64_t id, bool repair, const uint8_t differs[HA_BUCKETS]);
bool ha_verify_waits(const struct ha *ha, uint32_t bucket);
void ha_verify_found(struct ha *ha, const struct ha_difference *d);
void ha_verify_bucket_done(struct ha *ha, uint32_t bucket);
MUST_USE enum gw_err ha_verify_result(struct ha *ha, struct bytes fields);
void ha_verify_stop(struct ha *ha, const char *why);
mtime ha_verify_due(const struct ha *ha);
void ha_verify_tick(struct ha *ha);

/* ---- link.c ---- */
void ha_link_break(struct ha *ha, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ha_say_role(struct ha *ha, enum ha_frame_type type);
/* Of a node that plays one of another version: a field that nobody knows. */
void ha_odd_field(const struct ha *ha, struct ha_frame_writer *f);
void ha_role_fields(struct ha *ha, struct ha_frame_writer *f);
void ha_settle_roles(struct ha *ha); /* after a change of either role */

/* ---- outbox.c ---- */
void ha_outbox_init(struct ha_outbox *o);
void ha_outbox_clear(struct ha *ha);
void ha_outbox_acked(struct ha *ha, uint64_t turn);
void ha_outbox_release(struct ha *ha);		    /* what may leave now */
void ha_outbox_stop(struct ha *ha);		    /* owner no more: what waits is dropped */
void ha_outbox_measured(struct ha *ha, int64_t us); /* a round trip */
bool ha_protected(const struct ha *ha);
mtime ha_outbox_due(const struct ha *ha);
void ha_outbox_tick(struct ha *ha);
/* Writes the object as it is now; what is gone becomes a tombstone. */
void ha_write_object(struct ha *ha, struct ha_frame_writer *f, struct ha_entry *e, uint64_t version);

/* ---- inbox.c ---- */
void ha_inbox_init(struct ha_inbox *in);
void ha_inbox_clear(struct ha_inbox *in);
MUST_USE enum gw_err ha_inbox_turn(struct ha *ha, uint8_t type, struct bytes fields);
uint64_t ha_inbox_token(struct ha *ha, uint64_t key); /* for one batch of what is being applied */
void ha_inbox_done(struct ha *ha, uint64_t token, enum gw_err result, const char *text);
void ha_inbox_forget(struct ha_inbox *in); /* the stream that it was for is over */
void ha_inbox_ack(struct ha *ha);	   /* writes the ACK that is due */
void ha_inbox_refuse(struct ha *ha, uint8_t kind, uint64_t key, enum gw_err code, const char *text);

/* ---- resync.c ---- */
void ha_resync_follow(struct ha *ha);						   /* follower: says what it holds */
MUST_USE enum gw_err ha_resync_begin(struct ha *ha, const struct ha_position *at); /* owner, on FOLLOW */
MUST_USE enum gw_err ha_resync_started(struct ha *ha, struct bytes fields);	   /* follower, on RESYNC */
void ha_resync_sweep(struct ha *ha); /* follower, at END: what was not named is gone */
void ha_resync_ended(struct ha *ha); /* follower: all of END is installed */
bool ha_resync_more(struct ha *ha);  /* owner: the next chunk; false: none now */
void ha_resync_chunk_acked(struct ha *ha, uint64_t chunk);
void ha_resync_digest(struct ha *ha);
void ha_resync_say_digest(struct ha *ha, uint64_t verify, bool repair);	       /* verify 0: for staying equal */
MUST_USE enum gw_err ha_resync_frame(struct ha *ha, const struct ha_frame *f); /* DIGEST, ASK_*, BUCKET */
mtime ha_resync_due(const struct ha *ha);

/* ---- pace.c: how fast a resync goes ---- */
void ha_pace_begin(struct ha_pace *p);
void ha_pace_sent(struct ha_pace *p, uint64_t chunk, mtime now);
/* All up to `chunk`, of which `fresh` were not acknowledged before; `sent`: the newest that is on its way. */
void ha_pace_acked(struct ha_pace *p, uint64_t chunk, uint64_t fresh, uint64_t sent, mtime now);

/* ---- ceiling.c: the table, and the owner's asking ---- */
#define HA_BLOCK_MAX (UINT64_C(1) << 28)
struct ha_ceiling *ha_ceiling_find(const struct ha *ha, uint64_t key);
struct ha_ceiling *ha_ceiling_get(struct ha *ha, uint64_t key); /* finds or makes; NULL: out of memory */
void ha_ceiling_drop(struct ha *ha, struct ha_ceiling *c);
/* The SA was closed here; ha_ceilings_bury(): the other node knows all that was. */
void ha_ceiling_close(struct ha *ha, struct ha_ceiling *c);
void ha_ceilings_bury(struct ha *ha);
/* In the plane as `id`; out of it. */
void ha_ceiling_join(struct ha *ha, struct ha_ceiling *c, const struct dp_sa_id *id);
void ha_ceiling_leave(struct ha *ha, struct ha_ceiling *c);
/* Under the present owner. NULL is fine. */
struct ha_ceiling *ha_ceiling_mine(struct ha *ha, struct ha_ceiling *c);
uint64_t ha_ceiling_limit(const struct ha_ceiling *c, uint64_t number); /* of 32 bits or ESN */
uint64_t ha_block_min(const struct ha *ha);
void ha_ceiling_more(struct ha *ha, struct ha_ceiling *c, uint64_t position); /* owner: at least a half is used */
void ha_ceiling_tighten(struct ha *ha, struct ha_ceiling *c);		      /* it is to be rekeyed */

/* ---- range.c: what two nodes may make of one exchange ---- */
/* Of a new SA: where its numbers are. `begun`: when others may have learned of what it is made of. */
void ha_ceiling_range(struct ha *ha, struct ha_ceiling *c, bool inherited, mtime begun);
void ha_ceiling_spend(struct ha *ha, const struct ha_ceiling *c); /* it goes out of the plane, and may come again */
uint64_t ha_ceiling_in_range(struct ha *ha, struct ha_ceiling *c);
void ha_ranges_part(struct ha *ha, bool met); /* the link is down; there was another node at its end */
void ha_ranges_end(struct ha *ha);  /* so is the reign */
void ha_ceilings_held(struct ha *ha); /* more may be known to be with the standby */
mtime ha_ceilings_held_due(const struct ha *ha);

/* ---- exact.c: at a switchover ---- */
/* Owner: leaves itself a few numbers of its SAs. False: nothing to wait for. */
bool ha_exact_lower(struct ha *ha);
bool ha_exact_lowered(struct ha *ha, const struct dp_event *ev); /* true: the last one that was waited for */
void ha_exact_raise(struct ha *ha);				 /* not handed over after all */
/* Then: where the other one may begin, into HANDOVER. */
void ha_exact_write(struct ha *ha, struct ha_frame_writer *f);
/* The one that takes: goes on from there. False: nothing to wait for. */
bool ha_exact_take(struct ha *ha, struct bytes list);
bool ha_exact_done(struct ha *ha, const struct dp_event *ev);  /* true: the last one that was waited for */
void ha_exact_note(struct ha *ha, const struct ha_ceiling *c); /* owner: it had traffic since the last report */

/* ---- ceiling*.c, window.c ---- */
void ha_ceilings_clear(struct ha *ha);
MUST_USE enum gw_err ha_ceiling_encode(struct ha *ha, uint64_t key, struct writer *out);
MUST_USE enum gw_err ha_ceiling_apply(struct ha *ha, uint64_t key, bool deleted, struct bytes state);
void ha_ceilings_acked(struct ha *ha);
void ha_ceilings_reign(struct ha *ha);	  /* another owner */
void ha_ceilings_stale(struct ha *ha);	  /* we own no more: unless confirmed, nothing of it is used again */
void ha_ceilings_lower(struct ha *ha);	  /* nor does the plane let anything of what is stale out */
void ha_ceilings_skip(struct ha *ha);	  /* the follower has lost its memory, and had not said that it owned */
void ha_ceilings_tell(struct ha *ha);	  /* all of them, in the next turn */
void ha_ceilings_followed(struct ha *ha); /* somebody is there who can grant more */
bool ha_ceilings_used(const struct ha *ha);
void ha_ceilings_blind(struct ha *ha);		  /* rekeys what nobody confirmed */
void ha_ceilings_lift(struct ha *ha);		  /* nobody else has keys any more */
void ha_ceilings_doubt(struct ha *ha);		  /* numbers that nobody can name were used: rekey what was shared */
void ha_ceilings_positions(struct ha *ha);	  /* follower: says what it may have used */
void ha_ceiling_own(struct ha *ha, uint64_t key); /* owner: what it was told of that SA is nobody else's */
void ha_ceilings_unwanted(struct ha *ha);	  /* owner: what was not taken is forgotten */
MUST_USE enum gw_err ha_ceilings_heal(struct ha *ha, struct bytes fields);
void ha_ceilings_prepare(struct ha *ha, uint64_t token, struct dp_op *ops, size_t n);
void ha_ceilings_event(struct ha *ha, const struct dp_event *ev);
void ha_ceilings_tick(struct ha *ha);
mtime ha_ceilings_due(const struct ha *ha);
struct ha_ceiling *ha_ceiling_by_plane(const struct ha *ha, const struct dp_sa_id *id);
struct ha_window *ha_window_find(const struct ha *ha, uint32_t spi);
void ha_windows_note(struct ha *ha, uint32_t spi, bool added); /* in the plane, or out of it */
void ha_windows_clear(struct ha *ha);
void ha_windows_restart(struct ha *ha);
void ha_windows_report(struct ha *ha);
/* Owner: whether packets of clients have come since the promotion. For when two are active: takes the planes' marks. */
bool ha_windows_used(struct ha *ha);
void ha_windows_stricter(struct ha *ha); /* strict from now on */
void ha_windows_strict(struct ha *ha); /* before a promotion: what came since the last report is not taken again */
MUST_USE enum gw_err ha_windows_apply(struct ha *ha, struct bytes fields);

/* ---- role.c: the changes; judge.c: when; handover.c: planned ones ---- */
void ha_promote_now(struct ha *ha, const char *why);
/* `clean`: all that this node knows is with the other one, which takes the addresses. */
void ha_demote_now(struct ha *ha, const char *why, bool clean);
void ha_note_change(struct ha *ha, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An owner's own term, by which two of them are told apart; a standby's is the highest that it has heard of. */
uint32_t ha_term_said(const struct ha *ha);
unsigned ha_reign(const struct ha *ha); /* counts reigns of both nodes: no two have one number, but for wrapping around */
void ha_learn_term(struct ha *ha, uint32_t term);
/* DESIGN.md §5: of two active nodes the higher term stays, unless only the other one has had clients. */
bool ha_we_stay(uint32_t our_term, bool our_traffic, uint8_t our_index, uint32_t term, bool traffic, uint8_t index);
void ha_roles_asked(struct ha *ha); /* by a standby: to be handed over to */
void ha_handover_seen(struct ha *ha);
void ha_handover_end(struct ha *ha);
void ha_handover_tick(struct ha *ha);
void ha_roles_init(struct ha *ha, const struct ha_durable *d);
void ha_roles_tick(struct ha *ha);
mtime ha_roles_due(const struct ha *ha);
void ha_note_traffic(struct ha *ha);
void ha_roles_met(struct ha *ha); /* the peer's HELLO or ROLE is there */
void ha_roles_acked(struct ha *ha);
void ha_roles_handed(struct ha *ha, struct bytes positions);
void ha_handover_event(struct ha *ha, const struct dp_event *ev);
bool ha_roles_ready(const struct ha *ha); /* owner: our term is the highest */
void ha_link_ready(struct ha *ha);	  /* link.c: it is now */
void ha_roles_peer_left(struct ha *ha);

#endif
