/*
 * What a changed gateway.yaml means for a gateway that runs: two settings compared by the schema, named things by name.
 * Pure. Each difference carries its effect; the worst of an item's keys is that of the item.
 *
 * A named thing (a connection, a pool) is one item, "connections.road", with the keys below it that differ; every other
 * key is an item of its own, "log.level". Of a pair many keys are in force at once; where the section `ha` comes or
 * goes, or the node becomes another one, all of it takes a restart.
 */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "config/schema.h"

enum diff_change { DIFF_CHANGED, DIFF_ADDED, DIFF_REMOVED };

struct diff_item {
	char *name; /* owned, as are the others */
	enum diff_change change;
	enum schema_reload effect;
	char *keys;   /* "psk, children.lan.rekey"; NULL: the item as a whole */
	uint64_t sas; /* for the caller: how many SAs end by it */
};

struct diff {
	struct diff_item *items;
	size_t count, cap;
};

/* GW_ENOMEM: *out is empty. */
MUST_USE enum gw_err settings_diff(const struct settings *was, const struct settings *is, struct diff *out);
void diff_clear(struct diff *d);
/* The item of a named thing ("connections", "road"); NULL: it did not change. */
struct diff_item *diff_find(const struct diff *d, const char *section, const char *name);
/* Any item has this effect. */
bool diff_has(const struct diff *d, enum schema_reload effect);

const char *diff_change_name(enum diff_change c);	 /* "added" */
const char *diff_effect_name(enum schema_reload effect); /* "new-sas", a stable word */
const char *diff_effect_text(enum schema_reload effect); /* "new SAs only" */

#endif
