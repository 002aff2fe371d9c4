#include "esp/clamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/net/netlink.h"

/* <linux/netfilter/nf_tables.h> of Debian 12 has it; older ones do not. */
enum { TABLE_F_OWNER = 2 };

enum {
	NAME_MAX_LEN = 31,
	FIXED_SIZE = 8192,	/* table, chain, sets and rules */
	ELEMENT_SIZE = 2 * 40,	/* both ends of a range */
	RANGES_A_MESSAGE = 500, /* an attribute has at most 64 kB */
	PRIORITY_MANGLE = -150,
	NFT_IPV4_ADDR = 7, /* key types of nft, for `nft list` */
	NFT_IPV6_ADDR = 8,
	TCP_FLAGS_AT = 13,
	TCP_SYN = 2,
	TCP_RST = 4,
	MSS_OPTION = 2,
};

struct clamp {
	struct nl_socket nl;
	char table[NAME_MAX_LEN + 1];
};

/* One family: where its addresses are in a packet. */
static const struct family {
	uint8_t family, proto; /* of struct addr, and the kernel's */
	const char *set;
	uint32_t key_type, key_len, source_at, dest_at;
	uint16_t less; /* IPv6's header is longer */
} families[] = {
	{ 4, NFPROTO_IPV4, "clients4", NFT_IPV4_ADDR, 4, 12, 16, 0 },
	{ 6, NFPROTO_IPV6, "clients6", NFT_IPV6_ADDR, 16, 8, 24, 20 },
};

/* ---- attributes; numbers are in network byte order here ---- */

static void put_be32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put_u32(b, type, htonl(v));
}

static void put_text(struct nl_batch *b, uint16_t type, const char *text)
{
	nl_put(b, type, text, strlen(text) + 1);
}

static void put_value(struct nl_batch *b, uint16_t type, const void *data, size_t n)
{
	size_t nest = nl_nest(b, type);

	nl_put(b, NFTA_DATA_VALUE, data, n);
	nl_nest_end(b, nest);
}

static void begin(struct nl_batch *b, uint16_t message, uint16_t flags)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };

	nl_begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, &head, sizeof(head));
}

/* All between the two is done as a whole or not at all. */
static bool transaction(struct nl_batch *b, uint16_t edge)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_begin(b, edge, 0, &head, sizeof(head));
	return edge == NFNL_MSG_BATCH_END ? nl_end_unanswered(b) : nl_end(b);
}

/* ---- expressions of a rule ---- */

struct expr {
	size_t element, data;
};

static struct expr expr_begin(struct nl_batch *b, const char *name)
{
	struct expr x = { .element = nl_nest(b, NFTA_LIST_ELEM) };

	put_text(b, NFTA_EXPR_NAME, name);
	x.data = nl_nest(b, NFTA_EXPR_DATA);
	return x;
}

static void expr_end(struct nl_batch *b, struct expr x)
{
	nl_nest_end(b, x.data);
	nl_nest_end(b, x.element);
}

static void expr_meta(struct nl_batch *b, uint32_t key)
{
	struct expr x = expr_begin(b, "meta");

	put_be32(b, NFTA_META_DREG, NFT_REG_1);
	put_be32(b, NFTA_META_KEY, key);
	expr_end(b, x);
}

static void expr_payload(struct nl_batch *b, uint32_t base, uint32_t at, uint32_t n)
{
	struct expr x = expr_begin(b, "payload");

	put_be32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(b, NFTA_PAYLOAD_BASE, base);
	put_be32(b, NFTA_PAYLOAD_OFFSET, at);
	put_be32(b, NFTA_PAYLOAD_LEN, n);
	expr_end(b, x);
}

static void expr_equal(struct nl_batch *b, uint8_t v)
{
	struct expr x = expr_begin(b, "cmp");

	put_be32(b, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(b, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(b, NFTA_CMP_DATA, &v, sizeof(v));
	expr_end(b, x);
}

static void expr_and(struct nl_batch *b, uint8_t mask)
{
	struct expr x = expr_begin(b, "bitwise");
	const uint8_t zero = 0;

	put_be32(b, NFTA_BITWISE_SREG, NFT_REG_1);
	put_be32(b, NFTA_BITWISE_DREG, NFT_REG_1);
	put_be32(b, NFTA_BITWISE_LEN, 1);
	put_value(b, NFTA_BITWISE_MASK, &mask, sizeof(mask));
	put_value(b, NFTA_BITWISE_XOR, &zero, sizeof(zero));
	expr_end(b, x);
}

static void expr_lookup(struct nl_batch *b, const char *set)
{
	struct expr x = expr_begin(b, "lookup");

	put_text(b, NFTA_LOOKUP_SET, set);
	put_be32(b, NFTA_LOOKUP_SREG, NFT_REG_1);
	expr_end(b, x);
}

/* The wanted MSS into the register, as the option has it. */
static void expr_wanted(struct nl_batch *b, uint16_t mss)
{
	struct expr x;
	uint16_t wire = htons(mss);

	if (mss > 0) {
		x = expr_begin(b, "immediate");
		put_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_1);
		put_value(b, NFTA_IMMEDIATE_DATA, &wire, sizeof(wire));
		expr_end(b, x);
		return;
	}
	/* The smaller MTU of the routes to both ends without the headers, in host order. */
	x = expr_begin(b, "rt");
	put_be32(b, NFTA_RT_DREG, NFT_REG_1);
	put_be32(b, NFTA_RT_KEY, NFT_RT_TCPMSS);
	expr_end(b, x);
	x = expr_begin(b, "byteorder");
	put_be32(b, NFTA_BYTEORDER_SREG, NFT_REG_1);
	put_be32(b, NFTA_BYTEORDER_DREG, NFT_REG_1);
	put_be32(b, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put_be32(b, NFTA_BYTEORDER_LEN, 2);
	put_be32(b, NFTA_BYTEORDER_SIZE, 2);
	expr_end(b, x);
}

/* The kernel only ever lowers an MSS; where there is no such option the rule does nothing. */
static void expr_write_mss(struct nl_batch *b)
{
	struct expr x = expr_begin(b, "exthdr");
	const uint8_t option = MSS_OPTION;

	nl_put(b, NFTA_EXTHDR_TYPE, &option, sizeof(option));
	put_be32(b, NFTA_EXTHDR_OFFSET, 2);
	put_be32(b, NFTA_EXTHDR_LEN, 2);
	put_be32(b, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	put_be32(b, NFTA_EXTHDR_SREG, NFT_REG_1);
	expr_end(b, x);
}

/* ---- the table ---- */

static bool put_table(struct nl_batch *b, const char *name, uint16_t message, uint32_t flags)
{
	begin(b, message, message == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);
	put_text(b, NFTA_TABLE_NAME, name);
	if (flags != 0)
		put_be32(b, NFTA_TABLE_FLAGS, flags);
	return nl_end(b);
}

static bool put_chain(struct nl_batch *b, const char *table)
{
	size_t hook;

	begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	put_text(b, NFTA_CHAIN_TABLE, table);
	put_text(b, NFTA_CHAIN_NAME, "forward");
	hook = nl_nest(b, NFTA_CHAIN_HOOK);
	put_be32(b, NFTA_HOOK_HOOKNUM, NF_INET_FORWARD);
	put_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY_MANGLE);
	nl_nest_end(b, hook);
	put_text(b, NFTA_CHAIN_TYPE, "filter");
	return nl_end(b);
}

static bool put_set(struct nl_batch *b, const char *table, const struct family *f)
{
	begin(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	put_text(b, NFTA_SET_TABLE, table);
	put_text(b, NFTA_SET_NAME, f->set);
	put_be32(b, NFTA_SET_ID, f->proto);
	put_be32(b, NFTA_SET_FLAGS, NFT_SET_INTERVAL);
	put_be32(b, NFTA_SET_KEY_TYPE, f->key_type);
	put_be32(b, NFTA_SET_KEY_LEN, f->key_len);
	return nl_end(b);
}

static void put_element(struct nl_batch *b, const struct addr *a, uint32_t flags)
{
	size_t element = nl_nest(b, NFTA_LIST_ELEM);

	if (flags != 0)
		put_be32(b, NFTA_SET_ELEM_FLAGS, flags);
	put_value(b, NFTA_SET_ELEM_KEY, a->b, addr_len(a));
	nl_nest_end(b, element);
}

static bool put_elements(struct nl_batch *b, const char *table, const struct family *f, const struct range *r, size_t n)
{
	size_t list;

	begin(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	put_text(b, NFTA_SET_ELEM_LIST_TABLE, table);
	put_text(b, NFTA_SET_ELEM_LIST_SET, f->set);
	list = nl_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < n; i++) {
		struct addr behind;

		put_element(b, &r[i].lo, 0);
		if (addr_add(&r[i].hi, 1, &behind)) /* else it goes up to the last address there is */
			put_element(b, &behind, NFT_SET_ELEM_INTERVAL_END);
	}
	nl_nest_end(b, list);
	return nl_end(b);
}

/* The first packets of connections from (at: source) or to clients. */
static bool put_rule(struct nl_batch *b, const char *table, const struct family *f, uint32_t at, uint16_t mss)
{
	size_t list;

	begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	put_text(b, NFTA_RULE_TABLE, table);
	put_text(b, NFTA_RULE_CHAIN, "forward");
	list = nl_nest(b, NFTA_RULE_EXPRESSIONS);
	expr_meta(b, NFT_META_NFPROTO);
	expr_equal(b, f->proto);
	expr_meta(b, NFT_META_L4PROTO);
	expr_equal(b, IPPROTO_TCP);
	expr_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, 1);
	expr_and(b, TCP_SYN | TCP_RST);
	expr_equal(b, TCP_SYN);
	expr_payload(b, NFT_PAYLOAD_NETWORK_HEADER, at, f->key_len);
	expr_lookup(b, f->set);
	expr_wanted(b, mss > 0 ? (uint16_t)(mss - f->less) : 0);
	expr_write_mss(b);
	nl_nest_end(b, list);
	return nl_end(b);
}

/* ---- clients as disjoint ranges in order ---- */

static int by_start(const void *a, const void *b)
{
	return addr_cmp(&((const struct range *)a)->lo, &((const struct range *)b)->lo);
}

/* Those of one family; returns how many. The kernel takes no intervals that touch or overlap. */
static size_t ranges_of(uint8_t family, const struct prefix *clients, size_t n, struct range *out)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		if (clients[i].addr.family == family)
			out[count++] = prefix_range(&clients[i]);
	if (count == 0)
		return 0;
	qsort(out, count, sizeof(*out), by_start);
	for (size_t i = 1; i < count; i++) {
		struct addr behind;

		if (!addr_add(&out[kept].hi, 1, &behind))
			break;
		if (addr_cmp(&out[i].lo, &behind) > 0)
			out[++kept] = out[i];
		else if (addr_cmp(&out[i].hi, &out[kept].hi) > 0)
			out[kept].hi = out[i].hi;
	}
	return kept + 1;
}

/* ---- talk ---- */

static enum gw_err meaning(int number)
{
	switch (number) {
	case EPERM:
	case EACCES:
		return GW_EPERM;
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ENOENT: /* an expression whose module is not there */
		return GW_EUNSUPPORTED;
	case EBUSY:
		return GW_EBUSY;
	case ENOMEM:
	case ENOBUFS:
		return GW_ENOMEM;
	default:
		return GW_EIO;
	}
}

static enum gw_err talk(struct clamp *c, struct nl_batch *b, struct err *e)
{
	struct nl_answer a;
	enum gw_err r = nl_ask(&c->nl, b, &a);

	/* What concerns a transaction as a whole is told at its beginning, and no acknowledgement follows. */
	if (a.number != 0)
		return err_set(e, meaning(a.number), "nftables table %s: %s", c->table, a.text);
	return r == GW_OK ? GW_OK : err_set(e, r, "nftables: %s", gw_err_text(r));
}

/* Whether it is there or not: made, so that it can be removed. */
static bool put_away(struct nl_batch *b, const char *table)
{
	return put_table(b, table, NFT_MSG_NEWTABLE, 0) && put_table(b, table, NFT_MSG_DELTABLE, 0);
}

static bool put_all(struct nl_batch *b, const struct clamp *c, const struct prefix *clients, size_t n, uint16_t mss,
		    struct range *room)
{
	bool ok = transaction(b, NFNL_MSG_BATCH_BEGIN) && put_away(b, c->table) &&
		  put_table(b, c->table, NFT_MSG_NEWTABLE, TABLE_F_OWNER) && put_chain(b, c->table);

	for (size_t i = 0; ok && i < ARRAY_LEN(families); i++) {
		const struct family *f = &families[i];
		size_t count = ranges_of(f->family, clients, n, room);

		ok = put_set(b, c->table, f);
		for (size_t k = 0; ok && k < count; k += RANGES_A_MESSAGE)
			ok = put_elements(b, c->table, f, room + k,
					  count - k < RANGES_A_MESSAGE ? count - k : RANGES_A_MESSAGE);
		ok = ok && put_rule(b, c->table, f, f->source_at, mss) && put_rule(b, c->table, f, f->dest_at, mss);
	}
	return ok && transaction(b, NFNL_MSG_BATCH_END);
}

enum gw_err clamp_set(struct clamp *c, const struct prefix *clients, size_t n, uint16_t mss, struct err *e)
{
	size_t size = FIXED_SIZE + n * ELEMENT_SIZE;
	uint8_t *buf = malloc(size);
	struct range *room = calloc(n > 0 ? n : 1, sizeof(*room));
	struct nl_batch b;
	enum gw_err r;

	if (buf && room) {
		nl_reset(&b, buf, size, c->nl.seq + 1);
		r = put_all(&b, c, clients, n, mss, room) ? talk(c, &b, e)
							  : err_set(e, GW_EINTERNAL, "nftables: message too large");
	} else {
		r = err_set(e, GW_ENOMEM, "nftables: out of memory");
	}
	free(buf);
	free(room);
	return r;
}

static enum gw_err remove_table(struct clamp *c, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[512];
	struct nl_batch b;

	nl_reset(&b, buf, sizeof(buf), c->nl.seq + 1);
	if (!transaction(&b, NFNL_MSG_BATCH_BEGIN) || !put_away(&b, c->table) || !transaction(&b, NFNL_MSG_BATCH_END))
		return err_set(e, GW_EINTERNAL, "nftables: message too large");
	return talk(c, &b, e);
}

enum gw_err clamp_create(const char *table, struct clamp **out, struct err *e)
{
	struct clamp *c = calloc(1, sizeof(*c));
	enum gw_err r;

	*out = NULL;
	if (!c)
		return err_set(e, GW_ENOMEM, "nftables: out of memory");
	(void)snprintf(c->table, sizeof(c->table), "%s", table);
	r = nl_open(NETLINK_NETFILTER, &c->nl, e);
	if (r == GW_OK)
		r = remove_table(c, e);
	if (r != GW_OK) {
		nl_close(&c->nl);
		free(c);
		return r;
	}
	*out = c;
	return GW_OK;
}

void clamp_destroy(struct clamp *c)
{
	struct err e = { 0 };

	if (!c)
		return;
	(void)!remove_table(c, &e);
	nl_close(&c->nl);
	free(c);
}
