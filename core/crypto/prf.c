#include "core/crypto/ossl.h"

/*
 * HMAC by hand: EVP_MAC of OpenSSL 3.0 rekeys through parameter lists and costs up to twice as much for the short
 * messages of IKE. A key that is used again has a state for the inner and the outer pad, copied for every message.
 */

static const struct {
	const char *name;
	uint8_t len, block;
} hashes[HASH_COUNT] = {
	[HASH_SHA1] = { "SHA1", 20, 64 },
	[HASH_SHA2_256] = { "SHA2-256", 32, 64 },
	[HASH_SHA2_384] = { "SHA2-384", 48, 128 },
	[HASH_SHA2_512] = { "SHA2-512", 64, 128 },
};

enum gw_err hash_start(struct crypto *c, struct err *e)
{
	size_t i;

	for (i = 0; i < HASH_COUNT; i++) {
		c->hash[i].len = hashes[i].len;
		c->hash[i].block = hashes[i].block;
		c->hash[i].md = EVP_MD_fetch(c->lib, hashes[i].name, NULL);
		if (!c->hash[i].md)
			return err_set(e, GW_EUNSUPPORTED, "OpenSSL has no %s", hashes[i].name);
		if (hmac_init(&c->mac[i], &c->hash[i]) != GW_OK)
			return err_set(e, GW_ENOMEM, "HMAC-%s", hashes[i].name);
	}
	return GW_OK;
}

void hash_stop(struct crypto *c)
{
	size_t i;

	for (i = 0; i < HASH_COUNT; i++) {
		hmac_clear(&c->mac[i]);
		EVP_MD_free(c->hash[i].md);
	}
}

enum hash_id hash_of_integ(const struct integ_alg *a)
{
	switch ((enum integ_id)a->id) {
	case INTEG_HMAC_SHA2_256_128:
		return HASH_SHA2_256;
	case INTEG_HMAC_SHA2_384_192:
		return HASH_SHA2_384;
	case INTEG_HMAC_SHA2_512_256:
		return HASH_SHA2_512;
	case INTEG_HMAC_SHA1_96:
	case INTEG_NONE:
		break;
	}
	return HASH_SHA1;
}

static enum hash_id hash_of_prf(const struct prf_alg *a)
{
	switch ((enum prf_id)a->id) {
	case PRF_HMAC_SHA2_256:
		return HASH_SHA2_256;
	case PRF_HMAC_SHA2_384:
		return HASH_SHA2_384;
	case PRF_HMAC_SHA2_512:
		return HASH_SHA2_512;
	case PRF_HMAC_SHA1:
		break;
	}
	return HASH_SHA1;
}

enum gw_err hmac_init(struct hmac *m, const struct hash *h)
{
	m->hash = h;
	m->inner = EVP_MD_CTX_new();
	m->outer = EVP_MD_CTX_new();
	m->work = EVP_MD_CTX_new();
	if (m->inner && m->outer && m->work && EVP_DigestInit_ex2(m->inner, h->md, NULL) == 1 &&
	    EVP_DigestInit_ex2(m->outer, h->md, NULL) == 1 && EVP_DigestInit_ex2(m->work, h->md, NULL) == 1)
		return GW_OK;
	hmac_clear(m);
	return ossl_fail(GW_ENOMEM);
}

void hmac_clear(struct hmac *m)
{
	/* The provider clears the state of a digest that it frees. */
	EVP_MD_CTX_free(m->inner);
	EVP_MD_CTX_free(m->outer);
	EVP_MD_CTX_free(m->work);
	*m = (struct hmac){ 0 };
}

static bool digest_parts(EVP_MD_CTX *ctx, const struct bytes *parts, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (parts[i].n > 0 && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) != 1)
			return false;
	return true;
}

static bool digest(EVP_MD_CTX *ctx, const struct bytes *parts, size_t count, uint8_t *out)
{
	return EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 && digest_parts(ctx, parts, count) &&
	       EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

static bool start_pad(EVP_MD_CTX *ctx, const uint8_t *pad, size_t n)
{
	return EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 && EVP_DigestUpdate(ctx, pad, n) == 1;
}

/* RFC 2104: the key, hashed when longer than a block, zero-padded. */
static bool pad_of_key(EVP_MD_CTX *work, const struct hash *h, struct bytes key, uint8_t pad[HASH_BLOCK_MAX])
{
	memset(pad, 0, HASH_BLOCK_MAX);
	if (key.n > h->block)
		return digest(work, &key, 1, pad);
	if (key.n > 0)
		memcpy(pad, key.p, key.n);
	return true;
}

/* The whole buffer, whatever the block: a fixed length becomes a few vector instructions. */
static void pad_xor(uint8_t pad[HASH_BLOCK_MAX], uint8_t with)
{
	uint64_t mask = with * UINT64_C(0x0101010101010101);
	size_t i;

	for (i = 0; i < HASH_BLOCK_MAX; i += sizeof(mask)) {
		uint64_t v;

		memcpy(&v, pad + i, sizeof(v));
		v ^= mask;
		memcpy(pad + i, &v, sizeof(v));
	}
}

enum { INNER = 0x36, OUTER = 0x5c };

enum gw_err hmac_key(struct hmac *m, struct bytes key)
{
	size_t block = m->hash->block;
	uint8_t pad[HASH_BLOCK_MAX];
	bool ok = pad_of_key(m->work, m->hash, key, pad);

	pad_xor(pad, INNER);
	ok = ok && start_pad(m->inner, pad, block);
	pad_xor(pad, INNER ^ OUTER);
	ok = ok && start_pad(m->outer, pad, block);
	secret_wipe(pad, sizeof(pad));
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

static bool mac_begin(const struct hmac *m)
{
	return EVP_MD_CTX_copy_ex(m->work, m->inner) == 1;
}

static bool mac_end(const struct hmac *m, uint8_t *out)
{
	return EVP_DigestFinal_ex(m->work, out, NULL) == 1 && EVP_MD_CTX_copy_ex(m->work, m->outer) == 1 &&
	       EVP_DigestUpdate(m->work, out, m->hash->len) == 1 && EVP_DigestFinal_ex(m->work, out, NULL) == 1;
}

enum gw_err hmac_parts(const struct hmac *m, const struct bytes *parts, size_t count, uint8_t *out)
{
	if (mac_begin(m) && digest_parts(m->work, parts, count) && mac_end(m, out))
		return GW_OK;
	return ossl_fail(GW_EINTERNAL);
}

/* A key that is used once needs no state to copy from. */
enum gw_err crypto_prf(struct crypto *c, const struct prf_alg *alg, struct bytes key, const struct bytes *parts,
		       size_t count, uint8_t *out)
{
	const struct hmac *m = &c->mac[hash_of_prf(alg)];
	size_t block = m->hash->block;
	uint8_t pad[HASH_BLOCK_MAX], inner[HASH_LEN_MAX];
	bool ok = pad_of_key(m->work, m->hash, key, pad);

	pad_xor(pad, INNER);
	ok = ok && start_pad(m->work, pad, block) && digest_parts(m->work, parts, count) &&
	     EVP_DigestFinal_ex(m->work, inner, NULL) == 1;
	pad_xor(pad, INNER ^ OUTER);
	ok = ok && start_pad(m->work, pad, block) && EVP_DigestUpdate(m->work, inner, alg->len) == 1 &&
	     EVP_DigestFinal_ex(m->work, out, NULL) == 1;
	secret_wipe(pad, sizeof(pad));
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

enum gw_err crypto_prf_plus(struct crypto *c, const struct prf_alg *alg, struct bytes key, const struct bytes *parts,
			    size_t count, uint8_t *out, size_t n)
{
	struct hmac *m = &c->mac[hash_of_prf(alg)];
	uint8_t last[HASH_LEN_MAX];
	size_t last_n = 0; /* T1 has no block before it */
	uint8_t round = 0;
	bool ok = true;

	/* RFC 7296 2.13: the counter is one octet. */
	if (n > (size_t)255 * alg->len)
		return GW_EINVAL;
	TRY(hmac_key(m, key));
	while (ok && n > 0) {
		size_t take = n < alg->len ? n : alg->len;

		round++;
		ok = mac_begin(m) && EVP_DigestUpdate(m->work, last, last_n) == 1 &&
		     digest_parts(m->work, parts, count) && EVP_DigestUpdate(m->work, &round, 1) == 1 &&
		     mac_end(m, last);
		if (!ok)
			break;
		last_n = alg->len;
		memcpy(out, last, take);
		out += take;
		n -= take;
	}
	secret_wipe(last, sizeof(last));
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

enum gw_err hash_parts(struct crypto *c, const struct hash *h, const struct bytes *parts, size_t count, uint8_t *out)
{
	return digest(c->mac[h - c->hash].work, parts, count, out) ? GW_OK : ossl_fail(GW_EINTERNAL);
}

static enum gw_err digest_once(struct crypto *c, enum hash_id id, const struct bytes *parts, size_t count, uint8_t *out)
{
	return hash_parts(c, &c->hash[id], parts, count, out);
}

enum gw_err crypto_sha1(struct crypto *c, const struct bytes *parts, size_t count, uint8_t out[20])
{
	return digest_once(c, HASH_SHA1, parts, count, out);
}

enum gw_err crypto_sha256(struct crypto *c, const struct bytes *parts, size_t count, uint8_t out[32])
{
	return digest_once(c, HASH_SHA2_256, parts, count, out);
}
