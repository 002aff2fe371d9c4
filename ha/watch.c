#include "ha/watch.h"

#define DEFAULT_INTERVAL MILLISECONDS(50)
#define STALL_LEAST MILLISECONDS(500)
#define LATE_US MILLISECONDS(1)

enum { DEFAULT_MISSES = 3, STALL_INTERVALS = 10, LATE_LOOKS = 4 };

static int64_t interval(const struct watch_config *c)
{
	return c->interval_us > 0 ? c->interval_us : DEFAULT_INTERVAL;
}

int64_t watch_detection_us(const struct watch_config *c)
{
	return interval(c) * (c->misses ? c->misses : DEFAULT_MISSES);
}

static int64_t stall(const struct watch_config *c)
{
	int64_t us = c->stall_us > 0 ? c->stall_us : interval(c) * STALL_INTERVALS;

	return c->stall_us > 0 || us > STALL_LEAST ? us : STALL_LEAST;
}

static struct watch_result verdict(enum watch_verdict v, const char *why, mtime again)
{
	return (struct watch_result){ v, why, again };
}

mtime watch_now(const struct watch_view *v, mtime now)
{
	return v->looked.us > 0 ? mtime_min(v->looked, now) : now;
}

/* In `us` of listening. A view that is older than now is soon followed by another one, which nobody waits for here. */
static mtime again_in(const struct watch_config *c, const struct watch_view *v, int64_t us, mtime now)
{
	int64_t least = mtime_since(watch_now(v, now), now) > LATE_US ? interval(c) / LATE_LOOKS : 0;

	return mtime_add(now, us > least ? us : least);
}

struct watch_result watch_judge(const struct watch_config *c, const struct watch_view *v, mtime since, mtime now)
{
	int64_t patience = watch_detection_us(c), silence, age;
	mtime heard = { 0 }, until = watch_now(v, now);
	bool any_path = false, any_link = false;

	for (size_t i = 0; i < WATCH_PATHS; i++) {
		const struct watch_path *p = &v->paths[i];

		if (!p->used)
			continue;
		any_path = true;
		any_link |= p->link_up;
		if (p->heard.us > heard.us)
			heard = p->heard;
	}
	if (v->peer_withdrawn)
		return verdict(PEER_GONE, "its parent process says that it is dead", MTIME_NEVER);
	if (heard.us > 0 && v->beat.leaving)
		return verdict(PEER_GONE, "it has left", MTIME_NEVER);
	silence = heard.us < until.us ? mtime_since(heard, until) : 0;
	if (heard.us > 0 && silence < patience) {
		age = v->peer_loop_age_us + silence;
		if (age >= stall(c))
			return verdict(PEER_STALLED, "its loop hangs", again_in(c, v, patience - silence, now));
		if (stall(c) - age < patience - silence)
			return verdict(PEER_ALIVE, "heard", again_in(c, v, stall(c) - age, now));
		return verdict(PEER_ALIVE, "heard", again_in(c, v, patience - silence, now));
	}
	/* Silence on all paths. Whose fault is it? */
	if (!any_path)
		return verdict(PEER_UNKNOWN, "no path to hear it on", MTIME_NEVER);
	if (mtime_since(since, until) < patience)
		return verdict(PEER_UNKNOWN, "not listened long enough",
			       again_in(c, v, patience - mtime_since(since, until), now));
	if (!any_link)
		return verdict(PEER_CUT, "all our links are down", MTIME_NEVER);
	if (!v->service_up)
		return verdict(PEER_CUT, "our service interfaces are down", MTIME_NEVER);
	if (c->witness && !v->witness_heard)
		return verdict(PEER_CUT, "the witness does not answer either", MTIME_NEVER);
	return verdict(PEER_DEAD, "no heartbeat on any path", MTIME_NEVER);
}
