/* The secrets of cookies, as the other node says them. What is taken must go out as it came in. */
#include <stdlib.h>

#include "config/load.h"
#include "core/crypto/crypto.h"
#include "ike/ike.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static mtime fixed_now(const struct clock *c)
{
	(void)c;
	return (mtime){ SECONDS(10000) };
}

static const struct clock fixed_clock = { .now = fixed_now };

enum { SECRETS_AT = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct crypto *crypto;
	static struct settings *settings;
	struct config_report report = { 0 };
	struct rng_seeded rng;
	struct env env = { .clock = &fixed_clock, .rng = &rng.rng };
	struct pools *pools;
	struct ike *ike;
	uint8_t out[256];
	struct writer w = wr_of(out, sizeof(out));

	if (!crypto) {
		crypto = crypto_create(NULL);
		settings = config_load_text("fuzz.yaml", bytes_str("pools: {}\n"), NULL, &report);
		config_report_clear(&report);
	}
	rng_seeded_init(&rng, 7);
	env.crypto = crypto;
	pools = settings ? pools_create(&env, settings) : NULL;
	ike = pools ? ike_create(&env, settings, pools) : NULL;
	if (!crypto || !ike)
		abort();
	ike_set_passive(ike, true);
	if (ike_decode_cookies(ike, bytes_of(data, n)) == GW_OK) {
		/* The doubt at the end may be missing. */
		if (ike_encode_cookies(ike, &w) != GW_OK || w.n > n + 4 || out[0] != data[0] ||
		    memcmp(out + SECRETS_AT, data + SECRETS_AT, (n < w.n ? w.n - 4 : w.n) - SECRETS_AT) != 0)
			abort();
	}
	ike_destroy(ike);
	pools_destroy(pools);
	return 0;
}
