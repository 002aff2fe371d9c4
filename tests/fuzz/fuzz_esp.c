/*
 * Bytes into the userspace plane's packet code: as an inner packet for selectors, policies and ICMP, as an ESP packet
 * of a stranger, and, sealed under the SA's key, as what an authentic but malicious peer may put inside. The first
 * octet chooses the suite (low bits) and ESN (high bit).
 */
#include <stdlib.h>

#include "esp/packet.h"
#include "esp/pmtu.h"
#include "esp/spd.h"

enum { ROOM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static const uint8_t keys[128] = { 1, 2, 3 };

static struct cipher_suite suite_at(unsigned i)
{
	static const struct {
		uint16_t encr, bits, integ;
	} rows[] = {
		{ ENCR_AES_GCM_16, 128, 0 },
		{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
		{ ENCR_CHACHA20_POLY1305, 256, 0 },
		{ ENCR_AES_CCM_16, 128, 0 },
	};
	unsigned k = i % ARRAY_LEN(rows);

	return (struct cipher_suite){ encr_find(rows[k].encr), rows[k].bits, integ_find(rows[k].integ) };
}

static struct cipher *keyed(struct crypto *c, const struct cipher_suite *s, enum cipher_dir dir)
{
	struct cipher *k = NULL;

	require(cipher_create(c, s, dir, bytes_of(keys, suite_encr_key_len(s)),
			      bytes_of(keys + 64, suite_integ_key_len(s)), &k) == GW_OK);
	return k;
}

/* Policies of every shape: host, prefix, range, ports, OPAQUE, both families. */
static void policies(struct spd *spd)
{
	static const char *const ours[] = { "0.0.0.0/0", "10.0.0.0/8", "::/0" };
	static const char *const theirs[] = { "10.1.1.1", "10.0.0.0/8", "10.0.0.3-10.0.0.9", "fd00::1", "::/0" };
	uint32_t reqid = 0;

	for (unsigned i = 0; i < ARRAY_LEN(ours) * ARRAY_LEN(theirs) * 3; i++) {
		static const uint16_t ports[3][2] = { { 0, 65535 }, { 53, 1024 }, { 65535, 0 } };
		struct selector a = { .port_hi = 65535 }, b = { .proto = i % 2 ? 17 : 0 };
		struct dp_policy in = { .ours = &a, .ours_count = 1, .theirs = &b, .theirs_count = 1 };
		struct spd_policy *p;

		b.port_lo = ports[i % 3][0];
		b.port_hi = ports[i % 3][1];
		in.reqid = ++reqid;
		require(range_parse(ours[i % ARRAY_LEN(ours)], &a.range));
		require(range_parse(theirs[i % ARRAY_LEN(theirs)], &b.range));
		require(spd_policy_create(&in, &p) == GW_OK);
		require(spd_link(spd, p) == GW_OK);
	}
}

static void as_inner(struct spd *spd, struct bytes data)
{
	uint8_t reply[PMTU_REPLY_MAX], *copy = malloc(data.n > 0 ? data.n : 1);
	const struct spd_policy *p;
	struct inner in, again;
	size_t n;

	require(copy != NULL);
	if (data.n > 0)
		memcpy(copy, data.p, data.n);
	if (inner_parse(bytes_of(copy, data.n), &in)) {
		require(in.n <= data.n && in.header <= in.n && (!in.later_fragment || !in.has_ports));
		p = spd_out(spd, &in);
		if (p)
			(void)spd_in_ok(p, &in);
		n = pmtu_reply(bytes_of(copy, data.n), &in, 1280, reply);
		require(n <= sizeof(reply) && (n == 0 || inner_parse(bytes_of(reply, n), &again)));
		inner_set_tos(copy, 0x5a);
		require(inner_parse(bytes_of(copy, data.n), &again) && again.tos == 0x5a && again.n == in.n);
	}
	free(copy);
}

static void as_esp(struct crypto *c, struct spd *spd, uint8_t choice, struct bytes data)
{
	struct cipher_suite suite = suite_at(choice);
	struct packet_sa open = { &suite, keyed(c, &suite, CIPHER_OPEN), 0x1234, choice & 0x80 };
	struct packet_sa seal = { &suite, keyed(c, &suite, CIPHER_SEAL), 0x1234, choice & 0x80 };
	uint8_t *buf = malloc(PACKET_HEADROOM + data.n + PACKET_TAILROOM), next;
	struct packet p = { buf, PACKET_HEADROOM + data.n + PACKET_TAILROOM, PACKET_HEADROOM, data.n };
	const uint8_t iv[16] = { 0 };
	uint32_t spi, wire;

	require(buf != NULL);
	if (data.n > 0)
		memcpy(packet_data(&p), data.p, data.n);
	if (packet_peek(packet_bytes(&p), &spi, &wire))
		(void)!packet_open(&open, wire, &p, &next);
	p.at = PACKET_HEADROOM;
	p.n = data.n;
	if (data.n > 0)
		memcpy(packet_data(&p), data.p, data.n);
	require(packet_seal(&seal, 7, iv, ESP_NEXT_IPV4, &p) == GW_OK);
	require(packet_open(&open, 7, &p, &next) == GW_OK);
	require(bytes_equal(packet_bytes(&p), data));
	as_inner(spd, packet_bytes(&p));
	free(buf);
	cipher_destroy(open.cipher);
	cipher_destroy(seal.cipher);
}

/* Made once for the fuzzer's life; nothing in them changes afterwards. */
static struct crypto *crypto;
static struct spd *spd;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rng_seeded rng;

	if (!crypto) {
		rng_seeded_init(&rng, 1);
		crypto = crypto_create(NULL);
		spd = spd_create(&rng.rng);
		require(crypto && spd);
		policies(spd);
	}
	if (size == 0 || size > ROOM)
		return 0;
	as_inner(spd, bytes_of(data + 1, size - 1));
	as_esp(crypto, spd, data[0], bytes_of(data + 1, size - 1));
	return 0;
}
