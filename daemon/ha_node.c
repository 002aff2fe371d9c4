#include "daemon/ha_node.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/gateway.h"

#define LEASE_PAUSE_US MILLISECONDS(20)

/* ---- what the other node looks like ---- */

static bool path_up(const struct ha_node *h, size_t i)
{
	const struct ifwatch_link *l =
		h->path_links && h->path_interface[i][0] ? ifwatch_find(h->path_links, h->path_interface[i]) : NULL;

	return !l || l->up;
}

static void observe(struct ha_node *h)
{
	struct heartbeat_view v;
	struct watch_view w = { 0 };

	heartbeat_look(h->beat, &v);
	for (size_t i = 0; i < h->path_count; i++)
		w.paths[i] = (struct watch_path){ .used = true, .link_up = path_up(h, i), .heard = v.paths[i].heard };
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
	w.peer_loop_age_us = v.loop_age_us;
	w.peer_withdrawn = v.withdrawn;
	w.service_up = vips_service_up(h->vips);
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
					.synced = b.synced,
					.leaving = h->left || b.leaving,
					.service_up = b.service_up,
					.asleep = b.asleep,
					.traffic = b.traffic };
}

static void slept(struct ha_node *h, int64_t us)
{
	h->counters.sleeps++;
	if (us > h->counters.longest_sleep_us)
		h->counters.longest_sleep_us = us;
	ha_slept(h->ha, us);
}

static void on_beat_changed(void *arg)
{
	struct ha_node *h = arg;

	h->look = true;
}

static void on_slept(void *arg, int64_t us)
{
	slept(arg, us);
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

static const struct heartbeat_ops beat_ops = { on_beat_changed, on_slept };

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

	ha_link_receive(h->ha, in);
}

static void on_link_down(void *arg, const char *reason)
{
	struct ha_node *h = arg;

	ha_link_down(h->ha, reason);
}

/* The turn's end goes on with what waits. */
static void on_link_room(void *arg)
{
	(void)arg;
}

static const struct synclink_ops link_ops = { on_link_up, on_link_bytes, on_link_down, on_link_room };

static void write_link(struct ha_node *h)
{
	struct bytes b;

	while ((b = ha_link_bytes(h->ha)).n > 0) {
		size_t n = synclink_send(h->link, b);

		if (n == 0)
			return;
		ha_link_written(h->ha, n);
		if (loop_turn_over(h->g->loop)) {
			loop_again(h->g->loop);
			return;
		}
	}
}

/* ---- what ha wants done ---- */

static void note_role(struct ha_node *h, const char *why)
{
	struct ha_status st;
	size_t at = h->history_count++ % HA_NODE_HISTORY;

	ha_look(h->ha, &st);
	h->history[at].at = clock_now(h->g->env.clock);
	h->history[at].role = (uint8_t)st.role;
	h->history[at].term = st.term;
	(void)snprintf(h->history[at].why, sizeof(h->history[at].why), "%s", why);
}

static void submit(struct ha_node *h, const struct ha_event *ev)
{
	struct dp_event done = { .kind = DP_DONE, .token = ev->token };

	done.result = dp_submit(h->g->dp, ev->token, ev->ops, ev->op_count);
	if (done.result == GW_OK)
		return;
	(void)snprintf(done.text, sizeof(done.text), "%s", gw_err_text(done.result));
	(void)ha_plane_event(h->ha, &done);
}

static void set_open(struct ha_node *h, enum dp_gate gate)
{
	struct gateway *g = h->g;

	h->open = gate == DP_OPEN;
	g->dp->ops->set_open(g->dp, gate);
	if (h->open)
		h->takeover.opened = clock_now(g->env.clock);
}

static void become_active(struct ha_node *h, const struct ha_event *ev)
{
	struct gateway *g = h->g;

	ike_set_passive(g->ike, false);
	if (ev->behind)
		ike_doubt_all(g->ike);
	memset(h->lease_dirty, 0xff, sizeof(h->lease_dirty));
	h->lease_at = clock_now(g->env.clock);
	log_notice(&g->log, "taken over: addresses after %lld us, data plane open after %lld us",
		   (long long)mtime_since(h->takeover.asked, h->takeover.claimed),
		   (long long)mtime_since(h->takeover.asked, h->takeover.opened));
}

static void gather_rekey(struct ha_node *h, uint32_t spi)
{
	if (h->rekeys.n == h->rekeys.cap) {
		size_t cap = h->rekeys.cap ? h->rekeys.cap * 2 : 64;
		uint32_t *bigger = realloc(h->rekeys.spis, cap * sizeof(*bigger));

		if (!bigger)
			return; /* ha asks again */
		h->rekeys.spis = bigger;
		h->rekeys.cap = cap;
	}
	h->rekeys.spis[h->rekeys.n++] = spi;
}

static void do_event(struct ha_node *h, const struct ha_event *ev)
{
	struct gateway *g = h->g;

	switch (ev->kind) {
	case HA_EV_DATAPLANE:
		submit(h, ev);
		break;
	case HA_EV_PERSIST:
		terms_write(h->terms, &ev->durable);
		break;
	case HA_EV_CLAIM:
		h->takeover.asked = clock_now(g->env.clock);
		vips_claim(h->vips);
		h->takeover.claimed = clock_now(g->env.clock);
		break;
	case HA_EV_RELEASE:
		vips_release(h->vips);
		h->counters.demotions++;
		break;
	case HA_EV_OPEN:
		set_open(h, DP_OPEN);
		break;
	case HA_EV_SHUT:
		set_open(h, DP_SHUT);
		break;
	case HA_EV_INBOUND:
		set_open(h, DP_INBOUND_ONLY);
		break;
	case HA_EV_ACTIVE:
		h->counters.promotions++;
		become_active(h, ev);
		note_role(h, ev->text);
		break;
	case HA_EV_PASSIVE:
		ike_set_passive(g->ike, true);
		note_role(h, ev->text);
		break;
	case HA_EV_SYNCED:
		log_notice(&g->log, "protected: %s", ev->text[0] ? ev->text : "the standby holds everything");
		break;
	case HA_EV_UNPROTECTED:
		log_warn(&g->log, "unprotected: %s", ev->text);
		break;
	case HA_EV_REFUSED:
		h->counters.refused++;
		log_warn(&g->log, "the standby does not hold object %u/%016llx: %s", ev->object_kind,
			 (unsigned long long)ev->key, ev->text);
		break;
	case HA_EV_REKEY:
		h->counters.rekeys++;
		gather_rekey(h, ev->sa.spi);
		break;
	case HA_EV_CLOSE_LINK:
		h->counters.links_closed++;
		synclink_close(h->link, ev->text);
		break;
	case HA_EV_FENCE: /* not asked for as long as no program is configured */
	case HA_EV_CHANGED:
	case HA_EV_VERIFIED:
		break;
	}
}

bool ha_node_take_events(struct ha_node *h)
{
	struct ha_event ev;
	bool any = false;

	while (ha_take_event(h->ha, &ev)) {
		any = true;
		do_event(h, &ev);
	}
	return any;
}

/* ---- a turn ---- */

void ha_node_begin(struct ha_node *h)
{
	if (!h->look && !mtime_reached(ha_due(h->ha), clock_now(h->g->env.clock)))
		return;
	h->look = false;
	observe(h);
	ha_tick(h->ha);
}

const struct dp_op *ha_node_prepare(struct ha_node *h, const struct ike_event *ev, uint64_t *token)
{
	if (ev->op_count > h->op_cap) {
		size_t cap = ev->op_count > 64 ? ev->op_count * 2 : 64;
		struct dp_op *bigger = realloc(h->ops, cap * sizeof(*bigger));

		if (!bigger)
			return NULL;
		h->ops = bigger;
		h->op_cap = cap;
	}
	memcpy(h->ops, ev->ops, ev->op_count * sizeof(*h->ops));
	*token = ha_prepare(h->ha, ev->token, ev->key, h->ops, ev->op_count);
	return h->ops;
}

void ha_node_heed(struct ha_node *h, const struct ike_event *ev)
{
	if (ev->kind != IKE_EV_SA_DOWN || !ev->sa || ha_role_of(h->ha) != HA_ACTIVE)
		return;
	for (size_t i = 0; i < SA_LEASES; i++)
		if (ev->sa->leases[i].pool) {
			uint64_t b = ha_objects_bucket(&ev->sa->leases[i].addr);

			h->lease_dirty[b / 64] |= UINT64_C(1) << b % 64;
		}
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One walk, however many there are. */
static void ask_rekeys(struct ha_node *h)
{
	struct ike *ike = h->g->ike;
	const struct ike_sa *sa;
	uint32_t after = 0;

	if (h->rekeys.n == 0)
		return;
	qsort(h->rekeys.spis, h->rekeys.n, sizeof(*h->rekeys.spis), by_value);
	while ((sa = ike_next(ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c; c = c->next)
			if (bsearch(&c->spi_out, h->rekeys.spis, h->rekeys.n, sizeof(*h->rekeys.spis), by_value)) {
				(void)ike_rekey(ike, &(struct ike_select){ .id = sa->id, .child_id = c->id }, true);
				break; /* others of this SA are found when it is asked again */
			}
	h->rekeys.n = 0;
}

/* A bucket costs a walk over all leases: one now and then. */
static void tell_leases(struct ha_node *h)
{
	mtime now = clock_now(h->g->env.clock);

	if (!mtime_reached(h->lease_at, now) || ha_role_of(h->ha) != HA_ACTIVE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(h->lease_dirty); i++)
		if (h->lease_dirty[i]) {
			unsigned bit = (unsigned)__builtin_ctzll(h->lease_dirty[i]);

			h->lease_dirty[i] &= h->lease_dirty[i] - 1;
			ha_dirty(h->ha, HA_OBJ_LEASES, i * 64 + bit, false);
			h->lease_at = mtime_add(now, LEASE_PAUSE_US);
			return;
		}
}

void ha_node_gathered(struct ha_node *h)
{
	ask_rekeys(h);
	tell_leases(h);
}

void ha_node_wake(struct ha_node *h)
{
	int64_t gap = heartbeat_alive(h->beat);

	if (gap > h->settings->ha.heartbeat_interval_us + h->detection_us / 2)
		slept(h, gap);
}

static void say(struct ha_node *h)
{
	struct heartbeat_says s = says_of(h);

	heartbeat_say(h->beat, &s);
}

void ha_node_end(struct ha_node *h)
{
	struct ike_output out;

	(void)ha_end_turn(h->ha);
	while (ike_take_datagram(h->g->ike, &out))
		ha_send(h->ha, &out);
	write_link(h);
	say(h);
	if (h->leaving && !h->left && ha_role_of(h->ha) == HA_STANDBY) {
		ha_leave(h->ha);
		write_link(h);
		h->left = true;
		say(h);
	}
}

static bool leases_wait(const struct ha_node *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->lease_dirty); i++)
		if (h->lease_dirty[i])
			return ha_role_of(h->ha) == HA_ACTIVE;
	return false;
}

mtime ha_node_due(const struct ha_node *h)
{
	return mtime_min(ha_due(h->ha), leases_wait(h) ? h->lease_at : MTIME_NEVER);
}

/* ---- the end ---- */

void ha_node_stop(struct ha_node *h, const char *why)
{
	struct err e = { 0 };

	h->leaving = true;
	if (ha_role_of(h->ha) != HA_ACTIVE || ha_switchover(h->ha, why, &e) == GW_OK)
		return;
	log_warn(&h->g->log, "nobody takes over: %s", e.text);
	if (ha_demote(h->ha, why, &e) != GW_OK)
		h->left = true;
}

bool ha_node_left(const struct ha_node *h)
{
	return h->left;
}

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

static enum gw_err open_heartbeat(struct ha_node *h, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	struct heartbeat_config cfg = { .cluster = c->cluster,
					.node = c->self->index,
					.peer = c->peer->index,
					.incarnation = h->g->env.node.incarnation,
					.interval_us = c->heartbeat_interval_us,
					.misses = c->heartbeat_misses,
					.stall_us = c->heartbeat_stall_us,
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

static enum gw_err open_all(struct ha_node *h, struct err *e)
{
	struct gateway *g = h->g;

	h->terms = terms_open(&g->env, g->loop, h->settings->state_dir, on_persisted, h, &h->durable, e);
	if (!h->terms)
		return e->code;
	TRY(open_heartbeat(h, e));
	TRY(watch_paths(h, e));
	h->vips = vips_create(&g->env, g->loop, &h->settings->ha, on_vips_changed, h, e);
	return h->vips ? GW_OK : e->code;
}

enum gw_err ha_node_open(struct gateway *g, struct parent_link *parent, struct err *e)
{
	struct ha_node *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(e, GW_ENOMEM, "out of memory");
	h->g = g;
	h->parent = parent;
	h->settings = settings_ref(g->settings);
	h->lease_at = MTIME_NEVER;
	g->ha = h; /* closed with the gateway, whatever fails */
	return open_all(h, e);
}

static enum gw_err brief_parent(struct ha_node *h, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	struct parent_brief b = { .stall_us = c->heartbeat_stall_us,
				  .node = c->self->index,
				  .path_count = (uint32_t)h->path_count };
	WIPED struct secret key = { 0 };
	enum gw_err r;

	if (!h->parent)
		return GW_OK;
	if (b.stall_us == 0)
		b.stall_us = c->heartbeat_interval_us * 10 > MILLISECONDS(500) ? c->heartbeat_interval_us * 10
									       : MILLISECONDS(500);
	(void)snprintf(b.cluster, sizeof(b.cluster), "%s", c->cluster);
	r = pairkeys_beat(h->g->crypto, secret_bytes(&c->secret), c->cluster, &key);
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

static enum gw_err make_engine(struct ha_node *h, struct err *e)
{
	const struct ha_cfg *c = &h->settings->ha;
	const struct ha_config cfg = { .cluster = c->cluster,
				       .node = c->self->name,
				       .software = GW_VERSION,
				       .priority = c->self->priority,
				       .external = c->election == HA_ELECTION_EXTERNAL,
				       .ack_timeout_us = c->ack_timeout_us,
				       .report_us = c->report_us,
				       .start_hold_us = c->start_hold_us,
				       .calm_us = c->flap_hold_us,
				       .watch = { .interval_us = c->heartbeat_interval_us,
						  .misses = c->heartbeat_misses,
						  .stall_us = c->heartbeat_stall_us } };

	h->ha = ha_create(&h->g->env, &cfg, &ha_objects_ops, h->g, &h->durable);
	return h->ha ? GW_OK : err_set(e, GW_ENOMEM, "out of memory");
}

enum gw_err ha_node_start(struct gateway *g, struct err *e)
{
	struct ha_node *h = g->ha;
	struct heartbeat_says says;

	TRY(make_engine(h, e));
	ike_set_passive(g->ike, true);
	set_open(h, false);
	TRY(open_link(h, e));
	says = says_of(h);
	TRY(heartbeat_start(h->beat, &says, e));
	TRY(brief_parent(h, e));
	h->look = true;
	return GW_OK;
}

void ha_node_close(struct ha_node *h)
{
	if (!h)
		return;
	/* Addresses first, then the last word: the other node takes them at once. */
	vips_destroy(h->vips);
	if (h->ha) {
		h->left = true;
		say(h);
	}
	synclink_destroy(h->link);
	heartbeat_destroy(h->beat);
	terms_close(h->terms);
	ha_destroy(h->ha);
	ifwatch_destroy(h->path_links);
	free(h->rekeys.spis);
	free(h->ops);
	settings_unref(h->settings);
	free(h);
}
