#include "core/crypto/ossl.h"

#include <openssl/core_names.h>

/*
 * Per packet: one init with the nonce, one call each for the additional data, the text, the end, the tag. What a call
 * costs beyond the arithmetic is most of a short packet's price, so nothing is asked that is known.
 */

enum { NONCE_LEN = 12, CCM_NONCE_LEN = 11, CCM_TAG_LEN = 16 };

/* RFC 4106 4, RFC 5282 4, RFC 7634 2, RFC 4309 4: salt | explicit IV. */
static void make_nonce(const struct cipher *k, const struct message *m, uint8_t *nonce)
{
	size_t salt = k->encr->salt_len;

	memcpy(nonce, k->salt, salt);
	memcpy(nonce + salt, m->iv, k->encr->iv_len);
}

static enum gw_err gcm_seal(struct cipher *k, const uint8_t *key, const struct message *m, uint8_t *icv)
{
	uint8_t nonce[NONCE_LEN];
	uint8_t rest[16];
	int n;

	make_nonce(k, m, nonce);
	if (EVP_EncryptInit_ex2(k->ctx, NULL, key, nonce, NULL) == 1 &&
	    (m->aad.n == 0 || EVP_EncryptUpdate(k->ctx, NULL, &n, m->aad.p, (int)m->aad.n) == 1) &&
	    (m->n == 0 || EVP_EncryptUpdate(k->ctx, m->text, &n, m->text, m->n) == 1) &&
	    EVP_EncryptFinal_ex(k->ctx, rest, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, k->encr->icv_len, icv) == 1)
		return GW_OK;
	return ossl_fail(GW_EINTERNAL);
}

static enum gw_err gcm_open(struct cipher *k, const uint8_t *key, const struct message *m, const uint8_t *icv)
{
	uint8_t nonce[NONCE_LEN];
	uint8_t tag[16], rest[16];
	OSSL_PARAM params[2];
	int n;

	make_nonce(k, m, nonce);
	memcpy(tag, icv, k->encr->icv_len); /* a parameter is writable */
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, k->encr->icv_len);
	params[1] = OSSL_PARAM_construct_end();
	if (EVP_DecryptInit_ex2(k->ctx, NULL, key, nonce, params) != 1 ||
	    (m->aad.n > 0 && EVP_DecryptUpdate(k->ctx, NULL, &n, m->aad.p, (int)m->aad.n) != 1) ||
	    (m->n > 0 && EVP_DecryptUpdate(k->ctx, m->text, &n, m->text, m->n) != 1))
		return ossl_fail(GW_EINTERNAL);
	return EVP_DecryptFinal_ex(k->ctx, rest, &n) == 1 ? GW_OK : ossl_fail(GW_EAUTH);
}

/* RFC 4309 4: 11 octets of nonce, so 4 for the length; fixed before the first key. */
static bool ccm_setup(EVP_CIPHER_CTX *ctx)
{
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, CCM_NONCE_LEN, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CCM_TAG_LEN, NULL) == 1;
}

/* CCM's first block says how long the text is: it comes before everything. */
static bool ccm_begin(EVP_CIPHER_CTX *ctx, const struct message *m)
{
	int n;

	return EVP_CipherUpdate(ctx, NULL, &n, NULL, m->n) == 1 &&
	       (m->aad.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, m->aad.p, (int)m->aad.n) == 1);
}

static enum gw_err ccm_seal(struct cipher *k, const uint8_t *key, const struct message *m, uint8_t *icv)
{
	uint8_t nonce[CCM_NONCE_LEN];
	int n;

	make_nonce(k, m, nonce);
	if (EVP_EncryptInit_ex2(k->ctx, NULL, key, nonce, NULL) == 1 && ccm_begin(k->ctx, m) &&
	    EVP_EncryptUpdate(k->ctx, m->text, &n, m->text, m->n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, CCM_TAG_LEN, icv) == 1)
		return GW_OK;
	return ossl_fail(GW_EINTERNAL);
}

static enum gw_err ccm_open(struct cipher *k, const uint8_t *key, const struct message *m, const uint8_t *icv)
{
	uint8_t nonce[CCM_NONCE_LEN];
	uint8_t tag[CCM_TAG_LEN];
	int n;

	make_nonce(k, m, nonce);
	memcpy(tag, icv, sizeof(tag));
	if (EVP_DecryptInit_ex2(k->ctx, NULL, key, nonce, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, CCM_TAG_LEN, tag) != 1 || !ccm_begin(k->ctx, m))
		return ossl_fail(GW_EINTERNAL);
	/* CCM has the whole text in one call, which also compares the tag. */
	return EVP_DecryptUpdate(k->ctx, m->text, &n, m->text, m->n) == 1 ? GW_OK : ossl_fail(GW_EAUTH);
}

const struct cipher_ops aead_gcm = { .seal = gcm_seal, .open = gcm_open };
const struct cipher_ops aead_ccm = { .setup = ccm_setup, .seal = ccm_seal, .open = ccm_open };
