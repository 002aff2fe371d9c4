#include "ike/eap.h"
#include "ike/engine.h"
#include "ike/state.h"

static size_t field_begin(struct writer *w, uint16_t tag)
{
	wr_u16(w, tag);
	wr_u32(w, 0);
	return w->n;
}

static void field_end(struct writer *w, size_t mark)
{
	wr_patch_u32(w, mark - 4, (uint32_t)(w->n - mark));
}

static void field(struct writer *w, uint16_t tag, struct bytes value)
{
	size_t mark;

	if (value.n == 0)
		return;
	mark = field_begin(w, tag);
	wr_bytes(w, value);
	field_end(w, mark);
}

static void put_addr(struct writer *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_bytes(w, bytes_of(a->b, 16));
}

static void put_transform(struct writer *w, const struct transform *t)
{
	wr_u8(w, t->type);
	wr_u16(w, t->id);
	wr_u16(w, t->key_bits);
}

static void put_left(struct writer *w, mtime when, mtime now)
{
	wr_u64(w, when.us == MTIME_NEVER.us ? (uint64_t)INT64_MAX : (uint64_t)(when.us - now.us));
}

static void put_ago(struct writer *w, mtime when, mtime now)
{
	wr_u64(w, (uint64_t)(now.us - when.us));
}

static enum gw_err put_dh(struct writer *w, uint16_t tag, const struct dh_key *dh)
{
	WIPED struct secret priv = { 0 };
	size_t mark;

	if (!dh)
		return GW_OK;
	TRY(dh_export(dh, &priv));
	mark = field_begin(w, tag);
	wr_u16(w, dh_alg_of(dh)->id);
	wr_u32(w, (uint32_t)priv.n);
	wr_bytes(w, secret_bytes(&priv));
	wr_bytes(w, dh_public(dh));
	field_end(w, mark);
	return GW_OK;
}

/* Between rounds of EAP. While IKE_AUTH waits, nobody outside has seen anything of it. */
static void put_rounds(struct writer *w, const struct half_open *h)
{
	size_t mark;

	if (h->sa->state != IKE_EAP)
		return;
	mark = field_begin(w, ST_HALF_AUTH);
	wr_u8(w, h->auth_first);
	wr_bytes(w, secret_bytes(&h->auth_chain));
	field_end(w, mark);
	field(w, ST_HALF_CONN, bytes_str(h->sa->conn->name));
	field(w, ST_HALF_OUR_ID, secret_bytes(&h->our_id));
	field(w, ST_HALF_MSK, secret_bytes(&h->msk));
	if (!h->eap)
		return;
	mark = field_begin(w, ST_HALF_EAP);
	wr_u8(w, h->eap_only);
	eap_encode(h->eap, w);
	field_end(w, mark);
}

static enum gw_err put_half(struct writer *w, const struct half_open *h, mtime now)
{
	size_t mark = field_begin(w, ST_HALF), inner;

	field(w, ST_HALF_NI, secret_bytes(&h->ni));
	field(w, ST_HALF_NR, secret_bytes(&h->nr));
	field(w, ST_HALF_REQUEST, secret_bytes(&h->init_request));
	field(w, ST_HALF_RESPONSE, secret_bytes(&h->init_response));
	field(w, ST_HALF_PEER_KE, secret_bytes(&h->peer_ke));
	TRY(put_dh(w, ST_HALF_DH, h->dh));
	inner = field_begin(w, ST_HALF_TIMES);
	put_left(w, h->expires, now);
	field_end(w, inner);
	inner = field_begin(w, ST_HALF_KEY);
	put_addr(w, &h->key.from);
	wr_u64(w, h->key.spi_i);
	field_end(w, inner);
	if (h->hashes)
		field(w, ST_HALF_HASHES, bytes_of(&h->hashes, 1));
	put_rounds(w, h);
	field_end(w, mark);
	return GW_OK;
}

static enum gw_err put_exchange(struct writer *w, const struct exchange *x)
{
	size_t mark = field_begin(w, ST_OUR_X), inner = field_begin(w, ST_X_CORE);

	wr_u8(w, (uint8_t)x->kind);
	wr_u16(w, x->group);
	wr_u64(w, x->new_spi);
	wr_u32(w, x->old_spi);
	wr_u32(w, x->waiting ? x->waiting->spi_in : 0);
	field_end(w, inner);
	field(w, ST_X_NI, secret_bytes(&x->ni));
	field(w, ST_X_NR, secret_bytes(&x->nr));
	TRY(put_dh(w, ST_X_DH, x->dh));
	if (x->gone_spi) {
		inner = field_begin(w, ST_X_GONE);
		wr_u32(w, x->gone_spi);
		field_end(w, inner);
	}
	field_end(w, mark);
	return GW_OK;
}

static void put_selectors(struct writer *w, uint16_t tag, const struct selector *s, size_t n)
{
	size_t mark = field_begin(w, tag);

	for (size_t i = 0; i < n; i++) {
		wr_u8(w, s[i].range.lo.family);
		wr_u8(w, s[i].proto);
		wr_u16(w, s[i].port_lo);
		wr_u16(w, s[i].port_hi);
		wr_bytes(w, bytes_of(s[i].range.lo.b, 16));
		wr_bytes(w, bytes_of(s[i].range.hi.b, 16));
	}
	field_end(w, mark);
}

static void put_child(struct writer *w, const struct child_sa *c, mtime now)
{
	size_t mark = field_begin(w, ST_CHILD), inner = field_begin(w, ST_CHILD_CORE);

	wr_u32(w, c->spi_in);
	wr_u32(w, c->spi_out);
	wr_u32(w, c->reqid);
	wr_u8(w, (uint8_t)c->state);
	wr_u8(w, (uint8_t)(c->out_installed | c->rekeyed_by_peer << 1 | c->tried_pfs << 2 | c->by_us << 3 |
			   c->redundant << 4 | c->transport << 5 | c->fragments << 6));
	wr_u8(w, (uint8_t)(c->want_rekey | c->want_delete << 1 | c->one_pair << 2));
	wr_u32(w, c->successor);
	field_end(w, inner);
	field(w, ST_CHILD_CFG, bytes_str(c->cfg->name));
	inner = field_begin(w, ST_CHILD_SUITE);
	put_transform(w, &c->encr);
	put_transform(w, &c->integ);
	put_transform(w, &c->esn);
	put_transform(w, &c->dh);
	field_end(w, inner);
	field(w, ST_CHILD_IN_KEYS, secret_bytes(&c->in_keys));
	field(w, ST_CHILD_OUT_KEYS, secret_bytes(&c->out_keys));
	put_selectors(w, ST_CHILD_OURS, c->ours, c->ours_count);
	put_selectors(w, ST_CHILD_THEIRS, c->theirs, c->theirs_count);
	inner = field_begin(w, ST_CHILD_TIMES);
	put_ago(w, c->created, now);
	put_left(w, c->rekey_at, now);
	put_left(w, c->life_at, now);
	field_end(w, inner);
	if (c->told_ours.family || c->told_theirs.family) {
		inner = field_begin(w, ST_CHILD_TOLD);
		put_addr(w, &c->told_ours);
		put_addr(w, &c->told_theirs);
		field_end(w, inner);
	}
	field(w, ST_CHILD_CROSSING, bytes_of(c->crossing, c->crossing_len));
	field_end(w, mark);
}

/* What is said only of the doubt that there is: who takes over doubts what is not said to be sound. */
static void put_doubt(struct writer *w, const struct ike_sa *sa)
{
	uint32_t doubt = sa->ike->doubt;
	bool certain = !sa->adopted || sa->certain == doubt;
	size_t mark;

	if (doubt == 0 || (!certain && sa->settled != doubt))
		return;
	mark = field_begin(w, ST_DOUBT);
	wr_u32(w, doubt);
	wr_u32(w, certain ? doubt : 0);
	field_end(w, mark);
}

static void put_core(struct writer *w, const struct ike_sa *sa, mtime now)
{
	const struct window *win = &sa->window;
	size_t mark = field_begin(w, ST_CORE);

	wr_u64(w, sa->spi_i);
	wr_u64(w, sa->spi_r);
	wr_u8(w, (uint8_t)sa->state);
	wr_u8(w, (uint8_t)(sa->initiator | sa->natt << 1 | sa->peer_nat << 2 | sa->our_nat << 3));
	wr_u8(w, (uint8_t)(sa->want_rekey | sa->want_delete << 1 | sa->want_dpd << 2));
	wr_u32(w, sa->peer_flags);
	field_end(w, mark);
	mark = field_begin(w, ST_ADDRESSES);
	put_addr(w, &sa->local.addr);
	wr_u16(w, sa->local.port);
	put_addr(w, &sa->remote.addr);
	wr_u16(w, sa->remote.port);
	field_end(w, mark);
	mark = field_begin(w, ST_SUITE);
	put_transform(w, &sa->encr);
	put_transform(w, &sa->prf);
	put_transform(w, &sa->integ);
	put_transform(w, &sa->dh);
	field_end(w, mark);
	field(w, ST_KEYS, secret_bytes(&sa->keys.block));
	mark = field_begin(w, ST_WINDOW);
	wr_u32(w, win->recv_next);
	wr_u32(w, win->send_next);
	wr_u8(w, win->request_kind);
	wr_u8(w, win->tries);
	put_left(w, win->retransmit_at, now);
	field_end(w, mark);
	put_doubt(w, sa);
	field(w, ST_RESPONSE, secret_bytes(&win->response));
	field(w, ST_REQUEST, secret_bytes(&win->request));
	mark = field_begin(w, ST_TIMES);
	put_ago(w, sa->created, now);
	put_ago(w, sa->established, now);
	put_ago(w, sa->last_in, now);
	put_left(w, sa->rekey_at, now);
	put_left(w, sa->life_at, now);
	put_left(w, sa->not_before, now);
	put_left(w, sa->linger, now);
	field_end(w, mark);
}

/* A session without a past is what the reader takes it for when there is nothing. */
static void put_totals(struct writer *w, const struct ike_sa *sa, mtime now)
{
	const struct ike_session *t = &sa->session;
	size_t mark;

	if (t->began.us == sa->established.us && t->packets_in == 0 && t->packets_out == 0 && t->failovers == 0)
		return;
	mark = field_begin(w, ST_SESSION);
	put_ago(w, t->began, now);
	wr_u64(w, t->packets_in);
	wr_u64(w, t->packets_out);
	wr_u64(w, t->bytes_in);
	wr_u64(w, t->bytes_out);
	wr_u32(w, t->failovers);
	field_end(w, mark);
}

static void put_session(struct writer *w, const struct ike_sa *sa, mtime now)
{
	size_t mark;

	field(w, ST_CONN, bytes_str(sa->conn->name));
	mark = field_begin(w, ST_PEER);
	wr_u8(w, sa->peer_id_kind);
	wr_bytes(w, sa->peer_id);
	field_end(w, mark);
	put_totals(w, sa, now);
	if (sa->group)
		field(w, ST_GROUP, bytes_str(sa->group->name));
	for (size_t i = 0; i < SA_LEASES; i++) {
		if (!sa->leases[i].pool)
			continue;
		mark = field_begin(w, ST_LEASE);
		put_addr(w, &sa->leases[i].addr);
		wr_bytes(w, bytes_str(sa->leases[i].pool));
		field_end(w, mark);
	}
	if (sa->peer_auth) {
		mark = field_begin(w, ST_PEER_AUTH);
		wr_u32(w, sa->peer_auth);
		field_end(w, mark);
	}
	field(w, ST_TOLD_ID, secret_bytes(&sa->told_id));
	if (sa->reauth_at.us != MTIME_NEVER.us) {
		mark = field_begin(w, ST_REAUTH);
		put_left(w, sa->reauth_at, ike_now(sa->ike));
		field_end(w, mark);
	}
	if (!addr_equal(&sa->came_from, &sa->remote.addr)) {
		mark = field_begin(w, ST_CAME_FROM);
		put_addr(w, &sa->came_from);
		field_end(w, mark);
	}
	if (sa->also_count > 0) {
		mark = field_begin(w, ST_ALSO);
		for (size_t i = 0; i < sa->also_count; i++)
			put_addr(w, &sa->also[i]);
		field_end(w, mark);
	}
	mark = field_begin(w, ST_SUCCESSOR);
	wr_u64(w, sa->successor);
	wr_bytes(w, bytes_of(sa->crossing, sa->crossing_len));
	field_end(w, mark);
}

enum gw_err ike_encode(const struct ike *ike, uint64_t key, struct writer *w)
{
	const struct ike_sa *sa = ike_find(ike, key);
	mtime now = ike_now(ike);

	if (!sa)
		return GW_ENOTFOUND;
	put_core(w, sa, now);
	/* Of EAP-TLS it is there before the SA is up. */
	if (sa->state != IKE_HALF_OPEN)
		field(w, ST_CERT_PATH, secret_bytes(&sa->cert_path));
	if (sa->half)
		TRY(put_half(w, sa->half, now));
	/* While IKE_AUTH waits for the data plane, nobody outside has seen anything of it. */
	if (!sa->half && sa->peer)
		put_session(w, sa, now);
	if (sa->our_x)
		TRY(put_exchange(w, sa->our_x));
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (c->state != CHILD_INSTALLING || (sa->our_x && sa->our_x->waiting == c))
			put_child(w, c, now);
	}
	return w->bad ? GW_ELIMIT : GW_OK;
}
