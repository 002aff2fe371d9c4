#include "core/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

typedef unsigned __int128 u128;

static unsigned addr_bits(const struct addr *a)
{
	return (unsigned)addr_len(a) * 8;
}

static u128 number(const struct addr *a)
{
	if (a->family == 4)
		return get_u32(a->b);
	return (u128)get_u64(a->b) << 64 | get_u64(a->b + 8);
}

static struct addr from_number(uint8_t family, u128 v)
{
	struct addr a = { .family = family };

	if (family == 4) {
		put_u32(a.b, (uint32_t)v);
	} else {
		put_u64(a.b, (uint64_t)(v >> 64));
		put_u64(a.b + 8, (uint64_t)v);
	}
	return a;
}

/* The host part's ones of a /len. */
static u128 host_mask(unsigned bits, unsigned len)
{
	unsigned host = bits - len;

	return host == 0 ? 0 : (u128)-1 >> (128 - host);
}

/* ::ffff:0:0/96 (RFC 4291 2.5.5.2): an IPv4 address in IPv6 clothes. */
static bool is_mapped(const uint8_t b[16])
{
	static const uint8_t head[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return memcmp(b, head, sizeof(head)) == 0;
}

size_t addr_len(const struct addr *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

struct bytes addr_bytes(const struct addr *a)
{
	return bytes_of(a->b, addr_len(a));
}

bool addr_from_bytes(struct addr *a, struct bytes b)
{
	if (b.n != 4 && b.n != 16)
		return false;
	*a = (struct addr){ .family = b.n == 4 ? 4 : 6 };
	memcpy(a->b, b.p, b.n);
	return true;
}

bool addr_parse(const char *text, struct addr *a)
{
	uint8_t b[16];

	if (inet_pton(AF_INET, text, b) == 1)
		return addr_from_bytes(a, bytes_of(b, 4));
	if (inet_pton(AF_INET6, text, b) != 1)
		return false;
	/* One address, one form: sockets give IPv4 for these as well (endpoint_from_sockaddr). */
	return addr_from_bytes(a, is_mapped(b) ? bytes_of(b + 12, 4) : bytes_of(b, 16));
}

static char *put_decimal(char *at, unsigned v)
{
	char digits[10];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

static char *put_ipv4(char *at, const uint8_t *b)
{
	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_decimal(at, b[i]);
	}
	return at;
}

/* RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals)
 * becomes "::". */
static char *put_ipv6(char *at, const uint8_t *b)
{
	static const char hex[] = "0123456789abcdef";
	size_t run = 8, run_len = 1, i = 0;

	if (is_mapped(b))
		return put_ipv4(put_text(at, "::ffff:"), b + 12);
	for (size_t from = 0; from < 8; from++) {
		size_t n = 0;

		while (from + n < 8 && get_u16(b + 2 * (from + n)) == 0)
			n++;
		if (n > run_len) {
			run = from;
			run_len = n;
		}
	}
	while (i < 8) {
		unsigned v = get_u16(b + 2 * i);

		if (i == run) {
			at = put_text(at, "::");
			i += run_len;
			continue;
		}
		if (i > 0 && i != run + run_len)
			*at++ = ':';
		for (int shift = 12; shift >= 0; shift -= 4)
			if (v >> shift || shift == 0)
				*at++ = hex[v >> shift & 15];
		i++;
	}
	return at;
}

static char *put_addr(char *at, const struct addr *a)
{
	if (a->family == 4)
		return put_ipv4(at, a->b);
	if (a->family == 6)
		return put_ipv6(at, a->b);
	return put_text(at, "none");
}

const char *addr_text(const struct addr *a, char buf[ADDR_TEXT])
{
	*put_addr(buf, a) = 0;
	return buf;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, addr_len(a));
}

bool addr_is_any(const struct addr *a)
{
	return addr_len(a) > 0 && number(a) == 0;
}

bool addr_add(const struct addr *a, uint64_t n, struct addr *out)
{
	u128 all = host_mask(addr_bits(a), 0), v;

	if (addr_len(a) == 0)
		return false;
	v = number(a);
	if (n > all - v)
		return false;
	*out = from_number(a->family, v + n);
	return true;
}

uint64_t addr_diff(const struct addr *a, const struct addr *b)
{
	u128 d = number(b) - number(a);

	return d > UINT64_MAX ? UINT64_MAX : (uint64_t)d;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

const char *endpoint_text(const struct endpoint *e, char buf[ENDPOINT_TEXT])
{
	char *at = buf;

	if (e->addr.family == 6)
		*at++ = '[';
	at = put_addr(at, &e->addr);
	if (e->addr.family == 6)
		*at++ = ']';
	*at++ = ':';
	*put_decimal(at, e->port) = 0;
	return buf;
}

bool endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		e->port = ntohs(in.sin_port);
		return addr_from_bytes(&e->addr, bytes_of(&in.sin_addr, 4));
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		const uint8_t *b = in6.sin6_addr.s6_addr;

		memcpy(&in6, sa, sizeof(in6));
		e->port = ntohs(in6.sin6_port);
		return addr_from_bytes(&e->addr, is_mapped(b) ? bytes_of(b + 12, 4) : bytes_of(b, 16));
	}
	return false;
}

size_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (e->addr.family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.b, 4);
		return sizeof(*in);
	}
	if (e->addr.family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		memcpy(&in6->sin6_addr, e->addr.b, 16);
		return sizeof(*in6);
	}
	return 0;
}

/* Digits only, no sign, no leading zero; the number ends at *end. */
static bool parse_decimal(const char *text, unsigned max, unsigned *out, const char **end)
{
	unsigned v = 0;
	const char *s = text;

	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max || (s > text && *text == '0'))
			return false;
	}
	*out = v;
	*end = s;
	return s > text;
}

/* Copies text[0..n) to buf as a string; false when it cannot be an address. */
static bool take(const char *text, size_t n, char buf[ADDR_TEXT])
{
	if (n == 0 || n >= ADDR_TEXT)
		return false;
	memcpy(buf, text, n);
	buf[n] = 0;
	return true;
}

bool prefix_parse(const char *text, struct prefix *p)
{
	const char *slash = strchr(text, '/'), *end;
	char buf[ADDR_TEXT];
	struct addr a;
	unsigned len;

	if (!take(text, slash ? (size_t)(slash - text) : strlen(text), buf) || !addr_parse(buf, &a))
		return false;
	len = addr_bits(&a);
	if (slash && (!parse_decimal(slash + 1, len, &len, &end) || *end))
		return false;
	/* "::ffff:10.0.0.0/8": the length counts other bits than the address has by now. */
	if (slash && a.family == 4 && strchr(buf, ':'))
		return false;
	if ((number(&a) & host_mask(addr_bits(&a), len)) != 0)
		return false;
	*p = (struct prefix){ a, (uint8_t)len };
	return true;
}

const char *prefix_text(const struct prefix *p, char buf[ADDR_TEXT + 4])
{
	char *at = put_addr(buf, &p->addr);

	*at++ = '/';
	*put_decimal(at, p->len) = 0;
	return buf;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct range r = prefix_range(p);

	return range_contains(&r, a);
}

struct range prefix_range(const struct prefix *p)
{
	u128 v = number(&p->addr);

	if (addr_len(&p->addr) == 0)
		return (struct range){ 0 };
	return (struct range){ p->addr, from_number(p->addr.family, v | host_mask(addr_bits(&p->addr), p->len)) };
}

bool range_parse(const char *text, struct range *r)
{
	const char *dash = strchr(text, '-');
	struct prefix p;
	struct range v;
	char buf[ADDR_TEXT];

	if (!dash) {
		if (!prefix_parse(text, &p))
			return false;
		*r = prefix_range(&p);
		return true;
	}
	if (!take(text, (size_t)(dash - text), buf) || !addr_parse(buf, &v.lo) || !addr_parse(dash + 1, &v.hi))
		return false;
	if (v.lo.family != v.hi.family || addr_cmp(&v.lo, &v.hi) > 0)
		return false;
	*r = v;
	return true;
}

static char *put_range(char *at, const struct range *r)
{
	struct prefix p;

	at = put_addr(at, &r->lo);
	if (addr_equal(&r->lo, &r->hi))
		return at;
	if (range_as_prefix(r, &p)) {
		*at++ = '/';
		return put_decimal(at, p.len);
	}
	*at++ = '-';
	return put_addr(at, &r->hi);
}

const char *range_text(const struct range *r, char buf[RANGE_TEXT])
{
	*put_range(buf, r) = 0;
	return buf;
}

bool range_contains(const struct range *r, const struct addr *a)
{
	return addr_len(a) > 0 && a->family == r->lo.family && addr_cmp(&r->lo, a) <= 0 && addr_cmp(a, &r->hi) <= 0;
}

bool range_overlaps(const struct range *a, const struct range *b)
{
	return addr_len(&a->lo) > 0 && a->lo.family == b->lo.family && addr_cmp(&a->lo, &b->hi) <= 0 &&
	       addr_cmp(&b->lo, &a->hi) <= 0;
}

bool range_as_prefix(const struct range *r, struct prefix *p)
{
	u128 lo, differ;
	unsigned len;

	if (addr_len(&r->lo) == 0 || r->lo.family != r->hi.family || addr_cmp(&r->lo, &r->hi) > 0)
		return false;
	lo = number(&r->lo);
	differ = lo ^ number(&r->hi);
	/* The bits that differ are all of the lowest ones, and lo has none of them. */
	if ((differ & (differ + 1)) != 0 || (lo & differ) != 0)
		return false;
	for (len = addr_bits(&r->lo); differ != 0; differ >>= 1)
		len--;
	*p = (struct prefix){ r->lo, (uint8_t)len };
	return true;
}

uint64_t range_size(const struct range *r)
{
	uint64_t d;

	if (addr_len(&r->lo) == 0)
		return 0;
	d = addr_diff(&r->lo, &r->hi);
	return d == UINT64_MAX ? d : d + 1;
}
