/* What the operator asks for: `gatewayctl ha status`. Nothing here costs anything while nobody looks. */
#include <stdio.h>

#include "ha/inside.h"

static const char *weakness(const struct ha *ha)
{
	if (ha->roles.reserve <= ha->roles.term)
		return "no term in reserve";
	if (!ha->link || !ha->peer.hello)
		return "no link to the other node";
	if (ha->peer.role == ha->roles.role)
		return ha_is_owner(ha) ? "two nodes are active" : "no node is active";
	if (ha->sync.state == HA_SYNC_CATCHING)
		return "the standby is catching up";
	if (ha->sync.state != HA_SYNC_DONE)
		return "the standby does not follow";
	if (ha->out.slow)
		return "the standby acknowledges too slowly";
	if (ha->objects.refused > 0)
		return "the standby has refused some SAs";
	return NULL;
}

/* Records on their way, and those that wait to be encoded: the end of the list, and no more of it is looked at. */
static size_t unacknowledged(const struct ha *ha)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(ha->objects.lists); i++)
		for (const struct ha_entry *e = ha->objects.lists[i].last; e && e->version > ha->out.acked; e = e->prev)
			n++;
	for (size_t i = 0; i < ARRAY_LEN(ha->out.dirty); i++)
		for (const struct ha_entry *e = ha->out.dirty[i].head; e; e = e->next_dirty)
			n += e->version <= ha->out.acked;
	return n;
}

static void look_at_lag(const struct ha *ha, struct ha_status *out)
{
	const struct ha_outbox *o = &ha->out;

	if (!ha_is_owner(ha) || !ha_streams(ha) || ha->sync.state != HA_SYNC_DONE)
		return;
	out->lag_turns = ha->turn > o->acked ? ha->turn - o->acked : 0;
	if (o->stamp_count > 0)
		out->lag_us = mtime_since(o->stamps[o->stamp_first].at, ha_now(ha));
	out->unacked = unacknowledged(ha);
}

static void look_at_peer(const struct ha *ha, struct ha_status *out)
{
	const struct ha_peer *p = &ha->peer;

	if (!out->peer_linked)
		return;
	out->peer_role = p->role;
	out->peer_minor = p->minor;
	memcpy(out->peer_node, p->node, sizeof(out->peer_node));
	memcpy(out->peer_software, p->software, sizeof(out->peer_software));
}

void ha_look(const struct ha *ha, struct ha_status *out)
{
	const struct ha_roles *r = &ha->roles;

	*out = (struct ha_status){
		.role = r->role,
		.sync = ha->sync.state,
		.term = r->term,
		.reserve = r->reserve,
		.peer_linked = ha->link && ha->peer.hello,
		.asleep = r->asleep,
		.handing = r->step == STEP_HANDING,
		.protected_ = ha_protected(ha),
		.why_not = weakness(ha),
		.at = { ha->epoch, ha_is_owner(ha) ? ha->turn : ha->in.applied },
		.turn = ha->turn,
		.acked = ha->out.acked,
		.exposed = ha->out.exposed,
		.objects = ha->objects.live,
		.refused = ha->objects.refused,
		.held = ha->out.held.n,
		.ceilings = HASH_CNT(by_key, ha->ceil.by_key),
		.repairs = ha->sync.repairs,
		.srtt_us = ha->out.srtt_us,
		.config_differs = ha->peer.config_differs,
		.releases = ha->out.releases,
		.ceilings_raised = ha->ceil.raised,
		.last_change = r->reason,
		.changed_at = r->changed,
		.fence = r->fence,
		.paused = r->paused,
		.preempt_at = r->preempt_at,
		.replay_packets = ha->ceil.report_packets,
		.replay_us = ha->ceil.report_us,
		.adopted = ha->adopted,
		.given_up = ha->given_up,
	};
	look_at_lag(ha, out);
	look_at_peer(ha, out);
	out->would_survive = !out->why_not;
}

/* ---- refusals ---- */

void ha_refusal_keep(struct ha *ha, const struct ha_refusal *r)
{
	ha->refusals[ha->refusals_kept++ % HA_REFUSALS] = *r;
}

static bool stands(const struct ha *ha, const struct ha_refusal *r)
{
	const struct ha_entry *e = ha_objects_find(&ha->objects, r->kind, r->key);

	return e && e->refused;
}

size_t ha_refusals(const struct ha *ha, struct ha_refusal out[HA_REFUSALS])
{
	size_t kept = ha->refusals_kept < HA_REFUSALS ? ha->refusals_kept : HA_REFUSALS, n = 0;

	for (size_t i = ha->refusals_kept - kept; i < ha->refusals_kept; i++) {
		const struct ha_refusal *r = &ha->refusals[i % HA_REFUSALS];
		size_t k = 0;

		while (k < n && (out[k].kind != r->kind || out[k].key != r->key))
			k++;
		if (!stands(ha, r))
			continue;
		out[k] = *r; /* the younger word of the same one */
		n += k == n;
	}
	return n;
}
