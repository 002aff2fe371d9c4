#include "core/crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <string.h>

/*
 * The provider's functions are called as EVP would call them (provider-keymgmt(7), provider-keyexch(7)). For each key
 * and each context EVP of OpenSSL 3.0 walks all names that it knows, cold memory as a rule, and makes objects with
 * locks: together a tenth of what the multiplication itself costs.
 */

/* The functions of an algorithm; NULL: the provider has none of that name. */
static const OSSL_DISPATCH *functions_of(OSSL_PROVIDER *p, int operation, const char *name)
{
	int no_cache;
	const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(p, operation, &no_cache), *a = all;
	const OSSL_DISPATCH *found = NULL;
	size_t n = strlen(name);

	/* The first of its names, which colons part. */
	for (; a && a->algorithm_names && !found; a++) {
		if (strncmp(a->algorithm_names, name, n) == 0 && strchr(":", a->algorithm_names[n]))
			found = a->implementation;
	}
	OSSL_PROVIDER_unquery_operation(p, operation, all);
	return found;
}

static void take_keys(struct ecx *x, const OSSL_DISPATCH *d)
{
	for (; d->function_id != 0; d++) {
		switch (d->function_id) {
		case OSSL_FUNC_KEYMGMT_NEW:
			x->key_new = OSSL_FUNC_keymgmt_new(d);
			break;
		case OSSL_FUNC_KEYMGMT_FREE:
			x->key_free = OSSL_FUNC_keymgmt_free(d);
			break;
		case OSSL_FUNC_KEYMGMT_IMPORT:
			x->key_import = OSSL_FUNC_keymgmt_import(d);
			break;
		}
	}
}

static void take_exchange(struct ecx *x, const OSSL_DISPATCH *d)
{
	for (; d->function_id != 0; d++) {
		switch (d->function_id) {
		case OSSL_FUNC_KEYEXCH_NEWCTX:
			x->ctx_new = OSSL_FUNC_keyexch_newctx(d);
			break;
		case OSSL_FUNC_KEYEXCH_FREECTX:
			x->ctx_free = OSSL_FUNC_keyexch_freectx(d);
			break;
		case OSSL_FUNC_KEYEXCH_INIT:
			x->init = OSSL_FUNC_keyexch_init(d);
			break;
		case OSSL_FUNC_KEYEXCH_SET_PEER:
			x->set_peer = OSSL_FUNC_keyexch_set_peer(d);
			break;
		case OSSL_FUNC_KEYEXCH_DERIVE:
			x->derive = OSSL_FUNC_keyexch_derive(d);
			break;
		}
	}
}

bool ecx_find(OSSL_PROVIDER *p, const char *name, struct ecx *out)
{
	const OSSL_DISPATCH *keys = functions_of(p, OSSL_OP_KEYMGMT, name);
	const OSSL_DISPATCH *exchange = functions_of(p, OSSL_OP_KEYEXCH, name);

	*out = (struct ecx){ .provider = OSSL_PROVIDER_get0_provider_ctx(p) };
	if (!keys || !exchange)
		return false;
	take_keys(out, keys);
	take_exchange(out, exchange);
	return out->key_new && out->key_free && out->key_import && out->ctx_new && out->ctx_free && out->init &&
	       out->set_peer && out->derive;
}

enum gw_err ecx_multiply(const struct ecx *x, const uint8_t *scalar, const uint8_t *u, uint8_t *out, size_t n)
{
	/* One object for both sides: our private octets, and as the public ones those of the peer. A parameter is
	 * writable, but these are only read. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)scalar, n),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)u, n),
		OSSL_PARAM_construct_end(),
	};
	void *key = x->key_new(x->provider), *ctx = x->ctx_new(x->provider);
	size_t done = 0;
	enum gw_err code = GW_ENOMEM;

	if (key && ctx && x->key_import(key, OSSL_KEYMGMT_SELECT_KEYPAIR, params) == 1 &&
	    x->init(ctx, key, NULL) == 1 && x->set_peer(ctx, key) == 1)
		/* Fails on the all-zero product of points of small order only (RFC 7748 6, RFC 8031 5). */
		code = x->derive(ctx, out, &done, n) == 1 && done == n ? GW_OK : GW_EMALFORMED;
	if (ctx)
		x->ctx_free(ctx);
	if (key)
		x->key_free(key); /* clears the private octets */
	return code == GW_OK ? code : ossl_fail(code);
}
