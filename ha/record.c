#include "ha/record.h"

#include <stdlib.h>

#include "core/secret.h"

enum { BUFFER_FIRST = 4096, BUFFER_KEPT = 262144, OBJECT_HEADER = 20, POSITION_LEN = 17 };

/* ---- bytes that grow ---- */

void ha_buffer_clear(struct ha_buffer *b)
{
	if (b->p)
		secret_wipe(b->p, b->n);
	free(b->p);
	*b = (struct ha_buffer){ 0 };
}

/* What was taken is room again. */
static void compact(struct ha_buffer *b)
{
	size_t left = b->n - b->at, was = b->n;

	if (b->at == 0)
		return;
	memmove(b->p, b->p + b->at, left);
	secret_wipe(b->p + left, was - left);
	b->at = 0;
	b->n = left;
}

uint8_t *ha_buffer_room(struct ha_buffer *b, size_t n)
{
	size_t cap = b->cap ? b->cap : BUFFER_FIRST;
	uint8_t *p;

	if (b->cap - b->n >= n && b->p)
		return b->p + b->n;
	/* Moved only when that gives much room: else each octet would be moved over and over. */
	if (b->at > b->cap / 2)
		compact(b);
	if (b->cap - b->n >= n && b->p)
		return b->p + b->n;
	while (cap < b->n + n)
		cap *= 2;
	p = malloc(cap);
	if (!p)
		return NULL;
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	if (b->p)
		secret_wipe(b->p, b->n);
	free(b->p);
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

void ha_buffer_take(struct ha_buffer *b, size_t n)
{
	b->at += n < b->n - b->at ? n : b->n - b->at;
	if (b->at < b->n)
		return;
	if (b->cap > BUFFER_KEPT) {
		ha_buffer_clear(b);
		return;
	}
	if (b->p)
		secret_wipe(b->p, b->n);
	b->at = b->n = 0;
}

/* ---- out ---- */

/* `start` counts from the front of what is not taken: the buffer may move. */
void ha_frame_begin(struct ha_frame_writer *f, struct ha_buffer *b, enum ha_frame_type type)
{
	uint8_t *p = ha_buffer_room(b, HA_FRAME_HEADER);

	*f = (struct ha_frame_writer){ .buffer = b, .start = ha_buffer_len(b), .bad = !p };
	if (!p)
		return;
	memset(p, 0, HA_FRAME_HEADER);
	p[0] = (uint8_t)type;
	ha_buffer_add(b, HA_FRAME_HEADER);
}

size_t ha_frame_len(const struct ha_frame_writer *f)
{
	return ha_buffer_len(f->buffer) - f->start;
}

void ha_frame_drop(struct ha_frame_writer *f)
{
	size_t keep = f->buffer->at + f->start;

	if (f->buffer->p && f->buffer->n > keep)
		secret_wipe(f->buffer->p + keep, f->buffer->n - keep);
	if (f->buffer->n > keep)
		f->buffer->n = keep;
}

enum gw_err ha_frame_end(struct ha_frame_writer *f)
{
	size_t len = f->bad ? 0 : ha_frame_len(f);

	if (f->bad || len > HA_FRAME_MAX) {
		ha_frame_drop(f);
		return f->bad ? GW_ENOMEM : GW_ELIMIT;
	}
	put_u32(f->buffer->p + f->buffer->at + f->start + 4, (uint32_t)(len - HA_FRAME_HEADER));
	return GW_OK;
}

static void field_head(uint8_t *p, uint16_t tag, size_t n)
{
	put_u16(p, tag);
	put_u32(p + 2, (uint32_t)n);
}

void ha_field(struct ha_frame_writer *f, uint16_t tag, struct bytes value)
{
	uint8_t *p = f->bad ? NULL : ha_buffer_room(f->buffer, HA_FIELD_HEADER + value.n);

	if (!p) {
		f->bad = true;
		return;
	}
	field_head(p, tag, value.n);
	if (value.n > 0)
		memcpy(p + HA_FIELD_HEADER, value.p, value.n);
	ha_buffer_add(f->buffer, HA_FIELD_HEADER + value.n);
}

void ha_field_u8(struct ha_frame_writer *f, uint16_t tag, uint8_t v)
{
	ha_field(f, tag, bytes_of(&v, 1));
}

void ha_field_u32(struct ha_frame_writer *f, uint16_t tag, uint32_t v)
{
	uint8_t b[4];

	put_u32(b, v);
	ha_field(f, tag, bytes_of(b, sizeof(b)));
}

void ha_field_u64(struct ha_frame_writer *f, uint16_t tag, uint64_t v)
{
	uint8_t b[8];

	put_u64(b, v);
	ha_field(f, tag, bytes_of(b, sizeof(b)));
}

void ha_object_begin(struct ha_frame_writer *f, const struct ha_object *o, struct writer *w)
{
	uint8_t *p = f->bad ? NULL : ha_buffer_room(f->buffer, HA_FIELD_HEADER + OBJECT_HEADER + HA_OBJECT_MAX);

	*w = wr_of(NULL, 0);
	if (!p) {
		f->bad = true;
		return;
	}
	memset(p, 0, HA_FIELD_HEADER + OBJECT_HEADER);
	p[HA_FIELD_HEADER] = o->kind;
	p[HA_FIELD_HEADER + 1] = o->deleted;
	put_u64(p + HA_FIELD_HEADER + 4, o->key);
	put_u64(p + HA_FIELD_HEADER + 12, o->version);
	*w = wr_of(p + HA_FIELD_HEADER + OBJECT_HEADER, HA_OBJECT_MAX);
}

void ha_object_end(struct ha_frame_writer *f, const struct writer *w)
{
	if (f->bad)
		return;
	field_head(w->p - OBJECT_HEADER - HA_FIELD_HEADER, HA_TAG_OBJECT, OBJECT_HEADER + w->n);
	ha_buffer_add(f->buffer, HA_FIELD_HEADER + OBJECT_HEADER + w->n);
}

void ha_position_write(struct ha_frame_writer *f, uint16_t tag, const struct ha_position *p)
{
	uint8_t b[POSITION_LEN];
	struct writer w = wr_of(b, sizeof(b));

	wr_u32(&w, p->epoch.term);
	wr_u32(&w, p->epoch.incarnation);
	wr_u8(&w, p->epoch.index);
	wr_u64(&w, p->turn);
	ha_field(f, tag, wr_done(&w));
}

enum hello_tag {
	HELLO_FORMAT = 1, /* major 1, minor 1 */
	HELLO_CLUSTER,
	HELLO_NODE,
	HELLO_SOFTWARE,
	HELLO_WHO,  /* index 1, incarnation 4 */
	HELLO_TERM, /* term 4, owned term 4 */
	HELLO_ROLE, /* role 1, flags 1 */
	HELLO_CONFIG,
	HELLO_AT,
	HELLO_SEEN,
};

enum gw_err ha_hello_write(struct ha_buffer *b, const struct ha_hello *h)
{
	struct ha_frame_writer f;
	uint8_t format[2] = { h->major, h->minor }, who[5], term[8], role[2] = { h->role, h->flags };

	who[0] = h->index;
	put_u32(who + 1, h->incarnation);
	put_u32(term, h->term);
	put_u32(term + 4, h->owned_term);
	ha_frame_begin(&f, b, HA_HELLO);
	ha_field(&f, HELLO_FORMAT, bytes_of(format, sizeof(format)));
	ha_field(&f, HELLO_CLUSTER, h->cluster);
	ha_field(&f, HELLO_NODE, h->node);
	if (h->odd)
		ha_field_u32(&f, HA_TAG_ODD, 1);
	else
		ha_field(&f, HELLO_SOFTWARE, h->software);
	ha_field(&f, HELLO_WHO, bytes_of(who, sizeof(who)));
	ha_field(&f, HELLO_TERM, bytes_of(term, sizeof(term)));
	ha_field(&f, HELLO_ROLE, bytes_of(role, sizeof(role)));
	ha_field_u64(&f, HELLO_CONFIG, h->config_hash);
	ha_position_write(&f, HELLO_AT, &h->at);
	if (!h->odd)
		ha_field_u64(&f, HELLO_SEEN, h->seen);
	return ha_frame_end(&f);
}

void ha_refusal_write(struct ha_frame_writer *f, const struct ha_refusal *r)
{
	uint8_t b[12 + sizeof(r->text)];
	struct writer w = wr_of(b, sizeof(b));

	wr_u8(&w, r->kind);
	wr_u8(&w, 0);
	wr_u16(&w, (uint16_t)r->code);
	wr_u64(&w, r->key);
	wr_bytes(&w, bytes_str(r->text));
	ha_field(f, HA_TAG_REFUSAL, wr_done(&w));
}

/* ---- in ---- */

enum gw_err ha_frame_next(struct bytes stream, struct ha_frame *out, size_t *taken)
{
	struct reader r = rd_of(stream);
	uint32_t len;

	if (stream.n < HA_FRAME_HEADER)
		return GW_PENDING;
	out->type = rd_u8(&r);
	rd_skip(&r, 3);
	len = rd_u32(&r);
	if (out->type == 0 || len > HA_FRAME_MAX)
		return GW_EMALFORMED;
	if (r.left < len)
		return GW_PENDING;
	out->fields = rd_bytes(&r, len);
	*taken = HA_FRAME_HEADER + len;
	return GW_OK;
}

bool ha_field_next(struct reader *r, uint16_t *tag, struct reader *value)
{
	uint32_t len;

	if (r->bad || r->left == 0)
		return false;
	*tag = rd_u16(r);
	len = rd_u32(r);
	*value = rd_sub(r, len);
	return !r->bad;
}

enum gw_err ha_field_unknown(uint16_t tag)
{
	return tag & HA_CRITICAL ? GW_EUNSUPPORTED : GW_OK;
}

struct ha_position ha_position_read(struct reader *v)
{
	struct ha_position p = { 0 };

	p.epoch.term = rd_u32(v);
	p.epoch.incarnation = rd_u32(v);
	p.epoch.index = rd_u8(v);
	p.turn = rd_u64(v);
	return p;
}

static enum gw_err hello_field(uint16_t tag, struct reader *v, struct ha_hello *out)
{
	switch (tag) {
	case HELLO_FORMAT:
		out->major = rd_u8(v);
		out->minor = rd_u8(v);
		break;
	case HELLO_CLUSTER:
		out->cluster = rd_rest(v);
		break;
	case HELLO_NODE:
		out->node = rd_rest(v);
		break;
	case HELLO_SOFTWARE:
		out->software = rd_rest(v);
		break;
	case HELLO_WHO:
		out->index = rd_u8(v);
		out->incarnation = rd_u32(v);
		break;
	case HELLO_TERM:
		out->term = rd_u32(v);
		out->owned_term = rd_u32(v);
		break;
	case HELLO_ROLE:
		out->role = rd_u8(v);
		out->flags = rd_u8(v);
		break;
	case HELLO_CONFIG:
		out->config_hash = rd_u64(v);
		break;
	case HELLO_AT:
		out->at = ha_position_read(v);
		break;
	case HELLO_SEEN:
		out->seen = rd_u64(v);
		break;
	default:
		return ha_field_unknown(tag);
	}
	return GW_OK;
}

enum gw_err ha_hello_read(struct bytes fields, struct ha_hello *out)
{
	struct reader r = rd_of(fields), v;
	uint16_t tag;

	memset(out, 0, sizeof(*out));
	while (ha_field_next(&r, &tag, &v)) {
		TRY(hello_field(tag, &v, out));
		if (v.bad)
			return GW_EMALFORMED;
	}
	if (r.bad || out->cluster.n > HA_NAME_MAX || out->node.n > HA_NAME_MAX || out->software.n > HA_NAME_MAX ||
	    (out->major == HA_FORMAT_MAJOR && out->role != HA_STANDBY && out->role != HA_ACTIVE))
		return GW_EMALFORMED;
	return GW_OK;
}

enum gw_err ha_object_read(struct reader v, struct ha_object *out)
{
	out->kind = rd_u8(&v);
	out->deleted = rd_u8(&v) & 1;
	rd_skip(&v, 2);
	out->key = rd_u64(&v);
	out->version = rd_u64(&v);
	out->state = rd_rest(&v);
	if (v.bad || out->kind == 0 || out->state.n > HA_OBJECT_MAX || (out->state.n == 0) != out->deleted)
		return GW_EMALFORMED;
	return GW_OK;
}

enum gw_err ha_refusal_read(struct reader v, struct ha_refusal *out)
{
	struct bytes text;

	memset(out, 0, sizeof(*out));
	out->kind = rd_u8(&v);
	(void)rd_u8(&v);
	out->code = (enum gw_err)rd_u16(&v);
	out->key = rd_u64(&v);
	text = rd_rest(&v);
	if (v.bad || text.n >= sizeof(out->text))
		return GW_EMALFORMED;
	if (text.n > 0)
		memcpy(out->text, text.p, text.n);
	return GW_OK;
}

bool ha_epoch_equal(const struct ha_epoch *a, const struct ha_epoch *b)
{
	return a->term == b->term && a->incarnation == b->incarnation && a->index == b->index;
}
