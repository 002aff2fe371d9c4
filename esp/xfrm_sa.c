#include <netinet/in.h>
#include <stdlib.h>

#include "esp/xfrm_state.h"

/* How far an outbound number may have moved between looking and deleting, when the last word was lost. */
#define LOST_WORD_MARGIN (UINT64_C(1) << 16)

struct xfrm_state_id xfrm_sa_id(const struct sad_sa *sa)
{
	return (struct xfrm_state_id){ (enum dp_dir)sa->key.dir, sa->key.spi,	 sa->local.addr,
				       sa->remote.addr,		 sa->extra.mark, sa->extra.mark_mask };
}

/* RFC 4303 3.3.3: without ESN the counter may not cycle. Checked before a packet is numbered: limit n lets n pass. */
uint64_t xfrm_sa_limit(const struct sad_sa *sa)
{
	if (sa->key.dir == DP_IN)
		return XFRM_NO_LIMIT;
	return !sa->esn && sa->fence > UINT32_MAX ? UINT32_MAX : sa->fence;
}

struct xfrm_state xfrm_sa_state(const struct xfrm_plane *x, const struct sad_sa *sa)
{
	bool in = sa->key.dir == DP_IN;

	return (struct xfrm_state){
		.dir = (enum dp_dir)sa->key.dir,
		.mode = (enum dp_mode)sa->mode,
		.spi = sa->key.spi,
		.reqid = sa->reqid,
		.sign = xfrm_sign(x->env->node.index, in ? XFRM_KIND_IN : XFRM_KIND_OUT),
		.local = sa->local,
		.remote = sa->remote,
		.udp_encap = sa->udp_encap,
		.esn = sa->esn,
		.copy_dscp = sa->copy_dscp,
		.copy_df = sa->copy_df,
		.suite = sa->suite,
		.encr_key = sad_encr_key(sa),
		.integ_key = sad_integ_key(sa),
		.soft = in || sa->near_at >= xfrm_sa_limit(sa) ? XFRM_NO_LIMIT : sa->near_at,
		.hard = xfrm_sa_limit(sa),
		.reports = xfrm_reports_of_new(x),
		.extra = sa->extra,
	};
}

void xfrm_sa_add(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n)
{
	struct xfrm_state s = xfrm_sa_state(x, sa);

	sa->kernel.hard = s.hard;
	sa->kernel.packets = n->packets;
	sa->kernel.bytes = n->bytes;
	sa->kernel.tame = false;
	XFRM_EMIT(x, SENT_ADD, sa, xfrm_put_new_sa(&x->tx, &s, n));
}

void xfrm_sa_delete(struct xfrm_plane *x, struct sad_sa *sa)
{
	struct xfrm_state_id id = xfrm_sa_id(sa);

	XFRM_EMIT(x, SENT_DELETE, sa, xfrm_put_del_sa(&x->tx, &id));
}

void xfrm_sa_numbers(struct xfrm_plane *x, const struct sad_sa *sa, struct xfrm_numbers *out)
{
	bool in = sa->key.dir == DP_IN;

	memset(out, 0, sizeof(*out));
	out->position = in ? sa->replay.top : sa->position;
	out->window = in ? xfrm_window(sa->replay.window, sa->esn) : XFRM_WINDOW_MIN;
	/* Outbound packets are in step with numbers, so that the packet limit is the fence. */
	out->packets = in ? sa->kernel.packets : sa->position;
	out->bytes = sa->kernel.bytes;
	out->add_time = (uint64_t)xfrm_wall(x);
}

void xfrm_sa_set_numbers(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n)
{
	struct xfrm_state_id id = xfrm_sa_id(sa);

	sa->kernel.packets = n->packets;
	sa->kernel.bytes = n->bytes;
	XFRM_EMIT(x, SENT_NUMBERS, sa, xfrm_put_new_ae(&x->tx, &id, sa->esn, sa->reqid, n));
}

/* ---- looking ---- */

/* Kernels before 6.2 do not tell when: then it was since we looked last. */
static void sample_use(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_view *v, bool moved)
{
	int64_t ago;

	if (v->last_used == 0) {
		if (moved)
			sa->last_use = x->now;
		return;
	}
	ago = xfrm_wall(x) - (int64_t)v->last_used;
	sa->last_use = mtime_add(x->now, ago > 0 ? -SECONDS(ago) : 0);
}

void xfrm_sa_sample(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_view *v)
{
	const struct xfrm_numbers *n = &v->numbers;
	bool moved = n->packets > sa->kernel.packets;

	if (moved) {
		sa->count.packets += n->packets - sa->kernel.packets;
		sad_touch(x->sad, sa);
	}
	/* Apart from packets: an aevent tells of those first. */
	if (n->bytes > sa->kernel.bytes)
		sa->count.bytes += n->bytes - sa->kernel.bytes;
	sa->kernel.packets = n->packets;
	sa->kernel.bytes = n->bytes;
	sa->kernel.epoch = x->epoch;
	if (sa->key.dir == DP_IN) {
		sa->replay.top = n->position;
		sa->replays = v->replays;
		sa->bad_icv = v->bad_icv;
	} else {
		sad_used(sa, n->position);
	}
	sample_use(x, sa, v, moved);
}

static struct sad_sa *find_view(const struct xfrm_plane *x, const struct xfrm_view *v)
{
	struct dp_sa_id id = { v->id.dir, v->id.spi, v->id.remote };
	enum xfrm_kind kind;

	if (!xfrm_sign_ours(v->user, x->env->node.index, &kind) || v->proto != IPPROTO_ESP)
		return NULL;
	return kind == XFRM_KIND_IN || kind == XFRM_KIND_OUT ? sad_find(x->sad, &id) : NULL;
}

struct look {
	struct xfrm_plane *x;
	const struct xfrm_state_id *wanted;
	struct xfrm_view view;
	bool larval; /* only one that nobody has made */
	bool found, deleted;
};

static void on_look(void *arg, const struct nlmsghdr *nlh)
{
	struct look *l = arg;
	enum xfrm_kind kind;
	struct xfrm_view v;

	if (!xfrm_get_state(nlh, &v) || v.id.spi != l->wanted->spi || v.id.dir != l->wanted->dir)
		return;
	if (!addr_equal(&v.id.local, &l->wanted->local) || !addr_equal(&v.id.remote, &l->wanted->remote))
		return;
	/* One that has taken the place of ours says nothing of its numbers. */
	if (l->larval ? v.user != 0 || v.algorithm != NULL : !xfrm_sign_ours(v.user, l->x->env->node.index, &kind))
		return;
	l->view = v;
	l->found = true;
	l->deleted = nlh->nlmsg_type == XFRM_MSG_DELSA;
}

static void on_look_answer(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	(void)index;
	on_look(arg, nlh);
}

/*
 * It may have come to its limit just now, and a larval state taken its place (esp/xfrm_msg.h): then it goes on from
 * there. Else the numbers are of no account.
 */
void xfrm_sa_update(struct xfrm_plane *x, struct sad_sa *sa)
{
	struct xfrm_state s = xfrm_sa_state(x, sa);
	struct xfrm_numbers n;

	xfrm_sa_numbers(x, sa, &n);
	if (sa->key.dir == DP_OUT) {
		n.position = sa->kernel.hard != XFRM_NO_LIMIT ? sa->kernel.hard : sa->position + LOST_WORD_MARGIN;
		if (n.position < sa->position)
			n.position = sa->position;
		n.packets = n.position;
	}
	XFRM_EMIT(x, SENT_UPDATE, sa, xfrm_put_update_sa(&x->tx, &s, &n));
}

/* In the place of one that came to its limit. */
void xfrm_sa_revive(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_numbers *n)
{
	struct xfrm_state_id id = xfrm_sa_id(sa);
	struct look l = { .x = x, .wanted = &id, .larval = true };
	const struct nl_handler h = { .data = on_look_answer, .arg = &l };
	struct xfrm_state s = xfrm_sa_state(x, sa);

	xfrm_send(x);
	if (!xfrm_put_get_sa(&x->tx, &id) || xfrm_ask(x, &h) != GW_OK || !l.found) {
		xfrm_sa_add(x, sa, n);
		return;
	}
	sa->kernel.hard = s.hard;
	sa->kernel.packets = n->packets;
	sa->kernel.bytes = n->bytes;
	sa->kernel.tame = false;
	XFRM_EMIT(x, SENT_ADD, sa, xfrm_put_update_sa(&x->tx, &s, n));
}

enum gw_err xfrm_sa_read(struct xfrm_plane *x, struct sad_sa *sa, struct xfrm_numbers *out)
{
	struct xfrm_state_id id = xfrm_sa_id(sa);
	struct look l = { .x = x, .wanted = &id };
	const struct nl_handler h = { .data = on_look_answer, .arg = &l };

	xfrm_send(x);
	if (!xfrm_put_get_sa(&x->tx, &id))
		return GW_EINTERNAL;
	TRY(xfrm_ask(x, &h));
	if (!l.found)
		return GW_ENOTFOUND;
	xfrm_sa_sample(x, sa, &l.view);
	if (out)
		*out = l.view.numbers;
	return GW_OK;
}

/* What was seen before the last word was lost: a little more counts as used. */
static void assume_more(const struct sad_sa *sa, struct xfrm_numbers *n)
{
	uint64_t most = xfrm_sa_limit(sa);

	if (sa->key.dir == DP_IN)
		return; /* what came in between may be replayed once: RFC 4303 has no better answer, and it is
			   microseconds */
	n->position = n->position + LOST_WORD_MARGIN < most ? n->position + LOST_WORD_MARGIN : most;
	n->packets = n->position;
}

enum gw_err xfrm_sa_take_out(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_state_id *id,
			     struct xfrm_numbers *out)
{
	struct look before = { .x = x, .wanted = id }, last = before;
	const struct nl_handler h = { .data = on_look_answer, .arg = &before };
	bool overrun = false;
	enum gw_err r;

	xfrm_send(x);
	/*
	 * Under the state's lock deleting ends all traffic, and the notification is made after that: it has the state's
	 * very last numbers. So nothing is lost of the window, and no number is used twice.
	 */
	TRY(nl_join(&x->witness, XFRMNLGRP_SA, NULL));
	r = xfrm_put_get_sa(&x->tx, id) && xfrm_put_del_sa(&x->tx, id) ? xfrm_ask(x, &h) : GW_EINTERNAL;
	nl_leave(&x->witness, XFRMNLGRP_SA);
	(void)nl_receive(&x->witness, SIZE_MAX, on_look, &last, &overrun);
	if (r != GW_OK)
		return r;
	if (!before.found && !(last.found && last.deleted))
		return GW_ENOTFOUND;
	if (last.found && last.deleted) {
		*out = last.view.numbers;
		xfrm_sa_sample(x, sa, &last.view);
	} else {
		*out = before.view.numbers;
		xfrm_sa_sample(x, sa, &before.view);
		assume_more(sa, out);
	}
	sa->kernel.life = SAD_ABSENT;
	if (sa->key.dir == DP_OUT && out->position > sa->position)
		sad_used(sa, out->position);
	return GW_OK;
}

void xfrm_sa_expired(struct xfrm_plane *x, struct sad_sa *sa)
{
	struct dp_event event = { .kind = DP_AT_FENCE, .id = sad_id(sa), .remote = sa->remote };

	/* Packets went in step with numbers up to the limit. */
	if (sa->kernel.hard != XFRM_NO_LIMIT && sa->position < sa->kernel.hard) {
		sa->count.packets += sa->kernel.hard > sa->kernel.packets ? sa->kernel.hard - sa->kernel.packets : 0;
		sa->kernel.packets = sa->kernel.hard;
		sad_used(sa, sa->kernel.hard);
		sa->last_use = x->now;
		sad_touch(x->sad, sa);
	}
	sa->kernel.life = SAD_EXPIRED;
	sa->kernel.epoch = x->epoch;
	if (sa->at_told)
		return;
	event.position = sa->position;
	sa->at_told = outbox_put(&x->outbox, &event);
}

void xfrm_sa_overtaken(struct xfrm_plane *x, struct sad_sa *sa, uint64_t former)
{
	uint64_t most = sa->position + LOST_WORD_MARGIN;

	if (former < most)
		most = former;
	if (most > sa->position) {
		sa->count.packets += most > sa->kernel.packets ? most - sa->kernel.packets : 0;
		sa->kernel.packets = most;
		sad_used(sa, most);
	}
	xfrm_sa_expired(x, sa);
}

/* ---- all of them ---- */

static void on_dumped(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct xfrm_plane *x = arg;
	struct xfrm_view v;
	struct sad_sa *sa;

	(void)index;
	if (!xfrm_get_state(nlh, &v))
		return;
	sa = find_view(x, &v);
	if (!sa)
		return;
	sa->kernel.life = SAD_LIVE;
	sa->kernel.looked = x->dumps;
	xfrm_sa_sample(x, sa, &v);
}

/* Not in the dump: deleted by the kernel at its limit, or by somebody else. */
static void note_missing(struct xfrm_plane *x)
{
	uint64_t cookie = 0;
	struct dp_sa_state states[64];

	do {
		size_t n = sad_dump(x->sad, &cookie, states, ARRAY_LEN(states));

		for (size_t i = 0; i < n; i++) {
			struct sad_sa *sa = sad_find(x->sad, &states[i].id);

			if (!sa || sa->kernel.life != SAD_LIVE || sa->kernel.looked == x->dumps)
				continue;
			if (sa->key.dir == DP_OUT && sa->kernel.hard != XFRM_NO_LIMIT) {
				xfrm_sa_expired(x, sa);
				continue;
			}
			sa->kernel.life = SAD_ABSENT;
			x->stats[XS_VANISHED]++;
			if (ratelimit_allow(&x->complain, x->now, NULL))
				log_warn(x->env->log, "kernel data plane: somebody else deleted the state of SPI %08x",
					 sa->key.spi);
		}
	} while (cookie != 0);
}

void xfrm_dump_all(struct xfrm_plane *x, int64_t max_age_us)
{
	const struct nl_handler h = { .data = on_dumped, .arg = x };

	if (max_age_us > 0 && x->dumps > 0 && mtime_since(x->dumped_at, x->now) < max_age_us)
		return;
	xfrm_send(x);
	x->dumps++;
	if (!xfrm_put_dump_sa(&x->tx) || xfrm_ask(x, &h) != GW_OK) {
		x->resync = true; /* the next turn tries again */
		return;
	}
	x->dumped_at = x->now;
	note_missing(x);
}

/* ---- what is ours and should not be there ---- */

struct found {
	struct xfrm_plane *x;
	struct xfrm_state_id *states; /* owned */
	struct xfrm_policy *policies; /* owned */
	size_t state_count, state_cap, policy_count, policy_cap;
};

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
	void *bigger;

	if (count < *cap)
		return list;
	bigger = realloc(list, (*cap ? *cap * 2 : 64) * size);
	if (bigger)
		*cap = *cap ? *cap * 2 : 64;
	return bigger;
}

static void on_found(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct found *f = arg;
	uint8_t node = f->x->env->node.index;
	enum xfrm_kind kind;
	struct xfrm_view v;
	struct xfrm_policy p;
	void *list;

	(void)index;
	if (xfrm_get_state(nlh, &v) && v.proto == IPPROTO_ESP && xfrm_sign_ours(v.user, node, &kind)) {
		list = grown(f->states, f->state_count, &f->state_cap, sizeof(*f->states));
		if (!list)
			return;
		f->states = list;
		f->states[f->state_count++] = v.id;
	} else if (xfrm_get_policy(nlh, &p) && xfrm_sign_ours(p.sign, node, &kind)) {
		list = grown(f->policies, f->policy_count, &f->policy_cap, sizeof(*f->policies));
		if (!list)
			return;
		f->policies = list;
		f->policies[f->policy_count++] = p;
	}
}

size_t xfrm_sweep(struct xfrm_plane *x)
{
	struct found f = { .x = x };
	const struct nl_handler h = { .data = on_found, .arg = &f };
	size_t n;

	xfrm_send(x);
	if (!xfrm_put_dump_sa(&x->tx) || xfrm_ask(x, &h) != GW_OK)
		log_warn(x->env->log, "kernel data plane: cannot list the kernel's states");
	if (!xfrm_put_dump_policy(&x->tx) || xfrm_ask(x, &h) != GW_OK)
		log_warn(x->env->log, "kernel data plane: cannot list the kernel's policies");
	/* Guards last: nothing passes in clear on the way. */
	for (size_t i = 0; i < f.policy_count; i++)
		if ((f.policies[i].sign & 0xff) != XFRM_KIND_GUARD)
			XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_policy(&x->tx, &f.policies[i]));
	for (size_t i = 0; i < f.state_count; i++)
		XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_sa(&x->tx, &f.states[i]));
	for (size_t i = 0; i < f.policy_count; i++)
		if ((f.policies[i].sign & 0xff) == XFRM_KIND_GUARD)
			XFRM_EMIT(x, SENT_DELETE, NULL, xfrm_put_del_policy(&x->tx, &f.policies[i]));
	xfrm_send(x);
	n = f.state_count + f.policy_count;
	free(f.states);
	free(f.policies);
	return n;
}
