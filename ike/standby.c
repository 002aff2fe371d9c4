/*
 * The engine of a node that does not speak: it follows the owner's records, with the data plane kept as they say, until
 * it takes over. See ike_apply() and ike_set_passive() in ike.h.
 */
#include <stdlib.h>

#include "ike/reqid.h"
#include "ike/settle.h"
#include "ike/state_record.h"

enum { OPS_OF_CHILD = 3 };

/* ---- what the data plane had before a turn ---- */

struct was {
	uint64_t key; /* of the IKE SA that it belonged to */
	uint32_t spi_in, spi_out, reqid;
	bool out;
	struct endpoint local, remote;
	bool encap;
};

struct limbo {
	struct was *was;
	size_t n, cap;
	bool lost; /* out of memory: some are missing */
};

static void limbo_note(void *arg, const struct child_sa *c)
{
	struct limbo *l = arg;
	const struct ike_sa *sa = c->sa;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct was *more = realloc(l->was, cap * sizeof(*more));

		if (!more) {
			l->lost = true;
			return;
		}
		l->was = more;
		l->cap = cap;
	}
	l->was[l->n++] = (struct was){ .key = ike_sa_local_spi(sa),
				       .spi_in = c->spi_in,
				       .spi_out = c->spi_out,
				       .reqid = c->reqid,
				       .out = c->out_installed,
				       .local = sa->local,
				       .remote = sa->remote,
				       .encap = sa_udp_encap(sa) };
}

static const struct was *limbo_find(const struct limbo *l, uint32_t spi_in)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->was[i].spi_in == spi_in)
			return &l->was[i];
	return NULL;
}

/* ---- the difference ---- */

static void op_remove(const struct was *w, enum dp_dir dir, struct dp_op *op)
{
	*op = (struct dp_op){ .kind = DP_SA_REMOVE };
	op->id = (struct dp_sa_id){ dir, dir == DP_IN ? w->spi_in : w->spi_out, w->remote.addr };
	op->owner = w->reqid;
}

static void op_move(const struct was *w, const struct ike_sa *sa, enum dp_dir dir, struct dp_op *op)
{
	*op = (struct dp_op){ .kind = DP_SA_MOVE };
	op->id = (struct dp_sa_id){ dir, dir == DP_IN ? w->spi_in : w->spi_out, w->remote.addr };
	op->owner = w->reqid;
	op->new_local = sa->local;
	op->new_remote = sa->remote;
	op->new_udp_encap = sa_udp_encap(sa);
}

static void follow_child(struct child_sa *c, const struct was *w, struct dp_op *ops, size_t *n)
{
	const struct ike_sa *sa = c->sa;

	if (!w) {
		child_op_in(c, ops, n);
		if (c->out_installed)
			child_op_out(c, ops, n);
		child_op_policy(c, ops, n);
		return;
	}
	/* Who is active, and has a record of the other one, sends on it already. */
	if (w->out && !sa->ike->passive)
		c->out_installed = true;
	if (!endpoint_equal(&w->local, &sa->local) || !endpoint_equal(&w->remote, &sa->remote) ||
	    w->encap != sa_udp_encap(sa)) {
		op_move(w, sa, DP_IN, &ops[(*n)++]);
		if (w->out && c->out_installed)
			op_move(w, sa, DP_OUT, &ops[(*n)++]);
	}
	if (w->out && !c->out_installed) /* the other node's plane has refused it */
		op_remove(w, DP_OUT, &ops[(*n)++]);
	if (c->out_installed && !w->out)
		child_op_out(c, ops, n);
}

static size_t count_children(const struct ike_sa *sa)
{
	size_t n = 0;

	for (const struct child_sa *c = sa ? sa->children : NULL; c; c = c->next)
		n++;
	return n;
}

static bool is_over(const struct ike *ike, uint64_t key, const struct was *w)
{
	return w->key == key && !ike_find_child(ike, w->spi_in);
}

/*
 * Its outbound SA has the name of another one: two nodes that were parted have answered one request, each with a nonce
 * and an SPI of its own. The plane has room for one.
 */
static bool makes_room(const struct ike_sa *sa, const struct limbo *l, const struct was *w)
{
	if (!w->out)
		return false;
	for (const struct child_sa *c = sa ? sa->children : NULL; c; c = c->next)
		if (c->spi_out == w->spi_out && c->out_installed && !limbo_find(l, c->spi_in))
			return true;
	return false;
}

/*
 * One batch for one changed SA. Additions come first, but for what they take the place of; the oldest CHILD SA first:
 * the newest is sent by.
 */
static void follow_sa(struct ike *ike, const struct ike_change *changes, size_t at, const struct limbo *l)
{
	const struct ike_sa *sa = ike_find(ike, changes[at].key);
	struct child_sa *in_order[2 * IKE_CHILD_MAX];
	size_t children = 0, n = 0, cap = (count_children(sa) + l->n) * OPS_OF_CHILD;
	struct dp_op *ops = cap > 0 ? calloc(cap, sizeof(*ops)) : NULL;

	if (cap == 0)
		return;
	if (!ops) {
		count_up(ike, drop_memory);
		return;
	}
	for (struct child_sa *c = sa ? sa->children : NULL; c && children < ARRAY_LEN(in_order); c = c->next)
		in_order[children++] = c;
	for (size_t i = 0; i < l->n; i++)
		if (is_over(ike, changes[at].key, &l->was[i]) && makes_room(sa, l, &l->was[i]))
			op_remove(&l->was[i], DP_OUT, &ops[n++]);
	while (children-- > 0)
		follow_child(in_order[children], limbo_find(l, in_order[children]->spi_in), ops, &n);
	for (size_t i = 0; i < l->n; i++) {
		const struct was *w = &l->was[i];

		if (!is_over(ike, changes[at].key, w))
			continue;
		if (!reqid_find(ike, w->reqid)) {
			ops[n].kind = DP_POLICY_REMOVE;
			ops[n++].reqid = w->reqid;
		}
		if (w->out && !makes_room(sa, l, w))
			op_remove(w, DP_OUT, &ops[n++]);
		op_remove(w, DP_IN, &ops[n++]);
	}
	if (n > 0 && ike_operate_for(ike, changes[at].key, ops, n) != GW_OK)
		count_up(ike, drop_memory);
	free(ops);
}

static void take_out(struct ike *ike, uint64_t key, struct limbo *l)
{
	const struct ike_sa *sa = ike_find(ike, key);

	for (const struct child_sa *c = sa ? sa->children : NULL; c; c = c->next)
		limbo_note(l, c);
	ike_forget(ike, key, false);
}

/* An active engine has taken it from another node: our timers of it begin, our standby hears of it. */
static void go_on(struct ike_sa *sa)
{
	sa->era = sa->ike->era - 1;
	due_set(&sa->ike->due, sa, ike_now(sa->ike));
	sa_touch(sa);
}

/* Its address is another client's now. Without it the SA is of no use, and its peer has to know. */
static void close_conflict(struct ike *ike, struct ike_change *c)
{
	struct err e = { 0 };
	struct ike_sa *sa;

	if (state_adopt_bare(ike, c->key, c->record, &e) != GW_OK)
		return;
	sa = ike_find(ike, c->key);
	sa_touch(sa);
	sa_terminate(sa, "its inner address was given to another client while the nodes were parted");
}

static void adopt(struct ike *ike, struct ike_change *c, struct limbo *limbo)
{
	struct err e = { 0 };

	c->result = state_adopt(ike, c->key, c->record, limbo_note, limbo, &e);
	if (c->result == GW_OK && !ike->passive)
		go_on(ike_find(ike, c->key));
	else if (c->result == GW_EEXIST && !ike->passive)
		close_conflict(ike, c);
	if (c->result != GW_OK)
		memcpy(c->text, e.text, sizeof(c->text) - 1);
	c->text[sizeof(c->text) - 1] = 0;
}

int64_t ike_heard_us(const struct ike *ike, uint64_t key)
{
	const struct ike_sa *sa = ike_find(ike, key);

	return sa && sa->heard.us > 0 && sa->heard_era == ike->era ? mtime_since(sa->heard, ike_now(ike)) : INT64_MAX;
}

void ike_apply(struct ike *ike, struct ike_change *changes, size_t n)
{
	struct limbo limbo = { 0 };

	/* What is replaced goes first: CHILD SAs and leases may stand in the record of another IKE SA now. */
	for (size_t i = 0; i < n; i++)
		take_out(ike, changes[i].key, &limbo);
	for (size_t i = 0; i < n; i++) {
		changes[i].result = GW_OK;
		changes[i].text[0] = 0;
		if (changes[i].record.n == 0)
			continue;
		adopt(ike, &changes[i], &limbo);
	}
	/* Policies and SAs that stay are not touched: keys and sequence numbers live on in the data plane. */
	for (size_t i = 0; i < n; i++)
		follow_sa(ike, changes, i, &limbo);
	if (limbo.lost)
		count_up(ike, drop_memory);
	free(limbo.was);
}

/* ---- passive and active ---- */

static mtime later(struct ike *ike, mtime when, mtime now, int64_t min_us)
{
	if (when.us > now.us + min_us)
		return when;
	return mtime_add(now, min_us + settle_spread(ike, SECONDS(SPREAD_SECONDS)));
}

void sa_note_era(struct ike_sa *sa)
{
	if (sa->era == sa->ike->era)
		return;
	sa->era = sa->ike->era;
	sa->session.failovers++;
}

void sa_resume_timers(struct ike_sa *sa, mtime now)
{
	struct ike *ike = sa->ike;
	struct window *w = &sa->window;
	int64_t dpd = sa->conn ? sa->conn->dpd_us : 0;

	sa_note_era(sa);
	if (sa->our_x && sa->our_x->waiting && !sa->our_x->waiting->token) {
		x_rekey_child_finish(sa, sa->our_x->waiting, GW_OK); /* its answer came to the one before us */
		sa_touch(sa);
	}
	if (window_busy(w)) {
		w->tries = 0; /* the peer has had no chance to answer us */
		settle_inherit(sa, now);
		w->retransmit_at = mtime_add(now, settle_spread(ike, sa->settings->ike.retransmit_us));
	}
	/* We did not hear what it said to the one before us. */
	if (dpd > 0 && mtime_since(sa->last_in, now) >= dpd / 2)
		sa->last_in = (mtime){ now.us - dpd / 2 + settle_spread(ike, dpd / 2) };
	/* First the CHILD SAs and later their IKE SA, and no end before there was time for a rekey. */
	for (struct child_sa *c = sa->children; c; c = c->next) {
		c->rekey_at = later(ike, c->rekey_at, now, 0);
		if (c->state == CHILD_UP)
			c->life_at = later(ike, c->life_at, now, SECONDS(2 * SPREAD_SECONDS));
	}
	sa->rekey_at = later(ike, sa->rekey_at, now, SECONDS(SPREAD_SECONDS));
	if (sa_is_uncertain(sa))
		settle_plan(sa, now);
	if (sa->state == IKE_UP)
		sa->life_at = later(ike, sa->life_at, now, SECONDS(3 * SPREAD_SECONDS));
	sa_reschedule(sa);
}

/* Back to what the standby knows of it: without the request in hand, which the peer sends again to the next owner. */
static void drop_request(struct ike *ike, const struct ike_sa *sa, uint8_t *buf)
{
	struct writer w = wr_of(buf, IKE_RECORD_MAX);
	struct ike_change change = { .key = ike_sa_local_spi(sa) };

	if (ike_encode(ike, change.key, &w) == GW_OK)
		change.record = wr_done(&w);
	ike_apply(ike, &change, 1);
	secret_wipe(buf, w.n);
}

static void quieten(struct ike *ike)
{
	uint8_t *buf = malloc(IKE_RECORD_MAX);

	for (size_t i = ike->list_len; buf && i-- > 0;) {
		struct ike_sa *sa = i < ike->list_len ? ike->list[i] : NULL;

		if (!sa)
			continue;
		if (!sa->adopted)
			sa->certain = ike->doubt;
		sa->adopted = true; /* whoever speaks now need not tell us of requests that change nothing */
		if (sa->peer_x)
			drop_request(ike, sa, buf);
	}
	free(buf);
}

void ike_set_passive(struct ike *ike, bool passive)
{
	if (ike->passive == passive)
		return;
	ike->passive = passive;
	if (passive) {
		quieten(ike);
		return;
	}
	ike->era++;
	if (ike->doubt) /* of the owner before us, or of us when we were it */
		settle_begin(ike);
}

void ike_set_draining(struct ike *ike, bool draining)
{
	ike->draining = draining;
}

bool ike_is_passive(const struct ike *ike)
{
	return ike->passive;
}

/* ---- cookies ---- */

enum { COOKIES_LEN = 10 + 2 * COOKIE_SECRET }; /* without the doubt */

enum gw_err ike_encode_cookies(const struct ike *ike, struct writer *out)
{
	const struct cookie_jar *j = &ike->cookies;

	wr_u8(out, j->version);
	wr_u8(out, j->have_previous);
	wr_u64(out, (uint64_t)mtime_since(ike_now(ike), j->rotate));
	wr_bytes(out, bytes_of(j->secret, sizeof(j->secret)));
	wr_u32(out, ike->doubt);
	return out->bad ? GW_ELIMIT : GW_OK;
}

enum gw_err ike_decode_cookies(struct ike *ike, struct bytes record)
{
	struct reader r = rd_of(record);
	struct cookie_jar *j = &ike->cookies;
	int64_t left;

	if (record.n < COOKIES_LEN)
		return GW_EMALFORMED;
	j->version = rd_u8(&r);
	j->have_previous = rd_u8(&r) & 1;
	left = (int64_t)rd_u64(&r);
	if (left > SECONDS(3600) || left < -SECONDS(3600))
		left = 0;
	rd_copy(&r, j->secret, sizeof(j->secret));
	j->rotate = mtime_add(ike_now(ike), left);
	if (ike->passive)
		ike->doubt = r.left >= 4 ? rd_u32(&r) : 0; /* nodes of the version before say nothing of it */
	ike->cookies_dirty = false;
	return GW_OK;
}
