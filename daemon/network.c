#include "daemon/network.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/routes.h"
#include "esp/clamp.h"
#include "esp/route.h"
#include "esp/xfrm.h"

struct network {
	const struct env *env;	  /* borrowed */
	struct dataplane *kernel; /* borrowed; NULL: another plane */
	char device[16];
	char table[32];	       /* of nftables */
	struct clamp *clamp;   /* owned; NULL: off, or not to be had */
	bool clamp_refused;    /* said already */
	struct prefix *routes; /* owned array: routes that we added */
	size_t route_count;
	uint16_t advmss; /* of the routes: IPv4's; 0: the kernel's */
};

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
	return n;
}

/* ---- the MSS of clients' TCP ---- */

static uint16_t advmss_of(const struct settings *s)
{
	return s->mss_clamp == MSS_CLAMP_OFF ? 0 : s->mss_clamp; /* MSS_CLAMP_AUTO is 0 */
}

static void update_clamp(struct network *n, const struct settings *s, const struct prefix *clients, size_t count)
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
		r = clamp_set(n->clamp, clients, count, s->mss_clamp, &e);
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

static bool among(const struct prefix *list, size_t n, const struct prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].len == p->len && addr_equal(&list[i].addr, &p->addr))
			return true;
	return false;
}

static void unroute(struct network *n, const struct prefix *p)
{
	struct route_traits t = traits_of(n, p);
	struct err e = { 0 };

	if (route_remove(n->device, p, &t, &e) != GW_OK)
		log_warn(n->env->log, "%s", e.text);
}

static bool route(struct network *n, const struct prefix *p)
{
	struct route_traits t = traits_of(n, p);
	struct err e = { 0 };
	char text[ADDR_TEXT + 4];

	if (route_add(n->device, p, &t, &e) == GW_OK)
		return true;
	log_warn(n->env->log, "no route to %s through %s, so nothing reaches clients there: %s", prefix_text(p, text),
		 n->device, e.text);
	return false;
}

static void forget_routes(struct network *n)
{
	free(n->routes);
	n->routes = NULL;
	n->route_count = 0;
}

/* Takes the array. */
static void update_routes(struct network *n, struct prefix *wanted, size_t count, uint16_t advmss)
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

void network_update(struct network *n, const struct settings *s)
{
	struct prefix *wanted = NULL;
	struct err e = { 0 };
	size_t count = 0;

	if (routes_collect(s, &wanted, &count) != GW_OK) {
		log_error(n->env->log, "routes: out of memory");
		return;
	}
	/* Before there is a route: nothing goes out in clear. */
	if (n->kernel && xfrm_plane_set_guards(n->kernel, wanted, count, &e) != GW_OK)
		log_error(n->env->log, "%s", e.text);
	update_clamp(n, s, wanted, count);
	update_routes(n, wanted, count, advmss_of(s));
}

void network_destroy(struct network *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->route_count; i++)
		unroute(n, &n->routes[i]);
	forget_routes(n);
	clamp_destroy(n->clamp);
	free(n);
}
