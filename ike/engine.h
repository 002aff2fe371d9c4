/*
 * Inside of the engine: what the files of ike share and nobody else includes (tests of single files may).
 * Order of one datagram: receive.c -> rules.c -> x_*.c -> send.c.
 */
#ifndef IKE_ENGINE_H
#define IKE_ENGINE_H

#include "config/load.h"
#include "ike/cookie.h"
#include "ike/due.h"
#include "ike/guard.h"
#include "ike/ike.h"
#include "ike/message.h"
#include "ike/peer.h"
#include "ike/transport.h"

/* X(name): every counter, in the order in which users see them. */
/* clang-format off */
#define IKE_COUNTERS(X) \
	X(init_requests) X(init_resent) X(auth_requests) X(child_requests) X(info_requests) X(sas_established) \
	X(sas_closed) X(children_established) X(children_closed) X(rekeys_ike_by_peer) X(rekeys_ike_by_us) \
	X(rekeys_child_by_peer) X(rekeys_child_by_us) X(rekeys_crossed) X(rekeys_failed) X(liveness_answered) \
	X(liveness_sent) X(nat_rebindings) X(mobike_updates) X(mobike_refused) X(datagrams_in) X(datagrams_out) \
	X(retransmits_out) X(retransmits_answered) X(peers_lost) X(cookies_sent) X(cookies_wrong) \
	X(invalid_ke_sent) X(half_open_expired) X(tls_shed) X(tls_refused) X(auth_failed_psk) X(auth_failed_cert) \
	X(auth_failed_signature) X(auth_failed_revoked) X(sas_revoked) X(lists_fetched) X(lists_failed) \
	X(auth_failed_identity) X(auth_failed_method) X(auth_failed_group) X(auth_failed_eap) \
	X(auth_failed_password) X(auth_refused_source) X(auth_refused_user) X(refused_proposal) \
	X(refused_selectors) X(refused_address) X(refused_sessions) X(refused_unique) X(replaced_unique) \
	X(refused_temporarily) X(install_failed) X(drop_malformed_header) X(drop_version) X(drop_unknown_spi) \
	X(drop_bad_icv) X(drop_malformed) X(drop_unprotected) X(drop_message_id) X(drop_state) X(drop_exchange) \
	X(drop_critical) X(drop_fragment) X(drop_half_open_limit) X(drop_sa_limit) X(drop_no_connection) \
	X(drop_closing) X(drop_draining) X(drop_busy) X(drop_address) X(drop_memory) X(drop_standby) \
	X(drop_internal)
/* clang-format on */

enum ike_counter {
#define X(name) CNT_##name,
	IKE_COUNTERS(X)
#undef X
		CNT_COUNT
};

#define count_up(ike, name) ((ike)->counters[CNT_##name]++)

/* A datagram waiting for ike_take_datagram. */
struct outgoing {
	struct outgoing *next;
	struct ike_output out;
	uint8_t data[];
};

/* An event waiting for ike_take_event; its operations follow. */
struct pending_event {
	struct pending_event *next;
	struct ike_event ev;
	struct dp_op ops[];
};

/* Half-open SAs of one source: an IPv4 address, or the 64 bits of a network that one IPv6 host has to itself. */
struct source {
	struct addr from;
	uint32_t count; /* half-open SAs */
	uint32_t tls;	/* of these amid EAP-TLS */
	UT_hash_handle hh;
};

/* How hard newcomers press, beyond what is half-open right now. */
struct pressure {
	bool on;      /* cookies are asked for */
	mtime window; /* the present ten seconds began */
	/* half-open SAs that came to nothing in these ten seconds, and in those before */
	uint32_t expired, expired_before;
};

struct graves {
	struct ike_sa *sas;	   /* linked by next_dirty */
	struct child_sa *children; /* linked by next */
};

struct tombstone {
	uint64_t key, version;
};

struct ike {
	const struct env *env;	   /* borrowed */
	struct settings *settings; /* owned reference */
	struct pools *pools;	   /* borrowed */
	struct table_seed seed;
	struct cookie_jar cookies;
	struct revoke *revoke; /* owned */
	struct chain by_spi;   /* of struct ike_sa */
	struct half_open *by_init;
	struct source *sources;
	struct pressure pressure;
	struct {
		char conn[64]; /* "": none */
		enum log_level level;
		mtime until;
	} loud;		       /* the connection whose log lines are wanted more than others */
	struct chain by_child; /* of struct child_sa, by inbound SPI */
	struct chain reqids;   /* of struct reqid */
	struct chain peers;
	struct group_tally *group_tallies;
	struct due_heap due;
	struct ike_sa **list; /* by rising number, with holes */
	size_t list_len, list_cap, list_holes;
	struct outgoing *out_head, **out_tail, *out_taken;
	struct pending_event *ev_head, **ev_tail, *ev_taken;
	struct ike_sa *dirty;
	struct tombstone *gone; /* deleted in this turn */
	size_t gone_len, gone_cap;
	struct graves graves;
	uint64_t turn, version, iv_counter, token;
	uint8_t about; /* enum ike_about of what is sent next */
	uint32_t next_id, next_reqid;
	size_t half_open, established, children;
	struct half_open *tls; /* amid EAP-TLS, the oldest first; a DL list */
	uint32_t tls_count;
	size_t strangers_held; /* octets of fragments of half-open SAs */
	bool closing;
	bool passive, draining, cookies_dirty;
	bool can_transport; /* the data plane has transport mode */
	uint32_t era;	    /* counts activations */
	uint32_t doubt;	      /* a number: SAs taken over are uncertain, but for those certain of it; 0: none */
	size_t doubt_checked; /* how far along `list` none is uncertain any more */
	uint64_t counters[CNT_COUNT];
	struct ratelimit stranger_log, stranger_reply, refusals;
	struct guard *guard; /* owned; who failed to authenticate */
	struct ike_msg msg;  /* of the message in hand */
	uint8_t *chain_buf;  /* IKE_MAX_MESSAGE: the payloads being written */
	uint8_t *packed_buf; /* sealed datagrams with their lengths */
};

enum {
	PACKED_MAX = IKE_MAX_MESSAGE + 8192,
	LINGER_SECONDS = 10,
	REPLACED_SECONDS = 120,
	REAUTH_GRACE_SECONDS = 30,
	PASSIVE_LIFE_SECONDS = 86400
};

enum exchange_kind { X_AUTH, X_CHILD, X_REKEY_CHILD, X_REKEY_IKE };
enum request_kind { REQ_NONE, REQ_PROBE, REQ_DELETE_CHILD, REQ_DELETE_IKE, REQ_REKEY_CHILD, REQ_REKEY_IKE };

/*
 * What an exchange needs between two steps: a request of the peer that waits for the data plane (sa->peer_x), or our
 * CREATE_CHILD_SA that waits for its answer (sa->our_x).
 */
struct exchange {
	enum exchange_kind kind;
	uint32_t message_id;
	struct endpoint from, to; /* peer_x: the reply goes from `to` to `from` */
	bool natt;
	struct secret ni, nr;
	struct dh_key *dh;
	struct secret ke; /* our KE data for the reply; empty: no PFS */
	uint16_t group;
	uint64_t new_spi;	  /* our SPI of the new IKE or CHILD SA (our_x) */
	uint32_t old_spi;	  /* spi_in of the CHILD SA being rekeyed; 0: none */
	uint32_t child_spi;	  /* spi_in of the CHILD SA being installed; 0: none */
	uint8_t proposal;	  /* number of the chosen proposal */
	uint16_t child_error;	  /* notify instead of a CHILD SA; 0: none */
	bool childless;		  /* of IKE_AUTH: none was asked for (RFC 6023) */
	bool more_ts;		  /* tell ADDITIONAL_TS_POSSIBLE */
	mtime began;		  /* our_x */
	bool inherited;		  /* our_x: from a record, so another node may have ended it */
	uint8_t cp;		  /* enum cp_asked: what a configuration request wants; 0: there was none */
	struct child_sa *waiting; /* our_x after the answer: the new CHILD SA while the plane installs it */
	uint32_t gone_spi;	  /* our_x: unknown, and closed by the peer meanwhile: of the new CHILD SA? 0: none */
};

void exchange_destroy(struct exchange *x); /* NULL is fine */

/* ---- ike.c: tables, queues ---- */

struct ike_sa *ike_find(const struct ike *ike, uint64_t local_spi);
struct child_sa *ike_find_child(const struct ike *ike, uint32_t spi_in);
MUST_USE enum gw_err ike_new_spi(struct ike *ike, uint64_t *out);	/* unused, with the node's index on top */
MUST_USE enum gw_err ike_new_child_spi(struct ike *ike, uint32_t *out); /* likewise, above the reserved 1..255 */
uint32_t ike_new_reqid(struct ike *ike);
/* Puts a datagram into the out queue; bytes are copied. */
void ike_send(struct ike *ike, const struct endpoint *from, const struct endpoint *to, bool natt, struct bytes data,
	      enum ike_effect effect);
void ike_report(struct ike *ike, enum ike_event_kind kind, const struct ike_sa *sa, const struct child_sa *child,
		const char *reason);
void ike_report_rekeyed(struct ike *ike, const struct ike_sa *sa, uint32_t old_id);
void ike_report_moved(struct ike *ike, const struct ike_sa *sa, const struct endpoint *was);
/* Somebody is refused; `text` is copied. Rate-limited. */
void ike_report_refused(struct ike *ike, const struct endpoint *from, const struct ike_sa *sa, const char *text);
/* Queues operations for the data plane. What they point to must live until the end of the turn. */
MUST_USE enum gw_err ike_operate(struct ike *ike, uint64_t token, const struct dp_op *ops, size_t n);
static inline mtime ike_now(const struct ike *ike)
{
	return clock_now(ike->env->clock);
}
/* A line about what a stranger did: rate-limited. */
void ike_log_stranger(struct ike *ike, const struct endpoint *from, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Likewise, without a token, for one SA of ike_apply(). */
MUST_USE enum gw_err ike_operate_for(struct ike *ike, uint64_t key, const struct dp_op *ops, size_t n);

/* ---- standby.c ---- */

/* Timers of an SA that was taken over: what is overdue is spread. */
void sa_resume_timers(struct ike_sa *sa, mtime now);
/* The session has come through a takeover, if it has: counted once. */
void sa_note_era(struct ike_sa *sa);

/* ---- sa.c ---- */

/* In the table; NULL: no memory. */
struct ike_sa *sa_create(struct ike *ike, bool initiator, uint64_t spi_i, uint64_t spi_r);
void sa_set_state(struct ike_sa *sa, enum ike_state to, const char *story); /* logs old -> new: story */
void sa_touch(struct ike_sa *sa);      /* changed: encode it at the end of the turn */
void sa_reschedule(struct ike_sa *sa); /* after anything that moves a deadline */
/* Counts a new half-open SA and makes it findable by its IKE_SA_INIT. GW_ELIMIT: its source has its share. */
MUST_USE enum gw_err half_join(struct ike_sa *sa);
void sa_drop_half(struct ike_sa *sa);
/*
 * Whether an answer may be given again to who asks from there, though nobody is authenticated. To where IKE_SA_INIT
 * came from once IKE_AUTH has proved that our answer got there; elsewhere, where it may be aimed at somebody, some
 * times only: answers are larger than what asks for them.
 */
bool half_may_repeat(struct half_open *h, const struct addr *to);
/* Takes everything down: CHILD SAs out of the plane, leases back, events; then IKE_LINGERING or IKE_DEAD. */
void sa_close(struct ike_sa *sa, const char *reason, bool linger);
void sa_bury(struct ike_sa *sa); /* IKE_DEAD: out of all tables, freed at the end of the turn */
void sa_free(struct ike_sa *sa);
void sa_set_lifetimes(struct ike_sa *sa);
/* We begin no rekeys with this peer (`rekey_by`), but for SAs that would come to their end. */
bool sa_leaves_rekeys_to_peer(const struct ike_sa *sa);
void sa_set_reason(struct ike_sa *sa, const char *reason); /* why it goes down; copied, since it goes later */
/* Keys of the two directions, for sk.h. */
struct sk_key sa_key_in(const struct ike_sa *sa);
struct sk_key sa_key_out(const struct ike_sa *sa);
void sa_log(const struct ike_sa *sa, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "refused: " and why, in the log and as an event: of a peer that is who it says, but may not come in. */
void sa_log_refused(const struct ike_sa *sa, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Moves the outer addresses (NAT rebinding, MOBIKE), CHILD SAs included, with what is known of NATs there. */
void sa_move(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool natt, bool peer_nat,
	     bool our_nat);
/* The same to where an authentic packet came from, through the peer's NAT, if its connection is for there. */
void sa_follow_nat(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool natt);
bool sa_udp_encap(const struct ike_sa *sa);

/* ---- child.c ---- */

struct child_match;

struct child_sa *child_create(struct ike_sa *sa, const struct child_cfg *cfg, uint32_t spi_in); /* in the tables */
void child_close(struct child_sa *c, const char *reason); /* out of plane and tables; freed at the end of the turn */
void child_detach(struct child_sa *c); /* out of the tables, the plane untouched; freed at the end of the turn */
void child_free(struct child_sa *c);
struct child_sa *child_by_out(const struct ike_sa *sa, uint32_t spi_out);
MUST_USE enum gw_err child_selectors(struct child_sa *c, const struct selector *ours, size_t n_ours,
				     const struct selector *theirs, size_t n_theirs);
MUST_USE enum gw_err child_adopt(struct child_sa *c, const struct chosen *chosen);
/* Keys from the nonces; `we_began`: we are the initiator of the exchange. */
MUST_USE enum gw_err child_keys(struct child_sa *c, bool we_began, struct bytes shared, struct bytes ni,
				struct bytes nr);
/* Operations, appended at ops[*n]; what they point to lives in the child. */
void child_op_in(const struct child_sa *c, struct dp_op *ops, size_t *n);
void child_op_out(const struct child_sa *c, struct dp_op *ops, size_t *n);
void child_op_policy(const struct child_sa *c, struct dp_op *ops, size_t *n);
/* SA, TSi and TSr of our answer, and what goes with them; `proposal` is the number of the peer's that was chosen. */
void child_write_answer(const struct child_sa *c, uint8_t proposal, struct msg_writer *m);
/* What goes with an offer or an answer besides: USE_TRANSPORT_MODE, NON_FIRST_FRAGMENTS_ALSO. */
void child_write_notifies(const struct child_sa *c, struct msg_writer *m);
/*
 * NON_FIRST_FRAGMENTS_ALSO can be agreed on where no port is asked for: those fragments have none, and both data planes
 * take them there (RFC 4301 7.1). With ports nobody could tell whether they fit, and they are dropped (no 7.3).
 */
bool child_takes_fragments(const struct selector *ours, size_t n_ours, const struct selector *theirs, size_t n_theirs);
void child_write_ts(const struct child_sa *c, bool theirs, uint8_t payload, struct msg_writer *m);
/* What was agreed on with the peer's request goes into it. */
MUST_USE enum gw_err child_match_adopt(struct child_sa *c, const struct child_match *match);
/* Installs: inbound, policy and, unless `inbound_only`, outbound, under a new token in c->token. */
MUST_USE enum gw_err child_install(struct child_sa *c, bool inbound_only);
/* Adds the outbound SA that a rekey held back. */
void child_install_out(struct child_sa *c);
void child_set_lifetimes(struct child_sa *c);
mtime child_silent_at(const struct child_sa *c); /* when `inactivity` closes it, unless a packet comes */

/* ---- send.c ---- */

void chain_start(struct ike *ike, struct msg_writer *m);
/*
 * Seals the chain as the response to the request in hand (window.recv_next) and remembers it. GW_OK even if it could
 * not be sent; an error means the SA is of no use any more.
 */
MUST_USE enum gw_err send_response(struct ike_sa *sa, uint8_t exchange, struct msg_writer *m, const struct datagram *to,
				   enum ike_effect effect);
MUST_USE enum gw_err send_error(struct ike_sa *sa, uint8_t exchange, uint16_t notify, struct bytes data,
				const struct datagram *to);
MUST_USE enum gw_err send_request(struct ike_sa *sa, uint8_t exchange, struct msg_writer *m, enum request_kind kind,
				  enum ike_effect effect);
/* Packed datagrams to the peer's present address (retransmissions). */
void send_packed(struct ike_sa *sa, struct bytes packed, const struct datagram *to, enum ike_effect effect);

/* ---- rules.c ---- */

typedef enum gw_err ike_step(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg);
struct ike_rule {
	enum ike_state at;
	uint8_t exchange;
	bool response;
	uint32_t needs; /* payloads that must be present */
	ike_step *step;
	const char *story;
};
/* NULL: not legal in this state. */
const struct ike_rule *rule_find(enum ike_state at, uint8_t exchange, bool response);
const struct ike_rule *rules_all(size_t *count);

/* ---- steps ---- */

void x_init_request(struct ike *ike, const struct ike_header *h, const struct datagram *dg);
/* The node before us may have agreed with the peer on what we do not know. */
bool sa_is_uncertain(const struct ike_sa *sa);
ike_step x_auth_request, x_auth_round, x_eap_bye, x_create_request, x_create_response, x_info_request, x_info_response,
	x_refuse_busy;
/* The plane has answered for the CHILD SA of sa->peer_x / of our_x / of a held-back outbound SA. */
void x_auth_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result);
void x_child_is_up(struct ike_sa *sa, struct child_sa *c); /* installed and told to the peer; NULL is fine */
void x_child_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result);
void x_rekey_child_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result);
enum gw_err x_rekey_ike_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg);
/* Before the peer's DELETE of `sa` closes it: a session that goes on elsewhere moves there. */
void x_rekey_ike_hand_back(struct ike_sa *sa);
void x_rekey_ike_response(struct ike_sa *sa, struct exchange *x, const struct ike_msg *m);
void x_rekey_child_response(struct ike_sa *sa, struct exchange *x, const struct ike_msg *m);
MUST_USE enum gw_err x_rekey_child_start(struct ike_sa *sa, struct child_sa *c);
MUST_USE enum gw_err x_rekey_ike_start(struct ike_sa *sa);
MUST_USE enum gw_err x_delete_child_start(struct ike_sa *sa, struct child_sa *c);
MUST_USE enum gw_err x_delete_ike_start(struct ike_sa *sa);
MUST_USE enum gw_err x_probe_start(struct ike_sa *sa);
/* The next thing that this SA wants to say to its peer, if the window is free. */
void sa_pump(struct ike_sa *sa);

/* ---- conn.c: which connection, which CHILD settings ---- */

/* Whether some connection for the address pair does without a CHILD SA in IKE_AUTH. */
bool conn_any_childless(const struct settings *s, const struct endpoint *local, const struct endpoint *remote);
bool conn_serves(const struct conn_cfg *conn, const struct endpoint *local, const struct endpoint *remote);
/* Agrees on an IKE suite over all connections that serve the address pair. */
MUST_USE enum gw_err conn_propose(const struct settings *s, const struct endpoint *local, const struct endpoint *remote,
				  const struct sa_payload *offer, uint16_t group, struct chosen *out, struct err *e);
/* Rank of a connection for an identity pair and the suite that IKE_SA_INIT chose; 0: not this one. */
int conn_rank(const struct conn_cfg *conn, const struct ike_sa *sa, const struct id_payload *idi,
	      const struct id_payload *idr);
/* The key of an identity: its own where it has one (the closest of `psks`), else the connection's; may be empty. */
const struct secret *conn_psk(const struct conn_cfg *conn, uint8_t kind, struct bytes data);
/* Why no connection is for that identity pair: offered and configured, in words. */
const char *conn_explain(const struct ike_sa *sa, const struct id_payload *idi, const struct id_payload *idr, char *buf,
			 size_t n);
/*
 * What our side and the peer's may be in a CHILD SA: *out gets at most max. A peer without an inner address is where it
 * came from, wherever it says that it is now: that would give it what is sent to somebody else there. In transport mode
 * it is where its packets go, which is to nobody else.
 */
size_t conn_local_selectors(const struct ike_sa *sa, const struct child_cfg *cfg, struct selector *out, size_t max);
size_t conn_remote_selectors(const struct ike_sa *sa, const struct child_cfg *cfg, bool transport, struct selector *out,
			     size_t max);
/* A client that does not know its inner address yet may call it 0.0.0.0 or ::, alone (OpenIKED's `from dynamic`, in its
 * answers, too): what it was given is meant. */
void conn_name_inner(const struct ike_sa *sa, struct selector *theirs, size_t n);
/*
 * Picks the child settings and narrows. `theirs_offer` is the peer's side. `only` restricts to one (a rekey).
 * `with_ke`: CREATE_CHILD_SA, where `pfs` counts. GW_ETS, GW_EPROPOSAL (text), GW_EGROUP (chosen->dh).
 */
struct child_match {
	const struct child_cfg *cfg;
	struct chosen chosen;
	struct selector ours[IKE_CHILD_SELECTORS], theirs[IKE_CHILD_SELECTORS];
	size_t n_ours, n_theirs;
	bool transport;
	bool fragments;	       /* NON_FIRST_FRAGMENTS_ALSO */
	struct told_ends told; /* of transport mode */
	bool more;	       /* further CHILD SAs could carry what was left out: ADDITIONAL_TS_POSSIBLE */
};
/*
 * The reqid of a new CHILD SA: that of another IKE SA's where the same peer has it between the same selectors (it
 * authenticates anew, and keeps both for a moment). So there is one policy for them, by which the newest is sent.
 */
uint32_t child_shared_reqid(const struct ike_sa *sa, const struct child_match *match);
MUST_USE enum gw_err conn_match_child(const struct ike_sa *sa, const struct child_cfg *only, const struct ike_msg *m,
				      bool with_ke, struct child_match *out, struct err *e);
const struct child_cfg *conn_child(const struct conn_cfg *conn, const char *name);
/* notify type for an error of the choice */
uint16_t error_notify(enum gw_err code);

/* ---- pressure.c: how many half-open SAs there may be, and when cookies come first (RFC 7296 2.6) ---- */

/* One half-open SA more of that source; GW_ELIMIT when it has its share. */
MUST_USE enum gw_err source_take(struct ike *ike, const struct addr *from);
void source_release(struct ike *ike, const struct addr *from);
/*
 * Above ike.cookie_threshold half-open SAs, and from then until there is half of that; when as many came to nothing
 * within the last ten seconds or so; and from a source that has a quarter of its share already.
 */
bool pressure_wants_cookies(struct ike *ike, const struct addr *from);
/*
 * Is there room for a TLS handshake of this half-open SA? They are large: so each source (an IPv6 host is its /64) has
 * so many of them, of which one that stands still makes room for a new one; and when there are too many in all, the
 * oldest goes. True again for who has one. tls_leave: it is over.
 */
bool tls_admit(struct ike_sa *sa);
void tls_leave(struct ike *ike, struct half_open *h);
void pressure_expired(struct ike *ike); /* a half-open SA came to nothing */

/* ---- cp.c: inner addresses and what goes with them (RFC 7296 2.19) ---- */

enum cp_asked { CP_ASKED = 1, CP_DOMAINS = 2, CP_SUPPORTED = 4 };
/* What a CFG_REQUEST wants to be answered, or-ed; 0: there is none. */
uint8_t cp_asked(const struct ike_msg *m);
/*
 * Leases for what the peer's CFG_REQUEST asks for, by its user's entry, its group or its connection; *asked: what the
 * answer is to have, 0: there is none. GW_EADDRESS: it got none at all.
 */
MUST_USE enum gw_err cp_lease(struct ike_sa *sa, const struct ike_msg *m, uint8_t *asked);
/* The CFG_REPLY, by the leases of the SA. */
void cp_answer(const struct ike_sa *sa, struct msg_writer *m, uint8_t asked);

/* ---- commands.c ---- */

/* Ends an SA with the peer's knowledge. */
void sa_terminate(struct ike_sa *sa, const char *reason);
/* After a wish of ours (sa->want_*, child's want_*): it is granted at once if the window is free. */
void sa_go_on(struct ike_sa *sa);

/* ---- review.c: what stands, against settings that it was not made under ---- */

/* False: may stand. Else `out` says what is gone, and why, in words. */
bool sa_unwelcome(const struct ike_sa *sa, const struct settings *s, struct ike_finding *out);

/* ---- collide.c: pure ---- */

/* RFC 7296 2.8.1: true when the exchange with nonces (a1, a2) loses against (b1, b2): it has the lowest of the four. */
bool collide_loses(struct bytes a1, struct bytes a2, struct bytes b1, struct bytes b2);
struct bytes collide_lowest(struct bytes a, struct bytes b);

#endif
