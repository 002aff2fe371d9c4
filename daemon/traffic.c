#include "daemon/traffic.h"

#include <stdlib.h>

#include "daemon/gateway.h"

enum { SLICE = 128, SOONEST_S = 1, LATEST_S = 5 };

struct traffic {
	struct gateway *gateway; /* back-pointer */
	struct loop_timer *timer;
	uint64_t cookie; /* of the dump under way; 0: none */
};

/* Often enough for the shortest of the times that go by it. */
static int64_t period(const struct settings *s)
{
	int64_t us = SECONDS(LATEST_S);

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *conn = &s->conns[i];

		if (conn->dpd_us > 0 && conn->dpd_us / 3 < us)
			us = conn->dpd_us / 3;
		for (size_t k = 0; k < conn->child_count; k++)
			if (conn->children[k].inactivity_us > 0 && conn->children[k].inactivity_us / 3 < us)
				us = conn->children[k].inactivity_us / 3;
	}
	return us > SECONDS(SOONEST_S) ? us : SECONDS(SOONEST_S);
}

static void on_due(void *arg)
{
	struct traffic *t = arg;
	struct gateway *g = t->gateway;
	mtime now = clock_now(g->env.clock);
	struct dp_sa_state states[SLICE];
	size_t n;

	if (ike_is_passive(g->ike) || ike_child_count(g->ike) == 0) {
		t->cookie = 0;
		loop_timer_at(t->timer, mtime_add(now, period(g->settings)));
		return;
	}
	n = g->dp->ops->dump(g->dp, &t->cookie, states, SLICE);
	ike_traffic(g->ike, states, n);
	loop_timer_at(t->timer, t->cookie ? now : mtime_add(now, period(g->settings)));
}

struct traffic *traffic_create(struct gateway *g)
{
	struct traffic *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->gateway = g;
	t->timer = loop_timer_create(g->loop, on_due, t);
	if (!t->timer) {
		free(t);
		return NULL;
	}
	loop_timer_at(t->timer, mtime_add(clock_now(g->env.clock), SECONDS(SOONEST_S)));
	return t;
}

void traffic_destroy(struct traffic *t)
{
	if (!t)
		return;
	loop_timer_destroy(t->timer);
	free(t);
}
