/* Offers as text, and what is said when nothing is common. */
#include "proposal_check.h"

START_TEST(texts)
{
	static const char offered[] =
		"3des-sha1-prfsha1-modp1024 aes256-aes128-sha256-sha1-prfsha256-prfsha1-x25519-none "
		"aes256gcm16-nomac-prfsha384-ecp256-esn-noesn aes128-sha256-prfsha1-noesn";
	static const char want[] = "3des-sha1-modp1024, aes256-aes128-sha256-sha1-x25519-none, "
				   "aes256gcm16-prfsha384-ecp256-esn-noesn, aes128-sha256-prfsha1";
	static struct sa_payload offer;
	char full[512];

	offer_of(offered, PROTO_IKE, &offer);
	ck_assert_str_eq(offer_text(&offer, full, sizeof(full)), want);
	for (size_t n = 1; n < sizeof(want) + 8; n++) {
		char *buf = malloc(n);

		ck_assert_ptr_nonnull(buf);
		offer_text(&offer, buf, n);
		ck_assert_uint_lt(strlen(buf), n);
		if (n >= 8 && strcmp(buf, want) != 0)
			ck_assert_str_eq(buf + strlen(buf) - 3, "...");
		free(buf);
	}
	ck_assert_str_eq(offer_text(&offer, full, 18), "3des-sha1-...");
}
END_TEST

/* What is to be changed at which side stands first, whatever else was offered. */
START_TEST(refusal_says_both_sides)
{
	static const char windows[] =
		"3des-sha1-prfsha1-modp1024 3des-sha256-prfsha256-modp1024 3des-sha384-prfsha384-modp1024 "
		"aes128-sha1-prfsha1-modp1024 aes128-sha256-prfsha256-modp1024 aes128-sha384-prfsha384-modp1024 "
		"aes256-sha1-prfsha1-modp1024 aes256-sha256-prfsha256-modp1024 aes256-sha384-prfsha384-modp1024";
	static const struct {
		uint8_t protocol;
		enum proposal_dh dh;
		const char *offer, *ours, *text;
	} rows[] = {
		{ PROTO_IKE, PROPOSAL_DH_REQUIRED, "aes128-sha1-prfsha1-modp1024", "aes256gcm16-prfsha384-x25519",
		  "no common cipher: offered aes128; configured aes256gcm16 (all that is offered: "
		  "aes128-sha1-modp1024; "
		  "configured: aes256gcm16-prfsha384-x25519)" },
		{ PROTO_IKE, PROPOSAL_DH_REQUIRED, windows, IKE_DEFAULT,
		  "no common group: offered modp1024; configured x25519, ecp256, ecp384, modp3072, modp2048 (all that "
		  "is "
		  "offered: 3des-sha1-modp1024, 3des-sha256-modp1024, 3des-sha384-modp1024, " },
		{ PROTO_IKE, PROPOSAL_DH_REQUIRED, "aes256-md5-prfsha1-x25519", IKE_DEFAULT, "no common integrity" },
		{ PROTO_IKE, PROPOSAL_DH_REQUIRED, "aes256gcm16-prfsha1-x25519 aes256-sha1-prfsha1-x25519", IKE_DEFAULT,
		  "no common PRF: offered prfsha1; configured prfsha384, prfsha256, prfsha512 (" },
		{ PROTO_IKE, PROPOSAL_DH_REQUIRED, "aes256gcm16-prfsha384-modp1024 3des-sha1-prfsha384-x25519",
		  "aes256gcm16-prfsha384-x25519", "of each kind something is common, but no two proposals have all" },
		{ PROTO_ESP, PROPOSAL_DH_REQUIRED, "aes256gcm16-none-noesn", "aes256gcm16-x25519-esn-noesn",
		  "no common group: offered none; configured x25519 (" },
		{ PROTO_ESP, PROPOSAL_DH_NEVER, "aes256gcm16-x25519-noesn", "aes256gcm16-x25519-none-noesn",
		  "no common group: offered x25519; configured none (" },
		{ PROTO_ESP, PROPOSAL_DH_IGNORED, "aes256gcm16-x25519-noesn", "aes256gcm16-ecp256-esn",
		  "no common ESN mode: offered noesn; configured esn (" },
		{ PROTO_ESP, PROPOSAL_DH_IGNORED, "null-sha1-noesn 3des-sha1-noesn des-sha1-noesn", ESP_DEFAULT,
		  "no common cipher: offered null, 3des, des; configured aes256gcm16, aes128gcm16, chacha20poly1305, "
		  "aes256, aes128 (" },
	};
	static struct sa_payload offer;
	struct proposal_cfg ours[MAX_OURS];
	struct chosen c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = ours_of(rows[i].ours, rows[i].protocol, ours);

		offer_of(rows[i].offer, rows[i].protocol, &offer);
		ck_assert_int_eq(proposal_choose(&offer, rows[i].protocol, ours, n, 0, rows[i].dh, &c, &e),
				 GW_EPROPOSAL);
		ck_assert_msg(strncmp(e.text, rows[i].text, strlen(rows[i].text)) == 0, "%s", e.text);
		ck_assert_ptr_nonnull(strstr(e.text, "; configured: "));
	}
}
END_TEST

/* Ever so many of all kinds: cut, and both sides are there. */
START_TEST(long_refusals_are_cut)
{
	static struct sa_payload offer;
	struct proposal_cfg ours[MAX_OURS];
	size_t n = ours_of("aes256gcm16-prfsha384-x25519", PROTO_IKE, ours);
	struct chosen c;
	struct err e;

	offer.count = 1;
	offer.p[0] = (struct proposal){ .number = 1, .protocol = PROTO_IKE, .count = IKE_MAX_TRANSFORMS };
	for (size_t i = 0; i < IKE_MAX_TRANSFORMS; i++)
		offer.t[i] = (struct transform){ .type = TR_ENCR, .id = (uint16_t)(1000 + i), .key_bits = 512 };
	ck_assert_int_eq(proposal_choose(&offer, PROTO_IKE, ours, n, 2, PROPOSAL_DH_REQUIRED, &c, &e), GW_EPROPOSAL);
	ck_assert_ptr_nonnull(strstr(e.text, "...; configured aes256gcm16 (all that is offered: encr-1000/512-"));
	ck_assert_ptr_nonnull(strstr(e.text, "...; configured: aes256gcm16-prfsha384-x25519)"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		texts,
		refusal_says_both_sides,
		long_refusals_are_cut,
	};

	return run_tests("proposal_refusal", tests, ARRAY_LEN(tests));
}
