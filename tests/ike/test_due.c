#include "ike/due.h"

#include <stdlib.h>

#include "core/rng.h"
#include "ike/sa.h"
#include "tests/check_main.h"

enum { SAS = 200, MOVES = 20000 };

/* Against the simplest thing that could work: look at all of them. */
START_TEST(first_is_always_the_earliest)
{
	static struct ike_sa sa[SAS];
	struct due_heap h = { 0 };
	struct rng_seeded g;

	rng_seeded_init(&g, 1);
	ck_assert_int_eq(due_reserve(&h, SAS), GW_OK);
	for (size_t i = 0; i < SAS; i++) {
		sa[i].due_at = SIZE_MAX;
		sa[i].due = MTIME_NEVER;
	}
	for (int m = 0; m < MOVES; m++) {
		size_t i = rng_below(&g.rng, SAS);
		mtime when = rng_below(&g.rng, 4) == 0 ? MTIME_NEVER : (mtime){ (int64_t)rng_below(&g.rng, 1000) };
		int64_t min = INT64_MAX;
		struct ike_sa *first;
		bool sound = true;

		due_set(&h, &sa[i], when);
		for (size_t k = 0; k < SAS; k++) {
			if (sa[k].due.us < min)
				min = sa[k].due.us;
			sound &= sa[k].due_at != SIZE_MAX ? h.at[sa[k].due_at] == &sa[k]
							  : sa[k].due.us == MTIME_NEVER.us;
		}
		ck_assert_msg(sound, "an SA is not where it believes to be, after %d moves", m);
		ck_assert_int_eq(due_first(&h).us, min);
		first = due_reached(&h, (mtime){ 500 });
		if (min <= 500)
			ck_assert_int_eq(first->due.us, min);
		else
			ck_assert_ptr_null(first);
	}
	due_clear(&h);
}
END_TEST

START_TEST(empty_is_never)
{
	struct due_heap h = { 0 };

	ck_assert_int_eq(due_first(&h).us, MTIME_NEVER.us);
	ck_assert_ptr_null(due_reached(&h, (mtime){ INT64_MAX - 1 }));
	due_clear(&h);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("due");

	tcase_add_test(t, first_is_always_the_earliest);
	tcase_add_test(t, empty_is_never);
	return check_main("due", t);
}
