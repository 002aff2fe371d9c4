/* Newcomers by source and in all: what they may have open, and when they must show first that they can receive. */
#include <stdlib.h>
#include <utlist.h>

#include "ike/engine.h"

#define WINDOW_US SECONDS(10)

/* ---- by source ---- */

static struct addr source_of(const struct addr *from)
{
	struct addr a = *from;

	/* A host can have any address of its /64 at will. */
	if (a.family == 6)
		memset(a.b + 8, 0, 8);
	return a;
}

static struct source *find(const struct ike *ike, const struct addr *a)
{
	struct source *s;

	HASH_FIND_BYHASHVALUE(hh, ike->sources, a, sizeof(*a), table_hash(&ike->seed, a, sizeof(*a)), s);
	return s;
}

enum gw_err source_take(struct ike *ike, const struct addr *from)
{
	struct addr a = source_of(from);
	struct source *s = find(ike, &a);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return GW_ENOMEM;
		s->from = a;
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, ike->sources, &s->from, sizeof(s->from),
					    table_hash(&ike->seed, &a, sizeof(a)), s);
		if (!s->hh.tbl) {
			free(s);
			return GW_ENOMEM;
		}
	}
	if (s->count >= ike->settings->ike.half_open_per_source)
		return GW_ELIMIT;
	s->count++;
	return GW_OK;
}

void source_release(struct ike *ike, const struct addr *from)
{
	struct addr a = source_of(from);
	struct source *s = find(ike, &a);

	if (s && --s->count == 0) {
		HASH_DEL(ike->sources, s);
		free(s);
	}
}

/* ---- EAP-TLS ---- */

enum { STALLED_SECONDS = 2 }; /* without an end: then a newcomer of the same source is worth more */

static bool same_source(const struct half_open *h, const struct addr *a)
{
	struct addr from = source_of(&h->key.from);

	return addr_equal(&from, a);
}

static void shed(struct ike *ike, struct half_open *h)
{
	count_up(ike, tls_shed);
	sa_log(h->sa, LOG_LVL_INFO, "its EAP-TLS makes room for others: too many handshakes are under way");
	sa_close(h->sa, "too many handshakes of EAP-TLS", false);
}

static bool source_has_room(struct ike *ike, const struct source *s)
{
	struct half_open *h = ike->tls;

	if (s->tls < IKE_TLS_PER_SOURCE)
		return true;
	while (h && !same_source(h, &s->from))
		h = h->tls_next;
	if (!h || mtime_since(h->tls_since, ike_now(ike)) < SECONDS(STALLED_SECONDS))
		return false;
	shed(ike, h);
	return true;
}

bool tls_admit(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct half_open *h = sa->half;
	struct addr a = source_of(&h->key.from);
	struct source *s = find(ike, &a);

	if (h->tls_in)
		return true;
	if (!s || !source_has_room(ike, s)) {
		count_up(ike, tls_refused);
		return false;
	}
	if (ike->tls_count >= IKE_TLS_MAX)
		shed(ike, ike->tls);
	h->tls_in = true;
	h->tls_since = ike_now(ike);
	DL_APPEND2(ike->tls, h, tls_prev, tls_next);
	ike->tls_count++;
	s->tls++;
	return true;
}

void tls_leave(struct ike *ike, struct half_open *h)
{
	struct addr a = source_of(&h->key.from);
	struct source *s = find(ike, &a);

	if (!h->tls_in)
		return;
	h->tls_in = false;
	DL_DELETE2(ike->tls, h, tls_prev, tls_next);
	ike->tls_count--;
	if (s)
		s->tls--;
}

/* ---- cookies ---- */

static void roll(struct ike *ike)
{
	struct pressure *p = &ike->pressure;
	int64_t age = mtime_since(p->window, ike_now(ike));

	if (age < WINDOW_US)
		return;
	p->expired_before = age < 2 * WINDOW_US ? p->expired : 0;
	p->expired = 0;
	p->window = ike_now(ike);
}

void pressure_expired(struct ike *ike)
{
	roll(ike);
	ike->pressure.expired++;
}

bool pressure_wants_cookies(struct ike *ike, const struct addr *from)
{
	const struct ike_cfg *cfg = &ike->settings->ike;
	struct pressure *p = &ike->pressure;
	struct addr a = source_of(from);
	const struct source *s = find(ike, &a);
	uint32_t share = cfg->half_open_per_source / 4;

	roll(ike);
	if (ike->half_open >= cfg->cookie_threshold || p->expired + p->expired_before >= cfg->cookie_threshold)
		p->on = true;
	else if (ike->half_open <= cfg->cookie_threshold / 2)
		p->on = false;
	return p->on || (s && share > 0 && s->count >= share);
}
