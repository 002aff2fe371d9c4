#include "esp/spd.h"

#include <stddef.h>
#include <stdlib.h>

enum { LENS = 129 };

/* What is hashed. What is compared is the range. */
struct spd_key {
	uint8_t len;
	struct addr addr;
};

struct spd {
	struct table_seed seed;
	struct chain by_reqid;
	struct chain prefixes;	  /* the best entry of each remote prefix */
	struct spd_entry *ranges; /* no prefixes; narrowest first */
	uint64_t next_age;
	struct {
		size_t used[LENS];  /* prefixes of that length */
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

static struct spd_policy *linked_by_reqid(struct link *l)
{
	return (struct spd_policy *)(void *)((char *)l - offsetof(struct spd_policy, by_reqid));
}

static struct spd_entry *linked_by_prefix(struct link *l)
{
	return (struct spd_entry *)(void *)((char *)l - offsetof(struct spd_entry, by_prefix));
}

void spd_destroy(struct spd *s)
{
	struct link *l;

	if (!s)
		return;
	while ((l = chain_pop(&s->by_reqid)) != NULL)
		spd_policy_destroy(linked_by_reqid(l));
	chain_clear(&s->by_reqid);
	chain_clear(&s->prefixes);
	free(s);
}

static const struct spd_policy *policy_of(const struct spd_entry *e)
{
	const struct spd_entry *first = e - e->index;

	return (const void *)((const uint8_t *)first - offsetof(struct spd_policy, entries));
}

static const struct selector *theirs_of(const struct spd_entry *e)
{
	return spd_theirs(policy_of(e)) + e->index;
}

static bool selectors_ok(const struct selector *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].range.lo.family != s[i].range.hi.family || addr_len(&s[i].range.lo) == 0 ||
		    addr_cmp(&s[i].range.lo, &s[i].range.hi) > 0)
			return false;
	return n > 0 && n <= UINT16_MAX;
}

/* Octets behind an IPv4 address do not count, but ranges are compared as octets. */
static void addr_tidy(struct addr *a)
{
	size_t n = addr_len(a);

	memset(a->b + n, 0, sizeof(a->b) - n);
}

enum gw_err spd_policy_create(const struct dp_policy *in, struct spd_policy **out)
{
	struct spd_policy *p;
	struct selector *s;

	if (in->reqid == 0 || !selectors_ok(in->ours, in->ours_count) || !selectors_ok(in->theirs, in->theirs_count))
		return GW_EINVAL;
	p = calloc(1, sizeof(*p) + in->theirs_count * sizeof(*p->entries) +
			      (in->ours_count + in->theirs_count) * sizeof(*s));
	if (!p)
		return GW_ENOMEM;
	p->reqid = in->reqid;
	p->ours_count = (uint16_t)in->ours_count;
	p->theirs_count = (uint16_t)in->theirs_count;
	s = (struct selector *)(void *)(p->entries + in->theirs_count);
	memcpy(s, in->theirs, in->theirs_count * sizeof(*s));
	memcpy(s + in->theirs_count, in->ours, in->ours_count * sizeof(*s));
	for (size_t i = 0; i < in->theirs_count; i++) {
		addr_tidy(&s[i].range.lo);
		addr_tidy(&s[i].range.hi);
		p->entries[i].index = (uint16_t)i;
	}
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
	const struct selector *sa = theirs_of(a), *sb = theirs_of(b);
	const struct spd_policy *pa = policy_of(a), *pb = policy_of(b);
	int c = compare(range_size(&sa->range), range_size(&sb->range));

	if (c == 0)
		c = compare(sa->proto == 0, sb->proto == 0);
	if (c == 0)
		c = compare((uint64_t)(sa->port_hi - sa->port_lo + 65536),
			    (uint64_t)(sb->port_hi - sb->port_lo + 65536));
	if (c == 0)
		c = compare(widest(spd_ours(pa), pa->ours_count), widest(spd_ours(pb), pb->ours_count));
	if (c == 0)
		c = -compare(pa->age, pb->age);
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

/* All addresses that have the key's bits. */
static void key_range(const struct spd_key *k, struct range *r)
{
	size_t whole = k->len / 8u, n = addr_len(&k->addr);

	r->lo = r->hi = k->addr;
	if (whole < n) {
		r->hi.b[whole] = (uint8_t)(r->hi.b[whole] | 0xff >> k->len % 8u);
		memset(r->hi.b + whole + 1, 0xff, n - whole - 1);
	}
}

static struct spd_entry *prefix_find(const struct spd *s, const struct spd_key *key)
{
	struct range range;

	key_range(key, &range);
	for (struct link *l = chain_first(&s->prefixes, table_hash(&s->seed, key, sizeof(*key))); l;
	     l = chain_next(l)) {
		struct spd_entry *e = linked_by_prefix(l);

		if (memcmp(&theirs_of(e)->range, &range, sizeof(range)) == 0)
			return e;
	}
	return NULL;
}

static bool prefix_add(struct spd *s, const struct spd_key *key, struct spd_entry *e)
{
	unsigned h = table_hash(&s->seed, key, sizeof(*key)), family = family_index(&key->addr);

	if (!chain_add(&s->prefixes, &e->by_prefix, h))
		return false;
	if (s->family[family].used[key->len]++ == 0)
		lens_update(s, family);
	return true;
}

static void prefix_drop(struct spd *s, const struct spd_key *key, struct spd_entry *e)
{
	unsigned family = family_index(&key->addr);

	chain_remove(&s->prefixes, &e->by_prefix);
	if (--s->family[family].used[key->len] == 0)
		lens_update(s, family);
}

static void entry_unlink(struct spd *s, struct spd_entry *e)
{
	struct spd_entry *best;
	struct spd_key key;

	if (e->len == SPD_NO_PREFIX) {
		list_drop(&s->ranges, e);
		return;
	}
	key_fill(&key, &theirs_of(e)->range.lo, e->len);
	best = prefix_find(s, &key);
	if (best != e) {
		if (best)
			list_drop(&best->next, e);
		return;
	}
	prefix_drop(s, &key, e);
	/* The table had room for it a moment ago; if not even now, packets find no policy: fail closed. */
	if (e->next)
		(void)prefix_add(s, &key, e->next);
	e->next = NULL;
}

static bool entry_link(struct spd *s, struct spd_entry *e)
{
	struct spd_entry *best;
	struct prefix prefix;
	struct spd_key key;

	e->next = NULL;
	if (!range_as_prefix(&theirs_of(e)->range, &prefix)) {
		e->len = SPD_NO_PREFIX;
		list_add(&s->ranges, e);
		return true;
	}
	e->len = prefix.len;
	key_fill(&key, &prefix.addr, prefix.len);
	best = prefix_find(s, &key);
	if (!best)
		return prefix_add(s, &key, e);
	if (entry_cmp(best, e) < 0) {
		list_add(&best->next, e);
		return true;
	}
	prefix_drop(s, &key, best);
	if (!prefix_add(s, &key, e)) {
		(void)prefix_add(s, &key, best);
		return false;
	}
	e->next = best;
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
	if (chain_add(&s->by_reqid, &p->by_reqid, h))
		return GW_OK;
	for (size_t i = 0; i < p->theirs_count; i++)
		entry_unlink(s, &p->entries[i]);
	return GW_ENOMEM;
}

void spd_unlink(struct spd *s, struct spd_policy *p)
{
	chain_remove(&s->by_reqid, &p->by_reqid);
	for (size_t i = 0; i < p->theirs_count; i++)
		entry_unlink(s, &p->entries[i]);
}

struct spd_policy *spd_find(const struct spd *s, uint32_t reqid)
{
	unsigned h = table_hash(&s->seed, &reqid, sizeof(reqid));

	for (struct link *l = chain_first(&s->by_reqid, h); l; l = chain_next(l)) {
		if (linked_by_reqid(l)->reqid == reqid)
			return linked_by_reqid(l);
	}
	return NULL;
}

size_t spd_count(const struct spd *s)
{
	return s->by_reqid.count;
}

static bool entry_matches(const struct spd_entry *e, const struct inner *in)
{
	const struct spd_policy *p = policy_of(e);

	if (!inner_matches(theirs_of(e), in, &in->dst, in->dport))
		return false;
	for (size_t i = 0; i < p->ours_count; i++)
		if (inner_matches(&spd_ours(p)[i], in, &in->src, in->sport))
			return true;
	return false;
}

static const struct spd_entry *prefix_match(const struct spd *s, const struct inner *in)
{
	unsigned family = family_index(&in->dst);

	for (size_t i = 0; i < s->family[family].count; i++) {
		struct spd_key key;

		key_fill(&key, &in->dst, s->family[family].lens[i]);
		for (const struct spd_entry *e = prefix_find(s, &key); e; e = e->next)
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
			return policy_of(e);
	}
	return best ? policy_of(best) : NULL;
}

bool spd_in_ok(const struct spd_policy *p, const struct inner *in)
{
	bool ours = false, theirs = false;

	for (size_t i = 0; i < p->theirs_count && !theirs; i++)
		theirs = inner_matches(&spd_theirs(p)[i], in, &in->src, in->sport);
	for (size_t i = 0; i < p->ours_count && !ours; i++)
		ours = inner_matches(&spd_ours(p)[i], in, &in->dst, in->dport);
	return ours && theirs;
}
