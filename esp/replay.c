#include "esp/replay.h"

enum { WORD_BITS = 64 };

size_t replay_words(uint32_t window)
{
	/* One word more than the window: the word at the top is only partly in use (RFC 6479 2). */
	return window == 0 ? 0 : (window + WORD_BITS - 1) / WORD_BITS + 1;
}

static uint64_t *word_of(const struct replay *r, uint64_t seq)
{
	return &r->bits[seq / WORD_BITS % r->words];
}

static uint64_t bit_of(uint64_t seq)
{
	return UINT64_C(1) << seq % WORD_BITS;
}

/* All bits up to and including that of `seq` within its word. */
static uint64_t bits_to(uint64_t seq)
{
	return UINT64_MAX >> (WORD_BITS - 1 - seq % WORD_BITS);
}

void replay_init(struct replay *r, uint32_t window, uint64_t top, uint64_t *bits)
{
	*r = (struct replay){ .top = top, .bits = bits, .window = window, .words = (uint32_t)replay_words(window) };
	if (r->words == 0)
		return;
	memset(bits, 0xff, r->words * sizeof(*bits));
	/* Numbers above the top, in the top's own word, have not been seen; other words are cleared when entered. */
	*word_of(r, top) = bits_to(top);
}

uint64_t replay_guess(const struct replay *r, bool esn, uint32_t wire)
{
	/* Without a window to lean on the nearest number is taken (A2.2 needs some W). */
	uint32_t window = r->window > 0 ? r->window : UINT32_C(1) << 31;
	uint32_t high = (uint32_t)(r->top >> 32), low = (uint32_t)r->top;
	uint32_t bottom = low - window + 1; /* wraps when the window spans two subspaces */

	if (!esn)
		return wire;
	if (low >= window - 1) {
		/* Case A: the window is within one subspace. */
		if (wire < bottom)
			high++;
	} else if (wire >= bottom && high > 0) {
		/* Case B: it spans two. Below the very first subspace there is none. */
		high--;
	}
	return (uint64_t)high << 32 | wire;
}

bool replay_check(const struct replay *r, uint64_t seq)
{
	if (seq == 0) /* RFC 4303 2.2: the first packet has number 1; an ESN never cycles */
		return false;
	if (seq > r->top || r->window == 0)
		return true;
	if (r->top - seq >= r->window)
		return false;
	return (*word_of(r, seq) & bit_of(seq)) == 0;
}

static void clear_above(struct replay *r, uint64_t seq)
{
	uint64_t from = r->top / WORD_BITS, steps = seq / WORD_BITS - from;

	if (steps > r->words)
		steps = r->words;
	for (uint64_t i = 1; i <= steps; i++)
		r->bits[(seq / WORD_BITS - steps + i) % r->words] = 0;
}

bool replay_accept(struct replay *r, uint64_t seq)
{
	if (!replay_check(r, seq))
		return false;
	if (r->window == 0) {
		r->top = seq > r->top ? seq : r->top;
		return true;
	}
	if (seq > r->top) {
		clear_above(r, seq);
		r->top = seq;
	}
	*word_of(r, seq) |= bit_of(seq);
	return true;
}

void replay_advance(struct replay *r, uint64_t seq)
{
	if (seq >= r->top) {
		replay_init(r, r->window, seq, r->bits);
		return;
	}
	if (r->window == 0 || r->top - seq >= r->window)
		return;
	/* Only the part of the window up to seq. */
	for (uint64_t at = r->top - (r->top >= r->window ? r->window - 1 : r->top); at <= seq; at++)
		*word_of(r, at) |= bit_of(at);
}
