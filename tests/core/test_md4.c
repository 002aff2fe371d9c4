#include "core/crypto/md4.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <stdlib.h>

/* RFC 1320 A.5. */
static const struct {
	const char *text, *digest;
} suite_of_rfc[] = {
	{ "", "31d6cfe0d16ae931b73c59d7e0c089c0" },
	{ "a", "bde52cb31de33e46245e05fbdbd6fb24" },
	{ "abc", "a448017aaf21d8525fc10ae87aa6729d" },
	{ "message digest", "d9130a8164549fe818874806e1c7014b" },
	{ "abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9" },
	{ "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "043f8582f241db351ce627e153e7f0e4" },
	{ "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	  "e33b4ddc9c38f2199c3e7b164fcc0536" },
};

START_TEST(suite)
{
	uint8_t out[MD4_LEN];

	md4(bytes_str(suite_of_rfc[_i].text), out);
	assert_bytes(bytes_of(out, sizeof(out)), suite_of_rfc[_i].digest);
}
END_TEST

/* Around a block and around the room for the length: digests of n times 'x' by another implementation. */
static const struct {
	size_t n;
	const char *digest;
} edges[] = {
	{ 55, "92f32bb82c95ad10e8f87ae58ab06807" },  { 56, "374d5f08103b7092c83b4626ebceffab" },
	{ 63, "2870452596e98fffd48332289b3472b9" },  { 64, "b1abf956a5ae6f3221e5fe85e300fbb0" },
	{ 119, "b55ae15e41e55643b0c3daad5e05c905" }, { 120, "d8f9adfc41ec43552619606c70cfd287" },
	{ 128, "7c087dd92a6743e09f3763a6d99c9d26" },
};

START_TEST(block_edges)
{
	uint8_t text[128], out[MD4_LEN];

	memset(text, 'x', sizeof(text));
	md4(bytes_of(text, edges[_i].n), out);
	assert_bytes(bytes_of(out, sizeof(out)), edges[_i].digest);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("md4");

	tcase_add_loop_test(t, suite, 0, (int)ARRAY_LEN(suite_of_rfc));
	tcase_add_loop_test(t, block_edges, 0, (int)ARRAY_LEN(edges));
	return check_main("md4", t);
}
