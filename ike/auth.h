/*
 * Who may authenticate how: the choice of the connection, and the proofs of both sides (RFC 7296 2.15, 2.16).
 * A connection is chosen by local address, IDr, IDi and how the peer authenticates (AUTH by key, AUTH by signature, or
 * no AUTH: EAP); refined later by the authority of a certificate and by the EAP identity. Every refusal is counted and
 * logged here, with the true reason; the peer hears AUTHENTICATION_FAILED whatever it was.
 */
#ifndef IKE_AUTH_H
#define IKE_AUTH_H

#include "ike/engine.h"

enum auth_verdict {
	AUTH_REFUSED,
	AUTH_ACCEPTED,
	AUTH_EAP_NEXT, /* our side proves itself now (unless it is EAP-only), then come rounds of EAP */
	AUTH_WAITING,  /* for something from outside; x_auth_resume() goes on */
};

/* Whoever was refused again and again is refused without a look (guard.h), which this logs and counts. */
bool auth_allowed(struct ike_sa *sa);

/* How the peer's first message wants to authenticate (enum conn_auth, or-ed); 0: a way that we do not have. */
uint32_t auth_methods(const struct ike_msg *m);

/* The first IKE_AUTH message. Sets sa->conn unless refused. */
enum auth_verdict auth_first(struct ike_sa *sa, const struct ike_msg *m);
/*
 * The last message after EAP: AUTH by the MSK that is in sa->half (2.16). Afterwards *m is the first message, recalled,
 * unless refused.
 */
enum auth_verdict auth_after_eap(struct ike_sa *sa, struct ike_msg *m);

/* Counts and logs a refusal, also against its source; `fmt` says why in the operator's words, offered against configured. */
enum auth_verdict auth_refuse(struct ike_sa *sa, enum ike_counter counter, const struct id_payload *who,
			      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * The best connection for an identity pair among those that let the peer authenticate by one of `methods` (or-ed enum
 * conn_auth) and that `fits` likes (NULL: all; called for the best ones only, in the order of the file).
 */
const struct conn_cfg *auth_choose(const struct ike_sa *sa, const struct id_payload *idi, const struct id_payload *idr,
				   uint32_t methods, bool (*fits)(const struct conn_cfg *c, void *arg), void *arg);

/*
 * EAP: what connections with the face that the peer has seen of us (identity, proof) allow for these identities, or-ed;
 * and, once the user is known by `method`, the one among them that is for this user: the closest by remote.eap_ids.
 */
uint32_t auth_eap_methods(const struct ike_sa *sa, const struct ike_msg *m);
const struct conn_cfg *auth_eap_choose(const struct ike_sa *sa, const struct ike_msg *m, uint32_t method,
				       const struct id_payload *user);
/* One of those connections, by itself. */
bool auth_eap_candidate(const struct ike_sa *sa, const struct conn_cfg *c, const struct ike_msg *m, uint32_t methods);
/* A user's name as an identity: RFC822 with an @ in it, else FQDN. Borrows. */
struct id_payload auth_user_id(struct bytes name);

/* Writes IDr alone: EAP proves us, too (RFC 5998). */
MUST_USE enum gw_err auth_write_id(struct ike_sa *sa, struct msg_writer *m);
/* Writes IDr, certificates and AUTH of our side as sa->conn wants it. */
MUST_USE enum gw_err auth_write_ours(struct ike_sa *sa, struct msg_writer *m);
/* After EAP with a key: our AUTH by the MSK, alone (2.16). */
MUST_USE enum gw_err auth_write_msk(struct ike_sa *sa, struct msg_writer *m);

/*
 * What is kept of the first IKE_AUTH while rounds of EAP or an answer from outside are waited for: all but CERT,
 * CERTREQ and vendor IDs. auth_recall parses it again into *m, which then borrows from sa->half.
 */
MUST_USE enum gw_err auth_keep(struct ike_sa *sa, const struct ike_msg *m);
MUST_USE enum gw_err auth_recall(const struct ike_sa *sa, struct ike_msg *m);

/*
 * In x_eap.c. x_eap_begin answers the first message: our proof, and EAP's first question. x_eap_round answers one with
 * an EAP payload; sa->peer_x is still there afterwards when EAP failed, and `failure` has the packet that says so.
 */
MUST_USE enum gw_err x_eap_begin(struct ike_sa *sa, const struct ike_msg *m);
MUST_USE enum gw_err x_eap_round(struct ike_sa *sa, const struct ike_msg *m, struct writer *failure);

/* In x_auth.c: what auth_first() or a round of EAP waited for (AUTH_WAITING) is there. */
void x_auth_resume(struct ike_sa *sa, enum auth_verdict verdict);

#endif
