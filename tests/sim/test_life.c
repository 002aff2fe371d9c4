/* The life of SAs by policy: PFS, who rekeys, rekeys by volume, liveness by traffic, inactivity, reauthentication. */
#include <stdio.h>

#include "core/crypto/alg.h"
#include "ike/iana.h"
#include "tests/sim/chaos.h"
#include "tests/sim/suite.h"

static struct sim s;

static struct sim_client *begin(const struct sim_settings *settings, const char *esp)
{
	struct sim_client *c;

	sim_init(&s, 1, settings, true);
	if (esp)
		sim_offer(&s, "aes128gcm16-prfsha256-x25519", esp);
	c = sim_client_add(&s, false);
	return c;
}

static void up(struct sim_client *c)
{
	sim_connect(&s, c);
	(void)sim_settle(&s, SECONDS(10));
	sim_want(&s, ini_up(c->ini) && sim_sa(&s, c));
}

static void done(void)
{
	(void)sim_agree(&s);
	(void)sim_leaves_nothing(&s);
	sim_check(&s);
	sim_clear(&s);
}

static void by_client(struct sim_client *c)
{
	(void)ini_rekey_child(c->ini, 0);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(100));
}

static void by_gateway(void)
{
	struct ike_select all = { 0 };

	(void)ike_rekey(s.gate.active.ike, &all, true);
	sim_flush(&s);
	(void)sim_settle(&s, SECONDS(100));
}

/* The group by which the CHILD SA was made. */
static uint16_t group(const struct sim_client *c)
{
	const struct ike_sa *sa = sim_sa(&s, c);

	return sa && sa->children ? sa->children->dh.id : UINT16_MAX;
}

static uint64_t stat_of(const char *name)
{
	return gate_stat(&s.gate, name);
}

/* ---- PFS ---- */

START_TEST(pfs_repeats_what_the_client_does)
{
	struct sim_client *c = begin(NULL, "aes128gcm16-x25519-none");

	up(c);
	for (int round = 0; round < 2; round++) {
		c->cfg.pfs = round;
		by_client(c);
		sim_want(&s, group(c) == (round ? DH_CURVE25519 : DH_NONE));
		by_gateway();
		sim_want(&s, group(c) == (round ? DH_CURVE25519 : DH_NONE));
		gate_takeover(&s.gate);
		by_gateway();
		sim_want(&s, group(c) == (round ? DH_CURVE25519 : DH_NONE));
	}
	sim_want(&s, stat_of("rekeys_failed") == 0);
	done();
}
END_TEST

START_TEST(pfs_required)
{
	static const struct sim_settings settings = { .child = "        pfs: required\n" };
	struct sim_client *c = begin(&settings, "aes128gcm16-x25519-none");

	/* The CHILD SA of IKE_AUTH has none to require (1.2); each later one has. */
	up(c);
	by_gateway();
	sim_want(&s, group(c) == DH_CURVE25519 && stat_of("rekeys_failed") == 0);
	c->cfg.pfs = true;
	by_client(c);
	sim_want(&s, group(c) == DH_CURVE25519 && c->ini->refused[INI_CHILD_REKEY] == 0);
	c->cfg.pfs = false;
	by_client(c);
	sim_want(&s, c->ini->refused[INI_CHILD_REKEY] > 0 && group(c) == DH_CURVE25519);
	done();
}
END_TEST

START_TEST(pfs_off)
{
	static const struct sim_settings settings = { .child = "        pfs: off\n" };
	struct sim_client *c = begin(&settings, "aes128gcm16-x25519-none");

	up(c);
	c->cfg.pfs = true;
	by_client(c); /* it offers a group, and to do without */
	sim_want(&s, group(c) == DH_NONE);
	by_gateway();
	sim_want(&s, group(c) == DH_NONE && stat_of("rekeys_failed") == 0);
	/* One that insists is refused. */
	sim_offer(&s, "aes128gcm16-prfsha256-x25519", "aes128gcm16-x25519");
	by_client(c);
	sim_want(&s, c->ini->refused[INI_CHILD_REKEY] > 0);
	done();
}
END_TEST

/* ---- who rekeys ---- */

static const uint8_t windows[] = { 0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d, 0x7c, 0x96,
				   0xfc, 0xbf, 0xb5, 0x87, 0xe4, 0x61, 0x00, 0x00, 0x00, 0x09 };

static void rekey_by(const char *who, bool from_windows, bool rekeys, bool ends)
{
	char conn[120];
	struct sim_client *c;

	snprintf(conn, sizeof(conn), "    rekey_by: %s\n    rekey: 10m\n", who);
	c = begin(&(struct sim_settings){ .conn = conn, .child = "        rekey: 5m\n" }, NULL);
	if (from_windows)
		c->cfg.vendor = bytes_of(windows, sizeof(windows));
	up(c);
	sim_run(&s, SECONDS(3600));
	sim_want(&s, (c->ini->peer_rekeys > 0) == rekeys && (c->ini->peer_ike_rekeys > 0) == rekeys);
	sim_want(&s, ini_up(c->ini) != ends);
	if (!ends)
		sim_want(&s, ini_child_count(c->ini) == 1);
	(void)sim_settle(&s, SECONDS(60));
	done();
}

START_TEST(who_rekeys)
{
	rekey_by("auto", false, true, false);
	rekey_by("auto", true, false, false);
	rekey_by("always", true, true, false);
	rekey_by("peer", false, false, true);
	rekey_by("never", false, false, false);
}
END_TEST

/* ---- volume ---- */

static void carry(const struct sim_client *c, uint64_t packets, uint64_t each)
{
	const struct ike_sa *sa = sim_sa(&s, c);

	sim_want(&s, sa && fake_plane_send(s.gate.active.plane, sa->children->reqid, packets, each) == packets);
	gate_report(&s.gate);
	(void)sim_settle(&s, SECONDS(60));
}

START_TEST(by_octets_and_packets)
{
	static const struct sim_settings octets = { .conn = "    jitter: 0%\n", .child = "        rekey_bytes: 10M\n" },
					 packets = { .conn = "    jitter: 0%\n",
						     .child = "        rekey_packets: 1k\n" },
					 spread = { .conn = "    jitter: 50%\n",
						    .child = "        rekey_packets: 1k\n" };
	struct sim_client *c = begin(&octets, NULL);

	up(c);
	carry(c, 9999, 1000);
	sim_want(&s, c->ini->peer_rekeys == 0);
	carry(c, 1, 1000);
	sim_want(&s, c->ini->peer_rekeys == 1);
	carry(c, 9999, 1000); /* the new one counts anew */
	sim_want(&s, c->ini->peer_rekeys == 1);
	gate_takeover(&s.gate);
	carry(c, 100, 1000000);
	(void)sim_settle(&s, SECONDS(120));
	sim_want(&s, c->ini->peer_rekeys == 2);
	done();
	c = begin(&packets, NULL);
	up(c);
	carry(c, 999, 100);
	sim_want(&s, c->ini->peer_rekeys == 0);
	carry(c, 1, 100);
	sim_want(&s, c->ini->peer_rekeys == 1);
	done();
	c = begin(&spread, NULL);
	up(c);
	carry(c, 499, 100);
	sim_want(&s, c->ini->peer_rekeys == 0);
	carry(c, 501, 100);
	sim_want(&s, c->ini->peer_rekeys == 1);
	done();
}
END_TEST

/* Without ESN there are 2^32 numbers, whoever is to rekey. */
START_TEST(by_sequence_number)
{
	static const struct sim_settings settings = { .conn = "    rekey_by: peer\n" };
	struct sim_client *c = begin(&settings, NULL);
	struct dp_op op = { .kind = DP_SA_POSITION };
	const struct ike_sa *sa;

	up(c);
	sa = sim_sa(&s, c);
	op.id = (struct dp_sa_id){ DP_OUT, sa->children->spi_out, sa->remote.addr };
	op.position = (UINT64_C(1) << 31) - 2;
	sim_want(&s, dp_submit(s.gate.active.plane, 0, &op, 1) == GW_OK && fake_plane_run(s.gate.active.plane, 1) == 1);
	carry(c, 1, 100);
	sim_want(&s, c->ini->peer_rekeys == 0);
	carry(c, 1, 100);
	sim_want(&s, c->ini->peer_rekeys == 1);
	done();
}
END_TEST

/* ---- liveness and silence ---- */

static void hear(const struct sim_client *c, uint64_t seq)
{
	const struct ike_sa *sa = sim_sa(&s, c);

	sim_want(&s, sa && fake_plane_receive(s.gate.active.plane, sa->children->spi_in, seq, &sa->remote, 100));
	gate_report(&s.gate);
}

START_TEST(traffic_is_a_sign_of_life)
{
	static const struct sim_settings settings = { .conn = "    dpd: 30s\n" };
	struct sim_client *c = begin(&settings, NULL);

	up(c);
	for (uint64_t i = 1; i <= 60; i++) {
		hear(c, i);
		sim_run(&s, SECONDS(10));
	}
	sim_want(&s, c->ini->peer_probes == 0);
	/* What we send says nothing of the peer. */
	for (int i = 0; i < 10; i++) {
		carry(c, 1, 100);
		sim_run(&s, SECONDS(5));
	}
	sim_want(&s, c->ini->peer_probes >= 1);
	(void)sim_settle(&s, SECONDS(10));
	done();
}
END_TEST

START_TEST(silence_closes)
{
	static const struct sim_settings settings = { .conn = "    dpd: 0\n", .child = "        inactivity: 60s\n" };
	struct sim_client *c = begin(&settings, NULL);

	up(c);
	for (uint64_t i = 1; i <= 10; i++) {
		hear(c, i);
		sim_run(&s, SECONDS(50));
	}
	by_client(c);
	sim_want(&s, ini_child_count(c->ini) == 1);
	for (int i = 0; i < 10; i++) { /* either direction */
		carry(c, 1, 100);
		sim_run(&s, SECONDS(50));
	}
	gate_takeover(&s.gate); /* begins anew there */
	(void)ini_new_child(c->ini);
	sim_flush(&s);
	sim_run(&s, SECONDS(50));
	sim_want(&s, ini_up(c->ini) && ini_child_count(c->ini) == 2);
	sim_run(&s, SECONDS(70));
	sim_want(&s, !ini_up(c->ini) && c->ini->peer_deletes > 0 && ike_count(s.gate.active.ike) == 0);
	done();
}
END_TEST

/* ---- reauthentication ---- */

START_TEST(who_does_not_authenticate_anew_is_ended)
{
	static const struct sim_settings settings = { .conn = "    reauth: 10m\n    rekey: 3m\n" };
	struct sim_client *c = begin(&settings, NULL);

	up(c);
	sim_want(&s, c->ini->auth_lifetime == 600);
	sim_run(&s, SECONDS(300));
	gate_takeover(&s.gate);
	sim_run(&s, SECONDS(290));
	sim_want(&s, ini_up(c->ini) && c->ini->peer_ike_rekeys > 1); /* rekeys do not count */
	sim_run(&s, SECONDS(60));
	sim_want(&s, !ini_up(c->ini) && ike_count(s.gate.active.ike) == 0);
	done();
}
END_TEST

/* Make before break: the same client with a second IKE SA, which takes everything over. */
START_TEST(who_does_stays)
{
	static const struct sim_settings settings = { .conn = "    reauth: 10m\n" };
	struct sim_client *c = begin(&settings, NULL), *again = sim_client_add(&s, false);
	struct dp_sa_id out;
	uint32_t reqid;

	again->ini->self.id = c->ini->self.id;
	c->cfg.initial_contact = again->cfg.initial_contact = false;
	up(c);
	reqid = sim_sa(&s, c)->children->reqid;
	for (int i = 0; i < 6 && !s.failure[0]; i++) {
		struct sim_client *newest = i % 2 ? c : again;

		sim_run(&s, SECONDS(500));
		up(newest);
		sim_want(&s, addr_equal(&c->ini->inner[0], &again->ini->inner[0]));
		sim_want(&s, sim_sa(&s, newest)->children->reqid == reqid &&
				     fake_plane_newest_out(s.gate.active.plane, reqid, &out) &&
				     out.spi == sim_sa(&s, newest)->children->spi_out);
		sim_want(&s, ike_count(s.gate.active.ike) == 1);
		(void)sim_agree(&s);
	}
	done();
}
END_TEST

int main(void)
{
	const struct suite_test all[] = { { pfs_repeats_what_the_client_does, 0 },
					  { pfs_required, 0 },
					  { pfs_off, 0 },
					  { who_rekeys, 0 },
					  { by_octets_and_packets, 0 },
					  { by_sequence_number, 0 },
					  { traffic_is_a_sign_of_life, 0 },
					  { silence_closes, 0 },
					  { who_does_not_authenticate_anew_is_ended, 0 },
					  { who_does_stays, 0 } };

	return suite_run("life", all, ARRAY_LEN(all));
}
