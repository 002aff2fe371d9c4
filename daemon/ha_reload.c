/*
 * A pair's settings while it runs: what the schema calls in force at once. Who we are, how the nodes find and judge
 * each other (addresses, port, heartbeats) and the virtual addresses stay as at the start: both nodes have to agree on
 * the former at every moment, and clients hang on the latter.
 */
#include "config/fingerprint.h"
#include "daemon/gateway.h"
#include "daemon/ha_node.h"

#define SECRET_GRACE_US SECONDS(600)

static void failed(const struct ha_node *h, const struct err *e)
{
	log_error(&h->g->log, "reload: %s", e->text);
}

static void take_secret(struct ha_node *h, const struct settings *is)
{
	struct bytes secret = secret_bytes(&is->ha.secret);
	struct err e = { 0 };

	/* Each finds out whether it is another one. */
	if (synclink_set_secret(h->link, secret, SECRET_GRACE_US, &e) != GW_OK ||
	    heartbeat_set_secret(h->beat, secret, SECRET_GRACE_US, &e) != GW_OK ||
	    ha_node_brief_parent(h, &is->ha.secret, &e) != GW_OK)
		failed(h, &e);
}

static bool asks_these(const struct witness *w, const struct ha_cfg *c)
{
	struct witness_state at;

	for (size_t i = 0; i < c->witness_count; i++)
		if (!w || !witness_at(w, i, &at) || !addr_equal(&at.addr, &c->witness[i]))
			return false;
	return !w || !witness_at(w, c->witness_count, &at);
}

static void take_witness(struct ha_node *h, const struct ha_cfg *is)
{
	struct witness *other;
	struct err e = { 0 };

	if (asks_these(h->witness, is))
		return;
	if (ha_node_open_witness(h, is, &other, &e) != GW_OK) {
		failed(h, &e);
		return;
	}
	witness_destroy(h->witness);
	h->witness = other;
}

/* The node that we were started as: else what the file says is for the next start. */
static bool is_us(const struct ha_node *h, const struct settings *is)
{
	const struct ha_node_cfg *self = is->ha.self, *us = h->settings->ha.self;

	return self && strcmp(self->name, us->name) == 0 && self->index == us->index;
}

static void take_settings(struct ha_node *h, struct settings *is)
{
	struct program_settings programs;
	struct ha_config cfg;
	struct err e = { 0 };

	settings_unref(h->live);
	h->live = settings_ref(is);
	take_witness(h, &is->ha);
	if (vips_configure(h->vips, &is->ha, &e) != GW_OK)
		failed(h, &e);
	if (h->programs) {
		programs_settings(&is->ha, &programs);
		programs_configure(h->programs, &programs);
	}
	cfg = ha_node_config(h);
	ha_configure(h->ha, &cfg);
}

void ha_node_reload(struct ha_node *h, struct settings *is)
{
	h->fingerprint = settings_fingerprint(is);
	h->peer_fingerprint = 0; /* compared anew */
	h->look = true;
	if (!is->ha.enabled || is->ha.secret.n == 0)
		return;
	take_secret(h, is);
	if (is_us(h, is))
		take_settings(h, is);
}
