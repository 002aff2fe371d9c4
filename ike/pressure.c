/* Newcomers by source and in all: what they may have open, and when they must show first that they can receive. */
#include <stdlib.h>

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
