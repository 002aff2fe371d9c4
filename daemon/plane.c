#include "daemon/plane.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/gateway.h"
#include "daemon/listen.h"
#include "daemon/routes.h"
#include "esp/fake.h"
#include "esp/tun.h"
#include "esp/user.h"

enum { TAKE_LEAST = 32 }; /* datagrams that are taken however busy the turn is */

/* The plane has events or IKE datagrams: the events are for the turn's end (glue). */
static void plane_ready(void *arg, unsigned what)
{
	struct gateway *g = arg;
	struct user_ike in;

	(void)what;
	for (int n = 0; (n < TAKE_LEAST || !loop_turn_over(g->loop)) && user_plane_take_ike(g->dp, &in); n++) {
		const struct datagram d = { .from = in.from, .to = in.to, .data = { in.data, in.n }, .natt = true };

		/* The plane's copy was made for us alone; the engine decrypts in place. */
		ike_receive(g->ike, &d, (uint8_t *)(uintptr_t)in.data);
	}
}

static enum gw_err open_user(struct gateway *g, struct err *e)
{
	const struct user_plane_config cfg = { .tun_fd = -1,
					       .tun_name = g->settings->tun_name,
					       .mtu = g->settings->tun_mtu,
					       .raw_esp = g->settings->raw_esp };

	g->dp = user_plane_create(&g->env, &cfg, e);
	if (!g->dp)
		return e->code;
	g->plane_is_user = true;
	g->plane_why = g->settings->dataplane == DATAPLANE_AUTO
			       ? "auto: the kernel plane is not in this build, the userspace plane works everywhere"
			       : "configured";
	(void)snprintf(g->device, sizeof(g->device), "%s", user_plane_tun_name(g->dp));
	for (size_t i = 0; i < g->socket_count; i++)
		if (g->sockets[i].natt)
			TRY(user_plane_add_udp(g->dp, g->sockets[i].udp.fd, e));
	g->plane_watch = loop_fd_create(g->loop, user_plane_wake_fd(g->dp), LOOP_READ, plane_ready, g);
	if (!g->plane_watch)
		return err_set(e, GW_ENOMEM, "data plane: out of memory");
	return GW_OK;
}

static enum gw_err open_fake(struct gateway *g, struct err *e)
{
	g->dp = fake_plane_create(&g->env, e);
	if (!g->dp)
		return e->code;
	g->plane_is_fake = true;
	g->plane_why = "configured, for tests and benches: no packet passes";
	return listen_watch_natt(g, e);
}

enum gw_err plane_open(struct gateway *g, struct err *e)
{
	return g->settings->dataplane == DATAPLANE_FAKE ? open_fake(g, e) : open_user(g, e);
}

static bool among(const struct prefix *list, size_t n, const struct prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].len == p->len && addr_equal(&list[i].addr, &p->addr))
			return true;
	return false;
}

static void unroute(struct gateway *g, const struct prefix *p)
{
	struct err e = { 0 };

	if (tun_route_remove(g->device, p, &e) != GW_OK)
		log_warn(&g->log, "%s", e.text);
}

void plane_route(struct gateway *g, const struct settings *s)
{
	struct prefix *wanted = NULL;
	size_t n = 0, kept = 0;

	if (!g->device[0])
		return;
	if (routes_collect(s, &wanted, &n) != GW_OK) {
		log_error(&g->log, "routes: out of memory");
		return;
	}
	for (size_t i = 0; i < g->route_count; i++)
		if (!among(wanted, n, &g->routes[i]))
			unroute(g, &g->routes[i]);
	for (size_t i = 0; i < n; i++) {
		struct err e = { 0 };
		char text[ADDR_TEXT + 4];

		if (!among(g->routes, g->route_count, &wanted[i]) &&
		    tun_route_add(g->device, &wanted[i], &e) != GW_OK) {
			log_warn(&g->log, "no route to %s through %s, so nothing reaches clients there: %s",
				 prefix_text(&wanted[i], text), g->device, e.text);
			continue;
		}
		wanted[kept++] = wanted[i];
	}
	free(g->routes);
	g->routes = wanted;
	g->route_count = kept;
}

void plane_close(struct gateway *g)
{
	for (size_t i = 0; i < g->route_count; i++)
		unroute(g, &g->routes[i]);
	free(g->routes);
	g->routes = NULL;
	g->route_count = 0;
	loop_fd_destroy(g->plane_watch);
	g->plane_watch = NULL;
	if (g->dp)
		g->dp->ops->destroy(g->dp);
	g->dp = NULL;
}
