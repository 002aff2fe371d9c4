/*
 * Reading DER (X.690) with the sticky reader of core/bytes.h: definite lengths in their shortest form only, tags of one
 * octet. A mistake makes the reader bad, like a short read. Nothing is copied.
 */
#ifndef CORE_CRYPTO_DER_H
#define CORE_CRYPTO_DER_H

#include "core/bytes.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_PRINTABLE_STRING = 0x13,
	DER_T61_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80,	/* [n], primitive: DER_CONTEXT + n */
	DER_CONSTRUCTED = 0xa0, /* [n], constructed */
};

/* The next element: its tag and its content. 0 at the end or when bad. */
static inline uint8_t der_next(struct reader *r, struct bytes *content)
{
	uint8_t tag, first;
	size_t n;

	*content = (struct bytes){ 0 };
	if (r->bad || r->left == 0)
		return 0;
	tag = rd_u8(r);
	first = rd_u8(r);
	n = first;
	if ((tag & 0x1f) == 0x1f)
		r->bad = true;
	if (first > 0x7f) {
		size_t octets = first & 0x7f;

		if (octets < 1 || octets > 3)
			r->bad = true;
		n = 0;
		for (size_t i = 0; !r->bad && i < octets; i++)
			n = n << 8 | rd_u8(r);
		if (n < 0x80 || (octets > 1 && n >> (8 * (octets - 1)) == 0))
			r->bad = true;
	}
	if (tag == 0)
		r->bad = true;
	if (r->bad)
		return 0;
	*content = rd_bytes(r, n);
	return r->bad ? 0 : tag;
}

/* The next element, which must have that tag; else the reader becomes bad. */
static inline struct bytes der_get(struct reader *r, uint8_t tag)
{
	struct bytes content;

	if (der_next(r, &content) != tag) {
		r->bad = true;
		return (struct bytes){ 0 };
	}
	return content;
}

/* Likewise, as a reader of its inside. */
static inline struct reader der_enter(struct reader *r, uint8_t tag)
{
	struct bytes content = der_get(r, tag);

	return (struct reader){ content.p, content.n, r->bad };
}

/* Whether the next element has that tag. */
static inline bool der_is(const struct reader *r, uint8_t tag)
{
	return !r->bad && r->left > 0 && r->at[0] == tag;
}

/* The next element, which must have that tag, head included. */
static inline struct bytes der_whole(struct reader *r, uint8_t tag)
{
	const uint8_t *at = r->at;

	(void)der_get(r, tag);
	return r->bad ? (struct bytes){ 0 } : bytes_of(at, (size_t)(r->at - at));
}

/* A non-negative INTEGER of at most 31 bits. */
static inline uint32_t der_small(struct reader *r)
{
	struct bytes b = der_get(r, DER_INTEGER);
	uint32_t v = 0;

	if (r->bad || b.n == 0 || b.n > 4 || (b.p[0] & 0x80) || (b.n > 1 && b.p[0] == 0 && !(b.p[1] & 0x80))) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

/* Octets of a BIT STRING without unused bits, as keys and signatures are. */
static inline struct bytes der_bits(struct reader *r)
{
	struct reader in = der_enter(r, DER_BIT_STRING);

	if (rd_u8(&in) != 0 || in.bad) {
		r->bad = true;
		return (struct bytes){ 0 };
	}
	return rd_rest(&in);
}

#endif
