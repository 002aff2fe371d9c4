#include "ike/payload.h"

enum { EAP_HEAD = 4 };

enum gw_err eap_parse(struct reader r, struct bytes *out)
{
	struct reader head = r;
	uint16_t length;

	rd_skip(&head, 2);
	length = rd_u16(&head);
	*out = rd_rest(&r);
	/* 3.16: the packet's own length is the payload's without the generic header. */
	return head.bad || length < EAP_HEAD || length != out->n ? GW_EMALFORMED : GW_OK;
}

void eap_write(struct msg_writer *m, struct bytes packet)
{
	size_t mark = payload_begin(m, PL_EAP);

	wr_bytes(&m->w, packet);
	payload_end(m, mark);
}
