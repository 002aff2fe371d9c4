/* SAs and CHILD SAs as objects: making, finding, ending. */
#include "tests/initiator/ini.h"

#include <stdlib.h>

struct ini_sa *ini_sa_create(struct ini *ini)
{
	struct ini_sa *sa = calloc(1, sizeof(*sa));

	if (!sa)
		return NULL;
	sa->ini = ini;
	sa->retransmit_at = sa->retry_at = sa->gone_at = MTIME_NEVER;
	sa->next = ini->sas;
	ini->sas = sa;
	return sa;
}

static void child_destroy(struct ini_child *c)
{
	secret_clear(&c->in_keys);
	secret_clear(&c->out_keys);
	free(c->ours);
	free(c);
}

static void children_destroy(struct ini_sa *sa)
{
	struct ini_child *c;

	while ((c = sa->children) != NULL) {
		sa->children = c->next;
		child_destroy(c);
	}
}

struct ini_try *ini_try_create(struct ini_sa *sa)
{
	struct ini_try *t = calloc(1, sizeof(*t));

	if (t && rng_fill(sa->ini->env->rng, t->nonce, sizeof(t->nonce)) != GW_OK) {
		free(t);
		t = NULL;
	}
	ini_try_destroy(sa);
	sa->try_ = t;
	return t;
}

void ini_try_destroy(struct ini_sa *sa)
{
	if (!sa->try_)
		return;
	ini_dh_drop(sa->ini, sa->try_->dh);
	secret_clear(&sa->try_->lowest);
	free(sa->try_);
	sa->try_ = NULL;
}

void ini_opening_destroy(struct ini *ini)
{
	struct ini_opening *o = ini->opening;

	if (!o)
		return;
	ini_dh_drop(ini, o->dh);
	secret_clear(&o->nr);
	secret_clear(&o->cookie);
	secret_clear(&o->request);
	secret_clear(&o->response);
	secret_clear(&o->idr);
	secret_clear(&o->msk);
	secret_wipe(o, sizeof(*o));
	free(o);
	ini->opening = NULL;
}

/* Nobody may keep waiting for a candidate that is gone. */
static void forget_candidate(struct ini *ini, const struct ini_sa *gone)
{
	for (struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		if (sa->try_ && sa->try_->peer_sa == gone) {
			sa->try_->peer_sa = NULL;
			sa->try_->collided = false;
		}
}

void ini_sa_destroy(struct ini_sa *sa)
{
	struct ini_sa **at = &sa->ini->sas;

	while (*at && *at != sa)
		at = &(*at)->next;
	if (*at)
		*at = sa->next;
	forget_candidate(sa->ini, sa);
	children_destroy(sa);
	ini_try_destroy(sa);
	ike_keys_clear(&sa->keys);
	secret_clear(&sa->request);
	secret_clear(&sa->response);
	frags_clear(&sa->frags);
	free(sa);
}

void ini_sa_die(struct ini_sa *sa)
{
	forget_candidate(sa->ini, sa);
	ini_answered(sa);
	ini_try_destroy(sa);
	children_destroy(sa);
	sa->want_child = sa->want_delete = sa->want_probe = sa->want_rekey = false;
	sa->retry_at = MTIME_NEVER;
	sa->state = INI_SA_DEAD;
	sa->gone_at = mtime_add(ini_now(sa->ini), sa->ini->cfg->linger_us);
}

void ini_sa_move_children(struct ini_sa *to, struct ini_sa *from)
{
	struct ini_child **at = &to->children;

	while (*at)
		at = &(*at)->next;
	*at = from->children;
	from->children = NULL;
}

struct ini_child *ini_child_find_in(const struct ini *ini, uint32_t spi_in)
{
	for (const struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		for (struct ini_child *c = sa->children; c; c = c->next)
			if (c->spi_in == spi_in)
				return c;
	return NULL;
}

struct ini_child *ini_child_find_out(const struct ini *ini, uint32_t spi_out, struct ini_sa **owner)
{
	for (struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		for (struct ini_child *c = sa->children; c; c = c->next)
			if (c->spi_out == spi_out) {
				*owner = sa;
				return c;
			}
	return NULL;
}

void ini_child_remove(struct ini *ini, struct ini_child *child)
{
	for (struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		for (struct ini_child **at = &sa->children; *at; at = &(*at)->next)
			if (*at == child) {
				*at = child->next;
				child_destroy(child);
				return;
			}
}

uint32_t ini_child_spi(struct ini *ini)
{
	uint32_t spi;

	/* RFC 4303 2.1: 1..255 are reserved. */
	do {
		if (rng_fill(ini->env->rng, &spi, sizeof(spi)) != GW_OK)
			return 0;
	} while (spi < 256 || ini_child_find_in(ini, spi));
	return spi;
}

enum gw_err ini_dh_take(struct ini *ini, uint16_t group, struct dh_key **out)
{
	const struct dh_alg *alg = dh_find(group);

	*out = NULL;
	if (!alg)
		return GW_EUNSUPPORTED;
	if (ini->cfg->shared_dh && dh_alg_of(ini->cfg->shared_dh) == alg) {
		*out = ini->cfg->shared_dh;
		return GW_OK;
	}
	return dh_generate(ini->env->crypto, alg, out);
}

void ini_dh_drop(const struct ini *ini, struct dh_key *k)
{
	if (k != ini->cfg->shared_dh)
		dh_destroy(k);
}

void ini_fail(struct ini *ini, const char *reason)
{
	while (ini->sas)
		ini_sa_destroy(ini->sas);
	ini_opening_destroy(ini);
	ini->failed = true;
	ini->reason = reason;
}

/* RFC 7296 2.8.1: compared octet by octet, not by length. */
int ini_nonce_cmp(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

struct bytes ini_nonce_min(struct bytes a, struct bytes b)
{
	return ini_nonce_cmp(a, b) <= 0 ? a : b;
}
