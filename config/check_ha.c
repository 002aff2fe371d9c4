#include "config/reader.h"

enum { SECRET_MIN = 16 };

/* Of node `i`, as it stands in the file. */
static const struct yaml_node *node_map(const struct yaml_node *ha, size_t i)
{
	return yaml_tree_item(yaml_tree_get(ha, "nodes"), i);
}

static struct mark key_mark(const struct yaml_node *map, struct mark other)
{
	return map && map->key ? map->key_at : other;
}

/* `index` where it is not set: the place in the list, which is the same in both nodes' files. */
static void fill_indexes(struct load *l, const struct yaml_node *ha)
{
	struct ha_cfg *cfg = &l->settings->ha;

	for (size_t i = 0; i < cfg->node_count; i++)
		if (!yaml_tree_get(node_map(ha, i), "index"))
			cfg->nodes[i].index = (uint8_t)i;
	if (cfg->node_count == 2 && cfg->nodes[0].index == cfg->nodes[1].index)
		report_error(l->report, reader_mark(node_map(ha, 1), "index"), "both nodes have the index %u",
			     cfg->nodes[1].index);
}

static void find_self(struct load *l, const struct yaml_node *root, const struct yaml_node *ha)
{
	struct settings *s = l->settings;
	const struct yaml_node *given = yaml_tree_get(root, "node_index");

	if (!yaml_tree_get(root, "node")) {
		report_error(l->report, reader_mark(ha, "nodes"), "`node` must say which of the nodes this one is");
		return;
	}
	for (size_t i = 0; s->node && i < s->ha.node_count; i++)
		if (s->ha.nodes[i].name && strcmp(s->ha.nodes[i].name, s->node) == 0) {
			s->ha.self = &s->ha.nodes[i];
			s->ha.peer = &s->ha.nodes[1 - i];
		}
	if (!s->ha.self) {
		if (s->node)
			report_error(l->report, reader_mark(root, "node"), "`ha.nodes` has no node `%.64s`", s->node);
		return;
	}
	if (given && s->node_index != s->ha.self->index)
		report_error(l->report, given->at, "`ha.nodes` says %u; leave `node_index` out", s->ha.self->index);
	s->node_index = s->ha.self->index;
}

static void check_path(struct load *l, const struct addr *a, const struct addr *b, struct mark where)
{
	if (a->family == 0 || b->family == 0)
		return; /* refused already */
	if (addr_is_any(b))
		report_error(l->report, where, "this is not the address of one node");
	else if (a->family != b->family)
		report_error(l->report, where, "the other node's address on this path is of the other family");
	else if (addr_equal(a, b))
		report_error(l->report, where, "both nodes have this address");
}

static void check_paths(struct load *l, const struct yaml_node *ha)
{
	const struct ha_node_cfg *a = &l->settings->ha.nodes[0], *b = &l->settings->ha.nodes[1];
	const struct yaml_node *map = node_map(ha, 1), *list = yaml_tree_get(map, "heartbeat");
	struct mark where = reader_mark(map, "heartbeat");

	check_path(l, &a->sync, &b->sync, reader_mark(map, "sync"));
	if (addr_is_any(&a->sync) && a->sync.family)
		report_error(l->report, reader_mark(node_map(ha, 0), "sync"), "this is not the address of one node");
	if (a->heartbeat_count != b->heartbeat_count) {
		report_error(l->report, where, "%zu paths here, but %zu at the other node", b->heartbeat_count,
			     a->heartbeat_count);
		return;
	}
	for (size_t i = 0; i < b->heartbeat_count; i++) {
		const struct yaml_node *item = yaml_tree_item(list, i);

		check_path(l, &a->heartbeat[i], &b->heartbeat[i], item ? item->at : where);
	}
	if (b->heartbeat_count == 0)
		report_warning(l->report, key_mark(map, where),
			       "heartbeats on the sync link only: when it is cut, both nodes become active; give "
			       "`heartbeat` a path over the service network");
}

static bool is_path(const struct ha_cfg *cfg, const struct addr *a)
{
	for (size_t i = 0; i < cfg->node_count; i++) {
		if (addr_equal(&cfg->nodes[i].sync, a))
			return true;
		for (size_t j = 0; j < cfg->nodes[i].heartbeat_count; j++)
			if (addr_equal(&cfg->nodes[i].heartbeat[j], a))
				return true;
	}
	return false;
}

static void check_addresses(struct load *l, const struct yaml_node *ha)
{
	const struct settings *s = l->settings;
	const struct ha_cfg *cfg = &s->ha;
	const struct yaml_node *list = yaml_tree_get(ha, "virtual_addresses");
	bool heard = s->listen_count == 0;

	if (cfg->address_count == 0 && cfg->election == HA_ELECTION_BUILTIN)
		report_warning(l->report, reader_mark(ha, "virtual_addresses"),
			       "no `virtual_addresses`: nothing brings clients to the node that takes over");
	for (size_t i = 0; i < cfg->address_count; i++) {
		const struct addr *a = &cfg->addresses[i].address;
		struct mark where = reader_mark(yaml_tree_item(list, i), "address");

		if (!a->family)
			continue;
		for (size_t j = 0; j < i; j++)
			if (addr_equal(a, &cfg->addresses[j].address))
				report_error(l->report, where, "this address is there twice");
		if (is_path(cfg, a))
			report_error(l->report, where, "a node has this address for itself (`ha.nodes`)");
		for (size_t j = 0; j < s->listen_count; j++)
			heard = heard || addr_is_any(&s->listen[j]) || addr_equal(a, &s->listen[j]);
	}
	if (!heard && cfg->address_count > 0)
		report_warning(l->report, ha->key_at,
			       "`listen.addresses` has none of the virtual addresses: no client can come to them");
}

static void check_times(struct load *l, const struct yaml_node *ha)
{
	struct ha_cfg *cfg = &l->settings->ha;
	const struct yaml_node *map = yaml_tree_get(ha, "heartbeat");
	int64_t dead = cfg->heartbeat_interval_us * cfg->heartbeat_misses;
	char text[DURATION_TEXT];

	if (cfg->heartbeat_stall_us > 0 && cfg->heartbeat_stall_us < dead)
		report_error(l->report, reader_mark(map, "stall"),
			     "`stall` must not be shorter than `interval` times `misses` (%s)",
			     duration_text(dead, text));
	if (!yaml_tree_get(ha, "start_hold") && cfg->start_hold_us < dead)
		cfg->start_hold_us = dead;
	if (cfg->start_hold_us > 0 && cfg->start_hold_us < dead)
		report_error(l->report, reader_mark(ha, "start_hold"),
			     "`start_hold` must not be shorter than `interval` times `misses` (%s)",
			     duration_text(dead, text));
	if (cfg->election == HA_ELECTION_EXTERNAL && cfg->preempt_delay_us > 0)
		report_warning(l->report, reader_mark(yaml_tree_get(ha, "preempt"), "delay"),
			       "with `election: external` nobody preempts by itself");
}

void check_ha(struct load *l, const struct yaml_node *root)
{
	const struct yaml_node *ha = yaml_tree_get(root, "ha");
	struct ha_cfg *cfg = &l->settings->ha;

	if (!ha)
		return;
	cfg->enabled = true;
	if (!yaml_tree_get(ha, "secret"))
		report_error(l->report, ha->key_at, "`secret` is missing in `ha`");
	else if (cfg->secret.n > 0 && cfg->secret.n < SECRET_MIN)
		report_error(l->report, reader_mark(ha, "secret"),
			     "`secret` has %zu octets; at least %d, best by `openssl rand -hex 32`", cfg->secret.n,
			     SECRET_MIN);
	if (cfg->node_count != 2) {
		report_error(l->report, reader_mark(ha, "nodes"), "`nodes` wants two nodes, not %zu", cfg->node_count);
		return;
	}
	fill_indexes(l, ha);
	find_self(l, root, ha);
	check_paths(l, ha);
	check_addresses(l, ha);
	check_times(l, ha);
}
