#include "core/chain.h"

#include <stdlib.h>

enum { SIZE_MIN = 32, CACHE_LINE = 64 };

static struct link **bucket(const struct chain *c, unsigned hash)
{
	return &c->buckets[hash & (c->size - 1)];
}

static void resize(struct chain *c, size_t size)
{
	struct chain bigger = { calloc(size, sizeof(struct link *)), size, c->count };

	if (!bigger.buckets)
		return;
	for (size_t i = 0; i < c->size; i++)
		for (struct link *l = c->buckets[i], *next; l; l = next) {
			struct link **at = bucket(&bigger, l->hash);

			next = l->next;
			l->next = *at;
			*at = l;
		}
	free(c->buckets);
	*c = bigger;
}

bool chain_add(struct chain *c, struct link *l, unsigned hash)
{
	struct link **at;

	if (c->count >= c->size)
		resize(c, c->size > 0 ? c->size * 2 : SIZE_MIN);
	if (c->size == 0)
		return false;
	at = bucket(c, hash);
	*l = (struct link){ *at, hash };
	*at = l;
	c->count++;
	return true;
}

static struct link **place_of(const struct chain *c, const struct link *l)
{
	struct link **at = bucket(c, l->hash);

	while (*at != l)
		at = &(*at)->next;
	return at;
}

void chain_remove(struct chain *c, struct link *l)
{
	*place_of(c, l) = l->next;
	l->next = NULL;
	c->count--;
}

void chain_replace(struct chain *c, struct link *old, struct link *fresh)
{
	*place_of(c, old) = fresh;
	*fresh = *old;
	old->next = NULL;
}

static struct link *same(struct link *l, unsigned hash)
{
	while (l && l->hash != hash)
		l = l->next;
	return l;
}

struct link *chain_first(const struct chain *c, unsigned hash)
{
	return c->size > 0 ? same(*bucket(c, hash), hash) : NULL;
}

struct link *chain_next(const struct link *l)
{
	return same(l->next, l->hash);
}

struct chain_hint chain_expect(const struct chain *c, unsigned hash)
{
	if (c->size > 0)
		__builtin_prefetch(bucket(c, hash), 1);
	return (struct chain_hint){ c, hash };
}

void chain_expect_entry(const struct chain_hint *h, size_t octets)
{
	const char *first = h->chain && h->chain->size > 0 ? (const char *)*bucket(h->chain, h->hash) : NULL;

	for (size_t at = 0; first && at < octets; at += CACHE_LINE)
		__builtin_prefetch(first + at, 1);
}

struct link *chain_pop(struct chain *c)
{
	/* From the end, which is cut off as it empties: so nothing is walked twice. */
	for (; c->size > 0 && c->count > 0; c->size--) {
		struct link **at = &c->buckets[c->size - 1], *l = *at;

		if (!l)
			continue;
		*at = l->next;
		c->count--;
		return l;
	}
	return NULL;
}

void chain_clear(struct chain *c)
{
	free(c->buckets);
	*c = (struct chain){ 0 };
}
