#include "ike/cookie.h"

#include "core/secret.h"

/* A cookie lives for one to two of these. */
#define COOKIE_INTERVAL SECONDS(60)

/* The secret of version v stands at v & 1: a change overwrites the one before the last. */
static const uint8_t *secret_at(const struct cookie_jar *j, uint8_t version)
{
	return j->secret[version & 1];
}

enum gw_err cookie_init(struct cookie_jar *j, const struct env *env)
{
	*j = (struct cookie_jar){ 0 };
	TRY(rng_fill(env->rng, j->secret[0], COOKIE_SECRET));
	j->rotate = mtime_add(clock_now(env->clock), COOKIE_INTERVAL);
	return GW_OK;
}

void cookie_clear(struct cookie_jar *j)
{
	secret_wipe(j, sizeof(*j));
}

enum gw_err cookie_rotate(struct cookie_jar *j, const struct env *env)
{
	mtime now = clock_now(env->clock);
	uint8_t fresh[COOKIE_SECRET];

	if (!mtime_reached(j->rotate, now))
		return GW_OK;
	TRY(rng_fill(env->rng, fresh, sizeof(fresh)));
	/* One that is overdue by a whole interval has done its time: nobody waits with its cookies any more. */
	j->have_previous = mtime_since(j->rotate, now) < COOKIE_INTERVAL;
	j->version++;
	memcpy(j->secret[j->version & 1], fresh, sizeof(fresh));
	if (!j->have_previous)
		secret_wipe(j->secret[(j->version & 1) ^ 1], COOKIE_SECRET);
	secret_wipe(fresh, sizeof(fresh));
	j->rotate = mtime_add(now, COOKIE_INTERVAL);
	return GW_OK;
}

/* All but the nonce has a known length and so goes first: else nonce octets could pass for an address. */
static enum gw_err make(const struct cookie_jar *j, uint8_t version, struct crypto *c, const struct addr *from,
			uint64_t spi_i, struct bytes nonce, uint8_t out[COOKIE_LEN])
{
	uint8_t spi[8], mac[32];
	struct bytes parts[] = { bytes_of(spi, sizeof(spi)), bytes_of(&from->family, 1), addr_bytes(from), nonce };

	put_u64(spi, spi_i);
	TRY(crypto_prf(c, prf_find(PRF_HMAC_SHA2_256), bytes_of(secret_at(j, version), COOKIE_SECRET), parts,
		       ARRAY_LEN(parts), mac));
	out[0] = version;
	memcpy(out + 1, mac, COOKIE_LEN - 1);
	secret_wipe(mac, sizeof(mac));
	return GW_OK;
}

enum gw_err cookie_make(const struct cookie_jar *j, struct crypto *c, const struct addr *from, uint64_t spi_i,
			struct bytes nonce, uint8_t out[COOKIE_LEN])
{
	return make(j, j->version, c, from, spi_i, nonce, out);
}

bool cookie_valid(const struct cookie_jar *j, struct crypto *c, const struct addr *from, uint64_t spi_i,
		  struct bytes nonce, struct bytes cookie)
{
	uint8_t expected[COOKIE_LEN];
	bool current, previous, valid;

	if (cookie.n != COOKIE_LEN)
		return false;
	current = cookie.p[0] == j->version;
	previous = j->have_previous && cookie.p[0] == (uint8_t)(j->version - 1);
	if (!current && !previous)
		return false;
	if (make(j, cookie.p[0], c, from, spi_i, nonce, expected) != GW_OK)
		return false;
	valid = secret_equal(bytes_of(expected, sizeof(expected)), cookie);
	secret_wipe(expected, sizeof(expected));
	return valid;
}
