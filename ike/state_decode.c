/* A record is read whole (state_read.c), judged whole, and only then made into an SA. */
#include <stdlib.h>

#include "ike/eap.h"
#include "ike/group.h"
#include "ike/reqid.h"
#include "ike/state_record.h"

/* ---- judging ---- */

static bool text_is(struct bytes b, const char *text)
{
	return bytes_equal(b, bytes_str(text));
}

static bool is_packed(struct bytes b)
{
	struct reader r = rd_of(b);
	struct bytes one;

	while (packed_next(&r, &one))
		;
	return !r.bad && r.left == 0;
}

static enum gw_err check_child(const struct ike *ike, const struct sa_record *s, struct child_record *c, bool takes,
			       struct err *e)
{
	struct chosen chosen = { .encr = c->encr, .integ = c->integ };
	struct child_sa *known = ike_find_child(ike, c->spi_in);
	uint64_t local = s->flags & 1 ? s->spi_i : s->spi_r;
	size_t keys;

	for (size_t i = 0; i < s->found->child_count && !c->found; i++) {
		if (text_is(c->cfg, s->found->children[i].name))
			c->found = &s->found->children[i];
	}
	if (!c->found)
		return err_set(e, GW_ECONFIG, "connection %s has no child of that name here", s->found->name);
	/* One that is being made or unmade goes with who does it: nobody would ever finish it else. */
	if ((c->state == CHILD_INSTALLING) != (s->x && s->x_waiting == c->spi_in) ||
	    (c->state == CHILD_DELETING && !(s->request.n > 0 && s->request_kind == REQ_DELETE_CHILD)))
		return err_set(e, GW_EMALFORMED, "CHILD SA %08x is nobody's work", c->spi_in);
	for (const struct child_record *o = s->children; o < c; o++) {
		if (o->spi_in == c->spi_in)
			return err_set(e, GW_EMALFORMED, "CHILD SA %08x twice", c->spi_in);
	}
	if (c->state > CHILD_DELETING || c->spi_in < 256 || c->reqid == 0 || c->n_ours == 0 || c->n_theirs == 0 ||
	    c->crossing.n > IKE_NONCE_OURS)
		return err_set(e, GW_EMALFORMED, "CHILD SA %08x", c->spi_in);
	if (chosen_suite(&chosen, &c->suite) != GW_OK)
		return err_set(e, GW_EUNSUPPORTED, "CHILD SA %08x has an algorithm that is unknown here", c->spi_in);
	keys = suite_encr_key_len(&c->suite) + suite_integ_key_len(&c->suite);
	if (c->in_keys.n != keys || c->out_keys.n != keys)
		return err_set(e, GW_EMALFORMED, "CHILD SA %08x has keys of a wrong size", c->spi_in);
	if (known && !takes && ike_sa_local_spi(known->sa) != local)
		return err_set(e, GW_EEXIST, "CHILD SA %08x belongs to another IKE SA here", c->spi_in);
	return GW_OK;
}

/* Our outstanding exchange has all that its end needs, and something that brings the end about. */
static bool exchange_fits(const struct sa_record *s)
{
	bool waiting = false;

	for (size_t i = 0; i < s->child_count; i++)
		waiting |= s->children[i].spi_in == s->x_waiting;
	if (s->x_ni.n == 0 || s->x_new == 0 || (s->x_group != DH_NONE && s->x_dh.n == 0))
		return false;
	if (s->x_kind == X_REKEY_IKE)
		return s->x_dh.n > 0 && s->x_waiting == 0 && s->request.n > 0;
	return s->x_kind == X_REKEY_CHILD && (s->x_waiting ? waiting : s->request.n > 0);
}

static const struct conn_cfg *find_conn(const struct ike *ike, struct bytes name, struct err *e)
{
	for (size_t i = 0; i < ike->settings->conn_count; i++) {
		if (text_is(name, ike->settings->conns[i].name))
			return &ike->settings->conns[i];
	}
	(void)err_set(e, GW_ECONFIG, "connection %.*s is not configured here", (int)(name.n < 60 ? name.n : 60),
		      (const char *)name.p);
	return NULL;
}

/* Between rounds of EAP there is a connection, what was asked for at first, and who we said we are. */
static enum gw_err check_rounds(const struct ike *ike, struct sa_record *s, struct err *e)
{
	static const uint32_t once = PL_BIT(PL_IDI);
	struct ike_msg *m;
	struct eap *eap;
	bool right;

	if (s->state != IKE_EAP)
		return GW_OK;
	s->half_found = find_conn(ike, s->half_conn, e);
	if (!s->half_found)
		return GW_ECONFIG;
	m = malloc(sizeof(*m));
	if (!m)
		return err_set(e, GW_ENOMEM, "out of memory");
	right = s->keys.n > 0 && msg_parse(m, s->half_auth_first, s->half_auth, NULL) == GW_OK &&
		(m->present & once) == once && !m->encrypted;
	free(m);
	if (!right || eap_decode(s->half_eap, &eap) != GW_OK)
		return err_set(e, GW_EMALFORMED, "an SA amid EAP lacks something");
	eap_destroy(eap);
	return GW_OK;
}

static bool half_fits(const struct sa_record *s)
{
	return s->half_ni.n && s->half_nr.n && s->half_request.n && s->half_response.n && s->child_count == 0 &&
	       !s->x && (s->keys.n || (s->half_dh.n && s->half_ke.n));
}

static const struct pool_cfg *find_pool(const struct settings *settings, struct bytes name)
{
	for (size_t i = 0; i < settings->pool_count; i++) {
		if (text_is(name, settings->pools[i].name))
			return &settings->pools[i];
	}
	return NULL;
}

static enum gw_err check_leases(const struct settings *settings, const struct sa_record *s, struct err *e)
{
	for (size_t i = 0; i < s->lease_count; i++) {
		if (!find_pool(settings, s->leases[i].pool))
			return err_set(e, GW_ECONFIG, "pool %.*s is not configured here",
				       (int)(s->leases[i].pool.n < 60 ? s->leases[i].pool.n : 60),
				       (const char *)s->leases[i].pool.p);
		if (addr_len(&s->leases[i].addr) == 0 ||
		    (i > 0 && s->leases[0].addr.family == s->leases[i].addr.family))
			return err_set(e, GW_EMALFORMED, "inner addresses: at most one of each family");
	}
	return GW_OK;
}

/* What its group forbids it might get otherwise: without the group there is no SA. */
static enum gw_err find_group(const struct settings *settings, struct sa_record *s, struct err *e)
{
	for (size_t i = 0; i < settings->group_count; i++) {
		if (text_is(s->group, settings->groups[i].name))
			s->found_group = &settings->groups[i];
	}
	if (s->group.n > 0 && !s->found_group)
		return err_set(e, GW_ECONFIG, "group %.*s is not configured here",
			       (int)(s->group.n < 60 ? s->group.n : 60), (const char *)s->group.p);
	return GW_OK;
}

/* `takes`: CHILD SAs of other IKE SAs become its own. */
static enum gw_err check(const struct ike *ike, struct sa_record *s, bool takes, struct err *e)
{
	struct chosen chosen = { .encr = s->encr, .prf = s->prf, .integ = s->integ, .dh = s->dh };
	const struct prf_alg *prf = prf_find(s->prf.id);
	bool half = s->state == IKE_HALF_OPEN || s->state == IKE_EAP;

	if (!s->has_core || (s->state >= IKE_DEAD && s->state != IKE_EAP) || addr_len(&s->remote.addr) == 0 ||
	    addr_len(&s->local.addr) == 0 || s->half != half || s->crossing.n > IKE_NONCE_OURS ||
	    !is_packed(s->response) || !is_packed(s->request))
		return err_set(e, GW_EMALFORMED, "the record contradicts itself");
	if (chosen_suite(&chosen, &s->suite) != GW_OK || !prf || !dh_find(s->dh.id))
		return err_set(e, GW_EUNSUPPORTED, "an algorithm is unknown here");
	if (s->keys.n != ike_keys_len(prf, &s->suite) && s->keys.n != (half ? 0 : ike_keys_len_up(prf, &s->suite)))
		return err_set(e, GW_EMALFORMED, "keys of a wrong size");
	if (half)
		return half_fits(s) ? check_rounds(ike, s, e)
				    : err_set(e, GW_EMALFORMED, "a half-open SA lacks something");
	if (s->state == IKE_LINGERING)
		return s->child_count == 0 && !s->x ? GW_OK : err_set(e, GW_EMALFORMED, "over, but not at rest");
	if (s->x && !exchange_fits(s))
		return err_set(e, GW_EMALFORMED, "an exchange that cannot end");
	if (s->state == IKE_DELETING && !(s->request.n > 0 && s->request_kind == REQ_DELETE_IKE))
		return err_set(e, GW_EMALFORMED, "being deleted, without a request");
	s->found = find_conn(ike, s->conn, e);
	if (!s->found)
		return GW_ECONFIG;
	if (s->peer.n == 0)
		return err_set(e, GW_EMALFORMED, "nobody is authenticated");
	for (size_t i = 0; i < s->child_count; i++)
		TRY(check_child(ike, s, &s->children[i], takes, e));
	TRY(find_group(ike->settings, s, e));
	return check_leases(ike->settings, s, e);
}

/* ---- making ---- */

/* Far beyond any life, and far from where arithmetic ends. */
static int64_t within_reason(int64_t us)
{
	const int64_t most = INT64_MAX / 8;

	return us > most ? most : us < -most ? -most : us;
}

static mtime left(int64_t us, mtime now)
{
	return us == INT64_MAX ? MTIME_NEVER : (mtime){ now.us + within_reason(us) };
}

static mtime ago(int64_t us, mtime now)
{
	return (mtime){ now.us - within_reason(us) };
}

static enum gw_err make_dh(struct ike *ike, struct bytes field, struct dh_key **out)
{
	struct reader r = rd_of(field);
	const struct dh_alg *alg;
	struct bytes priv;

	if (field.n == 0)
		return GW_OK;
	alg = dh_find(rd_u16(&r));
	priv = rd_bytes(&r, rd_u32(&r));
	if (r.bad || !alg)
		return GW_EMALFORMED;
	return dh_import(ike->env->crypto, alg, priv, rd_rest(&r), out);
}

static enum gw_err make_half(struct ike_sa *sa, const struct sa_record *s, mtime now)
{
	struct half_open *h = calloc(1, sizeof(*h));

	if (!h)
		return GW_ENOMEM;
	sa->half = h;
	h->sa = sa;
	h->key.spi_i = s->half_key.spi_i;
	h->key.from = s->half_key.from;
	/* NEVER: its IKE_AUTH was being answered: the peer repeats it. */
	h->expires = mtime_min(left(s->half_expires, now), mtime_add(now, sa->settings->ike.half_open_timeout_us));
	TRY(secret_copy(&h->ni, s->half_ni));
	TRY(secret_copy(&h->nr, s->half_nr));
	TRY(secret_copy(&h->init_request, s->half_request));
	TRY(secret_copy(&h->init_response, s->half_response));
	TRY(secret_copy(&h->peer_ke, s->half_ke));
	TRY(make_dh(sa->ike, s->half_dh, &h->dh));
	h->hashes = s->half_hashes;
	h->inherited = true;
	sa->conn = s->half_found;
	h->auth_first = s->half_auth_first;
	TRY(secret_copy(&h->auth_chain, s->half_auth));
	TRY(secret_copy(&h->our_id, s->half_our_id));
	TRY(secret_copy(&h->msk, s->half_msk));
	h->eap_only = s->half_eap_only;
	if (s->half_eap.n > 0)
		TRY(eap_decode(s->half_eap, &h->eap));
	return half_join(sa);
}

static enum gw_err make_child(struct ike_sa *sa, const struct child_record *r, mtime now)
{
	struct child_sa *c = child_create(sa, r->found, r->spi_in);

	if (!c)
		return GW_ENOMEM;
	c->spi_out = r->spi_out;
	TRY(reqid_join(c, r->reqid));
	c->successor = r->successor;
	c->state = (enum child_state)r->state;
	c->in_installed = true;
	c->out_installed = r->flags & 1;
	c->rekeyed_by_peer = (r->flags & 2) != 0;
	c->tried_pfs = (r->flags & 4) != 0;
	c->by_us = (r->flags & 8) != 0;
	c->redundant = (r->flags & 16) != 0;
	c->transport = (r->flags & 32) != 0;
	c->fragments = (r->flags & 64) != 0;
	c->inherited = true;
	c->told_ours = r->told_ours;
	c->told_theirs = r->told_theirs;
	c->want_rekey = r->wishes & 1;
	c->want_delete = (r->wishes & 2) != 0;
	c->one_pair = (r->wishes & 4) != 0;
	c->encr = r->encr;
	c->integ = r->integ;
	c->esn = r->esn;
	c->dh = r->dh;
	c->suite = r->suite;
	c->created = ago(r->created, now);
	c->rekey_at = left(r->rekey, now);
	c->life_at = left(r->life, now);
	c->crossing_len = (uint8_t)r->crossing.n;
	if (r->crossing.n > 0)
		memcpy(c->crossing, r->crossing.p, r->crossing.n);
	if (c->state != CHILD_INSTALLING)
		sa->ike->children++;
	TRY(secret_copy(&c->in_keys, r->in_keys));
	TRY(secret_copy(&c->out_keys, r->out_keys));
	return child_selectors(c, r->ours, r->n_ours, r->theirs, r->n_theirs);
}

static enum gw_err make_exchange(struct ike_sa *sa, const struct sa_record *s)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return GW_ENOMEM;
	sa->our_x = x;
	x->kind = (enum exchange_kind)s->x_kind;
	x->group = s->x_group;
	x->inherited = true;
	x->new_spi = s->x_new;
	x->old_spi = s->x_old;
	x->gone_spi = s->x_gone;
	if (s->x_waiting)
		x->waiting = ike_find_child(sa->ike, s->x_waiting);
	TRY(secret_copy(&x->ni, s->x_ni));
	TRY(secret_copy(&x->nr, s->x_nr));
	return make_dh(sa->ike, s->x_dh, &x->dh);
}

static enum gw_err make_session(struct ike_sa *sa, const struct sa_record *s, mtime now)
{
	sa->conn = s->found;
	sa->came_from = s->came_from.family ? s->came_from : s->remote.addr;
	sa->peer_auth = s->peer_auth;
	TRY(peer_join(sa->ike, sa, s->found->name, s->peer.p[0], bytes_of(s->peer.p + 1, s->peer.n - 1)));
	TRY(secret_copy(&sa->told_id, s->told_id));
	TRY(group_join(sa->ike, sa, s->found_group));
	for (size_t i = 0; i < s->lease_count; i++) {
		const struct pool_cfg *pool = find_pool(sa->settings, s->leases[i].pool);
		size_t f = s->leases[i].addr.family == 6;

		TRY(pool_hold(sa->ike->pools, pool->name, sa->peer_id_kind, sa->peer_id, &s->leases[i].addr));
		sa->leases[f].pool = pool->name;
		sa->leases[f].addr = s->leases[i].addr;
	}
	/* Children are put in front of the list: from the last to the first keeps their order. */
	for (size_t i = s->child_count; i-- > 0;)
		TRY(make_child(sa, &s->children[i], now));
	return GW_OK;
}

static enum gw_err fill(struct ike_sa *sa, const struct sa_record *s, mtime now)
{
	struct window *w = &sa->window;

	sa->natt = (s->flags & 2) != 0;
	sa->peer_nat = (s->flags & 4) != 0;
	sa->our_nat = (s->flags & 8) != 0;
	sa->want_rekey = s->wishes & 1;
	sa->want_delete = (s->wishes & 2) != 0;
	sa->want_dpd = (s->wishes & 4) != 0;
	sa->peer_flags = s->peer_flags;
	sa->settled = s->settled;
	sa->certain = s->certain;
	sa->local = s->local;
	sa->remote = s->remote;
	sa->encr = s->encr;
	sa->prf = s->prf;
	sa->integ = s->integ;
	sa->dh = s->dh;
	sa->keys.prf = prf_find(s->prf.id);
	sa->keys.suite = s->suite;
	sa->successor = s->successor;
	sa->crossing_len = (uint8_t)s->crossing.n;
	if (s->crossing.n > 0)
		memcpy(sa->crossing, s->crossing.p, s->crossing.n);
	sa->created = ago(s->times[0], now);
	sa->established = ago(s->times[1], now);
	sa->last_in = ago(s->times[2], now);
	sa->session = s->session;
	sa->session.began = s->has_session ? ago(s->session.began.us, now) : sa->established;
	sa->rekey_at = left(s->times[3], now);
	sa->life_at = left(s->times[4], now);
	sa->reauth_at = left(s->reauth, now);
	sa->not_before = left(s->times[5], now);
	sa->linger = left(s->times[6], now);
	w->recv_next = s->recv_next;
	w->send_next = s->send_next;
	w->request_kind = s->request_kind;
	w->tries = s->tries;
	w->retransmit_at = left(s->retransmit, now);
	if (s->request.n == 0)
		w->request_kind = REQ_NONE;
	else if (w->retransmit_at.us == MTIME_NEVER.us)
		w->retransmit_at = now;
	/* What waits only for its end has one. */
	if (s->state == IKE_LINGERING)
		sa->linger = mtime_min(sa->linger, mtime_add(now, SECONDS(LINGER_SECONDS)));
	if (s->state == IKE_REKEYED && !sa->want_delete)
		sa->life_at = mtime_min(sa->life_at, mtime_add(now, SECONDS(REPLACED_SECONDS)));
	TRY(mobike_set_addresses(sa, s->also, s->also_count));
	TRY(secret_copy(&sa->cert_path, s->cert_path));
	TRY(secret_copy(&sa->keys.block, s->keys));
	TRY(secret_copy(&w->response, s->response));
	TRY(secret_copy(&w->request, s->request));
	if (s->half)
		TRY(make_half(sa, s, now));
	if (s->found)
		TRY(make_session(sa, s, now));
	return s->x ? make_exchange(sa, s) : GW_OK;
}

static void install_all(struct ike_sa *sa)
{
	for (struct child_sa *c = sa->children; c; c = c->next) {
		struct dp_op ops[3];
		size_t n = 0;

		child_op_in(c, ops, &n);
		if (c->out_installed)
			child_op_out(c, ops, &n);
		child_op_policy(c, ops, &n);
		if (ike_operate(sa->ike, 0, ops, n) != GW_OK)
			count_up(sa->ike, install_failed);
	}
}

void ike_forget(struct ike *ike, uint64_t key, bool uninstall)
{
	struct ike_sa *sa = ike_find(ike, key);
	size_t gone = ike->gone_len;

	if (!sa)
		return;
	while (sa->children) {
		if (uninstall)
			child_close(sa->children, "forgotten");
		else
			child_detach(sa->children);
	}
	for (size_t i = 0; i < SA_LEASES; i++) {
		if (sa->leases[i].pool)
			pool_release(ike->pools, sa->leases[i].pool, &sa->leases[i].addr);
		sa->leases[i].pool = NULL;
	}
	peer_leave(ike, sa);
	sa_bury(sa);
	ike->gone_len = gone; /* who forgets by order does not tell others */
}

/* With the SA of this record out of the tables. */
static enum gw_err make(struct ike *ike, const struct sa_record *s, struct err *e, struct ike_sa **out)
{
	struct ike_sa *sa = sa_create(ike, s->flags & 1, s->spi_i, s->spi_r);
	enum gw_err code = sa ? fill(sa, s, ike_now(ike)) : GW_ENOMEM;

	*out = sa;
	if (code == GW_OK) {
		sa->adopted = true;
		sa_set_state(sa, (enum ike_state)s->state, "from a record");
	} else {
		err_set(e, code, "cannot be made: %s", gw_err_text(code));
	}
	return code;
}

enum gw_err state_adopt(struct ike *ike, uint64_t key, struct bytes record,
			void (*lose)(void *arg, const struct child_sa *c), void *arg, struct err *e)
{
	struct sa_record *s = malloc(sizeof(*s));
	struct ike_sa *sa = NULL;
	enum gw_err code;

	if (!s)
		return err_set(e, GW_ENOMEM, "out of memory");
	code = state_read(record, s, e);
	if (code == GW_OK && key != (s->flags & 1 ? s->spi_i : s->spi_r))
		code = err_set(e, GW_EMALFORMED, "the record is of another IKE SA");
	if (code == GW_OK)
		code = check(ike, s, true, e);
	for (size_t i = 0; code == GW_OK && i < s->child_count; i++) {
		struct child_sa *c = ike_find_child(ike, s->children[i].spi_in);

		if (!c)
			continue;
		lose(arg, c);
		child_detach(c);
	}
	if (code == GW_OK)
		code = make(ike, s, e, &sa);
	if (code == GW_OK) {
		sa_reschedule(sa);
		if (sa->our_x && sa->our_x->waiting) /* to be finished by whoever becomes active */
			due_set(&ike->due, sa, ike_now(ike));
	} else if (sa) {
		ike_forget(ike, key, false);
	}
	free(s);
	return code;
}

enum gw_err state_adopt_bare(struct ike *ike, uint64_t key, struct bytes record, struct err *e)
{
	struct sa_record *s = malloc(sizeof(*s));
	struct ike_sa *sa = NULL;
	enum gw_err code;

	if (!s)
		return err_set(e, GW_ENOMEM, "out of memory");
	code = state_read(record, s, e);
	if (code == GW_OK && s->state != IKE_UP)
		code = err_set(e, GW_ESTATE, "not up");
	if (code == GW_OK)
		code = check(ike, s, false, e);
	s->child_count = s->lease_count = 0;
	s->x = false;
	if (code == GW_OK)
		code = make(ike, s, e, &sa);
	if (code == GW_OK)
		sa->adopted = true;
	else if (sa)
		ike_forget(ike, key, false);
	free(s);
	return code;
}

static enum gw_err replace_installed(struct ike *ike, uint64_t key, struct bytes record, struct err *e)
{
	struct ike_change change = { .key = key, .record = record };

	ike_apply(ike, &change, 1);
	return change.result == GW_OK ? GW_OK : err_set(e, change.result, "%s", change.text);
}

enum gw_err ike_decode(struct ike *ike, struct bytes record, bool install, struct err *e)
{
	struct sa_record *s = malloc(sizeof(*s));
	struct ike_sa *sa;
	uint64_t key;
	enum gw_err code;

	if (!s)
		return err_set(e, GW_ENOMEM, "out of memory");
	code = state_read(record, s, e);
	if (code == GW_OK)
		code = check(ike, s, false, e);
	if (code != GW_OK) {
		free(s);
		return code;
	}
	key = s->flags & 1 ? s->spi_i : s->spi_r;
	if (install && ike_find(ike, key)) {
		/* The plane has it: it gets the difference, keys and numbers that stay live on. */
		free(s);
		return replace_installed(ike, key, record, e);
	}
	ike_forget(ike, key, false);
	code = make(ike, s, e, &sa);
	if (code == GW_OK) {
		/* What the peer has closed meanwhile is taken from the plane: by whoever has that, or has it later. */
		bool finish = s->x && s->x_waiting && sa->our_x->waiting && (install || !sa->our_x->gone_spi);

		if (install)
			install_all(sa);
		if (finish)
			x_rekey_child_finish(sa, sa->our_x->waiting, GW_OK);
		sa_reschedule(sa);
	} else if (sa) {
		ike_forget(ike, ike_sa_local_spi(sa), install);
	}
	free(s); /* views only: no secret was copied into it */
	return code;
}
