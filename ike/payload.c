/* The chain that all payload writers add to: generic header (RFC 7296 3.2), next-payload links, lengths. */
#include "ike/payload.h"

#include "ike/message.h"

enum { GENERIC_LEN = 4, HEADER_NEXT_AT = 16, HEADER_LENGTH_AT = 24 };

void msg_begin(struct msg_writer *m, void *buf, size_t cap, const struct ike_header *h)
{
	*m = (struct msg_writer){ wr_of(buf, cap), HEADER_NEXT_AT, PL_NONE };
	wr_u64(&m->w, h->spi_i);
	wr_u64(&m->w, h->spi_r);
	wr_u8(&m->w, PL_NONE);
	wr_u8(&m->w, h->version);
	wr_u8(&m->w, h->exchange);
	wr_u8(&m->w, h->flags);
	wr_u32(&m->w, h->id);
	wr_u32(&m->w, 0);
}

enum gw_err msg_finish(struct msg_writer *m, struct bytes *out)
{
	*out = (struct bytes){ 0 };
	if (m->w.bad || m->w.n > IKE_MAX_MESSAGE)
		return GW_ELIMIT;
	wr_patch_u32(&m->w, HEADER_LENGTH_AT, (uint32_t)m->w.n);
	*out = wr_done(&m->w);
	return GW_OK;
}

void chain_begin(struct msg_writer *m, void *buf, size_t cap)
{
	*m = (struct msg_writer){ wr_of(buf, cap), SIZE_MAX, PL_NONE };
}

enum gw_err chain_finish(struct msg_writer *m, struct bytes *out)
{
	*out = (struct bytes){ 0 };
	if (m->w.bad || m->w.n > IKE_MAX_MESSAGE)
		return GW_ELIMIT;
	*out = wr_done(&m->w);
	return GW_OK;
}

size_t payload_begin(struct msg_writer *m, uint8_t type)
{
	size_t mark = m->w.n;

	if (m->first == PL_NONE)
		m->first = type;
	if (m->next_at != SIZE_MAX)
		wr_patch_u8(&m->w, m->next_at, type);
	m->next_at = mark;
	wr_zero(&m->w, GENERIC_LEN);
	return mark;
}

void payload_end(struct msg_writer *m, size_t mark)
{
	size_t n = m->w.n - mark;

	if (n > UINT16_MAX)
		m->w.bad = true;
	wr_patch_u16(&m->w, mark + 2, (uint16_t)n);
}
