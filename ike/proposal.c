#include "ike/proposal.h"

#include <stdio.h>

#include "ike/disagree.h"

/* Transforms of one side: a proposal of the peer's, or one of the configuration. */
struct set {
	const struct transform *t;
	size_t n;
};

static struct set set_of(const struct sa_payload *sa, const struct proposal *p)
{
	return (struct set){ sa->t + p->first, p->count };
}

static struct set set_of_cfg(const struct proposal_cfg *p)
{
	return (struct set){ p->t, p->n };
}

/* The key length is part of the name: AES without KEYLEN matches nothing (RFC 7296 3.3.5), nor does an unknown
 * attribute. */
static bool set_has(struct set s, uint8_t type, uint16_t id, uint16_t key_bits)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.t[i].type == type && s.t[i].id == id && s.t[i].key_bits == key_bits)
			return true;
	}
	return false;
}

static size_t set_count(struct set s, uint8_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.t[i].type == type;
	return n;
}

/* The first of ours that the peer has as well. Id 0 of INTEG and DH is "none": the callers decide about it. */
static bool pick(struct set ours, struct set peer, uint8_t type, struct transform *out)
{
	bool zero_is_none = type == TR_INTEG || type == TR_DH;

	for (size_t i = 0; i < ours.n; i++) {
		const struct transform *t = &ours.t[i];

		if (t->type != type || (zero_is_none && t->id == 0) || !set_has(peer, type, t->id, t->key_bits))
			continue;
		*out = *t;
		return true;
	}
	return false;
}

/*
 * RFC 7296 3.3: an AEAD goes with no integrity algorithm or NONE, anything else with one. A peer that puts both kinds
 * of ciphers into one proposal gets a pair that fits; encryption alone is never agreed on.
 */
static bool pick_cipher(struct set ours, struct set peer, struct chosen *c)
{
	for (size_t i = 0; i < ours.n; i++) {
		const struct transform *t = &ours.t[i];
		const struct encr_alg *a = t->type == TR_ENCR ? encr_find(t->id) : NULL;

		if (!a || !encr_key_ok(a, t->key_bits) || !set_has(peer, TR_ENCR, t->id, t->key_bits))
			continue;
		c->encr = *t;
		c->integ = (struct transform){ 0 };
		if (a->aead || pick(ours, peer, TR_INTEG, &c->integ))
			return true;
	}
	return false;
}

static bool allows_no_dh(struct set s)
{
	return set_count(s, TR_DH) == 0 || set_has(s, TR_DH, DH_NONE, 0);
}

static enum gw_err pick_dh(struct set ours, struct set peer, uint16_t ke_group, enum proposal_dh dh,
			   struct transform *out)
{
	bool none = dh == PROPOSAL_DH_OPTIONAL && allows_no_dh(ours) && allows_no_dh(peer);
	struct transform common;
	bool have_common;

	*out = (struct transform){ 0 };
	if (dh == PROPOSAL_DH_IGNORED)
		return GW_OK;
	if (dh == PROPOSAL_DH_NEVER)
		return allows_no_dh(peer) ? GW_OK : GW_EPROPOSAL;
	if (ke_group != DH_NONE && set_has(ours, TR_DH, ke_group, 0) && set_has(peer, TR_DH, ke_group, 0)) {
		*out = (struct transform){ .type = TR_DH, .id = ke_group };
		return GW_OK;
	}
	have_common = pick(ours, peer, TR_DH, &common);
	if (none && (ke_group == DH_NONE || !have_common))
		return GW_OK;
	if (!have_common)
		return GW_EPROPOSAL;
	*out = common;
	return GW_EGROUP;
}

/* Missing is tolerated as "no extended sequence numbers", and not answered then. */
static bool pick_esn(struct set ours, struct set peer, struct transform *out)
{
	static const struct transform no = { .type = TR_ESN, .id = ESN_NO };

	*out = (struct transform){ 0 };
	if (set_count(ours, TR_ESN) == 0)
		ours = (struct set){ &no, 1 };
	if (set_count(peer, TR_ESN) == 0)
		return set_has(ours, TR_ESN, ESN_NO, 0);
	return pick(ours, peer, TR_ESN, out);
}

static bool type_known(uint8_t protocol, uint8_t type)
{
	switch (type) {
	case TR_ENCR:
	case TR_INTEG:
	case TR_DH:
		return true;
	case TR_PRF:
		return protocol == PROTO_IKE;
	case TR_ESN:
		return protocol == PROTO_ESP;
	default:
		return false;
	}
}

/*
 * RFC 7296 3.3.6: a proposal with a transform type that we do not understand is not acceptable, unless NONE is among
 * its choices (additional key exchanges of RFC 9370 are offered that way).
 */
static bool types_acceptable(struct set peer, uint8_t protocol)
{
	for (size_t i = 0; i < peer.n; i++) {
		if (!type_known(protocol, peer.t[i].type) && !set_has(peer, peer.t[i].type, 0, 0))
			return false;
	}
	return true;
}

/* RFC 7296 3.3.1: the SPI has 4 octets for ESP, and 8 for IKE when rekeying, else none. */
static bool spi_acceptable(const struct proposal *p)
{
	return p->protocol == PROTO_ESP ? p->spi.n == 4 : p->spi.n == 0 || p->spi.n == 8;
}

/* GW_OK, GW_EGROUP (all but the KE payload fits), GW_EPROPOSAL. */
static enum gw_err match(struct set ours, const struct proposal *p, struct set peer, uint16_t ke_group,
			 enum proposal_dh dh, struct chosen *out)
{
	struct chosen c = { .number = p->number, .protocol = p->protocol, .spi = p->spi };
	enum gw_err rc;

	if (!spi_acceptable(p) || !types_acceptable(peer, p->protocol) || !pick_cipher(ours, peer, &c))
		return GW_EPROPOSAL;
	if (p->protocol == PROTO_IKE && !pick(ours, peer, TR_PRF, &c.prf))
		return GW_EPROPOSAL;
	if (p->protocol == PROTO_ESP && !pick_esn(ours, peer, &c.esn))
		return GW_EPROPOSAL;
	rc = pick_dh(ours, peer, ke_group, dh, &c.dh);
	if (rc == GW_OK || rc == GW_EGROUP)
		*out = c;
	return rc;
}

/* ---- text ---- */

enum { CUT = 4 }; /* room for "..." and the NUL */

static struct writer text_of(char *buf, size_t n)
{
	return wr_of(buf, n > CUT ? n - CUT : 0);
}

/* Pieces are written whole or not at all, so what is cut is cut between words. */
static const char *text_done(struct writer *w, char *buf, size_t n)
{
	if (n > 0)
		(void)snprintf(buf + w->n, n - w->n, "%s", w->bad ? "..." : "");
	return buf;
}

static uint16_t prf_of_integ(uint16_t integ)
{
	switch (integ) {
	case INTEG_HMAC_SHA1_96:
		return PRF_HMAC_SHA1;
	case INTEG_HMAC_SHA2_256_128:
		return PRF_HMAC_SHA2_256;
	case INTEG_HMAC_SHA2_384_192:
		return PRF_HMAC_SHA2_384;
	case INTEG_HMAC_SHA2_512_256:
		return PRF_HMAC_SHA2_512;
	default:
		return 0;
	}
}

/* As in the configuration, the PRF goes without saying when it uses the hash of the integrity algorithm. */
static bool prfs_implied(struct set s)
{
	for (size_t i = 0; i < s.n; i++) {
		const struct transform *t = &s.t[i];
		bool found = false;

		if (t->type == TR_INTEG && t->id != INTEG_NONE && !set_has(s, TR_PRF, prf_of_integ(t->id), 0))
			return false;
		if (t->type != TR_PRF)
			continue;
		for (size_t k = 0; k < s.n; k++)
			found |= s.t[k].type == TR_INTEG && prf_of_integ(s.t[k].id) == t->id;
		if (!found)
			return false;
	}
	return true;
}

static bool worth_saying(struct set s, const struct transform *t, bool implied)
{
	switch (t->type) {
	case TR_PRF:
		return !implied;
	case TR_INTEG:
		return t->id != INTEG_NONE;
	case TR_ESN:
		return t->id != ESN_NO || set_has(s, TR_ESN, ESN_YES, 0);
	default:
		return true;
	}
}

static int type_rank(uint8_t type)
{
	static const uint8_t order[] = { TR_ENCR, TR_INTEG, TR_PRF, TR_DH, TR_ESN };
	int i = 0;

	while (i < (int)ARRAY_LEN(order) && order[i] != type)
		i++;
	return i;
}

static void set_write(struct writer *w, struct set s)
{
	bool implied = prfs_implied(s), first = true;
	char buf[TRANSFORM_TEXT];

	for (int rank = 0; rank <= type_rank(0); rank++) {
		for (size_t i = 0; i < s.n; i++) {
			if (type_rank(s.t[i].type) != rank || !worth_saying(s, &s.t[i], implied))
				continue;
			if (!first)
				wr_u8(w, '-');
			if (s.t[i].type == TR_DH && s.t[i].id == DH_NONE)
				wr_bytes(w, bytes_str("none"));
			else
				wr_bytes(w, bytes_str(transform_text(&s.t[i], buf)));
			first = false;
		}
	}
}

static const char *cfg_text(const struct proposal_cfg *p, size_t count, char *buf, size_t n)
{
	struct writer w = text_of(buf, n);

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			wr_bytes(&w, bytes_str(", "));
		set_write(&w, set_of_cfg(&p[i]));
	}
	return text_done(&w, buf, n);
}

const char *offer_text(const struct sa_payload *offer, char *buf, size_t n)
{
	struct writer w = text_of(buf, n);

	for (size_t i = 0; i < offer->count; i++) {
		if (i > 0)
			wr_bytes(&w, bytes_str(", "));
		set_write(&w, set_of(offer, &offer->p[i]));
	}
	return text_done(&w, buf, n);
}

const char *chosen_text(const struct chosen *c, char buf[CHOSEN_TEXT])
{
	struct writer w = text_of(buf, CHOSEN_TEXT);
	struct transform t[5];

	set_write(&w, (struct set){ t, chosen_transforms(c, t) });
	return text_done(&w, buf, CHOSEN_TEXT);
}

/* ---- choice ---- */

enum { SIDE_TEXT = 200 };

static enum gw_err nothing_common(const struct sa_payload *sa, uint8_t protocol, const struct proposal_cfg *ours,
				  size_t count, enum proposal_dh dh, struct err *e)
{
	char theirs[SIDE_TEXT], configured[SIDE_TEXT], why[DISAGREEMENT_TEXT];
	const struct proposal_cfg *all[16];
	size_t n = 0;

	if (!e)
		return GW_EPROPOSAL;
	for (; n < count && n < ARRAY_LEN(all); n++)
		all[n] = &ours[n];
	return err_set(e, GW_EPROPOSAL, "%s (all that is offered: %s; configured: %s)",
		       disagreement(sa, protocol, all, n, dh, why), offer_text(sa, theirs, sizeof(theirs)),
		       cfg_text(ours, count, configured, sizeof(configured)));
}

enum gw_err proposal_choose(const struct sa_payload *offer, uint8_t protocol, const struct proposal_cfg *ours,
			    size_t count, uint16_t ke_group, enum proposal_dh dh, struct chosen *out, struct err *e)
{
	struct chosen other_group;
	bool have_other_group = false;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < offer->count; k++) {
			struct chosen c;
			enum gw_err rc;

			if (offer->p[k].protocol != protocol)
				continue;
			rc = match(set_of_cfg(&ours[i]), &offer->p[k], set_of(offer, &offer->p[k]), ke_group, dh, &c);
			if (rc == GW_OK) {
				*out = c;
				return GW_OK;
			}
			if (rc == GW_EGROUP && !have_other_group) {
				other_group = c;
				have_other_group = true;
			}
		}
		/*
		 * Our order of preference is worth a round trip in an IKE SA. In a rekeying it is not: what can be
		 * agreed on at once, be it without PFS where both sides allow that, is taken.
		 */
		if (have_other_group && dh == PROPOSAL_DH_REQUIRED)
			break;
	}
	if (!have_other_group)
		return nothing_common(offer, protocol, ours, count, dh, e);
	*out = other_group;
	return err_set(e, GW_EGROUP, "key exchange group %u is not what we want, but %u is", ke_group, out->dh.id);
}

/* RFC 7296 2.7, 3.3: an answer has exactly one proposal, with exactly one transform of each type. */
static bool is_answer(const struct sa_payload *answer, uint8_t protocol)
{
	struct set s;

	if (answer->count != 1 || answer->p[0].protocol != protocol)
		return false;
	s = set_of(answer, &answer->p[0]);
	for (size_t i = 0; i < s.n; i++) {
		if (set_count(s, s.t[i].type) != 1)
			return false;
	}
	return true;
}

enum gw_err proposal_answer(const struct sa_payload *answer, uint8_t protocol, const struct proposal_cfg *offered,
			    size_t count, struct chosen *out, struct err *e)
{
	enum proposal_dh dh = protocol == PROTO_IKE ? PROPOSAL_DH_REQUIRED : PROPOSAL_DH_OPTIONAL;
	uint16_t group = DH_NONE;
	struct set s;

	if (!is_answer(answer, protocol))
		return err_set(e, GW_EPROPOSAL, "the answer is not one choice out of our proposals");
	s = set_of(answer, &answer->p[0]);
	for (size_t i = 0; i < s.n; i++) {
		if (s.t[i].type == TR_DH)
			group = s.t[i].id;
	}
	/* The number is not compared: whatever it is, the algorithms are ones that we offered together. */
	for (size_t i = 0; i < count; i++) {
		struct chosen c;

		if (match(set_of_cfg(&offered[i]), &answer->p[0], s, group, dh, &c) != GW_OK)
			continue;
		/* What is excused in an offer, a MAC besides an AEAD, would be a wrong choice here. */
		if (c.integ.type == 0 && set_count(s, TR_INTEG) > 0 && !set_has(s, TR_INTEG, INTEG_NONE, 0))
			continue;
		*out = c;
		return GW_OK;
	}
	return nothing_common(answer, protocol, offered, count, dh, e);
}

size_t chosen_transforms(const struct chosen *c, struct transform t[5])
{
	const struct transform *const all[] = { &c->encr, &c->prf, &c->integ, &c->dh, &c->esn };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i]->type != 0)
			t[n++] = *all[i];
	}
	return n;
}

enum gw_err chosen_suite(const struct chosen *c, struct cipher_suite *out)
{
	struct cipher_suite s = { .encr = encr_find(c->encr.id), .key_bits = c->encr.key_bits };

	if (!s.encr || !encr_key_ok(s.encr, s.key_bits))
		return GW_EUNSUPPORTED;
	if (c->integ.type != 0)
		s.integ = integ_find(c->integ.id);
	if (s.encr->aead != (s.integ == NULL))
		return GW_EUNSUPPORTED;
	*out = s;
	return GW_OK;
}
