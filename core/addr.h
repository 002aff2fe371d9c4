/* Addresses, prefixes, ranges, endpoints and traffic selectors: values, compared and printed, never resolved. */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include "core/err.h"

struct sockaddr;
struct sockaddr_storage;

struct addr {
	uint8_t family; /* 0 none, 4, 6 */
	uint8_t b[16];  /* network order; an IPv4 address in b[0..3], the rest zero */
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;
};

struct range { /* both inclusive, same family */
	struct addr lo, hi;
};

/* A traffic selector (RFC 7296 3.13.1): a range of addresses, a protocol (0: any) and a range of ports (0..65535: any). */
struct selector {
	uint8_t proto;
	uint16_t port_lo, port_hi;
	struct range range;
};

/* Text buffers: big enough for the longest of each. */
enum {
	ADDR_TEXT = 46,
	ENDPOINT_TEXT = 54,
	RANGE_TEXT = 94,
	SELECTOR_TEXT = 120,
};

size_t addr_len(const struct addr *a); /* 4, 16 or 0 */
struct bytes addr_bytes(const struct addr *a);
MUST_USE bool addr_from_bytes(struct addr *a, struct bytes b); /* 4 or 16 bytes */
MUST_USE bool addr_parse(const char *text, struct addr *a); /* v4-mapped (::ffff:192.0.2.1) becomes IPv4 */
const char *addr_text(const struct addr *a, char buf[ADDR_TEXT]); /* "none" for family 0 */
/* Family first, then numerically. */
int addr_cmp(const struct addr *a, const struct addr *b);
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or :: */
/* a + n within the family; false on overflow. */
MUST_USE bool addr_add(const struct addr *a, uint64_t n, struct addr *out);
/* b - a, saturated; both of one family and b >= a. */
uint64_t addr_diff(const struct addr *a, const struct addr *b);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* 192.0.2.1:4500 or [2001:db8::1]:4500 */
const char *endpoint_text(const struct endpoint *e, char buf[ENDPOINT_TEXT]);
MUST_USE bool endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa); /* v4-mapped becomes IPv4 */
size_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss);  /* length; 0 for family 0 */

/* "10.0.0.0/8", "fd00::/64"; a bare address is /32 or /128. Set host bits: false. */
MUST_USE bool prefix_parse(const char *text, struct prefix *p);
const char *prefix_text(const struct prefix *p, char buf[ADDR_TEXT + 4]);
bool prefix_contains(const struct prefix *p, const struct addr *a);
struct range prefix_range(const struct prefix *p);

/* "10.0.0.1-10.0.0.9", a prefix, or an address. */
MUST_USE bool range_parse(const char *text, struct range *r);
const char *range_text(const struct range *r, char buf[RANGE_TEXT]); /* as a prefix where it is one */
bool range_contains(const struct range *r, const struct addr *a);
bool range_overlaps(const struct range *a, const struct range *b);
/* When the range is exactly one prefix. */
bool range_as_prefix(const struct range *r, struct prefix *p);
/* Number of addresses, saturated at UINT64_MAX. */
uint64_t range_size(const struct range *r);

/* All protocols and ports of a range. */
struct selector selector_of(const struct range *r);
/* False: nothing in common, *out untouched (RFC 7296 2.9). ICMP "ports" are type and code, ranges all the same. */
MUST_USE bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *out);
bool selector_contains(const struct selector *outer, const struct selector *inner);
bool selector_equal(const struct selector *a, const struct selector *b);
/* 10.0.0.0/24, 10.0.0.0/24[tcp/80], 10.0.0.1[udp/1000-2000], 10.0.0.1[icmp/3(4)]; in core/selector.c */
MUST_USE bool selector_parse(const char *text, struct selector *s);
const char *selector_text(const struct selector *s, char buf[SELECTOR_TEXT]);

#endif
