/* Public keys and signatures of others (sign.h). */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "core/crypto/der.h"
#include "core/crypto/ossl.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_E_MAX = 5 };

static const struct ec_kind {
	const char *group;
	uint8_t oid[8];
	uint8_t oid_len;
	size_t point_len;
} ec_kinds[KEY_KINDS] = {
	[KEY_P256] = { "P-256", { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, 8, 65 },
	[KEY_P384] = { "P-384", { 0x2b, 0x81, 0x04, 0x00, 0x22 }, 5, 97 },
	[KEY_P521] = { "P-521", { 0x2b, 0x81, 0x04, 0x00, 0x23 }, 5, 133 },
};

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_ed448[] = { 0x2b, 0x65, 0x71 };

/* What a SubjectPublicKeyInfo holds: a point, an Ed key, or n and e. */
struct spki {
	enum key_kind kind;
	struct bytes key, n, e;
	size_t bits;
};

static struct bytes positive(struct reader *r)
{
	struct bytes b = der_get(r, DER_INTEGER);

	if (b.n == 0 || (b.p[0] & 0x80))
		r->bad = true;
	while (!r->bad && b.n > 1 && *b.p == 0) {
		b.p++;
		b.n--;
	}
	return b;
}

static size_t bits_of(struct bytes b)
{
	size_t bits = b.n * 8;

	for (uint8_t top = b.n > 0 ? *b.p : 0; top != 0 && !(top & 0x80); top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

static bool parse_rsa(struct spki *s)
{
	struct reader r = rd_of(s->key), in = der_enter(&r, DER_SEQUENCE);

	s->n = positive(&in);
	s->e = positive(&in);
	s->bits = bits_of(s->n);
	return !in.bad && in.left == 0 && r.left == 0;
}

static enum gw_err spki_parse(struct bytes der, struct spki *s)
{
	struct reader r = rd_of(der), in = der_enter(&r, DER_SEQUENCE), alg = der_enter(&in, DER_SEQUENCE);
	struct bytes oid = der_get(&alg, DER_OID);

	*s = (struct spki){ .key = der_bits(&in) };
	if (in.bad || alg.bad || in.left > 0 || r.left > 0)
		return GW_EMALFORMED;
	if (bytes_equal(oid, bytes_of(oid_rsa, sizeof(oid_rsa)))) {
		s->kind = KEY_RSA;
		return parse_rsa(s) ? GW_OK : GW_EMALFORMED;
	}
	if (bytes_equal(oid, bytes_of(oid_ec, sizeof(oid_ec)))) {
		struct bytes curve = der_get(&alg, DER_OID);

		for (int k = KEY_P256; k <= KEY_P521; k++) {
			if (bytes_equal(curve, bytes_of(ec_kinds[k].oid, ec_kinds[k].oid_len)))
				s->kind = (enum key_kind)k;
		}
		if (s->kind == KEY_UNKNOWN)
			return GW_EUNSUPPORTED;
		return s->key.n == ec_kinds[s->kind].point_len && s->key.p[0] == 4 ? GW_OK : GW_EMALFORMED;
	}
	if (bytes_equal(oid, bytes_of(oid_ed25519, sizeof(oid_ed25519))))
		s->kind = KEY_ED25519;
	else if (bytes_equal(oid, bytes_of(oid_ed448, sizeof(oid_ed448))))
		s->kind = KEY_ED448;
	else
		return GW_EUNSUPPORTED;
	return s->key.n == (s->kind == KEY_ED25519 ? 32 : 57) ? GW_OK : GW_EMALFORMED;
}

enum key_kind spki_kind(struct bytes der, size_t *bits)
{
	struct spki s;

	*bits = 0;
	if (spki_parse(der, &s) != GW_OK)
		return KEY_UNKNOWN;
	*bits = s.bits;
	return s.kind;
}

/* ---- keys ---- */

static EVP_PKEY *make_ec(OSSL_LIB_CTX *lib, const struct spki *s)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, "EC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)ec_kinds[s->kind].group,
						 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)s->key.p, s->key.n),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *make_rsa(OSSL_LIB_CTX *lib, const struct spki *s)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, "RSA", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(s->n.p, (int)s->n.n, NULL), *e = BN_bin2bn(s->e.p, (int)s->e.n, NULL);
	OSSL_PARAM *params = NULL;

	if (bld && n && e && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static enum gw_err make(OSSL_LIB_CTX *lib, const struct spki *s, struct verify_key *k)
{
	k->lib = lib;
	if (s->kind == KEY_RSA) {
		/* The bounds keep what a stranger's key costs small, too. */
		if (s->bits < RSA_BITS_MIN || s->bits > RSA_BITS_MAX || s->e.n > RSA_E_MAX)
			return GW_EUNSUPPORTED;
		k->pkey = make_rsa(lib, s);
	} else if (s->kind == KEY_ED25519 || s->kind == KEY_ED448) {
		k->pkey = EVP_PKEY_new_raw_public_key_ex(lib, s->kind == KEY_ED25519 ? "ED25519" : "ED448", NULL,
							 s->key.p, s->key.n);
	} else {
		k->pkey = make_ec(lib, s);
	}
	if (!k->pkey)
		return ossl_fail(GW_EMALFORMED);
	k->kind = s->kind;
	if (s->kind == KEY_ED25519 || s->kind == KEY_ED448)
		return GW_OK;
	k->ctx = EVP_PKEY_CTX_new_from_pkey(lib, k->pkey, NULL);
	return k->ctx && EVP_PKEY_verify_init(k->ctx) == 1 ? GW_OK : ossl_fail(GW_ENOMEM);
}

static void verify_key_clear(struct verify_key *k)
{
	EVP_PKEY_CTX_free(k->ctx);
	EVP_PKEY_free(k->pkey);
	*k = (struct verify_key){ 0 };
}

enum gw_err verify_key_make(OSSL_LIB_CTX *lib, struct bytes spki, struct verify_key **out)
{
	struct verify_key *k;
	struct spki s;
	enum gw_err code;

	TRY(spki_parse(spki, &s));
	k = calloc(1, sizeof(*k));
	if (!k)
		return GW_ENOMEM;
	code = make(lib, &s, k);
	if (code == GW_OK)
		*out = k;
	else
		verify_key_destroy(k);
	return code;
}

void verify_key_destroy(struct verify_key *k)
{
	if (!k)
		return;
	verify_key_clear(k);
	free(k);
}

/*
 * The leaf of a peer is used for one or two signatures. On a curve a key of ours gets its point: that checks that it is
 * on the curve and spares the making of key and contexts.
 */
enum gw_err verify_key_scratch(struct crypto *c, struct bytes spki, struct verify_key **out)
{
	struct verify_key *k;
	struct spki s;
	enum gw_err code;

	TRY(spki_parse(spki, &s));
	k = &c->leaf[s.kind];
	if (k->pkey && ec_kinds[s.kind].group && EVP_PKEY_set1_encoded_public_key(k->pkey, s.key.p, s.key.n) == 1) {
		*out = k;
		return GW_OK;
	}
	verify_key_clear(k);
	code = make(c->lib, &s, k);
	if (code == GW_OK)
		*out = k;
	else
		verify_key_clear(k);
	return code == GW_OK ? code : ossl_fail(code);
}

void verify_stop(struct crypto *c)
{
	for (size_t i = 0; i < KEY_KINDS; i++)
		verify_key_clear(&c->leaf[i]);
}

enum key_kind verify_key_kind(const struct verify_key *k)
{
	return k->kind;
}

/* ---- signatures ---- */

const struct hash *sign_hash_of(const struct crypto *c, enum sign_hash h)
{
	static const enum hash_id ids[] = { [SIGN_SHA1] = HASH_SHA1,
					    [SIGN_SHA2_256] = HASH_SHA2_256,
					    [SIGN_SHA2_384] = HASH_SHA2_384,
					    [SIGN_SHA2_512] = HASH_SHA2_512 };

	return &c->hash[ids[h]];
}

bool sign_pad(EVP_PKEY_CTX *ctx, const struct sign_scheme *s, const EVP_MD *md, size_t salt)
{
	bool pss = s->family == SIGN_RSA_PSS;

	return EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	       (!pss ||
		(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)salt) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1));
}

/* EdDSA signs the message itself, in one piece. Owned by the caller. */
uint8_t *sign_join(const struct bytes *parts, size_t count, size_t *n)
{
	uint8_t *all;

	*n = 0;
	for (size_t i = 0; i < count; i++)
		*n += parts[i].n;
	all = malloc(*n + 1);
	for (size_t i = 0, at = 0; all && i < count; i++) {
		if (parts[i].n > 0)
			memcpy(all + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	return all;
}

static enum gw_err verify_ed(struct verify_key *k, const struct bytes *parts, size_t count, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n;
	uint8_t *all = sign_join(parts, count, &n);
	enum gw_err code = GW_ENOMEM;

	if (ctx && all && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, k->lib, NULL, k->pkey, NULL) == 1)
		code = EVP_DigestVerify(ctx, signature.p, signature.n, all, n) == 1 ? GW_OK : GW_EAUTH;
	EVP_MD_CTX_free(ctx);
	free(all);
	return code == GW_OK ? code : ossl_fail(code);
}

enum gw_err verify_signature(struct crypto *c, struct verify_key *k, const struct sign_scheme *s, size_t salt,
			     const struct bytes *parts, size_t count, struct bytes signature)
{
	const struct hash *h;
	uint8_t digest[HASH_LEN_MAX];

	if (!sign_scheme_fits(s, k->kind) || signature.n == 0)
		return GW_EAUTH;
	if (s->family == SIGN_EDDSA)
		return verify_ed(k, parts, count, signature);
	h = sign_hash_of(c, s->hash);
	TRY(hash_parts(c, h, parts, count, digest));
	if (s->family != SIGN_ECDSA && !sign_pad(k->ctx, s, h->md, salt))
		return ossl_fail(GW_EAUTH); /* the hash does not fit into the key */
	return EVP_PKEY_verify(k->ctx, signature.p, signature.n, digest, h->len) == 1 ? GW_OK : ossl_fail(GW_EAUTH);
}
