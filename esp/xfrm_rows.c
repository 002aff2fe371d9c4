#include <netinet/in.h>
#include <stdlib.h>

#include "esp/xfrm_state.h"

enum {
	PREFIXES_MAX = 256, /* of one range: at most 2 * 128 */
	PORTS_MAX = 32,	    /* blocks of one port range: at most 2 * 16 */
};

struct block {
	uint16_t port, mask;
};

/* ---- addresses ---- */

static struct prefix prefix_at(const struct addr *a, uint8_t len)
{
	struct prefix p = { *a, len };

	for (size_t i = 0; i < addr_len(a); i++) {
		size_t bits = len > i * 8 ? len - i * 8 : 0;

		if (bits < 8)
			p.addr.b[i] &= (uint8_t)(0xff00u >> bits);
	}
	return p;
}

/* The largest prefix that begins at lo and ends within hi. */
static struct prefix largest(const struct addr *lo, const struct addr *hi)
{
	struct prefix best = { *lo, (uint8_t)(addr_len(lo) * 8) };

	while (best.len > 0) {
		struct prefix wider = prefix_at(lo, (uint8_t)(best.len - 1));
		struct range covered = prefix_range(&wider);

		if (!addr_equal(&covered.lo, lo) || addr_cmp(&covered.hi, hi) > 0)
			break;
		best = wider;
	}
	return best;
}

/* 0: too many. */
static size_t split_range(const struct range *r, struct prefix out[PREFIXES_MAX])
{
	struct addr at = r->lo;
	size_t n = 0;

	if (range_as_prefix(r, &out[0])) /* almost always */
		return 1;
	while (n < PREFIXES_MAX) {
		struct range covered;

		out[n] = largest(&at, &r->hi);
		covered = prefix_range(&out[n++]);
		if (addr_cmp(&covered.hi, &r->hi) >= 0 || !addr_add(&covered.hi, 1, &at))
			return n;
	}
	return 0;
}

/* ---- ports ---- */

static size_t split_ports(uint16_t lo, uint16_t hi, struct block out[PORTS_MAX])
{
	uint32_t at = lo;
	size_t n = 0;

	while (at <= hi) {
		uint32_t size = 1;

		while ((at & (size * 2 - 1)) == 0 && at + size * 2 - 1 <= hi && size < 0x10000)
			size *= 2;
		out[n++] = (struct block){ (uint16_t)at, (uint16_t) ~(size - 1) };
		at += size;
	}
	return n;
}

/* Type and code (RFC 7296 3.13.1: the upper and the lower octet of a "port"): one or all of each. */
static bool split_icmp(const struct selector *s, struct block *type, struct block *code)
{
	unsigned type_lo = s->port_lo >> 8, type_hi = s->port_hi >> 8, code_lo = s->port_lo & 0xff,
		 code_hi = s->port_hi & 0xff;

	*type = *code = (struct block){ 0, 0 };
	if (s->port_lo == 0 && s->port_hi == 0xffff)
		return true;
	if (type_lo != type_hi)
		return false;
	*type = (struct block){ (uint16_t)type_lo, 0xffff };
	if (code_lo == code_hi)
		*code = (struct block){ (uint16_t)code_lo, 0xffff };
	return code_lo == code_hi || (code_lo == 0 && code_hi == 0xff);
}

/* ---- pairs ---- */

struct rows {
	struct xfrm_row *list; /* owned */
	size_t n, cap;
};

static enum gw_err rows_add(struct rows *r, const struct xfrm_row *row)
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(&r->list[i], row, sizeof(*row)) == 0)
			return GW_OK;
	if (r->n == XFRM_ROWS_MAX)
		return GW_ELIMIT;
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 1;
		struct xfrm_row *bigger = realloc(r->list, cap * sizeof(*bigger));

		if (!bigger)
			return GW_ENOMEM;
		r->list = bigger;
		r->cap = cap;
	}
	memcpy(&r->list[r->n++], row, sizeof(*row)); /* padding too */
	return GW_OK;
}

/* All port blocks for one pair of prefixes. */
static enum gw_err add_ports(struct rows *r, const struct selector *ours, const struct selector *theirs,
			     struct xfrm_row *row, const char **why)
{
	struct block mine[PORTS_MAX], other[PORTS_MAX];
	size_t n_mine = 1, n_other = 1;

	if (row->proto == IPPROTO_ICMP || row->proto == IPPROTO_ICMPV6) {
		bool any = ours->port_lo == 0 && ours->port_hi == 0xffff;

		/* Both sides mean the same type and code: the more definite one says which. */
		if (!split_icmp(any ? theirs : ours, &mine[0], &other[0])) {
			*why = "a range of ICMP types, which the kernel cannot select by";
			return GW_EUNSUPPORTED;
		}
	} else {
		n_mine = split_ports(ours->port_lo, ours->port_hi, mine);
		n_other = split_ports(theirs->port_lo, theirs->port_hi, other);
	}
	for (size_t i = 0; i < n_mine; i++)
		for (size_t k = 0; k < n_other; k++) {
			row->our_port = mine[i].port;
			row->our_mask = mine[i].mask;
			row->their_port = other[k].port;
			row->their_mask = other[k].mask;
			TRY(rows_add(r, row));
		}
	return GW_OK;
}

static enum gw_err add_pair(struct rows *r, const struct selector *ours, const struct selector *theirs,
			    const char **why)
{
	struct prefix mine[PREFIXES_MAX], other[PREFIXES_MAX];
	size_t n_mine, n_other;
	struct xfrm_row row;

	/* The kernel selects by one family and one protocol a policy. */
	if (ours->range.lo.family != theirs->range.lo.family ||
	    (ours->proto != 0 && theirs->proto != 0 && ours->proto != theirs->proto))
		return GW_OK;
	n_mine = split_range(&ours->range, mine);
	n_other = split_range(&theirs->range, other);
	if (n_mine == 0 || n_other == 0)
		return GW_ELIMIT;
	memset(&row, 0, sizeof(row)); /* compared as octets */
	row.proto = ours->proto ? ours->proto : theirs->proto;
	for (size_t i = 0; i < n_mine; i++)
		for (size_t k = 0; k < n_other; k++) {
			row.ours = mine[i];
			row.theirs = other[k];
			TRY(add_ports(r, ours, theirs, &row, why));
		}
	return GW_OK;
}

enum gw_err xfrm_rows_make(const struct dp_policy *in, struct xfrm_row **out, size_t *n, const char **why)
{
	struct rows r = { 0 };
	enum gw_err code = GW_OK;

	for (size_t i = 0; i < in->ours_count && code == GW_OK; i++)
		for (size_t k = 0; k < in->theirs_count && code == GW_OK; k++)
			code = add_pair(&r, &in->ours[i], &in->theirs[k], why);
	if (code == GW_OK && r.n == 0) {
		*why = "selectors of the two sides have no family or protocol in common";
		code = GW_EUNSUPPORTED;
	}
	if (code == GW_ELIMIT)
		*why = "selectors that make too many kernel policies";
	if (code != GW_OK) {
		free(r.list);
		return code;
	}
	*out = r.list;
	*n = r.n;
	return GW_OK;
}

static unsigned free_bits(uint16_t mask)
{
	return 16 - (unsigned)__builtin_popcount(mask);
}

uint32_t xfrm_row_priority(const struct xfrm_row *r)
{
	unsigned theirs = 128u - r->theirs.len - (r->theirs.addr.family == 4 ? 96u : 0),
		 ours = 128u - r->ours.len - (r->ours.addr.family == 4 ? 96u : 0);
	unsigned ports = free_bits(r->our_mask) + free_bits(r->their_mask);

	return XFRM_PRIO_TUNNEL +
	       ((uint32_t)theirs << 15 | (r->proto == 0 ? 1u << 14 : 0) | (uint32_t)ports << 8 | ours);
}
