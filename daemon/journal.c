#include "daemon/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/gateway.h"
#include "daemon/show.h"
#include "ike/group.h"
#include "ike/id.h"

struct journal {
	struct gateway *gateway; /* back-pointer */
	struct {
		struct dp_sa_id id;
		struct dp_counters count;
	} removed[2]; /* by direction: of the CHILD SA that goes next */
	bool file_failed;
	char *ring[JOURNAL_EVENTS]; /* owned lines without a newline */
	uint64_t next;		    /* number of the next event; the newest stands at (next - 1) % JOURNAL_EVENTS */
};

/* ---- events ---- */

static bool watched(const struct journal *j)
{
	return control_running(j->gateway->control, journal_monitor) > 0;
}

static void put(struct journal *j, json_t *event)
{
	char **at = &j->ring[j->next % JOURNAL_EVENTS];
	char *line = event ? json_dumps(event, JSON_COMPACT) : NULL;

	json_decref(event);
	if (!line)
		return;
	free(*at);
	*at = line;
	j->next++;
	control_wake(j->gateway->control);
}

void journal_event(struct journal *j, const char *kind, json_t *members)
{
	const struct env *env = &j->gateway->env;
	json_t *event;

	if (!watched(j)) {
		json_decref(members);
		return;
	}
	event = json_pack("{s:s, s:o}", "event", kind, "time", show_time(env->clock->wall(env->clock)));
	if (event && members)
		(void)json_object_update(event, members);
	json_decref(members);
	put(j, event);
}

static json_t *sa_members(const struct ike_sa *sa)
{
	char identity[ID_TEXT], remote[ENDPOINT_TEXT];
	const char *who = show_identity(sa, identity);

	return json_pack("{s:I, s:o, s:o, s:s, s:o}", "id", (json_int_t)sa->id, "conn",
			 sa->conn ? show_text(sa->conn->name) : json_null(), "user", who ? show_text(who) : json_null(),
			 "remote", endpoint_text(&sa->remote, remote), "inner", show_inner(sa));
}

static void add(json_t *members, const char *key, json_t *value)
{
	if (members)
		(void)json_object_set_new(members, key, value);
	else
		json_decref(value);
}

enum gw_err journal_monitor(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	struct journal *j = g->journal;
	uint64_t *at = &call->cursor[0], oldest = j->next > JOURNAL_EVENTS ? j->next - JOURNAL_EVENTS : 0;

	/* What comes from now on. cursor[1] says that we have begun: 0 is a number, too. */
	if (call->cursor[1] == 0) {
		call->cursor[1] = 1;
		*at = j->next;
	}
	if (*at < oldest) {
		control_item(call, json_pack("{s:s, s:I}", "event", "lost", "count", (json_int_t)(oldest - *at)));
		*at = oldest;
	}
	for (; *at < j->next && control_room(call); (*at)++) {
		json_t *event = json_loads(j->ring[*at % JOURNAL_EVENTS], 0, NULL);
		const char *conn = json_string_value(json_object_get(event, "conn"));

		if (call->request->conn[0] && (!conn || strcmp(conn, call->request->conn) != 0))
			json_decref(event);
		else
			control_item(call, event);
	}
	call->idle = *at == j->next;
	return GW_PENDING;
}

/* ---- session records ---- */

void journal_removing(struct journal *j, const struct dp_op *ops, size_t n)
{
	const struct dataplane *dp = j->gateway->dp;
	struct dp_sa_state state;

	for (size_t i = 0; i < n; i++) {
		const struct dp_sa_id *id = &ops[i].id;

		if (ops[i].kind != DP_SA_REMOVE)
			continue;
		if (dp->ops->query(j->gateway->dp, id, &state) != GW_OK)
			continue;
		j->removed[id->dir == DP_OUT].id = *id;
		j->removed[id->dir == DP_OUT].count = state.count;
	}
}

/* Its operations came just before it. */
static void account(struct journal *j, const struct child_sa *c)
{
	struct ike_traffic t = { 0 };

	if (j->removed[0].id.spi == c->spi_in) {
		t.packets_in = j->removed[0].count.packets;
		t.bytes_in = j->removed[0].count.bytes;
	}
	if (j->removed[1].id.spi == c->spi_out) {
		t.packets_out = j->removed[1].count.packets;
		t.bytes_out = j->removed[1].count.bytes;
	}
	memset(j->removed, 0, sizeof(j->removed));
	if (t.packets_in > 0 || t.packets_out > 0)
		ike_account(c, &t);
}

static json_t *record(const struct journal *j, const struct ike_sa *sa, const char *reason)
{
	const struct gateway *g = j->gateway;
	const struct ike_session *s = &sa->session;
	int64_t now = g->env.clock->wall(g->env.clock);
	int64_t seconds = mtime_since(s->began, clock_now(g->env.clock)) / 1000000;
	json_t *r = sa_members(sa);
	char local[ENDPOINT_TEXT], auth[64];

	add(r, "node", show_text(g->settings->node));
	add(r, "local", json_string(endpoint_text(&sa->local, local)));
	add(r, "auth", json_string(conn_auth_text(sa->peer_auth, auth, sizeof(auth))));
	add(r, "group", sa->group ? show_text(sa->group->name) : json_null());
	add(r, "start", show_time(now - seconds));
	add(r, "end", show_time(now));
	add(r, "duration", json_integer(seconds));
	add(r, "bytes_in", json_integer((json_int_t)s->bytes_in));
	add(r, "bytes_out", json_integer((json_int_t)s->bytes_out));
	add(r, "packets_in", json_integer((json_int_t)s->packets_in));
	add(r, "packets_out", json_integer((json_int_t)s->packets_out));
	add(r, "failovers", json_integer(s->failovers));
	add(r, "reason", show_text(reason ? reason : "?"));
	return r;
}

/* One write(2) of a whole line: records of several processes do not mix. */
static bool append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	size_t n = strlen(line);
	bool ok = fd >= 0 && write(fd, line, n) == (ssize_t)n;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return ok;
}

static void write_record(struct journal *j, json_t *r)
{
	const char *path = j->gateway->settings->session_file;
	struct log *log = &j->gateway->log;
	char *line = json_dumps(r, JSON_COMPACT), *end = line ? realloc(line, strlen(line) + 2) : NULL;

	if (!end) {
		free(line);
		return;
	}
	line = end;
	if (!path) {
		log_info(log, "session %s", line);
	} else {
		strcat(line, "\n");
		if (append(path, line)) {
			j->file_failed = false;
		} else if (!j->file_failed) {
			j->file_failed = true; /* said once, not at each record */
			log_error(log, "session records: %s: %s", path, strerror(errno));
		}
	}
	free(line);
}

static void session_over(struct journal *j, const struct ike_event *ev)
{
	json_t *r = record(j, ev->sa, ev->reason);

	if (!r)
		return;
	write_record(j, r);
	journal_event(j, "down", r);
}

/* ---- what the engine reports ---- */

static void tell(struct journal *j, const char *kind, const struct ike_event *ev)
{
	char from[ENDPOINT_TEXT];
	json_t *m;

	if (!watched(j))
		return;
	m = ev->sa ? sa_members(ev->sa) : json_object();
	if (ev->child)
		add(m, "child",
		    json_pack("{s:I, s:o}", "id", (json_int_t)ev->child->id, "name", show_text(ev->child->cfg->name)));
	if (ev->old_id)
		add(m, "old_id", json_integer(ev->old_id));
	if (ev->from.addr.family)
		add(m, "from", json_string(endpoint_text(&ev->from, from)));
	if (ev->reason)
		add(m, "reason", show_text(ev->reason));
	journal_event(j, kind, m);
}

void journal_heed(struct journal *j, const struct ike_event *ev)
{
	switch (ev->kind) {
	case IKE_EV_SA_UP:
		tell(j, "up", ev);
		break;
	case IKE_EV_SA_DOWN:
		session_over(j, ev);
		break;
	case IKE_EV_SA_REKEYED:
		tell(j, "rekey", ev);
		break;
	case IKE_EV_SA_MOVED:
		tell(j, "move", ev);
		break;
	case IKE_EV_CHILD_UP:
		tell(j, "child-up", ev);
		break;
	case IKE_EV_CHILD_REKEYED:
		tell(j, "child-rekey", ev);
		break;
	case IKE_EV_CHILD_DOWN:
		account(j, ev->child);
		tell(j, "child-down", ev);
		break;
	case IKE_EV_REFUSED:
		tell(j, "refused", ev);
		break;
	default:
		break;
	}
}

struct journal *journal_create(struct gateway *g)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j)
		j->gateway = g;
	return j;
}

void journal_destroy(struct journal *j)
{
	for (size_t i = 0; j && i < JOURNAL_EVENTS; i++)
		free(j->ring[i]);
	free(j);
}
