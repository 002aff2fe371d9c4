#include "ike/sk.h"

enum { GENERIC_LEN = 4, FRAGMENT_LEN = 4, HEADER_NEXT_AT = 16 };

/* Where the encrypted payload stands in a datagram. */
struct sk_place {
	size_t at; /* its generic header */
	bool fragment;
};

/* Walks the outer payloads, of which only the lengths matter here, to the last one, which has to be SK or SKF. */
static enum gw_err sk_find(const uint8_t *datagram, size_t n, struct sk_place *out)
{
	struct ike_header h;
	struct reader r = rd_of(bytes_of(datagram, n));
	uint8_t type;

	TRY(msg_parse_header(bytes_of(datagram, n), &h));
	rd_skip(&r, IKE_HEADER_LEN);
	type = h.next;
	for (;;) {
		size_t at = n - r.left;
		uint8_t next = rd_u8(&r);
		uint16_t length;

		rd_skip(&r, 1);
		length = rd_u16(&r);
		if (r.bad || type == PL_NONE || length < GENERIC_LEN)
			return GW_EMALFORMED;
		rd_skip(&r, (size_t)length - GENERIC_LEN);
		if (r.bad)
			return GW_EMALFORMED;
		if (type == PL_SK || type == PL_SKF) {
			/* RFC 7296 3.14, RFC 7383 2.5: it is the last payload of the message. */
			*out = (struct sk_place){ at, type == PL_SKF };
			return r.left == 0 ? GW_OK : GW_EMALFORMED;
		}
		type = next;
	}
}

enum gw_err sk_open(struct crypto *c, const struct sk_key *k, uint8_t *datagram, size_t n, struct sk_inside *out)
{
	size_t iv_len = suite_iv_len(&k->suite), icv_len = suite_icv_len(&k->suite), block = suite_block(&k->suite);
	struct sk_place place;
	struct bytes iv;
	struct reader r;
	uint8_t *text;
	size_t aad_len, text_len, pad;

	memset(out, 0, sizeof(*out));
	TRY(sk_find(datagram, n, &place));
	r = rd_of(bytes_of(datagram + place.at, n - place.at));
	out->first = rd_u8(&r);
	rd_skip(&r, GENERIC_LEN - 1);
	if (place.fragment) {
		out->fragment = rd_u16(&r);
		out->total = rd_u16(&r);
		if (r.bad || out->fragment == 0 || out->fragment > out->total)
			return GW_EMALFORMED;
		/* RFC 7383 2.5: only the first one says what the inside begins with. */
		if (out->fragment > 1)
			out->first = PL_NONE;
	}
	/* RFC 5282 5.1, RFC 7383 2.5: all that stands before the IV is authenticated as associated data. With an
	 * integrity transform the MAC covers the same octets, then IV and ciphertext. */
	aad_len = n - r.left;
	iv = rd_bytes(&r, iv_len);
	if (r.bad || r.left < icv_len + 1)
		return GW_EMALFORMED;
	text_len = r.left - icv_len;
	text = datagram + (n - r.left);
	if (text_len % block != 0)
		return GW_EMALFORMED;
	TRY(crypto_open(c, &k->suite, k->encr, k->integ, iv, bytes_of(datagram, aad_len), text, text_len,
			text + text_len));
	/* 3.14: the last octet counts the padding before it, whose content means nothing. */
	pad = text[text_len - 1];
	if (pad > text_len - 1)
		return GW_EMALFORMED;
	out->chain = bytes_of(text, text_len - 1 - pad);
	return GW_OK;
}

/* What is the same for all datagrams of one message. */
struct seal {
	struct crypto *c;
	const struct sk_key *k;
	const struct sk_iv *iv;
	const struct ike_header *h;
	size_t iv_len, icv_len, block;
};

/* Plaintext octets with padding and its length. */
static size_t padded(const struct seal *s, size_t chunk)
{
	return (chunk + 1 + s->block - 1) / s->block * s->block;
}

static size_t sealed_len(const struct seal *s, size_t chunk, bool fragment)
{
	return IKE_HEADER_LEN + GENERIC_LEN + (fragment ? (size_t)FRAGMENT_LEN : 0) + s->iv_len + padded(s, chunk) +
	       s->icv_len;
}

/* One datagram with its length before it; `total` 0: SK. */
static enum gw_err seal_one(const struct seal *s, uint8_t first, struct bytes chunk, uint16_t fragment, uint16_t total,
			    struct writer *out)
{
	size_t n = sealed_len(s, chunk.n, total > 0), text_len = padded(s, chunk.n), aad_len;
	uint8_t *iv, *text, *icv;
	struct msg_writer m;
	uint8_t *at;

	if (n > IKE_MAX_MESSAGE)
		return GW_ELIMIT;
	wr_u16(out, (uint16_t)n);
	at = wr_room(out, n);
	if (!at)
		return GW_ELIMIT;
	msg_begin(&m, at, n, s->h);
	(void)payload_begin(&m, total > 0 ? PL_SKF : PL_SK);
	wr_patch_u8(&m.w, m.next_at, first);
	wr_patch_u16(&m.w, m.next_at + 2, (uint16_t)(n - IKE_HEADER_LEN));
	wr_patch_u32(&m.w, IKE_HEADER_LEN - 4, (uint32_t)n);
	if (total > 0) {
		wr_u16(&m.w, fragment);
		wr_u16(&m.w, total);
	}
	aad_len = m.w.n;
	iv = wr_room(&m.w, s->iv_len);
	text = wr_room(&m.w, text_len);
	icv = wr_room(&m.w, s->icv_len);
	if (!iv || !text || !icv || m.w.bad || m.w.n != n)
		return GW_EINTERNAL;
	memset(text, 0, text_len);
	if (chunk.n > 0)
		memcpy(text, chunk.p, chunk.n);
	text[text_len - 1] = (uint8_t)(text_len - 1 - chunk.n);
	TRY(s->iv->make(s->iv->arg, iv, s->iv_len));
	return crypto_seal(s->c, &s->k->suite, s->k->encr, s->k->integ, bytes_of(iv, s->iv_len), bytes_of(at, aad_len),
			   text, text_len, icv);
}

/* RFC 7383 2.5: the inside is cut anywhere, and each piece is sealed as a message of its own. */
static enum gw_err seal_fragments(const struct seal *s, uint8_t first, struct bytes chain, size_t max,
				  struct writer *out)
{
	size_t fixed = IKE_HEADER_LEN + GENERIC_LEN + FRAGMENT_LEN + s->iv_len + s->icv_len;
	struct reader r = rd_of(chain);
	size_t room, total;

	/* At least one octet of content beside the pad length. */
	room = max > fixed ? (max - fixed) / s->block * s->block : 0;
	if (room < 2)
		return GW_ELIMIT;
	room--;
	total = (chain.n + room - 1) / room;
	if (total > IKE_FRAG_MAX)
		return GW_ELIMIT;
	for (uint16_t i = 1; i <= total; i++) {
		struct bytes chunk = rd_bytes(&r, r.left < room ? r.left : room);

		TRY(seal_one(s, i == 1 ? first : PL_NONE, chunk, i, (uint16_t)total, out));
	}
	return GW_OK;
}

enum gw_err sk_seal(struct crypto *c, const struct sk_key *k, const struct sk_iv *iv, const struct ike_header *h,
		    uint8_t first, struct bytes chain, size_t max_datagram, bool fragment, struct writer *out)
{
	struct seal s = { c, k, iv, h, suite_iv_len(&k->suite), suite_icv_len(&k->suite), suite_block(&k->suite) };
	size_t before = out->n;
	enum gw_err rc;

	if (chain.n > IKE_MAX_MESSAGE)
		return GW_ELIMIT;
	/* An empty inside cannot be cut. */
	if (fragment && chain.n > 0 && sealed_len(&s, chain.n, false) > max_datagram)
		rc = seal_fragments(&s, first, chain, max_datagram, out);
	else
		rc = seal_one(&s, first, chain, 0, 0, out);
	if (rc) {
		/* No half message, and no plaintext, is left behind. */
		if (out->n > before)
			secret_wipe(out->p + before, out->n - before);
		out->n = before;
	}
	return rc;
}

bool packed_next(struct reader *packed, struct bytes *datagram)
{
	if (packed->left == 0)
		return false;
	*datagram = rd_bytes(packed, rd_u16(packed));
	return !packed->bad;
}
