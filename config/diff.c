#include "config/diff.h"

#include "config/reader.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values ---- */

/* Whether two values of one type are the same. Types without a function are compared octet by octet. */
typedef bool value_equal(const void *a, const void *b);

static const char *text_at(const void *at)
{
	char *s;

	memcpy(&s, at, sizeof(s));
	return s;
}

static bool texts_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool equal_text(const void *a, const void *b)
{
	return texts_equal(text_at(a), text_at(b));
}

/* Pools are other objects in other settings: the name is what is meant. */
static bool equal_pool(const void *a, const void *b)
{
	const struct pool_cfg *pa, *pb;

	memcpy(&pa, a, sizeof(pa));
	memcpy(&pb, b, sizeof(pb));
	return pa == pb || (pa && pb && texts_equal(pa->name, pb->name));
}

static bool equal_selector(const void *a, const void *b)
{
	return selector_equal(a, b);
}

static bool equal_id(const void *a, const void *b)
{
	const struct id_cfg *x = a, *y = b;

	return x->kind == y->kind && x->pattern == y->pattern && bytes_equal(x->data, y->data);
}

static bool equal_proposal(const void *a, const void *b)
{
	const struct proposal_cfg *x = a, *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (x->t[i].type != y->t[i].type || x->t[i].id != y->t[i].id || x->t[i].key_bits != y->t[i].key_bits)
			return false;
	return true;
}

static bool equal_secret(const void *a, const void *b)
{
	return secret_equal(secret_bytes(a), secret_bytes(b));
}

static value_equal *equal_of(enum schema_type t)
{
	static value_equal *const table[] = {
		[SCHEMA_NAME] = equal_text,
		[SCHEMA_PATH] = equal_text,
		[SCHEMA_POOL] = equal_pool,
		[SCHEMA_SELECTOR] = equal_selector,
		[SCHEMA_LOCAL_ID] = equal_id,
		[SCHEMA_REMOTE_ID] = equal_id,
		[SCHEMA_IKE_PROPOSAL] = equal_proposal,
		[SCHEMA_ESP_PROPOSAL] = equal_proposal,
		[SCHEMA_SECRET] = equal_secret,
	};

	return (size_t)t < ARRAY_LEN(table) ? table[t] : NULL;
}

static bool one_equal(const struct schema_key *k, const void *a, const void *b)
{
	value_equal *equal = equal_of(k->type);

	return equal ? equal(a, b) : memcmp(a, b, value_type_of(k->type)->size) == 0;
}

static size_t count_at(const struct schema_key *k, const void *base)
{
	size_t n;

	memcpy(&n, (const char *)base + k->count_offset, sizeof(n));
	return n;
}

static const char *items_at(const struct schema_key *k, const void *base)
{
	const char *items;

	memcpy(&items, (const char *)base + k->offset, sizeof(items));
	return items;
}

static bool values_equal(const struct schema_key *k, const void *a, const void *b)
{
	const char *as, *bs;
	size_t n;

	if (!(k->flags & SCHEMA_LIST) || k->type == SCHEMA_FLAGS)
		return one_equal(k, (const char *)a + k->offset, (const char *)b + k->offset);
	n = count_at(k, a);
	if (n != count_at(k, b))
		return false;
	as = items_at(k, a);
	bs = items_at(k, b);
	for (size_t i = 0, size = value_type_of(k->type)->size; i < n; i++)
		if (!one_equal(k, as + i * size, bs + i * size))
			return false;
	return true;
}

/* ---- collecting ---- */

struct walk {
	struct diff *out;
	struct diff_item *item; /* of the named thing that we are in; NULL: none */
	enum gw_err result;
};

static struct diff_item *add_item(struct walk *w, const char *path, enum diff_change change, enum schema_reload effect)
{
	struct diff *d = w->out;

	if (d->count == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 16;
		struct diff_item *bigger = realloc(d->items, cap * sizeof(*bigger));

		if (!bigger) {
			w->result = GW_ENOMEM;
			return NULL;
		}
		d->items = bigger;
		d->cap = cap;
	}
	d->items[d->count] = (struct diff_item){ .name = strdup(path), .change = change, .effect = effect };
	if (!d->items[d->count].name) {
		w->result = GW_ENOMEM;
		return NULL;
	}
	return &d->items[d->count++];
}

static void add_key(struct walk *w, struct diff_item *item, const char *key, enum schema_reload effect)
{
	char *keys = NULL;

	if (asprintf(&keys, "%s%s%s", item->keys ? item->keys : "", item->keys ? ", " : "", key) < 0) {
		w->result = GW_ENOMEM;
		return;
	}
	free(item->keys);
	item->keys = keys;
	item->effect = effect > item->effect ? effect : item->effect;
}

/* A difference at `path` from the root; `inside` is the part below the named thing. */
static void note(struct walk *w, const char *path, const char *inside, enum schema_reload effect)
{
	if (w->item)
		add_key(w, w->item, inside, effect);
	else
		(void)add_item(w, path, DIFF_CHANGED, effect);
}

static enum schema_reload worse(enum schema_reload a, enum schema_reload b)
{
	return a > b ? a : b;
}

/* Of a key within a section of the effect `outer`. What nobody says anything of concerns SAs, and those that stand
 * stay. */
static enum schema_reload effect_of(const struct schema_key *k, enum schema_reload outer, const void *a, const void *b)
{
	enum schema_reload effect = worse(k->reload, outer);
	const struct range *was, *is;

	if (k->type != SCHEMA_POOL_RANGE)
		return effect == RELOAD_NOTHING ? RELOAD_NEW_SAS : effect;
	/* A pool that grows takes nothing away. */
	was = (const void *)((const char *)a + k->offset);
	is = (const void *)((const char *)b + k->offset);
	return range_contains(is, &was->lo) && range_contains(is, &was->hi) ? RELOAD_NEW_SAS : RELOAD_SAS_GO;
}

/* ---- walking ---- */

enum { PATH_MAX_TEXT = 256 };

static const char *join(char buf[PATH_MAX_TEXT], const char *head, const char *tail)
{
	(void)snprintf(buf, PATH_MAX_TEXT, "%s%s%s", head, *head ? "." : "", tail);
	return buf;
}

/* Elements of a named array in the order of their names. */
struct by_name {
	const char *name;
	const char *item;
};

static int name_order(const void *a, const void *b)
{
	return strcmp(((const struct by_name *)a)->name, ((const struct by_name *)b)->name);
}

static struct by_name *sort_named(const struct schema_key *k, const void *base, size_t *n)
{
	const char *items = items_at(k, base);
	struct by_name *out;

	*n = count_at(k, base);
	out = calloc(*n + 1, sizeof(*out));
	for (size_t i = 0; out && i < *n; i++) {
		out[i].item = items + i * k->sub->size;
		out[i].name = text_at(out[i].item);
	}
	if (out)
		qsort(out, *n, sizeof(*out), name_order);
	return out;
}

static void walk_level(struct walk *w, const struct schema *s, const char *path, const char *inside,
		       enum schema_reload outer, const void *a, const void *b);

/* What came has no SAs yet; what went takes its SAs along, unless a restart is wanted anyway. */
static void whole(struct walk *w, const char *path, const char *inside, enum diff_change change,
		  enum schema_reload outer)
{
	enum schema_reload effect = outer;

	if (effect == RELOAD_NOTHING)
		effect = change == DIFF_REMOVED ? RELOAD_SAS_GO : RELOAD_NEW_SAS;
	if (w->item)
		add_key(w, w->item, inside, effect);
	else
		(void)add_item(w, path, change, effect);
}

static void same_name(struct walk *w, const struct schema_key *k, const char *path, const char *inside,
		      enum schema_reload outer, const void *a, const void *b)
{
	struct diff_item *item;
	size_t before = w->out->count;

	if (w->item) { /* within one already: deeper names are keys of it */
		walk_level(w, k->sub, path, inside, outer, a, b);
		return;
	}
	item = add_item(w, path, DIFF_CHANGED, RELOAD_NOTHING);
	if (!item)
		return;
	w->item = item;
	walk_level(w, k->sub, path, "", outer, a, b);
	w->item = NULL;
	if (!item->keys) { /* nothing differs */
		free(item->name);
		w->out->count = before;
	}
}

static void walk_named(struct walk *w, const struct schema_key *k, const char *path, const char *inside,
		       enum schema_reload outer, const void *a, const void *b)
{
	size_t na, nb, i = 0, j = 0;
	struct by_name *as = sort_named(k, a, &na), *bs = sort_named(k, b, &nb);
	char at[PATH_MAX_TEXT], in[PATH_MAX_TEXT];

	if (!as || !bs)
		w->result = GW_ENOMEM;
	while (w->result == GW_OK && (i < na || j < nb)) {
		int order = i == na ? 1 : j == nb ? -1 : strcmp(as[i].name, bs[j].name);
		const char *name = order <= 0 ? as[i].name : bs[j].name;

		(void)join(at, path, name);
		(void)join(in, inside, name);
		if (order < 0)
			whole(w, at, in, DIFF_REMOVED, outer);
		else if (order > 0)
			whole(w, at, in, DIFF_ADDED, outer);
		else
			same_name(w, k, at, in, outer, as[i].item, bs[j].item);
		i += order <= 0;
		j += order >= 0;
	}
	free(as);
	free(bs);
}

static void walk_level(struct walk *w, const struct schema *s, const char *path, const char *inside,
		       enum schema_reload outer, const void *a, const void *b)
{
	char at[PATH_MAX_TEXT], in[PATH_MAX_TEXT];

	for (size_t i = 0; i < s->count && w->result == GW_OK; i++) {
		const struct schema_key *k = &s->keys[i];

		(void)join(at, path, k->name);
		(void)join(in, inside, k->name);
		if (k->type == SCHEMA_MAP)
			walk_level(w, k->sub, at, in, worse(k->reload, outer), (const char *)a + k->offset,
				   (const char *)b + k->offset);
		else if (k->type == SCHEMA_NAMED)
			walk_named(w, k, at, in, worse(k->reload, outer), a, b);
		else if (!values_equal(k, a, b))
			note(w, at, in, effect_of(k, outer, a, b));
	}
}

enum gw_err settings_diff(const struct settings *was, const struct settings *is, struct diff *out)
{
	struct walk w = { .out = out };

	*out = (struct diff){ 0 };
	walk_level(&w, &schema_root, "", "", RELOAD_NOTHING, was, is);
	if (w.result != GW_OK)
		diff_clear(out);
	return w.result;
}

void diff_clear(struct diff *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->items[i].name);
		free(d->items[i].keys);
	}
	free(d->items);
	*d = (struct diff){ 0 };
}

struct diff_item *diff_find(const struct diff *d, const char *section, const char *name)
{
	size_t n = strlen(section);

	for (size_t i = 0; i < d->count; i++) {
		const char *item = d->items[i].name;

		if (strncmp(item, section, n) == 0 && item[n] == '.' && strcmp(item + n + 1, name) == 0)
			return &d->items[i];
	}
	return NULL;
}

bool diff_has(const struct diff *d, enum schema_reload effect)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].effect == effect)
			return true;
	return false;
}

const char *diff_change_name(enum diff_change c)
{
	static const char *const names[] = { "changed", "added", "removed" };

	return names[c];
}

static const struct {
	const char *name, *text;
} effects[] = {
	[RELOAD_NOTHING] = { "nothing", "no effect" },	     [RELOAD_NOW] = { "now", "at once, no SA is touched" },
	[RELOAD_NEW_SAS] = { "new-sas", "new SAs only" },    [RELOAD_SAS_GO] = { "sas-go", "these SAs go" },
	[RELOAD_RESTART] = { "restart", "takes a restart" },
};

const char *diff_effect_name(enum schema_reload effect)
{
	return effects[effect].name;
}

const char *diff_effect_text(enum schema_reload effect)
{
	return effects[effect].text;
}
