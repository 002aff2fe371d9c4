#include "tests/rig/flow.h"

#include <stdlib.h>

enum { FIRST_ROOM = 4096 };

void flow_clear(struct flow_way *f)
{
	free(f->packets);
	free(f->arrivals);
	*f = (struct flow_way){ 0 };
}

enum gw_err flow_sent(struct flow_way *f, int64_t us)
{
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : FIRST_ROOM;
		struct flow_packet *p = realloc(f->packets, room * sizeof(*p));

		if (!p)
			return GW_ENOMEM;
		f->packets = p;
		f->room = room;
	}
	f->packets[f->count++] = (struct flow_packet){ .sent_us = us };
	return GW_OK;
}

enum gw_err flow_arrived(struct flow_way *f, uint64_t sequence, int64_t us)
{
	struct flow_arrival *a;

	if (sequence >= f->count || sequence > UINT32_MAX)
		return GW_EINVAL;
	if (f->arrival_count > 0 && us < f->arrivals[f->arrival_count - 1].us)
		us = f->arrivals[f->arrival_count - 1].us;
	if (f->arrival_count == f->arrival_room) {
		size_t room = f->arrival_room ? f->arrival_room * 2 : FIRST_ROOM;

		a = realloc(f->arrivals, room * sizeof(*a));
		if (!a)
			return GW_ENOMEM;
		f->arrivals = a;
		f->arrival_room = room;
	}
	a = &f->arrivals[f->arrival_count++];
	*a = (struct flow_arrival){ .us = us, .sequence = (uint32_t)sequence };
	if (f->packets[sequence].arrived_us) {
		a->duplicate = true;
		return GW_OK;
	}
	f->packets[sequence].arrived_us = us;
	f->last_us = us;
	f->arrived++;
	if (sequence + 1 < f->highest)
		a->behind = (uint32_t)(f->highest - 1 - sequence);
	else
		f->highest = sequence + 1;
	return GW_OK;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The first packet sent, the first arrival, at `us` or later: both lists are in order of time. */
static size_t first_sent(const struct flow_way *f, int64_t us)
{
	size_t lo = 0, hi = f->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->packets[mid].sent_us < us)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t first_arrival(const struct flow_way *f, int64_t us)
{
	size_t lo = 0, hi = f->arrival_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->arrivals[mid].us < us)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void look_at_sent(const struct flow_way *f, int64_t from, int64_t to, struct flow_figures *out)
{
	size_t begin = first_sent(f, from), end = first_sent(f, to);
	int64_t *latency = begin < end ? malloc((end - begin) * sizeof(*latency)) : NULL;

	for (size_t i = begin; i < end; i++) {
		const struct flow_packet *p = &f->packets[i];
		int64_t before = i ? f->packets[i - 1].sent_us : p->sent_us;

		if (p->sent_us - before > out->pause_us)
			out->pause_us = p->sent_us - before;
		if (p->arrived_us && latency)
			latency[out->arrived] = p->arrived_us - p->sent_us;
		out->arrived += p->arrived_us != 0;
		out->sent++;
	}
	out->lost = out->sent - out->arrived;
	if (latency && out->arrived) {
		qsort(latency, out->arrived, sizeof(*latency), by_value);
		out->latency_us = latency[out->arrived / 2];
	}
	free(latency);
}

static void note_gap(struct flow_figures *out, int64_t begin, int64_t end)
{
	if (end - begin <= out->gap_us)
		return;
	out->gap_us = end - begin;
	out->gap_at_us = begin;
}

struct flow_figures flow_figures(const struct flow_way *f, int64_t from, int64_t to, bool last)
{
	struct flow_figures out = { 0 };
	size_t begin = first_arrival(f, from), end = first_arrival(f, to), i = begin;
	/* Before anything arrived the wait began with the first packet sent. */
	int64_t before = f->count ? f->packets[0].sent_us : from;

	while (i > 0 && f->arrivals[i - 1].duplicate)
		i--;
	if (i > 0)
		before = f->arrivals[i - 1].us;
	look_at_sent(f, from, to, &out);
	for (i = begin; i < end; i++) {
		const struct flow_arrival *a = &f->arrivals[i];

		out.duplicates += a->duplicate;
		out.late += a->behind > 0;
		if (a->behind > out.latest)
			out.latest = a->behind;
		if (a->duplicate)
			continue;
		note_gap(&out, before, a->us);
		before = a->us;
	}
	/* Packets on the way at the end are no gap, silence is. */
	if (last && f->count && f->packets[f->count - 1].sent_us > before)
		note_gap(&out, before, f->packets[f->count - 1].sent_us);
	return out;
}
