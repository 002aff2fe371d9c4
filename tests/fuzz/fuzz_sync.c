/*
 * The sync stream of a peer that went mad: whatever it says, the node lives on, and serves the next link. The first
 * octet says which role we have.
 */
#include <stdlib.h>

#include "ha/ha.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static mtime fixed_now(const struct clock *c)
{
	(void)c;
	return (mtime){ SECONDS(1000) };
}

static const struct clock fixed_clock = { .now = fixed_now };

static enum gw_err encode(void *arg, enum ha_kind kind, uint64_t key, struct writer *out)
{
	(void)arg;
	if (kind != HA_OBJ_IKE || key > 64)
		return GW_ENOTFOUND;
	wr_u64(out, key);
	return GW_OK;
}

static void apply(void *arg, struct ha_change *changes, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		if (changes[i].deleted != (changes[i].state.n == 0))
			abort();
		else if (changes[i].key % 7 == 3)
			changes[i].result = GW_ECONFIG;
}

static size_t dump(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	(void)arg;
	(void)out;
	(void)max;
	*cookie = 0;
	return 0;
}

static const struct ha_ops ops = { .encode = encode, .apply = apply, .dump = dump };

static void serve(struct ha *ha)
{
	struct ha_event ev;
	struct bytes out;

	for (int i = 0; i < 1000 && ha_take_event(ha, &ev); i++)
		if (ev.kind == HA_EV_PERSIST)
			ha_persisted(ha, ev.durable.reserve);
		else if (ev.kind == HA_EV_DATAPLANE)
			(void)ha_plane_event(ha, &(struct dp_event){ .kind = DP_DONE, .token = ev.token });
	(void)ha_end_turn(ha);
	(void)ha_link_more(ha);
	out = ha_link_bytes(ha);
	ha_link_written(ha, out.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct ha_config cfg = { .cluster = "c" };
	const struct ha_durable none = { 0 };
	struct rng_seeded rng;
	struct env env = { .clock = &fixed_clock, .rng = &rng.rng };
	struct ha *ha;
	struct err e;

	rng_seeded_init(&rng, 7);
	ha = ha_create(&env, &cfg, &ops, NULL, &none);
	if (!ha || n == 0) {
		ha_destroy(ha);
		return 0;
	}
	serve(ha);
	if (data[0] & 1) {
		if (ha_promote(ha, "fuzz", &e) != GW_OK)
			abort();
		for (uint64_t k = 1; k < 40; k++)
			ha_dirty(ha, HA_OBJ_IKE, k, false);
	}
	serve(ha);
	for (int i = 0; i < 2; i++) {
		ha_link_up(ha);
		serve(ha);
		ha_link_receive(ha, bytes_of(data + 1, (n - 1) / 2));
		serve(ha);
		ha_link_receive(ha, bytes_of(data + 1 + (n - 1) / 2, n - 1 - (n - 1) / 2));
		serve(ha);
		ha_tick(ha);
	}
	ha_destroy(ha);
	return 0;
}
