/*
 * The IKEv2 engine's face (DESIGN.md §9). No I/O, no clock of its own, nothing global: datagrams and time come in,
 * datagrams, data plane operations and events are collected.
 *
 * A turn of the caller's loop: any number of ike_receive(), ike_tick(), ike_resume() and commands, then
 *	while (ike_take_event(...)) ...     data plane operations and reports, in order
 *	while (ike_take_dirty(...)) ...     changed objects: encode each once
 *	ike_end_turn()
 *	while (ike_take_datagram(...)) ...  send, or hold until its turn is acknowledged
 *
 * Not thread-safe; several engines may live in one process.
 */
#ifndef IKE_IKE_H
#define IKE_IKE_H

#include "config/model.h"
#include "core/env.h"
#include "ike/events.h"
#include "ike/pool.h"
#include "ike/sa.h"

struct ike;

/* Borrows env and pools, takes a reference to settings. NULL when out of memory. */
struct ike *ike_create(const struct env *env, struct settings *settings, struct pools *pools);
/* Forgets every SA without a word to anybody (see ike_shutdown). NULL is fine. */
void ike_destroy(struct ike *ike);

/* Whether the data plane has transport mode; at first it is taken not to. */
void ike_set_transport(struct ike *ike, bool can);

/* Borrows `in` for the call; its bytes are decrypted in place. */
void ike_receive(struct ike *ike, const struct datagram *in, uint8_t *bytes);
/* When to call ike_tick at the latest. */
mtime ike_due(const struct ike *ike);
void ike_tick(struct ike *ike);
/* The data plane's answer to an IKE_EV_DATAPLANE with a token. `text` (may be NULL) says why not. */
void ike_resume(struct ike *ike, uint64_t token, enum gw_err result, const char *text);
/* What the data plane noticed by itself (NAT rebinding, fences); of SAs that we no longer know: ignored. */
void ike_dataplane_event(struct ike *ike, const struct dp_event *ev);

/*
 * Lists of revoked certificates that the caller is to fetch, from a file or an http:// URL, and what came of it: `data` is
 * borrowed, `text` (may be NULL) says why not. Questions that a later ike_configure() made void need no answer.
 */
struct ike_fetch {
	uint64_t token;
	const char *location; /* borrowed until the next call into the engine */
};
bool ike_take_fetch(struct ike *ike, struct ike_fetch *out);
void ike_fetched(struct ike *ike, uint64_t token, enum gw_err result, struct bytes data, const char *text);

/*
 * What SAs of the data plane have carried, as it was just dumped, any number in any order: every few seconds. Whoever
 * was heard is not probed, silent CHILD SAs are closed, worn ones rekeyed. Without it liveness goes by IKE alone.
 */
void ike_traffic(struct ike *ike, const struct dp_sa_state *states, size_t n);

bool ike_take_datagram(struct ike *ike, struct ike_output *out);
bool ike_take_event(struct ike *ike, struct ike_event *out);

/* ---- replicated state ---- */

enum ike_object { IKE_OBJ_SA = 1, IKE_OBJ_COOKIE = 2 };

struct ike_dirty {
	enum ike_object kind;
	uint64_t key;     /* local SPI */
	uint64_t version;
	bool deleted;
};

bool ike_take_dirty(struct ike *ike, struct ike_dirty *out);
/* Closes the turn; datagrams made from now on carry the next number. Returns the number of the closed one. */
uint64_t ike_end_turn(struct ike *ike);

enum { IKE_RECORD_MAX = 65536 };
/* The whole state of one SA with its CHILD SAs. GW_ENOTFOUND; GW_ELIMIT when `out` is too small (IKE_RECORD_MAX always do). */
MUST_USE enum gw_err ike_encode(const struct ike *ike, uint64_t key, struct writer *out);
/*
 * Makes or replaces an SA from that. Everything is checked first; a refused record changes nothing. Only what fails in
 * the making (out of memory, an inner address that another identity holds here) leaves nothing of that SA.
 * `install`: emit IKE_EV_DATAPLANE for its CHILD SAs (a standby), of an SA that stands already for what is new, gone or
 * moved; else they are taken as installed.
 */
MUST_USE enum gw_err ike_decode(struct ike *ike, struct bytes record, bool install, struct err *e);
/*
 * What a standby does with the changes of one turn of the owner: those whose `record` is empty are dropped, the others
 * made or replaced, and the data plane gets what is new, gone or moved, per SA (IKE_EV_DATAPLANE with its key, token 0).
 * A record that is refused leaves nothing of its SA behind and does not touch the others.
 */
struct ike_change {
	uint64_t key;
	struct bytes record; /* borrowed; empty: deleted */
	enum gw_err result;  /* of this one */
	char text[120];	     /* why not; "" when GW_OK */
};
void ike_apply(struct ike *ike, struct ike_change *changes, size_t n);
/*
 * The same on an active engine takes SAs that a partition has left with another node: they go on here. One whose inner
 * address has been given to another client meanwhile is closed, with a DELETE: GW_EEXIST.
 */

/* How long ago, in us, the peer of that SA has spoken to this very engine since it last became active. INT64_MAX: never, or
 * no such SA. */
int64_t ike_heard_us(const struct ike *ike, uint64_t key);

/*
 * A passive engine belongs to a standby: it answers nobody, sends nothing, and no timer runs in it; it follows by
 * ike_apply(). Becoming active costs nothing per SA: what came due meanwhile (liveness, rekeys, retransmissions) is
 * spread over the first minute, each SA when its time comes. Of an active engine that becomes passive, requests in hand
 * are dropped: their peers send them again.
 */
void ike_set_passive(struct ike *ike, bool passive);
bool ike_is_passive(const struct ike *ike);
/* No IKE_SA_INIT is answered (drop_draining): new clients are the other node's. What is half-open goes on. */
void ike_set_draining(struct ike *ike, bool draining);
/*
 * After becoming active behind what the node before us had told its peers: the SAs are uncertain. They answer liveness,
 * refuse CREATE_CHILD_SA with TEMPORARY_FAILURE, and each is settled by a rekey within two minutes, CHILD SAs first, so
 * that what only one side has is found out. One whose peer has gone on without us ends by that.
 */
void ike_doubt_all(struct ike *ike);
/*
 * The same for an engine that has been active: another node was, too, and nobody knows what that one has said. It can
 * have had those that were made until then, and a little later of what it had.
 */
void ike_doubt_anew(struct ike *ike, mtime until);

/*
 * The object IKE_OBJ_COOKIE (key 0): the secrets of cookies, so that one node accepts what the other gave out; and whether
 * SAs are in doubt, so that who takes over before all are settled goes on with it.
 */
MUST_USE enum gw_err ike_encode_cookies(const struct ike *ike, struct writer *out);
MUST_USE enum gw_err ike_decode_cookies(struct ike *ike, struct bytes record);

/* Drops an SA without a word (tombstone). */
void ike_forget(struct ike *ike, uint64_t key, bool uninstall);

/* ---- commands ---- */

/* New settings for new SAs; live ones keep theirs. */
MUST_USE enum gw_err ike_configure(struct ike *ike, struct settings *settings);

/*
 * What new settings mean for SAs that stand: those whose connection, CHILD settings, user, group or inner address is not
 * in them any more may not go on. A slice of a long job: looks at up to `max` SAs from the first above *after, calls `each` (may be
 * NULL) for what it finds, and with `end` ends that, with a DELETE. False: that were all.
 */
enum ike_gone { IKE_GONE_CONN = 1, IKE_GONE_CHILD, IKE_GONE_POOL, IKE_GONE_USER, IKE_GONE_GROUP, IKE_GONE_AUTHORITY };
struct ike_finding {
	enum ike_gone what;
	const struct ike_sa *sa;
	const struct child_sa *child; /* IKE_GONE_CHILD: only it goes */
	const char *name;	      /* of the connection, the pool, the user or the group */
	char reason[160];
};
typedef void ike_review_each(void *arg, const struct ike_finding *f);
bool ike_review(struct ike *ike, const struct settings *settings, bool end, uint32_t *after, size_t max,
		ike_review_each *each, void *arg);

/* What to act on: 0 or NULL fields match everything. */
struct ike_select {
	uint32_t id;       /* number of an IKE SA */
	uint32_t child_id; /* number of a CHILD SA: only it is meant */
	const char *conn;
	const char *peer;  /* identity as text */
};
/* DELETE with the peer's knowledge; returns how many. `reason` is for the log, and copied. */
size_t ike_terminate(struct ike *ike, const struct ike_select *which, const char *reason);
/* Rekeys the IKE SAs, or with `children` their CHILD SAs. */
size_t ike_rekey(struct ike *ike, const struct ike_select *which, bool children);
/* Sends a liveness probe now. */
size_t ike_probe(struct ike *ike, const struct ike_select *which);
/* No new SAs any more; DELETEs to all peers when `send_deletes`. Done when ike_count() is 0 or patience ends. */
void ike_shutdown(struct ike *ike, bool send_deletes);

/* Lines about SAs of one connection are logged up to `level` until then, whatever the log's level is. NULL: no more. */
void ike_log_conn(struct ike *ike, const char *conn, enum log_level level, mtime until);

/* What a CHILD SA carried that is over (IKE_EV_CHILD_DOWN): added to its session. */
struct ike_traffic {
	uint64_t packets_in, packets_out, bytes_in, bytes_out;
};
void ike_account(const struct child_sa *child, const struct ike_traffic *t);

/* ---- looking ---- */

size_t ike_count(const struct ike *ike);
size_t ike_half_open_count(const struct ike *ike);
size_t ike_child_count(const struct ike *ike);
/* In order of numbers, from the first above *after (0: the beginning); NULL at the end. Stable against changes between calls. */
const struct ike_sa *ike_next(const struct ike *ike, uint32_t *after);

/* Everything that was counted, by stable names ("init_requests", "drop_bad_icv"): why bytes were refused, too. */
struct ike_stat {
	const char *name;
	uint64_t value;
};
size_t ike_stats(const struct ike *ike, struct ike_stat *out, size_t max);

#endif
