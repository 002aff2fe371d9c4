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

/* Pools and the like are other objects in other settings: the name, their first member, is what is meant. */
static bool equal_named(const void *a, const void *b)
{
	const char *pa = text_at(a), *pb = text_at(b);

	return pa == pb || (pa && pb && texts_equal(text_at(pa), text_at(pb)));
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
		[SCHEMA_POOL] = equal_named,
		[SCHEMA_CERTIFICATE] = equal_named,
		[SCHEMA_AUTHORITY] = equal_named,
		[SCHEMA_LOCATION] = equal_text,
		[SCHEMA_GROUP] = equal_named,
		[SCHEMA_DOMAIN] = equal_text,
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

static bool values_equal(const struct schema_key *k, const void *a, const void *b)
{
	const char *as, *bs;
	size_t n;

	if (!(k->flags & SCHEMA_LIST) || k->type == SCHEMA_FLAGS)
		return one_equal(k, (const char *)a + k->offset, (const char *)b + k->offset);
	n = schema_count_at(k, a);
	if (n != schema_count_at(k, b))
		return false;
	as = schema_items_at(k, a);
	bs = schema_items_at(k, b);
	for (size_t i = 0, size = value_type_of(k->type)->size; i < n; i++)
		if (!one_equal(k, as + i * size, bs + i * size))
			return false;
	return true;
}

/* ---- collecting ---- */

/* Where in the file: made into text only where something differs. */
struct place {
	const struct place *up; /* NULL: the outermost */
	const char *name;
};

enum { PLACE_TEXT = 512 };

/* Below `from`; NULL: from the root. */
static const char *place_text(const struct place *p, const struct place *from, char buf[PLACE_TEXT])
{
	size_t at = PLACE_TEXT - 1;

	buf[at] = 0;
	for (; p && p != from; p = p->up) {
		size_t n = strlen(p->name), dot = buf[at] ? 1 : 0;

		if (n + dot > at)
			break;
		at -= n + dot;
		memcpy(buf + at, p->name, n);
		if (dot)
			buf[at + n] = '.';
	}
	return buf + at;
}

struct walk {
	struct diff *out;
	const struct place *thing; /* the named thing that we are in; NULL: none */
	struct diff_item *item;	   /* of it, when something differed; in *out, so valid until the next one */
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

static void add_key(struct walk *w, const char *key, enum schema_reload effect)
{
	char *keys = NULL, buf[PLACE_TEXT];

	if (!w->item)
		w->item = add_item(w, place_text(w->thing, NULL, buf), DIFF_CHANGED, RELOAD_NOTHING);
	if (!w->item)
		return;
	if (asprintf(&keys, "%s%s%s", w->item->keys ? w->item->keys : "", w->item->keys ? ", " : "", key) < 0) {
		w->result = GW_ENOMEM;
		return;
	}
	free(w->item->keys);
	w->item->keys = keys;
	w->item->effect = effect > w->item->effect ? effect : w->item->effect;
}

static void note(struct walk *w, const struct place *p, enum diff_change change, enum schema_reload effect)
{
	char buf[PLACE_TEXT];

	if (w->thing)
		add_key(w, place_text(p, w->thing, buf), effect);
	else
		(void)add_item(w, place_text(p, NULL, buf), change, effect);
}

/* A key says it, else what it stands in. */
static enum schema_reload own_or(const struct schema_key *k, enum schema_reload outer)
{
	return k->reload != RELOAD_NOTHING ? k->reload : outer;
}

/* Of a key within a section of the effect `outer`. What nobody says anything of concerns SAs, and those that stand
 * stay. */
static enum schema_reload effect_of(const struct schema_key *k, enum schema_reload outer, const void *a, const void *b)
{
	enum schema_reload effect = own_or(k, outer);
	const struct range *was, *is;

	if (k->type != SCHEMA_POOL_RANGE)
		return effect == RELOAD_NOTHING ? RELOAD_NEW_SAS : effect;
	/* A pool that grows takes nothing away. */
	was = (const void *)((const char *)a + k->offset);
	is = (const void *)((const char *)b + k->offset);
	return range_contains(is, &was->lo) && range_contains(is, &was->hi) ? RELOAD_NEW_SAS : RELOAD_SAS_GO;
}

/* ---- walking ---- */

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
	const char *items = schema_items_at(k, base);
	struct by_name *out;

	*n = schema_count_at(k, base);
	out = calloc(*n + 1, sizeof(*out));
	for (size_t i = 0; out && i < *n; i++) {
		out[i].item = items + i * k->sub->size;
		out[i].name = text_at(out[i].item);
	}
	if (out)
		qsort(out, *n, sizeof(*out), name_order);
	return out;
}

static void walk_level(struct walk *w, const struct schema *s, const struct place *up, enum schema_reload outer,
		       const void *a, const void *b);

/* What came has no SAs yet; what went takes its SAs along, unless somebody says otherwise. */
static enum schema_reload effect_of_whole(enum diff_change change, enum schema_reload outer)
{
	if (outer != RELOAD_NOTHING)
		return outer;
	return change == DIFF_REMOVED ? RELOAD_SAS_GO : RELOAD_NEW_SAS;
}

static void same_name(struct walk *w, const struct schema_key *k, const struct place *p, enum schema_reload outer,
		      const void *a, const void *b)
{
	bool outermost = !w->thing; /* deeper names are keys of the outermost */

	if (outermost) {
		w->thing = p;
		w->item = NULL;
	}
	walk_level(w, k->sub, p, outer, a, b);
	if (outermost)
		w->thing = NULL;
}

static void walk_named(struct walk *w, const struct schema_key *k, const struct place *up, enum schema_reload outer,
		       const void *a, const void *b)
{
	size_t na, nb, i = 0, j = 0;
	struct by_name *as = sort_named(k, a, &na), *bs = sort_named(k, b, &nb);

	if (!as || !bs)
		w->result = GW_ENOMEM;
	while (w->result == GW_OK && (i < na || j < nb)) {
		int order = i == na ? 1 : j == nb ? -1 : strcmp(as[i].name, bs[j].name);
		const struct place p = { up, order <= 0 ? as[i].name : bs[j].name };

		if (order < 0)
			note(w, &p, DIFF_REMOVED, effect_of_whole(DIFF_REMOVED, outer));
		else if (order > 0)
			note(w, &p, DIFF_ADDED, effect_of_whole(DIFF_ADDED, outer));
		else
			same_name(w, k, &p, outer, as[i].item, bs[j].item);
		i += order <= 0;
		j += order >= 0;
	}
	free(as);
	free(bs);
}

static void walk_level(struct walk *w, const struct schema *s, const struct place *up, enum schema_reload outer,
		       const void *a, const void *b)
{
	for (size_t i = 0; i < s->count && w->result == GW_OK; i++) {
		const struct schema_key *k = &s->keys[i];
		const struct place p = { up, k->name };

		if (k->type == SCHEMA_MAP)
			walk_level(w, k->sub, &p, own_or(k, outer), (const char *)a + k->offset,
				   (const char *)b + k->offset);
		else if (k->type == SCHEMA_NAMED)
			walk_named(w, k, &p, own_or(k, outer), a, b);
		else if (!values_equal(k, a, b))
			note(w, &p, DIFF_CHANGED, effect_of(k, outer, a, b));
	}
}

/* ---- certificates: renewed under the same name, in the same file ---- */

static bool chains_equal(const struct certificate_cfg *a, const struct certificate_cfg *b)
{
	if (a->chain_len != b->chain_len)
		return false;
	for (size_t i = 0; i < a->chain_len; i++)
		if (!bytes_equal(a->chain[i].der, b->chain[i].der))
			return false;
	return true;
}

static void walk_certificates(struct walk *w, const struct settings *was, const struct settings *is)
{
	const struct place section = { NULL, "certificates" };

	for (size_t i = 0; i < is->certificate_count && w->result == GW_OK; i++) {
		const struct certificate_cfg *c = &is->certificates[i];
		const struct place p = { &section, c->name };
		const struct place content = { &p, "content" };

		for (size_t k = 0; k < was->certificate_count; k++) {
			if (strcmp(was->certificates[k].name, c->name) != 0 || chains_equal(&was->certificates[k], c) ||
			    diff_find(w->out, "certificates", c->name))
				continue;
			w->thing = &p;
			w->item = NULL;
			note(w, &content, DIFF_CHANGED, RELOAD_NEW_SAS);
			w->thing = NULL;
		}
	}
}

/* ---- a pair's keys change while it runs as that node, not while it becomes one ---- */

static bool is_same_node(const struct settings *was, const struct settings *is)
{
	const struct ha_node_cfg *a = was->ha.self, *b = is->ha.self;

	if (was->ha.enabled != is->ha.enabled)
		return false;
	return a == b || (a && b && texts_equal(a->name, b->name) && a->index == b->index);
}

static void put_off_pair(struct diff *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (strncmp(d->items[i].name, "ha.", 3) == 0)
			d->items[i].effect = RELOAD_RESTART;
}

enum gw_err settings_diff(const struct settings *was, const struct settings *is, struct diff *out)
{
	struct walk w = { .out = out };

	*out = (struct diff){ 0 };
	walk_level(&w, &schema_root, NULL, RELOAD_NOTHING, was, is);
	walk_certificates(&w, was, is);
	if (!is_same_node(was, is))
		put_off_pair(out);
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
