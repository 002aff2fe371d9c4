/*
 * A model of the protocol of terms and sequence ceilings (DESIGN.md §4, §5), small enough to look at every state that
 * it can reach. Two nodes, one client, one chain of outbound SAs (a rekey replaces the key), one sync link that is an
 * ordered stream which may break anywhere, durable slots that survive a crash. Nothing in it knows time: whatever could
 * happen next, may happen next, so every delay and every order of events is covered.
 *
 * Simplified on purpose, always towards more behaviour than the real thing has:
 * - a data plane that is open may send at any moment, also under a daemon that hangs or is dead;
 * - messages that were under way when the link was cut may still arrive after it has healed;
 * - a node that wakes up goes on at once with what it had in mind (the real one is silent first).
 *
 * Checked in every state: no number of a key is sent twice, by whomever (a); no IV (node, incarnation, number) is used
 * twice under a key (b); no incarnation and no term is given twice (c). From every state, once the faults are over and
 * everything is running: one owner is left, its standby holds the SA, and its ceiling goes on rising (d).
 */
#ifndef HA_MODEL_MODEL_H
#define HA_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	NODES = 2,
	KEYS_MAX = 4, /* the last one is for model_settle_step() alone */
	QUEUE_MAX = 3,
	NUMBER_MAX = 15, /* numbers 1.. of a key, a bit each */
};

enum node_up { NODE_OFF, NODE_RUN, NODE_HUNG, NODE_KERNEL /* the daemon is dead, its data plane is not */ };
enum node_role { ROLE_STANDBY, ROLE_ACTIVE };
enum key_state {
	KEY_NONE,
	KEY_CONFIRMED, /* standby: installed at a granted position */
	KEY_OWNED,     /* owner */
	KEY_STALE,     /* left from before: shut, not to be used again unless a record confirms it */
};

/* All fields are octets: states are compared and hashed as bytes. */
struct node {
	/* memory of the process */
	uint8_t up, role, term;		 /* of its own reign, else the highest it knows of */
	uint8_t fresh;			 /* has lost its memory and not joined since */
	uint8_t traffic;		 /* one of two owners: clients have spoken to it since its promotion */
	uint8_t connected, heard, query; /* heard: the peer has answered the owner's HELLO number `query` */
	uint8_t incarnation, grantor;	 /* grantor: incarnation of the owner that confirmed the key */
	uint8_t key, state;		 /* key from 1; 0: none */
	uint8_t position, fence;	 /* of the data plane */
	uint8_t asked;			 /* owner: highest position that the peer may hold; 0: it holds no copy */
	uint8_t burnt;			 /* owner: numbers above the fence may be used: rekey */
	uint8_t leads;			 /* has handed over, and still sends up to its fence */
	uint8_t offer;			 /* stale, but exact and nobody else's: another owner may adopt it */
	uint8_t late, read;		 /* of broken rules only: something is yet to be done; a number that was read */
	/* durable */
	uint8_t reserve, owned, slot; /* a term not used yet (0: none); the last one in which it spoke; incarnation */
};

struct model {
	struct node n[NODES];
	uint32_t to[NODES][QUEUE_MAX];	/* messages under way to that node */
	uint16_t used[KEYS_MAX];	/* numbers that were sent, a bit each */
	uint16_t mine[NODES][KEYS_MAX]; /* by the present incarnation of that node; kept with nonces_only */
	uint8_t count[NODES];		/* messages in `to` */
	uint8_t top[NODES];		/* highest term that the node ever owned */
	uint8_t link, keys;		/* keys: made so far */
	uint8_t faults, orders;		/* left to happen */
};

/* Rules that can be broken, one by one; the model must find out. Order as in rules[] of rules.c. */
enum rule {
	RULE_ACK_THEN_ARM,
	RULE_ARM_THEN_SEND,
	RULE_APPLY_THEN_ACK,
	RULE_ALONE_BOUND,
	RULE_FENCED_REKEYS,
	RULE_OWNED_DURABLE,
	RULE_OWNED_THEN_RAISE,
	RULE_REPORT_THEN_RAISE,
	RULE_SHUT_THEN_REPORT,
	RULE_OLD_TERM_REFUSED,
	RULE_REPORT_AGAIN,
	RULE_STALE_SILENT,
	RULE_HANDOVER_FINAL,
	RULE_LOWER_THEN_HAND,
	RULE_STOP_THEN_APPLY,
	RULE_RECREATE_AT_FENCE,
	RULE_TERM_OF_NODE,
	RULE_OWNER_REFUSES,
	RULE_INCARNATION_DURABLE,
	RULE_ADOPT_OWN_RANGE,
	RULE_CONFIRMED_BY_GRANTOR,
	RULE_LOST_REKEYS,
	RULE_EMPTY_SKIPS,
	RULE_RESERVE_OF_START,
	RULE_LEAVE_KEEPS_TERM,
	RULE_HIGHER_TERM,
	RULE_COUNT,
};

struct rule_text {
	const char *name, *text; /* text: what is done when it is broken */
};
const struct rule_text *rule_text(enum rule r);

struct bounds {
	uint32_t broken; /* a bit for each enum rule */
	uint8_t keys, block, numbers;
	uint8_t queue;	  /* messages under way each way, at most QUEUE_MAX */
	uint8_t faults;	  /* cuts, crashes, hangs, promotions by force */
	uint8_t orders;	  /* switchover, demote, leave, rekey, re-creation, peer-fenced */
	bool nonces_only; /* (a) is not looked at, only (b): nonces are safe even where the ceilings fail */
	bool settle;	  /* check (d) */
};

static inline bool broken(const struct bounds *b, enum rule r)
{
	return (b->broken >> r & 1) != 0;
}

enum fault {
	FAULT_NONE,
	FAULT_NUMBER,	   /* (a) */
	FAULT_NONCE,	   /* (b) */
	FAULT_INCARNATION, /* (c) */
	FAULT_TERM,	   /* (c) */
	FAULT_SETTLE,	   /* (d) */
	FAULT_ODD,	   /* a state that the design calls impossible */
};
const char *fault_text(enum fault f);

/* A move: what happens, and to which node (0 where it is neither's). */
struct move {
	uint8_t kind, node;
};
enum { MOVE_COUNT = 28 };
const char *move_name(unsigned kind);

bool move_of_node(unsigned kind);

void model_start(struct model *m, const struct bounds *b);
/* False: cannot happen in this state, *m is undefined. *fault is set when it breaks a property. */
bool model_move(struct model *m, const struct bounds *b, struct move mv, enum fault *fault);
/*
 * Property (d): the next thing that a healthy pair does, by a fixed order of moves; false: nothing is left to be done.
 * Then model_settled() must hold.
 */
bool model_settle_step(struct model *m, const struct bounds *b, struct move *mv, enum fault *fault);
bool model_settled(const struct model *m, const struct bounds *b);

/* Makes states equal that differ only in what can matter no more. */
void model_fold(struct model *m);

/* ---- search.c ---- */

struct search_result {
	size_t states, moves, depth;
	enum fault fault;
	bool complete; /* false: more than `states_max`, or out of memory */
};

/*
 * Every state that can be reached, the nearest first, so that a counterexample is as short as any. Prints it to `trace`
 * (NULL: nowhere).
 */
struct search_result search_run(const struct bounds *b, size_t states_max, FILE *trace);

/* ---- slots.c ---- */

/* The durable slots themselves, power failing at any instant; prints, returns the number of failures. */
unsigned slots_check(void);

/* ---- for the files of the model itself ---- */

struct step {
	struct model *m;
	const struct bounds *b;
	enum fault fault;
};

/* ceilings.c */
bool plane_send(struct step *s, unsigned n);
bool ceiling_impose(struct step *s, unsigned n);
bool ceiling_ask(struct step *s, unsigned n);
bool ceiling_raise_self(struct step *s, unsigned n);
bool ceiling_mark(struct step *s, unsigned n);
bool key_make(struct step *s, unsigned n, bool by_order);
bool key_recreate(struct step *s, unsigned n);
bool peer_fenced(struct step *s, unsigned n);
void on_record(struct step *s, unsigned n, uint32_t msg);
void on_ack(struct step *s, unsigned n, uint32_t msg);
bool late_step(struct step *s, unsigned n);

/* roles.c */
bool role_promote(struct step *s, unsigned n);
void role_step_down(struct step *s, unsigned n);
bool role_loses(const struct step *s, unsigned n, unsigned term, bool traffic);
void on_hello(struct step *s, unsigned n, uint32_t msg);
void on_report(struct step *s, unsigned n, uint32_t msg, bool adopt);
void on_handover(struct step *s, unsigned n, uint32_t msg);
void on_role(struct step *s, unsigned n, uint32_t msg);
void role_stop(struct step *s, unsigned n);
bool role_demote(struct step *s, unsigned n);
bool role_switch(struct step *s, unsigned n);
bool role_leave(struct step *s, unsigned n);
void hello_send(struct step *s, unsigned n);

/* link.c: messages are numbers of packed fields */
enum msg_type { MSG_NONE, MSG_HELLO, MSG_REPORT, MSG_RECORD, MSG_ACK, MSG_HANDOVER, MSG_ROLE };
enum { REPORT_NONE, REPORT_CONFIRMED, REPORT_EXACT /* may be adopted */, REPORT_STALE };
struct msg {
	unsigned type, term, incarnation, key, number, flag, query, kind, owned, reserve;
};
uint32_t msg_pack(struct msg in);
struct msg msg_unpack(uint32_t in);
bool link_room(const struct step *s, unsigned from);
/* Lost when the other side is not connected. The caller has seen to the room. */
void link_send(struct step *s, unsigned from, struct msg in);
uint32_t link_take(struct model *m, unsigned n);
bool link_connect(struct step *s);
bool link_notice(struct step *s, unsigned n);
void node_forget(struct model *m, unsigned n);

static inline uint8_t u8(unsigned v)
{
	return (uint8_t)v;
}
static inline unsigned max_of(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

#endif
