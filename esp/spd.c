#include "esp/spd.h"

#include <stdlib.h>

enum { LENS = 129 };

/* One remote selector of a policy, in the index. */
struct spd_entry {
	struct spd_policy *policy; /* back-pointer */
	const struct selector *theirs;
	struct spd_entry *next;
	struct spd_node *node; /* NULL: in the list of ranges */
};

struct spd_key {
	uint8_t len;
	struct addr addr;
};

/* All entries of one remote prefix, best first. */
struct spd_node {
	UT_hash_handle hh;
	struct spd_key key;
	struct spd_entry *first;
};

struct spd {
	struct table_seed seed;
	struct spd_policy *by_reqid;
	struct spd_node *nodes;
	struct spd_entry *ranges; /* no prefixes; narrowest first */
	uint64_t next_age;
	struct {
		size_t used[LENS];  /* nodes of that prefix length */
		uint8_t lens[LENS]; /* the lengths in use, longest first */
		size_t count;
	} family[2]; /* IPv4, IPv6 */
};

struct spd *spd_create(struct rng *rng)
{
	struct spd *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (table_seed_init(&s->seed, rng) != GW_OK) {
		free(s);
		return NULL;
	}
	s->next_age = 1;
	return s;
}

void spd_destroy(struct spd *s)
{
	struct spd_policy *p, *tmp;

	if (!s)
		return;
	HASH_ITER (hh, s->by_reqid, p, tmp) {
		spd_unlink(s, p);
		spd_policy_destroy(p);
	}
	free(s);
}

static bool selectors_ok(const struct selector *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].range.lo.family != s[i].range.hi.family || addr_len(&s[i].range.lo) == 0 ||
		    addr_cmp(&s[i].range.lo, &s[i].range.hi) > 0)
			return false;
	return n > 0;
}

enum gw_err spd_policy_create(const struct dp_policy *in, struct spd_policy **out)
{
	struct spd_policy *p;

	if (in->reqid == 0 || !selectors_ok(in->ours, in->ours_count) || !selectors_ok(in->theirs, in->theirs_count))
		return GW_EINVAL;
	p = calloc(1, sizeof(*p) + in->theirs_count * sizeof(*p->entries) +
			      (in->ours_count + in->theirs_count) * sizeof(*p->ours));
	if (!p)
		return GW_ENOMEM;
	p->reqid = in->reqid;
	p->mode = in->mode;
	p->local = in->local;
	p->remote = in->remote;
	p->ours_count = in->ours_count;
	p->theirs_count = in->theirs_count;
	p->entries = (struct spd_entry *)(p + 1);
	p->ours = (struct selector *)(p->entries + in->theirs_count);
	p->theirs = p->ours + in->ours_count;
	memcpy(p->ours, in->ours, in->ours_count * sizeof(*p->ours));
	memcpy(p->theirs, in->theirs, in->theirs_count * sizeof(*p->theirs));
	for (size_t i = 0; i < p->theirs_count; i++)
		p->entries[i] = (struct spd_entry){ .policy = p, .theirs = &p->theirs[i] };
	*out = p;
	return GW_OK;
}

void spd_policy_destroy(struct spd_policy *p)
{
	free(p);
}

/* The widest of several sides counts. */
static uint64_t widest(const struct selector *s, size_t n)
{
	uint64_t max = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t size = range_size(&s[i].range);

		max = size > max ? size : max;
	}
	return max;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Below 0: a is asked before b. */
static int entry_cmp(const struct spd_entry *a, const struct spd_entry *b)
{
	int c = compare(range_size(&a->theirs->range), range_size(&b->theirs->range));

	if (c == 0)
		c = compare(a->theirs->proto == 0, b->theirs->proto == 0);
	if (c == 0)
		c = compare((uint64_t)(a->theirs->port_hi - a->theirs->port_lo + 65536),
			    (uint64_t)(b->theirs->port_hi - b->theirs->port_lo + 65536));
	if (c == 0)
		c = compare(widest(a->policy->ours, a->policy->ours_count),
			    widest(b->policy->ours, b->policy->ours_count));
	if (c == 0)
		c = -compare(a->policy->age, b->policy->age);
	return c;
}

static void list_add(struct spd_entry **at, struct spd_entry *e)
{
	while (*at && entry_cmp(*at, e) < 0)
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

static void list_drop(struct spd_entry **at, struct spd_entry *e)
{
	while (*at && *at != e)
		at = &(*at)->next;
	if (*at)
		*at = e->next;
	e->next = NULL;
}

static unsigned family_index(const struct addr *a)
{
	return a->family == 6;
}

static void lens_update(struct spd *s, unsigned family)
{
	size_t n = 0;

	for (size_t len = LENS; len-- > 0;)
		if (s->family[family].used[len] > 0)
			s->family[family].lens[n++] = (uint8_t)len;
	s->family[family].count = n;
}

/* The first `len` bits of a. */
static void key_fill(struct spd_key *k, const struct addr *a, uint8_t len)
{
	size_t whole = len / 8u;

	memset(k, 0, sizeof(*k));
	k->len = len;
	k->addr.family = a->family;
	memcpy(k->addr.b, a->b, whole);
	if (len % 8u)
		k->addr.b[whole] = (uint8_t)(a->b[whole] & 0xff00 >> len % 8u);
}

static struct spd_node *node_find(const struct spd *s, const struct spd_key *key)
{
	unsigned h = table_hash(&s->seed, key, sizeof(*key));
	struct spd_node *node;

	HASH_FIND_BYHASHVALUE(hh, s->nodes, key, sizeof(*key), h, node);
	return node;
}

static struct spd_node *node_add(struct spd *s, const struct spd_key *key)
{
	unsigned h = table_hash(&s->seed, key, sizeof(*key));
	unsigned family = family_index(&key->addr);
	struct spd_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->key = *key;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->nodes, &node->key, sizeof(node->key), h, node);
	if (!node->hh.tbl) {
		free(node);
		return NULL;
	}
	if (s->family[family].used[key->len]++ == 0)
		lens_update(s, family);
	return node;
}

static void node_drop(struct spd *s, struct spd_node *node)
{
	unsigned family = family_index(&node->key.addr);

	HASH_DELETE(hh, s->nodes, node);
	if (--s->family[family].used[node->key.len] == 0)
		lens_update(s, family);
	free(node);
}

static void entry_unlink(struct spd *s, struct spd_entry *e)
{
	struct spd_node *node = e->node;

	list_drop(node ? &node->first : &s->ranges, e);
	e->node = NULL;
	if (node && !node->first)
		node_drop(s, node);
}

static bool entry_link(struct spd *s, struct spd_entry *e)
{
	struct prefix prefix;
	struct spd_key key;

	if (!range_as_prefix(&e->theirs->range, &prefix)) {
		list_add(&s->ranges, e);
		return true;
	}
	key_fill(&key, &prefix.addr, prefix.len);
	e->node = node_find(s, &key);
	if (!e->node)
		e->node = node_add(s, &key);
	if (!e->node)
		return false;
	list_add(&e->node->first, e);
	return true;
}

enum gw_err spd_link(struct spd *s, struct spd_policy *p)
{
	unsigned h = table_hash(&s->seed, &p->reqid, sizeof(p->reqid));

	if (spd_find(s, p->reqid))
		return GW_EEXIST;
	if (p->age == 0)
		p->age = s->next_age++;
	for (size_t i = 0; i < p->theirs_count; i++)
		if (!entry_link(s, &p->entries[i])) {
			while (i-- > 0)
				entry_unlink(s, &p->entries[i]);
			return GW_ENOMEM;
		}
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->by_reqid, &p->reqid, sizeof(p->reqid), h, p);
	if (p->hh.tbl)
		return GW_OK;
	for (size_t i = 0; i < p->theirs_count; i++)
		entry_unlink(s, &p->entries[i]);
	return GW_ENOMEM;
}

void spd_unlink(struct spd *s, struct spd_policy *p)
{
	HASH_DELETE(hh, s->by_reqid, p);
	for (size_t i = 0; i < p->theirs_count; i++)
		entry_unlink(s, &p->entries[i]);
}

struct spd_policy *spd_find(const struct spd *s, uint32_t reqid)
{
	unsigned h = table_hash(&s->seed, &reqid, sizeof(reqid));
	struct spd_policy *p;

	HASH_FIND_BYHASHVALUE(hh, s->by_reqid, &reqid, sizeof(reqid), h, p);
	return p;
}

size_t spd_count(const struct spd *s)
{
	return HASH_COUNT(s->by_reqid);
}

static bool entry_matches(const struct spd_entry *e, const struct inner *in)
{
	const struct spd_policy *p = e->policy;

	if (!inner_matches(e->theirs, in, &in->dst, in->dport))
		return false;
	for (size_t i = 0; i < p->ours_count; i++)
		if (inner_matches(&p->ours[i], in, &in->src, in->sport))
			return true;
	return false;
}

static const struct spd_entry *prefix_match(const struct spd *s, const struct inner *in)
{
	unsigned family = family_index(&in->dst);

	for (size_t i = 0; i < s->family[family].count; i++) {
		const struct spd_node *node;
		struct spd_key key;

		key_fill(&key, &in->dst, s->family[family].lens[i]);
		node = node_find(s, &key);
		for (const struct spd_entry *e = node ? node->first : NULL; e; e = e->next)
			if (entry_matches(e, in))
				return e;
	}
	return NULL;
}

const struct spd_policy *spd_out(const struct spd *s, const struct inner *in)
{
	const struct spd_entry *best = prefix_match(s, in);

	for (const struct spd_entry *e = s->ranges; e; e = e->next) {
		if (best && entry_cmp(best, e) <= 0)
			break;
		if (entry_matches(e, in))
			return e->policy;
	}
	return best ? best->policy : NULL;
}

bool spd_in_ok(const struct spd_policy *p, const struct inner *in)
{
	bool ours = false, theirs = false;

	for (size_t i = 0; i < p->theirs_count && !theirs; i++)
		theirs = inner_matches(&p->theirs[i], in, &in->src, in->sport);
	for (size_t i = 0; i < p->ours_count && !ours; i++)
		ours = inner_matches(&p->ours[i], in, &in->dst, in->dport);
	return ours && theirs;
}
