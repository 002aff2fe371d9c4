/* Two whole gateways in one process, on loopback, with the fake data plane: wiring, and what operators see of it. */
#include "daemon/gateway.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon_check.h"

struct node {
	char *dir;
	char config[64], socket[64];
	struct gateway *g;
};

static void config_write(const struct node *n, const char *more)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
		       "state_dir: %s/state\n"
		       "control: {socket: %s}\n"
		       "dataplane: fake\n"
		       "log: {level: error}\n"
		       "pools:\n  clients: {addresses: 10.9.0.0/24}\n"
		       "connections:\n  road:\n    local: {id: gw.example.org}\n    psk: {env: GW_TEST_PSK}\n"
		       "    pools: [clients]\n    children:\n      net: {local: 10.0.0.0/8}\n%s",
		       n->dir, n->socket, more);
	file_put(n->config, text);
}

static struct settings *config_read(const char *file)
{
	struct config_report report = { 0 };
	struct settings *s;
	char text[512];

	setenv("GATEWAY_ALLOW_FAKE", "1", 1);
	setenv("GW_TEST_PSK", "a secret that is long enough", 1);
	s = config_load_file(file, NULL, &report);
	ck_assert_msg(s != NULL, "%s", report.count > 0 ? config_problem_text(&report, 0, text, sizeof(text)) : "?");
	config_report_clear(&report);
	/* any port of loopback will do */
	s->listen = calloc(1, sizeof(*s->listen));
	s->listen_count = 1;
	ck_assert(addr_parse("127.0.0.1", &s->listen[0]));
	s->port = s->port_natt = 0;
	return s;
}

static void node_start(struct node *n)
{
	const struct gateway_options opt = { .config_file = n->config };
	struct err e = { 0 };

	n->g = gateway_create(config_read(n->config), &opt, &e);
	ck_assert_msg(n->g != NULL, "%s", e.text);
}

static void node_open(struct node *n)
{
	n->dir = scratch_make();
	(void)snprintf(n->config, sizeof(n->config), "%s/gateway.yaml", n->dir);
	(void)snprintf(n->socket, sizeof(n->socket), "%s/control.sock", n->dir);
	config_write(n, "");
	node_start(n);
}

static void node_close(struct node *n)
{
	gateway_destroy(n->g);
	scratch_remove(n->dir);
}

static struct endpoint node_at(const struct node *n, bool natt)
{
	for (size_t i = 0; i < n->g->socket_count; i++)
		if (n->g->sockets[i].natt == natt)
			return n->g->sockets[i].udp.local;
	ck_abort_msg("no socket");
	return (struct endpoint){ 0 };
}

/* The whole answer to one request. */
static const char *ask(struct node *n, const char *request)
{
	static char answer[64 * 1024];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t got = 0;

	strcpy(at.sun_path, n->socket);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	ck_assert_int_eq(send(fd, "\n", 1, 0), 1);
	for (int turns = 0; turns < 10000; turns++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		(void)poll(&p, 1, turns < 100 ? 0 : 1); /* a reload's thread needs its time */
		r = recv(fd, answer + got, sizeof(answer) - got - 1, 0);
		if (r > 0)
			got += (size_t)r;
		answer[got] = 0;
		if (strstr(answer, "\"end\":true"))
			break;
		loop_turn(n->g->loop, false);
	}
	close(fd);
	return answer;
}

static void ck_answer_has(struct node *n, const char *request, const char *part)
{
	const char *answer = ask(n, request);

	ck_assert_msg(strstr(answer, part) != NULL, "%s: no %s in %s", request, part, answer);
}

START_TEST(two_gateways_live_side_by_side)
{
	struct node a, b;

	node_open(&a);
	node_open(&b);
	ck_answer_has(&a, "{\"cmd\":\"version\"}", "\"dataplane\":\"fake\"");
	ck_answer_has(&b, "{\"cmd\":\"stats\"}", "\"half_open\":0");
	node_close(&a);
	ck_answer_has(&b, "{\"cmd\":\"list-pools\"}", "\"name\":\"clients\"");
	node_close(&b);
}
END_TEST

START_TEST(commands_of_the_table)
{
	struct node n;

	node_open(&n);
	ck_answer_has(&n, "{\"cmd\":\"list-sas\"}", "{\"end\":true}");
	ck_answer_has(&n, "{\"cmd\":\"show-sa\"}", "\"bad-request\"");
	ck_answer_has(&n, "{\"cmd\":\"show-sa\",\"id\":3}", "\"not-found\"");
	ck_answer_has(&n, "{\"cmd\":\"list-conns\"}",
		      "\"name\":\"road\",\"auth\":\"psk\",\"local_id\":\"gw.example.org\"");
	ck_answer_has(&n, "{\"cmd\":\"list-conns\",\"conn\":\"other\"}", "{\"end\":true}");
	ck_answer_has(&n, "{\"cmd\":\"list-pools\"}", "\"size\":254,\"used\":0");
	ck_answer_has(&n, "{\"cmd\":\"list-leases\"}", "{\"end\":true}");
	ck_answer_has(&n, "{\"cmd\":\"terminate\"}", "\"bad-request\"");
	ck_answer_has(&n, "{\"cmd\":\"terminate\",\"id\":9}", "\"not-found\"");
	ck_answer_has(&n, "{\"cmd\":\"terminate\",\"peer\":\"192.0.2.1\"}", "\"not-found\"");
	ck_answer_has(&n, "{\"cmd\":\"terminate\",\"all\":true}", "\"count\":0");
	ck_answer_has(&n, "{\"cmd\":\"rekey\",\"all\":true,\"child\":true}", "\"count\":0");
	ck_answer_has(&n, "{\"cmd\":\"probe\",\"conn\":\"road\"}", "\"not-found\"");
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"loud\"}", "\"bad-request\"");
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"warn\"}", "\"level\":\"warn\"");
	ck_assert_int_eq(n.g->log.level, LOG_LVL_WARN);
	/* For a while: then it is the configuration's again. */
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"warn\",\"for\":\"soon\"}", "\"bad-request\"");
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"warn\",\"for\":\"50ms\"}", "\"level\":\"warn\"");
	for (int i = 0; i < 500 && n.g->log.level != LOG_LVL_ERROR; i++) {
		(void)poll(NULL, 0, 1);
		loop_turn(n.g->loop, false);
	}
	ck_assert_int_eq(n.g->log.level, LOG_LVL_ERROR);
	/* Of one connection: the others' lines stay as they are. */
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"debug\",\"conn\":\"other\"}", "\"not-found\"");
	ck_answer_has(&n, "{\"cmd\":\"log-level\",\"level\":\"debug\",\"conn\":\"road\",\"for\":\"1m\"}",
		      "\"level\":\"error\"");
	node_close(&n);
}
END_TEST

/* An IKE header of a version to come: it is answered in kind (RFC 7296 2.5), so it shows the way in and out. */
static void version_story(struct node *n, bool natt)
{
	static const uint8_t marker[4];
	uint8_t message[28] = { 1, 2, 3, 4, 5, 6, 7, 8 }, answer[512];
	struct endpoint at = { .addr = { .family = 4, .b = { 127, 0, 0, 1 } } }, to = node_at(n, natt);
	struct udp_socket client;
	struct pollfd p;
	ssize_t got;

	message[17] = 0x30;
	message[18] = 34;
	message[19] = 0x08;
	message[27] = 28;
	ck_assert_int_eq(udp_open(&at, &client, NULL), GW_OK);
	ck_assert_int_eq(udp_send(&client, &at.addr, &to, bytes_of(marker, natt ? 4 : 0), bytes_of(message, 28)),
			 GW_OK);
	p = (struct pollfd){ .fd = client.fd, .events = POLLIN };
	for (int i = 0; i < 100 && poll(&p, 1, 10) == 0; i++)
		loop_turn(n->g->loop, false);
	got = recv(client.fd, answer, sizeof(answer), MSG_DONTWAIT);
	ck_assert_int_ge(got, natt ? 32 : 28);
	if (natt)
		ck_assert_mem_eq(answer, marker, 4);
	ck_assert_mem_eq(answer + (natt ? 4 : 0), message, 8);
	udp_close(&client);
}

START_TEST(datagrams_go_in_and_out_on_both_ports)
{
	struct node n;

	node_open(&n);
	version_story(&n, false);
	ck_answer_has(&n, "{\"cmd\":\"stats\"}", "\"drop_version\":1");
	version_story(&n, true);
	ck_answer_has(&n, "{\"cmd\":\"stats\"}", "\"drop_version\":2");
	node_close(&n);
}
END_TEST

START_TEST(rubbish_on_the_natt_port_is_counted)
{
	struct node n;
	struct endpoint at = { .addr = { .family = 4, .b = { 127, 0, 0, 1 } } }, to;
	struct udp_socket client;

	node_open(&n);
	to = node_at(&n, true);
	ck_assert_int_eq(udp_open(&at, &client, NULL), GW_OK);
	ck_assert_int_eq(udp_send(&client, &at.addr, &to, bytes_str("\xff"), (struct bytes){ 0 }), GW_OK);
	ck_assert_int_eq(udp_send(&client, &at.addr, &to, bytes_str("no"), (struct bytes){ 0 }), GW_OK);
	ck_assert_int_eq(udp_send(&client, &at.addr, &to, bytes_of("\0\0\0\0", 4), (struct bytes){ 0 }), GW_OK);
	for (int i = 0; i < 20; i++)
		loop_turn(n.g->loop, false);
	ck_answer_has(&n, "{\"cmd\":\"stats\"}", "\"keepalives_in\":1,\"junk_in\":1");
	ck_answer_has(&n, "{\"cmd\":\"stats\"}", "\"drop_malformed_header\":1");
	udp_close(&client);
	node_close(&n);
}
END_TEST

#define SECOND_CONN "  second:\n    psk: {env: GW_TEST_PSK}\n    children:\n      net: {local: 10.0.0.0/8}\n"

START_TEST(reload_takes_what_is_right_and_keeps_what_was)
{
	struct node n;

	node_open(&n);
	config_write(&n, SECOND_CONN);
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "\"conns\":2,\"pools\":1");
	ck_answer_has(&n, "{\"cmd\":\"list-conns\"}", "\"name\":\"second\"");
	config_write(&n, "  third:\n    pks: {env: GW_TEST_PSK}\n");
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "\"config-invalid\"");
	/* All of it, not only the first. */
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "unknown key `pks`; did you mean `psk`?");
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "`psk` is missing in `third`");
	ck_answer_has(&n, "{\"cmd\":\"list-conns\"}", "\"name\":\"second\"");
	node_close(&n);
}
END_TEST

START_TEST(a_dry_run_says_and_does_nothing)
{
	struct node n;
	const char *answer;

	node_open(&n);
	config_write(&n, SECOND_CONN "shutdown: silent\nnode: x\n");
	answer = ask(&n, "{\"cmd\":\"reload\",\"dry_run\":true}");
	ck_assert_ptr_nonnull(strstr(answer, "\"dry_run\":true,\"conns\":1"));
	ck_assert_ptr_nonnull(strstr(answer, "\"restart\":true"));
	ck_assert_ptr_nonnull(strstr(answer, "{\"item\":\"connections.second\",\"change\":\"added\",\"keys\":null,"
					     "\"effect\":\"new-sas\",\"sas\":0}"));
	ck_assert_ptr_nonnull(strstr(answer, "{\"item\":\"shutdown\",\"change\":\"changed\",\"keys\":null,"
					     "\"effect\":\"now\",\"sas\":0}"));
	ck_assert_uint_eq(n.g->settings->conn_count, 1);
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "\"dry_run\":false,\"conns\":2");
	ck_assert_uint_eq(n.g->settings->conn_count, 2);
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "\"restart\":false,\"problems\":[],\"changes\":[]");
	node_close(&n);
}
END_TEST

START_TEST(signals_during_a_reload_are_not_lost)
{
	struct node n;
	struct err e = { 0 };

	node_open(&n);
	reload_hangup(n.g->reload);
	ck_assert_int_eq(reload_start(n.g->reload, true, &e), GW_EBUSY);
	config_write(&n, SECOND_CONN);
	reload_hangup(n.g->reload); /* whatever the first one has seen, this one sees the second connection */
	while (reload_running(n.g->reload))
		loop_turn(n.g->loop, true);
	ck_assert_uint_eq(n.g->settings->conn_count, 2);
	/* The end of the daemon waits for the thread. */
	reload_hangup(n.g->reload);
	node_close(&n);
}
END_TEST

/* An SA as the engine would show it in its reports. */
static struct ike_sa session_of(const struct conn_cfg *conn, mtime began)
{
	static const uint8_t name[] = "alice";

	return (struct ike_sa){
		.id = 7,
		.state = IKE_UP,
		.conn = conn,
		.peer_id_kind = ID_FQDN,
		.peer_id = bytes_of(name, 5),
		.remote = { .addr = { .family = 4, .b = { 192, 0, 2, 7 } }, .port = 4500 },
		.local = { .addr = { .family = 4, .b = { 192, 0, 2, 1 } }, .port = 4500 },
		.leases = { { .addr = { .family = 4, .b = { 10, 9, 0, 3 } } } },
		.session = { .began = began,
			     .packets_in = 1,
			     .packets_out = 2,
			     .bytes_in = 30,
			     .bytes_out = 40,
			     .failovers = 1 },
	};
}

/* No key stays on the disk for longer than that is allowed. */
START_TEST(a_reload_ends_the_export_of_keys)
{
	char path[400];
	struct node n;

	node_open(&n);
	(void)snprintf(path, sizeof(path), "%s/" KEYEXPORT_ESP, n.g->settings->state_dir);
	file_put(path, "a key");
	ck_answer_has(&n, "{\"cmd\":\"reload\"}", "\"end\":true");
	ck_assert_int_ne(access(path, F_OK), 0);
	node_close(&n);
}
END_TEST

START_TEST(a_session_leaves_a_record)
{
	struct node n;
	struct ike_sa sa;
	char file[128], more[200], text[4096];
	json_t *r;

	node_open(&n);
	(void)snprintf(file, sizeof(file), "%s/sessions.json", n.dir);
	(void)snprintf(more, sizeof(more), "sessions: {file: %s}\n", file);
	config_write(&n, more);
	ck_answer_has(&n, "{\"cmd\":\"reload\"}",
		      "\"item\":\"sessions.file\",\"change\":\"changed\",\"keys\":null,"
		      "\"effect\":\"now\"");
	sa = session_of(&n.g->settings->conns[0], mtime_add(clock_now(n.g->env.clock), -SECONDS(90)));
	for (int i = 0; i < 2; i++)
		journal_heed(n.g->journal,
			     &(struct ike_event){ .kind = IKE_EV_SA_DOWN, .sa = &sa, .reason = "deleted by the peer" });
	text[file_read(file, text, sizeof(text) - 1)] = 0;
	r = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(json_string_value(json_object_get(r, "user")), "alice");
	ck_assert_str_eq(json_string_value(json_object_get(r, "conn")), "road");
	ck_assert_str_eq(json_string_value(json_object_get(r, "remote")), "192.0.2.7:4500");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(r, "inner"), 0)), "10.9.0.3");
	ck_assert_int_eq(json_integer_value(json_object_get(r, "duration")), 90);
	ck_assert_int_eq(json_integer_value(json_object_get(r, "bytes_in")), 30);
	ck_assert_int_eq(json_integer_value(json_object_get(r, "bytes_out")), 40);
	ck_assert_int_eq(json_integer_value(json_object_get(r, "failovers")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(r, "reason")), "deleted by the peer");
	/* Each a line of its own. */
	ck_assert_ptr_nonnull(strchr(text, '\n'));
	ck_assert_str_eq(strchr(strchr(text, '\n') + 1, '\n'), "\n");
	json_decref(r);
	/* One that was moved away is made anew. */
	ck_assert_int_eq(unlink(file), 0);
	journal_heed(n.g->journal, &(struct ike_event){ .kind = IKE_EV_SA_DOWN, .sa = &sa, .reason = "x" });
	ck_assert_int_eq(access(file, F_OK), 0);
	node_close(&n);
}
END_TEST

static int dial(const struct node *n, const char *request)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, n->socket);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	for (int i = 0; i < 20; i++)
		loop_turn(n->g->loop, false);
	return fd;
}

/* Until nothing comes any more. */
static size_t drain(const struct node *n, int fd, char *out, size_t room)
{
	size_t got = 0;
	int quiet = 0;

	while (quiet < 50) {
		ssize_t r = recv(fd, out + got, room - got - 1, 0);

		if (r > 0)
			got += (size_t)r;
		quiet = r > 0 ? 0 : quiet + 1;
		loop_turn(n->g->loop, false);
	}
	out[got] = 0;
	return got;
}

START_TEST(watchers_see_what_happens)
{
	static char text[2 * 1024 * 1024];
	struct node n;
	struct ike_sa sa;
	int all, other, slow;
	unsigned lines = 0;
	const char *lost;

	node_open(&n);
	sa = session_of(&n.g->settings->conns[0], clock_now(n.g->env.clock));
	journal_heed(n.g->journal, &(struct ike_event){ .kind = IKE_EV_SA_UP, .sa = &sa }); /* nobody watches yet */
	all = dial(&n, "{\"cmd\":\"monitor\"}\n");
	other = dial(&n, "{\"cmd\":\"monitor\",\"conn\":\"other\"}\n");
	ck_assert_uint_eq(drain(&n, all, text, sizeof(text)), 0);
	journal_heed(n.g->journal, &(struct ike_event){ .kind = IKE_EV_SA_UP, .sa = &sa });
	journal_heed(n.g->journal, &(struct ike_event){ .kind = IKE_EV_SA_MOVED, .sa = &sa, .from = sa.local });
	journal_heed(n.g->journal,
		     &(struct ike_event){ .kind = IKE_EV_REFUSED, .from = sa.remote, .reason = "refused: because" });
	(void)drain(&n, all, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "{\"item\":{\"event\":\"up\",\"time\":"));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"move\""));
	ck_assert_ptr_nonnull(strstr(text, "\"from\":\"192.0.2.1:4500\""));
	ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"refused: because\""));
	ck_assert_uint_eq(drain(&n, other, text, sizeof(text)), 0);
	close(other);
	/* One that does not read is told what it has missed, and costs nobody anything. */
	slow = dial(&n, "{\"cmd\":\"monitor\"}\n");
	for (int i = 0; i < 10 * JOURNAL_EVENTS; i++) {
		journal_heed(n.g->journal, &(struct ike_event){ .kind = IKE_EV_SA_UP, .sa = &sa });
		loop_turn(n.g->loop, false);
	}
	(void)drain(&n, slow, text, sizeof(text));
	lost = strstr(text, "\"event\":\"lost\",\"count\":");
	ck_assert_ptr_nonnull(lost);
	for (const char *s = text; (s = strstr(s, "\"event\":\"up\"")) != NULL; s++)
		lines++;
	ck_assert_uint_eq(lines + strtoul(lost + strlen("\"event\":\"lost\",\"count\":"), NULL, 10),
			  10 * JOURNAL_EVENTS);
	/* Other clients are served meanwhile; who hangs up is forgotten. */
	ck_answer_has(&n, "{\"cmd\":\"version\"}", "\"dataplane\":\"fake\"");
	(void)drain(&n, all, text, sizeof(text));
	/* A reload, and one that is refused with all that is wrong. */
	(void)ask(&n, "{\"cmd\":\"reload\",\"dry_run\":true}");
	ck_assert_uint_eq(drain(&n, all, text, sizeof(text)), 0);
	config_write(&n, SECOND_CONN);
	(void)ask(&n, "{\"cmd\":\"reload\"}");
	config_write(&n, "  third:\n    pks: {env: GW_TEST_PSK}\n");
	(void)ask(&n, "{\"cmd\":\"reload\"}");
	(void)drain(&n, all, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"reload\""));
	ck_assert_ptr_nonnull(strstr(text, "\"ok\":true,\"changes\":"));
	ck_assert_ptr_nonnull(strstr(text, "\"ok\":false"));
	ck_assert_ptr_nonnull(strstr(text, "unknown key `pks`; did you mean `psk`?"));
	close(slow);
	close(all);
	for (int i = 0; i < 20; i++)
		loop_turn(n.g->loop, false);
	ck_assert_uint_eq(control_client_count(n.g->control), 0);
	node_close(&n);
}
END_TEST

START_TEST(shutdown_ends_the_loop)
{
	struct node n;

	node_open(&n);
	gateway_stop(n.g);
	gateway_run(n.g); /* nobody to say goodbye to: returns at once */
	ck_assert_int_eq(access(n.socket, F_OK), 0);
	node_close(&n);
}
END_TEST

START_TEST(incarnations_rise_and_the_state_is_locked)
{
	const struct gateway_options opt = { .config_file = NULL };
	struct node n;
	struct err e = { 0 };
	uint32_t first;

	node_open(&n);
	first = n.g->env.node.incarnation;
	ck_assert_ptr_null(gateway_create(config_read(n.config), &opt, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "another gatewayd"));
	gateway_destroy(n.g);
	node_start(&n);
	ck_assert_uint_gt(n.g->env.node.incarnation, first);
	node_close(&n);
}
END_TEST

START_TEST(a_port_that_is_taken_is_one_clear_line)
{
	const struct gateway_options opt = { .config_file = NULL };
	struct node a, b;
	struct settings *s;
	struct err e = { 0 };

	node_open(&a);
	b.dir = scratch_make();
	(void)snprintf(b.config, sizeof(b.config), "%s/gateway.yaml", b.dir);
	(void)snprintf(b.socket, sizeof(b.socket), "%s/control.sock", b.dir);
	config_write(&b, "");
	s = config_read(b.config);
	s->port = node_at(&a, false).port;
	ck_assert_ptr_null(gateway_create(s, &opt, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "is taken by another program"));
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_int_ne(access(b.socket, F_OK), 0); /* nothing is left behind */
	scratch_remove(b.dir);
	node_close(&a);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("gateway");

	tcase_add_test(tc, two_gateways_live_side_by_side);
	tcase_add_test(tc, commands_of_the_table);
	tcase_add_test(tc, datagrams_go_in_and_out_on_both_ports);
	tcase_add_test(tc, rubbish_on_the_natt_port_is_counted);
	tcase_add_test(tc, reload_takes_what_is_right_and_keeps_what_was);
	tcase_add_test(tc, a_reload_ends_the_export_of_keys);
	tcase_add_test(tc, a_dry_run_says_and_does_nothing);
	tcase_add_test(tc, signals_during_a_reload_are_not_lost);
	tcase_add_test(tc, a_session_leaves_a_record);
	tcase_add_test(tc, watchers_see_what_happens);
	tcase_add_test(tc, shutdown_ends_the_loop);
	tcase_add_test(tc, incarnations_rise_and_the_state_is_locked);
	tcase_add_test(tc, a_port_that_is_taken_is_one_clear_line);
	tcase_set_timeout(tc, 60);
	return check_main("gateway", tc);
}
