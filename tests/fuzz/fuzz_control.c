/* Requests of the control socket from whoever the group lets in: each is refused, or means one thing only. */
#include "daemon/control_msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		abort();
}

static void check_request(const struct control_request *r)
{
	check_text(r->cmd, sizeof(r->cmd));
	check_text(r->conn, sizeof(r->conn));
	check_text(r->pool, sizeof(r->pool));
	check_text(r->level, sizeof(r->level));
	check_text(r->peer, sizeof(r->peer));
	check_text(r->reason, sizeof(r->reason));
	if (!r->cmd[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request r, again;
	struct err e = { 0 };
	enum gw_err result = control_request_parse(bytes_of(data, size), &r, &e);

	if (result != GW_OK) {
		/* Whoever asked is told why. */
		if (!e.text[0] || e.code != result)
			abort();
		return 0;
	}
	check_request(&r);
	if (size >= CONTROL_LINE_MAX)
		abort();
	if (control_request_parse(bytes_of(data, size), &again, NULL) != GW_OK || memcmp(&r, &again, sizeof(r)) != 0)
		abort();
	return 0;
}
