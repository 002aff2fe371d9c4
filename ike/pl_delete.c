#include "ike/payload.h"

enum { ESP_SPI_LEN = 4 };

enum gw_err delete_parse(struct reader r, struct delete_payload *out)
{
	bool ike;

	out->protocol = rd_u8(&r);
	out->spi_len = rd_u8(&r);
	out->count = rd_u16(&r);
	out->spis = rd_rest(&r);
	/* 3.11: an IKE SA is the one that the message comes in, without an SPI; AH and ESP have theirs. */
	ike = out->protocol == PROTO_IKE;
	if (r.bad || (!ike && out->protocol != PROTO_AH && out->protocol != PROTO_ESP))
		return GW_EMALFORMED;
	if (out->spi_len != (ike ? 0 : ESP_SPI_LEN) || out->spis.n != (size_t)out->spi_len * out->count)
		return GW_EMALFORMED;
	if (ike)
		out->count = 0;
	return GW_OK;
}

void delete_write(struct msg_writer *m, uint8_t protocol, const uint32_t *spis, size_t count)
{
	size_t mark = payload_begin(m, PL_DELETE);

	if (count > UINT16_MAX)
		m->w.bad = true;
	wr_u8(&m->w, protocol);
	wr_u8(&m->w, protocol == PROTO_IKE ? 0 : ESP_SPI_LEN);
	wr_u16(&m->w, (uint16_t)count);
	for (size_t i = 0; i < count && !m->w.bad; i++)
		wr_u32(&m->w, spis[i]);
	payload_end(m, mark);
}
