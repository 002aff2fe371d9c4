#include "esp/pmtu.h"

#include "esp/packet.h"
#include "tests/esp/esp_check.h"

static uint8_t buf[4096], reply[PMTU_REPLY_MAX];

static size_t build(const struct flow *f, struct inner *in, size_t mtu)
{
	size_t n = flow_write(f, buf, sizeof(buf));

	ck_assert(inner_parse(bytes_of(buf, n), in));
	return pmtu_reply(bytes_of(buf, n), in, mtu, reply);
}

START_TEST(sizes)
{
	/* Worked out by hand: 1500 - 20 - 8 - 8 - 8 - 16 = 1440, less the two octets of the trailer. */
	struct cipher_suite gcm = suite_of(&suite_rows[0]), cbc = suite_of(&suite_rows[7]);

	ck_assert_uint_eq(pmtu_inner(&gcm, 4, true, 1500), 1438);
	ck_assert_uint_eq(pmtu_inner(&gcm, 4, false, 1500), 1446);
	ck_assert_uint_eq(pmtu_inner(&gcm, 6, true, 1500), 1418);
	/* 1500 - 20 - 8 - 8 - 16 - 16 = 1432 -> 1424, a multiple of 16, less two. */
	ck_assert_uint_eq(pmtu_inner(&cbc, 4, true, 1500), 1422);
	ck_assert_uint_eq(pmtu_inner(&gcm, 4, true, 60), 0);
	ck_assert_uint_eq(pmtu_inner(&gcm, 4, true, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(suite_rows); i++) {
		struct cipher_suite s = suite_of(&suite_rows[i]);

		for (size_t path = 576; path <= 1500; path++) {
			size_t n = pmtu_inner(&s, 4, true, path);

			ck_assert_uint_le(packet_size(&s, n) + 28, path);
			ck_assert_uint_gt(packet_size(&s, n + 1) + 28, path);
		}
	}
}
END_TEST

START_TEST(fragmentation_needed)
{
	struct flow f = { "192.168.1.5", "10.1.1.1", 6, 1000, 2000, 0, true, 0, 1400 };
	struct inner in, out;
	size_t n = build(&f, &in, 1300);

	ck_assert_uint_eq(n, 576);
	ck_assert(inner_parse(bytes_of(reply, n), &out));
	ck_assert_uint_eq(out.n, n);
	ck_assert_uint_eq(out.proto, 1);
	ck_assert_uint_eq(out.sport, 3 << 8 | 4);
	ck_assert(addr_equal(&out.dst, &in.src) && addr_equal(&out.src, &in.dst));
	ck_assert_uint_eq(sum_of(reply, 20), 0);
	ck_assert_uint_eq(sum_of(reply + 20, n - 20), 0);
	ck_assert_uint_eq(get_u16(reply + 26), 1300);
	ck_assert_mem_eq(reply + 28, buf, 548);
	/* An odd number of octets quoted. */
	f.payload = 101;
	n = build(&f, &in, 68);
	ck_assert_uint_eq(n, 28 + 125);
	reply[n] = 0;
	ck_assert_uint_eq(sum_of(reply + 20, n - 20 + 1), 0);
}
END_TEST

START_TEST(packet_too_big)
{
	struct flow f = { "fd00::5", "fd01::1", 17, 1000, 2000, 0, true, 0, 1400 };
	struct inner in, out;
	size_t n = build(&f, &in, 1300);
	uint8_t pseudo[40 + PMTU_REPLY_MAX];

	ck_assert_uint_eq(n, 1280);
	ck_assert(inner_parse(bytes_of(reply, n), &out));
	ck_assert_uint_eq(out.proto, 58);
	ck_assert_uint_eq(out.sport, 2 << 8);
	ck_assert(addr_equal(&out.dst, &in.src) && addr_equal(&out.src, &in.dst));
	ck_assert_uint_eq(get_u32(reply + 44), 1300);
	ck_assert_mem_eq(reply + 48, buf, 1232);
	memcpy(pseudo, reply + 8, 32);
	put_u32(pseudo + 32, (uint32_t)(n - 40));
	put_u32(pseudo + 36, 58);
	memcpy(pseudo + 40, reply + 40, n - 40);
	ck_assert_uint_eq(sum_of(pseudo, n), 0);
}
END_TEST

START_TEST(silent)
{
	static const struct {
		struct flow flow;
		bool answered;
	} rows[] = {
		{ { "192.168.1.5", "10.1.1.1", 17, 1, 2, 0, true, 0, 100 }, true },
		{ { "192.168.1.5", "10.1.1.1", 17, 1, 2, 0, true, 0x2008, 100 }, false }, /* later fragment */
		{ { "192.168.1.5", "224.0.0.5", 17, 1, 2, 0, true, 0, 100 }, false },
		{ { "0.0.0.0", "10.1.1.1", 17, 1, 2, 0, true, 0, 100 }, false },
		{ { "192.168.1.5", "10.1.1.1", 1, 0x0800, 2, 0, true, 0, 100 }, true },	 /* echo */
		{ { "192.168.1.5", "10.1.1.1", 1, 0x0301, 2, 0, true, 0, 100 }, false }, /* unreachable */
		{ { "192.168.1.5", "10.1.1.1", 1, 0x0500, 2, 0, true, 0, 100 }, false }, /* redirect */
		{ { "fd00::5", "fd01::1", 58, 0x8000, 2, 0, true, 0, 100 }, true },	 /* echo */
		{ { "fd00::5", "fd01::1", 58, 0x0100, 2, 0, true, 0, 100 }, false },	 /* unreachable */
		{ { "fd00::5", "ff02::1", 17, 1, 2, 0, true, 0, 100 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inner in;

		ck_assert_msg((build(&rows[i].flow, &in, 1280) > 0) == rows[i].answered, "row %zu", i);
	}
}
END_TEST

START_TEST(asks_the_kernel)
{
	struct endpoint here = endpoint_of("127.0.0.1", 4500), there = endpoint_of("127.0.0.2", 4500);
	struct endpoint gone = endpoint_of("198.51.100.1", 4500);

	ck_assert_uint_gt(pmtu_path(&here, &there), 1500); /* loopback's 65535 */
	there.port = 0;
	ck_assert_uint_gt(pmtu_path(&gone, &there), 1500); /* not our address: does not matter */
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, sizes);
	tcase_add_test(t, fragmentation_needed);
	tcase_add_test(t, packet_too_big);
	tcase_add_test(t, silent);
	tcase_add_test(t, asks_the_kernel);
}

int main(void)
{
	return run_cases("pmtu", add);
}
