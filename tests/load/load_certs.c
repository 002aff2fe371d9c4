#include "load_certs.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/pki/pki.h"

struct load_certs {
	struct keyring *ring;
	struct trust *trust;
	struct pki *ca, **certs;
	struct ini_cert *inis;
	struct sign_key **keys;
	size_t count;
};

static bool slurp(const char *dir, const char *name, char *buf, size_t n)
{
	char path[600];
	size_t got = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (f) {
		got = fread(buf, 1, n - 1, f);
		(void)fclose(f);
	}
	buf[got] = '\0';
	return got > 0;
}

enum gw_err load_certs_create(const char *dir, struct ini_cfg *cfg, struct load_certs **out, struct err *e)
{
	struct load_certs *l = calloc(1, sizeof(*l));
	char cert[8192], key[8192];

	if (!l)
		return err_set(e, GW_ENOMEM, "out of memory");
	*out = l;
	if (!slurp(dir, "ca.pem", cert, sizeof(cert)) || !slurp(dir, "ca.key", key, sizeof(key)))
		return err_set(e, GW_EIO, "%s has no ca.pem or no ca.key", dir);
	l->ring = keyring_create();
	if (!l->ring)
		return err_set(e, GW_ENOMEM, "out of memory");
	TRY(trust_create(l->ring, bytes_str(cert), &l->trust, e));
	l->ca = pki_load(cert, key);
	cfg->trust = l->trust;
	cfg->ask_cert = true;
	cfg->hashes = 1 << SIGN_SHA2_256 | 1 << SIGN_SHA2_384 | 1 << SIGN_SHA2_512;
	return GW_OK;
}

void load_certs_issue(struct load_certs *l, struct crowd *c)
{
	char san[100];
	struct err e;

	l->count = c->count;
	l->certs = calloc(c->count, sizeof(struct pki *));
	l->inis = calloc(c->count, sizeof(*l->inis));
	l->keys = calloc(c->count, sizeof(struct sign_key *));
	for (size_t i = 0; l->certs && l->inis && l->keys && i < c->count; i++) {
		(void)snprintf(san, sizeof(san), "email:%s", c->clients[i].id);
		l->certs[i] = pki_issue(l->ca, &(struct pki_spec){ .subject = "CN=load,O=Example",
								   .san = san,
								   .usage = "critical,digitalSignature",
								   .purpose = "clientAuth" });
		if (sign_key_decode(l->ring, bytes_str(pki_key_pem(l->certs[i])), &l->keys[i], &e) != GW_OK)
			continue;
		l->inis[i] = (struct ini_cert){ { pki_der(l->certs[i]) },
						1,
						l->keys[i],
						sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256),
						AUTH_SIGNATURE };
		c->clients[i].ini->self.cert = &l->inis[i];
	}
}

void load_certs_destroy(struct load_certs *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->count; i++) {
		sign_key_destroy(l->keys[i]);
		pki_free(l->certs[i]);
	}
	pki_free(l->ca);
	trust_destroy(l->trust);
	keyring_destroy(l->ring);
	free(l->certs);
	free(l->inis);
	free(l->keys);
	free(l);
}
