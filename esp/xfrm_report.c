#include "esp/xfrm_state.h"

/*
 * Of many tunnels most are idle, and a node of a pair wants to know, several times a second, which have been used. So
 * states tell of themselves (aevents): of the first packet after a pause at once, and while packets come, once in a
 * while. Idle ones cost nothing.
 *
 * The kernel's timer for that starts with a state's first report, and only a number of packets makes that one. So a new
 * state tells of each packet; it is told to do less when its first report is here ("tame").
 *
 * An aevent costs the kernel and us some microseconds, and a dump half of one for each SA. When they are many, nobody
 * listens for a while, and what is used is found by dumps.
 */

#define REST_US SECONDS(10)

enum { REPORTS_MOST = 10000 }; /* in a second */

static bool wanted(const struct xfrm_plane *x)
{
	return x->teller.ticks > 0;
}

void xfrm_reports_begin(struct xfrm_plane *x, int64_t every_us)
{
	uint32_t per_second;

	x->teller.every_us = every_us;
	if (every_us == 0)
		return;
	per_second = xfrm_ticks_per_second(x);
	nl_reset(&x->tx, x->tx_buf, x->tx_size, x->nl.seq);
	if (per_second == 0) {
		log_info(x->env->log, "kernel data plane: states do not tell of themselves: they are all looked at");
		return;
	}
	x->teller.ticks = (uint32_t)(every_us * per_second / SECONDS(1));
	if (x->teller.ticks == 0)
		x->teller.ticks = 1;
}

struct xfrm_reports xfrm_reports_of_new(const struct xfrm_plane *x)
{
	return (struct xfrm_reports){ wanted(x) ? 1 : 0, x->teller.ticks };
}

static void leave(struct xfrm_plane *x)
{
	if (x->teller.joined)
		nl_leave(&x->events, XFRMNLGRP_AEVENTS);
	x->teller.joined = false;
	x->teller.fresh_count = 0;
}

/* While shut nothing is used, and what we write ourselves would be told, too. */
void xfrm_reports_gate(struct xfrm_plane *x)
{
	leave(x);
	x->teller.rests_until = x->now;
}

bool xfrm_reports_tell(struct xfrm_plane *x)
{
	struct err e = { 0 };

	if (x->teller.joined)
		return true;
	if (!wanted(x) || !xfrm_passes(x, DP_IN) || !mtime_reached(x->teller.rests_until, x->now))
		return false;
	if (nl_join(&x->events, XFRMNLGRP_AEVENTS, &e) != GW_OK) {
		log_info(x->env->log, "kernel data plane: states do not tell of themselves: %s", e.text);
		x->teller.ticks = 0;
		return false;
	}
	x->teller.joined = true;
	x->teller.second = x->now;
	x->teller.in_second = 0;
	xfrm_dump_all(x, 0); /* what was used before */
	return true;
}

static bool too_many(struct xfrm_plane *x)
{
	struct xfrm_teller *t = &x->teller;

	if (mtime_since(t->second, x->now) >= SECONDS(1)) {
		t->second = x->now;
		t->in_second = 0;
	}
	return ++t->in_second > REPORTS_MOST;
}

/* The SA that a state is ours of. An operator's has another destination, SPI or reqid. */
static struct sad_sa *find(const struct xfrm_plane *x, const struct xfrm_aevent *a)
{
	struct dp_sa_id out = { DP_OUT, a->spi, a->destination };
	struct sad_sa *sa = sad_find_in(x->sad, a->spi);

	if (!sa || sa->reqid != a->reqid || !addr_equal(&sa->local.addr, &a->destination))
		sa = sad_find(x->sad, &out);
	return sa && sa->kernel.life == SAD_LIVE && sa->reqid == a->reqid ? sa : NULL;
}

/*
 * Numbers that were seen since by another way are not taken back. A state tells of a packet when it has its number, and
 * counts it then. So what we know of octets, and of inbound packets, is a packet behind until we look; outbound packets
 * go in step with numbers.
 */
static void sample(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_aevent *a)
{
	bool in = sa->key.dir == DP_IN;
	uint64_t before = sa->kernel.packets, packets = in ? a->packets : before + a->out_position - sa->position;

	if (in ? packets < before : a->out_position <= sa->position)
		return;
	sa->count.packets += packets - before;
	sa->kernel.packets = packets;
	if (a->bytes > sa->kernel.bytes) {
		sa->count.bytes += a->bytes - sa->kernel.bytes;
		sa->kernel.bytes = a->bytes;
	}
	if (!in)
		sad_used(sa, a->out_position);
	else if (a->in_position > sa->replay.top)
		sa->replay.top = a->in_position;
	sa->last_use = x->now;
	sad_touch(x->sad, sa);
}

void xfrm_on_aevent(struct xfrm_plane *x, const struct nlmsghdr *nlh)
{
	struct xfrm_aevent a;
	struct sad_sa *sa;

	if (!x->teller.joined || !xfrm_get_aevent(nlh, &a) || a.written)
		return;
	x->stats[XS_AEVENTS]++;
	if (too_many(x)) {
		leave(x);
		x->teller.rests_until = mtime_add(x->now, REST_US);
		return;
	}
	sa = find(x, &a);
	if (!sa)
		return;
	sample(x, sa, &a);
	if (!sa->kernel.tame && x->teller.fresh_count < XFRM_FRESH_MAX)
		x->teller.fresh[x->teller.fresh_count++] = sad_id(sa);
}

void xfrm_reports_settle(struct xfrm_plane *x)
{
	const struct xfrm_reports tame = { .ticks = x->teller.ticks };

	for (size_t i = 0; i < x->teller.fresh_count; i++) {
		struct sad_sa *sa = sad_find(x->sad, &x->teller.fresh[i]);
		struct xfrm_state_id id;

		if (!sa || sa->kernel.tame || sa->kernel.life != SAD_LIVE)
			continue;
		sa->kernel.tame = true;
		id = xfrm_sa_id(sa);
		XFRM_EMIT(x, SENT_REPORTS, NULL, xfrm_put_reports(&x->tx, &id, sa->reqid, &tame));
	}
	x->teller.fresh_count = 0;
}
