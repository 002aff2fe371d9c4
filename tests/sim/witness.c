#include "tests/sim/witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/table.h"
#include "ike/message.h"

struct seen {
	struct seen_key {
		uint64_t a, b, c, d;
	} key;
	uint64_t hash;
	UT_hash_handle hh;
};

static void forget(struct seen **set)
{
	struct seen *s, *tmp;

	HASH_ITER (hh, *set, s, tmp) {
		HASH_DEL(*set, s);
		free(s);
	}
}

void witness_clear(struct witness *w)
{
	forget(&w->ivs);
	forget(&w->messages);
	forget(&w->spis);
}

static uint64_t digest(struct bytes b)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < b.n; i++)
		h = (h ^ b.p[i]) * UINT64_C(1099511628211);
	return h;
}

/* 0: new; 1: seen, the same; -1: seen, and something else. */
static int note(struct seen **set, const struct seen_key *key, uint64_t hash)
{
	struct seen *s;

	HASH_FIND(hh, *set, key, sizeof(*key), s);
	if (s)
		return s->hash == hash ? 1 : -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return 0;
	s->key = *key;
	s->hash = hash;
	HASH_ADD(hh, *set, key, sizeof(s->key), s);
	return 0;
}

void witness_datagram(struct witness *w, struct bytes message, bool state)
{
	struct reader r = rd_of(message);
	struct seen_key key = { 0 };
	struct ike_header h;
	uint64_t hash = digest(message);
	uint32_t fragment = 0;
	int was;

	if (msg_parse_header(message, &h) != GW_OK) {
		snprintf(w->failure, sizeof(w->failure), "a datagram that is no IKE message");
		return;
	}
	if (h.spi_r == 0 || (h.next != PL_SK && h.next != PL_SKF && h.exchange != IKE_SA_INIT))
		return; /* answers to strangers: no state, nothing to repeat */
	rd_skip(&r, IKE_HEADER_LEN + 4);
	if (h.next == PL_SKF)
		fragment = rd_u32(&r);
	key = (struct seen_key){ h.spi_i, h.spi_r, (uint64_t)h.id << 32 | fragment,
				 (uint64_t)h.exchange << 8 | h.flags };
	was = state ? note(&w->messages, &key, hash) : 0;
	if (was > 0)
		w->resent++;
	if (was < 0)
		snprintf(w->failure, sizeof(w->failure),
			 "message %" PRIu32 " (exchange %u, flags %x) sent twice, and not the same", h.id,
			 (unsigned)h.exchange, (unsigned)h.flags);
	if (h.exchange == IKE_SA_INIT)
		return;
	key = (struct seen_key){ h.spi_i, h.spi_r, rd_u64(&r), 1 };
	if (note(&w->ivs, &key, hash) < 0)
		snprintf(w->failure, sizeof(w->failure), "IV %016" PRIx64 " used twice under one key", key.c);
}

void witness_spi(struct witness *w, uint32_t spi, struct bytes keys)
{
	struct seen_key key = { spi, 0, 0, 2 };

	if (note(&w->spis, &key, digest(keys)) < 0)
		snprintf(w->failure, sizeof(w->failure), "inbound SPI %08" PRIx32 " used for two SAs", spi);
}
