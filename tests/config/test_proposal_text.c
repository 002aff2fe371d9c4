#include "config/load.h"

#include <stdlib.h>

#include "tests/check_main.h"

struct row {
	const char *in;
	const char *out; /* as proposal_text shows it; NULL: refused */
	const char *why; /* what the refusal says */
};

static void check_rows(const struct row *rows, size_t n, enum proposal_use use)
{
	for (size_t i = 0; i < n; i++) {
		char buf[PROPOSAL_TEXT];
		struct proposal_cfg p = { .n = 77 }, back;
		struct err e = { 0 };
		enum gw_err r = proposal_parse(rows[i].in, use, &p, &e);

		if (!rows[i].out) {
			ck_assert_msg(r == GW_ECONFIG, "%s", rows[i].in);
			ck_assert_str_eq(e.text, rows[i].why);
			ck_assert_uint_eq(p.n, 77); /* untouched */
			continue;
		}
		ck_assert_msg(r == GW_OK, "%s: %s", rows[i].in, e.text);
		ck_assert_str_eq(proposal_text(&p, buf), rows[i].out);
		ck_assert_int_eq(proposal_parse(buf, use, &back, NULL), GW_OK);
		ck_assert_uint_eq(back.n, p.n);
		for (size_t j = 0; j < p.n; j++)
			ck_assert(back.t[j].type == p.t[j].type && back.t[j].id == p.t[j].id &&
				  back.t[j].key_bits == p.t[j].key_bits);
	}
}

START_TEST(ike)
{
	static const struct row rows[] = {
		{ "aes256gcm16-prfsha384-x25519", "aes256gcm16-prfsha384-x25519", NULL },
		/* The PRF is derived, one for each integrity algorithm. */
		{ "aes256-sha256-modp2048", "aes256-sha256-prfsha256-modp2048", NULL },
		{ "aes128-sha1-sha256-sha384-sha512-ecp256",
		  "aes128-sha1-sha256-sha384-sha512-prfsha1-prfsha256-prfsha384-prfsha512-ecp256", NULL },
		{ "aes256-sha256-prfsha512-modp2048", "aes256-sha256-prfsha512-modp2048", NULL },
		/* With an AEAD the hash is the PRF's. */
		{ "aes256gcm16-sha384-ecp384", "aes256gcm16-prfsha384-ecp384", NULL },
		/* Order within a type is the preference; types may come in any order. */
		{ "x25519-modp2048-prfsha256-chacha20poly1305-aes128gcm16",
		  "chacha20poly1305-aes128gcm16-prfsha256-x25519-modp2048", NULL },
		{ "aes256gcm-prfsha256-curve25519", "aes256gcm16-prfsha256-x25519", NULL },
		{ "aes256-sha256-modp1024", "aes256-sha256-prfsha256-modp1024", NULL },
		{ "", NULL, "an empty place in the proposal: algorithms are joined by single dashes" },
		{ "aes256-", NULL, "an empty place in the proposal: algorithms are joined by single dashes" },
		{ "aes256--sha256-x25519", NULL,
		  "an empty place in the proposal: algorithms are joined by single dashes" },
		{ "aes256gcm16-prfsha384", NULL, "no key exchange group: add one such as x25519 or modp2048" },
		{ "aes256gcm16-x25519", NULL, "no PRF: add one such as prfsha256" },
		{ "prfsha256-x25519", NULL, "no cipher: add one such as aes256gcm16" },
		{ "aes256-prfsha256-x25519", NULL, "no integrity algorithm: add one such as sha256" },
		{ "aes256gcm16-aes256-sha256-x25519", NULL,
		  "ciphers with and without built-in integrity cannot share a proposal: write two" },
		{ "aes256gcm16-sha256-prfsha256-x25519", NULL,
		  "an integrity algorithm beside a cipher with built-in integrity" },
		{ "aes256-sha256-x25519-none", NULL, "`none` is no key exchange group for IKE" },
		{ "aes256-sha256-modpnone", NULL, "`none` is no key exchange group for IKE" },
		{ "aes256-sha256-x25519-esn", NULL, "esn and noesn belong into proposals of ESP" },
		{ "aes256-sha256-x25519-aes256", NULL, "`aes256` is there twice" },
		{ "aes256gcm16-aes256gcm-prfsha256-x25519", NULL, "`aes256gcm` is there twice" },
		{ "aes256gcm17-prfsha256-x25519", NULL,
		  "unknown algorithm `aes256gcm17`; did you mean `aes256gcm16`?" },
		{ "aes256-sha257-x25519", NULL, "unknown algorithm `sha257`; did you mean `sha256`?" },
		{ "3des-md5-foobarbaz", NULL, "unknown algorithm `3des`" },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL,
		  "unknown algorithm `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`" },
	};

	check_rows(rows, ARRAY_LEN(rows), PROPOSAL_IKE);
}
END_TEST

START_TEST(esp)
{
	static const struct row rows[] = {
		{ "aes256gcm16", "aes256gcm16-noesn", NULL },
		{ "aes256gcm16-esn", "aes256gcm16-esn", NULL },
		{ "aes256gcm16-esn-noesn", "aes256gcm16-esn-noesn", NULL },
		{ "aes256gcm16-noesn-esn", "aes256gcm16-noesn-esn", NULL },
		{ "aes256-sha256", "aes256-sha256-noesn", NULL },
		{ "aes256gcm16-x25519-none", "aes256gcm16-x25519-none-noesn", NULL },
		{ "aes256gcm16-modpnone", "aes256gcm16-none-noesn", NULL },
		{ "aes256gcm16-none-modpnone", NULL, "`modpnone` is there twice" },
		{ "aes256gcm16-sha256", NULL, "an integrity algorithm beside a cipher with built-in integrity" },
		{ "aes256-sha256-prfsha256", NULL, "a PRF belongs into proposals of IKE" },
		{ "aes256", NULL, "no integrity algorithm: add one such as sha256" },
		{ "sha256", NULL, "no cipher: add one such as aes256gcm16" },
	};

	check_rows(rows, ARRAY_LEN(rows), PROPOSAL_ESP);
}
END_TEST

START_TEST(transforms_are_what_they_say)
{
	struct proposal_cfg p;

	ck_assert_int_eq(proposal_parse("aes192-sha512-ecp521", PROPOSAL_IKE, &p, NULL), GW_OK);
	ck_assert_uint_eq(p.n, 4);
	ck_assert(p.t[0].type == TR_ENCR && p.t[0].id == ENCR_AES_CBC && p.t[0].key_bits == 192);
	ck_assert(p.t[1].type == TR_INTEG && p.t[1].id == INTEG_HMAC_SHA2_512_256 && p.t[1].key_bits == 0);
	ck_assert(p.t[2].type == TR_PRF && p.t[2].id == PRF_HMAC_SHA2_512);
	ck_assert(p.t[3].type == TR_DH && p.t[3].id == DH_ECP_521);
}
END_TEST

START_TEST(as_many_as_there_is_room_for)
{
	char all[1024] = "";
	struct proposal_cfg p;
	struct err e = { 0 };
	size_t n = 0;

	/* Every token once: more than fit. */
	for (const char *const *t = transform_tokens(); *t; t++) {
		struct transform one;

		if (!transform_parse(*t, &one) || strlen(all) + strlen(*t) + 2 > sizeof(all))
			continue;
		if (n++ > 0)
			strcat(all, "-");
		strcat(all, *t);
	}
	ck_assert_uint_gt(n, PROPOSAL_MAX_TRANSFORMS);
	ck_assert_int_eq(proposal_parse(all, PROPOSAL_IKE, &p, &e), GW_ECONFIG);
	ck_assert_str_eq(e.text, "more than 32 algorithms in one proposal");
}
END_TEST

START_TEST(text_ends_within_its_buffer)
{
	struct proposal_cfg p = { .n = PROPOSAL_MAX_TRANSFORMS };
	char buf[PROPOSAL_TEXT];

	for (size_t i = 0; i < p.n; i++)
		p.t[i] = (struct transform){ TR_ENCR, ENCR_CHACHA20_POLY1305, 0 };
	proposal_text(&p, buf);
	ck_assert_uint_lt(strlen(buf), sizeof(buf));
	ck_assert_uint_gt(strlen(buf), 450);
	/* Whole tokens only. */
	ck_assert_str_eq(buf + strlen(buf) - 16, "chacha20poly1305");
	ck_assert_str_eq(proposal_text(&(struct proposal_cfg){ 0 }, buf), "");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("proposal_text");

	tcase_add_test(t, ike);
	tcase_add_test(t, esp);
	tcase_add_test(t, transforms_are_what_they_say);
	tcase_add_test(t, as_many_as_there_is_room_for);
	tcase_add_test(t, text_ends_within_its_buffer);
	return check_main("proposal_text", t);
}
