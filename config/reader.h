/* Reading a tree into settings by the schema. What the reader, the value parsers and the checks share. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/schema.h"
#include "config/yaml.h"

struct load {
	struct config_report *report;
	const struct config_sources *src; /* borrowed; NULL: the real system */
	const char *file;		  /* borrowed */
	struct settings *settings;	  /* being filled */
	bool world_readable;		  /* the YAML file itself */
	/* Proposals that were parsed already: a thousand connections have the same few, most of them the defaults. */
	struct proposal_seen {
		enum proposal_use use;
		char text[160];
		struct proposal_cfg p;
	} seen[8];
	size_t seen_count;
};

/* Fills `base` (zeroed, of s->size octets) from `map`, defaults where it has nothing; `map` NULL: defaults only. */
void reader_fill(struct load *l, const struct schema *s, const struct yaml_node *map, void *base);

/* Where to point at for a member of `map`: its value, else the map's own key, else the file. */
struct mark reader_mark(const struct yaml_node *map, const char *key);

/* `path` relative to the folder of the YAML file; to be freed, NULL when out of memory. */
char *reader_path(const struct load *l, const char *path);

/*
 * One value. `text` is the scalar's text or a default; `at` points to `type->size` octets inside the struct `base`.
 * Reports what is wrong and returns false.
 */
typedef bool value_parse(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			 void *base);
/* For values that are more than text. */
typedef bool value_parse_node(struct load *l, const struct schema_key *k, const struct yaml_node *n, void *at);

struct value_type {
	const char *name; /* "duration" */
	size_t size;
	value_parse *parse;
	value_parse_node *parse_node; /* instead of parse, but for defaults */
};

const struct value_type *value_type_of(enum schema_type t);

/* ident.c: see struct id_cfg. `remote`: patterns are allowed. The members are owned by whoever owns *out. */
MUST_USE enum gw_err ident_parse(const char *text, bool remote, struct id_cfg *out, struct err *e);
void ident_clear(struct id_cfg *id);

/* secrets.c: text, or a map with `file` or `env`. */
bool secret_read(struct load *l, const struct schema_key *k, const struct yaml_node *n, void *at);
/* Prefixes 0x and 0s decoded, one trailing newline dropped. */
MUST_USE enum gw_err secret_decode(struct bytes text, struct secret *out, struct err *e);
/* A whole file of at most 64 KiB, as config_load_*() reads it; a secret one must not be readable by others. */
enum source_kind { SOURCE_SECRET, SOURCE_PUBLIC };
MUST_USE enum gw_err source_file(const struct config_sources *src, const char *path, enum source_kind kind,
				 struct secret *out, struct err *e);
const char *source_getenv(const struct config_sources *src, const char *name);

/* check.c: lifetimes that depend on others, and rules across keys. `root` may be NULL. */
void check_settings(struct load *l, const struct yaml_node *root);
/* certs.c: files of certificates and keys; what of them a connection needs. */
void check_certificates(struct load *l, const struct yaml_node *root);
void check_conn_auth(struct load *l, const struct yaml_node *map, const struct conn_cfg *c);
void certificate_clear(struct certificate_cfg *c);
void authority_clear(struct authority_cfg *a);
/* "pkcs11:...", "http://..." */
bool location_is_uri(const char *text);
/* users.c: passwords become hashes, and names a hash table. */
void check_users(struct load *l, const struct yaml_node *root);
/* check_access.c: groups, and addresses of users. */
void check_access(struct load *l, const struct yaml_node *root);
/* compat.c: what the connection's compat profiles change of it. Before its lifetimes are checked. */
void compat_apply(struct load *l, const struct yaml_node *map, struct conn_cfg *c);
/* check_kernel.c: what only the kernel's data plane knows. */
void check_kernel(struct load *l, const struct yaml_node *root);
/* check_ha.c: who is who in `ha:`, and its rules. */
void check_ha(struct load *l, const struct yaml_node *root);

#endif
