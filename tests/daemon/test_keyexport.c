/* The lines that Wireshark's tables are made of (ikev2_decryption_table, esp_sa). */
#include "daemon/keyexport.h"

#include "daemon_check.h"

static void fill(struct secret *s, size_t n, uint8_t from)
{
	ck_assert_int_eq(secret_alloc(s, n), GW_OK);
	for (size_t i = 0; i < n; i++)
		s->p[i] = (uint8_t)(from + i);
}

static struct ike_sa sa_of(uint16_t encr, uint16_t bits, uint16_t integ)
{
	struct ike_sa sa = {
		.spi_i = UINT64_C(0x0102030405060708),
		.spi_r = UINT64_C(0xf1f2f3f4f5f6f7f8),
		.encr = { TR_ENCR, encr, bits },
		.integ = { TR_INTEG, integ, 0 },
		.local = { .addr = { .family = 4, .b = { 192, 0, 2, 1 } } },
		.remote = { .addr = { .family = 4, .b = { 192, 0, 2, 7 } } },
		.keys = { .prf = prf_find(PRF_HMAC_SHA2_256),
			  .suite = { encr_find(encr), bits, integ ? integ_find(integ) : NULL } },
	};

	fill(&sa.keys.block, ike_keys_len_up(sa.keys.prf, &sa.keys.suite), 0);
	return sa;
}

START_TEST(ike_with_an_aead)
{
	struct ike_sa sa = sa_of(ENCR_AES_GCM_16, 128, INTEG_NONE);
	char text[1024] = "";
	struct writer w = wr_of(text, sizeof(text) - 1);

	/* After SK_d (32 octets): SK_ei and SK_er, each with 4 octets of salt. */
	ck_assert(keyexport_ike_line(&sa, &w));
	ck_assert_str_eq(text, "0102030405060708,f1f2f3f4f5f6f7f8,202122232425262728292a2b2c2d2e2f30313233,"
			       "3435363738393a3b3c3d3e3f4041424344454647,\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,"
			       "\"NONE [RFC4306]\"\n");
	secret_clear(&sa.keys.block);
}
END_TEST

START_TEST(ike_with_integrity)
{
	struct ike_sa sa = sa_of(ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128);
	char text[1024] = "";
	struct writer w = wr_of(text, sizeof(text) - 1);

	ck_assert(keyexport_ike_line(&sa, &w));
	ck_assert_ptr_nonnull(strstr(text, ",\"AES-CBC-256 [RFC3602]\",202122"));
	ck_assert_ptr_nonnull(strstr(text, ",\"HMAC_SHA2_256_128 [RFC4868]\"\n"));
	secret_clear(&sa.keys.block);
	w = wr_of(text, sizeof(text) - 1);
	ck_assert(!keyexport_ike_line(&sa, &w)); /* no keys */
}
END_TEST

START_TEST(what_wireshark_does_not_know)
{
	struct ike_sa sa = sa_of(ENCR_CHACHA20_POLY1305, 0, INTEG_NONE);
	struct child_sa c = { .sa = &sa, .encr = { TR_ENCR, ENCR_CHACHA20_POLY1305, 0 }, .suite = sa.keys.suite };
	char text[1024] = "";
	struct writer w = wr_of(text, sizeof(text) - 1);

	ck_assert(!keyexport_ike_line(&sa, &w));
	ck_assert(!keyexport_esp_lines(&c, &w));
	secret_clear(&sa.keys.block);
}
END_TEST

START_TEST(esp_both_ways)
{
	struct ike_sa sa = sa_of(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	struct child_sa c = { .sa = &sa,
			      .spi_in = 0x0a,
			      .spi_out = 0xc0ffee00,
			      .encr = sa.encr,
			      .integ = sa.integ,
			      .suite = sa.keys.suite };
	char text[2048] = "";
	struct writer w = wr_of(text, sizeof(text) - 1);

	fill(&c.in_keys, 48, 0);
	fill(&c.out_keys, 48, 0x80);
	ck_assert(keyexport_esp_lines(&c, &w));
	ck_assert_str_eq(text, "\"IPv4\",\"192.0.2.7\",\"192.0.2.1\",\"0x0000000a\",\"AES-CBC [RFC3602]\","
			       "\"0x000102030405060708090a0b0c0d0e0f\",\"HMAC-SHA-256-128 [RFC4868]\","
			       "\"0x101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\"\n"
			       "\"IPv4\",\"192.0.2.1\",\"192.0.2.7\",\"0xc0ffee00\",\"AES-CBC [RFC3602]\","
			       "\"0x808182838485868788898a8b8c8d8e8f\",\"HMAC-SHA-256-128 [RFC4868]\","
			       "\"0x909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf\"\n");
	secret_clear(&c.in_keys);
	secret_clear(&c.out_keys);
	secret_clear(&sa.keys.block);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("keyexport");

	tcase_add_test(tc, ike_with_an_aead);
	tcase_add_test(tc, ike_with_integrity);
	tcase_add_test(tc, what_wireshark_does_not_know);
	tcase_add_test(tc, esp_both_ways);
	return check_main("keyexport", tc);
}
