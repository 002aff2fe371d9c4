#include "core/crypto/des.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <stdlib.h>

/* Keys without their parity bits. The second is of NIST SP 800-17 (variable plaintext), the fifth of its table 4. */
static const struct {
	const char *key, *in, *out;
} vectors[] = {
	{ "12695bc9b7b7f8", "0123456789abcdef", "85e813540f0ab405" },
	{ "00000000000000", "95f8a5e5dd31d900", "8000000000000000" },
	{ "1061b818d1cea5", "0000000000000000", "82dcbafbdeab6602" },
	{ "ffffffffffffff", "ffffffffffffffff", "7359b2163e4edc58" },
	{ "7d404224a35bab", "01a1d6d039776742", "690f5b0d9a26939b" },
};

START_TEST(known_answers)
{
	struct hex key = hex(vectors[_i].key), in = hex(vectors[_i].in);
	uint8_t out[DES_BLOCK];

	des_encrypt(key.p, in.p, out);
	assert_bytes(bytes_of(out, DES_BLOCK), vectors[_i].out);
	des_encrypt(key.p, in.p, in.p); /* in place */
	assert_bytes(bytes_of(in.p, DES_BLOCK), vectors[_i].out);
}
END_TEST

/* FIPS 46-3: complemented key and block give the complement. */
START_TEST(complement)
{
	uint8_t key[DES_KEY], in[DES_BLOCK], a[DES_BLOCK], b[DES_BLOCK];

	for (unsigned seed = 0; seed < 200; seed++) {
		for (size_t i = 0; i < DES_BLOCK; i++)
			in[i] = (uint8_t)(seed * 31 + i * 97 + (seed >> i));
		for (size_t i = 0; i < DES_KEY; i++)
			key[i] = (uint8_t)(seed * 57 + i * 13 + (seed << i));
		des_encrypt(key, in, a);
		for (size_t i = 0; i < DES_BLOCK; i++)
			in[i] ^= 0xff;
		for (size_t i = 0; i < DES_KEY; i++)
			key[i] ^= 0xff;
		des_encrypt(key, in, b);
		for (size_t i = 0; i < DES_BLOCK; i++)
			ck_assert_uint_eq(a[i] ^ 0xff, b[i]);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("des");

	tcase_add_loop_test(t, known_answers, 0, (int)ARRAY_LEN(vectors));
	tcase_add_test(t, complement);
	return check_main("des", t);
}
