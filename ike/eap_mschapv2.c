#include "ike/eap_mschapv2.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/users.h"
#include "ike/eap_method.h"
#include "ike/id.h"

/* ---- packets ---- */

enum { RESPONSE_VALUE = MSCHAPV2_CHALLENGE + 8 + MSCHAPV2_RESPONSE + 1 };

static void parse_value(struct reader *r, struct mschapv2_packet *out)
{
	bool response = out->op == MSCHAPV2_OP_RESPONSE;

	if (rd_u8(r) != (response ? RESPONSE_VALUE : MSCHAPV2_CHALLENGE))
		r->bad = true;
	out->challenge = rd_bytes(r, MSCHAPV2_CHALLENGE).p;
	if (response) {
		rd_skip(r, 8); /* reserved: ignored on receipt */
		out->response = rd_bytes(r, MSCHAPV2_RESPONSE).p;
		rd_skip(r, 1); /* flags: likewise */
	}
	out->name = rd_rest(r);
	if (out->name.n > MSCHAPV2_NAME_MAX)
		r->bad = true;
}

enum gw_err mschapv2_parse(struct bytes data, struct mschapv2_packet *out)
{
	struct reader r = rd_of(data);

	*out = (struct mschapv2_packet){ .op = rd_u8(&r) };
	/* Answers to Success and Failure are the code alone; some clients send more of a header, which says nothing. */
	if (r.bad || ((out->op == MSCHAPV2_OP_SUCCESS || out->op == MSCHAPV2_OP_FAILURE) && r.left < 3))
		return r.bad ? GW_EMALFORMED : GW_OK;
	out->id = rd_u8(&r);
	if (rd_u16(&r) != data.n)
		return GW_EMALFORMED;
	switch (out->op) {
	case MSCHAPV2_OP_CHALLENGE:
	case MSCHAPV2_OP_RESPONSE:
		parse_value(&r, out);
		break;
	case MSCHAPV2_OP_SUCCESS:
	case MSCHAPV2_OP_FAILURE:
		out->text = rd_rest(&r);
		break;
	case MSCHAPV2_OP_CHANGE_PASSWORD:
		break;
	default:
		return GW_EMALFORMED;
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

static size_t begin_packet(struct writer *w, enum mschapv2_op op, uint8_t id)
{
	size_t mark = w->n;

	wr_u8(w, (uint8_t)op);
	wr_u8(w, id);
	wr_u16(w, 0);
	return mark;
}

static void end_packet(struct writer *w, size_t mark)
{
	wr_patch_u16(w, mark + 2, (uint16_t)(w->n - mark));
}

void mschapv2_write_challenge(struct writer *w, uint8_t id, const uint8_t challenge[MSCHAPV2_CHALLENGE],
			      struct bytes name)
{
	size_t mark = begin_packet(w, MSCHAPV2_OP_CHALLENGE, id);

	wr_u8(w, MSCHAPV2_CHALLENGE);
	wr_bytes(w, bytes_of(challenge, MSCHAPV2_CHALLENGE));
	wr_bytes(w, name);
	end_packet(w, mark);
}

void mschapv2_write_response(struct writer *w, uint8_t id, const uint8_t peer_challenge[MSCHAPV2_CHALLENGE],
			     const uint8_t response[MSCHAPV2_RESPONSE], struct bytes name)
{
	size_t mark = begin_packet(w, MSCHAPV2_OP_RESPONSE, id);

	wr_u8(w, RESPONSE_VALUE);
	wr_bytes(w, bytes_of(peer_challenge, MSCHAPV2_CHALLENGE));
	wr_zero(w, 8);
	wr_bytes(w, bytes_of(response, MSCHAPV2_RESPONSE));
	wr_u8(w, 0);
	wr_bytes(w, name);
	end_packet(w, mark);
}

static void write_hex(struct writer *w, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		wr_u8(w, (uint8_t)digits[p[i] >> 4]);
		wr_u8(w, (uint8_t)digits[p[i] & 15]);
	}
}

void mschapv2_write_success(struct writer *w, uint8_t id, const uint8_t proof[MSCHAPV2_PROOF])
{
	size_t mark = begin_packet(w, MSCHAPV2_OP_SUCCESS, id);

	wr_bytes(w, bytes_str("S="));
	write_hex(w, proof, MSCHAPV2_PROOF);
	wr_bytes(w, bytes_str(" M=Welcome"));
	end_packet(w, mark);
}

void mschapv2_write_failure(struct writer *w, uint8_t id, enum mschapv2_error error, bool retry,
			    const uint8_t challenge[MSCHAPV2_CHALLENGE])
{
	size_t mark = begin_packet(w, MSCHAPV2_OP_FAILURE, id);
	char head[24];

	(void)snprintf(head, sizeof(head), "E=%d R=%d C=", (int)error, retry);
	wr_bytes(w, bytes_str(head));
	write_hex(w, challenge, MSCHAPV2_CHALLENGE);
	wr_bytes(w, bytes_str(" V=3 M=Authentication failed"));
	end_packet(w, mark);
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

enum gw_err mschapv2_read_proof(struct bytes text, uint8_t out[MSCHAPV2_PROOF])
{
	struct reader r = rd_of(text);

	if (rd_u8(&r) != 'S' || rd_u8(&r) != '=')
		return GW_EMALFORMED;
	for (size_t i = 0; i < MSCHAPV2_PROOF; i++) {
		int high = hex_digit(rd_u8(&r)), low = hex_digit(rd_u8(&r));

		if (high < 0 || low < 0)
			return GW_EMALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

struct bytes mschapv2_bare_name(struct bytes name)
{
	const uint8_t *slash = name.n > 0 ? memrchr(name.p, '\\', name.n) : NULL;

	return slash ? bytes_of(slash + 1, name.n - (size_t)(slash + 1 - name.p)) : name;
}

/* ---- the server ---- */

enum step { AT_RESPONSE, AT_SUCCESS, AT_FAILURE, STEP_COUNT };

struct talk {
	enum step at;	   /* what the peer has to answer: Challenge, Success, Failure */
	uint8_t id, wrong; /* wrong: passwords so far */
	uint8_t challenge[MSCHAPV2_CHALLENGE];
	uint8_t msk[MSCHAPV2_MSK]; /* made at AT_SUCCESS */
};

static void end(void *state)
{
	secret_wipe(state, sizeof(struct talk));
	free(state);
}

static enum gw_err begin(struct eap *e, const struct eap_server *s, struct writer *out)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		return GW_ENOMEM;
	e->state = t;
	TRY(rng_fill(s->rng, t->challenge, sizeof(t->challenge)));
	t->id = e->id;
	mschapv2_write_challenge(out, t->id, t->challenge, s->name);
	return GW_OK;
}

static const struct user_cfg *find_user(const struct eap_server *s, struct bytes name)
{
	const struct user_cfg *u = settings_user(s->settings, name, s->cfg->ignore_case);

	if (!u && s->cfg->strip_domain)
		u = settings_user(s->settings, mschapv2_bare_name(name), s->cfg->ignore_case);
	return u;
}

struct attempt {
	const struct user_cfg *user; /* NULL: unknown */
	bool right;
	uint8_t proof[MSCHAPV2_PROOF], msk[MSCHAPV2_MSK];
};

/*
 * Everything is computed for everybody: for a user that is unknown, or has no password, with a hash of zeros, which no
 * password has as far as anybody knows, and which is not right even then.
 */
static enum gw_err judge(const struct talk *t, const struct eap_server *s, const struct mschapv2_packet *p,
			 struct attempt *a)
{
	static const uint8_t nobodys[MSCHAPV2_HASH];
	struct mschapv2 x = { .server_challenge = t->challenge,
			      .peer_challenge = p->challenge,
			      .user = mschapv2_bare_name(p->name),
			      .nt_hash = nobodys };
	uint8_t want[MSCHAPV2_RESPONSE];
	bool known;

	a->user = find_user(s, p->name);
	known = a->user && a->user->nt_hash.n == MSCHAPV2_HASH;
	if (known)
		x.nt_hash = a->user->nt_hash.p;
	TRY(mschapv2_response(s->crypto, &x, want));
	TRY(mschapv2_proof(s->crypto, &x, want, a->proof));
	TRY(mschapv2_msk(s->crypto, x.nt_hash, want, a->msk));
	a->right = secret_equal(bytes_of(want, sizeof(want)), bytes_of(p->response, MSCHAPV2_RESPONSE)) && known;
	secret_wipe(want, sizeof(want));
	return GW_OK;
}

/* RFC 2759 6: a retry has the challenge of the failure packet. */
static enum eap_verdict refuse(struct talk *t, const struct eap_server *s, enum mschapv2_error error,
			       struct writer *out)
{
	bool retry = error == MSCHAPV2_E_AUTHENTICATION && t->wrong <= s->cfg->retries;

	/* Without randomness there is no further try with a challenge that was seen before. */
	if (rng_fill(s->rng, t->challenge, sizeof(t->challenge)) != GW_OK)
		retry = false;
	t->id++;
	t->at = retry ? AT_RESPONSE : AT_FAILURE;
	mschapv2_write_failure(out, t->id, error, retry, t->challenge);
	return EAP_GOES_ON;
}

static enum eap_verdict receive_response(struct eap *e, const struct eap_server *s, const struct mschapv2_packet *p,
					 struct writer *out)
{
	struct talk *t = e->state;
	struct attempt a = { 0 };
	bool may_try = !s->may_try || s->may_try(s->arg, mschapv2_bare_name(p->name));
	char name[ID_TEXT]; /* whatever a stranger put into it */

	if (judge(t, s, p, &a) != GW_OK)
		return eap_fail(e, "our own cryptography fails");
	if (a.right && may_try) {
		secret_clear(&e->user);
		if (secret_copy(&e->user, bytes_str(a.user->name)) != GW_OK)
			return eap_fail(e, "out of memory");
		memcpy(t->msk, a.msk, sizeof(t->msk));
		t->at = AT_SUCCESS;
		mschapv2_write_success(out, t->id, a.proof);
	} else {
		t->wrong++;
		e->guessed = true;
		if (s->wrong)
			s->wrong(s->arg, mschapv2_bare_name(p->name));
		(void)eap_fail(e,
			       !may_try ? "too many wrong passwords of user `%s` (ike.failures_per_user)"
			       : a.user && a.user->nt_hash.n > 0 ? "wrong password of user `%s`"
			       : a.user				 ? "user `%s` has no password"
								 : "no user `%s`",
			       id_text(ID_FQDN, p->name, name));
		(void)refuse(t, s, MSCHAPV2_E_AUTHENTICATION, out);
	}
	secret_wipe(&a, sizeof(a));
	return EAP_GOES_ON;
}

static enum eap_verdict receive(struct eap *e, const struct eap_server *s, struct bytes data, struct writer *out)
{
	struct talk *t = e->state;
	struct mschapv2_packet p;

	if (mschapv2_parse(data, &p) != GW_OK)
		return eap_fail(e, "malformed packet of MSCHAPv2");
	if (t->at == AT_RESPONSE && p.op == MSCHAPV2_OP_RESPONSE)
		return receive_response(e, s, &p, out);
	if (t->at == AT_RESPONSE && t->wrong > 0 && p.op == MSCHAPV2_OP_CHANGE_PASSWORD) {
		(void)eap_fail(e, "it wants to change a password, which is not possible here");
		return refuse(t, s, MSCHAPV2_E_CHANGING_PASSWORD, out);
	}
	/* A client with a wrong password that cannot ask for another; the reason is there. */
	if (t->wrong > 0 && p.op == MSCHAPV2_OP_FAILURE && t->at != AT_SUCCESS)
		return EAP_FAILED;
	if (t->at == AT_FAILURE)
		return EAP_FAILED;
	if (t->at == AT_SUCCESS && p.op == MSCHAPV2_OP_SUCCESS) {
		if (secret_copy(&e->msk, bytes_of(t->msk, sizeof(t->msk))) != GW_OK)
			return eap_fail(e, "out of memory");
		return EAP_SUCCEEDED;
	}
	if (t->at == AT_SUCCESS && p.op == MSCHAPV2_OP_FAILURE)
		return eap_fail(e, "it does not believe that we know the password");
	return eap_fail(e, "packet %u of MSCHAPv2 at the wrong time", p.op);
}

static void encode(const void *state, struct writer *w)
{
	const struct talk *t = state;

	wr_u8(w, (uint8_t)t->at);
	wr_u8(w, t->id);
	wr_u8(w, t->wrong);
	wr_bytes(w, bytes_of(t->challenge, sizeof(t->challenge)));
	wr_bytes(w, bytes_of(t->msk, sizeof(t->msk)));
}

static enum gw_err decode(struct reader r, void **state)
{
	struct talk *t = calloc(1, sizeof(*t));
	uint8_t at = rd_u8(&r);

	if (!t)
		return GW_ENOMEM;
	t->id = rd_u8(&r);
	t->wrong = rd_u8(&r);
	rd_copy(&r, t->challenge, sizeof(t->challenge));
	rd_copy(&r, t->msk, sizeof(t->msk));
	if (r.bad || at >= STEP_COUNT) {
		end(t);
		return GW_EMALFORMED;
	}
	t->at = (enum step)at;
	*state = t;
	return GW_OK;
}

const struct eap_method eap_mschapv2 = {
	.type = EAP_MSCHAPV2,
	.auth = CONN_AUTH_EAP_MSCHAPV2,
	.name = "eap-mschapv2",
	.alone = false, /* a dictionary finds the password */
	.begin = begin,
	.receive = receive,
	.end = end,
	.encode = encode,
	.decode = decode,
};
