#include "core/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"

enum { OBJECTS = 3000, ROUNDS = 5 };

struct object {
	uint8_t *p;
	size_t n;
};

static struct object all[OBJECTS];

static size_t size_of(unsigned i)
{
	return 1 + i * 7919u % (SLAB_LARGEST + 100);
}

static bool holds(const struct object *o, uint8_t octet)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->p[i] != octet)
			return false;
	return true;
}

static void fill(struct slab *s, unsigned i)
{
	struct object *o = &all[i];

	o->n = size_of(i);
	o->p = slab_get(s, o->n);
	ck_assert_ptr_nonnull(o->p);
	ck_assert_uint_eq((uintptr_t)o->p % 16, 0);
	ck_assert(holds(o, 0)); /* also what had something in it before */
	memset(o->p, (int)(i & 0xff), o->n);
}

/* No object is given out twice, none overlaps another, whatever comes and goes in which order. */
START_TEST(objects_are_apart)
{
	struct slab s = { 0 };

	for (unsigned i = 0; i < OBJECTS; i++)
		fill(&s, i);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = round; i < OBJECTS; i += 3) {
			ck_assert(holds(&all[i], (uint8_t)i));
			slab_put(&s, all[i].p, all[i].n);
		}
		for (unsigned i = round; i < OBJECTS; i += 3)
			fill(&s, i);
	}
	for (unsigned i = 0; i < OBJECTS; i++) {
		ck_assert(holds(&all[i], (uint8_t)i));
		slab_put(&s, all[i].p, all[i].n);
	}
	slab_clear(&s);
}
END_TEST

/* What comes back is used again: a slab that is as full as it was takes nothing more. */
START_TEST(memory_comes_back)
{
	struct slab s = { 0 };
	struct slab_piece *pieces = NULL;

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < OBJECTS; i++)
			fill(&s, i);
		if (round == 0)
			pieces = s.pieces;
		ck_assert_ptr_eq(s.pieces, pieces);
		for (unsigned i = OBJECTS; i-- > 0;)
			slab_put(&s, all[i].p, all[i].n);
	}
	slab_put(&s, NULL, 10);
	slab_clear(&s);
	ck_assert_ptr_null(s.pieces);
	slab_clear(&s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("slab");

	tcase_add_test(t, objects_are_apart);
	tcase_add_test(t, memory_comes_back);
	return check_main("slab", t);
}
