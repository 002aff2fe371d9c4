#include "ike/disagree.h"

#include <stdio.h>

/* What one side says of one kind, each algorithm once. More than fits is not looked at: it is for a log line. */
struct kind {
	struct transform t[48];
	size_t n;
};

static bool kind_has(const struct kind *k, const struct transform *t)
{
	for (size_t i = 0; i < k->n; i++) {
		if (k->t[i].id == t->id && k->t[i].key_bits == t->key_bits)
			return true;
	}
	return false;
}

static void kind_add(struct kind *k, const struct transform *t)
{
	if (k->n < ARRAY_LEN(k->t) && !kind_has(k, t))
		k->t[k->n++] = *t;
}

/* One proposal's; where it has none of the kind, that may have a meaning of its own (RFC 7296 3.3.3, 3.3.6). */
static void collect(struct kind *k, uint8_t type, const struct transform *t, size_t n)
{
	const struct transform absent = { .type = type }; /* no group; no extended sequence numbers */
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (t[i].type != type)
			continue;
		any = true;
		if (type != TR_INTEG || t[i].id != INTEG_NONE)
			kind_add(k, &t[i]);
	}
	if (!any && (type == TR_DH || type == TR_ESN))
		kind_add(k, &absent);
}

static void collect_all(uint8_t type, const struct sa_payload *offer, uint8_t protocol,
			const struct proposal_cfg *const *ours, size_t count, struct kind *theirs, struct kind *own)
{
	theirs->n = own->n = 0;
	for (size_t i = 0; i < offer->count; i++) {
		if (offer->p[i].protocol == protocol)
			collect(theirs, type, offer->t + offer->p[i].first, offer->p[i].count);
	}
	for (size_t i = 0; i < count; i++)
		collect(own, type, ours[i]->t, ours[i]->n);
}

static bool share(const struct kind *a, const struct kind *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (kind_has(a, &b->t[i]))
			return true;
	}
	return false;
}

/* A cipher that both have and that wants no integrity algorithm beside it. */
static bool share_aead(const struct kind *a, const struct kind *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct encr_alg *e = encr_find(b->t[i].id);

		if (e && e->aead && kind_has(a, &b->t[i]))
			return true;
	}
	return false;
}

static void write_kind(struct writer *w, const struct kind *k)
{
	char text[TRANSFORM_TEXT];

	for (size_t i = 0; i < k->n; i++) {
		bool none = k->t[i].type == TR_DH && k->t[i].id == DH_NONE;

		wr_bytes(w, bytes_str(i > 0 ? ", " : ""));
		wr_bytes(w, bytes_str(none ? "none" : transform_text(&k->t[i], text)));
	}
	if (k->n == 0)
		wr_bytes(w, bytes_str("none"));
}

/* Each side has its half of the room: a long offer does not push out what is configured. */
static const char *half(const struct kind *k, char *buf, size_t n)
{
	struct writer w = wr_of(buf, n - 4);

	write_kind(&w, k);
	(void)snprintf(buf + w.n, n - w.n, "%s", w.bad ? "..." : "");
	return buf;
}

const char *disagreement(const struct sa_payload *offer, uint8_t protocol, const struct proposal_cfg *const *ours,
			 size_t count, enum proposal_dh dh, char buf[DISAGREEMENT_TEXT])
{
	static const struct {
		uint8_t type, protocol;
		const char *name;
	} kinds[] = {
		{ TR_ENCR, 0, "cipher" }, { TR_INTEG, 0, "integrity algorithm" }, { TR_PRF, PROTO_IKE, "PRF" },
		{ TR_DH, 0, "group" },	  { TR_ESN, PROTO_ESP, "ESN mode" },
	};
	struct kind theirs, own;
	char a[120], b[120];
	bool aead = false;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		uint8_t type = kinds[i].type;

		if ((kinds[i].protocol && kinds[i].protocol != protocol) || (type == TR_INTEG && aead) ||
		    (type == TR_DH && dh == PROPOSAL_DH_IGNORED))
			continue;
		collect_all(type, offer, protocol, ours, count, &theirs, &own);
		if (type == TR_DH && dh == PROPOSAL_DH_NEVER)
			own = (struct kind){ .t = { { .type = TR_DH } }, .n = 1 };
		if (type == TR_ENCR)
			aead = share_aead(&theirs, &own);
		if (share(&theirs, &own))
			continue;
		(void)snprintf(buf, DISAGREEMENT_TEXT, "no common %s: offered %s; configured %s", kinds[i].name,
			       half(&theirs, a, sizeof(a)), half(&own, b, sizeof(b)));
		return buf;
	}
	(void)snprintf(buf, DISAGREEMENT_TEXT, "of each kind something is common, but no two proposals have all of it");
	return buf;
}
