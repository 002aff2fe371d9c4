/*
 * A stranger's fragments of EAP-TLS: lengths of 2 octets, then the type data of a packet each. What is put together is
 * TLS to the server with a certificate of ours, and nobody is let in.
 */
#include <stdlib.h>

#include "core/crypto/tls_server.h"
#include "ike/eap.h"
#include "ike/eap_tls.h"
#include "tests/pki/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypto *crypto;
static struct pki *ours;
static struct keyring *ring;
static struct sign_key *key;
static struct tls_server *tls;
static struct rng_seeded rng;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	struct cert chain[1];
	struct err e = { 0 };

	if (crypto)
		return;
	crypto = crypto_create(&e);
	ring = keyring_create();
	ours = pki_issue(NULL, &(struct pki_spec){ .subject = "CN=gw" });
	must(crypto && ring && cert_read(pki_der(ours), &chain[0], &e) == GW_OK);
	must(sign_key_decode(ring, bytes_str(pki_key_pem(ours)), &key, &e) == GW_OK);
	must(tls_server_create(chain, 1, key, &tls, &e) == GW_OK);
}

static void say(struct eap *e, const struct eap_server *server, uint8_t type, struct bytes type_data,
		struct writer *out)
{
	uint8_t *packet = malloc(EAP_HEAD_LEN + type_data.n), id = out->p[1];
	enum eap_verdict v;

	must(packet != NULL);
	packet[0] = EAP_CODE_RESPONSE;
	packet[1] = id;
	put_u16(packet + 2, (uint16_t)(EAP_HEAD_LEN + type_data.n));
	packet[4] = type;
	if (type_data.n > 0)
		memcpy(packet + EAP_HEAD_LEN, type_data.p, type_data.n);
	*out = wr_of(out->p, out->cap);
	v = eap_receive(e, server, bytes_of(packet, EAP_HEAD_LEN + type_data.n), out);
	free(packet);
	must(!out->bad && out->n >= 4 && get_u16(out->p + 2) == out->n && v != EAP_SUCCEEDED);
	must(eap_msk(e).n == 0 && eap_user(e).n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[EAP_PACKET_MAX];
	static const struct eap_cfg cfg;
	struct reader r = { data, size, false };
	struct writer out = wr_of(buf, sizeof(buf));
	struct eap_server server;
	struct eap_tls_packet p, q;
	struct eap *e;

	start();
	rng_seeded_init(&rng, 1);
	server = (struct eap_server){
		.crypto = crypto, .rng = &rng.rng, .methods = CONN_AUTH_EAP_TLS, .cfg = &cfg, .tls = tls
	};
	e = eap_create();
	must(e && eap_start(e, &server, &out) == GW_OK);
	say(e, &server, EAP_IDENTITY, bytes_str("x"), &out);
	while (r.left > 0) {
		struct bytes piece = rd_bytes(&r, rd_u16(&r));
		uint8_t again[4096];
		struct writer w = wr_of(again, sizeof(again));

		if (r.bad || piece.n > EAP_PACKET_MAX)
			break;
		if (piece.n > 0 && eap_tls_parse(piece, &p) == GW_OK) {
			eap_tls_write(&w, &p);
			must(w.bad || (eap_tls_parse(wr_done(&w), &q) == GW_OK && p.flags == q.flags &&
				       p.length == q.length && bytes_equal(p.data, q.data)));
		}
		say(e, &server, EAP_TLS, piece, &out);
	}
	eap_destroy(e);
	return 0;
}
