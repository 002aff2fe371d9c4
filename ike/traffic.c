/*
 * What the data plane tells of traffic: who was heard need not be probed, who was silent too long goes, and who has
 * sent too much under one key is rekeyed.
 */
#include "ike/engine.h"
#include "ike/reqid.h"

/*
 * A rekey takes its time, and the numbers go on meanwhile: half of what there is without ESN; with ESN what one key of
 * an AEAD is good for.
 */
#define POSITION_MAX_32 (UINT64_C(1) << 31)
#define POSITION_MAX_ESN (UINT64_C(1) << 34)

/* Limits are spread downwards like lifetimes, for each CHILD SA by its own measure. */
static bool beyond(const struct child_sa *c, uint64_t value, uint64_t limit)
{
	uint64_t spread = limit / 100 * c->sa->conn->rekey_jitter_percent;

	return limit > 0 && value >= limit - spread / 1000 * (c->spi_in % 1000);
}

/* NULL: it may go on as it is. */
static const char *worn_out(const struct child_sa *c, const struct dp_sa_state *s)
{
	const struct child_cfg *cfg = c->cfg;

	if (s->position >= (c->esn.id == ESN_YES ? POSITION_MAX_ESN : POSITION_MAX_32))
		return "its sequence numbers come to their end";
	if (sa_leaves_rekeys_to_peer(c->sa))
		return NULL;
	if (beyond(c, s->count.bytes, cfg->rekey_bytes))
		return "it has carried so many octets";
	return beyond(c, s->count.packets, cfg->rekey_packets) ? "it has carried so many packets" : NULL;
}

static void wear(struct child_sa *c, const struct dp_sa_state *s)
{
	const char *why;

	if (c->worn || c->state != CHILD_UP || c->want_rekey || c->want_delete)
		return;
	why = worn_out(c, s);
	if (!why)
		return;
	sa_log(c->sa, LOG_LVL_INFO, "CHILD SA #%u (%s) is rekeyed: %s", c->id, c->cfg->name, why);
	c->worn = c->want_rekey = true; /* asked once: what is refused then ends by its lifetime */
	sa_pump(c->sa);
	sa_reschedule(c->sa);
}

void ike_traffic(struct ike *ike, const struct dp_sa_state *states, size_t n)
{
	for (size_t i = 0; i < n && !ike->passive; i++) {
		const struct dp_sa_state *s = &states[i];
		struct child_sa *c = reqid_child(ike, s->reqid, &s->id);

		if (!c || c->sa->state == IKE_DEAD || c->state == CHILD_INSTALLING)
			continue;
		if (s->last_use.us > c->used.us)
			c->used = s->last_use;
		if (s->id.dir == DP_IN && s->last_use.us > c->sa->last_in.us)
			c->sa->last_in = s->last_use; /* authentic packets are a sign of life */
		wear(c, s);
	}
}
