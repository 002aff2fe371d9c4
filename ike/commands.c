/* What operators ask for: terminate, rekey, probe, shut down. */
#include <stdio.h>

#include "ike/engine.h"
#include "ike/id.h"

static bool selected(const struct ike_sa *sa, const struct ike_select *which)
{
	char text[ID_TEXT];

	if (which->id && sa->id != which->id)
		return false;
	if (which->conn && (!sa->conn || strcmp(sa->conn->name, which->conn) != 0))
		return false;
	if (which->peer && (!sa->peer || strcmp(id_text(sa->peer_id_kind, sa->peer_id, text), which->peer) != 0))
		return false;
	return sa->state == IKE_UP;
}

typedef void act(struct ike_sa *sa, struct child_sa *c, const char *reason);

static void wish_delete(struct ike_sa *sa, struct child_sa *c, const char *reason)
{
	if (c) {
		c->want_delete = true;
	} else {
		sa->want_delete = true;
		sa_set_reason(sa, reason);
	}
}

static void wish_rekey(struct ike_sa *sa, struct child_sa *c, const char *reason)
{
	(void)reason;
	if (c)
		c->want_rekey = true;
	else
		sa->want_rekey = true;
}

static void wish_probe(struct ike_sa *sa, struct child_sa *c, const char *reason)
{
	(void)c;
	(void)reason;
	sa->want_dpd = true;
}

void sa_go_on(struct ike_sa *sa)
{
	sa->not_before = (mtime){ 0 };
	sa_pump(sa);
	sa_reschedule(sa);
}

void sa_terminate(struct ike_sa *sa, const char *reason)
{
	wish_delete(sa, NULL, reason);
	sa_go_on(sa);
}

static size_t each_selected(struct ike *ike, const struct ike_select *which, bool children, act *wish,
			    const char *reason)
{
	size_t count = 0, n = ike->list_len;

	/* A wish may close an SA (a hole in the list) but never moves others within this loop: compaction is on
	 * removal, so the list is walked from its end. */
	for (size_t i = n; i-- > 0;) {
		struct ike_sa *sa = i < ike->list_len ? ike->list[i] : NULL;
		size_t here = 0;

		if (!sa || !selected(sa, which))
			continue;
		if (children || which->child_id) {
			for (struct child_sa *c = sa->children; c; c = c->next) {
				if ((which->child_id && c->id != which->child_id) || c->state != CHILD_UP)
					continue;
				wish(sa, c, reason);
				here++;
			}
		} else {
			wish(sa, NULL, reason);
			here = 1;
		}
		if (here == 0)
			continue;
		count += here;
		sa_go_on(sa);
	}
	return count;
}

size_t ike_terminate(struct ike *ike, const struct ike_select *which, const char *reason)
{
	return each_selected(ike, which, false, wish_delete, reason);
}

size_t ike_rekey(struct ike *ike, const struct ike_select *which, bool children)
{
	return each_selected(ike, which, children, wish_rekey, NULL);
}

size_t ike_probe(struct ike *ike, const struct ike_select *which)
{
	return each_selected(ike, which, false, wish_probe, NULL);
}

void ike_log_conn(struct ike *ike, const char *conn, enum log_level level, mtime until)
{
	memset(&ike->loud, 0, sizeof(ike->loud));
	if (conn)
		(void)snprintf(ike->loud.conn, sizeof(ike->loud.conn), "%s", conn);
	ike->loud.level = level;
	ike->loud.until = until;
}

void ike_account(const struct child_sa *child, const struct ike_traffic *t)
{
	struct ike_sa *sa = child->sa;
	struct ike_session *s = &sa->session;

	s->packets_in += t->packets_in;
	s->packets_out += t->packets_out;
	s->bytes_in += t->bytes_in;
	s->bytes_out += t->bytes_out;
	if (sa->state != IKE_DEAD && sa->state != IKE_LINGERING)
		sa_touch(sa);
}

void ike_shutdown(struct ike *ike, bool send_deletes)
{
	struct ike_select all = { 0 };

	ike->closing = true;
	while (ike->by_init)
		sa_close(ike->by_init->sa, "shutting down", false);
	if (send_deletes)
		(void)ike_terminate(ike, &all, "shutting down");
}
