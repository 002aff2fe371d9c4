/* NAT detection (RFC 7296 2.23): SHA-1(SPIi | SPIr | address | port). */
#ifndef IKE_NATD_H
#define IKE_NATD_H

#include "core/addr.h"
#include "core/crypto/crypto.h"
#include "ike/message.h"

enum { NATD_LEN = 20 };

struct nat_verdict {
	bool known; /* the peer sent both notifies */
	bool peer;  /* the peer is behind a NAT: none of the source hashes matches */
	bool us;    /* we are */
};

MUST_USE enum gw_err natd_hash(struct crypto *c, uint64_t spi_i, uint64_t spi_r, const struct endpoint *e,
			       uint8_t out[NATD_LEN]);
/* Several SOURCE_IP notifies are allowed, one match is enough. */
MUST_USE enum gw_err natd_judge(struct crypto *c, const struct ike_msg *m, const struct endpoint *from,
				const struct endpoint *to, struct nat_verdict *out);
/* Both notifies, for a message from `from` to `to`. */
MUST_USE enum gw_err natd_write(struct msg_writer *m, struct crypto *c, uint64_t spi_i, uint64_t spi_r,
				const struct endpoint *from, const struct endpoint *to);

#endif
