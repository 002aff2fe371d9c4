/*
 * Groups of users (`groups:`): who is in which, what its members are given in place of what their connection says, and
 * how many of them are there. A user's own entry says the group, else the first group that has the identity as a
 * member.
 */
#ifndef IKE_GROUP_H
#define IKE_GROUP_H

#include "core/table.h"
#include "ike/sa.h"

/* IKE SAs of the members of a group; counted by name, so that it goes on over reloads. */
struct group_tally {
	uint32_t count;
	UT_hash_handle hh;
	char name[];
};

/* The entry in `users` for the authenticated identity; NULL: none. */
const struct user_cfg *sa_user(const struct ike_sa *sa, const struct settings *s);
/* The group of the authenticated identity; NULL: none. */
const struct group_cfg *group_of(const struct ike_sa *sa);

/* Ties the SA to a group (NULL: none) of its settings and counts it there. */
MUST_USE enum gw_err group_join(struct ike *ike, struct ike_sa *sa, const struct group_cfg *group);
/* Is not counted any more: over, or replaced. Who it was stays to be read. */
void group_leave(struct ike *ike, struct ike_sa *sa);
/* The session goes on in `to`, which is of the same group. */
void group_move(struct ike_sa *to, struct ike_sa *from);
/*
 * A newcomer: finds its group and joins. GW_EAUTH: the connection is not for it; GW_ELIMIT: the group has all the
 * sessions that it may have, those left out that end by its coming (unique.h). Said in the log.
 */
MUST_USE enum gw_err group_admit(struct ike_sa *sa, bool initial_contact);

/* Pools of the SA, in order: those of its group, else of its connection. */
const struct pool_cfg *const *sa_pools(const struct ike_sa *sa, size_t *n);

#endif
