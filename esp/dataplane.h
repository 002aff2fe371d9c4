/*
 * The contract of all data planes (kernel XFRM, userspace, fake): what an SA and a policy are to a data plane, and what
 * can be done to them. One conformance suite runs against all (tests/esp/conformance).
 *
 * Requests are submitted as a batch of operations under one token. A batch is applied all or nothing, batches are
 * applied in the order of submission, and each is answered by exactly one completion: later, from the loop, never from
 * inside submit(). What an operation points to is copied by submit().
 *
 * Outbound packets that match a policy leave through the *newest* outbound SA with the policy's reqid: so a rekey adds
 * the new inbound SA first, then, when the peer is known to have it, the new outbound one, then removes the old ones.
 * Inbound packets are accepted from any inbound SA whose reqid's policy contains the inner packet (RFC 4301 5.2).
 * A packet from inside for an address that no policy covers is dropped (and counted), never sent in clear.
 *
 * Numbers: an SA's `start` is the last sequence number taken as used; the first packet gets start + 1. `fence` is the
 * last number that may ever be used (DP_NO_FENCE: none); the plane enforces it by itself, per packet.
 */
#ifndef ESP_DATAPLANE_H
#define ESP_DATAPLANE_H

#include "core/addr.h"
#include "core/clock.h"
#include "core/crypto/crypto.h"

struct dataplane;

enum dp_dir { DP_IN, DP_OUT };
/* What a plane lets through. Of a node that has handed over, what its neighbours still send to it goes on coming in. */
enum dp_gate { DP_SHUT, DP_OPEN, DP_INBOUND_ONLY };
enum dp_mode { DP_TUNNEL, DP_TRANSPORT };

#define DP_NO_FENCE UINT64_MAX

/* What identifies an SA to a plane: inbound SPIs are ours and unique, outbound ones are the peer's and unique per peer.
 */
struct dp_sa_id {
	enum dp_dir dir;
	uint32_t spi;	    /* host order */
	struct addr remote; /* outer address of the peer; ignored for DP_IN */
};

/* What only a kernel plane knows; all zero: nothing of it. */
enum dp_offload { DP_OFFLOAD_NONE, DP_OFFLOAD_CRYPTO, DP_OFFLOAD_PACKET };

struct dp_extra {
	uint32_t if_id;			   /* of an XFRM interface: SA and policies belong to it */
	uint32_t mark, mark_mask;	   /* packets of this mark only */
	uint32_t output_mark, output_mask; /* given to outer packets, for their routing */
	enum dp_offload offload;	   /* refused by the device: the SA fails with GW_EUNSUPPORTED */
	uint32_t offload_ifindex;	   /* 0: of the device with the local address */
};

struct dp_counters {
	uint64_t packets, bytes; /* inner packets; bytes of inner packets */
};

struct dp_sa {
	enum dp_dir dir;
	enum dp_mode mode;
	uint32_t spi;		       /* host order */
	uint32_t reqid;		       /* joins SAs and policy of one CHILD SA over its rekeys; never 0 */
	struct endpoint local, remote; /* outer; ports matter with udp_encap */
	bool udp_encap;		       /* RFC 3948, else protocol 50 */
	struct cipher_suite suite;
	struct bytes encr_key, integ_key; /* suite_*_key_len() octets */
	bool esn;
	uint32_t replay_window; /* packets, inbound; 0: no check */
	bool copy_dscp, copy_df;
	uint64_t start;		 /* out: last number used; in: highest number seen, all up to it counts as seen */
	uint64_t fence;		 /* out */
	/* Out, for ha_prepare(); a plane does not look at them. */
	bool inherited; /* another node may have sent on it */
	mtime begun;	/* since then another node may hold what it is made of */
	struct dp_counters base; /* added to what is reported: counts go on across takeover and re-creation */
	struct dp_extra extra;
};

/* One per CHILD SA (by reqid), both directions. A second DP_POLICY_SET with the reqid replaces the first. */
struct dp_policy {
	uint32_t reqid;
	enum dp_mode mode;
	struct endpoint local, remote; /* outer */
	const struct selector *ours;   /* our side (local when we send) */
	size_t ours_count;
	const struct selector *theirs; /* the peer's side */
	size_t theirs_count;
	struct dp_extra extra; /* if_id and mark */
};

enum dp_op_kind {
	DP_SA_ADD,
	DP_SA_REMOVE,	/* not there: GW_ENOTFOUND for that op does not fail the batch */
	/*
	 * New outer endpoints (NAT rebinding, MOBIKE); keys, numbers and windows stay. An outbound one goes for good where
	 * another has its SPI at the new address: peers choose these, and nobody may be moved or kept by another's choice.
	 */
	DP_SA_MOVE,
	DP_SA_FENCE,	/* raise or lower the fence of an outbound SA */
	DP_SA_POSITION, /* move an outbound SA forward: `position` counts as used; never backwards (GW_EINVAL) */
	/*
	 * Back to `position`, while nothing leaves (not open): only over numbers that were never used here, since the
	 * SA was added or positioned above them. Else GW_EINVAL. After a handover from who says where it stopped.
	 */
	DP_SA_REWIND,
	DP_SA_WINDOW, /* inbound: everything up to `position` counts as seen; never backwards */
	DP_POLICY_SET,
	DP_POLICY_REMOVE,
};

struct dp_op {
	enum dp_op_kind kind;
	union {
		struct dp_sa sa; /* DP_SA_ADD */
		struct {
			struct dp_sa_id id; /* the other DP_SA_* */
			struct endpoint new_local, new_remote;
			bool new_udp_encap;
			uint32_t owner;	   /* DP_SA_REMOVE, DP_SA_MOVE: only if it has this reqid; 0: whoever's it is */
			uint64_t position; /* or fence */
		};
		struct dp_policy policy; /* DP_POLICY_SET */
		uint32_t reqid;		 /* DP_POLICY_REMOVE */
	};
};

enum dp_event_kind {
	DP_DONE,       /* a batch: token, result, text */
	DP_MOVED,      /* authenticated packets of this inbound SA come from a new outer endpoint (NAT rebinding) */
	DP_NEAR_FENCE, /* less than half of the last granted block is left, once per fence */
	DP_AT_FENCE,   /* a packet was dropped at the fence, once per fence */
	DP_NO_SA,      /* inbound packet with an SPI that we do not know (rate-limited): for QCD, diagnosis */
};

struct dp_event {
	enum dp_event_kind kind;
	uint64_t token;	    /* DP_DONE */
	enum gw_err result; /* DP_DONE */
	char text[96];	    /* DP_DONE with an error: what the plane said */
	struct dp_sa_id id; /* the others */
	struct endpoint remote;
	uint64_t position;
};

/* State of one SA, as dumped. */
struct dp_sa_state {
	struct dp_sa_id id;
	uint32_t reqid;
	uint64_t position; /* out: last number used; in: highest accepted */
	uint64_t fence;
	struct dp_counters count;	       /* base included */
	mtime last_use;			       /* us 0: never */
	uint64_t replays, bad_icv, bad_policy; /* inbound drops */
};

struct dp_caps {
	const char *name; /* "userspace", "kernel", "fake" */
	bool esn, transport, raw_esp, offload;
	uint32_t replay_window_max;
	/* What a plane may be unable to tell, because the kernel does not say: */
	bool tells_no_sa;      /* DP_NO_SA */
	bool tells_bad_policy; /* bad_policy of an SA, else in the whole plane's counters only */
	bool moves_by_newest;  /* DP_MOVED only for the packet with the highest number, else for any */
};

/* Whole-plane counters, as (name, value) pairs with stable names; for `gatewayctl stats`. */
struct dp_stat {
	const char *name;
	uint64_t value;
};

struct dataplane_ops {
	void (*destroy)(struct dataplane *dp);
	const struct dp_caps *(*caps)(const struct dataplane *dp);
	/* Ops are copied. GW_OK: a DP_DONE follows. GW_ENOMEM / GW_ELIMIT: nothing happened and none follows. */
	enum gw_err (*submit)(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n);
	/* The next event; false: none. Called from the loop after the plane's wake-up. */
	bool (*take_event)(struct dataplane *dp, struct dp_event *out);
	/* One SA, now; GW_ENOTFOUND. May be a moment old, never wrong in the order of things. */
	enum gw_err (*query)(struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa_state *out);
	/* Up to `max` SA states from *cookie (0: the beginning); returns how many; *cookie 0 again at the end. */
	size_t (*dump)(struct dataplane *dp, uint64_t *cookie, struct dp_sa_state *out, size_t max);
	/*
	 * Up to `max` of those that packets have used since this told of them last; fewer than `max`: there are no more
	 * now. Costs nothing for those that are idle.
	 */
	size_t (*take_used)(struct dataplane *dp, struct dp_sa_state *out, size_t max);
	/*
	 * Shut: no ESP and no inner packet passes in either direction; open: they do; inbound only: none leaves as ESP.
	 * At once: on return outbound positions are final until it opens. Planes start open.
	 */
	void (*set_open)(struct dataplane *dp, enum dp_gate gate);
	/* Whole-plane counters; returns how many there are (may exceed max). */
	size_t (*stats)(struct dataplane *dp, struct dp_stat *out, size_t max);
	/* An ESP datagram that came in on the shared UDP socket, without the UDP header; borrowed. May be NULL
	 * (kernel). */
	void (*input_udp)(struct dataplane *dp, const struct endpoint *from, const struct endpoint *to, uint8_t tos,
			  uint8_t *esp, size_t n);
};

struct dataplane {
	const struct dataplane_ops *ops;
};

static inline MUST_USE enum gw_err dp_submit(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n)
{
	return dp->ops->submit(dp, token, ops, n);
}

#endif
