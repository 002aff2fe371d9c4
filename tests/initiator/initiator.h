/*
 * A minimal IKEv2 initiator for tests, simulations and load: one client per object, no I/O, time and datagrams come in,
 * datagrams are collected. It shares the message codec with the gateway, but none of its state: windows, exchanges,
 * collisions and selectors are done here a second time, so that a mistake in the engine does not cancel itself out.
 *
 * The shape is the engine's: after any call, ini_take() until it gives nothing; ini_tick() at ini_due() at the latest.
 */
#ifndef TESTS_INITIATOR_INITIATOR_H
#define TESTS_INITIATOR_INITIATOR_H

#include "config/model.h"
#include "core/crypto/trust.h"
#include "core/env.h"
#include "ike/events.h"
#include "ike/frag.h"
#include "ike/keymat.h"
#include "ike/proposal.h"

struct ini;

/* What many clients have in common. Borrowed by each of them. */
struct ini_cfg {
	const struct proposal_cfg *ike, *esp;
	size_t ike_count, esp_count;
	struct dh_key *shared_dh; /* used wherever its group fits, instead of a new one each time (2.12); NULL: none */
	uint16_t first_group;	  /* of the first KE payload; 0: the first that is offered */
	struct bytes psk;
	const struct trust *trust; /* of the responder's certificate; NULL: it proves itself by the PSK */
	uint8_t hashes;		   /* announced, 1 << enum sign_hash each (RFC 7427); 0: none */
	bool ask_cert;		   /* send a CERTREQ for the first of `trust` */
	uint8_t ask_others;	   /* and, before it, for so many authorities that nobody has */
	bool ask_each;		   /* each in a CERTREQ of its own */
	/* EAP instead of an AUTH payload, when `user` is there. The responder proves itself by `psk`, or by a
	 * certificate that nobody here looks at. */
	struct ini_eap_cfg {
		struct bytes user, password;
		struct bytes identity; /* told when asked; empty: user */
		uint8_t nak;	       /* a method that is asked for in a Nak first; 0: none */
		bool only;	       /* announce EAP_ONLY_AUTHENTICATION */
	} eap;
	const struct selector *tsi, *tsr; /* offered */
	size_t tsi_count, tsr_count;
	bool want_v4, want_v6; /* CFG_REQUEST for inner addresses */
	bool want_all;	       /* and for every other attribute, and some that nobody knows */
	bool initial_contact;
	bool fake_nat;	       /* claim to be behind a NAT: forces UDP encapsulation */
	bool mobike;	       /* RFC 4555 */
	bool childless;	       /* IKE_AUTH without a CHILD SA where the responder allows it (RFC 6023) */
	bool transport;	       /* USE_TRANSPORT_MODE */
	bool fragments;	       /* NON_FIRST_FRAGMENTS_ALSO */
	bool one_pair;	       /* SINGLE_PAIR_REQUIRED to rekeys of more */
	bool cp_in_child;      /* CFG_REQUEST in CREATE_CHILD_SA, too, as some do */
	bool pfs;	       /* KE in rekeys of CHILD SAs, by the group of the ESP proposals */
	bool fragmentation;    /* announce RFC 7383 and use it when the peer has it, too */
	size_t max_datagram;   /* octets of an IKE message before it is fragmented */
	struct bytes vendor;   /* of IKE_SA_INIT; empty: none */
	size_t ballast;	       /* octets of a private vendor ID in IKE_AUTH, to make it large */
	uint16_t natt_port;    /* the responder's, usually 4500 */
	int64_t retransmit_us; /* first wait, each next one times 1.8 */
	uint8_t tries;
	int64_t linger_us; /* how long a deleted SA still answers retransmissions */
};

/* A client's certificate and how it signs. */
struct ini_cert {
	struct bytes chain[4]; /* the leaf first */
	size_t count;
	const struct sign_key *key;
	const struct sign_scheme *scheme;
	uint8_t method; /* AUTH_SIGNATURE, or an old one that fits */
};

/* Who a client is; copied, but for the identity, which is borrowed. */
struct ini_self {
	struct endpoint local, remote; /* of IKE_SA_INIT */
	uint16_t natt_port;	       /* our port after the float to the responder's NAT-T port */
	uint8_t id_kind;
	struct bytes id;
	const struct ini_cert *cert; /* borrowed; NULL: it proves itself by the PSK */
};

enum ini_kind { /* what our outstanding request is */
		INI_NONE,
		INI_INIT,
		INI_AUTH,
		INI_CHILD_NEW,
		INI_CHILD_REKEY,
		INI_IKE_REKEY,
		INI_PROBE,
		INI_CHILD_DELETE,
		INI_IKE_DELETE,
		INI_UPDATE, /* UPDATE_SA_ADDRESSES */
		INI_SAY,    /* whatever a test wants to say */
		INI_KINDS,
};

enum ini_sa_state {
	INI_SA_OPENING,
	INI_SA_UP,
	INI_SA_CANDIDATE, /* made by the peer while our own rekey is under way: either may win (RFC 7296 2.8.2) */
	INI_SA_REKEYED,	  /* replaced; the winner deletes it */
	INI_SA_DELETING,
	INI_SA_DEAD, /* answers retransmissions for a while */
};

struct ini_child {
	struct ini_child *next;
	uint32_t spi_in, spi_out; /* host order */
	struct transform encr, integ, esn, dh;
	struct cipher_suite suite;
	struct secret in_keys, out_keys;
	struct selector *ours, *theirs; /* owned, one block */
	uint8_t ours_count, theirs_count;
	bool want_rekey, want_delete, rekeyed;
	bool transport, fragments;
	uint16_t group; /* to rekey with, after INVALID_KE_PAYLOAD */
	mtime retry_at; /* after TEMPORARY_FAILURE */
	mtime gone_at;	/* replaced, and the peer's DELETE is late: ours goes out */
};

struct ini_try;
struct ini_opening;

struct ini_sa {
	struct ini_sa *next;
	struct ini *ini; /* back-pointer */
	uint64_t spi_i, spi_r;
	bool initiator; /* we began it */
	enum ini_sa_state state;
	bool want_rekey, want_delete, want_probe, want_child, want_update;
	struct transform encr, prf, integ, dh;
	struct ike_keys keys;
	uint64_t iv;
	struct ini_child *children; /* owned */
	/* our requests */
	uint32_t send_next;
	enum ini_kind kind;    /* outstanding, ID send_next - 1 */
	struct secret request; /* packed */
	uint8_t tries;
	int64_t wait_us;
	mtime retransmit_at;
	struct ini_try *try_; /* owned; what the outstanding request needs to be finished */
	/* the peer's */
	uint32_t recv_next;
	struct secret response; /* to recv_next - 1, packed */
	struct frags *frags;
	uint16_t group; /* to rekey with, after INVALID_KE_PAYLOAD */
	mtime retry_at;
	mtime gone_at; /* replaced or dead: dropped then */
};

enum { INI_ADDRS = 2, INI_ALSO = 8 };

struct ini {
	const struct env *env;	   /* borrowed */
	const struct ini_cfg *cfg; /* borrowed */
	struct ini_self self;
	struct endpoint local, remote; /* in use */
	bool natt, peer_fragments, peer_mobike, peer_childless;
	bool failed; /* for good; see `reason` */
	const char *reason;
	uint16_t error;		     /* last error notify of the peer */
	uint32_t eap_rounds;	     /* of the last try */
	uint32_t auth_lifetime;	     /* seconds, as the responder said (RFC 4478); 0: nothing */
	bool more_ts;		     /* ADDITIONAL_TS_POSSIBLE came with the newest CHILD SA */
	uint16_t child_error;	     /* the one that came instead of the CHILD SA of IKE_AUTH */
	struct ini_opening *opening; /* owned; until the first SA is up */
	struct ini_sa *sas;	     /* owned; the newest first */
	struct addr also[INI_ALSO];  /* the responder's other addresses */
	uint8_t also_count;
	struct addr inner[INI_ADDRS];
	uint8_t inner_count;
	struct addr dns;
	char attributes[400];	  /* of the CFG_REPLY, but addresses: "25=example.org 13=c0a80100ffffff00 " */
	uint32_t done[INI_KINDS]; /* requests of ours that succeeded */
	uint32_t refused[INI_KINDS];
	struct ini_heard { /* the newest answer to each: payloads, and the first error notify (0: none) */
		uint32_t present;
		uint16_t error;
	} heard[INI_KINDS];
	uint32_t peer_rekeys, peer_ike_rekeys, peer_probes, peer_deletes, collisions;
	uint32_t resent, drops; /* cached responses sent again; datagrams that did not fit in */
	struct ini_out *out, **out_tail, *taken;
};

/* Borrows env and cfg. NULL: out of memory. */
struct ini *ini_create(const struct env *env, const struct ini_cfg *cfg, const struct ini_self *self);
void ini_destroy(struct ini *ini);

/* Sends IKE_SA_INIT; again after a failure or the end: a new life from the beginning. */
MUST_USE enum gw_err ini_start(struct ini *ini);
/* The bytes are decrypted in place. */
void ini_receive(struct ini *ini, const struct datagram *in, uint8_t *bytes);
mtime ini_due(const struct ini *ini);
void ini_tick(struct ini *ini);
/* *out borrows until the next call. */
bool ini_take(struct ini *ini, struct datagram *out);

/* Commands: done as soon as the window is free. False: nothing to do it on. spi_in 0: all CHILD SAs. */
bool ini_rekey_child(struct ini *ini, uint32_t spi_in);
bool ini_rekey_ike(struct ini *ini);
bool ini_probe(struct ini *ini);
bool ini_new_child(struct ini *ini);
bool ini_delete_child(struct ini *ini, uint32_t spi_in);
bool ini_delete(struct ini *ini);
/* A request of our current SA with any inside, `first` being the type of its first payload; any answer will do. */
bool ini_say(struct ini *ini, uint8_t exchange, uint8_t first, struct bytes chain);
/* Forgets a CHILD SA without a word. False: there is none. */
bool ini_lose_child(struct ini *ini);
/* Drops everything without a word, as a crash does. */
void ini_forget(struct ini *ini);
/* Our address changed and nobody told us: from now on datagrams leave from here. */
void ini_move(struct ini *ini, const struct endpoint *local);
/* The same, knowingly: the responder hears of it by UPDATE_SA_ADDRESSES. False: no SA, or it knows no MOBIKE. */
bool ini_update(struct ini *ini, const struct endpoint *local);

/* The SA that carries the session; NULL: none is up. */
struct ini_sa *ini_current(const struct ini *ini);
bool ini_up(const struct ini *ini);
/* Nothing outstanding, wanted or waiting for the peer. */
bool ini_idle(const struct ini *ini);
size_t ini_child_count(const struct ini *ini);

#endif
