/*
 * Reassembly of one fragmented message (RFC 7383 2.6), per IKE SA and direction, bounded by IKE_FRAG_MAX and
 * IKE_FRAG_MAX_BYTES. Only authenticated fragments come in here. Nothing is allocated until the first one.
 */
#ifndef IKE_FRAG_H
#define IKE_FRAG_H

#include "core/secret.h"
#include "ike/sk.h"

struct frags; /* owned by who holds the pointer; NULL: nothing under way */

/*
 * Adds a decrypted fragment of message `id`. A larger `total` than so far starts over, a smaller one is dropped
 * (2.6.1: the peer has gone to smaller fragments); another `id` starts over.
 * GW_PENDING: more to come. GW_OK: complete: *first and *chain are the whole inside; they live until the next call.
 * GW_EREPLAY: had it. GW_EMALFORMED, GW_ELIMIT, GW_ENOMEM: the fragment is dropped, the rest kept.
 */
MUST_USE enum gw_err frags_add(struct frags **f, uint32_t id, const struct sk_inside *in, uint8_t *first, struct bytes *chain);
/* Octets that are held; NULL: none. */
size_t frags_held(const struct frags *f);
/* Wipes and frees; *f becomes NULL. */
void frags_clear(struct frags **f);

#endif
