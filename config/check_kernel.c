/* Rules for what only the kernel's data plane knows: XFRM interfaces, marks, offload, transport mode. */
#include "config/reader.h"

/* The key is in the connection, or in the first child that has it. */
static struct mark mark_of(const struct yaml_node *map, const struct conn_cfg *c, const char *key)
{
	const struct yaml_node *child = yaml_tree_item(yaml_tree_get(map, "children"), 0);

	if (strcmp(key, "mode") != 0)
		return reader_mark(map, key);
	for (size_t i = 0; i < c->child_count && child; i++, child = child->next)
		if (c->children[i].mode == CHILD_MODE_TRANSPORT)
			return reader_mark(child, key);
	return reader_mark(map, "children");
}

static void check_plane(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	const char *key = conn_kernel_key(c);

	if (key && l->settings->dataplane == DATAPLANE_USERSPACE)
		report_error(l->report, mark_of(map, c, key),
			     "`%s` is for the kernel's data plane: not with `dataplane: userspace`", key);
	/* The kernel's packet limit, which is our fence, counts one packet for many numbers there. */
	if (c->offload != CONN_OFFLOAD_NONE && l->settings->ha.enabled)
		report_error(l->report, reader_mark(map, "offload"),
			     "`offload` is not for a pair of nodes: sequence numbers could be used twice");
}

static bool leads_somewhere(const struct conn_cfg *c)
{
	for (size_t i = 0; i < c->child_count; i++)
		if (c->children[i].remote_count > 0)
			return true;
	return c->pool_count > 0;
}

static void check_interface(struct load *l, const struct yaml_node *map, struct conn_cfg *c, size_t before)
{
	const struct settings *s = l->settings;

	if (!c->interface)
		return;
	c->if_id = interface_id(c->interface);
	if (s->tun_name && strcmp(s->tun_name, c->interface) == 0)
		report_error(l->report, reader_mark(map, "interface"), "`%s` is the TUN device (`userspace.device`)",
			     c->interface);
	if (!leads_somewhere(c))
		report_error(l->report, reader_mark(map, "interface"),
			     "nothing leads into `%s`: the connection has no `pools`, and its children no `remote`",
			     c->interface);
	for (size_t i = 0; i < before; i++) {
		const char *other = s->conns[i].interface;

		if (other && s->conns[i].if_id == c->if_id && strcmp(other, c->interface) != 0)
			report_error(l->report, reader_mark(map, "interface"),
				     "`%s` and `%s` have the same number (if_id): give it another name", c->interface,
				     other);
	}
}

/* Addresses of a pool are behind one device. */
static void check_pools(struct load *l, const struct yaml_node *map, const struct conn_cfg *c, size_t before)
{
	const struct settings *s = l->settings;

	for (size_t i = 0; i < before; i++)
		for (size_t k = 0; k < s->pool_count && s->conns[i].if_id != c->if_id; k++)
			if (conn_uses_pool(s, c, &s->pools[k]) && conn_uses_pool(s, &s->conns[i], &s->pools[k]))
				report_error(l->report, reader_mark(map, c->interface ? "interface" : "pools"),
					     "pool `%.64s` is used by connection `%.64s` too, which has %s",
					     s->pools[k].name, s->conns[i].name,
					     s->conns[i].interface ? "another interface" : "none");
}

void check_kernel(struct load *l, const struct yaml_node *root)
{
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "connections"), 0);

	for (size_t i = 0; i < l->settings->conn_count && map; i++, map = map->next) {
		struct conn_cfg *c = &l->settings->conns[i];

		check_plane(l, map, c);
		check_interface(l, map, c, i);
		check_pools(l, map, c, i);
	}
}
