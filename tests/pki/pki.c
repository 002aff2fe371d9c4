#include "tests/pki/pki.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/crypto/dn.h"

struct pki {
	X509 *cert;
	EVP_PKEY *key;
	uint8_t *der;
	size_t der_len;
	char *pem, *key_pem;
	uint64_t serial;
};

#define NEED(what) need((what) != 0, #what)

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "tests/pki: %s\n", what);
	abort();
}

static EVP_PKEY *make_key(const char *kind)
{
	if (!kind)
		kind = "P-256";
	if (strncmp(kind, "RSA:", 4) == 0)
		return EVP_RSA_gen((unsigned)atoi(kind + 4));
	if (strncmp(kind, "ED", 2) == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, kind);
	return EVP_EC_gen(kind);
}

static X509_NAME *make_name(const char *text)
{
	uint8_t der[DN_MAX];
	const uint8_t *at = der;
	size_t n;
	X509_NAME *name;

	need(dn_parse(text, der, sizeof(der), &n, NULL) == GW_OK, text);
	name = d2i_X509_NAME(NULL, &at, (long)n);
	NEED(name);
	return name;
}

static void add(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext;

	if (!value)
		return;
	ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	need(ext != NULL, value);
	NEED(X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
}

static void add_unknown(X509 *cert, const char *oid)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *ext;

	NEED(value && obj && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05\x00", 2));
	ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 1, value);
	NEED(ext && X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
	ASN1_OBJECT_free(obj);
	ASN1_OCTET_STRING_free(value);
}

static char *text_of(BIO *bio)
{
	char *data, *copy;
	long n = BIO_get_mem_data(bio, &data);

	copy = strndup(data, (size_t)n);
	NEED(copy);
	BIO_free(bio);
	return copy;
}

static void keep_encodings(struct pki *p)
{
	BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	int n = i2d_X509(p->cert, &p->der);

	need(n > 0, "i2d_X509");
	p->der_len = (size_t)n;
	NEED(PEM_write_bio_X509(cert, p->cert) &&
	     PEM_write_bio_PKCS8PrivateKey(key, p->key, NULL, NULL, 0, NULL, NULL));
	p->pem = text_of(cert);
	p->key_pem = text_of(key);
}

static const EVP_MD *digest_for(const EVP_PKEY *key, const char *name)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_get_digestbyname(name ? name : "SHA256");
}

struct pki *pki_issue(const struct pki *issuer, const struct pki_spec *s)
{
	static uint64_t next = 1000;
	struct pki *p = calloc(1, sizeof(*p));
	X509_NAME *name = make_name(s->subject);
	const struct pki *by;
	X509V3_CTX ctx;
	ASN1_INTEGER *serial = ASN1_INTEGER_new();

	NEED(p && serial);
	p->serial = s->serial ? s->serial : next++;
	p->cert = X509_new();
	p->key = make_key(s->key);
	by = issuer ? issuer : p;
	NEED(p->cert && p->key && X509_set_version(p->cert, 2) && ASN1_INTEGER_set_uint64(serial, p->serial) &&
	     X509_set_serialNumber(p->cert, serial) && X509_set_subject_name(p->cert, name) &&
	     X509_set_issuer_name(p->cert, issuer ? X509_get_subject_name(issuer->cert) : name) &&
	     X509_set_pubkey(p->cert, p->key));
	NEED(ASN1_TIME_set(X509_getm_notBefore(p->cert), s->from || s->to ? s->from : 946684800));
	NEED(ASN1_TIME_set(X509_getm_notAfter(p->cert), s->from || s->to ? s->to : 4102444800));
	X509V3_set_ctx(&ctx, by->cert, p->cert, NULL, NULL, 0);
	add(p->cert, &ctx, NID_basic_constraints, s->constraints);
	add(p->cert, &ctx, NID_key_usage, s->usage);
	add(p->cert, &ctx, NID_ext_key_usage, s->purpose);
	add(p->cert, &ctx, NID_subject_alt_name, s->san);
	if (s->extra_oid)
		add_unknown(p->cert, s->extra_oid);
	need(X509_sign(p->cert, by->key, digest_for(by->key, s->digest)) > 0, "X509_sign");
	keep_encodings(p);
	X509_NAME_free(name);
	ASN1_INTEGER_free(serial);
	return p;
}

struct pki *pki_authority(const struct pki *issuer, const char *subject, const char *key)
{
	return pki_issue(issuer, &(struct pki_spec){ .subject = subject,
						     .key = key,
						     .usage = "critical,keyCertSign,cRLSign",
						     .constraints = "critical,CA:TRUE" });
}

struct pki *pki_load(const char *pem, const char *key_pem)
{
	struct pki *p = calloc(1, sizeof(*p));
	BIO *cert = BIO_new_mem_buf(pem, -1), *key = BIO_new_mem_buf(key_pem, -1);

	NEED(p && cert && key);
	p->cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	p->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	NEED(p->cert && p->key);
	BIO_free(cert);
	BIO_free(key);
	keep_encodings(p);
	return p;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	OPENSSL_free(p->der);
	free(p->pem);
	free(p->key_pem);
	free(p);
}

struct bytes pki_der(const struct pki *p)
{
	return bytes_of(p->der, p->der_len);
}

const char *pki_pem(const struct pki *p)
{
	return p->pem;
}

const char *pki_key_pem(const struct pki *p)
{
	return p->key_pem;
}

uint64_t pki_serial(const struct pki *p)
{
	return p->serial;
}

uint8_t *pki_crl(const struct pki *issuer, const uint64_t *serials, size_t count, int64_t made, int64_t next, size_t *n)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, made);
	uint8_t *der = NULL;
	int len;

	NEED(crl && when && X509_CRL_set_version(crl, 1) &&
	     X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) && X509_CRL_set1_lastUpdate(crl, when));
	for (size_t i = 0; i < count; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		NEED(r && serial && ASN1_INTEGER_set_uint64(serial, serials[i]) &&
		     X509_REVOKED_set_serialNumber(r, serial) && X509_REVOKED_set_revocationDate(r, when) &&
		     X509_CRL_add0_revoked(crl, r));
		ASN1_INTEGER_free(serial);
	}
	if (next) {
		ASN1_TIME_free(when);
		when = ASN1_TIME_set(NULL, next);
		NEED(X509_CRL_set1_nextUpdate(crl, when));
	}
	NEED(X509_CRL_sort(crl));
	need(X509_CRL_sign(crl, issuer->key, digest_for(issuer->key, NULL)) > 0, "X509_CRL_sign");
	len = i2d_X509_CRL(crl, &der);
	need(len > 0, "i2d_X509_CRL");
	*n = (size_t)len;
	X509_CRL_free(crl);
	ASN1_TIME_free(when);
	return der;
}
