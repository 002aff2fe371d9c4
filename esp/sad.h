/*
 * The security association database of a plane: SAs by SPI, the newest outbound SA of a reqid, sequence numbers, and
 * the keyed ciphers of those SAs that are busy. Belongs to one thread at a time; the owner locks.
 *
 * An entry is small (about 300 octets, its keys and its replay bitmap included), so that 100,000 tunnels fit; an
 * OpenSSL context costs three times that, so it is made at the first packet and dropped when idle.
 */
#ifndef ESP_SAD_H
#define ESP_SAD_H

#include "core/chain.h"
#include "core/table.h"
#include "esp/dataplane.h"
#include "esp/replay.h"

struct sad;

struct sad_key { /* hashed as octets: no padding */
	uint32_t spi;
	uint8_t dir;
	struct addr remote; /* DP_OUT only, else zero */
	uint8_t zero[2];
};

/* What the kernel plane keeps beside the rest. */
enum sad_life {
	SAD_ABSENT,  /* the kernel does not have it (yet, or any more) */
	SAD_LIVE,    /* it has */
	SAD_EXPIRED, /* it had, and deleted it at the fence */
};

struct sad_kernel {
	uint64_t flight;	 /* number of the batch that touched it last */
	uint64_t packets, bytes; /* the kernel's own counters when we looked last */
	uint64_t hard;		 /* its packet limit */
	uint64_t looked;	 /* number of the last whole dump that had it */
	uint32_t epoch;		 /* numbers are exact since we looked in this epoch (esp/xfrm_state.h) */
	uint8_t life;		 /* enum sad_life */
	bool tame;		 /* tells of itself now and then, no more of each packet */
};

struct sad_busy; /* the keyed cipher of an SA */

/* Fields of one direction share their place with those of the other. */
struct sad_sa {
	struct link by_key; /* beside the key: a lookup reads one cache line of it */
	struct sad_key key;
	struct sad_sa *prev, *next; /* by age */
	uint64_t age;		    /* order of creation, from 1 */
	struct endpoint local, remote;
	struct cipher_suite suite;
	uint32_t reqid;
	bool udp_encap, esn, copy_dscp, copy_df;
	bool near_told, at_told; /* fence events are raised once per fence */
	bool used;		 /* in that list */
	bool bare;		 /* nothing is behind the part of its direction but the bitmap and the keys */
	uint8_t mode;
	uint16_t path_mtu; /* DP_OUT: outer path; 0: not asked yet */
	uint64_t position; /* DP_OUT: last number used */
	uint64_t fence;	   /* DP_IN: none */
	struct dp_counters count;
	mtime last_use;
	struct sad_sa *used_prev, *used_next; /* of those used since sad_take_used() told of them */
	struct sad_busy *busy;		      /* owned; NULL when idle */
	union {
		struct {		      /* DP_IN */
			struct replay replay; /* its bitmap is behind this struct */
			uint64_t replays, bad_icv, bad_policy;
			struct endpoint moved_to; /* the new address that was reported last */
		};
		struct {		      /* DP_OUT */
			struct link by_reqid; /* of the newest of its reqid */
			struct sad_sa *older; /* the next older SA of the same reqid */
			uint64_t near_at;     /* the last number without a DP_NEAR_FENCE */
			uint32_t path_mtu_at; /* when path_mtu was asked, s */
			uint32_t ahead; /* right below the position: numbers that no packet of this entry got; or fewer
					 */
		};
	};
	/* Not there in a bare one. */
	struct dp_extra extra;
	struct sad_kernel kernel;
};

/* NULL when out of memory or randomness. destroy takes NULL; wipes all keys. */
struct sad *sad_create(struct rng *rng);
void sad_destroy(struct sad *s);

/* An entry that is not in the database yet. GW_EINVAL with a reason in `why` (static text) when a value is impossible.
 */
MUST_USE enum gw_err sad_sa_create(struct sad *s, const struct dp_sa *in, struct sad_sa **out, const char **why);
/* The same without what only the kernel plane has: `extra` and `kernel` may not be touched, there is no memory. */
MUST_USE enum gw_err sad_sa_create_bare(struct sad *s, const struct dp_sa *in, struct sad_sa **out, const char **why);
void sad_sa_destroy(struct sad *s, struct sad_sa *sa); /* not linked; wipes */

/* GW_EEXIST: that SPI is taken. A new entry is the newest of its reqid; one that was linked before gets its place back.
 */
MUST_USE enum gw_err sad_link(struct sad *s, struct sad_sa *sa);
void sad_unlink(struct sad *s, struct sad_sa *sa); /* drops the cipher; the entry lives on */

struct sad_sa *sad_find(const struct sad *s, const struct dp_sa_id *id);
struct sad_sa *sad_find_in(const struct sad *s, uint32_t spi);
struct sad_sa *sad_newest_out(const struct sad *s, uint32_t reqid);
/*
 * It will be looked for soon: its memory is fetched meanwhile, in steps as core/chain.h says. Worth it where many are
 * touched that lie cold.
 */
struct chain_hint sad_expect(const struct sad *s, const struct dp_sa_id *id);
struct chain_hint sad_expect_newest(const struct sad *s, uint32_t reqid);
void sad_expect_entry(const struct chain_hint *h);
size_t sad_count(const struct sad *s);
struct dp_sa_id sad_id(const struct sad_sa *sa);

/* New outer endpoints; of an outbound SA also the new key. GW_EEXIST leaves all as it was. */
MUST_USE enum gw_err sad_move(struct sad *s, struct sad_sa *sa, const struct endpoint *local,
			      const struct endpoint *remote, bool udp_encap);

/* The block granted last is what lies between the old and the new fence, or behind the position. */
void sad_set_fence(struct sad_sa *sa, uint64_t fence);

/* Packets got numbers up to this. */
static inline void sad_used(struct sad_sa *sa, uint64_t position)
{
	if (position != sa->position)
		sa->ahead = 0;
	sa->position = position;
}
/* Forward: nothing in between is used here. */
void sad_set_position(struct sad_sa *sa, uint64_t position);
/* Whether a plane that is `gate` may set the SA back to `position`, as DP_SA_REWIND says; why not. */
MUST_USE enum gw_err sad_rewind_check(const struct sad_sa *sa, enum dp_gate gate, uint64_t position, const char **why);

enum sad_told { SAD_TELL_NEAR = 1, SAD_TELL_AT = 2 };
/*
 * The next sequence number of an outbound SA, which counts as used. False: none may be used (fence, 32 bits without
 * ESN, 2^35: the limit of the IV's counter). *tell gets the events (enum sad_told) that are due now; clear the *_told
 * flag again if one could not be delivered.
 */
MUST_USE bool sad_next(struct sad_sa *sa, uint64_t *seq, unsigned *tell);

struct bytes sad_encr_key(const struct sad_sa *sa);
struct bytes sad_integ_key(const struct sad_sa *sa);

/* The SA's keyed cipher, made when it has none. At most `busy_max` are kept; the one used longest ago goes. */
MUST_USE enum gw_err sad_cipher(struct sad *s, struct crypto *c, struct sad_sa *sa, size_t busy_max,
				struct cipher **out);
/* Drops ciphers of SAs not used since `before`. */
void sad_sweep(struct sad *s, mtime before);
size_t sad_busy(const struct sad *s);

void sad_state(const struct sad_sa *sa, struct dp_sa_state *out);
/* As dataplane_ops.dump. SAs made during a dump come at its end. */
size_t sad_dump(struct sad *s, uint64_t *cookie, struct dp_sa_state *out, size_t max);

/* A packet has used an SA of the database. */
void sad_touch(struct sad *s, struct sad_sa *sa);
/* As dataplane_ops.take_used, those first that were used first. */
size_t sad_take_used(struct sad *s, struct dp_sa_state *out, size_t max);
bool sad_any_used(const struct sad *s);

#endif
