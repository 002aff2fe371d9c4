/* What the operations of core/crypto cost: one JSON object a line, nanoseconds of CPU, the best of many short runs. */
#include "core/crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench {
	struct crypto *c;
	struct dh_key *key;
	const struct dh_alg *dh;
	const struct prf_alg *prf;
	struct cipher_suite suite;
	struct cipher *seal, *open;
	struct bytes encr_key, integ_key;
	size_t n;
	uint8_t peer[1024];
	uint8_t keys[128];
	uint8_t text[2048], sealed[2048];
	uint8_t icv[64], sealed_icv[64];
	uint64_t iv;
};

static void must(enum gw_err rc)
{
	if (rc == GW_OK)
		return;
	fprintf(stderr, "bench_crypto: %s\n", gw_err_text(rc));
	exit(1);
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Neighbours on the machine only ever make a run slower, so the fastest of many short ones is the cost. */
static void measure(const char *name, const char *alg, struct bench *b, void (*op)(struct bench *b), int loops)
{
	double best = 0;
	int run, i;

	for (run = 0; run < 40; run++) {
		int64_t begin = cpu_ns();
		double ns;

		for (i = 0; i < loops; i++)
			op(b);
		ns = (double)(cpu_ns() - begin) / loops;
		if (run == 0 || ns < best)
			best = ns;
	}
	printf("{\"bench\":\"%s\",\"alg\":\"%s\",\"ns\":%.0f}\n", name, alg, best);
}

static void op_keygen(struct bench *b)
{
	struct dh_key *k;

	must(dh_generate(b->c, b->dh, &k));
	dh_destroy(k);
}

static void op_derive(struct bench *b)
{
	struct secret s = { 0 };

	must(dh_shared(b->c, b->key, bytes_of(b->peer, b->dh->public_len), &s));
	secret_clear(&s);
}

static void bench_dh(struct bench *b, uint16_t id, int loops)
{
	struct dh_key *peer;

	b->dh = dh_find(id);
	must(dh_generate(b->c, b->dh, &b->key));
	must(dh_generate(b->c, b->dh, &peer));
	memcpy(b->peer, dh_public(peer).p, dh_public(peer).n);
	measure("keygen", b->dh->name, b, op_keygen, loops);
	measure("derive", b->dh->name, b, op_derive, loops);
	dh_destroy(peer);
	dh_destroy(b->key);
}

static void op_prf(struct bench *b)
{
	struct bytes part = bytes_of(b->text, 100);

	b->keys[0]++;
	must(crypto_prf(b->c, b->prf, bytes_of(b->keys, b->prf->len), &part, 1, b->icv));
}

/* SK_d .. SK_pr of AES-256-GCM: three keys of the prf and two of the cipher. */
static void op_prf_plus(struct bench *b)
{
	struct bytes part = bytes_of(b->text, 80);
	uint8_t out[3 * 64 + 2 * 36];

	b->keys[0]++;
	must(crypto_prf_plus(b->c, b->prf, bytes_of(b->keys, b->prf->len), &part, 1, out,
			     3 * (size_t)b->prf->len + 2 * 36));
}

static void op_sha1(struct bench *b)
{
	struct bytes part = bytes_of(b->text, 22);

	must(crypto_sha1(b->c, &part, 1, b->icv));
}

static struct bytes next_iv(struct bench *b, uint8_t iv[16])
{
	memset(iv, 0, 16);
	put_u64(iv, ++b->iv);
	return bytes_of(iv, suite_iv_len(&b->suite));
}

/* IKE: another key for every message. */
static void op_seal_rekeyed(struct bench *b)
{
	uint8_t iv[16];

	b->keys[0]++;
	must(crypto_seal(b->c, &b->suite, b->encr_key, b->integ_key, next_iv(b, iv), bytes_of(b->text + 1900, 32),
			 b->text, b->n, b->icv));
}

static void op_open_rekeyed(struct bench *b)
{
	uint8_t iv[16] = { 1 };

	memcpy(b->text, b->sealed, b->n);
	must(crypto_open(b->c, &b->suite, b->encr_key, b->integ_key, bytes_of(iv, suite_iv_len(&b->suite)),
			 bytes_of(b->text + 1900, 32), b->text, b->n, b->sealed_icv));
}

static void op_seal_keyed(struct bench *b)
{
	uint8_t iv[16];

	must(cipher_seal(b->seal, next_iv(b, iv), bytes_of(b->text + 1900, 8), (struct bytes){ 0 }, b->text, b->n,
			 b->icv));
}

static void op_open_keyed(struct bench *b)
{
	uint8_t iv[16] = { 1 };

	memcpy(b->text, b->sealed, b->n);
	must(cipher_open(b->open, bytes_of(iv, suite_iv_len(&b->suite)), bytes_of(b->text + 1900, 8),
			 (struct bytes){ 0 }, b->text, b->n, b->sealed_icv));
}

static void bench_suite(struct bench *b, uint16_t encr, uint16_t bits, uint16_t integ)
{
	char name[SUITE_TEXT];
	uint8_t iv[16] = { 1 };

	b->suite = (struct cipher_suite){ encr_find(encr), bits, integ_find(integ) };
	b->encr_key = bytes_of(b->keys, suite_encr_key_len(&b->suite));
	b->integ_key = bytes_of(b->keys + 40, suite_integ_key_len(&b->suite));
	(void)suite_text(&b->suite, name);

	b->n = 304;
	measure("seal_304_rekeyed", name, b, op_seal_rekeyed, 500);
	memcpy(b->sealed, b->text, b->n);
	must(crypto_seal(b->c, &b->suite, b->encr_key, b->integ_key, bytes_of(iv, suite_iv_len(&b->suite)),
			 bytes_of(b->text + 1900, 32), b->sealed, b->n, b->sealed_icv));
	measure("open_304_rekeyed", name, b, op_open_rekeyed, 500);

	b->n = 1408;
	must(cipher_create(b->c, &b->suite, CIPHER_SEAL, b->encr_key, b->integ_key, &b->seal));
	must(cipher_create(b->c, &b->suite, CIPHER_OPEN, b->encr_key, b->integ_key, &b->open));
	measure("seal_1408_keyed", name, b, op_seal_keyed, 500);
	memcpy(b->sealed, b->text, b->n);
	must(cipher_seal(b->seal, bytes_of(iv, suite_iv_len(&b->suite)), bytes_of(b->text + 1900, 8),
			 (struct bytes){ 0 }, b->sealed, b->n, b->sealed_icv));
	measure("open_1408_keyed", name, b, op_open_keyed, 500);
	cipher_destroy(b->seal);
	cipher_destroy(b->open);
}

int main(void)
{
	static struct bench b;
	static const uint16_t prfs[] = { PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512, PRF_HMAC_SHA1 };
	struct err e = { 0 };
	int64_t begin = cpu_ns();
	size_t i;

	b.c = crypto_create(&e);
	if (!b.c) {
		fprintf(stderr, "bench_crypto: %s\n", e.text);
		return 1;
	}
	printf("{\"bench\":\"create\",\"alg\":\"all\",\"ns\":%.0f}\n", (double)(cpu_ns() - begin));
	bench_dh(&b, DH_CURVE25519, 40);
	bench_dh(&b, DH_ECP_256, 40);
	bench_dh(&b, DH_ECP_384, 4);
	bench_dh(&b, DH_MODP_2048, 4);
	bench_dh(&b, DH_MODP_3072, 2);
	for (i = 0; i < ARRAY_LEN(prfs); i++) {
		b.prf = prf_find(prfs[i]);
		measure("prf_100", b.prf->name, &b, op_prf, 500);
		measure("prf_plus_ike", b.prf->name, &b, op_prf_plus, 200);
	}
	measure("sha1_22", "sha1", &b, op_sha1, 500);
	bench_suite(&b, ENCR_AES_GCM_16, 128, INTEG_NONE);
	bench_suite(&b, ENCR_AES_GCM_16, 256, INTEG_NONE);
	bench_suite(&b, ENCR_CHACHA20_POLY1305, 0, INTEG_NONE);
	bench_suite(&b, ENCR_AES_CCM_16, 128, INTEG_NONE);
	bench_suite(&b, ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	bench_suite(&b, ENCR_AES_CTR, 128, INTEG_HMAC_SHA2_256_128);
	crypto_destroy(b.c);
	return 0;
}
