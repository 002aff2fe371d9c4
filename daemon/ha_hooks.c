#include "daemon/ha_hooks.h"

#include <stdlib.h>

#include "daemon/gateway.h"
#include "daemon/ha_show.h"
#include "daemon/show.h"

#define SCHEMA "gateway-hook/1"

static json_t *address_text(const struct addr *a)
{
	char text[ADDR_TEXT];

	return json_string(addr_text(a, text));
}

static json_t *peer(const struct ha_cfg *c)
{
	json_t *list = json_array();

	(void)json_array_append_new(list, address_text(&c->peer->sync));
	for (size_t i = 0; i < c->peer->heartbeat_count; i++)
		(void)json_array_append_new(list, address_text(&c->peer->heartbeat[i]));
	return json_pack("{s:o, s:i, s:o}", "node", show_text(c->peer->name), "index", (int)c->peer->index, "addresses",
			 list);
}

static json_t *virtual_addresses(const struct ha_cfg *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->address_count; i++) {
		const struct prefix p = { c->addresses[i].address, c->addresses[i].prefix_len };
		char text[ADDR_TEXT + 4];

		(void)json_array_append_new(list, json_pack("{s:s, s:o}", "address", prefix_text(&p, text), "interface",
							    show_text(c->addresses[i].interface)));
	}
	return list;
}

/* NULL: out of memory, or longer than a program is told. */
static char *document(const struct ha_node *h, const char *event, const char *why)
{
	const struct ha_cfg *c = &h->settings->ha;
	struct ha_status st;
	char *text = NULL;
	json_t *j;

	ha_look(h->ha, &st);
	j = json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:b, s:o, s:o}", "schema", SCHEMA, "event", event,
		      "cluster", show_text(c->cluster), "node", show_text(c->self->name), "role",
		      ha_show_role((uint8_t)st.role), "previous", ha_show_role(h->hooked_role), "term",
		      (json_int_t)st.term, "why", show_text(why), "at",
		      show_time(h->g->env.clock->wall(h->g->env.clock)), "synced", st.sync == HA_SYNC_DONE, "peer",
		      peer(c), "virtual_addresses", virtual_addresses(c));
	if (j)
		text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

void ha_hooks_role(struct ha_node *h, const char *why)
{
	uint8_t role = (uint8_t)ha_role_of(h->ha);
	struct err e = { 0 };
	char *text;

	if (role == h->hooked_role)
		return;
	if (h->programs && h->live->ha.hook) {
		text = document(h, "role", why);
		if (!text || programs_run(h->programs, PROGRAM_ROLE, text, NULL, NULL, &e) != GW_OK)
			log_error(&h->g->log, "%s", text ? e.text : "hooks.role: out of memory");
		free(text);
	}
	h->hooked_role = role; /* also without a program: one may come */
}

static void on_fenced(void *arg, bool ok, const char *text)
{
	struct ha_node *h = arg;

	ha_fenced(h->ha, ok, text);
}

void ha_hooks_fence(struct ha_node *h, const char *why)
{
	struct err e = { 0 };
	char *text = h->programs ? document(h, "fence", why) : NULL;

	if (!text)
		err_set(&e, GW_EIO, "hooks.fence cannot be run");
	else if (programs_run(h->programs, PROGRAM_FENCE, text, on_fenced, h, &e) == GW_OK)
		e.text[0] = 0;
	free(text);
	if (e.text[0])
		on_fenced(h, false, e.text);
}
