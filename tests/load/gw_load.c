/*
 * gw-load: many IKEv2 clients in one process against a real responder, ours or another's, and what that costs it.
 *
 *	gw-load --to 127.0.0.1 --from 127.0.1.1 --sources 64 --pid 1234 --plan
 * up:100,up:1000,probe:5000,child:1000,ike:1000
 *
 * Each item of the plan is a job and how many of it; JSON with one result an item goes to stdout. Exit status 1 when a
 * job failed.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/load.h"
#include "load_certs.h"
#include "load_crowd.h"
#include "load_proc.h"

struct options {
	struct endpoint to;
	struct addr from;
	size_t sources, clients, in_flight, ballast;
	uint32_t per_second;
	uint16_t port, natt_port, from_port, from_natt_port;
	pid_t pid;
	const char *plan, *psk, *ike, *esp, *id, *certs, *eap;
	bool nat, v4, v6, pfs, fragmentation, own_dh;
	int64_t patience_us;
};

static const char usage[] =
	"usage: gw-load --to ADDRESS [options]\n"
	"  --port N, --natt-port N   of the responder (500, 4500)\n"
	"  --from ADDRESS            first source address (127.0.1.1)\n"
	"  --from-port N, --from-natt-port N  of all sources (0: any)\n"
	"  --sources N               how many source addresses (16)\n"
	"  --clients N               at most so many (what the plan needs)\n"
	"  --in-flight N             jobs under way at a time (32)\n"
	"  --rate N                  jobs begun a second (as many as are in flight at most)\n"
	"  --pid N                   process whose CPU time and memory are read\n"
	"  --plan JOB:N,...          jobs: up, probe, child, ike, down; wait:MILLISECONDS (up:100)\n"
	"  --psk TEXT                shared key (load)\n"
	"  --certs DIR               certificates instead, each client one of its own by DIR/ca.pem and DIR/ca.key\n"
	"  --eap PASSWORD            EAP-MSCHAPv2, each client a user by its identity; the responder's certificate is "
	"not looked at\n"
	"  --id SUFFIX               identities are loadNNNNNN and this (@example.org)\n"
	"  --ike PROPOSAL, --esp PROPOSAL\n"
	"  --nat                     force UDP encapsulation\n"
	"  --no-v4, --v6             which inner addresses to ask for (IPv4)\n"
	"  --fragment OCTETS         announce fragmentation, and make IKE_AUTH so much larger\n"
	"  --pfs                     Diffie-Hellman in rekeys of CHILD SAs\n"
	"  --own-dh                  a Diffie-Hellman key for each exchange, not one for all clients\n"
	"  --patience SECONDS        without progress (20)\n";

enum {
	OPT_TO = 1,
	OPT_PORT,
	OPT_NATT_PORT,
	OPT_FROM,
	OPT_FROM_PORT,
	OPT_FROM_NATT,
	OPT_SOURCES,
	OPT_CLIENTS,
	OPT_FLIGHT,
	OPT_RATE,
	OPT_PID,
	OPT_PLAN,
	OPT_PSK,
	OPT_ID,
	OPT_CERTS,
	OPT_EAP,
	OPT_IKE,
	OPT_ESP,
	OPT_NAT,
	OPT_NOV4,
	OPT_V6,
	OPT_PFS,
	OPT_OWN_DH,
	OPT_FRAGMENT,
	OPT_PATIENCE,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "to", 1, NULL, OPT_TO },
	{ "port", 1, NULL, OPT_PORT },
	{ "natt-port", 1, NULL, OPT_NATT_PORT },
	{ "from", 1, NULL, OPT_FROM },
	{ "from-port", 1, NULL, OPT_FROM_PORT },
	{ "from-natt-port", 1, NULL, OPT_FROM_NATT },
	{ "sources", 1, NULL, OPT_SOURCES },
	{ "clients", 1, NULL, OPT_CLIENTS },
	{ "in-flight", 1, NULL, OPT_FLIGHT },
	{ "rate", 1, NULL, OPT_RATE },
	{ "pid", 1, NULL, OPT_PID },
	{ "plan", 1, NULL, OPT_PLAN },
	{ "psk", 1, NULL, OPT_PSK },
	{ "id", 1, NULL, OPT_ID },
	{ "certs", 1, NULL, OPT_CERTS },
	{ "eap", 1, NULL, OPT_EAP },
	{ "ike", 1, NULL, OPT_IKE },
	{ "esp", 1, NULL, OPT_ESP },
	{ "nat", 0, NULL, OPT_NAT },
	{ "no-v4", 0, NULL, OPT_NOV4 },
	{ "v6", 0, NULL, OPT_V6 },
	{ "fragment", 1, NULL, OPT_FRAGMENT },
	{ "pfs", 0, NULL, OPT_PFS },
	{ "own-dh", 0, NULL, OPT_OWN_DH },
	{ "patience", 1, NULL, OPT_PATIENCE },
	{ "help", 0, NULL, OPT_HELP },
	{ 0 },
};

static bool number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return *text && !*end && *out <= max;
}

/* NULL: fine; else what is wrong. */
static const char *take_option(struct options *o, int opt, const char *arg)
{
	unsigned long n = 0;

	switch (opt) {
	case OPT_TO:
		return addr_parse(arg, &o->to.addr) ? NULL : "--to is not an address";
	case OPT_FROM:
		return addr_parse(arg, &o->from) ? NULL : "--from is not an address";
	case OPT_PLAN:
		o->plan = arg;
		return NULL;
	case OPT_PSK:
		o->psk = arg;
		return NULL;
	case OPT_ID:
		o->id = arg;
		return NULL;
	case OPT_CERTS:
		o->certs = arg;
		return NULL;
	case OPT_EAP:
		o->eap = arg;
		return NULL;
	case OPT_IKE:
		o->ike = arg;
		return NULL;
	case OPT_ESP:
		o->esp = arg;
		return NULL;
	case OPT_NAT:
		o->nat = true;
		return NULL;
	case OPT_NOV4:
		o->v4 = false;
		return NULL;
	case OPT_V6:
		o->v6 = true;
		return NULL;
	case OPT_PFS:
		o->pfs = true;
		return NULL;
	case OPT_OWN_DH:
		o->own_dh = true;
		return NULL;
	default:
		break;
	}
	if (!arg || !number(arg, 1u << 30, &n))
		return "a number was expected";
	switch (opt) {
	case OPT_PORT:
		o->port = (uint16_t)n;
		break;
	case OPT_NATT_PORT:
		o->natt_port = (uint16_t)n;
		break;
	case OPT_FROM_PORT:
		o->from_port = (uint16_t)n;
		break;
	case OPT_FROM_NATT:
		o->from_natt_port = (uint16_t)n;
		break;
	case OPT_SOURCES:
		o->sources = n;
		break;
	case OPT_CLIENTS:
		o->clients = n;
		break;
	case OPT_FLIGHT:
		o->in_flight = n;
		break;
	case OPT_FRAGMENT:
		o->ballast = n;
		o->fragmentation = true;
		break;
	case OPT_RATE:
		o->per_second = (uint32_t)n;
		break;
	case OPT_PID:
		o->pid = (pid_t)n;
		break;
	case OPT_PATIENCE:
		o->patience_us = SECONDS(n);
		break;
	default:
		return "see --help";
	}
	return NULL;
}

static const char *check(const struct options *o)
{
	if (!o->to.addr.family)
		return "--to is missing";
	if (o->sources == 0 || o->sources > NET_SOURCES_MAX)
		return "--sources: 1 to 1024";
	if (o->in_flight == 0)
		return "--in-flight: at least 1";
	if (o->from.family != o->to.addr.family)
		return "--from and --to are of different families";
	return NULL;
}

/* ---- the plan ---- */

static const char *const jobs[] = {
	[JOB_UP] = "up",   [JOB_PROBE] = "probe", [JOB_CHILD] = "child",
	[JOB_IKE] = "ike", [JOB_DOWN] = "down",	  [JOB_WAIT] = "wait",
};

enum { PLAN_MAX = 64 };
struct item {
	enum load_job job;
	size_t count;
};

static size_t plan_parse(const char *text, struct item plan[PLAN_MAX])
{
	char copy[1024], *save = NULL, *word;
	size_t n = 0;

	if (strlen(text) >= sizeof(copy))
		return 0;
	memcpy(copy, text, strlen(text) + 1);
	for (word = strtok_r(copy, ",", &save); word && n < PLAN_MAX; word = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(word, ':');
		unsigned long count = 0;
		size_t j = 0;

		if (!colon || !number(colon + 1, 10000000, &count))
			return 0;
		*colon = 0;
		while (j < ARRAY_LEN(jobs) && strcmp(jobs[j], word) != 0)
			j++;
		if (j == ARRAY_LEN(jobs))
			return 0;
		plan[n++] = (struct item){ (enum load_job)j, count };
	}
	return word ? 0 : n;
}

static bool run_item(struct crowd *c, const struct item *item, const struct options *o, json_t *results)
{
	const struct clock *clock = c->env->clock;
	uint64_t pss = proc_pss_kb(o->pid), cpu = proc_cpu_ns(o->pid), own = proc_cpu_ns(getpid());
	mtime start = clock_now(clock);
	size_t up = c->up;
	bool ok = crowd_run(c, item->job, item->count, o->in_flight, o->patience_us);
	double seconds = (double)mtime_since(start, clock_now(clock)) / 1e6,
	       each = c->finished ? 1e3 * (double)c->finished : 1e3;
	json_t *r;

	cpu = proc_cpu_ns(o->pid) - cpu;
	own = proc_cpu_ns(getpid()) - own;
	if (item->job == JOB_UP)
		c->up += c->finished;
	else if (item->job == JOB_DOWN)
		c->up -= c->finished < c->up ? c->finished : c->up;
	r = json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "job", jobs[item->job],
		      "up_before", (json_int_t)up, "up_after", (json_int_t)c->up, "done", (json_int_t)c->finished,
		      "failed", (json_int_t)c->failed, "seconds", seconds, "per_second",
		      seconds > 0 ? (double)c->finished / seconds : 0, "generator_us_each", (double)own / each,
		      "cpu_us_each", (double)cpu / each, "pss_kb_before", (json_int_t)pss, "pss_kb_after",
		      (json_int_t)proc_pss_kb(o->pid), "took_us_median", (json_int_t)crowd_took(c, 50), "took_us_p99",
		      (json_int_t)crowd_took(c, 99));
	if (r && (c->failed || !ok))
		json_object_set_new(r, "why", json_string(c->why));
	json_array_append_new(results, r);
	return ok && c->failed == 0;
}

/* One key for all clients (RFC 7296 2.12): nothing changes for the responder, and we are twice as fast. */
static struct dh_key *shared_key(struct crypto *crypto, const struct proposal_cfg *ike)
{
	struct dh_key *key = NULL;

	for (size_t i = 0; i < ike->n; i++)
		if (ike->t[i].type == TR_DH && dh_find(ike->t[i].id))
			return dh_generate(crypto, dh_find(ike->t[i].id), &key) == GW_OK ? key : NULL;
	return NULL;
}

static int run(const struct options *o, const struct item *plan, size_t items)
{
	struct rng *rng = rng_system_create();
	struct err e = { 0 };
	struct crypto *crypto = crypto_create(&e);
	struct env env = { .clock = clock_system(), .rng = rng, .crypto = crypto };
	struct proposal_cfg ike, esp;
	struct selector tsi[2] = { 0 }, tsr[2];
	struct ini_cfg cfg = { .ike = &ike,
			       .ike_count = 1,
			       .esp = &esp,
			       .esp_count = 1,
			       .tsi = tsi,
			       .tsr = tsr,
			       .psk = bytes_str(o->psk),
			       .want_v4 = o->v4,
			       .want_v6 = o->v6,
			       .fake_nat = o->nat,
			       .pfs = o->pfs,
			       .max_datagram = 1232,
			       .fragmentation = o->fragmentation,
			       .ballast = o->ballast,
			       .natt_port = o->natt_port,
			       .retransmit_us = SECONDS(2),
			       .tries = 6 };
	struct endpoint responder = { o->to.addr, o->port };
	json_t *results = json_array(), *all;
	struct crowd crowd = { 0 };
	struct load_certs *certs = NULL;
	struct load_net net = { .epoll = -1 };
	bool ok = true;
	uint64_t asked = 0;
	struct range any;

	if (o->v4 && range_parse("0.0.0.0-255.255.255.255", &any))
		tsi[cfg.tsi_count++] = selector_of(&any);
	if (o->v6 && range_parse("::/0", &any))
		tsi[cfg.tsi_count++] = selector_of(&any);
	if (o->eap) {
		cfg.eap.password = bytes_str(o->eap);
		cfg.hashes = 1 << SIGN_SHA2_256 | 1 << SIGN_SHA2_384 | 1 << SIGN_SHA2_512;
	}
	memcpy(tsr, tsi, sizeof(tsr));
	cfg.tsr_count = cfg.tsi_count;
	if (crypto && !o->own_dh && proposal_parse(o->ike, PROPOSAL_IKE, &ike, &e) == GW_OK)
		cfg.shared_dh = shared_key(crypto, &ike);
	if (!rng || !crypto || !results || proposal_parse(o->ike, PROPOSAL_IKE, &ike, &e) != GW_OK ||
	    proposal_parse(o->esp, PROPOSAL_ESP, &esp, &e) != GW_OK ||
	    (o->certs && load_certs_create(o->certs, &cfg, &certs, &e) != GW_OK) ||
	    net_open(&net, &o->from, o->sources, o->from_port, o->from_natt_port, &e) != GW_OK ||
	    crowd_init(&crowd, &env, &cfg, &net, o->clients, &responder, o->id) != GW_OK) {
		fprintf(stderr, "gw-load: %s\n", e.text[0] ? e.text : "out of memory");
		ok = false;
		items = 0;
	}
	if (certs && ok)
		load_certs_issue(certs, &crowd);
	crowd.per_second = o->per_second;
	for (size_t i = 0; i < items && ok; i++)
		ok = run_item(&crowd, &plan[i], o, results);
	for (size_t i = 0; crowd.clients && i < crowd.count; i++) {
		const struct ini *ini = crowd.clients[i].ini;

		asked += ini->peer_rekeys + ini->peer_ike_rekeys + ini->peer_probes + ini->peer_deletes;
	}
	all = json_pack("{s:s, s:O, s:I, s:I, s:I, s:I}", "name", "gw-load", "results", results, "send_failures",
			(json_int_t)crowd.send_failures, "strangers", (json_int_t)crowd.strangers, "retransmissions",
			(json_int_t)crowd.retries, "answered", (json_int_t)asked);
	if (all && items > 0) {
		json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
		puts("");
	}
	json_decref(all);
	json_decref(results);
	crowd_clear(&crowd);
	load_certs_destroy(certs);
	net_close(&net);
	dh_destroy(cfg.shared_dh);
	crypto_destroy(crypto);
	rng_system_destroy(rng);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options o = { .sources = 16,
			     .in_flight = 32,
			     .port = 500,
			     .natt_port = 4500,
			     .plan = "up:100",
			     .psk = "load",
			     .ike = "aes128gcm16-prfsha256-x25519",
			     .esp = "aes128gcm16",
			     .id = "@example.org",
			     .v4 = true,
			     .patience_us = SECONDS(20) };
	struct item plan[PLAN_MAX];
	const char *wrong = NULL;
	size_t items, need = 0;
	int opt;

	(void)!addr_parse("127.0.1.1", &o.from);
	while (!wrong && (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			fputs(usage, stdout);
			return 0;
		}
		wrong = opt == '?' ? "see --help" : take_option(&o, opt, optarg);
	}
	items = plan_parse(o.plan, plan);
	for (size_t i = 0; i < items; i++)
		need += plan[i].job == JOB_UP ? plan[i].count : 0;
	if (!o.clients || o.clients > need)
		o.clients = need ? need : 1;
	if (!wrong)
		wrong = items == 0 ? "--plan: JOB:N,... with jobs up, probe, child, ike, down, wait" : check(&o);
	if (wrong) {
		fprintf(stderr, "gw-load: %s\n", wrong);
		return 2;
	}
	return run(&o, plan, items);
}
