#include "ike/ts.h"

#include <stdio.h>

/* Adds `s` unless it is covered; drops what it covers. False: no room. */
static bool add(struct selector *out, size_t *n, size_t max, const struct selector *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (selector_contains(&out[i], s))
			return true;
	}
	for (size_t i = 0; i < *n; i++) {
		if (!selector_contains(s, &out[i]))
			out[kept++] = out[i];
	}
	*n = kept;
	if (kept == max)
		return false;
	out[(*n)++] = *s;
	return true;
}

/*
 * RFC 7296 2.9: the first selector may be the packet that triggered the request, and what is agreed on should cover it
 * even when not all can be kept. So what overlaps with it goes first; where it is no such packet, that is at least what
 * the peer named first.
 */
size_t ts_narrow(const struct selector *offer, size_t offers, const struct selector *ours, size_t count,
		 struct selector *out, size_t max)
{
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < offers; i++) {
			for (size_t k = 0; k < count; k++) {
				struct selector common, unused;

				if (!selector_intersect(&offer[i], &ours[k], &common))
					continue;
				if (selector_intersect(&common, &offer[0], &unused) != (pass == 0))
					continue;
				(void)add(out, &n, max, &common); /* no room: narrowed further, which is our right */
			}
		}
	}
	return n;
}

static bool matches(const struct selector *a, const struct selector *b)
{
	return a->range.lo.family == b->range.lo.family && (a->proto == b->proto || a->proto == 0 || b->proto == 0);
}

size_t ts_keep_matched(struct selector *s, size_t n, const struct selector *other, size_t others)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < others && !matches(&s[i], &other[k]))
			k++;
		if (k < others)
			s[kept++] = s[i];
	}
	return kept;
}

static bool has(const struct selector *s, size_t n, const struct selector *one)
{
	for (size_t i = 0; i < n; i++) {
		if (selector_equal(&s[i], one))
			return true;
	}
	return false;
}

bool ts_same(const struct selector *a, size_t na, const struct selector *b, size_t nb)
{
	for (size_t i = 0; i < na; i++) {
		if (!has(b, nb, &a[i]))
			return false;
	}
	for (size_t i = 0; i < nb; i++) {
		if (!has(a, na, &b[i]))
			return false;
	}
	return true;
}

const char *ts_text(const struct selector *s, size_t n, char *buf, size_t len)
{
	enum { CUT = 4 }; /* room for "..." and the NUL */
	struct writer w = wr_of(buf, len > CUT ? len - CUT : 0);
	char one[SELECTOR_TEXT];

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			wr_bytes(&w, bytes_str(", "));
		wr_bytes(&w, bytes_str(selector_text(&s[i], one)));
	}
	if (len > 0)
		(void)snprintf(buf + w.n, len - w.n, "%s", w.bad ? "..." : "");
	return buf;
}
