/* gateway.yaml from anybody: no text may crash, leak, reach the disk or the environment, or be half accepted. */
#include "config/load.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *no_env(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static enum gw_err no_secret(void *arg, const char *path, struct secret *out, struct err *e)
{
	(void)arg;
	(void)out;
	return err_set(e, GW_EPERM, "no %s here", path);
}

/* What was accepted holds what the engine counts on, and is printed as it can be read again. */
static void check_settings(const struct settings *s)
{
	if (s->port == 0 || s->port_natt == 0 || !s->node || !s->state_dir || !s->tun_name || !s->control_socket ||
	    s->dataplane == DATAPLANE_FAKE || s->node_index > 15)
		abort();
	for (size_t i = 0; i < s->pool_count; i++)
		if (range_size(&s->pools[i].addresses) == 0 || s->pools[i].prefix_len > 128)
			abort();
	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		if (!c->name || c->psk.n == 0 || c->proposal_count == 0 || c->rekey_jitter_percent > 50)
			abort();
		for (size_t j = 0; j < c->pool_count; j++)
			if (!c->pools[j])
				abort();
		for (size_t j = 0; j < c->proposal_count; j++) {
			char text[PROPOSAL_TEXT];
			struct proposal_cfg back;

			if (proposal_parse(proposal_text(&c->proposals[j], text), PROPOSAL_IKE, &back, NULL) != GW_OK)
				abort();
		}
		for (size_t j = 0; j < c->child_count; j++)
			if (!c->children[j].name || c->children[j].local_count == 0 ||
			    c->children[j].proposal_count == 0)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_sources src = { .getenv = no_env, .read_secret = no_secret };
	struct config_report report;
	struct settings *s = config_load_text("fuzz/gateway.yaml", bytes_of(data, size), &src, &report);
	char line[512];

	if ((s != NULL) != (report.errors == 0))
		abort();
	for (size_t i = 0; i < report.count; i++)
		(void)config_problem_text(&report, i, line, sizeof(line));
	if (s)
		check_settings(s);
	settings_unref(s);
	config_report_clear(&report);
	return 0;
}
