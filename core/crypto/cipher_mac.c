#include "core/crypto/ossl.h"

/* Encrypt-then-MAC (RFC 4303 3.3.2, RFC 7296 3.14): HMAC over aad | iv | ciphertext | tail, truncated. */

enum { BLOCK = 16 };

/* RFC 3686 4, RFC 5930 2: nonce | explicit IV | block counter, which begins at 1. */
static void ctr_block(const struct cipher *k, const struct message *m, uint8_t block[BLOCK])
{
	memcpy(block, k->salt, 4);
	memcpy(block + 4, m->iv, 8);
	put_u32(block + 12, 1);
}

static bool cbc_setup(EVP_CIPHER_CTX *ctx)
{
	/* ESP and SK pad themselves. */
	return EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
}

static bool crypt(struct cipher *k, const uint8_t *key, const uint8_t *iv, const struct message *m)
{
	int n;

	return EVP_CipherInit_ex2(k->ctx, NULL, key, iv, k->dir == CIPHER_SEAL, NULL) == 1 &&
	       (m->n == 0 || EVP_CipherUpdate(k->ctx, m->text, &n, m->text, m->n) == 1);
}

static enum gw_err mac(const struct cipher *k, const struct message *m, uint8_t out[HASH_LEN_MAX])
{
	const struct bytes parts[] = {
		m->aad,
		bytes_of(m->iv, k->encr->iv_len),
		bytes_of(m->text, (size_t)m->n),
		m->tail,
	};

	return hmac_parts(k->mac, parts, ARRAY_LEN(parts), out);
}

static enum gw_err seal(struct cipher *k, const uint8_t *key, const uint8_t *iv, const struct message *m, uint8_t *icv)
{
	uint8_t full[HASH_LEN_MAX];

	if (!crypt(k, key, iv, m))
		return ossl_fail(GW_EINTERNAL);
	TRY(mac(k, m, full));
	memcpy(icv, full, k->integ->icv_len);
	return GW_OK;
}

static enum gw_err open_(struct cipher *k, const uint8_t *key, const uint8_t *iv, const struct message *m,
			 const uint8_t *icv)
{
	uint8_t full[HASH_LEN_MAX];

	TRY(mac(k, m, full));
	if (!secret_equal(bytes_of(full, k->integ->icv_len), bytes_of(icv, k->integ->icv_len)))
		return GW_EAUTH;
	return crypt(k, key, iv, m) ? GW_OK : ossl_fail(GW_EINTERNAL);
}

static enum gw_err cbc_seal(struct cipher *k, const uint8_t *key, const struct message *m, uint8_t *icv)
{
	return seal(k, key, m->iv, m, icv);
}

static enum gw_err cbc_open(struct cipher *k, const uint8_t *key, const struct message *m, const uint8_t *icv)
{
	return open_(k, key, m->iv, m, icv);
}

static enum gw_err ctr_seal(struct cipher *k, const uint8_t *key, const struct message *m, uint8_t *icv)
{
	uint8_t block[BLOCK];

	ctr_block(k, m, block);
	return seal(k, key, block, m, icv);
}

static enum gw_err ctr_open(struct cipher *k, const uint8_t *key, const struct message *m, const uint8_t *icv)
{
	uint8_t block[BLOCK];

	ctr_block(k, m, block);
	return open_(k, key, block, m, icv);
}

const struct cipher_ops cipher_mac_cbc = { .setup = cbc_setup, .seal = cbc_seal, .open = cbc_open };
const struct cipher_ops cipher_mac_ctr = { .seal = ctr_seal, .open = ctr_open };
