#include "daemon/listening.h"

#define PUNCTUAL_US MILLISECONDS(1) /* nobody wakes up sooner than the kernel has it */

void listening_woke(struct listening *l, mtime due, mtime now)
{
	int64_t late = due.us < now.us ? mtime_since(due, now) : 0;

	if (late >= PUNCTUAL_US)
		l->missed_us += late;
}

void listening_read(struct listening *l, mtime now)
{
	l->until = mtime_add(now, -l->missed_us);
}

mtime listening_now(const struct listening *l, mtime wakes, mtime now)
{
	return mtime_since(wakes, now) < PUNCTUAL_US ? mtime_add(now, -l->missed_us) : l->until;
}

void listening_heard(struct listening *l)
{
	l->missed_us = 0;
}

mtime listening_due(const struct listening *l, mtime heard, int64_t patience_us)
{
	return mtime_add(heard, patience_us + l->missed_us);
}
