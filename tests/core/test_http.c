/* Fetching over HTTP from servers that hang, lie, drip, flood or are not there: each ends in time, with a reason. */
#include "core/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check_main.h"

enum { MAX = 100000 };

/* A server on loopback, on the same loop: says `text` as soon as somebody asks, and then what `then` says. */
struct server {
	struct loop *loop;
	int fd, peer;
	uint16_t port;
	struct loop_fd *watch, *peer_watch;
	struct loop_timer *drip;
	const char *text;
	enum then { CLOSE, HANG, FLOOD, DRIP } then;
	size_t said;
};

static struct loop *loop;
static struct server server;
static enum gw_err got;
static char got_text[200], got_body[64];
static size_t got_len;
static int calls;

static void on_drip(void *arg)
{
	struct server *s = arg;

	(void)!send(s->peer, "x", 1, MSG_NOSIGNAL);
	loop_timer_at(s->drip, mtime_add(loop_now(s->loop), MILLISECONDS(50)));
}

static void on_peer(void *arg, unsigned what)
{
	static const char junk[4096];
	struct server *s = arg;
	char request[2000];

	if (what & LOOP_READ) {
		ssize_t n = recv(s->peer, request, sizeof(request) - 1, 0);

		if (n <= 0) {
			loop_fd_want(s->peer_watch, 0);
			return;
		}
		request[n] = '\0';
		ck_assert_ptr_nonnull(strstr(request, "Host: 127.0.0.1"));
		(void)!send(s->peer, s->text, strlen(s->text), MSG_NOSIGNAL);
		if (s->then == CLOSE)
			shutdown(s->peer, SHUT_WR);
		else if (s->then == FLOOD)
			loop_fd_want(s->peer_watch, LOOP_READ | LOOP_WRITE);
		else if (s->then == DRIP)
			on_drip(s);
	}
	if ((what & LOOP_WRITE) && s->then == FLOOD && send(s->peer, junk, sizeof(junk), MSG_NOSIGNAL) > 0)
		s->said += sizeof(junk);
	else if (what & LOOP_WRITE)
		loop_fd_want(s->peer_watch, 0);
}

static void on_caller(void *arg, unsigned what)
{
	struct server *s = arg;

	(void)what;
	s->peer = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK);
	if (s->peer >= 0)
		s->peer_watch = loop_fd_create(s->loop, s->peer, LOOP_READ, on_peer, s);
}

static void serve(const char *text, enum then then)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sin);

	server = (struct server){ .loop = loop, .peer = -1, .text = text, .then = then };
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert(server.fd >= 0 && bind(server.fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
		  listen(server.fd, 4) == 0 && getsockname(server.fd, (struct sockaddr *)&sin, &n) == 0);
	server.port = ntohs(sin.sin_port);
	server.watch = loop_fd_create(loop, server.fd, LOOP_READ, on_caller, &server);
	server.drip = loop_timer_create(loop, on_drip, &server);
}

static void setup(void)
{
	struct err e;

	loop = loop_create(clock_system(), &e);
	ck_assert_ptr_nonnull(loop);
	got = GW_PENDING;
	calls = 0;
}

static void teardown(void)
{
	if (server.watch) {
		loop_fd_destroy(server.watch);
		loop_fd_destroy(server.peer_watch);
		loop_timer_destroy(server.drip);
		(void)close(server.fd);
		if (server.peer >= 0)
			(void)close(server.peer);
		server.watch = NULL;
	}
	loop_destroy(loop);
}

static void on_done(void *arg, enum gw_err result, struct bytes body, const char *text)
{
	ck_assert_ptr_eq(arg, &got);
	calls++;
	got = result;
	got_len = body.n;
	(void)snprintf(got_body, sizeof(got_body), "%.*s", (int)(body.n < 60 ? body.n : 60),
		       body.p ? (const char *)body.p : "");
	(void)snprintf(got_text, sizeof(got_text), "%s", text);
	loop_stop(loop);
}

static struct http_get *start(const char *path, int64_t patience)
{
	struct http_get *g = NULL;
	struct err e = { 0 };
	char url[200];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port, path);
	ck_assert_int_eq(http_get(loop, url, MAX, patience, on_done, &got, &g, &e), GW_OK);
	ck_assert_int_eq(calls, 0);
	return g;
}

static void fetch(const char *path, int64_t patience)
{
	(void)start(path, patience);
	loop_run(loop);
	ck_assert_int_eq(calls, 1);
}

START_TEST(an_answer)
{
	serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE);
	fetch("/ca.crl?x=1", SECONDS(5));
	ck_assert_int_eq(got, GW_OK);
	ck_assert_str_eq(got_body, "hello");
	ck_assert_uint_eq(got_len, 5);
}
END_TEST

START_TEST(errors)
{
	static const struct {
		const char *says;
		enum then then;
		enum gw_err want;
	} rows[] = {
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", CLOSE, GW_EIO },
		{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", CLOSE, GW_EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLOSE, GW_EIO },
		{ "SSH-2.0-nonsense\r\n", CLOSE, GW_PENDING },
		{ "", CLOSE, GW_PENDING },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort", CLOSE, GW_PENDING },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", HANG, GW_ELIMIT },
		{ "HTTP/1.1 200 OK\r\n\r\n", FLOOD, GW_ELIMIT },
		{ "HTTP/1.1 200 OK\r\nX: ", FLOOD, GW_PENDING },
	};

	serve(rows[_i].says, rows[_i].then);
	fetch("/", SECONDS(5));
	if (rows[_i].want == GW_PENDING) /* any */
		ck_assert_int_ne(got, GW_OK);
	else
		ck_assert_int_eq(got, rows[_i].want);
	ck_assert_str_ne(got_text, "");
	ck_assert_uint_le(server.said, 20 * MAX); /* and what the kernel keeps for it */
}
END_TEST

/* Patience is for all of it: one octet from time to time does not prolong it. */
START_TEST(patience)
{
	mtime began = clock_now(clock_system());

	serve(_i ? "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" : "", _i ? DRIP : HANG);
	fetch("/", MILLISECONDS(300));
	ck_assert_int_eq(got, GW_EBUSY);
	ck_assert_int_ge(mtime_since(began, clock_now(clock_system())), MILLISECONDS(300));
}
END_TEST

START_TEST(nobody_there)
{
	serve("", CLOSE);
	(void)close(server.fd);
	server.fd = -1;
	loop_fd_want(server.watch, 0);
	fetch("/", SECONDS(5));
	ck_assert_int_ne(got, GW_OK);
}
END_TEST

START_TEST(cancelled)
{
	struct http_get *g;

	serve("", HANG);
	g = start("/", MILLISECONDS(100));
	for (int i = 0; i < 3; i++)
		loop_turn(loop, false);
	http_cancel(g);
	for (int i = 0; i < 5; i++) {
		(void)usleep(50000);
		loop_turn(loop, false);
	}
	ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(urls)
{
	static const char *const bad[] = { "", "ftp://a/b", "https://a/b", "http:///b", "/etc/passwd", "http://" };
	struct http_get *g = NULL;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(http_get(loop, bad[i], MAX, SECONDS(1), on_done, &got, &g, &e), GW_EINVAL);
	ck_assert_int_eq(calls, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_answer);
	tcase_add_loop_test(t, errors, 0, 9);
	tcase_add_loop_test(t, patience, 0, 2);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, urls);
	return check_main("http", t);
}
