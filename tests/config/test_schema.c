#include "config/schema.h"

#include "config/yaml.h"
#include "tests/config/scene.h"

#include <errno.h>

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 256 * 1024);

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	(void)!fread(text, 1, 256 * 1024 - 1, f);
	(void)fclose(f);
	return text;
}

struct search {
	const struct yaml_node *root;
	const char *text;
	size_t seen, sections, required;
};

/* The member of the path's first part in any of the names where the path says <name>. */
static bool find(const struct yaml_node *n, const char *path)
{
	size_t len = strcspn(path, ".");
	const char *rest = path[len] ? path + len + 1 : NULL;
	bool any = strncmp(path, "<name>", len) == 0;

	if (!n || n->kind != YAML_MAP)
		return false;
	for (const struct yaml_node *m = n->first; m; m = m->next)
		if ((any || (strlen(m->key) == len && strncmp(m->key, path, len) == 0)) && (!rest || find(m, rest)))
			return true;
	return false;
}

static void in_example(void *arg, const struct schema_entry *e)
{
	struct search *s = arg;

	s->seen++;
	s->sections += e->section;
	s->required += e->required;
	ck_assert_msg(find(s->root, e->path), "gateway.yaml.example lacks %s", e->path);
	ck_assert_str_ne(e->help, "");
	ck_assert_str_ne(e->type, "");
	/* What is neither required nor a section has a default, and says so. */
	ck_assert_msg((*e->fallback == 0) == (e->section || e->required), "%s", e->path);
}

START_TEST(the_example_has_every_key)
{
	char *text = slurp(TEST_DATA "/../gateway.yaml.example");
	struct config_report r = { 0 };
	struct yaml_node *root = yaml_tree_parse(bytes_str(text), &r);
	struct search s = { .root = root };

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(r.count, 0);
	ck_assert_uint_eq(config_schema_each(in_example, &s), s.seen);
	ck_assert_uint_gt(s.seen, 55);
	ck_assert_uint_gt(s.sections, 8);
	ck_assert_uint_eq(s.required, 10);
	ck_assert_uint_eq(config_schema_each(NULL, NULL), s.seen);
	ck_assert(!find(root, "listen.nonsense"));
	ck_assert(!find(root, "connections.<name>.nonsense"));
	yaml_tree_free(root);
	config_report_clear(&r);
	free(text);
}
END_TEST

START_TEST(the_example_loads_without_a_word)
{
	char *text = slurp(TEST_DATA "/../gateway.yaml.example");
	struct config_sources src = scene_sources(NULL);
	struct config_report r;
	struct settings *s = config_load_text("gateway.yaml.example", bytes_str(text), &src, &r);
	char *problems = scene_problems(&r);

	ck_assert_str_eq(problems, "");
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->conn_count, 1);
	ck_assert_uint_eq(s->conns[0].pool_count, 2);
	ck_assert(bytes_equal(secret_bytes(&s->conns[0].psk), bytes_str("from the file")));
	settings_unref(s);
	config_report_clear(&r);
	free(problems);
	free(text);
}
END_TEST

/* "with its default unless said otherwise": where the example gives a value, leaving it out changes nothing. */
START_TEST(the_example_says_the_defaults)
{
	char *text = slurp(TEST_DATA "/../gateway.yaml.example"), a[PROPOSAL_TEXT], b[PROPOSAL_TEXT];
	struct config_sources src = scene_sources(NULL);
	struct config_report r;
	struct settings *s = config_load_text("f", bytes_str(text), &src, &r), *plain = scene_good(ROAD);
	struct conn_cfg *c = &s->conns[0], *d = &plain->conns[0];

	ck_assert_mem_eq(&s->ike, &plain->ike, sizeof(s->ike));
	ck_assert_str_eq(s->state_dir, plain->state_dir);
	ck_assert_int_eq(s->shutdown, plain->shutdown);
	ck_assert_int_eq(s->dataplane, plain->dataplane);
	ck_assert_uint_eq(s->mss_clamp, plain->mss_clamp);
	ck_assert_int_eq(c->offload, d->offload);
	ck_assert_uint_eq(s->port, plain->port);
	ck_assert_uint_eq(s->port_natt, plain->port_natt);
	ck_assert_str_eq(s->tun_name, plain->tun_name);
	ck_assert_uint_eq(s->tun_mtu, plain->tun_mtu);
	ck_assert_int_eq(s->raw_esp, plain->raw_esp);
	ck_assert_str_eq(s->control_socket, plain->control_socket);
	ck_assert_int_eq(s->log_level, plain->log_level);
	ck_assert_int_eq(s->log_auto, plain->log_auto);
	ck_assert_int_eq(s->pools[0].lease_time_us, s->pools[1].lease_time_us);
	ck_assert(s->ha.enabled && !plain->ha.enabled);
	ck_assert_str_eq(s->ha.cluster, plain->ha.cluster);
	ck_assert_uint_eq(s->ha.port, plain->ha.port);
	ck_assert_int_eq(s->ha.heartbeat_interval_us, plain->ha.heartbeat_interval_us);
	ck_assert_uint_eq(s->ha.heartbeat_misses, plain->ha.heartbeat_misses);
	ck_assert_int_eq(s->ha.replay, plain->ha.replay);
	ck_assert_int_eq(s->ha.election, plain->ha.election);
	ck_assert_int_eq(s->ha.start_hold_us, plain->ha.start_hold_us);
	ck_assert_int_eq(s->ha.flap_hold_us, plain->ha.flap_hold_us);
	ck_assert_int_eq(s->ha.preempt_delay_us, plain->ha.preempt_delay_us);
	ck_assert_int_eq(s->ha.preempt_synced, plain->ha.preempt_synced);
	ck_assert_int_eq(s->ha.announce_us, plain->ha.announce_us);
	ck_assert_int_eq(s->ha.hook_timeout_us, plain->ha.hook_timeout_us);
	ck_assert_uint_eq(s->ha.nodes[0].index, 0);
	ck_assert_uint_eq(s->ha.nodes[1].index, 1);
	ck_assert_uint_eq(s->ha.nodes[0].priority, s->ha.nodes[1].priority);
	ck_assert_int_eq(c->rekey_us, d->rekey_us);
	ck_assert_int_eq(c->life_us, d->life_us);
	ck_assert_uint_eq(c->rekey_jitter_percent, d->rekey_jitter_percent);
	ck_assert_int_eq(c->dpd_us, d->dpd_us);
	ck_assert_uint_eq(c->compat, d->compat);
	ck_assert_int_eq(c->unique.policy, d->unique.policy);
	ck_assert_int_eq(c->rekey_by, d->rekey_by);
	ck_assert_int_eq(c->reauth_us, d->reauth_us);
	ck_assert_int_eq(c->mobike, d->mobike);
	ck_assert_int_eq(c->childless, d->childless);
	ck_assert_int_eq(c->children[0].pfs, d->children[0].pfs);
	ck_assert_int_eq(c->children[0].mode, d->children[0].mode);
	ck_assert_uint_eq(c->children[0].rekey_bytes, d->children[0].rekey_bytes);
	ck_assert_uint_eq(c->children[0].rekey_packets, d->children[0].rekey_packets);
	ck_assert_int_eq(c->children[0].inactivity_us, d->children[0].inactivity_us);
	ck_assert_int_eq(c->children[0].single_pair, d->children[0].single_pair);
	ck_assert_uint_eq(c->proposal_count, d->proposal_count);
	ck_assert_uint_eq(c->children[0].proposal_count, d->children[0].proposal_count);
	for (size_t i = 0; i < c->proposal_count; i++)
		ck_assert_str_eq(proposal_text(&c->proposals[i], a), proposal_text(&d->proposals[i], b));
	for (size_t i = 0; i < c->children[0].proposal_count; i++)
		ck_assert_str_eq(proposal_text(&c->children[0].proposals[i], a),
				 proposal_text(&d->children[0].proposals[i], b));
	ck_assert_int_eq(c->children[0].rekey_us, d->children[0].rekey_us);
	ck_assert_int_eq(c->children[0].life_us, d->children[0].life_us);
	ck_assert_uint_eq(c->children[0].replay_window, d->children[0].replay_window);
	ck_assert_int_eq(c->children[0].copy_dscp, d->children[0].copy_dscp);
	ck_assert_int_eq(c->children[0].copy_df, d->children[0].copy_df);
	ck_assert_uint_eq(c->children[0].remote_count, d->children[0].remote_count);
	settings_unref(s);
	settings_unref(plain);
	config_report_clear(&r);
	free(text);
}
END_TEST

/* roff's \- and line breaks are not what we compare. */
static void flatten(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (strncmp(from, "\\(ga", 4) == 0) {
			*to++ = '`';
			from += 3;
		} else if (*from != '\\') {
			*to++ = *from;
		}
	*to = 0;
}

static void in_man(void *arg, const struct schema_entry *e)
{
	struct search *s = arg;
	char heading[200], wanted[600], item[4096];
	const char *at, *end;

	(void)snprintf(heading, sizeof(heading), ".TP\n.B %s\n", e->path);
	at = strstr(s->text, heading);
	ck_assert_msg(at != NULL, "gateway.yaml(5) lacks %s", e->path);
	at += strlen(heading);
	end = strstr(at, "\n.TP\n") ? strstr(at, "\n.TP\n") : strstr(at, "\n.SH ");
	ck_assert_ptr_nonnull(end);
	(void)snprintf(item, sizeof(item), "%.*s\n", (int)(end - at), at);
	ck_assert_msg(strncmp(item, e->help, strlen(e->help)) == 0, "gateway.yaml(5) on %s: %s", e->path, item);
	if (e->section)
		return;
	(void)snprintf(wanted, sizeof(wanted), "\nType: %s%s%s.\n", e->type, *e->range ? "; " : "", e->range);
	ck_assert_msg(strstr(item, wanted) != NULL, "gateway.yaml(5) on %s:%s", e->path, wanted);
	(void)snprintf(wanted, sizeof(wanted), e->required ? "\nRequired.\n" : "\nDefault: %s.\n", e->fallback);
	for (char *space = strstr(wanted, " aes256-"); space; space = strstr(space + 1, " aes256-"))
		*space = strncmp(space - 9, "\nDefault:", 9) == 0 ? ' ' : '\n';
	ck_assert_msg(strstr(item, wanted) != NULL, "gateway.yaml(5) on %s:%s", e->path, wanted);
}

START_TEST(the_man_page_has_every_key)
{
	char *text = slurp(TEST_DATA "/../man/gateway.yaml.5");
	struct search s = { .text = text };

	flatten(text);
	ck_assert_uint_gt(config_schema_each(in_man, &s), 0);
	free(text);
}
END_TEST

START_TEST(durations_as_text)
{
	static const struct row {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1us" },
		{ MILLISECONDS(1), "1ms" },
		{ MILLISECONDS(1500), "1500ms" },
		{ SECONDS(1), "1s" },
		{ SECONDS(90), "90s" },
		{ SECONDS(60), "1m" },
		{ SECONDS(3600), "1h" },
		{ SECONDS(5400), "90m" },
		{ SECONDS(86400), "1d" },
		{ SECONDS(90000), "25h" },
	};
	char buf[DURATION_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(duration_text(rows[i].us, buf), rows[i].text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("schema");

	tcase_add_test(t, the_example_has_every_key);
	tcase_add_test(t, the_example_loads_without_a_word);
	tcase_add_test(t, the_example_says_the_defaults);
	tcase_add_test(t, the_man_page_has_every_key);
	tcase_add_test(t, durations_as_text);
	return check_main("schema", t);
}
