/*
 * A heartbeat on the wire, both directions: one datagram, authenticated as a whole by HMAC-SHA-256 with the key of
 * pairkeys_beat(). Pure functions; what is fresh and what was seen before is judged by daemon/heartbeat.
 *
 *	"GWHB" | version 1 | kind | node | path | role | flags | cluster length | 0
 *	| incarnation 4 | term 4 | priority 4 | loop age in ms 4 | known 4
 *	| boot 8 | echo 8 | sequence 8 | after 8 | turn 8 | exposed 8 | configuration 8
 *	| cluster | MAC 32
 */
#ifndef DAEMON_HEARTBEAT_MSG_H
#define DAEMON_HEARTBEAT_MSG_H

#include "core/crypto/crypto.h"

enum { HEARTBEAT_MAC = 32, HEARTBEAT_CLUSTER = 63, HEARTBEAT_MAX = 192 };

enum heartbeat_kind {
	HEARTBEAT_NODE = 0,
	/* From the parent process: the daemon is dead or hangs, and its addresses have been taken away. */
	HEARTBEAT_WITHDRAWN = 1,
};

/* What a node says of itself; the meaning is ha/watch.h's. */
struct heartbeat_says {
	uint8_t role;
	uint32_t term, priority;
	uint64_t turn, exposed;
	bool exposes; /* not on the wire: `exposed` is news */
	bool synced, leaving, service_up, asleep;
	uint64_t config; /* settings_fingerprint(); 0: not said */
	bool traffic;	 /* clients have spoken to it since it became active */
};

struct heartbeat_msg {
	uint8_t kind; /* enum heartbeat_kind */
	uint8_t node; /* index of the sender */
	uint8_t path; /* number of the path that it was sent on */
	uint32_t incarnation;
	uint32_t loop_age_ms;
	uint32_t known;	   /* the receiver's greatest incarnation, as far as the sender has heard; 0: none */
	uint64_t boot;	   /* random, of the sending process; not 0 */
	uint64_t echo;	   /* the receiver's boot, as the sender knows it; 0: not yet */
	uint64_t sequence; /* rises with every beat; each kind counts for itself */
	uint64_t after;	   /* HEARTBEAT_WITHDRAWN: the last sequence of the daemon itself */
	struct heartbeat_says says;
	char cluster[HEARTBEAT_CLUSTER + 1];
};

/* Octets written to out; 0 when the MAC cannot be made. */
size_t heartbeat_msg_write(struct crypto *c, struct bytes key, const struct heartbeat_msg *m,
			   uint8_t out[HEARTBEAT_MAX]);
/* The form alone, MAC unchecked. GW_EMALFORMED, GW_EUNSUPPORTED (version). */
MUST_USE enum gw_err heartbeat_msg_parse(struct bytes in, struct heartbeat_msg *out);
/* GW_EAUTH: not made with this key. Constant time. */
MUST_USE enum gw_err heartbeat_msg_verify(struct crypto *c, struct bytes key, struct bytes in);

#endif
