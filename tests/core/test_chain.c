#include "core/chain.h"

#include <stdlib.h>

#include "tests/check_main.h"

struct entry {
	struct link link; /* the first member */
	unsigned number;
	bool in;
};

enum { ENTRIES = 1000, KINDS = 300 };

static struct entry entries[ENTRIES];

static unsigned hash_of(unsigned number)
{
	return number % KINDS * 0x9e3779b1u; /* several of each */
}

static struct entry *find(const struct chain *c, unsigned number)
{
	for (struct link *l = chain_first(c, hash_of(number)); l; l = chain_next(l))
		if (((struct entry *)(void *)l)->number == number)
			return (struct entry *)(void *)l;
	return NULL;
}

static void put(struct chain *c, unsigned i)
{
	entries[i] = (struct entry){ .number = i, .in = true };
	ck_assert(chain_add(c, &entries[i].link, hash_of(i)));
}

static void check_all(const struct chain *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < ENTRIES; i++) {
		ck_assert_ptr_eq(find(c, i), entries[i].in ? &entries[i] : NULL);
		n += entries[i].in;
	}
	ck_assert_uint_eq(c->count, n);
}

/* Growing over many sizes, with several entries of one hash, in any order. */
START_TEST(found_until_removed)
{
	struct chain c = { 0 };

	ck_assert_ptr_null(find(&c, 1));
	for (unsigned i = 0; i < ENTRIES; i++)
		put(&c, i);
	check_all(&c);
	for (unsigned i = 0; i < ENTRIES; i += 3) {
		chain_remove(&c, &entries[i].link);
		entries[i].in = false;
	}
	check_all(&c);
	for (unsigned i = 0; i < ENTRIES; i += 6)
		put(&c, i);
	check_all(&c);
	chain_clear(&c);
	ck_assert_uint_eq(c.count, 0);
	ck_assert_ptr_null(find(&c, 1));
}
END_TEST

START_TEST(one_takes_the_place_of_another)
{
	struct chain c = { 0 };
	struct entry fresh = { .number = 7 };

	for (unsigned i = 0; i < KINDS * 2; i++)
		put(&c, i);
	chain_replace(&c, &entries[7].link, &fresh.link);
	ck_assert_ptr_eq(find(&c, 7), &fresh);
	ck_assert_ptr_eq(find(&c, 7 + KINDS), &entries[7 + KINDS]); /* of the same hash */
	ck_assert_uint_eq(c.count, KINDS * 2);
	chain_remove(&c, &fresh.link);
	ck_assert_ptr_null(find(&c, 7));
	chain_clear(&c);
}
END_TEST

START_TEST(all_are_taken_out_once)
{
	struct chain_hint hint;
	struct chain c = { 0 };
	size_t n = 0;

	ck_assert_ptr_null(chain_pop(&c));
	hint = chain_expect(&c, 1);
	chain_expect_entry(&hint, 1000); /* of an empty one, and of one whose entry ends before that */
	for (unsigned i = 0; i < ENTRIES; i++)
		put(&c, i);
	hint = chain_expect(&c, hash_of(ENTRIES - 1));
	chain_expect_entry(&hint, 100000);
	for (struct link *l; (l = chain_pop(&c)) != NULL; n++) {
		ck_assert(((struct entry *)(void *)l)->in);
		((struct entry *)(void *)l)->in = false;
	}
	ck_assert_uint_eq(n, ENTRIES);
	chain_clear(&c);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("chain");

	tcase_add_test(t, found_until_removed);
	tcase_add_test(t, one_takes_the_place_of_another);
	tcase_add_test(t, all_are_taken_out_once);
	return check_main("chain", t);
}
