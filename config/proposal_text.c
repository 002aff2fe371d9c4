#include "config/load.h"
#include "config/suggest.h"

#include <stdio.h>

static bool is_aead(const struct transform *t)
{
	const struct encr_alg *a = t->type == TR_ENCR ? encr_find(t->id) : NULL;

	return a && a->aead;
}

static size_t count_of(const struct proposal_cfg *p, uint8_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->t[i].type == type;
	return n;
}

static bool has(const struct proposal_cfg *p, const struct transform *t)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->t[i].type == t->type && p->t[i].id == t->id && p->t[i].key_bits == t->key_bits)
			return true;
	return false;
}

static enum gw_err add(struct proposal_cfg *p, struct transform t, struct err *e)
{
	if (p->n == PROPOSAL_MAX_TRANSFORMS)
		return err_set(e, GW_ECONFIG, "more than %d algorithms in one proposal", PROPOSAL_MAX_TRANSFORMS);
	p->t[p->n++] = t;
	return GW_OK;
}

static enum gw_err add_token(struct proposal_cfg *p, const char *token, struct err *e)
{
	struct suggest near = { .word = token };
	char hint[SUGGEST_TEXT];
	struct transform t = { 0 };

	if (strcmp(token, "none") == 0) {
		t = (struct transform){ TR_DH, DH_NONE, 0 };
	} else if (!transform_parse(token, &t)) {
		for (const char *const *known = transform_tokens(); *known; known++)
			suggest_offer(&near, *known);
		return err_set(e, GW_ECONFIG, "unknown algorithm `%.40s`%s", token, suggest_hint(&near, hint));
	}
	if (has(p, &t))
		return err_set(e, GW_ECONFIG, "`%.40s` is there twice", token);
	return add(p, t, e);
}

static enum gw_err split(const char *text, struct proposal_cfg *p, struct err *e)
{
	const char *at = text;

	for (;;) {
		size_t n = strcspn(at, "-");
		char token[48];

		if (n == 0)
			return err_set(e, GW_ECONFIG,
				       "an empty place in the proposal: algorithms are joined by single dashes");
		(void)snprintf(token, sizeof(token), "%.*s", (int)n, at);
		TRY(add_token(p, token, e));
		if (at[n] == 0)
			return GW_OK;
		at += n + 1;
	}
}

/* PRF of the same hash (what people who write aes256-sha256-modp2048 mean). */
static enum gw_err derive_prf(struct proposal_cfg *p, bool aead, struct err *e)
{
	static const struct pair {
		uint16_t integ, prf;
	} pairs[] = {
		{ INTEG_HMAC_SHA1_96, PRF_HMAC_SHA1 },
		{ INTEG_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256 },
		{ INTEG_HMAC_SHA2_384_192, PRF_HMAC_SHA2_384 },
		{ INTEG_HMAC_SHA2_512_256, PRF_HMAC_SHA2_512 },
	};
	size_t n = p->n;

	if (count_of(p, TR_PRF) > 0)
		return GW_OK;
	if (count_of(p, TR_INTEG) == 0)
		return err_set(e, GW_ECONFIG, "no PRF: add one such as prfsha256");
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < ARRAY_LEN(pairs); j++) {
			if (p->t[i].type != TR_INTEG || p->t[i].id != pairs[j].integ)
				continue;
			if (aead) /* integrity comes with the cipher: the hash was meant for the PRF alone */
				p->t[i] = (struct transform){ TR_PRF, pairs[j].prf, 0 };
			else
				TRY(add(p, (struct transform){ TR_PRF, pairs[j].prf, 0 }, e));
		}
	return GW_OK;
}

static enum gw_err check_cipher(const struct proposal_cfg *p, enum proposal_use use, bool *aead, struct err *e)
{
	size_t ciphers = count_of(p, TR_ENCR), aeads = 0;

	for (size_t i = 0; i < p->n; i++)
		aeads += is_aead(&p->t[i]);
	if (ciphers == 0)
		return err_set(e, GW_ECONFIG, "no cipher: add one such as aes256gcm16");
	/* RFC 7296 3.3: with and without a separate integrity algorithm are two proposals. */
	if (aeads != 0 && aeads != ciphers)
		return err_set(e, GW_ECONFIG,
			       "ciphers with and without built-in integrity cannot share a proposal: write two");
	*aead = aeads > 0;
	if (!*aead && count_of(p, TR_INTEG) == 0)
		return err_set(e, GW_ECONFIG, "no integrity algorithm: add one such as sha256");
	if (*aead && count_of(p, TR_INTEG) > 0 && (use == PROPOSAL_ESP || count_of(p, TR_PRF) > 0))
		return err_set(e, GW_ECONFIG, "an integrity algorithm beside a cipher with built-in integrity");
	return GW_OK;
}

static enum gw_err finish_ike(struct proposal_cfg *p, bool aead, struct err *e)
{
	TRY(derive_prf(p, aead, e));
	if (count_of(p, TR_DH) == 0)
		return err_set(e, GW_ECONFIG, "no key exchange group: add one such as x25519 or modp2048");
	if (has(p, &(struct transform){ TR_DH, DH_NONE, 0 }))
		return err_set(e, GW_ECONFIG, "`none` is no key exchange group for IKE");
	if (count_of(p, TR_ESN) > 0)
		return err_set(e, GW_ECONFIG, "esn and noesn belong into proposals of ESP");
	return GW_OK;
}

static enum gw_err finish_esp(struct proposal_cfg *p, struct err *e)
{
	if (count_of(p, TR_PRF) > 0)
		return err_set(e, GW_ECONFIG, "a PRF belongs into proposals of IKE");
	if (count_of(p, TR_ESN) == 0)
		return add(p, (struct transform){ TR_ESN, ESN_NO, 0 }, e);
	return GW_OK;
}

/* By type in the order that people write them; within a type the order is the preference and stays. */
static void sort(struct proposal_cfg *p)
{
	static const uint8_t order[] = { TR_ENCR, TR_INTEG, TR_PRF, TR_DH, TR_ESN };
	struct proposal_cfg sorted = { 0 };

	for (size_t o = 0; o < ARRAY_LEN(order); o++)
		for (size_t i = 0; i < p->n; i++)
			if (p->t[i].type == order[o])
				sorted.t[sorted.n++] = p->t[i];
	*p = sorted;
}

enum gw_err proposal_parse(const char *text, enum proposal_use use, struct proposal_cfg *out, struct err *e)
{
	struct proposal_cfg p = { 0 };
	bool aead = false;

	TRY(split(text, &p, e));
	TRY(check_cipher(&p, use, &aead, e));
	TRY(use == PROPOSAL_IKE ? finish_ike(&p, aead, e) : finish_esp(&p, e));
	sort(&p);
	*out = p;
	return GW_OK;
}

const char *proposal_text(const struct proposal_cfg *p, char buf[PROPOSAL_TEXT])
{
	struct writer w = wr_of(buf, PROPOSAL_TEXT - 1);
	char token[TRANSFORM_TEXT];

	for (size_t i = 0; i < p->n; i++) {
		size_t before = w.n;

		if (i > 0)
			wr_u8(&w, '-');
		if (p->t[i].type == TR_DH && p->t[i].id == DH_NONE)
			wr_bytes(&w, bytes_str("none"));
		else
			wr_bytes(&w, bytes_str(transform_text(&p->t[i], token)));
		if (w.bad) { /* no half tokens */
			w.n = before;
			break;
		}
	}
	buf[w.n] = 0;
	return buf;
}
