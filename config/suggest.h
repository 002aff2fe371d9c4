/* "did you mean": the nearest of some words, when it is near enough to be a slip of the finger. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "core/bytes.h"

enum { SUGGEST_TEXT = 100 };

struct suggest {
	const char *word; /* what was written */
	const char *best; /* borrowed from who offered it */
	size_t distance;
};

void suggest_offer(struct suggest *s, const char *candidate);
/* "; did you mean `x`?" or "". */
const char *suggest_hint(const struct suggest *s, char buf[SUGGEST_TEXT]);

#endif
