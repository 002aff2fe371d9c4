/* Records of replicated state: ike_decode. What is accepted must encode again, and what is refused must leave nothing.
 */
#include <stdlib.h>

#include "config/load.h"
#include "core/crypto/crypto.h"
#include "ike/ike.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static mtime fixed_now(const struct clock *c)
{
	(void)c;
	return (mtime){ SECONDS(1000) };
}

static int64_t fixed_wall(const struct clock *c)
{
	(void)c;
	return 1800000000;
}

static const struct clock fixed_clock = { .now = fixed_now, .wall = fixed_wall };

/* Made once: it is what the records refer to. */
static struct settings *the_settings(void)
{
	static struct settings *s;
	static const char yaml[] = "pools:\n"
				   "  c4: {addresses: 10.10.0.0/24}\n"
				   "  c6: {addresses: 'fd10::/64'}\n"
				   "connections:\n"
				   "  road:\n"
				   "    psk: abcdefghijklmnop\n"
				   "    pools: [c4, c6]\n"
				   "    children: {lan: {local: [10.1.0.0/24, 'fd01::/64']}}\n";
	struct config_report report = { 0 };

	if (!s)
		s = config_load_text("fuzz.yaml", bytes_str(yaml), NULL, &report);
	config_report_clear(&report);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct crypto *crypto;
	static uint8_t out[65536];
	struct rng_seeded rng;
	struct env env = { .clock = &fixed_clock, .rng = &rng.rng };
	struct pools *pools;
	struct ike *ike;
	uint32_t after = 0;
	const struct ike_sa *sa;

	if (!crypto)
		crypto = crypto_create(NULL);
	rng_seeded_init(&rng, 7);
	env.crypto = crypto;
	pools = pools_create(&env, the_settings());
	ike = ike_create(&env, the_settings(), pools);
	if (!crypto || !pools || !ike)
		abort();
	if (ike_decode(ike, bytes_of(data, n), true, NULL) == GW_OK) {
		struct writer w = wr_of(out, sizeof(out));

		sa = ike_next(ike, &after);
		if (sa && ike_encode(ike, ike_sa_local_spi(sa), &w) == GW_OK &&
		    ike_decode(ike, wr_done(&w), false, NULL) != GW_OK)
			abort(); /* we do not understand ourselves */
	} else if (ike_next(ike, &after) || ike_child_count(ike) > 0 || ike_half_open_count(ike) > 0) {
		abort();
	}
	ike_end_turn(ike);
	ike_destroy(ike);
	pools_destroy(pools);
	return 0;
}
