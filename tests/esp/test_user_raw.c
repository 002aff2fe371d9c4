/*
 * ESP without UDP between two planes, IPv4 and IPv6, over a loopback of their own (raw sockets need privileges; where a
 * namespace may not be made the test says so). Both planes see all packets of the namespace: the SPI tells whose they
 * are.
 */
#include <sched.h>
#include <stdio.h>

#include "esp/tun.h"
#include "tests/esp/plane_check.h"

static struct plane left, right;
static struct selector left_net, right_net;

static void open_raw(struct plane *p, uint8_t node)
{
	struct user_plane_config cfg = { .raw_esp = true };
	struct err e = { 0 };
	int pair[2];

	*p = (struct plane){ .udp = -1, .pool = -1, .home = -1 };
	rng_seeded_init(&p->rng, 42);
	p->env = (struct env){ .clock = clock_system(), .rng = &p->rng.rng, .node = { node, 7 } };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	cfg.tun_fd = pair[0];
	p->inside = pair[1];
	p->dp = user_plane_create(&p->env, &cfg, &e);
	ck_assert_msg(p->dp != NULL, "%s", e.text);
	ck_assert(p->dp->ops->caps(p->dp)->raw_esp);
}

static void begin(void)
{
	open_raw(&left, 1);
	open_raw(&right, 2);
	left_net = selector_for("192.168.1.0/24", 0, 0, 65535);
	right_net = selector_for("10.1.1.1", 0, 0, 65535);
}

static void end(void)
{
	plane_close(&left);
	plane_close(&right);
}

static void install(struct plane *p, uint32_t in_spi, uint32_t out_spi, const char *local, const char *remote,
		    const struct selector *ours, const struct selector *theirs)
{
	struct dp_sa in = sa_of(DP_IN, in_spi, 1), out = sa_of(DP_OUT, out_spi, 1);
	struct dp_op ops[3];

	in.udp_encap = out.udp_encap = false;
	in.local = out.local = endpoint_of(local, 500);
	in.remote = out.remote = endpoint_of(remote, 500);
	out.copy_dscp = true;
	ops[0] = op_policy(1, ours, theirs);
	ops[1] = op_add(&in);
	ops[2] = op_add(&out);
	ck_assert_int_eq(plane_do_all(p, ops, 3), GW_OK);
}

static void exchange(const char *one, const char *other)
{
	struct flow there = { "192.168.1.9", "10.1.1.1", 17, 40000, 53, 0xb8, true, 0, 100 };
	struct flow back = { "10.1.1.1", "192.168.1.9", 17, 53, 40000, 0x02, true, 0, 1300 };
	struct dp_event event;
	uint8_t sent[2048], got[2048];

	install(&left, 0x1000, 0x1001, one, other, &left_net, &right_net);
	install(&right, 0x1001, 0x1000, other, one, &right_net, &left_net);
	for (int i = 0; i < 4; i++) {
		struct plane *from = i % 2 ? &right : &left, *to = i % 2 ? &left : &right;
		size_t n = flow_write(i % 2 ? &back : &there, sent, sizeof(sent));

		ck_assert_int_eq(write(from->inside, sent, n), (ssize_t)n);
		ck_assert_msg(readable(to->inside, PATIENCE_MS), "packet %d", i);
		ck_assert_int_eq(read(to->inside, got, sizeof(got)), (ssize_t)n);
		ck_assert_mem_eq(sent, got, n);
	}
	ck_assert_uint_eq(plane_stat(&left, "in_packets"), 2);
	ck_assert_uint_eq(plane_stat(&left, "in_malformed"), 0);
	ck_assert_uint_eq(plane_stat(&left, "send_errors"), 0);
	/* Nobody has moved: a port does not count here. */
	while (left.dp->ops->take_event(left.dp, &event))
		ck_assert_int_eq(event.kind, DP_NO_SA);
}

START_TEST(over_ipv4)
{
	exchange("127.0.0.1", "127.0.0.2");
}
END_TEST

START_TEST(over_ipv6)
{
	if (access("/proc/net/if_inet6", F_OK) == 0)
		exchange("::1", "::1");
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, over_ipv4);
	tcase_add_test(t, over_ipv6);
}

int main(void)
{
	struct err e = { 0 };

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		puts("skipped: no network namespace may be made here");
		return 77;
	}
	if (tun_set_up("lo", true, &e) != GW_OK) {
		puts(e.text);
		return EXIT_FAILURE;
	}
	return run_cases("user_raw", add);
}
