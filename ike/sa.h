/*
 * An IKE SA, and the CHILD SAs that it owns. Made and changed by the engine only; daemon/ reads it to show it.
 * "Local" SPI is ours: spi_r where the peer began the SA, spi_i where we did (a rekey of ours).
 */
#ifndef IKE_SA_H
#define IKE_SA_H

#include "config/model.h"
#include "core/chain.h"
#include "core/table.h"
#include "esp/dataplane.h"
#include "ike/frag.h"
#include "ike/keymat.h"
#include "ike/limits.h"
#include "ike/natd.h"
#include "ike/proposal.h"
#include "ike/window.h"

struct eap;
struct ike;
struct ike_sa;
struct exchange;
struct peer;

enum ike_state { /* records carry the numbers */
	IKE_HALF_OPEN, /* IKE_SA_INIT answered */
	IKE_UP,
	IKE_REKEYED,  /* replaced by a rekey; waits for its DELETE */
	IKE_DELETING, /* our DELETE is under way */
	IKE_LINGERING, /* over (refused, or deleted by the peer): only repeats its last response for a while */
	IKE_DEAD,      /* freed at the end of the turn; nothing refers to it but the down event */
	IKE_NEW,       /* being made; none is ever seen in it */
	IKE_EAP, /* from IKE_HALF_OPEN: the first IKE_AUTH answered, rounds of EAP; sa->half is there in both */
};

enum child_state {
	CHILD_INSTALLING, /* the data plane has not answered yet; the peer knows nothing of it */
	CHILD_UP,
	CHILD_REKEYED,  /* replaced; waits for the DELETE. Without a successor: for ours to be sent again */
	CHILD_DELETING, /* our DELETE is under way */
};

const char *ike_state_name(enum ike_state s);   /* "ESTABLISHED", "REKEYED", ... as users read them */
const char *child_state_name(enum child_state s);

struct child_sa {
	struct ike_sa *sa; /* back-pointer */
	struct child_sa *next;
	const struct child_cfg *cfg; /* of sa->settings */
	uint32_t id;                 /* #n, unique in this process */
	uint32_t reqid; /* 0: none yet; see reqid.h */
	struct child_sa *next_of_reqid;
	uint32_t spi_in, spi_out; /* host order */
	enum child_state state;
	bool in_installed;  /* the plane has the inbound SA and the policy, or is about to */
	bool out_installed; /* the plane has the outbound SA (make before break: later than the inbound one) */
	bool redundant;	    /* our rekey that lost against the peer's (2.8.1): goes as soon as it came */
	bool want_rekey, want_delete;
	bool rekeyed_by_peer; /* of a CHILD_REKEYED one: the peer deletes it */
	bool tried_pfs;       /* our rekey without PFS was refused: the next one brings a KE payload */
	uint16_t pfs_group;   /* that the peer then asked for (INVALID_KE_PAYLOAD); 0: none. Not replicated: found out again */
	bool by_us;           /* we began the exchange that made it */
	mtime begun;	      /* the exchange that made it, or what its keys come from */
	bool inherited;	      /* of keys that another node had before us, and may have sent with */
	uint32_t successor;   /* spi_in of the CHILD SA that replaces it; 0: none */
	uint8_t crossing[IKE_NONCE_OURS]; /* lowest nonce of the peer's rekey of it while ours was under way (2.8.1) */
	uint8_t crossing_len;
	struct transform encr, integ, esn, dh; /* as agreed; dh: of PFS, id 0 without */
	struct cipher_suite suite;
	struct secret in_keys, out_keys; /* encr | integ */
	struct selector *ours, *theirs;  /* owned, one block */
	uint8_t ours_count, theirs_count;
	bool transport;		     /* mode; see transport.h */
	bool worn; /* a rekey was asked for because of what it has carried */
	bool fragments;		     /* NON_FIRST_FRAGMENTS_ALSO was agreed on (RFC 7296 1.3.1) */
	bool one_pair;		     /* its rekey is to ask for one pair of selectors: SINGLE_PAIR_REQUIRED (2.9) */
	struct addr told_ours, told_theirs; /* what the peer calls the ends of it behind a NAT; family 0: as we do */
	uint64_t token; /* of the batch that the plane has to answer; 0: none */
	mtime created, rekey_at, life_at;
	mtime used; /* last packet that we know of */
	struct link by_spi;
};

/* What is only needed until the SA is up. */
struct half_open {
	struct secret ni, nr;
	struct secret init_request, init_response; /* whole messages, for AUTH */
	struct secret peer_ke;
	struct dh_key *dh;
	/* While IKE_AUTH takes several rounds, or waits. sa->conn is set, but nobody is authenticated. */
	struct secret auth_chain; /* what is needed of the first IKE_AUTH; see auth_keep() */
	uint8_t auth_first;	  /* type of the first payload in it */
	struct secret our_id;	  /* body of the IDr that we sent */
	const struct secret *our_psk;		/* that proves us where no certificate does, of sa->settings */
	const struct certificate_cfg *our_cert; /* that proves us, of sa->settings; NULL: a key does, or not chosen yet */
	uint8_t hashes;	   /* that the peer can sign and check, 1 << enum sign_hash (RFC 7427) */
	bool waits;	    /* for a list of revoked certificates */
	bool peer_does_pss; /* its own AUTH was so */
	struct eap *eap;	  /* owned; NULL: none, or not begun */
	bool eap_only;		  /* it alone proves us (RFC 5998) */
	bool inherited;		  /* from a record, so another node may have authenticated it */
	struct secret msk;	  /* of EAP (RFC 7296 2.16); empty: none yet */
	mtime expires;
	size_t held;	 /* octets of its fragments, as counted in the engine */
	struct half_open *tls_next, *tls_prev; /* among those amid EAP-TLS, the oldest first (tls_admit) */
	bool tls_in;
	mtime tls_since;
	uint8_t repeats; /* answers given again where nobody has shown yet that he gets them */
	struct half_open_key {
		struct addr from;
		uint64_t spi_i;
	} key;
	struct ike_sa *sa;
	UT_hash_handle by_init;
};

enum peer_flags {
	PEER_FRAGMENTATION = 1 << 0, /* RFC 7383 agreed */
	PEER_MSGID_SYNC = 1 << 1,    /* announced 16420 */
	PEER_MOBIKE = 1 << 2,
	PEER_EAP_ONLY = 1 << 3,
	PEER_CHILDLESS = 1 << 4,
	PEER_STRONGSWAN = 1 << 5, /* by vendor ID, where it matters */
	PEER_MICROSOFT = 1 << 6,
};

enum { SA_LEASES = 2 };
struct sa_lease {
	const char *pool; /* name, of sa->settings; NULL: none */
	struct addr addr;
};

/* What a session was, over all its SAs: rekeys and takeovers do not end it. */
struct ike_session {
	mtime began;
	uint64_t packets_in, packets_out, bytes_in, bytes_out; /* of its CHILD SAs that are gone; inner packets */
	uint32_t failovers;				       /* that it has survived */
};

struct ike_sa {
	struct ike *ike; /* back-pointer */
	uint64_t spi_i, spi_r;
	uint32_t id; /* #n, unique in this process */
	enum ike_state state;
	bool initiator; /* we began this SA (a rekey of ours) */
	bool natt;      /* the peer uses the NAT-T port */
	bool peer_nat, our_nat;
	bool want_rekey, want_delete, want_dpd;
	bool dirty; /* is in the engine's list of changed objects */
	bool adopted; /* came from another node: the peer may be ahead by requests that changed nothing */
	uint8_t peer_id_kind; /* of `peer` */
	uint8_t also_count;   /* of `also` */
	uint8_t soundings;    /* ike/settle.h */
	uint32_t era; /* of the engine when its timers were last right; see ike_set_passive */
	uint32_t peer_flags;
	uint32_t peer_auth;   /* enum conn_auth: how; 0: nobody is authenticated */
	struct settings *settings;    /* owned reference */
	const struct conn_cfg *conn;  /* NULL until chosen in IKE_AUTH */
	struct endpoint local, remote;
	struct transform encr, prf, integ, dh;
	struct ike_keys keys;
	struct window window;
	struct frags *frags[2];       /* owned; messages under reassembly: requests, responses */
	struct half_open *half;       /* owned; until the SA is up */
	struct exchange *peer_x;      /* owned; a request of the peer waits for the data plane */
	struct exchange *our_x;       /* owned; our outstanding CREATE_CHILD_SA */
	struct secret cert_path; /* who issued the peer's certificates, and their serials: see ike/cert_path.h */
	struct peer *peer;    /* who was authenticated; NULL before. Shared by its SAs */
	const struct group_cfg *group; /* of `settings`; NULL: none */
	struct group_tally *tally;     /* that it is counted in; NULL: none */
	struct ike_sa *next_of_peer;
	struct bytes peer_id; /* borrowed from `peer` */
	struct secret told_id; /* kind 1, data: IDi of a peer that EAP proved to be peer_id; else empty */
	uint64_t successor;   /* local SPI of the SA that replaced it; 0: none */
	uint64_t predecessor; /* local SPI of the SA that it replaced; 0: none */
	uint8_t crossing[IKE_NONCE_OURS]; /* as in child_sa, of an IKE rekey */
	uint8_t crossing_len;
	struct addr came_from; /* where it got our IKE_SA_INIT, or it could not have authenticated; family 0: nobody has yet */
	struct addr *also; /* owned; the peer's other addresses (RFC 4555 3.4) */
	struct sa_lease leases[SA_LEASES];
	struct ike_session session;
	struct child_sa *children;
	uint64_t version; /* of the replicated object: rises with every change */
	const char *down_reason; /* static, or the copy */
	char *down_copy;	 /* owned; see sa_set_reason */
	mtime created, rekey_at, life_at;
	mtime reauth_at; /* it ends, unless the peer has authenticated anew (RFC 4478) */
	mtime established;
	mtime last_in; /* last authenticated message */
	mtime heard;   /* the last that came to this very node, in `heard_era` of the engine */
	uint32_t heard_era;
	uint32_t sounding_era;	   /* ike/settle.h; of the engine */
	uint32_t settled, certain; /* the doubt in which its message IDs were found out; that has nothing to do with it */
	mtime sounded; /* when the last one was sent first */
	mtime not_before; /* no request of ours before this: the peer said TEMPORARY_FAILURE */
	mtime linger;     /* IKE_LINGERING: until then */
	mtime due;     /* when this SA wants ike_tick; kept in the engine's heap */
	size_t due_at; /* index there; SIZE_MAX: not in it */
	struct ike_sa *next_dirty;
	struct link by_spi; /* local SPI */
};

static inline uint64_t ike_sa_local_spi(const struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

enum { SA_PREFIX = 176 };
/* "alice@example.org #12", or "192.0.2.7:500 #12" while nobody is authenticated: begins every log line about the SA. */
const char *ike_sa_prefix(const struct ike_sa *sa, char buf[SA_PREFIX]);

#endif
