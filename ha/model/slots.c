/*
 * Two checksummed slots, overwritten in turn (daemon/incarnation.h): a number is used only once the slot that holds it
 * is durable, and a write that a power failure cuts short spoils one slot. Every order of writes and failures is
 * walked; no number may be used by two starts. The clock's minutes and the peer's memory only ever raise the next
 * number, so they are left out here: what the slots alone promise must hold.
 */
#include "ha/model/model.h"

enum { STARTS = 6, TORN = 0xff /* not whole */ };

struct slots {
	uint8_t slot[2]; /* numbers; a write under way or cut short: TORN */
	uint8_t used;	 /* highest number that was used */
};

struct slots_rule {
	const char *name;
	bool newest_first; /* broken: overwrites the slot that is newest */
	bool use_early;	   /* broken: the number is used while it is being written */
};

/* One start: false when a number that was used is used again. */
static bool start(const struct slots_rule *rule, struct slots s, unsigned left)
{
	unsigned best = s.slot[0] == TORN ? 1 : s.slot[1] == TORN ? 0 : s.slot[1] > s.slot[0];
	unsigned to = rule->newest_first ? best : 1 - best;
	uint8_t next = s.slot[best] == TORN ? 1 : u8(s.slot[best] + 1U);
	struct slots torn = s, old = s;

	if (left == 0)
		return true;
	if (rule->use_early) {
		if (next <= s.used)
			return false;
		torn.used = old.used = next;
	}
	/* Power fails in the middle of the write, or before it: the old block stands. */
	torn.slot[to] = TORN;
	if (!start(rule, torn, left - 1) || !start(rule, old, left - 1))
		return false;
	s.slot[to] = next;
	/* Durable, but the process ends before it is used. */
	if (!start(rule, s, left - 1))
		return false;
	if (next <= s.used && !rule->use_early)
		return false;
	s.used = next;
	return start(rule, s, left - 1);
}

unsigned slots_check(void)
{
	static const struct slots_rule rules[] = {
		{ "durable slots", false, false },
		{ "durable slots, newest overwritten", true, false },
		{ "durable slots, used too early", false, true },
	};
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		/* Both blocks exist before the first start: 0 in each. */
		bool holds = start(&rules[i], (struct slots){ { 0, 0 }, 0 }, STARTS);

		printf("%-34s %s\n", rules[i].name, holds ? "holds" : "a number was used twice");
		bad += holds != (i == 0);
	}
	return bad;
}
