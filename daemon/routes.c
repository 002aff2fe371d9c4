#include "daemon/routes.h"

#include <stdlib.h>

struct list {
	struct prefix *p; /* owned */
	size_t n, cap;
};

static enum gw_err list_add(struct list *l, const struct prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].len == p->len && addr_equal(&l->p[i].addr, &p->addr))
			return GW_OK;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct prefix *bigger = realloc(l->p, cap * sizeof(*bigger));

		if (!bigger)
			return GW_ENOMEM;
		l->p = bigger;
		l->cap = cap;
	}
	l->p[l->n++] = *p;
	return GW_OK;
}

/* The prefix of that length around an address. */
static struct prefix prefix_around(const struct addr *a, uint8_t len)
{
	struct prefix p = { *a, len };
	size_t bytes = addr_len(a);

	for (size_t i = 0; i < bytes; i++) {
		size_t bits = len > i * 8 ? len - i * 8 : 0;

		if (bits < 8)
			p.addr.b[i] &= (uint8_t)(0xff00u >> bits);
	}
	return p;
}

/* Greedily: the largest prefix that begins at lo and ends within the range. At most 2 * 128 steps. */
static enum gw_err add_range(struct list *l, struct range r)
{
	uint8_t bits = r.lo.family == 4 ? 32 : 128;

	for (;;) {
		struct prefix p = { r.lo, bits };
		struct range covered;

		while (p.len > 0) {
			struct prefix wider = prefix_around(&r.lo, (uint8_t)(p.len - 1));

			covered = prefix_range(&wider);
			if (!addr_equal(&covered.lo, &r.lo) || addr_cmp(&covered.hi, &r.hi) > 0)
				break;
			p = wider;
		}
		if (p.len == 0)
			return GW_OK;
		TRY(list_add(l, &p));
		covered = prefix_range(&p);
		if (addr_cmp(&covered.hi, &r.hi) >= 0 || !addr_add(&covered.hi, 1, &r.lo))
			return GW_OK;
	}
}

static enum gw_err add_pool(struct list *l, const struct pool_cfg *p)
{
	struct prefix net = prefix_around(&p->addresses.lo, p->prefix_len);
	struct range all = prefix_range(&net);

	/* The configuration leaves out the first and the last address of a network. */
	if (p->prefix_len > 0 && prefix_contains(&net, &p->addresses.hi) && addr_diff(&all.lo, &p->addresses.lo) <= 1 &&
	    addr_diff(&p->addresses.hi, &all.hi) <= 1)
		return list_add(l, &net);
	return add_range(l, p->addresses);
}

enum gw_err routes_collect(const struct settings *s, struct prefix **out, size_t *n)
{
	struct list l = { 0 };
	enum gw_err r = GW_OK;

	for (size_t i = 0; i < s->pool_count && r == GW_OK; i++)
		r = add_pool(&l, &s->pools[i]);
	for (size_t i = 0; i < s->conn_count && r == GW_OK; i++)
		for (size_t k = 0; k < s->conns[i].child_count && r == GW_OK; k++) {
			const struct child_cfg *c = &s->conns[i].children[k];

			for (size_t m = 0; m < c->remote_count && r == GW_OK; m++)
				r = add_range(&l, c->remote[m].range);
		}
	if (r != GW_OK) {
		free(l.p);
		return r;
	}
	*out = l.p;
	*n = l.n;
	return GW_OK;
}
