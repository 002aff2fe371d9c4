/*
 * What is read of certificates by strangers' hands: certificates and chains of them, lists of revoked ones, names as
 * DER and as text, identifiers of signatures, PEM, and the memory of a chain in records. The first octet says which.
 */
#include <stdlib.h>

#include "core/crypto/crl.h"
#include "core/crypto/dn.h"
#include "core/crypto/pem.h"
#include "ike/auth_sig.h"
#include "ike/cert_path.h"
#include "tests/config/scene_pki.h"

static struct crypto *crypto;
static struct keyring *ring __attribute__((used)); /* the keys of `trust` live in it */
static struct trust *trust;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start(void)
{
	struct err e = { 0 };

	crypto = crypto_create(&e);
	ring = keyring_create();
	if (!crypto || !ring || trust_create(ring, bytes_str(SCENE_CA), &trust, &e) != GW_OK)
		abort();
}

static bool inside(struct bytes outer, struct bytes b)
{
	return b.n == 0 || (b.p >= outer.p && b.p + b.n <= outer.p + outer.n);
}

/* What was read lies within what was given; identities are asked of it; the chain ends. */
static void certificates(struct bytes in)
{
	const struct trust *trusts[] = { trust };
	struct cert c[4];
	struct cert_chain chain;
	struct err e;
	char text[80];
	size_t n = 0;
	struct reader r = rd_of(in);

	while (n < ARRAY_LEN(c) && r.left > 2) {
		struct bytes der = rd_bytes(&r, rd_u16(&r));

		if (r.bad)
			der = in;
		if (cert_read(der, &c[n], &e) == GW_OK) {
			if (!inside(der, c[n].subject) || !inside(der, c[n].spki) || !inside(der, c[n].san) ||
			    !inside(der, c[n].tbs) || !inside(der, c[n].signature))
				abort();
			(void)dn_text(c[n].subject, text, sizeof(text));
			(void)auth_sig_names(&c[n], ID_FQDN, bytes_str("gw.example.org"), ID_MATCH_CN);
			(void)auth_sig_names(&c[n], ID_DN, c[n].issuer, ID_MATCH_SAN);
			n++;
		}
		if (r.bad)
			break;
	}
	if (n > 0)
		(void)!chain_build(crypto, trusts, 1, &c[0], c + 1, n - 1, 1800000000, &chain, &e);
}

static void names(struct bytes in)
{
	uint8_t der[DN_MAX], again[DN_MAX];
	char text[300], back[4 * DN_MAX + 200];
	size_t n, m;

	if (in.n < sizeof(text)) {
		memcpy(text, in.p, in.n);
		text[in.n] = '\0';
		if (dn_parse(text, der, sizeof(der), &n, NULL) == GW_OK) {
			(void)dn_text(bytes_of(der, n), back, sizeof(back));
			/* What we write we read, and it is the same. */
			if (dn_parse(back, again, sizeof(again), &m, NULL) != GW_OK ||
			    !bytes_equal(bytes_of(der, n), bytes_of(again, m)))
				abort();
		}
	}
	(void)dn_text(in, text, 60);
	(void)dn_matches(in, in);
	if (in.n > 0) {
		uint8_t *key = malloc(in.n);

		if (!key || dn_key(in, key) > in.n)
			abort();
		free(key);
	}
}

static void signatures(struct bytes in)
{
	uint8_t out[SIGNATURE_MAX], back[SIGNATURE_MAX];
	size_t salt, n, m;
	struct verify_key *key;

	(void)sign_scheme_parse(in, &salt);
	for (int kind = KEY_P256; kind <= KEY_P521; kind++) {
		if (ecdsa_to_raw((enum key_kind)kind, in, out, &n) == GW_OK &&
		    ecdsa_to_der((enum key_kind)kind, bytes_of(out, n), back, &m) != GW_OK)
			abort();
	}
	if (verify_key_scratch(crypto, in, &key) == GW_OK)
		(void)!verify_signature(crypto, key, sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, KEY_P256), 0, &in, 1,
					in);
}

static void rest(uint8_t which, struct bytes in)
{
	struct crl *crl = NULL;
	uint8_t out[1000];
	struct err e;
	size_t n;

	if (which == 3) {
		if (crl_create(crypto, trust, in, &crl, &e) == GW_OK)
			crl_destroy(crl);
	} else if (which == 4) {
		while (pem_next(&in, "CERTIFICATE", out, sizeof(out), &n) == GW_OK)
			if (n > sizeof(out))
				abort();
	} else if (cert_path_is_sound(in)) {
		struct reader r = cert_path_first(in);
		struct bytes issuer, serial;

		if (strlen(cert_path_authority(in)) >= in.n)
			abort();
		while (cert_path_next(&r, &issuer, &serial))
			if (!inside(in, issuer) || !inside(in, serial))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in;

	if (!crypto)
		start();
	if (size < 1)
		return 0;
	in = bytes_of(data + 1, size - 1);
	if (data[0] % 6 == 0)
		certificates(in);
	else if (data[0] % 6 == 1)
		names(in);
	else if (data[0] % 6 == 2)
		signatures(in);
	else
		rest(data[0] % 6, in);
	return 0;
}
