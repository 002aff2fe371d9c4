/*
 * A plane under test, whichever it is: how to wait for it and how to make packets go through it. The userspace plane
 * gets datagram socket pairs for its TUN and UDP on loopback, so that nothing needs privileges; the peer is played by
 * the test.
 */
#ifndef TESTS_ESP_PLANE_CHECK_H
#define TESTS_ESP_PLANE_CHECK_H

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/fake.h"
#include "esp/user.h"
#include "tests/esp/esp_check.h"

struct plane {
	struct dataplane *dp;
	bool fake;
	struct rng_seeded rng;
	struct env env;
	int inside; /* userspace: our end of the "TUN" */
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

static inline void plane_open(struct plane *p, bool fake, uint8_t node)
{
	struct err e = { 0 };

	*p = (struct plane){ .fake = fake, .inside = -1, .udp = -1 };
	rng_seeded_init(&p->rng, 42);
	p->env = (struct env){ .clock = clock_system(), .rng = &p->rng.rng, .node = { node, 7 } };
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

static inline void plane_close(struct plane *p)
{
	p->dp->ops->destroy(p->dp);
	if (p->inside >= 0)
		(void)close(p->inside);
	if (p->udp >= 0)
		(void)close(p->udp);
}

static inline bool readable(int fd, int ms)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	return poll(&f, 1, ms) == 1;
}

/* The next event; a fake is given a push. */
static inline bool plane_event(struct plane *p, struct dp_event *out, int ms)
{
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
