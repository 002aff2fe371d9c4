/*
 * Leases that the other node keeps for absent identities. The first octet is the format that both nodes speak. What is
 * taken must go out again, and be understood by ourselves.
 */
#include <stdlib.h>

#include "config/load.h"
#include "daemon/ha_objects.h"
#include "ike/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static mtime fixed_now(const struct clock *c)
{
	(void)c;
	return (mtime){ SECONDS(1000) };
}

static const struct clock fixed_clock = { .now = fixed_now };

/* Made once: what the leases are of. */
static struct settings *the_settings(void)
{
	static struct settings *s;
	static const char yaml[] = "pools:\n"
				   "  clients: {addresses: 10.9.0.0/24}\n"
				   "  six: {addresses: 'fd09::/120'}\n";
	struct config_report report = { 0 };

	if (!s)
		s = config_load_text("fuzz.yaml", bytes_str(yaml), NULL, &report);
	config_report_clear(&report);
	return s;
}

static size_t count(const struct pools *p)
{
	return pool_usage(p, "clients").kept + pool_usage(p, "six").kept;
}

static void again(const struct pools *from, struct pools *to, uint8_t minor)
{
	static uint8_t out[HA_OBJECT_MAX];

	for (uint64_t b = 0; b < POOL_PARTS; b++) {
		struct writer w = wr_of(out, sizeof(out));

		ha_objects_write_leases(from, b, minor, (mtime){ SECONDS(1000) }, &w);
		if (w.bad || ha_objects_read_leases(to, minor, wr_done(&w)) != GW_OK)
			abort(); /* we do not understand ourselves */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rng_seeded rng;
	struct env env = { .clock = &fixed_clock, .rng = &rng.rng };
	struct pools *one, *two;
	uint8_t minor;

	if (n == 0)
		return 0;
	minor = data[0] % 4;
	rng_seeded_init(&rng, 7);
	one = pools_create(&env, the_settings());
	two = pools_create(&env, the_settings());
	if (!one || !two)
		abort();
	(void)!ha_objects_read_leases(one, minor, bytes_of(data + 1, n - 1));
	again(one, two, minor);
	if (count(one) != count(two))
		abort();
	pools_destroy(one);
	pools_destroy(two);
	return 0;
}
