/* What the files that make XFRM messages share: the kernel's forms of our values. Not for anybody else. */
#ifndef ESP_XFRM_WIRE_H
#define ESP_XFRM_WIRE_H

#include <sys/socket.h>

#include "esp/xfrm_msg.h"

enum { WIRE_SIGN = 0x6777 }; /* "gw" */

static inline uint16_t wire_family(const struct addr *a)
{
	return a->family == 6 ? AF_INET6 : AF_INET;
}

static inline xfrm_address_t wire_addr(const struct addr *a)
{
	xfrm_address_t x;

	memset(&x, 0, sizeof(x));
	memcpy(&x, a->b, addr_len(a));
	return x;
}

static inline struct addr wire_addr_read(const xfrm_address_t *x, uint16_t family)
{
	struct addr a = { .family = family == AF_INET6 ? 6 : 4 };

	memcpy(a.b, x, addr_len(&a));
	return a;
}

static inline void wire_put_mark(struct nl_batch *b, uint32_t mark, uint32_t mask)
{
	struct xfrm_mark m = { mark, mask };

	if (mark != 0 || mask != 0)
		nl_put(b, XFRMA_MARK, &m, sizeof(m));
}

static inline bool wire_read(struct bytes from, void *to, size_t n)
{
	if (from.n < n)
		return false;
	memcpy(to, from.p, n);
	return true;
}

#endif
