/* Our private keys (sign.h). They stay in the library context of their ring; only digests and signatures pass. */
#include <openssl/decoder.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "core/crypto/ossl.h"

enum { URI_SCHEME_MAX = 32 };

struct keyring {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *provider, *extra;
	char extra_name[URI_SCHEME_MAX];
};

struct sign_key {
	struct keyring *ring; /* borrowed */
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *ctx; /* for signing; NULL: EdDSA */
	enum key_kind kind;
};

struct keyring *keyring_create(void)
{
	struct keyring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->lib = OSSL_LIB_CTX_new();
	if (r->lib)
		r->provider = OSSL_PROVIDER_load(r->lib, "default");
	if (!r->provider) {
		keyring_destroy(r);
		return NULL;
	}
	return r;
}

void keyring_destroy(struct keyring *r)
{
	if (!r)
		return;
	if (r->extra)
		(void)OSSL_PROVIDER_unload(r->extra);
	if (r->provider)
		(void)OSSL_PROVIDER_unload(r->provider);
	OSSL_LIB_CTX_free(r->lib);
	free(r);
}

EVP_PKEY *sign_key_pkey(const struct sign_key *k)
{
	return k->pkey;
}

OSSL_LIB_CTX *sign_key_lib(const struct sign_key *k)
{
	return k->ring->lib;
}

enum gw_err keyring_sha1(struct keyring *r, struct bytes data, uint8_t *out)
{
	size_t n;

	return EVP_Q_digest(r->lib, "SHA1", NULL, data.p, data.n, out, &n) == 1 ? GW_OK : ossl_fail(GW_EINTERNAL);
}

enum gw_err keyring_verify_key(struct keyring *r, struct bytes spki, struct verify_key **out)
{
	return verify_key_make(r->lib, spki, out);
}

static bool public_of(EVP_PKEY *pkey, uint8_t **der, size_t *n)
{
	int len = i2d_PUBKEY(pkey, der);

	*n = len > 0 ? (size_t)len : 0;
	return len > 0;
}

/* Takes `pkey`. */
static enum gw_err adopt(struct keyring *r, EVP_PKEY *pkey, struct sign_key **out, struct err *e)
{
	struct sign_key *k = calloc(1, sizeof(*k));
	uint8_t *der = NULL;
	size_t n, bits;

	if (!k) {
		EVP_PKEY_free(pkey);
		return err_set(e, GW_ENOMEM, "out of memory");
	}
	k->ring = r;
	k->pkey = pkey;
	if (public_of(pkey, &der, &n))
		k->kind = spki_kind(bytes_of(der, n), &bits);
	OPENSSL_free(der);
	if (k->kind != KEY_ED25519 && k->kind != KEY_ED448) {
		k->ctx = EVP_PKEY_CTX_new_from_pkey(r->lib, pkey, NULL);
		if (!k->ctx || EVP_PKEY_sign_init(k->ctx) != 1)
			k->kind = KEY_UNKNOWN;
	}
	if (k->kind == KEY_UNKNOWN) {
		sign_key_destroy(k);
		(void)ossl_fail(GW_EUNSUPPORTED);
		return err_set(e, GW_EUNSUPPORTED, "is a private key of a kind that we do not have");
	}
	*out = k;
	return GW_OK;
}

void sign_key_destroy(struct sign_key *k)
{
	if (!k)
		return;
	EVP_PKEY_CTX_free(k->ctx);
	EVP_PKEY_free(k->pkey);
	free(k);
}

/* A passphrase is nothing that a daemon could be asked for. */
static int no_passphrase(char *pass, size_t size, size_t *len, const OSSL_PARAM params[], void *arg)
{
	(void)pass;
	(void)size;
	(void)params;
	(void)arg;
	*len = 0;
	return 0;
}

enum gw_err sign_key_decode(struct keyring *r, struct bytes text, struct sign_key **out, struct err *e)
{
	EVP_PKEY *pkey = NULL;
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, r->lib, NULL);
	const unsigned char *at = text.p;
	size_t left = text.n;
	bool ok = ctx && OSSL_DECODER_CTX_set_passphrase_cb(ctx, no_passphrase, NULL) == 1 &&
		  OSSL_DECODER_from_data(ctx, &at, &left) == 1 && pkey;

	OSSL_DECODER_CTX_free(ctx);
	if (!ok) {
		EVP_PKEY_free(pkey);
		(void)ossl_fail(GW_EMALFORMED);
		return err_set(e, GW_EMALFORMED, "holds no private key that is readable without a passphrase");
	}
	return adopt(r, pkey, out, e);
}

/* The scheme of a URI names the provider that opens it, but for files. */
static enum gw_err need_provider(struct keyring *r, const char *uri, struct err *e)
{
	size_t n = strcspn(uri, ":");
	char name[URI_SCHEME_MAX];

	if (n == 0 || n >= sizeof(name) || uri[n] != ':')
		return err_set(e, GW_EINVAL, "is no URI");
	memcpy(name, uri, n);
	name[n] = '\0';
	if (strcmp(name, "file") == 0 || strcmp(name, r->extra_name) == 0)
		return GW_OK;
	if (r->extra)
		return err_set(e, GW_EUNSUPPORTED, "keys of two providers (%s, %s) are not possible", r->extra_name,
			       name);
	r->extra = OSSL_PROVIDER_load(r->lib, name);
	if (!r->extra) {
		(void)ossl_fail(GW_EUNSUPPORTED);
		return err_set(e, GW_EUNSUPPORTED, "OpenSSL has no provider `%s` here", name);
	}
	memcpy(r->extra_name, name, n + 1);
	return GW_OK;
}

enum gw_err sign_key_open(struct keyring *r, const char *uri, struct sign_key **out, struct err *e)
{
	OSSL_STORE_CTX *store;
	EVP_PKEY *pkey = NULL;

	TRY(need_provider(r, uri, e));
	store = OSSL_STORE_open_ex(uri, r->lib, NULL, NULL, NULL, NULL, NULL, NULL);
	while (store && !pkey && OSSL_STORE_eof(store) == 0) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (!info) {
			if (OSSL_STORE_error(store))
				break;
			continue;
		}
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			pkey = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	(void)OSSL_STORE_close(store);
	(void)ossl_fail(GW_OK);
	return pkey ? adopt(r, pkey, out, e) : err_set(e, GW_ENOTFOUND, "no private key is there");
}

enum key_kind sign_key_kind(const struct sign_key *k)
{
	return k->kind;
}

bool sign_key_fits(const struct sign_key *k, struct bytes spki)
{
	uint8_t *der = NULL;
	size_t n;
	bool same = public_of(k->pkey, &der, &n) && bytes_equal(bytes_of(der, n), spki);

	OPENSSL_free(der);
	return same;
}

/* ---- signing ---- */

static enum gw_err sign_ed(const struct sign_key *k, const struct bytes *parts, size_t count, uint8_t *out, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t all_len;
	uint8_t *all = sign_join(parts, count, &all_len);
	bool ok = ctx && all && EVP_DigestSignInit_ex(ctx, NULL, NULL, k->ring->lib, NULL, k->pkey, NULL) == 1 &&
		  EVP_DigestSign(ctx, out, n, all, all_len) == 1;

	EVP_MD_CTX_free(ctx);
	free(all);
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

enum gw_err sign_make(struct crypto *c, const struct sign_key *k, const struct sign_scheme *s,
		      const struct bytes *parts, size_t count, uint8_t *out, size_t *n)
{
	const struct hash *h;
	uint8_t digest[HASH_LEN_MAX];

	*n = SIGNATURE_MAX;
	if (!sign_scheme_fits(s, k->kind))
		return GW_EINVAL;
	if (s->family == SIGN_EDDSA)
		return sign_ed(k, parts, count, out, n);
	h = sign_hash_of(c, s->hash);
	TRY(hash_parts(c, h, parts, count, digest));
	if (s->family != SIGN_ECDSA && !sign_pad(k->ctx, s, h->md, h->len))
		return ossl_fail(GW_EINTERNAL);
	return EVP_PKEY_sign(k->ctx, out, n, digest, h->len) == 1 ? GW_OK : ossl_fail(GW_EINTERNAL);
}
