#include "ike/reqid.h"

#include <stdlib.h>

#include "ike/engine.h"

static unsigned hash_of(const struct ike *ike, uint32_t id)
{
	return table_hash(&ike->seed, &id, sizeof(id));
}

static struct reqid *reqid_of(struct link *l)
{
	return (struct reqid *)(void *)((char *)l - offsetof(struct reqid, link));
}

static struct reqid *find(const struct ike *ike, uint32_t id)
{
	for (struct link *l = chain_first(&ike->reqids, hash_of(ike, id)); l; l = chain_next(l)) {
		if (reqid_of(l)->id == id)
			return reqid_of(l);
	}
	return NULL;
}

const struct reqid *reqid_find(const struct ike *ike, uint32_t id)
{
	return find(ike, id);
}

enum gw_err reqid_join(struct child_sa *c, uint32_t id)
{
	struct ike *ike = c->sa->ike;
	struct reqid *r = find(ike, id);

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return GW_ENOMEM;
		r->id = id;
		if (!chain_add(&ike->reqids, &r->link, hash_of(ike, id))) {
			free(r);
			return GW_ENOMEM;
		}
	}
	c->reqid = id;
	c->next_of_reqid = r->children;
	r->children = c;
	return GW_OK;
}

void reqid_leave(struct child_sa *c)
{
	struct ike *ike = c->sa->ike;
	struct reqid *r = c->reqid ? find(ike, c->reqid) : NULL;
	struct child_sa **at;

	if (!r)
		return;
	for (at = &r->children; *at && *at != c; at = &(*at)->next_of_reqid)
		;
	if (*at)
		*at = c->next_of_reqid;
	c->next_of_reqid = NULL;
	if (!r->children) {
		chain_remove(&ike->reqids, &r->link);
		free(r);
	}
}

struct child_sa *reqid_child(const struct ike *ike, uint32_t id, const struct dp_sa_id *sa)
{
	const struct reqid *r = find(ike, id);
	struct child_sa *c = r ? r->children : NULL;

	while (c && (sa->dir == DP_IN ? c->spi_in != sa->spi
				      : c->spi_out != sa->spi || !addr_equal(&c->sa->remote.addr, &sa->remote)))
		c = c->next_of_reqid;
	return c;
}
