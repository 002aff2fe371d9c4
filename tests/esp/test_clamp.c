/*
 * In a network namespace of its own: what a kernel that forwards between two TUN devices does to the MSS of SYNs. A
 * kernel without nftables of family inet says so, which is the other thing to be tested.
 */
#include "esp/clamp.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/esp/plane_check.h"

enum { SYN = 2, ACK = 16, RST = 4, NO_MSS = 0, CLIENT_MTU = 1400 };

static int clients = -1, lan = -1;
static bool has_nft;

/* A TCP segment with an MSS option, 0: with no-operations in its place. Returns its length. */
static size_t segment(const char *src, const char *dst, uint8_t flags, uint16_t mss, uint8_t *out, size_t cap)
{
	struct addr from = addr_of(src), to = addr_of(dst);
	struct writer w = wr_of(out, cap);
	size_t tcp;
	uint32_t sum = 0;

	if (from.family == 4) {
		wr_u32(&w, 0x45000000u + 44);
		wr_u32(&w, 0x00004000u); /* do not fragment */
		wr_u32(&w, 0x40060000u); /* time to live, TCP */
	} else {
		wr_u32(&w, 0x60000000u);
		wr_u32(&w, 24u << 16 | 6u << 8 | 64);
	}
	wr_bytes(&w, addr_bytes(&from));
	wr_bytes(&w, addr_bytes(&to));
	if (from.family == 4)
		wr_patch_u16(&w, 10, sum_of(out, 20));
	tcp = w.n;
	wr_u16(&w, 40000);
	wr_u16(&w, 80);
	wr_u32(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, (uint16_t)(0x6000 | flags));
	wr_u16(&w, 65535);
	wr_u32(&w, 0);
	wr_u32(&w, mss > 0 ? 0x02040000u | mss : 0x01010101u);
	/* The pseudo header: addresses, length, protocol. */
	for (size_t i = 0; i < addr_len(&from); i += 2)
		sum += (uint32_t)get_u16(from.b + i) + get_u16(to.b + i);
	sum += 24 + 6;
	for (size_t i = tcp; i < w.n; i += 2)
		sum += get_u16(out + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	wr_patch_u16(&w, tcp + 16, (uint16_t)~sum);
	ck_assert(!w.bad);
	return w.n;
}

static bool tcp_sum_good(const uint8_t *p, size_t head, size_t n, size_t addrs, size_t addrs_len)
{
	uint32_t sum = (uint32_t)(n - head) + 6;

	for (size_t i = 0; i < addrs_len; i += 2)
		sum += get_u16(p + addrs + i);
	for (size_t i = head; i < n; i += 2)
		sum += get_u16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* What comes out at the other side: the MSS, NO_MSS without the option. */
static uint16_t passes(const char *src, const char *dst, uint8_t flags, uint16_t mss)
{
	bool outward = strncmp(src, "10.", 3) == 0 || strncmp(src, "fd10", 4) == 0;
	int from = outward ? clients : lan, to = outward ? lan : clients;
	uint8_t p[128];
	size_t n = segment(src, dst, flags, mss, p, sizeof(p)), head;

	ck_assert_int_eq(write(from, p, n), (ssize_t)n);
	for (;;) {
		struct pollfd f = { .fd = to, .events = POLLIN };
		ssize_t got;

		ck_assert_msg(poll(&f, 1, 2000) == 1, "%s to %s: nothing came out", src, dst);
		got = read(to, p, sizeof(p));
		head = p[0] >> 4 == 4 ? 20 : 40;
		/* The device's own neighbour discovery and the like are not meant. */
		if (got == (ssize_t)n && p[head == 20 ? 9 : 6] == 6)
			break;
	}
	ck_assert(tcp_sum_good(p, head, n, head == 20 ? 12 : 8, head == 20 ? 8 : 32));
	return p[head + 20] == 2 ? get_u16(p + head + 22) : NO_MSS;
}

static void clamp(struct clamp *c, uint16_t mss, const char *const *list, size_t n)
{
	struct prefix p[4];
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++)
		ck_assert(prefix_parse(list[i], &p[i]));
	ck_assert_msg(clamp_set(c, p, n, mss, &e) == GW_OK, "%s", e.text);
}

static const char *const networks[] = { "10.9.0.0/24", "10.9.1.0/24", "10.9.0.128/25", "fd10::/64" };

static const struct row {
	const char *src, *dst;
	uint8_t flags;
	uint16_t mss, by_route, by_number; /* what is said, and what comes out */
} rows[] = {
	{ "10.9.0.5", "192.168.1.7", SYN, 1460, CLIENT_MTU - 40, 1300 },
	{ "10.9.1.255", "192.168.1.7", SYN, 1460, CLIENT_MTU - 40, 1300 },
	{ "192.168.1.7", "10.9.0.0", SYN, 8960, CLIENT_MTU - 40, 1300 },
	{ "192.168.1.7", "10.9.0.255", SYN | ACK, 1460, CLIENT_MTU - 40, 1300 },
	{ "fd10::5", "fd01::7", SYN, 1440, CLIENT_MTU - 60, 1280 },
	{ "fd01::7", "fd10::ffff:ffff:ffff:ffff", SYN | ACK, 1440, CLIENT_MTU - 60, 1280 },
	{ "10.9.0.5", "192.168.1.7", SYN, 536, 536, 536 },	    /* never raised */
	{ "10.9.0.5", "192.168.1.7", SYN, NO_MSS, NO_MSS, NO_MSS }, /* never added */
	{ "10.9.0.5", "192.168.1.7", ACK, 1460, 1460, 1460 },	    /* said at the beginning only */
	{ "10.9.0.5", "192.168.1.7", SYN | RST, 1460, 1460, 1460 },
	{ "10.9.2.0", "192.168.1.7", SYN, 1460, 1460, 1460 },	  /* behind the last client */
	{ "192.168.1.7", "10.8.255.255", SYN, 1460, 1460, 1460 }, /* before the first one */
	{ "fd10:0:0:1::", "fd01::7", SYN, 1440, 1440, 1440 },
};

START_TEST(by_route)
{
	const struct row *r = &rows[_i];
	struct err e = { 0 };
	struct clamp *c;

	ck_assert_msg(clamp_create("gateway_test", &c, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(passes(r->src, r->dst, r->flags, r->mss), r->mss);
	clamp(c, 0, networks, ARRAY_LEN(networks));
	ck_assert_uint_eq(passes(r->src, r->dst, r->flags, r->mss), r->by_route);
	clamp_destroy(c);
	ck_assert_uint_eq(passes(r->src, r->dst, r->flags, r->mss), r->mss);
}
END_TEST

START_TEST(by_number)
{
	const struct row *r = &rows[_i];
	struct err e = { 0 };
	struct clamp *c;

	ck_assert_msg(clamp_create("gateway_test", &c, &e) == GW_OK, "%s", e.text);
	clamp(c, 1300, networks, ARRAY_LEN(networks));
	ck_assert_uint_eq(passes(r->src, r->dst, r->flags, r->mss), r->by_number);
	clamp_destroy(c);
}
END_TEST

START_TEST(other_clients)
{
	static const char *const first[] = { "10.9.0.0/24" }, *const second[] = { "10.8.0.0/16" };
	struct err e = { 0 };
	struct clamp *c;

	ck_assert_msg(clamp_create("gateway_test", &c, &e) == GW_OK, "%s", e.text);
	clamp(c, 1200, first, 1);
	clamp(c, 1100, second, 1);
	ck_assert_uint_eq(passes("10.9.0.5", "192.168.1.7", SYN, 1460), 1460);
	ck_assert_uint_eq(passes("10.8.0.5", "192.168.1.7", SYN, 1460), 1100);
	clamp(c, 0, NULL, 0);
	ck_assert_uint_eq(passes("10.8.0.5", "192.168.1.7", SYN, 1460), 1460);
	clamp_destroy(c);
}
END_TEST

/* More than one message of elements, and the last address there is. */
START_TEST(many_prefixes)
{
	enum { MANY = 3000 };
	struct prefix *p = calloc(MANY + 1, sizeof(*p));
	struct err e = { 0 };
	struct clamp *c;

	ck_assert_ptr_nonnull(p);
	ck_assert_msg(clamp_create("gateway_test", &c, &e) == GW_OK, "%s", e.text);
	for (size_t i = 0; i < MANY; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "10.%zu.%zu.0/25", 20 + i / 250, i % 250);
		ck_assert(prefix_parse(text, &p[i]));
	}
	ck_assert(prefix_parse("255.255.255.0/24", &p[MANY]));
	ck_assert_msg(clamp_set(c, p, MANY + 1, 1000, &e) == GW_OK, "%s", e.text);
	ck_assert_uint_eq(passes("10.20.0.127", "192.168.1.7", SYN, 1460), 1000);
	ck_assert_uint_eq(passes("10.20.0.128", "192.168.1.7", SYN, 1460), 1460);
	ck_assert_uint_eq(passes("10.31.249.1", "192.168.1.7", SYN, 1460), 1000);
	ck_assert_uint_eq(passes("10.32.0.0", "192.168.1.7", SYN, 1460), 1460);
	clamp_destroy(c);
	free(p);
}
END_TEST

/* Two of one name in one network namespace: the second is told, and the first goes on. */
START_TEST(somebody_elses)
{
	struct err e = { 0 };
	struct clamp *c, *second;

	ck_assert_msg(clamp_create("gateway_test", &c, &e) == GW_OK, "%s", e.text);
	clamp(c, 1200, networks, ARRAY_LEN(networks));
	ck_assert_int_eq(clamp_create("gateway_test", &second, &e), GW_EPERM);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(e.text, "gateway_test"));
	ck_assert_uint_eq(passes("10.9.0.5", "192.168.1.7", SYN, 1460), 1200);
	ck_assert_msg(clamp_create("gateway_other", &second, &e) == GW_OK, "%s", e.text);
	clamp_destroy(second);
	clamp_destroy(c);
}
END_TEST

START_TEST(without_nftables)
{
	struct err e = { 0 };
	struct clamp *c;

	ck_assert_int_eq(clamp_create("gateway_test", &c, &e), GW_EUNSUPPORTED);
	ck_assert_ptr_null(c);
	ck_assert(e.text[0]);
}
END_TEST

static void make_net(void)
{
	struct err e = { 0 };

	setting("ipv4/ip_forward", "1");
	setting("ipv6/conf/all/forwarding", "1");
	setting("ipv4/conf/all/rp_filter", "0");
	setting("ipv4/conf/default/rp_filter", "0");
	clients = tun_device("clients", NULL);
	lan = tun_device("lan", NULL);
	ck_assert_msg(tun_set_mtu("clients", CLIENT_MTU, &e) == GW_OK, "%s", e.text);
	ck_assert_msg(tun_set_mtu("lan", 9000, &e) == GW_OK, "%s", e.text);
	route_into("clients", "10.0.0.0/8");
	route_into("clients", "fd10::/32");
	route_into("lan", "192.168.1.0/24");
	route_into("lan", "fd01::/64");
}

static void add(TCase *t)
{
	if (!has_nft) {
		tcase_add_test(t, without_nftables);
		return;
	}
	tcase_add_unchecked_fixture(t, make_net, NULL);
	tcase_add_loop_test(t, by_route, 0, (int)ARRAY_LEN(rows));
	tcase_add_loop_test(t, by_number, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, other_clients);
	tcase_add_test(t, many_prefixes);
	tcase_add_test(t, somebody_elses);
}

int main(void)
{
	struct clamp *c;
	struct err e = { 0 };

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		puts("skipped: no network namespace may be made here");
		return 77;
	}
	has_nft = clamp_create("gateway_try", &c, &e) != GW_EUNSUPPORTED;
	if (!has_nft)
		printf("this kernel forwards without nftables: %s\n", e.text);
	clamp_destroy(c);
	return run_cases("clamp", add);
}
