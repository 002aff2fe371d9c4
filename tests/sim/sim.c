#include "tests/sim/sim.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "ike/message.h"

static const char psk[] = "a key that both of them know";

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
	va_end(ap);
}

static mtime clock_read(const struct clock *c)
{
	return ((const struct sim_clock *)c)->now;
}

static int64_t clock_wall(const struct clock *c)
{
	return 1800000000 + clock_read(c).us / 1000000;
}

mtime sim_now(const struct sim *s)
{
	return s->clock.now;
}

/* ---- making ---- */

static struct settings *settings_make(const struct sim_settings *want)
{
	static const struct sim_settings none;
	struct config_report report = { 0 };
	char yaml[4096], line[512];
	struct settings *settings;

	if (!want)
		want = &none;
	snprintf(yaml, sizeof(yaml),
		 "node: sim\n"
		 "ike:\n"
		 "  retransmit: {first: 1s, tries: 8}\n"
		 "%s"
		 "pools:\n"
		 "  four: {addresses: 10.99.0.0/24, dns: [10.1.0.53]%s}\n"
		 "  six: {addresses: 'fd00:99::/120'}\n"
		 "users: {%s}\n"
		 "connections:\n"
		 "  main:\n"
		 "    local: %s\n"
		 "    psk: '%s'\n"
		 "    pools: %s\n"
		 "%s"
		 "    children:\n"
		 "      lan:\n"
		 "        local: [10.1.0.0/16, 'fd01::/64']\n"
		 "%s%s%s",
		 want->ike ? want->ike : "", want->pool ? want->pool : "", want->users ? want->users : "",
		 want->local ? want->local : "{id: gw.example.org}", psk, want->no_pools ? "[]" : "[four, six]",
		 want->conn ? want->conn : "", want->child ? want->child : "", want->more ? want->more : "",
		 want->root ? want->root : "");
	settings = config_load_text("sim.yaml", bytes_str(yaml), NULL, &report);
	for (size_t i = 0; !settings && i < report.count; i++)
		fprintf(stderr, "%s\n", config_problem_text(&report, i, line, sizeof(line)));
	config_report_clear(&report);
	return settings;
}

void sim_init(struct sim *s, uint64_t seed, const struct sim_settings *settings, bool paired)
{
	struct settings *loaded;
	struct range any;
	struct err e = { 0 };

	*s = (struct sim){ .seed = seed };
	rng_seeded_init(&s->rng, seed);
	s->clock = (struct sim_clock){ { .now = clock_read, .wall = clock_wall }, { SECONDS(1000) } };
	s->log = (struct log){ .level = LOG_LVL_DEBUG, .format = LOG_TEXT, .clock = &s->clock.clock };
	s->crypto = crypto_create(&e);
	ck_assert_msg(s->crypto != NULL, "%s", e.text);
	s->env = (struct env){ .clock = &s->clock.clock,
			       .rng = &s->rng.rng,
			       .log = getenv("SIM_LOG") ? &s->log : NULL,
			       .crypto = s->crypto };
	net_init(&s->net, &s->rng.rng);
	loaded = settings_make(settings);
	ck_assert_msg(loaded != NULL, "the settings of this test do not load");
	ck_assert_msg(gate_init(&s->gate, &s->env, &s->net, loaded, paired), "no gateway");
	sim_offer(s, "aes128gcm16-prfsha256-x25519", "aes128gcm16-noesn");
	ck_assert(range_parse("0.0.0.0-255.255.255.255", &any));
	s->all_v4 = s->all_v6[0] = selector_of(&any);
	ck_assert(range_parse("::/0", &any));
	s->all_v6[1] = selector_of(&any);
}

void sim_offer(struct sim *s, const char *ike, const char *esp)
{
	struct err e = { 0 };

	ck_assert_msg(proposal_parse(ike, PROPOSAL_IKE, &s->ike_offer, &e) == GW_OK, "%s", e.text);
	ck_assert_msg(proposal_parse(esp, PROPOSAL_ESP, &s->esp_offer, &e) == GW_OK, "%s", e.text);
}

void sim_clear(struct sim *s)
{
	for (size_t i = 0; i < s->client_count; i++)
		ini_destroy(s->clients[i].ini);
	gate_clear(&s->gate);
	net_clear(&s->net);
	crypto_destroy(s->crypto);
}

struct sim_client *sim_client_add(struct sim *s, bool behind_nat)
{
	struct sim_client *c = &s->clients[s->client_count++];
	struct ini_self self = { .natt_port = 4500, .id_kind = ID_RFC822 };
	struct addr outside;
	char text[ADDR_TEXT];
	size_t n = s->client_count;

	ck_assert(n <= SIM_CLIENTS);
	snprintf(c->id, sizeof(c->id), "user%zu@example.org", n);
	snprintf(text, sizeof(text), behind_nat ? "192.168.%zu.2" : "203.0.113.%zu", n);
	ck_assert(addr_parse(text, &c->addr));
	if (behind_nat) {
		snprintf(text, sizeof(text), "203.0.113.%zu", n);
		ck_assert(addr_parse(text, &outside));
		c->nat = net_nat_add(&s->net, &c->addr, &outside, (uint16_t)(1000 * n));
	}
	c->cfg = (struct ini_cfg){ .ike = &s->ike_offer,
				   .ike_count = 1,
				   .esp = &s->esp_offer,
				   .esp_count = 1,
				   .psk = bytes_str(psk),
				   .tsi = &s->all_v4,
				   .tsi_count = 1,
				   .tsr = &s->all_v4,
				   .tsr_count = 1,
				   .want_v4 = true,
				   .initial_contact = true,
				   .fragmentation = true,
				   .max_datagram = 1200,
				   .natt_port = 4500,
				   .retransmit_us = SECONDS(1),
				   .tries = 8,
				   .linger_us = SECONDS(60) };
	self.local = (struct endpoint){ c->addr, 500 };
	ck_assert(addr_parse("192.0.2.1", &self.remote.addr));
	self.remote.port = 500;
	self.id = bytes_str(c->id);
	c->ini = ini_create(&s->env, &c->cfg, &self);
	ck_assert_ptr_nonnull(c->ini);
	return c;
}

void sim_roam(struct sim *s, struct sim_client *c, bool behind_nat)
{
	unsigned n = (unsigned)(c - s->clients) + 1, at = ++c->roamed % 200;
	struct endpoint local = { .port = c->ini->local.port };
	struct addr outside;
	char text[ADDR_TEXT];

	snprintf(text, sizeof(text), behind_nat ? "192.168.%u.%u" : "198.18.%u.%u", n, at + 3);
	ck_assert(addr_parse(text, &c->addr));
	snprintf(text, sizeof(text), "198.19.%u.%u", n, at + 3);
	ck_assert(addr_parse(text, &outside));
	/* Its NAT goes along: a network has room for so many only. */
	if (behind_nat && !c->nat)
		c->nat = net_nat_add(&s->net, &c->addr, &outside, (uint16_t)(1000 * n));
	if (c->nat) {
		c->nat->inside = c->addr;
		c->nat->outside = behind_nat ? outside : c->addr;
		c->nat->shift = behind_nat ? (uint16_t)(1000 * n + at) : 0;
	}
	local.addr = c->addr;
	(void)ini_update(c->ini, &local);
}

/* ---- time ---- */

static void client_flush(struct sim *s, struct sim_client *c)
{
	struct datagram d;

	while (ini_take(c->ini, &d))
		net_send(&s->net, s->clock.now, &d);
}

void sim_flush(struct sim *s)
{
	for (size_t i = 0; i < s->client_count; i++)
		client_flush(s, &s->clients[i]);
	gate_turn(&s->gate);
}

void sim_connect(struct sim *s, struct sim_client *c)
{
	if (ini_start(c->ini) != GW_OK)
		sim_fail(s, "a client cannot start");
	client_flush(s, c);
}

/* With SIM_LOG: what goes over the wire, between the gateway's log lines. */
static void trace(const struct sim *s, const struct datagram *d)
{
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
	struct ike_header h;

	if (!s->env.log || msg_parse_header(d->data, &h) != GW_OK)
		return;
	log_debug(s->env.log, "%lld.%06llds %s -> %s: %s %s %u of %08llx/%08llx",
		  (long long)(s->clock.now.us / 1000000), (long long)(s->clock.now.us % 1000000),
		  endpoint_text(&d->from, from), endpoint_text(&d->to, to), exchange_name(h.exchange),
		  h.flags & IKE_FLAG_RESPONSE ? "response" : "request", h.id, (unsigned long long)h.spi_i >> 32,
		  (unsigned long long)h.spi_r >> 32);
}

static void arrive(struct sim *s, struct datagram *d, uint8_t *bytes)
{
	trace(s, d);
	if (s->on_arrival && !s->on_arrival(s, d, bytes))
		return;
	for (size_t i = 0; i < s->client_count; i++) {
		struct sim_client *c = &s->clients[i];

		if (!addr_equal(&d->to.addr, &c->addr))
			continue;
		ini_receive(c->ini, d, bytes);
		client_flush(s, c);
		return;
	}
	if (d->to.port != 500 && d->to.port != 4500)
		return;
	d->natt = d->to.port == 4500;
	gate_receive(&s->gate, d, bytes);
}

bool sim_step(struct sim *s, mtime until)
{
	mtime next = mtime_min(net_due(&s->net), gate_due(&s->gate));
	struct datagram d;
	uint8_t *bytes = NULL;

	for (size_t i = 0; i < s->client_count; i++)
		next = mtime_min(next, ini_due(s->clients[i].ini));
	if (next.us == MTIME_NEVER.us || next.us > until.us)
		return false;
	if (next.us > s->clock.now.us)
		s->clock.now = next;
	while (net_arrive(&s->net, s->clock.now, &d, &bytes))
		arrive(s, &d, bytes);
	if (mtime_reached(gate_due(&s->gate), s->clock.now))
		gate_tick(&s->gate);
	for (size_t i = 0; i < s->client_count; i++)
		if (mtime_reached(ini_due(s->clients[i].ini), s->clock.now)) {
			ini_tick(s->clients[i].ini);
			client_flush(s, &s->clients[i]);
		}
	if (s->gate.failure[0])
		sim_fail(s, "%s", s->gate.failure);
	return true;
}

/* A step that does not get on means that somebody is due and does nothing about it. */
enum { STEPS_AT_ONCE = 10000 };

void sim_run(struct sim *s, int64_t us)
{
	mtime until = mtime_add(s->clock.now, us), at = s->clock.now;
	unsigned steps = 0;

	while (!s->failure[0] && sim_step(s, until)) {
		if (s->clock.now.us != at.us)
			steps = 0;
		else if (++steps > STEPS_AT_ONCE)
			sim_fail(s, "time stands still");
		at = s->clock.now;
	}
	if (s->clock.now.us < until.us)
		s->clock.now = until;
}

/* NULL: at rest; else who is not. */
static const char *gate_restless(const struct gate *g)
{
	const struct ike_sa *sa;
	uint32_t after = 0;

	if (fake_plane_waiting(g->active.plane) > 0)
		return "the data plane works";
	if (ike_half_open_count(g->active.ike) > 0)
		return "half-open SAs";
	while ((sa = ike_next(g->active.ike, &after)) != NULL) {
		if (sa->state == IKE_LINGERING || sa->state == IKE_DEAD)
			continue;
		if (sa->state != IKE_UP)
			return "the gateway has an IKE SA on its way out";
		if (window_busy(&sa->window))
			return "the gateway waits for an answer";
		if (sa->want_rekey || sa->want_delete || sa->want_dpd || sa->peer_x || sa->our_x)
			return "the gateway has something to do for an IKE SA";
		for (const struct child_sa *c = sa->children; c; c = c->next) {
			if (c->state != CHILD_UP || !c->out_installed)
				return "the gateway has a CHILD SA between two states";
			if (c->want_rekey || c->want_delete)
				return "the gateway has something to do for a CHILD SA";
		}
	}
	return NULL;
}

static const char *restless(const struct sim *s)
{
	if (net_in_flight(&s->net) > 0)
		return "datagrams are in flight";
	for (size_t i = 0; i < s->client_count; i++)
		if (!s->clients[i].ini->failed && !ini_idle(s->clients[i].ini))
			return "a client waits or wants something";
	return gate_restless(&s->gate);
}

bool sim_settle(struct sim *s, int64_t at_most_us)
{
	mtime end = mtime_add(s->clock.now, at_most_us);

	while (!s->failure[0] && restless(s))
		if (!sim_step(s, end))
			break;
	if (!s->failure[0] && restless(s))
		sim_fail(s, "no rest: %s", restless(s));
	return !s->failure[0];
}

/* ---- seeds ---- */

void sim_check(struct sim *s)
{
	ck_assert_msg(!s->failure[0], "%s (SIM_SEED=%llu)", s->failure, (unsigned long long)s->seed);
}

void sim_seeds(const char *name, uint64_t first, unsigned count, void (*play)(struct sim *s, uint64_t seed))
{
	const char *forced = getenv("SIM_SEED"), *more = getenv("SIM_MORE");
	uint64_t first_failure = 0;
	struct sim s;

	if (more)
		count *= (unsigned)strtoul(more, NULL, 0);
	if (getenv("SIM_FROM"))
		first += strtoull(getenv("SIM_FROM"), NULL, 0);
	if (forced) {
		first = strtoull(forced, NULL, 0);
		count = 1;
	}
	for (unsigned i = 0; i < count; i++) {
		play(&s, first + i);
		if (s.failure[0])
			fprintf(stderr, "%s: seed %llu: %s\n", name, (unsigned long long)s.seed, s.failure);
		if (s.failure[0] && s.env.log)
			sim_dump(&s);
		if (s.failure[0] && !first_failure)
			first_failure = s.seed;
		if (!getenv("SIM_ALL"))
			sim_check(&s);
		sim_clear(&s);
	}
	ck_assert_msg(!first_failure, "SIM_SEED=%llu", (unsigned long long)first_failure);
	printf("%s: seeds %llu..%llu\n", name, (unsigned long long)first, (unsigned long long)(first + count - 1));
}
