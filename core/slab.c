#include "core/slab.h"

#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { WATCHED = 1 };
#else
enum { WATCHED = 0 };
#endif

enum { PIECE = 64 << 10 };

struct slab_free {
	struct slab_free *next;
};

struct slab_piece {
	struct slab_piece *next;
	uint8_t pad[SLAB_STEP - sizeof(struct slab_piece *)];
	uint8_t room[];
};

static size_t class_of(size_t n)
{
	return n > 0 ? (n - 1) / SLAB_STEP : 0;
}

static void *cut(struct slab *s, size_t n)
{
	void *object;

	if (s->left < n) {
		struct slab_piece *piece = malloc(PIECE);

		if (!piece)
			return NULL;
		piece->next = s->pieces;
		s->pieces = piece;
		s->at = piece->room;
		s->left = PIECE - sizeof(*piece);
	}
	object = s->at;
	s->at += n;
	s->left -= n;
	return object;
}

void *slab_get(struct slab *s, size_t n)
{
	size_t class = class_of(n);
	struct slab_free *f;
	void *object;

	if (WATCHED || n > SLAB_LARGEST)
		return calloc(1, n);
	f = s->free[class];
	if (f)
		s->free[class] = f->next;
	object = f ? f : cut(s, (class + 1) * SLAB_STEP);
	return object ? memset(object, 0, n) : NULL;
}

void slab_put(struct slab *s, void *object, size_t n)
{
	struct slab_free *f = object;

	if (WATCHED || n > SLAB_LARGEST) {
		free(object);
		return;
	}
	if (!f)
		return;
	f->next = s->free[class_of(n)];
	s->free[class_of(n)] = f;
}

void slab_clear(struct slab *s)
{
	while (s->pieces) {
		struct slab_piece *piece = s->pieces;

		s->pieces = piece->next;
		free(piece);
	}
	*s = (struct slab){ 0 };
}
