#include "ike/keymat.h"

#include "ike/limits.h"

/* The block's parts, in the order of RFC 7296 2.14. */
enum part { PART_D, PART_AI, PART_AR, PART_EI, PART_ER, PART_PI, PART_PR, PARTS };

static size_t part_len(const struct prf_alg *prf, const struct cipher_suite *suite, enum part part)
{
	switch (part) {
	case PART_AI:
	case PART_AR:
		return suite_integ_key_len(suite);
	case PART_EI:
	case PART_ER:
		return suite_encr_key_len(suite);
	default:
		return prf->len; /* the preferred key length of every PRF we have (RFC 7296 2.13) */
	}
}

static size_t part_at(const struct prf_alg *prf, const struct cipher_suite *suite, enum part part)
{
	size_t at = 0;

	for (enum part p = PART_D; p < part; p++)
		at += part_len(prf, suite, p);
	return at;
}

static struct bytes part_of(const struct ike_keys *k, enum part part)
{
	size_t at, len;

	if (!k->block.p)
		return (struct bytes){ 0 };
	at = part_at(k->prf, &k->suite, part);
	len = part_len(k->prf, &k->suite, part);
	return at + len <= k->block.n ? bytes_of(k->block.p + at, len) : (struct bytes){ 0 };
}

size_t ike_keys_len(const struct prf_alg *prf, const struct cipher_suite *suite)
{
	return part_at(prf, suite, PARTS);
}

size_t ike_keys_len_up(const struct prf_alg *prf, const struct cipher_suite *suite)
{
	return part_at(prf, suite, PART_PI);
}

void ike_keys_drop_auth(struct ike_keys *k)
{
	struct secret rest = { 0 };
	size_t n;

	if (!k->block.p)
		return;
	n = ike_keys_len_up(k->prf, &k->suite);
	/* Without memory they stay where they are: nobody asks for them. */
	if (n < k->block.n && secret_copy(&rest, bytes_of(k->block.p, n)) == GW_OK)
		secret_move(&k->block, &rest);
}

void ike_keys_clear(struct ike_keys *k)
{
	secret_clear(&k->block);
	k->prf = NULL;
	k->suite = (struct cipher_suite){ 0 };
}

struct bytes ike_keys_d(const struct ike_keys *k)
{
	return part_of(k, PART_D);
}

struct bytes ike_keys_ai(const struct ike_keys *k)
{
	return part_of(k, PART_AI);
}

struct bytes ike_keys_ar(const struct ike_keys *k)
{
	return part_of(k, PART_AR);
}

struct bytes ike_keys_ei(const struct ike_keys *k)
{
	return part_of(k, PART_EI);
}

struct bytes ike_keys_er(const struct ike_keys *k)
{
	return part_of(k, PART_ER);
}

struct bytes ike_keys_pi(const struct ike_keys *k)
{
	return part_of(k, PART_PI);
}

struct bytes ike_keys_pr(const struct ike_keys *k)
{
	return part_of(k, PART_PR);
}

/* {SK_d | ...} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
static enum gw_err expand(struct crypto *c, struct ike_keys *k, struct bytes skeyseed, struct bytes ni, struct bytes nr,
			  uint64_t spi_i, uint64_t spi_r)
{
	uint8_t spis[16];
	struct bytes parts[] = { ni, nr, bytes_of(spis, sizeof(spis)) };
	WIPED struct secret block = { 0 };

	put_u64(spis, spi_i);
	put_u64(spis + 8, spi_r);
	TRY(secret_alloc(&block, ike_keys_len(k->prf, &k->suite)));
	TRY(crypto_prf_plus(c, k->prf, skeyseed, parts, ARRAY_LEN(parts), block.p, block.n));
	secret_move(&k->block, &block);
	return GW_OK;
}

enum gw_err ike_keys_derive(struct crypto *c, struct ike_keys *k, struct bytes ni, struct bytes nr, struct bytes shared,
			    uint64_t spi_i, uint64_t spi_r)
{
	uint8_t nonces[2 * IKE_NONCE_MAX], skeyseed[IKE_PRF_MAX];
	struct writer key = wr_of(nonces, sizeof(nonces));
	enum gw_err rc;

	wr_bytes(&key, ni);
	wr_bytes(&key, nr);
	if (key.bad)
		return GW_EINVAL;
	rc = crypto_prf(c, k->prf, wr_done(&key), &shared, 1, skeyseed);
	if (rc == GW_OK)
		rc = expand(c, k, bytes_of(skeyseed, k->prf->len), ni, nr, spi_i, spi_r);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return rc;
}

enum gw_err ike_keys_rekey(struct crypto *c, struct ike_keys *k, const struct ike_keys *old, struct bytes ni,
			   struct bytes nr, struct bytes shared, uint64_t spi_i, uint64_t spi_r)
{
	struct bytes parts[] = { shared, ni, nr };
	uint8_t skeyseed[IKE_PRF_MAX];
	enum gw_err rc;

	/* RFC 7296 2.18: the old SA's PRF makes SKEYSEED, the new one's expands it. */
	rc = crypto_prf(c, old->prf, ike_keys_d(old), parts, ARRAY_LEN(parts), skeyseed);
	if (rc == GW_OK)
		rc = expand(c, k, bytes_of(skeyseed, old->prf->len), ni, nr, spi_i, spi_r);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return rc;
}

enum gw_err child_keymat(struct crypto *c, const struct ike_keys *k, const struct cipher_suite *suite,
			 struct bytes shared, struct bytes ni, struct bytes nr, struct secret *i2r, struct secret *r2i)
{
	size_t half = suite_encr_key_len(suite) + suite_integ_key_len(suite);
	struct bytes parts[] = { shared, ni, nr };
	WIPED struct secret all = { 0 };
	WIPED struct secret first = { 0 };
	WIPED struct secret second = { 0 };

	TRY(secret_alloc(&all, 2 * half));
	TRY(crypto_prf_plus(c, k->prf, ike_keys_d(k), parts, ARRAY_LEN(parts), all.p, all.n));
	TRY(secret_copy(&first, bytes_of(all.p, half)));
	TRY(secret_copy(&second, bytes_of(all.p + half, half)));
	secret_move(i2r, &first);
	secret_move(r2i, &second);
	return GW_OK;
}
