#include "daemon/listen.h"

#include <stdlib.h>

#include "core/net/natt.h"
#include "daemon/gateway.h"

static void receive_natt(struct gateway *g, struct datagram *d, const struct udp_in *in)
{
	switch (natt_classify(d->data)) {
	case NATT_IKE:
		d->natt = true;
		d->data = bytes_of(in->p + NATT_MARKER_LEN, in->n - NATT_MARKER_LEN);
		ike_receive(g->ike, d, in->p + NATT_MARKER_LEN);
		return;
	case NATT_ESP:
		if (g->dp && g->dp->ops->input_udp)
			g->dp->ops->input_udp(g->dp, &in->from, &in->to, in->tos, in->p, in->n);
		else
			g->counters.esp_without_plane++;
		return;
	case NATT_KEEPALIVE:
		g->counters.keepalives_in++;
		return;
	case NATT_JUNK:
		g->counters.junk_in++;
		return;
	}
}

static void socket_ready(void *arg, unsigned what)
{
	struct gateway_socket *s = arg;
	struct gateway *g = s->gateway;
	struct udp_in in[UDP_BURST];
	size_t n;

	(void)what;
	do {
		n = udp_receive(&s->udp, g->burst, in);
		for (size_t i = 0; i < n; i++) {
			struct datagram d = { .from = in[i].from, .to = in[i].to, .data = { in[i].p, in[i].n } };

			if (s->natt)
				receive_natt(g, &d, &in[i]);
			else
				ike_receive(g->ike, &d, in[i].p);
		}
	} while (n == UDP_BURST && !loop_turn_over(g->loop));
}

static enum gw_err watch(struct gateway *g, struct gateway_socket *s, struct err *e)
{
	s->watch = loop_fd_create(g->loop, s->udp.fd, LOOP_READ, socket_ready, s);
	return s->watch ? GW_OK : err_set(e, GW_ENOMEM, "sockets: out of memory");
}

static enum gw_err open_one(struct gateway *g, const struct addr *a, bool natt, struct err *e)
{
	struct gateway_socket *s = &g->sockets[g->socket_count];
	const struct endpoint at = { *a, natt ? g->settings->port_natt : g->settings->port };

	*s = (struct gateway_socket){ .gateway = g, .natt = natt };
	TRY(udp_open(&at, &s->udp, e));
	g->socket_count++;
	return natt ? GW_OK : watch(g, s, e);
}

static enum gw_err open_wildcards(struct gateway *g, struct err *e)
{
	static const struct addr any[] = { { .family = 4 }, { .family = 6 } };
	unsigned families = 0;

	for (size_t i = 0; i < ARRAY_LEN(any); i++) {
		enum gw_err r = open_one(g, &any[i], false, e);

		if (r == GW_EUNSUPPORTED) {
			log_info(&g->log, "%s: listening without it", e->text);
			continue;
		}
		TRY(r);
		TRY(open_one(g, &any[i], true, e));
		families++;
	}
	return families > 0 ? GW_OK : err_set(e, GW_EIO, "this system has neither IPv4 nor IPv6");
}

enum gw_err listen_open(struct gateway *g, struct err *e)
{
	const struct settings *s = g->settings;

	g->burst = udp_burst_create();
	g->sockets = calloc(s->listen_count > 0 ? s->listen_count * 2 : 4, sizeof(*g->sockets));
	if (!g->burst || !g->sockets)
		return err_set(e, GW_ENOMEM, "sockets: out of memory");
	if (s->listen_count == 0)
		return open_wildcards(g, e);
	for (size_t i = 0; i < s->listen_count; i++) {
		TRY(open_one(g, &s->listen[i], false, e));
		TRY(open_one(g, &s->listen[i], true, e));
	}
	return GW_OK;
}

enum gw_err listen_watch_natt(struct gateway *g, struct err *e)
{
	for (size_t i = 0; i < g->socket_count; i++)
		if (g->sockets[i].natt && !g->sockets[i].watch)
			TRY(watch(g, &g->sockets[i], e));
	return GW_OK;
}

/* Bound to just that address, else the wildcard of its family; NULL: none (an address that is not listened on). */
static const struct gateway_socket *socket_for(const struct gateway *g, const struct endpoint *from, bool natt)
{
	const struct gateway_socket *wildcard = NULL;

	for (size_t i = 0; i < g->socket_count; i++) {
		const struct gateway_socket *s = &g->sockets[i];

		if (s->natt != natt || s->udp.local.addr.family != from->addr.family)
			continue;
		if (addr_equal(&s->udp.local.addr, &from->addr))
			return s;
		if (addr_is_any(&s->udp.local.addr))
			wildcard = s;
	}
	return wildcard;
}

void listen_send(struct gateway *g, const struct datagram *d)
{
	static const uint8_t marker[NATT_MARKER_LEN];
	const struct gateway_socket *s = socket_for(g, &d->from, d->natt);
	enum gw_err r;

	if (!s) {
		g->counters.send_no_socket++;
		return;
	}
	r = udp_send(&s->udp, &d->from.addr, &d->to, bytes_of(marker, d->natt ? NATT_MARKER_LEN : 0), d->data);
	/* Lost datagrams are IKE's daily bread: either side sends again. */
	if (r == GW_EBUSY)
		g->counters.send_busy++;
	else if (r != GW_OK)
		g->counters.send_failed++;
}

void listen_close(struct gateway *g)
{
	for (size_t i = 0; i < g->socket_count; i++) {
		loop_fd_destroy(g->sockets[i].watch);
		udp_close(&g->sockets[i].udp);
	}
	g->socket_count = 0;
	free(g->sockets);
	g->sockets = NULL;
	udp_burst_destroy(g->burst);
	g->burst = NULL;
}
