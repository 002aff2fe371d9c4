#include "ike/payload.h"

/* CERT and CERTREQ look the same (3.6, 3.7); a CERTREQ may name no authority at all. */
enum gw_err cert_parse(struct reader r, struct cert_payload *out)
{
	out->encoding = rd_u8(&r);
	out->data = rd_rest(&r);
	return r.bad ? GW_EMALFORMED : GW_OK;
}

void cert_write(struct msg_writer *m, uint8_t payload, uint8_t encoding, struct bytes data)
{
	size_t mark = payload_begin(m, payload);

	wr_u8(&m->w, encoding);
	wr_bytes(&m->w, data);
	payload_end(m, mark);
}

void vendor_write(struct msg_writer *m, struct bytes id)
{
	size_t mark = payload_begin(m, PL_VENDOR);

	wr_bytes(&m->w, id);
	payload_end(m, mark);
}
