#include "core/net/natt.h"

#include <stdlib.h>

#include "tests/check_main.h"

static const struct {
	uint8_t data[8];
	size_t n;
	enum natt_kind kind;
} rows[] = {
	{ { 0 }, 0, NATT_JUNK },
	{ { 0xff }, 1, NATT_KEEPALIVE },
	{ { 0xfe }, 1, NATT_JUNK },
	{ { 0xff, 0xff }, 2, NATT_JUNK },
	{ { 0, 0, 0 }, 3, NATT_JUNK },
	{ { 0, 0, 0, 0 }, 4, NATT_IKE },
	{ { 0, 0, 0, 0, 0xff }, 5, NATT_IKE },
	{ { 0, 0, 0, 1 }, 4, NATT_ESP },
	{ { 1, 0, 0, 0 }, 4, NATT_ESP },
	{ { 0xff, 0xff, 0xff, 0xff, 0 }, 5, NATT_ESP },
};

START_TEST(kinds)
{
	ck_assert_int_eq(natt_classify(bytes_of(rows[_i].data, rows[_i].n)), rows[_i].kind);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("natt");

	tcase_add_loop_test(tc, kinds, 0, (int)ARRAY_LEN(rows));
	return check_main("natt", tc);
}
