/* IKE_AUTH as responder, by shared key (RFC 7296 1.2, 2.15, 2.19), with the first CHILD SA. */
#include <stdlib.h>

#include "ike/auth_psk.h"
#include "ike/engine.h"
#include "ike/id.h"

/* Our identity towards the peer, as an ID payload body. */
struct our_id {
	uint8_t kind;
	struct bytes data;
	uint8_t body[4 + IKE_MAX_ID];
	size_t body_len;
};

static enum gw_err our_identity(const struct ike_sa *sa, const struct conn_cfg *conn, struct our_id *out)
{
	if (conn->local_id.kind != ID_NONE) {
		out->kind = (uint8_t)conn->local_id.kind;
		out->data = conn->local_id.data;
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

static bool psk_fits(const struct ike_sa *sa, const struct conn_cfg *conn, const struct ike_msg *m)
{
	const struct half_open *h = sa->half;
	uint8_t want[IKE_PRF_MAX];
	bool same;

	if (conn->psk.n == 0 ||
	    auth_psk(sa->ike->env->crypto, sa->keys.prf, secret_bytes(&conn->psk), secret_bytes(&h->init_request),
		     secret_bytes(&h->nr), ike_keys_pi(&sa->keys), m->idi.body, want) != GW_OK)
		return false;
	same = secret_equal(bytes_of(want, sa->keys.prf->len), m->auth.data);
	secret_wipe(want, sizeof(want));
	return same;
}

/* The best connection for the identities; among equals the one whose key fits. NULL: refused, and said why. */
static const struct conn_cfg *authenticate(struct ike_sa *sa, const struct ike_msg *m)
{
	const struct settings *s = sa->settings;
	const struct id_payload *idr = msg_has(m, PL_IDR) ? &m->idr : NULL;
	char who[ID_TEXT], why[400], from[ENDPOINT_TEXT];
	int best = 0;

	id_text(m->idi.kind, m->idi.data, who);
	endpoint_text(&sa->remote, from);
	for (size_t i = 0; i < s->conn_count; i++) {
		int rank = conn_rank(&s->conns[i], sa, &m->idi, idr);

		if (rank > best)
			best = rank;
	}
	if (best == 0) {
		count_up(sa->ike, auth_failed_identity);
		sa_log(sa, LOG_LVL_INFO, "refused %s from %s: %s", who, from,
		       conn_explain(sa, &m->idi, idr, why, sizeof(why)));
		return NULL;
	}
	if (!msg_has(m, PL_AUTH) || m->auth.method != AUTH_PSK) {
		count_up(sa->ike, auth_failed_method);
		sa_log(sa, LOG_LVL_INFO, "refused %s from %s: it wants to authenticate by %s; configured: shared key",
		       who, from, msg_has(m, PL_AUTH) ? auth_method_name(m->auth.method) : "EAP");
		return NULL;
	}
	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		if (conn_rank(c, sa, &m->idi, idr) == best && psk_fits(sa, c, m))
			return c;
	}
	count_up(sa->ike, auth_failed_psk);
	sa_log(sa, LOG_LVL_INFO, "refused %s from %s: wrong shared key (psk)", who, from);
	return NULL;
}

/* Everything older of this identity goes, without a word: the peer has told that it knows nothing of it (2.4). */
static void initial_contact(struct ike_sa *sa)
{
	struct ike_sa *o, *next;

	for (o = sa->peer->sas; o; o = next) {
		next = o->next_of_peer;
		if (o != sa)
			sa_close(o, "the peer started anew", false);
	}
}

/* The first CHILD SA. Whatever goes wrong here leaves an IKE SA without one, and the notify that says so. */
static enum gw_err first_child(struct ike_sa *sa, const struct ike_msg *m, struct exchange *x)
{
	struct child_match match;
	struct err e = { 0 };
	struct child_sa *c;
	uint32_t spi;
	enum gw_err code = conn_match_child(sa, NULL, m, PROPOSAL_DH_IGNORED, &match, &e);

	if (code != GW_OK) {
		if (code == GW_ETS)
			count_up(sa->ike, refused_selectors);
		else
			count_up(sa->ike, refused_proposal);
		sa_log(sa, LOG_LVL_INFO, "no CHILD SA: %s", e.text);
		x->child_error = error_notify(code);
		return GW_OK;
	}
	TRY(ike_new_child_spi(sa->ike, &spi));
	c = child_create(sa, match.cfg, spi);
	if (!c)
		return GW_ENOMEM;
	c->reqid = ike_new_reqid(sa->ike);
	x->child_spi = spi;
	x->proposal = match.chosen.number;
	TRY(child_adopt(c, &match.chosen));
	TRY(child_selectors(c, match.ours, match.n_ours, match.theirs, match.n_theirs));
	TRY(child_keys(c, false, (struct bytes){ 0 }, secret_bytes(&sa->half->ni), secret_bytes(&sa->half->nr)));
	return child_install(c, false);
}

void x_auth_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result)
{
	struct exchange *x = sa->peer_x;
	struct datagram to = { .from = x->from, .to = x->to, .natt = x->natt };
	const struct half_open *h = sa->half;
	struct our_id id;
	struct msg_writer m;
	uint8_t auth[IKE_PRF_MAX], spi[4];
	struct transform t[5];
	size_t mark, n;
	enum gw_err code;

	if (c && result != GW_OK) {
		x->child_error = result == GW_EUNSUPPORTED ? N_NO_PROPOSAL_CHOSEN : N_TEMPORARY_FAILURE;
		child_close(c, "not installed");
		c = NULL;
	}
	code = our_identity(sa, sa->conn, &id);
	if (code == GW_OK)
		code = auth_psk(sa->ike->env->crypto, sa->keys.prf, secret_bytes(&sa->conn->psk),
				secret_bytes(&h->init_response), secret_bytes(&h->ni), ike_keys_pr(&sa->keys),
				bytes_of(id.body, id.body_len), auth);
	if (code != GW_OK) {
		count_up(sa->ike, drop_internal);
		sa_close(sa, "cannot authenticate ourselves", false);
		return;
	}
	chain_start(sa->ike, &m);
	id_write(&m, PL_IDR, id.kind, id.data);
	auth_write(&m, AUTH_PSK, bytes_of(auth, sa->keys.prf->len));
	secret_wipe(auth, sizeof(auth));
	if (x->cp && x->child_error != N_INTERNAL_ADDRESS_FAILURE)
		cp_answer(sa, &m);
	if (c) {
		struct chosen agreed = { .encr = c->encr, .integ = c->integ, .esn = c->esn };

		put_u32(spi, c->spi_in);
		mark = sa_begin(&m);
		n = chosen_transforms(&agreed, t);
		proposal_write(&m, x->proposal, PROTO_ESP, bytes_of(spi, 4), t, n, false);
		sa_end(&m, mark);
		ts_write(&m, PL_TSI, c->theirs, c->theirs_count);
		ts_write(&m, PL_TSR, c->ours, c->ours_count);
	} else {
		notify_simple(&m, x->child_error);
	}
	if (send_response(sa, IKE_AUTH, &m, &to, IKE_EFFECT_STATE) != GW_OK) {
		sa_close(sa, "internal trouble", false);
		return;
	}
	exchange_destroy(x);
	sa->peer_x = NULL;
	sa_drop_half(sa);
	sa->established = ike_now(sa->ike);
	sa_set_lifetimes(sa);
	sa_set_state(sa, IKE_UP, "peer authenticated");
	count_up(sa->ike, sas_established);
	ike_report(sa->ike, IKE_EV_SA_UP, sa, NULL, NULL);
	x_child_is_up(sa, c);
	if (log_wants(sa->ike->env->log, LOG_LVL_NOTICE)) {
		char ep[ENDPOINT_TEXT], in4[ADDR_TEXT], in6[ADDR_TEXT];
		bool v4 = sa->leases[0].pool != NULL, v6 = sa->leases[1].pool != NULL;

		sa_log(sa, LOG_LVL_NOTICE, "up: %s from %s%s%s%s%s%s", sa->conn->name, endpoint_text(&sa->remote, ep),
		       sa->peer_nat ? " behind NAT" : "", v4 || v6 ? ", inner " : "",
		       v4 ? addr_text(&sa->leases[0].addr, in4) : "", v4 && v6 ? " " : "",
		       v6 ? addr_text(&sa->leases[1].addr, in6) : "");
	}
}

static enum gw_err refuse(struct ike_sa *sa, const struct datagram *dg)
{
	/* 2.21.2: told under our keys, without saying which part was wrong. */
	TRY(send_error(sa, IKE_AUTH, N_AUTHENTICATION_FAILED, (struct bytes){ 0 }, dg));
	sa_close(sa, "authentication failed", true);
	return GW_OK;
}

enum gw_err x_auth_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	struct exchange *x;
	enum gw_err code;

	count_up(sa->ike, auth_requests);
	sa->conn = authenticate(sa, m);
	if (!sa->conn)
		return refuse(sa, dg);
	TRY(peer_join(sa->ike, sa, sa->conn->name, m->idi.kind, m->idi.data));
	if (msg_notify(m, N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED))
		sa->peer_flags |= PEER_MSGID_SYNC;
	if (msg_notify(m, N_MOBIKE_SUPPORTED))
		sa->peer_flags |= PEER_MOBIKE;
	if (msg_notify(m, N_INITIAL_CONTACT))
		initial_contact(sa);
	x = calloc(1, sizeof(*x));
	if (!x)
		return GW_ENOMEM;
	sa->peer_x = x;
	*x = (struct exchange){
		.kind = X_AUTH, .message_id = m->h.id, .from = dg->from, .to = dg->to, .natt = dg->natt
	};
	sa->half->expires = MTIME_NEVER; /* the data plane answers, or the whole daemon is in trouble */
	code = cp_lease(sa, m, &x->cp);
	if (code == GW_EADDRESS) {
		count_up(sa->ike, refused_address);
		sa_log(sa, LOG_LVL_WARN, "no CHILD SA: no address is left in the pools of connection %s",
		       sa->conn->name);
		x->child_error = N_INTERNAL_ADDRESS_FAILURE;
	} else {
		code = first_child(sa, m, x);
		if (code != GW_OK) {
			struct child_sa *half_made = ike_find_child(sa->ike, x->child_spi);

			sa_log(sa, LOG_LVL_ERROR, "no CHILD SA: %s", gw_err_text(code));
			x->child_error = error_notify(code);
			if (half_made)
				child_close(half_made, "not installed");
		}
	}
	if (x->child_error)
		x_auth_finish(sa, NULL, GW_OK);
	return GW_OK;
}
