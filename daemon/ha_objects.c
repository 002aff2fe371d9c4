#include "daemon/ha_objects.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/fault.h"
#include "daemon/gateway.h"
#include "daemon/glue.h"
#include "daemon/ha_node.h"

enum { FORMAT_BARE = 1, FORMAT_LENGTHS = 2, POOL_NAME_MAX = 255, LEASE_FIXED = 1 + 1 + 16 + 8 + 1 + 2 };

/* ---- leases ---- */

struct lease_walk {
	struct writer *w;
	mtime now;
	bool lengths;
};

static bool write_lease(void *arg, const struct lease *l)
{
	struct lease_walk *walk = arg;
	size_t name = strlen(l->pool);
	int64_t left = mtime_since(walk->now, l->until);

	if (left <= 0 || name > POOL_NAME_MAX)
		return true;
	if (walk->w->cap - walk->w->n < 2 + LEASE_FIXED + name + l->id.n)
		return false;
	if (walk->lengths)
		wr_u16(walk->w, (uint16_t)(LEASE_FIXED + name + l->id.n));
	wr_u8(walk->w, (uint8_t)name);
	wr_bytes(walk->w, bytes_str(l->pool));
	wr_u8(walk->w, l->addr.family);
	wr_bytes(walk->w, bytes_of(l->addr.b, sizeof(l->addr.b)));
	wr_u64(walk->w, (uint64_t)left);
	wr_u8(walk->w, l->id_kind);
	wr_u16(walk->w, (uint16_t)l->id.n);
	wr_bytes(walk->w, l->id);
	return true;
}

void ha_objects_write_leases(const struct pools *pools, uint64_t part, uint8_t minor, mtime now, struct writer *out)
{
	struct lease_walk walk = { out, now, minor >= HA_LEASES_GROW };

	wr_u8(out, walk.lengths ? FORMAT_LENGTHS : FORMAT_BARE);
	if (part < POOL_PARTS)
		pools_each_kept(pools, (unsigned)part, write_lease, &walk);
}

static enum gw_err read_lease(struct pools *pools, struct reader *r)
{
	char pool[POOL_NAME_MAX + 1];
	uint8_t len = rd_u8(r), kind;
	struct addr a = { 0 };
	uint64_t left;
	struct bytes id;

	rd_copy(r, pool, len);
	pool[len] = 0;
	a.family = rd_u8(r);
	rd_copy(r, a.b, sizeof(a.b));
	left = rd_u64(r);
	kind = rd_u8(r);
	id = rd_bytes(r, rd_u16(r));
	if (r->bad || (a.family != 4 && a.family != 6) || left > INT64_MAX)
		return GW_EMALFORMED;
	(void)!pool_restore(pools, pool, kind, id, &a, 0, (int64_t)left);
	return GW_OK;
}

enum gw_err ha_objects_read_leases(struct pools *pools, uint8_t minor, struct bytes state)
{
	struct reader r = rd_of(state);
	uint8_t format = rd_u8(&r);

	if (r.bad)
		return GW_EMALFORMED;
	if (format != FORMAT_BARE && (format != FORMAT_LENGTHS || minor < HA_LEASES_GROW))
		return GW_EUNSUPPORTED;
	while (r.left > 0) {
		struct reader one;

		if (format == FORMAT_BARE) {
			TRY(read_lease(pools, &r));
			continue;
		}
		one = rd_sub(&r, rd_u16(&r));
		if (r.bad)
			return GW_EMALFORMED;
		TRY(read_lease(pools, &one));
	}
	return GW_OK;
}

/* ---- the engine's face to us ---- */

static enum gw_err encode_known(struct gateway *g, enum ha_kind kind, uint64_t key, struct writer *out)
{
	switch (kind) {
	case HA_OBJ_IKE:
		return ike_encode(g->ike, key, out);
	case HA_OBJ_COOKIE:
		return ike_encode_cookies(g->ike, out);
	case HA_OBJ_LEASES:
		ha_objects_write_leases(g->pools, key, ha_format(g->ha->ha), clock_now(g->env.clock), out);
		return out->bad ? GW_ELIMIT : GW_OK;
	default:
		return GW_ENOTFOUND;
	}
}

/* Of a test build that plays another version: a field that nobody knows, in what can have such. */
static void add_odd(enum ha_kind kind, struct writer *out)
{
	if (kind == HA_OBJ_LEASES)
		return;
	wr_u16(out, HA_TAG_ODD);
	wr_u32(out, 4);
	wr_u32(out, 1);
}

static enum gw_err encode(void *arg, enum ha_kind kind, uint64_t key, struct writer *out)
{
	TRY(encode_known(arg, kind, key, out));
	if (fault_former())
		add_odd(kind, out);
	return GW_OK;
}

static void refuse(struct ha_change *c, enum gw_err code, const char *text)
{
	c->result = code;
	(void)snprintf(c->text, sizeof(c->text), "%s", text[0] ? text : gw_err_text(code));
}

static void apply_other(struct gateway *g, struct ha_change *c)
{
	enum gw_err r = GW_OK;

	if (c->deleted)
		return;
	if (c->kind == HA_OBJ_COOKIE)
		r = ike_decode_cookies(g->ike, c->state);
	else if (c->kind == HA_OBJ_LEASES)
		r = ha_objects_read_leases(g->pools, ha_format(g->ha->ha), c->state);
	if (r != GW_OK)
		refuse(c, r, "");
}

/* IKE SAs first: a lease that is kept now was held by one of them a moment ago. */
static void apply(void *arg, struct ha_change *changes, size_t n)
{
	struct gateway *g = arg;
	struct ike_change *ike = calloc(n, sizeof(*ike));
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (changes[i].kind != HA_OBJ_IKE)
			continue;
		if (ike)
			ike[at++] = (struct ike_change){ .key = changes[i].key, .record = changes[i].state };
		else
			refuse(&changes[i], GW_ENOMEM, "");
	}
	if (ike)
		ike_apply(g->ike, ike, at);
	glue_take_engine_events(g);
	at = 0;
	for (size_t i = 0; i < n; i++) {
		if (changes[i].kind != HA_OBJ_IKE)
			apply_other(g, &changes[i]);
		else if (ike && ike[at++].result != GW_OK)
			refuse(&changes[i], ike[at - 1].result, ike[at - 1].text);
	}
	free(ike);
	g->ha->applied = true;
}

static size_t dump(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct gateway *g = arg;

	return g->dp->ops->dump(g->dp, cookie, out, max);
}

static size_t take_used(void *arg, struct dp_sa_state *out, size_t max)
{
	struct gateway *g = arg;

	return g->dp->ops->take_used(g->dp, out, max);
}

static enum gw_err query(void *arg, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct gateway *g = arg;

	return g->dp->ops->query(g->dp, id, out);
}

static int64_t heard(void *arg, uint64_t key)
{
	struct gateway *g = arg;

	return ike_heard_us(g->ike, key);
}

const struct ha_ops ha_objects_ops = {
	.encode = encode,
	.apply = apply,
	.dump = dump,
	.take_used = take_used,
	.query = query,
	.heard = heard,
};
