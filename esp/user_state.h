/*
 * Inside of the userspace plane: what user.c (face, thread), user_mail.c (queues), user_io.c (sources), user_send.c
 * (sinks) and user_path.c (the way of a packet) share. Nobody else includes it.
 *
 * Locks: `lock` guards the databases, counters and sources; the plane's thread holds it for a burst. `gate` makes it
 * fair: who wants `lock` holds `gate` while waiting, so a busy plane lets the loop in after the current burst. `mail`
 * guards the queues between the two and is held for moments only. Order: gate, lock, mail.
 */
#ifndef ESP_USER_STATE_H
#define ESP_USER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/env.h"
#include "esp/outbox.h"
#include "esp/packet.h"
#include "esp/user.h"

enum user_stat {
	ST_IN_PACKETS,
	ST_IN_BYTES,
	ST_OUT_PACKETS,
	ST_OUT_BYTES,
	ST_IN_DUMMY, /* RFC 4303 2.6 */
	ST_IN_NO_SA, /* unknown SPI */
	ST_IN_REPLAY,
	ST_IN_BAD_ICV,
	ST_IN_MALFORMED,  /* not ESP, or authentic but not a packet */
	ST_IN_BAD_POLICY, /* inner packet outside of its policy, or no policy */
	ST_IN_ECN,	  /* RFC 6040: congestion on a packet that cannot carry it */
	ST_IN_SHUT,
	ST_IN_ERROR,  /* cipher or memory */
	ST_TUN_ERROR, /* the device did not take it */
	ST_OUT_MALFORMED,
	ST_OUT_NO_POLICY,
	ST_OUT_NO_SA,
	ST_OUT_FENCE,
	ST_OUT_TOO_BIG,
	ST_OUT_SHUT,
	ST_OUT_ERROR,  /* cipher, randomness or memory */
	ST_SEND_ERROR, /* the socket did not take it */
	ST_KEEPALIVE,
	ST_IKE,	     /* handed to the loop */
	ST_IKE_LOST, /* its queue was full */
	ST_COUNT,
};

enum user_source_kind { SOURCE_NONE, SOURCE_TUN, SOURCE_UDP, SOURCE_RAW };

struct user_source {
	enum user_source_kind kind;
	int fd;
	uint8_t family;	       /* UDP, RAW */
	struct endpoint local; /* UDP: as bound */
	bool hot;	       /* may have more to read */
	bool resting;	       /* failed; out of epoll until the next second */
};

enum {
	USER_SOURCES = 12, /* TUN, two raw, up to nine UDP */
	USER_BUDGET = 64,  /* packets of one source before the next has its turn */
	USER_PACKET_MAX = 65536,
};

/* Sealed packets of one SA that leave together; lives no longer than a burst. */
struct user_train {
	const struct sad_sa *sa;
	uint8_t tos;
	size_t segment; /* octets of each but perhaps the last */
	size_t count, n;
	uint8_t *buf; /* owned, USER_PACKET_MAX */
};

struct ike_item;

struct user_plane {
	struct dataplane dp;
	struct dp_caps caps;
	const struct clock *clock; /* borrowed */
	struct node_id node;
	struct rng *rng;       /* owned; of whoever holds `lock` */
	struct crypto *crypto; /* owned; likewise */
	size_t busy_max, socket_buffer;
	char tun_name[16];
	int epoll_fd, kick_fd, wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool stop;

	pthread_mutex_t gate, lock;
	/* under lock */
	struct sad *sad;
	struct spd *spd;
	uint64_t stats[ST_COUNT];
	struct user_source sources[USER_SOURCES];
	enum dp_gate passes;
	const _Atomic int64_t *turning; /* borrowed; NULL: not asked */
	int64_t turning_max_us;
	mtime now, swept; /* now: of this burst */
	struct ratelimit no_sa_limit, icmp_limit;
	uint8_t *buf; /* owned: headroom, USER_PACKET_MAX, tailroom */
	struct user_train train;

	pthread_mutex_t mail;
	/* under mail */
	struct batch *first, *last; /* submitted */
	size_t waiting;
	struct outbox outbox;
	struct ike_item *ike_first, *ike_last;
	size_t ike_count, ike_bytes;
	bool woken;
	/* loop only */
	struct ike_item *ike_taken;
};

static inline struct user_plane *user_self(const struct dataplane *dp)
{
	return (struct user_plane *)(uintptr_t)dp; /* dp is the first member */
}

void user_lock(struct user_plane *u);
void user_unlock(struct user_plane *u);

/* ---- user_mail.c ---- */
void user_eventfd_set(int fd);
void user_eventfd_clear(int fd);
/* The loop has something to take, perhaps; `mail` is held. */
void user_wake(struct user_plane *u);
/* Queues a copy for the loop; `lock` is held. */
void user_put_ike(struct user_plane *u, const struct user_ike *in);
/* What was submitted; `lock` is held. */
void user_apply(struct user_plane *u);
/* Of struct dataplane_ops. */
MUST_USE enum gw_err user_submit(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n);
bool user_take_event(struct dataplane *dp, struct dp_event *out);
/* When the thread has ended. */
void user_clear_mail(struct user_plane *u);

/* ---- user_io.c ---- */
MUST_USE enum gw_err user_source_add(struct user_plane *u, const struct user_source *s, struct err *e);
void user_source_drop(struct user_plane *u, struct user_source *s); /* does not close */
MUST_USE enum gw_err user_open_raw(struct user_plane *u, struct err *e);
/* Reads at most USER_BUDGET packets; `lock` is held. */
void user_drain(struct user_plane *u, struct user_source *s);
void user_tun_write(struct user_plane *u, struct bytes packet);

/* ---- user_send.c ---- */
/* From the SA's local to its remote endpoint, at the latest with the next flush. */
void user_send(struct user_plane *u, const struct sad_sa *sa, uint8_t tos, struct bytes esp);
/* Before `lock` is given up: what waits is sent. */
void user_flush(struct user_plane *u);

/* By the clock of this instant, not of the burst: the process may have been stopped in the middle of it. */
static inline bool user_asleep(const struct user_plane *u)
{
	return u->turning &&
	       clock_now(u->clock).us - atomic_load_explicit(u->turning, memory_order_relaxed) > u->turning_max_us;
}

/* ---- user_path.c ---- */
void user_outbound(struct user_plane *u, struct packet *p);
void user_inbound(struct user_plane *u, const struct endpoint *from, bool udp, uint8_t tos, struct packet *p);

#endif
