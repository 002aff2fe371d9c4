#include "core/addr.h"

#include <stdio.h>
#include <stdlib.h>

/* Protocols by name; others are shown and written as numbers. */
static const struct proto_name {
	uint8_t number;
	bool icmp;
	const char *name;
} protos[] = {
	{ 1, true, "icmp" },  { 6, false, "tcp" },    { 17, false, "udp" },   { 47, false, "gre" },
	{ 50, false, "esp" }, { 58, true, "icmpv6" }, { 132, false, "sctp" },
};

static const struct proto_name *proto_find(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

static bool any_port(const struct selector *s)
{
	return s->port_lo == 0 && s->port_hi == UINT16_MAX;
}

/* RFC 7296 3.13.1: start 65535 and end 0 say OPAQUE, packets whose ports cannot be seen. */
static bool opaque_port(const struct selector *s)
{
	return s->port_lo == UINT16_MAX && s->port_hi == 0;
}

struct selector selector_of(const struct range *r)
{
	return (struct selector){ .proto = 0, .port_lo = 0, .port_hi = UINT16_MAX, .range = *r };
}

/* The ports in common, in out; OPAQUE is within "any" and within itself (RFC 4301 4.4.1.1). */
static bool intersect_ports(const struct selector *a, const struct selector *b, struct selector *out)
{
	if (opaque_port(a) || opaque_port(b)) {
		const struct selector *other = opaque_port(a) ? b : a;

		if (!any_port(other) && !opaque_port(other))
			return false;
		out->port_lo = UINT16_MAX;
		out->port_hi = 0;
		return true;
	}
	out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
	out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
	return out->port_lo <= out->port_hi;
}

bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *out)
{
	struct selector v = { 0 };

	if (a->proto != b->proto && a->proto != 0 && b->proto != 0)
		return false;
	v.proto = a->proto ? a->proto : b->proto;
	if (!range_overlaps(&a->range, &b->range) || !intersect_ports(a, b, &v))
		return false;
	v.range.lo = addr_cmp(&a->range.lo, &b->range.lo) > 0 ? a->range.lo : b->range.lo;
	v.range.hi = addr_cmp(&a->range.hi, &b->range.hi) < 0 ? a->range.hi : b->range.hi;
	if (addr_cmp(&v.range.lo, &v.range.hi) > 0)
		return false;
	*out = v;
	return true;
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return a->proto == b->proto && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
	       addr_equal(&a->range.lo, &b->range.lo) && addr_equal(&a->range.hi, &b->range.hi);
}

bool selector_contains(const struct selector *outer, const struct selector *inner)
{
	struct selector both;

	return selector_intersect(outer, inner, &both) && selector_equal(&both, inner);
}

static void put_number(struct writer *w, unsigned v)
{
	char digits[12];
	int n = snprintf(digits, sizeof(digits), "%u", v);

	wr_bytes(w, bytes_of(digits, n > 0 ? (size_t)n : 0));
}

/* ICMP (RFC 4301 4.4.1.1: type in the high octet, code in the low one): "3(4)". */
static void put_port(struct writer *w, uint16_t port, bool icmp)
{
	put_number(w, icmp ? port >> 8 : port);
	if (!icmp)
		return;
	wr_u8(w, '(');
	put_number(w, port & 255);
	wr_u8(w, ')');
}

static void put_ports(struct writer *w, const struct selector *s, bool icmp)
{
	if (opaque_port(s)) {
		wr_bytes(w, bytes_str("opaque"));
	} else if (icmp && (s->port_lo & 255) == 0 && s->port_hi == (s->port_lo | 255)) {
		put_number(w, s->port_lo >> 8); /* all codes of a type */
	} else {
		put_port(w, s->port_lo, icmp);
		if (s->port_lo != s->port_hi) {
			wr_u8(w, '-');
			put_port(w, s->port_hi, icmp);
		}
	}
}

const char *selector_text(const struct selector *s, char buf[SELECTOR_TEXT])
{
	const struct proto_name *known = proto_find(s->proto);
	struct writer w = wr_of(buf, SELECTOR_TEXT - 1);

	w.n = strlen(range_text(&s->range, buf));
	if (s->proto != 0 || !any_port(s)) {
		wr_u8(&w, '[');
		if (known)
			wr_bytes(&w, bytes_str(known->name));
		else
			put_number(&w, s->proto);
		if (!any_port(s)) {
			wr_u8(&w, '/');
			put_ports(&w, s, known && known->icmp);
		}
		wr_u8(&w, ']');
	}
	buf[w.n] = 0;
	return buf;
}

/* Digits only, at most max; *text moves behind them. */
static bool parse_number(const char **text, unsigned long max, unsigned long *out)
{
	const char *s = *text;
	char *end;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] >= '0' && s[1] <= '9'))
		return false;
	*out = strtoul(s, &end, 10);
	*text = end;
	return end - s <= 5 && *out <= max;
}

static bool parse_proto(const char **text, struct selector *s, bool *icmp)
{
	size_t n = strcspn(*text, "/]");
	unsigned long v;

	*icmp = false;
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (strlen(protos[i].name) == n && strncmp(*text, protos[i].name, n) == 0) {
			s->proto = protos[i].number;
			*icmp = protos[i].icmp;
			*text += n;
			return true;
		}
	if (!parse_number(text, 255, &v))
		return false;
	s->proto = (uint8_t)v;
	*icmp = proto_find(s->proto) && proto_find(s->proto)->icmp;
	return true;
}

/* One end of a port range: [*lo, *hi] are the values that it stands for; an ICMP type alone means all its codes. */
static bool parse_port(const char **text, bool icmp, uint16_t *lo, uint16_t *hi)
{
	unsigned long v, code;

	if (!parse_number(text, icmp ? 255 : UINT16_MAX, &v))
		return false;
	if (!icmp) {
		*lo = *hi = (uint16_t)v;
		return true;
	}
	*lo = (uint16_t)(v << 8);
	*hi = (uint16_t)(*lo | 255u);
	if (**text == '(') {
		(*text)++;
		if (!parse_number(text, 255, &code) || **text != ')')
			return false;
		(*text)++;
		*lo = *hi = (uint16_t)(v << 8 | code);
	}
	return true;
}

static bool parse_ports(const char **text, bool icmp, struct selector *s)
{
	uint16_t ignored;

	if (strncmp(*text, "opaque", 6) == 0) {
		*text += 6;
		s->port_lo = UINT16_MAX;
		s->port_hi = 0;
		return true;
	}
	if (!parse_port(text, icmp, &s->port_lo, &s->port_hi))
		return false;
	if (**text == '-') {
		(*text)++;
		if (!parse_port(text, icmp, &ignored, &s->port_hi))
			return false;
	}
	return s->port_lo <= s->port_hi;
}

bool selector_parse(const char *text, struct selector *s)
{
	const char *bracket = strchr(text, '['), *at;
	size_t n = bracket ? (size_t)(bracket - text) : strlen(text);
	char buf[RANGE_TEXT];
	struct selector v;
	struct range r;
	bool icmp;

	if (n >= sizeof(buf))
		return false;
	memcpy(buf, text, n);
	buf[n] = 0;
	if (!range_parse(buf, &r))
		return false;
	v = selector_of(&r);
	if (bracket) {
		at = bracket + 1;
		if (!parse_proto(&at, &v, &icmp))
			return false;
		if (*at == '/') {
			at++;
			/* Ports of no protocol in particular mean nothing (RFC 7296 3.13.1). */
			if (v.proto == 0 || !parse_ports(&at, icmp, &v))
				return false;
		}
		if (at[0] != ']' || at[1] != 0)
			return false;
	}
	*s = v;
	return true;
}
