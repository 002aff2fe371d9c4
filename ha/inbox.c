/*
 * A standby's side of the stream: turns and chunks, applied whole and in order; acknowledged when the data plane has
 * them too, for acknowledged means installed (DESIGN.md §3).
 */
#include <stdio.h>
#include <stdlib.h>

#include "ha/inside.h"

enum { REFUSALS_MAX = 1024, OBJECTS_MAX = 16384 };

void ha_inbox_init(struct ha_inbox *in)
{
	*in = (struct ha_inbox){ .tail = &in->head };
}

static void pending_free(struct ha_pending *p)
{
	free(p->keys);
	free(p);
}

void ha_inbox_clear(struct ha_inbox *in)
{
	while (in->head) {
		struct ha_pending *p = in->head;

		in->head = p->next;
		pending_free(p);
	}
	free(in->refusals);
	ha_inbox_init(in);
}

void ha_inbox_forget(struct ha_inbox *in)
{
	for (struct ha_pending *p = in->head; p; p = p->next) {
		p->turn = p->chunk = 0;
		p->end = false;
	}
	in->chunk = 0;
	in->refusal_count = 0;
	in->ack_due = false;
}

/* ---- reading ---- */

/* Everything of the frame, before anything of it is applied. */
static enum gw_err read_objects(struct bytes fields, uint64_t *turn, uint64_t *chunk, struct ha_object **out, size_t *n)
{
	struct reader r = rd_of(fields), v;
	size_t cap = 0;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		switch (tag) {
		case HA_TAG_TURN:
			*turn = rd_u64(&v);
			break;
		case HA_TAG_CHUNK:
			*chunk = rd_u64(&v);
			break;
		case HA_TAG_OBJECT:
			if (*n == cap) {
				size_t more = cap ? 2 * cap : 16;
				struct ha_object *grown =
					more <= OBJECTS_MAX ? realloc(*out, more * sizeof(*grown)) : NULL;

				if (!grown)
					return GW_ENOMEM;
				*out = grown;
				cap = more;
			}
			TRY(ha_object_read(v, &(*out)[(*n)++]));
			break;
		default:
			TRY(ha_field_unknown(tag));
		}
		if (v.bad)
			return GW_EMALFORMED;
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

/* ---- refusals ---- */

void ha_inbox_refuse(struct ha *ha, uint8_t kind, uint64_t key, enum gw_err code, const char *text)
{
	struct ha_inbox *in = &ha->in;
	struct ha_entry *e = ha_objects_find(&ha->objects, kind, key);
	struct ha_refusal *r, said = { .kind = kind, .key = key, .code = code };

	(void)snprintf(said.text, sizeof(said.text), "%s", text && *text ? text : gw_err_text(code));
	ha_refusal_keep(ha, &said);
	if (e)
		ha_objects_refuse(&ha->objects, e, true);
	in->refused_total++;
	if (in->refusal_count == in->refusal_cap) {
		size_t cap = in->refusal_cap ? 2 * in->refusal_cap : 8;
		struct ha_refusal *more = cap <= REFUSALS_MAX ? realloc(in->refusals, cap * sizeof(*more)) : NULL;

		if (!more)
			return; /* the owner is not told of this one; we know */
		in->refusals = more;
		in->refusal_cap = cap;
	}
	r = &in->refusals[in->refusal_count++];
	*r = said;
	in->ack_due = true;
}

/* ---- applying ---- */

/* What the owner says of it; false: we have something younger, and keep that. */
static bool note(struct ha *ha, const struct ha_object *o)
{
	struct ha_entry *e = ha_objects_find(&ha->objects, o->kind, o->key);

	if (!e && o->deleted)
		return false;
	/* A full resync may come from an owner that counts differently: only what it named itself is younger. */
	if (e && e->version > o->version && !(ha->sync.full && e->seen != ha->sync.round)) {
		e->seen = ha->sync.round;
		return false;
	}
	e = ha_objects_get(&ha->objects, o->kind, o->key);
	if (!e)
		return true; /* applied all the same; the digests will differ and settle it */
	ha_objects_refuse(&ha->objects, e, false);
	e->seen = ha->sync.round;
	if (o->deleted)
		ha_objects_drop(&ha->objects, e);
	else
		ha_objects_set(&ha->objects, e, o->version, false);
	return true;
}

static void apply(struct ha *ha, const struct ha_object *objects, size_t n)
{
	struct ha_change *changes = calloc(n ? n : 1, sizeof(*changes));
	size_t count = 0;

	/* Ceilings first: the SAs that they are of are installed by them. */
	for (size_t i = 0; i < n; i++)
		if (objects[i].kind == HA_OBJ_CEILING && !objects[i].deleted && note(ha, &objects[i])) {
			enum gw_err code = ha_ceiling_apply(ha, objects[i].key, false, objects[i].state);

			if (code != GW_OK)
				ha_inbox_refuse(ha, HA_OBJ_CEILING, objects[i].key, code, NULL);
		}
	for (size_t i = 0; i < n; i++) {
		const struct ha_object *o = &objects[i];

		if (o->kind == HA_OBJ_CEILING || !note(ha, o))
			continue;
		if (!changes) {
			ha_inbox_refuse(ha, o->kind, o->key, GW_ENOMEM, NULL);
			continue;
		}
		changes[count++] = (struct ha_change){
			.kind = (enum ha_kind)o->kind, .deleted = o->deleted, .key = o->key, .state = o->state
		};
	}
	if (count > 0)
		ha->ops->apply(ha->arg, changes, count);
	for (size_t i = 0; i < count; i++)
		if (changes[i].result != GW_OK)
			ha_inbox_refuse(ha, (uint8_t)changes[i].kind, changes[i].key, changes[i].result,
					changes[i].text);
	for (size_t i = 0; i < n; i++)
		if (objects[i].kind == HA_OBJ_CEILING && objects[i].deleted && note(ha, &objects[i]))
			(void)!ha_ceiling_apply(ha, objects[i].key, true, (struct bytes){ 0 });
	free(changes);
}

uint64_t ha_inbox_token(struct ha *ha, uint64_t key)
{
	struct ha_pending *p = ha->in.current;
	uint64_t *keys;

	ha->token++;
	if (!p)
		return HA_TOKEN | ha->token; /* of nothing that anybody waits for */
	if (p->tokens == 0)
		p->first_token = ha->token;
	keys = p->keyless ? NULL : realloc(p->keys, (p->tokens + 1) * sizeof(*keys));
	if (keys) {
		p->keys = keys;
		keys[p->tokens] = key;
	}
	p->keyless |= !keys;
	p->tokens++;
	p->outstanding++;
	return HA_TOKEN | ha->token;
}

static void advance(struct ha *ha)
{
	struct ha_inbox *in = &ha->in;

	while (in->head && in->head->outstanding == 0 && in->head != in->current) {
		struct ha_pending *p = in->head;

		in->head = p->next;
		if (!in->head)
			in->tail = &in->head;
		if (p->turn)
			in->installed = p->turn;
		if (p->chunk)
			in->chunk = p->chunk;
		in->ack_due = true;
		if (p->end)
			ha_resync_ended(ha);
		pending_free(p);
	}
}

void ha_inbox_done(struct ha *ha, uint64_t token, enum gw_err result, const char *text)
{
	uint64_t number = token & ~HA_TOKEN;

	for (struct ha_pending *p = ha->in.head; p; p = p->next) {
		if (p->tokens == 0 || number < p->first_token || number >= p->first_token + p->tokens)
			continue;
		if (p->outstanding > 0)
			p->outstanding--;
		if (result != GW_OK && !p->keyless && p->keys[number - p->first_token])
			ha_inbox_refuse(ha, HA_OBJ_IKE, p->keys[number - p->first_token], result, text);
		break;
	}
	advance(ha);
}

/* TURN, CHUNK and END. */
enum gw_err ha_inbox_turn(struct ha *ha, uint8_t type, struct bytes fields)
{
	struct ha_inbox *in = &ha->in;
	struct ha_object *objects = NULL;
	struct ha_pending *p;
	uint64_t turn = 0, chunk = 0;
	size_t n = 0;
	enum gw_err code = read_objects(fields, &turn, &chunk, &objects, &n);

	if (code == GW_OK && (type == HA_TURN ? turn == 0 : chunk == 0))
		code = GW_EMALFORMED;
	/* Applied before: its acknowledgement may have been lost with the link. */
	if (code == GW_OK && type == HA_TURN && turn <= in->applied) {
		in->ack_due = true;
		free(objects);
		return GW_OK;
	}
	if (code == GW_OK && type == HA_TURN && turn != in->applied + 1)
		code = GW_EMALFORMED; /* a turn is missing: not from here on */
	p = code == GW_OK ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		free(objects);
		return code == GW_OK ? GW_ENOMEM : code;
	}
	p->turn = type == HA_TURN ? turn : 0;
	p->chunk = type == HA_TURN ? 0 : chunk;
	p->end = type == HA_END;
	*in->tail = p;
	in->tail = &p->next;
	in->current = p;
	apply(ha, objects, n);
	if (p->end)
		ha_resync_sweep(ha);
	in->current = NULL;
	if (type == HA_TURN)
		in->applied = turn;
	free(objects);
	advance(ha);
	return GW_OK;
}

void ha_inbox_ack(struct ha *ha)
{
	struct ha_inbox *in = &ha->in;
	struct ha_frame_writer f;

	if (!in->ack_due || ha_is_owner(ha))
		return;
	ha_frame_begin(&f, &ha->tx, HA_ACK);
	ha_odd_field(ha, &f);
	ha_field_u64(&f, HA_TAG_TURN, in->installed);
	ha_field_u64(&f, HA_TAG_CHUNK, in->chunk);
	for (size_t i = 0; i < in->refusal_count; i++)
		ha_refusal_write(&f, &in->refusals[i]);
	if (ha_frame_end(&f) != GW_OK)
		return; /* the next one says it all */
	in->ack_due = false;
	in->refusal_count = 0;
}
