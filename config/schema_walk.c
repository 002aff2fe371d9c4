#include "config/reader.h"
#include "config/schema_table.h"

#include <stdio.h>

const char *duration_text(int64_t us, char buf[DURATION_TEXT])
{
	static const struct unit {
		int64_t us;
		const char *name;
	} units[] = {
		{ DAY, "d" },	     { SECONDS(3600), "h" },	{ SECONDS(60), "m" },
		{ SECONDS(1), "s" }, { MILLISECONDS(1), "ms" },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (us >= units[i].us && us % units[i].us == 0) {
			(void)snprintf(buf, DURATION_TEXT, "%lld%s", (long long)(us / units[i].us), units[i].name);
			return buf;
		}
	(void)snprintf(buf, DURATION_TEXT, us == 0 ? "0" : "%lldus", (long long)us);
	return buf;
}

static const char *range_of(const struct schema_key *k, char *buf, size_t n)
{
	char lo[DURATION_TEXT], hi[DURATION_TEXT];
	struct writer w = wr_of(buf, n - 1);

	buf[0] = 0;
	switch (k->type) {
	case SCHEMA_U8:
	case SCHEMA_U16:
	case SCHEMA_U32:
		(void)snprintf(buf, n, "%lld..%lld%s%s", (long long)k->min, (long long)k->max, k->nothing ? ", " : "",
			       k->nothing ? k->nothing : "");
		for (const struct schema_word *word = k->words; word && word->name; word++)
			(void)snprintf(buf + strlen(buf), n - strlen(buf), ", %s", word->name);
		break;
	case SCHEMA_SIZE:
		(void)snprintf(buf, n, "%s%lld and more", k->flags & SCHEMA_ZERO_OK ? "0, " : "", (long long)k->min);
		break;
	case SCHEMA_PERCENT:
		(void)snprintf(buf, n, "%lld%%..%lld%%", (long long)k->min, (long long)k->max);
		break;
	case SCHEMA_DURATION:
		(void)snprintf(buf, n, "%s%s..%s", k->flags & SCHEMA_ZERO_OK ? "0, " : "", duration_text(k->min, lo),
			       duration_text(k->max, hi));
		break;
	case SCHEMA_WORD:
	case SCHEMA_FLAGS:
		for (const struct schema_word *word = k->words; word->name; word++) {
			if (strcmp(word->name, "fake") == 0)
				continue;
			if (w.n > 0)
				wr_bytes(&w, bytes_str(", "));
			wr_bytes(&w, bytes_str(word->name));
		}
		buf[w.n] = 0;
		break;
	case SCHEMA_UNIQUE:
		(void)snprintf(buf, n, "replace, keep, never, {limit: %lld..%lld}", (long long)k->min,
			       (long long)k->max);
		break;
	default:
		break;
	}
	return buf;
}

struct walk {
	void (*each)(void *arg, const struct schema_entry *e);
	void *arg;
	size_t count;
};

static void walk_level(struct walk *w, const struct schema *s, const char *parent)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_key *k = &s->keys[i];
		const char *fallback = k->fallback_text ? k->fallback_text : k->fallback;
		char path[160], below[168], range[128], type[64];
		struct schema_entry e = { .path = path,
					  .type = type,
					  .help = k->help,
					  .section = k->sub != NULL,
					  .required = k->flags & SCHEMA_REQUIRED };

		(void)snprintf(path, sizeof(path), "%s%s%s", parent, *parent ? "." : "", k->name);
		(void)snprintf(type, sizeof(type), "%s%s", k->flags & SCHEMA_LIST ? "list of " : "",
			       k->sub ? "section" : value_type_of(k->type)->name);
		e.range = range_of(k, range, sizeof(range));
		e.fallback = k->sub ? "" : fallback ? fallback : "";
		w->count++;
		if (w->each)
			w->each(w->arg, &e);
		if (k->sub) {
			(void)snprintf(below, sizeof(below), "%s%s", path, k->type == SCHEMA_NAMED ? ".<name>" : "");
			walk_level(w, k->sub, below);
		}
	}
}

size_t config_schema_each(void (*each)(void *arg, const struct schema_entry *e), void *arg)
{
	struct walk w = { each, arg, 0 };

	walk_level(&w, &schema_root, "");
	return w.count;
}
