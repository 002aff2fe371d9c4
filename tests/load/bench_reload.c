/*
 * What a reload costs: 1,000 connections and 10,000 users, some of each changed, read again by a whole gateway over the
 * fake data plane. One JSON object a line: the time from the request to its end, the CPU time of all threads meanwhile,
 * and the longest turn of the loop (CPU time of its thread, so that neighbours on the machine do not count).
 *
 *	bench-reload [CONNECTIONS USERS ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "config/load.h"
#include "daemon/gateway.h"

struct files {
	char dir[64], config[96];
};

static int64_t ns_of(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench-reload: %s\n", what);
	exit(1);
}

/* `round` changes one in a hundred connections and users. */
static void config_write(const struct files *f, int conns, int users, int round)
{
	FILE *out = fopen(f->config, "w");

	if (!out)
		fail("cannot write the configuration");
	fprintf(out,
		"state_dir: %s/state\ncontrol: {socket: %s/s}\ndataplane: fake\nlog: {level: error}\n"
		"listen: {addresses: 127.0.0.1, port: 15500, port_natt: 15501}\n"
		"pools:\n  clients: {addresses: 10.0.0.0/16}\nusers:\n",
		f->dir, f->dir);
	for (int i = 0; i < users; i++)
		fprintf(out, "  user%05d@example.org: {password: 'the password of %d, round %d'}\n", i, i,
			i % 100 == round % 100 ? round : 0);
	fputs("connections:\n", out);
	for (int i = 0; i < conns; i++)
		fprintf(out,
			"  site%04d:\n    local: {id: gw.example.org}\n    remote: {ids: site%04d@example.org}\n"
			"    psk: 'the shared key of %d, round %d'\n    pools: [clients]\n"
			"    children:\n      lan: {local: [192.168.0.0/16, 10.%d.%d.0/24]}\n",
			i, i, i, i % 100 == round % 100 ? round : 0, i >> 8, i & 255);
	if (fclose(out) != 0)
		fail("cannot write the configuration");
}

static struct gateway *start(const struct files *f)
{
	const struct gateway_options opt = { .config_file = f->config };
	struct config_report report = { 0 };
	struct settings *s = config_load_file(f->config, NULL, &report);
	struct err e = { 0 };
	struct gateway *g;
	char text[512];

	if (!s)
		fail(report.count > 0 ? config_problem_text(&report, 0, text, sizeof(text)) : "no settings");
	config_report_clear(&report);
	s->port = s->port_natt = 0; /* any */
	g = gateway_create(s, &opt, &e);
	if (!g)
		fail(e.text);
	return g;
}

int main(int argc, char **argv)
{
	int conns = argc > 1 ? atoi(argv[1]) : 1000, users = argc > 2 ? atoi(argv[2]) : 10000;
	int rounds = argc > 3 ? atoi(argv[3]) : 10;
	struct files f;
	struct gateway *g;
	char command[128];

	(void)setenv("GATEWAY_ALLOW_FAKE", "1", 1);
	(void)snprintf(f.dir, sizeof(f.dir), "/tmp/bench-reload-XXXXXX");
	if (!mkdtemp(f.dir))
		fail("no scratch folder");
	(void)snprintf(f.config, sizeof(f.config), "%s/gateway.yaml", f.dir);
	config_write(&f, conns, users, 0);
	g = start(&f);
	for (int round = 1; round <= rounds; round++) {
		int64_t began, longest = 0, took, cpu;
		struct err e = { 0 };
		json_t *item;

		config_write(&f, conns, users, round);
		began = ns_of(CLOCK_MONOTONIC);
		cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID);
		if (reload_start(g->reload, false, &e) != GW_OK)
			fail(e.text);
		while (reload_running(g->reload)) {
			int64_t turn = ns_of(CLOCK_THREAD_CPUTIME_ID);

			loop_turn(g->loop, true);
			turn = ns_of(CLOCK_THREAD_CPUTIME_ID) - turn;
			longest = turn > longest ? turn : longest;
		}
		took = ns_of(CLOCK_MONOTONIC) - began;
		cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		if (reload_result(g->reload, &item, &e) != GW_OK)
			fail(e.text);
		printf("{\"conns\":%d,\"users\":%d,\"changes\":%zu,\"ms\":%.1f,\"cpu_ms\":%.1f,\"longest_turn_us\":%"
		       "lld}\n",
		       conns, users, json_array_size(json_object_get(item, "changes")), (double)took / 1e6,
		       (double)cpu / 1e6, (long long)(longest / 1000));
		json_decref(item);
	}
	gateway_destroy(g);
	(void)snprintf(command, sizeof(command), "rm -r %s", f.dir);
	return system(command) == 0 ? 0 : 1;
}
