/* CREATE_CHILD_SA begun by us: rekeys of CHILD SAs (RFC 7296 1.3.3, 2.8, 2.8.1). IKE SAs: x_rekey_ike.c. */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/reqid.h"
#include "ike/ts.h"

enum { RETRY_SECONDS = 10 };

static bool group_configured(const struct child_cfg *cfg, uint16_t group)
{
	for (size_t i = 0; i < cfg->proposal_count; i++) {
		for (size_t k = 0; k < cfg->proposals[i].n; k++) {
			if (cfg->proposals[i].t[k].type == TR_DH && cfg->proposals[i].t[k].id == group)
				return true;
		}
	}
	return false;
}

static bool offered(const struct proposal_cfg *p, uint16_t group)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->t[i].type == TR_DH && p->t[i].id == group)
			return true;
	}
	return false;
}

/*
 * Our offer is what the SA has now: nothing can change but the keys, and every peer has agreed to it before. Only the
 * group is not known while no KE payload has passed: then all that are configured are offered, that of ours first.
 */
static void offer_of(const struct child_sa *c, uint16_t group, struct proposal_cfg *p)
{
	struct chosen same = { .encr = c->encr, .integ = c->integ, .esn = c->esn };

	if (group)
		same.dh = (struct transform){ .type = TR_DH, .id = group };
	p->n = chosen_transforms(&same, p->t);
	if (!group || c->dh.id != DH_NONE)
		return;
	for (size_t i = 0; i < c->cfg->proposal_count; i++) {
		const struct proposal_cfg *cfg = &c->cfg->proposals[i];

		for (size_t k = 0; k < cfg->n && p->n < PROPOSAL_MAX_TRANSFORMS; k++) {
			if (cfg->t[k].type == TR_DH && cfg->t[k].id != DH_NONE && !offered(p, cfg->t[k].id))
				p->t[p->n++] = cfg->t[k];
		}
	}
}

/* Whether a proposal with the SA's cipher does without a KE payload. */
static bool allows_none(const struct child_sa *c)
{
	for (size_t i = 0; i < c->cfg->proposal_count; i++) {
		const struct proposal_cfg *cfg = &c->cfg->proposals[i];
		bool cipher = false, group = false, none = false;

		for (size_t k = 0; k < cfg->n; k++) {
			const struct transform *t = &cfg->t[k];

			cipher |= t->type == TR_ENCR && t->id == c->encr.id && t->key_bits == c->encr.key_bits;
			group |= t->type == TR_DH && t->id != DH_NONE;
			none |= t->type == TR_DH && t->id == DH_NONE;
		}
		if (cipher && (none || !group))
			return true;
	}
	return false;
}

/* The configured group that the peer is most likely to have: that of the IKE SA. */
static uint16_t likely_group(const struct child_sa *c)
{
	if (c->pfs_group)
		return c->pfs_group;
	if (group_configured(c->cfg, c->sa->dh.id))
		return c->sa->dh.id;
	for (size_t i = 0; i < c->cfg->proposal_count; i++) {
		for (size_t k = 0; k < c->cfg->proposals[i].n; k++) {
			const struct transform *t = &c->cfg->proposals[i].t[k];

			if (t->type == TR_DH && t->id != DH_NONE)
				return t->id;
		}
	}
	return c->sa->dh.id;
}

/* Repeat what the peer used: no KE payload for an SA that was made without (CLIENTS: Windows refuses anything else). */
static uint16_t group_for(const struct child_sa *c)
{
	if (c->cfg->pfs == PFS_OFF)
		return DH_NONE;
	if (c->dh.id != DH_NONE)
		return c->dh.id;
	return c->cfg->pfs == PFS_REQUIRED || c->tried_pfs || !allows_none(c) ? likely_group(c) : DH_NONE;
}

enum gw_err x_rekey_child_start(struct ike_sa *sa, struct child_sa *c)
{
	struct crypto *crypto = sa->ike->env->crypto;
	struct exchange *x = calloc(1, sizeof(*x));
	struct proposal_cfg offer;
	struct msg_writer m;
	uint8_t spi[4], old[4];
	uint32_t new_spi;
	size_t mark;

	if (!x)
		return GW_ENOMEM;
	sa->our_x = x; /* freed with the SA if anything fails below */
	x->kind = X_REKEY_CHILD;
	x->began = ike_now(sa->ike);
	x->old_spi = c->spi_in;
	x->group = group_for(c);
	TRY(ike_new_child_spi(sa->ike, &new_spi));
	x->new_spi = new_spi;
	TRY(secret_alloc(&x->ni, IKE_NONCE_OURS));
	TRY(rng_fill(sa->ike->env->rng, x->ni.p, x->ni.n));
	if (x->group)
		TRY(dh_generate(crypto, dh_find(x->group), &x->dh));
	offer_of(c, x->group, &offer);
	put_u32(spi, new_spi);
	put_u32(old, c->spi_in);
	chain_start(sa->ike, &m);
	notify_write(&m, PROTO_ESP, bytes_of(old, 4), N_REKEY_SA, (struct bytes){ 0 });
	mark = sa_begin(&m);
	proposal_write(&m, 1, PROTO_ESP, bytes_of(spi, 4), offer.t, offer.n, false);
	sa_end(&m, mark);
	nonce_write(&m, secret_bytes(&x->ni));
	if (x->dh)
		ke_write(&m, x->group, dh_public(x->dh));
	child_write_notifies(c, &m);
	child_write_ts(c, false, PL_TSI, &m); /* we begin this exchange: TSi is our side */
	child_write_ts(c, true, PL_TSR, &m);
	c->want_rekey = false;
	return send_request(sa, CREATE_CHILD_SA, &m, REQ_REKEY_CHILD, IKE_EFFECT_STATE);
}

static void give_up(struct ike_sa *sa)
{
	exchange_destroy(sa->our_x);
	sa->our_x = NULL;
}

/* The peer said no (2.25). `old` may be gone. */
static void refused(struct ike_sa *sa, struct child_sa *old, const struct notify_payload *n, uint16_t group)
{
	count_up(sa->ike, rekeys_failed);
	give_up(sa);
	if (!old || old->state != CHILD_UP)
		return;
	if (n->type == N_SINGLE_PAIR_REQUIRED && !old->one_pair && (old->ours_count > 1 || old->theirs_count > 1)) {
		/* 2.9: less than before is more than nothing. */
		sa_log(sa, LOG_LVL_WARN, "CHILD SA #%u goes on with its first pair of selectors: the peer wants one",
		       old->id);
		old->one_pair = true;
		old->want_rekey = true;
		return;
	}
	switch (n->type) {
	case N_TEMPORARY_FAILURE:
		old->want_rekey = true;
		sa->not_before = mtime_add(ike_now(sa->ike),
					   SECONDS(RETRY_SECONDS / 2) +
						   (int64_t)rng_below(sa->ike->env->rng, SECONDS(RETRY_SECONDS)));
		break;
	case N_CHILD_SA_NOT_FOUND: /* 2.25: the peer has it no more; nothing to tell */
		child_close(old, "the peer does not know it any more");
		/* What it has instead, it agreed on with the node before us: nobody here could ever serve that. */
		if (sa_is_uncertain(sa)) {
			sa->want_delete = true;
			sa_set_reason(sa, "the peer has CHILD SAs that were lost with the other node");
		}
		return;
	case N_INVALID_KE_PAYLOAD: {
		uint16_t wanted = n->data.n == 2 ? get_u16(n->data.p) : DH_NONE;

		if (group != DH_NONE && old->dh.id == DH_NONE && !old->pfs_group && wanted != group &&
		    group_configured(old->cfg, wanted)) {
			old->pfs_group = wanted;
			old->want_rekey = true;
			break;
		}
	}
	/* fall through */
	case N_NO_PROPOSAL_CHOSEN:
		if (group == DH_NONE && !old->tried_pfs && old->cfg->pfs != PFS_OFF) {
			old->tried_pfs = true;
			old->want_rekey = true;
			break;
		}
		/* fall through */
	default:
		sa_log(sa, LOG_LVL_WARN, "rekey of CHILD SA #%u refused: %s; it ends at its hard lifetime", old->id,
		       notify_name(n->type));
		old->rekey_at = MTIME_NEVER;
	}
}

static enum gw_err accept(struct ike_sa *sa, struct exchange *x, const struct child_sa *old, const struct ike_msg *m,
			  struct child_sa **out)
{
	struct crypto *crypto = sa->ike->env->crypto;
	struct selector ours[IKE_CHILD_SELECTORS], theirs[IKE_CHILD_SELECTORS];
	struct selector tsi[IKE_MAX_SELECTORS], tsr[IKE_MAX_SELECTORS];
	WIPED struct secret shared = { 0 };
	struct proposal_cfg offer;
	struct chosen chosen;
	struct child_sa *c;
	size_t n_ours, n_theirs;
	uint32_t need = PL_BIT(PL_SA) | PL_BIT(PL_NONCE) | PL_BIT(PL_TSI) | PL_BIT(PL_TSR);

	if ((m->present & need) != need || old->transport != (msg_notify(m, N_USE_TRANSPORT_MODE) != NULL))
		return GW_EMALFORMED;
	offer_of(old, x->group, &offer);
	TRY(proposal_answer(&m->sa, PROTO_ESP, &offer, 1, &chosen, NULL));
	/* 2.9: the answer may only narrow. */
	memcpy(tsi, m->tsi.s, m->tsi.count * sizeof(*tsi));
	memcpy(tsr, m->tsr.s, m->tsr.count * sizeof(*tsr));
	transport_rename(tsi, m->tsi.count, &old->told_ours, &sa->local.addr);
	transport_rename(tsr, m->tsr.count, &old->told_theirs, &sa->remote.addr);
	if (!old->transport)
		conn_name_inner(sa, tsr, m->tsr.count);
	n_ours = ts_narrow(tsi, m->tsi.count, old->ours, old->ours_count, ours, IKE_CHILD_SELECTORS);
	n_theirs = ts_narrow(tsr, m->tsr.count, old->theirs, old->theirs_count, theirs, IKE_CHILD_SELECTORS);
	if (n_ours == 0 || n_theirs == 0)
		return GW_ETS;
	if (x->dh) {
		if (!msg_has(m, PL_KE) || m->ke.group != x->group || chosen.dh.id != x->group)
			return GW_EMALFORMED;
		TRY(dh_shared(crypto, x->dh, m->ke.data, &shared));
	}
	c = child_create(sa, old->cfg, (uint32_t)x->new_spi);
	if (!c)
		return GW_ENOMEM;
	*out = c;
	c->begun = x->began;
	c->inherited = x->inherited;
	TRY(reqid_join(c, old->reqid));
	c->tried_pfs = old->tried_pfs;
	c->used = old->used;
	c->transport = old->transport;
	c->fragments = old->fragments && msg_notify(m, N_NON_FIRST_FRAGMENTS_ALSO);
	c->told_ours = old->told_ours;
	c->told_theirs = old->told_theirs;
	TRY(child_adopt(c, &chosen));
	TRY(child_selectors(c, ours, n_ours, theirs, n_theirs));
	return child_keys(c, true, secret_bytes(&shared), secret_bytes(&x->ni), m->nonce);
}

/* 2.8.1: both rekeyed it; the exchange with the lowest nonce made the redundant SA, and its initiator closes that. */
static bool crossing_lost(const struct exchange *x, const struct child_sa *old)
{
	struct bytes theirs = bytes_of(old->crossing, old->crossing_len);
	struct bytes nr = bytes_of(x->nr.p, x->nr.n < IKE_NONCE_OURS ? x->nr.n : IKE_NONCE_OURS);

	return theirs.n > 0 && collide_loses(secret_bytes(&x->ni), nr, theirs, theirs);
}

/*
 * What the peer has just made for us is not wanted, and ours to close (2.8.1). We never had it, but the peer knows its
 * SPI.
 */
static void drop_successor(struct ike_sa *sa, uint32_t spi)
{
	struct msg_writer w;

	chain_start(sa->ike, &w);
	delete_write(&w, PROTO_ESP, &spi, 1);
	if (send_request(sa, INFORMATIONAL, &w, REQ_DELETE_CHILD, IKE_EFFECT_STATE) != GW_OK)
		count_up(sa->ike, drop_internal);
}

/*
 * The peer closed what it made for us before we had it (x_info.c). What that replaced goes, too, unless by the nonces
 * it is the peer's to close (2.8.1): nobody else will.
 */
static void close_unseen(struct ike_sa *sa, struct child_sa *c, struct child_sa *old)
{
	bool ours = old && !crossing_lost(sa->our_x, old);

	sa_log(sa, LOG_LVL_INFO, "the peer has closed the successor of a CHILD SA, %08x, before we had it", c->spi_in);
	give_up(sa);
	child_close(c, "deleted by the peer");
	if (!ours)
		return;
	old->rekey_at = MTIME_NEVER;
	old->want_delete = true;
}

void x_rekey_child_response(struct ike_sa *sa, struct exchange *x, const struct ike_msg *m)
{
	struct child_sa *old = ike_find_child(sa->ike, x->old_spi), *c = NULL;
	const struct notify_payload *error = msg_error(m);
	enum gw_err code;

	if (error) {
		refused(sa, old, error, x->group);
		return;
	}
	if (!old || old->sa != sa) {
		/* Deleted meanwhile: by a peer whose own rekey of it won, or that wants no such SA. */
		sa_log(sa, LOG_LVL_INFO, "the CHILD SA under rekey is gone; its successor %08x goes, too",
		       (uint32_t)x->new_spi);
		drop_successor(sa, (uint32_t)x->new_spi);
		give_up(sa);
		return;
	}
	code = accept(sa, x, old, m, &c);
	if (code == GW_OK)
		code = secret_copy(&x->nr, m->nonce);
	if (code != GW_OK) {
		count_up(sa->ike, rekeys_failed);
		sa_log(sa, LOG_LVL_WARN, "answer to the rekey of CHILD SA #%u is of no use: %s", old->id,
		       gw_err_text(code));
		if (c)
			child_close(c, "not made");
		drop_successor(sa, (uint32_t)x->new_spi);
		old->rekey_at = MTIME_NEVER;
		give_up(sa);
		return;
	}
	if (c->spi_out == x->gone_spi) {
		close_unseen(sa, c, old);
		return;
	}
	x->waiting = c;
	c->redundant = crossing_lost(x, old);
	if (child_install(c, c->redundant) != GW_OK)
		x_rekey_child_finish(sa, c, GW_ENOMEM);
}

void x_rekey_child_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result)
{
	struct exchange *x = sa->our_x;
	struct child_sa *old = ike_find_child(sa->ike, x->old_spi);
	/* The peer's request may have come after our answer; and the old one may have gone since that. */
	bool lost = c->redundant || (old && crossing_lost(x, old));

	if (c->spi_out == x->gone_spi) {
		close_unseen(sa, c, old);
		return;
	}
	c->redundant = lost;
	give_up(sa);
	x_child_is_up(sa, c);
	if (result != GW_OK || lost) {
		c->want_delete = true; /* the peer has it: it is told */
		if (!lost)
			count_up(sa->ike, rekeys_failed);
		if (old && !lost)
			old->rekey_at = mtime_add(ike_now(sa->ike), SECONDS(RETRY_SECONDS));
		return;
	}
	count_up(sa->ike, rekeys_child_by_us);
	ike_report(sa->ike, IKE_EV_CHILD_REKEYED, sa, c, NULL);
	if (!old)
		return;
	if (old->crossing_len > 0) {
		/* Ours won: the peer deletes what its own exchange made, we delete the old one. */
		struct child_sa *theirs = ike_find_child(sa->ike, old->successor);

		if (theirs && theirs != c) {
			theirs->successor = c->spi_in;
			theirs->state = CHILD_REKEYED;
			theirs->rekey_at = MTIME_NEVER;
			theirs->life_at = mtime_add(ike_now(sa->ike), SECONDS(REPLACED_SECONDS));
			theirs->rekeyed_by_peer = true;
		}
	}
	old->successor = c->spi_in;
	old->state = CHILD_REKEYED;
	old->rekeyed_by_peer = false;
	old->rekey_at = MTIME_NEVER;
	old->want_delete = true;
}
