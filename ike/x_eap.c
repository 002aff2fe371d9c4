/*
 * Rounds of EAP within IKE_AUTH (RFC 7296 2.16). Our side proves itself first, unless the method does it and the peer
 * wants it so (RFC 5998). What is asked and answered is in eap.c; here it goes into messages, users meet connections,
 * and failures are counted.
 */
#include "ike/auth_sig.h"
#include "ike/eap.h"
#include "ike/id.h"

/* For the next message of the peer; all rounds together have four times the time of one. */
static void set_patience(struct ike_sa *sa)
{
	int64_t once = sa->settings->ike.half_open_timeout_us;

	sa->half->expires = mtime_min(mtime_add(ike_now(sa->ike), once), mtime_add(sa->created, 4 * once));
}

/* What the callbacks of one round need. */
struct round {
	struct ike_sa *sa;
	const struct ike_msg *first; /* the peer's first message */
};

/* ---- guessing ---- */

/* Users are counted without regard to the case of their names, whoever they are and whether they exist. */
static struct bytes guard_key(struct bytes user, uint8_t buf[EAP_NAME_MAX])
{
	size_t n = user.n < EAP_NAME_MAX ? user.n : EAP_NAME_MAX;

	for (size_t i = 0; i < n; i++)
		buf[i] = user.p[i] >= 'A' && user.p[i] <= 'Z' ? (uint8_t)(user.p[i] - 'A' + 'a') : user.p[i];
	return bytes_of(buf, n);
}

static bool may_try(void *arg, struct bytes user)
{
	struct ike *ike = ((struct round *)arg)->sa->ike;
	uint8_t key[EAP_NAME_MAX];

	if (guard_allows(ike->guard, &ike->seed, GUARD_USER, guard_key(user, key), ike->settings->ike.failures_per_user,
			 ike_now(ike)))
		return true;
	count_up(ike, auth_refused_user);
	return false;
}

static void note_wrong(void *arg, struct bytes user)
{
	struct ike *ike = ((struct round *)arg)->sa->ike;
	uint8_t key[EAP_NAME_MAX];

	guard_failed(&ike->guard, &ike->seed, GUARD_USER, guard_key(user, key), ike->settings->ike.failures_per_user,
		     ike_now(ike));
}

/* ---- rounds ---- */

static enum gw_err judge_certs(void *arg, const struct bytes *certs, size_t count, struct bytes identity,
			       struct secret *user, struct err *why)
{
	const struct round *r = arg;

	return auth_sig_tls(r->sa, r->first, certs, count, identity, user, why);
}

static bool may_begin_tls(void *arg)
{
	return tls_admit(((const struct round *)arg)->sa);
}

/* The TLS of the certificate that has proved us. On a node that took over it is not known which that was. */
static struct tls_server *tls_of(const struct ike_sa *sa)
{
	const struct conn_cfg *c = sa->conn;

	if (sa->half->our_cert)
		return sa->half->our_cert->tls;
	return c->certificate_count > 0 ? c->certificates[0]->tls : NULL;
}

static struct eap_server server_of(struct round *r)
{
	const struct ike_sa *sa = r->sa;
	const struct ike_msg *first = r->first;
	const struct ike *ike = sa->ike;
	const struct id_cfg *id = &sa->conn->local_id;
	uint8_t kind = first->idi.kind;
	bool text = kind == ID_FQDN || kind == ID_RFC822 || kind == ID_KEY_ID;

	return (struct eap_server){
		.crypto = ike->env->crypto,
		.rng = ike->env->rng,
		.settings = sa->settings,
		.methods = auth_eap_methods(sa, first),
		.name = id->kind == ID_FQDN || id->kind == ID_RFC822 ? id->data : bytes_str(sa->settings->node),
		.fallback = text && first->idi.data.n <= EAP_NAME_MAX ? first->idi.data : (struct bytes){ 0 },
		.cfg = &sa->conn->eap,
		.may_try = may_try,
		.wrong = note_wrong,
		.tls = tls_of(sa),
		.may_begin_tls = may_begin_tls,
		.judge = judge_certs,
		.arg = r,
	};
}

/* What is written so far, and our packet of EAP. The peer's request is done with. */
static enum gw_err answer(struct ike_sa *sa, struct msg_writer *m, struct bytes packet)
{
	struct exchange *x = sa->peer_x;
	struct datagram to = { .from = x->from, .to = x->to, .natt = x->natt };

	eap_write(m, packet);
	TRY(send_response(sa, IKE_AUTH, m, &to, IKE_EFFECT_STATE));
	exchange_destroy(x);
	sa->peer_x = NULL;
	set_patience(sa);
	return GW_OK;
}

enum gw_err x_eap_begin(struct ike_sa *sa, const struct ike_msg *m)
{
	struct round round = { sa, m };
	struct eap_server server = server_of(&round);
	struct half_open *h = sa->half;
	uint8_t buf[EAP_HEAD_LEN];
	struct writer packet = wr_of(buf, sizeof(buf));
	struct msg_writer out;

	TRY(auth_keep(sa, m));
	h->eap = eap_create();
	if (!h->eap)
		return GW_ENOMEM;
	h->eap_only =
		sa->conn->eap.only && msg_notify(m, N_EAP_ONLY_AUTHENTICATION) && eap_stands_alone(server.methods);
	TRY(eap_start(h->eap, &server, &packet));
	chain_start(sa->ike, &out);
	TRY(h->eap_only ? auth_write_id(sa, &out) : auth_write_ours(sa, &out));
	sa_set_state(sa, IKE_EAP, h->eap_only ? "EAP, which is to prove us, too" : "EAP");
	return answer(sa, &out, wr_done(&packet));
}

/* EAP has proved a user: is there a connection for him? */
static bool admit_user(struct ike_sa *sa, const struct ike_msg *first)
{
	struct half_open *h = sa->half;
	struct id_payload user = auth_user_id(eap_user(h->eap));
	const struct conn_cfg *c = auth_eap_choose(sa, first, eap_method_in_use(h->eap), &user);

	if (!c) {
		(void)auth_refuse(sa, CNT_auth_failed_identity, &user,
				  "no connection is for this user (remote.eap_ids) and its method of EAP");
		return false;
	}
	sa->conn = c;
	return secret_copy(&h->msk, eap_msk(h->eap)) == GW_OK;
}

static void note_failure(struct ike_sa *sa, const struct ike_msg *first)
{
	const struct eap *e = sa->half->eap;
	struct bytes told = eap_identity(e);
	struct id_payload who = told.n > 0 ? auth_user_id(told) : first->idi;

	(void)auth_refuse(sa, eap_guessed(e) ? CNT_auth_failed_password : CNT_auth_failed_eap, &who, "%s",
			  eap_reason(e));
}

enum gw_err x_eap_round(struct ike_sa *sa, const struct ike_msg *m, struct writer *failure)
{
	struct ike_msg *first = &sa->ike->msg; /* where `m` is, too: its EAP lives in the datagram */
	struct half_open *h = sa->half;
	struct bytes packet = m->eap;
	struct round round = { sa, first };
	struct eap_server server;
	enum eap_verdict verdict;
	struct msg_writer out;

	TRY(auth_recall(sa, first));
	server = server_of(&round);
	verdict = eap_receive(h->eap, &server, packet, failure);
	/* At once: many clients say nothing more when they are told that their password is wrong. */
	if (eap_take_failure(h->eap))
		note_failure(sa, first);
	if (verdict == EAP_FAILED)
		return GW_OK;
	if (verdict == EAP_SUCCEEDED && !admit_user(sa, first)) {
		wr_patch_u8(failure, 0, EAP_CODE_FAILURE);
		return GW_OK;
	}
	chain_start(sa->ike, &out);
	return answer(sa, &out, wr_done(failure));
}

enum gw_err x_eap_bye(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	const struct notify_payload *error = msg_error(m);
	struct msg_writer out;

	count_up(sa->ike, info_requests);
	sa_log(sa, LOG_LVL_INFO, "the peer gives up%s%s", error ? ": " : "", error ? notify_name(error->type) : "");
	chain_start(sa->ike, &out);
	TRY(send_response(sa, INFORMATIONAL, &out, dg, IKE_EFFECT_STATE));
	sa_close(sa, "the peer gave up", true);
	return GW_OK;
}
