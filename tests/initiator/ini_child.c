/* CHILD SAs: keys, selectors, CREATE_CHILD_SA in both roles, collisions of rekeys (RFC 7296 1.3, 2.8, 2.25). */
#include "tests/initiator/ini.h"

#include <stdlib.h>

size_t ini_offer_plain(const struct ini_cfg *cfg, struct proposal_cfg *out, size_t max)
{
	size_t n = cfg->esp_count < max ? cfg->esp_count : max;

	for (size_t i = 0; i < n; i++) {
		out[i].n = 0;
		for (size_t j = 0; j < cfg->esp[i].n; j++)
			if (cfg->esp[i].t[j].type != TR_DH)
				out[i].t[out[i].n++] = cfg->esp[i].t[j];
	}
	return n;
}

static uint16_t esp_group(const struct ini_cfg *cfg)
{
	for (size_t i = 0; i < cfg->esp_count; i++)
		for (size_t j = 0; j < cfg->esp[i].n; j++)
			if (cfg->esp[i].t[j].type == TR_DH && cfg->esp[i].t[j].id != DH_NONE)
				return cfg->esp[i].t[j].id;
	return DH_NONE;
}

static bool set_selectors(struct ini_child *c, const struct selector *ours, size_t no, const struct selector *theirs,
			  size_t nt)
{
	c->ours = malloc((no + nt) * sizeof(*ours));
	if (!c->ours)
		return false;
	c->theirs = c->ours + no;
	memcpy(c->ours, ours, no * sizeof(*ours));
	memcpy(c->theirs, theirs, nt * sizeof(*theirs));
	c->ours_count = (uint8_t)no;
	c->theirs_count = (uint8_t)nt;
	return true;
}

/* `out_first`: we began the exchange, so our direction's keys come first (2.17). Takes nothing on failure. */
static struct ini_child *child_make(struct ini_sa *sa, const struct chosen *chosen, uint32_t spi_in,
				    struct bytes shared, struct bytes ni, struct bytes nr, bool we_began,
				    const struct ts_payload *ours, const struct ts_payload *theirs)
{
	struct ini_child *c = calloc(1, sizeof(*c));
	struct secret *i2r = we_began ? &c->out_keys : &c->in_keys, *r2i = we_began ? &c->in_keys : &c->out_keys;

	if (!c)
		return NULL;
	c->spi_in = spi_in;
	c->spi_out = get_u32(chosen->spi.p);
	c->encr = chosen->encr;
	c->integ = chosen->integ;
	c->esn = chosen->esn;
	c->dh = chosen->dh;
	c->retry_at = c->gone_at = MTIME_NEVER;
	if (chosen_suite(chosen, &c->suite) != GW_OK ||
	    !set_selectors(c, ours->s, ours->count, theirs->s, theirs->count) ||
	    child_keymat(sa->ini->env->crypto, &sa->keys, &c->suite, shared, ni, nr, i2r, r2i) != GW_OK) {
		free(c->ours);
		free(c);
		return NULL;
	}
	c->next = sa->children;
	sa->children = c;
	return c;
}

/* The answer to an address that the client did not know yet, 0.0.0.0, is one address. */
static bool named(const struct selector *offer, const struct selector *answer)
{
	const struct addr unknown = { .family = offer->range.lo.family };

	return addr_equal(&offer->range.lo, &unknown) && addr_equal(&offer->range.hi, &unknown) &&
	       answer->range.lo.family == unknown.family && addr_equal(&answer->range.lo, &answer->range.hi);
}

/* Every selector of the answer lies in one that we offered (2.9). */
static bool narrowed(const struct ts_payload *answer, const struct selector *offer, size_t n)
{
	for (size_t i = 0; i < answer->count; i++) {
		size_t j = 0;

		while (j < n && !selector_contains(&offer[j], &answer->s[i]) && !named(&offer[j], &answer->s[i]))
			j++;
		if (j == n)
			return false;
	}
	return answer->count > 0;
}

struct ini_child *ini_child_accept(struct ini_sa *sa, const struct ike_msg *m, const struct proposal_cfg *offer,
				   size_t n, uint32_t spi_in, struct bytes shared, struct bytes ni, struct bytes nr,
				   const char **why)
{
	const struct ini_cfg *cfg = sa->ini->cfg;
	struct chosen chosen;
	struct ini_child *c;

	*why = "the answer lacks SA or selectors";
	if (!msg_has(m, PL_SA) || !msg_has(m, PL_TSI) || !msg_has(m, PL_TSR))
		return NULL;
	*why = "the answer picks what was not offered";
	if (proposal_answer(&m->sa, PROTO_ESP, offer, n, &chosen, NULL) != GW_OK || chosen.spi.n != 4)
		return NULL;
	*why = "the answer has a KE payload without a group, or the other way round";
	if ((chosen.dh.id != DH_NONE) != (shared.n > 0))
		return NULL;
	*why = "the answer widens the selectors";
	if (!narrowed(&m->tsi, cfg->tsi, cfg->tsi_count) || !narrowed(&m->tsr, cfg->tsr, cfg->tsr_count))
		return NULL;
	*why = "out of memory";
	c = child_make(sa, &chosen, spi_in, shared, ni, nr, true, &m->tsi, &m->tsr);
	if (c)
		c->transport = msg_notify(m, N_USE_TRANSPORT_MODE) != NULL;
	if (c)
		c->fragments = cfg->fragments && msg_notify(m, N_NON_FIRST_FRAGMENTS_ALSO) != NULL;
	sa->ini->more_ts = msg_notify(m, N_ADDITIONAL_TS_POSSIBLE) != NULL;
	return c;
}

enum gw_err ini_child_ask(struct ini_sa *sa, struct ini_child *old)
{
	struct ini *ini = sa->ini;
	const struct ini_cfg *cfg = ini->cfg;
	struct proposal_cfg plain[IKE_MAX_PROPOSALS];
	const struct proposal_cfg *offer = cfg->esp;
	struct ini_try *t = ini_try_create(sa);
	uint16_t group = old && old->group ? old->group : esp_group(cfg);
	uint8_t buf[INI_CHAIN], spi[4];
	size_t n = cfg->esp_count;
	struct msg_writer w;

	if (!t)
		return GW_ENOMEM;
	t->spi = ini_child_spi(ini);
	t->old_spi = old ? old->spi_in : 0;
	if (!cfg->pfs || group == DH_NONE) {
		group = DH_NONE;
		n = ini_offer_plain(cfg, plain, ARRAY_LEN(plain));
		offer = plain;
	} else {
		TRY(ini_dh_take(ini, group, &t->dh));
	}
	chain_begin(&w, buf, sizeof(buf));
	if (old) {
		/* 1.3.3: the SPI is the one that the sender expects inbound. */
		put_u32(spi, old->spi_in);
		notify_write(&w, PROTO_ESP, bytes_of(spi, 4), N_REKEY_SA, (struct bytes){ 0 });
	}
	if (cfg->transport)
		notify_simple(&w, N_USE_TRANSPORT_MODE);
	if (cfg->fragments)
		notify_simple(&w, N_NON_FIRST_FRAGMENTS_ALSO);
	if (cfg->cp_in_child)
		ini_cp_write(&w, cfg);
	put_u32(spi, t->spi);
	ini_offer_write(&w, offer, n, PROTO_ESP, bytes_of(spi, 4));
	nonce_write(&w, bytes_of(t->nonce, sizeof(t->nonce)));
	if (t->dh)
		ke_write(&w, group, dh_public(t->dh));
	ts_write(&w, PL_TSI, old ? old->ours : cfg->tsi, old ? old->ours_count : cfg->tsi_count);
	ts_write(&w, PL_TSR, old ? old->theirs : cfg->tsr, old ? old->theirs_count : cfg->tsr_count);
	return ini_request(sa, old ? INI_CHILD_REKEY : INI_CHILD_NEW, CREATE_CHILD_SA, &w);
}

static void refused(struct ini_sa *sa, enum ini_kind kind, struct ini_child *old, const struct notify_payload *error)
{
	struct ini *ini = sa->ini;

	ini->error = error->type;
	ini->refused[kind]++;
	if (!old)
		return;
	if (error->type == N_CHILD_SA_NOT_FOUND && !old->rekeyed) {
		ini_child_remove(ini, old); /* 2.25: the peer has lost it or never had it */
	} else if (error->type == N_INVALID_KE_PAYLOAD && error->data.n == 2 && dh_find(get_u16(error->data.p))) {
		old->group = get_u16(error->data.p);
		old->want_rekey = !old->rekeyed;
	} else if (error->type == N_TEMPORARY_FAILURE && !old->rekeyed) {
		/* 2.25: again after a while, if it is still there then. */
		old->want_rekey = true;
		old->retry_at = mtime_add(ini_now(ini), SECONDS(1) + (int64_t)rng_below(ini->env->rng, 2000000));
	}
}

/* The peer deletes it; should it have lost track of that, we do. */
static void replaced(struct ini *ini, struct ini_child *c)
{
	c->rekeyed = true;
	c->retry_at = MTIME_NEVER;
	c->gone_at = mtime_add(ini_now(ini), SECONDS(INI_REPLACED_S));
}

/* RFC 7296 2.8.1: which of the two new SAs is redundant, and who deletes what. */
static void settle(struct ini *ini, const struct ini_try *t, struct ini_child *old, struct ini_child *mine,
		   struct bytes peer_nonce)
{
	struct ini_child *theirs = t->collided ? ini_child_find_in(ini, t->peer_child) : NULL;

	if (t->collided)
		ini->collisions++;
	if (t->collided && theirs &&
	    ini_nonce_cmp(ini_nonce_min(bytes_of(t->nonce, sizeof(t->nonce)), peer_nonce), secret_bytes(&t->lowest)) <
		    0) {
		mine->rekeyed = mine->want_delete = true; /* ours is redundant; the peer deletes the old one */
		return;
	}
	if (theirs)
		replaced(ini, theirs);
	if (old)
		old->rekeyed = old->want_delete = true;
}

void ini_child_on_answer(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	enum ini_kind kind = sa->kind;
	struct ini_try *t = sa->try_;
	const struct notify_payload *error = msg_error(m);
	struct proposal_cfg plain[IKE_MAX_PROPOSALS];
	struct ini_child *old = t->old_spi ? ini_child_find_in(ini, t->old_spi) : NULL, *c;
	WIPED struct secret shared = { 0 };
	const char *why = "the answer lacks KE or nonce";
	bool fits = msg_has(m, PL_NONCE) && (t->dh || !msg_has(m, PL_KE));

	ini_answered(sa);
	if (error) {
		refused(sa, kind, old, error);
	} else {
		if (fits && msg_has(m, PL_KE))
			fits = m->ke.group == dh_alg_of(t->dh)->id &&
			       dh_shared(ini->env->crypto, t->dh, m->ke.data, &shared) == GW_OK;
		c = fits ? ini_child_accept(
				   sa, m, t->dh ? ini->cfg->esp : plain,
				   t->dh ? ini->cfg->esp_count : ini_offer_plain(ini->cfg, plain, ARRAY_LEN(plain)),
				   t->spi, secret_bytes(&shared), bytes_of(t->nonce, sizeof(t->nonce)), m->nonce, &why)
			 : NULL;
		if (c) {
			ini->done[kind]++;
			ini_cp_take(ini, m);
			if (kind == INI_CHILD_REKEY)
				settle(ini, t, old, c, m->nonce);
		} else {
			ini->reason = why;
			sa->want_delete = true;
		}
	}
	ini_try_destroy(sa);
}

static void answer(struct ini_sa *sa, const struct ike_msg *m, const struct chosen *chosen, const struct ini_child *c,
		   const uint8_t nonce[INI_NONCE], const struct dh_key *dh)
{
	struct transform t[5];
	uint8_t buf[INI_CHAIN], spi[4];
	struct msg_writer w;
	const struct ini_cfg *cfg = sa->ini->cfg;
	size_t mark;

	put_u32(spi, c->spi_in);
	chain_begin(&w, buf, sizeof(buf));
	mark = sa_begin(&w);
	proposal_write(&w, chosen->number, PROTO_ESP, bytes_of(spi, 4), t, chosen_transforms(chosen, t), false);
	sa_end(&w, mark);
	nonce_write(&w, bytes_of(nonce, INI_NONCE));
	if (dh)
		ke_write(&w, dh_alg_of(dh)->id, dh_public(dh));
	if (c->transport)
		notify_simple(&w, N_USE_TRANSPORT_MODE);
	if (c->fragments)
		notify_simple(&w, N_NON_FIRST_FRAGMENTS_ALSO);
	ts_write(&w, PL_TSI, m->tsi.s, m->tsi.count);
	/* One that does not know its own address says so again. */
	if (cfg->tsi_count == 1 && m->tsr.count == 1 && named(cfg->tsi, m->tsr.s))
		ts_write(&w, PL_TSR, cfg->tsi, 1);
	else
		ts_write(&w, PL_TSR, m->tsr.s, m->tsr.count);
	if (ini_respond(sa, CREATE_CHILD_SA, m->h.id, &w) != GW_OK)
		ini_fail(sa->ini, "an answer could not be built");
}

/* The peer rekeys what we are rekeying: remember its lowest nonce until our own answer comes. */
static void note_collision(struct ini_sa *sa, uint32_t old_spi, const struct ini_child *made, struct bytes lowest)
{
	struct ini_try *t = sa->try_;

	if (sa->kind != INI_CHILD_REKEY || !t || t->old_spi != old_spi)
		return;
	secret_clear(&t->lowest);
	t->collided = secret_copy(&t->lowest, lowest) == GW_OK;
	t->peer_child = made->spi_in;
}

static struct ini_child *rekey_made(struct ini_sa *sa, const struct ike_msg *m, struct ini_child *old)
{
	struct ini *ini = sa->ini;
	const struct ini_cfg *cfg = ini->cfg;
	WIPED struct secret shared = { 0 };
	struct dh_key *dh = NULL;
	struct ini_child *c = NULL;
	uint8_t nonce[INI_NONCE], group[2];
	struct chosen chosen;
	enum gw_err err = proposal_choose(&m->sa, PROTO_ESP, cfg->esp, cfg->esp_count,
					  msg_has(m, PL_KE) ? m->ke.group : 0, PROPOSAL_DH_OPTIONAL, &chosen, NULL);

	if (err == GW_EGROUP) {
		struct msg_writer w;
		uint8_t buf[64];

		put_u16(group, chosen.dh.id);
		chain_begin(&w, buf, sizeof(buf));
		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_INVALID_KE_PAYLOAD, bytes_of(group, 2));
		(void)!ini_respond(sa, CREATE_CHILD_SA, m->h.id, &w);
		return NULL;
	}
	if (err != GW_OK || chosen.spi.n != 4) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_NO_PROPOSAL_CHOSEN);
		return NULL;
	}
	if (cfg->one_pair && (m->tsi.count > 1 || m->tsr.count > 1)) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_SINGLE_PAIR_REQUIRED);
		return NULL;
	}
	/* The peer is the initiator of this exchange: its side is TSi. */
	if (!narrowed(&m->tsi, old->theirs, old->theirs_count) || !narrowed(&m->tsr, old->ours, old->ours_count)) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_TS_UNACCEPTABLE);
		return NULL;
	}
	if (rng_fill(ini->env->rng, nonce, sizeof(nonce)) == GW_OK &&
	    (chosen.dh.id == DH_NONE || (ini_dh_take(ini, chosen.dh.id, &dh) == GW_OK &&
					 dh_shared(ini->env->crypto, dh, m->ke.data, &shared) == GW_OK)))
		c = child_make(sa, &chosen, ini_child_spi(ini), secret_bytes(&shared), m->nonce,
			       bytes_of(nonce, sizeof(nonce)), false, &m->tsr, &m->tsi);
	if (c) {
		c->transport = old->transport && msg_notify(m, N_USE_TRANSPORT_MODE);
		c->fragments = msg_notify(m, N_NON_FIRST_FRAGMENTS_ALSO) != NULL;
		note_collision(sa, old->spi_in, c, ini_nonce_min(m->nonce, bytes_of(nonce, sizeof(nonce))));
		answer(sa, m, &chosen, c, nonce, dh);
	} else {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_INVALID_SYNTAX);
	}
	ini_dh_drop(ini, dh);
	return c;
}

void ini_child_on_request(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	const struct notify_payload *rekey = msg_notify(m, N_REKEY_SA);
	struct ini_sa *owner = NULL;
	struct ini_child *old;

	if (!rekey) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_NO_ADDITIONAL_SAS);
		return;
	}
	if (!msg_has(m, PL_NONCE) || !msg_has(m, PL_TSI) || !msg_has(m, PL_TSR) || rekey->spi.n != 4) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_INVALID_SYNTAX);
		return;
	}
	old = ini_child_find_out(ini, get_u32(rekey->spi.p), &owner);
	if (!old && (sa->kind == INI_CHILD_NEW || sa->kind == INI_CHILD_REKEY)) {
		/* It may be the one that we are waiting for: its answer was overtaken. */
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_TEMPORARY_FAILURE);
		return;
	}
	if (!old) {
		struct msg_writer w;
		uint8_t buf[64];

		chain_begin(&w, buf, sizeof(buf));
		notify_write(&w, PROTO_ESP, rekey->spi, N_CHILD_SA_NOT_FOUND, (struct bytes){ 0 });
		(void)!ini_respond(sa, CREATE_CHILD_SA, m->h.id, &w);
		return;
	}
	/* 2.25.1, 2.25.2: not while it is being closed, nor while the IKE SA is being rekeyed. */
	if (sa->state != INI_SA_UP || owner != sa || sa->kind == INI_IKE_REKEY || old->rekeyed || old->want_delete) {
		(void)!ini_respond_notify(sa, CREATE_CHILD_SA, m->h.id, N_TEMPORARY_FAILURE);
		return;
	}
	if (rekey_made(sa, m, old)) {
		ini->peer_rekeys++;
		old->want_rekey = false;
		/* The peer deletes it, unless our own rekey of it still wins. */
		replaced(ini, old);
	}
}
