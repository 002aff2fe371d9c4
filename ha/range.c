/*
 * What two nodes may make of one exchange (docs/sequence-numbers.md). An exchange that is replicated before it ends may be
 * ended by either, and each makes the same SA with the same keys before it knows of the other: by IKE_AUTH, by a rekey of
 * our own, and where we send on a new SA only when the peer is known to have it. So of an SA whose exchange, or keys, a
 * node had from the other one it uses numbers that belong to its reign; and until the standby is known to hold the SA,
 * nobody leaves the numbers that are its own. Whoever makes one anew that it has dropped goes on where that ended.
 */
#include <stdlib.h>

#include "ha/inside.h"

#define TOGETHER SECONDS(2) /* within which the record of the IKE SA is there as well as the ceiling */

enum { REIGNS = 63 };

/* Whether another node may hold an exchange that began then and ends now. */
static bool another_has_it(const struct ha *ha, mtime begun)
{
	return ha->link || begun.us <= ha->ceil.parted.us;
}

static uint64_t spent(const struct ha *ha, uint32_t spi)
{
	size_t n = ha->ceil.spent_next < HA_SPENT_MAX ? ha->ceil.spent_next : HA_SPENT_MAX;
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ha_spent *s = &ha->ceil.spent[i];

		if (s->spi == spi && s->number > most)
			most = s->number;
	}
	return most;
}

void ha_ceiling_range(struct ha *ha, struct ha_ceiling *c, bool inherited, mtime begun)
{
	uint64_t begin = inherited ? (1 + ha_reign(ha) % REIGNS) * HA_RANGE : 0, end = begin + HA_RANGE, used;

	if (!inherited && !another_has_it(ha, begun))
		return;
	used = spent(ha, c->id.spi);
	c->base = c->known = c->from = used > begin && used <= end ? used : begin;
	if (!ha->ceil.spent)
		ha->ceil.spent = calloc(HA_SPENT_MAX, sizeof(*ha->ceil.spent));
	/* What could not be remembered when it is dropped gets no numbers at all, and is rekeyed. */
	c->burnt = !ha->ceil.spent;
	c->range = end;
	if (inherited || !ha_streams(ha))
		return; /* as long as it lives: after so many packets it is rekeyed */
	c->fresh = true;
	c->next_fresh = NULL;
	*ha->ceil.fresh_tail = c;
	ha->ceil.fresh_tail = &c->next_fresh;
}

void ha_ceiling_spend(struct ha *ha, const struct ha_ceiling *c)
{
	if (c->range == 0 || !ha->ceil.spent)
		return;
	ha->ceil.spent[ha->ceil.spent_next++ % HA_SPENT_MAX] = (struct ha_spent){ c->id.spi, c->fence };
}

/* The most that it may be granted. Where that comes near it is rekeyed, unless it will soon have more. */
uint64_t ha_ceiling_in_range(struct ha *ha, struct ha_ceiling *c)
{
	uint64_t lead = c->block < HA_RANGE / 4 ? c->block : HA_RANGE / 4;

	if (c->fresh)
		c->wants = ha->ceil.any_wants = ha->ceil.fresh_wants = true;
	else if (c->fence + lead > c->range || c->gap >= c->range)
		ha_ceiling_tighten(ha, c);
	return c->range;
}

static struct ha_ceiling *take_fresh(struct ha *ha)
{
	struct ha_ceiling *c = ha->ceil.fresh;

	if (!c)
		return NULL;
	ha->ceil.fresh = c->next_fresh;
	if (!ha->ceil.fresh)
		ha->ceil.fresh_tail = &ha->ceil.fresh;
	c->fresh = false;
	return c;
}

/* What was made lately is never known to be held: for as long as it lives it stays in its range. */
static void keep_ranges(struct ha *ha)
{
	struct ha_ceiling *c;

	while ((c = take_fresh(ha)) != NULL)
		if (c->wants && ha_is_owner(ha))
			ha_ceiling_more(ha, c, c->fence);
}

void ha_ranges_part(struct ha *ha, bool met)
{
	if (met && !ha->peer.left)
		ha->ceil.parted = ha_now(ha);
	ha_ceilings_held(ha);
	keep_ranges(ha);
}

void ha_ranges_end(struct ha *ha)
{
	while (take_fresh(ha))
		;
	free(ha->ceil.spent);
	ha->ceil.spent = NULL;
	ha->ceil.spent_next = 0;
}

static bool is_acked(const struct ha *ha, const struct ha_ceiling *c)
{
	const struct ha_entry *e = ha_objects_find(&ha->objects, HA_OBJ_CEILING, c->key);

	return ha->sync.state == HA_SYNC_DONE && e && !e->dirty && e->version <= ha->out.acked;
}

/* Who holds the SA does not make it any more. */
void ha_ceilings_held(struct ha *ha)
{
	struct ha_ceiling *c;

	while ((c = ha->ceil.fresh) != NULL) {
		if (!is_acked(ha, c) || mtime_since(c->made, ha_now(ha)) < TOGETHER)
			return;
		(void)take_fresh(ha);
		c->range = 0;
		if (c->wants)
			ha_ceiling_more(ha, c, c->fence);
	}
	ha->ceil.fresh_wants = false;
}

/* Acknowledgements find out by the way; nobody is woken up for it but for one that wants more. */
mtime ha_ceilings_held_due(const struct ha *ha)
{
	const struct ha_ceiling *c = ha->ceil.fresh;

	return c && ha->ceil.fresh_wants && ha_is_owner(ha) && is_acked(ha, c) ? mtime_add(c->made, TOGETHER) : MTIME_NEVER;
}
