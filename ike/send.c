/* Messages out: sealing with the SA's keys, remembering for retransmission, the out queue. */
#include "ike/engine.h"

enum { IPV4_UDP = 28, IPV6_UDP = 48, NON_ESP_MARKER = 4 };

void chain_start(struct ike *ike, struct msg_writer *m)
{
	chain_begin(m, ike->chain_buf, IKE_MAX_MESSAGE);
}

/*
 * IVs are unique by construction (DESIGN.md §4): the counter runs over all messages of this process, so that an SA that
 * went to another node and came back cannot meet its own past.
 */
static enum gw_err make_iv(void *arg, uint8_t *out, size_t n)
{
	struct ike *ike = arg;

	if (n != 8)
		return rng_fill(ike->env->rng, out, n); /* CBC: unpredictable */
	if (ike->iv_counter >= NONCE_COUNTER_MAX)
		return GW_ELIMIT;
	put_u64(out, node_nonce(ike->env->node, ++ike->iv_counter));
	return GW_OK;
}

static size_t max_datagram(const struct ike_sa *sa)
{
	size_t overhead = sa->remote.addr.family == 6 ? IPV6_UDP : IPV4_UDP;
	size_t limit = sa->settings->ike.fragment_size;

	if (sa->natt)
		overhead += NON_ESP_MARKER;

	return limit > overhead + 256 ? limit - overhead : 256;
}

static enum gw_err seal(struct ike_sa *sa, const struct ike_header *h, struct msg_writer *m, struct bytes *packed)
{
	struct ike *ike = sa->ike;
	struct sk_key key = sa_key_out(sa);
	struct sk_iv iv = { make_iv, ike };
	struct writer out = wr_of(ike->packed_buf, PACKED_MAX);
	struct bytes chain;

	TRY(chain_finish(m, &chain));
	TRY(sk_seal(ike->env->crypto, &key, &iv, h, m->first, chain, max_datagram(sa),
		    (sa->peer_flags & PEER_FRAGMENTATION) != 0, &out));
	*packed = wr_done(&out);
	return GW_OK;
}

void send_packed(struct ike_sa *sa, struct bytes packed, const struct datagram *to, enum ike_effect effect)
{
	struct reader r = rd_of(packed);
	struct bytes one;

	while (packed_next(&r, &one)) {
		if (to)
			ike_send(sa->ike, &to->to, &to->from, to->natt, one, effect);
		else
			ike_send(sa->ike, &sa->local, &sa->remote, sa->natt, one, effect);
	}
	sa->ike->about = IKE_ABOUT_OTHER;
}

static struct ike_header header_of(const struct ike_sa *sa, uint8_t exchange, bool response, uint32_t id)
{
	return (struct ike_header){
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.version = 0x20,
		.exchange = exchange,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0)),
		.id = id,
	};
}

/* An SA that cannot speak is of no use: the peer will find out by itself. */
static enum gw_err mute(struct ike_sa *sa, enum gw_err code)
{
	count_up(sa->ike, drop_internal);
	sa_log(sa, LOG_LVL_ERROR, "cannot make a message: %s", gw_err_text(code));
	return code;
}

enum gw_err send_response(struct ike_sa *sa, uint8_t exchange, struct msg_writer *m, const struct datagram *to,
			  enum ike_effect effect)
{
	struct ike_header h = header_of(sa, exchange, true, sa->window.recv_next);
	struct bytes packed;
	enum gw_err code = seal(sa, &h, m, &packed);

	if (code == GW_OK)
		code = window_responded(&sa->window, packed);
	if (code != GW_OK)
		return mute(sa, code);
	send_packed(sa, packed, to, effect);
	if (effect == IKE_EFFECT_STATE)
		sa_touch(sa);
	return GW_OK;
}

enum gw_err send_error(struct ike_sa *sa, uint8_t exchange, uint16_t notify, struct bytes data,
		       const struct datagram *to)
{
	struct msg_writer m;

	chain_start(sa->ike, &m);
	notify_write(&m, PROTO_NONE, (struct bytes){ 0 }, notify, data);
	return send_response(sa, exchange, &m, to, IKE_EFFECT_STATE);
}

enum gw_err send_request(struct ike_sa *sa, uint8_t exchange, struct msg_writer *m, enum request_kind kind,
			 enum ike_effect effect)
{
	struct ike_header h = header_of(sa, exchange, false, sa->window.send_next);
	struct bytes packed;
	enum gw_err code = seal(sa, &h, m, &packed);

	if (code == GW_OK)
		code = window_requested(&sa->window, packed, (uint8_t)kind, ike_now(sa->ike),
					sa->settings->ike.retransmit_us);
	if (code != GW_OK)
		return mute(sa, code);
	if (kind == REQ_REKEY_CHILD || kind == REQ_REKEY_IKE)
		sa->ike->about = kind == REQ_REKEY_CHILD ? IKE_ABOUT_REKEY_CHILD : IKE_ABOUT_REKEY_IKE;
	send_packed(sa, packed, NULL, effect);
	sa_touch(sa);
	return GW_OK;
}
