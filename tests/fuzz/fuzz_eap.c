/*
 * A peer's packets of EAP and MSCHAPv2 to the authenticator: lengths of 2 octets, then a packet each. The first octet
 * sets what is configured; with its highest bit the conversation goes on under another node after each packet. Nobody
 * gets in, since no packet here can be made with the password.
 */
#include <stdlib.h>

#include "config/load.h"
#include "ike/eap.h"
#include "ike/eap_mschapv2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypto *crypto;
static struct settings *settings;
static struct rng_seeded rng;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	static const char yaml[] = "users: {alice: {password: clientPass}, nobody: {}}\n";
	struct config_report report;

	if (crypto)
		return;
	crypto = crypto_create(NULL);
	settings = config_load_text("f", bytes_str(yaml), NULL, &report);
	must(crypto && settings);
	config_report_clear(&report);
}

static void move(struct eap **e)
{
	static uint8_t a[65536], b[65536];
	struct writer w = wr_of(a, sizeof(a)), again = wr_of(b, sizeof(b));
	struct eap *other = NULL;

	eap_encode(*e, &w);
	must(!w.bad && eap_decode(wr_done(&w), &other) == GW_OK);
	eap_encode(other, &again);
	must(bytes_equal(wr_done(&w), wr_done(&again)));
	eap_destroy(*e);
	*e = other;
}

/* The answer is a packet of EAP, whatever was asked. */
static void check(struct bytes out, enum eap_verdict v)
{
	must(out.n >= 4 && out.n <= EAP_PACKET_MAX && get_u16(out.p + 2) == out.n);
	must(v == EAP_GOES_ON ? out.p[0] == EAP_CODE_REQUEST : v == EAP_FAILED && out.p[0] == EAP_CODE_FAILURE);
}

static void try_parsers(struct bytes packet)
{
	static uint8_t buf[65536];
	struct mschapv2_packet p, q;
	struct writer w = wr_of(buf, sizeof(buf));

	if (mschapv2_parse(packet, &p) != GW_OK || p.op != MSCHAPV2_OP_RESPONSE)
		return;
	mschapv2_write_response(&w, p.id, p.challenge, p.response, p.name);
	must(mschapv2_parse(wr_done(&w), &q) == GW_OK && q.id == p.id && bytes_equal(q.name, p.name));
	must(memcmp(p.challenge, q.challenge, MSCHAPV2_CHALLENGE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[EAP_PACKET_MAX];
	struct reader r = { data, size, false };
	uint8_t how = rd_u8(&r);
	struct eap_cfg cfg = { .ignore_case = how & 1, .strip_domain = how & 2, .retries = how >> 2 & 3 };
	struct eap_server server;
	struct eap *e;
	struct writer w = wr_of(out, sizeof(out));
	enum eap_verdict v = EAP_GOES_ON;

	start();
	rng_seeded_init(&rng, 1); /* so that identifiers and challenges can be learnt */
	server = (struct eap_server){
		.crypto = crypto,
		.rng = &rng.rng,
		.settings = settings,
		.methods = CONN_AUTH_EAP,
		.name = bytes_str("gw"),
		.fallback = bytes_str("idi"),
		.cfg = &cfg,
	};
	e = eap_create();
	must(e && eap_start(e, &server, &w) == GW_OK);
	for (int rounds = 0; r.left > 0; rounds++) {
		struct bytes packet = rd_bytes(&r, rd_u16(&r));
		uint8_t *copy;

		if (r.bad)
			break;
		try_parsers(packet);
		copy = malloc(packet.n + 1);
		must(copy != NULL);
		if (packet.n > 0)
			memcpy(copy, packet.p, packet.n);
		/* 0xff as an identifier stands for the right one. */
		if (packet.n > 1 && copy[1] == 0xff)
			copy[1] = out[1];
		w = wr_of(out, sizeof(out));
		v = eap_receive(e, &server, bytes_of(copy, packet.n), &w);
		free(copy);
		check(wr_done(&w), v);
		must(eap_msk(e).n == 0);
		must(rounds <= EAP_ROUNDS_MAX + 1 || v == EAP_FAILED);
		if (how & 0x80)
			move(&e);
	}
	eap_destroy(e);
	return 0;
}
