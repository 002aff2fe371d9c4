#include "ike/sa.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ike/eap.h"
#include "ike/engine.h"
#include "ike/group.h"
#include "ike/id.h"

const char *ike_state_name(enum ike_state s)
{
	static const char *const names[] = { "HALF_OPEN", "ESTABLISHED", "REKEYED", "DELETING",
					     "LINGERING", "DEAD",	 "NEW",	    "EAP" };

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *child_state_name(enum child_state s)
{
	static const char *const names[] = { "INSTALLING", "INSTALLED", "REKEYED", "DELETING" };

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *ike_sa_prefix(const struct ike_sa *sa, char buf[SA_PREFIX])
{
	char text[ID_TEXT];

	if (sa->peer)
		id_text(sa->peer_id_kind, sa->peer_id, text);
	else
		endpoint_text(&sa->remote, text);
	(void)snprintf(buf, SA_PREFIX, "%s #%u", text, sa->id);
	return buf;
}

static bool sa_log_wants(const struct ike_sa *sa, enum log_level level)
{
	const struct ike *ike = sa->ike;

	if (log_wants(ike->env->log, level))
		return true;
	return ike->env->log && ike->loud.conn[0] && level <= ike->loud.level && sa->conn &&
	       strcmp(sa->conn->name, ike->loud.conn) == 0 && !mtime_reached(ike->loud.until, ike_now(ike));
}

void sa_log(const struct ike_sa *sa, enum log_level level, const char *fmt, ...)
{
	char text[900], prefix[SA_PREFIX];
	va_list ap;

	if (!sa_log_wants(sa, level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line_always(sa->ike->env->log, level, ike_sa_prefix(sa, prefix), "%s", text);
}

void sa_log_refused(const struct ike_sa *sa, const char *fmt, ...)
{
	char text[900] = "refused: ";
	size_t at = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + at, sizeof(text) - at, fmt, ap);
	va_end(ap);
	sa_log(sa, LOG_LVL_INFO, "%s", text);
	ike_report_refused(sa->ike, &sa->remote, sa, text);
}

/* ---- the list in order of numbers ---- */

static void list_compact(struct ike *ike)
{
	size_t n = 0;

	for (size_t i = 0; i < ike->list_len; i++) {
		if (ike->list[i])
			ike->list[n++] = ike->list[i];
	}
	ike->list_len = n;
	ike->list_holes = 0;
	ike->doubt_checked = 0;
}

static enum gw_err list_add(struct ike *ike, struct ike_sa *sa)
{
	if (ike->list_len == ike->list_cap) {
		size_t cap = ike->list_cap ? ike->list_cap * 2 : 16;
		struct ike_sa **list = realloc(ike->list, cap * sizeof(struct ike_sa *));

		if (!list)
			return GW_ENOMEM;
		ike->list = list;
		ike->list_cap = cap;
	}
	ike->list[ike->list_len++] = sa; /* numbers only rise */
	return GW_OK;
}

static void list_remove(struct ike *ike, const struct ike_sa *sa)
{
	size_t lo = 0, hi = ike->list_len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2, at = mid;

		while (at < hi && !ike->list[at])
			at++;
		if (at < hi && ike->list[at] == sa) {
			ike->list[at] = NULL;
			ike->list_holes++;
			break;
		}
		if (at == hi || ike->list[at]->id > sa->id)
			hi = mid;
		else
			lo = at + 1;
	}
	if (ike->list_holes > 32 && ike->list_holes > ike->list_len / 2)
		list_compact(ike);
}

/* ---- life ---- */

struct ike_sa *sa_create(struct ike *ike, bool initiator, uint64_t spi_i, uint64_t spi_r)
{
	struct ike_sa *sa = calloc(1, sizeof(*sa));
	uint64_t *key;

	if (!sa)
		return NULL;
	sa->ike = ike;
	sa->initiator = initiator;
	sa->state = IKE_NEW;
	sa->spi_i = spi_i;
	sa->spi_r = spi_r;
	sa->id = ++ike->next_id;
	sa->due_at = SIZE_MAX;
	sa->era = ike->era;
	sa->due = sa->rekey_at = sa->life_at = sa->reauth_at = sa->not_before = sa->window.retransmit_at = MTIME_NEVER;
	sa->not_before = (mtime){ 0 };
	sa->created = sa->last_in = ike_now(ike);
	key = initiator ? &sa->spi_i : &sa->spi_r;
	if (due_reserve(&ike->due, ike->by_spi.count + 1) != GW_OK || list_add(ike, sa) != GW_OK) {
		free(sa);
		return NULL;
	}
	if (!chain_add(&ike->by_spi, &sa->by_spi, table_hash(&ike->seed, key, sizeof(*key)))) {
		ike->list_len--;
		free(sa);
		return NULL;
	}
	sa->settings = settings_ref(ike->settings);
	return sa;
}

void sa_free(struct ike_sa *sa)
{
	peer_leave(sa->ike, sa); /* not before: the down event tells who it was */
	ike_keys_clear(&sa->keys);
	secret_clear(&sa->cert_path);
	window_clear(&sa->window);
	frags_clear(&sa->frags[0]);
	frags_clear(&sa->frags[1]);
	exchange_destroy(sa->peer_x);
	exchange_destroy(sa->our_x);
	settings_unref(sa->settings);
	secret_clear(&sa->told_id);
	free(sa->down_copy);
	free(sa->also);
	secret_wipe(sa, sizeof(*sa));
	free(sa);
}

void exchange_destroy(struct exchange *x)
{
	if (!x)
		return;
	secret_clear(&x->ni);
	secret_clear(&x->nr);
	secret_clear(&x->ke);
	dh_destroy(x->dh);
	free(x);
}

void sa_drop_half(struct ike_sa *sa)
{
	struct half_open *h = sa->half;

	if (!h)
		return;
	tls_leave(sa->ike, h);
	if (h->by_init.tbl) {
		HASH_DELETE(by_init, sa->ike->by_init, h);
		source_release(sa->ike, &h->key.from);
		sa->ike->half_open--;
	}
	sa->ike->strangers_held -= h->held;
	secret_clear(&h->ni);
	secret_clear(&h->nr);
	secret_clear(&h->init_request);
	secret_clear(&h->init_response);
	secret_clear(&h->peer_ke);
	secret_clear(&h->auth_chain);
	secret_clear(&h->our_id);
	secret_clear(&h->msk);
	eap_destroy(h->eap);
	dh_destroy(h->dh);
	free(h);
	sa->half = NULL;
}

static bool is_established(enum ike_state s)
{
	return s == IKE_UP || s == IKE_REKEYED || s == IKE_DELETING;
}

void sa_set_state(struct ike_sa *sa, enum ike_state to, const char *story)
{
	bool before = is_established(sa->state), after = is_established(to);

	sa_log(sa, LOG_LVL_DEBUG, "%s -> %s: %s", ike_state_name(sa->state), ike_state_name(to), story);
	sa->state = to;
	if (to == IKE_UP)
		ike_keys_drop_auth(&sa->keys);
	if (after && !before)
		sa->ike->established++;
	if (before && !after)
		sa->ike->established--;
	sa_touch(sa);
}

void sa_touch(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	sa->version = ++ike->version;
	if (sa->dirty || sa->state == IKE_DEAD)
		return;
	sa->dirty = true;
	sa->next_dirty = ike->dirty;
	ike->dirty = sa;
}

static int64_t jittered(struct ike *ike, int64_t us, uint8_t percent)
{
	uint64_t spread = (uint64_t)us / 100 * percent;

	return us - (int64_t)(spread > 0 ? rng_below(ike->env->rng, spread) : 0);
}

bool sa_leaves_rekeys_to_peer(const struct ike_sa *sa)
{
	switch (sa->conn->rekey_by) {
	case REKEY_ALWAYS:
		return false;
	case REKEY_AUTO: /* Windows refuses what it has not begun (MS_STATUS 13863) */
		return (sa->peer_flags & PEER_MICROSOFT) != 0;
	default:
		return true;
	}
}

static mtime rekey_time(struct ike_sa *sa, int64_t us)
{
	if (us == 0 || sa_leaves_rekeys_to_peer(sa))
		return MTIME_NEVER;
	return mtime_add(ike_now(sa->ike), jittered(sa->ike, us, sa->conn->rekey_jitter_percent));
}

/* A peer that rekeys by itself, without our having asked for it, does so by its own lifetimes: ours outlast them. */
static mtime end_of_life(struct ike_sa *sa, int64_t us)
{
	if (us == 0 || sa->conn->rekey_by == REKEY_NEVER)
		return MTIME_NEVER;
	if (sa->conn->rekey_by == REKEY_AUTO && sa_leaves_rekeys_to_peer(sa) && us < SECONDS(PASSIVE_LIFE_SECONDS))
		us = SECONDS(PASSIVE_LIFE_SECONDS);
	return mtime_add(ike_now(sa->ike), us);
}

void sa_set_lifetimes(struct ike_sa *sa)
{
	sa->rekey_at = rekey_time(sa, sa->conn->rekey_us);
	sa->life_at = end_of_life(sa, sa->conn->life_us);
}

void sa_set_reason(struct ike_sa *sa, const char *reason)
{
	char *copy = reason ? strdup(reason) : NULL;

	free(sa->down_copy);
	sa->down_copy = copy;
	sa->down_reason = copy ? copy : "deleted by us";
}

void child_set_lifetimes(struct child_sa *c)
{
	c->rekey_at = rekey_time(c->sa, c->cfg->rekey_us);
	c->life_at = end_of_life(c->sa, c->cfg->life_us);
}

void sa_bury(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct ike_sa **at;

	if (sa->state == IKE_DEAD)
		return;
	sa_set_state(sa, IKE_DEAD, "gone");
	if (sa->dirty) {
		for (at = &ike->dirty; *at && *at != sa; at = &(*at)->next_dirty)
			;
		if (*at)
			*at = sa->next_dirty;
		sa->dirty = false;
	}
	due_set(&ike->due, sa, MTIME_NEVER);
	sa_drop_half(sa);
	list_remove(ike, sa);
	chain_remove(&ike->by_spi, &sa->by_spi);
	if (ike->gone_len == ike->gone_cap) {
		size_t cap = ike->gone_cap ? ike->gone_cap * 2 : 16;
		struct tombstone *gone = realloc(ike->gone, cap * sizeof(*gone));

		if (gone) {
			ike->gone = gone;
			ike->gone_cap = cap;
		}
	}
	if (ike->gone_len < ike->gone_cap)
		ike->gone[ike->gone_len++] = (struct tombstone){ ike_sa_local_spi(sa), sa->version };
	sa->next_dirty = ike->graves.sas;
	ike->graves.sas = sa;
}

static size_t lingering(const struct ike *ike)
{
	return ike->by_spi.count - ike->established - ike->half_open;
}

void sa_close(struct ike_sa *sa, const char *reason, bool linger)
{
	struct ike *ike = sa->ike;
	bool was_up = is_established(sa->state);

	if (sa->state == IKE_DEAD || sa->state == IKE_LINGERING)
		return;
	sa->down_reason = reason;
	group_leave(ike, sa);
	while (sa->children)
		child_close(sa->children, reason);
	for (size_t i = 0; i < SA_LEASES; i++) {
		if (sa->leases[i].pool) {
			pool_release(ike->pools, sa->leases[i].pool, &sa->leases[i].addr);
			sa->leases[i].pool = NULL;
			ike_report(ike, IKE_EV_LEASE, sa, NULL, NULL);
		}
	}
	if (was_up) {
		if (sa->successor == 0) {
			count_up(ike, sas_closed);
			sa_log(sa, LOG_LVL_NOTICE, "down: %s", reason);
			sa_note_era(sa);
			ike_report(ike, IKE_EV_SA_DOWN, sa, NULL, reason);
		} else { /* replaced: the session goes on */
			sa_log(sa, LOG_LVL_DEBUG, "down: %s", reason);
		}
	}
	exchange_destroy(sa->peer_x);
	exchange_destroy(sa->our_x);
	sa->peer_x = sa->our_x = NULL;
	window_answered(&sa->window);
	frags_clear(&sa->frags[0]);
	frags_clear(&sa->frags[1]);
	/* Whoever is refused again and again is not remembered without bound. */
	if (linger && lingering(ike) < ike->settings->ike.half_open_max) {
		sa_set_state(sa, IKE_LINGERING, reason);
		sa->linger = mtime_add(ike_now(ike), SECONDS(LINGER_SECONDS));
		sa_drop_half(sa);
		sa_reschedule(sa);
	} else {
		sa_bury(sa);
	}
}

void sa_reschedule(struct ike_sa *sa)
{
	mtime due = MTIME_NEVER;

	if (sa->state == IKE_DEAD)
		return;
	if (sa->state == IKE_LINGERING) {
		due_set(&sa->ike->due, sa, sa->linger);
		return;
	}
	if (sa->half)
		due = mtime_min(due, sa->half->expires);
	if (window_busy(&sa->window))
		due = mtime_min(due, sa->window.retransmit_at);
	due = mtime_min(due, mtime_min(sa->life_at, sa->reauth_at));
	if (sa->state == IKE_UP && !window_busy(&sa->window)) {
		mtime next = sa->rekey_at;

		if (sa->want_rekey || sa->want_delete || sa->want_dpd)
			next = sa->not_before;
		for (const struct child_sa *c = sa->children; c; c = c->next) {
			if (c->state == CHILD_UP && !c->token)
				next = mtime_min(next, c->rekey_at);
			if (c->want_rekey || c->want_delete)
				next = mtime_min(next, sa->not_before);
		}
		if (sa->not_before.us > next.us)
			next = sa->not_before;
		due = mtime_min(due, next);
		if (sa->conn && sa->conn->dpd_us > 0)
			due = mtime_min(due, mtime_add(sa->last_in, sa->conn->dpd_us));
	}
	for (const struct child_sa *c = sa->children; c; c = c->next)
		due = mtime_min(due, mtime_min(c->life_at, child_silent_at(c)));
	due_set(&sa->ike->due, sa, due);
}

/* ---- keys and addresses ---- */

struct sk_key sa_key_in(const struct ike_sa *sa)
{
	const struct ike_keys *k = &sa->keys;

	return (struct sk_key){ k->suite, sa->initiator ? ike_keys_er(k) : ike_keys_ei(k),
				sa->initiator ? ike_keys_ar(k) : ike_keys_ai(k) };
}

struct sk_key sa_key_out(const struct ike_sa *sa)
{
	const struct ike_keys *k = &sa->keys;

	return (struct sk_key){ k->suite, sa->initiator ? ike_keys_ei(k) : ike_keys_er(k),
				sa->initiator ? ike_keys_ai(k) : ike_keys_ar(k) };
}

bool sa_udp_encap(const struct ike_sa *sa)
{
	/* 2.23: with a NAT in between ESP goes in UDP on the NAT-T port. */
	return sa->peer_nat || sa->our_nat;
}

/* Both SAs of a CHILD SA. */
static void op_move(const struct child_sa *c, const struct endpoint *local, const struct endpoint *remote, bool encap,
		    struct dp_op *ops, size_t *n)
{
	struct dp_op op = { .kind = DP_SA_MOVE };

	op.id = (struct dp_sa_id){ DP_IN, c->spi_in, c->sa->remote.addr };
	op.new_local = *local;
	op.new_remote = *remote;
	op.new_udp_encap = encap;
	op.owner = c->reqid; /* the peer chose the outbound SPI: it may be another's there */
	ops[(*n)++] = op;
	if (!c->out_installed)
		return;
	op.id.dir = DP_OUT;
	op.id.spi = c->spi_out;
	ops[(*n)++] = op;
}

void sa_move(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool natt, bool peer_nat,
	     bool our_nat)
{
	bool same = endpoint_equal(&sa->local, local) && endpoint_equal(&sa->remote, remote),
	     encap = peer_nat || our_nat;
	char was[ENDPOINT_TEXT], is[ENDPOINT_TEXT];

	if (same && natt == sa->natt && peer_nat == sa->peer_nat && our_nat == sa->our_nat)
		return;
	if (!same)
		sa_log(sa, LOG_LVL_INFO, "peer moved from %s to %s%s", endpoint_text(&sa->remote, was),
		       endpoint_text(remote, is), peer_nat ? " behind NAT" : "");
	/* RFC 4555 3.5: what is between the addresses themselves does not outlive them. */
	for (struct child_sa *c = sa->children; c; c = c->next)
		c->want_delete |= c->transport && (!addr_equal(&sa->remote.addr, &remote->addr) ||
						   !addr_equal(&sa->local.addr, &local->addr));
	for (struct child_sa *c = sa->children; c && !(same && encap == sa_udp_encap(sa)); c = c->next) {
		struct dp_op ops[2];
		size_t n = 0;

		op_move(c, local, remote, encap, ops, &n);
		if (c->in_installed && ike_operate(sa->ike, 0, ops, n) != GW_OK)
			return; /* the next packet from there tries again */
	}
	if (!endpoint_equal(&sa->remote, remote) && sa->state == IKE_UP)
		ike_report_moved(sa->ike, sa, &sa->remote);
	sa->local = *local;
	sa->remote = *remote;
	sa->natt = natt;
	sa->peer_nat = peer_nat;
	sa->our_nat = our_nat;
	if (!same)
		count_up(sa->ike, nat_rebindings);
	sa_touch(sa);
}

void sa_follow_nat(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool natt)
{
	if (sa->conn && conn_serves(sa->conn, local, remote))
		sa_move(sa, local, remote, natt, true, sa->our_nat);
	else
		count_up(sa->ike, drop_address);
}
