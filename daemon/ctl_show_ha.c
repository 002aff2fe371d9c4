/* The pair as text. The first line of `ha status` is the answer to the one question. */
#include <string.h>

#include "daemon/ctl_print.h"
#include "daemon/ctl_show.h"

static const char *word(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s && *s ? s : "-";
}

static long long number(const json_t *j, const char *key)
{
	return (long long)json_integer_value(json_object_get(j, key));
}

static bool is_true(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

static void say_survival(const json_t *s, FILE *out)
{
	const json_t *because = json_object_get(s, "because");

	if (is_true(s, "survives")) {
		fputs("would survive a failure now: yes\n", out);
		return;
	}
	fputs("would survive a failure now: no, because ", out);
	for (size_t i = 0; i < json_array_size(because); i++)
		fprintf(out, "%s%s", i > 0 ? "; " : "", json_string_value(json_array_get(because, i)));
	fputc('\n', out);
}

static void say_role(const json_t *s, FILE *out)
{
	static const char *const states[] = { "asleep", "handing", "paused", "draining" };

	fprintf(out, "this node:  %s, %s, term %lld, since %s: %s", word(s, "node"), word(s, "role"), number(s, "term"),
		word(s, "since"), word(s, "why"));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (is_true(s, states[i]))
			fprintf(out, ", %s", states[i]);
	fprintf(out, "; data plane %s\n", word(s, "gate"));
}

static void say_peer(const json_t *s, FILE *out)
{
	const json_t *p = json_object_get(s, "peer");

	fprintf(out, "other node: %s, %s, ", word(p, "node"), word(p, "role"));
	if (is_true(p, "heard"))
		fprintf(out, "heard %lld ms ago", number(p, "heard_ms"));
	else
		fputs("not heard", out);
	fprintf(out, ", sync link %s%s%s%s\n", is_true(p, "linked") ? "up" : "down",
		is_true(p, "withdrawn") ? ", its daemon is dead" : "", is_true(p, "leaving") ? ", leaving" : "",
		is_true(p, "asleep") ? ", asleep" : "");
	if (is_true(s, "config_differs"))
		fprintf(out, "            the configurations of the two nodes differ: %s\n",
			word(s, "config_differs_in"));
}

static void say_sync(const json_t *s, FILE *out)
{
	const json_t *lag = json_object_get(s, "lag"), *replay = json_object_get(s, "replay");

	fprintf(out, "state:      %s; %lld objects of %lld tunnels, %lld not acknowledged for %lld us, %lld refused\n",
		is_true(s, "synced") ? "in sync" : "not in sync", number(s, "objects"), number(s, "tunnels"),
		number(s, "unacknowledged"), number(lag, "us"), number(s, "refused"));
	fprintf(out, "replay:     %s, %lld packets in the last %lld ms\n", word(replay, "mode"),
		number(replay, "packets"), number(replay, "us") / 1000);
}

static bool print(struct table *t, const struct ctl_style *style, FILE *out)
{
	bool ok = table_empty(t) || (fputc('\n', out) != EOF && table_print(t, out, style->headers));

	table_destroy(t);
	return ok;
}

static bool paths(const json_t *s, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "PATH", "TO", "INTERFACE", "STATE", ">HEARD" };
	const struct table_kind kind = { heads, sizeof(heads) / sizeof(heads[0]), 0 };
	const json_t *list = json_object_get(s, "paths");
	struct table *t = table_create(&kind, 1);

	for (size_t i = 0; t && i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);

		table_row(t, 0);
		table_cell(t, word(p, "local"));
		table_cell(t, word(p, "remote"));
		table_cell(t, word(p, "interface"));
		table_cell(t, !is_true(p, "up") ? "down" : is_true(p, "heard") ? "heard" : "silent");
		if (json_is_integer(json_object_get(p, "heard_ms")))
			table_cellf(t, "%lld ms ago", number(p, "heard_ms"));
		else
			table_cell(t, "never");
	}
	return t && print(t, style, out);
}

static bool addresses(const json_t *s, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "VIRTUAL ADDRESS", "INTERFACE", "HERE" };
	const struct table_kind kind = { heads, sizeof(heads) / sizeof(heads[0]), 0 };
	const json_t *list = json_object_get(s, "addresses");
	struct table *t = table_create(&kind, 1);

	for (size_t i = 0; t && i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i);

		table_row(t, 0);
		table_cell(t, word(a, "address"));
		table_cell(t, word(a, "interface"));
		table_cell(t, is_true(a, "present") ? "yes" : "no");
	}
	return t && print(t, style, out);
}

static bool refusals(const json_t *s, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "REFUSED", "KEY", "WHY" };
	const struct table_kind kind = { heads, sizeof(heads) / sizeof(heads[0]), 0 };
	const json_t *list = json_object_get(s, "refusals");
	struct table *t = table_create(&kind, 1);

	for (size_t i = 0; t && i < json_array_size(list); i++) {
		const json_t *r = json_array_get(list, i);

		table_row(t, 0);
		table_cell(t, word(r, "kind"));
		table_cell(t, word(r, "key"));
		table_cell(t, word(r, "text"));
	}
	return t && print(t, style, out);
}

static bool transitions(const json_t *s, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "AT", "BECAME", ">TERM", "WHY" };
	const struct table_kind kind = { heads, sizeof(heads) / sizeof(heads[0]), 0 };
	const json_t *list = json_object_get(s, "transitions");
	struct table *t = table_create(&kind, 1);

	for (size_t i = 0; t && i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		table_row(t, 0);
		table_cell(t, word(c, "at"));
		table_cell(t, word(c, "to"));
		table_cellf(t, "%lld", number(c, "term"));
		table_cell(t, word(c, "why"));
	}
	return t && print(t, style, out);
}

bool ctl_show_ha_status(const json_t *items, const struct ctl_style *style, FILE *out)
{
	const json_t *s = json_array_get(items, 0);

	say_survival(s, out);
	say_role(s, out);
	say_peer(s, out);
	say_sync(s, out);
	return paths(s, style, out) && addresses(s, style, out) && refusals(s, style, out) &&
	       transitions(s, style, out);
}

bool ctl_show_ha_role(const json_t *items, const struct ctl_style *style, FILE *out)
{
	const json_t *s = json_array_get(items, 0);

	(void)style;
	return fprintf(out, "this node is %s, term %lld\n", word(s, "role"), number(s, "term")) >= 0;
}

bool ctl_show_ha_verified(const json_t *items, const struct ctl_style *style, FILE *out)
{
	static const char *const heads[] = { "WHAT", "KIND", "KEY", ">ACTIVE", ">STANDBY", "WHY" };
	const struct table_kind kind = { heads, sizeof(heads) / sizeof(heads[0]), 0 };
	const json_t *v = json_array_get(items, 0), *list = json_object_get(v, "differences");
	struct table *t = table_create(&kind, 1);

	fprintf(out, "%s: %lld objects compared, %lld differ, %lld only active, %lld only standby; ",
		is_true(v, "equal") ? "equal" : "not equal", number(v, "objects"), number(v, "differing"),
		number(v, "only_active"), number(v, "only_standby"));
	fprintf(out, "data plane here: %lld SAs, %lld missing, %lld unknown%s\n", number(v, "plane_sas"),
		number(v, "plane_lacks"), number(v, "plane_extra"),
		is_true(v, "repair") ? "; repair was asked for" : "");
	for (size_t i = 0; t && i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);

		table_row(t, 0);
		table_cell(t, word(d, "what"));
		table_cell(t, word(d, "kind"));
		table_cell(t, word(d, "key"));
		table_cellf(t, "%lld", number(d, "active"));
		table_cellf(t, "%lld", number(d, "standby"));
		table_cell(t, word(d, "why"));
	}
	return t && print(t, style, out);
}
