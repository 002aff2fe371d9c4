#include "core/crypto/mschapv2.h"
#include "tests/check_main.h"
#include "tests/core/hex.h"

#include <stdlib.h>

static struct crypto *c;

static void setup(void)
{
	struct err e = { 0 };

	c = crypto_create(&e);
	ck_assert_msg(c != NULL, "%s", e.text);
}

static void teardown(void)
{
	crypto_destroy(c);
}

/* RFC 2759 9.2; MSK: RFC 3079 3.5.3 has its second half, which is the server's send key. */
static struct hex server_challenge, peer_challenge, hash, response;

static struct mschapv2 example(void)
{
	server_challenge = hex("5b5d7c7d7b3f2f3e3c2c602132262628");
	peer_challenge = hex("21402324255e262a28295f2b3a337c7e");
	hash = hex("44ebba8d5312b8d611474411f56989ae");
	response = hex("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
	return (struct mschapv2){ server_challenge.p, peer_challenge.p, bytes_str("User"), hash.p };
}

START_TEST(password_hash)
{
	static const struct {
		const char *password, *hash;
	} rows[] = {
		{ "clientPass", "44ebba8d5312b8d611474411f56989ae" },
		{ "MyPw", "fc156af7edcd6c0edde3337d427f4eac" }, /* RFC 2759 9.3 */
		{ "", "31d6cfe0d16ae931b73c59d7e0c089c0" },
		{ "p\xc3\xa4ss\xe2\x82\xac", "452468b2e855e49f1169698e4c086623" },
		{ "\xf0\x9f\x94\x91 key", "1834ad32f700caceb95c659ac0481c31" },
	};
	uint8_t out[MSCHAPV2_HASH];

	ck_assert_int_eq(nt_hash(bytes_str(rows[_i].password), out), GW_OK);
	assert_bytes(bytes_of(out, sizeof(out)), rows[_i].hash);
}
END_TEST

START_TEST(password_refused)
{
	static const char *const not_utf8[] = { "\xff",
						"a\x80",
						"\xc3",
						"\xc0\x80",
						"\xed\xa0\x80",
						"\xe2\x82",
						"\xf4\x90\x80\x80",
						"\xf5\x80\x80\x80",
						"\xe0\x80\x80" };
	uint8_t out[MSCHAPV2_HASH];
	char much[MSCHAPV2_PASSWORD_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(not_utf8); i++)
		ck_assert_int_eq(nt_hash(bytes_str(not_utf8[i]), out), GW_EMALFORMED);
	memset(much, 'x', sizeof(much));
	ck_assert_int_eq(nt_hash(bytes_of(much, MSCHAPV2_PASSWORD_MAX), out), GW_OK);
	ck_assert_int_eq(nt_hash(bytes_of(much, MSCHAPV2_PASSWORD_MAX + 1), out), GW_ELIMIT);
}
END_TEST

START_TEST(response_of_rfc)
{
	struct mschapv2 x = example();
	uint8_t out[MSCHAPV2_RESPONSE];

	ck_assert_int_eq(mschapv2_response(c, &x, out), GW_OK);
	assert_bytes(bytes_of(out, sizeof(out)), "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
}
END_TEST

START_TEST(proof_of_rfc)
{
	struct mschapv2 x = example();
	uint8_t out[MSCHAPV2_PROOF];

	ck_assert_int_eq(mschapv2_proof(c, &x, response.p, out), GW_OK);
	assert_bytes(bytes_of(out, sizeof(out)), "407a5589115fd0d6209f510fe9c04566932cda56");
}
END_TEST

START_TEST(keys_of_rfc)
{
	uint8_t out[MSCHAPV2_MSK];

	(void)example();
	ck_assert_int_eq(mschapv2_msk(c, hash.p, response.p, out), GW_OK);
	assert_bytes(bytes_of(out + 16, 16), "8b7cdc149b993a1ba118cb153f56dccb");
	assert_bytes(bytes_of(out, 16), "d5f0e9521e3ea9589645e86051c82226");
	for (size_t i = 32; i < sizeof(out); i++)
		ck_assert_uint_eq(out[i], 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("mschapv2");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, password_hash, 0, 5);
	tcase_add_test(t, password_refused);
	tcase_add_test(t, response_of_rfc);
	tcase_add_test(t, proof_of_rfc);
	tcase_add_test(t, keys_of_rfc);
	return check_main("mschapv2", t);
}
