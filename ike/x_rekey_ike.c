/* Rekeys of the IKE SA, from both sides (RFC 7296 1.3.2, 2.8, 2.18, 2.25.2). The CHILD SAs move to the new one. */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/group.h"
#include "ike/mobike.h"

enum { RETRY_SECONDS = 10 };

/* What the new SA inherits: everything but keys, SPIs and message IDs. */
static enum gw_err inherit(struct ike_sa *to, const struct ike_sa *from)
{
	settings_unref(to->settings);
	to->settings = settings_ref(from->settings);
	to->conn = from->conn;
	to->local = from->local;
	to->remote = from->remote;
	to->natt = from->natt;
	to->peer_nat = from->peer_nat;
	to->our_nat = from->our_nat;
	to->peer_flags = from->peer_flags;
	to->came_from = from->came_from;
	to->reauth_at = from->reauth_at;
	to->peer_auth = from->peer_auth;
	TRY(secret_copy(&to->told_id, secret_bytes(&from->told_id)));
	TRY(mobike_set_addresses(to, from->also, from->also_count));
	TRY(secret_copy(&to->cert_path, secret_bytes(&from->cert_path)));
	TRY(peer_join(to->ike, to, from->conn->name, from->peer_id_kind, from->peer_id));
	return group_join(to->ike, to, from->group);
}

/*
 * What the data plane has in hand, or the peer has not confirmed, cannot be finished on another IKE SA: requests of the
 * peer are refused, what ours made goes again, and DELETEs are repeated over there.
 */
static void settle_children(struct ike_sa *sa)
{
	if (sa->peer_x && sa->peer_x->kind == X_CHILD)
		x_child_finish(sa, ike_find_child(sa->ike, sa->peer_x->child_spi), GW_EBUSY);
	if (sa->our_x && sa->our_x->waiting)
		x_rekey_child_finish(sa, sa->our_x->waiting, GW_EBUSY);
	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (c->state != CHILD_DELETING)
			continue;
		c->state = c->successor ? CHILD_REKEYED : CHILD_UP;
		c->want_delete = true;
	}
}

static void move_children(struct ike_sa *to, struct ike_sa *from)
{
	struct child_sa **tail = &to->children;

	settle_children(from);
	while (*tail)
		tail = &(*tail)->next;
	*tail = from->children;
	from->children = NULL;
	for (struct child_sa *c = to->children; c; c = c->next)
		c->sa = to;
	group_move(to, from);
	to->session = from->session;
	for (size_t i = 0; i < SA_LEASES; i++) {
		if (from->leases[i].pool) {
			to->leases[i] = from->leases[i];
			from->leases[i].pool = NULL;
		}
	}
}

/* Of a chain of rekeys at most one SA waits for its DELETE: peers that never send one must not pile them up here. */
static void drop_predecessor(struct ike_sa *sa)
{
	struct ike_sa *p = sa->predecessor ? ike_find(sa->ike, sa->predecessor) : NULL;

	if (p && p->state == IKE_REKEYED && p->successor == ike_sa_local_spi(sa) && !p->our_x)
		sa_close(p, "replaced", false);
}

static void take_over(struct ike_sa *to, struct ike_sa *from, const char *story)
{
	drop_predecessor(from);
	to->predecessor = ike_sa_local_spi(from);
	to->established = to->created = ike_now(to->ike);
	sa_set_lifetimes(to);
	sa_set_state(to, IKE_UP, story);
	move_children(to, from);
	from->successor = ike_sa_local_spi(to);
	from->rekey_at = MTIME_NEVER;
	from->life_at = mtime_add(ike_now(to->ike), SECONDS(REPLACED_SECONDS)); /* should its DELETE never come */
	from->want_rekey = from->want_dpd = false;
	if (from->state == IKE_UP)
		sa_set_state(from, IKE_REKEYED, story);
	sa_touch(from);
	sa_log(to, LOG_LVL_INFO, "IKE SA rekeyed: #%u -> #%u", from->id, to->id);
	ike_report_rekeyed(to->ike, to, from->id);
}

static void adopt_suite(struct ike_sa *sa, const struct chosen *c)
{
	sa->encr = c->encr;
	sa->prf = c->prf;
	sa->integ = c->integ;
	sa->dh = c->dh;
	sa->keys.prf = prf_find(c->prf.id);
}

static uint64_t spi_of(struct bytes b)
{
	struct reader r = rd_of(b);
	uint64_t spi = rd_u64(&r);

	return b.n == 8 && !r.bad ? spi : 0;
}

/* ---- the peer begins ---- */

static enum gw_err refuse(struct ike_sa *sa, const struct datagram *dg, enum gw_err code, uint16_t group)
{
	uint8_t data[2];

	put_u16(data, group);
	return send_error(sa, CREATE_CHILD_SA, error_notify(code), bytes_of(data, code == GW_EGROUP ? 2 : 0), dg);
}

static bool child_busy(const struct ike_sa *sa)
{
	if (sa->our_x && sa->our_x->kind == X_REKEY_CHILD)
		return true;
	if (sa->window.request_kind == REQ_DELETE_CHILD)
		return true;
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (c->state == CHILD_INSTALLING)
			return true;
	}
	return false;
}

struct rekeyed {
	struct ike_sa *sa;
	struct dh_key *dh;
	struct secret nr;
	struct secret shared;
};

static void rekeyed_clear(struct rekeyed *r)
{
	dh_destroy(r->dh);
	secret_clear(&r->nr);
	secret_clear(&r->shared);
}

static enum gw_err build(struct ike_sa *old, const struct ike_msg *m, const struct chosen *chosen, struct rekeyed *out)
{
	struct ike *ike = old->ike;
	const struct dh_alg *alg = dh_find(chosen->dh.id);
	uint64_t spi_i = spi_of(chosen->spi), spi_r;

	if (spi_i == 0 || !alg || m->ke.data.n != alg->public_len)
		return GW_EMALFORMED;
	TRY(dh_generate(ike->env->crypto, alg, &out->dh));
	TRY(dh_shared(ike->env->crypto, out->dh, m->ke.data, &out->shared));
	TRY(secret_alloc(&out->nr, IKE_NONCE_OURS));
	TRY(rng_fill(ike->env->rng, out->nr.p, out->nr.n));
	TRY(ike_new_spi(ike, &spi_r));
	out->sa = sa_create(ike, false, spi_i, spi_r);
	if (!out->sa)
		return GW_ENOMEM;
	adopt_suite(out->sa, chosen);
	TRY(chosen_suite(chosen, &out->sa->keys.suite));
	TRY(inherit(out->sa, old));
	return ike_keys_rekey(ike->env->crypto, &out->sa->keys, &old->keys, m->nonce, secret_bytes(&out->nr),
			      secret_bytes(&out->shared), spi_i, spi_r);
}

static enum gw_err answer(struct ike_sa *old, const struct chosen *chosen, const struct rekeyed *r,
			  const struct datagram *dg)
{
	struct transform t[5];
	struct msg_writer w;
	uint8_t spi[8];
	size_t mark;

	put_u64(spi, r->sa->spi_r);
	chain_start(old->ike, &w);
	mark = sa_begin(&w);
	proposal_write(&w, chosen->number, PROTO_IKE, bytes_of(spi, 8), t, chosen_transforms(chosen, t), false);
	sa_end(&w, mark);
	nonce_write(&w, secret_bytes(&r->nr));
	ke_write(&w, chosen->dh.id, dh_public(r->dh));
	old->ike->about = IKE_ABOUT_REKEY_IKE;
	return send_response(old, CREATE_CHILD_SA, &w, dg, IKE_EFFECT_STATE);
}

enum gw_err x_rekey_ike_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	struct rekeyed r = { 0 };
	struct chosen chosen = { 0 };
	struct err e = { 0 };
	struct bytes low;
	enum gw_err code;

	/* 2.25.2: not while CHILD SAs are being made, rekeyed or closed by us, nor when we are closing. */
	if (child_busy(sa) || sa->want_delete || sa->successor)
		return x_refuse_busy(sa, m, dg);
	code = proposal_choose(&m->sa, PROTO_IKE, sa->conn->proposals, sa->conn->proposal_count,
			       msg_has(m, PL_KE) ? m->ke.group : 0, PROPOSAL_DH_REQUIRED, &chosen, &e);
	if (code == GW_OK)
		code = build(sa, m, &chosen, &r);
	if (code != GW_OK) {
		count_up(sa->ike, rekeys_failed);
		sa_log(sa, LOG_LVL_INFO, "rekey of the IKE SA refused: %s",
		       code == GW_EGROUP ? "another KE group, please"
		       : e.text[0]	 ? e.text
					 : gw_err_text(code));
		if (r.sa) {
			peer_leave(sa->ike, r.sa);
			sa_bury(r.sa);
		}
		rekeyed_clear(&r);
		return refuse(sa, dg, code, chosen.dh.id);
	}
	code = answer(sa, &chosen, &r, dg);
	if (code == GW_OK) {
		if (sa->our_x && sa->our_x->kind == X_REKEY_IKE) {
			low = collide_lowest(m->nonce, secret_bytes(&r.nr));
			sa->crossing_len = (uint8_t)(low.n < sizeof(sa->crossing) ? low.n : sizeof(sa->crossing));
			memcpy(sa->crossing, low.p, sa->crossing_len);
			count_up(sa->ike, rekeys_crossed);
		}
		count_up(sa->ike, rekeys_ike_by_peer);
		take_over(r.sa, sa, "the peer rekeyed it");
		sa_reschedule(r.sa);
	}
	rekeyed_clear(&r);
	return code;
}

/* ---- we begin ---- */

static void offer_of(const struct ike_sa *sa, struct proposal_cfg *p)
{
	struct chosen same = { .encr = sa->encr, .prf = sa->prf, .integ = sa->integ, .dh = sa->dh };

	p->n = chosen_transforms(&same, p->t);
}

enum gw_err x_rekey_ike_start(struct ike_sa *sa)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct proposal_cfg offer;
	struct msg_writer w;
	uint8_t spi[8];
	size_t mark;

	if (!x)
		return GW_ENOMEM;
	sa->our_x = x;
	x->kind = X_REKEY_IKE;
	x->group = sa->dh.id;
	TRY(ike_new_spi(sa->ike, &x->new_spi));
	TRY(secret_alloc(&x->ni, IKE_NONCE_OURS));
	TRY(rng_fill(sa->ike->env->rng, x->ni.p, x->ni.n));
	TRY(dh_generate(sa->ike->env->crypto, dh_find(x->group), &x->dh));
	offer_of(sa, &offer);
	put_u64(spi, x->new_spi);
	chain_start(sa->ike, &w);
	mark = sa_begin(&w);
	proposal_write(&w, 1, PROTO_IKE, bytes_of(spi, 8), offer.t, offer.n, false);
	sa_end(&w, mark);
	nonce_write(&w, secret_bytes(&x->ni));
	ke_write(&w, x->group, dh_public(x->dh));
	sa->want_rekey = false;
	sa->rekey_at = MTIME_NEVER;
	return send_request(sa, CREATE_CHILD_SA, &w, REQ_REKEY_IKE, IKE_EFFECT_STATE);
}

static enum gw_err accept(struct ike_sa *old, const struct exchange *x, const struct ike_msg *m, struct ike_sa **out)
{
	struct ike *ike = old->ike;
	WIPED struct secret shared = { 0 };
	struct proposal_cfg offer;
	struct chosen chosen;
	uint64_t spi_r;
	uint32_t need = PL_BIT(PL_SA) | PL_BIT(PL_NONCE) | PL_BIT(PL_KE);

	if ((m->present & need) != need)
		return GW_EMALFORMED;
	offer_of(old, &offer);
	TRY(proposal_answer(&m->sa, PROTO_IKE, &offer, 1, &chosen, NULL));
	spi_r = spi_of(chosen.spi);
	if (spi_r == 0 || m->ke.group != x->group)
		return GW_EMALFORMED;
	TRY(dh_shared(ike->env->crypto, x->dh, m->ke.data, &shared));
	*out = sa_create(ike, true, x->new_spi, spi_r);
	if (!*out)
		return GW_ENOMEM;
	adopt_suite(*out, &chosen);
	TRY(chosen_suite(&chosen, &(*out)->keys.suite));
	TRY(inherit(*out, old));
	return ike_keys_rekey(ike->env->crypto, &(*out)->keys, &old->keys, secret_bytes(&x->ni), m->nonce,
			      secret_bytes(&shared), x->new_spi, spi_r);
}

static void retry_later(struct ike_sa *sa)
{
	if (sa->state != IKE_UP)
		return;
	sa->rekey_at = mtime_add(ike_now(sa->ike), SECONDS(RETRY_SECONDS) + (int64_t)rng_below(sa->ike->env->rng,
											       SECONDS(RETRY_SECONDS)));
}

static void end_session(struct ike_sa *to, const struct ike_sa *from)
{
	to->want_delete = true;
	sa_set_reason(to, from->down_reason);
}

void x_rekey_ike_response(struct ike_sa *sa, struct exchange *x, const struct ike_msg *m)
{
	const struct notify_payload *error = msg_error(m);
	struct ike_sa *to = NULL, *theirs = NULL;
	bool lost = false;
	enum gw_err code = error ? GW_EBUSY : accept(sa, x, m, &to);

	if (code == GW_OK && sa->crossing_len > 0)
		lost = collide_loses(secret_bytes(&x->ni), bytes_of(m->nonce.p, m->nonce.n < 32 ? m->nonce.n : 32),
				     bytes_of(sa->crossing, sa->crossing_len),
				     bytes_of(sa->crossing, sa->crossing_len));
	exchange_destroy(x);
	sa->our_x = NULL;
	if (code != GW_OK) {
		count_up(sa->ike, rekeys_failed);
		sa_log(sa, LOG_LVL_INFO, "rekey of the IKE SA failed: %s",
		       error ? notify_name(error->type) : gw_err_text(code));
		if (to) {
			peer_leave(sa->ike, to);
			sa_bury(to);
		}
		/* A peer that refuses to, as some do, still has this SA, and its message IDs are known: no more to find out. */
		if (error && error->type != N_TEMPORARY_FAILURE && sa->settled == sa->ike->doubt)
			sa->certain = sa->settled;
		retry_later(sa);
		return;
	}
	if (lost) {
		/* 2.8.2: our exchange made the redundant SA: it goes at once, without ever having owned anything. */
		to->established = ike_now(sa->ike);
		to->successor = sa->successor;
		sa_set_state(to, IKE_UP, "redundant: the peer's rekey won");
		to->want_delete = true;
		sa_pump(to);
		sa_reschedule(to);
		return;
	}
	count_up(sa->ike, rekeys_ike_by_us);
	if (sa->crossing_len > 0)
		theirs = ike_find(sa->ike, sa->successor);
	take_over(to, sa, "we rekeyed it");
	if (theirs && theirs->state == IKE_UP) { /* the peer deletes the one that its exchange made */
		move_children(to, theirs);
		theirs->successor = ike_sa_local_spi(to);
		theirs->rekey_at = MTIME_NEVER;
		/* Our DELETE of the old SA may reach the peer before our answer does: then it never knows of this one.
		 */
		theirs->life_at = mtime_add(ike_now(sa->ike), SECONDS(REPLACED_SECONDS));
		sa_set_state(theirs, IKE_REKEYED, "redundant: our rekey won");
		sa_reschedule(theirs);
	}
	/* Who wanted the session to end meanwhile meant the session, whatever SA carries it now. */
	if (theirs && theirs->state == IKE_DELETING)
		end_session(to, theirs);
	else if (sa->want_delete)
		end_session(to, sa);
	sa->want_delete = true;
	sa_pump(to);
	sa_reschedule(to);
}

/*
 * 2.8.2: the peer closes the SA that its own rekey made, and our rekey of the same predecessor is unanswered: it was
 * the peer's that lost, and its answer to ours is on the way. The session goes back to the predecessor until then.
 */
void x_rekey_ike_hand_back(struct ike_sa *sa)
{
	struct ike_sa *p = sa->peer ? sa->peer->sas : NULL;

	while (p && !(p->successor == ike_sa_local_spi(sa) && p->crossing_len > 0 && p->our_x &&
		      p->our_x->kind == X_REKEY_IKE))
		p = p->next_of_peer;
	if (!p || sa->state != IKE_UP)
		return;
	move_children(p, sa);
	p->successor = 0;
	p->crossing_len = 0;
	sa_set_lifetimes(p);
	sa_set_state(p, IKE_UP, "the peer's rekey lost");
	sa_touch(p);
	sa_reschedule(p);
	sa->successor = ike_sa_local_spi(p);
	ike_report_rekeyed(sa->ike, p, sa->id);
}
