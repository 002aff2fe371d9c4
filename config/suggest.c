#include "config/suggest.h"

#include <stdio.h>

enum { WORD_MAX = 48 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits from one to the other: inserted, lost, changed and swapped characters. Both shorter than WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	size_t rows[3][WORD_MAX + 1];
	size_t *two = rows[0], *one = rows[1], *now = rows[2];

	for (size_t j = 0; j <= nb; j++)
		one[j] = two[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *reuse = two;

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = min3(one[j] + 1, now[j - 1] + 1, one[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < now[j])
				now[j] = two[j - 2] + 1;
		}
		two = one;
		one = now;
		now = reuse;
	}
	return one[nb];
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t n = strlen(s->word), allowed = n < 6 ? 1 : n < 9 ? 2 : 3, d;

	if (n == 0 || n >= WORD_MAX || strlen(candidate) >= WORD_MAX)
		return;
	d = distance(s->word, candidate);
	/* Nothing in common but the length is no hint. */
	if (d > allowed || d >= n || (s->best && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}

const char *suggest_hint(const struct suggest *s, char buf[SUGGEST_TEXT])
{
	buf[0] = 0;
	if (s->best)
		(void)snprintf(buf, SUGGEST_TEXT, "; did you mean `%s`?", s->best);
	return buf;
}
