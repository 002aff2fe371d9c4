/* How much of a resync is on its way at a time (struct ha_pace). */
#include "ha/inside.h"

#define SLACK_LEAST 250 /* us */

enum { SLACK_SHIFT = 1, FAST_SHIFT = 2, SHRINK_SHIFT = 2 };

void ha_pace_begin(struct ha_pace *p)
{
	p->window = HA_CHUNKS_LEAST;
	p->changed = 0;
	p->least_us = 0;
}

void ha_pace_sent(struct ha_pace *p, uint64_t chunk, mtime now)
{
	p->sent[chunk % ARRAY_LEN(p->sent)] = now;
}

/* What a piece may take longer than the quickest: a part of the way there and back, or of what a scheduler takes. */
static int64_t slack_us(const struct ha_pace *p)
{
	int64_t us = p->least_us >> SLACK_SHIFT;

	return us > SLACK_LEAST ? us : SLACK_LEAST;
}

static void grow(struct ha_pace *p, uint64_t by)
{
	p->window = p->window + by < HA_CHUNKS_MOST ? p->window + (unsigned)by : HA_CHUNKS_MOST;
}

void ha_pace_acked(struct ha_pace *p, uint64_t chunk, uint64_t fresh, uint64_t sent, mtime now)
{
	int64_t us = mtime_since(p->sent[chunk % ARRAY_LEN(p->sent)], now), over;

	if (p->least_us == 0 || us < p->least_us)
		p->least_us = us > 0 ? us : 1;
	over = us - p->least_us;
	/* A long link that is nearly empty: twice as much on each way there and back. */
	if (over <= slack_us(p) >> FAST_SHIFT) {
		grow(p, fresh);
		return;
	}
	if (chunk <= p->changed)
		return;
	p->changed = sent;
	if (over <= slack_us(p)) {
		grow(p, 1);
	} else {
		unsigned less = p->window - (p->window >> SHRINK_SHIFT) - 1;

		p->window = less > HA_CHUNKS_LEAST ? less : HA_CHUNKS_LEAST;
	}
}
