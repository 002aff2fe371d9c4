#include "daemon/plane.h"

#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/gateway.h"
#include "daemon/listen.h"
#include "daemon/network.h"
#include "esp/fake.h"
#include "esp/tun.h"
#include "esp/user.h"
#include "esp/xfrm.h"

enum { TAKE_LEAST = 32 }; /* datagrams that are taken however busy the turn is */
#define REPORT_US MILLISECONDS(100)

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
	if (g->settings->dataplane != DATAPLANE_AUTO)
		g->plane_why = "configured";
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

/* Its events are for the turn's end (glue). */
static void kernel_ready(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

/*
 * Routes to clients need a device to lead into, though no packet with an SA ever gets there: XFRM takes it before. One
 * without, were there no guard, would end in this TUN, which nobody reads.
 */
static enum gw_err open_anchor(struct gateway *g, struct err *e)
{
	TRY(tun_open(g->settings->tun_name ? g->settings->tun_name : "gw%d", &g->anchor_fd, g->device, e));
	g->anchored = true;
	if (g->settings->tun_mtu > 0)
		TRY(tun_set_mtu(g->device, g->settings->tun_mtu, e));
	return tun_set_up(g->device, true, e);
}

/* ---- what the nodes of a pair say to each other passes by all policies of ours ---- */

enum { BYPASS_MAX = 64 };

struct bypasses {
	struct xfrm_bypass list[BYPASS_MAX];
	size_t n;
};

static struct prefix host(const struct addr *a)
{
	return (struct prefix){ *a, (uint8_t)(addr_len(a) * 8) };
}

static void bypass_add(struct bypasses *b, const struct addr *us, const struct addr *them, uint8_t proto,
		       uint16_t our_port, uint16_t their_port)
{
	if (b->n < BYPASS_MAX)
		b->list[b->n++] = (struct xfrm_bypass){ host(us), host(them), proto, our_port, their_port };
}

/* A client's network that contains the other node's addresses would take the pair's own traffic, and guards block it.
 */
static enum gw_err bypass_cluster(struct gateway *g, struct err *e)
{
	const struct ha_cfg *ha = &g->settings->ha;
	struct bypasses b = { .n = 0 };

	if (!ha->enabled)
		return GW_OK;
	bypass_add(&b, &ha->self->sync, &ha->peer->sync, IPPROTO_TCP, ha->port, 0);
	bypass_add(&b, &ha->self->sync, &ha->peer->sync, IPPROTO_TCP, 0, ha->port);
	bypass_add(&b, &ha->self->sync, &ha->peer->sync, IPPROTO_UDP, ha->port, ha->port);
	for (size_t i = 0; i < ha->self->heartbeat_count && i < ha->peer->heartbeat_count; i++)
		bypass_add(&b, &ha->self->heartbeat[i], &ha->peer->heartbeat[i], IPPROTO_UDP, ha->port, ha->port);
	for (size_t i = 0; i < ha->witness_count; i++) {
		const struct addr any = { .family = ha->witness[i].family }; /* from wherever we reach it */

		bypass_add(&b, &any, &ha->witness[i], any.family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 0, 0);
		b.list[b.n - 1].local.len = 0;
	}
	return xfrm_plane_set_bypass(g->dp, b.list, b.n, e);
}

static enum gw_err open_kernel(struct gateway *g, struct err *e)
{
	/* Which SAs are used is for the other node to know, as soon as it is of use. */
	const struct xfrm_plane_config cfg = { .report_us = g->settings->ha.enabled ? REPORT_US : 0 };

	g->dp = xfrm_plane_create(&g->env, &cfg, e);
	if (!g->dp)
		return e->code;
	g->plane_is_kernel = true;
	g->plane_why = g->settings->dataplane == DATAPLANE_AUTO ? "auto: this kernel has ESP" : "configured";
	TRY(open_anchor(g, e));
	for (size_t i = 0; i < g->socket_count; i++) {
		const struct gateway_socket *s = &g->sockets[i];

		TRY(xfrm_plane_add_socket(g->dp, s->udp.fd, s->udp.local.addr.family, s->natt, e));
	}
	TRY(bypass_cluster(g, e));
	g->plane_watch = loop_fd_create(g->loop, xfrm_plane_wake_fd(g->dp), LOOP_READ, kernel_ready, g);
	if (!g->plane_watch)
		return err_set(e, GW_ENOMEM, "data plane: out of memory");
	return listen_watch_natt(g, e); /* the kernel takes ESP out of them, the rest is ours */
}

/* The kernel's where it works, else ours; the log says which and why. */
static enum gw_err open_best(struct gateway *g, struct err *e)
{
	struct err why = { 0 };
	struct dp_caps caps;

	if (xfrm_probe(&g->env, &caps, &why) == GW_OK)
		return open_kernel(g, e);
	(void)snprintf(g->plane_text, sizeof(g->plane_text), "auto: %.200s", why.text);
	g->plane_why = g->plane_text;
	return open_user(g, e);
}

static enum gw_err open_chosen(struct gateway *g, struct err *e)
{
	switch (g->settings->dataplane) {
	case DATAPLANE_KERNEL:
		return open_kernel(g, e);
	case DATAPLANE_FAKE:
		return open_fake(g, e);
	case DATAPLANE_USERSPACE:
		return open_user(g, e);
	case DATAPLANE_AUTO:
		break;
	}
	return open_best(g, e);
}

enum gw_err plane_open(struct gateway *g, struct err *e)
{
	struct network_config cfg = { .env = &g->env, .device = g->device };

	TRY(open_chosen(g, e));
	if (!g->device[0])
		return GW_OK; /* the fake plane: no packet passes */
	if (g->plane_is_kernel)
		cfg.kernel = g->dp;
	g->network = network_create(&cfg);
	return g->network ? GW_OK : err_set(e, GW_ENOMEM, "out of memory");
}

enum gw_err plane_prepare(struct gateway *g, const struct settings *s, struct err *e)
{
	return g->network ? network_prepare(g->network, s, e) : GW_OK;
}

void plane_route(struct gateway *g, const struct settings *s)
{
	if (g->network)
		network_update(g->network, s);
}

void plane_close(struct gateway *g)
{
	network_destroy(g->network);
	g->network = NULL;
	loop_fd_destroy(g->plane_watch);
	g->plane_watch = NULL;
	arrears_clear(&g->arrears); /* a plane that goes takes everything along */
	if (g->dp)
		g->dp->ops->destroy(g->dp);
	g->dp = NULL;
	if (g->anchored)
		(void)close(g->anchor_fd);
	g->anchored = false;
}
