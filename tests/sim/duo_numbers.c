/* The checker: every number that was used, and whether both nodes have the same. */
#include "tests/sim/duo_inside.h"

struct duo_used { /* numbers lo..hi of an SA were used */
	struct duo_used *next;
	uint32_t spi;
	uint64_t keys, lo, hi;
	unsigned node;
};

void duo_used_clear(struct duo *d)
{
	struct duo_used *u;

	while ((u = d->used) != NULL) {
		d->used = u->next;
		free(u);
	}
}

enum { WINDOW = 32 /* of a peer: the smallest that RFC 4303 3.4.3 allows */ };

static uint64_t digest(struct bytes b)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < b.n; i++)
		h = (h ^ b.p[i]) * UINT64_C(1099511628211);
	return h;
}

static void use(struct duo *d, unsigned node, uint32_t spi, uint64_t keys, uint64_t lo, uint64_t hi)
{
	struct duo_used *u, *mine = NULL;
	uint64_t top = 0;
	bool below = false;

	for (u = d->used; u; u = u->next) {
		if (u->spi != spi || u->keys != keys)
			continue;
		top = u->hi > top ? u->hi : top;
		mine = u->node == node && u->hi + 1 == lo ? u : mine;
		if (lo <= u->hi && u->lo <= hi) {
			sim_fail(d->sim, "SA %08x: node %u uses %llu..%llu, node %u has used %llu..%llu", spi, node,
				 (unsigned long long)lo, (unsigned long long)hi, u->node, (unsigned long long)u->lo,
				 (unsigned long long)u->hi);
			return;
		}
		below = below || lo < u->lo;
	}
	/* And a peer drops what is below its window: there nobody may be, but where two owners speak at once. */
	if (below && lo + WINDOW <= top && !d->split) {
		sim_fail(d->sim, "SA %08x: node %u goes back to %llu, the peer is at %llu", spi, node,
			 (unsigned long long)lo, (unsigned long long)top);
		return;
	}
	if (lo > top && lo - top - 1 > d->jump)
		d->jump = lo - top - 1;
	d->highest = hi > d->highest ? hi : d->highest;
	if (mine) {
		mine->hi = hi;
		return;
	}
	u = calloc(1, sizeof(*u));
	ck_assert_ptr_nonnull(u);
	*u = (struct duo_used){ d->used, spi, keys, lo, hi, node };
	d->used = u;
}

void duo_traffic(struct duo *d, uint64_t packets)
{
	for (unsigned i = 0; i < DUO_NODES; i++) {
		struct duo_node *n = &d->nodes[i];
		const struct ike_sa *sa;
		uint32_t after = 0;

		/* A stopped process does not stop its kernel. */
		while (n->alive && (sa = ike_next(n->g.ike, &after)) != NULL)
			for (const struct child_sa *c = sa->children; c; c = c->next) {
				struct dp_sa_id id;
				struct dp_sa before;
				uint64_t sent;

				if (d->quiet.family != 0 && addr_equal(&sa->remote.addr, &d->quiet))
					continue;
				if (!fake_plane_newest_out(n->g.plane, c->reqid, &id) ||
				    !fake_plane_sa(n->g.plane, &id, &before))
					continue;
				sent = fake_plane_send(n->g.plane, c->reqid, 1 + rng_below(&d->sim->rng.rng, packets),
						       100);
				d->sent_packets += sent;
				if (sent > 0)
					use(d, i, id.spi, digest(before.encr_key), before.start + 1,
					    before.start + sent);
			}
		if (n->alive)
			duo_turn(d, n);
	}
}

/* ---- agreement ---- */

static bool standby_agrees(struct duo *d, const struct duo_node *a, const struct duo_node *b)
{
	const struct ike_sa *sa;
	uint32_t after = 0;
	size_t n = 0;

	while ((sa = ike_next(a->g.ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c; c = c->next) {
			struct dp_sa_id out = { DP_OUT, c->spi_out, sa->remote.addr };
			struct dp_sa ours, theirs;

			n += 2;
			if (!fake_plane_sa(a->g.plane, &out, &ours) || !fake_plane_sa(b->g.plane, &out, &theirs)) {
				sim_fail(d->sim, "the standby's data plane lacks SA %08x", c->spi_out);
				return false;
			}
			if (theirs.start < ours.fence || theirs.fence <= theirs.start || theirs.fence == DP_NO_FENCE) {
				sim_fail(d->sim, "SA %08x: active at %llu up to %llu, standby at %llu up to %llu",
					 c->spi_out, (unsigned long long)ours.start, (unsigned long long)ours.fence,
					 (unsigned long long)theirs.start, (unsigned long long)theirs.fence);
				return false;
			}
		}
	if (fake_plane_sa_count(b->g.plane) != n || fake_plane_is_open(b->g.plane) || !ike_is_passive(b->g.ike) ||
	    ike_count(a->g.ike) != ike_count(b->g.ike) || ike_child_count(a->g.ike) != ike_child_count(b->g.ike) ||
	    fake_plane_policy_count(a->g.plane) != fake_plane_policy_count(b->g.plane))
		sim_fail(d->sim, "the standby has %zu IKE SAs, %zu CHILD SAs, %zu plane SAs; the active %zu, %zu, %zu",
			 ike_count(b->g.ike), ike_child_count(b->g.ike), fake_plane_sa_count(b->g.plane),
			 ike_count(a->g.ike), ike_child_count(a->g.ike), n);
	return !d->sim->failure[0];
}

bool duo_agree(struct duo *d)
{
	struct duo_node *n = duo_owner(d);
	struct gate_node idle = d->sim->gate.active;

	if (!n) {
		sim_fail(d->sim, "nobody is active");
		return false;
	}
	d->sim->gate.active = n->g;
	(void)sim_agree(d->sim);
	d->sim->gate.active = idle;
	if (!d->sim->failure[0] && duo_synced(d))
		(void)standby_agrees(d, n, duo_other(d, n));
	return !d->sim->failure[0];
}
