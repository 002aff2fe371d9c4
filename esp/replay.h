/*
 * Anti-replay window of one inbound ESP SA (RFC 4303 3.4.3, ESN: appendix A2), as a ring of words (RFC 6479): moving
 * the window clears whole words and never shifts. Sequence numbers are 64-bit and in host order; only packet.c knows
 * the wire. The owner gives the memory of the bitmap, as large as the window needs and no larger. Not thread-safe.
 */
#ifndef ESP_REPLAY_H
#define ESP_REPLAY_H

#include "core/bytes.h"

enum { REPLAY_WINDOW_MAX = 4096 };

struct replay {
	uint64_t top;	 /* highest number accepted, or declared seen */
	uint64_t *bits;	 /* borrowed: replay_words(window) words; NULL without a window */
	uint32_t window; /* packets; 0: everything passes, only the top is kept */
	uint32_t words;
};

/* Words of bitmap for a window of so many packets (0..REPLAY_WINDOW_MAX). */
size_t replay_words(uint32_t window);

/* Everything up to `top` counts as seen; 0 for a fresh SA, whose first number is 1. */
void replay_init(struct replay *r, uint32_t window, uint64_t top, uint64_t *bits);

/* Full number for the 32 bits on the wire; changes nothing. With ESN as RFC 4303 A2.2. */
uint64_t replay_guess(const struct replay *r, bool esn, uint32_t wire);

/* Cheap check before the ICV; false: seen, too old or 0. */
bool replay_check(const struct replay *r, uint64_t seq);

/* Call after the ICV has been verified, never before. False: drop. */
MUST_USE bool replay_accept(struct replay *r, uint64_t seq);

/* Everything up to `seq` counts as seen from now on; what is seen already stays so. */
void replay_advance(struct replay *r, uint64_t seq);

#endif
