#include "ike/ike.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ike/reqid.h"
#include "ike/revoke.h"

/* Numbers are bijective over 28 bits and look unrelated to addresses and SPIs: the kernel's state hash XORs them. */
#define REQID_MULTIPLIER UINT32_C(0x9E3779B1)
#define NODE_MASK_28 UINT32_C(0x0fffffff)

struct ike *ike_create(const struct env *env, struct settings *settings, struct pools *pools)
{
	struct ike *ike = calloc(1, sizeof(*ike));
	uint32_t start = 0;

	if (!ike)
		return NULL;
	ike->env = env;
	ike->pools = pools;
	ike->settings = settings_ref(settings);
	ike->out_tail = &ike->out_head;
	ike->ev_tail = &ike->ev_head;
	ike->turn = 1;
	ike->cookies_dirty = true;
	ike->stranger_log = (struct ratelimit){ .per_second = 10, .burst = 50 };
	ike->stranger_reply = (struct ratelimit){ .per_second = 100, .burst = 200 };
	ike->refusals = (struct ratelimit){ .per_second = 20, .burst = 100 };
	ike->chain_buf = malloc(IKE_MAX_MESSAGE);
	ike->packed_buf = malloc(PACKED_MAX);
	if (!ike->chain_buf || !ike->packed_buf || table_seed_init(&ike->seed, env->rng) != GW_OK ||
	    cookie_init(&ike->cookies, env) != GW_OK ||
	    revoke_configure(&ike->revoke, settings, ike_now(ike)) != GW_OK ||
	    rng_fill(env->rng, &start, sizeof(start)) != GW_OK) {
		ike_destroy(ike);
		return NULL;
	}
	ike->next_reqid = start;
	return ike;
}

static void free_outgoing(struct outgoing *o)
{
	while (o) {
		struct outgoing *next = o->next;

		free(o);
		o = next;
	}
}

static void free_graves(struct ike *ike)
{
	while (ike->graves.children) {
		struct child_sa *c = ike->graves.children;

		ike->graves.children = c->next;
		child_free(c);
	}
	while (ike->graves.sas) {
		struct ike_sa *sa = ike->graves.sas;

		ike->graves.sas = sa->next_dirty;
		sa_free(sa);
	}
}

static void free_events(struct pending_event *e)
{
	while (e) {
		struct pending_event *next = e->next;

		free(e);
		e = next;
	}
}

static struct ike_sa *sa_of(struct link *l)
{
	return (struct ike_sa *)(void *)((char *)l - offsetof(struct ike_sa, by_spi));
}

static struct child_sa *child_of(struct link *l)
{
	return (struct child_sa *)(void *)((char *)l - offsetof(struct child_sa, by_spi));
}

static void destroy_sas(struct ike *ike)
{
	struct link *l;

	while ((l = chain_pop(&ike->by_spi)) != NULL) {
		struct ike_sa *sa = sa_of(l);

		while (sa->children) {
			struct child_sa *c = sa->children;

			sa->children = c->next;
			chain_remove(&ike->by_child, &c->by_spi);
			reqid_leave(c);
			child_free(c);
		}
		sa_drop_half(sa);
		peer_leave(ike, sa);
		sa_free(sa);
	}
}

void ike_destroy(struct ike *ike)
{
	if (!ike)
		return;
	free_events(ike->ev_head);
	free_events(ike->ev_taken);
	free_outgoing(ike->out_head);
	free_outgoing(ike->out_taken);
	destroy_sas(ike);
	free_graves(ike);
	chain_clear(&ike->by_spi);
	chain_clear(&ike->by_child);
	chain_clear(&ike->reqids);
	chain_clear(&ike->peers);
	due_clear(&ike->due);
	free(ike->list);
	free(ike->gone);
	free(ike->chain_buf);
	if (ike->packed_buf)
		secret_wipe(ike->packed_buf, PACKED_MAX);
	free(ike->packed_buf);
	cookie_clear(&ike->cookies);
	guard_destroy(ike->guard);
	revoke_destroy(ike->revoke);
	settings_unref(ike->settings);
	free(ike);
}

void ike_set_transport(struct ike *ike, bool can)
{
	ike->can_transport = can;
}

enum gw_err ike_configure(struct ike *ike, struct settings *settings)
{
	struct settings *old = ike->settings;

	TRY(revoke_configure(&ike->revoke, settings, ike_now(ike)));
	ike->settings = settings_ref(settings);
	settings_unref(old);
	return GW_OK;
}

/* ---- tables ---- */

struct ike_sa *ike_find(const struct ike *ike, uint64_t local_spi)
{
	unsigned hash = table_hash(&ike->seed, &local_spi, sizeof(local_spi));

	for (struct link *l = chain_first(&ike->by_spi, hash); l; l = chain_next(l)) {
		if (ike_sa_local_spi(sa_of(l)) == local_spi)
			return sa_of(l);
	}
	return NULL;
}

struct child_sa *ike_find_child(const struct ike *ike, uint32_t spi_in)
{
	unsigned hash = table_hash(&ike->seed, &spi_in, sizeof(spi_in));

	for (struct link *l = chain_first(&ike->by_child, hash); l; l = chain_next(l)) {
		if (child_of(l)->spi_in == spi_in)
			return child_of(l);
	}
	return NULL;
}

enum gw_err ike_new_spi(struct ike *ike, uint64_t *out)
{
	uint64_t spi;

	for (int tries = 0; tries < 8; tries++) {
		TRY(rng_fill(ike->env->rng, &spi, sizeof(spi)));
		spi = (spi & (UINT64_MAX >> 4)) | (uint64_t)(ike->env->node.index & 15) << 60;
		if (spi != 0 && !ike_find(ike, spi)) {
			*out = spi;
			return GW_OK;
		}
	}
	return GW_ELIMIT;
}

enum gw_err ike_new_child_spi(struct ike *ike, uint32_t *out)
{
	uint32_t spi;

	for (int tries = 0; tries < 64; tries++) {
		TRY(rng_fill(ike->env->rng, &spi, sizeof(spi)));
		spi = (spi & NODE_MASK_28) | (uint32_t)(ike->env->node.index & 15) << 28;
		if (spi > 255 && !ike_find_child(ike, spi)) { /* RFC 4303 2.1: 1..255 are reserved */
			*out = spi;
			return GW_OK;
		}
	}
	return GW_ELIMIT;
}

uint32_t ike_new_reqid(struct ike *ike)
{
	uint32_t id;

	do {
		id = (ike->next_reqid++ * REQID_MULTIPLIER) & NODE_MASK_28;
	} while (id == 0);
	return id | (uint32_t)(ike->env->node.index & 15) << 28;
}

/* ---- out: datagrams ---- */

void ike_send(struct ike *ike, const struct endpoint *from, const struct endpoint *to, bool natt, struct bytes data,
	      enum ike_effect effect)
{
	struct outgoing *o = malloc(sizeof(*o) + data.n);

	if (!o) {
		count_up(ike, drop_memory); /* the peer sends its request again */
		return;
	}
	memcpy(o->data, data.p, data.n);
	o->next = NULL;
	o->out = (struct ike_output){
		.datagram = { .from = *from, .to = *to, .data = { o->data, data.n }, .natt = natt },
		.turn = ike->turn,
		.effect = effect,
		.about = ike->about,
	};
	*ike->out_tail = o;
	ike->out_tail = &o->next;
	count_up(ike, datagrams_out);
}

bool ike_take_datagram(struct ike *ike, struct ike_output *out)
{
	struct outgoing *o = ike->out_head;

	free(ike->out_taken);
	ike->out_taken = o;
	if (!o)
		return false;
	ike->out_head = o->next;
	if (!ike->out_head)
		ike->out_tail = &ike->out_head;
	o->next = NULL;
	*out = o->out;
	return true;
}

/* ---- out: events ---- */

static void push_event(struct ike *ike, struct pending_event *e)
{
	e->next = NULL;
	*ike->ev_tail = e;
	ike->ev_tail = &e->next;
}

static void report(struct ike *ike, const struct ike_event *ev)
{
	struct pending_event *e = malloc(sizeof(*e));

	if (!e) {
		count_up(ike, drop_memory);
		return;
	}
	e->ev = *ev;
	push_event(ike, e);
}

void ike_report(struct ike *ike, enum ike_event_kind kind, const struct ike_sa *sa, const struct child_sa *child,
		const char *reason)
{
	report(ike, &(struct ike_event){ .kind = kind, .sa = sa, .child = child, .reason = reason });
}

void ike_report_rekeyed(struct ike *ike, const struct ike_sa *sa, uint32_t old_id)
{
	report(ike, &(struct ike_event){ .kind = IKE_EV_SA_REKEYED, .sa = sa, .old_id = old_id });
}

void ike_report_moved(struct ike *ike, const struct ike_sa *sa, const struct endpoint *was)
{
	report(ike, &(struct ike_event){ .kind = IKE_EV_SA_MOVED, .sa = sa, .from = *was });
}

void ike_report_refused(struct ike *ike, const struct endpoint *from, const struct ike_sa *sa, const char *text)
{
	size_t n = strlen(text) + 1;
	struct pending_event *e = ratelimit_allow(&ike->refusals, ike_now(ike), NULL) ? malloc(sizeof(*e) + n) : NULL;

	if (!e)
		return;
	e->ev = (struct ike_event){
		.kind = IKE_EV_REFUSED, .sa = sa, .from = *from, .reason = memcpy((char *)(e + 1), text, n)
	};
	push_event(ike, e);
}

static enum gw_err operate(struct ike *ike, uint64_t token, uint64_t key, const struct dp_op *ops, size_t n)
{
	struct pending_event *e = malloc(sizeof(*e) + n * sizeof(*ops));

	if (!e)
		return GW_ENOMEM;
	memcpy(e->ops, ops, n * sizeof(*ops));
	e->ev = (struct ike_event){
		.kind = IKE_EV_DATAPLANE, .token = token, .key = key, .ops = e->ops, .op_count = n
	};
	push_event(ike, e);
	return GW_OK;
}

enum gw_err ike_operate(struct ike *ike, uint64_t token, const struct dp_op *ops, size_t n)
{
	return operate(ike, token, 0, ops, n);
}

enum gw_err ike_operate_for(struct ike *ike, uint64_t key, const struct dp_op *ops, size_t n)
{
	return operate(ike, 0, key, ops, n);
}

bool ike_take_event(struct ike *ike, struct ike_event *out)
{
	struct pending_event *e = ike->ev_head;

	free(ike->ev_taken);
	ike->ev_taken = e;
	if (!e)
		return false;
	ike->ev_head = e->next;
	if (!ike->ev_head)
		ike->ev_tail = &ike->ev_head;
	e->next = NULL;
	*out = e->ev;
	return true;
}

/* ---- out: changed objects ---- */

bool ike_take_dirty(struct ike *ike, struct ike_dirty *out)
{
	struct ike_sa *sa = ike->dirty;

	if (sa) {
		ike->dirty = sa->next_dirty;
		sa->next_dirty = NULL;
		sa->dirty = false;
		*out = (struct ike_dirty){ IKE_OBJ_SA, ike_sa_local_spi(sa), sa->version, false };
		return true;
	}
	if (ike->cookies_dirty) {
		ike->cookies_dirty = false;
		*out = (struct ike_dirty){ IKE_OBJ_COOKIE, 0, ++ike->version, false };
		return true;
	}
	if (ike->gone_len > 0) {
		const struct tombstone *t = &ike->gone[--ike->gone_len];

		*out = (struct ike_dirty){ IKE_OBJ_SA, t->key, t->version, true };
		return true;
	}
	return false;
}

uint64_t ike_end_turn(struct ike *ike)
{
	/* Whoever does not replicate need not have taken the dirty objects. */
	while (ike->dirty) {
		struct ike_sa *sa = ike->dirty;

		ike->dirty = sa->next_dirty;
		sa->next_dirty = NULL;
		sa->dirty = false;
	}
	ike->gone_len = 0;
	ike->cookies_dirty = false;
	if (!ike->ev_head) {
		free(ike->ev_taken);
		ike->ev_taken = NULL;
		free_graves(ike); /* events may point into them until they were taken */
	}
	return ike->turn++;
}

/* ---- resume ---- */

void ike_resume(struct ike *ike, uint64_t token, enum gw_err result, const char *text)
{
	struct child_sa *c = ike_find_child(ike, (uint32_t)token);
	struct ike_sa *sa;

	if (!c || c->token != token)
		return; /* closed meanwhile */
	sa = c->sa;
	c->token = 0;
	if (ike->passive)
		return; /* what follows is for the node that speaks now */
	if (result != GW_OK) {
		/* The batch is undone: all of it, or that of an outbound SA that was held back. */
		c->out_installed = false;
		if (c->state == CHILD_INSTALLING)
			c->in_installed = false;
		count_up(ike, install_failed);
		sa_log(sa, LOG_LVL_ERROR, "CHILD SA #%u (%s): the data plane refused it: %s", c->id, c->cfg->name,
		       text && *text ? text : gw_err_text(result));
	}
	if (sa->peer_x && sa->peer_x->child_spi == c->spi_in) {
		if (sa->peer_x->kind == X_AUTH)
			x_auth_finish(sa, c, result);
		else
			x_child_finish(sa, c, result);
	} else if (sa->our_x && sa->our_x->waiting == c) {
		x_rekey_child_finish(sa, c, result);
	} else if (result != GW_OK) {
		c->want_delete = true; /* its outbound SA could not be added: better none than half of one */
	}
	if (sa->state != IKE_DEAD) {
		sa_touch(sa);
		sa_pump(sa);
		sa_reschedule(sa);
	}
}

/* ---- looking ---- */

size_t ike_count(const struct ike *ike)
{
	return ike->established;
}

size_t ike_half_open_count(const struct ike *ike)
{
	return ike->half_open;
}

size_t ike_child_count(const struct ike *ike)
{
	return ike->children;
}

const struct ike_sa *ike_next(const struct ike *ike, uint32_t *after)
{
	size_t lo = 0, hi = ike->list_len;

	/* Holes keep their neighbours' order: step over them while halving. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2, at = mid;

		while (at < hi && !ike->list[at])
			at++;
		if (at == hi || ike->list[at]->id > *after)
			hi = mid;
		else
			lo = at + 1;
	}
	for (; lo < ike->list_len; lo++) {
		const struct ike_sa *sa = ike->list[lo];

		if (sa && sa->state != IKE_LINGERING && sa->state != IKE_DEAD) {
			*after = sa->id;
			return sa;
		}
	}
	return NULL;
}

static const char *const counter_names[CNT_COUNT] = {
#define X(name) #name,
	IKE_COUNTERS(X)
#undef X
};

size_t ike_stats(const struct ike *ike, struct ike_stat *out, size_t max)
{
	for (size_t i = 0; i < CNT_COUNT && i < max; i++)
		out[i] = (struct ike_stat){ counter_names[i], ike->counters[i] };
	return CNT_COUNT;
}

void ike_log_stranger(struct ike *ike, const struct endpoint *from, const char *fmt, ...)
{
	char text[900], ep[ENDPOINT_TEXT];
	uint64_t suppressed = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strncmp(text, "refused", 7) == 0)
		ike_report_refused(ike, from, NULL, text);
	if (!log_wants(ike->env->log, LOG_LVL_INFO) || !ratelimit_allow(&ike->stranger_log, ike_now(ike), &suppressed))
		return;
	endpoint_text(from, ep);
	if (suppressed > 0)
		log_line(ike->env->log, LOG_LVL_INFO, ep, "%s (%llu lines like this were left out)", text,
			 (unsigned long long)suppressed);
	else
		log_line(ike->env->log, LOG_LVL_INFO, ep, "%s", text);
}
