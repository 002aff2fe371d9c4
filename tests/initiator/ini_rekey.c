/* Rekeying the IKE SA in both roles, and both at once (RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2). */
#include "tests/initiator/ini.h"

static enum gw_err spi_make(struct ini *ini, uint64_t *spi)
{
	do
		TRY(rng_fill(ini->env->rng, spi, sizeof(*spi)));
	while (*spi == 0);
	return GW_OK;
}

enum gw_err ini_rekey_ask(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;
	const struct ini_cfg *cfg = ini->cfg;
	struct ini_try *t = ini_try_create(sa);
	uint16_t group = sa->group ? sa->group : sa->dh.id;
	uint8_t buf[INI_CHAIN], spi[8];
	struct msg_writer w;

	if (!t)
		return GW_ENOMEM;
	TRY(spi_make(ini, &t->ike_spi));
	TRY(ini_dh_take(ini, group, &t->dh));
	put_u64(spi, t->ike_spi);
	chain_begin(&w, buf, sizeof(buf));
	ini_offer_write(&w, cfg->ike, cfg->ike_count, PROTO_IKE, bytes_of(spi, 8));
	nonce_write(&w, bytes_of(t->nonce, sizeof(t->nonce)));
	ke_write(&w, group, dh_public(t->dh));
	return ini_request(sa, INI_IKE_REKEY, CREATE_CHILD_SA, &w);
}

static struct ini_sa *successor(struct ini_sa *old, const struct chosen *chosen, bool initiator, uint64_t spi_i,
				uint64_t spi_r, struct bytes shared, struct bytes ni, struct bytes nr)
{
	struct ini_sa *sa = ini_sa_create(old->ini);

	if (!sa)
		return NULL;
	sa->initiator = initiator;
	sa->spi_i = spi_i;
	sa->spi_r = spi_r;
	sa->encr = chosen->encr;
	sa->prf = chosen->prf;
	sa->integ = chosen->integ;
	sa->dh = chosen->dh;
	sa->keys.prf = prf_find(chosen->prf.id);
	if (chosen_suite(chosen, &sa->keys.suite) != GW_OK ||
	    ike_keys_rekey(old->ini->env->crypto, &sa->keys, &old->keys, ni, nr, shared, spi_i, spi_r) != GW_OK) {
		ini_sa_destroy(sa);
		return NULL;
	}
	return sa;
}

/* What was asked for and not begun yet goes on where the children went. */
static void inherit(struct ini_sa *to, struct ini_sa *from)
{
	ini_sa_move_children(to, from);
	to->state = INI_SA_UP;
	to->want_probe |= from->want_probe;
	to->want_child |= from->want_child;
	to->want_delete |= from->want_delete;
	from->want_probe = from->want_child = from->want_rekey = from->want_delete = false;
	from->retry_at = MTIME_NEVER;
	from->state = INI_SA_REKEYED;
	from->gone_at = mtime_add(ini_now(from->ini), SECONDS(INI_REPLACED_S));
}

void ini_rekey_abandon(struct ini_sa *sa)
{
	struct ini_sa *peer = sa->try_ && sa->try_->collided ? sa->try_->peer_sa : NULL;

	if (peer)
		inherit(peer, sa);
}

static void refused(struct ini_sa *sa, const struct notify_payload *error)
{
	struct ini *ini = sa->ini;

	ini->error = error->type;
	ini->refused[INI_IKE_REKEY]++;
	if (sa->try_->collided) {
		ini_rekey_abandon(sa);
	} else if (error->type == N_INVALID_KE_PAYLOAD && error->data.n == 2 && dh_find(get_u16(error->data.p))) {
		sa->group = get_u16(error->data.p);
		sa->want_rekey = true;
	} else if (error->type == N_TEMPORARY_FAILURE) {
		sa->want_rekey = true;
		sa->retry_at = mtime_add(ini_now(ini), SECONDS(1) + (int64_t)rng_below(ini->env->rng, 2000000));
	}
}

static struct ini_sa *agreed(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_try *t = sa->try_;
	WIPED struct secret shared = { 0 };
	struct chosen chosen;

	if (!msg_has(m, PL_SA) || !msg_has(m, PL_NONCE) || !msg_has(m, PL_KE) || m->ke.group != dh_alg_of(t->dh)->id ||
	    proposal_answer(&m->sa, PROTO_IKE, ini->cfg->ike, ini->cfg->ike_count, &chosen, NULL) != GW_OK ||
	    chosen.spi.n != 8 || get_u64(chosen.spi.p) == 0 || chosen.dh.id != m->ke.group ||
	    dh_shared(ini->env->crypto, t->dh, m->ke.data, &shared) != GW_OK)
		return NULL;
	return successor(sa, &chosen, true, t->ike_spi, get_u64(chosen.spi.p), secret_bytes(&shared),
			 bytes_of(t->nonce, sizeof(t->nonce)), m->nonce);
}

void ini_rekey_on_answer(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_try *t = sa->try_;
	const struct notify_payload *error = msg_error(m);
	struct ini_sa *mine;

	ini_answered(sa);
	if (error) {
		refused(sa, error);
		ini_try_destroy(sa);
		return;
	}
	mine = agreed(sa, m);
	if (!mine) {
		ini->reason = "the answer to an IKE rekey is not usable";
		sa->want_delete = true;
		ini_try_destroy(sa);
		return;
	}
	ini->done[INI_IKE_REKEY]++;
	ini->collisions += t->collided;
	if (t->collided && ini_nonce_cmp(ini_nonce_min(bytes_of(t->nonce, sizeof(t->nonce)), m->nonce),
					 secret_bytes(&t->lowest)) < 0) {
		inherit(t->peer_sa, sa); /* ours is redundant; the peer deletes the old one */
		mine->state = INI_SA_REKEYED;
		mine->want_delete = true;
	} else {
		if (t->collided) {
			/* The peer deletes it, unless our DELETE of the old one overtook our answer to it. */
			t->peer_sa->state = INI_SA_REKEYED;
			t->peer_sa->gone_at = mtime_add(ini_now(ini), SECONDS(INI_REPLACED_S));
		}
		inherit(mine, sa);
		sa->want_delete = true;
	}
	ini_try_destroy(sa);
}

static void answer(struct ini_sa *sa, const struct ike_msg *m, const struct chosen *chosen, uint64_t spi,
		   const uint8_t nonce[INI_NONCE], const struct dh_key *dh)
{
	struct transform t[5];
	uint8_t buf[INI_CHAIN], raw[8];
	struct msg_writer w;
	size_t mark;

	put_u64(raw, spi);
	chain_begin(&w, buf, sizeof(buf));
	mark = sa_begin(&w);
	proposal_write(&w, chosen->number, PROTO_IKE, bytes_of(raw, 8), t, chosen_transforms(chosen, t), false);
	sa_end(&w, mark);
	nonce_write(&w, bytes_of(nonce, INI_NONCE));
	ke_write(&w, dh_alg_of(dh)->id, dh_public(dh));
	if (ini_respond(sa, CREATE_CHILD_SA, m->h.id, &w) != GW_OK)
		ini_fail(sa->ini, "an answer could not be built");
}

static bool busy_with_children(const struct ini_sa *sa)
{
	return sa->kind == INI_CHILD_NEW || sa->kind == INI_CHILD_REKEY || sa->kind == INI_CHILD_DELETE;
}

void ini_rekey_on_request(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	const struct ini_cfg *cfg = ini->cfg;
	WIPED struct secret shared = { 0 };
	struct dh_key *dh = NULL;
	struct ini_sa *made;
	struct chosen chosen;
	uint8_t nonce[INI_NONCE];
	uint64_t spi;
	enum gw_err err;

	if (!msg_has(m, PL_NONCE) || !msg_has(m, PL_KE)) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_INVALID_SYNTAX);
		return;
	}
	if (sa->state != INI_SA_UP || busy_with_children(sa) || (sa->try_ && sa->try_->collided)) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_TEMPORARY_FAILURE);
		return;
	}
	err = proposal_choose(&m->sa, PROTO_IKE, cfg->ike, cfg->ike_count, m->ke.group, PROPOSAL_DH_REQUIRED, &chosen,
			      NULL);
	if (err == GW_EGROUP) {
		struct msg_writer w;
		uint8_t buf[64], group[2];

		put_u16(group, chosen.dh.id);
		chain_begin(&w, buf, sizeof(buf));
		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_INVALID_KE_PAYLOAD, bytes_of(group, 2));
		(void)!ini_respond(sa, CREATE_CHILD_SA, m->h.id, &w);
		return;
	}
	if (err != GW_OK || chosen.spi.n != 8 || get_u64(chosen.spi.p) == 0) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_NO_PROPOSAL_CHOSEN);
		return;
	}
	if (rng_fill(ini->env->rng, nonce, sizeof(nonce)) != GW_OK || spi_make(ini, &spi) != GW_OK ||
	    ini_dh_take(ini, chosen.dh.id, &dh) != GW_OK ||
	    dh_shared(ini->env->crypto, dh, m->ke.data, &shared) != GW_OK ||
	    !(made = successor(sa, &chosen, false, get_u64(chosen.spi.p), spi, secret_bytes(&shared), m->nonce,
			       bytes_of(nonce, sizeof(nonce))))) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_INVALID_SYNTAX);
		ini_dh_drop(ini, dh);
		return;
	}
	ini->peer_ike_rekeys++;
	answer(sa, m, &chosen, spi, nonce, dh);
	ini_dh_drop(ini, dh);
	if (sa->kind == INI_IKE_REKEY) {
		struct bytes lowest = ini_nonce_min(m->nonce, bytes_of(nonce, sizeof(nonce)));

		made->state = INI_SA_CANDIDATE;
		sa->try_->peer_sa = made;
		sa->try_->collided = secret_copy(&sa->try_->lowest, lowest) == GW_OK;
	} else {
		inherit(made, sa);
	}
}
