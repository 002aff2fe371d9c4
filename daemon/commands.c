#include "daemon/commands.h"

#include <stdio.h>
#include <unistd.h>

#include "config/schema.h"
#include "daemon/commands_ha.h"
#include "daemon/gateway.h"
#include "daemon/ha_show.h"
#include "daemon/show.h"

enum {
	STATS_MAX = 256,
	LEASES_SLICE = 500,
	SCAN_LEAST = 64,
};

static struct show show_of(const struct gateway *g)
{
	return (struct show){ &g->env, g->dp };
}

/* ---- selection ---- */

static bool has_child(const struct ike_sa *sa, uint32_t id)
{
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (c->id == id)
			return true;
	return false;
}

/* By identity, or by an address: outer or inner. */
static bool peer_matches(const struct ike_sa *sa, const char *peer)
{
	char buf[160];
	const char *who = show_identity(sa, buf);
	struct addr a;

	if (who && strcmp(who, peer) == 0)
		return true;
	if (!addr_parse(peer, &a))
		return false;
	if (addr_equal(&sa->remote.addr, &a))
		return true;
	for (size_t i = 0; i < SA_LEASES; i++)
		if (addr_equal(&sa->leases[i].addr, &a))
			return true;
	return false;
}

static bool sa_matches(const struct ike_sa *sa, const struct control_request *r)
{
	return show_visible(sa) && (r->id == 0 || sa->id == r->id) &&
	       (r->child_id == 0 || has_child(sa, r->child_id)) &&
	       (!r->conn[0] || (sa->conn && strcmp(sa->conn->name, r->conn) == 0)) &&
	       (!r->peer[0] || peer_matches(sa, r->peer));
}

/* ---- looking ---- */

static enum gw_err list_sas(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	struct show s = show_of(g);
	uint32_t after = (uint32_t)call->cursor[0];
	const struct ike_sa *sa;

	for (unsigned n = 0; control_room(call); n++) {
		/* A filter may pass over many. */
		if (n >= SCAN_LEAST && loop_turn_over(g->loop))
			return GW_PENDING;
		sa = ike_next(g->ike, &after);
		if (!sa)
			return GW_OK;
		call->cursor[0] = after;
		if (sa_matches(sa, call->request))
			control_item(call, show_sa(&s, sa));
	}
	return GW_PENDING;
}

static enum gw_err show_one_sa(void *ctx, struct control_call *call)
{
	enum gw_err r;

	if (call->request->id == 0)
		return err_set(&call->err, GW_EINVAL, "show-sa wants the `id` of an IKE SA");
	r = list_sas(ctx, call);
	if (r == GW_OK && call->items == 0)
		return err_set(&call->err, GW_ENOTFOUND, "no IKE SA #%u", call->request->id);
	return r;
}

static void count_sas(const struct gateway *g, const struct conn_cfg *c, size_t *sas, size_t *children)
{
	const struct ike_sa *sa;
	uint32_t after = 0;

	*sas = *children = 0;
	while ((sa = ike_next(g->ike, &after)) != NULL) {
		/* By name: an SA may belong to an older snapshot of the settings. */
		if (!show_visible(sa) || !sa->conn || (sa->conn != c && strcmp(sa->conn->name, c->name) != 0))
			continue;
		(*sas)++;
		for (const struct child_sa *k = sa->children; k; k = k->next)
			(*children)++;
	}
}

static enum gw_err list_conns(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	size_t sas, children;

	/* One a slice: each is counted over all SAs. A reload in between may shorten the list. */
	if (call->cursor[0] >= g->settings->conn_count)
		return GW_OK;
	const struct conn_cfg *c = &g->settings->conns[call->cursor[0]++];

	if (call->request->conn[0] && strcmp(call->request->conn, c->name) != 0)
		return GW_PENDING;
	count_sas(g, c, &sas, &children);
	control_item(call, show_conn(c, sas, children));
	return GW_PENDING;
}

static enum gw_err list_pools(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	while (call->cursor[0] < g->settings->pool_count) {
		const struct pool_cfg *p = &g->settings->pools[call->cursor[0]];

		if (!control_room(call))
			return GW_PENDING;
		call->cursor[0]++;
		if (!call->request->pool[0] || strcmp(call->request->pool, p->name) == 0)
			control_item(call, show_pool(g->pools, p));
	}
	return GW_OK;
}

struct lease_slice {
	struct gateway *g;
	struct control_call *call;
	uint64_t at;
	unsigned left;
	bool more;
};

static bool each_lease(void *arg, const struct lease *l)
{
	struct lease_slice *s = arg;
	struct show show = show_of(s->g);

	if (s->at < s->call->cursor[0]) {
		s->at++;
		return true;
	}
	if (s->left == 0) {
		s->more = true;
		return false;
	}
	s->at++;
	s->left--;
	if (!s->call->request->pool[0] || strcmp(s->call->request->pool, l->pool) == 0)
		control_item(s->call, show_lease(&show, l));
	return true;
}

static enum gw_err list_leases(void *ctx, struct control_call *call)
{
	struct lease_slice s = { .g = ctx, .call = call, .left = LEASES_SLICE };

	pools_each(s.g->pools, each_lease, &s);
	call->cursor[0] = s.at;
	return s.more ? GW_PENDING : GW_OK;
}

static json_t *ike_counters(const struct gateway *g)
{
	struct ike_stat stats[STATS_MAX];
	size_t n = ike_stats(g->ike, stats, STATS_MAX);
	json_t *j = json_object();

	for (size_t i = 0; i < n && i < STATS_MAX; i++)
		(void)json_object_set_new(j, stats[i].name, json_integer((json_int_t)stats[i].value));
	return j;
}

static json_t *plane_counters(const struct gateway *g)
{
	struct dp_stat stats[STATS_MAX];
	size_t n = g->dp->ops->stats(g->dp, stats, STATS_MAX);
	json_t *j = json_object();

	for (size_t i = 0; i < n && i < STATS_MAX; i++)
		(void)json_object_set_new(j, stats[i].name, json_integer((json_int_t)stats[i].value));
	return j;
}

static json_t *daemon_counters(const struct gateway_counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "keepalives_in", (json_int_t)c->keepalives_in, "junk_in",
			 (json_int_t)c->junk_in, "esp_without_plane", (json_int_t)c->esp_without_plane, "send_busy",
			 (json_int_t)c->send_busy, "send_failed", (json_int_t)c->send_failed, "send_no_socket",
			 (json_int_t)c->send_no_socket);
}

static json_int_t uptime(const struct gateway *g)
{
	return (json_int_t)(mtime_since(g->started, clock_now(g->env.clock)) / 1000000);
}

static enum gw_err stats(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	json_t *j;

	j = json_pack("{s:s, s:I, s:{s:I, s:I, s:I}, s:o, s:o, s:{s:s, s:s, s:o}}", "version", GW_VERSION, "uptime",
		      uptime(g), "sas", "ike", (json_int_t)ike_count(g->ike), "half_open",
		      (json_int_t)ike_half_open_count(g->ike), "child", (json_int_t)ike_child_count(g->ike), "ike",
		      ike_counters(g), "daemon", daemon_counters(&g->counters), "dataplane", "name",
		      g->dp->ops->caps(g->dp)->name, "why", g->plane_why, "counters", plane_counters(g));
	if (j && g->ha)
		(void)json_object_set_new(j, "ha", ha_show_stats(g->ha));
	control_item(call, j);
	return GW_OK;
}

static enum gw_err version(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	control_item(call, json_pack("{s:s, s:o, s:i, s:I, s:s, s:I, s:i}", "version", GW_VERSION, "node",
				     show_text(g->settings->node ? g->settings->node : ""), "pid", (int)getpid(),
				     "uptime", uptime(g), "dataplane", g->dp->ops->caps(g->dp)->name, "incarnation",
				     (json_int_t)g->env.node.incarnation, "node_index", (int)g->env.node.index));
	return GW_OK;
}

/* ---- changing ---- */

/* What to do to the SAs of one selection; returns how many. */
typedef size_t act(struct gateway *g, const struct ike_select *which, const struct control_request *r);

static size_t act_terminate(struct gateway *g, const struct ike_select *which, const struct control_request *r)
{
	return ike_terminate(g->ike, which, r->reason[0] ? r->reason : "terminated by the operator");
}

static size_t act_rekey(struct gateway *g, const struct ike_select *which, const struct control_request *r)
{
	return ike_rekey(g->ike, which, r->child || which->child_id != 0);
}

static size_t act_probe(struct gateway *g, const struct ike_select *which, const struct control_request *r)
{
	(void)r;
	return ike_probe(g->ike, which);
}

/* An address as `peer` is ours to resolve: the engine knows identities. One pass by numbers. */
static size_t act_by_address(struct gateway *g, const struct control_request *r, act *do_it)
{
	const struct ike_sa *sa;
	uint32_t after = 0;
	size_t n = 0;

	while ((sa = ike_next(g->ike, &after)) != NULL) {
		struct ike_select one = { .id = sa->id, .child_id = r->child_id };

		if (sa_matches(sa, r))
			n += do_it(g, &one, r);
	}
	return n;
}

static enum gw_err act_on(struct gateway *g, struct control_call *call, act *do_it)
{
	const struct control_request *r = call->request;
	struct ike_select which = { .id = r->id, .child_id = r->child_id };
	struct addr a;
	size_t n;

	if (control_request_unselective(r))
		return err_set(&call->err, GW_EINVAL, "%s wants `id`, `child_id`, `conn`, `peer` or `all`", r->cmd);
	if (r->conn[0])
		which.conn = r->conn;
	if (r->peer[0])
		which.peer = r->peer;
	n = r->peer[0] && addr_parse(r->peer, &a) ? act_by_address(g, r, do_it) : do_it(g, &which, r);
	if (n == 0 && !r->all)
		return err_set(&call->err, GW_ENOTFOUND, "no SA matches");
	control_item(call, json_pack("{s:I}", "count", (json_int_t)n));
	return GW_OK;
}

static enum gw_err terminate(void *ctx, struct control_call *call)
{
	return act_on(ctx, call, act_terminate);
}

static enum gw_err rekey(void *ctx, struct control_call *call)
{
	return act_on(ctx, call, act_rekey);
}

static enum gw_err probe(void *ctx, struct control_call *call)
{
	return act_on(ctx, call, act_probe);
}

/* `for`; MTIME_NEVER without it. */
static enum gw_err until(const struct gateway *g, struct control_call *call, mtime *out)
{
	int64_t us;

	*out = MTIME_NEVER;
	if (!call->request->time[0])
		return GW_OK;
	if (!duration_parse(call->request->time, &us) || us <= 0 || us > SECONDS(7 * 86400))
		return err_set(&call->err, GW_EINVAL, "`for` wants a duration up to 7d, such as 10m, not `%s`",
			       call->request->time);
	*out = mtime_add(clock_now(g->env.clock), us);
	return GW_OK;
}

static enum gw_err set_log_level(struct gateway *g, struct control_call *call)
{
	const struct control_request *r = call->request;
	int level = log_level_parse(r->level);
	mtime end;

	if (level < 0)
		return err_set(&call->err, GW_EINVAL, "no such level `%s`: error, warn, notice, info, debug", r->level);
	TRY(until(g, call, &end));
	if (r->conn[0]) {
		if (!settings_conn(g->settings, r->conn))
			return err_set(&call->err, GW_ENOTFOUND, "no connection `%s`", r->conn);
		ike_log_conn(g->ike, r->conn, (enum log_level)level, end);
		log_notice(&g->log, "log level of connection %s is %s now%s%s", r->conn,
			   log_level_name((enum log_level)level), r->time[0] ? " for " : "", r->time);
		return GW_OK;
	}
	g->log.level = (enum log_level)level;
	loop_timer_at(g->log_timer, end);
	log_notice(&g->log, "log level is %s now%s%s", log_level_name(g->log.level), r->time[0] ? " for " : "",
		   r->time);
	return GW_OK;
}

static enum gw_err log_level(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (call->request->level[0])
		TRY(set_log_level(g, call));
	control_item(call, json_pack("{s:s}", "level", log_level_name(g->log.level)));
	return GW_OK;
}

/* First step: begins. The others: it may have ended. */
static enum gw_err reload(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	enum gw_err r;
	json_t *item;

	if (call->cursor[0] == 0) {
		TRY(reload_start(g->reload, call->request->dry_run, &call->err));
		call->cursor[0] = 1;
	}
	if (reload_running(g->reload)) {
		call->idle = true;
		return GW_PENDING;
	}
	r = reload_result(g->reload, &item, &call->err);
	control_item(call, item);
	return r;
}

static const struct control_command table[] = {
	{ "list-sas", false, list_sas },
	{ "show-sa", false, show_one_sa },
	{ "list-conns", false, list_conns },
	{ "list-pools", false, list_pools },
	{ "list-leases", false, list_leases },
	{ "stats", false, stats },
	{ "version", false, version },
	{ "terminate", true, terminate },
	{ "rekey", true, rekey },
	{ "probe", true, probe },
	{ "monitor", false, journal_monitor },
	{ "log-level", true, log_level },
	{ "export-keys", true, keyexport_command },
	{ "reload", true, reload },
	{ "ha-status", false, ha_command_status },
	{ "ha-switchover", true, ha_command_switchover },
	{ "ha-promote", true, ha_command_promote },
	{ "ha-demote", true, ha_command_demote },
	{ "ha-drain", true, ha_command_drain },
	{ "ha-undrain", true, ha_command_undrain },
	{ "ha-pause", true, ha_command_pause },
	{ "ha-resume", true, ha_command_resume },
	{ "ha-peer-fenced", true, ha_command_peer_fenced },
	{ "ha-verify", true, ha_command_verify },
	{ NULL, false, NULL },
};

const struct control_command *commands_table(void)
{
	return table;
}
