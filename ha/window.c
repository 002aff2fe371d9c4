/*
 * Inbound numbers (DESIGN.md §4): the owner reports how far each window has come, the standby's follow. A report that
 * is lost with the link is made good by the next. What came in since the last one is not known to the standby:
 * - `lossless`: its window stands at the report. What came since could be replayed once after a takeover.
 * - `strict`: its window stands above by twice what lately came between two reports, and a little; so much that is
 * fresh may be lost. Nothing is taken twice unless an SA's rate has more than doubled within one report. The windows
 * stand there beforehand: a takeover costs no more by it.
 *
 * One pass over all SAs for a new follower, then over those that had traffic since the pass before; in slices, one or a
 * few in each report: so many that a fiftieth of the time goes there, and that the next pass begins a second later at
 * most.
 */
#include <stdlib.h>

#include "ha/inside.h"

#define REPORT_US MILLISECONDS(50)
#define PASS_MOST SECONDS(1)

enum { DUMP_EACH = 256, BATCH = 64, ENTRY = 12, STRICT_LEAST = 16, STRICT_TIMES = 2, DECAY_SHIFT = 3, SHARE = 50 };

struct ha_window *ha_window_find(const struct ha *ha, uint32_t spi)
{
	struct ha_window *w;

	HASH_FIND_BYHASHVALUE(hh, ha->ceil.windows, &spi, sizeof(spi), table_hash(&ha->objects.seed, &spi, sizeof(spi)),
			      w);
	return w;
}

static struct ha_window *get(struct ha *ha, uint32_t spi)
{
	struct ha_window *w = ha_window_find(ha, spi);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->spi = spi;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, ha->ceil.windows, &w->spi, sizeof(w->spi),
				    table_hash(&ha->objects.seed, &w->spi, sizeof(w->spi)), w);
	if (!w->hh.tbl) {
		free(w);
		return NULL;
	}
	return w;
}

static void forget(struct ha *ha, struct ha_window *w)
{
	HASH_DEL(ha->ceil.windows, w);
	free(w);
}

void ha_windows_clear(struct ha *ha)
{
	struct ha_window *w, *tmp;

	HASH_ITER (hh, ha->ceil.windows, w, tmp)
		forget(ha, w);
}

void ha_windows_note(struct ha *ha, uint32_t spi, bool added)
{
	struct ha_window *w = added ? get(ha, spi) : ha_window_find(ha, spi);

	if (w && !added)
		forget(ha, w);
	else if (w)
		w->since = ha_is_owner(ha) ? ha->turn + 1 : ha->in.applied + 1;
}

/* The standby that comes knows nothing. A takeover comes by here: nothing is done per SA. */
void ha_windows_restart(struct ha *ha)
{
	ha->ceil.stream++;
	ha->ceil.pass_packets = ha->ceil.report_packets = 0;
	ha->ceil.report_us = 0;
	ha->ceil.reported = ha_now(ha);
	ha->ceil.dump_cookie = 0;
	ha->ceil.pass_at = (mtime){ 0 };
	ha->ceil.pass_full = true;
	ha->ceil.in_pass = false;
	ha->ceil.hot.n = ha->ceil.was_hot.n = 0;
	ha->ceil.report_at = ha_now(ha);
}

/* Of this stream. NULL is fine. */
static struct ha_window *mine(struct ha *ha, struct ha_window *w)
{
	if (w && w->stream != ha->ceil.stream) {
		w->stream = ha->ceil.stream;
		w->top = 0;
		w->known = false;
	}
	return w;
}

/* ---- the owner ---- */

static size_t take(struct ha *ha, const struct dp_sa_state *states, size_t n, uint8_t *list)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		const struct dp_sa_state *s = &states[i];
		struct ha_ceiling *c;
		struct ha_window *w;

		if (s->id.dir == DP_OUT) {
			c = s->count.packets > 0 ? ha_ceiling_by_plane(ha, &s->id) : NULL;
			if (c && s->position > c->known) {
				c->known = s->position;
				ha_exact_note(ha, c);
			}
			continue;
		}
		if (s->position == 0)
			continue;
		w = mine(ha, get(ha, s->id.spi));
		if (!w)
			continue;
		if (s->position <= w->top)
			continue;
		ha->ceil.pass_packets += w->known ? s->position - w->top : 0;
		w->known = true;
		w->top = s->position;
		put_u32(list + ENTRY * out, s->id.spi);
		put_u64(list + ENTRY * out + 4, s->position);
		out++;
	}
	return out;
}

static void pass_ends(struct ha *ha)
{
	struct ha_ceilings *c = &ha->ceil;
	mtime now = ha_now(ha);

	c->pass_at = mtime_add(c->pass_began, c->pass_us * SHARE < PASS_MOST ? c->pass_us * SHARE : PASS_MOST);
	c->pass_full = false;
	c->report_packets = c->pass_packets;
	c->report_us = mtime_since(c->reported, now);
	c->pass_packets = 0;
	c->was_hot = c->hot;
	c->hot.n = 0;
	c->reported = now;
}

static void write_windows(struct ha *ha, struct bytes list)
{
	struct ha_frame_writer f;

	ha_frame_begin(&f, &ha->tx, HA_WINDOWS);
	ha_odd_field(ha, &f);
	if (list.n > 0)
		ha_field(&f, HA_TAG_WINDOW_LIST, list);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

/* True: the pass goes on. */
static bool slice(struct ha *ha)
{
	struct ha_ceilings *c = &ha->ceil;
	struct dp_sa_state states[DUMP_EACH];
	uint8_t list[ENTRY * DUMP_EACH];
	size_t n, changed;
	bool more;

	if (c->pass_full || !ha->ops->take_used) {
		n = ha->ops->dump(ha->arg, &c->dump_cookie, states, DUMP_EACH);
		more = c->dump_cookie != 0;
	} else {
		n = ha->ops->take_used(ha->arg, states, DUMP_EACH);
		more = n == DUMP_EACH;
	}
	changed = take(ha, states, n, list);
	if (changed > 0)
		write_windows(ha, bytes_of(list, ENTRY * changed));
	return more;
}

static void go_on(struct ha *ha, mtime begin, int64_t may)
{
	struct ha_ceilings *c = &ha->ceil;
	int64_t spent;

	if (!c->in_pass) {
		if (!mtime_reached(c->pass_at, begin))
			return;
		c->in_pass = true;
		c->pass_began = begin;
		c->pass_us = 0;
	}
	do {
		c->in_pass = slice(ha);
		spent = mtime_since(begin, ha_now(ha));
	} while (c->in_pass && spent < may && ha_buffer_len(&ha->tx) < HA_SEND_HIGH);
	c->pass_us += spent;
	if (!c->in_pass)
		pass_ends(ha);
}

bool ha_windows_used(struct ha *ha)
{
	struct dp_sa_state states[DUMP_EACH];
	bool came = false;

	if (!ha->ops->take_used)
		return false;
	for (size_t i = ha->ops->take_used(ha->arg, states, DUMP_EACH); i > 0; i--)
		came |= states[i - 1].id.dir == DP_IN;
	return came;
}

/* So that in our next reign only what comes then counts. */
static void drain(struct ha *ha)
{
	struct dp_sa_state states[DUMP_EACH];

	ha->ceil.drain = ha->ops->take_used && ha->ops->take_used(ha->arg, states, DUMP_EACH) == DUMP_EACH;
}

void ha_windows_report(struct ha *ha)
{
	int64_t every = ha->cfg.report_us > 0 ? ha->cfg.report_us : REPORT_US;
	mtime now = ha_now(ha);
	size_t before = ha_buffer_len(&ha->tx);

	if (ha->ceil.drain && !ha_is_owner(ha))
		drain(ha);
	if (!ha_streams(ha) || !mtime_reached(ha->ceil.report_at, now))
		return;
	ha->ceil.report_at = mtime_add(now, every);
	go_on(ha, now, every / SHARE);
	/* Also an empty one: it says that our loop runs, and that the link does. */
	if (ha->link && ha_buffer_len(&ha->tx) == before)
		write_windows(ha, (struct bytes){ 0 });
}

/* ---- the standby ---- */

static void flush(struct ha *ha, const struct dp_op *ops, size_t n)
{
	if (n > 0 && ha_operate(ha, HA_TOKEN | ++ha->token, ops, n) != GW_OK)
		ha_link_break(ha, "out of memory");
}

/* Where its window should stand. */
static uint64_t stand(const struct ha *ha, const struct ha_window *w)
{
	return ha->cfg.strict ? w->top + STRICT_TIMES * w->burst + STRICT_LEAST : w->top;
}

static void follow(struct ha_window *w, uint64_t top)
{
	uint64_t came = w->known ? top - w->top : 0;

	w->burst -= w->burst >> DECAY_SHIFT;
	w->burst = came > w->burst ? came : w->burst;
	w->known = true;
	w->top = top;
}

static void move(struct dp_op *op, const struct ha_window *w, uint64_t position)
{
	*op = (struct dp_op){ .kind = DP_SA_WINDOW };
	op->id = (struct dp_sa_id){ .dir = DP_IN, .spi = w->spi };
	op->position = position;
}

/* All of them where they should, and as far above it as they move in so many reports. */
static void stand_all(struct ha *ha, uint64_t reports)
{
	struct ha_window *w, *tmp;
	struct dp_op ops[BATCH];
	size_t n = 0;

	HASH_ITER (hh, ha->ceil.windows, w, tmp) {
		if (!w->known || (reports > 0 && w->burst == 0))
			continue;
		move(&ops[n++], w, stand(ha, w) + w->burst * reports);
		if (n == BATCH) {
			flush(ha, ops, n);
			n = 0;
		}
	}
	flush(ha, ops, n);
}

/* What was reported before stands where lossless has it. */
void ha_windows_stricter(struct ha *ha)
{
	if (!ha_is_owner(ha))
		stand_all(ha, 0);
}

/* The other node was heard for longer than it reported: it has gone on meanwhile. */
void ha_windows_strict(struct ha *ha)
{
	const struct ha_roles *r = &ha->roles;
	int64_t every = ha->cfg.report_us > 0 ? ha->cfg.report_us : REPORT_US, silent = 0;

	for (size_t i = 0; i < WATCH_PATHS; i++)
		if (r->view.paths[i].used && mtime_since(ha->ceil.reported, r->view.paths[i].heard) > silent)
			silent = mtime_since(ha->ceil.reported, r->view.paths[i].heard);
	if (ha->cfg.strict && silent >= 2 * every)
		stand_all(ha, (uint64_t)(silent / every));
}

enum gw_err ha_windows_apply(struct ha *ha, struct bytes fields)
{
	struct reader r = rd_of(fields), v;
	struct dp_op ops[BATCH];
	size_t n = 0;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag != HA_TAG_WINDOW_LIST) {
			TRY(ha_field_unknown(tag));
			continue;
		}
		while (v.left > 0) {
			uint32_t spi = rd_u32(&v);
			uint64_t top = rd_u64(&v);
			struct ha_window *w = mine(ha, ha_window_find(ha, spi));

			if (v.bad)
				return GW_EMALFORMED;
			if (!w || top <= w->top)
				continue;
			follow(w, top);
			move(&ops[n++], w, stand(ha, w));
			if (n == BATCH) {
				flush(ha, ops, n);
				n = 0;
			}
		}
	}
	flush(ha, ops, n);
	ha->ceil.reported = ha_now(ha);
	return r.bad ? GW_EMALFORMED : GW_OK;
}
