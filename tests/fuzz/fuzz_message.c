/*
 * A datagram as the engine meets it: header, outer chain, SK or SKF opened with fixed keys, inner chain.
 * First octet below 128: its low bits choose the suite, the rest is the datagram. From 128 on: the second octet is the
 * type of the first inner payload, the rest the inside, which is sealed and opened again, so that mutations get past
 * the ICV.
 */
#include <stdlib.h>

#include "ike/sk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the conversations in tests/vectors, from which the seeds come. */
static const struct {
	uint16_t encr, bits, integ;
	const char *encr_key[2], *integ_key[2]; /* initiator's, responder's */
} suites[] = {
	{ ENCR_AES_GCM_16,
	  256,
	  0,
	  { "7358c4d067ea0102b7cbc58be2addebaa83777fa446da7e31b1592d4ef15eb4480c46c6e",
	    "345ba07b55b27a164e6aace20990eb322049ebb445e2b5c5dc1b8f6a952b6625975f219c" },
	  { NULL, NULL } },
	{ ENCR_AES_CBC,
	  128,
	  INTEG_HMAC_SHA2_256_128,
	  { "43f7427f271da29f6016772ecdde5f39", "74997141484673dbfefe49996f6cc60b" },
	  { "92f4bd2ca13d5535400ffea217fcaa0763985cc7556199bf499150c4e1adf840",
	    "e2168f30cb06c5f24b8fdbc494fd5d18e129e1d9b5483506010dfefe35ddc243" } },
	{ ENCR_CHACHA20_POLY1305,
	  256,
	  0,
	  { "88a1cd4019e9a0ec502015fb79dcb375e4b1e921171015c9dba4007e64de4e0831c9ef9b",
	    "06133934dee53e778670e9b573f7f0c56ba46dfff4a862c8c43e471794f6e2034432a711" },
	  { NULL, NULL } },
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static size_t unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = hex ? strlen(hex) / 2 : 0;

	must(n <= cap);
	for (size_t i = 0; i < n; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

struct keys {
	struct sk_key k;
	uint8_t encr[64], integ[64];
};

static void keys_set(struct keys *x, size_t suite, bool initiator)
{
	size_t side = initiator ? 0 : 1;

	x->k.suite = (struct cipher_suite){ encr_find(suites[suite].encr), suites[suite].bits, NULL };
	if (suites[suite].integ)
		x->k.suite.integ = integ_find(suites[suite].integ);
	x->k.encr = bytes_of(x->encr, unhex(suites[suite].encr_key[side], x->encr, sizeof(x->encr)));
	x->k.integ = bytes_of(x->integ, unhex(suites[suite].integ_key[side], x->integ, sizeof(x->integ)));
}

/* Reads every octet of a view, so that ASan sees one that leaves its buffer. */
static unsigned touch(struct bytes b)
{
	unsigned sum = 0;

	for (size_t i = 0; i < b.n; i++)
		sum += b.p[i];
	return sum;
}

static unsigned touch_all(const struct ike_msg *m)
{
	unsigned sum = touch(m->ke.data) + touch(m->nonce) + touch(m->idi.body) + touch(m->idr.data) + touch(m->eap) +
		       touch(m->auth.data);

	for (size_t i = 0; i < m->sa.count; i++)
		sum += touch(m->sa.p[i].spi) + m->sa.t[m->sa.p[i].first + m->sa.p[i].count - 1].id;
	for (size_t i = 0; i < m->notify_count; i++)
		sum += touch(m->notifies[i].spi) + touch(m->notifies[i].data);
	for (size_t i = 0; i < m->delete_count; i++)
		sum += touch(m->deletes[i].spis);
	for (size_t i = 0; i < m->cert_count; i++)
		sum += touch(m->certs[i].data);
	for (size_t i = 0; i < m->certreq_count; i++)
		sum += touch(m->certreqs[i].data);
	for (size_t i = 0; i < m->vendor_count; i++)
		sum += touch(m->vendors[i]);
	for (size_t i = 0; i < m->cp.count; i++)
		sum += touch(m->cp.a[i].value);
	return sum;
}

static void chain_try(uint8_t first, struct bytes chain)
{
	static struct ike_msg m;
	struct err e = { 0 };
	enum gw_err rc = msg_parse(&m, first, chain, &e);
	volatile unsigned sum;

	must(rc == GW_OK || (rc == GW_EMALFORMED && e.text[0] != '\0'));
	if (rc == GW_OK)
		sum = touch_all(&m);
	(void)sum;
}

static enum gw_err fixed_iv(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	memset(out, 9, n);
	return GW_OK;
}

/* Sealed whole and in pieces, and opened again: the same comes out. */
static void inside_try(struct crypto *c, size_t suite, uint8_t first, struct bytes chain)
{
	static uint8_t packed[2 * 65536], whole[65536];
	struct ike_header h = { .version = 0x20, .exchange = IKE_AUTH };
	struct sk_iv iv = { fixed_iv, NULL };
	struct writer w = wr_of(packed, sizeof(packed));
	struct sk_inside in;
	struct reader r;
	struct bytes d;
	struct keys x;
	size_t at = 0;

	keys_set(&x, suite, true);
	if (sk_seal(c, &x.k, &iv, &h, first, chain, 200, true, &w) != GW_OK)
		return;
	r = rd_of(wr_done(&w));
	while (packed_next(&r, &d)) {
		size_t offset = (size_t)(d.p - packed);

		must(sk_open(c, &x.k, packed + offset, d.n, &in) == GW_OK);
		must(at + in.chain.n <= sizeof(whole));
		must(at > 0 || in.first == first);
		if (in.chain.n > 0)
			memcpy(whole + at, in.chain.p, in.chain.n);
		at += in.chain.n;
	}
	must(bytes_equal(bytes_of(whole, at), chain));
	chain_try(first, chain);
}

static void datagram_try(struct crypto *c, size_t suite, uint8_t *p, size_t n)
{
	struct sk_inside in;
	struct ike_header h;
	struct keys x;

	if (msg_parse_header(bytes_of(p, n), &h) != GW_OK)
		return;
	chain_try(h.next, bytes_of(p + IKE_HEADER_LEN, n - IKE_HEADER_LEN));
	keys_set(&x, suite, (h.flags & IKE_FLAG_INITIATOR) != 0);
	if (sk_open(c, &x.k, p, n, &in) == GW_OK && in.total <= 1)
		chain_try(in.first, in.chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto *c;
	uint8_t *copy;
	size_t suite;

	if (!c)
		c = crypto_create(NULL);
	must(c != NULL);
	if (size < 2 || size > IKE_MAX_MESSAGE)
		return 0;
	suite = (data[0] & 127) % ARRAY_LEN(suites);
	if (data[0] >= 128) {
		inside_try(c, suite, data[1], bytes_of(data + 2, size - 2));
		return 0;
	}
	copy = malloc(size - 1);
	must(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	datagram_try(c, suite, copy, size - 1);
	free(copy);
	return 0;
}
