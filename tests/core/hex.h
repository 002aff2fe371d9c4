/* Test vectors as text: hexadecimal with any spaces, into a buffer of their own. */
#ifndef TESTS_CORE_HEX_H
#define TESTS_CORE_HEX_H

#include "core/bytes.h"

#include <check.h>

struct hex {
	uint8_t p[2048];
	size_t n;
};

static inline unsigned hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	ck_assert_msg(c >= 'A' && c <= 'F', "not hexadecimal: %c", c);
	return (unsigned)(c - 'A' + 10);
}

static inline struct hex hex(const char *text)
{
	struct hex h = { { 0 }, 0 };
	size_t digits = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		ck_assert_uint_lt(h.n, sizeof(h.p));
		h.p[h.n] = (uint8_t)((unsigned)h.p[h.n] << 4 | hex_digit(*text));
		if (++digits % 2 == 0)
			h.n++;
	}
	ck_assert_msg(digits % 2 == 0, "odd number of digits");
	return h;
}

static inline struct bytes hex_bytes(const struct hex *h)
{
	return bytes_of(h->p, h->n);
}

static inline void assert_bytes(struct bytes got, const char *want)
{
	struct hex h = hex(want);

	ck_assert_uint_eq(got.n, h.n);
	ck_assert_mem_eq(got.p, h.p, h.n);
}

#endif
