#include "esp/fake.h"

#include <stdlib.h>

#include "esp/outbox.h"

enum {
	FAKE_EVENTS = 1024,
	FAKE_FAILURES = 16,
	OP_KINDS = DP_POLICY_REMOVE + 1,
};

struct failure {
	enum dp_op_kind kind;
	uint32_t spi;
	enum gw_err result;
	unsigned times;
};

struct fake_plane {
	struct dataplane dp;
	const struct env *env; /* borrowed */
	struct dp_caps caps;
	struct sad *sad;
	struct spd *spd;
	struct batch *first, *last; /* owned; waiting */
	size_t waiting, hold;
	struct outbox outbox;
	void (*wake)(void *arg);
	void *wake_arg;
	struct failure failures[FAKE_FAILURES];
	enum gw_err refusal;
	unsigned refuse;
	enum dp_gate gate;
	struct fake_record *records; /* owned ring */
	uint64_t recorded;
	uint64_t applied[OP_KINDS];
	uint64_t fence_drops, no_sa, no_policy, shut_drops, replays;
};

static struct fake_plane *self(const struct dataplane *dp)
{
	return (struct fake_plane *)(uintptr_t)dp; /* dp is the first member */
}

static void fake_destroy(struct dataplane *dp)
{
	struct fake_plane *f = self(dp);

	if (!dp)
		return;
	while (f->first) {
		struct batch *b = f->first;

		f->first = b->next;
		batch_destroy(b);
	}
	outbox_clear(&f->outbox);
	sad_destroy(f->sad);
	spd_destroy(f->spd);
	free(f->records);
	free(f);
}

static const struct dp_caps *fake_caps(const struct dataplane *dp)
{
	return &self(dp)->caps;
}

static void wake(struct fake_plane *f, bool was_empty)
{
	if (was_empty && !outbox_empty(&f->outbox) && f->wake)
		f->wake(f->wake_arg);
}

/* ---- batches ---- */

static uint32_t op_number(const struct dp_op *op)
{
	switch (op->kind) {
	case DP_SA_ADD:
		return op->sa.spi;
	case DP_POLICY_SET:
		return op->policy.reqid;
	case DP_POLICY_REMOVE:
		return op->reqid;
	default:
		return op->id.spi;
	}
}

static bool wished_to_fail(struct fake_plane *f, struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < FAKE_FAILURES; k++) {
			struct failure *w = &f->failures[k];

			if (w->times == 0 || w->kind != b->ops[i].kind)
				continue;
			if (w->spi != 0 && w->spi != op_number(&b->ops[i]))
				continue;
			w->times--;
			b->result = w->result;
			memcpy(b->text, "failed on request", sizeof("failed on request"));
			return true;
		}
	return false;
}

static void record(struct fake_plane *f, const struct batch *b, const struct dp_op *op)
{
	struct fake_record *r = &f->records[f->recorded++ % FAKE_RECORDS_KEPT];

	*r = (struct fake_record){ .kind = op->kind, .token = b->token, .result = b->result };
	switch (op->kind) {
	case DP_SA_ADD:
		r->dir = op->sa.dir;
		r->spi = op->sa.spi;
		r->reqid = op->sa.reqid;
		r->position = op->sa.start;
		break;
	case DP_POLICY_SET:
	case DP_POLICY_REMOVE:
		r->reqid = op_number(op);
		break;
	default:
		r->dir = op->id.dir;
		r->spi = op->id.spi;
		r->position = op->position;
	}
	if (b->result == GW_OK && (size_t)op->kind < OP_KINDS)
		f->applied[op->kind]++;
}

size_t fake_plane_run(struct dataplane *dp, size_t max)
{
	struct fake_plane *f = self(dp);
	const struct batch_tables tables = { f->sad, f->spd, &f->caps, f->gate };
	bool was_empty = outbox_empty(&f->outbox);
	size_t n = 0;

	for (; n < max && f->first; n++) {
		struct batch *b = f->first;

		f->first = b->next;
		if (!f->first)
			f->last = NULL;
		f->waiting--;
		if (!wished_to_fail(f, b))
			batch_apply(b, &tables);
		for (size_t i = 0; i < b->n; i++)
			record(f, b, &b->ops[i]);
		outbox_adopt_done(&f->outbox, b);
	}
	wake(f, was_empty);
	return n;
}

static enum gw_err fake_submit(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n)
{
	struct fake_plane *f = self(dp);
	struct batch *b;

	if (f->refuse > 0) {
		f->refuse--;
		return f->refusal;
	}
	b = batch_copy(token, ops, n);
	if (!b)
		return GW_ENOMEM;
	*(f->last ? &f->last->next : &f->first) = b;
	f->last = b;
	f->waiting++;
	if (f->waiting > f->hold)
		(void)fake_plane_run(dp, f->waiting - f->hold);
	return GW_OK;
}

static bool fake_take_event(struct dataplane *dp, struct dp_event *out)
{
	return outbox_take(&self(dp)->outbox, out);
}

static enum gw_err fake_query(struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa_state *out)
{
	const struct sad_sa *sa = sad_find(self(dp)->sad, id);

	if (!sa)
		return GW_ENOTFOUND;
	sad_state(sa, out);
	return GW_OK;
}

static size_t fake_dump(struct dataplane *dp, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	return sad_dump(self(dp)->sad, cookie, out, max);
}

static size_t fake_take_used(struct dataplane *dp, struct dp_sa_state *out, size_t max)
{
	return sad_take_used(self(dp)->sad, out, max);
}

static void fake_set_open(struct dataplane *dp, enum dp_gate gate)
{
	self(dp)->gate = gate;
}

static size_t fake_stats(struct dataplane *dp, struct dp_stat *out, size_t max)
{
	const struct fake_plane *f = self(dp);
	const struct dp_stat all[] = {
		{ "fence", f->fence_drops }, { "no_sa", f->no_sa },    { "no_policy", f->no_policy },
		{ "shut", f->shut_drops },   { "replay", f->replays },
	};

	for (size_t i = 0; i < ARRAY_LEN(all) && i < max; i++)
		out[i] = all[i];
	return ARRAY_LEN(all);
}

static const struct dataplane_ops fake_ops = {
	.destroy = fake_destroy,
	.caps = fake_caps,
	.submit = fake_submit,
	.take_event = fake_take_event,
	.query = fake_query,
	.dump = fake_dump,
	.take_used = fake_take_used,
	.set_open = fake_set_open,
	.stats = fake_stats,
};

struct dataplane *fake_plane_create(const struct env *env, struct err *e)
{
	struct fake_plane *f = calloc(1, sizeof(*f));
	enum gw_err code = GW_ENOMEM;

	if (f) {
		f->dp.ops = &fake_ops;
		f->env = env;
		f->caps = (struct dp_caps){ "fake", true, true, true, false, REPLAY_WINDOW_MAX, true, true, true };
		f->hold = SIZE_MAX;
		f->gate = DP_OPEN;
		f->sad = sad_create(env->rng);
		f->spd = spd_create(env->rng);
		f->records = calloc(FAKE_RECORDS_KEPT, sizeof(*f->records));
		code = outbox_init(&f->outbox, FAKE_EVENTS);
	}
	if (f && f->sad && f->spd && f->records && code == GW_OK)
		return &f->dp;
	(void)err_set(e, GW_ENOMEM, "fake data plane: %s", gw_err_text(GW_ENOMEM));
	if (f)
		fake_destroy(&f->dp);
	return NULL;
}

void fake_plane_hold(struct dataplane *dp, size_t most)
{
	struct fake_plane *f = self(dp);

	f->hold = most;
	if (f->waiting > most)
		(void)fake_plane_run(dp, f->waiting - most);
}

size_t fake_plane_waiting(const struct dataplane *dp)
{
	return self(dp)->waiting;
}

void fake_plane_on_wake(struct dataplane *dp, void (*wake_cb)(void *arg), void *arg)
{
	self(dp)->wake = wake_cb;
	self(dp)->wake_arg = arg;
}

/* ---- failures ---- */

void fake_plane_fail(struct dataplane *dp, enum dp_op_kind kind, uint32_t spi, enum gw_err result, unsigned times)
{
	struct fake_plane *f = self(dp);
	struct failure *slot = NULL;

	for (size_t i = 0; i < FAKE_FAILURES; i++) {
		struct failure *w = &f->failures[i];

		if (w->times > 0 && w->kind == kind && w->spi == spi) {
			slot = w;
			break;
		}
		if (w->times == 0 && !slot)
			slot = w;
	}
	if (slot)
		*slot = (struct failure){ kind, spi, result, times };
}

void fake_plane_refuse(struct dataplane *dp, enum gw_err result, unsigned times)
{
	self(dp)->refusal = result;
	self(dp)->refuse = times;
}

void fake_plane_set_caps(struct dataplane *dp, const struct dp_caps *caps)
{
	self(dp)->caps = *caps;
}

/* ---- inspection ---- */

size_t fake_plane_sa_count(const struct dataplane *dp)
{
	return sad_count(self(dp)->sad);
}

size_t fake_plane_policy_count(const struct dataplane *dp)
{
	return spd_count(self(dp)->spd);
}

bool fake_plane_is_open(const struct dataplane *dp)
{
	return self(dp)->gate == DP_OPEN;
}

bool fake_plane_sa(const struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa *out)
{
	const struct sad_sa *sa = sad_find(self(dp)->sad, id);

	if (!sa)
		return false;
	*out = (struct dp_sa){
		.dir = (enum dp_dir)sa->key.dir,
		.mode = (enum dp_mode)sa->mode,
		.spi = sa->key.spi,
		.reqid = sa->reqid,
		.local = sa->local,
		.remote = sa->remote,
		.udp_encap = sa->udp_encap,
		.suite = sa->suite,
		.encr_key = sad_encr_key(sa),
		.integ_key = sad_integ_key(sa),
		.esn = sa->esn,
		.replay_window = sa->key.dir == DP_IN ? sa->replay.window : 0,
		.copy_dscp = sa->copy_dscp,
		.copy_df = sa->copy_df,
		.start = sa->key.dir == DP_IN ? sa->replay.top : sa->position,
		.fence = sa->fence,
		.base = sa->count,
	};
	return true;
}

bool fake_plane_policy(const struct dataplane *dp, uint32_t reqid, struct dp_policy *out)
{
	const struct spd_policy *p = spd_find(self(dp)->spd, reqid);

	if (!p)
		return false;
	*out = (struct dp_policy){
		.reqid = p->reqid,
		.ours = spd_ours(p),
		.ours_count = p->ours_count,
		.theirs = spd_theirs(p),
		.theirs_count = p->theirs_count,
	};
	return true;
}

bool fake_plane_newest_out(const struct dataplane *dp, uint32_t reqid, struct dp_sa_id *out)
{
	const struct sad_sa *sa = sad_newest_out(self(dp)->sad, reqid);

	if (sa)
		*out = sad_id(sa);
	return sa != NULL;
}

uint64_t fake_plane_recorded(const struct dataplane *dp)
{
	return self(dp)->recorded;
}

bool fake_plane_record(const struct dataplane *dp, uint64_t number, struct fake_record *out)
{
	const struct fake_plane *f = self(dp);

	if (number >= f->recorded || f->recorded - number > FAKE_RECORDS_KEPT)
		return false;
	*out = f->records[number % FAKE_RECORDS_KEPT];
	return true;
}

uint64_t fake_plane_applied(const struct dataplane *dp, enum dp_op_kind kind)
{
	return self(dp)->applied[kind];
}

/* ---- traffic ---- */

uint64_t fake_plane_send(struct dataplane *dp, uint32_t reqid, uint64_t n, uint64_t bytes_each)
{
	struct fake_plane *f = self(dp);
	struct sad_sa *sa = sad_newest_out(f->sad, reqid);
	bool was_empty = outbox_empty(&f->outbox);
	uint64_t sent = 0, seq;

	if (f->gate != DP_OPEN)
		f->shut_drops += n;
	else if (!spd_find(f->spd, reqid))
		f->no_policy += n;
	else if (!sa)
		f->no_sa += n;
	if (f->gate != DP_OPEN || !sa || !spd_find(f->spd, reqid))
		return 0;
	for (bool more = n > 0; more;) {
		unsigned tell;

		more = sad_next(sa, &seq, &tell);
		outbox_tell_fence(&f->outbox, sa, tell);
		sent += more;
		more = more && sent < n;
	}
	f->fence_drops += n - sent;
	sa->count.packets += sent;
	sa->count.bytes += sent * bytes_each;
	sa->last_use = clock_now(f->env->clock);
	sad_touch(f->sad, sa);
	wake(f, was_empty);
	return sent;
}

static void tell_no_sa(struct fake_plane *f, uint32_t spi, uint64_t seq, const struct endpoint *from)
{
	struct dp_event event = { .kind = DP_NO_SA, .position = seq };

	event.id.dir = DP_IN;
	event.id.spi = spi;
	if (from)
		event.remote = *from;
	f->no_sa++;
	outbox_put(&f->outbox, &event);
}

static bool receive(struct fake_plane *f, uint32_t spi, uint64_t seq, const struct endpoint *from, uint64_t bytes)
{
	struct sad_sa *sa = sad_find_in(f->sad, spi);
	bool highest;

	if (f->gate == DP_SHUT) {
		f->shut_drops++;
		return false;
	}
	if (!sa) {
		tell_no_sa(f, spi, seq, from);
		return false;
	}
	highest = seq > sa->replay.top;
	if (!replay_accept(&sa->replay, seq)) {
		f->replays++;
		sa->replays++;
		return false;
	}
	if (highest && from)
		outbox_tell_moved(&f->outbox, sa, from);
	sa->last_use = clock_now(f->env->clock);
	sad_touch(f->sad, sa);
	if (!spd_find(f->spd, sa->reqid)) {
		sa->bad_policy++;
		return false;
	}
	sa->count.packets++;
	sa->count.bytes += bytes;
	return true;
}

bool fake_plane_receive(struct dataplane *dp, uint32_t spi, uint64_t seq, const struct endpoint *from, uint64_t bytes)
{
	struct fake_plane *f = self(dp);
	bool was_empty = outbox_empty(&f->outbox), taken = receive(f, spi, seq, from, bytes);

	wake(f, was_empty);
	return taken;
}

bool fake_plane_raise(struct dataplane *dp, const struct dp_event *event)
{
	struct fake_plane *f = self(dp);
	bool was_empty = outbox_empty(&f->outbox), kept = outbox_put(&f->outbox, event);

	wake(f, was_empty);
	return kept;
}
