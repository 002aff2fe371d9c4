#include "core/crypto/ossl.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdlib.h>

enum gw_err ossl_fail(enum gw_err code)
{
	ERR_clear_error();
	return code;
}

static enum gw_err start(struct crypto *c, struct err *e)
{
	c->rng = rng_system_create();
	if (!c->rng)
		return err_set(e, GW_ENOMEM, "random source");
	c->lib = OSSL_LIB_CTX_new();
	if (!c->lib)
		return err_set(e, GW_ENOMEM, "OpenSSL library context");
	/* Named, so that no fallback rule and no configuration file decides what we run on. */
	c->provider = OSSL_PROVIDER_load(c->lib, "default");
	if (!c->provider)
		return err_set(e, GW_EUNSUPPORTED, "OpenSSL has no default provider");
	TRY(hash_start(c, e));
	TRY(cipher_start(c, e));
	return dh_start(c, e);
}

struct crypto *crypto_create(struct err *e)
{
	struct crypto *c;

	/* /etc/ssl/openssl.cnf may load providers and set policies; what we offer depends on our configuration only. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
		(void)err_set(e, GW_EUNSUPPORTED, "OpenSSL does not start");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		(void)err_set(e, GW_ENOMEM, "crypto");
		return NULL;
	}
	if (start(c, e) != GW_OK) {
		(void)ossl_fail(GW_EUNSUPPORTED);
		crypto_destroy(c);
		return NULL;
	}
	return c;
}

void crypto_destroy(struct crypto *c)
{
	if (!c)
		return;
	verify_stop(c);
	dh_stop(c);
	cipher_stop(c);
	hash_stop(c);
	if (c->provider)
		(void)OSSL_PROVIDER_unload(c->provider);
	OSSL_LIB_CTX_free(c->lib);
	rng_system_destroy(c->rng);
	free(c);
}
