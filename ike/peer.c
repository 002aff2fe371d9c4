#include "ike/peer.h"

#include <stdlib.h>

#include "config/users.h"
#include "core/crypto/dn.h"
#include "core/glob.h"
#include "ike/engine.h"
#include "ike/group.h"

/* As it is written in the configuration, if it is there; `out` has room for id.n octets. */
static size_t name_key(const struct settings *s, struct bytes id, uint8_t *out)
{
	const struct user_cfg *u = settings_user(s, id, true);

	for (size_t i = 0; i < id.n; i++)
		out[i] = u ? (uint8_t)u->name[i] : text_fold(id.p[i]);
	return id.n;
}

static size_t id_key(const struct ike_sa *sa, uint8_t kind, struct bytes id, uint8_t *out)
{
	if (kind == ID_FQDN || kind == ID_RFC822)
		return name_key(sa->settings, id, out);
	if (kind == ID_DN)
		return dn_key(id, out);
	for (size_t i = 0; i < id.n; i++) /* a certificate's names are compared without case */
		out[i] = kind == ID_KEY_ID && sa->peer_auth == CONN_AUTH_CERT ? text_fold(id.p[i]) : id.p[i];
	return id.n;
}

enum gw_err peer_join(struct ike *ike, struct ike_sa *sa, const char *conn, uint8_t kind, struct bytes id)
{
	size_t name = strlen(conn), len = 1 + id.n + 1 + name;
	struct peer *p = malloc(sizeof(*p) + len + id.n), *found;
	unsigned hash;

	if (!p)
		return GW_ENOMEM;
	p->sas = NULL;
	p->key[0] = kind;
	len = 1 + id_key(sa, kind, id, p->key + 1);
	p->key[len++] = 0;
	memcpy(p->key + len, conn, name);
	p->key_len = len += name;
	p->id_len = id.n;
	if (id.n > 0)
		memcpy(p->key + len, id.p, id.n);
	hash = table_hash(&ike->seed, p->key, len);
	HASH_FIND_BYHASHVALUE(hh, ike->peers, p->key, len, hash, found);
	if (found) {
		free(p);
		p = found;
	} else {
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, ike->peers, p->key, len, hash, p);
		if (!p->hh.tbl) {
			free(p);
			return GW_ENOMEM;
		}
	}
	sa->peer = p;
	sa->peer_id_kind = kind;
	sa->peer_id = bytes_of(p->key + p->key_len, p->id_len);
	sa->next_of_peer = p->sas;
	p->sas = sa;
	return GW_OK;
}

void peer_leave(struct ike *ike, struct ike_sa *sa)
{
	struct peer *p = sa->peer;
	struct ike_sa **at;

	if (!p)
		return;
	group_leave(ike, sa);
	for (at = &p->sas; *at; at = &(*at)->next_of_peer) {
		if (*at == sa) {
			*at = sa->next_of_peer;
			break;
		}
	}
	sa->peer = NULL;
	sa->next_of_peer = NULL;
	sa->peer_id = (struct bytes){ 0 };
	if (!p->sas) {
		HASH_DEL(ike->peers, p);
		free(p);
	}
}
