/*
 * `ha verify`: what both nodes hold is compared by digests, what differs by the versions of its bucket; and each node's
 * data plane with what the node knows. The standby compares, at the place in the stream where the active node's word
 * stands, so nothing that is under way looks like a difference. Whoever asked is told.
 *
 *	asked at the standby:  VERIFY ->, <- DIGEST, (ASK_BUCKET ->, <- BUCKET)*
 *	at the active node:    <- DIGEST, (ASK_BUCKET ->, <- BUCKET)*, VERIFIED ->
 */
#include <stdio.h>
#include <stdlib.h>

#include "ha/inside.h"

#define PATIENCE SECONDS(5)

enum { DUMP_EACH = 256, DUMPS_EACH = 8, ITEM_HEADER = 28, COUNTS_LEN = 32, FLAG_REPAIR = 1 };

/* ---- what was found ---- */

void ha_verify_found(struct ha *ha, const struct ha_difference *d)
{
	struct ha_verified *out = &ha->verify.out;

	switch (d->what) {
	case HA_DIFFERS:
		out->differing++;
		break;
	case HA_ONLY_ACTIVE:
		out->only_active++;
		break;
	case HA_ONLY_STANDBY:
		out->only_standby++;
		break;
	case HA_PLANE_LACKS:
		out->plane_lacks++;
		break;
	default:
		out->plane_extra++;
	}
	if (out->count < HA_DIFFERENCES)
		out->items[out->count++] = *d;
}

/* What the standby could not hold has its version, and is not there all the same. */
static void add_refused(struct ha *ha)
{
	struct ha_refusal list[HA_REFUSALS];
	size_t n = ha_refusals(ha, list);

	for (size_t i = 0; i < n; i++) {
		struct ha_difference d = { .what = HA_ONLY_ACTIVE, .kind = list[i].kind, .key = list[i].key };
		const struct ha_entry *e = ha_objects_find(&ha->objects, d.kind, d.key);

		d.active = e ? e->version : 0;
		(void)snprintf(d.why, sizeof(d.why), "refused: %.80s", list[i].text);
		ha_verify_found(ha, &d);
	}
	if (ha->objects.refused > n)
		ha->verify.out.only_active += ha->objects.refused - n;
}

static void finish(struct ha *ha, const char *why)
{
	struct ha_verify_run *v = &ha->verify;
	struct ha_event *ev;

	v->out.complete = why == NULL;
	v->step = VERIFY_NONE;
	ev = ha_report(ha, HA_EV_VERIFIED, "%s", why ? why : "compared");
	if (ev && ha_event_keep(ev, &v->out, sizeof(v->out)))
		return;
	log_error(ha->env->log, "out of memory: the result of the comparison is lost");
}

/* ---- this node's data plane ---- */

static uint32_t round_of(const struct ha *ha)
{
	return (uint32_t)ha->verify.id;
}

/* Nobody has its keys' owner: it must not speak. */
static void take_out(struct ha *ha, const struct dp_sa_id *id)
{
	struct dp_op op = { .kind = DP_SA_REMOVE };

	op.id = *id;
	if (ha_operate(ha, HA_TOKEN | HA_TOKEN_OWNER | ++ha->token, &op, 1) != GW_OK)
		log_error(ha->env->log, "out of memory: an SA without a record stays");
}

static void look_at(struct ha *ha, const struct dp_sa_state *s)
{
	struct ha_verify_run *v = &ha->verify;
	struct ha_difference d = { .what = HA_PLANE_EXTRA, .key = s->id.spi };
	struct ha_ceiling *c = s->id.dir == DP_OUT ? ha_ceiling_by_plane(ha, &s->id) : NULL;
	struct ha_window *w = s->id.dir == DP_IN ? ha_window_find(ha, s->id.spi) : NULL;
	struct dp_sa_state again;

	v->out.plane_sas++;
	if (c)
		c->looked = round_of(ha);
	if (w)
		w->looked = round_of(ha);
	/* Unless it was removed meanwhile. */
	if (!c && !w && (!ha->ops->query || ha->ops->query(ha->arg, &s->id, &again) == GW_OK)) {
		(void)snprintf(d.why, sizeof(d.why), "%s SA without a record",
			       s->id.dir == DP_OUT ? "outbound" : "inbound");
		ha_verify_found(ha, &d);
		if (v->out.repair)
			take_out(ha, &s->id);
	}
}

/* Those that were there before we began to look. */
static void find_missing(struct ha *ha)
{
	struct ha_difference d = { .what = HA_PLANE_LACKS };
	struct ha_ceiling *c, *tmp;
	struct ha_window *w, *next;

	HASH_ITER (by_key, ha->ceil.by_key, c, tmp) {
		const struct ha_entry *e = ha_objects_find(&ha->objects, HA_OBJ_CEILING, c->key);

		if (!c->installed || c->looked == round_of(ha) || !e || e->dirty || e->version > ha->verify.turn)
			continue;
		d.key = c->key;
		(void)snprintf(d.why, sizeof(d.why), "outbound SA %08x", c->id.spi);
		ha_verify_found(ha, &d);
	}
	HASH_ITER (hh, ha->ceil.windows, w, next) {
		if (w->looked == round_of(ha) || w->since > ha->verify.turn)
			continue;
		d.key = w->spi;
		(void)snprintf(d.why, sizeof(d.why), "inbound SA %08x", w->spi);
		ha_verify_found(ha, &d);
	}
}

static void look_at_plane(struct ha *ha)
{
	struct ha_verify_run *v = &ha->verify;
	struct dp_sa_state states[DUMP_EACH];

	for (int i = 0; i < DUMPS_EACH; i++) {
		size_t n = ha->ops->dump(ha->arg, &v->cookie, states, DUMP_EACH);

		for (size_t k = 0; k < n; k++)
			look_at(ha, &states[k]);
		if (v->cookie == 0) {
			find_missing(ha);
			finish(ha, NULL);
			return;
		}
	}
}

/* ---- asking ---- */

static uint64_t turn_of(const struct ha *ha)
{
	return ha_is_owner(ha) ? ha->turn : ha->in.applied;
}

enum gw_err ha_verify(struct ha *ha, bool repair, struct err *e)
{
	struct ha_verify_run *v = &ha->verify;
	struct ha_frame_writer f;

	if (v->step != VERIFY_NONE)
		return err_set(e, GW_ESTATE, "a comparison is under way");
	if (!ha->link || !ha->peer.hello || ha->sync.state != HA_SYNC_DONE)
		return err_set(e, GW_ESTATE, "the standby is not synced");
	*v = (struct ha_verify_run){ .step = VERIFY_ASKED,
				     .id = v->id + 1,
				     .ours = true,
				     .by = mtime_add(ha_now(ha), PATIENCE),
				     .turn = turn_of(ha) };
	v->out.repair = repair;
	v->out.objects = ha->objects.live;
	if (ha_is_owner(ha)) {
		ha_resync_say_digest(ha, v->id, repair);
		return GW_OK;
	}
	ha_frame_begin(&f, &ha->tx, HA_VERIFY);
	ha_field_u64(&f, HA_TAG_VERIFY, v->id);
	ha_field_u8(&f, HA_TAG_FLAGS, repair ? FLAG_REPAIR : 0);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
	return GW_OK;
}

/* Owner: a standby wants to compare. */
void ha_verify_wanted(struct ha *ha, uint64_t id, bool repair)
{
	if (id != 0 && ha->sync.state == HA_SYNC_DONE)
		ha_resync_say_digest(ha, id, repair);
}

/* ---- comparing: the standby ---- */

static void tell_result(struct ha *ha)
{
	const struct ha_verify_run *v = &ha->verify;
	const struct ha_verified *out = &v->out;
	uint8_t b[ITEM_HEADER + sizeof(out->items[0].why)];
	struct ha_frame_writer f;
	struct writer w = wr_of(b, sizeof(b));

	ha_frame_begin(&f, &ha->tx, HA_VERIFIED);
	ha_field_u64(&f, HA_TAG_VERIFY, v->id);
	wr_u64(&w, out->objects);
	wr_u64(&w, out->differing);
	wr_u64(&w, out->only_active);
	wr_u64(&w, out->only_standby);
	ha_field(&f, HA_TAG_COUNTS, wr_done(&w));
	for (size_t i = 0; i < out->count; i++) {
		const struct ha_difference *d = &out->items[i];

		w = wr_of(b, sizeof(b));
		wr_u8(&w, d->what);
		wr_u8(&w, d->kind);
		wr_zero(&w, 2);
		wr_u64(&w, d->key);
		wr_u64(&w, d->active);
		wr_u64(&w, d->standby);
		wr_bytes(&w, bytes_str(d->why));
		ha_field(&f, HA_TAG_DIFFERENCE, wr_done(&w));
	}
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

static void compared(struct ha *ha)
{
	struct ha_verify_run *v = &ha->verify;

	add_refused(ha);
	if (!v->ours) {
		tell_result(ha);
		v->step = VERIFY_NONE;
		return;
	}
	v->step = VERIFY_PLANE;
	v->cookie = 0;
}

void ha_verify_begin(struct ha *ha, uint64_t id, bool repair, const uint8_t differs[HA_BUCKETS])
{
	struct ha_verify_run *v = &ha->verify;

	if (v->step != VERIFY_NONE && !(v->ours && v->step == VERIFY_ASKED && v->id == id))
		return; /* we are at another one: whoever asked asks again */
	if (v->step == VERIFY_NONE)
		*v = (struct ha_verify_run){ .id = id, .by = mtime_add(ha_now(ha), PATIENCE) };
	v->step = VERIFY_BUCKETS;
	v->out.repair = repair;
	v->out.objects = ha->objects.live;
	memcpy(v->waits, differs, sizeof(v->waits));
	for (size_t i = 0; i < HA_BUCKETS; i++)
		v->waiting += v->waits[i];
	if (v->waiting == 0)
		compared(ha);
}

bool ha_verify_waits(const struct ha *ha, uint32_t bucket)
{
	return ha->verify.step == VERIFY_BUCKETS && ha->verify.waits[bucket];
}

void ha_verify_bucket_done(struct ha *ha, uint32_t bucket)
{
	struct ha_verify_run *v = &ha->verify;

	v->waits[bucket] = 0;
	if (--v->waiting == 0)
		compared(ha);
}

/* ---- the owner that asked ---- */

static enum gw_err read_item(struct reader v, struct ha_difference *d)
{
	struct bytes text;

	*d = (struct ha_difference){ 0 };
	d->what = rd_u8(&v);
	d->kind = rd_u8(&v);
	rd_skip(&v, 2);
	d->key = rd_u64(&v);
	d->active = rd_u64(&v);
	d->standby = rd_u64(&v);
	text = rd_rest(&v);
	if (v.bad || text.n >= sizeof(d->why))
		return GW_EMALFORMED;
	if (text.n > 0)
		memcpy(d->why, text.p, text.n);
	return GW_OK;
}

enum gw_err ha_verify_result(struct ha *ha, struct bytes fields)
{
	struct ha_verified got = { 0 };
	struct ha_verify_run *run = &ha->verify;
	struct reader r = rd_of(fields), v;
	uint64_t id = 0;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		switch (tag) {
		case HA_TAG_VERIFY:
			id = rd_u64(&v);
			break;
		case HA_TAG_COUNTS:
			got.objects = rd_u64(&v);
			got.differing = rd_u64(&v);
			got.only_active = rd_u64(&v);
			got.only_standby = rd_u64(&v);
			break;
		case HA_TAG_DIFFERENCE:
			if (got.count < HA_DIFFERENCES)
				TRY(read_item(v, &got.items[got.count++]));
			break;
		default:
			TRY(ha_field_unknown(tag));
		}
		if (v.bad)
			return GW_EMALFORMED;
	}
	if (r.bad)
		return GW_EMALFORMED;
	if (!run->ours || run->step != VERIFY_ASKED || run->id != id)
		return GW_OK; /* asked for and no longer wanted */
	got.repair = run->out.repair;
	run->out = got;
	run->step = VERIFY_PLANE;
	run->cookie = 0;
	return GW_OK;
}

/* ---- time ---- */

void ha_verify_stop(struct ha *ha, const char *why)
{
	if (ha->verify.step != VERIFY_NONE && ha->verify.ours)
		finish(ha, why);
	ha->verify.step = VERIFY_NONE;
}

mtime ha_verify_due(const struct ha *ha)
{
	const struct ha_verify_run *v = &ha->verify;

	if (v->step == VERIFY_NONE)
		return MTIME_NEVER;
	return v->step == VERIFY_PLANE ? ha_now(ha) : v->by;
}

void ha_verify_tick(struct ha *ha)
{
	if (ha->verify.step == VERIFY_PLANE)
		look_at_plane(ha);
	else if (mtime_reached(ha_verify_due(ha), ha_now(ha)))
		ha_verify_stop(ha, "the other node did not answer");
}
