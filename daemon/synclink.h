/*
 * The sync link: one TLS 1.3 connection between the two nodes, a stream of octets each way, on the loop.
 *
 * The node of the lower index connects, the other listens; whoever connects tries again, with growing waits of at most
 * two seconds. Both prove to know the secret: an external PSK with ECDHE (RFC 8446 2.2, psk_dhe_ke only), so what was
 * recorded cannot be read with a secret that leaks later. The PSK's identity names cluster, node and which secret it
 * is; what does not fit is refused before it costs more than a look, counted, and logged with the reason. Certificates
 * are not used.
 *
 * A connection that has been authenticated replaces one that stands: a peer that restarted does not wait for the dead
 * connection's timeout. SIGPIPE must be ignored by the process.
 */
#ifndef DAEMON_SYNCLINK_H
#define DAEMON_SYNCLINK_H

#include "core/addr.h"
#include "core/env.h"
#include "core/loop.h"

struct synclink;

struct synclink_config {
	const char *cluster, *node, *peer; /* names; at most 63 octets; copied */
	bool connects;			   /* our index is the lower one */
	struct endpoint local;		   /* where we listen, or connect from (any port) */
	struct endpoint remote;		   /* where the peer listens; its address is the only one that is heard */
	size_t send_max;		   /* octets that may wait to be sent; 0: 4 MiB */
};

/* None may destroy the link. */
struct synclink_ops {
	/* The peer is there and has proved who it is. */
	void (*up)(void *arg, const char *peer);
	void (*bytes)(void *arg, struct bytes in);
	/* Of a link that was up. What was not sent is gone. */
	void (*down)(void *arg, const char *reason);
	/* There is room again after synclink_send() took less than it was given. */
	void (*room)(void *arg);
};

enum synclink_refusal {
	SYNCLINK_ADDRESS,  /* from somebody else's address */
	SYNCLINK_CLUSTER,  /* of another cluster, or not our peer */
	SYNCLINK_SECRET,   /* another secret */
	SYNCLINK_PROTOCOL, /* no TLS 1.3, no PSK, garbage */
	SYNCLINK_TIMEOUT,  /* said too little for too long */
	SYNCLINK_CROWD,	   /* too many at once */
	SYNCLINK_REFUSALS,
};

struct synclink_stats {
	bool up;
	uint64_t ups, refused[SYNCLINK_REFUSALS];
	uint64_t bytes_in, bytes_out;
	size_t waiting; /* octets to be sent */
	char last_error[160];
};

const char *synclink_refusal_text(enum synclink_refusal r);

/*
 * Listens, or begins to connect. `env` (log, rng, crypto), loop, ops and arg are borrowed. NULL: `e` says why. The
 * secret is not kept, only what is derived from it.
 */
struct synclink *synclink_create(const struct env *env, struct loop *loop, const struct synclink_config *cfg,
				 struct bytes secret, const struct synclink_ops *ops, void *arg, struct err *e);
/* Closes in order, without ops->down. NULL is fine. */
void synclink_destroy(struct synclink *l);

/* How many octets were taken: all, or what there was room for; 0 when down. Sends at once what the system takes. */
size_t synclink_send(struct synclink *l, struct bytes out);
/* Takes the link down; ops->down follows at once. Whoever connects tries again after a wait. */
void synclink_close(struct synclink *l, const char *reason);
/* The peer is known to be there again: connects without further wait. */
void synclink_hurry(struct synclink *l);
/*
 * Another secret from now on; the one before stays good for `grace_us`, so that the two nodes need not change at once.
 * A link that stands goes on.
 */
MUST_USE enum gw_err synclink_set_secret(struct synclink *l, struct bytes secret, int64_t grace_us, struct err *e);
size_t synclink_waiting(const struct synclink *l); /* octets that the system has not taken */
void synclink_look(const struct synclink *l, struct synclink_stats *out);
/* The port that is really listened on; 0 when we connect. */
uint16_t synclink_port(const struct synclink *l);

#endif
