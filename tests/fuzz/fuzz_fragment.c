/*
 * A sequence of fragments: message id, fragment number, total (an octet each), length (two octets), content. A model
 * that only remembers where in the input the pieces stand tells what has to come out.
 */
#include <stdlib.h>

#include "ike/frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct model {
	bool started, done;
	uint8_t id, total, first;
	struct bytes part[256];
	bool have[256];
	size_t bytes, count;
};

/* What frags_add should say; the model is changed where the fragment is taken. */
static enum gw_err model_add(struct model *m, uint8_t id, const struct sk_inside *in)
{
	bool fresh = !m->started || id != m->id;

	if (in->fragment == 0 || in->fragment > in->total)
		return GW_EMALFORMED;
	if (in->total > IKE_FRAG_MAX)
		return GW_ELIMIT;
	if (!fresh && (m->done || in->total < m->total || (in->total == m->total && m->have[in->fragment])))
		return GW_EREPLAY;
	fresh = fresh || in->total > m->total;
	if (in->chain.n + (fresh ? 0 : m->bytes) > IKE_FRAG_MAX_BYTES)
		return GW_ELIMIT;
	if (fresh) {
		memset(m, 0, sizeof(*m));
		m->started = true;
		m->id = id;
		m->total = (uint8_t)in->total;
	}
	m->have[in->fragment] = true;
	m->part[in->fragment] = in->chain;
	m->bytes += in->chain.n;
	if (in->fragment == 1)
		m->first = in->first;
	m->done = ++m->count == m->total;
	return m->done ? GW_OK : GW_PENDING;
}

static void model_compare(const struct model *m, uint8_t first, struct bytes chain)
{
	struct reader r = rd_of(chain);

	must(first == m->first && chain.n == m->bytes && chain.n <= IKE_FRAG_MAX_BYTES);
	for (size_t i = 1; i <= m->total; i++)
		must(bytes_equal(rd_bytes(&r, m->part[i].n), m->part[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_of(bytes_of(data, size));
	static struct model m;
	struct frags *f = NULL;

	memset(&m, 0, sizeof(m));
	while (r.left > 0) {
		struct sk_inside in = { 0 };
		uint8_t id = rd_u8(&r), first = 0;
		struct bytes chain = { 0 };
		enum gw_err got;
		size_t n;

		in.fragment = rd_u8(&r);
		in.total = rd_u8(&r);
		n = rd_u16(&r);
		in.chain = rd_bytes(&r, n < r.left ? n : r.left);
		in.first = in.fragment == 1 ? PL_IDI : PL_NONE;
		if (r.bad)
			break;
		/* All ones in the id octet: the exchange is over. */
		if (id == 255) {
			frags_clear(&f);
			memset(&m, 0, sizeof(m));
			continue;
		}
		got = frags_add(&f, id, &in, &first, &chain);
		must(got == model_add(&m, id, &in));
		if (got == GW_OK)
			model_compare(&m, first, chain);
	}
	frags_clear(&f);
	return 0;
}
