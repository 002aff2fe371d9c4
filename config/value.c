#include "config/reader.h"

#include "config/suggest.h"
#include "config/value.h"

#include <stdio.h>
#include <stdlib.h>

bool value_wrong(struct load *l, const struct schema_key *k, struct mark where, const char *wanted, const char *text)
{
	report_error(l->report, where, "`%s` wants %s, not " SHOWN, k->name, wanted, text);
	return false;
}

static bool set_string(struct load *l, char *copy, void *at)
{
	if (!copy) {
		report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
		return false;
	}
	memcpy(at, &copy, sizeof(copy));
	return true;
}

static bool parse_name(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	size_t n = strlen(text);

	(void)base;
	if (n < (size_t)k->min || n > (size_t)k->max) {
		report_error(l->report, where, "`%s` has %lld to %lld characters, not %zu", k->name, (long long)k->min,
			     (long long)k->max, n);
		return false;
	}
	for (const char *s = text; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		      strchr("._-", *s)))
			return value_wrong(l, k, where, "letters, digits, dots, dashes and underscores", text);
	return set_string(l, strdup(text), at);
}

static bool parse_path(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	char *path = reader_path(l, text);

	(void)base;
	if (path && (*text == 0 || strlen(path) > (size_t)k->max)) {
		report_error(l->report, where, "`%s` is a path of 1 to %lld octets", k->name, (long long)k->max);
		free(path);
		return false;
	}
	return set_string(l, path, at);
}

static bool parse_bool(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	bool v = strcmp(text, "true") == 0;

	(void)base;
	if (!v && strcmp(text, "false") != 0)
		return value_wrong(l, k, where, "true or false", text);
	memcpy(at, &v, sizeof(v));
	return true;
}

/* Decimal digits without a leading zero (012 is 10 in YAML 1.1 and 12 to people: neither here); *end is behind them. */
bool value_digits(const char *text, int64_t *out, const char **end)
{
	int64_t v = 0;
	const char *s = text;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*s - '0');
	}
	*out = v;
	*end = s;
	return s > text && (*text != '0' || s == text + 1);
}

static void set_number(const struct schema_key *k, int64_t v, void *at)
{
	if (k->type == SCHEMA_U8)
		*(uint8_t *)at = (uint8_t)v;
	else if (k->type == SCHEMA_U16)
		memcpy(at, &(uint16_t){ (uint16_t)v }, sizeof(uint16_t));
	else
		memcpy(at, &(uint32_t){ (uint32_t)v }, sizeof(uint32_t));
}

/* The words that a number may be instead: ", auto or off". */
static const char *or_words(const struct schema_key *k, char *buf, size_t cap)
{
	struct writer w = wr_of(buf, cap - 1);

	for (const struct schema_word *word = k->words; word && word->name; word++) {
		wr_bytes(&w, bytes_str(word[1].name ? ", " : " or "));
		wr_bytes(&w, bytes_str(word->name));
	}
	if (k->nothing) {
		wr_bytes(&w, bytes_str(" or "));
		wr_bytes(&w, bytes_str(k->nothing));
	}
	buf[w.n] = 0;
	return buf;
}

static bool parse_number(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			 void *base)
{
	const char *end;
	char words[80];
	int64_t v;

	(void)base;
	if (k->nothing && strcmp(text, k->nothing) == 0) {
		memset(at, 0, value_type_of(k->type)->size);
		return true;
	}
	for (const struct schema_word *word = k->words; word && word->name; word++)
		if (strcmp(text, word->name) == 0) {
			set_number(k, word->value, at);
			return true;
		}
	if (!value_digits(text, &v, &end) || *end) {
		report_error(l->report, where, "`%s` wants a number%s, not " SHOWN, k->name,
			     or_words(k, words, sizeof(words)), text);
		return false;
	}
	if (v < k->min || v > k->max) {
		report_error(l->report, where, "`%s` is %lld..%lld%s, not %lld", k->name, (long long)k->min,
			     (long long)k->max, or_words(k, words, sizeof(words)), (long long)v);
		return false;
	}
	set_number(k, v, at);
	return true;
}

/* "200M": a number, maybe with a power of 1000. */
static bool parse_size(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	static const char powers[] = "kMGT";
	bool zero_ok = k->flags & SCHEMA_ZERO_OK;
	const char *end, *power;
	uint64_t size;
	int64_t v = 0;

	(void)base;
	if (!(zero_ok && (strcmp(text, "off") == 0 || strcmp(text, "never") == 0))) {
		if (!value_digits(text, &v, &end))
			return value_wrong(l, k, where, "a number, maybe with k, M, G or T behind it", text);
		power = *end ? strchr(powers, *end) : NULL;
		if (*end && (!power || end[1]))
			return value_wrong(l, k, where, "a number, maybe with k, M, G or T behind it", text);
		for (const char *p = powers; power && p <= power; p++) {
			if (v > INT64_MAX / 1000)
				return value_wrong(l, k, where, "a smaller number", text);
			v *= 1000;
		}
	}
	if ((v < k->min || v > k->max) && !(zero_ok && v == 0)) {
		report_error(l->report, where, "`%s` is at least %lld%s, not " SHOWN, k->name, (long long)k->min,
			     zero_ok ? " or 0" : "", text);
		return false;
	}
	size = (uint64_t)v;
	memcpy(at, &size, sizeof(size));
	return true;
}

/* "0x10", "16", "0x10/0xf0": decimal or hex, without a mask all bits count. */
static bool read_mark(const char *text, uint32_t *out, const char **end)
{
	bool hex = text[0] == '0' && text[1] == 'x';
	const char *digits = text + (hex ? 2 : 0);
	size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	char number[16];
	unsigned long long v;

	if (n == 0 || n > (hex ? 8u : 10u) || (!hex && digits[0] == '0' && n > 1))
		return false;
	(void)snprintf(number, sizeof(number), "%.*s", (int)n, digits);
	v = strtoull(number, NULL, hex ? 16 : 10);
	*out = (uint32_t)v;
	*end = digits + n;
	return v <= UINT32_MAX;
}

static bool parse_mark(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	struct mark_cfg m = { .mask = UINT32_MAX };
	const char *end;

	(void)base;
	if (!read_mark(text, &m.value, &end) || (*end == '/' && !read_mark(end + 1, &m.mask, &end)) || *end)
		return value_wrong(l, k, where, "a mark such as 7, 0x10 or 0x10/0xf0", text);
	if (m.mask == 0 || (m.value & ~m.mask) != 0) {
		report_error(l->report, where, "`%s`: " SHOWN " has bits outside its mask, or none in it", k->name,
			     text);
		return false;
	}
	memcpy(at, &m, sizeof(m));
	return true;
}

static bool parse_percent(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			  void *base)
{
	const char *end;
	int64_t v;

	(void)base;
	if (!value_digits(text, &v, &end) || strcmp(end, "%") != 0 || v < k->min || v > k->max) {
		report_error(l->report, where, "`%s` wants %lld%% to %lld%%, not " SHOWN, k->name, (long long)k->min,
			     (long long)k->max, text);
		return false;
	}
	*(uint8_t *)at = (uint8_t)v;
	return true;
}

/* "1h30m": numbers with units, added up. */
bool duration_parse(const char *text, int64_t *out)
{
	static const struct unit {
		const char *name;
		int64_t us;
	} units[] = {
		{ "ms", MILLISECONDS(1) }, { "s", SECONDS(1) },	    { "m", SECONDS(60) },
		{ "h", SECONDS(3600) },	   { "d", SECONDS(86400) },
	};
	int64_t sum = 0, v;

	do {
		size_t n, i;

		if (!value_digits(text, &v, &text))
			return false;
		n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		for (i = 0; i < ARRAY_LEN(units); i++)
			if (strlen(units[i].name) == n && strncmp(text, units[i].name, n) == 0)
				break;
		if (i == ARRAY_LEN(units) || v > (INT64_MAX - sum) / units[i].us)
			return false;
		sum += v * units[i].us;
		text += n;
	} while (*text);
	*out = sum;
	return true;
}

static bool parse_duration(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			   void *base)
{
	bool zero_ok = k->flags & SCHEMA_ZERO_OK;
	char lo[DURATION_TEXT], hi[DURATION_TEXT];
	int64_t v = 0;

	(void)base;
	if (!(zero_ok && (strcmp(text, "0") == 0 || strcmp(text, "off") == 0 || strcmp(text, "never") == 0)) &&
	    !duration_parse(text, &v))
		return value_wrong(l, k, where, "a duration such as 500ms, 30s, 5m, 8h or 1d", text);
	if ((v < k->min || v > k->max) && !(zero_ok && v == 0)) {
		report_error(l->report, where, "`%s` is %s..%s%s, not " SHOWN, k->name, duration_text(k->min, lo),
			     duration_text(k->max, hi), zero_ok ? " or 0" : "", text);
		return false;
	}
	memcpy(at, &v, sizeof(v));
	return true;
}

static bool find_word(struct load *l, const struct schema_key *k, struct mark where, const char *text, int *out)
{
	struct suggest near = { .word = text };
	char hint[SUGGEST_TEXT], all[160];
	struct writer w = wr_of(all, sizeof(all) - 1);

	for (const struct schema_word *word = k->words; word->name; word++) {
		if (strcmp(word->name, text) == 0) {
			*out = word->value;
			return true;
		}
		/* For tests only: an operator is not pointed at it. */
		if (strcmp(word->name, "fake") == 0)
			continue;
		suggest_offer(&near, word->name);
		if (w.n > 0)
			wr_bytes(&w, bytes_str(", "));
		wr_bytes(&w, bytes_str(word->name));
	}
	all[w.n] = 0;
	report_error(l->report, where, "`%s` is one of: %s; not " SHOWN "%s", k->name, all, text,
		     suggest_hint(&near, hint));
	return false;
}

/* Enums are as wide as int with every compiler we build with; the assertions hold it fast. */
_Static_assert(sizeof(enum log_level) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum log_format) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum shutdown_mode) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum dataplane_choice) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum pool_netmask) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum ha_election) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum revocation) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum id_match) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum pfs_mode) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum child_mode) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum rekey_by) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum ha_replay) == sizeof(int), "enum is not an int");
_Static_assert(sizeof(enum conn_offload) == sizeof(int), "enum is not an int");

static bool parse_word(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
		       void *base)
{
	int v;

	(void)base;
	if (!find_word(l, k, where, text, &v))
		return false;
	memcpy(at, &v, sizeof(v));
	return true;
}

static bool parse_unique(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			 void *base)
{
	struct unique_cfg u = { 0 };
	int v;

	(void)base;
	if (!find_word(l, k, where, text, &v))
		return false;
	u.policy = (enum unique_policy)v;
	memcpy(at, &u, sizeof(u));
	return true;
}

/* A word, or {limit: n}. */
static bool read_unique(struct load *l, const struct schema_key *k, const struct yaml_node *n, void *at)
{
	struct unique_cfg u = { .policy = UNIQUE_LIMIT };
	struct schema_key limit = { .name = "limit", .type = SCHEMA_U32, .min = k->min, .max = k->max };

	if (n->kind == YAML_SCALAR)
		return parse_unique(l, k, n->at, n->text, at, NULL);
	if (n->kind != YAML_MAP || n->count != 1 || strcmp(n->first->key, "limit") != 0 ||
	    n->first->kind != YAML_SCALAR) {
		report_error(l->report, n->at, "`%s` is replace, keep, never or {limit: number}", k->name);
		return false;
	}
	if (!parse_number(l, &limit, n->first->at, n->first->text, &u.limit, NULL))
		return false;
	memcpy(at, &u, sizeof(u));
	return true;
}

static bool parse_flags(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			void *base)
{
	uint32_t all;
	int v;

	(void)base;
	if (!find_word(l, k, where, text, &v))
		return false;
	memcpy(&all, at, sizeof(all));
	all |= (uint32_t)v;
	memcpy(at, &all, sizeof(all));
	return true;
}

/* Of what is defined by name elsewhere in the file: an array whose items begin with their name. */
struct defined {
	const char *items;
	size_t count, size;
	const char *what;
};

static bool find_defined(struct load *l, const struct schema_key *k, struct mark where, const char *text,
			 const struct defined *d, void *at)
{
	struct suggest near = { .word = text };
	char hint[SUGGEST_TEXT];

	for (size_t i = 0; i < d->count; i++) {
		const char *item = d->items + i * d->size, *name;

		memcpy(&name, item, sizeof(name));
		if (name && strcmp(name, text) == 0) {
			memcpy(at, &item, sizeof(item));
			return true;
		}
		if (name)
			suggest_offer(&near, name);
	}
	report_error(l->report, where, "`%s`: there is no %s " SHOWN "%s", k->name, d->what, text,
		     suggest_hint(&near, hint));
	return false;
}

static bool parse_defined(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			  void *base)
{
	const struct settings *s = l->settings;
	struct defined d = { (const char *)s->pools, s->pool_count, sizeof(*s->pools), "pool" };

	(void)base;
	if (k->type == SCHEMA_CERTIFICATE)
		d = (struct defined){ (const char *)s->certificates, s->certificate_count, sizeof(*s->certificates),
				      "certificate" };
	else if (k->type == SCHEMA_AUTHORITY)
		d = (struct defined){ (const char *)s->authorities, s->authority_count, sizeof(*s->authorities),
				      "authority" };
	else if (k->type == SCHEMA_GROUP)
		d = (struct defined){ (const char *)s->groups, s->group_count, sizeof(*s->groups), "group" };
	return find_defined(l, k, where, text, &d, at);
}

static bool parse_location(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			   void *base)
{
	if (!location_is_uri(text))
		return parse_path(l, k, where, text, at, base);
	if (strlen(text) > (size_t)k->max)
		return value_wrong(l, k, where, "a shorter URI", text);
	return set_string(l, strdup(text), at);
}

/* As it goes over the wire: presentation format, A-labels, no dot at the end (RFC 8598 4.1, RFC 1035 2.3.4). */
static bool parse_domain(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			 void *base)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = strlen(text);

	(void)base;
	if (n > 0 && text[n - 1] == '.')
		n--;
	for (size_t i = 0, label; i <= n; i += label + 1) {
		label = strspn(text + i, allowed);
		if (label == 0 || label > 63 || n > 253 || (i + label < n && text[i + label] != '.'))
			return value_wrong(l, k, where, "a domain name (example.org; other letters as xn--...)", text);
	}
	return set_string(l, strndup(text, n), at);
}

static bool parse_ident(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			void *base)
{
	struct err e = { 0 };

	(void)base;
	if (ident_parse(text, k->type == SCHEMA_REMOTE_ID, at, &e) == GW_OK)
		return true;
	report_error(l->report, where, "`%s`: %s", k->name, e.text);
	return false;
}

static void note_proposal(struct load *l, enum proposal_use use, const char *text, const struct proposal_cfg *p)
{
	struct proposal_seen *s = &l->seen[l->seen_count];
	size_t n = strlen(text);

	if (l->seen_count == ARRAY_LEN(l->seen) || n >= sizeof(s->text))
		return;
	*s = (struct proposal_seen){ .use = use, .p = *p };
	memcpy(s->text, text, n + 1);
	l->seen_count++;
}

static bool parse_proposal(struct load *l, const struct schema_key *k, struct mark where, const char *text, void *at,
			   void *base)
{
	enum proposal_use use = k->type == SCHEMA_IKE_PROPOSAL ? PROPOSAL_IKE : PROPOSAL_ESP;
	struct err e = { 0 };

	(void)base;
	for (size_t i = 0; i < l->seen_count; i++) {
		if (l->seen[i].use == use && strcmp(l->seen[i].text, text) == 0) {
			*(struct proposal_cfg *)at = l->seen[i].p;
			return true;
		}
	}
	if (proposal_parse(text, use, at, &e) == GW_OK) {
		note_proposal(l, use, text, at);
		return true;
	}
	report_error(l->report, where, "`%s`: %s", k->name, e.text);
	return false;
}

const struct value_type *value_type_of(enum schema_type t)
{
	static const struct value_type types[] = {
		[SCHEMA_NAME] = { "name", sizeof(char *), parse_name, NULL },
		[SCHEMA_PATH] = { "path", sizeof(char *), parse_path, NULL },
		[SCHEMA_BOOL] = { "true or false", sizeof(bool), parse_bool, NULL },
		[SCHEMA_U8] = { "number", sizeof(uint8_t), parse_number, NULL },
		[SCHEMA_U16] = { "number", sizeof(uint16_t), parse_number, NULL },
		[SCHEMA_U32] = { "number", sizeof(uint32_t), parse_number, NULL },
		[SCHEMA_SIZE] = { "number", sizeof(uint64_t), parse_size, NULL },
		[SCHEMA_DURATION] = { "duration", sizeof(int64_t), parse_duration, NULL },
		[SCHEMA_PERCENT] = { "percentage", sizeof(uint8_t), parse_percent, NULL },
		[SCHEMA_WORD] = { "word", sizeof(int), parse_word, NULL },
		[SCHEMA_FLAGS] = { "word", sizeof(uint32_t), parse_flags, NULL },
		[SCHEMA_ADDRESS] = { "address", sizeof(struct addr), value_address, NULL },
		[SCHEMA_INTERFACE_ADDRESS] = { "interface address", sizeof(struct addr), value_interface_address,
					       NULL },
		[SCHEMA_RANGE] = { "address range", sizeof(struct range), value_range, NULL },
		[SCHEMA_POOL_RANGE] = { "address range", sizeof(struct range), value_pool_range, NULL },
		[SCHEMA_POOL] = { "pool name", sizeof(const struct pool_cfg *), parse_defined, NULL },
		[SCHEMA_LOCATION] = { "path or URI", sizeof(char *), parse_location, NULL },
		[SCHEMA_CERTIFICATE] = { "certificate name", sizeof(const struct certificate_cfg *), parse_defined,
					 NULL },
		[SCHEMA_AUTHORITY] = { "authority name", sizeof(const struct authority_cfg *), parse_defined, NULL },
		[SCHEMA_GROUP] = { "group name", sizeof(const struct group_cfg *), parse_defined, NULL },
		[SCHEMA_NETWORK] = { "network", sizeof(struct prefix), value_network, NULL },
		[SCHEMA_DOMAIN] = { "domain name", sizeof(char *), parse_domain, NULL },
		[SCHEMA_SELECTOR] = { "traffic selector", sizeof(struct selector), value_selector, NULL },
		[SCHEMA_LOCAL_ID] = { "identity", sizeof(struct id_cfg), parse_ident, NULL },
		[SCHEMA_REMOTE_ID] = { "identity", sizeof(struct id_cfg), parse_ident, NULL },
		[SCHEMA_IKE_PROPOSAL] = { "proposal", sizeof(struct proposal_cfg), parse_proposal, NULL },
		[SCHEMA_ESP_PROPOSAL] = { "proposal", sizeof(struct proposal_cfg), parse_proposal, NULL },
		[SCHEMA_SECRET] = { "secret", sizeof(struct secret), NULL, secret_read },
		[SCHEMA_MARK] = { "mark", sizeof(struct mark_cfg), parse_mark, NULL },
		[SCHEMA_UNIQUE] = { "word", sizeof(struct unique_cfg), parse_unique, read_unique },
	};

	return &types[t];
}
