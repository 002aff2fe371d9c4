/* Datagrams on the heartbeat port: what parses is written again as the same octets, but for its MAC. */
#include "daemon/heartbeat_msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto *crypto;
	struct bytes in = bytes_of(data, size), key = bytes_str("0123456789abcdef0123456789abcdef");
	struct heartbeat_msg m = { 0 };
	uint8_t out[HEARTBEAT_MAX];
	struct err e;
	size_t n;

	if (!crypto)
		crypto = crypto_create(&e);
	if (!crypto)
		abort();
	if (heartbeat_msg_parse(in, &m) != GW_OK) {
		if (m.boot != 0)
			abort();
		return 0;
	}
	if (m.boot == 0 || !m.cluster[0] || strnlen(m.cluster, sizeof(m.cluster)) == sizeof(m.cluster))
		abort();
	n = heartbeat_msg_write(crypto, key, &m, out);
	if (n != size || heartbeat_msg_verify(crypto, key, bytes_of(out, n)) != GW_OK)
		abort();
	/* Reserved bits and octets are all that may differ. */
	out[9] = data[9];
	out[11] = data[11];
	if (memcmp(out, data, n - HEARTBEAT_MAC) != 0)
		abort();
	return 0;
}
