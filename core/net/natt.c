#include "core/net/natt.h"

enum natt_kind natt_classify(struct bytes datagram)
{
	struct reader r = rd_of(datagram);
	uint32_t first;

	/* RFC 3948 2.3: one octet, 0xff; the receiver ignores it. */
	if (datagram.n == 1 && datagram.p[0] == 0xff)
		return NATT_KEEPALIVE;
	first = rd_u32(&r);
	if (r.bad)
		return NATT_JUNK;
	return first == 0 ? NATT_IKE : NATT_ESP;
}
