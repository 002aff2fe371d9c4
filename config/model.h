/*
 * Typed settings: what gateway.yaml says, checked, with defaults filled in. Immutable once loaded and reference-counted:
 * an SA keeps the snapshot that it was made under, so a reload never edits what a live SA reads.
 * All pointers inside are owned by the snapshot and live as long as it does. Times are microseconds unless named otherwise.
 */
#ifndef CONFIG_MODEL_H
#define CONFIG_MODEL_H

#include "core/addr.h"
#include "core/crypto/alg.h"
#include "core/crypto/trust.h"
#include "core/log.h"
#include "core/secret.h"

/* Algorithms of one proposal, several per type in order of preference (RFC 7296 3.3). */
enum { PROPOSAL_MAX_TRANSFORMS = 32 };
struct proposal_cfg {
	struct transform t[PROPOSAL_MAX_TRANSFORMS];
	size_t n;
};

enum id_kind { /* ID types of RFC 7296 3.5 */
	ID_NONE = 0,
	ID_IPV4 = 1,
	ID_FQDN = 2,
	ID_RFC822 = 3,
	ID_IPV6 = 5,
	ID_DN = 9,
	ID_KEY_ID = 11,
};

/* An identity as configured: "gw.example.org", "alice@example.org", "192.0.2.1", "@#0a0b" (KEY_ID); may be a pattern
 * ("*", "*@example.org") where it is a remote one. */
struct id_cfg {
	enum id_kind kind; /* ID_NONE: anything ("*") */
	char *text;
	struct bytes data; /* as on the wire; for a pattern the text with its '*' */
	bool pattern;
};

enum pool_netmask { NETMASK_POOL, NETMASK_HOST, NETMASK_NONE };

struct pool_cfg {
	char *name;
	struct range addresses; /* without what is excluded below; IPv4 or IPv6 */
	uint8_t prefix_len;     /* of the pool's network, for netmask and INTERNAL_IP6_ADDRESS */
	struct addr *dns;
	size_t dns_count;
	char **domains; /* that the name servers know (RFC 8598) */
	size_t domain_count;
	struct addr *nbns; /* IPv4 */
	size_t nbns_count;
	struct prefix *subnets; /* INTERNAL_IP4_SUBNET, INTERNAL_IP6_SUBNET */
	size_t subnet_count;
	enum pool_netmask netmask;
	int64_t lease_time_us; /* how long an identity's address is kept for it after it left */
	struct addr *reserved; /* in order: addresses of users, in this pool and given to nobody else */
	size_t reserved_count;
};

/* Users that are given other things than the rest of their connection. */
struct group_cfg {
	char *name;
	struct id_cfg *members; /* who is in it besides the users that say so; none: nobody */
	size_t member_count;
	const struct pool_cfg **pools; /* instead of those of the connection; none: those */
	size_t pool_count;
	struct selector *local; /* instead of that of the children; none: that */
	size_t local_count;
	uint32_t sessions; /* IKE SAs at a time; 0: as many as like */
};

/* Somebody who authenticates by name and password (EAP). Found by settings_user() of config/users.h. */
struct user_cfg {
	char *name;		/* UTF-8, as the client tells it */
	struct secret password; /* empty once loaded: what is needed of it is its hash */
	struct secret nt_hash;	/* 16 octets; empty: no password, so none is right */
	struct addr *addresses; /* inner ones that it always gets, at most one of each family */
	size_t address_count;
	const struct group_cfg *group; /* NULL: by the groups' members */
};

/* Whether CHILD SAs that are rekeyed or added have a key exchange of their own (perfect forward secrecy). */
enum pfs_mode { PFS_OPTIONAL, PFS_REQUIRED, PFS_OFF };
enum child_mode { CHILD_MODE_TUNNEL, CHILD_MODE_TRANSPORT, CHILD_MODE_ANY };

struct child_cfg {
	char *name;
	struct selector *local; /* what clients may reach */
	size_t local_count;
	struct selector *remote; /* none: dynamic, i.e. the client's inner (or outer) address */
	size_t remote_count;
	struct proposal_cfg *proposals; /* ESP */
	size_t proposal_count;
	int64_t rekey_us; /* soft lifetime; 0: never by us */
	int64_t life_us;  /* hard: deleted then; 0: never */
	uint32_t replay_window; /* packets; 0: no replay protection */
	bool copy_dscp, copy_df;
	enum pfs_mode pfs;
	enum child_mode mode;
	uint64_t rekey_bytes, rekey_packets; /* of inner packets, either direction; 0: no limit */
	int64_t inactivity_us; /* without a packet for so long: closed; 0: never */
	bool single_pair;      /* one selector per side and CHILD SA, for peers that know no more (RFC 7296 2.9) */
};

/* What is below today's bar and has been allowed for a connection. */
/* What a kernel's mark is compared with or set to, under a mask. */
struct mark_cfg {
	uint32_t value, mask; /* mask 0: none */
};

enum conn_offload { CONN_OFFLOAD_NONE, CONN_OFFLOAD_CRYPTO, CONN_OFFLOAD_PACKET };

enum conn_compat {
	COMPAT_WEAK_DH = 1, /* MODP-1024 and MODP-1536 in proposals */
	/* Profiles, see config/compat.c. */
	COMPAT_WINDOWS_LEGACY = 2,
	COMPAT_APPLE = 4,
	COMPAT_ANDROID = 8,
};

/* Ways to authenticate; of the peer several are allowed side by side (or-ed). */
enum conn_auth {
	CONN_AUTH_PSK = 1,
	CONN_AUTH_CERT = 2,
	CONN_AUTH_EAP_MSCHAPV2 = 4,
	CONN_AUTH_EAP_TLS = 8,
	CONN_AUTH_EAP = CONN_AUTH_EAP_MSCHAPV2 | CONN_AUTH_EAP_TLS,
	CONN_AUTH_ANY = CONN_AUTH_PSK | CONN_AUTH_CERT | CONN_AUTH_EAP,
};
/* "psk, eap-tls" */
const char *conn_auth_text(uint32_t auth, char *buf, size_t n);

/* How many IKE SAs one identity may have under a connection; see ike/unique.h. */
enum unique_policy { UNIQUE_REPLACE, UNIQUE_KEEP, UNIQUE_NEVER, UNIQUE_LIMIT };
struct unique_cfg {
	enum unique_policy policy;
	uint32_t limit; /* of UNIQUE_LIMIT */
};

/* Who begins rekeys. */
enum rekey_by {
	REKEY_AUTO,   /* we, but for peers that are known to refuse it */
	REKEY_ALWAYS, /* we */
	REKEY_PEER,   /* the peer, before the hard lifetime ends */
	REKEY_NEVER,  /* the peer if it likes; SAs have no lifetimes */
};

struct tls_server; /* core/crypto/tls_server.h */

/* A certificate of ours with its private key. */
struct certificate_cfg {
	char *name;
	char *file, *key_at; /* key_at: a path, or a URI */
	struct cert chain[CERT_CHAIN_MAX]; /* ours, then intermediates; they borrow from `ders` */
	uint8_t *ders[CERT_CHAIN_MAX];
	size_t chain_len;
	uint8_t issuers[CERT_CHAIN_MAX][20]; /* key hashes of the authorities above it, as CERTREQ names them */
	size_t issuer_count;
	struct sign_key *key;
	struct tls_server *tls; /* NULL: no connection wants EAP-TLS with it */
};

/* A key of their own for some clients of a connection. */
struct psk_cfg {
	char *name;
	struct id_cfg *ids;
	size_t id_count;
	struct secret psk;
};

enum revocation { REVOCATION_STRICT, REVOCATION_SOFT, REVOCATION_OFF };

struct authority_cfg {
	char *name;
	char *file;
	char **crls; /* paths, or http:// URLs */
	size_t crl_count;
	enum revocation revocation;
	struct trust *trust;
};

/* What of a client's certificate its identity must be. */
enum id_match { ID_MATCH_SAN, ID_MATCH_CN, ID_MATCH_DN };

/* How a connection's users log in (remote.auth with eap-*). */
struct eap_cfg {
	bool ignore_case;  /* of user names, ASCII letters */
	bool strip_domain; /* DOMAIN\user is `user` when nobody is called DOMAIN\user */
	bool only;	   /* a client that wants to may do without a certificate in IKE (RFC 5998) */
	uint32_t retries;  /* wrong passwords that may be corrected within one attempt */
};

struct conn_cfg {
	char *name;
	struct range *local_addrs; /* none: any */
	size_t local_addr_count;
	struct range *remote_addrs; /* none: any */
	size_t remote_addr_count;
	struct id_cfg local_id;   /* ID_NONE: the address that the client came to */
	struct id_cfg *remote_ids; /* none: any */
	size_t remote_id_count;
	struct id_cfg *eap_ids; /* of users that EAP proved; none: any */
	size_t eap_id_count;
	uint32_t local_auth;  /* one of enum conn_auth: PSK or CERT */
	uint32_t remote_auth; /* enum conn_auth, or-ed */
	const struct certificate_cfg **certificates; /* with local_auth CERT; in order of preference */
	size_t certificate_count;
	const struct authority_cfg **authorities; /* of clients */
	size_t authority_count;
	enum id_match id_match;
	struct eap_cfg eap;
	struct secret psk;    /* empty unless either side uses it */
	struct psk_cfg *psks; /* keys of single clients; see conn_psk() in ike/engine.h */
	size_t psk_count;
	struct proposal_cfg *proposals; /* IKE */
	size_t proposal_count;
	const struct pool_cfg **pools; /* in order; at most one address of each family is given */
	size_t pool_count;
	const struct group_cfg **groups; /* only who is in one of them; none: anybody */
	size_t group_count;
	struct child_cfg *children;
	size_t child_count;
	int64_t rekey_us; /* of the IKE SA; 0: never by us */
	int64_t life_us;  /* 0: never */
	uint8_t rekey_jitter_percent; /* 0..50: rekey times are spread downwards by up to this */
	int64_t dpd_us; /* silence after which we probe; 0: never */
	bool mobike;    /* RFC 4555 with peers that announce it */
	bool childless; /* IKE_AUTH without a CHILD SA is allowed (RFC 6023) */
	int64_t reauth_us; /* the peer has to authenticate anew within that time (RFC 4478); 0: never */
	struct unique_cfg unique;
	enum rekey_by rekey_by;
	uint32_t compat; /* enum conn_compat, or-ed; the proposals obey it already */

	/* The kernel's data plane alone knows these. */
	char *interface;	     /* XFRM interface; NULL: none */
	uint32_t if_id;		     /* made of its name; 0: none */
	struct mark_cfg mark;	     /* of inner packets, both ways */
	struct mark_cfg output_mark; /* given to outer packets */
	enum conn_offload offload;
};

/* The name of the first of its keys, or of its children's, that only the kernel's data plane knows; NULL: none is used. */
const char *conn_kernel_key(const struct conn_cfg *c);
/* All of them are the same. */
bool conn_kernel_equal(const struct conn_cfg *a, const struct conn_cfg *b);
/* The if_id of an XFRM interface: 0x67 and 24 bits of a hash of the name, so it is the same at each start and node. */
uint32_t interface_id(const char *name);

enum shutdown_mode { SHUTDOWN_DELETE, SHUTDOWN_SILENT };
enum dataplane_choice { DATAPLANE_AUTO, DATAPLANE_KERNEL, DATAPLANE_USERSPACE, DATAPLANE_FAKE };

/* Words of `mss_clamp`; other values are octets. */
enum { MSS_CLAMP_AUTO = 0, MSS_CLAMP_OFF = 1 };

struct ike_cfg {
	uint32_t cookie_threshold;     /* half-open SAs above which cookies are asked for */
	uint32_t half_open_max;        /* in all */
	uint32_t half_open_per_source; /* per address */
	int64_t half_open_timeout_us;
	uint32_t failures_per_source;  /* failed authentications a minute; 0: unlimited */
	uint32_t failures_per_user;    /* wrong passwords a minute; 0: unlimited */
	uint32_t sa_max;               /* IKE SAs in all */
	uint16_t fragment_size;        /* largest IP datagram we send, IP and UDP headers included (RFC 7383 2.5.1) */
	bool fragmentation;
	bool vendor_id;
	int64_t retransmit_us; /* first wait; each next one times 1.8 */
	uint32_t retransmit_tries;
};

enum ha_election { HA_ELECTION_BUILTIN, HA_ELECTION_EXTERNAL };
enum ha_replay { HA_REPLAY_LOSSLESS, HA_REPLAY_STRICT };

enum { HA_PATHS_MAX = 8 };

/* One node of the pair. */
struct ha_node_cfg {
	char *name;
	uint8_t index; /* the number that SPIs and nonces carry */
	uint32_t priority;
	struct addr sync;	/* of the sync link; the first path of heartbeats, too */
	struct addr *heartbeat; /* further paths; item i of one node talks to item i of the other */
	size_t heartbeat_count;
};

struct ha_address_cfg {
	char *name;
	struct addr address;
	uint8_t prefix_len;
	char *interface;
};

/* All but `enabled` have their defaults without a section `ha:`, too. */
struct ha_cfg {
	bool enabled; /* the section is there */
	char *cluster;
	struct secret secret;
	struct ha_node_cfg *nodes;
	size_t node_count;
	const struct ha_node_cfg *self, *peer; /* into nodes; NULL when not enabled */
	uint16_t port;			       /* TCP: sync link; UDP: heartbeats */

	int64_t heartbeat_interval_us;
	uint32_t heartbeat_misses;
	int64_t heartbeat_stall_us; /* 0: computed */

	int64_t ack_timeout_us; /* 0: computed from the round trip */
	int64_t report_us;	/* of inbound windows; 0: computed from the number of SAs */
	int64_t start_hold_us;
	int64_t flap_hold_us;
	enum ha_election election;
	enum ha_replay replay;
	int64_t preempt_delay_us; /* 0: no preemption */
	bool preempt_synced;

	struct ha_address_cfg *addresses;
	size_t address_count;
	int64_t announce_us; /* virtual addresses are announced again; 0: at takeover only */
	char **interfaces;   /* service interfaces besides those of the virtual addresses */
	size_t interface_count;
	struct addr *witness;
	size_t witness_count;
	char *hook, *fence; /* programs; NULL: none */
	int64_t hook_timeout_us;
};

struct settings {
	uint32_t refs; /* settings_ref / settings_unref; one thread */
	char *file;
	char *node; /* name of this node */
	uint8_t node_index;
	char *state_dir;
	enum shutdown_mode shutdown;
	enum dataplane_choice dataplane;
	bool allow_fake_plane; /* dataplane: fake needs it; set by tests and benches only */

	uint16_t mss_clamp;    /* of IPv4; 20 less with IPv6 */

	struct addr *listen; /* none: wildcard, both families */
	size_t listen_count;
	uint16_t port, port_natt; /* 500 and 4500; others for tests */

	char *tun_name;
	uint16_t tun_mtu; /* 0: computed */
	bool raw_esp;     /* userspace plane: protocol 50 besides UDP */

	char *control_socket;
	char *control_group; /* may read; NULL: root only */

	bool export_keys;   /* gatewayctl export-keys is allowed */
	char *session_file; /* NULL: session records go to the log */

	enum log_level log_level;
	enum log_format log_format;
	bool log_auto; /* format not set: journal when under systemd, else text */

	struct ike_cfg ike;
	struct ha_cfg ha;
	struct pool_cfg *pools;
	size_t pool_count;
	struct keyring *keyring; /* private keys and keys of authorities live in it; NULL: there are none */
	struct certificate_cfg *certificates;
	size_t certificate_count;
	struct authority_cfg *authorities;
	size_t authority_count;
	struct group_cfg *groups;
	size_t group_count;
	struct user_cfg *users;
	size_t user_count;
	uint32_t *user_slots; /* hash table over users; see config/users.c */
	size_t user_slot_count;
	struct conn_cfg *conns;
	size_t conn_count;
	const struct conn_cfg **conns_by_name; /* owned; the same, sorted */
};

struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s); /* wipes and frees at the last one; NULL is fine */

/* By name; NULL: there is none. */
const struct conn_cfg *settings_conn(const struct settings *s, const char *name);
const struct pool_cfg *settings_pool(const struct settings *s, const char *name);
const struct group_cfg *settings_group(const struct settings *s, const char *name);
/* Clients of the connection may get addresses of this pool: it is the connection's, or a group's that may come by it. */
bool conn_uses_pool(const struct settings *s, const struct conn_cfg *c, const struct pool_cfg *p);
/* Of load.c, when all is read: makes the order that settings_conn() searches. GW_ENOMEM. */
MUST_USE enum gw_err settings_index(struct settings *s);

/* certs.c: whether a certificate says that it is this one, by a subjectAltName or as its subject. No patterns. */
bool cert_is_for(const struct cert *c, const struct id_cfg *id);

#endif
