#include "daemon/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/load.h"
#include "ike/id.h"
#include "ike/proposal.h"

_Static_assert(ID_TEXT == 160, "show_identity() promises this size");

json_t *show_text(const char *text)
{
	json_t *j = json_string(text);
	size_t n = strlen(text), at = 0;
	char *escaped;

	if (j)
		return j;
	escaped = malloc(n * 4 + 1);
	if (!escaped)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c < 0x7f)
			escaped[at++] = (char)c;
		else
			at += (size_t)snprintf(escaped + at, 5, "\\x%02x", c);
	}
	escaped[at] = 0;
	j = json_string(escaped);
	free(escaped);
	return j;
}

json_t *show_time(int64_t wall)
{
	char text[40];
	struct tm tm;
	time_t t = (time_t)wall;

	if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

static json_t *hex(const char *format, unsigned long long v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), format, v);
	return json_string(text);
}

/* Whole seconds since; null: never was. */
static json_t *seconds_since(mtime then, mtime now)
{
	int64_t us = mtime_since(then, now);

	if (then.us == 0 || then.us == INT64_MAX)
		return json_null();
	return json_integer(us > 0 ? us / 1000000 : 0);
}

/* Whole seconds until; null: never. 0: due. */
static json_t *seconds_until(mtime when, mtime now)
{
	int64_t us = mtime_since(now, when);

	if (when.us == 0 || when.us == INT64_MAX)
		return json_null();
	return json_integer(us > 0 ? us / 1000000 : 0);
}

static json_t *endpoint_json(const struct endpoint *e)
{
	char text[ADDR_TEXT];

	return json_pack("{s:s, s:i}", "addr", addr_text(&e->addr, text), "port", (int)e->port);
}

const char *show_identity(const struct ike_sa *sa, char buf[ID_TEXT])
{
	return sa->peer_id.n > 0 ? id_text(sa->peer_id_kind, sa->peer_id, buf) : NULL;
}

bool show_visible(const struct ike_sa *sa)
{
	return sa->state != IKE_LINGERING && sa->state != IKE_DEAD;
}

static json_t *suite_json(const struct transform *encr, const struct transform *prf, const struct transform *integ,
			  const struct transform *esn, const struct transform *dh)
{
	struct chosen c = { 0 };
	char text[CHOSEN_TEXT];

	c.encr = *encr;
	c.integ = *integ;
	c.dh = *dh;
	if (prf)
		c.prf = *prf;
	if (esn)
		c.esn = *esn;
	return json_string(chosen_text(&c, text));
}

static json_t *selectors_json(const struct selector *s, size_t n)
{
	json_t *list = json_array();
	char text[SELECTOR_TEXT];

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(selector_text(&s[i], text)));
	return list;
}

struct traffic {
	struct dp_sa_state in, out;
};

/* Zeros where the plane does not (yet, or any more) have the SA. */
static struct traffic traffic_of(const struct show *s, const struct child_sa *c)
{
	const struct dp_sa_id in = { .dir = DP_IN, .spi = c->spi_in };
	const struct dp_sa_id out = { .dir = DP_OUT, .spi = c->spi_out, .remote = c->sa->remote.addr };
	struct traffic t = { 0 };

	if (!s->dp)
		return t;
	if (s->dp->ops->query(s->dp, &in, &t.in) != GW_OK)
		memset(&t.in, 0, sizeof(t.in));
	if (s->dp->ops->query(s->dp, &out, &t.out) != GW_OK)
		memset(&t.out, 0, sizeof(t.out));
	return t;
}

static bool child_in_udp(const struct child_sa *c)
{
	return c->sa->peer_nat || c->sa->our_nat; /* RFC 7296 2.23 */
}

static json_t *child_json(const struct show *s, const struct child_sa *c, mtime now, mtime *last_in,
			  struct ike_traffic *sum)
{
	struct traffic t = traffic_of(s, c);
	mtime last = t.in.last_use.us > t.out.last_use.us ? t.in.last_use : t.out.last_use;

	if (t.in.last_use.us > last_in->us)
		*last_in = t.in.last_use;
	sum->packets_in += t.in.count.packets;
	sum->packets_out += t.out.count.packets;
	sum->bytes_in += t.in.count.bytes;
	sum->bytes_out += t.out.count.bytes;
	return json_pack(
		"{s:I, s:o, s:s, s:I, s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, "
		"s:{s:I, s:I, s:I}}",
		"id", (json_int_t)c->id, "name", show_text(c->cfg ? c->cfg->name : "?"), "state",
		child_state_name(c->state), "reqid", (json_int_t)c->reqid, "mode",
		c->transport ? "transport" : "tunnel", "spi_in", hex("%08llx", c->spi_in), "spi_out",
		hex("%08llx", c->spi_out), "proposal", suite_json(&c->encr, NULL, &c->integ, &c->esn, &c->dh),
		"udp_encap", child_in_udp(c), "local_ts", selectors_json(c->ours, c->ours_count), "remote_ts",
		selectors_json(c->theirs, c->theirs_count), "bytes_in", (json_int_t)t.in.count.bytes, "bytes_out",
		(json_int_t)t.out.count.bytes, "packets_in", (json_int_t)t.in.count.packets, "packets_out",
		(json_int_t)t.out.count.packets, "age", seconds_since(c->created, now), "rekey_in",
		seconds_until(c->rekey_at, now), "expires_in", seconds_until(c->life_at, now), "last_use",
		seconds_since(last, now), "drops", "replay", (json_int_t)t.in.replays, "bad_icv",
		(json_int_t)t.in.bad_icv, "bad_policy", (json_int_t)t.in.bad_policy);
}

json_t *show_inner(const struct ike_sa *sa)
{
	json_t *list = json_array();
	char text[ADDR_TEXT];

	for (size_t i = 0; i < SA_LEASES; i++)
		if (sa->leases[i].addr.family != 0)
			(void)json_array_append_new(list, json_string(addr_text(&sa->leases[i].addr, text)));
	return list;
}

static json_t *flags_json(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ PEER_FRAGMENTATION, "fragmentation" },
		{ PEER_MSGID_SYNC, "message-id-sync" },
		{ PEER_MOBIKE, "mobike" },
		{ PEER_EAP_ONLY, "eap-only" },
		{ PEER_CHILDLESS, "childless" },
		{ PEER_STRONGSWAN, "strongswan" },
		{ PEER_MICROSOFT, "microsoft" },
	};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].flag)
			(void)json_array_append_new(list, json_string(names[i].name));
	return list;
}

static json_t *local_json(const struct ike_sa *sa)
{
	json_t *j = endpoint_json(&sa->local);

	if (j && sa->conn && sa->conn->local_id.kind != ID_NONE && sa->conn->local_id.text)
		(void)json_object_set_new(j, "id", show_text(sa->conn->local_id.text));
	return j;
}

static json_t *established_json(const struct show *s, const struct ike_sa *sa, mtime now)
{
	if (sa->established.us == 0)
		return json_null();
	return show_time(s->env->clock->wall(s->env->clock) - mtime_since(sa->established, now) / 1000000);
}

static json_t *auth_json(const struct ike_sa *sa)
{
	char text[64];

	return sa->peer_auth ? json_string(conn_auth_text(sa->peer_auth, text, sizeof(text))) : json_null();
}

/* IDi of a peer that EAP proved to be somebody. */
static json_t *told_json(const struct ike_sa *sa)
{
	char text[ID_TEXT];

	if (sa->told_id.n == 0)
		return json_null();
	return show_text(id_text(sa->told_id.p[0], bytes_of(sa->told_id.p + 1, sa->told_id.n - 1), text));
}

/* All that its CHILD SAs carried, those that are gone and those of now. */
static void add_session(json_t *whole, const struct ike_sa *sa, const struct ike_traffic *now_up, mtime now)
{
	const struct ike_session *t = &sa->session;
	json_t *session;

	if (!whole)
		return;
	session = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "age", seconds_since(t->began, now), "bytes_in",
			    (json_int_t)(t->bytes_in + now_up->bytes_in), "bytes_out",
			    (json_int_t)(t->bytes_out + now_up->bytes_out), "packets_in",
			    (json_int_t)(t->packets_in + now_up->packets_in), "packets_out",
			    (json_int_t)(t->packets_out + now_up->packets_out), "failovers", (json_int_t)t->failovers);
	(void)json_object_set_new(whole, "session", session);
	(void)json_object_set_new(whole, "group", sa->group ? show_text(sa->group->name) : json_null());
}

json_t *show_sa(const struct show *s, const struct ike_sa *sa)
{
	mtime now = clock_now(s->env->clock), last_in = sa->last_in;
	char identity[ID_TEXT];
	const char *who = show_identity(sa, identity);
	json_t *children = json_array(), *whole;
	struct ike_traffic traffic = { 0 };

	for (const struct child_sa *c = sa->children; c; c = c->next)
		(void)json_array_append_new(children, child_json(s, c, now, &last_in, &traffic));
	whole = json_pack(
		"{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:b, s:b}, s:o, s:{s:o, s:o, s:o, s:b}, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o}",
		"id", (json_int_t)sa->id, "conn", sa->conn ? show_text(sa->conn->name) : json_null(), "state",
		ike_state_name(sa->state), "identity", who ? show_text(who) : json_null(), "auth", auth_json(sa),
		"told_identity", told_json(sa), "local", local_json(sa), "remote", endpoint_json(&sa->remote), "nat",
		"peer", sa->peer_nat, "us", sa->our_nat, "inner", show_inner(sa), "ike", "proposal",
		suite_json(&sa->encr, &sa->prf, &sa->integ, NULL, &sa->dh), "spi_i", hex("%016llx", sa->spi_i), "spi_r",
		hex("%016llx", sa->spi_r), "initiator", sa->initiator, "peer_flags", flags_json(sa->peer_flags),
		"established", established_json(s, sa, now), "age",
		seconds_since(sa->established.us != 0 ? sa->established : sa->created, now), "rekey_in",
		seconds_until(sa->rekey_at, now), "expires_in", seconds_until(sa->life_at, now), "last_seen",
		seconds_since(last_in, now), "children", children);
	add_session(whole, sa, &traffic, now);
	return whole;
}

/* ---- configuration ---- */

static json_t *proposals_json(const struct proposal_cfg *p, size_t n)
{
	json_t *list = json_array();
	char text[PROPOSAL_TEXT];

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(proposal_text(&p[i], text)));
	return list;
}

static json_t *ranges_json(const struct range *r, size_t n)
{
	json_t *list = json_array();
	char text[RANGE_TEXT];

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(range_text(&r[i], text)));
	return list;
}

/* Microseconds as seconds; 0 means never here. */
static json_t *lifetime_json(int64_t us)
{
	return us == 0 ? json_null() : json_integer(us / 1000000);
}

static json_t *child_cfg_json(const struct child_cfg *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", show_text(c->name), "local_ts",
			 selectors_json(c->local, c->local_count), "remote_ts",
			 selectors_json(c->remote, c->remote_count), "proposals",
			 proposals_json(c->proposals, c->proposal_count), "rekey", lifetime_json(c->rekey_us), "life",
			 lifetime_json(c->life_us));
}

json_t *show_conn(const struct conn_cfg *c, size_t sas, size_t children)
{
	json_t *ids = json_array(), *pools = json_array(), *list = json_array();

	for (size_t i = 0; i < c->remote_id_count; i++)
		(void)json_array_append_new(ids, show_text(c->remote_ids[i].text ? c->remote_ids[i].text : "*"));
	for (size_t i = 0; i < c->pool_count; i++)
		(void)json_array_append_new(pools, show_text(c->pools[i]->name));
	for (size_t i = 0; i < c->child_count; i++)
		(void)json_array_append_new(list, child_cfg_json(&c->children[i]));
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}}", "name",
			 show_text(c->name), "auth", "psk", "local_id",
			 c->local_id.kind != ID_NONE && c->local_id.text ? show_text(c->local_id.text) : json_null(),
			 "remote_ids", ids, "local_addrs", ranges_json(c->local_addrs, c->local_addr_count),
			 "remote_addrs", ranges_json(c->remote_addrs, c->remote_addr_count), "pools", pools,
			 "proposals", proposals_json(c->proposals, c->proposal_count), "rekey",
			 lifetime_json(c->rekey_us), "life", lifetime_json(c->life_us), "dpd", lifetime_json(c->dpd_us),
			 "children", list, "sas", "ike", (json_int_t)sas, "child", (json_int_t)children);
}

/* JSON integers of most readers end at 2^53, an IPv6 pool does not. */
static json_int_t saturated(uint64_t v)
{
	const uint64_t most = UINT64_C(1) << 53;

	return (json_int_t)(v < most ? v : most);
}

json_t *show_pool(const struct pools *pools, const struct pool_cfg *p)
{
	struct pool_usage u = pool_usage(pools, p->name);
	json_t *dns = json_array();
	char text[RANGE_TEXT];

	for (size_t i = 0; i < p->dns_count; i++) {
		char addr[ADDR_TEXT];

		(void)json_array_append_new(dns, json_string(addr_text(&p->dns[i], addr)));
	}
	return json_pack("{s:o, s:s, s:i, s:o, s:I, s:I, s:I, s:I}", "name", show_text(p->name), "addresses",
			 range_text(&p->addresses, text), "prefix_len", (int)p->prefix_len, "dns", dns, "size",
			 saturated(u.size), "used", saturated(u.used), "kept", saturated(u.kept), "lease_time",
			 (json_int_t)(p->lease_time_us / 1000000));
}

json_t *show_lease(const struct show *s, const struct lease *l)
{
	mtime now = clock_now(s->env->clock);
	char addr[ADDR_TEXT], identity[ID_TEXT];

	return json_pack("{s:o, s:s, s:o, s:s, s:I, s:o}", "pool", show_text(l->pool), "addr",
			 addr_text(&l->addr, addr), "identity", show_text(id_text(l->id_kind, l->id, identity)),
			 "state", l->holders > 0 ? "used" : "kept", "holders", (json_int_t)l->holders, "expires_in",
			 l->holders > 0 ? json_null() : seconds_until(l->until, now));
}
