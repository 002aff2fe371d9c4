/*
 * IKE_AUTH as responder (RFC 7296 1.2, 2.16, 2.19): one round, or several with EAP, and the first CHILD SA at the end.
 *
 *   x_auth_request  the first message -> auth_first() -> accepted, EAP, waiting for something from outside, refused
 *   x_auth_round    what comes after our first answer: EAP (x_eap.c), then AUTH by its key
 *   x_auth_resume   what was waited for is there
 *   accept          who was authenticated; inner addresses; the CHILD SA, which the data plane installs
 *   x_auth_finish   the last answer
 *
 * While a request is being answered sa->peer_x is set. Who proves what by which means is in auth.c.
 */
#include <stdlib.h>

#include "ike/auth.h"
#include "ike/eap.h"
#include "ike/group.h"
#include "ike/id.h"
#include "ike/mobike.h"
#include "ike/reqid.h"
#include "ike/unique.h"

/* The first CHILD SA. Whatever goes wrong here leaves an IKE SA without one, and the notify that says so. */
static enum gw_err first_child(struct ike_sa *sa, const struct ike_msg *m, struct exchange *x)
{
	struct child_match match;
	struct err e = { 0 };
	struct child_sa *c;
	uint32_t spi;
	enum gw_err code = conn_match_child(sa, NULL, m, false, &match, &e);

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
	x->child_spi = spi;
	c->begun = sa->created; /* its keys come from nonces of IKE_SA_INIT */
	c->inherited = sa->half->inherited;
	TRY(reqid_join(c, child_shared_reqid(sa, &match)));
	x->proposal = match.chosen.number;
	x->more_ts = match.more;
	TRY(child_match_adopt(c, &match));
	TRY(child_keys(c, false, (struct bytes){ 0 }, secret_bytes(&sa->half->ni), secret_bytes(&sa->half->nr)));
	return child_install(c, false);
}

void x_auth_finish(struct ike_sa *sa, struct child_sa *c, enum gw_err result)
{
	struct exchange *x = sa->peer_x;
	struct datagram to = { .from = x->from, .to = x->to, .natt = x->natt };
	struct msg_writer m;
	enum gw_err code;

	if (c && result != GW_OK) {
		x->child_error = result == GW_EUNSUPPORTED ? N_NO_PROPOSAL_CHOSEN : N_TEMPORARY_FAILURE;
		child_close(c, "not installed");
		c = NULL;
	}
	chain_start(sa->ike, &m);
	code = sa->half->msk.n > 0 ? auth_write_msk(sa, &m) : auth_write_ours(sa, &m);
	if (code != GW_OK) {
		count_up(sa->ike, drop_internal);
		sa_close(sa, "cannot authenticate ourselves", false);
		return;
	}
	if (x->cp && x->child_error != N_INTERNAL_ADDRESS_FAILURE)
		cp_answer(sa, &m, x->cp);
	if (c) {
		child_write_answer(c, x->proposal, &m);
		if (x->more_ts)
			notify_simple(&m, N_ADDITIONAL_TS_POSSIBLE);
	} else if (x->child_error) {
		notify_simple(&m, x->child_error);
	}
	mobike_write_greeting(sa, &m);
	if (sa->conn->reauth_us > 0) { /* RFC 4478 3 */
		uint8_t seconds[4];

		put_u32(seconds, (uint32_t)(sa->conn->reauth_us / SECONDS(1)));
		notify_write(&m, PROTO_NONE, (struct bytes){ 0 }, N_AUTH_LIFETIME, bytes_of(seconds, sizeof(seconds)));
		sa->reauth_at = mtime_add(ike_now(sa->ike), sa->conn->reauth_us + SECONDS(REAUTH_GRACE_SECONDS));
	}
	if (send_response(sa, IKE_AUTH, &m, &to, IKE_EFFECT_STATE) != GW_OK) {
		sa_close(sa, "internal trouble", false);
		return;
	}
	exchange_destroy(x);
	sa->peer_x = NULL;
	sa_drop_half(sa);
	sa->established = sa->session.began = ike_now(sa->ike);
	sa_set_lifetimes(sa);
	sa->certain = sa->ike->doubt; /* it came up here, if it began elsewhere */
	sa_set_state(sa, IKE_UP, "peer authenticated");
	count_up(sa->ike, sas_established);
	ike_report(sa->ike, IKE_EV_SA_UP, sa, NULL, NULL);
	x_child_is_up(sa, c);
	unique_settle(sa);
	if (log_wants(sa->ike->env->log, LOG_LVL_NOTICE)) {
		char ep[ENDPOINT_TEXT], in4[ADDR_TEXT], in6[ADDR_TEXT];
		bool v4 = sa->leases[0].pool != NULL, v6 = sa->leases[1].pool != NULL;

		sa_log(sa, LOG_LVL_NOTICE, "up: %s from %s%s%s%s%s%s", sa->conn->name, endpoint_text(&sa->remote, ep),
		       sa->peer_nat ? " behind NAT" : "", v4 || v6 ? ", inner " : "",
		       v4 ? addr_text(&sa->leases[0].addr, in4) : "", v4 && v6 ? " " : "",
		       v6 ? addr_text(&sa->leases[1].addr, in6) : "");
	}
}

static enum gw_err refuse_by(struct ike_sa *sa, struct bytes eap, uint16_t notify, const char *reason)
{
	const struct exchange *x = sa->peer_x;
	struct datagram to = { .from = x->from, .to = x->to, .natt = x->natt };
	struct msg_writer m;

	chain_start(sa->ike, &m);
	if (eap.n > 0)
		eap_write(&m, eap);
	notify_simple(&m, notify);
	TRY(send_response(sa, IKE_AUTH, &m, &to, IKE_EFFECT_STATE));
	sa_close(sa, reason, true);
	return GW_OK;
}

/* 2.21.2: told under our keys, without saying which part was wrong. `eap`: EAP-Failure, or empty. */
static enum gw_err refuse(struct ike_sa *sa, struct bytes eap)
{
	return refuse_by(sa, eap, N_AUTHENTICATION_FAILED, "authentication failed");
}

static void note_peer(struct ike_sa *sa, const struct ike_msg *m)
{
	if (msg_notify(m, N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED))
		sa->peer_flags |= PEER_MSGID_SYNC;
}

/* With EAP somebody is who EAP proved him to be, not who his IDi says. */
static enum gw_err join(struct ike_sa *sa, const struct ike_msg *m)
{
	const struct half_open *h = sa->half;
	struct id_payload who = m->idi;
	char told[ID_TEXT];

	sa->peer_auth = auth_methods(m);
	if (h->eap) {
		who = auth_user_id(eap_user(h->eap));
		sa->peer_auth = eap_method_in_use(h->eap);
		TRY(secret_alloc(&sa->told_id, 1 + m->idi.data.n));
		sa->told_id.p[0] = m->idi.kind;
		if (m->idi.data.n > 0)
			memcpy(sa->told_id.p + 1, m->idi.data.p, m->idi.data.n);
	}
	TRY(peer_join(sa->ike, sa, sa->conn->name, who.kind, who.data));
	if (h->eap && log_wants(sa->ike->env->log, LOG_LVL_DEBUG))
		sa_log(sa, LOG_LVL_DEBUG, "proved by EAP; its IDi is %s", id_text(m->idi.kind, m->idi.data, told));
	return GW_OK;
}

/* The peer is who it says: `m` is its first message. */
static enum gw_err accept_peer(struct ike_sa *sa, const struct ike_msg *m)
{
	struct exchange *x = sa->peer_x;
	bool initial_contact = msg_notify(m, N_INITIAL_CONTACT) != NULL;
	struct ike_finding gone;
	enum gw_err code;

	TRY(join(sa, m));
	sa->came_from = sa->half->key.from;
	if (sa->settings != sa->ike->settings && sa_unwelcome(sa, sa->ike->settings, &gone)) {
		/* A reload between its messages. */
		sa_log_refused(sa, "%s", gone.reason);
		return refuse(sa, (struct bytes){ 0 });
	}
	note_peer(sa, m);
	code = mobike_greet(sa, m, &x->from, &x->to);
	if (code == GW_EAUTH) {
		sa_log_refused(sa, "there is a NAT on the way, which it does not allow");
		return refuse_by(sa, (struct bytes){ 0 }, N_UNEXPECTED_NAT_DETECTED,
				 "a NAT that the peer does not allow");
	}
	TRY(code);
	if (group_admit(sa, initial_contact) != GW_OK)
		return refuse_by(sa, (struct bytes){ 0 }, N_AUTHENTICATION_FAILED, "not for its group");
	if (unique_admit(sa, initial_contact) != GW_OK)
		return refuse_by(sa, (struct bytes){ 0 }, N_AUTHENTICATION_FAILED,
				 "the identity has an IKE SA already");
	if (!msg_has(m, PL_SA) && !sa->conn->childless) {
		sa_log_refused(sa, "it asks for no CHILD SA, which connection %s wants (childless: false)",
			       sa->conn->name);
		return refuse_by(sa, (struct bytes){ 0 }, N_INVALID_SYNTAX, "no CHILD SA asked for");
	}
	code = cp_lease(sa, m, &x->cp);
	if (code == GW_EADDRESS) {
		count_up(sa->ike, refused_address);
		sa_log(sa, LOG_LVL_WARN, "no CHILD SA: no address is left in the pools of connection %s",
		       sa->conn->name);
		x->child_error = N_INTERNAL_ADDRESS_FAILURE;
	} else if (!msg_has(m, PL_SA)) {
		x->childless = true;
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
	if (x->child_error || x->childless)
		x_auth_finish(sa, NULL, GW_OK);
	return GW_OK;
}

/* `m` is the peer's first message. */
static enum gw_err go_on(struct ike_sa *sa, enum auth_verdict verdict, const struct ike_msg *m)
{
	switch (verdict) {
	case AUTH_ACCEPTED:
		return accept_peer(sa, m);
	case AUTH_EAP_NEXT:
		return x_eap_begin(sa, m);
	case AUTH_WAITING:
		return auth_keep(sa, m);
	default:
		return refuse(sa, (struct bytes){ 0 });
	}
}

static enum gw_err begin_round(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return GW_ENOMEM;
	count_up(sa->ike, auth_requests);
	sa->peer_x = x;
	*x = (struct exchange){
		.kind = X_AUTH, .message_id = m->h.id, .from = dg->from, .to = dg->to, .natt = dg->natt
	};
	sa->half->expires = MTIME_NEVER; /* whoever is waited for answers, or the whole daemon is in trouble */
	return GW_OK;
}

/* All of what asks for a CHILD SA, or nothing of it (RFC 6023 3). */
static bool whole(const struct ike_msg *m)
{
	const uint32_t child = PL_BIT(PL_SA) | PL_BIT(PL_TSI) | PL_BIT(PL_TSR);

	return (m->present & child) == child || (m->present & child) == 0;
}

enum gw_err x_auth_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	/* Who may come in is the newest settings' to say, even if IKE_SA_INIT was under older ones. */
	if (sa->settings != sa->ike->settings) {
		settings_unref(sa->settings);
		sa->settings = settings_ref(sa->ike->settings);
	}
	TRY(begin_round(sa, m, dg));
	if (!whole(m)) {
		count_up(sa->ike, drop_malformed);
		count_up(sa->ike, auth_failed_method);
		sa_log_refused(sa, "IKE_AUTH lacks a payload that we need");
		return refuse_by(sa, (struct bytes){ 0 }, N_INVALID_SYNTAX, "half of a CHILD SA asked for");
	}
	return go_on(sa, auth_allowed(sa) ? auth_first(sa, m) : AUTH_REFUSED, m);
}

enum gw_err x_auth_round(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	struct ike_msg *first = &sa->ike->msg; /* in it is `m`, too: read before the first message is recalled */
	enum auth_verdict verdict;

	TRY(begin_round(sa, m, dg));
	if (msg_has(m, PL_EAP) && sa->half->eap) {
		uint8_t failure[EAP_PACKET_MAX];
		struct writer w = wr_of(failure, sizeof(failure));

		TRY(x_eap_round(sa, m, &w));
		return sa->peer_x ? refuse(sa, wr_done(&w)) : GW_OK;
	}
	verdict = auth_after_eap(sa, first);
	return go_on(sa, verdict, first);
}

void x_auth_resume(struct ike_sa *sa, enum auth_verdict verdict)
{
	struct ike_msg *first = &sa->ike->msg;

	if (!sa->peer_x || !sa->half)
		return;
	if (auth_recall(sa, first) != GW_OK || go_on(sa, verdict, first) != GW_OK)
		sa_close(sa, "internal trouble", false);
}
