/*
 * What OpenSSL alone takes for a handshake's public key operations, as it is at this moment on this core: the floor
 * under what the gateway can reach. Not the best of many runs but the mean, as the handshakes beside it are measured.
 * Keys and contexts are made beforehand, so nothing but the arithmetic counts. One JSON object, microseconds of CPU.
 *
 *	bench-floor [MILLISECONDS of each operation: 300]
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct keys {
	EVP_PKEY_CTX *make, *derive, *sign, *verify;
	uint8_t secret[32], digest[32], signature[80], out[80];
	size_t signature_n;
};

static void must(int ok)
{
	if (ok == 1)
		return;
	fputs("bench-floor: OpenSSL has none of X25519, P-256\n", stderr);
	exit(1);
}

static EVP_PKEY *x25519(struct keys *k)
{
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, k->secret,
								  sizeof(k->secret)),
				OSSL_PARAM_construct_end() };
	EVP_PKEY *key = NULL;

	k->secret[0]++;
	must(EVP_PKEY_fromdata(k->make, &key, EVP_PKEY_KEYPAIR, params));
	return key;
}

static void op_keygen(struct keys *k)
{
	EVP_PKEY_free(x25519(k));
}

static void op_derive(struct keys *k)
{
	size_t n = sizeof(k->out);

	must(EVP_PKEY_derive(k->derive, k->out, &n));
}

static void op_sign(struct keys *k)
{
	size_t n = sizeof(k->out);

	must(EVP_PKEY_sign(k->sign, k->out, &n, k->digest, sizeof(k->digest)));
}

static void op_verify(struct keys *k)
{
	must(EVP_PKEY_verify(k->verify, k->signature, k->signature_n, k->digest, sizeof(k->digest)));
}

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double mean(void (*op)(struct keys *k), struct keys *k, double least_us)
{
	double begin = cpu_us(), now = begin;
	unsigned n = 0;

	while (now - begin < least_us) {
		for (int i = 0; i < 16; i++)
			op(k);
		n += 16;
		now = cpu_us();
	}
	return (now - begin) / n;
}

int main(int argc, char **argv)
{
	double least = (argc > 1 ? atof(argv[1]) : 300) * 1e3, keygen, derive, sign, verify;
	struct keys k = { .secret = { 1 }, .digest = { 2 }, .signature_n = sizeof(k.signature) };
	EVP_PKEY *ours, *peer, *ec;

	k.make = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
	must(EVP_PKEY_fromdata_init(k.make));
	ours = x25519(&k);
	peer = x25519(&k);
	k.derive = EVP_PKEY_CTX_new(ours, NULL);
	must(EVP_PKEY_derive_init(k.derive));
	must(EVP_PKEY_derive_set_peer(k.derive, peer));
	ec = EVP_EC_gen("P-256");
	k.sign = EVP_PKEY_CTX_new(ec, NULL);
	k.verify = EVP_PKEY_CTX_new(ec, NULL);
	must(EVP_PKEY_sign_init(k.sign));
	must(EVP_PKEY_verify_init(k.verify));
	must(EVP_PKEY_sign(k.sign, k.signature, &k.signature_n, k.digest, sizeof(k.digest)));

	keygen = mean(op_keygen, &k, least);
	derive = mean(op_derive, &k, least);
	sign = mean(op_sign, &k, least);
	verify = mean(op_verify, &k, least);
	printf("{\"keygen_us\":%.1f,\"derive_us\":%.1f,\"sign_us\":%.1f,\"verify_us\":%.1f,\"psk_us\":%.1f,"
	       "\"certs_us\":%.1f,\"eap_us\":%.1f}\n",
	       keygen, derive, sign, verify, keygen + derive, keygen + derive + sign + 2 * verify,
	       keygen + derive + sign);

	EVP_PKEY_CTX_free(k.make);
	EVP_PKEY_CTX_free(k.derive);
	EVP_PKEY_CTX_free(k.sign);
	EVP_PKEY_CTX_free(k.verify);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(ec);
	return 0;
}
