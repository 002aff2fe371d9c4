/*
 * After a partition (DESIGN.md §5): the node that steps down offers what has happened to it alone, before it follows;
 * the owner wants what it does not know, and per IKE SA that side's word which the client has spoken to last. Sequence
 * numbers of what is taken go on above what the other one reports, if nobody else was ever given any above that; else
 * such an SA is rekeyed (docs/sequence-numbers.md, adopt-own-range).
 *
 *	loser: POSITIONS, OFFER ... ->		<- WANT ...		GIVE ... ->		FOLLOW ->
 */
#include <stdio.h>
#include <stdlib.h>

#include "ha/inside.h"

#define PATIENCE SECONDS(5)

enum { OFFER_LEN = 25, OFFERS_EACH = 8192, OFFER_DELETED = 1, GIVE_LEAST_MINOR = 1 };

/* ---- the loser: offering ---- */

void ha_heal_clear(struct ha *ha)
{
	free(ha->heal.wanted);
	ha->heal = (struct ha_heal){ .reign_turn = ha->heal.reign_turn };
}

static uint64_t heard(const struct ha *ha, uint64_t key)
{
	int64_t us = ha->ops->heard ? ha->ops->heard(ha->arg, key) : INT64_MAX;

	return us < 0 ? 0 : (uint64_t)us;
}

struct offers {
	struct ha *ha;
	uint8_t list[OFFER_LEN * OFFERS_EACH];
	size_t n;
};

static void offers_send(struct offers *o, enum ha_tag tag, size_t each, bool last)
{
	struct ha_frame_writer f;

	ha_frame_begin(&f, &o->ha->tx, HA_OFFER);
	ha_position_write(&f, HA_TAG_POSITION, &(struct ha_position){ o->ha->epoch, o->ha->turn });
	if (o->n > 0)
		ha_field(&f, (uint16_t)tag, bytes_of(o->list, each * o->n));
	if (last)
		ha_field_u8(&f, HA_TAG_LAST, 1);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(o->ha, "out of memory");
	o->n = 0;
}

static void offer(struct offers *o, const struct ha_entry *e)
{
	struct ha *ha = o->ha;
	uint8_t *p = o->list + OFFER_LEN * o->n;

	if (e->id.kind != HA_OBJ_IKE || e->version <= ha->heal.reign_turn)
		return;
	put_u64(p, e->id.key);
	put_u64(p + 8, e->version);
	put_u64(p + 16, e->deleted ? INT64_MAX : heard(ha, e->id.key));
	p[24] = e->deleted ? OFFER_DELETED : 0;
	if (++o->n == OFFERS_EACH)
		offers_send(o, HA_TAG_OFFERS, OFFER_LEN, false);
}

/* Those whose numbers nobody else was ever given any of: said once, as afterwards somebody may have been. */
static void offer_numbers(struct offers *o)
{
	struct ha_ceiling *c, *tmp;

	HASH_ITER (by_key, o->ha->ceil.by_key, c, tmp) {
		if (!c->offer)
			continue;
		c->offer = false;
		put_u64(o->list + 8 * o->n, c->key);
		if (++o->n == OFFERS_EACH)
			offers_send(o, HA_TAG_OWN_LIST, 8, false);
	}
	if (o->n > 0)
		offers_send(o, HA_TAG_OWN_LIST, 8, false);
}

bool ha_heal_offer(struct ha *ha)
{
	struct offers *o;

	/* After a handover in order the other one knows it all. */
	if (ha->peer.minor < GIVE_LEAST_MINOR || ha->sync.whole)
		return false;
	o = malloc(sizeof(*o));
	if (!o)
		return false;
	o->ha = ha;
	o->n = 0;
	offer_numbers(o);
	for (size_t i = 0; i < ARRAY_LEN(ha->objects.lists); i++)
		for (const struct ha_entry *e = ha->objects.lists[i].first; e && ha->link; e = e->next)
			offer(o, e);
	offers_send(o, HA_TAG_OFFERS, OFFER_LEN, true);
	free(o);
	ha_heal_clear(ha);
	ha->heal.by = mtime_add(ha_now(ha), PATIENCE);
	ha->heal.offering = ha->link;
	return ha->heal.offering;
}

/* ---- the loser: giving ---- */

static void end(struct ha *ha)
{
	ha_heal_clear(ha);
	ha->roles.reigned = false;
	ha_resync_follow(ha);
}

static void give(struct ha *ha, uint64_t key)
{
	struct ha_entry *e = ha_objects_find(&ha->objects, HA_OBJ_IKE, key);
	struct ha_frame_writer f;

	if (!e)
		return;
	ha_frame_begin(&f, &ha->tx, HA_GIVE);
	e->going = e->deleted;
	ha_write_object(ha, &f, e, e->version ? e->version : 1);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

/* As much as the link takes: what waits in memory is bounded. */
bool ha_heal_more(struct ha *ha)
{
	struct ha_heal *h = &ha->heal;
	struct ha_frame_writer f;

	if (!h->offering || (h->at == h->n && !h->all_wanted))
		return false;
	for (int i = 0; i < HA_CHUNK_OBJECTS && ha->link && h->at < h->n; i++)
		give(ha, h->wanted[h->at++]);
	if (!ha->link || h->at < h->n || !h->all_wanted)
		return ha->link;
	ha_frame_begin(&f, &ha->tx, HA_GIVE);
	ha_field_u8(&f, HA_TAG_LAST, 1);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
	else
		end(ha);
	return ha->link;
}

enum gw_err ha_heal_wanted(struct ha *ha, struct bytes fields)
{
	struct ha_heal *h = &ha->heal;
	struct reader r = rd_of(fields), v;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag == HA_TAG_LAST) {
			h->all_wanted = rd_u8(&v) != 0;
		} else if (tag == HA_TAG_KEY_LIST) {
			uint64_t *more = realloc(h->wanted, sizeof(*more) * (h->n + v.left / 8 + 1));

			if (!more)
				return GW_ENOMEM;
			h->wanted = more;
			while (v.left >= 8)
				h->wanted[h->n++] = rd_u64(&v);
		} else {
			TRY(ha_field_unknown(tag));
		}
		if (v.bad)
			return GW_EMALFORMED;
	}
	h->by = mtime_add(ha_now(ha), PATIENCE);
	return r.bad ? GW_EMALFORMED : GW_OK;
}

mtime ha_heal_due(const struct ha *ha)
{
	return ha->heal.offering ? ha->heal.by : MTIME_NEVER;
}

void ha_heal_tick(struct ha *ha)
{
	if (!mtime_reached(ha_heal_due(ha), ha_now(ha)))
		return;
	log_warn(ha->env->log, "the active node does not say what it wants of ours: following it all the same");
	end(ha);
}

/* ---- the owner ---- */

/* The client was here later, or only we know of it. */
static bool ours_stays(const struct ha *ha, const struct ha_entry *e, uint64_t key, uint64_t theirs, bool deleted)
{
	if (!e)
		return deleted;
	/* What was closed here, because the client was there, is not closed. */
	if (e->deleted)
		return theirs == INT64_MAX;
	if (deleted)
		return heard(ha, key) != INT64_MAX;
	return heard(ha, key) <= theirs;
}

/* We took over from it when it had come to there: what it had done before that is known, or was known and is over. */
static uint64_t known_until(const struct ha *ha, const struct ha_position *at)
{
	return ha->parent.epoch.term > 0 && ha_epoch_equal(&ha->parent.epoch, &at->epoch) ? ha->parent.turn : 0;
}

static enum gw_err want(struct ha *ha, struct reader v, uint64_t known, struct ha_frame_writer *f)
{
	uint8_t *list = malloc(v.left / OFFER_LEN * 8 + 8);
	size_t n = 0;

	if (!list)
		return GW_ENOMEM;
	while (v.left >= OFFER_LEN) {
		uint64_t key = rd_u64(&v), version = rd_u64(&v), theirs = rd_u64(&v);
		bool deleted = rd_u8(&v) & OFFER_DELETED;

		if (version <= known ||
		    ours_stays(ha, ha_objects_find(&ha->objects, HA_OBJ_IKE, key), key, theirs, deleted))
			continue;
		put_u64(list + 8 * n, key);
		n++;
	}
	ha_field(f, HA_TAG_KEY_LIST, bytes_of(list, 8 * n));
	free(list);
	return v.left == 0 ? GW_OK : GW_EMALFORMED;
}

enum gw_err ha_heal_offered(struct ha *ha, struct bytes fields)
{
	struct reader r = rd_of(fields), v;
	struct ha_frame_writer f;
	enum gw_err code = GW_OK;
	struct ha_position at = { 0 };
	bool last = false;
	uint16_t tag;

	ha_frame_begin(&f, &ha->tx, HA_WANT);
	while (code == GW_OK && ha_field_next(&r, &tag, &v)) {
		if (tag == HA_TAG_OFFERS)
			code = want(ha, v, known_until(ha, &at), &f);
		else if (tag == HA_TAG_POSITION)
			at = ha_position_read(&v);
		else if (tag == HA_TAG_LAST)
			last = rd_u8(&v) != 0;
		else if (tag == HA_TAG_OWN_LIST)
			while (v.left >= 8)
				ha_ceiling_own(ha, rd_u64(&v));
		else
			code = ha_field_unknown(tag);
	}
	if (last)
		ha_field_u8(&f, HA_TAG_LAST, 1);
	if (code == GW_OK && r.bad)
		code = GW_EMALFORMED;
	if (ha_frame_end(&f) != GW_OK)
		return GW_ENOMEM;
	return code;
}

static void adopt(struct ha *ha, const struct ha_object *o)
{
	struct ha_change c = { .kind = HA_OBJ_IKE, .deleted = o->deleted, .key = o->key, .state = o->state };

	ha->ops->apply(ha->arg, &c, 1);
	ha->given_up += c.result == GW_EEXIST;
	ha->adopted += c.result == GW_OK && !o->deleted;
	if (c.result != GW_OK)
		log_warn(ha->env->log, "an IKE SA that only the other node had is not taken over: %.90s", c.text);
	ha_dirty(ha, HA_OBJ_IKE, o->key, o->deleted);
}

enum gw_err ha_heal_given(struct ha *ha, struct bytes fields)
{
	struct reader r = rd_of(fields), v;
	struct ha_object o;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag == HA_TAG_LAST) {
			ha_ceilings_unwanted(ha);
		} else if (tag == HA_TAG_OBJECT) {
			TRY(ha_object_read(v, &o));
			if (o.kind == HA_OBJ_IKE)
				adopt(ha, &o);
		} else {
			TRY(ha_field_unknown(tag));
		}
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}
