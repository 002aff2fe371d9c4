/* What the engine reports and wants done. Everything pointed to is borrowed until the next ike_take_*(). */
#ifndef IKE_EVENTS_H
#define IKE_EVENTS_H

#include "core/addr.h"
#include "esp/dataplane.h"

struct ike_sa;
struct child_sa;

struct datagram {
	struct endpoint from, to;
	struct bytes data; /* the IKE message, without non-ESP marker */
	bool natt;	   /* came in or goes out on the NAT-T port: with the marker on the wire (RFC 3948 2.2) */
};

/* Whether a datagram may leave at once, or only when the standby has its turn (DESIGN.md §3). */
enum ike_effect {
	IKE_EFFECT_NONE,  /* changes nothing: cookies, errors outside an SA, empty liveness */
	IKE_EFFECT_STATE, /* depends on `turn` */
};

/* What a message of CREATE_CHILD_SA is about; it stands inside the encryption, so nobody else can tell. */
enum ike_about { IKE_ABOUT_OTHER, IKE_ABOUT_NEW_CHILD, IKE_ABOUT_REKEY_CHILD, IKE_ABOUT_REKEY_IKE };

struct ike_output {
	struct datagram datagram;
	uint64_t turn;
	enum ike_effect effect;
	uint8_t about; /* enum ike_about; of repeated messages OTHER */
};

enum ike_event_kind {
	IKE_EV_DATAPLANE, /* submit ops under token; answer with ike_resume(token, result). token 0: no answer wanted */
	IKE_EV_SA_UP,
	IKE_EV_SA_REKEYED, /* `sa` is the new one, `old_id` the number of the old */
	IKE_EV_SA_DOWN, /* the session ends; the last moment at which `sa` may be read. Not for SAs that were replaced
			 */
	IKE_EV_CHILD_UP,
	IKE_EV_CHILD_REKEYED, /* `child` is the new one */
	IKE_EV_CHILD_DOWN,
	IKE_EV_LEASE,	 /* the lease table changed */
	IKE_EV_SA_MOVED, /* the peer's outer address; `from` is the one before */
	IKE_EV_REFUSED,	 /* somebody at `from`, for `reason`; `sa` may be NULL. At most some a second */
};

struct ike_event {
	enum ike_event_kind kind;
	uint64_t token;
	uint64_t key; /* IKE_EV_DATAPLANE of ike_apply(): local SPI of the SA that it is for; else 0 */
	const struct dp_op *ops;
	size_t op_count;
	const struct ike_sa *sa;
	const struct child_sa *child;
	uint32_t old_id;
	const char *reason; /* *_DOWN, REFUSED: in the operator's words */
	struct endpoint from;
};

#endif
