#include "ike/payload.h"

enum { CFG_TYPE_MASK = 0x7fff }; /* the top bit is reserved (3.15.1) */

/*
 * Sizes of values are left to who uses them: clients put addresses of a wrong size, or text, into requests, and what we
 * do not understand there is better ignored than refused.
 */
enum gw_err cp_parse(struct reader r, struct cp_payload *out)
{
	out->type = rd_u8(&r);
	rd_skip(&r, 3);
	out->count = 0;
	while (r.left > 0) {
		struct cfg_attribute a;

		a.type = rd_u16(&r) & CFG_TYPE_MASK;
		a.value = rd_bytes(&r, rd_u16(&r));
		if (r.bad)
			return GW_EMALFORMED;
		if (out->count < IKE_MAX_CFG_ATTRS)
			out->a[out->count++] = a;
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

size_t cp_begin(struct msg_writer *m, uint8_t type)
{
	size_t mark = payload_begin(m, PL_CP);

	wr_u8(&m->w, type);
	wr_zero(&m->w, 3);
	return mark;
}

void cp_attr(struct msg_writer *m, uint16_t type, struct bytes value)
{
	if (value.n > UINT16_MAX)
		m->w.bad = true;
	wr_u16(&m->w, type & CFG_TYPE_MASK);
	wr_u16(&m->w, (uint16_t)value.n);
	wr_bytes(&m->w, value);
}

void cp_end(struct msg_writer *m, size_t mark)
{
	payload_end(m, mark);
}
