#include "core/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/check_main.h"

static struct addr A(const char *text) {
	struct addr a = { 0 };

	ck_assert_msg(addr_parse(text, &a), "%s", text);
	return a;
}

static struct range
R(const char *text) {
	struct range r = { 0 };

	ck_assert_msg(range_parse(text, &r), "%s", text);
	return r;
}

static struct selector
S(const char *text) {
	struct selector s = { 0 };

	ck_assert_msg(selector_parse(text, &s), "%s", text);
	return s;
}

START_TEST(addresses_as_text)
{
	static const struct row {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" }, /* RFC 5952 4.2.3: the first of equals */
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* 4.2.2: one group is not shortened */
		{ "fe80::", "fe80::" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::ffff:c000:201", "192.0.2.1" },
		{ "::fffe:c000:201", "::fffe:c000:201" },
		{ "", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01", NULL },
		{ "0x7f.1.1.1", NULL },
		{ "192.0.2.1 ", NULL },
		{ "fe80::1%lo", NULL },
		{ "[::1]", NULL },
		{ "1::2::3", NULL },
		{ "none", NULL },
	};
	char buf[ADDR_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a;

		ck_assert_msg(addr_parse(rows[i].in, &a) == (rows[i].out != NULL), "%s", rows[i].in);
		if (rows[i].out)
			ck_assert_str_eq(addr_text(&a, buf), rows[i].out);
	}
	ck_assert_str_eq(addr_text(&(struct addr){ 0 }, buf), "none");
}
END_TEST

START_TEST(text_agrees_with_the_library)
{
	uint32_t x = 12345;

	for (int i = 0; i < 20000; i++) {
		char ours[ADDR_TEXT], theirs[INET6_ADDRSTRLEN];
		uint8_t b[16];
		struct addr a, back;

		for (size_t j = 0; j < 16; j++) {
			x = x * 1664525 + 1013904223;
			b[j] = x >> 30 ? 0 : (uint8_t)(x >> 16); /* zeros are what matters */
		}
		b[0] = 0x20; /* the library shows ::1.2.3.4 for some of ::/96, RFC 5952 does not ask for it */
		ck_assert(addr_from_bytes(&a, bytes_of(b, 16)));
		ck_assert_str_eq(addr_text(&a, ours), inet_ntop(AF_INET6, b, theirs, sizeof(theirs)));
		ck_assert(addr_parse(ours, &back));
		ck_assert(addr_equal(&a, &back));
		ck_assert(addr_from_bytes(&a, bytes_of(b + 8, 4)));
		ck_assert_str_eq(addr_text(&a, ours), inet_ntop(AF_INET, b + 8, theirs, sizeof(theirs)));
	}
}
END_TEST

START_TEST(octets_in_and_out)
{
	struct addr a = A("10.1.2.3"), b;
	uint8_t mapped[16] = { [10] = 0xff, 0xff, 10, 1, 2, 3 };

	ck_assert_uint_eq(addr_len(&a), 4);
	ck_assert(bytes_equal(addr_bytes(&a), bytes_of("\x0a\1\2\3", 4)));
	ck_assert(addr_from_bytes(&b, addr_bytes(&a)));
	ck_assert(addr_equal(&a, &b));
	/* On the wire it is an IPv6 address and stays one. */
	ck_assert(addr_from_bytes(&b, bytes_of(mapped, 16)));
	ck_assert_uint_eq(b.family, 6);
	ck_assert(!addr_equal(&a, &b));
	ck_assert(!addr_from_bytes(&b, bytes_of(mapped, 5)));
	ck_assert(!addr_from_bytes(&b, bytes_of(mapped, 0)));
	ck_assert_uint_eq(addr_bytes(&(struct addr){ 0 }).n, 0);
}
END_TEST

START_TEST(order_and_arithmetic)
{
	struct addr v4 = A("255.255.255.255"), v6 = A("::1"), low = A("10.0.0.255"), high = A("10.0.1.0"), out;
	struct addr last = A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), zero = A("::"), none = { 0 };

	ck_assert_int_lt(addr_cmp(&v4, &v6), 0);
	ck_assert_int_gt(addr_cmp(&v6, &v4), 0);
	ck_assert_int_lt(addr_cmp(&low, &high), 0);
	ck_assert_int_eq(addr_cmp(&none, &none), 0);
	ck_assert(addr_is_any(&zero));
	ck_assert(!addr_is_any(&v6));
	ck_assert(!addr_is_any(&none));

	ck_assert(addr_add(&low, 1, &out));
	ck_assert(addr_equal(&out, &high));
	ck_assert(addr_add(&v4, 0, &out));
	ck_assert(!addr_add(&v4, 1, &out));
	ck_assert(!addr_add(&low, UINT64_MAX, &out));
	ck_assert(!addr_add(&last, 1, &out));
	ck_assert(!addr_add(&none, 0, &out));
	ck_assert(addr_add(&zero, UINT64_MAX, &out));
	ck_assert(addr_add(&out, 1, &out));
	ck_assert(addr_equal(&out, &(struct addr){ .family = 6, .b = { [7] = 1 } }));

	ck_assert_uint_eq(addr_diff(&low, &high), 1);
	ck_assert_uint_eq(addr_diff(&low, &low), 0);
	ck_assert_uint_eq(addr_diff(&zero, &last), UINT64_MAX);
}
END_TEST

START_TEST(endpoints)
{
	struct endpoint v4 = { A("192.0.2.1"), 4500 }, v6 = { A("2001:db8::1"), 500 }, back, none = { 0 };
	struct sockaddr_storage ss;
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(500) };
	char buf[ENDPOINT_TEXT];

	ck_assert_str_eq(endpoint_text(&v4, buf), "192.0.2.1:4500");
	ck_assert_str_eq(endpoint_text(&v6, buf), "[2001:db8::1]:500");
	ck_assert_str_eq(endpoint_text(&(struct endpoint){ A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535 }, buf),
			 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");

	ck_assert_uint_eq(endpoint_to_sockaddr(&v4, &ss), sizeof(struct sockaddr_in));
	ck_assert_int_eq(ss.ss_family, AF_INET);
	ck_assert(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
	ck_assert(endpoint_equal(&v4, &back));
	ck_assert_uint_eq(endpoint_to_sockaddr(&v6, &ss), sizeof(struct sockaddr_in6));
	ck_assert(endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
	ck_assert(endpoint_equal(&v6, &back));
	ck_assert(!endpoint_equal(&v4, &back));
	back.port++;
	ck_assert(!endpoint_equal(&v6, &back));

	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.sin6_addr), 1);
	ck_assert(endpoint_from_sockaddr(&back, (struct sockaddr *)&mapped));
	ck_assert_uint_eq(back.addr.family, 4);
	ck_assert_str_eq(endpoint_text(&back, buf), "192.0.2.1:500");

	ck_assert_uint_eq(endpoint_to_sockaddr(&none, &ss), 0);
	ss.ss_family = AF_UNIX;
	ck_assert(!endpoint_from_sockaddr(&back, (struct sockaddr *)&ss));
}
END_TEST

START_TEST(prefixes)
{
	static const struct row {
		const char *in, *out, *lo, *hi;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0", "10.255.255.255" },
		{ "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255" },
		{ "10.0.0.1", "10.0.0.1/32", "10.0.0.1", "10.0.0.1" },
		{ "10.0.0.2/31", "10.0.0.2/31", "10.0.0.2", "10.0.0.3" },
		{ "fd00::/64", "fd00::/64", "fd00::", "fd00::ffff:ffff:ffff:ffff" },
		{ "::/0", "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "fd00::1", "fd00::1/128", "fd00::1", "fd00::1" },
		{ "10.0.0.1/8", NULL, NULL, NULL },
		{ "10.0.0.0/33", NULL, NULL, NULL },
		{ "fd00::/129", NULL, NULL, NULL },
		{ "10.0.0.0/", NULL, NULL, NULL },
		{ "10.0.0.0/08", NULL, NULL, NULL },
		{ "10.0.0.0/+8", NULL, NULL, NULL },
		{ "10.0.0.0/8 ", NULL, NULL, NULL },
		{ "10.0.0.0/8/8", NULL, NULL, NULL },
		{ "10.0.0.0/99999999999999999999", NULL, NULL, NULL },
		{ "/8", NULL, NULL, NULL },
		{ "::ffff:10.0.0.0/8", NULL, NULL, NULL },
		{ "::ffff:10.0.0.0/104", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[ADDR_TEXT + 4];
		struct range r;
		struct prefix p;
		struct addr lo, hi;

		ck_assert_msg(prefix_parse(rows[i].in, &p) == (rows[i].out != NULL), "%s", rows[i].in);
		if (!rows[i].out)
			continue;
		lo = A(rows[i].lo);
		hi = A(rows[i].hi);
		r = prefix_range(&p);
		ck_assert_str_eq(prefix_text(&p, buf), rows[i].out);
		ck_assert(addr_equal(&r.lo, &lo));
		ck_assert(addr_equal(&r.hi, &hi));
		ck_assert(prefix_contains(&p, &lo));
		ck_assert(prefix_contains(&p, &hi));
		if (addr_add(&hi, 1, &hi))
			ck_assert(!prefix_contains(&p, &hi));
	}
}
END_TEST

START_TEST(ranges)
{
	static const struct row {
		const char *in, *out;
		uint64_t size;
	} rows[] = {
		{ "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9", 9 },
		{ "10.0.0.0-10.0.0.255", "10.0.0.0/24", 256 },
		{ "10.0.0.128-10.0.1.127", "10.0.0.128-10.0.1.127", 256 }, /* as long as a prefix, but not aligned */
		{ "10.0.0.7-10.0.0.7", "10.0.0.7", 1 },
		{ "10.0.0.7", "10.0.0.7", 1 },
		{ "0.0.0.0-255.255.255.255", "0.0.0.0/0", UINT64_C(1) << 32 },
		{ "fd00::1-fd00::2", "fd00::1-fd00::2", 2 },
		{ "fd00::/65", "fd00::/65", UINT64_C(1) << 63 },
		{ "fd00::/64", "fd00::/64", UINT64_MAX },
		{ "::/0", "::/0", UINT64_MAX },
		{ "10.0.0.9-10.0.0.1", NULL, 0 },
		{ "10.0.0.1-fd00::1", NULL, 0 },
		{ "10.0.0.1-", NULL, 0 },
		{ "-10.0.0.1", NULL, 0 },
		{ "10.0.0.1-10.0.0.2-10.0.0.3", NULL, 0 },
		{ "10.0.0.0/24-10.0.1.0/24", NULL, 0 },
		{ "", NULL, 0 },
	};
	char buf[RANGE_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct range r;

		ck_assert_msg(range_parse(rows[i].in, &r) == (rows[i].out != NULL), "%s", rows[i].in);
		if (!rows[i].out)
			continue;
		ck_assert_str_eq(range_text(&r, buf), rows[i].out);
		ck_assert_uint_eq(range_size(&r), rows[i].size);
	}
	ck_assert_uint_eq(range_size(&(struct range){ 0 }), 0);
}
END_TEST

START_TEST(ranges_meet)
{
	struct range a = R("10.0.0.10-10.0.0.20"), six = R("fd00::/8"), none = { 0 };
	struct prefix p;

	ck_assert(range_overlaps(&a, &(struct range){ A("10.0.0.20"), A("10.0.0.30") }));
	ck_assert(range_overlaps(&a, &(struct range){ A("10.0.0.1"), A("10.0.0.10") }));
	ck_assert(range_overlaps(&a, &(struct range){ A("0.0.0.0"), A("255.255.255.255") }));
	ck_assert(!range_overlaps(&a, &(struct range){ A("10.0.0.21"), A("10.0.0.30") }));
	ck_assert(!range_overlaps(&a, &(struct range){ A("10.0.0.1"), A("10.0.0.9") }));
	ck_assert(!range_overlaps(&a, &six));
	ck_assert(!range_overlaps(&none, &none));
	ck_assert(range_contains(&a, &(struct addr){ .family = 4, .b = { 10, 0, 0, 10 } }));
	ck_assert(range_contains(&a, &(struct addr){ .family = 4, .b = { 10, 0, 0, 20 } }));
	ck_assert(!range_contains(&a, &(struct addr){ .family = 4, .b = { 10, 0, 0, 9 } }));
	ck_assert(!range_contains(&a, &(struct addr){ .family = 4, .b = { 10, 0, 0, 21 } }));
	ck_assert(!range_contains(&a, &six.lo));
	ck_assert(!range_contains(&none, &none.lo));
	ck_assert(!range_as_prefix(&a, &p));
	ck_assert(!range_as_prefix(&none, &p));
	ck_assert(range_as_prefix(&six, &p));
	ck_assert_uint_eq(p.len, 8);
}
END_TEST

START_TEST(selectors_as_text)
{
	static const struct row {
		const char *in, *out;
		uint8_t proto;
		uint16_t lo, hi;
	} rows[] = {
		{ "10.0.0.0/24", "10.0.0.0/24", 0, 0, 65535 },
		{ "10.0.0.0/24[tcp]", "10.0.0.0/24[tcp]", 6, 0, 65535 },
		{ "10.0.0.0/24[tcp/80]", "10.0.0.0/24[tcp/80]", 6, 80, 80 },
		{ "10.0.0.0/24[6/80]", "10.0.0.0/24[tcp/80]", 6, 80, 80 },
		{ "10.0.0.1[udp/1000-2000]", "10.0.0.1[udp/1000-2000]", 17, 1000, 2000 },
		{ "10.0.0.1-10.0.0.3[sctp/0-65535]", "10.0.0.1-10.0.0.3[sctp]", 132, 0, 65535 },
		{ "10.0.0.1[0]", "10.0.0.1", 0, 0, 65535 },
		{ "10.0.0.1[255/65535]", "10.0.0.1[255/65535]", 255, 65535, 65535 },
		{ "10.0.0.1[icmp/8]", "10.0.0.1[icmp/8]", 1, 0x0800, 0x08ff },
		{ "10.0.0.1[icmp/3(4)]", "10.0.0.1[icmp/3(4)]", 1, 0x0304, 0x0304 },
		{ "10.0.0.1[icmp/3(0)-5(1)]", "10.0.0.1[icmp/3(0)-5(1)]", 1, 0x0300, 0x0501 },
		{ "10.0.0.1[icmp/3-5]", "10.0.0.1[icmp/3(0)-5(255)]", 1, 0x0300, 0x05ff },
		{ "fd00::/64[icmpv6/128]", "fd00::/64[icmpv6/128]", 58, 0x8000, 0x80ff },
		{ "10.0.0.1[tcp/opaque]", "10.0.0.1[tcp/opaque]", 6, 65535, 0 },
		{ "10.0.0.1[", NULL, 0, 0, 0 },
		{ "10.0.0.1[]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp]x", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/65536]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/080]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/90-80]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/80-]", NULL, 0, 0, 0 },
		{ "10.0.0.1[0/80]", NULL, 0, 0, 0 },
		{ "10.0.0.1[256]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcpx]", NULL, 0, 0, 0 },
		{ "10.0.0.1[icmp/256]", NULL, 0, 0, 0 },
		{ "10.0.0.1[icmp/3(256)]", NULL, 0, 0, 0 },
		{ "10.0.0.1[icmp/3(4]", NULL, 0, 0, 0 },
		{ "10.0.0.1[tcp/3(4)]", NULL, 0, 0, 0 },
		{ "10.0.0.1/8", NULL, 0, 0, 0 },
		{ "[tcp/80]", NULL, 0, 0, 0 },
		{ "", NULL, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[SELECTOR_TEXT];
		struct selector s, back;

		ck_assert_msg(selector_parse(rows[i].in, &s) == (rows[i].out != NULL), "%s", rows[i].in);
		if (!rows[i].out)
			continue;
		ck_assert_str_eq(selector_text(&s, buf), rows[i].out);
		ck_assert_uint_eq(s.proto, rows[i].proto);
		ck_assert_uint_eq(s.port_lo, rows[i].lo);
		ck_assert_uint_eq(s.port_hi, rows[i].hi);
		ck_assert(selector_parse(buf, &back));
		ck_assert(selector_equal(&s, &back));
	}
}
END_TEST

START_TEST(the_longest_selector_fits)
{
	struct selector s = { 58,
			      0xfffe,
			      0xffff,
			      { A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1"),
				A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe") } };
	char buf[SELECTOR_TEXT];

	ck_assert_str_eq(selector_text(&s, buf),
			 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
			 "[icmpv6/255(254)-255(255)]");
}
END_TEST

START_TEST(selectors_intersect)
{
	static const struct row {
		const char *a, *b, *out; /* out NULL: nothing in common */
	} rows[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16" },
		{ "10.0.0.0/8[tcp]", "10.1.0.0/16", "10.1.0.0/16[tcp]" },
		{ "10.0.0.0/8[tcp/80]", "10.1.0.0/16[tcp]", "10.1.0.0/16[tcp/80]" },
		{ "10.0.0.0/8[tcp/1-100]", "0.0.0.0/0[tcp/100-200]", "10.0.0.0/8[tcp/100]" },
		{ "10.0.0.0/8[tcp/1-99]", "0.0.0.0/0[tcp/100-200]", NULL },
		{ "10.0.0.0/8[tcp]", "10.0.0.0/8[udp]", NULL },
		{ "10.0.0.0-10.0.0.9", "10.0.0.5-10.0.0.20", "10.0.0.5-10.0.0.9" },
		{ "10.0.0.0/24", "10.0.1.0/24", NULL },
		{ "10.0.0.0/8", "fd00::/8", NULL },
		{ "0.0.0.0/0", "::/0", NULL },
		{ "10.0.0.1[icmp/8]", "10.0.0.0/8[icmp/8(0)]", "10.0.0.1[icmp/8(0)]" },
		{ "10.0.0.1[tcp/opaque]", "10.0.0.1", "10.0.0.1[tcp/opaque]" },
		{ "10.0.0.1[tcp/opaque]", "10.0.0.1[tcp/opaque]", "10.0.0.1[tcp/opaque]" },
		{ "10.0.0.1[tcp/opaque]", "10.0.0.1[tcp/80]", NULL },
		{ "::/0", "fd00::5[udp/53]", "fd00::5[udp/53]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector a = S(rows[i].a), b = S(rows[i].b), mark = S("1.2.3.4[udp/7]"), out = mark,
				other = mark;
		bool ab = selector_intersect(&a, &b, &out), ba = selector_intersect(&b, &a, &other);
		char buf[SELECTOR_TEXT];

		ck_assert_msg(ab == (rows[i].out != NULL), "%s %s", rows[i].a, rows[i].b);
		ck_assert_int_eq(ab, ba);
		ck_assert(selector_equal(&out, &other));
		if (!ab) {
			ck_assert(selector_equal(&out, &mark));
			continue;
		}
		ck_assert_str_eq(selector_text(&out, buf), rows[i].out);
		ck_assert(selector_contains(&a, &out));
		ck_assert(selector_contains(&b, &out));
	}
}
END_TEST

START_TEST(selectors_contain)
{
	struct selector all = S("0.0.0.0/0"), tcp = S("10.0.0.0/8[tcp]"), https = S("10.0.0.0/8[tcp/443]");
	struct selector bad = { 6, 100, 50, R("10.0.0.0/8") }, out;

	ck_assert(selector_contains(&all, &tcp));
	ck_assert(selector_contains(&tcp, &https));
	ck_assert(selector_contains(&tcp, &tcp));
	ck_assert(!selector_contains(&https, &tcp));
	ck_assert(!selector_contains(&tcp, &all));
	/* Neither ports nor OPAQUE: in common with nobody. */
	ck_assert(!selector_intersect(&all, &bad, &out));
	ck_assert(!selector_contains(&all, &bad));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("addr");

	tcase_add_test(t, addresses_as_text);
	tcase_add_test(t, text_agrees_with_the_library);
	tcase_add_test(t, octets_in_and_out);
	tcase_add_test(t, order_and_arithmetic);
	tcase_add_test(t, endpoints);
	tcase_add_test(t, prefixes);
	tcase_add_test(t, ranges);
	tcase_add_test(t, ranges_meet);
	tcase_add_test(t, selectors_as_text);
	tcase_add_test(t, the_longest_selector_fits);
	tcase_add_test(t, selectors_intersect);
	tcase_add_test(t, selectors_contain);
	return check_main("addr", t);
}
