/*
 * A constant flow of UDP packets between two namespaces, both ways, and what became of it. One process has a socket at
 * each end, so that one clock times both and every loss is known by name.
 *
 *	flow_meter [--rate N] [--size N] [--port N] [--seconds N] [--json FILE] [--series FILE] NETNS,ADDRESS
 *NETNS,ADDRESS
 *
 * NETNS is a file under /run/netns (or a path). The first end is the client's, so `up` is from the first to the second.
 * Standard input, while it is open: `mark NAME` begins a part of the run with figures of its own, `end` ends it.
 * Standard output: at a mark `part NAME`, then of the part before it longest gap up and down in ms, lost up and down
 *(but for what was sent in its last 20 ms). And every 100 ms: milliseconds since the start, then for up and down:
 * arrived, lost so far (as far as known: overtaken, or silent for 100 ms), milliseconds since the last arrival.
 * --series: a line a packet: way, second of the run when it was sent, milliseconds under way (or `-`); for plots.
 * Arrivals are timed by the kernel, so that it does not matter when this process gets to them (SO_TIMESTAMPNS).
 * The process runs in real time where it may; `pause` in the JSON says for how long it did not get to send, and
 * `stood_still` for how long a processor did nothing that this machine could have ordered otherwise (tests/rig/stall.h;
 * null: not known).
 */
#include "core/addr.h"
#include "tests/rig/flow.h"
#include "tests/rig/stall.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	PAYLOAD = 16,
	MAX_SIZE = 1400,
	MAX_MARKS = 4096,
	NAME = 48,
	LINGER_US = 400000,
	LIVE_US = 100000,
	UNDERWAY_US = 20000,
	WAITED_MOST_US = 1000000, /* else a clock was set */
	PRIORITY = 5
};
enum { UP, DOWN, WAYS };

static const uint32_t magic = 0x666c6f77; /* "flow" */

struct mark {
	char name[NAME];
	int64_t us;
};

struct meter {
	int socks[WAYS]; /* [UP] is the client's, which sends up */
	struct endpoint ends[WAYS];
	struct flow_way ways[WAYS];
	struct mark marks[MAX_MARKS];
	size_t mark_count;
	unsigned rate, size;
	uint16_t port;
	double begin_wall; /* seconds */
	int64_t begin_us, end_us, live_us, seconds;
	const char *json, *series;
	char line[256];
	size_t line_n;
	bool ending, deaf; /* deaf: standard input has ended */
	bool watched;	   /* stalls are known */
	struct stall_watch stalls;
};

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "flow_meter: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Opens a socket in a namespace; the process stays in the last one that it entered. */
static int open_end(const char *text, uint16_t port, struct endpoint *end)
{
	char path[256], *comma;
	struct sockaddr_storage ss;
	const int buffer = 4 << 20, yes = 1;
	int ns, fd;

	if (snprintf(path, sizeof(path), "%s%s", *text == '/' ? "" : "/run/netns/", text) >= (int)sizeof(path))
		return -1;
	comma = strchr(path, ',');
	if (!comma || !addr_parse(comma + 1, &end->addr)) {
		errno = EINVAL;
		return -1;
	}
	*comma = 0;
	end->port = port;
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -1;
	(void)close(ns);
	fd = socket(end->addr.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&ss, (socklen_t)endpoint_to_sockaddr(end, &ss)) < 0)
		return -1;
	return fd;
}

static void send_one(struct meter *m, int way, int64_t now)
{
	struct flow_way *f = &m->ways[way];
	uint8_t data[MAX_SIZE] = { 0 };
	struct sockaddr_storage ss;
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&m->ends[1 - way], &ss);

	put_u32(data, magic);
	put_u32(data + 4, (uint32_t)way);
	put_u64(data + 8, f->count);
	if (flow_sent(f, now) != GW_OK)
		abort();
	/* What the network refuses is lost; the books know. */
	(void)sendto(m->socks[way], data, m->size, 0, (const struct sockaddr *)&ss, n);
}

static void send_due(struct meter *m)
{
	int64_t now = now_us();
	uint64_t due = (uint64_t)((now - m->begin_us) * m->rate / 1000000) + 1;

	if (m->ending)
		return;
	while (m->ways[UP].count < due) {
		send_one(m, UP, now);
		send_one(m, DOWN, now);
	}
}

/* On the clock of now_us(). Of a packet that the kernel says nothing of, or nonsense: now. */
static int64_t arrived_us(struct msghdr *msg)
{
	int64_t waited = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec then, now;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&then, CMSG_DATA(c), sizeof(then));
		(void)clock_gettime(CLOCK_REALTIME, &now);
		waited = (int64_t)(now.tv_sec - then.tv_sec) * 1000000 + (now.tv_nsec - then.tv_nsec) / 1000;
	}
	return now_us() - (waited > 0 && waited < WAITED_MOST_US ? waited : 0);
}

static void receive_all(struct meter *m, int way)
{
	uint8_t data[MAX_SIZE];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec iov = { data, sizeof(data) };

	for (;;) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
		};
		/* What goes up arrives at the second end. */
		ssize_t n = recvmsg(m->socks[1 - way], &msg, 0);

		if (n < 0)
			return;
		if (n >= PAYLOAD && get_u32(data) == magic && get_u32(data + 4) == (uint32_t)way)
			if (flow_arrived(&m->ways[way], get_u64(data + 8), arrived_us(&msg)) == GW_ENOMEM)
				abort();
	}
}

static void end_now(struct meter *m)
{
	if (m->ending)
		return;
	m->ending = true;
	m->end_us = now_us() + LINGER_US;
}

/* Of the last part, which ends now. */
static void tell_part(const struct meter *m)
{
	const struct mark *mark = &m->marks[m->mark_count - 1];
	int64_t until = now_us() - UNDERWAY_US;
	struct flow_figures up = flow_figures(&m->ways[UP], mark->us, until, false);
	struct flow_figures down = flow_figures(&m->ways[DOWN], mark->us, until, false);

	(void)printf("part %s %.1f %.1f %" PRIu64 " %" PRIu64 "\n", mark->name, (double)up.gap_us / 1000,
		     (double)down.gap_us / 1000, up.lost, down.lost);
	(void)fflush(stdout);
}

static void obey(struct meter *m, const char *line)
{
	if (strcmp(line, "end") == 0)
		end_now(m);
	if (strncmp(line, "mark ", 5) != 0 || m->mark_count == MAX_MARKS)
		return;
	if (m->mark_count > 0)
		tell_part(m);
	m->marks[m->mark_count].us = now_us();
	(void)snprintf(m->marks[m->mark_count].name, NAME, "%.*s", NAME - 1, line + 5);
	m->mark_count++;
}

static void listen_to(struct meter *m)
{
	char c;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &c, 1)) == 1) {
		if (c != '\n') {
			if (m->line_n + 1 < sizeof(m->line))
				m->line[m->line_n++] = c;
			continue;
		}
		m->line[m->line_n] = 0;
		m->line_n = 0;
		obey(m, m->line);
	}
	m->deaf = n == 0;
}

/* Packets that are missing for certain, or almost. */
static uint64_t missing(const struct flow_way *f, int64_t now)
{
	return (now - f->last_us > LIVE_US ? f->count : f->highest) - f->arrived;
}

static void live(struct meter *m)
{
	int64_t now = now_us();

	if (now < m->live_us)
		return;
	m->live_us += LIVE_US;
	(void)printf("%" PRId64, (now - m->begin_us) / 1000);
	for (int way = UP; way < WAYS; way++) {
		const struct flow_way *f = &m->ways[way];
		int64_t last = f->last_us ? f->last_us : m->begin_us;

		(void)printf(" %" PRIu64 " %" PRIu64 " %" PRId64, f->arrived, missing(f, now), (now - last) / 1000);
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

static void write_way(FILE *out, const char *name, const struct flow_figures *f, int64_t begin)
{
	(void)fprintf(out,
		      "\"%s\": {\"sent\": %" PRIu64 ", \"arrived\": %" PRIu64 ", \"lost\": %" PRIu64
		      ", \"duplicates\": %" PRIu64 ", \"late\": %" PRIu64 ", \"latest\": %" PRIu64
		      ", \"gap_ms\": %.3f, \"gap_at_s\": %.3f, \"pause_ms\": %.3f, \"latency_ms\": %.3f}",
		      name, f->sent, f->arrived, f->lost, f->duplicates, f->late, f->latest, (double)f->gap_us / 1000,
		      f->gap_us ? (double)(f->gap_at_us - begin) / 1e6 : 0, (double)f->pause_us / 1000,
		      (double)f->latency_us / 1000);
}

static void write_part(const struct meter *m, FILE *out, int64_t from, int64_t to, bool last)
{
	struct flow_figures up = flow_figures(&m->ways[UP], from, to, last);
	struct flow_figures down = flow_figures(&m->ways[DOWN], from, to, last);

	write_way(out, "up", &up, m->begin_us);
	(void)fprintf(out, ", ");
	write_way(out, "down", &down, m->begin_us);
	if (m->watched)
		(void)fprintf(out, ", \"stood_still_ms\": %.3f", (double)stall_longest(&m->stalls, from, to) / 1000);
	else
		(void)fprintf(out, ", \"stood_still_ms\": null");
}

static int write_json(const struct meter *m)
{
	FILE *out = m->json ? fopen(m->json, "we") : stdout;

	if (!out)
		return fail(m->json);
	(void)fprintf(out, "{\"rate\": %u, \"begin\": %.4f, \"seconds\": %.3f, ", m->rate, m->begin_wall,
		      (double)(m->end_us - LINGER_US - m->begin_us) / 1e6);
	write_part(m, out, 0, INT64_MAX, true);
	(void)fprintf(out, ", \"marks\": [");
	for (size_t i = 0; i < m->mark_count; i++) {
		bool last = i + 1 == m->mark_count;

		(void)fprintf(out, "%s\n{\"name\": \"%s\", \"at_s\": %.3f, ", i ? "," : "", m->marks[i].name,
			      (double)(m->marks[i].us - m->begin_us) / 1e6);
		write_part(m, out, m->marks[i].us, last ? INT64_MAX : m->marks[i + 1].us, last);
		(void)fprintf(out, "}");
	}
	(void)fprintf(out, "]}\n");
	return m->json && fclose(out) != 0 ? fail(m->json) : 0;
}

static int write_series(const struct meter *m)
{
	FILE *out = m->series ? fopen(m->series, "we") : NULL;

	if (!m->series)
		return 0;
	if (!out)
		return fail(m->series);
	for (int way = UP; way < WAYS; way++)
		for (size_t i = 0; i < m->ways[way].count; i++) {
			const struct flow_packet *p = &m->ways[way].packets[i];

			(void)fprintf(out, "%s %.4f ", way == UP ? "up" : "down",
				      (double)(p->sent_us - m->begin_us) / 1e6);
			if (p->arrived_us)
				(void)fprintf(out, "%.3f\n", (double)(p->arrived_us - p->sent_us) / 1000);
			else
				(void)fprintf(out, "-\n");
		}
	return fclose(out) != 0 ? fail(m->series) : 0;
}

static void run(struct meter *m, int timer, int signals)
{
	struct pollfd fds[] = {
		{ .fd = m->socks[UP], .events = POLLIN }, { .fd = m->socks[DOWN], .events = POLLIN },
		{ .fd = timer, .events = POLLIN },	  { .fd = signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	struct timespec wall;
	uint64_t ticks;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	m->begin_wall = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
	m->begin_us = now_us();
	m->live_us = m->begin_us + LIVE_US;
	while (!m->ending || now_us() < m->end_us) {
		(void)poll(fds, m->deaf ? 4 : 5, 1000);
		if (fds[2].revents)
			(void)!read(timer, &ticks, sizeof(ticks));
		receive_all(m, UP);
		receive_all(m, DOWN);
		send_due(m);
		if (fds[3].revents && read(signals, &info, sizeof(info)) > 0)
			end_now(m);
		if (!m->deaf && fds[4].revents)
			listen_to(m);
		if (m->seconds && now_us() - m->begin_us >= m->seconds * 1000000)
			end_now(m);
		live(m);
	}
}

static const char *take_options(struct meter *m, int argc, char **argv, int *at)
{
	for (*at = 1; *at + 1 < argc && strncmp(argv[*at], "--", 2) == 0; *at += 2) {
		const char *name = argv[*at] + 2, *value = argv[*at + 1];
		unsigned long n = strtoul(value, NULL, 10);

		if (strcmp(name, "rate") == 0)
			m->rate = (unsigned)n;
		else if (strcmp(name, "size") == 0)
			m->size = (unsigned)n;
		else if (strcmp(name, "port") == 0)
			m->port = (uint16_t)n;
		else if (strcmp(name, "seconds") == 0)
			m->seconds = (int64_t)n;
		else if (strcmp(name, "json") == 0)
			m->json = value;
		else if (strcmp(name, "series") == 0)
			m->series = value;
		else
			return "unknown option";
	}
	if (*at + 2 != argc)
		return "two ends are wanted: NETNS,ADDRESS NETNS,ADDRESS";
	if (m->rate < 1 || m->rate > 100000 || m->size < PAYLOAD || m->size > MAX_SIZE || m->port == 0)
		return "--rate 1..100000, --size 16..1400, --port 1..65535";
	return NULL;
}

int main(int argc, char **argv)
{
	static struct meter m = { .rate = 1000, .size = 100, .port = 7007 };
	const struct sched_param priority = { .sched_priority = PRIORITY };
	const char *wrong;
	int at, timer, signals, status;
	struct itimerspec every;
	sigset_t set;

	wrong = take_options(&m, argc, argv, &at);
	if (wrong) {
		(void)fprintf(stderr,
			      "flow_meter: %s\nusage: flow_meter [--rate N] [--size N] [--port N] [--seconds N] "
			      "[--json FILE] [--series FILE] NETNS,ADDRESS NETNS,ADDRESS\n",
			      wrong);
		return 2;
	}
	for (int way = UP; way < WAYS; way++) {
		m.socks[way] = open_end(argv[at + way], m.port, &m.ends[way]);
		if (m.socks[way] < 0)
			return fail(argv[at + way]);
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	every = (struct itimerspec){ .it_interval.tv_nsec = 1000000000 / (m.rate < 1000 ? m.rate : 1000) % 1000000000,
				     .it_interval.tv_sec = m.rate == 1,
				     .it_value.tv_nsec = 1 };
	if (signals < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0 ||
	    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0)
		return fail("start");
	(void)sched_setscheduler(0, SCHED_FIFO, &priority);
	m.watched = stall_watch_start(&m.stalls) == GW_OK;
	run(&m, timer, signals);
	status = write_json(&m) | write_series(&m);
	flow_clear(&m.ways[UP]);
	flow_clear(&m.ways[DOWN]);
	return status;
}
