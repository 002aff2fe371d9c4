#include "core/crypto/pem.h"

#include <openssl/evp.h>
#include <stdio.h>

static const uint8_t *find(struct bytes text, const char *what)
{
	return text.n > 0 ? memmem(text.p, text.n, what, strlen(what)) : NULL;
}

static struct bytes behind(struct bytes text, const uint8_t *at)
{
	return bytes_of(at, text.n - (size_t)(at - text.p));
}

static enum gw_err decode(struct bytes body, uint8_t *out, size_t cap, size_t *n)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	int len = 0, last = 0;
	bool ok;

	if (!ctx)
		return GW_ENOMEM;
	EVP_DecodeInit(ctx);
	ok = EVP_DecodeUpdate(ctx, out, &len, body.p, (int)body.n) >= 0 && (size_t)len <= cap &&
	     EVP_DecodeFinal(ctx, out + len, &last) >= 0;
	EVP_ENCODE_CTX_free(ctx);
	*n = (size_t)(len + last);
	return ok && *n > 0 ? GW_OK : GW_EMALFORMED;
}

enum gw_err pem_next(struct bytes *text, const char *label, uint8_t *out, size_t cap, size_t *n)
{
	char begin[64], end[64];
	const uint8_t *at;
	struct bytes body;

	(void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	(void)snprintf(end, sizeof(end), "-----END %s-----", label);
	at = find(*text, begin);
	if (!at)
		return GW_ENOTFOUND;
	body = behind(*text, at + strlen(begin));
	at = find(body, end);
	if (!at)
		return GW_EMALFORMED;
	*text = behind(*text, at + strlen(end));
	body.n = (size_t)(at - body.p);
	/* Three octets of each four characters, whatever the line breaks. */
	if (body.n / 4 * 3 + 3 > cap)
		return GW_ELIMIT;
	return decode(body, out, cap, n);
}
