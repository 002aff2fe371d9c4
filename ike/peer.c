#include "ike/peer.h"

#include <stdlib.h>

#include "ike/engine.h"
#include "ike/group.h"

enum gw_err peer_join(struct ike *ike, struct ike_sa *sa, const char *conn, uint8_t kind, struct bytes id)
{
	size_t name = strlen(conn), len = 1 + id.n + 1 + name;
	struct peer *p = malloc(sizeof(*p) + len), *found;
	unsigned hash;

	if (!p)
		return GW_ENOMEM;
	p->sas = NULL;
	p->key_len = len;
	p->key[0] = kind;
	if (id.n > 0)
		memcpy(p->key + 1, id.p, id.n);
	p->key[1 + id.n] = 0;
	memcpy(p->key + 2 + id.n, conn, name);
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
	sa->peer_id = bytes_of(p->key + 1, id.n);
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
