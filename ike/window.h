/*
 * Message IDs, retransmission and cached responses (RFC 7296 2.1-2.3), window of one. Messages are kept packed
 * (ike/sk.h): every datagram of a fragmented message, byte for byte.
 */
#ifndef IKE_WINDOW_H
#define IKE_WINDOW_H

#include "core/clock.h"
#include "core/secret.h"
#include "ike/sk.h"

enum { REQUEST_HASH = 8 };

struct window {
	/* the peer's requests */
	uint32_t recv_next;	/* the ID that we expect */
	struct secret response; /* to recv_next - 1, packed; empty: none */
	uint8_t strays;		/* how often it was repeated to where the peer is not known to be */
	/* our requests */
	uint32_t send_next;
	struct secret request; /* outstanding, ID send_next - 1, packed; empty: none */
	uint8_t request_kind;  /* enum request_kind of engine.h */
	uint8_t tries;
	mtime retransmit_at;
};

enum window_verdict {
	WINDOW_NEW,    /* the next request */
	WINDOW_RESEND, /* had it: send the cached response again */
	WINDOW_STALE,  /* too old, or ahead: drop */
	WINDOW_ANSWER, /* the response to our outstanding request */
};

enum window_verdict window_judge(const struct window *w, bool response, uint32_t id);
static inline bool window_busy(const struct window *w)
{
	return w->request.n > 0;
}
/* Takes `packed` as the response to recv_next, which moves on. */
MUST_USE enum gw_err window_responded(struct window *w, struct bytes packed);
/* Takes our request with ID send_next, which moves on; first retransmission after `first_us`. */
MUST_USE enum gw_err window_requested(struct window *w, struct bytes packed, uint8_t kind, mtime now, int64_t first_us);
void window_answered(struct window *w);
/* Next wait after a retransmission: 1.8 times the one before. False: `max_tries` are used up. */
bool window_retransmit(struct window *w, mtime now, int64_t first_us, uint32_t max_tries);
void window_clear(struct window *w);

#endif
