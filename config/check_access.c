/* What groups and users are given: pools, networks, addresses of their own. */
#include "config/reader.h"

#include <stdlib.h>

static void check_groups(struct load *l, const struct yaml_node *root)
{
	const struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "groups"), 0);

	for (size_t i = 0; i < s->group_count && map; i++, map = map->next)
		for (size_t j = 0; j < s->groups[i].pool_count; j++)
			for (size_t k = 0; k < j; k++) {
				const struct yaml_node *item = yaml_tree_item(yaml_tree_get(map, "pools"), j);

				if (item && s->groups[i].pools[j] && s->groups[i].pools[j] == s->groups[i].pools[k])
					report_error(l->report, item->at, "pool `%.64s` is there twice",
						     s->groups[i].pools[j]->name);
			}
}

static void check_pool_attributes(struct load *l, const struct yaml_node *root)
{
	const struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "pools"), 0);

	for (size_t i = 0; i < s->pool_count && map; i++, map = map->next) {
		const struct pool_cfg *p = &s->pools[i];

		if (p->domain_count > 0 && p->dns_count == 0)
			report_error(l->report, reader_mark(map, "domains"),
				     "`domains` wants `dns`: name servers that know them (RFC 8598)");
		for (size_t j = 0; j < p->nbns_count; j++) {
			const struct yaml_node *item = yaml_tree_item(yaml_tree_get(map, "nbns"), j);

			if (item && p->nbns[j].family == 6)
				report_error(l->report, item->at, "`nbns` knows IPv4 addresses only");
		}
	}
}

/* ---- addresses of users ---- */

static struct pool_cfg *pool_of(const struct settings *s, const struct addr *a)
{
	for (size_t i = 0; i < s->pool_count; i++)
		if (range_contains(&s->pools[i].addresses, a))
			return &s->pools[i];
	return NULL;
}

static int addr_order(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

/* One more at the end; room grows in powers of two, so that the count alone says how much there is. */
static bool reserve(struct pool_cfg *p, const struct addr *a)
{
	if ((p->reserved_count & (p->reserved_count - 1)) == 0) {
		size_t room = p->reserved_count ? p->reserved_count * 2 : 1;
		struct addr *bigger = realloc(p->reserved, room * sizeof(*bigger));

		if (!bigger)
			return false;
		p->reserved = bigger;
	}
	p->reserved[p->reserved_count++] = *a;
	return true;
}

static void check_addresses(struct load *l, const struct yaml_node *map, const struct user_cfg *u)
{
	char text[ADDR_TEXT];

	if (u->address_count == 2 && u->addresses[0].family && u->addresses[0].family == u->addresses[1].family)
		report_error(l->report, reader_mark(map, "address"), "at most one `address` of each family");
	for (size_t i = 0; i < u->address_count; i++) {
		struct pool_cfg *pool = pool_of(l->settings, &u->addresses[i]);

		if (u->addresses[i].family == 0)
			continue; /* wrong, and said */
		if (!pool)
			report_error(l->report, reader_mark(map, "address"), "%s is in no pool",
				     addr_text(&u->addresses[i], text));
		else if (!reserve(pool, &u->addresses[i]))
			report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
	}
}

/* In order, and each but once: who is second of two users with one address? */
static void order_reserved(struct load *l, const struct yaml_node *users, struct pool_cfg *p)
{
	char text[ADDR_TEXT];

	if (p->reserved_count == 0)
		return;
	qsort(p->reserved, p->reserved_count, sizeof(*p->reserved), addr_order);
	for (size_t i = 1; i < p->reserved_count; i++)
		if (addr_equal(&p->reserved[i - 1], &p->reserved[i]))
			report_error(l->report, users->key_at, "two users have the address %s",
				     addr_text(&p->reserved[i], text));
}

void check_access(struct load *l, const struct yaml_node *root)
{
	struct settings *s = l->settings;
	const struct yaml_node *users = yaml_tree_get(root, "users"), *map = yaml_tree_item(users, 0);

	check_pool_attributes(l, root);
	check_groups(l, root);
	for (size_t i = 0; i < s->user_count && map; i++, map = map->next)
		check_addresses(l, map, &s->users[i]);
	for (size_t i = 0; i < s->pool_count; i++)
		order_reserved(l, users, &s->pools[i]);
}
