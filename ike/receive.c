/*
 * A datagram's way to the SA that it belongs to: header, SA, decryption, reassembly, payloads, message ID, rule.
 * Nothing of the SA changes before all of it has been verified. What is refused is counted by reason.
 */
#include "ike/engine.h"
#include "ike/ms_status.h"
#include "ike/settle.h"

/* 2.21.4 and 2.5: the only unprotected replies outside IKE_SA_INIT, and rate-limited. */
static void reply_unprotected(struct ike *ike, const struct ike_header *h, const struct datagram *dg, uint16_t notify,
			      struct bytes data)
{
	uint8_t buf[128];
	struct msg_writer m;
	struct bytes out;
	struct ike_header reply = {
		.spi_i = h->spi_i,
		.spi_r = h->spi_r,
		.version = 0x20,
		.exchange = h->exchange,
		.flags = (uint8_t)(IKE_FLAG_RESPONSE | (h->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR)),
		.id = h->id,
	};

	if (!ratelimit_allow(&ike->stranger_reply, ike_now(ike), NULL))
		return;
	msg_begin(&m, buf, sizeof(buf), &reply);
	notify_write(&m, PROTO_NONE, (struct bytes){ 0 }, notify, data);
	if (msg_finish(&m, &out) == GW_OK)
		ike_send(ike, &dg->to, &dg->from, dg->natt, out, IKE_EFFECT_NONE);
}

static struct ike_sa *find_sa(struct ike *ike, const struct ike_header *h, const struct datagram *dg)
{
	bool from_initiator = (h->flags & IKE_FLAG_INITIATOR) != 0;
	struct ike_sa *sa = ike_find(ike, from_initiator ? h->spi_r : h->spi_i);

	if (sa && sa->initiator != from_initiator && sa->spi_i == h->spi_i && sa->spi_r == h->spi_r)
		return sa;
	count_up(ike, drop_unknown_spi);
	if (!(h->flags & IKE_FLAG_RESPONSE)) {
		ike_log_stranger(ike, &dg->from, "%s for an IKE SA that is not here (SPIs %016llx %016llx)",
				 exchange_name(h->exchange), (unsigned long long)h->spi_i,
				 (unsigned long long)h->spi_r);
		reply_unprotected(ike, h, dg, N_INVALID_IKE_SPI, (struct bytes){ 0 });
	}
	return NULL;
}

/* The keys of a half-open SA are made when its IKE_AUTH is there, not before: a flood of IKE_SA_INIT costs no shared
 * secret. */
static enum gw_err derive_keys(struct ike_sa *sa)
{
	struct half_open *h = sa->half;
	WIPED struct secret shared = { 0 };
	struct crypto *c = sa->ike->env->crypto;

	if (sa->keys.block.n > 0)
		return GW_OK;
	TRY(dh_shared(c, h->dh, secret_bytes(&h->peer_ke), &shared));
	TRY(ike_keys_derive(c, &sa->keys, secret_bytes(&h->ni), secret_bytes(&h->nr), secret_bytes(&shared), sa->spi_i,
			    sa->spi_r));
	dh_destroy(h->dh);
	h->dh = NULL;
	secret_clear(&h->peer_ke);
	return GW_OK;
}

/*
 * DESIGN.md §3: a node that has taken over does not know of requests that changed nothing (liveness), so the peer may
 * be ahead. With a window of one it sends n + 1 only after n was answered (2.3), and an n that changed something was
 * replicated before it was answered: so to go on from its number leaves nothing out.
 */
static void follow_requests(struct ike_sa *sa, uint32_t id)
{
	struct window *w = &sa->window;

	if (!sa->adopted || sa->peer_x || sa->half || id <= w->recv_next)
		return;
	sa_log(sa, LOG_LVL_DEBUG, "the peer's requests go on at %u, not %u", id, w->recv_next);
	w->recv_next = id;
	secret_clear(&w->response);
}

static void count_held(struct ike_sa *sa)
{
	struct half_open *h = sa->half;

	if (!h)
		return;
	sa->ike->strangers_held -= h->held;
	h->held = frags_held(sa->frags[0]);
	sa->ike->strangers_held += h->held;
}

static void drop_fragments(struct ike_sa *sa, bool response)
{
	frags_clear(&sa->frags[response]);
	count_held(sa);
}

static enum gw_err collect(struct ike_sa *sa, const struct ike_header *h, const struct sk_inside *in, uint8_t *first,
			   struct bytes *chain)
{
	enum gw_err code;

	/* Each may send a part of something large, and many of them may come. */
	if (sa->half && sa->ike->strangers_held + in->chain.n > IKE_FRAG_STRANGERS)
		return GW_ELIMIT;
	code = frags_add(&sa->frags[(h->flags & IKE_FLAG_RESPONSE) != 0], h->id, in, first, chain);
	count_held(sa);
	return code;
}

/* GW_PENDING: a fragment, more to come. */
static enum gw_err open_message(struct ike_sa *sa, const struct ike_header *h, uint8_t *bytes, size_t n, uint8_t *first,
				struct bytes *chain, uint16_t *fragment)
{
	struct sk_key key = sa_key_in(sa);
	struct sk_inside in;

	TRY(sk_open(sa->ike->env->crypto, &key, bytes, n, &in));
	if (!(h->flags & IKE_FLAG_RESPONSE))
		follow_requests(sa, h->id);
	*fragment = in.fragment;
	if (in.fragment == 0) {
		*first = in.first;
		*chain = in.chain;
		return GW_OK;
	}
	/* Only what can still be used is collected: the next request, or the answer to ours. A first fragment of the
	 * last request makes us repeat the response (RFC 7383 2.6.1). */
	if (window_judge(&sa->window, (h->flags & IKE_FLAG_RESPONSE) != 0, h->id) == WINDOW_RESEND) {
		*chain = (struct bytes){ 0 };
		return in.fragment == 1 ? GW_OK : GW_PENDING;
	}
	if (window_judge(&sa->window, (h->flags & IKE_FLAG_RESPONSE) != 0, h->id) == WINDOW_STALE)
		return GW_EREPLAY;
	return collect(sa, h, &in, first, chain);
}

static void follow_peer(struct ike_sa *sa, const struct datagram *dg)
{
	/*
	 * 2.23: the address of an authenticated new message is where the peer is now, if a NAT at its side may have
	 * moved it; and always before the SA is up (the float to the NAT-T port). RFC 4555 3.8: with MOBIKE the peer
	 * says so when it has moved, and other messages may try paths.
	 */
	if (sa->half) {
		sa->local = dg->to;
		sa->remote = dg->from;
		sa->natt = dg->natt;
	} else if (sa->peer_nat && !(sa->peer_flags & PEER_MOBIKE)) {
		sa_follow_nat(sa, &dg->to, &dg->from, dg->natt);
	}
}

/* A request that is authentic but no sense: 2.21.2, 2.21.3. */
static void refuse_message(struct ike_sa *sa, const struct ike_header *h, const struct datagram *dg, uint16_t notify,
			   struct bytes data, bool fatal)
{
	enum gw_err sent = send_error(sa, h->exchange, notify, data, dg);

	if (fatal || sent != GW_OK || sa->half)
		sa_close(sa, "the peer's message does not parse", sent == GW_OK);
}

static void step(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes chain,
		 const struct datagram *dg)
{
	struct ike *ike = sa->ike;
	struct ike_msg *m = &ike->msg;
	bool response = (h->flags & IKE_FLAG_RESPONSE) != 0;
	const struct ike_rule *rule = rule_find(sa->state, h->exchange, response);
	struct err e = { 0 };
	enum gw_err code = msg_parse(m, first, chain, &e);

	if (code == GW_OK && m->encrypted) /* 3.14: SK is never inside SK */
		code = err_set(&e, GW_EMALFORMED, "an SK payload inside an SK payload");
	m->h = *h;
	if (code != GW_OK || (!m->unknown_critical && rule && (m->present & rule->needs) != rule->needs)) {
		count_up(ike, drop_malformed);
		if (code == GW_OK && h->exchange == IKE_AUTH) {
			count_up(ike, auth_failed_method);
			sa_log_refused(sa, "IKE_AUTH lacks a payload that we need");
		} else {
			sa_log(sa, LOG_LVL_INFO, "malformed %s: %s", exchange_name(h->exchange),
			       code != GW_OK ? e.text : "a payload is missing");
		}
		if (!response)
			refuse_message(sa, h, dg, N_INVALID_SYNTAX, (struct bytes){ 0 }, true);
		return;
	}
	if (m->unknown_critical) {
		count_up(ike, drop_critical);
		sa_log(sa, LOG_LVL_INFO, "%s with a critical payload of unknown type %u", exchange_name(h->exchange),
		       m->unknown_critical);
		if (!response)
			refuse_message(sa, h, dg, N_UNSUPPORTED_CRITICAL_PAYLOAD, bytes_of(&m->unknown_critical, 1),
				       false);
		return;
	}
	if (!rule) {
		count_up(ike, drop_state);
		sa_log(sa, LOG_LVL_DEBUG, "%s is not expected in state %s", exchange_name(h->exchange),
		       ike_state_name(sa->state));
		if (!response && sa->state != IKE_LINGERING)
			refuse_message(sa, h, dg, N_INVALID_SYNTAX, (struct bytes){ 0 }, false);
		return;
	}
	sa_log(sa, LOG_LVL_DEBUG, "%s %s %u: %s", exchange_name(h->exchange), response ? "response" : "request", h->id,
	       rule->story);
	if (!response)
		follow_peer(sa, dg);
	ms_status_log(sa, m);
	/* What this SA has become under the node before us is not known: first it is settled (ike_doubt_all). */
	if (!response && h->exchange == CREATE_CHILD_SA && sa_is_uncertain(sa))
		(void)!x_refuse_busy(sa, m, dg);
	else if (rule->step(sa, m, dg) != GW_OK)
		sa_close(sa, "internal trouble", false);
}

/*
 * A request that was seen before comes from wherever somebody says, who need not know more than its octets: to an
 * address that the peer is not known to have its answer, which may be many times as long, goes some times and no more.
 * (A client that has moved, or whose NAT has forgotten it, asks again less often than that.)
 */
static bool may_repeat(struct ike_sa *sa, const struct addr *to)
{
	enum { STRAYS_MAX = 8 };

	if (sa->half)
		return half_may_repeat(sa->half, to);
	if (addr_equal(&sa->remote.addr, to))
		return true;
	if (sa->window.strays == STRAYS_MAX)
		return false;
	sa->window.strays++;
	return true;
}

static uint8_t request_exchange(const struct window *w)
{
	return w->request_kind == REQ_REKEY_CHILD || w->request_kind == REQ_REKEY_IKE ? CREATE_CHILD_SA : INFORMATIONAL;
}

static void receive_protected(struct ike *ike, const struct ike_header *h, const struct datagram *dg, uint8_t *bytes)
{
	struct ike_sa *sa = find_sa(ike, h, dg);
	bool response = (h->flags & IKE_FLAG_RESPONSE) != 0;
	struct bytes chain = { 0 };
	uint16_t fragment = 0;
	uint8_t first = 0;
	enum gw_err code;

	if (!sa)
		return;
	if (sa->half && derive_keys(sa) != GW_OK) {
		count_up(ike, drop_malformed);
		ike_log_stranger(ike, &dg->from, "its KE payload gives no shared secret");
		sa_close(sa, "bad key exchange value", false);
		return;
	}
	code = open_message(sa, h, bytes, dg->data.n, &first, &chain, &fragment);
	if (code == GW_PENDING)
		return;
	if (code != GW_OK) {
		if (code == GW_EAUTH)
			count_up(ike, drop_bad_icv);
		else if (fragment > 0 || code == GW_ELIMIT)
			count_up(ike, drop_fragment);
		else
			count_up(ike, drop_malformed);
		return;
	}
	switch (window_judge(&sa->window, response, h->id)) {
	case WINDOW_STALE:
		count_up(ike, drop_message_id);
		return;
	case WINDOW_RESEND:
		if (!may_repeat(sa, &dg->from.addr)) {
			count_up(ike, drop_address);
			return;
		}
		count_up(ike, retransmits_answered);
		send_packed(sa, secret_bytes(&sa->window.response), dg, IKE_EFFECT_STATE);
		return;
	case WINDOW_NEW:
		if (sa->peer_x) { /* its answer is being made */
			count_up(ike, drop_busy);
			return;
		}
		break;
	case WINDOW_ANSWER:
		/* 2.2: an answer has the type of its request. One to an empty request that has not is an old one,
		 * again. */
		if (h->exchange != request_exchange(&sa->window) && sa->window.request_kind == REQ_PROBE) {
			window_answered(&sa->window);
			settle_lost(sa);
			frags_clear(&sa->frags[response]);
			sa_touch(sa);
			sa_pump(sa);
			sa_reschedule(sa);
			return;
		}
		if (h->exchange != request_exchange(&sa->window)) {
			count_up(ike, drop_exchange);
			drop_fragments(sa, response);
			return;
		}
		break;
	}
	sa->last_in = sa->heard = ike_now(ike);
	sa->heard_era = ike->era;
	step(sa, h, first, chain, dg);
	if (sa->state == IKE_DEAD)
		return;
	drop_fragments(sa, response);
	sa_pump(sa);
	sa_reschedule(sa);
}

void ike_receive(struct ike *ike, const struct datagram *in, uint8_t *bytes)
{
	struct ike_header h;

	count_up(ike, datagrams_in);
	if (ike->passive) { /* DESIGN.md §1: a standby is silent */
		count_up(ike, drop_standby);
		return;
	}
	if (msg_parse_header(in->data, &h) != GW_OK) {
		count_up(ike, drop_malformed_header);
		return;
	}
	if (h.version >> 4 != 2) {
		count_up(ike, drop_version);
		ike_log_stranger(ike, &in->from, "speaks IKE version %u.%u; only 2 is served", h.version >> 4,
				 h.version & 15);
		/* 2.5: told, but only for a higher version; an IKEv1 peer would not understand. */
		if (h.version >> 4 > 2 && !(h.flags & IKE_FLAG_RESPONSE))
			reply_unprotected(ike, &h, in, N_INVALID_MAJOR_VERSION, (struct bytes){ 0 });
		return;
	}
	if (h.spi_i == 0) {
		count_up(ike, drop_malformed_header);
		return;
	}
	switch (h.exchange) {
	case IKE_SA_INIT:
		if ((h.flags & (IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR)) != IKE_FLAG_INITIATOR || h.spi_r != 0 ||
		    h.id != 0)
			count_up(ike, drop_exchange);
		else
			x_init_request(ike, &h, in);
		return;
	case IKE_AUTH:
	case CREATE_CHILD_SA:
	case INFORMATIONAL:
		if (h.next != PL_SK && h.next != PL_SKF) {
			/* Also what tells us that we are unknown to the peer (2.21.4): believed only by our own timers.
			 */
			count_up(ike, drop_unprotected);
			return;
		}
		receive_protected(ike, &h, in, bytes);
		return;
	default:
		count_up(ike, drop_exchange);
	}
}
