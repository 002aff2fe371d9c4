/* Versions in order, tombstones, digests: against a plain table. */
#include "ha/objects.h"

#include <stdlib.h>

#include "tests/check_main.h"

enum { KEYS = 300 };

static void in_order(struct ha_objects *o, const uint64_t *version, const bool *dead, uint64_t after)
{
	uint64_t last = 0;
	size_t n = 0, want = 0;
	bool live = false;
	struct ha_entry *e;

	ha_objects_walk(o, after);
	while ((e = ha_objects_next(o)) != NULL) {
		if (!e->deleted && !live) {
			live = true; /* tombstones first */
			last = 0;
		}
		ck_assert(!(e->deleted && live));
		ck_assert_uint_ge(e->version, last);
		ck_assert_uint_gt(e->version, after);
		ck_assert(version[e->id.key] == e->version && dead[e->id.key] == e->deleted);
		last = e->version;
		n++;
	}
	for (size_t i = 0; i < KEYS; i++)
		want += version[i] > after;
	ck_assert_uint_eq(n, want);
}

START_TEST(at_random)
{
	struct rng_seeded rng;
	struct ha_objects o, mirror;
	uint64_t version[KEYS] = { 0 }, turn = 0;
	bool dead[KEYS] = { false };

	rng_seeded_init(&rng, 3);
	ck_assert_int_eq(ha_objects_init(&o, &rng.rng), GW_OK);
	ck_assert_int_eq(ha_objects_init(&mirror, &rng.rng), GW_OK);
	for (int i = 0; i < 20000; i++) {
		uint64_t k = rng_below(&rng.rng, KEYS);
		struct ha_entry *e = ha_objects_get(&o, HA_OBJ_IKE, k);

		if (rng_below(&rng.rng, 50) == 0) { /* acknowledged up to somewhere */
			uint64_t up_to = rng_below(&rng.rng, turn + 1);

			ha_objects_bury(&o, up_to);
			for (size_t d = 0; d < KEYS; d++)
				if (dead[d] && version[d] <= up_to) {
					version[d] = 0;
					dead[d] = false;
				}
			e = ha_objects_get(&o, HA_OBJ_IKE, k);
		}
		dead[k] = rng_below(&rng.rng, 4) == 0;
		version[k] = ++turn;
		ha_objects_set(&o, e, turn, dead[k]);
		if (i % 500 == 0)
			in_order(&o, version, dead, rng_below(&rng.rng, turn));
	}
	in_order(&o, version, dead, turn / 2);
	/* Told in any order, the digests are the same. */
	for (uint64_t k = KEYS; k-- > 0;)
		if (version[k] > 0 && !dead[k])
			ha_objects_set(&mirror, ha_objects_get(&mirror, HA_OBJ_IKE, k), version[k], false);
	ck_assert(memcmp(o.digest, mirror.digest, sizeof(o.digest)) == 0);
	ha_objects_set(&mirror, ha_objects_get(&mirror, HA_OBJ_IKE, 1), turn + 1, false);
	ck_assert(memcmp(o.digest, mirror.digest, sizeof(o.digest)) != 0);
	ha_objects_clear(&o);
	ha_objects_clear(&mirror);
}
END_TEST

/* More deletions than are remembered: whoever is behind them gets everything. */
START_TEST(tombstones_are_bounded)
{
	struct rng_seeded rng;
	struct ha_objects o;

	rng_seeded_init(&rng, 3);
	ck_assert_int_eq(ha_objects_init(&o, &rng.rng), GW_OK);
	for (uint64_t k = 1; k <= HA_TOMBSTONES_MAX + 10; k++)
		ha_objects_set(&o, ha_objects_get(&o, HA_OBJ_IKE, k), k, true);
	ck_assert_uint_eq(o.tombstones, HA_TOMBSTONES_MAX);
	ck_assert_uint_eq(o.forgotten, 10);
	ck_assert_ptr_null(ha_objects_find(&o, HA_OBJ_IKE, 10));
	ha_objects_clear(&o);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("objects");

	tcase_add_test(t, at_random);
	tcase_add_test(t, tombstones_are_bounded);
	return check_main("objects", t);
}
