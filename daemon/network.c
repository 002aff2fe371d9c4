#include "daemon/network.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/routes.h"
#include "esp/clamp.h"
#include "esp/route.h"
#include "esp/xfrm.h"
#include "esp/xfrm_link.h"

/* Of the route behind one into an XFRM interface, for when that is gone. */
enum { BEHIND = 9000 };

struct interface {
	char name[16];
	uint32_t if_id;
};

struct network {
	const struct env *env;	  /* borrowed */
	struct dataplane *kernel; /* borrowed; NULL: another plane */
	char device[16];
	char table[32];	      /* of nftables */
	struct clamp *clamp;  /* owned; NULL: off, or not to be had */
	bool clamp_refused;   /* said already */
	struct route *routes; /* owned array: routes that we added */
	size_t route_count;
	struct interface *interfaces; /* owned array: XFRM interfaces that we made */
	size_t interface_count;
	uint16_t advmss; /* of the routes: IPv4's; 0: the kernel's */
};

/* ---- XFRM interfaces ---- */

static void sweep_interfaces(const struct network *n)
{
	struct err e = { 0 };
	size_t gone;

	if (xfrm_link_sweep(n->env->node.index, &gone, &e) != GW_OK)
		log_warn(n->env->log, "XFRM interfaces of an earlier run: %s", e.text);
	else if (gone > 0)
		log_info(n->env->log, "removed %zu XFRM interfaces that an earlier run left", gone);
}

struct network *network_create(const struct network_config *cfg)
{
	struct network *n = calloc(1, sizeof(*n));
	struct err e = { 0 };

	if (!n)
		return NULL;
	n->env = cfg->env;
	n->kernel = cfg->kernel;
	(void)snprintf(n->device, sizeof(n->device), "%s", cfg->device);
	(void)snprintf(n->table, sizeof(n->table), "gateway_%s", cfg->device);
	/* What an earlier run left, also when there will be no clamp now. */
	if (clamp_create(n->table, &n->clamp, &e) == GW_OK)
		clamp_destroy(n->clamp);
	n->clamp = NULL;
	sweep_interfaces(n);
	return n;
}

static bool has_interface(const struct network *n, uint32_t if_id)
{
	for (size_t i = 0; i < n->interface_count; i++)
		if (n->interfaces[i].if_id == if_id)
			return true;
	return false;
}

static bool wants_interface(const struct settings *s, uint32_t if_id)
{
	for (size_t i = 0; i < s->conn_count; i++)
		if (s->conns[i].if_id == if_id)
			return true;
	return false;
}

static void remove_interface(struct network *n, size_t i)
{
	struct err e = { 0 };

	if (xfrm_link_remove(n->interfaces[i].name, &e) != GW_OK)
		log_warn(n->env->log, "%s", e.text);
	n->interfaces[i] = n->interfaces[--n->interface_count];
}

static enum gw_err add_interface(struct network *n, const struct conn_cfg *c, uint32_t mtu, struct err *e)
{
	const struct xfrm_link_config cfg = {
		.name = c->interface, .if_id = c->if_id, .mtu = mtu, .node = n->env->node.index
	};
	struct interface *bigger = realloc(n->interfaces, (n->interface_count + 1) * sizeof(*bigger));

	if (!bigger)
		return err_set(e, GW_ENOMEM, "out of memory");
	n->interfaces = bigger;
	TRY(xfrm_link_create(&cfg, e));
	n->interfaces[n->interface_count] = (struct interface){ .if_id = c->if_id };
	(void)snprintf(n->interfaces[n->interface_count++].name, sizeof(bigger->name), "%s", c->interface);
	return GW_OK;
}

enum gw_err network_prepare(struct network *n, const struct settings *s, struct err *e)
{
	size_t before = n->interface_count;

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];
		const char *key = conn_kernel_key(c);
		enum gw_err r = GW_OK;

		if (key && !n->kernel)
			r = err_set(e, GW_EUNSUPPORTED, "that is for the kernel's data plane, and this one is another");
		else if (c->interface && !has_interface(n, c->if_id))
			r = add_interface(n, c, s->tun_mtu, e);
		if (r == GW_OK)
			continue;
		err_add(e, "connection %s, `%s`", c->name, key);
		while (n->interface_count > before)
			remove_interface(n, n->interface_count - 1);
		return r;
	}
	return GW_OK;
}

/* ---- the MSS of clients' TCP ---- */

static uint16_t advmss_of(const struct settings *s)
{
	return s->mss_clamp == MSS_CLAMP_OFF ? 0 : s->mss_clamp; /* MSS_CLAMP_AUTO is 0 */
}

static enum gw_err set_clamp(struct network *n, const struct settings *s, const struct route *routes, size_t count,
			     struct err *e)
{
	struct prefix *clients = calloc(count > 0 ? count : 1, sizeof(*clients));
	enum gw_err r;

	if (!clients)
		return err_set(e, GW_ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		clients[i] = routes[i].to;
	r = clamp_set(n->clamp, clients, count, s->mss_clamp, e);
	free(clients);
	return r;
}

static void update_clamp(struct network *n, const struct settings *s, const struct route *routes, size_t count)
{
	struct err e = { 0 };
	enum gw_err r = GW_OK;

	if (s->mss_clamp == MSS_CLAMP_OFF) {
		clamp_destroy(n->clamp);
		n->clamp = NULL;
		return;
	}
	if (!n->clamp)
		r = clamp_create(n->table, &n->clamp, &e);
	if (r == GW_OK)
		r = set_clamp(n, s, routes, count, &e);
	if (r == GW_OK || n->clamp_refused)
		return;
	n->clamp_refused = r == GW_EUNSUPPORTED;
	log_warn(n->env->log,
		 "mss_clamp: only this host's own TCP is told what fits through a tunnel (by its routes), not that of "
		 "hosts "
		 "behind it: %s",
		 e.text);
}

/* ---- routes ---- */

static struct route_traits traits_of(const struct network *n, const struct prefix *p)
{
	uint16_t less = p->addr.family == 6 && n->advmss > 0 ? 20 : 0;

	return (struct route_traits){ .advmss = (uint16_t)(n->advmss - less) };
}

static bool among(const struct route *list, size_t n, const struct route *r)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].to.len == r->to.len && list[i].if_id == r->if_id &&
		    addr_equal(&list[i].to.addr, &r->to.addr))
			return true;
	return false;
}

/*
 * A route into an XFRM interface has one into the TUN device behind it: should somebody take the interface away,
 * packets to clients end there, and do not follow the default route in clear.
 */
static enum gw_err change(const struct network *n, const struct route *r, bool add, struct err *e)
{
	enum gw_err (*const act)(const char *, const struct prefix *, const struct route_traits *, struct err *) =
		add ? route_add : route_remove;
	struct route_traits t = traits_of(n, &r->to);

	if (r->if_id == 0)
		return act(n->device, &r->to, &t, e);
	t.priority = BEHIND;
	TRY(act(n->device, &r->to, &t, e));
	t.priority = 0;
	/* A device that is gone has taken its routes along. */
	return add || has_interface(n, r->if_id) ? act(r->interface, &r->to, &t, e) : GW_OK;
}

static void unroute(struct network *n, const struct route *r)
{
	struct err e = { 0 };

	if (change(n, r, false, &e) != GW_OK)
		log_warn(n->env->log, "%s", e.text);
}

static bool route(struct network *n, const struct route *r)
{
	struct err e = { 0 };
	char text[ADDR_TEXT + 4];

	if (change(n, r, true, &e) == GW_OK)
		return true;
	log_warn(n->env->log, "no route to %s through %s, so nothing reaches clients there: %s",
		 prefix_text(&r->to, text), r->if_id ? r->interface : n->device, e.text);
	return false;
}

static void forget_routes(struct network *n)
{
	free(n->routes);
	n->routes = NULL;
	n->route_count = 0;
}

/* Takes the array. */
static void update_routes(struct network *n, struct route *wanted, size_t count, uint16_t advmss)
{
	bool again = n->advmss != advmss;
	size_t kept = 0;

	for (size_t i = 0; i < n->route_count; i++)
		if (again || !among(wanted, count, &n->routes[i]))
			unroute(n, &n->routes[i]);
	if (again)
		forget_routes(n);
	n->advmss = advmss;
	for (size_t i = 0; i < count; i++)
		if (among(n->routes, n->route_count, &wanted[i]) || route(n, &wanted[i]))
			wanted[kept++] = wanted[i];
	free(n->routes);
	n->routes = wanted;
	n->route_count = kept;
}

/* Before there is a route: nothing goes out in clear. */
static enum gw_err guard(struct network *n, const struct route *routes, size_t count, struct err *e)
{
	struct xfrm_guard *guards = calloc(count > 0 ? count : 1, sizeof(*guards));
	enum gw_err r;

	if (!guards)
		return err_set(e, GW_ENOMEM, "guards: out of memory");
	for (size_t i = 0; i < count; i++)
		guards[i] = (struct xfrm_guard){ routes[i].to, routes[i].if_id };
	r = xfrm_plane_set_guards(n->kernel, guards, count, e);
	free(guards);
	return r;
}

void network_update(struct network *n, const struct settings *s)
{
	struct route *wanted = NULL;
	struct err e = { 0 };
	size_t count = 0;

	if (routes_collect(s, &wanted, &count) != GW_OK) {
		log_error(n->env->log, "routes: out of memory");
		return;
	}
	if (n->kernel && guard(n, wanted, count, &e) != GW_OK)
		log_error(n->env->log, "%s", e.text);
	update_clamp(n, s, wanted, count);
	update_routes(n, wanted, count, advmss_of(s));
	for (size_t i = n->interface_count; i-- > 0;)
		if (!wants_interface(s, n->interfaces[i].if_id))
			remove_interface(n, i);
}

void network_destroy(struct network *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->route_count; i++)
		unroute(n, &n->routes[i]);
	forget_routes(n);
	while (n->interface_count > 0)
		remove_interface(n, n->interface_count - 1);
	free(n->interfaces);
	clamp_destroy(n->clamp);
	free(n);
}
