/* Reads the "name = value" files beside it; their first lines tell what stands in them. For tests only: aborts when
 * wrong. */
#ifndef TESTS_VECTORS_VECTORS_H
#define TESTS_VECTORS_VECTORS_H

#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"

enum { VECTORS_MAX = 160 };

struct vectors {
	struct vector {
		char *name, *text;  /* owned */
		struct bytes bytes; /* owned; empty when the text is not hex */
	} v[VECTORS_MAX];
	size_t n;
};

static inline void vectors_fail(const char *what, const char *name)
{
	fprintf(stderr, "test vectors: %s: %s\n", what, name);
	abort();
}

/* Owned by the caller; NULL when it is not hex. */
static inline uint8_t *vectors_unhex(const char *text, size_t *n)
{
	size_t digits = strlen(text);
	uint8_t *out;

	if (digits % 2 != 0 || strspn(text, "0123456789abcdef") != digits)
		return NULL;
	*n = digits / 2;
	out = malloc(*n > 0 ? *n : 1);
	if (!out)
		vectors_fail("out of memory", text);
	for (size_t i = 0; i < *n; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return out;
}

static inline void vectors_load(struct vectors *out, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;

	memset(out, 0, sizeof(*out));
	if (!f)
		vectors_fail("cannot open", path);
	while (getline(&line, &cap, f) > 0) {
		struct vector *v = &out->v[out->n];
		char *mid = strstr(line, " = ");

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (!mid || out->n == VECTORS_MAX)
			vectors_fail("cannot read", line);
		v->name = strndup(line, (size_t)(mid - line));
		v->text = strdup(mid + 3);
		if (!v->name || !v->text)
			vectors_fail("out of memory", line);
		v->bytes.p = vectors_unhex(v->text, &v->bytes.n);
		out->n++;
	}
	free(line);
	fclose(f);
}

static inline void vectors_free(struct vectors *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].text);
		free((void *)(uintptr_t)s->v[i].bytes.p);
	}
	s->n = 0;
}

/* NULL: no such line. */
static inline const struct vector *vectors_find(const struct vectors *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].name, name) == 0)
			return &s->v[i];
	}
	return NULL;
}

/* Borrowed from `s`; empty where there is no such line (no integrity key with an AEAD). */
static inline struct bytes vectors_bytes(const struct vectors *s, const char *name)
{
	const struct vector *v = vectors_find(s, name);

	return v ? v->bytes : (struct bytes){ 0 };
}

/* The same for a line that has to be there. */
static inline struct bytes vectors_need(const struct vectors *s, const char *name)
{
	const struct vector *v = vectors_find(s, name);

	if (!v || !v->bytes.p)
		vectors_fail("missing", name);
	return v->bytes;
}

#endif
