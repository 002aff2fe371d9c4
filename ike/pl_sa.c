#include "ike/payload.h"

enum {
	PROPOSAL_MORE = 2,   /* "last substruc": another proposal follows */
	TRANSFORM_MORE = 3,  /* another transform follows */
	PROPOSAL_HEAD = 8,   /* octets before the SPI */
	TRANSFORM_HEAD = 8,  /* octets before the attributes */
	ATTR_SHORT = 0x8000, /* value in place of the length (3.3.5) */
	ATTR_KEY_LENGTH = 14,
};

/* Legal SPI sizes: IKE none, or 8 when rekeying; AH and ESP 4 (3.3.1). */
static bool spi_size_ok(uint8_t protocol, size_t n)
{
	switch (protocol) {
	case PROTO_IKE:
		return n == 0 || n == 8;
	case PROTO_AH:
	case PROTO_ESP:
		return n == 4;
	default:
		return n == 0 || n == 4 || n == 8;
	}
}

static enum gw_err attributes_parse(struct reader r, struct transform *t)
{
	while (r.left > 0) {
		uint16_t type = rd_u16(&r);
		uint16_t value = rd_u16(&r);

		if (!(type & ATTR_SHORT))
			rd_skip(&r, value);
		if (r.bad)
			return GW_EMALFORMED;
		/* 3.3.5: the only attribute that we know comes in the short form and is never 0; 3.3.6: a transform
		 * with one that is not understood is not acceptable, but the rest of the proposal may be. */
		if (type != (ATTR_SHORT | ATTR_KEY_LENGTH) || value == 0 || t->key_bits != 0)
			t->key_bits = KEY_BITS_UNKNOWN;
		else
			t->key_bits = value;
	}
	return GW_OK;
}

static enum gw_err transform_read(struct reader *r, struct transform *t)
{
	uint8_t more = rd_u8(r);
	struct reader attrs;
	uint16_t length;

	rd_skip(r, 1);
	length = rd_u16(r);
	t->type = rd_u8(r);
	rd_skip(r, 1);
	t->id = rd_u16(r);
	t->key_bits = 0;
	if (r->bad || length < TRANSFORM_HEAD)
		return GW_EMALFORMED;
	attrs = rd_sub(r, length - (size_t)TRANSFORM_HEAD);
	if (r->bad || more != (r->left > 0 ? TRANSFORM_MORE : 0))
		return GW_EMALFORMED;
	return attributes_parse(attrs, t);
}

static enum gw_err proposal_read(struct reader *outer, struct sa_payload *out)
{
	struct proposal *p = &out->p[out->count];
	uint8_t more = rd_u8(outer);
	uint8_t spi_len, transforms;
	struct reader r;
	uint16_t length;

	rd_skip(outer, 1);
	length = rd_u16(outer);
	if (outer->bad || length < PROPOSAL_HEAD)
		return GW_EMALFORMED;
	r = rd_sub(outer, length - 4U);
	if (outer->bad || more != (outer->left > 0 ? PROPOSAL_MORE : 0))
		return GW_EMALFORMED;
	p->number = rd_u8(&r);
	p->protocol = rd_u8(&r);
	spi_len = rd_u8(&r);
	transforms = rd_u8(&r);
	p->spi = rd_bytes(&r, spi_len);
	if (r.bad || transforms == 0 || !spi_size_ok(p->protocol, spi_len))
		return GW_EMALFORMED;
	p->first = (uint16_t)out->transforms;
	p->count = transforms;
	for (unsigned i = 0; i < transforms; i++) {
		if (out->transforms == IKE_MAX_TRANSFORMS)
			return GW_EMALFORMED;
		TRY(transform_read(&r, &out->t[out->transforms]));
		out->transforms++;
	}
	return r.left > 0 ? GW_EMALFORMED : GW_OK;
}

enum gw_err sa_parse(struct reader r, struct sa_payload *out)
{
	out->count = 0;
	out->transforms = 0;
	do {
		if (out->count == IKE_MAX_PROPOSALS)
			return GW_EMALFORMED;
		TRY(proposal_read(&r, out));
		out->count++;
	} while (r.left > 0);
	return GW_OK;
}

size_t sa_begin(struct msg_writer *m)
{
	return payload_begin(m, PL_SA);
}

static void transform_write(struct writer *w, const struct transform *t, bool more)
{
	bool attr = t->key_bits != 0;

	wr_u8(w, more ? TRANSFORM_MORE : 0);
	wr_u8(w, 0);
	wr_u16(w, attr ? TRANSFORM_HEAD + 4 : TRANSFORM_HEAD);
	wr_u8(w, t->type);
	wr_u8(w, 0);
	wr_u16(w, t->id);
	if (attr) {
		wr_u16(w, ATTR_SHORT | ATTR_KEY_LENGTH);
		wr_u16(w, t->key_bits);
	}
}

void proposal_write(struct msg_writer *m, uint8_t number, uint8_t protocol, struct bytes spi, const struct transform *t,
		    size_t n, bool more)
{
	size_t mark = m->w.n;

	if (spi.n > 8 || n > UINT8_MAX)
		m->w.bad = true;
	wr_u8(&m->w, more ? PROPOSAL_MORE : 0);
	wr_u8(&m->w, 0);
	wr_u16(&m->w, 0);
	wr_u8(&m->w, number);
	wr_u8(&m->w, protocol);
	wr_u8(&m->w, (uint8_t)spi.n);
	wr_u8(&m->w, (uint8_t)n);
	wr_bytes(&m->w, spi);
	for (size_t i = 0; i < n; i++)
		transform_write(&m->w, &t[i], i + 1 < n);
	wr_patch_u16(&m->w, mark + 2, (uint16_t)(m->w.n - mark));
}

void sa_end(struct msg_writer *m, size_t mark)
{
	payload_end(m, mark);
}
