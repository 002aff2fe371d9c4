/*
 * The books of a constant flow of numbered packets, one way: what was sent when, what arrived when, and what of that a
 * user would have noticed. Times in microseconds of one monotonic clock for both ends. No I/O.
 */
#ifndef TESTS_RIG_FLOW_H
#define TESTS_RIG_FLOW_H

#include "core/err.h"

struct flow_packet {
	int64_t sent_us, arrived_us; /* arrived_us 0: not yet, or never */
};

struct flow_way {
	struct flow_packet *packets; /* owned; by sequence number */
	size_t count, room;
	uint64_t highest; /* sequence number that arrived, + 1; 0: none */
	uint64_t arrived; /* different ones */
	int64_t last_us;  /* of the newest first arrival */
	/* For what is of no single packet: in order of arrival, when and what. */
	struct flow_arrival {
		int64_t us;
		uint32_t sequence, behind; /* by how many it was overtaken; 0: in order */
		bool duplicate;
	} * arrivals; /* owned */
	size_t arrival_count, arrival_room;
};

struct flow_figures {
	uint64_t sent, arrived, lost, duplicates;
	uint64_t late;	    /* overtaken by a later one */
	uint64_t latest;    /* the most packets that overtook one */
	int64_t gap_us;	    /* longest time between two first arrivals, the one under way at the end included */
	int64_t gap_at_us;  /* when it began */
	int64_t pause_us;   /* longest time between two packets sent: the meter's own part of a gap */
	int64_t latency_us; /* median of those that arrived */
};

void flow_clear(struct flow_way *f);
MUST_USE enum gw_err flow_sent(struct flow_way *f, int64_t us); /* the next number: f->count before the call */
/* A number that was never sent: GW_EINVAL. In order of arrival: a time before the last one's counts as that. */
MUST_USE enum gw_err flow_arrived(struct flow_way *f, uint64_t sequence, int64_t us);
/*
 * Of the time from..to: packets sent in it, gaps that ended in it (or had not ended by `to`, when `last`), duplicates
 * and late ones that arrived in it.
 */
struct flow_figures flow_figures(const struct flow_way *f, int64_t from, int64_t to, bool last);

#endif
