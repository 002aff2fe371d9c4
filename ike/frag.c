#include "ike/frag.h"

#include <stdlib.h>

struct frags {
	uint32_t id;
	uint16_t total;
	uint8_t first; /* what the inside begins with; known from fragment 1 on */
	uint64_t have; /* bit of each fragment, from 0 */
	size_t bytes;  /* of all parts */
	struct secret part[IKE_FRAG_MAX];
	struct secret whole; /* set when complete; the parts are gone then */
};

_Static_assert(IKE_FRAG_MAX <= 64, "a bit of `have` for each");

/* Forgets all fragments and expects a set of `total`. */
static void frags_restart(struct frags *f, uint32_t id, uint16_t total)
{
	for (size_t i = 0; i < IKE_FRAG_MAX; i++)
		secret_clear(&f->part[i]);
	secret_clear(&f->whole);
	*f = (struct frags){ .id = id, .total = total };
}

static bool frags_complete(const struct frags *f)
{
	return f->have == (f->total == 64 ? UINT64_MAX : (UINT64_C(1) << f->total) - 1);
}

/* Joins the parts. The last one has not been counted yet when memory is short, so that it can come again. */
static enum gw_err frags_join(struct frags *f)
{
	size_t at = 0;

	if (f->bytes > 0)
		TRY(secret_alloc(&f->whole, f->bytes));
	for (size_t i = 0; i < f->total; i++) {
		if (f->part[i].n > 0)
			memcpy(f->whole.p + at, f->part[i].p, f->part[i].n);
		at += f->part[i].n;
		secret_clear(&f->part[i]);
	}
	return GW_OK;
}

/* Whether a valid fragment belongs to what is under way; GW_PENDING: it starts over. */
static enum gw_err frags_judge(const struct frags *f, uint32_t id, const struct sk_inside *in)
{
	if (f->total == 0 || f->id != id)
		return GW_PENDING;
	/* RFC 7383 2.6: a smaller total is an old set, a larger one a newer, as long as we are not finished. */
	if (in->total < f->total || frags_complete(f))
		return GW_EREPLAY;
	if (in->total > f->total)
		return GW_PENDING;
	return f->have >> (in->fragment - 1) & 1 ? GW_EREPLAY : GW_OK;
}

enum gw_err frags_add(struct frags **f, uint32_t id, const struct sk_inside *in, uint8_t *first, struct bytes *chain)
{
	struct secret part = { 0 };
	enum gw_err rc = GW_PENDING;
	size_t index;

	if (in->fragment == 0 || in->fragment > in->total)
		return GW_EMALFORMED;
	if (in->total > IKE_FRAG_MAX)
		return GW_ELIMIT;
	if (*f)
		rc = frags_judge(*f, id, in);
	if (rc == GW_EREPLAY)
		return rc;
	if (in->chain.n > IKE_FRAG_MAX_BYTES || (rc == GW_OK && in->chain.n > IKE_FRAG_MAX_BYTES - (*f)->bytes))
		return GW_ELIMIT;

	/* All that can fail comes before anything is forgotten. */
	if (in->chain.n > 0)
		TRY(secret_copy(&part, in->chain));
	if (!*f) {
		*f = calloc(1, sizeof(**f));
		if (!*f) {
			secret_clear(&part);
			return GW_ENOMEM;
		}
	}
	if (rc == GW_PENDING)
		frags_restart(*f, id, in->total);

	index = in->fragment - 1U;
	secret_move(&(*f)->part[index], &part);
	(*f)->bytes += in->chain.n;
	(*f)->have |= UINT64_C(1) << index;
	if (in->fragment == 1)
		(*f)->first = in->first;
	if (!frags_complete(*f))
		return GW_PENDING;
	rc = frags_join(*f);
	if (rc) {
		secret_clear(&(*f)->part[index]);
		(*f)->bytes -= in->chain.n;
		(*f)->have &= ~(UINT64_C(1) << index);
		return rc;
	}
	*first = (*f)->first;
	*chain = secret_bytes(&(*f)->whole);
	return GW_OK;
}

size_t frags_held(const struct frags *f)
{
	return f ? f->bytes : 0;
}

void frags_clear(struct frags **f)
{
	if (!*f)
		return;
	frags_restart(*f, 0, 0);
	free(*f);
	*f = NULL;
}
