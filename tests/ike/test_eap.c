#include "ike/eap.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "tests/check_main.h"
#include "tests/ike/eap_peer.h"
#include "tests/ike/fake_env.h"

static struct fake_env env;
static struct crypto *c;
static struct settings *settings;
static struct eap_cfg cfg;
static struct eap_server server;
static struct eap *eap;
static struct eap_packet ours; /* what the authenticator said last */
static enum eap_verdict verdict;
static bool may_try;
static char tried_user[64];

static bool ask(void *arg, struct bytes user)
{
	(void)arg;
	(void)snprintf(tried_user, sizeof(tried_user), "%.*s", (int)user.n, (const char *)user.p);
	return may_try;
}

static void setup(void)
{
	static const char yaml[] = "users:\n"
				   "  alice: {password: clientPass}\n"
				   "  'CORP\\carol': {password: clientPass}\n"
				   "  Dora: {password: clientPass}\n"
				   "  keyless: {}\n";
	struct config_report report;
	struct err e = { 0 };

	fake_env_init(&env);
	c = crypto_create(&e);
	ck_assert_msg(c != NULL, "%s", e.text);
	settings = config_load_text("f", bytes_str(yaml), NULL, &report);
	ck_assert_ptr_nonnull(settings);
	config_report_clear(&report);
	cfg = (struct eap_cfg){ .strip_domain = true, .retries = 1 };
	may_try = true;
	server = (struct eap_server){
		.crypto = c,
		.rng = &env.rng.rng,
		.settings = settings,
		.methods = CONN_AUTH_EAP_MSCHAPV2,
		.name = bytes_str("gw"),
		.fallback = bytes_str("from IDi"),
		.cfg = &cfg,
		.may_try = ask,
	};
	eap = eap_create();
	ck_assert_ptr_nonnull(eap);
}

static void teardown(void)
{
	eap_destroy(eap);
	settings_unref(settings);
	crypto_destroy(c);
}

/* The other node goes on with what this one has written down. */
static void fail_over(void)
{
	uint8_t buf[8192];
	struct writer w = wr_of(buf, sizeof(buf));

	eap_encode(eap, &w);
	ck_assert(!w.bad);
	eap_destroy(eap);
	ck_assert_int_eq(eap_decode(wr_done(&w), &eap), GW_OK);
}

static void start(void)
{
	struct writer w = wr_of(ours.p, sizeof(ours.p));

	ck_assert_int_eq(eap_start(eap, &server, &w), GW_OK);
	ours.n = w.n;
	ck_assert_uint_eq(eap_request_data(&ours, EAP_IDENTITY).n, 0);
}

static void say(struct bytes packet)
{
	struct writer w = wr_of(ours.p, sizeof(ours.p));

	verdict = eap_receive(eap, &server, packet, &w);
	ck_assert(!w.bad && w.n > 0);
	ours.n = w.n;
}

static void answer(uint8_t type, struct bytes data)
{
	struct eap_packet p = eap_response(ours.p[1], type, data);

	say(eap_bytes(&p));
}

static void identify(const char *name)
{
	start();
	answer(EAP_IDENTITY, bytes_str(name));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
}

static uint8_t response[MSCHAPV2_RESPONSE], hash[MSCHAPV2_HASH];

static void log_in(const uint8_t *challenge, const char *name, const char *password)
{
	struct eap_packet p = mschapv2_answer(c, ours.p[1], challenge, name, password, response, hash);

	say(eap_bytes(&p));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
}

static struct mschapv2_packet said(void)
{
	struct mschapv2_packet p;

	ck_assert_int_eq(mschapv2_parse(eap_request_data(&ours, EAP_MSCHAPV2), &p), GW_OK);
	return p;
}

static void answer_op(uint8_t op)
{
	answer(EAP_MSCHAPV2, bytes_of(&op, 1));
}

static void expect_failure(const char *reason)
{
	ck_assert_int_eq(verdict, EAP_FAILED);
	ck_assert_uint_eq(ours.n, 4);
	ck_assert_uint_eq(ours.p[0], EAP_CODE_FAILURE);
	ck_assert_str_eq(eap_reason(eap), reason);
	ck_assert_uint_eq(eap_msk(eap).n, 0);
}

static void expect_success(const char *user)
{
	uint8_t msk[MSCHAPV2_MSK];

	ck_assert_int_eq(verdict, EAP_SUCCEEDED);
	ck_assert_uint_eq(ours.n, 4);
	ck_assert_uint_eq(ours.p[0], EAP_CODE_SUCCESS);
	ck_assert(bytes_equal(eap_user(eap), bytes_str(user)));
	ck_assert_int_eq(mschapv2_msk(c, hash, response, msk), GW_OK);
	ck_assert(bytes_equal(eap_msk(eap), bytes_of(msk, sizeof(msk))));
}

/* The server proves that it knows the password, too. */
static void check_proof(const uint8_t *challenge, const char *name)
{
	static const uint8_t theirs[MSCHAPV2_CHALLENGE] = "sixteen octets!";
	struct mschapv2 x = { challenge, theirs, mschapv2_bare_name(bytes_str(name)), hash };
	uint8_t got[MSCHAPV2_PROOF], want[MSCHAPV2_PROOF];

	ck_assert_int_eq(mschapv2_read_proof(said().text, got), GW_OK);
	ck_assert_int_eq(mschapv2_proof(c, &x, response, want), GW_OK);
	ck_assert_mem_eq(got, want, sizeof(want));
}

static void whole(const char *identity, const char *name, const char *user, bool failover)
{
	uint8_t challenge[MSCHAPV2_CHALLENGE];

	start();
	if (failover)
		fail_over();
	answer(EAP_IDENTITY, bytes_str(identity));
	ck_assert(bytes_equal(said().name, bytes_str("gw")));
	memcpy(challenge, said().challenge, sizeof(challenge));
	if (failover)
		fail_over();
	log_in(challenge, name, "clientPass");
	check_proof(challenge, name);
	if (failover)
		fail_over();
	answer_op(MSCHAPV2_OP_SUCCESS);
	if (failover)
		fail_over();
	expect_success(user);
	ck_assert(bytes_equal(eap_identity(eap), bytes_str(*identity ? identity : "from IDi")));
}

START_TEST(right_password)
{
	static const struct {
		const char *identity, *name, *user;
	} rows[] = {
		{ "alice", "alice", "alice" },
		{ "", "alice", "alice" },
		{ "somebody else", "alice", "alice" }, /* who has the password counts */
		{ "CORP\\alice", "CORP\\alice", "alice" },
		{ "CORP\\carol", "CORP\\carol", "CORP\\carol" },
	};

	whole(rows[_i].identity, rows[_i].name, rows[_i].user, false);
	ck_assert_str_eq(tried_user, (const char *)mschapv2_bare_name(bytes_str(rows[_i].name)).p);
}
END_TEST

START_TEST(failover_between_all_rounds)
{
	whole("alice", "alice", "alice", true);
}
END_TEST

START_TEST(case_of_names)
{
	cfg.ignore_case = true;
	whole("dora", "dORA", "Dora", false);
}
END_TEST

/* R=1 lets a client ask for the password again; with the new challenge. */
START_TEST(second_try)
{
	uint8_t challenge[MSCHAPV2_CHALLENGE];

	identify("alice");
	log_in(said().challenge, "alice", "clientpass");
	ck_assert_uint_eq(said().op, MSCHAPV2_OP_FAILURE);
	ck_assert_uint_eq(said().text.n, strlen("E=691 R=1 C= V=3 M=Authentication failed") + 32);
	ck_assert_mem_eq(said().text.p, "E=691 R=1 C=", 12);
	fail_over();
	for (size_t i = 0; i < sizeof(challenge); i++) {
		unsigned octet;
		char two[3] = { (char)said().text.p[12 + 2 * i], (char)said().text.p[13 + 2 * i], 0 };

		ck_assert_int_eq(sscanf(two, "%2X", &octet), 1);
		challenge[i] = (uint8_t)octet;
	}
	log_in(challenge, "alice", "clientPass");
	check_proof(challenge, "alice");
	answer_op(MSCHAPV2_OP_SUCCESS);
	expect_success("alice");
}
END_TEST

/* The packets for a wrong password, an unknown user, one without a password and one that was guessed at too often are
 * the same but for the challenge. */
START_TEST(nothing_is_told)
{
	static const struct {
		const char *name, *password, *reason;
		bool may_try;
	} rows[] = {
		{ "alice", "clientpass", "wrong password of user `alice`", true },
		{ "mallory", "clientPass", "no user `mallory`", true },
		{ "eve\n\x1b[2J\xc2\x9b", "clientPass", "no user `eve\\x0a\\x1b[2J\\xc2\\x9b`", true },
		{ "keyless", "", "user `keyless` has no password", true },
		{ "alice", "clientPass", "too many wrong passwords of user `alice` (ike.failures_per_user)", false },
		{ "dora", "clientPass", "no user `dora`", true },
	};

	cfg.retries = 0;
	may_try = rows[_i].may_try;
	identify(rows[_i].name);
	log_in(said().challenge, rows[_i].name, rows[_i].password);
	ck_assert_uint_eq(said().op, MSCHAPV2_OP_FAILURE);
	ck_assert_mem_eq(said().text.p, "E=691 R=0 C=", 12);
	ck_assert_mem_eq(said().text.p + 44, " V=3 M=Authentication failed", 28);
	ck_assert(eap_guessed(eap));
	fail_over();
	answer_op(MSCHAPV2_OP_FAILURE);
	ck_assert_int_eq(verdict, EAP_FAILED);
	ck_assert(eap_guessed(eap));
	ck_assert_uint_eq(ours.p[0], EAP_CODE_FAILURE);
}
END_TEST

START_TEST(reasons)
{
	cfg.retries = 0;
	identify("mallory");
	log_in(said().challenge, "mallory", "clientPass");
	answer_op(MSCHAPV2_OP_FAILURE);
	expect_failure("no user `mallory`");
	/* and over it is */
	answer_op(MSCHAPV2_OP_FAILURE);
	expect_failure("it goes on after the end");
}
END_TEST

START_TEST(retries_end)
{
	struct eap_packet p;

	identify("alice");
	log_in(said().challenge, "alice", "clientpass");
	ck_assert_mem_eq(said().text.p, "E=691 R=1 C=", 12);
	log_in((const uint8_t *)"0123456789abcdef", "alice", "clientpass");
	ck_assert_mem_eq(said().text.p, "E=691 R=0 C=", 12);
	p = mschapv2_answer(c, ours.p[1], (const uint8_t *)"0123456789abcdef", "alice", "x", response, hash);
	say(eap_bytes(&p)); /* whatever comes now */
	expect_failure("wrong password of user `alice`");
}
END_TEST

START_TEST(password_change)
{
	static const uint8_t change[] = { MSCHAPV2_OP_CHANGE_PASSWORD, 8, 0, 4 };

	identify("alice");
	log_in(said().challenge, "alice", "clientpass");
	answer(EAP_MSCHAPV2, bytes_of(change, sizeof(change)));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	ck_assert_mem_eq(said().text.p, "E=709 R=0 C=", 12);
	answer_op(MSCHAPV2_OP_FAILURE);
	expect_failure("it wants to change a password, which is not possible here");
}
END_TEST

START_TEST(peer_refuses_proof)
{
	identify("alice");
	log_in(said().challenge, "alice", "clientPass");
	answer_op(MSCHAPV2_OP_FAILURE);
	expect_failure("it does not believe that we know the password");
}
END_TEST

/* Success cannot be had without the password. */
START_TEST(success_out_of_turn)
{
	identify("alice");
	answer_op(MSCHAPV2_OP_SUCCESS);
	expect_failure("packet 3 of MSCHAPv2 at the wrong time");
}
END_TEST

START_TEST(success_after_failure)
{
	identify("alice");
	log_in(said().challenge, "alice", "clientpass");
	answer_op(MSCHAPV2_OP_SUCCESS);
	expect_failure("packet 3 of MSCHAPv2 at the wrong time");
}
END_TEST

/* ---- negotiation ---- */

START_TEST(nak)
{
	static const struct {
		const char *wanted, *reason;
	} rows[] = {
		{ "\x04\x06", "it refuses eap-mschapv2 and would take eap-md5, eap-gtc; configured: eap-mschapv2" },
		{ "", "it refuses eap-mschapv2 and would take nothing else; configured: eap-mschapv2" },
		{ "\x1a", "it refuses eap-mschapv2 and would take eap-mschapv2; configured: eap-mschapv2" },
		{ "\x0d\xc8", "it refuses eap-mschapv2 and would take eap-tls, eap-200; configured: eap-mschapv2" },
	};

	identify("alice");
	answer(EAP_NAK, bytes_str(rows[_i].wanted));
	expect_failure(rows[_i].reason);
	ck_assert(!eap_guessed(eap));
}
END_TEST

START_TEST(no_identity)
{
	start();
	answer(EAP_NAK, bytes_str("\x1a"));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	ck_assert_uint_eq(said().op, MSCHAPV2_OP_CHALLENGE);
	ck_assert(bytes_equal(eap_identity(eap), bytes_str("from IDi")));
}
END_TEST

START_TEST(identity_with_options)
{
	start();
	answer(EAP_IDENTITY, bytes_of("alice\0networkid=x", 17));
	ck_assert_int_eq(verdict, EAP_GOES_ON);
	ck_assert(bytes_equal(eap_identity(eap), bytes_str("alice")));
}
END_TEST

START_TEST(no_method)
{
	server.methods = CONN_AUTH_PSK;
	start();
	answer(EAP_IDENTITY, bytes_str("alice"));
	expect_failure("no method of EAP can be offered");
}
END_TEST

START_TEST(long_identity)
{
	uint8_t name[EAP_NAME_MAX + 1];

	memset(name, 'x', sizeof(name));
	start();
	answer(EAP_IDENTITY, bytes_of(name, sizeof(name)));
	expect_failure("an identity of 254 octets");
}
END_TEST

/* ---- odd packets ---- */

/* Each gets the request again, a few times. */
START_TEST(odd)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *what;
	} rows[] = {
		{ "", 0, "it sends no EAP response, again and again" },
		{ "\x02", 1, "it sends no EAP response, again and again" },
		{ "\x01@\0\x05\x1a", 5, "it sends no EAP response, again and again" },
		{ "\x03@\0\x04", 4, "it sends no EAP response, again and again" },
		{ "\x02@\0\x04", 4, "it sends no EAP response, again and again" },
		{ "\x02@\0\x06\x1a", 5, "it sends no EAP response, again and again" },
		{ "\x02@\0\x05\x1a\0", 6, "it sends no EAP response, again and again" },
		{ "\x02?\0\x06\x1a\x03", 6, "it answers another request, again and again" },
		{ "\x02@\0\x06\x02\x03", 6, "it answers another method than was asked for, again and again" },
		{ "\x02@\0\x06\xfe\x03", 6, "it answers another method than was asked for, again and again" },
	};
	uint8_t packet[8];
	struct eap_packet request;

	identify("alice");
	request = ours;
	for (size_t i = 0; i < rows[_i].n; i++)
		packet[i] = (uint8_t)(i == 1 ? ours.p[1] + (rows[_i].bytes[1] - '@') : rows[_i].bytes[i]);
	for (int i = 0; i < EAP_ODD_MAX; i++) {
		say(bytes_of(packet, rows[_i].n));
		ck_assert_int_eq(verdict, EAP_GOES_ON);
		ck_assert(bytes_equal(eap_bytes(&ours), eap_bytes(&request)));
	}
	say(bytes_of(packet, rows[_i].n));
	expect_failure(rows[_i].what);
}
END_TEST

START_TEST(malformed_mschapv2)
{
	static const char *const rows[] = { "",	    "\x02\x07\0\x04",	 "\x02\x07\0\x05\x31", "\x09\x07\0\x04",
					    "\x01", "\x02\x07\0\x09\x31" };
	static const size_t lens[] = { 0, 4, 5, 4, 1, 5 };

	identify("alice");
	answer(EAP_MSCHAPV2, bytes_of(rows[_i], lens[_i]));
	expect_failure("malformed packet of MSCHAPv2");
}
END_TEST

START_TEST(rounds_end)
{
	struct eap_packet p;
	int rounds = 0;

	/* Odd packets end sooner, so a peer needs many retries to loop. */
	cfg.retries = 1000;
	identify("alice");
	do {
		p = mschapv2_answer(c, ours.p[1], (const uint8_t *)"0123456789abcdef", "alice", "x", response, hash);
		say(eap_bytes(&p));
		rounds++;
	} while (verdict == EAP_GOES_ON && rounds < 1000);
	expect_failure("more than 80 rounds");
	ck_assert_int_lt(rounds, 1000);
}
END_TEST

START_TEST(oversized)
{
	static uint8_t big[EAP_PACKET_MAX];

	identify("alice");
	answer(EAP_MSCHAPV2, bytes_of(big, sizeof(big)));
	ck_assert_int_eq(verdict, EAP_GOES_ON); /* odd */
	ck_assert_uint_eq(said().op, MSCHAPV2_OP_CHALLENGE);
}
END_TEST

/* Any cut of a record, and any other octet in it, is refused or harmless. */
START_TEST(broken_records)
{
	uint8_t buf[8192], copy[8192];
	struct writer w = wr_of(buf, sizeof(buf));
	struct eap *other;

	identify("alice");
	eap_encode(eap, &w);
	for (size_t n = 0; n < w.n; n++) {
		ck_assert_int_eq(eap_decode(bytes_of(buf, n), &other), GW_EMALFORMED);
		ck_assert_ptr_null(other);
	}
	for (size_t i = 0; i < w.n; i++) {
		memcpy(copy, buf, w.n);
		copy[i] ^= 0xff;
		if (eap_decode(bytes_of(copy, w.n), &other) == GW_OK)
			eap_destroy(other);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("eap");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, right_password, 0, 5);
	tcase_add_test(t, failover_between_all_rounds);
	tcase_add_test(t, case_of_names);
	tcase_add_test(t, second_try);
	tcase_add_loop_test(t, nothing_is_told, 0, 5);
	tcase_add_test(t, reasons);
	tcase_add_test(t, retries_end);
	tcase_add_test(t, password_change);
	tcase_add_test(t, peer_refuses_proof);
	tcase_add_test(t, success_out_of_turn);
	tcase_add_test(t, success_after_failure);
	tcase_add_loop_test(t, nak, 0, 4);
	tcase_add_test(t, no_identity);
	tcase_add_test(t, identity_with_options);
	tcase_add_test(t, no_method);
	tcase_add_test(t, long_identity);
	tcase_add_loop_test(t, odd, 0, 10);
	tcase_add_loop_test(t, malformed_mschapv2, 0, 6);
	tcase_add_test(t, rounds_end);
	tcase_add_test(t, oversized);
	tcase_add_test(t, broken_records);
	return check_main("eap", t);
}
