/* Values that are addresses, ranges and networks. */
#include "config/value.h"

#include <stdio.h>

bool value_address(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		   void *base)
{
	struct addr a;

	(void)base;
	if (!addr_parse(text, &a))
		return value_wrong(l, k, where, "an IPv4 or IPv6 address", text);
	memcpy(at, &a, sizeof(a));
	return true;
}

/* What an interface gets: 192.0.2.1/24 is the address, not the network. Without a length it stands alone. */
bool value_interface_address(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			     void *base)
{
	struct ha_address_cfg *cfg = base;
	const char *slash = strchr(text, '/'), *end = "";
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char head[ADDR_TEXT];
	struct addr a = { 0 };
	int64_t len = 0;

	if (n < sizeof(head)) {
		(void)snprintf(head, sizeof(head), "%.*s", (int)n, text);
		if (!addr_parse(head, &a))
			a.family = 0;
	}
	if (a.family && !slash)
		len = (int64_t)addr_len(&a) * 8;
	if (!a.family || addr_is_any(&a) || (slash && (!value_digits(slash + 1, &len, &end) || *end)) || len < 1 ||
	    len > (int64_t)addr_len(&a) * 8)
		return value_wrong(l, k, where, "an address, maybe with a prefix length (192.0.2.1/24)", text);
	cfg->prefix_len = (uint8_t)len;
	memcpy(at, &a, sizeof(a));
	return true;
}

/* Why `text` is no range: the one mistake that everybody makes gets its own words. */
static bool wrong_range(struct load *l, const struct schema_key *k, struct mark where, const char *wanted,
			const char *text)
{
	const char *slash = strchr(text, '/');
	char head[ADDR_TEXT], suffix[ADDR_TEXT + 4];
	struct prefix p;

	if (slash && (size_t)(slash - text) < sizeof(head)) {
		struct addr a;

		(void)snprintf(head, sizeof(head), "%.*s", (int)(slash - text), text);
		if (addr_parse(head, &a)) {
			/* The network of that length around the address, found by clearing bits until it parses. */
			for (size_t bit = addr_len(&a) * 8; bit-- > 0;) {
				char whole[ADDR_TEXT + 8];

				a.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
				(void)snprintf(whole, sizeof(whole), "%s%.6s", addr_text(&a, head), slash);
				if (!prefix_parse(whole, &p))
					continue;
				report_error(l->report, where, "`%s`: " SHOWN " has host bits set; the network is %s",
					     k->name, text, prefix_text(&p, suffix));
				return false;
			}
		}
	}
	return value_wrong(l, k, where, wanted, text);
}

bool value_range(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at, void *base)
{
	struct range r;

	(void)base;
	if (!range_parse(text, &r))
		return wrong_range(l, k, where, "an address, a network or a range", text);
	memcpy(at, &r, sizeof(r));
	return true;
}

/* Length of the smallest network around a range. */
static uint8_t covering_len(const struct range *r)
{
	uint8_t len = 0;

	for (size_t i = 0; i < addr_len(&r->lo); i++) {
		uint8_t differ = r->lo.b[i] ^ r->hi.b[i];

		if (differ == 0) {
			len = (uint8_t)(len + 8);
			continue;
		}
		for (; !(differ & 0x80); differ = (uint8_t)(differ << 1))
			len++;
		break;
	}
	return len;
}

bool value_pool_range(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		      void *base)
{
	struct pool_cfg *pool = base;
	struct range r;
	struct prefix p;

	if (!range_parse(text, &r))
		return wrong_range(l, k, where, "a network or a range", text);
	if (addr_is_any(&r.lo) || (r.lo.family == 4 && r.lo.b[0] >= 224) || (r.lo.family == 6 && r.lo.b[0] == 0xff))
		return value_wrong(l, k, where, "addresses that a host can have", text);
	pool->prefix_len = covering_len(&r);
	if (!strchr(text, '-') && range_as_prefix(&r, &p)) {
		/* Of a network, not of a range: what no host may have. RFC 3021 (/31), RFC 4291 2.6.1, RFC 6164 (/127).
		 */
		if (r.lo.family == 4 && p.len < 31) {
			r.hi.b[3]--;
			r.lo.b[3]++;
		} else if (r.lo.family == 6 && p.len < 127) {
			r.lo.b[15]++;
		}
	}
	memcpy(at, &r, sizeof(r));
	return true;
}

bool value_network(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		   void *base)
{
	struct prefix p = { 0 };

	(void)base;
	if (!prefix_parse(text, &p))
		return wrong_range(l, k, where, "a network (192.168.1.0/24)", text);
	memcpy(at, &p, sizeof(p));
	return true;
}

bool value_selector(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		    void *base)
{
	const char *bracket = strchr(text, '[');
	struct selector s;
	char head[RANGE_TEXT];

	(void)base;
	if (!selector_parse(text, &s)) {
		(void)snprintf(head, sizeof(head), "%.*s", (int)(bracket ? bracket - text : 90), text);
		if (!range_parse(head, &s.range))
			return wrong_range(l, k, where, "a network, a range or an address", head);
		return value_wrong(l, k, where,
				   "[protocol], [protocol/port] or [protocol/port-port] behind the addresses", text);
	}
	memcpy(at, &s, sizeof(s));
	return true;
}
