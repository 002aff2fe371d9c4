#include "core/net/announce.h"

#include "tests/core/net/links.h"

#include <net/if.h>
#include <unistd.h>

static const uint8_t mac[MAC_LEN] = { 2, 0, 0, 0xaa, 0xbb, 0xcc };
static bool have_links;

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(text, &a));
	return a;
}

START_TEST(arp_octet_by_octet)
{
	static const uint8_t request[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0xaa, 0xbb, 0xcc, 8,	6,
					   0,	 1,    8,    0,	   6,	 4,    0, 1, 2, 0,    0,    0xaa, 0xbb, 0xcc,
					   192,	 0,    2,    1,	   0,	 0,    0, 0, 0, 0,    192,  0,	  2,	1 };
	struct addr v4 = at("192.0.2.1"), v6 = at("2001:db8::1");
	uint8_t out[ANNOUNCE_MAX];

	ck_assert_uint_eq(announce_arp(out, mac, &v4, ANNOUNCE_ARP_REQUEST), sizeof(request));
	ck_assert_mem_eq(out, request, sizeof(request));
	ck_assert_uint_eq(announce_arp(out, mac, &v4, ANNOUNCE_ARP_REPLY), sizeof(request));
	ck_assert_uint_eq(out[21], 2);
	ck_assert_mem_eq(out + 32, mac, MAC_LEN);
	ck_assert_uint_eq(announce_arp(out, mac, &v6, ANNOUNCE_ARP_REPLY), 0);
}
END_TEST

START_TEST(na_octet_by_octet)
{
	struct addr v6 = at("2001:db8::1"), v4 = at("192.0.2.1");
	uint8_t out[ANNOUNCE_MAX];
	uint32_t sum = 32 + 58;

	ck_assert_uint_eq(announce_na(out, mac, &v6, true), ANNOUNCE_MAX);
	ck_assert_uint_eq(out[0], 0x33);
	ck_assert_uint_eq(out[5], 1);
	ck_assert_uint_eq(get_u16(out + 12), 0x86dd);
	ck_assert_uint_eq(get_u16(out + 18), 32);
	ck_assert_uint_eq(out[20], 58);
	ck_assert_uint_eq(out[21], 255);
	ck_assert_mem_eq(out + 22, v6.b, 16);
	ck_assert_uint_eq(out[54], 136);
	ck_assert_uint_eq(out[58], 0xa0);
	ck_assert_mem_eq(out + 62, v6.b, 16);
	ck_assert_mem_eq(out + 80, mac, MAC_LEN);
	/* Over pseudo-header and message it is all ones. */
	for (size_t i = 22; i < ANNOUNCE_MAX; i += 2)
		sum += get_u16(out + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ck_assert_uint_eq(sum, 0xffff);
	ck_assert_uint_eq(announce_na(out, mac, &v6, false), ANNOUNCE_MAX);
	ck_assert_uint_eq(out[58], 0x20);
	ck_assert_uint_eq(announce_na(out, mac, &v4, true), 0);
}
END_TEST

START_TEST(bursts_thin_out)
{
	struct announce_burst b;
	mtime now = { 1000 };
	unsigned n = 0;

	announce_burst_start(&b, now, SECONDS(60));
	ck_assert(announce_burst_due(&b, now));
	ck_assert(!announce_burst_due(&b, now));
	/* A dead node's lease of 3 s: what its kernel says is put right within 200 ms. */
	for (mtime last = now; now.us < SECONDS(3); now = mtime_add(now, MILLISECONDS(1))) {
		if (announce_burst_due(&b, now)) {
			last = now;
			n++;
		}
		ck_assert_int_le(mtime_since(last, now), MILLISECONDS(200));
	}
	for (; now.us < SECONDS(10); now = mtime_add(now, MILLISECONDS(1)))
		n += announce_burst_due(&b, now);
	ck_assert_uint_eq(n, 19);
	for (; now.us < SECONDS(125); now = mtime_add(now, MILLISECONDS(100)))
		n += announce_burst_due(&b, now);
	ck_assert_uint_eq(n, 21);
	announce_burst_stop(&b);
	ck_assert(!announce_burst_due(&b, mtime_add(now, SECONDS(600))));
	announce_burst_start(&b, now, 0);
	n = 0;
	for (mtime end = mtime_add(now, SECONDS(600)); now.us < end.us; now = mtime_add(now, MILLISECONDS(100)))
		n += announce_burst_due(&b, now);
	ck_assert_uint_eq(n, 20);
	ck_assert_int_eq(b.next.us, MTIME_NEVER.us);
}
END_TEST

/* The other end of the link learns the address. */
START_TEST(neighbours_learn)
{
	struct addr v4 = at("192.0.2.1"), v6 = at("2001:db8::1");
	struct err e = { 0 };
	int fd;

	if (!have_links)
		return;
	links_do("ip address add 192.0.2.2/24 dev v1; ip address add 2001:db8::2/64 dev v1 nodad;"
		 "ip neighbour replace 192.0.2.1 lladdr 02:00:00:00:00:99 nud stale dev v1;"
		 "ip neighbour replace 2001:db8::1 lladdr 02:00:00:00:00:99 nud stale dev v1");
	fd = announce_open(&e);
	ck_assert_msg(fd >= 0, "%s", e.text);
	ck_assert_int_eq(announce_send(fd, if_nametoindex("v0"), mac, &v4), GW_OK);
	ck_assert_int_eq(announce_send(fd, if_nametoindex("v0"), mac, &v6), GW_OK);
	links_do("sleep 0.2; ip -4 neighbour show dev v1 | grep -q 02:00:00:aa:bb:cc");
	links_do("ip -6 neighbour show dev v1 | grep 2001:db8::1 | grep -q 02:00:00:aa:bb:cc");
	links_do("ip -6 neighbour show dev v1 | grep 2001:db8::1 | grep -q router");
	ck_assert_int_eq(announce_send(fd, 9999, mac, &v4), GW_EIO);
	(void)close(fd);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, arp_octet_by_octet);
	tcase_add_test(t, na_octet_by_octet);
	tcase_add_test(t, bursts_thin_out);
	tcase_add_test(t, neighbours_learn);
}

int main(void)
{
	have_links = links_make();
	return links_run("announce", add);
}
