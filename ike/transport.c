#include "ike/transport.h"

#include "ike/engine.h"

static bool is_host(const struct selector *s)
{
	return addr_equal(&s->range.lo, &s->range.hi);
}

/* The one host that all selectors are of. */
static struct addr the_host(const struct selector *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_host(&s[i]) || !addr_equal(&s[i].range.lo, &s[0].range.lo))
			return (struct addr){ 0 };
	}
	return n > 0 ? s[0].range.lo : (struct addr){ 0 };
}

struct told_ends transport_told(const struct ike_sa *sa, const struct selector *tsi, size_t n_tsi,
				const struct selector *tsr, size_t n_tsr)
{
	struct told_ends t = { 0 };

	if (sa->peer_nat)
		t.theirs = the_host(tsi, n_tsi);
	if (sa->our_nat)
		t.ours = the_host(tsr, n_tsr);
	return t;
}

void transport_rename(struct selector *s, size_t n, const struct addr *from, const struct addr *to)
{
	for (size_t i = 0; i < n && from->family && to->family; i++) {
		if (is_host(&s[i]) && addr_equal(&s[i].range.lo, from))
			s[i].range.lo = s[i].range.hi = *to;
	}
}

bool transport_fits(const struct ike_sa *sa, const struct selector *ours, size_t n_ours, const struct selector *theirs,
		    size_t n_theirs)
{
	struct addr us = the_host(ours, n_ours), them = the_host(theirs, n_theirs);

	return addr_equal(&us, &sa->local.addr) && addr_equal(&them, &sa->remote.addr);
}
