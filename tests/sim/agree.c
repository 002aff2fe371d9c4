/* Whether both sides hold the same, and the data plane what the engine thinks. */
#include <stdio.h>

#include "ike/transport.h"
#include "ike/ts.h"
#include "tests/sim/sim.h"

static struct sim_client *client_of(struct sim *s, const struct ike_sa *sa, struct ini_sa **theirs)
{
	for (size_t i = 0; i < s->client_count; i++)
		for (struct ini_sa *p = s->clients[i].ini->sas; p; p = p->next)
			if (p->spi_i == sa->spi_i && p->spi_r == sa->spi_r && p->state != INI_SA_DEAD) {
				*theirs = p;
				return &s->clients[i];
			}
	return NULL;
}

const struct ike_sa *sim_sa(const struct sim *s, const struct sim_client *c)
{
	struct ini_sa *mine = ini_current(c->ini);
	const struct ike_sa *sa;
	uint32_t after = 0;

	while (mine && (sa = ike_next(s->gate.active.ike, &after)) != NULL)
		if (sa->spi_i == mine->spi_i && sa->spi_r == mine->spi_r)
			return sa;
	return NULL;
}

static bool same_suite(const struct cipher_suite *a, const struct cipher_suite *b)
{
	return a->encr == b->encr && a->key_bits == b->key_bits && a->integ == b->integ;
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->n > 0 && bytes_equal(secret_bytes(a), secret_bytes(b));
}

static bool plane_has(struct sim *s, const struct ike_sa *sa, const struct child_sa *c, enum dp_dir dir)
{
	struct dp_sa_id id = { dir, dir == DP_IN ? c->spi_in : c->spi_out, sa->remote.addr };
	const struct secret *keys = dir == DP_IN ? &c->in_keys : &c->out_keys;
	struct bytes encr = { keys->p, suite_encr_key_len(&c->suite) };
	struct dp_sa got;

	if (!fake_plane_sa(s->gate.active.plane, &id, &got)) {
		sim_fail(s, "the data plane lacks SA %08x", id.spi);
		return false;
	}
	if (got.mode != (c->transport ? DP_TRANSPORT : DP_TUNNEL))
		sim_fail(s, "the data plane has SA %08x in another mode", id.spi);
	else if (got.reqid != c->reqid || !same_suite(&got.suite, &c->suite) || !bytes_equal(got.encr_key, encr))
		sim_fail(s, "the data plane has SA %08x with other keys or reqid", id.spi);
	else if (!endpoint_equal(&got.remote, &sa->remote) || !endpoint_equal(&got.local, &sa->local))
		sim_fail(s, "the data plane has SA %08x at other addresses", id.spi);
	else if (got.udp_encap != (sa->peer_nat || sa->our_nat))
		sim_fail(s, "the data plane has SA %08x %s UDP", id.spi, got.udp_encap ? "in" : "without");
	else if (got.esn != (c->esn.id == ESN_YES))
		sim_fail(s, "the data plane has SA %08x with other sequence numbers", id.spi);
	else
		return true;
	return false;
}

static bool policy_fits(struct sim *s, const struct child_sa *c)
{
	struct dp_policy p;

	if (!fake_plane_policy(s->gate.active.plane, c->reqid, &p))
		sim_fail(s, "the data plane lacks the policy of CHILD SA #%u", c->id);
	else if (!ts_same(p.ours, p.ours_count, c->ours, c->ours_count) ||
		 !ts_same(p.theirs, p.theirs_count, c->theirs, c->theirs_count))
		sim_fail(s, "the policy of CHILD SA #%u has other selectors", c->id);
	else
		return true;
	return false;
}

/* Of a CHILD SA in transport mode the client knows other addresses behind a NAT (RFC 7296 2.23.1). */
static bool same_ts(const struct child_sa *c, bool theirs, const struct selector *s, size_t n)
{
	struct selector mine[IKE_CHILD_SELECTORS];
	size_t count = theirs ? c->theirs_count : c->ours_count;

	memcpy(mine, theirs ? c->theirs : c->ours, count * sizeof(*mine));
	transport_rename(mine, count, theirs ? &c->sa->remote.addr : &c->sa->local.addr,
			 theirs ? &c->told_theirs : &c->told_ours);
	return ts_same(s, n, mine, count);
}

static bool child_agrees(struct sim *s, const struct ike_sa *sa, const struct child_sa *c, const struct ini_sa *theirs)
{
	const struct ini_child *p = theirs->children;

	while (p && p->spi_out != c->spi_in)
		p = p->next;
	if (!p)
		sim_fail(s, "the client lacks CHILD SA #%u (%08x)", c->id, c->spi_in);
	else if (p->spi_in != c->spi_out)
		sim_fail(s, "CHILD SA #%u pairs other SPIs", c->id);
	else if (!same_secret(&p->in_keys, &c->out_keys) || !same_secret(&p->out_keys, &c->in_keys))
		sim_fail(s, "the keys of CHILD SA #%u differ", c->id);
	else if (!same_suite(&p->suite, &c->suite) || p->esn.id != c->esn.id)
		sim_fail(s, "the algorithms of CHILD SA #%u differ", c->id);
	else if (!same_ts(c, true, p->ours, p->ours_count) || !same_ts(c, false, p->theirs, p->theirs_count))
		sim_fail(s, "the selectors of CHILD SA #%u differ", c->id);
	else if (p->transport != c->transport)
		sim_fail(s, "CHILD SA #%u is of another mode at the client", c->id);
	else if (c->state != CHILD_UP || !c->out_installed || c->token)
		sim_fail(s, "CHILD SA #%u is not at rest (%s)", c->id, child_state_name(c->state));
	else
		return plane_has(s, sa, c, DP_IN) && plane_has(s, sa, c, DP_OUT) && policy_fits(s, c);
	return false;
}

static bool leases_agree(struct sim *s, const struct ike_sa *sa, const struct ini *ini, size_t *leases)
{
	size_t found = 0;

	for (size_t i = 0; i < SA_LEASES; i++) {
		if (!sa->leases[i].pool)
			continue;
		(*leases)++;
		for (size_t k = 0; k < ini->inner_count; k++)
			found += addr_equal(&ini->inner[k], &sa->leases[i].addr);
	}
	if (found != ini->inner_count)
		sim_fail(s, "the client's inner addresses are not those of IKE SA #%u", sa->id);
	return found == ini->inner_count;
}

static bool sa_agrees(struct sim *s, const struct ike_sa *sa, size_t *children, size_t *leases)
{
	struct ini_sa *theirs = NULL;
	struct sim_client *c = client_of(s, sa, &theirs);
	size_t n = 0;

	if (!c) {
		sim_fail(s, "no client has IKE SA #%u (%s)", sa->id, ike_state_name(sa->state));
		return false;
	}
	if (sa->state != IKE_UP || theirs->state != INI_SA_UP)
		sim_fail(s, "IKE SA #%u is not at rest (%s)", sa->id, ike_state_name(sa->state));
	else if (sa->keys.block.n != ike_keys_len_up(sa->keys.prf, &sa->keys.suite) ||
		 theirs->keys.block.n < sa->keys.block.n ||
		 memcmp(sa->keys.block.p, theirs->keys.block.p, sa->keys.block.n) != 0 ||
		 sa->initiator == theirs->initiator)
		sim_fail(s, "the keys of IKE SA #%u differ", sa->id);
	else if (sa->window.recv_next > theirs->send_next || sa->window.send_next != theirs->recv_next ||
		 /* A node that took over does not know of liveness that the one before it answered. */
		 (sa->window.recv_next < theirs->send_next && !sa->adopted))
		sim_fail(s, "the message IDs of IKE SA #%u differ", sa->id);
	for (const struct child_sa *k = sa->children; k && !s->failure[0]; k = k->next, n++)
		if (!child_agrees(s, sa, k, theirs))
			return false;
	if (n != ini_child_count(c->ini))
		sim_fail(s, "the client has %zu CHILD SAs, IKE SA #%u has %zu", ini_child_count(c->ini), sa->id, n);
	*children += n;
	return !s->failure[0] && leases_agree(s, sa, c->ini, leases);
}

static size_t policies_of(const struct ike *ike)
{
	const struct ike_sa *sa;
	uint32_t after = 0, seen[256];
	size_t n = 0;

	while ((sa = ike_next(ike, &after)) != NULL)
		for (const struct child_sa *c = sa->children; c && n < ARRAY_LEN(seen); c = c->next) {
			size_t i = 0;

			while (i < n && seen[i] != c->reqid)
				i++;
			if (i == n)
				seen[n++] = c->reqid;
		}
	return n;
}

/* Inner addresses in use, of all pools. */
static uint64_t leased(const struct sim *s)
{
	uint64_t used = 0;

	for (size_t i = 0; i < s->gate.settings->pool_count; i++)
		used += pool_usage(s->gate.active.pools, s->gate.settings->pools[i].name).used;
	return used;
}

bool sim_agree(struct sim *s)
{
	struct gate_node *g = &s->gate.active;
	size_t children = 0, leases = 0, up = 0, clients_up = 0;
	uint64_t used = leased(s);
	const struct ike_sa *sa;
	uint32_t after = 0;

	if (s->gate.failure[0])
		sim_fail(s, "%s", s->gate.failure);
	while (!s->failure[0] && (sa = ike_next(g->ike, &after)) != NULL) {
		if (sa->state == IKE_LINGERING || sa->state == IKE_DEAD)
			continue;
		up++;
		(void)sa_agrees(s, sa, &children, &leases);
	}
	for (size_t i = 0; i < s->client_count; i++)
		clients_up += ini_up(s->clients[i].ini);
	if (up != clients_up)
		sim_fail(s, "%zu clients are up, the gateway has %zu IKE SAs", clients_up, up);
	if (fake_plane_sa_count(g->plane) != 2 * children)
		sim_fail(s, "the data plane has %zu SAs, the engine %zu CHILD SAs", fake_plane_sa_count(g->plane),
			 children);
	if (fake_plane_policy_count(g->plane) != policies_of(g->ike))
		sim_fail(s, "the data plane has %zu policies, the engine %zu", fake_plane_policy_count(g->plane),
			 policies_of(g->ike));
	if (ike_child_count(g->ike) != children)
		sim_fail(s, "the engine counts %zu CHILD SAs and has %zu", ike_child_count(g->ike), children);
	if (used != leases)
		sim_fail(s, "%llu inner addresses are leased, the IKE SAs have %zu", (unsigned long long)used, leases);
	return !s->failure[0];
}

bool sim_leaves_nothing(struct sim *s)
{
	struct gate_node *g = &s->gate.active;
	struct net_faults none = { 1000, 1000, 0, 0, 0 };

	s->net.faults = none;
	s->gate.plane_delay_us = 0;
	for (size_t i = 0; i < s->client_count; i++)
		(void)ini_delete(s->clients[i].ini);
	sim_flush(s);
	if (!sim_settle(s, SECONDS(300)))
		sim_fail(s, "the clients cannot leave");
	sim_run(s, SECONDS(120));
	g = &s->gate.active;
	if (ike_count(g->ike) || ike_child_count(g->ike) || ike_half_open_count(g->ike))
		sim_fail(s, "left: %zu IKE SAs, %zu CHILD SAs, %zu half-open", ike_count(g->ike),
			 ike_child_count(g->ike), ike_half_open_count(g->ike));
	if (fake_plane_sa_count(g->plane) || fake_plane_policy_count(g->plane))
		sim_fail(s, "left in the data plane: %zu SAs, %zu policies", fake_plane_sa_count(g->plane),
			 fake_plane_policy_count(g->plane));
	if (leased(s) > 0)
		sim_fail(s, "left: leased addresses");
	return !s->failure[0];
}

void sim_dump(struct sim *s)
{
	struct ike_stat stats[128];
	size_t n;
	static const char *const states[] = { "opening", "up", "candidate", "rekeyed", "deleting", "dead" };
	const struct ike_sa *sa;
	uint32_t after = 0;

	while ((sa = ike_next(s->gate.active.ike, &after)) != NULL) {
		fprintf(stderr, "gateway: #%u %08llx/%08llx %s%s%s%s\n", sa->id, (unsigned long long)sa->spi_i >> 32,
			(unsigned long long)sa->spi_r >> 32, ike_state_name(sa->state),
			window_busy(&sa->window) ? " waits" : "", sa->peer_x ? " works" : "", sa->our_x ? " asks" : "");
		for (const struct child_sa *c = sa->children; c; c = c->next)
			fprintf(stderr, "    #%u in %08x out %08x reqid %x %s%s%s\n", c->id, c->spi_in, c->spi_out,
				c->reqid, child_state_name(c->state), c->out_installed ? "" : " (inbound only)",
				c->rekeyed_by_peer ? " (rekeyed by the peer)" : "");
	}
	n = ike_stats(s->gate.active.ike, stats, ARRAY_LEN(stats));
	for (size_t i = 0; i < n && i < ARRAY_LEN(stats); i++)
		if (stats[i].value > 0)
			fprintf(stderr, "%s %llu\n", stats[i].name, (unsigned long long)stats[i].value);
	for (size_t i = 0; i < s->client_count; i++) {
		const struct ini *ini = s->clients[i].ini;

		fprintf(stderr, "%s:%s %s\n", s->clients[i].id, ini->failed ? " failed:" : "",
			ini->reason ? ini->reason : "");
		for (const struct ini_sa *p = ini->sas; p; p = p->next) {
			fprintf(stderr, "  %08llx/%08llx %s, asks %d%s%s\n", (unsigned long long)p->spi_i >> 32,
				(unsigned long long)p->spi_r >> 32, states[p->state], (int)p->kind,
				p->want_rekey ? ", wants a rekey" : "", p->want_delete ? ", wants to go" : "");
			for (const struct ini_child *c = p->children; c; c = c->next)
				fprintf(stderr, "    in %08x out %08x%s%s%s\n", c->spi_in, c->spi_out,
					c->rekeyed ? ", rekeyed" : "", c->want_rekey ? ", wants a rekey" : "",
					c->want_delete ? ", wants to go" : "");
		}
	}
}
