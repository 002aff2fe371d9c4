#include "ike/cert_path.h"

enum { CERT_PATH_MAX = 1024, SHA256_LEN = 32 };

enum gw_err cert_path_make(struct crypto *c, const struct cert_chain *chain, const char *authority, struct secret *out)
{
	uint8_t path[CERT_PATH_MAX], hash[SHA256_LEN];
	struct writer w = wr_of(path, sizeof(path));

	wr_bytes(&w, bytes_of(authority, strlen(authority) + 1));
	for (size_t i = 0; i < chain->count; i++) {
		const struct cert *cert = chain->certs[i];

		TRY(crypto_sha256(c, &cert->issuer, 1, hash));
		wr_bytes(&w, bytes_of(hash, CERT_PATH_ISSUER));
		wr_u8(&w, (uint8_t)cert->serial.n);
		wr_bytes(&w, cert->serial);
	}
	secret_clear(out);
	return w.bad ? GW_ELIMIT : secret_copy(out, wr_done(&w));
}

struct reader cert_path_first(struct bytes path)
{
	const uint8_t *end = path.n > 0 ? memchr(path.p, 0, path.n) : NULL;
	struct reader r = rd_of(path);

	if (!end)
		r.bad = true;
	else
		rd_skip(&r, (size_t)(end - path.p) + 1);
	return r;
}

bool cert_path_next(struct reader *r, struct bytes *issuer, struct bytes *serial)
{
	if (r->bad || r->left == 0)
		return false;
	*issuer = rd_bytes(r, CERT_PATH_ISSUER);
	*serial = rd_bytes(r, rd_u8(r));
	return !r->bad;
}

bool cert_path_is_sound(struct bytes path)
{
	struct reader r = cert_path_first(path);
	struct bytes issuer, serial;
	size_t count = 0;

	while (cert_path_next(&r, &issuer, &serial))
		count++;
	return !r.bad && count > 0 && count <= CERT_CHAIN_MAX && path.n <= CERT_PATH_MAX;
}

const char *cert_path_authority(struct bytes path)
{
	return (const char *)path.p;
}
