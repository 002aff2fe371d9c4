/*
 * Exchanges of both sides that cross, case by case: each test is named after the section of RFC 7296 that says how they
 * end. Each is played with every one of the four messages lost once, or none, over data planes quick and slow, and with
 * nonces that let either side win.
 */
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

enum act { REKEY_CHILD, REKEY_IKE, CLOSE_CHILD, CLOSE_IKE, NEW_CHILD };

/* Which message does not arrive at the first try. */
enum lost { LOST_NONE, LOST_OUR_REQUEST, LOST_THEIR_REQUEST, LOST_OUR_ANSWER, LOST_THEIR_ANSWER, LOSTS };

enum ends { ENDS_DOWN, ENDS_BARE, ENDS_UP }; /* no IKE SA; one with no CHILD SA, one; new ones come on top */

struct crossing {
	enum act client, gateway;
	enum ends ends;
	uint16_t error;	     /* what the gateway says to the client's request when nothing is lost; 0: no error */
	bool names, unnamed; /* its answer to the client's DELETE has a Delete payload, has none */
	bool winners;	     /* nonces decide: both sides must win now and then */
};

static struct {
	const struct crossing *c;
	enum lost lost;
	bool dropped;
	unsigned collisions, ours, theirs; /* of all plays */
} now;

static bool arrives(struct sim *s, const struct datagram *d, uint8_t *bytes)
{
	struct ike_header h;
	bool to_gateway, response;
	enum lost what;

	(void)bytes;
	if (now.dropped || now.lost == LOST_NONE || msg_parse_header(d->data, &h) != GW_OK)
		return true;
	to_gateway = !addr_equal(&d->to.addr, &s->clients[0].addr);
	response = h.flags & IKE_FLAG_RESPONSE;
	what = response ? (to_gateway ? LOST_THEIR_ANSWER : LOST_OUR_ANSWER)
			: (to_gateway ? LOST_THEIR_REQUEST : LOST_OUR_REQUEST);
	now.dropped = what == now.lost;
	return !now.dropped;
}

static void client_acts(struct sim *s, enum act a)
{
	struct ini *ini = s->clients[0].ini;

	sim_want(s, a == REKEY_CHILD   ? ini_rekey_child(ini, 0)
		    : a == REKEY_IKE   ? ini_rekey_ike(ini)
		    : a == CLOSE_CHILD ? ini_delete_child(ini, 0)
		    : a == CLOSE_IKE   ? ini_delete(ini)
				       : ini_new_child(ini));
}

static void gateway_acts(struct sim *s, enum act a)
{
	const struct ike_sa *sa = sim_sa(s, &s->clients[0]);
	struct ike_select which = { 0 };
	struct ike *ike = s->gate.active.ike;

	if (!sa || !sa->children)
		return;
	if (a == CLOSE_CHILD)
		which.child_id = sa->children->id;
	sim_want(s, (a == REKEY_CHILD || a == REKEY_IKE ? ike_rekey(ike, &which, a == REKEY_CHILD)
							: ike_terminate(ike, &which, "by the operator")) == 1);
}

static enum ini_kind asked(enum act a)
{
	static const enum ini_kind kinds[] = { [REKEY_CHILD] = INI_CHILD_REKEY,
					       [REKEY_IKE] = INI_IKE_REKEY,
					       [CLOSE_CHILD] = INI_CHILD_DELETE,
					       [CLOSE_IKE] = INI_IKE_DELETE,
					       [NEW_CHILD] = INI_CHILD_NEW };

	return kinds[a];
}

static void judge_answer(struct sim *s, const struct crossing *c)
{
	const struct ini_heard *heard = &s->clients[0].ini->heard[asked(c->client)];

	/* Who is told that the SA is closed listens no more, but was answered all the same. */
	sim_want(s, heard->error == c->error || c->ends == ENDS_DOWN);
	sim_want(s, gate_stat(&s->gate, "refused_temporarily") == (c->error == N_TEMPORARY_FAILURE));
	sim_want(s, !c->names || (heard->present & PL_BIT(PL_DELETE)));
	sim_want(s, !c->unnamed || !(heard->present & PL_BIT(PL_DELETE)));
}

static void play(struct sim *s, uint64_t seed)
{
	const struct crossing *c = now.c;
	struct ini *ini;
	uint64_t by_us, before;

	sim_init(s, seed, NULL, false);
	s->gate.plane_delay_us = (int64_t)(seed / LOSTS % 2) * MILLISECONDS(4);
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	ini = s->clients[0].ini;
	/* Both requests are under way before either arrives. */
	s->net.faults = (struct net_faults){ 10000, 10000, 0, 0, 0 };
	now.lost = (enum lost)(seed % LOSTS);
	now.dropped = false;
	s->on_arrival = arrives;
	before = gate_stat(&s->gate, "rekeys_child_by_us") + gate_stat(&s->gate, "rekeys_ike_by_us");
	gateway_acts(s, c->gateway);
	client_acts(s, c->client);
	sim_flush(s);
	sim_run(s, MILLISECONDS(200));
	sim_want(s, now.lost == LOST_NONE || now.dropped);
	if (now.lost == LOST_NONE)
		judge_answer(s, c);
	(void)sim_settle(s, SECONDS(900));
	(void)sim_agree(s);
	sim_want(s, ini_up(ini) == (c->ends != ENDS_DOWN));
	sim_want(s, c->ends == ENDS_DOWN || ini_child_count(ini) == c->ends - ENDS_BARE + ini->done[INI_CHILD_NEW]);
	sim_want(s, ini->done[INI_AUTH] == 1 && !ini->failed);
	if (now.lost == LOST_NONE && c->winners) {
		by_us = gate_stat(&s->gate, "rekeys_child_by_us") + gate_stat(&s->gate, "rekeys_ike_by_us") - before;
		sim_want(s, ini->collisions == 1);
		now.collisions++;
		now.ours += by_us > 0;
		now.theirs += by_us == 0;
	}
	(void)sim_leaves_nothing(s);
}

static void cross(const char *name, const struct crossing *c)
{
	now = (typeof(now)){ .c = c };
	sim_seeds(name, 0, 8 * LOSTS, play);
	if (c->winners && !getenv("SIM_SEED") && !getenv("SIM_FROM"))
		ck_assert_msg(now.ours > 0 && now.theirs > 0, "%s: %u won by us, %u by them", name, now.ours,
			      now.theirs);
}

/* ---- 2.8.1, 2.8.2: both rekey the same; the lowest of four nonces loses ---- */

START_TEST(section_2_8_1_both_rekey_a_child_sa)
{
	cross("2.8.1",
	      &(struct crossing){ .client = REKEY_CHILD, .gateway = REKEY_CHILD, .ends = ENDS_UP, .winners = true });
}
END_TEST

START_TEST(section_2_8_2_both_rekey_the_ike_sa)
{
	cross("2.8.2",
	      &(struct crossing){ .client = REKEY_IKE, .gateway = REKEY_IKE, .ends = ENDS_UP, .winners = true });
}
END_TEST

/* ---- 2.25.1: CHILD SAs ---- */

START_TEST(section_2_25_1_close_while_closing_is_answered_without_delete)
{
	cross("2.25.1 a",
	      &(struct crossing){ .client = CLOSE_CHILD, .gateway = CLOSE_CHILD, .ends = ENDS_BARE, .unnamed = true });
}
END_TEST

START_TEST(section_2_25_1_close_while_rekeying_is_answered_as_usual)
{
	cross("2.25.1 b",
	      &(struct crossing){ .client = CLOSE_CHILD, .gateway = REKEY_CHILD, .ends = ENDS_BARE, .names = true });
}
END_TEST

START_TEST(section_2_25_1_rekey_while_closing_is_refused_for_now)
{
	cross("2.25.1 c",
	      &(struct crossing){
		      .client = REKEY_CHILD, .gateway = CLOSE_CHILD, .ends = ENDS_BARE, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_2_25_1_another_child_sa_is_no_collision)
{
	cross("2.25.1 d", &(struct crossing){ .client = NEW_CHILD, .gateway = REKEY_CHILD, .ends = ENDS_UP });
	cross("2.25.1 e", &(struct crossing){ .client = NEW_CHILD, .gateway = CLOSE_CHILD, .ends = ENDS_BARE });
}
END_TEST

/* ---- 2.25.2: IKE SAs ---- */

START_TEST(section_2_25_2_rekey_while_closing_is_refused_for_now)
{
	cross("2.25.2 a",
	      &(struct crossing){
		      .client = REKEY_IKE, .gateway = CLOSE_IKE, .ends = ENDS_DOWN, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_2_25_2_close_while_rekeying_ends_the_rekey)
{
	cross("2.25.2 b", &(struct crossing){ .client = CLOSE_IKE, .gateway = REKEY_IKE, .ends = ENDS_DOWN });
}
END_TEST

START_TEST(section_2_25_2_close_while_closing_is_answered_as_usual)
{
	cross("2.25.2 c", &(struct crossing){ .client = CLOSE_IKE, .gateway = CLOSE_IKE, .ends = ENDS_DOWN });
}
END_TEST

START_TEST(section_2_25_2_new_child_sa_while_rekeying_is_refused_for_now)
{
	cross("2.25.2 d",
	      &(struct crossing){
		      .client = NEW_CHILD, .gateway = REKEY_IKE, .ends = ENDS_UP, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_2_25_2_rekey_of_a_child_sa_while_rekeying_is_refused_for_now)
{
	cross("2.25.2 e",
	      &(struct crossing){
		      .client = REKEY_CHILD, .gateway = REKEY_IKE, .ends = ENDS_UP, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_2_25_2_close_of_a_child_sa_while_rekeying_is_answered_as_usual)
{
	cross("2.25.2 f",
	      &(struct crossing){ .client = CLOSE_CHILD, .gateway = REKEY_IKE, .ends = ENDS_BARE, .names = true });
}
END_TEST

START_TEST(section_2_25_2_rekey_while_a_child_sa_is_rekeyed_is_refused_for_now)
{
	cross("2.25.2 g",
	      &(struct crossing){
		      .client = REKEY_IKE, .gateway = REKEY_CHILD, .ends = ENDS_UP, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_2_25_2_rekey_while_a_child_sa_is_closed_is_refused_for_now)
{
	cross("2.25.2 h",
	      &(struct crossing){
		      .client = REKEY_IKE, .gateway = CLOSE_CHILD, .ends = ENDS_BARE, .error = N_TEMPORARY_FAILURE });
}
END_TEST

/* ---- 1.4.1: the IKE SA goes while the other side is at a CHILD SA: everything goes, and nothing comes back ---- */

START_TEST(section_1_4_1_close_while_a_child_sa_is_rekeyed)
{
	cross("1.4.1 a", &(struct crossing){ .client = CLOSE_IKE, .gateway = REKEY_CHILD, .ends = ENDS_DOWN });
	cross("1.4.1 b",
	      &(struct crossing){
		      .client = REKEY_CHILD, .gateway = CLOSE_IKE, .ends = ENDS_DOWN, .error = N_TEMPORARY_FAILURE });
}
END_TEST

START_TEST(section_1_4_1_close_while_a_child_sa_is_closed)
{
	cross("1.4.1 c", &(struct crossing){ .client = CLOSE_IKE, .gateway = CLOSE_CHILD, .ends = ENDS_DOWN });
	cross("1.4.1 d", &(struct crossing){ .client = CLOSE_CHILD, .gateway = CLOSE_IKE, .ends = ENDS_DOWN });
}
END_TEST

START_TEST(section_1_4_1_close_while_a_child_sa_is_made)
{
	cross("1.4.1 e",
	      &(struct crossing){
		      .client = NEW_CHILD, .gateway = CLOSE_IKE, .ends = ENDS_DOWN, .error = N_TEMPORARY_FAILURE });
}
END_TEST

/* ---- 1.4.1: a close is faster than the answer that makes what it closes: neither side is left with half of it ---- */

static void client_with_lost(struct sim *s, uint64_t seed, enum lost lost)
{
	sim_init(s, seed, NULL, false);
	s->gate.reincarnate = seed % 2 ? 1000 : 0;
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	now.lost = lost;
	now.dropped = false;
	s->on_arrival = arrives;
}

static void ends_with(struct sim *s, size_t children)
{
	sim_want(s, now.lost == LOST_NONE || now.dropped);
	sim_run(s, SECONDS(20));
	(void)sim_settle(s, SECONDS(100));
	sim_want(s, ini_up(s->clients[0].ini) && ini_child_count(s->clients[0].ini) == children);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

/* What the client has asked for is closed by us, and it has not heard of it yet. */
static void overtaken_by_ours(struct sim *s, uint64_t seed)
{
	client_with_lost(s, seed, LOST_OUR_ANSWER);
	(void)ini_new_child(s->clients[0].ini);
	sim_flush(s);
	sim_run(s, MILLISECONDS(100));
	gateway_acts(s, CLOSE_CHILD);
	sim_flush(s);
	ends_with(s, 1);
}

/* What the client made at our request it closes before we have heard of it; what that replaced goes, too. */
static void overtaken_by_theirs(struct sim *s, uint64_t seed)
{
	client_with_lost(s, seed, LOST_THEIR_ANSWER);
	gateway_acts(s, REKEY_CHILD);
	sim_flush(s);
	sim_run(s, MILLISECONDS(100));
	sim_want(s, ini_child_count(s->clients[0].ini) == 2);
	(void)ini_delete_child(s->clients[0].ini, ini_current(s->clients[0].ini)->children->spi_in);
	sim_flush(s);
	ends_with(s, 0);
}

/* The same, where we have heard of it, and the data plane is still busy with it. */
static void faster_than_the_plane(struct sim *s, uint64_t seed)
{
	client_with_lost(s, seed, LOST_NONE);
	s->gate.plane_delay_us = SECONDS(4);
	gateway_acts(s, REKEY_CHILD);
	sim_flush(s);
	sim_run(s, MILLISECONDS(10));
	(void)ini_delete_child(s->clients[0].ini, ini_current(s->clients[0].ini)->children->spi_in);
	sim_flush(s);
	ends_with(s, 0);
	sim_want(s, s->clients[0].ini->heard[INI_CHILD_DELETE].present & PL_BIT(PL_DELETE));
}

START_TEST(section_1_4_1_our_close_overtakes_what_makes_it)
{
	sim_seeds("1.4.1 f", 0, 4, overtaken_by_ours);
}
END_TEST

START_TEST(section_1_4_1_their_close_overtakes_what_makes_it)
{
	sim_seeds("1.4.1 g", 0, 4, overtaken_by_theirs);
}
END_TEST

START_TEST(section_1_4_1_close_while_the_data_plane_makes_it)
{
	sim_seeds("1.4.1 h", 0, 16, faster_than_the_plane);
}
END_TEST

/* ---- 2.25: what is not there ---- */

static uint8_t *say_chain(struct msg_writer *w, uint8_t buf[512], uint32_t spi)
{
	struct transform t[] = { { TR_ENCR, ENCR_AES_GCM_16, 128 }, { TR_ESN, ESN_NO, 0 } };
	struct selector all;
	struct range any;
	uint8_t raw[4], nonce[32] = { 1 };
	size_t mark;

	ck_assert(range_parse("0.0.0.0/0", &any));
	all = selector_of(&any);
	put_u32(raw, spi);
	chain_begin(w, buf, 512);
	notify_write(w, PROTO_ESP, bytes_of(raw, 4), N_REKEY_SA, (struct bytes){ 0 });
	mark = sa_begin(w);
	proposal_write(w, 1, PROTO_ESP, bytes_of(raw, 4), t, ARRAY_LEN(t), false);
	sa_end(w, mark);
	nonce_write(w, bytes_of(nonce, sizeof(nonce)));
	ts_write(w, PL_TSI, &all, 1);
	ts_write(w, PL_TSR, &all, 1);
	return buf;
}

static void strangers(struct sim *s, uint64_t seed)
{
	struct msg_writer w;
	uint8_t buf[512];
	uint32_t spi = 0xfeedfeed;
	struct ini *ini;

	sim_init(s, seed, NULL, false);
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	ini = s->clients[0].ini;
	/* 2.25.1: CHILD_SA_NOT_FOUND for a rekey of what is not there ... */
	(void)say_chain(&w, buf, spi);
	sim_want(s, ini_say(ini, CREATE_CHILD_SA, w.first, wr_done(&w.w)));
	sim_flush(s);
	(void)sim_settle(s, SECONDS(20));
	sim_want(s, ini->heard[INI_SAY].error == N_CHILD_SA_NOT_FOUND);
	/* ... and an answer without a Delete payload for the close of it (1.4.1). */
	chain_begin(&w, buf, sizeof(buf));
	delete_write(&w, PROTO_ESP, &spi, 1);
	sim_want(s, ini_say(ini, INFORMATIONAL, w.first, wr_done(&w.w)));
	sim_flush(s);
	(void)sim_settle(s, SECONDS(20));
	sim_want(s, ini->heard[INI_SAY].error == 0 && !(ini->heard[INI_SAY].present & PL_BIT(PL_DELETE)));
	sim_want(s, ini_up(ini) && ini_child_count(ini) == 1);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

START_TEST(section_2_25_1_what_is_not_there_is_not_found)
{
	sim_seeds("2.25.1 not found", 0, 1, strangers);
}
END_TEST

/* We rekey what the peer has lost without a word: CHILD_SA_NOT_FOUND closes it here, and only it. */
static void lost_by_peer(struct sim *s, uint64_t seed)
{
	struct ike_select all = { 0 };
	struct ini *ini;

	sim_init(s, seed, NULL, false);
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	ini = s->clients[0].ini;
	(void)ini_lose_child(ini);
	sim_want(s, ike_rekey(s->gate.active.ike, &all, true) == 1);
	sim_flush(s);
	(void)sim_settle(s, SECONDS(20));
	sim_want(s, ini_up(ini) && ini_child_count(ini) == 0 && ini->done[INI_AUTH] == 1);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

START_TEST(section_2_25_1_not_found_closes_it)
{
	sim_seeds("2.25.1 lost", 0, 1, lost_by_peer);
}
END_TEST

/* 2.25: who is told TEMPORARY_FAILURE does not ask again at once, but does in the end. */
static void patience(struct sim *s, uint64_t seed)
{
	bool child = seed % 2;
	struct ike_select all = { 0 };
	struct ini *ini;
	uint64_t sent;

	sim_init(s, seed, NULL, false);
	sim_connect(s, sim_client_add(s, false));
	(void)sim_settle(s, SECONDS(10));
	ini = s->clients[0].ini;
	s->net.faults = (struct net_faults){ 10000, 10000, 0, 0, 0 };
	/* The client is at something that lets it refuse ours, and is itself refused. */
	(void)(child ? ini_rekey_ike(ini) : ini_rekey_child(ini, 0));
	sim_want(s, ike_rekey(s->gate.active.ike, &all, child) == 1);
	sim_flush(s);
	sim_run(s, MILLISECONDS(100));
	sim_want(s, gate_stat(&s->gate, "rekeys_failed") == 1 && gate_stat(&s->gate, "refused_temporarily") == 1);
	sent = s->net.sent;
	sim_run(s, MILLISECONDS(850));
	sim_want(s, s->net.sent == sent); /* neither has a word to say for a while */
	sim_run(s, SECONDS(60));
	(void)sim_settle(s, SECONDS(10));
	sim_want(s, child ? ini->done[INI_IKE_REKEY] == 1 && ini->peer_rekeys == 1
			  : ini->done[INI_CHILD_REKEY] == 1 && ini->peer_ike_rekeys == 1);
	(void)sim_agree(s);
	(void)sim_leaves_nothing(s);
}

START_TEST(section_2_25_temporary_failure_is_waited_for)
{
	sim_seeds("2.25 wait", 0, 8, patience);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ section_2_8_1_both_rekey_a_child_sa, 0 },
		{ section_2_8_2_both_rekey_the_ike_sa, 0 },
		{ section_2_25_1_close_while_closing_is_answered_without_delete, 0 },
		{ section_2_25_1_close_while_rekeying_is_answered_as_usual, 0 },
		{ section_2_25_1_rekey_while_closing_is_refused_for_now, 0 },
		{ section_2_25_1_another_child_sa_is_no_collision, 0 },
		{ section_2_25_1_what_is_not_there_is_not_found, 0 },
		{ section_2_25_1_not_found_closes_it, 0 },
		{ section_2_25_2_rekey_while_closing_is_refused_for_now, 0 },
		{ section_2_25_2_close_while_rekeying_ends_the_rekey, 0 },
		{ section_2_25_2_close_while_closing_is_answered_as_usual, 0 },
		{ section_2_25_2_new_child_sa_while_rekeying_is_refused_for_now, 0 },
		{ section_2_25_2_rekey_of_a_child_sa_while_rekeying_is_refused_for_now, 0 },
		{ section_2_25_2_close_of_a_child_sa_while_rekeying_is_answered_as_usual, 0 },
		{ section_2_25_2_rekey_while_a_child_sa_is_rekeyed_is_refused_for_now, 0 },
		{ section_2_25_2_rekey_while_a_child_sa_is_closed_is_refused_for_now, 0 },
		{ section_1_4_1_close_while_a_child_sa_is_rekeyed, 0 },
		{ section_1_4_1_close_while_a_child_sa_is_closed, 0 },
		{ section_1_4_1_close_while_a_child_sa_is_made, 0 },
		{ section_1_4_1_our_close_overtakes_what_makes_it, 0 },
		{ section_1_4_1_their_close_overtakes_what_makes_it, 0 },
		{ section_1_4_1_close_while_the_data_plane_makes_it, 0 },
		{ section_2_25_temporary_failure_is_waited_for, 0 },
	};

	return suite_run("collisions", all, ARRAY_LEN(all));
}
