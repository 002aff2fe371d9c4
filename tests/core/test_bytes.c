#include "core/bytes.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(reads_every_width_in_network_order)
{
	static const uint8_t wire[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 };
	struct reader r = rd_of(bytes_of(wire, sizeof(wire)));
	uint8_t out[2];

	ck_assert_uint_eq(rd_u8(&r), 1);
	ck_assert_uint_eq(rd_u16(&r), 0x0203);
	ck_assert_uint_eq(rd_u32(&r), 0x04050607);
	ck_assert_uint_eq(rd_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
	rd_skip(&r, 1);
	rd_copy(&r, out, 2);
	ck_assert_uint_eq(out[0], 17);
	ck_assert_uint_eq(out[1], 18);
	ck_assert_uint_eq(r.left, 0);
	ck_assert(!r.bad);
	ck_assert_uint_eq(rd_rest(&r).n, 0);
	ck_assert(!r.bad);
}
END_TEST

START_TEST(a_short_read_is_remembered_and_gives_zeros)
{
	static const uint8_t wire[] = { 0xff, 0xff, 0xff };
	struct reader r = rd_of(bytes_of(wire, sizeof(wire)));
	uint8_t out[2] = { 7, 7 };

	ck_assert_uint_eq(rd_u32(&r), 0);
	ck_assert(r.bad);
	/* Three octets are left, but nothing is given any more. */
	ck_assert_uint_eq(rd_u8(&r), 0);
	ck_assert_uint_eq(rd_u16(&r), 0);
	ck_assert_uint_eq(rd_u64(&r), 0);
	ck_assert_ptr_null(rd_bytes(&r, 1).p);
	ck_assert_uint_eq(rd_rest(&r).n, 0);
	rd_copy(&r, out, 2);
	ck_assert_uint_eq(out[0] | out[1], 0);
	ck_assert(r.bad);
}
END_TEST

START_TEST(each_width_is_short_by_one)
{
	static const uint8_t wire[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	for (size_t n = 0; n <= 8; n++) {
		struct reader r8 = rd_of(bytes_of(wire, n)), r16 = r8, r32 = r8, r64 = r8, rb = r8;

		(void)rd_u8(&r8);
		(void)rd_u16(&r16);
		(void)rd_u32(&r32);
		(void)rd_u64(&r64);
		(void)rd_bytes(&rb, SIZE_MAX);
		ck_assert_int_eq(r8.bad, n < 1);
		ck_assert_int_eq(r16.bad, n < 2);
		ck_assert_int_eq(r32.bad, n < 4);
		ck_assert_int_eq(r64.bad, n < 8);
		ck_assert(rb.bad);
	}
}
END_TEST

START_TEST(an_empty_reader_is_fine)
{
	struct reader r = rd_of((struct bytes){ 0 });

	ck_assert_uint_eq(rd_bytes(&r, 0).n, 0);
	rd_copy(&r, NULL, 0);
	rd_skip(&r, 0);
	ck_assert(!r.bad);
	rd_skip(&r, 1);
	ck_assert(r.bad);
}
END_TEST

START_TEST(a_nested_reader_cannot_walk_out)
{
	static const uint8_t wire[] = { 1, 2, 3, 4, 5 };
	struct reader r = rd_of(bytes_of(wire, sizeof(wire)));
	struct reader in = rd_sub(&r, 3);

	ck_assert_uint_eq(rd_u16(&in), 0x0102);
	ck_assert_uint_eq(rd_u16(&in), 0);
	ck_assert(in.bad);
	/* The outer one has gone on behind it, unharmed. */
	ck_assert_uint_eq(rd_u8(&r), 4);
	ck_assert(!r.bad);
	in = rd_sub(&r, 2);
	ck_assert(r.bad);
	ck_assert(in.bad);
	ck_assert_uint_eq(in.left, 0);
}
END_TEST

START_TEST(writes_what_it_reads)
{
	uint8_t buf[24];
	struct writer w = wr_of(buf, sizeof(buf));
	struct reader r;

	wr_u8(&w, 0xfe);
	wr_u16(&w, 0xfedc);
	wr_u32(&w, 0xfedcba98);
	wr_u64(&w, UINT64_C(0xfedcba9876543210));
	wr_bytes(&w, bytes_str("ab"));
	wr_bytes(&w, (struct bytes){ 0 });
	wr_zero(&w, 3);
	ck_assert(!w.bad);
	ck_assert_uint_eq(w.n, 20);
	r = rd_of(wr_done(&w));
	ck_assert_uint_eq(rd_u8(&r), 0xfe);
	ck_assert_uint_eq(rd_u16(&r), 0xfedc);
	ck_assert_uint_eq(rd_u32(&r), 0xfedcba98);
	ck_assert_uint_eq(rd_u64(&r), UINT64_C(0xfedcba9876543210));
	ck_assert(bytes_equal(rd_bytes(&r, 2), bytes_str("ab")));
	ck_assert(bytes_equal(rd_rest(&r), bytes_of("\0\0\0", 3)));
}
END_TEST

START_TEST(a_full_writer_stays_within_its_buffer)
{
	uint8_t buf[5] = { 9, 9, 9, 9, 9 };
	struct writer w = wr_of(buf, 4);

	wr_u16(&w, 1);
	wr_u32(&w, 0xffffffff);
	ck_assert(w.bad);
	ck_assert_uint_eq(w.n, 2);
	/* Room for it would be there, but a hole is no message. */
	wr_u8(&w, 1);
	ck_assert_ptr_null(wr_room(&w, 1));
	ck_assert_uint_eq(w.n, 2);
	ck_assert_uint_eq(buf[2], 9);
	ck_assert_uint_eq(buf[4], 9);
}
END_TEST

START_TEST(patches_only_what_was_written)
{
	uint8_t buf[8] = { 0 };
	struct writer w = wr_of(buf, sizeof(buf));

	wr_zero(&w, 7);
	wr_patch_u32(&w, 0, 0x01020304);
	wr_patch_u16(&w, 4, 0x0506);
	wr_patch_u8(&w, 6, 7);
	wr_patch_u8(&w, 7, 0xff);
	wr_patch_u16(&w, 6, 0xffff);
	wr_patch_u32(&w, 4, 0xffffffff);
	ck_assert_mem_eq(buf, "\1\2\3\4\5\6\7\0", 8);
	wr_zero(&w, 2);
	ck_assert(w.bad);
	wr_patch_u8(&w, 0, 0xff);
	ck_assert_uint_eq(buf[0], 1);
}
END_TEST

START_TEST(compares_views)
{
	ck_assert(bytes_equal((struct bytes){ 0 }, bytes_str("")));
	ck_assert(bytes_equal(bytes_str("ab"), bytes_of("abc", 2)));
	ck_assert(!bytes_equal(bytes_str("ab"), bytes_str("abc")));
	ck_assert(!bytes_equal(bytes_str("ab"), bytes_str("ac")));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("bytes");

	tcase_add_test(t, reads_every_width_in_network_order);
	tcase_add_test(t, a_short_read_is_remembered_and_gives_zeros);
	tcase_add_test(t, each_width_is_short_by_one);
	tcase_add_test(t, an_empty_reader_is_fine);
	tcase_add_test(t, a_nested_reader_cannot_walk_out);
	tcase_add_test(t, writes_what_it_reads);
	tcase_add_test(t, a_full_writer_stays_within_its_buffer);
	tcase_add_test(t, patches_only_what_was_written);
	tcase_add_test(t, compares_views);
	return check_main("bytes", t);
}
