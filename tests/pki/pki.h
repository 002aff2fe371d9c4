/*
 * Certificates for tests, made on the spot by OpenSSL: authorities, intermediates, leaves, lists of revoked ones.
 * Whatever fails in here ends the program: it is the test that is wrong then.
 */
#ifndef TESTS_PKI_PKI_H
#define TESTS_PKI_PKI_H

#include "core/bytes.h"

struct pki; /* a certificate with its private key */

struct pki_spec {
	const char *subject;	 /* "CN=alice" after RFC 4514 */
	const char *key;	 /* "P-256", "P-384", "P-521", "RSA:2048", "ED25519", "ED448"; NULL: P-256 */
	const char *san;	 /* as OpenSSL wants it: "DNS:gw.example.org,email:a@b"; NULL: none */
	const char *usage;	 /* "critical,digitalSignature"; NULL: none */
	const char *purpose;	 /* "serverAuth"; NULL: none */
	const char *constraints; /* "critical,CA:TRUE,pathlen:0"; NULL: none */
	const char *extra_oid;	 /* a critical extension nobody knows; NULL: none */
	const char *digest;	 /* of the signature; NULL: SHA256 */
	int64_t from, to;	 /* seconds since 1970; 0, 0: the year 2000 to 2100 */
	uint64_t serial;	 /* 0: the next number */
};

/* `issuer` NULL: by itself. */
struct pki *pki_issue(const struct pki *issuer, const struct pki_spec *spec);
/* An authority that may do what authorities do. */
struct pki *pki_authority(const struct pki *issuer, const char *subject, const char *key);
/* One that was made before, to issue others. */
struct pki *pki_load(const char *pem, const char *key_pem);
void pki_free(struct pki *p); /* NULL is fine */

struct bytes pki_der(const struct pki *p);
const char *pki_pem(const struct pki *p);     /* of the certificate; owned by p */
const char *pki_key_pem(const struct pki *p); /* of the private key */
uint64_t pki_serial(const struct pki *p);

/* A list in DER; to be freed. `next` 0: it does not say. */
uint8_t *pki_crl(const struct pki *issuer, const uint64_t *serials, size_t count, int64_t made, int64_t next,
		 size_t *n);

#endif
