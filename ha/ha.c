#include "ha/ha.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ha/inside.h"

struct ha *ha_create(const struct env *env, const struct ha_config *cfg, const struct ha_ops *ops, void *arg,
		     const struct ha_durable *durable)
{
	struct ha *ha = calloc(1, sizeof(*ha));

	if (!ha)
		return NULL;
	ha->env = env;
	ha->cfg = *cfg;
	ha->ops = ops;
	ha->arg = arg;
	ha->ev_tail = &ha->ev_head;
	ha_outbox_init(&ha->out);
	ha_inbox_init(&ha->in);
	ha->ceil.asking_tail = &ha->ceil.asking;
	ha->ceil.fresh_tail = &ha->ceil.fresh;
	ha->ceil.tight_at = MTIME_NEVER;
	ha->sync.digest_at = MTIME_NEVER;
	ha->sync.round = 1;
	if (ha_objects_init(&ha->objects, env->rng) != GW_OK) {
		ha_destroy(ha);
		return NULL;
	}
	ha_roles_init(ha, durable);
	return ha;
}

static void free_events(struct ha_pending_event *e)
{
	while (e) {
		struct ha_pending_event *next = e->next;

		free(e->kept);
		free(e);
		e = next;
	}
}

void ha_destroy(struct ha *ha)
{
	if (!ha)
		return;
	free_events(ha->ev_head);
	free_events(ha->ev_taken);
	ha_ceilings_clear(ha);
	ha_outbox_clear(ha);
	ha_heal_clear(ha);
	ha_inbox_clear(&ha->in);
	ha_objects_clear(&ha->objects);
	ha_buffer_clear(&ha->tx);
	ha_buffer_clear(&ha->rx);
	free(ha);
}

/* ---- events ---- */

static struct ha_pending_event *push(struct ha *ha, enum ha_event_kind kind, size_t ops)
{
	struct ha_pending_event *e = calloc(1, sizeof(*e) + ops * sizeof(struct dp_op));

	if (!e)
		return NULL;
	e->ev.kind = kind;
	*ha->ev_tail = e;
	ha->ev_tail = &e->next;
	return e;
}

struct ha_event *ha_report(struct ha *ha, enum ha_event_kind kind, const char *fmt, ...)
{
	struct ha_pending_event *e = push(ha, kind, 0);
	va_list ap;

	if (!e)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(e->ev.text, sizeof(e->ev.text), fmt, ap);
	va_end(ap);
	return &e->ev;
}

bool ha_event_keep(struct ha_event *ev, const void *what, size_t n)
{
	struct ha_pending_event *e =
		(struct ha_pending_event *)(void *)((uint8_t *)ev - offsetof(struct ha_pending_event, ev));

	e->kept = malloc(n);
	if (!e->kept)
		return false;
	memcpy(e->kept, what, n);
	ev->verify = e->kept;
	return true;
}

void ha_configure(struct ha *ha, const struct ha_config *cfg)
{
	struct ha_config *is = &ha->cfg;
	struct ha_roles *r = &ha->roles;
	bool stricter = cfg->strict && !is->strict;

	if (cfg->preempt_us != is->preempt_us || cfg->preempt_synced != is->preempt_synced)
		r->preempt_at = MTIME_NEVER;
	is->priority = cfg->priority;
	is->external = cfg->external;
	is->ack_timeout_us = cfg->ack_timeout_us;
	is->report_us = cfg->report_us;
	is->start_hold_us = cfg->start_hold_us;
	is->calm_us = cfg->calm_us;
	is->preempt_us = cfg->preempt_us;
	is->preempt_synced = cfg->preempt_synced;
	is->fence = cfg->fence;
	is->strict = cfg->strict;
	is->watch.witness = cfg->watch.witness;
	/* Not shorter than what finds a dead node, which does not change with it. */
	if (is->start_hold_us > 0 && is->start_hold_us < watch_detection_us(&is->watch))
		is->start_hold_us = watch_detection_us(&is->watch);
	/* The program may be another one, or can do it now. */
	if (r->fence == HA_FENCE_FAILED)
		r->fence = HA_FENCE_NONE;
	if (stricter)
		ha_windows_stricter(ha);
	r->again = ha_now(ha);
}

enum gw_err ha_operate(struct ha *ha, uint64_t token, const struct dp_op *ops, size_t n)
{
	struct ha_pending_event *e = push(ha, HA_EV_DATAPLANE, n);

	if (!e)
		return GW_ENOMEM;
	memcpy(e->ops, ops, n * sizeof(*ops));
	e->ev.token = token;
	e->ev.ops = e->ops;
	e->ev.op_count = n;
	return GW_OK;
}

bool ha_take_event(struct ha *ha, struct ha_event *out)
{
	struct ha_pending_event *e = ha->ev_head;

	free_events(ha->ev_taken);
	ha->ev_taken = e;
	if (!e)
		return false;
	ha->ev_head = e->next;
	if (!ha->ev_head)
		ha->ev_tail = &ha->ev_head;
	e->next = NULL;
	*out = e->ev;
	return true;
}

/* ---- data plane ---- */

uint64_t ha_prepare(struct ha *ha, uint64_t token, uint64_t key, struct dp_op *ops, size_t n)
{
	ha_ceilings_prepare(ha, token, ops, n);
	/* The engine of a standby asks for no answer; we do, for the acknowledgement. */
	return ha_is_owner(ha) || token ? token : ha_inbox_token(ha, key);
}

bool ha_plane_event(struct ha *ha, const struct dp_event *ev)
{
	switch (ev->kind) {
	case DP_DONE:
		if ((ev->token & HA_TOKEN) && !(ev->token & HA_TOKEN_OWNER))
			ha_inbox_done(ha, ev->token, ev->result, ev->text);
		else
			ha_ceilings_event(ha, ev);
		ha_handover_event(ha, ev);
		return (ev->token & HA_TOKEN) != 0;
	case DP_NEAR_FENCE:
	case DP_AT_FENCE:
		ha_ceilings_event(ha, ev);
		return true;
	default:
		return false;
	}
}

/* ---- time ---- */

mtime ha_due(const struct ha *ha)
{
	mtime due = mtime_min(ha_outbox_due(ha), ha_resync_due(ha));

	due = mtime_min(due, ha_ceilings_due(ha));
	due = mtime_min(due, ha_verify_due(ha));
	due = mtime_min(due, ha_heal_due(ha));
	if (ha_streams(ha))
		due = mtime_min(due, ha->ceil.report_at);
	return mtime_min(due, ha_roles_due(ha));
}

void ha_tick(struct ha *ha)
{
	ha_outbox_tick(ha);
	ha_resync_digest(ha);
	ha_verify_tick(ha);
	ha_heal_tick(ha);
	ha_ceilings_tick(ha);
	ha_windows_report(ha);
	ha_roles_tick(ha);
}

/* ---- looking ---- */

enum ha_role ha_role_of(const struct ha *ha)
{
	return ha->roles.role;
}

struct watch_beat ha_beat(const struct ha *ha)
{
	const struct ha_roles *r = &ha->roles;

	return (struct watch_beat){ .role = (uint8_t)r->role,
				    .index = ha->env->node.index,
				    .term = ha_term_said(ha),
				    .priority = ha->cfg.priority,
				    .turn = ha_is_owner(ha) ? ha->turn : ha->in.applied,
				    .exposed = ha->out.exposed,
				    .exposes = ha->out.exposed > ha->out.acked,
				    .synced = ha_is_owner(ha) ? ha_protected(ha) : ha->sync.whole && ha->in.applied > 0,
				    .service_up = !r->seen_view || r->view.service_up,
				    .asleep = r->asleep,
				    .traffic = r->traffic };
}
