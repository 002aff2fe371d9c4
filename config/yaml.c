#include "config/yaml.h"

#include "core/secret.h"

#include <stdlib.h>
#include <yaml.h>

struct build {
	yaml_parser_t parser;
	struct config_report *report;
	size_t nodes;
	bool stop; /* no use to go on: syntax, limits or memory */
};

static struct mark mark_of(yaml_mark_t m)
{
	return (struct mark){ (unsigned)m.line + 1, (unsigned)m.column + 1 };
}

static void stop(struct build *b, struct mark at, const char *why)
{
	if (!b->stop)
		report_error(b->report, at, "%s", why);
	b->stop = true;
}

static void wipe_event(yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT && e->data.scalar.value)
		secret_wipe(e->data.scalar.value, e->data.scalar.length);
	yaml_event_delete(e);
}

static bool next_event(struct build *b, yaml_event_t *e)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t m;

	if (b->stop)
		return false;
	if (yaml_parser_parse(&b->parser, e))
		return true;
	m = p->problem_mark;
	if (p->error == YAML_MEMORY_ERROR) {
		stop(b, (struct mark){ 0, 0 }, "out of memory");
	} else if (p->error == YAML_READER_ERROR) {
		stop(b, (struct mark){ 0, 0 }, p->problem ? p->problem : "not UTF-8 text");
	} else if (p->error == YAML_SCANNER_ERROR && p->context && strcmp(p->context, "while scanning an alias") == 0) {
		/* What libyaml says about *@example.org helps nobody. */
		stop(b, mark_of(p->context_mark), "text that begins with * wants quotes");
	} else {
		b->stop = true;
		report_error(b->report, mark_of(m), "%s%s%s", p->problem ? p->problem : "not YAML",
			     p->context ? ", " : "", p->context ? p->context : "");
	}
	return false;
}

static struct yaml_node *new_node(struct build *b, enum yaml_kind kind, struct mark at)
{
	struct yaml_node *n;

	if (++b->nodes > YAML_MAX_NODES) {
		stop(b, at, "too many values");
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		stop(b, at, "out of memory");
		return NULL;
	}
	n->kind = kind;
	n->at = at;
	return n;
}

static void refuse_extras(struct build *b, struct mark at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		report_error(b->report, at, "anchors (&%.64s) are not supported", (const char *)anchor);
	if (tag)
		report_error(b->report, at, "tags (%.64s) are not supported", (const char *)tag);
}

/* The text of a scalar event; NULL after a limit or with a NUL in it. */
static char *scalar_text(struct build *b, const yaml_event_t *e)
{
	size_t n = e->data.scalar.length;
	char *text;

	if (n > YAML_MAX_SCALAR || memchr(e->data.scalar.value, 0, n)) {
		stop(b, mark_of(e->start_mark), n > YAML_MAX_SCALAR ? "text is too long" : "NUL in text");
		return NULL;
	}
	text = calloc(1, n + 1);
	if (!text) {
		stop(b, mark_of(e->start_mark), "out of memory");
		return NULL;
	}
	memcpy(text, e->data.scalar.value, n);
	return text;
}

static struct yaml_node *build_node(struct build *b, const yaml_event_t *e, unsigned depth);

static void append(struct build *b, struct yaml_node *parent, struct yaml_node *n)
{
	if (++parent->count > YAML_MAX_MEMBERS)
		stop(b, n->at, "too many members");
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

static void build_list(struct build *b, struct yaml_node *list, unsigned depth)
{
	yaml_event_t e;

	while (next_event(b, &e)) {
		bool end = e.type == YAML_SEQUENCE_END_EVENT;
		struct yaml_node *n = end ? NULL : build_node(b, &e, depth + 1);

		wipe_event(&e);
		if (end)
			return;
		if (n)
			append(b, list, n);
	}
}

/* ---- keys of one map: hashed, since a file may have ten thousand users ---- */

struct key_slot {
	uint64_t hash; /* compared first: the keys themselves are all over the memory */
	const struct yaml_node *n;
};

struct key_set {
	struct key_slot *slots; /* owned; open addressing, at most half full */
	size_t cap, count;
};

static uint64_t hash_key(const char *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

/* The slot of the member of that name, or the free one that it would get. The set has room. */
static struct key_slot *key_slot(const struct key_set *set, uint64_t hash, const char *key)
{
	size_t at = (size_t)hash & (set->cap - 1);

	while (set->slots[at].n && (set->slots[at].hash != hash || strcmp(set->slots[at].n->key, key) != 0))
		at = (at + 1) & (set->cap - 1);
	return &set->slots[at];
}

static const struct yaml_node *key_find(const struct key_set *set, const char *key)
{
	return set->cap > 0 ? key_slot(set, hash_key(key), key)->n : NULL;
}

static bool key_grow(struct key_set *set)
{
	struct key_set bigger = { .cap = set->cap ? set->cap * 2 : 16, .count = set->count };

	if (set->count < set->cap / 2)
		return true;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i].n)
			*key_slot(&bigger, set->slots[i].hash, set->slots[i].n->key) = set->slots[i];
	free(set->slots);
	*set = bigger;
	return true;
}

static void key_add(struct build *b, struct key_set *set, const struct yaml_node *n)
{
	uint64_t hash = hash_key(n->key);

	if (!key_grow(set)) {
		stop(b, n->key_at, "out of memory");
		return;
	}
	*key_slot(set, hash, n->key) = (struct key_slot){ hash, n };
	set->count++;
}

/* The key that `e` is, or NULL after an error; *skip: the member cannot be kept, but its value is still read over. */
static char *build_key(struct build *b, const struct key_set *set, const yaml_event_t *e, unsigned depth, bool *skip)
{
	struct mark at = mark_of(e->start_mark);
	const struct yaml_node *other;
	char *key;

	*skip = true;
	if (e->type != YAML_SCALAR_EVENT) {
		struct yaml_node *n = build_node(b, e, depth + 1);

		if (n)
			report_error(b->report, at, "a key must be plain text");
		yaml_tree_free(n);
		return NULL;
	}
	refuse_extras(b, at, e->data.scalar.anchor, e->data.scalar.tag);
	key = scalar_text(b, e);
	if (!key)
		return NULL;
	other = key_find(set, key);
	if (strcmp(key, "<<") == 0)
		report_error(b->report, at, "merge keys (<<) are not supported");
	else if (other)
		report_error(b->report, at, "`%.64s` is there twice, first in line %u", key, other->key_at.line);
	else
		*skip = false;
	return key;
}

static void build_members(struct build *b, struct yaml_node *map, struct key_set *set, unsigned depth)
{
	yaml_event_t e;

	while (next_event(b, &e)) {
		struct mark at = mark_of(e.start_mark);
		bool end = e.type == YAML_MAPPING_END_EVENT, skip = true;
		char *key = end ? NULL : build_key(b, set, &e, depth, &skip);
		struct yaml_node *n = NULL;

		wipe_event(&e);
		if (end)
			return;
		if (next_event(b, &e)) {
			n = build_node(b, &e, depth + 1);
			wipe_event(&e);
		}
		if (!n || skip) {
			yaml_tree_free(n);
			free(key);
			continue;
		}
		n->key = key;
		n->key_at = at;
		append(b, map, n);
		key_add(b, set, n);
	}
}

static void build_map(struct build *b, struct yaml_node *map, unsigned depth)
{
	struct key_set set = { 0 };

	build_members(b, map, &set, depth);
	free(set.slots);
}

static struct yaml_node *build_node(struct build *b, const yaml_event_t *e, unsigned depth)
{
	struct mark at = mark_of(e->start_mark);
	struct yaml_node *n = NULL;

	if (depth > YAML_MAX_DEPTH) {
		stop(b, at, "nested too deeply");
		return NULL;
	}
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		refuse_extras(b, at, e->data.scalar.anchor, e->data.scalar.tag);
		n = new_node(b, YAML_SCALAR, at);
		if (!n)
			return NULL;
		n->text = scalar_text(b, e);
		n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		if (!n->text) {
			yaml_tree_free(n);
			return NULL;
		}
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_extras(b, at, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		n = new_node(b, YAML_LIST, at);
		if (n)
			build_list(b, n, depth);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_extras(b, at, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		n = new_node(b, YAML_MAP, at);
		if (n)
			build_map(b, n, depth);
		break;
	case YAML_ALIAS_EVENT:
		report_error(b->report, at, "aliases (*%.64s) are not supported; text that begins with * wants quotes",
			     (const char *)e->data.alias.anchor);
		break;
	default:
		stop(b, at, "not YAML");
		break;
	}
	return n;
}

static struct yaml_node *build_stream(struct build *b)
{
	struct yaml_node *root = NULL;
	bool end = false, seen = false;
	yaml_event_t e;

	while (!end && next_event(b, &e)) {
		switch (e.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_STREAM_END_EVENT:
			end = true;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (seen)
				stop(b, mark_of(e.start_mark), "a second document: only one is allowed");
			seen = true;
			break;
		default:
			root = build_node(b, &e, 0);
			break;
		}
		wipe_event(&e);
	}
	return root;
}

/* libyaml frees its copies of the text as they are. */
static void wipe_parser(yaml_parser_t *p)
{
	if (p->raw_buffer.start)
		secret_wipe(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	if (p->buffer.start)
		secret_wipe(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
}

struct yaml_node *yaml_tree_parse(struct bytes text, struct config_report *r)
{
	struct build b = { .report = r };
	struct yaml_node *root;

	/* A byte order mark, as some editors leave it; libyaml takes it for content once it is told the encoding. */
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = bytes_of(text.p + 3, text.n - 3);
	if (text.n > YAML_MAX_BYTES) {
		report_error(r, (struct mark){ 0, 0 }, "larger than %u octets", (unsigned)YAML_MAX_BYTES);
		return NULL;
	}
	if (!yaml_parser_initialize(&b.parser)) {
		report_error(r, (struct mark){ 0, 0 }, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, text.n ? text.p : (const uint8_t *)"", text.n);
	root = build_stream(&b);
	wipe_parser(&b.parser);
	yaml_parser_delete(&b.parser);
	if (b.stop) {
		yaml_tree_free(root);
		return NULL;
	}
	return root;
}

void yaml_tree_free(struct yaml_node *n)
{
	/* Depth is bounded by YAML_MAX_DEPTH. */
	while (n) {
		struct yaml_node *next = n->next;

		yaml_tree_free(n->first);
		if (n->text)
			secret_wipe(n->text, strlen(n->text));
		free(n->text);
		free(n->key);
		free(n);
		n = next;
	}
}

const struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (const struct yaml_node *n = map->first; n; n = n->next)
		if (n->key && strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

const struct yaml_node *yaml_tree_item(const struct yaml_node *list, size_t i)
{
	const struct yaml_node *n;

	if (!list || list->kind == YAML_SCALAR)
		return i == 0 ? list : NULL;
	for (n = list->first; n && i > 0; i--)
		n = n->next;
	return n;
}

bool yaml_tree_is_null(const struct yaml_node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (n->kind != YAML_SCALAR || n->quoted)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(n->text, words[i]) == 0)
			return true;
	return false;
}
