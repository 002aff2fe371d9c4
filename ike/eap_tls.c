#include "ike/eap_tls.h"

#include <stdlib.h>

#include "core/crypto/tls_server.h"
#include "ike/eap_method.h"

/* ---- packets ---- */

enum gw_err eap_tls_parse(struct bytes data, struct eap_tls_packet *out)
{
	struct reader r = rd_of(data);

	*out = (struct eap_tls_packet){ 0 };
	if (data.n == 0) /* an acknowledgement without even flags */
		return GW_OK;
	out->flags = rd_u8(&r);
	if (out->flags & EAP_TLS_LENGTH)
		out->length = rd_u32(&r);
	out->data = rd_rest(&r);
	return r.bad ? GW_EMALFORMED : GW_OK;
}

void eap_tls_write(struct writer *w, const struct eap_tls_packet *p)
{
	wr_u8(w, p->flags);
	if (p->flags & EAP_TLS_LENGTH)
		wr_u32(w, p->length);
	wr_bytes(w, p->data);
}

/* ---- the server ---- */

struct talk {
	struct tls_talk *tls;
	struct secret in;    /* the peer's message so far; allocated once, in full */
	size_t in_n, in_all; /* in_all: as announced; 0: not */
	struct secret out;
	size_t out_at; /* octets of it that are sent */
	bool over;     /* TLS is done: the last acknowledgement is waited for */
	bool failed;   /* likewise, after an alert */
	struct secret user;
};

static void end(void *state)
{
	struct talk *t = state;

	tls_talk_destroy(t->tls);
	secret_clear(&t->in);
	secret_clear(&t->out);
	secret_clear(&t->user);
	free(t);
}

static enum gw_err begin(struct eap *e, const struct eap_server *s, struct writer *out)
{
	struct talk *t = calloc(1, sizeof(*t));

	(void)s; /* TLS is begun when something comes: a question costs us nothing */
	if (!t)
		return GW_ENOMEM;
	e->state = t;
	eap_tls_write(out, &(struct eap_tls_packet){ .flags = EAP_TLS_START });
	return GW_OK;
}

/* The next fragment of what is to be sent; the first of several tells their length. */
static enum eap_verdict send_next(struct talk *t, struct writer *out)
{
	size_t left = t->out.n - t->out_at, n = left < EAP_FRAGMENT_OURS ? left : EAP_FRAGMENT_OURS;
	struct eap_tls_packet p = { .flags = n < left ? EAP_TLS_MORE : 0,
				    .length = (uint32_t)t->out.n,
				    .data = bytes_of(t->out.p + t->out_at, n) };

	if (t->out_at == 0 && n < left)
		p.flags |= EAP_TLS_LENGTH;
	eap_tls_write(out, &p);
	t->out_at += n;
	return EAP_GOES_ON;
}

static bool sending(const struct talk *t)
{
	return t->out_at < t->out.n;
}

struct question {
	const struct eap *e;
	const struct eap_server *s;
	struct talk *t;
};

static enum gw_err judge(void *arg, const struct bytes *certs, size_t count, struct err *why)
{
	const struct question *q = arg;

	if (!q->s->judge)
		return GW_EAUTH;
	secret_clear(&q->t->user);
	return q->s->judge(q->s->arg, certs, count, secret_bytes(&q->e->identity), &q->t->user, why);
}

static enum eap_verdict finish(struct eap *e, struct talk *t)
{
	if (t->failed)
		return EAP_FAILED; /* the reason is there */
	secret_move(&e->user, &t->user);
	return secret_alloc(&e->msk, TLS_KEY_LEN) == GW_OK && tls_talk_key(t->tls, e->msk.p) == GW_OK
		       ? EAP_SUCCEEDED
		       : eap_fail(e, "no key comes of TLS");
}

/* The peer's message is whole. */
static enum eap_verdict hand_over(struct eap *e, const struct eap_server *s, struct talk *t, struct writer *out)
{
	struct question q = { e, s, t };
	struct err why;
	enum tls_verdict verdict;

	verdict = tls_talk_step(t->tls, bytes_of(t->in.p, t->in_n), judge, &q, &why);
	t->in_n = t->in_all = 0;
	secret_clear(&t->in);
	secret_clear(&t->out);
	t->out_at = 0;
	t->over = verdict == TLS_DONE;
	t->failed = verdict == TLS_FAILED;
	if (t->failed) {
		e->guessed = true;
		(void)eap_fail(e, "%s", why.text);
	}
	if (tls_talk_output(t->tls, &t->out) != GW_OK)
		return eap_fail(e, "out of memory");
	/* RFC 9190 2.1.4: an alert is sent, and acknowledged, before EAP fails. */
	if (sending(t))
		return send_next(t, out);
	return t->over || t->failed ? finish(e, t) : eap_fail(e, "half a message of TLS");
}

static enum eap_verdict receive_ack(struct eap *e, struct talk *t, struct writer *out)
{
	if (sending(t))
		return send_next(t, out);
	return t->over || t->failed ? finish(e, t) : eap_fail(e, "it acknowledges what was not sent");
}

static enum eap_verdict receive(struct eap *e, const struct eap_server *s, struct bytes data, struct writer *out)
{
	struct talk *t = e->state;
	struct eap_tls_packet p;

	if (eap_tls_parse(data, &p) != GW_OK)
		return eap_fail(e, "malformed packet of EAP-TLS");
	if (p.data.n == 0 && !(p.flags & EAP_TLS_MORE))
		return receive_ack(e, t, out);
	if (t->failed)
		return EAP_FAILED;
	if (t->in_n == 0 && (p.flags & EAP_TLS_LENGTH))
		t->in_all = p.length;
	if (t->in_all > EAP_TLS_MESSAGE_MAX || p.data.n > EAP_TLS_MESSAGE_MAX - t->in_n ||
	    (t->in_all > 0 && p.data.n > t->in_all - t->in_n))
		return eap_fail(e, "a message of TLS is longer than %s",
				t->in_all > 0 && t->in_all <= EAP_TLS_MESSAGE_MAX ? "announced" : "is taken");
	if (p.data.n == 0) /* a fragment without anything: no progress */
		return eap_fail(e, "an empty fragment");
	/* Who sends a part only holds memory, too: so it counts among the handshakes from here on. */
	if (!t->tls && s->may_begin_tls && !s->may_begin_tls(s->arg))
		return eap_fail(e, "TLS cannot begin: too many handshakes of its source are under way");
	if (!t->tls && tls_talk_create(s->tls, &t->tls) != GW_OK)
		return eap_fail(e, "TLS cannot begin: out of memory, or too many handshakes are under way");
	if (t->in.n == 0 && secret_alloc(&t->in, EAP_TLS_MESSAGE_MAX) != GW_OK)
		return eap_fail(e, "out of memory");
	memcpy(t->in.p + t->in_n, p.data.p, p.data.n);
	t->in_n += p.data.n;
	if (p.flags & EAP_TLS_MORE) {
		eap_tls_write(out, &(struct eap_tls_packet){ 0 });
		return EAP_GOES_ON;
	}
	if (t->in_all > 0 && t->in_n != t->in_all)
		return eap_fail(e, "a message of TLS is shorter than announced");
	return hand_over(e, s, t, out);
}

const struct eap_method eap_tls = {
	.type = EAP_TLS,
	.auth = CONN_AUTH_EAP_TLS,
	.name = "eap-tls",
	.alone = true,
	.begin = begin,
	.receive = receive,
	.end = end,
};
