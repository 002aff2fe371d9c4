#include "core/http.h"

#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/addr.h"
#include "core/loop_base.h"

struct http_get {
	struct loop *loop;
	struct evhttp_uri *uri;
	struct evdns_base *dns; /* NULL: the host is an address */
	struct evhttp_connection *conn;
	struct loop_timer *patience, *finish;
	void (*done)(void *arg, enum gw_err result, struct bytes body, const char *text);
	void *arg;
	size_t max;
	bool told; /* the answer is there; `finish` tells it, outside of libevent's own callback */
	enum gw_err result;
	char text[120];
	uint8_t *body; /* owned */
	size_t body_len;
};

static void get_free(struct http_get *g)
{
	if (!g)
		return;
	loop_timer_destroy(g->patience);
	loop_timer_destroy(g->finish);
	if (g->conn)
		evhttp_connection_free(g->conn);
	if (g->dns)
		evdns_base_free(g->dns, 0);
	if (g->uri)
		evhttp_uri_free(g->uri);
	free(g->body);
	free(g);
}

static void settle(struct http_get *g, enum gw_err result, const char *text)
{
	if (g->told)
		return;
	g->told = true;
	g->result = result;
	(void)snprintf(g->text, sizeof(g->text), "%s", text);
	loop_timer_at(g->finish, loop_now(g->loop));
}

static void take_body(struct http_get *g, struct evbuffer *in)
{
	size_t n = in ? evbuffer_get_length(in) : 0;

	if (n == 0 || n > g->max) {
		settle(g, n ? GW_ELIMIT : GW_EIO, n ? "is too large" : "is empty");
		return;
	}
	g->body = malloc(n);
	if (!g->body || evbuffer_remove(in, g->body, n) != (int)n) {
		settle(g, GW_ENOMEM, "out of memory");
		return;
	}
	g->body_len = n;
	settle(g, GW_OK, "");
}

static void on_answer(struct evhttp_request *req, void *arg)
{
	struct http_get *g = arg;
	char text[80];
	int code = req ? evhttp_request_get_response_code(req) : 0;

	loop_enter(g->loop);
	if (code == 200) {
		take_body(g, evhttp_request_get_input_buffer(req));
	} else if (code > 0) {
		(void)snprintf(text, sizeof(text), "the server answers %d", code);
		settle(g, GW_EIO, text);
	} else if (!g->told) {
		settle(g, GW_EIO, "the server cannot be reached, or does not speak HTTP");
	}
}

static void on_error(enum evhttp_request_error error, void *arg)
{
	struct http_get *g = arg;

	loop_enter(g->loop);
	if (error == EVREQ_HTTP_DATA_TOO_LONG)
		settle(g, GW_ELIMIT, "is too large");
	else if (error == EVREQ_HTTP_TIMEOUT)
		settle(g, GW_EBUSY, "the server does not answer in time");
	else if (error == EVREQ_HTTP_INVALID_HEADER)
		settle(g, GW_EMALFORMED, "the server does not speak HTTP");
}

static void on_patience(void *arg)
{
	settle(arg, GW_EBUSY, "the server does not answer in time");
}

static void on_finish(void *arg)
{
	struct http_get *g = arg;

	if (!g->told)
		return;
	g->done(g->arg, g->result, bytes_of(g->body, g->body_len), g->text);
	get_free(g);
}

/* What a resolver does not answer is told by `done`; libevent would write it to stderr as well. */
static void say_nothing(int is_warning, const char *text)
{
	(void)is_warning;
	(void)text;
}

static enum gw_err connect_to(struct http_get *g, const char *host, int port)
{
	struct event_base *base = loop_base(g->loop);
	struct addr a;

	if (!addr_parse(host, &a)) {
		evdns_set_log_fn(say_nothing);
		g->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (!g->dns)
			return GW_EIO;
	}
	g->conn = evhttp_connection_base_new(base, g->dns, host, (uint16_t)port);
	if (!g->conn)
		return GW_ENOMEM;
	evhttp_connection_set_max_headers_size(g->conn, HTTP_HEADERS_MAX);
	evhttp_connection_set_max_body_size(g->conn, (ev_ssize_t)g->max);
	evhttp_connection_set_retries(g->conn, 0);
	return GW_OK;
}

static enum gw_err ask(struct http_get *g, const char *host, int port)
{
	struct evhttp_request *req = evhttp_request_new(on_answer, g);
	const char *path = evhttp_uri_get_path(g->uri), *query = evhttp_uri_get_query(g->uri);
	struct evkeyvalq *headers;
	char name[280], whole[1100];

	if (!req)
		return GW_ENOMEM;
	evhttp_request_set_error_cb(req, on_error);
	headers = evhttp_request_get_output_headers(req);
	(void)snprintf(name, sizeof(name), port == 80 ? "%s" : "%s:%d", host, port);
	(void)snprintf(whole, sizeof(whole), "%s%s%s", path && *path ? path : "/", query ? "?" : "",
		       query ? query : "");
	if (evhttp_add_header(headers, "Host", name) != 0 || evhttp_add_header(headers, "Connection", "close") != 0) {
		evhttp_request_free(req);
		return GW_ENOMEM;
	}
	/* Owns `req` from here on, also when it fails. */
	return evhttp_make_request(g->conn, req, EVHTTP_REQ_GET, whole) == 0 ? GW_OK : GW_EIO;
}

enum gw_err http_get(struct loop *loop, const char *url, size_t max, int64_t timeout_us,
		     void (*done)(void *arg, enum gw_err result, struct bytes body, const char *text), void *arg,
		     struct http_get **out, struct err *e)
{
	struct http_get *g = calloc(1, sizeof(*g));
	const char *scheme, *host;
	enum gw_err code = GW_ENOMEM;
	int port;

	if (!g)
		return err_set(e, GW_ENOMEM, "out of memory");
	*g = (struct http_get){ .loop = loop, .done = done, .arg = arg, .max = max };
	g->uri = evhttp_uri_parse(url);
	scheme = g->uri ? evhttp_uri_get_scheme(g->uri) : NULL;
	host = g->uri ? evhttp_uri_get_host(g->uri) : NULL;
	if (!scheme || strcmp(scheme, "http") != 0 || !host || !*host || strlen(host) > 255) {
		get_free(g);
		return err_set(e, GW_EINVAL, "is not an http:// URL");
	}
	port = evhttp_uri_get_port(g->uri) > 0 ? evhttp_uri_get_port(g->uri) : 80;
	g->patience = loop_timer_create(loop, on_patience, g);
	g->finish = loop_timer_create(loop, on_finish, g);
	if (g->patience && g->finish)
		code = connect_to(g, host, port);
	if (code == GW_OK)
		code = ask(g, host, port);
	if (code != GW_OK) {
		get_free(g);
		return err_set(e, code, "cannot be asked for");
	}
	if (!g->told)
		loop_timer_at(g->patience, mtime_add(loop_now(loop), timeout_us));
	*out = g;
	return GW_OK;
}

void http_cancel(struct http_get *g)
{
	get_free(g);
}
