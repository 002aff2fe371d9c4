#include <stdlib.h>

#include "esp/xfrm_state.h"

/*
 * The kernel knows one policy per selector, and among equals takes the one set first; we want the one set last (a
 * client that comes again gets its old address while its old SA still stands). So a slot stands for one selector in the
 * kernel, and has a stack of all policies of ours that have that selector. The kernel gets the topmost.
 */

/* Hashed as octets. */
struct slot_key {
	struct xfrm_row row;
	uint32_t mark, mark_mask, if_id;
};

struct xfrm_slot {
	struct link by_key;
	struct slot_key key;
	struct xfrm_entry *top; /* newest first */
	struct xfrm_slot *next_dirty;
	bool dirty, has_fwd; /* has_fwd: the kernel has one for forwarding */
};

struct xfrm_entry {
	struct xfrm_pol *pol;
	struct xfrm_slot *slot;
	struct xfrm_entry *below;
};

struct xfrm_pol {
	struct link by_reqid;
	uint32_t reqid;
	enum dp_mode mode;
	struct dp_extra extra;
	uint64_t age;
	uint64_t flight;       /* number of the flight that touched it last */
	struct xfrm_row *rows; /* n, behind the entries */
	size_t n;
	struct xfrm_entry entries[];
};

static size_t pol_size(size_t rows)
{
	return sizeof(struct xfrm_pol) + rows * (sizeof(struct xfrm_entry) + sizeof(struct xfrm_row));
}

enum gw_err xfrm_pol_create(struct xfrm_plane *x, const struct dp_policy *in, struct xfrm_pol **out, const char **why)
{
	struct xfrm_row *rows = NULL;
	struct xfrm_pol *p;
	size_t n = 0;

	if (in->reqid == 0 || in->ours_count == 0 || in->theirs_count == 0) {
		*why = "a policy without reqid or selectors";
		return GW_EINVAL;
	}
	TRY(xfrm_rows_make(in, &rows, &n, why));
	p = slab_get(&x->slab, pol_size(n));
	if (!p) {
		free(rows);
		return GW_ENOMEM;
	}
	p->reqid = in->reqid;
	p->mode = in->mode;
	p->extra = in->extra;
	p->rows = memcpy(p->entries + n, rows, n * sizeof(*rows));
	p->n = n;
	free(rows);
	for (size_t i = 0; i < n; i++)
		p->entries[i].pol = p;
	*out = p;
	return GW_OK;
}

void xfrm_pol_destroy(struct xfrm_plane *x, struct xfrm_pol *p)
{
	if (p)
		slab_put(&x->slab, p, pol_size(p->n));
}

static struct xfrm_pol *pol_of(struct link *l)
{
	return (struct xfrm_pol *)(void *)l; /* the first member */
}

static struct xfrm_slot *slot_of(struct link *l)
{
	return (struct xfrm_slot *)(void *)l; /* the first member */
}

static unsigned reqid_hash(const struct xfrm_plane *x, uint32_t reqid)
{
	return table_hash(&x->spd.seed, &reqid, sizeof(reqid));
}

struct xfrm_pol *xfrm_pol_find(const struct xfrm_plane *x, uint32_t reqid)
{
	for (struct link *l = chain_first(&x->spd.by_reqid, reqid_hash(x, reqid)); l; l = chain_next(l))
		if (pol_of(l)->reqid == reqid)
			return pol_of(l);
	return NULL;
}

struct chain_hint xfrm_pol_expect(const struct xfrm_plane *x, uint32_t reqid)
{
	return chain_expect(&x->spd.by_reqid, reqid_hash(x, reqid));
}

void xfrm_pol_expect_entry(const struct chain_hint *h)
{
	chain_expect_entry(h, pol_size(1));
}

void xfrm_pol_expect_slots(const struct chain_hint *h)
{
	const struct link *l = h->chain ? chain_first(h->chain, h->hash) : NULL;
	const struct xfrm_pol *p = (const struct xfrm_pol *)(const void *)l; /* the first member */

	if (!p || p->n == 0)
		return;
	__builtin_prefetch(p->entries[0].slot, 1);
	__builtin_prefetch((const char *)p->entries[0].slot + sizeof(struct xfrm_slot) - 1, 1);
}

uint64_t xfrm_pol_flight(const struct xfrm_pol *p)
{
	return p->flight;
}

/* ---- slots ---- */

static void key_fill(struct slot_key *k, const struct xfrm_pol *p, size_t row)
{
	memset(k, 0, sizeof(*k));
	memcpy(&k->row, &p->rows[row], sizeof(k->row));
	k->mark = p->extra.mark;
	k->mark_mask = p->extra.mark_mask;
	k->if_id = p->extra.if_id;
}

static struct xfrm_slot *slot_get(struct xfrm_plane *x, const struct slot_key *key)
{
	unsigned h = table_hash(&x->spd.seed, key, sizeof(*key));
	struct xfrm_slot *s;

	for (struct link *l = chain_first(&x->spd.slots, h); l; l = chain_next(l))
		if (memcmp(&slot_of(l)->key, key, sizeof(*key)) == 0)
			return slot_of(l);
	s = slab_get(&x->slab, sizeof(*s));
	if (!s)
		return NULL;
	memcpy(&s->key, key, sizeof(s->key)); /* padding too */
	if (chain_add(&x->spd.slots, &s->by_key, h))
		return s;
	slab_put(&x->slab, s, sizeof(*s));
	return NULL;
}

static void slot_drop_empty(struct xfrm_plane *x, struct xfrm_slot *s)
{
	if (s->top || s->dirty)
		return;
	chain_remove(&x->spd.slots, &s->by_key);
	slab_put(&x->slab, s, sizeof(*s));
}

/* By age: one that comes back gets its place back. */
static void slot_push(struct xfrm_slot *s, struct xfrm_entry *e)
{
	struct xfrm_entry **at;

	for (at = &s->top; *at && (*at)->pol->age > e->pol->age; at = &(*at)->below)
		;
	e->below = *at;
	*at = e;
}

static void slot_pull(struct xfrm_slot *s, struct xfrm_entry *e)
{
	for (struct xfrm_entry **at = &s->top; *at; at = &(*at)->below)
		if (*at == e) {
			*at = e->below;
			break;
		}
	e->below = NULL;
}

/* ---- to the kernel ---- */

static struct xfrm_policy policy_of(const struct xfrm_plane *x, const struct xfrm_slot *s, uint8_t dir)
{
	struct xfrm_policy p = {
		.row = s->key.row,
		.dir = dir,
		.priority = xfrm_row_priority(&s->key.row),
		.sign = xfrm_sign(x->env->node.index, XFRM_KIND_POLICY),
		.mark = s->key.mark,
		.mark_mask = s->key.mark_mask,
		.if_id = s->key.if_id,
	};

	return p;
}

static void emit_dir(struct xfrm_plane *x, const struct xfrm_slot *s, uint8_t dir)
{
	struct xfrm_policy p = policy_of(x, s, dir);
	const struct xfrm_pol *owner = s->top->pol;
	const struct sad_sa *out = dir == XFRM_POLICY_OUT ? sad_newest_out(x->sad, owner->reqid) : NULL;

	p.mode = owner->mode;
	p.reqid = owner->reqid;
	p.has_template = true;
	if (dir == XFRM_POLICY_OUT && !out) {
		p.block = true; /* no SA: nothing in clear, and no acquire for a peer that we cannot call */
	} else if (out) {
		/* By SPI: which of several SAs is the newest is ours to say, the kernel's clock has seconds only. */
		p.spi = out->key.spi;
		p.local = out->local.addr;
		p.remote = out->remote.addr;
	}
	/* Inbound any address will do: the reqid says whose it is, and an SA may move. */
	XFRM_EMIT(x, SENT_OTHER, NULL, xfrm_put_policy(&x->tx, &p));
}

static void emit_delete(struct xfrm_plane *x, const struct xfrm_slot *s, uint8_t dir)
{
	struct xfrm_policy p = policy_of(x, s, dir);

	XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_policy(&x->tx, &p));
}

static void emit_slot(struct xfrm_plane *x, struct xfrm_slot *s)
{
	bool fwd = s->top && s->top->pol->mode == DP_TUNNEL;

	if (s->top) {
		emit_dir(x, s, XFRM_POLICY_OUT);
		emit_dir(x, s, XFRM_POLICY_IN);
	} else {
		emit_delete(x, s, XFRM_POLICY_OUT);
		emit_delete(x, s, XFRM_POLICY_IN);
	}
	if (fwd)
		emit_dir(x, s, XFRM_POLICY_FWD);
	else if (s->has_fwd)
		emit_delete(x, s, XFRM_POLICY_FWD);
	s->has_fwd = fwd;
}

void xfrm_pol_emit(struct xfrm_plane *x, const struct xfrm_pol *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].slot->top == &p->entries[i])
			emit_dir(x, p->entries[i].slot, XFRM_POLICY_OUT);
}

void xfrm_pol_refresh(struct xfrm_plane *x, uint32_t reqid)
{
	const struct xfrm_pol *p = xfrm_pol_find(x, reqid);

	if (p)
		xfrm_pol_emit(x, p);
}

/* ---- linking ---- */

static void mark_dirty(struct xfrm_slot *s, struct xfrm_slot **dirty)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = *dirty;
	*dirty = s;
}

static void unlink_pol(struct xfrm_plane *x, struct xfrm_pol *p, struct xfrm_slot **dirty)
{
	chain_remove(&x->spd.by_reqid, &p->by_reqid);
	for (size_t i = 0; i < p->n; i++) {
		struct xfrm_slot *s = p->entries[i].slot;

		if (s->top == &p->entries[i])
			mark_dirty(s, dirty);
		slot_pull(s, &p->entries[i]);
		p->entries[i].slot = NULL;
	}
}

/* Slots first, so that nothing has changed when there is no memory. */
static enum gw_err link_pol(struct xfrm_plane *x, struct xfrm_pol *p, struct xfrm_slot **dirty)
{
	for (size_t i = 0; i < p->n; i++) {
		struct slot_key key;

		key_fill(&key, p, i);
		p->entries[i].slot = slot_get(x, &key);
		if (p->entries[i].slot)
			continue;
		while (i-- > 0)
			slot_drop_empty(x, p->entries[i].slot);
		return GW_ENOMEM;
	}
	if (!chain_add(&x->spd.by_reqid, &p->by_reqid, reqid_hash(x, p->reqid))) {
		for (size_t i = 0; i < p->n; i++)
			slot_drop_empty(x, p->entries[i].slot);
		return GW_ENOMEM;
	}
	if (p->age == 0)
		p->age = ++x->spd.next_age;
	for (size_t i = 0; i < p->n; i++) {
		slot_push(p->entries[i].slot, &p->entries[i]);
		if (p->entries[i].slot->top == &p->entries[i])
			mark_dirty(p->entries[i].slot, dirty);
	}
	return GW_OK;
}

enum gw_err xfrm_pol_exchange(struct xfrm_plane *x, struct xfrm_pol *out, struct xfrm_pol *in)
{
	struct xfrm_slot *dirty = NULL, *s, *next;
	enum gw_err r = GW_OK;

	if (out)
		unlink_pol(x, out, &dirty);
	if (in)
		r = link_pol(x, in, &dirty);
	/* The hash had room for it a moment ago; were it gone all the same, the plane is closed to that CHILD SA. */
	if (r != GW_OK && out)
		(void)!link_pol(x, out, &dirty);
	if (in && r == GW_OK)
		in->flight = x->current ? x->current->number : 0;
	/* What is new comes before what goes: an address that stays covered is never uncovered. */
	for (s = dirty; s; s = s->next_dirty)
		if (s->top)
			emit_slot(x, s);
	for (s = dirty; s; s = next) {
		next = s->next_dirty;
		s->dirty = false;
		if (s->top)
			continue;
		emit_slot(x, s);
		slot_drop_empty(x, s);
	}
	return r;
}

void xfrm_spd_clear(struct xfrm_plane *x)
{
	struct link *l;

	while ((l = chain_pop(&x->spd.slots)) != NULL)
		slab_put(&x->slab, slot_of(l), sizeof(struct xfrm_slot));
	while ((l = chain_pop(&x->spd.by_reqid)) != NULL)
		xfrm_pol_destroy(x, pol_of(l));
	chain_clear(&x->spd.slots);
	chain_clear(&x->spd.by_reqid);
}

/* ---- guards and bypasses ---- */

static const uint8_t all_dirs[] = { XFRM_POLICY_OUT, XFRM_POLICY_IN, XFRM_POLICY_FWD };

static void put_guard(struct xfrm_plane *x, const struct xfrm_guard *g, uint8_t dir, uint32_t if_id, bool remove)
{
	struct xfrm_policy p = {
		.row = { .ours = { .addr = { .family = g->clients.addr.family } }, .theirs = g->clients },
		.dir = dir,
		.priority = xfrm_passes(x, dir == XFRM_POLICY_OUT ? DP_OUT : DP_IN) ? XFRM_PRIO_GUARD : XFRM_PRIO_SHUT,
		.sign = xfrm_sign(x->env->node.index, XFRM_KIND_GUARD),
		.if_id = if_id,
		.block = true,
	};

	if (remove)
		XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_policy(&x->tx, &p));
	else
		XFRM_EMIT(x, SENT_OTHER, NULL, xfrm_put_policy(&x->tx, &p));
}

/*
 * On its way into an XFRM interface a packet is looked at twice: by policies without an if_id when it is forwarded to
 * the device, by those with its if_id in the device. So the outbound one is there only. What comes from the interface
 * has its if_id, and clear text from elsewhere has none: both are looked at.
 */
void xfrm_put_guards(struct xfrm_plane *x, bool remove)
{
	for (size_t i = 0; i < x->guard_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(all_dirs); k++) {
			const struct xfrm_guard *g = &x->guards[i];

			put_guard(x, g, all_dirs[k], g->if_id, remove);
			if (g->if_id != 0 && all_dirs[k] != XFRM_POLICY_OUT)
				put_guard(x, g, all_dirs[k], 0, remove);
		}
}

void xfrm_put_bypasses(struct xfrm_plane *x, bool remove)
{
	for (size_t i = 0; i < x->bypass_count; i++)
		for (size_t k = 0; k < 2; k++) { /* nothing of our own is forwarded */
			const struct xfrm_bypass *b = &x->bypass[i];
			struct xfrm_policy p = {
				.row = { .ours = b->local,
					 .theirs = b->remote,
					 .our_port = b->local_port,
					 .our_mask = b->local_port ? 0xffff : 0,
					 .their_port = b->remote_port,
					 .their_mask = b->remote_port ? 0xffff : 0,
					 .proto = b->proto },
				.dir = all_dirs[k],
				.priority = XFRM_PRIO_BYPASS,
				.sign = xfrm_sign(x->env->node.index, XFRM_KIND_BYPASS),
			};

			if (remove)
				XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_policy(&x->tx, &p));
			else
				XFRM_EMIT(x, SENT_OTHER, NULL, xfrm_put_policy(&x->tx, &p));
		}
}
