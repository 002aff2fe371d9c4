/* Windows of one, retransmission and sealing. */
#include "tests/initiator/ini.h"

#include <stdlib.h>

struct ini_out {
	struct ini_out *next;
	struct endpoint from, to;
	bool natt;
	size_t n;
	uint8_t data[];
};

mtime ini_now(const struct ini *ini)
{
	return clock_now(ini->env->clock);
}

void ini_queue(struct ini *ini, struct bytes message)
{
	struct ini_out *o = malloc(sizeof(*o) + message.n);

	if (!o)
		return; /* as a lost datagram */
	*o = (struct ini_out){ NULL, ini->local, ini->remote, ini->natt, message.n };
	memcpy(o->data, message.p, message.n);
	*ini->out_tail = o;
	ini->out_tail = &o->next;
}

bool ini_take(struct ini *ini, struct datagram *out)
{
	struct ini_out *o = ini->out;

	free(ini->taken);
	ini->taken = o;
	if (!o)
		return false;
	ini->out = o->next;
	if (!ini->out)
		ini->out_tail = &ini->out;
	*out = (struct datagram){ o->from, o->to, bytes_of(o->data, o->n), o->natt };
	return true;
}

void ini_queue_packed(struct ini *ini, const struct secret *packed)
{
	struct reader r = rd_of(secret_bytes(packed));
	struct bytes datagram;

	while (packed_next(&r, &datagram))
		ini_queue(ini, datagram);
}

struct sk_key ini_key_in(const struct ini_sa *sa)
{
	const struct ike_keys *k = &sa->keys;

	return sa->initiator ? (struct sk_key){ k->suite, ike_keys_er(k), ike_keys_ar(k) }
			     : (struct sk_key){ k->suite, ike_keys_ei(k), ike_keys_ai(k) };
}

static struct sk_key key_out(const struct ini_sa *sa)
{
	const struct ike_keys *k = &sa->keys;

	return sa->initiator ? (struct sk_key){ k->suite, ike_keys_ei(k), ike_keys_ai(k) }
			     : (struct sk_key){ k->suite, ike_keys_er(k), ike_keys_ar(k) };
}

static enum gw_err iv_make(void *arg, uint8_t *out, size_t n)
{
	struct ini_sa *sa = arg;

	if (n != 8)
		return rng_fill(sa->ini->env->rng, out, n);
	put_u64(out, sa->iv++);
	return GW_OK;
}

static enum gw_err seal(struct ini_sa *sa, uint8_t exchange, bool response, uint32_t id, struct msg_writer *chain,
			struct secret *packed)
{
	const struct ini *ini = sa->ini;
	struct ike_header h = {
		.spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = 0x20, .exchange = exchange, .id = id
	};
	struct sk_key key = key_out(sa);
	struct sk_iv iv = { iv_make, sa };
	uint8_t buf[INI_PACKED];
	struct writer out = wr_of(buf, sizeof(buf));
	struct bytes done;

	h.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0));
	TRY(chain_finish(chain, &done));
	TRY(sk_seal(ini->env->crypto, &key, &iv, &h, chain->first, done, ini->cfg->max_datagram, ini->peer_fragments,
		    &out));
	secret_clear(packed);
	return secret_copy(packed, wr_done(&out));
}

void ini_arm(struct ini_sa *sa, enum ini_kind kind)
{
	sa->kind = kind;
	sa->tries = 1;
	sa->wait_us = sa->ini->cfg->retransmit_us;
	sa->retransmit_at = mtime_add(ini_now(sa->ini), sa->wait_us);
}

enum gw_err ini_request(struct ini_sa *sa, enum ini_kind kind, uint8_t exchange, struct msg_writer *chain)
{
	TRY(seal(sa, exchange, false, sa->send_next, chain, &sa->request));
	sa->send_next++;
	ini_arm(sa, kind);
	ini_queue_packed(sa->ini, &sa->request);
	return GW_OK;
}

enum gw_err ini_respond(struct ini_sa *sa, uint8_t exchange, uint32_t id, struct msg_writer *chain)
{
	TRY(seal(sa, exchange, true, id, chain, &sa->response));
	sa->recv_next = id + 1;
	ini_queue_packed(sa->ini, &sa->response);
	return GW_OK;
}

enum gw_err ini_respond_notify(struct ini_sa *sa, uint8_t exchange, uint32_t id, uint16_t type)
{
	struct msg_writer w;
	uint8_t buf[64];

	chain_begin(&w, buf, sizeof(buf));
	notify_simple(&w, type);
	return ini_respond(sa, exchange, id, &w);
}

void ini_answered(struct ini_sa *sa)
{
	secret_clear(&sa->request);
	sa->kind = INI_NONE;
	sa->retransmit_at = MTIME_NEVER;
}
