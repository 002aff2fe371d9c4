#include "daemon/reload.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config/diff.h"
#include "daemon/gateway.h"
#include "daemon/ha_node.h"
#include "daemon/journal.h"
#include "daemon/plane.h"
#include "daemon/show.h"

enum {
	REVIEW_LEAST = 32, /* SAs looked at however busy the turn is */
	CHANGES_SHOWN = 1000,
	THREAD_STACK = 1024 * 1024,
};

enum phase { IDLE, READING, REVIEWING };

struct reload {
	struct gateway *gateway; /* back-pointer */
	enum phase phase;
	bool dry_run, again, unasked; /* unasked: a review alone */
	mtime began;

	/* The thread's, while READING. */
	pthread_t thread;
	int done_fd;
	struct settings *was, *is; /* owned references; `is` NULL: refused */
	struct config_report report;
	struct diff diff;
	enum gw_err code;

	struct loop_fd *watch;
	struct loop_timer *slice;
	uint32_t after;		/* review: the last SA that was looked at */
	uint64_t sas, children; /* that end */
	struct err err;		/* of the last one that has ended */
	struct err why;		/* of what could not be put in force */
};

/* ---- reading, in the thread ---- */

static void *read_file(void *arg)
{
	struct reload *r = arg;
	uint64_t one = 1;

	r->is = config_load_file(r->gateway->config_file, NULL, &r->report);
	r->code = r->is ? settings_diff(r->was, r->is, &r->diff) : GW_ECONFIG;
	(void)!write(r->done_fd, &one, sizeof(one)); /* an eventfd at 0 always takes it */
	return NULL;
}

static enum gw_err start_thread(struct reload *r)
{
	pthread_attr_t attr;
	int error;

	if (pthread_attr_init(&attr) != 0)
		return GW_ENOMEM;
	(void)pthread_attr_setstacksize(&attr, THREAD_STACK);
	error = pthread_create(&r->thread, &attr, read_file, r);
	(void)pthread_attr_destroy(&attr);
	return error == 0 ? GW_OK : GW_ENOMEM;
}

/* ---- putting in force ---- */

static void log_report(struct gateway *g, const struct config_report *report)
{
	char text[1024];

	for (size_t i = 0; i < report->count; i++)
		log_line(&g->log, report->items[i].warning ? LOG_LVL_WARN : LOG_LVL_ERROR, NULL, "%s",
			 config_problem_text(report, i, text, sizeof(text)));
}

static enum gw_err adopt(struct reload *r)
{
	struct gateway *g = r->gateway;
	enum gw_err code;

	TRY(plane_prepare(g, r->is, &r->why));
	code = pools_configure(g->pools, r->is);
	if (code == GW_OK)
		code = ike_configure(g->ike, r->is);
	if (code != GW_OK) {
		/* Pools borrow the settings they were given: back to those that stay. */
		if (pools_configure(g->pools, g->settings) != GW_OK) {
			log_error(&g->log, "pools: out of memory");
			(void)settings_ref(r->is); /* for ever: what could not be taken back still points into it */
		}
		plane_route(g, g->settings);
		return code;
	}
	plane_route(g, r->is);
	settings_unref(g->settings);
	g->settings = settings_ref(r->is);
	gateway_apply_log(g);
	keyexport_review(g->keyexport);
	if (g->ha)
		ha_node_reload(g->ha, g->settings);
	return GW_OK;
}

static void log_changes(const struct reload *r)
{
	for (size_t i = 0; i < r->diff.count; i++) {
		const struct diff_item *d = &r->diff.items[i];

		log_line(&r->gateway->log, d->effect == RELOAD_RESTART ? LOG_LVL_WARN : LOG_LVL_INFO, NULL,
			 "%s %s%s%s%s: %s", d->name, diff_change_name(d->change), d->keys ? " (" : "",
			 d->keys ? d->keys : "", d->keys ? ")" : "", diff_effect_text(d->effect));
	}
}

/* ---- the SAs that stand ---- */

static json_t *problems_json(const struct config_report *report)
{
	json_t *list = json_array();
	char text[1024];

	for (size_t i = 0; i < report->count; i++)
		(void)json_array_append_new(list, show_text(config_problem_text(report, i, text, sizeof(text))));
	return list;
}

/* Those who watch hear of it however it was asked for: by the socket or a signal. */
static void tell_watchers(struct reload *r)
{
	bool ok = r->code == GW_OK;

	journal_event(r->gateway->journal, "reload",
		      json_pack("{s:b, s:I, s:I, s:o, s:o}", "ok", ok, "changes", (json_int_t)r->diff.count, "sas",
				(json_int_t)r->sas, "reason", ok ? json_null() : show_text(r->err.text), "problems",
				problems_json(&r->report)));
}

static void finish(struct reload *r)
{
	struct gateway *g = r->gateway;
	int64_t ms = mtime_since(r->began, clock_now(g->env.clock)) / 1000;

	settings_unref(r->was);
	settings_unref(r->is);
	r->was = r->is = NULL;
	r->phase = IDLE;
	if (r->code != GW_OK)
		log_error(&g->log, "configuration not reloaded, the old one stays in force");
	else if (!r->dry_run && !r->unasked)
		log_notice(&g->log, "configuration reloaded in %lld ms: %zu changes, %llu IKE SAs end", (long long)ms,
			   r->diff.count, (unsigned long long)r->sas);
	if (!r->dry_run && !r->unasked) {
		sdnotify_send(&g->notify, "READY=1");
		tell_watchers(r);
	}
	control_wake(g->control);
	if (r->again) {
		r->again = false;
		reload_hangup(r);
	}
}

static void count_finding(void *arg, const struct ike_finding *f)
{
	static const char *const sections[] = {
		[IKE_GONE_CONN] = "connections", [IKE_GONE_CHILD] = "connections", [IKE_GONE_POOL] = "pools",
		[IKE_GONE_USER] = "users",	 [IKE_GONE_GROUP] = "groups",	   [IKE_GONE_AUTHORITY] = "authorities",
	};
	struct reload *r = arg;
	struct diff_item *item = diff_find(&r->diff, sections[f->what], f->name);

	if (f->child)
		r->children++;
	else
		r->sas++;
	if (item)
		item->sas++;
}

static void review_slice(void *arg)
{
	struct reload *r = arg;
	struct gateway *g = r->gateway;
	const struct settings *s = r->is ? r->is : g->settings;

	while (ike_review(g->ike, s, !r->dry_run, &r->after, REVIEW_LEAST, count_finding, r)) {
		if (loop_turn_over(g->loop)) {
			loop_timer_at(r->slice, loop_now(g->loop));
			return;
		}
	}
	finish(r);
}

static void review(struct reload *r)
{
	r->phase = REVIEWING;
	r->after = 0;
	r->sas = r->children = 0;
	loop_timer_at(r->slice, loop_now(r->gateway->loop));
}

static void file_was_read(void *arg, unsigned what)
{
	struct reload *r = arg;
	uint64_t n;

	(void)what;
	if (read(r->done_fd, &n, sizeof(n)) != sizeof(n) || r->phase != READING)
		return;
	(void)pthread_join(r->thread, NULL);
	log_report(r->gateway, &r->report);
	if (r->code == GW_ECONFIG)
		err_set(&r->err, GW_ECONFIG, "%zu errors in %s", r->report.errors, r->gateway->config_file);
	else if (r->code == GW_OK && !r->dry_run)
		r->code = adopt(r);
	if (r->code != GW_OK && r->code != GW_ECONFIG)
		err_set(&r->err, r->code, "reload failed, the old configuration stays: %s",
			r->why.text[0] ? r->why.text : gw_err_text(r->code));
	if (r->code != GW_OK) {
		finish(r);
		return;
	}
	if (!r->dry_run)
		log_changes(r);
	review(r);
}

/* ---- face ---- */

static void forget(struct reload *r)
{
	config_report_clear(&r->report);
	diff_clear(&r->diff);
	r->err = (struct err){ 0 };
	r->code = GW_OK;
	r->sas = r->children = 0;
}

enum gw_err reload_start(struct reload *r, bool dry_run, struct err *e)
{
	struct gateway *g = r->gateway;

	if (!g->config_file)
		return err_set(e, GW_ECONFIG, "there is no configuration file to read again");
	if (r->phase != IDLE)
		return err_set(e, GW_EBUSY, "a reload is under way");
	forget(r);
	r->dry_run = dry_run;
	r->unasked = false;
	r->began = clock_now(g->env.clock);
	r->was = settings_ref(g->settings);
	if (start_thread(r) != GW_OK) {
		settings_unref(r->was);
		r->was = NULL;
		return err_set(e, GW_ENOMEM, "cannot start a thread to read the configuration");
	}
	r->phase = READING;
	if (!dry_run)
		sdnotify_send(&g->notify, "RELOADING=1");
	return GW_OK;
}

void reload_hangup(struct reload *r)
{
	struct err e = { 0 };
	enum gw_err code = reload_start(r, false, &e);

	if (code == GW_EBUSY)
		r->again = true;
	else if (code != GW_OK)
		log_error(&r->gateway->log, "%s", e.text);
}

void reload_review(struct reload *r)
{
	/* One that is under way reviews by itself, and anew if it has begun already. */
	if (r->phase == REVIEWING)
		r->after = 0;
	if (r->phase != IDLE)
		return;
	forget(r);
	r->dry_run = false;
	r->unasked = true;
	review(r);
}

bool reload_running(const struct reload *r)
{
	return r->phase != IDLE;
}

static json_t *changes_json(const struct diff *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->count && i < CHANGES_SHOWN; i++) {
		const struct diff_item *item = &d->items[i];

		(void)json_array_append_new(list,
					    json_pack("{s:o, s:s, s:o, s:s, s:I}", "item", show_text(item->name),
						      "change", diff_change_name(item->change), "keys",
						      item->keys ? show_text(item->keys) : json_null(), "effect",
						      diff_effect_name(item->effect), "sas", (json_int_t)item->sas));
	}
	return list;
}

enum gw_err reload_result(const struct reload *r, json_t **item, struct err *e)
{
	const struct settings *s = r->gateway->settings;

	*item = json_pack("{s:b, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:I}", "dry_run", r->dry_run, "conns",
			  (json_int_t)s->conn_count, "pools", (json_int_t)s->pool_count, "sas", (json_int_t)r->sas,
			  "children", (json_int_t)r->children, "restart", diff_has(&r->diff, RELOAD_RESTART),
			  "problems", problems_json(&r->report), "changes", changes_json(&r->diff), "more",
			  (json_int_t)(r->diff.count > CHANGES_SHOWN ? r->diff.count - CHANGES_SHOWN : 0));
	if (r->code != GW_OK && e)
		*e = r->err;
	return r->code;
}

struct reload *reload_create(struct gateway *g)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->gateway = g;
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->slice = loop_timer_create(g->loop, review_slice, r);
	if (r->done_fd >= 0)
		r->watch = loop_fd_create(g->loop, r->done_fd, LOOP_READ, file_was_read, r);
	if (!r->slice || !r->watch) {
		reload_destroy(r);
		return NULL;
	}
	return r;
}

void reload_destroy(struct reload *r)
{
	if (!r)
		return;
	if (r->phase == READING)
		(void)pthread_join(r->thread, NULL);
	settings_unref(r->was);
	settings_unref(r->is);
	forget(r);
	loop_fd_destroy(r->watch);
	loop_timer_destroy(r->slice);
	if (r->done_fd >= 0)
		close(r->done_fd);
	free(r);
}
