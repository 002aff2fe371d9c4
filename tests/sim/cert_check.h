/* A gateway with a certificate, and persons with theirs. */
#ifndef TESTS_SIM_CERT_CHECK_H
#define TESTS_SIM_CERT_CHECK_H

#include <check.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "ike/auth_sig.h"
#include "tests/pki/pki.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

enum { WALL = 1800000000 + 1000 }; /* of the simulation's beginning */

static struct sim s;
static char dir[64];
static struct pki *root, *other;
static struct keyring *ring;
static struct trust *trust;
static char conn[300], more[700];

static inline void put(const char *name, const char *text, const char *text2)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "%s%s", text, text2 ? text2 : "");
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/* A gateway whose certificate has a key of that kind; `authority`: more lines of it. */
static inline void world(uint64_t seed, const char *key, const char *authority, bool paired)
{
	struct sim_settings settings = { .local = "{id: gw.example.org, auth: cert, certificates: [gw]}",
					 .conn = conn,
					 .root = more };
	struct pki *mid, *gw;
	struct err e = { 0 };

	(void)snprintf(dir, sizeof(dir), "/tmp/gateway-certs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	root = pki_authority(NULL, "CN=root", NULL);
	other = pki_authority(NULL, "CN=other", NULL);
	mid = pki_authority(root, "CN=mid", NULL);
	gw = pki_issue(mid,
		       &(struct pki_spec){
			       .subject = "CN=gw", .key = key, .san = "DNS:gw.example.org", .purpose = "serverAuth" });
	put("gw.pem", pki_pem(gw), pki_pem(mid));
	put("gw.key", pki_key_pem(gw), NULL);
	put("ca.pem", pki_pem(root), NULL);
	ring = keyring_create();
	ck_assert_int_eq(trust_create(ring, bytes_str(pki_pem(root)), &trust, &e), GW_OK);
	(void)snprintf(conn, sizeof(conn), "    remote: {auth: [psk, cert], authorities: [ca]}\n");
	(void)snprintf(more, sizeof(more),
		       "certificates:\n  gw: {cert: %s/gw.pem, key: %s/gw.key}\n"
		       "authorities:\n  ca: {file: %s/ca.pem%s}\n",
		       dir, dir, dir, authority);
	sim_init(&s, seed, &settings, paired);
	pki_free(mid);
	pki_free(gw);
}

static inline void done(void)
{
	static const char *const names[] = { "gw.pem", "gw.key", "ca.pem" };
	char path[200];

	sim_check(&s);
	sim_clear(&s);
	trust_destroy(trust);
	keyring_destroy(ring);
	pki_free(root);
	pki_free(other);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

/* A client with its certificate and how it signs. */
struct person {
	struct sim_client *c;
	struct pki *cert;
	struct sign_key *key;
	struct ini_cert ini;
};

static inline void person(struct person *p, const struct pki *issuer, const char *key, const char *san,
			  const struct sign_scheme *scheme, uint8_t method, uint8_t hashes)
{
	struct err e = { 0 };
	char names[80];

	p->c = sim_client_add(&s, false);
	(void)snprintf(names, sizeof(names), "email:%s", san ? san : p->c->id);
	p->cert = pki_issue(issuer, &(struct pki_spec){ .subject = "CN=person", .key = key, .san = names });
	p->key = NULL;
	ck_assert_int_eq(sign_key_decode(ring, bytes_str(pki_key_pem(p->cert)), &p->key, &e), GW_OK);
	p->ini = (struct ini_cert){ { pki_der(p->cert) }, 1, p->key, scheme, method };
	p->c->ini->self.cert = &p->ini;
	p->c->cfg.trust = trust;
	p->c->cfg.hashes = hashes;
}

static inline void plain(struct person *p, const struct pki *issuer)
{
	person(p, issuer, NULL, NULL, sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256), AUTH_SIGNATURE, 0x3c);
}

static inline void leave(struct person *p)
{
	sign_key_destroy(p->key);
	pki_free(p->cert);
}

#define HASHES (1 << SIGN_SHA2_256 | 1 << SIGN_SHA2_384 | 1 << SIGN_SHA2_512 | 1 << SIGN_IDENTITY)

#endif
