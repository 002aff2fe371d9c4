#include "daemon/pairkeys.h"

/* Texts end with their NUL: no two lists of names are the same octets. */
static struct bytes with_end(const char *s)
{
	return bytes_of(s, strlen(s) + 1);
}

static enum gw_err derive(struct crypto *c, struct bytes secret, const struct bytes *parts, size_t count, void *out,
			  size_t n)
{
	const struct prf_alg *prf = prf_find(PRF_HMAC_SHA2_256);

	if (secret.n == 0)
		return GW_EINVAL;
	return crypto_prf_plus(c, prf, secret, parts, count, out, n);
}

enum gw_err pairkeys_sync(struct crypto *c, struct bytes secret, const char *cluster, const char *client,
			  const char *server, struct secret *out)
{
	const struct bytes parts[] = { with_end("gateway 1 sync link"), with_end(cluster), with_end(client),
				       with_end(server) };

	TRY(secret_alloc(out, PAIR_SYNC_KEY));
	return derive(c, secret, parts, ARRAY_LEN(parts), out->p, out->n);
}

enum gw_err pairkeys_beat(struct crypto *c, struct bytes secret, const char *cluster, struct secret *out)
{
	const struct bytes parts[] = { with_end("gateway 1 heartbeat"), with_end(cluster) };

	TRY(secret_alloc(out, PAIR_BEAT_KEY));
	return derive(c, secret, parts, ARRAY_LEN(parts), out->p, out->n);
}

enum gw_err pairkeys_id(struct crypto *c, struct bytes secret, const char *cluster, uint8_t out[PAIR_KEY_ID])
{
	const struct bytes parts[] = { with_end("gateway 1 key id"), with_end(cluster) };

	return derive(c, secret, parts, ARRAY_LEN(parts), out, PAIR_KEY_ID);
}
