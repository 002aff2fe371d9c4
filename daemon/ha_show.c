#include "daemon/ha_show.h"

#include <stdio.h>

#include "config/fingerprint.h"
#include "daemon/gateway.h"
#include "daemon/show.h"

enum { REASONS_MAX = 8 };

struct looked {
	const struct ha_node *h;
	const struct ha_cfg *cfg;
	mtime now;
	int64_t wall;
	struct ha_status st;
	struct heartbeat_view beat;
	struct vips_stats vips;
	struct synclink_stats link;
};

static struct looked look(const struct ha_node *h)
{
	const struct env *env = &h->g->env;
	struct looked l = {
		.h = h, .cfg = &h->settings->ha, .now = clock_now(env->clock), .wall = env->clock->wall(env->clock)
	};

	ha_look(h->ha, &l.st);
	heartbeat_look(h->beat, &l.beat);
	vips_look(h->vips, &l.vips);
	synclink_look(h->link, &l.link);
	return l;
}

const char *ha_show_role(uint8_t role)
{
	return role == HA_ACTIVE ? "active" : role == HA_STANDBY ? "standby" : "none";
}

static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static void put(json_t *to, const char *key, json_t *v)
{
	(void)json_object_set_new(to, key, v);
}

static json_t *ms_since(const struct looked *l, mtime t)
{
	return t.us == 0 ? json_null() : json_integer(mtime_since(t, l->now) / 1000);
}

static json_t *when(const struct looked *l, mtime t)
{
	return show_time(l->wall - mtime_since(t, l->now) / 1000000);
}

static json_t *addr_json(const struct addr *a)
{
	char text[ADDR_TEXT];

	return json_string(addr_text(a, text));
}

static const struct addr *own_path(const struct looked *l, size_t i)
{
	return i == 0 ? &l->cfg->self->sync : &l->cfg->self->heartbeat[i - 1];
}

static const struct addr *peer_path(const struct looked *l, size_t i)
{
	return i == 0 ? &l->cfg->peer->sync : &l->cfg->peer->heartbeat[i - 1];
}

/* ---- would we survive a failure now? ---- */

static bool heard_lately(const struct looked *l)
{
	for (size_t i = 0; i < l->h->path_count; i++)
		if (!l->beat.paths[i].silent)
			return true;
	return false;
}

/* In what the other node's configuration is another one; "": in nothing that we know. */
static const char *differs(const struct looked *l, char buf[FINGERPRINT_TEXT])
{
	uint64_t theirs = l->beat.known ? l->beat.says.config : 0;

	return fingerprint_differs(theirs ? l->h->fingerprint : 0, theirs, buf);
}

/* Reasons against it, beside that of the engine. */
static size_t doubts(const struct looked *l, const char *out[REASONS_MAX])
{
	char text[FINGERPRINT_TEXT];
	size_t n = 0;

	if (l->st.why_not)
		out[n++] = l->st.why_not;
	if (terms_trouble(l->h->terms))
		out[n++] = terms_trouble(l->h->terms);
	if (!heard_lately(l))
		out[n++] = "the other node is not heard on any path";
	else if (l->beat.says.leaving)
		out[n++] = "the other node is leaving";
	else if (l->st.role == HA_ACTIVE && !l->beat.says.service_up)
		out[n++] = "a service interface of the standby is down";
	if (l->st.role == HA_STANDBY && !l->vips.service_up)
		out[n++] = "a service interface of this node is down";
	if (differs(l, text)[0])
		out[n++] = "the configurations of the two nodes differ";
	if (l->st.paused && l->st.role == HA_STANDBY)
		out[n++] = "this node is paused and does not take over by itself";
	return n;
}

static json_t *reasons(const struct looked *l, bool *survives)
{
	const char *list[REASONS_MAX];
	size_t n = doubts(l, list);
	json_t *j = json_array();

	*survives = n == 0;
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(j, show_text(list[i]));
	return j;
}

/* ---- parts ---- */

static json_t *peer(const struct looked *l)
{
	const struct heartbeat_says *s = &l->beat.says;
	const char *name = l->cfg->peer->name;

	return json_pack("{s:o, s:i, s:s, s:b, s:b, s:o, s:o, s:o, s:i, s:b, s:b, s:b, s:b, s:b, s:I}", "node",
			 show_text(name), "index", (int)l->cfg->peer->index, "role",
			 ha_show_role(l->st.peer_linked ? l->st.peer_role
				      : l->beat.known	? s->role
							: 0),
			 "linked", l->st.peer_linked, "heard", heard_lately(l), "heard_ms", ms_since(l, l->beat.at),
			 "loop_age_ms", l->beat.known ? json_integer(l->beat.loop_age_us / 1000) : json_null(),
			 "software", l->st.peer_software[0] ? show_text(l->st.peer_software) : json_null(), "term",
			 (int)s->term, "synced", s->synced, "service_up", s->service_up, "leaving", s->leaving,
			 "asleep", s->asleep, "withdrawn", l->beat.withdrawn, "incarnation",
			 (json_int_t)l->beat.incarnation);
}

static json_t *paths(const struct looked *l)
{
	json_t *j = json_array();

	for (size_t i = 0; i < l->h->path_count; i++) {
		const char *name = l->h->path_interface[i];

		(void)json_array_append_new(
			j, json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:I}", "local", addr_json(own_path(l, i)),
				     "remote", addr_json(peer_path(l, i)), "interface",
				     name[0] ? show_text(name) : json_null(), "up", ha_node_path_up(l->h, i), "heard",
				     !l->beat.paths[i].silent, "heard_ms", ms_since(l, l->beat.paths[i].heard),
				     "send_errors", (json_int_t)l->beat.paths[i].send_errors));
	}
	return j;
}

static json_t *addresses(const struct looked *l)
{
	struct vips_address a;
	json_t *j = json_array();

	for (size_t i = 0; vips_at(l->h->vips, i, &a); i++) {
		char text[ADDR_TEXT + 4];
		const struct prefix p = { a.addr, a.len };

		(void)json_array_append_new(j, json_pack("{s:s, s:o, s:b}", "address", prefix_text(&p, text),
							 "interface", show_text(a.interface), "present", a.present));
	}
	return j;
}

static json_t *witnesses(const struct looked *l)
{
	struct witness_state w;
	json_t *j = json_array();

	for (size_t i = 0; l->h->witness && witness_at(l->h->witness, i, &w); i++)
		(void)json_array_append_new(j,
					    json_pack("{s:o, s:b, s:o, s:I, s:I}", "address", addr_json(&w.addr),
						      "answers", w.answers, "heard_ms", ms_since(l, w.heard), "asked",
						      (json_int_t)w.asked, "answered", (json_int_t)w.answered));
	return j;
}

static json_t *transitions(const struct looked *l)
{
	struct ha_transition t[HA_TRANSITIONS];
	size_t n = ha_transitions(l->h->ha, t);
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(j, json_pack("{s:o, s:s, s:I, s:o}", "at", when(l, t[i].at), "to",
							 ha_show_role(t[i].role), "term", (json_int_t)t[i].term, "why",
							 show_text(t[i].why)));
	return j;
}

static const char *kind_text(uint8_t kind)
{
	static const char *const texts[HA_OBJ_KINDS] = { [HA_OBJ_IKE] = "ike-sa",
							 [HA_OBJ_COOKIE] = "cookie-secret",
							 [HA_OBJ_LEASES] = "leases",
							 [HA_OBJ_CEILING] = "ceiling" };

	return kind < HA_OBJ_KINDS && texts[kind] ? texts[kind] : "plane-sa";
}

static json_t *key_json(uint64_t key)
{
	char text[17];

	(void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)key);
	return json_string(text);
}

static json_t *refusals(const struct looked *l)
{
	struct ha_refusal r[HA_REFUSALS];
	size_t n = ha_refusals(l->h->ha, r);
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(j, json_pack("{s:s, s:o, s:s, s:o}", "kind", kind_text(r[i].kind), "key",
							 key_json(r[i].key), "code", gw_err_text(r[i].code), "text",
							 show_text(r[i].text)));
	return j;
}

static json_t *lag(const struct ha_status *st)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "turn", number(st->turn), "acknowledged",
			 number(st->acked), "turns", (json_int_t)st->lag_turns, "us", (json_int_t)st->lag_us, "records",
			 (json_int_t)st->unacked, "held_datagrams", (json_int_t)st->held, "round_trip_us",
			 (json_int_t)st->srtt_us);
}

static json_t *takeover(const struct ha_node *h)
{
	if (h->takeover.asked.us == 0)
		return json_null();
	return json_pack("{s:I, s:I}", "claimed_us", (json_int_t)mtime_since(h->takeover.asked, h->takeover.claimed),
			 "opened_us", (json_int_t)mtime_since(h->takeover.asked, h->takeover.opened));
}

static const char *gate_text(enum dp_gate gate)
{
	return gate == DP_OPEN ? "open" : gate == DP_INBOUND_ONLY ? "inbound-only" : "shut";
}

static const char *fence_text(enum ha_fence f)
{
	static const char *const texts[] = { "none", "running", "off", "failed" };

	return (size_t)f < ARRAY_LEN(texts) ? texts[f] : "none";
}

/* ---- the whole ---- */

static void put_role(json_t *j, const struct looked *l)
{
	const struct ha_status *st = &l->st;

	put(j, "role", json_string(ha_show_role((uint8_t)st->role)));
	put(j, "term", number(st->term));
	put(j, "since", when(l, st->changed_at));
	put(j, "why", show_text(st->last_change ? st->last_change : ""));
	put(j, "node", show_text(l->cfg->self->name));
	put(j, "cluster", show_text(l->cfg->cluster));
	put(j, "reserve", number(st->reserve));
	put(j, "election", json_string(l->h->live->ha.election == HA_ELECTION_EXTERNAL ? "external" : "builtin"));
	put(j, "gate", json_string(gate_text(l->h->gate)));
	put(j, "asleep", json_boolean(st->asleep));
	put(j, "handing", json_boolean(st->handing));
	put(j, "paused", json_boolean(st->paused));
	put(j, "draining", json_boolean(l->h->draining));
	put(j, "fence", json_string(fence_text(st->fence)));
	put(j, "preempts_in",
	    st->preempt_at.us == MTIME_NEVER.us ? json_null()
						: json_integer(mtime_since(l->now, st->preempt_at) / 1000000));
}

json_t *ha_show_status(const struct ha_node *h)
{
	struct looked l = look(h);
	json_t *j = json_object(), *because;
	bool survives, active = l.st.role == HA_ACTIVE;
	char parts[FINGERPRINT_TEXT];

	if (!j)
		return NULL;
	because = reasons(&l, &survives);
	put(j, "survives", json_boolean(survives));
	put(j, "because", because);
	put_role(j, &l);
	put(j, "synced", json_boolean(l.st.sync == HA_SYNC_DONE && (!active || l.st.protected_)));
	put(j, "protected", json_boolean(active && l.st.protected_));
	put(j, "format", json_integer(ha_format(h->ha)));
	put(j, "peer", peer(&l));
	put(j, "paths", paths(&l));
	put(j, "tunnels", number(ike_count(h->g->ike)));
	put(j, "objects", number(l.st.objects));
	put(j, "lag", lag(&l.st));
	put(j, "unacknowledged", number(l.st.unacked));
	put(j, "refused", number(l.st.refused));
	put(j, "refusals", refusals(&l));
	put(j, "ceilings", number(l.st.ceilings));
	put(j, "replay",
	    json_pack("{s:s, s:I, s:I}", "mode", h->live->ha.replay == HA_REPLAY_STRICT ? "strict" : "lossless",
		      "packets", (json_int_t)l.st.replay_packets, "us", (json_int_t)l.st.replay_us));
	put(j, "service_up", json_boolean(l.vips.service_up));
	put(j, "witnesses", witnesses(&l));
	put(j, "addresses", addresses(&l));
	put(j, "config_differs", json_boolean(differs(&l, parts)[0] != 0));
	put(j, "config_differs_in", parts[0] ? json_string(parts) : json_null());
	put(j, "takeover", takeover(h));
	put(j, "transitions", transitions(&l));
	return j;
}

static const char *difference_text(uint8_t what)
{
	static const char *const texts[] = { [HA_DIFFERS] = "differs",
					     [HA_ONLY_ACTIVE] = "only-active",
					     [HA_ONLY_STANDBY] = "only-standby",
					     [HA_PLANE_LACKS] = "not-in-data-plane",
					     [HA_PLANE_EXTRA] = "unknown-in-data-plane" };

	return what < ARRAY_LEN(texts) && texts[what] ? texts[what] : "?";
}

json_t *ha_show_verified(const struct ha_verified *v)
{
	json_t *items = json_array();

	for (size_t i = 0; i < v->count && i < HA_DIFFERENCES; i++) {
		const struct ha_difference *d = &v->items[i];

		(void)json_array_append_new(items, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "what",
							     difference_text(d->what), "kind", kind_text(d->kind),
							     "key", key_json(d->key), "active", number(d->active),
							     "standby", number(d->standby), "why", show_text(d->why)));
	}
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "equal",
			 v->differing + v->only_active + v->only_standby + v->plane_lacks + v->plane_extra == 0,
			 "repair", v->repair, "objects", (json_int_t)v->objects, "differing", (json_int_t)v->differing,
			 "only_active", (json_int_t)v->only_active, "only_standby", (json_int_t)v->only_standby,
			 "plane_sas", (json_int_t)v->plane_sas, "plane_lacks", (json_int_t)v->plane_lacks,
			 "plane_extra", (json_int_t)v->plane_extra, "differences", items);
}

/* ---- counters ---- */

static json_t *node_counters(const struct looked *l)
{
	const struct ha_node *h = l->h;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "promotions",
			 (json_int_t)h->counters.promotions, "demotions", (json_int_t)h->counters.demotions, "sleeps",
			 (json_int_t)h->counters.sleeps, "longest_sleep_us", (json_int_t)h->counters.longest_sleep_us,
			 "refused_records", (json_int_t)h->counters.refused, "rekeys_asked",
			 (json_int_t)h->counters.rekeys, "links_closed", (json_int_t)h->counters.links_closed,
			 "released_unacknowledged", (json_int_t)l->st.releases, "repairs", (json_int_t)l->st.repairs,
			 "adopted", (json_int_t)l->st.adopted, "given_up", (json_int_t)l->st.given_up,
			 "address_failures", (json_int_t)l->vips.failed, "ceilings_raised",
			 (json_int_t)l->st.ceilings_raised);
}

static json_t *beat_counters(const struct looked *l)
{
	static const char *const names[HEARTBEAT_REFUSALS] = {
		[HEARTBEAT_MALFORMED] = "refused_malformed", [HEARTBEAT_ADDRESS] = "refused_address",
		[HEARTBEAT_STRANGER] = "refused_stranger",   [HEARTBEAT_SECRET] = "refused_secret",
		[HEARTBEAT_REPLAY] = "refused_replay",	     [HEARTBEAT_STALE] = "refused_stale",
	};
	json_t *j = json_pack("{s:I, s:I, s:I, s:I}", "in", (json_int_t)l->beat.in, "out", (json_int_t)l->beat.out,
			      "spared", (json_int_t)l->beat.spared, "realtime",
			      (json_int_t)heartbeat_is_realtime(l->h->beat));

	for (size_t i = 0; i < HEARTBEAT_REFUSALS; i++)
		put(j, names[i], number(l->beat.refused[i]));
	return j;
}

static json_t *link_counters(const struct looked *l)
{
	static const char *const names[SYNCLINK_REFUSALS] = {
		[SYNCLINK_ADDRESS] = "refused_address", [SYNCLINK_CLUSTER] = "refused_cluster",
		[SYNCLINK_SECRET] = "refused_secret",	[SYNCLINK_PROTOCOL] = "refused_protocol",
		[SYNCLINK_TIMEOUT] = "refused_timeout", [SYNCLINK_CROWD] = "refused_crowd",
	};
	json_t *j = json_pack("{s:I, s:I, s:I, s:I, s:I}", "up", (json_int_t)l->link.up, "ups", (json_int_t)l->link.ups,
			      "bytes_in", (json_int_t)l->link.bytes_in, "bytes_out", (json_int_t)l->link.bytes_out,
			      "waiting", (json_int_t)l->link.waiting);

	for (size_t i = 0; i < SYNCLINK_REFUSALS; i++)
		put(j, names[i], number(l->link.refused[i]));
	return j;
}

json_t *ha_show_stats(const struct ha_node *h)
{
	struct looked l = look(h);

	return json_pack("{s:o, s:o, s:o}", "node", node_counters(&l), "heartbeat", beat_counters(&l), "link",
			 link_counters(&l));
}
