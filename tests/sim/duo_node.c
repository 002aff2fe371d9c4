/* The face of a node to its ha: what is encoded and applied, and its data plane. */
#include "tests/sim/duo_inside.h"

enum { OPS_MAX = 256 };

struct lease_walk {
	struct writer *w;
	uint64_t bucket;
	mtime now;
};

static bool write_lease(void *arg, const struct lease *l)
{
	struct lease_walk *walk = arg;

	if (l->holders > 0 || l->addr.b[3] % DUO_LEASE_BUCKETS != walk->bucket)
		return true;
	wr_u8(walk->w, (uint8_t)strlen(l->pool));
	wr_bytes(walk->w, bytes_str(l->pool));
	wr_u8(walk->w, l->addr.family);
	wr_bytes(walk->w, bytes_of(l->addr.b, 16));
	wr_u64(walk->w, (uint64_t)mtime_since(walk->now, l->until));
	wr_u8(walk->w, l->id_kind);
	wr_u16(walk->w, (uint16_t)l->id.n);
	wr_bytes(walk->w, l->id);
	return true;
}

static void read_leases(struct duo_node *n, struct bytes state)
{
	struct reader r = rd_of(state);
	char pool[64];

	(void)rd_u8(&r);
	while (r.left > 0 && !r.bad) {
		uint8_t len = rd_u8(&r), kind;
		struct addr a = { 0 };
		int64_t left;
		struct bytes id;

		rd_copy(&r, pool, len);
		pool[len] = 0;
		a.family = rd_u8(&r);
		rd_copy(&r, a.b, 16);
		left = (int64_t)rd_u64(&r);
		kind = rd_u8(&r);
		id = rd_bytes(&r, rd_u16(&r));
		if (!r.bad)
			(void)!pool_restore(n->g.pools, pool, kind, id, &a, 0, left);
	}
}

static enum gw_err encode_known(struct duo_node *n, enum ha_kind kind, uint64_t key, struct writer *out)
{
	struct lease_walk walk = { out, key, clock_now(n->env.clock) };

	switch (kind) {
	case HA_OBJ_IKE:
		return ike_encode(n->g.ike, key, out);
	case HA_OBJ_COOKIE:
		return ike_encode_cookies(n->g.ike, out);
	case HA_OBJ_LEASES:
		wr_u8(out, 0);
		pools_each(n->g.pools, write_lease, &walk);
		return out->bad ? GW_ELIMIT : GW_OK;
	default:
		return GW_ENOTFOUND;
	}
}

static enum gw_err node_encode(void *arg, enum ha_kind kind, uint64_t key, struct writer *out)
{
	struct duo_node *n = arg;

	TRY(encode_known(n, kind, key, out));
	if (n->former && kind != HA_OBJ_LEASES) {
		wr_u16(out, HA_TAG_ODD);
		wr_u32(out, 4);
		wr_u32(out, 1);
	}
	return GW_OK;
}

static void submit(struct duo_node *n, const struct ike_event *ev)
{
	struct dp_op ops[OPS_MAX];
	uint64_t token;

	ck_assert(ev->op_count <= OPS_MAX);
	memcpy(ops, ev->ops, ev->op_count * sizeof(*ops));
	token = ha_prepare(n->ha, ev->token, ev->key, ops, ev->op_count);
	ck_assert_int_eq(dp_submit(n->g.plane, token, ops, ev->op_count), GW_OK);
}

void duo_take_ike_events(struct duo_node *n)
{
	struct ike_event ev;

	while (ike_take_event(n->g.ike, &ev))
		if (ev.kind == IKE_EV_DATAPLANE)
			submit(n, &ev);
}

static void node_apply(void *arg, struct ha_change *changes, size_t count)
{
	struct duo_node *n = arg;
	struct ike_change *ike = calloc(count, sizeof(*ike));
	size_t at = 0;

	ck_assert_ptr_nonnull(ike);
	for (size_t i = 0; i < count; i++)
		if (changes[i].kind == HA_OBJ_IKE)
			ike[at++] = (struct ike_change){ .key = changes[i].key, .record = changes[i].state };
		else if (changes[i].kind == HA_OBJ_COOKIE && !changes[i].deleted)
			changes[i].result = ike_decode_cookies(n->g.ike, changes[i].state);
		else if (changes[i].kind == HA_OBJ_LEASES && !changes[i].deleted)
			read_leases(n, changes[i].state);
	ike_apply(n->g.ike, ike, at);
	duo_take_ike_events(n);
	at = 0;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].kind != HA_OBJ_IKE)
			continue;
		changes[i].result = ike[at].result;
		memcpy(changes[i].text, ike[at].text, sizeof(changes[i].text) - 1);
		at++;
	}
	free(ike);
}

static size_t node_dump(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->dump(n->g.plane, cookie, out, max);
}

static size_t node_take_used(void *arg, struct dp_sa_state *out, size_t max)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->take_used(n->g.plane, out, max);
}

static enum gw_err node_query(void *arg, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct duo_node *n = arg;

	return n->g.plane->ops->query(n->g.plane, id, out);
}

static int64_t node_heard(void *arg, uint64_t key)
{
	struct duo_node *n = arg;

	return ike_heard_us(n->g.ike, key);
}

const struct ha_ops duo_node_ops = {
	.encode = node_encode,
	.apply = node_apply,
	.dump = node_dump,
	.take_used = node_take_used,
	.query = node_query,
	.heard = node_heard,
};
