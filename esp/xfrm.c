#include "esp/xfrm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "esp/xfrm_link.h"
#include "esp/xfrm_state.h"

/* ---- waking ---- */

static void kick(struct xfrm_plane *x)
{
	const uint64_t one = 1;

	if (x->kicked)
		return;
	x->kicked = true;
	(void)!write(x->kick_fd, &one, sizeof(one)); /* fails only when it is set already */
}

/* Something to do or to tell, that no descriptor says. */
static bool has_more(const struct xfrm_plane *x)
{
	return !outbox_empty(&x->outbox) || x->resync || x->teller.fresh_count > 0;
}

static void settle_kick(struct xfrm_plane *x)
{
	uint64_t value;

	if (!x->kicked || x->first || has_more(x))
		return;
	x->kicked = false;
	(void)!read(x->kick_fd, &value, sizeof(value));
}

int xfrm_plane_wake_fd(const struct dataplane *dp)
{
	return xfrm_self(dp)->epoll_fd;
}

static bool watch(struct xfrm_plane *x, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- ops ---- */

static enum gw_err plane_submit(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct batch *b;

	if (x->waiting >= XFRM_BATCHES_MAX)
		return GW_ELIMIT;
	b = batch_copy(token, ops, n);
	if (!b)
		return GW_ENOMEM;
	*(x->last ? &x->last->next : &x->first) = b;
	x->last = b;
	x->waiting++;
	kick(x);
	return GW_OK;
}

/* One turn: what the kernel has to say, then a bounded number of operations. */
static void pump(struct xfrm_plane *x)
{
	size_t ops = 0;

	xfrm_look_at_clock(x);
	xfrm_take_events(x);
	xfrm_reports_settle(x);
	for (size_t n = 0; x->first && ops < XFRM_TURN_OPS; n++) {
		struct batch *b = x->first;

		if (n % XFRM_EXPECT == 0)
			xfrm_expect(x, b);
		x->first = b->next;
		if (!x->first)
			x->last = NULL;
		x->waiting--;
		b->next = NULL;
		ops += b->n + 1;
		xfrm_run(x, b);
	}
	xfrm_flush(x);
}

static bool plane_take_event(struct dataplane *dp, struct dp_event *out)
{
	struct xfrm_plane *x = xfrm_self(dp);
	bool taken = outbox_take(&x->outbox, out);

	/* Once it has told something, looking again costs four system calls, and the next wake-up does it. */
	if (!taken && (x->first || !x->looked)) {
		pump(x);
		taken = outbox_take(&x->outbox, out);
	}
	x->looked = taken;
	if (has_more(x))
		kick(x);
	settle_kick(x);
	return taken;
}

static enum gw_err plane_query(struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct sad_sa *sa = sad_find(x->sad, id);
	enum gw_err r = GW_OK;

	if (!sa)
		return GW_ENOTFOUND;
	xfrm_look_at_clock(x);
	if (sa->kernel.life == SAD_LIVE)
		r = xfrm_sa_read(x, sa, NULL);
	if (r == GW_ENOTFOUND) /* deleted at its fence, or by a stranger: the event that says so is on its way */
		xfrm_take_events(x);
	if (!outbox_empty(&x->outbox))
		kick(x);
	sad_state(sa, out);
	return GW_OK;
}

static void look_at_all(struct xfrm_plane *x)
{
	xfrm_look_at_clock(x);
	xfrm_dump_all(x, x->dump_age_us);
	if (!outbox_empty(&x->outbox))
		kick(x);
}

static size_t plane_dump(struct dataplane *dp, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct xfrm_plane *x = xfrm_self(dp);

	if (*cookie == 0)
		look_at_all(x);
	return sad_dump(x->sad, cookie, out, max);
}

/* Without reports the kernel says only when asked for all. */
static size_t plane_take_used(struct dataplane *dp, struct dp_sa_state *out, size_t max)
{
	struct xfrm_plane *x = xfrm_self(dp);

	if (!sad_any_used(x->sad)) {
		xfrm_look_at_clock(x);
		if (xfrm_reports_tell(x))
			xfrm_take_events(x);
		else
			look_at_all(x);
		if (has_more(x))
			kick(x);
	}
	return sad_take_used(x->sad, out, max);
}

static void plane_set_open(struct dataplane *dp, enum dp_gate gate)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct err e = { 0 };

	if (gate == x->gate)
		return;
	x->gate = gate;
	x->epoch++;
	xfrm_put_guards(x, false);
	xfrm_send(x);
	xfrm_reports_gate(x);
	for (size_t i = 0; i < x->socket_count; i++)
		if (x->sockets[i].natt && xfrm_socket_encap(x->sockets[i].fd, gate != DP_SHUT, &e) != GW_OK)
			log_error(x->env->log, "kernel data plane: %s: %s", gate == DP_SHUT ? "shut" : "open", e.text);
}

static const struct dp_caps *plane_caps(const struct dataplane *dp)
{
	return &xfrm_self(dp)->caps;
}

/* ---- counters ---- */

static const char *const stat_names[XS_COUNT] = {
	[XS_BATCHES] = "batches",   [XS_OPS] = "operations",	[XS_MESSAGES] = "messages",
	[XS_SENDS] = "sends",	    [XS_ERRORS] = "errors",	[XS_UNDONE] = "undone",
	[XS_OVERRUNS] = "overruns", [XS_AGAIN] = "tried_again", [XS_SOFT] = "expired_soft",
	[XS_HARD] = "expired_hard", [XS_MAPPINGS] = "mappings", [XS_AEVENTS] = "aevents",
	[XS_REVIVED] = "revived",   [XS_VANISHED] = "vanished", [XS_LEFTOVERS] = "leftovers",
};

/* /proc/net/xfrm_stat's names and ours. It counts for the whole namespace, strangers' states included. */
static const struct {
	const char *kernel, *ours;
} kernel_stats[] = {
	{ "XfrmInError", "kernel_in_error" },
	{ "XfrmInBufferError", "kernel_in_buffer_error" },
	{ "XfrmInHdrError", "kernel_in_header_error" },
	{ "XfrmInNoStates", "kernel_in_no_states" },
	{ "XfrmInStateProtoError", "kernel_in_state_proto_error" },
	{ "XfrmInStateModeError", "kernel_in_state_mode_error" },
	{ "XfrmInStateSeqError", "kernel_in_state_seq_error" },
	{ "XfrmInStateExpired", "kernel_in_state_expired" },
	{ "XfrmInStateMismatch", "kernel_in_state_mismatch" },
	{ "XfrmInStateInvalid", "kernel_in_state_invalid" },
	{ "XfrmInTmplMismatch", "kernel_in_template_mismatch" },
	{ "XfrmInNoPols", "kernel_in_no_policies" },
	{ "XfrmInPolBlock", "kernel_in_policy_block" },
	{ "XfrmInPolError", "kernel_in_policy_error" },
	{ "XfrmOutError", "kernel_out_error" },
	{ "XfrmOutBundleGenError", "kernel_out_bundle_gen_error" },
	{ "XfrmOutBundleCheckError", "kernel_out_bundle_check_error" },
	{ "XfrmOutNoStates", "kernel_out_no_states" },
	{ "XfrmOutStateProtoError", "kernel_out_state_proto_error" },
	{ "XfrmOutStateModeError", "kernel_out_state_mode_error" },
	{ "XfrmOutStateSeqError", "kernel_out_state_seq_error" },
	{ "XfrmOutStateExpired", "kernel_out_state_expired" },
	{ "XfrmOutPolBlock", "kernel_out_policy_block" },
	{ "XfrmOutPolDead", "kernel_out_policy_dead" },
	{ "XfrmOutPolError", "kernel_out_policy_error" },
	{ "XfrmFwdHdrError", "kernel_forward_header_error" },
	{ "XfrmOutStateInvalid", "kernel_out_state_invalid" },
	{ "XfrmAcquireError", "kernel_acquire_error" },
};

static uint64_t number_after(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
		if ((at == text || at[-1] == '\n') && (at[n] == ' ' || at[n] == '\t'))
			return strtoull(at + n, NULL, 10);
	return 0;
}

static void read_kernel_stats(char *text, size_t cap)
{
	int fd = open("/proc/self/net/xfrm_stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, cap - 1);

	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = 0;
}

static size_t plane_stats(struct dataplane *dp, struct dp_stat *out, size_t max)
{
	const struct xfrm_plane *x = xfrm_self(dp);
	char text[4096];
	size_t n = 0;

	read_kernel_stats(text, sizeof(text));
	for (size_t i = 0; i < XS_COUNT; i++, n++)
		if (n < max)
			out[n] = (struct dp_stat){ stat_names[i], x->stats[i] };
	for (size_t i = 0; i < ARRAY_LEN(kernel_stats); i++, n++)
		if (n < max)
			out[n] = (struct dp_stat){ kernel_stats[i].ours, number_after(text, kernel_stats[i].kernel) };
	return n;
}

/* ---- life ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void plane_destroy(struct dataplane *dp)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct err e = { 0 };

	if (!dp)
		return;
	while (x->first) {
		struct batch *b = x->first;

		x->first = b->next;
		batch_destroy(b);
	}
	if (x->nl.fd >= 0 && x->sent) {
		/*
		 * The hash thresholds stay: they start a rebuild in the kernel's background, and 6.1 crashes when the
		 * network namespace, and who runs in a container often takes it along, is gone before that has run.
		 */
		(void)xfrm_sweep(x);
	}
	for (size_t i = 0; i < x->socket_count; i++)
		if (x->sockets[i].natt)
			(void)!xfrm_socket_encap(x->sockets[i].fd, false, &e);
	nl_close(&x->nl);
	nl_close(&x->events);
	nl_close(&x->witness);
	close_fd(x->epoll_fd);
	close_fd(x->kick_fd);
	outbox_clear(&x->outbox);
	xfrm_spd_clear(x);
	slab_clear(&x->slab);
	sad_destroy(x->sad);
	free(x->guards);
	free(x->bypass);
	free(x->sent);
	free(x->tx_buf);
	free(x);
}

static const struct dataplane_ops plane_ops = {
	.destroy = plane_destroy,
	.caps = plane_caps,
	.submit = plane_submit,
	.take_event = plane_take_event,
	.query = plane_query,
	.dump = plane_dump,
	.take_used = plane_take_used,
	.set_open = plane_set_open,
	.stats = plane_stats,
};

static enum gw_err open_sockets(struct xfrm_plane *x, struct err *e)
{
	TRY(nl_open(NETLINK_XFRM, &x->nl, e));
	TRY(nl_open(NETLINK_XFRM, &x->events, e));
	TRY(nl_open(NETLINK_XFRM, &x->witness, e));
	TRY(nl_join(&x->events, XFRMNLGRP_EXPIRE, e));
	TRY(nl_join(&x->events, XFRMNLGRP_MAPPING, e));
	/*
	 * Not ACQUIRE: with a listener each packet that finds no state leaves a larval one behind for half a minute.
	 * AEVENTS when they are wanted (esp/xfrm_report.c).
	 */
	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	x->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (x->epoll_fd < 0 || x->kick_fd < 0 || !watch(x, x->kick_fd) || !watch(x, x->events.fd))
		return err_set(e, GW_EIO, "kernel data plane: %s", strerror(errno));
	return GW_OK;
}

static enum gw_err make_tables(struct xfrm_plane *x, const struct xfrm_plane_config *cfg, struct err *e)
{
	x->tx_size = cfg->batch_size ? cfg->batch_size : XFRM_BATCH_SIZE;
	x->tx_buf = malloc(x->tx_size);
	x->sent = calloc(XFRM_SENT_MAX, sizeof(*x->sent));
	x->sad = sad_create(x->env->rng);
	if (!x->tx_buf || !x->sent || !x->sad || outbox_init(&x->outbox, XFRM_EVENTS_MAX) != GW_OK ||
	    table_seed_init(&x->spd.seed, x->env->rng) != GW_OK)
		return err_set(e, GW_ENOMEM, "kernel data plane: %s", gw_err_text(GW_ENOMEM));
	nl_reset(&x->tx, x->tx_buf, x->tx_size, 1);
	return GW_OK;
}

static void on_thresholds(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct xfrm_plane *x = arg;

	(void)index;
	x->thresholds_known = xfrm_get_thresholds(nlh, &x->thresholds) || x->thresholds_known;
}

/* One address on their side, whatever it is on ours: by hash. The rest is searched, in trees since Linux 5.0. */
static void set_thresholds(struct xfrm_plane *x, const struct xfrm_plane_config *cfg)
{
	const struct nl_handler h = { .data = on_thresholds, .arg = x };
	struct xfrm_thresholds t = { .theirs4 = cfg->hash_from4 ? cfg->hash_from4 : 32,
				     .theirs6 = cfg->hash_from6 ? cfg->hash_from6 : 128 };

	if (!xfrm_put_get_thresholds(&x->tx) || xfrm_ask(x, &h) != GW_OK || !x->thresholds_known) {
		log_info(x->env->log, "kernel data plane: the policy hash is not known: many tunnels may be slow");
		return;
	}
	/* Only when it must be: see plane_destroy. */
	if (x->thresholds.ours4 == t.ours4 && x->thresholds.theirs4 == t.theirs4 && x->thresholds.ours6 == t.ours6 &&
	    x->thresholds.theirs6 == t.theirs6)
		return;
	if (!xfrm_put_thresholds(&x->tx, &t) || xfrm_ask(x, NULL) != GW_OK)
		log_info(x->env->log, "kernel data plane: the policy hash stays as it is: many tunnels will be slow");
}

struct dataplane *xfrm_plane_create(const struct env *env, const struct xfrm_plane_config *cfg, struct err *e)
{
	struct xfrm_plane *x = calloc(1, sizeof(*x));

	if (!x) {
		(void)err_set(e, GW_ENOMEM, "kernel data plane: %s", gw_err_text(GW_ENOMEM));
		return NULL;
	}
	x->dp.ops = &plane_ops;
	x->env = env;
	x->nl.fd = x->events.fd = x->witness.fd = x->epoll_fd = x->kick_fd = -1;
	x->gate = DP_OPEN;
	x->dump_age_us = cfg->dump_age_us > 0 ? cfg->dump_age_us : MILLISECONDS(100);
	xfrm_look_at_clock(x);
	x->complain = (struct ratelimit){ .per_second = 1, .burst = 10 };
	if (xfrm_probe(env, &x->caps, e) != GW_OK || open_sockets(x, e) != GW_OK || make_tables(x, cfg, e) != GW_OK) {
		plane_destroy(&x->dp);
		return NULL;
	}
	if (!cfg->keep_thresholds)
		set_thresholds(x, cfg);
	xfrm_reports_begin(x, cfg->report_us);
	if (!cfg->keep_leftovers) {
		x->stats[XS_LEFTOVERS] = xfrm_sweep(x);
		if (x->stats[XS_LEFTOVERS] > 0)
			log_notice(env->log, "kernel data plane: %lu states and policies of an earlier run are removed",
				   (unsigned long)x->stats[XS_LEFTOVERS]);
	}
	return &x->dp;
}

/* ---- what the daemon tells ---- */

enum gw_err xfrm_plane_add_socket(struct dataplane *dp, int fd, uint8_t family, bool natt, struct err *e)
{
	struct xfrm_plane *x = xfrm_self(dp);

	if (x->socket_count == XFRM_SOCKETS_MAX)
		return err_set(e, GW_ELIMIT, "kernel data plane: more than %d sockets", XFRM_SOCKETS_MAX);
	TRY(xfrm_socket_bypass(fd, family, e));
	if (natt)
		TRY(xfrm_socket_encap(fd, x->gate != DP_SHUT, e));
	x->sockets[x->socket_count].fd = fd;
	x->sockets[x->socket_count].family = family;
	x->sockets[x->socket_count++].natt = natt;
	return GW_OK;
}

static bool among(const struct xfrm_guard *list, size_t n, const struct xfrm_guard *g)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].if_id == g->if_id && list[i].clients.len == g->clients.len &&
		    addr_equal(&list[i].clients.addr, &g->clients.addr))
			return true;
	return false;
}

enum gw_err xfrm_plane_set_guards(struct dataplane *dp, const struct xfrm_guard *guards, size_t n, struct err *e)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct xfrm_guard *before = x->guards, *now = calloc(n > 0 ? n : 1, sizeof(*now));
	size_t count = 0, before_count = x->guard_count;
	uint64_t errors;

	if (!now)
		return err_set(e, GW_ENOMEM, "kernel data plane: %s", gw_err_text(GW_ENOMEM));
	for (size_t i = 0; i < n; i++)
		if (guards[i].clients.len > 0)
			now[count++] = guards[i];
	x->guards = now;
	x->guard_count = count;
	xfrm_send(x);
	errors = x->stats[XS_ERRORS];
	xfrm_put_guards(x, false);
	xfrm_send(x);
	if (x->stats[XS_ERRORS] != errors) {
		free(before);
		return err_set(e, GW_EIO, "kernel data plane: policies that keep clear text in were refused");
	}
	/* Those that are not wanted any more. */
	for (size_t i = 0; i < before_count;) {
		if (among(now, count, &before[i]))
			before[i] = before[--before_count];
		else
			i++;
	}
	x->guards = before;
	x->guard_count = before_count;
	xfrm_put_guards(x, true);
	x->guards = now;
	x->guard_count = count;
	/* Where only the interface is another one, they had policies in common. */
	if (before_count > 0)
		xfrm_put_guards(x, false);
	xfrm_send(x);
	free(before);
	return GW_OK;
}

enum gw_err xfrm_plane_set_bypass(struct dataplane *dp, const struct xfrm_bypass *list, size_t n, struct err *e)
{
	struct xfrm_plane *x = xfrm_self(dp);
	struct xfrm_bypass *now = calloc(n > 0 ? n : 1, sizeof(*now));
	uint64_t errors;

	if (!now)
		return err_set(e, GW_ENOMEM, "kernel data plane: %s", gw_err_text(GW_ENOMEM));
	if (n > 0)
		memcpy(now, list, n * sizeof(*now));
	xfrm_send(x);
	xfrm_put_bypasses(x, true);
	free(x->bypass);
	x->bypass = now;
	x->bypass_count = n;
	xfrm_send(x);
	errors = x->stats[XS_ERRORS];
	xfrm_put_bypasses(x, false);
	xfrm_send(x);
	return x->stats[XS_ERRORS] == errors ? GW_OK
					     : err_set(e, GW_EIO, "kernel data plane: bypass policies were refused");
}
