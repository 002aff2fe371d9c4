/*
 * Tunnels per second that the kernel plane installs, updates (rekeys) and removes, beside a bare loop that puts the
 * same messages into the kernel in batches and does nothing else: no books, no undoing, no events. A tunnel is two SAs
 * with their three policies. In a network namespace of its own; needs a kernel with ESP (tests/load/bench_xfrm.sh).
 *
 * The sides take turns of 250 tunnels; told is what the calm tenth of the turns takes, since others run beside us.
 * Compared is what a daemon does that has had as many tunnels before: its memory is there. What the first of them cost
 * is told beside that. The difference is page faults, one for each four tunnels: half a microsecond each on a machine,
 *and 60 to 100 in User Mode Linux, where each is some signals and calls of another process.
 *
 *	bench-xfrm [FILE]: results as JSON to the file
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "esp/xfrm.h"
#include "esp/xfrm_msg.h"

enum {
	SIZES = 3,
	WAYS = 3,
	SIDES = 2,
	WARM_MB = 1500,
	BATCH = 64 << 10,
	TURN = 250,
	WAITING = 500,
	TURNS_MAX = 2 * 50000 / TURN
};

static const uint32_t sizes[SIZES] = { 1000, 10000, 50000 };
static const char *const ways[WAYS] = { "installed", "updated", "removed" };

struct tunnel {
	struct dp_sa in, out;
	struct selector ours, theirs;
	uint32_t reqid;
};

struct bench {
	struct env env;
	struct rng_seeded rng;
	struct log log;
	struct dataplane *dp;
	struct nl_socket nl;
	struct nl_batch tx;
	uint8_t *buf;
	uint8_t key[36];
	struct cipher_suite suite;
	uint64_t asked, answered;
};

static void die(const char *what, const char *text)
{
	fprintf(stderr, "bench_xfrm: %s: %s\n", what, text);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct addr addr4(uint32_t v)
{
	struct addr a = { .family = 4 };

	put_u32(a.b, v);
	return a;
}

/*
 * The kernel's state hash XORs reqid, SPI and addresses: numbers that count up together would meet in a few chains.
 * Ours are uncorrelated, as the engine's are; and each is used once.
 */
static uint32_t scatter(uint32_t v)
{
	v = (v ^ v >> 16) * UINT32_C(0x7feb352d);
	v = (v ^ v >> 15) * UINT32_C(0x846ca68b);
	return v ^ v >> 16;
}

/* `side`: the plane's or the bare loop's. */
static void make_tunnel(const struct bench *b, int side, uint32_t i, uint32_t generation, struct tunnel *t)
{
	uint32_t inner = 0x0a000000 + ((uint32_t)side << 24) + i;
	struct dp_sa sa = {
		.mode = DP_TUNNEL,
		.local = { addr4(0xc0000201), 4500 },
		.remote = { addr4(0x64400000 + ((uint32_t)side << 20) + i / 8),
			    (uint16_t)(1024 + i % 60000) }, /* eight behind each NAT */
		.udp_encap = true,
		.suite = b->suite,
		.encr_key = { b->key, suite_encr_key_len(&b->suite) },
		.esn = true,
		.replay_window = 128,
		.fence = UINT32_C(1) << 20,
	};

	*t = (struct tunnel){ .in = sa, .out = sa };
	t->reqid = (((uint32_t)side << 20 | i) * UINT32_C(0x9e3779b1) & 0x0fffffff) + 1;
	t->in.dir = DP_IN;
	t->in.fence = DP_NO_FENCE;
	t->out.dir = DP_OUT;
	t->in.spi = scatter(8 * (i + 1) + 4 * (uint32_t)side + 2 * generation);
	t->out.spi = scatter(8 * (i + 1) + 4 * (uint32_t)side + 2 * generation + 1);
	t->in.reqid = t->out.reqid = t->reqid;
	t->ours = (struct selector){ .port_hi = 65535, .range = { addr4(0), addr4(UINT32_MAX) } };
	t->theirs = (struct selector){ .port_hi = 65535, .range = { addr4(inner), addr4(inner) } };
}

/* ---- through the plane ---- */

static void collect(struct bench *b, uint64_t until)
{
	struct dp_event event;

	while (b->answered < until) {
		struct pollfd f = { .fd = xfrm_plane_wake_fd(b->dp), .events = POLLIN };

		if (poll(&f, 1, 10000) != 1)
			die("plane", "no answer");
		while (b->dp->ops->take_event(b->dp, &event)) {
			if (event.kind != DP_DONE || event.result != GW_OK)
				die("plane", event.text);
			b->answered++;
		}
	}
}

static void submit(struct bench *b, const struct dp_op *ops, size_t n)
{
	if (b->asked - b->answered >= WAITING)
		collect(b, b->asked - WAITING / 2);
	if (dp_submit(b->dp, b->asked++, ops, n) != GW_OK)
		die("plane", "refused");
}

static struct dp_op removal(const struct dp_sa *sa)
{
	struct dp_op op = { .kind = DP_SA_REMOVE };

	op.id = (struct dp_sa_id){ sa->dir, sa->spi, sa->remote.addr };
	return op;
}

static void plane_way(struct bench *b, int way, uint32_t i)
{
	struct tunnel t, next;

	make_tunnel(b, 0, i, way == 2 ? 1 : 0, &t);
	if (way == 0) {
		struct dp_op ops[3] = { { .kind = DP_SA_ADD }, { .kind = DP_SA_ADD }, { .kind = DP_POLICY_SET } };

		ops[0].sa = t.in;
		ops[1].sa = t.out;
		ops[2].policy = (struct dp_policy){ .reqid = t.reqid,
						    .local = t.out.local,
						    .remote = t.out.remote,
						    .ours = &t.ours,
						    .ours_count = 1,
						    .theirs = &t.theirs,
						    .theirs_count = 1 };
		submit(b, ops, 3);
	} else if (way == 1) {
		struct dp_op add[2] = { { .kind = DP_SA_ADD }, { .kind = DP_SA_ADD } };
		struct dp_op gone[2] = { removal(&t.out), removal(&t.in) };

		make_tunnel(b, 0, i, 1, &next);
		add[0].sa = next.in;
		add[1].sa = next.out;
		submit(b, add, 2);
		submit(b, gone, 2);
	} else {
		struct dp_op ops[3] = { { .kind = DP_POLICY_REMOVE, .reqid = t.reqid },
					removal(&t.out),
					removal(&t.in) };

		submit(b, ops, 3);
	}
}

static void run_plane(struct bench *b, int way, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		plane_way(b, way, i);
	collect(b, b->asked);
}

/* ---- bare ---- */

static void on_refused(void *arg, uint32_t index, int number, const char *text)
{
	(void)arg;
	(void)index;
	die("bare", text[0] ? text : strerror(number));
}

static void bare_send(struct bench *b)
{
	const struct nl_handler h = { .error = on_refused };

	if (nl_exchange(&b->nl, &b->tx, &h) != GW_OK)
		die("bare", "not sent");
	nl_reset(&b->tx, b->buf, BATCH, b->nl.seq);
}

#define BARE(b, call) \
	do { \
		if (!(call)) { \
			bare_send(b); \
			if (!(call)) \
				die("bare", "too large"); \
		} \
	} while (0)

static struct xfrm_state bare_state(const struct dp_sa *sa)
{
	return (struct xfrm_state){
		.dir = sa->dir,
		.mode = sa->mode,
		.spi = sa->spi,
		.reqid = sa->reqid,
		.local = sa->local,
		.remote = sa->remote,
		.udp_encap = true,
		.esn = true,
		.suite = sa->suite,
		.encr_key = sa->encr_key,
		.soft = sa->dir == DP_OUT ? sa->fence / 2 : XFRM_NO_LIMIT,
		.hard = sa->fence,
	};
}

static void bare_add(struct bench *b, const struct dp_sa *sa)
{
	struct xfrm_state s = bare_state(sa);
	struct xfrm_numbers n = { .window = 128 };

	BARE(b, xfrm_put_new_sa(&b->tx, &s, &n));
}

static void bare_remove(struct bench *b, const struct dp_sa *sa)
{
	struct xfrm_state s = bare_state(sa);
	struct xfrm_state_id id = xfrm_state_id_of(&s);

	BARE(b, xfrm_put_del_sa(&b->tx, &id));
}

static struct xfrm_policy bare_policy(const struct tunnel *t, uint8_t dir)
{
	struct xfrm_policy p = {
		.row = { .ours = { t->ours.range.lo, 0 }, .theirs = { t->theirs.range.lo, 32 } },
		.dir = dir,
		.priority = XFRM_PRIO_TUNNEL,
		.has_template = true,
		.reqid = t->reqid,
	};

	if (dir == XFRM_POLICY_OUT) {
		p.spi = t->out.spi;
		p.local = t->out.local.addr;
		p.remote = t->out.remote.addr;
	}
	return p;
}

static void bare_way(struct bench *b, int way, uint32_t i)
{
	static const uint8_t dirs[] = { XFRM_POLICY_OUT, XFRM_POLICY_IN, XFRM_POLICY_FWD };
	struct tunnel t, next;
	struct xfrm_policy p;

	make_tunnel(b, 1, i, way == 2 ? 1 : 0, &t);
	if (way == 1) {
		make_tunnel(b, 1, i, 1, &next);
		bare_add(b, &next.in);
		bare_add(b, &next.out);
		p = bare_policy(&next, XFRM_POLICY_OUT);
		BARE(b, xfrm_put_policy(&b->tx, &p));
	}
	for (size_t k = 0; k < ARRAY_LEN(dirs) && way == 2; k++) {
		p = bare_policy(&t, dirs[k]);
		BARE(b, xfrm_put_del_policy(&b->tx, &p));
	}
	if (way != 0) {
		bare_remove(b, &t.out);
		bare_remove(b, &t.in);
		return;
	}
	bare_add(b, &t.in);
	bare_add(b, &t.out);
	for (size_t k = 0; k < ARRAY_LEN(dirs); k++) {
		p = bare_policy(&t, dirs[k]);
		BARE(b, xfrm_put_policy(&b->tx, &p));
	}
}

static void run_bare(struct bench *b, int way, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		bare_way(b, way, i);
	bare_send(b);
}

/* ---- other things that must be cheap ---- */

static double dump_all(struct bench *b, uint32_t n)
{
	struct dp_sa_state states[256];
	double begin = now();
	uint64_t cookie = 0;
	size_t total = 0;

	do
		total += b->dp->ops->dump(b->dp, &cookie, states, ARRAY_LEN(states));
	while (cookie != 0);
	if (total != 2 * (size_t)n)
		die("dump", "not all SAs");
	return now() - begin;
}

static double raise_all(struct bench *b, uint32_t n)
{
	double begin = now();

	for (uint32_t i = 0; i < n; i++) {
		struct dp_op op = { .kind = DP_SA_FENCE };
		struct tunnel t;

		make_tunnel(b, 0, i, 1, &t);
		op.id = (struct dp_sa_id){ DP_OUT, t.out.spi, t.out.remote.addr };
		op.position = UINT32_C(1) << 21;
		submit(b, &op, 1);
	}
	collect(b, b->asked);
	return now() - begin;
}

/* ---- results ---- */

static const char *const why_slower =
	"the books (two SAs with keys and numbers, a policy, what undoes them) are 1 kB a "
	"tunnel, which the bare loop does not have: they cost cache misses";
static const char *const why_first =
	"the books are touched for the first time: a page for each four tunnels, and a page "
	"takes 60 to 100 us in User Mode Linux (half of one on a machine)";
static const char *const why_grows = "the kernel's own part grows: so does the bare loop's cost";

struct results {
	FILE *f;
	const char *comma;
};

static void put(struct results *r, const char *measure, double value, const char *unit, double bare, const char *goal,
		bool met, const char *why)
{
	if (r->f) {
		fprintf(r->f, "%s\n  {\"measure\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"", r->comma, measure, value,
			unit);
		if (bare > 0)
			fprintf(r->f, ", \"peer\": {\"name\": \"bare batched netlink loop\", \"value\": %.3f}", bare);
		if (goal)
			fprintf(r->f, ", \"goal\": \"%s\", \"met\": %s", goal, met ? "true" : "false");
		if (goal && !met)
			fprintf(r->f, ", \"why\": \"%s\"", why);
		fputs("}", r->f);
	}
	r->comma = ",";
}

static double cost[SIZES][SIDES][WAYS]; /* s a tunnel: plane, bare */
static double first_cost[SIZES][SIDES]; /* installed for the first time */
static double dumps[SIZES], raises[SIZES];

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What a turn costs while nothing else wants the processor: less than that it never takes, and more by chance. */
static double calm(double *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_size);
	return list[n / 10];
}

/* Times of turns, s. */
struct turns {
	double list[SIDES][TURNS_MAX];
	size_t n;
};

/* All tunnels one way, the sides turn about, each as often the first. */
static void take_turns(struct bench *b, int size, int way, struct turns *t)
{
	static void (*const run[SIDES])(struct bench *, int, uint32_t, uint32_t) = { run_plane, run_bare };

	for (uint32_t from = 0; from < sizes[size]; from += TURN, t->n++)
		for (size_t k = 0; k < SIDES; k++) {
			size_t side = (k + t->n) % SIDES;
			double begin = now();

			run[side](b, way, from, TURN);
			t->list[side][t->n] = now() - begin;
		}
}

static void settle(struct turns *t, double *plane, double *bare)
{
	*plane = calm(t->list[0], t->n) / TURN;
	*bare = calm(t->list[1], t->n) / TURN;
	t->n = 0;
}

static void measure(struct bench *b, int size)
{
	static struct turns all[WAYS];
	uint32_t n = sizes[size];
	int rounds = n <= 1000 ? 20 : n <= 10000 ? 4 : 2;
	double ignored;

	for (int round = -1; round < rounds; round++)
		for (int way = 0; way < WAYS; way++) {
			take_turns(b, size, way, &all[way]);
			if (way == 1) {
				raises[size] = raise_all(b, n);
				dumps[size] = dump_all(b, n);
			}
			if (round < 0)
				settle(&all[way], way == 0 ? &first_cost[size][0] : &ignored,
				       way == 0 ? &first_cost[size][1] : &ignored);
		}
	for (int way = 0; way < WAYS; way++) {
		settle(&all[way], &cost[size][0][way], &cost[size][1][way]);
		printf("%6u tunnels %-9s %9.0f/s  bare %9.0f/s  %3.0f %%\n", n, ways[way], 1 / cost[size][0][way],
		       1 / cost[size][1][way], 100 * cost[size][1][way] / cost[size][0][way]);
	}
	printf("%6u tunnels installed for the first time: %.0f/s  bare %.0f/s\n", n, 1 / first_cost[size][0],
	       1 / first_cost[size][1]);
	printf("%6u tunnels: fences raised %.0f/s, all %u SAs dumped in %.1f ms\n", n, n / raises[size], 2 * n,
	       dumps[size] * 1e3);
}

static void report(const char *path)
{
	struct results r = { .f = path ? fopen(path, "w") : NULL, .comma = "" };
	char name[96];

	if (path && !r.f)
		die(path, "cannot write");
	if (r.f)
		fputs("{\"name\": \"xfrm\", \"results\": [", r.f);
	for (int size = 0; size < SIZES; size++) {
		for (int way = 0; way < WAYS; way++) {
			double plane = 1 / cost[size][0][way], bare = 1 / cost[size][1][way];

			(void)snprintf(name, sizeof(name), "tunnels %s, %u", ways[way], sizes[size]);
			put(&r, name, plane, "1/s", bare, ">= 80 % of the bare loop", plane >= 0.8 * bare, why_slower);
		}
		(void)snprintf(name, sizeof(name), "tunnels installed for the first time, %u", sizes[size]);
		put(&r, name, 1 / first_cost[size][0], "1/s", 1 / first_cost[size][1], ">= 80 % of the bare loop",
		    first_cost[size][1] >= 0.8 * first_cost[size][0], why_first);
		(void)snprintf(name, sizeof(name), "fences raised, %u", sizes[size]);
		put(&r, name, sizes[size] / raises[size], "1/s", 0, NULL, true, NULL);
		(void)snprintf(name, sizeof(name), "dump of %u SAs", 2 * sizes[size]);
		put(&r, name, dumps[size] * 1e3, "ms", 0, NULL, true, NULL);
	}
	for (int way = 0; way < WAYS; way++) {
		double first = cost[0][0][way], last = cost[SIZES - 1][0][way];
		double bare = cost[SIZES - 1][1][way] / cost[0][1][way];

		(void)snprintf(name, sizeof(name), "cost of a tunnel %s, %u over %u", ways[way], sizes[SIZES - 1],
			       sizes[0]);
		put(&r, name, last / first, "ratio", bare, "<= 1.25", last / first <= 1.25, why_grows);
		printf("cost of a tunnel %s: %u over %u: %.2f (bare %.2f)\n", ways[way], sizes[SIZES - 1], sizes[0],
		       last / first, bare);
	}
	if (r.f) {
		fputs("\n]}\n", r.f);
		if (fclose(r.f) != 0)
			die(path, "cannot write");
	}
}

/*
 * User Mode Linux gets each page of its memory from the host when it touches it first, and some hosts theirs from
 * another one: without this, that would be most of what is measured.
 */
static void touch_memory(void)
{
	size_t size = (size_t)WARM_MB << 20;
	void *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (all == MAP_FAILED)
		die("memory", strerror(errno));
	(void)munmap(all, size);
}

int main(int argc, char **argv)
{
	const struct xfrm_plane_config cfg = { 0 };
	struct bench b = { .nl = { .fd = -1 } };
	struct err e = { 0 };

	touch_memory();
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
	(void)mallopt(M_TOP_PAD, 16 << 20);
	if (unshare(CLONE_NEWNET) != 0)
		die("namespace", strerror(errno));
	rng_seeded_init(&b.rng, 1);
	b.log = (struct log){ .level = LOG_LVL_WARN, .clock = clock_system() };
	b.env = (struct env){ .clock = clock_system(), .rng = &b.rng.rng, .log = &b.log };
	b.suite = (struct cipher_suite){ .encr = encr_find(ENCR_AES_GCM_16), .key_bits = 256 };
	b.buf = malloc(BATCH);
	b.dp = xfrm_plane_create(&b.env, &cfg, &e);
	if (!b.dp || !b.buf || nl_open(NETLINK_XFRM, &b.nl, &e) != GW_OK)
		die("plane", e.text);
	nl_reset(&b.tx, b.buf, BATCH, 1);
	for (int size = 0; size < SIZES; size++)
		measure(&b, size);
	report(argc > 1 ? argv[1] : NULL);
	b.dp->ops->destroy(b.dp);
	nl_close(&b.nl);
	free(b.buf);
	return 0;
}
