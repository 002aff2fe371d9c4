/* What the process of hooks takes from the daemon, which may be somebody else's by then. */
#include <stddef.h>
#include <stdlib.h>

#include "daemon/programs_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As recv() leaves it: what is longer is cut, and what was there before stays behind the end. */
	struct program_request q;
	size_t n = size < sizeof(q) ? size : sizeof(q), head = offsetof(struct program_request, input);

	memset(&q, 0xa5, sizeof(q));
	memcpy(&q, data, n);
	if (!program_request_check(&q, n))
		return 0;
	/* Nothing of what was not received is looked at. */
	if (n < head || q.n > sizeof(q.input) || head + q.n > n || q.kind > PROGRAM_SETTINGS)
		abort();
	if (q.kind == PROGRAM_SETTINGS && q.n != sizeof(struct program_settings))
		abort();
	return 0;
}
