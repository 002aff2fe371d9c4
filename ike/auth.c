#include "ike/auth.h"

#include <stdarg.h>
#include <stdio.h>

#include "ike/auth_psk.h"
#include "ike/auth_sig.h"
#include "ike/id.h"
#include "ike/revoke.h"

/* ---- refusals ---- */

static void note_source(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	guard_failed(&ike->guard, &ike->seed, GUARD_SOURCE, guard_source(&sa->remote.addr),
		     ike->settings->ike.failures_per_source, ike_now(ike));
}

enum auth_verdict auth_refuse(struct ike_sa *sa, enum ike_counter counter, const struct id_payload *who,
			      const char *fmt, ...)
{
	char why[400], name[ID_TEXT], from[ENDPOINT_TEXT], text[640];
	va_list ap;

	sa->ike->counters[counter]++;
	note_source(sa);
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text), "refused %s from %s: %s", id_text(who->kind, who->data, name),
		       endpoint_text(&sa->remote, from), why);
	sa_log(sa, LOG_LVL_INFO, "%s", text);
	ike_report_refused(sa->ike, &sa->remote, sa, text);
	return AUTH_REFUSED;
}

/* ---- the choice ---- */

static int rank_of(const struct conn_cfg *c, const struct ike_sa *sa, const struct id_payload *idi,
		   const struct id_payload *idr, uint32_t methods)
{
	return c->remote_auth & methods ? conn_rank(c, sa, idi, idr) : 0;
}

const struct conn_cfg *auth_choose(const struct ike_sa *sa, const struct id_payload *idi, const struct id_payload *idr,
				   uint32_t methods, bool (*fits)(const struct conn_cfg *c, void *arg), void *arg)
{
	const struct settings *s = sa->settings;
	int best = 0;

	for (size_t i = 0; i < s->conn_count; i++) {
		int rank = rank_of(&s->conns[i], sa, idi, idr, methods);

		if (rank > best)
			best = rank;
	}
	for (size_t i = 0; best > 0 && i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		if (rank_of(c, sa, idi, idr, methods) == best && (!fits || fits(c, arg)))
			return c;
	}
	return NULL;
}

uint32_t auth_methods(const struct ike_msg *m)
{
	if (!msg_has(m, PL_AUTH))
		return CONN_AUTH_EAP;
	switch (m->auth.method) {
	case AUTH_PSK:
		return CONN_AUTH_PSK;
	case AUTH_RSA:
	case AUTH_ECDSA_256:
	case AUTH_ECDSA_384:
	case AUTH_ECDSA_521:
	case AUTH_SIGNATURE:
		return CONN_AUTH_CERT;
	default:
		return 0;
	}
}

static const struct id_payload *asked_for(const struct ike_msg *m)
{
	return msg_has(m, PL_IDR) ? &m->idr : NULL;
}

/* Nobody is chosen: is it the identity, or the way? */
static enum auth_verdict refuse_choice(struct ike_sa *sa, const struct ike_msg *m)
{
	const struct conn_cfg *c = auth_choose(sa, &m->idi, asked_for(m), CONN_AUTH_ANY, NULL, NULL);
	char why[400], ways[120];

	if (!c)
		return auth_refuse(sa, CNT_auth_failed_identity, &m->idi, "%s",
				   conn_explain(sa, &m->idi, asked_for(m), why, sizeof(why)));
	return auth_refuse(sa, CNT_auth_failed_method, &m->idi, "it wants to authenticate by %s; connection %s has %s",
			   msg_has(m, PL_AUTH) ? auth_method_name(m->auth.method) : "EAP", c->name,
			   conn_auth_text(c->remote_auth, ways, sizeof(ways)));
}

/* ---- EAP: choice by user ---- */

struct id_payload auth_user_id(struct bytes name)
{
	bool mail = name.n > 0 && memchr(name.p, '@', name.n);

	return (struct id_payload){ .kind = mail ? ID_RFC822 : ID_FQDN, .data = name };
}

static bool certs_equal(const struct conn_cfg *a, const struct conn_cfg *b)
{
	return a->certificate_count == b->certificate_count &&
	       memcmp(a->certificates, b->certificates, a->certificate_count * sizeof(*a->certificates)) == 0;
}

/* The peer has seen one proof of ours: only connections that would have given the same one may take over. */
static bool same_face(const struct conn_cfg *a, const struct conn_cfg *b)
{
	return a->local_auth == b->local_auth && a->local_id.kind == b->local_id.kind &&
	       bytes_equal(a->local_id.data, b->local_id.data) &&
	       (a->local_auth != CONN_AUTH_CERT || certs_equal(a, b)) &&
	       (a->local_auth != CONN_AUTH_PSK || secret_equal(secret_bytes(&a->psk), secret_bytes(&b->psk)));
}

bool auth_eap_candidate(const struct ike_sa *sa, const struct conn_cfg *c, const struct ike_msg *m, uint32_t methods)
{
	return same_face(c, sa->conn) && rank_of(c, sa, &m->idi, asked_for(m), methods) > 0;
}

uint32_t auth_eap_methods(const struct ike_sa *sa, const struct ike_msg *m)
{
	const struct settings *s = sa->settings;
	uint32_t all = 0;

	for (size_t i = 0; i < s->conn_count; i++)
		if (auth_eap_candidate(sa, &s->conns[i], m, CONN_AUTH_EAP))
			all |= s->conns[i].remote_auth & CONN_AUTH_EAP;
	return all;
}

const struct conn_cfg *auth_eap_choose(const struct ike_sa *sa, const struct ike_msg *m, uint32_t method,
				       const struct id_payload *user)
{
	const struct settings *s = sa->settings;
	const struct conn_cfg *best = NULL;
	int most = 0;

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];
		int by_user = id_match_rank(c->eap_ids, c->eap_id_count, user->kind, user->data);
		/* Who somebody has proved to be weighs more than what he said before. */
		bool trusts = method != CONN_AUTH_EAP_TLS || auth_sig_trusts(sa, c);
		int rank = by_user > 0 && trusts && auth_eap_candidate(sa, c, m, method)
				   ? by_user * 100 + rank_of(c, sa, &m->idi, asked_for(m), method)
				   : 0;

		if (rank > most) {
			most = rank;
			best = c;
		}
	}
	return best;
}

/* ---- who fails too often ---- */

bool auth_allowed(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	if (guard_allows(ike->guard, &ike->seed, GUARD_SOURCE, guard_source(&sa->remote.addr),
			 ike->settings->ike.failures_per_source, ike_now(ike)))
		return true;
	count_up(ike, auth_refused_source);
	ike_log_stranger(ike, &sa->remote, "refused: too many failures from there (ike.failures_per_source)");
	return false;
}

/* ---- our identity ---- */

struct our_id {
	uint8_t kind;
	struct bytes data;
	uint8_t body[4 + IKE_MAX_ID];
	size_t body_len;
};

/* Not configured: the address if the certificate has it, else its first name, else its subject. */
static void name_of_cert(const struct ike_sa *sa, struct our_id *out)
{
	const struct cert *c = &sa->half->our_cert->chain[0];
	struct id_cfg address = { .kind = sa->local.addr.family == 6 ? ID_IPV6 : ID_IPV4,
				  .data = addr_bytes(&sa->local.addr) };
	struct reader r = rd_of(c->san);
	enum cert_name kind;
	struct bytes value;

	out->kind = ID_DN;
	out->data = c->subject;
	if (cert_is_for(c, &address)) {
		out->kind = (uint8_t)address.kind;
		out->data = address.data;
		return;
	}
	while (cert_next_name(&r, &kind, &value)) {
		if (kind != CERT_NAME_DNS)
			continue;
		out->kind = ID_FQDN;
		out->data = value;
		return;
	}
}

static enum gw_err our_identity(const struct ike_sa *sa, struct our_id *out)
{
	const struct conn_cfg *conn = sa->conn;

	if (conn->local_id.kind != ID_NONE) {
		out->kind = (uint8_t)conn->local_id.kind;
		out->data = conn->local_id.data;
		/* As it stands in the certificate, whatever order and string types it was written in. */
		if (out->kind == ID_DN && sa->half->our_cert &&
		    cert_is_for(&sa->half->our_cert->chain[0], &conn->local_id))
			out->data = sa->half->our_cert->chain[0].subject;
	} else if (sa->half->our_cert) {
		name_of_cert(sa, out);
	} else {
		out->kind = sa->local.addr.family == 6 ? ID_IPV6 : ID_IPV4;
		out->data = addr_bytes(&sa->local.addr);
	}
	if (out->data.n > IKE_MAX_ID)
		return GW_ELIMIT;
	memset(out->body, 0, 4);
	out->body[0] = out->kind;
	memcpy(out->body + 4, out->data.p, out->data.n);
	out->body_len = 4 + out->data.n;
	return GW_OK;
}

/* ---- keys (PSK, MSK) ---- */

static enum gw_err their_mac(const struct ike_sa *sa, struct bytes key, struct bytes idi_body, uint8_t *out)
{
	const struct half_open *h = sa->half;

	return auth_psk(sa->ike->env->crypto, sa->keys.prf, key, secret_bytes(&h->init_request), secret_bytes(&h->nr),
			ike_keys_pi(&sa->keys), idi_body, out);
}

static bool mac_fits(const struct ike_sa *sa, struct bytes key, struct bytes idi_body, struct bytes auth)
{
	uint8_t want[IKE_PRF_MAX];
	bool same;

	if (key.n == 0 || their_mac(sa, key, idi_body, want) != GW_OK)
		return false;
	same = secret_equal(bytes_of(want, sa->keys.prf->len), auth);
	secret_wipe(want, sizeof(want));
	return same;
}

static enum gw_err write_mac(struct ike_sa *sa, struct msg_writer *m, struct bytes key, struct bytes idr_body)
{
	const struct half_open *h = sa->half;
	uint8_t auth[IKE_PRF_MAX];

	TRY(auth_psk(sa->ike->env->crypto, sa->keys.prf, key, secret_bytes(&h->init_response), secret_bytes(&h->ni),
		     ike_keys_pr(&sa->keys), idr_body, auth));
	auth_write(m, AUTH_PSK, bytes_of(auth, sa->keys.prf->len));
	secret_wipe(auth, sizeof(auth));
	return GW_OK;
}

struct psk_question {
	const struct ike_sa *sa;
	const struct ike_msg *m;
};

static bool psk_fits(const struct conn_cfg *c, void *arg)
{
	const struct psk_question *q = arg;

	return mac_fits(q->sa, secret_bytes(conn_psk(c, q->m->idi.kind, q->m->idi.data)), q->m->idi.body,
			q->m->auth.data);
}

static enum auth_verdict first_psk(struct ike_sa *sa, const struct ike_msg *m)
{
	struct psk_question q = { sa, m };

	sa->conn = auth_choose(sa, &m->idi, asked_for(m), CONN_AUTH_PSK, psk_fits, &q);
	if (!sa->conn)
		return auth_refuse(sa, CNT_auth_failed_psk, &m->idi, "wrong shared key (psk)");
	return AUTH_ACCEPTED;
}

/* ---- the rounds ---- */

static enum auth_verdict judge_first(struct ike_sa *sa, const struct ike_msg *m)
{
	uint32_t methods = auth_methods(m);

	sa->conn = auth_choose(sa, &m->idi, asked_for(m), methods, NULL, NULL);
	if (!sa->conn)
		return refuse_choice(sa, m);
	return methods == CONN_AUTH_EAP	   ? AUTH_EAP_NEXT
	       : methods == CONN_AUTH_CERT ? auth_sig_first(sa, m, asked_for(m))
					   : first_psk(sa, m);
}

/* The peer is accepted, or will be by EAP: can we prove ourselves to it? */
static enum auth_verdict with_proof(struct ike_sa *sa, const struct ike_msg *m, enum auth_verdict verdict)
{
	struct err e = { 0 };

	if (verdict != AUTH_REFUSED)
		sa->half->our_psk = conn_psk(sa->conn, m->idi.kind, m->idi.data);

	if (verdict == AUTH_REFUSED || sa->conn->local_auth != CONN_AUTH_CERT || auth_sig_pick(sa, m, &e))
		return verdict;
	return auth_refuse(sa, CNT_auth_failed_method, &m->idi, "%s", e.text);
}

enum auth_verdict auth_first(struct ike_sa *sa, const struct ike_msg *m)
{
	return with_proof(sa, m, judge_first(sa, m));
}

enum auth_verdict auth_after_eap(struct ike_sa *sa, struct ike_msg *m)
{
	const struct half_open *h = sa->half;
	uint8_t auth[IKE_PRF_MAX];
	size_t n = sa->keys.prf->len;
	bool right = msg_has(m, PL_AUTH) && m->auth.method == AUTH_PSK && m->auth.data.n == n;

	if (right)
		memcpy(auth, m->auth.data.p, n);
	if (auth_recall(sa, m) != GW_OK)
		return AUTH_REFUSED;
	if (!right || !mac_fits(sa, secret_bytes(&h->msk), m->idi.body, bytes_of(auth, n)))
		return auth_refuse(sa, CNT_auth_failed_eap, &m->idi, "AUTH after EAP is not made with the key of EAP");
	/* Of EAP-TLS there are certificates, which may be revoked. */
	return sa->cert_path.n > 0 ? revoke_judge(sa, &m->idi) : AUTH_ACCEPTED;
}

enum gw_err auth_write_id(struct ike_sa *sa, struct msg_writer *m)
{
	struct half_open *h = sa->half;
	struct our_id id;

	TRY(our_identity(sa, &id));
	secret_clear(&h->our_id);
	TRY(secret_copy(&h->our_id, bytes_of(id.body, id.body_len)));
	id_write(m, PL_IDR, id.kind, id.data);
	return GW_OK;
}

enum gw_err auth_write_ours(struct ike_sa *sa, struct msg_writer *m)
{
	TRY(auth_write_id(sa, m));
	if (sa->half->our_cert)
		return auth_sig_write(sa, m);
	return write_mac(sa, m, secret_bytes(sa->half->our_psk), secret_bytes(&sa->half->our_id));
}

enum gw_err auth_write_msk(struct ike_sa *sa, struct msg_writer *m)
{
	const struct half_open *h = sa->half;

	return write_mac(sa, m, secret_bytes(&h->msk), secret_bytes(&h->our_id));
}

/* ---- the first message, kept ---- */

static bool is_kept(uint8_t type)
{
	return type != PL_CERT && type != PL_CERTREQ && type != PL_VENDOR;
}

enum gw_err auth_keep(struct ike_sa *sa, const struct ike_msg *m)
{
	struct half_open *h = sa->half;
	WIPED struct secret kept = { 0 };
	struct reader r = rd_of(m->chain);
	struct msg_writer w;
	struct bytes out;
	uint8_t type = m->first;

	TRY(secret_alloc(&kept, m->chain.n));
	chain_begin(&w, kept.p, kept.n);
	while (type != PL_NONE) { /* msg_parse has been over it */
		uint8_t next = rd_u8(&r);
		struct bytes body;
		size_t mark;

		rd_skip(&r, 1);
		body = rd_bytes(&r, rd_u16(&r) - 4U);
		if (r.bad)
			return GW_EINTERNAL;
		if (is_kept(type)) {
			mark = payload_begin(&w, type);
			wr_bytes(&w.w, body);
			payload_end(&w, mark);
		}
		type = next;
	}
	TRY(chain_finish(&w, &out));
	secret_clear(&h->auth_chain);
	h->auth_first = w.first;
	return secret_copy(&h->auth_chain, out);
}

enum gw_err auth_recall(const struct ike_sa *sa, struct ike_msg *m)
{
	const struct half_open *h = sa->half;

	return h->auth_chain.n > 0 ? msg_parse(m, h->auth_first, secret_bytes(&h->auth_chain), NULL) : GW_ESTATE;
}
