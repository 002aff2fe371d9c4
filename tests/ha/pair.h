/* Two nodes without engines or data planes: objects are texts in a table, the sync link is a copy of bytes. */
#ifndef TESTS_HA_PAIR_H
#define TESTS_HA_PAIR_H

#include <stdio.h>

#include "ha/inside.h"
#include "tests/check_main.h"

enum { PAIR_OBJECTS = 4096 };

struct pair_clock {
	struct clock clock;
	mtime now;
};

struct pair_node {
	struct pair_clock *time;
	struct rng_seeded rng;
	struct env env;
	struct ha *ha;
	char text[PAIR_OBJECTS][24]; /* "": none */
	uint64_t refuse;	     /* this key; 0: none */
	unsigned applied, turns, closed, synced, unprotected, refused;
	unsigned last[32]; /* events by kind */
	struct ha_verified verified;
	char why[120];
	bool keep_events;
	/* Its data plane: each look into it takes so long. */
	struct dp_sa_state *states; /* borrowed */
	bool *used;		    /* borrowed: since that was told of last */
	size_t state_count, dumps, takes;
	int64_t look_us;
	unsigned removed, rewound, fences; /* operations that were asked for */
	uint64_t fence;			   /* the last one */
	enum gw_err fenced;		   /* what becomes of those */
};

struct pair {
	struct pair_clock time;
	struct pair_node n[2];
};

static mtime pair_now(const struct clock *c)
{
	return ((const struct pair_clock *)c)->now;
}

static enum gw_err pair_encode(void *arg, enum ha_kind kind, uint64_t key, struct writer *out)
{
	struct pair_node *n = arg;

	if (kind != HA_OBJ_IKE || key >= PAIR_OBJECTS || !n->text[key][0])
		return GW_ENOTFOUND;
	wr_bytes(out, bytes_str(n->text[key]));
	return GW_OK;
}

static inline void pair_apply(void *arg, struct ha_change *c, size_t count)
{
	struct pair_node *n = arg;

	n->turns++;
	for (size_t i = 0; i < count; i++, n->applied++) {
		ck_assert_uint_lt(c[i].key, PAIR_OBJECTS);
		n->text[c[i].key][0] = 0;
		if (n->refuse && c[i].key == n->refuse) {
			c[i].result = GW_ECONFIG;
			(void)snprintf(c[i].text, sizeof(c[i].text), "connection x is not configured here");
			continue;
		}
		ck_assert(c[i].deleted || c[i].state.n < sizeof(n->text[0]));
		if (!c[i].deleted)
			(void)snprintf(n->text[c[i].key], sizeof(n->text[0]), "%.*s", (int)c[i].state.n,
				       (const char *)c[i].state.p);
	}
}

static inline size_t pair_dump(void *arg, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct pair_node *n = arg;
	size_t at = (size_t)*cookie, count = 0;

	n->dumps++;
	n->time->now.us += n->look_us;
	while (at < n->state_count && count < max)
		out[count++] = n->states[at++];
	*cookie = at < n->state_count ? at : 0;
	return count;
}

static inline size_t pair_take_used(void *arg, struct dp_sa_state *out, size_t max)
{
	struct pair_node *n = arg;
	size_t count = 0;

	n->takes++;
	n->time->now.us += n->look_us;
	for (size_t i = 0; i < n->state_count && count < max; i++)
		if (n->used[i]) {
			out[count++] = n->states[i];
			n->used[i] = false;
		}
	return count;
}

static inline enum gw_err pair_query(void *arg, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	struct pair_node *n = arg;

	for (size_t i = 0; i < n->state_count; i++)
		if (n->states[i].id.dir == id->dir && n->states[i].id.spi == id->spi) {
			*out = n->states[i];
			return GW_OK;
		}
	return GW_ENOTFOUND;
}

/* An SA as the IKE engine would have it installed. */
static inline void pair_install(struct pair_node *n, enum dp_dir dir, uint32_t spi, uint32_t reqid)
{
	struct dp_op op = { .kind = DP_SA_ADD, .sa = { .dir = dir, .spi = spi, .reqid = reqid, .esn = true } };

	op.sa.remote.addr = (struct addr){ .family = 4, .b = { 192, 0, 2, 1 } };
	(void)ha_prepare(n->ha, ha_role_of(n->ha) == HA_ACTIVE ? 1 : 0, reqid, &op, 1);
}

static const struct ha_ops pair_ops = {
	.encode = pair_encode, .apply = pair_apply, .dump = pair_dump, .take_used = pair_take_used, .query = pair_query
};

static inline void pair_events(struct pair_node *n)
{
	struct ha_event ev;

	while (!n->keep_events && ha_take_event(n->ha, &ev)) {
		if (ev.kind == HA_EV_PERSIST)
			ha_persisted(n->ha, ev.durable.reserve);
		n->last[ev.kind % ARRAY_LEN(n->last)]++;
		for (size_t i = 0; ev.kind == HA_EV_DATAPLANE && i < ev.op_count; i++) {
			n->removed += ev.ops[i].kind == DP_SA_REMOVE;
			n->rewound += ev.ops[i].kind == DP_SA_REWIND;
		}
		if (ev.kind == HA_EV_DATAPLANE && ev.op_count == 1 && ev.ops[0].kind == DP_SA_FENCE) {
			const struct dp_event done = { .kind = DP_DONE, .token = ev.token, .result = n->fenced };

			n->fences++;
			n->fence = ev.ops[0].position;
			(void)ha_plane_event(n->ha, &done);
		}
		if (ev.kind == HA_EV_DATAPLANE && ev.op_count == 2 && ev.ops[0].kind == DP_SA_POSITION) {
			const struct dp_event done = { .kind = DP_DONE, .token = ev.token };

			(void)ha_plane_event(n->ha, &done);
		}
		if (ev.kind == HA_EV_VERIFIED && ev.verify)
			n->verified = *ev.verify;
		n->synced += ev.kind == HA_EV_SYNCED;
		n->unprotected += ev.kind == HA_EV_UNPROTECTED;
		n->refused += ev.kind == HA_EV_REFUSED;
		if (ev.kind == HA_EV_CLOSE_LINK) {
			n->closed++;
			memcpy(n->why, ev.text, sizeof(n->why));
		}
	}
}

static inline void pair_node_start(struct pair *p, int i, const struct ha_config *cfg, const struct ha_durable *durable)
{
	struct pair_node *n = &p->n[i];
	struct pair_node fresh = { .time = &p->time };

	*n = fresh;
	rng_seeded_init(&n->rng, (uint64_t)i + 1);
	n->env = (struct env){ .clock = &p->time.clock,
			       .rng = &n->rng.rng,
			       .node = { (uint8_t)i, (uint32_t)(p->time.now.us / 1000) } };
	n->ha = ha_create(&n->env, cfg, &pair_ops, n, durable);
	ck_assert_ptr_nonnull(n->ha);
	pair_events(n);
}

static inline void pair_init_as(struct pair *p, const struct ha_config cfg[2])
{
	const struct ha_durable none = { 0 };

	memset(p, 0, sizeof(*p));
	p->time = (struct pair_clock){ { .now = pair_now }, { SECONDS(100) } };
	for (int i = 0; i < 2; i++)
		pair_node_start(p, i, &cfg[i], &none);
}

static inline void pair_init(struct pair *p)
{
	const struct ha_config cfg = { .cluster = "test", .node = "n", .software = "t" };

	pair_init_as(p, (const struct ha_config[]){ cfg, cfg });
}

static inline void pair_clear(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		ha_destroy(p->n[i].ha);
}

/* One way; returns how many octets. */
static inline size_t pair_carry(struct pair_node *from, struct pair_node *to)
{
	struct bytes b;
	uint8_t *copy;
	size_t n;

	(void)ha_link_more(from->ha);
	b = ha_link_bytes(from->ha);
	n = b.n;
	copy = malloc(n ? n : 1);
	if (n > 0)
		memcpy(copy, b.p, n);
	ha_link_written(from->ha, n);
	ha_link_receive(to->ha, bytes_of(copy, n));
	free(copy);
	pair_events(from);
	pair_events(to);
	return n;
}

/* Until both have said all. */
static inline void pair_talk(struct pair *p)
{
	size_t n;

	do {
		n = pair_carry(&p->n[0], &p->n[1]);
		n += pair_carry(&p->n[1], &p->n[0]);
		(void)ha_end_turn(p->n[0].ha);
		(void)ha_end_turn(p->n[1].ha);
	} while (n > 0);
}

static inline void pair_link(struct pair *p)
{
	ha_link_up(p->n[0].ha);
	ha_link_up(p->n[1].ha);
}

static inline void pair_cut(struct pair *p)
{
	ha_link_down(p->n[0].ha, "cut");
	ha_link_down(p->n[1].ha, "cut");
	pair_events(&p->n[0]);
	pair_events(&p->n[1]);
}

static inline void pair_promote(struct pair_node *n)
{
	struct err e;

	ck_assert_int_eq(ha_promote(n->ha, "the test", &e), GW_OK);
	pair_events(n);
	ck_assert_int_eq(ha_role_of(n->ha), HA_ACTIVE);
}

static inline void pair_set(struct pair_node *n, uint64_t key, const char *text)
{
	(void)snprintf(n->text[key], sizeof(n->text[0]), "%s", text);
	ha_dirty(n->ha, HA_OBJ_IKE, key, !text[0]);
}

static inline bool pair_same(const struct pair *p)
{
	for (size_t i = 0; i < PAIR_OBJECTS; i++)
		if (strcmp(p->n[0].text[i], p->n[1].text[i]) != 0)
			return false;
	return true;
}

/* ---- heartbeats ---- */

static inline struct watch_view pair_view(const struct pair_node *peer, bool alive)
{
	struct watch_view v = { .service_up = true };

	v.paths[0] = (struct watch_path){ .used = true, .link_up = true };
	if (alive) {
		v.paths[0].heard = peer->time->now;
		v.beat = ha_beat(peer->ha);
	}
	return v;
}

static inline void pair_look(struct pair *p, int i, const struct watch_view *v)
{
	ha_observe(p->n[i].ha, v);
	ha_tick(p->n[i].ha);
	pair_events(&p->n[i]);
}

static inline void pair_beats(struct pair *p, int times)
{
	for (int t = 0; t < times; t++) {
		p->time.now.us += MILLISECONDS(50);
		for (int i = 0; i < 2; i++) {
			struct watch_view v = pair_view(&p->n[1 - i], true);

			pair_look(p, i, &v);
		}
	}
}

static inline void pair_send(struct pair_node *n, const char *what, enum ike_effect effect)
{
	struct ike_output out = { .datagram = { .data = bytes_str(what) }, .effect = effect };

	ha_send(n->ha, &out);
}

static inline unsigned pair_sent(struct pair_node *n)
{
	struct ike_output out;
	unsigned count = 0;

	while (ha_take_datagram(n->ha, &out))
		count++;
	return count;
}

#endif
