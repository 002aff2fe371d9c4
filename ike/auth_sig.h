/*
 * AUTH by signature: the peer's certificates judged, ours chosen (RFC 7296 2.15, 3.6 to 3.8; RFC 4945; RFC 7427 method
 * 14; RFC 4754 methods 9 to 11; RFC 8420). We send certificates without being asked: many clients ask for none and need
 * them.
 */
#ifndef IKE_AUTH_SIG_H
#define IKE_AUTH_SIG_H

#include "ike/auth.h"

/* From the peer's IKE_SA_INIT: which hashes it can do. */
void auth_sig_note_init(struct ike_sa *sa, const struct ike_msg *m);
/* Into our answer: CERTREQ of the authorities that may count for this address pair (RFC 7296 3.7). */
void auth_sig_write_init(const struct ike_sa *sa, struct msg_writer *m);

/*
 * Which certificate proves us under sa->conn, by what the peer asks for and can check, in sa->half->our_cert.
 * False: it can check none of them; `why` says more.
 */
bool auth_sig_pick(struct ike_sa *sa, const struct ike_msg *m, struct err *why);

/* The first message with a signature in AUTH. Sets sa->conn and sa->cert_path unless refused. */
enum auth_verdict auth_sig_first(struct ike_sa *sa, const struct ike_msg *m, const struct id_payload *idr);

/*
 * EAP-TLS: the peer's certificates in DER, its own first, and what it called itself. *user becomes that if the certificate
 * has it, else the certificate's own best name (RFC 5216 5.2); sa->cert_path is set.
 */
MUST_USE enum gw_err auth_sig_tls(struct ike_sa *sa, const struct ike_msg *first, const struct bytes *certs, size_t count,
				  struct bytes identity, struct secret *user, struct err *why);
/* Whether a connection trusts the authority that sa->cert_path ends at. */
bool auth_sig_trusts(const struct ike_sa *sa, const struct conn_cfg *c);

/* CERT payloads and AUTH over the IDr whose body is in sa->half->our_id. */
MUST_USE enum gw_err auth_sig_write(struct ike_sa *sa, struct msg_writer *m);

/*
 * Whether a certificate is that of an identity: a subjectAltName of its kind or the subject; a key ID is compared with
 * names and mail addresses. `how`: see enum id_match.
 */
bool auth_sig_names(const struct cert *c, uint8_t kind, struct bytes data, enum id_match how);

#endif
