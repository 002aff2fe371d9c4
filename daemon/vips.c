#include "daemon/vips.h"

#include "core/net/announce.h"
#include "core/net/ifwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RENEW_US SECONDS(1)
#define LATE_US MILLISECONDS(20)
#define SECOND_THOUGHT_US MILLISECONDS(5)

struct vip {
	char interface[IFWATCH_NAME];
	struct addr addr;
	uint8_t len;
	unsigned on; /* index of the interface that it is on; 0: none */
	struct announce_burst burst;
};

struct vips {
	struct env env;
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
	struct nl_socket nl;
	int packet_fd;
	struct ifwatch *links;
	struct loop_timer *timer;
	mtime renew;
	mtime due;	  /* when the timer is */
	bool hesitates;	  /* it was late, and fires again at once */
	struct vip *vips; /* owned */
	size_t count;
	int64_t announce_us;
	bool claimed, hushed, was_up;
	uint64_t announced, failed;
	char last_error[160];
};

static struct ifaddr_entry entry_of(const struct vip *a, unsigned index)
{
	return (struct ifaddr_entry){ .index = index, .addr = a->addr, .len = a->len };
}

static void failed(struct vips *v, const char *text)
{
	/* Once for each kind: it is tried every second. */
	if (strncmp(v->last_error, text, sizeof(v->last_error) - 1) != 0)
		log_error(v->env.log, "virtual address: %s", text);
	v->failed++;
	(void)snprintf(v->last_error, sizeof(v->last_error), "%s", text);
}

/* Puts it there, or renews it. */
static void put(struct vips *v, struct vip *a, mtime now)
{
	const struct ifwatch_link *link = ifwatch_find(v->links, a->interface);
	struct ifaddr_entry entry;
	struct err e = { 0 };
	char text[128];

	if (!link || link->index == 0) {
		(void)snprintf(text, sizeof(text), "there is no interface %s", a->interface);
		a->on = 0;
		failed(v, text);
		return;
	}
	entry = entry_of(a, link->index);
	if (ifaddr_put(&v->nl, &entry, VIPS_LEASE_S, &e) != GW_OK) {
		a->on = 0;
		failed(v, e.text);
		return;
	}
	if (a->on != link->index) {
		a->on = link->index;
		announce_burst_start(&a->burst, now, v->announce_us);
	}
}

static void take_away(struct vips *v, struct vip *a)
{
	struct ifaddr_entry entry = entry_of(a, a->on);
	struct err e = { 0 };
	enum gw_err r;

	announce_burst_stop(&a->burst);
	if (a->on == 0)
		return;
	r = ifaddr_drop(&v->nl, &entry, &e);
	if (r != GW_OK && r != GW_ENOTFOUND)
		failed(v, e.text);
	a->on = 0;
}

static void announce(struct vips *v, struct vip *a, mtime now)
{
	const struct ifwatch_link *link = ifwatch_find(v->links, a->interface);

	if (a->on == 0 || !announce_burst_due(&a->burst, now))
		return;
	/* On a loopback or dummy interface there is nobody to tell: BGP does. */
	if (link && link->up && link->arp && announce_send(v->packet_fd, link->index, link->mac, &a->addr) == GW_OK)
		v->announced++;
}

static void work(struct vips *v)
{
	mtime now = clock_now(v->env.clock), next;
	bool renew = mtime_reached(v->renew, now);

	if (!v->claimed) {
		loop_timer_at(v->timer, MTIME_NEVER);
		return;
	}
	if (renew)
		v->renew = mtime_add(now, RENEW_US);
	next = v->renew;
	for (size_t i = 0; i < v->count; i++) {
		if (renew)
			put(v, &v->vips[i], now);
	}
	/* All are there before the first one is announced. */
	for (size_t i = 0; i < v->count; i++) {
		announce(v, &v->vips[i], now);
		next = mtime_min(next, v->vips[i].burst.next);
	}
	v->due = next;
	v->hesitates = false;
	loop_timer_at(v->timer, next);
}

/*
 * Whoever was stopped does not know yet whether the addresses are still its own: it is told in this turn of the loop.
 * Once: where each turn is late the leases are renewed all the same.
 */
static void on_timer(void *arg)
{
	struct vips *v = arg;
	mtime now = clock_now(v->env.clock);

	if (v->hesitates || mtime_since(v->due, now) < LATE_US) {
		work(v);
		return;
	}
	v->hesitates = true;
	loop_timer_at(v->timer, mtime_add(now, SECOND_THOUGHT_US));
}

static void tell_service(struct vips *v)
{
	bool up = vips_service_up(v);

	if (up == v->was_up)
		return;
	v->was_up = up;
	log_notice(v->env.log, "service interfaces: %s", up ? "all up" : "not all up");
	if (v->changed)
		v->changed(v->arg);
}

static void on_link(void *arg, const struct ifwatch_link *link)
{
	struct vips *v = arg;

	for (size_t i = 0; v->claimed && link->up && i < v->count; i++)
		if (strcmp(v->vips[i].interface, link->name) == 0) {
			/* An interface that was down may have lost it; neighbours may be others now. */
			v->vips[i].on = 0;
			v->renew = (mtime){ 0 };
		}
	if (v->claimed)
		work(v);
	tell_service(v);
}

static enum gw_err watch_links(struct vips *v, const struct ha_cfg *cfg, struct err *e)
{
	const char **names = calloc(v->count + cfg->interface_count + 1, sizeof(*names));
	struct ifwatch *links;
	size_t n = 0;

	if (!names)
		return err_set(e, GW_ENOMEM, "out of memory");
	for (size_t i = 0; i < v->count + cfg->interface_count; i++) {
		const char *name = i < v->count ? v->vips[i].interface : cfg->interfaces[i - v->count];
		bool twice = false;

		for (size_t j = 0; j < n; j++)
			twice = twice || strcmp(names[j], name) == 0;
		if (!twice)
			names[n++] = name;
	}
	links = ifwatch_create(v->loop, names, n, on_link, v, e);
	free(names);
	if (!links)
		return e->code;
	ifwatch_destroy(v->links);
	v->links = links;
	return GW_OK;
}

static enum gw_err start(struct vips *v, const struct ha_cfg *cfg, struct err *e)
{
	size_t left;

	v->vips = calloc(cfg->address_count + 1, sizeof(*v->vips));
	v->timer = loop_timer_create(v->loop, on_timer, v);
	if (!v->vips || !v->timer)
		return err_set(e, GW_ENOMEM, "out of memory");
	for (v->count = 0; v->count < cfg->address_count; v->count++) {
		const struct ha_address_cfg *from = &cfg->addresses[v->count];
		struct vip *to = &v->vips[v->count];

		(void)snprintf(to->interface, sizeof(to->interface), "%s", from->interface);
		to->addr = from->address;
		to->len = from->prefix_len;
		to->burst.next = MTIME_NEVER;
	}
	TRY(nl_open(NETLINK_ROUTE, &v->nl, e));
	v->packet_fd = announce_open(e);
	if (v->packet_fd < 0)
		return e->code;
	TRY(watch_links(v, cfg, e));
	left = ifaddr_drop_ours(&v->nl, e);
	if (left > 0)
		log_notice(v->env.log, "%zu virtual addresses were left behind and are taken away", left);
	v->was_up = vips_service_up(v);
	return GW_OK;
}

struct vips *vips_create(const struct env *env, struct loop *loop, const struct ha_cfg *cfg, void (*changed)(void *arg),
			 void *arg, struct err *e)
{
	struct vips *v = calloc(1, sizeof(*v));

	if (!v) {
		err_set(e, GW_ENOMEM, "out of memory");
		return NULL;
	}
	v->env = *env;
	v->loop = loop;
	v->changed = changed;
	v->arg = arg;
	v->nl.fd = v->packet_fd = -1;
	v->announce_us = cfg->announce_us;
	if (start(v, cfg, e) == GW_OK)
		return v;
	vips_destroy(v);
	return NULL;
}

void vips_destroy(struct vips *v)
{
	if (!v)
		return;
	vips_release(v);
	ifwatch_destroy(v->links);
	loop_timer_destroy(v->timer);
	nl_close(&v->nl);
	if (v->packet_fd >= 0)
		(void)close(v->packet_fd);
	free(v->vips);
	free(v);
}

enum gw_err vips_configure(struct vips *v, const struct ha_cfg *cfg, struct err *e)
{
	bool other_pace = v->announce_us != cfg->announce_us;

	v->announce_us = cfg->announce_us;
	if (v->claimed && other_pace && !v->hushed) /* in a burst, as at the beginning, then at the new pace */
		vips_claim(v);
	TRY(watch_links(v, cfg, e));
	tell_service(v);
	return GW_OK;
}

void vips_claim(struct vips *v)
{
	mtime now = clock_now(v->env.clock);

	v->claimed = true;
	v->hushed = false;
	v->renew = now;
	for (size_t i = 0; i < v->count; i++)
		announce_burst_start(&v->vips[i].burst, now, v->announce_us);
	work(v);
}

void vips_release(struct vips *v)
{
	v->claimed = false;
	if (v->timer)
		loop_timer_at(v->timer, MTIME_NEVER);
	for (size_t i = 0; v->vips && i < v->count; i++)
		take_away(v, &v->vips[i]);
}

void vips_hush(struct vips *v)
{
	v->hushed = true;
	for (size_t i = 0; i < v->count; i++)
		announce_burst_stop(&v->vips[i].burst);
}

bool vips_service_up(const struct vips *v)
{
	return ifwatch_all_up(v->links);
}

void vips_look(const struct vips *v, struct vips_stats *out)
{
	*out = (struct vips_stats){ .claimed = v->claimed,
				    .service_up = vips_service_up(v),
				    .count = v->count,
				    .announced = v->announced,
				    .failed = v->failed };
	for (size_t i = 0; i < v->count; i++)
		out->present += v->vips[i].on != 0;
	memcpy(out->last_error, v->last_error, sizeof(out->last_error));
}

bool vips_at(const struct vips *v, size_t i, struct vips_address *out)
{
	const struct vip *a = &v->vips[i];

	if (i >= v->count)
		return false;
	*out = (struct vips_address){ a->interface, a->addr, a->len, a->on != 0 };
	return true;
}

size_t vips_entries(const struct vips *v, struct ifaddr_entry *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < v->count && n < max; i++) {
		const struct ifwatch_link *link = ifwatch_find(v->links, v->vips[i].interface);

		if (link && link->index != 0)
			out[n++] = entry_of(&v->vips[i], link->index);
	}
	return n;
}
