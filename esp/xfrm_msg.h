/*
 * XFRM netlink messages, both directions: pure functions between our values and bytes, tested without a kernel.
 * Builders append one message to a batch; false: it was too small, nothing was appended.
 *
 * Every state and policy of ours carries a sign in its selector's `user` field, which the kernel keeps, shows and never
 * looks at: so leftovers are recognised without a state file, and what is an operator's own is never touched.
 */
#ifndef ESP_XFRM_MSG_H
#define ESP_XFRM_MSG_H

#include <linux/xfrm.h>

#include "core/net/netlink.h"
#include "esp/dataplane.h"

/* ---- our sign: 0x6777 ("gw"), node index, kind ---- */

enum xfrm_kind {
	XFRM_KIND_IN = 1,
	XFRM_KIND_OUT,
	XFRM_KIND_POLICY,
	XFRM_KIND_GUARD,
	XFRM_KIND_BYPASS,
	XFRM_KIND_PROBE
};

uint32_t xfrm_sign(uint8_t node, enum xfrm_kind kind);
/* Is it of that node's gateway? *kind is set when so. */
bool xfrm_sign_ours(uint32_t user, uint8_t node, enum xfrm_kind *kind);

/* ---- states ---- */

#define XFRM_NO_LIMIT UINT64_MAX /* the kernel's XFRM_INF */

enum { XFRM_WINDOW_MIN = 32, XFRM_WINDOW_MAX = 4096, XFRM_BITS_MAX = XFRM_WINDOW_MAX / 32 };

/* The kernel's size for a window: the next power of two from 32; 0 stays 0, but with ESN, which needs one, is 64. */
uint32_t xfrm_window(uint32_t packets, bool esn);

/* What a state counts with. The kernel's bitmap: bit (number - 1) % window, in words of 32. */
struct xfrm_numbers {
	uint64_t position; /* out: last number used; in: highest accepted */
	uint32_t window;   /* as of xfrm_window() */
	bool known_bits;   /* else all up to `position` counts as seen */
	uint32_t bits[XFRM_BITS_MAX];
	uint64_t packets, bytes;     /* the kernel's own counters; out: packets go in step with position */
	uint64_t add_time, use_time; /* wall clock, s; use_time 0: never */
};

/* What identifies a state to the kernel. */
struct xfrm_state_id {
	enum dp_dir dir;
	uint32_t spi; /* host order */
	struct addr local, remote;
	uint32_t mark, mark_mask;
};

/*
 * When a state tells of itself, to who listens to aevents: after so many packets since it did so last, and so many of
 * the kernel's ticks after that if it has been used since. One that has been silent for that long tells of its next
 * packet at once. 0: not by this.
 */
struct xfrm_reports {
	uint32_t packets, ticks;
};

struct xfrm_state {
	enum dp_dir dir;
	enum dp_mode mode;
	uint32_t spi, reqid, sign;
	struct endpoint local, remote;
	bool udp_encap, esn, copy_dscp, copy_df;
	struct cipher_suite suite;
	struct bytes encr_key, integ_key;
	uint64_t soft, hard; /* packets; XFRM_NO_LIMIT */
	struct xfrm_reports reports;
	struct dp_extra extra;
};

struct xfrm_state_id xfrm_state_id_of(const struct xfrm_state *s);

/* GW_EUNSUPPORTED: the kernel has no name for this suite. */
MUST_USE enum gw_err xfrm_suite_check(const struct cipher_suite *s);

MUST_USE bool xfrm_put_new_sa(struct nl_batch *b, const struct xfrm_state *s, const struct xfrm_numbers *n);
/*
 * Limits, and the ports of an encapsulation, of a state that is there. Its numbers stay; keys are needed all the same.
 * Of a larval one, which the kernel makes for a packet that finds no state while somebody listens to acquires, it
 * makes a whole one, with these numbers.
 */
MUST_USE bool xfrm_put_update_sa(struct nl_batch *b, const struct xfrm_state *s, const struct xfrm_numbers *n);
MUST_USE bool xfrm_put_del_sa(struct nl_batch *b, const struct xfrm_state_id *id);
MUST_USE bool xfrm_put_get_sa(struct nl_batch *b, const struct xfrm_state_id *id);
MUST_USE bool xfrm_put_dump_sa(struct nl_batch *b);
/* Sequence numbers, window and counters of a state that is there, as a whole: not atomic against traffic. */
MUST_USE bool xfrm_put_new_ae(struct nl_batch *b, const struct xfrm_state_id *id, bool esn, uint32_t reqid,
			      const struct xfrm_numbers *n);
/* The same of its reports; its numbers stay. */
MUST_USE bool xfrm_put_reports(struct nl_batch *b, const struct xfrm_state_id *id, uint32_t reqid,
			       const struct xfrm_reports *r);
/* Answered by an aevent that has the reports, too. */
MUST_USE bool xfrm_put_get_ae(struct nl_batch *b, const struct xfrm_state_id *id, uint32_t reqid);
/* All states of all owners: for tests and benches in a namespace of their own. */
MUST_USE bool xfrm_put_flush_sa(struct nl_batch *b);

/* A state as the kernel shows it. */
struct xfrm_view {
	uint32_t user;		 /* the selector's: a sign, if it is ours */
	struct xfrm_state_id id; /* dir by the sign; without one DP_OUT, remote is the destination */
	uint32_t reqid;
	uint8_t proto;
	bool udp_encap, esn, tunnel;
	uint16_t local_port, remote_port; /* of the encapsulation */
	uint64_t soft, hard;
	uint64_t out_position, in_position;
	struct xfrm_numbers numbers; /* position by the direction */
	uint64_t replays, bad_icv;
	uint64_t last_used;   /* wall clock, s; 0: never, or a kernel before 6.2 */
	uint32_t extra_flags; /* XFRM_SA_XFLAG_* */
	uint8_t flags;	      /* XFRM_STATE_* */
	uint32_t if_id, output_mark, output_mask;
	bool offloaded;
	const char *algorithm; /* borrowed from the message; NULL: none */
	struct bytes key;      /* likewise; empty unless the kernel shows it to us */
};

/* NEWSA, UPDSA, DELSA (a notification), EXPIRE. False: not one of these, or broken. */
MUST_USE bool xfrm_get_state(const struct nlmsghdr *nlh, struct xfrm_view *out);

/* ---- policies ---- */

/* Smaller is stronger. An operator's usual ones (0, strongSwan's 200,000 to 400,000) come before all of ours. */
enum xfrm_priority {
	XFRM_PRIO_BYPASS = 0x00e00000,
	XFRM_PRIO_SHUT = 0x00f00000,
	XFRM_PRIO_TUNNEL = 0x01000000, /* to 0x01ffffff: narrower first */
	XFRM_PRIO_GUARD = 0x02000000,
};

/* One selector as the kernel has it: prefixes, and ports under a mask. Family 0 and length 0: any of the other's
 * family. */
struct xfrm_row {
	struct prefix ours, theirs;
	uint16_t our_port, our_mask, their_port, their_mask;
	uint8_t proto;
};

struct xfrm_policy {
	struct xfrm_row row;
	uint8_t dir; /* XFRM_POLICY_IN, _OUT, _FWD */
	uint32_t priority, sign;
	bool block;	   /* else allow; without a template: in clear */
	bool has_template; /* ESP */
	enum dp_mode mode;
	uint32_t reqid;
	uint32_t spi;		   /* 0: any of the reqid */
	struct addr local, remote; /* of the template; family 0: any (inbound) */
	uint32_t mark, mark_mask, if_id;
};

/* New, or in place of one with the same selector, mark and interface ID. */
MUST_USE bool xfrm_put_policy(struct nl_batch *b, const struct xfrm_policy *p);
MUST_USE bool xfrm_put_del_policy(struct nl_batch *b, const struct xfrm_policy *p);
MUST_USE bool xfrm_put_dump_policy(struct nl_batch *b);
MUST_USE bool xfrm_put_flush_policy(struct nl_batch *b);
/* A policy as the kernel shows it. False: none, or broken. */
MUST_USE bool xfrm_get_policy(const struct nlmsghdr *nlh, struct xfrm_policy *out);

/* Prefix lengths from which on a policy is found by hash; our side, their side. */
struct xfrm_thresholds {
	uint8_t ours4, theirs4, ours6, theirs6;
};

MUST_USE bool xfrm_put_thresholds(struct nl_batch *b, const struct xfrm_thresholds *t);
MUST_USE bool xfrm_put_get_thresholds(struct nl_batch *b);
MUST_USE bool xfrm_get_thresholds(const struct nlmsghdr *nlh, struct xfrm_thresholds *out);

/* ---- events ---- */

/* An authenticated packet of this inbound state came from elsewhere (NAT). */
struct xfrm_mapping {
	uint32_t spi;
	struct endpoint was, is;
};

MUST_USE bool xfrm_get_mapping(const struct nlmsghdr *nlh, struct xfrm_mapping *out);
/* After xfrm_get_state of an EXPIRE. */
bool xfrm_expire_is_hard(const struct nlmsghdr *nlh);
/* NEWAE: a state tells of itself, because of its reports or because it was asked; or somebody has written to it. */
struct xfrm_aevent {
	uint32_t spi, reqid;
	struct addr source, destination;
	bool written;
	uint64_t out_position, in_position;
	uint64_t packets, bytes;
	struct xfrm_reports reports; /* ticks: of 100 ms. Only when it was asked */
};

MUST_USE bool xfrm_get_aevent(const struct nlmsghdr *nlh, struct xfrm_aevent *out);

/* What an errno of the kernel means. */
enum gw_err xfrm_error(int number);

#endif
