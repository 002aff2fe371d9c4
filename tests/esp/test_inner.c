#include "esp/inner.h"

#include "tests/esp/esp_check.h"

static uint8_t buf[2048];

static struct inner parsed(const struct flow *f)
{
	struct inner in;

	ck_assert(inner_parse(bytes_of(buf, flow_write(f, buf, sizeof(buf))), &in));
	return in;
}

START_TEST(reads_headers)
{
	static const struct {
		struct flow flow;
		bool has_ports, later;
		uint16_t sport, dport;
		size_t n, header;
	} rows[] = {
		{ { "10.0.0.1", "10.0.0.2", 6, 1000, 80, 0xb8, true, 0, 16 }, true, false, 1000, 80, 40, 20 },
		{ { "10.0.0.1", "10.0.0.2", 17, 5, 53, 0, false, 0, 0 }, true, false, 5, 53, 24, 20 },
		{ { "10.0.0.1", "10.0.0.2", 1, 0x0800, 0, 0, false, 0, 4 }, true, false, 0x0800, 0x0800, 28, 20 },
		{ { "10.0.0.1", "10.0.0.2", 47, 1, 2, 0, false, 0, 4 }, false, false, 0, 0, 28, 20 },
		/* First fragment: ports; later ones: none. */
		{ { "10.0.0.1", "10.0.0.2", 17, 5, 53, 0, false, 0x2000, 20 }, true, false, 5, 53, 44, 20 },
		{ { "10.0.0.1", "10.0.0.2", 17, 5, 53, 0, false, 0x2001, 20 }, false, true, 0, 0, 44, 20 },
		{ { "fd00::1", "fd00::2", 6, 7, 8, 0x2e, true, 0, 16 }, true, false, 7, 8, 60, 40 },
		{ { "fd00::1", "fd00::2", 58, 0x8000, 0, 0, true, 0, 4 }, true, false, 0x8000, 0x8000, 48, 40 },
		{ { "fd00::1", "fd00::2", 135, 0, 0x0500, 0, true, 0, 4 }, true, false, 0x0500, 0x0500, 48, 40 },
		{ { "fd00::1", "fd00::2", 17, 7, 8, 0, true, 1, 16 }, true, false, 7, 8, 68, 48 },
		{ { "fd00::1", "fd00::2", 17, 7, 8, 0, true, 8, 16 }, false, true, 0, 0, 68, 48 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inner in = parsed(&rows[i].flow);
		struct addr src = addr_of(rows[i].flow.src), dst = addr_of(rows[i].flow.dst);

		ck_assert(addr_equal(&in.src, &src) && addr_equal(&in.dst, &dst));
		ck_assert_msg(in.has_ports == rows[i].has_ports && in.later_fragment == rows[i].later, "row %zu", i);
		ck_assert_msg(in.sport == rows[i].sport && in.dport == rows[i].dport, "row %zu", i);
		ck_assert_msg(in.n == rows[i].n && in.header == rows[i].header, "row %zu: %zu %zu", i, in.n, in.header);
		ck_assert_uint_eq(in.proto, rows[i].flow.proto);
		ck_assert_uint_eq(in.tos, rows[i].flow.tos);
		ck_assert(in.df == rows[i].flow.df);
	}
}
END_TEST

START_TEST(walks_ipv6_extensions)
{
	/* Hop-by-hop (16 octets), destination options (8), routing (8), AH (12 + 4), then UDP. */
	static const uint8_t chain[] = {
		60,   1,    0,	  0,	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* hop-by-hop */
		43,   0,    0,	  0,	0, 0, 0, 0,			    /* destination options */
		51,   0,    0,	  0,	0, 0, 0, 0,			    /* routing */
		17,   2,    0,	  0,	0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, /* AH */
		0x12, 0x34, 0x00, 0x35, 0, 8, 0, 0,			    /* UDP */
	};
	struct flow f = { "fd00::1", "fd00::2", 0, 0, 0, 0, true, 0, sizeof(chain) - 4 };
	struct inner in;
	size_t n = flow_write(&f, buf, sizeof(buf));

	memcpy(buf + 40, chain, sizeof(chain));
	ck_assert(inner_parse(bytes_of(buf, n), &in));
	ck_assert_uint_eq(in.proto, 17);
	ck_assert_uint_eq(in.sport, 0x1234);
	ck_assert_uint_eq(in.dport, 53);
	ck_assert_uint_eq(in.header, 40 + sizeof(chain) - 8);
	/* A chain that is cut off anywhere is no packet; without all of its ports the packet has none. */
	for (size_t cut = 1; cut <= sizeof(chain); cut++) {
		put_u16(buf + 4, (uint16_t)(sizeof(chain) - cut));
		if (cut <= 8)
			ck_assert(inner_parse(bytes_of(buf, n), &in) && in.has_ports == (cut <= 4));
		else if (cut != 24 && cut != 32 && cut != 40 && cut != sizeof(chain))
			ck_assert_msg(!inner_parse(bytes_of(buf, n), &in), "cut %zu", cut);
	}
	/* An endless chain ends. */
	put_u16(buf + 4, 800);
	buf[6] = 60;
	for (size_t i = 0; i < 100; i++) {
		memset(buf + 40 + 8 * i, 0, 8);
		buf[40 + 8 * i] = 60;
	}
	ck_assert(!inner_parse(bytes_of(buf, 840), &in));
}
END_TEST

START_TEST(refuses_what_is_no_packet)
{
	struct flow v4 = { "10.0.0.1", "10.0.0.2", 17, 1, 2, 0, false, 0, 10 };
	struct flow v6 = { "fd00::1", "fd00::2", 17, 1, 2, 0, true, 0, 10 };
	struct inner in;
	size_t n;

	ck_assert(!inner_parse(bytes_of(buf, 0), &in));
	n = flow_write(&v4, buf, sizeof(buf));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(!inner_parse(bytes_of(buf, i), &in), "%zu octets", i);
	ck_assert(inner_parse(bytes_of(buf, n), &in));
	/* TFC padding behind it is not part of it (RFC 4303 2.7). */
	ck_assert(inner_parse(bytes_of(buf, n + 100), &in) && in.n == n);
	buf[0] = 0x44; /* header of 16 octets */
	ck_assert(!inner_parse(bytes_of(buf, n), &in));
	buf[0] = 0x4f; /* of 60 */
	ck_assert(!inner_parse(bytes_of(buf, n), &in));
	buf[0] = 0x45;
	put_u16(buf + 2, 19);
	ck_assert(!inner_parse(bytes_of(buf, n), &in));
	put_u16(buf + 2, 20); /* nothing but a header */
	ck_assert(inner_parse(bytes_of(buf, n), &in) && !in.has_ports);
	put_u16(buf + 2, 23); /* half a port */
	ck_assert(inner_parse(bytes_of(buf, n), &in) && !in.has_ports && in.sport == 0);
	buf[0] = 0x55;
	ck_assert(!inner_parse(bytes_of(buf, n), &in));
	n = flow_write(&v6, buf, sizeof(buf));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(!inner_parse(bytes_of(buf, i), &in), "%zu octets", i);
	ck_assert(inner_parse(bytes_of(buf, n + 5), &in) && in.n == n);
}
END_TEST

START_TEST(matches_selectors)
{
	static const struct {
		struct flow flow;
		const char *range;
		uint8_t proto;
		uint16_t lo, hi;
		bool matches; /* of the source side */
	} rows[] = {
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.0/24", 0, 0, 65535, true },
		{ { "10.0.1.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.0/24", 0, 0, 65535, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.1-10.0.0.5", 6, 0, 65535, true },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.1-10.0.0.4", 6, 0, 65535, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 17, 0, 65535, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 6, 1000, 1000, true },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 6, 1001, 2000, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 6, 1, 999, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "::/0", 0, 0, 65535, false },
		/* OPAQUE (65535..0): only without ports. */
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 6, 65535, 0, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0x2010, 8 }, "10.0.0.5", 6, 65535, 0, true },
		/* Later fragments match any port, and no range, not even a full one of a single port less. */
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0x2010, 8 }, "10.0.0.5", 6, 0, 65535, true },
		{ { "10.0.0.5", "10.9.0.1", 6, 1000, 80, 0, 0, 0x2010, 8 }, "10.0.0.5", 6, 0, 65534, false },
		{ { "10.0.0.5", "10.9.0.1", 6, 0, 80, 0, 0, 0x2010, 8 }, "10.0.0.5", 6, 0, 0, false },
		/* ICMP echo request, and any code of type 3 (RFC 7296 3.13.1). */
		{ { "10.0.0.5", "10.9.0.1", 1, 0x0800, 0, 0, 0, 0, 8 }, "10.0.0.5", 1, 0x0800, 0x0800, true },
		{ { "10.0.0.5", "10.9.0.1", 1, 0x0000, 0, 0, 0, 0, 8 }, "10.0.0.5", 1, 0x0800, 0x0800, false },
		{ { "10.0.0.5", "10.9.0.1", 1, 0x0304, 0, 0, 0, 0, 8 }, "10.0.0.5", 1, 0x0300, 0x03ff, true },
		{ { "10.0.0.5", "10.9.0.1", 1, 0x0400, 0, 0, 0, 0, 8 }, "10.0.0.5", 1, 0x0300, 0x03ff, false },
		{ { "fd00::5", "fd00::6", 58, 0x8000, 0, 0, 0, 0, 8 }, "fd00::/64", 58, 0x8000, 0x8100, true },
		/* A protocol without ports has none to match. */
		{ { "10.0.0.5", "10.9.0.1", 47, 1000, 80, 0, 0, 0, 8 }, "10.0.0.5", 0, 1000, 1000, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector s = selector_for(rows[i].range, rows[i].proto, rows[i].lo, rows[i].hi);
		struct inner in = parsed(&rows[i].flow);

		ck_assert_msg(inner_matches(&s, &in, &in.src, in.sport) == rows[i].matches, "row %zu", i);
	}
}
END_TEST

START_TEST(changes_tos)
{
	struct flow v4 = { "10.0.0.1", "10.0.0.2", 17, 1, 2, 0xb9, false, 0, 10 };
	struct flow v6 = { "fd00::1", "fd00::2", 17, 1, 2, 0xb9, true, 0, 10 };

	for (unsigned tos = 0; tos < 256; tos++) {
		struct inner in = parsed(&v4);

		inner_set_tos(buf, (uint8_t)tos);
		ck_assert_uint_eq(sum_of(buf, 20), 0);
		ck_assert(inner_parse(bytes_of(buf, in.n), &in) && in.tos == tos);
		in = parsed(&v6);
		buf[1] |= 0x05; /* a flow label that must stay */
		inner_set_tos(buf, (uint8_t)tos);
		ck_assert(inner_parse(bytes_of(buf, in.n), &in) && in.tos == tos);
		ck_assert_uint_eq(buf[0] >> 4, 6);
		ck_assert_uint_eq(buf[1] & 15, 5);
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, reads_headers);
	tcase_add_test(t, walks_ipv6_extensions);
	tcase_add_test(t, refuses_what_is_no_packet);
	tcase_add_test(t, matches_selectors);
	tcase_add_test(t, changes_tos);
}

int main(void)
{
	return run_cases("inner", add);
}
