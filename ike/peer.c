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

static struct peer *peer_of(struct link *l)
{
	return (struct peer *)(void *)((char *)l - offsetof(struct peer, link));
}

static struct peer *find(const struct ike *ike, const struct peer *like, unsigned hash)
{
	for (struct link *l = chain_first(&ike->peers, hash); l; l = chain_next(l)) {
		struct peer *p = peer_of(l);

		if (p->key_len == like->key_len && memcmp(p->key, like->key, p->key_len) == 0)
			return p;
	}
	return NULL;
}

enum gw_err peer_join(struct ike *ike, struct ike_sa *sa, const char *conn, uint8_t kind, struct bytes id)
{
	size_t name = strlen(conn), len = 1 + id.n + 1 + name;
	struct peer *p = len + id.n <= UINT16_MAX ? malloc(sizeof(*p) + len + id.n) : NULL, *found;
	unsigned hash;

	if (!p)
		return GW_ENOMEM;
	p->sas = NULL;
	p->key[0] = kind;
	len = 1 + id_key(sa, kind, id, p->key + 1);
	p->key[len++] = 0;
	memcpy(p->key + len, conn, name);
	len += name;
	p->key_len = (uint16_t)len;
	p->id_len = (uint16_t)id.n;
	if (id.n > 0)
		memcpy(p->key + len, id.p, id.n);
	hash = table_hash(&ike->seed, p->key, len);
	found = find(ike, p, hash);
	if (found) {
		free(p);
		p = found;
	} else if (!chain_add(&ike->peers, &p->link, hash)) {
		free(p);
		return GW_ENOMEM;
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
		chain_remove(&ike->peers, &p->link);
		free(p);
	}
}
