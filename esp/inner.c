#include "esp/inner.h"

#include <netinet/in.h>

enum {
	PROTO_MH = 135,
	IPV6_EXTENSIONS_MAX = 16, /* headers walked before we give up: no legitimate packet comes near */
};

/* Ports, or type and code, of the next layer, if they are within the packet. */
static void parse_ports(struct inner *out, struct reader r)
{
	switch (out->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		out->sport = rd_u16(&r);
		out->dport = rd_u16(&r);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		out->sport = out->dport = rd_u16(&r); /* type and code as RFC 7296 3.13.1 packs them */
		break;
	case PROTO_MH:
		rd_skip(&r, 2);
		out->sport = out->dport = (uint16_t)(rd_u8(&r) << 8);
		break;
	default:
		return;
	}
	out->has_ports = !r.bad;
	if (r.bad)
		out->sport = out->dport = 0;
}

static bool parse_v4(struct reader r, struct inner *out)
{
	uint8_t first = rd_u8(&r);
	size_t header = (size_t)(first & 15) * 4, total;
	uint16_t frag;

	out->tos = rd_u8(&r);
	total = rd_u16(&r);
	rd_skip(&r, 2);
	frag = rd_u16(&r);
	rd_skip(&r, 1);
	out->proto = rd_u8(&r);
	rd_skip(&r, 2);
	out->src.family = out->dst.family = 4;
	rd_copy(&r, out->src.b, 4);
	rd_copy(&r, out->dst.b, 4);
	if (r.bad || header < 20 || total < header || total - 20 > r.left)
		return false;
	r.left = total - 20; /* the rest is TFC padding (RFC 4303 2.7) */
	rd_skip(&r, header - 20);
	out->df = frag & 0x4000;
	out->later_fragment = frag & 0x1fff;
	out->n = total;
	out->header = header;
	if (!out->later_fragment)
		parse_ports(out, r);
	return !r.bad;
}

/* Walks the extension headers; r stands at the first. False: the chain is broken or endless. */
static bool skip_extensions(struct reader *r, struct inner *out)
{
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		uint8_t next, len;

		switch (out->proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			next = rd_u8(r);
			len = rd_u8(r);
			rd_skip(r, (size_t)len * 8 + 6);
			break;
		case IPPROTO_AH:
			next = rd_u8(r);
			len = rd_u8(r);
			rd_skip(r, (size_t)len * 4 + 6);
			break;
		case IPPROTO_FRAGMENT:
			next = rd_u8(r);
			rd_skip(r, 1);
			out->later_fragment = rd_u16(r) & 0xfff8;
			rd_skip(r, 4);
			break;
		default:
			return true;
		}
		if (r->bad)
			return false;
		out->proto = next;
		if (out->later_fragment) /* what follows is the middle of something */
			return true;
	}
	return false;
}

static bool parse_v6(struct reader r, struct inner *out)
{
	uint32_t first = rd_u32(&r);
	size_t payload = rd_u16(&r), left;

	out->tos = (uint8_t)(first >> 20);
	out->proto = rd_u8(&r);
	rd_skip(&r, 1);
	out->src.family = out->dst.family = 6;
	rd_copy(&r, out->src.b, 16);
	rd_copy(&r, out->dst.b, 16);
	if (r.bad || payload > r.left)
		return false;
	r.left = left = payload;
	out->df = true;
	out->n = 40 + payload;
	if (!skip_extensions(&r, out))
		return false;
	out->header = 40 + left - r.left;
	if (!out->later_fragment)
		parse_ports(out, r);
	return true;
}

bool inner_parse(struct bytes packet, struct inner *out)
{
	struct reader r = rd_of(packet);

	*out = (struct inner){ 0 };
	if (packet.n == 0)
		return false;
	switch (*packet.p >> 4) {
	case 4:
		return parse_v4(r, out);
	case 6:
		return parse_v6(r, out);
	default:
		return false;
	}
}

bool inner_matches(const struct selector *s, const struct inner *in, const struct addr *a, uint16_t port)
{
	if (!range_contains(&s->range, a))
		return false;
	if (s->proto != 0 && s->proto != in->proto)
		return false;
	if (s->port_lo == 0 && s->port_hi == 65535)
		return true;
	/* RFC 4301 4.4.1.2: OPAQUE (65535..0 in IKEv2) is for packets whose ports cannot be seen, a range for the
	 * others. */
	if (s->port_lo > s->port_hi)
		return !in->has_ports;
	return in->has_ports && port >= s->port_lo && port <= s->port_hi;
}

void inner_set_tos(uint8_t *p, uint8_t tos)
{
	if (*p >> 4 == 4) {
		/* RFC 1624: HC' = ~(~HC + ~m + m') */
		uint16_t before = get_u16(p), after = (uint16_t)((before & 0xff00) | tos);
		uint32_t sum = (uint32_t)(uint16_t)~get_u16(p + 10) + (uint16_t)~before + after;

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		p[1] = tos;
		put_u16(p + 10, (uint16_t)~sum);
	} else {
		put_u32(p, (get_u32(p) & ~(UINT32_C(0xff) << 20)) | (uint32_t)tos << 20);
	}
}
