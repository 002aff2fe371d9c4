#include "config/reader.h"

#include <stdio.h>
#include <stdlib.h>

/* `life` where it is not set: a tenth more than `rekey`, time enough for whoever is to rekey. */
static void fill_life(const struct yaml_node *map, int64_t rekey, int64_t *life)
{
	if (!yaml_tree_get(map, "life") && rekey > 0)
		*life = rekey + rekey / 10;
}

static void check_life(struct load *l, const struct yaml_node *map, int64_t rekey, int64_t *life)
{
	char soft[DURATION_TEXT], hard[DURATION_TEXT];

	fill_life(map, rekey, life);
	if (rekey > 0 && *life > 0 && *life <= rekey)
		report_error(l->report, reader_mark(map, "life"), "`life` (%s) must be longer than `rekey` (%s)",
			     duration_text(*life, hard), duration_text(rekey, soft));
}

static const char *weak_group(const struct proposal_cfg *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct dh_alg *dh = p->t[i].type == TR_DH ? dh_find(p->t[i].id) : NULL;

		if (dh && dh->weak)
			return dh->name;
	}
	return NULL;
}

static void check_proposals(struct load *l, const struct yaml_node *map, const struct proposal_cfg *p, size_t n,
			    uint32_t compat)
{
	const struct yaml_node *list = yaml_tree_get(map, "proposals");

	for (size_t i = 0; list && i < n; i++) {
		const struct yaml_node *item = yaml_tree_item(list, i);
		const char *weak = weak_group(&p[i]);

		if (!weak || !item)
			continue;
		if (compat & COMPAT_WEAK_DH)
			report_warning(l->report, item->at, "%s is weak: recorded traffic can be decrypted later",
				       weak);
		else
			report_error(
				l->report, item->at,
				"%s is weak; where a client knows nothing better, write `compat: [weak-dh]` in the "
				"connection",
				weak);
	}
}

static bool has_group(const struct proposal_cfg *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->t[i].type == TR_DH && p->t[i].id != DH_NONE)
			return true;
	return false;
}

/* Nothing could ever be rekeyed by a proposal without a group. */
static void check_pfs(struct load *l, const struct yaml_node *map, const struct child_cfg *c)
{
	bool any = false;

	for (size_t i = 0; i < c->proposal_count; i++)
		any = any || has_group(&c->proposals[i]);
	if (c->pfs == PFS_REQUIRED && c->proposal_count > 0 && !any)
		report_error(l->report, reader_mark(map, "pfs"),
			     "`pfs: required`, but no proposal has a key exchange group");
}

/* Any client of the connection may ask for any of it, whoever else has been given that address. */
static void check_remote(struct load *l, const struct yaml_node *map, const struct child_cfg *c)
{
	const struct settings *s = l->settings;

	for (size_t i = 0; i < c->remote_count; i++)
		for (size_t k = 0; k < s->pool_count; k++)
			if (s->pools[k].name && range_overlaps(&c->remote[i].range, &s->pools[k].addresses)) {
				report_warning(l->report, reader_mark(map, "remote"),
					       "clients may ask for each other's addresses of pool `%.64s`; `dynamic` "
					       "is a client's own",
					       s->pools[k].name);
				return;
			}
}

static void check_child(struct load *l, const struct yaml_node *map, struct child_cfg *c, uint32_t compat)
{
	const struct yaml_node *window = yaml_tree_get(map, "replay_window");

	check_life(l, map, c->rekey_us, &c->life_us);
	check_pfs(l, map, c);
	check_remote(l, map, c);
	check_proposals(l, map, c->proposals, c->proposal_count, compat);
	/* A value that was refused left a 0 as well. */
	if (window && window->kind == YAML_SCALAR && strcmp(window->text, "off") == 0)
		report_warning(l->report, window->at,
			       "without replay protection packets can be repeated by anybody on the way");
}

/* A connection for addresses that nothing is received on. */
static void check_local_addrs(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	const struct settings *s = l->settings;
	const struct yaml_node *list = yaml_tree_get(map, "local_addresses");

	for (size_t i = 0; s->listen_count > 0 && i < c->local_addr_count; i++) {
		const struct yaml_node *item = yaml_tree_item(list, i);
		char text[RANGE_TEXT];
		bool heard = false;

		for (size_t j = 0; j < s->listen_count; j++)
			heard = heard || addr_is_any(&s->listen[j]) ||
				range_contains(&c->local_addrs[i], &s->listen[j]);
		if (!heard && item)
			report_warning(l->report, item->at, "none of `listen.addresses` is in %s",
				       range_text(&c->local_addrs[i], text));
	}
}

static void check_conn(struct load *l, const struct yaml_node *map, struct conn_cfg *c)
{
	const struct yaml_node *child = yaml_tree_item(yaml_tree_get(map, "children"), 0);

	compat_apply(l, map, c);
	check_life(l, map, c->rekey_us, &c->life_us);
	check_proposals(l, map, c->proposals, c->proposal_count, c->compat);
	check_local_addrs(l, map, c);
	check_conn_auth(l, map, c);
	if (c->reauth_us > 0 && c->unique.policy == UNIQUE_KEEP)
		report_warning(l->report, reader_mark(map, "reauth"),
			       "with `unique: keep` a client that authenticates anew before it leaves is refused");
	if (c->child_count == 0)
		report_warning(l->report, reader_mark(map, "children"),
			       "connection `%.64s` has no children: clients get no "
			       "tunnel",
			       c->name ? c->name : "");
	for (size_t i = 0; i < c->child_count && child; i++, child = child->next)
		check_child(l, child, &c->children[i], c->compat);
	for (size_t i = 0; i < c->pool_count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct yaml_node *item = yaml_tree_item(yaml_tree_get(map, "pools"), i);

			if (item && c->pools[i] && c->pools[i] == c->pools[j])
				report_error(l->report, item->at, "pool `%s` is there twice", c->pools[i]->name);
		}
}

static bool ranges_equal(const struct range *a, size_t na, const struct range *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (!addr_equal(&a[i].lo, &b[i].lo) || !addr_equal(&a[i].hi, &b[i].hi))
			return false;
	return true;
}

static bool ids_equal(const struct id_cfg *a, const struct id_cfg *b)
{
	return a->kind == b->kind && a->pattern == b->pattern && bytes_equal(a->data, b->data);
}

static bool proposals_equal(const struct conn_cfg *a, const struct conn_cfg *b)
{
	char ta[PROPOSAL_TEXT], tb[PROPOSAL_TEXT];

	if (a->proposal_count != b->proposal_count)
		return false;
	for (size_t i = 0; i < a->proposal_count; i++)
		if (strcmp(proposal_text(&a->proposals[i], ta), proposal_text(&b->proposals[i], tb)) != 0)
			return false;
	return true;
}

/* All that a connection is chosen by: among equals the key decides, and the first of those is taken. */
static bool for_same_peers(const struct conn_cfg *a, const struct conn_cfg *b)
{
	if (a->remote_id_count != b->remote_id_count || !ids_equal(&a->local_id, &b->local_id) ||
	    !ranges_equal(a->local_addrs, a->local_addr_count, b->local_addrs, b->local_addr_count) ||
	    !ranges_equal(a->remote_addrs, a->remote_addr_count, b->remote_addrs, b->remote_addr_count))
		return false;
	/* What differs most often comes first: every pair of connections is compared. */
	for (size_t i = 0; i < a->remote_id_count; i++)
		if (!ids_equal(&a->remote_ids[i], &b->remote_ids[i]))
			return false;
	return a->psk_count == 0 && b->psk_count == 0 && secret_equal(secret_bytes(&a->psk), secret_bytes(&b->psk)) &&
	       proposals_equal(a, b);
}

/* Equal for connections that may be for the same peers: spares the comparison of most pairs. */
static uint32_t peers_digest(const struct conn_cfg *c)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < c->remote_id_count; i++)
		for (size_t k = 0; k < c->remote_ids[i].data.n; k++)
			h = (h ^ c->remote_ids[i].data.p[k]) * 16777619u;
	return h;
}

static void check_conns(struct load *l, const struct yaml_node *root)
{
	const struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "connections"), 0);
	uint32_t *digest = calloc(s->conn_count + 1, sizeof(*digest));

	if (s->conn_count == 0)
		report_warning(l->report, reader_mark(root, "connections"), "no connections: nobody can connect");
	if (!digest) {
		report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
		return;
	}
	for (size_t i = 0; i < s->conn_count && map; i++, map = map->next) {
		check_conn(l, map, &s->conns[i]);
		digest[i] = peers_digest(&s->conns[i]);
		for (size_t j = 0; j < i; j++)
			if (digest[i] == digest[j] && for_same_peers(&s->conns[i], &s->conns[j])) {
				report_warning(l->report, map->key_at,
					       "never chosen: connection `%.64s` before it is for the same peers",
					       s->conns[j].name ? s->conns[j].name : "");
				break;
			}
	}
	free(digest);
}

static bool pool_used(const struct settings *s, const struct pool_cfg *pool)
{
	for (size_t i = 0; i < s->conn_count; i++)
		for (size_t j = 0; j < s->conns[i].pool_count; j++)
			if (s->conns[i].pools[j] == pool)
				return true;
	for (size_t i = 0; i < s->group_count; i++)
		for (size_t j = 0; j < s->groups[i].pool_count; j++)
			if (s->groups[i].pools[j] == pool)
				return true;
	return false;
}

static void check_pools(struct load *l, const struct yaml_node *root)
{
	const struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "pools"), 0);

	for (size_t i = 0; i < s->pool_count && map; i++, map = map->next) {
		const struct pool_cfg *pool = &s->pools[i];

		for (size_t j = 0; j < i; j++)
			if (range_overlaps(&pool->addresses, &s->pools[j].addresses))
				report_error(l->report, reader_mark(map, "addresses"), "overlaps with pool `%.64s`",
					     s->pools[j].name ? s->pools[j].name : "");
		if (!pool_used(s, pool))
			report_warning(l->report, map->key_at, "no connection uses pool `%.64s`", map->key);
	}
}

static void check_listen(struct load *l, const struct yaml_node *root)
{
	const struct settings *s = l->settings;
	const struct yaml_node *listen = yaml_tree_get(root, "listen"), *list = yaml_tree_get(listen, "addresses");

	if (s->port == s->port_natt && s->port != 0)
		report_error(l->report, reader_mark(listen, "port_natt"), "`port` and `port_natt` are the same");
	for (size_t i = 0; i < s->listen_count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct yaml_node *item = yaml_tree_item(list, i);

			if (item && s->listen[i].family && addr_equal(&s->listen[i], &s->listen[j]))
				report_error(l->report, item->at, "this address is there twice");
		}
}

static void check_dataplane(struct load *l, const struct yaml_node *root)
{
	const char *allow = source_getenv(l->src, "GATEWAY_ALLOW_FAKE");
	struct settings *s = l->settings;

	s->allow_fake_plane = allow && strcmp(allow, "1") == 0;
	if (s->dataplane == DATAPLANE_FAKE && !s->allow_fake_plane)
		report_error(l->report, reader_mark(root, "dataplane"),
			     "`fake` encrypts nothing and is for tests: set GATEWAY_ALLOW_FAKE=1 in the environment");
}

static void check_ike(struct load *l, const struct yaml_node *root)
{
	const struct ike_cfg *ike = &l->settings->ike;
	const struct yaml_node *map = yaml_tree_get(root, "ike");

	if (yaml_tree_get(map, "cookie_threshold") && ike->cookie_threshold >= ike->half_open_max)
		report_warning(l->report, reader_mark(map, "cookie_threshold"),
			       "not below `half_open_max`: cookies are never asked for");
}

static void fill_node(struct load *l)
{
	struct settings *s = l->settings;

	if (!s->node && asprintf(&s->node, "node%u", s->node_index) < 0) {
		s->node = NULL;
		report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
	}
}

void check_settings(struct load *l, const struct yaml_node *root)
{
	const struct yaml_node *format = yaml_tree_get(yaml_tree_get(root, "log"), "format");

	l->settings->log_auto = !format || (format->kind == YAML_SCALAR && strcmp(format->text, "auto") == 0);
	check_ha(l, root);
	fill_node(l);
	check_listen(l, root);
	check_dataplane(l, root);
	check_ike(l, root);
	check_pools(l, root);
	check_users(l, root);
	check_certificates(l, root);
	check_access(l, root);
	check_conns(l, root);
	check_kernel(l, root);
}
