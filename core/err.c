#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *gw_err_text(enum gw_err code)
{
	static const char *const text[] = {
		[GW_OK] = "ok",
		[GW_EMALFORMED] = "malformed",
		[GW_EAUTH] = "authentication failed",
		[GW_EPROPOSAL] = "no proposal chosen",
		[GW_EGROUP] = "other key exchange group wanted",
		[GW_ETS] = "traffic selectors unacceptable",
		[GW_EADDRESS] = "no inner address available",
		[GW_EUNSUPPORTED] = "not supported",
		[GW_ESTATE] = "not possible in this state",
		[GW_EREPLAY] = "replayed or too old",
		[GW_ENOTFOUND] = "not found",
		[GW_EEXIST] = "exists already",
		[GW_EINVAL] = "invalid value",
		[GW_ECONFIG] = "refused by the configuration",
		[GW_ENOMEM] = "out of memory",
		[GW_ELIMIT] = "limit reached",
		[GW_EIO] = "system error",
		[GW_EPERM] = "permission denied",
		[GW_EBUSY] = "busy, try again later",
		[GW_PENDING] = "pending",
		[GW_EINTERNAL] = "internal error",
	};

	if ((size_t)code >= ARRAY_LEN(text) || !text[code])
		return "unknown error";
	return text[code];
}

enum gw_err err_set(struct err *e, enum gw_err code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

enum gw_err err_add(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t n;
	va_list ap;

	if (!e)
		return GW_OK;
	memcpy(old, e->text, sizeof(old));
	old[sizeof(old) - 1] = 0;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	(void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", old[0] ? old : gw_err_text(e->code));
	return e->code;
}
