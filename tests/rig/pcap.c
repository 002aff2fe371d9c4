#include "tests/rig/pcap.h"

enum {
	MAGIC_MICRO = 0xa1b2c3d4,
	MAGIC_NANO = 0xa1b23c4d,
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_SLL = 113,
	LINK_SLL2 = 276,
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	PROTO_UDP = 17,
	PROTO_FRAGMENT = 44,
	PROTO_ESP = 50,
	PORT_IKE = 500,
	PORT_NATT = 4500,
};

static uint32_t swap(uint32_t v)
{
	return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

/* A number of the file's own, in the byte order of who wrote it. */
static uint32_t number(struct pcap *p, struct reader *r)
{
	uint32_t v = rd_u32(r);

	return p->little ? swap(v) : v;
}

enum gw_err pcap_open(struct pcap *p, struct bytes file, struct err *e)
{
	uint32_t magic;

	*p = (struct pcap){ .at = rd_of(file) };
	magic = rd_u32(&p->at);
	p->little = magic == swap(MAGIC_MICRO) || magic == swap(MAGIC_NANO);
	if (p->little)
		magic = swap(magic);
	p->nanoseconds = magic == MAGIC_NANO;
	rd_skip(&p->at, 16); /* version, zone, accuracy, longest packet */
	p->link = number(p, &p->at);
	if (p->at.bad || (magic != MAGIC_MICRO && magic != MAGIC_NANO))
		return err_set(e, GW_EMALFORMED, "not a pcap file");
	if (p->link != LINK_ETHERNET && p->link != LINK_RAW && p->link != LINK_SLL && p->link != LINK_SLL2)
		return err_set(e, GW_EUNSUPPORTED, "link type %u", p->link);
	return GW_OK;
}

bool pcap_next(struct pcap *p, struct pcap_packet *out)
{
	uint32_t seconds, part, n, full;

	if (p->at.left == 0)
		return false;
	seconds = number(p, &p->at);
	part = number(p, &p->at);
	n = number(p, &p->at);
	full = number(p, &p->at);
	out->us = (int64_t)seconds * 1000000 + (p->nanoseconds ? part / 1000 : part);
	out->frame = rd_bytes(&p->at, n);
	out->whole = n == full;
	p->cut = p->at.bad;
	return !p->at.bad;
}

static enum pcap_kind look_udp(struct reader r, struct pcap_esp *out)
{
	uint16_t from = rd_u16(&r), to = rd_u16(&r);

	rd_skip(&r, 4);
	if (r.bad)
		return PCAP_OTHER;
	if (from == PORT_IKE || to == PORT_IKE)
		return PCAP_IKE;
	if (from != PORT_NATT && to != PORT_NATT)
		return PCAP_OTHER;
	/* RFC 3948: the marker of IKE is an SPI of zero; what is shorter than a header is a keepalive. */
	if (r.left < 8)
		return PCAP_OTHER;
	if (get_u32(r.at) == 0)
		return PCAP_IKE;
	out->udp = true;
	out->esp = rd_rest(&r);
	return PCAP_ESP;
}

static enum pcap_kind look_payload(uint8_t proto, struct reader r, struct pcap_esp *out)
{
	if (proto == PROTO_UDP)
		return look_udp(r, out);
	if (proto != PROTO_ESP || r.left < 8)
		return PCAP_OTHER;
	out->esp = rd_rest(&r);
	return PCAP_ESP;
}

static enum pcap_kind look_v4(struct reader r, struct pcap_esp *out)
{
	struct bytes head = rd_bytes(&r, 20);
	size_t options, total;
	struct reader body;

	if (r.bad || head.p[0] >> 4 != 4 || (head.p[0] & 15) < 5)
		return PCAP_OTHER;
	options = (size_t)(head.p[0] & 15) * 4 - 20;
	total = get_u16(head.p + 2);
	rd_skip(&r, options);
	if (r.bad || total < 20 + options)
		return PCAP_OTHER;
	if ((get_u16(head.p + 6) & 0x1fff) != 0)
		return PCAP_FRAGMENT;
	/* Behind the datagram Ethernet may have padding. */
	total -= 20 + options;
	body = rd_sub(&r, total < r.left ? total : r.left);
	if (!addr_from_bytes(&out->from, bytes_of(head.p + 12, 4)) ||
	    !addr_from_bytes(&out->to, bytes_of(head.p + 16, 4)))
		return PCAP_OTHER;
	return look_payload(head.p[9], body, out);
}

static enum pcap_kind look_v6(struct reader r, struct pcap_esp *out)
{
	struct bytes head = rd_bytes(&r, 40);
	struct reader body;
	uint8_t proto;
	size_t total;

	if (r.bad || head.p[0] >> 4 != 6)
		return PCAP_OTHER;
	total = get_u16(head.p + 4);
	body = rd_sub(&r, total < r.left ? total : r.left);
	proto = head.p[6];
	if (proto == PROTO_FRAGMENT) {
		proto = rd_u8(&body);
		rd_skip(&body, 1);
		if ((rd_u16(&body) & 0xfff8) != 0)
			return PCAP_FRAGMENT;
		rd_skip(&body, 4);
	}
	if (body.bad || !addr_from_bytes(&out->from, bytes_of(head.p + 8, 16)) ||
	    !addr_from_bytes(&out->to, bytes_of(head.p + 24, 16)))
		return PCAP_OTHER;
	return look_payload(proto, body, out);
}

enum pcap_kind pcap_look(const struct pcap *p, struct bytes frame, struct pcap_esp *out)
{
	struct reader r = rd_of(frame);
	uint16_t type = 0;

	*out = (struct pcap_esp){ 0 };
	switch (p->link) {
	case LINK_ETHERNET:
		rd_skip(&r, 12);
		type = rd_u16(&r);
		if (type == ETHER_VLAN) {
			rd_skip(&r, 2);
			type = rd_u16(&r);
		}
		break;
	case LINK_SLL:
		rd_skip(&r, 14);
		type = rd_u16(&r);
		break;
	case LINK_SLL2:
		type = rd_u16(&r);
		rd_skip(&r, 18);
		break;
	default: /* raw IP says by its first octet what it is */
		type = r.left > 0 && r.at[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4;
		break;
	}
	if (r.bad)
		return PCAP_OTHER;
	return type == ETHER_IPV4 ? look_v4(r, out) : type == ETHER_IPV6 ? look_v6(r, out) : PCAP_OTHER;
}
