#include "core/glob.h"

static uint8_t fold(uint8_t c, bool any_case)
{
	return any_case ? text_fold(c) : c;
}

bool text_same(struct bytes a, struct bytes b, bool any_case)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (fold(a.p[i], any_case) != fold(b.p[i], any_case))
			return false;
	}
	return true;
}

/* Going back to the last '*' only is enough, so the work is bounded by pattern times text. */
bool glob_matches(struct bytes pattern, struct bytes text, bool any_case)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_text = t;
		} else if (p < pattern.n && fold(pattern.p[p], any_case) == fold(text.p[t], any_case)) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
