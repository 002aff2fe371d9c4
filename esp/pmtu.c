#include "esp/pmtu.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/packet.h"

uint16_t pmtu_path(const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint from = { local->addr, 0 }, to = *remote;
	struct sockaddr_storage ss;
	bool v6 = remote->addr.family == 6;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	socklen_t len = sizeof(mtu), n;

	if (fd < 0)
		return 0;
	if (to.port == 0)
		to.port = 4500; /* connect() wants one; nothing is sent */
	n = (socklen_t)endpoint_to_sockaddr(&from, &ss);
	/* A source address that has gone just now does not matter: the route by destination is good enough. */
	if (n > 0 && !addr_is_any(&from.addr))
		(void)!bind(fd, (struct sockaddr *)&ss, n);
	n = (socklen_t)endpoint_to_sockaddr(&to, &ss);
	if (n == 0 || connect(fd, (struct sockaddr *)&ss, n) != 0 ||
	    getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &len) != 0)
		mtu = 0;
	(void)close(fd);
	return (uint16_t)(mtu < 0 ? 0 : mtu > 65535 ? 65535 : mtu);
}

size_t pmtu_inner(const struct cipher_suite *s, uint8_t outer_family, bool udp_encap, size_t path)
{
	size_t outer = (outer_family == 6 ? 40u : 20u) + (udp_encap ? 8u : 0u);

	return path > outer ? packet_inner_max(s, path - outer) : 0;
}

static uint32_t sum_add(uint32_t sum, struct bytes b)
{
	for (size_t i = 0; i + 1 < b.n; i += 2)
		sum += get_u16(b.p + i);
	if (b.n % 2)
		sum += (uint32_t)b.p[b.n - 1] << 8;
	return sum;
}

static uint16_t sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool is_multicast(const struct addr *a)
{
	return a->family == 4 ? a->b[0] >= 224 : a->b[0] == 0xff;
}

/* May an ICMP error be sent about this packet? */
static bool may_reply(const struct inner *in)
{
	uint8_t type = (uint8_t)(in->sport >> 8);

	if (in->later_fragment || is_multicast(&in->src) || addr_is_any(&in->src) || is_multicast(&in->dst))
		return false;
	if (in->src.family == 4 && in->proto == IPPROTO_ICMP)
		return in->has_ports && (type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP ||
					 type == ICMP_TIMESTAMPREPLY);
	if (in->src.family == 6 && in->proto == IPPROTO_ICMPV6)
		return in->has_ports && (type & 0x80); /* informational */
	return true;
}

static size_t reply_v4(struct bytes quote, const struct inner *in, size_t mtu, uint8_t *out)
{
	size_t quoted = quote.n > 548 ? 548 : quote.n; /* RFC 1812 4.3.2.3: at most 576 octets in all */
	struct writer w = wr_of(out, PMTU_REPLY_MAX);

	wr_u8(&w, 0x45);
	wr_u8(&w, 0xc0); /* network control, as other routers' errors */
	wr_u16(&w, (uint16_t)(28 + quoted));
	wr_u32(&w, 0); /* identification, no fragment */
	wr_u8(&w, 64);
	wr_u8(&w, IPPROTO_ICMP);
	wr_u16(&w, 0);
	wr_bytes(&w, bytes_of(in->dst.b, 4));
	wr_bytes(&w, bytes_of(in->src.b, 4));
	wr_u8(&w, ICMP_DEST_UNREACH);
	wr_u8(&w, ICMP_FRAG_NEEDED);
	wr_u32(&w, 0); /* checksum, unused */
	wr_u16(&w, (uint16_t)mtu);
	wr_bytes(&w, bytes_of(quote.p, quoted));
	wr_patch_u16(&w, 10, sum_end(sum_add(0, bytes_of(out, 20))));
	wr_patch_u16(&w, 22, sum_end(sum_add(0, bytes_of(out + 20, 8 + quoted))));
	return w.bad ? 0 : w.n;
}

static size_t reply_v6(struct bytes quote, const struct inner *in, size_t mtu, uint8_t *out)
{
	size_t quoted = quote.n > PMTU_REPLY_MAX - 48 ? PMTU_REPLY_MAX - 48 : quote.n;
	struct writer w = wr_of(out, PMTU_REPLY_MAX);
	uint32_t sum;

	wr_u32(&w, UINT32_C(6) << 28);
	wr_u16(&w, (uint16_t)(8 + quoted));
	wr_u8(&w, IPPROTO_ICMPV6);
	wr_u8(&w, 64);
	wr_bytes(&w, bytes_of(in->dst.b, 16));
	wr_bytes(&w, bytes_of(in->src.b, 16));
	wr_u8(&w, ICMP6_PACKET_TOO_BIG);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u32(&w, (uint32_t)mtu);
	wr_bytes(&w, bytes_of(quote.p, quoted));
	/* The pseudo header: addresses, length, next header (RFC 8200 8.1). */
	sum = sum_add((uint32_t)(8 + quoted) + IPPROTO_ICMPV6, bytes_of(out + 8, 32));
	wr_patch_u16(&w, 42, sum_end(sum_add(sum, bytes_of(out + 40, 8 + quoted))));
	return w.bad ? 0 : w.n;
}

size_t pmtu_reply(struct bytes packet, const struct inner *in, size_t mtu, uint8_t *out)
{
	struct bytes quote = { packet.p, in->n < packet.n ? in->n : packet.n };

	if (!may_reply(in))
		return 0;
	return in->src.family == 4 ? reply_v4(quote, in, mtu, out) : reply_v6(quote, in, mtu, out);
}
