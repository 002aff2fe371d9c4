/* Collisions are decided by pure functions of the nonces (RFC 7296 2.8.1, 2.8.2). */
#include "ike/engine.h"

/* Lexicographic on octets, the shorter one first where one is the beginning of the other. */
static int nonce_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (d != 0)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

struct bytes collide_lowest(struct bytes a, struct bytes b)
{
	return nonce_cmp(a, b) <= 0 ? a : b;
}

bool collide_loses(struct bytes a1, struct bytes a2, struct bytes b1, struct bytes b2)
{
	return nonce_cmp(collide_lowest(a1, a2), collide_lowest(b1, b2)) < 0;
}
