#include "core/crypto/ossl.h"

#include <stdlib.h>

/*
 * Three kinds. X25519 and X448 are the provider's functions (ecx.c). For ECP and MODP the point and big number
 * functions do the same arithmetic (constant time for secret scalars and exponents) without building, checking and
 * freeing key objects around each exchange. A private key is just octets that can be replicated.
 */

struct dh_key {
	const struct dh_alg *alg;
	const struct dh_kind *kind;
	struct dh_group *group; /* borrowed from struct crypto, the same for the key's life */
	uint8_t bytes[];	/* the private octets, then the public ones */
};

struct dh_ops {
	bool (*start)(struct crypto *c, const struct dh_kind *kind, struct dh_group *g);
	/* Draws the private octets and computes the public ones. */
	enum gw_err (*make)(struct crypto *c, struct dh_key *k);
	/* Both have been copied in. NULL: nothing more to do. */
	enum gw_err (*import)(struct dh_key *k);
	/* peer has the right length; out has room for the group's secret. */
	enum gw_err (*shared)(struct crypto *c, struct dh_key *k, struct bytes peer, uint8_t *out);
};

struct dh_kind {
	uint16_t id;
	uint16_t private_len, shared_len; /* octets */
	const struct dh_ops *ops;
	const char *name;	      /* in OpenSSL */
	int nid;		      /* ECP */
	uint8_t base;		      /* X25519, X448: first octet of the base point; the others are 0 */
	BIGNUM *(*prime)(BIGNUM *bn); /* MODP */
};

static uint8_t *private_of(struct dh_key *k)
{
	return k->bytes;
}

static uint8_t *public_of(struct dh_key *k)
{
	return k->bytes + k->kind->private_len;
}

/* ---- X25519, X448 (RFC 8031) ---- */

static bool ecx_start(struct crypto *c, const struct dh_kind *kind, struct dh_group *g)
{
	return ecx_find(c->provider, kind->name, &g->ecx);
}

/* RFC 7748 6: the public value is the base point times the private one. With X25519 that is quicker than what OpenSSL
 * does of its own accord for a key pair, since only the multiplication of any point is written for the processor. */
static enum gw_err ecx_make(struct crypto *c, struct dh_key *k)
{
	uint8_t base[56] = { k->kind->base };

	TRY(rng_fill(c->rng, private_of(k), k->kind->private_len));
	return ecx_multiply(&k->group->ecx, private_of(k), base, public_of(k), k->kind->private_len);
}

static enum gw_err ecx_shared(struct crypto *c, struct dh_key *k, struct bytes peer, uint8_t *out)
{
	(void)c;
	return ecx_multiply(&k->group->ecx, private_of(k), peer.p, out, k->kind->private_len);
}

static const struct dh_ops ecx = { ecx_start, ecx_make, NULL, ecx_shared };

/* ---- ECP (RFC 5903) ---- */

enum { POINT_MAX = 1 + 2 * 66 };

static bool ec_start(struct crypto *c, const struct dh_kind *kind, struct dh_group *g)
{
	g->ec = EC_GROUP_new_by_curve_name_ex(c->lib, NULL, kind->nid);
	g->order = BN_new();
	return g->ec && g->order && EC_GROUP_get_order(g->ec, g->order, NULL) == 1;
}

/* A secret number, that big number functions treat as one. Free with BN_clear_free. */
static BIGNUM *secret_number(const uint8_t *p, size_t n)
{
	BIGNUM *bn = BN_new();

	if (!bn)
		return NULL;
	BN_set_flags(bn, BN_FLG_CONSTTIME);
	if (BN_bin2bn(p, (int)n, bn))
		return bn;
	BN_clear_free(bn);
	return NULL;
}

/* Uniform in 1..order-1, by drawing again. */
static enum gw_err ec_draw(struct crypto *c, struct dh_key *k, BIGNUM **out)
{
	int bits = BN_num_bits(k->group->order);
	uint8_t *p = private_of(k);

	for (;;) {
		TRY(rng_fill(c->rng, p, k->kind->private_len));
		if (bits % 8 != 0)
			p[0] &= (uint8_t)(0xff >> (8 - bits % 8));
		*out = secret_number(p, k->kind->private_len);
		if (!*out)
			return ossl_fail(GW_ENOMEM);
		if (!BN_is_zero(*out) && BN_cmp(*out, k->group->order) < 0)
			return GW_OK;
		BN_clear_free(*out);
	}
}

/* buf: 04 | X | Y */
static bool ec_encode(const struct dh_key *k, const EC_POINT *point, BN_CTX *bn, uint8_t buf[POINT_MAX])
{
	size_t n = 1 + (size_t)k->alg->public_len;

	return EC_POINT_point2oct(k->group->ec, point, POINT_CONVERSION_UNCOMPRESSED, buf, n, bn) == n;
}

static enum gw_err ec_make(struct crypto *c, struct dh_key *k)
{
	BIGNUM *scalar;
	EC_POINT *point;
	BN_CTX *bn;
	uint8_t buf[POINT_MAX];
	bool ok;

	TRY(ec_draw(c, k, &scalar));
	bn = BN_CTX_new_ex(c->lib);
	point = EC_POINT_new(k->group->ec);
	ok = bn && point && EC_POINT_mul(k->group->ec, point, scalar, NULL, NULL, bn) == 1 &&
	     ec_encode(k, point, bn, buf);
	if (ok)
		memcpy(public_of(k), buf + 1, k->alg->public_len);
	EC_POINT_free(point);
	BN_CTX_free(bn);
	BN_clear_free(scalar);
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

/* RFC 5903 9: the secret is the X coordinate alone. */
static enum gw_err ec_multiply(struct dh_key *k, const EC_POINT *peer, const BIGNUM *scalar, BN_CTX *bn, uint8_t *out)
{
	EC_POINT *point = EC_POINT_new(k->group->ec);
	uint8_t buf[POINT_MAX];
	bool ok =
		point && EC_POINT_mul(k->group->ec, point, NULL, peer, scalar, bn) == 1 && ec_encode(k, point, bn, buf);

	if (ok)
		memcpy(out, buf + 1, k->kind->shared_len);
	secret_wipe(buf, sizeof(buf));
	EC_POINT_clear_free(point);
	return ok ? GW_OK : GW_EINTERNAL;
}

static enum gw_err ec_shared(struct crypto *c, struct dh_key *k, struct bytes peer, uint8_t *out)
{
	BIGNUM *scalar = secret_number(private_of(k), k->kind->private_len);
	BN_CTX *bn = BN_CTX_new_ex(c->lib);
	EC_POINT *point = EC_POINT_new(k->group->ec);
	enum gw_err rc = GW_ENOMEM;
	uint8_t buf[POINT_MAX];

	if (scalar && bn && point) {
		buf[0] = POINT_CONVERSION_UNCOMPRESSED;
		memcpy(buf + 1, peer.p, peer.n);
		/*
		 * RFC 6989 2.3, RFC 5903 9: coordinates below p and on the curve, which this call checks; the cofactor
		 * is 1, so that every such point but infinity (not encodable here) has the whole order.
		 */
		if (EC_POINT_oct2point(k->group->ec, point, buf, 1 + peer.n, bn) != 1)
			rc = GW_EMALFORMED;
		else
			rc = ec_multiply(k, point, scalar, bn, out);
	}
	EC_POINT_free(point);
	BN_CTX_free(bn);
	BN_clear_free(scalar);
	return rc == GW_OK ? GW_OK : ossl_fail(rc);
}

/* A scalar of 0 or beyond the order is no key of ours. */
static enum gw_err ec_import(struct dh_key *k)
{
	BIGNUM *scalar = secret_number(private_of(k), k->kind->private_len);
	enum gw_err rc = GW_ENOMEM;

	if (scalar)
		rc = !BN_is_zero(scalar) && BN_cmp(scalar, k->group->order) < 0 ? GW_OK : GW_EINVAL;
	BN_clear_free(scalar);
	return rc == GW_OK ? GW_OK : ossl_fail(rc);
}

static const struct dh_ops ec = { ec_start, ec_make, ec_import, ec_shared };

/* ---- MODP (RFC 3526; 1024: RFC 7296 B.2) ---- */

static bool modp_start(struct crypto *c, const struct dh_kind *kind, struct dh_group *g)
{
	BN_CTX *bn = BN_CTX_new_ex(c->lib);
	bool ok;

	g->p = kind->prime(NULL);
	g->p_less_1 = BN_dup(g->p);
	g->g = BN_new();
	g->mont = BN_MONT_CTX_new();
	ok = bn && g->p && g->p_less_1 && g->g && g->mont && BN_sub_word(g->p_less_1, 1) == 1 &&
	     BN_set_word(g->g, 2) == 1 && BN_MONT_CTX_set(g->mont, g->p, bn) == 1;
	BN_CTX_free(bn);
	return ok;
}

/* out = base ^ private mod p, left-padded to the length of p (RFC 7296 2.14, 3.4). */
static enum gw_err modp_power(struct crypto *c, struct dh_key *k, const BIGNUM *base, uint8_t *out)
{
	BIGNUM *x = secret_number(private_of(k), k->kind->private_len);
	BIGNUM *y = BN_new();
	BN_CTX *bn = BN_CTX_new_ex(c->lib);
	int n = k->alg->public_len;
	bool ok = x && y && bn && BN_mod_exp_mont_consttime(y, base, x, k->group->p, bn, k->group->mont) == 1 &&
		  BN_bn2binpad(y, out, n) == n;

	BN_CTX_free(bn);
	BN_clear_free(y);
	BN_clear_free(x);
	return ok ? GW_OK : ossl_fail(GW_EINTERNAL);
}

static enum gw_err modp_make(struct crypto *c, struct dh_key *k)
{
	TRY(rng_fill(c->rng, private_of(k), k->kind->private_len));
	private_of(k)[0] |= 0x80; /* never 0 or 1, and of known size */
	return modp_power(c, k, k->group->g, public_of(k));
}

static enum gw_err modp_shared(struct crypto *c, struct dh_key *k, struct bytes peer, uint8_t *out)
{
	BIGNUM *y = BN_bin2bn(peer.p, (int)peer.n, NULL);
	enum gw_err rc = GW_ENOMEM;

	/* RFC 6989 2.1: safe primes, so 1 < y < p-1 is the whole check. */
	if (y)
		rc = BN_cmp(y, BN_value_one()) > 0 && BN_cmp(y, k->group->p_less_1) < 0 ? modp_power(c, k, y, out)
											: GW_EMALFORMED;
	BN_free(y);
	return rc;
}

static const struct dh_ops modp = { modp_start, modp_make, NULL, modp_shared };

/* ---- all of them ---- */

/* MODP exponents: the larger estimate of RFC 3526 8 in whole octets, twice the strength of the group and more. */
static const struct dh_kind kinds[DH_GROUPS] = {
	{ DH_CURVE25519, 32, 32, &ecx, "X25519", 0, 9, NULL },
	{ DH_CURVE448, 56, 56, &ecx, "X448", 0, 5, NULL },
	{ DH_ECP_256, 32, 32, &ec, "P-256", NID_X9_62_prime256v1, 0, NULL },
	{ DH_ECP_384, 48, 48, &ec, "P-384", NID_secp384r1, 0, NULL },
	{ DH_ECP_521, 66, 66, &ec, "P-521", NID_secp521r1, 0, NULL },
	{ DH_MODP_1024, 32, 128, &modp, "modp_1024", 0, 0, BN_get_rfc2409_prime_1024 },
	{ DH_MODP_1536, 32, 192, &modp, "modp_1536", 0, 0, BN_get_rfc3526_prime_1536 },
	{ DH_MODP_2048, 40, 256, &modp, "modp_2048", 0, 0, BN_get_rfc3526_prime_2048 },
	{ DH_MODP_3072, 53, 384, &modp, "modp_3072", 0, 0, BN_get_rfc3526_prime_3072 },
	{ DH_MODP_4096, 60, 512, &modp, "modp_4096", 0, 0, BN_get_rfc3526_prime_4096 },
	{ DH_MODP_6144, 68, 768, &modp, "modp_6144", 0, 0, BN_get_rfc3526_prime_6144 },
	{ DH_MODP_8192, 78, 1024, &modp, "modp_8192", 0, 0, BN_get_rfc3526_prime_8192 },
};

enum gw_err dh_start(struct crypto *c, struct err *e)
{
	size_t i;

	for (i = 0; i < DH_GROUPS; i++)
		if (!kinds[i].ops->start(c, &kinds[i], &c->group[i]))
			return err_set(e, GW_EUNSUPPORTED, "OpenSSL has no group %s", kinds[i].name);
	return GW_OK;
}

void dh_stop(struct crypto *c)
{
	size_t i;

	for (i = 0; i < DH_GROUPS; i++) {
		struct dh_group *g = &c->group[i];

		EC_GROUP_free(g->ec);
		BN_free(g->order);
		BN_MONT_CTX_free(g->mont);
		BN_free(g->g);
		BN_free(g->p);
		BN_free(g->p_less_1);
	}
}

static enum gw_err key_create(struct crypto *c, const struct dh_alg *alg, struct dh_key **out)
{
	struct dh_key *k;
	size_t i;

	*out = NULL;
	for (i = 0; i < DH_GROUPS && kinds[i].id != alg->id; i++)
		;
	if (i == DH_GROUPS)
		return GW_EUNSUPPORTED;
	k = calloc(1, sizeof(*k) + kinds[i].private_len + alg->public_len);
	if (!k)
		return GW_ENOMEM;
	k->alg = alg;
	k->kind = &kinds[i];
	k->group = &c->group[i];
	*out = k;
	return GW_OK;
}

enum gw_err dh_generate(struct crypto *c, const struct dh_alg *alg, struct dh_key **out)
{
	struct dh_key *k;
	enum gw_err rc;

	*out = NULL;
	TRY(key_create(c, alg, &k));
	rc = k->kind->ops->make(c, k);
	if (rc != GW_OK) {
		dh_destroy(k);
		return rc;
	}
	*out = k;
	return GW_OK;
}

void dh_destroy(struct dh_key *k)
{
	if (!k)
		return;
	secret_wipe(private_of(k), k->kind->private_len);
	free(k);
}

const struct dh_alg *dh_alg_of(const struct dh_key *k)
{
	return k->alg;
}

struct bytes dh_public(const struct dh_key *k)
{
	return bytes_of(k->bytes + k->kind->private_len, k->alg->public_len);
}

enum gw_err dh_shared(struct crypto *c, struct dh_key *k, struct bytes peer, struct secret *out)
{
	enum gw_err rc;

	/* RFC 7296 3.4, RFC 5903 7, RFC 8031 3.1: the length is the group's, padding included. */
	if (peer.n != k->alg->public_len)
		return GW_EMALFORMED;
	TRY(secret_alloc(out, k->kind->shared_len));
	rc = k->kind->ops->shared(c, k, peer, out->p);
	if (rc != GW_OK)
		secret_clear(out);
	return rc;
}

enum gw_err dh_export(const struct dh_key *k, struct secret *out)
{
	return secret_copy(out, bytes_of(k->bytes, k->kind->private_len));
}

enum gw_err dh_import(struct crypto *c, const struct dh_alg *alg, struct bytes priv, struct bytes pub,
		      struct dh_key **out)
{
	struct dh_key *k;
	enum gw_err rc = GW_OK;

	*out = NULL;
	TRY(key_create(c, alg, &k));
	if (priv.n != k->kind->private_len || pub.n != alg->public_len) {
		dh_destroy(k);
		return GW_EINVAL;
	}
	memcpy(private_of(k), priv.p, priv.n);
	memcpy(public_of(k), pub.p, pub.n);
	if (k->kind->ops->import)
		rc = k->kind->ops->import(k);
	if (rc != GW_OK) {
		dh_destroy(k);
		return rc;
	}
	*out = k;
	return GW_OK;
}
