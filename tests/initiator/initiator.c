/* The face: datagrams to their SA, what is wanted next, time. */
#include "tests/initiator/ini.h"

#include <stdlib.h>

struct ini *ini_create(const struct env *env, const struct ini_cfg *cfg, const struct ini_self *self)
{
	struct ini *ini = calloc(1, sizeof(*ini));

	if (!ini)
		return NULL;
	ini->env = env;
	ini->cfg = cfg;
	ini->self = *self;
	ini->out_tail = &ini->out;
	return ini;
}

void ini_forget(struct ini *ini)
{
	struct datagram d;

	while (ini->sas)
		ini_sa_destroy(ini->sas);
	ini_opening_destroy(ini);
	while (ini_take(ini, &d))
		;
	ini->inner_count = 0;
}

void ini_destroy(struct ini *ini)
{
	if (!ini)
		return;
	ini_forget(ini);
	free(ini->taken);
	free(ini);
}

enum gw_err ini_start(struct ini *ini)
{
	enum gw_err err;

	ini_forget(ini);
	ini->failed = ini->natt = ini->peer_fragments = ini->peer_mobike = ini->peer_childless = false;
	ini->reason = NULL;
	ini->error = ini->child_error = 0;
	ini->local = ini->self.local;
	ini->remote = ini->self.remote;
	err = ini_open_start(ini);
	if (err != GW_OK)
		ini_fail(ini, "could not start");
	return err;
}

void ini_move(struct ini *ini, const struct endpoint *local)
{
	ini->local = *local;
	ini->self.local.addr = local->addr;
}

bool ini_update(struct ini *ini, const struct endpoint *local)
{
	struct ini_sa *sa = ini_current(ini);

	ini_move(ini, local);
	if (!sa || !ini->peer_mobike)
		return false;
	sa->want_update = true;
	ini_flush(ini);
	return true;
}

struct ini_sa *ini_current(const struct ini *ini)
{
	for (struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		if (sa->state == INI_SA_UP)
			return sa;
	return NULL;
}

bool ini_up(const struct ini *ini)
{
	return ini_current(ini) != NULL;
}

size_t ini_child_count(const struct ini *ini)
{
	size_t n = 0;

	for (const struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		for (const struct ini_child *c = sa->children; c; c = c->next)
			n++;
	return n;
}

bool ini_idle(const struct ini *ini)
{
	for (const struct ini_sa *sa = ini->sas; sa; sa = sa->next) {
		if (sa->state == INI_SA_DEAD)
			continue;
		if (sa->state != INI_SA_UP || sa->kind != INI_NONE || sa->want_rekey || sa->want_delete ||
		    sa->want_probe || sa->want_child || sa->want_update)
			return false;
		for (const struct ini_child *c = sa->children; c; c = c->next)
			if (c->want_rekey || c->want_delete || c->rekeyed)
				return false;
	}
	return true;
}

/* ---- what is wanted next ---- */

static enum gw_err next_request(struct ini_sa *sa, mtime now)
{
	bool ready = sa->retry_at.us == MTIME_NEVER.us || mtime_reached(sa->retry_at, now);

	if (sa->want_delete) {
		sa->want_delete = false;
		return ini_info_delete(sa);
	}
	if (sa->state == INI_SA_UP) {
		if (sa->want_update) {
			sa->want_update = false;
			return ini_info_update(sa);
		}
		for (struct ini_child *c = sa->children; c; c = c->next)
			if (c->want_delete) {
				c->want_delete = false;
				c->rekeyed = true; /* nothing else begins on it */
				return ini_info_delete_child(sa, c);
			}
		if (sa->want_rekey && ready) {
			sa->want_rekey = false;
			sa->retry_at = MTIME_NEVER;
			return ini_rekey_ask(sa);
		}
		for (struct ini_child *c = sa->children; c; c = c->next)
			if (c->want_rekey && (c->retry_at.us == MTIME_NEVER.us || mtime_reached(c->retry_at, now))) {
				c->want_rekey = false;
				c->retry_at = MTIME_NEVER;
				return ini_child_ask(sa, c);
			}
		if (sa->want_child) {
			sa->want_child = false;
			return ini_child_ask(sa, NULL);
		}
		if (sa->want_probe) {
			sa->want_probe = false;
			return ini_info_probe(sa);
		}
	}
	return GW_OK;
}

void ini_flush(struct ini *ini)
{
	mtime now = ini_now(ini);

	for (struct ini_sa *sa = ini->sas, *next; sa; sa = next) {
		next = sa->next;
		if ((sa->state == INI_SA_DEAD || sa->state == INI_SA_REKEYED) && mtime_reached(sa->gone_at, now)) {
			ini_sa_destroy(sa);
			continue;
		}
		if (sa->state == INI_SA_DEAD)
			continue;
		for (struct ini_child *c = sa->children; c; c = c->next)
			if (mtime_reached(c->gone_at, now)) {
				c->gone_at = MTIME_NEVER;
				c->want_delete = true;
			}
		if (sa->kind == INI_NONE && sa->state != INI_SA_OPENING && next_request(sa, now) != GW_OK) {
			ini_fail(ini, "a request could not be built");
			return;
		}
	}
}

bool ini_rekey_child(struct ini *ini, uint32_t spi_in)
{
	struct ini_sa *sa = ini_current(ini);
	bool any = false;

	for (struct ini_child *c = sa ? sa->children : NULL; c; c = c->next)
		if ((spi_in == 0 || c->spi_in == spi_in) && !c->rekeyed && !c->want_delete)
			c->want_rekey = any = true;
	ini_flush(ini);
	return any;
}

bool ini_delete_child(struct ini *ini, uint32_t spi_in)
{
	struct ini_sa *sa = ini_current(ini);
	bool any = false;

	for (struct ini_child *c = sa ? sa->children : NULL; c; c = c->next)
		if ((spi_in == 0 || c->spi_in == spi_in) && !c->rekeyed)
			c->want_delete = any = true;
	ini_flush(ini);
	return any;
}

bool ini_rekey_ike(struct ini *ini)
{
	struct ini_sa *sa = ini_current(ini);

	if (!sa)
		return false;
	sa->want_rekey = true;
	ini_flush(ini);
	return true;
}

bool ini_probe(struct ini *ini)
{
	struct ini_sa *sa = ini_current(ini);

	if (!sa)
		return false;
	sa->want_probe = true;
	ini_flush(ini);
	return true;
}

bool ini_new_child(struct ini *ini)
{
	struct ini_sa *sa = ini_current(ini);

	if (!sa)
		return false;
	sa->want_child = true;
	ini_flush(ini);
	return true;
}

bool ini_lose_child(struct ini *ini)
{
	struct ini_sa *sa = ini_current(ini);

	if (!sa || !sa->children)
		return false;
	ini_child_remove(ini, sa->children);
	return true;
}

bool ini_delete(struct ini *ini)
{
	struct ini_sa *sa = ini_current(ini);

	if (!sa)
		return false;
	sa->want_delete = true;
	ini_flush(ini);
	return true;
}

bool ini_say(struct ini *ini, uint8_t exchange, uint8_t first, struct bytes chain)
{
	struct ini_sa *sa = ini_current(ini);
	struct msg_writer w;
	uint8_t buf[INI_CHAIN];

	if (!sa || sa->kind != INI_NONE || chain.n > sizeof(buf))
		return false;
	chain_begin(&w, buf, sizeof(buf));
	wr_bytes(&w.w, chain);
	w.first = first;
	return ini_request(sa, INI_SAY, exchange, &w) == GW_OK;
}

/* ---- datagrams ---- */

static void on_answer(struct ini_sa *sa, const struct ike_msg *m)
{
	const struct notify_payload *error = msg_error(m);

	sa->ini->heard[sa->kind] = (struct ini_heard){ m->present, error ? error->type : 0 };
	switch (sa->kind) {
	case INI_AUTH:
		ini_open_on_auth(sa, m);
		break;
	case INI_CHILD_NEW:
	case INI_CHILD_REKEY:
		ini_child_on_answer(sa, m);
		break;
	case INI_IKE_REKEY:
		ini_rekey_on_answer(sa, m);
		break;
	case INI_PROBE:
	case INI_UPDATE:
	case INI_SAY:
	case INI_CHILD_DELETE:
	case INI_IKE_DELETE:
		ini_info_on_answer(sa, m);
		break;
	default:
		break;
	}
}

static void on_request(struct ini_sa *sa, const struct ike_msg *m)
{
	if (m->unknown_critical) {
		(void)!ini_respond_notify(sa, m->h.exchange, m->h.id, N_UNSUPPORTED_CRITICAL_PAYLOAD);
		return;
	}
	switch (m->h.exchange) {
	case INFORMATIONAL:
		ini_info_on_request(sa, m);
		break;
	case CREATE_CHILD_SA:
		if (msg_has(m, PL_SA) && m->sa.count > 0 && m->sa.p[0].protocol == PROTO_IKE)
			ini_rekey_on_request(sa, m);
		else
			ini_child_on_request(sa, m);
		break;
	default:
		(void)!ini_respond_notify(sa, m->h.exchange, m->h.id, N_INVALID_SYNTAX);
		break;
	}
}

static struct ini_sa *find(const struct ini *ini, const struct ike_header *h)
{
	for (struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		if (sa->spi_i == h->spi_i && (sa->spi_r == h->spi_r || (sa->spi_r == 0 && h->exchange == IKE_SA_INIT)))
			return sa;
	return NULL;
}

/* Whether it is time for this message: 2.2, 2.3 with a window of one. */
static bool in_turn(struct ini_sa *sa, const struct ike_header *h, bool response)
{
	static const uint8_t exchange_of[INI_KINDS] = {
		[INI_INIT] = IKE_SA_INIT,	    [INI_AUTH] = IKE_AUTH,
		[INI_CHILD_NEW] = CREATE_CHILD_SA,  [INI_CHILD_REKEY] = CREATE_CHILD_SA,
		[INI_IKE_REKEY] = CREATE_CHILD_SA,  [INI_PROBE] = INFORMATIONAL,
		[INI_CHILD_DELETE] = INFORMATIONAL, [INI_IKE_DELETE] = INFORMATIONAL,
		[INI_UPDATE] = INFORMATIONAL,
	};

	if (response)
		return sa->kind != INI_NONE && h->id == sa->send_next - 1 &&
		       (sa->kind == INI_SAY || h->exchange == exchange_of[sa->kind]);
	return h->id == sa->recv_next || h->id + 1 == sa->recv_next;
}

/* GW_OK: *m is a whole message of the peer, authenticated. */
static enum gw_err unwrap(struct ini_sa *sa, const struct ike_header *h, uint8_t *bytes, size_t n, struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct sk_key key = ini_key_in(sa);
	struct sk_inside in;

	TRY(sk_open(ini->env->crypto, &key, bytes, n, &in));
	/* A request that was answered already: the first fragment asks for the answer again (RFC 7383 2.6.1). */
	if (!(h->flags & IKE_FLAG_RESPONSE) && h->id != sa->recv_next) {
		if (in.fragment <= 1 && sa->response.n) {
			ini->resent++;
			ini_queue_packed(ini, &sa->response);
		}
		return GW_EREPLAY;
	}
	if (in.fragment)
		TRY(frags_add(&sa->frags, h->id, &in, &in.first, &in.chain));
	TRY(msg_parse(m, in.first, in.chain, NULL));
	m->h = *h;
	return GW_OK;
}

void ini_receive(struct ini *ini, const struct datagram *in, uint8_t *bytes)
{
	struct ike_header h;
	struct ike_msg m;
	struct ini_sa *sa;
	bool response;
	enum gw_err err;

	if (msg_parse_header(in->data, &h) != GW_OK || !(sa = find(ini, &h)) ||
	    ((h.flags & IKE_FLAG_INITIATOR) != 0) == sa->initiator) {
		ini->drops++;
		return;
	}
	response = (h.flags & IKE_FLAG_RESPONSE) != 0;
	if (!in_turn(sa, &h, response)) {
		ini->drops++;
		return;
	}
	if (h.exchange == IKE_SA_INIT) {
		if (sa->state == INI_SA_OPENING && response)
			ini_open_on_init(sa, in, &h);
		else
			ini->drops++;
		ini_flush(ini);
		return;
	}
	if (sa->keys.block.n == 0) {
		ini->drops++;
		return;
	}
	err = unwrap(sa, &h, bytes, in->data.n, &m);
	if (err == GW_OK && response)
		on_answer(sa, &m);
	else if (err == GW_OK && sa->state != INI_SA_OPENING && sa->state != INI_SA_DEAD)
		on_request(sa, &m);
	else if (err != GW_PENDING && err != GW_EREPLAY)
		ini->drops++;
	/* `m` of a reassembled message borrows from the fragments, which are done with now (sa may be gone). */
	if (err == GW_OK)
		for (sa = ini->sas; sa; sa = sa->next)
			if (sa->spi_i == h.spi_i && sa->spi_r == h.spi_r)
				frags_clear(&sa->frags);
	ini_flush(ini);
}

/* ---- time ---- */

mtime ini_due(const struct ini *ini)
{
	mtime due = MTIME_NEVER;

	for (const struct ini_sa *sa = ini->sas; sa; sa = sa->next) {
		due = mtime_min(due, sa->gone_at);
		if (sa->state == INI_SA_DEAD)
			continue;
		for (const struct ini_child *c = sa->children; c; c = c->next)
			due = mtime_min(due, c->gone_at);
		if (sa->kind != INI_NONE) {
			due = mtime_min(due, sa->retransmit_at);
			continue;
		}
		due = mtime_min(due, sa->retry_at);
		for (const struct ini_child *c = sa->children; c; c = c->next)
			due = mtime_min(due, c->retry_at);
	}
	return due;
}

static void retransmit(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;

	if (sa->tries >= ini->cfg->tries) {
		if (sa->state == INI_SA_OPENING || sa->state == INI_SA_UP)
			ini_fail(ini, "no answer");
		else
			ini_sa_destroy(sa); /* an old one: nobody misses it */
		return;
	}
	sa->tries++;
	sa->wait_us = sa->wait_us * 9 / 5;
	sa->retransmit_at = mtime_add(ini_now(ini), sa->wait_us);
	if (sa->kind == INI_INIT)
		ini_queue(ini, secret_bytes(&ini->opening->request));
	else
		ini_queue_packed(ini, &sa->request);
}

void ini_tick(struct ini *ini)
{
	mtime now = ini_now(ini);

	for (struct ini_sa *sa = ini->sas, *next; sa; sa = next) {
		next = sa->next;
		if (sa->state != INI_SA_DEAD && sa->kind != INI_NONE && mtime_reached(sa->retransmit_at, now))
			retransmit(sa);
		if (ini->failed)
			return;
	}
	ini_flush(ini);
}
