#include "ike/window.h"

enum window_verdict window_judge(const struct window *w, bool response, uint32_t id)
{
	if (response)
		return window_busy(w) && id == w->send_next - 1 ? WINDOW_ANSWER : WINDOW_STALE;
	if (id == w->recv_next)
		return WINDOW_NEW;
	/* 2.1: the responder remembers its response until the next request. */
	if (w->recv_next > 0 && id == w->recv_next - 1 && w->response.n > 0)
		return WINDOW_RESEND;
	return WINDOW_STALE;
}

enum gw_err window_responded(struct window *w, struct bytes packed)
{
	struct secret copy = { 0 };

	TRY(secret_copy(&copy, packed));
	secret_move(&w->response, &copy);
	w->strays = 0;
	w->recv_next++;
	return GW_OK;
}

enum gw_err window_requested(struct window *w, struct bytes packed, uint8_t kind, mtime now, int64_t first_us)
{
	TRY(secret_copy(&w->request, packed));
	w->request_kind = kind;
	w->send_next++;
	w->tries = 0;
	w->retransmit_at = mtime_add(now, first_us);
	return GW_OK;
}

void window_answered(struct window *w)
{
	secret_clear(&w->request);
	w->request_kind = 0;
	w->tries = 0;
	w->retransmit_at = MTIME_NEVER;
}

bool window_retransmit(struct window *w, mtime now, int64_t first_us, uint32_t max_tries)
{
	int64_t wait = first_us;

	if (w->tries >= max_tries)
		return false;
	w->tries++;
	for (uint8_t i = 0; i < w->tries; i++)
		wait = wait * 9 / 5;
	w->retransmit_at = mtime_add(now, wait);
	return true;
}

void window_clear(struct window *w)
{
	secret_clear(&w->response);
	secret_clear(&w->request);
}
