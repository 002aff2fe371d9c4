#include "core/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum gw_err secret_alloc(struct secret *s, size_t n)
{
	*s = (struct secret){ 0 };
	if (n == 0)
		return GW_OK;
	s->p = calloc(1, n);
	if (!s->p)
		return GW_ENOMEM;
	s->n = n;
	return GW_OK;
}

enum gw_err secret_copy(struct secret *s, struct bytes from)
{
	TRY(secret_alloc(s, from.n));
	if (from.n > 0)
		memcpy(s->p, from.p, from.n);
	return GW_OK;
}

void secret_clear(struct secret *s)
{
	if (s->p)
		explicit_bzero(s->p, s->n);
	free(s->p);
	*s = (struct secret){ 0 };
}

void secret_move(struct secret *to, struct secret *from)
{
	if (to == from)
		return;
	secret_clear(to);
	*to = *from;
	*from = (struct secret){ 0 };
}

bool secret_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}
