#include <stdlib.h>

#include "tests/check_main.h"

#include "ike/engine.h"

static struct bytes b(const char *s)
{
	return bytes_str(s);
}

/* RFC 7296 2.8.1 as a matrix: whichever of the four nonces is the lowest, its exchange loses, seen from either side. */
START_TEST(lowest_of_four_loses)
{
	static const char *const n[] = { "aaaa", "bbbb", "cccc", "dddd" };
	static const int perms[][4] = { { 0, 1, 2, 3 }, { 1, 0, 2, 3 }, { 2, 3, 0, 1 }, { 2, 3, 1, 0 },
					{ 0, 3, 1, 2 }, { 3, 1, 2, 0 }, { 1, 2, 0, 3 }, { 1, 3, 2, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(perms); i++) {
		const int *p = perms[i];
		bool ours_has_lowest = p[0] == 0 || p[1] == 0;

		ck_assert_int_eq(collide_loses(b(n[p[0]]), b(n[p[1]]), b(n[p[2]]), b(n[p[3]])), ours_has_lowest);
		ck_assert_int_eq(collide_loses(b(n[p[2]]), b(n[p[3]]), b(n[p[0]]), b(n[p[1]])), !ours_has_lowest);
	}
}
END_TEST

START_TEST(order_is_by_octets)
{
	ck_assert(bytes_equal(collide_lowest(b("ab"), b("abc")), b("ab")));	 /* the shorter one first */
	ck_assert(bytes_equal(collide_lowest(b("\xff"), b("\x01")), b("\x01"))); /* unsigned */
	ck_assert(bytes_equal(collide_lowest(b("b"), b("aaaa")), b("aaaa")));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("collide");

	tcase_add_test(t, lowest_of_four_loses);
	tcase_add_test(t, order_is_by_octets);
	return check_main("collide", t);
}
