#include "esp/packet.h"

enum { TRAILER = 2 }; /* pad length, next header */

enum ecn { NOT_ECT = 0, ECT_1 = 1, ECT_0 = 2, CE = 3 };

/* What is authenticated besides IV and ciphertext. */
struct auth {
	uint8_t data[12];
	struct bytes aad, tail;
};

/* RFC 4106 5, RFC 4303 2.2.1: an AEAD takes SPI and the whole number first; a MAC takes the upper half last. */
static void auth_make(struct auth *a, const struct packet_sa *sa, uint64_t seq)
{
	put_u32(a->data, sa->spi);
	if (sa->esn && sa->suite->encr->aead) {
		put_u64(a->data + 4, seq);
		a->aad = bytes_of(a->data, 12);
		a->tail = bytes_of(NULL, 0);
		return;
	}
	put_u32(a->data + 4, (uint32_t)seq);
	put_u32(a->data + 8, (uint32_t)(seq >> 32));
	a->aad = bytes_of(a->data, 8);
	a->tail = sa->esn ? bytes_of(a->data + 8, 4) : bytes_of(NULL, 0);
}

/* RFC 4303 2.4: the trailer ends on a 4-octet border and on one of the cipher's blocks. */
static size_t alignment(const struct cipher_suite *s)
{
	size_t block = suite_block(s);

	return block < 4 ? 4 : block;
}

static size_t padded(const struct cipher_suite *s, size_t n)
{
	size_t align = alignment(s);

	return (n + TRAILER + align - 1) / align * align;
}

bool packet_peek(struct bytes esp, uint32_t *spi, uint32_t *wire_seq)
{
	struct reader r = rd_of(esp);

	*spi = rd_u32(&r);
	*wire_seq = rd_u32(&r);
	return !r.bad;
}

enum gw_err packet_seal(const struct packet_sa *sa, uint64_t seq, const uint8_t *iv, uint8_t next, struct packet *p)
{
	size_t iv_len = suite_iv_len(sa->suite), icv_len = suite_icv_len(sa->suite);
	size_t header = ESP_HEADER + iv_len, text_len = padded(sa->suite, p->n), pad = text_len - p->n - TRAILER;
	struct auth auth;
	uint8_t *text;

	if (p->at < header || p->at > p->cap || p->cap - p->at < text_len + icv_len)
		return GW_EINVAL;
	text = packet_data(p);
	for (size_t i = 0; i < pad; i++)
		text[p->n + i] = (uint8_t)(i + 1); /* RFC 4303 2.4 */
	text[text_len - 2] = (uint8_t)pad;
	text[text_len - 1] = next;
	p->at -= header;
	p->n = header + text_len + icv_len;
	put_u32(packet_data(p), sa->spi);
	put_u32(packet_data(p) + 4, (uint32_t)seq);
	if (iv_len > 0)
		memcpy(packet_data(p) + ESP_HEADER, iv, iv_len);
	auth_make(&auth, sa, seq);
	return cipher_seal(sa->cipher, bytes_of(iv, iv_len), auth.aad, auth.tail, text, text_len, text + text_len);
}

enum gw_err packet_open(const struct packet_sa *sa, uint64_t seq, struct packet *p, uint8_t *next)
{
	size_t iv_len = suite_iv_len(sa->suite), icv_len = suite_icv_len(sa->suite), header = ESP_HEADER + iv_len;
	size_t text_len, pad;
	struct auth auth;
	uint8_t *text;

	if (p->n < header + TRAILER + icv_len)
		return GW_EMALFORMED;
	text_len = p->n - header - icv_len;
	if (text_len % suite_block(sa->suite) != 0)
		return GW_EMALFORMED;
	text = packet_data(p) + header;
	auth_make(&auth, sa, seq);
	TRY(cipher_open(sa->cipher, bytes_of(packet_data(p) + ESP_HEADER, iv_len), auth.aad, auth.tail, text, text_len,
			text + text_len));
	*next = text[text_len - 1];
	pad = text[text_len - 2];
	/*
	 * RFC 4303 3.4.4.1 lets us look at the padding's content, against cut and paste without integrity. We never go
	 * without, and peers exist that pad otherwise: only the length counts.
	 */
	if (pad + TRAILER > text_len)
		return GW_EMALFORMED;
	p->at += header;
	p->n = text_len - TRAILER - pad;
	return GW_OK;
}

size_t packet_size(const struct cipher_suite *s, size_t n)
{
	return ESP_HEADER + suite_iv_len(s) + padded(s, n) + suite_icv_len(s);
}

size_t packet_inner_max(const struct cipher_suite *s, size_t n)
{
	size_t fixed = ESP_HEADER + suite_iv_len(s) + suite_icv_len(s), align = alignment(s), text;

	if (n <= fixed)
		return 0;
	text = (n - fixed) / align * align;
	return text > TRAILER ? text - TRAILER : 0;
}

uint8_t packet_outer_tos(uint8_t inner, bool copy_dscp)
{
	return copy_dscp ? inner : inner & 3;
}

bool packet_inner_tos(uint8_t outer, uint8_t inner, uint8_t *out)
{
	enum { DROP = 4 };
	/* RFC 6040 figure 4, rows: inner, columns: outer, both in the order of the codes: Not-ECT, ECT(1), ECT(0), CE.
	 */
	static const uint8_t table[4][4] = {
		[NOT_ECT] = { NOT_ECT, NOT_ECT, NOT_ECT, DROP },
		[ECT_1] = { ECT_1, ECT_1, ECT_1, CE },
		[ECT_0] = { ECT_0, ECT_1, ECT_0, CE },
		[CE] = { CE, CE, CE, CE },
	};
	uint8_t ecn = table[inner & 3][outer & 3];

	if (ecn == DROP)
		return false;
	*out = (uint8_t)((inner & ~3) | ecn);
	return true;
}
