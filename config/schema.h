/*
 * Every key of gateway.yaml, as a table: what it is called, where its value goes, what it may be, its default and a
 * line of help. The reader, the example, the man page's test and `gatewayctl` all go by this table.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <string.h>

#include "config/load.h"

enum schema_type {
	SCHEMA_MAP,   /* fixed keys: `sub` at `offset` of the same struct */
	SCHEMA_NAMED, /* any names, each with the keys of `sub`; an array of structs whose first member is char *name */
	SCHEMA_NAME,
	SCHEMA_PATH,
	SCHEMA_BOOL,
	SCHEMA_U8,
	SCHEMA_U16,
	SCHEMA_U32,
	SCHEMA_SIZE, /* uint64_t: a number, maybe with k, M, G or T (powers of 1000) */
	SCHEMA_DURATION,
	SCHEMA_PERCENT,
	SCHEMA_WORD,  /* one of `words` */
	SCHEMA_FLAGS, /* uint32_t; a list of `words` */
	SCHEMA_ADDRESS,
	SCHEMA_INTERFACE_ADDRESS, /* with a prefix length: of struct ha_address_cfg */
	SCHEMA_RANGE,
	SCHEMA_POOL_RANGE,
	SCHEMA_POOL,	    /* name of a pool that is defined */
	SCHEMA_LOCATION,    /* a path, or a URI as it is */
	SCHEMA_CERTIFICATE, /* name of one that is defined */
	SCHEMA_AUTHORITY,
	SCHEMA_GROUP, /* name of a group that is defined */
	SCHEMA_NETWORK,
	SCHEMA_DOMAIN,
	SCHEMA_SELECTOR,
	SCHEMA_LOCAL_ID,
	SCHEMA_REMOTE_ID,
	SCHEMA_IKE_PROPOSAL,
	SCHEMA_ESP_PROPOSAL,
	SCHEMA_SECRET,
	SCHEMA_MARK,   /* struct mark_cfg: a number, or number/mask */
	SCHEMA_UNIQUE, /* struct unique_cfg: a word, or {limit: n} */
};

enum schema_flags {
	SCHEMA_REQUIRED = 1,
	SCHEMA_LIST = 2,       /* a list; a single value stands for a list of one */
	SCHEMA_EMPTY_OK = 4,   /* [] may be written */
	SCHEMA_ZERO_OK = 8,    /* a duration or size: 0, off or never besides min..max */
	SCHEMA_ANY_NAMES = 16, /* SCHEMA_NAMED: names of people, not of things: any printable text */
};

/* What a change of the key does at a reload, the worse the later. A key says it, or else what it stands in. */
enum schema_reload {
	RELOAD_NOTHING, /* nobody says it: RELOAD_NEW_SAS, or RELOAD_SAS_GO of what is gone */
	RELOAD_NOW,	/* in force at once, no SA is touched */
	RELOAD_NEW_SAS, /* SAs that stand keep what they were made under */
	RELOAD_SAS_GO,	/* SAs that stand by it end */
	RELOAD_RESTART, /* set once, at the start */
};

struct schema_word {
	const char *name; /* NULL ends a list */
	int value;
};

struct schema_key {
	const char *name;
	enum schema_type type;
	unsigned flags;
	size_t offset;	     /* in the struct of the level */
	size_t count_offset; /* of the size_t with the number of items, for lists and SCHEMA_NAMED */
	int64_t min, max;    /* numbers; microseconds for durations; lengths for text; `max` items for SCHEMA_NAMED */
	const struct schema_word *words; /* of SCHEMA_WORD and SCHEMA_FLAGS; with a number: what else it may be */
	const char *nothing;	   /* lists: the word that stands for an empty one ("any"); numbers: for 0 ("auto") */
	const char *fallback;	   /* default as text, items apart by spaces; NULL: none */
	const char *fallback_text; /* default as people read it, where it is not `fallback` */
	const char *help;
	enum schema_reload reload;
	const struct schema *sub;
};

struct schema {
	size_t size; /* of the struct that SCHEMA_NAMED makes; 0 for fixed maps */
	const struct schema_key *keys;
	size_t count;
};

/* The list or map of `k` in a filled struct `base`: how many items, and the first. */
static inline size_t schema_count_at(const struct schema_key *k, const void *base)
{
	size_t n;

	memcpy(&n, (const char *)base + k->count_offset, sizeof(n));
	return n;
}
static inline const char *schema_items_at(const struct schema_key *k, const void *base)
{
	const char *items;

	memcpy(&items, (const char *)base + k->offset, sizeof(items));
	return items;
}

extern const struct schema schema_root;
extern const struct schema schema_conn;				   /* in schema_conn.c */
extern const struct schema schema_pool, schema_group, schema_user; /* in schema_access.c */
extern const struct schema schema_certificate, schema_authority;   /* in schema_pki.c */
extern const struct schema schema_ha; /* in schema_ha.c; its offsets are in struct settings */

/* One key for people. Text is valid during the call only. */
struct schema_entry {
	const char *path;     /* "connections.<name>.children.<name>.rekey" */
	const char *type;     /* "duration" */
	const char *range;    /* "1s..365d", "kernel, userspace"; "" when there is none */
	const char *fallback; /* "" when there is none */
	const char *help;
	bool section; /* has keys below it, no value of its own */
	bool required;
};

/* Calls `each` for every key, depth first in the order of the table; returns how many. `each` NULL: counts only. */
size_t config_schema_each(void (*each)(void *arg, const struct schema_entry *e), void *arg);

/* "1h30m" -> microseconds; false: it is none. */
bool duration_parse(const char *text, int64_t *us);
/* A duration as it is written, "90s", "4h", "1500ms"; for messages and the schema. */
enum { DURATION_TEXT = 32 };
const char *duration_text(int64_t us, char buf[DURATION_TEXT]);

#endif
