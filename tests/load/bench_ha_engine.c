/*
 * bench-ha-engine [TUNNELS [FILE]]: what the engine of high availability costs with many tunnels (default 100,000): a
 * full resync while clients connect and leave, a takeover, a comparison, and memory on each side. Both nodes, their IKE
 * engines, fake data planes and the sync link live in this process and share one thread, so what is measured is the
 * work of both nodes together. Time is real; the clock of the simulated world only orders events.
 *
 * Tunnels are copies of one that was negotiated, each with SPIs, identity and addresses of its own.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/sim/duo.h"
#include "tests/sim/suite.h"

enum { TUNNELS = 100000, CROWD = 8, BATCH = 64, TAKEOVERS = 5, COLD = 128 << 20, RECORD = 65536 };

static struct sim sim;
static struct duo duo;

struct template
{
	uint8_t bytes[RECORD];
	size_t n;
	uint8_t spi_i[8], spi_r[8], spi_in[4], spi_out[4], addr[4];
	char id[48];
};
static struct template first;

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double used_memory(void)
{
	return (double)mallinfo2().uordblks + (double)mallinfo2().hblkhd;
}

static void die(const char *why)
{
	fprintf(stderr, "bench-ha-engine: %s%s%s\n", why, sim.failure[0] ? ": " : "", sim.failure);
	exit(EXIT_FAILURE);
}

/* ---- many tunnels ---- */

static void take_template(void)
{
	struct duo_node *a = duo_owner(&duo);
	const struct ike_sa *sa;
	uint32_t after = 0;
	struct writer w = wr_of(first.bytes, sizeof(first.bytes));

	sa = a ? ike_next(a->g.ike, &after) : NULL;
	if (!sa || !sa->children || ike_encode(a->g.ike, ike_sa_local_spi(sa), &w) != GW_OK)
		die("no first tunnel");
	first.n = w.n;
	put_u64(first.spi_i, sa->spi_i);
	put_u64(first.spi_r, sa->spi_r);
	put_u32(first.spi_in, sa->children->spi_in);
	put_u32(first.spi_out, sa->children->spi_out);
	memcpy(first.addr, sim.clients[0].addr.b, sizeof(first.addr));
	memcpy(first.id, sim.clients[0].id, sizeof(first.id));
}

static void replace(uint8_t *p, size_t n, const void *what, const void *by, size_t len)
{
	uint8_t *at = p;

	while ((at = memmem(at, n - (size_t)(at - p), what, len)) != NULL) {
		memcpy(at, by, len);
		at += len;
	}
}

/* SPIs that the first node has drawn keep its index in their upper bits. */
static uint64_t add_copy(struct duo_node *a, uint32_t number)
{
	static uint8_t copy[RECORD];
	uint64_t spi_r = get_u64(first.spi_r) ^ ((uint64_t)number << 8);
	uint8_t b[8], in[4];
	char id[sizeof(first.id)];
	size_t len = strlen(first.id);
	struct err e = { 0 };
	uint8_t *reqid;

	memcpy(copy, first.bytes, first.n);
	memcpy(id, first.id, sizeof(id));
	(void)snprintf(id, sizeof(id), "%07u", number);
	id[7] = first.id[7];
	if (len < 8)
		die("the identity is too short");
	put_u32(in, get_u32(first.spi_in) ^ number);
	put_u32(b, 1000 + number);
	reqid = memmem(copy, first.n, first.spi_in, 4);
	memcpy(reqid + 8, b, 4);
	replace(copy, first.n, first.spi_in, in, 4);
	put_u32(b, get_u32(first.spi_out) ^ number);
	replace(copy, first.n, first.spi_out, b, 4);
	put_u64(b, get_u64(first.spi_i) ^ ((uint64_t)number << 8));
	replace(copy, first.n, first.spi_i, b, 8);
	put_u64(b, spi_r);
	replace(copy, first.n, first.spi_r, b, 8);
	replace(copy, first.n, first.id, id, len);
	put_u32(b, (UINT32_C(20) << 24) + number);
	replace(copy, first.n, first.addr, b, 4);
	if (ike_decode(a->g.ike, bytes_of(copy, first.n), true, &e) != GW_OK) {
		fprintf(stderr, "%s\n", e.text);
		die("a copy does not fit");
	}
	ha_dirty(a->ha, HA_OBJ_IKE, spi_r, false);
	return spi_r;
}

static uint32_t present; /* copies */

static void populate(uint32_t count)
{
	struct duo_node *a = duo_owner(&duo);

	for (uint32_t i = 1; i <= count; i++) {
		(void)add_copy(a, i);
		if (i % BATCH == 0)
			duo_flush(&duo);
	}
	duo_flush(&duo);
	present = count;
}

/* ---- a world ---- */

static void begin(uint32_t count)
{
	sim = (struct sim){ 0 };
	sim_init(&sim, 1, &(struct sim_settings){ .no_pools = true }, false);
	duo_init(&duo, &sim);
	duo.rebirth_us = 0;
	(void)sim_client_add(&sim, false);
	sim_connect(&sim, &sim.clients[0]);
	if (!duo_settle(&duo, SECONDS(60)) || !duo_wait_synced(&duo, SECONDS(10)))
		die("no pair");
	take_template();
	duo_kill(&duo, duo_other(&duo, duo_owner(&duo)));
	duo_run(&duo, SECONDS(1));
	populate(count);
	for (size_t i = 1; i < CROWD; i++)
		(void)sim_client_add(&sim, false);
}

static void end(void)
{
	duo_clear(&duo);
	sim_clear(&sim);
}

/* ---- load ---- */

struct load {
	uint64_t handshakes, failed;
};

static void crowd(struct load *l)
{
	for (size_t i = 1; i < sim.client_count; i++) {
		struct sim_client *c = &sim.clients[i];

		if (ini_up(c->ini)) {
			l->handshakes++;
			(void)ini_delete(c->ini);
		} else if (c->ini->failed || !c->ini->sas) {
			l->failed += c->ini->failed;
			sim_connect(&sim, c);
		}
	}
	duo_flush(&duo);
}

/* ---- results ---- */

static bool written;
static FILE *out;

static void result(const char *measure, double value, const char *unit, const char *goal, bool met, const char *note)
{
	fprintf(out, "%s{\"measure\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", written ? ",\n  " : "  ", measure,
		value, unit);
	if (goal)
		fprintf(out, ", \"goal\": \"%s\", \"met\": %s", goal, met ? "true" : "false");
	if (note)
		fprintf(out, ", \"note\": \"%s\"", note);
	fprintf(out, "}");
	written = true;
}

static double resync(struct load *l)
{
	struct duo_node *b = duo_other(&duo, duo_owner(&duo));
	double start;

	duo_start(&duo, b);
	start = now_s();
	for (int i = 0; i < 1000000 && !duo_synced(&duo); i++) {
		duo_run(&duo, MILLISECONDS(1));
		if (l)
			crowd(l);
		/* The crowd never lets go: synced is when the standby has all that there was. */
		if (l && duo_owner(&duo)) {
			struct ha_status st;

			ha_look(duo_owner(&duo)->ha, &st);
			if (st.sync == HA_SYNC_DONE)
				break;
		}
	}
	if (sim.failure[0])
		die("no resync");
	if (ike_count(b->g.ike) <= present || fake_plane_sa_count(b->g.plane) <= 2 * present)
		die("the standby lacks tunnels");
	return now_s() - start;
}

/*
 * A takeover takes some microseconds, and most of that is memory that is not in a cache: a node that was synced a
 * moment ago has thrown all of it out. So it is cold in every measurement, however few tunnels there are.
 */
static void chill(void)
{
	static uint8_t cold[COLD];

	for (size_t i = 0; i < sizeof(cold); i += 64)
		cold[i]++;
	__asm__ volatile("" ::"r"(cold) : "memory");
}

/* From the decision to the last step of the new owner. */
static double takeover(void)
{
	struct duo_node *a = duo_owner(&duo), *b = duo_other(&duo, a);
	struct err e = { 0 };
	double start;

	duo_stop(&duo, a); /* its memory is given back later: that is no part of a takeover */
	chill();
	start = now_s();
	if (ha_promote(b->ha, "bench", &e) != GW_OK)
		die(e.text);
	duo_flush(&duo);
	start = now_s() - start;
	if (duo_owner(&duo) != b || !fake_plane_is_open(b->g.plane))
		die("no takeover");
	duo_kill(&duo, a);
	return start;
}

static double least_takeover(int times)
{
	double least = 1e9;

	for (int i = 0; i < times; i++) {
		double t;

		(void)resync(NULL);
		t = takeover();
		least = t < least ? t : least;
	}
	return least;
}

static double verify(void)
{
	struct err e = { 0 };
	double start = now_s();

	if (ha_verify(duo_owner(&duo)->ha, false, &e) != GW_OK)
		die(e.text);
	duo.verified = 0;
	while (!duo.verified && !sim.failure[0])
		duo_run(&duo, MILLISECONDS(1));
	if (duo.differences > 0)
		die("the two nodes differ");
	return now_s() - start;
}

static uint32_t tunnels = TUNNELS;

/* A test of Check, because the simulated world is made of its assertions. */
START_TEST(bench)
{
	double before, active, standby, seconds, one, many;
	struct load l = { 0 };

	begin(0);
	one = least_takeover(TAKEOVERS);
	end();

	before = used_memory();
	begin(tunnels);
	active = used_memory() - before;
	before = used_memory();
	seconds = resync(&l);
	standby = used_memory() - before;
	fprintf(out, "{\"name\": \"ha-engine\", \"results\": [\n");
	result("full resync under handshake load", seconds, "s", tunnels == TUNNELS ? "<= 10" : NULL, seconds <= 10,
	       "both nodes on one core, fake planes; records of negotiated tunnels");
	result("tunnels", tunnels, "", NULL, false, NULL);
	result("handshakes meanwhile", (double)l.handshakes, "", NULL, false, NULL);
	result("handshakes refused meanwhile", (double)l.failed, "", "0", l.failed == 0, NULL);
	result("memory per tunnel, active", active / tunnels, "B", NULL, false,
	       "IKE engine, fake plane and ha together");
	result("memory per tunnel, standby", standby / tunnels, "B", "at most that of the active",
	       standby <= active * 1.01, NULL);
	duo_run(&duo, SECONDS(5));
	if (!duo_wait_synced(&duo, SECONDS(30)))
		die("not synced");
	result("verify", verify(), "s", NULL, false, "digests and this node's data plane; nothing differs");
	many = takeover();
	for (int i = 1; i < TAKEOVERS; i++) {
		double t;

		(void)resync(NULL);
		t = takeover();
		many = t < many ? t : many;
	}
	result("takeover, 1 tunnel", one * 1e6, "us", NULL, false,
	       "from the decision to the open data plane, with cold caches");
	result("takeover, all tunnels", many * 1e6, "us", NULL, false, NULL);
	result("takeover, all against 1", many / one, "", "<= 1.2", many / one <= 1.2, NULL);
	fprintf(out, "\n]}\n");
	end();
}
END_TEST

int main(int argc, char **argv)
{
	const struct suite_test all[] = { { bench, 0 } };
	int status;

	(void)setenv("CK_FORK", "no", 1);
	(void)setenv("CK_DEFAULT_TIMEOUT", "0", 1);
	tunnels = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : TUNNELS;
	out = argc > 2 ? fopen(argv[2], "w") : stdout;
	if (tunnels == 0 || !out) {
		fprintf(stderr, "usage: bench-ha-engine [TUNNELS [FILE]]\n");
		return 2;
	}
	status = suite_run("bench", all, ARRAY_LEN(all));
	(void)fclose(out);
	return status;
}
