#include "daemon/gateway.h"
#include "daemon/traffic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/crypto/crypto.h"
#include "daemon/checks.h"
#include "daemon/commands.h"
#include "daemon/glue.h"
#include "daemon/ha_node.h"
#include "daemon/listen.h"
#include "daemon/lists.h"
#include "daemon/plane.h"

#define PATIENCE_US SECONDS(2)

static const struct checks_root real_root = { "/proc/sys", "/dev", "/sys/class/net" };

/* ---- callbacks of the loop ---- */

static void on_turn(void *arg)
{
	glue_turn(arg);
}

/* The turn's hook does what is due. */
static void on_ike_due(void *arg)
{
	(void)arg;
}

static void on_log_level_over(void *arg)
{
	struct gateway *g = arg;

	gateway_apply_log(g);
	log_notice(&g->log, "log level is %s again", log_level_name(g->log.level));
}

static void on_watchdog(void *arg)
{
	struct gateway *g = arg;

	sdnotify_send(&g->notify, "WATCHDOG=1");
	loop_timer_at(g->watchdog, mtime_add(clock_now(g->env.clock), g->notify.watchdog_us / 2));
}

static void on_patience_over(void *arg)
{
	struct gateway *g = arg;

	if (g->ha)
		log_warn(&g->log, "the other node did not take over in time");
	else
		log_info(&g->log, "%zu IKE SAs did not answer their DELETE", ike_count(g->ike));
	loop_stop(g->loop);
}

static void on_signal(void *arg, int number)
{
	struct gateway *g = arg;

	if (number == SIGHUP)
		reload_hangup(g->reload);
	else
		gateway_stop(g);
}

/* ---- settings ---- */

void gateway_apply_log(struct gateway *g)
{
	g->log.level = g->settings->log_level;
	g->log.format = g->settings->log_format;
	if (g->settings->log_auto)
		g->log.format = sdnotify_journal() ? LOG_JOURNAL : LOG_TEXT;
}

/* ---- life ---- */

static enum gw_err make_state_dir(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return GW_OK;
	if (errno != EEXIST)
		return err_set(e, GW_EIO, "state_dir %s: %s; do: mkdir -p -m 700 %s", path, strerror(errno), path);
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set(e, GW_EIO, "state_dir %s is not a folder", path);
	return GW_OK;
}

static enum gw_err open_state(struct gateway *g, struct err *e)
{
	TRY(make_state_dir(g->settings->state_dir, e));
	TRY(incarnation_take(g->settings->state_dir, g->env.clock, &g->incarnation, e));
	if (g->incarnation.damaged)
		log_warn(&g->log, "%s/incarnation was damaged; the clock alone gave the number %u",
			 g->settings->state_dir, g->incarnation.number);
	g->env.node = (struct node_id){ g->settings->node_index, g->incarnation.number };
	return GW_OK;
}

static enum gw_err open_loop(struct gateway *g, const struct gateway_options *opt, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };

	g->loop = loop_create(g->env.clock, e);
	if (!g->loop)
		return e->code;
	if (opt->signals)
		TRY(loop_signals(g->loop, signals, on_signal, g, e));
	g->ike_timer = loop_timer_create(g->loop, on_ike_due, g);
	g->watchdog = loop_timer_create(g->loop, on_watchdog, g);
	g->log_timer = loop_timer_create(g->loop, on_log_level_over, g);
	g->patience = loop_timer_create(g->loop, on_patience_over, g);
	if (!g->ike_timer || !g->watchdog || !g->log_timer || !g->patience)
		return err_set(e, GW_ENOMEM, "out of memory");
	loop_on_turn(g->loop, on_turn, g);
	return GW_OK;
}

static enum gw_err open_engine(struct gateway *g, struct err *e)
{
	size_t n;

	g->crypto = crypto_create(e);
	if (!g->crypto)
		return e->code;
	g->env.crypto = g->crypto;
	g->pools = pools_create(&g->env, g->settings);
	if (!g->pools)
		return err_set(e, GW_ENOMEM, "out of memory");
	g->leases = leases_create(&g->env, g->loop, g->settings->state_dir, g->pools);
	g->ike = ike_create(&g->env, g->settings, g->pools);
	g->lists = g->ike ? lists_create(g->loop, g->ike) : NULL;
	g->reload = reload_create(g);
	g->traffic = traffic_create(g);
	g->journal = journal_create(g);
	g->keyexport = keyexport_create(g);
	if (!g->leases || !g->ike || !g->lists || !g->reload || !g->journal || !g->keyexport || !g->traffic)
		return err_set(e, GW_ENOMEM, "out of memory");
	n = leases_load(g->leases, g->settings);
	if (n > 0)
		log_info(&g->log, "%zu leases of the last run are kept", n);
	return GW_OK;
}

static enum gw_err open_control(struct gateway *g, struct err *e)
{
	const struct control_config cfg = { .path = g->settings->control_socket,
					    .group = g->settings->control_group,
					    .commands = commands_table(),
					    .ctx = g };

	g->control = control_create(&g->env, g->loop, &cfg, e);
	return g->control ? GW_OK : e->code;
}

static enum gw_err open_all(struct gateway *g, const struct gateway_options *opt, struct err *e)
{
	TRY(checks_require(g->settings, &real_root, e));
	TRY(open_loop(g, opt, e));
	TRY(open_state(g, e));
	TRY(open_control(g, e));
	TRY(listen_open(g, e));
	TRY(open_engine(g, e));
	if (g->settings->ha.enabled)
		TRY(ha_node_open(g, opt->parent, opt->runs_programs ? opt->programs_fd : -1, e));
	/* Threads keep the rights of who makes them, so the data plane comes after. It needs only those that are kept.
	 */
	if (opt->drop)
		TRY(opt->drop(&g->log, e));
	TRY(plane_open(g, e));
	ike_set_transport(g->ike, g->dp->ops->caps(g->dp)->transport);
	if (g->ha)
		TRY(ha_node_start(g, e));
	TRY(plane_prepare(g, g->settings, e));
	plane_route(g, g->settings);
	if (g->settings->dataplane != DATAPLANE_FAKE)
		(void)checks_warn(g->settings, &real_root, &g->log);
	if (opt->confine)
		TRY(opt->confine(&g->log, e));
	return GW_OK;
}

static void announce(struct gateway *g)
{
	log_notice(&g->log, "gatewayd %s is ready: %zu connections, %zu pools, data plane %s (%s)%s%s", GW_VERSION,
		   g->settings->conn_count, g->settings->pool_count, g->dp->ops->caps(g->dp)->name, g->plane_why,
		   g->device[0] ? ", device " : "", g->device);
	sdnotify_send(&g->notify, "READY=1");
	if (g->notify.watchdog_us > 0)
		on_watchdog(g);
}

struct gateway *gateway_create(struct settings *settings, const struct gateway_options *opt, struct err *e)
{
	struct gateway *g = calloc(1, sizeof(*g));

	if (!g) {
		settings_unref(settings);
		err_set(e, GW_ENOMEM, "out of memory");
		return NULL;
	}
	g->settings = settings;
	g->incarnation.fd = -1;
	g->notify.fd = -1;
	g->log.clock = clock_system();
	gateway_apply_log(g);
	g->rng = rng_system_create();
	g->env = (struct env){ .clock = clock_system(), .rng = g->rng, .log = &g->log };
	g->started = clock_now(g->env.clock);
	if (opt->config_file)
		g->config_file = realpath(opt->config_file, NULL);
	sdnotify_open(&g->notify);
	if (!g->rng) {
		err_set(e, GW_ENOMEM, "out of memory");
		goto fail;
	}
	if (open_all(g, opt, e) != GW_OK)
		goto fail;
	announce(g);
	return g;
fail:
	gateway_destroy(g);
	return NULL;
}

bool gateway_run(struct gateway *g)
{
	loop_run(g->loop);
	return !g->failed;
}

void gateway_stop(struct gateway *g)
{
	if (g->stopping) {
		loop_stop(g->loop);
		return;
	}
	g->stopping = true;
	sdnotify_send(&g->notify, "STOPPING=1");
	log_notice(&g->log, "shutting down with %zu IKE SAs", ike_count(g->ike));
	if (g->ha)
		ha_node_stop(g->ha, "the other node shuts down");
	else
		ike_shutdown(g->ike, g->settings->shutdown == SHUTDOWN_DELETE);
	if (!g->ha && g->settings->shutdown == SHUTDOWN_SILENT)
		loop_stop(g->loop);
	else
		loop_timer_at(g->patience, mtime_add(clock_now(g->env.clock), PATIENCE_US));
}

void gateway_destroy(struct gateway *g)
{
	struct err e = { 0 };

	if (!g)
		return;
	if (g->dp && g->leases && leases_save(g->leases, &e) != GW_OK)
		log_error(&g->log, "%s", e.text);
	traffic_destroy(g->traffic);
	reload_destroy(g->reload);
	keyexport_destroy(g->keyexport);
	control_destroy(g->control);
	ha_node_close(g->ha);
	lists_destroy(g->lists);
	ike_destroy(g->ike);
	plane_close(g); /* before the sockets, which it borrows */
	listen_close(g);
	leases_destroy(g->leases);
	pools_destroy(g->pools);
	loop_timer_destroy(g->ike_timer);
	loop_timer_destroy(g->watchdog);
	loop_timer_destroy(g->log_timer);
	loop_timer_destroy(g->patience);
	loop_destroy(g->loop);
	incarnation_release(&g->incarnation);
	sdnotify_close(&g->notify);
	crypto_destroy(g->crypto);
	rng_system_destroy(g->rng);
	settings_unref(g->settings);
	journal_destroy(g->journal);
	free(g->config_file);
	free(g);
}
