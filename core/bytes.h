/*
 * Bytes in and bytes out, without anybody indexing a packet.
 *
 * A reader knows its end; the first short read is remembered (`bad`), later reads give zeros, and a parser tests once
 * at its end. A nested structure gets a reader of its own length (rd_sub), so it cannot walk out. A writer has a fixed
 * buffer and the same sticky flag; lengths are patched after the fact. All integers on the wire are in network order,
 * all integers in memory in host order.
 */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Borrowed, never freed. A value: copying it copies the view. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad; /* sticky: a read went past the end */
};

struct writer {
	uint8_t *p; /* borrowed buffer */
	size_t n;   /* bytes written */
	size_t cap;
	bool bad; /* sticky: the buffer was too small; n stays within cap */
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ p, n };
}

/* Without the terminating NUL. */
static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

/* Not constant-time: for public data only. Secrets use secret_equal() of core/secret.h. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline struct reader rd_of(struct bytes b)
{
	return (struct reader){ b.p, b.n, false };
}

static inline struct bytes rd_bytes(struct reader *r, size_t n)
{
	struct bytes b = { r->at, n };

	if (r->bad || n > r->left) {
		r->bad = true;
		return (struct bytes){ 0 };
	}
	if (n > 0)
		r->at += n;
	r->left -= n;
	return b;
}

static inline struct bytes rd_rest(struct reader *r)
{
	return rd_bytes(r, r->left);
}

static inline void rd_skip(struct reader *r, size_t n)
{
	(void)rd_bytes(r, n);
}

/* A reader over the next n bytes, which the outer one skips; bad when they are not there. */
static inline struct reader rd_sub(struct reader *r, size_t n)
{
	struct bytes b = rd_bytes(r, n);

	return (struct reader){ b.p, b.n, r->bad };
}

/* Copies n bytes to out, zeros when short. */
static inline void rd_copy(struct reader *r, void *out, size_t n)
{
	struct bytes b = rd_bytes(r, n);

	if (r->bad)
		memset(out, 0, n);
	else if (n > 0)
		memcpy(out, b.p, n);
}

static inline uint8_t rd_u8(struct reader *r)
{
	struct bytes b = rd_bytes(r, 1);

	return r->bad ? 0 : b.p[0];
}

static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}

static inline uint16_t rd_u16(struct reader *r)
{
	struct bytes b = rd_bytes(r, 2);

	return r->bad ? 0 : get_u16(b.p);
}

static inline uint32_t rd_u32(struct reader *r)
{
	struct bytes b = rd_bytes(r, 4);

	return r->bad ? 0 : get_u32(b.p);
}

static inline uint64_t rd_u64(struct reader *r)
{
	struct bytes b = rd_bytes(r, 8);

	return r->bad ? 0 : get_u64(b.p);
}

static inline struct writer wr_of(void *p, size_t cap)
{
	return (struct writer){ p, 0, cap, false };
}

/* What has been written so far. Valid while the buffer is. */
static inline struct bytes wr_done(const struct writer *w)
{
	return (struct bytes){ w->p, w->n };
}

/* Room for n bytes that the caller fills at once; NULL (and bad) when they do not fit. */
static inline uint8_t *wr_room(struct writer *w, size_t n)
{
	uint8_t *at;

	if (w->bad || n > w->cap - w->n) {
		w->bad = true;
		return NULL;
	}
	at = w->p + w->n;
	w->n += n;
	return at;
}

static inline void wr_bytes(struct writer *w, struct bytes b)
{
	uint8_t *at = wr_room(w, b.n);

	if (at && b.n > 0)
		memcpy(at, b.p, b.n);
}

static inline void wr_zero(struct writer *w, size_t n)
{
	uint8_t *at = wr_room(w, n);

	if (at && n > 0)
		memset(at, 0, n);
}

static inline void wr_u8(struct writer *w, uint8_t v)
{
	uint8_t *at = wr_room(w, 1);

	if (at)
		at[0] = v;
}

static inline void wr_u16(struct writer *w, uint16_t v)
{
	uint8_t *at = wr_room(w, 2);

	if (at)
		put_u16(at, v);
}

static inline void wr_u32(struct writer *w, uint32_t v)
{
	uint8_t *at = wr_room(w, 4);

	if (at)
		put_u32(at, v);
}

static inline void wr_u64(struct writer *w, uint64_t v)
{
	uint8_t *at = wr_room(w, 8);

	if (at)
		put_u64(at, v);
}

/* Overwrites what was written at offset `at` before; nothing happens once the writer is bad. */
static inline void wr_patch_u8(struct writer *w, size_t at, uint8_t v)
{
	if (!w->bad && at + 1 <= w->n)
		w->p[at] = v;
}

static inline void wr_patch_u16(struct writer *w, size_t at, uint16_t v)
{
	if (!w->bad && at + 2 <= w->n)
		put_u16(w->p + at, v);
}

static inline void wr_patch_u32(struct writer *w, size_t at, uint32_t v)
{
	if (!w->bad && at + 4 <= w->n)
		put_u32(w->p + at, v);
}

#endif
