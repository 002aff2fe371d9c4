/*
 * Revocation of certificates. The engine knows where each authority's lists are (files, URLs), when they are to be
 * fetched, and what is in them; the fetching itself is asked of the caller (ike_take_fetch, ike_fetched of ike.h), and
 * nobody waits for it but IKE_AUTH of an authority that is `strict` and has no list yet.
 */
#ifndef IKE_REVOKE_H
#define IKE_REVOKE_H

#include "ike/auth.h"

struct revoke;

/* For `settings`; lists that are known of the same places stay. Everything is fetched anew. GW_ENOMEM: *r is as it was.
 */
MUST_USE enum gw_err revoke_configure(struct revoke **r, struct settings *settings, mtime now);
void revoke_destroy(struct revoke *r); /* NULL is fine */

enum revoke_answer { REVOKE_GOOD, REVOKE_BAD, REVOKE_UNKNOWN, REVOKE_WAIT };
/* Of a peer's certificates, see cert_path.h. BAD and UNKNOWN: `e` says which and why; WAIT: a list is being fetched. */
enum revoke_answer revoke_ask(const struct revoke *r, struct bytes cert_path, int64_t wall, struct err *e);

/* When revoke_tick() has something to do: a fetch is due, or live SAs are to be looked through. */
mtime revoke_due(const struct revoke *r);
void revoke_tick(struct ike *ike);

/* The verdict of a peer with certificates that is otherwise accepted: refused, accepted or to wait for a list. */
enum auth_verdict revoke_judge(struct ike_sa *sa, const struct id_payload *who);

#endif
