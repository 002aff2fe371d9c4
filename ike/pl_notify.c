#include "ike/payload.h"

/* 3.10: SPIs have 4 octets with AH and ESP, 8 with IKE. Peers name a protocol without an SPI too, which means nothing.
 */
static bool spi_size_ok(uint8_t protocol, size_t n)
{
	switch (protocol) {
	case PROTO_IKE:
		return n == 0 || n == 8;
	case PROTO_AH:
	case PROTO_ESP:
		return n == 0 || n == 4;
	default:
		return n == 0 || n == 4 || n == 8;
	}
}

enum gw_err notify_parse(struct reader r, struct notify_payload *out)
{
	uint8_t spi_len;

	out->protocol = rd_u8(&r);
	spi_len = rd_u8(&r);
	out->type = rd_u16(&r);
	out->spi = rd_bytes(&r, spi_len);
	out->data = rd_rest(&r);
	return r.bad || !spi_size_ok(out->protocol, spi_len) ? GW_EMALFORMED : GW_OK;
}

void notify_write(struct msg_writer *m, uint8_t protocol, struct bytes spi, uint16_t type, struct bytes data)
{
	size_t mark = payload_begin(m, PL_NOTIFY);

	if (spi.n > 8)
		m->w.bad = true;
	wr_u8(&m->w, protocol);
	wr_u8(&m->w, (uint8_t)spi.n);
	wr_u16(&m->w, type);
	wr_bytes(&m->w, spi);
	wr_bytes(&m->w, data);
	payload_end(m, mark);
}
