#include "config/schema.h"

#include "config/reader.h"

#include <stdio.h>

#define SECOND SECONDS(1)
#define DAY (SECONDS(1) * 86400)

#define KEYS(table) .keys = (table), .count = ARRAY_LEN(table)
#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, counter, more) \
	.flags = SCHEMA_LIST | (more), .offset = offsetof(struct type, member), \
	.count_offset = offsetof(struct type, counter)

static const struct schema_word shutdown_words[] = {
	{ "delete", SHUTDOWN_DELETE },
	{ "silent", SHUTDOWN_SILENT },
	{ NULL, 0 },
};

/* "fake" stands last: it is for tests, and messages do not name it. */
static const struct schema_word dataplane_words[] = {
	{ "auto", DATAPLANE_AUTO },
	{ "kernel", DATAPLANE_KERNEL },
	{ "userspace", DATAPLANE_USERSPACE },
	{ "fake", DATAPLANE_FAKE },
	{ NULL, 0 },
};

static const struct schema_word level_words[] = {
	{ "error", LOG_LVL_ERROR }, { "warn", LOG_LVL_WARN },	{ "notice", LOG_LVL_NOTICE },
	{ "info", LOG_LVL_INFO },   { "debug", LOG_LVL_DEBUG }, { NULL, 0 },
};

static const struct schema_word format_words[] = {
	{ "auto", LOG_TEXT }, /* check.c sets log_auto */
	{ "text", LOG_TEXT }, { "json", LOG_JSON }, { "journal", LOG_JOURNAL }, { NULL, 0 },
};

static const struct schema_word mss_words[] = {
	{ "auto", MSS_CLAMP_AUTO },
	{ "off", MSS_CLAMP_OFF },
	{ NULL, 0 },
};

static const struct schema_word offload_words[] = {
	{ "none", CONN_OFFLOAD_NONE },
	{ "crypto", CONN_OFFLOAD_CRYPTO },
	{ "packet", CONN_OFFLOAD_PACKET },
	{ NULL, 0 },
};

static const struct schema_word compat_words[] = {
	{ "weak-dh", COMPAT_WEAK_DH },
	{ "windows-legacy", COMPAT_WINDOWS_LEGACY },
	{ "apple", COMPAT_APPLE },
	{ "android", COMPAT_ANDROID },
	{ NULL, 0 },
};

static const struct schema_word local_auth_words[] = {
	{ "psk", CONN_AUTH_PSK },
	{ "cert", CONN_AUTH_CERT },
	{ NULL, 0 },
};

static const struct schema_word id_match_words[] = {
	{ "san", ID_MATCH_SAN },
	{ "cn", ID_MATCH_CN },
	{ "dn", ID_MATCH_DN },
	{ NULL, 0 },
};

static const struct schema_word remote_auth_words[] = {
	{ "psk", CONN_AUTH_PSK },
	{ "cert", CONN_AUTH_CERT },
	{ "eap-mschapv2", CONN_AUTH_EAP_MSCHAPV2 },
	{ "eap-tls", CONN_AUTH_EAP_TLS },
	{ NULL, 0 },
};

static const struct schema_word pfs_words[] = {
	{ "optional", PFS_OPTIONAL },
	{ "required", PFS_REQUIRED },
	{ "off", PFS_OFF },
	{ NULL, 0 },
};

static const struct schema_word mode_words[] = {
	{ "tunnel", CHILD_MODE_TUNNEL },
	{ "transport", CHILD_MODE_TRANSPORT },
	{ "any", CHILD_MODE_ANY },
	{ NULL, 0 },
};

static const struct schema_word netmask_words[] = {
	{ "pool", NETMASK_POOL },
	{ "host", NETMASK_HOST },
	{ "none", NETMASK_NONE },
	{ NULL, 0 },
};

static const struct schema_word rekey_by_words[] = {
	{ "auto", REKEY_AUTO },
	{ "always", REKEY_ALWAYS },
	{ "peer", REKEY_PEER },
	{ "never", REKEY_NEVER },
	{ NULL, 0 },
};

static const struct schema_word unique_words[] = {
	{ "replace", UNIQUE_REPLACE },
	{ "keep", UNIQUE_KEEP },
	{ "never", UNIQUE_NEVER },
	{ NULL, 0 },
};

static const struct schema_key listen_keys[] = {
	{ .name = "addresses",
	  .type = SCHEMA_ADDRESS,
	  LIST_AT(settings, listen, listen_count, 0),
	  .max = 64,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Addresses to receive IKE and ESP on; any: all of both families." },
	{ .name = "port",
	  .type = SCHEMA_U16,
	  AT(settings, port),
	  .min = 1,
	  .max = 65535,
	  .fallback = "500",
	  .help = "UDP port of IKE." },
	{ .name = "port_natt",
	  .type = SCHEMA_U16,
	  AT(settings, port_natt),
	  .min = 1,
	  .max = 65535,
	  .fallback = "4500",
	  .help = "UDP port of IKE and ESP behind a NAT." },
};
static const struct schema listen_schema = { KEYS(listen_keys) };

static const struct schema_key userspace_keys[] = {
	{ .name = "device",
	  .type = SCHEMA_NAME,
	  AT(settings, tun_name),
	  .min = 1,
	  .max = 15,
	  .fallback = "gw0",
	  .help = "Name of the TUN device of the userspace data plane." },
	{ .name = "mtu",
	  .type = SCHEMA_U16,
	  AT(settings, tun_mtu),
	  .min = 1280,
	  .max = 9000,
	  .nothing = "auto",
	  .fallback = "1400",
	  .help = "MTU of the TUN device; auto: computed from the largest overhead in use." },
	{ .name = "raw_esp",
	  .type = SCHEMA_BOOL,
	  AT(settings, raw_esp),
	  .fallback = "true",
	  .help = "Receive ESP as IP protocol 50 too, not only within UDP." },
};
static const struct schema userspace_schema = { KEYS(userspace_keys) };

static const struct schema_key control_keys[] = {
	{ .name = "socket",
	  .type = SCHEMA_PATH,
	  AT(settings, control_socket),
	  .min = 1,
	  .max = 107,
	  .fallback = "/run/gateway/control.sock",
	  .help = "Unix socket that gatewayctl talks to." },
	{ .name = "group",
	  .type = SCHEMA_NAME,
	  AT(settings, control_group),
	  .min = 1,
	  .max = 32,
	  .fallback_text = "none",
	  .help = "Group that may read state over the socket besides root." },
	{ .name = "export_keys",
	  .type = SCHEMA_BOOL,
	  .reload = RELOAD_NOW,
	  AT(settings, export_keys),
	  .fallback = "false",
	  .help = "Allow gatewayctl export-keys: keys of single SAs, for a limited time, to files that Wireshark "
		  "reads." },
};
static const struct schema control_schema = { KEYS(control_keys) };

static const struct schema_key log_keys[] = {
	{ .name = "level",
	  .type = SCHEMA_WORD,
	  AT(settings, log_level),
	  .words = level_words,
	  .fallback = "info",
	  .help = "Most detailed lines that are written." },
	{ .name = "format",
	  .type = SCHEMA_WORD,
	  AT(settings, log_format),
	  .words = format_words,
	  .fallback = "auto",
	  .help = "Form of the lines; auto: journal under systemd, else text." },
};
static const struct schema log_schema = { KEYS(log_keys) };

static const struct schema_key session_keys[] = {
	{ .name = "file",
	  .type = SCHEMA_PATH,
	  AT(settings, session_file),
	  .min = 1,
	  .max = 1024,
	  .fallback_text = "none, they go to the log",
	  .help = "File that a record of each session is appended to when it ends, a line of JSON." },
};
static const struct schema session_schema = { KEYS(session_keys) };

static const struct schema_key retransmit_keys[] = {
	{ .name = "first",
	  .type = SCHEMA_DURATION,
	  AT(settings, ike.retransmit_us),
	  .min = MILLISECONDS(100),
	  .max = 60 * SECOND,
	  .fallback = "2s",
	  .help = "Wait before the first retransmission of a request; each next wait is 1.8 times as long." },
	{ .name = "tries",
	  .type = SCHEMA_U32,
	  AT(settings, ike.retransmit_tries),
	  .min = 1,
	  .max = 20,
	  .fallback = "5",
	  .help = "Retransmissions before the peer counts as dead." },
};
static const struct schema retransmit_schema = { KEYS(retransmit_keys) };

static const struct schema_key ike_keys[] = {
	{ .name = "cookie_threshold",
	  .type = SCHEMA_U32,
	  AT(settings, ike.cookie_threshold),
	  .max = 10000000,
	  .fallback = "64",
	  .help = "Half-open IKE SAs above which newcomers must return a cookie; 0: always." },
	{ .name = "half_open_max",
	  .type = SCHEMA_U32,
	  AT(settings, ike.half_open_max),
	  .min = 1,
	  .max = 10000000,
	  .fallback = "10000",
	  .help = "Half-open IKE SAs in all; further requests are dropped." },
	{ .name = "half_open_per_source",
	  .type = SCHEMA_U32,
	  AT(settings, ike.half_open_per_source),
	  .min = 1,
	  .max = 10000000,
	  .fallback = "32",
	  .help = "Half-open IKE SAs of one source: an IPv4 address, an IPv6 /64." },
	{ .name = "half_open_timeout",
	  .type = SCHEMA_DURATION,
	  AT(settings, ike.half_open_timeout_us),
	  .min = SECOND,
	  .max = 600 * SECOND,
	  .fallback = "30s",
	  .help = "Time that a peer has to authenticate." },
	{ .name = "failures_per_source",
	  .type = SCHEMA_U32,
	  AT(settings, ike.failures_per_source),
	  .max = 1000000,
	  .nothing = "unlimited",
	  .fallback = "30",
	  .help = "Failed authentications a minute of one source address (IPv6: /64) after which it is refused "
		  "unseen." },
	{ .name = "failures_per_user",
	  .type = SCHEMA_U32,
	  AT(settings, ike.failures_per_user),
	  .max = 1000000,
	  .nothing = "unlimited",
	  .fallback = "10",
	  .help = "Wrong passwords a minute of one user, from anywhere, after which none is right." },
	{ .name = "sa_max",
	  .type = SCHEMA_U32,
	  AT(settings, ike.sa_max),
	  .min = 1,
	  .max = 10000000,
	  .fallback = "200000",
	  .help = "IKE SAs in all." },
	{ .name = "fragmentation",
	  .type = SCHEMA_BOOL,
	  AT(settings, ike.fragmentation),
	  .fallback = "true",
	  .reload = RELOAD_NEW_SAS,
	  .help = "IKE fragmentation (RFC 7383) with peers that know it." },
	{ .name = "fragment_size",
	  .type = SCHEMA_U16,
	  AT(settings, ike.fragment_size),
	  .min = 576,
	  .max = 65535,
	  .fallback = "1280",
	  .reload = RELOAD_NEW_SAS,
	  .help = "Largest IP datagram that IKE sends, IP and UDP headers included, in octets." },
	{ .name = "vendor_id",
	  .type = SCHEMA_BOOL,
	  AT(settings, ike.vendor_id),
	  .fallback = "true",
	  .reload = RELOAD_NEW_SAS,
	  .help = "Tell peers in a vendor ID payload which software this is." },
	{ .name = "retransmit",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_NEW_SAS,
	  .sub = &retransmit_schema,
	  .help = "Retransmission of our requests." },
};
static const struct schema ike_schema = { KEYS(ike_keys) };

static const struct schema_key pool_keys[] = {
	{ .name = "addresses",
	  .type = SCHEMA_POOL_RANGE,
	  .flags = SCHEMA_REQUIRED,
	  AT(pool_cfg, addresses),
	  .help = "Network or range that clients get inner addresses from. Of an IPv4 network the first and the last "
		  "address are left out, of an IPv6 one the first." },
	{ .name = "dns",
	  .type = SCHEMA_ADDRESS,
	  LIST_AT(pool_cfg, dns, dns_count, SCHEMA_EMPTY_OK),
	  .max = 8,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Name servers that clients are told." },
	{ .name = "domains",
	  .type = SCHEMA_DOMAIN,
	  LIST_AT(pool_cfg, domains, domain_count, SCHEMA_EMPTY_OK),
	  .max = 64,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Domains that the name servers in `dns` know, for clients that ask for them (RFC 8598): they resolve "
		  "these, and maybe nothing else, through the tunnel." },
	{ .name = "nbns",
	  .type = SCHEMA_ADDRESS,
	  LIST_AT(pool_cfg, nbns, nbns_count, SCHEMA_EMPTY_OK),
	  .max = 8,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "NetBIOS name servers (WINS) that clients are told, IPv4." },
	{ .name = "subnets",
	  .type = SCHEMA_NETWORK,
	  LIST_AT(pool_cfg, subnets, subnet_count, SCHEMA_EMPTY_OK),
	  .max = 64,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Networks that clients are told to send through the tunnel, of both families." },
	{ .name = "netmask",
	  .type = SCHEMA_WORD,
	  AT(pool_cfg, netmask),
	  .words = netmask_words,
	  .fallback = "pool",
	  .help = "Netmask that goes with an IPv4 address: the pool's, 255.255.255.255, or none." },
	{ .name = "lease_time",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(pool_cfg, lease_time_us),
	  .min = SECOND,
	  .max = 3650 * DAY,
	  .fallback = "8h",
	  .help = "How long an identity's address is kept for it after it left." },
};
static const struct schema pool_schema = { .size = sizeof(struct pool_cfg), KEYS(pool_keys) };

static const struct schema_key group_keys[] = {
	{ .name = "members",
	  .type = SCHEMA_REMOTE_ID,
	  LIST_AT(group_cfg, members, member_count, SCHEMA_EMPTY_OK),
	  .max = 4096,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Identities that are in it, besides users whose `group` it is; `*` stands for any run of "
		  "characters. The first group that fits counts." },
	{ .name = "pools",
	  .type = SCHEMA_POOL,
	  LIST_AT(group_cfg, pools, pool_count, SCHEMA_EMPTY_OK),
	  .max = 64,
	  .nothing = "none",
	  .fallback_text = "those of the connection",
	  .help = "Pools of its members in place of those of the connection." },
	{ .name = "local",
	  .type = SCHEMA_SELECTOR,
	  LIST_AT(group_cfg, local, local_count, SCHEMA_EMPTY_OK),
	  .max = 16,
	  .nothing = "none",
	  .fallback_text = "that of the connection's children",
	  .help = "What its members may reach, in place of `local` of the children." },
	{ .name = "sessions",
	  .type = SCHEMA_U32,
	  AT(group_cfg, sessions),
	  .min = 1,
	  .max = 10000000,
	  .nothing = "unlimited",
	  .fallback = "unlimited",
	  .help = "IKE SAs of its members at a time; who comes then is refused." },
};
static const struct schema group_schema = { .size = sizeof(struct group_cfg), KEYS(group_keys) };

static const struct schema_key user_keys[] = {
	{ .name = "password",
	  .type = SCHEMA_SECRET,
	  AT(user_cfg, password),
	  .fallback_text = "none",
	  .help = "Password of the user: text, {file: path} or {env: NAME}." },
	{ .name = "nt_hash",
	  .type = SCHEMA_SECRET,
	  AT(user_cfg, nt_hash),
	  .fallback_text = "that of `password`",
	  .help = "NT hash of the password instead of it, 32 hex digits. Who has it can log in as well as with the "
		  "password." },
	{ .name = "address",
	  .type = SCHEMA_ADDRESS,
	  LIST_AT(user_cfg, addresses, address_count, SCHEMA_EMPTY_OK),
	  .max = 2,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Inner addresses that this user always gets, at most one of each family, and nobody else." },
	{ .name = "group",
	  .type = SCHEMA_GROUP,
	  AT(user_cfg, group),
	  .fallback_text = "the first group whose members fit",
	  .help = "Group of the user." },
};
static const struct schema user_schema = { .size = sizeof(struct user_cfg), KEYS(user_keys) };

static const struct schema_key child_keys[] = {
	{ .name = "local",
	  .type = SCHEMA_SELECTOR,
	  LIST_AT(child_cfg, local, local_count, SCHEMA_REQUIRED),
	  .max = 16,
	  .help = "What clients may reach: networks, ranges or addresses, each maybe with [protocol/ports]." },
	{ .name = "remote",
	  .type = SCHEMA_SELECTOR,
	  LIST_AT(child_cfg, remote, remote_count, 0),
	  .max = 16,
	  .nothing = "dynamic",
	  .fallback_text = "dynamic",
	  .help = "What is behind the client; dynamic: its inner address, or its outer one when it has none." },
	{ .name = "proposals",
	  .type = SCHEMA_ESP_PROPOSAL,
	  LIST_AT(child_cfg, proposals, proposal_count, 0),
	  .max = 16,
	  .fallback = "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-modp2048-none-esn-noesn "
		      "aes256-aes128-sha256-sha512-x25519-ecp256-modp2048-none-esn-noesn",
	  .help = "Algorithms of ESP, in order of preference." },
	{ .name = "rekey",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(child_cfg, rekey_us),
	  .min = SECOND,
	  .max = 365 * DAY,
	  .fallback = "1h",
	  .help = "Age at which we rekey; 0: left to the client." },
	{ .name = "life",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(child_cfg, life_us),
	  .min = SECOND,
	  .max = 730 * DAY,
	  .fallback_text = "rekey + 10%",
	  .help = "Age at which the SA is deleted when nobody rekeyed it; 0: never." },
	{ .name = "replay_window",
	  .type = SCHEMA_U32,
	  AT(child_cfg, replay_window),
	  .min = 32,
	  .max = 4096,
	  .nothing = "off",
	  .fallback = "1024",
	  .help = "Packets that may arrive out of order; off: no replay protection." },
	{ .name = "copy_dscp",
	  .type = SCHEMA_BOOL,
	  AT(child_cfg, copy_dscp),
	  .fallback = "true",
	  .help = "Copy the DSCP of inner packets to the outer header." },
	{ .name = "copy_df",
	  .type = SCHEMA_BOOL,
	  AT(child_cfg, copy_df),
	  .fallback = "true",
	  .help = "Copy the don't-fragment bit of inner packets to the outer header." },
	{ .name = "pfs",
	  .type = SCHEMA_WORD,
	  AT(child_cfg, pfs),
	  .words = pfs_words,
	  .fallback = "optional",
	  .help = "A key exchange of its own in each rekey; optional: as the client does it, off: clients that bring "
		  "one are told to leave it out." },
	{ .name = "mode",
	  .type = SCHEMA_WORD,
	  AT(child_cfg, mode),
	  .words = mode_words,
	  .fallback = "tunnel",
	  .help = "What packets are wrapped in; transport wants the kernel data plane, any lets the client choose." },
	{ .name = "rekey_bytes",
	  .type = SCHEMA_SIZE,
	  .flags = SCHEMA_ZERO_OK,
	  AT(child_cfg, rekey_bytes),
	  .min = 1000,
	  .max = INT64_MAX,
	  .fallback = "0",
	  .help = "Octets in either direction after which we rekey, by inner packets; 0: no limit." },
	{ .name = "rekey_packets",
	  .type = SCHEMA_SIZE,
	  .flags = SCHEMA_ZERO_OK,
	  AT(child_cfg, rekey_packets),
	  .min = 100,
	  .max = INT64_MAX,
	  .fallback = "0",
	  .help = "Packets in either direction after which we rekey; 0: no limit but that of sequence numbers." },
	{ .name = "inactivity",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(child_cfg, inactivity_us),
	  .min = SECOND,
	  .max = 365 * DAY,
	  .fallback = "0",
	  .help = "Time without a packet after which the CHILD SA is closed, with the last one its IKE SA; 0: never." },
	{ .name = "single_pair",
	  .type = SCHEMA_BOOL,
	  AT(child_cfg, single_pair),
	  .fallback = "false",
	  .help = "One traffic selector for each side of a CHILD SA, for clients that know no more; they may ask for "
		  "further CHILD SAs." },
};
static const struct schema child_schema = { .size = sizeof(struct child_cfg), KEYS(child_keys) };

static const struct schema_key local_keys[] = {
	{ .name = "id",
	  .type = SCHEMA_LOCAL_ID,
	  AT(conn_cfg, local_id),
	  .fallback_text = "the address that the client came to",
	  .help = "Who we say we are." },
	{ .name = "auth",
	  .type = SCHEMA_WORD,
	  AT(conn_cfg, local_auth),
	  .words = local_auth_words,
	  .fallback = "psk",
	  .help = "How we prove it." },
	{ .name = "certificates",
	  .type = SCHEMA_CERTIFICATE,
	  LIST_AT(conn_cfg, certificates, certificate_count, 0),
	  .max = 8,
	  .fallback_text = "none",
	  .help = "Certificates to prove it with; of several the client gets the one that it asks for or can check." },
};
static const struct schema local_schema = { KEYS(local_keys) };

static const struct schema_key remote_keys[] = {
	{ .name = "ids",
	  .type = SCHEMA_REMOTE_ID,
	  LIST_AT(conn_cfg, remote_ids, remote_id_count, 0),
	  .max = 4096,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Who the client may be; `*` stands for any run of characters." },
	{ .name = "eap_ids",
	  .type = SCHEMA_REMOTE_ID,
	  LIST_AT(conn_cfg, eap_ids, eap_id_count, 0),
	  .max = 4096,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Which users may come in by EAP. `ids` is what such a client says before it has proved anything." },
	{ .name = "auth",
	  .type = SCHEMA_FLAGS,
	  .flags = SCHEMA_LIST,
	  AT(conn_cfg, remote_auth),
	  .words = remote_auth_words,
	  .max = 4,
	  .fallback = "psk",
	  .help = "How the client may prove it; several are allowed side by side." },
	{ .name = "authorities",
	  .type = SCHEMA_AUTHORITY,
	  LIST_AT(conn_cfg, authorities, authority_count, 0),
	  .max = 64,
	  .fallback_text = "none",
	  .help = "Authorities whose certificates clients may have." },
	{ .name = "id_match",
	  .type = SCHEMA_WORD,
	  AT(conn_cfg, id_match),
	  .words = id_match_words,
	  .fallback = "san",
	  .help = "What of the certificate the client's identity must be: san, a subjectAltName or the subject; cn, "
		  "also the text of its commonName; dn, the subject only." },
};
static const struct schema remote_schema = { KEYS(remote_keys) };

static const struct schema_key eap_keys[] = {
	{ .name = "ignore_case",
	  .type = SCHEMA_BOOL,
	  AT(conn_cfg, eap.ignore_case),
	  .fallback = "false",
	  .help = "Capital and small letters of user names count alike." },
	{ .name = "strip_domain",
	  .type = SCHEMA_BOOL,
	  AT(conn_cfg, eap.strip_domain),
	  .fallback = "true",
	  .help = "A name that nobody has is looked up without the domain before its backslash." },
	{ .name = "only",
	  .type = SCHEMA_BOOL,
	  AT(conn_cfg, eap.only),
	  .fallback = "false",
	  .help = "Leave our certificate out of IKE for clients that say they can do without (RFC 5998), where each "
		  "method of `remote.auth` proves us as well. strongSwan says so always." },
	{ .name = "retries",
	  .type = SCHEMA_U32,
	  AT(conn_cfg, eap.retries),
	  .max = 5,
	  .fallback = "2",
	  .help = "Wrong passwords that a client may correct within one attempt to connect." },
};
static const struct schema eap_schema = { KEYS(eap_keys) };

static const struct schema_key psk_keys[] = {
	{ .name = "ids",
	  .type = SCHEMA_REMOTE_ID,
	  LIST_AT(psk_cfg, ids, id_count, SCHEMA_REQUIRED),
	  .max = 64,
	  .help = "Whose key it is; `*` stands for any run of characters." },
	{ .name = "psk",
	  .type = SCHEMA_SECRET,
	  .flags = SCHEMA_REQUIRED,
	  AT(psk_cfg, psk),
	  .help = "The key: text, {file: path} or {env: NAME}." },
};
static const struct schema psk_schema = { .size = sizeof(struct psk_cfg), KEYS(psk_keys) };

static const struct schema_key conn_keys[] = {
	{ .name = "local_addresses",
	  .type = SCHEMA_RANGE,
	  LIST_AT(conn_cfg, local_addrs, local_addr_count, 0),
	  .max = 64,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Our addresses that this connection is for." },
	{ .name = "remote_addresses",
	  .type = SCHEMA_RANGE,
	  LIST_AT(conn_cfg, remote_addrs, remote_addr_count, 0),
	  .max = 1024,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Addresses that clients may come from." },
	{ .name = "local", .type = SCHEMA_MAP, .sub = &local_schema, .help = "Our side." },
	{ .name = "remote", .type = SCHEMA_MAP, .sub = &remote_schema, .help = "The client's side." },
	{ .name = "eap", .type = SCHEMA_MAP, .sub = &eap_schema, .help = "Users who log in by EAP." },
	{ .name = "psk",
	  .type = SCHEMA_SECRET,
	  AT(conn_cfg, psk),
	  .fallback_text = "none",
	  .help = "Pre-shared key, where `auth: psk` is allowed: text, {file: path} or {env: NAME}." },
	{ .name = "psks",
	  .type = SCHEMA_NAMED,
	  AT(conn_cfg, psks),
	  .count_offset = offsetof(struct conn_cfg, psk_count),
	  .max = 10000,
	  .sub = &psk_schema,
	  .help = "Keys of single clients, by name; whoever has one cannot use `psk`." },
	{ .name = "proposals",
	  .type = SCHEMA_IKE_PROPOSAL,
	  LIST_AT(conn_cfg, proposals, proposal_count, 0),
	  .max = 16,
	  .fallback = "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-"
		      "x25519-ecp256-ecp384-modp3072-modp2048 "
		      "aes256-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-modp3072-modp2048",
	  .help = "Algorithms of IKE, in order of preference." },
	{ .name = "compat",
	  .type = SCHEMA_FLAGS,
	  .flags = SCHEMA_LIST | SCHEMA_EMPTY_OK,
	  AT(conn_cfg, compat),
	  .words = compat_words,
	  .max = 8,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Profiles of clients (windows-legacy, apple, android), and what is below today's bar and allowed "
		  "here all the same; weak-dh: modp1024 and modp1536 in proposals." },
	{ .name = "interface",
	  .type = SCHEMA_NAME,
	  .reload = RELOAD_SAS_GO,
	  AT(conn_cfg, interface),
	  .min = 1,
	  .max = 15,
	  .fallback_text = "none",
	  .help = "XFRM interface that clients' packets come from and go into; gatewayd makes it." },
	{ .name = "mark",
	  .type = SCHEMA_MARK,
	  .reload = RELOAD_SAS_GO,
	  AT(conn_cfg, mark),
	  .fallback_text = "none",
	  .help = "Mark that packets from clients get inside, and that packets to clients must have." },
	{ .name = "output_mark",
	  .type = SCHEMA_MARK,
	  .reload = RELOAD_SAS_GO,
	  AT(conn_cfg, output_mark),
	  .fallback_text = "none",
	  .help = "Mark that encrypted packets get, for their routing." },
	{ .name = "offload",
	  .type = SCHEMA_WORD,
	  .reload = RELOAD_SAS_GO,
	  AT(conn_cfg, offload),
	  .words = offload_words,
	  .fallback = "none",
	  .help = "What the network device does: nothing, encryption, or all of ESP; without a device that can, there "
		  "is no tunnel." },
	{ .name = "pools",
	  .type = SCHEMA_POOL,
	  LIST_AT(conn_cfg, pools, pool_count, SCHEMA_EMPTY_OK),
	  .max = 64,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Pools for clients that ask for an inner address, in order; one address of each family is given." },
	{ .name = "groups",
	  .type = SCHEMA_GROUP,
	  LIST_AT(conn_cfg, groups, group_count, 0),
	  .max = 64,
	  .nothing = "any",
	  .fallback_text = "any",
	  .help = "Groups whose members may use this connection; any: everybody, in a group or not." },
	{ .name = "rekey",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(conn_cfg, rekey_us),
	  .min = SECOND,
	  .max = 365 * DAY,
	  .fallback = "4h",
	  .help = "Age at which we rekey the IKE SA; 0: left to the client." },
	{ .name = "life",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(conn_cfg, life_us),
	  .min = SECOND,
	  .max = 730 * DAY,
	  .fallback_text = "rekey + 10%",
	  .help = "Age at which the IKE SA is deleted when nobody rekeyed it; 0: never." },
	{ .name = "jitter",
	  .type = SCHEMA_PERCENT,
	  AT(conn_cfg, rekey_jitter_percent),
	  .max = 50,
	  .fallback = "10%",
	  .help = "Rekey times are spread downwards by up to this, so that SAs do not rekey all at once." },
	{ .name = "dpd",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(conn_cfg, dpd_us),
	  .min = SECOND,
	  .max = 365 * DAY,
	  .fallback = "30s",
	  .help = "Silence after which a client is probed; 0: never." },
	{ .name = "unique",
	  .type = SCHEMA_UNIQUE,
	  AT(conn_cfg, unique),
	  .words = unique_words,
	  .min = 1,
	  .max = 1000000,
	  .fallback = "replace",
	  .help = "IKE SAs of one identity: the newest replaces the others, the first is kept, or {limit: n} of them; "
		  "never: they are not counted, and nobody's INITIAL_CONTACT is believed." },
	{ .name = "rekey_by",
	  .type = SCHEMA_WORD,
	  AT(conn_cfg, rekey_by),
	  .words = rekey_by_words,
	  .fallback = "auto",
	  .help = "Who begins rekeys: auto is the gateway, but not with clients that refuse it (Microsoft); always is "
		  "the gateway; peer the client, before `life` ends; never: SAs have no lifetimes." },
	{ .name = "reauth",
	  .type = SCHEMA_DURATION,
	  .flags = SCHEMA_ZERO_OK,
	  AT(conn_cfg, reauth_us),
	  .min = 60 * SECOND,
	  .max = 365 * DAY,
	  .fallback = "0",
	  .help = "Time within which a client has to authenticate anew; it is told, and ended when it does not. 0: "
		  "never." },
	{ .name = "mobike",
	  .type = SCHEMA_BOOL,
	  AT(conn_cfg, mobike),
	  .fallback = "true",
	  .help = "Clients may change their addresses (RFC 4555)." },
	{ .name = "childless",
	  .type = SCHEMA_BOOL,
	  AT(conn_cfg, childless),
	  .fallback = "true",
	  .help = "Clients may authenticate without a tunnel at first (RFC 6023)." },
	{ .name = "children",
	  .type = SCHEMA_NAMED,
	  AT(conn_cfg, children),
	  .count_offset = offsetof(struct conn_cfg, child_count),
	  .max = 16,
	  .sub = &child_schema,
	  .help = "CHILD SAs (tunnels) that clients may have, by name." },
};
static const struct schema conn_schema = { .size = sizeof(struct conn_cfg), KEYS(conn_keys) };

/* Pools and groups stand before those who refer to them: keys are read in this order, whatever the file's is. */
static const struct schema_key root_keys[] = {
	{ .name = "node",
	  .type = SCHEMA_NAME,
	  AT(settings, node),
	  .min = 1,
	  .max = 63,
	  .fallback_text = "node and the node_index",
	  .reload = RELOAD_RESTART,
	  .help = "Name of this node." },
	{ .name = "node_index",
	  .type = SCHEMA_U8,
	  AT(settings, node_index),
	  .max = 15,
	  .fallback = "0",
	  .reload = RELOAD_RESTART,
	  .help = "Number of this node; no two nodes that share keys have the same." },
	{ .name = "state_dir",
	  .type = SCHEMA_PATH,
	  AT(settings, state_dir),
	  .min = 1,
	  .max = 1024,
	  .fallback = "/var/lib/gateway",
	  .reload = RELOAD_RESTART,
	  .help = "Folder for what must survive a restart." },
	{ .name = "shutdown",
	  .type = SCHEMA_WORD,
	  AT(settings, shutdown),
	  .words = shutdown_words,
	  .fallback = "delete",
	  .reload = RELOAD_NOW,
	  .help = "What peers hear when the daemon ends: delete or nothing." },
	{ .name = "dataplane",
	  .type = SCHEMA_WORD,
	  AT(settings, dataplane),
	  .words = dataplane_words,
	  .fallback = "auto",
	  .reload = RELOAD_RESTART,
	  .help = "Who encrypts packets; auto: the kernel where it can, else this process." },
	{ .name = "mss_clamp",
	  .type = SCHEMA_U16,
	  .reload = RELOAD_NOW,
	  AT(settings, mss_clamp),
	  .min = 536,
	  .max = 8960,
	  .words = mss_words,
	  .fallback = "auto",
	  .help = "Largest TCP segment (IPv4; 20 octets less with IPv6) that connections of clients may agree on; "
		  "auto: "
		  "what fits through the route." },
	{ .name = "listen",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_RESTART,
	  .sub = &listen_schema,
	  .help = "Where packets are received." },
	{ .name = "userspace",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_RESTART,
	  .sub = &userspace_schema,
	  .help = "The userspace data plane." },
	{ .name = "control",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_RESTART,
	  .sub = &control_schema,
	  .help = "The control socket." },
	{ .name = "log", .type = SCHEMA_MAP, .reload = RELOAD_NOW, .sub = &log_schema, .help = "Log lines." },
	{ .name = "sessions",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_NOW,
	  .sub = &session_schema,
	  .help = "Session records: who was there from when to when, with what traffic." },
	{ .name = "ike",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_NOW,
	  .sub = &ike_schema,
	  .help = "Limits and habits of the IKE engine." },
	{ .name = "ha",
	  .type = SCHEMA_MAP,
	  .reload = RELOAD_RESTART,
	  .sub = &schema_ha,
	  .help = "High availability: a second node that takes over. Without this section the node is alone." },
	{ .name = "pools",
	  .type = SCHEMA_NAMED,
	  AT(settings, pools),
	  .count_offset = offsetof(struct settings, pool_count),
	  .max = 1024,
	  .sub = &pool_schema,
	  .help = "Inner addresses for clients, by name." },
	{ .name = "certificates",
	  .type = SCHEMA_NAMED,
	  .reload = RELOAD_NEW_SAS,
	  AT(settings, certificates),
	  .count_offset = offsetof(struct settings, certificate_count),
	  .max = 64,
	  .sub = &schema_certificate,
	  .help = "Our certificates, by name." },
	{ .name = "authorities",
	  .type = SCHEMA_NAMED,
	  .reload = RELOAD_NEW_SAS,
	  AT(settings, authorities),
	  .count_offset = offsetof(struct settings, authority_count),
	  .max = 256,
	  .sub = &schema_authority,
	  .help = "Authorities that issue certificates of clients, by name." },
	{ .name = "groups",
	  .type = SCHEMA_NAMED,
	  AT(settings, groups),
	  .count_offset = offsetof(struct settings, group_count),
	  .max = 1024,
	  .sub = &group_schema,
	  .help = "Users that are given other things than the rest of their connection, by name." },
	{ .name = "users",
	  .type = SCHEMA_NAMED,
	  .flags = SCHEMA_ANY_NAMES,
	  AT(settings, users),
	  .count_offset = offsetof(struct settings, user_count),
	  .max = 100000,
	  .sub = &user_schema,
	  .help = "Who may log in with a password (remote.auth: eap-mschapv2), by name." },
	{ .name = "connections",
	  .type = SCHEMA_NAMED,
	  AT(settings, conns),
	  .count_offset = offsetof(struct settings, conn_count),
	  .max = 4096,
	  .sub = &conn_schema,
	  .help = "Who may connect and what they get, by name." },
};
const struct schema schema_root = { .size = sizeof(struct settings), KEYS(root_keys) };

const char *duration_text(int64_t us, char buf[DURATION_TEXT])
{
	static const struct unit {
		int64_t us;
		const char *name;
	} units[] = {
		{ DAY, "d" },	     { SECONDS(3600), "h" },	{ SECONDS(60), "m" },
		{ SECONDS(1), "s" }, { MILLISECONDS(1), "ms" },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (us >= units[i].us && us % units[i].us == 0) {
			(void)snprintf(buf, DURATION_TEXT, "%lld%s", (long long)(us / units[i].us), units[i].name);
			return buf;
		}
	(void)snprintf(buf, DURATION_TEXT, us == 0 ? "0" : "%lldus", (long long)us);
	return buf;
}

static const char *range_of(const struct schema_key *k, char *buf, size_t n)
{
	char lo[DURATION_TEXT], hi[DURATION_TEXT];
	struct writer w = wr_of(buf, n - 1);

	buf[0] = 0;
	switch (k->type) {
	case SCHEMA_U8:
	case SCHEMA_U16:
	case SCHEMA_U32:
		(void)snprintf(buf, n, "%lld..%lld%s%s", (long long)k->min, (long long)k->max, k->nothing ? ", " : "",
			       k->nothing ? k->nothing : "");
		for (const struct schema_word *word = k->words; word && word->name; word++)
			(void)snprintf(buf + strlen(buf), n - strlen(buf), ", %s", word->name);
		break;
	case SCHEMA_SIZE:
		(void)snprintf(buf, n, "%s%lld and more", k->flags & SCHEMA_ZERO_OK ? "0, " : "", (long long)k->min);
		break;
	case SCHEMA_PERCENT:
		(void)snprintf(buf, n, "%lld%%..%lld%%", (long long)k->min, (long long)k->max);
		break;
	case SCHEMA_DURATION:
		(void)snprintf(buf, n, "%s%s..%s", k->flags & SCHEMA_ZERO_OK ? "0, " : "", duration_text(k->min, lo),
			       duration_text(k->max, hi));
		break;
	case SCHEMA_WORD:
	case SCHEMA_FLAGS:
		for (const struct schema_word *word = k->words; word->name; word++) {
			if (strcmp(word->name, "fake") == 0)
				continue;
			if (w.n > 0)
				wr_bytes(&w, bytes_str(", "));
			wr_bytes(&w, bytes_str(word->name));
		}
		buf[w.n] = 0;
		break;
	case SCHEMA_UNIQUE:
		(void)snprintf(buf, n, "replace, keep, never, {limit: %lld..%lld}", (long long)k->min,
			       (long long)k->max);
		break;
	default:
		break;
	}
	return buf;
}

struct walk {
	void (*each)(void *arg, const struct schema_entry *e);
	void *arg;
	size_t count;
};

static void walk_level(struct walk *w, const struct schema *s, const char *parent)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_key *k = &s->keys[i];
		const char *fallback = k->fallback_text ? k->fallback_text : k->fallback;
		char path[160], below[168], range[128], type[64];
		struct schema_entry e = { .path = path,
					  .type = type,
					  .help = k->help,
					  .section = k->sub != NULL,
					  .required = k->flags & SCHEMA_REQUIRED };

		(void)snprintf(path, sizeof(path), "%s%s%s", parent, *parent ? "." : "", k->name);
		(void)snprintf(type, sizeof(type), "%s%s", k->flags & SCHEMA_LIST ? "list of " : "",
			       k->sub ? "section" : value_type_of(k->type)->name);
		e.range = range_of(k, range, sizeof(range));
		e.fallback = k->sub ? "" : fallback ? fallback : "";
		w->count++;
		if (w->each)
			w->each(w->arg, &e);
		if (k->sub) {
			(void)snprintf(below, sizeof(below), "%s%s", path, k->type == SCHEMA_NAMED ? ".<name>" : "");
			walk_level(w, k->sub, below);
		}
	}
}

size_t config_schema_each(void (*each)(void *arg, const struct schema_entry *e), void *arg)
{
	struct walk w = { each, arg, 0 };

	walk_level(&w, &schema_root, "");
	return w.count;
}
