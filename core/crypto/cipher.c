#include "core/crypto/ossl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *names[KEY_SIZES]; /* for 128, 192, 256 bits */
	const struct cipher_ops *ops;
} kinds[KIND_COUNT] = {
	[KIND_GCM] = { { "AES-128-GCM", "AES-192-GCM", "AES-256-GCM" }, &aead_gcm },
	[KIND_CHACHA] = { { NULL, NULL, "ChaCha20-Poly1305" }, &aead_gcm },
	[KIND_CCM] = { { "AES-128-CCM", "AES-192-CCM", "AES-256-CCM" }, &aead_ccm },
	[KIND_CBC] = { { "AES-128-CBC", "AES-192-CBC", "AES-256-CBC" }, &cipher_mac_cbc },
	[KIND_CTR] = { { "AES-128-CTR", "AES-192-CTR", "AES-256-CTR" }, &cipher_mac_ctr },
};

static enum encr_kind kind_of(const struct encr_alg *a)
{
	switch ((enum encr_id)a->id) {
	case ENCR_AES_GCM_8:
	case ENCR_AES_GCM_12:
	case ENCR_AES_GCM_16:
		break;
	case ENCR_CHACHA20_POLY1305:
		return KIND_CHACHA;
	case ENCR_AES_CCM_16:
		return KIND_CCM;
	case ENCR_AES_CBC:
		return KIND_CBC;
	case ENCR_AES_CTR:
		return KIND_CTR;
	}
	return KIND_GCM;
}

enum gw_err cipher_start(struct crypto *c, struct err *e)
{
	size_t kind, size;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		for (size = 0; size < KEY_SIZES; size++) {
			const char *name = kinds[kind].names[size];

			if (!name)
				continue;
			c->encr[kind][size] = EVP_CIPHER_fetch(c->lib, name, NULL);
			if (!c->encr[kind][size])
				return err_set(e, GW_EUNSUPPORTED, "OpenSSL has no %s", name);
		}
	}
	return GW_OK;
}

void cipher_stop(struct crypto *c)
{
	size_t kind, size;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		for (size = 0; size < KEY_SIZES; size++) {
			EVP_CIPHER_CTX_free(c->scratch[kind][size]);
			EVP_CIPHER_free(c->encr[kind][size]);
		}
	}
}

/* ---- suites ---- */

static unsigned suite_bits(const struct cipher_suite *s)
{
	return s->encr->fixed_key ? s->encr->key_bits[0] : s->key_bits;
}

size_t suite_encr_key_len(const struct cipher_suite *s)
{
	return suite_bits(s) / 8 + s->encr->salt_len;
}

size_t suite_integ_key_len(const struct cipher_suite *s)
{
	return s->integ ? s->integ->key_len : 0;
}

size_t suite_iv_len(const struct cipher_suite *s)
{
	return s->encr->iv_len;
}

size_t suite_icv_len(const struct cipher_suite *s)
{
	return s->integ ? s->integ->icv_len : s->encr->icv_len;
}

size_t suite_block(const struct cipher_suite *s)
{
	return s->encr->block;
}

const char *suite_text(const struct cipher_suite *s, char buf[SUITE_TEXT])
{
	struct transform t = { TR_ENCR, s->encr->id, s->encr->fixed_key ? 0 : s->key_bits };
	char encr[TRANSFORM_TEXT], integ[TRANSFORM_TEXT];

	(void)transform_text(&t, encr);
	if (!s->integ) {
		(void)snprintf(buf, SUITE_TEXT, "%s", encr);
		return buf;
	}
	t = (struct transform){ TR_INTEG, s->integ->id, 0 };
	(void)snprintf(buf, SUITE_TEXT, "%.30s-%.30s", encr, transform_text(&t, integ));
	return buf;
}

/* Everything that decides how many bytes are read from the keys. */
static bool suite_ok(const struct cipher_suite *s, struct bytes encr_key, struct bytes integ_key)
{
	if (!s->encr || s->encr->aead != !s->integ)
		return false;
	if (!s->encr->fixed_key && !encr_key_ok(s->encr, s->key_bits))
		return false;
	return encr_key.n == suite_encr_key_len(s) && integ_key.n == suite_integ_key_len(s);
}

/* ---- one direction of one suite ---- */

/* Everything but the context and the MAC. The key itself is the first part of `encr_key`. */
static void cipher_fill(struct cipher *k, const struct cipher_suite *s, enum cipher_dir dir, struct bytes encr_key)
{
	k->ops = kinds[kind_of(s->encr)].ops;
	k->encr = s->encr;
	k->integ = s->integ;
	k->dir = dir;
	if (s->encr->salt_len > 0)
		memcpy(k->salt, encr_key.p + encr_key.n - s->encr->salt_len, s->encr->salt_len);
}

static EVP_CIPHER_CTX *context_create(struct crypto *c, const struct cipher_suite *s)
{
	enum encr_kind kind = kind_of(s->encr);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_CipherInit_ex2(ctx, c->encr[kind][suite_bits(s) / 64 - 2], NULL, NULL, 1, NULL) == 1 &&
	    (!kinds[kind].ops->setup || kinds[kind].ops->setup(ctx)))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	(void)ossl_fail(GW_ENOMEM);
	return NULL;
}

static enum gw_err own_mac(struct crypto *c, struct cipher *k, struct bytes key)
{
	k->mac = calloc(1, sizeof(*k->mac));
	if (!k->mac)
		return GW_ENOMEM;
	TRY(hmac_init(k->mac, &c->hash[hash_of_integ(k->integ)]));
	return hmac_key(k->mac, key);
}

static enum gw_err cipher_key(struct crypto *c, struct cipher *k, const struct cipher_suite *s, struct bytes encr_key,
			      struct bytes integ_key)
{
	k->ctx = context_create(c, s);
	if (!k->ctx)
		return GW_ENOMEM;
	if (EVP_CipherInit_ex2(k->ctx, NULL, encr_key.p, NULL, k->dir == CIPHER_SEAL, NULL) != 1)
		return ossl_fail(GW_EINTERNAL);
	return k->integ ? own_mac(c, k, integ_key) : GW_OK;
}

enum gw_err cipher_create(struct crypto *c, const struct cipher_suite *s, enum cipher_dir dir, struct bytes encr_key,
			  struct bytes integ_key, struct cipher **out)
{
	struct cipher *k;
	enum gw_err rc;

	*out = NULL;
	if (!suite_ok(s, encr_key, integ_key))
		return GW_EINVAL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return GW_ENOMEM;
	cipher_fill(k, s, dir, encr_key);
	rc = cipher_key(c, k, s, encr_key, integ_key);
	if (rc != GW_OK) {
		cipher_destroy(k);
		return rc;
	}
	*out = k;
	return GW_OK;
}

void cipher_destroy(struct cipher *k)
{
	if (!k)
		return;
	EVP_CIPHER_CTX_free(k->ctx); /* the provider clears the key schedule */
	if (k->mac) {
		hmac_clear(k->mac);
		free(k->mac);
	}
	secret_wipe(k, sizeof(*k));
	free(k);
}

static bool message_ok(const struct cipher *k, struct bytes iv, struct bytes aad, struct bytes tail, size_t n)
{
	/* OpenSSL counts in int; the margin keeps it from wrapping inside. */
	return iv.n == k->encr->iv_len && n % k->encr->block == 0 && n <= INT_MAX / 2 && aad.n <= INT_MAX / 2 &&
	       (k->integ || tail.n == 0);
}

enum gw_err cipher_seal(struct cipher *k, struct bytes iv, struct bytes aad, struct bytes tail, uint8_t *text, size_t n,
			uint8_t *icv)
{
	const struct message m = { iv.p, aad, tail, n > 0 ? text : icv, (int)n };

	if (k->dir != CIPHER_SEAL || !message_ok(k, iv, aad, tail, n))
		return GW_EINVAL;
	return k->ops->seal(k, NULL, &m, icv);
}

enum gw_err cipher_open(struct cipher *k, struct bytes iv, struct bytes aad, struct bytes tail, uint8_t *text, size_t n,
			const uint8_t *icv)
{
	uint8_t nothing = 0;
	const struct message m = { iv.p, aad, tail, n > 0 ? text : &nothing, (int)n };

	if (k->dir != CIPHER_OPEN || !message_ok(k, iv, aad, tail, n))
		return GW_EINVAL;
	return k->ops->open(k, NULL, &m, icv);
}

/* ---- keyed for one message ---- */

/*
 * Fills `k` with the scratch contexts of `c`. The key schedule of the last message stays in the scratch context until
 * the next one replaces it: clearing it would cost as much as the message.
 */
static enum gw_err scratch(struct crypto *c, struct cipher *k, const struct cipher_suite *s, enum cipher_dir dir,
			   struct bytes encr_key, struct bytes integ_key)
{
	EVP_CIPHER_CTX **ctx;

	if (!suite_ok(s, encr_key, integ_key))
		return GW_EINVAL;
	ctx = &c->scratch[kind_of(s->encr)][suite_bits(s) / 64 - 2];
	if (!*ctx)
		*ctx = context_create(c, s);
	if (!*ctx)
		return GW_ENOMEM;
	*k = (struct cipher){ .ctx = *ctx };
	cipher_fill(k, s, dir, encr_key);
	if (!s->integ)
		return GW_OK;
	k->mac = &c->mac[hash_of_integ(s->integ)];
	return hmac_key(k->mac, integ_key);
}

enum gw_err crypto_seal(struct crypto *c, const struct cipher_suite *s, struct bytes encr_key, struct bytes integ_key,
			struct bytes iv, struct bytes aad, uint8_t *text, size_t n, uint8_t *icv)
{
	const struct message m = { iv.p, aad, { 0 }, n > 0 ? text : icv, (int)n };
	struct cipher k;

	TRY(scratch(c, &k, s, CIPHER_SEAL, encr_key, integ_key));
	if (!message_ok(&k, iv, aad, m.tail, n))
		return GW_EINVAL;
	return k.ops->seal(&k, encr_key.p, &m, icv);
}

enum gw_err crypto_open(struct crypto *c, const struct cipher_suite *s, struct bytes encr_key, struct bytes integ_key,
			struct bytes iv, struct bytes aad, uint8_t *text, size_t n, const uint8_t *icv)
{
	uint8_t nothing = 0;
	const struct message m = { iv.p, aad, { 0 }, n > 0 ? text : &nothing, (int)n };
	struct cipher k;

	TRY(scratch(c, &k, s, CIPHER_OPEN, encr_key, integ_key));
	if (!message_ok(&k, iv, aad, m.tail, n))
		return GW_EINVAL;
	return k.ops->open(&k, encr_key.p, &m, icv);
}
