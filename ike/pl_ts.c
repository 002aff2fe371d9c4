#include "ike/payload.h"

enum { TS_HEAD = 8 }; /* octets before the addresses */

/* Octets of an address of that selector type; 0: a type that we do not know. */
static size_t ts_addr_len(uint8_t type)
{
	switch (type) {
	case TS_IPV4_ADDR_RANGE:
		return 4;
	case TS_IPV6_ADDR_RANGE:
		return 16;
	default:
		return 0;
	}
}

/* One of a type that we know; *keep is false where it says something that we cannot express. */
static enum gw_err fields_parse(struct reader r, size_t addr_octets, uint8_t proto, struct selector *s, bool *keep)
{
	s->proto = proto;
	s->port_lo = rd_u16(&r);
	s->port_hi = rd_u16(&r);
	if (!addr_from_bytes(&s->range.lo, rd_bytes(&r, addr_octets)) ||
	    !addr_from_bytes(&s->range.hi, rd_bytes(&r, addr_octets)))
		return GW_EMALFORMED;
	if (r.bad || r.left > 0 || addr_cmp(&s->range.lo, &s->range.hi) > 0)
		return GW_EMALFORMED;
	/* 3.13.1: 65535 to 0 stands for OPAQUE, the ports of packets that do not show theirs. */
	*keep = s->port_lo <= s->port_hi;
	return *keep || (s->port_lo == UINT16_MAX && s->port_hi == 0) ? GW_OK : GW_EMALFORMED;
}

static enum gw_err selector_read(struct reader *outer, struct ts_payload *out)
{
	uint8_t type = rd_u8(outer);
	uint8_t proto = rd_u8(outer);
	uint16_t length = rd_u16(outer);
	size_t octets = ts_addr_len(type);
	bool keep = false;
	struct selector s;
	struct reader r;

	if (outer->bad || length < 4)
		return GW_EMALFORMED;
	r = rd_sub(outer, length - 4U);
	if (outer->bad)
		return GW_EMALFORMED;
	if (octets > 0) {
		memset(&s, 0, sizeof(s));
		TRY(fields_parse(r, octets, proto, &s, &keep));
	}
	if (keep && out->count < IKE_MAX_SELECTORS)
		out->s[out->count++] = s;
	else
		out->ignored++;
	return GW_OK;
}

enum gw_err ts_parse(struct reader r, struct ts_payload *out)
{
	uint8_t n = rd_u8(&r);

	rd_skip(&r, 3);
	out->count = 0;
	out->ignored = 0;
	if (r.bad || n == 0)
		return GW_EMALFORMED;
	for (unsigned i = 0; i < n; i++)
		TRY(selector_read(&r, out));
	return r.left > 0 ? GW_EMALFORMED : GW_OK;
}

static void selector_write(struct writer *w, const struct selector *s)
{
	size_t octets = addr_len(&s->range.lo);

	if (octets == 0 || addr_len(&s->range.hi) != octets)
		w->bad = true;
	wr_u8(w, octets == 4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	wr_u8(w, s->proto);
	wr_u16(w, (uint16_t)(TS_HEAD + 2 * octets));
	wr_u16(w, s->port_lo);
	wr_u16(w, s->port_hi);
	wr_bytes(w, addr_bytes(&s->range.lo));
	wr_bytes(w, addr_bytes(&s->range.hi));
}

void ts_write(struct msg_writer *m, uint8_t payload, const struct selector *s, size_t n)
{
	size_t mark = payload_begin(m, payload);

	if (n == 0 || n > UINT8_MAX)
		m->w.bad = true;
	wr_u8(&m->w, (uint8_t)n);
	wr_zero(&m->w, 3);
	for (size_t i = 0; i < n && !m->w.bad; i++)
		selector_write(&m->w, &s[i]);
	payload_end(m, mark);
}
