/* After a reload: what of the standing SAs the new settings do not provide for. */
#include <stdio.h>

#include "ike/cert_path.h"
#include "ike/engine.h"
#include "ike/group.h"

static bool lease_fits(const struct sa_lease *l, const struct settings *s)
{
	const struct pool_cfg *pool = settings_pool(s, l->pool);

	return pool && range_contains(&pool->addresses, &l->addr);
}

static bool has_authority(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->authority_count; i++) {
		if (strcmp(s->authorities[i].name, name) == 0)
			return true;
	}
	return false;
}

bool sa_unwelcome(const struct ike_sa *sa, const struct settings *s, struct ike_finding *out)
{
	const struct user_cfg *user;
	const struct conn_cfg *now;
	char addr[ADDR_TEXT];

	*out = (struct ike_finding){ .sa = sa, .name = sa->conn->name };
	if (!settings_conn(s, sa->conn->name)) {
		out->what = IKE_GONE_CONN;
		(void)snprintf(out->reason, sizeof(out->reason), "connection %s is not configured any more",
			       sa->conn->name);
		return true;
	}
	now = settings_conn(s, sa->conn->name);
	if (!conn_kernel_equal(now, sa->conn)) {
		out->what = IKE_GONE_CONN;
		(void)snprintf(out->reason, sizeof(out->reason),
			       "connection %s has another interface, mark or offload now", sa->conn->name);
		return true;
	}
	user = sa_user(sa, sa->settings);
	if (user && !sa_user(sa, s)) {
		out->what = IKE_GONE_USER;
		out->name = user->name;
		(void)snprintf(out->reason, sizeof(out->reason), "user %.100s is not configured any more", user->name);
		return true;
	}
	if (sa->group && !settings_group(s, sa->group->name)) {
		out->what = IKE_GONE_GROUP;
		out->name = sa->group->name;
		(void)snprintf(out->reason, sizeof(out->reason), "group %s is not configured any more",
			       sa->group->name);
		return true;
	}
	if (sa->cert_path.n > 0 && !has_authority(s, cert_path_authority(secret_bytes(&sa->cert_path)))) {
		out->what = IKE_GONE_AUTHORITY;
		out->name = cert_path_authority(secret_bytes(&sa->cert_path));
		(void)snprintf(out->reason, sizeof(out->reason), "authority %.64s is not configured any more",
			       out->name);
		return true;
	}
	for (size_t i = 0; i < SA_LEASES; i++) {
		if (!sa->leases[i].pool || lease_fits(&sa->leases[i], s))
			continue;
		out->what = IKE_GONE_POOL;
		out->name = sa->leases[i].pool;
		(void)snprintf(out->reason, sizeof(out->reason), "%s is not in pool %s any more",
			       addr_text(&sa->leases[i].addr, addr), sa->leases[i].pool);
		return true;
	}
	return false;
}

static bool child_unwelcome(const struct child_sa *c, const struct settings *s, struct ike_finding *out)
{
	const struct conn_cfg *conn = settings_conn(s, c->sa->conn->name);

	if (c->state != CHILD_UP || !c->cfg || !conn || conn_child(conn, c->cfg->name))
		return false;
	*out = (struct ike_finding){ .what = IKE_GONE_CHILD, .sa = c->sa, .child = c, .name = conn->name };
	(void)snprintf(out->reason, sizeof(out->reason), "child %s of connection %s is not configured any more",
		       c->cfg->name, conn->name);
	return true;
}

struct review {
	const struct settings *settings;
	bool end;
	ike_review_each *each;
	void *arg;
};

static void look_at(const struct review *r, struct ike_sa *sa)
{
	struct ike_finding f;

	if (sa_unwelcome(sa, r->settings, &f)) {
		if (r->each)
			r->each(r->arg, &f);
		if (r->end)
			sa_terminate(sa, f.reason);
		return;
	}
	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (!child_unwelcome(c, r->settings, &f))
			continue;
		if (r->each)
			r->each(r->arg, &f);
		if (r->end)
			c->want_delete = true;
	}
	if (r->end && f.what == IKE_GONE_CHILD)
		sa_go_on(sa);
}

bool ike_review(struct ike *ike, const struct settings *settings, bool end, uint32_t *after, size_t max,
		ike_review_each *each, void *arg)
{
	/* A standby does not speak; when it becomes active it looks again. */
	const struct review r = { settings, end && !ike->passive, each, arg };

	for (size_t n = 0; n < max; n++) {
		/* The list is the engine's own: what is seen as const from outside is not. */
		struct ike_sa *sa = (struct ike_sa *)(uintptr_t)ike_next(ike, after);

		if (!sa)
			return false;
		if (sa->state == IKE_UP && sa->conn && sa->settings != settings)
			look_at(&r, sa);
	}
	return true;
}
