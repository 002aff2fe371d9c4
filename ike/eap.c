#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ike/eap_method.h"

/* In the order in which they are offered. */
static const struct eap_method *const methods[] = { &eap_mschapv2, &eap_tls };

struct eap *eap_create(void)
{
	return calloc(1, sizeof(struct eap));
}

static void drop_state(struct eap *e)
{
	if (e->state)
		e->method->end(e->state);
	e->state = NULL;
}

static void drop_method(struct eap *e)
{
	drop_state(e);
	e->method = NULL;
	e->talking = e->lost = false;
}

void eap_destroy(struct eap *e)
{
	if (!e)
		return;
	drop_method(e);
	secret_clear(&e->request);
	secret_clear(&e->identity);
	secret_clear(&e->user);
	secret_clear(&e->msk);
	secret_wipe(e, sizeof(*e));
	free(e);
}

enum eap_verdict eap_fail(struct eap *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->reason, sizeof(e->reason), fmt, ap);
	va_end(ap);
	e->news = true;
	return EAP_FAILED;
}

bool eap_take_failure(struct eap *e)
{
	bool news = e->news;

	e->news = false;
	return news;
}

const char *eap_type_text(uint8_t type, char buf[EAP_TYPE_TEXT])
{
	static const struct {
		uint8_t type;
		const char *name;
	} names[] = {
		{ EAP_MD5, "eap-md5" },
		{ 5, "eap-otp" },
		{ EAP_GTC, "eap-gtc" },
		{ EAP_TLS, "eap-tls" },
		{ 18, "eap-sim" },
		{ 21, "eap-ttls" },
		{ 23, "eap-aka" },
		{ 25, "eap-peap" },
		{ EAP_MSCHAPV2, "eap-mschapv2" },
		{ 43, "eap-fast" },
		{ 50, "eap-aka'" },
		{ 52, "eap-pwd" },
		{ EAP_EXPANDED, "expanded" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].type == type)
			return names[i].name;
	(void)snprintf(buf, EAP_TYPE_TEXT, "eap-%u", type);
	return buf;
}

bool eap_stands_alone(uint32_t wanted)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if ((wanted & methods[i]->auth) && !methods[i]->alone)
			return false;
	return true;
}

/* ---- packets out ---- */

/* A request that begins at *mark; the caller writes its type data. */
static size_t request_begin(struct eap *e, struct writer *out, uint8_t type)
{
	size_t mark = out->n;

	wr_u8(out, EAP_CODE_REQUEST);
	wr_u8(out, ++e->id);
	wr_u16(out, 0);
	wr_u8(out, type);
	return mark;
}

/* Patches the length and remembers the request. */
static enum gw_err request_end(struct eap *e, struct writer *out, size_t mark)
{
	wr_patch_u16(out, mark + 2, (uint16_t)(out->n - mark));
	if (out->bad)
		return GW_ELIMIT;
	secret_clear(&e->request);
	return secret_copy(&e->request, bytes_of(out->p + mark, out->n - mark));
}

static enum eap_verdict write_end(struct eap *e, struct writer *out, enum eap_verdict verdict)
{
	e->phase = EAP_PHASE_OVER;
	drop_state(e);
	wr_u8(out, verdict == EAP_SUCCEEDED ? EAP_CODE_SUCCESS : EAP_CODE_FAILURE);
	wr_u8(out, e->id); /* RFC 3748 4.2: that of the response */
	wr_u16(out, 4);
	if (verdict != EAP_SUCCEEDED)
		secret_clear(&e->msk);
	return verdict;
}

enum gw_err eap_start(struct eap *e, const struct eap_server *s, struct writer *out)
{
	size_t mark;

	TRY(rng_fill(s->rng, &e->id, 1));
	mark = request_begin(e, out, EAP_IDENTITY);
	return request_end(e, out, mark);
}

/* ---- choice of the method ---- */

static bool usable(const struct eap *e, const struct eap_server *s, const struct eap_method *m)
{
	return (s->methods & m->auth) && !(e->tried & m->auth) && (m->type != EAP_TLS || s->tls);
}

static enum eap_verdict begin_method(struct eap *e, const struct eap_server *s, const struct eap_method *m,
				     struct writer *out)
{
	size_t mark = request_begin(e, out, m->type);
	enum gw_err code;

	drop_method(e);
	e->tried |= m->auth;
	e->method = m;
	e->phase = EAP_PHASE_METHOD;
	code = m->begin(e, s, out);
	if (code == GW_OK)
		code = request_end(e, out, mark);
	return code == GW_OK ? EAP_GOES_ON : eap_fail(e, "%s cannot begin: %s", m->name, gw_err_text(code));
}

static enum eap_verdict first_method(struct eap *e, const struct eap_server *s, struct writer *out)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (usable(e, s, methods[i]))
			return begin_method(e, s, methods[i], out);
	return eap_fail(e, "no method of EAP can be offered");
}

static const struct eap_method *method_of(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i]->type == type)
			return methods[i];
	return NULL;
}

/* RFC 3748 5.3.1: a list of what the peer would take; 0: nothing. */
static enum eap_verdict receive_nak(struct eap *e, const struct eap_server *s, struct bytes wanted, struct writer *out)
{
	char list[96] = "nothing else", ours[64], one[EAP_TYPE_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < wanted.n; i++) {
		const struct eap_method *m = method_of(wanted.p[i]);

		if (m && usable(e, s, m))
			return begin_method(e, s, m, out);
		if (wanted.p[i] != 0 && n + EAP_TYPE_TEXT < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "",
					      eap_type_text(wanted.p[i], one));
	}
	return eap_fail(e, "it refuses %s and would take %s; configured: %s", e->method->name, list,
			conn_auth_text(s->methods, ours, sizeof(ours)));
}

/* ---- packets in ---- */

struct response {
	uint8_t id, type;
	struct bytes data;
};

static enum gw_err parse(struct bytes packet, struct response *out)
{
	struct reader r = rd_of(packet);
	uint8_t code = rd_u8(&r);
	uint16_t length;

	out->id = rd_u8(&r);
	length = rd_u16(&r);
	out->type = rd_u8(&r);
	out->data = rd_rest(&r);
	return r.bad || code != EAP_CODE_RESPONSE || length != packet.n || packet.n > EAP_PACKET_MAX ? GW_EMALFORMED
												     : GW_OK;
}

/* RFC 3748 4.1 has such packets ignored; IKE must answer something. */
static enum eap_verdict receive_odd(struct eap *e, struct writer *out, const char *what)
{
	if (++e->odd > EAP_ODD_MAX)
		return eap_fail(e, "%s, again and again", what);
	wr_bytes(out, secret_bytes(&e->request));
	return EAP_GOES_ON;
}

static enum eap_verdict receive_identity(struct eap *e, const struct eap_server *s, const struct response *r,
					 struct writer *out)
{
	/* RFC 3748 5.1: what follows a NUL is not part of it. A peer that tells nobody is who its IDi says. */
	const uint8_t *end = r->data.n > 0 ? memchr(r->data.p, 0, r->data.n) : NULL;
	struct bytes told = bytes_of(r->data.p, end ? (size_t)(end - r->data.p) : r->data.n);

	if (r->type == EAP_NAK)
		told = (struct bytes){ 0 };
	else if (r->type != EAP_IDENTITY)
		return receive_odd(e, out, "it does not tell its identity");
	if (told.n == 0)
		told = s->fallback;
	if (told.n > EAP_NAME_MAX)
		return eap_fail(e, "an identity of %zu octets", told.n);
	if (secret_copy(&e->identity, told) != GW_OK)
		return eap_fail(e, "out of memory");
	return first_method(e, s, out);
}

static enum eap_verdict receive_in_method(struct eap *e, const struct eap_server *s, const struct response *r,
					  struct writer *out)
{
	enum eap_verdict verdict;
	enum gw_err code;
	size_t mark;

	if (e->lost)
		return eap_fail(e, "its %s began on another node, which is gone", e->method->name);
	if (r->type == EAP_NAK && !e->talking)
		return receive_nak(e, s, r->data, out);
	if (r->type != e->method->type)
		return receive_odd(e, out, "it answers another method than was asked for");
	e->talking = true;
	mark = request_begin(e, out, e->method->type);
	verdict = e->method->receive(e, s, r->data, out);
	if (verdict != EAP_GOES_ON)
		return verdict;
	code = request_end(e, out, mark);
	return code == GW_OK ? EAP_GOES_ON : eap_fail(e, "no request can be made: %s", gw_err_text(code));
}

static enum eap_verdict step(struct eap *e, const struct eap_server *s, struct bytes packet, struct writer *out)
{
	struct response r;

	if (e->phase == EAP_PHASE_OVER)
		return eap_fail(e, "it goes on after the end");
	if (++e->rounds > EAP_ROUNDS_MAX)
		return eap_fail(e, "more than %d rounds", EAP_ROUNDS_MAX);
	if (parse(packet, &r) != GW_OK)
		return receive_odd(e, out, "it sends no EAP response");
	if (r.id != e->id)
		return receive_odd(e, out, "it answers another request");
	return e->phase == EAP_PHASE_IDENTITY ? receive_identity(e, s, &r, out) : receive_in_method(e, s, &r, out);
}

enum eap_verdict eap_receive(struct eap *e, const struct eap_server *s, struct bytes packet, struct writer *out)
{
	struct writer undo = *out;
	uint8_t id = e->id;
	enum eap_verdict verdict = step(e, s, packet, out);

	if (verdict == EAP_GOES_ON)
		return verdict;
	/* What was begun is no request. */
	*out = undo;
	e->id = id;
	return write_end(e, out, verdict);
}

/* ---- looking ---- */

struct bytes eap_identity(const struct eap *e)
{
	return secret_bytes(&e->identity);
}

struct bytes eap_user(const struct eap *e)
{
	return secret_bytes(&e->user);
}

struct bytes eap_msk(const struct eap *e)
{
	return secret_bytes(&e->msk);
}

const char *eap_reason(const struct eap *e)
{
	return e->reason;
}

bool eap_guessed(const struct eap *e)
{
	return e->guessed;
}

uint32_t eap_method_in_use(const struct eap *e)
{
	return e->method ? e->method->auth : 0;
}

/* ---- as bytes ---- */

static void put_block(struct writer *w, struct bytes b)
{
	wr_u16(w, (uint16_t)b.n);
	wr_bytes(w, b);
}

/* phase 1, id 1, rounds 1, odd 1, flags 1, tried 4, method's type 1, then blocks with 2 octets of length: request,
 * identity, user, MSK, the method's state. Later versions append. */
void eap_encode(const struct eap *e, struct writer *w)
{
	bool lost = e->lost || (e->state && !e->method->encode);
	size_t mark;

	wr_u8(w, (uint8_t)e->phase);
	wr_u8(w, e->id);
	wr_u8(w, e->rounds);
	wr_u8(w, e->odd);
	wr_u8(w, (uint8_t)(e->talking | lost << 1 | e->guessed << 2));
	wr_u32(w, e->tried);
	wr_u8(w, e->method ? e->method->type : 0);
	put_block(w, secret_bytes(&e->request));
	put_block(w, secret_bytes(&e->identity));
	put_block(w, secret_bytes(&e->user));
	put_block(w, secret_bytes(&e->msk));
	wr_u16(w, 0);
	mark = w->n;
	if (e->state && e->method->encode)
		e->method->encode(e->state, w);
	wr_patch_u16(w, mark - 2, (uint16_t)(w->n - mark));
}

static enum gw_err get_block(struct reader *r, size_t max, struct secret *out)
{
	struct bytes b = rd_bytes(r, rd_u16(r));

	if (r->bad || b.n > max)
		return GW_EMALFORMED;
	return b.n > 0 ? secret_copy(out, b) : GW_OK;
}

static enum gw_err decode_into(struct reader r, struct eap *e)
{
	uint8_t phase = rd_u8(&r), flags, type;
	struct bytes state;

	e->id = rd_u8(&r);
	e->rounds = rd_u8(&r);
	e->odd = rd_u8(&r);
	flags = rd_u8(&r);
	e->tried = rd_u32(&r);
	type = rd_u8(&r);
	TRY(get_block(&r, EAP_PACKET_MAX, &e->request));
	TRY(get_block(&r, EAP_NAME_MAX, &e->identity));
	TRY(get_block(&r, EAP_NAME_MAX, &e->user));
	TRY(get_block(&r, 64, &e->msk));
	state = rd_bytes(&r, rd_u16(&r));
	e->method = type ? method_of(type) : NULL;
	if (r.bad || phase > EAP_PHASE_OVER || (type && !e->method) || (phase == EAP_PHASE_METHOD && !e->method))
		return GW_EMALFORMED;
	e->phase = (enum eap_phase)phase;
	e->talking = flags & 1;
	e->lost = (flags & 2) != 0;
	e->guessed = (flags & 4) != 0;
	if (!e->method || e->lost || (e->phase == EAP_PHASE_OVER && state.n == 0))
		return GW_OK;
	return e->method->decode ? e->method->decode(rd_of(state), &e->state) : GW_EMALFORMED;
}

enum gw_err eap_decode(struct bytes record, struct eap **out)
{
	enum gw_err code;

	*out = eap_create();
	if (!*out)
		return GW_ENOMEM;
	code = decode_into(rd_of(record), *out);
	if (code != GW_OK) {
		eap_destroy(*out);
		*out = NULL;
	}
	return code;
}
