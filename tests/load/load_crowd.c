#include "load_crowd.h"

#include <stdio.h>
#include <stdlib.h>

static bool slot_put(struct crowd *c, uint64_t spi, uint32_t client);

static bool slots_grow(struct crowd *c)
{
	struct spi_slot *old = c->slots;
	size_t n = c->slot_count;

	c->slots = calloc(n * 2, sizeof(*c->slots));
	if (!c->slots) {
		c->slots = old;
		return false;
	}
	c->slot_count = n * 2;
	c->slots_used = 0;
	for (size_t i = 0; i < n; i++)
		if (old[i].spi)
			(void)slot_put(c, old[i].spi, old[i].client);
	free(old);
	return true;
}

/* SPIs of ours are random, so they are their own hash. */
static struct spi_slot *slot_find(const struct crowd *c, uint64_t spi)
{
	size_t at = (size_t)spi & (c->slot_count - 1);

	while (c->slots[at].spi && c->slots[at].spi != spi)
		at = (at + 1) & (c->slot_count - 1);
	return &c->slots[at];
}

static bool slot_put(struct crowd *c, uint64_t spi, uint32_t client)
{
	struct spi_slot *s = slot_find(c, spi);

	if (s->spi)
		return true;
	if ((c->slots_used + 1) * 2 > c->slot_count) {
		if (!slots_grow(c))
			return false;
		s = slot_find(c, spi);
	}
	*s = (struct spi_slot){ spi, client };
	c->slots_used++;
	return true;
}

enum gw_err crowd_init(struct crowd *c, const struct env *env, const struct ini_cfg *cfg, struct load_net *net,
		       size_t count, const struct endpoint *responder, const char *id_format)
{
	*c = (struct crowd){ .env = env, .cfg = cfg, .net = net, .count = count, .slot_count = 1024 };
	c->clients = calloc(count, sizeof(*c->clients));
	c->slots = calloc(c->slot_count, sizeof(*c->slots));
	if (!c->clients || !c->slots)
		return GW_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct load_client *l = &c->clients[i];
		struct ini_self self = { .remote = *responder, .id_kind = ID_RFC822 };

		l->source = &net->sources[i % net->count];
		snprintf(l->id, sizeof(l->id), "load%06zu%.20s", i, id_format);
		self.local = l->source->ike;
		self.natt_port = l->source->natt.port;
		self.id = bytes_str(l->id);
		l->cfg = *cfg;
		if (cfg->eap.password.n > 0)
			l->cfg.eap.user = self.id;
		l->ini = ini_create(env, &l->cfg, &self);
		if (!l->ini)
			return GW_ENOMEM;
	}
	return GW_OK;
}

void crowd_clear(struct crowd *c)
{
	for (size_t i = 0; c->clients && i < c->count; i++)
		ini_destroy(c->clients[i].ini);
	free(c->clients);
	free(c->slots);
	free(c->took);
}

static void settle(struct crowd *c, struct load_client *l, bool ok)
{
	l->busy = false;
	c->busy--;
	if (ok) {
		if (c->finished < c->took_cap)
			c->took[c->finished] = (uint32_t)mtime_since(l->begun, clock_now(c->env->clock));
		c->finished++;
		return;
	}
	c->failed++;
	snprintf(c->why, sizeof(c->why), "%s: %s (notify %u)", l->id, l->ini->reason ? l->ini->reason : "refused",
		 (unsigned)(l->ini->error ? l->ini->error : l->ini->child_error));
}

static uint32_t sum(const uint32_t n[INI_KINDS])
{
	return n[INI_AUTH] + n[INI_PROBE] + n[INI_CHILD_REKEY] + n[INI_IKE_REKEY] + n[INI_IKE_DELETE];
}

/* After anything happened to a client: its new SPIs, its datagrams, whether its job is done. */
static void after(struct crowd *c, struct load_client *l)
{
	struct datagram d;
	struct ini *ini = l->ini;

	for (const struct ini_sa *sa = ini->sas; sa; sa = sa->next)
		(void)slot_put(c, sa->initiator ? sa->spi_i : sa->spi_r, (uint32_t)(l - c->clients));
	while (ini_take(ini, &d))
		c->send_failures += !net_send(c->net, l->source, &d);
	if (!l->busy)
		return;
	if (ini->failed || sum(ini->refused) != l->failed_before)
		settle(c, l, false);
	else if (sum(ini->done) != l->done_before && ini_idle(ini))
		settle(c, l, ini->child_error == 0);
}

static void on_datagram(void *arg, const struct datagram *d, uint8_t *bytes)
{
	struct crowd *c = arg;
	struct ike_header h;
	struct spi_slot *s;

	if (msg_parse_header(d->data, &h) != GW_OK) {
		c->strangers++;
		return;
	}
	s = slot_find(c, h.flags & IKE_FLAG_INITIATOR ? h.spi_r : h.spi_i);
	if (!s->spi) {
		c->strangers++;
		return;
	}
	ini_receive(c->clients[s->client].ini, d, bytes);
	after(c, &c->clients[s->client]);
}

static bool begin(struct load_client *l, enum load_job job)
{
	struct ini *ini = l->ini;

	l->done_before = sum(ini->done);
	l->failed_before = sum(ini->refused);
	switch (job) {
	case JOB_UP:
		return !ini_up(ini) && ini_start(ini) == GW_OK;
	case JOB_PROBE:
		return ini_probe(ini);
	case JOB_CHILD:
		return ini_rekey_child(ini, 0);
	case JOB_IKE:
		return ini_rekey_ike(ini);
	case JOB_DOWN:
		return ini_delete(ini);
	case JOB_WAIT:
		break;
	}
	return false;
}

/* The next client that can do the job; false: a whole round without one. */
static bool begin_next(struct crowd *c, enum load_job job)
{
	for (size_t i = 0; i < c->count; i++) {
		struct load_client *l = &c->clients[c->next];

		c->next = (c->next + 1) % c->count;
		if (l->busy || !begin(l, job))
			continue;
		l->busy = true;
		l->begun = clock_now(c->env->clock);
		c->busy++;
		after(c, l);
		return true;
	}
	return false;
}

/* Retransmissions: rare, so a walk over all ten times a second is cheap enough. */
static void look_after(struct crowd *c, mtime now)
{
	if (mtime_since(c->looked, now) < MILLISECONDS(100))
		return;
	c->looked = now;
	for (size_t i = 0; i < c->count; i++)
		if (mtime_reached(ini_due(c->clients[i].ini), now)) {
			c->retries++;
			ini_tick(c->clients[i].ini);
			after(c, &c->clients[i]);
		}
}

static void wait_only(struct crowd *c, int64_t us)
{
	mtime end = mtime_add(clock_now(c->env->clock), us);

	while (!mtime_reached(end, clock_now(c->env->clock))) {
		(void)net_receive(c->net, 20, on_datagram, c);
		look_after(c, clock_now(c->env->clock));
	}
}

/* When the next job is due, the first one being due at `start`. */
static mtime pace(const struct crowd *c, size_t begun, mtime start)
{
	if (c->per_second == 0)
		return start;
	return mtime_add(start, (int64_t)((uint64_t)begun * (uint64_t)SECONDS(1) / c->per_second));
}

static int wait_ms(const struct crowd *c, mtime next, mtime now)
{
	int64_t ms = mtime_since(now, next) / MILLISECONDS(1);

	if (c->per_second == 0 || ms > 100)
		return 100;
	return ms > 1 ? (int)ms : 1;
}

/* Without memory for it times are not told; the jobs are done all the same. */
static void measure(struct crowd *c, size_t count)
{
	free(c->took);
	c->took = calloc(count ? count : 1, sizeof(*c->took));
	c->took_cap = c->took ? count : 0;
}

bool crowd_run(struct crowd *c, enum load_job job, size_t count, size_t in_flight, int64_t patience_us)
{
	size_t begun = 0, before = 0;
	mtime start = clock_now(c->env->clock), progress = start, now = start;

	c->finished = c->failed = 0;
	c->next = 0;
	if (job == JOB_WAIT) {
		wait_only(c, MILLISECONDS(count));
		return true;
	}
	measure(c, count);
	while (c->finished + c->failed < count) {
		while (begun < count && c->busy < in_flight && mtime_reached(pace(c, begun, start), now)) {
			if (!begin_next(c, job))
				break;
			begun++;
		}
		if (c->busy == 0 && begun < count && mtime_reached(pace(c, begun, start), now))
			return false; /* nobody can do it */
		(void)net_receive(c->net, wait_ms(c, pace(c, begun, start), now), on_datagram, c);
		now = clock_now(c->env->clock);
		look_after(c, now);
		if (c->finished + c->failed != before) {
			before = c->finished + c->failed;
			progress = now;
		} else if (mtime_since(progress, now) > patience_us) {
			snprintf(c->why, sizeof(c->why), "no progress; %zu under way", c->busy);
			return false;
		}
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint32_t crowd_took(struct crowd *c, unsigned percent)
{
	size_t n = c->finished < c->took_cap ? c->finished : c->took_cap, rank = (n * percent + 99) / 100;

	if (n == 0)
		return 0;
	qsort(c->took, n, sizeof(*c->took), by_value);
	return c->took[rank > 0 ? rank - 1 : 0];
}
