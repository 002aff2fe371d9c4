#include "ike/group.h"

#include <stdlib.h>

#include "config/users.h"
#include "ike/engine.h"
#include "ike/id.h"
#include "ike/unique.h"

const struct user_cfg *sa_user(const struct ike_sa *sa, const struct settings *s)
{
	bool names = sa->peer_id_kind == ID_FQDN || sa->peer_id_kind == ID_RFC822;
	char text[ID_TEXT];

	if (!sa->peer || s->user_count == 0)
		return NULL;
	if (names || sa->peer_id_kind == ID_KEY_ID)
		return settings_user(s, sa->peer_id, names);
	return settings_user(s, bytes_str(id_text(sa->peer_id_kind, sa->peer_id, text)), false);
}

const struct group_cfg *group_of(const struct ike_sa *sa)
{
	const struct settings *s = sa->settings;
	const struct user_cfg *u = sa_user(sa, s);

	if (u && u->group)
		return u->group;
	for (size_t i = 0; i < s->group_count; i++) {
		const struct group_cfg *g = &s->groups[i];

		if (g->member_count > 0 && id_matches_any(g->members, g->member_count, sa->peer_id_kind, sa->peer_id))
			return g;
	}
	return NULL;
}

enum gw_err group_join(struct ike *ike, struct ike_sa *sa, const struct group_cfg *group)
{
	struct group_tally *t;

	group_leave(ike, sa);
	sa->group = group;
	if (!group)
		return GW_OK;
	HASH_FIND_STR(ike->group_tallies, group->name, t);
	if (!t) {
		size_t n = strlen(group->name);

		t = calloc(1, sizeof(*t) + n + 1);
		if (!t)
			return GW_ENOMEM;
		memcpy(t->name, group->name, n);
		HASH_ADD_KEYPTR(hh, ike->group_tallies, t->name, n, t);
		if (!t->hh.tbl) {
			free(t);
			return GW_ENOMEM;
		}
	}
	t->count++;
	sa->tally = t;
	return GW_OK;
}

void group_leave(struct ike *ike, struct ike_sa *sa)
{
	struct group_tally *t = sa->tally;

	sa->tally = NULL;
	if (!t || --t->count > 0)
		return;
	HASH_DEL(ike->group_tallies, t);
	free(t);
}

void group_move(struct ike_sa *to, struct ike_sa *from)
{
	if (to->tally) {
		group_leave(from->ike, from);
		return;
	}
	to->tally = from->tally;
	from->tally = NULL;
}

static bool allowed(const struct conn_cfg *conn, const struct group_cfg *group)
{
	for (size_t i = 0; i < conn->group_count; i++)
		if (conn->groups[i] == group)
			return true;
	return conn->group_count == 0;
}

enum gw_err group_admit(struct ike_sa *sa, bool initial_contact)
{
	const struct group_cfg *g = group_of(sa);

	if (!allowed(sa->conn, g)) {
		count_up(sa->ike, auth_failed_group);
		sa_log_refused(sa, "connection %s is not for %s%s (groups)", sa->conn->name,
			       g ? "group " : "who is in no group", g ? g->name : "");
		return GW_EAUTH;
	}
	TRY(group_join(sa->ike, sa, g));
	if (g && g->sessions > 0 && sa->tally->count - unique_leaves(sa, initial_contact) > g->sessions) {
		count_up(sa->ike, refused_sessions);
		sa_log_refused(sa, "group %s has its %u sessions", g->name, g->sessions);
		return GW_ELIMIT;
	}
	return GW_OK;
}

const struct pool_cfg *const *sa_pools(const struct ike_sa *sa, size_t *n)
{
	if (sa->group && sa->group->pool_count > 0) {
		*n = sa->group->pool_count;
		return sa->group->pools;
	}
	*n = sa->conn->pool_count;
	return sa->conn->pools;
}
