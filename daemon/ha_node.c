#include "daemon/ha_node.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/fingerprint.h"
#include "daemon/fault.h"
#include "daemon/gateway.h"
#include "daemon/ha_hooks.h"
#include "esp/user.h"

#define WITNESS_LEAST_US MILLISECONDS(20)
#define STALL_LEAST_US MILLISECONDS(500)

enum { STALL_INTERVALS = 10 };

/* ---- what the other node looks like ---- */

bool ha_node_path_up(const struct ha_node *h, size_t i)
{
	const struct ifwatch_link *l =
		h->path_links && h->path_interface[i][0] ? ifwatch_find(h->path_links, h->path_interface[i]) : NULL;

	return !l || l->up;
}

/* Said once for each difference. */
static void compare_settings(struct ha_node *h, uint64_t theirs)
{
	char text[FINGERPRINT_TEXT];

	if (theirs == h->peer_fingerprint)
		return;
	h->peer_fingerprint = theirs;
	if (theirs != 0 && fingerprint_differs(h->fingerprint, theirs, text)[0])
		log_warn(&h->g->log, "the configurations of the two nodes differ: %s", text);
}

/* Our number is not new: nonces made with it could repeat. The parent process starts us again, with a higher one. */
static void begin_anew(struct ha_node *h, uint32_t known)
{
	struct gateway *g = h->g;
	struct err e = { 0 };

	if (g->failed)
		return;
	log_error(&g->log,
		  "state_dir has lost the number of the last start: the other node knows %u, this one is %u; "
		  "starting again above that",
		  known, g->env.node.incarnation);
	if (incarnation_raise(&g->incarnation, known, &e) != GW_OK)
		log_error(&g->log, "%s", e.text);
	g->failed = true;
	loop_stop(g->loop);
}

void ha_node_observe(struct ha_node *h)
{
	struct heartbeat_view v;
	struct watch_view w = { 0 };

	heartbeat_look(h->beat, &v);
	w.looked = v.ear.until;
	for (size_t i = 0; i < h->path_count; i++)
		w.paths[i] = (struct watch_path){ .used = true,
						  .link_up = ha_node_path_up(h, i),
						  .heard = v.paths[i].heard };
	/* Who hears the sync link and no heartbeat is deaf, not left alone: a busy machine, a full queue. */
	if (h->link_heard.us > w.paths[0].heard.us)
		w.paths[0].heard = h->link_heard;
	if (v.known)
		w.beat = (struct watch_beat){ .role = v.says.role,
					      .index = h->settings->ha.peer->index,
					      .term = v.says.term,
					      .priority = v.says.priority,
					      .turn = v.says.turn,
					      .exposed = v.says.exposed,
					      .synced = v.says.synced,
					      .leaving = v.says.leaving,
					      .service_up = v.says.service_up,
					      .asleep = v.says.asleep,
					      .traffic = v.says.traffic };
	if (v.elder)
		begin_anew(h, v.elder);
	if (v.known)
		compare_settings(h, v.says.config);
	w.peer_loop_age_us = v.loop_age_us;
	w.peer_withdrawn = v.withdrawn;
	w.service_up = vips_service_up(h->vips);
	w.witness_heard = h->witness && witness_heard(h->witness);
	ha_observe(h->ha, &w);
}

static struct heartbeat_says says_of(const struct ha_node *h)
{
	struct watch_beat b = ha_beat(h->ha);

	return (struct heartbeat_says){ .role = b.role,
					.term = b.term,
					.priority = b.priority,
					.turn = b.turn,
					.exposed = b.exposed,
					.exposes = b.exposes,
					.synced = b.synced,
					.leaving = h->left || b.leaving,
					.service_up = b.service_up,
					.asleep = b.asleep,
					.config = h->fingerprint,
					.traffic = b.traffic };
}

void ha_node_say(struct ha_node *h)
{
	struct heartbeat_says s = says_of(h);

	heartbeat_say(h->beat, &s);
}

static void on_beat_changed(void *arg)
{
	struct ha_node *h = arg;

	h->look = true;
}

static void on_witness_changed(void *arg)
{
	struct ha_node *h = arg;

	log_info(&h->g->log, "witness: %s", witness_heard(h->witness) ? "answers" : "none answers");
	h->look = true;
}

static void on_vips_changed(void *arg)
{
	struct ha_node *h = arg;

	h->look = true;
}

static void on_path_link(void *arg, const struct ifwatch_link *link)
{
	struct ha_node *h = arg;

	log_info(&h->g->log, "heartbeats: interface %s is %s", link->name, link->up ? "up" : "down");
	h->look = true;
}

static const struct heartbeat_ops beat_ops = { on_beat_changed, ha_node_slept };

/* ---- the sync link ---- */

static void on_link_up(void *arg, const char *peer)
{
	struct ha_node *h = arg;

	(void)peer; /* the link has logged it */
	ha_link_up(h->ha);
}

static void on_link_bytes(void *arg, struct bytes in)
{
	struct ha_node *h = arg;

	h->link_heard = clock_now(h->g->env.clock);
	ha_link_receive(h->ha, in);
}

static void on_link_down(void *arg, const char *reason)
{
	struct ha_node *h = arg;

	h->link_heard = (mtime){ 0 };
	h->look = true;
	ha_link_down(h->ha, reason);
}

/* The turn's end goes on with what waits. */
static void on_link_room(void *arg)
{
	(void)arg;
}

static const struct synclink_ops link_ops = { on_link_up, on_link_bytes, on_link_down, on_link_room };

/* ---- making ---- */

static void on_persisted(void *arg, const struct ha_durable *d)
{
	struct ha_node *h = arg;

	h->durable = *d;
	if (h->ha)
		ha_persisted(h->ha, d->reserve);
}

static struct endpoint at_port(const struct addr *a, uint16_t port)
{
	return (struct endpoint){ *a, port };
}

/*
 * `interval` times `misses` is the time within which a dead node is replaced, by a listener that may be a little late
 * and with what it does then. So heartbeats go, and are missed, a tenth sooner.
 */
static int64_t beat_interval(const struct ha_cfg *c)
{
	return c->heartbeat_interval_us - c->heartbeat_interval_us / 10;
}

static int64_t stall(const struct ha_cfg *c)
{
	int64_t us = c->heartbeat_interval_us * STALL_INTERVALS;

	if (c->heartbeat_stall_us > 0)
		return c->heartbeat_stall_us;
	return us > STALL_LEAST_US ? us : STALL_LEAST_US;
}

static enum gw_err open_heartbeat(struct ha_node *h, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	struct heartbeat_config cfg = { .cluster = c->cluster,
					.node = c->self->index,
					.peer = c->peer->index,
					.incarnation = h->g->env.node.incarnation,
					.interval_us = beat_interval(c),
					.misses = c->heartbeat_misses,
					.stall_us = stall(c),
					.page = h->parent ? h->parent->page : NULL };

	cfg.paths[0].local = at_port(&c->self->sync, c->port);
	cfg.paths[0].remote = at_port(&c->peer->sync, c->port);
	cfg.path_count = 1;
	for (size_t i = 0; i < c->self->heartbeat_count && i < c->peer->heartbeat_count; i++) {
		cfg.paths[cfg.path_count].local = at_port(&c->self->heartbeat[i], c->port);
		cfg.paths[cfg.path_count++].remote = at_port(&c->peer->heartbeat[i], c->port);
	}
	h->path_count = cfg.path_count;
	h->detection_us = cfg.interval_us * cfg.misses;
	h->sleep_us = cfg.interval_us + h->detection_us / 2;
	(void)heartbeat_allow_realtime();
	h->beat = heartbeat_create(&h->g->env, h->g->loop, &cfg, secret_bytes(&c->secret), &beat_ops, h, e);
	return h->beat ? GW_OK : e->code;
}

static const struct addr *path_addr(const struct ha_cfg *c, size_t i)
{
	return i == 0 ? &c->self->sync : &c->self->heartbeat[i - 1];
}

/* By which interface a path leaves: the one that has its address now. Unknown ones count as up. */
static enum gw_err watch_paths(struct ha_node *h, struct err *e)
{
	const char *names[HA_PATHS_MAX];
	struct ifaddrs *all = NULL;
	size_t n = 0;

	if (getifaddrs(&all) != 0)
		return GW_OK;
	for (size_t i = 0; i < h->path_count; i++) {
		bool twice = false;

		for (struct ifaddrs *a = all; a; a = a->ifa_next) {
			struct endpoint at;

			if (a->ifa_addr && endpoint_from_sockaddr(&at, a->ifa_addr) &&
			    addr_equal(&at.addr, path_addr(&h->settings->ha, i)))
				(void)snprintf(h->path_interface[i], sizeof(h->path_interface[i]), "%s", a->ifa_name);
		}
		for (size_t j = 0; j < n; j++)
			twice = twice || strcmp(names[j], h->path_interface[i]) == 0;
		if (h->path_interface[i][0] && !twice)
			names[n++] = h->path_interface[i];
	}
	freeifaddrs(all);
	if (n == 0)
		return GW_OK;
	h->path_links = ifwatch_create(h->g->loop, names, n, on_path_link, h, e);
	return h->path_links ? GW_OK : e->code;
}

static enum gw_err open_programs(struct ha_node *h, int fd, struct err *e)
{
	struct program_settings programs;

	if (fd < 0)
		return GW_OK;
	h->programs = programs_create(&h->g->env, h->g->loop, fd, h->g->env.node.incarnation);
	if (!h->programs)
		return err_set(e, GW_ENOMEM, "hooks: out of memory");
	/* Where this is not the first start, the file may be another one by now. */
	programs_settings(&h->settings->ha, &programs);
	programs_configure(h->programs, &programs);
	return GW_OK;
}

/* Three of its answers in the time in which a node is found dead. */
enum gw_err ha_node_open_witness(struct ha_node *h, const struct ha_cfg *c, struct witness **out, struct err *e)
{
	int64_t interval = h->detection_us / 3;

	*out = NULL;
	if (c->witness_count == 0)
		return GW_OK;
	if (interval < WITNESS_LEAST_US)
		interval = WITNESS_LEAST_US;
	*out = witness_create(&h->g->env, h->g->loop, c->witness, c->witness_count, interval, on_witness_changed, h, e);
	if (!*out)
		return e->code;
	witness_ask(*out, true);
	return GW_OK;
}

static enum gw_err open_all(struct ha_node *h, int programs_fd, struct err *e)
{
	struct gateway *g = h->g;

	h->terms = terms_open(&g->env, g->loop, h->settings->state_dir, on_persisted, h, &h->durable, e);
	if (!h->terms)
		return e->code;
	TRY(open_programs(h, programs_fd, e));
	TRY(open_heartbeat(h, e));
	TRY(watch_paths(h, e));
	TRY(ha_node_open_witness(h, &h->settings->ha, &h->witness, e));
	h->vips = vips_create(&g->env, g->loop, &h->settings->ha, on_vips_changed, h, e);
	return h->vips ? GW_OK : e->code;
}

enum gw_err ha_node_open(struct gateway *g, struct parent_link *parent, int programs_fd, struct err *e)
{
	struct ha_node *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(e, GW_ENOMEM, "out of memory");
	h->g = g;
	h->parent = parent;
	h->settings = settings_ref(g->settings);
	h->live = settings_ref(g->settings);
	h->fingerprint = settings_fingerprint(g->settings);
	h->lease_at = MTIME_NEVER;
	g->ha = h; /* closed with the gateway, whatever fails */
	return open_all(h, programs_fd, e);
}

enum gw_err ha_node_brief_parent(struct ha_node *h, const struct secret *secret, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	struct parent_brief b = { .stall_us = stall(c), .node = c->self->index, .path_count = (uint32_t)h->path_count };
	WIPED struct secret key = { 0 };
	enum gw_err r;

	if (!h->parent)
		return GW_OK;
	(void)snprintf(b.cluster, sizeof(b.cluster), "%s", c->cluster);
	r = pairkeys_beat(h->g->crypto, secret_bytes(secret), c->cluster, &key);
	if (r != GW_OK)
		return err_set(e, r, "heartbeats: cannot derive a key from the secret");
	memcpy(b.beat_key, key.p, sizeof(b.beat_key));
	for (size_t i = 0; i < h->path_count; i++) {
		b.paths[i].local = at_port(path_addr(c, i), c->port);
		b.paths[i].remote = at_port(i == 0 ? &c->peer->sync : &c->peer->heartbeat[i - 1], c->port);
	}
	b.address_count = (uint32_t)vips_entries(h->vips, b.addresses, PARENT_ADDRESSES);
	r = parent_tell(h->parent, &b, e);
	secret_wipe(&b, sizeof(b));
	return r;
}

static enum gw_err open_link(struct ha_node *h, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	const struct synclink_config cfg = { .cluster = c->cluster,
					     .node = c->self->name,
					     .peer = c->peer->name,
					     .connects = c->self->index < c->peer->index,
					     .local = at_port(&c->self->sync, c->port),
					     .remote = at_port(&c->peer->sync, c->port) };

	h->link = synclink_create(&h->g->env, h->g->loop, &cfg, secret_bytes(&c->secret), &link_ops, h, e);
	return h->link ? GW_OK : e->code;
}

struct ha_config ha_node_config(const struct ha_node *h)
{
	const struct ha_cfg *c = &h->settings->ha, *now = &h->live->ha;

	return (struct ha_config){ .cluster = c->cluster,
				   .node = c->self->name,
				   .software = GW_VERSION,
				   .priority = now->self->priority,
				   .external = now->election == HA_ELECTION_EXTERNAL,
				   .ack_timeout_us = now->ack_timeout_us,
				   .report_us = now->report_us,
				   .start_hold_us = now->start_hold_us,
				   .calm_us = now->flap_hold_us,
				   .preempt_us = now->preempt_delay_us,
				   .preempt_synced = now->preempt_synced,
				   .strict = now->replay == HA_REPLAY_STRICT,
				   .fence = now->fence != NULL,
				   .former = fault_former(),
				   .watch = { .interval_us = beat_interval(c),
					      .misses = c->heartbeat_misses,
					      .stall_us = stall(c),
					      .witness = h->witness != NULL } };
}

static enum gw_err make_engine(struct ha_node *h, struct err *e)
{
	const struct ha_config cfg = ha_node_config(h);

	h->ha = ha_create(&h->g->env, &cfg, &ha_objects_ops, h->g, &h->durable);
	return h->ha ? GW_OK : err_set(e, GW_ENOMEM, "out of memory");
}

enum gw_err ha_node_start(struct gateway *g, struct err *e)
{
	struct ha_node *h = g->ha;
	struct heartbeat_says says;

	TRY(make_engine(h, e));
	ike_set_passive(g->ike, true);
	atomic_store(&h->turning_us, clock_now(g->env.clock).us);
	if (g->plane_is_user)
		user_plane_set_pulse(g->dp, &h->turning_us, h->sleep_us);
	h->gate = DP_SHUT;
	g->dp->ops->set_open(g->dp, DP_SHUT);
	TRY(open_link(h, e));
	says = says_of(h);
	TRY(heartbeat_start(h->beat, &says, e));
	TRY(ha_node_brief_parent(h, &h->settings->ha.secret, e));
	ha_hooks_role(h, "started");
	h->look = true;
	return GW_OK;
}

void ha_node_close(struct ha_node *h)
{
	if (!h)
		return;
	if (h->g->dp && h->g->plane_is_user)
		user_plane_set_pulse(h->g->dp, NULL, 0);
	/* Addresses first, then the last word: the other node takes them at once. */
	vips_destroy(h->vips);
	if (h->ha) {
		h->left = true;
		ha_node_say(h);
	}
	programs_destroy(h->programs);
	synclink_destroy(h->link);
	heartbeat_destroy(h->beat);
	terms_close(h->terms);
	witness_destroy(h->witness);
	ha_destroy(h->ha);
	ifwatch_destroy(h->path_links);
	free(h->rekeys.spis);
	free(h->ops);
	settings_unref(h->settings);
	settings_unref(h->live);
	free(h);
}
