/*
 * A plane under test, whichever it is: how to wait for it and how to make packets go through it. The userspace plane
 * gets datagram socket pairs for its TUN and UDP on loopback, so that nothing needs privileges; the kernel plane gets a
 * network namespace of its own, a TUN for the network inside, and forwarding. The peer is played by the test.
 */
#ifndef TESTS_ESP_PLANE_CHECK_H
#define TESTS_ESP_PLANE_CHECK_H

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "esp/fake.h"
#include "esp/route.h"
#include "esp/tun.h"
#include "esp/user.h"
#include "esp/xfrm.h"
#include "tests/esp/esp_check.h"

struct plane {
	struct dataplane *dp;
	bool fake, kernel;
	struct rng_seeded rng;
	struct env env;
	struct log log;
	int inside; /* userspace: our end of the "TUN"; kernel: the network inside */
	int pool;   /* kernel: where routes to clients lead */
	int home;   /* kernel: the namespace that we came from */
	int udp;    /* its NAT-T socket */
	struct endpoint at;
	uint64_t token;
};

enum { PATIENCE_MS = 5000, QUIET_MS = 50 };

/* A UDP socket on loopback, any port. */
static inline int loopback_socket(struct endpoint *at)
{
	struct sockaddr_storage ss;
	struct endpoint any = endpoint_of("127.0.0.1", 0);
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&any, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	n = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	ck_assert(endpoint_from_sockaddr(at, (struct sockaddr *)&ss));
	return fd;
}

static inline void plane_open_by(struct plane *p, bool fake, uint8_t node, const struct clock *clock)
{
	struct err e = { 0 };

	*p = (struct plane){ .fake = fake, .inside = -1, .udp = -1, .pool = -1, .home = -1 };
	rng_seeded_init(&p->rng, 42);
	p->env = (struct env){ .clock = clock, .rng = &p->rng.rng, .node = { node, 7 } };
	if (fake) {
		p->dp = fake_plane_create(&p->env, &e);
		p->at = endpoint_of("127.0.0.1", 4500);
	} else {
		struct user_plane_config cfg = { 0 };
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
		cfg.tun_fd = pair[0];
		p->inside = pair[1];
		p->udp = loopback_socket(&p->at);
		p->dp = user_plane_create(&p->env, &cfg, &e);
		ck_assert_msg(p->dp != NULL, "%s", e.text);
		ck_assert_msg(user_plane_add_udp(p->dp, p->udp, &e) == GW_OK, "%s", e.text);
	}
	ck_assert_msg(p->dp != NULL, "%s", e.text);
}

static inline void plane_open(struct plane *p, bool fake, uint8_t node)
{
	plane_open_by(p, fake, node, clock_system());
}

static inline void setting(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "w");
	if (!f)
		return; /* a kernel without IPv6 */
	ck_assert_msg(fputs(value, f) >= 0, "%s", path);
	ck_assert_msg(fclose(f) == 0, "%s", path);
}

/* A TUN device; the caller writes and reads what is behind it. */
static inline int tun_device(const char *name, const char *address)
{
	char actual[TUN_NAME];
	struct err e = { 0 };
	int fd = -1;

	ck_assert_msg(tun_open(name, &fd, actual, &e) == GW_OK, "%s", e.text);
	if (address) {
		struct endpoint at = endpoint_of(address, 0);
		struct sockaddr_storage ss;
		struct ifreq ifr = { 0 };
		int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		size_t n = endpoint_to_sockaddr(&at, &ss);

		memcpy(ifr.ifr_name, name, strlen(name));
		memcpy(&ifr.ifr_addr, &ss, n);
		ck_assert_int_eq(ioctl(s, SIOCSIFADDR, &ifr), 0);
		(void)close(s);
	}
	ck_assert_msg(tun_set_up(name, true, &e) == GW_OK, "%s", e.text);
	return fd;
}

static inline void route_into(const char *name, const char *prefix)
{
	struct prefix p;
	struct err e = { 0 };

	ck_assert(prefix_parse(prefix, &p));
	ck_assert_msg(route_add(name, &p, &(struct route_traits){ 0 }, &e) == GW_OK, "%s", e.text);
}

/* A namespace with lo, forwarding, 192.168.1.0/24 inside, and clients' addresses in 10.0.0.0/8. */
static inline void kernel_net(struct plane *p)
{
	struct err e = { 0 };

	p->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(p->home, 0);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	setting("ipv6/conf/all/disable_ipv6", "1");
	setting("ipv6/conf/default/disable_ipv6", "1");
	ck_assert_msg(tun_set_up("lo", true, &e) == GW_OK, "%s", e.text);
	setting("ipv4/ip_forward", "1");
	/* lo is exempt from IPsec by default, and it is our outer network here. */
	setting("ipv4/conf/lo/disable_policy", "0");
	setting("ipv4/conf/lo/disable_xfrm", "0");
	p->inside = tun_device("inside", "192.168.1.1");
	route_into("inside", "192.168.1.0/24");
	p->pool = tun_device("pool", NULL);
	route_into("pool", "10.0.0.0/8");
}

/* False: this kernel or this user cannot; `e` says why. */
static inline bool kernel_available(struct err *e)
{
	struct rng_seeded rng;
	struct env env = { .clock = clock_system(), .rng = &rng.rng };
	struct dp_caps caps;

	rng_seeded_init(&rng, 1);
	return xfrm_probe(&env, &caps, e) == GW_OK;
}

/* Where it may not be missing: in the rig that is made for it, and where somebody says so. */
static inline bool kernel_required(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];
	bool rig = getenv("KERNEL_PLANE") != NULL;

	while (f && fgets(line, sizeof(line), f))
		rig = rig || strstr(line, "User Mode Linux");
	if (f)
		(void)fclose(f);
	return rig;
}

static inline void plane_open_kernel(struct plane *p, uint8_t node)
{
	const struct xfrm_plane_config cfg = { .dump_age_us = 1, .keep_thresholds = true };
	struct xfrm_guard guards[1] = { { .if_id = 0 } };
	struct err e = { 0 };

	*p = (struct plane){ .kernel = true, .inside = -1, .udp = -1, .pool = -1, .home = -1 };
	rng_seeded_init(&p->rng, 42);
	p->log = (struct log){ .level = LOG_LVL_WARN, .clock = clock_system() };
	p->env = (struct env){ .clock = clock_system(), .rng = &p->rng.rng, .log = &p->log, .node = { node, 7 } };
	kernel_net(p);
	p->dp = xfrm_plane_create(&p->env, &cfg, &e);
	ck_assert_msg(p->dp != NULL, "%s", e.text);
	p->udp = loopback_socket(&p->at);
	ck_assert_msg(xfrm_plane_add_socket(p->dp, p->udp, 4, true, &e) == GW_OK, "%s", e.text);
	ck_assert(prefix_parse("10.0.0.0/8", &guards[0].clients));
	ck_assert_msg(xfrm_plane_set_guards(p->dp, guards, 1, &e) == GW_OK, "%s", e.text);
}

static inline void plane_close(struct plane *p)
{
	p->dp->ops->destroy(p->dp);
	if (p->inside >= 0)
		(void)close(p->inside);
	if (p->pool >= 0)
		(void)close(p->pool);
	if (p->udp >= 0)
		(void)close(p->udp);
	if (p->home >= 0) {
		/* The rebuild that the thresholds have started: Linux 6.1 crashes when its namespace is gone first. */
		(void)poll(NULL, 0, 20);
		ck_assert_int_eq(setns(p->home, CLONE_NEWNET), 0);
		(void)close(p->home);
	}
}

static inline bool readable(int fd, int ms)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	return poll(&f, 1, ms) == 1;
}

/* The kernel plane's descriptor may be readable for nothing that concerns us. */
static inline bool plane_event_kernel(struct plane *p, struct dp_event *out, int ms)
{
	mtime until = mtime_add(clock_now(p->env.clock), MILLISECONDS(ms));

	for (;;) {
		int64_t left = mtime_since(clock_now(p->env.clock), until) / 1000;

		if (!readable(xfrm_plane_wake_fd(p->dp), left > 0 ? (int)left : 0))
			return false;
		if (p->dp->ops->take_event(p->dp, out))
			return true;
	}
}

/* The next event; a fake is given a push. */
static inline bool plane_event(struct plane *p, struct dp_event *out, int ms)
{
	if (p->kernel)
		return plane_event_kernel(p, out, ms);
	if (p->fake)
		(void)fake_plane_run(p->dp, SIZE_MAX);
	else if (!readable(user_plane_wake_fd(p->dp), ms))
		return false;
	return p->dp->ops->take_event(p->dp, out);
}

/* Submits and waits for the answer; other events on the way are lost. */
static inline enum gw_err plane_do_all(struct plane *p, const struct dp_op *ops, size_t n)
{
	uint64_t token = ++p->token;
	struct dp_event event;

	ck_assert_int_eq(dp_submit(p->dp, token, ops, n), GW_OK);
	do
		ck_assert_msg(plane_event(p, &event, PATIENCE_MS), "no completion");
	while (event.kind != DP_DONE);
	ck_assert_uint_eq(event.token, token);
	ck_assert_msg((event.result == GW_OK) == (event.text[0] == 0), "%d: %s", event.result, event.text);
	return event.result;
}

static inline enum gw_err plane_do(struct plane *p, struct dp_op op)
{
	return plane_do_all(p, &op, 1);
}

static inline uint64_t plane_stat(struct plane *p, const char *name)
{
	struct dp_stat stats[64];
	size_t n = p->dp->ops->stats(p->dp, stats, ARRAY_LEN(stats));

	ck_assert_uint_le(n, ARRAY_LEN(stats));
	for (size_t i = 0; i < n; i++)
		if (strcmp(stats[i].name, name) == 0)
			return stats[i].value;
	ck_abort_msg("no counter %s", name);
}

/* What has become of all packets of one direction so far: delivered, or dropped for whatever reason. */
static inline uint64_t plane_seen(struct plane *p, enum dp_dir dir)
{
	static const char *const in[] = { "in_packets",	  "in_dummy",	   "in_no_sa", "in_replay", "in_bad_icv",
					  "in_malformed", "in_bad_policy", "in_ecn",   "in_shut",   "in_errors" };
	static const char *const out[] = { "out_packets", "out_malformed", "out_no_policy", "out_no_sa",
					   "out_fence",	  "out_too_big",   "out_shut",	    "out_errors" };
	uint64_t sum = 0;

	for (size_t i = 0; i < (dir == DP_IN ? ARRAY_LEN(in) : ARRAY_LEN(out)); i++)
		sum += plane_stat(p, dir == DP_IN ? in[i] : out[i]);
	return sum;
}

static inline void plane_await_seen(struct plane *p, enum dp_dir dir, uint64_t value)
{
	for (int ms = 0; plane_seen(p, dir) < value; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "%lu packets seen", plane_seen(p, dir));
		(void)poll(NULL, 0, 1);
	}
}

/* Waits until a counter has reached a value. */
static inline void plane_await(struct plane *p, const char *name, uint64_t value)
{
	for (int ms = 0; plane_stat(p, name) < value; ms++) {
		ck_assert_msg(ms < PATIENCE_MS, "%s stays at %lu", name, plane_stat(p, name));
		(void)poll(NULL, 0, 1);
	}
	ck_assert_uint_eq(plane_stat(p, name), value);
}

#endif
