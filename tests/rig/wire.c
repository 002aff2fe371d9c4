#include "tests/rig/wire.h"

#include <stdlib.h>

enum { FIRST_SIZE = 1024, JUMP = 1 << 16 };

struct entry {
	uint32_t spi, seq;
	uint64_t iv, hash;
	int64_t us;
};

/* Open addressing over entries: position + 1, 0 is free. At most half full. */
struct index {
	uint32_t *slots;
	size_t size;
};

struct wire {
	struct entry *entries;
	size_t count, room;
	struct index by_seq, by_iv;
	struct wire_sa *sas;
	size_t sa_count, sa_room;
	uint64_t findings[WIRE_IV + 1];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);

	h = (h ^ h >> 29 ^ b) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 32;
}

/* FNV-1a. Nobody chooses these bytes to collide. */
static uint64_t hash_of(struct bytes b)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < b.n; i++)
		h = (h ^ b.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

struct wire *wire_create(void)
{
	return calloc(1, sizeof(struct wire));
}

void wire_destroy(struct wire *w)
{
	if (!w)
		return;
	free(w->entries);
	free(w->by_seq.slots);
	free(w->by_iv.slots);
	free(w->sas);
	free(w);
}

static uint64_t seq_key(const struct entry *e)
{
	return mix(e->spi, e->seq);
}

static uint64_t iv_key(const struct entry *e)
{
	return mix(e->spi, e->iv);
}

static void index_put(struct index *x, uint64_t key, size_t position)
{
	size_t at = key & (x->size - 1);

	while (x->slots[at])
		at = (at + 1) & (x->size - 1);
	x->slots[at] = (uint32_t)position + 1;
}

static const struct entry *find_seq(const struct wire *w, const struct entry *e)
{
	size_t mask = w->by_seq.size - 1;

	for (size_t at = seq_key(e) & mask; w->by_seq.slots[at]; at = (at + 1) & mask) {
		const struct entry *old = &w->entries[w->by_seq.slots[at] - 1];

		if (old->spi == e->spi && old->seq == e->seq)
			return old;
	}
	return NULL;
}

static const struct entry *find_iv(const struct wire *w, const struct entry *e)
{
	size_t mask = w->by_iv.size - 1;

	for (size_t at = iv_key(e) & mask; w->by_iv.slots[at]; at = (at + 1) & mask) {
		const struct entry *old = &w->entries[w->by_iv.slots[at] - 1];

		if (old->spi == e->spi && old->iv == e->iv)
			return old;
	}
	return NULL;
}

static enum gw_err index_resize(struct wire *w, struct index *x, size_t size, uint64_t (*key)(const struct entry *e))
{
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return GW_ENOMEM;
	free(x->slots);
	*x = (struct index){ slots, size };
	for (size_t i = 0; i < w->count; i++)
		index_put(x, key(&w->entries[i]), i);
	return GW_OK;
}

static enum gw_err reserve(struct wire *w)
{
	struct entry *entries;
	size_t room;

	if (w->count < w->room)
		return GW_OK;
	room = w->room ? w->room * 2 : FIRST_SIZE;
	entries = room < UINT32_MAX ? realloc(w->entries, room * sizeof(*entries)) : NULL;
	if (!entries)
		return GW_ENOMEM;
	w->entries = entries;
	w->room = room;
	TRY(index_resize(w, &w->by_seq, room * 2, seq_key));
	return index_resize(w, &w->by_iv, room * 2, iv_key);
}

/* Few SPIs: the newest are at the end, and asked for most. */
static struct wire_sa *sa_of(struct wire *w, uint32_t spi)
{
	struct wire_sa *sas;
	size_t room;

	for (size_t i = w->sa_count; i-- > 0;)
		if (w->sas[i].spi == spi)
			return &w->sas[i];
	if (w->sa_count == w->sa_room) {
		room = w->sa_room ? w->sa_room * 2 : 16;
		sas = realloc(w->sas, room * sizeof(*sas));
		if (!sas)
			return NULL;
		w->sas = sas;
		w->sa_room = room;
	}
	w->sas[w->sa_count] = (struct wire_sa){ .spi = spi };
	return &w->sas[w->sa_count++];
}

static void sa_note(struct wire_sa *sa, uint32_t seq)
{
	if (sa->packets == 0)
		sa->first = sa->lowest = sa->highest = seq;
	else if (seq < sa->highest)
		sa->back++;
	else if (seq - sa->highest >= JUMP)
		sa->jumps++;
	sa->lowest = seq < sa->lowest ? seq : sa->lowest;
	sa->highest = seq > sa->highest ? seq : sa->highest;
	sa->last = seq;
	sa->packets++;
}

enum gw_err wire_add(struct wire *w, struct bytes esp, int64_t us, enum wire_finding *finding,
		     struct wire_repeat *repeat)
{
	struct reader r = rd_of(esp);
	struct entry e = { .us = us };
	const struct entry *seq, *iv, *old;
	struct wire_sa *sa;

	e.spi = rd_u32(&r);
	e.seq = rd_u32(&r);
	e.iv = rd_u64(&r);
	if (r.bad)
		return GW_EMALFORMED;
	e.hash = hash_of(esp);
	TRY(reserve(w));
	sa = sa_of(w, e.spi);
	if (!sa)
		return GW_ENOMEM;
	seq = find_seq(w, &e);
	iv = find_iv(w, &e);
	*finding = !seq && !iv ? WIRE_FINE : seq && seq->hash == e.hash ? WIRE_SAME : seq ? WIRE_SEQUENCE : WIRE_IV;
	w->findings[*finding]++;
	if (*finding == WIRE_SAME)
		return GW_OK;
	sa_note(sa, e.seq);
	old = seq ? seq : iv;
	if (old && repeat)
		*repeat = (struct wire_repeat){ e.spi, e.seq, e.iv, us, old->us };
	w->entries[w->count] = e;
	index_put(&w->by_seq, seq_key(&e), w->count);
	index_put(&w->by_iv, iv_key(&e), w->count);
	w->count++;
	return GW_OK;
}

uint64_t wire_count(const struct wire *w, enum wire_finding f)
{
	return w->findings[f];
}

const struct wire_sa *wire_sas(const struct wire *w, size_t *count)
{
	*count = w->sa_count;
	return w->sas;
}
