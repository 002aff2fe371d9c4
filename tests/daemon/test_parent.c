#include "daemon/parent.h"

#include "core/crypto/crypto.h"
#include "tests/core/net/links.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS "192.0.2.1"

/* What the daemon of a test does in its first and in its second life; in memory that all processes share. */
struct plan {
	int first, second; /* exit status, or -signal; STALL: it hangs; WAIT: for a signal */
	bool quiet;	   /* tells no brief */
	struct endpoint local, remote;
	_Atomic unsigned lives;
	_Atomic bool there; /* the address, at the begin of the second life */
	_Atomic int got;    /* a signal */
};

enum { STALL = 1000, WAIT = 1001 };

static struct plan *plan;
static struct log silent_log;

static void silent(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	(void)level;
	(void)line;
	(void)n;
}

static void look(void *arg, const struct ifaddr_entry *a)
{
	struct addr wanted;

	if (addr_parse(ADDRESS, &wanted) && addr_equal(&a->addr, &wanted))
		*(bool *)arg = true;
}

static bool address_there(struct nl_socket *nl)
{
	struct err e = { 0 };
	bool there = false;

	ck_assert_int_eq(ifaddr_list(nl, look, &there, &e), GW_OK);
	return there;
}

static void nap(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static void stamp(struct heartbeat_page *page)
{
	atomic_store(&page->alive_us, clock_now(clock_system()).us);
}

static void on_signal(int number)
{
	atomic_store(&plan->got, number);
}

/* The daemon itself is an ordinary process. */
static bool ordinary(void)
{
	return sched_getscheduler(0) == SCHED_OTHER;
}

static int end_as(int what, struct heartbeat_page *page)
{
	if (what == STALL)
		nap(20000);
	if (what == WAIT) {
		for (int i = 0; i < 1000 && !atomic_load(&plan->got); i++) {
			nap(10);
			stamp(page);
		}
		return 3;
	}
	if (what < 0)
		(void)raise(-what);
	return what;
}

static int fake_daemon(void *arg, struct parent_link *link)
{
	struct parent_brief b = { .stall_us = MILLISECONDS(200), .cluster = "c", .node = 1, .path_count = 1 };
	struct nl_socket nl;
	struct err e = { 0 };
	unsigned life = atomic_fetch_add(&plan->lives, 1);

	(void)arg;
	if (!ordinary())
		return 96;
	if (plan->quiet)
		return end_as(plan->first, link->page);
	(void)signal(SIGHUP, on_signal);
	(void)signal(SIGTERM, on_signal);
	if (nl_open(NETLINK_ROUTE, &nl, &e) != GW_OK)
		return 99;
	if (life > 0) {
		atomic_store(&plan->there, address_there(&nl));
		nl_close(&nl);
		return end_as(plan->second, link->page);
	}
	b.address_count = 1;
	b.addresses[0].index = ifaddr_index("v0");
	b.addresses[0].len = 24;
	(void)!addr_parse(ADDRESS, &b.addresses[0].addr);
	b.paths[0].local = plan->local;
	b.paths[0].remote = plan->remote;
	memset(b.beat_key, 7, sizeof(b.beat_key));
	atomic_store(&link->page->boot, 42);
	atomic_store(&link->page->peer_boot, 43);
	atomic_store(&link->page->sequence, 44);
	atomic_store(&link->page->incarnation, 45);
	stamp(link->page);
	if (ifaddr_put(&nl, &b.addresses[0], 60, &e) != GW_OK || !address_there(&nl))
		return 98;
	if (parent_tell(link, &b, &e) != GW_OK)
		return 97;
	nl_close(&nl);
	for (int i = 0; i < 5; i++) {
		nap(10);
		stamp(link->page);
	}
	return end_as(plan->first, link->page);
}

static int run_plan(void)
{
	const struct parent_options opt = { .log = &silent_log, .daemon = fake_daemon };

	silent_log = (struct log){ .level = LOG_LVL_DEBUG, .clock = clock_system(), .sink = silent };
	return parent_run(&opt);
}

static int peer_socket(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	ck_assert(endpoint_from_sockaddr(&plan->remote, (struct sockaddr *)&at));
	plan->local = plan->remote;
	return fd;
}

/* Dies in one way or another, is replaced, and everybody knows. */
static void dies(int how)
{
	struct heartbeat_msg m = { 0 };
	uint8_t buf[HEARTBEAT_MAX], key[PAIR_BEAT_KEY];
	struct err e = { 0 };
	struct crypto *crypto = crypto_create(&e);
	struct pollfd f;
	unsigned count = 0;
	ssize_t n;

	*plan = (struct plan){ .first = how, .second = 0 };
	f = (struct pollfd){ .fd = peer_socket(), .events = POLLIN };
	memset(key, 7, sizeof(key));
	ck_assert_int_eq(run_plan(), 0);
	ck_assert_uint_eq(atomic_load(&plan->lives), 2);
	ck_assert(!atomic_load(&plan->there));
	ck_assert_int_eq(poll(&f, 1, 0), 1);
	n = recv(f.fd, buf, sizeof(buf), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(heartbeat_msg_verify(crypto, bytes_of(key, sizeof(key)), bytes_of(buf, (size_t)n)), GW_OK);
	ck_assert_int_eq(heartbeat_msg_parse(bytes_of(buf, (size_t)n), &m), GW_OK);
	ck_assert_uint_eq(m.kind, HEARTBEAT_WITHDRAWN);
	ck_assert_uint_eq(m.boot, 42);
	ck_assert_uint_eq(m.echo, 43);
	ck_assert_uint_eq(m.after, 44);
	ck_assert_uint_eq(m.incarnation, 45);
	ck_assert_uint_eq(m.node, 1);
	/* Said more than once, and no two are the same: the other one is not to take them for somebody's replay. */
	for (uint64_t before = m.sequence; poll(&f, 1, 0) == 1; before = m.sequence, count++) {
		n = recv(f.fd, buf, sizeof(buf), 0);
		ck_assert_int_eq(heartbeat_msg_parse(bytes_of(buf, (size_t)n), &m), GW_OK);
		ck_assert_uint_gt(m.sequence, before);
	}
	ck_assert_uint_eq(count, 2);
	(void)close(f.fd);
	crypto_destroy(crypto);
}

START_TEST(a_killed_daemon_is_replaced)
{
	dies(-SIGKILL);
	dies(1);
}
END_TEST

START_TEST(a_daemon_that_hangs_is_replaced)
{
	dies(STALL);
	dies(-SIGSTOP);
}
END_TEST

START_TEST(an_end_in_order_is_the_end)
{
	*plan = (struct plan){ .first = 0 };
	(void)close(peer_socket());
	ck_assert_int_eq(run_plan(), 0);
	ck_assert_uint_eq(atomic_load(&plan->lives), 1);
	/* What cannot start is not tried again: the configuration is wrong, say. */
	*plan = (struct plan){ .first = 6, .quiet = true };
	ck_assert_int_eq(run_plan(), 6);
	ck_assert_uint_eq(atomic_load(&plan->lives), 1);
	*plan = (struct plan){ .first = -SIGKILL, .quiet = true };
	ck_assert_int_eq(run_plan(), 1);
	ck_assert_uint_eq(atomic_load(&plan->lives), 1);
}
END_TEST

static int signalled(int number)
{
	int status = 0;
	pid_t pid;

	*plan = (struct plan){ .first = WAIT };
	(void)close(peer_socket());
	pid = fork();
	if (pid == 0)
		_exit(run_plan());
	for (int i = 0; i < 500 && atomic_load(&plan->lives) == 0; i++)
		nap(10);
	nap(100);
	ck_assert_int_eq(kill(pid, number), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(signals_are_passed_on)
{
	int status = signalled(SIGTERM);

	ck_assert_int_eq(atomic_load(&plan->got), SIGTERM);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_uint_eq(atomic_load(&plan->lives), 1);
	/* SIGHUP is no end: the daemon, which ended at it here, comes again. */
	status = signalled(SIGHUP);
	ck_assert_int_eq(atomic_load(&plan->got), SIGHUP);
	ck_assert_uint_eq(atomic_load(&plan->lives), 2);
	/* The parent is killed: the daemon is told to end. */
	status = signalled(SIGKILL);
	ck_assert(WIFSIGNALED(status));
	for (int i = 0; i < 500 && atomic_load(&plan->got) == 0; i++)
		nap(10);
	ck_assert_int_eq(atomic_load(&plan->got), SIGTERM);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, a_killed_daemon_is_replaced);
	tcase_add_test(t, a_daemon_that_hangs_is_replaced);
	tcase_add_test(t, an_end_in_order_is_the_end);
	tcase_add_test(t, signals_are_passed_on);
}

int main(void)
{
	if (!links_make())
		return EXIT_SUCCESS;
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (plan == MAP_FAILED || system("ip link set lo up") != 0)
		return EXIT_FAILURE;
	return links_run("parent", add);
}
