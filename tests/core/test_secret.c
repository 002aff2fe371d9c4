#include "core/secret.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(alloc_zero_and_clear)
{
	struct secret s = { 0 };
	size_t i;

	ck_assert_int_eq(secret_alloc(&s, 40), GW_OK);
	ck_assert_uint_eq(s.n, 40);
	for (i = 0; i < s.n; i++)
		ck_assert_uint_eq(s.p[i], 0);
	secret_clear(&s);
	ck_assert_ptr_null(s.p);
	ck_assert_uint_eq(s.n, 0);
	secret_clear(&s);
}
END_TEST

START_TEST(empty_has_no_memory)
{
	struct secret s = { 0 };

	ck_assert_int_eq(secret_alloc(&s, 0), GW_OK);
	ck_assert_ptr_null(s.p);
	ck_assert_int_eq(secret_copy(&s, (struct bytes){ 0 }), GW_OK);
	ck_assert_ptr_null(s.p);
}
END_TEST

/* For the sanitizer's allocator, which otherwise ends the process where others return NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* More than an address space: refused and empty, not a crash. */
START_TEST(too_big_is_out_of_memory)
{
	struct secret s = { 0 };
	volatile size_t n = SIZE_MAX / 4;

	ck_assert_int_eq(secret_alloc(&s, n), GW_ENOMEM);
	ck_assert_ptr_null(s.p);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(copy_is_separate)
{
	char text[] = "top secret";
	struct secret s = { 0 };

	ck_assert_int_eq(secret_copy(&s, bytes_str(text)), GW_OK);
	text[0] = 'x';
	ck_assert_uint_eq(s.n, 10);
	ck_assert_mem_eq(s.p, "top secret", 10);
	ck_assert(bytes_equal(secret_bytes(&s), bytes_str("top secret")));
	secret_clear(&s);
}
END_TEST

START_TEST(move_empties_the_source)
{
	struct secret a = { 0 }, b = { 0 };
	uint8_t *p;

	ck_assert_int_eq(secret_copy(&a, bytes_str("new")), GW_OK);
	ck_assert_int_eq(secret_copy(&b, bytes_str("old one")), GW_OK);
	p = a.p;
	secret_move(&b, &a);
	ck_assert_ptr_null(a.p);
	ck_assert_uint_eq(a.n, 0);
	ck_assert_ptr_eq(b.p, p);
	ck_assert_uint_eq(b.n, 3);
	secret_move(&b, &b);
	ck_assert_mem_eq(b.p, "new", 3);
	secret_clear(&b);
}
END_TEST

START_TEST(equal_wants_length_and_every_byte)
{
	uint8_t a[33], b[33];
	size_t i;

	for (i = 0; i < sizeof(a); i++)
		a[i] = b[i] = (uint8_t)i;
	ck_assert(secret_equal(bytes_of(a, 33), bytes_of(b, 33)));
	ck_assert(!secret_equal(bytes_of(a, 33), bytes_of(b, 32)));
	ck_assert(secret_equal((struct bytes){ 0 }, (struct bytes){ 0 }));
	for (i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		ck_assert(!secret_equal(bytes_of(a, 33), bytes_of(b, 33)));
		b[i] ^= 0x80;
	}
}
END_TEST

START_TEST(wipe_clears_exactly_n)
{
	uint8_t buf[8];

	memset(buf, 0xaa, sizeof(buf));
	secret_wipe(buf, 5);
	ck_assert_mem_eq(buf, "\0\0\0\0\0\xaa\xaa\xaa", 8);
	secret_wipe(NULL, 0);
}
END_TEST

START_TEST(wiped_at_end_of_scope)
{
	int i;

	/* The leak checker sees it when the attribute does nothing. */
	for (i = 0; i < 3; i++) {
		WIPED struct secret s = { 0 };

		ck_assert_int_eq(secret_alloc(&s, 100), GW_OK);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("secret");

	tcase_add_test(t, alloc_zero_and_clear);
	tcase_add_test(t, empty_has_no_memory);
	tcase_add_test(t, too_big_is_out_of_memory);
	tcase_add_test(t, copy_is_separate);
	tcase_add_test(t, move_empties_the_source);
	tcase_add_test(t, equal_wants_length_and_every_byte);
	tcase_add_test(t, wipe_clears_exactly_n);
	tcase_add_test(t, wiped_at_end_of_scope);
	return check_main("secret", t);
}
