/* A record is read whole into views, judged whole, and only then made into an SA. */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/state.h"

struct child_record {
	uint32_t spi_in, spi_out, reqid, successor;
	uint8_t state, flags, wishes;
	struct transform encr, integ, esn, dh;
	struct bytes cfg, in_keys, out_keys, crossing;
	struct selector ours[IKE_CHILD_SELECTORS], theirs[IKE_CHILD_SELECTORS];
	size_t n_ours, n_theirs;
	int64_t created, rekey, life;
	/* found */
	const struct child_cfg *found;
	struct cipher_suite suite;
};

struct sa_record {
	uint64_t spi_i, spi_r, successor;
	uint8_t state, flags, wishes;
	uint32_t peer_flags, recv_next, send_next;
	uint8_t request_kind, tries;
	int64_t retransmit, times[7];
	struct endpoint local, remote;
	struct transform encr, prf, integ, dh;
	struct bytes keys, conn, response, request, crossing, peer;
	struct {
		struct addr addr;
		struct bytes pool;
	} leases[SA_LEASES];
	size_t lease_count;
	bool half, has_core;
	struct bytes half_ni, half_nr, half_request, half_response, half_ke, half_dh, x_dh, x_ni, x_nr;
	int64_t half_expires;
	struct half_open_key half_key;
	bool x;
	uint8_t x_kind;
	uint16_t x_group;
	uint64_t x_new;
	uint32_t x_old, x_waiting;
	struct child_record children[IKE_CHILD_MAX];
	size_t child_count;
	/* found */
	const struct conn_cfg *found;
	struct cipher_suite suite;
};

static bool next_field(struct reader *r, uint16_t *tag, struct reader *value)
{
	uint32_t len;

	if (r->bad || r->left == 0)
		return false;
	*tag = rd_u16(r);
	len = rd_u32(r);
	*value = rd_sub(r, len);
	return !r->bad;
}

static struct addr get_addr(struct reader *r)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	a.family = rd_u8(r);
	rd_copy(r, a.b, 16);
	if (a.family != 0 && a.family != 4 && a.family != 6)
		r->bad = true;
	if (a.family == 4)
		memset(a.b + 4, 0, 12);
	return a;
}

static struct transform get_transform(struct reader *r)
{
	struct transform t;

	t.type = rd_u8(r);
	t.id = rd_u16(r);
	t.key_bits = rd_u16(r);
	return t;
}

static bool unknown_is_fatal(uint16_t tag, struct err *e)
{
	if (!(tag & FIELD_CRITICAL))
		return false;
	err_set(e, GW_EUNSUPPORTED, "critical field %u is unknown here", tag & ~FIELD_CRITICAL);
	return true;
}

static bool get_selectors(struct reader v, struct selector *out, size_t *n)
{
	*n = 0;
	while (v.left > 0) {
		struct selector s;

		memset(&s, 0, sizeof(s));
		s.range.lo.family = s.range.hi.family = rd_u8(&v);
		s.proto = rd_u8(&v);
		s.port_lo = rd_u16(&v);
		s.port_hi = rd_u16(&v);
		rd_copy(&v, s.range.lo.b, 16);
		rd_copy(&v, s.range.hi.b, 16);
		if (v.bad || *n == IKE_CHILD_SELECTORS || addr_len(&s.range.lo) == 0 ||
		    addr_cmp(&s.range.lo, &s.range.hi) > 0 || s.port_lo > s.port_hi)
			return false;
		out[(*n)++] = s;
	}
	return !v.bad;
}

static enum gw_err read_child(struct reader r, struct child_record *c, struct err *e)
{
	struct reader v;
	uint16_t tag;

	while (next_field(&r, &tag, &v)) {
		bool ok = true;

		switch (tag) {
		case ST_CHILD_CORE:
			c->spi_in = rd_u32(&v);
			c->spi_out = rd_u32(&v);
			c->reqid = rd_u32(&v);
			c->state = rd_u8(&v);
			c->flags = rd_u8(&v);
			c->wishes = rd_u8(&v);
			c->successor = rd_u32(&v);
			break;
		case ST_CHILD_CFG:
			c->cfg = rd_rest(&v);
			break;
		case ST_CHILD_SUITE:
			c->encr = get_transform(&v);
			c->integ = get_transform(&v);
			c->esn = get_transform(&v);
			c->dh = get_transform(&v);
			break;
		case ST_CHILD_IN_KEYS:
			c->in_keys = rd_rest(&v);
			break;
		case ST_CHILD_OUT_KEYS:
			c->out_keys = rd_rest(&v);
			break;
		case ST_CHILD_OURS:
			ok = get_selectors(v, c->ours, &c->n_ours);
			break;
		case ST_CHILD_THEIRS:
			ok = get_selectors(v, c->theirs, &c->n_theirs);
			break;
		case ST_CHILD_TIMES:
			c->created = (int64_t)rd_u64(&v);
			c->rekey = (int64_t)rd_u64(&v);
			c->life = (int64_t)rd_u64(&v);
			break;
		case ST_CHILD_CROSSING:
			c->crossing = rd_rest(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (!ok || v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of a CHILD SA", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "a CHILD SA is cut off") : GW_OK;
}

static enum gw_err read_half(struct reader r, struct sa_record *s, struct err *e)
{
	struct reader v;
	uint16_t tag;

	s->half = true;
	while (next_field(&r, &tag, &v)) {
		switch (tag) {
		case ST_HALF_NI:
			s->half_ni = rd_rest(&v);
			break;
		case ST_HALF_NR:
			s->half_nr = rd_rest(&v);
			break;
		case ST_HALF_REQUEST:
			s->half_request = rd_rest(&v);
			break;
		case ST_HALF_RESPONSE:
			s->half_response = rd_rest(&v);
			break;
		case ST_HALF_PEER_KE:
			s->half_ke = rd_rest(&v);
			break;
		case ST_HALF_DH:
			s->half_dh = rd_rest(&v);
			break;
		case ST_HALF_TIMES:
			s->half_expires = (int64_t)rd_u64(&v);
			break;
		case ST_HALF_KEY:
			s->half_key.from = get_addr(&v);
			s->half_key.spi_i = rd_u64(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of a half-open SA", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "a half-open SA is cut off") : GW_OK;
}

static enum gw_err read_exchange(struct reader r, struct sa_record *s, struct err *e)
{
	struct reader v;
	uint16_t tag;

	s->x = true;
	while (next_field(&r, &tag, &v)) {
		switch (tag) {
		case ST_X_CORE:
			s->x_kind = rd_u8(&v);
			s->x_group = rd_u16(&v);
			s->x_new = rd_u64(&v);
			s->x_old = rd_u32(&v);
			s->x_waiting = rd_u32(&v);
			break;
		case ST_X_NI:
			s->x_ni = rd_rest(&v);
			break;
		case ST_X_NR:
			s->x_nr = rd_rest(&v);
			break;
		case ST_X_DH:
			s->x_dh = rd_rest(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of an exchange", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "an exchange is cut off") : GW_OK;
}

static enum gw_err read_field(uint16_t tag, struct reader *v, struct sa_record *s, struct err *e)
{
	switch (tag) {
	case ST_CORE:
		s->has_core = true;
		s->spi_i = rd_u64(v);
		s->spi_r = rd_u64(v);
		s->state = rd_u8(v);
		s->flags = rd_u8(v);
		s->wishes = rd_u8(v);
		s->peer_flags = rd_u32(v);
		break;
	case ST_ADDRESSES:
		s->local.addr = get_addr(v);
		s->local.port = rd_u16(v);
		s->remote.addr = get_addr(v);
		s->remote.port = rd_u16(v);
		break;
	case ST_SUITE:
		s->encr = get_transform(v);
		s->prf = get_transform(v);
		s->integ = get_transform(v);
		s->dh = get_transform(v);
		break;
	case ST_KEYS:
		s->keys = rd_rest(v);
		break;
	case ST_CONN:
		s->conn = rd_rest(v);
		break;
	case ST_PEER:
		s->peer = rd_rest(v);
		if (s->peer.n < 1 || s->peer.n > IKE_MAX_ID + 1)
			v->bad = true;
		break;
	case ST_LEASE:
		if (s->lease_count == SA_LEASES)
			return err_set(e, GW_ELIMIT, "too many leases");
		s->leases[s->lease_count].addr = get_addr(v);
		s->leases[s->lease_count++].pool = rd_rest(v);
		break;
	case ST_WINDOW:
		s->recv_next = rd_u32(v);
		s->send_next = rd_u32(v);
		s->request_kind = rd_u8(v);
		s->tries = rd_u8(v);
		s->retransmit = (int64_t)rd_u64(v);
		break;
	case ST_RESPONSE:
		s->response = rd_rest(v);
		break;
	case ST_REQUEST:
		s->request = rd_rest(v);
		break;
	case ST_TIMES:
		for (size_t i = 0; i < ARRAY_LEN(s->times); i++)
			s->times[i] = (int64_t)rd_u64(v);
		break;
	case ST_SUCCESSOR:
		s->successor = rd_u64(v);
		s->crossing = rd_rest(v);
		break;
	case ST_HALF:
		return read_half(*v, s, e);
	case ST_OUR_X:
		return read_exchange(*v, s, e);
	case ST_CHILD:
		if (s->child_count == IKE_CHILD_MAX)
			return err_set(e, GW_ELIMIT, "too many CHILD SAs");
		return read_child(*v, &s->children[s->child_count++], e);
	default:
		if (unknown_is_fatal(tag, e))
			return GW_EUNSUPPORTED;
	}
	return v->bad ? err_set(e, GW_EMALFORMED, "field %u", tag) : GW_OK;
}

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

static enum gw_err check_child(const struct ike *ike, const struct sa_record *s, struct child_record *c, struct err *e)
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
	if (c->state > CHILD_DELETING || c->spi_in < 256 || c->reqid == 0 || c->n_ours == 0 || c->n_theirs == 0 ||
	    c->crossing.n > IKE_NONCE_OURS)
		return err_set(e, GW_EMALFORMED, "CHILD SA %08x", c->spi_in);
	if (chosen_suite(&chosen, &c->suite) != GW_OK)
		return err_set(e, GW_EUNSUPPORTED, "CHILD SA %08x has an algorithm that is unknown here", c->spi_in);
	keys = suite_encr_key_len(&c->suite) + suite_integ_key_len(&c->suite);
	if (c->in_keys.n != keys || c->out_keys.n != keys)
		return err_set(e, GW_EMALFORMED, "CHILD SA %08x has keys of a wrong size", c->spi_in);
	if (known && ike_sa_local_spi(known->sa) != local)
		return err_set(e, GW_EEXIST, "CHILD SA %08x belongs to another IKE SA here", c->spi_in);
	return GW_OK;
}

static enum gw_err check(const struct ike *ike, struct sa_record *s, struct err *e)
{
	struct chosen chosen = { .encr = s->encr, .prf = s->prf, .integ = s->integ, .dh = s->dh };
	const struct prf_alg *prf = prf_find(s->prf.id);
	bool half = s->state == IKE_HALF_OPEN;

	if (!s->has_core || s->state >= IKE_DEAD || addr_len(&s->remote.addr) == 0 || addr_len(&s->local.addr) == 0 ||
	    s->half != half || s->crossing.n > IKE_NONCE_OURS || !is_packed(s->response) || !is_packed(s->request))
		return err_set(e, GW_EMALFORMED, "the record contradicts itself");
	if (chosen_suite(&chosen, &s->suite) != GW_OK || !prf || !dh_find(s->dh.id))
		return err_set(e, GW_EUNSUPPORTED, "an algorithm is unknown here");
	if (s->keys.n != ike_keys_len(prf, &s->suite) && !(half && s->keys.n == 0))
		return err_set(e, GW_EMALFORMED, "keys of a wrong size");
	if (half)
		return s->half_ni.n && s->half_nr.n && s->half_request.n && s->half_response.n && s->child_count == 0
			       ? GW_OK
			       : err_set(e, GW_EMALFORMED, "a half-open SA lacks something");
	if (s->state == IKE_LINGERING)
		return GW_OK;
	for (size_t i = 0; i < ike->settings->conn_count; i++) {
		if (text_is(s->conn, ike->settings->conns[i].name))
			s->found = &ike->settings->conns[i];
	}
	if (!s->found)
		return err_set(e, GW_ECONFIG, "connection %.*s is not configured here",
			       (int)(s->conn.n < 60 ? s->conn.n : 60), (const char *)s->conn.p);
	if (s->peer.n == 0)
		return err_set(e, GW_EMALFORMED, "nobody is authenticated");
	for (size_t i = 0; i < s->child_count; i++)
		TRY(check_child(ike, s, &s->children[i], e));
	for (size_t i = 0; i < s->lease_count; i++) {
		bool found = false;

		for (size_t k = 0; k < s->found->pool_count; k++)
			found |= text_is(s->leases[i].pool, s->found->pools[k]->name);
		if (!found)
			return err_set(e, GW_ECONFIG, "connection %s has no such pool here", s->found->name);
	}
	return GW_OK;
}

/* ---- making ---- */

static mtime left(int64_t us, mtime now)
{
	return us == INT64_MAX ? MTIME_NEVER : (mtime){ now.us + us };
}

static mtime ago(int64_t us, mtime now)
{
	return (mtime){ now.us - us };
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
	h->expires = left(s->half_expires, now);
	if (h->expires.us == MTIME_NEVER.us) /* its IKE_AUTH was being answered: the peer repeats it */
		h->expires = mtime_add(now, sa->settings->ike.half_open_timeout_us);
	TRY(secret_copy(&h->ni, s->half_ni));
	TRY(secret_copy(&h->nr, s->half_nr));
	TRY(secret_copy(&h->init_request, s->half_request));
	TRY(secret_copy(&h->init_response, s->half_response));
	TRY(secret_copy(&h->peer_ke, s->half_ke));
	TRY(make_dh(sa->ike, s->half_dh, &h->dh));
	return half_join(sa);
}

static enum gw_err make_child(struct ike_sa *sa, const struct child_record *r, mtime now)
{
	struct child_sa *c = child_create(sa, r->found, r->spi_in);

	if (!c)
		return GW_ENOMEM;
	c->spi_out = r->spi_out;
	c->reqid = r->reqid;
	c->successor = r->successor;
	c->state = (enum child_state)r->state;
	c->out_installed = r->flags & 1;
	c->rekeyed_by_peer = (r->flags & 2) != 0;
	c->tried_pfs = (r->flags & 4) != 0;
	c->by_us = (r->flags & 8) != 0;
	c->want_rekey = r->wishes & 1;
	c->want_delete = (r->wishes & 2) != 0;
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
	x->new_spi = s->x_new;
	x->old_spi = s->x_old;
	if (s->x_waiting)
		x->waiting = ike_find_child(sa->ike, s->x_waiting);
	TRY(secret_copy(&x->ni, s->x_ni));
	TRY(secret_copy(&x->nr, s->x_nr));
	return make_dh(sa->ike, s->x_dh, &x->dh);
}

static enum gw_err make_session(struct ike_sa *sa, const struct sa_record *s, mtime now)
{
	sa->conn = s->found;
	TRY(peer_join(sa->ike, sa, s->found->name, s->peer.p[0], bytes_of(s->peer.p + 1, s->peer.n - 1)));
	for (size_t i = 0; i < s->lease_count; i++) {
		for (size_t k = 0; k < s->found->pool_count; k++) {
			const struct pool_cfg *pool = s->found->pools[k];
			size_t f = s->leases[i].addr.family == 6;

			if (!text_is(s->leases[i].pool, pool->name))
				continue;
			TRY(pool_restore(sa->ike->pools, pool->name, sa->peer_id_kind, sa->peer_id, &s->leases[i].addr,
					 1, pool->lease_time_us));
			sa->leases[f].pool = pool->name;
			sa->leases[f].addr = s->leases[i].addr;
		}
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
	sa->rekey_at = left(s->times[3], now);
	sa->life_at = left(s->times[4], now);
	sa->not_before = left(s->times[5], now);
	sa->linger = left(s->times[6], now);
	w->recv_next = s->recv_next;
	w->send_next = s->send_next;
	w->request_kind = s->request_kind;
	w->tries = s->tries;
	w->retransmit_at = left(s->retransmit, now);
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

enum gw_err ike_decode(struct ike *ike, struct bytes record, bool install, struct err *e)
{
	struct sa_record *s = calloc(1, sizeof(*s));
	struct reader r = rd_of(record), v;
	mtime now = ike_now(ike);
	struct ike_sa *sa;
	enum gw_err code = GW_OK;
	uint16_t tag;

	if (!s)
		return err_set(e, GW_ENOMEM, "out of memory");
	s->retransmit = s->half_expires = INT64_MAX;
	s->times[3] = s->times[4] = INT64_MAX;
	while (code == GW_OK && next_field(&r, &tag, &v))
		code = read_field(tag, &v, s, e);
	if (code == GW_OK && r.bad)
		code = err_set(e, GW_EMALFORMED, "the record is cut off");
	if (code == GW_OK)
		code = check(ike, s, e);
	if (code != GW_OK) {
		free(s);
		return code;
	}
	ike_forget(ike, s->flags & 1 ? s->spi_i : s->spi_r, false);
	sa = sa_create(ike, s->flags & 1, s->spi_i, s->spi_r);
	code = sa ? fill(sa, s, now) : GW_ENOMEM;
	if (code == GW_OK) {
		bool finish = s->x && s->x_waiting && sa->our_x->waiting;

		sa_set_state(sa, (enum ike_state)s->state, "from a record");
		if (install)
			install_all(sa);
		if (finish)
			x_rekey_child_finish(sa, sa->our_x->waiting, GW_OK);
		sa_reschedule(sa);
	} else {
		err_set(e, code, "cannot be made: %s", gw_err_text(code));
		if (sa)
			ike_forget(ike, ike_sa_local_spi(sa), install);
	}
	free(s); /* views only: no secret was copied into it */
	return code;
}
