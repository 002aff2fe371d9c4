#include "config/model.h"
#include "ike/payload.h"

enum gw_err id_parse(struct reader r, struct id_payload *out)
{
	struct reader whole = r;

	out->kind = rd_u8(&r);
	rd_skip(&r, 3);
	out->data = rd_rest(&r);
	out->body = rd_rest(&whole);
	if (r.bad || out->data.n > IKE_MAX_ID)
		return GW_EMALFORMED;
	/* 3.5: an address has its own size; the other kinds are texts and blobs, which some peers leave empty. */
	if ((out->kind == ID_IPV4 && out->data.n != 4) || (out->kind == ID_IPV6 && out->data.n != 16))
		return GW_EMALFORMED;
	return GW_OK;
}

void id_write(struct msg_writer *m, uint8_t payload, uint8_t kind, struct bytes data)
{
	size_t mark = payload_begin(m, payload);

	wr_u8(&m->w, kind);
	wr_zero(&m->w, 3);
	wr_bytes(&m->w, data);
	payload_end(m, mark);
}

enum gw_err auth_parse(struct reader r, struct auth_payload *out)
{
	out->method = rd_u8(&r);
	rd_skip(&r, 3);
	out->data = rd_rest(&r);
	return r.bad || out->data.n == 0 ? GW_EMALFORMED : GW_OK;
}

void auth_write(struct msg_writer *m, uint8_t method, struct bytes data)
{
	size_t mark = payload_begin(m, PL_AUTH);

	wr_u8(&m->w, method);
	wr_zero(&m->w, 3);
	wr_bytes(&m->w, data);
	payload_end(m, mark);
}
