#include "config/reader.h"

#include "config/suggest.h"

#include <stdio.h>
#include <stdlib.h>

static void out_of_memory(struct load *l)
{
	report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
}

static struct mark mark_of_map(const struct yaml_node *map)
{
	if (!map)
		return (struct mark){ 0, 0 };
	/* A block map begins at its first key; its own name says better whose it is. */
	return map->key ? map->key_at : (struct mark){ 0, 0 };
}

struct mark reader_mark(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = yaml_tree_get(map, key);

	return n ? n->at : mark_of_map(map);
}

char *reader_path(const struct load *l, const char *path)
{
	const char *slash = strrchr(l->file, '/');
	char *out;

	if (*path == '/' || !slash)
		return strdup(path);
	if (asprintf(&out, "%.*s/%s", (int)(slash - l->file), l->file, path) < 0)
		return NULL;
	return out;
}

static const char *kind_name(enum yaml_kind kind)
{
	return kind == YAML_MAP ? "a section" : kind == YAML_LIST ? "a list" : "a value";
}

static bool read_value(struct load *l, const struct schema_key *k, const struct yaml_node *n, void *at, void *base)
{
	const struct value_type *type = value_type_of(k->type);

	if (yaml_tree_is_null(n)) {
		report_error(l->report, n->at, "`%s` has no value", k->name);
		return false;
	}
	if (type->parse_node)
		return type->parse_node(l, k, n, at);
	if (n->kind != YAML_SCALAR) {
		report_error(l->report, n->at, "`%s` is of type %s, not %s", k->name, type->name, kind_name(n->kind));
		return false;
	}
	return type->parse(l, k, n->at, n->text, at, base);
}

/* Room for `count` elements at the key's place; NULL after having said so. */
static char *room(struct load *l, const struct schema_key *k, char *base, size_t count, size_t size)
{
	void *items = calloc(count, size);

	if (!items) {
		out_of_memory(l);
		return NULL;
	}
	memcpy(base + k->offset, &items, sizeof(items));
	memcpy(base + k->count_offset, &count, sizeof(count));
	return items;
}

static bool is_nothing(const struct schema_key *k, const struct yaml_node *n)
{
	return k->nothing && n->kind == YAML_SCALAR && strcmp(n->text, k->nothing) == 0;
}

/* Items of a list; element i stays zero when item i is wrong, so that positions can be found again. */
static void read_list(struct load *l, const struct schema_key *k, const struct yaml_node *list, void *base)
{
	size_t size = value_type_of(k->type)->size, count = list->kind == YAML_LIST ? list->count : 1, i = 0;
	bool flags = k->type == SCHEMA_FLAGS;
	const struct yaml_node *n = list->kind == YAML_LIST ? list->first : list;
	char *items;

	if (count == 0) {
		if (!(k->flags & SCHEMA_EMPTY_OK))
			report_error(l->report, list->at, "`%s` is empty", k->name);
		return;
	}
	if (count == 1 && is_nothing(k, n))
		return;
	if (count > (size_t)k->max) {
		report_error(l->report, list->at, "`%s` has %zu items, at most %lld are allowed", k->name, count,
			     (long long)k->max);
		return;
	}
	items = flags ? (char *)base + k->offset : room(l, k, base, count, size);
	if (!items)
		return;
	for (; i < count && n; i++, n = n->next) {
		if (is_nothing(k, n))
			report_error(l->report, n->at, "`%s` cannot stand beside other items", k->nothing);
		else
			(void)read_value(l, k, n, flags ? items : items + i * size, base);
	}
}

static void default_list(struct load *l, const struct schema_key *k, struct mark where, void *base)
{
	size_t size = value_type_of(k->type)->size, count = 1;
	char *text = strdup(k->fallback), *save = NULL, *items = NULL;

	for (const char *s = k->fallback; *s; s++)
		count += *s == ' ';
	if (!text) {
		out_of_memory(l);
	} else if (k->type == SCHEMA_FLAGS) { /* or-ed into one number */
		items = (char *)base + k->offset;
		size = 0;
	} else {
		items = room(l, k, base, count, size);
	}
	if (items)
		for (char *item = strtok_r(text, " ", &save); item; item = strtok_r(NULL, " ", &save), items += size)
			(void)value_type_of(k->type)->parse(l, k, where, item, items, base);
	free(text);
}

static void read_default(struct load *l, const struct schema_key *k, const struct yaml_node *map, char *base)
{
	struct mark where = mark_of_map(map);

	if (k->flags & SCHEMA_REQUIRED) {
		if (map && map->key)
			report_error(l->report, where, "`%s` is missing in `%.64s`", k->name, map->key);
		else
			report_error(l->report, where, "`%s` is missing", k->name);
	} else if (k->fallback && (k->flags & SCHEMA_LIST)) {
		default_list(l, k, where, base);
	} else if (k->fallback) {
		(void)value_type_of(k->type)->parse(l, k, where, k->fallback, base + k->offset, base);
	}
}

static void check_name(struct load *l, const struct schema_key *k, const struct yaml_node *n)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(n->key);

	if (k->flags & SCHEMA_ANY_NAMES) {
		bool printable = true;

		for (const char *s = n->key; *s; s++)
			printable = printable && (unsigned char)*s >= 0x20 && *s != 0x7f;
		if (len < 1 || len > 253 || !printable)
			report_error(l->report, n->key_at, "names in `%s` are 1 to 253 octets of printable text",
				     k->name);
		return;
	}
	if (len < 1 || len > 63 || n->key[strspn(n->key, allowed)] != 0)
		report_error(l->report, n->key_at,
			     "names in `%s` are 1 to 63 letters, digits, dots, dashes and underscores", k->name);
}

static void read_named(struct load *l, const struct schema_key *k, const struct yaml_node *map, void *base)
{
	size_t size = k->sub->size;
	char *items;

	if (yaml_tree_is_null(map) || (map->kind == YAML_MAP && map->count == 0))
		return;
	if (map->kind != YAML_MAP) {
		report_error(l->report, map->at, "`%s` wants names, each with a section of its own, not %s", k->name,
			     kind_name(map->kind));
		return;
	}
	if (map->count > (size_t)k->max) {
		report_error(l->report, map->at, "`%s` has %zu members, at most %lld are allowed", k->name, map->count,
			     (long long)k->max);
		return;
	}
	items = room(l, k, base, map->count, size);
	if (!items)
		return;
	for (const struct yaml_node *n = map->first; n; n = n->next, items += size) {
		char *name = strdup(n->key);

		if (!name)
			out_of_memory(l);
		memcpy(items, &name, sizeof(name));
		check_name(l, k, n);
		if (n->kind != YAML_MAP && !yaml_tree_is_null(n))
			report_error(l->report, n->at, "`%.64s` wants a section, not %s", n->key, kind_name(n->kind));
		else
			reader_fill(l, k->sub, n, items);
	}
}

static void read_key(struct load *l, const struct schema_key *k, const struct yaml_node *map, char *base)
{
	const struct yaml_node *n = yaml_tree_get(map, k->name);

	if (k->type == SCHEMA_MAP) {
		if (n && n->kind != YAML_MAP && !yaml_tree_is_null(n))
			report_error(l->report, n->at, "`%s` wants a section, not %s", k->name, kind_name(n->kind));
		reader_fill(l, k->sub, n && n->kind == YAML_MAP ? n : NULL, base + k->offset);
	} else if (!n) {
		read_default(l, k, map, base);
	} else if (k->type == SCHEMA_NAMED) {
		read_named(l, k, n, base);
	} else if ((k->flags & SCHEMA_LIST) && !yaml_tree_is_null(n)) {
		read_list(l, k, n, base);
	} else {
		(void)read_value(l, k, n, base + k->offset, base);
	}
}

static const struct schema_key *find_key(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->keys[i].name, name) == 0)
			return &s->keys[i];
	return NULL;
}

static void refuse_unknown(struct load *l, const struct schema *s, const struct yaml_node *map)
{
	for (const struct yaml_node *n = map->first; n; n = n->next) {
		struct suggest near = { .word = n->key };
		char hint[SUGGEST_TEXT];

		if (find_key(s, n->key))
			continue;
		for (size_t i = 0; i < s->count; i++)
			suggest_offer(&near, s->keys[i].name);
		report_error(l->report, n->key_at, "unknown key `%.64s`%s", n->key, suggest_hint(&near, hint));
	}
}

void reader_fill(struct load *l, const struct schema *s, const struct yaml_node *map, void *base)
{
	for (size_t i = 0; i < s->count; i++)
		read_key(l, &s->keys[i], map, base);
	if (map && map->kind == YAML_MAP)
		refuse_unknown(l, s, map);
}
