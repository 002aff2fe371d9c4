#include "daemon/routes.h"

#include <stdio.h>
#include <stdlib.h>

struct list {
	struct route *r; /* owned */
	size_t n, cap;
	const struct conn_cfg *conn; /* that what is added is for; NULL: none */
};

static void lead(const struct list *l, struct route *r)
{
	if (!l->conn || !l->conn->interface || r->if_id != 0)
		return;
	(void)snprintf(r->interface, sizeof(r->interface), "%s", l->conn->interface);
	r->if_id = l->conn->if_id;
}

static enum gw_err list_add(struct list *l, const struct prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->r[i].to.len == p->len && addr_equal(&l->r[i].to.addr, &p->addr)) {
			lead(l, &l->r[i]);
			return GW_OK;
		}
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct route *bigger = realloc(l->r, cap * sizeof(*bigger));

		if (!bigger)
			return GW_ENOMEM;
		l->r = bigger;
		l->cap = cap;
	}
	l->r[l->n] = (struct route){ .to = *p };
	lead(l, &l->r[l->n++]);
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

/* Pools of a connection with an interface, and what is behind its clients. */
static enum gw_err add_conn(struct list *l, const struct settings *s, const struct conn_cfg *c)
{
	l->conn = c;
	for (size_t i = 0; c->interface && i < s->pool_count; i++)
		if (conn_uses_pool(s, c, &s->pools[i]))
			TRY(add_pool(l, &s->pools[i]));
	for (size_t k = 0; k < c->child_count; k++)
		for (size_t m = 0; m < c->children[k].remote_count; m++)
			TRY(add_range(l, c->children[k].remote[m].range));
	return GW_OK;
}

enum gw_err routes_collect(const struct settings *s, struct route **out, size_t *n)
{
	struct list l = { 0 };
	enum gw_err r = GW_OK;

	for (size_t i = 0; i < s->pool_count && r == GW_OK; i++)
		r = add_pool(&l, &s->pools[i]);
	for (size_t i = 0; i < s->conn_count && r == GW_OK; i++)
		r = add_conn(&l, s, &s->conns[i]);
	if (r != GW_OK) {
		free(l.r);
		return r;
	}
	*out = l.r;
	*n = l.n;
	return GW_OK;
}
