/*
 * Key material has a type: owned, wiped by whatever ends its life, compared in constant time, never printed.
 * The process locks its memory and never dumps core (daemon/privileges), so a secret needs no page of its own.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include "core/err.h"

struct secret {
	uint8_t *p; /* owned; NULL when empty */
	size_t n;
};

#define WIPED __attribute__((cleanup(secret_clear)))

/* n zero bytes. `s` must be empty or cleared. GW_ENOMEM leaves it empty. */
MUST_USE enum gw_err secret_alloc(struct secret *s, size_t n);
MUST_USE enum gw_err secret_copy(struct secret *s, struct bytes from);

/* Wipes, frees and empties; an empty one is fine. */
void secret_clear(struct secret *s);

/* Takes the content of `from`, which is empty afterwards; what `to` held is cleared. */
void secret_move(struct secret *to, struct secret *from);

/* Constant time for equal lengths. */
bool secret_equal(struct bytes a, struct bytes b);

/* Wipes a buffer that lives elsewhere; the compiler may not remove it. */
void secret_wipe(void *p, size_t n);

static inline struct bytes secret_bytes(const struct secret *s)
{
	return (struct bytes){ s->p, s->n };
}

#endif
