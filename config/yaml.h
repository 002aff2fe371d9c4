/*
 * YAML text -> tree with positions. The strict part of YAML only: one document, no anchors, aliases, merge keys or
 * tags, keys are scalars and stand once. Scalars stay text: what `no`, `012` or `1e3` means is decided by who reads
 * them.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "config/report.h"

enum yaml_limits {
	YAML_MAX_BYTES = 4 << 20,
	YAML_MAX_DEPTH = 12,
	YAML_MAX_NODES = 400000,
	YAML_MAX_MEMBERS = 100000, /* of one map or list */
	YAML_MAX_SCALAR = 8192,	 /* octets */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	struct mark at;
	char *key; /* as a member of a map */
	struct mark key_at;
	char *text; /* of a scalar */
	bool quoted;
	struct yaml_node *first, *last, *next; /* members; the next one of the same parent */
	size_t count;
};

/* NULL with errors in `r` when it is no YAML at all; other errors leave a tree, so that the rest can be checked as
 * well. */
struct yaml_node *yaml_tree_parse(struct bytes text, struct config_report *r);
/* Wipes all text, since secrets may be in it. NULL is fine. */
void yaml_tree_free(struct yaml_node *n);

/* The member of that name; NULL when there is none, or `map` is NULL or no map. */
const struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key);
/* Member i; of a scalar: itself as 0. NULL beyond the end. */
const struct yaml_node *yaml_tree_item(const struct yaml_node *list, size_t i);
/* `key:` without a value, or ~ or null. */
bool yaml_tree_is_null(const struct yaml_node *n);

#endif
