#include "core/net/announce.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ICMPV6 = 58, NA = 136, NA_LEN = 32, TARGET_LINK_ADDRESS = 2 };

static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t all_nodes_mac[MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static void ethernet(struct writer *w, const uint8_t to[MAC_LEN], const uint8_t from[MAC_LEN], uint16_t type)
{
	wr_bytes(w, bytes_of(to, MAC_LEN));
	wr_bytes(w, bytes_of(from, MAC_LEN));
	wr_u16(w, type);
}

size_t announce_arp(uint8_t out[ANNOUNCE_MAX], const uint8_t mac[MAC_LEN], const struct addr *a, enum announce_arp op)
{
	struct writer w = wr_of(out, ANNOUNCE_MAX);

	if (a->family != 4)
		return 0;
	ethernet(&w, broadcast, mac, ETHERTYPE_ARP);
	wr_u16(&w, 1); /* Ethernet */
	wr_u16(&w, ETHERTYPE_IP);
	wr_u8(&w, MAC_LEN);
	wr_u8(&w, 4);
	wr_u16(&w, (uint16_t)op);
	wr_bytes(&w, bytes_of(mac, MAC_LEN));
	wr_bytes(&w, bytes_of(a->b, 4));
	/* RFC 5227 1.1: the target hardware address of a request is ignored, zero by custom. */
	if (op == ANNOUNCE_ARP_REQUEST)
		wr_zero(&w, MAC_LEN);
	else
		wr_bytes(&w, bytes_of(mac, MAC_LEN));
	wr_bytes(&w, bytes_of(a->b, 4));
	return w.bad ? 0 : w.n;
}

static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get_u16(p + i);
	return sum;
}

size_t announce_na(uint8_t out[ANNOUNCE_MAX], const uint8_t mac[MAC_LEN], const struct addr *a, bool router)
{
	struct writer w = wr_of(out, ANNOUNCE_MAX);
	uint32_t sum;
	size_t icmp;

	if (a->family != 6)
		return 0;
	ethernet(&w, all_nodes_mac, mac, ETHERTYPE_IPV6);
	wr_u32(&w, UINT32_C(6) << 28);
	wr_u16(&w, NA_LEN);
	wr_u8(&w, ICMPV6);
	wr_u8(&w, 255); /* RFC 4861 7.1.2: anything else is dropped */
	wr_bytes(&w, bytes_of(a->b, 16));
	wr_bytes(&w, bytes_of(all_nodes, 16));
	icmp = w.n;
	wr_u8(&w, NA);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u32(&w, (router ? UINT32_C(1) << 31 : 0) | UINT32_C(1) << 29); /* R, O */
	wr_bytes(&w, bytes_of(a->b, 16));
	wr_u8(&w, TARGET_LINK_ADDRESS);
	wr_u8(&w, 1);
	wr_bytes(&w, bytes_of(mac, MAC_LEN));
	if (w.bad)
		return 0;
	/* RFC 8200 8.1: over the pseudo-header, too. */
	sum = sum_of(a->b, 16) + sum_of(all_nodes, 16) + NA_LEN + ICMPV6 + sum_of(out + icmp, NA_LEN);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	wr_patch_u16(&w, icmp + 2, (uint16_t)~sum);
	return w.n;
}

int announce_open(struct err *e)
{
	/* Protocol 0: nothing is received. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err_set(e, errno == EPERM ? GW_EPERM : GW_EIO, "packet socket: %s", strerror(errno));
	return fd;
}

static enum gw_err send_frame(int fd, unsigned interface, const uint8_t *frame, size_t n)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)interface, .sll_halen = MAC_LEN };

	memcpy(&to.sll_protocol, frame + 12, sizeof(to.sll_protocol));
	memcpy(to.sll_addr, frame, MAC_LEN);
	if (sendto(fd, frame, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n)
		return GW_OK;
	return errno == EAGAIN || errno == ENOBUFS ? GW_EBUSY : GW_EIO;
}

enum gw_err announce_send(int fd, unsigned interface, const uint8_t mac[MAC_LEN], const struct addr *a)
{
	uint8_t frame[ANNOUNCE_MAX];

	if (a->family == 6)
		return send_frame(fd, interface, frame, announce_na(frame, mac, a, true));
	if (a->family != 4)
		return GW_EINVAL;
	TRY(send_frame(fd, interface, frame, announce_arp(frame, mac, a, ANNOUNCE_ARP_REQUEST)));
	return send_frame(fd, interface, frame, announce_arp(frame, mac, a, ANNOUNCE_ARP_REPLY));
}

/*
 * A node that died may leave the address to a kernel that lives on, which answers whoever asks for it until the lease
 * ends (VIPS_LEASE_S in daemon/vips.h). The last answer wins, so ours comes again and again until then.
 */
#define CONTESTED_US MILLISECONDS(200)
enum { CONTESTED_TIMES = 16 };

void announce_burst_start(struct announce_burst *b, mtime now, int64_t refresh_us)
{
	*b = (struct announce_burst){ .next = now, .refresh_us = refresh_us };
}

void announce_burst_stop(struct announce_burst *b)
{
	b->next = MTIME_NEVER;
}

bool announce_burst_due(struct announce_burst *b, mtime now)
{
	static const int64_t dense[] = { MILLISECONDS(20), MILLISECONDS(80), MILLISECONDS(200) };

	if (b->next.us == MTIME_NEVER.us || !mtime_reached(b->next, now))
		return false;
	if (b->step < ARRAY_LEN(dense) + CONTESTED_TIMES) {
		b->next = mtime_add(now, b->step < ARRAY_LEN(dense) ? dense[b->step] : CONTESTED_US);
		b->step++;
	} else {
		b->next = b->refresh_us > 0 ? mtime_add(now, b->refresh_us) : MTIME_NEVER;
	}
	return true;
}
