#include "ike/revoke.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/crypto/crl.h"
#include "ike/cert_path.h"

enum { REFRESH_S = 3600, REFRESH_LEAST_S = 60, RETRY_S = 30, GIVE_UP_S = 30, LOOK_MAX = 2000 };

/* One place of one authority. */
struct place {
	char *authority, *location;	 /* owned */
	const struct authority_cfg *cfg; /* of the settings in force */
	struct crl *crl;		 /* owned; NULL: none yet */
	mtime fetch_at;
	bool wanted;   /* the caller is to be asked */
	bool fetching; /* was asked */
	bool tried;    /* at least one answer came */
	uint32_t failures;
	uint64_t token;
};

struct revoke {
	struct settings *settings; /* owned reference: `cfg` points into it */
	struct place *sources;
	size_t count;
	uint64_t token;
	bool looking;	/* live SAs are being looked through */
	uint32_t after; /* from this one on */
};

/* ---- places ---- */

static void place_clear(struct place *s)
{
	crl_destroy(s->crl);
	free(s->authority);
	free(s->location);
}

static struct place *find(const struct revoke *r, const char *authority, const char *location)
{
	for (size_t i = 0; r && i < r->count; i++) {
		if (strcmp(r->sources[i].authority, authority) == 0 && strcmp(r->sources[i].location, location) == 0)
			return &r->sources[i];
	}
	return NULL;
}

static struct revoke *build(struct settings *settings, mtime now)
{
	struct revoke *r = calloc(1, sizeof(*r));
	size_t n = 0;

	for (size_t i = 0; i < settings->authority_count; i++)
		n += settings->authorities[i].crl_count;
	if (!r)
		return NULL;
	r->settings = settings_ref(settings);
	r->sources = calloc(n + 1, sizeof(*r->sources));
	for (size_t i = 0; r->sources && i < settings->authority_count; i++) {
		const struct authority_cfg *a = &settings->authorities[i];

		for (size_t k = 0; a->revocation != REVOCATION_OFF && k < a->crl_count; k++) {
			struct place *s = &r->sources[r->count++];

			s->cfg = a;
			s->fetch_at = now;
			s->authority = strdup(a->name);
			s->location = strdup(a->crls[k]);
			if (!s->authority || !s->location) {
				revoke_destroy(r);
				return NULL;
			}
		}
	}
	if (r->sources)
		return r;
	revoke_destroy(r);
	return NULL;
}

enum gw_err revoke_configure(struct revoke **at, struct settings *settings, mtime now)
{
	struct revoke *old = *at, *r = build(settings, now);

	if (!r)
		return GW_ENOMEM;
	for (size_t i = 0; i < r->count; i++) {
		struct place *s = &r->sources[i], *was = find(old, s->authority, s->location);

		if (!was)
			continue;
		s->crl = was->crl;
		s->tried = was->tried;
		was->crl = NULL;
	}
	r->token = old ? old->token : 0; /* answers to the old one's questions are nobody's */
	revoke_destroy(old);
	*at = r;
	return GW_OK;
}

void revoke_destroy(struct revoke *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		place_clear(&r->sources[i]);
	free(r->sources);
	settings_unref(r->settings);
	free(r);
}

/* ---- asking ---- */

static enum revoke_answer ask_one(const struct revoke *r, const char *authority, struct bytes issuer,
				  struct bytes serial, int64_t wall, struct err *e)
{
	enum revoke_answer answer = REVOKE_UNKNOWN;
	bool pending = false;

	(void)err_set(e, GW_ENOTFOUND, "there is no list of revoked certificates of its issuer (authority %s)",
		      authority);
	for (size_t i = 0; i < r->count; i++) {
		const struct place *s = &r->sources[i];

		if (strcmp(s->authority, authority) != 0)
			continue;
		pending |= !s->tried || (s->fetching && s->failures == 0);
		if (!s->crl || !bytes_equal(crl_issuer(s->crl), issuer))
			continue;
		/* Once revoked it stays so, whether or not the list is still in force. */
		if (crl_has(s->crl, serial)) {
			(void)err_set(e, GW_EAUTH, "its certificate is revoked (%.80s)", s->location);
			return REVOKE_BAD;
		}
		if (wall <= crl_next(s->crl))
			answer = REVOKE_GOOD;
		else
			(void)err_set(e, GW_ENOTFOUND,
				      "the list of revoked certificates %.80s is not in force any more", s->location);
	}
	return answer == REVOKE_UNKNOWN && pending ? REVOKE_WAIT : answer;
}

enum revoke_answer revoke_ask(const struct revoke *r, struct bytes path, int64_t wall, struct err *e)
{
	struct reader at = cert_path_first(path);
	const char *authority = cert_path_authority(path);
	enum revoke_answer all = REVOKE_GOOD;
	struct bytes issuer, serial;
	struct err one = { 0 };

	while (cert_path_next(&at, &issuer, &serial)) {
		enum revoke_answer a = ask_one(r, authority, issuer, serial, wall, &one);

		if (a == REVOKE_BAD) {
			*e = one;
			return a;
		}
		if (a == REVOKE_WAIT || (a == REVOKE_UNKNOWN && all == REVOKE_GOOD)) {
			all = a;
			*e = one;
		}
	}
	return all;
}

static const struct authority_cfg *authority_of(const struct settings *s, struct bytes path)
{
	for (size_t i = 0; i < s->authority_count; i++) {
		if (strcmp(s->authorities[i].name, cert_path_authority(path)) == 0)
			return &s->authorities[i];
	}
	return NULL;
}

enum auth_verdict revoke_judge(struct ike_sa *sa, const struct id_payload *who)
{
	const struct env *env = sa->ike->env;
	struct bytes path = secret_bytes(&sa->cert_path);
	const struct authority_cfg *a = path.n > 0 ? authority_of(sa->settings, path) : NULL;
	struct err e = { 0 };

	sa->half->waits = false;
	if (!a || a->revocation == REVOCATION_OFF || !sa->ike->revoke)
		return AUTH_ACCEPTED;
	switch (revoke_ask(sa->ike->revoke, path, env->clock->wall(env->clock), &e)) {
	case REVOKE_GOOD:
		return AUTH_ACCEPTED;
	case REVOKE_BAD:
		return auth_refuse(sa, CNT_auth_failed_revoked, who, "%s", e.text);
	case REVOKE_WAIT:
		if (a->revocation == REVOCATION_STRICT) {
			sa_log(sa, LOG_LVL_DEBUG, "waits for a list of revoked certificates");
			sa->half->waits = true;
			sa->half->expires = mtime_add(ike_now(sa->ike), SECONDS(GIVE_UP_S));
			return AUTH_WAITING;
		}
		break;
	case REVOKE_UNKNOWN:
		if (a->revocation == REVOCATION_STRICT)
			return auth_refuse(sa, CNT_auth_failed_revoked, who, "%s, and authority %s is strict", e.text,
					   a->name);
		break;
	}
	sa_log(sa, LOG_LVL_INFO, "%s: let in all the same (revocation: soft)", e.text);
	return AUTH_ACCEPTED;
}

/* ---- time ---- */

mtime revoke_due(const struct revoke *r)
{
	mtime due = MTIME_NEVER;

	for (size_t i = 0; r && i < r->count; i++) {
		if (!r->sources[i].fetching && !r->sources[i].wanted)
			due = mtime_min(due, r->sources[i].fetch_at);
	}
	return r && r->looking ? (mtime){ 0 } : due;
}

/* Ends what stands on a certificate that is revoked now, some at a time. */
static void look_through(struct ike *ike)
{
	struct revoke *r = ike->revoke;
	int64_t wall = ike->env->clock->wall(ike->env->clock);

	for (size_t n = 0; n < LOOK_MAX; n++) {
		struct ike_sa *sa = (struct ike_sa *)(uintptr_t)ike_next(ike, &r->after);
		struct err e = { 0 };

		if (!sa) {
			r->looking = false;
			return;
		}
		if (sa->state != IKE_UP || sa->cert_path.n == 0 || sa->want_delete)
			continue;
		if (revoke_ask(r, secret_bytes(&sa->cert_path), wall, &e) == REVOKE_BAD) {
			sa_log(sa, LOG_LVL_NOTICE, "ended: %s", e.text);
			count_up(ike, sas_revoked);
			sa_terminate(sa, "its certificate was revoked");
		}
	}
}

void revoke_tick(struct ike *ike)
{
	struct revoke *r = ike->revoke;
	mtime now = ike_now(ike);

	for (size_t i = 0; r && i < r->count; i++) {
		struct place *s = &r->sources[i];

		if (!s->fetching && mtime_reached(s->fetch_at, now))
			s->wanted = true;
	}
	if (r && r->looking)
		look_through(ike);
}

/* ---- fetching ---- */

bool ike_take_fetch(struct ike *ike, struct ike_fetch *out)
{
	struct revoke *r = ike->revoke;

	for (size_t i = 0; r && i < r->count; i++) {
		struct place *s = &r->sources[i];

		if (!s->wanted)
			continue;
		s->wanted = false;
		s->fetching = true;
		s->token = ++r->token;
		*out = (struct ike_fetch){ s->token, s->location };
		return true;
	}
	return false;
}

static void wake_one(struct ike *ike, struct ike_sa *sa)
{
	struct ike_msg *first = &ike->msg;

	if (!sa || !sa->half || !sa->half->waits || !sa->peer_x || auth_recall(sa, first) != GW_OK)
		return;
	x_auth_resume(sa, revoke_judge(sa, &first->idi));
	if (sa->state != IKE_DEAD)
		sa_reschedule(sa);
}

/*
 * Those that waited are asked about again: the answer may still be to wait, for another list. By SPI, since one that
 * gets in may end others.
 */
static void wake(struct ike *ike)
{
	size_t count = HASH_CNT(by_init, ike->by_init), n = 0;
	uint64_t *spis = calloc(count + 1, sizeof(*spis));
	struct half_open *h, *next;

	HASH_ITER (by_init, ike->by_init, h, next) {
		if (spis && h->waits)
			spis[n++] = ike_sa_local_spi(h->sa);
	}
	for (size_t i = 0; i < n; i++)
		wake_one(ike, ike_find(ike, spis[i]));
	free(spis);
}

/* Some time before the list ends, and not too often. */
static int64_t next_fetch_s(const struct crl *crl, int64_t wall)
{
	int64_t left = crl_next(crl) == INT64_MAX ? REFRESH_S : (crl_next(crl) - wall) / 4 * 3;

	return left < REFRESH_LEAST_S ? REFRESH_LEAST_S : left > REFRESH_S ? REFRESH_S : left;
}

static void failed(struct ike *ike, struct place *s, const char *why)
{
	uint32_t doubled = s->failures < 6 ? s->failures : 6;

	s->failures++;
	s->fetch_at = mtime_add(ike_now(ike), SECONDS((int64_t)RETRY_S << doubled));
	count_up(ike, lists_failed);
	log_line(ike->env->log, LOG_LVL_WARN, NULL, "list of revoked certificates %s of authority %s: %s", s->location,
		 s->authority, why);
}

static void fetched(struct ike *ike, struct place *s, struct bytes data)
{
	int64_t wall = ike->env->clock->wall(ike->env->clock);
	struct crl *crl = NULL;
	struct err e = { 0 };

	if (crl_create(ike->env->crypto, s->cfg->trust, data, &crl, &e) != GW_OK) {
		failed(ike, s, e.text);
		return;
	}
	s->fetch_at = mtime_add(ike_now(ike), SECONDS(next_fetch_s(crl, wall)));
	s->failures = 0;
	count_up(ike, lists_fetched);
	/* An old list again, by mistake or by malice, takes nothing back (of the same issuer). */
	if (s->crl && bytes_equal(crl_issuer(s->crl), crl_issuer(crl)) && crl_made(crl) < crl_made(s->crl)) {
		crl_destroy(crl);
		failed(ike, s, "is older than the one that we have");
		return;
	}
	if (crl_next(crl) < wall)
		log_line(ike->env->log, LOG_LVL_WARN, NULL,
			 "list of revoked certificates %s of authority %s: is not in force any more", s->location,
			 s->authority);
	log_line(ike->env->log, LOG_LVL_INFO, NULL, "list of revoked certificates %s of authority %s: %zu entries",
		 s->location, s->authority, crl_count(crl));
	crl_destroy(s->crl);
	s->crl = crl;
	ike->revoke->looking = true;
	ike->revoke->after = 0;
}

void ike_fetched(struct ike *ike, uint64_t token, enum gw_err result, struct bytes data, const char *text)
{
	struct revoke *r = ike->revoke;

	for (size_t i = 0; r && i < r->count; i++) {
		struct place *s = &r->sources[i];

		if (!s->fetching || s->token != token)
			continue;
		s->fetching = false;
		s->tried = true;
		if (result == GW_OK)
			fetched(ike, s, data);
		else
			failed(ike, s, text && *text ? text : gw_err_text(result));
		if (!ike->passive)
			wake(ike);
		return;
	}
}
