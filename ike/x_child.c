/* CREATE_CHILD_SA as responder: new and rekeyed CHILD SAs (RFC 7296 1.3.1, 1.3.3, 2.8, 2.25). */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/reqid.h"
#include "ike/ts.h"

enum gw_err x_refuse_busy(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	(void)m;
	count_up(sa->ike, refused_temporarily);
	return send_error(sa, CREATE_CHILD_SA, N_TEMPORARY_FAILURE, (struct bytes){ 0 }, dg);
}

static enum gw_err refuse(struct ike_sa *sa, const struct datagram *dg, enum gw_err code, uint16_t group)
{
	uint8_t data[2];

	put_u16(data, group);
	return send_error(sa, CREATE_CHILD_SA, error_notify(code), bytes_of(data, code == GW_EGROUP ? 2 : 0), dg);
}

static enum gw_err refuse_not_found(struct ike_sa *sa, const struct notify_payload *rekey, const struct datagram *dg)
{
	struct msg_writer m;

	/* 2.25: with the SPI that was not found. */
	chain_start(sa->ike, &m);
	notify_write(&m, PROTO_ESP, rekey->spi, N_CHILD_SA_NOT_FOUND, (struct bytes){ 0 });
	return send_response(sa, CREATE_CHILD_SA, &m, dg, IKE_EFFECT_STATE);
}

/* DH for PFS and the keys. */
static enum gw_err derive(struct child_sa *c, struct exchange *x, const struct chosen *chosen, const struct ike_msg *m)
{
	struct crypto *crypto = c->sa->ike->env->crypto;
	WIPED struct secret shared = { 0 };

	TRY(secret_alloc(&x->nr, IKE_NONCE_OURS));
	TRY(rng_fill(c->sa->ike->env->rng, x->nr.p, x->nr.n));
	TRY(secret_copy(&x->ni, m->nonce));
	if (chosen->dh.id != DH_NONE) {
		const struct dh_alg *alg = dh_find(chosen->dh.id);

		if (!alg || m->ke.data.n != alg->public_len)
			return GW_EMALFORMED;
		x->group = chosen->dh.id;
		TRY(dh_generate(crypto, alg, &x->dh));
		TRY(secret_copy(&x->ke, dh_public(x->dh)));
		TRY(dh_shared(crypto, x->dh, m->ke.data, &shared));
	}
	return child_keys(c, false, secret_bytes(&shared), secret_bytes(&x->ni), secret_bytes(&x->nr));
}

static void note_crossing(struct child_sa *old, const struct exchange *x)
{
	struct bytes low = collide_lowest(secret_bytes(&x->ni), secret_bytes(&x->nr));

	old->crossing_len = (uint8_t)(low.n < sizeof(old->crossing) ? low.n : sizeof(old->crossing));
	memcpy(old->crossing, low.p, old->crossing_len);
	count_up(old->sa->ike, rekeys_crossed);
}

static enum gw_err make_child(struct ike_sa *sa, struct exchange *x, const struct child_match *match,
			      const struct child_sa *old, const struct ike_msg *m)
{
	struct child_sa *c;
	uint32_t spi;

	TRY(ike_new_child_spi(sa->ike, &spi));
	c = child_create(sa, match->cfg, spi);
	if (!c)
		return GW_ENOMEM;
	x->child_spi = spi;
	x->proposal = match->chosen.number;
	TRY(reqid_join(c, old ? old->reqid : ike_new_reqid(sa->ike)));
	if (old)
		c->used = old->used;
	x->more_ts = match->more;
	TRY(child_match_adopt(c, match));
	TRY(derive(c, x, &match->chosen, m));
	/* 2.8: of a rekey only the inbound SA now; we go on sending on the old one until the peer deletes it. */
	return child_install(c, old != NULL);
}

static size_t child_total(const struct ike_sa *sa)
{
	size_t n = 0;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		n++;
	return n;
}

static enum gw_err child_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg,
				 struct child_sa *old)
{
	struct child_match match = { 0 };
	struct err e = { 0 };
	struct exchange *x;
	enum gw_err code;
	uint8_t cp = 0;

	if (child_total(sa) >= IKE_CHILD_MAX) {
		count_up(sa->ike, drop_sa_limit);
		sa_log(sa, LOG_LVL_INFO, "CHILD SA refused: %d of one IKE SA are the limit", IKE_CHILD_MAX);
		return refuse(sa, dg, GW_ELIMIT, 0);
	}
	if (m->nonce.n == 0 || !msg_has(m, PL_TSI) || !msg_has(m, PL_TSR)) {
		count_up(sa->ike, drop_malformed);
		return refuse(sa, dg, GW_EMALFORMED, 0);
	}
	/* Some ask for their inner address here, again (RouterOS), or, childless, for the first time. */
	code = cp_lease(sa, m, &cp);
	if (code != GW_OK) {
		count_up(sa->ike, refused_address);
		return refuse(sa, dg, code, 0);
	}
	code = conn_match_child(sa, old ? old->cfg : NULL, m, true, &match, &e);
	if (code != GW_OK) {
		if (code == GW_ETS)
			count_up(sa->ike, refused_selectors);
		else if (code == GW_EGROUP)
			count_up(sa->ike, invalid_ke_sent);
		else
			count_up(sa->ike, refused_proposal);
		sa_log(sa, code == GW_EGROUP ? LOG_LVL_DEBUG : LOG_LVL_INFO, "CHILD SA refused: %s",
		       code == GW_EGROUP ? "another KE group, please" : e.text);
		return refuse(sa, dg, code, match.chosen.dh.id);
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return GW_ENOMEM;
	*x = (struct exchange){ .kind = X_CHILD,
				.message_id = m->h.id,
				.from = dg->from,
				.to = dg->to,
				.natt = dg->natt,
				.cp = cp,
				.old_spi = old ? old->spi_in : 0 };
	sa->peer_x = x;
	code = make_child(sa, x, &match, old, m);
	if (code != GW_OK) {
		struct child_sa *c = ike_find_child(sa->ike, x->child_spi);

		if (c)
			child_close(c, "not made");
		exchange_destroy(x);
		sa->peer_x = NULL;
		if (code == GW_EMALFORMED)
			count_up(sa->ike, drop_malformed);
		else
			count_up(sa->ike, drop_internal);
		sa_log(sa, LOG_LVL_INFO, "CHILD SA refused: %s", gw_err_text(code));
		return refuse(sa, dg, code, 0);
	}
	if (old && sa->our_x && sa->our_x->kind == X_REKEY_CHILD && sa->our_x->old_spi == old->spi_in)
		note_crossing(old, x); /* settled when our answer is there */
	return GW_OK;
}

enum gw_err x_create_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	const struct notify_payload *rekey = msg_notify(m, N_REKEY_SA);
	struct child_sa *old = NULL;

	count_up(sa->ike, child_requests);
	if (m->sa.count > 0 && m->sa.p[0].protocol == PROTO_IKE)
		return x_rekey_ike_request(sa, m, dg);
	/* 2.25.2: no new CHILD SAs on an IKE SA that is being replaced or closed. */
	if (sa->want_delete || (sa->our_x && sa->our_x->kind == X_REKEY_IKE))
		return x_refuse_busy(sa, m, dg);
	if (rekey) {
		struct reader r = rd_of(rekey->spi);
		uint32_t spi = rd_u32(&r);

		old = r.bad ? NULL : child_by_out(sa, spi);
		/* Unknown while an exchange of ours is open: it may be the one whose making we are about to hear of. */
		if (!old && sa->our_x)
			return x_refuse_busy(sa, m, dg);
		if (!old)
			return refuse_not_found(sa, rekey, dg);
		/* 2.25.1: we are closing it, or it has been replaced already. */
		if (old->state != CHILD_UP || old->want_delete)
			return x_refuse_busy(sa, m, dg);
	}
	return child_request(sa, m, dg, old);
}

void x_child_is_up(struct ike_sa *sa, struct child_sa *c)
{
	char ours[200], theirs[200], suite[CHOSEN_TEXT];
	enum log_level level = c && c->redundant ? LOG_LVL_DEBUG : LOG_LVL_INFO;
	struct chosen agreed;

	if (!c)
		return;
	agreed = (struct chosen){ .encr = c->encr, .integ = c->integ, .esn = c->esn, .dh = c->dh };
	c->state = CHILD_UP;
	c->created = ike_now(sa->ike);
	child_set_lifetimes(c);
	sa->ike->children++;
	count_up(sa->ike, children_established);
	ike_report(sa->ike, IKE_EV_CHILD_UP, sa, c, NULL);
	if (log_wants(sa->ike->env->log, level))
		sa_log(sa, level, "CHILD SA #%u (%s) up: %s === %s, SPIs in %08x out %08x, %s", c->id, c->cfg->name,
		       ts_text(c->ours, c->ours_count, ours, sizeof(ours)),
		       ts_text(c->theirs, c->theirs_count, theirs, sizeof(theirs)), c->spi_in, c->spi_out,
		       chosen_text(&agreed, suite));
}

void x_child_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result)
{
	struct exchange *x = sa->peer_x;
	struct datagram to = { .from = x->from, .to = x->to, .natt = x->natt };
	struct child_sa *old = x->old_spi ? ike_find_child(sa->ike, x->old_spi) : NULL;
	struct msg_writer m;
	enum gw_err sent;

	sa->peer_x = NULL;
	if (result != GW_OK || (x->old_spi && (!old || old->sa != sa))) {
		child_close(c, "not installed");
		if (old && old->crossing_len > 0 && old->state == CHILD_UP) {
			old->crossing_len =
				0; /* the peer's rekey did not happen: ours, which may have given way, again */
			old->rekey_at = mtime_add(ike_now(sa->ike), SECONDS(LINGER_SECONDS));
		}
		sent = refuse(sa, &to, result == GW_EUNSUPPORTED ? GW_EPROPOSAL : GW_EBUSY, 0);
	} else {
		chain_start(sa->ike, &m);
		child_write_answer(c, x->proposal, &m);
		nonce_write(&m, secret_bytes(&x->nr));
		if (x->ke.n > 0)
			ke_write(&m, x->group, secret_bytes(&x->ke));
		if (x->cp)
			cp_answer(sa, &m, x->cp);
		if (x->more_ts)
			notify_simple(&m, N_ADDITIONAL_TS_POSSIBLE);
		sa->ike->about = x->old_spi ? IKE_ABOUT_REKEY_CHILD : IKE_ABOUT_NEW_CHILD;
		sent = send_response(sa, CREATE_CHILD_SA, &m, &to, IKE_EFFECT_STATE);
		x_child_is_up(sa, c);
		if (old && old->successor) {
			/* Ours won while the plane was busy with this one: the peer deletes it. */
			c->successor = old->successor;
			c->state = CHILD_REKEYED;
			c->rekeyed_by_peer = true;
			c->rekey_at = MTIME_NEVER;
			c->life_at = mtime_add(ike_now(sa->ike), SECONDS(REPLACED_SECONDS));
		} else if (old) {
			count_up(sa->ike, rekeys_child_by_peer);
			old->successor = c->spi_in;
			old->want_rekey = false;
			old->rekeyed_by_peer = true;
			old->state = CHILD_REKEYED;
			old->rekey_at = MTIME_NEVER;
			old->life_at = mtime_add(ike_now(sa->ike),
						 SECONDS(REPLACED_SECONDS)); /* should its DELETE never come */
			ike_report(sa->ike, IKE_EV_CHILD_REKEYED, sa, c, NULL);
		}
	}
	exchange_destroy(x);
	if (sent != GW_OK)
		sa_close(sa, "internal trouble", false);
}
