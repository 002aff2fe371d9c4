#include "ike/payload.h"

enum gw_err ke_parse(struct reader r, struct ke_payload *out)
{
	out->group = rd_u16(&r);
	rd_skip(&r, 2);
	out->data = rd_rest(&r);
	return r.bad || out->data.n == 0 ? GW_EMALFORMED : GW_OK;
}

void ke_write(struct msg_writer *m, uint16_t group, struct bytes data)
{
	size_t mark = payload_begin(m, PL_KE);

	wr_u16(&m->w, group);
	wr_u16(&m->w, 0);
	wr_bytes(&m->w, data);
	payload_end(m, mark);
}

enum gw_err nonce_parse(struct reader r, struct bytes *out)
{
	*out = rd_rest(&r);
	return r.bad || out->n < IKE_NONCE_MIN || out->n > IKE_NONCE_MAX ? GW_EMALFORMED : GW_OK;
}

void nonce_write(struct msg_writer *m, struct bytes nonce)
{
	size_t mark = payload_begin(m, PL_NONCE);

	wr_bytes(&m->w, nonce);
	payload_end(m, mark);
}
