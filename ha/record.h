/*
 * The wire of the sync stream: frames, each a type, flags, a length and fields. The stream is ordered and reliable (TLS
 * over TCP); nothing of it is trusted to be well-formed.
 *
 *	frame  type 1 | flags 1 | zero 2 | length of the fields 4 | fields
 *	field  tag 2 | length 4 | value
 *
 * All in network order. Unknown fields are skipped unless their tag has HA_CRITICAL; missing ones have defaults (0);
 * unknown frames are skipped unless their type has HA_FRAME_CRITICAL. A stream opens with HELLO, which names the
 * format: another major version is refused, minor versions N and N - 1 understand each other by the rules above, and by
 * this: what the former one cannot skip or do without is sent only where both speak the newer one (ha_format()).
 */
#ifndef HA_RECORD_H
#define HA_RECORD_H

#include "core/err.h"

enum {
	HA_FORMAT_MAJOR = 1,
	HA_FORMAT_MINOR = 2, /* 1: OFFER, WANT, GIVE; VERIFY; ASK_ROLE; exact positions in HANDOVER. 2: leases grow */
	HA_CRITICAL = 0x8000,
	HA_FRAME_CRITICAL = 0x80,
	HA_FRAME_HEADER = 8,
	HA_FIELD_HEADER = 6,
	HA_OBJECT_MAX = 65536,	   /* octets of one object's state */
	HA_TURN_MAX = 1024 * 1024, /* a turn that is longer goes as several */
	HA_FRAME_MAX = HA_TURN_MAX + 2 * HA_OBJECT_MAX,
	HA_NAME_MAX = 64,
	HA_BUCKETS = 256,
};

enum ha_frame_type {
	HA_HELLO = 1,
	HA_ROLE,       /* the sender's role and term have changed */
	HA_POSITIONS,  /* follower, before FOLLOW: the highest sequence numbers that it may have used */
	HA_FOLLOW,     /* follower: what it holds; the owner's stream begins */
	HA_RESYNC,     /* owner: what comes now, in CHUNKs, up to END */
	HA_CHUNK,      /* owner: objects as of now, between two turns */
	HA_END,	       /* owner: all that stood at FOLLOW has been sent */
	HA_TURN,       /* owner: the objects that one turn of its loop has changed */
	HA_ACK,	       /* follower: applied and installed up to here; what was refused */
	HA_DIGEST,     /* owner: what the follower should hold, by bucket */
	HA_ASK_BUCKET, /* follower: list this bucket */
	HA_BUCKET,     /* owner: its objects and their versions */
	HA_ASK_OBJECT, /* follower: send this object again */
	HA_WINDOWS,    /* owner: how far inbound sequence numbers have come */
	HA_HANDOVER,   /* owner: everything is acknowledged and I have stopped: be the owner */
	HA_LEAVE,      /* I leave in order and use no key any more */
	HA_OFFER,      /* who was owner too, before FOLLOW: what has happened to it alone */
	HA_WANT,       /* owner: of that, these */
	HA_GIVE,       /* the objects */
	HA_ASK_ROLE,   /* standby: I have the higher priority, hand over */
	HA_VERIFY,     /* follower: compare with me: say your digests */
	HA_VERIFIED,   /* follower: what a comparison found that the owner has asked for */
};

enum ha_kind {
	HA_OBJ_IKE = 1, /* an IKE SA with its CHILD SAs; key: its local SPI */
	HA_OBJ_COOKIE,	/* the secrets of cookies, and whether SAs are in doubt; key 0 */
	HA_OBJ_LEASES,	/* leases that are kept for absent identities; key: a number of the node's choice */
	HA_OBJ_CEILING, /* of an outbound SA; key: reqid << 32 | SPI. ha/ itself has these */
	HA_OBJ_KINDS,
};

/* One owner's reign: turns count within it, and versions are turns. All zero: none. */
struct ha_epoch {
	uint32_t term, incarnation;
	uint8_t index;
};
struct ha_position {
	struct ha_epoch epoch;
	uint64_t turn;
};

enum ha_role { HA_STANDBY = 1, HA_ACTIVE };

enum ha_hello_flags {
	HA_HELLO_TRAFFIC = 1, /* clients have spoken to me since I became active */
	HA_HELLO_FENCED =
		2, /* the operator declared the peer off while I was alone: numbers beyond my ceilings are used */
};

struct ha_hello {
	uint8_t major, minor;
	struct bytes cluster, node, software; /* names, at most HA_NAME_MAX */
	uint8_t index;
	uint32_t incarnation;
	uint32_t term;	     /* the highest that I know to have had an owner */
	uint32_t owned_term; /* the last in which I was owner, by my durable state; 0: never */
	uint8_t role, flags;
	uint64_t config_hash;
	struct ha_position at; /* what I hold */
	uint64_t seen;	       /* owner: turn that came last before the stream */
	bool odd;	       /* tests: with a field that nobody knows, without those that may be missing */
};

struct ha_object {
	uint8_t kind;
	bool deleted;
	uint64_t key, version;
	struct bytes state; /* empty when deleted */
};

struct ha_refusal {
	uint8_t kind;
	uint64_t key;
	enum gw_err code;
	char text[100];
};

/* ---- bytes that grow ---- */

/* Holds keys: what is given back was wiped. */
struct ha_buffer {
	uint8_t *p;	   /* owned */
	size_t at, n, cap; /* at: taken so far */
};

void ha_buffer_clear(struct ha_buffer *b);
/* Room for n octets behind what is there; NULL: out of memory. What was filled is added by ha_buffer_add(). */
uint8_t *ha_buffer_room(struct ha_buffer *b, size_t n);
static inline void ha_buffer_add(struct ha_buffer *b, size_t n)
{
	b->n += n;
}
static inline struct bytes ha_buffer_bytes(const struct ha_buffer *b)
{
	return bytes_of(b->p ? b->p + b->at : NULL, b->n - b->at);
}
static inline size_t ha_buffer_len(const struct ha_buffer *b)
{
	return b->n - b->at;
}
void ha_buffer_take(struct ha_buffer *b, size_t n);

/* ---- frames out: into a buffer; out of memory is remembered by the frame ---- */

struct ha_frame_writer {
	struct ha_buffer *buffer;
	size_t start;
	bool bad;
};

void ha_frame_begin(struct ha_frame_writer *f, struct ha_buffer *b, enum ha_frame_type type);
void ha_field(struct ha_frame_writer *f, uint16_t tag, struct bytes value);
void ha_field_u8(struct ha_frame_writer *f, uint16_t tag, uint8_t v);
void ha_field_u32(struct ha_frame_writer *f, uint16_t tag, uint32_t v);
void ha_field_u64(struct ha_frame_writer *f, uint16_t tag, uint64_t v);
size_t ha_frame_len(const struct ha_frame_writer *f); /* so far */
/* GW_ENOMEM: the buffer is as it was before ha_frame_begin(). */
MUST_USE enum gw_err ha_frame_end(struct ha_frame_writer *f);
void ha_frame_drop(struct ha_frame_writer *f);

/* An object's state is written in place: begin, fill at most HA_OBJECT_MAX octets of *w, end. */
void ha_object_begin(struct ha_frame_writer *f, const struct ha_object *o, struct writer *w);
void ha_object_end(struct ha_frame_writer *f, const struct writer *w);

void ha_position_write(struct ha_frame_writer *f, uint16_t tag, const struct ha_position *p);
MUST_USE enum gw_err ha_hello_write(struct ha_buffer *b, const struct ha_hello *h);
void ha_refusal_write(struct ha_frame_writer *f, const struct ha_refusal *r);

/* ---- frames in ---- */

struct ha_frame {
	uint8_t type;
	struct bytes fields;
};

/* The next whole frame of `stream`, and how many octets it takes. GW_PENDING: not all there; GW_EMALFORMED: no stream
 * of ours. */
MUST_USE enum gw_err ha_frame_next(struct bytes stream, struct ha_frame *out, size_t *taken);

/* The next field; false at the end, or when the rest is cut off (then r->bad). */
bool ha_field_next(struct reader *r, uint16_t *tag, struct reader *value);
/* GW_EUNSUPPORTED for an unknown tag that is critical. */
MUST_USE enum gw_err ha_field_unknown(uint16_t tag);

MUST_USE enum gw_err ha_hello_read(struct bytes fields, struct ha_hello *out);
MUST_USE enum gw_err ha_object_read(struct reader value, struct ha_object *out);
MUST_USE enum gw_err ha_refusal_read(struct reader value, struct ha_refusal *out);
struct ha_position ha_position_read(struct reader *value);

/* Tags of all frames but HELLO. */
enum ha_tag {
	HA_TAG_TURN = 1,    /* u64 */
	HA_TAG_CHUNK,	    /* u64: number of a CHUNK or END, from 1 in each stream */
	HA_TAG_OBJECT,	    /* kind 1, flags 1, zero 2, key 8, version 8, state */
	HA_TAG_POSITION,    /* epoch and turn */
	HA_TAG_FULL,	    /* u8: of RESYNC: what is not sent until END is not there any more */
	HA_TAG_ROLE,	    /* u8 */
	HA_TAG_TERM,	    /* u32 */
	HA_TAG_REFUSAL,	    /* kind 1, zero 1, code 2, key 8, text */
	HA_TAG_DIGESTS,	    /* HA_BUCKETS x u64 */
	HA_TAG_BUCKET,	    /* u32 */
	HA_TAG_VERSIONS,    /* (kind 1, key 8, version 8)* */
	HA_TAG_WINDOW_LIST, /* (SPI 4, number 8)* */
	HA_TAG_NUMBER_LIST, /* (key 8, number 8)* */
	HA_TAG_FLAGS,	    /* u8 */
	HA_TAG_EXPOSED,	    /* u64: turn of the last datagram that left without acknowledgement */
	HA_TAG_OFFERS, /* (key of an IKE SA 8, version 8, us since its client has spoken there 8, flags 1: deleted)* */
	HA_TAG_OWN_LIST,   /* (key of a ceiling 8)*: nobody else was ever given numbers of it */
	HA_TAG_KEY_LIST,   /* (key of an IKE SA 8)* */
	HA_TAG_LAST,	   /* u8: that was all */
	HA_TAG_VERIFY,	   /* u64: number of a comparison; of a DIGEST: it is for one */
	HA_TAG_COUNTS,	   /* compared, differing, only at the owner, only at the follower: 8 each */
	HA_TAG_DIFFERENCE, /* what 1, kind 1, zero 2, key 8, the owner's version 8, the follower's 8, text */
};

/* Fields that no version knows: tests have a node say them. */
enum { HA_TAG_ODD = 0x7ffe };

bool ha_epoch_equal(const struct ha_epoch *a, const struct ha_epoch *b);

#endif
