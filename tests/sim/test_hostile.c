/* Strangers, forgers and authenticated clients that talk nonsense: no state changes but by what is authentic and legal.
 */
#include <stdlib.h>

#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

enum { KEPT = 96 };

/* What the gateway has received of its clients so far. */
static struct kept {
	struct datagram d;
	uint8_t data[2048];
} kept[KEPT];
static size_t kept_count;

static bool keep(struct sim *s, const struct datagram *d, uint8_t *bytes)
{
	(void)s;
	if ((d->to.port == 500 || d->to.port == 4500) && d->to.addr.b[0] == 192 && d->to.addr.b[1] == 0 &&
	    d->data.n <= sizeof(kept[0].data)) {
		struct kept *k = &kept[kept_count++ % KEPT];

		k->d = *d;
		k->d.natt = d->to.port == 4500;
		memcpy(k->data, bytes, d->data.n);
	}
	return true;
}

static uint64_t draw(struct sim *s, uint64_t below)
{
	return rng_below(&s->rng.rng, below);
}

/* Gives it to the engine, on a heap block of exactly its size, so that reading past the end is seen. */
static void feed(struct sim *s, const struct datagram *like, const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);
	struct datagram d = *like;

	ck_assert_ptr_nonnull(exact);
	if (n)
		memcpy(exact, data, n);
	d.data = bytes_of(exact, n);
	gate_receive(&s->gate, &d, exact);
	free(exact);
}

struct before {
	uint8_t *state;
	size_t n, sas, half_open, plane_sas, policies;
	uint64_t events;
};

static uint64_t events(const struct gate *g)
{
	return g->up + g->down + g->children_up + g->children_down + g->rekeyed + g->child_rekeyed;
}

static struct before look(struct sim *s)
{
	struct gate_node *g = &s->gate.active;
	struct before b = { .sas = ike_count(g->ike),
			    .half_open = ike_half_open_count(g->ike),
			    .plane_sas = fake_plane_sa_count(g->plane),
			    .policies = fake_plane_policy_count(g->plane),
			    .events = events(&s->gate) };

	b.state = gate_encode(&s->gate, &b.n);
	return b;
}

static void unchanged(struct sim *s, struct before *b, const char *after)
{
	struct before now = look(s);

	if (now.n != b->n || memcmp(now.state, b->state, b->n) != 0)
		sim_fail(s, "state changed by %s", after);
	else if (now.sas != b->sas || now.half_open != b->half_open || now.plane_sas != b->plane_sas ||
		 now.policies != b->policies || now.events != b->events)
		sim_fail(s, "something happened by %s", after);
	free(now.state);
	free(b->state);
}

static void peaceful(struct sim *s, uint64_t seed)
{
	kept_count = 0;
	sim_init(s, seed, NULL, false);
	s->on_arrival = keep;
	for (size_t i = 0; i < 3; i++)
		sim_connect(s, sim_client_add(s, i == 1));
	(void)sim_settle(s, SECONDS(10));
	for (size_t i = 0; i < 3; i++) {
		(void)(i ? ini_rekey_child(s->clients[i].ini, 0) : ini_rekey_ike(s->clients[i].ini));
		sim_flush(s);
		(void)sim_settle(s, SECONDS(10));
	}
	sim_run(s, SECONDS(15)); /* what lingers is gone: so all that may change does so by what we feed */
	s->on_arrival = NULL;
}

/* A flipped bit, a cut, a longer tail, another octet: of everything that was ever received. */
static void mutated(struct sim *s, uint64_t seed)
{
	struct before b;

	peaceful(s, seed);
	b = look(s);
	for (size_t i = 0; i < 800; i++) {
		const struct kept *k = &kept[draw(s, kept_count < KEPT ? kept_count : KEPT)];
		uint8_t data[2100];
		size_t n = k->d.data.n;

		memcpy(data, k->data, n);
		switch (draw(s, 5)) {
		case 0:
			data[draw(s, n)] ^= (uint8_t)(1u << draw(s, 8));
			break;
		case 1:
			n = draw(s, n);
			break;
		case 2:
			for (size_t more = 1 + draw(s, 40); more; more--)
				data[n++] = (uint8_t)draw(s, 256);
			break;
		case 3:
			data[draw(s, n)] = (uint8_t)draw(s, 256);
			break;
		default: /* lengths that fit again after the cut */
			n = 28 + draw(s, n - 27);
			put_u32(data + 24, (uint32_t)n);
		}
		/* A whole IKE_SA_INIT is a new client's right: those are tried below. */
		if (n > 18 && data[18] == IKE_SA_INIT)
			continue;
		if (n == k->d.data.n && memcmp(data, k->data, n) == 0)
			continue;
		feed(s, &k->d, data, n);
	}
	unchanged(s, &b, "damaged messages");
	(void)sim_settle(s, SECONDS(10));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* Every message that was ever received, again and from elsewhere: at most an answer that was given before. */
static void replayed(struct sim *s, uint64_t seed)
{
	struct before b;

	peaceful(s, seed);
	b = look(s);
	for (size_t i = 0; i < kept_count && i < KEPT; i++) {
		struct datagram d = kept[i].d;

		if (kept[i].data[18] == IKE_SA_INIT)
			continue; /* after the half-open SA is gone this is a new client */
		feed(s, &d, kept[i].data, d.data.n);
		d.from.port ^= 0x55;
		feed(s, &d, kept[i].data, d.data.n);
		d.from.addr.b[3] ^= 0x10;
		feed(s, &d, kept[i].data, d.data.n);
	}
	unchanged(s, &b, "replayed messages");
	sim_want(s, s->gate.witness.resent > 0);
	(void)sim_settle(s, SECONDS(10));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/*
 * The last request of a client that is up, its IKE_AUTH, again and again with somebody else's address in it: he gets
 * some answers, since the client might have moved, and no more; nobody moves, and the client itself is answered as
 * ever.
 */
static void reflected(struct sim *s, uint64_t seed)
{
	static const struct sim_settings quiet = { .conn = "    dpd: off\n" };
	struct sim_client *c;
	struct before b;
	struct endpoint was;
	uint64_t answered;
	size_t last;

	sim_init(s, seed, &quiet, false);
	c = sim_client_add(s, false);
	kept_count = 0;
	s->on_arrival = keep;
	sim_connect(s, c);
	(void)sim_settle(s, SECONDS(5));
	s->on_arrival = NULL;
	for (last = kept_count; last-- > 0;)
		if (kept[last].data[18] == IKE_AUTH && !(kept[last].data[19] & IKE_FLAG_RESPONSE))
			break;
	b = look(s);
	was = sim_sa(s, c)->remote;
	answered = gate_stat(&s->gate, "retransmits_answered");
	for (size_t i = 0; i < 600; i++) {
		struct datagram d = kept[last].d;

		put_u32(d.from.addr.b, 0xc6336401u + (uint32_t)(i % 50));
		feed(s, &d, kept[last].data, d.data.n);
	}
	unchanged(s, &b, "reflected messages");
	sim_want(s, gate_stat(&s->gate, "retransmits_answered") - answered == 8);
	sim_want(s, gate_stat(&s->gate, "drop_address") == 592 && endpoint_equal(&sim_sa(s, c)->remote, &was));
	feed(s, &kept[last].d, kept[last].data, kept[last].d.data.n);
	sim_want(s, gate_stat(&s->gate, "retransmits_answered") - answered == 9);
	(void)ini_rekey_child(c->ini, 0);
	sim_flush(s);
	(void)sim_settle(s, SECONDS(10));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* Headers with the SPIs of live SAs and anything behind them. */
static void invented(struct sim *s, uint64_t seed)
{
	static const uint8_t exchanges[] = { IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_INTERMEDIATE, 0, 255 };
	static const uint8_t versions[] = { 0x20, 0x20, 0x20, 0x21, 0x10, 0x30, 0x00 };
	struct before b;

	peaceful(s, seed);
	b = look(s);
	for (size_t i = 0; i < 800; i++) {
		struct sim_client *c = &s->clients[draw(s, s->client_count)];
		const struct ike_sa *sa = sim_sa(s, c);
		struct datagram like = { .from = sa->remote, .to = sa->local, .natt = sa->natt };
		uint8_t data[700];
		size_t n = draw(s, 3) ? 28 + draw(s, 600) : draw(s, 60);

		for (size_t k = 0; k < n; k++)
			data[k] = (uint8_t)draw(s, 256);
		if (n >= 28 && draw(s, 10)) {
			put_u64(data, draw(s, 10) ? sa->spi_i : 1 + draw(s, 1000));
			put_u64(data + 8, draw(s, 10) ? sa->spi_r : draw(s, 2));
			data[16] = (uint8_t)(draw(s, 2) ? PL_SK : draw(s, 2) ? PL_SKF : 30 + draw(s, 30));
			data[17] = versions[draw(s, ARRAY_LEN(versions))];
			data[18] = exchanges[draw(s, ARRAY_LEN(exchanges))];
			data[19] = (uint8_t)(draw(s, 2) ? 0x08 : draw(s, 256));
			put_u32(data + 20,
				draw(s, 4) ? sa->window.recv_next - (uint32_t)draw(s, 2) : (uint32_t)draw(s, 8));
			put_u32(data + 24, (uint32_t)n);
			if (n > 40 && draw(s, 2))
				put_u16(data + 30, (uint16_t)(n - 28));
		}
		if (n > 18 && data[18] == IKE_SA_INIT)
			continue;
		feed(s, &like, data, n);
	}
	unchanged(s, &b, "invented messages");
	(void)sim_settle(s, SECONDS(10));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* IKE_SA_INIT in all kinds of damage, by strangers: nothing but bounded half-open SAs, which go by themselves. */
static void beginnings(struct sim *s, uint64_t seed)
{
	static const struct sim_settings settings = { .ike = "  half_open_max: 50\n  cookie_threshold: 1000\n" };
	struct kept *init = NULL;

	kept_count = 0;
	sim_init(s, seed, &settings, false);
	s->on_arrival = keep;
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	s->on_arrival = NULL;
	for (size_t i = 0; i < kept_count && !init; i++)
		if (kept[i].data[18] == IKE_SA_INIT)
			init = &kept[i];
	sim_want(s, init != NULL);
	for (size_t i = 0; i < 600 && init; i++) {
		struct datagram d = init->d;
		uint8_t data[2048];
		size_t n = d.data.n;

		memcpy(data, init->data, n);
		d.from.addr.b[2] = (uint8_t)draw(s, 256);
		d.from.port = (uint16_t)draw(s, 65536);
		put_u64(data, draw(s, UINT64_MAX));
		for (size_t k = draw(s, 4); k; k--)
			data[28 + draw(s, n - 28)] = (uint8_t)draw(s, 256);
		if (draw(s, 4) == 0) {
			n = 28 + draw(s, n - 28);
			put_u32(data + 24, (uint32_t)n);
		}
		feed(s, &d, data, n);
		sim_want(s, ike_half_open_count(s->gate.active.ike) <= 50);
	}
	sim_want(s, fake_plane_sa_count(s->gate.active.plane) == 2);
	sim_run(s, SECONDS(60));
	sim_want(s, ike_half_open_count(s->gate.active.ike) == 0);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* A flood of strangers who never answer: who returns his cookie gets in all the same. */
static void flood(struct sim *s, uint64_t seed)
{
	static const struct sim_settings settings = {
		.ike = "  cookie_threshold: 20\n  half_open_max: 100\n  half_open_per_source: 3\n"
	};
	struct datagram d;
	uint8_t init[2048];
	size_t n = 0;
	struct sim_client *c;

	sim_init(s, seed, &settings, false);
	c = sim_client_add(s, false);
	ck_assert_int_eq(ini_start(c->ini), GW_OK);
	ck_assert(ini_take(c->ini, &d));
	n = d.data.n;
	memcpy(init, d.data.p, n);
	ini_forget(c->ini);
	for (size_t i = 0; i < 2000; i++) {
		struct datagram from = d;

		put_u64(init, 1 + draw(s, UINT64_MAX - 1));
		put_u32(from.from.addr.b, (uint32_t)draw(s, 1u << 31));
		feed(s, &from, init, n);
		sim_want(s, ike_half_open_count(s->gate.active.ike) <= 21);
		if (i == 1000) {
			sim_connect(s, c);
			sim_run(s, MILLISECONDS(20));
			sim_want(s, ini_up(c->ini));
		}
	}
	sim_want(s, gate_stat(&s->gate, "cookies_sent") >= 1900);
	sim_run(s, SECONDS(60));
	sim_want(s, ike_half_open_count(s->gate.active.ike) == 0);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/*
 * An IKE_SA_INIT with somebody else's address in it, again and again: each answer that he gets is more than what was
 * sent, so there are some, for messages that were lost, and then no more.
 */
static void echo(struct sim *s, uint64_t seed)
{
	struct datagram d;
	uint8_t init[2048];
	struct sim_client *c;
	size_t n;

	sim_init(s, seed, NULL, false);
	c = sim_client_add(s, false);
	ck_assert_int_eq(ini_start(c->ini), GW_OK);
	ck_assert(ini_take(c->ini, &d));
	n = d.data.n;
	memcpy(init, d.data.p, n);
	for (size_t i = 0; i < 600; i++)
		feed(s, &d, init, n);
	sim_want(s, gate_stat(&s->gate, "init_resent") >= 5 && gate_stat(&s->gate, "init_resent") <= 10);
	/* Its owner is not kept out. */
	(void)sim_settle(s, SECONDS(10));
	sim_want(s, ini_up(c->ini));
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* ---- authenticated nonsense ---- */

static size_t nonsense(struct sim *s, uint8_t *out, uint8_t *first)
{
	struct writer w = wr_of(out, 1500);
	size_t payloads = draw(s, 5);

	*first = (uint8_t)(payloads ? 33 + draw(s, 20) : PL_NONE);
	for (size_t i = 0; i < payloads; i++) {
		size_t n = draw(s, 8) ? draw(s, 60) : draw(s, 250);

		wr_u8(&w, (uint8_t)(i + 1 == payloads ? 0 : 33 + draw(s, 20)));
		wr_u8(&w, (uint8_t)(draw(s, 4) ? 0 : 0x80));
		wr_u16(&w, (uint16_t)(draw(s, 10) ? n + 4 : draw(s, 300)));
		while (n--)
			wr_u8(&w, (uint8_t)(draw(s, 3) ? draw(s, 6) : draw(s, 256)));
	}
	return w.n;
}

/*
 * A client may harm itself, and nobody else: whatever it says, it gets an answer or silence, the others do not notice,
 * and the data plane has what the engine has.
 */
static void insiders(struct sim *s, uint64_t seed)
{
	static const uint8_t exchanges[] = {
		INFORMATIONAL, CREATE_CHILD_SA, CREATE_CHILD_SA, IKE_AUTH, IKE_SA_INIT, 99
	};
	struct sim_client *bad;

	peaceful(s, seed);
	bad = &s->clients[0];
	for (size_t i = 0; i < 60 && !s->failure[0]; i++) {
		uint8_t chain[1500], first = 0;
		size_t n = nonsense(s, chain, &first);

		if (!ini_up(bad->ini))
			sim_connect(s, bad);
		else
			(void)ini_say(bad->ini, exchanges[draw(s, ARRAY_LEN(exchanges))], first, bytes_of(chain, n));
		sim_flush(s);
		sim_run(s, SECONDS(2));
		if (bad->ini->sas && bad->ini->sas->kind == INI_SAY)
			ini_forget(bad->ini); /* no answer, as may be: it comes again */
	}
	sim_want(s, ini_up(s->clients[1].ini) && s->clients[1].ini->done[INI_AUTH] == 1);
	sim_want(s, ini_up(s->clients[2].ini) && s->clients[2].ini->done[INI_AUTH] == 1);
	ini_forget(bad->ini);
	sim_connect(s, bad);
	(void)chaos_recover(s);
}

START_TEST(damaged)
{
	sim_seeds("damaged", 100, 12, mutated);
}
END_TEST

START_TEST(replays)
{
	sim_seeds("replays", 200, 12, replayed);
}
END_TEST

START_TEST(reflections)
{
	sim_seeds("reflected", 250, 3, reflected);
}
END_TEST

START_TEST(inventions)
{
	sim_seeds("inventions", 300, 12, invented);
}
END_TEST

START_TEST(damaged_beginnings)
{
	sim_seeds("beginnings", 400, 6, beginnings);
}
END_TEST

START_TEST(floods)
{
	sim_seeds("floods", 500, 3, flood);
}
END_TEST

START_TEST(echoes)
{
	sim_seeds("echoes", 550, 1, echo);
}
END_TEST

START_TEST(authenticated_nonsense)
{
	sim_seeds("insiders", 600, 40, insiders);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { damaged, 0 },
					  { replays, 0 },
					  { reflections, 0 },
					  { inventions, 0 },
					  { damaged_beginnings, 0 },
					  { floods, 0 },
					  { echoes, 0 },
					  { authenticated_nonsense, 0 } };

	return suite_run("hostile", all, ARRAY_LEN(all));
}
