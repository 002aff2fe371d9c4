/*
 * Narrowing of traffic selectors (RFC 7296 2.9), from a request on the wire to the CHILD SA on both sides and in the
 * data plane: numbered cases, each in IKE_AUTH and then, the same, in CREATE_CHILD_SA and in rekeys of both sides.
 */
#include <stdio.h>

#include "ike/ts.h"
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

enum { OFFERED = 20 };

/* What is configured beside 10.1.0.0/16 and fd01::/64 of child `lan`: keys of it, and further children. */
#define TO_NETS "        remote: [10.2.0.0/16, 'fd02::/64']\n"
#define ONE_PAIR TO_NETS "        single_pair: true\n"
#define ONE_OF_TWO \
	"        remote: [10.2.0.0/16]\n      two:\n        local: [10.3.0.0/24, 10.4.0.0/24]\n        remote: " \
	"[10.2.0.0/16]\n        single_pair: true\n"
#define WEB TO_NETS "      web:\n        local: ['10.5.0.0/16[tcp/443]']\n        remote: [10.2.0.0/16]\n"
#define PING \
	"        remote: [10.2.0.0/16]\n      ping:\n        local: ['10.5.0.0/16[icmp/8]']\n        remote: " \
	"['10.2.0.0/16[icmp]']\n"

static const struct narrowing {
	unsigned number;
	const char *what, *child;
	const char *tsi, *tsr;	   /* asked for */
	const char *theirs, *ours; /* agreed on, seen from the gateway; %4, %6: the client's inner address */
	uint16_t error;
	bool more; /* ADDITIONAL_TS_POSSIBLE */
	int inner; /* asks for an IPv4 address (1), also for an IPv6 one (2) */
} cases[] = {
	{ 1, "what is configured", TO_NETS, "10.2.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16", 0, false, 0 },
	{ 2, "everything", TO_NETS, "0.0.0.0/0", "0.0.0.0/0", "10.2.0.0/16", "10.1.0.0/16", 0, false, 0 },
	{ 3, "less", TO_NETS, "10.2.3.0/24", "10.1.4.5", "10.2.3.0/24", "10.1.4.5", 0, false, 0 },
	{ 4, "less here, more there", TO_NETS, "10.2.3.0/24", "0.0.0.0/0", "10.2.3.0/24", "10.1.0.0/16", 0, false, 0 },
	{ 5, "overlapping ranges", TO_NETS, "10.2.255.0-10.3.0.255", "10.0.255.0-10.1.0.255", "10.2.255.0/24",
	  "10.1.0.0/24", 0, false, 0 },
	{ 6, "a range that is no prefix", TO_NETS, "10.2.0.1-10.2.0.6", "0.0.0.0/0", "10.2.0.1-10.2.0.6", "10.1.0.0/16",
	  0, false, 0 },
	{ 7, "IPv6", TO_NETS, "::/0", "::/0", "fd02::/64", "fd01::/64", 0, false, 0 },
	{ 8, "both families", TO_NETS, "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0", "10.2.0.0/16, fd02::/64",
	  "10.1.0.0/16, fd01::/64", 0, false, 0 },
	{ 9, "a family that the other side lacks", TO_NETS, "0.0.0.0/0 ::/0", "0.0.0.0/0", "10.2.0.0/16", "10.1.0.0/16",
	  0, false, 0 },
	{ 10, "families crosswise", TO_NETS, "0.0.0.0/0", "::/0", NULL, NULL, N_TS_UNACCEPTABLE, false, 0 },
	{ 11, "nothing of theirs", TO_NETS, "192.168.0.0/16", "0.0.0.0/0", NULL, NULL, N_TS_UNACCEPTABLE, false, 0 },
	{ 12, "nothing of ours", TO_NETS, "0.0.0.0/0", "192.168.0.0/16", NULL, NULL, N_TS_UNACCEPTABLE, false, 0 },
	{ 13, "several, one of them strange", TO_NETS, "10.2.1.0/24 192.168.0.0/16 10.2.9.0/24", "0.0.0.0/0",
	  "10.2.1.0/24, 10.2.9.0/24", "10.1.0.0/16", 0, false, 0 },
	{ 14, "one within another", TO_NETS, "10.2.1.0/24 10.2.0.0/16", "0.0.0.0/0", "10.2.0.0/16", "10.1.0.0/16", 0,
	  false, 0 },
	{ 15, "more than we keep", TO_NETS,
	  "10.2.0.0 10.2.2.0 10.2.4.0 10.2.6.0 10.2.8.0 10.2.10.0 10.2.12.0 10.2.14.0 10.2.16.0 10.2.18.0 10.2.20.0 "
	  "10.2.22.0 10.2.24.0 10.2.26.0 10.2.28.0 10.2.30.0 10.2.32.0 10.2.34.0",
	  "0.0.0.0/0",
	  "10.2.0.0, 10.2.2.0, 10.2.4.0, 10.2.6.0, 10.2.8.0, 10.2.10.0, 10.2.12.0, 10.2.14.0, 10.2.16.0, 10.2.18.0, "
	  "10.2.20.0, 10.2.22.0, 10.2.24.0, 10.2.26.0, 10.2.28.0, 10.2.30.0",
	  "10.1.0.0/16", 0, false, 0 },
	{ 16, "a protocol", TO_NETS, "0.0.0.0/0[6]", "0.0.0.0/0[6]", "10.2.0.0/16[tcp]", "10.1.0.0/16[tcp]", 0, false,
	  0 },
	{ 17, "ports", TO_NETS, "0.0.0.0/0[17/1000-2000]", "0.0.0.0/0[17/53]", "10.2.0.0/16[udp/1000-2000]",
	  "10.1.0.0/16[udp/53]", 0, false, 0 },
	{ 18, "a protocol on one side", TO_NETS, "0.0.0.0/0", "0.0.0.0/0[6/22]", "10.2.0.0/16", "10.1.0.0/16[tcp/22]",
	  0, false, 0 },
	{ 19, "other protocols on either side", TO_NETS, "0.0.0.0/0[6]", "0.0.0.0/0[17]", NULL, NULL, N_TS_UNACCEPTABLE,
	  false, 0 },
	{ 20, "a protocol that the other side lacks", TO_NETS, "10.2.0.0/24[6] 10.2.1.0/24[17]", "0.0.0.0/0[6]",
	  "10.2.0.0/24[tcp]", "10.1.0.0/16[tcp]", 0, false, 0 },
	{ 21, "a configured port", WEB, "0.0.0.0/0", "10.5.0.0/16", "10.2.0.0/16", "10.5.0.0/16[tcp/443]", 0, false,
	  0 },
	{ 22, "a range around a configured port", WEB, "0.0.0.0/0[6]", "10.5.0.0/16[6/400-500]", "10.2.0.0/16[tcp]",
	  "10.5.0.0/16[tcp/443]", 0, false, 0 },
	{ 23, "not the configured port", WEB, "0.0.0.0/0[6]", "10.5.0.0/16[6/80]", NULL, NULL, N_TS_UNACCEPTABLE, false,
	  0 },
	{ 24, "not the configured protocol", WEB, "0.0.0.0/0[17]", "10.5.0.0/16[17/443]", NULL, NULL, N_TS_UNACCEPTABLE,
	  false, 0 },
	{ 25, "an ICMP type and code", TO_NETS, "0.0.0.0/0[1/2048]", "0.0.0.0/0[1/2048]", "10.2.0.0/16[icmp/8(0)]",
	  "10.1.0.0/16[icmp/8(0)]", 0, false, 0 },
	{ 26, "a configured ICMP type", PING, "0.0.0.0/0[1]", "10.5.0.0/16[1]", "10.2.0.0/16[icmp]",
	  "10.5.0.0/16[icmp/8]", 0, false, 0 },
	{ 27, "another ICMP type", PING, "0.0.0.0/0[1]", "10.5.0.0/16[1/0]", NULL, NULL, N_TS_UNACCEPTABLE, false, 0 },
	{ 28, "ICMPv6", TO_NETS, "::/0[58/32768]", "::/0[58]", "fd02::/64[icmpv6/128(0)]", "fd01::/64[icmpv6]", 0,
	  false, 0 },
	{ 29, "OPAQUE ports alone", TO_NETS, "0.0.0.0/0[6/65535-0]", "0.0.0.0/0[6]", NULL, NULL, N_TS_UNACCEPTABLE,
	  false, 0 },
	{ 30, "OPAQUE ports beside others", TO_NETS, "10.2.7.0/24[6/65535-0] 10.2.8.0/24[6]", "0.0.0.0/0[6]",
	  "10.2.8.0/24[tcp]", "10.1.0.0/16[tcp]", 0, false, 0 },
	{ 31, "a packet first", TO_NETS, "10.2.3.4[17/5353] 0.0.0.0/0", "10.1.0.9[17/53] 0.0.0.0/0", "10.2.0.0/16",
	  "10.1.0.0/16", 0, false, 0 },
	{ 32, "a packet first, which says where", ONE_OF_TWO, "10.2.3.4[17/5353] 0.0.0.0/0",
	  "10.4.0.9[17/53] 10.3.0.0/24 10.4.0.0/24", "10.2.0.0/16", "10.4.0.0/24", 0, true, 0 },
	{ 33, "a packet first that is not for us", TO_NETS, "10.2.3.4[17/5353] 10.2.0.0/16",
	  "192.168.0.1[17/53] 10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16", 0, false, 0 },
	{ 34, "single pairs: both families", ONE_PAIR, "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0", "10.2.0.0/16", "10.1.0.0/16",
	  0, true, 0 },
	{ 35, "single pairs: IPv6 first", ONE_PAIR, "::/0 0.0.0.0/0", "0.0.0.0/0 ::/0", "fd02::/64", "fd01::/64", 0,
	  true, 0 },
	{ 36, "single pairs: one asked for", ONE_PAIR, "0.0.0.0/0", "0.0.0.0/0", "10.2.0.0/16", "10.1.0.0/16", 0, false,
	  0 },
	{ 37, "the second child", ONE_OF_TWO, "0.0.0.0/0", "10.3.0.0/24", "10.2.0.0/16", "10.3.0.0/24", 0, false, 0 },
	{ 38, "an inner address", "", "0.0.0.0/0", "0.0.0.0/0", "%4", "10.1.0.0/16", 0, false, 1 },
	{ 39, "an inner address of one family, as Windows asks", "", "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0", "%4",
	  "10.1.0.0/16", 0, false, 1 },
	{ 40, "inner addresses of both", "", "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0", "%4, %6", "10.1.0.0/16, fd01::/64", 0,
	  false, 2 },
	{ 41, "somebody else's inner address", "", "10.99.0.77", "0.0.0.0/0", NULL, NULL, N_TS_UNACCEPTABLE, false, 1 },
};

/* "10.0.0.0/8", "10.0.0.1-10.0.0.9[6/80]", "::/0[17/1000-2000]", blanks between. */
static size_t parse(const char *text, struct selector out[OFFERED])
{
	char buf[400], *save = NULL;
	size_t n = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (char *p = strtok_r(buf, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		unsigned proto = 0, lo = 0, hi = UINT16_MAX;
		char *open = strchr(p, '[');
		struct range r;

		if (open && sscanf(open, "[%u/%u-%u", &proto, &lo, &hi) == 2)
			hi = lo;
		if (open)
			*open = '\0';
		ck_assert_msg(n < OFFERED && range_parse(p, &r), "%s", p);
		out[n++] = (struct selector){ (uint8_t)proto, (uint16_t)lo, (uint16_t)hi, r };
	}
	return n;
}

/* %4 and %6 replaced. */
static void expect(const struct ini *ini, const char *pattern, char *out, size_t n)
{
	struct writer w = wr_of(out, n - 1);
	char text[ADDR_TEXT];

	for (const char *p = pattern; *p; p++) {
		if (*p == '%')
			wr_bytes(&w, bytes_str(addr_text(&ini->inner[*++p == '6'], text)));
		else
			wr_u8(&w, (uint8_t)*p);
	}
	out[w.n] = '\0';
}

static void judge(struct sim *s, const struct narrowing *n, const char *when)
{
	struct ini *ini = s->clients[0].ini;
	const struct ini_child *c = ini_current(ini) ? ini_current(ini)->children : NULL;
	char want[512], got[512];

	(void)sim_agree(s);
	if (!n->theirs || !c) {
		if (c || n->theirs)
			sim_fail(s, "case %u, %s, %s: %s", n->number, n->what, when, c ? "agreed" : "refused");
		return;
	}
	expect(ini, n->theirs, want, sizeof(want));
	ts_text(c->ours, c->ours_count, got, sizeof(got));
	if (strcmp(want, got) != 0)
		sim_fail(s, "case %u, %s, %s: theirs %s", n->number, n->what, when, got);
	ts_text(c->theirs, c->theirs_count, got, sizeof(got));
	if (strcmp(n->ours, got) != 0)
		sim_fail(s, "case %u, %s, %s: ours %s", n->number, n->what, when, got);
	/* In a rekey the client asks for what it has, and no more. */
	if (strncmp(when, "in", 2) == 0 && ini->more_ts != n->more)
		sim_fail(s, "case %u, %s, %s: ADDITIONAL_TS_POSSIBLE %d", n->number, n->what, when, ini->more_ts);
}

static void play(struct sim *s, uint64_t seed)
{
	const struct narrowing *n = &cases[seed % ARRAY_LEN(cases)]; /* as many seeds in a row play each once */
	struct selector tsi[OFFERED], tsr[OFFERED];
	struct ike_select all = { 0 };
	struct sim_client *c;

	sim_init(s, seed, &(struct sim_settings){ .child = n->child, .no_pools = n->inner == 0 }, false);
	c = sim_client_add(s, false);
	c->cfg.want_v4 = n->inner > 0;
	c->cfg.want_v6 = n->inner > 1;
	c->cfg.tsi = tsi;
	c->cfg.tsi_count = parse(n->tsi, tsi);
	c->cfg.tsr = tsr;
	c->cfg.tsr_count = parse(n->tsr, tsr);
	sim_connect(s, c);
	(void)sim_settle(s, SECONDS(20));
	sim_want(s, ini_up(c->ini)); /* 2.21.2: the IKE SA comes up either way */
	sim_want(s, c->ini->child_error == n->error);
	judge(s, n, "in IKE_AUTH");
	(void)ini_new_child(c->ini);
	sim_flush(s);
	(void)sim_settle(s, SECONDS(20));
	sim_want(s, c->ini->heard[INI_CHILD_NEW].error == n->error);
	sim_want(s, ini_child_count(c->ini) == (n->error ? 0 : 2));
	judge(s, n, "in CREATE_CHILD_SA");
	(void)ini_rekey_child(c->ini, 0);
	sim_flush(s);
	(void)sim_settle(s, SECONDS(60));
	judge(s, n, "after a rekey by the client");
	(void)ike_rekey(s->gate.active.ike, &all, true);
	sim_flush(s);
	(void)sim_settle(s, SECONDS(60));
	judge(s, n, "after a rekey by the gateway");
	sim_want(s, gate_stat(&s->gate, "rekeys_failed") == 0);
	(void)sim_leaves_nothing(s);
}

START_TEST(numbered_cases)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_uint_eq(cases[i].number, i + 1);
	sim_seeds("narrowing", 0, ARRAY_LEN(cases), play);
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { numbered_cases, 0 } };

	return suite_run("selectors", all, ARRAY_LEN(all));
}
