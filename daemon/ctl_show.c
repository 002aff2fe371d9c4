#include "daemon/ctl_show.h"

#include <string.h>

#include "daemon/ctl_print.h"

#define COLUMNS(a) (a), (unsigned)(sizeof(a) / sizeof((a)[0]))

/* ---- fields ---- */

static const json_t *at(const json_t *j, const char *path)
{
	char key[64];
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		(void)snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		j = json_object_get(j, key);
		path = dot + 1;
	}
	return json_object_get(j, path);
}

static const char *text(const json_t *j, const char *path)
{
	return json_string_value(at(j, path));
}

/* For a sentence, in which a word may not be missing. */
static const char *word(const json_t *j, const char *path)
{
	const char *s = text(j, path);

	return s && *s ? s : "-";
}

static long long number(const json_t *j, const char *path)
{
	return (long long)json_integer_value(at(j, path));
}

static bool is_true(const json_t *j, const char *path)
{
	return json_is_true(at(j, path));
}

static void cell_age(struct table *t, const json_t *j, const char *path, const char *prefix, const char *suffix)
{
	const json_t *v = at(j, path);
	char buf[UNIT_TEXT];

	if (json_is_integer(v))
		table_cellf(t, "%s%s%s", prefix, unit_age(json_integer_value(v), buf), suffix);
	else
		table_cell(t, NULL);
}

static const char *join(const json_t *list, const char *empty, char *buf, size_t n)
{
	size_t used = 0;

	buf[0] = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		int add = snprintf(buf + used, n - used, "%s%s", i > 0 ? ", " : "",
				   json_string_value(json_array_get(list, i)));

		if (add < 0 || (size_t)add >= n - used) {
			memcpy(buf + n - 4, "...", 4);
			break;
		}
		used += (size_t)add;
	}
	return buf[0] ? buf : empty;
}

static void cell_list(struct table *t, const json_t *j, const char *path, const char *empty)
{
	char buf[512];

	table_cell(t, join(at(j, path), empty, buf, sizeof(buf)));
}

static void cell_endpoint(struct table *t, const json_t *j)
{
	const char *addr = text(j, "addr");
	bool six = addr && strchr(addr, ':');

	table_cellf(t, "%s%s%s:%lld", six ? "[" : "", addr ? addr : "?", six ? "]" : "", number(j, "port"));
}

static const char *nat_text(const json_t *sa)
{
	bool peer = is_true(sa, "nat.peer"), us = is_true(sa, "nat.us");

	return peer && us ? "both" : peer ? "yes" : us ? "us" : "no";
}

static bool finish(struct table *t, const struct ctl_style *style, FILE *out, const char *none)
{
	bool ok;

	if (table_empty(t) && style->headers)
		ok = fprintf(out, "%s\n", none) >= 0;
	else
		ok = table_print(t, out, style->headers);
	table_destroy(t);
	return ok;
}

/* ---- SAs ---- */

static void traffic(struct table *t, const json_t *child, const char *way)
{
	char path[32], bytes[UNIT_TEXT];

	(void)snprintf(path, sizeof(path), "spi_%s", way);
	table_cellf(t, "%s %s", way, word(child, path));
	(void)snprintf(path, sizeof(path), "bytes_%s", way);
	table_cell(t, unit_bytes((uint64_t)number(child, path), bytes));
	(void)snprintf(path, sizeof(path), "packets_%s", way);
	table_cellf(t, "%lld pkts", number(child, path));
}

static void child_row(struct table *t, const json_t *child, bool wide)
{
	char ours[512], theirs[512];

	table_row(t, 1);
	table_cellf(t, "%s #%lld", word(child, "name"), number(child, "id"));
	table_cell(t, text(child, "state"));
	table_cell(t, is_true(child, "udp_encap") ? "ESP in UDP" : "ESP");
	table_cell(t, text(child, "proposal"));
	traffic(t, child, "in");
	traffic(t, child, "out");
	table_cellf(t, "%s <> %s", join(at(child, "local_ts"), "-", ours, sizeof(ours)),
		    join(at(child, "remote_ts"), "-", theirs, sizeof(theirs)));
	cell_age(t, child, "age", "up ", "");
	cell_age(t, child, "rekey_in", "rekey in ", "");
	if (wide) {
		cell_age(t, child, "last_use", "used ", " ago");
		cell_age(t, child, "expires_in", "expires in ", "");
		table_cellf(t, "dropped %lld replayed, %lld forged, %lld misdirected", number(child, "drops.replay"),
			    number(child, "drops.bad_icv"), number(child, "drops.bad_policy"));
	}
}

static void sa_row(struct table *t, const json_t *sa, bool wide)
{
	table_row(t, 0);
	table_cellf(t, "%lld", number(sa, "id"));
	table_cell(t, text(sa, "identity") ? text(sa, "identity") : "(not authenticated)");
	cell_endpoint(t, at(sa, "remote"));
	table_cell(t, nat_text(sa));
	cell_list(t, sa, "inner", NULL);
	table_cell(t, text(sa, "conn"));
	table_cell(t, text(sa, "state"));
	table_cell(t, text(sa, "ike.proposal"));
	cell_age(t, sa, "age", "", "");
	cell_age(t, sa, "rekey_in", "", "");
	cell_age(t, sa, "last_seen", "", " ago");
	if (wide) {
		cell_endpoint(t, at(sa, "local"));
		table_cell(t, text(sa, "local.id"));
		table_cell(t, text(sa, "ike.spi_i"));
		table_cell(t, text(sa, "ike.spi_r"));
		table_cell(t, text(sa, "established"));
		cell_list(t, sa, "peer_flags", NULL);
	}
}

bool ctl_show_sas(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { ">ID",   "PEER", "REMOTE", "NAT",	    "INNER", "CONN",
					     "STATE", "IKE",  "UP",	"REKEY IN", "SEEN" };
	static const char *const wide_heads[] = { ">ID",      "PEER",  "REMOTE", "NAT",		"INNER",     "CONN",
						  "STATE",    "IKE",   "UP",	 "REKEY IN",	"SEEN",	     "LOCAL",
						  "LOCAL ID", "SPI I", "SPI R",	 "ESTABLISHED", "PEER KNOWS" };
	static const char *const child_heads[] = { "", "", "", "", "", ">", ">", "", ">", ">" };
	struct table_kind kinds[] = { { COLUMNS(heads), 0 }, { COLUMNS(child_heads), 4 } };
	struct table *t;

	if (style->wide)
		kinds[0] = (struct table_kind){ COLUMNS(wide_heads), 0 };
	t = table_create(kinds, 2);
	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *sa = json_array_get(items, i), *children = at(sa, "children");

		sa_row(t, sa, style->wide);
		for (size_t k = 0; k < json_array_size(children); k++)
			child_row(t, json_array_get(children, k), style->wide);
	}
	return finish(t, style, out, "no SAs");
}

static void field(struct table *t, const char *name, const char *value)
{
	table_row(t, 0);
	table_cell(t, name);
	table_cell(t, value);
}

static void field_age(struct table *t, const json_t *j, const char *name, const char *path, const char *suffix)
{
	table_row(t, 0);
	table_cell(t, name);
	cell_age(t, j, path, "", suffix);
}

static void sa_fields(struct table *t, const json_t *sa)
{
	char list[512];

	table_row(t, 0);
	table_cell(t, "IKE SA");
	table_cellf(t, "#%lld, %s, connection %s", number(sa, "id"), word(sa, "state"), word(sa, "conn"));
	field(t, "peer", text(sa, "identity"));
	if (text(sa, "auth"))
		field(t, "proved by", text(sa, "auth"));
	if (text(sa, "told_identity"))
		field(t, "its IDi", text(sa, "told_identity"));
	table_row(t, 0);
	table_cell(t, "peer at");
	cell_endpoint(t, at(sa, "remote"));
	table_row(t, 0);
	table_cell(t, "we at");
	cell_endpoint(t, at(sa, "local"));
	field(t, "our identity", text(sa, "local.id"));
	field(t, "NAT", nat_text(sa));
	field(t, "inner addresses", join(at(sa, "inner"), NULL, list, sizeof(list)));
	field(t, "algorithms", text(sa, "ike.proposal"));
	table_row(t, 0);
	table_cell(t, "SPIs");
	table_cellf(t, "%s_i%s  %s_r%s", word(sa, "ike.spi_i"), is_true(sa, "ike.initiator") ? "*" : "",
		    word(sa, "ike.spi_r"), is_true(sa, "ike.initiator") ? "" : "*");
	field(t, "peer knows", join(at(sa, "peer_flags"), NULL, list, sizeof(list)));
	field(t, "established", text(sa, "established"));
	field_age(t, sa, "up", "age", "");
	field_age(t, sa, "rekey in", "rekey_in", "");
	field_age(t, sa, "expires in", "expires_in", "");
	field_age(t, sa, "last seen", "last_seen", " ago");
}

static void way_fields(struct table *t, const json_t *child, const char *way)
{
	char path[32], spi[32], bytes[UNIT_TEXT];

	(void)snprintf(spi, sizeof(spi), "spi_%s", way);
	(void)snprintf(path, sizeof(path), "bytes_%s", way);
	(void)unit_bytes((uint64_t)number(child, path), bytes);
	(void)snprintf(path, sizeof(path), "packets_%s", way);
	table_row(t, 0);
	table_cellf(t, "  %s", way);
	table_cellf(t, "SPI %s, %s, %lld packets", word(child, spi), bytes, number(child, path));
}

static void child_fields(struct table *t, const json_t *child)
{
	char list[512];

	table_row(t, 0);
	table_cell(t, "CHILD SA");
	table_cellf(t, "%s #%lld, %s, %s, %s", word(child, "name"), number(child, "id"), word(child, "state"),
		    word(child, "mode"), is_true(child, "udp_encap") ? "ESP in UDP" : "ESP");
	field(t, "  algorithms", text(child, "proposal"));
	field(t, "  our side", join(at(child, "local_ts"), NULL, list, sizeof(list)));
	field(t, "  peer's side", join(at(child, "remote_ts"), NULL, list, sizeof(list)));
	way_fields(t, child, "in");
	way_fields(t, child, "out");
	table_row(t, 0);
	table_cell(t, "  dropped");
	table_cellf(t, "%lld replayed, %lld forged, %lld misdirected", number(child, "drops.replay"),
		    number(child, "drops.bad_icv"), number(child, "drops.bad_policy"));
	field_age(t, child, "  up", "age", "");
	field_age(t, child, "  rekey in", "rekey_in", "");
	field_age(t, child, "  expires in", "expires_in", "");
	field_age(t, child, "  last used", "last_use", " ago");
}

bool ctl_show_sa(const json_t *items, const struct ctl_style *style, FILE *out)
{
	const struct table_kind kind = { NULL, 2, 0 };
	struct table *t = table_create(&kind, 1);

	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *sa = json_array_get(items, i), *children = at(sa, "children");

		sa_fields(t, sa);
		for (size_t k = 0; k < json_array_size(children); k++)
			child_fields(t, json_array_get(children, k));
	}
	return finish(t, style, out, "no SA");
}

/* ---- configuration ---- */

bool ctl_show_conns(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = {
		"NAME", "LOCAL ID", "REMOTE IDS", "AUTH", "POOLS", ">IKE SAS", ">CHILD SAS"
	};
	static const char *const child_heads[] = { "", "", "" };
	const struct table_kind kinds[] = { { COLUMNS(heads), 0 }, { COLUMNS(child_heads), 4 } };
	struct table *t = table_create(kinds, 2);

	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *c = json_array_get(items, i), *children = at(c, "children");

		table_row(t, 0);
		table_cell(t, text(c, "name"));
		table_cell(t, text(c, "local_id"));
		cell_list(t, c, "remote_ids", "any");
		table_cell(t, text(c, "auth"));
		cell_list(t, c, "pools", NULL);
		table_cellf(t, "%lld", number(c, "sas.ike"));
		table_cellf(t, "%lld", number(c, "sas.child"));
		if (style->wide) {
			table_row(t, 1);
			table_cell(t, "IKE");
			cell_list(t, c, "proposals", NULL);
		}
		for (size_t k = 0; k < json_array_size(children); k++) {
			const json_t *child = json_array_get(children, k);
			char ours[512], theirs[512];

			table_row(t, 1);
			table_cell(t, text(child, "name"));
			table_cellf(t, "%s <> %s", join(at(child, "local_ts"), "-", ours, sizeof(ours)),
				    join(at(child, "remote_ts"), "dynamic", theirs, sizeof(theirs)));
			if (style->wide)
				cell_list(t, child, "proposals", NULL);
		}
	}
	return finish(t, style, out, "no connections are configured");
}

static void cell_share(struct table *t, const json_t *p)
{
	double size = (double)number(p, "size");

	if (size > 0)
		table_cellf(t, "%.1f %%", 100.0 * (double)number(p, "used") / size);
	else
		table_cell(t, NULL);
}

bool ctl_show_pools(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = {
		"NAME", "ADDRESSES", ">SIZE", ">USED", ">KEPT", ">IN USE", "LEASE", "DNS"
	};
	const struct table_kind kind = { COLUMNS(heads), 0 };
	struct table *t = table_create(&kind, 1);

	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *p = json_array_get(items, i);
		bool huge = number(p, "size") >= INT64_C(1) << 53;

		table_row(t, 0);
		table_cell(t, text(p, "name"));
		table_cell(t, text(p, "addresses"));
		if (huge)
			table_cell(t, "many");
		else
			table_cellf(t, "%lld", number(p, "size"));
		table_cellf(t, "%lld", number(p, "used"));
		table_cellf(t, "%lld", number(p, "kept"));
		cell_share(t, p);
		cell_age(t, p, "lease_time", "", "");
		cell_list(t, p, "dns", NULL);
	}
	return finish(t, style, out, "no pools are configured");
}

bool ctl_show_leases(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "POOL", "ADDRESS", "IDENTITY", "STATE", "KEPT FOR" };
	const struct table_kind kind = { COLUMNS(heads), 0 };
	struct table *t = table_create(&kind, 1);

	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *l = json_array_get(items, i);

		table_row(t, 0);
		table_cell(t, text(l, "pool"));
		table_cell(t, text(l, "addr"));
		table_cell(t, text(l, "identity"));
		table_cell(t, text(l, "state"));
		cell_age(t, l, "expires_in", "", "");
	}
	return finish(t, style, out, "no leases");
}

/* ---- the daemon ---- */

/* Counters that are zero are left out, unless wide: what happened stands out. */
static void counters(struct table *t, const char *title, const json_t *object, bool wide)
{
	const char *name;
	json_t *v;

	table_row(t, 0);
	table_cell(t, title);
	json_object_foreach((json_t *)(uintptr_t)object, name, v)
	{
		if (!wide && json_integer_value(v) == 0)
			continue;
		table_row(t, 1);
		table_cellf(t, "%lld", (long long)json_integer_value(v));
		table_cell(t, name);
	}
}

bool ctl_show_stats(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "" }, *const counter_heads[] = { ">", "" };
	const struct table_kind kinds[] = { { COLUMNS(heads), 0 }, { COLUMNS(counter_heads), 4 } };
	const json_t *s = json_array_get(items, 0);
	struct table *t = table_create(kinds, 2);
	char up[UNIT_TEXT];
	bool ok;

	if (!t)
		return false;
	table_row(t, 0);
	table_cellf(t, "gatewayd %s, up %s", word(s, "version"), unit_age(number(s, "uptime"), up));
	table_row(t, 0);
	table_cellf(t, "SAs: %lld IKE, %lld half-open, %lld CHILD", number(s, "sas.ike"), number(s, "sas.half_open"),
		    number(s, "sas.child"));
	table_row(t, 0);
	table_cellf(t, "data plane: %s (%s)", word(s, "dataplane.name"), word(s, "dataplane.why"));
	counters(t, "IKE:", at(s, "ike"), style->wide);
	counters(t, "daemon:", at(s, "daemon"), style->wide);
	counters(t, "ESP:", at(s, "dataplane.counters"), style->wide);
	if (at(s, "ha")) {
		counters(t, "pair:", at(s, "ha.node"), style->wide);
		counters(t, "heartbeats:", at(s, "ha.heartbeat"), style->wide);
		counters(t, "sync link:", at(s, "ha.link"), style->wide);
	}
	ok = table_print(t, out, false);
	table_destroy(t);
	return ok;
}

bool ctl_show_version(const json_t *items, const struct ctl_style *style, FILE *out)
{
	const json_t *v = json_array_get(items, 0);
	char up[UNIT_TEXT];

	(void)style;
	return fprintf(out, "gatewayd %s, node %s, pid %lld, up %s, data plane %s\n", word(v, "version"),
		       word(v, "node"), number(v, "pid"), unit_age(number(v, "uptime"), up), word(v, "dataplane")) >= 0;
}

bool ctl_show_level(const json_t *items, const struct ctl_style *style, FILE *out)
{
	(void)style;
	return fprintf(out, "%s\n", word(json_array_get(items, 0), "level")) >= 0;
}

bool ctl_show_export(const json_t *items, const struct ctl_style *style, FILE *out)
{
	const json_t *v = json_array_get(items, 0);

	(void)style;
	return fprintf(out, "keys are in %s/%s and %s/%s; copy both to ~/.config/wireshark/\n", word(v, "folder"),
		       word(v, "ike"), word(v, "folder"), word(v, "esp")) >= 0;
}

/* The words of config/diff.h for people. */
static const char *effect_text(const char *effect)
{
	static const char *const texts[][2] = {
		{ "now", "at once, no SA is touched" },
		{ "new-sas", "new SAs only" },
		{ "sas-go", "these SAs go" },
		{ "restart", "takes a restart" },
	};

	for (size_t i = 0; effect && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(effect, texts[i][0]) == 0)
			return texts[i][1];
	return effect;
}

bool ctl_show_reload(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "ITEM", "CHANGE", "KEYS", "EFFECT", ">SAS" };
	const struct table_kind kind = { COLUMNS(heads), 0 };
	const json_t *v = json_array_get(items, 0), *changes = at(v, "changes");
	bool dry = json_is_true(at(v, "dry_run"));
	struct table *t = table_create(&kind, 1);

	if (!t)
		return false;
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *c = json_array_get(changes, i);

		table_row(t, 0);
		table_cell(t, text(c, "item"));
		table_cell(t, text(c, "change"));
		table_cell(t, text(c, "keys"));
		table_cell(t, effect_text(text(c, "effect")));
		table_cellf(t, "%lld", number(c, "sas"));
	}
	if (!finish(t, style, out, "no changes"))
		return false;
	if (number(v, "more") > 0)
		fprintf(out, "and %lld more\n", number(v, "more"));
	if (dry)
		return fprintf(out, "dry run: nothing was done; %lld IKE SAs and %lld CHILD SAs would end\n",
			       number(v, "sas"), number(v, "children")) >= 0;
	return fprintf(out, "reloaded: %lld connections, %lld pools; %lld IKE SAs and %lld CHILD SAs end\n",
		       number(v, "conns"), number(v, "pools"), number(v, "sas"), number(v, "children")) >= 0;
}
